/* Convolution on codes: taps in pairs, one table row a pair of symbols, so that an output costs one addition per two taps.
 *
 * Filters go in blocks of SN_FB; a block's tables are [pair][entry][SN_FB]. Entries of a pair: symbols^2 rows T[a][b], or, where these
 * would be more than SN_CODES_ENTRIES, 2*symbols rows e(2g,a) and e(2g+1,b) that are added on the spot (`split`; the same value). The
 * gradient sums into an array of the same form; with `split` that is one sum per tap and symbol instead of one per pair of symbols.
 * A span holds, for positions from `first` on, where in a pair's table the symbols at this position and the next lead to. */
#ifndef SN_KERNELS_CODES_H
#define SN_KERNELS_CODES_H

#include "cpu/tmpl/common.h"
#include "cpu/tmpl/element.h"
#include "cpu/tmpl/pool.h"

#define SN_FB SN_LANES
#define SN_CODES_ENTRIES 64
#define SN_CODES_GROUP 64         /* pairs of taps worked on at a time */
#define SN_CODES_Q 256            /* outputs worked on at a time, forward */
#define SN_CODES_SUMS (512 << 10) /* bytes of gradient sums worked on at a time, unless one block of filters has more */
#define SN_CODES_SPAN 2048        /* positions of a span on the stack */
#define SN_CODES_NONE 255         /* symbol: expand on the spot */
#define SN_CODES_FLAG 0xffff      /* place of such a symbol */
#if defined __AVX512F__
#define SN_CODES_P 8 /* outputs whose sums are held in registers */
#else
#define SN_CODES_P 4
#endif

struct sn_codes_work {
    const struct sn_conv *s;
    const struct sn_codes *in;
    const sn_real *w; /* raw weights */
    int symbols, pairs, entries, blocks;
    bool split;
    /* the span: row, first position, positions; at[] has one more in reserve */
    int row;
    int64_t first, n;
    bool special; /* some symbol of it is SN_CODES_NONE */
    uint16_t *at;
    uint8_t *sym;
};

static struct sn_codes_work SN_T(codes_work)(const struct sn_conv *s) {
    struct sn_codes_work k = {.s = s, .symbols = s->cin + 1, .pairs = (s->k + 1) / SN_CODES_K, .row = -1};
    k.split = k.symbols * k.symbols > SN_CODES_ENTRIES;
    k.entries = k.split ? 2 * k.symbols : k.symbols * k.symbols;
    k.blocks = (s->cout + SN_FB - 1) / SN_FB;
    return k;
}

static int SN_T(codes_filters)(const struct sn_codes_work *k, int block) {
    return sn_imin(k->s->cout - block * SN_FB, SN_FB);
}

static size_t SN_T(codes_bytes)(const struct sn_conv *s) {
    const struct sn_codes_work k = SN_T(codes_work)(s);
    return (size_t)k.blocks * (size_t)k.pairs * (size_t)k.entries * SN_FB * sizeof(sn_real);
}

/* The values of m filters of a block; a whole block is a few vector moves. */
static inline void sn_codes_copy(sn_real *dst, const sn_real *src, int m) {
    if (m == SN_FB)
        memcpy(dst, src, SN_FB * sizeof *dst);
    else
        for (int f = 0; f < m; f++) dst[f] = src[f];
}

/* Positions a span needs for q outputs and any group of taps. */
static size_t SN_T(codes_span_size)(const struct sn_conv *s, size_t q) {
    return (q - 1) * (size_t)s->stride + 2 * SN_CODES_GROUP + 2;
}

/* out = e(t, code) of m filters from f0 on, t < k. */
static void SN_T(codes_expand)(const struct sn_codes_work *k, int t, int code, int f0, int m, sn_real *out) {
    memset(out, 0, SN_FB * sizeof *out);
    for (int c = 0; c < k->s->cin; c++) {
        const sn_real v = k->in->lut[code * k->s->cin + c], *w = k->w + ((int64_t)t * k->s->cin + c) * k->s->cout + f0;
        if (v == 0) continue;
        for (int f = 0; f < m; f++) out[f] = v == 1 ? out[f] + w[f] : SN_FMA(v, w[f], out[f]);
    }
}

