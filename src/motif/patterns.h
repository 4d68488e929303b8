/* Patterns from attributions: windows of high contribution (seqlets) are compared, clustered, aligned and averaged into patterns
 * (the method of TF-MoDISco). Results depend on the numbers and the seed, never on the number of threads. */
#ifndef SN_MOTIF_PATTERNS_H
#define SN_MOTIF_PATTERNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/log.h"
#include "core/pool.h"

/* A place in a row of the input arrays, half-open; reverse: aligned to its pattern as the reverse complement. */
struct sn_seqlet {
    int32_t sequence, start, end;
    bool reverse;
    float contribution; /* sum over the place, with its sign */
};

struct sn_pattern {
    char *name; /* "pos_1", "neg_1"; subpatterns "pos_1.1" */
    int width;
    double *pfm;               /* (width,4) mean one-hot of the seqlets */
    double *contribution;      /* (width,4) mean contribution (CWM) */
    double *hypothetical;      /* (width,4) mean hypothetical contribution (hCWM) */
    int trim_start, trim_end;  /* half-open core: from first to last row with sum_c |CWM| >= 0.3 of the largest */
    int n;                     /* seqlets */
    struct sn_seqlet *seqlets; /* (n) */
    struct sn_pattern *sub;    /* (n_sub) on request */
    int n_sub;
};

/* Sorted: the positive ones by falling number of seqlets, then the negative ones. */
struct sn_patterns {
    struct sn_pattern *v;
    int n;
    int64_t seqlets_positive, seqlets_negative; /* found, before any cap */
    double threshold_positive, threshold_negative;
    char message[256]; /* why there are few or no patterns; "" when all is well */
};

/* Attributions of n sequences in rows of equal length. The hypothetical contribution of base c at position p of row i is the float at
 * hypothetical + i * row_step + p * position_step + c * base_step (bytes): (n,length,4) and (n,4,length) arrays are read where they lie,
 * aligned or not. */
struct sn_attributions {
    const char *name; /* of the numbers, for messages; NULL = none */
    int64_t n;
    int32_t length;
    const int32_t *len;   /* (n) letters in each row, or NULL: `length` */
    const uint8_t *bases; /* (n,length) 0..3 = ACGT, 4 = none of them */
    const uint8_t *hypothetical;
    ptrdiff_t row_step, position_step, base_step;
    const struct sn_npy *file; /* that the numbers lie in; NULL: in memory */
};

struct sn_npy;

enum sn_density { SN_DENSITY_COMPAT, SN_DENSITY_CONSISTENT };

struct sn_discover_options {
    int window, flank;               /* of a seqlet: length window + 2 flank */
    double fdr;                      /* of the threshold on window sums */
    double min_passing, max_passing; /* share of all windows that pass: the threshold is moved to keep it in here; min 0: by length */
    int64_t max_seqlets;             /* of each sign; more: a subset drawn by seed; 0 = all */
    int min_metacluster;             /* fewer seqlets of one sign: no patterns of it */
    int neighbours;                  /* kept of each seqlet, itself not counted */
    double min_correlation;          /* of coarse and fine similarities, for a seqlet to stay after the first round */
    double perplexity;               /* of the density adaptation */
    enum sn_density density;
    int leiden_seeds;            /* partitions tried per clustering */
    int trim_window, trim_flank; /* a pattern: its most informative window, widened by the flank on each side; window 0: both by length */
    int split_min;               /* patterns of more seqlets are searched for parts */
    double split_perplexity;
    int merge_sample; /* seqlets of a pattern that are compared when merging */
    int min_seqlets;  /* of a reported pattern */
    bool subpatterns;
    bool rna; /* one strand only */
    uint64_t seed;
    int64_t max_memory; /* bytes that comparing seqlets may take, 0 = any */
};

/* By length: at least ten windows a sequence pass, as many as see one site, or TF-MoDISco's 3 %, but not more than 10 %; the trim is its 30
 * and 10 where sequences are long, else 20 and 5: wider patterns lose the sites near the ends of short sequences. */
void sn_discover_defaults(struct sn_discover_options *o);
/* SEQNET_EINVAL with the option's name. */
int sn_discover_check(const struct sn_discover_options *o);

/* Few or no seqlets: 0, an empty result and its message. Attributions that are not finite: SEQNET_ENUM; more seqlets than memory allows:
 * SEQNET_ENOMEM. *out is to be freed with sn_patterns_free in every case. */
int sn_patterns_discover(const struct sn_attributions *a, const struct sn_discover_options *o, struct sn_pool *pool,
                         const struct sn_sink *sink, struct sn_patterns *out);
void sn_patterns_free(struct sn_patterns *p);

#endif
