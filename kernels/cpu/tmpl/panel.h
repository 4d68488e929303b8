/* What the GEMMs share: B in panels of SN_NR columns. A panel holds its columns for all k, k-major; the last one is padded with zeros. */
#include "cpu/tmpl/common.h"

static size_t SN_T(gemm_pack_bytes)(int64_t k, int64_t n) {
    return (size_t)((n + SN_NR - 1) / SN_NR * SN_NR * k) * sizeof(sn_real);
}

#define SN_PACK_AHEAD 8 /* rows fetched ahead of the one copied: they lie too far apart for the hardware's prefetcher */

/* One panel: `cols` columns of B (b_rs, b_cs), rows [0,k). */
static void SN_T(pack_panel)(const sn_real *restrict b, int64_t b_rs, int64_t b_cs, int64_t k, int cols, sn_real *restrict dst) {
    if (b_cs == 1 && cols == SN_NR) {
        for (int64_t t = 0; t < k; t++, dst += SN_NR, b += b_rs) {
            __builtin_prefetch(b + SN_PACK_AHEAD * b_rs, 0, 3);
            __builtin_prefetch(b + SN_PACK_AHEAD * b_rs + SN_NR - 1, 0, 3);
            memcpy(dst, b, SN_NR * sizeof *dst);
        }
        return;
    }
    int64_t t = 0;
#ifdef SN_TRANSPOSE
    if (b_rs == 1 && cols == SN_NR)
        for (; t + SN_TRANSPOSE <= k; t += SN_TRANSPOSE)
            for (int j = 0; j < SN_NR; j += SN_TRANSPOSE) SN_T(transpose)(b + t + j * b_cs, b_cs, dst + t * SN_NR + j, SN_NR);
#endif
    for (; t < k; t++) {
        for (int j = 0; j < cols; j++) dst[t * SN_NR + j] = b[t * b_rs + j * b_cs];
        for (int j = cols; j < SN_NR; j++) dst[t * SN_NR + j] = 0;
    }
}

static void SN_T(gemm_pack)(const struct sn_gemm_pack *a) {
    sn_real *dst = a->dst;
    for (int64_t j = 0; j < a->n; j += SN_NR, dst += a->k * SN_NR)
        SN_T(pack_panel)(a->b + j * a->b_cs, a->b_rs, a->b_cs, a->k, sn_imin(a->n - j, SN_NR), dst);
}

/* From a row's first element of A to that of column k. */
static int64_t SN_T(gemm_column)(const struct sn_gemm *g, int64_t k) {
    return g->a_run > 0 ? k / g->a_run * g->a_jump + k % g->a_run * g->a_cs : k * g->a_cs;
}

/* Row k of the panel of a packed B that begins with column j; *panel elements from panel to panel. */
static const sn_real *SN_T(gemm_packed)(const struct sn_gemm *g, int64_t j, int64_t k, int64_t *panel) {
    const int64_t rows = g->packed_k > 0 ? g->packed_k : g->k;
    *panel = rows * SN_NR;
    return (const sn_real *)g->packed_b + j * rows + k * SN_NR;
}

/* What is added to the sum of the block of k from k0 on: element (i,j) at p[i*rs + j*cs]. */
struct sn_gemm_start {
    const sn_real *p;
    int64_t rs, cs;
};
static struct sn_gemm_start SN_T(gemm_start)(const struct sn_gemm *g, int64_t k0) {
    static const sn_real zeros[SN_ZEROS];
    if (k0 > 0 || g->accumulate) return (struct sn_gemm_start){g->c, g->c_rs, 1};
    if (g->bias) return (struct sn_gemm_start){g->bias, 0, 1};
    return (struct sn_gemm_start){zeros, 0, 0};
}

/* k = 0: C = start. */
static void SN_T(gemm_empty)(const struct sn_gemm *g) {
    const struct sn_gemm_start s = SN_T(gemm_start)(g, 0);
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < g->n; j++) g->c[i * g->c_rs + j] = s.p[i * s.rs + j * s.cs];
}

/* First row of leaf i. */
static inline int SN_T(outer_row)(const struct sn_outer *o, int i) {
    return (int)((int64_t)i * o->rows / o->leaves);
}
