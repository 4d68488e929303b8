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

/* Forward the outputs; in the reverse pass sums of all filters and a row's values with zeros on both sides. */
static size_t SN_T(codes_global_ws)(const struct sn_conv *s, int64_t longest) {
    size_t cin = (size_t)s->cin, cout = (size_t)s->cout, k = (size_t)s->k;
    size_t fwd = (size_t)SN_T(codes_global_outputs)(s) * cout, bwd = k * cin * cout + ((size_t)longest + 2 * k) * cin;
    return (fwd > bwd ? fwd : bwd) * sizeof(sn_real);
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

/* Row i as (len, cin) values with k positions of zeros before and behind; returns its position 0. */
static sn_real *SN_T(codes_global_expand)(const struct sn_codes_global_bwd *a, int i, sn_real *to) {
    const int cin = a->s.cin;
    const int64_t len = a->in.len[i], zeros = (int64_t)a->s.k * cin;
    const uint8_t *code = a->in.codes + i * a->in.code_row;
    sn_real *x = to + zeros;
    memset(to, 0, (size_t)zeros * sizeof *to);
    if (cin == 4)
        for (int64_t p = 0; p < len; p++) memcpy(x + 4 * p, a->in.lut + 4 * code[p], 4 * sizeof *x);
    else
        for (int64_t p = 0; p < len; p++) memcpy(x + p * cin, a->in.lut + code[p] * cin, (size_t)cin * sizeof *x);
    memset(x + len * cin, 0, (size_t)zeros * sizeof *x);
    return x;
}

static void SN_T(codes_global_axpy)(sn_real g, const sn_real *restrict x, sn_real *restrict sum, int64_t n) {
    int64_t e = 0;
    for (; e + 4 * SN_VEC <= n; e += 4 * SN_VEC) SN_UNROLL
    for (int v = 0; v < 4; v++) {
        sn_real *to = sum + e + v * SN_VEC;
        sn_vstore(to, sn_vfma(sn_vload(x + e + v * SN_VEC), (sn_vec){0} + g, sn_vload(to)));
    }
    for (; e < n; e++) sum[e] = SN_FMA(x[e], g, sum[e]);
}

/* Sums (cout, k*cin), so that a winner adds its window in one go; at the end they are turned into dw. */
static void SN_T(codes_global_filters)(const struct sn_codes_global_bwd *a) {
    const int cout = a->s.cout, cin = a->s.cin;
    const int64_t n = (int64_t)a->s.k * cin;
    sn_real *sum = a->ws, *space = sum + n * cout;
    memset(sum, 0, (size_t)(n * cout) * sizeof *sum);
    for (int i = 0; i < a->in.n; i++) {
        if (a->y.len[i] == 0) continue;
        const sn_real *y = sn_row(&a->y, i), *dy = sn_row(&a->dy, i), *x = SN_T(codes_global_expand)(a, i, space);
        const int32_t *win = a->win + i * a->win_row;
        for (int f = 0; f < cout; f++)
            if (y[f] > 0) SN_T(codes_global_axpy)(dy[f], x + ((int64_t)win[f] * a->s.stride - a->s.pad) * cin, sum + f * n, n);
    }
    for (int64_t e = 0; e < n; e++)
        for (int f = 0; f < cout; f++) a->dw[e * cout + f] += sum[f * n + e];
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
