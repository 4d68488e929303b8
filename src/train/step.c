/* One training step: rows to a batch, forward, loss, backward, optimizer. */
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "train/parts.h"

struct sn_step {
    const struct sn_runtime *rt;
    const struct sn_comm *comm;
    struct sn_model *model;
    const struct sn_label_stats *labels;
    struct sn_plan *plan;
    struct sn_session *session;
    struct sn_optimizer *optimizer;
    struct sn_augment augment;
    int max_rows;
    int64_t width; /* of a row of codes */
    bool var;
    int32_t *len;
    sn_real *targets; /* (max_rows, widest head) */
};

/* ---- making ------------------------------------------------------------------------------------------------------------------------ */

static int widest_head(const struct sn_graph *g) {
    int most = 1;
    for (int h = 0; h < g->n_heads; h++)
        if (sn_head_width(g, h) > most) most = sn_head_width(g, h);
    return most;
}

static int make_plan(struct sn_step *s, int64_t longest, uint64_t seed) {
    const struct sn_arch *a = s->model->arch;
    struct sn_plan_options o;
    sn_arch_plan_options(a, SN_TRAIN, longest, s->max_rows, &o);
    o.seed = seed;
    o.borrow = true;
    s->width = o.max_len;
    s->var = o.var;
    SN_TRY(sn_plan_create(a->graph, s->rt->backend, &o, &s->plan));
    SN_TRY(sn_plan_set_params(s->plan, s->model->params));
    SN_TRY(sn_session_create(s->plan, s->rt->pool, &s->session));
    return sn_optimizer_create(s->plan, s->rt->pool, &a->training, s->comm, &s->optimizer);
}

static int make_batch(struct sn_step *s) {
    s->len = sn_calloc((size_t)s->max_rows, sizeof *s->len);
    s->targets = sn_calloc((size_t)s->max_rows * (size_t)widest_head(s->model->arch->graph), sizeof *s->targets);
    return s->len && s->targets ? 0 : SEQNET_ENOMEM;
}

int sn_step_create(const struct sn_runtime *rt, const struct sn_comm *comm, struct sn_model *model, const struct sn_label_stats *labels,
                   int64_t longest, int max_rows, uint64_t seed, struct sn_step **out) {
    const struct sn_training *t = &model->arch->training;
    *out = NULL;
    struct sn_step *s = sn_calloc(1, sizeof *s);
    if (!s) return SEQNET_ENOMEM;
    *s = (struct sn_step){.rt = rt, .comm = comm, .model = model, .labels = labels, .max_rows = max_rows};
    s->augment = (struct sn_augment){.reverse_complement = t->reverse_complement, .max_shift = t->shift, .seed = seed};
    int rc = make_plan(s, longest, seed);
    if (rc == 0) rc = make_batch(s);
    if (rc < 0) {
        sn_step_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void sn_step_free(struct sn_step *s) {
    if (!s) return;
    sn_optimizer_free(s->optimizer);
    sn_session_free(s->session);
    sn_plan_free(s->plan);
    free(s->len);
    free(s->targets);
    free(s);
}

int sn_step_params(struct sn_step *s) {
    return sn_plan_get_params(s->plan, s->model->params);
}

/* ---- a batch ------------------------------------------------------------------------------------------------------------------------- */

struct batch {
    struct sn_step *s;
    const struct sn_dataset *d;
    const int64_t *ids;
    int n;
    int64_t step;
};

/* A row is made by the worker that computes it. */
static void fill_row(const void *filler, int row, uint8_t *codes) {
    const struct batch *b = filler;
    struct sn_step *s = b->s;
    sn_dataset_row(b->d, b->ids[row], &s->augment, b->step, s->var ? s->len[row] : s->width, codes);
}

/* Losses of all heads and their gradients. A head without a target in the batch gets a zero gradient. */
static int run_losses(struct batch *b, struct sn_step_result *out) {
    struct sn_step *s = b->s;
    const struct sn_graph *g = s->model->arch->graph;
    for (int h = 0, at = 0; h < g->n_heads; at += sn_head_width(g, h++)) {
        double seen = (double)sn_targets_fill(s->model, b->d->targets, b->ids, b->n, h, at, s->targets);
        SN_TRY(s->comm->tree_sum(s->comm->self, &seen, 1));
        struct sn_targets t = {.t = s->targets, .cw = s->labels->cw ? s->labels->cw + 2 * at : NULL, .denominator = seen > 0 ? seen : 1};
        SN_TRY(sn_session_loss(s->session, h, &t, true, &out->loss));
        out->observed += seen;
    }
    return s->comm->tree_sum(s->comm->self, &out->loss, 1);
}

static int forward(struct batch *b) {
    struct sn_step *s = b->s;
    for (int i = 0; s->var && i < b->n; i++) s->len[i] = (int32_t)sn_dataset_len(b->d, b->ids[i]);
    struct sn_batch in = {.n = b->n, .fill = fill_row, .filler = b, .len = s->var ? s->len : NULL, .ids = b->ids};
    return sn_session_forward(s->session, &in, b->step);
}

/* The layer: in the last batch, else in the first batch of `rows` that shows it. */
static const char *find_layer(struct sn_step *s, const struct sn_rows *rows) {
    const char *layer = sn_session_nonfinite(s->session);
    for (int64_t from = 0; !layer && rows && from < rows->n; from += s->max_rows) {
        int64_t left = rows->n - from;
        struct batch b = {.s = s, .d = rows->d, .ids = rows->ids + from, .n = left < s->max_rows ? (int)left : s->max_rows};
        if (forward(&b) < 0) break;
        layer = sn_session_nonfinite(s->session);
    }
    return layer;
}

int sn_step_not_finite(struct sn_step *s, const struct sn_rows *rows, const char *what, double value) {
    const char *layer = find_layer(s, rows), *is = isnan(value) ? "NaN" : "infinite";
    if (!layer) return sn_error(SEQNET_ENUM, "the %s is %s", what, is);
    return sn_error(SEQNET_ENUM, "layer %s: values are not finite, the %s is %s", layer, what, is);
}

int sn_step_run(struct sn_step *s, const struct sn_rows *rows, int64_t from, int n, int64_t step, double learning_rate,
                struct sn_step_result *out) {
    struct batch b = {.s = s, .d = rows->d, .ids = rows->ids + from, .n = n, .step = step};
    *out = (struct sn_step_result){0};
    SN_TRY(forward(&b));
    SN_TRY(run_losses(&b, out));
    if (!isfinite(out->loss)) return sn_step_not_finite(s, NULL, "loss", out->loss);
    SN_TRY(sn_session_backward(s->session));
    return sn_optimizer_step(s->optimizer, learning_rate, &out->norm, &out->penalty);
}
