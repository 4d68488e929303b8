/* Motifs: finding them in attributions, reading them, comparing them with a database, scanning sequences with them. No model is needed. */
#ifndef SEQNET_MOTIFS_H
#define SEQNET_MOTIFS_H

#include "seqnet/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Motifs over one alphabet. Immutable; may be shared between threads. */
typedef struct seqnet_motifs seqnet_motifs;

/** Reads motifs: a file (MEME or JASPAR matrices, plain or gzip), or the name of an installed database ("jaspar": vertebrates,
 *  "jaspar-all"). @return 0; SEQNET_EIO; SEQNET_EFORMAT naming file and line */
SEQNET_API SEQNET_NODISCARD int seqnet_motifs_read(seqnet_ctx *ctx, const char *name, seqnet_motifs **out);
SEQNET_API void seqnet_motifs_free(seqnet_motifs **m);
SEQNET_API int seqnet_motifs_count(const seqnet_motifs *m);
/** "ACGT": order of the columns of a matrix. */
SEQNET_API const char *seqnet_motifs_letters(const seqnet_motifs *m);

typedef struct seqnet_motif {
    size_t size;
    const char *id, *alt; /**< alt: NULL = none; valid as long as the motifs */
    int width;
    const double *probabilities; /**< (width, letters), rows sum to 1 */
    double sites;                /**< it was made from, 0 = unknown */
} seqnet_motif;
/** @return 0; SEQNET_EINVAL when there is no motif i */
SEQNET_API SEQNET_NODISCARD int seqnet_motifs_get(const seqnet_motifs *m, int i, seqnet_motif *out);

/* ---- comparing: Tomtom's statistics ---- */

typedef struct seqnet_match_options {
    size_t size;
    const char *distance;                      /**< "euclidean" | "pearson": of columns */
    const char *strand;                        /**< "both" | "forward": of the database, where its alphabet has a complement */
    int min_overlap;                           /**< columns that must overlap, or all of the narrower motif; default 1 */
    double max_pvalue, max_evalue, max_qvalue; /**< matches above are left out; NaN = any */
    int top;                                   /**< best matches of each query; 0 = all */
} seqnet_match_options;
SEQNET_API void seqnet_match_defaults_size(seqnet_match_options *o, size_t size);
static inline void seqnet_match_defaults(seqnet_match_options *o) {
    seqnet_match_defaults_size(o, sizeof *o);
}
SEQNET_API SEQNET_NODISCARD int seqnet_match_check(const seqnet_match_options *o);

typedef struct seqnet_match {
    size_t size;
    int query, target; /**< numbers of the motifs in their sets */
    int offset;        /**< of the query's first column from the target's, in the orientation compared */
    int overlap;
    int reverse;           /**< the target is reverse-complemented */
    double p, e, q, score; /**< e: p times the number of targets; q: Benjamini-Hochberg over all pairs */
} seqnet_match;
/** Compares every query with every target and calls `take` for each match, by query, then p. take returns 0 to go on.
 *  @return 0; SEQNET_EDATA; SEQNET_ECANCELED; what take returned */
SEQNET_API SEQNET_NODISCARD int seqnet_motifs_match(seqnet_ctx *ctx, const seqnet_motifs *queries, const seqnet_motifs *targets,
                                                    const seqnet_match_options *o, int (*take)(void *self, const seqnet_match *m),
                                                    void *self);
/** The same as a table with Tomtom's columns ("-" = stdout; complete or not at all). *n: matches; may be NULL. */
SEQNET_API SEQNET_NODISCARD int seqnet_motifs_match_write(seqnet_ctx *ctx, const seqnet_motifs *queries, const seqnet_motifs *targets,
                                                          const seqnet_match_options *o, const char *path, int64_t *n);

/* ---- scanning: FIMO's statistics ---- */

