#include "motif/tomtom.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/sort.h"
#include "motif/tomtom_null.h"
#include "motif/tomtom_scores.h"

#define TOGETHER 6      /* queries of one width from which on they are compared side by side */
#define NOT_TOO_WIDE 64 /* their widths, for memory's sake */

void sn_tomtom_defaults(struct sn_tomtom_options *o) {
    *o = (struct sn_tomtom_options){.min_overlap = 1, .both_strands = true, .max_p = INFINITY, .max_e = INFINITY, .max_q = INFINITY};
}

/* What a pair came to, while all others are still to come. */
struct pair {
    double p;
    int16_t offset, overlap, score;
    bool reverse;
};

/* Queries compared at a time: several of one width, or one. */
struct batch {
    int first, n; /* of `order` */
};

struct work;
struct job {
    const struct sn_motif_set *queries;
    const struct sn_tomtom_options *o;
    struct sn_scores s;
    int *order; /* queries, the widest first */
    struct batch *batch;
    int n_batches;
    struct pair *pairs; /* (queries, targets) */
    struct work *work;  /* (workers) */
    size_t rows;        /* bytes that a batch needs at most for each target column */
    size_t lanes;       /* columns of a batch at most */
    int side;           /* queries side by side at most, SN_LANES or 1 */
    atomic_int done;    /* queries */
};

/* A worker's memory. */
struct work {
    struct sn_score_lane *lane;
    int32_t *held;     /* (lanes, SN_TALLY) */
    int8_t *row;       /* (target columns, rows) integer scores, those of a target column side by side */
    int8_t *window;    /* (SN_LOOP_WINDOW) */
    int16_t *sum;      /* of every offset */
    int16_t *score[2]; /* per strand: (targets, queries of the batch) the best sum, */
    int16_t *place[2]; /* and its diagonal */
    struct sn_null null;
};

static void free_work(struct work *w) {
    free(w->lane);
    free(w->held);
    free(w->row);
    free(w->window);
    free(w->sum);
    free(w->score[0]);
    free(w->place[0]);
    sn_null_free(&w->null);
}

static int make_work(const struct job *j, struct work *w) {
    const struct sn_columns *c = &j->s.targets;
    size_t places = (size_t)c->n_motifs * (size_t)j->side;
    w->lane = sn_calloc(j->lanes, sizeof *w->lane);
    w->held = sn_calloc(j->lanes, SN_TALLY * sizeof *w->held);
    w->row = sn_calloc((size_t)c->n, j->rows);
    w->window = sn_calloc(SN_LOOP_WINDOW, sizeof *w->window);
    w->sum = sn_calloc((size_t)j->queries->m[j->order[0]].width + (size_t)c->widest + 64, sizeof *w->sum);
    w->score[0] = sn_calloc(2 * places, sizeof **w->score);
    w->place[0] = sn_calloc(2 * places, sizeof **w->place);
    if (!w->lane || !w->held || !w->row || !w->window || !w->sum || !w->score[0] || !w->place[0]) return SEQNET_ENOMEM;
    w->score[1] = w->score[0] + places;
    w->place[1] = w->place[0] + places;
    return 0;
}

/* ---- pairs ---- */

static int overlap_of(int width, int target, int place) {
    int shorter = width < target ? width : target, before = place + 1, after = width + target - 1 - place;
    int overlap = before < after ? before : after;
    return overlap < shorter ? overlap : shorter;
}

static int least_overlap(const struct job *j, int width, int target) {
    int shorter = width < target ? width : target;
    return j->o->min_overlap < shorter ? j->o->min_overlap : shorter;
}

/* The best diagonal of one target; of equal scores the larger overlap, then the first. */
static void best_of_one(const struct job *j, struct work *w, int width, int stride, const int32_t *column, int target, int16_t *score,
                        int16_t *place) {
    int n = width + target - 1, least = least_overlap(j, width, target), longest = 0;
    j->s.loops->diagonals(w->row, stride, column, target, w->window, w->sum);
    *score = (int16_t)j->s.loops->largest(w->sum + least - 1, n - 2 * (least - 1));
    for (int k = least - 1; k < n - least + 1; k++) {
        if (w->sum[k] != *score) continue;
        int overlap = overlap_of(width, target, k);
        if (overlap <= longest) continue;
        longest = overlap;
        *place = (int16_t)k;
    }
}

