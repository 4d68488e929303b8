#include "report/logo.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"
#include "report/glyphs.h"

#define MARGIN_LEFT 56.0
#define MARGIN_RIGHT 14.0
#define LABEL_ROOM 32.0 /* beside the numbers of the values' axis: its label and ticks */
#define MARGIN_TOP 10.0
#define TITLE_SIZE 16.0
#define SMALL_SIZE 11.0
#define ROW_HEIGHT 110.0
#define ROW_GAP 34.0  /* below a row: ticks and numbers */
#define LANE 16.0     /* a line of marks above a row */
#define MOST_LANES 6  /* of marks that overlap; further ones share the last */
#define LABEL_MOST 24 /* characters of a mark's label */
#define MAX_LETTERS 64

struct canvas {
    const struct sn_logo *l;
    struct sn_svg svg;
    int per_row, rows;
    double cell, width, height, top; /* top: of the first row */
    double row, pitch;               /* height of a row's letters; from row to row */
    double axis, left;               /* x of the values' axis; of the first position */
    double lo, hi;                   /* values at the lower and upper end of the axis */
    double step;                     /* between ticks of the axis */
    int lanes;                       /* of marks */
    int *lane;                       /* (n_marks) */
};

#define SCALE(v) sn_coordinate(v, 4, (char[32]){0})

/* ---- layout ---- */

static double height_at(const struct sn_logo *l, int64_t pos, int k) {
    double h = (double)l->height[pos * l->n_letters + k];
    return isfinite(h) ? h : 0;
}

static void find_range(struct canvas *c) {
    const struct sn_logo *l = c->l;
    double hi = 0, lo = 0;
    for (int64_t pos = 0; pos < l->length; pos++) {
        double up = 0, down = 0;
        for (int k = 0; k < l->n_letters; k++) {
            double h = height_at(l, pos, k);
            if (h > 0) up += h;
            if (h < 0) down += h;
        }
        if (up > hi) hi = up;
        if (down < lo) lo = down;
    }
    if (l->y_max > 0) hi = l->y_max;
    if (hi - lo <= 0) hi = 1;
    c->hi = hi;
    c->lo = lo;
    c->step = sn_nice_step(hi - lo, c->row < 80 ? 3 : 5);
}

/* Lowest lane where no earlier mark is near. */
static void place_marks(struct canvas *c) {
    double until[MOST_LANES] = {0};
    for (int i = 0; i < c->l->n_marks; i++) {
        const struct sn_logo_mark *m = &c->l->marks[i];
        double from = (double)m->start * c->cell, to = (double)m->end * c->cell;
        double label = m->label ? sn_svg_text_width(m->label, SMALL_SIZE) : 0, most = LABEL_MOST * SMALL_SIZE * 0.75;
        if (label > most) label = most;
        if (from + label + 8 > to) to = from + label + 8;
        int k = 0;
        while (k < MOST_LANES - 1 && until[k] > from) k++;
        until[k] = to > until[k] ? to : until[k];
        c->lane[i] = k;
        if (k + 1 > c->lanes) c->lanes = k + 1;
    }
}

static void widen(double *width, double other) {
    if (other > *width) *width = other;
}

