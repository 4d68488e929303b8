/* One track against the windows of many others, over all shifts and both strands: the place is chosen by Jaccard indices of bytes, its
 * index is exact. */
#ifndef SN_MOTIF_SHIFTS_H
#define SN_MOTIF_SHIFTS_H

#include "motif/likeness.h"

struct sn_padded;
/* Order of the best place of each strand's `places` (whole vectors), where P = plus - behind and M = minus - behind; seen from the window
 * where hang, (places), is given: both + uncovered - hang. */
typedef int32_t (*sn_best_fn)(const struct sn_padded *p, const uint32_t *hang, int strands);

/* A track with `pad` zeros on both sides. A window's place: its strand (1: the track's reverse complement) and the shift, 0 .. n_shifts -
 * 1, of its first position from the first zero. */
struct sn_padded {
    int length, pad, window, n_shifts;
    int places;             /* n_shifts rounded up to whole vectors: what one strand takes in the arrays below */
    int cap;                /* most of length + 2 pad */
    float *value[2];        /* (length, 8) forward, reverse complement */
    uint8_t *byte[2];       /* (8, stride) eight copies; each begins a position later than the one before, so that every load is aligned */
    size_t stride;          /* bytes of a copy */
    uint32_t *behind;       /* (2, places) size of what stands behind the window in its last vector; counts in both sums alike */
    uint32_t *uncovered;    /* (2, places) size of what the window leaves uncovered */
    int32_t *order[2];      /* (2, places) which place comes first among equals; as the window, the other track sees it */
    uint32_t *plus, *minus; /* (2, places) scratch */
    uint32_t *before;       /* (positions + 1) scratch */
    sn_byte_sums_fn byte_sums;
    const struct sn_number_sums *sums;
    sn_best_fn best;
};
int sn_padded_create(int cap, struct sn_padded *p);
void sn_padded_free(struct sn_padded *p);
/* window: length of what it will be compared with */
void sn_padded_set(struct sn_padded *p, const float *track, int length, int pad, int window, bool both_strands);

struct sn_shift {
    float score;
    int shift;    /* position of the padded one's first letter that the window's first letter faces; negative: before it */
    bool reverse; /* the padded one as its reverse complement */
};
/* The best place of window i of t, the first among equals, forward first. */
void sn_best_shift(const struct sn_padded *p, const struct sn_tracks *t, int i, bool both_strands, struct sn_shift *out);

/* (n, places of one strand), for windows padded like the tracks of one length: size of what stands in the padding when a track is the
 * window at a place. */
int sn_window_overhangs(const struct sn_tracks *t, int pad, struct sn_pool *pool, uint32_t **out);
/* Best index of window i in the padded track, and of the padded track as a window in track i, padded alike: what overlaps is the same. */
void sn_best_scores(const struct sn_padded *p, const struct sn_tracks *t, int i, const uint32_t *overhang, bool both_strands, float *forth,
                    float *back);

#endif
