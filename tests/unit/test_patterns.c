/* Pattern discovery: its steps against the golden numbers of the specification (Jaccard index, densities, null, threshold,
 * information, seqlets), bytes against floats, motifs planted in noise, threads, order, and inputs with little or nothing in them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/ln.h"
#include "core/mem.h"
#include "core/rng.h"
#include "core/sort.h"
#include "motif/attributions.h"
#include "motif/collapse.h"
#include "motif/density.h"
#include "motif/seqlets.h"
#include "tempfile.h"
#include "unit.h"

#define ck_ok(call) ck_assert_msg((call) >= 0, "%s", sn_error_text())

/* ---- numbers ---- */

START_TEST(logarithm) {
    for (double x = 1e-300; x < 1e300; x *= 1.37) ck_assert_double_eq_tol(sn_ln(x), log(x), 4e-16 * fabs(log(x)) + 2e-16);
    ck_assert_double_eq(sn_ln(1), 0);
    ck_assert(isinf(sn_ln(0)) && isnan(sn_ln(-1)));
    ck_assert_double_eq_tol(sn_ln(5e-324), log(5e-324), 1e-12);
}
END_TEST

START_TEST(sorting) {
    uint64_t v[500], scratch[500];
    struct sn_stream s;
    sn_stream_init(&s, 3, 0, 0);
    for (size_t n = 0; n <= 500; n += 7) {
        uint64_t sum = 0;
        for (size_t i = 0; i < n; i++) sum += v[i] = sn_stream_u64(&s) >> sn_stream_below(&s, 50);
        sn_sort_u64(v, n, scratch);
        for (size_t i = 0; i < n; i++) sum -= v[i];
        for (size_t i = 1; i < n; i++) ck_assert(v[i - 1] <= v[i]);
        ck_assert_uint_eq(sum, 0);
        for (size_t i = 0; i < n; i++) v[i] = sn_stream_below(&s, 40) << 32 | (UINT32_MAX - i);
        sn_sort_u64_by_key(v, n, scratch);
        for (size_t i = 1; i < n; i++) ck_assert(v[i - 1] >> 32 < v[i] >> 32 || (v[i - 1] >> 32 == v[i] >> 32 && v[i - 1] > v[i]));
    }
    static const float f[] = {-INFINITY, -3, -1e-30f, 0, 1e-40f, 2, 3e38f};
    for (int i = 0; i < 6; i++)
        ck_assert(sn_sortable_f32(f[i]) < sn_sortable_f32(f[i + 1]) && sn_unsortable_f32(sn_sortable_f32(f[i])) == f[i]);
}
END_TEST

START_TEST(largest) {
    uint64_t v[300], sorted[300], scratch[300];
    struct sn_stream s;
    sn_stream_init(&s, 4, 0, 0);
    for (size_t n = 1; n <= 300; n += 13)
        for (size_t k = 0; k <= n; k += n > 40 ? 9 : 1) {
            for (size_t i = 0; i < n; i++) sorted[i] = v[i] = sn_stream_u64(&s) >> (n % 2 ? 58 : 0);
            sn_sort_u64(sorted, n, scratch);
            sn_select_largest_u64(v, n, k);
            if (k > 0) ck_assert_uint_eq(v[k - 1], sorted[n - k]);
            sn_sort_u64(v, k, scratch);
            ck_assert_mem_eq(v, sorted + n - k, k * sizeof *v);
        }
}
END_TEST

/* ---- golden M3: the Jaccard index ---- */

static float best_jaccard(const float *x, const float *padded, int rows, int pad, int *shift) {
    float best = -2;
    for (int o = 0; o <= 2 * pad; o++) {
        float s = sn_number_sums()->jaccard(x, padded + 2 * o, 2 * rows);
        if (s > best) {
            best = s;
            *shift = o - pad;
        }
    }
    return best;
}

START_TEST(jaccard) {
    static const float x[6] = {.5f, -.2f, .1f, .2f, 0, 0}, y[14] = {0, 0, 0, 0, 0, 0, .4f, -.1f, .2f, .3f, 0, 0, 0, 0};
    int shift;
    ck_assert_float_eq_tol(best_jaccard(x, y + 4, 3, 0, &shift), 0, 1e-6f);
    ck_assert_int_eq(shift, 0);
    ck_assert_float_eq_tol(best_jaccard(x, y, 3, 2, &shift), .666666667f, 1e-6f);
    ck_assert_int_eq(shift, 1);
    ck_assert_float_eq_tol(sn_number_sums()->jaccard(x, x, 6), 1, 1e-6f);
}
END_TEST

