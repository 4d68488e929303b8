/* dense: y = x W + b over the channels; a vector, or each position of a sequence. Kernel (in, units).
 *
 * Weights that would not stay in cache from tile to tile are read where they lie, by blocks of outputs (of inputs in the reverse pass) over
 * all rows of the batch; smaller ones are packed once for all tiles.
 *
 * In two parts (Reveal-Cancel), W+ = max(W, 0) and W- = min(W, 0): the parts of a difference are d+ W+ + d- W- and d+ W- + d- W+, and so
 * are, transposed, the multipliers of a positive and of a negative difference of the inputs. */
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
    k->inputs = mode == SN_TRAIN || nd->parts;
    k->scratch = nd->parts ? sn_parts_scratch_bytes(nd) : 0;
}

/* By blocks of outputs where the weights would not stay in cache from tile to tile. */
static bool split_outputs(const struct sn_node *nd) {
    return !nd->in[0].seq && nd->in[0].ch * nd->out.ch > SPLIT_WEIGHTS;
}

/* Prepared weights: W and, outside inference, W^T, then W+ and W- as they are and, each, packed and transposed. */
struct packed {
    size_t wt, raw[2], part[2], part_t[2], total;
};

static struct packed packed_layout(const struct sn_node *nd, enum sn_mode mode, const struct sn_kernels *k) {
    const int64_t in = nd->in[0].ch, out = nd->out.ch;
    const bool pack = !split_outputs(nd);
    struct packed p = {.wt = pack ? sn_pack_bytes(k, in, out) : 0};
    p.total = p.wt + (pack && mode != SN_INFER ? sn_pack_bytes(k, out, in) : 0);
    for (int i = 0; nd->parts && i < 2; i++) {
        p.raw[i] = p.total;
        p.part[i] = p.raw[i] + sn_align_up((size_t)(in * out) * sizeof(sn_real));
        p.part_t[i] = p.part[i] + (pack ? sn_pack_bytes(k, in, out) : 0);
        p.total = p.part_t[i] + (pack ? sn_pack_bytes(k, out, in) : 0);
    }
    return p;
}

static void sizes(const struct sn_node *nd, enum sn_mode mode, const struct sn_kernels *k, int tile_rows, struct sn_sizes *s) {
    (void)tile_rows;
    s->workspace = k->gemm_ws();
    s->prepared = packed_layout(nd, mode, k).total;
}

static void prepare_parts(struct sn_exec *x, const struct sn_node *nd, const struct packed *p, char *dst) {
    const int64_t in = nd->in[0].ch, out = nd->out.ch;
    sn_real *raw[2] = {(sn_real *)(dst + p->raw[0]), (sn_real *)(dst + p->raw[1])};
    sn_x_kernels(x)->weight_parts(&(struct sn_weight_parts){
        .blocks = 1, .rows = in, .cols = out, .w = sn_x_weight(x, nd, W_KERNEL), .plus = raw[0], .minus = raw[1], .ld = out});
    for (int i = 0; i < 2 && !split_outputs(nd); i++) {
        sn_pack_weight(x, raw[i], in, out, false, dst + p->part[i]);
        sn_pack_weight(x, raw[i], in, out, true, dst + p->part_t[i]);
    }
}

static int prepare(struct sn_exec *x, const struct sn_node *nd, void *dst) {
    const struct packed p = packed_layout(nd, sn_x_mode(x), sn_x_kernels(x));
    if (nd->parts) prepare_parts(x, nd, &p, dst);
    if (split_outputs(nd)) return 0;
    const sn_real *w = sn_x_weight(x, nd, W_KERNEL);
    sn_pack_weight(x, w, nd->in[0].ch, nd->out.ch, false, dst);
    if (sn_x_mode(x) != SN_INFER) sn_pack_weight(x, w, nd->in[0].ch, nd->out.ch, true, (char *)dst + p.wt);
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
        g.packed = (const char *)sn_x_prepared(x, nd) + packed_layout(nd, sn_x_mode(x), k).wt + k->gemm_pack_bytes(nd->out.ch, t->o0);
    else
        g.b = sn_x_weight(x, nd, W_KERNEL) + t->o0 * nd->out.ch, g.b_rs = 1, g.b_cs = nd->out.ch;
    sn_rows_gemm(x, &g);
    return 0;
}

/* Columns [t->o0, t->o1) of c = a times W+ or W- (sign 1), or its transpose. */
static void part_product(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t, int sign, bool transposed,
                         struct sn_rows_gemm g) {
    const struct sn_kernels *k = sn_x_kernels(x);
    const struct packed p = packed_layout(nd, sn_x_mode(x), k);
    const char *base = sn_x_prepared(x, nd);
    const int64_t out = nd->out.ch;
    g.c.p += t->o0;
    if (!split_outputs(nd))
        g.packed = base + (transposed ? p.part_t : p.part)[sign] + k->gemm_pack_bytes(g.a.ch, t->o0);
    else
        g.b = (const sn_real *)(base + p.raw[sign]) + t->o0 * (transposed ? out : 1), g.b_rs = transposed ? 1 : out,
        g.b_cs = transposed ? out : 1;
    sn_rows_gemm(x, &g);
}

static void cross_products(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t, struct sn_parts a, struct sn_parts c,
                           bool transposed) {
    for (int part = 0; part < 2; part++)
        for (int from = 0; from < 2; from++)
            part_product(x, nd, t, part ^ from, transposed,
                         (struct sn_rows_gemm){.n = t->r1 - t->r0,
                                               .a = from ? a.minus : a.plus,
                                               .c = part ? c.minus : c.plus,
                                               .len = sn_x_grad_out_len(x, nd, t->r0),
                                               .n_out = t->o1 - t->o0,
                                               .accumulate = from > 0,
                                               .ws = sn_x_ws(x, t->worker)});
}

static int split(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    const struct sn_parts d = sn_parts_of(sn_x_diff(x, nd, t->r0), nd->in[0].ch), y = sn_parts_of(sn_x_split_out(x, nd, t->r0), nd->out.ch);
    cross_products(x, nd, t, d, y, false);
    return 0;
}

static struct sn_t3 columns(struct sn_t3 t, int64_t from, int64_t to) {
    t.p += from;
    t.ch = (int32_t)(to - from);
    return t;
}

static int attribute(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_t3 mx = sn_x_grad_in(x, nd, 0, t->r0);
    if (!nd->parts) return backward(x, nd, t);
    if (!mx.p) return 0;
    const struct sn_parts m = sn_parts_of(sn_parts_scratch(x, nd, t->r0), nd->in[0].ch);
    cross_products(x, nd, t, sn_parts_of(sn_x_grad_out(x, nd, t->r0), nd->out.ch), m, true);
    struct sn_pair_select a = {.v = sn_pair_input(x, nd, t->r0, t->r1),
                               .m = {columns(m.plus, t->o0, t->o1), columns(m.minus, t->o0, t->o1)},
                               .y = columns(mx, t->o0, t->o1)};
    a.v.x.p += t->o0;
    sn_x_kernels(x)->pair_select(&a);
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
    .flags = SN_OP_ACTIVATION | SN_OP_SIGNED,
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
    .attribute = attribute,
    .split = split,
    .geometry = sn_geo_head,
};
