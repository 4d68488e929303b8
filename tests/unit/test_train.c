/* Training: metrics against scikit-learn, schedules, label counts, one step, whole runs on small planted problems. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/rng.h"
#include "train/parts.h"
#include "unit.h"

struct metric_golden {
    int task;
    const char *name;
    double value;
};
struct metric_case {
    const char *name;
    enum sn_task_kind kind;
    int n, tasks;
    const float *scores, *targets;
    const struct metric_golden *metrics;
    int n_metrics;
};
#include "../goldens/metrics.h"

/* ---- what runs need
 * ---------------------------------------------------------------------------------------------------------------------- */

struct rig {
    struct sn_backend backend;
    struct sn_pool *pool;
    struct sn_sink sink;
    struct sn_runtime rt;
    int warnings, cancel_after, asked;
};

static void on_log(void *self, int level, const char *line) {
    struct rig *r = self;
    (void)line;
    r->warnings += level == SN_LOG_WARN;
}

static bool on_cancel(void *self) {
    struct rig *r = self;
    return r->cancel_after > 0 && ++r->asked > r->cancel_after;
}

static void rig_open(struct rig *r, int threads) {
    enum sn_isa isa;
    memset(r, 0, sizeof *r);
    ck_assert_int_eq(sn_isa_detect(&isa), 0);
    ck_assert_int_eq(sn_backend_cpu(isa, "own", &r->backend), 0);
    ck_assert_int_eq(sn_pool_create(threads, &r->pool), 0);
    r->sink = (struct sn_sink){.self = r, .log = on_log, .cancel = on_cancel};
    r->rt = (struct sn_runtime){.pool = r->pool, .threads = threads, .backend = &r->backend, .sink = &r->sink, .describe = "test"};
}

static void rig_close(struct rig *r) {
    sn_pool_free(r->pool);
    sn_backend_close(&r->backend);
}

#define NET(input, last, training)                                                                                                         \
    "name: tiny\ninput: {" input "}\nlayers:\n"                                                                                            \
    "  - conv1d: {filters: 8, kernel_size: 9, activation: relu}\n  - global_max_pooling1d: {}\n"                                           \
    "  - dense: {" last "}\ntraining: {batch_size: 32, min_steps: 0, " training "}\n"
#define ONE_CYCLE "learning_rate_schedule: one_cycle"
#define NET_60 NET("length: 60", "units: tasks, activation: auto", "epochs: 8, optimizer: {adam: {learning_rate: 0.02}}, " ONE_CYCLE)

static struct sn_arch *arch_of(const char *text) {
    struct sn_arch *a;
    int rc = sn_arch_parse(text, strlen(text), "test.yaml", &a);
    ck_assert_msg(rc == 0, "%s", seqnet_errmsg());
    return a;
}

static struct sn_dataset *dataset_of(enum sn_task_kind kind, int n_tasks) {
    struct sn_dataset *d;
    ck_assert_int_eq(sn_dataset_create(sn_alphabet_find("dna"), &d), 0);
    d->kind = kind;
    d->n_tasks = n_tasks;
    d->tasks = sn_calloc((size_t)n_tasks, sizeof *d->tasks);
    for (int t = 0; t < n_tasks; t++) {
        char name[] = "task_a";
        name[5] = (char)(name[5] + t);
        d->tasks[t] = sn_strdup(name);
    }
    return d;
}

static const char *const motifs[] = {"", "TGACTCA", "CCGGAAG", "ATTTGCA"};

/* A random sequence, with motif `which` somewhere in it (0: none); returns its number of G and C. */
static int add_sequence(struct sn_dataset *d, struct sn_stream *s, int length, int which, const float *targets) {
    uint8_t codes[256];
    int gc = 0, m = (int)strlen(motifs[which]), at = (int)sn_stream_below(s, (uint64_t)(length - m + 1));
    for (int i = 0; i < length; i++) codes[i] = (uint8_t)(1u << sn_stream_below(s, 4));
    for (int i = 0; i < m; i++) codes[at + i] = d->alphabet->encode[(unsigned char)motifs[which][i]];
    for (int i = 0; i < length; i++) gc += codes[i] == 2 || codes[i] == 4;
    ck_assert_int_eq(sn_dataset_add(d, NULL, codes, length, NULL, targets), 0);
    return gc;
}

/* Binary: every other sequence has the motif. */
static struct sn_dataset *planted(int n, int shortest, int longest, uint64_t seed) {
    struct sn_dataset *d = dataset_of(SN_TASK_BINARY, 1);
    struct sn_stream s;
    sn_stream_init(&s, seed, 0, 0);
    for (int i = 0; i < n; i++) {
        float label = (float)(i % 2);
        int length = shortest + (int)sn_stream_below(&s, (uint64_t)(longest - shortest + 1));
        add_sequence(d, &s, length, i % 2, &label);
    }
    return d;
}

static seqnet_train_options options(void) {
    seqnet_train_options o;
    memset(&o, 0, sizeof o);
    o.size = sizeof o;
    o.seed = 1;
    o.epochs = o.min_steps = o.batch_size = o.nesterov = o.patience = o.reverse_complement = o.shift = -1;
    o.learning_rate = o.momentum = o.clipnorm = o.l1 = o.l2 = o.valid_fraction = NAN;
    return o;
}

/* A whole run; *result may be NULL. Returns what the run returned; *m NULL without a model. */
static int train(struct rig *r, const char *net, const struct sn_dataset *d, const struct sn_dataset *valid, const seqnet_train_options *o,
                 struct sn_model **m, seqnet_train_result *result) {
    struct sn_trainer *t;
    *m = NULL;
    int rc = sn_trainer_create(&r->rt, arch_of(net), d, valid, o, &t);
    if (rc < 0) return rc;
    rc = sn_trainer_run(t, m);
    if (result) sn_trainer_result(t, result);
    sn_trainer_free(t);
    return rc;
}