static int SN_T(codes_at)(const struct sn_codes_work *k, int row, int64_t pos) {
    return pos >= 0 && pos < k->in->len[row] ? k->in->codes[row * k->in->code_row + pos] : 0;
}

static void SN_T(codes_prepare)(const struct sn_codes_prepare *a) {
    const struct sn_codes_work k = SN_T(codes_work)(&a->s);
    sn_real *out = a->tables;
    for (int b = 0; b < k.blocks; b++)
        for (int g = 0; g < k.pairs; g++)
            for (int e = 0; e < k.entries; e++, out += SN_FB) {
                /* symbols of the two taps, 0 = no channel */
                int s0 = k.split ? (e < k.symbols ? e : 0) : e / k.symbols,
                    s1 = k.split ? (e < k.symbols ? 0 : e - k.symbols) : e % k.symbols;
                const sn_real *w0 = a->w + ((int64_t)(2 * g) * a->s.cin + s0 - 1) * a->s.cout + b * SN_FB;
                const sn_real *w1 = w0 + ((int64_t)a->s.cin + s1 - s0) * a->s.cout;
                bool one = s0 > 0, two = s1 > 0 && 2 * g + 1 < a->s.k;
                int m = SN_T(codes_filters)(&k, b);
                for (int f = 0; f < SN_FB; f++) {
                    sn_real e0 = one && f < m ? 0 + w0[f] : 0, e1 = two && f < m ? 0 + w1[f] : 0;
                    out[f] = e0 + e1;
                }
            }
}

/* Makes the span [first, first + n) of a row, unless it is there. */
static void SN_T(codes_span)(struct sn_codes_work *k, int row, int64_t first, int64_t n) {
    if (k->row == row && k->first == first && k->n == n) return;
    k->row = row;
    k->first = first;
    k->n = n;
    const uint8_t *codes = k->in->codes + row * k->in->code_row, *sym = k->in->sym;
    int64_t len = k->in->len[row], m = n + 1, lo = first < 0 ? -first : 0, hi = len - first;
    lo = lo < m ? lo : m;
    hi = hi < lo ? lo : hi < m ? hi : m;
    memset(k->sym, 0, (size_t)lo);
    for (int64_t p = lo; p < hi; p++) k->sym[p] = sym[codes[first + p]];
    memset(k->sym + hi, 0, (size_t)(m - hi));
    int found = 0;
    for (int64_t p = 0; p < m; p++) found |= k->sym[p] == SN_CODES_NONE;
    k->special = found;
    const uint8_t *restrict s = k->sym;
    uint16_t *restrict at = k->at;
    int symbols = k->symbols;
    if (k->split)
        for (int64_t p = 0; p < m; p++) at[p] = (uint16_t)(s[p] == SN_CODES_NONE ? SN_CODES_FLAG : s[p] * SN_FB);
    else
        for (int64_t p = 0; p < n; p++)
            at[p] = (uint16_t)(s[p] == SN_CODES_NONE || s[p + 1] == SN_CODES_NONE ? SN_CODES_FLAG : (s[p] * symbols + s[p + 1]) * SN_FB);
}

/* Whether the pair at this place of the span must be expanded on the spot. */
static inline bool SN_T(codes_flag)(const struct sn_codes_work *k, const uint16_t *at) {
    return at[0] == SN_CODES_FLAG || (k->split && at[1] == SN_CODES_FLAG);
}

static bool SN_T(codes_dirty)(const struct sn_codes_work *k, const uint16_t *at, int pairs) {
    bool flag = false;
    for (int g = 0; g < pairs && !flag; g++) flag = SN_T(codes_flag)(k, at + 2 * g);
    return flag;
}

/* One call's outputs: of a filter block and a group of pairs, from output q0 on. */
struct sn_codes_part {
    int block, g0, pairs;
    int64_t q0;
    const sn_real *table; /* of the block's first pair in the group */
    const sn_real *start; /* SN_FB start values; NULL: go on from what dst holds */
    sn_real *dst;
    int64_t ld;
};

#define SN_FB_VEC (SN_FB / SN_VEC)

