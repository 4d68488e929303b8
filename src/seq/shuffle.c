/* Uniform dinucleotide shuffles: a random Eulerian walk through the graph of the sequence's dinucleotides (Altschul & Erickson 1985). */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/rng.h"
#include "seq/dataset.h"

#define SYMBOLS 5

static int symbol_of(uint8_t code) {
    switch (code & 15u) {
    case 1:
        return 0;
    case 2:
        return 1;
    case 4:
        return 2;
    case 8:
        return 3;
    default:
        return 4;
    }
}

/* The edges that leave each symbol, in the order of the sequence; an edge is the code it leads to. */
struct edges {
    uint8_t *list[SYMBOLS];
    int64_t n[SYMBOLS];
    int64_t last[SYMBOLS]; /* the edge walked last */
    int end;               /* the symbol where the walk ends */
};

static void collect_edges(struct edges *e, const uint8_t *codes, int64_t n, uint8_t *store) {
    int64_t filled[SYMBOLS] = {0};
    memset(e, 0, sizeof *e);
    for (int64_t i = 0; i + 1 < n; i++) e->n[symbol_of(codes[i])]++;
    for (int v = 0; v < SYMBOLS; v++) {
        e->list[v] = store;
        store += e->n[v];
    }
    for (int64_t i = 0; i + 1 < n; i++) {
        int v = symbol_of(codes[i]);
        e->list[v][filled[v]++] = codes[i + 1];
    }
    e->end = symbol_of(codes[n - 1]);
}

/* Whether following the last edges leads from every symbol to the end: then, and only then, the walk uses all edges. */
static bool reaches_end(const struct edges *e) {
    for (int start = 0; start < SYMBOLS; start++) {
        if (e->n[start] == 0) continue;
        int v = start;
        for (int hop = 0; hop < SYMBOLS && v != e->end; hop++) v = symbol_of(e->list[v][e->last[v]]);
        if (v != e->end) return false;
    }
    return true;
}

static void draw_last_edges(struct edges *e, struct sn_stream *s) {
    do {
        for (int v = 0; v < SYMBOLS; v++)
            if (v != e->end && e->n[v] > 0) e->last[v] = (int64_t)sn_stream_below(s, (uint64_t)e->n[v]);
    } while (!reaches_end(e));
}

static void swap_codes(uint8_t *a, uint8_t *b) {
    uint8_t t = *a;
    *a = *b;
    *b = t;
}

static void shuffle_lists(struct edges *e, struct sn_stream *s) {
    for (int v = 0; v < SYMBOLS; v++) {
        if (e->n[v] == 0) continue;
        int64_t free_edges = e->n[v];
        if (v != e->end) {
            free_edges--;
            swap_codes(&e->list[v][e->last[v]], &e->list[v][free_edges]);
        }
        for (int64_t i = free_edges - 1; i >= 1; i--) swap_codes(&e->list[v][i], &e->list[v][sn_stream_below(s, (uint64_t)i + 1)]);
    }
}

static void walk(struct edges *e, uint8_t first, int64_t n, uint8_t *out) {
    int64_t used[SYMBOLS] = {0};
    out[0] = first;
    for (int64_t i = 1; i < n; i++) {
        int v = symbol_of(out[i - 1]);
        out[i] = e->list[v][used[v]++];
    }
}

/* ---- is there another arrangement? -------------------------------------------------------------------------------------------------- */

/* Sets of symbols as bits. */
static unsigned targets_of(const struct edges *e, int v, int64_t *count) {
    unsigned set = 0;
    memset(count, 0, SYMBOLS * sizeof *count);
    for (int64_t i = 0; i < e->n[v]; i++) {
        int to = symbol_of(e->list[v][i]);
        count[to]++;
        set |= 1u << to;
    }
    return set;
}

/* Walks correspond one to one to orders of the lists whose last edges reach the end; so there is a single walk when one choice of last
 * edges is possible and what remains of every list is all alike. `count` (SYMBOLS, SYMBOLS). Returns the number of choices, each with
 * whether the rest is alike, cut short at 2. */
static int count_orders(const struct edges *e, int64_t count[SYMBOLS][SYMBOLS], const unsigned *set) {
    int orders = 0, choices = 1, to[SYMBOLS];
    for (int v = 0; v < SYMBOLS; v++) choices *= SYMBOLS;
    for (int choice = 0; choice < choices && orders < 2; choice++) {
        bool valid = true, alike = true;
        for (int v = 0, rest = choice; v < SYMBOLS && valid; v++, rest /= SYMBOLS) {
            to[v] = rest % SYMBOLS;
            bool no_choice = v == e->end || e->n[v] == 0;
            valid = no_choice ? to[v] == 0 : (set[v] >> to[v] & 1) != 0;
            unsigned left = set[v];
            if (valid && !no_choice && count[v][to[v]] == 1) left &= ~(1u << to[v]);
            alike = alike && (left & (left - 1)) == 0;
        }
        for (int start = 0; start < SYMBOLS && valid; start++) {
            int v = start;
            for (int hop = 0; hop < SYMBOLS && v != e->end && e->n[start] > 0; hop++) v = to[v];
            valid = e->n[start] == 0 || v == e->end;
        }
        if (valid) orders += alike ? 1 : 2;
    }
    return orders;
}

static bool single_arrangement(const struct edges *e) {
    int64_t count[SYMBOLS][SYMBOLS];
    unsigned set[SYMBOLS];
    for (int v = 0; v < SYMBOLS; v++) {
        set[v] = targets_of(e, v, count[v]);
        /* one edge can be put last; three kinds, or two that both occur again, leave a rest that is not all alike */
        int kinds = __builtin_popcount(set[v]), again = 0;
        for (int to = 0; to < SYMBOLS; to++) again += count[v][to] > 1;
        if (kinds > 2 || (kinds == 2 && (again == 2 || v == e->end))) return false;
    }
    return count_orders(e, count, set) < 2;
}

int sn_dinucleotide_shuffle(const uint8_t *codes, int64_t n, uint64_t seed, uint64_t seq, uint64_t ref, uint8_t *out) {
    if (n < 3) {
        if (n > 0) memcpy(out, codes, (size_t)n);
        return 1;
    }
    struct edges e;
    struct sn_stream s;
    uint8_t *store = sn_calloc((size_t)n, 1);
    if (store == NULL) return SEQNET_ENOMEM;
    uint8_t first = codes[0]; /* out may be codes */
    collect_edges(&e, codes, n, store);
    bool single = single_arrangement(&e);
    sn_stream_init(&s, seed, seq, ref);
    draw_last_edges(&e, &s);
    shuffle_lists(&e, &s);
    walk(&e, first, n, out);
    free(store);
    return single;
}
