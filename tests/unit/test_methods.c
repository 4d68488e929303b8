/* The other methods of attribution: in-silico mutagenesis by cones against all mutants through the public predict call, integrated
 * gradients and gradients against values worked out by hand and against one another; bits; several tasks at once. */
#include <stdlib.h>

#include "explain/cones.h"
#include "nets.h"
#include "seqnet/seqnet.h"
#include "tempfile.h"
#include "unit.h"

#define TOLERANCE 1e-5
#define GOLDEN 2e-6

#define N 4
#define ROW 64
#define TASKS 3
static char bases[N][ROW + 1];
static uint8_t codes[N * ROW];
static int32_t len[N];
static int64_t indices[N];
static float hyp[N * TASKS * ROW * 4], act[N * TASKS * ROW * 4];
static seqnet_explanation out[N * TASKS];
static struct sn_runtime rt;

static void open_all(void) {
    tempdir_make();
    rt = runtime_open(2);
}

static void close_all(void) {
    runtime_close(&rt);
    tempdir_remove();
}

static void encode_row(int i) {
    int64_t bad;
    memset(codes + i * ROW, 0, ROW);
    ck_assert_int_ge(sn_encode_seq(sn_alphabet_find("dna"), bases[i], len[i], codes + i * ROW, &bad), 0);
}

/* N sequences of up to 50 bases, shorter ones where `vary`; one base in `every_n` is N. */
static void make_rows(bool vary, int every_n, uint64_t seed) {
    struct sn_stream r;
    sn_stream_init(&r, seed, 1, 2);
    for (int i = 0; i < N; i++) {
        len[i] = vary ? 50 - 7 * i : 50;
        indices[i] = i;
        random_bases(bases[i], len[i], every_n, &r);
        encode_row(i);
    }
}

static seqnet_explain_options options(const char *method) {
    return (seqnet_explain_options){.size = sizeof(seqnet_explain_options), .method = method, .n_references = 3, .seed = 42};
}

static void explain(struct sn_model *const *m, int n_models, const seqnet_explain_options *o, int n) {
    struct sn_explainer *e;
    memset(hyp, 0, sizeof hyp);
    memset(act, 0, sizeof act);
    ck_ok(sn_explainer_create(&rt, m, n_models, o, &e));
    ck_ok(sn_explainer_run(e, n, codes, ROW, len, indices, hyp, act, out));
    sn_explainer_free(e);
}

/* ---- mutants ---- */

#define HEAD(length, strand) "name: n\ninput: {length: " length ", strand: " strand "}\nlayers:\n"
#define TAIL "  - dense: {units: 5, activation: relu}\n  - dense: {units: tasks, activation: auto}\n"

