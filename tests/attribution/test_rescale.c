/* DeepLIFT Rescale against hand-derived golden vectors (names G0..G10 as in the specification they were computed for): small graphs fed
 * with values, in float (1e-6 of max(1, value)) and in double (1e-9). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/rng.h"
#include "graph/plan.h"
#include "unit/unit.h"

#ifdef SN_DOUBLE
#define TOLERANCE 6e-9 /* the goldens have nine digits */
#else
#define TOLERANCE 1e-6
#endif
#define VALUES 64

struct toy {
    struct sn_graph *g;
    sn_real params[512];
    int64_t len;
};

static int put(struct toy *t, const char *op, int n_inputs, const int *inputs) {
    int id = sn_graph_add(t->g, sn_op_find(op), NULL, inputs, n_inputs);
    ck_assert_msg(id >= 0, "%s: %s", op, seqnet_errmsg());
    return id;
}

static int after(struct toy *t, const char *op, int input) {
    return put(t, op, 1, &input);
}

static void set(struct toy *t, int node, const char *name, int64_t value) {
    struct sn_node *nd = &t->g->nodes[node];
    int i = sn_op_param_index(nd->op, name);
    ck_assert_int_ge(i, 0);
    nd->p[i].i = value, nd->p[i].set = true;
}

static int dense(struct toy *t, int input, int units) {
    int id = after(t, "dense", input);
    set(t, id, "units", units);
    return id;
}

static int conv(struct toy *t, int input, int filters, int width, bool same) {
    int id = after(t, "conv1d", input);
    set(t, id, "filters", filters);
    set(t, id, "kernel_size", width);
    set(t, id, "padding", same);
    return id;
}

static void toy_open(struct toy *t, int64_t len, int channels) {
    memset(t, 0, sizeof *t);
    t->len = len;
    ck_assert_int_eq(sn_graph_create(channels, &t->g), 0);
}

/* Ends the graph and lays out its weights. */
static void finish(struct toy *t, int node) {
    ck_assert_int_eq(sn_graph_add_head(t->g, "y", node, SN_LOSS_MSE, 1), 0);
    ck_assert_msg(sn_graph_check(t->g, t->len, false) == 0, "%s", seqnet_errmsg());
    ck_assert_int_le((int)t->g->n_params, 512);
}

static void weights(struct toy *t, int node, int w, const double *v) {
    const struct sn_node *nd = &t->g->nodes[node];
    for (int64_t i = 0; i < sn_weight_count(&nd->weights[w]); i++) t->params[nd->weight_offset[w] + i] = (sn_real)v[i];
}
#define WEIGHTS(t, node, w, ...) weights(t, node, w, (const double[]){__VA_ARGS__})

struct answer {
    sn_real f, f0, m[VALUES], contribution[VALUES];
};

static void explain(struct toy *t, const double *x, const double *x0, struct answer *a) {
    struct sn_backend backend;
    struct sn_plan *plan;
    struct sn_session *s;
    int64_t n = t->len * t->g->channels;
    enum sn_isa isa;
    ck_assert_int_eq(sn_isa_detect(&isa), 0);
    ck_assert_int_eq(sn_backend_cpu(isa, "own", &backend), 0);
    struct sn_plan_options o = {.mode = SN_ATTRIBUTE, .max_len = t->len, .max_rows = 2, .max_pairs = 1, .values = true};
    ck_assert_msg(sn_plan_create(t->g, &backend, &o, &plan) == 0, "%s", seqnet_errmsg());
    ck_assert_int_eq(sn_plan_set_params(plan, t->params), 0);
    ck_assert_int_eq(sn_session_create(plan, NULL, &s), 0);
    sn_real in[2 * VALUES], out[2], seed = 1;
    for (int64_t i = 0; i < n; i++) in[i] = (sn_real)x[i], in[n + i] = (sn_real)x0[i];
    ck_assert_int_eq(sn_session_forward(s, &(struct sn_batch){.n = 2, .values = in}, 0), 0);
    ck_assert_int_eq(sn_session_output(s, 0, true, out), 0);
    int32_t row_x = 0, row_ref = 1;
    struct sn_attr at = {.n_pairs = 1, .row_x = &row_x, .row_ref = &row_ref, .seeds = &seed};
    ck_assert_msg(sn_session_attribute(s, &at, a->m) == 0, "%s", seqnet_errmsg());
    a->f = out[0], a->f0 = out[1];
    for (int64_t i = 0; i < n; i++) a->contribution[i] = a->m[i] * (in[i] - in[n + i]);
    sn_session_free(s);
    sn_plan_free(plan);
    sn_backend_close(&backend);
}

