/* PyTorch goldens (torch_goldens.py): logits, loss, every gradient, 10 steps of SGD, Nesterov and Adam, by max-norm per tensor. Compiled
 * for the float library (1e-5; Adam left to the double one, its square roots magnify rounding) and the double oracle (1e-9). */
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <zlib.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/pool.h"
#include "support/nets.h"
#include "unit/unit.h"

#ifdef SN_DOUBLE
#define TOLERANCE 1e-9
#else
#define TOLERANCE 1e-5
#endif

static json_t *doc;
static const char *case_names[64];
static int n_cases;

struct golden {
    const char *name;
    json_t *json;
    struct sn_arch *arch;
    struct sn_backend backend;
    struct sn_pool *pool;
    struct sn_plan *plan;
    struct sn_session *session;
    sn_real *params, *targets;
    uint8_t *codes;
    int n, tasks;
    double seen;
    int64_t length;
};

static const char *data_path(char *buf, size_t n) {
    const char *dir = getenv("SEQNET_GOLDENS");
    snprintf(buf, n, "%s/torch.json.gz", dir ? dir : ".");
    return buf;
}

static void load(void) {
    char path[4096];
    gzFile f = gzopen(data_path(path, sizeof path), "rb");
    if (!f) {
        fprintf(stderr, "cannot open %s\n", path);
        exit(1);
    }
    size_t cap = 64u << 20, n = 0;
    char *text = malloc(cap);
    for (int got; (got = gzread(f, text + n, 1 << 20)) > 0;) n += (size_t)got;
    gzclose(f);
    doc = json_loadb(text, n, 0, NULL);
    free(text);
    if (!doc) exit(1);
    const char *key;
    json_t *v;
    json_object_foreach(json_object_get(doc, "cases"), key, v) case_names[n_cases++] = key;
}

/* The tensor NODE/weight in the flat parameters; its size in *n. */
static int64_t tensor_offset(const struct sn_graph *g, const char *name, int64_t *n) {
    for (int i = 0; i < g->n_nodes; i++)
        for (int w = 0; w < g->nodes[i].n_weights; w++) {
            char full[160];
            snprintf(full, sizeof full, "%s/%s", g->nodes[i].name, g->nodes[i].weights[w].name);
            if (strcmp(full, name) != 0) continue;
            *n = sn_weight_count(&g->nodes[i].weights[w]);
            return g->nodes[i].weight_offset[w];
        }
    ck_abort_msg("no tensor %s", name);
    return -1;
}

static void check_tensors(const struct golden *g, const char *what, const sn_real *got) {
    const char *key;
    json_t *v;
    json_object_foreach(json_object_get(g->json, what), key, v) {
        int64_t n, off = tensor_offset(g->arch->graph, key, &n);
        double worst = 0, largest = 0;
        ck_assert_int_eq((int)json_array_size(v), (int)n);
        for (int64_t i = 0; i < n; i++) {
            double want = json_number_value(json_array_get(v, (size_t)i));
            worst = fmax(worst, fabs(want - (double)got[off + i]));
            largest = fmax(largest, fabs(want));
        }
        ck_assert_msg(worst <= TOLERANCE * fmax(largest, 1e-2), "%s, %s: %s differs by %.3g of %.3g", g->name, what, key, worst, largest);
    }
}

static void open_data(struct golden *g) {
    json_t *seqs = json_object_get(g->json, "sequences"), *t = json_object_get(g->json, "targets"),
           *params = json_object_get(g->json, "parameters"), *v;
    const struct sn_alphabet *dna = sn_alphabet_find("dna");
    const char *key;
    g->n = (int)json_array_size(seqs);
    g->tasks = (int)json_integer_value(json_object_get(g->json, "tasks"));
    g->length = (int64_t)json_string_length(json_array_get(seqs, 0));
    g->codes = calloc((size_t)g->n, (size_t)g->length);
    g->targets = calloc((size_t)(g->n * g->tasks), sizeof *g->targets);
    for (int i = 0; i < g->n; i++) {
        int64_t bad;
        ck_assert(sn_encode_seq(dna, json_string_value(json_array_get(seqs, (size_t)i)), g->length, g->codes + i * g->length, &bad) >= 0);
        for (int k = 0; k < g->tasks; k++) {
            json_t *x = json_array_get(json_array_get(t, (size_t)i), (size_t)k);
            g->targets[i * g->tasks + k] = json_is_null(x) ? (sn_real)NAN : (sn_real)json_number_value(x);
            g->seen += !json_is_null(x);
        }
    }
    g->params = calloc((size_t)g->arch->graph->n_params, sizeof *g->params);
    json_object_foreach(params, key, v) {
        int64_t n, off = tensor_offset(g->arch->graph, key, &n);
        for (int64_t i = 0; i < n; i++) g->params[off + i] = (sn_real)json_number_value(json_array_get(v, (size_t)i));
    }
}

