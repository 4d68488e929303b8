/* Parting piles that hold several motifs, and joining piles that show the same one. */
#ifndef SN_MOTIF_COLLAPSE_H
#define SN_MOTIF_COLLAPSE_H

#include "motif/pile.h"

/* Piles that the list owns. */
struct sn_piles {
    struct sn_pile **v;
    int n;
    size_t cap;
};
void sn_piles_free(struct sn_piles *l);
/* Takes over p, also when it fails. */
int sn_piles_add(struct sn_piles *l, struct sn_pile *p);
/* By falling number of seqlets; equals keep their order. */
void sn_piles_sort(struct sn_piles *l);

/* What is the same all along. */
struct sn_discovery {
    const struct sn_attributions *a;
    const struct sn_discover_options *o;
    struct sn_pool *pool;
    const struct sn_sink *sink;
    double background[4];
    int sign; /* of contributions: +1, -1 */
};

/* Joins similar piles until none is left to be joined; the list is sorted afterwards. */
int sn_piles_collapse(const struct sn_discovery *d, struct sn_piles *l);

/* Community of each seqlet of a pile among themselves, and how many there are. member: (p->n). */
int sn_pile_communities(const struct sn_discovery *d, const struct sn_pile *p, int32_t *member, int *n);
/* The piles of those communities. */
int sn_pile_split(const struct sn_discovery *d, const struct sn_pile *p, struct sn_piles *out);

/* ---- for tests ---- */

/* Area under the ROC curve of two histograms over the same bins: P(positive > negative) + P(equal)/2. */
double sn_histogram_auroc(const uint32_t *negative, const uint32_t *positive, int bins);

#endif
