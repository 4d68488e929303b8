#include "motif/gapped_kmers.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/sort.h"

#define MAX_ITEMS 64
#define MAX_LENGTH 512
#define PROBES 12

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

/* Of the many tuples of a seqlet only those of the largest |mean contribution| are kept, so they are sought from the largest contributions
 * on: a tuple that takes in one more position, of a contribution no larger than its others, has no larger a mean. The search stops where
 * means fall below a threshold, which is lowered or raised until about as many tuples pass as are wanted. It adds in the order of
 * contributions; what it finds is added up again in the order of positions, and the threshold must be below the last one kept by more
 * than the two can differ. Negative means are sought in the same way, with signs changed.
 *
 * A tuple that occurs at several places has the sum of their values. Its positions all have the same letter again at some distance, which
 * is seldom; those are all made, from their first place on, before the search, which passes over them. */

/* Items, by position, and the distances at which all of them meet their letter again: bit d % 64, d positions on or back. */
struct tuple {
    uint64_t items, later, earlier;
};

/* Contributions in falling order. */
struct side {
    float contribution[MAX_ITEMS];
    uint64_t near[MAX_ITEMS]; /* who is less than the span away, by rank */
    struct tuple item[MAX_ITEMS];
};

struct sn_gapped_work {
    int max_k, min_k, max_gap, span, entries, n_items, reach; /* last position - first */
    int position[MAX_ITEMS], base[MAX_ITEMS];                 /* items in order of position */
    float contribution[MAX_ITEMS];
    int rank[MAX_ITEMS];       /* items from the largest contribution on */
    int8_t at[3 * MAX_LENGTH]; /* item at position - MAX_LENGTH, or -1 */
    uint64_t later[MAX_ITEMS], earlier[MAX_ITEMS];
    struct side side[2];          /* the contributions and their negatives */
    float share[SN_GAPPED_K + 1]; /* 1/k */
    float least[SN_GAPPED_K + 1]; /* sums below are not sought */
    float guess;                  /* threshold of the last seqlet in units of its largest mean: where to begin, whatever it is */
    uint64_t *found;              /* items of tuples, later their words */
    uint64_t *repeat;             /* words of those that occur at several places */
    size_t n_found, n_repeat, most_found, capacity;
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
    w->min_k = rule->min_k;
    w->max_k = rule->max_k;
    w->max_gap = rule->max_gap;
    w->span = rule->span;
    w->entries = rule->entries;
    w->guess = 0.7f;
    w->capacity = most_tuples(rule);
    for (int k = 1; k <= SN_GAPPED_K; k++) w->share[k] = 1.0f / (float)k;
    memset(w->at, -1, sizeof w->at);
    w->found = sn_calloc(w->capacity + 1, sizeof *w->found);
    w->repeat = sn_calloc(w->capacity + 1, sizeof *w->repeat);
    if (!w->found || !w->repeat) {
        sn_gapped_work_free(w);
        return SEQNET_ENOMEM;
    }
    *out = w;
    return 0;
}

void sn_gapped_work_free(struct sn_gapped_work *w) {
    if (!w) return;
    free(w->found);
    free(w->repeat);
    free(w);
}

/* ---- the positions ---- */

/* Those of the largest contributions, the first ones among equals: into rank (as positions) in falling order. Returns their number. */
static int largest_positions(struct sn_gapped_work *w, int most, const uint8_t *bases, const float *contribution, int length) {
    int n = 0;
    for (int p = 0; p < length; p++) {
        if (bases[p] > 3 || (n == most && !(contribution[p] > contribution[w->rank[n - 1]]))) continue;
        int i = n < most ? n++ : n - 1;
        for (; i > 0 && contribution[p] > contribution[w->rank[i - 1]]; i--) w->rank[i] = w->rank[i - 1];
        w->rank[i] = p;
    }
    return n;
}

static void choose_items(struct sn_gapped_work *w, int most, const uint8_t *bases, const float *contribution, int length) {
    int8_t *at = w->at + MAX_LENGTH;
    for (int i = 0; i < w->n_items; i++) at[w->position[i]] = -1;
    int n = largest_positions(w, most, bases, contribution, length < MAX_LENGTH ? length : MAX_LENGTH), m = 0;
    for (int r = 0; r < n; r++) at[w->rank[r]] = 0;
    for (int p = 0; m < n; p++) {
        if (at[p] < 0) continue;
        w->position[m] = p;
        w->base[m] = bases[p];
        w->contribution[m] = contribution[p];
        at[p] = (int8_t)m++;
    }
    for (int r = 0; r < n; r++) w->rank[r] = at[w->rank[r]];
    w->n_items = n;
    w->reach = n > 0 ? w->position[n - 1] - w->position[0] : 0;
}

