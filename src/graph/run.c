/* Stages to tiles to kernels: borders depend on shapes only, who runs a tile does not matter. */
#include "graph/run.h"

#include "core/error.h"
#include "ops/common.h"

#define WORK_PER_WORKER 5e5 /* multiply-adds that are worth waking a worker for: about 50 us */
#define ELEMENT_BLOCK 32768 /* elements of a parameter that one tile of an element-wise pass takes */
#define LOSS_ROWS 16

struct job {
    struct sn_session *s;
    const struct sn_stage *stage;
    int tiles;
    /* loss */
    struct sn_loss loss;
};

static const struct sn_node *node_of(const struct sn_plan *p, const struct sn_item *it) {
    return &p->graph->nodes[it->node];
}

static int workers_for(const struct sn_session *s, double work) {
    double most = work / WORK_PER_WORKER + 1;
    return most < s->workers ? (int)most : s->workers;
}

/* Fan-out: the readers' gradients of one node are added in the order of the readers. Of two parts, the second when `minus`. */
static void run_sum(struct sn_exec *x, const struct sn_item *it, const struct sn_tile *t, bool minus) {
    const struct sn_node *nd = node_of(x->plan, it);
    const struct sn_place *pl = &x->plan->place[nd->id];
    const struct sn_parts to = sn_parts_of(sn_x_buffer(x, pl->collapse < 0 ? pl->grad_out : pl->collapse, nd, t->r0), nd->out.ch);
    for (int from = 0; from < it->n_edges;) {
        struct sn_add a = {.n = t->r1 - t->r0, .y = minus ? to.minus : to.plus};
        if (from > 0) a.x[a.count++] = a.y;
        while (a.count < 8 && from < it->n_edges) {
            const struct sn_parts edge = sn_parts_of(sn_x_buffer(x, it->edge[from++], nd, t->r0), nd->out.ch);
            a.x[a.count++] = minus ? edge.minus : edge.plus;
        }
        sn_x_kernels(x)->add(&a);
    }
}

/* What the graph does itself. */
static void run_own(struct sn_exec *x, const struct sn_item *it, const struct sn_tile *t) {
    const struct sn_node *nd = node_of(x->plan, it);
    const struct sn_pair_value out = {.pairs = sn_x_pairs(x, t->r0, t->r1), .x = sn_x_out(x, nd, 0)};
    if (it->kind == SN_ITEM_SUM) {
        run_sum(x, it, t, false);
        if (nd->parts) run_sum(x, it, t, true);
    } else if (it->kind == SN_ITEM_DIFF) {
        sn_x_kernels(x)->pair_parts(
            &(struct sn_pair_parts){sn_pair_input(x, nd, t->r0, t->r1), sn_parts_of(sn_x_diff(x, nd, t->r0), nd->in[0].ch)});
    } else if (it->kind == SN_ITEM_SPLIT) {
        sn_x_kernels(x)->pair_parts(&(struct sn_pair_parts){out, sn_parts_of(sn_x_split_out(x, nd, t->r0), nd->out.ch)});
    } else {
        const struct sn_t3 m = sn_x_buffer(x, x->plan->place[nd->id].collapse, nd, t->r0);
        sn_x_kernels(x)->pair_select(&(struct sn_pair_select){out, sn_parts_of(m, nd->out.ch), sn_x_grad_out(x, nd, t->r0)});
    }
}

static int run_item(struct sn_exec *x, const struct sn_item *it, const struct sn_tile *t) {
    if (it->run) return it->run(x, node_of(x->plan, it), t);
    if (it->chain < 0) {
        run_own(x, it, t);
        return 0;
    }
    const struct sn_node *nodes[SN_CHAIN_MAX];
    sn_chain_nodes(x->plan, it->chain, nodes);
    const struct sn_fusion *f = x->plan->chains[it->chain].fusion;
    return it->kind == SN_ITEM_ATTRIBUTE ? f->attribute(x, nodes, t) : f->forward(x, nodes, t);
}

