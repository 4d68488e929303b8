/* DeepLIFT through convolution on codes, relu and max pooling in one: of a window only the winner has a multiplier, so only winners are
 * looked at, and what the other row of the pair has there is added up from the tables again. */
#ifndef SN_KERNELS_CODES_ATTR_H
#define SN_KERNELS_CODES_ATTR_H

#include "cpu/tmpl/codes_fwd.h"
#include "cpu/tmpl/conv.h"

#define SN_ATTR_Q 128   /* outputs of a block of filters worked out at a time, */
#define SN_ATTR_POOL 64 /* for pools up to so wide; of wider ones too few are winners */

/* A multiplier other than 0 of output q of filter f, before relu. */
struct sn_winner {
    int32_t q, f;
    sn_real m;
};

/* Two rows' spans, the weights by filter, and the winners of a pair as found and by position. */
struct sn_codes_attr_ws {
    struct sn_codes_work x, ref;
    sn_real *wt; /* (cout, k * cin) */
    sn_real *z;  /* (k * cin) */
    struct sn_winner *found, *sorted;
    int64_t n;           /* found */
    int32_t *first;      /* (outputs + 1) */
    sn_real *out, *out0; /* (SN_ATTR_Q, SN_FB) outputs of the rows */
};

/* Positions of a row that windows cover, and the second symbol of the last pair. */
static int64_t SN_T(codes_attr_span)(const struct sn_conv *s, int64_t longest) {
    return longest + 2 * (int64_t)s->pad + s->k + 2;
}

static size_t SN_T(codes_attr_ws)(const struct sn_conv *s, int64_t longest, int64_t outputs, int64_t winners) {
    const size_t wide = (size_t)s->k * (size_t)s->cin, span = (size_t)SN_T(codes_attr_span)(s, longest);
    return (((size_t)s->cout + 1) * wide + 2 * SN_ATTR_Q * SN_FB) * sizeof(sn_real) + 2 * (size_t)winners * sizeof(struct sn_winner) +
           (size_t)(outputs + 1) * sizeof(int32_t) + 2 * span * (sizeof(uint16_t) + 1);
}

static struct sn_codes_attr_ws SN_T(codes_attr_place)(const struct sn_codes_attr *a) {
    const size_t wide = (size_t)a->s.k * (size_t)a->s.cin, span = (size_t)SN_T(codes_attr_span)(&a->s, a->longest);
    struct sn_codes_attr_ws v = {.x = SN_T(codes_work)(&a->s), .ref = SN_T(codes_work)(&a->s), .out = a->ws};
    v.out0 = v.out + SN_ATTR_Q * SN_FB, v.wt = v.out0 + SN_ATTR_Q * SN_FB;
    v.z = v.wt + (size_t)a->s.cout * wide;
    v.found = (struct sn_winner *)(v.z + wide);
    v.sorted = v.found + a->winners;
    v.first = (int32_t *)(v.sorted + a->winners);
    v.x.at = (uint16_t *)(v.first + a->outputs + 1), v.ref.at = v.x.at + span;
    v.x.sym = (uint8_t *)(v.ref.at + span), v.ref.sym = v.x.sym + span;
    v.x.in = v.ref.in = &a->in, v.x.scale = v.ref.scale = SN_FB;
    for (int t = 0; t < a->s.k * a->s.cin; t++)
        for (int f = 0; f < a->s.cout; f++) v.wt[(size_t)f * wide + (size_t)t] = a->w[(int64_t)t * a->s.cout + f];
    return v;
}

/* One output before relu, as codes_fwd sums it. */
static sn_real SN_T(codes_attr_value)(const struct sn_codes_attr *a, const struct sn_codes_work *k, int64_t q, int f) {
    const int lane = f % SN_FB, f0 = f - lane;
    const uint16_t *at = k->at + q * k->stride;
    const int64_t step = (int64_t)k->entries * SN_FB;
    const sn_real *table = (const sn_real *)a->tables + f / SN_FB * k->pairs * step + lane;
    sn_real sum = a->bias ? a->bias[f] : 0;
    for (int g = 0; g < k->pairs; g++, at += 2, table += step) {
        if (k->special && SN_T(codes_flag)(k, at)) {
            sn_real e0[SN_FB], e1[SN_FB];
            const int64_t pos = at - k->at;
            const int m = SN_T(codes_filters)(k, f / SN_FB);
            SN_T(codes_expand)(k, a->w, 2 * g, SN_T(codes_code)(k, pos), f0, m, e0);
            SN_T(codes_expand)(k, a->w, 2 * g + 1, SN_T(codes_code)(k, pos + 1), f0, m, e1);
            sum += e0[lane] + e1[lane];
        } else {
            sum += k->split ? table[at[0]] + table[k->symbols * SN_FB + at[1]] : table[at[0]];
        }
    }
    return sum;
}