static void lay_out(struct canvas *c) {
    const struct sn_logo *l = c->l;
    /* lines of about equal length, broken after tens */
    int64_t most = l->per_row > 0 ? l->per_row : 120, lines = (l->length + most - 1) / most, even = (l->length + lines - 1) / lines;
    c->per_row = (int)(lines > 1 ? (even + 9) / 10 * 10 : even);
    c->cell = l->cell > 0 ? l->cell : 12;
    c->row = l->row > 0 ? l->row : ROW_HEIGHT;
    c->rows = (int)((l->length + c->per_row - 1) / c->per_row);
    int64_t widest = l->length < c->per_row ? l->length : c->per_row;
    if (l->lead + widest < l->columns) widest = l->columns - l->lead;
    find_range(c);
    c->axis = sn_ticks_width(c->lo, c->hi, c->step, SMALL_SIZE) + LABEL_ROOM;
    if (c->axis < MARGIN_LEFT) c->axis = MARGIN_LEFT;
    c->left = (l->bare ? 2 : c->axis) + l->lead * c->cell;
    c->width = c->left + (double)widest * c->cell + (l->bare ? 2 : MARGIN_RIGHT);
    place_marks(c);
    c->top = (l->bare ? 2 : MARGIN_TOP) + c->lanes * LANE;
    if (l->title && !c->svg.page) {
        widen(&c->width, MARGIN_LEFT + sn_svg_text_width(l->title, TITLE_SIZE) + MARGIN_RIGHT);
        c->top += 20;
    }
    if (l->subtitle && !c->svg.page) {
        widen(&c->width, MARGIN_LEFT + sn_svg_text_width(l->subtitle, SMALL_SIZE) + MARGIN_RIGHT);
        c->top += 16;
    }
    c->pitch = c->row + (l->bare ? 3 : ROW_GAP) + c->lanes * LANE;
    c->height = c->top + c->rows * c->pitch - c->lanes * LANE;
}

static double y_of(const struct canvas *c, int row, double v) {
    return c->top + row * c->pitch + c->row * (c->hi - v) / (c->hi - c->lo);
}

static double x_of(const struct canvas *c, int64_t col) {
    return c->left + (double)col * c->cell;
}

/* ---- letters ---- */

static enum sn_ink ink_of(int n_letters, char letter) {
    if (n_letters <= 4) {
        switch (letter) {
        case 'A':
            return SN_INK_A;
        case 'C':
            return SN_INK_C;
        case 'G':
            return SN_INK_G;
        case 'T':
        case 'U':
            return SN_INK_T;
        default:
            return SN_INK_OTHER;
        }
    }
    /* amino acids by chemistry: acidic, basic, polar, aromatic, small or hydrophobic */
    if (strchr("DE", letter)) return SN_INK_ACIDIC;
    if (strchr("KRH", letter)) return SN_INK_BASIC;
    if (strchr("NQSTC", letter)) return SN_INK_POLAR;
    if (strchr("FWY", letter)) return SN_INK_AROMATIC;
    return SN_INK_OTHER;
}

/* The letters once, to be used at many places. The stroked ones are fitted to the box of the filled ones. */
static void define_letters(struct sn_svg *s, const char *letters, int n) {
    sn_html_put(s->h, "<defs>\n");
    for (int k = 0; k < n; k++) {
        char letter = letters[k];
        const char *filled = sn_glyph_logo(letter), *prefix = s->page ? "L" : "";
        double w;
        const char *stroked = sn_glyph_stroke(letter, &w);
        double wide = w < 2 ? 2 : w; /* an I is not stretched to a block */
        sn_html_put(s->h, "<path id=\"%s%c\"", prefix, letter);
        if (filled) {
            sn_svg_fill(s, ink_of(n, letter));
            sn_html_put(s->h, " fill-rule=\"evenodd\" d=\"%s\"/>\n", filled);
        } else {
            sn_html_put(s->h, " transform=\"translate(%s 10) scale(%s 8)\"", SCALE(50 - 36 * w / wide), SCALE(72 / wide));
            sn_svg_stroke(s, ink_of(n, letter), 2);
            sn_html_put(s->h, " stroke-linecap=\"square\" d=\"%s\"/>\n", stroked);
        }
    }
    sn_html_put(s->h, "</defs>\n");
}

void sn_logo_letters(const char *letters, struct sn_html *h) {
    struct sn_svg s = {.h = h, .page = true};
    sn_html_put(h, "<svg class=\"defs\" width=\"0\" height=\"0\" aria-hidden=\"true\" focusable=\"false\">\n");
    define_letters(&s, letters, (int)strlen(letters));
    sn_html_put(h, "</svg>\n");
}

