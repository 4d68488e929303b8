/* Where tensors lie: buffers and their lifetimes over the forward and reverse order, in-place sharing, offsets. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "graph/plan_parts.h"
#include "ops/common.h"

static int new_buffer(struct sn_plan *p, size_t row_bytes, bool pairs, int *out) {
    void *v = p->buffers;
    SN_TRY(sn_grow(&v, &p->cap_buffers, p->n_buffers + 1, sizeof *p->buffers));
    p->buffers = v;
    p->buffers[p->n_buffers] = (struct sn_buffer){.row_bytes = sn_align_up(row_bytes), .pairs = pairs, .first_stage = -1, .first_item = -1};
    *out = (int)p->n_buffers++;
    return 0;
}

static size_t parts_bytes(const struct sn_shape *s) {
    return (size_t)(2 * sn_elements(s)) * sizeof(sn_real);
}

/* For pairs, of two parts. */
static int new_parts(struct sn_plan *p, const struct sn_shape *s, int *out) {
    SN_TRY(new_buffer(p, parts_bytes(s), true, out));
    p->buffers[*out].parts = true;
    return 0;
}

static size_t shape_bytes(const struct sn_shape *s) {
    return (size_t)sn_elements(s) * sizeof(sn_real);
}

static void touch_at(struct sn_plan *p, int buffer, int stage, int item) {
    if (buffer < 0) return;
    struct sn_buffer *b = &p->buffers[buffer];
    if (b->first_stage < 0) b->first_stage = stage, b->first_item = item;
    if (stage < b->first_stage) b->first_stage = stage;
    if (item < b->first_item) b->first_item = item;
    if (stage > b->last_stage) b->last_stage = stage;
    if (item > b->last_item) b->last_item = item;
}

static void pin(struct sn_plan *p, int buffer, int from_stage) {
    if (buffer < 0) return;
    touch_at(p, buffer, from_stage, 0);
    p->buffers[buffer].pinned = true;
    p->buffers[buffer].last_stage = INT_MAX;
}

/* Readers of a node's memory: aliases pass it on. */
static int memory_readers(const struct sn_plan *p, int node) {
    int n = 0;
    for (int i = node + 1; i < p->graph->n_nodes; i++)
        for (int k = 0; p->place[i].visible && k < p->graph->nodes[i].n_inputs; k++)
            if (p->graph->nodes[i].inputs[k] == node) n += p->place[i].alias ? memory_readers(p, i) : 1;
    return n;
}

static bool in_heads(const struct sn_plan *p, int value) {
    for (int h = 0; h < p->graph->n_heads; h++)
        if (p->place[p->graph->heads[h].logits].value == value || p->place[p->graph->heads[h].node].value == value) return true;
    return false;
}

static bool may_overwrite_input(const struct sn_plan *p, const struct sn_node *nd) {
    if (!(nd->op->flags & SN_OP_INPLACE) || p->place[nd->id].keep.inputs || p->o.keep_all) return false;
    int root = nd->inputs[0];
    while (p->place[root].alias) root = p->graph->nodes[root].inputs[0];
    return root > 0 && !p->place[root].keep.output && memory_readers(p, root) == 1 && !in_heads(p, p->place[root].value);
}

static int place_values(struct sn_plan *p) {
    bool grads_are_pairs = p->o.mode == SN_ATTRIBUTE;
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct sn_node *nd = &p->graph->nodes[i];
        struct sn_place *pl = &p->place[i];
        if (!sn_place_has_value(p, i)) continue;
        if (pl->alias || (pl->chain < 0 && may_overwrite_input(p, nd)))
            pl->value = p->place[nd->inputs[0]].value;
        else
            SN_TRY(new_buffer(p, shape_bytes(&nd->out), false, &pl->value));
        if (pl->keep.cache) SN_TRY(new_buffer(p, pl->keep.cache, false, &pl->cache));
        if (pl->keep.scratch) SN_TRY(new_buffer(p, pl->keep.scratch, grads_are_pairs, &pl->scratch));
    }
    return 0;
}

