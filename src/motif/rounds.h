/* The seqlets of one sign, clustered in two rounds into piles. */
#ifndef SN_MOTIF_ROUNDS_H
#define SN_MOTIF_ROUNDS_H

#include "motif/collapse.h"

/* One round: compares the seqlets (n, all of one length; reordered), keeps in the first round those whose coarse and fine similarities
 * agree, clusters them, and lays each cluster on a pile. Piles whose contribution has the other sign are dropped. */
int sn_round(const struct sn_discovery *d, bool first, struct sn_seqlet *s, int n, struct sn_piles *out);

/* Both rounds, parting and joining. */
int sn_metacluster(struct sn_discovery *d, struct sn_seqlet *s, int n, struct sn_piles *out);

#endif
