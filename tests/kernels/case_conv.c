#include "conv_rule.h"
#include "harness.h"

#define ROWS 5

struct batch {
    struct sn_conv s;
    struct sn_t3 x, y; /* y: nothing in it yet */
    int32_t *len, *out;
    sn_real *w, *bias;
    void *fwd, *bwd, *ws;
};

/* Shape i of a list and its longest row; false: there are no more. */
typedef bool (*shape_fn)(int i, struct sn_conv *s, int *longest);

/* As plain sums. */
static bool plain_shape(int i, struct sn_conv *s, int *longest) {
    static const int ks[] = {1, 2, 3, 8, 19}, cins[] = {1, 3, 4, 16, 33}, couts[] = {1, 4, 16, 17, 33}, lens[] = {0, 1, 2, 7, 18, 40, 1100},
                     dilations[] = {2, 3, 8, 64};
    if (i >= 5 * 7 * 10) return false;
    int k = ks[i % 5], apart = i < 5 * 7 * 6 ? 1 : dilations[(i / 35 + i) % 4];
    *longest = lens[i / 5 % 7];
    if (*longest > 1000 && i >= 70) *longest = 25; /* long rows a few times only */
    *s = (struct sn_conv){k, cins[(i / 5 + i) % 5], couts[(i / 25 + i / 3) % 5], apart > 1 ? 1 : 1 + i / 35 % 3, i / 2 % k, apart, 1};
    if (apart > 1) s->pad = i % 3 == 0 ? 0 : (k - 1) * apart / (i % 3);
    return true;
}

/* By Toom-Cook: every width to three chunks, lengths around the filter and the tile, many tiles, many short rows. */
static bool toom_shape(int i, struct sn_conv *s, int *longest) {
    static const int cins[] = {16, 17, 64, 20, 33}, couts[] = {16, 33, 17, 64}, apart[] = {1, 1, 2, 64};
    enum { WIDTHS = 10, LENGTHS = 10 };
    if (i > WIDTHS * LENGTHS) return false;
    const int k = 3 + i % WIDTHS, lens[LENGTHS] = {0, 1, k - 1, k, k + 3, k + 4, k + 5, k + 6, 100, 25};
    *longest = lens[i / WIDTHS % LENGTHS];
    *s = (struct sn_conv){k, cins[i % 7 % 5], couts[i / 3 % 4], 1, 0, apart[i / 2 % 4], 0};
    s->pad = i % 3 == 0 ? 0 : (k - 1) * s->dilation / (i % 3);
    if (i % WIDTHS == 4 && *longest == 100) *longest = 1300;
    if (i == WIDTHS * LENGTHS) *s = (struct sn_conv){12, 300, 20, 1, 5, 1, 0}, *longest = 30;
    return true;
}

static bool next(struct kt *t, shape_fn shape, int i, struct batch *b) {
    int longest;
    if (!shape(i, &b->s, &longest)) return false;
    const int k = b->s.k;
    kt_begin(t, "k %d cin %d cout %d stride %d pad %d dilation %d len %d", k, b->s.cin, b->s.cout, b->s.stride, b->s.pad, b->s.dilation,
             longest);
    if (shape == toom_shape && !sn_toom_choose(&b->s, NULL)) kt_fail(t, "not by Toom-Cook");
    b->len = kt_lens(t, ROWS, longest);
    b->out = kt_bytes(t, ROWS * sizeof *b->out);
    for (int r = 0; r < ROWS; r++) {
        int n = b->len[r] + 2 * b->s.pad - (k - 1) * b->s.dilation - 1;
        b->out[r] = b->len[r] == 0 || n < 0 ? 0 : n / b->s.stride + 1;
    }
    size_t n = (size_t)k * (size_t)b->s.cin * (size_t)b->s.cout;
    b->w = kt_values(t, n);
    for (size_t e = 0; e < n; e++) b->w[e] /= 3;
    b->bias = i % 3 ? kt_values(t, (size_t)b->s.cout) : NULL;
    b->fwd = kt_bytes(t, t->k->conv_fwd_bytes(&b->s));
    b->bwd = kt_bytes(t, t->k->conv_bwd_bytes(&b->s));
    b->ws = kt_bytes(t, t->k->conv_ws(&b->s, longest));
    t->k->conv_prepare(&(struct sn_conv_prepare){b->s, b->w, b->fwd, NULL});
    t->k->conv_prepare(&(struct sn_conv_prepare){b->s, b->w, NULL, b->bwd});
    kt_keep(t, b->fwd);
    kt_keep(t, b->bwd);
    b->x = kt_t3_values(t, ROWS, b->s.cin, b->len, i % 2);
    kt_keep(t, b->x.p);
    b->y = kt_t3(t, ROWS, b->s.cout, b->out, i % 4 == 0);
    return true;
}