/* n outputs from place `at` on, all of their pairs in tables; inlined for constant n and split, so that the sums are registers. */
static inline __attribute__((always_inline)) void SN_T(codes_tile)(const struct sn_codes_work *k, const struct sn_codes_part *u,
                                                                   const uint16_t *at, sn_real *dst, int n, bool split) {
    sn_vec sum[SN_CODES_P][SN_FB_VEC];
    const sn_real *t = u->table;
    int64_t ld = u->ld, stride = k->s->stride, step = (int64_t)k->entries * SN_FB, half = (int64_t)k->symbols * SN_FB;
    int m = SN_T(codes_filters)(k, u->block), pairs = u->pairs;
    sn_real edge[SN_FB] = {0};
    for (int p = 0; p < n; p++) {
        const sn_real *from = u->start ? u->start : dst + p * ld;
        if (!u->start && m < SN_FB) {
            sn_codes_copy(edge, from, m);
            from = edge;
        }
        for (int h = 0; h < SN_FB_VEC; h++) sum[p][h] = *(const sn_vec *)(from + h * SN_VEC);
    }
    for (int g = 0; g < pairs; g++, t += step, at += 2)
        for (int p = 0; p < n; p++) {
            const sn_real *a = t + at[p * stride], *b = t + half + at[p * stride + 1];
            for (int h = 0; h < SN_FB_VEC; h++) {
                sn_vec v = *(const sn_vec *)(a + h * SN_VEC);
                if (split) v += *(const sn_vec *)(b + h * SN_VEC);
                sum[p][h] += v;
            }
        }
    for (int p = 0; p < n; p++) {
        sn_real *to = m < SN_FB ? edge : dst + p * ld;
        for (int h = 0; h < SN_FB_VEC; h++) *(sn_vec *)(to + h * SN_VEC) = sum[p][h];
        if (m < SN_FB) sn_codes_copy(dst + p * ld, edge, m);
    }
}

/* The same for one output, some of whose pairs must be expanded. */
static void SN_T(codes_slow)(const struct sn_codes_work *k, const struct sn_codes_part *u, const uint16_t *at, int64_t pos, sn_real *dst) {
    int m = SN_T(codes_filters)(k, u->block), f0 = u->block * SN_FB;
    sn_real sum[SN_FB] = {0}, e0[SN_FB], e1[SN_FB];
    sn_codes_copy(sum, u->start ? u->start : dst, m);
    for (int g = 0; g < u->pairs; g++, at += 2, pos += 2) {
        int t = 2 * (u->g0 + g);
        const sn_real *table = u->table + (int64_t)g * k->entries * SN_FB;
        if (SN_T(codes_flag)(k, at)) {
            SN_T(codes_expand)(k, t, SN_T(codes_at)(k, k->row, pos), f0, m, e0);
            memset(e1, 0, sizeof e1);
            if (t + 1 < k->s->k) SN_T(codes_expand)(k, t + 1, SN_T(codes_at)(k, k->row, pos + 1), f0, m, e1);
            for (int f = 0; f < m; f++) sum[f] += e0[f] + e1[f];
        } else if (k->split) {
            const sn_real *b = table + k->symbols * SN_FB + at[1];
            for (int f = 0; f < m; f++) sum[f] += table[at[0] + f] + b[f];
        } else {
            for (int f = 0; f < m; f++) sum[f] += table[at[0] + f];
        }
    }
    sn_codes_copy(dst, sum, m);
}

/* nq outputs; the span covers them. */
static void SN_T(codes_outputs)(const struct sn_codes_work *k, const struct sn_codes_part *u, int nq) {
    int64_t stride = k->s->stride, pos = u->q0 * stride - k->s->pad + 2 * u->g0;
    const uint16_t *at = k->at + (pos - k->first);
    for (int q = 0; q < nq;) {
        sn_real *dst = u->dst + q * u->ld;
        const uint16_t *here = at + q * stride;
        bool dirty = false;
        for (int p = 0; k->special && p < SN_CODES_P && q + p < nq; p++) dirty |= SN_T(codes_dirty)(k, here + p * stride, u->pairs);
        if (!dirty && q + SN_CODES_P <= nq) {
            if (k->split)
                SN_T(codes_tile)(k, u, here, dst, SN_CODES_P, true);
            else
                SN_T(codes_tile)(k, u, here, dst, SN_CODES_P, false);
            q += SN_CODES_P;
        } else {
            if (dirty)
                SN_T(codes_slow)(k, u, here, pos + q * stride, dst);
            else if (k->split)
                SN_T(codes_tile)(k, u, here, dst, 1, true);
            else
                SN_T(codes_tile)(k, u, here, dst, 1, false);
            q++;
        }
    }
}

