/* Leiden communities: modularity against its definition, graphs whose answer is known, igraph's and leidenalg's best on random graphs,
 * parts that hang together, the same result on any number of threads, bad input. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../goldens/leiden.h"
#include "core/error.h"
#include "core/exp.h"
#include "core/mem.h"
#include "core/pool.h"
#include "core/rng.h"
#include "motif/leiden.h"
#include "unit.h"

#define ck_ok(call) ck_assert_msg((call) >= 0, "%s", sn_error_text())

/* A graph as a full matrix; links() makes its rows. */
struct matrix {
    int n;
    float *a;
    struct sn_links g;
};

static struct matrix matrix_new(int n) {
    return (struct matrix){.n = n, .a = sn_calloc((size_t)(n * n) + 1, sizeof(float))};
}

static void link_nodes(struct matrix *m, int i, int j, float w) {
    m->a[i * m->n + j] = m->a[j * m->n + i] = w;
}

static void links(struct matrix *m) {
    int n = m->n;
    int64_t *first = sn_calloc((size_t)n + 1, sizeof *first), at = 0;
    int32_t *to = sn_calloc((size_t)(n * n) + 1, sizeof *to);
    float *weight = sn_calloc((size_t)(n * n) + 1, sizeof *weight), *self = sn_calloc((size_t)n + 1, sizeof *self);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            if (i == j || m->a[i * n + j] == 0) continue;
            to[at] = j;
            weight[at++] = m->a[i * n + j];
        }
        self[i] = m->a[i * n + i];
        first[i + 1] = at;
    }
    m->g = (struct sn_links){n, first, to, weight, self};
}

static void matrix_free(struct matrix *m) {
    free(m->a);
    free((void *)m->g.first);
    free((void *)m->g.to);
    free((void *)m->g.weight);
    free((void *)m->g.self);
}

/* (1/2m) sum_ij (A_ij - k_i k_j / 2m) [c_i = c_j], as the definition has it. */
static double by_definition(const struct matrix *m, const int32_t *member) {
    int n = m->n;
    double *k = sn_calloc((size_t)n, sizeof *k), total = 0, q = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            k[i] += (double)m->a[i * n + j];
            total += (double)m->a[i * n + j];
        }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            if (member[i] == member[j]) q += (double)m->a[i * n + j] - k[i] * k[j] / total;
    free(k);
    return q / total;
}

/* Every community is one piece: a walk from its first node over links inside reaches all its nodes. */
static void expect_connected(const struct matrix *m, const int32_t *member, int n_communities) {
    int n = m->n;
    int *stack = sn_calloc((size_t)n, sizeof *stack);
    bool *seen = sn_calloc((size_t)n, sizeof *seen);
    for (int c = 0; c < n_communities; c++) {
        int waiting = 0, v = 0;
        while (member[v] != c) v++;
        stack[waiting++] = v;
        seen[v] = true;
        while (waiting > 0) {
            int u = stack[--waiting];
            for (int x = 0; x < n; x++) {
                if (seen[x] || member[x] != c || m->a[u * n + x] == 0) continue;
                seen[x] = true;
                stack[waiting++] = x;
            }
        }
    }
    for (int v = 0; v < n; v++) ck_assert_msg(seen[v], "node %d is cut off from its community %d", v, (int)member[v]);
    free(stack);
    free(seen);
}

/* Numbered 0.., largest first, ties by lowest node. */
static void expect_numbered(const int32_t *member, int n, int n_communities) {
    int *size = sn_calloc((size_t)n + 1, sizeof *size), *first = sn_calloc((size_t)n + 1, sizeof *first);
    for (int v = n - 1; v >= 0; v--) {
        ck_assert_int_ge(member[v], 0);
        ck_assert_int_lt(member[v], n_communities);
        size[member[v]]++;
        first[member[v]] = v;
    }
    for (int c = 0; c < n_communities; c++) {
        ck_assert_int_gt(size[c], 0);
        if (c) ck_assert(size[c - 1] > size[c] || (size[c - 1] == size[c] && first[c - 1] < first[c]));
    }
    free(size);
    free(first);
}

/* Runs one seed and checks everything that holds for any graph. */
static int communities(struct matrix *m, uint64_t seed, int32_t *member, double *q) {
    int n_communities = -1;
    ck_ok(sn_leiden(&m->g, seed, member, &n_communities, q));
    expect_numbered(member, m->n, n_communities);
    expect_connected(m, member, n_communities);
    double defined = by_definition(m, member), same;
    ck_assert_double_eq_tol(*q, defined, 1e-9);
    ck_ok(sn_leiden_modularity(&m->g, member, &same));
    ck_assert_double_eq_tol(*q, same, 1e-12);
    return n_communities;
}