/* Position that tap k of output q reads; -1: outside. */
static int64_t place(const struct batch *b, int row, int64_t q, int k) {
    int64_t p = q * b->s.stride - b->s.pad + k * b->s.dilation;
    return p < b->len[row] ? p : -1;
}

static sn_real weight(const struct batch *b, int k, int c, int f) {
    return b->w[(k * b->s.cin + c) * b->s.cout + f];
}

static void forward(struct kt *t, shape_fn shape) {
    struct batch b;
    for (int s = 0; next(t, shape, s, &b); s++) {
        t->k->conv_fwd(&(struct sn_conv_fwd){.s = b.s, .n = ROWS, .x = b.x, .w = b.fwd, .bias = b.bias, .y = b.y, .ws = b.ws});
        kt_t3_written(t, &b.y, ROWS);
        for (int i = 0; i < ROWS; i++)
            for (int64_t q = 0; q < b.out[i]; q++)
                for (int f = 0; f < b.s.cout; f++) {
                    double want = b.bias ? b.bias[f] : 0;
                    for (int k = 0; k < b.s.k; k++) {
                        int64_t p = place(&b, i, q, k);
                        for (int c = 0; c < b.s.cin && p >= 0; c++) want += (double)*kt_at(&b.x, i, p, c) * weight(&b, k, c, f);
                    }
                    kt_check(t, *kt_at(&b.y, i, q, f), want);
                }
    }
}

/* What may follow in the same slot: relu, and another tensor added. */
static void followed(struct kt *t, shape_fn shape) {
    struct batch b;
    for (int s = 0; next(t, shape, s, &b); s++) {
        struct sn_conv_fwd a = {.s = b.s, .n = ROWS, .x = b.x, .w = b.fwd, .bias = b.bias, .y = b.y, .ws = b.ws};
        struct sn_t3 behind = kt_t3_values(t, ROWS, b.s.cout, b.out, s % 2), y = kt_t3(t, ROWS, b.s.cout, b.out, s % 4 == 0);
        kt_keep(t, behind.p);
        t->k->conv_fwd(&a);
        t->k->unary_fwd(&(struct sn_unary_fwd){SN_RELU, ROWS, b.y, b.y});
        if (s % 3) t->k->add(&(struct sn_add){.n = ROWS, .count = 2, .x = {behind, b.y}, .y = b.y});
        a.y = y, a.relu = 1;
        if (s % 3) a.behind = behind;
        t->k->conv_fwd(&a);
        kt_t3_written(t, &y, ROWS);
        for (int i = 0; i < ROWS; i++)
            for (int64_t q = 0; q < b.out[i]; q++)
                kt_same(t, kt_at(&b.y, i, q, 0), kt_at(&y, i, q, 0), (size_t)b.s.cout * sizeof(sn_real), "relu and add in the slot");
    }
}

/* A row alone, of its own or of a shorter length, has the bits it has in the batch. */
static void bits(struct kt *t, shape_fn shape) {
    struct batch b;
    for (int s = 0; next(t, shape, s, &b); s++) {
        t->k->conv_fwd(&(struct sn_conv_fwd){.s = b.s, .n = ROWS, .x = b.x, .w = b.fwd, .bias = b.bias, .y = b.y, .ws = b.ws});
        kt_t3_written(t, &b.y, ROWS);
        for (int i = 0; i < ROWS; i++) {
            int32_t *len = kt_bytes(t, 2 * sizeof *len);
            len[0] = b.len[i];
            len[1] = b.out[i];
            for (int cut = 0; cut < 2 && len[1] > 0 && t->stable; cut++) {
                if (cut && b.s.pad == 0 && len[1] > 1 && b.s.direct) { /* one output less: the others' windows still lie inside */
                    len[1]--;
                    len[0] = (len[1] - 1) * b.s.stride + (b.s.k - 1) * b.s.dilation + 1;
                }
                struct sn_t3 x = b.x, y = kt_t3(t, 1, b.s.cout, len + 1, false);
                x.p += i * b.x.row;
                x.len = len;
                t->k->conv_fwd(&(struct sn_conv_fwd){.s = b.s, .n = 1, .x = x, .w = b.fwd, .bias = b.bias, .y = y, .ws = b.ws});
                for (int64_t q = 0; q < len[1]; q++)
                    kt_same(t, kt_at(&b.y, i, q, 0), kt_at(&y, 0, q, 0), (size_t)b.s.cout * sizeof(sn_real), "row alone");
            }
        }
    }
}