static int sample_tile(void *arg, int tile, int worker) {
    const struct job *j = arg;
    struct sn_session *s = j->s;
    bool pairs = j->stage->reverse && s->plan->o.mode == SN_ATTRIBUTE;
    struct sn_tile t = {.worker = worker};
    sn_tile_rows(pairs ? s->n_pairs : s->n, j->tiles, tile, &t.r0, &t.r1);
    struct sn_exec x = {.plan = s->plan, .s = s, .worker = worker, .base_row = t.r0};
    for (int r = t.r0; s->fill && j->stage == s->plan->stages && r < t.r1; r++) s->fill(s->filler, r, s->codes + (size_t)r * s->codes_row);
    for (int i = j->stage->first; i < j->stage->first + j->stage->n; i++) {
        const struct sn_item *it = &s->plan->items[i];
        t.o1 = it->outputs;
        SN_TRY(run_item(&x, it, &t));
    }
    return 0;
}

/* OUTPUT, REDUCE and ONCE stages hold one item. */
static int other_tile(void *arg, int tile, int worker) {
    const struct job *j = arg;
    struct sn_session *s = j->s;
    const struct sn_item *it = &s->plan->items[j->stage->first];
    bool pairs = j->stage->reverse && s->plan->o.mode == SN_ATTRIBUTE;
    struct sn_tile t = {.r1 = pairs ? s->n_pairs : s->n, .o1 = it->outputs, .leaf = tile, .worker = worker};
    if (j->stage->split == SN_SPLIT_REDUCE) sn_leaf_rows(s->n, s->plan->o.leaves, tile, &t.r0, &t.r1);
    if (j->stage->split == SN_SPLIT_OUTPUT) {
        t.o0 = tile * it->block;
        t.o1 = t.o0 + it->block < it->outputs ? t.o0 + it->block : it->outputs;
    }
    struct sn_exec x = {.plan = s->plan, .s = s, .worker = worker};
    return run_item(&x, it, &t);
}

/* ---- weight gradients ---------------------------------------------------------------------------------------------------------- */

static int64_t weight_cols(const struct sn_weight *w) {
    return w->rank > 1 ? w->shape[w->rank - 1] : 1;
}

/* Of a run. */
static int64_t weight_rows(const struct sn_weight *w) {
    return sn_weight_count(w) / weight_cols(w) / w->runs;
}

static const struct sn_weight *weight_of(const struct sn_plan *p, const struct sn_item *it) {
    return &node_of(p, it)->weights[it->weight];
}

static int weight_tiles(const struct sn_plan *p, const struct sn_item *it) {
    if (it->split == SN_SPLIT_REDUCE) return p->o.leaves;
    const struct sn_weight *w = weight_of(p, it);
    int64_t rows = weight_rows(w);
    return (int)((rows + it->block - 1) / it->block);
}

static int leaf_gradient(struct sn_exec *x, const struct sn_item *it, int leaf, int64_t o0, int64_t o1, sn_real *dst) {
    const struct sn_plan *p = x->plan;
    struct sn_tile t = {.o0 = o0, .o1 = o1, .leaf = leaf, .worker = x->worker};
    sn_leaf_rows(x->s->n, p->o.leaves, leaf, &t.r0, &t.r1);
    const struct sn_weight *w = weight_of(p, it);
    sn_x_kernels(x)->fill(&(struct sn_fill){.p = dst, .n = w->runs * (o1 - o0) * weight_cols(w)});
    if (it->chain < 0) return node_of(p, it)->op->weight_grad(x, node_of(p, it), it->weight, &t, dst);
    const struct sn_node *nodes[SN_CHAIN_MAX];
    sn_chain_nodes(p, it->chain, nodes);
    return p->chains[it->chain].fusion->weight_grad(x, nodes, it->weight, &t, dst);
}

/* Adds the leaves' partials [leaf][runs][n] (stride elements from leaf to leaf) as a balanced tree into grad, whose runs are `run` apart.
 */
static void add_leaves(const struct sn_exec *x, sn_real *part, size_t stride, int runs, int64_t n, sn_real *grad, int64_t run) {
    for (int r = 0; r < runs; r++)
        sn_x_kernels(x)->leaves(&(struct sn_leaves){
            .dst = grad + r * run, .part = part + r * n, .n = n, .stride = (int64_t)stride, .leaves = x->plan->o.leaves});
}

