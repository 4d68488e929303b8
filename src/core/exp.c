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
