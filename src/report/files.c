/* What lies beside the page: the same numbers as tables. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"
#include "report/parts.h"

struct sn_table {
    struct sn_outfile *f;
    int rc;
    bool begun; /* the line has a cell */
};

/* ---- writing ---- */

int sn_table_open(struct sn_page *p, const char *file, struct sn_table **out) {
    struct sn_str path = {0};
    struct sn_table *t = sn_calloc(1, sizeof *t);
    int rc = t ? 0 : SEQNET_ENOMEM;
    *out = NULL;
    if (rc == 0) rc = sn_str_printf(&path, "%s/report/%s", p->folder, file);
    if (rc == 0) rc = sn_outfile_open(path.s, &t->f);
    if (rc == 0)
        *out = t;
    else
        free(t);
    sn_str_free(&path);
    return rc;
}

static void separate(struct sn_table *t) {
    if (t->begun && t->rc == 0) t->rc = sn_outfile_write(t->f, "\t", 1);
    t->begun = true;
}

void sn_table_text(struct sn_table *t, const char *s) {
    separate(t);
    if (t->rc == 0) t->rc = sn_outfile_cell(t->f, s ? s : "");
}

void sn_table_int(struct sn_table *t, int64_t v) {
    separate(t);
    if (t->rc == 0) t->rc = sn_outfile_printf(t->f, "%lld", (long long)v);
}

void sn_table_number(struct sn_table *t, double v) {
    char text[32];
    sn_table_text(t, isfinite(v) ? sn_format_f64(v, text) : "NA");
}

void sn_table_row(struct sn_table *t) {
    if (t->rc == 0) t->rc = sn_outfile_write(t->f, "\n", 1);
    t->begun = false;
}

int sn_table_commit(struct sn_table *t) {
    int rc = t->rc;
    if (rc < 0)
        sn_outfile_abort(t->f);
    else
        rc = sn_outfile_commit(t->f);
    free(t);
    return rc;
}

/* The header line: names apart by blanks. */
static void put_header(struct sn_table *t, const char *names) {
    for (const char *s = names; *s;) {
        size_t n = strcspn(s, " ");
        char name[64];
        memcpy(name, s, n);
        name[n] = '\0';
        sn_table_text(t, name);
        s += n + (s[n] == ' ');
    }
}

/* ---- the tables ---- */

static void put_cards(const struct sn_report *r, struct sn_table *t) {
    put_header(t, "card name value");
    sn_table_row(t);
    for (int i = 0; i < r->n_cards; i++) {
        for (int k = 0; k < r->cards[i].n; k++) {
            sn_table_text(t, r->cards[i].title);
            sn_table_text(t, r->cards[i].facts[k].name);
            sn_table_text(t, r->cards[i].facts[k].value);
            sn_table_row(t);
        }
    }
    if (!r->command) return;
    sn_table_text(t, "Command");
    sn_table_text(t, "command");
    sn_table_text(t, r->command);
    sn_table_row(t);
}

static void put_series(const struct sn_report_training *g, const struct sn_report_series *s, int n, const char *what, struct sn_table *t) {
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < g->n_epochs; i++) {
            sn_table_text(t, g->name ? g->name : ".");
            sn_table_text(t, what);
            sn_table_text(t, s[k].name);
            sn_table_number(t, g->epoch[i]);
            sn_table_number(t, s[k].y[i]);
            sn_table_row(t);
        }
    }
}

static void put_training(const struct sn_report *r, struct sn_table *t) {
    put_header(t, "model what series epoch value");
    sn_table_row(t);
    for (int m = 0; m < r->n_trainings; m++) {
        put_series(&r->trainings[m], r->trainings[m].losses, r->trainings[m].n_losses, "loss", t);
        put_series(&r->trainings[m], r->trainings[m].metrics, r->trainings[m].n_metrics, "metric", t);
    }
}

