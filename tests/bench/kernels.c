/* Speed of the kernels that live on matrix products: GFLOP/s (2 per multiply-add) on one core and the share of the FMA peak that a loop of
 * independent FMAs reached in the same run, for the best instruction set of this CPU and for OpenBLAS. Best of several runs of CPU time of
 * the thread. Usage: kernels [ISA [WORD]]: best, all, or the name of one; only lines that contain WORD. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv_rule.h"
#include "core/cpu.h"
#include "core/error.h"
#include "module.h"
#include "roofline.h"
#include "timing.h"

/* ---- the peak ------------------------------------------------------------------------------------------------------------------ */

#if defined __x86_64__
static void run_peak_avx2(const struct sn_kernels *k, const void *sink) {
    (void)k;
    (void)peak_avx2(*(volatile float *const *)sink);
}
static void run_peak_avx512(const struct sn_kernels *k, const void *sink) {
    (void)k;
    (void)peak_avx512(*(volatile float *const *)sink);
}
#endif

/* GFLOP/s; 0 where it is not known. */
static double peak(enum sn_isa isa) {
    volatile float sink = 0;
    volatile float *p = &sink;
#if defined __x86_64__
    if (isa == SN_ISA_AVX512) return 2e-9 * 16 * PEAK_CHAINS * PEAK_STEPS / best_seconds(run_peak_avx512, NULL, &p);
    if (isa == SN_ISA_AVX2 || isa == SN_ISA_REF) return 2e-9 * 8 * PEAK_CHAINS * PEAK_STEPS / best_seconds(run_peak_avx2, NULL, &p);
#endif
    (void)isa, (void)p;
    return 0;
}

static void run_triad(const struct sn_kernels *k, const void *args) {
    float *const *v = args;
    (void)k;
    (void)triad(v[0], v[1], v[2], 0.5f);
}

/* ---- the kernels --------------------------------------------------------------------------------------------------------------- */

static void *bytes(size_t n) {
    return floats((int64_t)(n / sizeof(float) + 16));
}

/* GB/s of a triad that no cache holds. */
static double bandwidth(void) {
    float *v[3] = {floats(TRIAD_FLOATS), floats(TRIAD_FLOATS), floats(TRIAD_FLOATS)};
    double s = best_seconds(run_triad, NULL, v);
    for (int i = 0; i < 3; i++) free(v[i]);
    return 1e-9 * 3 * sizeof(float) * (double)TRIAD_FLOATS / s;
}

struct bench {
    const struct sn_kernels *k;
    const char *label, *only;
    enum sn_isa isa;
    double peak; /* the best seen so far */
};

static void report(struct bench *b, const char *name, double flop, work_fn fn, const void *args) {
    char line[256];
    snprintf(line, sizeof line, "%-28s %-40s", b->label, name);
    if (b->only && !strstr(line, b->only)) return;
    const double top = peak(b->isa);
    if (top > b->peak) b->peak = top;
    double s = best_seconds(fn, b->k, args), rate = 1e-9 * flop / s;
    printf("%s %10.1f us %7.1f GFLOP/s %5.1f %%\n", line, 1e6 * s, rate, b->peak > 0 ? 100 * rate / b->peak : 0);
}

static void run_gemm(const struct sn_kernels *k, const void *args) {
    k->gemm(args);
}

enum { PACKED = 1, A_COLUMNS = 2, B_COLUMNS = 4 }; /* B packed beforehand; A or B stored the other way round */
static void bench_gemm(struct bench *b, const char *model, int64_t m, int64_t n, int64_t k, int how) {
    const bool packed = how & PACKED, transposed_a = how & A_COLUMNS, transposed_b = how & B_COLUMNS;
    float *a = floats(m * k), *w = floats(k * n), *c = floats(m * n);
    void *ws = bytes(b->k->gemm_ws()), *panels = bytes(b->k->gemm_pack_bytes(k, n));
    b->k->gemm_pack(&(struct sn_gemm_pack){.n = n, .k = k, .b = w, .b_rs = n, .b_cs = 1, .dst = panels});
    struct sn_gemm g = {
        .m = m, .n = n, .k = k, .a = a, .a_rs = transposed_a ? 1 : k, .a_cs = transposed_a ? m : 1, .b = w, .b_rs = n, .b_cs = 1};
    if (transposed_b) g.b_rs = 1, g.b_cs = k;
    g.packed_b = packed ? panels : NULL, g.c = c, g.c_rs = n, g.ws = ws, g.accumulate = transposed_a;
    char name[64];
    snprintf(name, sizeof name, "gemm %s%s%ldx%ldx%ld%s%s%s", model, *model ? " " : "", (long)m, (long)n, (long)k, packed ? " packed" : "",
             transposed_a ? " A^T" : "", transposed_b ? " B^T" : "");
    report(b, name, 2.0 * (double)m * (double)n * (double)k, run_gemm, &g);
    free(a), free(w), free(c), free(ws), free(panels);
}

