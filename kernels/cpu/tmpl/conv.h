/* Convolution as a matrix product over overlapping rows: output position q is row q of A, k*ch values from position q*stride - pad on, one
 * stride of positions after row q-1. No im2col; a part of a row is copied, zeros around it, only where a window leaves the row or its
 * positions are not adjacent. Zero taps take part in the sum, so that a position has the same bits wherever the row ends. */
#include "cpu/tmpl/common.h"

#define SN_CONV_CHUNK 512 /* output positions whose inputs are copied at a time */

/* A row as the windows see it: `len` positions of ch channels, the source's positions `insert` apart with zeros between. */
struct sn_strip {
    const sn_real *p;
    int64_t ld, len;
    int ch, insert;
};
/* The windows over it. */
struct sn_windows {
    int k, stride, pad;
};

static size_t SN_T(conv_strip_at)(void) {
    return (SN_T(gemm_ws)() + 63) / 64 * 64;
}

/* Values of windows [q0, q1): in place, or copied to ws. */
static const sn_real *SN_T(conv_place)(const struct sn_strip *x, const struct sn_windows *w, int64_t q0, int64_t q1, void *ws) {
    const int64_t lo = q0 * w->stride - w->pad, hi = (q1 - 1) * w->stride - w->pad + w->k;
    if (lo >= 0 && hi <= x->len && x->ld == x->ch && x->insert == 1) return x->p + lo * x->ch;
    sn_real *strip = (sn_real *)((char *)ws + SN_T(conv_strip_at)()), *dst = strip;
    const size_t bytes = (size_t)x->ch * sizeof *dst;
    for (int64_t u = lo; u < hi; u++, dst += x->ch) {
        if (u >= 0 && u < x->len && u % x->insert == 0)
            memcpy(dst, x->p + u / x->insert * x->ld, bytes);
        else
            memset(dst, 0, bytes);
    }
    return strip;
}

/* y[q] = bias + window q of x times B, q < len. */
static void SN_T(correlate)(const struct sn_strip *x, const struct sn_windows *w, const void *b, const sn_real *bias, const struct sn_t3 *y,
                            int i, void *ws) {
    const int64_t len = y->len[i], chunks = (len + SN_CONV_CHUNK - 1) / SN_CONV_CHUNK;
    struct sn_gemm g = {.n = y->ch, .k = (int64_t)w->k * x->ch, .a_rs = (int64_t)w->stride * x->ch, .a_cs = 1, .packed_b = b, .bias = bias};
    g.c_rs = y->ld, g.ws = ws;
    for (int64_t n = 0; n < chunks; n++) {
        const int64_t q0 = n * len / chunks, q1 = (n + 1) * len / chunks;
        g.m = q1 - q0, g.a = SN_T(conv_place)(x, w, q0, q1, ws), g.c = sn_row(y, i) + q0 * y->ld;
        SN_T(gemm)(&g);
    }
}

static struct sn_strip SN_T(strip)(const struct sn_t3 *x, int i, int insert) {
    const int64_t n = x->len[i];
    return (struct sn_strip){.p = sn_row(x, i), .ld = x->ld, .len = n > 0 ? (n - 1) * insert + 1 : 0, .ch = x->ch, .insert = insert};
}

static size_t SN_T(conv_fwd_bytes)(const struct sn_conv *s) {
    return SN_T(gemm_pack_bytes)((int64_t)s->k * s->cin, s->cout);
}

static size_t SN_T(conv_bwd_bytes)(const struct sn_conv *s) {
    return SN_T(gemm_pack_bytes)((int64_t)s->k * s->cout, s->cin);
}