static void golden_open(struct golden *g, int i, int threads, bool fuse) {
    memset(g, 0, sizeof *g);
    g->name = case_names[i];
    g->json = json_object_get(json_object_get(doc, "cases"), g->name);
    json_t *arch = json_object_get(g->json, "architecture");
    ck_assert_msg(sn_arch_parse(json_string_value(arch), json_string_length(arch), g->name, &g->arch) == 0, "%s", seqnet_errmsg());
    json_t *first = json_array_get(json_object_get(g->json, "sequences"), 0);
    int64_t len = (int64_t)json_string_length(first);
    int tasks = (int)json_integer_value(json_object_get(g->json, "tasks"));
    ck_assert_msg(sn_arch_bind(g->arch, net_kind(json_string_value(arch)), tasks, len, len) == 0, "%s", seqnet_errmsg());
    open_data(g);
    if (g->arch->graph->heads[0].loss == SN_LOSS_CCE) g->seen = g->n;
    int isa = SN_ISA_REF;
    ck_assert_int_eq(sn_isa_detect((enum sn_isa *)&isa), 0);
    ck_assert_int_eq(sn_backend_cpu(isa, "auto", &g->backend), 0);
    ck_assert_int_eq(sn_pool_create(threads, &g->pool), 0);
    struct sn_plan_options o;
    sn_arch_plan_options(g->arch, SN_TRAIN, len, g->n, &o);
    o.fuse = fuse;
    ck_assert_msg(sn_plan_create(g->arch->graph, &g->backend, &o, &g->plan) == 0, "%s", seqnet_errmsg());
    ck_assert_int_eq(sn_plan_set_params(g->plan, g->params), 0);
    ck_assert_int_eq(sn_session_create(g->plan, g->pool, &g->session), 0);
}

static void golden_close(struct golden *g) {
    sn_session_free(g->session);
    sn_plan_free(g->plan);
    sn_pool_free(g->pool);
    sn_backend_close(&g->backend);
    sn_arch_free(g->arch);
    free(g->params);
    free(g->targets);
    free(g->codes);
}

static double gradients(struct golden *g) {
    struct sn_batch b = {.n = g->n, .codes = g->codes, .code_row = g->length};
    struct sn_targets t = {.t = g->targets, .denominator = g->seen};
    double loss = 0;
    ck_assert_msg(sn_session_forward(g->session, &b, 0) == 0, "%s", seqnet_errmsg());
    ck_assert_int_eq(sn_session_loss(g->session, 0, &t, true, &loss), 0);
    ck_assert_int_eq(sn_session_backward(g->session), 0);
    return loss;
}

START_TEST(forward_and_gradients) {
    struct golden g;
    golden_open(&g, _i / 2, 1, _i % 2);
    double loss = gradients(&g), want = json_number_value(json_object_get(g.json, "loss"));
    ck_assert_msg(fabs(loss - want) <= TOLERANCE * fmax(1, fabs(want)), "%s: loss %.12g, expected %.12g", g.name, loss, want);
    sn_real *z = calloc((size_t)(g.n * g.tasks), sizeof *z);
    ck_assert_int_eq(sn_session_output(g.session, 0, true, z), 0);
    for (int i = 0; i < g.n * g.tasks; i++) {
        double w = json_number_value(
            json_array_get(json_array_get(json_object_get(g.json, "logits"), (size_t)(i / g.tasks)), (size_t)(i % g.tasks)));
        ck_assert_msg(fabs((double)z[i] - w) <= TOLERANCE * fmax(1, fabs(w)), "%s: logit %d is %.9g, expected %.9g", g.name, i,
                      (double)z[i], w);
    }
    free(z);
    check_tensors(&g, "gradients", sn_plan_grads(g.plan));
    golden_close(&g);
}
END_TEST

enum rule { SGD, NESTEROV, ADAM };

static void optimize(struct golden *g, enum rule rule) {
    const struct sn_kernels *k = &g->backend.kernels;
    int64_t n = g->arch->graph->n_params;
    json_t *a = json_object_get(doc, "adam");
    double lr = json_number_value(json_object_get(doc, "learning_rate"));
    double alr = json_number_value(json_object_get(a, "learning_rate")), b1 = json_number_value(json_object_get(a, "beta_1"));
    double b2 = json_number_value(json_object_get(a, "beta_2")), eps = json_number_value(json_object_get(a, "epsilon"));
    sn_real *m = calloc((size_t)n, sizeof *m), *v = calloc((size_t)n, sizeof *v);
    const struct sn_update u = {.n = n, .w = sn_plan_params(g->plan), .g = sn_plan_grads(g->plan), .gscale = 1};
    for (int i = 1; i <= 10; i++) {
        gradients(g);
        if (rule == ADAM)
            k->adam(&(struct sn_adam){
                .u = u, .m = m, .v = v, .lr_t = alr * sqrt(1 - pow(b2, i)) / (1 - pow(b1, i)), .b1 = b1, .b2 = b2, .eps = eps});
        else
            k->sgd(&(struct sn_sgd){.u = u, .v = v, .lr = lr, .momentum = rule == NESTEROV ? 0.9 : 0, .nesterov = rule == NESTEROV});
        ck_assert_int_eq(sn_plan_prepare(g->plan, g->pool), 0);
    }
    free(m);
    free(v);
}

START_TEST(ten_steps) {
    static const char *const keys[] = {"sgd", "nesterov", "adam"};
#ifdef SN_DOUBLE
    const int rules = 3;
#else
    const int rules = 2;
#endif
    struct golden g;
    for (int r = 0; r < rules; r++) {
        golden_open(&g, _i, 1 + _i % 3, r % 2 == 0);
        optimize(&g, (enum rule)r);
        check_tensors(&g, keys[r], sn_plan_params(g.plan));
        golden_close(&g);
    }
}
END_TEST

int main(void) {
    load();
    Suite *s = suite_create("torch");
    TCase *t = tcase_create("cases");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, forward_and_gradients, 0, 2 * n_cases);
    tcase_add_loop_test(t, ten_steps, 0, n_cases);
    suite_add_tcase(s, t);
    int rc = unit_run(s);
    json_decref(doc);
    return rc;
}
