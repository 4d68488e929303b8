/* The patterns, one after the other: logos, where their seqlets lie, what they are like. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "report/parts.h"

#define NAME_IN_FILE 40
#define CELL 12.0 /* width of a position */

/* "pattern_001_pos_1_pfm.svg" */
static int file_name(struct sn_page *p, int i, const char *what, int number, struct sn_str *out) {
    out->n = 0;
    SN_TRY(sn_str_printf(out, "pattern_%03d_", i + 1));
    SN_TRY(sn_file_word(out, p->r->patterns[i].name, NAME_IN_FILE));
    SN_TRY(sn_str_printf(out, "_%s", what));
    if (number > 0) SN_TRY(sn_str_printf(out, "_%d", number));
    return sn_str_puts(out, ".svg");
}

static bool named(struct sn_page *p, int i, const char *what, int number, struct sn_str *out) {
    if (p->h.rc == 0) p->h.rc = file_name(p, i, what, number, out);
    return p->h.rc == 0;
}

/* ---- logos ---- */

static struct sn_logo logo_of(const struct sn_page *p, int i, const float *height) {
    const struct sn_report_pattern *t = &p->r->patterns[i];
    return (struct sn_logo){.letters = p->r->letters,
                            .n_letters = (int)strlen(p->r->letters),
                            .length = t->width,
                            .per_row = t->width,
                            .height = height,
                            .first = 1,
                            .cell = CELL,
                            .band_start = t->core_start,
                            .band_end = t->core_end};
}

static void put_contributions(struct sn_page *p, int i, struct sn_str *name) {
    const struct sn_report_pattern *t = &p->r->patterns[i];
    float *height = sn_plain_heights(p, t->contribution, 0, t->width);
    struct sn_str title = {0};
    if (p->h.rc == 0) p->h.rc = sn_str_printf(&title, "%s: contributions", t->name);
    if (named(p, i, "contributions", 0, name)) {
        struct sn_logo l = logo_of(p, i, height);
        l.title = title.s;
        l.subtitle = t->consensus;
        l.y_label = p->r->unit ? p->r->unit : "contribution";
        sn_panel_logo(p, "a", &l, name->s);
    }
    sn_str_free(&title);
    free(height);
}

static void put_letters(struct sn_page *p, int i, struct sn_str *name) {
    const struct sn_report_pattern *t = &p->r->patterns[i];
    float *height = sn_bit_heights(p, t->pfm, 0, t->width, false);
    struct sn_str title = {0};
    if (p->h.rc == 0) p->h.rc = sn_str_printf(&title, "%s: letters", t->name);
    if (named(p, i, "letters", 0, name)) {
        struct sn_logo l = logo_of(p, i, height);
        l.title = title.s;
        l.subtitle = t->consensus;
        l.y_label = "bits";
        l.y_max = l.n_letters == 4 ? 2 : 0;
        sn_panel_logo(p, "b", &l, name->s);
    }
    sn_str_free(&title);
    free(height);
}

static void put_positions(struct sn_page *p, int i, struct sn_str *name) {
    struct sn_bins b = {0};
    double *xy = NULL;
    int64_t total = 0, top = 0;
    if (p->h.rc == 0) p->h.rc = sn_pattern_bins(p->r, i, &b);
    if (p->h.rc == 0 && !(xy = sn_calloc((size_t)b.n * 2, sizeof *xy))) p->h.rc = SEQNET_ENOMEM;
    if (named(p, i, "positions", 0, name)) {
        for (int k = 0; k < b.n; k++) {
            xy[k] = b.lo + (k + 0.5) * b.width;
            xy[b.n + k] = (double)b.count[k];
            total += b.count[k];
            if (b.count[k] > top) top = b.count[k];
        }
        char desc[128];
        snprintf(desc, sizeof desc, "%lld seqlets; at most %lld in a bin of %d positions", (long long)total, (long long)top, (int)b.width);
        sn_panel_plot(p, "c",
                      &(struct sn_plot){.title = "Positions of the seqlets",
                                        .desc = desc,
                                        .x_label = "from the middle of the sequence",
                                        .y_label = "seqlets",
                                        .series = {{.kind = SN_PLOT_BARS, .x = xy, .y = xy + b.n, .n = b.n, .width = b.width}},
                                        .n_series = 1,
                                        .x_lo = b.lo,
                                        .x_hi = b.lo + b.n * b.width,
                                        .y_whole = true,
                                        .width = 300,
                                        .height = 154},
                      name->s);
    }
    free(b.count);
    free(xy);
}

