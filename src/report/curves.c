/* Curves: training by epoch, ROC and precision-recall per task. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"
#include "report/parts.h"

/* ---- training ---- */

/* "training from 0.69 to 0.21 (lowest 0.2), ..." for those who cannot see the lines. */
static int describe(const struct sn_report_training *g, const struct sn_report_series *s, int n, struct sn_str *out) {
    char a[32], b[32];
    for (int k = 0; k < n; k++) {
        if (!isfinite(s[k].y[0]) || !isfinite(s[k].y[g->n_epochs - 1])) continue;
        SN_TRY(sn_str_printf(out, "%s%s from %s at epoch ", out->n ? "; " : "", s[k].name, sn_format_digits(s[k].y[0], 4, a)));
        SN_TRY(sn_str_printf(out, "%s to ", sn_format_digits(g->epoch[0], 9, a)));
        SN_TRY(sn_str_printf(out, "%s at epoch %s", sn_format_digits(s[k].y[g->n_epochs - 1], 4, a),
                             sn_format_digits(g->epoch[g->n_epochs - 1], 9, b)));
    }
    return 0;
}

static void put_epochs(struct sn_page *p, int m, const char *tag, const struct sn_report_series *s, int n, const char *what) {
    const struct sn_report_training *g = &p->r->trainings[m];
    struct sn_str desc = {0};
    char file[64], title[64];
    if (p->h.rc == 0) p->h.rc = describe(g, s, n, &desc);
    snprintf(file, sizeof file, "training_%d_%s.svg", m + 1, what);
    snprintf(title, sizeof title, "%s by epoch", what);
    struct sn_plot plot = {.title = title,
                           .desc = desc.s,
                           .x_label = isfinite(g->best) ? "epoch (dashed: the one kept)" : "epoch",
                           .y_label = what,
                           .x_whole = true,
                           .mark_given = isfinite(g->best),
                           .mark = g->best};
    for (int k = 0; k < n && k < SN_PLOT_SERIES; k++)
        plot.series[plot.n_series++] = (struct sn_plot_series){.name = s[k].name, .x = g->epoch, .y = s[k].y, .n = g->n_epochs};
    sn_panel_plot(p, tag, &plot, file);
    sn_str_free(&desc);
}

static void put_training(struct sn_page *p, int m) {
    const struct sn_report_training *g = &p->r->trainings[m];
    struct sn_html *h = &p->h;
    bool both = g->n_losses > 0 && g->n_metrics > 0;
    char file[64];
    sn_figure_open(p);
    if (g->n_losses > 0) put_epochs(p, m, both ? "a" : NULL, g->losses, g->n_losses, "loss");
    if (g->n_metrics > 0) put_epochs(p, m, both ? "b" : NULL, g->metrics, g->n_metrics, "metrics");
    sn_figure_caption(p);
    if (g->name) sn_html_text(h, g->name);
    sn_html_put(h, "%s%s", g->name ? ": " : "", both ? "Loss (a) and metrics on the validation sequences (b)" : "Training");
    sn_html_put(h, " by epoch");
    if (isfinite(g->best)) {
        sn_html_put(h, "; the dashed line is epoch ");
        sn_html_number(h, g->best, 9);
        sn_html_put(h, ", whose weights were kept");
    }
    sn_html_put(h, ". <span class=\"files\">");
    for (int k = 0; k < 2; k++) {
        if (!(k ? g->n_metrics : g->n_losses)) continue;
        snprintf(file, sizeof file, "training_%d_%s.svg", m + 1, k ? "metrics" : "loss");
        sn_page_file(p, file, k ? "SVG b" : both ? "SVG a" : "SVG");
        sn_html_put(h, ", ");
    }
    sn_page_file(p, "training.tsv", "TSV");
    sn_html_put(h, "</span>");
    sn_figure_close(p);
}

void sn_page_training(struct sn_page *p) {
    int drawn = 0;
    sn_section_open(p, "training", "Training");
    for (int m = 0; m < p->r->n_trainings; m++) {
        const struct sn_report_training *g = &p->r->trainings[m];
        if (g->n_epochs < 1 || g->n_losses + g->n_metrics < 1) continue;
        put_training(p, m);
        drawn++;
    }
    if (drawn == 0)
        sn_html_put(
            &p->h, "<p class=\"empty\">The model file keeps no history of its training, so there are no curves of loss and metrics.</p>\n");
    sn_section_close(p);
}

/* ---- figures per task ---- */

struct column {
    const char *title;
    double (*value)(const struct sn_report_task *t);
};

