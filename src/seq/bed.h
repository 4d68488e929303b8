/* Intervals from BED and narrowPeak files, before any reference is asked. */
#ifndef SN_SEQ_BED_H
#define SN_SEQ_BED_H

#include "seq/lines.h"
#include "seq/names.h"

struct sn_locus {  /* 0-based half-open */
    int32_t chrom; /* index into the list's names */
    int8_t strand; /* +1, -1, 0 unknown */
    int64_t start, end;
    int64_t summit; /* offset from start, -1 = none */
    int64_t line;
    char *name; /* NULL = none */
};
struct sn_loci { /* {0} is a valid empty list */
    struct sn_locus *v;
    size_t n, cap;
    struct sn_names chroms;
    bool has_summits; /* narrowPeak */
    char *path;
};

/* The last three cells of an interval are optional: strand NULL = unknown. Errors name the line. */
int sn_loci_add(struct sn_loci *l, const struct sn_text *t, struct sn_cell chrom, struct sn_cell start, struct sn_cell end,
                const struct sn_cell *strand, struct sn_locus **added);
int sn_loci_begin(struct sn_loci *l, const struct sn_text *t);
void sn_loci_free(struct sn_loci *l);

/* Strict: tabs only, BED3 to BED12 or narrowPeak (10 columns), the same number of columns in every line; "#", track, browser and blank
 * lines are skipped. A file without intervals is an error. */
int sn_bed_read(struct sn_text *t, struct sn_loci *out);
/* The same from a file name. */
int sn_bed_open(const char *path, struct sn_loci *out);

#endif
