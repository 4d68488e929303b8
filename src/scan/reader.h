/* From a genome to batches of windows: whole files as a stream, regions through an index. Memory depends on the batch, never on the genome.
 */
#ifndef SN_SCAN_READER_H
#define SN_SCAN_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "scan/geometry.h"
#include "seq/reference.h"

/* Consecutive windows of one contig in a batch. */
struct sn_scan_piece {
    char *name;
    int64_t first;    /* number of its first window on the contig */
    int n;            /* windows */
    int64_t n_contig; /* windows of the contig where the last one is known to be among these, else more than first + n */
    int64_t contig;   /* length of the contig, known with the last window, else 0 */
    int64_t from, to; /* output is clipped to these */
    bool padded;      /* the contig is shorter than the window */
};

/* Windows to be scored, in genome order. */
struct sn_scan_batch {
    uint8_t *codes;
    size_t used, cap;
    int64_t *offset; /* (cap_n) of each window's first code */
    int n, cap_n;
    struct sn_scan_piece *pieces;
    int n_pieces;
    size_t cap_pieces;
    int64_t bases, contigs, short_contigs; /* read for this batch */
    /* for the scorer and the writer */
    float *score;   /* (cap_n) what predict prints */
    float *rank;    /* (cap_n) by what windows are compared */
    int8_t *strand; /* (cap_n) +1, -1, 0 = not asked for */
    bool *passed;   /* (cap_n) to be called */
};
/* Room for `windows` windows; bytes bounds the codes (a window and a stride always fit). */
int sn_scan_batch_create(const struct sn_windows *w, int windows, size_t bytes, struct sn_scan_batch *b);
void sn_scan_batch_free(struct sn_scan_batch *b);

struct sn_scan_reader;
/* region: "chr", "chr:from" or "chr:from-to", 1-based inclusive; regions_bed: a BED file; both NULL: the whole file. Regions are sorted by
 * the order of contigs and joined where they meet. Errors: SEQNET_EINVAL, SEQNET_EDATA, SEQNET_EFORMAT, SEQNET_EIO. */
int sn_scan_reader_open(const char *genome, const struct sn_alphabet *a, const struct sn_windows *w, const char *region,
                        const char *regions_bed, struct sn_scan_reader **out);
void sn_scan_reader_close(struct sn_scan_reader *r);
/* Bases to come, 0 = unknown. */
int64_t sn_scan_reader_total(const struct sn_scan_reader *r);
/* Replaces what is in the batch by the windows that follow; b->n is 0 at the end. */
int sn_scan_reader_fill(struct sn_scan_reader *r, struct sn_scan_batch *b);

#endif
