/* Reveal-Cancel: parts of differences and of weights, quotients per part, choice by sign. */
#include "codes_batch.h"
#include "oracle.h"

static const int32_t row_x[] = {0, 3, 1, 4, 2}, row_ref[] = {3, 0, 4, 4, 1};
static const struct sn_pairs pairs = {KT_ROWS, row_x, row_ref};

struct batch {
    int ch, longest;
    bool wide;
    int32_t *len;
};

/* Rows of one length: any two make a pair. */
static bool next(struct kt *t, int i, struct batch *b) {
    if (!kt_shape(i, &b->ch, &b->longest, &b->wide)) return false;
    kt_begin(t, "ch %d len %d wide %d", b->ch, b->longest, b->wide);
    b->len = kt_bytes(t, KT_ROWS * sizeof *b->len);
    for (int r = 0; r < KT_ROWS; r++) b->len[r] = b->longest;
    return true;
}

static struct sn_t3 values(struct kt *t, const struct batch *b, bool wide) {
    struct sn_t3 v = kt_t3_values(t, KT_ROWS, b->ch, b->len, wide);
    kt_keep(t, v.p);
    return v;
}

/* Two tensors, or the two halves of the channels of one. */
static struct sn_parts output(struct kt *t, const struct batch *b, bool halves) {
    if (!halves) return (struct sn_parts){kt_t3(t, KT_ROWS, b->ch, b->len, b->wide), kt_t3(t, KT_ROWS, b->ch, b->len, false)};
    struct sn_t3 both = kt_t3(t, KT_ROWS, 2 * b->ch, b->len, b->wide);
    struct sn_parts p = {both, both};
    p.plus.ch = p.minus.ch = b->ch;
    p.minus.p += b->ch;
    return p;
}

static void written(struct kt *t, const struct batch *b, const struct sn_parts *y, bool halves) {
    struct sn_t3 both = y->plus;
    both.ch = 2 * b->ch;
    kt_t3_written(t, halves ? &both : &y->plus, KT_ROWS);
    if (!halves) kt_t3_written(t, &y->minus, KT_ROWS);
}

static double difference(const struct sn_pair_value *v, int p, int64_t q, int c, int ch) {
    if (v->x.p) return (double)*kt_at(&v->x, row_x[p], q, c) - (double)*kt_at(&v->x, row_ref[p], q, c);
    const uint8_t *x = v->in.codes + row_x[p] * v->in.code_row, *r = v->in.codes + row_ref[p] * v->in.code_row;
    return (double)v->in.lut[x[q] * ch + c] - (double)v->in.lut[r[q] * ch + c];
}

static void check_value(struct kt *t, const struct batch *b, const struct sn_pair_value *v, bool halves) {
    struct sn_parts y = output(t, b, halves), m = {values(t, b, b->wide), values(t, b, false)};
    struct sn_t3 one = kt_t3(t, KT_ROWS, b->ch, b->len, b->wide);
    t->k->pair_parts(&(struct sn_pair_parts){*v, y});
    written(t, b, &y, halves);
    t->k->pair_select(&(struct sn_pair_select){*v, m, one});
    kt_t3_written(t, &one, KT_ROWS);
    for (int p = 0; p < KT_ROWS; p++)
        for (int64_t q = 0; q < b->longest; q++)
            for (int c = 0; c < b->ch; c++) {
                double d = difference(v, p, q, c, b->ch), plus = (double)*kt_at(&m.plus, p, q, c),
                       minus = (double)*kt_at(&m.minus, p, q, c);
                kt_check(t, *kt_at(&y.plus, p, q, c), fmax(d, 0));
                kt_check(t, *kt_at(&y.minus, p, q, c), fmin(d, 0));
                kt_check(t, *kt_at(&one, p, q, c), d > 0 ? plus : d < 0 ? minus : (plus + minus) / 2);
            }
}

static void of_values(struct kt *t) {
    struct batch b;
    for (int s = 0; next(t, s, &b); s++) {
        struct sn_pair_value v = {.pairs = pairs, .x = values(t, &b, s % 3 == 0)};
        check_value(t, &b, &v, s % 2);
    }
}

