/* Writing HTML and SVG: text is escaped, numbers look the same everywhere, and the first failure sticks: calls after it do nothing, rc is
 * to be asked once at the end. */
#ifndef SN_REPORT_HTML_H
#define SN_REPORT_HTML_H

#include <stdint.h>

#include "core/file.h"

struct sn_html {
    struct sn_outfile *f; /* borrowed */
    int rc;               /* 0 or the first failure */
    int ids;              /* ids given so far */
};

/* As it is; the format's own text must be markup already. */
void sn_html_put(struct sn_html *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Text of an element or a quoted attribute: markup characters as references, what is no UTF-8 or no character of XML as U+FFFD, line breaks
 * and tabs as spaces. */
void sn_html_text(struct sn_html *h, const char *s);
/* The same, of a text longer than `most` characters the beginning and an ellipsis. */
void sn_html_clipped(struct sn_html *h, const char *s, int most);
/* Characters in a text; a byte that is no UTF-8 counts as one. */
int sn_text_length(const char *s);

/* A number in a page: `digits` significant ones, a true minus, powers of ten as such; a dash when it is not finite. */
void sn_html_number(struct sn_html *h, double v, int digits);
/* A count, its thousands apart. */
void sn_html_count(struct sn_html *h, int64_t n);

/* A coordinate: up to `decimals` (0..6) decimals without trailing zeros; buf holds >= 32 bytes, returns buf. Not finite or beyond 1e9: 0.
 */
char *sn_coordinate(double v, int decimals, char *buf);
#define SN_XY(v) sn_coordinate(v, 2, (char[32]){0})

#endif
