#include "motif/collapse.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"

#define BINS 32768 /* of Jaccard indices from -1 to 1 */

/* Piles join when their seqlets are mixed up this much and their means are this alike (one of the pairs) ... */
static const double merge_mix[] = {0.8, 0.5, 0.2}, merge_like[] = {0.8, 0.85, 0.9};
/* ... unless two that would come together are this unlike. */
static const double bar_mix[] = {0.4, 0.2, 0.1, 0}, bar_like[] = {0.75, 0.8, 0.85, 0.9};
#define MERGES 3
#define BARS 4
#define LEAST_LIKE 0.8 /* of merge_like */
#define MOST_BAR 0.9   /* of bar_like */

/* ---- lists ---- */

void sn_piles_free(struct sn_piles *l) {
    for (int i = 0; i < l->n; i++) sn_pile_free(l->v[i]);
    free(l->v);
    memset(l, 0, sizeof *l);
}

int sn_piles_add(struct sn_piles *l, struct sn_pile *p) {
    void *all = l->v;
    int rc = sn_grow(&all, &l->cap, (size_t)l->n + 1, sizeof(struct sn_pile *));
    l->v = all;
    if (rc < 0) {
        sn_pile_free(p);
        return rc;
    }
    l->v[l->n++] = p;
    return 0;
}

void sn_piles_sort(struct sn_piles *l) {
    for (int i = 1; i < l->n; i++) {
        struct sn_pile *p = l->v[i];
        int j = i;
        for (; j > 0 && l->v[j - 1]->n < p->n; j--) l->v[j] = l->v[j - 1];
        l->v[j] = p;
    }
}

/* ---- how mixed the seqlets of two piles are ---- */

double sn_histogram_auroc(const uint32_t *negative, const uint32_t *positive, int bins) {
    double below = 0, wins = 0, n = 0, p = 0;
    for (int b = 0; b < bins; b++) {
        wins += positive[b] * (below + 0.5 * negative[b]);
        below += negative[b];
        n += negative[b];
        p += positive[b];
    }
    return n > 0 && p > 0 ? wins / (n * p) : 0.5;
}

/* Up to `most` seqlets, evenly spread over the pile's order. */
static int sample(const struct sn_pile *p, int most, struct sn_seqlet *out) {
    int n = p->n < most ? p->n : most;
    for (int i = 0; i < n; i++) out[i] = p->s[(int64_t)i * p->n / n];
    return n;
}

static int count_scores(const struct sn_tracks *x, const struct sn_tracks *y, uint32_t *histogram) {
    sn_byte_sums_fn sums = sn_byte_sums();
    const struct sn_byte_rows rows = {y->byte, (size_t)y->stride, SN_SUM_GROUP * (size_t)y->stride, y->n};
    uint32_t *plus = sn_calloc((size_t)y->n, 2 * sizeof *plus), *minus = plus + y->n;
    if (!plus) return SEQNET_ENOMEM;
    for (int i = 0; i < x->n; i++) {
        sums(x->byte + (int64_t)i * x->stride, x->stride, &rows, plus, minus);
        for (int j = 0; j < y->n; j++) {
            uint32_t a = plus[j], b = minus[j];
            double score = a + b > 0 ? ((double)a - b) / ((double)a + b) : 0;
            histogram[(int)((score + 1) * 0.5 * (BINS - 1))]++;
        }
    }
    free(plus);
    return 0;
}

/* The seqlets of j, moved so that they lie on i; those that would leave their rows are dropped. */
static int laid_on(const struct sn_pile *pi, const struct sn_pile *pj, const struct sn_shift *at, int most, struct sn_seqlet *out) {
    int n = sample(pj, most, out), kept = 0;
    for (int m = 0; m < n; m++) {
        struct sn_seqlet s = out[m];
        if (at->reverse) s.reverse = !s.reverse;
        if (s.reverse) {
            s.end += at->shift;
            s.start = s.end - pi->length;
        } else {
            s.start -= at->shift;
            s.end = s.start + pi->length;
        }
        if (sn_seqlet_inside(pi->a, &s)) out[kept++] = s;
    }
    return kept;
}

