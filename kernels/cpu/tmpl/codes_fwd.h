/* Convolution on codes, forward: a tile of outputs of a block of filters adds its table rows in registers. */
#ifndef SN_KERNELS_CODES_FWD_H
#define SN_KERNELS_CODES_FWD_H

#include "cpu/tmpl/codes.h"

#define SN_CODES_GROUP 64  /* pairs of taps worked on at a time */
#define SN_CODES_Q 1024    /* outputs of a line worked on at a time: tables are fetched into the first level cache once for them */
#define SN_CODES_SPAN 2048 /* positions of a span on the stack */
#if defined __AVX512F__
#define SN_CODES_P 8 /* outputs whose sums are held in registers */
#else
#define SN_CODES_P 4
#endif

/* One call's outputs: nq of a filter block and a group of pairs, from output q0 of the line on. */
struct sn_codes_part {
    int block, g0, pairs, nq;
    int64_t q0;
    const sn_real *w;     /* raw weights */
    const sn_real *table; /* of the block's first pair in the group */
    const sn_real *floor; /* SN_VEC least values of a result: 0 for relu after the last group, else -infinity */
    const sn_real *start; /* SN_FB start values; NULL: go on from what dst holds */
    sn_real *dst;
    int64_t ld;
};

/* Sums of n outputs from place `at` on, all of their pairs in tables: from start values `from` to `to`. Inlined for constant n, stride and
 * split, so that the sums are registers. */
SN_INLINE void SN_T(codes_sums_of)(const struct sn_codes_work *k, const struct sn_codes_part *u, const uint16_t *at, const sn_real *from,
                                   int64_t from_ld, sn_real *to, int64_t to_ld, const int n, const int64_t stride, const bool split) {
    sn_vec sum[SN_CODES_P][SN_FB_VEC];
    const sn_real *t = u->table;
    const int64_t step = (int64_t)k->entries * SN_FB, half = (int64_t)k->symbols * SN_FB;
    const sn_vec floor = *(const sn_vec *)u->floor;
    SN_UNROLL
    for (int p = 0; p < n; p++) {
        SN_UNROLL
        for (int h = 0; h < SN_FB_VEC; h++) sum[p][h] = *(const sn_vec *)(from + p * from_ld + h * SN_VEC);
    }
    for (int g = u->pairs; g > 0; g--, t += step, at += 2) {
        SN_UNROLL
        for (int p = 0; p < n; p++) {
            const sn_real *a = t + at[p * stride], *b = t + half + (split ? at[p * stride + 1] : 0);
            SN_UNROLL
            for (int h = 0; h < SN_FB_VEC; h++) {
                sn_vec v = *(const sn_vec *)(a + h * SN_VEC);
                if (split) v += *(const sn_vec *)(b + h * SN_VEC);
                sum[p][h] += v;
            }
        }
    }
    SN_UNROLL
    for (int p = 0; p < n; p++) {
        SN_UNROLL
        for (int h = 0; h < SN_FB_VEC; h++) *(sn_vec *)(to + p * to_ld + h * SN_VEC) = sn_vmax(floor, sum[p][h]);
    }
}

/* The same into dst, whatever the number of filters. */
SN_INLINE void SN_T(codes_tile)(const struct sn_codes_work *k, const struct sn_codes_part *u, const uint16_t *at, sn_real *dst, const int n,
                                const int64_t stride, const bool split) {
    const int m = SN_T(codes_filters)(k, u->block);
    const sn_real *from = u->start ? u->start : dst;
    const int64_t from_ld = u->start ? 0 : u->ld;
    if (m == SN_FB) {
        SN_T(codes_sums_of)(k, u, at, from, from_ld, dst, u->ld, n, stride, split);
        return;
    }
    sn_real edge[SN_CODES_P][SN_FB] = {0};
    for (int p = 0; p < n; p++) sn_codes_copy(edge[p], from + p * from_ld, m);
    SN_T(codes_sums_of)(k, u, at, edge[0], SN_FB, edge[0], SN_FB, n, stride, split);
    for (int p = 0; p < n; p++) sn_codes_copy(dst + p * u->ld, edge[p], m);
}

/* out = e(t, code) of m filters from f0 on. */
static void SN_T(codes_expand)(const struct sn_codes_work *k, const sn_real *w, int t, int code, int f0, int m, sn_real *out) {
    memset(out, 0, SN_FB * sizeof *out);
    for (int c = 0; t < k->s->k && c < k->s->cin; c++) {
        const sn_real v = k->in->lut[code * k->s->cin + c], *from = w + ((int64_t)t * k->s->cin + c) * k->s->cout + f0;
        if (v == 0) continue;
        for (int f = 0; f < m; f++) out[f] = v == 1 ? out[f] + from[f] : SN_FMA(v, from[f], out[f]);
    }
}

/* Whether the pair at this place of the span must be expanded on the spot. */
static inline bool SN_T(codes_flag)(const struct sn_codes_work *k, const uint16_t *at) {
    return at[0] == SN_CODES_FLAG || (k->split && at[1] == SN_CODES_FLAG);
}

