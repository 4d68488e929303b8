/* Convolution on codes, relu and the maximum over the whole row: values before pooling stay in the first level cache, and the gradient
 * knows one position per filter. */
#ifndef SN_KERNELS_CODES_GLOBAL_H
#define SN_KERNELS_CODES_GLOBAL_H

#include "cpu/tmpl/codes.h"

#define SN_GLOBAL_VALUES 4096 /* of the convolution that are worked on at a time */

/* Outputs worked on at a time. */
static int SN_T(codes_global_outputs)(const struct sn_conv *s) {
    int q = SN_GLOBAL_VALUES / s->cout;
    return q < 16 ? 16 : q;
}

static size_t SN_T(codes_global_ws)(const struct sn_conv *s) {
    return (size_t)SN_T(codes_global_outputs)(s) * (size_t)s->cout * sizeof(sn_real);
}

/* best and arg (NULL: not asked for) go on with n positions of x, the first of which is position q0; q0 = 0 begins. */
SN_ALWAYS void SN_T(codes_global_best)(const sn_real *x, int64_t ld, int n, int q0, sn_real *best, int32_t *arg, int nv, int lanes) {
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

/* dw of filter f += g times the codes from position `pos` on. */
static void SN_T(codes_global_winner)(const struct sn_codes_global_bwd *a, int i, int64_t pos, int f, sn_real g) {
    const struct sn_conv *s = &a->s;
    const uint8_t *code = a->in.codes + i * a->in.code_row;
    int64_t t0 = pos < 0 ? -pos : 0, t1 = a->in.len[i] - pos < s->k ? a->in.len[i] - pos : s->k;
    for (int64_t t = t0; t < t1; t++) {
        sn_real *to = a->dw + t * s->cin * s->cout + f;
        int sym = a->in.sym[code[pos + t]];
        if (sym == 0) continue;
        if (sym != SN_CODES_NONE) {
            to[(int64_t)(sym - 1) * s->cout] += g;
            continue;
        }
        const sn_real *lut = a->in.lut + code[pos + t] * s->cin;
        for (int c = 0; c < s->cin; c++, to += s->cout)
            if (lut[c] != 0) *to = lut[c] == 1 ? *to + g : SN_FMA(lut[c], g, *to);
    }
}

static void SN_T(codes_global_bwd)(const struct sn_codes_global_bwd *a) {
    for (int i = 0; i < a->in.n; i++) {
        if (a->y.len[i] == 0) continue;
        const sn_real *y = sn_row(&a->y, i), *dy = sn_row(&a->dy, i);
        const int32_t *win = a->win + i * a->win_row;
        for (int f = 0; f < a->s.cout; f++) {
            if (!(y[f] > 0)) continue;
            if (a->db) a->db[f] += dy[f];
            if (a->dw) SN_T(codes_global_winner)(a, i, (int64_t)win[f] * a->s.stride - a->s.pad, f, dy[f]);
        }
    }
}

static void SN_T(fill_codes_global)(struct sn_kernels *k) {
    k->codes_global_ws = SN_T(codes_global_ws);
    k->codes_global_fwd = SN_T(codes_global_fwd);
    k->codes_global_bwd = SN_T(codes_global_bwd);
}

#endif
