/* Fine similarities of neighbours, and whether they agree with the coarse ones. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/sort.h"
#include "motif/density.h"
#include "motif/shifts.h"

#define PER_TILE 16 /* rows */
#define AHEAD 2     /* neighbours */
#define PAD(t) ((t)->length * 3 / 10)

struct fine_job {
    const struct sn_tracks *t;
    const struct sn_neighbours *nb;
    float *fine; /* as nb->score */
    bool both_strands, *keep;
    double min_correlation;
    struct sn_padded *padded; /* per worker */
    int32_t *mate;
    uint32_t *overhang;
    int first, rows;
};

/* Ranks with ties averaged, less their mean; word: scratch (2 n). */
static void centred_ranks(const float *v, int n, uint64_t *word, double *rank) {
    for (int i = 0; i < n; i++) word[i] = (uint64_t)sn_sortable_f32(v[i]) << 32 | (uint32_t)i;
    sn_sort_u64(word, (size_t)n, word + n);
    for (int i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && word[j] >> 32 == word[i] >> 32;) j++;
        for (int m = i; m < j; m++) rank[(uint32_t)word[m]] = 0.5 * (i + j - 1) - 0.5 * (n - 1);
    }
}

/* Spearman correlation; -2 where it is undefined. */
static double spearman(const float *x, const float *y, int n, uint64_t *word, double *rank) {
    double *a = rank, *b = rank + n, ab = 0, aa = 0, bb = 0;
    centred_ranks(x, n, word, a);
    centred_ranks(y, n, word, b);
    for (int i = 0; i < n; i++) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : -2;
}

/* Neighbours are spread over memory: the lines of one that comes soon are asked for now. (As a function of its own gcc drops
 * it: it computes nothing.) */
static inline __attribute__((always_inline)) void prefetch(const struct fine_job *j, int i) {
    const struct sn_tracks *t = j->t;
    const uint8_t *byte = t->byte + (int64_t)i * t->stride;
    const float *value = t->value + (int64_t)i * t->length * SN_TRACK;
    for (int k = 0; k < t->stride; k += 64) __builtin_prefetch(byte + k);
    for (int k = 0; k < t->length * SN_TRACK; k += 16) __builtin_prefetch(value + k);
}

/* Two seqlets that list each other are compared once, in the row of the first. */
static void fine_row(const struct fine_job *j, int row, struct sn_padded *p, int32_t *todo) {
    const struct sn_tracks *t = j->t;
    const struct sn_neighbours *nb = j->nb;
    int64_t k = nb->k, at = row * k;
    const int32_t *id = nb->id + at, *mate = j->mate + at;
    int n = 0;
    for (int m = 0; m < nb->count[row]; m++)
        if (mate[m] < 0 || id[m] >= row) todo[n++] = m;
    sn_padded_set(p, t->value + (int64_t)row * t->length * SN_TRACK, t->length, PAD(t), t->length, j->both_strands);
    for (int i = 0; i < n; i++) {
        int m = todo[i];
        struct sn_shift best;
        if (i + AHEAD < n) prefetch(j, id[todo[i + AHEAD]]);
        if (mate[m] >= 0) {
            sn_best_scores(p, t, id[m], j->overhang, j->both_strands, &j->fine[at + m], &j->fine[id[m] * k + mate[m]]);
        } else {
            sn_best_shift(p, t, id[m], j->both_strands, &best);
            j->fine[at + m] = best.score;
        }
    }
}

static int fine_tile(void *arg, int tile, int worker) {
    const struct fine_job *j = arg;
    int end = j->first + (tile + 1) * PER_TILE < j->first + j->rows ? j->first + (tile + 1) * PER_TILE : j->first + j->rows;
    int32_t *todo = sn_calloc((size_t)j->nb->k, sizeof *todo);
    if (!todo) return SEQNET_ENOMEM;
    for (int row = j->first + tile * PER_TILE; row < end; row++) fine_row(j, row, &j->padded[worker], todo);
    free(todo);
    return 0;
}

