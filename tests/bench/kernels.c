/* Speed of the kernels that live on matrix products: GFLOP/s (2 per multiply-add) on one core and the share of the FMA peak that a loop of
 * independent FMAs reached in the same run, for every instruction set of this CPU and for OpenBLAS. Best of several runs of CPU time of
 * the thread. Usage: kernels [WORD [ISA]]: only lines that contain WORD, only one instruction set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/mem.h"
#include "module.h"

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef void (*work_fn)(const struct sn_kernels *k, const void *args);

/* Seconds of one call: the best of 7 rounds of at least 10 ms. */
static double best_seconds(work_fn fn, const struct sn_kernels *k, const void *args) {
    double best = 1e30;
    int calls = 1;
    for (int round = 0; round < 7;) {
        double t = now();
        for (int i = 0; i < calls; i++) fn(k, args);
        t = now() - t;
        if (t < 0.01) {
            calls *= 2;
            continue;
        }
        if (t / calls < best) best = t / calls;
        round++;
    }
    return best;
}

/* ---- the peak ------------------------------------------------------------------------------------------------------------------ */

#define PEAK_CHAINS 12 /* independent FMAs: at least latency times throughput */
#define PEAK_STEPS 100000
#if defined __x86_64__
#define PEAK(name, isa, bytes)                                                                                                             \
    typedef float name##_vec __attribute__((vector_size(bytes)));                                                                          \
    __attribute__((target(isa), noinline)) static void name(const struct sn_kernels *k, const void *args) {                                \
        name##_vec x = {0}, a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, l = x, m = x;                            \
        (void)k;                                                                                                                           \
        for (int step = 0; step < PEAK_STEPS; step++)                                                                                      \
            __asm__("vfmadd231ps %12, %12, %0\n vfmadd231ps %12, %12, %1\n vfmadd231ps %12, %12, %2\n vfmadd231ps %12, %12, %3\n"          \
                    "vfmadd231ps %12, %12, %4\n vfmadd231ps %12, %12, %5\n vfmadd231ps %12, %12, %6\n vfmadd231ps %12, %12, %7\n"          \
                    "vfmadd231ps %12, %12, %8\n vfmadd231ps %12, %12, %9\n vfmadd231ps %12, %12, %10\n vfmadd231ps %12, %12, %11"          \
                    : "+x"(a), "+x"(b), "+x"(c), "+x"(d), "+x"(e), "+x"(f), "+x"(g), "+x"(h), "+x"(i), "+x"(j), "+x"(l), "+x"(m)           \
                    : "x"(x));                                                                                                             \
        **(volatile float *const *)args = (a + b + c + d + e + f + g + h + i + j + l + m)[0];                                              \
    }
PEAK(peak_avx2, "avx2,fma", 32)
PEAK(peak_avx512, "avx512f", 64)
#endif

/* GFLOP/s; 0 where it is not known. */
static double peak(enum sn_isa isa) {
    volatile float sink = 0;
    volatile float *p = &sink;
#if defined __x86_64__
    if (isa == SN_ISA_AVX512) return 2e-9 * 16 * PEAK_CHAINS * PEAK_STEPS / best_seconds(peak_avx512, NULL, &p);
    if (isa == SN_ISA_AVX2 || isa == SN_ISA_REF) return 2e-9 * 8 * PEAK_CHAINS * PEAK_STEPS / best_seconds(peak_avx2, NULL, &p);
#endif
    (void)isa, (void)p;
    return 0;
}

/* ---- the kernels --------------------------------------------------------------------------------------------------------------- */

static float *floats(int64_t n) {
    float *p = sn_aligned_alloc((size_t)n * sizeof *p);
    if (!p) exit(1);
    for (int64_t i = 0; i < n; i++) p[i] = (float)(i * 7 % 31 - 15) / 64.0f;
    return p;
}

static void *bytes(size_t n) {
    return floats((int64_t)(n / sizeof(float) + 16));
}

struct bench {
    const struct sn_kernels *k;
    const char *label, *only;
    double peak;
};

static void report(const struct bench *b, const char *name, double flop, work_fn fn, const void *args) {
    char line[256];
    snprintf(line, sizeof line, "%-28s %-40s", b->label, name);
    if (b->only && !strstr(line, b->only)) return;
    double s = best_seconds(fn, b->k, args), rate = 1e-9 * flop / s;
    printf("%s %10.1f us %7.1f GFLOP/s %5.1f %%\n", line, 1e6 * s, rate, b->peak > 0 ? 100 * rate / b->peak : 0);
}

