/* Convolution as matrix products, without im2col.
 *
 * Forward: output position q is row q of A, k*cin values from position q*stride - pad on; rows overlap. A part of a row of x is copied,
 * zeros around it, only where a window leaves the row or positions are not adjacent. Zero taps take part in the sum, so that a position
 * has the same bits wherever the row ends. Data gradient: dy W^T gives each position of dy its window's worth of dx, windows are added with
 * q ascending; no work for the zeros between the positions of a strided dy, and no narrow product where cin is 4. */
#include "cpu/tmpl/common.h"
#include "cpu/tmpl/toom.h"

#define SN_CONV_CHUNK 512 /* output positions whose inputs are copied at a time */
#define SN_CONV_ADD 64    /* positions of dy whose windows are worked out at a time */

static size_t SN_T(conv_ws_at)(void) {
    return (SN_T(gemm_ws)() + 63) / 64 * 64;
}

static sn_real *SN_T(conv_ws_part)(void *ws) {
    return (sn_real *)((char *)ws + SN_T(conv_ws_at)());
}

/* Values of row i of x for the windows of outputs q, q + dilation, ..., n of them: in place, or copied to ws. */
static const sn_real *SN_T(conv_place)(const struct sn_conv *s, const struct sn_t3 *x, int i, int64_t q, int64_t n, void *ws) {
    const int64_t lo = q * s->stride - s->pad, hi = lo + ((n - 1) * s->stride + s->k - 1) * s->dilation + 1, len = x->len[i];
    const sn_real *row = sn_row(x, i);
    if (lo >= 0 && hi <= len && sn_dense(x) && s->dilation == 1) return row + lo * s->cin;
    sn_real *dst = SN_T(conv_ws_part)(ws);
    const size_t bytes = (size_t)s->cin * sizeof *dst;
    for (int64_t p = lo; p < hi; p += s->dilation, dst += s->cin) {
        if (p >= 0 && p < len)
            memcpy(dst, row + p * x->ld, bytes);
        else
            memset(dst, 0, bytes);
    }
    return SN_T(conv_ws_part)(ws);
}

/* Positions phase, phase + dilation, ... of a row: a dilated convolution is an ordinary one on each phase. */
static int64_t SN_T(conv_phase)(const struct sn_conv *s, int64_t len, int64_t phase) {
    return (len - phase + s->dilation - 1) / s->dilation;
}

static void SN_T(conv_fwd)(const struct sn_conv_fwd *a) {
    const struct sn_conv s = a->s;
    struct sn_toom t;
    if (sn_toom_choose(&s, &t)) {
        SN_T(toom_fwd)(a, &t);
        return;
    }
    struct sn_gemm g = {.n = s.cout, .k = (int64_t)s.k * s.cin, .a_rs = (int64_t)s.stride * s.cin, .a_cs = 1, .packed_b = a->w};
    g.bias = a->bias, g.c_rs = (int64_t)s.dilation * a->y.ld, g.ws = a->ws;
    for (int i = 0; i < a->n; i++)
        for (int phase = 0; phase < s.dilation; phase++) {
            const int64_t len = SN_T(conv_phase)(&s, a->y.len[i], phase), chunks = (len + SN_CONV_CHUNK - 1) / SN_CONV_CHUNK;
            for (int64_t n = 0; n < chunks; n++) {
                const int64_t j = n * len / chunks, q = phase + j * s.dilation;
                g.m = (n + 1) * len / chunks - j, g.c = sn_row(&a->y, i) + q * a->y.ld;
                g.a = SN_T(conv_place)(&s, &a->x, i, q, g.m, a->ws);
                SN_T(gemm)(&g);
            }
        }
}

/* dx[0, n) += z[0, n). */
static void SN_T(conv_add)(const sn_real *restrict z, int64_t n, sn_real *restrict dx) {
    for (int64_t e = 0; e < n; e++) dx[e] += z[e];
}

/* Adds the window z (k, cin), whose first tap is position p, to a row of dx. */
static void SN_T(conv_add_window)(const struct sn_conv *s, const sn_real *z, int64_t p, int64_t len, int64_t ld, sn_real *dx) {
    const int64_t d = s->dilation, t0 = p < 0 ? (d - 1 - p) / d : 0, t1 = sn_imin((len - p + d - 1) / d, s->k);
    const bool whole = ld == s->cin && d == 1;
    if (whole && t0 < t1) SN_T(conv_add)(z + t0 * s->cin, (t1 - t0) * s->cin, dx + (p + t0) * ld);
    for (int64_t t = t0; t < t1 && !whole; t++) SN_T(conv_add)(z + t * s->cin, s->cin, dx + (p + t * d) * ld);
}

