/* Scanning sequences with motifs: the statistics of FIMO (Grant et al., Bioinformatics 27:1017, 2011) on an integer matrix. */
#ifndef SN_MOTIF_FIMO_H
#define SN_MOTIF_FIMO_H

#include "core/log.h"
#include "core/pool.h"
#include "motif/motif.h"

#define SN_FIMO_BIN 0.1     /* bits: scores are whole numbers of it */
#define SN_FIMO_NO_BASE 4   /* code of what is none of the four letters */
#define SN_FIMO_WIDEST 1000 /* columns of a motif */

struct sn_fimo_options {
    double threshold;  /* largest p of a hit; 1e-4 */
    double pseudo;     /* added to every probability of a motif; 1e-4 */
    bool both_strands; /* of ACGT; ACGU has one strand */
    bool uniform;      /* background: all letters alike, else that of the set */
    int64_t room;      /* bases scanned at a time, at least twice the widest motif; changes nothing else */
    const struct sn_sink *sink;
};
void sn_fimo_defaults(struct sn_fimo_options *o);

struct sn_fimo_hit {
    int32_t motif, sequence; /* sequences are numbered as they come */
    int64_t start;           /* 0-based, of the window on the forward strand */
    int32_t score;           /* in SN_FIMO_BIN bits */
    bool reverse;
    int64_t text; /* offset of the window's letters, as its motif reads them, in the hits' `text` */
};
struct sn_fimo_hits { /* by motif, then p, sequence, start, strand */
    struct sn_fimo_hit *v;
    int64_t n;
    char *text;
};

/* A motif ready to scan with. */
struct sn_fimo_matrix {
    int width, lowest, n_scores;
    int32_t *score;  /* (width, 4) */
    double *p;       /* (n_scores) P(score >= lowest + i) of a random window; not increasing */
    int32_t least;   /* smallest score with p <= threshold; above the largest when there is none */
    int64_t windows; /* tested so far, both strands */
    int64_t n_hits;
    double *q; /* (n_scores) after the end: Benjamini-Hochberg over the windows, of hits of that score */
};
/* SEQNET_ENOTSUP: other alphabets than ACGT and ACGU; SEQNET_EDATA: no motifs, too wide. */
int sn_fimo_matrix_make(const struct sn_motif *m, const double *background, const struct sn_fimo_options *o, struct sn_fimo_matrix *out);
/* BED's score of 0 to 1000: -100 log10 p. */
int sn_fimo_bed_score(double p);
void sn_fimo_matrix_free(struct sn_fimo_matrix *m);

/* A scan: create; for each sequence: next, feed its codes (0-3 in the order of the letters, SN_FIMO_NO_BASE) in pieces of any size; end.
 * Memory is flat but for hits. The same hits in the same order on any number of threads and for any pieces. */
struct sn_fimo;
int sn_fimo_create(const struct sn_motif_set *motifs, const struct sn_fimo_options *o, struct sn_pool *pool, struct sn_fimo **out);
void sn_fimo_free(struct sn_fimo *f);
int sn_fimo_next(struct sn_fimo *f);
int sn_fimo_feed(struct sn_fimo *f, const uint8_t *codes, int64_t n);
/* Scans what is left and sorts. The hits belong to f. */
int sn_fimo_end(struct sn_fimo *f, const struct sn_fimo_hits **hits);
const struct sn_fimo_matrix *sn_fimo_matrices(const struct sn_fimo *f);

#endif
