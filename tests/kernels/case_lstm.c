#include <stdlib.h>

#include "harness.h"
#include "oracle.h"

#define ROWS 5
#define MAX_UNITS 33
#define MAX_LEN 17

/* A layer and its batch; the caches as the slots write them. */
struct batch {
    int units, longest, reverse, last_only;
    int32_t *len, *out; /* out: positions of y */
    struct sn_t3 xp, y;
    sn_real *u;
    void *packed, *packed_t, *ws;
    sn_real *gates, *c, *tc, *h;
    int64_t gates_row, c_row;
    sn_real *start; /* xp on entry */
};

static bool next(struct kt *t, int i, struct batch *b) {
    static const int units[] = {1, 3, 4, 16, 17, 33}, lens[] = {0, 1, 2, 7, 17};
    if (i >= 6 * 5 * 4) return false;
    *b = (struct batch){.units = units[i % 6], .longest = lens[i / 6 % 5], .reverse = i / 30 % 2, .last_only = i / 60};
    size_t h = (size_t)b->units;
    kt_begin(t, "units %d len %d reverse %d last %d", b->units, b->longest, b->reverse, b->last_only);
    b->len = kt_lens(t, ROWS, b->longest);
    b->out = kt_bytes(t, ROWS * sizeof *b->out);
    for (int r = 0; r < ROWS; r++) b->out[r] = b->last_only ? b->len[r] > 0 : b->len[r];
    b->xp = kt_t3_values(t, ROWS, 4 * b->units, b->len, i % 2);
    b->start = kt_reals(t, (size_t)(ROWS * b->xp.row));
    memcpy(b->start, b->xp.p, (size_t)(ROWS * b->xp.row) * sizeof *b->start);
    b->y = kt_t3(t, ROWS, b->units, b->out, i % 3 == 0);
    b->u = kt_values(t, 4 * h * h);
    for (size_t e = 0; e < 4 * h * h; e++) b->u[e] /= 8;
    b->packed = kt_bytes(t, t->k->gemm_pack_bytes((int64_t)h, 4 * (int64_t)h));
    b->packed_t = kt_bytes(t, t->k->gemm_pack_bytes(4 * (int64_t)h, (int64_t)h));
    t->k->gemm_pack(&(struct sn_gemm_pack){4 * (int64_t)h, (int64_t)h, b->u, 4 * (int64_t)h, 1, b->packed});
    t->k->gemm_pack(&(struct sn_gemm_pack){(int64_t)h, 4 * (int64_t)h, b->u, 1, 4 * (int64_t)h, b->packed_t});
    b->ws = kt_bytes(t, t->k->lstm_ws(ROWS, (int64_t)h));
    b->c_row = b->longest * b->units + 2;
    b->gates_row = 4 * b->longest * b->units + 3;
    b->gates = kt_reals(t, (size_t)(ROWS * b->gates_row));
    b->c = kt_reals(t, (size_t)(ROWS * b->c_row));
    b->tc = kt_reals(t, (size_t)(ROWS * b->c_row));
    b->h = kt_reals(t, (size_t)(ROWS * b->c_row));
    return true;
}

static void run_forward(struct kt *t, struct batch *b) {
    t->k->lstm_fwd(&(struct sn_lstm_fwd){ROWS, b->units, b->reverse, b->last_only, 1, b->xp, b->packed, b->y, b->gates, b->c, b->tc, b->h,
                                         b->gates_row, b->c_row, b->ws});
}

static int position(const struct batch *b, int len, int step) {
    return b->reverse ? len - 1 - step : step;
}

/* One row in double, by steps in the order they are taken. */
struct steps {
    double a[MAX_LEN][4 * MAX_UNITS], gate[MAX_LEN][4 * MAX_UNITS], c[MAX_LEN][MAX_UNITS], tc[MAX_LEN][MAX_UNITS], h[MAX_LEN][MAX_UNITS];
};

static void plain_forward(const struct batch *b, int row, struct steps *s) {
    int n = b->units, len = b->len[row];
    for (int k = 0; k < len; k++) {
        const sn_real *x = b->start + row * b->xp.row + position(b, len, k) * b->xp.ld;
        for (int j = 0; j < 4 * n; j++) {
            double a = x[j];
            for (int i = 0; i < n && k > 0; i++) a += s->h[k - 1][i] * b->u[i * 4 * n + j];
            s->a[k][j] = a;
            s->gate[k][j] = j / n == 2 ? tanh(a) : or_sigmoid(a);
        }
        for (int j = 0; j < n; j++) {
            const double *g = s->gate[k];
            s->c[k][j] = g[n + j] * (k > 0 ? s->c[k - 1][j] : 0) + g[j] * g[2 * n + j];
            s->tc[k][j] = tanh(s->c[k][j]);
            s->h[k][j] = g[3 * n + j] * s->tc[k][j];
        }
    }
}