static void run_gemm(const struct sn_kernels *k, const void *args) {
    k->gemm(args);
}

static void bench_gemm(const struct bench *b, int64_t m, int64_t n, int64_t k, bool packed, bool transposed_a) {
    float *a = floats(m * k), *w = floats(k * n), *c = floats(m * n);
    void *ws = bytes(b->k->gemm_ws()), *panels = bytes(b->k->gemm_pack_bytes(k, n));
    b->k->gemm_pack(&(struct sn_gemm_pack){.n = n, .k = k, .b = w, .b_rs = n, .b_cs = 1, .dst = panels});
    struct sn_gemm g = {
        .m = m, .n = n, .k = k, .a = a, .a_rs = transposed_a ? 1 : k, .a_cs = transposed_a ? m : 1, .b = w, .b_rs = n, .b_cs = 1};
    g.packed_b = packed ? panels : NULL, g.c = c, g.c_rs = n, g.ws = ws, g.accumulate = transposed_a;
    char name[64];
    snprintf(name, sizeof name, "gemm %ldx%ldx%ld%s%s", (long)m, (long)n, (long)k, packed ? " packed" : "", transposed_a ? " A^T" : "");
    report(b, name, 2.0 * (double)m * (double)n * (double)k, run_gemm, &g);
    free(a), free(w), free(c), free(ws), free(panels);
}

static void run_conv_fwd(const struct sn_kernels *k, const void *args) {
    k->conv_fwd(args);
}
static void run_conv_bwd_data(const struct sn_kernels *k, const void *args) {
    k->conv_bwd_data(args);
}
static void run_conv_bwd_filter(const struct sn_kernels *k, const void *args) {
    k->conv_bwd_filter(args);
}

static void bench_conv(const struct bench *b, const char *model, int rows, int len, struct sn_conv s, bool same) {
    int32_t in[64], out[64];
    const int out_len = same ? len : len - s.k + 1;
    for (int i = 0; i < rows; i++) in[i] = len, out[i] = out_len;
    float *x = floats((int64_t)rows * len * s.cin), *y = floats((int64_t)rows * out_len * s.cout),
          *w = floats((int64_t)s.k * s.cin * s.cout);
    void *fwd = bytes(b->k->conv_fwd_bytes(&s)), *bwd = bytes(b->k->conv_bwd_bytes(&s)), *ws = bytes(b->k->conv_ws(&s, len));
    b->k->conv_prepare(&(struct sn_conv_prepare){.s = s, .w = w, .fwd = fwd, .bwd = bwd});
    const struct sn_t3 tx = {x, (int64_t)len * s.cin, s.cin, s.cin, in}, ty = {y, (int64_t)out_len * s.cout, s.cout, s.cout, out};
    const double flop = 2.0 * rows * out_len * s.k * s.cin * s.cout;
    const char *const pass[] = {"conv_fwd", "conv_bwd_data", "conv_bwd_filter"};
    char name[3][64];
    for (int i = 0; i < 3; i++) snprintf(name[i], sizeof name[i], "%s %s %dx%d %d>%d k%d", pass[i], model, rows, len, s.cin, s.cout, s.k);
    report(b, name[0], flop, run_conv_fwd, &(struct sn_conv_fwd){.s = s, .n = rows, .x = tx, .w = fwd, .y = ty, .ws = ws});
    report(b, name[1], flop, run_conv_bwd_data, &(struct sn_conv_bwd_data){.s = s, .n = rows, .dy = ty, .w = bwd, .dx = tx, .ws = ws});
    report(b, name[2], flop, run_conv_bwd_filter,
           &(struct sn_conv_bwd_filter){.s = s, .n = rows, .o1 = s.k * s.cin, .x = tx, .dy = ty, .dw = w, .ws = ws});
    free(x), free(y), free(w), free(fwd), free(bwd), free(ws);
}

struct lstm_pass {
    struct sn_lstm_fwd fwd;
    struct sn_lstm_bwd bwd;
    struct sn_lstm_attr attr;
    struct sn_lstm_du du;
};
static void run_lstm_fwd(const struct sn_kernels *k, const void *args) {
    const struct lstm_pass *p = args;
    k->lstm_fwd(&p->fwd);
}
static void run_lstm_bwd(const struct sn_kernels *k, const void *args) {
    const struct lstm_pass *p = args;
    k->lstm_bwd(&p->bwd);
}
static void run_lstm_attr(const struct sn_kernels *k, const void *args) {
    const struct lstm_pass *p = args;
    k->lstm_attr(&p->attr);
}
static void run_lstm_du(const struct sn_kernels *k, const void *args) {
    const struct lstm_pass *p = args;
    k->lstm_du(&p->du);
}

