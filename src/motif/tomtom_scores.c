#include "motif/tomtom_scores.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"

#define FINE 65535 /* the largest bin of what columns are apart */
#define SHIFT 6    /* coarse bins, which are counted, have so many bits less */
#define WIDE (1 << SHIFT)
#define COARSE (1 << (16 - SHIFT))
#define SLACK 2   /* fine bins: those in single precision are off by 1 at most, at either end of a comparison */
#define BLOCK 512 /* target columns at a time */

struct weighted {
    double value;
    int32_t count;
};

/* A worker's memory to find ranges with. */
struct sn_score_work {
    uint16_t *bin;           /* (columns, and SN_IN_BINS_PAD) */
    int32_t (*held)[4];      /* (COARSE) columns in each */
    int32_t *found;          /* (the same) */
    struct weighted *middle; /* (columns + 1) */
};

/* For Pearson: columns as deviations from their mean, of length 1; a column without deviations correlates with nothing. */
static void standardize(struct sn_columns *c) {
    for (int u = 0; u < c->n; u++) {
        double *v = c->value + (int64_t)u * c->letters, mean = 0, length = 0;
        for (int k = 0; k < c->letters; k++) mean += v[k];
        mean /= c->letters;
        for (int k = 0; k < c->letters; k++) length += (v[k] - mean) * (v[k] - mean);
        length = length > 1e-20 ? sqrt(length) : INFINITY;
        for (int k = 0; k < c->letters; k++) v[k] = (v[k] - mean) / length;
    }
}

/* The length of the longest column; *largest becomes the largest value if that is larger. */
static double longest(const struct sn_columns *c, double *largest) {
    double most = 0;
    for (int u = 0; u < c->n; u++) {
        const double *v = c->value + (int64_t)u * c->letters;
        double sum = 0;
        for (int k = 0; k < c->letters; k++) {
            sum += v[k] * v[k];
            if (fabs(v[k]) > *largest) *largest = fabs(v[k]);
        }
        if (sum > most) most = sum;
    }
    return sqrt(most);
}

static double to_score(const struct sn_scores *s, double apart) {
    return s->pearson ? -apart : -sqrt(apart);
}

/* What query column i and target column u are apart, their squared distance or minus their product, in double precision: this alone
 * decides. */
static double compare(const struct sn_scores *s, int i, int u) {
    int letters = s->targets.letters;
    const double *q = s->queries.value + (int64_t)i * letters, *y = s->targets.value + (int64_t)u * letters;
    double apart = 0;
    if (s->pearson)
        for (int k = 0; k < letters; k++) apart -= q[k] * y[k];
    else
        for (int k = 0; k < letters; k++) apart += (q[k] - y[k]) * (q[k] - y[k]);
    return apart;
}

static int8_t integer(double score, double median, double scale) {
    return (int8_t)floor((score - median) * scale + 0.5);
}

/* ---- ranges ---- */

static int by_value(const void *a, const void *b) {
    double x = ((const struct weighted *)a)->value, y = ((const struct weighted *)b)->value;
    return x < y ? -1 : x > y;
}

static int in_bins(const struct sn_scores *s, const struct sn_score_work *w, int from, int to) {
    return s->loops->in_bins(w->bin, s->targets.n, from > 0 ? from : 0, to < FINE ? to : FINE, w->found);
}

/* The least (sign 1) or largest (-1) of what query column i is apart from those in bins [from, to]. */
static double extreme(const struct sn_scores *s, const struct sn_score_work *w, int i, int from, int to, int sign) {
    double best = INFINITY;
    int n = in_bins(s, w, from, to);
    for (int k = 0; k < n; k++) {
        double apart = sign * compare(s, i, w->found[k]);
        if (apart < best) best = apart;
    }
    return sign * best;
}

/* Of the n found, those around the bins that hold the places left and left + apart, which count from coarse bin `first` on; where the
 * elements before them are taken off *left. */
static int narrow_down(const struct sn_scores *s, const struct sn_score_work *w, int n, int first, int64_t *left, int64_t apart) {
    int32_t held[4 * WIDE] = {0};
    int low = 0, kept = 0, from = first * WIDE - SLACK;
    for (int k = 0; k < n; k++) held[w->bin[w->found[k]] - from] += s->targets.count[w->found[k]];
    int64_t before = 0, reach;
    for (; before + held[low] <= *left; low++) before += held[low];
    int high = low;
    for (reach = before + held[low]; reach <= *left + apart; reach += held[high]) high++;
    for (int k = 0; k < n; k++) {
        int b = w->bin[w->found[k]] - from;
        if (b < low - SLACK) *left -= s->targets.count[w->found[k]];
        if (b >= low - SLACK && b <= high + SLACK) w->found[kept++] = w->found[k];
    }
    return kept;
}