static void find_best(const struct job *j, struct work *w, int width, int stride, bool together) {
    const struct sn_columns *c = &j->s.targets;
    const int8_t *row[SN_TOMTOM_WIDEST];
    memset(w->window, 0, SN_LOOP_WINDOW);
    for (int t = 0; t < c->n_motifs; t++)
        for (int s = 0; s < c->strands; s++) {
            const int32_t *column = c->column[s] + c->first[t];
            int64_t at = (int64_t)t * j->side;
            if (together) {
                for (int i = 0; i < c->width[t]; i++) row[i] = w->row + (int64_t)column[i] * stride;
                j->s.loops->best(row, width, c->width[t], least_overlap(j, width, c->width[t]), w->score[s] + at, w->place[s] + at);
            } else {
                best_of_one(j, w, width, stride, column, c->width[t], w->score[s] + at, w->place[s] + at);
            }
        }
}

/* The p-values of query b of the batch; its column i is lane `step` * i + b. */
static int finish_query(const struct job *j, struct work *w, int query, int b, int step) {
    const struct sn_columns *c = &j->s.targets;
    int width = j->queries->m[query].width;
    struct pair *out = j->pairs + (int64_t)query * c->n_motifs;
    sn_null_free(&w->null);
    SN_TRY(sn_null_make(&w->null, j->s.loops, width, c->widest, SN_SCORE_BINS));
    for (int i = 0; i < width; i++) sn_null_count(&w->null, i, w->held + (int64_t)(step * i + b) * SN_TALLY, c->total);
    for (int s = 0; s < c->strands; s++)
        for (int t = 0; t < c->n_motifs; t++) sn_null_ask(&w->null, c->width[t], w->score[s][t * j->side + b]);
    SN_TRY(sn_null_compute(&w->null, j->o->min_overlap));
    for (int t = 0; t < c->n_motifs; t++) {
        int at = t * j->side + b, s = 0;
        double p = sn_null_p(&w->null, c->width[t], w->score[0][at]);
        if (c->strands == 2) {
            double other = sn_null_p(&w->null, c->width[t], w->score[1][at]);
            s = other < p;
            p = s ? other : p;
            p *= 2 - p; /* 1 - (1 - p)^2 */
        }
        int place = w->place[s][at];
        out[t] =
            (struct pair){p, (int16_t)(place - (c->width[t] - 1)), (int16_t)overlap_of(width, c->width[t], place), w->score[s][at], s == 1};
    }
    return 0;
}

/* Side by side: the queries within each column, else the columns of the one query. */
static int compare_batch(void *arg, int tile, int worker) {
    struct job *j = arg;
    const struct batch *batch = &j->batch[tile];
    const int *query = j->order + batch->first;
    struct work *w = &j->work[worker];
    const struct sn_columns *q = &j->s.queries;
    int width = q->width[query[0]], step = batch->n > 1 ? SN_LANES : 1, lanes = step * width;
    int stride = (lanes + SN_LANES - 1) / SN_LANES * SN_LANES;
    SN_TRY(sn_check_cancel(j->o->sink));
    if (!w->score[1]) SN_TRY(make_work(j, w));
    for (int l = 0; l < stride; l++) w->lane[l].column = -1;
    for (int b = 0; b < batch->n; b++) {
        const int32_t *column = q->column[0] + q->first[query[b]];
        double scale = sn_scores_scale(&j->s, column, width);
        for (int i = 0; i < width; i++) w->lane[step * i + b] = (struct sn_score_lane){column[i], scale};
    }
    sn_scores_rows(&j->s, w->lane, lanes, stride, w->row, w->held);
    find_best(j, w, width, stride, batch->n > 1);
    for (int b = 0; b < batch->n; b++) SN_TRY(finish_query(j, w, query[b], b, step));
    sn_progress(j->o->sink, "comparing", atomic_fetch_add(&j->done, batch->n) + batch->n, j->queries->n, "motifs", "");
    return 0;
}

/* Queries by falling width, and what is compared at a time: not so many that workers have nothing to do. */
static int plan(struct job *j, int workers) {
    const struct sn_columns *q = &j->s.queries;
    int n = j->queries->n, most = n / (2 * workers) < SN_LANES ? n / (2 * workers) : SN_LANES, at = 0;
    j->order = sn_calloc((size_t)n, sizeof *j->order);
    j->batch = sn_calloc((size_t)n, sizeof *j->batch);
    if (!j->order || !j->batch) return SEQNET_ENOMEM;
    for (int width = q->widest; width > 0; width--)
        for (int i = 0; i < n; i++)
            if (q->width[i] == width) j->order[at++] = i;
    for (at = 0; at < n; at += j->batch[j->n_batches++].n) {
        int width = q->width[j->order[at]], have = 1;
        while (have < most && at + have < n && q->width[j->order[at + have]] == width) have++;
        if (have < TOGETHER || width > NOT_TOO_WIDE) have = 1;
        size_t lanes = have > 1 ? (size_t)width * SN_LANES : (size_t)(width + SN_LANES - 1) / SN_LANES * SN_LANES;
        j->batch[j->n_batches] = (struct batch){at, have};
        if (lanes > j->lanes) j->rows = j->lanes = lanes;
        if (have > 1) j->side = SN_LANES;
    }
    return 0;
}

