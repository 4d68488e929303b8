/* The predictor from inside: what evaluation and the table writers share with prediction. */
#ifndef SN_API_PREDICTOR_H
#define SN_API_PREDICTOR_H

#include "api/api.h"
#include "model/scorer.h"

struct seqnet_predictor {
    seqnet_ctx *ctx;
    seqnet_predictor_options o;
    struct sn_model **models; /* referenced, NULL-terminated */
    int n_models;
    struct sn_scorer *scorer; /* NULL until the length is known */
    int64_t planned;          /* longest row it was made for */
    int rows;                 /* of a micro-batch */
    uint8_t *codes;           /* (workers, rows, planned) */
    int32_t *len;             /* (workers, rows) */
    double rate;
};

/* Scores of every row of d (n, n_tasks); logits: before the last activation. Errors name the record. */
int sn_predictor_run(struct seqnet_predictor *p, const struct sn_dataset *d, bool logits, float *out);

#endif
