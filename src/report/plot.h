/* Plots: lines, steps and bars over two axes with round ticks, as SVG. */
#ifndef SN_REPORT_PLOT_H
#define SN_REPORT_PLOT_H

#include "report/svg.h"

enum sn_plot_kind {
    SN_PLOT_LINE,
    SN_PLOT_STEPS, /* y[i] holds from x[i-1] to x[i] */
    SN_PLOT_BARS,  /* from 0, each `width` wide about its x */
};

struct sn_plot_series {
    enum sn_plot_kind kind;
    const char *name; /* for the legend; NULL = none */
    const double *x, *y;
    int n;        /* points; where one of both is not finite the line is broken */
    double width; /* bars, in units of x */
};

#define SN_PLOT_SERIES 8
struct sn_plot {
    const char *title, *desc; /* desc: what is to be seen, for those who cannot; NULL = none */
    const char *x_label, *y_label;
    struct sn_plot_series series[SN_PLOT_SERIES];
    int n_series;
    double x_lo, x_hi, y_lo, y_hi; /* ends of the axes; lo = hi: from the points */
    bool y_from_zero;              /* the axis reaches 0 */
    bool x_decades;                /* x is a decimal logarithm: 1e-7 is written where it is -7 */
    bool x_whole, y_whole;         /* ticks at whole numbers only: epochs, counts */
    bool diagonal;                 /* chance in a ROC plot */
    bool level_given, mark_given;
    double level; /* a horizontal line: base rate */
    double mark;  /* a vertical one: the epoch kept */
    const char *level_label;
    double width, height; /* pixels, without title and legend; 0 = SN_PLOT_WIDTH, SN_PLOT_HEIGHT */
};

#define SN_PLOT_WIDTH 360.0
#define SN_PLOT_HEIGHT 250.0

int sn_plot_write(const struct sn_plot *p, struct sn_outfile *f);
void sn_plot_put(const struct sn_plot *p, struct sn_html *h);

#endif
