/* Sequences whose letters are as high as they contribute, and how well contributions sum up. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"
#include "report/parts.h"

#define MOST_POSITIONS 400 /* drawn of a sequence: the part about its strongest letter */
#define NAME_IN_FILE 60

/* ---- sequences ---- */

static int64_t first_drawn(const struct sn_report_example *x) {
    int64_t top = 0;
    for (int64_t i = 1; i < x->length; i++)
        if (fabsf(x->contribution[i]) > fabsf(x->contribution[top])) top = i;
    int64_t start = top - MOST_POSITIONS / 2;
    if (start > x->length - MOST_POSITIONS) start = x->length - MOST_POSITIONS;
    return start < 0 ? 0 : start;
}

/* The contribution on the letter that is there; nothing on what is none of the letters. */
static float *heights_of(struct sn_page *p, const struct sn_report_example *x, int64_t first, int64_t n) {
    size_t letters = strlen(p->r->letters);
    float *h = p->h.rc < 0 ? NULL : sn_calloc((size_t)n * letters, sizeof *h);
    if (!h && p->h.rc == 0) p->h.rc = SEQNET_ENOMEM;
    for (int64_t i = 0; h && i < n; i++) {
        char c = x->bases[first + i];
        if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
        const char *at = c ? strchr(p->r->letters, c) : NULL;
        if (at) h[(size_t)i * letters + (size_t)(at - p->r->letters)] = x->contribution[first + i];
    }
    return h;
}

/* Marks within the drawn part, counted from its beginning. */
static struct sn_logo_mark *marks_of(struct sn_page *p, const struct sn_report_example *x, int64_t first, int64_t n, int *n_marks) {
    struct sn_logo_mark *m = p->h.rc < 0 ? NULL : sn_calloc((size_t)x->n_marks, sizeof *m);
    *n_marks = 0;
    if (!m && p->h.rc == 0) p->h.rc = SEQNET_ENOMEM;
    for (int i = 0; m && i < x->n_marks; i++) {
        int64_t a = x->marks[i].start - first, b = x->marks[i].end - first;
        if (a < 0) a = 0;
        if (b > n) b = n;
        if (a < b) m[(*n_marks)++] = (struct sn_logo_mark){a, b, x->marks[i].label};
    }
    return m;
}

static int file_name(const struct sn_report_example *x, int i, struct sn_str *out) {
    SN_TRY(sn_str_printf(out, "sequence_%03d_", i + 1));
    SN_TRY(sn_file_word(out, x->name, NAME_IN_FILE));
    return sn_str_puts(out, ".svg");
}

static void put_caption(struct sn_page *p, const struct sn_report_example *x, int64_t first, int64_t n, const char *file) {
    struct sn_html *h = &p->h;
    sn_figure_caption(p);
    sn_html_put(h, "<b>");
    sn_html_clipped(h, x->name, 120);
    sn_html_put(h, "</b>");
    if (x->note) {
        sn_html_put(h, ": ");
        sn_html_text(h, x->note);
    }
    if (n < x->length)
        sn_html_put(h, "; positions %lld\xe2\x80\x93%lld of %lld, about the strongest letter", (long long)first + 1, (long long)(first + n),
                    (long long)x->length);
    sn_html_put(h, ". <span class=\"files\">");
    sn_page_file(p, file, "SVG");
    sn_html_put(h, "</span>");
    sn_figure_close(p);
}

static void put_example(struct sn_page *p, int i) {
    const struct sn_report_example *x = &p->r->examples[i];
    int64_t n = x->length < MOST_POSITIONS ? x->length : MOST_POSITIONS, first = first_drawn(x);
    struct sn_str file = {0}, label = {0};
    int n_marks;
    float *height = heights_of(p, x, first, n);
    struct sn_logo_mark *marks = marks_of(p, x, first, n, &n_marks);
    if (p->h.rc == 0) p->h.rc = file_name(x, i, &file);
    if (p->h.rc == 0) p->h.rc = sn_str_printf(&label, "Contributions of %s", x->name);
    if (p->h.rc == 0) {
        struct sn_logo l = {.title = x->name,
                            .subtitle = x->note,
                            .y_label = p->r->unit ? p->r->unit : "contribution",
                            .letters = p->r->letters,
                            .n_letters = (int)strlen(p->r->letters),
                            .length = n,
                            .height = height,
                            .first = first + 1,
                            .per_row = (int)n,
                            .cell = 10,
                            .marks = marks,
                            .n_marks = n_marks};
        sn_figure_open(p);
        sn_box_open(p, label.s);
        sn_logo_put(&l, &p->h);
        sn_box_close(p);
        sn_logo_file(p, &l, file.s);
        put_caption(p, x, first, n, file.s);
    }
    sn_str_free(&file);
    sn_str_free(&label);
    free(height);
    free(marks);
}