static void run_outer(const struct sn_kernels *k, const void *args) {
    k->outer(args);
}

static void bench_outer(struct bench *b, int64_t m, int64_t n, int rows) {
    float *x = floats(rows * m), *y = floats(rows * n), *c = floats(m * n);
    void *ws = bytes(b->k->gemm_ws());
    int32_t len[256];
    for (int i = 0; i < rows; i++) len[i] = 1;
    const struct sn_outer o = {m, n, rows, 8, x, m, y, n, len, c, n, ws};
    char name[64];
    snprintf(name, sizeof name, "outer %ldx%ld rows %d", (long)m, (long)n, rows);
    report(b, name, 2.0 * (double)m * (double)n * rows, run_outer, &o);
    free(x), free(y), free(c), free(ws);
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

static void bench_conv(struct bench *b, const char *model, int rows, int len, struct sn_conv s, bool same) {
    int32_t in[64], out[64];
    const int out_len = same ? len : len - (s.k - 1) * s.dilation;
    for (int i = 0; i < rows; i++) in[i] = len, out[i] = out_len;
    float *x = floats((int64_t)rows * len * s.cin), *y = floats((int64_t)rows * out_len * s.cout),
          *w = floats((int64_t)s.k * s.cin * s.cout);
    void *fwd = bytes(b->k->conv_fwd_bytes(&s)), *bwd = bytes(b->k->conv_bwd_bytes(&s)), *ws = bytes(b->k->conv_ws(&s, len));
    b->k->conv_prepare(&(struct sn_conv_prepare){.s = s, .w = w, .fwd = fwd, .bwd = bwd});
    const struct sn_t3 tx = {x, (int64_t)len * s.cin, s.cin, s.cin, in}, ty = {y, (int64_t)out_len * s.cout, s.cout, s.cout, out};
    const double flop = 2.0 * rows * out_len * s.k * s.cin * s.cout;
    const char *const pass[] = {"conv_fwd", "conv_bwd_data", "conv_bwd_filter"};
    char name[3][64];
    for (int i = 0; i < 3; i++)
        snprintf(name[i], sizeof name[i], "%s %s %dx%d %d>%d k%d d%d%s", pass[i] + 5, model, rows, len, s.cin, s.cout, s.k, s.dilation,
                 sn_toom_choose(&s, NULL) ? " Toom-Cook" : "");
    report(b, name[0], flop, run_conv_fwd, &(struct sn_conv_fwd){.s = s, .n = rows, .x = tx, .w = fwd, .y = ty, .ws = ws});
    report(b, name[1], flop, run_conv_bwd_data, &(struct sn_conv_bwd_data){.s = s, .n = rows, .dy = ty, .w = bwd, .dx = tx, .ws = ws});
    report(
        b, name[2], flop, run_conv_bwd_filter,
        &(struct sn_conv_bwd_filter){.s = s, .n = rows, .o1 = s.k * s.cin / sn_conv_filter_runs(&s), .x = tx, .dy = ty, .dw = w, .ws = ws});
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
static void bench_lstm(struct bench *b, int rows, int len, int h) {
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
    p.bwd = (struct sn_lstm_bwd){.n = rows, .units = h, .dy = ty, .ut = put, .gates = gates, .c = c, .da = tda, .ws = ws};
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

/* Plain and, where the shape takes it, by Toom-Cook filtering. */
static void bench_convs(struct bench *b) {
    static const struct {
        const char *model;
        int rows, len, k, cin, cout, dilation;
        bool same;
    } shapes[] = {
        {"danq1", 4, 1000, 26, 4, 320, 1, false},   {"cnn1", 4, 201, 15, 4, 64, 1, true},     {"cnn2", 16, 25, 9, 64, 64, 1, true},
        {"basset2", 4, 200, 11, 300, 200, 1, true}, {"basset3", 8, 50, 7, 200, 200, 1, true}, {"deepsea2", 4, 248, 8, 320, 480, 1, false},
        {"deepsea3", 8, 60, 8, 480, 960, 1, false}, {"tower", 4, 1000, 9, 64, 128, 1, true},  {"narrow", 4, 1000, 3, 32, 32, 1, true},
        {"few", 4, 1000, 11, 4, 64, 1, true},       {"bpnet1", 2, 2114, 25, 4, 64, 1, true},  {"thin", 4, 1000, 5, 16, 16, 1, true},
        {"five", 4, 1000, 5, 32, 64, 1, true},      {"bpnet", 2, 2114, 3, 64, 64, 2, true},   {"bpnet", 2, 2114, 3, 64, 64, 16, true},
        {"bpnet", 2, 2114, 3, 64, 64, 64, true},    {"bpnet", 2, 2114, 3, 64, 64, 256, true}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct sn_conv s = {.k = shapes[i].k, .cin = shapes[i].cin, .cout = shapes[i].cout, .stride = 1, .dilation = shapes[i].dilation};
        if (shapes[i].same) s.pad = (s.k - 1) * s.dilation / 2;
        for (s.direct = 1; s.direct >= 0; s.direct--)
            if (s.direct || sn_toom_choose(&s, NULL)) bench_conv(b, shapes[i].model, shapes[i].rows, shapes[i].len, s, shapes[i].same);
    }
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
static void bench_codes(struct bench *b, int k, int cout, int len, int pool) {
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

/* own: with the kernels on codes, which know no provider. */
static void bench_codes_all(struct bench *b, bool own) {
    static const int shapes[][4] = {{26, 320, 1000, 13}, {19, 300, 600, 3}, {24, 16, 101, 78}, {11, 64, 101, 4}, {8, 320, 1000, 4}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int *s = shapes[i];
        char name[32];
        snprintf(name, sizeof name, "codes %d/%d/%d", s[0], s[1], s[2]);
        bench_conv(b, name, CODES_ROWS, s[2], (struct sn_conv){.k = s[0], .cin = 4, .cout = s[1], .stride = 1, .dilation = 1}, false);
        if (own) bench_codes(b, s[0], s[1], s[2], s[3]);
    }
}

static void bench_all(struct bench *b, bool own) {
    /* Of a model: what its layers ask for, a row of lstm or of a convolution, a batch of 64 of dense. */
    static const struct {
        const char *model;
        int m, n, k;
    } shapes[] = {{"danq", 75, 1280, 320},
                  {"danq", 75, 320, 1280},
                  {"danq", 64, 925, 1024},
                  {"danq", 64, 919, 925},
                  {"basset", 64, 1000, 2600},
                  {"basset", 64, 1000, 1000},
                  {"basset", 12800, 200, 3300},
                  {"bpnet", 2114, 64, 192},
                  {"", 2048, 2048, 2048},
                  {"", 4800, 1280, 320},
                  {"", 981, 320, 104},
                  {"", 992, 128, 576},
                  {"", 64, 1280, 320},
                  {"", 8, 1280, 320},
                  {"", 8, 512, 128},
                  {"", 1, 512, 128},
                  {"", 100, 1, 925},
                  {"", 7, 33, 65},
                  {"", 64, 1, 64},
                  {"", 25, 128, 64},
                  {"", 32, 128, 32}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int packed = 1; packed >= 0; packed--) bench_gemm(b, shapes[i].model, shapes[i].m, shapes[i].n, shapes[i].k, packed);
    bench_gemm(b, "danq", 320, 1280, 74, A_COLUMNS);
    bench_gemm(b, "danq", 1024, 925, 64, A_COLUMNS);
    bench_gemm(b, "danq", 64, 1024, 925, B_COLUMNS);
    bench_gemm(b, "", 128, 576, 992, A_COLUMNS);
    bench_gemm(b, "", 64, 128, 25, A_COLUMNS);
    bench_outer(b, 64, 1, 64);
    bench_outer(b, 1000, 925, 64);
    bench_outer(b, 1000, 1000, 128);
    bench_convs(b);
    bench_codes_all(b, own);
    bench_lstm(b, 64, 75, 320);
    bench_lstm(b, 32, 75, 320); /* a tile of danq's training */
    bench_lstm(b, 1, 75, 320);
    bench_lstm(b, 64, 250, 128);
    bench_lstm(b, 64, 100, 32);
    bench_lstm(b, 32, 25, 32);
    bench_lstm(b, 8, 25, 32);
}

static bool wanted(const char *which, const char *isa, bool best) {
    return strcmp(which, "all") == 0 || strcmp(which, isa) == 0 || (best && strcmp(which, "best") == 0);
}

int main(int argc, char **argv) {
    enum sn_isa best;
    if (sn_isa_detect(&best) < 0) {
        fprintf(stderr, "%s\n", seqnet_errmsg());
        return 1;
    }
    const char *which = argc > 1 ? argv[1] : "best";
    struct bench b = {.only = argc > 2 ? argv[2] : NULL};
    bool any = false;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* who reads a pipe sees every line when it is done */
    printf("%s\n", sn_cpu_name());
    printf("triad %.1f GB/s\n", bandwidth());
    for (int isa = best; isa >= SN_ISA_REF; isa--) {
        struct sn_kernels k;
        sn_kernels_init(&k, isa);
        if (!wanted(which, k.isa, isa == (int)best)) continue;
        any = true;
        char label[64];
        snprintf(label, sizeof label, "%s", k.isa);
        b.k = &k, b.label = label, b.isa = (enum sn_isa)isa, b.peak = peak(b.isa);
        printf("%s: FMA peak %.1f GFLOP/s\n", label, b.peak);
        bench_all(&b, true);
        if (isa != (int)best || sn_kernels_openblas(&k) < 0) continue;
        snprintf(label, sizeof label, "%s", k.provider);
        bench_all(&b, false);
    }
    if (!any) fprintf(stderr, "%s: no instruction set %s here\n", argv[0], which);
    return any ? 0 : 1;
}
