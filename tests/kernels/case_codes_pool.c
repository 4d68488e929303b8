#include "codes_batch.h"

/* Everything of the chain conv on codes, relu, max pooling, one slot after the other and fused. */
struct chain {
    struct codes_batch b;
    int pool, stride;
    int32_t *pooled;
    struct sn_t3 conv, relu, y, fused;
    uint8_t *win;
    int64_t win_row;
};

/* Odd batches have weights whose sums round, so that the order of sums shows; the others' sums are exact, so that every table finds the
 * same winners among equals. */
static bool next(struct kt *t, int s, struct chain *h) {
    static const int pools[] = {2, 3, 4, 13, 20, 255}, gaps[] = {0, 0, 1, 0, 5};
    if (!cb_next(t, s, s % 2, &h->b)) return false;
    h->pool = pools[s % 6];
    h->stride = h->pool + gaps[s % 5];
    h->pooled = kt_bytes(t, CB_ROWS * sizeof *h->pooled);
    int32_t longest = 0;
    for (int i = 0; i < CB_ROWS; i++) {
        int n = h->b.conv_len[i];
        h->pooled[i] = n < h->pool ? 0 : (n - h->pool) / h->stride + 1;
        longest = h->pooled[i] > longest ? h->pooled[i] : longest;
    }
    kt_keep(t, h->pooled);
    h->conv = kt_t3(t, CB_ROWS, h->b.s.cout, h->b.conv_len, false);
    h->relu = kt_t3(t, CB_ROWS, h->b.s.cout, h->b.conv_len, false);
    h->y = kt_t3(t, CB_ROWS, h->b.s.cout, h->pooled, s % 2);
    h->fused = kt_t3(t, CB_ROWS, h->b.s.cout, h->pooled, s % 2);
    h->win_row = (int64_t)longest * h->b.s.cout + 3;
    h->win = kt_bytes(t, (size_t)(CB_ROWS * h->win_row));
    return true;
}

static void run_forward(struct kt *t, struct chain *h) {
    const struct sn_pool_shape s = {h->pool, h->stride, 0};
    cb_forward(t, &h->b, h->conv);
    t->k->unary_fwd(&(struct sn_unary_fwd){SN_RELU, CB_ROWS, h->conv, h->relu});
    t->k->max_pool_fwd(&(struct sn_pool_fwd){s, CB_ROWS, h->relu, h->y});
    void *ws = kt_bytes(t, t->k->codes_pool_ws(&h->b.s, h->pool));
    const struct codes_batch *b = &h->b;
    t->k->codes_pool_fwd(&(struct sn_codes_pool_fwd){b->s, b->in, b->tables, b->w, b->bias, h->pool, h->stride, h->fused, h->win,
                                                     h->win_row, b->conv_len, ws});
}

static void forward(struct kt *t) {
    struct chain h;
    for (int s = 0; next(t, s, &h); s++) {
        run_forward(t, &h);
        kt_t3_written(t, &h.fused, CB_ROWS);
        kt_same(t, h.y.p, h.fused.p, (size_t)(CB_ROWS * h.y.row) * sizeof *h.y.p, "fused forward");
        for (int i = 0; i < CB_ROWS; i++) {
            const uint8_t *win = h.win + i * h.win_row;
            int64_t n = (int64_t)h.pooled[i] * h.b.s.cout;
            for (int64_t e = 0; e < n; e++) {
                int best = 0;
                int64_t q = e / h.b.s.cout * h.stride;
                int f = (int)(e % h.b.s.cout);
                for (int p = 1; p < h.pool; p++)
                    if (*kt_at(&h.relu, i, q + p, f) > *kt_at(&h.relu, i, q + best, f)) best = p;
                if (win[e] != best) kt_fail(t, "winner %d, expected %d", win[e], best);
            }
            for (int64_t e = n; e < h.win_row; e++)
                if (win[e] != 0xff) kt_fail(t, "wrote a winner beyond the row");
        }
        struct sn_t3 without = kt_t3(t, CB_ROWS, h.b.s.cout, h.pooled, s % 2); /* no winners asked for */
        void *ws = kt_bytes(t, t->k->codes_pool_ws(&h.b.s, h.pool));
        t->k->codes_pool_fwd(
            &(struct sn_codes_pool_fwd){h.b.s, h.b.in, h.b.tables, h.b.w, h.b.bias, h.pool, h.stride, without, NULL, 0, h.b.conv_len, ws});
        kt_same(t, h.y.p, without.p, (size_t)(CB_ROWS * h.y.row) * sizeof *h.y.p, "fused forward without winners");
    }
}

