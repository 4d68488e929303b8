/* Pieces of the page, and the page as a whole. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/mem.h"
#include "report/parts.h"

/* ---- pieces ---- */

void sn_section_open(struct sn_page *p, const char *id, const char *title) {
    sn_html_put(&p->h, "<section id=\"%s\" aria-labelledby=\"h-%s\">\n<h2 id=\"h-%s\">%s</h2>\n", id, id, id, title);
}

void sn_section_close(struct sn_page *p) {
    sn_html_put(&p->h, "</section>\n");
}

void sn_figure_open(struct sn_page *p) {
    sn_html_put(&p->h, "<figure>\n<div class=\"panels\">\n");
}

void sn_figure_caption(struct sn_page *p) {
    sn_html_put(&p->h, "</div>\n<figcaption><b>Figure %d.</b> ", ++p->figures);
}

void sn_figure_close(struct sn_page *p) {
    sn_html_put(&p->h, "</figcaption>\n</figure>\n");
}

void sn_box_open(struct sn_page *p, const char *label) {
    sn_html_put(&p->h, "<div class=\"box\" tabindex=\"0\" role=\"region\" aria-label=\"");
    sn_html_text(&p->h, label);
    sn_html_put(&p->h, "\">\n");
}

void sn_box_close(struct sn_page *p) {
    sn_html_put(&p->h, "</div>\n");
}

void sn_page_file(struct sn_page *p, const char *file, const char *text) {
    sn_html_put(&p->h, "<a href=\"report/%s\">%s</a>", file, text);
}

/* ---- pictures ---- */

static int open_picture(struct sn_page *p, const char *file, struct sn_outfile **f) {
    struct sn_str path = {0};
    int rc = sn_str_printf(&path, "%s/report/%s", p->folder, file);
    if (rc == 0) rc = sn_outfile_open(path.s, f);
    sn_str_free(&path);
    return rc;
}

static int close_picture(struct sn_outfile *f, int rc) {
    if (rc == 0) return sn_outfile_commit(f);
    sn_outfile_abort(f);
    return rc;
}

static void open_panel(struct sn_page *p, const char *tag) {
    sn_html_put(&p->h, "<div class=\"panel\">");
    if (tag) sn_html_put(&p->h, "<span class=\"tag\">%s</span>", tag);
}

void sn_logo_file(struct sn_page *p, const struct sn_logo *logo, const char *file) {
    struct sn_outfile *f;
    if (p->h.rc < 0) return;
    int rc = open_picture(p, file, &f);
    p->h.rc = rc < 0 ? rc : close_picture(f, sn_logo_write(logo, f));
}

void sn_panel_plot(struct sn_page *p, const char *tag, const struct sn_plot *plot, const char *file) {
    struct sn_outfile *f;
    open_panel(p, tag);
    sn_plot_put(plot, &p->h);
    sn_html_put(&p->h, "</div>\n");
    if (p->h.rc < 0) return;
    int rc = open_picture(p, file, &f);
    p->h.rc = rc < 0 ? rc : close_picture(f, sn_plot_write(plot, f));
}

void sn_panel_logo(struct sn_page *p, const char *tag, const struct sn_logo *logo, const char *file) {
    open_panel(p, tag);
    sn_logo_put(logo, &p->h);
    sn_html_put(&p->h, "</div>\n");
    sn_logo_file(p, logo, file);
}

/* ---- heights of logos ---- */

static float *new_heights(struct sn_page *p, int width, int letters) {
    float *h = p->h.rc < 0 ? NULL : sn_calloc((size_t)width * (size_t)letters, sizeof *h);
    if (!h && p->h.rc == 0) p->h.rc = SEQNET_ENOMEM;
    return h;
}

static double information(const double *row, int letters) {
    double bits = log2(letters), sum = 0;
    for (int k = 0; k < letters; k++) {
        if (!(row[k] > 0)) continue;
        bits += row[k] * log2(row[k]);
        sum += row[k];
    }
    /* rows of fewer letters than sequences say less; nothing is known of what is no probability */
    return sum <= 0 || !isfinite(bits) || bits < 0 ? 0 : bits * (sum < 1 ? sum : 1);
}

float *sn_bit_heights(struct sn_page *p, const double *pfm, int start, int width, bool reverse) {
    int letters = (int)strlen(p->r->letters);
    float *h = new_heights(p, width, letters);
    if (!h) return NULL;
    if (letters != 4) reverse = false;
    for (int i = 0; i < width; i++) {
        const double *row = pfm + (start + (reverse ? width - 1 - i : i)) * letters;
        double bits = information(row, letters);
        for (int k = 0; k < letters; k++) h[i * letters + k] = (float)(row[reverse ? letters - 1 - k : k] * bits);
    }
    return h;
}

float *sn_plain_heights(struct sn_page *p, const double *v, int start, int width) {
    int letters = (int)strlen(p->r->letters);
    float *h = new_heights(p, width, letters);
    for (int i = 0; h && i < width * letters; i++) h[i] = (float)v[start * letters + i];
    return h;
}

/* ---- the page ---- */

