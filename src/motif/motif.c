#include "motif/motif.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"

int sn_motif_set_init(struct sn_motif_set *s, const char *letter) {
    memset(s, 0, sizeof *s);
    size_t n = strlen(letter);
    if (n < 1 || n > SN_MOTIF_LETTERS)
        return sn_error(SEQNET_EINVAL, "motif alphabet '%.40s': expected 1 to %d letters, got %zu", letter, SN_MOTIF_LETTERS, n);
    for (size_t i = 0; i < n; i++) {
        if (memchr(letter, letter[i], i))
            return sn_error(SEQNET_EINVAL, "motif alphabet '%s': the letter %c is there twice", letter, letter[i]);
        s->letter[i] = letter[i];
        s->background[i] = 1.0 / (double)n;
    }
    s->letters = (int)n;
    return 0;
}

void sn_motif_set_free(struct sn_motif_set *s) {
    for (int i = 0; i < s->n; i++) {
        free(s->m[i].id);
        free(s->m[i].alt);
        free(s->m[i].p);
    }
    free(s->m);
    memset(s, 0, sizeof *s);
}

/* Appends a motif whose probabilities are still to be filled. */
static int add_empty(struct sn_motif_set *s, const char *id, const char *alt, int width, double nsites, struct sn_motif **out) {
    if (width < 1) return sn_error(SEQNET_EINVAL, "motif '%s': expected at least one row, got %d", id, width);
    void *all = s->m;
    int rc = sn_grow(&all, &s->cap, (size_t)s->n + 1, sizeof *s->m);
    s->m = all;
    SN_TRY(rc);
    struct sn_motif m = {sn_strdup(id), alt ? sn_strdup(alt) : NULL, width, sn_calloc((size_t)width, (size_t)s->letters * sizeof(double)),
                         nsites};
    if (!m.id || (alt && !m.alt) || !m.p) {
        free(m.id);
        free(m.alt);
        free(m.p);
        return SEQNET_ENOMEM;
    }
    s->m[s->n] = m;
    *out = &s->m[s->n++];
    return 0;
}

int sn_motif_add(struct sn_motif_set *s, const char *id, const char *alt, int width, const double *p, double nsites) {
    struct sn_motif *m;
    SN_TRY(add_empty(s, id, alt, width, nsites, &m));
    memcpy(m->p, p, (size_t)width * (size_t)s->letters * sizeof *p);
    return 0;
}

int sn_motif_add_counts(struct sn_motif_set *s, const char *id, const char *alt, int width, const int64_t *counts, double pseudo,
                        double nsites) {
    struct sn_motif *m;
    SN_TRY(add_empty(s, id, alt, width, nsites, &m));
    for (int i = 0; i < width; i++) {
        const int64_t *row = counts + (int64_t)i * s->letters;
        double sum = pseudo;
        for (int k = 0; k < s->letters; k++) sum += (double)row[k];
        for (int k = 0; k < s->letters; k++)
            m->p[i * s->letters + k] = sum > 0 ? ((double)row[k] + pseudo * s->background[k]) / sum : s->background[k];
    }
    return 0;
}

double sn_motif_information(const struct sn_motif_set *s, const struct sn_motif *m, double *bits) {
    double total = 0;
    for (int i = 0; i < m->width; i++) {
        double sum = 0;
        for (int k = 0; k < s->letters; k++) {
            double p = m->p[i * s->letters + k];
            if (p > 0 && s->background[k] > 0) sum += p * log2(p / s->background[k]);
        }
        if (bits) bits[i] = sum;
        total += sum;
    }
    return total;
}

void sn_motif_consensus(const struct sn_motif_set *s, const struct sn_motif *m, char *out) {
    for (int i = 0; i < m->width; i++) {
        const double *row = m->p + i * s->letters;
        int best = 0;
        for (int k = 1; k < s->letters; k++)
            if (row[k] > row[best]) best = k;
        char c = s->letter[best];
        out[i] = row[best] >= 0.6 ? c : row[best] >= 0.4 ? (char)tolower((unsigned char)c) : '.';
    }
    out[m->width] = '\0';
}

/* Pearson correlation of rows [a0, a0+n) of a with rows [b0, b0+n) of b, or of b's reverse complement. */
static double correlate(const struct sn_motif *a, int a0, const struct sn_motif *b, int b0, int n, int letters, bool reverse) {
    double sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
    for (int i = 0; i < n; i++) {
        const double *pa = a->p + (a0 + i) * letters;
        const double *pb = b->p + (reverse ? b->width - 1 - b0 - i : b0 + i) * letters;
        for (int k = 0; k < letters; k++) {
            double x = pa[k], y = pb[reverse ? letters - 1 - k : k];
            sa += x;
            sb += y;
            saa += x * x;
            sbb += y * y;
            sab += x * y;
        }
    }
    double count = (double)n * letters;
    double va = saa - sa * sa / count, vb = sbb - sb * sb / count;
    /* a row of equal probabilities has no direction; its variance is rounding noise */
    if (va < 1e-12 * count || vb < 1e-12 * count) return 0;
    return (sab - sa * sb / count) / sqrt(va * vb);
}

void sn_motif_compare(const struct sn_motif *a, const struct sn_motif *b, int letters, bool both_strands, int min_overlap,
                      struct sn_motif_match *out) {
    int shorter = a->width < b->width ? a->width : b->width;
    int least = min_overlap < shorter ? min_overlap : shorter;
    *out = (struct sn_motif_match){.correlation = -2};
    for (int strand = 0; strand <= (both_strands ? 1 : 0); strand++) {
        for (int offset = least - a->width; offset <= b->width - least; offset++) {
            int a0 = offset < 0 ? -offset : 0, b0 = offset < 0 ? 0 : offset;
            int n = a->width - a0 < b->width - b0 ? a->width - a0 : b->width - b0;
            if (n < least) continue;
            double r = correlate(a, a0, b, b0, n, letters, strand == 1);
            if (r > out->correlation) *out = (struct sn_motif_match){r, offset, n, strand == 1};
        }
    }
}

int sn_motif_best(const struct sn_motif_set *s, const struct sn_motif *m, const struct sn_motif_set *db, int min_overlap,
                  struct sn_motif_match *out) {
    int best = -1;
    if (strcmp(s->letter, db->letter) != 0) return -1;
    bool both = strcmp(s->letter, "ACGT") == 0;
    for (int i = 0; i < db->n; i++) {
        struct sn_motif_match match;
        sn_motif_compare(m, &db->m[i], s->letters, both, min_overlap, &match);
        if (best >= 0 && match.correlation <= out->correlation) continue;
        best = i;
        *out = match;
    }
    return best;
}