static void put_metrics(const struct sn_report *r, struct sn_table *t) {
    put_header(t, "evaluation task n positives base_rate auroc auprc accuracy pearson spearman");
    sn_table_row(t);
    for (int e = 0; e < r->n_evaluations; e++) {
        for (int i = 0; i < r->evaluations[e].n; i++) {
            const struct sn_report_task *k = &r->evaluations[e].tasks[i];
            sn_table_text(t, r->evaluations[e].title);
            sn_table_text(t, k->name);
            sn_table_int(t, k->n);
            sn_table_number(t, k->positives < 0 ? NAN : (double)k->positives);
            sn_table_number(t, k->positives < 0 || k->n < 1 ? NAN : (double)k->positives / (double)k->n);
            sn_table_number(t, k->auroc);
            sn_table_number(t, k->auprc);
            sn_table_number(t, k->accuracy);
            sn_table_number(t, k->pearson);
            sn_table_number(t, k->spearman);
            sn_table_row(t);
        }
    }
}

static void put_curve(const char *title, const struct sn_report_task *k, struct sn_table *t) {
    double pos = (double)k->positives, neg = (double)(k->n - k->positives);
    for (int i = 0; i < k->n_points; i++) {
        double tp = (double)k->tp[i], fp = (double)k->fp[i];
        sn_table_text(t, title);
        sn_table_text(t, k->name);
        sn_table_int(t, k->tp[i]);
        sn_table_int(t, k->fp[i]);
        sn_table_number(t, tp / pos);
        sn_table_number(t, fp / neg);
        sn_table_number(t, tp / (tp + fp));
        sn_table_row(t);
    }
}

static void put_curves(const struct sn_report *r, struct sn_table *t) {
    put_header(t, "evaluation task true_positives false_positives recall false_positive_rate precision");
    sn_table_row(t);
    for (int e = 0; e < r->n_evaluations; e++)
        for (int i = 0; i < r->evaluations[e].n; i++) put_curve(r->evaluations[e].title, &r->evaluations[e].tasks[i], t);
}

static void put_patterns(const struct sn_report *r, struct sn_table *t) {
    const char *whole = ".";
    put_header(t, "pattern part_of seqlets sequences width core_start core_end consensus");
    sn_table_row(t);
    for (int i = 0; i < r->n_patterns; i++) {
        const struct sn_report_pattern *p = &r->patterns[i];
        if (!p->part) whole = p->name;
        sn_table_text(t, p->name);
        sn_table_text(t, p->part ? whole : ".");
        sn_table_int(t, p->n_seqlets);
        sn_table_int(t, p->n_sequences);
        sn_table_int(t, p->width);
        sn_table_int(t, p->core_start);
        sn_table_int(t, p->core_end);
        sn_table_text(t, p->consensus ? p->consensus : ".");
        sn_table_row(t);
    }
}

static void put_matrices(const struct sn_report *r, struct sn_table *t) {
    size_t n = strlen(r->letters);
    put_header(t, "pattern position");
    for (int what = 0; what < 2; what++) {
        for (size_t k = 0; k < n; k++) {
            char name[16] = {what ? 'c' : 'p', '_', r->letters[k], '\0'};
            sn_table_text(t, name);
        }
    }
    sn_table_row(t);
    for (int i = 0; i < r->n_patterns; i++) {
        const struct sn_report_pattern *p = &r->patterns[i];
        for (int row = 0; row < p->width; row++) {
            sn_table_text(t, p->name);
            sn_table_int(t, row);
            for (size_t k = 0; k < n; k++) sn_table_number(t, p->pfm[(size_t)row * n + k]);
            for (size_t k = 0; k < n; k++) sn_table_number(t, p->contribution[(size_t)row * n + k]);
            sn_table_row(t);
        }
    }
}