static double base_rate(const struct sn_report_task *t) {
    return t->positives >= 0 && t->n > 0 ? (double)t->positives / (double)t->n : NAN;
}
static double positives(const struct sn_report_task *t) {
    return t->positives >= 0 ? (double)t->positives : NAN;
}
static double auroc(const struct sn_report_task *t) {
    return t->auroc;
}
static double auprc(const struct sn_report_task *t) {
    return t->auprc;
}
static double accuracy(const struct sn_report_task *t) {
    return t->accuracy;
}
static double pearson(const struct sn_report_task *t) {
    return t->pearson;
}
static double spearman(const struct sn_report_task *t) {
    return t->spearman;
}

static const struct column columns[] = {
    {"Positives", positives}, {"Base rate", base_rate}, {"auROC", auroc},       {"auPR", auprc},
    {"Accuracy", accuracy},   {"Pearson r", pearson},   {"Spearman", spearman},
};
#define COLUMNS ((int)(sizeof columns / sizeof *columns))

/* A column that no task has a value for is left out. */
static bool has_values(const struct sn_report_evaluation *e, const struct column *c) {
    for (int i = 0; i < e->n; i++)
        if (isfinite(c->value(&e->tasks[i]))) return true;
    return false;
}

static void put_task_row(struct sn_page *p, const struct sn_report_task *t, const bool *shown) {
    struct sn_html *h = &p->h;
    sn_html_put(h, "<tr><th scope=\"row\" class=\"name\">");
    sn_html_clipped(h, t->name, 80);
    sn_html_put(h, "</th><td class=\"n\">");
    sn_html_count(h, t->n);
    sn_html_put(h, "</td>");
    for (int c = 0; c < COLUMNS; c++) {
        if (!shown[c]) continue;
        double v = columns[c].value(t);
        sn_html_put(h, "<td class=\"n\">");
        if (columns[c].value == positives && isfinite(v))
            sn_html_count(h, t->positives);
        else
            sn_html_number(h, v, 4);
        sn_html_put(h, "</td>");
    }
    sn_html_put(h, "</tr>\n");
}

static void put_metrics(struct sn_page *p, const struct sn_report_evaluation *e) {
    struct sn_html *h = &p->h;
    bool shown[COLUMNS];
    sn_box_open(p, "Table of metrics");
    sn_html_put(h,
                "<table>\n<caption>Metrics</caption>\n<thead><tr><th scope=\"col\">Task</th><th scope=\"col\" class=\"n\">Sequences</th>");
    for (int c = 0; c < COLUMNS; c++)
        if ((shown[c] = has_values(e, &columns[c]))) sn_html_put(h, "<th scope=\"col\" class=\"n\">%s</th>", columns[c].title);
    sn_html_put(h, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < e->n; i++) put_task_row(p, &e->tasks[i], shown);
    sn_html_put(h, "</tbody>\n</table>\n");
    sn_box_close(p);
}

/* ---- ROC and precision-recall ---- */

struct curve {
    double *recall, *fpr, *precision; /* (n) from the origin */
    int n;
};

static int make_curve(const struct sn_report_task *t, struct curve *c) {
    double pos = (double)t->positives, neg = (double)(t->n - t->positives);
    c->n = t->n_points + 1;
    c->recall = sn_calloc((size_t)c->n * 3, sizeof *c->recall);
    if (!c->recall) return SEQNET_ENOMEM;
    c->fpr = c->recall + c->n;
    c->precision = c->fpr + c->n;
    for (int i = 0; i < t->n_points; i++) {
        double tp = (double)t->tp[i], fp = (double)t->fp[i];
        c->recall[i + 1] = tp / pos;
        c->fpr[i + 1] = fp / neg;
        c->precision[i + 1] = tp / (tp + fp);
    }
    c->precision[0] = c->precision[1];
    return 0;
}

static void put_roc(struct sn_page *p, const struct sn_report_task *t, const struct curve *c, const char *file) {
    char number[32], desc[160];
    snprintf(desc, sizeof desc, "Recall against false positive rate; area under the curve %s",
             isfinite(t->auroc) ? sn_format_digits(t->auroc, 4, number) : "unknown");
    sn_panel_plot(p, "a",
                  &(struct sn_plot){.title = "ROC curve",
                                    .desc = desc,
                                    .x_label = "false positive rate",
                                    .y_label = "recall (true positive rate)",
                                    .series = {{.kind = SN_PLOT_LINE, .x = c->fpr, .y = c->recall, .n = c->n}},
                                    .n_series = 1,
                                    .x_hi = 1,
                                    .y_hi = 1,
                                    .diagonal = true,
                                    .width = 330,
                                    .height = 316},
                  file);
}

