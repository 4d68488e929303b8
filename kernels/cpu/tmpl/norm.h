/* Batch normalisation, per channel over all positions of all rows. One pass over memory each: statistics go by blocks that stay in the
 * first level cache. */
#ifndef SN_KERNELS_NORM_H
#define SN_KERNELS_NORM_H

#include "cpu/tmpl/common.h"

#define SN_BN_BLOCK 64     /* positions whose mean and squares are taken at once */
#define SN_BN_CHANNELS 256 /* whose factors a pass holds on its stack */

/* The next up to SN_BN_BLOCK positions, row after row, from position *q of row *i on; returns how many. */
static int SN_T(bn_positions)(const struct sn_t3 *x, int n, int *i, int64_t *q, const sn_real *at[SN_BN_BLOCK]) {
    int m = 0;
    for (; *i < n; ++*i, *q = 0) {
        const sn_real *row = sn_row(x, *i);
        for (; *q < x->len[*i]; ++*q) {
            if (m == SN_BN_BLOCK) return m;
            at[m++] = row + *q * x->ld;
        }
    }
    return m;
}

/* Joins a block of n positions to what `before` positions gave. */
SN_INLINE void SN_T(bn_block)(const sn_real *const *at, int n, sn_real before, int c, sn_real *mean, sn_real *square, int nv, int lanes) {
    sn_vec sum[8], sq[8];
    SN_UNROLL
    for (int v = 0; v < nv; v++) sum[v] = sq[v] = (sn_vec){0};
    for (int t = 0; t < n; t++) SN_UNROLL
    for (int v = 0; v < nv; v++) sum[v] += sn_vget(at[t] + c + v * SN_VEC, lanes);
    SN_UNROLL
    for (int v = 0; v < nv; v++) sum[v] /= (sn_real)n;
    for (int t = 0; t < n; t++) SN_UNROLL
    for (int v = 0; v < nv; v++) {
        sn_vec d = sn_vget(at[t] + c + v * SN_VEC, lanes) - sum[v];
        sq[v] = sn_vfma(d, d, sq[v]);
    }
    sn_real share = (sn_real)n / (before + (sn_real)n);
    SN_UNROLL
    for (int v = 0; v < nv; v++) {
        sn_vec old = sn_vget(mean + c + v * SN_VEC, lanes), d = sum[v] - old;
        sn_vput(mean + c + v * SN_VEC, sn_vfma(d, (sn_vec){0} + share, old), lanes);
        sn_vput(square + c + v * SN_VEC, sn_vfma(d * d, (sn_vec){0} + before * share, sn_vget(square + c + v * SN_VEC, lanes) + sq[v]),
                lanes);
    }
}

static void SN_T(bn_stats)(const struct sn_bn_stats *a) {
    int ch = a->x.ch, i = 0, n;
    int64_t q = 0, count = 0;
    sn_real *mean = a->part, *square = a->part + ch;
    const sn_real *at[SN_BN_BLOCK];
    memset(a->part, 0, 2 * (size_t)ch * sizeof *a->part);
    while ((n = SN_T(bn_positions)(&a->x, a->n, &i, &q, at)) > 0) {
#define SN_BODY(c, nv, lanes) SN_T(bn_block)(at, n, (sn_real)count, c, mean, square, nv, lanes)
        SN_EACH_COLUMNS(ch, SN_BODY);
#undef SN_BODY
        count += n;
    }
    a->part[2 * ch] = (sn_real)count;
}

static void SN_T(bn_join)(const struct sn_bn_join *a) {
    sn_real na = a->a[2 * a->ch], nb = a->b[2 * a->ch], n = na + nb;
    if (nb == 0) return;
    for (int c = 0; c < a->ch; c++) {
        sn_real d = a->b[c] - a->a[c];
        a->a[c] = SN_FMA(d, nb / n, a->a[c]);
        a->a[a->ch + c] = SN_FMA(d * d, na * (nb / n), a->a[a->ch + c] + a->b[a->ch + c]);
    }
    a->a[2 * a->ch] = n;
}

