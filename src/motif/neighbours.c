/* Similarities are made for a block of rows and a tile of columns at a time; then rows take from the columns and columns from the rows what
 * is near to them. A thing's list is appended to and cut back to the k nearest when it is full. What it holds in the end does not depend on
 * the order in which things were offered. */
#include "motif/neighbours.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/sort.h"

#define BLOCK 256                  /* rows */
#define PER_TILE 8                 /* rows */
#define PER_STRIP 256              /* columns that one worker serves: the ends of their lists stay in its cache */
#define PER_CHUNK (8 * SN_COLUMNS) /* columns whose lists are one allocation: large enough to go back to the system when freed */

/* Pairs of similarity and number as one word that is larger the nearer: the bits of a positive float rise with its value, and among equals
 * the lower number wins. */
static inline uint64_t pair(float score, int32_t id) {
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    return (uint64_t)bits << 32 | ~(uint32_t)id;
}
static inline float score_of(uint64_t pair) {
    uint32_t bits = (uint32_t)(pair >> 32);
    float score;
    memcpy(&score, &bits, sizeof score);
    return score;
}
static inline int32_t id_of(uint64_t pair) {
    return (int32_t) ~(uint32_t)pair;
}

struct job {
    struct sn_neighbours *nb;
    const struct sn_similar *similar;
    int room;        /* of a list */
    uint64_t **list; /* (chunks) (columns, room) */
    float *below;    /* (n) a similarity that a row still takes is larger */
    int first, rows; /* the block */
    int from, to;    /* the columns */
    float *score;    /* (BLOCK, SN_COLUMNS) */
    bool with_self;
};

static inline uint64_t *list_of(const struct job *j, int row) {
    return j->list[row / PER_CHUNK] + (int64_t)(row % PER_CHUNK) * j->room;
}

/* ---- lists ---- */

static void cut_back(struct job *j, int row) {
    uint64_t *list = list_of(j, row);
    int k = j->nb->k;
    if (j->nb->count[row] <= k) return;
    sn_select_largest_u64(list, (size_t)j->nb->count[row], (size_t)k);
    j->nb->count[row] = k;
    /* equals of the last one may still be wanted: all above the next smaller number */
    uint64_t next = list[k - 1] - (UINT64_C(1) << 32);
    j->below[row] = score_of(next);
}

static inline void take(struct job *j, int row, float s, int32_t v) {
    int n = j->nb->count[row]++;
    list_of(j, row)[n] = pair(s, v);
    if (n + 1 == j->room) cut_back(j, row);
}

/* Which of n similarities are larger, into found; without a branch, since about one in eight is. */
static inline int larger(const float *score, const float *than, int step, int n, int32_t *found) {
    int have = 0;
    for (int v = 0; v < n; v++) {
        found[have] = v;
        have += score[v] > than[v * step];
    }
    return have;
}

/* ---- tiles ---- */

/* Some rows of the block, and what they take for themselves. */
static int row_tile(void *arg, int tile, int worker) {
    struct job *j = arg;
    int end = (tile + 1) * PER_TILE < j->rows ? (tile + 1) * PER_TILE : j->rows;
    int32_t found[PER_STRIP];
    for (int r = tile * PER_TILE; r < end; r++) {
        int row = j->first + r;
        float *score = j->score + (int64_t)r * SN_COLUMNS;
        j->similar->row(j->similar->self, row, j->from, j->to, worker, score);
        for (int v = j->from > row ? j->from : row + 1; v < j->to; v += PER_STRIP) {
            const float *from = score + (v - j->from);
            int n = larger(from, &j->below[row], 0, j->to - v < PER_STRIP ? j->to - v : PER_STRIP, found);
            for (int i = 0; i < n; i++)
                if (from[found[i]] > j->below[row]) take(j, row, from[found[i]], v + found[i]);
        }
    }
    return 0;
}

/* Columns take from all rows of the block. */
static int column_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct job *j = arg;
    int from = j->from + tile * PER_STRIP, to = from + PER_STRIP < j->to ? from + PER_STRIP : j->to;
    int32_t found[PER_STRIP];
    for (int r = 0; r < j->rows; r++) {
        int row = j->first + r, first = from > row ? from : row + 1;
        const float *score = j->score + (int64_t)r * SN_COLUMNS + (first - j->from);
        int n = larger(score, j->below + first, 1, to - first, found);
        for (int i = 0; i < n; i++) take(j, first + found[i], score[found[i]], row);
    }
    return 0;
}

/* Finished lists, sorted by number: bits say who is in, an array holds their similarities. */
static int finish_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct job *j = arg;
    struct sn_neighbours *nb = j->nb;
    tile += j->from / SN_COLUMNS;
    int words = (nb->n + 63) / 64, end = (tile + 1) * SN_COLUMNS < nb->n ? (tile + 1) * SN_COLUMNS : nb->n;
    uint64_t *in = sn_calloc((size_t)words, sizeof *in);
    float *of = sn_calloc((size_t)nb->n, sizeof *of);
    for (int row = tile * SN_COLUMNS; row < end && in && of; row++) {
        uint64_t *list = list_of(j, row);
        int64_t at = (int64_t)row * nb->k;
        cut_back(j, row);
        for (int i = 0; i < nb->count[row]; i++) {
            int32_t id = id_of(list[i]);
            in[id / 64] |= UINT64_C(1) << id % 64;
            of[id] = id == row ? 1 : score_of(list[i]);
        }
        for (int w = 0; w < words; w++)
            for (; in[w]; in[w] &= in[w] - 1, at++) {
                nb->id[at] = w * 64 + __builtin_ctzll(in[w]);
                nb->score[at] = of[nb->id[at]];
            }
    }
    int rc = in && of ? 0 : SEQNET_ENOMEM;
    free(in);
    free(of);
    return rc;
}

