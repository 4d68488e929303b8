/* Saliency, input x gradient and integrated gradients against PyTorch in double precision (gradients.py): convolution, maximum pooling and
 * dense layers, a bidirectional LSTM; sigmoid and softmax, logits and probabilities, one strand and both. */
#include <math.h>
#include <string.h>

#include "explain/explain.h"
#include "goldens/gradients.h"
#include "unit/nets.h"
#include "unit/unit.h"

#define TOLERANCE 1e-5 /* of the largest number of a sequence */
#define TASKS 3
#define N_GOLDENS (int)(sizeof goldens / sizeof *goldens)

static const char *const texts[] = {
    "name: pool\ninput: {length: 20, strand: %s}\nlayers:\n  - conv1d: {filters: 6, kernel_size: 5, activation: relu}\n"
    "  - max_pooling1d: {pool_size: 3, strides: 3}\n  - flatten\n  - dense: {units: 5, activation: relu}\n"
    "  - dense: {units: tasks, activation: auto}\n",
    "name: lstm\ninput: {length: 20, strand: %s}\nlayers:\n  - conv1d: {filters: 4, kernel_size: 3, activation: relu}\n"
    "  - lstm: {units: 3, bidirectional: true}\n  - dense: {units: tasks, activation: auto}\n"};

static struct sn_runtime rt;
static uint8_t codes[SEQUENCES * LENGTH];
static const int32_t len[SEQUENCES] = {LENGTH, LENGTH};
static const int64_t indices[SEQUENCES] = {0, 1};
static float hyp[SEQUENCES * LENGTH * 4], act[SEQUENCES * LENGTH * 4];
static seqnet_explanation out[SEQUENCES];

static void open_all(void) {
    int64_t bad;
    rt = runtime_open(2);
    for (int i = 0; i < SEQUENCES; i++)
        ck_assert_int_ge(sn_encode_seq(sn_alphabet_find("dna"), golden_sequence[i], LENGTH, codes + i * LENGTH, &bad), 0);
}

static void close_all(void) {
    runtime_close(&rt);
}

/* The weights of gradients.py, in the order of the parameters. */
static struct sn_model *model_of(const struct golden *g) {
    char text[600];
    uint32_t state = 12345;
    snprintf(text, sizeof text, texts[g->net], g->average ? "average" : "forward");
    struct sn_model *m = net_make(text, g->classes ? SN_TASK_CLASSES : SN_TASK_BINARY, TASKS, 1, 1);
    for (int64_t i = 0; i < m->arch->graph->n_params; i++) {
        state = state * 1664525 + 1013904223;
        m->params[i] = (sn_real)((int32_t)(state >> 8) - (1 << 23)) / (sn_real)(1 << 24);
    }
    return m;
}

static void explain(const struct golden *g, const char *method) {
    seqnet_explain_options o = {.size = sizeof o, .method = method, .references = "zero", .n_references = 1};
    struct sn_model *m = model_of(g);
    struct sn_explainer *e;
    o.target = g->probability ? "probability" : "logit";
    o.task = "task2";
    if (strcmp(method, "integrated-gradients") != 0) o.references = NULL;
    ck_ok(sn_explainer_create(&rt, &m, 1, &o, &e));
    ck_ok(sn_explainer_run(e, SEQUENCES, codes, LENGTH, len, indices, hyp, act, out));
    sn_explainer_free(e);
    sn_model_unref(m);
}

static int letter(int i, int p) {
    const char *at = strchr("ACGT", golden_sequence[i][p]);
    return at ? (int)(at - "ACGT") : -1;
}

static float largest(const float *v) {
    float most = 0;
    for (int k = 0; k < LENGTH * 4; k++) most = fmaxf(most, fabsf(v[k]));
    return most;
}

static void close_to(const char *what, int i, int p, double got, double want, float size) {
    ck_assert_msg(fabs(got - want) <= TOLERANCE * (double)size, "%s of sequence %d, position %d: %.9g, expected %.9g", what, i, p, got,
                  want);
}

/* Sum over the letters: contributions stand on one of them, or are spread where there is none. */
static double whole(int i, int p) {
    const float *a = act + (i * LENGTH + p) * 4;
    return (double)a[0] + (double)a[1] + (double)a[2] + (double)a[3];
}

static double mean_of(const float *g) {
    return ((double)g[0] + (double)g[1] + (double)g[2] + (double)g[3]) / 4;
}

START_TEST(saliency) {
    const struct golden *g = &goldens[_i];
    explain(g, "saliency");
    for (int i = 0; i < SEQUENCES; i++)
        for (int p = 0; p < LENGTH; p++) {
            const float *v = g->gradient[i] + 4 * p;
            double most = fmax(fmax(fabs((double)v[0]), fabs((double)v[1])), fmax(fabs((double)v[2]), fabs((double)v[3])));
            close_to("largest gradient", i, p, whole(i, p), most, largest(g->gradient[i]));
        }
}
END_TEST

/* With the mean over the letters taken off; with it the difference of two letters is that of their gradients. */
START_TEST(input_x_gradient) {
    const struct golden *g = &goldens[_i];
    explain(g, "input-x-gradient");
    for (int i = 0; i < SEQUENCES; i++)
        for (int p = 0; p < LENGTH; p++) {
            const float *v = g->gradient[i] + 4 * p, *h = hyp + (i * LENGTH + p) * 4;
            int at = letter(i, p);
            for (int k = 0; k < 4; k++)
                close_to("gradient less the mean", i, p, (double)h[k], (double)v[k] - mean_of(v), largest(g->gradient[i]));
            close_to("input x gradient", i, p, whole(i, p), at < 0 ? 0 : (double)v[at] - mean_of(v), largest(g->gradient[i]));
        }
}
END_TEST

START_TEST(integrated_gradients) {
    const struct golden *g = &goldens[_i];
    explain(g, "integrated-gradients");
    for (int i = 0; i < SEQUENCES; i++)
        for (int p = 0; p < LENGTH; p++) {
            const float *v = g->path[i] + 4 * p, *h = hyp + (i * LENGTH + p) * 4;
            int at = letter(i, p);
            for (int k = 0; k < 4; k++) close_to("mean gradient", i, p, (double)h[k], (double)v[k], largest(g->path[i]));
            close_to("integrated gradient", i, p, whole(i, p), at < 0 ? 0 : (double)v[at], largest(g->path[i]));
        }
}
END_TEST

int main(void) {
    Suite *s = suite_create("gradients");
    TCase *t = tcase_create("gradients");
    tcase_add_checked_fixture(t, open_all, close_all);
    tcase_add_loop_test(t, saliency, 0, N_GOLDENS);
    tcase_add_loop_test(t, input_x_gradient, 0, N_GOLDENS);
    tcase_add_loop_test(t, integrated_gradients, 0, N_GOLDENS);
    suite_add_tcase(s, t);
    return unit_run(s);
}