/* The mean of the two middle scores (twice the same when the number is odd), looked for among those of their bins alone. */
static double median(const struct sn_scores *s, const struct sn_score_work *w, int i) {
    const struct sn_columns *c = &s->targets;
    int64_t left = (c->total - 1) / 2, apart = c->total / 2 - left;
    int first = 0, k = 0;
    for (; left >= w->held[first][0]; first++) left -= w->held[first][0];
    int last = first;
    for (int64_t reach = w->held[first][0]; left + apart >= reach; reach += w->held[last][0]) last++;
    int n = in_bins(s, w, first * WIDE - SLACK, last * WIDE + WIDE - 1 + SLACK);
    for (; k < n; k++)
        if (w->bin[w->found[k]] < first * WIDE) left += c->count[w->found[k]];
    if (last - first < 3) n = narrow_down(s, w, n, first, &left, apart);
    for (k = 0; k < n; k++) w->middle[k] = (struct weighted){compare(s, i, w->found[k]), c->count[w->found[k]]};
    qsort(w->middle, (size_t)n, sizeof *w->middle, by_value);
    for (k = 0; left >= w->middle[k].count; k++) left -= w->middle[k].count;
    double low = w->middle[k].value, high = w->middle[left + apart < w->middle[k].count ? k : k + 1].value;
    return (to_score(s, low) + to_score(s, high)) / 2;
}

/* Bins in single precision narrow down where the middle and the ends are; the values there are compared in double precision. */
static void find_range(const struct sn_scores *s, const struct sn_score_work *w, int i) {
    const struct sn_columns *c = &s->targets;
    float q[SN_MOTIF_LETTERS];
    const float *y[SN_MOTIF_LETTERS];
    double length = 0;
    float least = FINE, most = 0;
    for (int k = 0; k < c->letters; k++) {
        double v = s->queries.value[(int64_t)i * c->letters + k];
        q[k] = (float)v;
        length += v * v;
    }
    length = sqrt(length);
    double from = s->pearson ? -length * s->longest : 0, width = s->pearson ? -2 * from : (length + s->longest) * (length + s->longest);
    float per_bin = width > 0 ? (float)((FINE - 1) / width) : 0;
    memset(w->held, 0, COARSE * sizeof *w->held);
    for (int u0 = 0; u0 < c->n; u0 += BLOCK) {
        int n = c->n - u0 < BLOCK ? c->n - u0 : BLOCK;
        for (int k = 0; k < c->letters; k++) y[k] = s->value[k] + u0;
        s->loops->bins(q, y, c->letters, s->pearson, n, (float)from, per_bin, w->bin + u0, &least, &most);
        s->loops->tally_bins(w->bin + u0, c->count + u0, n, SHIFT, w->held);
    }
    for (int b = 0; b < COARSE; b++) w->held[b][0] += w->held[b][1] + w->held[b][2] + w->held[b][3];
    s->range[i].median = median(s, w, i);
    s->range[i].most = to_score(s, extreme(s, w, i, 0, (int)least + SLACK, 1));
    s->range[i].least = to_score(s, extreme(s, w, i, (int)most - SLACK, FINE, -1));
}

static int make_work(const struct sn_scores *s, struct sn_score_work *w) {
    size_t n = (size_t)s->targets.n;
    w->bin = sn_calloc(n + SN_IN_BINS_PAD, sizeof *w->bin);
    w->held = sn_calloc(COARSE, sizeof *w->held);
    w->found = sn_calloc(n + SN_IN_BINS_PAD, sizeof *w->found);
    w->middle = sn_calloc(n + 1, sizeof *w->middle);
    return w->bin && w->held && w->found && w->middle ? 0 : SEQNET_ENOMEM;
}

static void free_work(struct sn_score_work *w) {
    free(w->bin);
    free(w->held);
    free(w->found);
    free(w->middle);
}

#define PER_TILE 8 /* query columns */

static int find_ranges(void *arg, int tile, int worker) {
    struct sn_scores *s = arg;
    struct sn_score_work *w = &s->work[worker];
    if (!w->middle) SN_TRY(make_work(s, w));
    for (int i = tile * PER_TILE; i < s->queries.n && i < (tile + 1) * PER_TILE; i++) find_range(s, w, i);
    return 0;
}

