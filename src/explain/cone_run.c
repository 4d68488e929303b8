/* Running a block of mutants through the layers before the frontier. A changed position's value is that of the sequence plus what the
 * changed inputs add to it, or, where a function is not linear, the function of the changed inputs. */
#include <math.h>
#include <string.h>

#include "explain/cones.h"

/* Changed positions [from, to) of a mutant, and their values. */
struct part {
    int64_t from, to;
    sn_real *p;
};

static struct part part_of(const struct sn_cone_block *b, int node, int mutant) {
    const struct sn_cone *v = &b->c->v[b->c->v[node].root];
    int64_t at = (int64_t)node * b->c->rows + mutant;
    return (struct part){b->from[at], b->to[at], b->values + v->at * b->c->rows + mutant * v->width * v->ch};
}

static const sn_real *old_of(const struct sn_cone_block *b, int node) {
    return b->activation + b->c->v[b->c->v[node].root].cached;
}

/* A position's values, changed or not. */
static const sn_real *value_at(const struct sn_cone_block *b, int node, const struct part *x, int64_t position) {
    int64_t ch = b->c->v[node].ch;
    return position >= x->from && position < x->to ? x->p + (position - x->from) * ch : old_of(b, node) + position * ch;
}

/* ---- rows of channels; the inner loops are of a fixed length, which compilers turn into vectors ---- */

#define STEP 8

static void add_row(sn_real *y, const sn_real *x, sn_real times, int64_t n) {
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int k = 0; k < STEP; k++) y[i + k] += times * x[i + k];
    for (; i < n; i++) y[i] += times * x[i];
}

static void take_larger(sn_real *y, const sn_real *x, int64_t n) {
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int k = 0; k < STEP; k++) y[i + k] = x[i + k] > y[i + k] ? x[i + k] : y[i + k];
    for (; i < n; i++) y[i] = x[i] > y[i] ? x[i] : y[i];
}

static void add_difference(sn_real *y, const sn_real *x, const sn_real *old, sn_real times, int64_t n) {
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int k = 0; k < STEP; k++) y[i + k] += times * (x[i + k] - old[i + k]);
    for (; i < n; i++) y[i] += times * (x[i] - old[i]);
}

/* Differences from the old values; false: none. */
static bool difference(const sn_real *x, const sn_real *old, int64_t n, sn_real *to) {
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int k = 0; k < STEP; k++) to[i + k] = x[i + k] - old[i + k];
    for (; i < n; i++) to[i] = x[i] - old[i];
    bool any = false;
    for (i = 0; i < n && !any; i++) any = to[i] != 0;
    return any;
}

/* ---- where ---- */

/* Positions of this row; of a flattened sequence those of the sequence. */
static int64_t len_of(const struct sn_cone_block *b, const struct sn_cone *v) {
    while (v->flat) v = &b->c->v[v->nd->inputs[0]];
    return b->len[v->nd->id];
}

static void reach(const struct sn_cone_block *b, const struct sn_cone *v) {
    int id = v->nd->id;
    int64_t len = len_of(b, v);
    for (int m = 0; m < b->n; m++) {
        int64_t from = 0, to = v->vector;
        for (int k = 0; k < v->nd->n_inputs && !v->vector; k++) {
            struct part x = part_of(b, v->nd->inputs[k], m);
            int64_t s, t;
            sn_cone_reach(v, x.from, x.to, len, &s, &t);
            if (x.from == x.to || s == t) continue;
            if (from == to) from = s, to = t;
            if (s < from) from = s;
            if (t > to) to = t;
        }
        b->from[(int64_t)id * b->c->rows + m] = (int32_t)from;
        b->to[(int64_t)id * b->c->rows + m] = (int32_t)to;
    }
}

/* The old values of the changed positions. */
static void copy_old(const struct sn_cone_block *b, const struct sn_cone *v) {
    for (int m = 0; m < b->n; m++) {
        struct part y = part_of(b, v->nd->id, m);
        memcpy(y.p, old_of(b, v->nd->id) + y.from * v->ch, (size_t)((y.to - y.from) * v->ch) * sizeof *y.p);
    }
}

static void input(const struct sn_cone_block *b, const struct sn_cone *v) {
    for (int m = 0; m < b->n; m++) {
        b->from[m] = b->position[m];
        b->to[m] = b->position[m] + 1;
        memcpy(part_of(b, 0, m).p, b->c->model->arch->lut + b->letter[b->channel[m]] * v->ch, (size_t)v->ch * sizeof(sn_real));
    }
}

/* ---- products ---- */

