/* Patterns in the folder of an explained data set. */
#ifndef SN_API_DISCOVER_H
#define SN_API_DISCOVER_H

#include "api/api.h"
#include "motif/attributions.h"
#include "motif/patterns.h"
#include "motif/places.h"
#include "motif/tomtom.h"

struct sn_discovery { /* {0}; free in every case */
    struct sn_loaded loaded;
    struct sn_places places; /* only of a folder */
    struct sn_patterns patterns;
};
/* Loads the arrays of a folder that seqnet_explain_source wrote. max_memory: bytes, 0 = any. */
int sn_discovery_load(const char *folder, int64_t max_memory, struct sn_discovery *out);
void sn_discovery_free(struct sn_discovery *d);

/* Removes what sn_discovery_run writes: it is of contributions that are no more. */
void sn_discovery_remove(const char *folder);

/* Discovers, writes what sn_patterns_write does into the folder, compares the patterns with `known` (without motifs: with nothing) and
 * writes motifs.tsv: the best matches of each pattern. The queries of *hits are those of sn_patterns_motifs; both are to be freed. */
int sn_discovery_run(seqnet_ctx *ctx, const char *folder, const char *letters, uint64_t seed, int64_t max_memory,
                     const struct sn_motif_set *known, struct sn_discovery *d, struct sn_tomtom_hits *hits);

#endif
