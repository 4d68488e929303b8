#include "report/logo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"
#include "report/glyphs.h"

#define MARGIN_LEFT 56.0
#define MARGIN_RIGHT 14.0
#define MARGIN_TOP 10.0
#define TITLE_SIZE 1.15 /* pixels per unit of the stroked face */
#define SMALL_SIZE 0.8
#define ROW_HEIGHT 110.0
#define ROW_GAP 34.0 /* below a row: ticks and numbers */
#define INK "#333"
#define MAX_LETTERS 64

struct canvas {
    const struct sn_logo *l;
    struct sn_outfile *f;
    int per_row, rows;
    double cell, width, height, top; /* top: of the first row */
    double lo, hi;                   /* values at the lower and upper end of the axis */
    double step;                     /* between ticks of the axis */
};

/* ---- numbers and text ---- */

/* Four decimals, C locale. */
static const char *num(double v, char *buf) {
    long parts = lround(v * 10000), a = labs(parts);
    int n = snprintf(buf, 32, "%s%ld.%04ld", parts < 0 ? "-" : "", a / 10000, a % 10000);
    while (buf[n - 1] == '0') n--;
    if (buf[n - 1] == '.') n--;
    buf[n] = '\0';
    return buf;
}
#define NUM(v) num(v, (char[32]){0})

/* Stroked text with its left end and baseline at (x, y). */
static int draw_text(struct canvas *c, const char *s, double x, double y, double size, bool upright) {
    SN_TRY(sn_outfile_printf(c->f,
                             "<g transform=\"translate(%s %s)%s scale(%s)\" fill=\"none\" stroke=\"" INK
                             "\" stroke-width=\"1.15\" stroke-linecap=\"round\" stroke-linejoin=\"round\">\n",
                             NUM(x), NUM(y), upright ? " rotate(-90)" : "", NUM(size)));
    double at = 0;
    for (; *s; s++) {
        double w;
        const char *path = sn_glyph_stroke(*s, &w);
        if (*path) SN_TRY(sn_outfile_printf(c->f, "<path transform=\"translate(%s -10)\" d=\"%s\"/>\n", NUM(at), path));
        at += w + SN_GLYPH_GAP;
    }
    return sn_outfile_printf(c->f, "</g>\n");
}

static int draw_line(struct canvas *c, double x1, double y1, double x2, double y2, const char *colour) {
    return sn_outfile_printf(c->f, "<path d=\"M%s %sL%s %s\" stroke=\"%s\" stroke-width=\"1\" fill=\"none\"/>\n", NUM(x1), NUM(y1), NUM(x2),
                             NUM(y2), colour);
}

/* Text for the reader of a screen or a search: the drawn one is paths. */
static int write_escaped(struct canvas *c, const char *s) {
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s;
        const char *e = ch == '<' ? "&lt;" : ch == '>' ? "&gt;" : ch == '&' ? "&amp;" : NULL;
        if (e)
            SN_TRY(sn_outfile_write(c->f, e, strlen(e)));
        else if (ch >= 32 && ch < 127)
            SN_TRY(sn_outfile_write(c->f, s, 1));
        else
            SN_TRY(sn_outfile_write(c->f, "_", 1));
    }
    return 0;
}

/* ---- layout ---- */

static double height_at(const struct sn_logo *l, int64_t pos, int k) {
    double h = l->height[pos * l->n_letters + k];
    return isfinite(h) ? h : 0;
}

/* 1, 2 or 5 times a power of ten, so that three to six of them make `range`. */
static double nice_step(double range) {
    double power = 1;
    while (power * 10 <= range) power *= 10;
    while (power > range) power /= 10;
    double in = range / power; /* [1,10) */
    return in < 1.5 ? power / 2 : in < 3 ? power / 2 : in < 6 ? power : 2 * power;
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
    c->step = nice_step(hi - lo);
}

