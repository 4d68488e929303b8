/* Explaining: contributions sum to the difference in output for random networks, agree with their hypothetical form, follow strands, models
 * and references as predict does, and do not depend on grouping, threads or memory; the folder's files hold the same numbers. */
#include <stdlib.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/parse.h"
#include "explain/explain.h"
#include "explain/parts.h"
#include "model/scorer.h"
#include "nets.h"
#include "tempfile.h"
#include "unit.h"

#ifdef SN_DOUBLE
#define TOLERANCE 1e-12
#else
#define TOLERANCE 1e-6
#endif

#define N 12
#define ROW 64
static uint8_t codes[N * ROW];
static int32_t len[N];
static int64_t indices[N];
static float hyp[N * ROW * 4], act[N * ROW * 4];
static seqnet_explanation out[N];
static struct sn_runtime rt;

static void open_all(void) {
    tempdir_make();
    rt = runtime_open(2);
    last_warning[0] = '\0';
}

static void close_all(void) {
    runtime_close(&rt);
    tempdir_remove();
}

/* N sequences; equal lengths unless `vary`. Some bases are N or lower case. */
static void make_rows(int64_t length, bool vary, int every_n, uint64_t seed) {
    struct sn_stream r;
    char s[ROW + 1];
    int64_t bad;
    sn_stream_init(&r, seed, 1, 2);
    memset(codes, 0, sizeof codes);
    for (int i = 0; i < N; i++) {
        len[i] = (int32_t)(vary ? length / 2 + (int64_t)sn_stream_below(&r, (uint64_t)(length - length / 2) + 1) : length);
        indices[i] = i;
        random_bases(s, len[i], every_n, &r);
        ck_assert_int_ge(sn_encode_seq(sn_alphabet_find("dna"), s, len[i], codes + i * ROW, &bad), 0);
    }
}

static seqnet_explain_options options(const char *references) {
    return (seqnet_explain_options){.size = sizeof(seqnet_explain_options), .references = references, .n_references = 5, .seed = 42};
}

static void explain(struct sn_model *const *m, int n_models, const seqnet_explain_options *o, int n) {
    struct sn_explainer *e;
    ck_ok(sn_explainer_create(&rt, m, n_models, o, &e));
    ck_ok(sn_explainer_run(e, n, codes, ROW, len, indices, hyp, act, out));
    sn_explainer_free(e);
}

static double sum_of(const float *v, int i) {
    double sum = 0;
    for (int64_t k = 0; k < (int64_t)len[i] * 4; k++) sum += (double)v[i * ROW * 4 + k];
    return sum;
}

static double size_of(const float *v, int i) {
    double sum = 0;
    for (int64_t k = 0; k < (int64_t)len[i] * 4; k++) sum += fabs((double)v[i * ROW * 4 + k]);
    return sum;
}

/* The reported residuals, and the sums of what was given out (which is rounded to float). The outputs themselves are rounded by the
 * network: where contributions are small beside their terms (of order 1), that is the limit. */
static void check_sums(const char *what) {
    for (int i = 0; i < N; i++) {
        double miss = fabs(sum_of(act, i) - (out[i].output - out[i].expected)), size = size_of(act, i);
        double rounding = TOLERANCE / 4 * (1 + fabs(out[i].output) + fabs(out[i].expected));
        ck_assert_msg(out[i].residual * size <= TOLERANCE * size + rounding,
                      "%s: sequence %d: residual %g, sum of absolute contributions %g, output %g", what, i, out[i].residual, size,
                      out[i].output);
        ck_assert_msg(miss <= 2e-6 * size + rounding, "%s: sequence %d: sum misses by %g of %g", what, i, miss, size);
    }
}

/* ---- random networks ---- */

static void random_net(struct sn_str *y, struct sn_stream *r, int k, bool variable) {
    static const char *const strands[] = {"forward", "average", "max"}, *const acts[] = {"relu", "sigmoid", "tanh"};
    static const char *const pools[] = {"max", "average"};
    y->n = 0;
    ck_ok(sn_str_printf(y, "name: n%d\ninput: {length: %s, strand: %s, n_policy: %s}\nlayers:\n", k, variable ? "variable" : "40",
                        strands[sn_stream_below(r, 3)], k % 4 ? "zero" : "mean"));
    ck_ok(sn_str_printf(y, "  - conv1d: {filters: %d, kernel_size: %d, padding: %s, activation: %s}\n", 2 + (int)sn_stream_below(r, 6),
                        3 + (int)sn_stream_below(r, 5), sn_stream_below(r, 2) ? "same" : "valid", acts[sn_stream_below(r, 3)]));
    ck_ok(sn_str_printf(y, "  - %s_pooling1d: {pool_size: %d}\n", pools[sn_stream_below(r, 2)], 2 + (int)sn_stream_below(r, 3)));
    if (k % 3 == 0) ck_ok(sn_str_puts(y, "  - batch_normalization\n"));
    if (k % 2)
        ck_ok(sn_str_printf(y, "  - lstm: {units: %d, bidirectional: true, return_sequences: %s}\n", 1 + (int)sn_stream_below(r, 6),
                            k % 8 < 4 ? "true" : "false"));
    if (k % 2 == 0 || k % 8 < 4) {
        if (variable || sn_stream_below(r, 2))
            ck_ok(sn_str_printf(y, "  - global_%s_pooling1d\n", pools[sn_stream_below(r, 2)]));
        else
            ck_ok(sn_str_puts(y, "  - flatten\n"));
    }
    ck_ok(sn_str_printf(y, "  - dense: {units: %d, activation: %s}\n  - dense: {units: tasks, activation: auto}\n",
                        2 + (int)sn_stream_below(r, 8), acts[sn_stream_below(r, 3)]));
}

static const char *const rules[] = {"rescale", "reveal-cancel", "genomics"};
#define N_RULES 3

