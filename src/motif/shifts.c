#include "motif/shifts.h"

#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/cpu.h"
#include "core/error.h"
#include "core/mem.h"

#define LANES 16
#define NEVER INT32_MAX /* order of what is no place */

/* ---- padded tracks ---- */

static int whole_vectors(int n) {
    return (n + LANES - 1) / LANES * LANES;
}

static sn_best_fn best_fn(void);

int sn_padded_create(int cap, struct sn_padded *p) {
    *p = (struct sn_padded){.cap = cap, .byte_sums = sn_byte_sums(), .sums = sn_number_sums(), .best = best_fn()};
    size_t places = 2 * (size_t)whole_vectors(cap + 1);
    /* a copy is read up to the last vector of the window in the last group of shifts */
    size_t positions = ((size_t)cap + 3 * SN_SUM_GROUP) / SN_SUM_GROUP * SN_SUM_GROUP;
    p->stride = positions * SN_TRACK;
    bool ok = true;
    for (int strand = 0; strand < 2; strand++) {
        p->value[strand] = sn_calloc((size_t)cap, SN_TRACK * sizeof(float));
        p->byte[strand] = sn_aligned_alloc(SN_SUM_GROUP * p->stride);
        p->order[strand] = sn_calloc(places, sizeof(int32_t));
        ok = ok && p->value[strand] && p->byte[strand] && p->order[strand];
    }
    p->behind = sn_calloc(places, sizeof *p->behind);
    p->uncovered = sn_calloc(places, sizeof *p->uncovered);
    p->plus = sn_calloc(places, sizeof *p->plus);
    p->minus = sn_calloc(places, sizeof *p->minus);
    p->before = sn_calloc(positions + 1, sizeof *p->before);
    ok = ok && p->behind && p->uncovered && p->plus && p->minus && p->before;
    if (!ok) sn_padded_free(p);
    return ok ? 0 : SEQNET_ENOMEM;
}

void sn_padded_free(struct sn_padded *p) {
    for (int strand = 0; strand < 2; strand++) {
        free(p->value[strand]);
        sn_aligned_free(p->byte[strand]);
        free(p->order[strand]);
    }
    free(p->behind);
    free(p->uncovered);
    free(p->plus);
    free(p->minus);
    free(p->before);
    memset(p, 0, sizeof *p);
}

/* Sizes of what is behind the windows of a strand and of what they leave uncovered; the bytes stand in its first copy. */
static void set_sizes(struct sn_padded *p, int strand) {
    uint32_t *behind = p->behind + strand * p->places, *uncovered = p->uncovered + strand * p->places, *before = p->before;
    int positions = (int)(p->stride / SN_TRACK), read = (p->window + SN_SUM_GROUP - 1) / SN_SUM_GROUP * SN_SUM_GROUP;
    for (int q = 0; q < positions; q++) before[q + 1] = before[q] + sn_position_size(p->byte[strand] + q * SN_TRACK);
    for (int s = 0; s < p->n_shifts; s++) {
        behind[s] = before[s + read] - before[s + p->window];
        uncovered[s] = before[positions] - (before[s + p->window] - before[s]);
    }
}

static void set_strand(struct sn_padded *p, int strand) {
    uint8_t *b = p->byte[strand];
    const float *v = p->value[strand];
    memset(b, 128, p->stride);
    for (int k = 0; k < p->length * SN_TRACK; k++) b[p->pad * SN_TRACK + k] = sn_track_byte(v[k]);
    for (size_t copy = 1; copy < SN_SUM_GROUP; copy++) {
        size_t cut = copy * SN_TRACK;
        memcpy(b + copy * p->stride, b + cut, p->stride - cut);
        memset(b + (copy + 1) * p->stride - cut, 128, cut);
    }
    set_sizes(p, strand);
}

void sn_padded_set(struct sn_padded *p, const float *track, int length, int pad, int window, bool both_strands) {
    p->length = length;
    p->pad = pad;
    p->window = window;
    p->n_shifts = length + 2 * pad - window + 1;
    p->places = whole_vectors(p->n_shifts);
    for (int strand = 0; strand < 2; strand++)
        for (int s = 0; s < p->places; s++) {
            bool valid = s < p->n_shifts && (strand == 0 || both_strands);
            p->order[0][strand * p->places + s] = valid ? s + strand * p->n_shifts : NEVER;
            p->order[1][strand * p->places + s] = valid ? strand == 0 ? p->n_shifts - 1 - s : s + p->n_shifts : NEVER;
        }
    memcpy(p->value[0], track, (size_t)length * SN_TRACK * sizeof *track);
    set_strand(p, 0);
    if (!both_strands) return;
    sn_track_reverse(track, length, p->value[1]);
    set_strand(p, 1);
}

/* ---- the best place ---- */

static inline float index_of(uint32_t plus, uint32_t minus) {
    float a = (float)(int32_t)plus, b = (float)(int32_t)minus;
    return a + b > 0 ? (a - b) / (a + b) : 0;
}

