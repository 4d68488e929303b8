/* exp, log, tanh, sigmoid and the DeepLIFT quotients rho: the same IEEE operations in the same order on every ISA, no libm, no branches,
 * so that loops over them vectorise. float: relative error below 3e-7. double (test oracle): libm. NaN in gives NaN out.
 * SN_FMA(a, b, c) is the including file's a*b+c, fused in vector builds. */
#ifndef SN_KERNELS_MATHFN_H
#define SN_KERNELS_MATHFN_H

#include "kernels.h"

#ifndef SN_FMA
#error "define SN_FMA(a, b, c) before including mathfn.h"
#endif

#define SN_R(x) ((sn_real)(x)) /* a constant of the working precision */
/* A loop with a call in it does not vectorise. */
#define SN_MATH static inline __attribute__((always_inline))

#ifdef SN_DOUBLE

#include <math.h>

SN_MATH double sn_m_exp(double x) {
    return exp(x);
}
SN_MATH double sn_m_expm1(double x) {
    return expm1(x);
}
SN_MATH double sn_m_log(double x) {
    return log(x);
}
SN_MATH double sn_m_log1p(double x) {
    return log1p(x);
}
SN_MATH double sn_m_tanh(double x) {
    return tanh(x);
}
SN_MATH double sn_m_exp_minus(double x) {
    return exp(-fabs(x));
}
SN_MATH double sn_m_sigmoid(double x) {
    return 1 / (1 + exp(-x));
}
SN_MATH double sn_m_sqrt(double x) {
    return sqrt(x);
}
SN_MATH double sn_m_abs(double x) {
    return fabs(x);
}

#else

SN_MATH float sn_m_from_bits(int32_t i) {
    float f;
    __builtin_memcpy(&f, &i, sizeof f);
    return f;
}

SN_MATH int32_t sn_m_bits(float f) {
    int32_t i;
    __builtin_memcpy(&i, &f, sizeof i);
    return i;
}

/* 2^n, n in [-126, 128]; no undefined shift for an n that comes from NaN. */
SN_MATH float sn_m_pow2(int32_t n) {
    return sn_m_from_bits((int32_t)((uint32_t)(n + 127) << 23));
}

SN_MATH float sn_m_abs(float x) {
    return __builtin_fabsf(x);
}

SN_MATH float sn_m_sqrt(float x) {
    return __builtin_sqrtf(x);
}

/* x = n ln2 + r, |r| <= ln2/2; t = 1.5*2^23 + n, whose last bits are n. |x| < 2^20. */
SN_MATH float sn_m_reduce(float x, float *t) {
    *t = SN_FMA(x, 1.44269504f, 12582912.0f);
    float k = *t - 12582912.0f;
    float r = SN_FMA(k, -0.693359375f, x);
    return SN_FMA(k, 2.12194440e-4f, r);
}

/* 2^n from the t of sn_m_reduce, n in [-126, 128]. */
SN_MATH float sn_m_scale(float t) {
    return sn_m_from_bits((int32_t)(((uint32_t)sn_m_bits(t) << 23) + 0x3f800000u));
}

/* exp(r) - 1 for |r| <= ln2/2. */
SN_MATH float sn_m_expm1_poly(float r) {
    float p = 1.9875691500e-4f;
    p = SN_FMA(p, r, 1.3981999507e-3f);
    p = SN_FMA(p, r, 8.3334519073e-3f);
    p = SN_FMA(p, r, 4.1665795894e-2f);
    p = SN_FMA(p, r, 1.6666665459e-1f);
    p = SN_FMA(p, r, 5.0000001201e-1f);
    return SN_FMA(p, r * r, r);
}

/* Overflows to Inf above 88.72, reaches 0 below -104 (-87.3 with flush to zero). */
SN_MATH float sn_m_exp(float x) {
    x = x < -105.0f ? -105.0f : x;
    x = x > 89.0f ? 89.0f : x;
    float t, e = 1.0f + sn_m_expm1_poly(sn_m_reduce(x, &t));
    int32_t n = sn_m_bits(t) - 0x4b400000, h = n >> 1; /* 2^n in two factors: n reaches from -151 to 128 */
    return e * sn_m_pow2(h) * sn_m_pow2(n - h);
}

/* exp(x) - 1 for x <= 88, with full relative accuracy around 0. */
SN_MATH float sn_m_expm1(float x) {
    x = x < -20.0f ? -20.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float t, p = sn_m_expm1_poly(sn_m_reduce(x, &t)), s = sn_m_scale(t);
    return SN_FMA(p, s, s - 1.0f);
}