static const struct {
    const char *frontier; /* where cones end; NULL: none can be done */
    bool variable;
    const char *text;
} nets[] = {
    {"concatenate", true,
     HEAD("variable", "average") "  - conv1d: {filters: 16, kernel_size: 7, padding: same, activation: relu}\n"
                                 "  - max_pooling1d: {pool_size: 3}\n  - dropout: {rate: 0.1}\n"
                                 "  - conv1d: {name: f, filters: 16, kernel_size: 5, padding: same, activation: relu}\n"
                                 "  - global_max_pooling1d: {name: best, inputs: f}\n"
                                 "  - global_average_pooling1d: {name: mean, inputs: f}\n  - concatenate: {inputs: [best, mean]}\n" TAIL},
    {"dense", false,
     HEAD("50", "average") "  - conv1d: {filters: 8, kernel_size: 5, padding: same}\n  - batch_normalization\n  - relu\n"
                           "  - max_pooling1d: {pool_size: 3}\n  - conv1d: {filters: 6, kernel_size: 3, padding: same}\n"
                           "  - batch_normalization\n  - relu\n  - max_pooling1d: {pool_size: 4, strides: 4, padding: same}\n"
                           "  - flatten\n  - dense: {units: 7}\n  - batch_normalization\n  - relu\n  - dropout: {rate: 0.3}\n" TAIL},
    {"global_max_pooling1d", true,
     "name: n\ninput: {length: variable, strand: max, n_policy: mean}\nlayers:\n"
     "  - conv1d: {filters: 6, kernel_size: 8, padding: same, activation: relu}\n  - global_max_pooling1d\n" TAIL},
    {"global_average_pooling1d", true,
     HEAD("variable", "average") "  - conv1d: {name: x0, filters: 16, kernel_size: 5, padding: same, activation: relu}\n"
                                 "  - conv1d: {name: c1, filters: 16, kernel_size: 3, padding: same, dilation_rate: 2, activation: relu}\n"
                                 "  - add: {name: x1, inputs: [x0, c1]}\n"
                                 "  - conv1d: {name: c2, filters: 16, kernel_size: 3, padding: same, dilation_rate: 4, activation: tanh}\n"
                                 "  - add: {name: x2, inputs: [x1, c2]}\n  - global_average_pooling1d\n" TAIL},
    {"global_average_pooling1d", false,
     HEAD("50", "forward") "  - conv1d: {name: a, filters: 6, kernel_size: 6, strides: 2, padding: same, activation: tanh}\n"
                           "  - conv1d: {name: b, filters: 4, kernel_size: 3, padding: same, activation: sigmoid}\n"
                           "  - concatenate: {name: ab, inputs: [a, b]}\n  - dense: {units: 5, activation: sigmoid}\n"
                           "  - average_pooling1d: {pool_size: 4, strides: 2, padding: same}\n"
                           "  - conv1d: {filters: 5, kernel_size: 4, strides: 3}\n  - global_average_pooling1d\n" TAIL},
    {"dense", false, HEAD("50", "average") "  - flatten\n  - dense: {units: tasks, activation: auto}\n"},
    {"dense", false,
     HEAD("50", "max") "  - max_pooling1d: {pool_size: 3, strides: 2}\n  - flatten\n  - tanh\n  - dense: {units: 4}\n  - sigmoid\n" TAIL},
    {"dropout", true,
     HEAD("variable", "average") "  - conv1d: {filters: 8, kernel_size: 5, padding: same, activation: relu}\n"
                                 "  - max_pooling1d: {pool_size: 2}\n  - dropout: {rate: 0.2}\n"
                                 "  - lstm: {units: 4, bidirectional: true, return_sequences: true}\n  - global_max_pooling1d\n" TAIL},
    {NULL, false, HEAD("50", "average") "  - lstm: {units: 3}\n" TAIL},
    {"average_pooling1d", false,
     HEAD("50", "forward") "  - conv1d: {filters: 4, kernel_size: 4, activation: relu}\n  - average_pooling1d: {pool_size: 5, strides: 7}\n"
                           "  - softmax\n  - flatten\n" TAIL},
};
#define N_NETS ((int)(sizeof nets / sizeof *nets))

static struct sn_model *net(int k, enum sn_task_kind kind, int tasks, uint64_t seed) {
    return net_make(nets[k].text, kind, tasks, seed, 2);
}

/* Scores of all mutants of sequence i, less their mean: every one through the public predict call. (len, 4, tasks) */
static void all_mutants(seqnet_ctx *ctx, struct sn_model *const *m, int n_models, int i, double *score) {
    seqnet_predictor_options o;
    seqnet_predictor *p;
    const char *rows[4 * ROW + 1];
    static char text[4 * ROW + 1][ROW + 1];
    int64_t sizes[4 * ROW + 1];
    int n = 4 * len[i] + 1, tasks = m[0]->n_tasks;
    float *z = calloc((size_t)(n * tasks), sizeof *z);
    seqnet_predictor_defaults(&o);
    o.logits = 1;
    o.max_length = 50;
    ck_assert_int_eq(seqnet_predictor_create(ctx, (seqnet_model *const *)m, n_models, &o, &p), 0);
    for (int k = 0; k < n; k++) {
        memcpy(text[k], bases[i], (size_t)len[i] + 1);
        if (k < 4 * len[i]) text[k][k / 4] = "ACGT"[k % 4];
        rows[k] = text[k];
        sizes[k] = len[i];
    }
    ck_assert_int_eq(seqnet_predict(p, rows, sizes, n, z, (int64_t)n * tasks), 0);
    for (int q = 0; q < len[i]; q++)
        for (int t = 0; t < tasks; t++) {
            double mean = 0;
            for (int c = 0; c < 4; c++) mean += (double)z[(4 * q + c) * tasks + t] / 4;
            for (int c = 0; c < 4; c++) score[(4 * q + c) * tasks + t] = (double)z[(4 * q + c) * tasks + t] - mean;
        }
    seqnet_predictor_free(&p);
    free(z);
}

