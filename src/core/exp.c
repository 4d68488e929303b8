#include "core/exp.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ln 2 in two parts; the high one has 21 trailing zero bits, so that k * high is exact. */
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define LOG2_E 0x1.71547652b82fep+0

/* Taylor's series about 0; for |r| <= ln2/2 what it leaves out is below 2^-58. */
#define TERMS 13
static const double inverse_factorial[TERMS + 1] = {
    1.,        1.,         1. / 2,      1. / 6,       1. / 24,       1. / 120,       1. / 720,
    1. / 5040, 1. / 40320, 1. / 362880, 1. / 3628800, 1. / 39916800, 1. / 479001600, 1. / 6227020800,
};

double sn_exp(double x) {
    if (x != x) return x;
    if (x < -708) return 0;
    if (x > 709) return INFINITY;
    double k = floor(x * LOG2_E + 0.5), r = (x - k * LN2_HIGH) - k * LN2_LOW, sum = inverse_factorial[TERMS];
    for (int i = TERMS - 1; i >= 0; i--) sum = sum * r + inverse_factorial[i];
    uint64_t bits = (uint64_t)((int64_t)k + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

typedef double double2 __attribute__((vector_size(16)));
typedef int64_t long2 __attribute__((vector_size(16)));
#define MAGIC 6755399441055744.0 /* 1.5 * 2^52: adding it rounds to an integer, which stands in the lowest bits */

static inline double2 exp_pair(double2 x) {
    const double2 one = {1, 1};
    long2 small = x < -708.0;
    x = (double2)((long2)x & ~small);
    double2 t = x * LOG2_E + 0.5, k = (t + MAGIC) - MAGIC;
    k -= (double2)((long2)one & (k > t)); /* floor(t) */
    double2 r = (x - k * LN2_HIGH) - k * LN2_LOW, sum = {inverse_factorial[TERMS], inverse_factorial[TERMS]};
    for (int i = TERMS - 1; i >= 0; i--) sum = sum * r + inverse_factorial[i];
    long2 power = ((long2)(k + MAGIC) + 1023) << 52;
    return (double2)((long2)(sum * (double2)power) & ~small);
}

void sn_exps(double *x, int n) {
    double2 v;
    int i = 0;
    for (; i + 2 <= n; i += 2) {
        memcpy(&v, x + i, sizeof v);
        v = exp_pair(v);
        memcpy(x + i, &v, sizeof v);
    }
    if (i < n) x[i] = sn_exp(x[i]);
}
