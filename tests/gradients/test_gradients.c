/* Every op's gradients against central differences, in double: parameters (on codes, fused and not) and inputs (fed as values). Inputs of
 * relu and max pooling are kept 1e-3 away from kinks and ties. Walks the op table: an op without a net, a rule or a help line fails. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "support/nets.h"
#include "unit/unit.h"

#define ROWS 5
#define TASKS_MAX 8
#define MANY 4096 /* elements of an array that are all tried; of more, SOME of them */
#define SOME 64
#define STEP 1e-5
#define TOLERANCE 1e-6
#define CLEAR 1e-3

struct problem {
    const struct net *net;
    struct sn_arch *arch;
    struct sn_backend backend;
    struct sn_plan *plan;
    struct sn_session *session;
    sn_real *params, *values;
    uint8_t *codes;
    int32_t len[ROWS];
    sn_real targets[ROWS * TASKS_MAX];
    double seen;
    bool on_values;
};

static double loss_of(struct problem *p, bool gradient) {
    struct sn_batch b = {
        .n = ROWS, .codes = p->codes, .code_row = p->net->longest, .values = p->on_values ? p->values : NULL, .len = p->len};
    double loss = 0;
    ck_assert_int_eq(sn_plan_set_params(p->plan, p->params), 0);
    ck_assert_msg(sn_session_forward(p->session, &b, 3) == 0, "%s: %s", p->net->name, seqnet_errmsg());
    struct sn_targets t = {.t = p->targets, .denominator = p->seen};
    ck_assert_msg(sn_session_loss(p->session, 0, &t, gradient, &loss) == 0, "%s: %s", p->net->name, seqnet_errmsg());
    return loss;
}

static void problem_open(struct problem *p, const struct net *n, uint64_t seed, bool on_values, bool fuse) {
    memset(p, 0, sizeof *p);
    p->net = n, p->on_values = on_values;
    ck_assert_msg(net_arch(n, &p->arch) == 0, "%s: %s", n->name, seqnet_errmsg());
    struct sn_graph *g = p->arch->graph;
    ck_assert_int_eq(sn_backend_cpu(0, "own", &p->backend), 0);
    struct sn_plan_options o = net_plan(n, SN_TRAIN, ROWS);
    o.values = on_values, o.fuse = fuse;
    ck_assert_msg(sn_plan_create(g, &p->backend, &o, &p->plan) == 0, "%s: %s", n->name, seqnet_errmsg());
    ck_assert_int_eq(sn_session_create(p->plan, NULL, &p->session), 0);
    p->params = net_params(g, seed);
    p->codes = calloc(ROWS, (size_t)n->longest);
    p->values = calloc((size_t)(ROWS * n->longest * 4), sizeof *p->values);
    net_rows(n, g, seed, ROWS, p->codes, p->len);
    struct sn_stream s;
    sn_stream_init(&s, seed, 9, 0);
    for (int64_t i = 0; i < ROWS * n->longest * 4; i++) p->values[i] = sn_stream_normal(&s);
    p->seen = net_targets(g, 0, seed, ROWS, p->targets);
}

static void problem_close(struct problem *p) {
    free(p->params);
    free(p->codes);
    free(p->values);
    sn_session_free(p->session);
    sn_plan_free(p->plan);
    sn_backend_close(&p->backend);
    sn_arch_free(p->arch);
}

/* No value of a row's first `len` positions within CLEAR of 0 (window 0), or of another one less than `window` positions away. */
static bool values_are_clear(const sn_real *v, int64_t len, int64_t ch, int64_t window) {
    for (int64_t i = 0; i < len * ch; i++) {
        if (window == 0 && fabs((double)v[i]) < CLEAR) return false;
        for (int64_t k = i + ch; window > 0 && k < len * ch && k < i + window * ch; k += ch)
            if (v[i] != v[k] && fabs((double)(v[i] - v[k])) < CLEAR) return false;
    }
    return true;
}

static bool node_is_clear(struct sn_session *s, const struct sn_graph *g, const struct sn_node *nd, const int32_t *len) {
    bool relu = strcmp(nd->op->name, "relu") == 0, pool = strstr(nd->op->name, "max_pooling1d") != NULL;
    if (!relu && !pool) return true;
    int64_t row = nd->in[0].len * nd->in[0].ch, window = relu ? 0 : nd->op->params ? nd->p[0].i : nd->in[0].len;
    sn_real *v = calloc((size_t)(ROWS * row), sizeof *v);
    int32_t *lengths = calloc((size_t)g->n_nodes, sizeof *lengths);
    ck_assert_msg(sn_session_value(s, nd->inputs[0], v) == 0, "%s", seqnet_errmsg());
    bool clear = true;
    for (int r = 0; r < ROWS && clear; r++) {
        ck_assert_int_eq(sn_graph_lengths(g, len[r], lengths), 0);
        clear = values_are_clear(v + r * row, lengths[nd->inputs[0]], nd->in[0].ch, window);
    }
    free(lengths);
    free(v);
    return clear;
}

/* Is every relu input away from 0, every window's largest value away from its second? Looks at the values an attribution plan keeps. */
static bool is_clear(struct problem *p) {
    struct sn_graph *g = p->arch->graph;
    struct sn_plan_options o = net_plan(p->net, SN_ATTRIBUTE, ROWS);
    o.values = p->on_values, o.fuse = false;
    struct sn_plan *plan;
    struct sn_session *s;
    ck_assert_int_eq(sn_plan_create(g, &p->backend, &o, &plan), 0);
    ck_assert_int_eq(sn_plan_set_params(plan, p->params), 0);
    ck_assert_int_eq(sn_session_create(plan, NULL, &s), 0);
    struct sn_batch b = {
        .n = ROWS, .codes = p->codes, .code_row = p->net->longest, .values = p->on_values ? p->values : NULL, .len = p->len};
    ck_assert_int_eq(sn_session_forward(s, &b, 0), 0);
    bool clear = true;
    for (int i = 1; i < g->n_nodes && clear; i++) clear = node_is_clear(s, g, &g->nodes[i], p->len);
    sn_session_free(s);
    sn_plan_free(plan);
    return clear;
}