/* The multiplier of the winner of a window whose maxima are y and y0; other: the output of the row that did not win, before relu. */
SN_INLINE sn_real SN_T(codes_attr_winner)(sn_real y, sn_real y0, sn_real other, sn_real my) {
    const sn_real rest = other > 0 ? other : 0, d = y >= y0 ? y - rest : rest - y0, ratio = d == 0 ? 1 : (y - y0) / d;
    return my * ratio * sn_m_rho_relu(y >= y0 ? y : other, y >= y0 ? other : y0);
}

/* Without a branch, which nobody could predict. */
static inline void SN_T(codes_attr_take)(struct sn_codes_attr_ws *v, int64_t q, int f, sn_real m) {
    v->found[v->n] = (struct sn_winner){(int32_t)q, f, m};
    v->n += m != 0;
    v->first[q + 1] += m != 0;
}

/* Where window w of a row begins in y, win and the multipliers. */
static int64_t SN_T(codes_attr_at)(const struct sn_codes_attr *a, int row, int64_t w) {
    return row * a->win_row + w * a->s.cout;
}

/* A block's winners, one by one. */
static void SN_T(codes_attr_single)(const struct sn_codes_attr *a, struct sn_codes_attr_ws *v, int p, int b) {
    const int rx = a->pairs.row_x[p], r0 = a->pairs.row_ref[p], f0 = b * SN_FB, f1 = f0 + SN_T(codes_filters)(&v->x, b);
    for (int64_t w = 0; w < a->my.len[p]; w++) {
        const sn_real *y = sn_row(&a->y, rx) + w * a->y.ld, *y0 = sn_row(&a->y, r0) + w * a->y.ld;
        const sn_real *my = sn_row(&a->my, p) + w * a->my.ld;
        for (int f = f0; f < f1; f++) {
            if ((y[f] == 0 && y0[f] == 0) || my[f] == 0) continue;
            const bool ours = y[f] >= y0[f];
            const int64_t e = SN_T(codes_attr_at)(a, ours ? rx : r0, w) + f;
            const int64_t q = w * a->pool_stride + (a->far_win ? a->far_win[e] : a->win[e]);
            const sn_real m = SN_T(codes_attr_winner)(y[f], y0[f], SN_T(codes_attr_value)(a, ours ? &v->ref : &v->x, q, f), my[f]);
            SN_T(codes_attr_take)(v, q, f, m);
        }
    }
}

/* One window of m filters: x, x0 the rows' outputs, win and win0 their winners. */
static void SN_T(codes_attr_window)(const struct sn_codes_attr *a, const sn_real *x, const sn_real *x0, const uint8_t *win,
                                    const uint8_t *win0, int m, sn_real *other, sn_int *at) {
    sn_int ours[SN_FB], theirs[SN_FB];
    for (int f = 0; f < SN_FB; f++) ours[f] = at[f] && f < m ? win[f] : -1, theirs[f] = !at[f] && f < m ? win0[f] : -1;
    for (int f = 0; f < SN_FB; f++) at[f] = ours[f] + theirs[f] + 1; /* one of them is -1 */
    for (int h = 0; h < SN_FB; h += SN_VEC) {
        sn_vec best = {0};
        for (sn_int p = 0; p < a->pool; p++) {
            const sn_ivec mine = *(const sn_ivec *)(ours + h) == p, other_row = *(const sn_ivec *)(theirs + h) == p;
            best = (sn_vec)sn_vpick(mine, (sn_ivec)sn_vload(x0 + p * SN_FB + h), (sn_ivec)best);
            best = (sn_vec)sn_vpick(other_row, (sn_ivec)sn_vload(x + p * SN_FB + h), (sn_ivec)best);
        }
        sn_vstore(other + h, best);
    }
}

/* The same for windows [w, w + nw) whose outputs are worked out for both rows. */
static void SN_T(codes_attr_windows)(const struct sn_codes_attr *a, struct sn_codes_attr_ws *v, int p, int b, int64_t w, int nw) {
    const int rx = a->pairs.row_x[p], r0 = a->pairs.row_ref[p], f0 = b * SN_FB, m = SN_T(codes_filters)(&v->x, b);
    struct sn_codes_part u = {.block = b, .q0 = w * a->pool_stride, .w = a->w, .dst = v->out, .ld = SN_FB};
    u.nq = (nw - 1) * a->pool_stride + a->pool;
    SN_T(codes_block)(&v->x, a->tables, a->bias, &u, false);
    u.dst = v->out0;
    SN_T(codes_block)(&v->ref, a->tables, a->bias, &u, false);
    for (int64_t i = w; i < w + nw; i++) {
        const int64_t from = (i - w) * a->pool_stride * SN_FB;
        sn_real y[SN_FB] = {0}, y0[SN_FB] = {0}, my[SN_FB] = {0}, other[SN_FB], mult[SN_FB];
        sn_int at[SN_FB];
        sn_codes_copy(y, sn_row(&a->y, rx) + i * a->y.ld + f0, m);
        sn_codes_copy(y0, sn_row(&a->y, r0) + i * a->y.ld + f0, m);
        sn_codes_copy(my, sn_row(&a->my, p) + i * a->my.ld + f0, m);
        for (int f = 0; f < SN_FB; f++) at[f] = y[f] >= y0[f];
        SN_T(codes_attr_window)
        (a, v->out + from, v->out0 + from, a->win + SN_T(codes_attr_at)(a, rx, i) + f0, a->win + SN_T(codes_attr_at)(a, r0, i) + f0, m,
         other, at);
        SN_INDEPENDENT
        for (int f = 0; f < SN_FB; f++) mult[f] = SN_T(codes_attr_winner)(y[f], y0[f], other[f], my[f]);
        for (int f = 0; f < m; f++) SN_T(codes_attr_take)(v, i * a->pool_stride + at[f], f0 + f, y[f] == 0 && y0[f] == 0 ? 0 : mult[f]);
    }
}

