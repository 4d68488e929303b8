/* Convolution on codes, relu and the maximum over the whole row: values before pooling stay in the first level cache, and the gradient
 * knows one position per filter. */
#ifndef SN_KERNELS_CODES_GLOBAL_H
#define SN_KERNELS_CODES_GLOBAL_H

#include "cpu/tmpl/codes_fwd.h"
#include "cpu/tmpl/codes_grad.h"

#define SN_GLOBAL_VALUES 4096 /* of the convolution that are worked on at a time */

/* Outputs worked on at a time. */
static int SN_T(codes_global_outputs)(const struct sn_conv *s) {
    int q = SN_GLOBAL_VALUES / s->cout;
    return q < 16 ? 16 : q;
}

/* Positions of a row that windows can cover. */
static int64_t SN_T(codes_global_span)(const struct sn_conv *s, int64_t longest) {
    return longest + 2 * (int64_t)s->pad + 2 * (int64_t)s->k;
}

/* Forward the outputs; in the reverse pass sums of all blocks, places and symbols of a row. */
static size_t SN_T(codes_global_ws)(const struct sn_conv *s, int64_t longest) {
    const struct sn_codes_work k = SN_T(codes_work)(s);
    const struct sn_codes_sums u = SN_T(codes_sums)(&k);
    const size_t fwd = (size_t)SN_T(codes_global_outputs)(s) * (size_t)s->cout;
    const size_t bwd = (size_t)u.blocks * SN_T(codes_block_sums)(&u) + (size_t)SN_T(codes_global_span)(s, longest);
    return (fwd > bwd ? fwd : bwd) * sizeof(sn_real);
}

/* best and arg (NULL: not asked for) go on with n positions of x, the first of which is position q0; q0 = 0 begins. */
SN_INLINE void SN_T(codes_global_best)(const sn_real *x, int64_t ld, int n, int q0, sn_real *best, int32_t *arg, int nv, int lanes) {
    sn_vec top[4];
    sn_ivec at[4];
    const sn_vec zero = {0};
    SN_UNROLL
    for (int v = 0; v < nv; v++) {
        top[v] = q0 ? sn_vget(best + v * SN_VEC, lanes) : sn_vmax(zero, sn_vget(x + v * SN_VEC, lanes));
        sn_int old[SN_VEC];
        for (int l = 0; l < SN_VEC; l++) old[l] = arg && q0 && l < lanes ? arg[v * SN_VEC + l] : 0;
        at[v] = *(const sn_ivec *)old;
    }
    for (int q = q0 ? 0 : 1; q < n; q++) SN_UNROLL
    for (int v = 0; v < nv; v++) {
        sn_vec u = sn_vmax(zero, sn_vget(x + q * ld + v * SN_VEC, lanes)); /* relu: 0 > u ? 0 : u */
        if (arg) at[v] = sn_vpick(u > top[v], (sn_ivec){0} + (sn_int)(q0 + q), at[v]);
        top[v] = sn_vmax(u, top[v]);
    }
    SN_UNROLL
    for (int v = 0; v < nv; v++) {
        sn_vput(best + v * SN_VEC, top[v], lanes);
        for (int l = 0; arg && l < lanes; l++) arg[v * SN_VEC + l] = (int32_t)at[v][l];
    }
}

static void SN_T(codes_global_row)(const struct sn_codes_global_fwd *a, int i, sn_real *best, int32_t *arg) {
    const int cout = a->s.cout, most = SN_T(codes_global_outputs)(&a->s);
    sn_real *x = a->ws;
    struct sn_codes row = a->in;
    row.n = 1, row.codes += i * a->in.code_row, row.len += i;
    for (int q = 0; q < a->conv_len[i]; q += most) {
        int32_t n = sn_imin(a->conv_len[i] - q, most);
        struct sn_codes_fwd part = {.s = a->s, .in = row, .tables = a->tables, .w = a->w, .bias = a->bias, .y = {x, 0, cout, cout, &n}};
        part.s.pad -= q * a->s.stride; /* output q stands first */
        SN_T(codes_fwd)(&part);
        int c = 0;
        for (; c + 2 * SN_VEC <= cout; c += 2 * SN_VEC)
            SN_T(codes_global_best)(x + c, cout, n, q, best + c, arg ? arg + c : NULL, 2, SN_VEC);
        for (; c < cout; c += SN_VEC)
            SN_T(codes_global_best)(x + c, cout, n, q, best + c, arg ? arg + c : NULL, 1, sn_imin(cout - c, SN_VEC));
    }
}