static struct matrix random_matrix(int n, int blocks, double inside, double between, uint64_t index) {
    struct matrix m = matrix_new(n);
    struct sn_stream s;
    sn_stream_init(&s, 5, index, 0);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) {
            double draw = sn_stream_unit(&s), weight = sn_stream_unit(&s);
            if (draw < (i % blocks == j % blocks ? inside : between) / 1000) link_nodes(&m, i, j, (float)weight);
        }
    return m;
}

START_TEST(modularity) {
    struct matrix m = random_matrix(70, 4, 300, 60, 99);
    int32_t member[70];
    double q;
    for (int i = 0; i < 70; i += 3) m.a[i * 71] = (float)(i % 7) * .3f; /* loops count */
    links(&m);
    for (int i = 0; i < 70; i++) member[i] = i % 9;
    ck_ok(sn_leiden_modularity(&m.g, member, &q));
    ck_assert_double_eq_tol(q, by_definition(&m, member), 1e-12);
    for (uint64_t seed = 0; seed < 20; seed++) communities(&m, seed, member, &q);
    ck_assert_double_gt(q, .3);
    matrix_free(&m);
}
END_TEST

/* cliques of `size` nodes in a ring (or a chain of two), one link between neighbours */
static struct matrix ring(int cliques, int size) {
    struct matrix m = matrix_new(cliques * size);
    for (int c = 0; c < cliques; c++) {
        for (int i = 0; i < size; i++)
            for (int j = 0; j < i; j++) link_nodes(&m, c * size + i, c * size + j, 1);
        if (cliques > 2 || c == 0) link_nodes(&m, c * size, (c + 1) % cliques * size + 1, 1);
    }
    links(&m);
    return m;
}

START_TEST(cliques) {
    static const int shape[][2] = {{2, 5}, {8, 6}, {12, 8}, {10, 30}};
    for (int s = 0; s < 4; s++) {
        int n = shape[s][0], size = shape[s][1];
        struct matrix m = ring(n, size);
        int32_t *member = sn_calloc((size_t)m.n, sizeof *member);
        double q, edges = n * size * (size - 1) / 2.0 + (n > 2 ? n : 1);
        for (uint64_t seed = 1; seed <= 10; seed++) {
            ck_assert_int_eq(communities(&m, seed, member, &q), n);
            for (int v = 0; v < m.n; v++) ck_assert_int_eq(member[v], v / size);
            ck_assert_double_eq_tol(q, n * size * (size - 1) / 2.0 / edges - 1.0 / n, 1e-9);
        }
        free(member);
        matrix_free(&m);
    }
}
END_TEST

START_TEST(planted) {
    struct matrix m = random_matrix(400, 8, 400, 30, 7);
    int32_t member[400];
    double q;
    links(&m);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        ck_assert_int_eq(communities(&m, seed, member, &q), 8);
        for (int v = 0; v < 400; v++) ck_assert_int_eq(member[v], v % 8);
    }
    matrix_free(&m);
}
END_TEST

/* Zachary, "An information flow model for conflict and fission in small groups", J. Anthropol. Res. 33 (1977): friends in a club. */
static const char *const friends[34] = {
    [0] = "2 3 4 5 6 7 8 9 11 12 13 14 18 20 22 32",
    [1] = "3 4 8 14 18 20 22 31",
    [2] = "4 8 9 10 14 28 29 33",
    [3] = "8 13 14",
    [4] = "7 11",
    [5] = "7 11 17",
    [6] = "17",
    [8] = "31 33 34",
    [9] = "34",
    [13] = "34",
    [14] = "33 34",
    [15] = "33 34",
    [18] = "33 34",
    [19] = "34",
    [20] = "33 34",
    [22] = "33 34",
    [23] = "26 28 30 33 34",
    [24] = "26 28 32",
    [25] = "32",
    [26] = "30 34",
    [27] = "34",
    [28] = "32 34",
    [29] = "33 34",
    [30] = "33 34",
    [31] = "33 34",
    [32] = "34",
};

