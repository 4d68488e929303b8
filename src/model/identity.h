/* What a model is, besides its weights: the identity of the model file, as JSON text. */
#ifndef SN_MODEL_IDENTITY_H
#define SN_MODEL_IDENTITY_H

#include "model/arch_parts.h"

/* A weight of a graph as a tensor of the file. */
struct sn_tensor {
    char name[2 * SN_NAME_MAX]; /* NODE/weight */
    const struct sn_weight *weight;
    int64_t offset, count; /* in the parameters */
};
/* All of them in the order of the parameters; free() the list. */
int sn_model_tensors(const struct sn_graph *g, struct sn_tensor **out, int *n);

/* Reading, in two steps: the architecture first, since the tensors are checked against it before memory is taken for them. */
int sn_identity_arch(const struct sn_doc *d, struct sn_arch **out);
int sn_identity_apply(const struct sn_doc *d, struct sn_model *m);
/* The stored CRC-32C of a tensor. */
int sn_identity_crc(const struct sn_doc *d, const char *tensor, uint32_t *crc);

#endif