static void check_row(struct kt *t, const struct batch *b, int row, const struct steps *s) {
    int n = b->units, len = b->len[row];
    for (int k = 0; k < len; k++) {
        int p = position(b, len, k);
        for (int j = 0; j < 4 * n; j++) {
            kt_check(t, *kt_at(&b->xp, row, p, j), s->a[k][j]);
            kt_check(t, b->gates[row * b->gates_row + p * 4 * n + j], s->gate[k][j]);
        }
        for (int j = 0; j < n; j++) {
            int64_t e = row * b->c_row + p * n + j;
            kt_check(t, b->c[e], s->c[k][j]);
            kt_check(t, b->tc[e], s->tc[k][j]);
            kt_check(t, b->h[e], s->h[k][j]);
            if (!b->last_only || k == len - 1) kt_check(t, *kt_at(&b->y, row, b->last_only ? 0 : p, j), s->h[k][j]);
        }
    }
    for (int64_t e = len * n; e < b->c_row; e++)
        if (!isnan(b->c[row * b->c_row + e]) || !isnan(b->h[row * b->c_row + e])) kt_fail(t, "wrote to a cache beyond the row");
}

static void forward(struct kt *t) {
    struct steps *s = malloc(sizeof *s);
    struct batch b;
    for (int i = 0; s && next(t, i, &b); i++) {
        run_forward(t, &b);
        kt_t3_written(t, &b.y, ROWS);
        kt_t3_written(t, &b.xp, ROWS);
        for (int r = 0; r < ROWS; r++) {
            plain_forward(&b, r, s);
            check_row(t, &b, r, s);
        }
        /* nothing kept; then a row alone */
        struct sn_t3 y = kt_t3(t, ROWS, b.units, b.out, i % 3 == 0);
        size_t bytes = (size_t)(ROWS * b.xp.row) * sizeof *b.start;
        memcpy(b.xp.p, b.start, bytes);
        t->k->lstm_fwd(
            &(struct sn_lstm_fwd){ROWS, b.units, b.reverse, b.last_only, 0, b.xp, b.packed, y, NULL, NULL, NULL, NULL, 0, 0, b.ws});
        kt_same(t, b.y.p, y.p, (size_t)(ROWS * y.row) * sizeof *y.p, "nothing kept");
        struct sn_t3 xp = b.xp, one = kt_t3(t, ROWS, b.units, b.out, i % 3 == 0);
        memcpy(b.xp.p, b.start, bytes);
        xp.p += 3 * xp.row;
        xp.len += 3;
        one.p += 3 * one.row;
        one.len += 3;
        t->k->lstm_fwd(&(struct sn_lstm_fwd){1, b.units, b.reverse, b.last_only, 0, xp, b.packed, one, NULL, NULL, NULL, NULL, 0, 0, b.ws});
        if (t->stable) kt_same(t, b.y.p + 3 * y.row, one.p, (size_t)y.row * sizeof *y.p, "row alone");
    }
    free(s);
}

/* Reverse pass of one row. x and r are its two runs, the same one for the gradient: then means are values and quotients derivatives. */
static void plain_reverse(const struct batch *b, const struct steps *x, const struct steps *r, const struct sn_t3 *m, int row, int len,
                          double (*ma)[4 * MAX_UNITS]) {
    int n = b->units;
    double mh[MAX_UNITS] = {0}, mc[MAX_UNITS] = {0};
    for (int k = len - 1; k >= 0; k--) {
        int p = position(b, len, k);
        for (int j = 0; j < n; j++) {
            const double *g = x->gate[k], *g0 = r->gate[k];
            double up = mh[j] + (!b->last_only ? *kt_at(m, row, p, j) : k == len - 1 ? *kt_at(m, row, 0, j) : 0);
            double before = k > 0 ? (x->c[k - 1][j] + r->c[k - 1][j]) / 2 : 0;
            double c = mc[j] + up * (g[3 * n + j] + g0[3 * n + j]) / 2 * or_rho(SN_TANH, x->c[k][j], r->c[k][j]);
            ma[k][3 * n + j] = up * (x->tc[k][j] + r->tc[k][j]) / 2 * or_rho(SN_SIGMOID, x->a[k][3 * n + j], r->a[k][3 * n + j]);
            ma[k][j] = c * (g[2 * n + j] + g0[2 * n + j]) / 2 * or_rho(SN_SIGMOID, x->a[k][j], r->a[k][j]);
            ma[k][n + j] = c * before * or_rho(SN_SIGMOID, x->a[k][n + j], r->a[k][n + j]);
            ma[k][2 * n + j] = c * (g[j] + g0[j]) / 2 * or_rho(SN_TANH, x->a[k][2 * n + j], r->a[k][2 * n + j]);
            mc[j] = c * (g[n + j] + g0[n + j]) / 2;
        }
        for (int i = 0; i < n; i++) {
            mh[i] = 0;
            for (int j = 0; j < 4 * n; j++) mh[i] += ma[k][j] * b->u[i * 4 * n + j];
        }
    }
}