/* ---- hits ---- */

static int by_query(const void *a, const void *b) {
    const struct sn_tomtom_hit *x = a, *y = b;
    if (x->query != y->query) return x->query < y->query ? -1 : 1;
    if (x->p != y->p) return x->p < y->p ? -1 : 1;
    return x->target < y->target ? -1 : x->target > y->target;
}

/* p rising, and Benjamini-Hochberg's q of each, over all n pairs; of those up to the bound, and others that these depend on. Larger ones
 * than p n / (how many are no larger) lower no q of a p below. */
static int make_q(const struct job *j, int64_t n, double bound, double **p, double **q, int64_t *n_sorted) {
    *p = sn_calloc((size_t)n, sizeof **p);
    *q = sn_calloc((size_t)n, sizeof **q);
    if (!*p || !*q) return SEQNET_ENOMEM;
    union {
        double *number;
        uint64_t *bits; /* numbers that are not negative sort like their bits */
    } sorted = {*p}, scratch = {*q};
    int64_t below = 0, m = 0;
    for (int64_t i = 0; i < n; i++) below += j->pairs[i].p <= bound;
    bound = below > 0 ? bound * (double)n / (double)below * (1 + 1e-9) : 0;
    for (int64_t i = 0; i < n; i++)
        if (j->pairs[i].p <= bound) (*p)[m++] = j->pairs[i].p;
    sn_sort_u64(sorted.bits, (size_t)m, scratch.bits);
    double least = 1;
    for (int64_t i = m - 1; i >= 0; i--) {
        double limit = (*p)[i] * (double)n / (double)(i + 1);
        (*q)[i] = least = limit < least ? limit : least;
    }
    *n_sorted = m;
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
    int targets = j->s.targets.n_motifs;
    int64_t n = (int64_t)j->queries->n * targets;
    double *p = NULL, *q = NULL;
    int64_t n_sorted;
    size_t cap = 0;
    int rc;
    double bound = o->max_e / targets < o->max_p ? o->max_e / targets * (1 + 1e-9) : o->max_p; /* hits have no larger p */
    SN_GO(make_q(j, n, bound < 1 ? bound : 1, &p, &q, &n_sorted));
    for (int64_t i = 0; i < n; i++) {
        const struct pair *x = &j->pairs[i];
        struct sn_tomtom_hit h = {
            (int)(i / targets), (int)(i % targets), x->offset, x->overlap, x->reverse, x->score, x->p, x->p * targets, 0};
        if (h.p > o->max_p || h.e > o->max_e) continue;
        h.q = q[place(p, n_sorted, h.p)];
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
    struct job j = {.queries = queries, .o = o, .side = 1};
    int rc, workers = sn_pool_size(pool);
    memset(out, 0, sizeof *out);
    SN_TRY(check_sets(queries, targets));
    bool both = o->both_strands && strcmp(targets->letter, "ACGT") == 0;
    SN_GO(sn_scores_make(queries, targets, both, o->distance == SN_TOMTOM_PEARSON, pool, &j.s));
    SN_GO(plan(&j, workers));
    j.pairs = sn_calloc((size_t)queries->n, (size_t)targets->n * sizeof *j.pairs);
    j.work = sn_calloc((size_t)workers, sizeof *j.work);
    SN_GO(j.pairs && j.work ? 0 : SEQNET_ENOMEM);
    SN_GO(sn_pool_run(pool, j.n_batches, workers, compare_batch, &j));
    rc = collect(&j, out);
done:
    for (int i = 0; j.work && i < workers; i++) free_work(&j.work[i]);
    free(j.work);
    free(j.pairs);
    free(j.batch);
    free(j.order);
    sn_scores_free(&j.s);
    return rc;
}

void sn_tomtom_hits_free(struct sn_tomtom_hits *h) {
    free(h->v);
    memset(h, 0, sizeof *h);
}