/* 1/sqrt(var + eps) of channels [c0, c0 + m); the biased variance of joined statistics, or var where stats is NULL. */
static void SN_T(bn_inverse)(const sn_real *stats, const sn_real *var, int ch, int c0, int m, double eps, sn_real *inv) {
    for (int c = 0; c < m; c++) {
        sn_real v = stats ? stats[ch + c0 + c] / stats[2 * ch] : var[c0 + c];
        inv[c] = 1 / sn_m_sqrt(v + (sn_real)eps);
    }
}

/* One row of positions; scale: gamma / sqrt(var + eps). */
static void SN_T(bn_fwd_row)(const sn_real *x, int64_t x_ld, sn_real *y, int64_t y_ld, int64_t len, int m, const sn_real *mean,
                             const sn_real *scale, const sn_real *beta) {
    for (int64_t q = 0; q < len; q++, x += x_ld, y += y_ld) {
        SN_INDEPENDENT
        for (int c = 0; c < m; c++) y[c] = SN_FMA(x[c] - mean[c], scale[c], beta[c]);
    }
}

static void SN_T(bn_fwd)(const struct sn_bn_fwd *a) {
    int ch = a->y.ch;
    for (int c0 = 0; c0 < ch; c0 += SN_BN_CHANNELS) {
        int m = sn_imin(ch - c0, SN_BN_CHANNELS);
        sn_real scale[SN_BN_CHANNELS];
        SN_T(bn_inverse)(a->stats, a->var, ch, c0, m, a->eps, scale);
        for (int c = 0; c < m; c++) scale[c] *= a->gamma[c0 + c];
        for (int i = 0; i < a->n; i++) SN_T(bn_fwd_row)
        (sn_row(&a->x, i) + c0, a->x.ld, sn_row(&a->y, i) + c0, a->y.ld, a->y.len[i], m, (a->stats ? a->stats : a->mean) + c0, scale,
         a->beta + c0);
    }
}

/* Adds the row's sums of dy and of dy (x - mean): chains and blocks as in sn_col_sum. */
SN_INLINE void SN_T(bn_products)(const sn_real *dy, int64_t dy_ld, const sn_real *x, int64_t x_ld, const sn_real *mean, int64_t len,
                                 sn_real *sum, sn_real *product, int nv, int lanes) {
    sn_vec mu[4];
    SN_UNROLL
    for (int v = 0; v < nv; v++) mu[v] = sn_vget(mean + v * SN_VEC, lanes);
    for (int64_t b = 0; b < len; b += SN_KBLOCK) {
        sn_vec s[4], p[4];
        SN_UNROLL
        for (int v = 0; v < nv; v++) s[v] = p[v] = (sn_vec){0};
        for (int64_t q = b; q < len && q < b + SN_KBLOCK; q++) SN_UNROLL
        for (int v = 0; v < nv; v++) {
            sn_vec d = sn_vget(dy + q * dy_ld + v * SN_VEC, lanes);
            s[v] += d;
            p[v] = sn_vfma(d, sn_vget(x + q * x_ld + v * SN_VEC, lanes) - mu[v], p[v]);
        }
        SN_UNROLL
        for (int v = 0; v < nv; v++) {
            sn_vput(sum + v * SN_VEC, sn_vget(sum + v * SN_VEC, lanes) + s[v], lanes);
            sn_vput(product + v * SN_VEC, sn_vget(product + v * SN_VEC, lanes) + p[v], lanes);
        }
    }
}

static void SN_T(bn_bwd_stats)(const struct sn_bn_bwd_stats *a) {
    int ch = a->x.ch;
    sn_real *sum = a->part, *product = a->part + ch;
    memset(a->part, 0, 2 * (size_t)ch * sizeof *a->part);
    for (int i = 0; i < a->n; i++) {
        const sn_real *x = sn_row(&a->x, i), *dy = sn_row(&a->dy, i);
        int64_t len = a->dy.len[i];
        int c = 0;
        for (; c + 4 * SN_VEC <= ch; c += 4 * SN_VEC)
            SN_T(bn_products)(dy + c, a->dy.ld, x + c, a->x.ld, a->stats + c, len, sum + c, product + c, 4, SN_VEC);
        for (; c + SN_VEC <= ch; c += SN_VEC)
            SN_T(bn_products)(dy + c, a->dy.ld, x + c, a->x.ld, a->stats + c, len, sum + c, product + c, 1, SN_VEC);
        if (c < ch) SN_T(bn_products)(dy + c, a->dy.ld, x + c, a->x.ld, a->stats + c, len, sum + c, product + c, 1, ch - c);
    }
    for (int c0 = 0; c0 < ch; c0 += SN_BN_CHANNELS) {
        int m = sn_imin(ch - c0, SN_BN_CHANNELS);
        sn_real inv[SN_BN_CHANNELS];
        SN_T(bn_inverse)(a->stats, NULL, ch, c0, m, a->eps, inv);
        for (int c = 0; c < m; c++) product[c0 + c] *= inv[c];
    }
}

