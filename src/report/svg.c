#include "report/svg.h"

#include <math.h>
#include <string.h>

#include "core/parse.h"
#include "report/glyphs.h"

#define FACE_PIXELS 13.75 /* size of a font whose letters are as wide as the stroked face at its own scale */

struct colour {
    const char *name, *light, *dark;
};

/* Contrast against the ground: text above 4.5, lines and letters of logos above 3. */
static const struct colour colours[SN_INKS] = {
    [SN_INK_TEXT] = {"text", "#1f2328", "#e8e6e3"},
    [SN_INK_MUTED] = {"muted", "#57606a", "#a5adb6"},
    [SN_INK_AXIS] = {"axis", "#6b7280", "#8b949e"},
    [SN_INK_GRID] = {"grid", "#e5e7eb", "#2d333b"},
    [SN_INK_BAND] = {"band", "#fdf3d7", "#332c17"},
    [SN_INK_SERIES] = {"s1", "#1f5fa8", "#6cb2f7"},
    [SN_INK_SERIES + 1] = {"s2", "#b8540b", "#f6a04d"},
    [SN_INK_SERIES + 2] = {"s3", "#2c7a4b", "#5fcf95"},
    [SN_INK_SERIES + 3] = {"s4", "#7b3fa0", "#c792ea"},
    [SN_INK_SERIES + 4] = {"s5", "#0f766e", "#4fd1c5"},
    [SN_INK_SERIES + 5] = {"s6", "#b3261e", "#ff8a80"},
    [SN_INK_A] = {"A", "#16883f", "#4cc272"},
    [SN_INK_C] = {"C", "#2b5cc4", "#74a0ff"},
    [SN_INK_G] = {"G", "#c97a00", "#f5b83d"},
    [SN_INK_T] = {"T", "#cf2338", "#ff7a7d"},
    [SN_INK_ACIDIC] = {"acidic", "#cf2338", "#ff7a7d"},
    [SN_INK_BASIC] = {"basic", "#2b5cc4", "#74a0ff"},
    [SN_INK_POLAR] = {"polar", "#16883f", "#4cc272"},
    [SN_INK_AROMATIC] = {"aromatic", "#8e44ad", "#cf8ff0"},
    [SN_INK_OTHER] = {"other", "#4b5563", "#b6bec8"},
};

/* ---- colours ---- */

void sn_svg_fill(struct sn_svg *s, enum sn_ink ink) {
    if (s->page)
        sn_html_put(s->h, " class=\"f-%s\"", colours[ink].name);
    else
        sn_html_put(s->h, " fill=\"%s\"", colours[ink].light);
}

void sn_svg_stroke(struct sn_svg *s, enum sn_ink ink, double width) {
    if (s->page)
        sn_html_put(s->h, " class=\"l-%s\"", colours[ink].name);
    else
        sn_html_put(s->h, " fill=\"none\" stroke=\"%s\"", colours[ink].light);
    if (width != 1) sn_html_put(s->h, " stroke-width=\"%s\"", SN_XY(width));
}

const char *sn_svg_dash(int i) {
    static const char *const dashes[] = {"",
                                         " stroke-dasharray=\"6 3\"",
                                         " stroke-dasharray=\"2 2\"",
                                         " stroke-dasharray=\"8 2 2 2\"",
                                         " stroke-dasharray=\"10 4\"",
                                         " stroke-dasharray=\"4 2 1 2\""};
    return dashes[i % (int)(sizeof dashes / sizeof *dashes)];
}

void sn_svg_css(struct sn_html *h) {
    sn_html_put(h, ":root{");
    for (int i = 0; i < SN_INKS; i++) sn_html_put(h, "--%s:%s;", colours[i].name, colours[i].light);
    sn_html_put(h, "}\n@media screen and (prefers-color-scheme:dark){:root{");
    for (int i = 0; i < SN_INKS; i++) sn_html_put(h, "--%s:%s;", colours[i].name, colours[i].dark);
    sn_html_put(h, "}}\n");
    for (int i = 0; i < SN_INKS; i++)
        sn_html_put(h, ".f-%s{fill:var(--%s)}.l-%s{fill:none;stroke:var(--%s)}\n", colours[i].name, colours[i].name, colours[i].name,
                    colours[i].name);
}

/* ---- the document ---- */

static void put_described(struct sn_svg *s, const char *title, const char *desc) {
    int id = s->page ? ++s->h->ids : 0;
    if (s->page) {
        sn_html_put(s->h, " role=\"img\" aria-labelledby=\"t%d%s", id, desc ? " " : "");
        if (desc) sn_html_put(s->h, "d%d", id);
        sn_html_put(s->h, "\">\n<title id=\"t%d\">", id);
    } else {
        sn_html_put(s->h, ">\n<title>");
    }
    sn_html_text(s->h, title);
    sn_html_put(s->h, "</title>\n");
    if (!desc) return;
    if (s->page)
        sn_html_put(s->h, "<desc id=\"d%d\">", id);
    else
        sn_html_put(s->h, "<desc>");
    sn_html_text(s->h, desc);
    sn_html_put(s->h, "</desc>\n");
}

