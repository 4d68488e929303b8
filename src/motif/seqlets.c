#include "motif/seqlets.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/ln.h"
#include "core/mem.h"
#include "core/rng.h"
#include "core/sort.h"
#include "motif/attributions.h"

#define BINS 1000
#define NULL_DRAWS 10000
#define MAX_VALUES 1000000 /* window sums that the thresholds are fitted to */
#define MIN_NULL_SHARE 0.95
#define WEAK 0.8 /* rank of |window sum| that a seqlet's core must pass at least to have a sign */
#define ROWS 64  /* of a tile */

/* ---- window sums ---- */

void sn_row_contributions(const struct sn_attributions *a, int64_t row, float *out) {
    for (int32_t p = 0; p < a->length; p++) out[p] = sn_contribution(a, row, p);
}

static int row_length(const struct sn_attributions *a, int64_t row) {
    return a->len ? a->len[row] : a->length;
}

/* Window sums of a row and how many there are. */
static int row_sums(const struct sn_attributions *a, int64_t row, int window, float *track, float *sums) {
    int n = row_length(a, row) - window + 1;
    if (n <= 0) return 0;
    sn_row_contributions(a, row, track);
    double sum = 0;
    for (int p = 0; p < window; p++) sum += track[p];
    /* the running sum starts anew now and then, so that its error stays that of one window */
    for (int k = 0; k < n; k++) {
        if (k > 0 && k % window == 0) {
            sum = 0;
            for (int p = 0; p < window; p++) sum += track[k + p];
        } else if (k > 0) {
            sum += (double)track[k + window - 1] - (double)track[k - 1];
        }
        sums[k] = (float)sum;
    }
    return n;
}

/* A row's own number, from what is in it: subsets drawn by it do not depend on the order of the rows. */
static uint64_t row_hash(const struct sn_attributions *a, int64_t row, const float *track) {
    uint64_t h = 0;
    for (int p = 0; p < row_length(a, row); p++) {
        uint32_t bits;
        memcpy(&bits, &track[p], sizeof bits);
        h = sn_mix64(h ^ ((uint64_t)bits << 3 | a->bases[row * a->length + p]));
    }
    return h;
}

static int check_finite(const struct sn_attributions *a, int64_t row) {
    int n = row_length(a, row);
    for (int c = 0; c < 4; c++)
        for (int p = 0; p < n; p++)
            if (!isfinite(sn_hypothetical(a, row, p, c)))
                return sn_error(SEQNET_ENUM, "%s: the number at sequence %" PRId64 ", position %d, base %c is not finite",
                                a->name ? a->name : "attributions", row, p, "ACGT"[c]);
    return 0;
}

struct sums_job {
    const struct sn_attributions *a;
    const struct sn_discover_options *o;
    uint64_t keep;  /* windows whose hash is below it; UINT64_MAX: all */
    struct values { /* of a tile */
        float *v;
        size_t cap;
        int64_t n;
    } * part;
};

static int add_sums(struct sums_job *j, struct values *part, uint64_t hash, const float *sums, int n) {
    void *all = part->v;
    int rc = sn_grow(&all, &part->cap, (size_t)(part->n + n), sizeof *part->v);
    part->v = all;
    if (rc < 0) return rc;
    for (int k = 0; k < n; k++)
        if (j->keep == UINT64_MAX || sn_mix64(hash + (uint64_t)k) < j->keep) part->v[part->n++] = sums[k];
    return 0;
}

static int sums_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct sums_job *j = arg;
    const struct sn_attributions *a = j->a;
    float *track = sn_calloc((size_t)a->length * 2, sizeof *track);
    if (!track) return SEQNET_ENOMEM;
    float *sums = track + a->length;
    int rc = 0;
    int64_t end = (int64_t)(tile + 1) * ROWS < a->n ? (int64_t)(tile + 1) * ROWS : a->n;
    for (int64_t row = (int64_t)tile * ROWS; row < end && rc >= 0; row++) {
        if ((rc = check_finite(a, row)) < 0) break;
        int n = row_sums(a, row, j->o->window, track, sums);
        uint64_t hash = n > 0 && j->keep != UINT64_MAX ? row_hash(a, row, track) ^ sn_mix64(j->o->seed) : 0;
        if (n > 0) rc = add_sums(j, &j->part[tile], hash, sums, n);
    }
    sn_attributions_drop(a, (int64_t)tile * ROWS, end);
    free(track);
    return rc;
}

