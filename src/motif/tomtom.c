#include "motif/tomtom.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/sort.h"
#include "motif/columns.h"
#include "motif/loops.h"
#include "motif/tomtom_null.h"

#define BINS 100         /* of the column scores */
#define MEDIAN_BINS 1024 /* to find the middle values among so many; does not change them */
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

struct work;
struct job {
    const struct sn_motif_set *queries;
    const struct sn_tomtom_options *o;
    const struct sn_motif_loops *loops;
    struct sn_columns columns; /* of the targets; for Pearson: centred, of length 1 */
    struct pair *pairs;        /* (queries, targets) */
    struct work *work;         /* (workers) */
    int widest;                /* query */
    atomic_int done;           /* queries */
};

struct weighted {
    double value;
    int32_t count;
};

/* Of one query; a worker goes on with the same memory. */
struct work {
    int width, stride;                /* columns of the query; the same as a multiple of 8 */
    double *query;                    /* (width, letters) */
    double *median, *least, *largest; /* (width) median score; of what the columns are apart */
    double *apart;                    /* (BLOCK) */
    uint16_t *bin;                    /* (width, columns) */
    int32_t *held;                    /* (width, MEDIAN_BINS) columns in each bin */
    int32_t *found;                   /* (columns + 1) */
    struct weighted *middle;          /* (columns + 1) */
    int8_t *block;                    /* (width, BLOCK) integer scores */
    int8_t *row;                      /* (columns, stride) the same, the query's columns side by side */
    int8_t *window;                   /* (SN_LOOP_WINDOW) */
    int16_t *sum;                     /* of every offset */
    struct pair *strand[2];           /* (targets) */
    struct sn_null null;
};

static void free_work(struct work *w) {
    free(w->query);
    free(w->median);
    free(w->apart);
    free(w->bin);
    free(w->held);
    free(w->found);
    free(w->middle);
    free(w->block);
    free(w->row);
    free(w->window);
    free(w->sum);
    free(w->strand[0]);
    free(w->strand[1]);
    sn_null_free(&w->null);
}

static int stride_of(int width) {
    return (width + 7) / 8 * 8;
}

