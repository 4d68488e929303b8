/* The mean loss of scores that are at hand, as training and evaluation report it. */
#ifndef SN_TRAIN_LOSS_H
#define SN_TRAIN_LOSS_H

#include "model/model.h"

/* logits (n, T) against targets (rows of T in the model's order, NaN = missing; row i is targets + ids[i]*T, ids NULL: i): weighted sum
 * over heads of the mean over what was observed, rows in their order, by the portable kernels: the same bits on every machine. cw: class
 * weights, the head whose tasks begin at `at` takes cw + 2*at; NULL = none. 0 or SEQNET_ENOMEM. */
int sn_mean_loss(const struct sn_model *m, const float *logits, const float *targets, const int64_t *ids, int64_t n, const sn_real *cw,
                 double *out);

#endif