static void evaluate(struct rig *r, struct sn_model *m, const struct sn_dataset *d, struct sn_validation *v) {
    struct sn_rows rows = {.d = d, .ids = sn_calloc((size_t)d->n, sizeof *rows.ids), .n = d->n};
    struct sn_label_stats none = {.n_tasks = d->n_tasks};
    for (int64_t i = 0; i < d->n; i++) rows.ids[i] = i;
    ck_assert_msg(sn_validate(&r->rt, m, &none, &rows, v) == 0, "%s", seqnet_errmsg());
    sn_rows_free(&rows);
}

static void expect_error(int rc, int code, const char *part) {
    ck_assert_int_eq(rc, code);
    ck_assert_msg(strstr(seqnet_errmsg(), part) != NULL, "message: %s; expected in it: %s", seqnet_errmsg(), part);
}

/* ---- metrics
 * ----------------------------------------------------------------------------------------------------------------------------- */

static bool same(double a, double b, double tolerance) {
    return isnan(a) || isnan(b) ? isnan(a) && isnan(b) : fabs(a - b) <= tolerance;
}

START_TEST(metrics_goldens) {
    for (size_t c = 0; c < sizeof metric_cases / sizeof *metric_cases; c++) {
        const struct metric_case *k = &metric_cases[c];
        seqnet_metric got[64];
        int n = sn_metrics(k->kind, k->scores, k->targets, k->n, k->tasks, got, 64);
        ck_assert_int_eq(n, k->n_metrics);
        for (int i = 0; i < n; i++) {
            ck_assert_int_eq(got[i].task, k->metrics[i].task);
            ck_assert_str_eq(got[i].name, k->metrics[i].name);
            ck_assert_msg(same(got[i].value, k->metrics[i].value, 1e-12), "%s, task %d, %s: %.17g, expected %.17g", k->name, got[i].task,
                          got[i].name, got[i].value, k->metrics[i].value);
        }
        ck_assert_int_eq(sn_metrics(k->kind, k->scores, k->targets, k->n, k->tasks, got, 2), n);
    }
}
END_TEST

START_TEST(metrics_ignore_order) {
    const struct metric_case *k = &metric_cases[3]; /* numbers */
    float scores[256], targets[256];
    seqnet_metric a[64], b[64];
    for (int i = 0; i < k->n; i++)
        for (int t = 0; t < k->tasks; t++) {
            scores[i * k->tasks + t] = k->scores[(k->n - 1 - i) * k->tasks + t];
            targets[i * k->tasks + t] = k->targets[(k->n - 1 - i) * k->tasks + t];
        }
    int n = sn_metrics(k->kind, k->scores, k->targets, k->n, k->tasks, a, 64);
    ck_assert_int_eq(n, sn_metrics(k->kind, scores, targets, k->n, k->tasks, b, 64));
    for (int i = 0; i < n; i++) ck_assert(same(a[i].value, b[i].value, 0));
    ck_assert(same(sn_pearson(k->scores, k->targets, k->n, k->tasks), a[0].value, 0));
    ck_assert(same(sn_spearman(k->scores, k->targets, k->n, k->tasks), a[1].value, 0));
    const struct metric_case *q = &metric_cases[0];
    ck_assert(same(sn_auroc(q->scores, q->targets, q->n, q->tasks), q->metrics[0].value, 1e-12));
    ck_assert(same(sn_auprc(q->scores, q->targets, q->n, q->tasks), q->metrics[1].value, 1e-12));
}
END_TEST

/* Area under the points by trapezoids; average precision by steps. */
static void areas(const struct sn_roc_point *v, int k, double pos, double neg, double *roc, double *pr) {
    double tp = 0, fp = 0;
    *roc = *pr = 0;
    for (int i = 0; i < k; i++) {
        *roc += ((double)v[i].fp - fp) * ((double)v[i].tp + tp) / 2 / (pos * neg);
        *pr += ((double)v[i].tp - tp) / pos * (double)v[i].tp / (double)(v[i].tp + v[i].fp);
        tp = (double)v[i].tp, fp = (double)v[i].fp;
    }
}

START_TEST(roc_points) {
    static float score[3000], target[3000];
    static struct sn_roc_point v[3000];
    struct sn_stream r;
    int64_t n, pos;
    double roc, pr;
    /* by hand: ties are one threshold, a missing target does not count */
    static const float s[7] = {.9f, .8f, .8f, .5f, .5f, .1f, .7f}, y[7] = {1, 1, 0, 0, 1, 0, NAN};
    static const struct sn_roc_point want[4] = {{1, 0}, {2, 1}, {3, 2}, {3, 3}};
    ck_assert_int_eq(sn_roc_points(s, y, 7, 1, 100, v, &n, &pos), 4);
    ck_assert(n == 6 && pos == 3 && memcmp(v, want, sizeof want) == 0);
    /* all thresholds: their areas are the metrics; 3000 of a model that knows something, one positive in nine */
    sn_stream_init(&r, 3, 0, 0);
    for (int i = 0; i < 3000; i++) {
        target[i] = i % 9 == 0;
        score[i] = (float)floor(500 * (sn_stream_normal(&r) + 1.5 * (double)target[i])) / 500;
    }
    int all = sn_roc_points(score, target, 3000, 1, 3000, v, &n, &pos);
    ck_assert(all > 1000 && n == 3000 && pos == 334);
    areas(v, all, 334, 2666, &roc, &pr);
    ck_assert_double_eq_tol(roc, sn_auroc(score, target, 3000, 1), 1e-12);
    ck_assert_double_eq_tol(pr, sn_auprc(score, target, 3000, 1), 1e-12);
    /* thinned: no more than asked for, each one of the thresholds, no step along the way longer than it must be, the last with everything
     */
    static struct sn_roc_point few[200];
    int k = sn_roc_points(score, target, 3000, 1, 200, few, &n, &pos);
    ck_assert(k <= 200 && k > 150 && few[k - 1].tp == 334 && few[k - 1].fp == 2666);
    double old = 0;
    for (int i = 0, j = 0; i < k; i++) {
        while (j < all && (v[j].tp != few[i].tp || v[j].fp != few[i].fp)) j++;
        ck_assert_int_lt(j, all);
        double way = ((double)few[i].tp / 334 + (double)few[i].fp / 2666) / 2;
        ck_assert(way > old && way - old < 2.5 / 199);
        old = way;
    }
    areas(few, k, 334, 2666, &roc, &pr);
    ck_assert_double_eq_tol(roc, sn_auroc(score, target, 3000, 1), 1e-3);
    /* one class, a score that is no number, nothing */
    for (int i = 0; i < 7; i++) target[i] = 1;
    ck_assert(sn_roc_points(s, target, 7, 1, 100, v, &n, &pos) == 0 && n == 7 && pos == 7);
    score[0] = NAN;
    ck_assert(sn_roc_points(score, y, 7, 1, 100, v, &n, &pos) == 0 && n == 0);
    ck_assert(sn_roc_points(s, y, 0, 1, 100, v, &n, &pos) == 0 && n == 0);
}
END_TEST