/* Forward without and with kept values, gradient, attribution of every row against row 0, gradient of U. */
static void bench_lstm(const struct bench *b, int rows, int len, int h) {
    int32_t lens[64], self[64], first[64] = {0};
    for (int i = 0; i < rows; i++) lens[i] = len, self[i] = i;
    const int64_t wide = 4 * (int64_t)h, cells = (int64_t)rows * len * h;
    float *xp = floats(4 * cells), *gates = floats(4 * cells), *da = floats(4 * cells), *y = floats(cells), *c = floats(3 * cells);
    float *u = floats(h * wide), *du = floats(h * wide);
    void *pu = bytes(b->k->gemm_pack_bytes(h, wide)), *put = bytes(b->k->gemm_pack_bytes(wide, h)), *ws = bytes(b->k->lstm_ws(rows, h));
    b->k->gemm_pack(&(struct sn_gemm_pack){.n = wide, .k = h, .b = u, .b_rs = wide, .b_cs = 1, .dst = pu});
    b->k->gemm_pack(&(struct sn_gemm_pack){.n = h, .k = wide, .b = u, .b_rs = 1, .b_cs = wide, .dst = put});
    const struct sn_t3 tx = {xp, len * wide, 4 * h, 4 * h, lens}, ty = {y, (int64_t)len * h, h, h, lens};
    const struct sn_t3 tda = {da, len * wide, 4 * h, 4 * h, lens};
    struct lstm_pass p = {.fwd = {.n = rows, .units = h, .xp = tx, .u = pu, .y = ty, .ws = ws}}, kept = p;
    kept.fwd.gates = gates, kept.fwd.c = c, kept.fwd.tc = c + cells, kept.fwd.h = c + 2 * cells;
    kept.fwd.gates_row = len * wide, kept.fwd.c_row = (int64_t)len * h;
    p.bwd = (struct sn_lstm_bwd){.n = rows, .units = h, .dy = ty, .ut = put, .gates = gates, .c = c, .tc = c + cells, .da = tda, .ws = ws};
    p.bwd.gates_row = len * wide, p.bwd.c_row = (int64_t)len * h;
    p.attr =
        (struct sn_lstm_attr){.units = h, .pairs = {rows, self, first}, .my = ty, .ut = put, .pre = xp, .gates = gates, .c = c, .ma = tda};
    p.attr.tc = c + cells, p.attr.gates_row = len * wide, p.attr.c_row = (int64_t)len * h, p.attr.ws = ws;
    p.du = (struct sn_lstm_du){.n = rows, .units = h, .h = c + 2 * cells, .h_row = (int64_t)len * h, .da = tda, .du = du, .ws = ws};
    const struct {
        const char *name;
        work_fn fn;
        const struct lstm_pass *args;
    } passes[] = {{"lstm_fwd", run_lstm_fwd, &p},
                  {"lstm_fwd kept", run_lstm_fwd, &kept},
                  {"lstm_bwd", run_lstm_bwd, &p},
                  {"lstm_attr", run_lstm_attr, &p},
                  {"lstm_du", run_lstm_du, &p}};
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s %dx%d units %d", passes[i].name, rows, len, h);
        report(b, name, 2.0 * (double)cells * (double)wide, passes[i].fn, passes[i].args);
    }
    free(xp), free(gates), free(da), free(y), free(c), free(u), free(du), free(pu), free(put), free(ws);
}

/* ---- convolution on codes ------------------------------------------------------------------------------------------------------ */

struct codes_pass {
    struct sn_codes_prepare prepare;
    struct sn_codes_fwd fwd;
    struct sn_codes_bwd_filter grad;
    struct sn_codes_pool_fwd pool_fwd;
    struct sn_codes_pool_bwd pool_bwd;
};
static void run_codes_prepare(const struct sn_kernels *k, const void *args) {
    k->codes_prepare(&((const struct codes_pass *)args)->prepare);
}
static void run_codes_fwd(const struct sn_kernels *k, const void *args) {
    k->codes_fwd(&((const struct codes_pass *)args)->fwd);
}
static void run_codes_grad(const struct sn_kernels *k, const void *args) {
    k->codes_bwd_filter(&((const struct codes_pass *)args)->grad);
}
static void run_codes_pool_fwd(const struct sn_kernels *k, const void *args) {
    k->codes_pool_fwd(&((const struct codes_pass *)args)->pool_fwd);
}
static void run_codes_pool_bwd(const struct sn_kernels *k, const void *args) {
    k->codes_pool_bwd(&((const struct codes_pass *)args)->pool_bwd);
}

