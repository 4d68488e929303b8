/* The kernel tables as a program gets them: by instruction set, and with the OpenBLAS module, loaded, missing or wrong. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/mem.h"
#include "module.h"
#include "unit.h"

static float *values(int64_t n, uint32_t seed) {
    float *p = sn_aligned_alloc((size_t)(n + 1) * sizeof *p);
    ck_assert_ptr_nonnull(p);
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (float)(seed >> 8) / (float)(1 << 24) - 0.5f;
    }
    return p;
}

static void *bytes(size_t n) {
    return values((int64_t)(n / sizeof(float)), 1);
}

static void same(const float *a, const float *b, int64_t n, const char *what) {
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabsf(a[i] - b[i]) < 1e-4f, "%s: value %lld is %g, expected %g", what, (long long)i, a[i], b[i]);
}

/* ref, and ref with the module's slots. False where this build has no module. */
static bool tables(struct sn_kernels *ref, struct sn_kernels *blas) {
    char path[4096];
    const char *dir = getenv("SEQNET_MODULE_PATH");
    snprintf(path, sizeof path, "%s/seqnet-openblas.so", dir ? dir : ".");
    sn_kernels_ref(ref);
    sn_kernels_ref(blas);
    if (access(path, R_OK) != 0) return false;
    ck_assert_msg(sn_kernels_openblas(blas) == 0, "%s", seqnet_errmsg());
    return true;
}

START_TEST(every_slot_is_there) {
    enum sn_isa best;
    ck_assert_int_eq(sn_isa_detect(&best), 0);
    for (int isa = SN_ISA_REF; isa <= (int)best; isa++) {
        struct sn_kernels k;
        sn_kernels_init(&k, isa);
        ck_assert_str_eq(k.isa, sn_isa_name(isa));
        ck_assert_str_eq(k.provider, "own");
        ck_assert_int_gt(k.gemm_nr, 0);
#define SLOT(slot, args) ck_assert_msg(k.slot != NULL, "%s has no " #slot, k.isa);
        SN_KERNELS(SLOT)
#undef SLOT
    }
}
END_TEST

static void refused(const char *dir, const char *word) {
    struct sn_kernels k;
    sn_kernels_ref(&k);
    setenv("SEQNET_MODULE_PATH", dir, 1);
    ck_assert_int_eq(sn_kernels_openblas(&k), SEQNET_ENOTSUP);
    ck_assert_msg(strstr(seqnet_errmsg(), dir) && strstr(seqnet_errmsg(), word), "%s", seqnet_errmsg());
    ck_assert_str_eq(k.provider, "own");
}

START_TEST(missing_module) {
    refused("/nonexistent", "not found");
}
END_TEST

START_TEST(wrong_module) {
    refused(WRONG_MODULE_DIR, "expected module interface");
}
END_TEST

START_TEST(module_table) {
    struct sn_kernels ref, blas;
    if (!tables(&ref, &blas)) return;
    ck_assert_msg(strncmp(blas.provider, "openblas (", 10) == 0, "%s", blas.provider);
    ck_assert_str_eq(blas.isa, "ref");
    ck_assert_ptr_ne((void *)(uintptr_t)blas.gemm, (void *)(uintptr_t)ref.gemm);
    ck_assert_ptr_ne((void *)(uintptr_t)blas.lstm_attr, (void *)(uintptr_t)ref.lstm_attr);
    ck_assert_ptr_eq((void *)(uintptr_t)blas.codes_fwd, (void *)(uintptr_t)ref.codes_fwd);
}
END_TEST

/* m, n, k, strides of A and B, prepacked B from column 32 on, bias, accumulate. */
static const struct product {
    int64_t m, n, k, a_rs, a_cs, b_rs, b_cs;
    int packed, bias, accumulate;
} products[] = {
    {5, 7, 9, 9, 1, 7, 1, 0, 1, 0},     {5, 7, 300, 12, 1, 9, 1, 0, 0, 1},  {40, 33, 20, 1, 40, 1, 20, 0, 0, 0},
    {9, 11, 6, 13, 2, 34, 3, 0, 1, 1},  {6, 8, 0, 1, 1, 8, 1, 0, 1, 0},     {6, 8, 0, 1, 1, 8, 1, 0, 0, 1},
    {7, 21, 600, 5, 1, 53, 1, 1, 1, 0}, {1, 5, 1500, 3, 2, 53, 1, 1, 0, 1}, {300, 3, 1500, 8, 1, 9, 3, 0, 1, 0},
};

