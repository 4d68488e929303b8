/* Matrix product in portable C: the same sums as the vector kernels, by panels of columns small enough for registers. */
#define SN_NR 16
#define SN_ZEROS SN_NR
#include "cpu/tmpl/panel.h"

static size_t SN_T(gemm_ws)(void) {
    return SN_KBLOCK * SN_NR * sizeof(sn_real);
}

/* `cols` columns of C from column j on += A(:, k0:k0+k) times a panel of B. */
static void SN_T(gemm_panel)(const struct sn_gemm *g, int64_t j, int cols, int64_t k0, int64_t k, const sn_real *panel) {
    const struct sn_gemm_start s = SN_T(gemm_start)(g, k0);
    for (int64_t i = 0; i < g->m; i++) {
        const sn_real *a = g->a + i * g->a_rs, *b = panel;
        sn_vec sum[SN_NR / SN_VEC] = {0};
        for (int64_t t = 0; t < k; t++, b += SN_NR)
            for (int v = 0; v < SN_NR / SN_VEC; v++)
                sum[v] = SN_FMA(a[SN_T(gemm_column)(g, k0 + t)], *(const sn_vec *)(b + v * SN_VEC), sum[v]);
        for (int c = 0; c < cols; c++) g->c[i * g->c_rs + j + c] = s.p[i * s.rs + (j + c) * s.cs] + sum[c / SN_VEC][c % SN_VEC];
    }
}

static void SN_T(gemm)(const struct sn_gemm *g) {
    sn_real *ws = g->ws;
    if (g->k == 0) SN_T(gemm_empty)(g);
    for (int64_t j = 0; j < g->n; j += SN_NR) {
        int cols = sn_imin(g->n - j, SN_NR);
        for (int64_t k0 = 0; k0 < g->k; k0 += SN_KBLOCK) {
            int64_t k = sn_imin(g->k - k0, SN_KBLOCK), step;
            const sn_real *panel = ws;
            if (g->packed_b)
                panel = SN_T(gemm_packed)(g, j, k0, &step);
            else
                SN_T(pack_panel)(g->b + k0 * g->b_rs + j * g->b_cs, g->b_rs, g->b_cs, k, cols, ws);
            SN_T(gemm_panel)(g, j, cols, k0, k, panel);
        }
    }
}

/* One row of a leaf's sum over columns [j, j+cols). */
static void SN_T(outer_leaf)(const struct sn_outer *o, int64_t i, int64_t j, int cols, int r0, int r1, sn_real *sum) {
    for (int c = 0; c < cols; c++) sum[c] = 0;
    for (int b = r0; b < r1; b += SN_KBLOCK) {
        sn_real part[SN_NR] = {0};
        for (int r = b; r < r1 && r < b + SN_KBLOCK; r++)
            for (int c = 0; o->len[r] > 0 && c < cols; c++) part[c] = SN_FMA(o->a[r * o->a_row + i], o->b[r * o->b_row + j + c], part[c]);
        for (int c = 0; c < cols; c++) sum[c] += part[c];
    }
}

static void SN_T(outer)(const struct sn_outer *o) {
    sn_real leaf[SN_OUTER_LEAVES][SN_NR];
    for (int64_t i = 0; o->rows > 0 && i < o->m; i++)
        for (int64_t j = 0; j < o->n; j += SN_NR) {
            const int cols = sn_imin(o->n - j, SN_NR);
            for (int l = 0; l < o->leaves; l++) SN_T(outer_leaf)(o, i, j, cols, SN_T(outer_row)(o, l), SN_T(outer_row)(o, l + 1), leaf[l]);
            for (int step = 1; step < o->leaves; step *= 2)
                for (int l = 0; l + step < o->leaves; l += 2 * step)
                    for (int c = 0; c < cols; c++) leaf[l][c] += leaf[l + step][c];
            for (int c = 0; c < cols; c++) o->c[i * o->c_rs + j + c] += leaf[0][c];
        }
}

static void SN_T(fill_gemm)(struct sn_kernels *k) {
    k->provider = "own";
    k->gemm_nr = SN_NR;
    k->gemm_ws = SN_T(gemm_ws);
    k->gemm_pack_bytes = SN_T(gemm_pack_bytes);
    k->gemm = SN_T(gemm);
    k->gemm_pack = SN_T(gemm_pack);
    k->outer = SN_T(outer);
}
