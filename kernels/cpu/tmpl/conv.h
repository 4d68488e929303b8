/* Convolution as matrix products, without im2col.
 *
 * Forward: output position q is row q of A, k*cin values from position q*stride - pad on; rows overlap. Inputs are read where they lie;
 * around the ends of a row they are copied, zeros beside them, which take part in the sum, so that a position has the same bits wherever
 * the row ends. The taps of a dilated convolution are runs of columns; where some lie outside, only the others are in the product.
 * Data gradient: for stride 1 the forward convolution of dy with the transposed weights; else, and where its products were narrow, dy W^T
 * gives each position of dy its window's worth of dx, windows are added with q ascending. Filter gradient: tap by tap, the inputs that a
 * tap reads times dy; with few channels all taps at once. */
#ifndef SN_KERNELS_CONV_H
#define SN_KERNELS_CONV_H

#include "cpu/tmpl/common.h"
#include "cpu/tmpl/toom.h"

#define SN_CONV_CHUNK 512 /* output positions of a product */
#define SN_CONV_EDGE 48   /* of one with copied inputs, at least: few rows are slow */
#define SN_CONV_ADD 64    /* positions of dy whose windows are worked out at a time */
#define SN_CONV_NARROW 16 /* fewer input channels make narrow products */

static inline bool sn_conv_by_transposed(const struct sn_conv *s) {
    return s->stride == 1 && s->cin >= SN_CONV_NARROW;
}

static size_t SN_T(conv_ws_at)(void) {
    return (SN_T(gemm_ws)() + 63) / 64 * 64;
}

static sn_real *SN_T(conv_ws_part)(void *ws) {
    return (sn_real *)((char *)ws + SN_T(conv_ws_at)());
}

/* Values of row i of x for windows [q, q + n): in place, or copied to ws, zeros around them. Not for dilated ones. */
static const sn_real *SN_T(conv_place)(const struct sn_conv *s, const struct sn_t3 *x, int i, int64_t q, int64_t n, void *ws) {
    const int64_t lo = q * s->stride - s->pad, hi = lo + (n - 1) * s->stride + s->k, len = x->len[i];
    const sn_real *row = sn_row(x, i);
    if (lo >= 0 && hi <= len && sn_dense(x)) return row + lo * s->cin;
    sn_real *dst = SN_T(conv_ws_part)(ws);
    const size_t bytes = (size_t)s->cin * sizeof *dst;
    for (int64_t p = lo; p < hi; p++, dst += s->cin) {
        if (p >= 0 && p < len)
            memcpy(dst, row + p * x->ld, bytes);
        else
            memset(dst, 0, bytes);
    }
    return SN_T(conv_ws_part)(ws);
}

/* Output positions [q, end) whose tap t lies inside a row of len. */
struct sn_conv_range {
    int64_t q, end;
};
static inline struct sn_conv_range sn_conv_inside(const struct sn_conv *s, int t, int64_t len, int64_t out) {
    const int64_t at = (int64_t)t * s->dilation - s->pad; /* position that q = 0 reads */
    const int64_t q = at < 0 ? (s->stride - 1 - at) / s->stride : 0, end = at < len ? (len - at + s->stride - 1) / s->stride : 0;
    return (struct sn_conv_range){q, end < out ? end : out};
}

/* Positions from q on in one product, of `inner` that are inside with all taps: edges take neighbours along. */
static int64_t SN_T(conv_piece)(int64_t q, int64_t out, struct sn_conv_range inner) {
    const bool edges = inner.q > 0 || inner.end < out;
    if (edges && out <= 2 * SN_CONV_EDGE) return out;
    if (q < inner.q || q >= inner.end) {
        const int64_t n = (q < inner.q ? inner.q : out) - q;
        return sn_imin(out - q, n < SN_CONV_EDGE ? SN_CONV_EDGE : sn_imin(n, SN_CONV_CHUNK));
    }
    const int64_t end = inner.end < out ? sn_imin(inner.end, out - SN_CONV_EDGE) : out;
    return sn_imin(q < end ? end - q : out - q, SN_CONV_CHUNK);
}

/* What follows the convolution, on positions [q, q + n) of row i. */
static void SN_T(conv_finish)(const struct sn_conv_fwd *a, int i, int64_t q, int64_t n) {
    const int ch = a->s.cout;
    sn_real *y = sn_row(&a->y, i) + q * a->y.ld;
    const sn_real *more = a->behind.p ? sn_row(&a->behind, i) + q * a->behind.ld : NULL;
    for (int64_t p = 0; a->relu && p < n; p++, y += a->y.ld) {
        const sn_real *b = more ? more + p * a->behind.ld : NULL;
        for (int c = 0; c < ch; c += SN_VEC) {
            const int lanes = sn_imin(ch - c, SN_VEC);
            sn_vec v = sn_vmax((sn_vec){0}, sn_vget(y + c, lanes));
            if (b) v += sn_vget(b + c, lanes);
            sn_vput(y + c, v, lanes);
        }
    }
}

