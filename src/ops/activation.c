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

/* Each part times the same quotient, */
static void rescale(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t, struct sn_t3 m, struct sn_t3 y) {
    const struct sn_parts from = sn_parts_of(m, nd->out.ch), to = sn_parts_of(y, nd->out.ch);
    struct sn_unary_attr a = {
        .kind = kind(nd), .pairs = sn_x_pairs(x, t->r0, t->r1), .x = sn_x_in(x, nd, 0, 0), .my = from.plus, .mx = to.plus};
    sn_x_kernels(x)->unary_attr(&a);
    a.my = from.minus, a.mx = to.minus;
    if (y.ch > nd->out.ch) sn_x_kernels(x)->unary_attr(&a);
}

/* or each its own. */
static void cancel(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t, struct sn_t3 m, struct sn_t3 y) {
    sn_x_kernels(x)->unary_cancel(&(struct sn_unary_cancel){.kind = kind(nd),
                                                            .pairs = sn_x_pairs(x, t->r0, t->r1),
                                                            .x = sn_x_in(x, nd, 0, 0),
                                                            .d = sn_parts_of(sn_x_split_in(x, nd, 0, t->r0), nd->out.ch),
                                                            .m = sn_parts_of(m, nd->out.ch),
                                                            .y = sn_parts_of(y, nd->out.ch)});
}

static void times_quotients(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t, struct sn_t3 m, struct sn_t3 y) {
    if (nd->rule == SN_ATTR_REVEAL_CANCEL)
        cancel(x, nd, t, m, y);
    else
        rescale(x, nd, t, m, y);
}

static int attribute(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_t3 mx = sn_x_grad_in(x, nd, 0, t->r0);
    if (mx.p) times_quotients(x, nd, t, sn_x_grad_out(x, nd, t->r0), mx);
    return 0;
}

static int split(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    times_quotients(x, nd, t, sn_x_split_in(x, nd, 0, t->r0), sn_x_split_out(x, nd, t->r0));
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
        .split = split,                                                                                                                    \
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
