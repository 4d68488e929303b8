/* Patterns as files: what another program can read. */
#ifndef SN_MOTIF_PATTERNS_WRITE_H
#define SN_MOTIF_PATTERNS_WRITE_H

#include "motif/motif.h"
#include "motif/patterns.h"
#include "motif/places.h"

/* The letter probabilities of the patterns' cores, subpatterns after their pattern; rows sum to 1. `rna`: over ACGU. The set is to be
 * freed. */
int sn_patterns_motifs(const struct sn_patterns *p, bool rna, struct sn_motif_set *out);

/* Into a folder that exists: motifs.meme (cores), motifs_contribution.meme and motifs_hypothetical.meme (the same layout, contributions in
 * the place of probabilities), patterns.tsv, matrices.tsv (all positions: letter frequencies, contributions,
 * hypothetical contributions), seqlets.tsv, seqlets.bed. places may be NULL: sequences are then called by their number. */
int sn_patterns_write(const struct sn_patterns *p, const struct sn_places *places, bool rna, const char *folder);

/* Removes these files. */
void sn_patterns_remove(const char *folder);

#endif
