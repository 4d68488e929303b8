/* Neighbour lists made symmetric: a graph in compressed rows. */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "motif/density.h"

void sn_link_graph_free(struct sn_link_graph *g) {
    free(g->first);
    free(g->to);
    free(g->weight);
    free(g->self);
    memset(g, 0, sizeof *g);
}

#define AHEAD 12 /* neighbours: their cursors are far apart in memory */

/* Where `row` stands in the list of its m-th neighbour, or -1. Rows are asked for in ascending order, and so are they in each list: a
 * cursor a list, 0 at first, finds them all. */
static int mate_of(const struct sn_neighbours *nb, int32_t *cursor, int row, int m) {
    const int32_t *own = nb->id + (int64_t)row * nb->k;
    int other = own[m], c = cursor[other], n = nb->count[other];
    const int32_t *id = nb->id + (int64_t)other * nb->k;
    if (m + AHEAD < nb->count[row]) __builtin_prefetch(nb->id + (int64_t)own[m + AHEAD] * nb->k + cursor[own[m + AHEAD]]);
    while (c < n && id[c] < row) c++;
    cursor[other] = c;
    return c < n && id[c] == row ? c : -1;
}

int sn_neighbour_mates(const struct sn_neighbours *nb, int32_t **out) {
    int32_t *mate = *out = sn_aligned_alloc((size_t)nb->n * (size_t)nb->k * sizeof *mate);
    int32_t *cursor = sn_calloc((size_t)nb->n, sizeof *cursor);
    int rc = mate && cursor ? 0 : SEQNET_ENOMEM;
    for (int row = 0; row < nb->n && rc == 0; row++)
        for (int m = 0; m < nb->count[row]; m++) mate[(int64_t)row * nb->k + m] = mate_of(nb, cursor, row, m);
    free(cursor);
    return rc;
}

/* Where each row begins, into first. others: (n) 0; how many list a row without being listed by it. */
static int lay_out(const struct sn_neighbours *nb, int32_t *cursor, int32_t *others, struct sn_link_graph *g) {
    for (int row = 0; row < nb->n; row++)
        for (int m = 0; m < nb->count[row]; m++)
            if (mate_of(nb, cursor, row, m) < 0) others[nb->id[(int64_t)row * nb->k + m]]++;
    for (int row = 0; row < nb->n; row++) g->first[row + 1] = g->first[row] + nb->count[row] + others[row];
    g->to = sn_calloc((size_t)g->first[nb->n], sizeof *g->to);
    g->weight = sn_calloc((size_t)g->first[nb->n], sizeof *g->weight);
    return g->to && g->weight ? 0 : SEQNET_ENOMEM;
}

/* Rows of the graph: first what the row lists (a mutual distance is the mean of both), then who else lists it. */
static void fill(const struct sn_neighbours *nb, float mutual_share, int32_t *cursor, int32_t *others, struct sn_link_graph *g) {
    for (int row = 0; row < nb->n; row++) {
        for (int m = 0; m < nb->count[row]; m++) {
            int64_t from = (int64_t)row * nb->k + m, at = g->first[row] + m;
            int other = nb->id[from], back = mate_of(nb, cursor, row, m);
            float d = nb->score[from];
            if (back >= 0) d = mutual_share * (d + nb->score[(int64_t)other * nb->k + back]);
            g->to[at] = other;
            g->weight[at] = d;
            if (back >= 0) continue;
            at = g->first[other] + nb->count[other] + others[other]++;
            g->to[at] = row;
            g->weight[at] = d;
        }
    }
}

int sn_link_graph_make(struct sn_neighbours *nb, float mutual_share, struct sn_link_graph *out) {
    size_t n = (size_t)nb->n;
    int rc = 0;
    memset(out, 0, sizeof *out);
    int32_t *others = sn_calloc(n, 2 * sizeof *others), *cursor = others + n;
    out->first = sn_calloc(n + 1, sizeof *out->first);
    if (!out->first || !others) SN_GO(SEQNET_ENOMEM);
    SN_GO(lay_out(nb, cursor, others, out));
    memset(others, 0, 2 * n * sizeof *others);
    fill(nb, mutual_share, cursor, others, out);
    sn_aligned_free(nb->id);
    sn_aligned_free(nb->score);
    nb->id = NULL;
    nb->score = NULL;
    out->links = (struct sn_links){.n = nb->n, .first = out->first, .to = out->to, .weight = out->weight};
done:
    free(others);
    if (rc < 0) sn_link_graph_free(out);
    return rc;
}