#define CODES_ROWS 8
/* Codes 1..4 are the channels, 5 all of them equally, 6 half of the first and the last; `odd` of 1000 positions have code `other`. */
static struct sn_codes codes_batch(int len, int odd, int other, uint8_t *codes, int32_t *lens) {
    static float lut[256 * 4];
    static uint8_t sym[256];
    for (int c = 0; c < 4; c++) lut[(1 + c) * 4 + c] = 1, sym[1 + c] = (uint8_t)(1 + c), lut[5 * 4 + c] = 0.25f;
    lut[6 * 4] = lut[6 * 4 + 3] = 0.5f, sym[5] = SN_CODES_ANY(4), sym[6] = 255;
    uint32_t state = 1;
    for (int i = 0; i < CODES_ROWS * len; i++) {
        state = state * 1664525u + 1013904223u;
        codes[i] = (uint8_t)((state >> 8) % 1000 < (uint32_t)odd ? other : 1 + (int)(state >> 30));
    }
    for (int i = 0; i < CODES_ROWS; i++) lens[i] = len;
    return (struct sn_codes){.n = CODES_ROWS, .codes = codes, .code_row = len, .len = lens, .lut = lut, .sym = sym};
}

/* The passes beside the dense kernel of the same shape (bench_conv). GFLOP/s are those a dense kernel would need for the same time; the
 * bound of the tables is pairs * cout * outputs additions, two vectors a cycle: 4 * cin times less than the peak. */
static void bench_codes(const struct bench *b, int k, int cout, int len, int pool) {
    const struct sn_conv s = {.k = k, .cin = 4, .cout = cout, .stride = 1, .dilation = 1};
    const int out_len = len - k + 1, pooled = out_len / pool;
    const int64_t cells = (int64_t)CODES_ROWS * out_len * cout;
    int32_t lens[CODES_ROWS], out[CODES_ROWS], pools[CODES_ROWS];
    for (int i = 0; i < CODES_ROWS; i++) out[i] = out_len, pools[i] = pooled;
    float *w = floats((int64_t)k * 4 * cout), *dw = floats((int64_t)k * 4 * cout), *y = floats(cells), *dy = floats(cells);
    size_t ws_bytes = b->k->codes_grad_ws(&s), pool_bytes = b->k->codes_pool_ws(&s, pool);
    void *tables = bytes(b->k->codes_bytes(&s)), *ws = bytes(ws_bytes > pool_bytes ? ws_bytes : pool_bytes);
    uint8_t *codes = bytes((size_t)(CODES_ROWS * len)), *win = bytes((size_t)cells);
    const struct sn_t3 ty = {y, (int64_t)out_len * cout, cout, cout, out}, tdy = {dy, (int64_t)out_len * cout, cout, cout, out};
    const struct sn_t3 tp = {y, (int64_t)pooled * cout, cout, cout, pools}, tdp = {dy, (int64_t)pooled * cout, cout, cout, pools};
    const struct {
        const char *name;
        int odd, other;
    } kinds[] = {{"clean", 0, 0}, {"1 % N", 10, 0}, {"1 % N mean", 10, 5}, {"1 % IUPAC", 10, 6}};
    const double flop = 2.0 * 4 * k * (double)cells;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct codes_pass p = {.prepare = {s, w, tables}};
        const struct sn_codes in = codes_batch(len, kinds[i].odd, kinds[i].other, codes, lens);
        b->k->codes_prepare(&p.prepare);
        p.fwd = (struct sn_codes_fwd){.s = s, .in = in, .tables = tables, .w = w, .y = ty};
        p.grad = (struct sn_codes_bwd_filter){.s = s, .in = in, .dy = tdy, .dw = dw, .ws = ws};
        p.pool_fwd = (struct sn_codes_pool_fwd){.s = s, .in = in, .tables = tables, .w = w, .pool = pool, .pool_stride = pool, .y = tp};
        p.pool_fwd.conv_len = out, p.pool_fwd.ws = ws;
        struct codes_pass kept = p;
        kept.pool_fwd.win = win, kept.pool_fwd.win_row = (int64_t)pooled * cout;
        b->k->codes_pool_fwd(&kept.pool_fwd);
        kept.pool_bwd = (struct sn_codes_pool_bwd){.s = s, .in = in, .pool = pool, .pool_stride = pool, .y = tp, .dy = tdp, .win = win};
        kept.pool_bwd.win_row = kept.pool_fwd.win_row, kept.pool_bwd.dw = dw, kept.pool_bwd.ws = ws;
        const struct {
            const char *name;
            work_fn fn;
        } passes[] = {{"prepare", run_codes_prepare},
                      {"fwd", run_codes_fwd},
                      {"grad", run_codes_grad},
                      {"pool_fwd", run_codes_pool_fwd},
                      {"pool_fwd kept", run_codes_pool_fwd},
                      {"pool_bwd", run_codes_pool_bwd}};
        for (size_t j = i > 0; j < sizeof passes / sizeof *passes; j++) {
            char name[64];
            snprintf(name, sizeof name, "codes_%s %d/%d/%d %s", passes[j].name, k, cout, len, kinds[i].name);
            report(b, name, flop, passes[j].fn, j < 4 ? &p : &kept);
        }
    }
    free(w), free(dw), free(y), free(dy), free(tables), free(ws), free(codes), free(win);
}

