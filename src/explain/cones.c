/* Planning of cones: which layers can be done so, where the frontier is, how wide cones get, and the plan of what lies behind. */
#include "explain/cones.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"

#define BLOCK_BYTES (1 << 20) /* of a block's values */
#define MOST_BYTES (32 << 20) /* where weights are large */
#define BLOCK_ROWS 96

/* ---- what each layer is ---- */

static const struct {
    const char *op;
    enum sn_cone_kind kind;
} kinds[] = {{"conv1d", SN_CONE_PRODUCT},
             {"dense", SN_CONE_PRODUCT},
             {"max_pooling1d", SN_CONE_MAX},
             {"average_pooling1d", SN_CONE_MEAN},
             {"global_max_pooling1d", SN_CONE_GLOBAL_MAX},
             {"global_average_pooling1d", SN_CONE_GLOBAL_MEAN},
             {"relu", SN_CONE_UNARY},
             {"sigmoid", SN_CONE_UNARY},
             {"tanh", SN_CONE_UNARY},
             {"batch_normalization", SN_CONE_NORM},
             {"add", SN_CONE_ADD},
             {"concatenate", SN_CONE_CONCATENATE},
             {"dropout", SN_CONE_ALIAS},
             {"linear", SN_CONE_ALIAS},
             {"flatten", SN_CONE_ALIAS}};

static enum sn_cone_kind kind_of(const struct sn_node *nd) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(nd->op->name, kinds[i].op) == 0) return kinds[i].kind;
    return SN_CONE_NONE;
}

/* All inputs can be done, and are of one sort. */
static bool inputs_agree(const struct sn_cones *c, const struct sn_node *nd) {
    const struct sn_cone *first = &c->v[nd->inputs[0]];
    for (int i = 0; i < nd->n_inputs; i++) {
        const struct sn_cone *in = &c->v[nd->inputs[i]];
        if (in->kind == SN_CONE_NONE || in->vector != first->vector || in->flat != first->flat) return false;
    }
    return true;
}

static void describe(struct sn_cones *c, const struct sn_node *nd) {
    struct sn_cone *v = &c->v[nd->id];
    *v = (struct sn_cone){.nd = nd, .root = nd->id, .len = nd->out.len, .ch = nd->out.ch};
    if (nd->id == 0) {
        v->kind = SN_CONE_INPUT;
        return;
    }
    const struct sn_cone *in = &c->v[nd->inputs[0]];
    if (!inputs_agree(c, nd)) return;
    v->kind = kind_of(nd);
    v->geo = nd->op->geometry(nd);
    v->vector = in->vector;
    v->flat = in->flat;
    if (v->kind == SN_CONE_GLOBAL_MAX || v->kind == SN_CONE_GLOBAL_MEAN) v->vector = true;
    if (v->kind == SN_CONE_PRODUCT && nd->on_codes) v->kind = SN_CONE_CODES;
    if (v->kind == SN_CONE_PRODUCT && in->flat) {
        v->kind = SN_CONE_FLAT;
        v->vector = true;
        v->flat = false;
    }
    if (in->flat && (v->kind == SN_CONE_NORM || v->kind == SN_CONE_CONCATENATE)) v->kind = SN_CONE_NONE;
    if (strcmp(nd->op->name, "flatten") == 0 && !in->vector) v->flat = true;
    if (v->flat) v->len = in->len, v->ch = in->ch;
    if (v->kind == SN_CONE_ALIAS) v->root = in->root;
}

/* ---- the frontier ---- */

static void mark_ancestors(const struct sn_graph *g, int node, bool *seen) {
    seen[node] = true;
    for (int i = node; i >= 0; i--)
        for (int k = 0; seen[i] && k < g->nodes[i].n_inputs; k++) seen[g->nodes[i].inputs[k]] = true;
}

