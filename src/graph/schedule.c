/* From a graph to stages: which nodes run, which chains are fused, the order of passes, and where barriers stand. */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "graph/plan_parts.h"
#include "ops/common.h"

#define PARTIALS_MAX (32u << 20) /* bytes of weight partials that one stage may hold; the rest is summed block by block */
#define BLOCK_BYTES (1u << 20)   /* of all leaves of one block of an OUTPUT weight gradient */
#define COLUMN_BYTES (1u << 18)  /* weights of one block of a pass by outputs, */
#define COLUMNS_MIN 128          /* but so many columns at least: each block reads all its input */
#define TILE_BYTES (512u << 10)  /* values that one tile touches: half of a usual second-level cache */
#define TILE_ROWS_MAX 16
#define TILE_ROWS_SEQUENCE 32 /* recurrent steps read their weights once per tile */
#define TILE_ROWS_WEIGHTS 4   /* at least, where weights do not stay in cache beside the values: they are read once per tile, too */

void sn_chain_nodes(const struct sn_plan *p, int chain, const struct sn_node *nodes[SN_CHAIN_MAX]) {
    for (int i = 0; i < p->chains[chain].n; i++) nodes[i] = &p->graph->nodes[p->chains[chain].node[i]];
}

int sn_reverse_chain(const struct sn_plan *p, int node) {
    const int chain = p->place[node].chain;
    return chain >= 0 && !p->chains[chain].fusion->forward_only ? chain : -1;
}

static int seed_node(const struct sn_plan *p, int h) {
    return p->o.mode == SN_ATTRIBUTE && p->o.through_output ? p->graph->heads[h].node : p->graph->heads[h].logits;
}

static bool trainable(const struct sn_node *nd) {
    for (int w = 0; w < nd->n_weights; w++)
        if (nd->weights[w].trainable) return true;
    return false;
}

static void mark_nodes(struct sn_plan *p) {
    struct sn_graph *g = p->graph;
    for (int h = 0; h < g->n_heads; h++) {
        p->place[seed_node(p, h)].visible = p->place[seed_node(p, h)].active = true;
        if (p->o.mode == SN_INFER) p->place[g->heads[h].node].visible = true;
    }
    for (int i = g->n_nodes - 1; i >= 0; i--)
        for (int k = 0; k < g->nodes[i].n_inputs; k++) {
            p->place[g->nodes[i].inputs[k]].visible |= p->place[i].visible;
            p->place[g->nodes[i].inputs[k]].active |= p->place[i].active;
        }
    bool all = p->o.mode == SN_ATTRIBUTE || (p->o.mode == SN_TRAIN && p->o.values);
    for (int i = 0; i < g->n_nodes; i++) {
        struct sn_place *pl = &p->place[i];
        const struct sn_node *nd = &g->nodes[i];
        pl->needs = all || (p->o.mode == SN_TRAIN && trainable(nd));
        for (int k = 0; k < nd->n_inputs; k++) pl->needs |= p->place[nd->inputs[k]].needs;
        pl->active = pl->active && pl->needs && p->o.mode != SN_INFER;
        pl->alias = (nd->op->flags & SN_OP_ALIAS) || ((nd->op->flags & SN_OP_STOCHASTIC) && p->o.mode != SN_TRAIN);
        pl->chain = -1;
    }
}

static int readers(const struct sn_plan *p, int node, int *only) {
    int n = 0;
    for (int i = 0; i < p->graph->n_nodes; i++)
        for (int k = 0; p->place[i].visible && k < p->graph->nodes[i].n_inputs; k++)
            if (p->graph->nodes[i].inputs[k] == node) *only = i, n++;
    return n;
}

static bool is_head(const struct sn_plan *p, int node) {
    for (int h = 0; h < p->graph->n_heads; h++)
        if (p->graph->heads[h].node == node || p->graph->heads[h].logits == node) return true;
    return false;
}

