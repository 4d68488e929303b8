#include "harness.h"
#include "oracle.h"

static const enum sn_unary kinds[] = {SN_RELU, SN_SIGMOID, SN_TANH};

static void unary_fwd(struct kt *t) {
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++)
        for (int kind = 0; kind < 3; kind++) {
            kt_begin(t, "kind %d ch %d len %d wide %d", kind, ch, longest, wide);
            const int32_t *len = kt_lens(t, KT_ROWS, longest);
            struct sn_t3 x = kt_t3_values(t, KT_ROWS, ch, len, wide), y = kt_t3(t, KT_ROWS, ch, len, s % 3 == 0);
            kt_keep(t, x.p);
            t->k->unary_fwd(&(struct sn_unary_fwd){kinds[kind], KT_ROWS, x, y});
            kt_t3_written(t, &y, KT_ROWS);
            for (int i = 0; i < KT_ROWS; i++)
                for (int64_t q = 0; q < len[i]; q++)
                    for (int c = 0; c < ch; c++) kt_check(t, *kt_at(&y, i, q, c), or_unary(kinds[kind], *kt_at(&x, i, q, c)));
            struct sn_t3 z = kt_t3(t, KT_ROWS, ch, len, wide); /* in place */
            memcpy(z.p, x.p, (size_t)(KT_ROWS * x.row) * sizeof *x.p);
            t->k->unary_fwd(&(struct sn_unary_fwd){kinds[kind], KT_ROWS, z, z});
            for (int i = 0; i < KT_ROWS; i++)
                for (int64_t q = 0; q < len[i]; q++)
                    kt_same(t, kt_at(&z, i, q, 0), kt_at(&y, i, q, 0), (size_t)ch * sizeof(sn_real), "in place");
            kt_t3_written(t, &z, KT_ROWS);
        }
}

/* The whole range of arguments, NaN and Inf included. */
static void unary_range(struct kt *t) {
    enum { N = 2048 };
    static const double ends[] = {INFINITY, -INFINITY, NAN, 0, -0.0, 1e-30, -1e-30, 88, -88, 104, -104, 1e30, -1e30};
    for (int kind = 0; kind < 3; kind++) {
        kt_begin(t, "kind %d, range", kind);
        int32_t *len = kt_ones(t, 1);
        struct sn_t3 x = kt_t3(t, 1, N, len, false), y = kt_t3(t, 1, N, len, false);
        for (int c = 0; c < N; c++) x.p[c] = (sn_real)((c - N / 2) / 16.0);
        for (size_t e = 0; e < sizeof ends / sizeof *ends; e++) x.p[e] = (sn_real)(float)ends[e];
        kt_keep(t, x.p);
        t->k->unary_fwd(&(struct sn_unary_fwd){kinds[kind], 1, x, y});
        for (int c = 0; c < N; c++) kt_check(t, y.p[c], or_unary(kinds[kind], x.p[c]));
    }
}

static void unary_bwd(struct kt *t) {
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++)
        for (int kind = 0; kind < 3; kind++) {
            kt_begin(t, "kind %d ch %d len %d wide %d", kind, ch, longest, wide);
            const int32_t *len = kt_lens(t, KT_ROWS, longest);
            struct sn_t3 y = kt_t3_values(t, KT_ROWS, ch, len, wide), dy = kt_t3_values(t, KT_ROWS, ch, len, s % 3 == 0);
            struct sn_t3 dx = kt_t3(t, KT_ROWS, ch, len, s % 5 == 0);
            t->k->unary_bwd(&(struct sn_unary_bwd){kinds[kind], KT_ROWS, y, dy, dx});
            kt_t3_written(t, &dx, KT_ROWS);
            for (int i = 0; i < KT_ROWS; i++)
                for (int64_t q = 0; q < len[i]; q++)
                    for (int c = 0; c < ch; c++) {
                        double v = *kt_at(&y, i, q, c), f = kind == 0 ? v > 0 : kind == 1 ? v * (1 - v) : 1 - v * v;
                        kt_check(t, *kt_at(&dx, i, q, c), *kt_at(&dy, i, q, c) * f);
                    }
            struct sn_t3 place = s % 2 ? y : dy; /* in place of either */
            t->k->unary_bwd(&(struct sn_unary_bwd){kinds[kind], KT_ROWS, y, dy, place});
            for (int i = 0; i < KT_ROWS; i++)
                for (int64_t q = 0; q < len[i]; q++)
                    kt_same(t, kt_at(&place, i, q, 0), kt_at(&dx, i, q, 0), (size_t)ch * sizeof(sn_real), "in place");
        }
}