static void backward(struct kt *t) {
    struct chain h;
    for (int s = 0; next(t, s, &h); s++) {
        run_forward(t, &h);
        const struct sn_pool_shape pool = {h.pool, h.stride, 0};
        const struct codes_batch *b = &h.b;
        size_t cout = (size_t)b->s.cout, n = (size_t)b->s.k * (size_t)b->s.cin * cout;
        struct sn_t3 dy = kt_t3_values(t, CB_ROWS, b->s.cout, h.pooled, s % 3 == 0);
        struct sn_t3 dx = kt_t3(t, CB_ROWS, b->s.cout, b->conv_len, false);
        sn_real *dw = kt_reals(t, n), *dv = kt_reals(t, n), *db = kt_reals(t, cout), *dc = kt_reals(t, cout);
        for (size_t e = 0; e < n; e++) dw[e] = dv[e] = 0;
        for (size_t f = 0; f < cout; f++) db[f] = dc[f] = 0;
        kt_keep(t, dy.p);
        t->k->max_pool_bwd(&(struct sn_pool_bwd){pool, CB_ROWS, h.relu, dy, dx});
        t->k->unary_bwd(&(struct sn_unary_bwd){SN_RELU, CB_ROWS, h.relu, dx, dx});
        t->k->bias_grad(&(struct sn_bias_grad){CB_ROWS, dx, db});
        cb_gradient(t, b, dx, dw);
        struct sn_codes_pool_bwd a = {
            b->s, b->in, h.pool, h.stride, h.fused, dy, h.win, h.win_row, dv, NULL, kt_bytes(t, t->k->codes_grad_ws(&b->s))};
        t->k->codes_pool_bwd(&a);
        a.dw = NULL;
        a.db = dc;
        t->k->codes_pool_bwd(&a);
        kt_same(t, dw, dv, n * sizeof *dw, "fused filter gradient");
        kt_same(t, db, dc, cout * sizeof *db, "fused bias gradient");
        for (size_t e = 0; e < n && s % 2 == 0; e++) kt_check(t, dv[e], dw[e]);
    }
}

/* The same with one window a row. */
static void global(struct kt *t) {
    struct codes_batch b;
    for (int s = 0; cb_next(t, s, s % 2, &b); s++) {
        int32_t *one = kt_bytes(t, CB_ROWS * sizeof *one);
        for (int i = 0; i < CB_ROWS; i++) one[i] = b.conv_len[i] > 0 || i % 2;
        kt_keep(t, one);
        struct sn_t3 conv = kt_t3(t, CB_ROWS, b.s.cout, b.conv_len, false), y = kt_t3(t, CB_ROWS, b.s.cout, one, s % 2);
        struct sn_t3 fused = kt_t3(t, CB_ROWS, b.s.cout, one, s % 2), without = kt_t3(t, CB_ROWS, b.s.cout, one, s % 2);
        const struct sn_pool_shape pool = {0, 1, 0};
        cb_forward(t, &b, conv);
        t->k->unary_fwd(&(struct sn_unary_fwd){SN_RELU, CB_ROWS, conv, conv});
        t->k->max_pool_fwd(&(struct sn_pool_fwd){pool, CB_ROWS, conv, y});
        size_t cout = (size_t)b.s.cout, n = (size_t)b.s.k * (size_t)b.s.cin * cout;
        int32_t *win = kt_bytes(t, CB_ROWS * cout * sizeof *win);
        struct sn_codes_global_fwd f = {b.s, b.in, b.tables, b.w, b.bias, fused, win, b.s.cout, b.conv_len, NULL};
        int32_t longest = 0;
        for (int i = 0; i < CB_ROWS; i++) longest = b.in.len[i] > longest ? b.in.len[i] : longest;
        f.ws = kt_bytes(t, t->k->codes_global_ws(&b.s, longest));
        t->k->codes_global_fwd(&f);
        kt_t3_written(t, &fused, CB_ROWS);
        kt_same(t, y.p, fused.p, (size_t)(CB_ROWS * y.row) * sizeof *y.p, "fused forward");
        f.y = without, f.win = NULL;
        t->k->codes_global_fwd(&f);
        kt_same(t, y.p, without.p, (size_t)(CB_ROWS * y.row) * sizeof *y.p, "fused forward without winners");

        struct sn_t3 dy = kt_t3_values(t, CB_ROWS, b.s.cout, one, s % 3 == 0), dx = kt_t3(t, CB_ROWS, b.s.cout, b.conv_len, false);
        sn_real *dw = kt_reals(t, n), *dv = kt_reals(t, n), *db = kt_reals(t, cout), *dc = kt_reals(t, cout);
        for (size_t e = 0; e < n; e++) dw[e] = dv[e] = 0;
        for (size_t e = 0; e < cout; e++) db[e] = dc[e] = 0;
        kt_keep(t, dy.p);
        t->k->max_pool_bwd(&(struct sn_pool_bwd){pool, CB_ROWS, conv, dy, dx});
        t->k->unary_bwd(&(struct sn_unary_bwd){SN_RELU, CB_ROWS, conv, dx, dx});
        t->k->bias_grad(&(struct sn_bias_grad){CB_ROWS, dx, db});
        cb_gradient(t, &b, dx, dw);
        struct sn_codes_global_bwd g = {b.s, b.in, fused, dy, win, b.s.cout, dv, NULL, f.ws};
        t->k->codes_global_bwd(&g);
        g.dw = NULL, g.db = dc;
        t->k->codes_global_bwd(&g);
        kt_same(t, dw, dv, n * sizeof *dw, "fused filter gradient");
        kt_same(t, db, dc, cout * sizeof *db, "fused bias gradient");
        for (size_t e = 0; e < n && s % 2 == 0; e++) kt_check(t, dv[e], dw[e]);
    }
}