START_TEST(karate) {
    struct matrix m = matrix_new(34);
    int32_t member[34];
    int edges = 0, n;
    double q, best = 0, worst = 1;
    for (int i = 0; i < 34; i++)
        for (const char *s = friends[i]; s && *s; edges++) {
            link_nodes(&m, i, (int)strtol(s, (char **)&s, 10) - 1, 1);
        }
    ck_assert_int_eq(edges, 78);
    links(&m);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        communities(&m, seed, member, &q);
        best = q > best ? q : best;
        worst = q < worst ? q : worst;
    }
    ck_assert_double_eq_tol(best, 0.41978961, 1e-7); /* the optimum (Brandes et al., IEEE TKDE 20:172, 2008) */
    ck_assert_double_gt(worst, 0.40);
    ck_ok(sn_leiden_best(&m.g, 10, NULL, member, &n, &q));
    ck_assert_double_eq_tol(q, 0.41978961, 1e-7);
    ck_assert_int_eq(n, 4);
    matrix_free(&m);
}
END_TEST

START_TEST(as_good_as_others) {
    int i = _i;
    struct matrix m = random_matrix(LEIDEN[i].n, LEIDEN[i].blocks, LEIDEN[i].inside, LEIDEN[i].between, (uint64_t)i);
    int32_t *member = sn_calloc((size_t)m.n, sizeof *member);
    int n;
    double q, sum = 0, mean = 0;
    links(&m);
    ck_assert_int_eq(m.g.first[m.n], 2 * LEIDEN[i].edges); /* the same graph */
    for (int64_t e = 0; e < m.g.first[m.n]; e++) sum += (double)m.g.weight[e] / 2;
    ck_assert_double_eq_tol(sum, LEIDEN[i].weight, 1e-6 * sum);
    for (uint64_t seed = 1; seed <= 50; seed++) {
        ck_ok(sn_leiden(&m.g, seed, member, &n, &q));
        mean += q / 50;
    }
    ck_assert_msg(mean >= LEIDEN[i].mean - 2e-3, "graph %d: mean modularity %.6f, igraph's %.6f", i, mean, LEIDEN[i].mean);
    ck_ok(sn_leiden_best(&m.g, 400, NULL, member, &n, &q));
    ck_assert_msg(q >= LEIDEN[i].best - 1e-3, "graph %d: modularity %.6f, others find %.6f", i, q, LEIDEN[i].best);
    ck_assert_double_eq_tol(q, by_definition(&m, member), 1e-9);
    expect_connected(&m, member, n);
    free(member);
    matrix_free(&m);
}
END_TEST

/* Blocks, and nodes with loops whose links go everywhere: these leave their first communities to be alone again. */
static struct matrix with_leavers(uint64_t index) {
    struct sn_stream s;
    sn_stream_init(&s, 77, index, 0);
    int blocks = 2 + (int)index % 6, inside = blocks * 20, n = inside + 30 + (int)sn_stream_below(&s, 60);
    float loop = (float)sn_stream_unit(&s) * 10, weak = (float)sn_stream_unit(&s), chance = (float)sn_stream_unit(&s);
    struct matrix m = matrix_new(n);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) {
            double draw = sn_stream_unit(&s), weight = sn_stream_unit(&s);
            if (i < inside ? i % blocks == j % blocks : draw < (double)chance)
                link_nodes(&m, i, j, i < inside ? (float)weight : weak * (float)weight);
        }
    for (int i = inside; i < n; i++) m.a[i * (n + 1)] = loop;
    links(&m);
    return m;
}

/* Equal weights, so that gains are often equal. */
static struct matrix lattice(int rows, int columns) {
    struct matrix m = matrix_new(rows * columns);
    for (int i = 0; i < m.n; i++) {
        link_nodes(&m, i, i / columns * columns + (i + 1) % columns, 1);
        if (rows > 2) link_nodes(&m, i, (i + columns) % m.n, 1);
    }
    links(&m);
    return m;
}

static struct matrix weighted(uint64_t index) {
    struct matrix m = random_matrix(300, 3 + (int)index % 8, 100, 40, index);
    links(&m);
    return m;
}

/* The links of nodes to few communities are kept up to date by moves, and so is which parts are tied well enough; the sums of hashes are
 * those of a version that reckoned both anew at every visit. */
