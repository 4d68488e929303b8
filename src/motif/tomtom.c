#include "motif/tomtom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "motif/columns.h"
#include "motif/loops.h"
#include "motif/tomtom_null.h"

#define BINS 100         /* of the column scores */
#define MEDIAN_BINS 8192 /* to find the middle values among so many; does not change them */
#define BLOCK 512        /* columns made integers at a time */

void sn_tomtom_defaults(struct sn_tomtom_options *o) {
    *o = (struct sn_tomtom_options){.min_overlap = 1, .both_strands = true, .max_p = INFINITY, .max_e = INFINITY, .max_q = INFINITY};
}

/* What a pair came to, while all others are still to come. */
struct pair {
    double p;
    int16_t offset, overlap, score;
    bool reverse;
};

struct job {
    const struct sn_motif_set *queries;
    const struct sn_tomtom_options *o;
    const struct sn_motif_loops *loops;
    struct sn_columns columns; /* of the targets; for Pearson: centred, of length 1 */
    struct pair *pairs;        /* (queries, targets) */
};

/* Of one query. */
struct work {
    int width, stride;      /* columns of the query; the same as a multiple of 8 */
    double *score;          /* (width, columns) */
    double *median;         /* (width) */
    int32_t *bin;           /* (columns) */
    int64_t *held;          /* (MEDIAN_BINS) columns in each bin */
    int16_t *row;           /* (columns, stride) integer scores, the query's columns side by side */
    int16_t *block;         /* (width, BLOCK) */
    int16_t *sum;           /* of every offset */
    struct pair *strand[2]; /* (targets) */
    struct sn_null null;
};

static void free_work(struct work *w) {
    free(w->score);
    free(w->median);
    free(w->bin);
    free(w->held);
    free(w->row);
    free(w->block);
    free(w->sum);
    free(w->strand[0]);
    free(w->strand[1]);
    sn_null_free(&w->null);
}

static int make_work(const struct job *j, int width, struct work *w) {
    const struct sn_columns *c = &j->columns;
    size_t n = (size_t)c->n, targets = (size_t)c->n_motifs;
    memset(w, 0, sizeof *w);
    w->width = width;
    w->stride = (width + 7) / 8 * 8;
    w->score = sn_calloc((size_t)width * n, sizeof *w->score);
    w->median = sn_calloc((size_t)width, sizeof *w->median);
    w->bin = sn_calloc(n, sizeof *w->bin);
    w->held = sn_calloc(MEDIAN_BINS, sizeof *w->held);
    w->row = sn_calloc(n * (size_t)w->stride, sizeof *w->row);
    w->block = sn_calloc((size_t)width * BLOCK, sizeof *w->block);
    w->sum = sn_calloc((size_t)(w->stride + c->widest), sizeof *w->sum);
    w->strand[0] = sn_calloc(targets, sizeof **w->strand);
    w->strand[1] = sn_calloc(targets, sizeof **w->strand);
    bool ok = w->score && w->median && w->bin && w->held && w->row && w->block && w->sum && w->strand[0] && w->strand[1];
    return ok ? 0 : SEQNET_ENOMEM;
}

/* ---- column scores ---- */

/* For Pearson: columns as deviations from their mean, of length 1; a column without deviations correlates with nothing. */
static void standardize(double *const *v, int letters, int n) {
    for (int u = 0; u < n; u++) {
        double mean = 0, length = 0;
        for (int k = 0; k < letters; k++) mean += v[k][u];
        mean /= letters;
        for (int k = 0; k < letters; k++) length += (v[k][u] - mean) * (v[k][u] - mean);
        length = length > 1e-20 ? sqrt(length) : INFINITY;
        for (int k = 0; k < letters; k++) v[k][u] = (v[k][u] - mean) / length;
    }
}

struct weighted {
    double value;
    int32_t count;
};
static int by_value(const void *a, const void *b) {
    double x = ((const struct weighted *)a)->value, y = ((const struct weighted *)b)->value;
    return x < y ? -1 : x > y;
}

/* The score that `rank` columns (from 0) lie below, by the columns of its bin alone. */
static int value_at(const struct job *j, const struct work *w, const double *score, int64_t rank, struct weighted *buf, double *out) {
    int b = 0, n = 0;
    for (; rank >= w->held[b]; b++) rank -= w->held[b];
    for (int u = 0; u < j->columns.n; u++)
        if (w->bin[u] == b) buf[n++] = (struct weighted){score[u], j->columns.count[u]};
    qsort(buf, (size_t)n, sizeof *buf, by_value);
    int i = 0;
    for (; rank >= buf[i].count; i++) rank -= buf[i].count;
    *out = buf[i].value;
    return 0;
}