/* The first convolution: a tap's weights of the new letter take the place of the old one's. */
static void codes(const struct sn_cone_block *b, const struct sn_cone *v) {
    const struct sn_model *model = b->c->model;
    int64_t channels = v->nd->in[0].ch;
    const sn_real *w = model->params + v->nd->weight_offset[0];
    copy_old(b, v);
    for (int m = 0; m < b->n; m++) {
        struct part y = part_of(b, v->nd->id, m), x = part_of(b, 0, m);
        const sn_real *old = model->arch->lut + b->codes[b->position[m]] * channels;
        for (int64_t q = y.from; q < y.to; q++) {
            int64_t behind = b->position[m] + v->geo.pad_left - q * v->geo.stride, tap = behind / v->geo.dilation;
            if (behind % v->geo.dilation) continue;
            for (int64_t c = 0; c < channels; c++) {
                sn_real d = x.p[c] - old[c];
                if (d != 0) add_row(y.p + (q - y.from) * v->ch, w + (tap * channels + c) * v->ch, d, v->ch);
            }
        }
    }
}

/* Positions that did change, one row each; where they belong. */
static int64_t collect(const struct sn_cone_block *b, const struct sn_cone *v) {
    int in = v->nd->inputs[0];
    int64_t ch = b->c->v[in].ch, rows = 0;
    for (int m = 0; m < b->n; m++) {
        struct part x = part_of(b, in, m);
        for (int64_t p = x.from; p < x.to; p++) {
            if (!difference(x.p + (p - x.from) * ch, old_of(b, in) + p * ch, ch, b->delta + rows * ch)) continue;
            b->where[2 * rows] = m;
            b->where[2 * rows + 1] = (int32_t)p;
            rows++;
        }
    }
    return rows;
}

/* Adds a changed position's products, (taps, ch) with the last tap first, to the positions that look at it. */
static void scatter(const struct sn_cone_block *b, const struct sn_cone *v, const struct part *y, int64_t position, const sn_real *x) {
    bool window = v->geo.kind == SN_GEO_WINDOW;
    int64_t taps = window ? v->geo.size : 1, ch = v->ch;
    if (!window || (v->geo.stride == 1 && v->geo.dilation == 1)) {
        int64_t first = window ? position + v->geo.pad_left - (taps - 1) : position;
        int64_t s = first < y->from ? y->from : first, t = first + taps < y->to ? first + taps : y->to;
        if (s < t)
            b->k->accumulate(&(struct sn_accumulate){.dst = y->p + (s - y->from) * ch, .src = x + (s - first) * ch, .n = (t - s) * ch});
        return;
    }
    for (int64_t t = 0; t < taps; t++) {
        int64_t at = position + v->geo.pad_left - t * v->geo.dilation, q = at / v->geo.stride;
        if (at < 0 || at % v->geo.stride || q < y->from || q >= y->to) continue;
        b->k->accumulate(&(struct sn_accumulate){.dst = y->p + (q - y->from) * ch, .src = x + (taps - 1 - t) * ch, .n = ch});
    }
}

/* A convolution: the difference of each changed position times the weights of every tap, added where that tap looks at it. */
static void product(const struct sn_cone_block *b, const struct sn_cone *v) {
    int64_t cin = v->nd->in[0].ch, n = (v->geo.kind == SN_GEO_WINDOW ? v->geo.size : 1) * v->ch;
    copy_old(b, v);
    int64_t rows = collect(b, v);
    if (rows == 0) return;
    b->k->gemm(&(struct sn_gemm){.m = rows,
                                 .n = n,
                                 .k = cin,
                                 .a = b->delta,
                                 .a_rs = cin,
                                 .a_cs = 1,
                                 .packed_b = v->packed,
                                 .c = b->product,
                                 .c_rs = n,
                                 .ws = b->ws});
    for (int64_t r = 0; r < rows; r++) {
        struct part y = part_of(b, v->nd->id, b->where[2 * r]);
        scatter(b, v, &y, b->where[2 * r + 1], b->product + r * n);
    }
}

/* A dense layer over a flattened sequence: mutants that change the same positions share the weights' rows. */
static void flat(const struct sn_cone_block *b, const struct sn_cone *v) {
    int in = v->nd->inputs[0];
    int64_t ch = b->c->v[in].ch;
    const sn_real *w = b->c->model->params + v->nd->weight_offset[0];
    copy_old(b, v);
    for (int m = 0, end; m < b->n; m = end) {
        struct part first = part_of(b, in, m);
        int64_t k = (first.to - first.from) * ch;
        for (end = m; end < b->n; end++) {
            struct part x = part_of(b, in, end);
            if (x.from != first.from || x.to != first.to) break;
            difference(x.p, old_of(b, in) + x.from * ch, k, b->delta + (end - m) * k);
        }
        if (k == 0) continue;
        b->k->gemm(&(struct sn_gemm){.m = end - m,
                                     .n = v->ch,
                                     .k = k,
                                     .a = b->delta,
                                     .a_rs = k,
                                     .a_cs = 1,
                                     .b = w + first.from * ch * v->ch,
                                     .b_rs = v->ch,
                                     .b_cs = 1,
                                     .c = part_of(b, v->nd->id, m).p,
                                     .c_rs = v->width * v->ch,
                                     .accumulate = 1,
                                     .ws = b->ws});
    }
}

