/* Scores of held-out rows, their loss and metrics. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "train/loss.h"
#include "train/parts.h"

#define LOSS_ROWS 256
#define TILES_BETWEEN_CHECKS 8 /* per worker */
#define CURVE_BUDGET 8192      /* points of all tasks' curves, */
#define CURVE_MOST 200         /* at most so many of a task */
#define CURVE_LEAST 16         /* and no fewer than these */

int64_t sn_rows_longest(const struct sn_rows *r) {
    int64_t most = 0;
    for (int64_t i = 0; i < r->n; i++) {
        int64_t len = sn_dataset_len(r->d, r->ids[i]);
        if (len > most) most = len;
    }
    return most;
}

int sn_fill_row(const void *arg, int64_t i, int64_t width, uint8_t *out) {
    const struct sn_rows *r = arg;
    int64_t len = sn_dataset_len(r->d, r->ids[i]);
    sn_dataset_row(r->d, r->ids[i], NULL, 0, width ? width : len, out);
    return (int)(width ? width : len);
}

/* ---- scoring ---------------------------------------------------------------------------------------------------------------------------
 */

struct scoring {
    struct sn_scorer *scorer;
    sn_fill_fn fill;
    const void *arg;
    int64_t n, width, row, first; /* width: fixed length or 0; row: codes from row to row; first: row of tile 0 */
    int rows, tasks;
    uint8_t *codes; /* (workers, rows, row) */
    int32_t *len;   /* (workers, rows) */
    float *logits;
};

static int score_tile(void *arg, int tile, int worker) {
    struct scoring *c = arg;
    int64_t from = c->first + (int64_t)tile * c->rows, left = c->n - from;
    int n = left < c->rows ? (int)left : c->rows;
    uint8_t *codes = c->codes + (int64_t)worker * c->rows * c->row;
    int32_t *len = c->len + (int64_t)worker * c->rows;
    for (int i = 0; i < n; i++) {
        int got = c->fill(c->arg, from + i, c->width, codes + i * c->row);
        if (got < 0) return got;
        len[i] = got;
    }
    return sn_scorer_run(c->scorer, worker, n, codes, c->row, len, c->logits + from * c->tasks);
}

static int score_all(struct scoring *c, const struct sn_runtime *rt) {
    int64_t group = (int64_t)c->rows * sn_pool_size(rt->pool) * TILES_BETWEEN_CHECKS;
    for (c->first = 0; c->first < c->n; c->first += group) {
        int64_t rows = c->n - c->first < group ? c->n - c->first : group;
        SN_TRY(sn_check_cancel(rt->sink));
        SN_TRY(sn_pool_run(rt->pool, (int)((rows + c->rows - 1) / c->rows), sn_pool_size(rt->pool), score_tile, c));
    }
    return 0;
}

int sn_score_rows(const struct sn_runtime *rt, struct sn_model *m, sn_fill_fn fill, const void *arg, int64_t n, int64_t longest,
                  float *logits, float *scores) {
    struct scoring c = {.fill = fill, .arg = arg, .n = n, .tasks = m->n_tasks, .logits = logits};
    size_t workers = (size_t)sn_pool_size(rt->pool), rows;
    int rc = 0;
    c.width = m->arch->length > 0 ? m->arch->length : 0;
    c.row = c.width ? c.width : longest;
    SN_GO(sn_scorer_create(
        &m, 1, &(struct sn_scorer_options){.max_len = c.row, .workers = (int)workers, .strand = -1, .backend = rt->backend}, &c.scorer));
    c.rows = sn_scorer_rows(c.scorer);
    rows = workers * (size_t)c.rows;
    c.codes = sn_calloc(rows, (size_t)c.row);
    c.len = sn_calloc(rows, sizeof *c.len);
    if (!c.codes || !c.len) SN_GO(SEQNET_ENOMEM);
    SN_GO(score_all(&c, rt));
    if (scores) {
        memcpy(scores, logits, (size_t)n * (size_t)c.tasks * sizeof *scores);
        SN_GO(sn_scorer_finish(c.scorer, (int)n, scores));
    }
done:
    sn_scorer_free(c.scorer);
    free(c.codes);
    free(c.len);
    return rc;
}

/* ---- metrics ---------------------------------------------------------------------------------------------------------------------------
 */

static float *gather_targets(const struct sn_rows *rows) {
    const struct sn_dataset *d = rows->d;
    float *targets = sn_calloc((size_t)rows->n * (size_t)d->n_tasks, sizeof *targets);
    for (int64_t i = 0; targets && i < rows->n; i++)
        memcpy(targets + i * d->n_tasks, d->targets + rows->ids[i] * d->n_tasks, (size_t)d->n_tasks * sizeof *targets);
    return targets;
}

/* All metrics of the rows; to be freed. */
static int measure(struct sn_model *m, const struct sn_rows *rows, const float *scores, const float *targets, seqnet_metric **out, int *n) {
    int cap = SN_METRICS_KEPT * (m->n_tasks + 1);
    *out = sn_calloc((size_t)cap, sizeof **out);
    if (!*out) return SEQNET_ENOMEM;
    *n = sn_metrics(m->kind, scores, targets, rows->n, m->n_tasks, *out, cap);
    return *n < 0 ? *n : 0;
}

