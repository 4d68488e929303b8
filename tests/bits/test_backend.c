/* Same bits whoever computes: behind a PROT_NONE backend, fused or not, on 1, 2, 3 or 8 workers, on AVX2 or AVX-512, one launch per pass or
 * many tiles; and a row scores the same in any batch. Forward, loss, gradients and multipliers of every test net, compared with memcmp. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/error.h"
#include "support/guard.h"
#include "support/nets.h"
#include "unit/unit.h"

#define ROWS 21

struct setup {
    int isa, threads;
    bool small_blocks, guard, fuse, single_tile;
    bool fill; /* codes come row by row */
};

/* All that a net computes, one after the other. */
struct result {
    sn_real *v;
    size_t n;
};

static void append(struct result *r, const sn_real *v, size_t n) {
    r->v = realloc(r->v, (r->n + n) * sizeof *v);
    memcpy(r->v + r->n, v, n * sizeof *v);
    r->n += n;
}

struct data {
    struct sn_arch *arch;
    sn_real *params, *targets;
    uint8_t *codes;
    int32_t len[ROWS];
    double seen;
    int tasks;
};

static void data_open(struct data *d, const struct net *n) {
    ck_assert_msg(net_arch(n, &d->arch) == 0, "%s: %s", n->name, seqnet_errmsg());
    const struct sn_graph *g = d->arch->graph;
    d->tasks = (int)g->nodes[g->heads[0].logits].out.ch;
    d->params = net_params(g, 5);
    d->codes = calloc(ROWS, (size_t)n->longest);
    d->targets = calloc((size_t)(ROWS * d->tasks), sizeof *d->targets);
    net_rows(n, g, 5, ROWS, d->codes, d->len);
    d->seen = net_targets(g, 0, 5, ROWS, d->targets);
}

static void data_close(struct data *d) {
    sn_arch_free(d->arch);
    free(d->params);
    free(d->targets);
    free(d->codes);
}

struct filler {
    const struct data *d;
    int64_t longest;
};
static void fill_row(const void *filler, int row, uint8_t *codes) {
    const struct filler *f = filler;
    memcpy(codes, f->d->codes + row * f->longest, (size_t)f->d->len[row]);
}

static void run_training(const struct net *n, const struct data *d, bool fill, struct sn_plan *plan, struct sn_session *s,
                         struct result *r) {
    struct filler f = {d, n->longest};
    struct sn_batch b = {.n = ROWS, .len = d->len};
    if (fill)
        b.fill = fill_row, b.filler = &f;
    else
        b.codes = d->codes, b.code_row = n->longest;
    struct sn_targets t = {.t = d->targets, .denominator = d->seen};
    double loss = 0;
    ck_assert_msg(sn_session_forward(s, &b, 4) == 0, "%s: %s", n->name, seqnet_errmsg());
    ck_assert_int_eq(sn_session_loss(s, 0, &t, true, &loss), 0);
    ck_assert_int_eq(sn_session_backward(s), 0);
    size_t params = (size_t)sn_plan_graph(plan)->n_params;
    sn_real *copy = calloc(params + 1, sizeof *copy);
    struct sn_backend *be = sn_plan_backend(plan);
    be->download(be, copy, sn_plan_grads(plan), params * sizeof *copy);
    copy[params] = (sn_real)loss;
    append(r, copy, params + 1);
    ck_assert_int_eq(sn_plan_get_params(plan, copy), 0); /* moving statistics */
    append(r, copy, params);
    free(copy);
}