static void put_pr(struct sn_page *p, const struct sn_report_task *t, const struct curve *c, const char *file) {
    char number[32], desc[160], level[64];
    snprintf(desc, sizeof desc, "Precision against recall; average precision %s",
             isfinite(t->auprc) ? sn_format_digits(t->auprc, 4, number) : "unknown");
    snprintf(level, sizeof level, "base rate %s", sn_format_digits(base_rate(t), 3, number));
    sn_panel_plot(p, "b",
                  &(struct sn_plot){.title = "Precision-recall curve",
                                    .desc = desc,
                                    .x_label = "recall",
                                    .y_label = "precision",
                                    .series = {{.kind = SN_PLOT_STEPS, .x = c->recall, .y = c->precision, .n = c->n}},
                                    .n_series = 1,
                                    .x_hi = 1,
                                    .y_hi = 1,
                                    .level_given = true,
                                    .level = base_rate(t),
                                    .level_label = level,
                                    .width = 330,
                                    .height = 316},
                  file);
}

static void put_task_curves(struct sn_page *p, int e, int i) {
    const struct sn_report_task *t = &p->r->evaluations[e].tasks[i];
    struct sn_html *h = &p->h;
    struct curve c = {0};
    char roc[64], pr[64];
    if (p->h.rc == 0) p->h.rc = make_curve(t, &c);
    if (p->h.rc < 0) return;
    snprintf(roc, sizeof roc, "roc_%d_%d.svg", e + 1, i + 1);
    snprintf(pr, sizeof pr, "pr_%d_%d.svg", e + 1, i + 1);
    sn_figure_open(p);
    put_roc(p, t, &c, roc);
    put_pr(p, t, &c, pr);
    sn_figure_caption(p);
    sn_html_clipped(h, t->name, 80);
    sn_html_put(h, ": ROC curve (a; auROC ");
    sn_html_number(h, t->auroc, 4);
    sn_html_put(h, "; dashed: chance) and precision against recall (b; auPR ");
    sn_html_number(h, t->auprc, 4);
    sn_html_put(h, "; dashed: base rate ");
    sn_html_number(h, base_rate(t), 3);
    sn_html_put(h, "). <span class=\"files\">");
    sn_page_file(p, roc, "SVG a");
    sn_html_put(h, ", ");
    sn_page_file(p, pr, "SVG b");
    sn_html_put(h, ", ");
    sn_page_file(p, "curves.tsv", "TSV");
    sn_html_put(h, "</span>");
    sn_figure_close(p);
    free(c.recall);
}

static void put_evaluation(struct sn_page *p, int e) {
    const struct sn_report_evaluation *v = &p->r->evaluations[e];
    struct sn_html *h = &p->h;
    int drawn = 0, curves = 0, one_class = 0;
    sn_html_put(h, "<h3>");
    sn_html_text(h, v->title);
    sn_html_put(h, "</h3>\n");
    if (v->note) {
        sn_html_put(h, "<p class=\"facts\">");
        sn_html_text(h, v->note);
        sn_html_put(h, "</p>\n");
    }
    put_metrics(p, v);
    for (int i = 0; i < v->n; i++) {
        const struct sn_report_task *t = &v->tasks[i];
        bool can = t->n_points > 0 && t->positives > 0 && t->positives < t->n;
        curves += can;
        one_class += t->n > 0 && (t->positives == 0 || t->positives == t->n);
        if (!can || drawn == SN_DRAWN_TASKS) continue;
        put_task_curves(p, e, i);
        drawn++;
    }
    if (one_class > 0)
        sn_html_put(h, "<p class=\"facts\">Of %d task%s all labels are the same, so there is no curve and no area under it.</p>\n",
                    one_class, one_class == 1 ? "" : "s");
    if (curves > drawn)
        sn_html_put(h,
                    "<p class=\"facts\">Curves of the first %d tasks are drawn; those of the other %d are in <a "
                    "href=\"report/curves.tsv\">curves.tsv</a>.</p>\n",
                    drawn, curves - drawn);
}

void sn_page_curves(struct sn_page *p) {
    const struct sn_report *r = p->r;
    sn_section_open(p, "performance", "Performance");
    for (int e = 0; e < r->n_evaluations; e++) put_evaluation(p, e);
    if (r->n_evaluations == 0) {
        sn_html_put(&p->h, "<p class=\"empty\">");
        sn_html_text(&p->h, r->why_no_curves
                                ? r->why_no_curves
                                : "The sequences have no labels, so there is nothing to compare the scores with: no ROC and no "
                                  "precision-recall curve.");
        sn_html_put(&p->h, "</p>\n");
    }
    sn_section_close(p);
}