void sn_page_examples(struct sn_page *p) {
    const struct sn_report *r = p->r;
    sn_section_open(p, "sequences", "Sequences");
    if (r->n_examples == 0)
        sn_html_put(&p->h, "<p class=\"empty\">No sequence is drawn.</p>\n");
    else
        sn_html_put(&p->h,
                    "<p>The sequences with the highest output. Each letter is as high as it contributes; letters that lower the output "
                    "hang down.%s</p>\n",
                    r->n_patterns > 0 ? " Brackets are seqlets, with the name of their pattern." : "");
    for (int i = 0; i < r->n_examples; i++) put_example(p, i);
    sn_section_close(p);
}

/* ---- residuals ---- */

static void put_histogram(struct sn_page *p, const struct sn_bins *b) {
    double *xy = sn_calloc((size_t)b->n * 2, sizeof *xy);
    char desc[96];
    if (!xy) {
        p->h.rc = SEQNET_ENOMEM;
        return;
    }
    for (int i = 0; i < b->n; i++) xy[i] = b->lo + (i + 0.5) * b->width, xy[b->n + i] = (double)b->count[i];
    snprintf(desc, sizeof desc, "Residuals of %lld sequences", (long long)p->r->n_residuals);
    sn_panel_plot(p, NULL,
                  &(struct sn_plot){.title = "Residuals",
                                    .desc = desc,
                                    .x_label = "residual, as a share of the absolute sum",
                                    .y_label = "sequences",
                                    .series = {{.kind = SN_PLOT_BARS, .x = xy, .y = xy + b->n, .n = b->n, .width = b->width}},
                                    .n_series = 1,
                                    .x_decades = true,
                                    .x_lo = b->lo,
                                    .x_hi = b->lo + b->n * b->width,
                                    .y_whole = true},
                  "residuals.svg");
    free(xy);
}

static double largest(const float *v, int64_t n) {
    double top = 0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(v[i]) && fabs((double)v[i]) > top) top = fabs((double)v[i]);
    return top;
}

static void put_residuals(struct sn_page *p) {
    const struct sn_report *r = p->r;
    struct sn_html *h = &p->h;
    struct sn_bins b = {0};
    int64_t zeros = 0, odd = 0;
    if (h->rc == 0) h->rc = sn_bins_decades(r->residual, r->n_residuals, &b, &zeros, &odd);
    if (h->rc < 0) return;
    sn_figure_open(p);
    if (b.n > 0) put_histogram(p, &b);
    sn_figure_caption(p);
    sn_html_put(h, "How far the contributions of each sequence miss the difference in output that they should sum to; the worst of ");
    sn_html_count(h, r->n_residuals);
    sn_html_put(h, ": ");
    sn_html_number(h, largest(r->residual, r->n_residuals), 2);
    sn_html_put(h, ".");
    if (zeros > 0) {
        sn_html_put(h, " Of ");
        sn_html_count(h, zeros);
        sn_html_put(h, " the residual is 0, which has no place on this axis.");
    }
    if (odd > 0) {
        sn_html_put(h, " Of ");
        sn_html_count(h, odd);
        sn_html_put(h, " it is not a finite number.");
    }
    sn_html_put(h, " <span class=\"files\">");
    if (b.n > 0) sn_page_file(p, "residuals.svg", "SVG");
    if (b.n > 0) sn_html_put(h, ", ");
    sn_page_file(p, "residuals.tsv", "TSV");
    sn_html_put(h, "</span>");
    sn_figure_close(p);
    free(b.count);
}

void sn_page_residuals(struct sn_page *p) {
    sn_section_open(p, "residuals", "Residuals");
    if (p->r->n_residuals > 0)
        put_residuals(p);
    else
        sn_html_put(&p->h, "<p class=\"empty\">This method has no sum that its contributions must keep, so there are no residuals.</p>\n");
    sn_section_close(p);
}