static const char *frontier_of(struct sn_model *m) {
    struct sn_explainer *e;
    static char name[SN_NAME_MAX];
    seqnet_explain_options o = options("ism");
    ck_ok(sn_explainer_create(&rt, &m, 1, &o, &e));
    const struct sn_cones *c = e->cones[0];
    snprintf(name, sizeof name, "%s", c->frontier ? c->g->nodes[c->frontier].name : "");
    sn_explainer_free(e);
    return name;
}

START_TEST(mutants_by_cones) {
    seqnet_ctx_options co;
    seqnet_ctx *ctx;
    struct sn_model *m = net(_i, SN_TASK_BINARY, 2, 3);
    seqnet_explain_options o = options("ism");
    static double score[ROW * 4 * 2];
    double largest = 0;
    seqnet_ctx_defaults(&co);
    co.threads = 1;
    ck_assert_int_eq(seqnet_ctx_create(&co, &ctx), 0);
    ck_assert_str_eq(frontier_of(m), nets[_i].frontier ? nets[_i].frontier : "");
    make_rows(true, _i % 2 ? 11 : 0, 5);
    o.task = "all";
    explain(&m, 1, &o, N);
    for (int i = 0; i < N; i++) {
        all_mutants(ctx, &m, 1, i, score);
        for (int q = 0; q < len[i]; q++)
            for (int k = 0; k < 8; k++) {
                double got = (double)hyp[((i * 2 + k % 2) * ROW + q) * 4 + k / 2], want = score[(4 * q + k / 2) * 2 + k % 2];
                ck_assert_msg(fabs(got - want) <= TOLERANCE * fmax(1, fabs(want)),
                              "net %d, sequence %d, position %d, letter %c: %g, expected %g", _i, i, q, "ACGT"[k / 2], got, want);
                largest = fmax(largest, fabs(want));
            }
    }
    ck_assert_double_gt(largest, 0.01);
    sn_model_unref(m);
    seqnet_ctx_free(&ctx);
}
END_TEST

/* Sums over strands and models happen on the logits, before what is explained. */
START_TEST(mutants_of_ensembles) {
    struct sn_model *m[2] = {net(0, SN_TASK_CLASSES, 3, 3), net(0, SN_TASK_CLASSES, 3, 4)};
    seqnet_ctx_options co;
    seqnet_ctx *ctx;
    seqnet_explain_options o = options("ism");
    static double score[ROW * 4 * 3];
    seqnet_ctx_defaults(&co);
    ck_assert_int_eq(seqnet_ctx_create(&co, &ctx), 0);
    make_rows(true, 0, 5);
    o.task = "task2";
    explain(m, 2, &o, N);
    for (int i = 0; i < N; i++) {
        all_mutants(ctx, m, 2, i, score);
        for (int k = 0; k < 4 * len[i]; k++) {
            double want = score[3 * k + 1] - (score[3 * k] + score[3 * k + 1] + score[3 * k + 2]) / 3; /* less the mean of the classes */
            ck_assert_double_eq_tol((double)hyp[i * ROW * 4 + k], want, TOLERANCE);
        }
    }
    for (int k = 0; k < 2; k++) sn_model_unref(m[k]);
    seqnet_ctx_free(&ctx);
}
END_TEST

/* ---- by hand: goldens of the specification ---- */

static void positions(int n, float *to) {
    for (int p = 0; p < n; p++) to[p] = act[p * 4] + act[p * 4 + 1] + act[p * 4 + 2] + act[p * 4 + 3];
}

static void near_to(const char *what, const float *got, const double *want, int n, double tolerance) {
    for (int i = 0; i < n; i++)
        ck_assert_msg(fabs((double)got[i] - want[i]) <= tolerance, "%s[%d]: %.9g, expected %.9g", what, i, (double)got[i], want[i]);
}

