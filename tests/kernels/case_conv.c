#include "harness.h"

#define ROWS 5

struct batch {
    struct sn_conv s;
    struct sn_t3 x, y; /* y: nothing in it yet */
    int32_t *len, *out;
    sn_real *w, *bias;
    void *fwd, *bwd, *ws;
};

static bool next(struct kt *t, int i, struct batch *b) {
    static const int ks[] = {1, 2, 3, 8, 19}, cins[] = {1, 3, 4, 16, 33}, couts[] = {1, 4, 16, 17, 33}, lens[] = {0, 1, 2, 7, 18, 40, 1100};
    if (i >= 5 * 7 * 6) return false;
    int k = ks[i % 5], longest = lens[i / 5 % 7];
    if (longest > 1000 && i >= 70) longest = 25; /* long rows a few times only */
    b->s = (struct sn_conv){k, cins[(i / 5 + i) % 5], couts[(i / 25 + i / 3) % 5], 1 + i / 35 % 3, i / 2 % k, 1};
    kt_begin(t, "k %d cin %d cout %d stride %d pad %d len %d", k, b->s.cin, b->s.cout, b->s.stride, b->s.pad, longest);
    b->len = kt_lens(t, ROWS, longest);
    b->out = kt_bytes(t, ROWS * sizeof *b->out);
    for (int r = 0; r < ROWS; r++) {
        int n = b->len[r] + 2 * b->s.pad - k;
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
    int64_t p = q * b->s.stride - b->s.pad + k;
    return p < b->len[row] ? p : -1;
}

static sn_real weight(const struct batch *b, int k, int c, int f) {
    return b->w[(k * b->s.cin + c) * b->s.cout + f];
}

static void forward(struct kt *t) {
    struct batch b;
    for (int s = 0; next(t, s, &b); s++) {
        t->k->conv_fwd(&(struct sn_conv_fwd){b.s, ROWS, b.x, b.fwd, b.bias, b.y, b.ws});
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

/* A row alone, of its own or of a shorter length, has the bits it has in the batch. */
static void bits(struct kt *t) {
    struct batch b;
    for (int s = 0; next(t, s, &b); s++) {
        t->k->conv_fwd(&(struct sn_conv_fwd){b.s, ROWS, b.x, b.fwd, b.bias, b.y, b.ws});
        kt_t3_written(t, &b.y, ROWS);
        for (int i = 0; i < ROWS; i++) {
            int32_t *len = kt_bytes(t, 2 * sizeof *len);
            len[0] = b.len[i];
            len[1] = b.out[i];
            for (int cut = 0; cut < 2 && len[1] > 0 && t->stable; cut++) {
                if (cut && b.s.pad == 0 && len[1] > 1) { /* one output less: the others' windows still lie inside */
                    len[1]--;
                    len[0] = (len[1] - 1) * b.s.stride + b.s.k;
                }
                struct sn_t3 x = b.x, y = kt_t3(t, 1, b.s.cout, len + 1, false);
                x.p += i * b.x.row;
                x.len = len;
                t->k->conv_fwd(&(struct sn_conv_fwd){b.s, 1, x, b.fwd, b.bias, y, b.ws});
                for (int64_t q = 0; q < len[1]; q++)
                    kt_same(t, kt_at(&b.y, i, q, 0), kt_at(&y, 0, q, 0), (size_t)b.s.cout * sizeof(sn_real), "row alone");
            }
        }
    }
}

static void data_gradient(struct kt *t) {
    struct batch b;
    for (int s = 0; next(t, s, &b); s++) {
        struct sn_t3 dy = kt_t3_values(t, ROWS, b.s.cout, b.out, s % 3 == 0), dx = kt_t3(t, ROWS, b.s.cin, b.len, s % 2);
        kt_keep(t, dy.p);
        t->k->conv_bwd_data(&(struct sn_conv_bwd_data){b.s, ROWS, dy, b.bwd, dx, b.ws});
        kt_t3_written(t, &dx, ROWS);
        for (int i = 0; i < ROWS; i++)
            for (int64_t p = 0; p < b.len[i]; p++)
                for (int c = 0; c < b.s.cin; c++) {
                    double want = 0;
                    for (int k = 0; k < b.s.k; k++) {
                        int64_t q = p + b.s.pad - k;
                        if (q < 0 || q % b.s.stride || q / b.s.stride >= b.out[i]) continue;
                        for (int f = 0; f < b.s.cout; f++) want += (double)*kt_at(&dy, i, q / b.s.stride, f) * weight(&b, k, c, f);
                    }
                    kt_check(t, *kt_at(&dx, i, p, c), want);
                }
    }
}

static void filter_gradient(struct kt *t) {
    struct batch b;
    for (int s = 0; next(t, s, &b); s++) {
        struct sn_t3 dy = kt_t3_values(t, ROWS, b.s.cout, b.out, s % 3 == 0);
        int all = b.s.k * b.s.cin, o0 = s % 2 ? all / 3 : 0, o1 = s % 3 ? all : all - all / 4;
        size_t n = (size_t)(o1 - o0) * (size_t)b.s.cout;
        sn_real *dw = kt_values(t, n), *old = kt_reals(t, n);
        memcpy(old, dw, n * sizeof *dw);
        kt_keep(t, dy.p);
        t->k->conv_bwd_filter(&(struct sn_conv_bwd_filter){b.s, ROWS, o0, o1, b.x, dy, dw, b.ws});
        for (int o = o0; o < o1; o++)
            for (int f = 0; f < b.s.cout; f++) {
                size_t e = (size_t)(o - o0) * (size_t)b.s.cout + (size_t)f;
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

const struct kt_case SN_SYM(kt_cases_conv)[] = {
    {"conv_fwd", 1e-5, forward},
    {"conv_fwd, bits", 1e-5, bits},
    {"conv_bwd_data", 2e-5, data_gradient},
    {"conv_bwd_filter", 1e-4, filter_gradient},
    {NULL, 0, NULL},
};