START_TEST(random_networks) {
    static const char *const references[] = {"dinucleotide", "zero", "uniform"};
    static const enum sn_task_kind kinds[] = {SN_TASK_BINARY, SN_TASK_CLASSES, SN_TASK_NUMBER};
    struct sn_stream r;
    struct sn_str y = {0};
    double worst = 0;
    int strict = 0;
    sn_stream_init(&r, 1, 2, 3);
    for (int k = 0; k < 200; k++) {
        bool variable = k % 5 < 2;
        random_net(&y, &r, k, variable);
        enum sn_task_kind kind = kinds[k % 7 % 3];
        struct sn_model *m = net_make(y.s, kind, 1 + (kind == SN_TASK_CLASSES) + k % 2, (uint64_t)k, 2 + k % 3);
        seqnet_explain_options o = options(references[k % 3]);
        make_rows(40, variable, k % 4 ? 0 : 10, (uint64_t)k);
        o.task = m->n_tasks > 1 ? "task2" : NULL;
        o.rule = rules[_i];
        explain(&m, 1, &o, N);
        check_sums(y.s);
        for (int i = 0; i < N; i++) {
            if (out[i].residual > worst) worst = out[i].residual;
            strict += out[i].residual <= TOLERANCE;
        }
        sn_model_unref(m);
    }
    ck_assert_msg(worst > 0, "nothing was measured");
    ck_assert_msg(strict >= 200 * N * 3 / 4, "only %d of %d sequences are within %g of the sum of absolute contributions", strict, 200 * N,
                  TOLERANCE);
    sn_str_free(&y);
}
END_TEST

/* The explained probability saturates: what is small beside 1 carries the rounding of the output, so the tolerance is against that. */
START_TEST(probabilities) {
    struct sn_stream r;
    struct sn_str y = {0};
    sn_stream_init(&r, 4, 2, 3);
    for (int k = 0; k < 30; k++) {
        bool variable = k % 5 < 2;
        random_net(&y, &r, k, variable);
        struct sn_model *m = net_make(y.s, k % 2 ? SN_TASK_CLASSES : SN_TASK_BINARY, 3, (uint64_t)k, 2);
        seqnet_explain_options o = options("dinucleotide");
        struct sn_scorer_options so = {.max_len = 40, .workers = 1, .strand = -1, .backend = &net_backend};
        struct sn_scorer *s;
        float score[3];
        make_rows(40, variable, 0, (uint64_t)k);
        o.task = "task3";
        o.target = "probability";
        o.rule = rules[k % N_RULES];
        explain(&m, 1, &o, N);
        ck_ok(sn_scorer_create(&m, 1, &so, &s));
        for (int i = 0; i < N; i++) {
            ck_ok(sn_scorer_run(s, 0, 1, codes + i * ROW, ROW, variable ? &len[i] : NULL, score));
            ck_ok(sn_scorer_finish(s, 1, score));
            ck_assert_double_eq_tol(out[i].output, (double)score[2], 1e-6);
            ck_assert_double_eq_tol(sum_of(act, i), out[i].output - out[i].expected, 1e-6 + 1e-5 * size_of(act, i));
        }
        sn_scorer_free(s);
        sn_model_unref(m);
    }
    sn_str_free(&y);
}
END_TEST

/* ---- what the numbers mean ---- */

#define CNN(strand)                                                                                                                        \
    "name: c\ninput: {length: 40, strand: " strand "}\nlayers:\n  - conv1d: {filters: 6, kernel_size: 5, activation: relu}\n"              \
    "  - max_pooling1d: {pool_size: 3}\n  - flatten\n  - dense: {units: 5, activation: tanh}\n  - dense: {units: tasks, activation: "      \
    "auto}\n"
#define FREE(strand)                                                                                                                       \
    "name: v\ninput: {length: variable, strand: " strand "}\nlayers:\n  - conv1d: {filters: 6, kernel_size: 5, activation: relu}\n"        \
    "  - lstm: {units: 3, bidirectional: true}\n  - dense: {units: tasks, activation: auto}\n"
#define LINEAR "name: l\ninput: {length: 3}\nlayers:\n  - flatten\n  - dense: {units: tasks, activation: auto}\n"

/* specs: W rows of positions, b = .05; x = ACG: F = .75. */
START_TEST(linear_by_hand) {
    static const double w[12] = {.5, -.25, .1, -.35, -.2, .8, -.4, .2, .3, .1, -.6, .7};
    static const double uniform[3] = {.5, .7, -.725}, file[3] = {.85, .6, -.9};
    static const double file_h[12] = {.85, .1, .45, 0, -.4, .6, -.6, 0, 0, -.2, -.9, .4};
    struct sn_model *m = net_make(LINEAR, SN_TASK_NUMBER, 1, 1, 1);
    for (int k = 0; k < 12; k++) m->params[k] = (sn_real)w[k];
    m->params[12] = (sn_real).05;
    codes[0] = 1, codes[1] = 2, codes[2] = 4;
    len[0] = 3;
    seqnet_explain_options o = options("uniform");
    explain(&m, 1, &o, 1);
    ck_assert_double_eq_tol(out[0].output, .75, 1e-6);
    for (int p = 0; p < 3; p++)
        for (int c = 0; c < 4; c++) ck_assert_double_eq_tol(act[p * 4 + c], c == p ? uniform[p] : 0, 1e-6);
    o.references = temp_text("r.fa", ">t\nTTA\n");
    explain(&m, 1, &o, 1);
    for (int p = 0; p < 3; p++)
        for (int c = 0; c < 4; c++) {
            ck_assert_double_eq_tol(act[p * 4 + c], c == p ? file[p] : 0, 1e-6);
            ck_assert_double_eq_tol(hyp[p * 4 + c], file_h[p * 4 + c], 1e-6);
        }
    sn_model_unref(m);
}
END_TEST

