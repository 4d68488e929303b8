/* batch_normalization: per channel (x - mean) / sqrt(var + epsilon) * gamma + beta; statistics of the batch in training (over rows and
 * positions), moving averages elsewhere. */
#include "ops/common.h"

enum { P_MOMENTUM, P_EPSILON };
enum { W_GAMMA, W_BETA, W_MEAN, W_VAR };

static const struct sn_param_desc params[] = {
    {.name = "momentum", .type = SN_P_FLOAT, .def = 0.99, .min = 0, .max = 1, .help = "share of the old moving average that is kept"},
    {.name = "epsilon", .type = SN_P_FLOAT, .def = 0.001, .min = 0, .max = 1, .help = "added to the variance"},
    {.name = NULL},
};

static int shape(struct sn_node *nd) {
    nd->out = nd->in[0];
    int64_t ch = nd->in[0].ch;
    sn_add_weight(nd, "gamma", ch, 0, SN_INIT_ONES);
    sn_add_weight(nd, "beta", ch, 0, SN_INIT_ZEROS);
    sn_add_weight(nd, "moving_mean", ch, 0, SN_INIT_ZEROS)->trainable = false;
    sn_add_weight(nd, "moving_variance", ch, 0, SN_INIT_ONES)->trainable = false;
    return 0;
}

static void keep(const struct sn_node *nd, enum sn_mode mode, struct sn_keep *k) {
    (void)nd;
    k->inputs = mode == SN_TRAIN;
}

/* A leaf's partial: statistics (2 ch + 1), then sums of the reverse pass (2 ch). */
static size_t stats_bytes(const struct sn_node *nd) {
    return sn_align_up((size_t)(2 * nd->in[0].ch + 1) * sizeof(sn_real));
}

static void sizes(const struct sn_node *nd, enum sn_mode mode, const struct sn_kernels *k, int tile_rows, struct sn_sizes *s) {
    (void)k, (void)tile_rows;
    if (mode == SN_TRAIN) s->partial = stats_bytes(nd) + sn_align_up((size_t)(2 * nd->in[0].ch) * sizeof(sn_real));
}

static sn_real *stats(const struct sn_exec *x, const struct sn_node *nd, int leaf) {
    return sn_x_partial(x, nd, leaf);
}

static sn_real *sums(const struct sn_exec *x, const struct sn_node *nd, int leaf) {
    return (sn_real *)((char *)sn_x_partial(x, nd, leaf) + stats_bytes(nd));
}

static int forward_stats(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    sn_x_kernels(x)->bn_stats(&(struct sn_bn_stats){.n = t->r1 - t->r0, .x = sn_x_in(x, nd, 0, t->r0), .part = stats(x, nd, t->leaf)});
    return 0;
}

static int forward_join(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    (void)t;
    const struct sn_kernels *k = sn_x_kernels(x);
    int leaves = sn_x_leaves(x), ch = (int)nd->in[0].ch;
    for (int step = 1; step < leaves; step *= 2)
        for (int i = 0; i + step < leaves; i += 2 * step)
            k->bn_join(&(struct sn_bn_join){.ch = ch, .a = stats(x, nd, i), .b = stats(x, nd, i + step)});
    k->bn_update(&(struct sn_bn_update){.ch = ch,
                                        .stats = stats(x, nd, 0),
                                        .mean = sn_x_weight_rw(x, nd, W_MEAN),
                                        .var = sn_x_weight_rw(x, nd, W_VAR),
                                        .momentum = nd->p[P_MOMENTUM].f});
    return 0;
}

static int forward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    bool training = sn_x_mode(x) == SN_TRAIN;
    sn_x_kernels(x)->bn_fwd(&(struct sn_bn_fwd){.n = t->r1 - t->r0,
                                                .x = sn_x_in(x, nd, 0, t->r0),
                                                .y = sn_x_out(x, nd, t->r0),
                                                .stats = training ? stats(x, nd, 0) : NULL,
                                                .mean = sn_x_weight(x, nd, W_MEAN),
                                                .var = sn_x_weight(x, nd, W_VAR),
                                                .gamma = sn_x_weight(x, nd, W_GAMMA),
                                                .beta = sn_x_weight(x, nd, W_BETA),
                                                .eps = nd->p[P_EPSILON].f});
    return 0;
}

