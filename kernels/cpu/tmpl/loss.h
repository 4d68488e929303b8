/* Losses on logits, and their gradients. Sums over the tasks of a row use the 16 virtual lanes. */
#ifndef SN_KERNELS_LOSS_H
#define SN_KERNELS_LOSS_H

#include "cpu/tmpl/common.h"

/* What a chunk of up to SN_LANES tasks counts: w and the class weight, 0 where the target is missing. y: targets, 0 where missing. */
static void SN_T(loss_weights)(const struct sn_loss *a, int j, const sn_real *t, sn_real w, int m, sn_real *y, sn_real *v) {
    for (int l = 0; l < m; l++) {
        bool seen = t[l] == t[l];
        y[l] = seen ? t[l] : 0;
        v[l] = seen ? w : 0;
    }
    if (a->kind == SN_LOSS_BCE && a->cw)
        for (int l = 0; l < m; l++) v[l] *= SN_FMA(y[l], a->cw[2 * (j + l) + 1], (1 - y[l]) * a->cw[2 * (j + l)]);
}

/* The chunk's losses go to their lanes, derivatives to d. A weight of 0 silences whatever the logit is. */
static void SN_T(loss_bce)(const sn_real *z, const sn_real *y, const sn_real *v, int m, sn_real *lane, sn_real *d) {
    SN_INDEPENDENT
    for (int l = 0; l < m; l++) {
        sn_real loss = sn_m_relu(z[l]) - z[l] * y[l] + sn_m_log1p(sn_m_exp(-sn_m_abs(z[l])));
        lane[l] += v[l] == 0 ? 0 : v[l] * loss;
        d[l] = sn_m_sigmoid(z[l]) - y[l];
    }
}

static void SN_T(loss_mse)(const sn_real *z, const sn_real *y, const sn_real *v, int m, sn_real *lane, sn_real *d) {
    SN_INDEPENDENT
    for (int l = 0; l < m; l++) {
        d[l] = 2 * (z[l] - y[l]);
        lane[l] += v[l] == 0 ? 0 : v[l] * ((z[l] - y[l]) * (z[l] - y[l]));
    }
}

/* A row of independent tasks. */
static sn_real SN_T(loss_tasks)(const struct sn_loss *a, const sn_real *z, const sn_real *t, sn_real w, sn_real *dz) {
    sn_real lane[SN_LANES] = {0}, y[SN_LANES], v[SN_LANES], d[SN_LANES];
    for (int j = 0; j < a->tasks; j += SN_LANES) {
        int m = sn_imin(a->tasks - j, SN_LANES);
        SN_T(loss_weights)(a, j, t + j, w, m, y, v);
        if (a->kind == SN_LOSS_BCE)
            SN_T(loss_bce)(z + j, y, v, m, lane, d);
        else
            SN_T(loss_mse)(z + j, y, v, m, lane, d);
        for (int l = 0; dz && l < m; l++) dz[j + l] = v[l] == 0 ? 0 : a->scale * v[l] * d[l];
    }
    return sn_tree16(lane);
}

/* A row with a missing target counts for nothing. */
static sn_real SN_T(loss_cce)(const struct sn_loss *a, const sn_real *z, const sn_real *t, sn_real w, sn_real *dz) {
    sn_real sum[SN_LANES] = {0}, dot[SN_LANES] = {0}, weight[SN_LANES] = {0}, top = z[0];
    bool seen = true;
    for (int j = 1; j < a->tasks; j++) top = z[j] > top ? z[j] : top;
    for (int j = 0; j < a->tasks; j++) {
        int l = j % SN_LANES;
        seen = seen && t[j] == t[j];
        sum[l] += sn_m_exp(z[j] - top);
        dot[l] = SN_FMA(z[j] - top, t[j], dot[l]);
        weight[l] = SN_FMA(a->cw ? a->cw[j] : 1, t[j], weight[l]);
    }
    sn_real r = sn_tree16(sum), zt = sn_tree16(dot), cw = sn_tree16(weight);
    sn_real v = !seen ? 0 : a->cw ? w * cw : w;
    if (dz)
        for (int j = 0; j < a->tasks; j++) dz[j] = seen ? a->scale * v * (sn_m_exp(z[j] - top) / r - t[j]) : 0;
    return seen ? v * (sn_m_log(r) - zt) : 0;
}

static void SN_T(loss)(const struct sn_loss *a) {
    for (int64_t i = 0; i < a->n; i++) {
        const sn_real *z = a->z + i * a->z_row, *t = a->t + i * a->tasks;
        sn_real *dz = a->dz ? a->dz + i * a->dz_row : NULL, w = a->w ? a->w[i] : 1;
        a->loss[i] = a->kind == SN_LOSS_CCE ? SN_T(loss_cce)(a, z, t, w, dz) : SN_T(loss_tasks)(a, z, t, w, dz);
    }
}

static void SN_T(fill_loss)(struct sn_kernels *k) {
    k->loss = SN_T(loss);
}

#endif