static void put_figure(struct sn_page *p, int i) {
    const struct sn_report_pattern *t = &p->r->patterns[i];
    struct sn_str a = {0}, b = {0}, c = {0};
    struct sn_html *h = &p->h;
    sn_figure_open(p);
    put_contributions(p, i, &a);
    put_letters(p, i, &b);
    put_positions(p, i, &c);
    sn_figure_caption(p);
    sn_html_clipped(h, t->name, 60);
    sn_html_put(
        h, ": mean contribution of each letter (a), letters of the seqlets in bits (b; the core is shaded), and where the seqlets lie (c). "
           "<span class=\"files\">");
    if (h->rc == 0) {
        sn_page_file(p, a.s, "SVG a");
        sn_html_put(h, ", ");
        sn_page_file(p, b.s, "SVG b");
        sn_html_put(h, ", ");
        sn_page_file(p, c.s, "SVG c");
    }
    sn_html_put(h, "</span>");
    sn_figure_close(p);
    sn_str_free(&a);
    sn_str_free(&b);
    sn_str_free(&c);
}

/* ---- matches ---- */

/* Columns that all logos of the table share: from the leftmost to the rightmost. */
struct grid {
    int lead, columns; /* before the core; in all */
};

static struct grid grid_of(const struct sn_report_pattern *t) {
    int left = 0, right = t->core_end - t->core_start;
    for (int k = 0; k < t->n_matches; k++) {
        const struct sn_report_match *m = &t->matches[k];
        if (m->offset < left) left = m->offset;
        if (m->offset + m->width > right) right = m->offset + m->width;
    }
    return (struct grid){-left, right - left};
}

static struct sn_logo match_logo(const struct sn_page *p, const struct grid *g, int lead, int width, const float *height) {
    int n = (int)strlen(p->r->letters);
    return (struct sn_logo){.letters = p->r->letters,
                            .n_letters = n,
                            .length = width,
                            .per_row = width,
                            .height = height,
                            .y_max = n == 4 ? 2 : 0,
                            .cell = CELL,
                            .row = 48,
                            .bare = true,
                            .lead = lead,
                            .columns = g->columns};
}

static void put_core_row(struct sn_page *p, int i, const struct grid *g) {
    const struct sn_report_pattern *t = &p->r->patterns[i];
    int width = t->core_end - t->core_start;
    float *height = sn_bit_heights(p, t->pfm, t->core_start, width, false);
    sn_html_put(&p->h, "<tr><th scope=\"row\" class=\"name\">");
    sn_html_clipped(&p->h, t->name, 60);
    sn_html_put(&p->h, " (core)</th><td>");
    if (height) {
        struct sn_logo l = match_logo(p, g, g->lead, width, height);
        l.title = t->name;
        sn_logo_put(&l, &p->h);
    }
    sn_html_put(&p->h, "</td><td colspan=\"5\"></td></tr>\n");
    free(height);
}

static void put_match_logo(struct sn_page *p, int i, int k, const struct grid *g) {
    const struct sn_report_match *m = &p->r->patterns[i].matches[k];
    float *height = sn_bit_heights(p, m->pfm, 0, m->width, m->reverse);
    struct sn_str title = {0}, file = {0};
    if (p->h.rc == 0)
        p->h.rc =
            sn_str_printf(&title, "%s%s%s%s", m->id, m->name ? " " : "", m->name ? m->name : "", m->reverse ? ", reverse complement" : "");
    if (named(p, i, "match", k + 1, &file)) {
        struct sn_logo l = match_logo(p, g, g->lead + m->offset, m->width, height);
        l.title = title.s;
        sn_logo_put(&l, &p->h);
        sn_logo_file(p, &l, file.s);
    }
    sn_str_free(&title);
    sn_str_free(&file);
    free(height);
}

static void put_match(struct sn_page *p, int i, int k, const struct grid *g) {
    const struct sn_report_match *m = &p->r->patterns[i].matches[k];
    struct sn_html *h = &p->h;
    sn_html_put(h, "<tr><th scope=\"row\" class=\"name\">");
    sn_html_clipped(h, m->name && *m->name ? m->name : m->id, 60);
    if (m->name && *m->name) {
        sn_html_put(h, "<br><small>");
        sn_html_clipped(h, m->id, 60);
        sn_html_put(h, "</small>");
    }
    sn_html_put(h, "</th><td>");
    put_match_logo(p, i, k, g);
    sn_html_put(h, "</td><td class=\"n\">%s</td><td class=\"n\">", m->reverse ? "\xe2\x88\x92" : "+");
    sn_html_number(h, m->offset, 9);
    const double values[] = {m->p, m->e, m->q};
    for (int v = 0; v < 3; v++) {
        sn_html_put(h, "</td><td class=\"n\">");
        sn_html_number(h, values[v], 3);
    }
    sn_html_put(h, "</td></tr>\n");
}

