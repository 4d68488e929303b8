/* Summation to delta: contributions add up to the change in output, under every rule, for 200 random nets (half with LSTMs, up to 500
 * positions) and the nets of the gradient tests; multipliers are symmetric under exchange of the two rows, and equal the gradient when they
 * are equal; pairs do not see each other. In float and in double. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/cpu.h"
#include "core/error.h"
#include "support/nets.h"
#include "unit/unit.h"

/* OUTPUT_ROUNDING: what the precision leaves open in the output itself, known to a few units in the last place, however small the
 * contributions are. */
#ifdef SN_DOUBLE
#define SUM_TOLERANCE 1e-12
#define OUTPUT_ROUNDING 2e-15
#define SYMMETRY 1e-10
#else
#define SUM_TOLERANCE 1e-6
#define OUTPUT_ROUNDING 6e-7
#define SYMMETRY 2e-5
#endif

static const char *const rules[] = {"rescale", "reveal-cancel", "genomics"};

struct run {
    struct sn_backend backend;
    struct sn_plan *plan;
    struct sn_session *session;
    const struct sn_graph *g;
    int64_t len;
    int rows, tasks;
    sn_real *logits, *multipliers;
};

static void run_open(struct run *r, const struct net *n, const struct sn_graph *g, const sn_real *params, enum sn_rule rule, int rows,
                     int pairs) {
    enum sn_isa isa;
    struct sn_plan_options o = net_plan(n, SN_ATTRIBUTE, rows);
    o.max_pairs = pairs, o.rule = rule;
    ck_assert_int_eq(sn_isa_detect(&isa), 0);
    ck_assert_int_eq(sn_backend_cpu(isa, "auto", &r->backend), 0);
    ck_assert_msg(sn_plan_create(g, &r->backend, &o, &r->plan) == 0, "%s: %s", n->name, seqnet_errmsg());
    ck_assert_int_eq(sn_plan_set_params(r->plan, params), 0);
    ck_assert_int_eq(sn_session_create(r->plan, NULL, &r->session), 0);
    r->g = sn_plan_graph(r->plan), r->len = n->longest, r->rows = rows;
    r->tasks = (int)g->nodes[g->heads[0].logits].out.ch;
    r->logits = calloc((size_t)(rows * r->tasks), sizeof *r->logits);
    r->multipliers = calloc((size_t)(pairs * r->len * 4), sizeof *r->multipliers);
}

static void run_close(struct run *r) {
    free(r->logits);
    free(r->multipliers);
    sn_session_free(r->session);
    sn_plan_free(r->plan);
    sn_backend_close(&r->backend);
}

static void attribute(struct run *r, const uint8_t *codes, const int32_t *len, int pairs, const int32_t *x, const int32_t *ref, int task) {
    struct sn_batch b = {.n = r->rows, .codes = codes, .code_row = r->len, .len = len};
    sn_real *seeds = calloc((size_t)(pairs * r->tasks), sizeof *seeds);
    for (int p = 0; p < pairs; p++) seeds[p * r->tasks + task] = 1;
    ck_assert_msg(sn_session_forward(r->session, &b, 0) == 0, "%s", seqnet_errmsg());
    ck_assert_int_eq(sn_session_output(r->session, 0, true, r->logits), 0);
    struct sn_attr a = {.n_pairs = pairs, .row_x = x, .row_ref = ref, .seeds = seeds};
    ck_assert_msg(sn_session_attribute(r->session, &a, r->multipliers) == 0, "%s", seqnet_errmsg());
    free(seeds);
}

/* |sum of contributions - delta|, less the output's own rounding, over the sum of absolute contributions, of pair p. */
static double residual(const struct run *r, int p, int task, const uint8_t *x, const uint8_t *ref, int64_t len, int row_x, int row_ref,
                       const sn_real *lut) {
    double sum = 0, all = 0;
    for (int64_t i = 0; i < len; i++)
        for (int c = 0; c < 4; c++) {
            double d = (double)r->multipliers[(p * r->len + i) * 4 + c] * ((double)lut[x[i] * 4 + c] - (double)lut[ref[i] * 4 + c]);
            sum += d, all += fabs(d);
        }
    double fx = (double)r->logits[row_x * r->tasks + task], f0 = (double)r->logits[row_ref * r->tasks + task];
    double rounding = OUTPUT_ROUNDING * fmax(1, fmax(fabs(fx), fabs(f0)));
    return fmax(0, fabs(sum - (fx - f0)) - rounding) / fmax(all, 1e-6);
}

/* Largest difference of two rows of multipliers, and largest value of the first. */
static double difference(const sn_real *a, const sn_real *b, int64_t n, double *largest) {
    double differ = 0;
    *largest = 0;
    for (int64_t i = 0; i < n; i++) {
        differ = fmax(differ, fabs((double)(a[i] - b[i])));
        *largest = fmax(*largest, fabs((double)a[i]));
    }
    return differ;
}

