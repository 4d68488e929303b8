/* The inner loops of comparing and scanning: one source, compiled for each instruction set, the same bits from all of them. */
#ifndef SN_MOTIF_LOOPS_H
#define SN_MOTIF_LOOPS_H

#include <stdint.h>

#define SN_LOOP_PAD 256 /* bytes behind `pairs` that `windows` may read */

struct sn_motif_loops {
    /* Scores of one column against n columns y[letter][]: minus the Euclidean distance, or the scalar product. */
    void (*distances)(const double *q, const double *const *y, int letters, int n, double *score);
    void (*products)(const double *q, const double *const *y, int letters, int n, double *score);
    /* The number of each score's bin, [0, last], and the least and the largest score. */
    void (*bins)(const double *score, int n, double from, double per_bin, int last, int32_t *bin, double *least, double *largest);
    /* floor((score - median) * scale + 1/2) */
    void (*integers)(const double *score, int n, double median, double scale, int16_t *out);
    /* out[0, n + m - 1) = a[0, n) convolved with f[0, m) */
    void (*convolve)(const double *a, int n, const double *f, int m, double *out);
    /* sum[w - 1 - j + i] += row[column[j] * stride + i] for j in [0, w), i in [0, stride), stride a multiple of 8 */
    void (*diagonals)(const int16_t *row, int stride, const int32_t *column, int w, int16_t *sum);
    /* Positions i in [0, n) where the sum over k of table[16 k + pairs[i + 2 k]] is at most `limit` (< 255; sums stop at 255), into found;
     * returns how many. */
    int64_t (*windows)(const uint8_t *pairs, int64_t n, const uint8_t *table, int n_pairs, int limit, int32_t *found);
};

/* The best set for this CPU. */
const struct sn_motif_loops *sn_motif_loops(void);

extern const struct sn_motif_loops sn_motif_loops_ref;
#if defined(__x86_64__)
extern const struct sn_motif_loops sn_motif_loops_avx2, sn_motif_loops_avx512;
#endif

#endif
