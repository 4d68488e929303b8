/* conv1d: y[q,f] = b[f] + sum_{t,c} x[q*stride - pad + t*dilation, c] w[t,c,f], cross-correlation, kernel (width, in, filters). Reading
 * encode it runs on the codes (tables of summed taps), else as a product of overlapping rows.
 *
 * In two parts (Reveal-Cancel) it is a convolution of twice the channels with [W+ W-; W- W+], W+ = max(w, 0), W- = min(w, 0): of the parts
 * of the input's difference, and, transposed, of the multipliers, which gives those of a positive and of a negative difference. */
#include "conv_rule.h"
#include "ops/common.h"

#define CHANNEL_BLOCK 32 /* of a weight gradient by channels: each block transforms all gradients of the output */

enum { P_FILTERS, P_SIZE, P_STRIDE, P_DILATION, P_PADDING, P_BIAS, P_REG };
enum { W_KERNEL, W_BIAS };

static const struct sn_param_desc params[] = {
    {.name = "filters",
     .type = SN_P_INT,
     .required = true,
     .min = 1,
     .max = 1 << 20,
     .tasks = true,
     .help = "number of filters, channels of the output"},
    {.name = "kernel_size", .type = SN_P_INT, .required = true, .min = 1, .max = 1 << 16, .help = "width of a filter in positions"},
    {.name = "strides", .type = SN_P_INT, .def = 1, .min = 1, .max = 1 << 16, .help = "positions from window to window"},
    {.name = "dilation_rate", .type = SN_P_INT, .def = 1, .min = 1, .max = 1 << 16, .help = "positions from tap to tap of a filter"},
    {.name = "padding",
     .type = SN_P_ENUM,
     .choices = sn_padding_words,
     .help = "valid: windows inside the sequence; same: zeros around it"},
    {.name = "use_bias", .type = SN_P_BOOL, .def = 1, .help = "add a bias per filter"},
    {.name = "kernel_regularizer", .type = SN_P_REG, .help = "penalty on the kernel: {l1: a, l2: b}"},
    {.name = NULL},
};

/* Positions from the first tap to the last, both included. */
static int64_t span(const struct sn_node *nd) {
    return (nd->p[P_SIZE].i - 1) * nd->p[P_DILATION].i + 1;
}

/* Attributions are exact to rounding: plain sums, forward and back. */
static struct sn_conv conv_shape(const struct sn_node *nd, enum sn_mode mode) {
    int64_t stride = nd->p[P_STRIDE].i;
    return (struct sn_conv){.k = (int)nd->p[P_SIZE].i,
                            .cin = (int)nd->in[0].ch,
                            .cout = (int)nd->out.ch,
                            .stride = (int)stride,
                            .pad = (int)sn_window_pad(nd->in[0].len, span(nd), stride, (int)nd->p[P_PADDING].i),
                            .dilation = (int)nd->p[P_DILATION].i,
                            .direct = mode == SN_ATTRIBUTE};
}

static int shape(struct sn_node *nd) {
    int64_t size = nd->p[P_SIZE].i, filters = nd->p[P_FILTERS].i;
    if (nd->p[P_STRIDE].i > 1 && nd->p[P_DILATION].i > 1)
        return sn_error(SEQNET_ESHAPE, "strides %lld and dilation_rate %lld: one of them must be 1", (long long)nd->p[P_STRIDE].i,
                        (long long)nd->p[P_DILATION].i);
    if (span(nd) > INT32_MAX)
        return sn_error(SEQNET_ESHAPE, "kernel_size %lld with dilation_rate %lld: a window of %lld positions is too long", (long long)size,
                        (long long)nd->p[P_DILATION].i, (long long)span(nd));
    SN_TRY(sn_window_shape(nd, span(nd), nd->p[P_STRIDE].i, (int)nd->p[P_PADDING].i));
    nd->out.ch = filters;
    struct sn_weight *w = sn_add_weight(nd, "kernel", size, nd->in[0].ch, SN_INIT_GLOROT_UNIFORM);
    w->rank = 3, w->shape[2] = filters;
    w->fan_in = size * nd->in[0].ch, w->fan_out = size * filters;
    const struct sn_conv c = conv_shape(nd, SN_TRAIN);
    w->regularize = true, w->runs = sn_conv_filter_runs(&c);
    w->block = nd->on_codes ? 0 : w->runs > 1 ? CHANNEL_BLOCK : 1;
    if (nd->p[P_BIAS].i) sn_add_weight(nd, "bias", filters, 0, SN_INIT_ZEROS);
    return 0;
}