static void one_sequence(const char *s) {
    len[0] = (int32_t)strlen(s);
    indices[0] = 0;
    strcpy(bases[0], s);
    encode_row(0);
}

static struct sn_model *g1(void) {
    static const double w[13] = {.5, -.25, .1, -.35, -.2, .8, -.4, .2, .3, .1, -.6, .7, .05};
    struct sn_model *m = net_make("name: l\ninput: {length: 3, strand: forward}\nlayers:\n  - flatten\n  - dense: {units: tasks}\n",
                                  SN_TASK_NUMBER, 1, 1, 1);
    for (int k = 0; k < 13; k++) m->params[k] = (sn_real)w[k];
    one_sequence("ACG");
    return m;
}

/* A linear function: mutants, gradients less their mean and a uniform reference agree; a path is its own end points. */
START_TEST(g1_linear) {
    static const double centred[3] = {.5, .7, -.725}, file[3] = {.85, .6, -.9};
    static const double file_h[12] = {.85, .1, .45, 0, -.4, .6, -.6, 0, 0, -.2, -.9, .4}, saliency[3] = {.5, .8, .7};
    struct sn_model *m = g1();
    float pos[3];
    seqnet_explain_options o = options("ism");
    explain(&m, 1, &o, 1);
    positions(3, pos);
    near_to("ism", pos, centred, 3, GOLDEN);
    o.method = "input-x-gradient";
    explain(&m, 1, &o, 1);
    positions(3, pos);
    near_to("input x gradient", pos, centred, 3, GOLDEN);
    o.method = "saliency";
    explain(&m, 1, &o, 1);
    positions(3, pos);
    near_to("saliency", pos, saliency, 3, GOLDEN);
    ck_assert(isnan(out[0].expected) && isnan(out[0].residual) && fabs(out[0].output - .75) < 1e-6);
    o.method = "integrated-gradients";
    o.references = "uniform";
    explain(&m, 1, &o, 1);
    positions(3, pos);
    near_to("path from uniform", pos, centred, 3, GOLDEN);
    o.references = temp_text("r.fa", ">t\nTTA\n");
    explain(&m, 1, &o, 1);
    positions(3, pos);
    near_to("path from TTA", pos, file, 3, GOLDEN);
    near_to("path from TTA, hypothetical", hyp, file_h, 12, GOLDEN);
    ck_assert_double_le(out[0].residual, 1e-6);
    sn_model_unref(m);
}
END_TEST

static struct sn_model *g3(void) {
    static const double f[2][3][4] = {{{.8, -.3, -.2, -.1}, {-.4, .9, -.2, .1}, {-.1, -.5, 1.1, -.2}},
                                      {{-.2, .3, .6, -.4}, {.5, -.1, -.3, .7}, {.2, -.6, .1, .4}}};
    static const double rest[] = {-.2, .1, 1.2, .9, -.7, 1.1, -.15}; /* biases; dense, position by position; its bias */
    struct sn_model *m = net_make("name: c\ninput: {length: 6, strand: forward}\nlayers:\n"
                                  "  - conv1d: {filters: 2, kernel_size: 3, activation: relu}\n  - max_pooling1d: {pool_size: 2}\n"
                                  "  - flatten\n  - dense: {units: tasks, activation: auto}\n",
                                  SN_TASK_BINARY, 1, 1, 1);
    for (int k = 0; k < 24; k++) m->params[k] = (sn_real)f[k % 2][k / 8][k / 2 % 4];
    for (int k = 0; k < 7; k++) m->params[24 + k] = (sn_real)rest[k];
    one_sequence("ACGTAC");
    return m;
}