static void backward(struct kt *t) {
    struct steps *s = malloc(sizeof *s);
    double(*want)[4 * MAX_UNITS] = malloc(MAX_LEN * sizeof *want);
    struct batch b;
    for (int i = 0; s && want && next(t, i, &b); i++) {
        run_forward(t, &b);
        kt_keep(t, b.gates);
        kt_keep(t, b.c);
        struct sn_t3 dy = kt_t3_values(t, ROWS, b.units, b.out, i % 2), da = kt_t3(t, ROWS, 4 * b.units, b.len, i % 3 == 0);
        kt_keep(t, dy.p);
        t->k->lstm_bwd(
            &(struct sn_lstm_bwd){ROWS, b.units, b.reverse, b.last_only, dy, b.packed_t, b.gates, b.c, b.gates_row, b.c_row, da, b.ws});
        kt_t3_written(t, &da, ROWS);
        size_t n = (size_t)b.units;
        sn_real *du = kt_values(t, 4 * n * n), *old = kt_reals(t, 4 * n * n);
        memcpy(old, du, 4 * n * n * sizeof *du);
        t->k->lstm_du(&(struct sn_lstm_du){ROWS, b.units, b.reverse, b.h, b.c_row, da, du, b.ws});
        double *sum = calloc(4 * n * n, sizeof *sum);
        for (int r = 0; sum && r < ROWS; r++) {
            plain_forward(&b, r, s);
            plain_reverse(&b, s, s, &dy, r, b.len[r], want);
            for (int k = 0; k < b.len[r]; k++)
                for (int j = 0; j < 4 * b.units; j++) {
                    kt_check(t, *kt_at(&da, r, position(&b, b.len[r], k), j), want[k][j]);
                    for (int u = 0; u < b.units && k > 0; u++) sum[u * 4 * b.units + j] += s->h[k - 1][u] * want[k][j];
                }
        }
        for (size_t e = 0; sum && e < 4 * n * n; e++) kt_check(t, du[e], old[e] + sum[e]);
        free(sum);
    }
    free(s);
    free(want);
}

static void attribute(struct kt *t) {
    static const int32_t row_x[] = {0, 1, 3, 4, 2}, row_ref[] = {1, 0, 4, 4, 3};
    struct steps *s = malloc(2 * sizeof *s);
    double(*want)[4 * MAX_UNITS] = malloc(MAX_LEN * sizeof *want);
    struct batch b;
    for (int i = 0; s && want && next(t, i, &b); i++) {
        int32_t *len = kt_bytes(t, ROWS * sizeof *len), *out = kt_bytes(t, ROWS * sizeof *out);
        for (int r = 0; r < ROWS; r++) { /* pairs have one length */
            len[r] = b.longest;
            out[r] = b.last_only ? b.longest > 0 : b.longest;
        }
        b.len = len;
        b.out = out;
        b.xp = kt_t3_values(t, ROWS, 4 * b.units, len, false);
        b.gates_row = b.xp.row;
        b.gates = kt_reals(t, (size_t)(ROWS * b.gates_row));
        b.start = kt_reals(t, (size_t)(ROWS * b.xp.row));
        memcpy(b.start, b.xp.p, (size_t)(ROWS * b.xp.row) * sizeof *b.start);
        b.y = kt_t3(t, ROWS, b.units, out, false);
        run_forward(t, &b);
        struct sn_t3 my = kt_t3_values(t, ROWS, b.units, out, i % 2), ma = kt_t3(t, ROWS, 4 * b.units, len, i % 3 == 0);
        kt_keep(t, my.p);
        t->k->lstm_attr(&(struct sn_lstm_attr){b.units,
                                               b.reverse,
                                               b.last_only,
                                               {ROWS, row_x, row_ref},
                                               my,
                                               b.packed_t,
                                               b.xp.p,
                                               b.gates,
                                               b.c,
                                               b.tc,
                                               b.gates_row,
                                               b.c_row,
                                               ma,
                                               b.ws});
        kt_t3_written(t, &ma, ROWS);
        for (int p = 0; p < ROWS; p++) {
            plain_forward(&b, row_x[p], s);
            plain_forward(&b, row_ref[p], s + 1);
            plain_reverse(&b, s, s + 1, &my, p, b.longest, want);
            for (int k = 0; k < b.longest; k++)
                for (int j = 0; j < 4 * b.units; j++) kt_check(t, *kt_at(&ma, p, position(&b, b.longest, k), j), want[k][j]);
        }
    }
    free(s);
    free(want);
}