static void near_to(const char *what, double got, double want) {
    ck_assert_msg(fabs(got - want) <= TOLERANCE * fmax(1, fabs(want)), "%s: %.10g, expected %.10g", what, got, want);
}

static void all_near(const char *what, const sn_real *got, const double *want, int n) {
    char name[64];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s[%d]", what, i);
        near_to(name, (double)got[i], want[i]);
    }
}
#define NEAR(what, got, n, ...) all_near(what, got, (const double[]){__VA_ARGS__}, n)

/* Contributions per position: sums over channels. */
static void positions(const struct toy *t, const struct answer *a, sn_real *out) {
    for (int64_t i = 0; i < t->len; i++) {
        out[i] = 0;
        for (int c = 0; c < t->g->channels; c++) out[i] += a->contribution[i * t->g->channels + c];
    }
}

static void one_hot(const char *bases, double *out) {
    for (int i = 0; bases[i]; i++)
        for (int c = 0; c < 4; c++) out[4 * i + c] = "ACGT"[c] == bases[i];
}

START_TEST(g0_relu_and_pool) {
    struct toy t;
    struct answer a;
    toy_open(&t, 4, 1);
    int d = dense(&t, after(&t, "flatten", 0), 1), r = after(&t, "relu", d), y = dense(&t, r, 1);
    finish(&t, y);
    WEIGHTS(&t, d, 0, 1, 2, 3, 4);
    WEIGHTS(&t, d, 1, -1);
    WEIGHTS(&t, y, 0, 1);
    explain(&t, (double[]){1, 1, 1, 1}, (double[]){0, 0, 0, 0}, &a);
    NEAR("G0 multipliers", a.m, 4, .9, 1.8, 2.7, 3.6);
    sn_graph_free(t.g);

    toy_open(&t, 1, 2);
    d = dense(&t, after(&t, "flatten", 0), 2), r = after(&t, "relu", d), y = dense(&t, r, 1);
    finish(&t, y);
    WEIGHTS(&t, d, 0, 1, 0, 0, 1);
    WEIGHTS(&t, d, 1, 0, -1.5);
    WEIGHTS(&t, y, 0, 2, 2);
    explain(&t, (double[]){1, 2}, (double[]){0, 0}, &a);
    NEAR("G0 two units", a.contribution, 2, 2, 1);
    sn_graph_free(t.g);

    toy_open(&t, 4, 1);
    int p = after(&t, "max_pooling1d", 0);
    set(&t, p, "pool_size", 4);
    y = dense(&t, after(&t, "flatten", p), 1);
    finish(&t, y);
    WEIGHTS(&t, y, 0, 1);
    explain(&t, (double[]){1, 1, 1, 1}, (double[]){1, 2, 3, 9}, &a);
    NEAR("G0 pool down", a.contribution, 4, 0, 0, 0, -8);
    explain(&t, (double[]){1, 1, 1, 1}, (double[]){4, 8, 6, 7}, &a);
    NEAR("G0 pool second", a.contribution, 4, 0, -7, 0, 0);
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g1_linear) {
    struct toy t;
    struct answer a;
    double x[12], x0[12], uniform[12];
    sn_real pos[3], h[12];
    toy_open(&t, 3, 4);
    int y = dense(&t, after(&t, "flatten", 0), 1);
    finish(&t, y);
    WEIGHTS(&t, y, 0, .5, -.25, .1, -.35, -.2, .8, -.4, .2, .3, .1, -.6, .7);
    WEIGHTS(&t, y, 1, .05);
    one_hot("ACG", x);
    one_hot("TTA", x0);
    explain(&t, x, x0, &a);
    near_to("G1 F", (double)a.f, .75);
    positions(&t, &a, pos);
    NEAR("G1 positions", pos, 3, .85, .6, -.9);
    for (int l = 0; l < 3; l++)
        for (int c = 0; c < 4; c++) {
            h[4 * l + c] = a.m[4 * l + c];
            for (int k = 0; k < 4; k++) h[4 * l + c] -= a.m[4 * l + k] * (sn_real)x0[4 * l + k];
        }
    NEAR("G1 hypothetical", h, 12, .85, .1, .45, 0, -.4, .6, -.6, 0, 0, -.2, -.9, .4);
    for (int i = 0; i < 12; i++) uniform[i] = .25;
    explain(&t, x, uniform, &a);
    positions(&t, &a, pos);
    NEAR("G1 uniform", pos, 3, .5, .7, -.725);
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g2_minimum_and_mlp) {
    struct toy t;
    struct answer a;
    toy_open(&t, 1, 2);
    int x = after(&t, "flatten", 0), d = dense(&t, x, 1), r = after(&t, "relu", d), both = put(&t, "concatenate", 2, (int[]){x, r}),
        y = dense(&t, both, 1);
    finish(&t, y);
    WEIGHTS(&t, d, 0, 1, -1);
    WEIGHTS(&t, y, 0, 1, 0, -1);
    explain(&t, (double[]){6, 10}, (double[]){0, 0}, &a);
    NEAR("G2a", a.contribution, 2, 6, 0);
    explain(&t, (double[]){10, 6}, (double[]){0, 0}, &a);
    NEAR("G2a other", a.contribution, 2, 0, 6);
    sn_graph_free(t.g);

    static const struct {
        const char *act;
        double f, f0, c[3];
    } rows[] = {{"relu", 5.55, .525, {1.67406932, 5.47082798, -2.1198973}},
                {"sigmoid", 1.48833079, .548926322, {.398419232, 1.12007069, -.57908545}},
                {"tanh", .912304433, -1.21040029, {1.03923898, 2.76667717, -1.68321143}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        toy_open(&t, 1, 3);
        d = dense(&t, after(&t, "flatten", 0), 3), r = after(&t, rows[i].act, d), y = dense(&t, r, 1);
        finish(&t, y);
        WEIGHTS(&t, d, 0, 1, -.5, .75, -2, 1, .25, .5, 1.5, -1); /* (in, out) */
        WEIGHTS(&t, d, 1, -.5, .25, .1);
        WEIGHTS(&t, y, 0, 2, -1, .5);
        WEIGHTS(&t, y, 1, .3);
        explain(&t, (double[]){1, -1, 2}, (double[]){.2, .4, -.3}, &a);
        near_to(rows[i].act, (double)a.f, rows[i].f);
        near_to(rows[i].act, (double)a.f0, rows[i].f0);
        for (int k = 0; k < 3; k++)
            ck_assert_msg(fabs((double)a.contribution[k] - rows[i].c[k]) <= TOLERANCE * fmax(1, fabs(rows[i].c[k])),
                          "G2b %s: %.10g, expected %.10g", rows[i].act, (double)a.contribution[k], rows[i].c[k]);
        sn_graph_free(t.g);
    }
}
END_TEST

static void g3_net(struct toy *t) {
    toy_open(t, 6, 4);
    int c = conv(t, 0, 2, 3, false), r = after(t, "relu", c), p = after(t, "max_pooling1d", r), y = dense(t, after(t, "flatten", p), 1);
    finish(t, y);
    static const double f[2][3][4] = {{{.8, -.3, -.2, -.1}, {-.4, .9, -.2, .1}, {-.1, -.5, 1.1, -.2}},
                                      {{-.2, .3, .6, -.4}, {.5, -.1, -.3, .7}, {.2, -.6, .1, .4}}};
    double kernel[24];
    for (int k = 0; k < 3; k++)
        for (int ch = 0; ch < 4; ch++)
            for (int o = 0; o < 2; o++) kernel[(k * 4 + ch) * 2 + o] = f[o][k][ch];
    weights(t, c, 0, kernel);
    WEIGHTS(t, c, 1, -.2, .1);
    WEIGHTS(t, y, 0, 1.2, .9, -.7, 1.1); /* position-major; the golden's order is filter-major */
    WEIGHTS(t, y, 1, -.15);
}

START_TEST(g3_convolution) {
    struct toy t;
    struct answer a;
    double x[24], x0[24];
    sn_real pos[6];
    g3_net(&t);
    one_hot("ACGTAC", x);
    one_hot("CATCAG", x0);
    explain(&t, x, x0, &a);
    near_to("G3 F", (double)a.f, 5.18);
    near_to("G3 F0", (double)a.f0, 2.01);
    positions(&t, &a, pos);
    NEAR("G3 CATCAG", pos, 6, .599073359, .703320463, 1.26316173, .604444444, 0, 0);
    sn_real h0[4];
    for (int c = 0; c < 4; c++) h0[c] = a.m[c] - a.m[1]; /* reference base of position 0 is C */
    NEAR("G3 H", h0, 4, .599073359, 0, .232123552, -.204324324);
    one_hot("GTACCA", x0);
    explain(&t, x, x0, &a);
    near_to("G3 F0", (double)a.f0, 1.14);
    positions(&t, &a, pos);
    NEAR("G3 GTACCA", pos, 6, .574117647, .366117647, 2.09309804, .803333333, .203333333, 0);
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g5_residual_and_overlapping_pools) {
    struct toy t;
    struct answer a;
    toy_open(&t, 5, 1);
    int c = conv(&t, 0, 1, 2, true), r = after(&t, "relu", c), res = put(&t, "add", 2, (int[]){0, r});
    int mp = after(&t, "max_pooling1d", res);
    set(&t, mp, "pool_size", 3);
    set(&t, mp, "strides", 1);
    int gm = after(&t, "global_max_pooling1d", res), fl = after(&t, "flatten", mp), all = put(&t, "concatenate", 2, (int[]){fl, gm}),
        y = dense(&t, all, 1);
    finish(&t, y);
    WEIGHTS(&t, c, 0, 1, -.5);
    WEIGHTS(&t, c, 1, .1);
    WEIGHTS(&t, y, 0, .7, -1.1, .4, .9);
    WEIGHTS(&t, y, 1, -.2);
    explain(&t, (double[]){1, 2, 2, -1, .5}, (double[]){3, 0, 1, 2.5, -2}, &a);
    near_to("G5 F", (double)a.f, 3.94);
    near_to("G5 F0", (double)a.f0, 5.29);
    NEAR("G5 m", a.m, 5, .96, -.24, 0, -.259970348, .0560415122);
    NEAR("G5", a.contribution, 5, -1.92, -.48, 0, .909896219, .140103781);
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g6_quotients) {
    static const struct {
        const char *act;
        double a, b, rho;
    } rows[] = {{"relu", 1.3, -.4, .764705882},  {"relu", -2, .7, .259259259},   {"sigmoid", 1.3, -.4, .22618979},
                {"sigmoid", -2, .7, .203327722}, {"tanh", 1.3, -.4, .730395366}, {"tanh", -2, .7, .580887169},
                {"sigmoid", .5, .5, .235003712}, {"tanh", .5, .5, .786447733}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct toy t;
        struct answer a;
        toy_open(&t, 1, 1);
        int f = after(&t, rows[i].act, after(&t, "flatten", 0)), y = dense(&t, f, 1);
        finish(&t, y);
        WEIGHTS(&t, y, 0, 1);
        explain(&t, &rows[i].a, &rows[i].b, &a);
        near_to(rows[i].act, (double)a.m[0], rows[i].rho);
        sn_graph_free(t.g);
    }
}
END_TEST

START_TEST(g9_lstm) {
    struct toy t;
    struct answer a;
    toy_open(&t, 2, 2);
    int l = after(&t, "lstm", 0);
    set(&t, l, "units", 1);
    set(&t, l, "return_sequences", 1);
    int y = dense(&t, after(&t, "flatten", l), 1);
    finish(&t, y);
    WEIGHTS(&t, l, 0, .5, .2, .7, -.1, -.3, .4, -.6, .8); /* (in, 4H) */
    WEIGHTS(&t, l, 1, .1, -.2, .3, .25);
    WEIGHTS(&t, l, 2, .05, 1, -.1, .2);
    WEIGHTS(&t, y, 0, .5, 1.5);
    WEIGHTS(&t, y, 1, -.2);
    explain(&t, (double[]){1, 0, .5, -1}, (double[]){0, 1, -.5, .5}, &a);
    near_to("G9 F", (double)a.f, .202761753);
    near_to("G9 F0", (double)a.f0, -.721962184);
    NEAR("G9 m", a.m, 4, .271141211, -.229931057, .201080075, -.148381063);
    NEAR("G9", a.contribution, 4, .271141211, .229931057, .201080075, .222571594);
    sn_graph_free(t.g);
}
END_TEST

static double u(uint64_t k) {
    return (double)(sn_mix64(k) >> 40) / 16777216.0 - 0.5;
}

START_TEST(g10_bilstm) {
    struct toy t;
    struct answer a;
    toy_open(&t, 7, 4);
    int l = after(&t, "lstm", 0);
    set(&t, l, "units", 2);
    set(&t, l, "bidirectional", 1);
    set(&t, l, "return_sequences", 1);
    int y = dense(&t, after(&t, "global_max_pooling1d", l), 1);
    finish(&t, y);
    near_to("u(0)", u(0), .383310795);
    for (int d = 0; d < 2; d++) {
        double w[32], uu[16], b[8];
        for (int r = 0; r < 8; r++) {
            for (int c = 0; c < 4; c++) w[c * 8 + r] = 4 * u((uint64_t)(300 * d + 4 * r + c));
            for (int c = 0; c < 2; c++) uu[c * 8 + r] = 4 * u((uint64_t)(300 * d + 100 + 2 * r + c));
            b[r] = 2 * u((uint64_t)(300 * d + 200 + r));
        }
        weights(&t, l, 3 * d, w);
        weights(&t, l, 3 * d + 1, uu);
        weights(&t, l, 3 * d + 2, b);
    }
    WEIGHTS(&t, y, 0, 8 * u(600), 8 * u(601), 8 * u(602), 8 * u(603));
    WEIGHTS(&t, y, 1, .1);
    double x[28], x0[28];
    sn_real pos[7], h0[4];
    one_hot("GATTACA", x);
    one_hot("TCAGATA", x0);
    explain(&t, x, x0, &a);
    near_to("G10 F", (double)a.f, -1.18848411);
    near_to("G10 F0", (double)a.f0, .109570855);
    positions(&t, &a, pos);
    NEAR("G10", pos, 7, -.654786346, -.00546041854, -.0587678344, -.00227656381, 0, -.576763805, 0);
    for (int c = 0; c < 4; c++) h0[c] = a.m[c] - a.m[3];
    NEAR("G10 H", h0, 4, -.531531027, -.313265917, -.654786346, 0);
    sn_graph_free(t.g);
}
END_TEST

int main(void) {
    Suite *s = suite_create("rescale");
    TCase *t = tcase_create("goldens");
    tcase_add_test(t, g0_relu_and_pool);
    tcase_add_test(t, g1_linear);
    tcase_add_test(t, g2_minimum_and_mlp);
    tcase_add_test(t, g3_convolution);
    tcase_add_test(t, g5_residual_and_overlapping_pools);
    tcase_add_test(t, g6_quotients);
    tcase_add_test(t, g9_lstm);
    tcase_add_test(t, g10_bilstm);
    suite_add_tcase(s, t);
    return unit_run(s);
}