/* The chain of fusion f that starts at `node`; false when the graph does not go that way. */
static bool follow_chain(const struct sn_plan *p, const struct sn_fusion *f, int node, struct sn_chain *c) {
    const struct sn_node *nodes[SN_CHAIN_MAX];
    *c = (struct sn_chain){.fusion = f};
    for (int i = 0; i < SN_CHAIN_MAX && f->ops[i]; i++) {
        const struct sn_node *nd = &p->graph->nodes[node];
        if (strcmp(nd->op->name, f->ops[i]) != 0 || !p->place[node].visible || p->place[node].chain >= 0) return false;
        if (nd->rule == SN_ATTR_REVEAL_CANCEL) return false; /* fusions know Rescale */
        nodes[i] = nd;
        c->node[c->n++] = node;
        bool last = i + 1 == SN_CHAIN_MAX || !f->ops[i + 1];
        if (last) return f->match(nodes);
        if (readers(p, node, &node) != 1 || is_head(p, nd->id)) return false;
    }
    return false;
}

static int find_chains(struct sn_plan *p) {
    p->chains = sn_calloc((size_t)p->graph->n_nodes, sizeof *p->chains);
    if (!p->chains) return SEQNET_ENOMEM;
    const char *off = getenv("SEQNET_FUSE");
    if (!p->o.fuse || p->o.keep_all || (off && strcmp(off, "0") == 0)) return 0;
    for (int i = 1; i < p->graph->n_nodes; i++)
        for (const struct sn_fusion *const *f = sn_fusions_cpu; *f; f++) {
            struct sn_chain c;
            if (!(*f)->modes[p->o.mode] || !follow_chain(p, *f, i, &c)) continue;
            for (int k = 0; k < c.n; k++) p->place[c.node[k]].chain = p->n_chains;
            p->chains[p->n_chains++] = c;
            break;
        }
    return 0;
}

static int add_item(struct sn_plan *p, struct sn_item it) {
    void *v = p->items;
    SN_TRY(sn_grow(&v, &p->cap_items, p->n_items + 1, sizeof *p->items));
    p->items = v;
    if (it.outputs == 0) it.outputs = p->graph->nodes[it.node].out.ch;
    p->items[p->n_items++] = it;
    return 0;
}

static bool is_chain_last(const struct sn_plan *p, int node) {
    const struct sn_chain *c = &p->chains[p->place[node].chain];
    return c->node[c->n - 1] == node;
}

/* encode is computed only for readers that do not run on the codes. */
static bool encode_wanted(const struct sn_plan *p) {
    for (int i = 1; i < p->graph->n_nodes; i++)
        for (int k = 0; p->place[i].visible && k < p->graph->nodes[i].n_inputs; k++)
            if (p->graph->nodes[i].inputs[k] == 0 && !p->graph->nodes[i].on_codes) return true;
    return false;
}

bool sn_place_has_value(const struct sn_plan *p, int node) {
    const struct sn_place *pl = &p->place[node];
    if (!pl->visible || (pl->chain >= 0 && !is_chain_last(p, node))) return false;
    return node > 0 || p->o.values || encode_wanted(p);
}

/* Columns of a block of a product over `sum` channels; whole panels of packed weights. */
static int64_t column_block(const struct sn_plan *p, int64_t sum) {
    int64_t nr = p->backend->kernels.gemm_nr, cols = (int64_t)(COLUMN_BYTES / sizeof(sn_real)) / sum;
    if (cols < COLUMNS_MIN) cols = COLUMNS_MIN;
    return (cols + nr - 1) / nr * nr;
}

/* The item of a SAMPLE pass, or by outputs where the op wants that. */
static struct sn_item pass_item(const struct sn_plan *p, enum sn_item_kind kind, const struct sn_node *nd, enum sn_split split,
                                sn_pass_fn run) {
    bool forward = kind == SN_ITEM_FORWARD || kind == SN_ITEM_SPLIT;
    struct sn_item it = {.kind = kind, .node = nd->id, .chain = -1, .split = split, .run = run};
    it.outputs = forward ? nd->out.ch : nd->in[0].ch;
    if (split == SN_SPLIT_SAMPLE && nd->op->split_outputs && nd->op->split_outputs(nd))
        it.split = SN_SPLIT_OUTPUT, it.block = column_block(p, forward ? nd->in[0].ch : nd->out.ch);
    return it;
}