/* One output, some of whose pairs must be expanded. */
static void SN_T(codes_slow)(const struct sn_codes_work *k, const struct sn_codes_part *u, const uint16_t *at, sn_real *dst) {
    const int m = SN_T(codes_filters)(k, u->block), f0 = u->block * SN_FB;
    sn_real sum[SN_FB] = {0}, e0[SN_FB], e1[SN_FB];
    sn_codes_copy(sum, u->start ? u->start : dst, m);
    for (int g = 0; g < u->pairs; g++, at += 2) {
        const int t = 2 * (u->g0 + g);
        const sn_real *table = u->table + (int64_t)g * k->entries * SN_FB;
        if (SN_T(codes_flag)(k, at)) {
            const int64_t pos = k->first + (at - k->at);
            SN_T(codes_expand)(k, u->w, t, SN_T(codes_code)(k, pos), f0, m, e0);
            SN_T(codes_expand)(k, u->w, t + 1, SN_T(codes_code)(k, pos + 1), f0, m, e1);
            for (int f = 0; f < SN_FB; f++) sum[f] += e0[f] + e1[f];
        } else if (k->split) {
            const sn_real *b = table + k->symbols * SN_FB + at[1];
            for (int f = 0; f < SN_FB; f++) sum[f] += table[at[0] + f] + b[f];
        } else {
            for (int f = 0; f < SN_FB; f++) sum[f] += table[at[0] + f];
        }
    }
    for (int f = 0; f < SN_FB; f++) sum[f] = u->floor[0] > sum[f] ? u->floor[0] : sum[f];
    sn_codes_copy(dst, sum, m);
}

/* Whether one of the output's pairs must be expanded. */
static bool SN_T(codes_dirty)(const struct sn_codes_work *k, const uint16_t *at, int pairs) {
    bool flag = false;
    for (int g = 0; g < pairs && !flag; g++) flag = SN_T(codes_flag)(k, at + 2 * g);
    return flag;
}

/* The outputs of a span without codes to expand; inlined for each kind of tile. */
SN_INLINE void SN_T(codes_clean)(const struct sn_codes_work *k, const struct sn_codes_part *u, const uint16_t *at, const int64_t stride,
                                 const bool split) {
    int q = 0;
    for (; q + SN_CODES_P <= u->nq; q += SN_CODES_P) SN_T(codes_tile)(k, u, at + q * stride, u->dst + q * u->ld, SN_CODES_P, stride, split);
    for (; q < u->nq; q++) SN_T(codes_tile)(k, u, at + q * stride, u->dst + q * u->ld, 1, stride, split);
}

static void SN_T(codes_outputs)(const struct sn_codes_work *k, const struct sn_codes_part *u) {
    const int64_t stride = k->stride;
    const uint16_t *at = k->at + (u->q0 * stride + 2 * u->g0 - k->first);
    if (k->special)
        for (int q = 0; q < u->nq; q++, at += stride) {
            sn_real *dst = u->dst + q * u->ld;
            if (SN_T(codes_dirty)(k, at, u->pairs))
                SN_T(codes_slow)(k, u, at, dst);
            else if (k->split)
                SN_T(codes_tile)(k, u, at, dst, 1, 1, true);
            else
                SN_T(codes_tile)(k, u, at, dst, 1, 1, false);
        }
    else if (k->split)
        SN_T(codes_clean)(k, u, at, stride, true);
    else if (stride == 1)
        SN_T(codes_clean)(k, u, at, 1, false);
    else
        SN_T(codes_clean)(k, u, at, stride, false);
}

/* The outputs of u->block from u->q0 on into u->dst, group of pairs by group; the bias comes first, relu last. */
static void SN_T(codes_block)(struct sn_codes_work *k, const void *tables, const sn_real *bias, struct sn_codes_part *u, bool relu) {
    sn_real start[SN_FB] = {0}, floor[SN_VEC];
    if (bias) sn_codes_copy(start, bias + u->block * SN_FB, SN_T(codes_filters)(k, u->block));
    for (u->g0 = 0; u->g0 < k->pairs; u->g0 += SN_CODES_GROUP) {
        u->pairs = sn_imin(k->pairs - u->g0, SN_CODES_GROUP);
        u->start = u->g0 == 0 ? start : NULL;
        for (int h = 0; h < SN_VEC; h++) floor[h] = relu && u->g0 + u->pairs == k->pairs ? 0 : -(sn_real)__builtin_inf();
        u->floor = floor;
        u->table = (const sn_real *)tables + ((int64_t)u->block * k->pairs + u->g0) * k->entries * SN_FB;
        SN_T(codes_span)(k, u->q0 * k->stride + 2 * u->g0, (int64_t)(u->nq - 1) * k->stride + 2 * u->pairs);
        SN_T(codes_outputs)(k, u);
    }
}

/* Outputs whose span the stack holds. */
static int SN_T(codes_most)(const struct sn_codes_work *k) {
    return sn_imin((SN_CODES_SPAN - 2 * SN_CODES_GROUP) / k->stride + 1, SN_CODES_Q);
}

static void SN_T(codes_fwd)(const struct sn_codes_fwd *a) {
    uint16_t at[SN_CODES_SPAN + 2];
    uint8_t sym[SN_CODES_SPAN + 2];
    struct sn_codes_work k = SN_T(codes_work)(&a->s);
    k.in = &a->in, k.scale = SN_FB, k.at = at, k.sym = sym;
    const int most = SN_T(codes_most)(&k);
    for (int i = 0; i < a->in.n; i++)
        for (int line = 0; line < k.step; line++) {
            const int64_t n = SN_T(codes_line_len)(&k, line, a->y.len[i]);
            SN_T(codes_line)(&k, i, line);
            for (int64_t q = 0; q < n; q += most)
                for (int b = 0; b < k.blocks; b++) {
                    struct sn_codes_part u = {.block = b, .q0 = q, .nq = sn_imin(n - q, most), .w = a->w, .ld = k.step * (int64_t)a->y.ld};
                    u.dst = sn_row(&a->y, i) + (line + q * k.step) * a->y.ld + b * SN_FB;
                    SN_T(codes_block)(&k, a->tables, a->bias, &u, a->relu);
                }
        }
}

#endif