/* ---- attributions for the tests ---- */

struct noise {
    struct sn_attributions a;
    uint8_t *bases;
    float *h;
};

static void noise_make(struct noise *z, int64_t n, int length, uint64_t seed) {
    struct sn_stream s;
    sn_stream_init(&s, seed, 0, 0);
    z->bases = malloc((size_t)(n * length));
    z->h = malloc((size_t)(n * length) * 4 * sizeof(float));
    for (int64_t i = 0; i < n * length; i++) z->bases[i] = (uint8_t)sn_stream_below(&s, 4);
    for (int64_t i = 0; i < 4 * n * length; i++) z->h[i] = (float)(0.1 * sn_stream_normal(&s));
    z->a = (struct sn_attributions){.n = n,
                                    .length = length,
                                    .bases = z->bases,
                                    .hypothetical = (const uint8_t *)z->h,
                                    .row_step = 16 * length,
                                    .position_step = 16,
                                    .base_step = 4};
}
static void noise_free(struct noise *z) {
    free(z->bases);
    free(z->h);
}

/* Plants a word: its bases with probability 0.95 each, contributions about `size` where the word's base is, a third below 0 for the other
 * bases. */
static void plant(struct noise *z, int64_t row, int at, const char *word, bool reverse, float size, struct sn_stream *s) {
    int n = (int)strlen(word);
    for (int p = 0; p < n; p++) {
        int letter = (int)(strchr("ACGT", word[reverse ? n - 1 - p : p]) - "ACGT");
        if (reverse) letter = 3 - letter;
        int64_t i = row * z->a.length + at + p;
        z->bases[i] = (uint8_t)(sn_stream_unit(s) < 0.95 ? letter : (int)sn_stream_below(s, 4));
        float here = size * (float)(0.5 + sn_stream_unit(s));
        for (int c = 0; c < 4; c++) z->h[4 * i + c] += c == letter ? here : -here / 3;
    }
}

/* Two words in every other row each, on either strand. */
static void planted_make(struct noise *z, int64_t n, const char *const word[2], const float size[2], bool strands) {
    struct sn_stream s;
    noise_make(z, n, 120, 7);
    sn_stream_init(&s, 9, 0, 0);
    for (int64_t row = 0; row < n; row++) {
        const char *w = word[row % 2];
        int at = 25 + (int)sn_stream_below(&s, (uint64_t)(70 - (int)strlen(w)));
        plant(z, row, at, w, strands && sn_stream_below(&s, 2), size[row % 2], &s);
    }
}

/* ---- bytes and shifts ---- */

/* Every length up to more than what is held in registers, every rest of a group, rows in one piece and rows as shifted copies. */
START_TEST(byte_sums) {
    enum { MOST = 1088, ROWS = 21 };
    static uint8_t x[2 * MOST], y[MOST];
    struct sn_stream s;
    sn_stream_init(&s, 5, 0, 0);
    for (int i = 0; i < 2 * MOST; i++) x[i] = (uint8_t)(1 + sn_stream_below(&s, 255));
    for (int i = 0; i < MOST; i++) y[i] = (uint8_t)(1 + sn_stream_below(&s, 255));
    for (int n = 64; n <= MOST; n += 64)
        for (int rows = 1; rows <= ROWS; rows++) {
            const struct sn_byte_rows r = {x, 24, rows % 2 ? 8 * 24 : 64, rows};
            uint32_t p[ROWS + 1], m[ROWS + 1], q[ROWS], t[ROWS];
            p[rows] = m[rows] = 7;
            sn_byte_sums()(y, n, &r, p, m);
            sn_byte_sums_portable(y, n, &r, q, t);
            ck_assert_mem_eq(p, q, (size_t)rows * sizeof *p);
            ck_assert_mem_eq(m, t, (size_t)rows * sizeof *m);
            ck_assert(p[rows] == 7 && m[rows] == 7);
            const uint8_t *row = x + (rows - 1) / 8 * r.group_stride + (rows - 1) % 8 * 24;
            uint32_t plus = 0, less = 0;
            for (int i = 0; i < n; i++) {
                plus += (uint32_t)abs((row[i] - 128) + (y[i] - 128));
                less += (uint32_t)abs((row[i] - 128) - (y[i] - 128));
            }
            ck_assert_uint_eq(p[rows - 1], plus);
            ck_assert_uint_eq(m[rows - 1], less);
        }
}
END_TEST

