/* Attributions as TF-MoDISco takes them: one-hot sequences and hypothetical contributions as NumPy arrays (n,4,length). */
#ifndef SN_MOTIF_ATTRIBUTIONS_H
#define SN_MOTIF_ATTRIBUTIONS_H

#include <string.h>

#include "motif/patterns.h"

struct sn_npy;

/* Attributions that own their memory; `a` is what the others take. */
struct sn_loaded {
    struct sn_attributions a;
    char *path; /* of the hypothetical contributions */
    uint8_t *bases;
    float *hypothetical;
    struct sn_npy *file; /* of numbers that are read where they lie */
};

/* (n,length,4) is taken too where the axes cannot be mixed up. Arrays that do not fit in max_memory bytes: SEQNET_ENOMEM before any is
 * read. SEQNET_EFORMAT, SEQNET_ESHAPE, SEQNET_EDATA (not one-hot). */
int sn_attributions_load(const char *one_hot, const char *hypothetical, int64_t max_memory, struct sn_loaded *out);
void sn_attributions_free(struct sn_loaded *l);
/* Rows [first, end) were read and are not needed for now: what was mapped of them does not stay in memory. */
void sn_attributions_drop(const struct sn_attributions *a, int64_t first, int64_t end);

#define SN_DROP_BYTES ((int64_t)64 << 20)

/* The same after a look at one seqlet: of a large array, whose pages the system maps many at a time. */
static inline void sn_seqlet_drop(const struct sn_attributions *a, const struct sn_seqlet *s) {
    if (a->file && a->n * a->row_step > SN_DROP_BYTES) sn_attributions_drop(a, s->sequence, s->sequence + 1);
}

/* One number; the array need not be aligned. */
static inline float sn_hypothetical(const struct sn_attributions *a, int64_t row, int64_t position, int base) {
    float v;
    memcpy(&v, a->hypothetical + row * a->row_step + position * a->position_step + base * a->base_step, sizeof v);
    return v;
}
/* The contribution of the base that is there, 0 where there is none. */
static inline float sn_contribution(const struct sn_attributions *a, int64_t row, int64_t position) {
    uint8_t b = a->bases[row * a->length + position];
    return b < 4 ? sn_hypothetical(a, row, position, b) : 0;
}

#endif
