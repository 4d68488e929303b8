/* Motif files of every kind that is read, and those that come with seqnet. */
#ifndef SN_MOTIF_DATABASE_H
#define SN_MOTIF_DATABASE_H

#include "motif/motif.h"

/* Reads motifs: a file (MEME or JASPAR matrices, plain or gzip), or the name of an installed one ("jaspar"). Errors name file and line:
 * SEQNET_EIO, SEQNET_EFORMAT. *out is to be freed with sn_motif_set_free also when it is empty. */
int sn_motifs_read(const char *name, struct sn_motif_set *out);

/* JASPAR's own formats: `>ID NAME`, then four lines of counts, `A [ 1 2 ]` (.jaspar) or bare numbers in the order ACGT (.pfm). `text` is
 * changed. */
int sn_jaspar_parse(const char *path, char *text, struct sn_motif_set *out);

#endif