static size_t partial_stride(int64_t elements) {
    return sn_align_up((size_t)elements * sizeof(sn_real)) / sizeof(sn_real);
}

static int weight_tile(void *arg, int tile, int worker) {
    const struct job *j = arg;
    struct sn_session *s = j->s;
    struct sn_plan *p = s->plan;
    struct sn_exec x = {.plan = p, .s = s, .worker = worker};
    const struct sn_item *it = &p->items[j->stage->first];
    for (; tile >= weight_tiles(p, it); it++) tile -= weight_tiles(p, it);
    const struct sn_weight *w = weight_of(p, it);
    int64_t cols = weight_cols(w), rows = weight_rows(w);
    if (it->split == SN_SPLIT_REDUCE) {
        sn_real *part = (sn_real *)(s->weight_partial + it->partial) + (size_t)tile * partial_stride(sn_weight_count(w));
        return leaf_gradient(&x, it, tile, 0, rows, part);
    }
    int64_t o0 = tile * it->block, o1 = o0 + it->block < rows ? o0 + it->block : rows;
    sn_real *grad = p->grads + node_of(p, it)->weight_offset[it->weight] + o0 * cols;
    if (it->at_once) {
        struct sn_tile t = {.r1 = s->n, .o0 = o0, .o1 = o1, .leaf = -1, .worker = worker};
        return node_of(p, it)->op->weight_grad(&x, node_of(p, it), it->weight, &t, grad);
    }
    sn_real *part = (sn_real *)((char *)sn_x_ws(&x, worker) + p->ws_bytes);
    size_t stride = partial_stride(w->runs * (o1 - o0) * cols);
    for (int leaf = 0; leaf < p->o.leaves; leaf++) SN_TRY(leaf_gradient(&x, it, leaf, o0, o1, part + (size_t)leaf * stride));
    add_leaves(&x, part, stride, w->runs, (o1 - o0) * cols, grad, rows * cols);
    return 0;
}

static int reduce_tiles(const struct sn_plan *p, const struct sn_item *it) {
    if (it->split != SN_SPLIT_REDUCE) return 0;
    return (int)((sn_weight_count(weight_of(p, it)) + ELEMENT_BLOCK - 1) / ELEMENT_BLOCK);
}

static int reduce_tile(void *arg, int tile, int worker) {
    const struct job *j = arg;
    struct sn_session *s = j->s;
    struct sn_plan *p = s->plan;
    struct sn_exec x = {.plan = p, .s = s, .worker = worker};
    const struct sn_item *it = &p->items[j->stage->first];
    for (; tile >= reduce_tiles(p, it); it++) tile -= reduce_tiles(p, it);
    int64_t count = sn_weight_count(weight_of(p, it)), e0 = (int64_t)tile * ELEMENT_BLOCK;
    int64_t n = count - e0 < ELEMENT_BLOCK ? count - e0 : ELEMENT_BLOCK;
    sn_real *part = (sn_real *)(s->weight_partial + it->partial) + e0;
    add_leaves(&x, part, partial_stride(count), 1, n, p->grads + node_of(p, it)->weight_offset[it->weight] + e0, 0);
    return 0;
}

static int run_weights(struct sn_session *s, struct job *j, double work) {
    int tiles = 0, reduces = 0;
    for (int i = j->stage->first; i < j->stage->first + j->stage->n; i++) {
        tiles += weight_tiles(s->plan, &s->plan->items[i]);
        reduces += reduce_tiles(s->plan, &s->plan->items[i]);
    }
    SN_TRY(sn_pool_run(s->pool, tiles, workers_for(s, work), weight_tile, j));
    return sn_pool_run(s->pool, reduces, workers_for(s, (double)reduces * ELEMENT_BLOCK * s->plan->o.leaves / 8), reduce_tile, j);
}

/* ---- stages ---------------------------------------------------------------------------------------------------------------------- */

