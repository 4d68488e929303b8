#include <string.h>

#include "ops/op.h"

#define SN_OPS(X)                                                                                                                          \
    X(encode)                                                                                                                              \
    X(conv1d)                                                                                                                              \
    X(max_pooling1d)                                                                                                                       \
    X(average_pooling1d)                                                                                                                   \
    X(global_max_pooling1d)                                                                                                                \
    X(global_average_pooling1d)                                                                                                            \
    X(dense)                                                                                                                               \
    X(lstm)                                                                                                                                \
    X(dropout)                                                                                                                             \
    X(batch_normalization)                                                                                                                 \
    X(add)                                                                                                                                 \
    X(concatenate)                                                                                                                         \
    X(flatten)                                                                                                                             \
    X(relu)                                                                                                                                \
    X(sigmoid)                                                                                                                             \
    X(tanh)                                                                                                                                \
    X(softmax)                                                                                                                             \
    X(linear)

#define SN_OP_DECLARE(word) extern const struct sn_op sn_op_##word;
SN_OPS(SN_OP_DECLARE)

#define SN_OP_LIST(word) &sn_op_##word,
const struct sn_op *const sn_op_table[] = {SN_OPS(SN_OP_LIST) NULL};

const struct sn_op *sn_op_find(const char *name) {
    for (int i = 0; sn_op_table[i]; i++)
        if (strcmp(sn_op_table[i]->name, name) == 0) return sn_op_table[i];
    return NULL;
}

int sn_op_param_index(const struct sn_op *op, const char *name) {
    for (int i = 0; op->params && op->params[i].name; i++)
        if (strcmp(op->params[i].name, name) == 0) return i;
    return -1;
}