static void SN_T(bn_bwd)(const struct sn_bn_bwd *a) {
    int ch = a->dx.ch;
    sn_real count = a->stats[2 * ch];
    for (int c0 = 0; c0 < ch; c0 += SN_BN_CHANNELS) {
        int m = sn_imin(ch - c0, SN_BN_CHANNELS);
        const sn_real *mean = a->stats + c0;
        sn_real inv[SN_BN_CHANNELS], scale[SN_BN_CHANNELS], shift[SN_BN_CHANNELS], slope[SN_BN_CHANNELS];
        SN_T(bn_inverse)(a->stats, NULL, ch, c0, m, a->eps, inv);
        for (int c = 0; c < m; c++) {
            scale[c] = a->gamma[c0 + c] * inv[c];
            shift[c] = a->sums[c0 + c] / count;
            slope[c] = a->sums[ch + c0 + c] / count * inv[c];
        }
        for (int i = 0; i < a->n; i++)
            for (int64_t q = 0; q < a->dx.len[i]; q++) {
                const sn_real *x = sn_row(&a->x, i) + q * a->x.ld + c0, *dy = sn_row(&a->dy, i) + q * a->dy.ld + c0;
                sn_real *dx = sn_row(&a->dx, i) + q * a->dx.ld + c0;
                SN_INDEPENDENT
                for (int c = 0; c < m; c++) dx[c] = scale[c] * SN_FMA(mean[c] - x[c], slope[c], dy[c] - shift[c]);
            }
    }
}

static void SN_T(bn_scale)(const struct sn_bn_scale *a) {
    int ch = a->dx.ch;
    for (int c0 = 0; c0 < ch; c0 += SN_BN_CHANNELS) {
        int m = sn_imin(ch - c0, SN_BN_CHANNELS);
        sn_real scale[SN_BN_CHANNELS];
        SN_T(bn_inverse)(NULL, a->var, ch, c0, m, a->eps, scale);
        for (int c = 0; c < m; c++) scale[c] *= a->gamma[c0 + c];
        for (int i = 0; i < a->n; i++)
            for (int64_t q = 0; q < a->dx.len[i]; q++) {
                const sn_real *dy = sn_row(&a->dy, i) + q * a->dy.ld + c0;
                sn_real *dx = sn_row(&a->dx, i) + q * a->dx.ld + c0;
                SN_INDEPENDENT
                for (int c = 0; c < m; c++) dx[c] = dy[c] * scale[c];
            }
    }
}

static void SN_T(bn_update)(const struct sn_bn_update *a) {
    sn_real old = (sn_real)a->momentum, now = (sn_real)(1 - a->momentum), count = a->stats[2 * a->ch];
    for (int c = 0; c < a->ch; c++) {
        a->mean[c] = SN_FMA(old, a->mean[c], now * a->stats[c]);
        a->var[c] = SN_FMA(old, a->var[c], now * (a->stats[a->ch + c] / count));
    }
}

static void SN_T(fill_norm)(struct sn_kernels *k) {
    k->bn_stats = SN_T(bn_stats);
    k->bn_join = SN_T(bn_join);
    k->bn_fwd = SN_T(bn_fwd);
    k->bn_bwd_stats = SN_T(bn_bwd_stats);
    k->bn_bwd = SN_T(bn_bwd);
    k->bn_scale = SN_T(bn_scale);
    k->bn_update = SN_T(bn_update);
}

#endif