static void run_attribution(const struct net *n, const struct data *d, struct sn_session *s, struct result *r) {
    struct sn_batch b = {.n = ROWS, .codes = d->codes, .code_row = n->longest, .len = d->len};
    int32_t x[ROWS], ref[ROWS];
    int pairs = 0;
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < ROWS && pairs < ROWS; k++)
            if (i != k && d->len[i] == d->len[k]) x[pairs] = i, ref[pairs++] = k;
    if (pairs == 0) x[0] = ref[0] = 0, pairs = 1;
    sn_real *seeds = calloc((size_t)(pairs * d->tasks), sizeof *seeds), *m = calloc((size_t)(pairs * n->longest * 4), sizeof *m);
    for (int i = 0; i < pairs * d->tasks; i++) seeds[i] = (sn_real)(i % 3) - 1;
    ck_assert_msg(sn_session_forward(s, &b, 0) == 0, "%s: %s", n->name, seqnet_errmsg());
    struct sn_attr a = {.n_pairs = pairs, .row_x = x, .row_ref = ref, .seeds = seeds};
    ck_assert_msg(sn_session_attribute(s, &a, m) == 0, "%s: %s", n->name, seqnet_errmsg());
    append(r, m, (size_t)(pairs * n->longest * 4));
    free(seeds);
    free(m);
}

static void run_mode(const struct net *n, const struct data *d, const struct setup *st, enum sn_mode mode, enum sn_rule rule,
                     struct result *r) {
    struct sn_backend cpu, guarded, *be = &cpu;
    struct sn_pool *pool = NULL;
    struct sn_plan *plan;
    struct sn_session *s;
    ck_assert_int_eq(sn_backend_cpu(st->isa, "own", &cpu), 0);
    if (st->guard) guard_backend(&cpu, be = &guarded);
    be->single_tile = st->single_tile;
    if (st->threads > 1) ck_assert_int_eq(sn_pool_create(st->threads, &pool), 0);
    struct sn_plan_options o = net_plan(n, mode, ROWS);
    o.fuse = st->fuse, o.small_blocks = st->small_blocks, o.rule = rule;
    ck_assert_msg(sn_plan_create(d->arch->graph, be, &o, &plan) == 0, "%s: %s", n->name, seqnet_errmsg());
    ck_assert_int_eq(sn_plan_set_params(plan, d->params), 0);
    ck_assert_int_eq(sn_session_create(plan, pool, &s), 0);
    if (mode == SN_TRAIN) run_training(n, d, st->fill, plan, s, r);
    if (mode == SN_ATTRIBUTE) run_attribution(n, d, s, r);
    if (mode == SN_INFER) {
        struct sn_batch b = {.n = ROWS, .codes = d->codes, .code_row = n->longest, .len = d->len};
        ck_assert_msg(sn_session_forward(s, &b, 0) == 0, "%s: %s", n->name, seqnet_errmsg());
    }
    sn_real *out = calloc((size_t)(ROWS * d->tasks), sizeof *out);
    ck_assert_int_eq(sn_session_output(s, 0, true, out), 0);
    append(r, out, (size_t)(ROWS * d->tasks));
    free(out);
    sn_session_free(s);
    sn_plan_free(plan);
    sn_pool_free(pool);
    sn_backend_close(&cpu);
}

static void compare(const struct net *n, const struct setup *a, const struct setup *b, const char *what) {
    struct data d;
    data_open(&d, n);
    for (int i = SN_INFER; i <= SN_ATTRIBUTE + SN_RULE_GENOMICS; i++) {
        int mode = i < SN_ATTRIBUTE ? i : SN_ATTRIBUTE, rule = i - mode;
        struct result x = {0}, y = {0};
        run_mode(n, &d, a, (enum sn_mode)mode, (enum sn_rule)rule, &x);
        run_mode(n, &d, b, (enum sn_mode)mode, (enum sn_rule)rule, &y);
        ck_assert_int_eq((int)x.n, (int)y.n);
        for (size_t k = 0; k < x.n; k++)
            ck_assert_msg(memcmp(&x.v[k], &y.v[k], sizeof x.v[k]) == 0, "%s, mode %d, rule %d, %s: value %zu of %zu is %.9g and %.9g",
                          n->name, mode, rule, what, k, x.n, (double)x.v[k], (double)y.v[k]);
        free(x.v);
        free(y.v);
    }
    data_close(&d);
}