/* A letter over values [from, to] of position `col` in line `row`; hanging ones are flipped. */
static void draw_letter(struct canvas *c, int row, int col, int k, double from, double to) {
    double y1 = y_of(c, row, from > to ? from : to), y2 = y_of(c, row, from > to ? to : from);
    double x = x_of(c, col) + c->cell * 0.03, w = c->cell * 0.94;
    if (y2 - y1 < (c->svg.page ? 0.5 : 0.05)) return; /* not to be seen; a page with many logos stays light */
    bool flip = to < from;
    sn_html_put(c->svg.h, "<use %s%c\" transform=\"matrix(%s 0 0 %s %s %s)\"/>\n", c->svg.page ? "href=\"#L" : "xlink:href=\"#",
                c->l->letters[k], SCALE(w / 100), SCALE((flip ? y1 - y2 : y2 - y1) / 100), SN_XY(x), SN_XY(flip ? y2 : y1));
}

/* The stack of one position: small letters near the axis. */
static void draw_stack(struct canvas *c, int64_t pos) {
    const struct sn_logo *l = c->l;
    int row = (int)(pos / c->per_row), col = (int)(pos % c->per_row);
    bool done[MAX_LETTERS] = {false};
    double up = 0, down = 0;
    for (int n = 0; n < l->n_letters; n++) {
        int next = -1;
        for (int k = 0; k < l->n_letters; k++)
            if (!done[k] && (next < 0 || fabs(height_at(l, pos, k)) < fabs(height_at(l, pos, next)))) next = k;
        done[next] = true;
        double h = height_at(l, pos, next);
        double *base = h < 0 ? &down : &up;
        draw_letter(c, row, col, next, *base, *base + h);
        *base += h;
    }
}

/* ---- axes ---- */

static int64_t row_end(const struct canvas *c, int row) {
    int64_t end = ((int64_t)row + 1) * c->per_row;
    return end < c->l->length ? end : c->l->length;
}

static void draw_value_axis(struct canvas *c, int row) {
    struct sn_svg *s = &c->svg;
    long first, last;
    sn_svg_line(s, c->axis - 4, y_of(c, row, c->hi), c->axis - 4, y_of(c, row, c->lo), SN_INK_AXIS);
    sn_ticks(c->lo, c->hi, c->step, &first, &last);
    for (long i = first; i <= last; i++) {
        double y = y_of(c, row, (double)i * c->step);
        char text[32];
        sn_svg_line(s, c->axis - 8, y, c->axis - 4, y, SN_INK_AXIS);
        sn_svg_text(s, c->axis - 11, y + 4, SMALL_SIZE, SN_END, false, SN_INK_TEXT, sn_tick_text((double)i * c->step, text));
    }
    if (c->l->y_label)
        sn_svg_text(s, 12, (y_of(c, row, c->hi) + y_of(c, row, c->lo)) / 2, SMALL_SIZE, SN_MIDDLE, true, SN_INK_TEXT, c->l->y_label);
}

/* Numbers under every tenth position, or under each where there is room for it. */
static void draw_position_axis(struct canvas *c, int row) {
    const struct sn_logo *l = c->l;
    int64_t begin = (int64_t)row * c->per_row, end = row_end(c, row);
    double bottom = y_of(c, row, c->lo) + 3;
    int64_t every = c->cell >= 24 ? 1 : c->cell >= 12 ? 5 : 10;
    for (int64_t pos = begin; pos < end; pos++) {
        if ((pos + l->first) % every != 0) continue;
        char text[32];
        double x = x_of(c, pos - begin) + c->cell / 2;
        sn_format_f64((double)(pos + l->first), text);
        sn_svg_line(&c->svg, x, bottom, x, bottom + 4, SN_INK_AXIS);
        sn_svg_text(&c->svg, x, bottom + 16, SMALL_SIZE, SN_MIDDLE, false, SN_INK_TEXT, text);
    }
}

static void draw_zero(struct canvas *c, int row) {
    double zero = y_of(c, row, 0);
    sn_svg_line(&c->svg, x_of(c, 0), zero, x_of(c, row_end(c, row) - (int64_t)row * c->per_row), zero, SN_INK_AXIS);
}

/* ---- marks ---- */