static void compare(struct problem *p, const char *what, sn_real *x, const sn_real *gradient, int64_t n) {
    double largest = 0, worst = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs((double)gradient[i]));
    for (int64_t i = 0; i<n; i += n> MANY ? n / SOME : 1) {
        sn_real old = x[i];
        x[i] = old + STEP;
        double up = loss_of(p, false);
        x[i] = old - STEP;
        double down = loss_of(p, false);
        x[i] = old;
        double d = fabs((up - down) / (2 * STEP) - (double)gradient[i]);
        if (d > worst) worst = d, at = i;
    }
    double relative = worst / fmax(largest, 1e-3);
    ck_assert_msg(relative <= TOLERANCE, "%s: gradient of %s differs by %.3g of the largest (element %lld of %lld)", p->net->name, what,
                  relative, (long long)at, (long long)n);
}

static void check_weights(struct problem *p) {
    const struct sn_graph *g = sn_plan_graph(p->plan);
    for (int i = 0; i < g->n_nodes; i++)
        for (int w = 0; w < g->nodes[i].n_weights; w++) {
            const struct sn_weight *wt = &g->nodes[i].weights[w];
            if (!wt->trainable) continue;
            int64_t n = sn_weight_count(wt), off = g->nodes[i].weight_offset[w];
            loss_of(p, true);
            ck_assert_int_eq(sn_session_backward(p->session), 0);
            sn_real *grad = calloc((size_t)n, sizeof *grad);
            memcpy(grad, sn_plan_grads(p->plan) + off, (size_t)n * sizeof *grad);
            char what[2 * SN_NAME_MAX];
            snprintf(what, sizeof what, "%s/%s%s", g->nodes[i].name, wt->name, p->on_values ? " (values)" : " (codes)");
            compare(p, what, p->params + off, grad, n);
            free(grad);
        }
}

static void check_inputs(struct problem *p) {
    int64_t n = ROWS * p->net->longest * 4;
    sn_real *grad = calloc((size_t)n, sizeof *grad);
    loss_of(p, true);
    ck_assert_int_eq(sn_session_backward(p->session), 0);
    ck_assert_int_eq(sn_session_input_grad(p->session, grad), 0);
    for (int r = 0; r < ROWS; r++) compare(p, "input", p->values + r * p->net->longest * 4, grad + r * p->net->longest * 4, p->len[r] * 4);
    free(grad);
}

static void check_net(const struct net *n, bool on_values, bool fuse) {
    struct problem p;
    uint64_t seed = 1;
    for (problem_open(&p, n, seed, on_values, fuse); !n->smooth && !is_clear(&p); problem_open(&p, n, ++seed, on_values, fuse)) {
        problem_close(&p);
        ck_assert_msg(seed < 3000, "%s: no seed keeps its distance from kinks", n->name);
    }
    check_weights(&p);
    if (on_values) check_inputs(&p);
    problem_close(&p);
}

static int count_nets(void) {
    int n = 0;
    while (nets[n].name) n++;
    return n;
}

START_TEST(gradient_on_values) {
    check_net(&nets[_i], true, false);
}
END_TEST

START_TEST(gradient_on_codes) {
    check_net(&nets[_i], false, false);
}
END_TEST

START_TEST(gradient_fused) {
    check_net(&nets[_i], false, true);
}
END_TEST

START_TEST(op_is_complete) {
    const struct sn_op *op = sn_op_table[_i];
    bool used = false;
    for (int n = 0; nets[n].name; n++) {
        struct sn_arch *a;
        ck_assert_msg(net_arch(&nets[n], &a) == 0, "%s: %s", nets[n].name, seqnet_errmsg());
        for (int k = 0; k < a->graph->n_nodes; k++) used |= a->graph->nodes[k].op == op;
        sn_arch_free(a);
    }
    ck_assert_msg(used, "op %s has no gradient case in tests/support/nets.c", op->name);
    ck_assert_msg(op->help && strlen(op->help) > 10, "op %s has no help", op->name);
    ck_assert_msg(op->geometry != NULL, "op %s has no scan geometry", op->name);
    ck_assert_msg(op->rule != SN_ATTR_NONE, "op %s has no attribution rule", op->name);
    ck_assert_msg(op->min_inputs == 0 || op->rule == SN_ATTR_COLLAPSE || op->split || (op->flags & (SN_OP_ALIAS | SN_OP_STOCHASTIC)),
                  "op %s does not pass differences in two parts", op->name);
    for (int i = 0; op->params && op->params[i].name; i++)
        ck_assert_msg(op->params[i].help != NULL, "op %s: parameter %s has no help", op->name, op->params[i].name);
}
END_TEST

int main(void) {
    Suite *s = suite_create("gradients");
    TCase *t = tcase_create("ops");
    int n_ops = 0;
    while (sn_op_table[n_ops]) n_ops++;
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, op_is_complete, 0, n_ops);
    tcase_add_loop_test(t, gradient_on_values, 0, count_nets());
    tcase_add_loop_test(t, gradient_on_codes, 0, count_nets());
    tcase_add_loop_test(t, gradient_fused, 0, count_nets());
    suite_add_tcase(s, t);
    return unit_run(s);
}