/* Finds the winners of pair p, filters of a block together: their tables stay in the first level cache. */
static void SN_T(codes_attr_find)(const struct sn_codes_attr *a, struct sn_codes_attr_ws *v, int p) {
    const int64_t span = SN_T(codes_attr_span)(&a->s, a->mx.len[p]) - 1;
    const bool narrow = a->win && a->pool <= SN_ATTR_POOL;
    memset(v->first, 0, (size_t)(a->outputs + 1) * sizeof *v->first);
    v->n = 0;
    SN_T(codes_line)(&v->x, a->pairs.row_x[p], 0);
    SN_T(codes_line)(&v->ref, a->pairs.row_ref[p], 0);
    if (!narrow) SN_T(codes_span)(&v->x, 0, span);
    if (!narrow) SN_T(codes_span)(&v->ref, 0, span);
    for (int64_t w = 0, n = a->my.len[p], nw; w < n; w += nw) {
        nw = narrow ? sn_imin(n - w, (SN_ATTR_Q - a->pool) / a->pool_stride + 1) : n;
        for (int b = 0; b < v->x.blocks; b++) {
            if (narrow)
                SN_T(codes_attr_windows)(a, v, p, b, w, (int)nw);
            else
                SN_T(codes_attr_single)(a, v, p, b);
        }
    }
}

/* By position; filters stay in order. v->first[q]: where those of output q end. */
static void SN_T(codes_attr_sort)(const struct sn_codes_attr *a, const struct sn_codes_attr_ws *v) {
    for (int64_t q = 0; q < a->outputs; q++) v->first[q + 1] += v->first[q];
    for (int64_t i = 0; i < v->n; i++) v->sorted[v->first[v->found[i].q]++] = v->found[i];
}

/* z of some columns: sums over winners [w, end) as the matrix product has them, blocks of filters one after the other. */
SN_INLINE void SN_T(codes_attr_columns)(const struct sn_winner *w, const struct sn_winner *end, const sn_real *wt, int64_t wide, sn_real *z,
                                        int nv, int lanes) {
    sn_vec total[8];
    SN_UNROLL
    for (int v = 0; v < nv; v++) total[v] = (sn_vec){0};
    while (w < end) {
        const int block = w->f / SN_KBLOCK;
        sn_vec part[8];
        SN_UNROLL
        for (int v = 0; v < nv; v++) part[v] = (sn_vec){0};
        for (; w < end && w->f / SN_KBLOCK == block; w++) {
            const sn_vec m = (sn_vec){0} + w->m;
            SN_UNROLL
            for (int v = 0; v < nv; v++) part[v] = sn_vfma(m, sn_vget(wt + w->f * wide + v * SN_VEC, lanes), part[v]);
        }
        SN_UNROLL
        for (int v = 0; v < nv; v++) total[v] += part[v];
    }
    SN_UNROLL
    for (int v = 0; v < nv; v++) sn_vput(z + v * SN_VEC, total[v], lanes);
}

static void SN_T(codes_attr)(const struct sn_codes_attr *a) {
    struct sn_codes_attr_ws v = SN_T(codes_attr_place)(a);
    const int wide = a->s.k * a->s.cin;
    for (int p = 0; p < a->pairs.n; p++) {
        const int64_t len = a->mx.len[p];
        sn_real *dx = sn_row(&a->mx, p);
        for (int64_t i = 0; i < len; i++) memset(dx + i * a->mx.ld, 0, (size_t)a->s.cin * sizeof *dx);
        if (a->my.len[p] == 0) continue;
        SN_T(codes_attr_find)(a, &v, p);
        SN_T(codes_attr_sort)(a, &v);
        for (int64_t q = 0, from = 0; q < a->outputs; from = v.first[q++]) {
            if (from == v.first[q]) continue;
#define SN_BODY(c, nv, lanes) SN_T(codes_attr_columns)(v.sorted + from, v.sorted + v.first[q], v.wt + (c), wide, v.z + (c), nv, lanes)
            SN_EACH_COLUMNS(wide, SN_BODY);
#undef SN_BODY
            SN_T(conv_add_window)(&a->s, v.z, q * a->s.stride - a->s.pad, len, a->mx.ld, dx);
        }
    }
}

static void SN_T(fill_codes_attr)(struct sn_kernels *k) {
    k->codes_attr_ws = SN_T(codes_attr_ws);
    k->codes_attr = SN_T(codes_attr);
}

#endif
