/* Sources of sequences: files (FASTA, BED, tables; recognised by content) or a host's own. */
#ifndef SEQNET_SOURCE_H
#define SEQNET_SOURCE_H

#include "seqnet/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct seqnet_source seqnet_source;

/** One sequence. Pointers belong to the source and are valid until the next call of next(). */
typedef struct seqnet_record {
    size_t size;
    const char *name;     /**< NULL = unnamed */
    const char *bases;    /**< ASCII, any case; not terminated */
    int64_t length;       /**< bases */
    const char *chrom;    /**< NULL = no coordinates */
    int64_t start, end;   /**< 0-based half-open */
    int strand;           /**< +1, -1, 0 unknown; bases are already those of this strand */
    const float *targets; /**< (n_tasks) NaN = missing; classes: one-hot; NULL when n_tasks is 0 */
} seqnet_record;

/** A source that a host fills. All calls come from one thread. */
typedef struct seqnet_source_vtable {
    size_t size;
    int n_tasks;                                 /**< labels per record, 0 = none */
    const char *const *task_names;               /**< (n_tasks) or NULL */
    int classes;                                 /**< non-zero: the tasks are classes, targets one-hot */
    int (*next)(void *self, seqnet_record *out); /**< 1 = a record, 0 = end, negative = failed */
    void (*close)(void *self);                   /**< may be NULL */
} seqnet_source_vtable;

/** What to read. Either `data`, or `positives` with or without `negatives`. */
typedef struct seqnet_source_options {
    size_t size;
    const char *data;      /**< table, FASTA or BED */
    const char *positives; /**< FASTA or BED/narrowPeak, label 1 */
    const char *negatives; /**< the same, label 0; NULL with make_negatives: drawn (genomic windows, or dinucleotide shuffles for FASTA) */
    const char *reference; /**< FASTA for intervals */
    const char *exclude;   /**< BED: no negative is drawn here */
    const char *labels;    /**< comma list of label columns; NULL = all that are neither sequence, coordinates, name nor group */
    const char *const *prefer; /**< (n_prefer) label columns to take where labels is NULL and the table has them all, as a model's tasks */
    int n_prefer;
    const char *group;        /**< column that keeps rows together in splits */
    const char *alphabet;     /**< "dna" | "rna" | "protein"; NULL = that of `architecture`, else dna */
    const char *architecture; /**< file or installed name: alphabet and window are taken from it where they are not given; may be NULL */
    int64_t window;           /**< bases about the centre of an interval; 0 = the architecture's fixed length, else the interval itself */
    int center_summit;        /**< centre on the narrowPeak summit instead of the middle */
    int need_labels;          /**< labels must be there */
    int make_negatives;
    uint64_t seed;
    int labels_if_there; /**< without need_labels: the columns of `prefer` are taken as labels where the table has them all */
} seqnet_source_options;

SEQNET_API void seqnet_source_defaults_size(seqnet_source_options *o, size_t size);
static inline void seqnet_source_defaults(seqnet_source_options *o) {
    seqnet_source_defaults_size(o, sizeof *o);
}
SEQNET_API SEQNET_NODISCARD int seqnet_source_check(const seqnet_source_options *o);
/** Reads the files into memory (one byte a base).
 *  @return 0; SEQNET_EIO; SEQNET_EFORMAT, SEQNET_EDATA with file and line; SEQNET_ENOMEM. Free with seqnet_source_free(). */
SEQNET_API SEQNET_NODISCARD int seqnet_source_open(seqnet_ctx *ctx, const seqnet_source_options *o, seqnet_source **out);
/** Takes records from a host; read to the end at once. `self` is closed through the vtable, also on failure. next() fills the fields of a
 *  zeroed record, none beyond out->size. alphabet: NULL = "dna". @return 0; SEQNET_EDATA naming the record; what next() returned;
 * SEQNET_ENOMEM */
SEQNET_API SEQNET_NODISCARD int seqnet_source_from(seqnet_ctx *ctx, const seqnet_source_vtable *v, void *self, const char *alphabet,
                                                   seqnet_source **out);
SEQNET_API void seqnet_source_free(seqnet_source **s);
/** Number of records; of label columns (or classes); name of one; number of windows that reached over a contig's end. */
SEQNET_API int64_t seqnet_source_count(const seqnet_source *s);
SEQNET_API int seqnet_source_tasks(const seqnet_source *s);
SEQNET_API const char *seqnet_source_task_name(const seqnet_source *s, int task);
SEQNET_API int64_t seqnet_source_padded(const seqnet_source *s);
/** Record i (0-based); pointers valid as long as the source, except bases: until the next call on this source.
 *  Set out->size first.
 *  @return 0; SEQNET_EINVAL when i is out of range */
SEQNET_API SEQNET_NODISCARD int seqnet_source_get(seqnet_source *s, int64_t i, seqnet_record *out);

#ifdef __cplusplus
}
#endif
#endif
