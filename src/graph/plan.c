#include "graph/plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "graph/plan_parts.h"
#include "ops/common.h"

void sn_leaf_rows(int n, int leaves, int leaf, int *r0, int *r1) {
    *r0 = (int)((int64_t)leaf * n / leaves);
    *r1 = (int)((int64_t)(leaf + 1) * n / leaves);
}

void sn_tile_rows(int n, int tiles, int i, int *r0, int *r1) {
    sn_leaf_rows(n, tiles, i, r0, r1);
}

int sn_tiles(int n, int tile_rows) {
    return (n + tile_rows - 1) / tile_rows;
}

static int check_options(const struct sn_graph *g, const struct sn_plan_options *o) {
    if (g->n_heads < 1) return sn_error(SEQNET_EARCH, "the architecture has no head");
    if (o->max_rows < 1 || o->max_rows > (1 << 24)) return sn_error(SEQNET_EINVAL, "%d rows per batch, expected 1..16777216", o->max_rows);
    if (o->mode == SN_ATTRIBUTE && o->max_pairs < 1) return sn_error(SEQNET_EINVAL, "%d pairs, expected 1 or more", o->max_pairs);
    if (o->mode == SN_TRAIN && (o->leaves < 1 || o->leaves > 1024))
        return sn_error(SEQNET_EINVAL, "%d leaves, expected 1..1024", o->leaves);
    return 0;
}

static int alloc_device(struct sn_plan *p) {
    size_t params = (size_t)p->graph->n_params * sizeof(sn_real), lut = 256 * (size_t)p->graph->channels * sizeof(sn_real);
    struct sn_backend *b = p->backend;
    void *v;
    p->params_bytes = params;
    p->borrowed = b->host_memory && (p->o.mode != SN_TRAIN || p->o.borrow);
    if (!p->borrowed) {
        SN_TRY(b->alloc(b, params, &v));
        p->params = v;
    }
    if (p->o.mode == SN_TRAIN) {
        SN_TRY(b->alloc(b, params, &v));
        p->grads = v;
        p->grads_clear = true;
    }
    SN_TRY(b->alloc(b, p->prepared_bytes, &v));
    p->prepared = v;
    SN_TRY(b->alloc(b, lut, &v));
    p->lut = v;
    SN_TRY(b->alloc(b, 256, &v));
    p->sym = v;
    if (p->o.lut) b->upload(b, p->lut, p->o.lut, lut);
    if (p->o.sym) b->upload(b, p->sym, p->o.sym, 256);
    return 0;
}

int sn_plan_create(const struct sn_graph *g, struct sn_backend *backend, const struct sn_plan_options *o, struct sn_plan **out) {
    *out = NULL;
    SN_TRY(check_options(g, o));
    struct sn_plan *p = sn_calloc(1, sizeof *p);
    if (!p) return SEQNET_ENOMEM;
    int rc = 0;
    p->backend = backend;
    p->o = *o;
    if (p->o.leaves < 1) p->o.leaves = 1;
    SN_GO(sn_graph_copy(g, &p->graph));
    p->graph->dense_input = o->values;
    SN_GO(sn_graph_check(p->graph, o->max_len, o->var));
    p->place = sn_calloc((size_t)p->graph->n_nodes, sizeof *p->place);
    if (!p->place) SN_GO(SEQNET_ENOMEM);
    SN_GO(sn_plan_schedule(p));
    SN_GO(sn_plan_layout(p));
    SN_GO(alloc_device(p));
    p->o.lut = NULL, p->o.sym = NULL; /* copied */
    *out = p;
    return 0;
done:
    sn_plan_free(p);
    return rc;
}

static void release(struct sn_plan *p, void *v, size_t bytes) {
    if (v) p->backend->release(p->backend, v, bytes);
}