static int64_t out_len(const struct sn_node *nd, int64_t len) {
    return sn_window_len(len, span(nd), nd->p[P_STRIDE].i, (int)nd->p[P_PADDING].i);
}

static void keep(const struct sn_node *nd, enum sn_mode mode, struct sn_keep *k) {
    k->inputs = (mode == SN_TRAIN || nd->parts) && !nd->on_codes;
    k->scratch = nd->parts ? sn_parts_scratch_bytes(nd) : 0;
}

static struct sn_conv parts_shape(const struct sn_node *nd) {
    struct sn_conv c = conv_shape(nd, SN_ATTRIBUTE);
    c.cin *= 2, c.cout *= 2;
    return c;
}

/* Prepared weights: of the forward pass, of the reverse pass, then those of the parts as they are, forward and reverse. */
struct packed {
    size_t bwd, raw, parts, parts_bwd, total;
};

static struct packed packed_layout(const struct sn_node *nd, enum sn_mode mode, const struct sn_kernels *k) {
    const struct sn_conv c = conv_shape(nd, mode), two = parts_shape(nd);
    struct packed p = {.bwd = sn_align_up(nd->on_codes ? k->codes_bytes(&c) : k->conv_fwd_bytes(&c))};
    p.raw = p.total = p.bwd + (mode == SN_INFER ? 0 : sn_align_up(k->conv_bwd_bytes(&c)));
    if (!nd->parts) return p;
    p.parts = p.raw + sn_align_up((size_t)(two.k * two.cin) * (size_t)two.cout * sizeof(sn_real));
    p.parts_bwd = p.parts + sn_align_up(k->conv_fwd_bytes(&two));
    p.total = p.parts_bwd + sn_align_up(k->conv_bwd_bytes(&two));
    return p;
}

static void sizes(const struct sn_node *nd, enum sn_mode mode, const struct sn_kernels *k, int tile_rows, struct sn_sizes *s) {
    (void)tile_rows;
    struct sn_conv c = conv_shape(nd, mode);
    s->prepared = packed_layout(nd, mode, k).total;
    s->workspace = k->conv_ws(&c, nd->in[0].len);
    if (nd->parts) {
        const struct sn_conv two = parts_shape(nd);
        const size_t ws = k->conv_ws(&two, nd->in[0].len);
        if (ws > s->workspace) s->workspace = ws;
    }
    if (mode == SN_TRAIN && nd->on_codes && k->codes_grad_ws(&c) > s->workspace) s->workspace = k->codes_grad_ws(&c);
}

static const void *backward_weights(const struct sn_exec *x, const struct sn_node *nd) {
    return (const char *)sn_x_prepared(x, nd) + packed_layout(nd, sn_x_mode(x), sn_x_kernels(x)).bwd;
}

