/* Max and average pooling. Windows are cut at the row's ends; a window without a cell (an empty row under global pooling) gives 0. */
#ifndef SN_KERNELS_POOL_H
#define SN_KERNELS_POOL_H

#include "cpu/tmpl/common.h"

/* Cells [lo, hi) of window w of a row of len positions. */
struct SN_T(window) {
    int64_t lo, hi;
};
static struct SN_T(window) SN_T(pool_window)(const struct sn_pool_shape *s, int64_t w, int64_t len) {
    if (s->size == 0) return (struct SN_T(window)){0, len};
    int64_t lo = w * s->stride - s->pad, hi = lo + s->size;
    return (struct SN_T(window)){lo > 0 ? lo : 0, hi < len ? hi : len};
}

/* Largest of cells [lo, hi), and which, of up to SN_CHUNK channels; the first on ties. */
static void SN_T(pool_best)(const sn_real *x, int64_t ld, struct SN_T(window) w, int m, sn_real *restrict best, int32_t *restrict arg) {
    for (int c = 0; c < m; c++) {
        best[c] = x[w.lo * ld + c];
        arg[c] = (int32_t)w.lo;
    }
    for (int64_t t = w.lo + 1; t < w.hi; t++) {
        const sn_real *xt = x + t * ld;
        for (int c = 0; c < m; c++) {
            sn_real x0 = xt[c], b = best[c];
            int32_t more = -(int32_t)(x0 > b); /* a mask, as gcc makes a select of arg[c] a conditional store */
            best[c] = x0 > b ? x0 : b;
            arg[c] = ((int32_t)t & more) | (arg[c] & ~more);
        }
    }
}

static void SN_T(pool_zero)(const struct sn_t3 *t, int i) {
    sn_real *p = sn_row(t, i);
    for (int64_t q = 0; q < t->len[i]; q++) memset(p + q * t->ld, 0, (size_t)t->ch * sizeof *p);
}

static void SN_T(max_pool_fwd)(const struct sn_pool_fwd *a) {
    int ch = a->y.ch;
    for (int i = 0; i < a->n; i++)
        for (int64_t q = 0; q < a->y.len[i]; q++) {
            const struct SN_T(window) w = SN_T(pool_window)(&a->s, q, a->x.len[i]);
            const sn_real *x = sn_row(&a->x, i);
            sn_real *y = sn_row(&a->y, i) + q * a->y.ld;
            if (w.lo < w.hi)
                memcpy(y, x + w.lo * a->x.ld, (size_t)ch * sizeof *y);
            else
                memset(y, 0, (size_t)ch * sizeof *y);
            for (int64_t t = w.lo + 1; t < w.hi; t++) {
                const sn_real *restrict xt = x + t * a->x.ld;
                for (int c = 0; c < ch; c++) y[c] = xt[c] > y[c] ? xt[c] : y[c];
            }
        }
}

static void SN_T(max_pool_bwd)(const struct sn_pool_bwd *a) {
    int ch = a->dx.ch;
    for (int i = 0; i < a->n; i++) {
        const sn_real *x = sn_row(&a->x, i), *dy = sn_row(&a->dy, i);
        sn_real *dx = sn_row(&a->dx, i);
        SN_T(pool_zero)(&a->dx, i);
        for (int64_t q = 0; q < a->dy.len[i]; q++) {
            const struct SN_T(window) w = SN_T(pool_window)(&a->s, q, a->dx.len[i]);
            if (w.lo >= w.hi) continue;
            for (int c0 = 0; c0 < ch; c0 += SN_CHUNK) {
                sn_real best[SN_CHUNK];
                int32_t arg[SN_CHUNK];
                int m = sn_imin(ch - c0, SN_CHUNK);
                SN_T(pool_best)(x + c0, a->x.ld, w, m, best, arg);
                for (int c = 0; c < m; c++) dx[(int64_t)arg[c] * a->dx.ld + c0 + c] += dy[q * a->dy.ld + c0 + c];
            }
        }
    }
}

