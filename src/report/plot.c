#include "report/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/parse.h"

#define LEFT 52.0 /* margins about the area of the points; more where the numbers are wide */
#define LABEL_ROOM 28.0
#define RIGHT 14.0
#define TOP 12.0
#define BOTTOM 40.0
#define TITLE 22.0    /* files have their title drawn */
#define LEGEND 16.0   /* a line of the legend */
#define LINE 12.0     /* length of the line before a legend's word */
#define SMALL 11.0    /* size of text */
#define BREAK_AT 4000 /* points of one path element */

struct canvas {
    const struct sn_plot *p;
    struct sn_svg svg;
    double width, height;            /* of the picture */
    double left, top, right, bottom; /* of the area of the points, in pixels */
    double x_lo, x_hi, y_lo, y_hi, x_step, y_step;
    bool any; /* there is something to draw */
    int legend_lines;
};

/* ---- layout ---- */

static bool finite_point(const struct sn_plot_series *s, int i) {
    return isfinite(s->x[i]) && isfinite(s->y[i]);
}

static void stretch(double *lo, double *hi, double v) {
    if (!(*lo <= v)) *lo = v;
    if (!(*hi >= v)) *hi = v;
}

static void find_points(struct canvas *c, double *x_lo, double *x_hi, double *y_lo, double *y_hi) {
    *x_lo = *x_hi = *y_lo = *y_hi = NAN;
    for (int k = 0; k < c->p->n_series; k++) {
        const struct sn_plot_series *s = &c->p->series[k];
        double half = s->kind == SN_PLOT_BARS ? s->width / 2 : 0;
        for (int i = 0; i < s->n; i++) {
            if (!finite_point(s, i)) continue;
            stretch(x_lo, x_hi, s->x[i] - half);
            stretch(x_lo, x_hi, s->x[i] + half);
            stretch(y_lo, y_hi, s->y[i]);
            if (s->kind == SN_PLOT_BARS) stretch(y_lo, y_hi, 0);
            c->any = true;
        }
    }
    if (c->p->y_from_zero) stretch(y_lo, y_hi, 0);
}

/* The ends as given, or those of the points, made round where they are values rather than places. */
static void set_ends(double given_lo, double given_hi, double lo, double hi, bool round, double *out_lo, double *out_hi, double *step,
                     int most, bool whole) {
    bool given = given_lo < given_hi;
    if (given) lo = given_lo, hi = given_hi;
    if (!(lo <= hi)) lo = 0, hi = 1;
    if (hi - lo <= 1e-12 * (fabs(lo) + fabs(hi))) {
        double about = lo == 0 ? 1 : fabs(lo) / 2;
        lo = lo > 0 && lo - about < 0 ? 0 : lo - about;
        hi += about;
    }
    *step = sn_nice_step(hi - lo, most);
    if (whole && *step < 1) *step = 1;
    if (!given && round) {
        double a = floor(lo / *step + 1e-9) * *step, b = ceil(hi / *step - 1e-9) * *step;
        if (isfinite(a) && isfinite(b) && a < b) lo = a, hi = b;
    }
    *out_lo = lo;
    *out_hi = hi;
}

static double legend_width(const char *name) {
    return LINE + 6 + sn_svg_text_width(name, SMALL) * 1.1 + 16;
}

/* Draws the legend, or only counts its lines. */
static int legend(struct canvas *c, bool draw) {
    const struct sn_plot *p = c->p;
    double x = c->left, y = c->top - 10 - (c->legend_lines - 1) * LEGEND;
    int lines = 0;
    for (int k = 0; k < p->n_series; k++) {
        const char *name = p->series[k].name;
        if (!name) continue;
        if (lines == 0 || x + legend_width(name) > c->width) {
            if (lines > 0) y += LEGEND;
            lines++;
            x = c->left;
        }
        if (draw) {
            sn_html_put(c->svg.h, "<path d=\"M%s %sH%s\"", SN_XY(x), SN_XY(y - 4), SN_XY(x + LINE));
            sn_svg_stroke(&c->svg, SN_INK_SERIES + k % SN_SERIES_INKS, 2);
            sn_html_put(c->svg.h, "%s/>\n", sn_svg_dash(k));
            sn_svg_text(&c->svg, x + LINE + 5, y, SMALL, SN_START, false, SN_INK_TEXT, name);
        }
        x += legend_width(name);
    }
    return lines;
}