/* AUROC of telling pairs within i from pairs of i and j. */
static int pair_auroc(const struct sn_discovery *d, const struct sn_pile *pi, const struct sn_pile *pj, const struct sn_shift *at,
                      double *out) {
    int most = d->o->merge_sample, rc = 0;
    struct sn_tracks x = {.n = 0}, y = {.n = 0};
    struct sn_seqlet *s = sn_calloc((size_t)most, sizeof *s);
    uint32_t *histogram = sn_calloc(2 * BINS, sizeof *histogram);
    *out = 0.5;
    if (!s || !histogram) SN_GO(SEQNET_ENOMEM);
    SN_GO(sn_tracks_make(d->a, s, sample(pi, most, s), NULL, &x));
    int n = laid_on(pi, pj, at, most, s);
    if (n == 0) goto done;
    SN_GO(sn_tracks_make(d->a, s, n, NULL, &y));
    SN_GO(count_scores(&x, &x, histogram + BINS));
    SN_GO(count_scores(&x, &y, histogram));
    *out = sn_histogram_auroc(histogram, histogram + BINS, BINS);
done:
    free(s);
    free(histogram);
    sn_tracks_free(&x);
    sn_tracks_free(&y);
    return rc;
}

/* ---- one pass ---- */

struct pass {
    const struct sn_discovery *d;
    struct sn_pile **v;
    int n;
    struct sn_shift *at; /* (n, n) best place of j on i; score -2: not yet known */
    double *auroc;       /* (n, n) -1: not yet known */
    int *todo;           /* pairs i * n + j of the running job */
    int n_todo;
};

static int align_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct pass *p = arg;
    int pair = p->todo[tile];
    return sn_pile_align(p->v[pair / p->n], p->v[pair % p->n], !p->d->o->rna, &p->at[pair]);
}

static int auroc_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct pass *p = arg;
    int pair = p->todo[tile];
    return pair_auroc(p->d, p->v[pair / p->n], p->v[pair % p->n], &p->at[pair], &p->auroc[pair]);
}

static double likeness(const struct pass *p, int i, int j) {
    return 0.5 * ((double)p->at[i * p->n + j].score + p->at[j * p->n + i].score);
}

/* The AUROCs that joining is sure to ask for, several at a time. */
static int fill_pass(struct pass *p) {
    int workers = sn_pool_size(p->d->pool);
    p->n_todo = 0;
    for (int pair = 0; pair < p->n * p->n; pair++)
        if (pair / p->n != pair % p->n && p->at[pair].score < -1.5f) p->todo[p->n_todo++] = pair;
    SN_TRY(sn_pool_run(p->d->pool, p->n_todo, workers, align_tile, p));
    p->n_todo = 0;
    for (int pair = 0; pair < p->n * p->n; pair++)
        if (pair / p->n != pair % p->n && p->auroc[pair] < 0 && likeness(p, pair / p->n, pair % p->n) >= LEAST_LIKE)
            p->todo[p->n_todo++] = pair;
    return sn_pool_run(p->d->pool, p->n_todo, workers, auroc_tile, p);
}

/* 2 (1 - AUROC) of both directions: 1 = the seqlets of the two cannot be told apart. */
static int mix(struct pass *p, int i, int j, double out[2]) {
    int pair[2] = {i * p->n + j, j * p->n + i};
    for (int k = 0; k < 2; k++) {
        if (p->auroc[pair[k]] < 0)
            SN_TRY(pair_auroc(p->d, p->v[pair[k] / p->n], p->v[pair[k] % p->n], &p->at[pair[k]], &p->auroc[pair[k]]));
        double a = p->auroc[pair[k]];
        out[k] = 2 * (1 - (a > 0.5 ? a : 0.5));
    }
    return 0;
}

