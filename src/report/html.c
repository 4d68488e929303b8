#include "report/html.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"

/* ---- writing ---- */

static void put_bytes(struct sn_html *h, const char *s, size_t n) {
    if (h->rc == 0 && n > 0) h->rc = sn_outfile_write(h->f, s, n);
}

static void put_plain(struct sn_html *h, const char *s) {
    put_bytes(h, s, strlen(s));
}

void sn_html_put(struct sn_html *h, const char *fmt, ...) {
    char small[512];
    va_list ap;
    if (h->rc < 0) return;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < 0) h->rc = sn_error(SEQNET_EINTERNAL, "cannot format '%s'", fmt);
    if (n < (int)sizeof small) {
        put_bytes(h, small, n > 0 ? (size_t)n : 0);
        return;
    }
    char *large = sn_calloc((size_t)n + 1, 1);
    if (!large) {
        h->rc = SEQNET_ENOMEM;
        return;
    }
    va_start(ap, fmt);
    vsnprintf(large, (size_t)n + 1, fmt, ap);
    va_end(ap);
    put_bytes(h, large, (size_t)n);
    free(large);
}

/* ---- text ---- */

/* Bytes of the character at s and its code point; -1 for what is no UTF-8 (one byte is taken). */
static int next_character(const unsigned char *s, int32_t *code) {
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    int n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf8 ? 4 : 0;
    *code = n == 1 ? s[0] : -1;
    if (n < 2) return 1;
    int32_t c = s[0] & (0x7f >> n);
    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) return 1;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 1;
    *code = c;
    return n;
}

static void put_character(struct sn_html *h, const char *s, int n, int32_t code) {
    switch (code) {
    case '<':
        put_plain(h, "&lt;");
        break;
    case '>':
        put_plain(h, "&gt;");
        break;
    case '&':
        put_plain(h, "&amp;");
        break;
    case '"':
        put_plain(h, "&quot;");
        break;
    case '\'':
        put_plain(h, "&#39;");
        break;
    case '\t':
    case '\n':
    case '\r':
        put_plain(h, " ");
        break;
    default:
        if (code < 32 || (code >= 0x7f && code < 0xa0) || code == 0xfffe || code == 0xffff)
            put_plain(h, "\xef\xbf\xbd");
        else
            put_bytes(h, s, (size_t)n);
    }
}

int sn_text_length(const char *s) {
    int n = 0;
    int32_t code;
    for (; *s; n++) s += next_character((const unsigned char *)s, &code);
    return n;
}

static void put_text(struct sn_html *h, const char *s, int most) {
    int32_t code;
    for (int i = 0; *s && i < most; i++) {
        int n = next_character((const unsigned char *)s, &code);
        put_character(h, s, n, code);
        s += n;
    }
}

void sn_html_text(struct sn_html *h, const char *s) {
    put_text(h, s, INT32_MAX);
}

void sn_html_clipped(struct sn_html *h, const char *s, int most) {
    if (sn_text_length(s) <= most) {
        sn_html_text(h, s);
        return;
    }
    put_text(h, s, most - 1);
    put_plain(h, "\xe2\x80\xa6");
}

/* ---- numbers ---- */

void sn_html_number(struct sn_html *h, double v, int digits) {
    char text[32];
    if (!isfinite(v)) {
        put_plain(h, "\xe2\x80\x93");
        return;
    }
    sn_format_digits(v, digits, text);
    const char *s = text, *e = strchr(text, 'e');
    if (*s == '-') {
        put_plain(h, "\xe2\x88\x92");
        s++;
    }
    if (!e) {
        put_plain(h, s);
        return;
    }
    put_bytes(h, s, (size_t)(e - s));
    put_plain(h, "\xc2\xa0\xc3\x97\xc2\xa0"
                 "10<sup>");
    if (e[1] == '-') put_plain(h, "\xe2\x88\x92");
    const char *power = e + 2;
    while (power[0] == '0' && power[1]) power++;
    put_plain(h, power);
    put_plain(h, "</sup>");
}

void sn_html_count(struct sn_html *h, int64_t n) {
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
    for (int i = 0; i < len; i++) {
        if (i > 0 && digits[i - 1] != '-' && (len - i) % 3 == 0 && len > 4) put_plain(h, "\xe2\x80\xaf");
        put_bytes(h, &digits[i], 1);
    }
}

char *sn_coordinate(double v, int decimals, char *buf) {
    static const double scale[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    if (!(v > -1e9 && v < 1e9)) v = 0;
    long long parts = llround(v * scale[decimals]), unit = (long long)scale[decimals], a = llabs(parts);
    int n = snprintf(buf, 32, "%s%lld", parts < 0 ? "-" : "", a / unit);
    if (decimals == 0 || a % unit == 0) return buf;
    n += snprintf(buf + n, 32 - (size_t)n, ".%0*lld", decimals, a % unit);
    while (buf[n - 1] == '0') n--;
    buf[n] = '\0';
    return buf;
}
