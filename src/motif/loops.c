/* Compiled once for each instruction set: SN_LOOPS is the name of the table. Written so that compilers vectorise it; no sum changes its
 * order with the width of the vectors. */
#include "motif/loops.h"

#include <math.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define LANES 16

static void squares(const double *q, const double *const *y, int letters, int n, double *restrict apart) {
    if (letters == 4) {
        const double *restrict a = y[0], *restrict c = y[1], *restrict g = y[2], *restrict t = y[3];
        double qa = q[0], qc = q[1], qg = q[2], qt = q[3];
        for (int u = 0; u < n; u++) {
            double da = qa - a[u], dc = qc - c[u], dg = qg - g[u], dt = qt - t[u];
            apart[u] = da * da + dc * dc + dg * dg + dt * dt;
        }
        return;
    }
    memset(apart, 0, (size_t)n * sizeof *apart);
    for (int k = 0; k < letters; k++) {
        const double *restrict v = y[k];
        double from = q[k];
        for (int u = 0; u < n; u++) apart[u] += (from - v[u]) * (from - v[u]);
    }
}

static void products(const double *q, const double *const *y, int letters, int n, double *restrict apart) {
    memset(apart, 0, (size_t)n * sizeof *apart);
    for (int k = 0; k < letters; k++) {
        const double *restrict v = y[k];
        double factor = q[k];
        for (int u = 0; u < n; u++) apart[u] -= factor * v[u];
    }
}

static uint16_t bin_of(double apart, double from, double per_bin, int last) {
    int b = (int)((apart - from) * per_bin);
    b = b < 0 ? 0 : b;
    return (uint16_t)(b > last ? last : b);
}

static void bins(const double *restrict apart, int n, double from, double per_bin, int last, uint16_t *restrict bin, double *least,
                 double *largest) {
    double low[LANES], high[LANES];
    int u = 0;
    for (int t = 0; t < LANES; t++) {
        low[t] = *least;
        high[t] = *largest;
    }
    for (; u + LANES <= n; u += LANES) {
        for (int t = 0; t < LANES; t++) {
            double g = apart[u + t];
            low[t] = g < low[t] ? g : low[t];
            high[t] = g > high[t] ? g : high[t];
            bin[u + t] = bin_of(g, from, per_bin, last);
        }
    }
    for (; u < n; u++) {
        low[0] = apart[u] < low[0] ? apart[u] : low[0];
        high[0] = apart[u] > high[0] ? apart[u] : high[0];
        bin[u] = bin_of(apart[u], from, per_bin, last);
    }
    for (int t = 0; t < LANES; t++) {
        *least = low[t] < *least ? low[t] : *least;
        *largest = high[t] > *largest ? high[t] : *largest;
    }
}

static int in_bins(const uint16_t *bin, int n, int from, int to, int32_t *found) {
    uint16_t width = (uint16_t)(to - from);
    int have = 0, u = 0;
    for (; u + 64 <= n; u += 64) { /* few blocks hold any */
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
    return have;
}

static int8_t integer(double score, double median, double scale) {
    double x = (score - median) * scale + 0.5;
    int t = (int)x; /* towards 0; one less where that went up */
    return (int8_t)(t - ((double)t > x));
}

static void integers(const double *restrict apart, int n, int root, double median, double scale, int8_t *restrict out) {
    if (root)
        for (int u = 0; u < n; u++) out[u] = integer(-sqrt(apart[u]), median, scale);
    else
        for (int u = 0; u < n; u++) out[u] = integer(-apart[u], median, scale);
}

static void rows(const int8_t *column, int step, int width, int n, int stride, int8_t *row) {
    for (int u = 0; u < n; u++) {
        int8_t *restrict to = row + (int64_t)u * stride;
        for (int i = 0; i < width; i++) to[i] = column[i * step + u];
        for (int i = width; i < stride; i++) to[i] = 0;
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

const struct sn_motif_loops SN_LOOPS = {squares, products, bins, in_bins, integers, rows, convolve, diagonals, largest, windows};