static float *product(const struct sn_kernels *k, const struct product *p, const float *a, const float *b, const float *bias) {
    float *c = values(p->m * (p->n + 2), 4);
    void *ws = bytes(k->gemm_ws()), *packed = bytes(k->gemm_pack_bytes(p->k, p->n + 32));
    struct sn_gemm g = {
        .m = p->m, .n = p->n, .k = p->k, .a = a, .a_rs = p->a_rs, .a_cs = p->a_cs, .b = b, .b_rs = p->b_rs, .b_cs = p->b_cs};
    g.c = c, g.c_rs = p->n + 2, g.bias = p->bias ? bias : NULL, g.accumulate = p->accumulate, g.ws = ws;
    if (p->packed) {
        k->gemm_pack(&(struct sn_gemm_pack){.n = p->n + 32, .k = p->k, .b = b, .b_rs = p->b_rs, .b_cs = p->b_cs, .dst = packed});
        g.b = NULL, g.packed_b = (char *)packed + k->gemm_pack_bytes(p->k, 32);
    }
    k->gemm(&g);
    sn_aligned_free(ws), sn_aligned_free(packed);
    return c;
}

START_TEST(module_gemm) {
    struct sn_kernels ref, blas;
    if (!tables(&ref, &blas)) return;
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        const struct product *p = &products[i];
        float *a = values(p->m * p->a_rs + p->k * p->a_cs, 2), *b = values(p->k * p->b_rs + (p->n + 32) * p->b_cs, 3),
              *bias = values(p->n, 5);
        float *x = product(&ref, p, a, b, bias), *y = product(&blas, p, a, b, bias);
        char what[32];
        snprintf(what, sizeof what, "product %zu", i);
        same(y, x, p->m * (p->n + 2), what);
        sn_aligned_free(a), sn_aligned_free(b), sn_aligned_free(bias), sn_aligned_free(x), sn_aligned_free(y);
    }
}
END_TEST

enum { ROWS = 2, LEN = 9, UNITS = 6, TAPS = 4 };
static const int32_t lens[ROWS] = {LEN, 5};

/* y, dx, dw of a convolution with padding, stride 2. */
static void convolve(const struct sn_kernels *k, float *y, float *dx, float *dw) {
    const struct sn_conv s = {TAPS, 3, UNITS, 2, 1, 1, 0};
    const int32_t out[ROWS] = {4, 2};
    float *x = values(ROWS * LEN * 3, 2), *w = values(TAPS * 3 * UNITS, 3), *dy = values(ROWS * LEN * UNITS, 4);
    void *fwd = bytes(k->conv_fwd_bytes(&s)), *bwd = bytes(k->conv_bwd_bytes(&s)), *ws = bytes(k->conv_ws(&s, LEN));
    const struct sn_t3 tx = {x, LEN * 3, 3, 3, lens}, ty = {y, LEN * UNITS, UNITS, UNITS, out}, tdy = {dy, LEN * UNITS, UNITS, UNITS, out};
    k->conv_prepare(&(struct sn_conv_prepare){.s = s, .w = w, .fwd = fwd, .bwd = bwd});
    k->conv_fwd(&(struct sn_conv_fwd){.s = s, .n = ROWS, .x = tx, .w = fwd, .y = ty, .ws = ws});
    k->conv_bwd_data(&(struct sn_conv_bwd_data){.s = s, .n = ROWS, .dy = tdy, .w = bwd, .dx = {dx, LEN * 3, 3, 3, lens}, .ws = ws});
    k->conv_bwd_filter(&(struct sn_conv_bwd_filter){.s = s, .n = ROWS, .o1 = TAPS * 3, .x = tx, .dy = tdy, .dw = dw, .ws = ws});
    sn_aligned_free(x), sn_aligned_free(w), sn_aligned_free(dy), sn_aligned_free(fwd), sn_aligned_free(bwd), sn_aligned_free(ws);
}

