/* Coarse similarities, exact, through an inverted index of one tile of columns at a time. A tuple and its reverse complement share one list
 * of postings (column, strand, value). A row adds up, for each of its tuples in order, the products with that list; the two strands tell
 * whether a product counts for the same or the opposite orientation. The sums of a tile stay in the first-level cache. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/sort.h"
#include "motif/neighbours.h"

#define PER_TILE 64 /* seqlets */
#define AHEAD 8     /* lists: their beginnings are far apart in memory */
#define GROUP 4     /* products under way at once; lists begin at multiples of it and are filled up with products of 0 */
#define NOWHERE (2 * SN_COLUMNS)

struct entry {    /* of a seqlet */
    uint32_t key; /* number << 1 | strand, of the strand with the lower number; later list << 1 | strand */
    float value;
};

struct posting {
    uint32_t at; /* strand * SN_COLUMNS + column, counted from the tile's first */
    float value;
};

struct index {
    struct sn_gapped_table table;
    const struct sn_attributions *a;
    const struct sn_seqlet *s;
    int n, sign;
    bool both_strands;
    struct sn_gapped_work **work; /* per worker */
    struct entry *entry;          /* (tiles, PER_TILE * MOST_ENTRIES) those of a tile's seqlets side by side; the rest is never touched */
    int64_t *first;               /* (n + 1) entries of all seqlets before */
    uint32_t *list;               /* (tuples) which list a tuple has; none: UINT32_MAX */
    uint32_t lists;
    uint32_t *start; /* (lists + 2) where the list before ends; a list begins with the next group */
    struct posting *posting;
    uint32_t *own; /* where the postings of these columns' own entries stand */
    float **sum;   /* per worker: (4, SN_COLUMNS) two strands, 0 between rows, and where products of 0 go */
};

/* A tuple that reads the same on both strands counts for both orientations: it stands in the list once per strand, each with
 * 1/sqrt(2) of its value, so that the four products of two seqlets give two for each. */
#define HALF 0.70710678f
#define MOST_ENTRIES(x) (2 * (x)->table.rule.entries)

static int tiles_of(const struct index *x) {
    return (x->n + PER_TILE - 1) / PER_TILE;
}
static struct entry *tile_of(const struct index *x, int tile) {
    return x->entry + (size_t)tile * PER_TILE * (size_t)MOST_ENTRIES(x);
}

static int pack(const struct index *x, const struct sn_gapped_kmer *k, int n, struct entry *out) {
    double squares = 0;
    for (int i = 0; i < n; i++) squares += (double)k[i].value * k[i].value;
    float by = squares > 0 ? (float)(1 / sqrt(squares)) : 0;
    int m = 0;
    for (int i = 0; i < n; i++) {
        float v = k[i].value * by;
        uint32_t here = sn_gapped_number(&x->table, &k[i]), other = x->both_strands ? sn_gapped_reverse(&x->table, &k[i]) : here + 1;
        if (v == 0) continue;
        if (here == other) {
            out[m++] = (struct entry){here << 1, v * HALF};
            out[m++] = (struct entry){here << 1 | 1, v * HALF};
        } else {
            out[m++] = here < other ? (struct entry){here << 1, v} : (struct entry){other << 1 | 1, v};
        }
    }
    return m;
}

static int extract_tile(void *arg, int tile, int worker) {
    struct index *x = arg;
    int length = x->s[0].end - x->s[0].start, most = x->table.rule.entries;
    if (!x->work[worker]) SN_TRY(sn_gapped_work_create(&x->table.rule, &x->work[worker]));
    struct sn_gapped_kmer *k = sn_calloc((size_t)most, sizeof *k);
    float *h = sn_calloc((size_t)length * 5, sizeof *h);
    uint8_t *bases = sn_calloc((size_t)length, 1);
    struct entry *to = tile_of(x, tile);
    int rc = k && h && bases ? 0 : SEQNET_ENOMEM, end = (tile + 1) * PER_TILE < x->n ? (tile + 1) * PER_TILE : x->n;
    float *contribution = h ? h + 4 * length : NULL;
    for (int i = tile * PER_TILE; i < end && rc == 0; i++) {
        sn_seqlet_cut(x->a, &x->s[i], bases, h);
        for (int p = 0; p < length; p++) contribution[p] = bases[p] < 4 ? h[p * 4 + bases[p]] * (float)x->sign : 0;
        int n = sn_gapped_extract(&x->table, x->work[worker], bases, contribution, length, k);
        x->first[i + 1] = pack(x, k, n, to); /* added up when all are there */
        to += x->first[i + 1];
    }
    free(k);
    free(h);
    free(bases);
    return rc;
}

/* Lists of a class are about equally long; class 0 is none, as a single seqlet meets nobody. */
static int class_of(uint32_t count) {
    return count < 2 ? 0 : 31 - __builtin_clz(count);
}

