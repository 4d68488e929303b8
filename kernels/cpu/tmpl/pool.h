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

static void SN_T(pool_clear)(const struct sn_t3 *t, int i, int64_t q0, int64_t q1) {
    sn_real *p = sn_row(t, i);
    for (int64_t q = q0; q < q1; q++) memset(p + q * t->ld, 0, (size_t)t->ch * sizeof *p);
}

static void SN_T(pool_zero)(const struct sn_t3 *t, int i) {
    SN_T(pool_clear)(t, i, 0, t->len[i]);
}

SN_INLINE void SN_T(max_window)(const sn_real *x, int64_t ld, int64_t n, sn_real *y, int nv, int lanes) {
    sn_vec best[8];
    SN_UNROLL
    for (int v = 0; v < nv; v++) best[v] = sn_vget(x + v * SN_VEC, lanes);
    for (int64_t t = 1; t < n; t++) {
        x += ld;
        SN_UNROLL
        for (int v = 0; v < nv; v++) best[v] = sn_vmax(sn_vget(x + v * SN_VEC, lanes), best[v]);
    }
    SN_UNROLL
    for (int v = 0; v < nv; v++) sn_vput(y + v * SN_VEC, best[v], lanes);
}

static void SN_T(max_pool_fwd)(const struct sn_pool_fwd *a) {
    int ch = a->y.ch;
    for (int i = 0; i < a->n; i++)
        for (int64_t q = 0; q < a->y.len[i]; q++) {
            const struct SN_T(window) w = SN_T(pool_window)(&a->s, q, a->x.len[i]);
            const sn_real *x = sn_row(&a->x, i) + w.lo * a->x.ld;
            sn_real *y = sn_row(&a->y, i) + q * a->y.ld;
            if (w.lo >= w.hi) {
                memset(y, 0, (size_t)ch * sizeof *y);
                continue;
            }
#define SN_BODY(c, nv, lanes) SN_T(max_window)(x + (c), a->x.ld, w.hi - w.lo, y + (c), nv, lanes)
            SN_EACH_COLUMNS(ch, SN_BODY);
#undef SN_BODY
        }
}

/* dx of the window's n cells: dy for the first largest x, 0 for the others; with `add`, dy is added to the winner's. */
SN_INLINE void SN_T(max_window_bwd)(const sn_real *x, int64_t ld, int64_t n, const sn_real *dy, sn_real *dx, int64_t dx_ld, bool add,
                                    int nv, int lanes) {
    sn_vec best[4], g[4];
    sn_ivec arg[4];
    SN_UNROLL
    for (int v = 0; v < nv; v++) {
        best[v] = sn_vget(x + v * SN_VEC, lanes);
        g[v] = sn_vget(dy + v * SN_VEC, lanes);
        arg[v] = (sn_ivec){0};
    }
    for (int64_t t = 1; t < n; t++) {
        x += ld;
        SN_UNROLL
        for (int v = 0; v < nv; v++) {
            sn_vec u = sn_vget(x + v * SN_VEC, lanes);
            sn_ivec more = u > best[v];
            arg[v] = sn_vpick(more, (sn_ivec){0} + (sn_int)t, arg[v]);
            best[v] = sn_vmax(u, best[v]);
        }
    }
    for (int64_t t = 0; t < n; t++, dx += dx_ld) SN_UNROLL
    for (int v = 0; v < nv; v++) {
        sn_vec d = (sn_vec)((sn_ivec)g[v] & (arg[v] == (sn_int)t));
        if (add) d += sn_vget(dx + v * SN_VEC, lanes);
        sn_vput(dx + v * SN_VEC, d, lanes);
    }
}

