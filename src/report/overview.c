/* The beginning of the page: what was found, in a few sentences and one table; the cards; and its end: command, files, terms. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/parts.h"

/* "1 pattern", "3 patterns" */
static void put_counted(struct sn_html *h, int64_t n, const char *one, const char *many) {
    sn_html_count(h, n);
    sn_html_put(h, " %s", n == 1 ? one : many);
}

static int whole_patterns(const struct sn_report *r) {
    int n = 0;
    for (int i = 0; i < r->n_patterns; i++) n += !r->patterns[i].part;
    return n;
}

static const char *match_name(const struct sn_report_match *m) {
    return m->name && *m->name ? m->name : m->id;
}

/* "The most frequent one, pos_1, is most like REST (E = ...)". */
static void put_first_match(struct sn_page *p) {
    const struct sn_report_pattern *t = &p->r->patterns[0];
    struct sn_html *h = &p->h;
    sn_html_put(h, " The first, <a href=\"#pattern-1\">");
    sn_html_clipped(h, t->name, 40);
    sn_html_put(h, "</a>, with ");
    put_counted(h, t->n_seqlets, "seqlet", "seqlets");
    if (t->n_matches > 0) {
        sn_html_put(h, ", is most like <b>");
        sn_html_clipped(h, match_name(&t->matches[0]), 40);
        sn_html_put(h, "</b> (E\xc2\xa0=\xc2\xa0");
        sn_html_number(h, t->matches[0].e, 2);
        sn_html_put(h, ").");
    } else {
        sn_html_put(h, p->r->database ? ", matches nothing in the database." : ".");
    }
}

const char *sn_why_no_patterns(const struct sn_report *r) {
    return r->why_no_patterns ? r->why_no_patterns
                              : "No pattern was found: too few stretches of the sequences contribute more than chance explains.";
}

static void put_lede(struct sn_page *p) {
    const struct sn_report *r = p->r;
    struct sn_html *h = &p->h;
    int whole = whole_patterns(r);
    sn_html_put(h, "<p class=\"lede\">");
    put_counted(h, r->n_sequences, "sequence was", "sequences were");
    sn_html_put(h, " explained");
    if (r->target) sn_html_put(h, " for <b>");
    if (r->target) sn_html_clipped(h, r->target, 80);
    if (r->target) sn_html_put(h, "</b>");
    sn_html_put(h, ". ");
    if (whole == 0) {
        sn_html_text(h, sn_why_no_patterns(r));
    } else {
        sn_html_put(h, "Their contributions hold ");
        put_counted(h, whole, "recurring pattern", "recurring patterns");
        sn_html_put(h, ".");
        put_first_match(p);
    }
    sn_html_put(h, "</p>\n");
    for (int i = 0; i < r->n_notes; i++) {
        sn_html_put(h, "<p class=\"note\">");
        sn_html_text(h, r->notes[i]);
        sn_html_put(h, "</p>\n");
    }
}

static void put_small_logo(struct sn_page *p, int i) {
    const struct sn_report_pattern *t = &p->r->patterns[i];
    int width = t->core_end - t->core_start;
    float *height = sn_bit_heights(p, t->pfm, t->core_start, width, false);
    if (height)
        sn_logo_put(&(struct sn_logo){.title = t->name,
                                      .letters = p->r->letters,
                                      .n_letters = (int)strlen(p->r->letters),
                                      .length = width,
                                      .per_row = width,
                                      .height = height,
                                      .y_max = strlen(p->r->letters) == 4 ? 2 : 0,
                                      .cell = width > 30 ? 7 : 10,
                                      .row = 34,
                                      .bare = true},
                    &p->h);
    free(height);
}

static void put_row(struct sn_page *p, int i) {
    const struct sn_report_pattern *t = &p->r->patterns[i];
    struct sn_html *h = &p->h;
    sn_html_put(h, "<tr><th scope=\"row\" class=\"name%s\"><a href=\"#pattern-%d\">", t->part ? " sub" : "", i + 1);
    sn_html_clipped(h, t->name, 60);
    sn_html_put(h, "</a></th><td>");
    put_small_logo(p, i);
    sn_html_put(h, "</td><td class=\"n\">");
    sn_html_count(h, t->n_seqlets);
    sn_html_put(h, "</td><td class=\"n\">");
    sn_html_count(h, t->n_sequences);
    sn_html_put(h, "</td>");
    if (p->r->database) {
        const struct sn_report_match *m = t->n_matches > 0 ? &t->matches[0] : NULL;
        sn_html_put(h, "<td class=\"name\">");
        sn_html_clipped(h, m ? match_name(m) : "none", 60);
        sn_html_put(h, "</td><td class=\"n\">");
        sn_html_number(h, m ? m->p : NAN, 2);
        sn_html_put(h, "</td><td class=\"n\">");
        sn_html_number(h, m ? m->q : NAN, 2);
        sn_html_put(h, "</td>");
    }
    sn_html_put(h, "</tr>\n");
}

