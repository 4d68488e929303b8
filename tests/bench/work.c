/* What a training step of an architecture must do, counted from the library's own plan and rules: `work ARCH LENGTH TASKS BATCH` prints a
 * line of JSON per layer and pass: operations and bytes of the whole batch. For `bootstrap.sh bench roofline`.
 *
 * Operations ("flop"): of convolutions, dense and lstm, two for what takes the place of a fused multiply-add: a multiply-add of a product,
 * an addition of a table entry on codes (one per pair of taps and output; in the gradient of a fused pool per winner). Toom-Cook: the
 * products, tiles counted whole, not the transforms. Nothing for what is one pass over memory. Bytes: parameters read forward and where a
 * data gradient needs them, their gradients written and read, weights and Adam's two moments read and written; a tensor that outlives its
 * tile written once and read once, be it a value, a gradient, or what a layer keeps for itself; codes read. What lies in one place counts
 * once: nothing for layers that work in place, or inside a fusion. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv_rule.h"
#include "core/cpu.h"
#include "core/error.h"
#include "graph/plan_parts.h"
#include "model/model.h"
#include "ops/common.h"

#define FLOAT_BYTES ((double)sizeof(sn_real))

struct counter {
    const struct sn_plan *p;
    double rows;
    bool *value_seen, *gradient_seen; /* (n_buffers) */
    bool *node_seen;                  /* (n_nodes): its parameters were read forward */
};

static const char *const op_of_kind[] = {"forward", "backward", "attribute", "gradient", "sum"};

static void tell(const struct sn_node *nd, const char *pass, const char *how, double flop, double bytes) {
    printf("{\"layer\": \"%s\", \"op\": \"%s\", \"pass\": \"%s\", \"how\": \"%s\", \"flop\": %.0f, \"bytes\": %.0f}\n", nd->name,
           nd->op->name, pass, how, flop, bytes);
}

/* ---- operations: multiply-adds a row ------------------------------------------------------------------------------------------------ */

static struct sn_conv conv_of(const struct sn_node *nd) {
    const struct sn_geometry geo = nd->op->geometry(nd);
    return (struct sn_conv){.k = geo.size,
                            .cin = (int)nd->in[0].ch,
                            .cout = (int)nd->out.ch,
                            .stride = geo.stride,
                            .pad = geo.pad_left,
                            .dilation = geo.dilation};
}

/* Of a dense convolution with `outputs` positions; how gets its name. */
static double conv_work(const struct sn_conv *s, int64_t outputs, char how[64]) {
    struct sn_toom t;
    if (!sn_toom_choose(s, &t)) {
        snprintf(how, 64, "direct");
        return (double)outputs * s->k * s->cin * s->cout;
    }
    int64_t tiles = 0;
    for (int64_t phase = 0; phase < s->dilation && phase < outputs; phase++) {
        const int64_t n = (outputs - phase + s->dilation - 1) / s->dilation;
        tiles += (n + t.m - 1) / t.m;
    }
    snprintf(how, 64, "Toom-Cook F(%d,%d)", t.m, t.r);
    return (double)tiles * t.points * t.chunks * s->cin * s->cout;
}

/* On codes: additions of pairs. pool: what the convolution is fused with, NULL: nothing, or what does not spare any output. */
static double codes_work(const struct sn_node *nd, const struct sn_node *pool, bool gradient, char how[64]) {
    const struct sn_conv s = conv_of(nd);
    double outputs = (double)nd->out.len;
    snprintf(how, 64, !pool ? "codes" : gradient ? "codes, winners" : "codes, fused");
    if (pool && gradient) {
        outputs = (double)pool->out.len;
    } else if (pool && pool->out.seq) { /* what no window covers is not worked out */
        const int64_t covered = pool->out.len * pool->op->geometry(pool).size;
        if (covered < nd->out.len) outputs = (double)covered;
    }
    return outputs * (double)((s.k + SN_CODES_K - 1) / SN_CODES_K) * s.cout;
}

/* Units of all directions together times the steps. */
static double lstm_states(const struct sn_node *nd) {
    const int64_t units = nd->weights[1].shape[0];
    return (double)nd->in[0].len * (double)units * nd->n_weights / 3;
}