/* [W+ W-; W- W+] of each tap. */
static void prepare_parts(struct sn_exec *x, const struct sn_node *nd, char *dst) {
    const struct sn_kernels *k = sn_x_kernels(x);
    const struct packed p = packed_layout(nd, sn_x_mode(x), k);
    const struct sn_conv two = parts_shape(nd);
    sn_real *w = (sn_real *)(dst + p.raw), *below = w + (int64_t)two.cin / 2 * two.cout;
    const int64_t right = two.cout / 2;
    struct sn_weight_parts a = {.blocks = two.k, .rows = two.cin / 2, .cols = right, .w = sn_x_weight(x, nd, W_KERNEL), .ld = two.cout};
    a.block = (int64_t)two.cin * two.cout;
    a.plus = w, a.minus = w + right;
    k->weight_parts(&a);
    a.plus = below + right, a.minus = below;
    k->weight_parts(&a);
    k->conv_prepare(&(struct sn_conv_prepare){.s = two, .w = w, .fwd = dst + p.parts, .bwd = dst + p.parts_bwd});
}

static int prepare(struct sn_exec *x, const struct sn_node *nd, void *dst) {
    const struct sn_kernels *k = sn_x_kernels(x);
    struct sn_conv c = conv_shape(nd, sn_x_mode(x));
    const sn_real *w = sn_x_weight(x, nd, W_KERNEL);
    if (nd->on_codes) k->codes_prepare(&(struct sn_codes_prepare){.s = c, .w = w, .tables = dst});
    void *fwd = nd->on_codes ? NULL : dst;
    bool wants_bwd = sn_x_mode(x) == SN_ATTRIBUTE || (sn_x_mode(x) == SN_TRAIN && !nd->on_codes);
    void *bwd = wants_bwd ? (void *)backward_weights(x, nd) : NULL;
    if (fwd || bwd) k->conv_prepare(&(struct sn_conv_prepare){.s = c, .w = w, .fwd = fwd, .bwd = bwd});
    if (nd->parts) prepare_parts(x, nd, dst);
    return 0;
}

static double work(const struct sn_node *nd) {
    double taps = (double)nd->p[P_SIZE].i * (nd->on_codes ? 0.5 : (double)nd->in[0].ch);
    return taps * (double)sn_elements(&nd->out);
}

void sn_conv1d_forward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t, struct sn_t3 y, bool relu,
                       struct sn_t3 behind) {
    const struct sn_kernels *k = sn_x_kernels(x);
    struct sn_conv c = conv_shape(nd, sn_x_mode(x));
    int n = t->r1 - t->r0;
    const sn_real *bias = nd->p[P_BIAS].i ? sn_x_weight(x, nd, W_BIAS) : NULL;
    if (nd->on_codes)
        k->codes_fwd(&(struct sn_codes_fwd){.s = c,
                                            .in = sn_x_codes(x, t->r0, n),
                                            .tables = sn_x_prepared(x, nd),
                                            .w = sn_x_weight(x, nd, W_KERNEL),
                                            .bias = bias,
                                            .y = y,
                                            .relu = relu});
    else
        k->conv_fwd(&(struct sn_conv_fwd){.s = c,
                                          .n = n,
                                          .x = sn_x_in(x, nd, 0, t->r0),
                                          .w = sn_x_prepared(x, nd),
                                          .bias = bias,
                                          .y = y,
                                          .ws = sn_x_ws(x, t->worker),
                                          .relu = relu,
                                          .behind = behind});
}

static int forward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    sn_conv1d_forward(x, nd, t, sn_x_out(x, nd, t->r0), false, (struct sn_t3){0});
    return 0;
}

static int backward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_t3 dx = sn_x_grad_in(x, nd, 0, t->r0);
    if (!dx.p) return 0;
    sn_x_kernels(x)->conv_bwd_data(&(struct sn_conv_bwd_data){.s = conv_shape(nd, sn_x_mode(x)),
                                                              .n = t->r1 - t->r0,
                                                              .dy = sn_x_grad_out(x, nd, t->r0),
                                                              .w = backward_weights(x, nd),
                                                              .dx = dx,
                                                              .ws = sn_x_ws(x, t->worker)});
    return 0;
}