/* Every way from the input to a head goes through it. */
static bool all_pass(const struct sn_graph *g, int node, bool *open) {
    memset(open, 0, (size_t)g->n_nodes * sizeof *open);
    open[0] = true;
    for (int i = 1; i < g->n_nodes; i++)
        for (int k = 0; i != node && k < g->nodes[i].n_inputs; k++) open[i] |= open[g->nodes[i].inputs[k]];
    if (node == 0) return true;
    for (int h = 0; h < g->n_heads; h++)
        if (open[g->heads[h].logits]) return false;
    return true;
}

/* The first vector that all passes through, where sums and products get short; else the last layer along the sequence. */
static void choose_frontier(struct sn_cones *c, bool *scratch) {
    c->frontier = 0;
    for (int i = 1; i < c->g->n_nodes; i++) {
        if (c->v[i].kind == SN_CONE_NONE || c->v[i].flat || !all_pass(c->g, i, scratch)) continue;
        c->frontier = i;
        if (c->v[i].vector) break;
    }
    memset(scratch, 0, (size_t)c->g->n_nodes * sizeof *scratch);
    mark_ancestors(c->g, c->frontier, scratch);
    for (int i = 0; i < c->g->n_nodes; i++) c->v[i].used = scratch[i] && c->frontier > 0;
}

/* ---- widths ---- */

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

void sn_cone_reach(const struct sn_cone *c, int64_t s, int64_t t, int64_t len, int64_t *from, int64_t *to) {
    if (c->geo.kind == SN_GEO_WINDOW) {
        int64_t before = s + c->geo.pad_left - (int64_t)c->geo.dilation * (c->geo.size - 1);
        *from = -floor_div(-before, c->geo.stride);
        *to = floor_div(t - 1 + c->geo.pad_left, c->geo.stride) + 1;
    } else {
        *from = s;
        *to = t;
    }
    if (*from < 0) *from = 0;
    if (*to > len) *to = len;
    if (*from >= *to) *from = *to = 0;
}

/* The reach of a substitution at one position through all layers: from, to (n_nodes). */
static void reach_all(const struct sn_cones *c, int64_t position, int64_t *from, int64_t *to) {
    from[0] = position;
    to[0] = position + 1;
    for (int i = 1; i <= c->frontier; i++) {
        const struct sn_cone *v = &c->v[i];
        if (!v->used) continue;
        from[i] = to[i] = 0;
        if (v->vector) to[i] = 1;
        for (int k = 0; k < v->nd->n_inputs && !v->vector; k++) {
            int64_t s = from[v->nd->inputs[k]], t = to[v->nd->inputs[k]], a, b;
            sn_cone_reach(v, s, t, v->len, &a, &b);
            if (s == t || a == b) continue;
            if (from[i] == to[i]) from[i] = a, to[i] = b;
            if (a < from[i]) from[i] = a;
            if (b > to[i]) to[i] = b;
        }
    }
}

static int find_widths(struct sn_cones *c) {
    int n = c->g->n_nodes;
    int64_t *from = sn_calloc((size_t)n * 2, sizeof *from);
    if (!from) return SEQNET_ENOMEM;
    for (int64_t p = 0; p < c->v[0].len; p++) {
        reach_all(c, p, from, from + n);
        for (int i = 0; i <= c->frontier; i++)
            if (c->v[i].used && from[n + i] - from[i] > c->v[i].width) c->v[i].width = from[n + i] - from[i];
    }
    free(from);
    return 0;
}

static int64_t taps_of(const struct sn_cone *v) {
    return v->geo.kind == SN_GEO_WINDOW ? v->geo.size : 1;
}