int sn_scores_make(const struct sn_motif_set *queries, const struct sn_motif_set *targets, bool both_strands, bool pearson,
                   struct sn_pool *pool, struct sn_scores *s) {
    memset(s, 0, sizeof *s);
    s->loops = sn_motif_loops();
    s->pearson = pearson;
    s->n_work = sn_pool_size(pool);
    SN_TRY(sn_columns_make(targets, both_strands, &s->targets));
    SN_TRY(sn_columns_make(queries, false, &s->queries));
    if (pearson) {
        standardize(&s->targets);
        standardize(&s->queries);
    }
    longest(&s->queries, &s->largest);
    s->longest = longest(&s->targets, &s->largest);
    size_t padded = ((size_t)s->targets.n + SN_LANES - 1) / SN_LANES * SN_LANES;
    s->value[0] = sn_calloc(padded, (size_t)s->targets.letters * sizeof **s->value);
    s->range = sn_calloc((size_t)s->queries.n, sizeof *s->range);
    s->work = sn_calloc((size_t)s->n_work, sizeof *s->work);
    if (!s->value[0] || !s->range || !s->work) return SEQNET_ENOMEM;
    for (int k = 0; k < s->targets.letters; k++) {
        s->value[k] = s->value[0] + (size_t)k * padded;
        for (int u = 0; u < s->targets.n; u++) s->value[k][u] = (float)s->targets.value[(int64_t)u * s->targets.letters + k];
    }
    return sn_pool_run(pool, (s->queries.n + PER_TILE - 1) / PER_TILE, s->n_work, find_ranges, s);
}

void sn_scores_free(struct sn_scores *s) {
    for (int i = 0; s->work && i < s->n_work; i++) free_work(&s->work[i]);
    free(s->work);
    free(s->range);
    free(s->value[0]);
    sn_columns_free(&s->targets);
    sn_columns_free(&s->queries);
    memset(s, 0, sizeof *s);
}

/* ---- integers ---- */

double sn_scores_scale(const struct sn_scores *s, const int32_t *column, int width) {
    double lowest = 0, highest = 0;
    for (int i = 0; i < width; i++) {
        const struct sn_score_range *r = &s->range[column[i]];
        if (i == 0 || r->least - r->median < lowest) lowest = r->least - r->median;
        if (i == 0 || r->most - r->median > highest) highest = r->most - r->median;
    }
    lowest = floor(lowest);
    return highest > lowest ? SN_SCORE_BINS / (highest - lowest) : 1;
}

/* Lane l: the integer is floor(base - distance * scale). `sure`: how far from the middle between two integers single precision decides.
 * Its errors: of values, half a unit in the last place each, that of a distance `letters` more, and of what is made of it a few. */
static void set_lane(const struct sn_scores *s, const struct sn_score_lane *from, int l, struct sn_lanes *to) {
    int letters = s->targets.letters;
    for (int k = 0; k < letters; k++) to->q[k][l] = from->column < 0 ? 0 : (float)s->queries.value[(int64_t)from->column * letters + k];
    to->base[l] = 0.5f;
    to->scale[l] = 0;
    to->sure[l] = 0.5f;
    if (from->column < 0) return;
    double base = 0.5 - s->range[from->column].median * from->scale, root = sqrt(letters);
    double apart = 2 * s->largest * root, error = s->largest * root * (2 * letters + 10) * FLT_EPSILON;
    double sure = 0.5 - from->scale * error - 4 * FLT_EPSILON * (fabs(base) + from->scale * (s->pearson ? 1 : apart) + 1);
    to->base[l] = (float)base;
    to->scale[l] = (float)from->scale;
    to->sure[l] = sure > 0 ? (float)sure : -1;
}

void sn_scores_rows(const struct sn_scores *s, const struct sn_score_lane *lane, int lanes, int stride, int8_t *row, int32_t *held) {
    const struct sn_columns *c = &s->targets;
    const float *y[SN_MOTIF_LETTERS];
    uint32_t unsure[BLOCK];
    struct sn_lanes l;
    int groups = (lanes + SN_LANES - 1) / SN_LANES;
    memset(held, 0, (size_t)groups * SN_LANES * SN_TALLY * sizeof *held);
    for (int u0 = 0; u0 < c->n; u0 += BLOCK) {
        int n = c->n - u0 < BLOCK ? c->n - u0 : BLOCK;
        for (int k = 0; k < c->letters; k++) y[k] = s->value[k] + u0;
        for (int g = 0; g < groups; g++) {
            const struct sn_score_lane *of = lane + g * SN_LANES;
            int8_t *to = row + (int64_t)u0 * stride + g * SN_LANES;
            for (int i = 0; i < SN_LANES; i++) set_lane(s, &of[i], i, &l);
            int n_unsure = s->loops->scores(&l, y, c->letters, s->pearson, n, stride, to, unsure);
            for (int k = 0; k < n_unsure; k++) {
                int u = (int)(unsure[k] >> 16);
                for (uint32_t left = unsure[k] & 0xffff; left; left &= left - 1) {
                    int i = __builtin_ctz(left);
                    if (of[i].column < 0) continue;
                    double score = to_score(s, compare(s, of[i].column, u0 + u));
                    to[(int64_t)u * stride + i] = integer(score, s->range[of[i].column].median, of[i].scale);
                }
            }
            int used = lanes - g * SN_LANES < SN_LANES ? lanes - g * SN_LANES : SN_LANES;
            s->loops->tally(to, stride, n, c->count + u0, used, held + (int64_t)g * SN_LANES * SN_TALLY);
        }
    }
}
