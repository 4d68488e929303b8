/* Compiled once for each instruction set: SN_LOOPS is the name of the table. Written so that compilers vectorise it; no sum changes its
 * order with the width of the vectors. */
#include "motif/loops.h"

#include <math.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define LANES SN_LANES

/* Vectors of the CPU's own size: what compilers make of larger ones is slow. */
#if defined(__AVX512DQ__)
#define BYTES 64
#elif defined(__AVX2__)
#define BYTES 32
#else
#define BYTES 16
#endif
#define FLOATS (BYTES / 4)
#define DOUBLES (BYTES / 8)
#define PARTS (LANES / FLOATS)
typedef float vec_f __attribute__((vector_size(BYTES)));
typedef double vec_d __attribute__((vector_size(BYTES)));
typedef int32_t vec_i __attribute__((vector_size(BYTES)));
typedef uint16_t vec_u16 __attribute__((vector_size(BYTES / 2)));
typedef int8_t vec_i8 __attribute__((vector_size(BYTES / 4)));
typedef int16_t lanes_i16 __attribute__((vector_size(2 * LANES)));
typedef int8_t lanes_i8 __attribute__((vector_size(LANES)));

static inline vec_f splat(float v) {
    vec_f all = {0};
    return all + v;
}

static inline vec_f load(const float *p) {
    vec_f v;
    memcpy(&v, p, sizeof v);
    return v;
}

#if defined(__AVX512DQ__)
#define smaller(a, b) (vec_f) _mm512_min_ps((__m512)(a), (__m512)(b))
#define larger(a, b) (vec_f) _mm512_max_ps((__m512)(a), (__m512)(b))
#else
static inline vec_f choose(vec_i which, vec_f a, vec_f b) {
    return (vec_f)((which & (vec_i)a) | (~which & (vec_i)b));
}
#define smaller(a, b) choose((a) < (b), a, b)
#define larger(a, b) choose((a) > (b), a, b)
#endif

/* How q differs from several columns at once, in single precision. */
static inline __attribute__((always_inline)) vec_f compare(const vec_f *q, const vec_f *y, int letters, int product) {
    vec_f sum = {0};
    for (int k = 0; k < letters; k++) {
        if (product) {
            sum -= q[k] * y[k];
        } else {
            vec_f d = q[k] - y[k];
            sum = k == 0 ? d * d : sum + d * d;
        }
    }
    return sum;
}

static inline __attribute__((always_inline)) void bins_of(const float *q, const float *const *y, int letters, int product, int n,
                                                          float from, float per_bin, uint16_t *bin, float *least, float *most) {
    vec_f to[SN_MOTIF_LETTERS], at[SN_MOTIF_LETTERS];
    vec_f low = splat(*least), high = splat(*most);
    for (int k = 0; k < letters; k++) to[k] = splat(q[k]);
    for (int u = 0; u < n; u += FLOATS) {
        for (int k = 0; k < letters; k++) at[k] = load(y[k] + u);
        vec_f b = (compare(to, at, letters, product) - splat(from)) * splat(per_bin);
        vec_u16 narrow = __builtin_convertvector(__builtin_convertvector(b, vec_i), vec_u16);
        memcpy(bin + u, &narrow, sizeof narrow);
        if (u + FLOATS > n) /* what is behind the last column counts as the last */
            for (int t = n - u; t < FLOATS; t++) b[t] = b[n - u - 1];
        low = smaller(b, low);
        high = larger(b, high);
    }
    for (int t = 0; t < FLOATS; t++) {
        *least = low[t] < *least ? low[t] : *least;
        *most = high[t] > *most ? high[t] : *most;
    }
}

static void bins(const float *q, const float *const *y, int letters, int product, int n, float from, float per_bin, uint16_t *bin,
                 float *least, float *most) {
    if (letters == 4 && !product)
        bins_of(q, y, 4, 0, n, from, per_bin, bin, least, most);
    else
        bins_of(q, y, letters, product, n, from, per_bin, bin, least, most);
}

/* Neighbours are often alike: four sets of counters, so that no addition waits for the one before. */
static void tally_bins(const uint16_t *bin, const int32_t *count, int n, int shift, int32_t (*held)[4]) {
    int u = 0;
    for (; u + 4 <= n; u += 4)
        for (int t = 0; t < 4; t++) held[bin[u + t] >> shift][t] += count[u + t];
    for (; u < n; u++) held[bin[u] >> shift][0] += count[u];
}

