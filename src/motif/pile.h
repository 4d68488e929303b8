/* A pile: seqlets of one length laid on top of each other, with the sums of what they show. A pattern in the making. */
#ifndef SN_MOTIF_PILE_H
#define SN_MOTIF_PILE_H

#include "motif/shifts.h"

struct sn_pile {
    const struct sn_attributions *a;
    int length, n;
    struct sn_seqlet *s; /* (n) the first of each place */
    size_t cap;
    double *bases, *actual, *hypothetical; /* (length, 4) sums */
    uint64_t *seen;                        /* open hash of (sequence, start) */
    size_t slots;                          /* a power of two */
};

/* An empty pile for seqlets of one length. */
int sn_pile_create(const struct sn_attributions *a, int length, struct sn_pile **out);
void sn_pile_free(struct sn_pile *p);
int sn_pile_copy(const struct sn_pile *p, struct sn_pile **out);
/* Adds a seqlet of the pile's length unless its place is taken. It must lie inside its row. */
int sn_pile_add(struct sn_pile *p, const struct sn_seqlet *s);
bool sn_seqlet_inside(const struct sn_attributions *a, const struct sn_seqlet *s);

/* Moves the left and right borders of every seqlet outwards (negative: inwards); those that would leave their rows are dropped. 1, or 0
 * and the pile unchanged when none would stay. */
int sn_pile_resize(struct sn_pile *p, int left, int right);
/* The other strand of everything. */
int sn_pile_reverse(struct sn_pile *p);

/* Information of each position against the background. */
double sn_position_information(const double p[4], const double background[4]);
/* Cuts the pile to its most informative window of `window` positions, looked for after widening it by `flank`, and widens that by `flank`.
 * 1, or 0 when nothing is left. */
int sn_pile_polish(struct sn_pile *p, int window, int flank, const double background[4]);
/* The largest information of `window` positions in a row. */
double sn_pile_best_information(const struct sn_pile *p, int window, const double background[4]);
double sn_pile_contribution(const struct sn_pile *p); /* sum of all */

/* How seqlets are aligned to a pile: by the Jaccard index of hypothetical and actual contributions, or by the cosine of actual ones. */
enum sn_alignment { SN_ALIGN_JACCARD, SN_ALIGN_COSINE };

/* Adds seqlets in their order, each at its best place: the pile widens where a seqlet stands over, a seqlet is widened to the pile; one
 * that would leave its row is passed over. tracks: those of the seqlets (SN_ALIGN_JACCARD), else NULL. */
int sn_pile_merge(struct sn_pile *p, const struct sn_seqlet *s, int n, enum sn_alignment by, const struct sn_tracks *tracks,
                  bool both_strands);

/* Best place of child's mean contributions in parent's, zero-padded by 30 % of the child's length: cosine, each less its mean. */
int sn_pile_align(const struct sn_pile *parent, const struct sn_pile *child, bool both_strands, struct sn_shift *out);

#endif