/* Compares where the fine similarity is not zero. */
static bool agrees(const float *fine, const float *coarse, int n, double least, float *work, uint64_t *word, double *rank) {
    int used = 0;
    for (int m = 0; m < n; m++) {
        if (fine[m] == 0) continue;
        work[used] = fine[m];
        work[n + used++] = coarse[m];
    }
    return used > 1 && spearman(work, work + n, used, word, rank) > least;
}

static int agree_tile(void *arg, int tile, int worker) {
    (void)worker;
    const struct fine_job *j = arg;
    const struct sn_neighbours *nb = j->nb;
    size_t k = (size_t)nb->k;
    float *work = sn_calloc(k + 1, 2 * sizeof *work);
    uint64_t *word = sn_calloc(k + 1, 2 * sizeof *word);
    double *rank = sn_calloc(k + 1, 2 * sizeof *rank);
    int rc = work && word && rank ? 0 : SEQNET_ENOMEM, end = (tile + 1) * PER_TILE < nb->n ? (tile + 1) * PER_TILE : nb->n;
    for (int row = tile * PER_TILE; row < end && rc == 0; row++) {
        int64_t at = (int64_t)row * nb->k;
        j->keep[row] = agrees(j->fine + at, nb->score + at, nb->count[row], j->min_correlation, work, word, rank);
    }
    free(work);
    free(word);
    free(rank);
    return rc;
}

int sn_fine_scores(const struct sn_tracks *t, bool both_strands, double min_correlation, struct sn_pool *pool, const struct sn_sink *sink,
                   struct sn_neighbours *nb, bool *keep) {
    int workers = sn_pool_size(pool), rc = 0, chunk = 1024;
    struct fine_job j = {.t = t, .nb = nb, .both_strands = both_strands, .keep = keep, .min_correlation = min_correlation};
    j.padded = sn_calloc((size_t)workers, sizeof *j.padded);
    j.fine = sn_aligned_alloc((size_t)nb->n * (size_t)nb->k * sizeof *j.fine);
    if (!j.padded || !j.fine) SN_GO(SEQNET_ENOMEM);
    for (int w = 0; w < workers; w++) SN_GO(sn_padded_create(t->length + 2 * PAD(t), &j.padded[w]));
    SN_GO(sn_neighbour_mates(nb, &j.mate));
    SN_GO(sn_window_overhangs(t, PAD(t), pool, &j.overhang));
    for (j.first = 0; j.first < t->n; j.first += chunk) {
        SN_GO(sn_check_cancel(sink));
        sn_progress(sink, "aligning seqlets", j.first, t->n, "seqlets", "");
        j.rows = t->n - j.first < chunk ? t->n - j.first : chunk;
        SN_GO(sn_pool_run(pool, (j.rows + PER_TILE - 1) / PER_TILE, workers, fine_tile, &j));
    }
    if (keep) SN_GO(sn_pool_run(pool, (t->n + PER_TILE - 1) / PER_TILE, workers, agree_tile, &j));
    sn_aligned_free(nb->score);
    nb->score = j.fine;
    j.fine = NULL;
done:
    for (int w = 0; w < workers && j.padded; w++) sn_padded_free(&j.padded[w]);
    free(j.padded);
    sn_aligned_free(j.fine);
    sn_aligned_free(j.mate);
    free(j.overhang);
    return rc;
}

int sn_neighbours_filter(struct sn_neighbours *nb, const bool *keep) {
    int kept = 0;
    int32_t *renumber = sn_calloc((size_t)nb->n, sizeof *renumber);
    if (!renumber) return SEQNET_ENOMEM;
    for (int i = 0; i < nb->n; i++) renumber[i] = keep[i] ? kept++ : -1;
    for (int i = 0; i < nb->n; i++) {
        if (!keep[i]) continue;
        int64_t from = (int64_t)i * nb->k, to = (int64_t)renumber[i] * nb->k;
        int n = 0;
        for (int m = 0; m < nb->count[i]; m++) {
            int32_t id = renumber[nb->id[from + m]];
            if (id < 0) continue;
            nb->id[to + n] = id;
            nb->score[to + n++] = nb->score[from + m];
        }
        nb->count[renumber[i]] = n; /* rows only move up */
    }
    nb->n = kept;
    free(renumber);
    return 0;
}