/* DeepLIFT of the chain: every row with every other of its length, itself included. */
struct attribution {
    int n;
    int32_t row_x[CB_ROWS * CB_ROWS], row_ref[CB_ROWS * CB_ROWS];
    int32_t *len, *conv_len, *pooled;
    struct sn_t3 my, mx, fused;
};

static struct attribution all_pairs(struct kt *t, const struct codes_batch *b, const int32_t *pooled, bool wide) {
    struct attribution p = {.len = kt_bytes(t, CB_ROWS * CB_ROWS * sizeof *p.len)};
    p.conv_len = kt_bytes(t, CB_ROWS * CB_ROWS * sizeof *p.conv_len), p.pooled = kt_bytes(t, CB_ROWS * CB_ROWS * sizeof *p.pooled);
    for (int i = 0; i < CB_ROWS; i++)
        for (int r = 0; r < CB_ROWS; r++) {
            if (b->in.len[i] != b->in.len[r] || pooled[i] != pooled[r]) continue;
            p.row_x[p.n] = i, p.row_ref[p.n] = r;
            p.len[p.n] = b->in.len[i], p.conv_len[p.n] = b->conv_len[i], p.pooled[p.n++] = pooled[i];
        }
    p.my = kt_t3_values(t, p.n, b->s.cout, p.pooled, wide);
    p.mx = kt_t3(t, p.n, b->s.cin, p.len, wide), p.fused = kt_t3(t, p.n, b->s.cin, p.len, wide);
    for (int i = 0; i < p.n; i++)
        for (int64_t q = 0; q < p.pooled[i]; q++) *kt_at(&p.my, i, q, (int)q % b->s.cout) = 0;
    kt_keep(t, p.my.p);
    return p;
}

/* Slot after slot. `conv`: outputs before relu, `relu` behind it. */
static void attribute_apart(struct kt *t, const struct codes_batch *b, const struct attribution *p, struct sn_pool_shape pool,
                            struct sn_t3 conv, struct sn_t3 relu) {
    const struct sn_pairs pairs = {p->n, p->row_x, p->row_ref};
    struct sn_t3 m = kt_t3(t, p->n, b->s.cout, p->conv_len, false);
    void *packed = kt_bytes(t, t->k->conv_bwd_bytes(&b->s)), *ws = kt_bytes(t, t->k->conv_ws(&b->s, 700));
    t->k->max_pool_attr(&(struct sn_max_pool_attr){pool, pairs, relu, p->my, m});
    t->k->unary_attr(&(struct sn_unary_attr){SN_RELU, pairs, conv, m, m});
    t->k->conv_prepare(&(struct sn_conv_prepare){b->s, b->w, NULL, packed});
    t->k->conv_bwd_data(&(struct sn_conv_bwd_data){b->s, p->n, m, packed, p->mx, ws});
}

