/* Comparison of motifs with a database: the statistics of Tomtom (Gupta et al., Genome Biology 8:R24, 2007), complete scores. */
#ifndef SN_MOTIF_TOMTOM_H
#define SN_MOTIF_TOMTOM_H

#include "core/log.h"
#include "core/pool.h"
#include "motif/motif.h"

enum sn_tomtom_distance { SN_TOMTOM_EUCLIDEAN, SN_TOMTOM_PEARSON };

struct sn_tomtom_options {
    enum sn_tomtom_distance distance;
    int min_overlap;            /* columns that must overlap, or all of the narrower motif */
    bool both_strands;          /* of the targets; alphabets without complement have one */
    double max_p, max_e, max_q; /* hits above are left out */
    int top;                    /* at most so many hits a query, 0 = all */
    const struct sn_sink *sink; /* progress and cancellation, or NULL */
};
/* Euclidean, overlap of 1, both strands, all hits. */
void sn_tomtom_defaults(struct sn_tomtom_options *o);

struct sn_tomtom_hit {
    int query, target;
    int offset; /* of the target's first column from the query's, in the orientation compared */
    int overlap;
    bool reverse; /* the target's reverse complement */
    double score; /* of the alignment, in bins of the column scores */
    double p;     /* that the best alignment with a random target of this width on these strands scores as high */
    double e;     /* p times the number of targets */
    double q;     /* Benjamini-Hochberg over all pairs of the call */
};
struct sn_tomtom_hits { /* by query, then p, then target; {0} after free */
    struct sn_tomtom_hit *v;
    int64_t n;
};

/* Every query with every target. The same result on any number of threads. pool may be NULL. SEQNET_EDATA: no motifs, other letters, wider
 * than SN_TOMTOM_WIDEST; SEQNET_ECANCELED. *out is to be freed also when it is empty. */
#define SN_TOMTOM_WIDEST 300
int sn_tomtom(const struct sn_motif_set *queries, const struct sn_motif_set *targets, const struct sn_tomtom_options *o,
              struct sn_pool *pool, struct sn_tomtom_hits *out);
void sn_tomtom_hits_free(struct sn_tomtom_hits *h);

#endif
