#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/parse.h"

/* ---- from digits to text ---- */

/* Writes -?digits * 10^exponent: plain for 1e-5 <= |v| < 1e15, else d.ddde-XX. `digits` has n >= 1 characters without trailing zeros. */
static char *layout(bool negative, const char *digits, int n, int exponent, char *buf) {
    char *p = buf;
    int point = n + exponent; /* digits before the decimal point */
    if (negative) *p++ = '-';
    if (point > 15 || point < -4) {
        *p++ = digits[0];
        if (n > 1) {
            *p++ = '.';
            memcpy(p, digits + 1, (size_t)n - 1);
            p += n - 1;
        }
        sprintf(p, "e%c%02d", point < 1 ? '-' : '+', point < 1 ? 1 - point : point - 1);
        return buf;
    }
    if (point <= 0) {
        *p++ = '0';
        *p++ = '.';
        for (int i = point; i < 0; i++) *p++ = '0';
    }
    for (int i = 0; i < n; i++) {
        if (i > 0 && i == point) *p++ = '.';
        *p++ = digits[i];
    }
    for (int i = n; i < point; i++) *p++ = '0';
    *p = '\0';
    return buf;
}

/* nan, inf and zero; NULL for every other number */
static char *format_special(double v, char *buf) {
    if (isnan(v)) return strcpy(buf, "nan");
    if (isinf(v)) return strcpy(buf, v < 0 ? "-inf" : "inf");
    if (v == 0) return strcpy(buf, signbit(v) ? "-0" : "0");
    return NULL;
}

/* ---- float: Schubfach (Giulietti 2020), after A. Bolz's presentation of it ---- */

#define POW10_FIRST (-31)

/* ceil(10^k * 2^(63 - floor(log2(10^k)))) for k = POW10_FIRST .. 46 */
static const uint64_t pow10_bits[] = {
    0x81ceb32c4b43fcf5, 0xa2425ff75e14fc32, 0xcad2f7f5359a3b3f, 0xfd87b5f28300ca0e, 0x9e74d1b791e07e49, 0xc612062576589ddb,
    0xf79687aed3eec552, 0x9abe14cd44753b53, 0xc16d9a0095928a28, 0xf1c90080baf72cb2, 0x971da05074da7bef, 0xbce5086492111aeb,
    0xec1e4a7db69561a6, 0x9392ee8e921d5d08, 0xb877aa3236a4b44a, 0xe69594bec44de15c, 0x901d7cf73ab0acda, 0xb424dc35095cd810,
    0xe12e13424bb40e14, 0x8cbccc096f5088cc, 0xafebff0bcb24aaff, 0xdbe6fecebdedd5bf, 0x89705f4136b4a598, 0xabcc77118461cefd,
    0xd6bf94d5e57a42bd, 0x8637bd05af6c69b6, 0xa7c5ac471b478424, 0xd1b71758e219652c, 0x83126e978d4fdf3c, 0xa3d70a3d70a3d70b,
    0xcccccccccccccccd, 0x8000000000000000, 0xa000000000000000, 0xc800000000000000, 0xfa00000000000000, 0x9c40000000000000,
    0xc350000000000000, 0xf424000000000000, 0x9896800000000000, 0xbebc200000000000, 0xee6b280000000000, 0x9502f90000000000,
    0xba43b74000000000, 0xe8d4a51000000000, 0x9184e72a00000000, 0xb5e620f480000000, 0xe35fa931a0000000, 0x8e1bc9bf04000000,
    0xb1a2bc2ec5000000, 0xde0b6b3a76400000, 0x8ac7230489e80000, 0xad78ebc5ac620000, 0xd8d726b7177a8000, 0x878678326eac9000,
    0xa968163f0a57b400, 0xd3c21bcecceda100, 0x84595161401484a0, 0xa56fa5b99019a5c8, 0xcecb8f27f4200f3a, 0x813f3978f8940985,
    0xa18f07d736b90be6, 0xc9f2c9cd04674edf, 0xfc6f7c4045812297, 0x9dc5ada82b70b59e, 0xc5371912364ce306, 0xf684df56c3e01bc7,
    0x9a130b963a6c115d, 0xc097ce7bc90715b4, 0xf0bdc21abb48db21, 0x96769950b50d88f5, 0xbc143fa4e250eb32, 0xeb194f8e1ae525fe,
    0x92efd1b8d0cf37bf, 0xb7abc627050305ae, 0xe596b7b0c643c71a, 0x8f7e32ce7bea5c70, 0xb35dbf821ae4f38c, 0xe0352f62a19e306f,
};