static int place_splits(struct sn_plan *p) {
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct sn_node *nd = &p->graph->nodes[i];
        struct sn_place *pl = &p->place[i];
        if (!nd->parts) continue;
        if (sn_rule_shares_parts(p, nd))
            pl->split = p->place[nd->inputs[0]].split;
        else
            SN_TRY(new_parts(p, &nd->out, &pl->split));
        if (nd->op->flags & SN_OP_SIGNED) SN_TRY(new_parts(p, &nd->in[0], &pl->diff));
    }
    return 0;
}

/* The buffers that hold shares of the gradient of node's output: what its readers write, and the heads' own. */
static int gradient_edges(const struct sn_plan *p, int node, int edge[SN_MAX_EDGES]) {
    int n = 0;
    for (int i = node + 1; i < p->graph->n_nodes; i++)
        for (int k = 0; p->place[i].active && k < p->graph->nodes[i].n_inputs; k++)
            if (p->graph->nodes[i].inputs[k] == node && n < SN_MAX_EDGES) edge[n++] = p->place[i].grad_in[k];
    for (int h = 0; h < p->graph->n_heads; h++) {
        int seed = p->o.mode == SN_ATTRIBUTE && p->o.through_output ? p->graph->heads[h].node : p->graph->heads[h].logits;
        if (seed == node && n < SN_MAX_EDGES) edge[n++] = p->head_grad[h];
    }
    return n;
}

static struct sn_item *sum_item(struct sn_plan *p, int node) {
    for (size_t i = 0; i < p->n_items; i++)
        if (p->items[i].kind == SN_ITEM_SUM && p->items[i].node == node) return &p->items[i];
    return NULL;
}

static int place_output_gradient(struct sn_plan *p, int node) {
    struct sn_place *pl = &p->place[node];
    int edge[SN_MAX_EDGES], n = gradient_edges(p, node, edge);
    if (n == 1) {
        pl->grad_out = edge[0];
        return 0;
    }
    struct sn_item *sum = sum_item(p, node);
    if (n >= SN_MAX_EDGES || !sum)
        return sn_error(SEQNET_EARCH, "layer %s is read by more than %d layers", p->graph->nodes[node].name, SN_MAX_EDGES - 1);
    memcpy(sum->edge, edge, (size_t)n * sizeof *edge);
    sum->n_edges = n;
    if (p->graph->nodes[node].parts) return new_parts(p, &p->graph->nodes[node].out, &pl->grad_out);
    return new_buffer(p, shape_bytes(&p->graph->nodes[node].out), p->o.mode == SN_ATTRIBUTE, &pl->grad_out);
}

/* Where parts begin, multipliers in parts become one. */
static int place_collapse(struct sn_plan *p, int node) {
    struct sn_place *pl = &p->place[node];
    if (!sn_rule_begins_parts(&p->graph->nodes[node])) return 0;
    pl->collapse = pl->grad_out;
    return new_buffer(p, shape_bytes(&p->graph->nodes[node].out), true, &pl->grad_out);
}

/* A value that the reverse pass reads for nd alone: its gradient may take its place. */
static bool may_overwrite_value(const struct sn_plan *p, const struct sn_node *nd) {
    const int value = p->place[nd->id].value;
    if (p->o.mode != SN_TRAIN || in_heads(p, value)) return false;
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct sn_place *pl = &p->place[i];
        if (pl->value == value && pl->keep.output && i != nd->id) return false;
        for (int k = 0; (pl->keep.inputs || sn_reverse_chain(p, i) >= 0) && k < p->graph->nodes[i].n_inputs; k++)
            if (p->place[p->graph->nodes[i].inputs[k]].value == value) return false;
    }
    return true;
}

