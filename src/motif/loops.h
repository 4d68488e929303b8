/* The inner loops of comparing and scanning: one source, compiled for each instruction set, the same bits from all of them. */
#ifndef SN_MOTIF_LOOPS_H
#define SN_MOTIF_LOOPS_H

#include <stdint.h>

#include "motif/motif.h"

#define SN_LOOP_PAD 256           /* bytes behind `pairs` that `windows` may read */
#define SN_LOOP_WINDOW (32 * 160) /* bytes for `diagonals` */

#define SN_TALLY 272 /* counters of a column: 256, and a cache line more, so that those of neighbours do not meet in the cache */
#define SN_LANES 16
#define SN_IN_BINS_PAD 64
#define SN_CONVOLVE_STEP 32
/* Query columns side by side: the score of one is floor(base - scale * distance), or of minus the product. Where that is further than
 * `sure` from the middle between two integers, single precision does not decide. */
struct sn_lanes {
    float q[SN_MOTIF_LETTERS][SN_LANES], base[SN_LANES], scale[SN_LANES], sure[SN_LANES];
};

struct sn_motif_loops {
    /* What one column and n columns y[letter][] are apart, the squared distance or minus the scalar product, as the number of its bin,
     * (apart - from) * per_bin, for which the caller sees to it that it is within [0, 65535]. Of n rounded up to a multiple of SN_LANES.
     * And the least and the most, of those before rounding and what *least and *most are. */
    void (*bins)(const float *q, const float *const *y, int letters, int product, int n, float from, float per_bin, uint16_t *bin,
                 float *least, float *most);
    /* held[bin[u] >> shift][any] += count[u] */
    void (*tally_bins)(const uint16_t *bin, const int32_t *count, int n, int shift, int32_t (*held)[4]);
    /* Numbers of the elements in bins [from, to], rising, into found (room for n + SN_IN_BINS_PAD, as far as bin may be read); returns how
     * many. */
    int (*in_bins)(const uint16_t *bin, int n, int from, int to, int32_t *found);
    /* Integer scores of SN_LANES query columns with n columns, row[u * stride + lane]. `unsure` (room for n) takes u << 16 | a bit for each
     * lane where single precision does not decide; returns how many. */
    int (*scores)(const struct sn_lanes *l, const float *const *y, int letters, int product, int n, int stride, int8_t *row,
                  uint32_t *unsure);
    /* held[lane * SN_TALLY + (uint8_t)row[u * stride + lane]] += count[u] for the first lanes */
    void (*tally)(const int8_t *row, int stride, int n, const int32_t *count, int lanes, int32_t *held);
    /* out[i] = sum of f[k] a[i - k] over k in [0, m), for i in [0, n) and up to the next multiple of SN_CONVOLVE_STEP */
    void (*convolve)(const double *a, int n, const double *f, int m, double *out);
    /* sum[k] = sum of row[column[j] * stride + i] over j in [0, w), i in [0, stride) with w - 1 - j + i == k, for k in [0, w - 1 + stride);
     * up to 31 more are written. stride: a multiple of 8. window: SN_LOOP_WINDOW bytes for its own use, 0 before the first call of a
     * stride. */
    void (*diagonals)(const int8_t *row, int stride, const int32_t *column, int w, int8_t *window, int16_t *sum);
    int (*largest)(const int16_t *v, int n);
    /* For SN_LANES queries of one width at once, row[j][i * SN_LANES + lane] their scores with column j of w: the largest sum over a
     * diagonal of at least `least` columns, and which diagonal: of equal ones the longest, then the first. */
    void (*best)(const int8_t *const *row, int width, int w, int least, int16_t *best, int16_t *place);
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
