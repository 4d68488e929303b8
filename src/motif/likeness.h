/* How alike two seqlets look. A seqlet's track holds 8 numbers a position: its hypothetical contributions over the sum of their sizes, and
 * the same of the contribution of the base that is there. The continuous Jaccard index of two tracks is
 * sum sign(x) sign(y) min(|x|,|y|) / sum max(|x|,|y|) = (P - M) / (P + M) with P = sum |x + y|, M = sum |x - y|. */
#ifndef SN_MOTIF_LIKENESS_H
#define SN_MOTIF_LIKENESS_H

#include "core/pool.h"
#include "motif/patterns.h"

#define SN_TRACK 8 /* numbers of a position */

/* Sums over numbers, the same bits on every CPU. */
struct sn_number_sums {
    float (*jaccard)(const float *x, const float *y, int n);                        /* 0 when all are 0 */
    void (*pair)(const float *x, const float *y, int n, float *plus, float *minus); /* P and M */
    float (*size)(const float *x, int n);                                           /* sum |x| */
};
const struct sn_number_sums *sn_number_sums(void); /* the best for this CPU (SEQNET_CPU restricts it) */

/* Rows of bytes in groups of eight: row i begins at first + i / 8 * group_stride + i % 8 * stride. */
#define SN_SUM_GROUP 8
struct sn_byte_rows {
    const uint8_t *first;
    size_t stride, group_stride;
    int n;
};
/* P and M, (rows), of the n bytes y (a multiple of 64), 128 = 0, and of each row. */
typedef void (*sn_byte_sums_fn)(const uint8_t *y, int n, const struct sn_byte_rows *rows, uint32_t *plus, uint32_t *minus);
sn_byte_sums_fn sn_byte_sums(void);                 /* the best for this CPU */
extern const sn_byte_sums_fn sn_byte_sums_portable; /* for tests */

/* ---- seqlets as tracks ---- */

/* Tracks of n seqlets of one length, each in the orientation of its seqlet. */
struct sn_tracks {
    int n, length;
    float *value;  /* (n, length, 8) */
    uint8_t *byte; /* (n, stride) value * SN_TRACK_SCALE + 128, clamped to 1..255; 128 behind the end */
    int stride;    /* bytes of a row, a multiple of 64 */
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

/* Sum of |byte - 128| over a position. */
uint32_t sn_position_size(const uint8_t *byte);
uint8_t sn_track_byte(float v);

#endif
