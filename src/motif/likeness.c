#include "motif/likeness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/mem.h"
#include "motif/attributions.h"

#define SLACK 72     /* positions behind a padded track that vector loads may touch */
#define PER_TILE 256 /* seqlets */

typedef float float16 __attribute__((vector_size(64)));
typedef int32_t int16 __attribute__((vector_size(64)));

#define LANES 16

/* Sixteen lanes and one fixed tree, whatever the compiler makes of them: the same bits on every CPU. */
static inline __attribute__((always_inline)) float jaccard_body(const float *x, const float *y, int n) {
    float16 plus = {0}, minus = {0};
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        float16 a, b;
        memcpy(&a, x + i, sizeof a);
        memcpy(&b, y + i, sizeof b);
        plus += (float16)((int16)(a + b) & 0x7fffffff);
        minus += (float16)((int16)(a - b) & 0x7fffffff);
    }
    for (int lane = 0; i < n; i++, lane++) {
        plus[lane] += fabsf(x[i] + y[i]);
        minus[lane] += fabsf(x[i] - y[i]);
    }
    float p[LANES], m[LANES];
    memcpy(p, &plus, sizeof p);
    memcpy(m, &minus, sizeof m);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int k = 0; k < half; k++) {
            p[k] += p[k + half];
            m[k] += m[k + half];
        }
    return p[0] + m[0] > 0 ? (p[0] - m[0]) / (p[0] + m[0]) : 0;
}

static float jaccard_ref(const float *x, const float *y, int n) {
    return jaccard_body(x, y, n);
}
#if defined(__x86_64__)
__attribute__((target("avx2"))) static float jaccard_avx2(const float *x, const float *y, int n) {
    return jaccard_body(x, y, n);
}
__attribute__((target("avx512f,avx512dq"))) static float jaccard_avx512(const float *x, const float *y, int n) {
    return jaccard_body(x, y, n);
}
#endif

sn_jaccard_fn sn_jaccard_loop(void) {
#if defined(__x86_64__)
    enum sn_isa isa;
    if (sn_isa_detect(&isa) < 0) isa = SN_ISA_REF;
    if (isa == SN_ISA_AVX512) return jaccard_avx512;
    if (isa == SN_ISA_AVX2) return jaccard_avx2;
#endif
    return jaccard_ref;
}

