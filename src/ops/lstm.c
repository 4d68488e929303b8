/* lstm: gates i,f,c,o (Keras order), a = x W + h U + b, c' = sigmoid(a_f) c + sigmoid(a_i) tanh(a_c), h' = sigmoid(a_o) tanh(c'). The whole
 * sequence (L, units) or the last state (units); bidirectional: both directions side by side, the right-to-left one with its own weights.
 */
#include "ops/common.h"

enum { P_UNITS, P_BIDIRECTIONAL, P_SEQUENCES, P_BACKWARDS, P_REG };
enum { W_KERNEL, W_RECURRENT, W_BIAS, W_PER_DIRECTION };

static const struct sn_param_desc params[] = {
    {.name = "units", .type = SN_P_INT, .required = true, .min = 1, .max = 1 << 16, .help = "size of the state of one direction"},
    {.name = "bidirectional", .type = SN_P_BOOL, .def = 0, .help = "also from right to left; outputs side by side"},
    {.name = "return_sequences", .type = SN_P_BOOL, .def = 0, .help = "the state at every position instead of the last one"},
    {.name = "go_backwards", .type = SN_P_BOOL, .def = 0, .help = "one direction: from right to left"},
    {.name = "kernel_regularizer", .type = SN_P_REG, .help = "penalty on the input kernels: {l1: a, l2: b}"},
    {.name = NULL},
};

static int directions(const struct sn_node *nd) {
    return nd->p[P_BIDIRECTIONAL].i ? 2 : 1;
}

static bool is_reverse(const struct sn_node *nd, int dir) {
    return dir == 1 || nd->p[P_BACKWARDS].i;
}

static int shape(struct sn_node *nd) {
    static const char *const names[2][W_PER_DIRECTION] = {{"kernel", "recurrent_kernel", "bias"},
                                                          {"reverse_kernel", "reverse_recurrent_kernel", "reverse_bias"}};
    SN_TRY(sn_need_seq(nd));
    if (nd->p[P_BIDIRECTIONAL].i && nd->p[P_BACKWARDS].i)
        return sn_error(SEQNET_EARCH, "go_backwards and bidirectional exclude each other");
    int64_t h = nd->p[P_UNITS].i, in = nd->in[0].ch;
    nd->out = nd->in[0];
    nd->out.ch = h * directions(nd);
    if (!nd->p[P_SEQUENCES].i) nd->out.len = 1, nd->out.seq = nd->out.var = false;
    for (int d = 0; d < directions(nd); d++) {
        struct sn_weight *w = sn_add_weight(nd, names[d][W_KERNEL], in, 4 * h, SN_INIT_GLOROT_UNIFORM);
        w->regularize = true, w->block = 1;
        sn_add_weight(nd, names[d][W_RECURRENT], h, 4 * h, SN_INIT_ORTHOGONAL);
        sn_add_weight(nd, names[d][W_BIAS], 4 * h, 0, SN_INIT_LSTM_BIAS);
    }
    return 0;
}

static int64_t out_len(const struct sn_node *nd, int64_t len) {
    return len < 1 ? 0 : nd->p[P_SEQUENCES].i ? len : 1;
}

/* A row's cache of one direction: [pre 4H (attribute)] [gates 4H] [c H] [tanh c H (attribute)] [h H], each for all positions. */
struct layout {
    int64_t pre, gates, c, tc, h, total; /* elements */
};

static struct layout cache_layout(const struct sn_node *nd, enum sn_mode mode) {
    int64_t n = nd->in[0].len * nd->p[P_UNITS].i;
    struct layout l = {.gates = mode == SN_ATTRIBUTE ? 4 * n : 0};
    l.c = l.gates + 4 * n, l.tc = l.c + n, l.h = l.tc + (mode == SN_ATTRIBUTE ? n : 0);
    l.total = (l.h + n + SN_LANES - 1) / SN_LANES * SN_LANES;
    return l;
}

