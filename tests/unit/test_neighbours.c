/* Lists of the nearest against all pairs: ties, more asked for than there are, one, none near; coarse similarities against sums over the
 * gapped k-mers themselves. */
#include "motif/neighbours.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/rng.h"
#include "unit.h"

#define ck_ok(call) ck_assert_msg((call) >= 0, "%s", sn_error_text())

/* ---- lists ---- */

struct made {
    int n, levels; /* of similarity: few give many ties; 0: none is near */
    int from, done;
};

static float alike(const struct made *m, int i, int j) {
    uint64_t a = (uint64_t)(i < j ? i : j), b = (uint64_t)(i < j ? j : i), h = (a * 2654435761u + b + 1) * UINT64_C(0x9e3779b97f4a7c15);
    if (m->levels == 0) return a % 2 ? 0.0f : -0.5f;
    return (float)((int64_t)((h >> 33) % (uint64_t)(m->levels + 2)) - 1) / (float)m->levels; /* -1/levels and 0 too */
}

static int made_columns(void *self, int from, int to) {
    struct made *m = self;
    ck_assert(from == m->from && to > from && to <= m->n && to - from <= SN_COLUMNS && m->done == 0);
    m->from = to;
    return 0;
}

static void made_row(const void *self, int row, int from, int to, int worker, float *score) {
    (void)worker;
    const struct made *m = self;
    for (int j = from; j < to; j++) score[j - from] = j > row ? alike(m, row, j) : 9; /* must not be taken */
}

static void made_done(void *self) {
    struct made *m = self;
    ck_assert_int_eq(m->from, m->n);
    m->done++;
}

struct near {
    float score;
    int id;
};
static int nearest_first(const void *a, const void *b) {
    const struct near *x = a, *y = b;
    return x->score != y->score ? (x->score > y->score ? -1 : 1) : x->id - y->id;
}
static int by_id(const void *a, const void *b) {
    return ((const struct near *)a)->id - ((const struct near *)b)->id;
}

static void check_lists(int n, int k, int levels, bool with_self, struct sn_pool *pool) {
    struct made m = {.n = n, .levels = levels};
    struct sn_similar similar = {&m, made_columns, made_row, made_done};
    struct sn_neighbours nb;
    struct near *all = calloc((size_t)n, sizeof *all);
    ck_ok(sn_neighbours_find(n, k, with_self, &similar, pool, NULL, NULL, &nb));
    ck_assert_int_eq(m.done, 1);
    for (int i = 0; i<n; i += n> 300 ? 13 : 1) {
        int have = 0;
        for (int j = 0; j < n; j++)
            if (j != i && alike(&m, i, j) > 0) all[have++] = (struct near){alike(&m, i, j), j};
        qsort(all, (size_t)have, sizeof *all, nearest_first);
        if (have > k) have = k;
        if (with_self) all[have++] = (struct near){1, i};
        qsort(all, (size_t)have, sizeof *all, by_id);
        ck_assert_msg(nb.count[i] == have, "n %d k %d levels %d row %d: %d of %d", n, k, levels, i, nb.count[i], have);
        for (int e = 0; e < have; e++) {
            int64_t at = (int64_t)i * nb.k + e;
            ck_assert_msg(nb.id[at] == all[e].id && nb.score[at] == all[e].score, "n %d k %d levels %d row %d, %d: %d %g, expected %d %g",
                          n, k, levels, i, e, nb.id[at], (double)nb.score[at], all[e].id, (double)all[e].score);
        }
    }
    sn_neighbours_free(&nb);
    free(all);
}

START_TEST(lists) {
    static const int sizes[] = {1, 2, 17, 300, SN_COLUMNS, 2 * SN_COLUMNS + 77}, levels[] = {0, 1, 3, 1000000};
    for (int threads = 1; threads <= 3; threads += 2) {
        struct sn_pool *pool;
        ck_ok(sn_pool_create(threads, &pool));
        for (int s = 0; s < 6; s++)
            for (int l = 0; l < 4; l++) {
                int n = sizes[s], several = n > 300 ? 300 : n / 3;
                check_lists(n, 1, levels[l], l % 2, pool);
                check_lists(n, several, levels[l], !(l % 2), pool);
                if (n <= 300) check_lists(n, n - 1, levels[l], true, pool);
                if (n <= 300) check_lists(n, n + 5, levels[l], false, pool);
                check_lists(n, 0, levels[l], l % 2, pool);
            }
        sn_pool_free(pool);
    }
}
END_TEST

/* Lists of more than one allocation. */
START_TEST(many_lists) {
    check_lists(8 * SN_COLUMNS + 3, 2, 5, true, NULL);
}
END_TEST

/* ---- coarse similarities ---- */

enum { N = SN_COLUMNS + 90, LENGTH = 24, ENTRIES = 500 };

struct vector {
    struct sn_gapped_kmer k[ENTRIES];
    int n;
    double size;
};

static void vectors(const struct sn_attributions *a, const struct sn_gapped_table *t, struct vector *v) {
    struct sn_gapped_work *w;
    ck_ok(sn_gapped_work_create(&t->rule, &w));
    for (int i = 0; i < N; i++) {
        float c[LENGTH];
        for (int p = 0; p < LENGTH; p++) {
            uint8_t b = a->bases[i * LENGTH + p];
            c[p] = b < 4 ? ((const float *)(const void *)a->hypothetical)[(i * LENGTH + p) * 4 + b] : 0;
        }
        v[i].n = sn_gapped_extract(t, w, a->bases + i * LENGTH, c, LENGTH, v[i].k);
        for (int m = 0; m < v[i].n; m++) v[i].size += (double)v[i].k[m].value * (double)v[i].k[m].value;
        v[i].size = sqrt(v[i].size);
    }
    sn_gapped_work_free(w);
}