/* x = m 2^e with m in [sqrt(1/2), sqrt 2). Subnormal x counts as 0. */
SN_MATH float sn_m_log(float x) {
    uint32_t u = (uint32_t)sn_m_bits(x);
    int32_t e = (int32_t)(u - 0x3f3504f3u) >> 23;
    float f = sn_m_from_bits((int32_t)(u - ((uint32_t)e << 23))) - 1.0f, k = (float)e, z = f * f;
    float p = 7.0376836292e-2f;
    p = SN_FMA(p, f, -1.1514610310e-1f);
    p = SN_FMA(p, f, 1.1676998740e-1f);
    p = SN_FMA(p, f, -1.2420140846e-1f);
    p = SN_FMA(p, f, 1.4249322787e-1f);
    p = SN_FMA(p, f, -1.6668057665e-1f);
    p = SN_FMA(p, f, 2.0000714765e-1f);
    p = SN_FMA(p, f, -2.4999993993e-1f);
    p = SN_FMA(p, f, 3.3333331174e-1f);
    p = SN_FMA(p * f, z, k * -2.12194440e-4f);
    p = SN_FMA(-0.5f, z, p);
    p = SN_FMA(k, 0.693359375f, f + p);
    p = x < 1.17549435e-38f ? -__builtin_inff() : p;
    p = x < 0.0f ? __builtin_nanf("") : p;
    return x < __builtin_inff() ? p : x; /* Inf and NaN stay */
}

/* log(1 + x) for x > -1, with full relative accuracy around 0: the rounding error of 1 + x is added back. */
SN_MATH float sn_m_log1p(float x) {
    float w = 1.0f + x;
    float c = (x - (w - 1.0f)) / w;
    return sn_m_log(w) + (w < __builtin_inff() ? c : 0.0f);
}

/* min(|x|, most), most > 0; NaN counts as Inf. Positive floats are ordered as their bits are. */
SN_MATH float sn_m_abs_below(float x, float most) {
    int32_t u = sn_m_bits(x) & 0x7fffffff, m = sn_m_bits(most);
    return sn_m_from_bits(u < m ? u : m);
}

/* exp(-|x|), 0 where that is below 2^-126; NaN counts as Inf. */
SN_MATH float sn_m_exp_minus(float x) {
    float t, p = sn_m_expm1_poly(sn_m_reduce(-sn_m_abs_below(x, 88.0f), &t)), s = sn_m_scale(t); /* n = -127 gives 0 */
    return SN_FMA(p, s, s);
}

/* With e = exp(-2|x|) - 1; beyond 10 all digits of the result are 1's. */
SN_MATH float sn_m_tanh(float x) {
    float t, p = sn_m_expm1_poly(sn_m_reduce(-2.0f * sn_m_abs_below(x, 10.0f), &t)), s = sn_m_scale(t), e = SN_FMA(p, s, s - 1.0f);
    float y = __builtin_copysignf(e / (2.0f + e), x);
    return x != x ? x : y;
}

SN_MATH float sn_m_sigmoid(float x) {
    float e = sn_m_exp_minus(x), y = (x < 0.0f ? e : 1.0f) / (1.0f + e);
    return x != x ? x : y;
}

#endif

/* NaN stays NaN. */
SN_MATH sn_real sn_m_relu(sn_real x) {
    return x < 0 ? 0 : x;
}

/* log(1 + exp(x)). */
SN_MATH sn_real sn_m_softplus(sn_real x) {
    return (x > 0 ? x : 0) + sn_m_log1p(sn_m_exp(-sn_m_abs(x)));
}

/* rho_f(a, b) = (f(a) - f(b)) / (a - b), f'(a) where a == b; symmetric in a and b, no cancellation at any distance. */
SN_MATH sn_real sn_m_rho_relu(sn_real a, sn_real b) {
    sn_real d = a - b, s = (a > 0 ? 1 : 0);
    sn_real q = ((a > 0 ? a : 0) - (b > 0 ? b : 0)) / d;
    return d == 0 ? s : q;
}

/* tanh(d/2)/d [s_a (1-s_b) + s_b (1-s_a)], with s and 1-s both from exp(-|.|), so that neither loses digits. */
SN_MATH sn_real sn_m_rho_sigmoid(sn_real a, sn_real b) {
    sn_real ea = sn_m_exp_minus(a), eb = sn_m_exp_minus(b);
    sn_real sa = a > 0 ? 1 : ea, ra = a > 0 ? ea : 1; /* s and 1-s, times 1+e */
    sn_real sb = b > 0 ? 1 : eb, rb = b > 0 ? eb : 1;
    sn_real d = a - b;
    sn_real near = SN_R(0.5) - d * d * SN_R(1.0 / 24), far = sn_m_tanh(SN_R(0.5) * d) / d;
    sn_real t = sn_m_abs(d) < SN_R(1e-4) ? near : far;
    return t * (sa * rb + sb * ra) / ((1 + ea) * (1 + eb));
}

SN_MATH sn_real sn_m_rho_tanh(sn_real a, sn_real b) {
    return 4 * sn_m_rho_sigmoid(2 * a, 2 * b);
}

/* exp(b) expm1(d)/d near, the plain quotient where nothing cancels. */
SN_MATH sn_real sn_m_rho_exp(sn_real a, sn_real b) {
    sn_real d = a - b, ea = sn_m_exp(a), eb = sn_m_exp(b);
    sn_real near = eb * sn_m_expm1(d), far = ea - eb;
    sn_real q = (sn_m_abs(d) < 1 ? near : far) / d;
    return d == 0 ? eb : q;
}

#endif