START_TEST(hypothetical_agrees) {
    struct sn_model *m = net_make(CNN("average"), SN_TASK_BINARY, 1, 5, 2);
    static const char *const references[] = {"dinucleotide", "zero", "uniform"};
    for (int k = 0; k < 3; k++) {
        seqnet_explain_options o = options(references[k]);
        make_rows(40, false, 12, 9);
        explain(&m, 1, &o, N);
        int with_n = 0;
        for (int i = 0; i < N; i++)
            for (int64_t p = 0; p < len[i]; p++) {
                const float *h = hyp + (i * ROW + p) * 4, *a = act + (i * ROW + p) * 4;
                int code = codes[i * ROW + p] & 15, c = code == 1 ? 0 : code == 2 ? 1 : code == 4 ? 2 : code == 8 ? 3 : -1;
                with_n += c < 0;
                for (int b = 0; b < 4 && c >= 0; b++) {
                    if (b == c)
                        ck_assert_double_eq_tol(a[b], h[b], 1e-6);
                    else
                        ck_assert_float_eq(a[b], 0);
                }
            }
        ck_assert_int_gt(with_n, 10);
        check_sums(references[k]); /* what unknown bases contribute is not lost */
    }
    sn_model_unref(m);
}
END_TEST

/* Which shuffles are used is decided by seed, number of the sequence and reference; the mean over a file of the same shuffles is the same.
 */
START_TEST(shuffles_by_index) {
    struct sn_model *m = net_make(FREE("forward"), SN_TASK_BINARY, 1, 5, 2);
    struct sn_str fa = {0};
    static float h[40 * 4];
    make_rows(40, false, 0, 9);
    seqnet_explain_options o = options("dinucleotide");
    indices[0] = 7;
    for (int r = 0; r < o.n_references; r++) {
        uint8_t s[40];
        ck_assert_int_eq(sn_dinucleotide_shuffle(codes, 40, o.seed, 7, (uint64_t)r, s), 0);
        ck_ok(sn_str_printf(&fa, ">r%d\n", r));
        for (int p = 0; p < 40; p++) ck_ok(sn_str_printf(&fa, "%c", sn_alphabet_find("dna")->decode[s[p]]));
        ck_ok(sn_str_puts(&fa, "\n"));
    }
    explain(&m, 1, &o, 1);
    memcpy(h, hyp, sizeof h);
    o.references = temp_text("r.fa", fa.s);
    explain(&m, 1, &o, 1);
    ck_assert_int_eq(memcmp(h, hyp, sizeof h), 0);
    indices[0] = 8;
    o.references = "dinucleotide";
    explain(&m, 1, &o, 1);
    ck_assert_int_ne(memcmp(h, hyp, sizeof h), 0);
    sn_str_free(&fa);
    sn_model_unref(m);
}
END_TEST

/* With both strands combined, the reverse complement has the mirrored contributions. */
START_TEST(strands_mirror) {
    static const char *const texts[] = {CNN("average"), CNN("max"), FREE("average"), FREE("max")};
    static const char *const references[] = {"zero", "uniform"};
    static float h[N * ROW * 4];
    for (int k = 0; k < 8; k++) {
        struct sn_model *m = net_make(texts[k % 4], SN_TASK_BINARY, 1, 5, 2);
        seqnet_explain_options o = options(references[k / 4]);
        o.rule = rules[_i];
        make_rows(40, k % 4 > 1, 0, 9);
        explain(&m, 1, &o, N);
        memcpy(h, hyp, sizeof h);
        for (int i = 0; i < N; i++) sn_revcomp(m->arch->alphabet, codes + i * ROW, len[i]);
        explain(&m, 1, &o, N);
        for (int i = 0; i < N; i++)
            for (int64_t p = 0; p < len[i]; p++)
                for (int c = 0; c < 4; c++)
                    ck_assert_double_eq_tol(h[(i * ROW + p) * 4 + c], hyp[(i * ROW + len[i] - 1 - p) * 4 + 3 - c], 1e-7);
        sn_model_unref(m);
    }
}
END_TEST

/* All goes to the strand that holds the larger maximum, under the sequence or under the reference; its share is never above 1. */
START_TEST(maximum_has_a_winner) {
    static const struct {
        double x[2], r[2], seed[2];
    } cases[] = {{{3, 1}, {0, 2}, {1. / 3, 0}}, {{1, 3}, {5, 0}, {.5, 0}}, {{1, 3}, {2, 2.5}, {0, 1}},
                 {{1, 2}, {0, 6}, {0, 1}},      {{2, 2}, {2, 1}, {1, 0}},  {{4, 3}, {0, 3.5}, {.125, 0}}};
    struct sn_model *m = net_make(CNN("max"), SN_TASK_BINARY, 1, 5, 2);
    seqnet_explain_options o = options("zero");
    struct sn_explainer *e;
    const double u = 1;
    ck_ok(sn_explainer_create(&rt, &m, 1, &o, &e));
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const double *const x[2] = {&cases[k].x[0], &cases[k].x[1]}, *const r[2] = {&cases[k].r[0], &cases[k].r[1]};
        sn_real seed[2];
        sn_target_seeds(e, &e->tasks[0], m, &u, x, r, &seed[0], &seed[1]);
        for (int s = 0; s < 2; s++) ck_assert_double_eq_tol((double)seed[s], cases[k].seed[s], 1e-6);
    }
    sn_explainer_free(e);
    sn_model_unref(m);
}
END_TEST

