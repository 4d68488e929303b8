#include "motif/likeness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/mem.h"
#include "motif/attributions.h"

#define PER_TILE 256 /* seqlets */

typedef float float16 __attribute__((vector_size(64)));
typedef float float8 __attribute__((vector_size(32)));
typedef int32_t int8 __attribute__((vector_size(32)));
typedef float float4 __attribute__((vector_size(16)));
typedef int32_t int16 __attribute__((vector_size(64)));

#define LANES 16

/* Sums in sixteen lanes and one fixed tree, whatever the compiler makes of them: the same bits on every CPU. */
struct lanes {
    float8 half[2];
};

static inline __attribute__((always_inline)) void split(const float16 *v, struct lanes *out) {
    memcpy(out, v, sizeof *out);
}
static inline __attribute__((always_inline)) float tree(struct lanes *l) {
    float4 quarter[2];
    l->half[0] += l->half[1];
    memcpy(quarter, &l->half[0], sizeof quarter);
    quarter[0] += quarter[1];
    return (quarter[0][0] + quarter[0][2]) + (quarter[0][1] + quarter[0][3]);
}

static inline __attribute__((always_inline)) void pair_body(const float *x, const float *y, int n, float *p, float *m) {
    float16 plus = {0}, minus = {0};
    struct lanes by_plus, by_minus;
    int i = 0, half = 0;
    for (; i + LANES <= n; i += LANES) {
        float16 a, b;
        memcpy(&a, x + i, sizeof a);
        memcpy(&b, y + i, sizeof b);
        plus += (float16)((int16)(a + b) & 0x7fffffff);
        minus += (float16)((int16)(a - b) & 0x7fffffff);
    }
    split(&plus, &by_plus);
    split(&minus, &by_minus);
    if (i + LANES / 2 <= n) {
        float8 a, b;
        memcpy(&a, x + i, sizeof a);
        memcpy(&b, y + i, sizeof b);
        by_plus.half[0] += (float8)((int8)(a + b) & 0x7fffffff);
        by_minus.half[0] += (float8)((int8)(a - b) & 0x7fffffff);
        half = 1;
        i += LANES / 2;
    }
    for (int lane = 0; i < n; i++, lane++) {
        by_plus.half[half][lane] += fabsf(x[i] + y[i]);
        by_minus.half[half][lane] += fabsf(x[i] - y[i]);
    }
    *p = tree(&by_plus);
    *m = tree(&by_minus);
}

static inline __attribute__((always_inline)) float jaccard_body(const float *x, const float *y, int n) {
    float p, m;
    pair_body(x, y, n, &p, &m);
    return p + m > 0 ? (p - m) / (p + m) : 0;
}

static inline __attribute__((always_inline)) float size_body(const float *x, int n) {
    float16 sum = {0};
    struct lanes lanes;
    int i = 0, half = 0;
    for (; i + LANES <= n; i += LANES) {
        float16 a;
        memcpy(&a, x + i, sizeof a);
        sum += (float16)((int16)a & 0x7fffffff);
    }
    split(&sum, &lanes);
    if (i + LANES / 2 <= n) {
        float8 a;
        memcpy(&a, x + i, sizeof a);
        lanes.half[0] += (float8)((int8)a & 0x7fffffff);
        half = 1;
        i += LANES / 2;
    }
    for (int lane = 0; i < n; i++, lane++) lanes.half[half][lane] += fabsf(x[i]);
    return tree(&lanes);
}

#define NUMBER_SUMS(isa, attribute)                                                                                                        \
    attribute static float jaccard_##isa(const float *x, const float *y, int n) {                                                          \
        return jaccard_body(x, y, n);                                                                                                      \
    }                                                                                                                                      \
    attribute static void pair_##isa(const float *x, const float *y, int n, float *p, float *m) {                                          \
        pair_body(x, y, n, p, m);                                                                                                          \
    }                                                                                                                                      \
    attribute static float size_##isa(const float *x, int n) {                                                                             \
        return size_body(x, n);                                                                                                            \
    }                                                                                                                                      \
    static const struct sn_number_sums sums_##isa = {jaccard_##isa, pair_##isa, size_##isa};

NUMBER_SUMS(ref, )
#if defined(__x86_64__)
NUMBER_SUMS(avx2, __attribute__((target("avx2"))))
NUMBER_SUMS(avx512, __attribute__((target("avx512f,avx512dq"))))
#endif

const struct sn_number_sums *sn_number_sums(void) {
#if defined(__x86_64__)
    enum sn_isa isa;
    if (sn_isa_detect(&isa) < 0) isa = SN_ISA_REF;
    if (isa == SN_ISA_AVX512) return &sums_avx512;
    if (isa == SN_ISA_AVX2) return &sums_avx2;
#endif
    return &sums_ref;
}

