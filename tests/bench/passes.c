/* Speed of the passes that live on memory: GB/s of what must be read and written once, and the share of what a triad (a = b + s c, three
 * times 4 bytes an element) of as many bytes reaches in the same run; for operands in the second level cache and far beyond the third.
 * One core, best of several rounds of CPU time of the thread. Usage: passes [WORD]: only lines that contain WORD. */
#include <stdio.h>
#include <string.h>

#include "core/cpu.h"
#include "timing.h"

struct sizes {
    const char *name;
    int64_t values; /* of the largest tensor */
};

struct bench {
    const struct sn_kernels *k;
    const char *only;
    struct sizes s;
    double triad;
};

/* Three tensors of `rows` rows, (len, ch), pooled by 4, and vectors of parameters. */
struct operands {
    int rows, len, ch;
    int32_t *lens, *pooled, *ones;
    int64_t *ids;
    float *a, *b, *c, *d, *params;
    double sums[2];
};

typedef float vec __attribute__((vector_size(32), may_alias));

#if defined __x86_64__
__attribute__((target("avx2")))
#endif
static void
triad(const struct sn_kernels *k, const void *args) {
    const struct operands *o = args;
    (void)k;
    int64_t n = (int64_t)o->rows * o->len * o->ch;
    const vec *b = (const vec *)o->b, *c = (const vec *)o->c;
    vec *a = (vec *)o->a;
    for (int64_t i = 0; i < n / 8; i++) a[i] = b[i] + 0.5f * c[i];
    __asm__ volatile("" : : "r"(a) : "memory");
}

static struct sn_t3 tensor(const struct operands *o, float *p, bool pooled) {
    int len = pooled ? o->len / 4 : o->len;
    return (struct sn_t3){p, (int64_t)len * o->ch, o->ch, o->ch, pooled ? o->pooled : o->lens};
}
static struct sn_t3 vectors(const struct operands *o, float *p) {
    return (struct sn_t3){p, o->ch, o->ch, o->ch, o->ones};
}

