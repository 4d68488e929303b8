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

__attribute__((target("avx2"))) static void avx2(const uint8_t *x, const uint8_t *x_minus, const uint8_t *y, int n, int n_shifts,
                                                 uint32_t *plus, uint32_t *minus) {
    for (int s = 0; s < n_shifts; s++, x += SN_TRACK, x_minus += SN_TRACK) {
        __m256i p = _mm256_setzero_si256(), m = p;
        for (int i = 0; i < n; i += 32) {
            __m256i v = _mm256_loadu_si256((const __m256i *)(y + i));
            p = _mm256_add_epi64(p, _mm256_sad_epu8(v, _mm256_loadu_si256((const __m256i *)(x_minus + i))));
            m = _mm256_add_epi64(m, _mm256_sad_epu8(v, _mm256_loadu_si256((const __m256i *)(x + i))));
        }
        plus[s] = total(_mm_add_epi64(_mm256_castsi256_si128(p), _mm256_extracti128_si256(p, 1)));
        minus[s] = total(_mm_add_epi64(_mm256_castsi256_si128(m), _mm256_extracti128_si256(m, 1)));
    }
}

__attribute__((target("avx512f,avx512bw"))) static void avx512(const uint8_t *x, const uint8_t *x_minus, const uint8_t *y, int n,
                                                               int n_shifts, uint32_t *plus, uint32_t *minus) {
    for (int s = 0; s < n_shifts; s++, x += SN_TRACK, x_minus += SN_TRACK) {
        __m512i p = _mm512_setzero_si512(), m = p;
        for (int i = 0; i < n; i += 64) {
            __m512i v = _mm512_loadu_si512((const void *)(y + i));
            p = _mm512_add_epi64(p, _mm512_sad_epu8(v, _mm512_loadu_si512((const void *)(x_minus + i))));
            m = _mm512_add_epi64(m, _mm512_sad_epu8(v, _mm512_loadu_si512((const void *)(x + i))));
        }
        plus[s] = (uint32_t)_mm512_reduce_add_epi64(p);
        minus[s] = (uint32_t)_mm512_reduce_add_epi64(m);
    }
}
#endif

sn_shift_sums_fn sn_shift_sums_portable(void) {
    return portable;
}

sn_shift_sums_fn sn_shift_sums(void) {
    enum sn_isa isa;
    if (sn_isa_detect(&isa) < 0) isa = SN_ISA_REF;
#if defined(__x86_64__)
    if (isa == SN_ISA_AVX512) return avx512;
    if (isa == SN_ISA_AVX2) return avx2;
    return sse2;
#else
    return portable;
#endif
}