static void SN_T(max_pool_attr)(const struct sn_max_pool_attr *a) {
    int ch = a->mx.ch;
    for (int p = 0; p < a->pairs.n; p++) {
        const sn_real *x = sn_row(&a->x, a->pairs.row_x[p]), *x0 = sn_row(&a->x, a->pairs.row_ref[p]), *my = sn_row(&a->my, p);
        sn_real *mx = sn_row(&a->mx, p);
        SN_T(pool_zero)(&a->mx, p);
        for (int64_t q = 0; q < a->my.len[p]; q++) {
            const struct SN_T(window) w = SN_T(pool_window)(&a->s, q, a->mx.len[p]);
            if (w.lo >= w.hi) continue;
            for (int c0 = 0; c0 < ch; c0 += SN_CHUNK) {
                sn_real best[SN_CHUNK], best0[SN_CHUNK];
                int32_t arg[SN_CHUNK], arg0[SN_CHUNK];
                int m = sn_imin(ch - c0, SN_CHUNK);
                SN_T(pool_best)(x + c0, a->x.ld, w, m, best, arg);
                SN_T(pool_best)(x0 + c0, a->x.ld, w, m, best0, arg0);
                for (int c = 0; c < m; c++) {
                    int64_t k = best[c] >= best0[c] ? arg[c] : arg0[c];
                    sn_real d = x[k * a->x.ld + c0 + c] - x0[k * a->x.ld + c0 + c];
                    sn_real ratio = d == 0 ? 1 : (best[c] - best0[c]) / d;
                    mx[k * a->mx.ld + c0 + c] += my[q * a->my.ld + c0 + c] * ratio;
                }
            }
        }
    }
}

static void SN_T(avg_pool_fwd)(const struct sn_pool_fwd *a) {
    int ch = a->y.ch;
    for (int i = 0; i < a->n; i++)
        for (int64_t q = 0; q < a->y.len[i]; q++) {
            const struct SN_T(window) w = SN_T(pool_window)(&a->s, q, a->x.len[i]);
            sn_real *y = sn_row(&a->y, i) + q * a->y.ld;
            for (int c0 = 0; c0 < ch; c0 += SN_CHUNK) {
                const sn_real *x = sn_row(&a->x, i) + c0;
                int m = sn_imin(ch - c0, SN_CHUNK);
                sn_real sum[SN_CHUNK] = {0};
                sn_col_sum(x, a->x.ld, w.lo, w.hi, m, sum);
                for (int c = 0; c < m; c++) y[c0 + c] = w.lo < w.hi ? sum[c] / (sn_real)(w.hi - w.lo) : 0;
            }
        }
}

static void SN_T(avg_pool_bwd)(const struct sn_pool_bwd *a) {
    int ch = a->dx.ch;
    for (int i = 0; i < a->n; i++) {
        SN_T(pool_zero)(&a->dx, i);
        for (int64_t q = 0; q < a->dy.len[i]; q++) {
            const struct SN_T(window) w = SN_T(pool_window)(&a->s, q, a->dx.len[i]);
            const sn_real *dy = sn_row(&a->dy, i) + q * a->dy.ld;
            for (int64_t t = w.lo; t < w.hi; t++) {
                sn_real *restrict dx = sn_row(&a->dx, i) + t * a->dx.ld, count = (sn_real)(w.hi - w.lo);
                for (int c = 0; c < ch; c++) dx[c] += dy[c] / count;
            }
        }
    }
}

static void SN_T(fill_pool)(struct sn_kernels *k) {
    k->max_pool_fwd = SN_T(max_pool_fwd);
    k->max_pool_bwd = SN_T(max_pool_bwd);
    k->max_pool_attr = SN_T(max_pool_attr);
    k->avg_pool_fwd = SN_T(avg_pool_fwd);
    k->avg_pool_bwd = SN_T(avg_pool_bwd);
}

#endif
