/* From what explaining gave to what people look at: filters as motifs and logos, logos of the strongest sequences. */
#ifndef SN_API_PICTURES_H
#define SN_API_PICTURES_H

#include "explain/explain.h"
#include "motif/motif.h"

struct sn_pictures {
    struct sn_explainer *e; /* borrowed, like all below */
    const struct sn_dataset *d;
    const struct sn_explained *x;
    const struct sn_motif_set *known; /* motifs that filters are compared with; empty: none */
    const struct sn_sink *sink;
    const char *folder; /* there already */
    int n_logos;        /* sequences to be drawn */
};
/* Writes filters.meme, filters.tsv, logos/filter_*.svg (none of them when no convolution reads the sequence), and logos/sequence_*.svg into
 * each task's folder; *motifs gets the number of filters written. */
int sn_pictures_write(const struct sn_pictures *p, int *motifs);

/* Removes the pictures of a task's sequences. */
void sn_pictures_remove(const char *folder);

#endif
