/* Inside the api: a set of motifs. */
#ifndef SN_API_MOTIFS_H
#define SN_API_MOTIFS_H

#include "motif/motif.h"
#include "seqnet/motifs.h"

struct seqnet_motifs {
    struct sn_motif_set set;
    char *name; /* as it was asked for */
};

#endif