/* ---- schedule
 * ---------------------------------------------------------------------------------------------------------------------------- */

START_TEST(schedules) {
    for (int i = 0; i <= 1000; i++) {
        double x = M_PI * i / 1000;
        ck_assert_double_le(fabs(sn_cos(x) - cos(x)), 1e-15);
    }
    struct sn_training t = {.schedule = SN_LR_CONSTANT, .learning_rate = 0.004, .warmup_fraction = 0.25, .start_fraction = 0.1};
    ck_assert(sn_learning_rate(&t, 0, 100) == 0.004 && sn_learning_rate(&t, 99, 100) == 0.004);
    t.schedule = SN_LR_ONE_CYCLE;
    ck_assert_double_eq_tol(sn_learning_rate(&t, 0, 1000), 0.0004, 1e-18);
    ck_assert_double_eq_tol(sn_learning_rate(&t, 125, 1000), 0.0022, 1e-17);
    ck_assert_double_eq_tol(sn_learning_rate(&t, 250, 1000), 0.004, 1e-17);
    ck_assert_double_eq_tol(sn_learning_rate(&t, 625, 1000), 0.002, 1e-17);
    ck_assert_double_eq_tol(sn_learning_rate(&t, 999, 1000), 0.002 * (1 + cos(M_PI * 749 / 750)), 1e-17);
    for (int i = 1; i < 1000; i++) ck_assert((sn_learning_rate(&t, i, 1000) > sn_learning_rate(&t, i - 1, 1000)) == (i <= 250));
    t.warmup_fraction = 1;
    ck_assert(isfinite(sn_learning_rate(&t, 9, 10)));
    t = (struct sn_training){.epochs = 12, .min_steps = 1400};
    ck_assert_int_eq(sn_epochs_for(&t, 19), 74);
    ck_assert_int_eq(sn_epochs_for(&t, 143), 12);
}
END_TEST

/* ---- labels
 * ------------------------------------------------------------------------------------------------------------------------------ */

START_TEST(class_weights) {
    struct sn_dataset *d = dataset_of(SN_TASK_BINARY, 1);
    struct sn_stream s;
    sn_stream_init(&s, 1, 0, 0);
    for (int i = 0; i < 100; i++) add_sequence(d, &s, 60, 0, &(float){i < 20});
    int64_t ids[100];
    for (int i = 0; i < 100; i++) ids[i] = i;
    struct sn_rows rows = {.d = d, .ids = ids, .n = 100};
    for (int balanced = 0; balanced < 2; balanced++) {
        struct sn_arch *a = arch_of(NET_60);
        struct sn_label_stats stats;
        struct sn_model *m;
        a->training.balanced_class_weight = balanced;
        ck_assert_int_eq(sn_arch_bind(a, d->kind, 1, 60, 60), 0);
        ck_assert_int_eq(sn_label_stats_make(&rows, a, NULL, &stats), 0);
        ck_assert_int_eq(sn_model_create(a, &m), 0);
        ck_assert_int_eq(sn_label_stats_apply(&stats, m), 0);
        double bias = m->params[a->graph->n_params - 1]; /* the last weight is the output's bias */
        if (balanced) {
            ck_assert_double_eq_tol(stats.cw[0], 100.0 / 160, 1e-6);
            ck_assert_double_eq_tol(stats.cw[1], 100.0 / 40, 1e-6);
        } else {
            ck_assert_ptr_null(stats.cw);
        }
        ck_assert_double_eq_tol(stats.expected, balanced ? log(2) : -0.2 * log(0.2) - 0.8 * log(0.8), 1e-6);
        ck_assert_double_eq_tol(bias, balanced ? 0 : log(0.25), 1e-6);
        sn_label_stats_free(&stats);
        sn_model_unref(m);
    }
    sn_dataset_free(d);
}
END_TEST

START_TEST(label_checks) {
    struct rig r;
    struct sn_dataset *d = planted(40, 60, 60, 1);
    struct sn_model *m;
    seqnet_train_options o = options();
    rig_open(&r, 1);
    o.valid_fraction = 0;
    expect_error(train(&r, NET_60, d, NULL, &o, &m, NULL), SEQNET_EINVAL, "no validation data");
    o = options();
    o.valid_chroms = "chr1";
    expect_error(train(&r, NET_60, d, NULL, &o, &m, NULL), SEQNET_EDATA, "coordinates");
    o = options();
    struct sn_dataset *one = planted(2, 60, 60, 2);
    one->targets[0] = 1;
    expect_error(train(&r, NET_60, d, one, &o, &m, NULL), SEQNET_EDATA, "validation set: expected both classes");
    one->targets[0] = 0;
    one->kind = SN_TASK_NUMBER;
    expect_error(train(&r, NET_60, d, one, &o, &m, NULL), SEQNET_EDATA, "validation data: 1 labels");
    for (int64_t i = 0; i < d->n; i++) d->targets[i] = 1;
    one->kind = SN_TASK_BINARY;
    expect_error(train(&r, NET_60, d, one, &o, &m, NULL), SEQNET_EDATA, "training set: expected both classes");
    d->kind = SN_TASK_NUMBER;
    expect_error(train(&r, NET_60, d, NULL, &o, &m, NULL), SEQNET_EDATA, "expected different values of label task_a");
    sn_dataset_free(one);
    sn_dataset_free(d);
    rig_close(&r);
}
END_TEST