static void data_gradient(struct kt *t, shape_fn shape) {
    struct batch b;
    for (int s = 0; next(t, shape, s, &b); s++) {
        struct sn_t3 dy = kt_t3_values(t, ROWS, b.s.cout, b.out, s % 3 == 0), dx = kt_t3(t, ROWS, b.s.cin, b.len, s % 2);
        kt_keep(t, dy.p);
        t->k->conv_bwd_data(&(struct sn_conv_bwd_data){b.s, ROWS, dy, b.bwd, dx, b.ws});
        kt_t3_written(t, &dx, ROWS);
        for (int i = 0; i < ROWS; i++)
            for (int64_t p = 0; p < b.len[i]; p++)
                for (int c = 0; c < b.s.cin; c++) {
                    double want = 0;
                    for (int k = 0; k < b.s.k; k++) {
                        int64_t q = p + b.s.pad - k * b.s.dilation;
                        if (q < 0 || q % b.s.stride || q / b.s.stride >= b.out[i]) continue;
                        for (int f = 0; f < b.s.cout; f++) want += (double)*kt_at(&dy, i, q / b.s.stride, f) * weight(&b, k, c, f);
                    }
                    kt_check(t, *kt_at(&dx, i, p, c), want);
                }
    }
}

static void filter_gradient(struct kt *t, shape_fn shape) {
    struct batch b;
    for (int s = 0; next(t, shape, s, &b); s++) {
        struct sn_t3 dy = kt_t3_values(t, ROWS, b.s.cout, b.out, s % 3 == 0);
        int runs = sn_conv_filter_runs(&b.s), all = b.s.k * b.s.cin / runs, o0 = s % 2 ? all / 3 : 0, o1 = s % 3 ? all : all - all / 4;
        size_t n = (size_t)runs * (size_t)(o1 - o0) * (size_t)b.s.cout;
        sn_real *dw = kt_values(t, n), *old = kt_reals(t, n);
        memcpy(old, dw, n * sizeof *dw);
        kt_keep(t, dy.p);
        t->k->conv_bwd_filter(&(struct sn_conv_bwd_filter){b.s, ROWS, o0, o1, b.x, dy, dw, b.ws});
        for (size_t e = 0; e < n; e++) {
            const int f = (int)(e % (size_t)b.s.cout), at = (int)(e / (size_t)b.s.cout), o = at / (o1 - o0) * all + o0 + at % (o1 - o0);
            double want = old[e];
            for (int i = 0; i < ROWS; i++)
                for (int64_t q = 0; q < b.out[i]; q++) {
                    int64_t p = place(&b, i, q, o / b.s.cin);
                    if (p >= 0) want += (double)*kt_at(&b.x, i, p, o % b.s.cin) * *kt_at(&dy, i, q, f);
                }
            kt_check(t, dw[e], want);
        }
    }
}

static void plain_forward(struct kt *t) {
    forward(t, plain_shape);
}
static void plain_bits(struct kt *t) {
    bits(t, plain_shape);
}
static void plain_followed(struct kt *t) {
    followed(t, plain_shape);
}
static void plain_data(struct kt *t) {
    data_gradient(t, plain_shape);
}
static void plain_filter(struct kt *t) {
    filter_gradient(t, plain_shape);
}
static void toom_forward(struct kt *t) {
    forward(t, toom_shape);
}
static void toom_bits(struct kt *t) {
    bits(t, toom_shape);
}
static void toom_followed(struct kt *t) {
    followed(t, toom_shape);
}
static void toom_data(struct kt *t) {
    data_gradient(t, toom_shape);
}
static void toom_filter(struct kt *t) {
    filter_gradient(t, toom_shape);
}