static void SN_T(codes_global_fwd)(const struct sn_codes_global_fwd *a) {
    for (int i = 0; i < a->in.n; i++) {
        if (a->y.len[i] == 0) continue;
        if (a->conv_len[i] == 0) memset(sn_row(&a->y, i), 0, (size_t)a->s.cout * sizeof(sn_real));
        SN_T(codes_global_row)(a, i, sn_row(&a->y, i), a->win ? a->win + i * a->win_row : NULL);
    }
}

/* A winner's gradient g of filter f to a position that is expanded on the spot: tap `tap` of the group. */
static void SN_T(codes_global_slow)(const struct sn_codes_work *k, const struct sn_codes_sums *u, int64_t pos, int tap, int f, sn_real g,
                                    sn_real *dw) {
    const struct sn_conv *s = k->s;
    if (u->t0 + tap >= s->k) return;
    const sn_real *lut = k->in->lut + SN_T(codes_code)(k, pos + tap) * s->cin;
    for (int c = 0; c < s->cin; c++) {
        sn_real *to = dw + ((int64_t)(u->t0 + tap) * s->cin + c) * s->cout + f;
        if (lut[c] != 0) *to = lut[c] == 1 ? *to + g : SN_FMA(lut[c], g, *to);
    }
}

/* One winner: its gradient goes to an entry of each table of the group. */
static void SN_T(codes_global_winner)(const struct sn_codes_work *k, const struct sn_codes_sums *u, int64_t pos, int f, sn_real g,
                                      sn_real *dw) {
    const uint16_t *at = k->at + pos;
    sn_real *sums = u->sums + (size_t)(f / u->width) * SN_T(codes_block_sums)(u) + f % u->width;
    for (int i = 0; i < u->g; i++) {
        const int key = at[i * u->taps];
        if (key == SN_CODES_FLAG)
            for (int c = 0; c < u->taps; c++) SN_T(codes_global_slow)(k, u, pos + u->t0, i * u->taps + c, f, g, dw);
        else if (key != 0)
            sums[(key * u->g + i) * u->width] += g;
    }
}

/* The sums of codes_grad.h, where each row of a filter has one output. */
static void SN_T(codes_global_filters)(const struct sn_codes_global_bwd *a) {
    struct sn_codes_work k = SN_T(codes_work)(&a->s);
    struct sn_codes_sums u = SN_T(codes_sums)(&k);
    const size_t block = SN_T(codes_block_sums)(&u);
    k.in = &a->in;
    u.sums = a->ws;
    k.at = (uint16_t *)(u.sums + (size_t)u.blocks * block);
    for (int g0 = 0; g0 < u.tables; g0 += u.group) {
        u.t0 = g0 * u.taps, u.g = sn_imin(u.tables - g0, u.group);
        memset(u.sums, 0, (size_t)u.blocks * block * sizeof *u.sums);
        for (int i = 0; i < a->in.n; i++) {
            if (a->y.len[i] == 0) continue;
            const sn_real *y = sn_row(&a->y, i), *dy = sn_row(&a->dy, i);
            const int64_t span = SN_T(codes_global_span)(&a->s, a->in.len[i]);
            k.sym = (uint8_t *)(k.at + span);
            SN_T(codes_line)(&k, i, 0);
            SN_T(codes_span)(&k, u.t0, span - u.t0 - 1);
            for (int f = 0; f < a->s.cout; f++)
                if (y[f] > 0) SN_T(codes_global_winner)(&k, &u, (int64_t)a->win[i * a->win_row + f] * a->s.stride, f, dy[f], a->dw);
        }
        for (int b = 0; b < u.blocks; b++) SN_T(codes_fold)(&k, &u, u.sums + (size_t)b * block, b, a->dw);
    }
}

static void SN_T(codes_global_bwd)(const struct sn_codes_global_bwd *a) {
    if (a->dw) SN_T(codes_global_filters)(a);
    for (int i = 0; i < a->in.n && a->db; i++) {
        if (a->y.len[i] == 0) continue;
        const sn_real *y = sn_row(&a->y, i), *dy = sn_row(&a->dy, i);
        for (int f = 0; f < a->s.cout; f++) a->db[f] += y[f] > 0 ? dy[f] : 0;
    }
}

static void SN_T(fill_codes_global)(struct sn_kernels *k) {
    k->codes_global_ws = SN_T(codes_global_ws);
    k->codes_global_fwd = SN_T(codes_global_fwd);
    k->codes_global_bwd = SN_T(codes_global_bwd);
}

#endif