static int forward_items(struct sn_plan *p) {
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct sn_node *nd = &p->graph->nodes[i];
        struct sn_place *pl = &p->place[i];
        if (!sn_place_has_value(p, i) || pl->alias || (i == 0 && p->o.values)) continue;
        if (pl->chain >= 0) {
            SN_TRY(add_item(p, (struct sn_item){.kind = SN_ITEM_FORWARD, .node = i, .chain = pl->chain, .split = SN_SPLIT_SAMPLE}));
            continue;
        }
        for (int k = 0; k < SN_MAX_PHASES && nd->op->forward[k].run; k++) {
            struct sn_item it = pass_item(p, SN_ITEM_FORWARD, nd, nd->op->forward[k].split, nd->op->forward[k].run);
            bool batch_phase = it.split == SN_SPLIT_REDUCE || it.split == SN_SPLIT_ONCE;
            if (batch_phase && p->o.mode != SN_TRAIN) continue;
            SN_TRY(add_item(p, it));
        }
    }
    return 0;
}

/* Weight gradients wait until the SAMPLE stage before them has ended, then run as one stage. */
struct pending {
    struct sn_item *it;
    size_t n, cap, bytes;
};

static int add_pending(struct sn_plan *p, struct pending *q, int node, int chain) {
    const struct sn_node *nd = &p->graph->nodes[node];
    for (int w = 0; w < nd->n_weights; w++) {
        const struct sn_weight *wt = &nd->weights[w];
        if (!wt->trainable || p->o.mode != SN_TRAIN) continue;
        int64_t count = sn_weight_count(wt), cols = wt->rank > 1 ? wt->shape[wt->rank - 1] : 1;
        size_t bytes = sn_align_up((size_t)count * sizeof(sn_real)) * (size_t)p->o.leaves;
        struct sn_item it = {
            .kind = SN_ITEM_WEIGHT, .node = node, .chain = chain, .split = SN_SPLIT_REDUCE, .weight = w, .partial = q->bytes};
        it.at_once = wt->at_once && p->o.max_rows <= SN_OUTER_ROWS && p->o.leaves <= SN_OUTER_LEAVES;
        if (it.at_once || (wt->block > 0 && chain < 0 && q->bytes + bytes > (p->o.small_blocks ? 0 : PARTIALS_MAX))) {
            it.split = SN_SPLIT_OUTPUT;
            it.block = (int64_t)(BLOCK_BYTES / sizeof(sn_real)) / (cols * wt->runs * (it.at_once ? 1 : p->o.leaves));
            if (it.block < 1 || p->o.small_blocks) it.block = 1;
            it.block = (it.block + wt->block - 1) / wt->block * wt->block;
        } else {
            q->bytes += bytes;
        }
        void *v = q->it;
        SN_TRY(sn_grow(&v, &q->cap, q->n + 1, sizeof *q->it));
        q->it = v;
        q->it[q->n++] = it;
    }
    return 0;
}

static int flush_pending(struct sn_plan *p, struct pending *q) {
    for (size_t i = 0; i < q->n; i++) SN_TRY(add_item(p, q->it[i]));
    if (q->bytes > p->weight_partial_bytes) p->weight_partial_bytes = q->bytes;
    q->n = q->bytes = 0;
    return 0;
}

static bool input_needs(const struct sn_plan *p, const struct sn_node *nd) {
    for (int k = 0; k < nd->n_inputs; k++)
        if (p->place[nd->inputs[k]].active) return true;
    return false;
}

static int graph_item(struct sn_plan *p, enum sn_item_kind kind, int node) {
    return add_item(p, (struct sn_item){.kind = kind, .node = node, .chain = -1, .split = SN_SPLIT_SAMPLE});
}