/* ---- pools ---- */

static void max_pool(const struct sn_cone_block *b, const struct sn_cone *v) {
    int in = v->nd->inputs[0];
    int64_t len = b->len[in];
    for (int m = 0; m < b->n; m++) {
        struct part y = part_of(b, v->nd->id, m), x = part_of(b, in, m);
        for (int64_t q = y.from; q < y.to; q++) {
            int64_t s = q * v->geo.stride - v->geo.pad_left, t = s + v->geo.size;
            if (s < 0) s = 0;
            if (t > len) t = len;
            sn_real *to = y.p + (q - y.from) * v->ch;
            memcpy(to, value_at(b, in, &x, s), (size_t)v->ch * sizeof *to);
            for (int64_t p = s + 1; p < t; p++) take_larger(to, value_at(b, in, &x, p), v->ch);
        }
    }
}

static void mean_pool(const struct sn_cone_block *b, const struct sn_cone *v) {
    int in = v->nd->inputs[0];
    int64_t len = b->len[in];
    copy_old(b, v);
    for (int m = 0; m < b->n; m++) {
        struct part y = part_of(b, v->nd->id, m), x = part_of(b, in, m);
        for (int64_t q = y.from; q < y.to; q++) {
            int64_t s = q * v->geo.stride - v->geo.pad_left, t = s + v->geo.size;
            if (s < 0) s = 0;
            if (t > len) t = len;
            sn_real times = 1 / (sn_real)(t - s);
            for (int64_t p = s < x.from ? x.from : s; p < t && p < x.to; p++)
                add_difference(y.p + (q - y.from) * v->ch, x.p + (p - x.from) * v->ch, old_of(b, in) + p * v->ch, times, v->ch);
        }
    }
}

void sn_cone_prepare(const struct sn_cones *c, const int32_t *len, sn_real *activation) {
    for (int i = 1; i <= c->frontier; i++) {
        const struct sn_cone *v = &c->v[i];
        if (!v->used || v->kind != SN_CONE_GLOBAL_MAX) continue;
        const struct sn_cone *in = &c->v[c->v[v->nd->inputs[0]].root];
        int64_t n = len[in->nd->id];
        const sn_real *x = activation + in->cached;
        sn_real *before = activation + v->ends, *after = before + (in->len + 1) * in->ch;
        for (int64_t k = 0; k < in->ch; k++) before[k] = after[n * in->ch + k] = -(sn_real)INFINITY;
        for (int64_t p = 0; p < n; p++) {
            memcpy(before + (p + 1) * in->ch, before + p * in->ch, (size_t)in->ch * sizeof *x);
            take_larger(before + (p + 1) * in->ch, x + p * in->ch, in->ch);
        }
        for (int64_t p = n - 1; p >= 0; p--) {
            memcpy(after + p * in->ch, after + (p + 1) * in->ch, (size_t)in->ch * sizeof *x);
            take_larger(after + p * in->ch, x + p * in->ch, in->ch);
        }
    }
}

static void global_max(const struct sn_cone_block *b, const struct sn_cone *v) {
    int in = v->nd->inputs[0];
    const sn_real *before = b->activation + v->ends, *after = before + (b->c->v[in].len + 1) * v->ch;
    for (int m = 0; m < b->n; m++) {
        struct part y = part_of(b, v->nd->id, m), x = part_of(b, in, m);
        memcpy(y.p, before + x.from * v->ch, (size_t)v->ch * sizeof *y.p);
        take_larger(y.p, after + x.to * v->ch, v->ch);
        for (int64_t p = x.from; p < x.to; p++) take_larger(y.p, x.p + (p - x.from) * v->ch, v->ch);
    }
}

static void global_mean(const struct sn_cone_block *b, const struct sn_cone *v) {
    int in = v->nd->inputs[0];
    sn_real times = 1 / (sn_real)b->len[b->c->v[in].root];
    copy_old(b, v);
    for (int m = 0; m < b->n; m++) {
        struct part y = part_of(b, v->nd->id, m), x = part_of(b, in, m);
        for (int64_t p = x.from; p < x.to; p++) add_difference(y.p, x.p + (p - x.from) * v->ch, old_of(b, in) + p * v->ch, times, v->ch);
    }
}

