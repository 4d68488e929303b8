/* Comparing motifs and scanning with them: goldens, counting by hand, and equal bits whatever the threads, pieces and instruction set. */
#include <math.h>

#include "core/cpu.h"
#include "core/file.h"
#include "core/rng.h"
#include "motif/fimo.h"
#include "motif/tomtom.h"
#include "motif/tomtom_scores.h"
#include "tempfile.h"
#include "unit.h"

#define ck_ok(call) ck_assert_msg((call) >= 0, "%s", sn_error_text())

static const char *const instruction_sets[] = {"ref", "avx2", "avx512"};

/* Restricts the CPU; false when it lacks the set. */
static bool use_set(const char *name) {
    enum sn_isa isa;
    setenv("SEQNET_CPU", name, 1);
    if (sn_isa_detect(&isa) >= 0) return true;
    unsetenv("SEQNET_CPU");
    return false;
}

static void random_motif(struct sn_stream *r, int width, double *p) {
    for (int j = 0; j < width; j++) {
        double sum = 0;
        for (int k = 0; k < 4; k++) {
            double u = sn_stream_unit(r);
            sum += p[j * 4 + k] = u * u * u * u;
        }
        for (int k = 0; k < 4; k++) p[j * 4 + k] /= sum;
    }
}

static void random_set(struct sn_stream *r, int n, int narrow, int wide, struct sn_motif_set *s) {
    static double p[4 * 400];
    ck_ok(sn_motif_set_init(s, "ACGT"));
    for (int i = 0; i < n; i++) {
        int width = narrow + (int)sn_stream_below(r, (uint64_t)(wide - narrow + 1));
        random_motif(r, width, p);
        ck_ok(sn_motif_add(s, "m", NULL, width, p, 1));
    }
}

/* ---- Tomtom ---- */

/* The specification's M8: a database of three. */
START_TEST(comparison_golden) {
    static const double q[] = {.85, .05, .05, .05, .05, .1, .8, .05}, t1[] = {.8, .1, .05, .05, .1, .1, .7, .1, .05, .05, .1, .8},
                        t2[] = {.25, .25, .25, .25, .9, .03, .04, .03, .02, .9, .04, .04, .1, .2, .3, .4},
                        t3[] = {.1, .8, .05, .05, .3, .3, .2, .2};
    static const struct {
        double score;
        int offset, overlap;
        bool reverse;
        double p;
    } both[] = {{83, 0, 2, false, .10656662}, {58, 0, 2, true, .262037595}, {50, 0, 2, true, .231672001}},
      forward[] = {{83, 0, 2, false, 0}, {32, -1, 2, false, 0}, {16, -1, 1, false, 0}};
    struct sn_motif_set queries, db;
    struct sn_tomtom_options o;
    struct sn_tomtom_hits hits;
    ck_ok(sn_motif_set_init(&queries, "ACGT"));
    ck_ok(sn_motif_set_init(&db, "ACGT"));
    ck_ok(sn_motif_add(&queries, "q", NULL, 2, q, 1));
    ck_ok(sn_motif_add(&db, "t1", NULL, 3, t1, 1));
    ck_ok(sn_motif_add(&db, "t2", NULL, 4, t2, 1));
    ck_ok(sn_motif_add(&db, "t3", NULL, 2, t3, 1));
    sn_tomtom_defaults(&o);
    ck_ok(sn_tomtom(&queries, &db, &o, NULL, &hits));
    ck_assert_int_eq(hits.n, 3);
    static const int order[] = {0, 2, 1}; /* by p */
    for (int i = 0; i < 3; i++) {
        const struct sn_tomtom_hit *h = &hits.v[i];
        int t = order[i];
        ck_assert(h->query == 0 && h->target == t && h->offset == both[t].offset && h->reverse == both[t].reverse);
        if (t < 2) ck_assert(h->score == both[t].score && h->overlap == both[t].overlap);
        ck_assert_double_eq_tol(h->p, both[t].p, 5e-9);
        ck_assert_double_eq_tol(h->e, 3 * both[t].p, 2e-8);
        ck_assert_double_eq_tol(h->q, .262037595, 5e-9);
    }
    sn_tomtom_hits_free(&hits);
    /* one strand, its columns the same: only where they lie and what they score is told */
    o.both_strands = false;
    ck_ok(sn_tomtom(&queries, &db, &o, NULL, &hits));
    ck_assert_int_eq(hits.n, 3);
    for (int i = 0; i < 3; i++) ck_assert(!hits.v[i].reverse && hits.v[i].offset == forward[hits.v[i].target].offset);
    sn_tomtom_hits_free(&hits);
    /* limits */
    o.both_strands = true;
    o.max_p = .2;
    ck_ok(sn_tomtom(&queries, &db, &o, NULL, &hits));
    ck_assert(hits.n == 1 && hits.v[0].target == 0);
    ck_assert_double_eq_tol(hits.v[0].q, .262037595, 5e-9); /* of all pairs all the same */
    sn_tomtom_hits_free(&hits);
    o.max_p = 1;
    o.max_e = .7;
    ck_ok(sn_tomtom(&queries, &db, &o, NULL, &hits));
    ck_assert_int_eq(hits.n, 2);
    sn_tomtom_hits_free(&hits);
    o.max_q = .2;
    ck_ok(sn_tomtom(&queries, &db, &o, NULL, &hits));
    ck_assert_int_eq(hits.n, 0);
    sn_tomtom_hits_free(&hits);
    o.max_e = o.max_q = 10;
    o.top = 2;
    ck_ok(sn_tomtom(&queries, &db, &o, NULL, &hits));
    ck_assert_int_eq(hits.n, 2);
    sn_tomtom_hits_free(&hits);
    sn_motif_set_free(&queries);
    sn_motif_set_free(&db);
}
END_TEST