static void find_same_letters(struct sn_gapped_work *w) {
    memset(w->later, 0, sizeof w->later);
    memset(w->earlier, 0, sizeof w->earlier);
    for (int i = 0; i < w->n_items; i++)
        for (int j = i + 1; j < w->n_items; j++) {
            uint64_t bit = (uint64_t)(w->base[i] == w->base[j]) << ((w->position[j] - w->position[i]) & 63);
            w->later[i] |= bit;
            w->earlier[j] |= bit;
        }
}

static void make_side(struct sn_gapped_work *w, bool negative) {
    struct side *s = &w->side[negative];
    int n = w->n_items, position[MAX_ITEMS];
    for (int r = 0; r < n; r++) {
        int i = w->rank[negative ? n - 1 - r : r];
        position[r] = w->position[i];
        s->contribution[r] = negative ? -w->contribution[i] : w->contribution[i];
        s->item[r] = (struct tuple){UINT64_C(1) << i, w->later[i], w->earlier[i]};
        s->near[r] = 0;
        for (int q = 0; q < r; q++) {
            uint64_t near = abs(position[r] - position[q]) < w->span;
            s->near[q] |= near << r;
        }
    }
}

/* ---- tuples ---- */

/* A tuple as a number: the larger |value|, the larger; among equals the smaller key (shape << 12 | letters). The bits of a positive float
 * rise with its value; the lowest bit is the sign. */
static uint64_t word_of(uint32_t key, float value) {
    float size = fabsf(value);
    uint32_t bits;
    memcpy(&bits, &size, sizeof bits);
    return (uint64_t)bits << 32 | (uint32_t)(INT32_MAX - key) << 1 | (value < 0);
}

static struct sn_gapped_kmer kmer_of(uint64_t word) {
    uint32_t key = INT32_MAX - ((uint32_t)word >> 1), bits = (uint32_t)(word >> 32) | (uint32_t)word << 31;
    struct sn_gapped_kmer k = {key >> 12, key & 4095, 0};
    memcpy(&k.value, &bits, sizeof bits);
    return k;
}

static uint32_t key_of(const struct sn_gapped_work *w, uint64_t items) {
    int origin = w->position[__builtin_ctzll(items)];
    uint32_t shape = 0, letters = 0;
    for (; items; items &= items - 1) {
        int i = __builtin_ctzll(items);
        shape |= 1u << (w->position[i] - origin);
        letters = letters << 2 | (uint32_t)w->base[i];
    }
    return shape >> 1 << 12 | letters;
}

static float value_of(const struct sn_gapped_work *w, uint64_t items) {
    float sum = 0;
    int k = 0;
    for (; items; items &= items - 1, k++) sum += w->contribution[__builtin_ctzll(items)];
    return sum * w->share[k];
}

/* Does the tuple occur `shift` positions on as well? Then *value is what it is there. */
static bool occurs(const struct sn_gapped_work *w, uint64_t items, int shift, float *value) {
    const int8_t *at = w->at + MAX_LENGTH + shift;
    float sum = 0;
    int k = 0;
    for (; items; items &= items - 1, k++) {
        int i = __builtin_ctzll(items), j = at[w->position[i]];
        if (j < 0 || w->base[i] != w->base[j]) return false;
        sum += w->contribution[j];
    }
    *value = sum * w->share[k];
    return true;
}

/* The next distance after `shift` whose bit is set, or 0 when there is none within reach. */
static int next_shift(const struct sn_gapped_work *w, uint64_t bits, int shift) {
    for (shift++; shift <= w->reach; shift++) {
        uint64_t rest = bits >> (shift & 63);
        if (rest & 1) return shift;
        shift = rest ? shift + __builtin_ctzll(rest) - 1 : shift | 63;
    }
    return 0;
}

static bool fits_gaps(const struct sn_gapped_work *w, uint64_t items) {
    int before = w->position[__builtin_ctzll(items)];
    for (; items; items &= items - 1) {
        int here = w->position[__builtin_ctzll(items)];
        if (here - before > w->max_gap) return false;
        before = here;
    }
    return true;
}

