/* Neighbour lists made symmetric: a graph in compressed rows. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "motif/density.h"

#define PER_TILE 64    /* rows */
#define BOTH INT32_MIN /* bit of an id: the neighbour lists this row too */

struct job {
    const struct sn_neighbours *nb;
    struct sn_link_graph *g;
    float mutual_share;
    int32_t *mate;
    _Atomic int32_t *others; /* (n) how many rows list a row without being listed by it */
};

void sn_link_graph_free(struct sn_link_graph *g) {
    free(g->first);
    free(g->to);
    free(g->weight);
    free(g->self);
    memset(g, 0, sizeof *g);
}

/* Rows are met in ascending order, and so are they in each list: a cursor a list finds them all. */
int sn_neighbour_mates(const struct sn_neighbours *nb, int32_t **out) {
    int32_t *mate = *out = sn_aligned_alloc((size_t)nb->n * (size_t)nb->k * sizeof *mate);
    int32_t *cursor = sn_calloc((size_t)nb->n, sizeof *cursor);
    if (!mate || !cursor) {
        sn_aligned_free(mate);
        free(cursor);
        *out = NULL;
        return SEQNET_ENOMEM;
    }
    for (int row = 0; row < nb->n; row++) {
        int64_t at = (int64_t)row * nb->k;
        for (int m = 0; m < nb->count[row]; m++, at++) {
            int other = nb->id[at], c = cursor[other], n = nb->count[other];
            const int32_t *id = nb->id + (int64_t)other * nb->k;
            while (c < n && id[c] < row) c++;
            cursor[other] = c;
            mate[at] = c < n && id[c] == row ? c : -1;
        }
    }
    free(cursor);
    return 0;
}

/* Rows of the graph: first what the row lists (a mutual distance is the mean of both), then who else lists it. */
static int fill_own_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct job *j = arg;
    const struct sn_neighbours *nb = j->nb;
    int end = (tile + 1) * PER_TILE < nb->n ? (tile + 1) * PER_TILE : nb->n;
    for (int row = tile * PER_TILE; row < end; row++) {
        int64_t at = j->g->first[row], from = (int64_t)row * nb->k;
        for (int m = 0; m < nb->count[row]; m++, at++) {
            int32_t other = nb->id[from + m];
            int back = j->mate[from + m];
            float d = nb->score[from + m];
            j->g->to[at] = back >= 0 ? other | BOTH : other;
            j->g->weight[at] = back >= 0 ? j->mutual_share * (d + nb->score[(int64_t)other * nb->k + back]) : d;
        }
    }
    return 0;
}

static int count_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct job *j = arg;
    const struct sn_neighbours *nb = j->nb;
    int end = (tile + 1) * PER_TILE < nb->n ? (tile + 1) * PER_TILE : nb->n;
    for (int row = tile * PER_TILE; row < end; row++)
        for (int m = 0; m < nb->count[row]; m++) {
            int32_t other = nb->id[(int64_t)row * nb->k + m];
            if (j->mate[(int64_t)row * nb->k + m] < 0) atomic_fetch_add_explicit(&j->others[other], 1, memory_order_relaxed);
        }
    return 0;
}

/* Where each row begins, into first[row]. */
static int lay_out(struct job *j) {
    struct sn_link_graph *g = j->g;
    int n = j->nb->n;
    for (int row = 0; row < n; row++) g->first[row + 1] = g->first[row] + j->nb->count[row] + j->others[row];
    g->to = sn_calloc((size_t)g->first[n], sizeof *g->to);
    g->weight = sn_calloc((size_t)g->first[n], sizeof *g->weight);
    return g->to && g->weight ? 0 : SEQNET_ENOMEM;
}

/* Own entries that are not mutual go to the other row as well, behind that row's own ones. */
static void fill_others(struct job *j) {
    struct sn_link_graph *g = j->g;
    for (int row = 0; row < j->nb->n; row++) j->others[row] = j->nb->count[row];
    for (int row = 0; row < j->nb->n; row++) {
        for (int64_t e = g->first[row]; e < g->first[row] + j->nb->count[row]; e++) {
            int32_t other = g->to[e];
            if (other & BOTH) {
                g->to[e] = other & ~BOTH;
                continue;
            }
            int64_t at = g->first[other] + j->others[other]++;
            g->to[at] = row;
            g->weight[at] = g->weight[e];
        }
    }
}

int sn_link_graph_make(struct sn_neighbours *nb, float mutual_share, struct sn_pool *pool, struct sn_link_graph *out) {
    struct job j = {.nb = nb, .g = out, .mutual_share = mutual_share};
    int tiles = (nb->n + PER_TILE - 1) / PER_TILE, workers = sn_pool_size(pool), rc = 0;
    memset(out, 0, sizeof *out);
    out->first = sn_calloc((size_t)nb->n + 1, sizeof *out->first);
    j.others = sn_calloc((size_t)nb->n, sizeof *j.others);
    if (!out->first || !j.others) SN_GO(SEQNET_ENOMEM);
    SN_GO(sn_neighbour_mates(nb, &j.mate));
    SN_GO(sn_pool_run(pool, tiles, workers, count_tile, &j));
    SN_GO(lay_out(&j));
    SN_GO(sn_pool_run(pool, tiles, workers, fill_own_tile, &j));
    fill_others(&j);
    sn_aligned_free(nb->id);
    sn_aligned_free(nb->score);
    nb->id = NULL;
    nb->score = NULL;
    out->links = (struct sn_links){.n = nb->n, .first = out->first, .to = out->to, .weight = out->weight};
done:
    free((void *)j.others);
    sn_aligned_free(j.mate);
    if (rc < 0) sn_link_graph_free(out);
    return rc;
}
