/* Half rows of similarities are made a block of rows at a time; then every thing takes from the block what is near to it. A thing's list is
 * a heap with its farthest member on top. What a list holds in the end does not depend on the order in which it was offered. */
#include "motif/neighbours.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/sort.h"

#define BLOCK 64     /* rows */
#define COLUMNS 1024 /* of a tile */

struct job {
    struct sn_neighbours *nb;
    sn_similar_fn fn;
    const void *self;
    int first, rows; /* the block */
    float *score;    /* (BLOCK, n) */
};

static bool farther(float score, int32_t id, float than_score, int32_t than_id) {
    return score < than_score || (score == than_score && id > than_id);
}

/* Puts (score, id) at slot i of a heap of n and lets it sink. */
static void sink_down(float *score, int32_t *id, int n, int i, float s, int32_t v) {
    for (;;) {
        int child = 2 * i + 1;
        if (child >= n) break;
        if (child + 1 < n && farther(score[child + 1], id[child + 1], score[child], id[child])) child++;
        if (!farther(score[child], id[child], s, v)) break;
        score[i] = score[child];
        id[i] = id[child];
        i = child;
    }
    score[i] = s;
    id[i] = v;
}

/* Whether a row would take a similarity; most are not near enough once its list is full. */
static inline bool wanted(const struct sn_neighbours *nb, int row, float s) {
    return s > 0 && (nb->count[row] < nb->k || s >= nb->score[(int64_t)row * nb->k]);
}

static void offer(struct sn_neighbours *nb, int row, float s, int32_t v) {
    float *score = nb->score + (int64_t)row * nb->k;
    int32_t *id = nb->id + (int64_t)row * nb->k;
    int n = nb->count[row];
    if (n < nb->k) {
        int i = n;
        for (; i > 0 && farther(s, v, score[(i - 1) / 2], id[(i - 1) / 2]); i = (i - 1) / 2) {
            score[i] = score[(i - 1) / 2];
            id[i] = id[(i - 1) / 2];
        }
        score[i] = s;
        id[i] = v;
        nb->count[row] = n + 1;
    } else if (farther(score[0], id[0], s, v)) {
        sink_down(score, id, n, 0, s, v);
    }
}

/* A row of the block, and what it takes for itself. */
static int row_tile(void *arg, int tile, int worker) {
    struct job *j = arg;
    int row = j->first + tile, n = j->nb->n;
    float *score = j->score + (int64_t)tile * n;
    j->fn(j->self, row, worker, score);
    for (int v = row + 1; v < n; v++)
        if (wanted(j->nb, row, score[v])) offer(j->nb, row, score[v], v);
    return 0;
}

/* Columns take from all rows of the block. */
static int column_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct job *j = arg;
    struct sn_neighbours *nb = j->nb;
    int from = j->first + tile * COLUMNS, to = from + COLUMNS < nb->n ? from + COLUMNS : nb->n;
    for (int r = 0; r < j->rows; r++) {
        const float *score = j->score + (int64_t)r * nb->n;
        int row = j->first + r;
        for (int v = from > row ? from : row + 1; v < to; v++) {
            if (wanted(nb, v, score[v])) offer(nb, v, score[v], row);
        }
    }
    return 0;
}

/* Sorts rows by id: the pairs go through one 64-bit word each. */
static int sort_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct sn_neighbours *nb = ((struct job *)arg)->nb;
    uint64_t *word = sn_calloc((size_t)nb->k, 2 * sizeof *word); /* and scratch */
    if (!word) return SEQNET_ENOMEM;
    int end = (tile + 1) * COLUMNS < nb->n ? (tile + 1) * COLUMNS : nb->n;
    for (int row = tile * COLUMNS; row < end; row++) {
        int32_t *id = nb->id + (int64_t)row * nb->k;
        float *score = nb->score + (int64_t)row * nb->k;
        int n = nb->count[row];
        for (int i = 0; i < n; i++) {
            uint32_t bits;
            memcpy(&bits, &score[i], sizeof bits);
            word[i] = (uint64_t)(uint32_t)id[i] << 32 | bits;
        }
        sn_sort_u64(word, (size_t)n, word + nb->k);
        for (int i = 0; i < n; i++) {
            uint32_t bits = (uint32_t)word[i];
            id[i] = (int32_t)(word[i] >> 32);
            memcpy(&score[i], &bits, sizeof bits);
        }
    }
    free(word);
    return 0;
}

int sn_neighbours_find(int n, int k, bool with_self, sn_similar_fn fn, const void *self, struct sn_pool *pool, const struct sn_sink *sink,
                       const char *stage, struct sn_neighbours *out) {
    if (k > n - 1) k = n - 1;
    if (k < 0) k = 0;
    if (with_self) k++;
    *out = (struct sn_neighbours){.n = n, .k = k};
    struct job j = {.nb = out, .fn = fn, .self = self};
    int rc = 0, workers = sn_pool_size(pool);
    out->count = sn_calloc((size_t)n, sizeof *out->count);
    out->id = sn_aligned_alloc((size_t)n * (size_t)k * sizeof *out->id);
    out->score = sn_aligned_alloc((size_t)n * (size_t)k * sizeof *out->score);
    j.score = sn_calloc((size_t)n, BLOCK * sizeof *j.score);
    if (!out->count || !out->id || !out->score || !j.score) SN_GO(SEQNET_ENOMEM);
    for (int i = 0; with_self && i < n; i++) offer(out, i, 2, i); /* nothing is nearer; put right below */
    for (j.first = 0; j.first < n; j.first += BLOCK) {
        SN_GO(sn_check_cancel(sink));
        if (stage) sn_progress(sink, stage, j.first, n, "seqlets", "");
        j.rows = n - j.first < BLOCK ? n - j.first : BLOCK;
        SN_GO(sn_pool_run(pool, j.rows, workers, row_tile, &j));
        SN_GO(sn_pool_run(pool, (n - j.first + COLUMNS - 1) / COLUMNS, workers, column_tile, &j));
    }
    SN_GO(sn_pool_run(pool, (n + COLUMNS - 1) / COLUMNS, workers, sort_tile, &j));
    for (int64_t i = 0; with_self && i < n; i++)
        for (int m = 0; m < out->count[i]; m++)
            if (out->id[i * k + m] == i) out->score[i * k + m] = 1;
done:
    free(j.score);
    if (rc < 0) sn_neighbours_free(out);
    return rc;
}

void sn_neighbours_free(struct sn_neighbours *nb) {
    free(nb->count);
    sn_aligned_free(nb->id);
    sn_aligned_free(nb->score);
    memset(nb, 0, sizeof *nb);
}
