/* Communities among the seqlets of one pile: Jaccard indices as they lie, probabilities of t-SNE, Leiden. */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "motif/collapse.h"
#include "motif/density.h"

#define PER_TILE 64 /* rows */

struct pairs {
    struct sn_tracks tracks;
    sn_byte_sums_fn sums;
    const struct sn_number_sums *exact;
    struct sn_neighbours *nb;
    uint32_t **work; /* per worker: P and M of a row */
};

/* Chosen on bytes; those that are kept get their exact index afterwards. */
static void similarities(const void *self, int row, int from, int to, int worker, float *score) {
    const struct pairs *p = self;
    const struct sn_tracks *t = &p->tracks;
    int first = from > row ? from : row + 1, others = to - first;
    uint32_t *plus = p->work[worker], *minus = plus + others;
    if (others <= 0) return;
    const struct sn_byte_rows rows = {t->byte + (int64_t)first * t->stride, (size_t)t->stride, SN_SUM_GROUP * (size_t)t->stride, others};
    p->sums(t->byte + (int64_t)row * t->stride, t->stride, &rows, plus, minus);
    for (int m = 0; m < others; m++) {
        uint32_t a = plus[m], b = minus[m];
        score[first - from + m] = a + b > 0 ? ((float)a - (float)b) / (float)(a + b) : 0;
    }
}

static int exact_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct pairs *p = arg;
    struct sn_neighbours *nb = p->nb;
    int size = p->tracks.length * SN_TRACK, end = (tile + 1) * PER_TILE < nb->n ? (tile + 1) * PER_TILE : nb->n;
    for (int row = tile * PER_TILE; row < end; row++)
        for (int m = 0; m < nb->count[row]; m++) {
            int64_t at = (int64_t)row * nb->k + m;
            nb->score[at] = p->exact->jaccard(p->tracks.value + (int64_t)row * size, p->tracks.value + (int64_t)nb->id[at] * size, size);
        }
    return 0;
}

static int find_pairs(const struct sn_discovery *d, const struct sn_pile *pile, struct sn_neighbours *nb) {
    struct pairs p = {.sums = sn_byte_sums(), .exact = sn_number_sums(), .nb = nb};
    struct sn_similar similar = {.self = &p, .row = similarities};
    int rc = 0, workers = sn_pool_size(d->pool), k = (int)(3 * d->o->split_perplexity + 1);
    p.work = sn_calloc((size_t)workers, sizeof *p.work);
    if (!p.work) return SEQNET_ENOMEM;
    SN_GO(sn_tracks_make(d->a, pile->s, pile->n, d->pool, &p.tracks));
    for (int w = 0; w < workers; w++)
        if (!(p.work[w] = sn_calloc((size_t)pile->n, 2 * sizeof(uint32_t)))) SN_GO(SEQNET_ENOMEM);
    SN_GO(sn_neighbours_find(pile->n, k, false, &similar, d->pool, d->sink, NULL, nb));
    SN_GO(sn_pool_run(d->pool, (pile->n + PER_TILE - 1) / PER_TILE, workers, exact_tile, &p));
done:
    for (int w = 0; w < workers; w++) free(p.work[w]);
    free(p.work);
    sn_tracks_free(&p.tracks);
    return rc;
}

int sn_pile_communities(const struct sn_discovery *d, const struct sn_pile *p, int32_t *member, int *n) {
    struct sn_neighbours nb = {.n = 0};
    struct sn_link_graph g = {.first = NULL};
    double modularity;
    int rc = 0;
    SN_GO(find_pairs(d, p, &nb));
    SN_GO(sn_tsne_links(&nb, d->o->split_perplexity, d->pool, &g));
    SN_GO(sn_leiden_best(&g.links, d->o->leiden_seeds, d->pool, member, n, &modularity));
done:
    sn_neighbours_free(&nb);
    sn_link_graph_free(&g);
    return rc;
}

int sn_pile_split(const struct sn_discovery *d, const struct sn_pile *p, struct sn_piles *out) {
    int32_t *member = sn_calloc((size_t)p->n, sizeof *member);
    int n = 0, rc = 0;
    if (!member) return SEQNET_ENOMEM;
    SN_GO(sn_pile_communities(d, p, member, &n));
    for (int c = 0; c < n; c++) {
        struct sn_pile *part;
        SN_GO(sn_pile_create(d->a, p->length, &part));
        SN_GO(sn_piles_add(out, part));
    }
    for (int i = 0; i < p->n; i++) SN_GO(sn_pile_add(out->v[out->n - n + member[i]], &p->s[i]));
done:
    free(member);
    return rc;
}
