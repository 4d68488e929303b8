#include "train/loss.h"

#include <stdlib.h>

#include "core/error.h"
#include "core/pool.h"
#include "train/parts.h"

#define LOSS_ROWS 1024

struct losses {
    const struct sn_model *m;
    const float *logits, *targets;
    const int64_t *ids;
    int64_t n;
    const sn_real *cw;
    sn_real *z, *t; /* (LOSS_ROWS, T) */
    double loss;
};

/* One head's loss over all rows: mean over the observed targets. */
static double head_loss(struct losses *l, const struct sn_kernels *k, int head, int at) {
    const struct sn_graph *g = l->m->arch->graph;
    int width = sn_head_width(g, head);
    sn_real loss[LOSS_ROWS];
    struct sn_loss a = {.kind = g->heads[head].loss, .tasks = width, .z_row = width, .z = l->z, .t = l->t, .scale = 1, .loss = loss};
    a.cw = l->cw ? l->cw + 2 * at : NULL;
    double sum = 0;
    int64_t seen = 0;
    for (int64_t i = 0; i < l->n; i += a.n) {
        a.n = l->n - i < LOSS_ROWS ? (int)(l->n - i) : LOSS_ROWS;
        const float *from = l->ids ? l->targets : l->targets + i * l->m->n_tasks;
        seen += sn_targets_fill(l->m, from, l->ids ? l->ids + i : NULL, a.n, head, at, l->t);
        for (int r = 0; r < a.n; r++)
            for (int t = 0; t < width; t++) l->z[r * width + t] = l->logits[(i + r) * l->m->n_tasks + at + t];
        k->loss(&a);
        for (int r = 0; r < a.n; r++) sum += loss[r];
    }
    return seen > 0 ? g->heads[head].weight * sum / (double)seen : 0;
}

/* One tile: in a thread with the kernels' float mode. */
static int loss_tile(void *arg, int tile, int worker) {
    struct losses *l = arg;
    const struct sn_graph *g = l->m->arch->graph;
    struct sn_kernels k;
    (void)tile, (void)worker;
    SN_SYM(sn_kernels_ref)(&k);
    for (int h = 0, at = 0; h < g->n_heads; at += sn_head_width(g, h++)) l->loss += head_loss(l, &k, h, at);
    return 0;
}

int sn_mean_loss(const struct sn_model *m, const float *logits, const float *targets, const int64_t *ids, int64_t n, const sn_real *cw,
                 double *out) {
    size_t cells = (size_t)LOSS_ROWS * (size_t)m->n_tasks;
    struct losses l = {.m = m, .logits = logits, .targets = targets, .ids = ids, .n = n, .cw = cw};
    int rc = 0;
    l.z = sn_calloc(cells, sizeof *l.z);
    l.t = sn_calloc(cells, sizeof *l.t);
    if (!l.z || !l.t) SN_GO(SEQNET_ENOMEM);
    SN_GO(sn_pool_run(NULL, 1, 1, loss_tile, &l));
    *out = l.loss;
done:
    free(l.z);
    free(l.t);
    return rc;
}
