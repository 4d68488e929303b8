/* A data set in memory: codes (one byte a base), names, coordinates, targets; and how it is read, split and augmented. */
#ifndef SN_SEQ_DATASET_H
#define SN_SEQ_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/log.h"
#include "core/mem.h"
#include "seq/alphabet.h"

struct sn_names;

struct sn_interval { /* 0-based half-open on contig `chrom` (index into chroms); chrom -1 = no coordinates */
    int32_t chrom;
    int8_t strand; /* +1, -1, 0 unknown */
    int64_t start, end;
};

struct sn_dataset {
    const struct sn_alphabet *alphabet;
    int64_t n;
    uint8_t *codes;         /* all sequences, one after the other */
    int64_t *offset;        /* (n+1) */
    char **names;           /* (n) owned */
    struct sn_interval *at; /* (n) or NULL: no coordinates. The bases shown: a window may reach over its contig's ends (start < 0) */
    char **chroms;
    int n_chroms;
    int64_t *chrom_length; /* (n_chroms) 0 = unknown */
    int n_tasks;           /* columns of targets: number of classes when kind is CLASSES (one-hot) */
    enum sn_task_kind kind;
    char **tasks;            /* (n_tasks) names of tasks or classes */
    float *targets;          /* (n, n_tasks) or NULL; NaN = missing */
    int32_t *group;          /* (n) group index (groups sorted by name) or NULL */
    int64_t padded;          /* windows that reached over a contig's end */
    int64_t ambiguous;       /* symbols that are not one of the letters */
    bool shuffled_negatives; /* negatives are dinucleotide shuffles: scores on genomes come out too high */
    uint32_t digest;         /* sn_dataset_digest, set by sn_dataset_read */
    /* private: capacities and the lookup of chromosome names */
    size_t cap_rows, cap_codes, cap_chroms;
    struct sn_names *chrom_names;
};

/* MID: floor((start+end)/2). SUMMIT: start + column 10 of narrowPeak, -1 = middle (other BED: the middle, with a warning). */
enum sn_center { SN_CENTER_MID, SN_CENTER_SUMMIT };

struct sn_dataset_options {
    const struct sn_alphabet *alphabet; /* NULL = dna */
    const char *positives, *negatives;  /* files; labels 1 and 0, one task "label" */
    const char *data;                   /* table, or BED with labels in no column (then unlabelled), FASTA for prediction */
    const char *reference;              /* FASTA for intervals */
    const char *exclude;                /* BED: regions where no negative is drawn */
    const char *labels;                 /* comma list of label columns; NULL = all but sequence/coordinate/name/group columns */
    const char *const *prefer;          /* (n_prefer) columns to take when labels is NULL and the table has them all */
    int n_prefer;
    const char *group; /* group column */
    int64_t window;    /* intervals: window length about the centre; 0 = the interval itself */
    enum sn_center center;
    bool need_labels;
    bool labels_if_there;          /* without need_labels: `prefer` where the table has them all */
    bool make_negatives;           /* positives alone: draw negatives */
    double negatives_per_positive; /* 1 */
    uint64_t seed;
    const struct sn_sink *sink;
};

/* Reads everything; kind recognised by content. Errors name file and line.
 * FASTA: DNA, RNA or protein letters, one row a record. BED3-12, narrowPeak: the window [c - W/2, c + W - W/2) about the centre c, strand
 * '-' reverse-complemented, bases beyond the contig's ends SN_CODE_OUTSIDE. Tables are tab-separated with a header; known columns:
 * sequence; chrom, start, end, strand; name or id. The group column and the label columns are chosen by `group` and `labels`. One label
 * column with text gives classes (sorted by name); columns of 0 and 1 are binary tasks; other numbers are regression targets; NA is
 * missing. A column that is neither (gene, locus) must be named as group or left out of `labels`. Without need_labels, labels_if_there and
 * `labels`, label columns are not read. Negatives drawn from genomes: see the log line; from FASTA alone: dinucleotide shuffles,
 * shuffled_negatives is set and a warning logged. */
int sn_dataset_read(const struct sn_dataset_options *o, struct sn_dataset **out);
void sn_dataset_free(struct sn_dataset *d);
/* An empty set to be filled by hand (API sources): set kind, n_tasks and tasks (owned by the set, free()) before the first row. */
int sn_dataset_create(const struct sn_alphabet *a, struct sn_dataset **out);
/* name NULL = "seq<N>"; targets NULL or n_tasks floats; at NULL or coordinates. */
int sn_dataset_add(struct sn_dataset *d, const char *name, const uint8_t *codes, int64_t len, const struct sn_interval *at,
                   const float *targets);
/* Index of a chromosome name, added when new; or an error. */
int sn_dataset_chrom(struct sn_dataset *d, const char *name);
/* CRC-32C over codes, offsets and targets. */
uint32_t sn_dataset_digest(const struct sn_dataset *d);

static inline int64_t sn_dataset_len(const struct sn_dataset *d, int64_t i) {
    return d->offset[i + 1] - d->offset[i];
}
/* Memory that it takes, about. */
size_t sn_dataset_bytes(const struct sn_dataset *d);
int64_t sn_dataset_longest(const struct sn_dataset *d);
int64_t sn_dataset_shortest(const struct sn_dataset *d);

/* ---- splits: fills valid (n) with 1 for rows held out ------------------------------------------------------------------------------ */
struct sn_split_options {
    double fraction;    /* in (0,1): seeded, stratified by label (classes), whole groups together when a group column is given */
    const char *chroms; /* comma list: rows on these chromosomes are held out; "auto": whole chromosomes nearest to the fraction, a fixed
                         * choice without the seed (groups go before it; one chromosome or rows without coordinates: the fraction); NULL */
    uint64_t seed;
    const struct sn_sink *sink;
};
/* Which rows are chosen depends on the rows themselves, not on their order in the file. `how` receives a sentence for the log and the
 * model's provenance ("chromosomes chr8,chr9 (1 204 of 11 531)"). */
int sn_dataset_split(const struct sn_dataset *d, const struct sn_split_options *o, uint8_t *valid, struct sn_str *how);

/* ---- shuffling ----------------------------------------------------------------------------------------------------------------------- */
/* Uniform dinucleotide shuffle (Altschul & Erickson 1985) of n codes into out, random numbers from (seed, seq, ref). Symbols
 * are A,C,G,T and one for all else; every code of the input is kept (IUPAC, soft-masking), only moved. Returns 1 when the sequence admits
 * only one arrangement, else 0, or an error. */
int sn_dinucleotide_shuffle(const uint8_t *codes, int64_t n, uint64_t seed, uint64_t seq, uint64_t ref, uint8_t *out);

/* ---- augmentation, by global id ------------------------------------------------------------------------------------------------------ */
/* Writes row i as it is to be shown at `step`: reverse-complemented with probability 1/2 (by seed, step, id) when rc, shifted by `shift`
 * positions (out[j] = row[j+shift], outside = SN_CODE_OUTSIDE), then centred in `width` positions (padding SN_CODE_OUTSIDE). */
struct sn_augment {
    bool reverse_complement;
    int max_shift; /* one shift in -max..max per batch, by (seed, step) */
    uint64_t seed;
};
/* a NULL: as it is. width < length: the middle part. */
int sn_augment_shift(const struct sn_augment *a, int64_t step);
void sn_dataset_row(const struct sn_dataset *d, int64_t i, const struct sn_augment *a, int64_t step, int64_t width, uint8_t *out);

#endif
