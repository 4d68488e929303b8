#include "graph/fusion.h"

#include <string.h>

#include "core/mem.h"
#include "ops/common.h"

#define ATTR_CHANNELS 16 /* from so many input channels on the convolution's multipliers are summed in another order */

/* conv1d on codes + relu + max_pooling1d: pre-pool values never leave the cache; for the reverse pass only the winners' places are kept. */

static int64_t param(const struct sn_node *nd, const char *name) {
    return nd->p[sn_op_param_index(nd->op, name)].i;
}

static int64_t pool_stride(const struct sn_node *nd) {
    return nd->p[sn_op_param_index(nd->op, "strides")].set ? param(nd, "strides") : param(nd, "pool_size");
}

static bool match(const struct sn_node *const *nd) {
    return nd[0]->on_codes && nd[0]->op->geometry(nd[0]).dilation == 1 && param(nd[2], "pool_size") <= 255 &&
           pool_stride(nd[2]) >= param(nd[2], "pool_size") && param(nd[2], "padding") == 0;
}

static struct sn_conv conv_shape(const struct sn_node *nd) {
    struct sn_geometry geo = nd->op->geometry(nd);
    return (struct sn_conv){.k = geo.size,
                            .cin = (int)nd->in[0].ch,
                            .cout = (int)nd->out.ch,
                            .stride = geo.stride,
                            .pad = geo.pad_left,
                            .dilation = geo.dilation};
}

static size_t winners_row(const struct sn_node *pool) {
    return (size_t)(pool->out.len * pool->out.ch);
}

static void keep(const struct sn_node *const *nd, enum sn_mode mode, struct sn_keep *k) {
    k->output = mode != SN_INFER;
    k->cache = mode != SN_INFER ? winners_row(nd[2]) : 0;
}

static size_t attribute_ws(const struct sn_node *const *nd, const struct sn_kernels *k) {
    struct sn_conv c = conv_shape(nd[0]);
    return k->codes_attr_ws(&c, nd[0]->in[0].len, nd[0]->out.len, (int64_t)winners_row(nd[2]));
}

static void sizes(const struct sn_node *const *nd, enum sn_mode mode, const struct sn_kernels *k, struct sn_sizes *s) {
    struct sn_conv c = conv_shape(nd[0]);
    s->workspace = k->codes_pool_ws(&c, (int)param(nd[2], "pool_size"));
    const size_t reverse = mode == SN_TRAIN ? k->codes_grad_ws(&c) : mode == SN_ATTRIBUTE ? attribute_ws(nd, k) : 0;
    if (reverse > s->workspace) s->workspace = reverse;
}

static bool has_bias(const struct sn_node *conv) {
    return conv->n_weights > 1;
}

static int forward(struct sn_exec *x, const struct sn_node *const *nd, const struct sn_tile *t) {
    struct sn_codes_pool_fwd a = {.s = conv_shape(nd[0]),
                                  .in = sn_x_codes(x, t->r0, t->r1 - t->r0),
                                  .tables = sn_x_prepared(x, nd[0]),
                                  .w = sn_x_weight(x, nd[0], 0),
                                  .bias = has_bias(nd[0]) ? sn_x_weight(x, nd[0], 1) : NULL,
                                  .pool = (int)param(nd[2], "pool_size"),
                                  .pool_stride = (int)pool_stride(nd[2]),
                                  .y = sn_x_out(x, nd[2], t->r0),
                                  .conv_len = sn_x_out(x, nd[0], t->r0).len,
                                  .ws = sn_x_ws(x, t->worker)};
    if (sn_x_mode(x) != SN_INFER) a.win = sn_x_cache(x, nd[2], t->r0, &a.win_row);
    sn_x_kernels(x)->codes_pool_fwd(&a);
    return 0;
}

static int weight_grad(struct sn_exec *x, const struct sn_node *const *nd, int w, const struct sn_tile *t, sn_real *dst) {
    struct sn_codes_pool_bwd a = {.s = conv_shape(nd[0]),
                                  .in = sn_x_codes(x, t->r0, t->r1 - t->r0),
                                  .pool = (int)param(nd[2], "pool_size"),
                                  .pool_stride = (int)pool_stride(nd[2]),
                                  .y = sn_x_out(x, nd[2], t->r0),
                                  .dy = sn_x_grad_out(x, nd[2], t->r0),
                                  .dw = w == 0 ? dst : NULL,
                                  .db = w == 1 ? dst : NULL,
                                  .ws = sn_x_ws(x, t->worker)};
    a.win = sn_x_cache(x, nd[2], t->r0, &a.win_row);
    sn_x_kernels(x)->codes_pool_bwd(&a);
    return 0;
}