/* ---- value by value ---- */

/* The mutants' parts as rows for a kernel. */
static struct sn_t3 rows_of(const struct sn_cone_block *b, int node) {
    const struct sn_cone *v = &b->c->v[b->c->v[node].root];
    for (int m = 0; m < b->n; m++) {
        struct part x = part_of(b, node, m);
        b->size[m] = (int32_t)(x.to - x.from);
    }
    return (struct sn_t3){.p = part_of(b, node, 0).p, .row = v->width * v->ch, .ld = (int32_t)v->ch, .ch = (int32_t)v->ch, .len = b->size};
}

static void unary(const struct sn_cone_block *b, const struct sn_cone *v) {
    const char *name = v->nd->op->name;
    enum sn_unary kind = strcmp(name, "relu") == 0 ? SN_RELU : strcmp(name, "sigmoid") == 0 ? SN_SIGMOID : SN_TANH;
    struct sn_t3 x = rows_of(b, v->nd->inputs[0]), y = rows_of(b, v->nd->id);
    b->k->unary_fwd(&(struct sn_unary_fwd){.kind = kind, .n = b->n, .x = x, .y = y});
}

static void norm(const struct sn_cone_block *b, const struct sn_cone *v) {
    const sn_real *w = b->c->model->params;
    const int64_t *at = v->nd->weight_offset; /* gamma, beta, mean, variance */
    struct sn_t3 x = rows_of(b, v->nd->inputs[0]), y = rows_of(b, v->nd->id);
    b->k->bn_fwd(&(struct sn_bn_fwd){.n = b->n,
                                     .x = x,
                                     .y = y,
                                     .gamma = w + at[0],
                                     .beta = w + at[1],
                                     .mean = w + at[2],
                                     .var = w + at[3],
                                     .eps = v->nd->p[sn_op_param_index(v->nd->op, "epsilon")].f});
}

static void merge(const struct sn_cone_block *b, const struct sn_cone *v) {
    for (int m = 0; m < b->n; m++) {
        struct part y = part_of(b, v->nd->id, m);
        int64_t at = 0;
        for (int k = 0; k < v->nd->n_inputs; k++) {
            int in = v->nd->inputs[k];
            int64_t ch = b->c->v[in].ch;
            struct part x = part_of(b, in, m);
            for (int64_t p = y.from; p < y.to; p++) {
                const sn_real *from = value_at(b, in, &x, p);
                sn_real *to = y.p + (p - y.from) * v->ch + at;
                if (k > 0 && v->kind == SN_CONE_ADD)
                    add_row(to, from, 1, ch);
                else
                    memcpy(to, from, (size_t)ch * sizeof *to);
            }
            if (v->kind == SN_CONE_CONCATENATE) at += ch;
        }
    }
}

/* ---- all of it ---- */

static void run_layer(const struct sn_cone_block *b, const struct sn_cone *v) {
    switch (v->kind) {
    case SN_CONE_CODES:
        codes(b, v);
        break;
    case SN_CONE_PRODUCT:
        product(b, v);
        break;
    case SN_CONE_FLAT:
        flat(b, v);
        break;
    case SN_CONE_MAX:
        max_pool(b, v);
        break;
    case SN_CONE_MEAN:
        mean_pool(b, v);
        break;
    case SN_CONE_GLOBAL_MAX:
        global_max(b, v);
        break;
    case SN_CONE_GLOBAL_MEAN:
        global_mean(b, v);
        break;
    case SN_CONE_UNARY:
        unary(b, v);
        break;
    case SN_CONE_NORM:
        norm(b, v);
        break;
    case SN_CONE_ADD:
    case SN_CONE_CONCATENATE:
        merge(b, v);
        break;
    default:
        break; /* the input is set, an alias has no values of its own */
    }
}

void sn_cone_run(struct sn_cone_block *b, sn_real *out, int64_t out_row) {
    const struct sn_cones *c = b->c;
    const struct sn_cone *f = &c->v[c->frontier];
    input(b, &c->v[0]);
    for (int i = 1; i <= c->frontier; i++) {
        if (!c->v[i].used) continue;
        reach(b, &c->v[i]);
        run_layer(b, &c->v[i]);
    }
    int64_t len = b->len[f->nd->id];
    for (int m = 0; m < b->n; m++) {
        struct part y = part_of(b, c->frontier, m);
        sn_real *to = out + m * out_row;
        memcpy(to, old_of(b, c->frontier), (size_t)(len * f->ch) * sizeof *to);
        memcpy(to + y.from * f->ch, y.p, (size_t)((y.to - y.from) * f->ch) * sizeof *to);
    }
}