static size_t gates_bytes(const struct sn_node *nd) {
    return sn_align_up((size_t)(nd->in[0].len * 4 * nd->p[P_UNITS].i) * sizeof(sn_real));
}

static void keep(const struct sn_node *nd, enum sn_mode mode, struct sn_keep *k) {
    if (mode == SN_INFER) return;
    k->inputs = mode == SN_TRAIN;
    k->cache = (size_t)(directions(nd) * cache_layout(nd, mode).total) * sizeof(sn_real);
    if (mode == SN_TRAIN)
        k->reverse = true; /* gradients of the pre-activations take the place of the gates */
    else
        k->scratch = (size_t)directions(nd) * gates_bytes(nd);
}

/* Prepared weights of one direction: W, U and, for the reverse pass, U^T, W^T. */
struct packed {
    size_t w, u, ut, wt, total;
};

static struct packed packed_layout(const struct sn_node *nd, enum sn_mode mode, const struct sn_kernels *k) {
    int64_t h = nd->p[P_UNITS].i, in = nd->in[0].ch;
    struct packed p = {.u = sn_pack_bytes(k, in, 4 * h)};
    p.ut = p.u + sn_pack_bytes(k, h, 4 * h);
    p.total = p.ut;
    if (mode == SN_INFER) return p;
    p.wt = p.ut + sn_pack_bytes(k, 4 * h, h);
    p.total = p.wt + sn_pack_bytes(k, 4 * h, in);
    return p;
}

static size_t step_ws(const struct sn_kernels *k, int tile_rows, int64_t units) {
    size_t step = k->lstm_ws(tile_rows, units);
    return sn_align_up(step > k->gemm_ws() ? step : k->gemm_ws());
}

static void sizes(const struct sn_node *nd, enum sn_mode mode, const struct sn_kernels *k, int tile_rows, struct sn_sizes *s) {
    s->prepared = (size_t)directions(nd) * packed_layout(nd, mode, k).total;
    s->workspace = step_ws(k, tile_rows, nd->p[P_UNITS].i);
    if (mode == SN_INFER) s->workspace += (size_t)tile_rows * gates_bytes(nd);
}

static int prepare(struct sn_exec *x, const struct sn_node *nd, void *dst) {
    int64_t h = nd->p[P_UNITS].i, in = nd->in[0].ch;
    enum sn_mode mode = sn_x_mode(x);
    struct packed p = packed_layout(nd, mode, sn_x_kernels(x));
    for (int d = 0; d < directions(nd); d++) {
        const sn_real *w = sn_x_weight(x, nd, d * W_PER_DIRECTION + W_KERNEL), *u = sn_x_weight(x, nd, d * W_PER_DIRECTION + W_RECURRENT);
        char *base = (char *)dst + (size_t)d * p.total;
        sn_pack_weight(x, w, in, 4 * h, false, base + p.w);
        sn_pack_weight(x, u, h, 4 * h, false, base + p.u);
        if (mode == SN_INFER) continue;
        sn_pack_weight(x, u, h, 4 * h, true, base + p.ut);
        sn_pack_weight(x, w, in, 4 * h, true, base + p.wt);
    }
    return 0;
}

static double work(const struct sn_node *nd) {
    double h = (double)nd->p[P_UNITS].i;
    return (double)nd->in[0].len * 4 * h * (h + (double)nd->in[0].ch) * directions(nd);
}

/* Output channels of direction d. */
static struct sn_t3 half(struct sn_t3 t, const struct sn_node *nd, int d) {
    t.p += d * nd->p[P_UNITS].i;
    t.ch = (int32_t)nd->p[P_UNITS].i;
    return t;
}

static const char *direction_weights(const struct sn_exec *x, const struct sn_node *nd, int d, struct packed *p) {
    *p = packed_layout(nd, sn_x_mode(x), sn_x_kernels(x));
    return (const char *)sn_x_prepared(x, nd) + (size_t)d * p->total;
}