static int backward_stats(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    sn_x_kernels(x)->bn_bwd_stats(&(struct sn_bn_bwd_stats){.n = t->r1 - t->r0,
                                                            .x = sn_x_in(x, nd, 0, t->r0),
                                                            .dy = sn_x_grad_out(x, nd, t->r0),
                                                            .stats = stats(x, nd, 0),
                                                            .eps = nd->p[P_EPSILON].f,
                                                            .part = sums(x, nd, t->leaf)});
    return 0;
}

static int backward_join(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    (void)t;
    int leaves = sn_x_leaves(x);
    for (int step = 1; step < leaves; step *= 2)
        for (int i = 0; i + step < leaves; i += 2 * step)
            sn_x_kernels(x)->accumulate(
                &(struct sn_accumulate){.dst = sums(x, nd, i), .src = sums(x, nd, i + step), .n = 2 * nd->in[0].ch});
    return 0;
}

static int backward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_t3 dx = sn_x_grad_in(x, nd, 0, t->r0);
    if (dx.p)
        sn_x_kernels(x)->bn_bwd(&(struct sn_bn_bwd){.n = t->r1 - t->r0,
                                                    .x = sn_x_in(x, nd, 0, t->r0),
                                                    .dy = sn_x_grad_out(x, nd, t->r0),
                                                    .dx = dx,
                                                    .stats = stats(x, nd, 0),
                                                    .sums = sums(x, nd, 0),
                                                    .gamma = sn_x_weight(x, nd, W_GAMMA),
                                                    .eps = nd->p[P_EPSILON].f});
    return 0;
}

/* The joined sums are the gradients: leaf 0 brings them, the others nothing. */
static int weight_grad(struct sn_exec *x, const struct sn_node *nd, int w, const struct sn_tile *t, sn_real *dst) {
    int64_t ch = nd->in[0].ch;
    if (t->leaf == 0)
        sn_x_kernels(x)->accumulate(&(struct sn_accumulate){.dst = dst, .src = sums(x, nd, 0) + (w == W_GAMMA ? ch : 0), .n = ch});
    return 0;
}

static void scale_parts(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t, struct sn_t3 from, struct sn_t3 to) {
    sn_x_kernels(x)->bn_parts(&(struct sn_bn_parts){.n = t->r1 - t->r0,
                                                    .x = sn_parts_of(from, nd->out.ch),
                                                    .y = sn_parts_of(to, nd->out.ch),
                                                    .var = sn_x_weight(x, nd, W_VAR),
                                                    .gamma = sn_x_weight(x, nd, W_GAMMA),
                                                    .eps = nd->p[P_EPSILON].f});
}

static int split(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    scale_parts(x, nd, t, sn_x_split_in(x, nd, 0, t->r0), sn_x_split_out(x, nd, t->r0));
    return 0;
}

static int attribute(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_t3 mx = sn_x_grad_in(x, nd, 0, t->r0);
    if (mx.p && nd->parts)
        scale_parts(x, nd, t, sn_x_grad_out(x, nd, t->r0), mx);
    else if (mx.p)
        sn_x_kernels(x)->bn_scale(&(struct sn_bn_scale){.n = t->r1 - t->r0,
                                                        .dy = sn_x_grad_out(x, nd, t->r0),
                                                        .dx = mx,
                                                        .var = sn_x_weight(x, nd, W_VAR),
                                                        .gamma = sn_x_weight(x, nd, W_GAMMA),
                                                        .eps = nd->p[P_EPSILON].f});
    return 0;
}

const struct sn_op sn_op_batch_normalization = {
    .name = "batch_normalization",
    .help = "Each channel to mean 0 and variance 1, then scaled by gamma and shifted by beta",
    .flags = SN_OP_NO_ROW,
    .min_inputs = 1,
    .max_inputs = 1,
    .params = params,
    .shape = shape,
    .keep = keep,
    .sizes = sizes,
    .forward = {{SN_SPLIT_REDUCE, forward_stats}, {SN_SPLIT_ONCE, forward_join}, {SN_SPLIT_SAMPLE, forward}},
    .backward = {{SN_SPLIT_REDUCE, backward_stats}, {SN_SPLIT_ONCE, backward_join}, {SN_SPLIT_SAMPLE, backward}},
    .weight_grad = weight_grad,
    .rule = SN_ATTR_LINEAR,
    .attribute = attribute,
    .split = split,
    .geometry = sn_geo_pointwise,
};
