/* An indexed reference FASTA (plain or bgzip). Gzip (not bgzip) FASTA is read into memory. Coordinates are 0-based half-open; bounds are
 * checked first. One handle per thread. Lines and indices are read by ourselves on top of htslib's BGZF: its faidx clips, drops bytes and
 * trusts .fai and .gzi. */
#ifndef SN_SEQ_REFERENCE_H
#define SN_SEQ_REFERENCE_H

#include <stdint.h>

#include "seq/alphabet.h"

struct sn_reference;
/* Builds the index in memory when there is no .fai (or, for bgzip, no .gzi) beside the file: one pass over it, nothing is written. A .fai
 * is compared with the file (the header line before and the line end behind every record), so that a stale or lying one is refused whatever
 * its date. Contigs keep the file's order. "-" = stdin for sn_fasta_stream only. */
int sn_reference_open(const char *path, const struct sn_alphabet *a, struct sn_reference **out);
void sn_reference_close(struct sn_reference *r);
const char *sn_reference_path(const struct sn_reference *r);
int sn_reference_contigs(const struct sn_reference *r);
const char *sn_reference_name(const struct sn_reference *r, int i);
int64_t sn_reference_length(const struct sn_reference *r, int i);
/* Index of a contig, or SEQNET_EDATA with the reference's names and the `chr` hint in the message. */
int sn_reference_find(const struct sn_reference *r, const char *name);
/* Index of a contig or -1, no message. */
int sn_reference_lookup(const struct sn_reference *r, const char *name);
/* Codes of [start,end), which must lie inside the contig. */
int sn_reference_fetch(struct sn_reference *r, int contig, int64_t start, int64_t end, uint8_t *codes);
/* The same, positions outside the contig filled with SN_CODE_OUTSIDE; *outside gets their number. */
int sn_reference_fetch_padded(struct sn_reference *r, int contig, int64_t start, int64_t end, uint8_t *codes, int64_t *outside);

/* Sequential reading of FASTA records of any size (plain, gzip, bgzip, "-"): a record as tiles, flat memory. */
struct sn_fasta_stream;
int sn_fasta_open(const char *path, const struct sn_alphabet *a, struct sn_fasta_stream **out);
void sn_fasta_close(struct sn_fasta_stream *s);
/* 1 and the name of the next record (valid until the next call), 0 at the end, or an error. Skips what is left of the current record. */
int sn_fasta_next(struct sn_fasta_stream *s, const char **name);
/* Reads up to n codes of the current record; returns how many (0 = record ended, only then fewer than n), or an error. */
int64_t sn_fasta_read(struct sn_fasta_stream *s, uint8_t *codes, int64_t n);
/* Line of the current record's header. */
int64_t sn_fasta_line(const struct sn_fasta_stream *s);

#endif
