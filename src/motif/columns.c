#include "motif/columns.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/rng.h"

/* Open addressing by the bits of a column: number + 1, 0 = free. */
struct finder {
    int32_t *slot;
    size_t n_slots;
};

static uint64_t hash(const double *v, int letters) {
    uint64_t h = 0;
    for (int k = 0; k < letters; k++) {
        uint64_t bits;
        memcpy(&bits, &v[k], sizeof bits);
        h = sn_mix64(h ^ bits);
    }
    return h;
}

/* The number of a column, a new one when it was not seen before. */
static int32_t number_of(struct sn_columns *c, struct finder *f, const double *v) {
    size_t size = (size_t)c->letters * sizeof *v;
    for (size_t at = hash(v, c->letters) % f->n_slots;; at = (at + 1) % f->n_slots) {
        if (f->slot[at] == 0) {
            memcpy(c->value + (size_t)c->n * (size_t)c->letters, v, size);
            f->slot[at] = ++c->n;
        }
        int32_t u = f->slot[at] - 1;
        if (memcmp(c->value + (size_t)u * (size_t)c->letters, v, size) != 0) continue;
        c->count[u]++;
        return u;
    }
}

static void add_motif(struct sn_columns *c, struct finder *f, const struct sn_motif *m, int64_t first) {
    double v[SN_MOTIF_LETTERS];
    for (int strand = 0; strand < c->strands; strand++) {
        for (int j = 0; j < m->width; j++) {
            const double *row = m->p + (int64_t)(strand ? m->width - 1 - j : j) * c->letters;
            for (int k = 0; k < c->letters; k++) v[k] = row[strand ? c->letters - 1 - k : k] + 0.0; /* no -0 */
            c->column[strand][first + j] = number_of(c, f, v);
        }
    }
}

static int allocate(struct sn_columns *c, int64_t rows, struct finder *f) {
    size_t most = (size_t)rows * (size_t)c->strands;
    f->n_slots = 2 * most + 1;
    f->slot = sn_calloc(f->n_slots, sizeof *f->slot);
    c->count = sn_calloc(most, sizeof *c->count);
    c->width = sn_calloc((size_t)c->n_motifs, sizeof *c->width);
    c->first = sn_calloc((size_t)c->n_motifs, sizeof *c->first);
    c->column[0] = sn_calloc((size_t)rows, sizeof **c->column);
    c->column[1] = sn_calloc((size_t)rows, sizeof **c->column);
    c->value = sn_calloc(most, (size_t)c->letters * sizeof *c->value);
    return f->slot && c->count && c->width && c->first && c->column[0] && c->column[1] && c->value ? 0 : SEQNET_ENOMEM;
}

int sn_columns_make(const struct sn_motif_set *s, bool both_strands, struct sn_columns *c) {
    struct finder f = {0};
    int64_t rows = 0;
    memset(c, 0, sizeof *c);
    c->letters = s->letters;
    c->strands = both_strands ? 2 : 1;
    c->n_motifs = s->n;
    for (int i = 0; i < s->n; i++) rows += s->m[i].width;
    c->total = rows * c->strands;
    int rc = c->total < INT32_MAX / 2 ? allocate(c, rows, &f)
                                      : sn_error(SEQNET_EDATA, "a database of %lld columns is too large", (long long)rows);
    rows = 0;
    for (int i = 0; i < s->n && rc == 0; i++) {
        c->width[i] = s->m[i].width;
        c->first[i] = rows;
        if (c->width[i] > c->widest) c->widest = c->width[i];
        add_motif(c, &f, &s->m[i], rows);
        rows += c->width[i];
    }
    free(f.slot);
    return rc;
}

void sn_columns_free(struct sn_columns *c) {
    free(c->value);
    free(c->count);
    free(c->width);
    free(c->first);
    free(c->column[0]);
    free(c->column[1]);
    memset(c, 0, sizeof *c);
}