/* Outputs [q0, q0 + nq) of a filter block from the pairs [g0, g0 + group), into dst. */
static void SN_T(codes_block)(struct sn_codes_work *k, const void *tables, const sn_real *bias, int row, struct sn_codes_part *u, int nq) {
    int64_t first = u->q0 * k->s->stride - k->s->pad + 2 * u->g0;
    SN_T(codes_span)(k, row, first, (int64_t)(nq - 1) * k->s->stride + 2 * u->pairs);
    sn_real start[SN_FB] = {0};
    if (bias) sn_codes_copy(start, bias + u->block * SN_FB, SN_T(codes_filters)(k, u->block));
    u->start = u->g0 == 0 ? start : NULL;
    u->table = (const sn_real *)tables + ((int64_t)u->block * k->pairs + u->g0) * k->entries * SN_FB;
    SN_T(codes_outputs)(k, u, nq);
}

static void SN_T(codes_fwd)(const struct sn_codes_fwd *a) {
    uint16_t at[SN_CODES_SPAN + 2];
    uint8_t sym[SN_CODES_SPAN + 2];
    struct sn_codes_work k = SN_T(codes_work)(&a->s);
    k.in = &a->in;
    k.w = a->w;
    k.at = at;
    k.sym = sym;
    int most = sn_imin((SN_CODES_SPAN - 2 * SN_CODES_GROUP) / a->s.stride + 1, SN_CODES_Q);
    for (int i = 0; i < a->in.n; i++)
        for (int64_t q = 0; q < a->y.len[i]; q += most)
            for (int g = 0; g < k.pairs; g += SN_CODES_GROUP)
                for (int b = 0; b < k.blocks; b++) {
                    struct sn_codes_part u = {.block = b, .g0 = g, .pairs = sn_imin(k.pairs - g, SN_CODES_GROUP), .q0 = q};
                    u.dst = sn_row(&a->y, i) + q * a->y.ld + b * SN_FB;
                    u.ld = a->y.ld;
                    SN_T(codes_block)(&k, a->tables, a->bias, i, &u, sn_imin(a->y.len[i] - q, most));
                }
}

/* ---- fused with relu and max pooling --------------------------------------------------------------------------------------------- */

/* The span's arrays and the sums of SN_CODES_Q outputs share the workspace. */
static size_t SN_T(codes_pool_ws)(const struct sn_conv *s, int pool) {
    (void)pool;
    return SN_CODES_Q * SN_FB * sizeof(sn_real) + SN_T(codes_span_size)(s, SN_CODES_Q) * (sizeof(uint16_t) + 1);
}

/* relu, then max pooling of nw windows of the block's outputs in x; the winner's offset goes to win where asked for. */
static void SN_T(codes_pool_windows)(const struct sn_codes_pool_fwd *a, sn_real *x, int64_t outputs, int row, int64_t w0, int nw, int f0,
                                     int m) {
    SN_T(unary_fwd_run)(SN_RELU, x, x, outputs * SN_FB);
    for (int w = 0; w < nw; w++) {
        sn_real best[SN_FB];
        int32_t arg[SN_FB];
        int64_t q0 = (int64_t)w * a->pool_stride, q1 = q0 + a->pool;
        SN_T(pool_best)(x, SN_FB, (struct SN_T(window)){q0, q1 < outputs ? q1 : outputs}, m, best, arg);
        sn_codes_copy(sn_row(&a->y, row) + (w0 + w) * a->y.ld + f0, best, m);
        for (int f = 0; a->win && f < m; f++) a->win[row * a->win_row + (w0 + w) * a->s.cout + f0 + f] = (uint8_t)(arg[f] - q0);
    }
}

