/* add: sum of inputs of one shape. concatenate: inputs side by side along the channels. flatten: a sequence as one vector. */
#include "ops/common.h"

static int shape_add(struct sn_node *nd) {
    for (int i = 1; i < nd->n_inputs; i++)
        if (nd->in[i].len != nd->in[0].len || nd->in[i].ch != nd->in[0].ch || nd->in[i].seq != nd->in[0].seq)
            return sn_error(SEQNET_ESHAPE, "inputs must have one shape: input 1 is (%lld, %lld), input %d is (%lld, %lld)",
                            (long long)nd->in[0].len, (long long)nd->in[0].ch, i + 1, (long long)nd->in[i].len, (long long)nd->in[i].ch);
    nd->out = nd->in[0];
    return 0;
}

static int shape_concatenate(struct sn_node *nd) {
    nd->out = nd->in[0];
    for (int i = 1; i < nd->n_inputs; i++) {
        if (nd->in[i].len != nd->in[0].len || nd->in[i].seq != nd->in[0].seq)
            return sn_error(SEQNET_ESHAPE, "inputs must have one length: input 1 has %lld positions, input %d has %lld",
                            (long long)nd->in[0].len, i + 1, (long long)nd->in[i].len);
        nd->out.ch += nd->in[i].ch;
    }
    return 0;
}

static int forward_add(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_add a = {.n = t->r1 - t->r0, .count = nd->n_inputs, .y = sn_x_out(x, nd, t->r0)};
    for (int i = 0; i < nd->n_inputs; i++) a.x[i] = sn_x_in(x, nd, i, t->r0);
    sn_x_kernels(x)->add(&a);
    return 0;
}

static void copy(struct sn_exec *x, int n, struct sn_t3 from, struct sn_t3 to) {
    if (to.p && to.p != from.p) sn_x_kernels(x)->copy(&(struct sn_copy){.n = n, .x = from, .y = to});
}

static int backward_add(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    for (int i = 0; i < nd->n_inputs; i++) copy(x, t->r1 - t->r0, sn_x_grad_out(x, nd, t->r0), sn_x_grad_in(x, nd, i, t->r0));
    return 0;
}

static int split_add(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    struct sn_add a = {.n = t->r1 - t->r0, .count = nd->n_inputs, .y = sn_x_split_out(x, nd, t->r0)};
    for (int i = 0; i < nd->n_inputs; i++) a.x[i] = sn_x_split_in(x, nd, i, t->r0);
    sn_x_kernels(x)->add(&a);
    return 0;
}

/* The channels [from, from + ch) of a wider tensor. */
static struct sn_t3 slice(struct sn_t3 t, int64_t from, int64_t ch) {
    t.p += from;
    t.ch = (int32_t)ch;
    return t;
}

static int forward_concatenate(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    int64_t at = 0;
    for (int i = 0; i < nd->n_inputs; at += nd->in[i++].ch)
        copy(x, t->r1 - t->r0, sn_x_in(x, nd, i, t->r0), slice(sn_x_out(x, nd, t->r0), at, nd->in[i].ch));
    return 0;
}

static int backward_concatenate(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    const struct sn_parts y = sn_parts_of(sn_x_grad_out(x, nd, t->r0), nd->out.ch);
    int64_t at = 0;
    for (int i = 0; i < nd->n_inputs; at += nd->in[i++].ch) {
        const struct sn_parts to = sn_parts_of(sn_x_grad_in(x, nd, i, t->r0), nd->in[i].ch);
        copy(x, t->r1 - t->r0, slice(y.plus, at, nd->in[i].ch), to.plus);
        if (nd->parts) copy(x, t->r1 - t->r0, slice(y.minus, at, nd->in[i].ch), to.minus);
    }
    return 0;
}

static int split_concatenate(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    const struct sn_parts y = sn_parts_of(sn_x_split_out(x, nd, t->r0), nd->out.ch);
    int64_t at = 0;
    for (int i = 0; i < nd->n_inputs; at += nd->in[i++].ch) {
        const struct sn_parts from = sn_parts_of(sn_x_split_in(x, nd, i, t->r0), nd->in[i].ch);
        copy(x, t->r1 - t->r0, from.plus, slice(y.plus, at, nd->in[i].ch));
        copy(x, t->r1 - t->r0, from.minus, slice(y.minus, at, nd->in[i].ch));
    }
    return 0;
}

static int shape_flatten(struct sn_node *nd) {
    nd->out = (struct sn_shape){.len = 1, .ch = sn_elements(&nd->in[0])};
    return 0;
}

/* A part of the vector as the sequence that it is. */
static struct sn_t3 unflatten(const struct sn_node *nd, struct sn_t3 v, const int32_t *len) {
    v.ld = v.ch = (int32_t)nd->in[0].ch, v.len = len;
    return v;
}

/* Parts lie side by side at each position: they do not flatten in place. */
static int split_flatten(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    const struct sn_parts from = sn_parts_of(sn_x_split_in(x, nd, 0, t->r0), nd->in[0].ch),
                          y = sn_parts_of(sn_x_split_out(x, nd, t->r0), nd->out.ch);
    copy(x, t->r1 - t->r0, from.plus, unflatten(nd, y.plus, from.plus.len));
    copy(x, t->r1 - t->r0, from.minus, unflatten(nd, y.minus, from.minus.len));
    return 0;
}

static int attribute_flatten(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t) {
    const struct sn_parts y = sn_parts_of(sn_x_grad_out(x, nd, t->r0), nd->out.ch),
                          to = sn_parts_of(sn_x_grad_in(x, nd, 0, t->r0), nd->in[0].ch);
    copy(x, t->r1 - t->r0, unflatten(nd, y.plus, to.plus.len), to.plus);
    copy(x, t->r1 - t->r0, unflatten(nd, y.minus, to.minus.len), to.minus);
    return 0;
}

const struct sn_op sn_op_add = {
    .name = "add",
    .help = "Sum of inputs of one shape",
    .flags = SN_OP_ACTIVATION | SN_OP_SPREADS,
    .min_inputs = 2,
    .max_inputs = SN_MAX_INPUTS,
    .shape = shape_add,
    .forward = {{SN_SPLIT_SAMPLE, forward_add}},
    .backward = {{SN_SPLIT_SAMPLE, backward_add}},
    .rule = SN_ATTR_LINEAR,
    .attribute = backward_add,
    .split = split_add,
    .geometry = sn_geo_merge,
};

const struct sn_op sn_op_concatenate = {
    .name = "concatenate",
    .help = "Inputs side by side along the channels: (L, C1), (L, C2) -> (L, C1 + C2)",
    .min_inputs = 2,
    .max_inputs = SN_MAX_INPUTS,
    .shape = shape_concatenate,
    .forward = {{SN_SPLIT_SAMPLE, forward_concatenate}},
    .backward = {{SN_SPLIT_SAMPLE, backward_concatenate}},
    .rule = SN_ATTR_LINEAR,
    .attribute = backward_concatenate,
    .split = split_concatenate,
    .geometry = sn_geo_merge,
};

const struct sn_op sn_op_flatten = {
    .name = "flatten",
    .help = "A sequence as one vector, position by position: (L, C) -> (L * C)",
    .flags = SN_OP_ALIAS | SN_OP_FIXED,
    .min_inputs = 1,
    .max_inputs = 1,
    .shape = shape_flatten,
    .rule = SN_ATTR_LINEAR,
    .attribute = attribute_flatten,
    .split = split_flatten,
    .geometry = sn_geo_reduce,
};
