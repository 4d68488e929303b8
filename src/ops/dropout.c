/* dropout: in training each value is 0 with probability rate, else divided by 1 - rate; the mask depends on (seed, step, layer, sample id).
 */
#include "ops/common.h"

enum { P_RATE };

static const struct sn_param_desc params[] = {
    {.name = "rate", .type = SN_P_FLOAT, .required = true, .min = 0, .max = 0.999, .help = "share of values set to 0 in training"},
    {.name = NULL},
};

static void apply(struct sn_exec *x, const struct sn_node *nd, int r0, int n, struct sn_t3 from, struct sn_t3 to) {
    sn_x_kernels(x)->dropout(&(struct sn_dropout){.n = n,
                                                  .rate = nd->p[P_RATE].f,
                                                  .seed = sn_x_seed(x),
                                                  .step = sn_x_step(x),
                                                  .node = nd->id,
                                                  .ids = sn_x_ids(x, r0),
                                                  .x = from,
                                                  .y = to});
}

static int forward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    apply(x, nd, t->r0, t->r1 - t->r0, sn_x_in(x, nd, 0, t->r0), sn_x_out(x, nd, t->r0));
    return 0;
}

static int backward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_t3 dx = sn_x_grad_in(x, nd, 0, t->r0);
    if (dx.p) apply(x, nd, t->r0, t->r1 - t->r0, sn_x_grad_out(x, nd, t->r0), dx);
    return 0;
}

const struct sn_op sn_op_dropout = {
    .name = "dropout",
    .help = "Zeroes a share of the values in training and scales the rest; the identity elsewhere",
    .flags = SN_OP_INPLACE | SN_OP_STOCHASTIC,
    .min_inputs = 1,
    .max_inputs = 1,
    .params = params,
    .shape = sn_shape_same,
    .forward = {{SN_SPLIT_SAMPLE, forward}},
    .backward = {{SN_SPLIT_SAMPLE, backward}},
    .rule = SN_ATTR_LINEAR,
    .geometry = sn_geo_pointwise,
};
