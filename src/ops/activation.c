/* relu, sigmoid, tanh: scalar functions of each value; linear: the identity. */
#include "ops/common.h"

static enum sn_unary kind(const struct sn_node *nd);

static void keep(const struct sn_node *nd, enum sn_mode mode, struct sn_keep *k) {
    (void)nd;
    k->output = mode == SN_TRAIN;
    k->inputs = mode == SN_ATTRIBUTE;
}

static int forward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    sn_x_kernels(x)->unary_fwd(
        &(struct sn_unary_fwd){.kind = kind(nd), .n = t->r1 - t->r0, .x = sn_x_in(x, nd, 0, t->r0), .y = sn_x_out(x, nd, t->r0)});
    return 0;
}

static int backward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_unary_bwd a = {.kind = kind(nd),
                             .n = t->r1 - t->r0,
                             .y = sn_x_out(x, nd, t->r0),
                             .dy = sn_x_grad_out(x, nd, t->r0),
                             .dx = sn_x_grad_in(x, nd, 0, t->r0)};
    if (a.dx.p) sn_x_kernels(x)->unary_bwd(&a);
    return 0;
}

static int attribute(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_unary_attr a = {.kind = kind(nd),
                              .pairs = sn_x_pairs(x, t->r0, t->r1),
                              .x = sn_x_in(x, nd, 0, 0),
                              .my = sn_x_grad_out(x, nd, t->r0),
                              .mx = sn_x_grad_in(x, nd, 0, t->r0)};
    if (a.mx.p) sn_x_kernels(x)->unary_attr(&a);
    return 0;
}

#define SN_SCALAR_OP(word, text, more)                                                                                                     \
    const struct sn_op sn_op_##word = {                                                                                                    \
        .name = #word,                                                                                                                     \
        .help = text,                                                                                                                      \
        .flags = SN_OP_INPLACE | SN_OP_IS_ACT | (more),                                                                                    \
        .min_inputs = 1,                                                                                                                   \
        .max_inputs = 1,                                                                                                                   \
        .shape = sn_shape_same,                                                                                                            \
        .keep = keep,                                                                                                                      \
        .forward = {{SN_SPLIT_SAMPLE, forward}},                                                                                           \
        .backward = {{SN_SPLIT_SAMPLE, backward}},                                                                                         \
        .rule = SN_ATTR_RESCALE,                                                                                                           \
        .attribute = attribute,                                                                                                            \
        .geometry = sn_geo_pointwise,                                                                                                      \
    }

SN_SCALAR_OP(relu, "max(x, 0) of each value", 0);
SN_SCALAR_OP(sigmoid, "1 / (1 + exp(-x)) of each value", SN_OP_LOGIT);
SN_SCALAR_OP(tanh, "Hyperbolic tangent of each value", 0);

static enum sn_unary kind(const struct sn_node *nd) {
    return nd->op == &sn_op_relu ? SN_RELU : nd->op == &sn_op_sigmoid ? SN_SIGMOID : SN_TANH;
}

const struct sn_op sn_op_linear = {
    .name = "linear",
    .help = "The identity",
    .flags = SN_OP_ALIAS | SN_OP_IS_ACT,
    .min_inputs = 1,
    .max_inputs = 1,
    .shape = sn_shape_same,
    .rule = SN_ATTR_LINEAR,
    .geometry = sn_geo_pointwise,
};