void sn_plan_free(struct sn_plan *p) {
    if (!p) return;
    if (!p->borrowed) release(p, p->params, p->params_bytes);
    release(p, p->grads, p->params_bytes);
    release(p, p->prepared, p->prepared_bytes);
    if (p->graph) release(p, p->lut, 256 * (size_t)p->graph->channels * sizeof(sn_real));
    release(p, p->sym, 256);
    free(p->place);
    free(p->chains);
    free(p->items);
    free(p->stages);
    free(p->buffers);
    sn_graph_free(p->graph);
    free(p);
}

const struct sn_graph *sn_plan_graph(const struct sn_plan *p) {
    return p->graph;
}

struct sn_backend *sn_plan_backend(const struct sn_plan *p) {
    return p->backend;
}

sn_real *sn_plan_params(struct sn_plan *p) {
    return p->params;
}

sn_real *sn_plan_grads(struct sn_plan *p) {
    return p->grads;
}

void sn_plan_grads_cleared(struct sn_plan *p) {
    p->grads_clear = true;
}

static int prepare_tile(void *arg, int tile, int worker) {
    struct sn_plan *p = arg;
    struct sn_exec x = {.plan = p, .worker = worker};
    const struct sn_node *nd = &p->graph->nodes[tile];
    if (!p->place[tile].visible || !nd->op->prepare) return 0;
    return nd->op->prepare(&x, nd, p->prepared + p->place[tile].prepared);
}

int sn_plan_prepare(struct sn_plan *p, struct sn_pool *pool) {
    return sn_pool_run(pool, p->graph->n_nodes, sn_pool_size(pool), prepare_tile, p);
}

int sn_plan_set_params(struct sn_plan *p, const sn_real *params) {
    if (p->borrowed)
        p->params = (sn_real *)params; /* only training writes to it, when told so */
    else
        p->backend->upload(p->backend, p->params, params, p->params_bytes);
    return sn_plan_prepare(p, NULL);
}

int sn_plan_get_params(const struct sn_plan *p, sn_real *params) {
    if (!p->params) return sn_error(SEQNET_EINVAL, "the plan has no parameters yet");
    if (params != p->params) p->backend->download(p->backend, params, p->params, p->params_bytes);
    return 0;
}

void sn_plan_memory(const struct sn_plan *p, struct sn_plan_memory *m) {
    size_t nodes = (size_t)p->graph->n_nodes, rows = (size_t)p->o.max_rows, pairs = (size_t)p->o.max_pairs;
    *m = (struct sn_plan_memory){
        .parameters = p->params_bytes,
        .gradients = p->grads ? p->params_bytes : 0,
        .prepared = p->prepared_bytes,
        .activations = p->act_bytes + p->partial_bytes + p->weight_partial_bytes,
        .workspace_per_worker = p->local_bytes + p->ws_bytes + p->weight_ws_bytes,
        .batch_io = rows * sn_align_up((size_t)p->o.max_len) + nodes * (rows + pairs) * sizeof(int32_t),
        .n_stages = (int)p->n_stages,
        .n_fusions = p->n_chains,
    };
}

static const char *const split_names[] = {"weights", "sample", "output", "reduce", "once"};
static const char *const kind_names[] = {"forward", "backward", "attribute", "gradient", "sum", "difference", "split", "collapse"};

int sn_plan_describe(const struct sn_plan *p, struct sn_str *s) {
    for (size_t i = 0; i < p->n_stages; i++) {
        const struct sn_stage *st = &p->stages[i];
        SN_TRY(sn_str_printf(s, "stage %zu\t%s\t%s\ttile rows %d\n", i, st->reverse ? "reverse" : "forward", split_names[st->split],
                             st->tile_rows));
        for (int k = st->first; k < st->first + st->n; k++) {
            const struct sn_item *it = &p->items[k];
            const struct sn_node *nd = &p->graph->nodes[it->node];
            const char *what = it->chain >= 0 ? p->chains[it->chain].fusion->name : nd->op->name;
            const char *weight = it->kind == SN_ITEM_WEIGHT ? nd->weights[it->weight].name : "";
            SN_TRY(sn_str_printf(s, "\t%s\t%s\t%s%s%s\n", kind_names[it->kind], nd->name, what, *weight ? " " : "", weight));
        }
    }
    return 0;
}