static void put_matches(const struct sn_report *r, struct sn_table *t) {
    put_header(t, "pattern match name offset overlap strand p E q");
    sn_table_row(t);
    for (int i = 0; i < r->n_patterns; i++) {
        for (int k = 0; k < r->patterns[i].n_matches; k++) {
            const struct sn_report_match *m = &r->patterns[i].matches[k];
            sn_table_text(t, r->patterns[i].name);
            sn_table_text(t, m->id);
            sn_table_text(t, m->name ? m->name : ".");
            sn_table_int(t, m->offset);
            sn_table_int(t, m->overlap);
            sn_table_text(t, m->reverse ? "-" : "+");
            sn_table_number(t, m->p);
            sn_table_number(t, m->e);
            sn_table_number(t, m->q);
            sn_table_row(t);
        }
    }
}

static void put_examples(const struct sn_report *r, struct sn_table *t) {
    put_header(t, "sequence position base contribution");
    sn_table_row(t);
    for (int i = 0; i < r->n_examples; i++) {
        const struct sn_report_example *x = &r->examples[i];
        for (int64_t k = 0; k < x->length; k++) {
            sn_table_text(t, x->name);
            sn_table_int(t, k);
            sn_table_text(t, (char[2]){x->bases[k], '\0'});
            sn_table_number(t, (double)x->contribution[k]);
            sn_table_row(t);
        }
    }
}

static void put_bins(struct sn_table *t, const char *name, const struct sn_bins *b, bool decades) {
    for (int i = 0; i < b->n; i++) {
        double from = b->lo + i * b->width, to = b->lo + (i + 1) * b->width;
        if (name) sn_table_text(t, name);
        sn_table_number(t, decades ? pow(10, from) : from);
        sn_table_number(t, decades ? pow(10, to) : to);
        sn_table_int(t, b->count[i]);
        sn_table_row(t);
    }
}

static void put_positions(const struct sn_report *r, struct sn_table *t) {
    put_header(t, "pattern from to seqlets");
    sn_table_row(t);
    for (int i = 0; i < r->n_patterns && t->rc == 0; i++) {
        struct sn_bins b;
        t->rc = sn_pattern_bins(r, i, &b);
        if (t->rc == 0) put_bins(t, r->patterns[i].name, &b, false);
        free(b.count);
    }
}

static void put_residuals(const struct sn_report *r, struct sn_table *t) {
    struct sn_bins b;
    int64_t zeros, odd;
    put_header(t, "from to sequences");
    sn_table_row(t);
    if (t->rc == 0) t->rc = sn_bins_decades(r->residual, r->n_residuals, &b, &zeros, &odd);
    if (t->rc < 0) return;
    if (zeros > 0) {
        sn_table_number(t, 0);
        sn_table_number(t, 0);
        sn_table_int(t, zeros);
        sn_table_row(t);
    }
    put_bins(t, NULL, &b, true);
    free(b.count);
}

static int write_table(struct sn_page *p, const char *file, bool wanted, void (*put)(const struct sn_report *, struct sn_table *)) {
    struct sn_table *t;
    if (!wanted) return 0;
    SN_TRY(sn_table_open(p, file, &t));
    put(p->r, t);
    return sn_table_commit(t);
}

int sn_report_tables(struct sn_page *p) {
    const struct sn_report *r = p->r;
    SN_TRY(write_table(p, "cards.tsv", r->n_cards > 0 || r->command, put_cards));
    SN_TRY(write_table(p, "training.tsv", r->n_trainings > 0, put_training));
    SN_TRY(write_table(p, "metrics.tsv", r->n_evaluations > 0, put_metrics));
    SN_TRY(write_table(p, "curves.tsv", r->n_evaluations > 0, put_curves));
    SN_TRY(write_table(p, "patterns.tsv", r->n_patterns > 0, put_patterns));
    SN_TRY(write_table(p, "pattern_matrices.tsv", r->n_patterns > 0, put_matrices));
    SN_TRY(write_table(p, "pattern_positions.tsv", r->n_patterns > 0, put_positions));
    SN_TRY(write_table(p, "matches.tsv", r->n_patterns > 0 && r->database, put_matches));
    SN_TRY(write_table(p, "examples.tsv", r->n_examples > 0, put_examples));
    return write_table(p, "residuals.tsv", r->n_residuals > 0, put_residuals);
}
