/* Training: from a labelled data set to the best epoch's model. */
#ifndef SN_TRAIN_TRAIN_H
#define SN_TRAIN_TRAIN_H

#include "graph/runtime.h"
#include "model/model.h"
#include "seq/dataset.h"
#include "seqnet/train.h"

struct sn_trainer;
/* arch is taken over (also on failure); data, valid (NULL: split from data) are borrowed. */
int sn_trainer_create(const struct sn_runtime *rt, struct sn_arch *arch, const struct sn_dataset *data, const struct sn_dataset *valid,
                      const seqnet_train_options *o, struct sn_trainer **out);
void sn_trainer_free(struct sn_trainer *t);
/* Once. On failure *out is the best epoch's model so far, not calibrated, or NULL. */
int sn_trainer_run(struct sn_trainer *t, struct sn_model **out);
void sn_trainer_result(const struct sn_trainer *t, seqnet_train_result *out);

/* Ranks of a distributed run (DESIGN 21); the default has one. */
struct sn_comm {
    int rank, size;
    void *self;
    int (*tree_sum)(void *self, double *v, int64_t n);
    int (*broadcast)(void *self, void *v, int64_t bytes);
    int (*gather)(void *self, const void *v, int64_t bytes, void *all);
    int (*barrier)(void *self);
};

#endif