static void attribute_fused(struct kt *t, const struct codes_batch *b, const struct attribution *p, struct sn_codes_attr a) {
    a.s = b->s, a.in = b->in, a.tables = b->tables, a.w = b->w, a.bias = b->bias;
    a.pairs = (struct sn_pairs){p->n, p->row_x, p->row_ref}, a.my = p->my, a.mx = p->fused, a.longest = a.outputs = a.winners = 0;
    for (int i = 0; i < p->n; i++) {
        if (p->len[i] > a.longest) a.longest = p->len[i];
        if (p->conv_len[i] > a.outputs) a.outputs = p->conv_len[i];
        if ((int64_t)p->pooled[i] * b->s.cout > a.winners) a.winners = (int64_t)p->pooled[i] * b->s.cout;
    }
    a.ws = kt_bytes(t, t->k->codes_attr_ws(&b->s, a.longest, a.outputs, a.winners));
    t->k->codes_attr(&a);
    kt_t3_written(t, &p->fused, p->n);
    for (int i = 0; i < p->n; i++)
        for (int64_t q = 0; q < p->len[i]; q++)
            for (int c = 0; c < b->s.cin; c++) {
                const sn_real x = *kt_at(&p->mx, i, q, c), y = *kt_at(&p->fused, i, q, c);
                if (t->stable && x != y)
                    kt_fail(t, "pair %d position %lld channel %d: %.9g, apart %.9g", i, (long long)q, c, (double)y, (double)x);
                kt_check(t, y, x);
            }
}

static void attribution(struct kt *t) {
    struct chain h;
    for (int s = 0; next(t, s, &h); s++) {
        if (h.b.s.cin >= 16 || h.b.s.dilation > 1) continue;
        run_forward(t, &h);
        const struct attribution p = all_pairs(t, &h.b, h.pooled, s % 2);
        attribute_apart(t, &h.b, &p, (struct sn_pool_shape){h.pool, h.stride, 0}, h.conv, h.relu);
        attribute_fused(t, &h.b, &p,
                        (struct sn_codes_attr){.pool = h.pool, .pool_stride = h.stride, .y = h.fused, .win = h.win, .win_row = h.win_row});
    }
}

static void global_attribution(struct kt *t) {
    struct codes_batch b;
    for (int s = 0; cb_next(t, s, s % 2, &b); s++) {
        int32_t one[CB_ROWS], longest = 0;
        if (b.s.cin >= 16) continue;
        for (int i = 0; i < CB_ROWS; i++) one[i] = b.conv_len[i] > 0;
        for (int i = 0; i < CB_ROWS; i++) longest = b.in.len[i] > longest ? b.in.len[i] : longest;
        struct sn_t3 conv = kt_t3(t, CB_ROWS, b.s.cout, b.conv_len, false), relu = kt_t3(t, CB_ROWS, b.s.cout, b.conv_len, false);
        struct sn_t3 y = kt_t3(t, CB_ROWS, b.s.cout, one, s % 2);
        int32_t *win = kt_bytes(t, CB_ROWS * (size_t)b.s.cout * sizeof *win);
        cb_forward(t, &b, conv);
        t->k->unary_fwd(&(struct sn_unary_fwd){SN_RELU, CB_ROWS, conv, relu});
        t->k->codes_global_fwd(&(struct sn_codes_global_fwd){b.s, b.in, b.tables, b.w, b.bias, y, win, b.s.cout, b.conv_len,
                                                             kt_bytes(t, t->k->codes_global_ws(&b.s, longest))});
        const struct attribution p = all_pairs(t, &b, one, s % 2);
        attribute_apart(t, &b, &p, (struct sn_pool_shape){0, 1, 0}, conv, relu);
        attribute_fused(t, &b, &p, (struct sn_codes_attr){.y = y, .far_win = win, .win_row = b.s.cout});
    }
}

const struct kt_case SN_SYM(kt_cases_codes_pool)[] = {
    {"codes_pool_fwd", 5e-6, forward},
    {"codes_pool_bwd", 2e-5, backward},
    {"codes_global_fwd, codes_global_bwd", 2e-5, global},
    {"codes_attr", 2e-5, attribution},
    {"codes_attr, global", 2e-5, global_attribution},
    {NULL, 0, NULL},
};
