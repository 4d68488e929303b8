/* Where the rows of an attribution array come from: the table sequences.tsv of an explained data set. */
#ifndef SN_MOTIF_PLACES_H
#define SN_MOTIF_PLACES_H

#include "core/mem.h"

struct sn_place {
    const char *name;
    const char *chrom; /* NULL: the sequence is not a part of a genome */
    int64_t start, end;
    bool reverse; /* the row reads the other strand */
};

struct sn_places {
    struct sn_place *v;
    int32_t *len; /* (n) letters, or NULL when the table does not say */
    int64_t n;
    char *text;    /* what the names point into */
    int64_t bytes; /* of it */
};

/* Tab-separated with a header: `sequence`, and if there, `chrom`, `start`, `end`, `strand`, `length`. SEQNET_EIO; SEQNET_EFORMAT with the
 * line. */
int sn_places_read(const char *path, struct sn_places *out);
void sn_places_free(struct sn_places *p);

#endif
