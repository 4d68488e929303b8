/* LSTM, one direction. All rows of a call advance together, one matrix product a step: at step s a row is at position s, or len-1-s when
 * reversed; a row that has ended is left alone. a = xp + h U with the sum of h U taken from zero; at the first step h = 0 and a = xp. */
#include "cpu/tmpl/common.h"

/* Running state in ws behind the GEMM's part: h or its gradient (rows, H), c or its gradient (rows, H), z (rows, 4H), and one row each of
 * zeros and of values nobody asked for. */
struct sn_lstm_state {
    sn_real *h, *c, *z, *zeros, *spare;
};

static size_t SN_T(lstm_state_at)(void) {
    return (SN_T(gemm_ws)() + 63) / 64 * 64;
}

static size_t SN_T(lstm_ws)(int64_t rows, int64_t units) {
    return SN_T(lstm_state_at)() + (size_t)((6 * rows + 2) * units) * sizeof(sn_real);
}

static struct sn_lstm_state SN_T(lstm_state)(void *ws, int64_t rows, int64_t units) {
    struct sn_lstm_state s = {.h = (sn_real *)((char *)ws + SN_T(lstm_state_at)())};
    memset(s.h, 0, (size_t)((6 * rows + 2) * units) * sizeof(sn_real));
    s.c = s.h + rows * units, s.z = s.c + rows * units, s.zeros = s.z + 4 * rows * units, s.spare = s.zeros + units;
    return s;
}

static int64_t SN_T(lstm_longest)(const int32_t *len, int n) {
    int64_t longest = 0;
    for (int i = 0; i < n; i++) longest = len[i] > longest ? len[i] : longest;
    return longest;
}

/* Rows up to the last one that is not over at step s. */
static int SN_T(lstm_rows)(const int32_t *len, int n, int64_t s) {
    while (n > 0 && len[n - 1] <= s) n--;
    return n;
}

static int64_t SN_T(lstm_position)(int64_t len, int64_t s, int reverse) {
    return reverse ? len - 1 - s : s;
}

/* One row's step; outputs may be inputs (gates or pre over x or z, c over c_prev). */
struct sn_lstm_cell {
    const sn_real *x, *z, *c_prev;
    sn_real *pre, *gates, *c, *tc, *h, *h_kept, *y; /* the last three are the same values */
};
/* gate = f(a), a = x + z, kept in pre. Short loops: many of their iterations are in flight at once, which hides the latency of f. */
static inline void SN_T(lstm_sigmoid)(int64_t n, const sn_real *x, const sn_real *z, sn_real *pre, sn_real *gate) {
    SN_INDEPENDENT
    for (int64_t j = 0; j < n; j++) {
        const sn_real a = x[j] + z[j];
        pre[j] = a;
        gate[j] = sn_m_sigmoid(a);
    }
}
static inline void SN_T(lstm_tanh)(int64_t n, const sn_real *x, const sn_real *z, sn_real *pre, sn_real *gate) {
    SN_INDEPENDENT
    for (int64_t j = 0; j < n; j++) {
        const sn_real a = x[j] + z[j];
        pre[j] = a;
        gate[j] = sn_m_tanh(a);
    }
}
static void SN_T(lstm_cell)(int64_t n, const struct sn_lstm_cell *p) {
    const sn_real *gates = p->gates, *c_prev = p->c_prev;
    sn_real *c = p->c, *tc = p->tc, *h = p->h, *h_kept = p->h_kept, *y = p->y;
    SN_T(lstm_sigmoid)(2 * n, p->x, p->z, p->pre, p->gates);
    SN_T(lstm_tanh)(n, p->x + 2 * n, p->z + 2 * n, p->pre + 2 * n, p->gates + 2 * n);
    SN_T(lstm_sigmoid)(n, p->x + 3 * n, p->z + 3 * n, p->pre + 3 * n, p->gates + 3 * n);
    SN_INDEPENDENT
    for (int64_t j = 0; j < n; j++) {
        const sn_real cj = SN_FMA(gates[n + j], c_prev[j], gates[j] * gates[2 * n + j]), tj = sn_m_tanh(cj);
        c[j] = cj;
        tc[j] = tj;
        h[j] = h_kept[j] = y[j] = gates[3 * n + j] * tj;
    }
}