static int rising(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* A small database by its definition: every combination of its columns is counted. */
struct counted {
    const struct sn_motif *q;
    double column[64][4];
    int n; /* columns, of both strands */
    int table[8][64];
};

static double distance(const double *a, const double *b) {
    double s = 0;
    for (int k = 0; k < 4; k++) s += (a[k] - b[k]) * (a[k] - b[k]);
    return -sqrt(s);
}

static void count_columns(struct counted *x, const struct sn_motif *q, const struct sn_motif_set *db, double *median, double *scale) {
    double low = 0, high = 0, v[64];
    x->q = q;
    x->n = 0;
    for (int t = 0; t < db->n; t++)
        for (int j = 0; j < 2 * db->m[t].width; j++, x->n++)
            for (int k = 0; k < 4; k++) x->column[x->n][k] = db->m[t].p[j / 2 * 4 + (j % 2 ? 3 - k : k)];
    for (int i = 0; i < q->width; i++) {
        for (int u = 0; u < x->n; u++) v[u] = distance(q->p + 4 * i, x->column[u]);
        qsort(v, (size_t)x->n, sizeof *v, rising);
        median[i] = (v[x->n / 2 - 1] + v[x->n / 2]) / 2; /* an even number: both strands */
        if (v[0] - median[i] < low) low = v[0] - median[i];
        if (v[x->n - 1] - median[i] > high) high = v[x->n - 1] - median[i];
    }
    *scale = 100 / (high - floor(low));
    for (int i = 0; i < q->width; i++)
        for (int u = 0; u < x->n; u++) x->table[i][u] = (int)floor((distance(q->p + 4 * i, x->column[u]) - median[i]) * *scale + .5);
}

/* Combinations of columns for query columns [i, last] whose sum stays below s. */
static int64_t below(const struct counted *x, int i, int last, int s) {
    int64_t n = 0;
    if (i > last) return s > 0;
    for (int u = 0; u < x->n; u++) n += below(x, i + 1, last, s - x->table[i][u]);
    return n;
}

static double counted_p(const struct counted *x, const struct sn_motif *t, bool reverse, int least, const double *median, double scale) {
    int best = INT32_MIN, nq = x->q->width, nt = t->width;
    double none = 1;
    if (least > nq) least = nq;
    if (least > nt) least = nt;
    for (int pass = 0; pass < 2; pass++)
        for (int o = 1 - nt; o < nq; o++) {
            int a = o < 0 ? 0 : o, b = o + nt < nq ? o + nt : nq, s = 0;
            if (b - a < least) continue;
            double all = 1;
            for (int i = a; i < b; i++) {
                double c[4];
                for (int k = 0; k < 4; k++) c[k] = reverse ? t->p[(nt - 1 - i + o) * 4 + 3 - k] : t->p[(i - o) * 4 + k];
                s += (int)floor((distance(x->q->p + 4 * i, c) - median[i]) * scale + .5);
                all *= x->n;
            }
            if (pass == 0 && s > best) best = s;
            if (pass == 1) none *= (double)below(x, a, b - 1, best) / all;
        }
    return 1 - none;
}

START_TEST(comparison_by_counting) {
    struct sn_stream r;
    sn_stream_init(&r, 5, 0, 0);
    for (int round = 0; round < 12; round++) {
        struct sn_motif_set queries, db;
        struct sn_tomtom_hits hits;
        struct sn_tomtom_options o;
        struct counted x;
        double median[8], scale;
        random_set(&r, 1, 1, 4, &queries);
        random_set(&r, 3, 1, 5, &db);
        sn_tomtom_defaults(&o);
        o.min_overlap = 1 + round % 3;
        ck_ok(sn_tomtom(&queries, &db, &o, NULL, &hits));
        ck_assert_int_eq(hits.n, 3);
        count_columns(&x, &queries.m[0], &db, median, &scale);
        for (int i = 0; i < 3; i++) {
            const struct sn_motif *t = &db.m[hits.v[i].target];
            double plus = counted_p(&x, t, false, o.min_overlap, median, scale);
            double minus = counted_p(&x, t, true, o.min_overlap, median, scale), p = plus < minus ? plus : minus;
            ck_assert_double_eq_tol(hits.v[i].p, 1 - (1 - p) * (1 - p), 1e-12);
        }
        sn_tomtom_hits_free(&hits);
        sn_motif_set_free(&queries);
        sn_motif_set_free(&db);
    }
}
END_TEST

static double score_of(const struct sn_scores *s, int column, int u) {
    const double *q = s->queries.value + (int64_t)4 * column, *y = s->targets.value + (int64_t)4 * u;
    double dot = 0;
    for (int k = 0; k < 4; k++) dot += q[k] * y[k];
    return s->pearson ? dot : distance(q, y);
}

static int8_t integer_of(const struct sn_scores *s, const struct sn_score_lane *l, int u) {
    return (int8_t)floor((score_of(s, l->column, u) - s->range[l->column].median) * l->scale + .5);
}

/* A scale at which the score with target column u is on the border between two integers, so that its last bit decides. */
static double border_scale(const struct sn_scores *s, int column, int u, double scale) {
    double from_median = score_of(s, column, u) - s->range[column].median;
    return fabs(from_median * scale) < 5 ? scale : (floor(from_median * scale) + .5) / from_median;
}

/* Single precision must not decide a score, nor which one is the middle: all of them again from sorted doubles. */
static void check_scores(const struct sn_scores *s) {
    enum { WIDTH = 20 };
    struct sn_score_lane lane[2 * SN_LANES];
    static int32_t held[2 * SN_LANES * SN_TALLY];
    int n = s->targets.n;
    double *sorted = calloc((size_t)s->targets.total, sizeof *sorted);
    int8_t *row = calloc((size_t)n, sizeof lane / sizeof *lane);
    double scale = sn_scores_scale(s, s->queries.column[0], WIDTH);
    for (int i = 0; i < 2 * SN_LANES; i++) {
        lane[i] = (struct sn_score_lane){i < WIDTH ? s->queries.column[0][i] : -1, scale};
        if (i < WIDTH) lane[i].scale = border_scale(s, lane[i].column, 37 * i, scale);
    }
    sn_scores_rows(s, lane, WIDTH, 2 * SN_LANES, row, held);
    for (int i = 0; i < WIDTH; i++) {
        const struct sn_score_range *r = &s->range[lane[i].column];
        int32_t counted[256] = {0};
        int at = 0;
        for (int u = 0; u < n; u++)
            for (int k = 0; k < s->targets.count[u]; k++) sorted[at++] = score_of(s, lane[i].column, u);
        qsort(sorted, (size_t)at, sizeof *sorted, rising);
        ck_assert(r->median == (sorted[(at - 1) / 2] + sorted[at / 2]) / 2 && r->least == sorted[0] && r->most == sorted[at - 1]);
        for (int u = 0; u < n; u++) {
            int8_t expected = integer_of(s, &lane[i], u);
            ck_assert_int_eq(row[(int64_t)u * 2 * SN_LANES + i], expected);
            counted[(uint8_t)expected] += s->targets.count[u];
        }
        ck_assert(memcmp(counted, held + i * SN_TALLY, sizeof counted) == 0);
    }
    free(sorted);
    free(row);
}

START_TEST(comparison_scores) {
    struct sn_stream r;
    struct sn_motif_set queries, db;
    struct sn_scores s;
    sn_stream_init(&r, 9, 0, 0);
    random_set(&r, 1, 20, 20, &queries);
    random_set(&r, 200, 5, 30, &db);
    for (int k = 0; k < 40; k++) ck_ok(sn_motif_add(&db, "again", NULL, db.m[k].width, db.m[k].p, 1));
    memcpy(queries.m[0].p, db.m[3].p, 5 * 4 * sizeof(double));
    for (size_t set = 0; set < 3; set++) {
        if (!use_set(instruction_sets[set])) continue;
        for (int pearson = 0; pearson < 2; pearson++) {
            ck_ok(sn_scores_make(&queries, &db, true, pearson, NULL, &s));
            check_scores(&s);
            sn_scores_free(&s);
        }
    }
    unsetenv("SEQNET_CPU");
    sn_motif_set_free(&queries);
    sn_motif_set_free(&db);
}
END_TEST

/* Queries of one width are compared side by side, here 16, 16 and 8 of them, and one left over: as each alone. */
START_TEST(comparison_side_by_side) {
    struct sn_stream r;
    struct sn_motif_set queries, more, db, one;
    struct sn_tomtom_options o;
    struct sn_tomtom_hits all, alone;
    sn_stream_init(&r, 10, 0, 0);
    random_set(&r, 33, 9, 9, &queries);
    random_set(&r, 8, 17, 17, &more);
    random_set(&r, 60, 1, 30, &db);
    for (int i = 0; i < more.n; i++) ck_ok(sn_motif_add(&queries, "m", NULL, 17, more.m[i].p, 1));
    sn_tomtom_defaults(&o);
    for (o.min_overlap = 1; o.min_overlap < 12; o.min_overlap += 5) {
        ck_ok(sn_tomtom(&queries, &db, &o, NULL, &all));
        ck_assert_int_eq(all.n, 41 * 60);
        for (int i = 0; i < queries.n; i++) {
            one = queries;
            one.m = &queries.m[i];
            one.n = 1;
            ck_ok(sn_tomtom(&one, &db, &o, NULL, &alone));
            for (int k = 0; k < 60; k++) {
                const struct sn_tomtom_hit *a = &all.v[i * 60 + k], *b = &alone.v[k];
                ck_assert_msg(a->query == i && a->target == b->target && a->offset == b->offset && a->overlap == b->overlap &&
                                  a->reverse == b->reverse && a->score == b->score && a->p == b->p,
                              "overlap of %d, query %d, hit %d differs", o.min_overlap, i, k);
            }
            sn_tomtom_hits_free(&alone);
        }
        sn_tomtom_hits_free(&all);
    }
    sn_motif_set_free(&queries);
    sn_motif_set_free(&more);
    sn_motif_set_free(&db);
}
END_TEST

/* Hits that a limit leaves have the q-values that they have among all. */
START_TEST(comparison_limits) {
    struct sn_stream r;
    struct sn_motif_set queries, db;
    struct sn_tomtom_options o;
    struct sn_tomtom_hits all, few;
    sn_stream_init(&r, 11, 0, 0);
    random_set(&r, 40, 3, 12, &queries);
    random_set(&r, 50, 3, 12, &db);
    sn_tomtom_defaults(&o);
    ck_ok(sn_tomtom(&queries, &db, &o, NULL, &all));
    for (int limit = 0; limit < 3; limit++) {
        int64_t at = 0;
        sn_tomtom_defaults(&o);
        *(limit == 0 ? &o.max_p : limit == 1 ? &o.max_e : &o.max_q) = limit == 0 ? .01 : limit == 1 ? .1 : all.v[0].q;
        ck_ok(sn_tomtom(&queries, &db, &o, NULL, &few));
        ck_assert(few.n > 0 && few.n < all.n);
        for (int64_t i = 0; i < all.n; i++) {
            const struct sn_tomtom_hit *x = &all.v[i];
            if (x->p > o.max_p || x->e > o.max_e || x->q > o.max_q) continue;
            ck_assert(at < few.n && few.v[at].target == x->target && few.v[at].p == x->p && few.v[at].q == x->q);
            at++;
        }
        ck_assert_int_eq(at, few.n);
        sn_tomtom_hits_free(&few);
    }
    sn_tomtom_hits_free(&all);
    sn_motif_set_free(&queries);
    sn_motif_set_free(&db);
}
END_TEST

/* Widths around the vectors', many more queries than workers. */
START_TEST(comparison_bits) {
    struct sn_stream r;
    struct sn_motif_set queries, db;
    struct sn_tomtom_hits first = {0}, hits;
    struct sn_tomtom_options o;
    sn_stream_init(&r, 6, 0, 0);
    random_set(&r, 12, 1, 36, &queries);
    random_set(&r, 60, 1, 30, &db);
    for (int pearson = 0; pearson < 2; pearson++) {
        sn_tomtom_defaults(&o);
        o.distance = pearson ? SN_TOMTOM_PEARSON : SN_TOMTOM_EUCLIDEAN;
        for (size_t set = 0; set < 3; set++) {
            if (!use_set(instruction_sets[set])) continue;
            for (int threads = 1; threads < 4; threads += 2) {
                struct sn_pool *pool;
                ck_ok(sn_pool_create(threads, &pool));
                ck_ok(sn_tomtom(&queries, &db, &o, pool, &hits));
                sn_pool_free(pool);
                ck_assert_int_eq(hits.n, 12 * 60);
                if (!first.v) {
                    first = hits;
                    continue;
                }
                for (int64_t i = 0; i < hits.n; i++) {
                    const struct sn_tomtom_hit *a = &first.v[i], *b = &hits.v[i];
                    ck_assert_msg(a->query == b->query && a->target == b->target && a->offset == b->offset && a->p == b->p && a->q == b->q,
                                  "%s, %d threads: hit %d differs", instruction_sets[set], threads, (int)i);
                }
                sn_tomtom_hits_free(&hits);
            }
        }
        sn_tomtom_hits_free(&first);
    }
    unsetenv("SEQNET_CPU");
    sn_motif_set_free(&queries);
    sn_motif_set_free(&db);
}
END_TEST

/* A motif among its like: far below what 1 - P(less) can tell in double precision, and never 0. */
START_TEST(comparison_tiny_p) {
    struct sn_stream r;
    struct sn_motif_set db;
    struct sn_tomtom_hits hits;
    struct sn_tomtom_options o;
    sn_stream_init(&r, 7, 0, 0);
    random_set(&r, 80, 15, 30, &db);
    sn_tomtom_defaults(&o);
    o.top = 1;
    ck_ok(sn_tomtom(&db, &db, &o, NULL, &hits));
    ck_assert_int_eq(hits.n, 80);
    for (int i = 0; i < 80; i++) {
        ck_assert(hits.v[i].target == i && hits.v[i].offset == 0 && !hits.v[i].reverse && hits.v[i].overlap == db.m[i].width);
        ck_assert(hits.v[i].p > 0 && hits.v[i].p < 1e-20);
    }
    sn_tomtom_hits_free(&hits);
    sn_motif_set_free(&db);
}
END_TEST

/* Of equal scores the larger overlap counts, then the first offset. */
START_TEST(comparison_ties) {
    static const double a[] = {.7, .1, .1, .1}, b[] = {.1, .1, .1, .7};
    double p[16];
    struct sn_motif_set queries, db;
    struct sn_tomtom_hits hits;
    struct sn_tomtom_options o;
    ck_ok(sn_motif_set_init(&queries, "ACGT"));
    ck_ok(sn_motif_set_init(&db, "ACGT"));
    for (int j = 0; j < 4; j++) memcpy(p + 4 * j, a, sizeof a);
    ck_ok(sn_motif_add(&queries, "aa", NULL, 2, p, 1));
    ck_ok(sn_motif_add(&db, "aaaa", NULL, 4, p, 1));
    memcpy(p + 4, b, sizeof b);
    ck_ok(sn_motif_add(&db, "ataa", NULL, 4, p, 1));
    sn_tomtom_defaults(&o);
    o.both_strands = false;
    ck_ok(sn_tomtom(&queries, &db, &o, NULL, &hits));
    ck_assert_int_eq(hits.n, 2);
    for (int i = 0; i < 2; i++) ck_assert(hits.v[i].overlap == 2 && hits.v[i].offset == -2); /* of -2, -1, 0; -2 alone */
    sn_tomtom_hits_free(&hits);
    sn_motif_set_free(&queries);
    sn_motif_set_free(&db);
}
END_TEST

START_TEST(comparison_refused) {
    struct sn_motif_set a, b;
    struct sn_tomtom_options o;
    struct sn_tomtom_hits hits;
    struct sn_stream r;
    sn_stream_init(&r, 8, 0, 0);
    sn_tomtom_defaults(&o);
    ck_ok(sn_motif_set_init(&a, "ACGT"));
    random_set(&r, 1, 5, 5, &b);
    ck_error(sn_tomtom(&b, &a, &o, NULL, &hits), SEQNET_EDATA, "no motifs");
    ck_error(sn_tomtom(&a, &b, &o, NULL, &hits), SEQNET_EDATA, "no motifs");
    sn_motif_set_free(&a);
    random_set(&r, 1, SN_TOMTOM_WIDEST + 1, SN_TOMTOM_WIDEST + 1, &a);
    ck_error(sn_tomtom(&a, &b, &o, NULL, &hits), SEQNET_EDATA, "301 columns");
    sn_motif_set_free(&a);
    random_set(&r, 2, 100, 100, &a);
    ck_ok(sn_tomtom(&a, &a, &o, NULL, &hits));
    ck_assert(hits.n == 4 && hits.v[0].target == 0);
    sn_tomtom_hits_free(&hits);
    strcpy(a.letter, "ACGU");
    ck_error(sn_tomtom(&a, &b, &o, NULL, &hits), SEQNET_EDATA, "ACGU");
    sn_motif_set_free(&a);
    sn_motif_set_free(&b);
    /* columns that are all alike have no scale */
    static const double even[] = {.25, .25, .25, .25};
    ck_ok(sn_motif_set_init(&a, "ACGT"));
    ck_ok(sn_motif_add(&a, "x", NULL, 1, even, 1));
    for (int pearson = 0; pearson < 2; pearson++) {
        o.distance = pearson ? SN_TOMTOM_PEARSON : SN_TOMTOM_EUCLIDEAN;
        ck_ok(sn_tomtom(&a, &a, &o, NULL, &hits));
        ck_assert(hits.n == 1 && hits.v[0].p == 1);
        sn_tomtom_hits_free(&hits);
    }
    sn_motif_set_free(&a);
}
END_TEST

/* ---- FIMO ---- */

static void encode(const char *s, uint8_t *codes) {
    for (; *s; s++) {
        const char *at = strchr("ACGT", *s);
        *codes++ = at ? (uint8_t)(at - "ACGT") : SN_FIMO_NO_BASE;
    }
}

/* The specification's M7. */
START_TEST(scan_golden) {
    static const double p[] = {.7, .1, .1, .1, .05, .05, .85, .05, .25, .25, .25, .25, .1, .6, .1, .2}, background[] = {.3, .2, .2, .3};
    static const int32_t score[] = {12, -10, -10, -16, -26, -20, 21, -26, -3, 3, 3, -3, -16, 16, -10, -6};
    static const char sequence[] = "TTAGACAGTCAGNCTT";
    struct sn_motif_set s;
    struct sn_fimo_options o;
    struct sn_fimo *f;
    const struct sn_fimo_hits *hits;
    uint8_t codes[32];
    ck_ok(sn_motif_set_init(&s, "ACGT"));
    memcpy(s.background, background, sizeof background);
    ck_ok(sn_motif_add(&s, "m", NULL, 4, p, 1));
    sn_fimo_defaults(&o);
    o.both_strands = false;
    o.threshold = .02;
    ck_ok(sn_fimo_create(&s, &o, NULL, &f));
    const struct sn_fimo_matrix *m = sn_fimo_matrices(f);
    ck_assert_int_eq(memcmp(m->score, score, sizeof score), 0);
    ck_assert_int_eq(m->lowest + m->n_scores - 1, 52);
    ck_assert_double_eq_tol(m->p[52 - m->lowest], .0048, 1e-12);
    ck_assert_double_eq_tol(m->p[26 - m->lowest], .0304, 1e-12);
    int distinct = 0;
    for (int i = 0; i < m->n_scores; i++) distinct += i + 1 == m->n_scores || m->p[i] != m->p[i + 1];
    ck_assert_int_eq(distinct, 34);
    encode(sequence, codes);
    ck_ok(sn_fimo_next(f));
    ck_ok(sn_fimo_feed(f, codes, (int64_t)strlen(sequence)));
    ck_ok(sn_fimo_end(f, &hits));
    ck_assert_int_eq(m->windows, 9);
    ck_assert_int_eq(hits->n, 2);
    for (int i = 0; i < 2; i++) {
        ck_assert(hits->v[i].start == (i ? 6 : 2) && hits->v[i].score == 46 && !hits->v[i].reverse);
        ck_assert_double_eq_tol(m->p[46 - m->lowest], .012, 1e-12);
        ck_assert_double_eq_tol(m->q[46 - m->lowest], .054, 1e-12);
        ck_assert_int_eq(memcmp(hits->text + hits->v[i].text, i ? "AGTC" : "AGAC", 4), 0);
    }
    sn_fimo_free(f);
    sn_motif_set_free(&s);
}
END_TEST

/* p of every score by all words of the motif's width. */
START_TEST(scan_null_by_counting) {
    struct sn_stream r;
    sn_stream_init(&r, 9, 0, 0);
    for (int round = 0; round < 20; round++) {
        struct sn_motif_set s;
        struct sn_fimo_options o;
        struct sn_fimo_matrix m;
        int width = 1 + round % 6;
        random_set(&r, 1, width, width, &s);
        for (int b = 0; b < 4; b++) s.background[b] = (double[]){.1, .2, .3, .4}[b];
        sn_fimo_defaults(&o);
        o.both_strands = round % 2;
        o.uniform = round % 4 == 3;
        o.threshold = .03;
        ck_ok(sn_fimo_matrix_make(&s.m[0], s.background, &o, &m));
        const double base[] = {o.both_strands ? .25 : .1, o.both_strands ? .25 : .2, o.both_strands ? .25 : .3, o.both_strands ? .25 : .4};
        double *tail = calloc((size_t)m.n_scores, sizeof *tail);
        for (int word = 0; word < 1 << (2 * width); word++) {
            double p = 1;
            int score = 0;
            for (int j = 0; j < width; j++) {
                int b = word >> (2 * j) & 3;
                p *= base[b];
                score += m.score[j * 4 + b];
            }
            for (int i = 0; i <= score - m.lowest; i++) tail[i] += p;
        }
        for (int i = 0; i < m.n_scores; i++) {
            ck_assert_double_eq_tol(m.p[i], tail[i], 1e-12);
            ck_assert((i + m.lowest >= m.least) == (m.p[i] <= .03));
        }
        free(tail);
        sn_fimo_matrix_free(&m);
        sn_motif_set_free(&s);
    }
}
END_TEST

/* Sequences as one text: every window of every motif, tried one after the other. */
struct text {
    uint8_t *codes;
    int64_t n, first[64]; /* first base of each sequence, and the end */
    int sequences;
};

static void random_text(struct sn_stream *r, int sequences, int longest, struct text *t) {
    t->n = 0;
    t->sequences = sequences;
    t->codes = calloc((size_t)sequences * (size_t)longest + 1, 1);
    for (int k = 0; k < sequences; k++) {
        int64_t n = k % 5 == 0 ? (int64_t)sn_stream_below(r, 12) : (int64_t)sn_stream_below(r, (uint64_t)longest);
        t->first[k] = t->n;
        for (int64_t i = 0; i < n; i++) t->codes[t->n++] = sn_stream_below(r, 200) ? (uint8_t)sn_stream_below(r, 4) : SN_FIMO_NO_BASE;
    }
    t->first[sequences] = t->n;
}

static void check_scan(const struct text *t, const struct sn_fimo *f, const struct sn_fimo_hits *hits, int n_motifs, bool both) {
    int64_t at = 0, expected = 0;
    for (int k = 0; k < n_motifs; k++) {
        const struct sn_fimo_matrix *m = &sn_fimo_matrices(f)[k];
        int64_t windows = 0, from = at, found = 0;
        while (at < hits->n && hits->v[at].motif == k) at++;
        for (int s = 0; s < t->sequences; s++)
            for (int64_t i = t->first[s]; i + m->width <= t->first[s + 1]; i++) {
                int plus = 0, minus = 0, j = 0;
                for (; j < m->width && t->codes[i + j] < 4; j++) {
                    plus += m->score[j * 4 + t->codes[i + j]];
                    minus += m->score[(m->width - 1 - j) * 4 + 3 - t->codes[i + j]];
                }
                if (j < m->width) continue;
                windows += both ? 2 : 1;
                for (int strand = 0; strand < (both ? 2 : 1); strand++) {
                    int score = strand ? minus : plus;
                    if (score < m->least) continue;
                    found++;
                    int64_t h = from;
                    while (h < at && !(hits->v[h].sequence == s && hits->v[h].start == i - t->first[s] && hits->v[h].reverse == strand))
                        h++;
                    ck_assert_msg(h < at, "motif %d: no hit in sequence %d at %d", k, s, (int)(i - t->first[s]));
                    ck_assert_int_eq(hits->v[h].score, score);
                    const char *word = hits->text + hits->v[h].text;
                    for (j = 0; j < m->width; j++)
                        ck_assert_int_eq(word[j], "ACGT"[strand ? 3 - t->codes[i + m->width - 1 - j] : t->codes[i + j]]);
                }
            }
        ck_assert_int_eq(m->windows, windows);
        ck_assert_int_eq(at - from, found);
        expected += found;
        for (int64_t i = from + 1; i < at; i++) ck_assert(hits->v[i - 1].score >= hits->v[i].score);
    }
    ck_assert_int_eq(hits->n, expected);
}

static void feed_pieces(struct sn_fimo *f, const struct text *t, struct sn_stream *r) {
    for (int s = 0; s < t->sequences; s++) {
        ck_ok(sn_fimo_next(f));
        for (int64_t i = t->first[s]; i < t->first[s + 1];) {
            int64_t left = t->first[s + 1] - i, n = r ? 1 + (int64_t)sn_stream_below(r, (uint64_t)left) : left;
            ck_ok(sn_fimo_feed(f, t->codes + i, n));
            i += n;
        }
    }
}

START_TEST(scan_by_trying) {
    struct sn_stream r;
    struct sn_motif_set s;
    struct text t;
    sn_stream_init(&r, 10, 0, 0);
    random_set(&r, 25, 1, 45, &s);
    random_text(&r, 50, 1200, &t);
    for (int both = 0; both < 2; both++)
        for (size_t set = 0; set < 3; set++) {
            if (!use_set(instruction_sets[set])) continue;
            for (int threads = 1; threads < 4; threads += 2) {
                struct sn_fimo_options o;
                struct sn_pool *pool;
                struct sn_fimo *f;
                const struct sn_fimo_hits *hits;
                sn_fimo_defaults(&o);
                o.both_strands = both;
                o.threshold = 2e-3;
                if (threads == 3) o.room = 90 + 11 * (int64_t)set; /* many borders, in every place */
                ck_ok(sn_pool_create(threads, &pool));
                ck_ok(sn_fimo_create(&s, &o, pool, &f));
                feed_pieces(f, &t, threads == 1 ? NULL : &r);
                ck_ok(sn_fimo_end(f, &hits));
                ck_assert_int_gt(hits->n, 100);
                check_scan(&t, f, hits, s.n, both);
                sn_fimo_free(f);
                sn_pool_free(pool);
            }
        }
    unsetenv("SEQNET_CPU");
    free(t.codes);
    sn_motif_set_free(&s);
}
END_TEST

/* More bases than are scanned at a time: windows over the border are there, once. */
START_TEST(scan_long_sequence) {
    struct sn_stream r;
    struct sn_motif_set s;
    struct sn_fimo_options o;
    struct sn_pool *pool;
    struct sn_fimo *f;
    const struct sn_fimo_hits *hits;
    const int64_t n = (int64_t)9 << 20;
    uint8_t *codes = calloc((size_t)n, 1);
    sn_stream_init(&r, 11, 0, 0);
    for (int64_t i = 0; i < n; i++) codes[i] = (uint8_t)(sn_stream_u64(&r) >> 62);
    random_set(&r, 2, 9, 16, &s);
    sn_fimo_defaults(&o);
    ck_ok(sn_pool_create(2, &pool));
    ck_ok(sn_fimo_create(&s, &o, pool, &f));
    ck_ok(sn_fimo_next(f));
    for (int64_t i = 0; i < n; i += 100000) ck_ok(sn_fimo_feed(f, codes + i, n - i < 100000 ? n - i : 100000));
    ck_ok(sn_fimo_end(f, &hits));
    for (int k = 0; k < 2; k++) {
        const struct sn_fimo_matrix *m = &sn_fimo_matrices(f)[k];
        int64_t found = 0, told = 0;
        for (int64_t i = 0; i + m->width <= n; i++) {
            int plus = 0, minus = 0;
            for (int j = 0; j < m->width; j++) {
                plus += m->score[j * 4 + codes[i + j]];
                minus += m->score[(m->width - 1 - j) * 4 + 3 - codes[i + j]];
            }
            found += (plus >= m->least) + (minus >= m->least);
        }
        for (int64_t i = 0; i < hits->n; i++) {
            told += hits->v[i].motif == k;
            if (i > 0 && hits->v[i].motif == hits->v[i - 1].motif)
                ck_assert(hits->v[i].start != hits->v[i - 1].start || hits->v[i].reverse != hits->v[i - 1].reverse);
        }
        ck_assert_int_eq(told, found);
        ck_assert_int_eq(m->windows, 2 * (n - m->width + 1));
    }
    sn_fimo_free(f);
    sn_pool_free(pool);
    sn_motif_set_free(&s);
    free(codes);
}
END_TEST

START_TEST(scan_refused) {
    static const double even[20] = {1};
    struct sn_motif_set s;
    struct sn_fimo_options o;
    struct sn_fimo *f;
    const struct sn_fimo_hits *hits;
    sn_fimo_defaults(&o);
    ck_ok(sn_motif_set_init(&s, "ACGT"));
    ck_error(sn_fimo_create(&s, &o, NULL, &f), SEQNET_EDATA, "no motifs");
    ck_ok(sn_motif_add(&s, "m", NULL, 2, even, 1));
    s.background[0] = s.background[3] = 0;
    ck_error(sn_fimo_create(&s, &o, NULL, &f), SEQNET_EDATA, "frequency 0");
    o.room = 3;
    ck_error(sn_fimo_create(&s, &o, NULL, &f), SEQNET_EINVAL, "room for 3 bases");
    sn_fimo_defaults(&o);
    o.uniform = true;
    ck_ok(sn_fimo_create(&s, &o, NULL, &f));
    ck_ok(sn_fimo_end(f, &hits)); /* no sequence at all */
    ck_assert_int_eq(hits->n, 0);
    sn_fimo_free(f);
    sn_motif_set_free(&s);
    ck_ok(sn_motif_set_init(&s, "ACDEFGHIKLMNPQRSTVWY"));
    ck_ok(sn_motif_add(&s, "m", NULL, 1, even, 1));
    ck_error(sn_fimo_create(&s, &o, NULL, &f), SEQNET_ENOTSUP, "ACDEFGHIKLMNPQRSTVWY");
    sn_motif_set_free(&s);
}
END_TEST

int main(void) {
    Suite *s = suite_create("motif_tools");
    TCase *t = tcase_create("motif_tools");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, comparison_golden);
    tcase_add_test(t, comparison_by_counting);
    tcase_add_test(t, comparison_scores);
    tcase_add_test(t, comparison_side_by_side);
    tcase_add_test(t, comparison_limits);
    tcase_add_test(t, comparison_bits);
    tcase_add_test(t, comparison_tiny_p);
    tcase_add_test(t, comparison_ties);
    tcase_add_test(t, comparison_refused);
    tcase_add_test(t, scan_golden);
    tcase_add_test(t, scan_null_by_counting);
    tcase_add_test(t, scan_by_trying);
    tcase_add_test(t, scan_long_sequence);
    tcase_add_test(t, scan_refused);
    suite_add_tcase(s, t);
    return unit_run(s);
}