START_TEST(as_when_reckoned_anew) {
    static const uint64_t want[3] = {0x89950fb5a536c52b, 0x94968a98966a4e4b, 0x1126d2c518f4c702};
    uint64_t got = 0;
    for (uint64_t index = 0; index < 100; index++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct matrix m = _i == 0   ? with_leavers(index + 150)
                              : _i == 1 ? weighted(index)
                                        : lattice(1 + (int)index % 6, 3 + (int)index / 6);
            int32_t *member = sn_calloc((size_t)m.n, sizeof *member);
            int n;
            double q;
            ck_ok(sn_leiden(&m.g, seed, member, &n, &q));
            for (int v = 0; v < m.n; v++) got += sn_mix64((index * 3 + seed) << 32 ^ (uint64_t)(v << 16 ^ member[v]));
            free(member);
            matrix_free(&m);
        }
    ck_assert_msg(got == want[_i], "graphs %d: 0x%016llx", _i, (unsigned long long)got);
}
END_TEST

/* One seed's result is its own; the best is the highest, the lowest seed among equals; neither depends on the pool. */
START_TEST(seeds_and_threads) {
    struct matrix m = random_matrix(300, 10, 100, 40, 3);
    int32_t want[300], got[300];
    int n_want = 0, n_got;
    double q_want = -1, q;
    links(&m);
    for (uint64_t seed = 100; seed <= 1200; seed += 100) {
        ck_ok(sn_leiden(&m.g, seed, got, &n_got, &q));
        if (q <= q_want) continue;
        q_want = q;
        n_want = n_got;
        memcpy(want, got, sizeof got);
    }
    for (int workers = 1; workers <= 5; workers += 2) {
        struct sn_pool *pool;
        ck_ok(sn_pool_create(workers, &pool));
        for (int again = 0; again < 3; again++) {
            memset(got, -1, sizeof got);
            ck_ok(sn_leiden_best(&m.g, 12, pool, got, &n_got, &q));
            ck_assert_double_eq(q, q_want);
            ck_assert_int_eq(n_got, n_want);
            ck_assert_mem_eq(got, want, sizeof got);
        }
        sn_pool_free(pool);
    }
    matrix_free(&m);
}
END_TEST

/* A circle of 12 has its best partition, four arcs of three, in three turns: the lowest of the seeds that find one decides. */
START_TEST(equal_seeds) {
    struct matrix m = matrix_new(12);
    int32_t want[12], got[12];
    int n;
    double q_want = -1, q;
    bool differ = false;
    for (int i = 0; i < 12; i++) link_nodes(&m, i, (i + 1) % 12, 1);
    links(&m);
    for (uint64_t seed = 100; seed <= 4000; seed += 100) {
        ck_ok(sn_leiden(&m.g, seed, got, &n, &q));
        differ |= q == q_want && memcmp(got, want, sizeof got) != 0;
        if (q <= q_want) continue;
        q_want = q;
        memcpy(want, got, sizeof got);
    }
    ck_assert(differ); /* else this test says nothing */
    for (int workers = 1; workers <= 8; workers++) {
        struct sn_pool *pool;
        ck_ok(sn_pool_create(workers, &pool));
        ck_ok(sn_leiden_best(&m.g, 40, pool, got, &n, &q));
        ck_assert_double_eq(q, q_want);
        ck_assert_mem_eq(got, want, sizeof got);
        sn_pool_free(pool);
    }
    matrix_free(&m);
}
END_TEST

START_TEST(small_and_empty) {
    int32_t member[6] = {9, 9, 9, 9, 9, 9};
    int n = 9;
    double q = 9;
    struct matrix m = matrix_new(0);
    links(&m);
    ck_ok(sn_leiden_best(&m.g, 3, NULL, member, &n, &q));
    ck_assert_int_eq(n, 0);
    ck_assert_double_eq(q, 0);
    matrix_free(&m);

    m = matrix_new(1);
    m.a[0] = 2;
    links(&m);
    ck_ok(sn_leiden(&m.g, 1, member, &n, &q));
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(member[0], 0);
    ck_assert_double_eq(q, 0); /* all inside, all expected */
    matrix_free(&m);

    m = matrix_new(5); /* no link at all */
    links(&m);
    ck_ok(sn_leiden(&m.g, 1, member, &n, &q));
    ck_assert_int_eq(n, 5);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(member[i], i);
    ck_assert_double_eq(q, 0);
    matrix_free(&m);

    m = matrix_new(6); /* 3-5 linked, 1 only to itself, 0 and 2 not at all; a link of weight 0 joins nothing */
    link_nodes(&m, 3, 4, 1);
    link_nodes(&m, 4, 5, .5f);
    link_nodes(&m, 3, 5, 1);
    link_nodes(&m, 0, 2, 1);
    m.a[7] = 1;
    links(&m);
    for (int64_t e = m.g.first[0]; e < m.g.first[1]; e++) ((float *)m.g.weight)[e] = 0;
    for (int64_t e = m.g.first[2]; e < m.g.first[3]; e++) ((float *)m.g.weight)[e] = 0;
    ck_ok(sn_leiden(&m.g, 1, member, &n, &q));
    ck_assert_int_eq(n, 4);
    ck_assert_mem_eq(member, ((int32_t[]){1, 2, 3, 0, 0, 0}), sizeof member);
    ck_assert_double_eq_tol(q, 1 - (25 + 1) / 36., 1e-12);
    struct sn_links plain = m.g;
    plain.self = NULL;
    ck_ok(sn_leiden(&plain, 1, member, &n, &q));
    ck_assert_int_eq(n, 4);
    ck_assert_double_eq_tol(q, 0, 1e-12);
    matrix_free(&m);
}
END_TEST

