/* Sums of absolute differences of bytes: one instruction on x86 for 16, 32 or 64 of them. Integers, so that every version agrees. */
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/cpu.h"
#include "motif/likeness.h"

#define GROUP SN_SUM_GROUP
#define CHUNK 512 /* bytes of the one that are held at a time */

static inline const uint8_t *row_at(const struct sn_byte_rows *r, int i) {
    return r->first + (size_t)(i / GROUP) * r->group_stride + (size_t)(i % GROUP) * r->stride;
}

static void portable(const uint8_t *y, int n, const struct sn_byte_rows *rows, uint32_t *plus, uint32_t *minus) {
    for (int row = 0; row < rows->n; row++) {
        const uint8_t *x = row_at(rows, row);
        uint32_t p = 0, m = 0;
        for (int i = 0; i < n; i++) {
            p += (uint32_t)abs(x[i] + y[i] - 256);
            m += (uint32_t)abs(x[i] - y[i]);
        }
        plus[row] = p;
        minus[row] = m;
    }
}

#if defined(__x86_64__)
/* |x + y| of numbers is |x - minus y|: the other sign of y, 256 - its byte. */
static void negate(const uint8_t *y, int n, uint8_t *out) {
    for (int i = 0; i < n; i++) out[i] = (uint8_t)(256 - y[i]);
}

static inline uint32_t total(__m128i v) {
    return (uint32_t)_mm_cvtsi128_si32(v) + (uint32_t)_mm_cvtsi128_si32(_mm_srli_si128(v, 8));
}

static void sse2(const uint8_t *y, int n, const struct sn_byte_rows *rows, uint32_t *plus, uint32_t *minus) {
    _Alignas(64) uint8_t other[CHUNK];
    for (int from = 0; from < n; from += CHUNK) {
        int bytes = n - from < CHUNK ? n - from : CHUNK;
        negate(y + from, bytes, other);
        for (int row = 0; row < rows->n; row++) {
            const uint8_t *x = row_at(rows, row) + from;
            __m128i p = _mm_setzero_si128(), m = p;
            for (int i = 0; i < bytes; i += 16) {
                __m128i v = _mm_loadu_si128((const __m128i *)(x + i));
                p = _mm_add_epi64(p, _mm_sad_epu8(v, _mm_load_si128((const __m128i *)(other + i))));
                m = _mm_add_epi64(m, _mm_sad_epu8(v, _mm_loadu_si128((const __m128i *)(y + from + i))));
            }
            plus[row] = (from > 0 ? plus[row] : 0) + total(p);
            minus[row] = (from > 0 ? minus[row] : 0) + total(m);
        }
    }
}

#define AVX2 __attribute__((target("avx2")))
AVX2 static void avx2(const uint8_t *y, int n, const struct sn_byte_rows *rows, uint32_t *plus, uint32_t *minus) {
    _Alignas(64) uint8_t other[CHUNK];
    for (int from = 0; from < n; from += CHUNK) {
        int bytes = n - from < CHUNK ? n - from : CHUNK;
        negate(y + from, bytes, other);
        for (int row = 0; row < rows->n; row++) {
            const uint8_t *x = row_at(rows, row) + from;
            __m256i p = _mm256_setzero_si256(), m = p;
            for (int i = 0; i < bytes; i += 32) {
                __m256i v = _mm256_loadu_si256((const __m256i *)(x + i));
                p = _mm256_add_epi64(p, _mm256_sad_epu8(v, _mm256_load_si256((const __m256i *)(other + i))));
                m = _mm256_add_epi64(m, _mm256_sad_epu8(v, _mm256_loadu_si256((const __m256i *)(y + from + i))));
            }
            __m256i both = _mm256_add_epi64(p, _mm256_slli_epi64(m, 32));
            __m128i half = _mm_add_epi64(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
            uint64_t sum = (uint64_t)_mm_cvtsi128_si64(_mm_add_epi64(half, _mm_srli_si128(half, 8)));
            plus[row] = (from > 0 ? plus[row] : 0) + (uint32_t)sum;
            minus[row] = (from > 0 ? minus[row] : 0) + (uint32_t)(sum >> 32);
        }
    }
}

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl")))
#define INLINE512 AVX512 static inline __attribute__((always_inline))

/* M above P, in each of eight lanes. */
INLINE512 __m512i avx512_row(const uint8_t *x, const __m512i *v, const __m512i *other, int vectors) {
    __m512i p = _mm512_setzero_si512(), m = p;
#pragma GCC unroll 8
    for (int i = 0; i < vectors; i++) {
        __m512i u = _mm512_loadu_si512((const void *)(x + 64 * i));
        p = _mm512_add_epi64(p, _mm512_sad_epu8(u, other[i]));
        m = _mm512_add_epi64(m, _mm512_sad_epu8(u, v[i]));
    }
    return _mm512_add_epi64(p, _mm512_slli_epi64(m, 32));
}

/* Eight vectors become one that holds the sum of each. */
INLINE512 __m512i pairs(__m512i a, __m512i b) {
    return _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}
INLINE512 __m512i quads(__m512i a, __m512i b) {
    return _mm512_add_epi64(_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xdd));
}
#define ROW(k) avx512_row(first + (size_t)(k)*rows->stride, v, other, vectors)

