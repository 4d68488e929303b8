/* Tomtom's integer scores: of query columns with every distinct column of the targets, and how often each score occurs. */
#ifndef SN_MOTIF_TOMTOM_SCORES_H
#define SN_MOTIF_TOMTOM_SCORES_H

#include <stdbool.h>

#include "core/pool.h"
#include "motif/columns.h"
#include "motif/loops.h"

#define SN_SCORE_BINS 100 /* scores of one column are -bins - 1 .. bins + 1 */

/* Of one query column with all target columns: the middle, the least and the largest score. */
struct sn_score_range {
    double median, least, most;
};

struct sn_scores {
    const struct sn_motif_loops *loops;
    bool pearson;
    struct sn_columns targets, queries; /* for Pearson: centred, of length 1 */
    float *value[SN_MOTIF_LETTERS];     /* the targets' in single precision */
    double longest, largest;            /* length of a target column, size of a value, of both sets */
    struct sn_score_range *range;       /* (queries.n) */
    struct sn_score_work *work;         /* (workers) */
    int n_work;
};

/* Columns and ranges. SEQNET_ENOMEM, SEQNET_EDATA; *s is to be freed in any case. */
int sn_scores_make(const struct sn_motif_set *queries, const struct sn_motif_set *targets, bool both_strands, bool pearson,
                   struct sn_pool *pool, struct sn_scores *s);
void sn_scores_free(struct sn_scores *s);

/* A query column whose scores are wanted. */
struct sn_score_lane {
    int column; /* its number, -1 = none: scores of 0 */
    double scale;
};

/* The scale to integers of a query of these columns. */
double sn_scores_scale(const struct sn_scores *s, const int32_t *column, int width);
/* row[u * stride + l] = score of lane l with target column u, for l up to the next multiple of SN_LANES, to which `lane` goes on;
 * held[l * SN_TALLY + (uint8_t)score] is how often it occurs. */
void sn_scores_rows(const struct sn_scores *s, const struct sn_score_lane *lane, int lanes, int stride, int8_t *row, int32_t *held);

#endif
