/* From similarities of neighbours to the links of a graph to be clustered: each seqlet's distances are scaled to the density around it. */
#ifndef SN_MOTIF_DENSITY_H
#define SN_MOTIF_DENSITY_H

#include "motif/leiden.h"
#include "motif/neighbours.h"

/* A graph that owns its memory. */
struct sn_link_graph {
    struct sn_links links;
    int64_t *first;
    int32_t *to;
    float *weight, *self;
};
void sn_link_graph_free(struct sn_link_graph *g);

/* Fine similarities in place of the coarse ones: the best continuous Jaccard index over shifts and strands. With keep (n): whether the
 * Spearman correlation of both over the row is above min_correlation. */
int sn_fine_scores(const struct sn_tracks *t, bool both_strands, double min_correlation, struct sn_pool *pool, const struct sn_sink *sink,
                   struct sn_neighbours *nb, bool *keep);

/* Only rows and neighbours with keep stay, renumbered in order. */
int sn_neighbours_filter(struct sn_neighbours *nb, const bool *keep);

/* Every pair that one of the two lists, in both rows; where both list it, mutual_share times the sum of their scores. No diagonal. nb keeps
 * its counts only. */
int sn_link_graph_make(struct sn_neighbours *nb, float mutual_share, struct sn_link_graph *out);

/* Distances d = max(0, ln(2/s - 1)), zeros dropped, made symmetric; links A_ij = sqrt(k_i(d)/Z_i k_j(d)/Z_j), A_ii = 1/Z_i with
 * Z_i = 1 + sum_j k_i(d_ij) and k_i(d) = exp(-d / beta_i) (compat) or exp(-d beta_i) (consistent). nb is used up. beta (n): out, may be
 * NULL. */
int sn_density_links(struct sn_neighbours *nb, double perplexity, enum sn_density kernel, struct sn_pool *pool, double *beta,
                     struct sn_link_graph *out);

/* Conditional probabilities of t-SNE over each row's neighbours (itself not among them), P + P', summing to 1. nb is used up. */
int sn_tsne_links(struct sn_neighbours *nb, double perplexity, struct sn_pool *pool, struct sn_link_graph *out);

#endif