/* Each pass, and how many times 4 bytes an element of the large tensor it must move. */
#define PASS(name, bytes, ...)                                                                                                             \
    static void pass_##name(const struct sn_kernels *k, const void *args) {                                                                \
        const struct operands *o = args;                                                                                                   \
        const struct sn_t3 x = tensor(o, o->a, false), y = tensor(o, o->b, false), z = tensor(o, o->c, false), p = tensor(o, o->d, true);  \
        const struct sn_t3 v = vectors(o, o->d);                                                                                           \
        (void)x, (void)y, (void)z, (void)p, (void)v;                                                                                       \
        int n = o->rows;                                                                                                                   \
        const struct sn_pool_shape four = {4, 4, 0}, whole = {0, 1, 0};                                                                    \
        (void)four, (void)whole, (void)n;                                                                                                  \
        __VA_ARGS__;                                                                                                                       \
    }                                                                                                                                      \
    enum { bytes_##name = (int)(100 * (bytes)) };
PASS(relu_in_place, 2, k->unary_fwd(&(struct sn_unary_fwd){SN_RELU, n, x, x}))
PASS(relu_bwd, 3, k->unary_bwd(&(struct sn_unary_bwd){SN_RELU, n, x, y, y}))
PASS(sigmoid, 2, k->unary_fwd(&(struct sn_unary_fwd){SN_SIGMOID, n, x, y}))
PASS(add, 3, k->add(&(struct sn_add){n, 2, {x, y}, z}))
PASS(copy, 2, k->copy(&(struct sn_copy){n, x, y}))
PASS(bias_grad, 1, k->bias_grad(&(struct sn_bias_grad){n, x, o->params}))
PASS(dropout, 2, k->dropout(&(struct sn_dropout){n, 0.25, 1, 2, 3, o->ids, x, y}))
PASS(max_pool_fwd, 1.25, k->max_pool_fwd(&(struct sn_pool_fwd){four, n, x, p}))
PASS(max_pool_bwd, 2.25, k->max_pool_bwd(&(struct sn_pool_bwd){four, n, x, p, y}))
PASS(global_max_fwd, 1, k->max_pool_fwd(&(struct sn_pool_fwd){whole, n, x, v}))
PASS(global_max_bwd, 2, k->max_pool_bwd(&(struct sn_pool_bwd){whole, n, x, v, y}))
PASS(avg_pool_fwd, 1.25, k->avg_pool_fwd(&(struct sn_pool_fwd){four, n, x, p}))
PASS(avg_pool_bwd, 1.25, k->avg_pool_bwd(&(struct sn_pool_bwd){four, n, x, p, y}))
PASS(softmax_fwd, 2, k->softmax_fwd(&(struct sn_softmax_fwd){n, x, y}))
PASS(softmax_bwd, 3, k->softmax_bwd(&(struct sn_softmax_bwd){n, x, y, z}))
PASS(bn_stats, 1, k->bn_stats(&(struct sn_bn_stats){n, x, o->params}))
PASS(bn_fwd, 2, k->bn_fwd(&(struct sn_bn_fwd){n, x, y, NULL, o->params, o->params, o->params, o->params, 1e-3}))
PASS(bn_bwd_stats, 2, k->bn_bwd_stats(&(struct sn_bn_bwd_stats){n, x, y, o->params, 1e-3, o->params + 4 * o->ch}))
PASS(bn_bwd, 3, k->bn_bwd(&(struct sn_bn_bwd){n, x, y, z, o->params, o->params, o->params, 1e-3}))
#define COUNT ((int64_t)o->rows * o->len * o->ch)
#define UPDATE                                                                                                                             \
    { COUNT, o->a, o->b, 0, 1e-6, 1, (double *)o->sums }
PASS(grad_norm, 2, k->grad_norm(&(struct sn_grad_norm){COUNT, o->a, o->b, 0, 1e-6, (double *)o->sums}))
PASS(adam, 8, k->adam(&(struct sn_adam){UPDATE, o->c, o->d, 1e-9, 0.9, 0.999, 1e-7}))
PASS(sgd, 6, k->sgd(&(struct sn_sgd){UPDATE, o->c, 1e-9, 0.9, 1}))

static void report(const struct bench *b, const char *name, double bytes, work_fn fn, const struct operands *o) {
    char line[128];
    snprintf(line, sizeof line, "%-8s %-8s %-16s ch %-4d", b->k->isa, b->s.name, name, o->ch);
    if (b->only && !strstr(line, b->only)) return;
    double s = best_seconds(fn, b->k, o), rate = 1e-9 * bytes * (double)o->rows * o->len * o->ch * sizeof(float) / s;
    printf("%s %10.1f us %7.1f GB/s %6.1f %% of triad\n", line, 1e6 * s, rate, 100 * rate / b->triad);
}

static void bench_channels(struct bench *b, int ch) {
    struct operands o = {.rows = 8, .len = (int)(b->s.values / (8 * ch)) / 4 * 4, .ch = ch};
    int64_t n = (int64_t)o.rows * o.len * ch;
    int32_t lens[8], pooled[8], ones[8];
    int64_t ids[8];
    for (int i = 0; i < 8; i++) lens[i] = o.len, pooled[i] = o.len / 4, ones[i] = 1, ids[i] = i;
    o.lens = lens, o.pooled = pooled, o.ones = ones, o.ids = ids;
    o.a = floats(n), o.b = floats(n), o.c = floats(n), o.d = floats(n), o.params = floats(8 * ch + 16);
    for (int i = 0; i < 8 * ch + 16; i++) o.params[i] = 1;
    for (int64_t i = 0; i < n; i++) o.d[i] = 1e-3f + o.d[i] * o.d[i];
    b->triad = 1e-9 * 3 * (double)n * sizeof(float) / best_seconds(triad, b->k, &o);
    printf("%-8s %-8s %-16s ch %-4d %24.1f GB/s\n", b->k->isa, b->s.name, "triad", ch, b->triad);
#define REPORT(name) report(b, #name, bytes_##name / 100.0, pass_##name, &o)
    REPORT(relu_in_place);
    REPORT(relu_bwd);
    REPORT(sigmoid);
    REPORT(add);
    REPORT(copy);
    REPORT(bias_grad);
    REPORT(dropout);
    REPORT(max_pool_fwd);
    REPORT(max_pool_bwd);
    REPORT(global_max_fwd);
    REPORT(global_max_bwd);
    REPORT(avg_pool_fwd);
    REPORT(avg_pool_bwd);
    REPORT(softmax_fwd);
    REPORT(softmax_bwd);
    REPORT(bn_stats);
    REPORT(bn_fwd);
    REPORT(bn_bwd_stats);
    REPORT(bn_bwd);
    REPORT(grad_norm);
    REPORT(adam);
    REPORT(sgd);
    free(o.a), free(o.b), free(o.c), free(o.d), free(o.params);
}

int main(int argc, char **argv) {
    static const struct sizes sizes[] = {{"L2", 16 << 10}, {"memory", 4 << 20}};
    static const int channels[] = {16, 64, 300};
    enum sn_isa best;
    if (sn_isa_detect(&best) < 0) return 1;
    struct sn_kernels k;
    sn_kernels_init(&k, (int)best);
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* who reads a pipe sees every line when it is done */
    printf("%s\n", sn_cpu_name());
    struct bench b = {.k = &k, .only = argc > 1 ? argv[1] : NULL};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t c = 0; c < sizeof channels / sizeof *channels; c++) {
            b.s = sizes[s];
            bench_channels(&b, channels[c]);
        }
    return 0;
}