static void unary_attr(struct kt *t) {
    static const int32_t row_x[] = {0, 3, 3, 4, 0}, row_ref[] = {3, 0, 4, 4, 0};
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++)
        for (int kind = 0; kind < 3; kind++) {
            kt_begin(t, "kind %d ch %d len %d wide %d", kind, ch, longest, wide);
            int32_t *len = kt_bytes(t, KT_ROWS * sizeof *len);
            for (int i = 0; i < KT_ROWS; i++) len[i] = longest;
            struct sn_t3 x = kt_t3_values(t, KT_ROWS, ch, len, wide), my = kt_t3_values(t, KT_ROWS, ch, len, false);
            struct sn_t3 mx = kt_t3(t, KT_ROWS, ch, len, wide);
            kt_keep(t, x.p);
            kt_keep(t, my.p);
            t->k->unary_attr(&(struct sn_unary_attr){kinds[kind], {KT_ROWS, row_x, row_ref}, x, my, mx});
            kt_t3_written(t, &mx, KT_ROWS);
            for (int p = 0; p < KT_ROWS; p++)
                for (int64_t q = 0; q < longest; q++)
                    for (int c = 0; c < ch; c++)
                        kt_check(t, *kt_at(&mx, p, q, c),
                                 *kt_at(&my, p, q, c) * or_rho(kinds[kind], *kt_at(&x, row_x[p], q, c), *kt_at(&x, row_ref[p], q, c)));
        }
}

/* Published quotients (1e-6), and pairs far, near, nearly equal and equal in one row. */
static void rho(struct kt *t) {
    static const struct {
        enum sn_unary kind;
        double a, b, rho;
    } golden[] = {{SN_RELU, 1.3, -.4, .764705882},
                  {SN_SIGMOID, 1.3, -.4, .22618979},
                  {SN_TANH, 1.3, -.4, .730395366},
                  {SN_RELU, -2, .7, .259259259},
                  {SN_SIGMOID, -2, .7, .203327722},
                  {SN_TANH, -2, .7, .580887169},
                  {SN_SIGMOID, .5, .5, .235003712},
                  {SN_TANH, .5, .5, .786447733},
                  {SN_RELU, .5, .5, 1},
                  {SN_RELU, -1, -1, 0},
                  {SN_RELU, -3, -1, 0},
                  {SN_RELU, 3, 1, 1}};
    kt_begin(t, "rho");
    const int32_t row[] = {0}, ref[] = {1};
    int32_t *len = kt_bytes(t, 2 * sizeof *len);
    len[0] = len[1] = 1;
    enum { N = 400 };
    for (size_t g = 0; g < sizeof golden / sizeof *golden; g++) {
        struct sn_t3 x = kt_t3(t, 2, 1, len, false), my = kt_t3(t, 1, 1, len, false), mx = kt_t3(t, 1, 1, len, false);
        *kt_at(&x, 0, 0, 0) = (sn_real)golden[g].a;
        *kt_at(&x, 1, 0, 0) = (sn_real)golden[g].b;
        *my.p = 1;
        t->k->unary_attr(&(struct sn_unary_attr){golden[g].kind, {1, row, ref}, x, my, mx});
        kt_check(t, (sn_real)(float)*mx.p, (double)(float)*mx.p);
        if (fabs((double)*mx.p - golden[g].rho) > 1e-6) kt_fail(t, "rho %zu is %.9g, published %.9g", g, (double)*mx.p, golden[g].rho);
    }
    kt_begin(t, "rho, distances");
    len = kt_bytes(t, 2 * sizeof *len);
    len[0] = len[1] = 1;
    for (int kind = 0; kind < 3; kind++) {
        struct sn_t3 x = kt_t3(t, 2, N, len, false), my = kt_t3(t, 1, N, len, false), mx = kt_t3(t, 1, N, len, false);
        for (int c = 0; c < N; c++) {
            float a = (float)(c - N / 2) / 8, d = ldexpf(1, -(c * 7 % 30));
            *kt_at(&x, 0, 0, c) = c % 10 == 0 ? a : a + d;
            *kt_at(&x, 1, 0, c) = a;
            my.p[c] = 1;
        }
        t->k->unary_attr(&(struct sn_unary_attr){kinds[kind], {1, row, ref}, x, my, mx});
        for (int c = 0; c < N; c++) {
            double want = or_rho(kinds[kind], *kt_at(&x, 0, 0, c), *kt_at(&x, 1, 0, c)), got = (double)mx.p[c];
            kt_check(t, mx.p[c], want);
            /* relative too: saturated units keep their digits */
            if (want > 1e-30 && fabs(got - want) > (sizeof(sn_real) == 4 ? 2e-6 : 1e-11) * want)
                kt_fail(t, "rho of kind %d, cell %d", kind, c);
        }
    }
}