static int tiles_of(int64_t n, int per_tile) {
    return (int)((n + per_tile - 1) / per_tile);
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static int sort_floats(float *v, int64_t n) {
    uint64_t *word = sn_calloc((size_t)n, 2 * sizeof *word); /* and scratch */
    if (!word) return SEQNET_ENOMEM;
    for (int64_t i = 0; i < n; i++) word[i] = sn_sortable_f32(v[i]);
    sn_sort_u64(word, (size_t)n, word + n);
    for (int64_t i = 0; i < n; i++) v[i] = sn_unsortable_f32((uint32_t)word[i]);
    free(word);
    return 0;
}

/* All window sums, or a subset of about MAX_VALUES of them, ascending. */
static int collect_sums(const struct sn_attributions *a, const struct sn_discover_options *o, struct sn_pool *pool, float **out,
                        int64_t *n_out) {
    int64_t all = 0, n = 0;
    for (int64_t i = 0; i < a->n; i++) all += row_length(a, i) >= o->window ? row_length(a, i) - o->window + 1 : 0;
    struct sums_job j = {.a = a, .o = o, .keep = UINT64_MAX};
    if (all > MAX_VALUES) j.keep = (uint64_t)((double)MAX_VALUES / (double)all * 0x1p64);
    int rc = 0, tiles = tiles_of(a->n, ROWS);
    float *v = NULL;
    j.part = sn_calloc((size_t)tiles, sizeof *j.part);
    if (!j.part) return SEQNET_ENOMEM;
    SN_GO(sn_pool_run(pool, tiles, sn_pool_size(pool), sums_tile, &j));
    for (int t = 0; t < tiles; t++) n += j.part[t].n;
    v = sn_calloc((size_t)n, sizeof *v);
    if (!v) SN_GO(SEQNET_ENOMEM);
    n = 0;
    for (int t = 0; t < tiles; t++) {
        if (j.part[t].n > 0) memcpy(v + n, j.part[t].v, (size_t)j.part[t].n * sizeof *v);
        n += j.part[t].n;
    }
    SN_GO(sort_floats(v, n));
    *out = v;
    *n_out = n;
    v = NULL;
done:
    free(v);
    for (int t = 0; t < tiles; t++) free(j.part[t].v);
    free(j.part);
    return rc;
}

/* ---- the null ---- */

/* Borders of the fullest of 1000 equal bins of ascending values. */
static void fullest_bin(const float *v, int64_t n, double *left, double *right) {
    double low = v[0], width = ((double)v[n - 1] - low) / BINS;
    int64_t best = -1, i = 0;
    *left = low;
    *right = low;
    for (int b = 0; b < BINS; b++) {
        int64_t first = i;
        double end = low + width * (b + 1);
        while (i < n && (b == BINS - 1 || v[i] < end)) i++;
        if (i - first <= best) continue;
        best = i - first;
        *left = low + width * b;
        *right = end;
    }
}

/* Centre of the null: the fullest bin of the fullest bin. */
static double centre_of(const float *v, int64_t n) {
    double left, right;
    fullest_bin(v, n, &left, &right);
    int64_t first = 0, last = n;
    while (first < n && v[first] <= left) first++;
    while (last > first && v[last - 1] >= right) last--;
    if (last > first) fullest_bin(v + first, last - first, &left, &right);
    return (left + right) / 2;
}

static double quantile(const float *v, int64_t n, double q) {
    double at = (double)(n - 1) * q;
    int64_t i = (int64_t)at;
    if (i >= n - 1) return v[n - 1];
    return v[i] + (at - (double)i) * ((double)v[i + 1] - v[i]);
}

double sn_laplace_rate(const float *distance, int64_t n) {
    double best = 0;
    for (int q = 5; q <= 95 && n > 0; q += 5) {
        double d = quantile(distance, n, q / 100.0);
        double rate = d > 0 ? -sn_ln(1 - q / 100.0) / d : 0;
        if (rate > best) best = rate;
    }
    return best;
}

/* Draws from the null, by sign, as ascending distances from zero. */
static void draw_null(double centre, const double rate[2], double share_positive, uint64_t seed, float *draw[2], int64_t n[2]) {
    n[0] = n[1] = 0;
    struct sn_stream s;
    sn_stream_init(&s, seed, 0, 0);
    for (int i = 0; i < NULL_DRAWS; i++) {
        bool up = sn_stream_unit(&s) < share_positive;
        double size = -sn_ln(1 - sn_stream_unit(&s)), r = rate[up ? 0 : 1];
        double v = r > 0 ? (up ? centre + size / r : centre - size / r) : centre;
        int side = v >= 0 ? 0 : 1;
        draw[side][n[side]++] = (float)fabs(v);
    }
    for (int side = 0; side < 2; side++) qsort(draw[side], (size_t)n[side], sizeof(float), ascending);
}

/* ---- the threshold ---- */

struct block {
    double sum, weight;
    int64_t end; /* points of this block and before */
};

/* Weighted isotonic regression of label 1 (value) against 0 (null) over distinct distances; fit (distinct) at each of `at`. */
static int isotonic_fit(const float *values, int64_t n, const float *null, int64_t n_null, float *at, double *fit, int64_t *n_points) {
    struct block *b = sn_calloc((size_t)(n + n_null), sizeof *b);
    if (!b) return SEQNET_ENOMEM;
    double weight = n_null > 0 ? (double)n / (double)n_null : 0;
    int64_t i = 0, k = 0, points = 0, blocks = 0;
    while (i < n || k < n_null) {
        float x = k >= n_null || (i < n && values[i] <= null[k]) ? values[i] : null[k];
        struct block next = {.end = points + 1};
        for (; i < n && values[i] == x; i++) {
            next.sum += 1;
            next.weight += 1;
        }
        for (; k < n_null && null[k] == x; k++) next.weight += weight;
        at[points++] = x;
        while (blocks > 0 && b[blocks - 1].sum * next.weight > next.sum * b[blocks - 1].weight) {
            blocks--;
            next.sum += b[blocks].sum;
            next.weight += b[blocks].weight;
        }
        b[blocks++] = next;
    }
    for (int64_t p = 0, block = 0; p < points; p++) {
        if (p >= b[block].end) block++;
        fit[p] = b[block].sum / b[block].weight;
    }
    free(b);
    *n_points = points;
    return 0;
}

int sn_isotonic_threshold(const float *values, int64_t n, const float *null, int64_t n_null, double fdr, double *precision, double *out) {
    int64_t points = 0;
    float *at = sn_calloc((size_t)(n + n_null), sizeof *at);
    double *fit = sn_calloc((size_t)(n + n_null), sizeof *fit);
    int rc = 0;
    if (!at || !fit) SN_GO(SEQNET_ENOMEM);
    SN_GO(isotonic_fit(values, n, null, n_null, at, fit, &points));
    double least = fit[0] > 1e-7 ? fit[0] : 1e-7, share = least < 1 ? least / (1 - least) : 1;
    if (share > 1) share = 1;
    if (share < MIN_NULL_SHARE) share = MIN_NULL_SHARE;
    bool found = false;
    for (int64_t i = 0, p = 0; i < n; i++) {
        while (at[p] != values[i]) p++;
        double f = fit[p] > 1e-7 ? fit[p] : 1e-7, v = 1 + share * (1 - 1 / f);
        v = i == n - 1 || v > 1 ? 1 : v < 0 ? 0 : v;
        if (precision) precision[i] = v;
        if (!found && v >= 1 - fdr) *out = values[i];
        found = found || v >= 1 - fdr;
    }
done:
    free(at);
    free(fit);
    return rc;
}

/* Thresholds of both signs from all sums (ascending), before they are clamped. A sign without values has an infinite one. */
static int fit_thresholds(const float *v, int64_t n, const struct sn_discover_options *o, double threshold[2]) {
    double centre = centre_of(v, n), rate[2];
    int64_t above = 0, negative = 0, n_side[2], n_draw[2];
    while (above < n && v[above] < centre) above++;
    while (negative < n && v[negative] < 0) negative++;
    int64_t below = above;
    while (below < n && v[below] <= centre) below++;
    float *work = sn_calloc((size_t)n + 2 * NULL_DRAWS, sizeof *work);
    if (!work) return SEQNET_ENOMEM;
    float *draw[2] = {work + n, work + n + NULL_DRAWS};
    for (int64_t i = above; i < n; i++) work[i - above] = (float)((double)v[i] - centre);
    rate[0] = sn_laplace_rate(work, n - above);
    for (int64_t i = 0; i < below; i++) work[i] = (float)(centre - (double)v[below - 1 - i]);
    rate[1] = sn_laplace_rate(work, below);
    draw_null(centre, rate, (double)(n - above) / (double)(n - above + below), o->seed, draw, n_draw);
    n_side[0] = n - negative;
    n_side[1] = negative;
    int rc = 0;
    for (int side = 0; side < 2 && rc >= 0; side++) {
        threshold[side] = INFINITY;
        const float *values = v + negative;
        if (side == 1) {
            for (int64_t i = 0; i < negative; i++) work[i] = -v[negative - 1 - i];
            values = work;
        }
        if (n_side[side] > 0) rc = sn_isotonic_threshold(values, n_side[side], draw[side], n_draw[side], o->fdr, NULL, &threshold[side]);
    }
    free(work);
    return rc;
}

/* Moves the thresholds so that the share of passing windows stays within its bounds; `size`: |sums|, ascending. */
static void clamp_thresholds(const float *v, const float *size, int64_t n, const struct sn_discover_options *o, double threshold[2]) {
    int64_t passing = 0;
    for (int64_t i = 0; i < n; i++) passing += v[i] >= threshold[0] || -v[i] >= threshold[1];
    double share = (double)passing / (double)n;
    if (share < o->min_passing) threshold[0] = threshold[1] = quantile(size, n, 1 - o->min_passing);
    if (share > o->max_passing) threshold[0] = threshold[1] = quantile(size, n, 1 - o->max_passing);
}

/* Core sum beyond which a seqlet has a sign. */
static double weak_threshold(const float *size, int64_t n, const double threshold[2]) {
    double weak = WEAK;
    for (int side = 0; side < 2; side++) {
        int64_t rank = 0;
        while (rank < n && size[rank] < threshold[side]) rank++;
        double share = (double)rank / (double)n - 0.0001;
        if (share < weak) weak = share;
    }
    int64_t at = (int64_t)(weak * (double)n);
    return size[at < 0 ? 0 : at >= n ? n - 1 : at];
}

/* ---- extraction ---- */

int sn_seqlets_extract(float *sums, int n, int window, int flank, int32_t *start) {
    int reach = window / 2 + flank, found = 0;
    for (int k = 0; k < n && k < flank; k++) sums[k] = sums[n - 1 - k] = -1;
    for (;;) {
        int best = -1;
        for (int k = 0; k < n; k++)
            if (sums[k] >= 0 && (best < 0 || sums[k] > sums[best])) best = k;
        if (best < 0) return found;
        start[found++] = best - flank;
        int from = best - reach < 0 ? 0 : best - reach, to = best + reach + 1 > n ? n : best + reach + 1;
        for (int k = from; k < to; k++) sums[k] = -1;
    }
}

struct extract_job {
    const struct sn_attributions *a;
    const struct sn_discover_options *o;
    const double *threshold;
    double weak;
    struct part { /* of a tile */
        struct sn_seqlet *v[2];
        size_t cap[2];
        int64_t n[2];
    } * part;
};

static int add_seqlet(struct part *part, int side, struct sn_seqlet s) {
    void *all = part->v[side];
    int rc = sn_grow(&all, &part->cap[side], (size_t)part->n[side] + 1, sizeof s);
    part->v[side] = all;
    if (rc < 0) return rc;
    part->v[side][part->n[side]++] = s;
    return 0;
}

/* Seqlets of a row; track, sums, passing, start: (length) each. */
static int extract_row(const struct extract_job *j, int64_t row, float *track, float *sums, float *passing, int32_t *start,
                       struct part *part) {
    int window = j->o->window, flank = j->o->flank, n = row_sums(j->a, row, window, track, sums);
    for (int k = 0; k < n; k++) passing[k] = sums[k] >= j->threshold[0] || -sums[k] >= j->threshold[1] ? fabsf(sums[k]) : -1;
    int found = n > 0 ? sn_seqlets_extract(passing, n, window, flank, start) : 0;
    for (int i = 0; i < found; i++) {
        float core = sums[start[i] + flank];
        double whole = 0;
        struct sn_seqlet s = {.sequence = (int32_t)row, .start = start[i], .end = start[i] + window + 2 * flank};
        for (int p = s.start; p < s.end; p++) whole += track[p];
        s.contribution = (float)whole;
        if (core > j->weak) SN_TRY(add_seqlet(part, 0, s));
        if (core < -j->weak) SN_TRY(add_seqlet(part, 1, s));
    }
    return 0;
}

static int extract_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct extract_job *j = arg;
    size_t length = (size_t)j->a->length;
    float *work = sn_calloc(4 * length, sizeof *work);
    int32_t *start = sn_calloc(length, sizeof *start);
    int rc = work && start ? 0 : SEQNET_ENOMEM;
    int64_t end = (int64_t)(tile + 1) * ROWS < j->a->n ? (int64_t)(tile + 1) * ROWS : j->a->n;
    for (int64_t row = (int64_t)tile * ROWS; row < end && rc >= 0; row++)
        rc = extract_row(j, row, work, work + length, work + 2 * length, start, &j->part[tile]);
    sn_attributions_drop(j->a, (int64_t)tile * ROWS, end);
    free(work);
    free(start);
    return rc;
}