START_TEST(row_lengths) {
    struct rig r;
    struct sn_dataset *d = planted(40, 60, 61, 1);
    struct sn_model *m;
    seqnet_train_options o = options();
    rig_open(&r, 1);
    expect_error(train(&r, NET_60, d, NULL, &o, &m, NULL), SEQNET_EDATA, ": 61 positions, the architecture tiny reads 60");
    struct sn_stream s;
    sn_stream_init(&s, 1, 0, 0);
    add_sequence(d, &s, 8, 0, &(float){0});
    expect_error(train(&r, NET("length: 0", "units: tasks, activation: auto", ""), d, NULL, &o, &m, NULL), SEQNET_ESHAPE,
                 "seq41): 8 positions");
    ck_assert(strstr(seqnet_errmsg(), "conv1d") != NULL);
    sn_dataset_free(d);
    rig_close(&r);
}
END_TEST

/* ---- one step
 * ---------------------------------------------------------------------------------------------------------------------------- */

/* A model and a step of plain SGD for it. */
struct stepper {
    struct sn_model *m;
    struct sn_label_stats stats;
    struct sn_step *step;
    struct sn_rows rows;
    int64_t ids[64];
    sn_real *before, *after;
};

static void stepper_open(struct stepper *p, struct rig *r, const struct sn_dataset *d, struct sn_arch *a) {
    memset(p, 0, sizeof *p);
    p->rows = (struct sn_rows){.d = d, .ids = p->ids, .n = d->n};
    for (int i = 0; i < d->n; i++) p->ids[i] = i;
    ck_assert_int_eq(sn_arch_bind(a, d->kind, d->n_tasks, 60, 60), 0);
    ck_assert_int_eq(sn_label_stats_make(&p->rows, a, NULL, &p->stats), 0);
    ck_assert_int_eq(sn_model_create(a, &p->m), 0);
    ck_assert_int_eq(sn_model_init(p->m, 1), 0);
    ck_assert_int_eq(sn_label_stats_apply(&p->stats, p->m), 0);
    ck_assert_int_eq(sn_step_create(&r->rt, &sn_comm_single, p->m, &p->stats, 60, (int)d->n, 1, &p->step), 0);
    p->before = sn_calloc((size_t)a->graph->n_params, sizeof *p->before);
    memcpy(p->before, p->m->params, (size_t)a->graph->n_params * sizeof *p->before);
    p->after = p->m->params;
}

static struct sn_step_result stepper_run(struct stepper *p, double lr) {
    struct sn_step_result out;
    int rc = sn_step_run(p->step, &p->rows, 0, (int)p->rows.n, 0, lr, &out);
    ck_assert_msg(rc == 0, "%s", seqnet_errmsg());
    ck_assert_int_eq(sn_step_params(p->step), 0);
    return out;
}

static void stepper_close(struct stepper *p) {
    sn_step_free(p->step);
    sn_label_stats_free(&p->stats);
    sn_model_unref(p->m);
    free(p->before);
}

#define NET_SGD NET("length: 60", "units: tasks, activation: auto, kernel_regularizer: {l1: 0.01, l2: 0.02}", "optimizer: sgd")

START_TEST(regularizers_and_clipping) {
    struct rig r;
    struct stepper p;
    struct sn_dataset *d = planted(48, 60, 60, 3);
    double norm[2], moved[2];
    rig_open(&r, 1);
    for (int clipped = 0; clipped < 2; clipped++) {
        struct sn_arch *a = arch_of(NET_SGD);
        a->training.clipnorm = clipped ? 0.25 * norm[0] : 0;
        stepper_open(&p, &r, d, a);
        const struct sn_node *dense = &a->graph->nodes[a->graph->heads[0].logits];
        const sn_real *w = p.before + dense->weight_offset[0];
        double penalty = 0;
        for (int i = 0; i < 8; i++) penalty += 0.01 * fabs((double)w[i]) + 0.02 * (double)w[i] * (double)w[i];
        struct sn_step_result out = stepper_run(&p, 0.5);
        ck_assert_double_eq_tol(out.penalty, penalty, 1e-6);
        norm[clipped] = out.norm;
        moved[clipped] = 0;
        for (int64_t i = 0; i < a->graph->n_params; i++) moved[clipped] += pow((double)p.after[i] - (double)p.before[i], 2);
        stepper_close(&p);
    }
    ck_assert(norm[0] == norm[1]);
    ck_assert_double_eq_tol(sqrt(moved[0]), 0.5 * norm[0], 1e-5 * norm[0]);
    ck_assert_double_eq_tol(sqrt(moved[1]), 0.5 * 0.25 * norm[0], 1e-5 * norm[0]);
    sn_dataset_free(d);
    rig_close(&r);
}
END_TEST