static int measure_means(struct sn_model *m, const struct sn_rows *rows, const float *scores, struct sn_validation *out) {
    float *targets = gather_targets(rows);
    seqnet_metric *all = NULL;
    int n = 0, rc = targets ? 0 : SEQNET_ENOMEM;
    if (rc == 0) rc = measure(m, rows, scores, targets, &all, &n);
    out->n_metrics = 0;
    for (int i = 0; rc == 0 && i < n; i++)
        if (all[i].task < 0 && strcmp(all[i].name, "n") != 0 && strcmp(all[i].name, "base_rate") != 0) out->mean[out->n_metrics++] = all[i];
    free(targets);
    free(all);
    return rc;
}

/* Logits and scores of rows. */
static int score(const struct sn_runtime *rt, struct sn_model *m, const struct sn_rows *rows, float **logits, float **scores) {
    size_t cells = (size_t)rows->n * (size_t)m->n_tasks;
    *logits = sn_calloc(cells, sizeof **logits);
    *scores = sn_calloc(cells, sizeof **scores);
    if (!*logits || !*scores) return SEQNET_ENOMEM;
    return sn_score_rows(rt, m, sn_fill_row, rows, rows->n, sn_rows_longest(rows), *logits, *scores);
}

int sn_validate(const struct sn_runtime *rt, struct sn_model *m, const struct sn_label_stats *labels, const struct sn_rows *rows,
                struct sn_validation *out) {
    float *logits = NULL, *scores = NULL;
    int rc = 0;
    *out = (struct sn_validation){0};
    SN_GO(score(rt, m, rows, &logits, &scores));
    SN_GO(sn_mean_loss(m, logits, rows->d->targets, rows->ids, rows->n, labels->cw, &out->loss));
    SN_GO(measure_means(m, rows, scores, out));
done:
    free(logits);
    free(scores);
    return rc;
}

/* ---- figures of each task ---- */

static int points_of_task(const struct sn_model *m) {
    int most = CURVE_BUDGET / m->n_tasks;
    return most > CURVE_MOST ? CURVE_MOST : most < CURVE_LEAST ? CURVE_LEAST : most;
}

static int task_points(const struct sn_model *m, const struct sn_rows *rows, const float *scores, const float *targets, int task,
                       struct sn_task_figures *f) {
    int most = points_of_task(m), n;
    f->points = sn_calloc((size_t)most, sizeof *f->points);
    if (!f->points) return SEQNET_ENOMEM;
    SN_TRY(n = sn_roc_points(scores + task, targets + task, rows->n, m->n_tasks, most, f->points, &f->n, &f->positives));
    f->n_points = n;
    return 0;
}

static int fill_figures(struct sn_model *m, const struct sn_rows *rows, const float *scores, const float *targets,
                        struct sn_task_figures *f) {
    seqnet_metric *all = NULL;
    int n = 0, rc = measure(m, rows, scores, targets, &all, &n);
    for (int t = 0; rc == 0 && t < m->n_tasks; t++) {
        f[t].positives = -1;
        if (m->kind != SN_TASK_NUMBER) rc = task_points(m, rows, scores, targets, t, &f[t]);
    }
    for (int i = 0; rc == 0 && i < n; i++) {
        struct sn_task_figures *k = all[i].task < 0 ? NULL : &f[all[i].task];
        if (k && strcmp(all[i].name, "n") == 0) k->n = (int64_t)all[i].value;
        if (k && k->n_metrics < SN_METRICS_KEPT && strcmp(all[i].name, "n") != 0) k->metrics[k->n_metrics++] = all[i];
    }
    free(all);
    return rc;
}

int sn_task_figures_make(const struct sn_runtime *rt, struct sn_model *m, const struct sn_rows *rows, struct sn_task_figures **out) {
    float *logits = NULL, *scores = NULL, *targets = NULL;
    int rc = 0;
    *out = sn_calloc((size_t)m->n_tasks, sizeof **out);
    targets = gather_targets(rows);
    if (!*out || !targets) SN_GO(SEQNET_ENOMEM);
    SN_GO(score(rt, m, rows, &logits, &scores));
    SN_GO(fill_figures(m, rows, scores, targets, *out));
done:
    free(logits);
    free(scores);
    free(targets);
    return rc;
}

void sn_task_figures_free(struct sn_task_figures *f, int n_tasks) {
    for (int t = 0; f && t < n_tasks; t++) free(f[t].points);
    free(f);
}

double sn_headline(enum sn_task_kind kind, const struct sn_validation *v, const char **name) {
    *name = kind == SN_TASK_NUMBER ? "pearson" : kind == SN_TASK_CLASSES ? "accuracy" : "auroc";
    for (int i = 0; i < v->n_metrics; i++)
        if (strcmp(v->mean[i].name, *name) == 0) return v->mean[i].value;
    return NAN;
}