static int extract_all(struct extract_job *j, struct sn_pool *pool, struct sn_seqlet_set *out) {
    int tiles = tiles_of(j->a->n, ROWS), rc = 0;
    j->part = sn_calloc((size_t)tiles, sizeof *j->part);
    if (!j->part) return SEQNET_ENOMEM;
    SN_GO(sn_pool_run(pool, tiles, sn_pool_size(pool), extract_tile, j));
    for (int side = 0; side < 2; side++) {
        for (int t = 0; t < tiles; t++) out->n[side] += j->part[t].n[side];
        out->v[side] = sn_calloc((size_t)out->n[side], sizeof *out->v[side]);
        if (!out->v[side]) SN_GO(SEQNET_ENOMEM);
        int64_t n = 0;
        for (int t = 0; t < tiles; t++) {
            if (j->part[t].n[side] > 0) memcpy(out->v[side] + n, j->part[t].v[side], (size_t)j->part[t].n[side] * sizeof(struct sn_seqlet));
            n += j->part[t].n[side];
        }
    }
done:
    for (int t = 0; t < tiles; t++) {
        free(j->part[t].v[0]);
        free(j->part[t].v[1]);
    }
    free(j->part);
    return rc;
}

/* |v| ascending, from v ascending. */
static void merge_sizes(const float *v, int64_t n, float *size) {
    int64_t up = 0, down;
    while (up < n && v[up] < 0) up++;
    down = up - 1;
    for (int64_t i = 0; i < n; i++) size[i] = up < n && (down < 0 || v[up] <= -v[down]) ? v[up++] : -v[down--];
}

int sn_seqlets_find(const struct sn_attributions *a, const struct sn_discover_options *o, struct sn_pool *pool, struct sn_seqlet_set *out) {
    *out = (struct sn_seqlet_set){.flat = true};
    float *v = NULL, *size = NULL;
    int64_t n = 0;
    int rc = 0;
    SN_GO(collect_sums(a, o, pool, &v, &n));
    if (n == 0 || v[0] == v[n - 1]) goto done;
    out->flat = false;
    SN_GO(fit_thresholds(v, n, o, out->threshold));
    size = sn_calloc((size_t)n, sizeof *size);
    if (!size) SN_GO(SEQNET_ENOMEM);
    merge_sizes(v, n, size);
    clamp_thresholds(v, size, n, o, out->threshold);
    struct extract_job j = {.a = a, .o = o, .threshold = out->threshold, .weak = weak_threshold(size, n, out->threshold)};
    SN_GO(extract_all(&j, pool, out));
done:
    free(v);
    free(size);
    if (rc < 0) sn_seqlets_free(out);
    return rc;
}

void sn_seqlets_free(struct sn_seqlet_set *s) {
    free(s->v[0]);
    free(s->v[1]);
    *s = (struct sn_seqlet_set){.flat = true};
}