/* Where x W + b goes and what is kept of direction d, rows from r0 on. */
static struct sn_lstm_fwd forward_args(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t, int d) {
    int units = (int)nd->p[P_UNITS].i;
    enum sn_mode mode = sn_x_mode(x);
    struct sn_lstm_fwd a = {.n = t->r1 - t->r0,
                            .units = units,
                            .reverse = is_reverse(nd, d),
                            .last_only = !nd->p[P_SEQUENCES].i,
                            .keep_pre = mode == SN_ATTRIBUTE,
                            .ws = sn_x_ws(x, t->worker)};
    a.xp = (struct sn_t3){.ld = 4 * units, .ch = 4 * units, .len = sn_x_in(x, nd, 0, t->r0).len};
    if (mode == SN_INFER) {
        a.xp.p = (sn_real *)((char *)a.ws + step_ws(sn_x_kernels(x), a.n, units));
        a.xp.row = (int64_t)(gates_bytes(nd) / sizeof(sn_real));
        return a;
    }
    int64_t row;
    struct layout l = cache_layout(nd, mode);
    sn_real *cache = (sn_real *)sn_x_cache(x, nd, t->r0, &row) + d * l.total;
    a.xp.row = a.gates_row = a.c_row = row / (int64_t)sizeof(sn_real);
    a.xp.p = cache + l.pre; /* training: the gates overwrite x W + b in place */
    a.gates = cache + l.gates, a.c = cache + l.c, a.h = cache + l.h;
    if (mode == SN_ATTRIBUTE) a.tc = cache + l.tc;
    return a;
}

static int forward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    for (int d = 0; d < directions(nd); d++) {
        struct packed p;
        const char *packed = direction_weights(x, nd, d, &p);
        struct sn_lstm_fwd a = forward_args(x, nd, t, d);
        a.u = packed + p.u;
        a.y = half(sn_x_out(x, nd, t->r0), nd, d);
        sn_rows_gemm(x, &(struct sn_rows_gemm){.n = a.n,
                                               .a = sn_x_in(x, nd, 0, t->r0),
                                               .c = a.xp,
                                               .len = sn_x_in_len(x, nd, 0, t->r0),
                                               .n_out = 4 * a.units,
                                               .packed = packed + p.w,
                                               .bias = sn_x_weight(x, nd, d * W_PER_DIRECTION + W_BIAS),
                                               .ws = a.ws});
        sn_x_kernels(x)->lstm_fwd(&a);
    }
    return 0;
}

/* Gradients or multipliers of the pre-activations of direction d. */
static struct sn_t3 gate_grads(const struct sn_exec *x, const struct sn_node *nd, int r0, int d, const int32_t *len) {
    int64_t row;
    char *p;
    if (sn_x_mode(x) == SN_TRAIN) {
        const struct layout l = cache_layout(nd, SN_TRAIN);
        p = (char *)sn_x_cache(x, nd, r0, &row) + (size_t)(d * l.total + l.gates) * sizeof(sn_real);
    } else {
        p = (char *)sn_x_scratch(x, nd, r0, &row) + (size_t)d * gates_bytes(nd);
    }
    int32_t ch = (int32_t)(4 * nd->p[P_UNITS].i);
    return (struct sn_t3){.p = (sn_real *)p, .row = row / (int64_t)sizeof(sn_real), .ld = ch, .ch = ch, .len = len};
}

static void input_grads(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t, int d, struct sn_t3 da, struct sn_t3 dx) {
    struct packed p;
    const char *packed = direction_weights(x, nd, d, &p);
    if (!dx.p) return;
    sn_rows_gemm(x, &(struct sn_rows_gemm){.n = t->r1 - t->r0,
                                           .a = da,
                                           .c = dx,
                                           .len = sn_x_grad_in_len(x, nd, 0, t->r0),
                                           .n_out = nd->in[0].ch,
                                           .packed = packed + p.wt,
                                           .accumulate = d > 0,
                                           .ws = sn_x_ws(x, t->worker)});
}