typedef struct seqnet_sites_options {
    size_t size;
    const char *strand;     /**< "both" | "forward"; motifs over ACGU are looked for on one strand in any case */
    const char *background; /**< "motifs": that of the motif file | "uniform" */
    double threshold;       /**< largest p of a site; default 1e-4 */
    double max_qvalue;      /**< sites above are left out; NaN = any */
    double pseudo;          /**< added to every probability of a motif; default 1e-4 */
    int bed;                /**< 1: BED of sites in the order of the sequences; 0: FIMO's table, by motif, then p */
} seqnet_sites_options;
SEQNET_API void seqnet_sites_defaults_size(seqnet_sites_options *o, size_t size);
static inline void seqnet_sites_defaults(seqnet_sites_options *o) {
    seqnet_sites_defaults_size(o, sizeof *o);
}
SEQNET_API SEQNET_NODISCARD int seqnet_sites_check(const seqnet_sites_options *o);

typedef struct seqnet_sites_result {
    size_t size;
    int64_t sequences, bases, sites;
    double seconds;
} seqnet_sites_result;
/** Scans a FASTA file (plain, gzip, bgzip, "-") for sites of motifs; memory does not depend on its size, only on the number of sites.
 *  @param out may be NULL  @return 0; SEQNET_EIO; SEQNET_EFORMAT; SEQNET_EDATA; SEQNET_ENOTSUP; SEQNET_ECANCELED */
SEQNET_API SEQNET_NODISCARD int seqnet_motifs_scan_write(seqnet_ctx *ctx, const seqnet_motifs *m, const char *fasta,
                                                         const seqnet_sites_options *o, const char *path, seqnet_sites_result *out);

/* ---- discovering: patterns in attributions, as TF-MoDISco finds them ---- */

typedef struct seqnet_discover_options {
    size_t size;
    const char *folder;          /**< of seqnet_explain_source(): its arrays and names are taken; or NULL and the two below */
    const char *one_hot;         /**< NumPy array (sequences, 4, length), bases in the order A, C, G, T; (sequences, length, 4) too */
    const char *hypothetical;    /**< hypothetical contributions, the same shape */
    int window, flank;           /**< of a seqlet: window + 2 flank letters; default 21, 10 */
    double fdr;                  /**< false discovery rate of seqlets; default 0.2 */
    double min_passing;          /**< least share of windows that pass; 0 (default): by length, ten windows a sequence within 3 and 10 % */
    int64_t max_seqlets;         /**< of each sign; of more a subset is drawn; 0 = all; default 20000 */
    int leiden_seeds;            /**< partitions tried per clustering; the best is taken */
    const char *density;         /**< "compat" | "consistent": kernel of the density adaptation */
    int min_seqlets;             /**< of a pattern; default 20 */
    int trim_window, trim_flank; /**< letters of a pattern: window + 2 flank; window 0 (default): by length, 30 and 10, of sequences below
                                    200 letters 20 and 5 */
    int subpatterns;             /**< 1: look for patterns within patterns */
    int rna;                     /**< 1: one strand only */
    uint64_t seed;
    int64_t max_memory; /**< bytes that all of it may take, program included; SEQNET_ENOMEM says what does not fit; 0 = any */
} seqnet_discover_options;
SEQNET_API void seqnet_discover_defaults_size(seqnet_discover_options *o, size_t size);
static inline void seqnet_discover_defaults(seqnet_discover_options *o) {
    seqnet_discover_defaults_size(o, sizeof *o);
}
SEQNET_API SEQNET_NODISCARD int seqnet_discover_check(const seqnet_discover_options *o);

typedef struct seqnet_discover_result {
    size_t size;
    int64_t sequences, seqlets_positive, seqlets_negative;
    int patterns_positive, patterns_negative;
    double threshold_positive, threshold_negative; /**< of window sums */
    double seconds;
    char message[256]; /**< why there are few or no patterns; "" when all is well */
} seqnet_discover_result;
/** Discovers patterns and writes motifs.meme, patterns.tsv, matrices.tsv, seqlets.tsv and seqlets.bed into a folder, which is made. Few or
 * no seqlets are no error: the files are empty and the result says why. @param out may be NULL
 *  @return 0; SEQNET_EINVAL; SEQNET_EIO; SEQNET_EFORMAT; SEQNET_ESHAPE; SEQNET_EDATA; SEQNET_ENUM (not finite); SEQNET_ENOMEM;
 *  SEQNET_ECANCELED */
SEQNET_API SEQNET_NODISCARD int seqnet_motifs_discover_write(seqnet_ctx *ctx, const seqnet_discover_options *o, const char *folder,
                                                             seqnet_discover_result *out);

#ifdef __cplusplus
}
#endif
#endif
