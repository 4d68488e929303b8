#include "core/parse.h"

#include <ctype.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORD 64
#define MAX_NUMBER 255 /* characters of a floating-point number */

/* ---- integers ---- */

bool sn_parse_i64(const char *s, size_t n, int64_t *out) {
    bool negative = n > 0 && s[0] == '-';
    size_t i = negative;
    int64_t v = 0;
    if (i == n) return false;
    for (; i < n; i++) { /* downwards, since INT64_MIN has no positive */
        if (s[i] < '0' || s[i] > '9') return false;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, s[i] - '0', &v)) return false;
    }
    if (!negative && __builtin_sub_overflow(0, v, &v)) return false;
    *out = v;
    return true;
}

bool sn_parse_size(const char *s, size_t n, int64_t *out) {
    int64_t unit = 1, v;
    if (n > 0) unit = s[n - 1] == 'k' ? 1000 : s[n - 1] == 'M' ? 1000000 : s[n - 1] == 'G' ? 1000000000 : 1;
    if (unit > 1) n--;
    if (!sn_parse_i64(s, n, &v) || __builtin_mul_overflow(v, unit, &v)) return false;
    *out = v;
    return true;
}

/* ---- floating point ---- */

/* A number taken apart: value = mantissa * 10^exponent, exact while digits <= 19. */
struct decimal {
    bool negative;
    uint64_t mantissa;
    int digits; /* significant digits seen */
    int64_t exponent;
};

static size_t scan_digits(const char *s, size_t i, size_t n, struct decimal *d, int exponent_step) {
    for (; i < n && s[i] >= '0' && s[i] <= '9'; i++) {
        if (d->digits < 19) d->mantissa = d->mantissa * 10 + (uint64_t)(s[i] - '0');
        if (d->mantissa > 0) d->digits++;
        d->exponent += exponent_step;
    }
    return i;
}

/* -?(D+(.D*)?|.D+)([eE][+-]?D+)? */
static bool scan_decimal(const char *s, size_t n, struct decimal *d) {
    *d = (struct decimal){.negative = n > 0 && s[0] == '-'};
    size_t start = d->negative, i = scan_digits(s, start, n, d, 0), seen = i - start;
    if (i < n && s[i] == '.') {
        start = i + 1;
        i = scan_digits(s, start, n, d, -1);
        seen += i - start;
    }
    if (seen == 0) return false;
    if (i == n) return true;
    if (s[i] != 'e' && s[i] != 'E') return false;
    i++;
    if (i < n && s[i] == '+' && i + 1 < n && s[i + 1] != '-') i++;
    int64_t e;
    if (!sn_parse_i64(s + i, n - i, &e) || e > 1000000 || e < -1000000) return false;
    d->exponent += e;
    return true;
}

static locale_t c_locale;

static void make_c_locale(void) {
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* strtod with the C locale's point whatever the host has set. */
static double c_strtod(const char *s) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_c_locale);
    return c_locale ? strtod_l(s, NULL, c_locale) : strtod(s, NULL);
}

bool sn_parse_f64(const char *s, size_t n, double *out) {
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal d;
    if (n > MAX_NUMBER || !scan_decimal(s, n, &d)) return false;
    /* both operands exact, one rounding (Clinger 1990) */
    if (d.digits <= 19 && d.mantissa <= UINT64_C(1) << 53 && d.exponent >= -22 && d.exponent <= 22) {
        double v = (double)d.mantissa;
        v = d.exponent < 0 ? v / power[-d.exponent] : v * power[d.exponent];
        *out = d.negative ? -v : v;
        return true;
    }
    char text[MAX_NUMBER + 1];
    memcpy(text, s, n);
    text[n] = '\0';
    double v = c_strtod(text);
    if (!isfinite(v)) return false;
    *out = v;
    return true;
}

/* ---- the nearest name ---- */

static int min3(int a, int b, int c) {
    int m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edit distance with swaps of neighbours, case ignored. */
static int edit_distance(const char *a, int na, const char *b, int nb) {
    int row[3][MAX_WORD + 1];
    for (int j = 0; j <= nb; j++) row[0][j] = j;
    for (int i = 1; i <= na; i++) {
        int *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= nb; j++) {
            int ca = tolower((unsigned char)a[i - 1]), cb = tolower((unsigned char)b[j - 1]);
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) && tolower((unsigned char)a[i - 2]) == cb &&
                before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
    }
    return row[na % 3][nb];
}

const char *sn_nearest(const char *word, const char *const *names, int n) {
    size_t length = strnlen(word, MAX_WORD + 1);
    if (length > MAX_WORD) return NULL;
    int best = length / 3 > 2 ? (int)(length / 3) : 2;
    const char *found = NULL;
    for (int i = 0; i < n; i++) {
        size_t m = strlen(names[i]);
        if (m > MAX_WORD) continue;
        int d = edit_distance(word, (int)length, names[i], (int)m);
        bool nothing_shared = (size_t)d >= (m > length ? m : length);
        if (nothing_shared || d > best || (found && d == best)) continue;
        best = d;
        found = names[i];
    }
    return found;
}