/* Reveal-Cancel: parts of differences, in forward order. */
static int split_items(struct sn_plan *p) {
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct sn_node *nd = &p->graph->nodes[i];
        if (!nd->parts || sn_rule_shares_parts(p, nd)) continue;
        if (nd->op->flags & SN_OP_SIGNED) SN_TRY(graph_item(p, SN_ITEM_DIFF, i));
        if (sn_rule_begins_parts(nd))
            SN_TRY(graph_item(p, SN_ITEM_SPLIT, i));
        else
            SN_TRY(add_item(p, pass_item(p, SN_ITEM_SPLIT, nd, SN_SPLIT_SAMPLE, nd->op->split)));
    }
    return 0;
}

static int backward_items(struct sn_plan *p, struct pending *q, const struct sn_node *nd) {
    const struct sn_place *pl = &p->place[nd->id];
    if (!input_needs(p, nd) && !pl->keep.reverse && !(nd->op->flags & SN_OP_NO_ROW)) return 0;
    for (int k = 0; k < SN_MAX_PHASES && nd->op->backward[k].run; k++) {
        struct sn_item it = pass_item(p, SN_ITEM_BACKWARD, nd, nd->op->backward[k].split, nd->op->backward[k].run);
        if (it.split != SN_SPLIT_SAMPLE) SN_TRY(flush_pending(p, q));
        SN_TRY(add_item(p, it));
    }
    return 0;
}

/* The gradient buffers that readers write for `node` are summed when there are several; layout.c fills the edges. */
static bool needs_sum(const struct sn_plan *p, int node) {
    int n = 0;
    for (int i = 0; i < p->graph->n_nodes; i++)
        for (int k = 0; p->place[i].active && k < p->graph->nodes[i].n_inputs; k++) n += p->graph->nodes[i].inputs[k] == node;
    for (int h = 0; h < p->graph->n_heads; h++) n += seed_node(p, h) == node;
    return n > 1;
}

static int reverse_items(struct sn_plan *p) {
    struct pending q = {0};
    int rc = split_items(p);
    if (rc < 0) return rc;
    for (int i = p->graph->n_nodes - 1; i >= 0; i--) {
        const struct sn_node *nd = &p->graph->nodes[i];
        const struct sn_place *pl = &p->place[i];
        const int chain = sn_reverse_chain(p, i);
        if (!pl->active || (chain >= 0 && !is_chain_last(p, i))) continue;
        if (needs_sum(p, i)) SN_GO(graph_item(p, SN_ITEM_SUM, i));
        if (sn_rule_begins_parts(nd)) SN_GO(graph_item(p, SN_ITEM_COLLAPSE, i));
        if (i == 0 || (pl->alias && (p->o.mode != SN_ATTRIBUTE || sn_rule_shares_parts(p, nd)))) continue;
        if (chain >= 0) {
            if (p->o.mode == SN_ATTRIBUTE)
                SN_GO(add_item(p, (struct sn_item){.kind = SN_ITEM_ATTRIBUTE, .node = i, .chain = chain, .split = SN_SPLIT_SAMPLE}));
            else
                SN_GO(add_pending(p, &q, p->chains[chain].node[0], chain));
            continue;
        }
        if (p->o.mode == SN_ATTRIBUTE)
            SN_GO(add_item(p, pass_item(p, SN_ITEM_ATTRIBUTE, nd, SN_SPLIT_SAMPLE, nd->op->attribute)));
        else
            SN_GO(backward_items(p, &q, nd));
        SN_GO(add_pending(p, &q, i, -1));
        if (p->items[p->n_items - 1].split == SN_SPLIT_OUTPUT) SN_GO(flush_pending(p, &q)); /* a barrier in any case: frees large inputs */
    }
    rc = flush_pending(p, &q);
done:
    free(q.it);
    return rc;
}

static double item_work(const struct sn_plan *p, const struct sn_item *it) {
    const struct sn_node *nd = &p->graph->nodes[it->chain >= 0 ? p->chains[it->chain].node[0] : it->node];
    return nd->op->work ? nd->op->work(nd) : (double)sn_elements(&nd->out);
}