/* Numbers the lists, the longest first: they are looked up most. */
static int number_lists(struct index *x) {
    uint32_t next[32] = {0};
    size_t bytes = ((size_t)x->table.n + 1) * sizeof *x->list;
    x->list = sn_aligned_alloc(bytes); /* huge pages: what follows jumps about in it */
    if (!x->list) return SEQNET_ENOMEM;
    memset(x->list, 0, bytes);
    for (int tile = 0; tile < tiles_of(x); tile++) {
        const struct entry *e = tile_of(x, tile);
        for (int i = tile * PER_TILE; i < x->n && i < (tile + 1) * PER_TILE; i++)
            for (int64_t m = 0; m < x->first[i + 1]; m++) x->list[e++->key >> 1]++;
    }
    for (uint32_t k = 0; k < x->table.n; k++) next[class_of(x->list[k])]++;
    for (int c = 30; c > 0; c--) next[c] += next[c + 1]; /* ends of the classes */
    x->lists = next[1];
    for (uint32_t k = 0; k < x->table.n; k++) {
        int class = class_of(x->list[k]);
        x->list[k] = class ? --next[class] : UINT32_MAX;
    }
    return 0;
}

/* Tuples of a tile's seqlets become lists, in order: long ones first, and side by side in memory. */
static int renumber_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct index *x = arg;
    struct entry *to = tile_of(x, tile);
    const struct entry *e = to;
    uint64_t *word = sn_calloc((size_t)MOST_ENTRIES(x), 2 * sizeof *word);
    if (!word) return SEQNET_ENOMEM;
    for (int i = tile * PER_TILE; i < x->n && i < (tile + 1) * PER_TILE; i++) {
        size_t n = 0;
        for (int64_t m = 0; m < x->first[i + 1]; m++, e++) {
            uint32_t l = x->list[e->key >> 1], bits;
            memcpy(&bits, &e->value, sizeof bits);
            if (l != UINT32_MAX) word[n++] = (uint64_t)(l << 1 | (e->key & 1)) << 32 | bits;
        }
        sn_sort_u64(word, n, word + MOST_ENTRIES(x));
        x->first[i + 1] = (int64_t)n;
        for (size_t m = 0; m < n; m++, to++) {
            uint32_t bits = (uint32_t)word[m];
            to->key = (uint32_t)(word[m] >> 32);
            memcpy(&to->value, &bits, sizeof bits);
        }
    }
    free(word);
    return 0;
}

static const struct entry *entries_of(const struct index *x, int i) {
    return tile_of(x, i / PER_TILE) + (x->first[i] - x->first[i / PER_TILE * PER_TILE]);
}

static inline uint32_t group_after(uint32_t at) {
    return (at + GROUP - 1) / GROUP * GROUP;
}

/* The index of some columns: sorted into lists by counting. */
static int columns(void *self, int from, int to) {
    struct index *x = self;
    uint32_t *own = x->own;
    memset(x->start, 0, ((size_t)x->lists + 2) * sizeof *x->start);
    for (int j = from; j < to; j++) {
        const struct entry *e = entries_of(x, j);
        for (int64_t m = x->first[j + 1] - x->first[j]; m > 0; m--) x->start[(e++->key >> 1) + 2]++;
    }
    for (uint32_t l = 2; l < x->lists + 2; l++) x->start[l] = group_after(x->start[l - 1] + x->start[l]);
    for (int j = from; j < to; j++) {
        const struct entry *e = entries_of(x, j);
        for (int64_t m = x->first[j + 1] - x->first[j]; m > 0; m--, e++) {
            uint32_t at = x->start[(e->key >> 1) + 1]++;
            x->posting[at] = (struct posting){(e->key & 1) * SN_COLUMNS + (uint32_t)(j - from), e->value};
            *own++ = at;
        }
    }
    for (uint32_t l = 1; l <= x->lists; l++)
        for (uint32_t at = x->start[l]; at % GROUP; at++) x->posting[at] = (struct posting){NOWHERE, 0};
    return 0;
}

/* No column stands in a list twice with the same strand, so four sums may be under way at once. */
static inline void add_products(float *sum, const struct posting *p, const struct posting *end, float v, uint32_t strand) {
    for (; p < end; p += GROUP) {
        float *a = sum + (p[0].at ^ strand), *b = sum + (p[1].at ^ strand), *c = sum + (p[2].at ^ strand), *d = sum + (p[3].at ^ strand);
        float va = *a + v * p[0].value, vb = *b + v * p[1].value, vc = *c + v * p[2].value, vd = *d + v * p[3].value;
        *a = va;
        *b = vb;
        *c = vc;
        *d = vd;
    }
}

