/* Gapped k-mers of a seqlet: golden M2 of the specification, both strands, and the search for the largest against making them all. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/rng.h"
#include "motif/gapped_kmers.h"
#include "unit.h"

#define ck_ok(call) ck_assert_msg((call) >= 0, "%s", sn_error_text())

/* ---- golden M2 ---- */

static const struct sn_gapped_rule small_rule = {.min_k = 2, .max_k = 3, .max_gap = 3, .span = 5, .positions = 64, .entries = 100};

static float value_of(const struct sn_gapped_kmer *k, int n, uint64_t key) {
    for (int i = 0; i < n; i++)
        if (sn_gapped_key5(&k[i]) == key) return k[i].value;
    return NAN;
}

START_TEST(gapped_kmers) {
    static const uint8_t bases[7] = {0, 2, 4, 1, 3, 4, 0};
    static const float contribution[7] = {1, .5f, 9, .25f, 2, 9, -.5f};
    static struct sn_gapped_table t;
    struct sn_gapped_work *w;
    struct sn_gapped_kmer k[100];
    sn_gapped_table_init(&t, &small_rule);
    ck_ok(sn_gapped_work_create(&small_rule, &w));
    int n = sn_gapped_extract(&t, w, bases, contribution, 7, k);
    ck_assert_int_eq(n, 12);
    ck_assert_float_eq_tol(value_of(k, n, 503), 1.25f, 1e-6f);
    ck_assert_float_eq_tol(value_of(k, n, 2516), 1.16666667f, 1e-6f);
    ck_assert_float_eq_tol(value_of(k, n, 22), 1.125f, 1e-6f);
    ck_assert_float_eq_tol(value_of(k, n, 2751), 1.08333333f, 1e-6f);
    ck_assert_float_eq_tol(value_of(k, n, 127), -.125f, 1e-6f);
    ck_assert_int_eq(sn_gapped_extract(&t, w, bases, contribution, 7, k), 12); /* nothing is left of the first */
    sn_gapped_work_free(w);
}
END_TEST

/* The tuples of the other strand are those of the reverse complement; what occurs twice is summed. */
START_TEST(gapped_strands) {
    static struct sn_gapped_table t;
    struct sn_gapped_work *w;
    struct sn_gapped_rule rule = sn_gapped_default;
    struct sn_gapped_kmer k[4000], r[4000];
    uint8_t bases[30], other[30];
    float contribution[30], mirrored[30];
    struct sn_stream s;
    rule.entries = 4000;
    rule.positions = 12;
    sn_gapped_table_init(&t, &rule);
    ck_ok(sn_gapped_work_create(&rule, &w));
    sn_stream_init(&s, 1, 0, 0);
    for (int i = 0; i < 30; i++) {
        bases[i] = (uint8_t)sn_stream_below(&s, i < 15 ? 4 : 1);
        contribution[i] = (float)sn_stream_unit(&s);
    }
    for (int i = 0; i < 30; i++) {
        other[i] = 3 - bases[29 - i];
        mirrored[i] = contribution[29 - i];
    }
    int n = sn_gapped_extract(&t, w, bases, contribution, 30, k), m = sn_gapped_extract(&t, w, other, mirrored, 30, r);
    ck_assert_int_gt(n, 100);
    ck_assert_int_eq(n, m);
    for (int i = 0; i < n; i++) {
        uint32_t reverse = sn_gapped_reverse(&t, &k[i]);
        ck_assert_uint_lt(sn_gapped_number(&t, &k[i]), t.n);
        int found = 0;
        for (int j = 0; j < m; j++)
            if (sn_gapped_number(&t, &r[j]) == reverse) {
                found++;
                ck_assert_float_eq_tol(r[j].value, k[i].value, 1e-5f);
                ck_assert_uint_eq(sn_gapped_reverse(&t, &r[j]), sn_gapped_number(&t, &k[i]));
            }
        ck_assert_int_eq(found, 1);
    }
    sn_gapped_work_free(w);
}
END_TEST

/* ---- all tuples, made, added up and sorted ---- */

#define LONGEST 220

struct place {
    uint32_t key; /* shape << 12 | letters */
    int number;
    float value;
};

struct every {
    const struct sn_gapped_rule *rule;
    const uint8_t *bases;
    const float *contribution;
    int position[LONGEST], n_positions;
    struct place *v;
    int n, room;
};