static int median(const struct job *j, struct work *w, const double *score, double *out) {
    int64_t total = j->columns.total;
    double low, high;
    struct weighted *buf = sn_calloc((size_t)j->columns.n, sizeof *buf);
    if (!buf) return SEQNET_ENOMEM;
    memset(w->held, 0, MEDIAN_BINS * sizeof *w->held);
    for (int u = 0; u < j->columns.n; u++) w->held[w->bin[u]] += j->columns.count[u];
    value_at(j, w, score, (total - 1) / 2, buf, &low);
    value_at(j, w, score, total / 2, buf, &high);
    free(buf);
    *out = (low + high) / 2;
    return 0;
}

/* Scores of every query column with every target column, their medians, and the scale to integers. */
static int score_columns(const struct job *j, const struct sn_motif *m, struct work *w, double *scale) {
    const struct sn_columns *c = &j->columns;
    bool pearson = j->o->distance == SN_TOMTOM_PEARSON;
    double from = pearson ? -1 : -1.4143, range = pearson ? 2 : 1.4143, lowest = 0, highest = 0;
    for (int i = 0; i < w->width; i++) {
        double q[SN_MOTIF_LETTERS], *at[SN_MOTIF_LETTERS], least, largest, *score = w->score + (int64_t)i * c->n;
        for (int k = 0; k < c->letters; k++) {
            q[k] = m->p[i * c->letters + k];
            at[k] = &q[k];
        }
        if (pearson) standardize(at, c->letters, 1);
        (pearson ? j->loops->products : j->loops->distances)(q, (const double *const *)c->value, c->letters, c->n, score);
        j->loops->bins(score, c->n, from, MEDIAN_BINS / range, MEDIAN_BINS - 1, w->bin, &least, &largest);
        SN_TRY(median(j, w, score, &w->median[i]));
        if (i == 0 || least - w->median[i] < lowest) lowest = least - w->median[i];
        if (i == 0 || largest - w->median[i] > highest) highest = largest - w->median[i];
    }
    lowest = floor(lowest);
    *scale = highest > lowest ? BINS / (highest - lowest) : 1;
    return 0;
}

/* Integer scores, and how often each occurs with each query column. */
static int make_integers(const struct job *j, struct work *w, double scale) {
    const struct sn_columns *c = &j->columns;
    SN_TRY(sn_null_make(&w->null, j->loops, w->width, c->widest, BINS));
    for (int u0 = 0; u0 < c->n; u0 += BLOCK) {
        int n = c->n - u0 < BLOCK ? c->n - u0 : BLOCK;
        for (int i = 0; i < w->width; i++) {
            int16_t *out = w->block + i * BLOCK;
            j->loops->integers(w->score + (int64_t)i * c->n + u0, n, w->median[i], scale, out);
            sn_null_count(&w->null, i, out, c->count + u0, n);
        }
        for (int u = 0; u < n; u++) {
            int16_t *row = w->row + (int64_t)(u0 + u) * w->stride;
            for (int i = 0; i < w->width; i++) row[i] = w->block[i * BLOCK + u];
        }
    }
    sn_null_counted(&w->null, c->total);
    return 0;
}

/* ---- pairs ---- */

/* The best offset of one target; of equal scores the larger overlap, then the first. */
static struct pair best_offset(const struct job *j, struct work *w, const int32_t *column, int width) {
    int n = w->width + width - 1, shorter = w->width < width ? w->width : width;
    int least = j->o->min_overlap < shorter ? j->o->min_overlap : shorter;
    struct pair best = {.score = INT16_MIN};
    memset(w->sum, 0, (size_t)(width - 1 + w->stride) * sizeof *w->sum);
    j->loops->diagonals(w->row, w->stride, column, width, w->sum);
    for (int k = least - 1; k < n - least + 1; k++) {
        if (w->sum[k] < best.score) continue;
        int before = k + 1, after = n - k, overlap = before < after ? before : after;
        if (overlap > shorter) overlap = shorter;
        if (w->sum[k] > best.score || overlap > best.overlap)
            best = (struct pair){.score = w->sum[k], .overlap = (int16_t)overlap, .offset = (int16_t)(k - (width - 1))};
    }
    return best;
}

static int compare_query(void *arg, int query, int worker) {
    struct job *j = arg;
    const struct sn_columns *c = &j->columns;
    struct pair *out = j->pairs + (int64_t)query * c->n_motifs;
    struct work w;
    double scale;
    (void)worker;
    int rc = sn_check_cancel(j->o->sink);
    if (rc < 0) return rc;
    SN_GO(make_work(j, j->queries->m[query].width, &w));
    SN_GO(score_columns(j, &j->queries->m[query], &w, &scale));
    SN_GO(make_integers(j, &w, scale));
    for (int s = 0; s < c->strands; s++)
        for (int t = 0; t < c->n_motifs; t++) {
            w.strand[s][t] = best_offset(j, &w, c->column[s] + c->first[t], c->width[t]);
            sn_null_ask(&w.null, w.strand[s][t].score);
        }
    SN_GO(sn_null_compute(&w.null, j->o->min_overlap));
    for (int t = 0; t < c->n_motifs; t++) {
        for (int s = 0; s < c->strands; s++) {
            struct pair *x = &w.strand[s][t];
            x->p = sn_null_p(&w.null, c->width[t], x->score);
            x->reverse = s == 1;
        }
        out[t] = c->strands == 2 && w.strand[1][t].p < w.strand[0][t].p ? w.strand[1][t] : w.strand[0][t];
        if (c->strands == 2) out[t].p = -expm1(2 * log1p(-out[t].p));
    }
done:
    free_work(&w);
    return rc;
}

