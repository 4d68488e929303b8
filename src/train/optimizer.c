/* Adam and SGD on the trainable weights of a plan, in blocks fixed by shape. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "train/parts.h"

#define BLOCK ((int64_t)1 << 16) /* elements */
#define WORKER_ELEMENTS 32768    /* that are worth waking a worker for */

struct block {
    const struct sn_node *node;
    const struct sn_weight *weight;
    int64_t at, state, n; /* elements: in the parameters, in the state */
    double l1, l2;
};

struct sn_optimizer {
    struct sn_plan *plan;
    struct sn_pool *pool;
    const struct sn_comm *comm;
    const struct sn_training *t;
    struct block *blocks;
    size_t n_blocks, cap_blocks;
    int64_t n_state;
    sn_real *m, *v; /* (n_state) device; of SGD only v, of SGD without momentum none */
    double *sums;   /* (n_blocks, 2) device */
    double *host_sums;
    double beta_1_power, beta_2_power;
    double lr, scale; /* of the step that is being made */
};

/* ---- making ------------------------------------------------------------------------------------------------------------------------ */

static void regularizer(const struct sn_node *nd, const struct sn_weight *w, double *l1, double *l2) {
    *l1 = *l2 = 0;
    for (int i = 0; w->regularize && nd->op->params && nd->op->params[i].name; i++) {
        if (nd->op->params[i].type != SN_P_REG) continue;
        *l1 = nd->p[i].l1;
        *l2 = nd->p[i].l2;
    }
}

static int add_weight(struct sn_optimizer *o, const struct sn_node *nd, int w) {
    int64_t count = sn_weight_count(&nd->weights[w]);
    struct block b = {.node = nd, .weight = &nd->weights[w]};
    regularizer(nd, b.weight, &b.l1, &b.l2);
    for (int64_t i = 0; i < count; i += BLOCK) {
        b.at = nd->weight_offset[w] + i;
        b.n = count - i < BLOCK ? count - i : BLOCK;
        b.state = o->n_state;
        o->n_state += b.n;
        void *v = o->blocks;
        SN_TRY(sn_grow(&v, &o->cap_blocks, o->n_blocks + 1, sizeof *o->blocks));
        o->blocks = v;
        o->blocks[o->n_blocks++] = b;
    }
    return 0;
}

static int alloc(struct sn_optimizer *o, size_t bytes, void *field) {
    struct sn_backend *b = sn_plan_backend(o->plan);
    void *v;
    SN_TRY(b->alloc(b, bytes, &v));
    memcpy(field, &v, sizeof v);
    return 0;
}

static size_t state_bytes(const struct sn_optimizer *o) {
    return (size_t)o->n_state * sizeof *o->m;
}

static size_t sums_bytes(const struct sn_optimizer *o) {
    return o->n_blocks * 2 * sizeof *o->sums;
}

static int make(struct sn_optimizer *o) {
    const struct sn_graph *g = sn_plan_graph(o->plan);
    for (int i = 0; i < g->n_nodes; i++)
        for (int w = 0; w < g->nodes[i].n_weights; w++)
            if (g->nodes[i].weights[w].trainable) SN_TRY(add_weight(o, &g->nodes[i], w));
    if (o->n_blocks == 0) return sn_error(SEQNET_EARCH, "the architecture has no weights to train");
    if (o->t->optimizer == SN_ADAM) SN_TRY(alloc(o, state_bytes(o), &o->m));
    if (o->t->optimizer == SN_ADAM || o->t->momentum > 0) SN_TRY(alloc(o, state_bytes(o), &o->v));
    SN_TRY(alloc(o, sums_bytes(o), &o->sums));
    o->host_sums = sn_calloc(o->n_blocks * 2, sizeof *o->host_sums);
    return o->host_sums ? 0 : SEQNET_ENOMEM;
}

int sn_optimizer_create(struct sn_plan *plan, struct sn_pool *pool, const struct sn_training *t, const struct sn_comm *comm,
                        struct sn_optimizer **out) {
    *out = NULL;
    struct sn_optimizer *o = sn_calloc(1, sizeof *o);
    if (!o) return SEQNET_ENOMEM;
    *o = (struct sn_optimizer){.plan = plan, .pool = pool, .t = t, .comm = comm, .beta_1_power = 1, .beta_2_power = 1};
    int rc = make(o);
    if (rc < 0) {
        sn_optimizer_free(o);
        return rc;
    }
    *out = o;
    return 0;
}