/* ---- tuples that occur at several places ---- */

/* Bits stand for several distances when items are more than 63 apart: then places are looked up. */
static bool occurs_earlier(const struct sn_gapped_work *w, const struct tuple *t) {
    float value;
    if (w->reach < 64) return t->earlier != 0;
    for (int d = next_shift(w, t->earlier, 0); d > 0; d = next_shift(w, t->earlier, d))
        if (occurs(w, t->items, -d, &value)) return true;
    return false;
}

static bool occurs_later(const struct sn_gapped_work *w, const struct tuple *t) {
    float value;
    if (w->reach < 64) return t->later != 0;
    for (int d = next_shift(w, t->later, 0); d > 0; d = next_shift(w, t->later, d))
        if (occurs(w, t->items, d, &value)) return true;
    return false;
}

/* Takes a tuple at its first place, from where its values are added in order. */
static void add_repeat(struct sn_gapped_work *w, const struct tuple *t) {
    float value, sum = value_of(w, t->items);
    if (occurs_earlier(w, t) || !occurs_later(w, t)) return;
    for (int d = next_shift(w, t->later, 0); d > 0; d = next_shift(w, t->later, d))
        if (occurs(w, t->items, d, &value)) sum += value;
    w->repeat[w->n_repeat++] = word_of(key_of(w, t->items), sum);
}

/* All tuples that begin with k items, the last of them number `last`, and may occur again later. */
static void find_repeats(struct sn_gapped_work *w, int origin, int last, int k, struct tuple t) {
    if (k >= w->min_k) add_repeat(w, &t);
    if (k == w->max_k) return;
    for (int i = last + 1; i < w->n_items; i++) {
        if (w->position[i] - origin >= w->span || w->position[i] - w->position[last] > w->max_gap) break;
        if (!(t.later & w->later[i])) continue;
        find_repeats(w, origin, i, k + 1, (struct tuple){t.items | UINT64_C(1) << i, t.later & w->later[i], t.earlier & w->earlier[i]});
    }
}

/* ---- the search ---- */

/* The largest sum of the tuple with `missing` more of the ranks in `rest`. */
static float most_with(const struct side *s, float sum, uint64_t rest, int missing) {
    for (; missing > 0 && rest; missing--, rest &= rest - 1) sum += s->contribution[__builtin_ctzll(rest)];
    return missing > 0 ? -INFINITY : sum;
}

/* Finds the tuples of k given items and more out of the ranks `allowed`; false: there is no room for more. */
static bool seek(struct sn_gapped_work *w, const struct side *s, int k, float sum, uint64_t allowed, struct tuple t) {
    k++;
    for (; allowed; allowed &= allowed - 1) {
        int r = __builtin_ctzll(allowed);
        float with = sum + s->contribution[r];
        uint64_t rest = allowed & (allowed - 1) & s->near[r];
        const struct tuple *one = &s->item[r];
        struct tuple more = {t.items | one->items, t.later & one->later, t.earlier & one->earlier};
        if (k < w->min_k) {
            if (with + (float)(w->min_k - k) * s->contribution[r] < w->least[w->min_k]) return true;
            if (most_with(s, with, rest, w->min_k - k) < w->least[w->min_k]) continue;
        } else {
            if (with < w->least[k]) return true;
            if (!occurs_earlier(w, &more) && !occurs_later(w, &more) && (w->max_gap >= w->span - 1 || fits_gaps(w, more.items))) {
                if (w->n_found == w->most_found) return false;
                w->found[w->n_found++] = more.items;
            }
        }
        if (k < w->max_k && rest && !seek(w, s, k, with, rest, more)) return false;
    }
    return true;
}

/* Finds all that occur once and whose |mean| is `least` or more, give or take rounding. */
static bool seek_all(struct sn_gapped_work *w, float least, float most_negative, size_t room) {
    uint64_t all = w->n_items == 64 ? UINT64_MAX : (UINT64_C(1) << w->n_items) - 1;
    const struct tuple none = {0, UINT64_MAX, UINT64_MAX};
    for (int k = 1; k <= SN_GAPPED_K; k++) w->least[k] = least * (float)k;
    w->n_found = 0;
    w->most_found = room;
    if (!seek(w, &w->side[0], 0, 0, all, none)) return false;
    if (least == -INFINITY || most_negative < least) return true;
    make_side(w, true);
    return seek(w, &w->side[1], 0, 0, all, none);
}