static void SN_T(codes_pool_fwd)(const struct sn_codes_pool_fwd *a) {
    struct sn_codes_work k = SN_T(codes_work)(&a->s);
    sn_real *x = a->ws;
    k.in = &a->in;
    k.w = a->w;
    k.at = (uint16_t *)(x + SN_CODES_Q * SN_FB);
    k.sym = (uint8_t *)(k.at + SN_T(codes_span_size)(&a->s, SN_CODES_Q));
    int most = (SN_CODES_Q - a->pool) / a->pool_stride + 1;
    for (int i = 0; i < a->in.n; i++)
        for (int64_t w = 0; w < a->y.len[i]; w += most) {
            int nw = sn_imin(a->y.len[i] - w, most);
            int64_t q = w * a->pool_stride;
            int nq = sn_imin(a->conv_len[i] - q, (int64_t)(nw - 1) * a->pool_stride + a->pool);
            for (int b = 0; b < k.blocks; b++) {
                for (int g = 0; g < k.pairs; g += SN_CODES_GROUP) {
                    struct sn_codes_part u = {.block = b, .g0 = g, .pairs = sn_imin(k.pairs - g, SN_CODES_GROUP), .q0 = q};
                    u.dst = x;
                    u.ld = SN_FB;
                    SN_T(codes_block)(&k, a->tables, a->bias, i, &u, nq);
                }
                SN_T(codes_pool_windows)(a, x, nq, i, w, nw, b * SN_FB, SN_T(codes_filters)(&k, b));
            }
        }
}

/* ---- gradient of the filters ------------------------------------------------------------------------------------------------------- */

/* Sums of a block of filters and a group of pairs, in the form of its tables. */
static size_t SN_T(codes_block_sums)(const struct sn_codes_work *k) {
    return (size_t)sn_imin(k->pairs, SN_CODES_GROUP) * (size_t)k->entries * SN_FB;
}

/* Blocks whose sums are held at the same time. */
static int SN_T(codes_held)(const struct sn_codes_work *k) {
    int64_t n = (int64_t)(SN_CODES_SUMS / (SN_T(codes_block_sums)(k) * sizeof(sn_real)));
    return n < 1 ? 1 : sn_imin(n, k->blocks);
}

/* The sums, then the span. */
static size_t SN_T(codes_grad_ws)(const struct sn_conv *s) {
    const struct sn_codes_work k = SN_T(codes_work)(s);
    size_t sums = (size_t)SN_T(codes_held)(&k) * SN_T(codes_block_sums)(&k) * sizeof(sn_real);
    return sums + SN_T(codes_span_size)(s, SN_CODES_Q) * (sizeof(uint16_t) + 1);
}

/* dw += lut*dy for both taps of pair g at position pos, m filters from f0 on. */
static void SN_T(codes_grad_slow)(const struct sn_codes_work *k, int g, int64_t pos, const sn_real *dy, int f0, int m, sn_real *dw) {
    const struct sn_conv *s = k->s;
    for (int t = 2 * g; t < 2 * g + 2 && t < s->k; t++) {
        const sn_real *lut = k->in->lut + SN_T(codes_at)(k, k->row, pos + t - 2 * g) * s->cin;
        for (int c = 0; c < s->cin; c++) {
            sn_real v = lut[c], *to = dw + ((int64_t)t * s->cin + c) * s->cout + f0;
            if (v == 0) continue;
            for (int f = 0; f < m; f++) to[f] = v == 1 ? to[f] + dy[f] : SN_FMA(v, dy[f], to[f]);
        }
    }
}

