/* Coarse similarities, exact, through an inverted index. A tuple and its reverse complement share one list of postings (seqlet, strand,
 * value); a seqlet's row holds where its own postings stand. Walking on from there meets every later seqlet that has the tuple, and the two
 * strands tell whether the product counts for the same or the opposite orientation. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "motif/neighbours.h"

#define PER_TILE 64 /* seqlets */
#define AHEAD 8     /* lists: their beginnings are far apart in memory */

/* id: seqlet << 2 | last of its list << 1 | strand */
struct posting {
    uint32_t id;
    float value;
};

struct index {
    struct sn_gapped_table table;
    const struct sn_attributions *a;
    const struct sn_seqlet *s;
    int n, sign;
    bool both_strands;
    struct sn_gapped_work **work; /* per worker */
    struct entry {                /* tuples before they are sorted into lists */
        uint32_t key;             /* number << 1 | strand; the strand with the lower number */
        float value;
    } * *entry;       /* (tiles) those of a tile's seqlets, one after another */
    int32_t *entries; /* (n) */
    int64_t *first;   /* (n + 1) of a seqlet's row */
    uint32_t *row;    /* places of its postings */
    struct posting *posting;
    float **sum; /* per worker: (2 n) */
};

/* A tuple that reads the same on both strands counts for both orientations: it stands in the list once per strand, each with
 * 1/sqrt(2) of its value, so that the four products of two seqlets give two for each. */
#define HALF 0.70710678f
#define MOST_ENTRIES(x) (2 * (x)->table.rule.entries)

static void pack(const struct index *x, const struct sn_gapped_kmer *k, int n, struct entry *out, int32_t *count) {
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
    *count = m;
}

static int extract_tile(void *arg, int tile, int worker) {
    struct index *x = arg;
    int length = x->s[0].end - x->s[0].start, most = x->table.rule.entries;
    if (!x->work[worker]) SN_TRY(sn_gapped_work_create(&x->table.rule, &x->work[worker]));
    struct sn_gapped_kmer *k = sn_calloc((size_t)most, sizeof *k);
    float *h = sn_calloc((size_t)length * 5, sizeof *h);
    uint8_t *bases = sn_calloc((size_t)length, 1);
    struct entry *all = sn_calloc((size_t)PER_TILE * (size_t)MOST_ENTRIES(x), sizeof *all), *exact;
    int64_t n_all = 0;
    int rc = k && h && bases && all ? 0 : SEQNET_ENOMEM, end = (tile + 1) * PER_TILE < x->n ? (tile + 1) * PER_TILE : x->n;
    float *contribution = h ? h + 4 * length : NULL;
    for (int i = tile * PER_TILE; i < end && rc == 0; i++) {
        sn_seqlet_cut(x->a, &x->s[i], bases, h);
        for (int p = 0; p < length; p++) contribution[p] = bases[p] < 4 ? h[p * 4 + bases[p]] * (float)x->sign : 0;
        int n = sn_gapped_extract(&x->table, x->work[worker], bases, contribution, length, k);
        pack(x, k, n, all + n_all, &x->entries[i]);
        n_all += x->entries[i];
    }
    exact = rc == 0 ? realloc(all, (size_t)(n_all > 0 ? n_all : 1) * sizeof *all) : NULL;
    if (exact)
        x->entry[tile] = exact;
    else
        free(all);
    if (rc == 0 && !exact) rc = sn_error(SEQNET_ENOMEM, "out of memory");
    free(k);
    free(h);
    free(bases);
    return rc;
}

/* How often each tuple occurs, into place; how long the rows get without those that occur once, into first. */
static void count_entries(struct index *x, uint32_t *place) {
    int tiles = (x->n + PER_TILE - 1) / PER_TILE;
    for (int tile = 0; tile < tiles; tile++) {
        const struct entry *e = x->entry[tile];
        for (int i = tile * PER_TILE; i < x->n && i < (tile + 1) * PER_TILE; i++)
            for (int m = 0; m < x->entries[i]; m++) place[e++->key >> 1]++;
    }
    for (int tile = 0; tile < tiles; tile++) {
        const struct entry *e = x->entry[tile];
        for (int i = tile * PER_TILE; i < x->n && i < (tile + 1) * PER_TILE; i++) {
            x->first[i + 1] = x->first[i];
            for (int m = 0; m < x->entries[i]; m++) x->first[i + 1] += place[e++->key >> 1] > 1;
        }
    }
}

