/* What the kernel templates share. A template is included once per table by a file that defines
 *   SN_T(name)       the table's own name for a static function,
 *   SN_FMA(a, b, c)  a*b+c, fused in vector builds,
 * and, for the double oracle, SN_DOUBLE. Every loop is written once; the inner one runs over channels and vectorises. */
#ifndef SN_KERNELS_COMMON_H
#define SN_KERNELS_COMMON_H

#include <string.h>
#if defined __AVX__
#include <immintrin.h>
#endif

#include "cpu/tmpl/mathfn.h"
#include "kernels.h"

/* The next loop's iterations are independent although pointers may be equal (in-place operations). Only in vector builds: clang warns
 * where it cannot make use of it. */
#if defined SN_DOUBLE || !(defined __AVX__ || defined __ARM_NEON)
#define SN_INDEPENDENT
#elif defined __clang__
#define SN_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define SN_INDEPENDENT _Pragma("GCC ivdep")
#endif

#define SN_INLINE static inline __attribute__((always_inline))
/* The next loop, of constant length, leaves no loop behind: arrays indexed by it become registers. */
#if defined __clang__
#define SN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SN_UNROLL _Pragma("GCC unroll 16")
#endif

#define SN_CHUNK 64 /* channels whose running values a kernel holds on its stack */

/* A vector of the target's width, for the few loops whose accumulators must stay in registers. May be loaded from any sn_real address. */
#if defined __AVX512F__
#define SN_VEC_BYTES 64
#elif defined __AVX__
#define SN_VEC_BYTES 32
#else
#define SN_VEC_BYTES 16
#endif
#define SN_VEC (SN_VEC_BYTES / (int)sizeof(sn_real))
typedef sn_real sn_vec __attribute__((vector_size(SN_VEC_BYTES), aligned(sizeof(sn_real)), may_alias));
/* Integers as wide as sn_real, for masks: a comparison gives -1 or 0 in each lane. */
#ifdef SN_DOUBLE
typedef int64_t sn_int;
#else
typedef int32_t sn_int;
#endif
typedef sn_int sn_ivec __attribute__((vector_size(SN_VEC_BYTES), aligned(sizeof(sn_int)), may_alias));

/* SN_FMA of vectors. */
SN_INLINE sn_vec sn_vfma(sn_vec a, sn_vec b, sn_vec c) {
#if defined __AVX512F__
    return (sn_vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined __AVX__
    return (sn_vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    sn_vec r;
    for (int l = 0; l < SN_VEC; l++) r[l] = SN_FMA(a[l], b[l], c[l]);
    return r;
#endif
}

/* a where the mask is set, else b. */
SN_INLINE sn_ivec sn_vpick(sn_ivec mask, sn_ivec a, sn_ivec b) {
    return (mask & a) | (~mask & b);
}

/* x > b ? x : b; b where either is NaN. */
SN_INLINE sn_vec sn_vmax(sn_vec x, sn_vec b) {
#if defined __AVX512F__
    return (sn_vec)_mm512_max_ps((__m512)x, (__m512)b);
#elif defined __AVX__
    return (sn_vec)_mm256_max_ps((__m256)x, (__m256)b);
#else
    return (sn_vec)sn_vpick(x > b, (sn_ivec)x, (sn_ivec)b);
#endif
}

SN_INLINE sn_vec sn_vload(const sn_real *p) {
    return *(const sn_vec *)p;
}
SN_INLINE void sn_vstore(sn_real *p, sn_vec v) {
    *(sn_vec *)p = v;
}

/* The first n lanes from p, the others 0; and back. Memory beyond them is not touched. */
SN_INLINE sn_vec sn_vget(const sn_real *p, int n) {
    if (n == SN_VEC) return sn_vload(p);
#if defined __AVX512F__
    return (sn_vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif defined __AVX__
    return (sn_vec)_mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)));
#else
    sn_vec v = {0};
    for (int l = 0; l < n; l++) v[l] = p[l];
    return v;
#endif
}
SN_INLINE void sn_vput(sn_real *p, sn_vec v, int n) {
    if (n == SN_VEC) {
        sn_vstore(p, v);
        return;
    }
    sn_real lane[SN_VEC]; /* masked stores are slow on some CPUs */
    sn_vstore(lane, v);
    for (int l = 0; l < n; l++) p[l] = lane[l];
}

