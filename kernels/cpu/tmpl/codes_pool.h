/* Convolution on codes, relu and max pooling in one: a block's outputs go no further than the first level cache. */
#ifndef SN_KERNELS_CODES_POOL_H
#define SN_KERNELS_CODES_POOL_H

#include "cpu/tmpl/codes_fwd.h"
#include "cpu/tmpl/codes_grad.h"

#define SN_CODES_POOL_Q 256 /* outputs before pooling worked on at a time: at least the largest pool */

/* Outputs of SN_CODES_POOL_Q positions, then the span's arrays. */
static size_t SN_T(codes_pool_span)(const struct sn_conv *s) {
    return (SN_CODES_POOL_Q - 1) * (size_t)s->stride + 2 * SN_CODES_GROUP + 2;
}
static size_t SN_T(codes_pool_ws)(const struct sn_conv *s, int pool) {
    (void)pool;
    return SN_CODES_POOL_Q * SN_FB * sizeof(sn_real) + SN_T(codes_pool_span)(s) * (sizeof(uint16_t) + 1);
}

/* Maxima, and with `win` their offsets, of nw windows of the block's outputs x, which are not negative. */
SN_INLINE void SN_T(codes_pool_windows)(const struct sn_codes_pool_fwd *a, const sn_real *x, sn_real *y, uint8_t *win, int nw,
                                        const int m) {
    for (int w = 0; w < nw; w++, x += (int64_t)a->pool_stride * SN_FB, y += a->y.ld) {
        sn_vec best[SN_FB_VEC];
        sn_ivec arg[SN_FB_VEC];
        SN_UNROLL
        for (int h = 0; h < SN_FB_VEC; h++) {
            best[h] = *(const sn_vec *)(x + h * SN_VEC);
            arg[h] = (sn_ivec){0};
        }
        for (sn_int p = 1; p < a->pool; p++) {
            SN_UNROLL
            for (int h = 0; h < SN_FB_VEC; h++) {
                const sn_vec v = *(const sn_vec *)(x + p * SN_FB + h * SN_VEC);
                if (win) {
                    const sn_ivec more = v > best[h];
                    arg[h] = (arg[h] & ~more) | (more & p);
                }
                best[h] = sn_vmax(v, best[h]);
            }
        }
        sn_real out[SN_FB];
        sn_int at[SN_FB];
        SN_UNROLL
        for (int h = 0; h < SN_FB_VEC; h++) {
            *(sn_vec *)(out + h * SN_VEC) = best[h];
            *(sn_ivec *)(at + h * SN_VEC) = arg[h];
        }
        sn_codes_copy(y, out, m);
        if (!win) continue;
        if (m == SN_FB)
            for (int f = 0; f < SN_FB; f++) win[f] = (uint8_t)at[f];
        else
            for (int f = 0; f < m; f++) win[f] = (uint8_t)at[f];
        win += a->s.cout;
    }
}

static void SN_T(codes_pool_fwd)(const struct sn_codes_pool_fwd *a) {
    struct sn_codes_work k = SN_T(codes_work)(&a->s);
    sn_real *x = a->ws;
    k.in = &a->in, k.scale = SN_FB;
    k.at = (uint16_t *)(x + SN_CODES_POOL_Q * SN_FB);
    k.sym = (uint8_t *)(k.at + SN_T(codes_pool_span)(&a->s));
    const int most = (SN_CODES_POOL_Q - a->pool) / a->pool_stride + 1;
    for (int i = 0; i < a->in.n; i++) {
        SN_T(codes_line)(&k, i, 0);
        for (int64_t w = 0; w < a->y.len[i]; w += most) {
            const int nw = sn_imin(a->y.len[i] - w, most);
            for (int b = 0; b < k.blocks; b++) {
                const int m = SN_T(codes_filters)(&k, b);
                struct sn_codes_part u = {.block = b, .q0 = w * a->pool_stride, .w = a->w, .dst = x, .ld = SN_FB};
                u.nq = (nw - 1) * a->pool_stride + a->pool;
                SN_T(codes_block)(&k, a->tables, a->bias, &u, true);
                sn_real *y = sn_row(&a->y, i) + w * a->y.ld + b * SN_FB;
                if (a->win)
                    SN_T(codes_pool_windows)(a, x, y, a->win + i * a->win_row + w * a->s.cout + b * SN_FB, nw, m);
                else
                    SN_T(codes_pool_windows)(a, x, y, NULL, nw, m);
            }
        }
    }
}

/* As bias_grad: one chain per row from zero, rows added in order. */
static void SN_T(codes_pool_bias_grad)(const struct sn_codes_pool_bwd *a) {
    int ch = a->s.cout;
    for (int c0 = 0; c0 < ch; c0 += SN_CHUNK) {
        int m = sn_imin(ch - c0, SN_CHUNK);
        for (int i = 0; i < a->in.n; i++) {
            const sn_real *y = sn_row(&a->y, i) + c0, *dy = sn_row(&a->dy, i) + c0;
            sn_real sum[SN_CHUNK] = {0};
            for (int64_t w = 0; w < a->y.len[i]; w++, y += a->y.ld, dy += a->dy.ld)
                for (int c = 0; c < m; c++) sum[c] += y[c] > 0 ? dy[c] : 0;
            for (int c = 0; c < m; c++) a->db[c0 + c] += sum[c];
        }
    }
}

static void SN_T(codes_pool_bwd)(const struct sn_codes_pool_bwd *a) {
    if (a->db) SN_T(codes_pool_bias_grad)(a);
    const struct sn_codes_grad g = {.dy = &a->dy, .pool = a, .dw = a->dw};
    if (a->dw) SN_T(codes_grad)(&a->s, &a->in, &g, a->ws);
}

static void SN_T(fill_codes)(struct sn_kernels *k) {
    k->codes_bytes = SN_T(codes_bytes);
    k->codes_grad_ws = SN_T(codes_grad_ws);
    k->codes_pool_ws = SN_T(codes_pool_ws);
    k->codes_prepare = SN_T(codes_prepare);
    k->codes_fwd = SN_T(codes_fwd);
    k->codes_bwd_filter = SN_T(codes_bwd_filter);
    k->codes_pool_fwd = SN_T(codes_pool_fwd);
    k->codes_pool_bwd = SN_T(codes_pool_bwd);
}

#endif
