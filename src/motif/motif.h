/* Motifs as plain structs: matrices of letter probabilities, their information, and how alike two of them are. */
#ifndef SN_MOTIF_MOTIF_H
#define SN_MOTIF_MOTIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SN_MOTIF_LETTERS 32 /* most letters of an alphabet */

struct sn_motif {
    char *id, *alt; /* alt: NULL = none */
    int width;
    double *p;     /* (width, letters) rows sum to 1 */
    double nsites; /* sites it was made from */
};

/* Motifs over one alphabet. Set letters and background, then add; {0} after sn_motif_set_free. */
struct sn_motif_set {
    struct sn_motif *m;
    int n;
    size_t cap;
    int letters;
    char letter[SN_MOTIF_LETTERS + 1]; /* "ACGT": order of the columns */
    double background[SN_MOTIF_LETTERS];
};

/* An empty set over `letter` (1..32 different characters) with a uniform background. SEQNET_EINVAL */
int sn_motif_set_init(struct sn_motif_set *s, const char *letter);
void sn_motif_set_free(struct sn_motif_set *s);
/* Copies a motif of `width` rows of probabilities; alt may be NULL. */
int sn_motif_add(struct sn_motif_set *s, const char *id, const char *alt, int width, const double *p, double nsites);
/* The same from counts (width, letters) of aligned sites: p = (count + pseudo * background) / (row sum + pseudo). */
int sn_motif_add_counts(struct sn_motif_set *s, const char *id, const char *alt, int width, const int64_t *counts, double pseudo,
                        double nsites);

/* Information of each row in bits against the background, into bits (width) unless NULL; returns the sum. */
double sn_motif_information(const struct sn_motif_set *s, const struct sn_motif *m, double *bits);
/* The most frequent letter of each row: upper case from 0.6, lower case from 0.4, else '.'; out holds width + 1. */
void sn_motif_consensus(const struct sn_motif_set *s, const struct sn_motif *m, char *out);

/* How alike two motifs over the same letters are: the largest Pearson correlation of their probabilities over all relative positions that
 * overlap by at least `min_overlap` rows (or the whole shorter one), and over both strands when the letters are ACGT. */
struct sn_motif_match {
    double correlation; /* -1..1 */
    int offset;         /* row of b that faces row 0 of a (b reverse-complemented when `reverse`) */
    int overlap;
    bool reverse;
};
void sn_motif_compare(const struct sn_motif *a, const struct sn_motif *b, int letters, bool both_strands, int min_overlap,
                      struct sn_motif_match *out);
/* Index in db of the motif most like m, or -1 when the alphabets differ or db is empty. */
int sn_motif_best(const struct sn_motif_set *s, const struct sn_motif *m, const struct sn_motif_set *db, int min_overlap,
                  struct sn_motif_match *out);

#endif