static int32_t best_ref(const struct sn_padded *p, const uint32_t *hang, int strands) {
    const int32_t *order = p->order[hang ? 1 : 0];
    float best = -2;
    int32_t at = NEVER;
    for (int i = 0; i < strands * p->places; i++) {
        if (order[i] == NEVER) continue;
        uint32_t by = hang ? p->uncovered[i] - hang[i < p->places ? i : i - p->places] : 0;
        by -= p->behind[i];
        float score = index_of(p->plus[i] + by, p->minus[i] + by);
        if (score < best || (score == best && order[i] > at)) continue;
        best = score;
        at = order[i];
    }
    return at;
}

#if defined(__x86_64__)
#define LOAD8(from) _mm256_loadu_si256((const __m256i *)(from))
#define LOAD16(from) _mm512_loadu_si512((const void *)(from))

__attribute__((target("avx2"))) static int32_t best_avx2(const struct sn_padded *p, const uint32_t *hang, int strands) {
    const int32_t *order = p->order[hang ? 1 : 0];
    __m256 best = _mm256_set1_ps(-2);
    __m256i at = _mm256_set1_epi32(NEVER), never = at;
    for (int i = 0; i < strands * p->places; i += 8) {
        __m256i by = _mm256_sub_epi32(_mm256_setzero_si256(), LOAD8(p->behind + i)), rank = LOAD8(order + i);
        if (hang) by = _mm256_add_epi32(by, _mm256_sub_epi32(LOAD8(p->uncovered + i), LOAD8(hang + (i < p->places ? i : i - p->places))));
        __m256 a = _mm256_cvtepi32_ps(_mm256_add_epi32(LOAD8(p->plus + i), by));
        __m256 b = _mm256_cvtepi32_ps(_mm256_add_epi32(LOAD8(p->minus + i), by));
        __m256 sum = _mm256_add_ps(a, b), some = _mm256_cmp_ps(sum, _mm256_setzero_ps(), _CMP_GT_OQ);
        __m256 score = _mm256_and_ps(_mm256_div_ps(_mm256_sub_ps(a, b), sum), some);
        __m256i equal = _mm256_castps_si256(_mm256_cmp_ps(score, best, _CMP_EQ_OQ));
        __m256i better = _mm256_castps_si256(_mm256_cmp_ps(score, best, _CMP_GT_OQ));
        better = _mm256_or_si256(better, _mm256_and_si256(equal, _mm256_cmpgt_epi32(at, rank)));
        better = _mm256_andnot_si256(_mm256_cmpeq_epi32(rank, never), better);
        best = _mm256_blendv_ps(best, score, _mm256_castsi256_ps(better));
        at = _mm256_blendv_epi8(at, rank, better);
    }
    float score[8];
    int32_t rank[8], first = 0;
    _mm256_storeu_ps(score, best);
    _mm256_storeu_si256((__m256i *)rank, at);
    for (int lane = 1; lane < 8; lane++)
        if (score[lane] > score[first] || (score[lane] == score[first] && rank[lane] < rank[first])) first = lane;
    return rank[first];
}

__attribute__((target("avx512f"))) static int32_t best_avx512(const struct sn_padded *p, const uint32_t *hang, int strands) {
    const int32_t *order = p->order[hang ? 1 : 0];
    __m512 best = _mm512_set1_ps(-2);
    __m512i at = _mm512_set1_epi32(NEVER), never = at;
    for (int i = 0; i < strands * p->places; i += 16) {
        __m512i by = _mm512_sub_epi32(_mm512_setzero_si512(), LOAD16(p->behind + i)), rank = LOAD16(order + i);
        if (hang) by = _mm512_add_epi32(by, _mm512_sub_epi32(LOAD16(p->uncovered + i), LOAD16(hang + (i < p->places ? i : i - p->places))));
        __m512 a = _mm512_cvtepi32_ps(_mm512_add_epi32(LOAD16(p->plus + i), by));
        __m512 b = _mm512_cvtepi32_ps(_mm512_add_epi32(LOAD16(p->minus + i), by));
        __m512 sum = _mm512_add_ps(a, b);
        __mmask16 some = _mm512_cmp_ps_mask(sum, _mm512_setzero_ps(), _CMP_GT_OQ);
        __m512 score = _mm512_maskz_div_ps(some, _mm512_sub_ps(a, b), sum);
        __mmask16 better = _mm512_cmp_ps_mask(score, best, _CMP_GT_OQ);
        better |= _mm512_mask_cmplt_epi32_mask(_mm512_cmp_ps_mask(score, best, _CMP_EQ_OQ), rank, at);
        better = _mm512_mask_cmpneq_epi32_mask(better, rank, never);
        best = _mm512_mask_mov_ps(best, better, score);
        at = _mm512_mask_mov_epi32(at, better, rank);
    }
    __mmask16 first = _mm512_cmp_ps_mask(best, _mm512_set1_ps(_mm512_reduce_max_ps(best)), _CMP_EQ_OQ);
    return _mm512_mask_reduce_min_epi32(first, at);
}
#endif

