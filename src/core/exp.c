#include "core/exp.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ln 2 in two parts; the high one has 21 trailing zero bits, so that k * high is exact. */
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define LOG2_E 0x1.71547652b82fep+0

double sn_exp(double x) {
    if (x != x) return x;
    if (x < -708) return 0;
    if (x > 709) return INFINITY;
    double k = floor(x * LOG2_E + 0.5), r = (x - k * LN2_HIGH) - k * LN2_LOW, sum = 1;
    /* Taylor's series, |r| <= ln2/2: the 15th term is below 2^-64 */
    for (int i = 14; i >= 1; i--) sum = 1 + sum * r / i;
    uint64_t bits = (uint64_t)((int64_t)k + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}