/* Puts the entries of a tile into their lists and frees them. */
static void place_entries(struct index *x, int tile, uint32_t *place) {
    const struct entry *e = x->entry[tile];
    for (int i = tile * PER_TILE; i < x->n && i < (tile + 1) * PER_TILE; i++) {
        int64_t at = x->first[i];
        for (int m = 0; m < x->entries[i]; m++, e++) {
            uint32_t k = e->key >> 1;
            if (place[k] == UINT32_MAX) continue;
            x->posting[place[k]] = (struct posting){(uint32_t)i << 2 | (e->key & 1), e->value};
            x->row[at++] = place[k]++;
        }
    }
    free(x->entry[tile]);
    x->entry[tile] = NULL;
}

/* Sorts all entries into lists by counting; lists of a single seqlet are dropped, they meet nobody. */
static int build(struct index *x) {
    uint32_t keys = x->table.n, lists_end = 0;
    size_t bytes = ((size_t)keys + 1) * sizeof(uint32_t);
    uint32_t *place = sn_aligned_alloc(bytes); /* huge pages: what follows jumps about in it */
    x->first = sn_calloc((size_t)x->n + 1, sizeof *x->first);
    if (!place || !x->first) {
        sn_aligned_free(place);
        return SEQNET_ENOMEM;
    }
    memset(place, 0, bytes);
    count_entries(x, place);
    for (uint32_t k = 0; k < keys; k++) {
        uint32_t n = place[k];
        place[k] = n > 1 ? lists_end : UINT32_MAX;
        if (n > 1) lists_end += n;
    }
    x->row = sn_calloc((size_t)x->first[x->n], sizeof *x->row);
    x->posting = sn_aligned_alloc((size_t)lists_end * sizeof *x->posting);
    int rc = x->row && x->posting ? 0 : SEQNET_ENOMEM;
    for (int tile = 0; tile < (x->n + PER_TILE - 1) / PER_TILE && rc == 0; tile++) place_entries(x, tile, place);
    for (uint32_t k = 0; k < keys && rc == 0; k++)
        if (place[k] != UINT32_MAX) x->posting[place[k] - 1].id |= 2;
    sn_aligned_free(place);
    return rc;
}

static void similarities(const void *self, int row, int worker, float *score) {
    const struct index *x = self;
    float *sum = x->sum[worker];
    memset(sum + 2 * (int64_t)row, 0, 2 * (size_t)(x->n - row) * sizeof *sum);
    for (int64_t at = x->first[row]; at < x->first[row + 1]; at++) {
        const struct posting *p = x->posting + x->row[at];
        if (at + AHEAD < x->first[row + 1]) __builtin_prefetch(x->posting + x->row[at + AHEAD]);
        float v = p->value;
        uint32_t strand = p->id & 1;
        while (!(p->id & 2)) {
            p++;
            sum[(p->id >> 2) * 2 + ((p->id & 1) ^ strand)] += v * p->value;
        }
    }
    for (int j = row + 1; j < x->n; j++) score[j] = sum[2 * j] > sum[2 * j + 1] ? sum[2 * j] : sum[2 * j + 1];
}

static int make_index(struct index *x, struct sn_pool *pool) {
    int workers = sn_pool_size(pool);
    x->work = sn_calloc((size_t)workers, sizeof *x->work);
    x->entries = sn_calloc((size_t)x->n, sizeof *x->entries);
    x->entry = sn_calloc((size_t)(x->n / PER_TILE + 1), sizeof(struct entry *));
    x->sum = sn_calloc((size_t)workers, sizeof *x->sum);
    if (!x->work || !x->entries || !x->entry || !x->sum) return SEQNET_ENOMEM;
    for (int w = 0; w < workers; w++)
        if (!(x->sum[w] = sn_calloc((size_t)x->n, 2 * sizeof(float)))) return SEQNET_ENOMEM;
    SN_TRY(sn_pool_run(pool, (x->n + PER_TILE - 1) / PER_TILE, workers, extract_tile, x));
    SN_TRY(build(x));
    for (int w = 0; w < workers; w++) {
        sn_gapped_work_free(x->work[w]);
        x->work[w] = NULL;
    }
    return 0;
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
    int rc = make_index(x, pool);
    if (rc == 0) rc = sn_neighbours_find(n, k, true, similarities, x, pool, sink, "comparing seqlets", out);
    for (int w = 0; w < sn_pool_size(pool); w++) {
        if (x->work) sn_gapped_work_free(x->work[w]);
        if (x->sum) free(x->sum[w]);
    }
    free(x->work);
    free(x->sum);
    for (int t = 0; x->entry && t < n / PER_TILE + 1; t++) free(x->entry[t]);
    free(x->entry);
    free(x->entries);
    free(x->first);
    free(x->row);
    sn_aligned_free(x->posting);
    free(x);
    return rc;
}