static void lay_out(struct canvas *c) {
    const struct sn_plot *p = c->p;
    double x_lo, x_hi, y_lo, y_hi;
    c->width = p->width > 0 ? p->width : SN_PLOT_WIDTH;
    find_points(c, &x_lo, &x_hi, &y_lo, &y_hi);
    set_ends(p->x_lo, p->x_hi, x_lo, x_hi, false, &c->x_lo, &c->x_hi, &c->x_step, 7, p->x_whole || p->x_decades);
    set_ends(p->y_lo, p->y_hi, y_lo, y_hi, true, &c->y_lo, &c->y_hi, &c->y_step, 6, p->y_whole);
    c->left = sn_ticks_width(c->y_lo, c->y_hi, c->y_step, SMALL) + LABEL_ROOM;
    if (c->left < LEFT) c->left = LEFT;
    c->legend_lines = legend(c, false);
    c->top = TOP + c->legend_lines * LEGEND + (c->svg.page ? 0 : TITLE);
    c->height = (p->height > 0 ? p->height : SN_PLOT_HEIGHT) + c->legend_lines * LEGEND + (c->svg.page ? 0 : TITLE);
    c->right = c->width - RIGHT;
    c->bottom = c->height - BOTTOM;
}

static double x_of(const struct canvas *c, double v) {
    return c->left + (c->right - c->left) * (v - c->x_lo) / (c->x_hi - c->x_lo);
}

static double y_of(const struct canvas *c, double v) {
    return c->bottom - (c->bottom - c->top) * (v - c->y_lo) / (c->y_hi - c->y_lo);
}

/* ---- axes ---- */

static const char *tick_text(double v, bool decades, char *buf) {
    if (decades) {
        snprintf(buf, 32, "1e%d", (int)lround(v));
        return v == 0 ? "1" : buf;
    }
    return sn_tick_text(v, buf);
}

static void draw_axes(struct canvas *c) {
    struct sn_svg *s = &c->svg;
    long first, last;
    char text[32];
    sn_ticks(c->y_lo, c->y_hi, c->y_step, &first, &last);
    for (long i = first; i <= last; i++) {
        double y = y_of(c, (double)i * c->y_step);
        sn_svg_line(s, c->left, y, c->right, y, SN_INK_GRID);
        sn_svg_text(s, c->left - 7, y + 4, SMALL, SN_END, false, SN_INK_TEXT, tick_text((double)i * c->y_step, false, text));
    }
    sn_ticks(c->x_lo, c->x_hi, c->x_step, &first, &last);
    for (long i = first; i <= last; i++) {
        double x = x_of(c, (double)i * c->x_step);
        sn_svg_line(s, x, c->bottom, x, c->bottom + 4, SN_INK_AXIS);
        sn_svg_text(s, x, c->bottom + 16, SMALL, SN_MIDDLE, false, SN_INK_TEXT, tick_text((double)i * c->x_step, c->p->x_decades, text));
    }
    sn_svg_line(s, c->left, c->bottom, c->right, c->bottom, SN_INK_AXIS);
    sn_svg_line(s, c->left, c->top, c->left, c->bottom, SN_INK_AXIS);
    if (c->p->x_label) sn_svg_text(s, (c->left + c->right) / 2, c->height - 7, SMALL, SN_MIDDLE, false, SN_INK_TEXT, c->p->x_label);
    if (c->p->y_label) sn_svg_text(s, 12, (c->top + c->bottom) / 2, SMALL, SN_MIDDLE, true, SN_INK_TEXT, c->p->y_label);
}

static void dashed(struct canvas *c, double x1, double y1, double x2, double y2) {
    sn_html_put(c->svg.h, "<path d=\"M%s %sL%s %s\" stroke-dasharray=\"3 3\"", SN_XY(x1), SN_XY(y1), SN_XY(x2), SN_XY(y2));
    sn_svg_stroke(&c->svg, SN_INK_MUTED, 1);
    sn_html_put(c->svg.h, "/>\n");
}

static bool has_level(const struct canvas *c) {
    return c->p->level_given && c->p->level >= c->y_lo && c->p->level <= c->y_hi;
}

static void draw_lines(struct canvas *c) {
    const struct sn_plot *p = c->p;
    if (p->diagonal) dashed(c, x_of(c, c->x_lo), y_of(c, c->y_lo), x_of(c, c->x_hi), y_of(c, c->y_hi));
    if (has_level(c)) dashed(c, c->left, y_of(c, p->level), c->right, y_of(c, p->level));
    if (p->mark_given && p->mark >= c->x_lo && p->mark <= c->x_hi) dashed(c, x_of(c, p->mark), c->top, x_of(c, p->mark), c->bottom);
}

/* Above its line, or below it near the top; over the points, so that it can be read. */
static void draw_level_label(struct canvas *c) {
    if (!has_level(c) || !c->p->level_label) return;
    double y = y_of(c, c->p->level);
    sn_svg_text(&c->svg, c->left + 5, y - c->top > 20 ? y - 5 : y + 13, SMALL, SN_START, false, SN_INK_MUTED, c->p->level_label);
}