static void bench_codes_all(const struct bench *b) {
    static const int shapes[][4] = {{26, 320, 1000, 13}, {19, 300, 600, 3}, {24, 16, 101, 78}, {11, 64, 101, 4}, {8, 320, 1000, 4}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int *s = shapes[i];
        char name[32];
        snprintf(name, sizeof name, "codes %d/%d/%d", s[0], s[1], s[2]);
        bench_conv(b, name, CODES_ROWS, s[2], (struct sn_conv){.k = s[0], .cin = 4, .cout = s[1], .stride = 1, .dilation = 1}, false);
        bench_codes(b, s[0], s[1], s[2], s[3]);
    }
}

static void bench_all(const struct bench *b) {
    static const int shapes[][3] = {{981, 320, 104}, {992, 128, 576}, {64, 1280, 320}, {2048, 2048, 2048}, {1, 512, 128},
                                    {8, 512, 128},   {8, 1280, 320},  {64, 925, 4096}, {100, 1, 925},      {7, 33, 65}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int packed = 1; packed >= 0; packed--) bench_gemm(b, shapes[i][0], shapes[i][1], shapes[i][2], packed, false);
    bench_gemm(b, 320, 1280, 74, false, true);
    bench_gemm(b, 128, 576, 992, false, true);
    bench_gemm(b, 4096, 925, 64, false, true);
    bench_conv(b, "danq1", 4, 1000, (struct sn_conv){26, 4, 320, 1, 0, 1}, false);
    bench_conv(b, "cnn1", 4, 201, (struct sn_conv){15, 4, 64, 1, 7, 1}, true);
    bench_conv(b, "basset2", 4, 200, (struct sn_conv){11, 300, 200, 1, 5, 1}, true);
    bench_conv(b, "basset3", 4, 50, (struct sn_conv){7, 200, 200, 1, 3, 1}, true);
    bench_conv(b, "deepsea2", 4, 248, (struct sn_conv){8, 320, 480, 1, 0, 1}, false);
    bench_conv(b, "tower", 4, 1000, (struct sn_conv){9, 64, 128, 1, 4, 1}, true);
    bench_conv(b, "dilated", 4, 1000, (struct sn_conv){3, 32, 32, 1, 1, 1}, true);
    bench_codes_all(b);
    bench_lstm(b, 64, 75, 320);
    bench_lstm(b, 16, 75, 320);
    bench_lstm(b, 1, 75, 320);
    bench_lstm(b, 64, 250, 128);
    bench_lstm(b, 64, 100, 32);
}

int main(int argc, char **argv) {
    enum sn_isa best;
    if (sn_isa_detect(&best) < 0) {
        fprintf(stderr, "%s\n", seqnet_errmsg());
        return 1;
    }
    struct bench b = {.only = argc > 1 ? argv[1] : NULL};
    printf("%s\n", sn_cpu_name());
    for (int isa = best; isa >= SN_ISA_REF; isa--) {
        struct sn_kernels k;
        sn_kernels_init(&k, isa);
        if (argc > 2 && strcmp(argv[2], k.isa) != 0) continue;
        char label[64];
        snprintf(label, sizeof label, "%s", k.isa);
        b.k = &k, b.label = label, b.peak = peak(isa);
        printf("%s: FMA peak %.1f GFLOP/s\n", label, b.peak);
        bench_all(&b);
        if (isa != (int)best || sn_kernels_openblas(&k) < 0) continue;
        snprintf(label, sizeof label, "%s", k.provider);
        bench_all(&b);
    }
    return 0;
}