/* Half of each strand: the average's contributions are the mean of the forward model's on both strands. */
START_TEST(average_is_the_mean_of_strands) {
    struct sn_model *both = net_make(CNN("average"), SN_TASK_BINARY, 1, 5, 2), *one = net_make(CNN("forward"), SN_TASK_BINARY, 1, 5, 2);
    seqnet_explain_options o = options("uniform");
    static float mean[N * ROW * 4];
    make_rows(40, false, 0, 9);
    explain(&one, 1, &o, N);
    for (int k = 0; k < N * ROW * 4; k++) mean[k] = hyp[k] / 2;
    for (int i = 0; i < N; i++) sn_revcomp(one->arch->alphabet, codes + i * ROW, len[i]);
    explain(&one, 1, &o, N);
    for (int i = 0; i < N; i++)
        for (int p = 0; p < 40; p++)
            for (int c = 0; c < 4; c++) mean[(i * ROW + p) * 4 + c] += hyp[(i * ROW + 39 - p) * 4 + 3 - c] / 2;
    for (int i = 0; i < N; i++) sn_revcomp(one->arch->alphabet, codes + i * ROW, len[i]);
    explain(&both, 1, &o, N);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 160; k++) ck_assert_double_eq_tol(mean[i * ROW * 4 + k], hyp[i * ROW * 4 + k], 1e-6);
    sn_model_unref(both);
    sn_model_unref(one);
}
END_TEST

START_TEST(ensemble_is_the_mean) {
    struct sn_model *m[3];
    static float mean[N * ROW * 4];
    double output = 0;
    seqnet_explain_options o = options("dinucleotide");
    o.rule = rules[_i];
    make_rows(40, false, 0, 9);
    memset(mean, 0, sizeof mean);
    for (int k = 0; k < 3; k++) {
        m[k] = net_make(CNN("max"), SN_TASK_BINARY, 1, (uint64_t)k, 2);
        explain(&m[k], 1, &o, N);
        output += out[3].output / 3;
        for (int i = 0; i < N * ROW * 4; i++) mean[i] += hyp[i] / 3;
    }
    explain(m, 3, &o, N);
    ck_assert_double_eq_tol(out[3].output, output, 1e-6);
    for (int i = 0; i < N * ROW * 4; i++) ck_assert_double_eq_tol(mean[i], hyp[i], 1e-6);
    check_sums("ensemble");
    o.target = "probability"; /* of the mean logit */
    explain(m, 3, &o, N);
    ck_assert_double_eq_tol(out[3].output, 1 / (1 + exp(-output)), 1e-6);
    for (int i = 0; i < N; i++) ck_assert_double_eq_tol(sum_of(act, i), out[i].output - out[i].expected, 1e-6 + 1e-5 * size_of(act, i));
    for (int k = 0; k < 3; k++) sn_model_unref(m[k]);
}
END_TEST

/* Of a softmax the mean logit is taken off: what raises all classes alike explains none; the classes' contributions cancel. */
START_TEST(classes_cancel) {
    struct sn_model *m = net_make(CNN("average"), SN_TASK_CLASSES, 3, 5, 2);
    static const char *const tasks[] = {"task1", "task2", "task3"};
    static double sum[N * ROW * 4];
    seqnet_explain_options o = options("dinucleotide");
    make_rows(40, false, 0, 9);
    memset(sum, 0, sizeof sum);
    for (int t = 0; t < 3; t++) {
        o.task = tasks[t];
        explain(&m, 1, &o, N);
        for (int i = 0; i < N * ROW * 4; i++) sum[i] += (double)hyp[i];
    }
    for (int i = 0; i < N * ROW * 4; i++) ck_assert_double_eq_tol(sum[i], 0, 1e-6);
    sn_model_unref(m);
}
END_TEST

START_TEST(standardised_targets) {
    struct sn_model *m = net_make(CNN("average"), SN_TASK_NUMBER, 1, 5, 2);
    static float h[N * ROW * 4];
    double output, expected;
    seqnet_explain_options o = options("dinucleotide");
    make_rows(40, false, 0, 9);
    explain(&m, 1, &o, N);
    memcpy(h, hyp, sizeof h);
    output = out[2].output;
    expected = out[2].expected;
    m->target_mean = sn_calloc(1, sizeof(float));
    m->target_sd = sn_calloc(1, sizeof(float));
    m->target_mean[0] = 10;
    m->target_sd[0] = 4;
    explain(&m, 1, &o, N);
    ck_assert_double_eq_tol(out[2].output, 10 + 4 * output, 1e-5);
    ck_assert_double_eq_tol(out[2].expected, 10 + 4 * expected, 1e-5);
    for (int i = 0; i < N * ROW * 4; i++) ck_assert_double_eq_tol(4 * h[i], hyp[i], 1e-5);
    check_sums("standardised");
    sn_model_unref(m);
}
END_TEST

/* A short sequence is centred in a fixed length; the padding is the same in its references and explains nothing. */
START_TEST(short_sequences) {
    struct sn_model *m = net_make(CNN("average"), SN_TASK_BINARY, 1, 5, 2);
    static const char *const references[] = {"dinucleotide", "zero", "uniform"};
    for (int k = 0; k < 3; k++) {
        seqnet_explain_options o = options(references[k]);
        make_rows(40, true, 0, 9);
        explain(&m, 1, &o, N);
        check_sums(references[k]);
    }
    sn_model_unref(m);
}
END_TEST

/* Bases outside a contig stay outside in the uniform reference too. */
START_TEST(outside_explains_nothing) {
    struct sn_model *m = net_make(CNN("average"), SN_TASK_BINARY, 1, 5, 2);
    seqnet_explain_options o = options("uniform");
    make_rows(40, false, 0, 9);
    for (int i = 0; i < N; i += 2) memset(codes + i * ROW, SN_CODE_OUTSIDE, 9);
    explain(&m, 1, &o, N);
    check_sums("outside");
    static float h[N * ROW * 4];
    memcpy(h, hyp, sizeof h);
    for (int i = 0; i < N; i++) { /* no sequence is explained by its neighbour's reference */
        struct sn_explainer *e;
        ck_ok(sn_explainer_create(&rt, &m, 1, &o, &e));
        ck_ok(sn_explainer_run(e, 1, codes + i * ROW, ROW, len + i, indices + i, hyp + i * ROW * 4, NULL, out + i));
        sn_explainer_free(e);
        ck_assert_int_eq(memcmp(h + i * ROW * 4, hyp + i * ROW * 4, 160 * sizeof *h), 0);
    }
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 36; k++) ck_assert(i % 2 || act[i * ROW * 4 + k] == 0);
    sn_model_unref(m);
}
END_TEST