static int split(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    const struct sn_kernels *k = sn_x_kernels(x);
    k->conv_fwd(&(struct sn_conv_fwd){.s = parts_shape(nd),
                                      .n = t->r1 - t->r0,
                                      .x = sn_x_diff(x, nd, t->r0),
                                      .w = (const char *)sn_x_prepared(x, nd) + packed_layout(nd, sn_x_mode(x), k).parts,
                                      .y = sn_x_split_out(x, nd, t->r0),
                                      .ws = sn_x_ws(x, t->worker)});
    return 0;
}

static int attribute(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    const struct sn_kernels *k = sn_x_kernels(x);
    struct sn_t3 mx = sn_x_grad_in(x, nd, 0, t->r0);
    if (!nd->parts) return backward(x, nd, t);
    if (!mx.p) return 0;
    struct sn_t3 m = sn_parts_scratch(x, nd, t->r0);
    k->conv_bwd_data(&(struct sn_conv_bwd_data){.s = parts_shape(nd),
                                                .n = t->r1 - t->r0,
                                                .dy = sn_x_grad_out(x, nd, t->r0),
                                                .w = (const char *)sn_x_prepared(x, nd) + packed_layout(nd, sn_x_mode(x), k).parts_bwd,
                                                .dx = m,
                                                .ws = sn_x_ws(x, t->worker)});
    k->pair_select(&(struct sn_pair_select){.v = sn_pair_input(x, nd, t->r0, t->r1), .m = sn_parts_of(m, nd->in[0].ch), .y = mx});
    return 0;
}

static int weight_grad(struct sn_exec *x, const struct sn_node *nd, int w, const struct sn_tile *t, sn_real *dst) {
    const struct sn_kernels *k = sn_x_kernels(x);
    struct sn_conv c = conv_shape(nd, sn_x_mode(x));
    int n = t->r1 - t->r0;
    struct sn_t3 dy = sn_x_grad_out(x, nd, t->r0);
    void *ws = sn_x_ws(x, t->worker);
    if (w == W_BIAS)
        k->bias_grad(&(struct sn_bias_grad){.n = n, .dy = dy, .db = dst});
    else if (nd->on_codes)
        k->codes_bwd_filter(&(struct sn_codes_bwd_filter){.s = c, .in = sn_x_codes(x, t->r0, n), .dy = dy, .dw = dst, .ws = ws});
    else
        k->conv_bwd_filter(&(struct sn_conv_bwd_filter){
            .s = c, .n = n, .o0 = (int)t->o0, .o1 = (int)t->o1, .x = sn_x_in(x, nd, 0, t->r0), .dy = dy, .dw = dst, .ws = ws});
    return 0;
}

static struct sn_geometry geometry(const struct sn_node *nd) {
    struct sn_conv c = conv_shape(nd, SN_INFER);
    int same = nd->p[P_PADDING].i == SN_PAD_SAME;
    struct sn_geometry geo = {.kind = SN_GEO_WINDOW, .size = c.k, .stride = c.stride, .dilation = c.dilation, .pad_left = c.pad};
    geo.pad_right = same ? (int)span(nd) - 1 - c.pad : 0;
    return geo;
}

const struct sn_op sn_op_conv1d = {
    .name = "conv1d",
    .help = "Convolution (cross-correlation) along the sequence: (L, C) -> (L', filters)",
    .flags = SN_OP_ACTIVATION | SN_OP_CODES | SN_OP_SIGNED,
    .min_inputs = 1,
    .max_inputs = 1,
    .params = params,
    .shape = shape,
    .out_len = out_len,
    .keep = keep,
    .sizes = sizes,
    .prepare = prepare,
    .work = work,
    .forward = {{SN_SPLIT_SAMPLE, forward}},
    .backward = {{SN_SPLIT_SAMPLE, backward}},
    .weight_grad = weight_grad,
    .rule = SN_ATTR_LINEAR,
    .attribute = attribute,
    .split = split,
    .geometry = geometry,
};