static int place_input_gradient(struct sn_plan *p, const struct sn_node *nd, int k) {
    struct sn_place *pl = &p->place[nd->id];
    const bool shared = p->buffers[pl->grad_out].shared, parts = sn_rule_wants_parts(nd);
    const bool inplace = (nd->op->flags & SN_OP_INPLACE) && parts == p->buffers[pl->grad_out].parts;
    const bool alias = pl->alias && (p->o.mode != SN_ATTRIBUTE || sn_rule_shares_parts(p, nd));
    if (nd->op->flags & SN_OP_SPREADS) p->buffers[pl->grad_out].shared = true;
    if (alias || (inplace && !shared) || (nd->op->flags & SN_OP_SPREADS))
        pl->grad_in[k] = pl->grad_out;
    else if (inplace && pl->keep.output && may_overwrite_value(p, nd))
        pl->grad_in[k] = pl->value;
    else if (parts)
        return new_parts(p, &nd->in[k], &pl->grad_in[k]);
    else
        return new_buffer(p, shape_bytes(&nd->in[k]), p->o.mode == SN_ATTRIBUTE, &pl->grad_in[k]);
    return 0;
}

/* Of the input of a chain that begins with this node. */
static int place_chain_multipliers(struct sn_plan *p, int node) {
    return new_buffer(p, shape_bytes(&p->graph->nodes[node].in[0]), true, &p->place[node].grad_in[0]);
}

static int place_gradients(struct sn_plan *p) {
    bool pairs = p->o.mode == SN_ATTRIBUTE;
    for (int h = 0; h < p->graph->n_heads; h++)
        SN_TRY(new_buffer(p, shape_bytes(&p->graph->nodes[p->graph->heads[h].logits].out), pairs, &p->head_grad[h]));
    for (int i = p->graph->n_nodes - 1; i >= 0; i--) {
        const struct sn_node *nd = &p->graph->nodes[i];
        struct sn_place *pl = &p->place[i];
        const int chain = sn_reverse_chain(p, i);
        bool inner = chain >= 0 && p->chains[chain].node[p->chains[chain].n - 1] != i;
        if (!pl->active || inner) continue;
        SN_TRY(place_output_gradient(p, i));
        SN_TRY(place_collapse(p, i));
        for (int k = 0; k < nd->n_inputs && chain < 0; k++)
            if (p->place[nd->inputs[k]].active) SN_TRY(place_input_gradient(p, nd, k));
        if (chain >= 0 && p->o.mode == SN_ATTRIBUTE) SN_TRY(place_chain_multipliers(p, p->chains[chain].node[0]));
    }
    return 0;
}

/* Items of Reveal-Cancel; false: none. */
static bool touch_parts(struct sn_plan *p, const struct sn_item *it, int i) {
    const struct sn_node *nd = &p->graph->nodes[it->node];
    const struct sn_place *pl = &p->place[it->node];
    const bool own_value = it->kind == SN_ITEM_COLLAPSE || (it->kind == SN_ITEM_SPLIT && !it->run);
    if (it->kind != SN_ITEM_DIFF && it->kind != SN_ITEM_SPLIT && it->kind != SN_ITEM_COLLAPSE) return false;
    if (own_value) touch_at(p, pl->value, it->stage, i);
    if (it->kind == SN_ITEM_COLLAPSE) {
        touch_at(p, pl->collapse, it->stage, i);
        touch_at(p, pl->grad_out, it->stage, i);
        return true;
    }
    for (int k = 0; k < nd->n_inputs && !own_value; k++) {
        if (pl->keep.inputs) touch_at(p, p->place[nd->inputs[k]].value, it->stage, i);
        if (it->kind == SN_ITEM_SPLIT) touch_at(p, p->place[nd->inputs[k]].split, it->stage, i);
    }
    touch_at(p, pl->diff, it->stage, i);
    if (it->kind == SN_ITEM_SPLIT) touch_at(p, pl->split, it->stage, i);
    return true;
}

