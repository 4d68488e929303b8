/* Dropout: the mask is a function of (seed, step, node, sample id, element), drawn again in the reverse pass. */
#ifndef SN_KERNELS_DROPOUT_H
#define SN_KERNELS_DROPOUT_H

#include "core/philox.h"
#include "core/rng.h"
#include "cpu/tmpl/common.h"

#define SN_DROPOUT_BLOCK 64 /* elements whose random words are drawn at once */

#if defined __AVX__

/* Counters in 64-bit lanes: a product of the low halves is one instruction, and what stands in the high halves never matters. */
typedef uint64_t sn_uvec __attribute__((vector_size(SN_VEC_BYTES), aligned(8), may_alias));
#define SN_COUNTERS (SN_VEC_BYTES / 8) /* in a vector; each gives four words */

SN_INLINE sn_uvec sn_mul_low(sn_uvec a, uint32_t b) {
#if defined __AVX512F__
    return (sn_uvec)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(b));
#else
    return (sn_uvec)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
#endif
}

/* Lanes of both, in turn: first the even ones. */
SN_INLINE void sn_store_pairs(uint32_t *to, sn_uvec even, sn_uvec odd) {
#if defined __AVX512F__
    _mm512_storeu_si512(to, _mm512_unpacklo_epi64((__m512i)even, (__m512i)odd));
    _mm512_storeu_si512(to + 16, _mm512_unpackhi_epi64((__m512i)even, (__m512i)odd));
#else
    _mm256_storeu_si256((__m256i *)to, _mm256_unpacklo_epi64((__m256i)even, (__m256i)odd));
    _mm256_storeu_si256((__m256i *)(to + 8), _mm256_unpackhi_epi64((__m256i)even, (__m256i)odd));
#endif
}

/* Words of `n` vectors of counters from `at` on; n is constant, and the chains of the vectors run side by side. */
SN_INLINE void SN_T(dropout_vectors)(uint64_t at, uint64_t id, const uint32_t key[2], uint32_t *word, int n) {
    sn_uvec c0[4], c1[4], c2[4], c3[4];
    uint32_t k0 = key[0], k1 = key[1];
    SN_UNROLL
    for (int v = 0; v < n; v++) {
        sn_uvec counter; /* in the order in which the interleaved stores below put them right */
        for (int l = 0; l < SN_COUNTERS; l++) counter[l] = (uint64_t)(v * SN_COUNTERS + l % 2 * (SN_COUNTERS / 2) + l / 2);
        counter += at;
        c0[v] = counter;
        c1[v] = counter >> 32;
        c2[v] = (sn_uvec){0} + id;
        c3[v] = c2[v] >> 32;
    }
    SN_UNROLL
    for (int round = 0; round < 10; round++) {
        SN_UNROLL
        for (int v = 0; v < n; v++) {
            sn_uvec p0 = sn_mul_low(c0[v], 0xD2511F53u), p1 = sn_mul_low(c2[v], 0xCD9E8D57u);
            c0[v] = (p1 >> 32) ^ c1[v] ^ k0;
            c2[v] = (p0 >> 32) ^ c3[v] ^ k1;
            c1[v] = p1;
            c3[v] = p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    SN_UNROLL
    for (int v = 0; v < n; v++) {
        sn_uvec even = (c0[v] & 0xffffffffu) | c1[v] << 32, odd = (c2[v] & 0xffffffffu) | c3[v] << 32;
        sn_store_pairs(word + 4 * v * SN_COUNTERS, even, odd);
    }
}

/* Words of elements [e, e + n) of a sample, e a multiple of 4, n <= SN_DROPOUT_BLOCK; what is drawn beyond them stays inside the block. */
static void SN_T(dropout_words)(uint64_t e, int n, uint64_t id, const uint32_t key[2], uint32_t *word) {
    enum { ALL = SN_DROPOUT_BLOCK / 4 / SN_COUNTERS };
    if (n > 4 * SN_COUNTERS * (ALL - 1))
        SN_T(dropout_vectors)(e / 4, id, key, word, ALL);
    else
        for (int j = 0; j < n; j += 4 * SN_COUNTERS) SN_T(dropout_vectors)((e + (uint64_t)j) / 4, id, key, word + j, 1);
}

#else

static void SN_T(dropout_words)(uint64_t e, int n, uint64_t id, const uint32_t key[2], uint32_t *word) {
    for (int g = 0; 4 * g < n; g++) {
        uint64_t at = e / 4 + (uint64_t)g;
        const uint32_t counter[4] = {(uint32_t)at, (uint32_t)(at >> 32), (uint32_t)id, (uint32_t)(id >> 32)};
        sn_philox4x32(counter, key, word + 4 * g);
    }
}

#endif

/* Elements [e0, e0 + n) of a row lie at x and y. */
static void SN_T(dropout_run)(const sn_real *x, sn_real *y, int64_t e0, int64_t n, uint64_t id, const uint32_t key[2], uint32_t drop,
                              sn_real scale) {
    for (int64_t b = e0 & ~(int64_t)3; b < e0 + n; b += SN_DROPOUT_BLOCK) {
        uint32_t word[SN_DROPOUT_BLOCK];
        int64_t lo = b > e0 ? b : e0, hi = b + SN_DROPOUT_BLOCK < e0 + n ? b + SN_DROPOUT_BLOCK : e0 + n;
        SN_T(dropout_words)((uint64_t)b, (int)(hi - b), id, key, word);
        SN_INDEPENDENT
        for (int64_t e = lo; e < hi; e++) y[e - e0] = word[e - b] >= drop ? x[e - e0] * scale : 0;
    }
}

static void SN_T(dropout)(const struct sn_dropout *a) {
    struct sn_stream s;
    sn_stream_init_use(&s, a->seed, SN_RNG_DROPOUT, (uint64_t)a->step, (uint64_t)a->node);
    const uint32_t key[2] = {(uint32_t)s.state, (uint32_t)(s.state >> 32)};
    double limit = a->rate * 4294967296.0; /* word >= limit is the same as word >= its ceiling */
    uint32_t drop = limit >= 4294967295.0 ? UINT32_MAX : (uint32_t)limit;
    if ((double)drop < limit && drop < UINT32_MAX) drop++;
    sn_real scale = (sn_real)(1 / (1 - a->rate));
    for (int i = 0; i < a->n; i++) {
        struct sn_runs r = sn_row_runs(a->y.len[i], a->y.ch, sn_dense(&a->x) && sn_dense(&a->y));
        const sn_real *x = sn_row(&a->x, i);
        sn_real *y = sn_row(&a->y, i);
        for (int64_t q = 0; q < r.runs; q++)
            SN_T(dropout_run)(x + q * a->x.ld, y + q * a->y.ld, q * r.n, r.n, (uint64_t)a->ids[i], key, drop, scale);
    }
}

static void SN_T(fill_dropout)(struct sn_kernels *k) {
    k->dropout = SN_T(dropout);
}

#endif