/* ---- bits ---- */

/* The least memory that is allowed, within a factor of 2; less is refused. */
static int64_t least_memory(struct sn_runtime *many, struct sn_model *m, seqnet_explain_options o) {
    for (int64_t more = 1024;; more *= 2) {
        struct sn_explainer *e;
        o.max_memory = (int64_t)SN_PROGRAM_BYTES + more;
        int rc = sn_explainer_create(many, &m, 1, &o, &e);
        if (rc == 0) rc = sn_explainer_run(e, N, codes, ROW, len, indices, hyp, act, out);
        sn_explainer_free(e);
        if (rc == 0) return o.max_memory;
        ck_error(rc, SEQNET_ENOMEM, "MB allowed");
        ck_assert_int_lt(more, 1 << 30);
    }
}

START_TEST(grouping_threads_memory) {
    static const char *const texts[] = {CNN("average"), FREE("max")};
    static const char *const references[] = {"dinucleotide", "uniform", "zero"};
    static float h[N * ROW * 4], a[N * ROW * 4];
    static seqnet_explanation x[N];
    struct sn_runtime more = runtime_open(3);
    for (int k = 0; k < 6; k++) {
        struct sn_model *m = net_make(texts[k % 2], SN_TASK_BINARY, 1, 5, 2);
        seqnet_explain_options o = options(references[k / 2]);
        struct sn_explainer *e;
        o.rule = rules[_i];
        o.n_references = 50;
        make_rows(40, k % 2, 0, 9);
        memset(hyp, 0, sizeof hyp);
        memset(act, 0, sizeof act);
        explain(&m, 1, &o, N);
        memcpy(h, hyp, sizeof h);
        memcpy(a, act, sizeof a);
        memcpy(x, out, sizeof x);
        const int64_t least = least_memory(&more, m, o);
        ck_assert_int_gt(least, (int64_t)SN_PROGRAM_BYTES + 1024);
        for (int memory = 0; memory < 3; memory++) {
            o.max_memory = memory == 0 ? least : memory == 1 ? 4 * least - 3 * (int64_t)SN_PROGRAM_BYTES : 0;
            memset(hyp, 0, sizeof hyp);
            memset(act, 0, sizeof act);
            ck_ok(sn_explainer_create(&more, &m, 1, &o, &e));
            for (int i = 0, n; i < N; i += n) {
                n = 1 + i % 4;
                if (n > N - i) n = N - i;
                ck_ok(sn_explainer_run(e, n, codes + i * ROW, ROW, len + i, indices + i, hyp + i * ROW * 4, act + i * ROW * 4, out + i));
            }
            sn_explainer_free(e);
            ck_assert_int_eq(memcmp(h, hyp, sizeof h), 0);
            ck_assert_int_eq(memcmp(a, act, sizeof a), 0);
            ck_assert_int_eq(memcmp(x, out, sizeof x), 0);
        }
        sn_model_unref(m);
    }
    runtime_close(&more);
}
END_TEST

/* ---- messages ---- */

START_TEST(bad_input) {
    struct sn_model *m = net_make(CNN("average"), SN_TASK_BINARY, 1, 5, 2), *v = net_make(FREE("average"), SN_TASK_BINARY, 1, 5, 2);
    struct sn_explainer *e;
    seqnet_explain_options o = options("dinucleotide");
    make_rows(40, false, 0, 9);
    o.task = "tusk1";
    ck_error(sn_explainer_create(&rt, &m, 1, &o, &e), SEQNET_EINVAL, "did you mean 'task1'");
    o = options("dinucleotide");
    o.method = "magic";
    ck_error(sn_explainer_create(&rt, &m, 1, &o, &e), SEQNET_ENOTSUP, "expected deeplift");
    o = options("dinucleotide");
    o.rule = "cancel";
    ck_error(sn_explainer_create(&rt, &m, 1, &o, &e), SEQNET_EINVAL, "rescale, reveal-cancel or genomics");
    o = options("dinucleotide");
    o.target = "odds";
    ck_error(sn_explainer_create(&rt, &m, 1, &o, &e), SEQNET_EINVAL, "logit or probability");
    o = options(temp_path("none.fa"));
    ck_error(sn_explainer_create(&rt, &m, 1, &o, &e), SEQNET_EIO, "none.fa");
    o = options(temp_text("uneven.fa", ">a\nACGT\n>b\nACG\n"));
    ck_error(sn_explainer_create(&rt, &m, 1, &o, &e), SEQNET_EDATA, "uneven.fa:3");
    o = options(temp_text("short.fa", ">a\nACGT\n"));
    ck_ok(sn_explainer_create(&rt, &m, 1, &o, &e));
    ck_error(sn_explainer_run(e, 1, codes, ROW, len, indices, hyp, act, out), SEQNET_EDATA, "do not fit a sequence of 40");
    sn_explainer_free(e);
    o = options("dinucleotide");
    ck_ok(sn_explainer_create(&rt, &m, 1, &o, &e));
    memset(codes, 15, 40);
    ck_error(sn_explainer_run(e, 1, codes, ROW, len, indices, hyp, act, out), SEQNET_EDATA, "no known letter");
    len[0] = 41;
    ck_error(sn_explainer_run(e, 1, codes, ROW, len, indices, hyp, act, out), SEQNET_EDATA, "at most 40");
    sn_explainer_free(e);
    ck_ok(sn_explainer_create(&rt, &v, 1, &o, &e));
    len[0] = 3;
    codes[0] = 1;
    ck_error(sn_explainer_run(e, 1, codes, ROW, len, indices, hyp, act, out), SEQNET_EDATA, "at least 5");
    memset(codes, 1, 40);
    len[0] = 40;
    ck_ok(sn_explainer_run(e, 1, codes, ROW, len, indices, hyp, act, out));
    ck_assert_int_eq(out[0].only_arrangement, 1);
    ck_assert_double_eq_tol(out[0].output, out[0].expected, 1e-12);
    ck_assert_double_eq(size_of(act, 0), 0);
    sn_explainer_free(e);
    struct sn_model *two[2] = {m, v};
    ck_error(sn_explainer_create(&rt, two, 2, &o, &e), SEQNET_ESHAPE, "cannot be averaged");
    sn_model_unref(m);
    sn_model_unref(v);
}
END_TEST