/* Two sequences and a third; pairs (0,1), (1,0), (2,1), (0,0). */
static double check_net(const struct net *n, uint64_t seed, enum sn_rule rule) {
    struct sn_arch *arch;
    ck_assert_msg(net_arch(n, &arch) == 0, "%s: %s", n->name, seqnet_errmsg());
    sn_real *params = net_fresh_params(arch->graph, seed, seed % 2 ? 1 : 2);
    uint8_t *codes = calloc(3, (size_t)n->longest);
    int32_t len[3], one = 0;
    net_rows(n, arch->graph, seed, 3, codes, len);
    len[1] = len[2] = len[0];
    for (int64_t i = 0; i < 3 * n->longest; i++)
        if (codes[i] == 255) codes[i] = 1;
    struct run r, single;
    run_open(&r, n, arch->graph, params, rule, 3, 4);
    int task = (int)(seed % (uint64_t)r.tasks);
    attribute(&r, codes, len, 4, (int32_t[]){0, 1, 2, 0}, (int32_t[]){1, 0, 1, 0}, task);
    const sn_real *lut = net_plan(n, SN_ATTRIBUTE, 1).lut;
    double worst = residual(&r, 0, task, codes, codes + n->longest, len[0], 0, 1, lut);
    worst = fmax(worst, residual(&r, 2, task, codes + 2 * n->longest, codes + n->longest, len[0], 2, 1, lut));
    int64_t size = len[0] * 4, stride = n->longest * 4;
    double largest, differ = difference(r.multipliers, r.multipliers + stride, size, &largest);
    /* where the largest values of both rows tie, max pooling takes the first place of the first row: only then may the exchange matter */
    if (!strstr(n->layers, "max_pooling"))
        ck_assert_msg(differ <= SYMMETRY * largest + 1e-9, "%s, %s, seed %llu: m(x,x0) and m(x0,x) differ by %.3g of %.3g", n->name,
                      rules[rule], (unsigned long long)seed, differ, largest);
    run_open(&single, n, arch->graph, params, rule, 2, 1);
    attribute(&single, codes, len, 1, &one, (int32_t[]){1}, task);
    ck_assert_msg(memcmp(single.multipliers, r.multipliers, (size_t)size * sizeof(sn_real)) == 0, "%s: a pair depends on the others",
                  n->name);
    run_close(&single);
    run_close(&r);
    free(params);
    free(codes);
    sn_arch_free(arch);
    return worst;
}

START_TEST(fixed_nets) {
    for (uint64_t k = 0; k < 12; k++) {
        double worst = check_net(&nets[_i], k / 3 + 1, (enum sn_rule)(k % 3));
        double allowed = SUM_TOLERANCE * (k % 3 ? 4 : 1); /* large parts that cancel carry the rounding of each */
        ck_assert_msg(worst <= allowed, "%s, %s, seed %llu: residual %.3g", nets[_i].name, rules[k % 3], (unsigned long long)(k / 3 + 1),
                      worst);
    }
}
END_TEST

/* A random architecture: convolutions, pools, activations; with or without LSTMs. */
static void random_layers(struct sn_stream *s, bool lstm, char *text, size_t n) {
    static const char *const acts[] = {"relu", "tanh", "sigmoid"};
    int at = snprintf(text, n, "[conv1d: {filters: %d, kernel_size: %d, padding: same, activation: %s}", 2 + (int)sn_stream_below(s, 12),
                      1 + (int)sn_stream_below(s, 9), acts[sn_stream_below(s, 3)]);
    if (sn_stream_below(s, 2))
        at += snprintf(text + at, n - (size_t)at, ", max_pooling1d: {pool_size: %d}", 2 + (int)sn_stream_below(s, 3));
    if (sn_stream_below(s, 2)) at += snprintf(text + at, n - (size_t)at, ", batch_normalization: {}");
    if (lstm) {
        for (int k = 0; k < 1 + (int)sn_stream_below(s, 2); k++)
            at += snprintf(text + at, n - (size_t)at, ", lstm: {units: %d, bidirectional: true, return_sequences: true}",
                           2 + (int)sn_stream_below(s, 8));
    } else {
        at += snprintf(text + at, n - (size_t)at, ", conv1d: {filters: %d, kernel_size: 3, padding: same, activation: %s}",
                       2 + (int)sn_stream_below(s, 10), acts[sn_stream_below(s, 3)]);
    }
    at += snprintf(text + at, n - (size_t)at, ", %s: {}", sn_stream_below(s, 2) ? "global_max_pooling1d" : "global_average_pooling1d");
    snprintf(text + at, n - (size_t)at,
             ", dropout: {rate: 0.5}, dense: {units: 5, activation: %s}, dense: {units: 2, activation: sigmoid}]",
             acts[sn_stream_below(s, 3)]);
}