static void lay_out(struct canvas *c) {
    const struct sn_logo *l = c->l;
    /* lines of about equal length, broken after tens */
    int64_t most = l->per_row > 0 ? l->per_row : 120, lines = (l->length + most - 1) / most, even = (l->length + lines - 1) / lines;
    c->per_row = (int)(lines > 1 ? (even + 9) / 10 * 10 : even);
    c->cell = l->cell > 0 ? l->cell : 12;
    c->rows = (int)((l->length + c->per_row - 1) / c->per_row);
    int64_t widest = l->length < c->per_row ? l->length : c->per_row;
    c->width = MARGIN_LEFT + (double)widest * c->cell + MARGIN_RIGHT;
    c->top = MARGIN_TOP;
    if (l->title) {
        double w = MARGIN_LEFT + sn_glyph_text_width(l->title) * TITLE_SIZE + MARGIN_RIGHT;
        if (w > c->width) c->width = w;
        c->top += 20;
    }
    if (l->subtitle) {
        double w = MARGIN_LEFT + sn_glyph_text_width(l->subtitle) * SMALL_SIZE + MARGIN_RIGHT;
        if (w > c->width) c->width = w;
        c->top += 16;
    }
    c->height = c->top + c->rows * (ROW_HEIGHT + ROW_GAP);
    find_range(c);
}

static double y_of(const struct canvas *c, int row, double v) {
    return c->top + row * (ROW_HEIGHT + ROW_GAP) + ROW_HEIGHT * (c->hi - v) / (c->hi - c->lo);
}

/* ---- letters ---- */

static const char *colour_of(const struct sn_logo *l, char letter) {
    if (l->n_letters <= 4) {
        switch (letter) {
        case 'A':
            return "#1a9641";
        case 'C':
            return "#2b5cc4";
        case 'G':
            return "#f59e0b";
        case 'T':
        case 'U':
            return "#d7263d";
        default:
            return "#777777";
        }
    }
    /* amino acids by chemistry: acidic, basic, polar, aromatic, small or hydrophobic */
    if (strchr("DE", letter)) return "#d7263d";
    if (strchr("KRH", letter)) return "#2b5cc4";
    if (strchr("NQSTC", letter)) return "#1a9641";
    if (strchr("FWY", letter)) return "#8e44ad";
    return "#444444";
}

/* The letters once, to be used at many places. The stroked ones are fitted to the box of the filled ones. */
static int define_letters(struct canvas *c) {
    SN_TRY(sn_outfile_printf(c->f, "<defs>\n"));
    for (int k = 0; k < c->l->n_letters; k++) {
        char letter = c->l->letters[k];
        const char *filled = sn_glyph_logo(letter), *colour = colour_of(c->l, letter);
        double w;
        const char *stroked = sn_glyph_stroke(letter, &w);
        double wide = w < 2 ? 2 : w; /* an I is not stretched to a block */
        if (filled)
            SN_TRY(sn_outfile_printf(c->f, "<path id=\"%c\" fill=\"%s\" fill-rule=\"evenodd\" d=\"%s\"/>\n", letter, colour, filled));
        else
            SN_TRY(sn_outfile_printf(c->f,
                                     "<path id=\"%c\" transform=\"translate(%s 10) scale(%s 8)\" fill=\"none\" stroke=\"%s\" "
                                     "stroke-width=\"2\" stroke-linecap=\"square\" d=\"%s\"/>\n",
                                     letter, NUM(50 - 36 * w / wide), NUM(72 / wide), colour, stroked));
    }
    return sn_outfile_printf(c->f, "</defs>\n");
}

/* A letter over values [from, to] of position `col` in line `row`; hanging ones are flipped. */
static int draw_letter(struct canvas *c, int row, int col, int k, double from, double to) {
    double y1 = y_of(c, row, from > to ? from : to), y2 = y_of(c, row, from > to ? to : from);
    double x = MARGIN_LEFT + col * c->cell + c->cell * 0.03, w = c->cell * 0.94;
    if (y2 - y1 < 0.05) return 0; /* not to be seen */
    bool flip = to < from;
    return sn_outfile_printf(c->f, "<use xlink:href=\"#%c\" transform=\"matrix(%s 0 0 %s %s %s)\"/>\n", c->l->letters[k], NUM(w / 100),
                             NUM((flip ? y1 - y2 : y2 - y1) / 100), NUM(x), NUM(flip ? y2 : y1));
}

/* The stack of one position: small letters near the axis. */
static int draw_stack(struct canvas *c, int64_t pos) {
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
        SN_TRY(draw_letter(c, row, col, next, *base, *base + h));
        *base += h;
    }
    return 0;
}

