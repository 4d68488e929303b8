/* Sequence logos as SVG. Letters are paths: nothing depends on the fonts of the reader. A green, C blue, G orange, T and U red. */
#ifndef SN_REPORT_LOGO_H
#define SN_REPORT_LOGO_H

#include <stdbool.h>
#include <stdint.h>

#include "core/file.h"

struct sn_logo {
    const char *title;    /* drawn above; NULL = none */
    const char *subtitle; /* a second, smaller line; NULL = none */
    const char *y_label;  /* "bits" */
    const char *letters;  /* one per column of `height` */
    int n_letters;
    int64_t length; /* positions */
    const float
        *height;   /* (length, n_letters): positive letters are stacked upwards, the tallest on top; negative ones hang down, flipped */
    double y_max;  /* top of the axis; 0 = the tallest stack */
    int64_t first; /* number of the first position on the axis */
    int per_row;   /* most positions in a line; longer sequences are broken. 0 = 120 */
    double cell;   /* width of a position in pixels; 0 = 12 */
};
/* Writes one SVG document. Heights that are not finite count as 0. */
int sn_logo_write(const struct sn_logo *l, struct sn_outfile *f);

#endif