/* A gradient by blocks of channels has the bits of the whole. */
static void toom_blocks(struct kt *t) {
    struct batch b;
    for (int s = 0; next(t, toom_shape, s, &b); s++) {
        struct sn_t3 dy = kt_t3_values(t, ROWS, b.s.cout, b.out, false);
        const int ch = b.s.cin, mid = ch / 3;
        const size_t row = (size_t)b.s.cout * sizeof(sn_real), n = (size_t)(b.s.k * ch * b.s.cout);
        sn_real *whole = kt_reals(t, n), *part = kt_reals(t, n);
        memset(whole, 0, n * sizeof *whole);
        t->k->conv_bwd_filter(&(struct sn_conv_bwd_filter){b.s, ROWS, 0, ch, b.x, dy, whole, b.ws});
        for (int o0 = 0, o1 = mid; o0 < ch && t->stable; o0 = o1, o1 = ch) {
            memset(part, 0, n * sizeof *part);
            t->k->conv_bwd_filter(&(struct sn_conv_bwd_filter){b.s, ROWS, o0, o1, b.x, dy, part, b.ws});
            for (int k = 0; k < b.s.k; k++)
                kt_same(t, whole + (k * ch + o0) * b.s.cout, part + k * (o1 - o0) * b.s.cout, (size_t)(o1 - o0) * row, "block of channels");
        }
        for (size_t e = 0; e < n; e++) kt_check(t, whole[e], (double)whole[e]);
    }
}

/* 300 channels, 12 taps, about normal values: errors against the largest output. */
static void toom_accuracy(struct kt *t) {
    struct sn_conv s = {12, 300, 16, 1, 0, 1, 0};
    enum { LEN = 107, OUT = 96 };
    kt_begin(t, "accuracy");
    int32_t *len = kt_bytes(t, sizeof *len), *out = kt_bytes(t, sizeof *out);
    *len = LEN, *out = OUT;
    struct sn_t3 x = kt_t3_values(t, 1, s.cin, len, false), y = kt_t3(t, 1, s.cout, out, false);
    const int64_t n = (int64_t)s.k * s.cin * s.cout;
    sn_real *w = kt_values(t, (size_t)n);
    for (int more = 0; more < 3; more++) { /* sums of four */
        for (int64_t e = 0; e < (int64_t)LEN * s.cin; e++) x.p[e] += kt_value(t);
        for (int64_t e = 0; e < n; e++) w[e] += kt_value(t);
    }
    void *fwd = kt_bytes(t, t->k->conv_fwd_bytes(&s)), *ws = kt_bytes(t, t->k->conv_ws(&s, LEN));
    t->k->conv_prepare(&(struct sn_conv_prepare){s, w, fwd, NULL});
    t->k->conv_fwd(&(struct sn_conv_fwd){.s = s, .n = 1, .x = x, .w = fwd, .y = y, .ws = ws});
    double worst = 0, largest = 0;
    for (int64_t q = 0; q < OUT; q++)
        for (int f = 0; f < s.cout; f++) {
            double want = 0;
            for (int64_t e = 0; e < (int64_t)s.k * s.cin; e++) want += (double)x.p[q * s.cin + e] * w[e * s.cout + f];
            worst = fmax(worst, fabs(*kt_at(&y, 0, q, f) - want)), largest = fmax(largest, fabs(want));
            kt_check(t, *kt_at(&y, 0, q, f) / 1000, want / 1000);
        }
    if (!(worst <= 3e-6 * largest)) kt_fail(t, "error %.2g of the largest output", worst / largest);
}

/* Outputs of Toom-Cook are differences of larger numbers: their errors go with the largest output. */
const struct kt_case SN_SYM(kt_cases_conv)[] = {
    {"conv_fwd", 1e-5, plain_forward},
    {"conv_fwd, bits", 1e-5, plain_bits},
    {"conv_fwd, relu and add", 1e-5, plain_followed},
    {"conv_bwd_data", 2e-5, plain_data},
    {"conv_bwd_filter", 1e-4, plain_filter},
    {"conv_fwd, Toom-Cook", 1e-4, toom_forward},
    {"conv_fwd, Toom-Cook, bits", 1e-4, toom_bits},
    {"conv_fwd, Toom-Cook, relu and add", 1e-4, toom_followed},
    {"conv_fwd, Toom-Cook, accuracy", 1e-4, toom_accuracy},
    {"conv_bwd_data, Toom-Cook", 2e-4, toom_data},
    {"conv_bwd_filter, Toom-Cook", 5e-4, toom_filter},
    {"conv_bwd_filter, Toom-Cook, blocks", 5e-4, toom_blocks},
    {NULL, 0, NULL},
};