static void put_head(struct sn_page *p) {
    struct sn_html *h = &p->h;
    sn_html_put(h, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                   "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    sn_html_clipped(h, p->r->title, 120);
    sn_html_put(h, "</title>\n<style>\n");
    sn_svg_css(h);
    sn_page_style(p);
    sn_html_put(h, "</style>\n</head>\n<body>\n");
    sn_logo_letters(p->r->letters, h);
}

static void put_title(struct sn_page *p) {
    const struct sn_report *r = p->r;
    struct sn_html *h = &p->h;
    sn_html_put(h, "<header>\n<h1>");
    sn_html_text(h, r->title);
    sn_html_put(h, "</h1>\n<p class=\"by\">seqnet ");
    sn_html_text(h, r->version);
    if (r->date) sn_html_put(h, " \xc2\xb7 ");
    if (r->date) sn_html_text(h, r->date);
    sn_html_put(h, "</p>\n<nav aria-label=\"Contents\">\n<ul>\n");
    static const char *const links[][2] = {
        {"overview", "Overview"}, {"model", "Model and data"}, {"training", "Training"},   {"performance", "Performance"},
        {"patterns", "Patterns"}, {"sequences", "Sequences"},  {"residuals", "Residuals"}, {"methods", "Command and files"},
    };
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) sn_html_put(h, "<li><a href=\"#%s\">%s</a></li>\n", links[i][0], links[i][1]);
    sn_html_put(h, "</ul>\n</nav>\n</header>\n<main>\n");
}

static void put_page(struct sn_page *p) {
    put_head(p);
    put_title(p);
    sn_page_overview(p);
    sn_page_cards(p);
    sn_page_training(p);
    sn_page_curves(p);
    sn_page_patterns(p);
    sn_page_examples(p);
    sn_page_residuals(p);
    sn_page_methods(p);
    sn_html_put(&p->h, "</main>\n</body>\n</html>\n");
}

/* ---- checks ---- */

static int check_pattern(const struct sn_report_pattern *t) {
    if (!t->name || t->width < 1 || !t->pfm || !t->contribution)
        return sn_error(SEQNET_EINVAL, "report: pattern %s: expected a name, positions and both matrices",
                        t->name ? t->name : "without name");
    if (t->core_start < 0 || t->core_end > t->width || t->core_start >= t->core_end)
        return sn_error(SEQNET_EINVAL, "report: pattern %s: expected a core within its %d positions, got %d to %d", t->name, t->width,
                        t->core_start, t->core_end);
    for (int i = 0; i < t->n_matches; i++)
        if (!t->matches[i].id || t->matches[i].width < 1 || !t->matches[i].pfm || abs(t->matches[i].offset) > 100000)
            return sn_error(SEQNET_EINVAL, "report: pattern %s: match %d: expected a name, positions and a near offset", t->name, i + 1);
    return 0;
}

static int check(const struct sn_report *r) {
    size_t n = r->letters ? strlen(r->letters) : 0;
    if (!r->title || !r->version) return sn_error(SEQNET_EINVAL, "report: expected a title and a version");
    if (n < 1 || n > 32) return sn_error(SEQNET_EINVAL, "report: expected 1 to 32 letters, got %zu", n);
    for (int i = 0; i < r->n_patterns; i++) SN_TRY(check_pattern(&r->patterns[i]));
    for (int i = 0; i < r->n_examples; i++)
        if (r->examples[i].length < 1) return sn_error(SEQNET_EINVAL, "report: example %d: expected positions", i + 1);
    return 0;
}

/* Pictures and tables of an earlier report. */
static void remove_earlier(const char *folder) {
    static const char *const begin[] = {"cards.",    "training",   "metrics.",  "curves.", "pattern", "matches.",
                                        "examples.", "residuals.", "sequence_", "roc_",    "pr_",     NULL};
    for (int i = 0; begin[i]; i++) {
        sn_remove_files(folder, begin[i], ".svg");
        sn_remove_files(folder, begin[i], ".tsv");
    }
}

void sn_report_remove(const char *folder) {
    struct sn_str path = {0};
    sn_remove_files(folder, "report.html", "report.html");
    if (sn_str_printf(&path, "%s/report", folder) == 0) {
        remove_earlier(path.s);
        rmdir(path.s); /* when it is empty */
    }
    sn_str_free(&path);
}

int sn_report_write(const struct sn_report *r, const char *folder) {
    struct sn_page p = {.r = r, .folder = folder};
    struct sn_str path = {0};
    struct sn_outfile *f = NULL;
    int rc = 0;
    SN_TRY(check(r));
    SN_GO(sn_str_printf(&path, "%s/report", folder));
    SN_GO(sn_make_dir(path.s));
    remove_earlier(path.s);
    SN_GO(sn_outfile_open_in(folder, "report.html", &f));
    p.h.f = f;
    put_page(&p);
    SN_GO(p.h.rc);
    SN_GO(sn_report_tables(&p));
    rc = sn_outfile_commit(f);
    f = NULL;
done:
    sn_outfile_abort(f);
    sn_str_free(&path);
    return rc;
}
