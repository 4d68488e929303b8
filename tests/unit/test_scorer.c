/* Scoring: strands, ensembles, heads and rows in any grouping, against single forward passes put together by hand. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/error.h"
#include "model/scorer.h"
#include "unit.h"

static struct sn_backend backend;

static void open_backend(void) {
    ck_assert_msg(sn_backend_cpu(SN_ISA_REF, "own", &backend) == 0, "%s", seqnet_errmsg());
}

static void close_backend(void) {
    sn_backend_close(&backend);
}

#define BODY                                                                                                                               \
    "layers:\n  - conv1d: {filters: 5, kernel_size: 4, activation: relu}\n  - max_pooling1d: {pool_size: 2}\n"                             \
    "  - lstm: {units: 3, bidirectional: true}\n  - dense: {units: tasks, activation: auto}\n"
#define VARIABLE "name: v\ninput: {length: variable, strand: average}\n" BODY
#define FORWARD "name: f\ninput: {length: variable}\n" BODY
#define MAXIMUM "name: m\ninput: {length: variable, strand: max}\n" BODY
#define FIXED "name: x\ninput: {length: 30, strand: average}\n" BODY

static struct sn_model *make(const char *text, enum sn_task_kind kind, int tasks, uint64_t seed) {
    struct sn_arch *a;
    struct sn_model *m;
    ck_assert_msg(sn_arch_parse(text, strlen(text), "net.yaml", &a) == 0, "%s", seqnet_errmsg());
    ck_assert_msg(sn_arch_bind(a, kind, tasks, 50, 50) == 0, "%s", seqnet_errmsg());
    ck_assert_int_eq(sn_model_create(a, &m), 0);
    ck_assert_int_eq(sn_model_init(m, seed), 0);
    for (int64_t i = 0; i < a->graph->n_params; i++) m->params[i] *= (sn_real)1.5; /* logits that differ well */
    return m;
}

#define ROWS 37
#define WIDTH 48
static uint8_t codes[ROWS * WIDTH];
static int32_t lens[ROWS];

static void make_rows(void) {
    static const uint8_t letters[] = {1, 2, 4, 8, 1, 2, 4, 8, 15, 17, 24};
    uint32_t x = 12345;
    for (int i = 0; i < ROWS; i++) {
        lens[i] = 12 + (i * 7) % (WIDTH - 11);
        for (int k = 0; k < WIDTH; k++) {
            x = x * 1664525u + 1013904223u;
            codes[i * WIDTH + k] = k < lens[i] ? letters[(x >> 16) % sizeof letters] : 0;
        }
    }
}

static struct sn_scorer *scorer(struct sn_model *const *m, int n, int64_t max_len, int max_rows, int strand) {
    struct sn_scorer_options o = {.max_len = max_len, .max_rows = max_rows, .workers = 2, .strand = strand, .backend = &backend};
    struct sn_scorer *s;
    ck_assert_msg(sn_scorer_create(m, n, &o, &s) == 0, "%s", seqnet_errmsg());
    return s;
}

/* Logits of one row by a plan of its own: the oracle. */
static void one_row(const struct sn_model *m, const uint8_t *row, int32_t len, bool reverse, float *out) {
    struct sn_plan_options o;
    struct sn_plan *p;
    struct sn_session *s;
    uint8_t copy[WIDTH];
    sn_real head[16];
    memcpy(copy, row, (size_t)len);
    if (reverse) sn_revcomp(m->arch->alphabet, copy, len);
    sn_arch_plan_options(m->arch, SN_INFER, len, 1, &o);
    ck_assert_msg(sn_plan_create(m->arch->graph, &backend, &o, &p) == 0, "%s", seqnet_errmsg());
    ck_assert_int_eq(sn_plan_set_params(p, m->params), 0);
    ck_assert_int_eq(sn_session_create(p, NULL, &s), 0);
    struct sn_batch b = {.n = 1, .codes = copy, .code_row = len};
    ck_assert_msg(sn_session_forward(s, &b, 0) == 0, "%s", seqnet_errmsg());
    for (int h = 0; h < m->arch->graph->n_heads; h++) {
        int width = (int)m->arch->graph->nodes[m->arch->graph->heads[h].logits].out.ch;
        ck_assert_int_eq(sn_session_output(s, h, true, head), 0);
        for (int t = 0; t < width; t++) *out++ = (float)head[t];
    }
    sn_session_free(s);
    sn_plan_free(p);
}

static void expect(const struct sn_model *m, enum sn_strand strand, float *out) {
    for (int i = 0; i < ROWS; i++) {
        float left[16], right[16];
        one_row(m, codes + i * WIDTH, lens[i], false, left);
        one_row(m, codes + i * WIDTH, lens[i], true, right);
        for (int t = 0; t < m->n_tasks; t++) {
            float both = strand == SN_STRAND_MAX ? (left[t] > right[t] ? left[t] : right[t]) : (left[t] + right[t]) * 0.5f;
            out[i * m->n_tasks + t] = strand == SN_STRAND_FORWARD ? left[t] : both;
        }
    }
}

