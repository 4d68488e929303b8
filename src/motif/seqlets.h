/* Seqlets: windows whose summed contribution stands out from a Laplace null at a false discovery rate. */
#ifndef SN_MOTIF_SEQLETS_H
#define SN_MOTIF_SEQLETS_H

#include "motif/patterns.h"

struct sn_seqlet_set {
    struct sn_seqlet *v[2]; /* of positive and of negative contribution, in order of sequence and strength */
    int64_t n[2];
    double threshold[2];
    bool flat; /* all window sums are equal: nothing to find */
};

/* SEQNET_ENUM when an attribution is not finite (names row and position). */
int sn_seqlets_find(const struct sn_attributions *a, const struct sn_discover_options *o, struct sn_pool *pool, struct sn_seqlet_set *out);
void sn_seqlets_free(struct sn_seqlet_set *s);

/* Contribution of the base that is there, at each position of a row. */
void sn_row_contributions(const struct sn_attributions *a, int64_t row, float *out);

/* ---- parts, for tests ---- */

/* The largest of -ln(1-q) / (quantile_q - centre), q = 5 %..95 %, over values at or beyond the centre, sorted by their distance to it;
 * 0 when there is none. */
double sn_laplace_rate(const float *distance, int64_t n);
/* Smallest value whose isotonic precision against the null is at least 1 - fdr. values (n >= 1) and null are distances from zero,
 * ascending; precision (n) may be NULL. */
int sn_isotonic_threshold(const float *values, int64_t n, const float *null, int64_t n_null, double fdr, double *precision, double *out);
/* Starts of the seqlets in one row of window sums, strongest first; the sums that pass are positive, others are negative and never chosen.
 * `sums` (n) is used up. Returns how many, at most n, into start. */
int sn_seqlets_extract(float *sums, int n, int window, int flank, int32_t *start);

#endif
