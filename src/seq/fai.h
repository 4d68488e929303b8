/* Where the records of a FASTA file lie: read from a .fai and compared with the file, or found by one pass over it. */
#ifndef SN_SEQ_FAI_H
#define SN_SEQ_FAI_H

#include "seq/names.h"
#include "seq/seekable.h"

struct sn_contig {
    int64_t length, offset;         /* bases; offset of the first one in the text */
    int64_t line_bases, line_bytes; /* of a full line, without and with its end */
    uint8_t *codes;                 /* (length) when held in memory, else NULL */
};
struct sn_contigs { /* {0} is a valid empty list */
    struct sn_names names;
    struct sn_contig *v;
    size_t cap;
};

/* Adds a contig; a name that is there already is an error (prefixed by the caller's position through `t`). */
int sn_contigs_add(struct sn_contigs *c, const struct sn_text *t, const char *name, size_t len, struct sn_contig contig);
void sn_contigs_free(struct sn_contigs *c);

/* Reads a .fai; `limit`: no offset or length in the text can be larger. */
int sn_fai_read(const char *path, int64_t limit, struct sn_contigs *out);
/* Compares every record's surroundings with the file. `fai_path` for messages. */
int sn_fai_check(const struct sn_contigs *c, struct sn_seekable *file, const struct sn_alphabet *a, const char *fai_path);
/* One pass over the text (from its start): finds records, checks symbols and equal line lengths within a record. */
int sn_fai_build(struct sn_text *t, const struct sn_alphabet *a, struct sn_contigs *out);

#endif
