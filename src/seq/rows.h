/* Inside the room: adding rows to a data set, from each kind of input. */
#ifndef SN_SEQ_ROWS_H
#define SN_SEQ_ROWS_H

#include "seq/bed.h"
#include "seq/dataset.h"
#include "seq/reference.h"

/* Room for so many further rows and codes. */
int sn_dataset_reserve(struct sn_dataset *d, int64_t rows, int64_t codes);
/* The arrays of targets and coordinates, made when first needed (old rows: missing). */
int sn_dataset_need_targets(struct sn_dataset *d);
int sn_dataset_need_places(struct sn_dataset *d);
/* A row of `len` codes that the caller writes at codes + offset[n - 1]; takes `name` (NULL = "seq<N>") over in every case. */
int sn_dataset_push(struct sn_dataset *d, char *name, int64_t len, const struct sn_interval *at, const float *targets);
/* Letters of row i; *ambiguous gets the other symbols (padding counts as neither). */
int64_t sn_dataset_letters(const struct sn_dataset *d, int64_t i, int64_t *ambiguous);
/* "chrom:first-last" of the bases shown, 1-based inclusive, clipped to the contig. */
int sn_region_name(const struct sn_dataset *d, const struct sn_interval *at, char **out);

/* All records of a text; `target` as the one task of each row, NULL = none. */
int sn_rows_from_fasta(struct sn_dataset *d, struct sn_text *t, const float *target, const struct sn_sink *sink);
/* Windows of the loci. */
int sn_rows_from_loci(struct sn_dataset *d, const struct sn_loci *l, struct sn_reference *r, const struct sn_dataset_options *o,
                      const float *target);
/* A whole table (d empty); *r is opened when the table has coordinates but no sequences. */
int sn_rows_from_table(struct sn_dataset *d, struct sn_text *t, const struct sn_dataset_options *o, struct sn_reference **r);
/* Opens o->reference into *r unless that is done; `asked_by` is the file that holds intervals. */
int sn_need_reference(const struct sn_dataset *d, const struct sn_dataset_options *o, const char *asked_by, struct sn_reference **r);

/* Negatives for the rows of d, all of them positives: windows of the same genome, or shuffles. */
int sn_negatives_from_genome(struct sn_dataset *d, const struct sn_loci *positives, struct sn_reference *r,
                             const struct sn_dataset_options *o);
int sn_negatives_by_shuffling(struct sn_dataset *d, const struct sn_dataset_options *o);

#endif
