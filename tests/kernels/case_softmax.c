#include "harness.h"
#include "oracle.h"

static double largest(const sn_real *x, int n) {
    double m = x[0];
    for (int c = 1; c < n; c++) m = fmax(m, x[c]);
    return m;
}

/* p = softmax(x) of n channels. */
static void plain_softmax(const sn_real *x, int n, double *p) {
    double m = largest(x, n), sum = 0;
    for (int c = 0; c < n; c++) sum += exp(x[c] - m);
    for (int c = 0; c < n; c++) p[c] = exp(x[c] - m) / sum;
}

#define MAX_CH 130

static void forward(struct kt *t) {
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++) {
        kt_begin(t, "ch %d len %d wide %d", ch, longest, wide);
        const int32_t *len = kt_lens(t, KT_ROWS, longest);
        struct sn_t3 x = kt_t3_values(t, KT_ROWS, ch, len, wide), y = kt_t3(t, KT_ROWS, ch, len, s % 3 == 0);
        if (longest) *kt_at(&x, 0, 0, 0) = 300; /* no overflow */
        kt_keep(t, x.p);
        t->k->softmax_fwd(&(struct sn_softmax_fwd){KT_ROWS, x, y});
        kt_t3_written(t, &y, KT_ROWS);
        for (int i = 0; i < KT_ROWS; i++)
            for (int64_t q = 0; q < len[i]; q++) {
                double p[MAX_CH];
                plain_softmax(kt_at(&x, i, q, 0), ch, p);
                for (int c = 0; c < ch; c++) kt_check(t, *kt_at(&y, i, q, c), p[c]);
            }
    }
}

static void backward(struct kt *t) {
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++) {
        kt_begin(t, "ch %d len %d wide %d", ch, longest, wide);
        const int32_t *len = kt_lens(t, KT_ROWS, longest);
        struct sn_t3 y = kt_t3_values(t, KT_ROWS, ch, len, wide), dy = kt_t3_values(t, KT_ROWS, ch, len, s % 3 == 0);
        struct sn_t3 dx = kt_t3(t, KT_ROWS, ch, len, s % 5 == 0);
        kt_keep(t, y.p);
        kt_keep(t, dy.p);
        t->k->softmax_bwd(&(struct sn_softmax_bwd){KT_ROWS, y, dy, dx});
        kt_t3_written(t, &dx, KT_ROWS);
        for (int i = 0; i < KT_ROWS; i++)
            for (int64_t q = 0; q < len[i]; q++) {
                double dot = 0;
                for (int c = 0; c < ch; c++) dot += (double)*kt_at(&y, i, q, c) * *kt_at(&dy, i, q, c);
                for (int c = 0; c < ch; c++) kt_check(t, *kt_at(&dx, i, q, c), *kt_at(&y, i, q, c) * (*kt_at(&dy, i, q, c) - dot));
            }
    }
}

/* The sum over a position by definition: 16 lanes, each a chain of FMAs, then the tree +8, +4, +2, +1. */
static sn_real defined_dot(const sn_real *x, const sn_real *y, int n) {
    sn_real lane[SN_LANES] = {0};
    for (int c = 0; c < n; c++) lane[c % SN_LANES] = (sn_real)fmaf((float)x[c], (float)y[c], (float)lane[c % SN_LANES]);
    for (int half = SN_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}

static void backward_bits(struct kt *t) {
    bool vector = sizeof(sn_real) == sizeof(float) && strcmp(t->k->isa, "ref") != 0;
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++) {
        kt_begin(t, "ch %d len %d", ch, longest);
        const int32_t *len = kt_lens(t, 1, longest);
        struct sn_t3 y = kt_t3_values(t, 1, ch, len, wide), dy = kt_t3_values(t, 1, ch, len, wide), dx = kt_t3(t, 1, ch, len, wide);
        for (int64_t q = 0; q < longest; q++)
            for (int c = 0; c < ch; c++) *kt_at(&y, 0, q, c) /= 3; /* so that sums round */
        t->k->softmax_bwd(&(struct sn_softmax_bwd){1, y, dy, dx});
        kt_t3_written(t, &dx, 1);
        for (int64_t q = 0; q < longest && vector; q++) {
            sn_real dot = defined_dot(kt_at(&y, 0, q, 0), kt_at(&dy, 0, q, 0), ch);
            for (int c = 0; c < ch; c++) {
                sn_real want = *kt_at(&y, 0, q, c) * (*kt_at(&dy, 0, q, c) - dot);
                kt_same(t, kt_at(&dx, 0, q, c), &want, sizeof want, "bits of the definition");
            }
        }
    }
}

