#include "ops/common.h"

#include <string.h>

const char *const sn_padding_words[] = {"valid", "same", NULL};

void sn_rows_gemm(const struct sn_exec *x, const struct sn_rows_gemm *g) {
    const struct sn_kernels *k = sn_x_kernels(x);
    struct sn_gemm a = {
        .n = g->n_out, .k = g->a.ch, .a_cs = 1, .packed_b = g->packed, .bias = g->bias, .accumulate = g->accumulate, .ws = g->ws};
    a.b = g->b, a.b_rs = g->b_rs, a.b_cs = g->b_cs;
    bool vectors = true;
    for (int i = 0; i < g->n; i++) vectors = vectors && g->len[i] == 1;
    if (vectors) {
        a.m = g->n, a.a = g->a.p, a.a_rs = g->a.row, a.c = g->c.p, a.c_rs = g->c.row;
        if (a.m > 0) k->gemm(&a);
        return;
    }
    for (int i = 0; i < g->n; i++) {
        a.m = g->len[i], a.a = g->a.p + i * g->a.row, a.a_rs = g->a.ld, a.c = g->c.p + i * g->c.row, a.c_rs = g->c.ld;
        if (a.m > 0) k->gemm(&a);
    }
}

void sn_rows_outer(const struct sn_exec *x, const struct sn_rows_outer *g) {
    const struct sn_kernels *k = sn_x_kernels(x);
    struct sn_gemm a = {
        .m = g->o1 - g->o0, .n = g->n_out, .a_rs = 1, .b_cs = 1, .c = g->dst, .c_rs = g->n_out, .accumulate = 1, .ws = g->ws};
    bool vectors = true;
    for (int i = 0; i < g->n; i++) vectors = vectors && g->len[i] == 1;
    if (vectors) {
        a.k = g->n, a.a = g->a.p + g->o0, a.a_cs = g->a.row, a.b = g->b.p, a.b_rs = g->b.row;
        k->gemm(&a);
        return;
    }
    for (int i = 0; i < g->n; i++) {
        a.k = g->len[i], a.a = g->a.p + i * g->a.row + g->o0, a.a_cs = g->a.ld, a.b = g->b.p + i * g->b.row, a.b_rs = g->b.ld;
        if (a.k > 0) k->gemm(&a);
    }
}

size_t sn_pack_bytes(const struct sn_kernels *k, int64_t rows, int64_t cols) {
    return sn_align_up(k->gemm_pack_bytes(rows, cols));
}

size_t sn_pack_weight(const struct sn_exec *x, const sn_real *w, int64_t k, int64_t n, bool transpose, void *dst) {
    const struct sn_kernels *kn = sn_x_kernels(x);
    struct sn_gemm_pack p = {
        .k = transpose ? n : k, .n = transpose ? k : n, .b = w, .b_rs = transpose ? 1 : n, .b_cs = transpose ? n : 1, .dst = dst};
    kn->gemm_pack(&p);
    return sn_pack_bytes(kn, p.k, p.n);
}

struct sn_parts sn_parts_of(struct sn_t3 t, int64_t ch) {
    struct sn_parts p = {t, t};
    if (t.ch <= ch) return p;
    p.plus.ch = p.minus.ch = (int32_t)ch;
    p.minus.p += ch;
    return p;
}

struct sn_pair_value sn_pair_input(const struct sn_exec *x, const struct sn_node *nd, int p0, int p1) {
    struct sn_pair_value v = {.pairs = sn_x_pairs(x, p0, p1)};
    if (nd->on_codes)
        v.in = sn_x_codes(x, 0, 0);
    else
        v.x = sn_x_in(x, nd, 0, 0);
    return v;
}

size_t sn_parts_scratch_bytes(const struct sn_node *nd) {
    return (size_t)(2 * sn_elements(&nd->in[0])) * sizeof(sn_real);
}