/* Row i of the tracks with zeros around it. */
static void with_zeros(const struct sn_tracks *t, int i, int pad, bool reverse, float *out) {
    const float *v = t->value + (int64_t)i * t->length * SN_TRACK;
    memset(out, 0, (size_t)(t->length + 2 * pad) * SN_TRACK * sizeof *out);
    if (reverse)
        sn_track_reverse(v, t->length, out + pad * SN_TRACK);
    else
        memcpy(out + pad * SN_TRACK, v, (size_t)t->length * SN_TRACK * sizeof *out);
}

START_TEST(mates) {
    static int32_t count[] = {2, 0, 3, 2}, id[] = {2, 3, -1, -1, -1, -1, 0, 1, 3, 0, 2, -1};
    static const int32_t expected[] = {0, 0, -1, -1, -1, -1, 0, -1, 1, 1, 2, -1};
    const struct sn_neighbours nb = {.n = 4, .k = 3, .count = count, .id = id};
    int32_t *got;
    ck_ok(sn_neighbour_mates(&nb, &got));
    for (int row = 0; row < 4; row++)
        for (int m = 0; m < count[row]; m++) ck_assert_int_eq(got[3 * row + m], expected[3 * row + m]);
    sn_aligned_free(got);
}
END_TEST

/* The place chosen on bytes is as good as the best one; both ways at once gives what one way each gives. */
START_TEST(best_shifts) {
    static const char *const word[2] = {"GATTACAGATT", "GGCACCCTG"};
    static const float size[2] = {1, 1};
    struct noise z;
    struct sn_seqlet s[40];
    struct sn_tracks t;
    struct sn_padded p, q;
    uint32_t *overhang;
    planted_make(&z, 40, word, size, true);
    for (int i = 0; i < 40; i++) s[i] = (struct sn_seqlet){.sequence = i, .start = 40, .end = 81, .reverse = i % 3 == 0};
    ck_ok(sn_tracks_make(&z.a, s, 40, NULL, &t));
    ck_ok(sn_padded_create(41 + 24, &p));
    ck_ok(sn_padded_create(41 + 24, &q));
    ck_ok(sn_window_overhangs(&t, 12, NULL, &overhang));
    for (int i = 0; i < 40; i++) {
        sn_padded_set(&p, t.value + (int64_t)i * 41 * SN_TRACK, 41, 12, 41, true);
        for (int j = 0; j < 40; j++) {
            struct sn_shift got, other;
            float best = -2, forth, back, x[65 * SN_TRACK];
            sn_best_shift(&p, &t, j, true, &got);
            for (int strand = 0; strand < 2; strand++)
                for (int o = 0; o <= 24; o++) {
                    with_zeros(&t, i, 12, strand, x);
                    float v = sn_number_sums()->jaccard(x + o * SN_TRACK, t.value + (int64_t)j * 41 * SN_TRACK, 41 * SN_TRACK);
                    if (v > best) best = v;
                    if (o - 12 == got.shift && strand == got.reverse) ck_assert_float_eq_tol(v, got.score, 1e-6f);
                }
            ck_assert_float_ge(got.score, best - (best > 0.2f ? 0.005f : 0.02f)); /* noise is all rounding */
            if (i == j) ck_assert(got.shift == 0 && !got.reverse && got.score > 0.9999f);
            sn_padded_set(&q, t.value + (int64_t)j * 41 * SN_TRACK, 41, 12, 41, true);
            for (int both = 0; both < 2; both++) {
                sn_best_shift(&p, &t, j, both, &got);
                sn_best_shift(&q, &t, i, both, &other);
                sn_best_scores(&p, &t, j, overhang, both, &forth, &back);
                ck_assert_float_eq(forth, got.score);
                ck_assert_float_eq_tol(back, other.score, 1e-6f);
                ck_assert(both || !got.reverse);
            }
        }
    }
    sn_padded_free(&p);
    sn_padded_free(&q);
    sn_tracks_free(&t);
    free(overhang);
    noise_free(&z);
}
END_TEST