static void add(struct kt *t) {
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++) {
        int count = 1 + s % 8;
        kt_begin(t, "count %d ch %d len %d wide %d", count, ch, longest, wide);
        const int32_t *len = kt_lens(t, KT_ROWS, longest);
        struct sn_add a = {.n = KT_ROWS, .count = count};
        for (int k = 0; k < count; k++) {
            a.x[k] = kt_t3_values(t, KT_ROWS, ch, len, (k + s) % 3 == 0);
            kt_keep(t, a.x[k].p);
        }
        a.y = kt_t3(t, KT_ROWS, ch, len, wide);
        t->k->add(&a);
        kt_t3_written(t, &a.y, KT_ROWS);
        for (int i = 0; i < KT_ROWS; i++)
            for (int64_t q = 0; q < len[i]; q++)
                for (int c = 0; c < ch; c++) {
                    double want = 0;
                    for (int k = 0; k < count; k++) want += *kt_at(&a.x[k], i, q, c);
                    kt_check(t, *kt_at(&a.y, i, q, c), want);
                }
    }
}

static void copy(struct kt *t) {
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++) {
        kt_begin(t, "ch %d len %d wide %d", ch, longest, wide);
        const int32_t *len = kt_lens(t, KT_ROWS, longest);
        struct sn_t3 x = kt_t3_values(t, KT_ROWS, ch, len, wide), y = kt_t3(t, KT_ROWS, ch, len, s % 3 == 0);
        kt_keep(t, x.p);
        t->k->copy(&(struct sn_copy){KT_ROWS, x, y});
        kt_t3_written(t, &y, KT_ROWS);
        for (int i = 0; i < KT_ROWS; i++)
            for (int64_t q = 0; q < len[i]; q++) kt_same(t, kt_at(&x, i, q, 0), kt_at(&y, i, q, 0), (size_t)ch * sizeof(sn_real), "copy");
    }
}

static void fill_accumulate(struct kt *t) {
    static const int64_t ns[] = {0, 1, 7, 8, 15, 16, 17, 31, 32, 33, 100, 1000};
    for (size_t s = 0; s < sizeof ns / sizeof *ns; s++) {
        int64_t n = ns[s];
        kt_begin(t, "n %d", (int)n);
        sn_real *p = kt_reals(t, (size_t)n), *src = kt_values(t, (size_t)n), v = kt_value(t);
        kt_keep(t, src);
        t->k->fill(&(struct sn_fill){p, n, v});
        for (int64_t i = 0; i < n; i++) kt_check(t, p[i], v);
        t->k->accumulate(&(struct sn_accumulate){p, src, n});
        for (int64_t i = 0; i < n; i++) kt_check(t, p[i], (double)v + src[i]);
    }
}

/* Partials far apart; the tree of 8 is ((0+1)+(2+3))+((4+5)+(6+7)), and dst is added to, last. */
static void leaves(struct kt *t) {
    static const int64_t ns[] = {0, 1, 7, 8, 15, 16, 17, 33, 1023, 1024, 1025, 3000};
    static const int counts[] = {1, 2, 3, 5, 8, 16};
    for (size_t s = 0; s < 6 * sizeof ns / sizeof *ns; s++) {
        int64_t n = ns[s / 6], stride = n + 5;
        int count = counts[s % 6];
        kt_begin(t, "n %d leaves %d", (int)n, count);
        sn_real *dst = kt_values(t, (size_t)n), *part = kt_values(t, (size_t)(stride * count)), *old = kt_reals(t, (size_t)n);
        sn_real *sum = kt_reals(t, (size_t)(stride * count));
        for (int64_t i = 0; i < stride * count; i++) part[i] /= 3;
        memcpy(old, dst, (size_t)n * sizeof *dst);
        memcpy(sum, part, (size_t)(stride * count) * sizeof *part);
        t->k->leaves(&(struct sn_leaves){dst, part, n, stride, count});
        for (int64_t i = 0; i < n; i++) {
            for (int step = 1; step < count; step *= 2)
                for (int l = 0; l + step < count; l += 2 * step) sum[l * stride + i] += sum[(l + step) * stride + i];
            old[i] += sum[i];
            kt_check(t, dst[i], old[i]);
        }
        kt_same(t, dst, old, (size_t)n * sizeof *dst, "the tree");
        for (int l = 0; l < count; l++) kt_same(t, part + l * stride + n, sum + l * stride + n, 5 * sizeof *part, "between the partials");
    }
}

