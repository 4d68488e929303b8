#include <stdlib.h>

#include "harness.h"

/* One product: C is a row of m positions of n channels, so that its surroundings are watched. */
struct product {
    struct sn_gemm g;
    struct sn_t3 c;
    sn_real *old; /* C before */
};

enum { START_ZERO, START_BIAS, START_C };

enum { RUN = 5, JUMP = 9, BEFORE = 2, BEHIND = 3 };

/* Layouts of A: rows, columns (transposed), overlapping rows, overlapping rows with columns in runs. Of B: rows, columns, packed from rows,
 * packed from columns; with runs also a part of what is packed. */
static void make(struct kt *t, struct product *p, int m, int n, int k, int a_kind, int b_kind, int start) {
    int32_t *len = kt_bytes(t, 3 * sizeof *len);
    len[0] = m;
    len[1] = k;
    len[2] = a_kind == 2 ? 3 * m + k : a_kind == 3 ? 3 * m + (k / RUN + 1) * JUMP : 0;
    p->g = (struct sn_gemm){.m = m, .n = n, .k = k, .a_cs = 1, .ws = kt_bytes(t, t->k->gemm_ws())};
    struct sn_t3 a = a_kind == 0 ? kt_t3_values(t, 1, k + !k, len, true) : kt_t3_values(t, 1, m + !m, len + 1, true);
    p->g.a_rs = a.ld;
    if (a_kind == 1) {
        p->g.a_rs = 1;
        p->g.a_cs = a.ld;
    } else if (a_kind >= 2) {
        a = kt_t3_values(t, 1, 1, len + 2, false);
        p->g.a_rs = 3;
    }
    if (a_kind == 3) p->g.a_run = RUN, p->g.a_jump = JUMP;
    p->g.a = a.p;
    if (a_kind == 3 && b_kind >= 2) {
        k += BEFORE + BEHIND;
        len[1] = p->g.packed_k = k;
    }
    bool columns = b_kind % 2;
    if (columns) len[2] = n;
    struct sn_t3 b = columns ? kt_t3_values(t, 1, k + !k, len + 2, true) : kt_t3_values(t, 1, n, len + 1, true);
    p->g.b_rs = columns ? 1 : b.ld;
    p->g.b_cs = columns ? b.ld : 1;
    p->g.b = b.p;
    kt_keep(t, a.p);
    kt_keep(t, b.p);
    if (b_kind >= 2) {
        void *packed = kt_bytes(t, t->k->gemm_pack_bytes(k, n));
        t->k->gemm_pack(&(struct sn_gemm_pack){n, k, b.p, p->g.b_rs, p->g.b_cs, packed});
        kt_keep(t, packed);
        p->g.packed_b = packed;
        if (a_kind == 3) {
            p->g.packed_b = (sn_real *)packed + BEFORE * t->k->gemm_nr;
            p->g.b += BEFORE * p->g.b_rs;
        }
    }
    if (start == START_BIAS) p->g.bias = kt_values(t, (size_t)n);
    p->c = start == START_C ? kt_t3_values(t, 1, n, len, true) : kt_t3(t, 1, n, len, true);
    p->g.accumulate = start == START_C;
    p->g.c = p->c.p;
    p->g.c_rs = p->c.ld;
    p->old = kt_reals(t, (size_t)p->c.row);
    memcpy(p->old, p->c.p, (size_t)p->c.row * sizeof *p->old);
}

/* Of a product with packed B, only the packed one is passed on. */
static void run(struct kt *t, struct sn_gemm g) {
    if (g.packed_b) g.b = NULL;
    t->k->gemm(&g);
}

static double start_of(const struct product *p, int64_t i, int64_t j) {
    return p->g.accumulate ? p->old[i * p->g.c_rs + j] : p->g.bias ? p->g.bias[j] : 0;
}

