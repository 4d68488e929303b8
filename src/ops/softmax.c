/* softmax over the channels of each position. */
#include "ops/common.h"

static void keep(const struct sn_node *nd, enum sn_mode mode, struct sn_keep *k) {
    (void)nd;
    k->output = mode == SN_TRAIN;
    k->inputs = mode == SN_ATTRIBUTE;
}

static int forward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    sn_x_kernels(x)->softmax_fwd(&(struct sn_softmax_fwd){.n = t->r1 - t->r0, .x = sn_x_in(x, nd, 0, t->r0), .y = sn_x_out(x, nd, t->r0)});
    return 0;
}

static int backward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_softmax_bwd a = {
        .n = t->r1 - t->r0, .y = sn_x_out(x, nd, t->r0), .dy = sn_x_grad_out(x, nd, t->r0), .dx = sn_x_grad_in(x, nd, 0, t->r0)};
    if (a.dx.p) sn_x_kernels(x)->softmax_bwd(&a);
    return 0;
}

static int attribute(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_softmax_attr a = {.pairs = sn_x_pairs(x, t->r0, t->r1),
                                .x = sn_x_in(x, nd, 0, 0),
                                .my = sn_x_grad_out(x, nd, t->r0),
                                .mx = sn_x_grad_in(x, nd, 0, t->r0)};
    if (a.mx.p) sn_x_kernels(x)->softmax_attr(&a);
    return 0;
}

const struct sn_op sn_op_softmax = {
    .name = "softmax",
    .help = "exp(x_c) / sum over channels, at each position",
    .flags = SN_OP_IS_ACT | SN_OP_LOGIT,
    .min_inputs = 1,
    .max_inputs = 1,
    .shape = sn_shape_same,
    .keep = keep,
    .forward = {{SN_SPLIT_SAMPLE, forward}},
    .backward = {{SN_SPLIT_SAMPLE, backward}},
    .rule = SN_ATTR_COLLAPSE,
    .attribute = attribute,
    .geometry = sn_geo_pointwise,
};
