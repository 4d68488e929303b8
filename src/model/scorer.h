/* Scoring: one or several models (an ensemble: mean of their logits), strands combined as the model says, micro-batches, one session per
 * worker over shared plans. The one way from codes to scores for predict, evaluate, scan and the trainer's validation. */
#ifndef SN_MODEL_SCORER_H
#define SN_MODEL_SCORER_H

#include "core/pool.h"
#include "model/model.h"

struct sn_scorer;
struct sn_scorer_options {
    int64_t max_len;            /* longest row; <= the models' length when that is fixed */
    int max_rows;               /* rows of one call of sn_scorer_run; 0 = chosen by shape */
    int workers;                /* sessions to make */
    int strand;                 /* -1 = as the model says; 0 forward only (SN_STRAND_FORWARD) ... */
    struct sn_backend *backend; /* borrowed */
};
int sn_scorer_create(struct sn_model *const *models, int n_models, const struct sn_scorer_options *o, struct sn_scorer **out);
void sn_scorer_free(struct sn_scorer *s);
int sn_scorer_tasks(const struct sn_scorer *s);
int64_t sn_scorer_length(const struct sn_scorer *s); /* fixed input length, 0 = variable */
/* Rows that one call takes best. */
int sn_scorer_rows(const struct sn_scorer *s);
/* n rows of codes (padded to a common code_row, lengths len or NULL = max_len) -> logits (n,T) in float. Different workers may run at once.
 * Rows are independent: the same bits in any grouping. Shorter rows than a fixed length are centred and padded by the caller. */
int sn_scorer_run(struct sn_scorer *s, int worker, int n, const uint8_t *codes, int64_t code_row, const int32_t *len, float *logits);
/* Logits -> what predict prints: sigmoid, softmax, or mean + sd * value for standardised regression. In place, (n,T). */
int sn_scorer_finish(const struct sn_scorer *s, int n, float *scores);

#endif
