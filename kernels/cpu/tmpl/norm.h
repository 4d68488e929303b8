/* Batch normalisation, per channel over all positions of all rows; sums over a row as in sn_col_sum, rows added in order. */
#ifndef SN_KERNELS_NORM_H
#define SN_KERNELS_NORM_H

#include "cpu/tmpl/common.h"

/* sum[c] += sum over the positions of a row of (u - a[c]) (x - b[c]). */
static void SN_T(bn_row_products)(const sn_real *u, int64_t u_ld, const sn_real *a, const sn_real *x, int64_t x_ld, const sn_real *b,
                                  int64_t len, int m, sn_real *sum) {
    for (int64_t q0 = 0; q0 < len; q0 += SN_KBLOCK) {
        int64_t q1 = q0 + SN_KBLOCK < len ? q0 + SN_KBLOCK : len;
        sn_real part[SN_CHUNK] = {0};
        for (int64_t q = q0; q < q1; q++)
            for (int c = 0; c < m; c++) part[c] = SN_FMA(u[q * u_ld + c] - a[c], x[q * x_ld + c] - b[c], part[c]);
        for (int c = 0; c < m; c++) sum[c] += part[c];
    }
}

static void SN_T(bn_stats)(const struct sn_bn_stats *a) {
    int ch = a->x.ch;
    int64_t count = 0;
    for (int i = 0; i < a->n; i++) count += a->x.len[i];
    for (int c0 = 0; c0 < ch; c0 += SN_CHUNK) {
        int m = sn_imin(ch - c0, SN_CHUNK);
        sn_real mean[SN_CHUNK] = {0}, square[SN_CHUNK] = {0};
        for (int i = 0; i < a->n; i++) sn_col_sum(sn_row(&a->x, i) + c0, a->x.ld, 0, a->x.len[i], m, mean);
        for (int c = 0; c < m; c++) mean[c] = count ? mean[c] / (sn_real)count : 0;
        for (int i = 0; i < a->n; i++) {
            const sn_real *x = sn_row(&a->x, i) + c0;
            SN_T(bn_row_products)(x, a->x.ld, mean, x, a->x.ld, mean, a->x.len[i], m, square);
        }
        memcpy(a->part + c0, mean, (size_t)m * sizeof *mean);
        memcpy(a->part + ch + c0, square, (size_t)m * sizeof *square);
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

static void SN_T(bn_fwd)(const struct sn_bn_fwd *a) {
    int ch = a->y.ch;
    for (int c0 = 0; c0 < ch; c0 += SN_CHUNK) {
        int m = sn_imin(ch - c0, SN_CHUNK);
        const sn_real *mean = (a->stats ? a->stats : a->mean) + c0, *gamma = a->gamma + c0, *beta = a->beta + c0;
        sn_real inv[SN_CHUNK];
        SN_T(bn_inverse)(a->stats, a->var, ch, c0, m, a->eps, inv);
        for (int i = 0; i < a->n; i++)
            for (int64_t q = 0; q < a->y.len[i]; q++) {
                const sn_real *x = sn_row(&a->x, i) + q * a->x.ld + c0;
                sn_real *y = sn_row(&a->y, i) + q * a->y.ld + c0;
                SN_INDEPENDENT
                for (int c = 0; c < m; c++) y[c] = SN_FMA(gamma[c], (x[c] - mean[c]) * inv[c], beta[c]);
            }
    }
}

static void SN_T(bn_bwd_stats)(const struct sn_bn_bwd_stats *a) {
    static const sn_real zero[SN_CHUNK];
    int ch = a->x.ch;
    for (int c0 = 0; c0 < ch; c0 += SN_CHUNK) {
        int m = sn_imin(ch - c0, SN_CHUNK);
        sn_real inv[SN_CHUNK], sum[SN_CHUNK] = {0}, product[SN_CHUNK] = {0};
        SN_T(bn_inverse)(a->stats, NULL, ch, c0, m, a->eps, inv);
        for (int i = 0; i < a->n; i++) {
            const sn_real *x = sn_row(&a->x, i) + c0, *dy = sn_row(&a->dy, i) + c0;
            sn_col_sum(dy, a->dy.ld, 0, a->dy.len[i], m, sum);
            SN_T(bn_row_products)(dy, a->dy.ld, zero, x, a->x.ld, a->stats + c0, a->dy.len[i], m, product);
        }
        for (int c = 0; c < m; c++) {
            a->part[c0 + c] = sum[c];
            a->part[ch + c0 + c] = product[c] * inv[c];
        }
    }
}

static void SN_T(bn_bwd)(const struct sn_bn_bwd *a) {
    int ch = a->dx.ch;
    sn_real count = a->stats[2 * ch];
    for (int c0 = 0; c0 < ch; c0 += SN_CHUNK) {
        int m = sn_imin(ch - c0, SN_CHUNK);
        const sn_real *mean = a->stats + c0;
        sn_real inv[SN_CHUNK], scale[SN_CHUNK], shift[SN_CHUNK], slope[SN_CHUNK];
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
    for (int c0 = 0; c0 < ch; c0 += SN_CHUNK) {
        int m = sn_imin(ch - c0, SN_CHUNK);
        sn_real scale[SN_CHUNK];
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
