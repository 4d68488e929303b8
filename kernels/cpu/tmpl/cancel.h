/* DeepLIFT Reveal-Cancel: parts of differences, and multipliers of parts. */
#ifndef SN_KERNELS_CANCEL_H
#define SN_KERNELS_CANCEL_H

#include "cpu/tmpl/norm.h"

/* The value of a pair's row at position q. */
static inline const sn_real *SN_T(pair_at)(const struct sn_pair_value *v, int32_t row, int64_t q, int64_t ch) {
    if (v->x.p) return sn_row(&v->x, row) + q * v->x.ld;
    return v->in.lut + v->in.codes[row * v->in.code_row + q] * ch;
}

static void SN_T(pair_parts)(const struct sn_pair_parts *a) {
    const int ch = a->y.plus.ch;
    for (int p = 0; p < a->v.pairs.n; p++)
        for (int64_t q = 0; q < a->y.plus.len[p]; q++) {
            const sn_real *x = SN_T(pair_at)(&a->v, a->v.pairs.row_x[p], q, ch), *x0 = SN_T(pair_at)(&a->v, a->v.pairs.row_ref[p], q, ch);
            sn_real *plus = sn_row(&a->y.plus, p) + q * a->y.plus.ld, *minus = sn_row(&a->y.minus, p) + q * a->y.minus.ld;
            SN_INDEPENDENT
            for (int c = 0; c < ch; c++) {
                const sn_real d = x[c] - x0[c];
                plus[c] = d > 0 ? d : 0;
                minus[c] = d < 0 ? d : 0;
            }
        }
}

static void SN_T(pair_select)(const struct sn_pair_select *a) {
    const int ch = a->y.ch;
    for (int p = 0; p < a->v.pairs.n; p++)
        for (int64_t q = 0; q < a->y.len[p]; q++) {
            const sn_real *x = SN_T(pair_at)(&a->v, a->v.pairs.row_x[p], q, ch), *x0 = SN_T(pair_at)(&a->v, a->v.pairs.row_ref[p], q, ch);
            const sn_real *plus = sn_row(&a->m.plus, p) + q * a->m.plus.ld, *minus = sn_row(&a->m.minus, p) + q * a->m.minus.ld;
            sn_real *y = sn_row(&a->y, p) + q * a->y.ld;
            SN_INDEPENDENT
            for (int c = 0; c < ch; c++) {
                const sn_real d = x[c] - x0[c], half = SN_R(0.5) * (plus[c] + minus[c]);
                y[c] = d > 0 ? plus[c] : d < 0 ? minus[c] : half;
            }
        }
}

/* One position: the quotient of part p beside part n. */
#define SN_CANCEL(rho, a, a0, p, n) (SN_R(0.5) * (rho((a0) + (p), a0) + rho(a, (a0) + (n))))

#define SN_CANCEL_RUN(name, rho)                                                                                                           \
    static void SN_T(name)(const sn_real *x, const sn_real *x0, const sn_real *p, const sn_real *n, const sn_real *mp, const sn_real *mn,  \
                           sn_real *yp, sn_real *yn, int ch) {                                                                             \
        SN_INDEPENDENT                                                                                                                     \
        for (int c = 0; c < ch; c++) {                                                                                                     \
            yp[c] = mp[c] * SN_CANCEL(rho, x[c], x0[c], p[c], n[c]);                                                                       \
            yn[c] = mn[c] * SN_CANCEL(rho, x[c], x0[c], n[c], p[c]);                                                                       \
        }                                                                                                                                  \
    }
SN_CANCEL_RUN(cancel_relu, sn_m_rho_relu)
SN_CANCEL_RUN(cancel_sigmoid, sn_m_rho_sigmoid)
SN_CANCEL_RUN(cancel_tanh, sn_m_rho_tanh)

static void SN_T(unary_cancel)(const struct sn_unary_cancel *a) {
    void (*run)(const sn_real *, const sn_real *, const sn_real *, const sn_real *, const sn_real *, const sn_real *, sn_real *, sn_real *,
                int) = a->kind == SN_RELU      ? SN_T(cancel_relu)
                       : a->kind == SN_SIGMOID ? SN_T(cancel_sigmoid)
                                               : SN_T(cancel_tanh);
    for (int p = 0; p < a->pairs.n; p++) {
        const sn_real *x = sn_row(&a->x, a->pairs.row_x[p]), *x0 = sn_row(&a->x, a->pairs.row_ref[p]);
        for (int64_t q = 0; q < a->y.plus.len[p]; q++)
            run(x + q * a->x.ld, x0 + q * a->x.ld, sn_row(&a->d.plus, p) + q * a->d.plus.ld, sn_row(&a->d.minus, p) + q * a->d.minus.ld,
                sn_row(&a->m.plus, p) + q * a->m.plus.ld, sn_row(&a->m.minus, p) + q * a->m.minus.ld,
                sn_row(&a->y.plus, p) + q * a->y.plus.ld, sn_row(&a->y.minus, p) + q * a->y.minus.ld, a->y.plus.ch);
    }
}

static void SN_T(bn_parts)(const struct sn_bn_parts *a) {
    const int ch = a->y.plus.ch;
    for (int c0 = 0; c0 < ch; c0 += SN_BN_CHANNELS) {
        const int m = sn_imin(ch - c0, SN_BN_CHANNELS);
        sn_real scale[SN_BN_CHANNELS];
        SN_T(bn_inverse)(NULL, a->var, ch, c0, m, a->eps, scale);
        for (int c = 0; c < m; c++) scale[c] *= a->gamma[c0 + c];
        for (int i = 0; i < a->n; i++)
            for (int64_t q = 0; q < a->y.plus.len[i]; q++) {
                const sn_real *xp = sn_row(&a->x.plus, i) + q * a->x.plus.ld + c0, *xn = sn_row(&a->x.minus, i) + q * a->x.minus.ld + c0;
                sn_real *yp = sn_row(&a->y.plus, i) + q * a->y.plus.ld + c0, *yn = sn_row(&a->y.minus, i) + q * a->y.minus.ld + c0;
                SN_INDEPENDENT
                for (int c = 0; c < m; c++) {
                    const sn_real p = scale[c] * xp[c], n = scale[c] * xn[c];
                    yp[c] = scale[c] < 0 ? n : p;
                    yn[c] = scale[c] < 0 ? p : n;
                }
            }
    }
}

static void SN_T(weight_parts)(const struct sn_weight_parts *a) {
    for (int64_t b = 0; b < a->blocks; b++)
        for (int64_t r = 0; r < a->rows; r++) {
            const sn_real *w = a->w + (b * a->rows + r) * a->cols;
            sn_real *plus = a->plus + b * a->block + r * a->ld, *minus = a->minus + b * a->block + r * a->ld;
            SN_INDEPENDENT
            for (int64_t c = 0; c < a->cols; c++) {
                plus[c] = w[c] > 0 ? w[c] : 0;
                minus[c] = w[c] < 0 ? w[c] : 0;
            }
        }
}

static void SN_T(fill_cancel)(struct sn_kernels *k) {
    k->pair_parts = SN_T(pair_parts);
    k->pair_select = SN_T(pair_select);
    k->unary_cancel = SN_T(unary_cancel);
    k->bn_parts = SN_T(bn_parts);
    k->weight_parts = SN_T(weight_parts);
}

#endif
