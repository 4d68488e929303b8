/* seqnet-openblas.so: the GEMM slots, and the convolution and LSTM templates on top of them, by cblas_sgemm. A packed B is its transpose
 * (n,k), so that columns stay addressable. Bits depend on OpenBLAS, the CPU and the shape of a call, not on the number of threads: BLAS
 * runs in the calling thread. */
#include <cblas.h>
#undef I /* <complex.h>, from cblas.h */

#include <limits.h>
#include <stdio.h>

#include "module.h"
#include "seqnet/export.h"
#include "seqnet/version.h"

#define SN_T(name) openblas_##name
#define SN_FMA(a, b, c) ((a) * (b) + (c))
#define SN_NR 1
#define SN_ZEROS 1
#include "cpu/tmpl/panel.h"

#define SN_COPY (1 << 18) /* floats of A and of B copied at a time */
#define SN_COPY_K 1024

static size_t openblas_gemm_ws(void) {
    return 2 * SN_COPY * sizeof(float);
}

/* A matrix as BLAS takes it: rows ld apart, or, transposed, columns. p NULL: neither, it has to be copied. */
struct sn_operand {
    const float *p;
    int64_t ld;
    bool transposed;
};
static struct sn_operand openblas_operand(const float *p, int64_t rows, int64_t cols, int64_t rs, int64_t cs) {
    if (cs == 1 && rs >= cols && rs <= INT_MAX) return (struct sn_operand){p, rs, false};
    if (rs == 1 && cs >= rows && cs <= INT_MAX) return (struct sn_operand){p, cs, true};
    return (struct sn_operand){NULL, cols, false};
}

static const float *openblas_copy(const float *p, int64_t rows, int64_t cols, int64_t rs, int64_t cs, float *dst) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) dst[i * cols + j] = p[i * rs + j * cs];
    return dst;
}

/* C += A B for a part that fits the copies. */
static void openblas_part(const struct sn_gemm *g, bool add) {
    float *ws = g->ws;
    struct sn_operand a = openblas_operand(g->a, g->m, g->k, g->a_rs, g->a_cs), b = openblas_operand(g->b, g->k, g->n, g->b_rs, g->b_cs);
    if (!a.p) a.p = openblas_copy(g->a, g->m, g->k, g->a_rs, g->a_cs, ws);
    if (!b.p) b.p = openblas_copy(g->b, g->k, g->n, g->b_rs, g->b_cs, ws + SN_COPY);
    cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans, b.transposed ? CblasTrans : CblasNoTrans, (int)g->m, (int)g->n,
                (int)g->k, 1.0f, a.p, (int)a.ld, b.p, (int)b.ld, add ? 1.0f : 0.0f, g->c, (int)g->c_rs);
}

static void openblas_gemm(const struct sn_gemm *g);

/* Columns of A in runs: one product after the other. */
static void openblas_runs(const struct sn_gemm *g) {
    struct sn_gemm q = *g;
    int64_t step;
    if (g->packed_b && g->packed_k == 0) q.packed_k = g->k;
    q.a_run = 0;
    for (int64_t k = 0; k < g->k; k += g->a_run) {
        q.k = g->k - k < g->a_run ? g->k - k : g->a_run, q.a = g->a + openblas_gemm_column(g, k);
        if (g->packed_b)
            q.packed_b = openblas_gemm_packed(g, 0, k, &step);
        else
            q.b = g->b + k * g->b_rs;
        openblas_gemm(&q);
        q.accumulate = 1;
    }
}

static void openblas_gemm(const struct sn_gemm *g) {
    if (g->m < 1 || g->n < 1) return;
    if (g->a_run > 0 && g->a_run < g->k) {
        openblas_runs(g);
        return;
    }
    if (g->k == 0 || (g->bias && !g->accumulate)) openblas_gemm_empty(g);
    if (g->k == 0) return;
    struct sn_gemm q = *g;
    if (g->packed_b) q.b = openblas_gemm_packed(g, 0, 0, &q.b_cs), q.b_rs = 1;
    const bool copy_a = !openblas_operand(g->a, g->m, g->k, g->a_rs, g->a_cs).p,
               copy_b = !openblas_operand(q.b, g->k, g->n, q.b_rs, q.b_cs).p;
    const int64_t kc = (copy_a || copy_b) && g->k > SN_COPY_K ? SN_COPY_K : g->k;
    const int64_t mc = copy_a && g->m > SN_COPY / kc ? SN_COPY / kc : g->m, nc = copy_b && g->n > SN_COPY / kc ? SN_COPY / kc : g->n;
    const struct sn_gemm whole = q;
    for (int64_t k = 0; k < g->k; k += kc)
        for (int64_t j = 0; j < g->n; j += nc)
            for (int64_t i = 0; i < g->m; i += mc) {
                q.a = whole.a + i * q.a_rs + k * q.a_cs, q.b = whole.b + k * q.b_rs + j * q.b_cs, q.c = whole.c + i * q.c_rs + j;
                q.k = g->k - k < kc ? g->k - k : kc, q.n = g->n - j < nc ? g->n - j : nc, q.m = g->m - i < mc ? g->m - i : mc;
                openblas_part(&q, k > 0 || g->accumulate || g->bias);
            }
}

#include "cpu/tmpl/conv.h"
#include "cpu/tmpl/lstm.h"

static void openblas_fill(struct sn_kernels *k) {
    static char provider[64];
    openblas_set_num_threads(1);
    snprintf(provider, sizeof provider, "openblas (%s)", openblas_get_corename());
    k->provider = provider;
    k->gemm_nr = SN_NR;
    k->gemm_ws = openblas_gemm_ws;
    k->gemm_pack_bytes = openblas_gemm_pack_bytes;
    k->gemm = openblas_gemm;
    k->gemm_pack = openblas_gemm_pack;
    openblas_fill_conv(k);
    openblas_fill_lstm(k);
}

SEQNET_API extern const struct sn_kernel_module sn_kernel_module;
const struct sn_kernel_module sn_kernel_module = {SN_MODULE_ABI, sizeof(struct sn_kernels), SEQNET_VERSION, openblas_fill};