/* ---- golden M4: densities ---- */

static void all_pairs(const float *s, int n, struct sn_neighbours *nb) {
    *nb = (struct sn_neighbours){.n = n, .k = n};
    nb->count = calloc((size_t)n, sizeof *nb->count);
    nb->id = calloc((size_t)(n * n), sizeof *nb->id);
    nb->score = calloc((size_t)(n * n), sizeof *nb->score);
    for (int i = 0; i < n * n; i++) {
        nb->count[i / n] = n;
        nb->id[i] = i % n;
        nb->score[i] = s[i];
    }
}

START_TEST(densities) {
    static const float s[16] = {1, .6f, .3f, .05f, .5f, 1, .2f, .1f, .3f, .25f, 1, .7f, .05f, .1f, .8f, 1};
    static const double want_beta[4] = {1.50109863, 1.44570923, 2.11706543, 1.46118164};
    static const double want[2][4] = {{.519480835, .271585382, .166461839, .0438355947},
                                      {.763241948, .182073052, .0322996325, .00314739954}};
    for (int kernel = 0; kernel < 2; kernel++) {
        struct sn_neighbours nb;
        struct sn_link_graph g;
        double beta[4];
        all_pairs(s, 4, &nb);
        ck_ok(sn_density_links(&nb, 2, kernel == 0 ? SN_DENSITY_COMPAT : SN_DENSITY_CONSISTENT, NULL, beta, &g));
        for (int i = 0; i < 4; i++) ck_assert_double_eq_tol(beta[i], want_beta[i], 1e-6);
        ck_assert_int_eq(g.first[4], 12);
        ck_assert_double_eq_tol(g.self[0], want[kernel][0], 1e-6);
        for (int64_t e = g.first[0]; e < g.first[1]; e++) ck_assert_double_eq_tol(g.weight[e], want[kernel][g.to[e]], 1e-6);
        sn_link_graph_free(&g);
        sn_neighbours_free(&nb);
    }
}
END_TEST

/* Lists that are not mutual: each pair stands in both rows once. */
START_TEST(one_sided_links) {
    struct sn_neighbours nb = {.n = 3, .k = 2};
    struct sn_link_graph g;
    nb.count = calloc(3, sizeof *nb.count);
    nb.id = calloc(6, sizeof *nb.id);
    nb.score = calloc(6, sizeof *nb.score);
    nb.count[0] = 2;
    nb.count[2] = 1;
    nb.id[0] = 1;
    nb.id[1] = 2;
    nb.id[4] = 0;
    nb.score[0] = 5;
    nb.score[1] = 1;
    nb.score[4] = 3;
    ck_ok(sn_link_graph_make(&nb, 0.5f, &g));
    static const int64_t first[4] = {0, 2, 3, 4};
    static const int32_t to[4] = {1, 2, 0, 0};
    static const float weight[4] = {5, 2, 5, 2};
    ck_assert_mem_eq(g.first, first, sizeof first);
    ck_assert_mem_eq(g.to, to, sizeof to);
    ck_assert_mem_eq(g.weight, weight, sizeof weight);
    sn_link_graph_free(&g);
    sn_neighbours_free(&nb);
}
END_TEST

/* ---- golden M5, M5b, M6, M9 ---- */

START_TEST(threshold) {
    static const float v[10] = {0, .1f, .2f, .25f, .4f, .5f, .8f, 1.2f, 1.5f, 2}, null[8] = {.01f, .05f, .12f, .15f, .22f, .3f, .45f, .9f};
    static const double want[10] = {0, 0, 0, 0, 0, .40625, .40625, 1, 1, 1};
    double precision[10], at = 0;
    ck_ok(sn_isotonic_threshold(v, 10, null, 8, 0.2, precision, &at));
    for (int i = 0; i < 10; i++) ck_assert_double_eq_tol(precision[i], want[i], 1e-9);
    ck_assert_float_eq((float)at, 1.2f);
}
END_TEST

START_TEST(laplace) {
    static const double v[12] = {.02, .03, .05, .08, .1, .12, .2, .22, .35, .5, .9, 1.4};
    float d[12];
    for (int i = 0; i < 12; i++) d[i] = (float)(v[i] - .01);
    ck_assert_double_eq_tol(sn_laplace_rate(d, 12), 5.48474313, 1e-5);
    ck_assert_double_eq(sn_laplace_rate(d, 0), 0);
}
END_TEST

