#include "graph/graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"

/* Longest input that is tried when looking for the shortest one that fits. */
#define LONGEST_MINIMUM (1 << 24)

int64_t sn_weight_count(const struct sn_weight *w) {
    int64_t n = 1;
    for (int i = 0; i < w->rank; i++) n *= w->shape[i];
    return n;
}

int sn_graph_create(int channels, struct sn_graph **out) {
    *out = NULL;
    struct sn_graph *g = sn_calloc(1, sizeof *g);
    if (!g) return SEQNET_ENOMEM;
    g->channels = channels;
    int rc = sn_graph_add(g, sn_op_find("encode"), NULL, NULL, 0);
    if (rc < 0) {
        sn_graph_free(g);
        return rc;
    }
    *out = g;
    return 0;
}

void sn_graph_free(struct sn_graph *g) {
    if (!g) return;
    free(g->nodes);
    free(g);
}

int sn_graph_copy(const struct sn_graph *g, struct sn_graph **out) {
    *out = NULL;
    struct sn_graph *c = sn_calloc(1, sizeof *c);
    if (!c) return SEQNET_ENOMEM;
    *c = *g;
    c->cap = (size_t)g->n_nodes;
    c->nodes = sn_calloc(c->cap, sizeof *c->nodes);
    if (!c->nodes) {
        free(c);
        return SEQNET_ENOMEM;
    }
    memcpy(c->nodes, g->nodes, c->cap * sizeof *c->nodes);
    *out = c;
    return 0;
}

int sn_graph_find(const struct sn_graph *g, const char *name) {
    for (int i = 0; i < g->n_nodes; i++)
        if (strcmp(g->nodes[i].name, name) == 0) return i;
    return -1;
}

static void default_params(struct sn_node *nd) {
    for (int i = 0; nd->op->params && nd->op->params[i].name; i++) {
        double def = nd->op->params[i].def;
        nd->p[i].f = def;
        nd->p[i].i = isnan(def) ? 0 : (int64_t)def;
    }
}

static int name_node(const struct sn_graph *g, const char *name, struct sn_node *nd) {
    if (name) {
        if (strlen(name) >= SN_NAME_MAX)
            return sn_error(SEQNET_EARCH, "layer name \"%.40s...\" is longer than %d characters", name, SN_NAME_MAX - 1);
        if (sn_graph_find(g, name) >= 0) return sn_error(SEQNET_EARCH, "two layers are named \"%s\"", name);
        snprintf(nd->name, sizeof nd->name, "%s", name);
        return 0;
    }
    snprintf(nd->name, sizeof nd->name, "%s", nd->op->name);
    for (int i = 1; sn_graph_find(g, nd->name) >= 0; i++) snprintf(nd->name, sizeof nd->name, "%s_%d", nd->op->name, i);
    return 0;
}

int sn_graph_add(struct sn_graph *g, const struct sn_op *op, const char *name, const int *inputs, int n_inputs) {
    if (n_inputs < op->min_inputs || n_inputs > op->max_inputs)
        return sn_error(SEQNET_EARCH, "layer %s takes %d%s inputs, got %d", op->name, op->min_inputs,
                        op->max_inputs > op->min_inputs ? " or more" : "", n_inputs);
    struct sn_node nd = {.op = op, .id = g->n_nodes, .n_inputs = n_inputs};
    for (int i = 0; i < n_inputs; i++) {
        if (inputs[i] < 0 || inputs[i] >= g->n_nodes)
            return sn_error(SEQNET_EARCH, "layer %s reads a layer that does not stand before it", op->name);
        nd.inputs[i] = inputs[i];
    }
    SN_TRY(name_node(g, name, &nd));
    default_params(&nd);
    void *nodes = g->nodes;
    SN_TRY(sn_grow(&nodes, &g->cap, (size_t)g->n_nodes + 1, sizeof *g->nodes));
    g->nodes = nodes;
    g->nodes[g->n_nodes] = nd;
    return g->n_nodes++;
}