/* 1 when i and j are alike enough to join. */
static int alike(struct pass *p, int i, int j) {
    double m[2], like = likeness(p, i, j);
    if (like < LEAST_LIKE) return 0;
    SN_TRY(mix(p, i, j, m));
    double least = m[0] < m[1] ? m[0] : m[1];
    for (int k = 0; k < MERGES; k++)
        if (least >= merge_mix[k] && like >= merge_like[k]) return 1;
    return 0;
}

/* 1 when i and j must not come together. */
static int barred(struct pass *p, int i, int j) {
    double m[2], like = likeness(p, i, j);
    if (like > MOST_BAR) return 0;
    SN_TRY(mix(p, i, j, m));
    for (int k = 0; k < BARS; k++)
        if (0.5 * (m[0] + m[1]) <= bar_mix[k] && like <= bar_like[k]) return 1;
    return 0;
}

/* 1 when the groups of i and j may become one. group[k]: number of k's group. */
static int compatible(struct pass *p, const int *group, int i, int j) {
    for (int a = 0; a < p->n; a++)
        for (int b = a + 1; b < p->n; b++) {
            if ((group[a] != group[i] && group[a] != group[j]) || (group[b] != group[i] && group[b] != group[j])) continue;
            int rc = barred(p, a, b);
            if (rc != 0) return rc < 0 ? rc : 0;
        }
    return 1;
}

struct pair_rank {
    int i, j;
    double like;
};

static int by_likeness(const void *a, const void *b) {
    const struct pair_rank *x = a, *y = b;
    if (x->like != y->like) return x->like > y->like ? -1 : 1;
    return x->i != y->i ? x->i - y->i : x->j - y->j;
}

/* Pairs to be joined, the most alike first. Returns how many. */
static int choose_pairs(struct pass *p, int *group, struct pair_rank *pairs) {
    int n = 0, chosen = 0;
    for (int i = 0; i < p->n; i++) group[i] = i;
    for (int i = 0; i < p->n; i++)
        for (int j = i + 1; j < p->n; j++) pairs[n++] = (struct pair_rank){i, j, likeness(p, i, j)};
    qsort(pairs, (size_t)n, sizeof *pairs, by_likeness);
    for (int k = 0; k < n && pairs[k].like >= LEAST_LIKE; k++) {
        int i = pairs[k].i, j = pairs[k].j, rc = alike(p, i, j);
        if (rc > 0) rc = compatible(p, group, i, j);
        if (rc < 0) return rc;
        if (rc == 0) continue;
        pairs[chosen++] = pairs[k];
        for (int a = 0, old = group[j], to = group[i]; a < p->n; a++)
            if (group[a] == old) group[a] = to;
    }
    return chosen;
}

/* Lays the smaller of two piles on the larger one. *out: the new pile, or NULL when polishing leaves nothing. */
static int join(const struct sn_discovery *d, const struct sn_pile *a, const struct sn_pile *b, struct sn_pile **out) {
    const struct sn_pile *large = a->n < b->n ? b : a, *small = a->n < b->n ? a : b;
    SN_TRY(sn_pile_copy(large, out));
    int rc = sn_pile_merge(*out, small->s, small->n, SN_ALIGN_COSINE, NULL, !d->o->rna);
    if (rc >= 0) rc = sn_pile_polish(*out, d->o->trim_window, d->o->trim_flank, d->background);
    if (rc <= 0) {
        sn_pile_free(*out);
        *out = NULL;
    }
    return rc < 0 ? rc : 0;
}