static void SN_T(conv_row)(const struct sn_conv_fwd *a, int i, struct sn_gemm *g) {
    const struct sn_conv *s = &a->s;
    const int64_t out = a->y.len[i], len = a->x.len[i];
    const struct sn_conv_range first = sn_conv_inside(s, 0, len, out), last = sn_conv_inside(s, s->k - 1, len, out);
    for (int64_t q = 0; q < out; q += g->m) {
        g->m = SN_T(conv_piece)(q, out, (struct sn_conv_range){first.q, last.end});
        g->a = SN_T(conv_place)(s, &a->x, i, q, g->m, a->ws), g->c = sn_row(&a->y, i) + q * a->y.ld;
        SN_T(gemm)(g);
        SN_T(conv_finish)(a, i, q, g->m);
    }
}

/* Positions from q on with the same taps [t0, t1) inside the row. */
static void SN_T(conv_dilated_row)(const struct sn_conv_fwd *a, int i, struct sn_gemm *g) {
    const struct sn_conv *s = &a->s;
    const int64_t out = a->y.len[i], len = a->x.len[i], d = s->dilation;
    for (int64_t q = 0; q < out; q += g->m) {
        int64_t end = sn_imin(out, q + SN_CONV_CHUNK);
        const int t0 = q < s->pad ? sn_imin((s->pad - q + d - 1) / d, s->k) : 0, all = sn_imin((len + s->pad - q + d - 1) / d, s->k);
        const int t1 = all > t0 ? all : t0;
        if (t0 > 0) end = sn_imin(end, s->pad - (t0 - 1) * d);
        if (t1 > t0) end = sn_imin(end, len + s->pad - (t1 - 1) * d);
        g->m = end - q, g->k = (int64_t)(t1 - t0) * s->cin;
        g->a = sn_row(&a->x, i) + (t1 > t0 ? q - s->pad + t0 * d : 0) * a->x.ld, g->c = sn_row(&a->y, i) + q * a->y.ld;
        g->packed_b = (const sn_real *)a->w + (int64_t)t0 * s->cin * SN_NR;
        SN_T(gemm)(g);
        SN_T(conv_finish)(a, i, q, g->m);
    }
}