/* Gradients of the block's filters at output q. */
static inline void SN_T(codes_grad_add)(const struct sn_codes_work *k, const struct sn_codes_part *u, sn_real *sums, int64_t q,
                                        const sn_vec *dy, sn_real *dw) {
    int64_t pos = q * k->s->stride - k->s->pad + 2 * u->g0, step = (int64_t)k->entries * SN_FB, half = (int64_t)k->symbols * SN_FB;
    const uint16_t *at = k->at + (pos - k->first);
    sn_vec d[SN_FB_VEC];
    for (int h = 0; h < SN_FB_VEC; h++) d[h] = dy[h];
    for (int g = 0; g < u->pairs; g++, at += 2, sums += step) {
        if (k->special && SN_T(codes_flag)(k, at)) {
            SN_T(codes_grad_slow)(k, u->g0 + g, pos + 2 * g, (const sn_real *)dy, u->block * SN_FB, SN_T(codes_filters)(k, u->block), dw);
            continue;
        }
        for (int h = 0; h < SN_FB_VEC; h++) *(sn_vec *)(sums + at[0] + h * SN_VEC) += d[h];
        for (int h = 0; k->split && h < SN_FB_VEC; h++) *(sn_vec *)(sums + half + at[1] + h * SN_VEC) += d[h];
    }
}

/* dw of channel c of tap t += the sums of the entries with that symbol, ascending. sums: those of the tap's pair. */
static void SN_T(codes_grad_flush_tap)(const struct sn_codes_work *k, int block, int t, const sn_real *sums, sn_real *dw) {
    int m = SN_T(codes_filters)(k, block), symbols = k->symbols, second = t % 2;
    int count = k->split ? 1 : symbols, step = second ? symbols : 1;
    for (int c = 0; c < k->s->cin; c++) {
        sn_real *to = dw + ((int64_t)t * k->s->cin + c) * k->s->cout + block * SN_FB, sum[SN_FB] = {0};
        const sn_real *from = sums + (k->split ? second * symbols + c + 1 : second ? c + 1 : (c + 1) * symbols) * SN_FB;
        for (int e = 0; e < count; e++, from += step * SN_FB)
            for (int f = 0; f < SN_FB; f++) sum[f] += from[f];
        for (int f = 0; f < m; f++) to[f] += sum[f];
    }
}

static void SN_T(codes_grad_flush)(const struct sn_codes_work *k, const struct sn_codes_part *u, const sn_real *sums, sn_real *dw) {
    for (int t = 2 * u->g0; t < 2 * (u->g0 + u->pairs) && t < k->s->k; t++)
        SN_T(codes_grad_flush_tap)(k, u->block, t, sums + (int64_t)(t / 2 - u->g0) * k->entries * SN_FB, dw);
}

/* What the gradient is summed over: outputs of the convolution, or, with `pool`, windows of `size` outputs every `stride`. */
struct sn_codes_grad {
    const struct sn_t3 *dy;
    const struct sn_codes_pool_bwd *pool; /* NULL: none */
    int size, stride;
    sn_real *dw;
};

/* Outputs [q0, q1) of a block. */
static void SN_T(codes_grad_outputs)(const struct sn_codes_work *k, const struct sn_codes_part *u, const struct sn_codes_grad *a,
                                     sn_real *sums, int64_t q0, int64_t q1) {
    int m = SN_T(codes_filters)(k, u->block);
    const sn_real *dy = sn_row(a->dy, k->row) + u->block * SN_FB;
    sn_real edge[SN_FB] = {0};
    for (int64_t q = q0; q < q1; q++) {
        const sn_real *from = dy + q * a->dy->ld;
        /* the rows' pieces lie too far apart for the processor to see them coming: without this three times slower where they straddle
         * lines */
        __builtin_prefetch(from + 8 * a->dy->ld);
        __builtin_prefetch(from + 8 * a->dy->ld + SN_FB - 1);
        for (int f = 0; m < SN_FB && f < m; f++) edge[f] = from[f];
        SN_T(codes_grad_add)(k, u, sums, q, (const sn_vec *)(m < SN_FB ? edge : from), a->dw);
    }
}