static int in_bins(const uint16_t *bin, int n, int from, int to, int32_t *found) {
    uint16_t width = (uint16_t)(to - from);
    int have = 0, u = 0; /* few vectors hold any */
#if defined(__AVX512BW__)
    for (; u < n; u += 32) {
        __m512i v = _mm512_sub_epi16(_mm512_loadu_si512(bin + u), _mm512_set1_epi16((int16_t)from));
        uint32_t hit = _mm512_cmple_epu16_mask(v, _mm512_set1_epi16((int16_t)width));
        for (; hit; hit &= hit - 1) found[have++] = u + __builtin_ctz(hit);
    }
    while (have > 0 && found[have - 1] >= n) have--;
#else
    for (; u + 64 <= n; u += 64) {
        uint16_t any = 0;
        for (int t = 0; t < 64; t++) any |= (uint16_t)(bin[u + t] - from) <= width;
        if (!any) continue;
        for (int t = 0; t < 64; t++) {
            found[have] = u + t;
            have += (uint16_t)(bin[u + t] - from) <= width;
        }
    }
    for (; u < n; u++) {
        found[have] = u;
        have += (uint16_t)(bin[u] - from) <= width;
    }
#endif
    return have;
}

/* Roots, whole numbers below, and a bit for each lane where a is above b or either is not a number. */
#if defined(__AVX512DQ__)
static inline vec_f root_of(vec_f v) {
    return (vec_f)_mm512_sqrt_ps((__m512)v);
}
static inline vec_f floor_of(vec_f v) {
    return (vec_f)_mm512_roundscale_ps((__m512)v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
static inline uint32_t above(vec_f a, vec_f b) {
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_NLE_UQ);
}
#elif defined(__AVX2__)
static inline vec_f root_of(vec_f v) {
    return (vec_f)_mm256_sqrt_ps((__m256)v);
}
static inline vec_f floor_of(vec_f v) {
    return (vec_f)_mm256_floor_ps((__m256)v);
}
static inline uint32_t above(vec_f a, vec_f b) {
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_NLE_UQ));
}
#else
static inline vec_f root_of(vec_f v) {
    float x[FLOATS];
    memcpy(x, &v, sizeof x);
    for (int t = 0; t < FLOATS; t++) x[t] = sqrtf(x[t]);
    memcpy(&v, x, sizeof x);
    return v;
}
static inline vec_f floor_of(vec_f v) {
    vec_f t = __builtin_convertvector(__builtin_convertvector(v, vec_i), vec_f); /* towards 0; one less where that went up */
    return t + __builtin_convertvector((vec_i)(t > v), vec_f);
}
static inline uint32_t above(vec_f a, vec_f b) {
    vec_i not_above = a <= b;
    uint32_t bits = 0;
    for (int t = 0; t < FLOATS; t++) bits |= (uint32_t)(not_above[t] + 1) << t;
    return bits;
}
#endif

static inline __attribute__((always_inline)) int scores_of(const struct sn_lanes *l, const float *const *y, int letters, int product, int n,
                                                           int stride, int8_t *restrict row, uint32_t *restrict unsure) {
    vec_f base[PARTS], scale[PARTS], sure[PARTS], q[PARTS][SN_MOTIF_LETTERS], at[SN_MOTIF_LETTERS];
    const vec_f half = splat(0.5f);
    int have = 0;
    for (int p = 0; p < PARTS; p++) {
        base[p] = load(l->base + p * FLOATS);
        scale[p] = load(l->scale + p * FLOATS);
        sure[p] = load(l->sure + p * FLOATS);
        for (int k = 0; k < letters; k++) q[p][k] = load(l->q[k] + p * FLOATS);
    }
    for (int u = 0; u < n; u++) {
        uint32_t doubt = 0;
        for (int k = 0; k < letters; k++) at[k] = splat(y[k][u]);
        for (int p = 0; p < PARTS; p++) {
            vec_f apart = compare(q[p], at, letters, product);
            vec_f x = base[p] - scale[p] * (product ? apart : root_of(apart)), below = floor_of(x), off = x - below - half;
            doubt |= above((vec_f)((vec_i)off & 0x7fffffff), sure[p]) << (p * FLOATS);
            vec_i8 narrow = __builtin_convertvector(__builtin_convertvector(below, vec_i), vec_i8);
            memcpy(row + (int64_t)u * stride + p * FLOATS, &narrow, sizeof narrow);
        }
        if (doubt) unsure[have++] = (uint32_t)u << 16 | doubt;
    }
    return have;
}