static sn_best_fn best_fn(void) {
#if defined(__x86_64__)
    enum sn_isa isa;
    if (sn_isa_detect(&isa) < 0) isa = SN_ISA_REF;
    if (isa == SN_ISA_AVX512) return best_avx512;
    if (isa == SN_ISA_AVX2) return best_avx2;
#endif
    return best_ref;
}

/* P and M of all places, in bytes. */
static void sum_places(const struct sn_padded *p, const struct sn_tracks *t, int i, int strands) {
    for (int strand = 0; strand < strands; strand++) {
        struct sn_byte_rows rows = {p->byte[strand], p->stride, 64, p->n_shifts};
        p->byte_sums(t->byte + (int64_t)i * t->stride, t->stride, &rows, p->plus + strand * p->places, p->minus + strand * p->places);
    }
}

/* What overlaps when window i lies at a place, and the sizes of what does not. */
struct overlap {
    int strand, shift;
    float plus, minus, window, padded;
};

static void measure(const struct sn_padded *p, const struct sn_tracks *t, int i, int strand, int shift, struct overlap *o) {
    const float *y = t->value + (int64_t)i * t->length * SN_TRACK, *x = p->value[strand];
    int from = p->pad - shift, end = from + p->length; /* of the track, seen from the window */
    int first = from > 0 ? from : 0, last = end < p->window ? end : p->window;
    o->strand = strand;
    o->shift = shift;
    p->sums->pair(x + (first - from) * SN_TRACK, y + first * SN_TRACK, (last - first) * SN_TRACK, &o->plus, &o->minus);
    o->window = p->sums->size(y, first * SN_TRACK) + p->sums->size(y + last * SN_TRACK, (p->window - last) * SN_TRACK);
    o->padded = p->sums->size(x, (first - from) * SN_TRACK) + p->sums->size(x + (last - from) * SN_TRACK, (end - last) * SN_TRACK);
}

static float score(const struct overlap *o, float outside) {
    float all = o->plus + o->minus + 2 * outside;
    return all > 0 ? (o->plus - o->minus) / all : 0;
}

void sn_best_shift(const struct sn_padded *p, const struct sn_tracks *t, int i, bool both_strands, struct sn_shift *out) {
    int strands = both_strands ? 2 : 1;
    struct overlap o;
    sum_places(p, t, i, strands);
    int32_t order = p->best(p, NULL, strands);
    bool reverse = order >= p->n_shifts;
    measure(p, t, i, reverse, reverse ? order - p->n_shifts : order, &o);
    *out = (struct sn_shift){score(&o, o.window), o.shift - p->pad, reverse};
}

/* ---- both ways ---- */

struct overhang_job {
    const struct sn_tracks *t;
    int pad, places;
    uint32_t *out;
};

#define PER_TILE 256 /* tracks */

static int overhang_tile(void *arg, int tile, int worker) {
    (void)worker;
    const struct overhang_job *j = arg;
    const struct sn_tracks *t = j->t;
    int end = (tile + 1) * PER_TILE < t->n ? (tile + 1) * PER_TILE : t->n;
    for (int i = tile * PER_TILE; i < end; i++) {
        const uint8_t *b = t->byte + (int64_t)i * t->stride;
        uint32_t *out = j->out + (int64_t)i * j->places;
        for (int s = j->pad - 1; s >= 0; s--) out[s] = out[s + 1] + sn_position_size(b + (j->pad - 1 - s) * SN_TRACK);
        for (int s = j->pad + 1; s <= 2 * j->pad; s++) out[s] = out[s - 1] + sn_position_size(b + (t->length - (s - j->pad)) * SN_TRACK);
    }
    return 0;
}

int sn_window_overhangs(const struct sn_tracks *t, int pad, struct sn_pool *pool, uint32_t **out) {
    struct overhang_job j = {t, pad, whole_vectors(2 * pad + 1), NULL};
    j.out = *out = sn_calloc((size_t)t->n, (size_t)j.places * sizeof *j.out);
    if (!j.out) return SEQNET_ENOMEM;
    return sn_pool_run(pool, (t->n + PER_TILE - 1) / PER_TILE, sn_pool_size(pool), overhang_tile, &j);
}

void sn_best_scores(const struct sn_padded *p, const struct sn_tracks *t, int i, const uint32_t *overhang, bool both_strands, float *forth,
                    float *back) {
    int strands = both_strands ? 2 : 1;
    struct overlap here, there;
    sum_places(p, t, i, strands);
    int32_t order = p->best(p, NULL, strands);
    bool reverse = order >= p->n_shifts;
    measure(p, t, i, reverse, reverse ? order - p->n_shifts : order, &here);
    *forth = score(&here, here.window);
    order = p->best(p, overhang + (int64_t)i * p->places, strands);
    reverse = order >= p->n_shifts;
    int shift = reverse ? order - p->n_shifts : p->n_shifts - 1 - order;
    there = here;
    if (shift != here.shift || reverse != here.strand) measure(p, t, i, reverse, shift, &there);
    *back = score(&there, there.padded);
}