/* Steps of a row lie far apart and rows are too many for the hardware's prefetcher: the row's next step is asked for during this one. */
static inline void SN_T(lstm_ahead)(const sn_real *next, int64_t n) {
    for (int64_t j = 0; j < n; j += 64 / (int64_t)sizeof *next) __builtin_prefetch(next + j, 0, 2);
}

/* Row i at position t, coming from position before (-1: none). What is not kept goes to ws: pre and gates over z, c over itself. */
static void SN_T(lstm_fwd_row)(const struct sn_lstm_fwd *a, const struct sn_lstm_state *st, int i, int64_t t, int64_t before) {
    const int64_t n = a->units;
    sn_real *x = sn_row(&a->xp, i) + t * a->xp.ld, *z = st->z + i * 4 * n, *state = st->c + i * n;
    const int64_t kept = i * a->c_row + t * n;
    struct sn_lstm_cell p = {.x = x, .z = z, .c_prev = state, .pre = z, .gates = z, .c = state, .tc = st->spare, .h = st->h + i * n};
    p.h_kept = p.y = p.h;
    if (a->keep_pre) p.pre = x;
    if (a->gates) p.gates = a->gates + i * a->gates_row + t * 4 * n;
    if (a->c) p.c = a->c + kept, p.c_prev = before < 0 ? st->zeros : a->c + i * a->c_row + before * n;
    if (a->tc) p.tc = a->tc + kept;
    if (a->h) p.h_kept = a->h + kept;
    if (!a->last_only) p.y = sn_row(&a->y, i) + t * a->y.ld;
    SN_T(lstm_ahead)(x + (a->reverse ? -a->xp.ld : a->xp.ld), 4 * n);
    SN_T(lstm_cell)(n, &p);
}

static void SN_T(lstm_fwd)(const struct sn_lstm_fwd *a) {
    const int64_t n = a->units, steps = SN_T(lstm_longest)(a->xp.len, a->n);
    const struct sn_lstm_state st = SN_T(lstm_state)(a->ws, a->n, n);
    struct sn_gemm g = {.n = 4 * n, .k = n, .a = st.h, .a_rs = n, .a_cs = 1, .packed_b = a->u, .c = st.z, .c_rs = 4 * n, .ws = a->ws};
    for (int64_t s = 0; s < steps; s++) {
        g.m = SN_T(lstm_rows)(a->xp.len, a->n, s);
        if (s > 0) SN_T(gemm)(&g);
        for (int i = 0; i < g.m; i++) {
            const int64_t len = a->xp.len[i];
            if (s >= len) continue;
            const int64_t before = s > 0 ? SN_T(lstm_position)(len, s - 1, a->reverse) : -1;
            SN_T(lstm_fwd_row)(a, &st, i, SN_T(lstm_position)(len, s, a->reverse), before);
            if (a->last_only && s == len - 1) memcpy(sn_row(&a->y, i), st.h + i * n, (size_t)n * sizeof(sn_real));
        }
    }
}

/* The reverse pass of one row's step. gates, c_prev and c are the kept values; dh, dc come in; da (4H) and the new dc go out. */
struct sn_lstm_back {
    const sn_real *gates, *c_prev, *c, *dh, *dy;
    sn_real *dc, *da;
};
static void SN_T(lstm_cell_bwd)(int64_t n, const struct sn_lstm_back *p) {
    const sn_real *gates = p->gates, *c_prev = p->c_prev, *c = p->c, *dh = p->dh, *dy = p->dy;
    sn_real *dc = p->dc, *da = p->da;
    SN_INDEPENDENT
    for (int64_t j = 0; j < n; j++) {
        const sn_real i = gates[j], f = gates[n + j], g = gates[2 * n + j], o = gates[3 * n + j], d = dh[j] + dy[j];
        const sn_real tc = sn_m_tanh(c[j]), dcj = SN_FMA(d * o, SN_FMA(-tc, tc, 1), dc[j]);
        da[j] = dcj * g * (i * (1 - i));
        da[n + j] = dcj * c_prev[j] * (f * (1 - f));
        da[2 * n + j] = dcj * i * SN_FMA(-g, g, 1);
        da[3 * n + j] = d * tc * (o * (1 - o));
        dc[j] = dcj * f;
    }
}