START_TEST(strands) {
    static const char *const texts[] = {FORWARD, VARIABLE, MAXIMUM};
    float want[ROWS * 2], got[ROWS * 2], direct[ROWS * 2];
    for (int k = 0; k < 3; k++) {
        struct sn_model *m = make(texts[k], SN_TASK_BINARY, 2, 5);
        struct sn_scorer *s = scorer(&m, 1, WIDTH, 0, -1);
        expect(m, (enum sn_strand)k, want);
        ck_assert_int_eq(sn_scorer_run(s, 0, ROWS, codes, WIDTH, lens, got), 0);
        ck_assert_int_eq(memcmp(want, got, sizeof want), 0);
        ck_assert(sn_scorer_tasks(s) == 2 && sn_scorer_length(s) == 0 && sn_scorer_rows(s) >= 1);
        sn_scorer_free(s);
        s = scorer(&m, 1, WIDTH, 0, SN_STRAND_FORWARD); /* asked for */
        expect(m, SN_STRAND_FORWARD, direct);
        ck_assert_int_eq(sn_scorer_run(s, 1, ROWS, codes, WIDTH, lens, got), 0);
        ck_assert_int_eq(memcmp(direct, got, sizeof want), 0);
        ck_assert(k == 0 || memcmp(direct, want, sizeof want) != 0);
        sn_scorer_free(s);
        sn_model_unref(m);
    }
}
END_TEST

START_TEST(any_grouping) {
    struct sn_model *m = make(VARIABLE, SN_TASK_BINARY, 1, 6);
    float want[ROWS], got[ROWS];
    expect(m, SN_STRAND_AVERAGE, want);
    static const int rows[] = {1, 2, 7, 64};
    for (int k = 0; k < 4; k++) {
        struct sn_scorer *s = scorer(&m, 1, WIDTH, rows[k], -1);
        ck_assert_int_eq(sn_scorer_rows(s), rows[k]);
        memset(got, 0, sizeof got);
        for (int i = 0; i < ROWS; i += 5) {
            int n = ROWS - i < 5 ? ROWS - i : 5;
            ck_assert_int_eq(sn_scorer_run(s, i & 1, n, codes + i * WIDTH, WIDTH, lens + i, got + i), 0);
        }
        ck_assert_int_eq(memcmp(want, got, sizeof want), 0);
        sn_scorer_free(s);
    }
    sn_model_unref(m);
}
END_TEST

START_TEST(fixed_length) {
    struct sn_model *m = make(FIXED, SN_TASK_BINARY, 1, 7);
    struct sn_scorer *s = scorer(&m, 1, 30, 0, -1);
    float a[3], b[3], left, right;
    int32_t same[3] = {30, 30, 30}, wrong[3] = {30, 29, 30};
    ck_assert_int_eq((int)sn_scorer_length(s), 30);
    ck_assert_int_eq(sn_scorer_run(s, 0, 3, codes, WIDTH, NULL, a), 0);
    ck_assert_int_eq(sn_scorer_run(s, 0, 3, codes, WIDTH, same, b), 0);
    ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
    one_row(m, codes + WIDTH, 30, false, &left);
    one_row(m, codes + WIDTH, 30, true, &right);
    ck_assert(a[1] == (left + right) * 0.5f);
    ck_assert_int_eq(sn_scorer_run(s, 0, 3, codes, WIDTH, wrong, b), SEQNET_EDATA);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "29 positions; the model reads 30"));
    ck_assert_int_eq(sn_scorer_run(s, 2, 3, codes, WIDTH, NULL, b), SEQNET_EINVAL);
    sn_scorer_free(s);
    sn_model_unref(m);
}
END_TEST