int sn_graph_add_head(struct sn_graph *g, const char *name, int node, enum sn_loss_kind loss, double weight) {
    if (g->n_heads == SN_MAX_HEADS) return sn_error(SEQNET_EARCH, "more than %d heads", SN_MAX_HEADS);
    if (node <= 0 || node >= g->n_nodes) return sn_error(SEQNET_EARCH, "head \"%s\" names no layer", name);
    struct sn_head *h = &g->heads[g->n_heads++];
    *h = (struct sn_head){.node = node, .logits = node, .kind = SN_TARGET_VALUE, .loss = loss, .weight = weight};
    snprintf(h->name, sizeof h->name, "%s", name);
    return 0;
}

void sn_graph_bind_tasks(struct sn_graph *g, int n) {
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; g->nodes[i].op->params && g->nodes[i].op->params[k].name; k++)
            if (g->nodes[i].op->params[k].tasks && g->nodes[i].p[k].i == SN_TASKS) g->nodes[i].p[k].i = n;
}

static int at_layer(const struct sn_node *nd, int code) {
    if (nd->line > 0) return sn_error_prefix(code, "line %d: layer %s", nd->line, nd->name);
    return sn_error_prefix(code, "layer %s", nd->name);
}

static int check_node(struct sn_graph *g, struct sn_node *nd) {
    for (int i = 0; i < nd->n_inputs; i++) nd->in[i] = g->nodes[nd->inputs[i]].out;
    nd->n_weights = 0;
    nd->on_codes = (nd->op->flags & SN_OP_CODES) && nd->inputs[0] == 0 && !g->dense_input;
    for (int k = 0; nd->op->params && nd->op->params[k].name; k++)
        if (nd->op->params[k].tasks && nd->p[k].i == SN_TASKS)
            return sn_error(SEQNET_EARCH, "%s: tasks is not known yet", nd->op->params[k].name);
    if ((nd->op->flags & SN_OP_FIXED) && nd->in[0].var)
        return sn_error(SEQNET_ESHAPE, "needs sequences of one length; set input.length to a number or to `data`");
    SN_TRY(nd->op->shape(nd));
    int64_t per_row;
    if (nd->out.len < 1 || nd->out.ch < 1 || __builtin_mul_overflow(nd->out.len, nd->out.ch, &per_row) || per_row > INT32_MAX)
        return sn_error(SEQNET_ESHAPE, "output of %lld positions x %lld channels is too large", (long long)nd->out.len,
                        (long long)nd->out.ch);
    return 0;
}

static int lay_out_weights(struct sn_graph *g) {
    g->n_params = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        struct sn_node *nd = &g->nodes[i];
        for (int w = 0; w < nd->n_weights; w++) {
            int64_t n = 1;
            for (int r = 0; r < nd->weights[w].rank; r++)
                if (__builtin_mul_overflow(n, nd->weights[w].shape[r], &n) || n > INT32_MAX)
                    return at_layer(nd, sn_error(SEQNET_ESHAPE, "weight %s has more than 2^31 values", nd->weights[w].name));
            nd->weight_offset[w] = g->n_params;
            g->n_params += n;
        }
    }
    return 0;
}

static int check_heads(struct sn_graph *g) {
    for (int h = 0; h < g->n_heads; h++) {
        struct sn_head *head = &g->heads[h];
        const struct sn_node *nd = &g->nodes[head->node];
        if (nd->out.seq)
            return at_layer(nd,
                            sn_error(SEQNET_ESHAPE, "gives %lld positions; a head must be a vector (pool, flatten, or a last state first)",
                                     (long long)nd->out.len));
        head->logits = nd->op->flags & SN_OP_LOGIT ? nd->inputs[0] : head->node;
    }
    return 0;
}