static void bias_grad(struct kt *t) {
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++) {
        kt_begin(t, "ch %d len %d wide %d", ch, longest, wide);
        const int32_t *len = kt_lens(t, KT_ROWS, longest);
        struct sn_t3 dy = kt_t3_values(t, KT_ROWS, ch, len, wide);
        sn_real *db = kt_values(t, (size_t)ch), *old = kt_reals(t, (size_t)ch);
        memcpy(old, db, (size_t)ch * sizeof *db);
        kt_keep(t, dy.p);
        t->k->bias_grad(&(struct sn_bias_grad){KT_ROWS, dy, db});
        for (int c = 0; c < ch; c++) {
            double want = old[c];
            for (int i = 0; i < KT_ROWS; i++)
                for (int64_t q = 0; q < len[i]; q++) want += *kt_at(&dy, i, q, c);
            kt_check(t, db[c], want);
        }
    }
}

static void encode(struct kt *t) {
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++) {
        kt_begin(t, "ch %d len %d wide %d", ch, longest, wide);
        const int32_t *len = kt_lens(t, KT_ROWS, longest);
        uint8_t *codes = kt_bytes(t, (size_t)(KT_ROWS * (longest + 2)));
        for (int i = 0; i < KT_ROWS * (longest + 2); i++) codes[i] = (uint8_t)kt_bits(t);
        sn_real *lut = kt_values(t, 256 * (size_t)ch);
        struct sn_t3 y = kt_t3(t, KT_ROWS, ch, len, wide);
        kt_keep(t, codes);
        kt_keep(t, lut);
        t->k->encode(&(struct sn_encode){KT_ROWS, codes, longest + 2, lut, y});
        kt_t3_written(t, &y, KT_ROWS);
        for (int i = 0; i < KT_ROWS; i++)
            for (int64_t q = 0; q < len[i]; q++)
                kt_same(t, kt_at(&y, i, q, 0), lut + codes[i * (longest + 2) + q] * ch, (size_t)ch * sizeof *lut, "expansion of a code");
    }
}

static void finite_check(struct kt *t) {
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++) {
        kt_begin(t, "ch %d len %d wide %d", ch, longest, wide);
        const int32_t *len = kt_lens(t, KT_ROWS, longest);
        struct sn_t3 x = kt_t3_values(t, KT_ROWS, ch, len, wide);
        int flag = 0;
        t->k->finite(&(struct sn_finite){KT_ROWS, x, &flag});
        kt_check(t, (sn_real)flag, 0);
        if (longest == 0) continue;
        *kt_at(&x, 0, kt_below(t, longest), kt_below(t, ch)) = (sn_real)bad[s % 3];
        t->k->finite(&(struct sn_finite){KT_ROWS, x, &flag});
        kt_check(t, (sn_real)flag, 1);
    }
}

const struct kt_case SN_SYM(kt_cases_element)[] = {
    {"unary_fwd", 2.5e-7, unary_fwd},
    {"unary_range", 2.5e-7, unary_range},
    {"unary_bwd", 2.5e-7, unary_bwd},
    {"unary_attr", 1e-6, unary_attr},
    {"rho", 1e-6, rho},
    {"add", 1e-6, add},
    {"copy", 0, copy},
    {"fill, accumulate", 1e-7, fill_accumulate},
    {"leaves", 1e-6, leaves},
    {"bias_grad", 1e-5, bias_grad},
    {"encode", 0, encode},
    {"finite", 0, finite_check},
    {NULL, 0, NULL},
};