static void put_table(struct sn_page *p) {
    struct sn_html *h = &p->h;
    sn_box_open(p, "Table of patterns");
    sn_html_put(h,
                "<table>\n<caption>Patterns by number of seqlets</caption>\n<thead><tr><th scope=\"col\">Pattern</th><th "
                "scope=\"col\">Letters (bits)</th><th scope=\"col\" class=\"n\">Seqlets</th><th scope=\"col\" class=\"n\">Sequences</th>");
    if (p->r->database)
        sn_html_put(h, "<th scope=\"col\">Best match</th><th scope=\"col\" class=\"n\">p</th><th scope=\"col\" class=\"n\">q</th>");
    sn_html_put(h, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < p->r->n_patterns; i++) put_row(p, i);
    sn_html_put(h, "</tbody>\n</table>\n");
    sn_box_close(p);
}

void sn_page_overview(struct sn_page *p) {
    sn_section_open(p, "overview", "Overview");
    put_lede(p);
    if (p->r->n_patterns > 0) put_table(p);
    sn_section_close(p);
}

/* ---- cards ---- */

static void put_card(struct sn_page *p, const struct sn_report_card *c) {
    struct sn_html *h = &p->h;
    sn_html_put(h, "<div class=\"card\">\n<table>\n<caption>");
    sn_html_text(h, c->title);
    sn_html_put(h, "</caption>\n<tbody>\n");
    for (int i = 0; i < c->n; i++) {
        sn_html_put(h, "<tr><th scope=\"row\">");
        sn_html_text(h, c->facts[i].name);
        sn_html_put(h, "</th><td>");
        sn_html_text(h, c->facts[i].value);
        sn_html_put(h, "</td></tr>\n");
    }
    sn_html_put(h, "</tbody>\n</table>\n</div>\n");
}

void sn_page_cards(struct sn_page *p) {
    sn_section_open(p, "model", "Model and data");
    if (p->r->n_cards == 0) sn_html_put(&p->h, "<p class=\"empty\">Nothing is known of the model and its data.</p>\n");
    sn_html_put(&p->h, "<div class=\"cards\">\n");
    for (int i = 0; i < p->r->n_cards; i++) put_card(p, &p->r->cards[i]);
    sn_html_put(&p->h, "</div>\n");
    sn_section_close(p);
}

/* ---- command, files, terms ---- */

static void put_file(struct sn_page *p, bool there, const char *file, const char *what) {
    if (!there) return;
    sn_html_put(&p->h, "<dt>");
    sn_page_file(p, file, file);
    sn_html_put(&p->h, "</dt><dd>%s</dd>\n", what);
}

static void put_files(struct sn_page *p) {
    const struct sn_report *r = p->r;
    sn_html_put(&p->h,
                "<h3>Files</h3>\n<p>Everything on this page lies beside it in the folder <code>report</code>: each picture as SVG, the "
                "numbers as tables (tab-separated).</p>\n<dl class=\"list\">\n");
    put_file(p, r->n_cards > 0 || r->command, "cards.tsv", "model, data, run and command");
    put_file(p, r->n_trainings > 0, "training.tsv", "loss and metrics of every epoch");
    put_file(p, r->n_evaluations > 0, "metrics.tsv", "auROC, auPR and the like per task");
    put_file(p, r->n_evaluations > 0, "curves.tsv", "points of the ROC and precision-recall curves");
    put_file(p, r->n_patterns > 0, "patterns.tsv", "patterns with their seqlets and consensus");
    put_file(p, r->n_patterns > 0, "pattern_matrices.tsv", "letters (p) and contributions (c) at every position of the patterns");
    put_file(p, r->n_patterns > 0, "pattern_positions.tsv", "where in the sequences the seqlets lie");
    put_file(p, r->n_patterns > 0 && r->database, "matches.tsv", "database matches with p, E and q");
    put_file(p, r->n_examples > 0, "examples.tsv", "contributions of the sequences drawn");
    put_file(p, r->n_residuals > 0, "residuals.tsv", "histogram of the residuals");
    sn_html_put(&p->h, "</dl>\n");
}

void sn_page_methods(struct sn_page *p) {
    struct sn_html *h = &p->h;
    sn_section_open(p, "methods", "Command and files");
    sn_html_put(h, "<h3>Command</h3>\n");
    if (p->r->command) {
        sn_html_put(h, "<pre><code>");
        sn_html_text(h, p->r->command);
        sn_html_put(h, "</code></pre>\n");
    } else {
        sn_html_put(h, "<p class=\"empty\">The caller of the library gave no command.</p>\n");
    }
    put_files(p);
    sn_html_put(
        h, "<h3>Terms</h3>\n<dl>\n"
           "<dt>Contribution</dt><dd>What a letter adds to the model\xe2\x80\x99s output, compared with reference sequences; the "
           "contributions "
           "of a sequence sum to the difference.</dd>\n"
           "<dt>Seqlet</dt><dd>A short stretch whose contributions are higher (or lower) than chance explains.</dd>\n"
           "<dt>Pattern</dt><dd>Seqlets that look alike, aligned and averaged: their letters as frequencies, their contributions as means. "
           "pos: they raise the output; neg: they lower it. Its core is what is compared with the database.</dd>\n"
           "<dt>p, E, q</dt><dd>p: the chance that a random motif of the database\xe2\x80\x99s letters fits as well at its best place; E: "
           "how many "
           "motifs of this database would by chance; q: the share of false ones among all matches at least as good.</dd>\n"
           "<dt>Residual</dt><dd>How far the sum of contributions misses the difference in output, as a share of their absolute "
           "sum.</dd>\n</dl>\n");
    sn_section_close(p);
}