START_TEST(module_conv) {
    struct sn_kernels ref, blas;
    if (!tables(&ref, &blas)) return;
    float y[2][ROWS * LEN * UNITS] = {{0}}, dx[2][ROWS * LEN * 3] = {{0}}, dw[2][TAPS * 3 * UNITS] = {{0}};
    convolve(&ref, y[0], dx[0], dw[0]);
    convolve(&blas, y[1], dx[1], dw[1]);
    same(y[1], y[0], ROWS * LEN * UNITS, "y");
    same(dx[1], dx[0], ROWS * LEN * 3, "dx");
    same(dw[1], dw[0], TAPS * 3 * UNITS, "dw");
}
END_TEST

/* States and gradients of the pre-activations, right to left. */
static void recur(const struct sn_kernels *k, float *y, float *da, float *du) {
    const int64_t wide = 4 * UNITS, cells = ROWS * LEN * UNITS;
    float *xp = values(4 * cells, 2), *u = values(UNITS * wide, 3), *gates = values(4 * cells, 4), *c = values(3 * cells, 5);
    void *pu = bytes(k->gemm_pack_bytes(UNITS, wide)), *put = bytes(k->gemm_pack_bytes(wide, UNITS)), *ws = bytes(k->lstm_ws(ROWS, UNITS));
    k->gemm_pack(&(struct sn_gemm_pack){.n = wide, .k = UNITS, .b = u, .b_rs = wide, .b_cs = 1, .dst = pu});
    k->gemm_pack(&(struct sn_gemm_pack){.n = UNITS, .k = wide, .b = u, .b_rs = 1, .b_cs = wide, .dst = put});
    const struct sn_t3 ty = {y, LEN * UNITS, UNITS, UNITS, lens}, tda = {da, LEN * wide, (int)wide, (int)wide, lens};
    struct sn_lstm_fwd f = {
        .n = ROWS, .units = UNITS, .reverse = 1, .xp = {xp, LEN * wide, (int)wide, (int)wide, lens}, .u = pu, .y = ty, .ws = ws};
    f.gates = gates, f.c = c, f.tc = c + cells, f.h = c + 2 * cells, f.gates_row = LEN * wide, f.c_row = LEN * UNITS;
    k->lstm_fwd(&f);
    k->lstm_bwd(&(struct sn_lstm_bwd){.n = ROWS,
                                      .units = UNITS,
                                      .reverse = 1,
                                      .dy = ty,
                                      .ut = put,
                                      .gates = gates,
                                      .c = f.c,
                                      .gates_row = f.gates_row,
                                      .c_row = f.c_row,
                                      .da = tda,
                                      .ws = ws});
    k->lstm_du(&(struct sn_lstm_du){.n = ROWS, .units = UNITS, .reverse = 1, .h = f.h, .h_row = f.c_row, .da = tda, .du = du, .ws = ws});
    sn_aligned_free(xp), sn_aligned_free(u), sn_aligned_free(gates), sn_aligned_free(c);
    sn_aligned_free(pu), sn_aligned_free(put), sn_aligned_free(ws);
}

START_TEST(module_lstm) {
    struct sn_kernels ref, blas;
    if (!tables(&ref, &blas)) return;
    float y[2][ROWS * LEN * UNITS] = {{0}}, da[2][4 * ROWS * LEN * UNITS] = {{0}}, du[2][4 * UNITS * UNITS] = {{0}};
    recur(&ref, y[0], da[0], du[0]);
    recur(&blas, y[1], da[1], du[1]);
    same(y[1], y[0], ROWS * LEN * UNITS, "y");
    same(da[1], da[0], 4 * ROWS * LEN * UNITS, "da");
    same(du[1], du[0], 4 * UNITS * UNITS, "du");
}
END_TEST

int main(void) {
    Suite *s = suite_create("module");
    TCase *t = tcase_create("module");
    tcase_add_test(t, every_slot_is_there);
    tcase_add_test(t, missing_module);
    tcase_add_test(t, wrong_module);
    tcase_add_test(t, module_table);
    tcase_add_test(t, module_gemm);
    tcase_add_test(t, module_conv);
    tcase_add_test(t, module_lstm);
    suite_add_tcase(s, t);
    return unit_run(s);
}
