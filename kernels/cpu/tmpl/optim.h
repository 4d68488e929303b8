/* The gradient's norm, and the optimizers with regularisers: one pass over weights, gradient and state each. */
#ifndef SN_KERNELS_OPTIM_H
#define SN_KERNELS_OPTIM_H

#include "cpu/tmpl/common.h"

#define SN_NORM_BLOCK 4096 /* elements whose sums go through the 16 lanes before they are added */
#define SN_UPDATE_BLOCK 64 /* elements whose gradient is held between its sums and the update */

static inline double SN_T(tree16_f64)(const double l[SN_LANES]) {
    double t[8];
    for (int i = 0; i < 8; i++) t[i] = l[i] + l[i + 8];
    return ((t[0] + t[4]) + (t[2] + t[6])) + ((t[1] + t[5]) + (t[3] + t[7]));
}

struct SN_T(norm_lanes) {
    double square[SN_LANES], penalty[SN_LANES];
};

/* r = g with its regularisers. */
static void SN_T(regularized)(const sn_real *restrict w, const sn_real *restrict g, double l1, double l2, int n, sn_real *restrict r) {
    const sn_real a = (sn_real)l1, b = (sn_real)(2 * l2);
    if (l1 == 0 && l2 == 0) {
        memcpy(r, g, (size_t)n * sizeof *r);
        return;
    }
    for (int i = 0; i < n; i++) {
        sn_real sign = (sn_real)((w[i] > 0) - (w[i] < 0));
        r[i] = g[i] + SN_FMA(b, w[i], a * sign);
    }
}

/* n elements from a multiple of 16 on: element i goes to lane i mod 16, in double. */
static void SN_T(norm_add)(struct SN_T(norm_lanes) *restrict s, const sn_real *restrict w, const sn_real *restrict r, double l1, double l2,
                           int n) {
    bool plain = l1 == 0 && l2 == 0;
    int j = 0;
    for (; j + SN_LANES <= n; j += SN_LANES) {
        for (int l = 0; l < SN_LANES; l++) s->square[l] += (double)r[j + l] * (double)r[j + l];
        for (int l = 0; l < SN_LANES && !plain; l++)
            s->penalty[l] += l1 * (double)sn_m_abs(w[j + l]) + l2 * ((double)w[j + l] * (double)w[j + l]);
    }
    for (int l = 0; j + l < n; l++) {
        s->square[l] += (double)r[j + l] * (double)r[j + l];
        if (!plain) s->penalty[l] += l1 * (double)sn_m_abs(w[j + l]) + l2 * ((double)w[j + l] * (double)w[j + l]);
    }
}

static void SN_T(norm_end)(const struct SN_T(norm_lanes) * s, double *sums) {
    sums[0] += SN_T(tree16_f64)(s->square);
    sums[1] += SN_T(tree16_f64)(s->penalty);
}

static void SN_T(grad_norm)(const struct sn_grad_norm *a) {
    a->sums[0] = a->sums[1] = 0;
    for (int64_t b = 0; b < a->n; b += SN_NORM_BLOCK) {
        struct SN_T(norm_lanes) s = {0};
        int64_t end = b + SN_NORM_BLOCK < a->n ? b + SN_NORM_BLOCK : a->n;
        for (int64_t i = b; i < end; i += SN_UPDATE_BLOCK) {
            sn_real r[SN_UPDATE_BLOCK];
            int n = sn_imin(end - i, SN_UPDATE_BLOCK);
            SN_T(regularized)(a->w + i, a->g + i, a->l1, a->l2, n, r);
            SN_T(norm_add)(&s, a->w + i, r, a->l1, a->l2, n);
        }
        SN_T(norm_end)(&s, a->sums);
    }
}

/* Goes over all elements: r of SN_UPDATE_BLOCK elements, its sums, then step(a, first, n, r). */
#define SN_UPDATE(a, step)                                                                                                                 \
    do {                                                                                                                                   \
        const struct sn_update *u_ = &(a)->u;                                                                                              \
        if (u_->sums) u_->sums[0] = u_->sums[1] = 0;                                                                                       \
        for (int64_t b_ = 0; b_ < u_->n; b_ += SN_NORM_BLOCK) {                                                                            \
            struct SN_T(norm_lanes) s_ = {0};                                                                                              \
            int64_t end_ = b_ + SN_NORM_BLOCK < u_->n ? b_ + SN_NORM_BLOCK : u_->n;                                                        \
            for (int64_t i_ = b_; i_ < end_; i_ += SN_UPDATE_BLOCK) {                                                                      \
                sn_real r_[SN_UPDATE_BLOCK];                                                                                               \
                int n_ = sn_imin(end_ - i_, SN_UPDATE_BLOCK);                                                                              \
                SN_T(regularized)(u_->w + i_, u_->g + i_, u_->l1, u_->l2, n_, r_);                                                         \
                if (u_->sums) SN_T(norm_add)(&s_, u_->w + i_, r_, u_->l1, u_->l2, n_);                                                     \
                memset(u_->g + i_, 0, (size_t)n_ * sizeof *r_);                                                                            \
                SN_T(step)(a, i_, n_, r_);                                                                                                 \
            }                                                                                                                              \
            if (u_->sums) SN_T(norm_end)(&s_, u_->sums);                                                                                   \
        }                                                                                                                                  \
    } while (0)

static void SN_T(adam_step)(const struct sn_adam *a, int64_t at, int n, const sn_real *restrict grad) {
    sn_real *restrict w = a->u.w + at, *restrict m = a->m + at, *restrict v = a->v + at;
    sn_real b1 = (sn_real)a->b1, c1 = (sn_real)(1 - a->b1), b2 = (sn_real)a->b2, c2 = (sn_real)(1 - a->b2);
    sn_real scale = (sn_real)a->u.gscale, lr = (sn_real)a->lr_t, eps = (sn_real)a->eps;
    for (int i = 0; i < n; i++) {
        sn_real g = grad[i] * scale;
        m[i] = SN_FMA(b1, m[i], c1 * g);
        v[i] = SN_FMA(b2, v[i], c2 * (g * g));
        w[i] -= lr * m[i] / (sn_m_sqrt(v[i]) + eps);
    }
}

static void SN_T(adam)(const struct sn_adam *a) {
    SN_UPDATE(a, adam_step);
}

static void SN_T(sgd_step)(const struct sn_sgd *a, int64_t at, int n, const sn_real *restrict grad) {
    sn_real *restrict w = a->u.w + at, *restrict v = a->v ? a->v + at : NULL;
    sn_real scale = (sn_real)a->u.gscale, lr = (sn_real)a->lr, momentum = (sn_real)a->momentum;
    if (!v) {
        for (int i = 0; i < n; i++) w[i] -= lr * (grad[i] * scale);
        return;
    }
    for (int i = 0; i < n; i++) {
        sn_real step = lr * (grad[i] * scale), u = SN_FMA(momentum, v[i], -step);
        sn_real look = SN_FMA(momentum, u, -step);
        v[i] = u;
        w[i] += a->nesterov ? look : u;
    }
}

static void SN_T(sgd)(const struct sn_sgd *a) {
    SN_UPDATE(a, sgd_step);
}

static void SN_T(fill_optim)(struct sn_kernels *k) {
    k->grad_norm = SN_T(grad_norm);
    k->adam = SN_T(adam);
    k->sgd = SN_T(sgd);
}

#endif