void sn_optimizer_free(struct sn_optimizer *o) {
    if (!o) return;
    struct sn_backend *b = sn_plan_backend(o->plan);
    if (o->m) b->release(b, o->m, state_bytes(o));
    if (o->v) b->release(b, o->v, state_bytes(o));
    if (o->sums) b->release(b, o->sums, sums_bytes(o));
    free(o->host_sums);
    free(o->blocks);
    free(o);
}

/* With clipping the global norm must be known before the update; without, one pass makes both. */
static bool clips(const struct sn_optimizer *o) {
    return o->t->clipnorm > 0;
}

/* ---- a step ------------------------------------------------------------------------------------------------------------------------ */

static int norm_block(void *arg, int i, int worker) {
    struct sn_optimizer *o = arg;
    const struct block *b = &o->blocks[i];
    (void)worker;
    sn_plan_backend(o->plan)->kernels.grad_norm(&(struct sn_grad_norm){.n = b->n,
                                                                       .w = sn_plan_params(o->plan) + b->at,
                                                                       .g = sn_plan_grads(o->plan) + b->at,
                                                                       .l1 = b->l1,
                                                                       .l2 = b->l2,
                                                                       .sums = o->sums + 2 * i});
    return 0;
}

static int update_block(void *arg, int i, int worker) {
    struct sn_optimizer *o = arg;
    const struct block *b = &o->blocks[i];
    const struct sn_kernels *k = &sn_plan_backend(o->plan)->kernels;
    const struct sn_update u = {.n = b->n,
                                .w = sn_plan_params(o->plan) + b->at,
                                .g = sn_plan_grads(o->plan) + b->at,
                                .l1 = b->l1,
                                .l2 = b->l2,
                                .gscale = o->scale,
                                .sums = clips(o) ? NULL : o->sums + 2 * i};
    (void)worker;
    if (o->t->optimizer == SN_ADAM)
        k->adam(&(struct sn_adam){.u = u,
                                  .m = o->m + b->state,
                                  .v = o->v + b->state,
                                  .lr_t = o->lr,
                                  .b1 = o->t->beta_1,
                                  .b2 = o->t->beta_2,
                                  .eps = o->t->epsilon});
    else
        k->sgd(&(struct sn_sgd){
            .u = u, .v = o->v ? o->v + b->state : NULL, .lr = o->lr, .momentum = o->t->momentum, .nesterov = o->t->nesterov});
    return 0;
}

static int run_blocks(struct sn_optimizer *o, sn_tile_fn fn) {
    int64_t most = 1 + o->n_state / WORKER_ELEMENTS;
    int workers = sn_pool_size(o->pool);
    return sn_pool_run(o->pool, (int)o->n_blocks, most < workers ? (int)most : workers, fn, o);
}

/* The blocks' sums in order: squared norm, penalty. */
static int add_sums(struct sn_optimizer *o, double sums[2]) {
    struct sn_backend *b = sn_plan_backend(o->plan);
    b->download(b, o->host_sums, o->sums, sums_bytes(o));
    sums[0] = sums[1] = 0;
    for (size_t i = 0; i < o->n_blocks; i++) {
        sums[0] += o->host_sums[2 * i];
        sums[1] += o->host_sums[2 * i + 1];
        if (!isfinite(o->host_sums[2 * i]))
            return sn_error(SEQNET_ENUM, "layer %s: the gradient of its %s is not finite", o->blocks[i].node->name,
                            o->blocks[i].weight->name);
    }
    return 0;
}

/* Keras: lr * sqrt(1 - beta_2^t) / (1 - beta_1^t); powers by repeated products, so without libm. */
static double corrected(struct sn_optimizer *o, double lr) {
    if (o->t->optimizer != SN_ADAM) return lr;
    o->beta_1_power *= o->t->beta_1;
    o->beta_2_power *= o->t->beta_2;
    return lr * sqrt(1 - o->beta_2_power) / (1 - o->beta_1_power);
}

int sn_optimizer_step(struct sn_optimizer *o, double learning_rate, double *norm, double *penalty) {
    double sums[2], limit = o->t->clipnorm;
    o->scale = 1;
    if (clips(o)) {
        SN_TRY(run_blocks(o, norm_block));
        SN_TRY(add_sums(o, sums));
        if (sqrt(sums[0]) > limit) o->scale = limit / sqrt(sums[0]);
    }
    o->lr = corrected(o, learning_rate);
    SN_TRY(run_blocks(o, update_block));
    sn_plan_grads_cleared(o->plan);
    if (!clips(o)) SN_TRY(add_sums(o, sums));
    *norm = sqrt(sums[0]);
    *penalty = sums[1];
    return sn_plan_prepare(o->plan, o->pool);
}