static double lstm_projection(const struct sn_node *nd) {
    return lstm_states(nd) * 4 * (double)nd->in[0].ch;
}
/* The first step has no state before it. */
static double lstm_recurrence(const struct sn_node *nd) {
    return lstm_states(nd) * 4 * (double)nd->weights[1].shape[0] * (double)(nd->in[0].len - 1) / (double)nd->in[0].len;
}

static double matrix_work(const struct sn_plan *p, const struct sn_item *it, char how[64]) {
    const struct sn_chain *chain = it->chain >= 0 ? &p->chains[it->chain] : NULL;
    const struct sn_node *nd = &p->graph->nodes[chain ? chain->node[0] : it->node];
    const struct sn_node *last = chain ? &p->graph->nodes[chain->node[chain->n - 1]] : nd;
    const bool weight = it->kind == SN_ITEM_WEIGHT, back = it->kind == SN_ITEM_BACKWARD;
    how[0] = 0;
    if (it->kind == SN_ITEM_SUM || nd->n_weights == 0 || (weight && nd->weights[it->weight].rank < 2)) return 0;
    if (nd->on_codes) return codes_work(nd, strstr(last->op->name, "pooling") ? last : NULL, weight, how);
    if (nd->op == sn_op_find("conv1d")) {
        const struct sn_conv s = conv_of(nd), t = sn_conv_transposed(&s);
        const bool transposed = back && s.stride == 1 && s.cin >= 16;
        return conv_work(transposed ? &t : &s, transposed ? nd->in[0].len : nd->out.len, how);
    }
    if (nd->op == sn_op_find("lstm")) {
        if (weight) return (it->weight % 3 == 0 ? lstm_projection(nd) : lstm_recurrence(nd)) / (nd->n_weights / 3);
        return lstm_recurrence(nd) + (!back || p->place[nd->id].grad_in[0] >= 0 ? lstm_projection(nd) : 0);
    }
    return nd->op == sn_op_find("dense") ? nd->op->work(nd) : 0;
}

/* ---- bytes -------------------------------------------------------------------------------------------------------------------------- */

static double parameters_of(const struct sn_node *nd, bool matrices_only) {
    double n = 0;
    for (int w = 0; w < nd->n_weights; w++)
        if (!matrices_only || nd->weights[w].rank > 1) n += (double)sn_weight_count(&nd->weights[w]);
    return n * FLOAT_BYTES;
}

/* Written and read once each, the first time; nothing for the memory of a tile. */
static double tensor(const struct counter *c, int buffer, bool *seen, const struct sn_shape *s) {
    if (buffer < 0 || seen[buffer] || c->p->buffers[buffer].local) return 0;
    seen[buffer] = true;
    return 2 * c->rows * (double)sn_elements(s) * FLOAT_BYTES;
}

static double forward_bytes(struct counter *c, const struct sn_item *it) {
    const struct sn_node *last = &c->p->graph->nodes[it->node];
    const struct sn_node *nd = it->chain >= 0 ? &c->p->graph->nodes[c->p->chains[it->chain].node[0]] : last;
    const struct sn_place *pl = &c->p->place[it->node];
    double bytes = tensor(c, pl->value, c->value_seen, &last->out);
    if (c->node_seen[it->node]) return bytes;
    c->node_seen[it->node] = true;
    if (pl->cache >= 0) bytes += 2 * c->rows * (double)pl->keep.cache;
    if (nd->on_codes) bytes += c->rows * (double)nd->in[0].len;
    return bytes + parameters_of(nd, false);
}

static double reverse_bytes(struct counter *c, const struct sn_item *it) {
    const struct sn_node *nd = &c->p->graph->nodes[it->node];
    const struct sn_place *pl = &c->p->place[it->node];
    double bytes = 0;
    if (it->kind == SN_ITEM_SUM) return tensor(c, pl->grad_out, c->gradient_seen, &nd->out);
    for (int k = 0; k < nd->n_inputs; k++) bytes += tensor(c, pl->grad_in[k], c->gradient_seen, &nd->in[k]);
    if (pl->grad_in[0] >= 0 && it->split != SN_SPLIT_REDUCE && it->split != SN_SPLIT_ONCE) bytes += parameters_of(nd, true);
    if (nd->op == sn_op_find("lstm")) bytes += 2 * c->rows * 4 * lstm_states(nd) * FLOAT_BYTES; /* gradients of the pre-activations */
    return bytes;
}