static void SN_T(max_pool_bwd)(const struct sn_pool_bwd *a) {
    int ch = a->dx.ch;
    bool add = a->s.size > a->s.stride; /* windows overlap */
    for (int i = 0; i < a->n; i++) {
        int64_t len = a->dx.len[i], done = 0; /* cells that are written */
        if (add) SN_T(pool_zero)(&a->dx, i);
        for (int64_t q = 0; q < a->dy.len[i]; q++) {
            const struct SN_T(window) w = SN_T(pool_window)(&a->s, q, len);
            const sn_real *x = sn_row(&a->x, i) + w.lo * a->x.ld, *dy = sn_row(&a->dy, i) + q * a->dy.ld;
            sn_real *dx = sn_row(&a->dx, i) + w.lo * a->dx.ld;
            if (w.lo >= w.hi) continue;
            if (!add) SN_T(pool_clear)(&a->dx, i, done, w.lo);
            done = w.hi;
            int c = 0;
            for (; c + 4 * SN_VEC <= ch; c += 4 * SN_VEC)
                SN_T(max_window_bwd)(x + c, a->x.ld, w.hi - w.lo, dy + c, dx + c, a->dx.ld, add, 4, SN_VEC);
            for (; c + SN_VEC <= ch; c += SN_VEC)
                SN_T(max_window_bwd)(x + c, a->x.ld, w.hi - w.lo, dy + c, dx + c, a->dx.ld, add, 1, SN_VEC);
            if (c < ch) SN_T(max_window_bwd)(x + c, a->x.ld, w.hi - w.lo, dy + c, dx + c, a->dx.ld, add, 1, ch - c);
        }
        if (!add) SN_T(pool_clear)(&a->dx, i, done, len);
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
            sn_real *y = sn_row(&a->y, i) + q * a->y.ld, count = (sn_real)(w.hi - w.lo);
            memset(y, 0, (size_t)ch * sizeof *y);
            if (w.lo >= w.hi) continue;
            sn_col_sum(sn_row(&a->x, i), a->x.ld, w.lo, w.hi, SN_KBLOCK, ch, y);
            for (int c = 0; c < ch; c++) y[c] /= count;
        }
}

/* dx of n cells = dy / n; with `add`, dy / n is added. */
SN_INLINE void SN_T(avg_window_bwd)(const sn_real *dy, sn_real *dx, int64_t ld, int64_t n, bool add, int nv, int lanes) {
    sn_vec part[8];
    SN_UNROLL
    for (int v = 0; v < nv; v++) part[v] = sn_vget(dy + v * SN_VEC, lanes) / (sn_real)n;
    for (int64_t t = 0; t < n; t++, dx += ld) SN_UNROLL
    for (int v = 0; v < nv; v++) {
        sn_vec d = part[v];
        if (add) d += sn_vget(dx + v * SN_VEC, lanes);
        sn_vput(dx + v * SN_VEC, d, lanes);
    }
}

static void SN_T(avg_pool_bwd)(const struct sn_pool_bwd *a) {
    int ch = a->dx.ch;
    bool add = a->s.size > a->s.stride;
    for (int i = 0; i < a->n; i++) {
        int64_t len = a->dx.len[i], done = 0;
        if (add) SN_T(pool_zero)(&a->dx, i);
        for (int64_t q = 0; q < a->dy.len[i]; q++) {
            const struct SN_T(window) w = SN_T(pool_window)(&a->s, q, len);
            const sn_real *dy = sn_row(&a->dy, i) + q * a->dy.ld;
            if (w.lo >= w.hi) continue;
            if (!add) SN_T(pool_clear)(&a->dx, i, done, w.lo);
            done = w.hi;
            sn_real *dx = sn_row(&a->dx, i) + w.lo * a->dx.ld;
#define SN_BODY(c, nv, lanes) SN_T(avg_window_bwd)(dy + (c), dx + (c), a->dx.ld, w.hi - w.lo, add, nv, lanes)
            SN_EACH_COLUMNS(ch, SN_BODY);
#undef SN_BODY
        }
        if (!add) SN_T(pool_clear)(&a->dx, i, done, len);
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
