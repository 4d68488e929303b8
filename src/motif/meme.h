/* The MEME minimal motif format, version 4. */
#ifndef SN_MOTIF_MEME_H
#define SN_MOTIF_MEME_H

#include "core/file.h"
#include "motif/motif.h"

/* Parses a motif file; `text` is changed. Header lines and the keys of the matrix line may be missing, line ends may be CRLF, what MEME's
 * own output has besides (log-odds matrices, sites, URLs) is passed over. Errors name file and line: SEQNET_EFORMAT. *out is to be freed
 * with sn_motif_set_free also when it is empty. */
int sn_meme_parse(const char *path, char *text, struct sn_motif_set *out);
/* Writes all motifs: six decimals, rows that sum to 1 exactly, an empty line after every matrix. Ids lose their blanks. */
int sn_meme_write(const struct sn_motif_set *s, struct sn_outfile *f);

#endif