START_TEST(random_nets) {
    char text[1024];
    struct sn_stream s;
    sn_stream_init(&s, 2026, (uint64_t)_i, 0);
    random_layers(&s, _i % 2, text, sizeof text);
    int64_t len = 20 + (int64_t)sn_stream_below(&s, _i % 10 == 1 ? 481 : 81);
    struct net n = {.name = "random", .layers = text, .loss = "binary_crossentropy", .tasks = 2, .longest = len};
    for (int rule = SN_RULE_RESCALE; rule <= SN_RULE_GENOMICS; rule++) {
        double worst = check_net(&n, (uint64_t)_i + 1, (enum sn_rule)rule);
        ck_assert_msg(worst <= SUM_TOLERANCE, "net %d (%lld positions) %s, %s: residual %.3g", _i, (long long)len, text, rules[rule],
                      worst);
    }
}
END_TEST

#ifdef SN_DOUBLE
/* Row 0 of a batch, then two neighbours for each value of it. */
static void neighbours(const struct net *n, const uint8_t *codes, double h, sn_real *values, int64_t size) {
    const sn_real *lut = net_plan(n, SN_ATTRIBUTE, 1).lut;
    for (int64_t i = 0; i < n->longest; i++) memcpy(values + 4 * i, lut + 4 * codes[i], 4 * sizeof *values);
    for (int64_t e = 0; e < size; e++)
        for (int side = 0; side < 2; side++) {
            sn_real *row = values + (1 + 2 * e + side) * size;
            memcpy(row, values, (size_t)size * sizeof *row);
            row[e] += side ? -h : h;
        }
}

/* Without a difference every rule gives the gradient, here by central differences. */
START_TEST(gradient_without_difference) {
    const struct net *n = &nets[_i];
    struct sn_arch *arch;
    int64_t size = n->longest * 4, rows = 1 + 2 * size;
    int32_t len[1], zero = 0;
    const double h = 1e-5;
    if (!n->smooth) return;
    ck_assert_int_eq(net_arch(n, &arch), 0);
    sn_real *params = net_fresh_params(arch->graph, 3, 1), *values = calloc((size_t)(rows * size), sizeof *values);
    uint8_t *codes = calloc(1, (size_t)n->longest);
    net_rows(n, arch->graph, 3, 1, codes, len);
    neighbours(n, codes, h, values, size);
    for (int rule = SN_RULE_RESCALE; rule <= SN_RULE_GENOMICS; rule++) {
        struct sn_backend be;
        struct sn_plan *plan;
        struct sn_session *s;
        struct sn_plan_options o = net_plan(n, SN_ATTRIBUTE, (int)rows);
        o.max_pairs = 1, o.rule = (enum sn_rule)rule, o.values = true, o.var = false;
        ck_assert_int_eq(sn_backend_cpu(0, "own", &be), 0);
        ck_assert_msg(sn_plan_create(arch->graph, &be, &o, &plan) == 0, "%s: %s", n->name, seqnet_errmsg());
        ck_assert_int_eq(sn_plan_set_params(plan, params), 0);
        ck_assert_int_eq(sn_session_create(plan, NULL, &s), 0);
        int tasks = (int)arch->graph->nodes[arch->graph->heads[0].logits].out.ch;
        sn_real *z = calloc((size_t)(rows * tasks), sizeof *z), *m = calloc((size_t)size, sizeof *m),
                *seeds = calloc((size_t)tasks, sizeof *seeds);
        seeds[0] = 1;
        ck_assert_msg(sn_session_forward(s, &(struct sn_batch){.n = (int)rows, .values = values}, 0) == 0, "%s", seqnet_errmsg());
        ck_assert_int_eq(sn_session_output(s, 0, true, z), 0);
        struct sn_attr a = {.n_pairs = 1, .row_x = &zero, .row_ref = &zero, .seeds = seeds};
        ck_assert_int_eq(sn_session_attribute(s, &a, m), 0);
        for (int64_t e = 0; e < size; e++) {
            double slope = (z[(1 + 2 * e) * tasks] - z[(2 + 2 * e) * tasks]) / (2 * h);
            ck_assert_msg(fabs(m[e] - slope) <= 1e-7, "%s, %s: multiplier %lld is %.9g, the gradient %.9g", n->name, rules[rule],
                          (long long)e, m[e], slope);
        }
        free(z);
        free(m);
        free(seeds);
        sn_session_free(s);
        sn_plan_free(plan);
    }
    free(params);
    free(values);
    free(codes);
    sn_arch_free(arch);
}
END_TEST
#endif

int main(void) {
    int n = 0;
    while (nets[n].name) n++;
    Suite *s = suite_create("conservation");
    TCase *t = tcase_create("summation to delta");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, fixed_nets, 0, n);
    tcase_add_loop_test(t, random_nets, 0, 200);
#ifdef SN_DOUBLE
    tcase_add_loop_test(t, gradient_without_difference, 0, n);
#endif
    suite_add_tcase(s, t);
    return unit_run(s);
}