static void similarities(const void *self, int row, int from, int to, int worker, float *restrict score) {
    (void)to;
    const struct index *x = self;
    const struct entry *e = entries_of(x, row);
    const uint32_t *own = row >= from ? x->own + (x->first[row] - x->first[from]) : NULL;
    int n = (int)(x->first[row + 1] - x->first[row]);
    float *restrict same = x->sum[worker], *restrict other = same + SN_COLUMNS;
    for (int i = 0; i < n; i++) {
        uint32_t l = e[i].key >> 1, begin = group_after(x->start[l]), strand = (e[i].key & 1) * SN_COLUMNS;
        if (i + 2 * AHEAD < n) __builtin_prefetch(x->start + (e[i + 2 * AHEAD].key >> 1));
        if (i + AHEAD < n) __builtin_prefetch(x->posting + x->start[e[i + AHEAD].key >> 1]);
        if (own) /* those behind the row's own */
            for (begin = own[i] + 1; begin % GROUP && begin < x->start[l + 1]; begin++)
                same[x->posting[begin].at ^ strand] += e[i].value * x->posting[begin].value; /* to the next group */
        add_products(same, x->posting + begin, x->posting + x->start[l + 1], e[i].value, strand);
    }
    for (int j = 0; j < SN_COLUMNS; j++) score[j] = same[j] > other[j] ? same[j] : other[j];
    memset(same, 0, 2 * SN_COLUMNS * sizeof *same);
}

static int extract(struct index *x, struct sn_pool *pool) {
    int workers = sn_pool_size(pool), rc = 0;
    x->work = sn_calloc((size_t)workers, sizeof *x->work);
    x->first = sn_calloc((size_t)x->n + 1, sizeof *x->first);
    x->entry = sn_calloc((size_t)tiles_of(x) * PER_TILE, (size_t)MOST_ENTRIES(x) * sizeof *x->entry);
    if (!x->work || !x->first || !x->entry) return SEQNET_ENOMEM;
    SN_GO(sn_pool_run(pool, tiles_of(x), workers, extract_tile, x));
    SN_GO(number_lists(x));
    SN_GO(sn_pool_run(pool, tiles_of(x), workers, renumber_tile, x));
    for (int i = 0; i < x->n; i++) x->first[i + 1] += x->first[i];
done:
    for (int w = 0; w < workers; w++) sn_gapped_work_free(x->work[w]);
    free(x->work);
    sn_aligned_free(x->list);
    x->work = NULL;
    x->list = NULL;
    return rc;
}

static int make_room(struct index *x, int workers) {
    int64_t most = 0;
    for (int from = 0; from < x->n; from += SN_COLUMNS) {
        int to = from + SN_COLUMNS < x->n ? from + SN_COLUMNS : x->n;
        if (x->first[to] - x->first[from] > most) most = x->first[to] - x->first[from];
    }
    x->start = sn_aligned_alloc(((size_t)x->lists + 2) * sizeof *x->start);
    x->posting = sn_aligned_alloc(((size_t)most + (GROUP - 1) * (size_t)x->lists) * sizeof *x->posting);
    x->own = sn_aligned_alloc((size_t)most * sizeof *x->own);
    x->sum = sn_calloc((size_t)workers, sizeof *x->sum);
    if (!x->start || !x->posting || !x->own || !x->sum) return SEQNET_ENOMEM;
    for (int w = 0; w < workers; w++) {
        if (!(x->sum[w] = sn_aligned_alloc(4 * SN_COLUMNS * sizeof(float)))) return SEQNET_ENOMEM;
        memset(x->sum[w], 0, 4 * SN_COLUMNS * sizeof(float));
    }
    return 0;
}

static void done(void *self) {
    struct index *x = self;
    free(x->entry);
    free(x->first);
    sn_aligned_free(x->start);
    sn_aligned_free(x->posting);
    sn_aligned_free(x->own);
    x->entry = NULL;
    x->first = NULL;
    x->start = x->own = NULL;
    x->posting = NULL;
}

int sn_coarse_neighbours(const struct sn_attributions *a, const struct sn_seqlet *s, int n, int sign, int k, bool both_strands,
                         struct sn_pool *pool, const struct sn_sink *sink, struct sn_neighbours *out) {
    *out = (struct sn_neighbours){.n = 0};
    struct index *x = sn_calloc(1, sizeof *x);
    if (!x) return SEQNET_ENOMEM;
    x->a = a;
    x->s = s;
    x->n = n;
    x->sign = sign;
    x->both_strands = both_strands;
    sn_gapped_table_init(&x->table, &sn_gapped_default);
    struct sn_similar similar = {.self = x, .columns = columns, .row = similarities, .done = done};
    int rc = extract(x, pool);
    if (rc == 0) rc = make_room(x, sn_pool_size(pool));
    if (rc == 0) rc = sn_neighbours_find(n, k, true, &similar, pool, sink, "comparing seqlets", out);
    done(x);
    for (int w = 0; w < sn_pool_size(pool) && x->sum; w++) sn_aligned_free(x->sum[w]);
    free(x->sum);
    free(x);
    return rc;
}