/* A task whose labels are all missing in the batch moves nothing, and the loss is that of the other task alone. */
START_TEST(missing_labels) {
    struct rig r;
    struct stepper p, q;
    struct sn_dataset *two = dataset_of(SN_TASK_BINARY, 2), *one = planted(48, 60, 60, 3);
    rig_open(&r, 1);
    for (int64_t i = 0; i < one->n; i++)
        sn_dataset_add(two, NULL, one->codes + one->offset[i], 60, NULL, (float[]){one->targets[i], i < 2 ? (float)i : NAN});
    stepper_open(&p, &r, two, arch_of(NET("length: 60", "units: tasks, activation: auto", "optimizer: sgd")));
    stepper_open(&q, &r, one, arch_of(NET("length: 60", "units: tasks, activation: auto", "optimizer: sgd")));
    p.rows.ids += 2;
    p.rows.n -= 2;
    q.rows.ids += 2;
    q.rows.n -= 2;
    const struct sn_node *dense = &p.m->arch->graph->nodes[p.m->arch->graph->heads[0].logits];
    const struct sn_node *single = &q.m->arch->graph->nodes[q.m->arch->graph->heads[0].logits];
    /* the same weights but for the second column */
    memcpy(q.after, p.before, (size_t)single->weight_offset[0] * sizeof *p.before);
    for (int i = 0; i < 8; i++) q.after[single->weight_offset[0] + i] = p.before[dense->weight_offset[0] + 2 * i];
    q.after[single->weight_offset[1]] = p.before[dense->weight_offset[1]];
    sn_step_free(q.step);
    ck_assert_int_eq(sn_step_create(&r.rt, &sn_comm_single, q.m, &q.stats, 60, 48, 1, &q.step), 0);
    struct sn_step_result a = stepper_run(&p, 0.5), b = stepper_run(&q, 0.5);
    ck_assert(a.loss == b.loss && a.observed == 46 && b.observed == 46 && a.norm > 0);
    for (int i = 0; i < 8; i++) {
        int64_t at = dense->weight_offset[0] + 2 * i;
        ck_assert(p.after[at] != p.before[at] || p.before[at] == q.after[single->weight_offset[0] + i]);
        ck_assert(p.after[at] == q.after[single->weight_offset[0] + i]);
        ck_assert(p.after[at + 1] == p.before[at + 1]);
    }
    ck_assert(p.after[dense->weight_offset[1] + 1] == p.before[dense->weight_offset[1] + 1]);
    stepper_close(&p);
    stepper_close(&q);
    sn_dataset_free(one);
    sn_dataset_free(two);
    rig_close(&r);
}
END_TEST

/* ---- runs
 * -------------------------------------------------------------------------------------------------------------------------------- */

/* Logits of rows with a label; how many. */
static int64_t logits_of(struct rig *r, struct sn_model *m, const struct sn_dataset *d, float label, float *logits) {
    int64_t ids[512];
    struct sn_rows rows = {.d = d, .ids = ids};
    for (int64_t i = 0; i < d->n; i++)
        if (d->targets[i] == label) ids[rows.n++] = i;
    ck_assert_int_eq(sn_score_rows(&r->rt, m, sn_fill_row, &rows, rows.n, 60, logits, NULL), 0);
    return rows.n;
}

/* At most a fraction 1 - level of the held-out negatives exceeds a quantile, and of most not much less; there are enough to count. */
static void check_negatives(struct rig *r, struct sn_model *m, const struct sn_dataset *held) {
    float logits[512];
    int64_t n = logits_of(r, m, held, 0, logits);
    ck_assert_int_ge(n, 100);
    for (int q = 0; q < m->n_quantiles; q++) {
        double above = 0, f = 1 - m->quantile_level[q];
        for (int64_t i = 0; i < n; i++) above += logits[i] > m->quantile[q];
        ck_assert_double_le(above, f * (double)n * (1 + 1e-9));
        if (f > 0.3) ck_assert_double_ge(above, 0.5 * f * (double)n - 1);
    }
}

/* With motifs among the negatives these, not the shuffles, decide. */
static void check_hard_negatives(struct rig *r, struct sn_model *m, struct sn_dataset *held) {
    struct sn_rows rows = {.d = held, .ids = sn_calloc((size_t)held->n, sizeof *rows.ids), .n = held->n};
    struct sn_calibration c;
    for (int64_t i = 0; i < held->n; i++) {
        rows.ids[i] = i;
        if (i % 8 == 1) held->targets[i] = 0;
    }
    ck_assert_int_eq(sn_calibrate(&r->rt, m, &rows, 3000, 1, &c), 0);
    ck_assert(c.n_negatives == 250 && c.n_shuffles == 3000 && isnan(c.false_calls_per_mb));
    ck_assert(strstr(c.how.s, "too few") != NULL);
    check_negatives(r, m, held);
    sn_str_free(&c.how);
    sn_rows_free(&rows);
}

/* The loss by its formula. */
static double cross_entropy(struct rig *r, struct sn_model *m, const struct sn_dataset *d) {
    float logits[512];
    double sum = 0;
    for (int label = 0; label < 2; label++) {
        int64_t n = logits_of(r, m, d, (float)label, logits);
        for (int64_t i = 0; i < n; i++) sum += log1p(exp(label ? -logits[i] : logits[i]));
    }
    return sum / (double)d->n;
}

static void check_calibration(const struct sn_model *m) {
    ck_assert_int_gt(m->n_quantiles, 20);
    for (int i = 1; i < m->n_quantiles; i++) {
        ck_assert(m->quantile_level[i] > m->quantile_level[i - 1] && m->quantile_level[i] < 1);
        ck_assert(m->quantile[i] >= m->quantile[i - 1]);
    }
}

static void check_provenance(const struct sn_model *m, const seqnet_train_result *res) {
    json_t *j = json_loads(m->provenance, 0, NULL);
    ck_assert_ptr_nonnull(j);
    ck_assert_int_eq(json_array_size(json_object_get(j, "history")), res->epochs_run);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(j, "best"), "epoch")), res->best_epoch);
    ck_assert(json_real_value(json_object_get(json_object_get(j, "best"), "val_loss")) == res->best_valid_loss);
    ck_assert_str_eq(json_string_value(json_object_get(j, "command")), "train \"x\" caf??");
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(j, "data"), "training_sequences")), res->n_train);
    const json_t *tasks = json_object_get(j, "validation_tasks"), *task = json_array_get(tasks, 0), *curve = json_object_get(task, "curve");
    ck_assert_int_eq(json_array_size(tasks), (size_t)m->n_tasks);
    ck_assert_str_eq(json_string_value(json_object_get(task, "task")), m->tasks[0]);
    ck_assert_int_eq(json_integer_value(json_object_get(task, "n")), res->n_valid);
    /* the kept epoch's weights are the ones that were measured */
    ck_assert(json_real_value(json_object_get(task, "auroc")) == json_real_value(json_object_get(json_object_get(j, "best"), "val_auroc")));
    const json_t *last = json_array_get(curve, json_array_size(curve) - 1);
    int64_t tp = json_integer_value(json_array_get(last, 0)), fp = json_integer_value(json_array_get(last, 1));
    ck_assert(tp == json_integer_value(json_object_get(task, "positives")) && tp + fp == res->n_valid);
    json_decref(j);
}