/* The lists become the result, a chunk at a time. */
static int finish(struct job *j, struct sn_pool *pool) {
    struct sn_neighbours *nb = j->nb;
    size_t size = (size_t)nb->n * (size_t)nb->k;
    nb->id = sn_aligned_alloc(size * sizeof *nb->id);
    nb->score = sn_aligned_alloc(size * sizeof *nb->score);
    if (!nb->id || !nb->score) return SEQNET_ENOMEM;
    for (j->from = 0; j->from < nb->n; j->from = j->to) {
        j->to = j->from + PER_CHUNK < nb->n ? j->from + PER_CHUNK : nb->n;
        SN_TRY(sn_pool_run(pool, (j->to - j->from + SN_COLUMNS - 1) / SN_COLUMNS, sn_pool_size(pool), finish_tile, j));
        sn_aligned_free(j->list[j->from / PER_CHUNK]);
        j->list[j->from / PER_CHUNK] = NULL;
    }
    return 0;
}

/* ---- all ---- */

/* Lists of the columns that come next. */
static int open_lists(struct job *j) {
    int n = j->nb->n - j->from < PER_CHUNK ? j->nb->n - j->from : PER_CHUNK;
    uint64_t **list = &j->list[j->from / PER_CHUNK];
    if (!*list) *list = sn_aligned_alloc((size_t)n * (size_t)j->room * sizeof **list);
    if (!*list) return SEQNET_ENOMEM;
    for (int i = j->from; i < j->to; i++) {
        j->below[i] = j->nb->k > 0 ? 0 : INFINITY;
        if (j->with_self) take(j, i, 2, i); /* nothing is nearer; put right in the end */
    }
    return 0;
}

static int all_tiles(struct job *j, struct sn_pool *pool, const struct sn_sink *sink, const char *stage) {
    int n = j->nb->n, workers = sn_pool_size(pool);
    for (j->from = 0; j->from < n; j->from = j->to) {
        j->to = j->from + SN_COLUMNS < n ? j->from + SN_COLUMNS : n;
        SN_TRY(open_lists(j));
        if (j->similar->columns) SN_TRY(j->similar->columns(j->similar->self, j->from, j->to));
        for (j->first = 0; j->first < j->to; j->first += BLOCK) {
            double beyond = j->first > j->from ? j->first - j->from : 0; /* pairs that have been compared, of n * n / 2 */
            double pairs = 0.5 * j->from * j->from + (double)j->first * (j->to - j->from) - 0.5 * beyond * beyond;
            SN_TRY(sn_check_cancel(sink));
            if (stage) sn_progress(sink, stage, (int64_t)(2 * pairs / n), n, "seqlets", "");
            j->rows = j->to - j->first < BLOCK ? j->to - j->first : BLOCK;
            SN_TRY(sn_pool_run(pool, (j->rows + PER_TILE - 1) / PER_TILE, workers, row_tile, j));
            SN_TRY(sn_pool_run(pool, (j->to - j->from + PER_STRIP - 1) / PER_STRIP, workers, column_tile, j));
        }
    }
    return 0;
}

int sn_neighbours_find(int n, int k, bool with_self, const struct sn_similar *similar, struct sn_pool *pool, const struct sn_sink *sink,
                       const char *stage, struct sn_neighbours *out) {
    if (k > n - 1) k = n - 1;
    if (k < 0) k = 0;
    if (with_self) k++;
    *out = (struct sn_neighbours){.n = n, .k = k};
    struct job j = {.nb = out, .similar = similar, .room = k + k / 4 + 16, .with_self = with_self};
    int rc = 0, chunks = (n + PER_CHUNK - 1) / PER_CHUNK;
    if (j.room > n + 1) j.room = n + 1; /* more are never offered */
    out->count = sn_calloc((size_t)n, sizeof *out->count);
    j.list = sn_calloc((size_t)chunks, sizeof(uint64_t *));
    j.below = sn_calloc((size_t)n, sizeof *j.below);
    j.score = sn_aligned_alloc((size_t)BLOCK * SN_COLUMNS * sizeof *j.score);
    if (!out->count || !j.list || !j.below || !j.score) SN_GO(SEQNET_ENOMEM);
    SN_GO(all_tiles(&j, pool, sink, stage));
    if (similar->done) similar->done(similar->self);
    sn_aligned_free(j.score);
    j.score = NULL;
    SN_GO(finish(&j, pool));
done:
    for (int c = 0; c < chunks && j.list; c++) sn_aligned_free(j.list[c]);
    free(j.list);
    free(j.below);
    sn_aligned_free(j.score);
    if (rc < 0) sn_neighbours_free(out);
    return rc;
}

void sn_neighbours_free(struct sn_neighbours *nb) {
    free(nb->count);
    sn_aligned_free(nb->id);
    sn_aligned_free(nb->score);
    memset(nb, 0, sizeof *nb);
}