static int64_t largest(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static void place_values(struct sn_cones *c) {
    for (int i = 0; i <= c->frontier; i++) {
        struct sn_cone *v = &c->v[i];
        if (!v->used || v->kind == SN_CONE_ALIAS) continue;
        v->at = c->mutant_floats;
        c->mutant_floats += v->width * v->ch;
        v->cached = c->strand_floats;
        c->strand_floats += v->len * v->ch;
        if (v->kind == SN_CONE_INPUT) continue;
        const struct sn_cone *in = &c->v[v->nd->inputs[0]];
        v->ends = c->strand_floats;
        if (v->kind == SN_CONE_GLOBAL_MAX) c->strand_floats += 2 * (in->len + 1) * in->ch;
        if (v->kind != SN_CONE_PRODUCT && v->kind != SN_CONE_FLAT) continue;
        c->product_rows = largest(c->product_rows, in->width);
        c->product_in = largest(c->product_in, in->width * in->ch);
        if (v->kind == SN_CONE_PRODUCT) c->product_out = largest(c->product_out, in->width * taps_of(v) * v->ch);
    }
}

/* Kernel (taps, cin, cout) -> (cin, taps x cout) with the last tap first, packed: what a position adds to its neighbours, from left to
 * right. */
static int pack_products(const struct sn_kernels *k, struct sn_cones *c) {
    for (int i = 1; i <= c->frontier; i++) {
        struct sn_cone *v = &c->v[i];
        if (!v->used || v->kind != SN_CONE_PRODUCT) continue;
        int64_t taps = taps_of(v), cin = v->nd->in[0].ch, cout = v->ch;
        const sn_real *w = c->model->params + v->nd->weight_offset[0];
        sn_real *turned = sn_calloc((size_t)(taps * cin * cout), sizeof *turned);
        v->packed = sn_aligned_alloc(k->gemm_pack_bytes(cin, taps * cout));
        for (int64_t t = 0; t < taps && turned && v->packed; t++)
            for (int64_t x = 0; x < cin; x++)
                memcpy(turned + (x * taps + taps - 1 - t) * cout, w + (t * cin + x) * cout, (size_t)cout * sizeof *w);
        if (turned && v->packed)
            k->gemm_pack(&(struct sn_gemm_pack){.n = taps * cout, .k = cin, .b = turned, .b_rs = taps * cout, .b_cs = 1, .dst = v->packed});
        bool ok = turned && v->packed;
        free(turned);
        if (!ok) return SEQNET_ENOMEM;
    }
    return 0;
}

/* ---- what lies behind ---- */

/* The layers that heads need and the frontier does not, fed with its values; map: node of the model -> of the rest. */
static int build_rest(const struct sn_cones *c, struct sn_graph *g, bool *wanted, int *map) {
    const struct sn_graph *full = c->g;
    const struct sn_cone *f = &c->v[c->frontier];
    memset(wanted, 0, (size_t)full->n_nodes * sizeof *wanted);
    for (int h = 0; h < full->n_heads; h++) mark_ancestors(full, full->heads[h].node, wanted);
    int zero = 0;
    map[c->frontier] = f->vector ? sn_graph_add(g, sn_op_find("flatten"), "(values)", &zero, 1) : 0;
    SN_TRY(map[c->frontier]);
    for (int i = c->frontier + 1; i < full->n_nodes; i++) {
        const struct sn_node *nd = &full->nodes[i];
        int inputs[SN_MAX_INPUTS];
        if (!wanted[i]) continue;
        for (int k = 0; k < nd->n_inputs; k++) {
            if (map[nd->inputs[k]] < 0) return sn_error(SEQNET_EINTERNAL, "layer %s reads around %s", nd->name, f->nd->name);
            inputs[k] = map[nd->inputs[k]];
        }
        map[i] = sn_graph_add(g, nd->op, nd->name, inputs, nd->n_inputs);
        SN_TRY(map[i]);
        memcpy(g->nodes[map[i]].p, nd->p, sizeof nd->p);
    }
    for (int h = 0; h < full->n_heads; h++)
        SN_TRY(sn_graph_add_head(g, full->heads[h].name, map[full->heads[h].node], full->heads[h].loss, 1));
    g->dense_input = true;
    return sn_graph_check(g, f->vector ? 1 : f->len, !f->vector && f->nd->out.var);
}

static int copy_params(struct sn_cones *c, const struct sn_graph *g, const int *map) {
    c->rest_params = sn_calloc((size_t)g->n_params + 1, sizeof *c->rest_params);
    if (!c->rest_params) return SEQNET_ENOMEM;
    for (int i = c->frontier + 1; i < c->g->n_nodes; i++) {
        if (map[i] < 0) continue;
        const struct sn_node *from = &c->g->nodes[i], *to = &g->nodes[map[i]];
        for (int w = 0; w < to->n_weights; w++)
            memcpy(c->rest_params + to->weight_offset[w], c->model->params + from->weight_offset[w],
                   (size_t)sn_weight_count(&to->weights[w]) * sizeof(sn_real));
    }
    return 0;
}

int sn_cones_plan(const struct sn_explainer *e, struct sn_cones *c, int batch) {
    const struct sn_cone *f = &c->v[c->frontier];
    struct sn_graph *g = NULL;
    int rc = 0, n = c->g->n_nodes;
    int *map = sn_calloc((size_t)n, sizeof *map);
    bool *wanted = sn_calloc((size_t)n, sizeof *wanted);
    if (!map || !wanted) SN_GO(SEQNET_ENOMEM);
    for (int i = 0; i < n; i++) map[i] = -1;
    SN_GO(sn_graph_create((int)f->ch, &g));
    SN_GO(build_rest(c, g, wanted, map));
    free(c->rest_params);
    sn_plan_free(c->rest);
    c->rest_params = NULL;
    c->rest = NULL;
    SN_GO(copy_params(c, g, map));
    struct sn_plan_options o;
    sn_arch_plan_options(c->model->arch, SN_INFER, e->max_len, batch, &o);
    o.max_len = f->vector ? 1 : f->len;
    o.var = !f->vector && f->nd->out.var;
    o.values = true;
    o.sym = NULL;
    o.lut = NULL;
    SN_GO(sn_plan_create(g, e->rt.backend, &o, &c->rest));
    SN_GO(sn_plan_set_params(c->rest, c->rest_params));
    c->batch = batch;
done:
    sn_graph_free(g);
    free(map);
    free(wanted);
    return rc < 0 ? rc : 0;
}

/* ---- all of it ---- */

/* A block's values stay in the second-level cache, unless weights do not: then they are the larger part, and read once for a block. */
static int64_t block_bytes(const struct sn_explainer *e, const struct sn_cones *c) {
    int64_t weights = 0, share = (int64_t)sn_explain_share(e), most = share < MOST_BYTES ? share : MOST_BYTES;
    for (int i = 1; i <= c->frontier; i++)
        if (c->v[i].used && (c->v[i].kind == SN_CONE_PRODUCT || c->v[i].kind == SN_CONE_FLAT))
            weights = largest(weights, sn_weight_count(&c->v[i].nd->weights[0]) * (int64_t)sizeof(sn_real));
    return largest(BLOCK_BYTES, weights < most ? weights : most);
}

int sn_cones_create(const struct sn_explainer *e, const struct sn_model *m, const struct sn_graph *g, struct sn_cones **out) {
    struct sn_cones *c = sn_calloc(1, sizeof *c);
    bool *scratch = sn_calloc((size_t)g->n_nodes, sizeof *scratch);
    int rc = 0;
    *out = c;
    if (!c || !scratch) SN_GO(SEQNET_ENOMEM);
    c->model = m;
    c->g = g;
    c->v = sn_calloc((size_t)g->n_nodes, sizeof *c->v);
    if (!c->v) SN_GO(SEQNET_ENOMEM);
    for (int i = 0; i < g->n_nodes; i++) describe(c, &g->nodes[i]);
    if (e->rt.backend->host_memory) choose_frontier(c, scratch);
    SN_GO(find_widths(c));
    place_values(c);
    SN_GO(pack_products(&e->rt.backend->kernels, c));
    int64_t bytes = (c->mutant_floats + c->product_in + c->product_out) * (int64_t)sizeof(sn_real), most = block_bytes(e, c),
            rows = most / (bytes + 1);
    c->rows = rows < 1 ? 1 : rows > BLOCK_ROWS ? BLOCK_ROWS : (int)rows;
done:
    free(scratch);
    return rc;
}

void sn_cones_free(struct sn_cones *c) {
    if (!c) return;
    for (int i = 0; c->v && i < c->g->n_nodes; i++) sn_aligned_free(c->v[i].packed);
    sn_plan_free(c->rest);
    free(c->rest_params);
    free(c->v);
    free(c);
}