/* The same between two runs of the cell: products carry the mean of the other factor, activations their difference quotient. */
struct sn_lstm_kept {
    const sn_real *pre, *gates, *c, *c_prev, *tc;
};
static inline sn_real SN_T(mean)(sn_real a, sn_real b) {
    return SN_R(0.5) * (a + b);
}
static void SN_T(lstm_cell_attr)(int64_t n, const struct sn_lstm_kept *x, const struct sn_lstm_kept *r, const struct sn_lstm_back *p) {
    const struct sn_lstm_kept u = *x, v = *r;
    const sn_real *mh_up = p->dh, *my = p->dy;
    sn_real *m = p->dc, *ma_i = p->da, *ma_f = ma_i + n, *ma_g = ma_f + n, *ma_o = ma_g + n;
    SN_INDEPENDENT
    for (int64_t j = 0; j < n; j++) {
        const sn_real mh = mh_up[j] + my[j];
        ma_o[j] = mh * SN_T(mean)(u.tc[j], v.tc[j]) * sn_m_rho_sigmoid(u.pre[3 * n + j], v.pre[3 * n + j]);
        m[j] = SN_FMA(mh * SN_T(mean)(u.gates[3 * n + j], v.gates[3 * n + j]), sn_m_rho_tanh(u.c[j], v.c[j]), m[j]);
    }
    SN_INDEPENDENT
    for (int64_t j = 0; j < n; j++) {
        ma_i[j] = m[j] * SN_T(mean)(u.gates[2 * n + j], v.gates[2 * n + j]) * sn_m_rho_sigmoid(u.pre[j], v.pre[j]);
        ma_g[j] = m[j] * SN_T(mean)(u.gates[j], v.gates[j]) * sn_m_rho_tanh(u.pre[2 * n + j], v.pre[2 * n + j]);
    }
    SN_INDEPENDENT
    for (int64_t j = 0; j < n; j++) {
        ma_f[j] = m[j] * SN_T(mean)(u.c_prev[j], v.c_prev[j]) * sn_m_rho_sigmoid(u.pre[n + j], v.pre[n + j]);
        m[j] *= SN_T(mean)(u.gates[n + j], v.gates[n + j]);
    }
}

/* From the last step to the first: cell() of every row alive, then the product that carries da to the state before. */
struct sn_lstm_sweep {
    const void *args;
    void (*cell)(const void *args, const sn_real *zeros, int row, int64_t t, int64_t before, struct sn_lstm_back *p);
    int n, units, reverse, last_only;
    struct sn_t3 dy, da;
    const void *ut;
    void *ws;
};
static bool SN_T(lstm_even)(const int32_t *len, int n) {
    for (int i = 1; i < n; i++)
        if (len[i] != len[0]) return false;
    return true;
}

/* Where rows of one length stand at one position, the product reads da where it lies; else from rows put side by side. */
static void SN_T(lstm_sweep)(const struct sn_lstm_sweep *w) {
    const int64_t n = w->units;
    const bool even = SN_T(lstm_even)(w->da.len, w->n);
    const struct sn_lstm_state st = SN_T(lstm_state)(w->ws, w->n, n);
    struct sn_gemm g = {.n = n, .k = 4 * n, .a = st.z, .a_rs = 4 * n, .a_cs = 1, .packed_b = w->ut, .c = st.h, .c_rs = n, .ws = w->ws};
    for (int64_t s = SN_T(lstm_longest)(w->da.len, w->n) - 1; s >= 0; s--) {
        g.m = SN_T(lstm_rows)(w->da.len, w->n, s);
        for (int i = 0; i < g.m; i++) {
            const int64_t len = w->da.len[i], t = SN_T(lstm_position)(len, s, w->reverse);
            if (s >= len) continue;
            struct sn_lstm_back p = {.dh = st.h + i * n, .dc = st.c + i * n, .da = sn_row(&w->da, i) + t * w->da.ld, .dy = st.zeros};
            if (!w->last_only) p.dy = sn_row(&w->dy, i) + t * w->dy.ld;
            if (w->last_only && s == len - 1) p.dy = sn_row(&w->dy, i);
            w->cell(w->args, st.zeros, i, t, s > 0 ? SN_T(lstm_position)(len, s - 1, w->reverse) : -1, &p);
            if (!even) memcpy(st.z + i * 4 * n, p.da, (size_t)(4 * n) * sizeof(sn_real));
        }
        if (even) g.a = w->da.p + SN_T(lstm_position)(w->da.len[0], s, w->reverse) * w->da.ld, g.a_rs = w->da.row;
        if (s > 0) SN_T(gemm)(&g);
    }
}