START_TEST(rows_that_do_not_fit) {
    struct sn_model *m = make(VARIABLE, SN_TASK_BINARY, 1, 7);
    struct sn_scorer *s = scorer(&m, 1, 40, 0, -1), *none = NULL;
    float out;
    int32_t len = 4;
    ck_assert_int_eq(sn_scorer_run(s, 0, 1, codes, WIDTH, &len, &out), SEQNET_EDATA);
    ck_assert_msg(strstr(seqnet_errmsg(), "4 positions is too short; the model needs at least 5"), "%s", seqnet_errmsg());
    len = 5;
    ck_assert_int_eq(sn_scorer_run(s, 0, 1, codes, WIDTH, &len, &out), 0);
    len = 41;
    ck_assert_int_eq(sn_scorer_run(s, 0, 1, codes, WIDTH, &len, &out), SEQNET_EINVAL);
    len = 20;
    ck_assert_int_eq(sn_scorer_run(s, 0, 1, codes, 10, &len, &out), SEQNET_EINVAL);
    sn_scorer_free(s);
    struct sn_scorer_options o = {.max_len = 31, .workers = 1, .strand = -1, .backend = &backend};
    struct sn_model *x = make(FIXED, SN_TASK_BINARY, 1, 7);
    ck_assert_int_eq(sn_scorer_create(&x, 1, &o, &none), SEQNET_EDATA);
    ck_assert_int_eq(sn_scorer_create(&x, 0, &o, &none), SEQNET_EINVAL);
    o.max_len = 2;
    ck_assert_int_lt(sn_scorer_create(&m, 1, &o, &none), 0); /* longest row below the shortest that fits */
    ck_assert_ptr_null(none);
    sn_model_unref(x);
    sn_model_unref(m);
}
END_TEST

static void no_ensemble(struct sn_model *a, struct sn_model *b, const char *piece) {
    struct sn_model *both[2] = {a, b};
    struct sn_scorer_options o = {.max_len = 30, .workers = 1, .strand = -1, .backend = &backend};
    struct sn_scorer *s = NULL;
    ck_assert_int_eq(sn_scorer_create(both, 2, &o, &s), SEQNET_EDATA);
    ck_assert_msg(strstr(seqnet_errmsg(), piece) != NULL, "\"%s\" lacks \"%s\"", seqnet_errmsg(), piece);
    ck_assert_ptr_null(s);
    sn_model_unref(b);
}

START_TEST(ensemble) {
    struct sn_model *m[3] = {make(VARIABLE, SN_TASK_BINARY, 2, 1), make(FORWARD, SN_TASK_BINARY, 2, 2),
                             make(MAXIMUM, SN_TASK_BINARY, 2, 3)};
    float a[ROWS * 2], b[ROWS * 2], c[ROWS * 2], got[ROWS * 2];
    expect(m[0], SN_STRAND_AVERAGE, a);
    expect(m[1], SN_STRAND_FORWARD, b);
    expect(m[2], SN_STRAND_MAX, c);
    struct sn_scorer *s = scorer(m, 3, WIDTH, 0, -1);
    ck_assert_int_eq(sn_scorer_run(s, 0, ROWS, codes, WIDTH, lens, got), 0);
    for (int i = 0; i < ROWS * 2; i++) ck_assert(got[i] == (a[i] + b[i] + c[i]) / 3);
    sn_scorer_free(s);
    sn_model_unref(m[1]);
    sn_model_unref(m[2]);
    static const char *const names[] = {"task1", "other"};
    struct sn_model *renamed = make(VARIABLE, SN_TASK_BINARY, 2, 1);
    ck_assert_int_eq(sn_model_set_tasks(renamed, SN_TASK_BINARY, names, 2), 0);
    no_ensemble(m[0], renamed, "models net.yaml and net.yaml predict different tasks: task 2 is \"task2\" and \"other\"");
    no_ensemble(m[0], make(FIXED, SN_TASK_BINARY, 2, 1), "read different lengths (0, 30; 0 = variable)");
    no_ensemble(m[0], make(VARIABLE, SN_TASK_BINARY, 3, 1), "predict 2 and 3 tasks");
    no_ensemble(m[0], make(VARIABLE, SN_TASK_CLASSES, 2, 1), "have different heads");
    no_ensemble(m[0], make("name: r\ninput: {length: variable, alphabet: rna}\n" BODY, SN_TASK_BINARY, 2, 1),
                "read different alphabets (dna, rna)");
    sn_model_unref(m[0]);
}
END_TEST

static void standardise(struct sn_model *m, float mean, float sd) {
    m->target_mean = calloc(1, sizeof(float));
    m->target_sd = calloc(1, sizeof(float));
    m->target_mean[0] = mean, m->target_sd[0] = sd;
}

/* Models that were standardised differently are averaged on the scale of the data. */
START_TEST(ensemble_of_regressions) {
    struct sn_model *m[2] = {make(FORWARD, SN_TASK_NUMBER, 1, 1), make(FORWARD, SN_TASK_NUMBER, 1, 2)};
    standardise(m[0], 10, 2);
    standardise(m[1], -3, 0.5f);
    float a[ROWS], b[ROWS], got[ROWS];
    expect(m[0], SN_STRAND_FORWARD, a);
    expect(m[1], SN_STRAND_FORWARD, b);
    struct sn_scorer *s = scorer(m, 2, WIDTH, 0, -1);
    ck_assert_int_eq(sn_scorer_run(s, 0, ROWS, codes, WIDTH, lens, got), 0);
    ck_assert_int_eq(sn_scorer_finish(s, ROWS, got), 0);
    for (int i = 0; i < ROWS; i++) {
        double want = ((10 + 2.0 * a[i]) + (-3 + 0.5 * b[i])) / 2;
        ck_assert_msg(fabs(got[i] - want) < 1e-5, "%g, expected %g", got[i], want);
    }
    sn_scorer_free(s);
    sn_model_unref(m[0]);
    sn_model_unref(m[1]);
}
END_TEST

