/* Sequence logos as SVG. Letters are paths: nothing depends on the fonts of the reader. A green, C blue, G orange, T and U red. */
#ifndef SN_REPORT_LOGO_H
#define SN_REPORT_LOGO_H

#include <stdbool.h>
#include <stdint.h>

#include "report/svg.h"

/* A stretch [start, end) of positions with a bracket and a name above it. */
struct sn_logo_mark {
    int64_t start, end;
    const char *label; /* NULL = the bracket alone */
};

struct sn_logo {
    const char *title;    /* drawn above (in a page only told to those who cannot see it); NULL = none */
    const char *subtitle; /* a second, smaller line; the description in a page; NULL = none */
    const char *y_label;  /* "bits" */
    const char *letters;  /* one per column of `height` */
    int n_letters;
    int64_t length; /* positions */
    const float
        *height;       /* (length, n_letters): positive letters are stacked upwards, the tallest on top; negative ones hang down, flipped */
    double y_max;      /* top of the axis; 0 = the tallest stack */
    int64_t first;     /* number of the first position on the axis */
    int per_row;       /* most positions in a line; longer sequences are broken. 0 = 120 */
    double cell;       /* width of a position in pixels; 0 = 12 */
    double row;        /* height of a line in pixels; 0 = 110 */
    int lead, columns; /* places left free before the first position, and places in all (0 = as many as needed): for logos that are to
                          stand above each other. One line only */
    bool bare;         /* no axes: in a table */
    int64_t band_start, band_end;     /* positions with a coloured ground; equal = none */
    const struct sn_logo_mark *marks; /* (n_marks) */
    int n_marks;
};
/* Writes one SVG document. Heights that are not finite count as 0. */
int sn_logo_write(const struct sn_logo *l, struct sn_outfile *f);
/* The same within a page that has called sn_logo_letters for its letters. */
void sn_logo_put(const struct sn_logo *l, struct sn_html *h);
/* The letters once for all logos of a page. */
void sn_logo_letters(const char *letters, struct sn_html *h);

#endif