static void SN_T(conv_bwd_data)(const struct sn_conv_bwd_data *a) {
    const struct sn_conv s = a->s, back = sn_conv_transposed(&s);
    struct sn_toom t;
    if (sn_toom_choose(&back, &t)) {
        SN_T(toom_fwd)(&(struct sn_conv_fwd){.s = back, .n = a->n, .x = a->dy, .w = a->w, .y = a->dx, .ws = a->ws}, &t);
        return;
    }
    const int64_t wide = (int64_t)s.k * s.cin;
    sn_real *z = SN_T(conv_ws_part)(a->ws);
    struct sn_gemm g = {.n = wide, .k = s.cout, .a_rs = a->dy.ld, .a_cs = 1, .packed_b = a->w, .c = z, .c_rs = wide, .ws = a->ws};
    for (int i = 0; i < a->n; i++) {
        const int64_t len = a->dx.len[i];
        sn_real *dx = sn_row(&a->dx, i);
        for (int64_t p = 0; p < len; p++) memset(dx + p * a->dx.ld, 0, (size_t)s.cin * sizeof *dx);
        for (int64_t q0 = 0; q0 < a->dy.len[i]; q0 += SN_CONV_ADD) {
            g.m = sn_imin(a->dy.len[i] - q0, SN_CONV_ADD), g.a = sn_row(&a->dy, i) + q0 * a->dy.ld;
            SN_T(gemm)(&g);
            for (int64_t q = 0; q < g.m; q++) SN_T(conv_add_window)(&s, z + q * wide, (q0 + q) * s.stride - s.pad, len, a->dx.ld, dx);
        }
    }
}

/* A is the transposed windows; blocks of positions, phase after phase, as the sum has them. */
static void SN_T(conv_bwd_filter)(const struct sn_conv_bwd_filter *a) {
    const struct sn_conv s = a->s;
    struct sn_toom t;
    if (sn_toom_choose(&s, &t)) {
        SN_T(toom_bwd_filter)(a, &t);
        return;
    }
    struct sn_gemm g = {.m = a->o1 - a->o0, .n = s.cout, .a_rs = 1, .a_cs = (int64_t)s.stride * s.cin, .b_cs = 1};
    g.b_rs = (int64_t)s.dilation * a->dy.ld, g.c = a->dw, g.c_rs = s.cout, g.accumulate = 1, g.ws = a->ws;
    for (int i = 0; i < a->n; i++)
        for (int phase = 0; phase < s.dilation; phase++) {
            const int64_t len = SN_T(conv_phase)(&s, a->dy.len[i], phase);
            for (int64_t j = 0; j < len; j += SN_KBLOCK) {
                const int64_t q = phase + j * s.dilation;
                g.k = sn_imin(len - j, SN_KBLOCK);
                g.a = SN_T(conv_place)(&s, &a->x, i, q, g.k, a->ws) + a->o0;
                g.b = sn_row(&a->dy, i) + q * a->dy.ld;
                SN_T(gemm)(&g);
            }
        }
}

static size_t SN_T(conv_fwd_bytes)(const struct sn_conv *s) {
    struct sn_toom t;
    return sn_toom_choose(s, &t) ? SN_T(toom_bytes)(s, &t) : SN_T(gemm_pack_bytes)((int64_t)s->k * s->cin, s->cout);
}

static size_t SN_T(conv_bwd_bytes)(const struct sn_conv *s) {
    const struct sn_conv back = sn_conv_transposed(s);
    struct sn_toom t;
    return sn_toom_choose(&back, &t) ? SN_T(toom_bytes)(&back, &t) : SN_T(gemm_pack_bytes)(s->cout, (int64_t)s->k * s->cin);
}

static void SN_T(conv_prepare)(const struct sn_conv_prepare *a) {
    const int64_t wide = (int64_t)a->s.k * a->s.cin;
    const struct sn_gemm_pack fwd = {.n = a->s.cout, .k = wide, .b = a->w, .b_rs = a->s.cout, .b_cs = 1, .dst = a->fwd};
    const struct sn_gemm_pack bwd = {.n = wide, .k = a->s.cout, .b = a->w, .b_rs = 1, .b_cs = a->s.cout, .dst = a->bwd};
    const struct sn_conv back = sn_conv_transposed(&a->s);
    struct sn_toom t;
    if (a->fwd && sn_toom_choose(&a->s, &t))
        SN_T(toom_prepare)(&a->s, &t, a->w, false, a->fwd);
    else if (a->fwd)
        SN_T(gemm_pack)(&fwd);
    if (a->bwd && sn_toom_choose(&back, &t))
        SN_T(toom_prepare)(&back, &t, a->w, true, a->bwd);
    else if (a->bwd)
        SN_T(gemm_pack)(&bwd);
}

/* Behind the GEMM's part: copied inputs of a chunk (or of all of a short row), or windows of dx. */
static size_t SN_T(conv_ws)(const struct sn_conv *s, int64_t longest_in) {
    const int64_t row = (longest_in + 2 * (int64_t)s->pad) / s->dilation + s->k + 1, part = (SN_CONV_CHUNK - 1) * (int64_t)s->stride + s->k;
    const int64_t copied = row < part ? row : part, windows = SN_CONV_ADD * (int64_t)s->k;
    const size_t bytes = SN_T(conv_ws_at)() + (size_t)((copied > windows ? copied : windows) * s->cin) * sizeof(sn_real);
    const size_t toom = SN_T(toom_ws_bytes)(s);
    return bytes > toom ? bytes : toom;
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