static bool next(struct kt *t, int s, struct product *p) {
    static const int ms[] = {1, 0, 3, 7, 8, 13, 33, 70}, ns[] = {1, 4, 15, 16, 17, 31, 33, 64, 100},
                     ks[] = {16, 0, 1, 5, 255, 256, 257, 600};
    if (s >= 8 * 9 * 8) return false;
    int m = ms[s % 8], n = ns[s / 8 % 9], k = ks[s / 72], a = (s + s / 8) % 4, b = s / 3 % 4, start = (s + s / 72) % 3;
    kt_begin(t, "m %d n %d k %d a %d b %d start %d", m, n, k, a, b, start);
    make(t, p, m, n, k, a, b, start);
    return true;
}

static sn_real at_a(const struct sn_gemm *g, int64_t i, int64_t u) {
    return g->a[i * g->a_rs + (g->a_run > 0 ? u / g->a_run * g->a_jump + u % g->a_run : u * g->a_cs)];
}

static void values(struct kt *t) {
    struct product p;
    for (int s = 0; next(t, s, &p); s++) {
        run(t, p.g);
        kt_t3_written(t, &p.c, 1);
        for (int64_t i = 0; i < p.g.m; i++)
            for (int64_t j = 0; j < p.g.n; j++) {
                double want = start_of(&p, i, j);
                for (int64_t u = 0; u < p.g.k; u++) want += (double)at_a(&p.g, i, u) * p.g.b[u * p.g.b_rs + j * p.g.b_cs];
                kt_check(t, p.g.c[i * p.g.c_rs + j], want);
            }
    }
}

/* The bits an element has by definition: FMA chains of SN_KBLOCK from zero, added to the start value in order. */
static sn_real defined(const struct product *p, int64_t i, int64_t j) {
    sn_real sum = (sn_real)start_of(p, i, j);
    for (int64_t b = 0; b < p->g.k; b += SN_KBLOCK) {
        sn_real part = 0;
        for (int64_t u = b; u < p->g.k && u < b + SN_KBLOCK; u++)
            part = (sn_real)fmaf((float)at_a(&p->g, i, u), (float)p->g.b[u * p->g.b_rs + j * p->g.b_cs], (float)part);
        sum += part;
    }
    return sum;
}

/* Parts of the product have the bits of the whole; vector tables have those of the definition (products have 22 bits: sums round). */
static void bits(struct kt *t) {
    struct product p;
    bool vector = t->stable && sizeof(sn_real) == sizeof(float) && strcmp(t->k->isa, "ref") != 0;
    for (int s = 0; next(t, s, &p); s++) {
        struct sn_gemm g = p.g;
        run(t, g);
        kt_t3_written(t, &p.c, 1);
        for (int64_t i = 0; vector && i < g.m; i++)
            for (int64_t j = 0; j < g.n; j++) {
                sn_real want = defined(&p, i, j);
                kt_same(t, &g.c[i * g.c_rs + j], &want, sizeof want, "bits of the definition");
            }
        sn_real *part = kt_reals(t, (size_t)p.c.row);
        memcpy(part, p.old, (size_t)p.c.row * sizeof *part);
        int64_t nr = t->k->gemm_nr, step = g.packed_b ? nr : 1 + s % 5;
        for (int64_t i = 0; i < g.m; i += 1 + s % 4)
            for (int64_t j = 0; j < g.n; j += step) {
                struct sn_gemm h = g;
                h.m = g.m - i < 1 + s % 4 ? g.m - i : 1 + s % 4;
                h.n = g.n - j < step ? g.n - j : step;
                h.a += i * g.a_rs;
                h.b += j * g.b_cs;
                if (g.packed_b) h.packed_b = (const char *)g.packed_b + t->k->gemm_pack_bytes(g.packed_k > 0 ? g.packed_k : g.k, j);
                if (g.bias) h.bias += j;
                h.c = part + i * g.c_rs + j;
                run(t, h);
            }
        for (int64_t i = 0; t->stable && i < g.m; i++)
            kt_same(t, part + i * g.c_rs, g.c + i * g.c_rs, (size_t)g.n * sizeof *part, "part by part");
    }
}

