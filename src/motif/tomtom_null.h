/* The null distribution of Tomtom: how high the best offset of a random target scores against one query. */
#ifndef SN_MOTIF_TOMTOM_NULL_H
#define SN_MOTIF_TOMTOM_NULL_H

#include <stdbool.h>
#include <stdint.h>

#include "motif/loops.h"

/* Use: make; count the scores of every query column with all target columns, then counted; ask for every score and note every width;
 * compute; p. {0} after free. */
struct sn_null {
    const struct sn_motif_loops *loops;
    int width, widest; /* columns of the query, of the widest target */
    int bins;          /* scores of one column are -bins - 1 .. bins + 1 */
    int64_t *held;     /* (width, 2 bins + 3) */
    double *density;   /* (width, levels) share of the target columns with score lowest + level */
    int lowest, levels;
    int *rank;        /* of each possible sum among those asked for, -1 = not asked */
    int n_asked;      /* distinct sums */
    int *asked;       /* (n_asked) falling */
    double *log_less; /* (3, width + 1, n_asked): log of P(sum over a span < asked): its prefixes, suffixes, and inner spans together */
    double *p;        /* (widest + 1, n_asked), negative = still to be computed */
    int min_overlap;
};

int sn_null_make(struct sn_null *n, const struct sn_motif_loops *loops, int width, int widest, int bins);
void sn_null_free(struct sn_null *n);
/* count[(uint8_t)score]: target columns that have it with this query column */
void sn_null_count(struct sn_null *n, int column, const int32_t *count);
void sn_null_counted(struct sn_null *n, int64_t total);
void sn_null_ask(struct sn_null *n, int sum);
int sn_null_compute(struct sn_null *n, int min_overlap);
/* P(best offset of a random target of `width` columns >= sum), for a sum that was asked for. */
double sn_null_p(struct sn_null *n, int width, int sum);

#endif
