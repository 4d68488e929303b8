/* The columns of a database of motifs, each distinct one kept once. */
#ifndef SN_MOTIF_COLUMNS_H
#define SN_MOTIF_COLUMNS_H

#include "motif/motif.h"

struct sn_columns {
    int letters, strands; /* strands: 2 with the reverse complements */
    int n;                /* distinct columns */
    int64_t total;        /* columns in all, of all strands */
    double *value;        /* (n, letters) */
    int32_t *count;       /* (n) how often each occurs */
    int n_motifs, widest;
    int *width;         /* (n_motifs) */
    int64_t *first;     /* (n_motifs) of the motif's columns below */
    int32_t *column[2]; /* per strand: number of each column, in the order of that strand */
};

/* SEQNET_ENOMEM; *c is to be freed in any case. */
int sn_columns_make(const struct sn_motif_set *s, bool both_strands, struct sn_columns *c);
void sn_columns_free(struct sn_columns *c);

#endif