static void touch_item(struct sn_plan *p, int i) {
    const struct sn_item *it = &p->items[i];
    if (touch_parts(p, it, i)) return;
    int last = it->node, first = it->node;
    if (it->chain >= 0) {
        const struct sn_chain *c = &p->chains[it->chain];
        first = c->node[0], last = c->node[c->n - 1];
    }
    const struct sn_node *nd = &p->graph->nodes[first];
    const struct sn_place *pl = &p->place[last];
    bool forward = it->kind == SN_ITEM_FORWARD;
    if (it->kind == SN_ITEM_SUM) {
        for (int k = 0; k < it->n_edges; k++) touch_at(p, it->edge[k], it->stage, i);
        touch_at(p, pl->collapse < 0 ? pl->grad_out : pl->collapse, it->stage, i);
        return;
    }
    for (int k = 0; k < nd->n_inputs && (forward || pl->keep.inputs); k++)
        if (!nd->on_codes) touch_at(p, p->place[nd->inputs[k]].value, it->stage, i);
    for (int k = 0; k < p->graph->nodes[last].n_inputs && forward && last != first; k++) /* add: what does not come from the chain */
        touch_at(p, p->place[p->graph->nodes[last].inputs[k]].value, it->stage, i);
    if (forward || pl->keep.output) touch_at(p, pl->value, it->stage, i);
    touch_at(p, pl->cache, it->stage, i);
    if (forward) return;
    touch_at(p, pl->scratch, it->stage, i);
    touch_at(p, pl->grad_out, it->stage, i);
    if (nd->rule == SN_ATTR_REVEAL_CANCEL) touch_at(p, p->place[nd->inputs[0]].split, it->stage, i);
    for (int k = 0; k < nd->n_inputs && it->kind != SN_ITEM_WEIGHT; k++) touch_at(p, p->place[first].grad_in[k], it->stage, i);
}

static void find_lifetimes(struct sn_plan *p) {
    for (size_t i = 0; i < p->n_items; i++) touch_item(p, (int)i);
    for (int h = 0; h < p->graph->n_heads; h++) {
        const struct sn_head *head = &p->graph->heads[h];
        pin(p, p->place[head->logits].value, p->n_forward);
        if (p->place[head->node].visible) pin(p, p->place[head->node].value, p->n_forward);
        if (p->o.mode != SN_INFER) pin(p, p->head_grad[h], p->n_forward);
    }
    if (p->o.values) pin(p, p->place[0].value, 0);
    for (size_t b = 0; b < p->n_buffers && p->o.keep_all; b++)
        if (p->buffers[b].first_stage >= 0) pin(p, (int)b, p->buffers[b].first_stage);
    if (p->o.mode != SN_INFER) pin(p, p->place[0].grad_out, p->n_forward);
    for (size_t b = 0; b < p->n_buffers; b++) {
        struct sn_buffer *bf = &p->buffers[b];
        if (bf->first_stage < 0 || bf->pinned || bf->first_stage != bf->last_stage) continue;
        int stage = p->items[bf->first_item].stage;
        bf->local = p->stages[stage > p->n_forward ? stage - 1 : stage].split == SN_SPLIT_SAMPLE;
    }
}

struct slot {
    struct sn_buffer *b;
    size_t bytes;
    int from, to;
};

static int larger_first(const void *a, const void *b) {
    const struct slot *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->b < y->b ? -1 : x->b > y->b;
}

/* First fit by falling size: each buffer at the lowest offset free during its whole life. Returns the arena's size. */
static size_t pack(struct slot *s, size_t n) {
    size_t total = 0;
    qsort(s, n, sizeof *s, larger_first);
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        for (size_t k = 0; k < i;) { /* restart after every move: few hundred buffers */
            bool clash =
                s[k].from <= s[i].to && s[i].from <= s[k].to && at < s[k].b->offset + s[k].bytes && s[k].b->offset < at + s[i].bytes;
            if (clash)
                at = s[k].b->offset + s[k].bytes, k = 0;
            else
                k++;
        }
        s[i].b->offset = at;
        if (at + s[i].bytes > total) total = at + s[i].bytes;
    }
    return total;
}

static int pack_global(struct sn_plan *p, struct slot *s) {
    size_t n = 0;
    for (size_t b = 0; b < p->n_buffers; b++) {
        struct sn_buffer *bf = &p->buffers[b];
        if (bf->first_stage < 0 || bf->local) continue;
        size_t bytes;
        if (!sn_mul_size(bf->row_bytes, (size_t)(bf->pairs ? p->o.max_pairs : p->o.max_rows), &bytes))
            return sn_error(SEQNET_ENOMEM, "a batch of %d rows of %zu bytes does not fit in memory", p->o.max_rows, bf->row_bytes);
        s[n++] = (struct slot){.b = bf, .bytes = bytes, .from = bf->first_stage, .to = bf->last_stage};
    }
    p->act_bytes = pack(s, n);
    return 0;
}