static void put_matches(struct sn_page *p, int i) {
    const struct sn_report_pattern *t = &p->r->patterns[i];
    struct sn_html *h = &p->h;
    if (!p->r->database) return;
    if (t->n_matches == 0) {
        sn_html_put(h, "<p class=\"empty\">Nothing in the database is like this pattern.</p>\n");
        return;
    }
    struct grid g = grid_of(t);
    sn_box_open(p, "Matches in the database");
    sn_html_put(h, "<table>\n<caption>Matches in the database, aligned with the core</caption>\n<thead><tr><th scope=\"col\">Motif</th><th "
                   "scope=\"col\">Letters (bits)</th><th scope=\"col\" class=\"n\">Strand</th><th scope=\"col\" class=\"n\">Offset</th><th "
                   "scope=\"col\" class=\"n\">p</th><th scope=\"col\" class=\"n\">E</th><th scope=\"col\" class=\"n\">q</th></tr></thead>\n"
                   "<tbody>\n");
    put_core_row(p, i, &g);
    for (int k = 0; k < t->n_matches; k++) put_match(p, i, k, &g);
    sn_html_put(h, "</tbody>\n</table>\n");
    sn_box_close(p);
}

/* ---- a pattern ---- */

static void put_pattern(struct sn_page *p, int i) {
    const struct sn_report_pattern *t = &p->r->patterns[i];
    struct sn_html *h = &p->h;
    sn_html_put(h, "<article id=\"pattern-%d\"%s aria-labelledby=\"h-pattern-%d\">\n<h3 id=\"h-pattern-%d\">", i + 1,
                t->part ? " class=\"part\"" : "", i + 1, i + 1);
    sn_html_text(h, t->name);
    if (t->n_matches > 0) {
        const struct sn_report_match *m = &t->matches[0];
        sn_html_put(h, " \xe2\x80\x93 like ");
        sn_html_clipped(h, m->name && *m->name ? m->name : m->id, 60);
    }
    sn_html_put(h, "</h3>\n<p class=\"facts\">");
    sn_html_count(h, t->n_seqlets);
    sn_html_put(h, " seqlet%s in ", t->n_seqlets == 1 ? "" : "s");
    sn_html_count(h, t->n_sequences);
    sn_html_put(h, " of ");
    sn_html_count(h, p->r->n_sequences);
    sn_html_put(h, " sequence%s \xc2\xb7 %d position%s, core %d\xe2\x80\x93%d", p->r->n_sequences == 1 ? "" : "s", t->width,
                t->width == 1 ? "" : "s", t->core_start + 1, t->core_end);
    if (t->consensus) {
        sn_html_put(h, " \xc2\xb7 consensus <code>");
        sn_html_text(h, t->consensus);
        sn_html_put(h, "</code>");
    }
    sn_html_put(h, "</p>\n");
    put_figure(p, i);
    put_matches(p, i);
    sn_html_put(h, "</article>\n");
}

static void put_database(struct sn_page *p) {
    struct sn_html *h = &p->h;
    if (p->r->database) {
        sn_html_put(h, "<p class=\"facts\">Compared with ");
        sn_html_count(h, p->r->n_database);
        sn_html_put(h, " motif%s of ", p->r->n_database == 1 ? "" : "s");
        sn_html_text(h, p->r->database);
        sn_html_put(h, ".</p>\n");
    } else {
        sn_html_put(h, "<p class=\"empty\">No motif database was given, so the patterns have no names. With <code>--db FILE</code> (MEME "
                       "format) they are compared with known motifs.</p>\n");
    }
}

void sn_page_patterns(struct sn_page *p) {
    const struct sn_report *r = p->r;
    sn_section_open(p, "patterns", "Patterns");
    if (r->n_patterns > 0) {
        put_database(p);
        for (int i = 0; i < r->n_patterns; i++) put_pattern(p, i);
    } else {
        sn_html_put(&p->h, "<p class=\"empty\">");
        sn_html_text(&p->h, sn_why_no_patterns(r));
        sn_html_put(&p->h, "</p>\n");
    }
    sn_section_close(p);
}
