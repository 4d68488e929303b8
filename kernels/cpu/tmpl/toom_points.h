/* The transforms of Toom-Cook filtering, one vector of channels at a time (Lavin and Gray 2016; points of Barabasz et al. 2020).
 *
 * With P the polynomials prod_{q != p} (x - q) over the finite points and V the powers p^j of the points:
 *   input    z = P x        `points` values -> points     (one row per point; infinity: the product over all)
 *   spread   z = V v        m outputs' gradients, or r taps -> points
 *   gather   v = V^T z      points -> m outputs, or r taps
 * and y = V_m^T ((g . V_r w) . P x), g[p] = 1 / prod_{q != p} (p - q). Points come as pairs +-p, so that even and odd powers are summed
 * once. With 7 points every row of P but that of 1/2 has the factor (x - 1/2), which is taken first. Every operation is written out: the
 * same bits on any ISA with FMA. */
#ifndef SN_KERNELS_TOOM_POINTS_H
#define SN_KERNELS_TOOM_POINTS_H

#include "conv_rule.h"
#include "cpu/tmpl/common.h"

#define SN_TOOM_POINTS 8
#define SN_TOOM_FMA(s, a, b) sn_vfma((sn_vec){0} + (sn_real)(s), a, b)

SN_INLINE void SN_T(toom_input7)(const sn_vec *x, sn_vec *z) {
    sn_vec d[6];
    SN_UNROLL
    for (int u = 0; u < 6; u++) d[u] = SN_TOOM_FMA(-0.5f, x[u], x[u + 1]);
    z[0] = SN_TOOM_FMA(4.0f, d[0], SN_TOOM_FMA(-5.0f, d[2], d[4]));
    const sn_vec e1 = SN_TOOM_FMA(-4.0f, d[2], d[4]), o1 = SN_TOOM_FMA(-4.0f, d[1], d[3]), e2 = d[4] - d[2], o2 = d[3] - d[1];
    z[1] = e1 + o1, z[2] = e1 - o1;
    z[3] = SN_TOOM_FMA(2.0f, o2, e2), z[4] = SN_TOOM_FMA(-2.0f, o2, e2);
    z[5] = SN_TOOM_FMA(4.0f, x[1], SN_TOOM_FMA(-5.0f, x[3], x[5]));
    z[6] = SN_TOOM_FMA(4.0f, d[1], SN_TOOM_FMA(-5.0f, d[3], d[5]));
}

SN_INLINE void SN_T(toom_input8)(const sn_vec *x, sn_vec *z) {
    z[0] = SN_TOOM_FMA(5.25f, x[4] - x[2], x[0] - x[6]);
    z[7] = SN_TOOM_FMA(5.25f, x[3] - x[5], x[7] - x[1]);
    const sn_vec e1 = SN_TOOM_FMA(-4.25f, x[4], x[2] + x[6]), o1 = SN_TOOM_FMA(-4.25f, x[3], x[1] + x[5]);
    z[1] = e1 + o1, z[2] = e1 - o1;
    const sn_vec e2 = SN_TOOM_FMA(0.25f, x[2], SN_TOOM_FMA(-1.25f, x[4], x[6]));
    const sn_vec o2 = SN_TOOM_FMA(0.25f, x[1], SN_TOOM_FMA(-1.25f, x[3], x[5]));
    z[3] = SN_TOOM_FMA(2.0f, o2, e2), z[4] = SN_TOOM_FMA(-2.0f, o2, e2);
    const sn_vec e3 = SN_TOOM_FMA(4.0f, x[2], SN_TOOM_FMA(-5.0f, x[4], x[6]));
    const sn_vec o3 = SN_TOOM_FMA(4.0f, x[1], SN_TOOM_FMA(-5.0f, x[3], x[5]));
    z[5] = SN_TOOM_FMA(0.5f, o3, e3), z[6] = SN_TOOM_FMA(-0.5f, o3, e3);
}

/* Sums of the even or odd (from = 1) ones of v (n), times powers of s2, the square of the point. */
SN_INLINE sn_vec SN_T(toom_half)(const sn_vec *v, const int n, const int from, const float s2) {
    if (n <= from + 2) return v[from];
    if (n <= from + 4) return SN_TOOM_FMA(s2, v[from + 2], v[from]);
    return SN_TOOM_FMA(s2, SN_TOOM_FMA(s2, v[from + 4], v[from + 2]), v[from]);
}