static int scores(const struct sn_lanes *l, const float *const *y, int letters, int product, int n, int stride, int8_t *row,
                  uint32_t *unsure) {
    if (letters == 4 && !product) return scores_of(l, y, 4, 0, n, stride, row, unsure);
    return scores_of(l, y, letters, product, n, stride, row, unsure);
}

/* Every lane has counters of its own, so that no addition waits for the one before. */
static inline __attribute__((always_inline)) void tally_of(const int8_t *row, int stride, int n, const int32_t *count, int lanes,
                                                           int32_t *held) {
    for (int u = 0; u < n; u++) {
        uint64_t score[2];
        memcpy(score, row + (int64_t)u * stride, sizeof score);
        for (int l = 0; l < lanes; l++) held[l * SN_TALLY + (int)(score[l / 8] >> l % 8 * 8 & 255)] += count[u];
    }
}

static void tally(const int8_t *row, int stride, int n, const int32_t *count, int lanes, int32_t *held) {
    if (lanes == LANES)
        tally_of(row, stride, n, count, LANES, held);
    else
        tally_of(row, stride, n, count, lanes, held);
}

/* Sums stay in registers; each adds its products by rising k. */
static void convolve(const double *a, int n, const double *f, int m, double *out) {
    for (int i = 0; i < n; i += SN_CONVOLVE_STEP) {
        vec_d sum[SN_CONVOLVE_STEP / DOUBLES] = {{0}};
        for (int k = 0; k < m; k++) {
            if (f[k] == 0) continue;
            for (int t = 0; t < SN_CONVOLVE_STEP / DOUBLES; t++) {
                vec_d v;
                memcpy(&v, a + i - k + DOUBLES * t, sizeof v);
                sum[t] += f[k] * v;
            }
        }
        memcpy(out + i, sum, sizeof sum);
    }
}

#define NARROW 32 /* widths whose sums are kept in registers */
#define STEP (SN_LOOP_WINDOW / NARROW)
#define BEFORE 64 /* zeros before a row in its window: w - 1 - j, rounded up to whole vectors of sums */

static void diagonals(const int8_t *row, int stride, const int32_t *column, int w, int8_t *window, int16_t *sum) {
    int n = w - 1 + stride;
    if (w > NARROW || stride > NARROW) {
        memset(sum, 0, (size_t)n * sizeof *sum);
        for (int j = 0; j < w; j++)
            for (int i = 0; i < stride; i++) sum[w - 1 - j + i] = (int16_t)(sum[w - 1 - j + i] + row[(int64_t)column[j] * stride + i]);
        return;
    }
    /* rows between zeros: then every sum is read from all of them, and nothing is written before it is complete */
    for (int j = 0; j < w; j++) memcpy(window + j * STEP + BEFORE, row + (int64_t)column[j] * stride, (size_t)stride);
    for (int k = 0; k < n; k += 32) {
        int16_t total[32] = {0};
        for (int j = 0; j < w; j++) {
            const int8_t *from = window + j * STEP + BEFORE + k - (w - 1 - j);
            for (int t = 0; t < 32; t++) total[t] = (int16_t)(total[t] + from[t]);
        }
        memcpy(sum + k, total, sizeof total);
    }
}

static int largest(const int16_t *v, int n) {
    int16_t high[8];
    int i = 0;
    for (int t = 0; t < 8; t++) high[t] = v[0];
    for (; i + 8 <= n; i += 8)
        for (int t = 0; t < 8; t++) high[t] = v[i + t] > high[t] ? v[i + t] : high[t];
    for (; i < n; i++) high[0] = v[i] > high[0] ? v[i] : high[0];
    for (int t = 1; t < 8; t++) high[0] = high[t] > high[0] ? high[t] : high[0];
    return high[0];
}