START_TEST(two_heads) {
    struct sn_model *m = make("name: h\ninput: {length: variable}\nlayers:\n  - conv1d: {filters: 6, kernel_size: 5, activation: relu}\n"
                              "  - global_max_pooling1d: {name: p}\n  - dense: {name: a, units: 3, activation: softmax}\n"
                              "  - dense: {name: b, units: 2, inputs: p}\n  - dense: {name: c, units: 1, inputs: p, activation: sigmoid}\n"
                              "heads: [{name: cls, layer: a}, {name: num, layer: b, loss: mean_squared_error}, {name: bin, layer: c}]\n",
                              SN_TASK_NONE, 6, 9);
    float want[ROWS * 6], got[ROWS * 6];
    m->target_mean = calloc(6, sizeof(float)), m->target_sd = calloc(6, sizeof(float));
    for (int t = 0; t < 6; t++) m->target_mean[t] = (float)t, m->target_sd[t] = 2;
    expect(m, SN_STRAND_FORWARD, want);
    struct sn_scorer *s = scorer(&m, 1, WIDTH, 0, -1);
    ck_assert_int_eq(sn_scorer_run(s, 0, ROWS, codes, WIDTH, lens, got), 0);
    ck_assert_int_eq(memcmp(want, got, sizeof want), 0);
    ck_assert_int_eq(sn_scorer_finish(s, ROWS, got), 0);
    for (int i = 0; i < ROWS; i++) {
        const float *z = want + i * 6, *y = got + i * 6;
        double sum = exp(z[0]) + exp(z[1]) + exp(z[2]);
        for (int t = 0; t < 3; t++) ck_assert(fabs(y[t] - exp(z[t]) / sum) < 3e-7);
        for (int t = 3; t < 5; t++) ck_assert(y[t] == (float)t + 2 * z[t]);
        ck_assert(fabs(y[5] - 1 / (1 + exp(-(double)z[5]))) < 3e-7);
    }
    float extreme[6] = {1000, -1000, 999, 0, 0, -200};
    ck_assert_int_eq(sn_scorer_finish(s, 1, extreme), 0);
    ck_assert(fabs(extreme[0] - 0.7310586) < 1e-6 && extreme[1] == 0 && extreme[5] >= 0 && extreme[5] < 1e-30);
    sn_scorer_free(s);
    sn_model_unref(m);
}
END_TEST

/* All shipped architectures plan and score; both strands give the same score where the model says so. */
START_TEST(shipped) {
    static const char *const names[] = {"cnn", "cnn-bilstm", "deepbind", "basset"};
    static uint8_t row[2][1000];
    for (int i = 0; i < 1000; i++) row[0][i] = (uint8_t)(1 << ((i * i / 7 + i) % 4));
    for (int i = 0; i < 4; i++) {
        struct sn_arch *a;
        struct sn_model *m;
        ck_assert_msg(sn_arch_load(names[i], &a) == 0, "%s", seqnet_errmsg());
        ck_assert_int_eq(sn_arch_bind(a, SN_TASK_BINARY, 1, 200, 200), 0);
        ck_assert_int_eq(sn_model_create(a, &m), 0);
        ck_assert_int_eq(sn_model_init(m, 1), 0);
        int64_t len = a->length > 0 ? a->length : 200;
        memcpy(row[1], row[0], (size_t)len);
        sn_revcomp(a->alphabet, row[1], len);
        struct sn_scorer *s = scorer(&m, 1, len, 2, -1);
        float out[2];
        ck_assert_msg(sn_scorer_run(s, 0, 2, row[0], 1000, NULL, out) == 0, "%s: %s", names[i], seqnet_errmsg());
        ck_assert_msg(isfinite(out[0]) && out[0] == out[1], "%s: %g and %g", names[i], out[0], out[1]);
        sn_scorer_free(s);
        sn_model_unref(m);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("scorer");
    TCase *t = tcase_create("scorer");
    make_rows();
    tcase_add_checked_fixture(t, open_backend, close_backend);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, strands);
    tcase_add_test(t, any_grouping);
    tcase_add_test(t, fixed_length);
    tcase_add_test(t, rows_that_do_not_fit);
    tcase_add_test(t, ensemble);
    tcase_add_test(t, ensemble_of_regressions);
    tcase_add_test(t, two_heads);
    tcase_add_test(t, shipped);
    suite_add_tcase(s, t);
    return unit_run(s);
}