static void of_codes(struct kt *t) {
    struct batch b;
    for (int s = 0; next(t, s, &b); s++) {
        struct codes_batch cb = {.s = {.k = 1, .cin = b.ch, .cout = 1, .stride = 1, .dilation = 1}};
        if (b.ch > 199) continue;
        cb_alphabet(t, &cb);
        cb_codes(t, &cb, b.longest, 30);
        /* every row has all its codes */
        uint8_t *codes = kt_bytes(t, (size_t)(KT_ROWS * (b.longest + 1)));
        for (int i = 0; i < KT_ROWS * (b.longest + 1); i++)
            codes[i] = (uint8_t)(kt_below(t, 100) < 30 ? CB_HALF + kt_below(t, 5) : kt_below(t, b.ch + 1));
        cb.in.codes = codes, cb.in.code_row = b.longest + 1;
        kt_keep(t, codes);
        struct sn_pair_value v = {.pairs = pairs, .in = cb.in};
        check_value(t, &b, &v, s % 2);
    }
}

static void quotients(struct kt *t) {
    static const enum sn_unary kinds[] = {SN_RELU, SN_SIGMOID, SN_TANH};
    struct batch b;
    for (int s = 0; next(t, s, &b); s++) {
        const enum sn_unary kind = kinds[s % 3];
        struct sn_t3 x = values(t, &b, b.wide);
        struct sn_parts d = output(t, &b, s % 2), m = {values(t, &b, false), values(t, &b, b.wide)}, y = output(t, &b, s % 4 < 2);
        for (int p = 0; p < KT_ROWS; p++)
            for (int64_t q = 0; q < b.longest; q++)
                for (int c = 0; c < b.ch; c++) {
                    *kt_at(&d.plus, p, q, c) = kt_below(t, 4) ? (sn_real)fabs((double)kt_value(t)) : 0;
                    *kt_at(&d.minus, p, q, c) = kt_below(t, 4) ? -(sn_real)fabs((double)kt_value(t)) : 0;
                }
        kt_keep(t, d.plus.p);
        t->k->unary_cancel(&(struct sn_unary_cancel){kind, pairs, x, d, m, y});
        written(t, &b, &y, s % 4 < 2);
        for (int p = 0; p < KT_ROWS; p++)
            for (int64_t q = 0; q < b.longest; q++)
                for (int c = 0; c < b.ch; c++) {
                    double a = (double)*kt_at(&x, row_x[p], q, c), a0 = (double)*kt_at(&x, row_ref[p], q, c);
                    double plus = (double)*kt_at(&d.plus, p, q, c), minus = (double)*kt_at(&d.minus, p, q, c);
                    double qp = (or_rho(kind, a0 + plus, a0) + or_rho(kind, a, a0 + minus)) / 2;
                    double qn = (or_rho(kind, a0 + minus, a0) + or_rho(kind, a, a0 + plus)) / 2;
                    kt_check(t, *kt_at(&y.plus, p, q, c), (double)*kt_at(&m.plus, p, q, c) * qp);
                    kt_check(t, *kt_at(&y.minus, p, q, c), (double)*kt_at(&m.minus, p, q, c) * qn);
                }
    }
}