/* Joins the chosen pairs; at[i]: which of all piles, old and new, stands for old pile i now. */
static int join_pairs(struct pass *p, const struct pair_rank *pairs, int n, struct sn_piles *all, int *at) {
    for (int i = 0; i < p->n; i++) at[i] = i;
    for (int k = 0; k < n; k++) {
        int a = at[pairs[k].i], b = at[pairs[k].j];
        struct sn_pile *joined;
        if (a == b) continue;
        SN_TRY(sn_check_cancel(p->d->sink));
        SN_TRY(join(p->d, all->v[a], all->v[b], &joined));
        if (!joined) continue;
        SN_TRY(sn_piles_add(all, joined));
        for (int i = 0; i < p->n; i++)
            if (at[i] == a || at[i] == b) at[i] = all->n - 1;
    }
    return 0;
}

/* ---- all passes ---- */

/* What is known of pairs of piles that did not change. */
static void carry_over(const struct pass *old, struct pass *next) {
    for (int i = 0; i < next->n; i++)
        for (int j = 0; j < next->n; j++) {
            int from_i = -1, from_j = -1;
            for (int k = 0; k < old->n; k++) {
                if (old->v[k] == next->v[i]) from_i = k;
                if (old->v[k] == next->v[j]) from_j = k;
            }
            next->at[i * next->n + j].score = -2;
            next->auroc[i * next->n + j] = -1;
            if (from_i < 0 || from_j < 0) continue;
            next->at[i * next->n + j] = old->at[from_i * old->n + from_j];
            next->auroc[i * next->n + j] = old->auroc[from_i * old->n + from_j];
        }
}

static void pass_free(struct pass *p) {
    free(p->v);
    free(p->at);
    free(p->auroc);
    free(p->todo);
    memset(p, 0, sizeof *p);
}

static int pass_begin(const struct sn_discovery *d, const struct sn_piles *l, const struct pass *old, struct pass *p) {
    size_t n = (size_t)l->n;
    *p = (struct pass){.d = d, .n = l->n};
    p->v = sn_calloc(n, sizeof(struct sn_pile *));
    p->at = sn_calloc(n * n, sizeof *p->at);
    p->auroc = sn_calloc(n * n, sizeof *p->auroc);
    p->todo = sn_calloc(n * n, sizeof *p->todo);
    if (!p->v || !p->at || !p->auroc || !p->todo) return SEQNET_ENOMEM;
    memcpy(p->v, l->v, n * sizeof(struct sn_pile *));
    for (int i = 0; i < p->n; i++) p->at[i * p->n + i].score = 1;
    carry_over(old, p);
    return fill_pass(p);
}

/* Keeps the piles that still stand for something, sorted; frees the others. */
static void keep_standing(struct sn_piles *all, const int *at, int n) {
    int kept = 0;
    for (int k = 0; k < all->n; k++) {
        bool stands = false;
        for (int i = 0; i < n; i++) stands = stands || at[i] == k;
        if (stands)
            all->v[kept++] = all->v[k];
        else
            sn_pile_free(all->v[k]);
    }
    all->n = kept;
    sn_piles_sort(all);
}

int sn_piles_collapse(const struct sn_discovery *d, struct sn_piles *l) {
    struct pass p = {.n = 0}, next = {.n = 0};
    int *group = NULL, *at = NULL, rc = 0, chosen = 1;
    struct pair_rank *pairs = NULL;
    size_t n = (size_t)l->n;
    sn_piles_sort(l);
    group = sn_calloc(n, sizeof *group);
    at = sn_calloc(n, sizeof *at);
    pairs = sn_calloc(n * n, sizeof *pairs);
    if (!group || !at || !pairs) SN_GO(SEQNET_ENOMEM);
    while (chosen > 0 && l->n > 1) {
        SN_GO(pass_begin(d, l, &p, &next));
        pass_free(&p);
        p = next;
        memset(&next, 0, sizeof next);
        SN_GO(chosen = choose_pairs(&p, group, pairs));
        SN_GO(join_pairs(&p, pairs, chosen, l, at));
        int before = p.n;
        keep_standing(l, at, before);
        if (l->n == before) chosen = 0; /* joining failed for all */
    }
    rc = 0;
done:
    pass_free(&p);
    pass_free(&next);
    free(group);
    free(at);
    free(pairs);
    return rc;
}
