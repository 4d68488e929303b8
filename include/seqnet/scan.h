/* Scanning genomes. */
#ifndef SEQNET_SCAN_H
#define SEQNET_SCAN_H

#include "seqnet/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct seqnet_scanner seqnet_scanner;

enum seqnet_scan_strand {
    SEQNET_SCAN_MODEL = 0 /**< as the model combines them, else both */,
    SEQNET_SCAN_BOTH,
    SEQNET_SCAN_FORWARD,
    SEQNET_SCAN_REVERSE
};

typedef struct seqnet_scan_options {
    size_t size;
    int64_t window;          /**< bases; 0 = the model's length, or its training length when that is variable */
    int64_t stride;          /**< bases from window to window; 0 = auto */
    const char *region;      /**< "chr:from-to", 1-based inclusive; NULL = all */
    const char *regions_bed; /**< BED of regions; NULL = all */
    int strand;              /**< enum seqnet_scan_strand */
    const char *task;        /**< task to write; NULL = the first */
    double fpr;              /**< call sites at this false positive rate on the calibration background; NaN = no calls */
    double threshold;        /**< call sites with a score >= this; NaN = no calls */
    const char *output;  /**< *.bedgraph[.gz] for the track, *.bed[.gz] for called sites; .gz = BGZF with index; "-" = bedGraph to stdout */
    const char *command; /**< for the header line; NULL = none */
} seqnet_scan_options;
SEQNET_API void seqnet_scan_defaults_size(seqnet_scan_options *o, size_t size);
static inline void seqnet_scan_defaults(seqnet_scan_options *o) {
    seqnet_scan_defaults_size(o, sizeof *o);
}
SEQNET_API SEQNET_NODISCARD int seqnet_scan_check(const seqnet_scan_options *o);

SEQNET_API SEQNET_NODISCARD int seqnet_scanner_create(seqnet_ctx *ctx, seqnet_model *const *models, int n_models,
                                                      const seqnet_scan_options *o, seqnet_scanner **out);
SEQNET_API void seqnet_scanner_free(seqnet_scanner **s);
/** Scans a FASTA file (plain, gzip, bgzip, "-") with memory that does not depend on its size; output in genome order, complete or not at
 * all.
 *  @return 0; SEQNET_EIO; SEQNET_EFORMAT; SEQNET_EDATA; SEQNET_ECANCELED */
SEQNET_API SEQNET_NODISCARD int seqnet_scan(seqnet_scanner *s, const char *genome);

typedef struct seqnet_scan_result {
    size_t size;
    int64_t contigs, short_contigs /**< shorter than the window: padded */, bases, windows, sites;
    double seconds;
    double threshold; /**< that sites were called at */
    double expected_false_per_mb;
} seqnet_scan_result;
SEQNET_API void seqnet_scanner_result(const seqnet_scanner *s, seqnet_scan_result *out);
/** One line: window, stride, strands, rows per batch. Valid as long as the scanner. */
SEQNET_API const char *seqnet_scanner_describe(const seqnet_scanner *s);

#ifdef __cplusplus
}
#endif
#endif