static int lines_of(const char *path, char *first, size_t size) {
    char line[512];
    int n = 0;
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f))
        if (n++ == 0) snprintf(first, size, "%s", line);
    fclose(f);
    return n;
}

START_TEST(learns_a_motif) {
    struct rig r;
    struct sn_model *m, *kept;
    seqnet_train_result res;
    struct sn_validation v;
    char table[] = "/tmp/seqnet_log_XXXXXX", checkpoint[] = "/tmp/seqnet_best_XXXXXX", header[512], a[9], b[9];
    struct sn_dataset *d = planted(800, 60, 60, 1), *test = planted(300, 60, 60, 99), *held = planted(400, 60, 60, 7);
    close(mkstemp(table));
    close(mkstemp(checkpoint));
    rig_open(&r, 2);
    seqnet_train_options o = options();
    o.log = table;
    o.checkpoint = checkpoint;
    o.command = "train \"x\" caf\xe9\xe8";
    int rc = train(&r, NET_60, d, held, &o, &m, &res);
    ck_assert_msg(rc == 0, "%s", seqnet_errmsg());
    evaluate(&r, m, test, &v);
    const char *name;
    ck_assert_double_gt(sn_headline(m->kind, &v, &name), 0.95);
    ck_assert_str_eq(name, "auroc");
    ck_assert_double_eq_tol(res.expected_loss, log(2), 1e-6);
    ck_assert_double_eq_tol(res.initial_loss, log(2), 0.1);
    ck_assert(res.epochs_run == 8 && res.steps == 8 * 25 && res.n_train == 800 && res.n_valid == 400);
    evaluate(&r, m, held, &v);
    ck_assert(v.loss == res.best_valid_loss);
    ck_assert_int_eq(lines_of(table, header, sizeof header), 1 + res.epochs_run);
    ck_assert_int_eq(strncmp(header, "epoch\tstep\tlearning_rate\ttrain_loss\tval_loss\tval_auroc\t", 55), 0);
    check_calibration(m);
    check_negatives(&r, m, held);
    ck_assert_double_eq_tol(cross_entropy(&r, m, held), res.best_valid_loss, 1e-6);
    ck_assert_int_eq(m->data_length, 60);
    check_provenance(m, &res);
    ck_assert_int_eq(sn_model_read(checkpoint, &kept), 0);
    evaluate(&r, kept, held, &v);
    ck_assert(v.loss == res.best_valid_loss);
    ck_assert_int_eq(sn_model_digest(m, a), 0);
    ck_assert_int_eq(sn_model_digest(kept, b), 0);
    ck_assert_str_ne(a, b); /* the checkpoint is not calibrated */
    ck_assert_int_eq(memcmp(m->params, kept->params, (size_t)m->arch->graph->n_params * sizeof *m->params), 0);
    check_hard_negatives(&r, m, held);
    sn_model_unref(m);
    sn_model_unref(kept);
    sn_dataset_free(d);
    sn_dataset_free(test);
    sn_dataset_free(held);
    unlink(table);
    unlink(checkpoint);
    rig_close(&r);
}
END_TEST

#define NET_DEEP                                                                                                                           \
    "name: deep\ninput: {length: variable, strand: average}\nlayers:\n"                                                                    \
    "  - conv1d: {filters: 8, kernel_size: 9, padding: same, activation: relu}\n  - max_pooling1d: {pool_size: 4, strides: 4}\n"           \
    "  - dropout: {rate: 0.2}\n  - batch_normalization: {}\n  - lstm: {units: 6, bidirectional: true}\n"                                   \
    "  - dense: {units: 8, activation: relu, kernel_regularizer: {l2: 0.001}}\n  - dense: {units: tasks, activation: auto}\n"              \
    "training: {batch_size: 30, epochs: 2, min_steps: 0, augmentation: {reverse_complement: true, shift: 3}, clipnorm: 1}\n"

START_TEST(same_bits_on_any_number_of_threads) {
    char first[9] = "", digest[9];
    struct sn_dataset *d = planted(200, 40, 60, 1);
    seqnet_train_options o = options();
    for (int threads = 1; threads <= 3; threads++) {
        struct rig r;
        struct sn_model *m;
        rig_open(&r, threads);
        int rc = train(&r, NET_DEEP, d, NULL, &o, &m, NULL);
        ck_assert_msg(rc == 0, "%s", seqnet_errmsg());
        ck_assert_int_eq(sn_model_digest(m, digest), 0);
        if (threads == 1) memcpy(first, digest, sizeof first);
        ck_assert_str_eq(first, digest);
        sn_model_unref(m);
        rig_close(&r);
    }
    struct rig r;
    struct sn_model *m;
    rig_open(&r, 2);
    o.seed = 2;
    ck_assert_int_eq(train(&r, NET_DEEP, d, NULL, &o, &m, NULL), 0);
    ck_assert_int_eq(sn_model_digest(m, digest), 0);
    ck_assert_str_ne(first, digest);
    sn_model_unref(m);
    rig_close(&r);
    sn_dataset_free(d);
}
END_TEST