static void make(struct every *e, int first, int last, int k, uint32_t shape, uint32_t letters, float sum) {
    if (k >= e->rule->min_k) {
        if (e->n == e->room) {
            e->room = e->room * 2 + 1000;
            e->v = realloc(e->v, (size_t)e->room * sizeof *e->v);
        }
        e->v[e->n] = (struct place){shape << 12 | letters, e->n, sum * (1.0f / (float)k)};
        e->n++;
    }
    for (int i = last + 1; i < e->n_positions && k < e->rule->max_k; i++) {
        int p = e->position[i], far = p - e->position[first];
        if (far >= e->rule->span || p - e->position[last] > e->rule->max_gap) continue;
        make(e, first, i, k + 1, shape | 1u << (far - 1), letters << 2 | e->bases[p], sum + e->contribution[p]);
    }
}

static int by_key(const void *a, const void *b) {
    const struct place *x = a, *y = b;
    return x->key != y->key ? (x->key < y->key ? -1 : 1) : x->number - y->number;
}
static int by_size(const void *a, const void *b) {
    const struct place *x = a, *y = b;
    float p = fabsf(x->value), q = fabsf(y->value);
    return p != q ? (p > q ? -1 : 1) : x->key < y->key ? -1 : 1;
}
static int by_kmer(const void *a, const void *b) {
    const struct sn_gapped_kmer *x = a, *y = b;
    return by_size(&(struct place){x->shape << 12 | x->letters, 0, x->value}, &(struct place){y->shape << 12 | y->letters, 0, y->value});
}

/* Positions that are not among the `positions` largest, the first among equals, are left out. */
static void choose(struct every *e, int length) {
    e->n_positions = 0;
    for (int p = 0; p < length; p++) {
        int larger = 0;
        for (int q = 0; q < length; q++)
            if (e->bases[q] < 4) larger += e->contribution[q] > e->contribution[p] || (e->contribution[q] == e->contribution[p] && q < p);
        if (e->bases[p] < 4 && larger < e->rule->positions) e->position[e->n_positions++] = p;
    }
}

/* The largest tuples in order into e->v; returns their number. */
static int largest(struct every *e, int length) {
    int n = 0;
    e->n = 0;
    choose(e, length);
    for (int i = 0; i < e->n_positions; i++) make(e, i, i, 1, 0, e->bases[e->position[i]], e->contribution[e->position[i]]);
    if (e->n > 0) qsort(e->v, (size_t)e->n, sizeof *e->v, by_key);
    for (int i = 0; i < e->n; i++) {
        if (n > 0 && e->v[n - 1].key == e->v[i].key)
            e->v[n - 1].value += e->v[i].value;
        else
            e->v[n++] = e->v[i];
    }
    if (n > 0) qsort(e->v, (size_t)n, sizeof *e->v, by_size);
    return n < e->rule->entries ? n : e->rule->entries;
}

/* ---- seqlets to try ---- */

enum letters { RANDOM, ONE_LETTER, TWO_IN_TURN, PERIOD_OF_64, MOSTLY_ONE, N_LETTERS };
enum sizes { BOTH_SIGNS, POSITIVE, NEGATIVE, FEW_VALUES, EQUAL, ZERO, ONE_LARGE, HUMP, CANCELLING, N_SIZES };

static uint8_t letter(enum letters kind, int p, struct sn_stream *s) {
    static const uint8_t period[8] = {0, 3, 3, 1, 2, 0, 1, 3};
    uint8_t any = (uint8_t)sn_stream_below(s, 4);
    if (sn_stream_below(s, 40) == 0) return 4;
    if (kind == ONE_LETTER) return 0;
    if (kind == TWO_IN_TURN) return p % 2 ? 2 : 1;
    if (kind == PERIOD_OF_64) return p % 64 < 8 ? period[p % 8] : any;
    if (kind == MOSTLY_ONE) return sn_stream_below(s, 4) ? 2 : any;
    return any;
}

static float contribution_of(enum sizes kind, int p, int length, struct sn_stream *s) {
    float unit = (float)sn_stream_unit(s), middle = ((float)p - (float)length / 2) / 6;
    switch (kind) {
    case POSITIVE:
        return unit;
    case NEGATIVE:
        return -unit;
    case FEW_VALUES:
        return floorf(unit * 5) - 2;
    case EQUAL:
        return 0.3f;
    case ZERO:
        return 0;
    case ONE_LARGE:
        return p == length / 2 ? 1000 : unit - 0.5f;
    case HUMP:
        return 1 / (1 + middle * middle) + unit * 0.1f;
    case CANCELLING:
        return p % 2 ? -0.7f : 0.7f;
    default:
        return unit - 0.5f;
    }
}

