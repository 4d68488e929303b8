#include "harness.h"

#define ROWS 5

/* Shapes: plain, overlapping, gaps, padded, longer than rows, and size 0, the whole row. */
static const struct sn_pool_shape shapes[] = {{2, 2, 0},   {3, 1, 0},  {3, 1, 1}, {4, 2, 1},    {2, 5, 0},
                                              {13, 13, 0}, {16, 8, 7}, {1, 1, 0}, {50, 50, 25}, {0, 1, 0}};

struct batch {
    struct sn_pool_shape s;
    int ch;
    bool wide;
    int32_t *len, *pooled;
};

static bool next(struct kt *t, int i, struct batch *b) {
    int longest;
    enum { N_SHAPES = sizeof shapes / sizeof *shapes };
    if (!kt_shape(i / 2, &b->ch, &longest, &b->wide)) return false;
    b->s = shapes[(i + i / N_SHAPES) % N_SHAPES];
    kt_begin(t, "size %d stride %d pad %d, ch %d len %d wide %d", b->s.size, b->s.stride, b->s.pad, b->ch, longest, b->wide);
    b->len = kt_lens(t, ROWS, longest);
    b->pooled = kt_bytes(t, ROWS * sizeof *b->pooled);
    for (int r = 0; r < ROWS; r++) {
        int n = b->len[r] + 2 * b->s.pad - b->s.size;
        b->pooled[r] = b->s.size == 0 ? 1 : b->len[r] == 0 || n < 0 ? 0 : n / b->s.stride + 1;
        while (b->s.size && b->pooled[r] > 0 && (b->pooled[r] - 1) * b->s.stride - b->s.pad >= b->len[r]) b->pooled[r]--;
    }
    return true;
}

/* Cells of window q of a row. */
static void cells(const struct batch *b, int64_t q, int len, int *lo, int *hi) {
    *lo = b->s.size ? (int)q * b->s.stride - b->s.pad : 0;
    *hi = b->s.size ? *lo + b->s.size : len;
    if (*lo < 0) *lo = 0;
    if (*hi > len) *hi = len;
}

static int argmax(const struct sn_t3 *x, int row, int lo, int hi, int c) {
    int best = lo;
    for (int p = lo; p < hi; p++)
        if (*kt_at(x, row, p, c) > *kt_at(x, row, best, c)) best = p;
    return best;
}

/* Coarse values, so that ties are common. */
static struct sn_t3 coarse(struct kt *t, int ch, const int32_t *len, bool wide) {
    struct sn_t3 x = kt_t3_values(t, ROWS, ch, len, wide);
    for (int i = 0; i < ROWS; i++)
        for (int64_t q = 0; q < len[i]; q++)
            for (int c = 0; c < ch; c++) *kt_at(&x, i, q, c) = (sn_real)(kt_below(t, 7) - 3);
    return x;
}

static void forward(struct kt *t, bool max) {
    struct batch b;
    for (int s = 0; next(t, s, &b); s++) {
        struct sn_t3 x = max ? coarse(t, b.ch, b.len, b.wide) : kt_t3_values(t, ROWS, b.ch, b.len, b.wide);
        struct sn_t3 y = kt_t3(t, ROWS, b.ch, b.pooled, s % 3 == 0);
        kt_keep(t, x.p);
        const struct sn_pool_fwd a = {b.s, ROWS, x, y};
        if (max)
            t->k->max_pool_fwd(&a);
        else
            t->k->avg_pool_fwd(&a);
        kt_t3_written(t, &y, ROWS);
        for (int i = 0; i < ROWS; i++)
            for (int64_t q = 0; q < b.pooled[i]; q++)
                for (int c = 0; c < b.ch; c++) {
                    int lo, hi;
                    cells(&b, q, b.len[i], &lo, &hi);
                    double sum = 0;
                    for (int p = lo; p < hi; p++) sum += *kt_at(&x, i, p, c);
                    double want = lo >= hi ? 0 : max ? *kt_at(&x, i, argmax(&x, i, lo, hi, c), c) : sum / (hi - lo);
                    kt_check(t, *kt_at(&y, i, q, c), want);
                }
    }
}

