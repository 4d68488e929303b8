/* Pieces that several ops share: matrix products over rows of positions, windows, and small readers of parameters. */
#ifndef SN_OPS_COMMON_H
#define SN_OPS_COMMON_H

#include "core/error.h"
#include "core/mem.h"
#include "ops/op.h"

/* C = A B (+ bias, or + C when accumulate) over every position of n rows: A has a->ch channels, C the columns [0, n_out) of c. Vectors take
 * one call, longer rows one each. len: host lengths. B is packed, or where packed is NULL lies at b. */
struct sn_rows_gemm {
    int n;
    struct sn_t3 a, c;
    const int32_t *len;
    int64_t n_out;
    const void *packed;
    const sn_real *b;
    int64_t b_rs, b_cs;
    const sn_real *bias;
    bool accumulate;
    void *ws;
};
void sn_rows_gemm(const struct sn_exec *x, const struct sn_rows_gemm *g);

/* dst (o1-o0, n_out) += A[:, o0:o1]^T B over the rows in order: weight gradient of a product. Positions of `len`. */
struct sn_rows_outer {
    int n;
    struct sn_t3 a, b;
    const int32_t *len;
    int64_t o0, o1, n_out;
    sn_real *dst;
    void *ws;
};
void sn_rows_outer(const struct sn_exec *x, const struct sn_rows_outer *g);

/* Packs w (k,n), or its transpose (n,k) when transpose, into dst. Returns the bytes used, rounded up to SN_ALIGN. */
size_t sn_pack_weight(const struct sn_exec *x, const sn_real *w, int64_t k, int64_t n, bool transpose, void *dst);
size_t sn_pack_bytes(const struct sn_kernels *k, int64_t rows, int64_t cols);

/* The parts of t, which has them when it has more than ch channels; else t stands for both. */
struct sn_parts sn_parts_of(struct sn_t3 t, int64_t ch);
/* What the pairs [p0, p1) compare at input 0: kept values or codes. */
struct sn_pair_value sn_pair_input(const struct sn_exec *x, const struct sn_node *nd, int p0, int p1);
/* The node's scratch as multipliers of input 0 in two parts, pairs from p0 on, and its size. */
struct sn_t3 sn_parts_scratch(const struct sn_exec *x, const struct sn_node *nd, int p0);
size_t sn_parts_scratch_bytes(const struct sn_node *nd);

/* Windows of `size` every `stride`, valid or same (Keras' rule): output length and left padding. */
enum { SN_PAD_VALID, SN_PAD_SAME };
extern const char *const sn_padding_words[];
int64_t sn_window_len(int64_t len, int64_t size, int64_t stride, int padding);
int64_t sn_window_pad(int64_t len, int64_t size, int64_t stride, int padding);
/* The window rule as a shape rule; checks for a sequence input. */
int sn_window_shape(struct sn_node *nd, int64_t size, int64_t stride, int padding);

int sn_need_seq(const struct sn_node *nd);
static inline int64_t sn_elements(const struct sn_shape *s) {
    return s->len * s->ch;
}
static inline size_t sn_align_up(size_t bytes) {
    return (bytes + SN_ALIGN - 1) / SN_ALIGN * SN_ALIGN;
}
struct sn_geometry sn_geo_pointwise(const struct sn_node *nd);
struct sn_geometry sn_geo_merge(const struct sn_node *nd);
struct sn_geometry sn_geo_reduce(const struct sn_node *nd);
struct sn_geometry sn_geo_head(const struct sn_node *nd);
int sn_shape_same(struct sn_node *nd);
void sn_keep_inputs_attr(const struct sn_node *nd, enum sn_mode mode, struct sn_keep *k);

/* A weight of rank 1 or 2 for nd->weights[nd->n_weights++]. */
struct sn_weight *sn_add_weight(struct sn_node *nd, const char *name, int64_t rows, int64_t cols, enum sn_init init);

/* conv1d, for its fusions: y = convolution, its relu where asked for, plus `behind` where its p is not NULL (not on codes). */
void sn_conv1d_forward(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t, struct sn_t3 y, bool relu,
                       struct sn_t3 behind);

#endif
