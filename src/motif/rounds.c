#include "motif/rounds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "motif/attributions.h"
#include "motif/density.h"

#define PER_TILE 256 /* seqlets */

/* ---- order ---- */

struct ranked {
    struct sn_seqlet s;
    int32_t member;
    float strength;
};

struct rank_job {
    const struct sn_attributions *a;
    struct ranked *r;
    int n;
};

static int strength_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct rank_job *j = arg;
    int end = (tile + 1) * PER_TILE < j->n ? (tile + 1) * PER_TILE : j->n;
    for (int i = tile * PER_TILE; i < end; i++) {
        const struct sn_seqlet *s = &j->r[i].s;
        double sum = 0;
        for (int p = s->start; p < s->end; p++) sum += fabsf(sn_contribution(j->a, s->sequence, p));
        j->r[i].strength = (float)sum;
        sn_seqlet_drop(j->a, s);
    }
    return 0;
}

/* By community, then by falling strength. */
static int by_rank(const void *a, const void *b) {
    const struct ranked *x = a, *y = b;
    if (x->member != y->member) return x->member < y->member ? -1 : 1;
    if (x->strength != y->strength) return x->strength > y->strength ? -1 : 1;
    if (x->s.sequence != y->s.sequence) return x->s.sequence < y->s.sequence ? -1 : 1;
    return x->s.start < y->s.start ? -1 : x->s.start > y->s.start;
}

/* Sorts seqlets; member (n) may be NULL and is sorted along. */
static int rank_seqlets(const struct sn_discovery *d, struct sn_seqlet *s, int32_t *member, int n) {
    struct rank_job j = {.a = d->a, .n = n};
    j.r = sn_calloc((size_t)n, sizeof *j.r);
    if (!j.r) return SEQNET_ENOMEM;
    for (int i = 0; i < n; i++) j.r[i] = (struct ranked){.s = s[i], .member = member ? member[i] : 0};
    int rc = sn_pool_run(d->pool, (n + PER_TILE - 1) / PER_TILE, sn_pool_size(d->pool), strength_tile, &j);
    qsort(j.r, (size_t)n, sizeof *j.r, by_rank);
    for (int i = 0; i < n; i++) {
        s[i] = j.r[i].s;
        if (member) member[i] = j.r[i].member;
    }
    free(j.r);
    return rc;
}

/* ---- clusters to piles ---- */

struct pile_job {
    const struct sn_discovery *d;
    const struct sn_seqlet *s;
    const struct sn_tracks *tracks;
    const int *first; /* (clusters + 1) */
    struct sn_pile **pile;
};

static int pile_tile(void *arg, int c, int worker) {
    (void)worker;
    struct pile_job *j = arg;
    const struct sn_discovery *d = j->d;
    int first = j->first[c], n = j->first[c + 1] - first;
    struct sn_tracks t = *j->tracks;
    struct sn_pile *p = NULL;
    t.value += (int64_t)first * t.length * SN_TRACK;
    t.byte += (int64_t)first * t.stride;
    t.n = n;
    SN_TRY(sn_pile_create(d->a, t.length, &p));
    int rc = sn_pile_add(p, &j->s[first]);
    if (rc == 0) rc = sn_pile_merge(p, j->s + first, n, SN_ALIGN_JACCARD, &t, !d->o->rna);
    if (rc == 0) rc = sn_pile_polish(p, d->o->trim_window, d->o->trim_flank, d->background);
    if (rc > 0 && sn_pile_contribution(p) * d->sign > 0) {
        j->pile[c] = p;
        return 0;
    }
    sn_pile_free(p);
    return rc < 0 ? rc : 0;
}

static int make_piles(const struct sn_discovery *d, struct sn_seqlet *s, int32_t *member, int n, int clusters, struct sn_piles *out) {
    struct sn_tracks tracks = {.n = 0};
    struct pile_job j = {.d = d, .s = s, .tracks = &tracks};
    int rc = 0, *first = sn_calloc((size_t)clusters + 1, sizeof *first);
    j.pile = sn_calloc((size_t)clusters, sizeof(struct sn_pile *));
    if (!first || !j.pile) SN_GO(SEQNET_ENOMEM);
    SN_GO(rank_seqlets(d, s, member, n));
    for (int i = 0; i < n; i++) first[member[i] + 1]++;
    for (int c = 0; c < clusters; c++) first[c + 1] += first[c];
    j.first = first;
    SN_GO(sn_tracks_make(d->a, s, n, d->pool, &tracks));
    SN_GO(sn_pool_run(d->pool, clusters, sn_pool_size(d->pool), pile_tile, &j));
    for (int c = 0; c < clusters; c++) {
        struct sn_pile *p = j.pile[c];
        j.pile[c] = NULL;
        if (p) SN_GO(sn_piles_add(out, p));
    }
done:
    for (int c = 0; c < clusters && j.pile; c++) sn_pile_free(j.pile[c]);
    free(j.pile);
    free(first);
    sn_tracks_free(&tracks);
    return rc;
}

/* ---- a round ---- */