/* value: of one seqlet's tuples, 0 elsewhere */
static double cosine(const struct sn_gapped_table *t, const struct vector *v, const float *value, double size, bool both_strands) {
    double same = 0, other = 0;
    for (int m = 0; m < v->n; m++) {
        same += (double)v->k[m].value * (double)value[sn_gapped_number(t, &v->k[m])];
        if (both_strands) other += (double)v->k[m].value * (double)value[sn_gapped_reverse(t, &v->k[m])];
    }
    return (same > other ? same : other) / (v->size * size);
}

static void check_coarse(const struct sn_attributions *a, const struct sn_gapped_table *t, const struct vector *v, float *value,
                         bool both_strands) {
    struct sn_neighbours nb[2];
    struct sn_seqlet *s = calloc(N, sizeof *s);
    struct sn_pool *pool;
    ck_ok(sn_pool_create(2, &pool));
    for (int i = 0; i < N; i++) s[i] = (struct sn_seqlet){.sequence = i, .start = 0, .end = LENGTH};
    ck_ok(sn_coarse_neighbours(a, s, N, 1, N, both_strands, NULL, NULL, &nb[0]));
    ck_ok(sn_coarse_neighbours(a, s, N, 1, N, both_strands, pool, NULL, &nb[1]));
    for (int i = 0; i < N; i++) {
        size_t at = (size_t)i * (size_t)nb[0].k, n = (size_t)nb[0].count[i];
        ck_assert_int_eq(nb[1].count[i], nb[0].count[i]);
        ck_assert_mem_eq(nb[1].id + at, nb[0].id + at, n * sizeof *nb[0].id);
        ck_assert_mem_eq(nb[1].score + at, nb[0].score + at, n * sizeof *nb[0].score);
    }
    for (int j = 3; j < N; j += 53) {
        for (int m = 0; m < v[j].n; m++) value[sn_gapped_number(t, &v[j].k[m])] = v[j].k[m].value;
        for (int i = 0; i < N; i++) {
            double want = i == j ? 1 : cosine(t, &v[i], value, v[j].size, both_strands), got = 0;
            for (int e = 0; e < nb[0].count[i]; e++)
                if (nb[0].id[(int64_t)i * nb[0].k + e] == j) got = (double)nb[0].score[(int64_t)i * nb[0].k + e];
            ck_assert_msg(fabs(got - (want > 0 ? want : 0)) < 2e-6, "%d and %d: %.7f, expected %.7f", i, j, got, want);
        }
        for (int m = 0; m < v[j].n; m++) value[sn_gapped_number(t, &v[j].k[m])] = 0;
    }
    sn_neighbours_free(&nb[0]);
    sn_neighbours_free(&nb[1]);
    sn_pool_free(pool);
    free(s);
}

START_TEST(coarse) {
    static const uint8_t site[10] = {0, 2, 3, 1, 0, 3, 2, 1, 3, 3}; /* planted on either strand; its middle reads the same on both */
    static uint8_t bases[N * LENGTH];
    static float hypothetical[N * LENGTH * 4];
    struct sn_stream r;
    struct sn_gapped_table *t = malloc(sizeof *t);
    struct vector *v = calloc(N, sizeof *v);
    sn_stream_init(&r, 5, 0, 0);
    for (int i = 0; i < N; i++) {
        int at = (int)sn_stream_below(&r, LENGTH - 10), reverse = (int)sn_stream_below(&r, 2), planted = sn_stream_below(&r, 3) > 0;
        for (int p = 0; p < LENGTH; p++) {
            int q = p - at, inside = planted && q >= 0 && q < 10;
            uint8_t b = (uint8_t)sn_stream_below(&r, 4);
            if (inside) b = reverse ? (uint8_t)(3 - site[9 - q]) : site[q];
            if (!inside && sn_stream_below(&r, 40) == 0) b = 4;
            bases[i * LENGTH + p] = b;
            for (int c = 0; c < 4; c++)
                hypothetical[(i * LENGTH + p) * 4 + c] = (float)sn_stream_below(&r, 1000) / 1000 - 0.4f + (inside && c == b ? 1.0f : 0.0f);
        }
    }
    struct sn_attributions a = {.n = N,
                                .length = LENGTH,
                                .bases = bases,
                                .hypothetical = (const uint8_t *)hypothetical,
                                .row_step = LENGTH * 4 * sizeof(float),
                                .position_step = 4 * sizeof(float),
                                .base_step = sizeof(float)};
    sn_gapped_table_init(t, &sn_gapped_default);
    float *value = calloc(t->n, sizeof *value);
    vectors(&a, t, v);
    check_coarse(&a, t, v, value, true);
    check_coarse(&a, t, v, value, false);
    free(value);
    free(v);
    free(t);
}
END_TEST

int main(void) {
    Suite *s = suite_create("neighbours");
    TCase *t = tcase_create("neighbours");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, lists);
    tcase_add_test(t, many_lists);
    tcase_add_test(t, coarse);
    suite_add_tcase(s, t);
    return unit_run(s);
}