/* The published cell: D = 2, H = 1, T = 2, F = 1.5 h1 + 0.5 h0; contributions of the four inputs. */
static void published(struct kt *t) {
    static const double w[4][2] = {{.5, -.3}, {.2, .4}, {.7, -.6}, {-.1, .8}}, u[4] = {.1, -.2, .3, .25}, bias[4] = {.05, 1, -.1, .2};
    static const double x[2][2][2] = {{{1, 0}, {.5, -1}}, {{0, 1}, {-.5, .5}}}, want[4] = {.271141211, .229931057, .201080075, .222571594};
    static const int32_t row_x[] = {0}, row_ref[] = {1};
    kt_begin(t, "published cell");
    int32_t *len = kt_bytes(t, 2 * sizeof *len);
    len[0] = len[1] = 2;
    struct sn_t3 xp = kt_t3_values(t, 2, 4, len, false), y = kt_t3(t, 2, 1, len, false), my = kt_t3(t, 1, 1, len, false);
    struct sn_t3 ma = kt_t3(t, 1, 4, len, false);
    sn_real *gates = kt_reals(t, (size_t)(2 * xp.row)), *c = kt_reals(t, 4), *tc = kt_reals(t, 4), *h = kt_reals(t, 4), uu[4];
    for (int g = 0; g < 4; g++) uu[g] = (sn_real)u[g];
    for (int r = 0; r < 2; r++)
        for (int q = 0; q < 2; q++)
            for (int g = 0; g < 4; g++) *kt_at(&xp, r, q, g) = (sn_real)(w[g][0] * x[r][q][0] + w[g][1] * x[r][q][1] + bias[g]);
    void *pu = kt_bytes(t, t->k->gemm_pack_bytes(1, 4)), *put = kt_bytes(t, t->k->gemm_pack_bytes(4, 1)),
         *ws = kt_bytes(t, t->k->lstm_ws(2, 1));
    t->k->gemm_pack(&(struct sn_gemm_pack){4, 1, uu, 4, 1, pu});
    t->k->gemm_pack(&(struct sn_gemm_pack){1, 4, uu, 1, 4, put});
    t->k->lstm_fwd(&(struct sn_lstm_fwd){2, 1, 0, 0, 1, xp, pu, y, gates, c, tc, h, xp.row, 2, ws});
    *kt_at(&my, 0, 0, 0) = (sn_real)0.5;
    *kt_at(&my, 0, 1, 0) = (sn_real)1.5;
    t->k->lstm_attr(&(struct sn_lstm_attr){1, 0, 0, {1, row_x, row_ref}, my, put, xp.p, gates, c, tc, xp.row, 2, ma, ws});
    for (int q = 0; q < 2; q++)
        for (int d = 0; d < 2; d++) {
            double got = 0;
            for (int g = 0; g < 4; g++) got += *kt_at(&ma, 0, q, g) * w[g][d] * (x[0][q][d] - x[1][q][d]);
            kt_check(t, (sn_real)(fabs(got - want[2 * q + d]) < 1e-6), 1);
        }
}

const struct kt_case SN_SYM(kt_cases_lstm)[] = {
    {"lstm_fwd", 2e-6, forward},
    {"lstm_bwd, lstm_du", 1e-5, backward},
    {"lstm_attr", 1e-5, attribute},
    {"lstm_attr, published", 0, published},
    {NULL, 0, NULL},
};