static double weight_bytes(const struct counter *c, const struct sn_item *it) {
    const struct sn_node *nd = &c->p->graph->nodes[it->chain >= 0 ? c->p->chains[it->chain].node[0] : it->node];
    const double codes = nd->on_codes && nd->weights[it->weight].rank > 1 ? c->rows * (double)nd->in[0].len : 0;
    return codes + 2 * FLOAT_BYTES * (double)sn_weight_count(&nd->weights[it->weight]);
}

/* ---- the plan ----------------------------------------------------------------------------------------------------------------------- */

static void count_items(struct counter *c) {
    const struct sn_plan *p = c->p;
    for (size_t i = 0; i < p->n_items; i++) {
        const struct sn_item *it = &p->items[i];
        const struct sn_node *nd = &p->graph->nodes[it->chain >= 0 ? p->chains[it->chain].node[0] : it->node];
        char how[64], pass[96];
        const double flop = 2 * c->rows * matrix_work(p, it, how);
        const bool weight = it->kind == SN_ITEM_WEIGHT;
        const double bytes = it->kind == SN_ITEM_FORWARD ? forward_bytes(c, it) : weight ? weight_bytes(c, it) : reverse_bytes(c, it);
        snprintf(pass, sizeof pass, "%s%s%s", op_of_kind[it->kind], weight ? " " : "", weight ? nd->weights[it->weight].name : "");
        tell(nd, pass, how, flop, bytes);
    }
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct sn_node *nd = &p->graph->nodes[i];
        double n = 0;
        for (int w = 0; w < nd->n_weights; w++) n += nd->weights[w].trainable ? (double)sn_weight_count(&nd->weights[w]) : 0;
        if (n > 0) tell(nd, "update", "Adam", 0, 6 * n * FLOAT_BYTES);
    }
}

static int count_plan(const struct sn_plan *p, int batch) {
    struct counter c = {.p = p, .rows = batch};
    c.value_seen = calloc(p->n_buffers + 1, sizeof *c.value_seen);
    c.gradient_seen = calloc(p->n_buffers + 1, sizeof *c.gradient_seen);
    c.node_seen = calloc((size_t)p->graph->n_nodes, sizeof *c.node_seen);
    const bool ok = c.value_seen && c.gradient_seen && c.node_seen;
    if (ok) count_items(&c);
    free(c.value_seen);
    free(c.gradient_seen);
    free(c.node_seen);
    return ok ? 0 : SEQNET_ENOMEM;
}

static int count(const char *architecture, int64_t length, int tasks, int batch) {
    struct sn_arch *a = NULL;
    struct sn_plan *p = NULL;
    struct sn_backend backend;
    struct sn_plan_options o;
    enum sn_isa isa;
    SN_TRY(sn_isa_detect(&isa));
    SN_TRY(sn_backend_cpu((int)isa, "auto", &backend));
    int rc = sn_arch_load(architecture, &a);
    if (rc == 0) rc = sn_arch_bind(a, SN_TASK_BINARY, tasks, length, length);
    if (rc == 0) {
        sn_arch_plan_options(a, SN_TRAIN, length, batch, &o);
        rc = sn_plan_create(a->graph, &backend, &o, &p);
    }
    if (rc == 0) rc = count_plan(p, batch);
    sn_plan_free(p);
    sn_arch_free(a);
    sn_backend_close(&backend);
    return rc;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: %s ARCH LENGTH TASKS BATCH\n", argv[0]);
        return 2;
    }
    if (count(argv[1], atoll(argv[2]), atoi(argv[3]), atoi(argv[4])) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], seqnet_errmsg());
        return 1;
    }
    return 0;
}