/* The place of the sums of one diagonal among the best so far. */
static inline __attribute__((always_inline)) void take_diagonal(const int8_t *const *row, int width, int w, int k, lanes_i16 *best,
                                                                lanes_i16 *place) {
    int first = w - 1 - k > 0 ? w - 1 - k : 0, end = width + w - 1 - k < w ? width + w - 1 - k : w, i = k - (w - 1) + first;
    lanes_i16 sum = {0}, zero = {0};
    for (int j = first; j < end; j++, i++) {
        lanes_i8 v;
        memcpy(&v, row[j] + (int64_t)i * LANES, sizeof v);
        sum += __builtin_convertvector(v, lanes_i16);
    }
    lanes_i16 better = sum > *best;
    *best = (better & sum) | (~better & *best);
    *place = (better & (zero + (int16_t)k)) | (~better & *place);
}

static void best_of(const int8_t *const *row, int width, int w, int least, int16_t *best, int16_t *place) {
    int n = width + w - 1, shorter = width < w ? width : w;
    lanes_i16 zero = {0}, high = zero + INT16_MIN, at = zero;
    for (int k = shorter - 1; k <= n - shorter; k++) take_diagonal(row, width, w, k, &high, &at);
    for (int overlap = shorter - 1; overlap >= least; overlap--) {
        take_diagonal(row, width, w, overlap - 1, &high, &at);
        take_diagonal(row, width, w, n - overlap, &high, &at);
    }
    memcpy(best, &high, sizeof high);
    memcpy(place, &at, sizeof at);
}

#if defined(__AVX512BW__)
typedef __m512i vector;
#define WIDTH 64
#define LOAD(p) _mm512_loadu_si512(p)
#define TABLE(p) _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(p)))
#define LOOK_UP(t, x) _mm512_shuffle_epi8(t, x)
#define ADD(a, b) _mm512_adds_epu8(a, b)
#define ZERO() _mm512_setzero_si512()
#define SPREAD(v) _mm512_set1_epi8((char)(v))
#define NOT_ABOVE(a, limit) (uint64_t) _mm512_cmple_epu8_mask(a, limit)
#elif defined(__AVX2__)
typedef __m256i vector;
#define WIDTH 32
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define TABLE(p) _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(p)))
#define LOOK_UP(t, x) _mm256_shuffle_epi8(t, x)
#define ADD(a, b) _mm256_adds_epu8(a, b)
#define ZERO() _mm256_setzero_si256()
#define SPREAD(v) _mm256_set1_epi8((char)(v))
#define NOT_ABOVE(a, limit) (uint32_t) _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(a, limit), a))
#endif

#if defined(WIDTH)
/* Bits of `mask` as positions from `at` on, those below n. */
static int64_t take(uint64_t mask, int64_t at, int64_t n, int32_t *found) {
    int64_t have = 0;
    for (; mask; mask &= mask - 1) {
        int64_t i = at + __builtin_ctzll(mask);
        if (i < n) found[have++] = (int32_t)i;
    }
    return have;
}

static int64_t windows(const uint8_t *pairs, int64_t n, const uint8_t *table, int n_pairs, int limit, int32_t *found) {
    const vector most = SPREAD(limit);
    int64_t have = 0;
    for (int64_t i = 0; i < n; i += 2 * WIDTH) {
        vector a = ZERO(), b = a;
        for (int k = 0; k < n_pairs; k++) {
            const vector t = TABLE(table + 16 * k);
            a = ADD(a, LOOK_UP(t, LOAD(pairs + i + 2 * k)));
            b = ADD(b, LOOK_UP(t, LOAD(pairs + i + 2 * k + WIDTH)));
        }
        uint64_t x = NOT_ABOVE(a, most), y = NOT_ABOVE(b, most);
        if (x) have += take(x, i, n, found + have);
        if (y) have += take(y, i + WIDTH, n, found + have);
    }
    return have;
}
#else
static int64_t windows(const uint8_t *pairs, int64_t n, const uint8_t *table, int n_pairs, int limit, int32_t *found) {
    int64_t have = 0;
    for (int64_t i = 0; i < n; i++) {
        int sum = 0;
        for (int k = 0; k < n_pairs && sum <= limit; k++) sum += table[16 * k + pairs[i + 2 * k]];
        if (sum <= limit) found[have++] = (int32_t)i;
    }
    return have;
}
#endif

const struct sn_motif_loops SN_LOOPS = {bins, tally_bins, in_bins, scores, tally, convolve, diagonals, largest, best_of, windows};