int sn_graph_lengths(const struct sn_graph *g, int64_t len, int32_t *out) {
    if (len < 1 || len > INT32_MAX) return sn_error(SEQNET_ESHAPE, "a sequence of %lld positions", (long long)len);
    out[0] = (int32_t)len;
    for (int i = 1; i < g->n_nodes; i++) {
        const struct sn_node *nd = &g->nodes[i];
        int32_t in = out[nd->inputs[0]];
        for (int k = 1; k < nd->n_inputs; k++)
            if (out[nd->inputs[k]] != in)
                return at_layer(nd, sn_error(SEQNET_ESHAPE, "inputs of %d and %d positions for a sequence of %lld", in, out[nd->inputs[k]],
                                             (long long)len));
        bool to_vector = !nd->out.seq && nd->in[0].seq && !nd->op->out_len;
        int64_t n = nd->op->out_len ? nd->op->out_len(nd, in) : to_vector ? 1 : in;
        if (n < 1)
            return at_layer(
                nd, sn_error(SEQNET_ESHAPE, "a sequence of %lld positions is too short: this layer would have none", (long long)len));
        out[i] = (int32_t)n;
    }
    return 0;
}

static bool long_enough(const struct sn_graph *g, int64_t len, int32_t *scratch) {
    return sn_graph_lengths(g, len, scratch) == 0;
}

static int find_min_len(struct sn_graph *g, int64_t len) {
    int32_t *scratch = sn_calloc((size_t)g->n_nodes, sizeof *scratch);
    if (!scratch) return SEQNET_ENOMEM;
    int64_t lo = 0, hi = len < LONGEST_MINIMUM ? len : LONGEST_MINIMUM; /* hi fits: shapes were checked at len */
    while (hi - lo > 1) {
        int64_t mid = lo + (hi - lo) / 2;
        if (long_enough(g, mid, scratch))
            hi = mid;
        else
            lo = mid;
    }
    g->min_len = hi;
    free(scratch);
    return 0;
}

/* Receptive field and step of each node in input positions; the graph's is the widest before the sequence is pooled, flattened or ended. */
static int find_receptive(struct sn_graph *g) {
    int64_t *field = sn_calloc((size_t)g->n_nodes * 2, sizeof *field);
    if (!field) return SEQNET_ENOMEM;
    int64_t *jump = field + g->n_nodes;
    field[0] = jump[0] = 1;
    g->receptive = 1;
    for (int i = 1; i < g->n_nodes; i++) {
        const struct sn_node *nd = &g->nodes[i];
        for (int k = 0; k < nd->n_inputs; k++) {
            if (field[nd->inputs[k]] > field[i]) field[i] = field[nd->inputs[k]];
            if (jump[nd->inputs[k]] > jump[i]) jump[i] = jump[nd->inputs[k]];
        }
        struct sn_geometry geo = nd->op->geometry(nd);
        if (geo.kind == SN_GEO_WINDOW && __builtin_add_overflow(field[i], (int64_t)(geo.size - 1) * geo.dilation * jump[i], &field[i]))
            field[i] = INT64_MAX;
        if (geo.kind == SN_GEO_WINDOW && __builtin_mul_overflow(jump[i], (int64_t)geo.stride, &jump[i])) jump[i] = INT32_MAX;
        if (field[i] > g->receptive) g->receptive = field[i];
    }
    free(field);
    return 0;
}

int sn_graph_check(struct sn_graph *g, int64_t len, bool var) {
    if (len < 1 || len > INT32_MAX) return sn_error(SEQNET_ESHAPE, "input length %lld is not in 1..2147483647", (long long)len);
    g->nodes[0].out = (struct sn_shape){.len = len, .ch = g->channels, .seq = true, .var = var};
    for (int i = 1; i < g->n_nodes; i++) {
        int rc = check_node(g, &g->nodes[i]);
        if (rc < 0) return at_layer(&g->nodes[i], rc);
    }
    SN_TRY(lay_out_weights(g));
    SN_TRY(check_heads(g));
    SN_TRY(find_min_len(g, len));
    return find_receptive(g);
}