/* Links of the seqlets that stay: *n of them, moved to the front of s. */
static int link_seqlets(const struct sn_discovery *d, bool first, struct sn_seqlet *s, int *n, struct sn_link_graph *g) {
    struct sn_neighbours nb = {.n = 0};
    struct sn_tracks tracks = {.n = 0};
    int rc = 0, kept = 0;
    bool *keep = sn_calloc((size_t)*n, sizeof *keep);
    if (!keep) return SEQNET_ENOMEM;
    SN_GO(sn_coarse_neighbours(d->a, s, *n, d->sign, d->o->neighbours, !d->o->rna, d->pool, d->sink, &nb));
    SN_GO(sn_tracks_make(d->a, s, *n, d->pool, &tracks));
    SN_GO(sn_fine_scores(&tracks, !d->o->rna, d->o->min_correlation, d->pool, d->sink, &nb, first ? keep : NULL));
    sn_tracks_free(&tracks);
    if (first) {
        for (int i = 0; i < *n; i++)
            if (keep[i]) s[kept++] = s[i];
        SN_GO(sn_neighbours_filter(&nb, keep));
        *n = kept;
    }
    SN_GO(sn_density_links(&nb, d->o->perplexity, d->o->density, d->pool, NULL, g));
done:
    free(keep);
    sn_tracks_free(&tracks);
    sn_neighbours_free(&nb);
    return rc;
}

int sn_round(const struct sn_discovery *d, bool first, struct sn_seqlet *s, int n, struct sn_piles *out) {
    struct sn_link_graph g = {.first = NULL};
    int32_t *member = NULL;
    int clusters = 0, rc = 0;
    double modularity;
    SN_GO(rank_seqlets(d, s, NULL, n));
    SN_GO(link_seqlets(d, first, s, &n, &g));
    if (n == 0) goto done;
    member = sn_calloc((size_t)n, sizeof *member);
    if (!member) SN_GO(SEQNET_ENOMEM);
    SN_GO(sn_check_cancel(d->sink));
    sn_progress(d->sink, "clustering seqlets", 0, 0, "", "");
    SN_GO(sn_leiden_best(&g.links, d->o->leiden_seeds, d->pool, member, &clusters, &modularity));
    sn_link_graph_free(&g);
    SN_GO(make_piles(d, s, member, n, clusters, out));
done:
    sn_link_graph_free(&g);
    free(member);
    return rc;
}

/* ---- both rounds ---- */

static int by_place(const void *a, const void *b) {
    const struct sn_seqlet *x = a, *y = b;
    if (x->sequence != y->sequence) return x->sequence < y->sequence ? -1 : 1;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* All seqlets of the piles, each place once. */
static int collect(const struct sn_piles *l, struct sn_seqlet **out, int *n_out) {
    size_t n = 0, kept = 0;
    for (int i = 0; i < l->n; i++) n += (size_t)l->v[i]->n;
    struct sn_seqlet *s = sn_calloc(n, sizeof *s);
    if (!s) return SEQNET_ENOMEM;
    n = 0;
    for (int i = 0; i < l->n; i++) {
        memcpy(s + n, l->v[i]->s, (size_t)l->v[i]->n * sizeof *s);
        n += (size_t)l->v[i]->n;
    }
    qsort(s, n, sizeof *s, by_place);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || by_place(&s[kept - 1], &s[i]) != 0) s[kept++] = s[i];
    *out = s;
    *n_out = (int)kept;
    return 0;
}

static void set_background(struct sn_discovery *d, const struct sn_seqlet *s, int n) {
    double count[4] = {0}, all = 0;
    for (int i = 0; i < n; i++)
        for (int p = s[i].start; p < s[i].end; p++) {
            uint8_t b = d->a->bases[(int64_t)s[i].sequence * d->a->length + p];
            if (b < 4) count[b]++;
        }
    for (int c = 0; c < 4; c++) all += count[c];
    for (int c = 0; c < 4; c++) d->background[c] = all > 0 ? count[c] / all : 0.25;
}

/* Large piles are parted, and the parts of each joined again where they are alike. */
static int part_piles(const struct sn_discovery *d, struct sn_piles *l) {
    struct sn_piles parts = {.n = 0}, all = {.n = 0};
    int rc = 0;
    for (int i = 0; i < l->n; i++) {
        struct sn_pile *p = l->v[i];
        sn_progress(d->sink, "parting patterns", i, l->n, "patterns", "");
        if (p->n <= d->o->split_min) {
            l->v[i] = NULL;
            SN_GO(sn_piles_add(&all, p));
            continue;
        }
        SN_GO(sn_check_cancel(d->sink));
        SN_GO(sn_pile_split(d, p, &parts));
        SN_GO(sn_piles_collapse(d, &parts));
        for (int k = 0; k < parts.n; k++) {
            struct sn_pile *part = parts.v[k];
            parts.v[k] = NULL;
            SN_GO(sn_piles_add(&all, part));
        }
        parts.n = 0;
    }
done:
    sn_piles_free(&parts);
    sn_piles_free(l);
    *l = all;
    return rc;
}

int sn_metacluster(struct sn_discovery *d, struct sn_seqlet *s, int n, struct sn_piles *out) {
    struct sn_seqlet *again = NULL;
    int rc = 0, n_again = 0;
    memset(out, 0, sizeof *out);
    set_background(d, s, n);
    SN_GO(sn_round(d, true, s, n, out));
    SN_GO(collect(out, &again, &n_again));
    sn_piles_free(out);
    if (n_again > 0) SN_GO(sn_round(d, false, again, n_again, out));
    free(again);
    again = NULL;
    SN_GO(part_piles(d, out));
    SN_GO(sn_piles_collapse(d, out));
done:
    free(again);
    if (rc < 0) sn_piles_free(out);
    return rc;
}
