/* What the model files know of their training: cards, curves by epoch, figures on the held-out sequences. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/report_parts.h"
#include "core/parse.h"

#define NAMES_SHOWN 8
#define MOST_METRICS 8

/* ---- values of the provenance: whatever is missing or of another kind is unknown ---- */

static const char *text_of(const json_t *o, const char *key) {
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static double number_of(const json_t *o, const char *key) {
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static int64_t count_of(const json_t *o, const char *key) {
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : -1;
}

/* "1 234" or "" */
static const char *count_text(struct sn_gather *g, int64_t n) {
    return n < 0 ? "" : sn_gather_count(g, n);
}

/* ---- cards ---- */

static const char *input_text(struct sn_gather *g, const struct sn_model *m) {
    static const char *const strands[] = {"forward strand only", "both strands, averaged", "both strands, the larger"};
    const struct sn_arch *a = m->arch;
    long long n = (long long)(a->length > 0 ? a->length : a->graph->min_len);
    return sn_gather_text(g, "%s, %lld %s%s; %s", a->alphabet->name, n, n == 1 ? "letter" : "letters", a->length > 0 ? "" : " or more",
                          strands[a->strand]);
}

static const char *task_names(struct sn_gather *g, const struct sn_model *m) {
    struct sn_str s = {0};
    int rc = 0;
    for (int i = 0; rc == 0 && i < m->n_tasks && i < NAMES_SHOWN; i++) rc = sn_str_printf(&s, "%s%s", i ? ", " : "", m->tasks[i]);
    if (rc == 0 && m->n_tasks > NAMES_SHOWN) rc = sn_str_printf(&s, " and %d more", m->n_tasks - NAMES_SHOWN);
    const char *text = rc == 0 ? sn_gather_text(g, "%s", s.s ? s.s : "") : NULL;
    sn_str_free(&s);
    return text;
}

static int model_card(struct sn_gather *g, const struct sn_model *m, const json_t *p, int i) {
    struct sn_gather_card c;
    char digest[9];
    SN_TRY(sn_model_digest(m, digest));
    const char *title = g->in->n_models > 1 ? sn_gather_text(g, "Model %d of %d", i + 1, g->in->n_models) : "Model";
    if (!title) return SEQNET_ENOMEM;
    SN_TRY(sn_gather_card(g, title, 12, &c));
    SN_TRY(sn_gather_fact(&c, "Architecture", m->arch->name));
    SN_TRY(sn_gather_fact(&c, "File", m->path ? m->path : ""));
    SN_TRY(sn_gather_fact(&c, "Digest", sn_gather_text(g, "%s", digest)));
    SN_TRY(sn_gather_fact(&c, "Input", input_text(g, m)));
    SN_TRY(sn_gather_fact(&c, "Receptive field", sn_gather_count(g, m->arch->graph->receptive)));
    SN_TRY(sn_gather_fact(&c, "Weights", sn_gather_count(g, m->arch->graph->n_params)));
    SN_TRY(sn_gather_fact(&c, m->kind == SN_TASK_CLASSES ? "Classes" : "Tasks", task_names(g, m)));
    SN_TRY(sn_gather_fact(&c, "Trained by", sn_gather_text(g, "%s", text_of(p, "command"))));
    SN_TRY(sn_gather_fact(&c, "Version", sn_gather_text(g, "%s", text_of(p, "version"))));
    sn_gather_card_end(&c);
    return 0;
}

static int training_card(struct sn_gather *g, const json_t *p, int i) {
    const json_t *d = json_object_get(p, "data"), *best = json_object_get(p, "best");
    struct sn_gather_card c;
    char number[32];
    if (!json_is_object(d)) return 0;
    const char *title = g->in->n_models > 1 ? sn_gather_text(g, "Training of model %d", i + 1) : "Training data";
    if (!title) return SEQNET_ENOMEM;
    SN_TRY(sn_gather_card(g, title, 12, &c));
    SN_TRY(sn_gather_fact(&c, "Sequences", count_text(g, count_of(d, "training_sequences"))));
    SN_TRY(sn_gather_fact(&c, "Longest", count_text(g, count_of(d, "longest_sequence"))));
    SN_TRY(sn_gather_fact(&c, "CRC-32C", sn_gather_text(g, "%s", text_of(d, "crc32c"))));
    SN_TRY(sn_gather_fact(&c, "Held out", count_text(g, count_of(d, "validation_sequences"))));
    SN_TRY(sn_gather_fact(&c, "Held out by", sn_gather_text(g, "%s", text_of(d, "validation"))));
    SN_TRY(sn_gather_fact(&c, "Started", sn_gather_text(g, "%s", text_of(p, "started"))));
    double seconds = number_of(p, "seconds");
    if (isfinite(seconds)) SN_TRY(sn_gather_fact(&c, "Took", sn_gather_text(g, "%s s", sn_format_digits(seconds, 3, number))));
    SN_TRY(sn_gather_fact(&c, "Threads", count_text(g, count_of(p, "threads"))));
    if (count_of(p, "seed") >= 0) SN_TRY(sn_gather_fact(&c, "Seed", sn_gather_text(g, "%lld", (long long)count_of(p, "seed"))));
    SN_TRY(sn_gather_fact(&c, "Best epoch", count_text(g, count_of(best, "epoch"))));
    sn_gather_card_end(&c);
    return 0;
}

/* ---- curves by epoch ---- */

/* The column `key` of all epochs; *any: a value is there. */
static const double *column_of(struct sn_gather *g, const json_t *history, const char *key, bool *any) {
    size_t n = json_array_size(history);
    double *v = sn_gather_block(g, n, sizeof *v);
    *any = false;
    for (size_t i = 0; v && i < n; i++) {
        v[i] = number_of(json_array_get(history, i), key);
        *any = *any || isfinite(v[i]);
    }
    return v;
}

static const char *metric_name(struct sn_gather *g, const char *name) {
    if (strcmp(name, "auroc") == 0) return "auROC";
    if (strcmp(name, "auprc") == 0) return "auPR";
    return sn_gather_text(g, "%s", name);
}

static int add_series(struct sn_gather *g, const json_t *history, const char *key, const char *name, struct sn_report_series *out, int *n) {
    bool any;
    const double *v = column_of(g, history, key, &any);
    if (!v || !name) return SEQNET_ENOMEM;
    if (any) out[(*n)++] = (struct sn_report_series){name, v};
    return 0;
}

static int add_training(struct sn_gather *g, const json_t *p, int i, struct sn_report_training *t) {
    const json_t *history = json_object_get(p, "history"), *first = json_array_get(history, 0);
    struct sn_report_series *losses = sn_gather_block(g, 2, sizeof *losses), *metrics = sn_gather_block(g, MOST_METRICS, sizeof *metrics);
    bool any;
    const char *key;
    json_t *value;
    if (!losses || !metrics) return SEQNET_ENOMEM;
    *t = (struct sn_report_training){.losses = losses, .metrics = metrics, .best = number_of(json_object_get(p, "best"), "epoch")};
    t->n_epochs = (int)json_array_size(history);
    if (!(t->epoch = column_of(g, history, "epoch", &any))) return SEQNET_ENOMEM;
    if (!any) t->n_epochs = 0; /* nothing to stand on the axis */
    if (g->in->n_models > 1 && !(t->name = sn_gather_text(g, "Model %d", i + 1))) return SEQNET_ENOMEM;
    SN_TRY(add_series(g, history, "train_loss", "training", losses, &t->n_losses));
    SN_TRY(add_series(g, history, "val_loss", "validation", losses, &t->n_losses));
    json_object_foreach((json_t *)first, key, value) {
        if (strncmp(key, "val_", 4) != 0 || strcmp(key, "val_loss") == 0 || t->n_metrics == MOST_METRICS) continue;
        SN_TRY(add_series(g, history, key, metric_name(g, key + 4), metrics, &t->n_metrics));
    }
    return 0;
}

/* ---- figures on the held-out sequences ---- */

/* Points that are no curve of so many sequences are left out. */
static int add_points(struct sn_gather *g, const json_t *curve, struct sn_report_task *t) {
    size_t n = json_array_size(curve);
    int64_t *tp = sn_gather_block(g, n, sizeof *tp), *fp = sn_gather_block(g, n, sizeof *fp), old_tp = 0, old_fp = 0;
    if (!tp || !fp) return SEQNET_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(curve, i);
        tp[i] = (int64_t)json_integer_value(json_array_get(pair, 0));
        fp[i] = (int64_t)json_integer_value(json_array_get(pair, 1));
        if (tp[i] < old_tp || fp[i] < old_fp || tp[i] + fp[i] == 0 || tp[i] > t->positives || fp[i] > t->n - t->positives) return 0;
        old_tp = tp[i], old_fp = fp[i];
    }
    t->tp = tp;
    t->fp = fp;
    t->n_points = (int)n;
    return 0;
}

static int add_task(struct sn_gather *g, const json_t *o, struct sn_report_task *t) {
    *t = (struct sn_report_task){.name = sn_gather_text(g, "%s", text_of(o, "task")),
                                 .n = count_of(o, "n"),
                                 .positives = count_of(o, "positives"),
                                 .auroc = number_of(o, "auroc"),
                                 .auprc = number_of(o, "auprc"),
                                 .accuracy = number_of(o, "accuracy"),
                                 .pearson = number_of(o, "pearson"),
                                 .spearman = number_of(o, "spearman")};
    if (!t->name) return SEQNET_ENOMEM;
    if (t->n < 0 || t->n > (int64_t)1 << 52) t->n = 0;
    if (t->positives > t->n) t->positives = -1;
    return t->positives >= 0 ? add_points(g, json_object_get(o, "curve"), t) : 0;
}

static int add_evaluation(struct sn_gather *g, const json_t *p, int i) {
    const json_t *list = json_object_get(p, "validation_tasks");
    size_t n = json_array_size(list);
    if (n == 0) return 0;
    struct sn_report_task *tasks = sn_gather_block(g, n, sizeof *tasks);
    if (!tasks) return SEQNET_ENOMEM;
    for (size_t k = 0; k < n; k++) SN_TRY(add_task(g, json_array_get(list, k), &tasks[k]));
    const char *title = g->in->n_models > 1 ? sn_gather_text(g, "Held-out sequences, model %d", i + 1) : "Held-out sequences";
    if (!title) return SEQNET_ENOMEM;
    g->evaluations[g->n_evaluations++] = (struct sn_report_evaluation){
        .title = title, .note = "Kept out of the training; scores of the epoch whose weights were kept.", .tasks = tasks, .n = (int)n};
    return 0;
}

/* ---- all of it ---- */

static int add_model(struct sn_gather *g, const struct sn_model *m, const json_t *p, int i, struct sn_report_training *t) {
    SN_TRY(model_card(g, m, p, i));
    SN_TRY(training_card(g, p, i));
    SN_TRY(add_training(g, p, i, t));
    return add_evaluation(g, p, i);
}

int sn_gather_models(struct sn_gather *g) {
    int n = g->in->n_models < SN_GATHER_MODELS ? g->in->n_models : SN_GATHER_MODELS, rc = 0;
    struct sn_report_training *t = sn_gather_block(g, (size_t)n, sizeof *t);
    if (!t) return SEQNET_ENOMEM;
    for (int i = 0; i < n && rc == 0; i++) {
        const struct sn_model *m = g->in->models[i];
        json_t *p = m->provenance ? json_loads(m->provenance, 0, NULL) : NULL;
        rc = add_model(g, m, p, i, &t[i]);
        json_decref(p);
    }
    g->r.trainings = t;
    g->r.n_trainings = n;
    return rc;
}
