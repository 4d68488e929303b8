/* Small graphs fed with values, for golden vectors of DeepLIFT. */
#ifndef SN_TESTS_TOY_H
#define SN_TESTS_TOY_H

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
    enum sn_rule rule;
    bool through_output; /* what is explained is the head's output, not its logits */
    sn_real seeds[4];    /* all zero: the first output */
};

static inline int put(struct toy *t, const char *op, int n_inputs, const int *inputs) {
    int id = sn_graph_add(t->g, sn_op_find(op), NULL, inputs, n_inputs);
    ck_assert_msg(id >= 0, "%s: %s", op, seqnet_errmsg());
    return id;
}

static inline int after(struct toy *t, const char *op, int input) {
    return put(t, op, 1, &input);
}

static inline void set(struct toy *t, int node, const char *name, int64_t value) {
    struct sn_node *nd = &t->g->nodes[node];
    int i = sn_op_param_index(nd->op, name);
    ck_assert_int_ge(i, 0);
    nd->p[i].i = value, nd->p[i].set = true;
}

static inline int dense(struct toy *t, int input, int units) {
    int id = after(t, "dense", input);
    set(t, id, "units", units);
    return id;
}

static inline int conv(struct toy *t, int input, int filters, int width, bool same) {
    int id = after(t, "conv1d", input);
    set(t, id, "filters", filters);
    set(t, id, "kernel_size", width);
    set(t, id, "padding", same);
    return id;
}

static inline void toy_open(struct toy *t, int64_t len, int channels) {
    memset(t, 0, sizeof *t);
    t->len = len;
    ck_assert_int_eq(sn_graph_create(channels, &t->g), 0);
}

/* Ends the graph and lays out its weights. */
static inline void finish(struct toy *t, int node) {
    ck_assert_int_eq(sn_graph_add_head(t->g, "y", node, SN_LOSS_MSE, 1), 0);
    ck_assert_msg(sn_graph_check(t->g, t->len, false) == 0, "%s", seqnet_errmsg());
    ck_assert_int_le((int)t->g->n_params, 512);
}

static inline void weights(struct toy *t, int node, int w, const double *v) {
    const struct sn_node *nd = &t->g->nodes[node];
    for (int64_t i = 0; i < sn_weight_count(&nd->weights[w]); i++) t->params[nd->weight_offset[w] + i] = (sn_real)v[i];
}
#define WEIGHTS(t, node, w, ...) weights(t, node, w, (const double[]){__VA_ARGS__})

struct answer {
    sn_real f, f0, m[VALUES], contribution[VALUES];
};

static inline void explain(struct toy *t, const double *x, const double *x0, struct answer *a) {
    struct sn_backend backend;
    struct sn_plan *plan;
    struct sn_session *s;
    int64_t n = t->len * t->g->channels;
    enum sn_isa isa;
    ck_assert_int_eq(sn_isa_detect(&isa), 0);
    ck_assert_int_eq(sn_backend_cpu(isa, "own", &backend), 0);
    struct sn_plan_options o = {.mode = SN_ATTRIBUTE, .max_len = t->len, .max_rows = 2, .max_pairs = 1, .values = true};
    o.rule = t->rule, o.through_output = t->through_output;
    ck_assert_msg(sn_plan_create(t->g, &backend, &o, &plan) == 0, "%s", seqnet_errmsg());
    ck_assert_int_eq(sn_plan_set_params(plan, t->params), 0);
    ck_assert_int_eq(sn_session_create(plan, NULL, &s), 0);
    int64_t tasks = t->g->nodes[t->g->heads[0].node].out.ch;
    sn_real in[2 * VALUES], out[8], seeds[4] = {1};
    for (int i = 0; i < 4; i++)
        if (t->seeds[i] != 0) memcpy(seeds, t->seeds, sizeof seeds);
    for (int64_t i = 0; i < n; i++) in[i] = (sn_real)x[i], in[n + i] = (sn_real)x0[i];
    ck_assert_int_eq(sn_session_forward(s, &(struct sn_batch){.n = 2, .values = in}, 0), 0);
    ck_assert_int_eq(sn_session_output(s, 0, !t->through_output, out), 0);
    int32_t row_x = 0, row_ref = 1;
    struct sn_attr at = {.n_pairs = 1, .row_x = &row_x, .row_ref = &row_ref, .seeds = seeds};
    ck_assert_msg(sn_session_attribute(s, &at, a->m) == 0, "%s", seqnet_errmsg());
    a->f = out[0], a->f0 = out[tasks];
    for (int64_t i = 0; i < n; i++) a->contribution[i] = a->m[i] * (in[i] - in[n + i]);
    sn_session_free(s);
    sn_plan_free(plan);
    sn_backend_close(&backend);
}

static inline void near_to(const char *what, double got, double want) {
    ck_assert_msg(fabs(got - want) <= TOLERANCE * fmax(1, fabs(want)), "%s: %.10g, expected %.10g", what, got, want);
}

static inline void all_near(const char *what, const sn_real *got, const double *want, int n) {
    char name[64];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s[%d]", what, i);
        near_to(name, (double)got[i], want[i]);
    }
}
#define NEAR(what, got, n, ...) all_near(what, got, (const double[]){__VA_ARGS__}, n)

/* Contributions per position: sums over channels. */
static inline void positions(const struct toy *t, const struct answer *a, sn_real *out) {
    for (int64_t i = 0; i < t->len; i++) {
        out[i] = 0;
        for (int c = 0; c < t->g->channels; c++) out[i] += a->contribution[i * t->g->channels + c];
    }
}