/* In place: the multipliers give way to those of the inputs. */
static void quotients_in_place(struct kt *t) {
    struct batch b;
    for (int s = 0; next(t, s, &b); s++) {
        struct sn_t3 x = values(t, &b, b.wide);
        struct sn_parts d = {values(t, &b, false), values(t, &b, false)}, m = {values(t, &b, false), values(t, &b, false)};
        struct sn_parts y = output(t, &b, false), same = {kt_t3(t, KT_ROWS, b.ch, b.len, false), kt_t3(t, KT_ROWS, b.ch, b.len, false)};
        for (int p = 0; p < KT_ROWS; p++)
            for (int64_t e = 0; e < b.longest; e++)
                for (int c = 0; c < b.ch; c++) {
                    *kt_at(&same.plus, p, e, c) = *kt_at(&m.plus, p, e, c);
                    *kt_at(&same.minus, p, e, c) = *kt_at(&m.minus, p, e, c);
                }
        t->k->unary_cancel(&(struct sn_unary_cancel){SN_SIGMOID, pairs, x, d, m, y});
        t->k->unary_cancel(&(struct sn_unary_cancel){SN_SIGMOID, pairs, x, d, same, same});
        written(t, &b, &same, false);
        for (int p = 0; p < KT_ROWS; p++)
            for (int64_t q = 0; q < b.longest; q++) {
                kt_same(t, kt_at(&y.plus, p, q, 0), kt_at(&same.plus, p, q, 0), (size_t)b.ch * sizeof(sn_real), "positive parts");
                kt_same(t, kt_at(&y.minus, p, q, 0), kt_at(&same.minus, p, q, 0), (size_t)b.ch * sizeof(sn_real), "negative parts");
            }
    }
}

static void scale(struct kt *t) {
    const double eps = 1e-3;
    struct batch b;
    for (int s = 0; next(t, s, &b); s++) {
        struct sn_parts x = {values(t, &b, b.wide), values(t, &b, false)}, y = output(t, &b, s % 2);
        sn_real *gamma = kt_values(t, (size_t)b.ch), *var = kt_values(t, (size_t)b.ch);
        for (int c = 0; c < b.ch; c++) var[c] = var[c] * var[c];
        t->k->bn_parts(&(struct sn_bn_parts){KT_ROWS, x, y, var, gamma, eps});
        written(t, &b, &y, s % 2);
        for (int i = 0; i < KT_ROWS; i++)
            for (int64_t q = 0; q < b.longest; q++)
                for (int c = 0; c < b.ch; c++) {
                    double f = (double)gamma[c] / sqrt((double)var[c] + eps), p = f * (double)*kt_at(&x.plus, i, q, c),
                           n = f * (double)*kt_at(&x.minus, i, q, c);
                    kt_check(t, *kt_at(&y.plus, i, q, c), f < 0 ? n : p);
                    kt_check(t, *kt_at(&y.minus, i, q, c), f < 0 ? p : n);
                }
    }
}

/* As the convolution wants them: two blocks of twice the rows and columns. */
static void weights(struct kt *t) {
    for (int cols = 1; cols < 40; cols += 3) {
        const int rows = 1 + cols % 5, blocks = 1 + cols % 3;
        const int64_t ld = 2 * cols, block = 2 * rows * ld;
        kt_begin(t, "%d x %d x %d", blocks, rows, cols);
        sn_real *w = kt_values(t, (size_t)(blocks * rows * cols)), *y = kt_reals(t, (size_t)(blocks * block));
        kt_keep(t, w);
        t->k->weight_parts(&(struct sn_weight_parts){blocks, rows, cols, w, y, y + cols, block, ld});
        t->k->weight_parts(&(struct sn_weight_parts){blocks, rows, cols, w, y + rows * ld + cols, y + rows * ld, block, ld});
        for (int64_t b = 0; b < blocks; b++)
            for (int64_t r = 0; r < 2 * rows; r++)
                for (int64_t c = 0; c < 2 * cols; c++) {
                    double v = (double)w[(b * rows + r % rows) * cols + c % cols];
                    kt_check(t, y[b * block + r * ld + c], (r < rows) == (c < cols) ? fmax(v, 0) : fmin(v, 0));
                }
    }
}

const struct kt_case SN_SYM(kt_cases_cancel)[] = {
    {"pair_parts, pair_select", 0, of_values},
    {"pair_parts, pair_select, codes", 1e-6, of_codes},
    {"unary_cancel", 2e-6, quotients},
    {"unary_cancel, in place", 2e-6, quotients_in_place},
    {"bn_parts", 1e-6, scale},
    {"weight_parts", 0, weights},
    {NULL, 0, NULL},
};
