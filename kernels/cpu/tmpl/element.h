/* Slots that work element by element: activations, add, copy, fill, accumulate, bias gradient, encode, the check for NaN and Inf. */
#ifndef SN_KERNELS_ELEMENT_H
#define SN_KERNELS_ELEMENT_H

#include "cpu/tmpl/common.h"

static void SN_T(unary_fwd_run)(enum sn_unary kind, const sn_real *x, sn_real *y, int64_t n) {
    if (kind == SN_RELU) {
        SN_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = sn_m_relu(x[i]);
    } else if (kind == SN_SIGMOID) {
        SN_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = sn_m_sigmoid(x[i]);
    } else {
        SN_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = sn_m_tanh(x[i]);
    }
}

static void SN_T(unary_fwd)(const struct sn_unary_fwd *a) {
    for (int i = 0; i < a->n; i++) {
        struct sn_runs r = sn_row_runs(a->y.len[i], a->y.ch, sn_dense(&a->x) && sn_dense(&a->y));
        const sn_real *x = sn_row(&a->x, i);
        sn_real *y = sn_row(&a->y, i);
        for (int64_t q = 0; q < r.runs; q++) SN_T(unary_fwd_run)(a->kind, x + q * a->x.ld, y + q * a->y.ld, r.n);
    }
}

static void SN_T(unary_bwd_run)(enum sn_unary kind, const sn_real *y, const sn_real *dy, sn_real *dx, int64_t n) {
    if (kind == SN_RELU) {
        SN_INDEPENDENT
        for (int64_t i = 0; i < n; i++) dx[i] = y[i] > 0 ? dy[i] : 0;
    } else if (kind == SN_SIGMOID) {
        SN_INDEPENDENT
        for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * (y[i] * (1 - y[i]));
    } else {
        SN_INDEPENDENT
        for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * SN_FMA(-y[i], y[i], 1);
    }
}

static void SN_T(unary_bwd)(const struct sn_unary_bwd *a) {
    for (int i = 0; i < a->n; i++) {
        struct sn_runs r = sn_row_runs(a->dx.len[i], a->dx.ch, sn_dense(&a->y) && sn_dense(&a->dy) && sn_dense(&a->dx));
        const sn_real *y = sn_row(&a->y, i), *dy = sn_row(&a->dy, i);
        sn_real *dx = sn_row(&a->dx, i);
        for (int64_t q = 0; q < r.runs; q++) SN_T(unary_bwd_run)(a->kind, y + q * a->y.ld, dy + q * a->dy.ld, dx + q * a->dx.ld, r.n);
    }
}

static void SN_T(unary_attr_run)(enum sn_unary kind, const sn_real *x, const sn_real *x0, const sn_real *my, sn_real *mx, int64_t n) {
    if (kind == SN_RELU) {
        SN_INDEPENDENT
        for (int64_t i = 0; i < n; i++) mx[i] = my[i] * sn_m_rho_relu(x[i], x0[i]);
    } else if (kind == SN_SIGMOID) {
        SN_INDEPENDENT
        for (int64_t i = 0; i < n; i++) mx[i] = my[i] * sn_m_rho_sigmoid(x[i], x0[i]);
    } else {
        SN_INDEPENDENT
        for (int64_t i = 0; i < n; i++) mx[i] = my[i] * sn_m_rho_tanh(x[i], x0[i]);
    }
}

static void SN_T(unary_attr)(const struct sn_unary_attr *a) {
    for (int p = 0; p < a->pairs.n; p++) {
        struct sn_runs r = sn_row_runs(a->mx.len[p], a->mx.ch, sn_dense(&a->x) && sn_dense(&a->my) && sn_dense(&a->mx));
        const sn_real *x = sn_row(&a->x, a->pairs.row_x[p]), *x0 = sn_row(&a->x, a->pairs.row_ref[p]), *my = sn_row(&a->my, p);
        sn_real *mx = sn_row(&a->mx, p);
        for (int64_t q = 0; q < r.runs; q++)
            SN_T(unary_attr_run)(a->kind, x + q * a->x.ld, x0 + q * a->x.ld, my + q * a->my.ld, mx + q * a->mx.ld, r.n);
    }
}

static void SN_T(copy)(const struct sn_copy *a) {
    for (int i = 0; i < a->n; i++) {
        struct sn_runs r = sn_row_runs(a->y.len[i], a->y.ch, sn_dense(&a->x) && sn_dense(&a->y));
        const sn_real *x = sn_row(&a->x, i);
        sn_real *y = sn_row(&a->y, i);
        for (int64_t q = 0; q < r.runs; q++) memmove(y + q * a->y.ld, x + q * a->x.ld, (size_t)r.n * sizeof *y);
    }
}

