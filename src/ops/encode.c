/* encode: codes (L) -> (L, channels) by the alphabet's table. The first node of every graph; a convolution that reads it runs on the codes.
 */
#include "ops/common.h"

static int shape(struct sn_node *nd) {
    (void)nd; /* the graph sets it: length and channels come from outside */
    return 0;
}

static int forward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_t3 y = sn_x_out(x, nd, t->r0);
    int n = t->r1 - t->r0;
    struct sn_codes c = sn_x_codes(x, t->r0, n);
    sn_x_kernels(x)->encode(&(struct sn_encode){.n = n, .codes = c.codes, .code_row = c.code_row, .lut = c.lut, .y = y});
    return 0;
}

const struct sn_op sn_op_encode = {
    .name = "encode",
    .help = "Sequence codes to channels: (L) -> (L, channels of the alphabet)",
    .min_inputs = 0,
    .max_inputs = 0,
    .shape = shape,
    .forward = {{SN_SPLIT_SAMPLE, forward}},
    .rule = SN_ATTR_LINEAR,
    .geometry = sn_geo_pointwise,
};