START_TEST(g3_convolution) {
    static const double pos2[4] = {-2.02, -2.07, 0, -1.76}, pos4[4] = {0, -.95, -.67, .22};
    static const double path[6] = {.61875, .61875, 1.289375, .925, 0, -.28875};
    static const double probability[6] = {.0212719174, .0249735271, .0448523901, .021462634, 0, 0};
    struct sn_model *m = g3();
    struct sn_explainer *e;
    double want[4];
    float pos[6];
    seqnet_explain_options o = options("ism");
    explain(&m, 1, &o, 1);
    ck_assert_double_eq_tol(out[0].output, 5.18, 1e-5);
    for (int c = 0; c < 4; c++) want[c] = pos2[c] - (pos2[0] + pos2[1] + pos2[2] + pos2[3]) / 4;
    near_to("ism at 2", hyp + 8, want, 4, GOLDEN);
    for (int c = 0; c < 4; c++) want[c] = pos4[c] - (pos4[0] + pos4[1] + pos4[2] + pos4[3]) / 4;
    near_to("ism at 4", hyp + 16, want, 4, GOLDEN);
    o.method = "integrated-gradients";
    o.references = temp_text("r.fa", ">t\nCATCAG\n");
    ck_ok(sn_explainer_create(&rt, &m, 1, &o, &e));
    e->most_steps = 64;
    ck_ok(sn_explainer_run(e, 1, codes, ROW, len, indices, hyp, act, out));
    positions(6, pos);
    near_to("64 steps", pos, path, 6, GOLDEN);
    ck_assert_int_eq(out[0].missed, 1); /* their sum is 3.163 instead of 3.17 */
    e->most_steps = 1024;
    ck_ok(sn_explainer_run(e, 1, codes, ROW, len, indices, hyp, act, out));
    positions(6, pos);
    ck_assert_double_eq_tol((double)(pos[0] + pos[1] + pos[2] + pos[3] + pos[4] + pos[5]), 3.17, 3.17e-3);
    ck_assert_int_eq(out[0].missed, 0);
    sn_explainer_free(e);
    o.method = "deeplift";
    o.target = "probability";
    explain(&m, 1, &o, 1);
    positions(6, pos);
    near_to("probability", pos, probability, 6, GOLDEN);
    sn_model_unref(m);
}
END_TEST

/* ---- relations ---- */

#define PLAIN "name: p\ninput: {length: 50, strand: average}\nlayers:\n"

/* Without biases a rectified network is the same along the way from zero: gradient, Rescale and path agree. */
START_TEST(without_biases) {
    struct sn_model *m = net_make(PLAIN "  - conv1d: {filters: 6, kernel_size: 5, use_bias: false, activation: relu}\n  - flatten\n"
                                        "  - dense: {units: 5, use_bias: false, activation: relu}\n"
                                        "  - dense: {units: tasks, use_bias: false}\n",
                                  SN_TASK_NUMBER, 1, 7, 2);
    static float rescale[N * ROW * 4];
    seqnet_explain_options o = options("deeplift");
    make_rows(false, 0, 5);
    o.references = "zero";
    explain(&m, 1, &o, N);
    memcpy(rescale, hyp, sizeof rescale);
    o.method = "integrated-gradients";
    explain(&m, 1, &o, N);
    for (int k = 0; k < N * ROW * 4; k++) ck_assert_double_eq_tol((double)hyp[k], (double)rescale[k], 1e-5);
    o.method = "input-x-gradient";
    o.references = NULL;
    explain(&m, 1, &o, N);
    for (int k = 0; k < N * ROW; k++) {
        const float *r = rescale + 4 * k;
        for (int c = 0; c < 4; c++)
            ck_assert_double_eq_tol((double)hyp[4 * k + c], (double)r[c] - (double)(r[0] + r[1] + r[2] + r[3]) / 4, 1e-5);
    }
    sn_model_unref(m);
}
END_TEST

/* One layer of functions of a single number: each function's path is its quotient. With a maximum over inputs it is not. */
START_TEST(one_hidden_layer) {
    for (int k = 0; k < 2; k++) {
        struct sn_model *m = net_make(k ? PLAIN "  - conv1d: {filters: 6, kernel_size: 9, activation: tanh}\n  - max_pooling1d\n"
                                                "  - flatten\n  - dense: {units: tasks}\n"
                                        : PLAIN "  - conv1d: {filters: 6, kernel_size: 9, activation: tanh}\n  - flatten\n"
                                                "  - dense: {units: tasks}\n",
                                      SN_TASK_NUMBER, 1, 7, 2);
        static float rescale[N * ROW * 4];
        double differ = 0, largest = 0;
        seqnet_explain_options o = options("deeplift");
        make_rows(false, 0, 5);
        explain(&m, 1, &o, N);
        memcpy(rescale, hyp, sizeof rescale);
        o.method = "integrated-gradients";
        explain(&m, 1, &o, N);
        for (int i = 0; i < N * ROW * 4; i++) {
            differ = fmax(differ, fabs((double)(hyp[i] - rescale[i])));
            largest = fmax(largest, fabs((double)rescale[i]));
        }
        if (k)
            ck_assert_double_gt(differ, 0.02 * largest);
        else
            ck_assert_double_le(differ, 1e-3 * largest);
        sn_model_unref(m);
    }
}
END_TEST