/* C += the tree over leaves of A^T B, by its definition; parts of C have the bits of the whole. */
#define LEAVES_MAX 8
static sn_real outer_defined(const struct sn_outer *o, int64_t i, int64_t j, double *want) {
    sn_real leaf[LEAVES_MAX];
    for (int l = 0; l < o->leaves; l++) {
        const int r0 = l * o->rows / o->leaves, r1 = (l + 1) * o->rows / o->leaves;
        leaf[l] = 0;
        for (int b = r0; b < r1; b += SN_KBLOCK) {
            sn_real part = 0;
            for (int r = b; r < r1 && r < b + SN_KBLOCK; r++) {
                if (o->len[r] < 1) continue;
                part = (sn_real)fmaf((float)o->a[r * o->a_row + i], (float)o->b[r * o->b_row + j], (float)part);
                *want += (double)o->a[r * o->a_row + i] * o->b[r * o->b_row + j];
            }
            leaf[l] += part;
        }
    }
    for (int step = 1; step < o->leaves; step *= 2)
        for (int l = 0; l + step < o->leaves; l += 2 * step) leaf[l] += leaf[l + step];
    return leaf[0];
}

static void outer(struct kt *t) {
    static const int ms[] = {1, 5, 6, 7, 14, 100}, ns[] = {1, 8, 15, 16, 17, 31, 33, 100}, rows[] = {0, 1, 7, 8, 9, 21, 64, 600, 2048},
                     leaves[] = {8, 1, 2, 3, 5, 6, 7};
    bool vector = t->stable && sizeof(sn_real) == sizeof(float) && strcmp(t->k->isa, "ref") != 0;
    for (int s = 0; s < 6 * 8 * 9; s++) {
        struct sn_outer o = {.m = ms[s % 6], .n = ns[s / 6 % 8], .rows = rows[s / 48], .leaves = leaves[s % 7]};
        kt_begin(t, "m %d n %d rows %d leaves %d", (int)o.m, (int)o.n, o.rows, o.leaves);
        int32_t *len = kt_bytes(t, (size_t)(o.rows + 1) * sizeof *len), *m = kt_bytes(t, sizeof *m);
        for (int i = 0; i <= o.rows; i++) len[i] = i != 3;
        *m = (int32_t)o.m;
        const struct sn_t3 a = kt_t3_values(t, o.rows, (int)o.m, len, s % 2), b = kt_t3_values(t, o.rows, (int)o.n, len, s % 3 == 0);
        const struct sn_t3 c = kt_t3_values(t, 1, (int)o.n, m, s % 2);
        sn_real *old = kt_reals(t, (size_t)c.row);
        memcpy(old, c.p, (size_t)c.row * sizeof *old);
        kt_keep(t, a.p);
        kt_keep(t, b.p);
        o.a = a.p, o.a_row = a.row, o.b = b.p, o.b_row = b.row, o.len = len, o.c = c.p, o.c_rs = c.ld;
        o.ws = kt_bytes(t, t->k->gemm_ws());
        t->k->outer(&o);
        kt_t3_written(t, &c, 1);
        for (int64_t i = 0; i < o.m; i++)
            for (int64_t j = 0; j < o.n; j++) {
                double want = old[i * c.ld + j];
                sn_real exact = old[i * c.ld + j] + outer_defined(&o, i, j, &want);
                kt_check(t, c.p[i * c.ld + j], want);
                if (vector) kt_same(t, &c.p[i * c.ld + j], &exact, sizeof exact, "bits of the definition");
            }
    }
}

const struct kt_case SN_SYM(kt_cases_gemm)[] = {
    {"outer", 1e-4, outer},
    {"gemm", 1e-4, values},
    {"gemm, bits", 1e-4, bits},
    {NULL, 0, NULL},
};