/* ---- the folder ---- */

static struct sn_dataset *make_dataset(bool located) {
    struct sn_dataset *d;
    ck_ok(sn_dataset_create(sn_alphabet_find("dna"), &d));
    for (int i = 0; i < N; i++) {
        struct sn_interval at = {-1, 0, 0, 0};
        if (located) {
            at.chrom = sn_dataset_chrom(d, i % 3 ? "chrB" : "chrA");
            at.start = 100 + 17 * ((i * 5) % N);
            at.end = at.start + len[i];
            at.strand = (int8_t)(i % 2 ? -1 : 1);
        }
        char name[32];
        snprintf(name, sizeof name, "s %d/x", i);
        ck_ok(sn_dataset_add(d, name, codes + i * ROW, len[i], located ? &at : NULL, NULL));
    }
    return d;
}

static uint64_t field(const uint8_t *p, int n) {
    uint64_t v = 0;
    for (int i = n - 1; i >= 0; i--) v = v << 8 | p[i];
    return v;
}

/* The array of an .npz: one stored member with a true checksum, found through the directory at the end. */
static void check_npz(const char *path, const float *v, int64_t longest) {
    char *text;
    size_t n;
    ck_ok(sn_read_file(path, 1 << 24, &text, &n));
    const uint8_t *b = (const uint8_t *)text, *end = b + n - 22;
    ck_assert_uint_eq(field(end, 4), 0x06054b50);
    ck_assert_uint_eq(field(end + 10, 2), 1);
    const uint8_t *dir = b + field(end + 16, 4);
    ck_assert_ptr_eq(dir + field(end + 12, 4), end);
    ck_assert_uint_eq(field(dir, 4), 0x02014b50);
    uint64_t size = field(dir + 24, 4);
    ck_assert_uint_eq(size, 128 + (uint64_t)N * 4 * (uint64_t)longest * 4);
    ck_assert_int_eq(memcmp(dir + 46, "arr_0.npy", 9), 0);
    const uint8_t *local = b + field(dir + 42, 4), *data = local + 30 + 9 + field(local + 28, 2);
    ck_assert_uint_eq(field(local, 4), 0x04034b50);
    ck_assert_uint_eq(field(dir + 16, 4), sn_crc32(0, data, (size_t)size));
    ck_assert_uint_eq(field(data + size + 4, 4), field(dir + 16, 4));
    ck_assert_ptr_eq(data + size + 16, dir);
    char shape[80];
    snprintf(shape, sizeof shape, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 4, %lld), }", N, (long long)longest);
    ck_assert_int_eq(memcmp(data, "\x93NUMPY\x01\x00\x76\x00", 10), 0);
    ck_assert_int_eq(memcmp(data + 10, shape, strlen(shape)), 0);
    ck_assert_int_eq(data[127], '\n');
    for (int i = 0; i < N; i++)
        for (int c = 0; c < 4; c++)
            for (int64_t p = 0; p < longest; p++) {
                float got, want = p < len[i] ? v[(i * ROW + p) * 4 + c] : 0;
                memcpy(&got, data + 128 + ((i * 4 + c) * longest + p) * 4, 4);
                ck_assert_float_eq(got, want);
            }
    free(text);
}

static float contribution(int i, int64_t p) {
    double s = 0;
    for (int c = 0; c < 4; c++) s += (double)act[(i * ROW + p) * 4 + c];
    return (float)s;
}

static void check_table(const char *path) {
    char *text, *save = NULL;
    size_t n;
    ck_ok(sn_read_file(path, 1 << 24, &text, &n));
    char *s = strtok_r(text, "\n", &save);
    ck_assert_str_eq(s, "sequence\tposition\tbase\tcontribution\thypothetical_A\thypothetical_C\thypothetical_G\thypothetical_T");
    for (int i = 0; i < N; i++)
        for (int p = 0; p < len[i]; p++) {
            char want[256], v[5][32];
            sn_format_f32(contribution(i, p), v[0]);
            for (int c = 0; c < 4; c++) sn_format_f32(hyp[(i * ROW + p) * 4 + c], v[c + 1]);
            snprintf(want, sizeof want, "s %d/x\t%d\t%c\t%s\t%s\t%s\t%s\t%s", i, p, sn_alphabet_find("dna")->decode[codes[i * ROW + p]],
                     v[0], v[1], v[2], v[3], v[4]);
            ck_assert_str_eq(strtok_r(NULL, "\n", &save), want);
        }
    ck_assert_ptr_null(strtok_r(NULL, "\n", &save));
    free(text);
}

