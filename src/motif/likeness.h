/* How alike two seqlets look. A seqlet's track holds 8 numbers a position: its hypothetical contributions over the sum of their sizes, and
 * the same of the contribution of the base that is there. The continuous Jaccard index of two tracks is
 * sum sign(x) sign(y) min(|x|,|y|) / sum max(|x|,|y|) = (P - M) / (P + M) with P = sum |x + y|, M = sum |x - y|. */
#ifndef SN_MOTIF_LIKENESS_H
#define SN_MOTIF_LIKENESS_H

#include "core/pool.h"
#include "motif/patterns.h"

#define SN_TRACK 8 /* numbers of a position */

/* Jaccard index of n numbers; 0 when all are 0. */
float sn_jaccard(const float *x, const float *y, int n);
typedef float (*sn_jaccard_fn)(const float *x, const float *y, int n);
sn_jaccard_fn sn_jaccard_loop(void); /* the same bits, as fast as this CPU can */
/* Sums of absolute differences of bytes: integers, so that all CPUs give the same. */
struct sn_sum_loops {
    /* P and M of n bytes (a multiple of 64), 128 = 0, for n_shifts windows of x that begin 8 bytes apart. x_minus holds 256 - x. */
    void (*shifts)(const uint8_t *x, const uint8_t *x_minus, const uint8_t *y, int n, int n_shifts, uint32_t *plus, uint32_t *minus);
    /* sum |x[strand][s + i] - y[i]| over n bytes (a multiple of 32) for n_shifts windows that begin one byte apart */
    void (*sizes)(const uint8_t *const x[2], const uint8_t *y, int n, int n_shifts, uint32_t *forward, uint32_t *reverse);
};
const struct sn_sum_loops *sn_sum_loops(void);          /* the best for this CPU (SEQNET_CPU restricts it) */
extern const struct sn_sum_loops sn_sum_loops_portable; /* for tests */

/* ---- seqlets as tracks ---- */

/* Tracks of n seqlets of one length, each in the orientation of its seqlet. */
struct sn_tracks {
    int n, length;
    float *value;    /* (n, length, 8) */
    uint8_t *byte;   /* (n, stride) value * SN_TRACK_SCALE + 128, clamped to 1..255; 128 behind the end */
    int stride;      /* bytes of a row, a multiple of 64 */
    uint8_t *size;   /* (n, size_stride) sum of |byte - 128| over each position; 0 behind the end */
    int size_stride; /* a multiple of 32 */
    uint8_t *large;  /* (n) 1: some size did not fit in a byte */
    uint32_t *whole; /* (n) sum of all sizes */
    float *strength; /* (n) sum of |contribution| */
};
#define SN_TRACK_SCALE 512.0f

int sn_tracks_make(const struct sn_attributions *a, const struct sn_seqlet *s, int n, struct sn_pool *pool, struct sn_tracks *out);
void sn_tracks_free(struct sn_tracks *t);

/* Bases (length) and hypothetical contributions (length,4) of a seqlet in its orientation. */
void sn_seqlet_cut(const struct sn_attributions *a, const struct sn_seqlet *s, uint8_t *bases, float *hypothetical);
/* A track (length, 8) from hypothetical and actual contributions (length,4). */
void sn_track_from(const float *hypothetical, const float *actual, int length, float *track);
/* (length, 8) of the other strand. */
void sn_track_reverse(const float *track, int length, float *out);

/* ---- one against many, over all shifts ---- */

/* A track with zeros on both sides, in both orientations: what windows of the others are compared with. */
struct sn_padded {
    int length, pad, cap;        /* positions; cap: most of length + 2 pad */
    float *value[2];             /* (cap, 8) forward, reverse complement */
    uint8_t *byte[2], *minus[2]; /* (cap + slack) * 8 */
    uint8_t *size[2];            /* (cap + slack) sum of |byte - 128| over each position */
    uint32_t *before[2];         /* (cap + slack + 1) sum of all sizes before each position */
    bool large;                  /* some size did not fit in a byte */
    uint32_t *apart[2];          /* (cap + slack) scratch: how far apart the sizes are, by shift */
    const struct sn_sum_loops *loops;
    sn_jaccard_fn jaccard;
};
int sn_padded_create(int cap, struct sn_padded *p);
void sn_padded_free(struct sn_padded *p);
void sn_padded_set(struct sn_padded *p, const float *track, int length, int pad, bool both_strands);

struct sn_shift {
    float score;
    int shift;    /* position of the padded one's first letter that the window's first letter faces; negative: before it */
    bool reverse; /* the padded one as its reverse complement */
};
/* The best place of window i of t: shifts -pad .. p->length + pad - t->length of either orientation; chosen on bytes, the first among
 * equals, forward first; the score is exact. */
void sn_best_shift(const struct sn_padded *p, const struct sn_tracks *t, int i, bool both_strands, struct sn_shift *out);

#endif