static void pack_local(struct sn_plan *p, struct slot *s) {
    for (size_t st = 0; st < p->n_stages; st++) {
        size_t n = 0;
        for (size_t b = 0; b < p->n_buffers; b++) {
            struct sn_buffer *bf = &p->buffers[b];
            if (!bf->local || bf->first_item < p->stages[st].first || bf->first_item >= p->stages[st].first + p->stages[st].n) continue;
            s[n++] = (struct slot){
                .b = bf, .bytes = bf->row_bytes * (size_t)p->stages[st].tile_rows, .from = bf->first_item, .to = bf->last_item};
        }
        size_t total = pack(s, n);
        if (total > p->local_bytes) p->local_bytes = total;
    }
}

/* Prepared weights, workspaces and partials that do not depend on the batch. */
static void size_nodes(struct sn_plan *p) {
    int rows = 1;
    for (size_t s = 0; s < p->n_stages; s++)
        if (p->stages[s].tile_rows > rows) rows = p->stages[s].tile_rows;
    int leaves_rows = p->o.mode == SN_TRAIN ? (p->o.max_rows + p->o.leaves - 1) / p->o.leaves : 1;
    if (leaves_rows > rows) rows = leaves_rows; /* weight gradients run on whole leaves */
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct sn_node *nd = &p->graph->nodes[i];
        struct sn_place *pl = &p->place[i];
        if (!pl->visible) continue;
        if (nd->op->sizes) nd->op->sizes(nd, p->o.mode, &p->backend->kernels, rows, &pl->sizes);
        pl->prepared = p->prepared_bytes;
        p->prepared_bytes += sn_align_up(pl->sizes.prepared);
        pl->partial = p->partial_bytes;
        p->partial_bytes += sn_align_up(pl->sizes.partial) * (size_t)p->o.leaves;
        if (pl->sizes.workspace > p->ws_bytes) p->ws_bytes = pl->sizes.workspace;
    }
    for (int c = 0; c < p->n_chains; c++) {
        const struct sn_node *nodes[SN_CHAIN_MAX];
        struct sn_sizes s = {0};
        sn_chain_nodes(p, c, nodes);
        p->chains[c].fusion->sizes(nodes, p->o.mode, &p->backend->kernels, &s);
        if (s.workspace > p->ws_bytes) p->ws_bytes = s.workspace;
    }
    p->ws_bytes = sn_align_up(p->ws_bytes);
    for (size_t i = 0; i < p->n_items; i++) {
        const struct sn_item *it = &p->items[i];
        if (it->kind != SN_ITEM_WEIGHT || it->split != SN_SPLIT_OUTPUT || it->at_once) continue;
        const struct sn_weight *w = &p->graph->nodes[it->node].weights[it->weight];
        int64_t cols = w->rank > 1 ? w->shape[w->rank - 1] : 1;
        size_t bytes = sn_align_up((size_t)(it->block * w->runs * cols) * sizeof(sn_real)) * (size_t)p->o.leaves;
        if (bytes > p->weight_ws_bytes) p->weight_ws_bytes = bytes;
    }
}

int sn_plan_layout(struct sn_plan *p) {
    for (int i = 0; i < p->graph->n_nodes; i++) {
        struct sn_place *pl = &p->place[i];
        pl->value = pl->cache = pl->scratch = pl->grad_out = pl->split = pl->diff = pl->collapse = -1;
        for (int k = 0; k < SN_MAX_INPUTS; k++) pl->grad_in[k] = -1;
    }
    SN_TRY(place_values(p));
    SN_TRY(place_splits(p));
    if (p->o.mode != SN_INFER) SN_TRY(place_gradients(p));
    find_lifetimes(p);
    struct slot *s = sn_calloc(p->n_buffers + 1, sizeof *s);
    if (!s) return SEQNET_ENOMEM;
    int rc = pack_global(p, s);
    pack_local(p, s);
    free(s);
    SN_TRY(rc);
    size_nodes(p);
    return 0;
}
