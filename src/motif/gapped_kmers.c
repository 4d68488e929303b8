#include "motif/gapped_kmers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"

#define EMPTY UINT32_MAX
#define MAX_ITEMS 64

const struct sn_gapped_rule sn_gapped_default = {.min_k = 4, .max_k = 6, .max_gap = 15, .span = 15, .positions = 20, .entries = 500};

/* ---- numbers ---- */

static int letters_of(uint32_t shape) {
    return 1 + __builtin_popcount(shape);
}

void sn_gapped_table_init(struct sn_gapped_table *t, const struct sn_gapped_rule *rule) {
    t->rule = *rule;
    t->n = 0;
    for (uint32_t shape = 0; shape < 1u << (SN_GAPPED_SPAN - 1); shape++) {
        int k = letters_of(shape), last = shape ? 32 - __builtin_clz(shape) : 0;
        uint32_t mirror = 0;
        if (last > 0) mirror = 1u << (last - 1); /* the first position */
        for (int g = 1; g < last; g++)
            if (shape >> (g - 1) & 1) mirror |= 1u << (last - g - 1);
        t->mirrored[shape] = (uint16_t)mirror;
        t->first[shape] = t->n;
        if (k >= rule->min_k && k <= rule->max_k && last < rule->span) t->n += 1u << (2 * k);
    }
}

uint32_t sn_gapped_reverse(const struct sn_gapped_table *t, const struct sn_gapped_kmer *k) {
    uint32_t letters = 0, rest = k->letters;
    for (int i = letters_of(k->shape); i > 0; i--) {
        letters = letters << 2 | (3 - (rest & 3));
        rest >>= 2;
    }
    return t->first[t->mirrored[k->shape]] + letters;
}

uint64_t sn_gapped_key5(const struct sn_gapped_kmer *k) {
    int left = letters_of(k->shape) - 1;
    uint64_t key = (k->letters >> (2 * left) & 3) + 1, power = 5;
    for (uint32_t shape = k->shape; shape; shape >>= 1, power *= 5)
        if (shape & 1) key += ((k->letters >> (2 * --left) & 3) + 1) * power;
    return key;
}

/* ---- extraction ---- */

struct item {
    int position, base;
    float contribution;
};

/* Tuples are collected in an open hash table; `used` lists its taken slots, so that emptying it costs what was put in. */
struct sn_gapped_work {
    int max_k, min_k, max_gap, span, n_items;
    struct item items[MAX_ITEMS];
    float share[SN_GAPPED_K + 1]; /* 1/k */
    uint32_t mask;
    uint32_t *slot_key; /* shape << 12 | letters */
    float *slot_value;
    uint32_t *used;
    uint32_t n_used;
    uint64_t *order;
};

/* Most tuples of `items` positions when they stand side by side, which is the worst case. */
static size_t most_tuples(const struct sn_gapped_rule *r) {
    size_t all = 0;
    for (int first = 0; first < r->positions; first++) {
        int after = r->positions - 1 - first;
        if (after > r->span - 1) after = r->span - 1;
        size_t choose = 1;
        for (int k = 1; k < r->max_k; k++) {
            choose = k > after ? 0 : choose * (size_t)(after - k + 1) / (size_t)k;
            if (k + 1 >= r->min_k) all += choose;
        }
    }
    return all;
}

int sn_gapped_work_create(const struct sn_gapped_rule *rule, struct sn_gapped_work **out) {
    *out = NULL;
    if (rule->positions < 1 || rule->positions > MAX_ITEMS || rule->max_k > SN_GAPPED_K || rule->min_k < 2 || rule->span > SN_GAPPED_SPAN)
        return sn_error(SEQNET_EINVAL, "gapped k-mers: expected k in 2..%d, a span of at most %d and at most %d positions", SN_GAPPED_K,
                        SN_GAPPED_SPAN, MAX_ITEMS);
    struct sn_gapped_work *w = sn_calloc(1, sizeof *w);
    if (!w) return SEQNET_ENOMEM;
    size_t tuples = most_tuples(rule), slots = 64;
    while (slots < 2 * tuples) slots *= 2;
    w->min_k = rule->min_k;
    w->max_k = rule->max_k;
    w->max_gap = rule->max_gap;
    w->span = rule->span;
    w->mask = (uint32_t)slots - 1;
    for (int k = 1; k <= SN_GAPPED_K; k++) w->share[k] = 1.0f / (float)k;
    w->slot_key = sn_calloc(slots, sizeof *w->slot_key);
    w->slot_value = sn_calloc(slots, sizeof *w->slot_value);
    w->used = sn_calloc(tuples + 1, sizeof *w->used);
    w->order = sn_calloc(tuples + 1, sizeof *w->order);
    if (!w->slot_key || !w->slot_value || !w->used || !w->order) {
        sn_gapped_work_free(w);
        return SEQNET_ENOMEM;
    }
    for (size_t i = 0; i < slots; i++) w->slot_key[i] = EMPTY;
    *out = w;
    return 0;
}