/* The first epoch's only step has learning rate 0; the next ones leave the numbers. */
START_TEST(stops_when_not_finite) {
    struct rig r;
    struct sn_model *m;
    seqnet_train_result res;
    struct sn_dataset *d = planted(60, 60, 60, 1);
    d->kind = SN_TASK_NUMBER;
    for (int64_t i = 0; i < d->n; i++) d->targets[i] = (float)(i % 7) * 1e17f;
    seqnet_train_options o = options();
    rig_open(&r, 1);
    o.batch_size = 60;
    o.learning_rate = 1000;
    int rc = train(&r,
                   NET("length: 60", "units: tasks, activation: auto",
                       "epochs: 9, optimizer: sgd, standardize: false, learning_rate_schedule: {one_cycle: {start_fraction: 0}}"),
                   d, NULL, &o, &m, &res);
    expect_error(rc, SEQNET_ENUM, "epoch ");
    ck_assert_msg(strstr(seqnet_errmsg(), "layer conv1d") || strstr(seqnet_errmsg(), "layer dense"), "%s", seqnet_errmsg());
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(res.best_epoch, 1);
    for (int64_t i = 0; i < m->arch->graph->n_params; i++) ck_assert(isfinite(m->params[i]));
    sn_model_unref(m);
    o.batch_size = 16;
    rc = train(&r, NET("length: 60", "units: tasks, activation: auto", "epochs: 9, standardize: false, optimizer: sgd"), d, NULL, &o, &m,
               &res);
    expect_error(rc, SEQNET_ENUM, "the loss is");
    ck_assert((res.best_epoch > 0) == (m != NULL));
    sn_model_unref(m);
    o.learning_rate = 1e30;
    expect_error(train(&r, NET_60, d, NULL, &o, &m, &res), SEQNET_EARCH, "training options: optimizer.adam.learning_rate");
    sn_dataset_free(d);
    rig_close(&r);
}
END_TEST

START_TEST(early_stopping) {
    struct rig r;
    struct sn_model *m;
    seqnet_train_result res;
    struct sn_dataset *d = planted(100, 60, 60, 1);
    seqnet_train_options o = options();
    rig_open(&r, 1);
    o.learning_rate = 1e-9;
    int rc = train(&r, NET("length: 60", "units: tasks, activation: auto", "epochs: 50, early_stopping: {patience: 3, min_delta: 0.01}"), d,
                   NULL, &o, &m, &res);
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(res.epochs_run, 4);
    sn_model_unref(m);
    o.patience = 0;
    o.epochs = 6;
    rc = train(&r, NET("length: 60", "units: tasks, activation: auto", "epochs: 50, early_stopping: {patience: 3, min_delta: 0.01}"), d,
               NULL, &o, &m, &res);
    ck_assert(rc == 0 && res.epochs_run == 6);
    sn_model_unref(m);
    sn_dataset_free(d);
    rig_close(&r);
}
END_TEST

/* Labels without meaning: a rate this high overfits at once, so the best epoch is not the last. */
START_TEST(best_epoch_kept) {
    struct rig r;
    struct sn_model *m;
    seqnet_train_result res;
    struct sn_validation v;
    struct sn_dataset *d = dataset_of(SN_TASK_BINARY, 1), *held = dataset_of(SN_TASK_BINARY, 1);
    struct sn_stream s;
    sn_stream_init(&s, 5, 0, 0);
    for (int i = 0; i < 128; i++) add_sequence(d, &s, 60, 0, &(float){i % 2});
    for (int i = 0; i < 64; i++) add_sequence(held, &s, 60, 0, &(float){i % 2});
    rig_open(&r, 1);
    seqnet_train_options o = options();
    o.epochs = 12;
    ck_assert_int_eq(
        train(&r, NET("length: 60", "units: tasks, activation: auto", "optimizer: {adam: {learning_rate: 0.02}}"), d, held, &o, &m, &res),
        0);
    ck_assert(res.epochs_run == 12 && res.best_epoch < 12);
    evaluate(&r, m, held, &v);
    ck_assert(v.loss == res.best_valid_loss);
    sn_model_unref(m);
    sn_dataset_free(d);
    sn_dataset_free(held);
    rig_close(&r);
}
END_TEST

START_TEST(cancelled) {
    struct rig r;
    struct sn_model *m;
    seqnet_train_result res;
    struct sn_dataset *d = planted(100, 60, 60, 1);
    seqnet_train_options o = options();
    rig_open(&r, 1);
    r.cancel_after = 2;
    expect_error(train(&r, NET_60, d, NULL, &o, &m, &res), SEQNET_ECANCELED, "");
    ck_assert(m == NULL && res.best_epoch == 0);
    r.asked = 0;
    r.cancel_after = 20;
    expect_error(train(&r, NET_60, d, NULL, &o, &m, &res), SEQNET_ECANCELED, "");
    ck_assert(m != NULL && res.best_epoch > 0 && res.epochs_run < 8);
    sn_model_unref(m);
    sn_dataset_free(d);
    rig_close(&r);
}
END_TEST

START_TEST(unwritable_outputs) {
    struct rig r;
    struct sn_model *m;
    struct sn_dataset *d = planted(100, 60, 60, 1);
    seqnet_train_options o = options();
    struct sn_trainer *t;
    rig_open(&r, 1);
    o.log = "/nowhere/train.tsv";
    expect_error(sn_trainer_create(&r.rt, arch_of(NET_60), d, NULL, &o, &t), SEQNET_EIO, "/nowhere/train.tsv");
    o.log = NULL;
    o.checkpoint = "/nowhere/best.seqnet";
    expect_error(sn_trainer_create(&r.rt, arch_of(NET_60), d, NULL, &o, &t), SEQNET_EIO, "/nowhere/best.seqnet");
    o.checkpoint = NULL;
    o.log = "/dev/full";
    expect_error(train(&r, NET_60, d, NULL, &o, &m, NULL), SEQNET_EIO, "/dev/full: cannot write");
    sn_model_unref(m);
    sn_dataset_free(d);
    rig_close(&r);
}
END_TEST

