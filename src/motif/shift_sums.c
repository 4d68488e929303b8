/* Sums of absolute differences of bytes: one instruction on x86 for 16, 32 or 64 of them. Integers, so that every version agrees. */
#include <stdlib.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/cpu.h"
#include "motif/likeness.h"

static void portable(const uint8_t *x, const uint8_t *x_minus, const uint8_t *y, int n, int n_shifts, uint32_t *plus, uint32_t *minus) {
    for (int s = 0; s < n_shifts; s++, x += SN_TRACK, x_minus += SN_TRACK) {
        uint32_t p = 0, m = 0;
        for (int i = 0; i < n; i++) {
            p += (uint32_t)abs(x_minus[i] - y[i]);
            m += (uint32_t)abs(x[i] - y[i]);
        }
        plus[s] = p;
        minus[s] = m;
    }
}

static void portable_sizes(const uint8_t *const x[2], const uint8_t *y, int n, int n_shifts, uint32_t *forward, uint32_t *reverse) {
    for (int s = 0; s < n_shifts; s++) {
        uint32_t d[2] = {0, 0};
        for (int strand = 0; strand < 2; strand++)
            for (int i = 0; i < n; i++) d[strand] += (uint32_t)abs(x[strand][s + i] - y[i]);
        forward[s] = d[0];
        reverse[s] = d[1];
    }
}

#if defined(__x86_64__)
static inline uint32_t total(__m128i v) {
    return (uint32_t)_mm_cvtsi128_si32(v) + (uint32_t)_mm_cvtsi128_si32(_mm_srli_si128(v, 8));
}

static void sse2(const uint8_t *x, const uint8_t *x_minus, const uint8_t *y, int n, int n_shifts, uint32_t *plus, uint32_t *minus) {
    for (int s = 0; s < n_shifts; s++, x += SN_TRACK, x_minus += SN_TRACK) {
        __m128i p = _mm_setzero_si128(), m = p;
        for (int i = 0; i < n; i += 16) {
            __m128i v = _mm_loadu_si128((const __m128i *)(y + i));
            p = _mm_add_epi64(p, _mm_sad_epu8(v, _mm_loadu_si128((const __m128i *)(x_minus + i))));
            m = _mm_add_epi64(m, _mm_sad_epu8(v, _mm_loadu_si128((const __m128i *)(x + i))));
        }
        plus[s] = total(p);
        minus[s] = total(m);
    }
}

static void sse2_sizes(const uint8_t *const x[2], const uint8_t *y, int n, int n_shifts, uint32_t *forward, uint32_t *reverse) {
    for (int s = 0; s < n_shifts; s++) {
        __m128i f = _mm_setzero_si128(), r = f;
        for (int i = 0; i < n; i += 16) {
            __m128i v = _mm_loadu_si128((const __m128i *)(y + i));
            f = _mm_add_epi64(f, _mm_sad_epu8(v, _mm_loadu_si128((const __m128i *)(x[0] + s + i))));
            r = _mm_add_epi64(r, _mm_sad_epu8(v, _mm_loadu_si128((const __m128i *)(x[1] + s + i))));
        }
        forward[s] = total(f);
        reverse[s] = total(r);
    }
}

/* Two sums in one 64-bit number: the first below, the second above. */
static inline void give(uint64_t both, uint32_t *below, uint32_t *above) {
    *below = (uint32_t)both;
    *above = (uint32_t)(both >> 32);
}