static inline void one_hot(const char *bases, double *out) {
    for (int i = 0; bases[i]; i++)
        for (int c = 0; c < 4; c++) out[4 * i + c] = "ACGT"[c] == bases[i];
}

/* G3's convolution, relu and pooling, flattened. */
static inline int g3_stack(struct toy *t) {
    toy_open(t, 6, 4);
    int c = conv(t, 0, 2, 3, false);
    return after(t, "flatten", after(t, "max_pooling1d", after(t, "relu", c)));
}

/* Its weights; call when the graph is finished. */
static inline void g3_weights(struct toy *t) {
    static const double f[2][3][4] = {{{.8, -.3, -.2, -.1}, {-.4, .9, -.2, .1}, {-.1, -.5, 1.1, -.2}},
                                      {{-.2, .3, .6, -.4}, {.5, -.1, -.3, .7}, {.2, -.6, .1, .4}}};
    int c = sn_graph_find(t->g, "conv1d");
    double kernel[24];
    for (int k = 0; k < 3; k++)
        for (int ch = 0; ch < 4; ch++)
            for (int o = 0; o < 2; o++) kernel[(k * 4 + ch) * 2 + o] = f[o][k][ch];
    weights(t, c, 0, kernel);
    WEIGHTS(t, c, 1, -.2, .1);
}

static inline void g3_net(struct toy *t) {
    int y = dense(t, g3_stack(t), 1);
    finish(t, y);
    g3_weights(t);
    WEIGHTS(t, y, 0, 1.2, .9, -.7, 1.1); /* position-major; the golden's order is filter-major */
    WEIGHTS(t, y, 1, -.15);
}

/* A perceptron of three units (G2b). */
static inline void g2b_net(struct toy *t, const char *act) {
    toy_open(t, 1, 3);
    int d = dense(t, after(t, "flatten", 0), 3), r = after(t, act, d), y = dense(t, r, 1);
    finish(t, y);
    WEIGHTS(t, d, 0, 1, -.5, .75, -2, 1, .25, .5, 1.5, -1); /* (in, out) */
    WEIGHTS(t, d, 1, -.5, .25, .1);
    WEIGHTS(t, y, 0, 2, -1, .5);
    WEIGHTS(t, y, 1, .3);
}

/* The smaller of two numbers (G2a). */
static inline void g2a_net(struct toy *t) {
    toy_open(t, 1, 2);
    int x = after(t, "flatten", 0), d = dense(t, x, 1), r = after(t, "relu", d), both = put(t, "concatenate", 2, (int[]){x, r}),
        y = dense(t, both, 1);
    finish(t, y);
    WEIGHTS(t, d, 0, 1, -1);
    WEIGHTS(t, y, 0, 1, 0, -1);
}

/* Stride 2, dilation 2, padding 2, two groups: a kernel of five with zeros between the taps and across the groups; then a batch norm with a
 * negative factor, relu, average pooling (G4). */
static inline void g4_net(struct toy *t) {
    static const double w[4][3] = {{.6, -.4, .3}, {-.7, .2, .5}, {-.3, .9, .1}, {.4, -.5, .8}}; /* channel, tap; filter = channel / 2 */
    double kernel[5 * 4 * 2] = {0};
    toy_open(t, 7, 4);
    int c = conv(t, 0, 2, 5, true);
    set(t, c, "strides", 2);
    int bn = after(t, "batch_normalization", c), p = after(t, "average_pooling1d", after(t, "relu", bn)),
        y = dense(t, after(t, "flatten", p), 1);
    finish(t, y);
    for (int ch = 0; ch < 4; ch++)
        for (int k = 0; k < 3; k++) kernel[(2 * k * 4 + ch) * 2 + ch / 2] = w[ch][k];
    weights(t, c, 0, kernel);
    WEIGHTS(t, c, 1, .1, -.05);
    WEIGHTS(t, bn, 0, 1.5, -.8);
    WEIGHTS(t, bn, 1, .2, .1);
    WEIGHTS(t, bn, 2, .05, -.1);
    WEIGHTS(t, bn, 3, .49, .64);
    WEIGHTS(t, y, 0, 1, .8, -.5, .3);
    WEIGHTS(t, y, 1, .25);
}

static inline void g11_net(struct toy *t) {
    toy_open(t, 1, 3);
    int x = after(t, "flatten", 0), bn = after(t, "batch_normalization", dense(t, x, 1)), r = after(t, "relu", bn),
        y = dense(t, put(t, "concatenate", 2, (int[]){r, x}), 1);
    finish(t, y);
    WEIGHTS(t, sn_graph_find(t->g, "dense"), 0, 1, -2, .5);
    WEIGHTS(t, sn_graph_find(t->g, "dense"), 1, .2);
    WEIGHTS(t, bn, 0, -.9);
    WEIGHTS(t, bn, 1, .4);
    WEIGHTS(t, bn, 3, .999); /* and epsilon */
    WEIGHTS(t, y, 0, 2, .5, 0, 0);
}

/* G3's stack, then two dense layers. */
static inline void g12_net(struct toy *t) {
    int d = dense(t, g3_stack(t), 2), y = dense(t, after(t, "relu", d), 1);
    finish(t, y);
    g3_weights(t);
    WEIGHTS(t, d, 0, 1, -.4, .5, .7, -.8, .9, .6, -1); /* position-major */
    WEIGHTS(t, d, 1, -.3, .2);
    WEIGHTS(t, y, 0, 1.3, -.9);
    WEIGHTS(t, y, 1, .1);
}

#endif
