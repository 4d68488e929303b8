/* Regularisation with the gradient's norm, and the optimizers. */
#ifndef SN_KERNELS_OPTIM_H
#define SN_KERNELS_OPTIM_H

#include "cpu/tmpl/common.h"

#define SN_NORM_BLOCK 4096

static inline double SN_T(tree16_f64)(const double l[SN_LANES]) {
    double t[8];
    for (int i = 0; i < 8; i++) t[i] = l[i] + l[i + 8];
    return ((t[0] + t[4]) + (t[2] + t[6])) + ((t[1] + t[5]) + (t[3] + t[7]));
}

/* One block: element i of it goes to lane i mod 16, in double. */
static void SN_T(grad_finish_block)(const struct sn_grad_finish *a, int64_t b, int n, double total[2]) {
    const sn_real *w = a->w + b, l1 = (sn_real)a->l1, l2 = (sn_real)(2 * a->l2);
    sn_real *restrict g = a->g + b;
    double square[SN_LANES] = {0}, penalty[SN_LANES] = {0};
    bool plain = a->l1 == 0 && a->l2 == 0;
    for (int j = 0; j < n; j += SN_LANES) {
        int m = sn_imin(n - j, SN_LANES);
        for (int l = 0; l < m && !plain; l++) {
            sn_real v = w[j + l], sign = (sn_real)((v > 0) - (v < 0));
            g[j + l] += SN_FMA(l2, v, l1 * sign);
            penalty[l] += a->l1 * (double)sn_m_abs(v) + a->l2 * ((double)v * (double)v);
        }
        for (int l = 0; l < m; l++) square[l] += (double)g[j + l] * (double)g[j + l];
    }
    total[0] += SN_T(tree16_f64)(square);
    total[1] += SN_T(tree16_f64)(penalty);
}

static void SN_T(grad_finish)(const struct sn_grad_finish *a) {
    double total[2] = {0, 0};
    for (int64_t b = 0; b < a->n; b += SN_NORM_BLOCK) SN_T(grad_finish_block)(a, b, sn_imin(a->n - b, SN_NORM_BLOCK), total);
    a->sums[0] = total[0];
    a->sums[1] = total[1];
}

static void SN_T(adam)(const struct sn_adam *a) {
    sn_real *restrict w = a->w, *restrict m = a->m, *restrict v = a->v;
    const sn_real *restrict grad = a->g;
    sn_real b1 = (sn_real)a->b1, c1 = (sn_real)(1 - a->b1), b2 = (sn_real)a->b2, c2 = (sn_real)(1 - a->b2);
    sn_real scale = (sn_real)a->gscale, lr = (sn_real)a->lr_t, eps = (sn_real)a->eps;
    for (int64_t i = 0; i < a->n; i++) {
        sn_real g = grad[i] * scale;
        m[i] = SN_FMA(b1, m[i], c1 * g);
        v[i] = SN_FMA(b2, v[i], c2 * (g * g));
        w[i] -= lr * m[i] / (sn_m_sqrt(v[i]) + eps);
    }
}

static void SN_T(sgd)(const struct sn_sgd *a) {
    sn_real *restrict w = a->w, *restrict v = a->v;
    const sn_real *restrict grad = a->g;
    sn_real scale = (sn_real)a->gscale, lr = (sn_real)a->lr, momentum = (sn_real)a->momentum;
    if (!v) {
        for (int64_t i = 0; i < a->n; i++) w[i] -= lr * (grad[i] * scale);
        return;
    }
    for (int64_t i = 0; i < a->n; i++) {
        sn_real step = lr * (grad[i] * scale), u = SN_FMA(momentum, v[i], -step);
        sn_real look = SN_FMA(momentum, u, -step);
        v[i] = u;
        w[i] += a->nesterov ? look : u;
    }
}

static void SN_T(fill_optim)(struct sn_kernels *k) {
    k->grad_finish = SN_T(grad_finish);
    k->adam = SN_T(adam);
    k->sgd = SN_T(sgd);
}

#endif
