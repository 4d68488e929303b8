#include "codes_batch.h"

static void forward(struct kt *t) {
    struct codes_batch b;
    for (int s = 0; cb_next_dilated(t, s, true, 1 + s % 4, &b); s++) {
        struct sn_t3 y = kt_t3(t, CB_ROWS, b.s.cout, b.conv_len, s % 2);
        cb_forward(t, &b, y);
        kt_t3_written(t, &y, CB_ROWS);
        for (int i = 0; i < CB_ROWS; i++)
            for (int64_t q = 0; q < b.conv_len[i]; q++)
                for (int f = 0; f < b.s.cout; f++) {
                    double want = b.bias ? b.bias[f] : 0;
                    for (int k = 0; k < b.s.k; k++)
                        for (int c = 0; c < b.s.cin; c++)
                            want += cb_x(&b, i, q * b.s.stride - b.s.pad + k * b.s.dilation, c) * b.w[(k * b.s.cin + c) * b.s.cout + f];
                    kt_check(t, *kt_at(&y, i, q, f), want);
                }
    }
}

/* A code that is expanded on the spot gives the bits of the same code in the tables; a row alone gives the bits it has in a batch. */
static void same_bits(struct kt *t) {
    struct codes_batch b;
    for (int s = 0; cb_next_dilated(t, s, true, 1 + s % 4, &b); s++) {
        struct sn_t3 y = kt_t3(t, CB_ROWS, b.s.cout, b.conv_len, false), again = kt_t3(t, CB_ROWS, b.s.cout, b.conv_len, false);
        cb_forward(t, &b, y);
        kt_t3_written(t, &y, CB_ROWS);
        size_t row = (size_t)y.row * sizeof *y.p;
        for (int i = 0; i < CB_ROWS; i++) {
            struct codes_batch one = b;
            one.in.n = 1;
            one.in.codes += i * b.in.code_row;
            one.in.len += i;
            struct sn_t3 part = again;
            part.p += i * again.row;
            part.len += i;
            cb_forward(t, &one, part);
        }
        kt_same(t, y.p, again.p, CB_ROWS * row, "row by row");
        uint8_t *codes = kt_bytes(t, (size_t)(CB_ROWS * b.in.code_row));
        memcpy(codes, b.in.codes, (size_t)(CB_ROWS * b.in.code_row));
        for (int64_t p = 0; p < CB_ROWS * b.in.code_row; p++) codes[p] = codes[p] == 1 ? CB_SLOW_FIRST : codes[p];
        b.in.codes = codes;
        cb_forward(t, &b, again);
        kt_same(t, y.p, again.p, CB_ROWS * row, "on the spot");
    }
}

static void gradient(struct kt *t) {
    struct codes_batch b;
    for (int s = 0; cb_next_dilated(t, s, true, 1 + s % 4, &b); s++) {
        struct sn_t3 dy = kt_t3_values(t, CB_ROWS, b.s.cout, b.conv_len, s % 2);
        size_t n = (size_t)b.s.k * (size_t)b.s.cin * (size_t)b.s.cout;
        sn_real *dw = kt_values(t, n), *old = kt_reals(t, n);
        memcpy(old, dw, n * sizeof *dw);
        kt_keep(t, dy.p);
        cb_gradient(t, &b, dy, dw);
        for (int k = 0; k < b.s.k; k++)
            for (int c = 0; c < b.s.cin; c++)
                for (int f = 0; f < b.s.cout; f++) {
                    size_t e = (size_t)(k * b.s.cin + c) * (size_t)b.s.cout + (size_t)f;
                    double want = old[e];
                    for (int i = 0; i < CB_ROWS; i++)
                        for (int64_t q = 0; q < b.conv_len[i]; q++)
                            want += cb_x(&b, i, q * b.s.stride - b.s.pad + k * b.s.dilation, c) * *kt_at(&dy, i, q, f);
                    kt_check(t, dw[e], want);
                }
    }
}

/* Rows longer than a span of the gradient. */
static void long_rows(struct kt *t) {
    struct codes_batch b = {.s = {7, 4, 5, 1, 3, 1, 1}};
    kt_begin(t, "long rows");
    cb_alphabet(t, &b);
    cb_codes(t, &b, 5000, 1);
    sn_real *dw = kt_reals(t, 7 * 4 * 5);
    t->k->fill(&(struct sn_fill){dw, 7 * 4 * 5, 0});
    struct sn_t3 dy = kt_t3_values(t, CB_ROWS, b.s.cout, b.conv_len, false);
    cb_gradient(t, &b, dy, dw);
    for (int e = 0; e < 7 * 4 * 5; e++) {
        double want = 0;
        for (int i = 0; i < CB_ROWS; i++)
            for (int64_t q = 0; q < b.conv_len[i]; q++) want += cb_x(&b, i, q - 3 + e / 20, e / 5 % 4) * *kt_at(&dy, i, q, e % 5);
        kt_check(t, dw[e], want);
    }
}

/* The convolution on codes and its gradient against the dense ones on the expanded codes. */
static void dense(struct kt *t) {
    struct codes_batch b;
    for (int s = 0; cb_next(t, s, true, &b); s++) {
        int longest = 0;
        for (int i = 0; i < CB_ROWS; i++) longest = b.in.len[i] > longest ? b.in.len[i] : longest;
        struct sn_t3 x = kt_t3(t, CB_ROWS, b.s.cin, b.in.len, false), y = kt_t3(t, CB_ROWS, b.s.cout, b.conv_len, false);
        struct sn_t3 z = kt_t3(t, CB_ROWS, b.s.cout, b.conv_len, false), dy = kt_t3_values(t, CB_ROWS, b.s.cout, b.conv_len, false);
        size_t n = (size_t)b.s.k * (size_t)b.s.cin * (size_t)b.s.cout;
        sn_real *dw = kt_reals(t, n), *dv = kt_reals(t, n);
        memset(dw, 0, n * sizeof *dw);
        memset(dv, 0, n * sizeof *dv);
        void *fwd = kt_bytes(t, t->k->conv_fwd_bytes(&b.s)), *ws = kt_bytes(t, t->k->conv_ws(&b.s, longest));
        t->k->encode(&(struct sn_encode){CB_ROWS, b.in.codes, b.in.code_row, b.in.lut, x});
        t->k->conv_prepare(&(struct sn_conv_prepare){b.s, b.w, fwd, NULL});
        t->k->conv_fwd(&(struct sn_conv_fwd){.s = b.s, .n = CB_ROWS, .x = x, .w = fwd, .bias = b.bias, .y = y, .ws = ws});
        t->k->conv_bwd_filter(&(struct sn_conv_bwd_filter){b.s, CB_ROWS, 0, b.s.k * b.s.cin, x, dy, dv, ws});
        cb_forward(t, &b, z);
        cb_gradient(t, &b, dy, dw);
        for (int i = 0; i < CB_ROWS; i++)
            for (int64_t q = 0; q < b.conv_len[i]; q++)
                for (int f = 0; f < b.s.cout; f++) kt_check(t, *kt_at(&z, i, q, f), *kt_at(&y, i, q, f));
        for (size_t e = 0; e < n; e++) kt_check(t, dw[e], dv[e]);
    }
}

const struct kt_case SN_SYM(kt_cases_codes)[] = {
    {"codes_fwd", 5e-6, forward},         {"codes_fwd, bits", 5e-6, same_bits},
    {"codes_bwd_filter", 2e-5, gradient}, {"codes_bwd_filter, long rows", 2e-5, long_rows},
    {"codes against dense", 2e-5, dense}, {NULL, 0, NULL},
};