START_TEST(information) {
    static const double uniform[4] = {.25, .25, .25, .25}, other[4] = {.3, .2, .2, .3};
    static const double p[4] = {.7, .1, .1, .1}, q[4] = {1, 0, 0, 0};
    ck_assert_double_eq_tol(sn_position_information(p, uniform), .643209335, 1e-9);
    ck_assert_double_eq_tol(sn_position_information(q, uniform), 1.9956827, 1e-7);
    ck_assert_double_eq_tol(sn_position_information(p, other), .614159929, 1e-9);
}
END_TEST

START_TEST(extraction) {
    static const float track[16] = {0, .1f, .2f, 3, 2.9f, .1f, 0, 0, -2.5f, -2.6f, 0, .1f, 1.9f, .2f, 0, 0};
    float sums[14];
    int32_t start[14];
    for (int k = 0; k < 14; k++) {
        float sum = track[k] + track[k + 1] + track[k + 2];
        sums[k] = sum >= 1.5f || sum <= -1.5f ? fabsf(sum) : -1;
    }
    ck_assert_int_eq(sn_seqlets_extract(sums, 14, 3, 1, start), 3);
    /* strongest first: 6.1 at window 2, 5.1 at 7, 2.2 at 11 */
    ck_assert_int_eq(start[0], 1);
    ck_assert_int_eq(start[1], 6);
    ck_assert_int_eq(start[2], 10);
}
END_TEST

START_TEST(auroc) {
    static const uint32_t low[4] = {3, 2, 1, 0}, high[4] = {0, 1, 2, 3};
    ck_assert_double_eq_tol(sn_histogram_auroc(low, high, 4), (3 * 6 + 2 * (.5 + 5) + 1 * (1 + 3)) / 36.0, 1e-12);
    ck_assert_double_eq_tol(sn_histogram_auroc(low, low, 4), .5, 1e-12);
}
END_TEST

/* Seqlets of either strand, cut at different offsets, come to lie letter on letter; the pile grows where one stands over. */
START_TEST(piles) {
    static const char word[] = "GATTACAGGCATTC";
    static const int at[3] = {50, 46, 57};
    struct noise z;
    struct sn_seqlet s[3];
    struct sn_stream random;
    for (int by = SN_ALIGN_JACCARD; by <= SN_ALIGN_COSINE; by++) {
        struct sn_tracks t;
        struct sn_pile *p;
        noise_make(&z, 3, 120, 11);
        sn_stream_init(&random, 12, 0, 0);
        for (int i = 0; i < 3; i++) {
            plant(&z, i, at[i], word, i > 0, 2, &random);
            for (int q = 0; q < 14; q++) /* without misprints */
                z.bases[i * 120 + at[i] + q] =
                    (uint8_t)(i > 0 ? 3 - (strchr("ACGT", word[13 - q]) - "ACGT") : strchr("ACGT", word[q]) - "ACGT");
            s[i] = (struct sn_seqlet){.sequence = i, .start = 40, .end = 81, .reverse = i == 2};
        }
        ck_ok(sn_tracks_make(&z.a, s, 3, NULL, &t));
        ck_ok(sn_pile_create(&z.a, 41, &p));
        ck_ok(sn_pile_add(p, &s[0]));
        ck_ok(sn_pile_merge(p, s, 3, (enum sn_alignment)by, by == SN_ALIGN_JACCARD ? &t : NULL, true));
        ck_assert_int_eq(p->n, 3);
        ck_assert_int_gt(p->length, 41);
        int agreed = 0;
        for (int q = 0; q < p->length; q++)
            for (int c = 0; c < 4; c++) agreed += p->bases[4 * q + c] == 3;
        ck_assert_int_ge(agreed, 14);
        for (int i = 0; i < 3; i++) ck_assert_int_eq(p->s[i].end - p->s[i].start, p->length);
        ck_assert(p->s[0].reverse != p->s[1].reverse && p->s[1].reverse == p->s[2].reverse);
        sn_pile_free(p);
        sn_tracks_free(&t);
        noise_free(&z);
    }
}
END_TEST

/* ---- the whole ---- */

static const char *const words[2] = {"GATTACAGGCATT", "TTGGCACCGTGAC"};