void sn_gapped_work_free(struct sn_gapped_work *w) {
    if (!w) return;
    free(w->slot_key);
    free(w->slot_value);
    free(w->used);
    free(w->order);
    free(w);
}

static inline void add_tuple(struct sn_gapped_work *w, uint32_t key, float value) {
    uint32_t slot = (key * UINT32_C(2654435769)) >> 7 & w->mask;
    while (w->slot_key[slot] != key) {
        if (w->slot_key[slot] == EMPTY) {
            w->slot_key[slot] = key;
            w->slot_value[slot] = 0;
            w->used[w->n_used++] = slot;
            break;
        }
        slot = (slot + 1) & w->mask;
    }
    w->slot_value[slot] += value;
}

/* Adds every tuple that begins with k chosen items, the last of them number `last`. */
static void extend(struct sn_gapped_work *w, int origin, int last, int k, uint32_t shape, uint32_t letters, float sum) {
    const struct item *it = w->items;
    for (int i = last + 1; i < w->n_items; i++) {
        int from_first = it[i].position - origin;
        if (from_first >= w->span || it[i].position - it[last].position > w->max_gap) break;
        uint32_t next_shape = shape | 1u << (from_first - 1), next_letters = letters << 2 | (uint32_t)it[i].base;
        float next_sum = sum + it[i].contribution;
        if (k + 1 >= w->min_k) add_tuple(w, next_shape << 12 | next_letters, next_sum * w->share[k + 1]);
        if (k + 1 < w->max_k) extend(w, origin, i, k + 1, next_shape, next_letters, next_sum);
    }
}

static int by_contribution(const void *a, const void *b) {
    const struct item *x = a, *y = b;
    if (x->contribution != y->contribution) return x->contribution > y->contribution ? -1 : 1;
    return x->position < y->position ? -1 : 1;
}
static int by_position(const void *a, const void *b) {
    const struct item *x = a, *y = b;
    return x->position < y->position ? -1 : 1;
}

/* The positions of the largest contributions, in order of position. */
static void choose_items(struct sn_gapped_work *w, const struct sn_gapped_rule *r, const uint8_t *bases, const float *contribution,
                         int length) {
    struct item all[512];
    int n = 0;
    for (int p = 0; p < length && n < 512; p++)
        if (bases[p] < 4) all[n++] = (struct item){p, bases[p], contribution[p]};
    if (n > r->positions) {
        qsort(all, (size_t)n, sizeof *all, by_contribution);
        n = r->positions;
        qsort(all, (size_t)n, sizeof *all, by_position);
    }
    memcpy(w->items, all, (size_t)n * sizeof *all);
    w->n_items = n;
}

/* Moves the `keep` largest numbers of v (n) to its front. */
static void select_largest(uint64_t *v, int64_t n, int64_t keep) {
    int64_t low = 0, high = n - 1;
    while (low < high) {
        uint64_t a = v[low], b = v[low + (high - low) / 2], c = v[high];
        uint64_t pivot = a > b ? (b > c ? b : a > c ? c : a) : (a > c ? a : b > c ? c : b);
        int64_t i = low, j = high;
        while (i <= j) {
            while (v[i] > pivot) i++;
            while (v[j] < pivot) j--;
            if (i <= j) {
                uint64_t t = v[i];
                v[i++] = v[j];
                v[j--] = t;
            }
        }
        if (keep - 1 <= j) {
            high = j;
        } else if (keep - 1 >= i) {
            low = i;
        } else {
            return;
        }
    }
}

int sn_gapped_extract(const struct sn_gapped_table *t, struct sn_gapped_work *w, const uint8_t *bases, const float *contribution,
                      int length, struct sn_gapped_kmer *out) {
    choose_items(w, &t->rule, bases, contribution, length);
    w->n_used = 0;
    for (int i = 0; i < w->n_items; i++) extend(w, w->items[i].position, i, 1, 0, (uint32_t)w->items[i].base, w->items[i].contribution);
    /* the bits of a positive float rise with its value; among equals the smaller key wins */
    for (uint32_t i = 0; i < w->n_used; i++) {
        float size = fabsf(w->slot_value[w->used[i]]);
        uint32_t bits;
        memcpy(&bits, &size, sizeof bits);
        w->order[i] = (uint64_t)bits << 32 | (UINT32_MAX - w->slot_key[w->used[i]]);
    }
    int n = (int)w->n_used;
    if (n > t->rule.entries) {
        select_largest(w->order, n, t->rule.entries);
        n = t->rule.entries;
    }
    for (int i = 0; i < n; i++) {
        uint32_t key = UINT32_MAX - (uint32_t)w->order[i], slot = (key * UINT32_C(2654435769)) >> 7 & w->mask;
        while (w->slot_key[slot] != key) slot = (slot + 1) & w->mask;
        out[i] = (struct sn_gapped_kmer){key >> 12, key & 4095, w->slot_value[slot]};
    }
    for (uint32_t i = 0; i < w->n_used; i++) w->slot_key[w->used[i]] = EMPTY;
    return n;
}
