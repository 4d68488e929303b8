/* The room's own view of FASTA streams: from an open text, header words. The public part is in seq/reference.h. */
#ifndef SN_SEQ_FASTA_H
#define SN_SEQ_FASTA_H

#include "seq/lines.h"
#include "seq/reference.h"

/* Reads from a text that stays the caller's. */
int sn_fasta_from_text(struct sn_text *t, const struct sn_alphabet *a, struct sn_fasta_stream **out);
/* The name in a header line (">name ...", blanks behind '>' are skipped); false when there is none. */
bool sn_fasta_word(const char *line, size_t n, const char **name, size_t *len);

#endif