/* One line a base, sorted, no base twice, means where sequences overlap. */
static void check_track(const char *path, const struct sn_dataset *d) {
    static double sum[2][1000];
    static int depth[2][1000];
    char *text, *save = NULL;
    size_t n;
    memset(sum, 0, sizeof sum);
    memset(depth, 0, sizeof depth);
    for (int i = 0; i < N; i++)
        for (int64_t p = 0; p < len[i]; p++) {
            int64_t g = d->at[i].strand < 0 ? d->at[i].end - 1 - p : d->at[i].start + p;
            int b = strcmp(d->chroms[d->at[i].chrom], "chrB") == 0;
            sum[b][g] += (double)contribution(i, p);
            depth[b][g]++;
        }
    ck_ok(sn_read_file(path, 1 << 24, &text, &n));
    char *s = strtok_r(text, "\n", &save);
    int deep = 0;
    for (int b = 0; b < 2; b++)
        for (int g = 0; g < 1000; g++) {
            if (!depth[b][g]) continue;
            char chrom[16];
            int from, to;
            double v;
            ck_assert_ptr_nonnull(s);
            ck_assert_int_eq(sscanf(s, "%15s %d %d %lf", chrom, &from, &to, &v), 4);
            ck_assert_str_eq(chrom, b ? "chrB" : "chrA");
            ck_assert(from == g && to == g + 1);
            ck_assert_double_eq_tol(v, sum[b][g] / depth[b][g], 1e-6);
            deep += depth[b][g] > 1;
            s = strtok_r(NULL, "\n", &save);
        }
    ck_assert_ptr_null(s);
    ck_assert_int_gt(deep, 20);
    free(text);
}

/* Filters by hand: windows above half of the largest activation, both strands. */
static void check_filters(const struct sn_filters *got, const struct sn_model *m) {
    const sn_real *w = m->params, *bias = m->params + 5 * 4 * 6;
    int at = 0;
    for (int f = 0; f < 6; f++) {
        double max = 0;
        int64_t counts[20] = {0}, sites = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int i = 0; i < N; i++)
                for (int strand = 0; strand < 2; strand++) {
                    uint8_t s[ROW];
                    memcpy(s, codes + i * ROW, (size_t)len[i]);
                    if (strand) sn_revcomp(m->arch->alphabet, s, len[i]);
                    for (int p = 0; p + 5 <= len[i]; p++) {
                        double a = (double)bias[f];
                        bool clean = true;
                        for (int k = 0; k < 5; k++) {
                            const sn_real *x = m->arch->lut + s[p + k] * 4;
                            clean = clean && !m->arch->alphabet->ambiguous[s[p + k]];
                            for (int c = 0; c < 4; c++) a += (double)(w[(k * 4 + c) * 6 + f] * x[c]);
                        }
                        if (!clean) continue;
                        if (pass == 0 && a > max) max = a;
                        if (pass == 0 || a <= max / 2) continue;
                        sites++;
                        for (int k = 0; k < 20; k++) counts[k] += m->arch->lut[s[p + k / 4] * 4 + k % 4] > 0;
                    }
                }
        if (max <= 0) continue;
        char name[32];
        snprintf(name, sizeof name, "conv1d_%d", f);
        ck_assert_int_lt(at, got->n);
        ck_assert_str_eq(got->v[at].name, name);
        ck_assert_int_eq(got->v[at].size, 5);
        ck_assert_int_eq(got->v[at].sites, sites);
        ck_assert_double_eq_tol((double)got->v[at].max, max, 1e-5);
        ck_assert_int_eq(memcmp(got->v[at].counts, counts, sizeof counts), 0);
        at++;
    }
    ck_assert_int_eq(at, got->n);
    ck_assert_int_eq(got->silent, 6 - at);
}

START_TEST(folder) {
    for (int k = 0; k < 2; k++) {
        struct sn_model *m = net_make(k ? FREE("average") : CNN("average"), SN_TASK_BINARY, 1, 5, 2);
        static float one[N * ROW * 4];
        struct sn_explainer *e;
        struct sn_explained x;
        seqnet_explain_result r;
        seqnet_explain_options o = options("dinucleotide");
        char dir[700], path[1000];
        snprintf(dir, sizeof dir, "%s", temp_path("out/deep"));
        make_rows(40, true, 20, 9);
        struct sn_dataset *d = make_dataset(true);
        explain(&m, 1, &o, N);
        for (int i = 0; i < N * ROW; i++)
            for (int c = 0; c < 4; c++) one[i * 4 + c] = (codes[i] & 15) == 1 << c;
        ck_ok(sn_explainer_create(&rt, &m, 1, &o, &e));
        ck_ok(sn_explainer_folder(e, d, dir, &x));
        sn_explainer_result(e, &r);
        int64_t longest = sn_dataset_longest(d);
#define IN(name) (snprintf(path, sizeof path, "%s/%s", dir, name), path)
        check_npz(IN("one_hot.npz"), one, longest);
        check_npz(IN("hypothetical.npz"), hyp, longest);
        check_npz(IN("contributions.npz"), act, longest);
        check_table(IN("contributions.tsv"));
        check_track(IN("contributions.bedgraph"), d);
        ck_assert_int_eq(r.sequences, N);
        ck_assert_double_le(r.worst_residual, TOLERANCE);
        ck_assert_int_eq(r.above_warning, 0);
        for (int i = 0; i < N; i++) {
            ck_assert_float_eq(x.tasks[0].output[i], (float)out[i].output);
            ck_assert_float_eq(x.tasks[0].expected[i], (float)out[i].expected);
        }
        static const char *const files[] = {"one_hot.npz",   "hypothetical.npz", "contributions.npz",     "contributions.tsv",
                                            "sequences.tsv", "run.tsv",          "contributions.bedgraph"};
        for (size_t i = 0; i < sizeof files / sizeof *files; i++) ck_assert_int_eq(unlink(IN(files[i])), 0);
        ck_assert_int_eq(rmdir(dir), 0); /* nothing else was there */
        ck_assert_int_eq(rmdir(temp_path("out")), 0);
        sn_explained_free(&x);
        sn_explainer_free(e);
        sn_dataset_free(d);
        sn_model_unref(m);
    }
}
END_TEST

#define DENSE "name: d\ninput: {length: 40}\nlayers:\n  - flatten\n  - dense: {units: tasks, activation: auto}\n"