static int backward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_t3 dx = sn_x_grad_in(x, nd, 0, t->r0);
    for (int d = 0; d < directions(nd); d++) {
        struct packed p;
        const char *packed = direction_weights(x, nd, d, &p);
        struct sn_lstm_fwd f = forward_args(x, nd, t, d);
        struct sn_t3 da = gate_grads(x, nd, t->r0, d, f.xp.len);
        sn_x_kernels(x)->lstm_bwd(&(struct sn_lstm_bwd){.n = f.n,
                                                        .units = f.units,
                                                        .reverse = f.reverse,
                                                        .last_only = f.last_only,
                                                        .dy = half(sn_x_grad_out(x, nd, t->r0), nd, d),
                                                        .ut = packed + p.ut,
                                                        .gates = f.gates,
                                                        .c = f.c,
                                                        .gates_row = f.gates_row,
                                                        .c_row = f.c_row,
                                                        .da = da,
                                                        .ws = f.ws});
        input_grads(x, nd, t, d, da, dx);
    }
    return 0;
}

static int weight_grad(struct sn_exec *x, const struct sn_node *nd, int w, const struct sn_tile *t, sn_real *dst) {
    int d = w / W_PER_DIRECTION, kind = w % W_PER_DIRECTION, n = t->r1 - t->r0;
    const struct sn_kernels *k = sn_x_kernels(x);
    struct sn_lstm_fwd f = forward_args(x, nd, t, d);
    struct sn_t3 da = gate_grads(x, nd, t->r0, d, f.xp.len);
    if (kind == W_BIAS)
        k->bias_grad(&(struct sn_bias_grad){.n = n, .dy = da, .db = dst});
    else if (kind == W_RECURRENT)
        k->lstm_du(&(struct sn_lstm_du){
            .n = n, .units = f.units, .reverse = f.reverse, .h = f.h, .h_row = f.c_row, .da = da, .du = dst, .ws = f.ws});
    else
        sn_rows_outer(x, &(struct sn_rows_outer){.n = n,
                                                 .a = sn_x_in(x, nd, 0, t->r0),
                                                 .b = da,
                                                 .len = sn_x_in_len(x, nd, 0, t->r0),
                                                 .o0 = t->o0,
                                                 .o1 = t->o1,
                                                 .n_out = da.ch,
                                                 .dst = dst,
                                                 .ws = f.ws});
    return 0;
}

static int attribute(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_t3 mx = sn_x_grad_in(x, nd, 0, t->r0);
    struct sn_tile rows = {.r0 = 0, .r1 = 0, .worker = t->worker};
    for (int d = 0; d < directions(nd); d++) {
        struct packed p;
        const char *packed = direction_weights(x, nd, d, &p);
        struct sn_lstm_fwd f = forward_args(x, nd, &rows, d);
        struct sn_t3 ma = gate_grads(x, nd, t->r0, d, mx.len);
        sn_x_kernels(x)->lstm_attr(&(struct sn_lstm_attr){.units = f.units,
                                                          .reverse = f.reverse,
                                                          .last_only = f.last_only,
                                                          .pairs = sn_x_pairs(x, t->r0, t->r1),
                                                          .my = half(sn_x_grad_out(x, nd, t->r0), nd, d),
                                                          .ut = packed + p.ut,
                                                          .pre = f.xp.p,
                                                          .gates = f.gates,
                                                          .c = f.c,
                                                          .tc = f.tc,
                                                          .gates_row = f.gates_row,
                                                          .c_row = f.c_row,
                                                          .ma = ma,
                                                          .ws = f.ws});
        input_grads(x, nd, t, d, ma, mx);
    }
    return 0;
}

static struct sn_geometry geometry(const struct sn_node *nd) {
    (void)nd;
    return (struct sn_geometry){.kind = SN_GEO_SEQUENCE, .size = 1, .stride = 1, .dilation = 1};
}

const struct sn_op sn_op_lstm = {
    .name = "lstm",
    .help = "Long short-term memory: (L, C) -> (L, units) or (units); twice the units when bidirectional",
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
    .rule = SN_ATTR_COLLAPSE,
    .attribute = attribute,
    .geometry = geometry,
};