/* High part of g * c / 2^64, its last bit set when anything was cut off. */
static uint32_t round_to_odd(uint64_t g, uint32_t c) {
    unsigned __int128 p = (unsigned __int128)g * c;
    uint32_t high = (uint32_t)(p >> 64), low = (uint32_t)((uint64_t)p >> 32);
    return high | (low > 1);
}

/* The shortest decimal in the rounding interval of c * 2^q, the closest one if there are several: result * 10^*exponent. */
static uint32_t shortest(uint32_t c, int q, bool lower_is_closer, int *exponent) {
    bool even = c % 2 == 0;
    int k = (q * 1262611 - (lower_is_closer ? 524031 : 0)) >> 22; /* floor(log10) of the interval's width */
    int h = q + ((-k * 1741647) >> 19) + 1;
    uint64_t g = pow10_bits[-k - POW10_FIRST];
    uint32_t lower = round_to_odd(g, (4 * c - 2 + lower_is_closer) << h) + !even;
    uint32_t value = round_to_odd(g, (4 * c) << h);
    uint32_t upper = round_to_odd(g, (4 * c + 2) << h) - !even;
    uint32_t s = value / 4;
    if (s >= 10) {
        uint32_t tens = s / 10;
        bool down = lower <= 40 * tens, up = 40 * tens + 40 <= upper;
        if (down != up) {
            *exponent = k + 1;
            return tens + up;
        }
    }
    *exponent = k;
    bool down = lower <= 4 * s, up = 4 * s + 4 <= upper;
    if (down != up) return s + up;
    uint32_t middle = 4 * s + 2;
    return s + (value > middle || (value == middle && s % 2 == 1));
}

char *sn_format_f32(float v, char *buf) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint32_t fraction = bits & 0x7fffff, biased = bits >> 23 & 0xff;
    if (biased == 0xff || (bits & 0x7fffffff) == 0) return format_special((double)v, buf);
    uint32_t c = biased ? fraction | 0x800000 : fraction;
    int q = (biased ? (int)biased : 1) - 150, exponent = 0;
    uint32_t m;
    if (q <= 0 && q > -24 && (c & ((1u << -q) - 1)) == 0)
        m = c >> -q; /* an integer */
    else
        m = shortest(c, q, fraction == 0 && biased > 1, &exponent);
    while (m % 10 == 0) {
        m /= 10;
        exponent++;
    }
    char digits[16];
    int n = 0;
    for (char *p = digits + sizeof digits; m > 0; m /= 10) {
        *--p = (char)('0' + m % 10);
        n++;
    }
    return layout(bits >> 31, digits + sizeof digits - n, n, exponent, buf);
}

/* ---- double: the digits of printf ---- */

/* v (finite, not 0) with `precision` significant digits, trailing zeros dropped. */
static char *rounded(double v, int precision, char *buf) {
    char text[48], digits[24];
    int n = 0;
    snprintf(text, sizeof text, "%.*e", precision - 1, fabs(v));
    const char *p = text;
    for (; *p != 'e'; p++) /* the host's locale decides what the decimal point looks like */
        if (*p >= '0' && *p <= '9') digits[n++] = *p;
    int64_t exponent = 0;
    p += p[1] == '+' ? 2 : 1;
    sn_parse_i64(p, strlen(p), &exponent);
    exponent -= n - 1;
    for (; n > 1 && digits[n - 1] == '0'; n--) exponent++;
    return layout(v < 0, digits, n, (int)exponent, buf);
}

static bool reads_back(double v, const char *text) {
    double back;
    return sn_parse_f64(text, strlen(text), &back) && back == v;
}

char *sn_format_f64(double v, char *buf) {
    char *special = format_special(v, buf);
    if (special) return special;
    /* 15 digits survive the way through a normal double, so that fewer need no search: trailing zeros are dropped */
    int precision = fabs(v) < DBL_MIN ? 1 : 15;
    while (precision < 17 && !reads_back(v, rounded(v, precision, buf))) precision++;
    return precision == 17 ? rounded(v, precision, buf) : buf;
}

char *sn_format_digits(double v, int digits, char *buf) {
    char *special = format_special(v, buf);
    return special ? special : rounded(v, digits, buf);
}