static int best_isa(void) {
    enum sn_isa isa;
    ck_assert_int_eq(sn_isa_detect(&isa), 0);
    return isa;
}

START_TEST(behind_a_guard) {
    struct setup plain = {.isa = best_isa(), .threads = 1, .fuse = true}, guarded = plain;
    guarded.guard = guarded.fill = true;
    long before = guard_calls();
    compare(&nets[_i], &plain, &guarded, "guarded");
    ck_assert_int_gt(guard_calls(), before + 50);
}
END_TEST

START_TEST(fused_or_not) {
    struct setup a = {.isa = best_isa(), .threads = 1, .fuse = true}, b = a;
    b.fuse = false;
    compare(&nets[_i], &a, &b, "unfused");
}
END_TEST

START_TEST(workers_and_tiles) {
    struct setup one = {.isa = best_isa(), .threads = 1, .fuse = true}, many = one;
    many.fill = true;
    for (int i = 0; i < 3; i++) {
        many.threads = (int[]){2, 3, 8}[i];
        compare(&nets[_i], &one, &many, "more workers");
    }
    many.threads = 1, many.single_tile = true;
    compare(&nets[_i], &one, &many, "one tile");
    many.threads = 2, many.single_tile = false, many.small_blocks = true;
    compare(&nets[_i], &one, &many, "blocks of weights");
}
END_TEST

START_TEST(instruction_sets) {
    struct setup a = {.isa = best_isa(), .threads = 1, .fuse = true}, b = a;
    if (a.isa != SN_ISA_AVX512) return; /* nothing to compare with on this machine */
    b.isa = SN_ISA_AVX2;
    compare(&nets[_i], &a, &b, "avx2");
}
END_TEST

START_TEST(any_batch) {
    const struct net *n = &nets[_i];
    struct data d;
    struct sn_backend be;
    struct sn_plan *plan;
    struct sn_session *s;
    data_open(&d, n);
    ck_assert_int_eq(sn_backend_cpu(best_isa(), "own", &be), 0);
    struct sn_plan_options o = net_plan(n, SN_INFER, ROWS);
    ck_assert_int_eq(sn_plan_create(d.arch->graph, &be, &o, &plan), 0);
    ck_assert_int_eq(sn_plan_set_params(plan, d.params), 0);
    ck_assert_int_eq(sn_session_create(plan, NULL, &s), 0);
    sn_real *all = calloc((size_t)(ROWS * d.tasks), sizeof *all), *some = calloc((size_t)(ROWS * d.tasks), sizeof *some);
    for (int size = ROWS; size > 0; size = size == ROWS ? 7 : size == 7 ? 1 : 0)
        for (int at = 0; at < ROWS; at += size) {
            struct sn_batch b = {.n = size, .codes = d.codes + at * n->longest, .code_row = n->longest, .len = d.len + at};
            ck_assert_int_eq(sn_session_forward(s, &b, 0), 0);
            ck_assert_int_eq(sn_session_output(s, 0, true, size == ROWS ? all : some), 0);
            if (size == ROWS) continue;
            ck_assert_msg(memcmp(some, all + at * d.tasks, (size_t)(size * d.tasks) * sizeof *all) == 0, "%s: row %d in a batch of %d",
                          n->name, at, size);
        }
    free(all);
    free(some);
    sn_session_free(s);
    sn_plan_free(plan);
    sn_backend_close(&be);
    data_close(&d);
}
END_TEST

int main(void) {
    int n = 0;
    while (nets[n].name) n++;
    Suite *s = suite_create("bits");
    TCase *t = tcase_create("nets");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, behind_a_guard, 0, n);
    tcase_add_loop_test(t, fused_or_not, 0, n);
    tcase_add_loop_test(t, workers_and_tiles, 0, n);
    tcase_add_loop_test(t, instruction_sets, 0, n);
    tcase_add_loop_test(t, any_batch, 0, n);
    suite_add_tcase(s, t);
    return unit_run(s);
}
