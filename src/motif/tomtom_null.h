/* The null distribution of Tomtom: how high the best offset of a random target scores against one query. */
#ifndef SN_MOTIF_TOMTOM_NULL_H
#define SN_MOTIF_TOMTOM_NULL_H

#include <stdbool.h>
#include <stdint.h>

#include "motif/loops.h"

/* Of one query column: its scores lie in [low, high]; `rest`: the most that it and columns after it can add to a sum, 0 at least. */
struct sn_null_column {
    int low, high, rest;
};

/* Use: make; count the scores of every query column with all target columns; ask for every sum; compute; p. {0} after free. */
struct sn_null {
    const struct sn_motif_loops *loops;
    int width, widest;             /* columns of the query, of the widest target */
    int bins;                      /* scores of one column are -bins - 1 .. bins + 1 */
    struct sn_null_column *column; /* (width + 1) */
    double *density;               /* (width, 2 bins + 3) share of the target columns with score low, low + 1, ... */
    int lowest;                    /* score of any column */
    int pad;                       /* zeros around a distribution */
    int *rank;                     /* of each possible sum among those asked for */
    int n_asked;                   /* distinct sums */
    int *asked;                    /* (n_asked) falling */
    uint8_t *any, *wanted;         /* (widest + 1), and also by sum: whether asked for */
    double *log_less; /* (3, width + 1, n_asked): log of P(sum over a span < asked): its prefixes, suffixes, and inner spans together */
    double *p;        /* (widest + 1, n_asked), negative = still to be computed */
    int min_overlap;
};

int sn_null_make(struct sn_null *n, const struct sn_motif_loops *loops, int width, int widest, int bins);
void sn_null_free(struct sn_null *n);
/* count[(uint8_t)score]: target columns that have it with this query column, `total` together */
void sn_null_count(struct sn_null *n, int column, const int32_t *count, int64_t total);
/* For targets of `width` columns. */
void sn_null_ask(struct sn_null *n, int width, int sum);
int sn_null_compute(struct sn_null *n, int min_overlap);
/* P(best offset of a random target of `width` columns >= sum), for what was asked for. */
double sn_null_p(struct sn_null *n, int width, int sum);

#endif