/* The fixed tree over 16 virtual lanes. */
static inline sn_real sn_tree16(const sn_real l[SN_LANES]) {
    sn_real t[8];
    for (int i = 0; i < 8; i++) t[i] = l[i] + l[i + 8];
    for (int i = 0; i < 4; i++) t[i] += t[i + 4];
    t[0] += t[2];
    t[1] += t[3];
    return t[0] + t[1];
}

static inline sn_real *sn_row(const struct sn_t3 *t, int64_t i) {
    return t->p + i * t->row;
}

/* Element-by-element passes see a row as `runs` runs of `n` elements, one run when nothing lies between the positions. */
struct sn_runs {
    int64_t runs, n;
};
static inline struct sn_runs sn_row_runs(int64_t len, int ch, bool dense) {
    struct sn_runs r = {len, ch};
    if (dense) r = (struct sn_runs){len > 0, len * ch};
    return r;
}
static inline bool sn_dense(const struct sn_t3 *t) {
    return t->ld == t->ch;
}

static inline int sn_imin(int64_t a, int64_t b) {
    return (int)(a < b ? a : b);
}

/* Runs body(c, nv, lanes) over channels [0, m): nv = 8, 4, 2 or 1 whole vectors from channel c on (lanes = SN_VEC), last the one that has
 * but `lanes` channels. With nv constant in each call, what a body holds of its channels stays in registers while it goes along the
 * positions. */
#define SN_EACH_COLUMNS(m, body)                                                                                                           \
    do {                                                                                                                                   \
        int c_ = 0;                                                                                                                        \
        for (; c_ + 8 * SN_VEC <= (m); c_ += 8 * SN_VEC) body(c_, 8, SN_VEC);                                                              \
        if (c_ + 4 * SN_VEC <= (m)) {                                                                                                      \
            body(c_, 4, SN_VEC);                                                                                                           \
            c_ += 4 * SN_VEC;                                                                                                              \
        }                                                                                                                                  \
        if (c_ + 2 * SN_VEC <= (m)) {                                                                                                      \
            body(c_, 2, SN_VEC);                                                                                                           \
            c_ += 2 * SN_VEC;                                                                                                              \
        }                                                                                                                                  \
        if (c_ + SN_VEC <= (m)) {                                                                                                          \
            body(c_, 1, SN_VEC);                                                                                                           \
            c_ += SN_VEC;                                                                                                                  \
        }                                                                                                                                  \
        if (c_ < (m)) body(c_, 1, (m)-c_);                                                                                                 \
    } while (0)

/* sum += x over positions [lo, hi): one chain per `block` positions from lo on, blocks added in order. */
SN_INLINE void sn_col_sum_part(const sn_real *x, int64_t ld, int64_t lo, int64_t hi, int64_t block, sn_real *sum, int nv, int lanes) {
    sn_vec total[8];
    SN_UNROLL
    for (int v = 0; v < nv; v++) total[v] = sn_vget(sum + v * SN_VEC, lanes);
    for (int64_t b = lo; b < hi; b += block) {
        int64_t e = b + block < hi ? b + block : hi;
        sn_vec part[8];
        SN_UNROLL
        for (int v = 0; v < nv; v++) part[v] = (sn_vec){0};
        for (int64_t t = b; t < e; t++) SN_UNROLL
        for (int v = 0; v < nv; v++) part[v] += sn_vget(x + t * ld + v * SN_VEC, lanes);
        SN_UNROLL
        for (int v = 0; v < nv; v++) total[v] += part[v];
    }
    SN_UNROLL
    for (int v = 0; v < nv; v++) sn_vput(sum + v * SN_VEC, total[v], lanes);
}

/* sum[c] += sum over positions [lo, hi) of x, m channels: one chain per `block` positions from lo on, blocks added in order. */
static inline void sn_col_sum(const sn_real *x, int64_t ld, int64_t lo, int64_t hi, int64_t block, int m, sn_real *sum) {
#define SN_BODY(c, nv, lanes) sn_col_sum_part(x + (c), ld, lo, hi, block, sum + (c), nv, lanes)
    SN_EACH_COLUMNS(m, SN_BODY);
#undef SN_BODY
}

#endif
