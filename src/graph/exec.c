/* What ops may ask of the executor: addresses, never contents. */
#include "core/error.h"
#include "graph/run.h"
#include "ops/common.h"

const struct sn_kernels *sn_x_kernels(const struct sn_exec *x) {
    return &x->plan->backend->kernels;
}

enum sn_mode sn_x_mode(const struct sn_exec *x) {
    return x->plan->o.mode;
}

static char *address(const struct sn_exec *x, int buffer, int r0, int64_t *row) {
    const struct sn_buffer *b = &x->plan->buffers[buffer];
    *row = (int64_t)b->row_bytes;
    if (!b->local) return x->s->act + b->offset + (size_t)r0 * b->row_bytes;
    char *local = x->s->worker_mem + (size_t)x->worker * x->s->worker_stride;
    return local + b->offset + (size_t)(r0 - x->base_row) * b->row_bytes;
}

static bool pair_rows(const struct sn_exec *x) {
    return x->plan->o.mode == SN_ATTRIBUTE;
}

static struct sn_t3 view(const struct sn_exec *x, int buffer, int node, int r0, bool gradient) {
    const struct sn_shape *s = &x->plan->graph->nodes[node].out;
    struct sn_t3 t = {.ld = (int32_t)s->ch, .ch = (int32_t)s->ch};
    const struct sn_session *se = x->s;
    t.len = gradient && pair_rows(x) ? se->pair_len + (size_t)node * (size_t)x->plan->o.max_pairs + r0
                                     : se->len + (size_t)node * (size_t)x->plan->o.max_rows + r0;
    const struct sn_buffer *b = buffer < 0 ? NULL : &x->plan->buffers[buffer];
    if (!b || (b->local && r0 < x->base_row)) return t; /* none, or gone: a tile's own memory holds its rows only */
    int64_t row;
    t.p = (sn_real *)address(x, buffer, r0, &row);
    t.row = row / (int64_t)sizeof(sn_real);
    if (b->parts) t.ld *= 2, t.ch *= 2;
    return t;
}

struct sn_t3 sn_x_split_in(const struct sn_exec *x, const struct sn_node *nd, int i, int p0) {
    return view(x, x->plan->place[nd->inputs[i]].split, nd->inputs[i], p0, true);
}

struct sn_t3 sn_x_split_out(const struct sn_exec *x, const struct sn_node *nd, int p0) {
    return view(x, x->plan->place[nd->id].split, nd->id, p0, true);
}

struct sn_t3 sn_x_diff(const struct sn_exec *x, const struct sn_node *nd, int p0) {
    return view(x, x->plan->place[nd->id].diff, nd->inputs[0], p0, true);
}

struct sn_t3 sn_x_in(const struct sn_exec *x, const struct sn_node *nd, int i, int r0) {
    return view(x, x->plan->place[nd->inputs[i]].value, nd->inputs[i], r0, false);
}

struct sn_t3 sn_x_out(const struct sn_exec *x, const struct sn_node *nd, int r0) {
    return view(x, x->plan->place[nd->id].value, nd->id, r0, false);
}

struct sn_t3 sn_x_grad_in(const struct sn_exec *x, const struct sn_node *nd, int i, int r0) {
    return view(x, x->plan->place[nd->id].grad_in[i], nd->inputs[i], r0, true);
}

struct sn_t3 sn_x_grad_out(const struct sn_exec *x, const struct sn_node *nd, int r0) {
    return view(x, x->plan->place[nd->id].grad_out, nd->id, r0, true);
}

struct sn_t3 sn_x_buffer(const struct sn_exec *x, int buffer, const struct sn_node *nd, int r0) {
    return view(x, buffer, nd->id, r0, true);
}

static const int32_t *host_len(const struct sn_exec *x, int node, int r0, bool gradient) {
    const struct sn_session *s = x->s;
    if (gradient && pair_rows(x)) return s->host_pair_len + (size_t)node * (size_t)x->plan->o.max_pairs + r0;
    return s->host_len + (size_t)node * (size_t)x->plan->o.max_rows + r0;
}

const int32_t *sn_x_in_len(const struct sn_exec *x, const struct sn_node *nd, int i, int r0) {
    return host_len(x, nd->inputs[i], r0, false);
}

const int32_t *sn_x_out_len(const struct sn_exec *x, const struct sn_node *nd, int r0) {
    return host_len(x, nd->id, r0, false);
}

const int32_t *sn_x_grad_in_len(const struct sn_exec *x, const struct sn_node *nd, int i, int r0) {
    return host_len(x, nd->inputs[i], r0, true);
}

const int32_t *sn_x_grad_out_len(const struct sn_exec *x, const struct sn_node *nd, int r0) {
    return host_len(x, nd->id, r0, true);
}

struct sn_pairs sn_x_pairs(const struct sn_exec *x, int p0, int p1) {
    return (struct sn_pairs){.n = p1 - p0, .row_x = x->s->row_x + p0, .row_ref = x->s->row_ref + p0};
}

const sn_real *sn_x_weight(const struct sn_exec *x, const struct sn_node *nd, int w) {
    return x->plan->params + nd->weight_offset[w];
}

sn_real *sn_x_weight_rw(struct sn_exec *x, const struct sn_node *nd, int w) {
    return x->plan->params + nd->weight_offset[w];
}

void *sn_x_prepared(const struct sn_exec *x, const struct sn_node *nd) {
    return x->plan->prepared + x->plan->place[nd->id].prepared;
}

void *sn_x_cache(const struct sn_exec *x, const struct sn_node *nd, int r0, int64_t *row) {
    return address(x, x->plan->place[nd->id].cache, r0, row);
}

void *sn_x_scratch(const struct sn_exec *x, const struct sn_node *nd, int r0, int64_t *row) {
    return address(x, x->plan->place[nd->id].scratch, r0, row);
}

void *sn_x_partial(const struct sn_exec *x, const struct sn_node *nd, int leaf) {
    const struct sn_place *pl = &x->plan->place[nd->id];
    return x->s->partial + pl->partial + (size_t)leaf * sn_align_up(pl->sizes.partial);
}

void *sn_x_ws(const struct sn_exec *x, int worker) {
    return x->s->worker_mem + (size_t)worker * x->s->worker_stride + x->plan->local_bytes;
}

struct sn_codes sn_x_codes(const struct sn_exec *x, int r0, int n) {
    const struct sn_session *s = x->s;
    return (struct sn_codes){.n = n,
                             .codes = s->codes + (size_t)r0 * s->codes_row,
                             .code_row = (int64_t)s->codes_row,
                             .len = s->len + r0,
                             .lut = x->plan->lut,
                             .sym = x->plan->sym};
}

const int64_t *sn_x_ids(const struct sn_exec *x, int r0) {
    return x->s->ids + r0;
}

uint64_t sn_x_seed(const struct sn_exec *x) {
    return x->plan->o.seed;
}

int64_t sn_x_step(const struct sn_exec *x) {
    return x->s->step;
}

int sn_x_leaves(const struct sn_exec *x) {
    return x->plan->o.leaves;
}