static bool joins(const struct sn_plan *p, const struct sn_stage *st, const struct sn_item *it, bool reverse) {
    const struct sn_item *first = &p->items[st->first];
    if (st->reverse != reverse) return false;
    if (it->kind == SN_ITEM_WEIGHT || first->kind == SN_ITEM_WEIGHT) return it->kind == first->kind;
    return it->split == SN_SPLIT_SAMPLE && st->split == SN_SPLIT_SAMPLE;
}

static int group_stages(struct sn_plan *p, size_t n_forward_items) {
    for (size_t i = 0; i < p->n_items; i++) {
        struct sn_item *it = &p->items[i];
        bool reverse = i >= n_forward_items;
        if (p->n_stages == 0 || !joins(p, &p->stages[p->n_stages - 1], it, reverse)) {
            void *v = p->stages;
            SN_TRY(sn_grow(&v, &p->cap_stages, p->n_stages + 1, sizeof *p->stages));
            p->stages = v;
            p->stages[p->n_stages++] =
                (struct sn_stage){.first = (int)i, .reverse = reverse, .split = it->kind == SN_ITEM_WEIGHT ? SN_SPLIT_NONE : it->split};
            p->n_forward += !reverse;
        }
        struct sn_stage *st = &p->stages[p->n_stages - 1];
        st->n++;
        st->work += item_work(p, it);
        it->stage = (int)p->n_stages - 1 + reverse; /* the loss stands between */
    }
    return 0;
}

static size_t weight_bytes(const struct sn_node *nd) {
    int64_t n = 0;
    for (int w = 0; w < nd->n_weights; w++) n += sn_weight_count(&nd->weights[w]);
    return (size_t)n * sizeof(sn_real);
}

/* Rows of a tile: as many as keep what the stage touches in cache; depends on shapes only. */
static void size_tiles(struct sn_plan *p) {
    for (size_t s = 0; s < p->n_stages; s++) {
        struct sn_stage *st = &p->stages[s];
        size_t bytes = 1, weights = 0;
        bool sequence = false;
        for (int i = st->first; i < st->first + st->n; i++) {
            const struct sn_node *nd = &p->graph->nodes[p->items[i].node];
            bytes += (size_t)sn_elements(&nd->out) * sizeof(sn_real);
            weights += weight_bytes(nd);
            sequence |= nd->op->geometry && nd->op->geometry(nd).kind == SN_GEO_SEQUENCE;
        }
        size_t rows = TILE_BYTES / bytes;
        if (weights > TILE_BYTES && rows < TILE_ROWS_WEIGHTS) rows = TILE_ROWS_WEIGHTS;
        st->tile_rows = rows < 1 ? 1 : rows > TILE_ROWS_MAX ? TILE_ROWS_MAX : (int)rows;
        if (sequence) st->tile_rows = TILE_ROWS_SEQUENCE;
        int most = st->reverse && p->o.mode == SN_ATTRIBUTE ? p->o.max_pairs : p->o.max_rows;
        if (p->backend->single_tile || st->tile_rows > most) st->tile_rows = most;
    }
}

int sn_plan_schedule(struct sn_plan *p) {
    mark_nodes(p);
    SN_TRY(sn_plan_rules(p));
    SN_TRY(find_chains(p));
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct sn_node *nd = &p->graph->nodes[i];
        struct sn_place *pl = &p->place[i];
        const int chain = sn_reverse_chain(p, i);
        if (chain >= 0 && is_chain_last(p, i)) {
            const struct sn_node *nodes[SN_CHAIN_MAX];
            sn_chain_nodes(p, chain, nodes);
            p->chains[chain].fusion->keep(nodes, p->o.mode, &pl->keep);
        } else if (chain < 0 && nd->op->keep) {
            nd->op->keep(nd, p->o.mode, &pl->keep);
        }
        if (sn_rule_begins_parts(nd)) pl->keep.output = true;
    }
    SN_TRY(forward_items(p));
    size_t n_forward_items = p->n_items;
    if (p->o.mode != SN_INFER) SN_TRY(reverse_items(p));
    SN_TRY(group_stages(p, n_forward_items));
    size_tiles(p);
    return 0;
}