static void compare(struct every *e, const struct sn_gapped_table *t, struct sn_gapped_work *w, int length, const char *what) {
    struct sn_gapped_kmer *k = sn_calloc((size_t)e->rule->entries, sizeof *k);
    int want = largest(e, length), n = sn_gapped_extract(t, w, e->bases, e->contribution, length, k);
    ck_assert_msg(n == want, "%s: %d tuples, expected %d", what, n, want);
    if (n > 0) qsort(k, (size_t)n, sizeof *k, by_kmer);
    for (int i = 0; i < n; i++) {
        uint32_t key = k[i].shape << 12 | k[i].letters;
        ck_assert_msg(key == e->v[i].key && memcmp(&k[i].value, &e->v[i].value, sizeof(float)) == 0,
                      "%s: tuple %d is %x with %.9g, expected %x with %.9g", what, i, key, (double)k[i].value, e->v[i].key,
                      (double)e->v[i].value);
    }
    free(k);
}

static const struct sn_gapped_rule rules[] = {
    {.min_k = 4, .max_k = 6, .max_gap = 15, .span = 15, .positions = 20, .entries = 500},
    {.min_k = 2, .max_k = 3, .max_gap = 3, .span = 5, .positions = 64, .entries = 100},
    {.min_k = 3, .max_k = 5, .max_gap = 4, .span = 12, .positions = 24, .entries = 60},
    {.min_k = 6, .max_k = 6, .max_gap = 15, .span = 11, .positions = 64, .entries = 1},
    {.min_k = 2, .max_k = 2, .max_gap = 15, .span = 15, .positions = 33, .entries = 5000},
};

START_TEST(as_when_all_are_made) {
    static struct sn_gapped_table t;
    struct sn_gapped_work *w;
    struct sn_stream s;
    uint8_t bases[LONGEST];
    float contribution[LONGEST];
    struct every e = {.rule = &rules[_i], .bases = bases, .contribution = contribution};
    sn_gapped_table_init(&t, e.rule);
    ck_ok(sn_gapped_work_create(e.rule, &w));
    sn_stream_init(&s, 11, (uint64_t)_i, 0);
    for (int trial = 0; trial < 6 * N_LETTERS * N_SIZES; trial++) {
        int letters = trial % N_LETTERS, sizes = trial / N_LETTERS % N_SIZES, round = trial / (N_LETTERS * N_SIZES);
        int length = round == 0 ? (int)sn_stream_below(&s, 16) : round < 4 ? 41 : round == 4 ? 64 + (int)sn_stream_below(&s, 3) : LONGEST;
        char what[100];
        for (int p = 0; p < length; p++) {
            bases[p] = letter((enum letters)letters, p, &s);
            contribution[p] = contribution_of((enum sizes)sizes, p, length, &s);
        }
        snprintf(what, sizeof what, "rule %d, trial %d, letters %d, sizes %d, length %d", _i, trial, letters, sizes, length);
        compare(&e, &t, w, length, what);
    }
    sn_gapped_work_free(w);
    free(e.v);
}
END_TEST

/* Which seqlets a worker has seen is a matter of threads: the order must not tell. */
START_TEST(whatever_came_before) {
    static struct sn_gapped_table t;
    struct sn_gapped_work *used, *fresh;
    struct sn_stream s;
    struct sn_gapped_kmer k[500], other[500];
    uint8_t bases[41];
    float contribution[41];
    sn_gapped_table_init(&t, &sn_gapped_default);
    ck_ok(sn_gapped_work_create(&sn_gapped_default, &used));
    sn_stream_init(&s, 21, 0, 0);
    for (int trial = 0; trial < 60; trial++) {
        for (int p = 0; p < 41; p++) {
            bases[p] = (uint8_t)sn_stream_below(&s, 4);
            contribution[p] = (float)pow(sn_stream_unit(&s), 1 + trial % 7);
        }
        ck_ok(sn_gapped_work_create(&sn_gapped_default, &fresh));
        int n = sn_gapped_extract(&t, used, bases, contribution, 41, k);
        ck_assert_int_eq(n, sn_gapped_extract(&t, fresh, bases, contribution, 41, other));
        ck_assert_mem_eq(k, other, (size_t)n * sizeof *k);
        sn_gapped_work_free(fresh);
    }
    sn_gapped_work_free(used);
}
END_TEST

START_TEST(refused_rules) {
    struct sn_gapped_work *w;
    for (int i = 0; i < 5; i++) {
        struct sn_gapped_rule r = sn_gapped_default;
        *(int *[]){&r.min_k, &r.max_k, &r.span, &r.positions, &r.positions}[i] = (int[]){1, 7, 16, 0, 65}[i];
        ck_assert_int_eq(sn_gapped_work_create(&r, &w), SEQNET_EINVAL);
        ck_assert_ptr_null(w);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("gapped k-mers");
    TCase *t = tcase_create("gapped k-mers");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, gapped_kmers);
    tcase_add_test(t, gapped_strands);
    tcase_add_loop_test(t, as_when_all_are_made, 0, sizeof rules / sizeof *rules);
    tcase_add_test(t, whatever_came_before);
    tcase_add_test(t, refused_rules);
    suite_add_tcase(s, t);
    return unit_run(s);
}
