#include "core/ln.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ln 2 in two parts; the high one has 21 trailing zero bits, so that k * high is exact. */
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define SQRT2 0x1.6a09e667f3bcdp+0

double sn_ln(double x) {
    if (x != x || x < 0) return NAN;
    if (x == 0) return -INFINITY;
    if (x > 1.7976931348623157e308) return x;
    int k = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        k = -54;
    }
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    k += (int)(bits >> 52) - 1023;
    bits = (bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3ff0000000000000);
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > SQRT2) {
        m *= 0.5;
        k++;
    }
    /* ln m = 2 atanh(s), s = (m-1)/(m+1), |s| < 0.172: s^21/21 is below 2^-57 of s */
    double s = (m - 1) / (m + 1), z = s * s, sum = 0;
    for (int i = 21; i >= 3; i -= 2) sum = (sum + 1.0 / i) * z;
    return k * LN2_HIGH + (2 * s + (2 * s * sum + k * LN2_LOW));
}