static void SN_T(lstm_bwd_row)(const void *args, const sn_real *zeros, int row, int64_t t, int64_t before, struct sn_lstm_back *p) {
    const struct sn_lstm_bwd *a = args;
    const int64_t n = a->units;
    p->gates = a->gates + row * a->gates_row + t * 4 * n;
    const sn_real *c = a->c + row * a->c_row;
    p->c = c + t * n;
    p->c_prev = zeros;
    if (before >= 0) {
        p->c_prev = c + before * n;
        SN_T(lstm_ahead)(a->gates + row * a->gates_row + before * 4 * n, 4 * n);
        SN_T(lstm_ahead)(c + (2 * before - t) * n, n);
    }
    SN_T(lstm_cell_bwd)(n, p);
}

static void SN_T(lstm_bwd)(const struct sn_lstm_bwd *a) {
    const struct sn_lstm_sweep w = {a, SN_T(lstm_bwd_row), a->n, a->units, a->reverse, a->last_only, a->dy, a->da, a->ut, a->ws};
    SN_T(lstm_sweep)(&w);
}

static struct sn_lstm_kept SN_T(lstm_kept)(const struct sn_lstm_attr *a, const sn_real *zeros, int64_t row, int64_t t, int64_t before) {
    const int64_t n = a->units, gates = row * a->gates_row + t * 4 * n, c = row * a->c_row;
    return (struct sn_lstm_kept){a->pre + gates, a->gates + gates, a->c + c + t * n, before < 0 ? zeros : a->c + c + before * n,
                                 a->tc + c + t * n};
}

static void SN_T(lstm_attr_row)(const void *args, const sn_real *zeros, int row, int64_t t, int64_t before, struct sn_lstm_back *p) {
    const struct sn_lstm_attr *a = args;
    const struct sn_lstm_kept x = SN_T(lstm_kept)(a, zeros, a->pairs.row_x[row], t, before);
    const struct sn_lstm_kept ref = SN_T(lstm_kept)(a, zeros, a->pairs.row_ref[row], t, before);
    SN_T(lstm_cell_attr)(a->units, &x, &ref, p);
}

static void SN_T(lstm_attr)(const struct sn_lstm_attr *a) {
    const struct sn_lstm_sweep w = {a, SN_T(lstm_attr_row), a->pairs.n, a->units, a->reverse, a->last_only, a->my, a->ma, a->ut, a->ws};
    SN_T(lstm_sweep)(&w);
}

/* Positions with a state before them: all but the first, or, reversed, all but the last. */
static void SN_T(lstm_du)(const struct sn_lstm_du *a) {
    const int64_t n = a->units;
    struct sn_gemm g = {.m = n, .n = 4 * n, .a_rs = 1, .a_cs = n, .b_rs = a->da.ld, .b_cs = 1, .c = a->du, .c_rs = 4 * n, .accumulate = 1};
    g.ws = a->ws;
    for (int i = 0; i < a->n; i++) {
        g.k = a->da.len[i] - 1;
        g.a = a->h + i * a->h_row + (a->reverse ? n : 0);
        g.b = sn_row(&a->da, i) + (a->reverse ? 0 : a->da.ld);
        if (g.k > 0) SN_T(gemm)(&g);
    }
}

static void SN_T(fill_lstm)(struct sn_kernels *k) {
    k->lstm_ws = SN_T(lstm_ws);
    k->lstm_fwd = SN_T(lstm_fwd);
    k->lstm_bwd = SN_T(lstm_bwd);
    k->lstm_attr = SN_T(lstm_attr);
    k->lstm_du = SN_T(lstm_du);
}