/* A path's sum is the difference of what is explained: a check of the gradients of strands, models, classes and probabilities. */
START_TEST(paths_sum) {
    static const char *const strands[] = {"forward", "average", "max"};
    static const enum sn_task_kind kinds[] = {SN_TASK_BINARY, SN_TASK_CLASSES, SN_TASK_NUMBER};
    int close = 0;
    for (int k = 0; k < 18; k++) {
        char text[1000];
        struct sn_model *m[2];
        snprintf(text, sizeof text,
                 "name: s\ninput: {length: %s, strand: %s}\nlayers:\n  - conv1d: {filters: 6, kernel_size: 5, activation: tanh}\n"
                 "  - %s\n  - dense: {units: 5, activation: sigmoid}\n  - dense: {units: tasks, activation: auto}\n",
                 k % 2 ? "variable" : "50", strands[k % 3], k % 2 ? "lstm: {units: 4, bidirectional: true}" : "global_average_pooling1d");
        int models = 1 + k % 2;
        for (int j = 0; j < models; j++) m[j] = net_make(text, kinds[k / 6], 3, (uint64_t)(k + 50 * j), 2);
        seqnet_explain_options o = options("integrated-gradients");
        o.task = "task2";
        o.target = k / 3 % 2 && kinds[k / 6] != SN_TASK_NUMBER ? "probability" : "logit";
        o.n_references = 2;
        make_rows(k % 2, k % 4 ? 0 : 9, (uint64_t)k);
        explain(m, models, &o, N);
        for (int i = 0; i < N; i++) {
            double sum = 0;
            for (int p = 0; p < ROW * 4; p++) sum += (double)act[i * ROW * 4 + p];
            double want = out[i].output - out[i].expected, miss = fabs(sum - want);
            bool smooth = strands[k % 3][0] != 'm'; /* where the strands take turns the slope jumps: the error falls with the steps only */
            ck_assert_msg(miss <= (smooth ? 2e-4 : 1e-2), "net %d: %s, %d models, %s: sum %g of %g", k, strands[k % 3], models, o.target,
                          sum, want);
            ck_assert_int_eq(out[i].missed, miss > 1e-3 * fmax(1, fabs(want)));
            close += miss <= 1e-3 * fmax(1, fabs(want));
        }
        for (int j = 0; j < models; j++) sn_model_unref(m[j]);
    }
    ck_assert_int_ge(close, 18 * N - 3);
}
END_TEST

/* ---- every method ---- */

static const char *const methods[] = {"deeplift", "integrated-gradients", "input-x-gradient", "saliency", "ism"};

/* With both strands combined, the reverse complement has the mirrored contributions. */
START_TEST(strands_mirror) {
    for (int k = 0; k < 4; k++) {
        static const int which[] = {0, 3, 7, 2};
        if (k == 3 && _i == 0) break; /* all positions of an even reference are the maximum: the first one is taken */
        struct sn_model *m = net(which[k], SN_TASK_BINARY, 1, 5);
        static float h[N * ROW * 4];
        seqnet_explain_options o = options(methods[_i]);
        if (_i < 2) o.references = "uniform";
        make_rows(true, 0, 9);
        explain(&m, 1, &o, N);
        memcpy(h, hyp, sizeof h);
        for (int i = 0; i < N; i++) sn_revcomp(m->arch->alphabet, codes + i * ROW, len[i]);
        explain(&m, 1, &o, N);
        for (int i = 0; i < N; i++)
            for (int p = 0; p < len[i]; p++)
                for (int c = 0; c < 4; c++)
                    ck_assert_double_eq_tol((double)h[(i * ROW + p) * 4 + c], (double)hyp[(i * ROW + len[i] - 1 - p) * 4 + 3 - c], 2e-6);
        sn_model_unref(m);
    }
}
END_TEST