float sn_jaccard(const float *x, const float *y, int n) {
    return jaccard_ref(x, y, n);
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

static uint8_t to_byte(float v) {
    float scaled = v * SN_TRACK_SCALE + 128.5f;
    return (uint8_t)(scaled > 255 ? 255 : scaled < 1 ? 1 : (int)scaled);
}

/* Sum of |byte - 128| over a position. */
static inline uint32_t position_size(const uint8_t *byte) {
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
        for (int k = 0; k < length * SN_TRACK; k++) byte[k] = to_byte(value[k]);
        for (int p = 0; p < length; p++) {
            uint32_t size = position_size(byte + p * SN_TRACK);
            t->whole[i] += size;
            t->size[(int64_t)i * t->size_stride + p] = (uint8_t)size;
            if (size > 255) t->large[i] = 1;
        }
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
    out->size_stride = (length + 31) / 32 * 32;
    out->size = sn_calloc((size_t)n, (size_t)out->size_stride);
    out->large = sn_calloc((size_t)n, 1);
    out->whole = sn_calloc((size_t)n, sizeof *out->whole);
    int rc = out->value && out->byte && out->size && out->large && out->whole ? 0 : SEQNET_ENOMEM;
    struct make_job j = {a, s, out};
    if (rc == 0) rc = sn_pool_run(pool, (n + PER_TILE - 1) / PER_TILE, sn_pool_size(pool), make_tile, &j);
    if (rc < 0) sn_tracks_free(out);
    return rc;
}

void sn_tracks_free(struct sn_tracks *t) {
    sn_aligned_free(t->value);
    sn_aligned_free(t->byte);
    free(t->size);
    free(t->large);
    free(t->whole);
    memset(t, 0, sizeof *t);
}

/* ---- padded tracks ---- */

int sn_padded_create(int cap, struct sn_padded *p) {
    *p = (struct sn_padded){.cap = cap, .loops = sn_sum_loops(), .jaccard = sn_jaccard_loop()};
    size_t positions = (size_t)cap + SLACK;
    bool ok = true;
    for (int strand = 0; strand < 2; strand++) {
        p->value[strand] = sn_calloc(positions, SN_TRACK * sizeof(float));
        p->byte[strand] = sn_calloc(positions, SN_TRACK);
        p->minus[strand] = sn_calloc(positions, SN_TRACK);
        p->size[strand] = sn_calloc(positions, 1);
        p->before[strand] = sn_calloc(positions + 1, sizeof(uint32_t));
        p->apart[strand] = sn_calloc(positions, sizeof(uint32_t));
        ok = ok && p->value[strand] && p->byte[strand] && p->minus[strand] && p->size[strand] && p->before[strand] && p->apart[strand];
    }
    if (!ok) sn_padded_free(p);
    return ok ? 0 : SEQNET_ENOMEM;
}

void sn_padded_free(struct sn_padded *p) {
    for (int strand = 0; strand < 2; strand++) {
        free(p->value[strand]);
        free(p->byte[strand]);
        free(p->minus[strand]);
        free(p->size[strand]);
        free(p->before[strand]);
        free(p->apart[strand]);
    }
    memset(p, 0, sizeof *p);
}

/* Bytes and sizes of a strand; zeros stand on both sides of the track. */
static void set_strand(struct sn_padded *p, int strand) {
    int all = p->length + 2 * p->pad + SLACK, end = p->pad + p->length;
    const float *v = p->value[strand];
    uint8_t *b = p->byte[strand], *m = p->minus[strand];
    uint32_t sum = 0;
    memset(b, 128, (size_t)all * SN_TRACK);
    memset(m, 128, (size_t)all * SN_TRACK);
    memset(p->size[strand], 0, (size_t)all);
    for (int q = 0; q <= p->pad; q++) p->before[strand][q] = 0;
    for (int q = p->pad; q < end; q++) {
        for (int k = q * SN_TRACK; k < (q + 1) * SN_TRACK; k++) {
            b[k] = to_byte(v[k]);
            m[k] = (uint8_t)(256 - b[k]);
        }
        uint32_t size = position_size(b + q * SN_TRACK);
        p->size[strand][q] = (uint8_t)size;
        if (size > 255) p->large = true;
        sum += size;
        p->before[strand][q + 1] = sum;
    }
    for (int q = end; q < all; q++) p->before[strand][q + 1] = sum;
}

void sn_padded_set(struct sn_padded *p, const float *track, int length, int pad, bool both_strands) {
    p->length = length;
    p->pad = pad;
    p->large = false;
    for (int strand = 0; strand <= (both_strands ? 1 : 0); strand++) {
        float *v = p->value[strand];
        memset(v, 0, (size_t)(length + 2 * pad + SLACK) * SN_TRACK * sizeof *v);
        if (strand == 0)
            memcpy(v + pad * SN_TRACK, track, (size_t)length * SN_TRACK * sizeof *v);
        else
            sn_track_reverse(track, length, v + pad * SN_TRACK);
        set_strand(p, strand);
    }
}

/* The search for the best place of window i. */
struct search {
    const struct sn_padded *p;
    const struct sn_tracks *t;
    const uint8_t *y;
    int i, n_shifts;
    float score, above; /* of the best place so far; and what D/S a better one must be below */
    int shift, strand;
};

#define RUN 8 /* places looked at together */

/* Looks at n <= RUN places from s on, in bytes. */
static void look(struct search *k, int strand, int s, int n) {
    const struct sn_padded *p = k->p;
    const struct sn_tracks *t = k->t;
    const uint32_t *before = p->before[strand] + s;
    uint32_t plus[RUN], minus[RUN];
    p->loops->shifts(p->byte[strand] + s * SN_TRACK, p->minus[strand] + s * SN_TRACK, k->y, t->stride, n, plus, minus);
    for (int m = 0; m < n; m++, before++) {
        /* behind the window y is 0 and x counts in both sums alike */
        uint32_t behind = before[t->stride / SN_TRACK] - before[t->length], a = plus[m] - behind, b = minus[m] - behind;
        float score = a + b > 0 ? ((float)a - (float)b) / (float)(a + b) : 0;
        if (score < k->score) continue;
        if (score == k->score && (strand > k->strand || (strand == k->strand && s + m >= k->shift))) continue;
        k->score = score;
        k->strand = strand;
        k->shift = s + m;
        k->above = score > -1 ? 1.000001f * (1 - score) / (1 + score) : INFINITY;
    }
}

/* S, the sizes of both over the window, and D, how far apart they are: the index is at most (S - D) / (S + D). */
static inline float whole_size(const struct search *k, int strand, int s) {
    return (float)(k->t->whole[k->i] + k->p->before[strand][s + k->t->length] - k->p->before[strand][s]);
}
static inline float size_apart(const struct search *k, int strand, int s) {
    const uint32_t *before = k->p->before[strand];
    return (float)(k->p->apart[strand][s] - (before[s + k->t->size_stride] - before[s + k->t->length]));
}

void sn_best_shift(const struct sn_padded *p, const struct sn_tracks *t, int i, bool both_strands, struct sn_shift *out) {
    int strands = both_strands ? 2 : 1;
    struct search k = {.p = p, .t = t, .y = t->byte + (int64_t)i * t->stride, .i = i, .score = -2, .above = INFINITY};
    k.n_shifts = p->length + 2 * p->pad - t->length + 1;
    bool bounded = !p->large && !t->large[i];
    if (bounded) {
        const uint8_t *const x[2] = {p->size[0], p->size[strands - 1]};
        p->loops->sizes(x, t->size + (int64_t)i * t->size_stride, t->size_stride, k.n_shifts, p->apart[0], p->apart[1]);
        /* where the sizes overlap most is a good place to begin */
        float most = -1;
        int first = 0, first_strand = 0;
        for (int strand = 0; strand < strands; strand++)
            for (int s = 0; s < k.n_shifts; s++) {
                float overlap = whole_size(&k, strand, s) - size_apart(&k, strand, s);
                if (overlap <= most) continue;
                most = overlap;
                first = s;
                first_strand = strand;
            }
        look(&k, first_strand, first, 1);
    }
    for (int strand = 0; strand < strands; strand++)
        for (int s = 0; s < k.n_shifts; s += RUN) {
            int n = k.n_shifts - s < RUN ? k.n_shifts - s : RUN, m = bounded ? 0 : n;
            while (m < n && size_apart(&k, strand, s + m) > k.above * whole_size(&k, strand, s + m)) m++;
            if (!bounded || m < n) look(&k, strand, s, n);
        }
    out->score = p->jaccard(p->value[k.strand] + k.shift * SN_TRACK, t->value + (int64_t)i * t->length * SN_TRACK, t->length * SN_TRACK);
    out->shift = k.shift - p->pad;
    out->reverse = k.strand == 1;
}