struct sn_t3 sn_parts_scratch(const struct sn_exec *x, const struct sn_node *nd, int p0) {
    int64_t row;
    int32_t ch = (int32_t)(2 * nd->in[0].ch);
    sn_real *p = sn_x_scratch(x, nd, p0, &row);
    return (struct sn_t3){.p = p, .row = row / (int64_t)sizeof *p, .ld = ch, .ch = ch, .len = sn_x_grad_in(x, nd, 0, p0).len};
}

int64_t sn_window_len(int64_t len, int64_t size, int64_t stride, int padding) {
    if (padding == SN_PAD_SAME) return (len + stride - 1) / stride;
    return len < size ? 0 : (len - size) / stride + 1;
}

int64_t sn_window_pad(int64_t len, int64_t size, int64_t stride, int padding) {
    if (padding != SN_PAD_SAME) return 0;
    int64_t total = (sn_window_len(len, size, stride, padding) - 1) * stride + size - len;
    return total > 0 ? total / 2 : 0;
}

int sn_need_seq(const struct sn_node *nd) {
    if (nd->in[0].seq) return 0;
    return sn_error(SEQNET_ESHAPE, "expected a sequence (length, channels) as input, got a vector of %lld values", (long long)nd->in[0].ch);
}

int sn_window_shape(struct sn_node *nd, int64_t size, int64_t stride, int padding) {
    SN_TRY(sn_need_seq(nd));
    const struct sn_shape *in = &nd->in[0];
    if (in->var && padding == SN_PAD_SAME && stride > 1)
        return sn_error(SEQNET_ESHAPE,
                        "padding \"same\" with a stride above 1 needs sequences of one length; give input.length or use padding valid");
    nd->out = (struct sn_shape){.len = sn_window_len(in->len, size, stride, padding), .ch = in->ch, .seq = true, .var = in->var};
    if (nd->out.len < 1)
        return sn_error(SEQNET_ESHAPE, "input has %lld positions, a window of %lld needs at least as many", (long long)in->len,
                        (long long)size);
    return 0;
}

struct sn_geometry sn_geo_pointwise(const struct sn_node *nd) {
    (void)nd;
    return (struct sn_geometry){.kind = SN_GEO_POINTWISE, .size = 1, .stride = 1, .dilation = 1};
}

struct sn_geometry sn_geo_merge(const struct sn_node *nd) {
    (void)nd;
    return (struct sn_geometry){.kind = SN_GEO_MERGE, .size = 1, .stride = 1, .dilation = 1};
}

struct sn_geometry sn_geo_reduce(const struct sn_node *nd) {
    (void)nd;
    return (struct sn_geometry){.kind = SN_GEO_REDUCE, .size = 1, .stride = 1, .dilation = 1};
}

struct sn_geometry sn_geo_head(const struct sn_node *nd) {
    enum sn_geometry_kind kind = nd->in[0].seq ? SN_GEO_POINTWISE : SN_GEO_HEAD;
    return (struct sn_geometry){.kind = kind, .size = 1, .stride = 1, .dilation = 1};
}

int sn_shape_same(struct sn_node *nd) {
    nd->out = nd->in[0];
    return 0;
}

void sn_keep_inputs_attr(const struct sn_node *nd, enum sn_mode mode, struct sn_keep *k) {
    (void)nd;
    k->inputs = mode == SN_ATTRIBUTE;
}

struct sn_weight *sn_add_weight(struct sn_node *nd, const char *name, int64_t rows, int64_t cols, enum sn_init init) {
    struct sn_weight *w = &nd->weights[nd->n_weights++];
    *w = (struct sn_weight){
        .name = name, .rank = cols > 0 ? 2 : 1, .shape = {rows, cols > 0 ? cols : 0, 0}, .init = init, .trainable = true, .runs = 1};
    w->fan_in = rows, w->fan_out = cols > 0 ? cols : rows;
    return w;
}