/* Room for queries of up to `width` columns. */
static int make_work(const struct job *j, size_t width, struct work *w) {
    const struct sn_columns *c = &j->columns;
    size_t n = (size_t)c->n, targets = (size_t)c->n_motifs, stride = (size_t)stride_of((int)width);
    w->query = sn_calloc(width, (size_t)c->letters * sizeof *w->query);
    w->median = sn_calloc(3 * width, sizeof *w->median);
    w->apart = sn_calloc(BLOCK, sizeof *w->apart);
    w->bin = sn_calloc(width * n, sizeof *w->bin);
    w->held = sn_calloc(width * MEDIAN_BINS, sizeof *w->held);
    w->found = sn_calloc(n + 1, sizeof *w->found);
    w->middle = sn_calloc(n + 1, sizeof *w->middle);
    w->block = sn_calloc(width * BLOCK, sizeof *w->block);
    w->row = sn_calloc(n * stride, sizeof *w->row);
    w->window = sn_calloc(SN_LOOP_WINDOW, sizeof *w->window);
    w->sum = sn_calloc(stride + (size_t)c->widest + 32, sizeof *w->sum);
    w->strand[0] = sn_calloc(targets, sizeof **w->strand);
    w->strand[1] = sn_calloc(targets, sizeof **w->strand);
    if (!w->query || !w->median || !w->apart || !w->bin || !w->held || !w->found || !w->middle || !w->block || !w->row || !w->window ||
        !w->sum || !w->strand[0] || !w->strand[1])
        return SEQNET_ENOMEM;
    w->least = w->median + width;
    w->largest = w->least + width;
    return 0;
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

static int by_value(const void *a, const void *b) {
    double x = ((const struct weighted *)a)->value, y = ((const struct weighted *)b)->value;
    return x < y ? -1 : x > y;
}

static double to_score(const struct job *j, double apart) {
    return j->o->distance == SN_TOMTOM_PEARSON ? -apart : -sqrt(apart);
}

/* Query column i with target columns [u0, u0 + n). */
static void compare_block(const struct job *j, const struct work *w, int i, int u0, int n, double *apart) {
    const double *y[SN_MOTIF_LETTERS], *q = w->query + i * j->columns.letters;
    for (int k = 0; k < j->columns.letters; k++) y[k] = j->columns.value[k] + u0;
    (j->o->distance == SN_TOMTOM_PEARSON ? j->loops->products : j->loops->squares)(q, y, j->columns.letters, n, apart);
}

/* The mean of the two middle scores (twice the same when the number is odd), looked for among those of their bins alone. */
static double median(const struct job *j, struct work *w, int column) {
    const struct sn_columns *c = &j->columns;
    const int32_t *held = w->held + column * MEDIAN_BINS;
    int64_t left = (c->total - 1) / 2, apart = c->total / 2 - left;
    int b = 0, i = 0;
    for (; left >= held[b]; b++) left -= held[b];
    int last = b;
    for (int64_t reach = held[b]; left + apart >= reach; reach += held[last]) last++;
    int n = j->loops->in_bins(w->bin + (int64_t)column * c->n, c->n, b, last, w->found);
    for (int k = 0; k < n; k++) {
        double value;
        compare_block(j, w, column, w->found[k], 1, &value);
        w->middle[k] = (struct weighted){value, c->count[w->found[k]]};
    }
    qsort(w->middle, (size_t)n, sizeof *w->middle, by_value);
    for (; left >= w->middle[i].count; i++) left -= w->middle[i].count;
    double low = w->middle[i].value, high = w->middle[left + apart < w->middle[i].count ? i : i + 1].value;
    return (to_score(j, low) + to_score(j, high)) / 2;
}

/* The median score of each query column with all target columns, and the scale to integers. Nothing is kept but bins: comparing once more
 * is cheaper than memory. */
static double find_scale(const struct job *j, struct work *w) {
    const struct sn_columns *c = &j->columns;
    bool pearson = j->o->distance == SN_TOMTOM_PEARSON;
    double from = pearson ? -1 : 0, per_bin = MEDIAN_BINS / 2.0, lowest = 0, highest = 0;
    memset(w->held, 0, (size_t)w->width * MEDIAN_BINS * sizeof *w->held);
    for (int i = 0; i < w->width; i++) {
        w->least[i] = INFINITY;
        w->largest[i] = -INFINITY;
    }
    for (int u0 = 0; u0 < c->n; u0 += BLOCK) {
        int n = c->n - u0 < BLOCK ? c->n - u0 : BLOCK;
        for (int i = 0; i < w->width; i++) {
            uint16_t *bin = w->bin + (int64_t)i * c->n + u0;
            int32_t *held = w->held + i * MEDIAN_BINS;
            compare_block(j, w, i, u0, n, w->apart);
            j->loops->bins(w->apart, n, from, per_bin, MEDIAN_BINS - 1, bin, &w->least[i], &w->largest[i]);
            for (int u = 0; u < n; u++) held[bin[u]] += c->count[u0 + u];
        }
    }
    for (int i = 0; i < w->width; i++) {
        w->median[i] = median(j, w, i);
        double least = to_score(j, w->largest[i]) - w->median[i], most = to_score(j, w->least[i]) - w->median[i];
        if (i == 0 || least < lowest) lowest = least;
        if (i == 0 || most > highest) highest = most;
    }
    lowest = floor(lowest);
    return highest > lowest ? BINS / (highest - lowest) : 1;
}

/* Integer scores, and how often each occurs with each query column. */
static int make_integers(const struct job *j, struct work *w, double scale) {
    const struct sn_columns *c = &j->columns;
    sn_null_free(&w->null);
    SN_TRY(sn_null_make(&w->null, j->loops, w->width, c->widest, BINS));
    for (int u0 = 0; u0 < c->n; u0 += BLOCK) {
        int n = c->n - u0 < BLOCK ? c->n - u0 : BLOCK;
        for (int i = 0; i < w->width; i++) {
            int8_t *out = w->block + i * BLOCK;
            compare_block(j, w, i, u0, n, w->apart);
            j->loops->integers(w->apart, n, j->o->distance == SN_TOMTOM_EUCLIDEAN, w->median[i], scale, out);
            sn_null_count(&w->null, i, out, c->count + u0, n);
        }
        j->loops->rows(w->block, BLOCK, w->width, n, w->stride, w->row + (int64_t)u0 * w->stride);
    }
    sn_null_counted(&w->null, c->total);
    return 0;
}

/* The query's columns, as the targets' are kept. */
static void take_query(const struct job *j, const struct sn_motif *m, struct work *w) {
    int letters = j->columns.letters;
    double *at[SN_MOTIF_LETTERS];
    w->width = m->width;
    w->stride = stride_of(w->width);
    memset(w->window, 0, SN_LOOP_WINDOW);
    memcpy(w->query, m->p, (size_t)w->width * (size_t)letters * sizeof *w->query);
    for (int i = 0; i < w->width && j->o->distance == SN_TOMTOM_PEARSON; i++) {
        for (int k = 0; k < letters; k++) at[k] = &w->query[i * letters + k];
        standardize(at, letters, 1);
    }
}

/* ---- pairs ---- */

/* The best offset of one target; of equal scores the larger overlap, then the first. */
static struct pair best_offset(const struct job *j, struct work *w, const int32_t *column, int width) {
    int n = w->width + width - 1, shorter = w->width < width ? w->width : width;
    int least = j->o->min_overlap < shorter ? j->o->min_overlap : shorter;
    struct pair best = {0};
    j->loops->diagonals(w->row, w->stride, column, width, w->window, w->sum);
    best.score = (int16_t)j->loops->largest(w->sum + least - 1, n - 2 * (least - 1));
    for (int k = least - 1; k < n - least + 1; k++) {
        if (w->sum[k] != best.score) continue;
        int before = k + 1, after = n - k, overlap = before < after ? before : after;
        if (overlap > shorter) overlap = shorter;
        if (overlap <= best.overlap) continue;
        best.overlap = (int16_t)overlap;
        best.offset = (int16_t)(k - (width - 1));
    }
    return best;
}

static int compare_query(void *arg, int query, int worker) {
    struct job *j = arg;
    const struct sn_columns *c = &j->columns;
    struct pair *out = j->pairs + (int64_t)query * c->n_motifs;
    struct work *w = &j->work[worker];
    SN_TRY(sn_check_cancel(j->o->sink));
    if (!w->strand[1]) SN_TRY(make_work(j, (size_t)j->widest, w));
    take_query(j, &j->queries->m[query], w);
    SN_TRY(make_integers(j, w, find_scale(j, w)));
    for (int s = 0; s < c->strands; s++)
        for (int t = 0; t < c->n_motifs; t++) {
            w->strand[s][t] = best_offset(j, w, c->column[s] + c->first[t], c->width[t]);
            sn_null_ask(&w->null, w->strand[s][t].score);
        }
    SN_TRY(sn_null_compute(&w->null, j->o->min_overlap));
    for (int t = 0; t < c->n_motifs; t++) {
        for (int s = 0; s < c->strands; s++) {
            struct pair *x = &w->strand[s][t];
            x->p = sn_null_p(&w->null, c->width[t], x->score);
            x->reverse = s == 1;
        }
        out[t] = c->strands == 2 && w->strand[1][t].p < w->strand[0][t].p ? w->strand[1][t] : w->strand[0][t];
        if (c->strands == 2) out[t].p *= 2 - out[t].p; /* 1 - (1 - p)^2 */
    }
    sn_progress(j->o->sink, "comparing", atomic_fetch_add(&j->done, 1) + 1, j->queries->n, "motifs", "");
    return 0;
}

/* ---- hits ---- */

static int by_query(const void *a, const void *b) {
    const struct sn_tomtom_hit *x = a, *y = b;
    if (x->query != y->query) return x->query < y->query ? -1 : 1;
    if (x->p != y->p) return x->p < y->p ? -1 : 1;
    return x->target < y->target ? -1 : x->target > y->target;
}

/* All p rising, and Benjamini-Hochberg's q of each, over all pairs. */
static int make_q(const struct job *j, int64_t n, double **p, double **q) {
    *p = sn_calloc((size_t)n, sizeof **p);
    *q = sn_calloc((size_t)n, sizeof **q);
    if (!*p || !*q) return SEQNET_ENOMEM;
    union {
        double *number;
        uint64_t *bits; /* numbers that are not negative sort like their bits */
    } sorted = {*p}, scratch = {*q};
    for (int64_t i = 0; i < n; i++) (*p)[i] = j->pairs[i].p;
    sn_sort_u64(sorted.bits, (size_t)n, scratch.bits);
    double least = 1;
    for (int64_t i = n - 1; i >= 0; i--) {
        double bound = (*p)[i] * (double)n / (double)(i + 1);
        (*q)[i] = least = bound < least ? bound : least;
    }
    return 0;
}

/* The place of a value in a rising array that holds it; of equal ones the first. */
static int64_t place(const double *v, int64_t n, double value) {
    int64_t low = 0;
    while (n > 0) {
        int64_t half = n / 2;
        if (v[low + half] < value) {
            low += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return low;
}

static int64_t keep_top(struct sn_tomtom_hit *v, int64_t n, int top) {
    int64_t kept = 0;
    int of_query = 0;
    for (int64_t i = 0; i < n; i++) {
        of_query = i > 0 && v[i].query == v[i - 1].query ? of_query + 1 : 1;
        if (top == 0 || of_query <= top) v[kept++] = v[i];
    }
    return kept;
}

static int collect(const struct job *j, struct sn_tomtom_hits *out) {
    const struct sn_tomtom_options *o = j->o;
    int targets = j->columns.n_motifs;
    int64_t n = (int64_t)j->queries->n * targets;
    double *p = NULL, *q = NULL;
    size_t cap = 0;
    int rc;
    SN_GO(make_q(j, n, &p, &q));
    for (int64_t i = 0; i < n; i++) {
        const struct pair *x = &j->pairs[i];
        struct sn_tomtom_hit h = {
            (int)(i / targets), (int)(i % targets), x->offset, x->overlap, x->reverse, x->score, x->p, x->p * targets, 0};
        if (h.p > o->max_p || h.e > o->max_e) continue;
        h.q = q[place(p, n, h.p)];
        if (h.q > o->max_q) continue;
        SN_GO(sn_grow((void **)&out->v, &cap, (size_t)out->n + 1, sizeof *out->v));
        out->v[out->n++] = h;
    }
    if (out->n > 0) qsort(out->v, (size_t)out->n, sizeof *out->v, by_query);
    out->n = keep_top(out->v, out->n, o->top);
done:
    free(p);
    free(q);
    return rc;
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
    j.work = sn_calloc((size_t)sn_pool_size(pool), sizeof *j.work);
    SN_GO(j.pairs && j.work ? 0 : SEQNET_ENOMEM);
    for (int i = 0; i < queries->n; i++)
        if (queries->m[i].width > j.widest) j.widest = queries->m[i].width;
    SN_GO(sn_pool_run(pool, queries->n, sn_pool_size(pool), compare_query, &j));
    rc = collect(&j, out);
done:
    for (int i = 0; j.work && i < sn_pool_size(pool); i++) free_work(&j.work[i]);
    free(j.work);
    free(j.pairs);
    sn_columns_free(&j.columns);
    return rc;
}

void sn_tomtom_hits_free(struct sn_tomtom_hits *h) {
    free(h->v);
    memset(h, 0, sizeof *h);
}
