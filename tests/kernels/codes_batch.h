/* A batch of coded rows with filters, shared by the cases of the convolution on codes. */
#ifndef SN_TESTS_KERNELS_CODES_BATCH_H
#define SN_TESTS_KERNELS_CODES_BATCH_H

#include "harness.h"

#define CB_ROWS 5
enum { CB_HALF = 200, CB_QUARTER, CB_ZERO, CB_SLOW_FIRST, CB_ANY }; /* codes beside 0 (outside) and 1 + c (channel c) */

struct codes_batch {
    struct sn_conv s;
    struct sn_codes in;
    int32_t *conv_len;
    sn_real *w, *bias;
    void *tables;
};

static inline int cb_conv_len(const struct sn_conv *s, int len) {
    int n = len + 2 * s->pad - (s->k - 1) * s->dilation - 1;
    return len == 0 || n < 0 ? 0 : n / s->stride + 1;
}

/* The expansion: one-hot channels; half of the first and the last; a quarter of all; none; the first channel, but not in tables; and an
 * equal part of all, in tables. */
static inline void cb_alphabet(struct kt *t, struct codes_batch *b) {
    int cin = b->s.cin;
    sn_real *lut = kt_reals(t, 256 * (size_t)cin);
    uint8_t *sym = kt_bytes(t, 256);
    memset(sym, 0, 256);
    for (int e = 0; e < 256 * cin; e++) lut[e] = 0;
    for (int c = 0; c < cin; c++) {
        lut[(1 + c) * cin + c] = 1;
        sym[1 + c] = (uint8_t)(1 + c);
        lut[CB_QUARTER * cin + c] = (sn_real)0.25;
        lut[CB_ANY * cin + c] = (sn_real)1 / (sn_real)cin;
    }
    lut[CB_HALF * cin] = lut[CB_HALF * cin + cin - 1] = (sn_real)0.5;
    lut[CB_SLOW_FIRST * cin] = 1;
    sym[CB_HALF] = sym[CB_QUARTER] = sym[CB_SLOW_FIRST] = 255;
    sym[CB_ANY] = cin > 1 ? SN_CODES_ANY(cin) : 1;
    b->in.lut = lut;
    b->in.sym = sym;
    kt_keep(t, lut);
    kt_keep(t, sym);
}

/* special: out of 100 codes so many are not one-hot. Cells beyond the rows' lengths hold code 255, which has no expansion. */
static inline void cb_codes(struct kt *t, struct codes_batch *b, int longest, int special) {
    int64_t row = longest + 7;
    uint8_t *codes = kt_bytes(t, (size_t)(CB_ROWS * row));
    int32_t *len = kt_lens(t, CB_ROWS, longest);
    for (int i = 0; i < CB_ROWS; i++)
        for (int64_t p = 0; p < len[i]; p++)
            codes[i * row + p] = (uint8_t)(kt_below(t, 100) < special ? CB_HALF + kt_below(t, 5) : 1 + kt_below(t, b->s.cin));
    b->in = (struct sn_codes){.n = CB_ROWS, .codes = codes, .code_row = row, .len = len, .lut = b->in.lut, .sym = b->in.sym};
    b->conv_len = kt_bytes(t, CB_ROWS * sizeof *b->conv_len);
    for (int i = 0; i < CB_ROWS; i++) b->conv_len[i] = cb_conv_len(&b->s, len[i]);
    kt_keep(t, codes);
    kt_keep(t, b->conv_len);
}

/* Batch number i of a list of awkward ones. fine: weights that are no short binary fractions, so that sums round. */
static inline bool cb_next_dilated(struct kt *t, int i, bool fine, int dilation, struct codes_batch *b) {
    static const int ks[] = {1, 2, 3, 8, 19, 26, 131}, couts[] = {1, 4, 15, 16, 17, 33}, cins[] = {4, 4, 1, 7, 8, 25};
    static const int lens[] = {0, 1, 3, 17, 40, 150, 600}, strides[] = {1, 1, 2, 3, 9}, specials[] = {0, 3, 60};
    if (i >= 7 * 7 * 6) return false;
    int k = ks[i % 7], longest = lens[i / 7 % 7];
    b->s = (struct sn_conv){
        k, cins[i / 3 % 6], couts[(i + i / 7) % 6], strides[i % 5], i % 2 ? (i % 4 == 1 ? k / 2 : k - 1) * dilation : 0, dilation, 1};
    kt_begin(t, "k %d cin %d cout %d stride %d pad %d dilation %d len %d special %d", k, b->s.cin, b->s.cout, b->s.stride, b->s.pad,
             dilation, longest, specials[i / 2 % 3]);
    cb_alphabet(t, b);
    cb_codes(t, b, longest, specials[i / 2 % 3]);
    size_t n = (size_t)k * (size_t)b->s.cin * (size_t)b->s.cout;
    b->w = kt_values(t, n);
    for (size_t e = 0; e < n && fine; e++) b->w[e] /= 3;
    kt_keep(t, b->w);
    b->bias = i % 3 ? kt_values(t, (size_t)b->s.cout) : NULL;
    b->tables = kt_bytes(t, t->k->codes_bytes(&b->s));
    t->k->codes_prepare(&(struct sn_codes_prepare){b->s, b->w, b->tables});
    kt_keep(t, b->tables);
    return true;
}

static inline bool cb_next(struct kt *t, int i, bool fine, struct codes_batch *b) {
    return cb_next_dilated(t, i, fine, 1, b);
}

/* Channel c of position pos of a row; 0 outside. */
static inline double cb_x(const struct codes_batch *b, int row, int64_t pos, int c) {
    if (pos < 0 || pos >= b->in.len[row]) return 0;
    return b->in.lut[b->in.codes[row * b->in.code_row + pos] * b->s.cin + c];
}

static inline void cb_forward(struct kt *t, const struct codes_batch *b, struct sn_t3 y) {
    t->k->codes_fwd(&(struct sn_codes_fwd){.s = b->s, .in = b->in, .tables = b->tables, .w = b->w, .bias = b->bias, .y = y});
}

/* Gradient of the filters for dy, added to dw. */
static inline void cb_gradient(struct kt *t, const struct codes_batch *b, struct sn_t3 dy, sn_real *dw) {
    t->k->codes_bwd_filter(&(struct sn_codes_bwd_filter){b->s, b->in, dy, dw, kt_bytes(t, t->k->codes_grad_ws(&b->s))});
}

#endif