/* What both chains share; the kept rows are addressed by their number in the batch. */
static struct sn_codes_attr attribute_args(struct sn_exec *x, const struct sn_node *const *nd, const struct sn_tile *t) {
    return (struct sn_codes_attr){.s = conv_shape(nd[0]),
                                  .in = sn_x_codes(x, 0, 0),
                                  .tables = sn_x_prepared(x, nd[0]),
                                  .w = sn_x_weight(x, nd[0], 0),
                                  .bias = has_bias(nd[0]) ? sn_x_weight(x, nd[0], 1) : NULL,
                                  .pairs = sn_x_pairs(x, t->r0, t->r1),
                                  .y = sn_x_out(x, nd[2], 0),
                                  .my = sn_x_grad_out(x, nd[2], t->r0),
                                  .mx = sn_x_grad_in(x, nd[0], 0, t->r0),
                                  .longest = nd[0]->in[0].len,
                                  .outputs = nd[0]->out.len,
                                  .winners = (int64_t)winners_row(nd[2]),
                                  .ws = sn_x_ws(x, t->worker)};
}

static int attribute(struct sn_exec *x, const struct sn_node *const *nd, const struct sn_tile *t) {
    struct sn_codes_attr a = attribute_args(x, nd, t);
    a.pool = (int)param(nd[2], "pool_size"), a.pool_stride = (int)pool_stride(nd[2]);
    a.win = sn_x_cache(x, nd[2], 0, &a.win_row);
    sn_x_kernels(x)->codes_attr(&a);
    return 0;
}

static bool match_attribute(const struct sn_node *const *nd) {
    return match(nd) && nd[0]->in[0].ch < ATTR_CHANNELS;
}

static const struct sn_fusion conv_relu_pool = {
    .name = "conv1d(codes)+relu+max_pooling1d",
    .ops = {"conv1d", "relu", "max_pooling1d"},
    .modes = {[SN_INFER] = true, [SN_TRAIN] = true},
    .match = match,
    .keep = keep,
    .sizes = sizes,
    .forward = forward,
    .weight_grad = weight_grad,
};

static const struct sn_fusion conv_relu_pool_attribute = {
    .name = "conv1d(codes)+relu+max_pooling1d",
    .ops = {"conv1d", "relu", "max_pooling1d"},
    .modes = {[SN_ATTRIBUTE] = true},
    .match = match_attribute,
    .keep = keep,
    .sizes = sizes,
    .forward = forward,
    .attribute = attribute,
};

/* conv1d on codes + relu + global_max_pooling1d: the same with one window a row. */

static bool match_global(const struct sn_node *const *nd) {
    return nd[0]->on_codes && nd[0]->op->geometry(nd[0]).dilation == 1;
}

static void keep_global(const struct sn_node *const *nd, enum sn_mode mode, struct sn_keep *k) {
    k->output = mode != SN_INFER;
    k->cache = mode != SN_INFER ? (size_t)nd[2]->out.ch * sizeof(int32_t) : 0;
}

static void sizes_global(const struct sn_node *const *nd, enum sn_mode mode, const struct sn_kernels *k, struct sn_sizes *s) {
    struct sn_conv c = conv_shape(nd[0]);
    s->workspace = k->codes_global_ws(&c, nd[0]->in[0].len);
    const size_t reverse = mode == SN_ATTRIBUTE ? attribute_ws(nd, k) : 0;
    if (reverse > s->workspace) s->workspace = reverse;
}

static int32_t *winners(const struct sn_exec *x, const struct sn_node *pool, int r0, int64_t *row) {
    int32_t *win = sn_x_cache(x, pool, r0, row);
    *row /= (int64_t)sizeof *win;
    return win;
}

static int forward_global(struct sn_exec *x, const struct sn_node *const *nd, const struct sn_tile *t) {
    struct sn_codes_global_fwd a = {.s = conv_shape(nd[0]),
                                    .in = sn_x_codes(x, t->r0, t->r1 - t->r0),
                                    .tables = sn_x_prepared(x, nd[0]),
                                    .w = sn_x_weight(x, nd[0], 0),
                                    .bias = has_bias(nd[0]) ? sn_x_weight(x, nd[0], 1) : NULL,
                                    .y = sn_x_out(x, nd[2], t->r0),
                                    .conv_len = sn_x_out(x, nd[0], t->r0).len,
                                    .ws = sn_x_ws(x, t->worker)};
    if (sn_x_mode(x) != SN_INFER) a.win = winners(x, nd[2], t->r0, &a.win_row);
    sn_x_kernels(x)->codes_global_fwd(&a);
    return 0;
}