/* ---- the threshold ---- */

static float mean_of_first(const struct sn_gapped_work *w, bool negative) {
    float sum = 0;
    int n = w->n_items < w->min_k ? w->n_items : w->min_k;
    for (int r = 0; r < n; r++) sum += w->contribution[w->rank[negative ? w->n_items - 1 - r : r]];
    return n > 0 ? (negative ? -sum : sum) / (float)n : 0;
}

/* More than the sums of a tuple in two orders can differ, as means. */
static float margin_of(const struct sn_gapped_work *w) {
    float largest = 0;
    for (int i = 0; i < w->n_items; i++) {
        float size = fabsf(w->contribution[i]);
        if (size > largest) largest = size;
    }
    return largest * 4e-6f;
}

static size_t repeats_from(const struct sn_gapped_work *w, float least) {
    size_t n = 0;
    for (size_t i = 0; i < w->n_repeat; i++) n += fabsf(kmer_of(w->repeat[i]).value) >= least;
    return n;
}

/* Searches with thresholds until some more tuples are found than are wanted; the last threshold, -INFINITY: all tuples are found. */
static float seek_enough(struct sn_gapped_work *w) {
    size_t wanted = (size_t)w->entries, room = 2 * wanted < w->capacity ? 2 * wanted : w->capacity;
    float positive = mean_of_first(w, false), negative = mean_of_first(w, true), scale = positive > negative ? positive : negative;
    float low = margin_of(w), high = INFINITY, least = w->guess * scale;
    bool too_many = false;
    for (int probe = 0; probe < PROBES && least > low; probe++) {
        if (!seek_all(w, least, negative, room)) {
            too_many = true;
            low = least;
            least = high < INFINITY ? (low + high) / 2 : least * 1.2f;
        } else if (w->n_found + repeats_from(w, least) < wanted) {
            high = least;
            least = too_many ? (low + high) / 2 : least * 0.8f;
        } else {
            w->guess = least / scale;
            return least;
        }
    }
    least = too_many ? low : -INFINITY;
    seek_all(w, least, negative, w->capacity);
    return least;
}

/* Words of all that was found, the wanted ones first. Returns their number. */
static int collect(struct sn_gapped_work *w) {
    for (size_t i = 0; i < w->n_found; i++) w->found[i] = word_of(key_of(w, w->found[i]), value_of(w, w->found[i]));
    memcpy(w->found + w->n_found, w->repeat, w->n_repeat * sizeof *w->repeat);
    size_t n = w->n_found + w->n_repeat;
    if (n <= (size_t)w->entries) return (int)n;
    sn_select_largest_u64(w->found, n, (size_t)w->entries);
    return w->entries;
}

static bool all_above(const struct sn_gapped_work *w, int n, float least) {
    bool above = n == w->entries;
    for (int i = 0; i < n && above; i++) above = fabsf(kmer_of(w->found[i]).value) > least;
    return above;
}

int sn_gapped_extract(const struct sn_gapped_table *t, struct sn_gapped_work *w, const uint8_t *bases, const float *contribution,
                      int length, struct sn_gapped_kmer *out) {
    choose_items(w, t->rule.positions, bases, contribution, length);
    find_same_letters(w);
    make_side(w, false);
    w->n_repeat = 0;
    for (int i = 0; i < w->n_items; i++)
        find_repeats(w, w->position[i], i, 1, (struct tuple){UINT64_C(1) << i, w->later[i], w->earlier[i]});
    if (w->n_repeat > (size_t)w->entries) {
        sn_select_largest_u64(w->repeat, w->n_repeat, (size_t)w->entries);
        w->n_repeat = (size_t)w->entries;
    }
    float least = seek_enough(w);
    int n = collect(w);
    if (least > -INFINITY && !all_above(w, n, least + margin_of(w))) { /* many equal ones just there */
        seek_all(w, -INFINITY, 0, w->capacity);
        n = collect(w);
    }
    sn_sort_u64(w->found, (size_t)n, w->repeat); /* what was found first depends on the seqlets before */
    for (int i = 0; i < n; i++) out[i] = kmer_of(w->found[i]);
    return n;
}