/* ---- axes ---- */

static int draw_value_axis(struct canvas *c, int row) {
    SN_TRY(draw_line(c, MARGIN_LEFT - 4, y_of(c, row, c->hi), MARGIN_LEFT - 4, y_of(c, row, c->lo), INK));
    long first = (long)ceil(c->lo / c->step - 1e-6), last = (long)floor(c->hi / c->step + 1e-6);
    for (long i = first; i <= last; i++) {
        double y = y_of(c, row, (double)i * c->step);
        char text[32];
        sn_format_f32((float)((double)i * c->step), text);
        SN_TRY(draw_line(c, MARGIN_LEFT - 8, y, MARGIN_LEFT - 4, y, INK));
        SN_TRY(draw_text(c, text, MARGIN_LEFT - 11 - sn_glyph_text_width(text) * SMALL_SIZE, y + 4, SMALL_SIZE, false));
    }
    if (!c->l->y_label) return 0;
    double middle = (y_of(c, row, c->hi) + y_of(c, row, c->lo)) / 2;
    return draw_text(c, c->l->y_label, 12, middle + sn_glyph_text_width(c->l->y_label) * SMALL_SIZE / 2, SMALL_SIZE, true);
}

/* Numbers under every tenth position, or under each where there is room for it. */
static int draw_position_axis(struct canvas *c, int row) {
    const struct sn_logo *l = c->l;
    int64_t begin = (int64_t)row * c->per_row, end = begin + c->per_row < l->length ? begin + c->per_row : l->length;
    double bottom = y_of(c, row, c->lo) + 3, zero = y_of(c, row, 0);
    SN_TRY(draw_line(c, MARGIN_LEFT, zero, MARGIN_LEFT + (double)(end - begin) * c->cell, zero, "#999"));
    int64_t every = c->cell >= 24 ? 1 : 10;
    for (int64_t pos = begin; pos < end; pos++) {
        if ((pos + l->first) % every != 0) continue;
        char text[32];
        double x = MARGIN_LEFT + ((double)(pos - begin) + 0.5) * c->cell;
        sn_format_f64((double)(pos + l->first), text);
        SN_TRY(draw_line(c, x, bottom, x, bottom + 4, INK));
        SN_TRY(draw_text(c, text, x - sn_glyph_text_width(text) * SMALL_SIZE / 2, bottom + 16, SMALL_SIZE, false));
    }
    return 0;
}

/* ---- the document ---- */

static int draw_head(struct canvas *c) {
    const struct sn_logo *l = c->l;
    SN_TRY(sn_outfile_printf(
        c->f,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"%s\" height=\"%s\" "
        "viewBox=\"0 0 %s %s\">\n<title>",
        NUM(c->width), NUM(c->height), NUM(c->width), NUM(c->height)));
    SN_TRY(write_escaped(c, l->title ? l->title : "sequence logo"));
    SN_TRY(sn_outfile_printf(c->f, "</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"));
    SN_TRY(define_letters(c));
    double y = MARGIN_TOP;
    if (l->title) SN_TRY(draw_text(c, l->title, MARGIN_LEFT, y + 11, TITLE_SIZE, false));
    if (l->title) y += 18;
    if (l->subtitle) SN_TRY(draw_text(c, l->subtitle, MARGIN_LEFT, y + 9, SMALL_SIZE, false));
    return 0;
}

int sn_logo_write(const struct sn_logo *l, struct sn_outfile *f) {
    if (l->length < 1 || l->n_letters < 1 || l->n_letters > MAX_LETTERS)
        return sn_error(SEQNET_EINVAL, "logo: expected positions and up to %d letters, got %lld and %d", MAX_LETTERS, (long long)l->length,
                        l->n_letters);
    struct canvas c = {.l = l, .f = f};
    lay_out(&c);
    SN_TRY(draw_head(&c));
    for (int row = 0; row < c.rows; row++) {
        SN_TRY(draw_value_axis(&c, row));
        SN_TRY(draw_position_axis(&c, row));
    }
    for (int64_t pos = 0; pos < l->length; pos++) SN_TRY(draw_stack(&c, pos));
    return sn_outfile_printf(f, "</svg>\n");
}
