#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "motif/fimo.h"

#define LETTERS 4

/* What a random base is drawn from: of both strands alike when both are scanned. */
static int base_frequencies(const double *background, const struct sn_fimo_options *o, double *out) {
    for (int b = 0; b < LETTERS; b++) {
        out[b] = o->uniform ? 1.0 / LETTERS : o->both_strands ? (background[b] + background[LETTERS - 1 - b]) / 2 : background[b];
        if (!(out[b] > 0))
            return sn_error(SEQNET_EDATA, "the motifs' background has a letter of frequency 0; scan with a uniform background");
    }
    return 0;
}

static void score_columns(const struct sn_motif *m, const double *base, double pseudo, struct sn_fimo_matrix *out, int *highest) {
    out->lowest = *highest = 0;
    for (int j = 0; j < m->width; j++) {
        int low = INT32_MAX, high = INT32_MIN;
        for (int b = 0; b < LETTERS; b++) {
            double p = (m->p[j * LETTERS + b] + pseudo) / (1 + LETTERS * pseudo);
            int s = (int)floor(log2(p / base[b]) / SN_FIMO_BIN + 0.5);
            out->score[j * LETTERS + b] = s;
            if (s < low) low = s;
            if (s > high) high = s;
        }
        out->lowest += low;
        *highest += high;
    }
}

/* Exact distribution of the score of a random window, then its tail, in place. */
static int tail(struct sn_fimo_matrix *m, const double *base) {
    double *next = sn_calloc((size_t)m->n_scores, sizeof *next);
    if (!next) return SEQNET_ENOMEM;
    int top = 0; /* highest score so far above the lowest possible */
    m->p[0] = 1;
    for (int j = 0; j < m->width; j++) {
        const int32_t *s = m->score + j * LETTERS;
        int low = s[0], high = s[0];
        for (int b = 1; b < LETTERS; b++) {
            if (s[b] < low) low = s[b];
            if (s[b] > high) high = s[b];
        }
        memset(next, 0, (size_t)(top + high - low + 1) * sizeof *next);
        for (int b = 0; b < LETTERS; b++)
            for (int i = 0; i <= top; i++) next[i + s[b] - low] += base[b] * m->p[i];
        top += high - low;
        memcpy(m->p, next, (size_t)(top + 1) * sizeof *next);
    }
    for (int i = m->n_scores - 2; i >= 0; i--) m->p[i] += m->p[i + 1];
    free(next);
    return 0;
}

int sn_fimo_matrix_make(const struct sn_motif *m, const double *background, const struct sn_fimo_options *o, struct sn_fimo_matrix *out) {
    double base[LETTERS];
    int highest;
    memset(out, 0, sizeof *out);
    SN_TRY(base_frequencies(background, o, base));
    out->width = m->width;
    out->score = sn_calloc((size_t)m->width, LETTERS * sizeof *out->score);
    if (!out->score) return SEQNET_ENOMEM;
    score_columns(m, base, o->pseudo, out, &highest);
    out->n_scores = highest - out->lowest + 1;
    out->p = sn_calloc((size_t)out->n_scores, sizeof *out->p);
    out->q = sn_calloc((size_t)out->n_scores, sizeof *out->q);
    if (!out->p || !out->q) return SEQNET_ENOMEM;
    SN_TRY(tail(out, base));
    int i = 0;
    while (i < out->n_scores && out->p[i] > o->threshold) i++;
    out->least = out->lowest + i;
    return 0;
}

int sn_fimo_bed_score(double p) {
    double level = -100 * log10(p);
    return level < 1000 ? (int)level : 1000;
}

void sn_fimo_matrix_free(struct sn_fimo_matrix *m) {
    free(m->score);
    free(m->p);
    free(m->q);
    memset(m, 0, sizeof *m);
}
