/* Softmax over the channels of each position. */
#ifndef SN_KERNELS_SOFTMAX_H
#define SN_KERNELS_SOFTMAX_H

#include "cpu/tmpl/common.h"

static inline sn_real SN_T(sm_max)(const sn_real *x, int n) {
    sn_real m = x[0];
    for (int c = 1; c < n; c++) m = x[c] > m ? x[c] : m;
    return m;
}

static inline sn_real SN_T(sm_sum)(const sn_real *x, int n) {
    sn_real lane[SN_LANES] = {0};
    for (int c = 0; c < n; c += SN_LANES) {
        int m = sn_imin(n - c, SN_LANES);
        for (int l = 0; l < m; l++) lane[l] += x[c + l];
    }
    return sn_tree16(lane);
}

static inline sn_real SN_T(sm_dot)(const sn_real *x, const sn_real *y, int n) {
    sn_real lane[SN_LANES] = {0};
    for (int c = 0; c < n; c += SN_LANES) {
        int m = sn_imin(n - c, SN_LANES);
        for (int l = 0; l < m; l++) lane[l] = SN_FMA(x[c + l], y[c + l], lane[l]);
    }
    return sn_tree16(lane);
}

static void SN_T(softmax_fwd)(const struct sn_softmax_fwd *a) {
    int n = a->y.ch;
    for (int i = 0; i < a->n; i++)
        for (int64_t q = 0; q < a->y.len[i]; q++) {
            const sn_real *x = sn_row(&a->x, i) + q * a->x.ld;
            sn_real *y = sn_row(&a->y, i) + q * a->y.ld, m = SN_T(sm_max)(x, n);
            SN_INDEPENDENT
            for (int c = 0; c < n; c++) y[c] = sn_m_exp(x[c] - m);
            sn_real r = SN_T(sm_sum)(y, n);
            for (int c = 0; c < n; c++) y[c] /= r;
        }
}

static void SN_T(softmax_bwd)(const struct sn_softmax_bwd *a) {
    int n = a->dx.ch;
    for (int i = 0; i < a->n; i++)
        for (int64_t q = 0; q < a->dx.len[i]; q++) {
            const sn_real *y = sn_row(&a->y, i) + q * a->y.ld, *dy = sn_row(&a->dy, i) + q * a->dy.ld;
            sn_real *dx = sn_row(&a->dx, i) + q * a->dx.ld, d = SN_T(sm_dot)(y, dy, n);
            SN_INDEPENDENT
            for (int c = 0; c < n; c++) dx[c] = y[c] * (dy[c] - d);
        }
}

/* log sum exp(x) = top + rest, kept apart for precision, and the mean of m under softmax(x). */
struct SN_T(sm_stats) {
    sn_real top, rest, mean;
};
static struct SN_T(sm_stats) SN_T(sm_stats)(const sn_real *x, const sn_real *m, int n) {
    sn_real top = SN_T(sm_max)(x, n), sum[SN_LANES] = {0}, dot[SN_LANES] = {0};
    for (int c = 0; c < n; c += SN_LANES) {
        int w = sn_imin(n - c, SN_LANES);
        for (int l = 0; l < w; l++) {
            sn_real e = sn_m_exp(x[c + l] - top);
            sum[l] += e;
            dot[l] = SN_FMA(e, m[c + l], dot[l]);
        }
    }
    sn_real r = sn_tree16(sum);
    return (struct SN_T(sm_stats)){top, sn_m_log(r), sn_tree16(dot) / r};
}

/* exp, sum, reciprocal and product taken apart, the product with averaged operands; with e, r and q eliminated the multipliers are
 *   mx_j = 1/2 [ (my_j - E0) rho_exp(x_j - L, x0_j - L) + (my_j - E) rho_exp(x_j - L0, x0_j - L0) ],
 * L and L0 = log sum exp of x and x0, E and E0 = means of my under both softmaxes. No shared maximum, so nothing underflows. */
static void SN_T(softmax_attr)(const struct sn_softmax_attr *a) {
    int n = a->mx.ch;
    for (int p = 0; p < a->pairs.n; p++)
        for (int64_t q = 0; q < a->mx.len[p]; q++) {
            const sn_real *x = sn_row(&a->x, a->pairs.row_x[p]) + q * a->x.ld, *x0 = sn_row(&a->x, a->pairs.row_ref[p]) + q * a->x.ld;
            const sn_real *my = sn_row(&a->my, p) + q * a->my.ld;
            sn_real *mx = sn_row(&a->mx, p) + q * a->mx.ld;
            const struct SN_T(sm_stats) s = SN_T(sm_stats)(x, my, n), s0 = SN_T(sm_stats)(x0, my, n);
            SN_INDEPENDENT
            for (int c = 0; c < n; c++) {
                sn_real u = (my[c] - s0.mean) * sn_m_rho_exp(x[c] - s.top - s.rest, x0[c] - s.top - s.rest);
                sn_real v = (my[c] - s.mean) * sn_m_rho_exp(x[c] - s0.top - s0.rest, x0[c] - s0.top - s0.rest);
                mx[c] = SN_R(0.5) * (u + v);
            }
        }
}

static void SN_T(fill_softmax)(struct sn_kernels *k) {
    k->softmax_fwd = SN_T(softmax_fwd);
    k->softmax_bwd = SN_T(softmax_bwd);
    k->softmax_attr = SN_T(softmax_attr);
}

#endif