static void SN_T(add_run)(const sn_real *x, const sn_real *more, sn_real *y, int64_t n) {
    SN_INDEPENDENT
    for (int64_t i = 0; i < n; i++) y[i] = x[i] + more[i];
}

#define SN_ADD_BLOCK 1024 /* elements: their sum stays in the first level cache until the last input is added */

/* Elements [e, e + n) of the run that begins at position q of row i. */
static void SN_T(add_block)(const struct sn_add *a, int i, int64_t q, int64_t e, int64_t n) {
    sn_real *y = sn_row(&a->y, i) + q * a->y.ld + e;
    for (int k = 1; k < a->count; k++)
        SN_T(add_run)(k == 1 ? sn_row(&a->x[0], i) + q * a->x[0].ld + e : y, sn_row(&a->x[k], i) + q * a->x[k].ld + e, y, n);
}

static void SN_T(add)(const struct sn_add *a) {
    bool dense = sn_dense(&a->y);
    for (int k = 0; k < a->count; k++) dense = dense && sn_dense(&a->x[k]);
    if (a->count == 1) {
        const struct sn_copy c = {a->n, a->x[0], a->y};
        SN_T(copy)(&c);
        return;
    }
    for (int i = 0; i < a->n; i++) {
        struct sn_runs r = sn_row_runs(a->y.len[i], a->y.ch, dense);
        for (int64_t q = 0; q < r.runs; q++)
            for (int64_t e = 0; e < r.n; e += SN_ADD_BLOCK) SN_T(add_block)(a, i, q, e, sn_imin(r.n - e, SN_ADD_BLOCK));
    }
}

static void SN_T(fill)(const struct sn_fill *a) {
    for (int64_t i = 0; i < a->n; i++) a->p[i] = a->v;
}

static void SN_T(accumulate)(const struct sn_accumulate *a) {
    SN_T(add_run)(a->dst, a->src, a->dst, a->n);
}

static void SN_T(leaves)(const struct sn_leaves *a) {
    for (int64_t b = 0; b < a->n; b += SN_ADD_BLOCK) {
        sn_real *part = a->part + b;
        int64_t n = sn_imin(a->n - b, SN_ADD_BLOCK);
        for (int step = 1; step < a->leaves; step *= 2)
            for (int l = 0; l + step < a->leaves; l += 2 * step)
                SN_T(add_run)(part + l * a->stride, part + (l + step) * a->stride, part + l * a->stride, n);
        SN_T(add_run)(a->dst + b, part, a->dst + b, n);
    }
}

static void SN_T(bias_grad)(const struct sn_bias_grad *a) {
    for (int i = 0; i < a->n; i++) sn_col_sum(sn_row(&a->dy, i), a->dy.ld, 0, a->dy.len[i], INT64_MAX / 2, a->dy.ch, a->db);
}

static void SN_T(encode)(const struct sn_encode *a) {
    size_t bytes = (size_t)a->y.ch * sizeof(sn_real);
    for (int i = 0; i < a->n; i++) {
        const uint8_t *code = a->codes + i * a->code_row;
        sn_real *y = sn_row(&a->y, i);
        for (int64_t q = 0; q < a->y.len[i]; q++) memcpy(y + q * a->y.ld, a->lut + (int64_t)code[q] * a->y.ch, bytes);
    }
}

static void SN_T(finite)(const struct sn_finite *a) {
    int bad = 0;
    for (int i = 0; i < a->n; i++) {
        struct sn_runs r = sn_row_runs(a->x.len[i], a->x.ch, sn_dense(&a->x));
        const sn_real *x = sn_row(&a->x, i);
        for (int64_t q = 0; q < r.runs; q++)
            for (int64_t e = 0; e < r.n; e++) bad |= x[q * a->x.ld + e] - x[q * a->x.ld + e] != 0;
    }
    if (bad) *a->bad = 1;
}

static void SN_T(fill_element)(struct sn_kernels *k) {
    k->unary_fwd = SN_T(unary_fwd);
    k->unary_bwd = SN_T(unary_bwd);
    k->unary_attr = SN_T(unary_attr);
    k->copy = SN_T(copy);
    k->add = SN_T(add);
    k->fill = SN_T(fill);
    k->accumulate = SN_T(accumulate);
    k->leaves = SN_T(leaves);
    k->bias_grad = SN_T(bias_grad);
    k->encode = SN_T(encode);
    k->finite = SN_T(finite);
}

#endif