START_TEST(filters) {
    static const char *const texts[] = {CNN("average"), FREE("max"), CNN("average")};
    for (int k = 0; k < 3; k++) {
        struct sn_model *m = net_make(texts[k], SN_TASK_BINARY, 1, 5, 2);
        struct sn_filters f;
        struct sn_explainer *e;
        seqnet_explain_options o = options("zero");
        if (k == 2) m->params[5 * 4 * 6 + 1] = m->params[5 * 4 * 6 + 4] = -100; /* two filters that never activate */
        make_rows(40, true, 20, 9);
        struct sn_dataset *d = make_dataset(false);
        ck_ok(sn_explainer_create(&rt, &m, 1, &o, &e));
        ck_ok(sn_explainer_filters(e, d, &f));
        check_filters(&f, m);
        ck_assert(f.layers == 1 && f.every == 1 && f.silent == (k == 2 ? 2 : 0));
        sn_filters_free(&f);
        sn_explainer_free(e);
        sn_dataset_free(d);
        sn_model_unref(m);
    }
    struct sn_model *m = net_make(DENSE, SN_TASK_BINARY, 1, 5, 2);
    struct sn_filters f;
    struct sn_explainer *e;
    seqnet_explain_options o = options("zero");
    struct sn_dataset *d = make_dataset(false);
    ck_ok(sn_explainer_create(&rt, &m, 1, &o, &e));
    ck_ok(sn_explainer_filters(e, d, &f));
    ck_assert(f.layers == 0 && f.n == 0);
    sn_filters_free(&f);
    sn_explainer_free(e);
    sn_dataset_free(d);
    sn_model_unref(m);
}
END_TEST

static int fetch_eight(void *self, int64_t i, float *c) {
    memcpy(c, (const float *)self + 4 * i, 4 * sizeof *c);
    return 0;
}

/* Windows that reach over a contig's ends: what is outside is not written. */
START_TEST(track_is_clipped) {
    struct sn_dataset *d;
    struct sn_outfile *f;
    static float c[] = {1, 2, 3, 4, 5, 6, 7, 8};
    char *text;
    size_t n;
    ck_ok(sn_dataset_create(sn_alphabet_find("dna"), &d));
    for (int i = 0; i < 2; i++) {
        struct sn_interval at = {sn_dataset_chrom(d, "c"), (int8_t)(i ? -1 : 1), i ? 8 : -2, i ? 12 : 2};
        ck_ok(sn_dataset_add(d, NULL, codes, 4, &at, NULL));
    }
    d->chrom_length[0] = 10;
    ck_ok(sn_outfile_open(temp_path("t"), &f));
    ck_ok(sn_track_write(d, fetch_eight, c, f));
    ck_ok(sn_outfile_commit(f));
    ck_ok(sn_read_file(temp_path("t"), 1000, &text, &n));
    ck_assert_str_eq(text, "c\t0\t1\t3\nc\t1\t2\t4\nc\t8\t9\t8\nc\t9\t10\t7\n");
    free(text);
    sn_dataset_free(d);
}
END_TEST

static bool canceled(void *self) {
    (void)self;
    return true;
}

/* A failing run leaves neither files nor folders behind, and does not touch what was there. */
START_TEST(folder_fails) {
    struct sn_model *m = net_make(CNN("average"), SN_TASK_BINARY, 1, 5, 2);
    struct sn_explainer *e;
    struct sn_explained x;
    seqnet_explain_options o = options("dinucleotide");
    make_rows(40, false, 0, 9);
    memset(codes + 7 * ROW, 15, 40);
    struct sn_dataset *d = make_dataset(false);
    ck_ok(sn_explainer_create(&rt, &m, 1, &o, &e));
    ck_error(sn_explainer_folder(e, d, temp_path("out"), &x), SEQNET_EDATA, "s 7/x");
    ck_assert_int_eq(tempdir_count(), 0);
    ck_error(sn_explainer_folder(e, d, temp_text("file", "x"), &x), SEQNET_EDATA, "s 7/x");
    d->codes[d->offset[7]] = 1;
    ck_error(sn_explainer_folder(e, d, temp_path("file"), &x), SEQNET_EIO, "file");
    ck_error(sn_explainer_folder(e, d, "/proc/none/such", &x), SEQNET_EIO, "/proc");
    ck_assert_int_eq(tempdir_count(), 1);
    net_sink.cancel = canceled; /* after the files were opened */
    ck_assert_int_eq(sn_explainer_folder(e, d, temp_path("out"), &x), SEQNET_ECANCELED);
    net_sink.cancel = NULL;
    ck_assert_int_eq(tempdir_count(), 1);
    sn_explained_free(&x);
    sn_explainer_free(e);
    sn_dataset_free(d);
    sn_model_unref(m);
}
END_TEST

int main(void) {
    Suite *s = suite_create("explain");
    TCase *t = tcase_create("explain");
    tcase_add_checked_fixture(t, open_all, close_all);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, random_networks, 0, N_RULES);
    tcase_add_test(t, probabilities);
    tcase_add_test(t, linear_by_hand);
    tcase_add_test(t, hypothetical_agrees);
    tcase_add_test(t, shuffles_by_index);
    tcase_add_loop_test(t, strands_mirror, 0, N_RULES);
    tcase_add_test(t, maximum_has_a_winner);
    tcase_add_test(t, average_is_the_mean_of_strands);
    tcase_add_loop_test(t, ensemble_is_the_mean, 0, N_RULES);
    tcase_add_test(t, classes_cancel);
    tcase_add_test(t, standardised_targets);
    tcase_add_test(t, short_sequences);
    tcase_add_test(t, outside_explains_nothing);
    tcase_add_loop_test(t, grouping_threads_memory, 0, N_RULES);
    tcase_add_test(t, bad_input);
    tcase_add_test(t, folder);
    tcase_add_test(t, filters);
    tcase_add_test(t, track_is_clipped);
    tcase_add_test(t, folder_fails);
    suite_add_tcase(s, t);
    return unit_run(s);
}