SN_INLINE void SN_T(toom_spread)(const sn_vec *v, const int n, const int points, sn_vec *z) {
    const sn_vec e1 = SN_T(toom_half)(v, n, 0, 1.0f), o1 = SN_T(toom_half)(v, n, 1, 1.0f);
    const sn_vec e2 = SN_T(toom_half)(v, n, 0, 4.0f), o2 = SN_T(toom_half)(v, n, 1, 4.0f);
    const sn_vec e3 = SN_T(toom_half)(v, n, 0, 0.25f), o3 = SN_T(toom_half)(v, n, 1, 0.25f);
    z[0] = v[0];
    z[1] = e1 + o1, z[2] = e1 - o1;
    z[3] = SN_TOOM_FMA(2.0f, o2, e2), z[4] = SN_TOOM_FMA(-2.0f, o2, e2);
    z[5] = SN_TOOM_FMA(0.5f, o3, e3);
    if (points == 8) z[6] = SN_TOOM_FMA(-0.5f, o3, e3);
    z[points - 1] = v[n - 1];
}

SN_INLINE void SN_T(toom_gather)(const sn_vec *z, const int points, const int n, sn_vec *v) {
    static const float up[] = {1, 2, 4, 8, 16, 32}, down[] = {1, 0.5f, 0.25f, 0.125f, 0.0625f, 0.03125f};
    const sn_vec s1 = z[1] + z[2], d1 = z[1] - z[2], s2 = z[3] + z[4], d2 = z[3] - z[4];
    sn_vec s3 = z[5], d3 = z[5];
    if (points == 8) s3 += z[6], d3 -= z[6];
    v[0] = z[0] + s1 + (s2 + s3);
    SN_UNROLL
    for (int j = 1; j < n; j++) v[j] = SN_TOOM_FMA(down[j], j % 2 ? d3 : s3, SN_TOOM_FMA(up[j], j % 2 ? d2 : s2, j % 2 ? d1 : s1));
    v[n - 1] += z[points - 1];
}

/* The factors g. */
SN_INLINE void SN_T(toom_scale)(sn_vec *z, const int points) {
    static const sn_real g7[] = {-0.5, -1.0 / 3, 1.0 / 9, 1.0 / 36, -1.0 / 60, 32.0 / 45, 1};
    static const sn_real g8[] = {1, -2.0 / 9, -2.0 / 9, 1.0 / 90, 1.0 / 90, 32.0 / 45, 32.0 / 45, 1};
    SN_UNROLL
    for (int p = 0; p < points; p++) z[p] = (points == 8 ? g8[p] : g7[p]) * z[p];
}

