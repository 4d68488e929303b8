#include <stdlib.h>
#include <string.h>

#include "api/predictor.h"
#include "train/loss.h"
#include "train/metrics.h"

#define METRICS_PER_TASK 8
#define FINISH_ROWS 1024

/* Scores in place of the logits. One tile: in a thread with the kernels' float mode. */
struct finishing {
    struct seqnet_predictor *p;
    float *scores;
    int64_t n;
};

static int finish_tile(void *arg, int tile, int worker) {
    struct finishing *f = arg;
    (void)tile, (void)worker;
    for (int64_t i = 0; i < f->n; i += FINISH_ROWS) {
        int n = f->n - i < FINISH_ROWS ? (int)(f->n - i) : FINISH_ROWS;
        SN_TRY(sn_scorer_finish(f->p->scorer, n, f->scores + i * f->p->models[0]->n_tasks));
    }
    return 0;
}

static int evaluate(struct seqnet_predictor *p, const struct sn_dataset *d, seqnet_metric *out, int cap, int *n) {
    const struct sn_model *m = p->models[0];
    float *targets = NULL, *scores = NULL;
    double loss = 0;
    int rc = 0;
    SN_TRY(sn_fit_targets(d, m->kind, m->n_tasks, m->tasks, &targets));
    scores = sn_calloc((size_t)d->n, sizeof *scores * (size_t)m->n_tasks);
    SN_GO(scores ? 0 : SEQNET_ENOMEM);
    SN_GO(sn_predictor_run(p, d, true, scores));
    SN_GO(sn_mean_loss(m, scores, targets, NULL, d->n, NULL, &loss));
    SN_GO(sn_pool_run(p->ctx->pool, 1, 1, finish_tile, &(struct finishing){.p = p, .scores = scores, .n = d->n}));
    *n = sn_metrics((enum sn_task_kind)m->kind, scores, targets, d->n, m->n_tasks, out, cap);
    SN_GO(*n);
    if (*n < cap) out[*n] = (seqnet_metric){sizeof *out, -1, "loss", loss};
    (*n)++;
done:
    free(targets);
    free(scores);
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
