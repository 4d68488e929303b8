/* Scores of held-out rows, their loss and metrics. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "train/loss.h"
#include "train/parts.h"

#define LOSS_ROWS 256
#define TILES_BETWEEN_CHECKS 8 /* per worker */

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

static int measure(struct sn_model *m, const struct sn_rows *rows, const float *scores, struct sn_validation *out) {
    const struct sn_dataset *d = rows->d;
    size_t cells = (size_t)rows->n * (size_t)d->n_tasks;
    int cap = SN_METRICS_KEPT * (d->n_tasks + 1), n, rc = 0;
    float *targets = sn_calloc(cells, sizeof *targets);
    seqnet_metric *all = sn_calloc((size_t)cap, sizeof *all);
    if (!targets || !all) SN_GO(SEQNET_ENOMEM);
    for (int64_t i = 0; i < rows->n; i++)
        memcpy(targets + i * d->n_tasks, d->targets + rows->ids[i] * d->n_tasks, (size_t)d->n_tasks * sizeof *targets);
    SN_GO(n = sn_metrics(m->kind, scores, targets, rows->n, d->n_tasks, all, cap));
    rc = 0;
    out->n_metrics = 0;
    for (int i = 0; i < n; i++)
        if (all[i].task < 0 && strcmp(all[i].name, "n") != 0 && strcmp(all[i].name, "base_rate") != 0) out->mean[out->n_metrics++] = all[i];
done:
    free(targets);
    free(all);
    return rc;
}

int sn_validate(const struct sn_runtime *rt, struct sn_model *m, const struct sn_label_stats *labels, const struct sn_rows *rows,
                struct sn_validation *out) {
    size_t cells = (size_t)rows->n * (size_t)m->n_tasks;
    float *logits = sn_calloc(cells, sizeof *logits), *scores = sn_calloc(cells, sizeof *scores);
    int rc = 0;
    *out = (struct sn_validation){0};
    if (!logits || !scores) SN_GO(SEQNET_ENOMEM);
    SN_GO(sn_score_rows(rt, m, sn_fill_row, rows, rows->n, sn_rows_longest(rows), logits, scores));
    SN_GO(sn_mean_loss(m, logits, rows->d->targets, rows->ids, rows->n, labels->cw, &out->loss));
    SN_GO(measure(m, rows, scores, out));
done:
    free(logits);
    free(scores);
    return rc;
}

double sn_headline(enum sn_task_kind kind, const struct sn_validation *v, const char **name) {
    *name = kind == SN_TASK_NUMBER ? "pearson" : kind == SN_TASK_CLASSES ? "accuracy" : "auroc";
    for (int i = 0; i < v->n_metrics; i++)
        if (strcmp(v->mean[i].name, *name) == 0) return v->mean[i].value;
    return NAN;
}
