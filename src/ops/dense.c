/* dense: y = x W + b over the channels; a vector, or each position of a sequence. Kernel (in, units).
 *
 * Weights that would not stay in cache from tile to tile are read where they lie, by blocks of outputs (of inputs in the reverse pass) over
 * all rows of the batch; smaller ones are packed once for all tiles. */
#include "ops/common.h"

enum { P_UNITS, P_BIAS, P_REG };
enum { W_KERNEL, W_BIAS };

#define SPLIT_WEIGHTS (1 << 18) /* more than a second-level cache holds */

static const struct sn_param_desc params[] = {
    {.name = "units",
     .type = SN_P_INT,
     .required = true,
     .min = 1,
     .max = 1 << 24,
     .tasks = true,
     .help = "outputs; `tasks` = as many as the data has labels"},
    {.name = "use_bias", .type = SN_P_BOOL, .def = 1, .help = "add a bias per unit"},
    {.name = "kernel_regularizer", .type = SN_P_REG, .help = "penalty on the kernel: {l1: a, l2: b}"},
    {.name = NULL},
};

static int shape(struct sn_node *nd) {
    int64_t units = nd->p[P_UNITS].i, in = nd->in[0].ch;
    nd->out = nd->in[0];
    nd->out.ch = units;
    struct sn_weight *w = sn_add_weight(nd, "kernel", in, units, SN_INIT_GLOROT_UNIFORM);
    w->regularize = true, w->block = 1, w->at_once = !nd->in[0].seq;
    if (nd->p[P_BIAS].i) sn_add_weight(nd, "bias", units, 0, SN_INIT_ZEROS);
    return 0;
}

static void keep(const struct sn_node *nd, enum sn_mode mode, struct sn_keep *k) {
    (void)nd;
    k->inputs = mode == SN_TRAIN;
}

/* By blocks of outputs where the weights would not stay in cache from tile to tile. */
static bool split_outputs(const struct sn_node *nd) {
    return !nd->in[0].seq && nd->in[0].ch * nd->out.ch > SPLIT_WEIGHTS;
}

static void sizes(const struct sn_node *nd, enum sn_mode mode, const struct sn_kernels *k, int tile_rows, struct sn_sizes *s) {
    (void)tile_rows;
    s->workspace = k->gemm_ws();
    if (split_outputs(nd)) return;
    s->prepared = sn_pack_bytes(k, nd->in[0].ch, nd->out.ch);
    if (mode != SN_INFER) s->prepared += sn_pack_bytes(k, nd->out.ch, nd->in[0].ch);
}

static int prepare(struct sn_exec *x, const struct sn_node *nd, void *dst) {
    if (split_outputs(nd)) return 0;
    const sn_real *w = sn_x_weight(x, nd, W_KERNEL);
    size_t used = sn_pack_weight(x, w, nd->in[0].ch, nd->out.ch, false, dst);
    if (sn_x_mode(x) != SN_INFER) sn_pack_weight(x, w, nd->in[0].ch, nd->out.ch, true, (char *)dst + used);
    return 0;
}

static double work(const struct sn_node *nd) {
    return (double)nd->in[0].len * (double)nd->in[0].ch * (double)nd->out.ch;
}

static int forward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_t3 y = sn_x_out(x, nd, t->r0);
    y.p += t->o0;
    struct sn_rows_gemm g = {.n = t->r1 - t->r0,
                             .a = sn_x_in(x, nd, 0, t->r0),
                             .c = y,
                             .len = sn_x_out_len(x, nd, t->r0),
                             .n_out = t->o1 - t->o0,
                             .bias = nd->p[P_BIAS].i ? sn_x_weight(x, nd, W_BIAS) + t->o0 : NULL,
                             .ws = sn_x_ws(x, t->worker)};
    if (!split_outputs(nd))
        g.packed = (const char *)sn_x_prepared(x, nd) + sn_x_kernels(x)->gemm_pack_bytes(nd->in[0].ch, t->o0);
    else
        g.b = sn_x_weight(x, nd, W_KERNEL) + t->o0, g.b_rs = nd->out.ch, g.b_cs = 1;
    sn_rows_gemm(x, &g);
    return 0;
}

/* Columns [t->o0, t->o1) of dx where the weights are split, else all. */
static int backward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    const struct sn_kernels *k = sn_x_kernels(x);
    struct sn_t3 dx = sn_x_grad_in(x, nd, 0, t->r0);
    if (!dx.p) return 0;
    dx.p += t->o0;
    struct sn_rows_gemm g = {.n = t->r1 - t->r0,
                             .a = sn_x_grad_out(x, nd, t->r0),
                             .c = dx,
                             .len = sn_x_grad_out_len(x, nd, t->r0),
                             .n_out = t->o1 - t->o0,
                             .ws = sn_x_ws(x, t->worker)};
    if (!split_outputs(nd))
        g.packed = (const char *)sn_x_prepared(x, nd) + sn_pack_bytes(k, nd->in[0].ch, nd->out.ch) + k->gemm_pack_bytes(nd->out.ch, t->o0);
    else
        g.b = sn_x_weight(x, nd, W_KERNEL) + t->o0 * nd->out.ch, g.b_rs = 1, g.b_cs = nd->out.ch;
    sn_rows_gemm(x, &g);
    return 0;
}

static int weight_grad(struct sn_exec *x, const struct sn_node *nd, int w, const struct sn_tile *t, sn_real *dst) {
    const struct sn_t3 a = sn_x_in(x, nd, 0, t->r0), dy = sn_x_grad_out(x, nd, t->r0);
    int n = t->r1 - t->r0;
    if (w == W_BIAS)
        sn_x_kernels(x)->bias_grad(&(struct sn_bias_grad){.n = n, .dy = dy, .db = dst});
    else if (t->leaf < 0)
        sn_x_kernels(x)->outer(&(struct sn_outer){.m = t->o1 - t->o0,
                                                  .n = nd->out.ch,
                                                  .rows = n,
                                                  .leaves = sn_x_leaves(x),
                                                  .a = a.p + t->o0,
                                                  .a_row = a.row,
                                                  .b = dy.p,
                                                  .b_row = dy.row,
                                                  .len = dy.len,
                                                  .c = dst,
                                                  .c_rs = nd->out.ch,
                                                  .ws = sn_x_ws(x, t->worker)});
    else
        sn_rows_outer(x, &(struct sn_rows_outer){.n = n,
                                                 .a = a,
                                                 .b = dy,
                                                 .len = sn_x_out_len(x, nd, t->r0),
                                                 .o0 = t->o0,
                                                 .o1 = t->o1,
                                                 .n_out = nd->out.ch,
                                                 .dst = dst,
                                                 .ws = sn_x_ws(x, t->worker)});
    return 0;
}

const struct sn_op sn_op_dense = {
    .name = "dense",
    .help = "Matrix product over the channels: (C) -> (units), or (L, C) -> (L, units)",
    .flags = SN_OP_ACTIVATION,
    .min_inputs = 1,
    .max_inputs = 1,
    .params = params,
    .shape = shape,
    .keep = keep,
    .sizes = sizes,
    .prepare = prepare,
    .work = work,
    .split_outputs = split_outputs,
    .forward = {{SN_SPLIT_SAMPLE, forward}},
    .backward = {{SN_SPLIT_SAMPLE, backward}},
    .weight_grad = weight_grad,
    .rule = SN_ATTR_LINEAR,
    .attribute = backward,
    .geometry = sn_geo_head,
};