/* Window w of a block: filters with the same winner go together; the others get 0 there, which adds nothing. */
static void SN_T(codes_grad_window)(const struct sn_codes_work *k, const struct sn_codes_part *u, const struct sn_codes_grad *a,
                                    sn_real *sums, int64_t w) {
    int m = SN_T(codes_filters)(k, u->block), f0 = u->block * SN_FB;
    const sn_real *y = sn_row(&a->pool->y, k->row) + w * a->pool->y.ld + f0;
    const uint8_t *win = a->pool->win + k->row * a->pool->win_row + w * k->s->cout + f0;
    sn_int at[SN_FB]; /* winner, -1: no gradient, or done */
    sn_real value[SN_FB] = {0};
    sn_codes_copy(value, sn_row(a->dy, k->row) + w * a->dy->ld + f0, m);
    for (int f = 0; f < SN_FB; f++) at[f] = f < m && y[f] > 0 ? win[f] : -1;
    bool few = a->size <= SN_FB / 2; /* go through the offsets, else through the filters */
    for (int n = 0; n < (few ? a->size : m); n++) {
        sn_int winner = few ? n : at[n];
        if (winner < 0) continue;
        sn_vec d[SN_FB_VEC];
        for (int h = 0; h < SN_FB_VEC; h++) {
            sn_ivec *lane = (sn_ivec *)(at + h * SN_VEC), same = *lane == winner;
            d[h] = (sn_vec)(*(const sn_ivec *)(value + h * SN_VEC) & same);
            *lane |= same;
        }
        SN_T(codes_grad_add)(k, u, sums, w * a->stride + winner, d, a->dw);
    }
}

/* Of the row: blocks [b0, b1) and the group of pairs from g0 on. */
static void SN_T(codes_grad_row)(struct sn_codes_work *k, const struct sn_codes_grad *a, int row, int g0, int b0, int b1, sn_real *sums) {
    struct sn_codes_part u = {.g0 = g0, .pairs = sn_imin(k->pairs - g0, SN_CODES_GROUP)};
    size_t block = SN_T(codes_block_sums)(k);
    int most = (SN_CODES_Q - a->size) / a->stride + 1;
    int64_t len = a->dy->len[row], stride = k->s->stride;
    memset(sums, 0, (size_t)(b1 - b0) * block * sizeof *sums);
    for (int64_t w0 = 0; w0 < len; w0 += most) {
        int64_t w1 = w0 + most < len ? w0 + most : len, q0 = w0 * a->stride, q1 = (w1 - 1) * a->stride + a->size;
        SN_T(codes_span)(k, row, q0 * stride - k->s->pad + 2 * g0, (q1 - q0 - 1) * stride + 2 * u.pairs);
        for (u.block = b0; u.block < b1; u.block++) {
            sn_real *to = sums + (size_t)(u.block - b0) * block;
            if (!a->pool) SN_T(codes_grad_outputs)(k, &u, a, to, q0, q1);
            for (int64_t w = w0; a->pool && w < w1; w++) SN_T(codes_grad_window)(k, &u, a, to, w);
        }
    }
    for (u.block = b0; u.block < b1; u.block++) SN_T(codes_grad_flush)(k, &u, sums + (size_t)(u.block - b0) * block, a->dw);
}

static void SN_T(codes_grad)(const struct sn_conv *s, const struct sn_codes *in, const struct sn_codes_grad *a, void *ws) {
    struct sn_codes_work k = SN_T(codes_work)(s);
    int held = SN_T(codes_held)(&k);
    sn_real *sums = ws;
    k.in = in;
    k.at = (uint16_t *)(sums + (size_t)held * SN_T(codes_block_sums)(&k));
    k.sym = (uint8_t *)(k.at + SN_T(codes_span_size)(s, SN_CODES_Q));
    for (int i = 0; i < in->n; i++)
        for (int g = 0; g < k.pairs; g += SN_CODES_GROUP)
            for (int b = 0; b < k.blocks; b += held) SN_T(codes_grad_row)(&k, a, i, g, b, sn_imin(b + held, k.blocks), sums);
}

static void SN_T(codes_bwd_filter)(const struct sn_codes_bwd_filter *a) {
    const struct sn_codes_grad g = {.dy = &a->dy, .size = 1, .stride = 1, .dw = a->dw};
    SN_T(codes_grad)(&a->s, &a->in, &g, a->ws);
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
    const struct sn_codes_grad g = {.dy = &a->dy, .pool = a, .size = a->pool, .stride = a->pool_stride, .dw = a->dw};
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
