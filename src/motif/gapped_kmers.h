/* Gapped k-mers of one seqlet: tuples of positions with their bases, valued by the mean contribution of the tuple. Coarse similarity of
 * seqlets is the cosine of these sparse vectors. */
#ifndef SN_MOTIF_GAPPED_KMERS_H
#define SN_MOTIF_GAPPED_KMERS_H

#include <stdbool.h>
#include <stdint.h>

#define SN_GAPPED_SPAN 15 /* most positions that a tuple may span */
#define SN_GAPPED_K 6

struct sn_gapped_rule {
    int min_k, max_k; /* positions of a tuple, 2..6 */
    int max_gap;      /* between two neighbours of a tuple */
    int span;         /* last - first < span, 2..15 */
    int positions;    /* of a seqlet that are used: those of the largest contribution */
    int entries;      /* kept of a seqlet: those of the largest |value| */
};
extern const struct sn_gapped_rule sn_gapped_default;

/* A tuple by number. `shape`: bit g-1 says that first + g belongs to it; `letters`: two bits per position, the first one highest. */
struct sn_gapped_kmer {
    uint32_t shape, letters;
    float value;
};

/* Numbers all tuples of a rule: number = first[shape] + letters. */
struct sn_gapped_table {
    struct sn_gapped_rule rule;
    uint32_t first[1 << (SN_GAPPED_SPAN - 1)];
    uint16_t mirrored[1 << (SN_GAPPED_SPAN - 1)]; /* shape read from the other end */
    uint32_t n;
};
void sn_gapped_table_init(struct sn_gapped_table *t, const struct sn_gapped_rule *rule);
static inline uint32_t sn_gapped_number(const struct sn_gapped_table *t, const struct sn_gapped_kmer *k) {
    return t->first[k->shape] + k->letters;
}
/* Number of the same tuple on the other strand. */
uint32_t sn_gapped_reverse(const struct sn_gapped_table *t, const struct sn_gapped_kmer *k);
/* sum of (base+1) 5^(position - first), the key of the literature. */
uint64_t sn_gapped_key5(const struct sn_gapped_kmer *k);

/* One worker's memory. */
struct sn_gapped_work;
int sn_gapped_work_create(const struct sn_gapped_rule *rule, struct sn_gapped_work **out);
void sn_gapped_work_free(struct sn_gapped_work *w);

/* Tuples of a seqlet: bases (0..3, others are passed over) and contributions of `length` positions. out holds rule.entries; values are
 * summed over places where the same tuple occurs, not normalised. Returns how many, in an order that depends on the values alone. */
int sn_gapped_extract(const struct sn_gapped_table *t, struct sn_gapped_work *w, const uint8_t *bases, const float *contribution,
                      int length, struct sn_gapped_kmer *out);

#endif
