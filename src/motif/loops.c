/* Compiled once for each instruction set: SN_LOOPS is the name of the table. Written so that compilers vectorise it; no sum changes its
 * order with the width of the vectors. */
#include "motif/loops.h"

#include <math.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define LANES 16

static void distances(const double *q, const double *const *y, int letters, int n, double *restrict score) {
    if (letters == 4) {
        const double *restrict a = y[0], *restrict c = y[1], *restrict g = y[2], *restrict t = y[3];
        double qa = q[0], qc = q[1], qg = q[2], qt = q[3];
        for (int u = 0; u < n; u++) {
            double da = qa - a[u], dc = qc - c[u], dg = qg - g[u], dt = qt - t[u];
            score[u] = -sqrt(da * da + dc * dc + dg * dg + dt * dt);
        }
        return;
    }
    memset(score, 0, (size_t)n * sizeof *score);
    for (int k = 0; k < letters; k++) {
        const double *restrict v = y[k];
        for (int u = 0; u < n; u++) score[u] += (q[k] - v[u]) * (q[k] - v[u]);
    }
    for (int u = 0; u < n; u++) score[u] = -sqrt(score[u]);
}

static void products(const double *q, const double *const *y, int letters, int n, double *restrict score) {
    memset(score, 0, (size_t)n * sizeof *score);
    for (int k = 0; k < letters; k++) {
        const double *restrict v = y[k];
        double factor = q[k];
        for (int u = 0; u < n; u++) score[u] += factor * v[u];
    }
}

static void bins(const double *restrict score, int n, double from, double per_bin, int last, int32_t *restrict bin, double *least,
                 double *largest) {
    double low[LANES], high[LANES];
    int u = 0;
    for (int t = 0; t < LANES; t++) low[t] = high[t] = score[0];
    for (; u + LANES <= n; u += LANES) {
        for (int t = 0; t < LANES; t++) {
            double g = score[u + t];
            low[t] = g < low[t] ? g : low[t];
            high[t] = g > high[t] ? g : high[t];
            int b = (int)((g - from) * per_bin);
            b = b < 0 ? 0 : b;
            bin[u + t] = b > last ? last : b;
        }
    }
    for (; u < n; u++) {
        double g = score[u];
        low[0] = g < low[0] ? g : low[0];
        high[0] = g > high[0] ? g : high[0];
        int b = (int)((g - from) * per_bin);
        b = b < 0 ? 0 : b;
        bin[u] = b > last ? last : b;
    }
    for (int t = 1; t < LANES; t++) {
        low[0] = low[t] < low[0] ? low[t] : low[0];
        high[0] = high[t] > high[0] ? high[t] : high[0];
    }
    *least = low[0];
    *largest = high[0];
}

static void integers(const double *restrict score, int n, double median, double scale, int16_t *restrict out) {
    for (int u = 0; u < n; u++) {
        double x = (score[u] - median) * scale + 0.5;
        int t = (int)x; /* towards 0; one less where that went up */
        out[u] = (int16_t)(t - ((double)t > x));
    }
}

static void convolve(const double *restrict a, int n, const double *f, int m, double *restrict out) {
    memset(out, 0, (size_t)(n + m - 1) * sizeof *out);
    for (int k = 0; k < m; k++) {
        double factor = f[k];
        if (factor == 0) continue;
        for (int i = 0; i < n; i++) out[k + i] += factor * a[i];
    }
}

static void diagonals(const int16_t *row, int stride, const int32_t *column, int w, int16_t *sum) {
    for (int j = 0; j < w; j++) {
        const int16_t *restrict r = row + (int64_t)column[j] * stride;
        int16_t *restrict s = sum + (w - 1 - j);
        for (int i = 0; i < stride; i += 8)
            for (int t = 0; t < 8; t++) s[i + t] = (int16_t)(s[i + t] + r[i + t]);
    }
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

const struct sn_motif_loops SN_LOOPS = {distances, products, bins, integers, convolve, diagonals, windows};
