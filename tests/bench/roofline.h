/* What a core can do at most: floating-point operations of independent FMAs, bytes of a triad that no cache holds. */
#ifndef SN_BENCH_ROOFLINE_H
#define SN_BENCH_ROOFLINE_H

#include <stdint.h>

#define PEAK_CHAINS 12 /* independent FMAs: at least latency times throughput */
#define PEAK_STEPS 100000
#if defined __x86_64__
#define PEAK(name, isa, bytes)                                                                                                             \
    typedef float name##_vec __attribute__((vector_size(bytes)));                                                                          \
    __attribute__((target(isa), noinline)) static double name(volatile float *sink) {                                                      \
        name##_vec x = {0}, a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, l = x, m = x;                            \
        for (int step = 0; step < PEAK_STEPS; step++)                                                                                      \
            __asm__("vfmadd231ps %12, %12, %0\n vfmadd231ps %12, %12, %1\n vfmadd231ps %12, %12, %2\n vfmadd231ps %12, %12, %3\n"          \
                    "vfmadd231ps %12, %12, %4\n vfmadd231ps %12, %12, %5\n vfmadd231ps %12, %12, %6\n vfmadd231ps %12, %12, %7\n"          \
                    "vfmadd231ps %12, %12, %8\n vfmadd231ps %12, %12, %9\n vfmadd231ps %12, %12, %10\n vfmadd231ps %12, %12, %11"          \
                    : "+x"(a), "+x"(b), "+x"(c), "+x"(d), "+x"(e), "+x"(f), "+x"(g), "+x"(h), "+x"(i), "+x"(j), "+x"(l), "+x"(m)           \
                    : "x"(x));                                                                                                             \
        *sink = (a + b + c + d + e + f + g + h + i + j + l + m)[0];                                                                        \
        return 2.0 * (double)(bytes / sizeof(float)) * PEAK_CHAINS * PEAK_STEPS;                                                           \
    }
PEAK(peak_avx2, "avx2,fma", 32)
PEAK(peak_avx512, "avx512f", 64)
#endif

#define TRIAD_FLOATS ((int64_t)16 << 20) /* 64 MB an array */

/* a = b + s c. Returns bytes read and written, without the lines that a store reads first. */
__attribute__((noinline)) static double triad(float *restrict a, const float *restrict b, const float *restrict c, float s) {
    typedef float vec __attribute__((vector_size(32), aligned(32)));
    for (int64_t i = 0; i < TRIAD_FLOATS; i += 8) *(vec *)(a + i) = *(const vec *)(b + i) + s * *(const vec *)(c + i);
    return 3.0 * sizeof(float) * (double)TRIAD_FLOATS;
}

#endif
