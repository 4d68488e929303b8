/* max_pooling1d, average_pooling1d: windows of pool_size every `strides` positions; global_*: the whole sequence as one window, giving a
 * vector. Average divides by the number of positions inside the sequence. */
#include <math.h>

#include "ops/common.h"

enum { P_SIZE, P_STRIDE, P_PADDING };

static const struct sn_param_desc params[] = {
    {.name = "pool_size", .type = SN_P_INT, .def = 2, .min = 1, .max = 1 << 20, .help = "positions in a window"},
    {.name = "strides",
     .type = SN_P_INT,
     .def = NAN,
     .min = 1,
     .max = 1 << 20,
     .help = "positions from window to window; default pool_size"},
    {.name = "padding",
     .type = SN_P_ENUM,
     .choices = sn_padding_words,
     .help = "valid: a remainder is dropped; same: windows over the ends"},
    {.name = NULL},
};

static bool is_global(const struct sn_node *nd) {
    return nd->op->params == NULL;
}

static int64_t stride_of(const struct sn_node *nd) {
    return nd->p[P_STRIDE].set ? nd->p[P_STRIDE].i : nd->p[P_SIZE].i;
}

static struct sn_pool_shape pool_shape(const struct sn_node *nd) {
    if (is_global(nd)) return (struct sn_pool_shape){.size = 0, .stride = 1, .pad = 0};
    int64_t size = nd->p[P_SIZE].i, stride = stride_of(nd);
    return (struct sn_pool_shape){
        .size = (int)size, .stride = (int)stride, .pad = (int)sn_window_pad(nd->in[0].len, size, stride, (int)nd->p[P_PADDING].i)};
}

static int shape_window(struct sn_node *nd) {
    return sn_window_shape(nd, nd->p[P_SIZE].i, stride_of(nd), (int)nd->p[P_PADDING].i);
}

static int shape_global(struct sn_node *nd) {
    SN_TRY(sn_need_seq(nd));
    nd->out = (struct sn_shape){.len = 1, .ch = nd->in[0].ch};
    return 0;
}

static int64_t out_len(const struct sn_node *nd, int64_t len) {
    return sn_window_len(len, nd->p[P_SIZE].i, stride_of(nd), (int)nd->p[P_PADDING].i);
}

static int64_t out_len_global(const struct sn_node *nd, int64_t len) {
    (void)nd;
    return len > 0 ? 1 : 0;
}

static double work(const struct sn_node *nd) {
    return (double)sn_elements(&nd->in[0]);
}

static void keep_max(const struct sn_node *nd, enum sn_mode mode, struct sn_keep *k) {
    (void)nd;
    k->inputs = mode != SN_INFER;
}

static struct sn_pool_fwd forward_args(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    return (struct sn_pool_fwd){.s = pool_shape(nd), .n = t->r1 - t->r0, .x = sn_x_in(x, nd, 0, t->r0), .y = sn_x_out(x, nd, t->r0)};
}

static int forward_max(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_pool_fwd a = forward_args(x, nd, t);
    sn_x_kernels(x)->max_pool_fwd(&a);
    return 0;
}

static int forward_avg(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_pool_fwd a = forward_args(x, nd, t);
    sn_x_kernels(x)->avg_pool_fwd(&a);
    return 0;
}

static int backward_max(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_pool_bwd a = {.s = pool_shape(nd),
                            .n = t->r1 - t->r0,
                            .x = sn_x_in(x, nd, 0, t->r0),
                            .dy = sn_x_grad_out(x, nd, t->r0),
                            .dx = sn_x_grad_in(x, nd, 0, t->r0)};
    if (a.dx.p) sn_x_kernels(x)->max_pool_bwd(&a);
    return 0;
}

static int backward_avg(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_pool_bwd a = {
        .s = pool_shape(nd), .n = t->r1 - t->r0, .dy = sn_x_grad_out(x, nd, t->r0), .dx = sn_x_grad_in(x, nd, 0, t->r0)};
    if (a.dx.p) sn_x_kernels(x)->avg_pool_bwd(&a);
    return 0;
}

static int split_avg(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_pool_fwd a = {
        .s = pool_shape(nd), .n = t->r1 - t->r0, .x = sn_x_split_in(x, nd, 0, t->r0), .y = sn_x_split_out(x, nd, t->r0)};
    sn_x_kernels(x)->avg_pool_fwd(&a);
    return 0;
}

static int attribute_max(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_max_pool_attr a = {.s = pool_shape(nd),
                                 .pairs = sn_x_pairs(x, t->r0, t->r1),
                                 .x = sn_x_in(x, nd, 0, 0),
                                 .my = sn_x_grad_out(x, nd, t->r0),
                                 .mx = sn_x_grad_in(x, nd, 0, t->r0)};
    if (a.mx.p) sn_x_kernels(x)->max_pool_attr(&a);
    return 0;
}

static struct sn_geometry geometry(const struct sn_node *nd) {
    struct sn_pool_shape s = pool_shape(nd);
    int right = nd->p[P_PADDING].i == SN_PAD_SAME ? s.size - 1 - s.pad : 0;
    return (struct sn_geometry){
        .kind = SN_GEO_WINDOW, .size = s.size, .stride = s.stride, .dilation = 1, .pad_left = s.pad, .pad_right = right > 0 ? right : 0};
}

/* The rows differ in what a window gives (kind: max or avg) and in how windows lie. */
#define SN_POOL_OP(word, text, kind, windows, ...)                                                                                         \
    const struct sn_op sn_op_##word = {                                                                                                    \
        .name = #word,                                                                                                                     \
        .help = text,                                                                                                                      \
        .min_inputs = 1,                                                                                                                   \
        .max_inputs = 1,                                                                                                                   \
        windows,                                                                                                                           \
        .work = work,                                                                                                                      \
        .forward = {{SN_SPLIT_SAMPLE, forward_##kind}},                                                                                    \
        .backward = {{SN_SPLIT_SAMPLE, backward_##kind}},                                                                                  \
        __VA_ARGS__,                                                                                                                       \
    }
#define SN_POOL_WINDOWS .params = params, .shape = shape_window, .out_len = out_len, .geometry = geometry
#define SN_POOL_GLOBAL .shape = shape_global, .out_len = out_len_global, .geometry = sn_geo_reduce
#define SN_POOL_MAX .keep = keep_max, .rule = SN_ATTR_COLLAPSE, .attribute = attribute_max
#define SN_POOL_AVG .rule = SN_ATTR_LINEAR, .attribute = backward_avg, .split = split_avg

SN_POOL_OP(max_pooling1d, "Largest value of each window and channel: (L, C) -> (L', C)", max, SN_POOL_WINDOWS, SN_POOL_MAX);
SN_POOL_OP(average_pooling1d, "Mean of each window and channel: (L, C) -> (L', C)", avg, SN_POOL_WINDOWS, SN_POOL_AVG);
SN_POOL_OP(global_max_pooling1d, "Largest value of each channel along the sequence: (L, C) -> (C)", max, SN_POOL_GLOBAL, SN_POOL_MAX);
SN_POOL_OP(global_average_pooling1d, "Mean of each channel along the sequence: (L, C) -> (C)", avg, SN_POOL_GLOBAL, SN_POOL_AVG);