/* Where there is no letter there is nothing to substitute and no gradient to project; contributions stand on the letter. */
START_TEST(stands_on_letters) {
    struct sn_model *m = net(0, SN_TASK_BINARY, 1, 5);
    seqnet_explain_options o = options(methods[_i]);
    make_rows(true, 9, 9);
    explain(&m, 1, &o, N);
    int with_n = 0;
    for (int i = 0; i < N && _i > 1; i++)
        for (int p = 0; p < len[i]; p++) {
            const float *h = hyp + (i * ROW + p) * 4, *a = act + (i * ROW + p) * 4;
            const char *at = strchr("ACGT", bases[i][p] & ~32);
            with_n += !at;
            ck_assert_double_eq_tol((double)(h[0] + h[1] + h[2] + h[3]), 0, 1e-6);
            for (int c = 0; c < 4 && at && _i != 3; c++)
                if (c == at - "ACGT")
                    ck_assert_float_eq(a[c], h[c]);
                else
                    ck_assert_float_eq(a[c], 0);
            if (!at && _i != 3) ck_assert_float_eq(a[0] + a[1] + a[2] + a[3], 0);
        }
    ck_assert(with_n > 8 || _i < 2);
    sn_model_unref(m);
}
END_TEST

/* Of what is averaged over models the logit's contributions are the mean. */
START_TEST(ensemble_is_the_mean) {
    struct sn_model *m[2];
    static float mean[N * ROW * 4];
    seqnet_explain_options o = options(methods[_i]);
    make_rows(true, 0, 9);
    memset(mean, 0, sizeof mean);
    for (int k = 0; k < 2; k++) {
        m[k] = net(0, SN_TASK_BINARY, 1, (uint64_t)k + 5);
        explain(&m[k], 1, &o, N);
        for (int i = 0; i < N * ROW * 4; i++) mean[i] += hyp[i] / 2;
    }
    explain(m, 2, &o, N);
    double differ = 0;
    for (int i = 0; i < N * ROW * 4; i++) differ = fmax(differ, fabs((double)(mean[i] - hyp[i])));
    ck_assert_double_le(differ, _i == 1 ? 1e-2 : 2e-6); /* steps of a path may differ */
    for (int k = 0; k < 2; k++) sn_model_unref(m[k]);
}
END_TEST

/* Bits do not depend on how sequences are grouped, on threads, or on the memory that is allowed; nor a task's on the other tasks. */
START_TEST(same_bits) {
    static const int which[] = {0, 1, 7, 8};
    static float h[N * TASKS * ROW * 4], a[N * TASKS * ROW * 4];
    static seqnet_explanation x[N * TASKS];
    struct sn_runtime more = runtime_open(3);
    for (int k = 0; k < 8; k++) {
        struct sn_model *m[2] = {net(which[k / 2], k % 2 ? SN_TASK_CLASSES : SN_TASK_BINARY, 3, 5),
                                 net(which[k / 2], k % 2 ? SN_TASK_CLASSES : SN_TASK_BINARY, 3, 6)};
        int models = 1 + k % 2;
        seqnet_explain_options o = options(methods[_i]);
        struct sn_explainer *e;
        o.task = "all";
        o.target = k / 2 % 2 ? "probability" : "logit";
        make_rows(nets[which[k / 2]].variable, 13, 9);
        explain(m, models, &o, N);
        memcpy(h, hyp, sizeof h);
        memcpy(a, act, sizeof a);
        memcpy(x, out, sizeof x);
        for (int memory = 0; memory < 3; memory++) {
            o.max_memory = memory == 2 ? 0 : (int64_t)SN_PROGRAM_BYTES + (memory == 0 ? 4000000 : 12000000);
            memset(hyp, 0, sizeof hyp);
            memset(act, 0, sizeof act);
            ck_ok(sn_explainer_create(&more, m, models, &o, &e));
            for (int i = 0, n; i < N; i += n) {
                n = memory == 2 ? N : i ? 2 : 1;
                if (n > N - i) n = N - i;
                size_t at = (size_t)(i * 3 * ROW * 4);
                ck_ok(sn_explainer_run(e, n, codes + i * ROW, ROW, len + i, indices + i, hyp + at, act + at, out + i * 3));
            }
            sn_explainer_free(e);
            ck_assert_int_eq(memcmp(h, hyp, sizeof h), 0);
            ck_assert_int_eq(memcmp(a, act, sizeof a), 0);
            ck_assert_int_eq(memcmp(x, out, sizeof x), 0);
        }
        o.task = "task3";
        explain(m, models, &o, N);
        for (int i = 0; i < N; i++) {
            ck_assert_int_eq(memcmp(hyp + i * ROW * 4, h + (i * 3 + 2) * ROW * 4, ROW * 4 * sizeof *h), 0);
            ck_assert_int_eq(memcmp(act + i * ROW * 4, a + (i * 3 + 2) * ROW * 4, ROW * 4 * sizeof *a), 0);
            ck_assert_int_eq(memcmp(&out[i], &x[i * 3 + 2], sizeof *x), 0);
        }
        for (int j = 0; j < 2; j++) sn_model_unref(m[j]);
    }
    runtime_close(&more);
}
END_TEST