static int run_stage(struct sn_session *s, const struct sn_stage *st) {
    struct sn_plan *p = s->plan;
    struct job j = {.s = s, .stage = st};
    bool pairs = st->reverse && p->o.mode == SN_ATTRIBUTE;
    int rows = pairs ? s->n_pairs : s->n;
    double work = st->work * rows;
    switch (st->split) {
    case SN_SPLIT_SAMPLE:
        j.tiles = sn_tiles(rows, st->tile_rows);
        return sn_pool_run(s->pool, j.tiles, workers_for(s, work), sample_tile, &j);
    case SN_SPLIT_OUTPUT: {
        const struct sn_item *it = &p->items[st->first];
        return sn_pool_run(s->pool, (int)((it->outputs + it->block - 1) / it->block), workers_for(s, work), other_tile, &j);
    }
    case SN_SPLIT_REDUCE:
        return sn_pool_run(s->pool, p->o.leaves, workers_for(s, work), other_tile, &j);
    case SN_SPLIT_ONCE:
        return sn_pool_run(s->pool, 1, 1, other_tile, &j);
    default:
        return run_weights(s, &j, work);
    }
}

int sn_run_stages(struct sn_session *s, bool reverse) {
    const struct sn_plan *p = s->plan;
    for (size_t i = reverse ? (size_t)p->n_forward : 0; i < (reverse ? p->n_stages : (size_t)p->n_forward); i++)
        SN_TRY(run_stage(s, &p->stages[i]));
    return 0;
}

static int loss_tile(void *arg, int tile, int worker) {
    const struct job *j = arg;
    struct sn_loss a = j->loss;
    int r0, r1;
    (void)worker;
    sn_tile_rows(j->s->n, j->tiles, tile, &r0, &r1);
    a.n = r1 - r0;
    a.z += r0 * a.z_row, a.t += (int64_t)r0 * a.tasks, a.loss += r0;
    if (a.w) a.w += r0;
    if (a.dz) a.dz += r0 * a.dz_row;
    j->s->plan->backend->kernels.loss(&a);
    return 0;
}

int sn_run_loss(struct sn_session *s, int head, const struct sn_targets *t, bool grad) {
    struct sn_plan *p = s->plan;
    const struct sn_head *h = &p->graph->heads[head];
    struct sn_exec x = {.plan = p, .s = s};
    struct sn_t3 z = sn_x_out(&x, &p->graph->nodes[h->logits], 0);
    struct sn_t3 dz = sn_x_buffer(&x, p->head_grad[head], &p->graph->nodes[h->logits], 0);
    struct job j = {.s = s, .tiles = sn_tiles(s->n, LOSS_ROWS)};
    j.loss = (struct sn_loss){.kind = h->loss,
                              .n = s->n,
                              .tasks = z.ch,
                              .z = z.p,
                              .z_row = z.row,
                              .t = s->targets,
                              .w = t->w ? s->sample_w : NULL,
                              .cw = t->cw ? s->class_w : NULL,
                              .scale = (sn_real)(h->weight / t->denominator),
                              .loss = s->loss,
                              .dz = grad ? dz.p : NULL,
                              .dz_row = dz.row};
    return sn_pool_run(s->pool, j.tiles, workers_for(s, 50.0 * s->n * z.ch), loss_tile, &j);
}

static int clear_tile(void *arg, int tile, int worker) {
    const struct job *j = arg;
    struct sn_plan *p = j->s->plan;
    (void)worker;
    int64_t e0 = (int64_t)tile * ELEMENT_BLOCK, n = p->graph->n_params - e0;
    p->backend->kernels.fill(&(struct sn_fill){.p = p->grads + e0, .n = n < ELEMENT_BLOCK ? n : ELEMENT_BLOCK});
    return 0;
}

int sn_run_clear_gradients(struct sn_session *s) {
    struct job j = {.s = s};
    bool clear = s->plan->grads_clear;
    s->plan->grads_clear = false;
    if (clear) return 0;
    int tiles = (int)((s->plan->graph->n_params + ELEMENT_BLOCK - 1) / ELEMENT_BLOCK);
    return sn_pool_run(s->pool, tiles, workers_for(s, (double)s->plan->graph->n_params / 8), clear_tile, &j);
}