static double rho_exp(double a, double b) {
    return a == b ? exp(b) : exp(b) * expm1(a - b) / (a - b);
}

/* Multipliers by the textbook's steps: e, r = sum e, q = 1/r, p = e q with the maximum of both rows taken out. */
static void plain_attr(const sn_real *x, const sn_real *x0, const sn_real *my, int n, double *mx) {
    double top = fmax(largest(x, n), largest(x0, n)), r = 0, r0 = 0, mq = 0;
    for (int c = 0; c < n; c++) {
        r += exp(x[c] - top);
        r0 += exp(x0[c] - top);
        mq += my[c] * (exp(x[c] - top) + exp(x0[c] - top)) / 2;
    }
    double mr = -mq / (r * r0), q = (1 / r + 1 / r0) / 2;
    for (int c = 0; c < n; c++) mx[c] = (my[c] * q + mr) * rho_exp(x[c] - top, x0[c] - top);
}

static void attribute(struct kt *t) {
    static const int32_t row_x[] = {0, 3, 3, 4, 0}, row_ref[] = {3, 0, 4, 4, 0};
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++) {
        kt_begin(t, "ch %d len %d wide %d", ch, longest, wide);
        int32_t *len = kt_bytes(t, KT_ROWS * sizeof *len);
        for (int i = 0; i < KT_ROWS; i++) len[i] = longest;
        struct sn_t3 x = kt_t3_values(t, KT_ROWS, ch, len, wide), my = kt_t3_values(t, KT_ROWS, ch, len, false);
        struct sn_t3 mx = kt_t3(t, KT_ROWS, ch, len, wide);
        kt_keep(t, x.p);
        kt_keep(t, my.p);
        t->k->softmax_attr(&(struct sn_softmax_attr){{KT_ROWS, row_x, row_ref}, x, my, mx});
        kt_t3_written(t, &mx, KT_ROWS);
        for (int p = 0; p < KT_ROWS; p++)
            for (int64_t q = 0; q < longest; q++) {
                double want[MAX_CH];
                plain_attr(kt_at(&x, row_x[p], q, 0), kt_at(&x, row_ref[p], q, 0), kt_at(&my, p, q, 0), ch, want);
                for (int c = 0; c < ch; c++) kt_check(t, *kt_at(&mx, p, q, c), want[c]);
            }
    }
}

/* Rows 60 apart: the plain steps would lose everything in float; the sum of contributions is still the change of the output. */
static void far_apart(struct kt *t) {
    static const int32_t row_x[] = {0}, row_ref[] = {1};
    enum { CH = 5 };
    kt_begin(t, "far apart");
    int32_t *len = kt_ones(t, 2);
    struct sn_t3 x = kt_t3_values(t, 2, CH, len, false), my = kt_t3_values(t, 1, CH, len, false), mx = kt_t3(t, 1, CH, len, false);
    for (int c = 0; c < CH; c++) *kt_at(&x, 1, 0, c) += 60;
    t->k->softmax_attr(&(struct sn_softmax_attr){{1, row_x, row_ref}, x, my, mx});
    double p[CH], p0[CH], want = 0, got = 0, size = 0;
    plain_softmax(kt_at(&x, 0, 0, 0), CH, p);
    plain_softmax(kt_at(&x, 1, 0, 0), CH, p0);
    for (int c = 0; c < CH; c++) {
        double part = mx.p[c] * ((double)*kt_at(&x, 0, 0, c) - *kt_at(&x, 1, 0, c));
        want += my.p[c] * (p[c] - p0[c]);
        got += part;
        size += fabs(part);
        kt_check(t, (sn_real)isfinite(mx.p[c]), 1);
    }
    if (fabs(got - want) > 1e-5 * size) kt_fail(t, "contributions sum to %.9g, output changes by %.9g", got, want);
}

const struct kt_case SN_SYM(kt_cases_softmax)[] = {
    {"softmax_fwd", 5e-7, forward},
    {"softmax_bwd", 2e-5, backward},
    {"softmax_bwd, bits", 2e-5, backward_bits},
    {"softmax_attr", 5e-6, attribute},
    {"softmax_attr, far apart", 1e-6, far_apart},
    {NULL, 0, NULL},
};