/* Mean correlation of the pattern's letters with a word, over the best place and strand. */
static double word_likeness(const struct sn_pattern *p, const char *word) {
    double best = -1;
    int n = (int)strlen(word);
    for (int strand = 0; strand < 2; strand++)
        for (int o = 0; o + n <= p->width; o++) {
            double sum = 0;
            for (int q = 0; q < n; q++) {
                int letter = (int)(strchr("ACGT", word[strand ? n - 1 - q : q]) - "ACGT");
                sum += p->pfm[4 * (o + q) + (strand ? 3 - letter : letter)] / n;
            }
            if (sum > best) best = sum;
        }
    return best;
}

static int found_words(const struct sn_patterns *r, const char *prefix) {
    int found = 0;
    for (int w = 0; w < 2; w++) {
        bool here = false;
        for (int i = 0; i < r->n; i++) here = here || (strncmp(r->v[i].name, prefix, 3) == 0 && word_likeness(&r->v[i], words[w]) > 0.9);
        found += here;
    }
    return found;
}

static void discover(const struct noise *z, const struct sn_discover_options *o, int threads, struct sn_patterns *out) {
    struct sn_pool *pool;
    ck_ok(sn_pool_create(threads, &pool));
    ck_ok(sn_patterns_discover(&z->a, o, pool, NULL, out));
    sn_pool_free(pool);
}

static void same_patterns(const struct sn_patterns *a, const struct sn_patterns *b) {
    ck_assert_int_eq(a->n, b->n);
    for (int i = 0; i < a->n; i++) {
        const struct sn_pattern *x = &a->v[i], *y = &b->v[i];
        ck_assert_str_eq(x->name, y->name);
        ck_assert_int_eq(x->n, y->n);
        ck_assert_int_eq(x->width, y->width);
        ck_assert_mem_eq(x->pfm, y->pfm, 4 * (size_t)x->width * sizeof(double));
        ck_assert_mem_eq(x->contribution, y->contribution, 4 * (size_t)x->width * sizeof(double));
        ck_assert_int_eq(x->n_sub, y->n_sub);
        for (int k = 0; k < x->n; k++) {
            ck_assert_int_eq(x->seqlets[k].sequence, y->seqlets[k].sequence);
            ck_assert_int_eq(x->seqlets[k].start, y->seqlets[k].start);
        }
    }
}

START_TEST(planted) {
    static const float size[2] = {1, 0.8f};
    struct noise z;
    struct sn_discover_options o;
    struct sn_patterns r, again;
    planted_make(&z, 600, words, size, true);
    sn_discover_defaults(&o);
    o.subpatterns = true;
    discover(&z, &o, 1, &r);
    ck_assert_str_eq(r.message, "");
    ck_assert_int_eq(found_words(&r, "pos"), 2);
    ck_assert_int_le(r.n, 3);
    int64_t seqlets = 0;
    for (int i = 0; i < r.n; i++) {
        const struct sn_pattern *p = &r.v[i];
        seqlets += p->n;
        ck_assert(p->trim_start < p->trim_end && p->trim_end <= p->width);
        ck_assert_int_gt(p->n_sub, 0);
        for (int k = 0; k < p->n; k++) ck_assert(p->seqlets[k].start >= 0 && p->seqlets[k].end <= 120 && p->seqlets[k].contribution > 1);
        if (i > 0) ck_assert_int_ge(r.v[i - 1].n, p->n);
    }
    ck_assert_int_gt(seqlets, 300);
    discover(&z, &o, 3, &again);
    same_patterns(&r, &again);
    sn_patterns_free(&again);
    sn_patterns_free(&r);
    noise_free(&z);
}
END_TEST

/* Turning the order of the rows round changes nothing but their numbers, also where a subset is drawn. */
START_TEST(order_of_sequences) {
    static const float size[2] = {1, 0.8f};
    struct noise z, turned;
    struct sn_discover_options o;
    struct sn_patterns r, other;
    planted_make(&z, 500, words, size, true);
    noise_make(&turned, 500, 120, 7);
    for (int64_t i = 0; i < 500; i++) {
        memcpy(turned.bases + i * 120, z.bases + (499 - i) * 120, 120);
        memcpy(turned.h + i * 480, z.h + (499 - i) * 480, 480 * sizeof(float));
    }
    sn_discover_defaults(&o);
    o.max_seqlets = 400;
    discover(&z, &o, 2, &r);
    discover(&turned, &o, 2, &other);
    ck_assert_int_gt(r.n, 0);
    ck_assert_int_eq(r.n, other.n);
    for (int i = 0; i < r.n; i++) {
        ck_assert_int_eq(r.v[i].n, other.v[i].n);
        for (int k = 0; k < r.v[i].n; k++) ck_assert_int_eq(r.v[i].seqlets[k].sequence, 499 - other.v[i].seqlets[k].sequence);
    }
    sn_patterns_free(&r);
    sn_patterns_free(&other);
    noise_free(&z);
    noise_free(&turned);
}
END_TEST

