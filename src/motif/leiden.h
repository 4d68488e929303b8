/* Communities of a weighted, undirected graph: Leiden's method (Traag, Waltman & van Eck, Sci. Rep. 9:5233, 2019) for modularity. */
#ifndef SN_MOTIF_LEIDEN_H
#define SN_MOTIF_LEIDEN_H

#include <stdint.h>

struct sn_pool;

/* A symmetric matrix A without its diagonal, in compressed rows: the neighbours of v are to[first[v]] .. to[first[v+1]-1], each pair stands
 * in both rows with the same weight, 0 or more. self[v] = A_vv, or NULL for none. The strength of v is the sum of its row with the
 * diagonal once; a loop of weight s, whose two ends both count, has A_vv = 2s. */
struct sn_links {
    int n;
    const int64_t *first; /* (n + 1) */
    const int32_t *to;
    const float *weight;
    const float *self;
};

/* member (n) gets the community of each node, numbered by size, largest first, ties by their lowest node. Modularity
 * (1/2m) sum_c (A inside c - K_c^2 / 2m) with 2m the sum of all of A; 0 for a graph without weight, where each node stays alone.
 * Climbs from the nodes up the hierarchy of merged parts, again and again until a climb changes nothing above the nodes. The same seed
 * gives the same result. Memory besides the graph: some 80 bytes a node, and the links between the parts that the first round finds.
 * SEQNET_EINVAL: negative or not finite weights, a bad row. */
int sn_leiden(const struct sn_links *g, uint64_t seed, int32_t *member, int *n_communities, double *modularity);

/* The best of seeds 100, 200, ..: the highest modularity, the lower seed among equals. One seed per worker of the pool at a time; the
 * same result on any number of workers. */
int sn_leiden_best(const struct sn_links *g, int n_seeds, struct sn_pool *pool, int32_t *member, int *n_communities, double *modularity);

/* Modularity of any partition: member[v] in [0, n). */
int sn_leiden_modularity(const struct sn_links *g, const int32_t *member, double *modularity);

#endif