/* y, `vectors` registers of it, stays where it is over all rows. */
INLINE512 void avx512_chunk(const uint8_t *y, int from, int vectors, const struct sn_byte_rows *rows, uint32_t *plus, uint32_t *minus) {
    __m512i v[8], other[8];
    int row = 0;
#pragma GCC unroll 8
    for (int i = 0; i < vectors; i++) {
        v[i] = _mm512_loadu_si512((const void *)(y + from + 64 * i));
        other[i] = _mm512_sub_epi8(_mm512_setzero_si512(), v[i]);
    }
    for (; row + GROUP <= rows->n; row += GROUP) {
        const uint8_t *first = row_at(rows, row) + from;
        __m512i low = quads(pairs(ROW(0), ROW(1)), pairs(ROW(2), ROW(3)));
        __m512i high = quads(pairs(ROW(4), ROW(5)), pairs(ROW(6), ROW(7)));
        __m512i sums = quads(low, high);
        __m256i a = _mm512_cvtepi64_epi32(sums), b = _mm512_cvtepi64_epi32(_mm512_srli_epi64(sums, 32));
        if (from > 0) {
            a = _mm256_add_epi32(a, _mm256_loadu_si256((const __m256i *)(plus + row)));
            b = _mm256_add_epi32(b, _mm256_loadu_si256((const __m256i *)(minus + row)));
        }
        _mm256_storeu_si256((__m256i *)(plus + row), a);
        _mm256_storeu_si256((__m256i *)(minus + row), b);
    }
    for (; row < rows->n; row++) {
        uint64_t sum = (uint64_t)_mm512_reduce_add_epi64(avx512_row(row_at(rows, row) + from, v, other, vectors));
        plus[row] = (from > 0 ? plus[row] : 0) + (uint32_t)sum;
        minus[row] = (from > 0 ? minus[row] : 0) + (uint32_t)(sum >> 32);
    }
}

AVX512 static void avx512(const uint8_t *y, int n, const struct sn_byte_rows *rows, uint32_t *plus, uint32_t *minus) {
    for (int from = 0; from < n;) {
        int vectors = (n - from) / 64 < 8 ? (n - from) / 64 : 8;
        switch (vectors) {
        case 4:
            avx512_chunk(y, from, 4, rows, plus, minus);
            break;
        case 5:
            avx512_chunk(y, from, 5, rows, plus, minus);
            break;
        case 6:
            avx512_chunk(y, from, 6, rows, plus, minus);
            break;
        case 7:
            avx512_chunk(y, from, 7, rows, plus, minus);
            break;
        case 8:
            avx512_chunk(y, from, 8, rows, plus, minus);
            break;
        default:
            vectors = 1;
            avx512_chunk(y, from, 1, rows, plus, minus);
            break;
        }
        from += 64 * vectors;
    }
}
#endif

const sn_byte_sums_fn sn_byte_sums_portable = portable;

sn_byte_sums_fn sn_byte_sums(void) {
#if defined(__x86_64__)
    enum sn_isa isa;
    if (sn_isa_detect(&isa) < 0) isa = SN_ISA_REF;
    return isa == SN_ISA_AVX512 ? avx512 : isa == SN_ISA_AVX2 ? avx2 : sse2;
#else
    return portable;
#endif
}