void sn_svg_begin(struct sn_svg *s, double width, double height, const char *title, const char *desc) {
    sn_html_put(s->h, "<svg%s width=\"%s\" height=\"%s\" viewBox=\"0 0 %s %s\"",
                s->page ? "" : " xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\"", SN_XY(width),
                SN_XY(height), SN_XY(width), SN_XY(height));
    put_described(s, title, desc);
    if (!s->page) sn_html_put(s->h, "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n");
}

void sn_svg_end(struct sn_svg *s) {
    sn_html_put(s->h, "</svg>\n");
}

/* ---- text ---- */

double sn_svg_text_width(const char *text, double size) {
    return sn_glyph_text_width(text) * size / FACE_PIXELS;
}

static void put_strokes(struct sn_svg *s, double x, double y, double size, bool upright, enum sn_ink ink, const char *text) {
    double at = 0;
    sn_html_put(s->h, "<g transform=\"translate(%s %s)%s scale(%s)\"", SN_XY(x), SN_XY(y), upright ? " rotate(-90)" : "",
                sn_coordinate(size / FACE_PIXELS, 4, (char[32]){0}));
    sn_svg_stroke(s, ink, 1.15);
    sn_html_put(s->h, " stroke-linecap=\"round\" stroke-linejoin=\"round\">\n");
    for (; *text; text++) {
        double w;
        const char *path = sn_glyph_stroke(*text, &w);
        if (*path) sn_html_put(s->h, "<path transform=\"translate(%s -10)\" d=\"%s\"/>\n", SN_XY(at), path);
        at += w + SN_GLYPH_GAP;
    }
    sn_html_put(s->h, "</g>\n");
}

void sn_svg_text(struct sn_svg *s, double x, double y, double size, enum sn_anchor anchor, bool upright, enum sn_ink ink,
                 const char *text) {
    static const char *const anchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
    if (!s->page) {
        double back = anchor == SN_START ? 0 : sn_svg_text_width(text, size) / (anchor == SN_MIDDLE ? 2 : 1);
        put_strokes(s, upright ? x : x - back, upright ? y + back : y, size, upright, ink, text);
        return;
    }
    if (upright)
        sn_html_put(s->h, "<text transform=\"translate(%s %s) rotate(-90)\"", SN_XY(x), SN_XY(y));
    else
        sn_html_put(s->h, "<text x=\"%s\" y=\"%s\"", SN_XY(x), SN_XY(y));
    sn_html_put(s->h, " font-size=\"%s\"%s", SN_XY(size), anchors[anchor]);
    sn_svg_fill(s, ink);
    sn_html_put(s->h, ">");
    sn_html_text(s->h, text);
    sn_html_put(s->h, "</text>\n");
}

/* ---- lines and areas ---- */

void sn_svg_line(struct sn_svg *s, double x1, double y1, double x2, double y2, enum sn_ink ink) {
    sn_html_put(s->h, "<path d=\"M%s %sL%s %s\"", SN_XY(x1), SN_XY(y1), SN_XY(x2), SN_XY(y2));
    sn_svg_stroke(s, ink, 1);
    sn_html_put(s->h, "/>\n");
}

void sn_svg_rect(struct sn_svg *s, double x, double y, double width, double height, enum sn_ink ink) {
    sn_html_put(s->h, "<rect x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\"", SN_XY(x), SN_XY(y), SN_XY(width), SN_XY(height));
    sn_svg_fill(s, ink);
    sn_html_put(s->h, "/>\n");
}

/* ---- ticks ---- */

double sn_nice_step(double range, int most) {
    double power = 1, want = range / most;
    if (!(want > 0) || !isfinite(want)) return 1;
    while (power * 10 <= want) power *= 10;
    while (power > want) power /= 10;
    if (!(power > 0)) return 1;
    double in = want / power; /* [1,10) */
    return in <= 1 ? power : in <= 2 ? 2 * power : in <= 5 ? 5 * power : 10 * power;
}

void sn_ticks(double lo, double hi, double step, long *first, long *last) {
    double a = ceil(lo / step - 1e-6), b = floor(hi / step + 1e-6);
    bool far = !(fabs(a) < 1e9 && fabs(b) < 1e9); /* steps too fine for the numbers: no ticks */
    *first = far ? 0 : (long)a;
    *last = far ? -1 : (long)b;
}

const char *sn_tick_text(double v, char *buf) {
    return sn_format_digits(v, 6, buf);
}

double sn_ticks_width(double lo, double hi, double step, double size) {
    long first, last;
    char text[32];
    double most = 0;
    sn_ticks(lo, hi, step, &first, &last);
    for (long i = first; i <= last; i++) {
        double w = sn_svg_text_width(sn_tick_text((double)i * step, text), size);
        if (w > most) most = w;
    }
    return most * 1.12; /* fonts with wide signs */
}