static void backward(struct kt *t, bool max) {
    struct batch b;
    for (int s = 0; next(t, s, &b); s++) {
        struct sn_t3 x = coarse(t, b.ch, b.len, b.wide), dy = kt_t3_values(t, ROWS, b.ch, b.pooled, s % 3 == 0);
        struct sn_t3 dx = kt_t3(t, ROWS, b.ch, b.len, s % 5 == 0);
        kt_keep(t, x.p);
        kt_keep(t, dy.p);
        struct sn_pool_bwd a = {b.s, ROWS, x, dy, dx};
        if (!max) a.x = (struct sn_t3){0};
        if (max)
            t->k->max_pool_bwd(&a);
        else
            t->k->avg_pool_bwd(&a);
        kt_t3_written(t, &dx, ROWS);
        for (int i = 0; i < ROWS; i++)
            for (int c = 0; c < b.ch; c++) {
                double want[64] = {0};
                for (int64_t q = 0; q < b.pooled[i]; q++) {
                    int lo, hi;
                    cells(&b, q, b.len[i], &lo, &hi);
                    if (max && lo < hi) want[argmax(&x, i, lo, hi, c)] += *kt_at(&dy, i, q, c);
                    for (int p = lo; p < hi && !max; p++) want[p] += *kt_at(&dy, i, q, c) / (double)(hi - lo);
                }
                for (int p = 0; p < b.len[i]; p++) kt_check(t, *kt_at(&dx, i, p, c), want[p]);
            }
    }
}

static void max_forward(struct kt *t) {
    forward(t, true);
}
static void max_backward(struct kt *t) {
    backward(t, true);
}
static void avg_forward(struct kt *t) {
    forward(t, false);
}
static void avg_backward(struct kt *t) {
    backward(t, false);
}

static void max_attribute(struct kt *t) {
    static const int32_t row_x[] = {0, 1, 1, 4, 2}, row_ref[] = {1, 0, 2, 4, 3};
    struct batch b;
    for (int s = 0; next(t, s, &b); s++) {
        int32_t *len = kt_bytes(t, ROWS * sizeof *len), *pooled = kt_bytes(t, ROWS * sizeof *pooled);
        for (int i = 0; i < ROWS; i++) {
            len[i] = b.len[0];
            pooled[i] = b.pooled[0];
        }
        struct sn_t3 x = coarse(t, b.ch, len, b.wide), my = kt_t3_values(t, ROWS, b.ch, pooled, s % 3 == 0);
        struct sn_t3 mx = kt_t3(t, ROWS, b.ch, len, s % 5 == 0);
        kt_keep(t, x.p);
        kt_keep(t, my.p);
        t->k->max_pool_attr(&(struct sn_max_pool_attr){b.s, {ROWS, row_x, row_ref}, x, my, mx});
        kt_t3_written(t, &mx, ROWS);
        for (int p = 0; p < ROWS; p++)
            for (int c = 0; c < b.ch; c++) {
                double want[64] = {0};
                int r = row_x[p], r0 = row_ref[p];
                for (int64_t q = 0; q < pooled[p]; q++) {
                    int lo, hi;
                    cells(&b, q, len[p], &lo, &hi);
                    if (lo >= hi) continue;
                    int i = argmax(&x, r, lo, hi, c), j = argmax(&x, r0, lo, hi, c);
                    double y = *kt_at(&x, r, i, c), y0 = *kt_at(&x, r0, j, c);
                    int k = y >= y0 ? i : j;
                    double d = (double)*kt_at(&x, r, k, c) - *kt_at(&x, r0, k, c);
                    want[k] += *kt_at(&my, p, q, c) * (d == 0 ? 1 : (y - y0) / d);
                }
                for (int q = 0; q < len[p]; q++) kt_check(t, *kt_at(&mx, p, q, c), want[q]);
            }
    }
}

/* Long rows under global pooling: the sum goes in blocks. */
static void global_long(struct kt *t) {
    enum { LEN = 1000, CH = 3 };
    kt_begin(t, "global, 1000 positions");
    int32_t *len = kt_bytes(t, sizeof *len), *one = kt_ones(t, 1);
    len[0] = LEN;
    struct sn_t3 x = kt_t3_values(t, 1, CH, len, false), y = kt_t3(t, 1, CH, one, false);
    t->k->avg_pool_fwd(&(struct sn_pool_fwd){{0, 1, 0}, 1, x, y});
    for (int c = 0; c < CH; c++) {
        double sum = 0;
        for (int q = 0; q < LEN; q++) sum += *kt_at(&x, 0, q, c);
        kt_check(t, y.p[c], sum / LEN);
    }
}

const struct kt_case SN_SYM(kt_cases_pool)[] = {
    {"max_pool_fwd", 0, max_forward},
    {"max_pool_bwd", 1e-6, max_backward},
    {"max_pool_attr", 1e-6, max_attribute},
    {"avg_pool_fwd", 1e-6, avg_forward},
    {"avg_pool_bwd", 1e-6, avg_backward},
    {"avg_pool_fwd, global", 1e-6, global_long},
    {NULL, 0, NULL},
};
