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

/* a > b ? a : b of each lane. */
SN_INLINE sn_vec sn_vmax(sn_vec a, sn_vec b) {
#if defined __AVX512F__ && !defined SN_DOUBLE
    return (sn_vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined __AVX__ && !defined SN_DOUBLE
    return (sn_vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    sn_ivec more = a > b;
    return (sn_vec)(((sn_ivec)a & more) | ((sn_ivec)b & ~more));
#endif
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

/* sum[c] += sum over positions [lo, hi) of x: one chain per SN_KBLOCK positions from lo on, blocks added in order. m <= SN_CHUNK. */
static inline void sn_col_sum(const sn_real *x, int64_t ld, int64_t lo, int64_t hi, int m, sn_real *sum) {
    for (int64_t b = lo; b < hi; b += SN_KBLOCK) {
        int64_t e = b + SN_KBLOCK < hi ? b + SN_KBLOCK : hi;
        sn_real part[SN_CHUNK] = {0};
        for (int64_t t = b; t < e; t++)
            for (int c = 0; c < m; c++) part[c] += x[t * ld + c];
        for (int c = 0; c < m; c++) sum[c] += part[c];
    }
}

static inline int sn_imin(int64_t a, int64_t b) {
    return (int)(a < b ? a : b);
}

#endif