/* ---- tracks ---- */

void sn_seqlet_cut(const struct sn_attributions *a, const struct sn_seqlet *s, uint8_t *bases, float *hypothetical) {
    int n = s->end - s->start;
    const uint8_t *b = a->bases + (int64_t)s->sequence * a->length + s->start;
    for (int p = 0; p < n; p++) {
        int to = s->reverse ? n - 1 - p : p;
        bases[to] = b[p] < 4 && s->reverse ? 3 - b[p] : b[p];
        for (int c = 0; c < 4; c++) hypothetical[to * 4 + (s->reverse ? 3 - c : c)] = sn_hypothetical(a, s->sequence, s->start + p, c);
    }
    sn_seqlet_drop(a, s);
}

void sn_track_from(const float *hypothetical, const float *actual, int length, float *track) {
    double of_h = 0, of_a = 0;
    for (int i = 0; i < 4 * length; i++) {
        of_h += fabsf(hypothetical[i]);
        of_a += fabsf(actual[i]);
    }
    float by_h = of_h > 0 ? (float)(1 / of_h) : 1, by_a = of_a > 0 ? (float)(1 / of_a) : 1;
    for (int p = 0; p < length; p++)
        for (int c = 0; c < 4; c++) {
            track[p * SN_TRACK + c] = hypothetical[p * 4 + c] * by_h;
            track[p * SN_TRACK + 4 + c] = actual[p * 4 + c] * by_a;
        }
}

void sn_track_reverse(const float *track, int length, float *out) {
    for (int p = 0; p < length; p++)
        for (int c = 0; c < 4; c++) {
            out[p * SN_TRACK + c] = track[(length - 1 - p) * SN_TRACK + 3 - c];
            out[p * SN_TRACK + 4 + c] = track[(length - 1 - p) * SN_TRACK + 7 - c];
        }
}

uint8_t sn_track_byte(float v) {
    float scaled = v * SN_TRACK_SCALE + 128.5f;
    return (uint8_t)(scaled > 255 ? 255 : scaled < 1 ? 1 : (int)scaled);
}

uint32_t sn_position_size(const uint8_t *byte) {
    uint32_t sum = 0;
    for (int c = 0; c < SN_TRACK; c++) sum += (uint32_t)abs(byte[c] - 128);
    return sum;
}

struct make_job {
    const struct sn_attributions *a;
    const struct sn_seqlet *s;
    struct sn_tracks *t;
};

static int make_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct make_job *j = arg;
    struct sn_tracks *t = j->t;
    int length = t->length, end = (tile + 1) * PER_TILE < t->n ? (tile + 1) * PER_TILE : t->n;
    float *work = sn_calloc((size_t)length * 8, sizeof *work);
    uint8_t *bases = sn_calloc((size_t)length, 1);
    if (!work || !bases) {
        free(work);
        free(bases);
        return SEQNET_ENOMEM;
    }
    float *h = work, *actual = work + 4 * length;
    for (int i = tile * PER_TILE; i < end; i++) {
        sn_seqlet_cut(j->a, &j->s[i], bases, h);
        memset(actual, 0, (size_t)length * 4 * sizeof *actual);
        for (int p = 0; p < length; p++)
            if (bases[p] < 4) actual[p * 4 + bases[p]] = h[p * 4 + bases[p]];
        float *value = t->value + (int64_t)i * length * SN_TRACK;
        uint8_t *byte = t->byte + (int64_t)i * t->stride;
        sn_track_from(h, actual, length, value);
        memset(byte, 128, (size_t)t->stride);
        for (int k = 0; k < length * SN_TRACK; k++) byte[k] = sn_track_byte(value[k]);
    }
    free(work);
    free(bases);
    return 0;
}

int sn_tracks_make(const struct sn_attributions *a, const struct sn_seqlet *s, int n, struct sn_pool *pool, struct sn_tracks *out) {
    int length = n > 0 ? s[0].end - s[0].start : 0, stride = (length * SN_TRACK + 63) / 64 * 64;
    *out = (struct sn_tracks){.n = n, .length = length, .stride = stride};
    out->value = sn_aligned_alloc((size_t)n * (size_t)length * SN_TRACK * sizeof *out->value);
    out->byte = sn_aligned_alloc((size_t)n * (size_t)stride);
    int rc = out->value && out->byte ? 0 : SEQNET_ENOMEM;
    struct make_job j = {a, s, out};
    if (rc == 0) rc = sn_pool_run(pool, (n + PER_TILE - 1) / PER_TILE, sn_pool_size(pool), make_tile, &j);
    if (rc < 0) sn_tracks_free(out);
    return rc;
}

void sn_tracks_free(struct sn_tracks *t) {
    sn_aligned_free(t->value);
    sn_aligned_free(t->byte);
    memset(t, 0, sizeof *t);
}