static void SN_T(conv_fwd)(const struct sn_conv_fwd *a) {
    const struct sn_conv s = a->s;
    struct sn_toom t;
    if (sn_toom_choose(&s, &t)) {
        SN_T(toom_fwd)(a, &t);
        return;
    }
    struct sn_gemm g = {.n = s.cout, .k = (int64_t)s.k * s.cin, .a_rs = (int64_t)s.stride * s.cin, .a_cs = 1, .packed_b = a->w};
    g.bias = a->bias, g.c_rs = a->y.ld, g.ws = a->ws;
    if (s.dilation > 1) g.packed_k = g.k, g.a_rs = a->x.ld, g.a_run = s.cin, g.a_jump = (int64_t)s.dilation * a->x.ld;
    for (int i = 0; i < a->n; i++) {
        if (s.dilation > 1)
            SN_T(conv_dilated_row)(a, i, &g);
        else
            SN_T(conv_row)(a, i, &g);
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

/* Windows of dx from dy W^T, added. */
static void SN_T(conv_bwd_windows)(const struct sn_conv_bwd_data *a) {
    const struct sn_conv s = a->s;
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

static void SN_T(conv_bwd_data)(const struct sn_conv_bwd_data *a) {
    if (sn_conv_by_transposed(&a->s))
        SN_T(conv_fwd)(&(struct sn_conv_fwd){.s = sn_conv_transposed(&a->s), .n = a->n, .x = a->dy, .w = a->w, .y = a->dx, .ws = a->ws});
    else
        SN_T(conv_bwd_windows)(a);
}

/* Positions [q, end) of row i: rows [o0, o1) of dw, which belong to tap t, += A^T times dy, packed from position `from` on. */
static void SN_T(conv_bwd_tap)(const struct sn_conv_bwd_filter *a, int i, int t, struct sn_conv_range r, int64_t from, struct sn_gemm *g) {
    const struct sn_conv *s = &a->s;
    const struct sn_conv_range inside = sn_conv_inside(s, t, a->x.len[i], r.end);
    const int64_t q = inside.q > r.q ? inside.q : r.q, row = (int64_t)t * s->cin;
    const int64_t o0 = row > a->o0 ? row : a->o0, o1 = sn_imin(row + s->cin, a->o1);
    if (q >= inside.end || o0 >= o1) return;
    g->m = o1 - o0, g->k = inside.end - q, g->c = a->dw + (o0 - a->o0) * s->cout;
    g->a = sn_row(&a->x, i) + (q * s->stride - s->pad + (int64_t)t * s->dilation) * a->x.ld + o0 - row;
    g->packed_b = SN_T(conv_ws_part)(a->ws) + (q - from) * SN_NR;
    SN_T(gemm)(g);
}

static void SN_T(conv_bwd_taps)(const struct sn_conv_bwd_filter *a) {
    const struct sn_conv *s = &a->s;
    struct sn_gemm g = {.n = s->cout, .a_rs = 1, .a_cs = (int64_t)s->stride * a->x.ld, .c_rs = s->cout, .accumulate = 1, .ws = a->ws};
    for (int i = 0; i < a->n; i++)
        for (int64_t q = 0; q < a->dy.len[i]; q += SN_KBLOCK) {
            const int64_t n = g.packed_k = sn_imin(a->dy.len[i] - q, SN_KBLOCK);
            const sn_real *dy = sn_row(&a->dy, i) + q * a->dy.ld;
            SN_T(gemm_pack)(&(struct sn_gemm_pack){s->cout, n, dy, a->dy.ld, 1, SN_T(conv_ws_part)(a->ws)});
            for (int t = a->o0 / s->cin; t * s->cin < a->o1; t++) SN_T(conv_bwd_tap)(a, i, t, (struct sn_conv_range){q, q + n}, q, &g);
        }
}

/* A is the transposed windows. */
static void SN_T(conv_bwd_filter)(const struct sn_conv_bwd_filter *a) {
    const struct sn_conv s = a->s;
    struct sn_toom t;
    if (sn_toom_choose(&s, &t)) {
        SN_T(toom_bwd_filter)(a, &t);
        return;
    }
    if (s.cin >= SN_CONV_NARROW || s.dilation > 1) {
        SN_T(conv_bwd_taps)(a);
        return;
    }
    struct sn_gemm g = {.m = a->o1 - a->o0, .n = s.cout, .a_rs = 1, .a_cs = (int64_t)s.stride * s.cin, .b_rs = a->dy.ld, .b_cs = 1};
    g.c = a->dw, g.c_rs = s.cout, g.accumulate = 1, g.ws = a->ws;
    for (int i = 0; i < a->n; i++) {
        const int64_t len = a->dy.len[i];
        for (int64_t q = 0; q < len; q += SN_KBLOCK) {
            g.k = sn_imin(len - q, SN_KBLOCK);
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
    if (sn_toom_choose(&back, &t)) return SN_T(toom_bytes)(&back, &t);
    if (sn_conv_by_transposed(s)) return SN_T(gemm_pack_bytes)((int64_t)s->k * s->cout, s->cin);
    return SN_T(gemm_pack_bytes)(s->cout, (int64_t)s->k * s->cin);
}

/* Rows (t, f) of the packed weights are w[k-1-t, :, f]. */
static void SN_T(conv_pack_transposed)(const struct sn_conv *s, const sn_real *w, sn_real *dst) {
    for (int j = 0; j < s->cin; j += SN_NR)
        for (int t = s->k - 1; t >= 0; t--, dst += (int64_t)s->cout * SN_NR)
            SN_T(pack_panel)(w + ((int64_t)t * s->cin + j) * s->cout, 1, s->cout, s->cout, sn_imin(s->cin - j, SN_NR), dst);
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
    else if (a->bwd && sn_conv_by_transposed(&a->s))
        SN_T(conv_pack_transposed)(&a->s, a->w, a->bwd);
    else if (a->bwd)
        SN_T(gemm_pack)(&bwd);
}

/* Bytes of the inputs copied for one product. */
static size_t SN_T(conv_copied)(const struct sn_conv *s, int64_t longest) {
    const int64_t row = longest + 2 * (int64_t)s->pad + s->k, part = (SN_CONV_CHUNK - 1) * (int64_t)s->stride + s->k;
    return s->dilation > 1 ? 0 : (size_t)((row < part ? row : part) * s->cin) * sizeof(sn_real);
}

/* Behind the GEMM's part: copied inputs, windows of dx, or packed dy. */
static size_t SN_T(conv_ws)(const struct sn_conv *s, int64_t longest_in) {
    const struct sn_conv back = sn_conv_transposed(s);
    const size_t parts[] = {SN_T(conv_copied)(s, longest_in), SN_T(gemm_pack_bytes)(SN_KBLOCK, s->cout),
                            sn_conv_by_transposed(s) ? SN_T(conv_copied)(&back, longest_in + 2 * (int64_t)s->pad)
                                                     : (size_t)(SN_CONV_ADD * (int64_t)s->k * s->cin) * sizeof(sn_real)};
    size_t most = 0;
    for (int i = 0; i < 3; i++) most = parts[i] > most ? parts[i] : most;
    const size_t bytes = SN_T(conv_ws_at)() + most, toom = SN_T(toom_ws_bytes)(s);
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

#endif