START_TEST(signs_and_strands) {
    static const float size[2] = {1, -1};
    struct noise z;
    struct sn_discover_options o;
    struct sn_patterns r;
    planted_make(&z, 600, words, size, false);
    sn_discover_defaults(&o);
    o.rna = true;
    discover(&z, &o, 2, &r);
    ck_assert_int_eq(found_words(&r, "pos"), 1);
    ck_assert_int_eq(found_words(&r, "neg"), 1);
    ck_assert(r.threshold_positive > 0 && r.threshold_negative < 0);
    for (int i = 0; i < r.n; i++)
        for (int k = 0; k < r.v[i].n; k++) ck_assert(!r.v[i].seqlets[k].reverse);
    sn_patterns_free(&r);
    o.density = SN_DENSITY_CONSISTENT;
    discover(&z, &o, 1, &r);
    ck_assert_int_eq(found_words(&r, "pos") + found_words(&r, "neg"), 2);
    sn_patterns_free(&r);
    noise_free(&z);
}
END_TEST

START_TEST(little_to_find) {
    struct noise z;
    struct sn_discover_options o;
    struct sn_patterns r;
    sn_discover_defaults(&o);
    noise_make(&z, 30, 100, 2);
    discover(&z, &o, 1, &r);
    ck_assert_int_eq(r.n, 0);
    ck_assert_ptr_nonnull(strstr(r.message, "patterns need more than 100"));
    sn_patterns_free(&r);
    z.a.n = 1; /* one sequence */
    discover(&z, &o, 1, &r);
    ck_assert_int_eq(r.n, 0);
    sn_patterns_free(&r);
    z.a.n = 0;
    discover(&z, &o, 1, &r);
    ck_assert_int_eq(r.n, 0);
    sn_patterns_free(&r);
    z.a.n = 30;
    z.a.length = 20; /* shorter than a window */
    discover(&z, &o, 1, &r);
    ck_assert_ptr_nonnull(strstr(r.message, "shorter"));
    sn_patterns_free(&r);
    z.a.length = 100;
    memset(z.h, 0, 30 * 400 * sizeof(float));
    discover(&z, &o, 1, &r);
    ck_assert_int_eq(r.n, 0);
    ck_assert_ptr_nonnull(strstr(r.message, "nothing to find"));
    sn_patterns_free(&r);
    z.h[4 * (100 * 3 + 17) + 2] = NAN;
    ck_error(sn_patterns_discover(&z.a, &o, NULL, NULL, &r), SEQNET_ENUM, "sequence 3, position 17, base G");
    sn_patterns_free(&r);
    noise_free(&z);
}
END_TEST

/* ---- memory ---- */

#define MANY 250000
#define SHORT 40

/* A large .npy of zeros (the file system need not store them) but for a bump in some rows of 4 x SHORT numbers. */
static const char *large_array(const char *name, bool bumps) {
    const char *path = temp_path(name);
    char head[129];
    float bump[SHORT];
    int n = snprintf(head, sizeof head, "\x93NUMPY\x01%cv%c{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 4, %d), }", 0, 0, MANY,
                     SHORT);
    memset(head + n, ' ', sizeof head - 1 - (size_t)n);
    head[127] = '\n';
    for (int p = 0; p < SHORT; p++) bump[p] = bumps ? 1.0f / (float)(1 + abs(p - 20)) : 0;
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(head, 1, 128, f), 128);
    for (int64_t row = 0; row < MANY; row += MANY / 90) {
        ck_assert_int_eq(fseek(f, 128 + row * 16 * SHORT, SEEK_SET), 0);
        ck_assert_uint_eq(fwrite(bump, sizeof *bump, SHORT, f), SHORT);
    }
    ck_assert_int_eq(fflush(f), 0);
    ck_assert_int_eq(ftruncate(fileno(f), 128 + (off_t)MANY * 16 * SHORT), 0);
    ck_assert_int_eq(fclose(f), 0);
    return path;
}