/* ---- options ---- */

static int task_count(struct sn_model *m, const char *list) {
    struct sn_explainer *e;
    seqnet_explain_options o = options("saliency");
    o.task = list;
    ck_ok(sn_explainer_create(&rt, &m, 1, &o, &e));
    int n = sn_explainer_tasks(e);
    sn_explainer_free(e);
    return n;
}

START_TEST(option_errors) {
    static const char *const names[] = {"a,b", "all", "b"};
    struct sn_model *m = net(0, SN_TASK_BINARY, 3, 5);
    struct sn_explainer *e;
    seqnet_explain_options o = options("ism");
    o.references = "zero";
    ck_error(sn_explainer_create(&rt, &m, 1, &o, &e), SEQNET_EINVAL, "ism has none");
    o = options("saliency");
    o.rule = "reveal-cancel";
    ck_error(sn_explainer_create(&rt, &m, 1, &o, &e), SEQNET_EINVAL, "belongs to deeplift; saliency has none");
    o = options("integrated-gradients");
    o.task = "task1,tusk2";
    ck_error(sn_explainer_create(&rt, &m, 1, &o, &e), SEQNET_EINVAL, "did you mean 'task2'");
    o.task = "task1,task2,task1";
    ck_error(sn_explainer_create(&rt, &m, 1, &o, &e), SEQNET_EINVAL, "named twice");
    o.task = "task1,";
    ck_error(sn_explainer_create(&rt, &m, 1, &o, &e), SEQNET_EINVAL, "no such task");
    ck_assert_int_eq(task_count(m, "all"), 3);
    ck_assert_int_eq(task_count(m, "task3,task1"), 2);
    ck_assert_int_eq(task_count(m, NULL), 1);
    ck_ok(sn_model_set_tasks(m, SN_TASK_BINARY, names, 3)); /* a name goes before what it could mean else */
    ck_assert_int_eq(task_count(m, "all"), 1);
    ck_assert_int_eq(task_count(m, "a,b"), 1);
    ck_assert_int_eq(task_count(m, "b,all"), 2);
    sn_model_unref(m);
}
END_TEST

int main(void) {
    Suite *s = suite_create("methods");
    TCase *t = tcase_create("methods");
    tcase_add_checked_fixture(t, open_all, close_all);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, mutants_by_cones, 0, N_NETS);
    tcase_add_test(t, mutants_of_ensembles);
    tcase_add_test(t, g1_linear);
    tcase_add_test(t, g3_convolution);
    tcase_add_test(t, without_biases);
    tcase_add_test(t, one_hidden_layer);
    tcase_add_test(t, paths_sum);
    tcase_add_loop_test(t, strands_mirror, 0, 5);
    tcase_add_loop_test(t, stands_on_letters, 0, 5);
    tcase_add_loop_test(t, ensemble_is_the_mean, 0, 5);
    tcase_add_loop_test(t, same_bits, 0, 5);
    tcase_add_test(t, option_errors);
    suite_add_tcase(s, t);
    return unit_run(s);
}
