#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/predictor.h"
#include "train/metrics.h"

#define METRICS_PER_TASK 8
#define LOSS_ROWS 1024

struct evaluation {
    struct seqnet_predictor *p;
    const struct sn_dataset *d;
    float *targets, *scores; /* (n, tasks) */
    double loss;
};

/* Targets of one head's tasks, from column `at` on, dense, as the loss sees them; returns how many count in its mean. */
static int64_t head_targets(const struct sn_model *m, const float *t, const struct sn_loss *l, int at, float *out) {
    int64_t seen = 0;
    for (int i = 0; i < l->n; i++) {
        float *row = out + i * l->tasks;
        for (int k = 0; k < l->tasks; k++) {
            float v = t[i * m->n_tasks + at + k];
            row[k] = m->target_mean ? (v - m->target_mean[at + k]) / m->target_sd[at + k] : v;
            seen += l->kind != SN_LOSS_CCE && !isnan(v);
        }
        seen += l->kind == SN_LOSS_CCE && !isnan(row[0]);
    }
    return seen;
}

/* Mean loss of one head over what was observed, rows in their order, by the portable kernels: the same bits on every machine. */
static double head_loss(const struct evaluation *e, const struct sn_kernels *k, int head, int at, float *t) {
    const struct sn_model *m = e->p->models[0];
    const struct sn_head *h = &m->arch->graph->heads[head];
    float loss[LOSS_ROWS];
    double sum = 0;
    int64_t seen = 0;
    struct sn_loss l = {
        .kind = h->loss, .tasks = (int)m->arch->graph->nodes[h->node].out.ch, .z_row = m->n_tasks, .t = t, .scale = 1, .loss = loss};
    for (int64_t i = 0; i < e->d->n; i += l.n) {
        l.n = e->d->n - i < LOSS_ROWS ? (int)(e->d->n - i) : LOSS_ROWS;
        l.z = e->scores + i * m->n_tasks + at;
        seen += head_targets(m, e->targets + i * m->n_tasks, &l, at, t);
        k->loss(&l);
        for (int r = 0; r < l.n; r++) sum += loss[r];
    }
    return seen > 0 ? h->weight * sum / (double)seen : 0;
}

/* The loss from the logits, then the scores in their place. One tile: in a thread with the kernels' float mode. */
static int finish_tile(void *arg, int tile, int worker) {
    struct evaluation *e = arg;
    const struct sn_model *m = e->p->models[0];
    const struct sn_graph *g = m->arch->graph;
    struct sn_kernels k;
    (void)tile;
    (void)worker;
    float *t = sn_calloc((size_t)LOSS_ROWS * (size_t)m->n_tasks, sizeof *t);
    if (!t) return SEQNET_ENOMEM;
    sn_kernels_ref(&k);
    for (int h = 0, at = 0; h < g->n_heads; at += (int)g->nodes[g->heads[h].node].out.ch, h++) e->loss += head_loss(e, &k, h, at, t);
    free(t);
    int rc = 0;
    for (int64_t i = 0; i < e->d->n && rc >= 0; i += LOSS_ROWS) {
        int n = e->d->n - i < LOSS_ROWS ? (int)(e->d->n - i) : LOSS_ROWS;
        rc = sn_scorer_finish(e->p->scorer, n, e->scores + i * m->n_tasks);
    }
    return rc;
}

static int evaluate(struct seqnet_predictor *p, const struct sn_dataset *d, seqnet_metric *out, int cap, int *n) {
    const struct sn_model *m = p->models[0];
    struct evaluation e = {.p = p, .d = d};
    int rc = 0;
    SN_TRY(sn_fit_targets(d, m->kind, m->n_tasks, m->tasks, &e.targets));
    e.scores = sn_calloc((size_t)d->n, sizeof *e.scores * (size_t)m->n_tasks);
    SN_GO(e.scores ? 0 : SEQNET_ENOMEM);
    SN_GO(sn_predictor_run(p, d, true, e.scores));
    SN_GO(sn_pool_run(p->ctx->pool, 1, 1, finish_tile, &e));
    *n = sn_metrics((enum sn_task_kind)m->kind, e.scores, e.targets, d->n, m->n_tasks, out, cap);
    SN_GO(*n);
    if (*n < cap) out[*n] = (seqnet_metric){sizeof *out, -1, "loss", e.loss};
    (*n)++;
done:
    free(e.targets);
    free(e.scores);
    return rc < 0 ? rc : 0;
}

int seqnet_evaluate_bound(const seqnet_predictor *p) {
    return (p->models[0]->n_tasks + 1) * METRICS_PER_TASK + 1;
}

int seqnet_evaluate(seqnet_predictor *p, seqnet_source *s, seqnet_metric *metrics, int *n_metrics) {
    int cap = *n_metrics, rc = 0;
    seqnet_metric *all = sn_calloc((size_t)seqnet_evaluate_bound(p), sizeof *all);
    *n_metrics = 0;
    SN_GO(all ? 0 : SEQNET_ENOMEM);
    SN_GO(evaluate(p, s->d, all, seqnet_evaluate_bound(p), n_metrics));
    SN_GO(*n_metrics <= cap ? 0 : sn_error(SEQNET_EINVAL, "evaluate: gives %d figures, the buffer has %d", *n_metrics, cap));
    size_t size = *n_metrics > 0 ? metrics[0].size : 0;
    for (int i = 0; i < *n_metrics; i++) {
        void *slot = (char *)metrics + (size_t)i * size;
        memcpy(slot, &size, sizeof size);
        SN_GO(sn_give_result(slot, &all[i], sizeof all[i], "seqnet_metric"));
    }
done:
    free(all);
    return rc < 0 ? rc : 0;
}