START_TEST(classes) {
    struct rig r;
    struct sn_model *m;
    struct sn_validation v;
    seqnet_train_result res;
    const char *name;
    struct sn_dataset *d = dataset_of(SN_TASK_CLASSES, 3);
    struct sn_stream s;
    sn_stream_init(&s, 5, 0, 0);
    for (int i = 0; i < 900; i++) {
        float one_hot[3] = {i % 3 == 0, i % 3 == 1, i % 3 == 2};
        add_sequence(d, &s, 60, 1 + i % 3, one_hot);
    }
    rig_open(&r, 2);
    seqnet_train_options o = options();
    o.class_weight = "balanced";
    int rc = train(&r, NET_60, d, NULL, &o, &m, &res);
    ck_assert_msg(rc == 0, "%s", seqnet_errmsg());
    ck_assert_double_eq_tol(res.expected_loss, log(3), 1e-6);
    evaluate(&r, m, d, &v);
    ck_assert_double_gt(sn_headline(m->kind, &v, &name), 0.9);
    check_calibration(m);
    sn_model_unref(m);
    sn_dataset_free(d);
    rig_close(&r);
}
END_TEST

START_TEST(numbers) {
    struct rig r;
    struct sn_model *m;
    struct sn_validation v;
    seqnet_train_result res;
    const char *name;
    struct sn_dataset *d = dataset_of(SN_TASK_NUMBER, 2);
    struct sn_stream s;
    sn_stream_init(&s, 5, 0, 0);
    for (int i = 0; i < 600; i++) {
        float targets[2] = {0, i % 5 ? (float)(100 + i % 2) : NAN};
        int gc = add_sequence(d, &s, 60, i % 2, targets);
        d->targets[2 * i] = 1000.0f + 50.0f * (float)gc;
    }
    rig_open(&r, 2);
    seqnet_train_options o = options();
    o.epochs = 20;
    int rc = train(&r,
                   "name: gc\ninput: {length: data}\nlayers:\n  - conv1d: {filters: 8, kernel_size: 7, activation: relu}\n"
                   "  - global_average_pooling1d: {name: mean, inputs: conv1d}\n  - global_max_pooling1d: {name: top, inputs: conv1d}\n"
                   "  - concatenate: {inputs: [mean, top]}\n  - dense: {units: tasks, activation: auto}\n"
                   "training: {batch_size: 32, optimizer: {adam: {learning_rate: 0.02}}}\n",
                   d, NULL, &o, &m, &res);
    ck_assert_msg(rc == 0, "%s", seqnet_errmsg());
    ck_assert_double_eq_tol(res.expected_loss, 1, 1e-9);
    ck_assert_float_eq_tol(m->target_mean[1], 100.5f, 0.1f);
    evaluate(&r, m, d, &v);
    ck_assert_double_gt(sn_headline(m->kind, &v, &name), 0.9);
    ck_assert_int_eq(m->n_quantiles, 0);
    ck_assert(isnan(res.false_calls_per_mb));
    sn_model_unref(m);
    sn_dataset_free(d);
    rig_close(&r);
}
END_TEST

/* Two heads with weights: losses add up, each over its own tasks. */
START_TEST(two_heads) {
    struct rig r;
    struct sn_model *m;
    seqnet_train_result res;
    struct sn_dataset *d = dataset_of(SN_TASK_BINARY, 2);
    struct sn_stream s;
    sn_stream_init(&s, 5, 0, 0);
    for (int i = 0; i < 200; i++) add_sequence(d, &s, 60, i % 2, (float[]){i % 2, i % 4 == 0});
    rig_open(&r, 1);
    seqnet_train_options o = options();
    int rc = train(&r,
                   "name: heads\ninput: {length: 60}\nlayers:\n  - conv1d: {filters: 8, kernel_size: 9, activation: relu}\n"
                   "  - global_max_pooling1d: {name: top}\n  - dense: {name: one, units: 1, activation: sigmoid, inputs: top}\n"
                   "  - dense: {name: two, units: 1, activation: sigmoid, inputs: top}\n"
                   "heads:\n  - {name: a, layer: one, weight: 1}\n  - {name: b, layer: two, weight: 0.5}\n"
                   "training: {epochs: 2}\n",
                   d, d, &o, &m, &res);
    ck_assert_msg(rc == 0, "%s", seqnet_errmsg());
    ck_assert_double_eq_tol(res.expected_loss, log(2) - 0.5 * (0.25 * log(0.25) + 0.75 * log(0.75)), 1e-5);
    ck_assert_double_eq_tol(res.initial_loss, res.expected_loss, 0.2);
    sn_model_unref(m);
    sn_dataset_free(d);
    rig_close(&r);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("train");
    TCase *parts = tcase_create("parts"), *runs = tcase_create("runs");
    tcase_add_test(parts, metrics_goldens);
    tcase_add_test(parts, metrics_ignore_order);
    tcase_add_test(parts, roc_points);
    tcase_add_test(parts, schedules);
    tcase_add_test(parts, class_weights);
    tcase_add_test(parts, label_checks);
    tcase_add_test(parts, row_lengths);
    tcase_add_test(parts, regularizers_and_clipping);
    tcase_add_test(parts, missing_labels);
    tcase_set_timeout(runs, 100);
    tcase_add_test(runs, learns_a_motif);
    tcase_add_test(runs, same_bits_on_any_number_of_threads);
    tcase_add_test(runs, stops_when_not_finite);
    tcase_add_test(runs, early_stopping);
    tcase_add_test(runs, best_epoch_kept);
    tcase_add_test(runs, cancelled);
    tcase_add_test(runs, unwritable_outputs);
    tcase_add_test(runs, classes);
    tcase_add_test(runs, numbers);
    tcase_add_test(runs, two_heads);
    suite_add_tcase(suite, parts);
    suite_add_tcase(suite, runs);
    return unit_run(suite);
}