/* Two files of 153 MB each, read from beginning to end more than once, do not stay in memory: a byte a letter does, and what is bounded. */
START_TEST(flat_memory) {
    const int64_t letters = (int64_t)MANY * SHORT, bounded = 60 << 20;
    struct sn_discover_options o;
    struct sn_patterns r;
    struct sn_loaded l;
    tempdir_make();
    const char *one_hot = large_array("one_hot.npy", false), *hypothetical = large_array("hypothetical.npy", true);
    sn_discover_defaults(&o);
    int64_t before = sn_peak_rss();
    ck_error(sn_attributions_load(one_hot, hypothetical, letters - 1, &l), SEQNET_ENOMEM, "250000 sequences of 40 letters");
    ck_ok(sn_attributions_load(one_hot, hypothetical, letters, &l));
    ck_ok(sn_patterns_discover(&l.a, &o, NULL, NULL, &r));
    ck_assert_int_eq(r.n, 0);
    sn_patterns_free(&r);
    int64_t more = sn_peak_rss() - before;
    ck_assert_msg(more < letters + bounded, "%lld MB more for %lld million letters", (long long)more >> 20, (long long)letters / 1000000);
    o.max_memory = 1 << 20;
    ck_error(sn_patterns_discover(&l.a, &o, NULL, NULL, &r), SEQNET_ENOMEM, "finding seqlets in 250000 sequences");
    sn_patterns_free(&r);
    sn_attributions_free(&l);
    tempdir_remove();
}
END_TEST

/* More seqlets than memory allows are refused before they are compared. */
START_TEST(memory_of_seqlets) {
    struct noise z;
    struct sn_discover_options o;
    struct sn_patterns r;
    sn_discover_defaults(&o);
    noise_make(&z, 300, 100, 2);
    o.max_memory = 40 << 20;
    ck_error(sn_patterns_discover(&z.a, &o, NULL, NULL, &r), SEQNET_ENOMEM, "draw fewer");
    sn_patterns_free(&r);
    o.max_memory = 100 << 20;
    ck_ok(sn_patterns_discover(&z.a, &o, NULL, NULL, &r));
    sn_patterns_free(&r);
    noise_free(&z);
}
END_TEST

START_TEST(refused_options) {
    struct noise z;
    struct sn_discover_options o;
    struct sn_patterns r;
    noise_make(&z, 2, 60, 2);
    sn_discover_defaults(&o);
    o.window = 0;
    ck_error(sn_patterns_discover(&z.a, &o, NULL, NULL, &r), SEQNET_EINVAL, "window");
    sn_discover_defaults(&o);
    o.fdr = 1.5;
    ck_error(sn_patterns_discover(&z.a, &o, NULL, NULL, &r), SEQNET_EINVAL, "fdr");
    sn_discover_defaults(&o);
    o.leiden_seeds = 0;
    ck_error(sn_patterns_discover(&z.a, &o, NULL, NULL, &r), SEQNET_EINVAL, "leiden_seeds");
    noise_free(&z);
}
END_TEST

int main(void) {
    Suite *s = suite_create("patterns");
    TCase *t = tcase_create("patterns");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, logarithm);
    tcase_add_test(t, sorting);
    tcase_add_test(t, largest);
    tcase_add_test(t, jaccard);
    tcase_add_test(t, byte_sums);
    tcase_add_test(t, mates);
    tcase_add_test(t, best_shifts);
    tcase_add_test(t, densities);
    tcase_add_test(t, one_sided_links);
    tcase_add_test(t, threshold);
    tcase_add_test(t, laplace);
    tcase_add_test(t, information);
    tcase_add_test(t, extraction);
    tcase_add_test(t, auroc);
    tcase_add_test(t, piles);
    tcase_add_test(t, planted);
    tcase_add_test(t, order_of_sequences);
    tcase_add_test(t, signs_and_strands);
    tcase_add_test(t, little_to_find);
    tcase_add_test(t, flat_memory);
    tcase_add_test(t, memory_of_seqlets);
    tcase_add_test(t, refused_options);
    suite_add_tcase(s, t);
    return unit_run(s);
}