/* ---- points ---- */

static double clamp(double v, double lo, double hi) {
    return v < lo ? lo : v > hi ? hi : v;
}

/* A run of finite points as one path. */
static void draw_run(struct canvas *c, int k, int from, int to) {
    const struct sn_plot_series *s = &c->p->series[k];
    struct sn_html *h = c->svg.h;
    enum sn_ink ink = SN_INK_SERIES + k % SN_SERIES_INKS;
    double x = x_of(c, s->x[from]), y = y_of(c, clamp(s->y[from], c->y_lo, c->y_hi));
    if (to - from == 1) { /* a line of one point would not be seen */
        sn_html_put(h, "<circle cx=\"%s\" cy=\"%s\" r=\"3\"", SN_XY(x), SN_XY(y));
        sn_svg_fill(&c->svg, ink);
        sn_html_put(h, "/>\n");
        return;
    }
    sn_html_put(h, "<path d=\"M%s %s", SN_XY(x), SN_XY(y));
    for (int i = from + 1; i < to; i++) {
        x = x_of(c, s->x[i]), y = y_of(c, clamp(s->y[i], c->y_lo, c->y_hi));
        if (s->kind == SN_PLOT_STEPS)
            sn_html_put(h, "V%sH%s", SN_XY(y), SN_XY(x));
        else
            sn_html_put(h, "L%s %s", SN_XY(x), SN_XY(y));
    }
    sn_html_put(h, "\"");
    sn_svg_stroke(&c->svg, ink, 1.75);
    sn_html_put(h, " stroke-linejoin=\"round\"%s/>\n", sn_svg_dash(k));
}

static void draw_bars(struct canvas *c, int k) {
    const struct sn_plot_series *s = &c->p->series[k];
    sn_html_put(c->svg.h, "<path d=\"");
    for (int i = 0; i < s->n; i++) {
        if (!finite_point(s, i) || s->y[i] == 0) continue;
        double x1 = x_of(c, s->x[i] - s->width / 2), x2 = x_of(c, s->x[i] + s->width / 2), gap = x2 - x1 > 4 ? 0.5 : 0;
        double zero = y_of(c, clamp(0, c->y_lo, c->y_hi)), y = y_of(c, clamp(s->y[i], c->y_lo, c->y_hi));
        sn_html_put(c->svg.h, "M%s %sV%sH%sV%sZ", SN_XY(x1 + gap), SN_XY(zero), SN_XY(y), SN_XY(x2 - gap), SN_XY(zero));
    }
    sn_html_put(c->svg.h, "\"");
    sn_svg_fill(&c->svg, SN_INK_SERIES + k % SN_SERIES_INKS);
    sn_html_put(c->svg.h, "/>\n");
}

static void draw_series(struct canvas *c, int k) {
    const struct sn_plot_series *s = &c->p->series[k];
    if (s->kind == SN_PLOT_BARS) {
        draw_bars(c, k);
        return;
    }
    for (int i = 0; i < s->n;) {
        int end = i;
        while (end < s->n && finite_point(s, end) && end - i < BREAK_AT) end++;
        if (end > i) draw_run(c, k, i, end);
        i = end > i && end - i == BREAK_AT ? end - 1 : end > i ? end : i + 1;
    }
}

/* ---- the document ---- */

static int draw(struct canvas *c) {
    const struct sn_plot *p = c->p;
    lay_out(c);
    sn_svg_begin(&c->svg, c->width, c->height, p->title, p->desc);
    if (!c->svg.page && p->title) sn_svg_text(&c->svg, c->left, 17, 14, SN_START, false, SN_INK_TEXT, p->title);
    draw_axes(c);
    draw_lines(c);
    for (int k = 0; k < p->n_series; k++) draw_series(c, k);
    draw_level_label(c);
    legend(c, true);
    if (!c->any)
        sn_svg_text(&c->svg, (c->left + c->right) / 2, (c->top + c->bottom) / 2, SMALL, SN_MIDDLE, false, SN_INK_MUTED, "no values");
    sn_svg_end(&c->svg);
    return c->svg.h->rc;
}

int sn_plot_write(const struct sn_plot *p, struct sn_outfile *f) {
    struct sn_html h = {.f = f};
    return draw(&(struct canvas){.p = p, .svg = {.h = &h}});
}

void sn_plot_put(const struct sn_plot *p, struct sn_html *h) {
    if (h->rc == 0) (void)draw(&(struct canvas){.p = p, .svg = {.h = h, .page = true}});
}