static void expect_error(const struct sn_links *g, const char *words) {
    int32_t member[4];
    int n;
    double q;
    ck_assert_int_eq(sn_leiden(g, 1, member, &n, &q), SEQNET_EINVAL);
    ck_assert_msg(strstr(sn_error_text(), words), "'%s' does not say '%s'", sn_error_text(), words);
    ck_assert_int_eq(sn_leiden_modularity(g, member, &q), SEQNET_EINVAL);
}

START_TEST(bad_input) {
    int64_t first[3] = {0, 1, 2};
    int32_t to[2] = {1, 0}, member[2];
    float weight[2] = {1, 1}, self[2] = {0, 0};
    int n;
    double q;
    struct sn_links g = {2, first, to, weight, self};
    ck_ok(sn_leiden(&g, 1, member, &n, &q));
    weight[1] = -1;
    expect_error(&g, "weight -1 between nodes 1 and 0");
    weight[1] = NAN;
    expect_error(&g, "weight nan");
    weight[1] = INFINITY;
    expect_error(&g, "weight inf");
    weight[1] = 1;
    self[0] = -2;
    expect_error(&g, "weight -2 of node 0 to itself");
    self[0] = 0;
    to[0] = 2;
    expect_error(&g, "link to 2");
    to[0] = 0;
    expect_error(&g, "link to 0");
    to[0] = 1;
    first[1] = 3;
    expect_error(&g, "row of node");
    g.n = -1;
    expect_error(&g, "-1 nodes");
    g.n = 2;
    ck_assert_int_eq(sn_leiden_best(&g, 0, NULL, member, &n, &q), SEQNET_EINVAL);
}
END_TEST

START_TEST(exponential) {
    for (double x = -707; x < 709; x += .37) ck_assert_double_eq_tol(sn_exp(x) / exp(x), 1, 2e-15);
    ck_assert_double_eq(sn_exp(0), 1);
    ck_assert_double_eq(sn_exp(-1000), 0);
    ck_assert(isinf(sn_exp(800)) && isnan(sn_exp(NAN)));
    for (int n = 0; n < 1200; n += 13) {
        double many[1200];
        for (int i = 0; i < n; i++) many[i] = i % 5 == 4 ? (i - 600) * 0.6931471805599453 / 2 : 1.1917 * i - 720;
        sn_exps(many, n);
        for (int i = 0; i < n; i++) {
            double one = sn_exp(i % 5 == 4 ? (i - 600) * 0.6931471805599453 / 2 : 1.1917 * i - 720);
            ck_assert_msg(memcmp(&many[i], &one, sizeof one) == 0, "%d of %d: %a, expected %a", i, n, many[i], one);
        }
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("leiden");
    TCase *t = tcase_create("leiden");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, modularity);
    tcase_add_test(t, cliques);
    tcase_add_test(t, planted);
    tcase_add_test(t, karate);
    tcase_add_loop_test(t, as_good_as_others, 0, sizeof LEIDEN / sizeof *LEIDEN);
    tcase_add_loop_test(t, as_when_reckoned_anew, 0, 3);
    tcase_add_test(t, seeds_and_threads);
    tcase_add_test(t, equal_seeds);
    tcase_add_test(t, small_and_empty);
    tcase_add_test(t, bad_input);
    tcase_add_test(t, exponential);
    suite_add_tcase(s, t);
    return unit_run(s);
}