static int weight_grad_global(struct sn_exec *x, const struct sn_node *const *nd, int w, const struct sn_tile *t, sn_real *dst) {
    struct sn_codes_global_bwd a = {.s = conv_shape(nd[0]),
                                    .in = sn_x_codes(x, t->r0, t->r1 - t->r0),
                                    .y = sn_x_out(x, nd[2], t->r0),
                                    .dy = sn_x_grad_out(x, nd[2], t->r0),
                                    .dw = w == 0 ? dst : NULL,
                                    .db = w == 1 ? dst : NULL,
                                    .ws = sn_x_ws(x, t->worker)};
    a.win = winners(x, nd[2], t->r0, &a.win_row);
    sn_x_kernels(x)->codes_global_bwd(&a);
    return 0;
}

static int attribute_global(struct sn_exec *x, const struct sn_node *const *nd, const struct sn_tile *t) {
    struct sn_codes_attr a = attribute_args(x, nd, t);
    a.far_win = winners(x, nd[2], 0, &a.win_row);
    sn_x_kernels(x)->codes_attr(&a);
    return 0;
}

static bool match_global_attribute(const struct sn_node *const *nd) {
    return match_global(nd) && nd[0]->in[0].ch < ATTR_CHANNELS;
}

static const struct sn_fusion conv_relu_global = {
    .name = "conv1d(codes)+relu+global_max_pooling1d",
    .ops = {"conv1d", "relu", "global_max_pooling1d"},
    .modes = {[SN_INFER] = true, [SN_TRAIN] = true},
    .match = match_global,
    .keep = keep_global,
    .sizes = sizes_global,
    .forward = forward_global,
    .weight_grad = weight_grad_global,
};

static const struct sn_fusion conv_relu_global_attribute = {
    .name = "conv1d(codes)+relu+global_max_pooling1d",
    .ops = {"conv1d", "relu", "global_max_pooling1d"},
    .modes = {[SN_ATTRIBUTE] = true},
    .match = match_global_attribute,
    .keep = keep_global,
    .sizes = sizes_global,
    .forward = forward_global,
    .attribute = attribute_global,
};

/* conv1d + relu, and in a residual net + add: written once, while it is in registers or near. */

static bool match_relu(const struct sn_node *const *nd) {
    (void)nd;
    return true;
}

static void no_sizes(const struct sn_node *const *nd, enum sn_mode mode, const struct sn_kernels *k, struct sn_sizes *s) {
    (void)nd, (void)mode, (void)k, (void)s; /* the convolution's own */
}

static int forward_relu(struct sn_exec *x, const struct sn_node *const *nd, const struct sn_tile *t) {
    sn_conv1d_forward(x, nd[0], t, sn_x_out(x, nd[1], t->r0), true, (struct sn_t3){0});
    return 0;
}

static const struct sn_fusion conv_relu = {
    .name = "conv1d+relu",
    .ops = {"conv1d", "relu"},
    .modes = {[SN_INFER] = true, [SN_TRAIN] = true},
    .forward_only = true,
    .match = match_relu,
    .sizes = no_sizes,
    .forward = forward_relu,
};

static bool match_add(const struct sn_node *const *nd) {
    return !nd[0]->on_codes && nd[2]->n_inputs == 2 && nd[2]->inputs[0] != nd[2]->inputs[1];
}

static int forward_add(struct sn_exec *x, const struct sn_node *const *nd, const struct sn_tile *t) {
    const int other = nd[2]->inputs[0] == nd[1]->id;
    sn_conv1d_forward(x, nd[0], t, sn_x_out(x, nd[2], t->r0), true, sn_x_in(x, nd[2], other, t->r0));
    return 0;
}

static const struct sn_fusion conv_relu_add = {
    .name = "conv1d+relu+add",
    .ops = {"conv1d", "relu", "add"},
    .modes = {[SN_INFER] = true},
    .forward_only = true,
    .match = match_add,
    .sizes = no_sizes,
    .forward = forward_add,
};

const struct sn_fusion *const sn_fusions_cpu[] = {
    &conv_relu_pool, &conv_relu_pool_attribute, &conv_relu_global, &conv_relu_global_attribute, &conv_relu_add, &conv_relu, NULL,
};