/* The same over n channels. Transformed values: point p at z + p*zp, padded to whole vectors; others at their own addresses. */
SN_INLINE void SN_T(toom_input_loop)(const sn_real *const *x, const int points, int64_t n, sn_real *z, int64_t zp) {
    for (int64_t e = 0; e < n; e += SN_VEC) {
        sn_vec a[SN_TOOM_POINTS], b[SN_TOOM_POINTS];
        SN_UNROLL
        for (int u = 0; u < points; u++) a[u] = sn_vget(x[u] + e, sn_imin(n - e, SN_VEC));
        if (points == 8)
            SN_T(toom_input8)(a, b);
        else
            SN_T(toom_input7)(a, b);
        SN_UNROLL
        for (int p = 0; p < points; p++) *(sn_vec *)(z + p * zp + e) = b[p];
    }
}
SN_INLINE void SN_T(toom_spread_loop)(const sn_real *const *v, const int from, const int points, int64_t n, sn_real *z, int64_t zp) {
    for (int64_t e = 0; e < n; e += SN_VEC) {
        sn_vec a[SN_TOOM_POINTS], b[SN_TOOM_POINTS];
        SN_UNROLL
        for (int j = 0; j < from; j++) a[j] = sn_vget(v[j] + e, sn_imin(n - e, SN_VEC));
        SN_T(toom_spread)(a, from, points, b);
        SN_UNROLL
        for (int p = 0; p < points; p++) *(sn_vec *)(z + p * zp + e) = b[p];
    }
}
/* v[j] = start[j] + gathered; start may be v. Then relu, if asked for, and `behind`, if there, are on top. */
struct sn_toom_to {
    const sn_real *start[SN_TOOM_POINTS], *behind[SN_TOOM_POINTS]; /* behind[0] NULL: none */
    sn_real *v[SN_TOOM_POINTS];
    bool relu;
};
SN_INLINE void SN_T(toom_gather_loop)(const sn_real *z, int64_t zp, const int points, const bool scaled, int64_t n,
                                      const struct sn_toom_to *t, const int to) {
    const bool relu = t->relu, more = t->behind[0] != NULL;
    for (int64_t e = 0; e < n; e += SN_VEC) {
        sn_vec a[SN_TOOM_POINTS], b[SN_TOOM_POINTS];
        SN_UNROLL
        for (int p = 0; p < points; p++) a[p] = *(const sn_vec *)(z + p * zp + e);
        if (scaled) SN_T(toom_scale)(a, points);
        SN_T(toom_gather)(a, points, to, b);
        SN_UNROLL
        for (int j = 0; j < to; j++) {
            const int lanes = sn_imin(n - e, SN_VEC);
            sn_vec y = sn_vget(t->start[j] + e, lanes) + b[j];
            if (relu) y = sn_vmax((sn_vec){0}, y);
            if (more) y += sn_vget(t->behind[j] + e, lanes);
            sn_vput(t->v[j] + e, y, lanes);
        }
    }
}
/* Taps to weights at the points, in place: slot j of z holds tap j. */
SN_INLINE void SN_T(toom_weights_loop)(sn_real *z, int64_t zp, const int from, const int points, int64_t n) {
    for (int64_t e = 0; e < n; e += SN_VEC) {
        sn_vec a[SN_TOOM_POINTS], b[SN_TOOM_POINTS];
        SN_UNROLL
        for (int j = 0; j < from; j++) a[j] = sn_vget(z + j * zp + e, sn_imin(n - e, SN_VEC));
        SN_T(toom_spread)(a, from, points, b);
        SN_T(toom_scale)(b, points);
        SN_UNROLL
        for (int p = 0; p < points; p++) sn_vput(z + p * zp + e, b[p], sn_imin(n - e, SN_VEC));
    }
}

static void SN_T(toom_input)(const struct sn_toom *t, const sn_real *const *x, int64_t n, sn_real *z, int64_t zp) {
    if (t->points == 7)
        SN_T(toom_input_loop)(x, 7, n, z, zp);
    else
        SN_T(toom_input_loop)(x, 8, n, z, zp);
}

/* Of a tile of m gradients. */
static void SN_T(toom_spread_tile)(const struct sn_toom *t, const sn_real *const *v, int64_t n, sn_real *z, int64_t zp) {
    if (t->points == 7)
        SN_T(toom_spread_loop)(v, 4, 7, n, z, zp);
    else if (t->m == 6)
        SN_T(toom_spread_loop)(v, 6, 8, n, z, zp);
    else
        SN_T(toom_spread_loop)(v, 4, 8, n, z, zp);
}

/* To a tile of m outputs. */
static void SN_T(toom_gather_tile)(const struct sn_toom *t, const sn_real *z, int64_t zp, int64_t n, const struct sn_toom_to *to) {
    if (t->points == 7)
        SN_T(toom_gather_loop)(z, zp, 7, false, n, to, 4);
    else if (t->m == 6)
        SN_T(toom_gather_loop)(z, zp, 8, false, n, to, 6);
    else
        SN_T(toom_gather_loop)(z, zp, 8, false, n, to, 4);
}

/* To a chunk of r taps. */
static void SN_T(toom_gather_taps)(const struct sn_toom *t, const sn_real *z, int64_t zp, int64_t n, const struct sn_toom_to *to) {
    if (t->points == 7)
        SN_T(toom_gather_loop)(z, zp, 7, true, n, to, 4);
    else if (t->r == 3)
        SN_T(toom_gather_loop)(z, zp, 8, true, n, to, 3);
    else
        SN_T(toom_gather_loop)(z, zp, 8, true, n, to, 5);
}

static void SN_T(toom_weights)(const struct sn_toom *t, sn_real *z, int64_t zp, int64_t n) {
    if (t->points == 7)
        SN_T(toom_weights_loop)(z, zp, 4, 7, n);
    else if (t->r == 3)
        SN_T(toom_weights_loop)(z, zp, 3, 8, n);
    else
        SN_T(toom_weights_loop)(z, zp, 5, 8, n);
}

#endif
