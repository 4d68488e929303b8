/* Pictures: lines, areas and text as SVG, either a document of its own (a file: white ground, colours as attributes, letters as paths so
 * that no font is needed) or part of a page (colours by class, so that the page's style decides between light and dark; text as text). What
 * is drawn is the same. */
#ifndef SN_REPORT_SVG_H
#define SN_REPORT_SVG_H

#include <stdbool.h>

#include "report/html.h"

/* Every colour by its role; svg.c has its light and dark value. */
enum sn_ink {
    SN_INK_TEXT,
    SN_INK_MUTED,
    SN_INK_AXIS,
    SN_INK_GRID,
    SN_INK_BAND, /* behind letters and lines: what is meant */
    SN_INK_SERIES,
    SN_INK_SERIES_LAST = SN_INK_SERIES + 5,
    SN_INK_A,
    SN_INK_C,
    SN_INK_G,
    SN_INK_T,
    SN_INK_ACIDIC,
    SN_INK_BASIC,
    SN_INK_POLAR,
    SN_INK_AROMATIC,
    SN_INK_OTHER,
    SN_INKS
};
#define SN_SERIES_INKS (SN_INK_SERIES_LAST - SN_INK_SERIES + 1)

struct sn_svg {
    struct sn_html *h; /* written to */
    bool page;         /* part of a page */
};

/* Opens the picture; title and desc (NULL = none) are what a reader who cannot see it gets. */
void sn_svg_begin(struct sn_svg *s, double width, double height, const char *title, const char *desc);
void sn_svg_end(struct sn_svg *s);

/* Attributes of an element: ` fill="..."`. The dash tells lines apart without colours: 0 = whole, up to SN_SERIES_INKS - 1. */
void sn_svg_fill(struct sn_svg *s, enum sn_ink ink);
void sn_svg_stroke(struct sn_svg *s, enum sn_ink ink, double width);
const char *sn_svg_dash(int i);

enum sn_anchor { SN_START, SN_MIDDLE, SN_END };
/* Text of `size` pixels with its baseline at (x, y); upright: turned to read from below. */
void sn_svg_text(struct sn_svg *s, double x, double y, double size, enum sn_anchor anchor, bool upright, enum sn_ink ink, const char *text);
/* About how wide it will be. */
double sn_svg_text_width(const char *text, double size);
void sn_svg_line(struct sn_svg *s, double x1, double y1, double x2, double y2, enum sn_ink ink);
void sn_svg_rect(struct sn_svg *s, double x, double y, double width, double height, enum sn_ink ink);

/* 1, 2 or 5 times a power of ten, so that at most about `most` of them make up `range` (> 0 and finite, else 1). */
double sn_nice_step(double range, int most);
/* Number and count of the ticks i * step within [lo, hi]. */
void sn_ticks(double lo, double hi, double step, long *first, long *last);
/* The number at a tick; buf holds >= 32 bytes, returns buf. */
const char *sn_tick_text(double v, char *buf);
/* Pixels that the widest number of an axis takes, in text of this size. */
double sn_ticks_width(double lo, double hi, double step, double size);

/* The page's side: custom properties for light and dark, and the classes that use them. */
void sn_svg_css(struct sn_html *h);

#endif
