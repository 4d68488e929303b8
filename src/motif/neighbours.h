/* The k nearest of each of n things, by a symmetric similarity of which only one half is computed. */
#ifndef SN_MOTIF_NEIGHBOURS_H
#define SN_MOTIF_NEIGHBOURS_H

#include "core/log.h"
#include "core/pool.h"
#include "motif/gapped_kmers.h"
#include "motif/likeness.h"

struct sn_neighbours {
    int n, k;
    int32_t *count; /* (n) */
    int32_t *id;    /* (n, k) row i: its neighbours, ascending */
    float *score;   /* (n, k) */
};

#define SN_COLUMNS 1024 /* of a tile */

/* A symmetric similarity of n things, computed for a row and a tile of columns [from, to) at a time; to - from <= SN_COLUMNS. */
struct sn_similar {
    void *self;
    int (*columns)(void *self, int from, int to); /* these come next; NULL: nothing to prepare */
    /* Writes score[j - from] for every column j > row; what is in the others, up to SN_COLUMNS, does not matter. */
    void (*row)(const void *self, int row, int from, int to, int worker, float *score);
    void (*done)(void *self); /* may free what the others needed; NULL: nothing to do */
};

/* Row i keeps the k largest similarities above 0, the lower number among equals; i itself only where `with_self` says so, with similarity
 * 1, as one more than k. */
int sn_neighbours_find(int n, int k, bool with_self, const struct sn_similar *similar, struct sn_pool *pool, const struct sn_sink *sink,
                       const char *stage, struct sn_neighbours *out);
void sn_neighbours_free(struct sn_neighbours *nb);
/* (n, k), sn_aligned_free(): where a row stands in its neighbour's list, or -1. */
int sn_neighbour_mates(const struct sn_neighbours *nb, int32_t **out);

/* Coarse similarity of seqlets: the larger of the cosines of their gapped k-mers on the same and on opposite strands. sign: +1 or -1, that
 * of their contributions. */
int sn_coarse_neighbours(const struct sn_attributions *a, const struct sn_seqlet *s, int n, int sign, int k, bool both_strands,
                         struct sn_pool *pool, const struct sn_sink *sink, struct sn_neighbours *out);

#endif