/* ---- hits ---- */

static int by_p(const void *a, const void *b) {
    const struct sn_tomtom_hit *x = a, *y = b;
    if (x->p != y->p) return x->p < y->p ? -1 : 1;
    if (x->query != y->query) return x->query < y->query ? -1 : 1;
    return x->target < y->target ? -1 : x->target > y->target;
}

static int by_query(const void *a, const void *b) {
    const struct sn_tomtom_hit *x = a, *y = b;
    if (x->query != y->query) return x->query < y->query ? -1 : 1;
    return by_p(a, b);
}

static int64_t filter(struct sn_tomtom_hit *v, int64_t n, const struct sn_tomtom_options *o) {
    int64_t kept = 0;
    int of_query = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i > 0 && v[i].query != v[i - 1].query) of_query = 0;
        if (v[i].p > o->max_p || v[i].e > o->max_e || v[i].q > o->max_q || (o->top > 0 && of_query >= o->top)) continue;
        of_query++;
        v[kept++] = v[i];
    }
    return kept;
}

static int collect(const struct job *j, struct sn_tomtom_hits *out) {
    int targets = j->columns.n_motifs;
    int64_t n = (int64_t)j->queries->n * targets;
    struct sn_tomtom_hit *v = sn_calloc((size_t)n, sizeof *v);
    if (!v) return SEQNET_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        const struct pair *x = &j->pairs[i];
        v[i] = (struct sn_tomtom_hit){
            (int)(i / targets), (int)(i % targets), x->offset, x->overlap, x->reverse, x->score, x->p, x->p * targets, 0};
    }
    qsort(v, (size_t)n, sizeof *v, by_p);
    double q = 1;
    for (int64_t i = n - 1; i >= 0; i--) {
        double bound = v[i].p * (double)n / (double)(i + 1);
        if (bound < q) q = bound;
        v[i].q = q;
    }
    qsort(v, (size_t)n, sizeof *v, by_query);
    out->v = v;
    out->n = filter(v, n, j->o);
    return 0;
}

static int check_sets(const struct sn_motif_set *queries, const struct sn_motif_set *targets) {
    const struct sn_motif_set *const sets[] = {queries, targets};
    for (int s = 0; s < 2; s++) {
        if (sets[s]->n == 0) return sn_error(SEQNET_EDATA, "no motifs to compare%s", s ? " with" : "");
        for (int i = 0; i < sets[s]->n; i++)
            if (sets[s]->m[i].width > SN_TOMTOM_WIDEST)
                return sn_error(SEQNET_EDATA, "motif '%s' has %d columns, at most %d can be compared", sets[s]->m[i].id,
                                sets[s]->m[i].width, SN_TOMTOM_WIDEST);
    }
    if (strcmp(queries->letter, targets->letter) == 0) return 0;
    return sn_error(SEQNET_EDATA, "motifs over the letters %s cannot be compared with motifs over %s", queries->letter, targets->letter);
}

int sn_tomtom(const struct sn_motif_set *queries, const struct sn_motif_set *targets, const struct sn_tomtom_options *o,
              struct sn_pool *pool, struct sn_tomtom_hits *out) {
    struct job j = {.queries = queries, .o = o, .loops = sn_motif_loops()};
    int rc;
    memset(out, 0, sizeof *out);
    SN_TRY(check_sets(queries, targets));
    SN_GO(sn_columns_make(targets, o->both_strands && strcmp(targets->letter, "ACGT") == 0, &j.columns));
    if (o->distance == SN_TOMTOM_PEARSON) standardize(j.columns.value, j.columns.letters, j.columns.n);
    j.pairs = sn_calloc((size_t)queries->n, (size_t)targets->n * sizeof *j.pairs);
    SN_GO(j.pairs ? 0 : SEQNET_ENOMEM);
    SN_GO(sn_pool_run(pool, queries->n, sn_pool_size(pool), compare_query, &j));
    rc = collect(&j, out);
done:
    free(j.pairs);
    sn_columns_free(&j.columns);
    return rc;
}

void sn_tomtom_hits_free(struct sn_tomtom_hits *h) {
    free(h->v);
    memset(h, 0, sizeof *h);
}