__attribute__((target("avx2"))) static void avx2(const uint8_t *x, const uint8_t *x_minus, const uint8_t *y, int n, int n_shifts,
                                                 uint32_t *plus, uint32_t *minus) {
    for (int s = 0; s < n_shifts; s++, x += SN_TRACK, x_minus += SN_TRACK) {
        __m256i p = _mm256_setzero_si256(), m = p;
        for (int i = 0; i < n; i += 32) {
            __m256i v = _mm256_loadu_si256((const __m256i *)(y + i));
            p = _mm256_add_epi64(p, _mm256_sad_epu8(v, _mm256_loadu_si256((const __m256i *)(x_minus + i))));
            m = _mm256_add_epi64(m, _mm256_sad_epu8(v, _mm256_loadu_si256((const __m256i *)(x + i))));
        }
        __m256i both = _mm256_add_epi64(p, _mm256_slli_epi64(m, 32));
        __m128i half = _mm_add_epi64(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
        give((uint64_t)_mm_cvtsi128_si64(_mm_add_epi64(half, _mm_srli_si128(half, 8))), &plus[s], &minus[s]);
    }
}

__attribute__((target("avx2"))) static void avx2_sizes(const uint8_t *const x[2], const uint8_t *y, int n, int n_shifts, uint32_t *forward,
                                                       uint32_t *reverse) {
    for (int s = 0; s < n_shifts; s++) {
        __m256i f = _mm256_setzero_si256(), r = f;
        for (int i = 0; i < n; i += 32) {
            __m256i v = _mm256_loadu_si256((const __m256i *)(y + i));
            f = _mm256_add_epi64(f, _mm256_sad_epu8(v, _mm256_loadu_si256((const __m256i *)(x[0] + s + i))));
            r = _mm256_add_epi64(r, _mm256_sad_epu8(v, _mm256_loadu_si256((const __m256i *)(x[1] + s + i))));
        }
        __m256i both = _mm256_add_epi64(f, _mm256_slli_epi64(r, 32));
        __m128i half = _mm_add_epi64(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
        give((uint64_t)_mm_cvtsi128_si64(_mm_add_epi64(half, _mm_srli_si128(half, 8))), &forward[s], &reverse[s]);
    }
}

/* The window is kept in `vectors` registers over all shifts. */
#define AVX512 __attribute__((target("avx512f,avx512bw")))
AVX512 static inline __attribute__((always_inline)) void avx512_body(const uint8_t *x, const uint8_t *x_minus, const uint8_t *y,
                                                                     int vectors, int n_shifts, uint32_t *plus, uint32_t *minus) {
    __m512i v[8];
    for (int i = 0; i < vectors; i++) v[i] = _mm512_loadu_si512((const void *)(y + 64 * i));
    for (int s = 0; s < n_shifts; s++, x += SN_TRACK, x_minus += SN_TRACK) {
        __m512i p = _mm512_setzero_si512(), m = p;
        for (int i = 0; i < vectors; i++) {
            p = _mm512_add_epi64(p, _mm512_sad_epu8(v[i], _mm512_loadu_si512((const void *)(x_minus + 64 * i))));
            m = _mm512_add_epi64(m, _mm512_sad_epu8(v[i], _mm512_loadu_si512((const void *)(x + 64 * i))));
        }
        give((uint64_t)_mm512_reduce_add_epi64(_mm512_add_epi64(p, _mm512_slli_epi64(m, 32))), &plus[s], &minus[s]);
    }
}

AVX512 static void avx512(const uint8_t *x, const uint8_t *x_minus, const uint8_t *y, int n, int n_shifts, uint32_t *plus,
                          uint32_t *minus) {
    switch (n / 64) {
    case 4:
        avx512_body(x, x_minus, y, 4, n_shifts, plus, minus);
        return;
    case 5:
        avx512_body(x, x_minus, y, 5, n_shifts, plus, minus);
        return;
    case 6:
        avx512_body(x, x_minus, y, 6, n_shifts, plus, minus);
        return;
    case 7:
        avx512_body(x, x_minus, y, 7, n_shifts, plus, minus);
        return;
    default:
        avx2(x, x_minus, y, n, n_shifts, plus, minus);
        return;
    }
}
#endif

const struct sn_sum_loops sn_sum_loops_portable = {portable, portable_sizes};

const struct sn_sum_loops *sn_sum_loops(void) {
#if defined(__x86_64__)
    static const struct sn_sum_loops best = {avx512, avx2_sizes}, good = {avx2, avx2_sizes}, plain = {sse2, sse2_sizes};
    enum sn_isa isa;
    if (sn_isa_detect(&isa) < 0) isa = SN_ISA_REF;
    return isa == SN_ISA_AVX512 ? &best : isa == SN_ISA_AVX2 ? &good : &plain;
#else
    return &sn_sum_loops_portable;
#endif
}