/* A copied part of a row: as many windows as a chunk has, or, forward, all of a short row. */
static size_t SN_T(conv_ws)(const struct sn_conv *s, int64_t longest_in) {
    const int64_t row = longest_in + 2 * (int64_t)s->pad + s->k, part = (SN_CONV_CHUNK - 1) * (int64_t)s->stride + s->k;
    const int64_t fwd = (row < part ? row : part) * s->cin, bwd = (SN_CONV_CHUNK - 1 + (int64_t)s->k) * s->cout;
    return SN_T(conv_strip_at)() + (size_t)(fwd > bwd ? fwd : bwd) * sizeof(sn_real);
}

/* bwd: B of the reverse direction, row t*cout + f, column c = w[k-1-t, c, f]. */
static void SN_T(conv_prepare)(const struct sn_conv_prepare *a) {
    const struct sn_conv s = a->s;
    if (a->fwd) {
        const struct sn_gemm_pack p = {.n = s.cout, .k = (int64_t)s.k * s.cin, .b = a->w, .b_rs = s.cout, .b_cs = 1, .dst = a->fwd};
        SN_T(gemm_pack)(&p);
    }
    sn_real *dst = a->bwd;
    for (int c = 0; dst && c < s.cin; c += SN_NR)
        for (int t = s.k - 1; t >= 0; t--, dst += (int64_t)s.cout * SN_NR)
            SN_T(pack_panel)(a->w + ((int64_t)t * s.cin + c) * s.cout, 1, s.cout, s.cout, sn_imin(s.cin - c, SN_NR), dst);
}

static void SN_T(conv_fwd)(const struct sn_conv_fwd *a) {
    const struct sn_windows w = {a->s.k, a->s.stride, a->s.pad};
    for (int i = 0; i < a->n; i++) {
        const struct sn_strip x = SN_T(strip)(&a->x, i, 1);
        SN_T(correlate)(&x, &w, a->w, a->bias, &a->y, i, a->ws);
    }
}

/* Correlation of dy, its positions a stride apart, with the flipped weights. */
static void SN_T(conv_bwd_data)(const struct sn_conv_bwd_data *a) {
    const struct sn_windows w = {a->s.k, 1, a->s.k - 1 - a->s.pad};
    for (int i = 0; i < a->n; i++) {
        const struct sn_strip dy = SN_T(strip)(&a->dy, i, a->s.stride);
        SN_T(correlate)(&dy, &w, a->w, NULL, &a->dx, i, a->ws);
    }
}

/* A is the transposed windows; blocks of positions as the sum has them. */
static void SN_T(conv_bwd_filter)(const struct sn_conv_bwd_filter *a) {
    const struct sn_windows w = {a->s.k, a->s.stride, a->s.pad};
    struct sn_gemm g = {.m = a->o1 - a->o0, .n = a->s.cout, .a_rs = 1, .a_cs = (int64_t)a->s.stride * a->s.cin, .b_rs = a->dy.ld, .b_cs = 1};
    g.c = a->dw, g.c_rs = a->s.cout, g.accumulate = 1, g.ws = a->ws;
    for (int i = 0; i < a->n; i++) {
        const struct sn_strip x = SN_T(strip)(&a->x, i, 1);
        const int64_t len = a->dy.len[i];
        for (int64_t q = 0; q < len; q += SN_KBLOCK) {
            g.k = sn_imin(len - q, SN_KBLOCK);
            g.a = SN_T(conv_place)(&x, &w, q, q + g.k, a->ws) + a->o0;
            g.b = sn_row(&a->dy, i) + q * a->dy.ld;
            SN_T(gemm)(&g);
        }
    }
}

static void SN_T(fill_conv)(struct sn_kernels *k) {
    k->conv_fwd_bytes = SN_T(conv_fwd_bytes);
    k->conv_bwd_bytes = SN_T(conv_bwd_bytes);
    k->conv_ws = SN_T(conv_ws);
    k->conv_prepare = SN_T(conv_prepare);
    k->conv_fwd = SN_T(conv_fwd);
    k->conv_bwd_data = SN_T(conv_bwd_data);
    k->conv_bwd_filter = SN_T(conv_bwd_filter);
}