static void draw_band(struct canvas *c, int row) {
    int64_t begin = (int64_t)row * c->per_row, end = row_end(c, row);
    int64_t a = c->l->band_start > begin ? c->l->band_start : begin, b = c->l->band_end < end ? c->l->band_end : end;
    if (a < b) sn_svg_rect(&c->svg, x_of(c, a - begin), y_of(c, row, c->hi), (double)(b - a) * c->cell, c->row, SN_INK_BAND);
}

static void draw_mark(struct canvas *c, int row, int i) {
    const struct sn_logo_mark *m = &c->l->marks[i];
    int64_t begin = (int64_t)row * c->per_row, end = row_end(c, row);
    int64_t a = m->start > begin ? m->start : begin, b = m->end < end ? m->end : end;
    if (a >= b) return;
    double y = y_of(c, row, c->hi) - 3 - c->lane[i] * LANE, x1 = x_of(c, a - begin) + 1, x2 = x_of(c, b - begin) - 1;
    sn_html_put(c->svg.h, "<path d=\"M%s %sV%sH%sV%s\"", SN_XY(x1), SN_XY(y), SN_XY(y - 3), SN_XY(x2), SN_XY(y));
    sn_svg_stroke(&c->svg, SN_INK_MUTED, 1);
    sn_html_put(c->svg.h, "/>\n");
    if (!m->label || m->start < begin) return;
    char text[LABEL_MOST + 4];
    size_t n = strlen(m->label);
    memcpy(text, m->label, n < LABEL_MOST ? n + 1 : LABEL_MOST);
    if (n >= LABEL_MOST) memcpy(text + LABEL_MOST - 3, "...", 4);
    sn_svg_text(&c->svg, x1, y - 5, SMALL_SIZE - 1, SN_START, false, SN_INK_MUTED, text);
}

/* ---- the document ---- */

static void draw_head(struct canvas *c) {
    const struct sn_logo *l = c->l;
    double y = MARGIN_TOP;
    sn_svg_begin(&c->svg, c->width, c->height, l->title ? l->title : "sequence logo", c->svg.page ? l->subtitle : NULL);
    if (c->svg.page) return;
    define_letters(&c->svg, l->letters, l->n_letters);
    if (l->title) sn_svg_text(&c->svg, MARGIN_LEFT, y + 11, TITLE_SIZE, SN_START, false, SN_INK_TEXT, l->title);
    if (l->title) y += 18;
    if (l->subtitle) sn_svg_text(&c->svg, MARGIN_LEFT, y + 9, SMALL_SIZE, SN_START, false, SN_INK_TEXT, l->subtitle);
}

static int draw(struct canvas *c) {
    const struct sn_logo *l = c->l;
    if (l->length < 1 || l->n_letters < 1 || l->n_letters > MAX_LETTERS)
        return sn_error(SEQNET_EINVAL, "logo: expected positions and up to %d letters, got %lld and %d", MAX_LETTERS, (long long)l->length,
                        l->n_letters);
    c->lane = sn_calloc((size_t)l->n_marks, sizeof *c->lane);
    if (!c->lane) return SEQNET_ENOMEM;
    lay_out(c);
    draw_head(c);
    for (int row = 0; row < c->rows; row++) {
        draw_band(c, row);
        if (!l->bare) draw_value_axis(c, row);
        if (!l->bare) draw_position_axis(c, row);
        draw_zero(c, row);
        for (int i = 0; i < l->n_marks; i++) draw_mark(c, row, i);
    }
    for (int64_t pos = 0; pos < l->length; pos++) draw_stack(c, pos);
    sn_svg_end(&c->svg);
    free(c->lane);
    return c->svg.h->rc;
}

int sn_logo_write(const struct sn_logo *l, struct sn_outfile *f) {
    struct sn_html h = {.f = f};
    return draw(&(struct canvas){.l = l, .svg = {.h = &h}});
}

void sn_logo_put(const struct sn_logo *l, struct sn_html *h) {
    if (h->rc < 0) return;
    int rc = draw(&(struct canvas){.l = l, .svg = {.h = h, .page = true}});
    if (rc < 0) h->rc = rc;
}
