/* The inner loops of comparing and scanning: one source, compiled for each instruction set, the same bits from all of them. */
#ifndef SN_MOTIF_LOOPS_H
#define SN_MOTIF_LOOPS_H

#include <stdint.h>

#define SN_LOOP_PAD 256           /* bytes behind `pairs` that `windows` may read */
#define SN_LOOP_WINDOW (32 * 160) /* bytes for `diagonals` */

struct sn_motif_loops {
    /* How one column differs from n columns y[letter][]: squared Euclidean distance, or minus the scalar product. */
    void (*squares)(const double *q, const double *const *y, int letters, int n, double *apart);
    void (*products)(const double *q, const double *const *y, int letters, int n, double *apart);
    /* The number of each one's bin, [0, last], and the least and the largest, of those and what *least and *largest are. */
    void (*bins)(const double *apart, int n, double from, double per_bin, int last, uint16_t *bin, double *least, double *largest);
    /* Numbers of the elements in bins [from, to], rising, into found (room for n + 1); returns how many. */
    int (*in_bins)(const uint16_t *bin, int n, int from, int to, int32_t *found);
    /* floor((score - median) * scale + 1/2), where the score is minus `apart` or minus its root; within -127..127 */
    void (*integers)(const double *apart, int n, int root, double median, double scale, int8_t *out);
    /* row[u * stride + i] = column[i * step + u] for u in [0, n), i in [0, width); 0 for i in [width, stride) */
    void (*rows)(const int8_t *column, int step, int width, int n, int stride, int8_t *row);
    /* out[0, n + m - 1) = a[0, n) convolved with f[0, m) */
    void (*convolve)(const double *a, int n, const double *f, int m, double *out);
    /* sum[k] = sum of row[column[j] * stride + i] over j in [0, w), i in [0, stride) with w - 1 - j + i == k, for k in [0, w - 1 + stride);
     * up to 31 more are written. stride: a multiple of 8. window: SN_LOOP_WINDOW bytes for its own use, 0 before the first call of a
     * stride. */
    void (*diagonals)(const int8_t *row, int stride, const int32_t *column, int w, int8_t *window, int16_t *sum);
    int (*largest)(const int16_t *v, int n);
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
