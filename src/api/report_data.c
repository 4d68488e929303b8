#include "api/report_data.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/predictor.h"
#include "api/report_parts.h"
#include "core/file.h"
#include "core/parse.h"
#include "seqnet/version.h"
#include "train/metrics.h"

#define MOST_POINTS 500 /* of a curve */
#define RUN_MAX ((size_t)1 << 20)

/* ---- memory ---- */

void *sn_gather_block(struct sn_gather *g, size_t n, size_t size) {
    void *list = g->blocks;
    if (sn_grow(&list, &g->cap_blocks, g->n_blocks + 1, sizeof *g->blocks) < 0) return NULL;
    g->blocks = list;
    void *b = sn_calloc(n, size);
    if (b) g->blocks[g->n_blocks++] = b;
    return b;
}

const char *sn_gather_text(struct sn_gather *g, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *s = n < 0 ? NULL : sn_gather_block(g, (size_t)n + 1, 1);
    if (!s) return NULL;
    va_start(ap, fmt);
    vsnprintf(s, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return s;
}

const char *sn_gather_count(struct sn_gather *g, int64_t n) {
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n), m = 0;
    char *s = sn_gather_block(g, 64, 1);
    for (int i = 0; s && i < len; i++) {
        if (i > 0 && len > 4 && (len - i) % 3 == 0 && digits[i - 1] != '-') s[m++] = ' ';
        s[m++] = digits[i];
    }
    return s;
}

static void free_gathered(struct sn_gather *g) {
    for (size_t i = 0; i < g->n_blocks; i++) free(g->blocks[i]);
    free(g->blocks);
}

/* ---- cards ---- */

int sn_gather_card(struct sn_gather *g, const char *title, int most, struct sn_gather_card *out) {
    *out = (struct sn_gather_card){.g = g, .most = most, .facts = sn_gather_block(g, (size_t)most, sizeof *out->facts)};
    if (!out->facts) return SEQNET_ENOMEM;
    g->cards[g->n_cards] = (struct sn_report_card){.title = title, .facts = out->facts};
    return 0;
}

int sn_gather_fact(struct sn_gather_card *c, const char *name, const char *value) {
    if (!value) return SEQNET_ENOMEM;
    if (*value && c->n < c->most) c->facts[c->n++] = (struct sn_report_fact){name, value};
    return 0;
}

void sn_gather_card_end(struct sn_gather_card *c) {
    if (c->n == 0) return;
    c->g->cards[c->g->n_cards++].n = c->n;
}

static int data_card(struct sn_gather *g) {
    const struct sn_dataset *d = g->in->d;
    struct sn_gather_card c;
    long long shortest = (long long)sn_dataset_shortest(d), longest = (long long)sn_dataset_longest(d);
    SN_TRY(sn_gather_card(g, "Explained data", 6, &c));
    SN_TRY(sn_gather_fact(&c, "Sequences", sn_gather_count(g, d->n)));
    SN_TRY(sn_gather_fact(&c, "Length",
                          shortest == longest ? sn_gather_text(g, "%lld", longest) : sn_gather_text(g, "%lld to %lld", shortest, longest)));
    SN_TRY(sn_gather_fact(&c, "CRC-32C", sn_gather_text(g, "%08x", d->digest ? d->digest : sn_dataset_digest(d))));
    if (d->ambiguous > 0) SN_TRY(sn_gather_fact(&c, "Unknown letters", sn_gather_count(g, d->ambiguous)));
    if (d->padded > 0) SN_TRY(sn_gather_fact(&c, "Over a contig's end", sn_gather_count(g, d->padded)));
    sn_gather_card_end(&c);
    return 0;
}

/* What run.tsv says of the explanation; the model and the command have places of their own. */
static int add_run_line(struct sn_gather_card *c, char *line) {
    char *tab = strchr(line, '\t');
    if (!tab) return 0;
    *tab = '\0';
    static const char *const elsewhere[] = {"key", "version", "model", "command", "sequences", "worst_residual", "above_warning", NULL};
    for (int i = 0; elsewhere[i]; i++)
        if (strcmp(line, elsewhere[i]) == 0) return 0;
    for (char *p = line; *p; p++)
        if (*p == '_') *p = ' ';
    if (*line >= 'a' && *line <= 'z') *line = (char)(*line - 'a' + 'A');
    const char *name = sn_gather_text(c->g, "%s", line);
    return name ? sn_gather_fact(c, name, sn_gather_text(c->g, "%s", tab + 1)) : SEQNET_ENOMEM;
}

static int run_card(struct sn_gather *g) {
    struct sn_gather_card c;
    struct sn_str path = {0};
    char *text = NULL;
    size_t n;
    int rc = 0;
    SN_GO(sn_gather_card(g, "Explanation", 16, &c));
    SN_GO(sn_str_printf(&path, "%s/run.tsv", g->in->x->folder));
    SN_GO(sn_read_file(path.s, RUN_MAX, &text, &n));
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end) *end++ = '\0';
        SN_GO(add_run_line(&c, line));
    }
    sn_gather_card_end(&c);
done:
    sn_str_free(&path);
    free(text);
    return rc;
}

/* ---- how good: the explained sequences, when they have labels ---- */

static double metric_of(const seqnet_metric *m, int n, int task, const char *name) {
    for (int i = 0; i < n; i++)
        if (m[i].task == task && strcmp(m[i].name, name) == 0) return m[i].value;
    return NAN;
}

static int add_points(struct sn_gather *g, const float *scores, const float *targets, int task, int n_tasks, struct sn_report_task *t) {
    struct sn_roc_point *v = sn_gather_block(g, MOST_POINTS, sizeof *v);
    int64_t *tp = sn_gather_block(g, MOST_POINTS, sizeof *tp), *fp = sn_gather_block(g, MOST_POINTS, sizeof *fp);
    int n;
    if (!v || !tp || !fp) return SEQNET_ENOMEM;
    SN_TRY(n = sn_roc_points(scores + task, targets + task, g->in->d->n, n_tasks, MOST_POINTS, v, &t->n, &t->positives));
    for (int i = 0; i < n; i++) tp[i] = v[i].tp, fp[i] = v[i].fp;
    t->tp = tp;
    t->fp = fp;
    t->n_points = n;
    return 0;
}

static int add_evaluation(struct sn_gather *g, const struct sn_model *m, const float *scores, const float *targets) {
    int cap = (m->n_tasks + 1) * 8, n;
    struct sn_report_task *tasks = sn_gather_block(g, (size_t)m->n_tasks, sizeof *tasks);
    seqnet_metric *all = sn_gather_block(g, (size_t)cap, sizeof *all);
    if (!tasks || !all) return SEQNET_ENOMEM;
    SN_TRY(n = sn_metrics(m->kind, scores, targets, g->in->d->n, m->n_tasks, all, cap));
    for (int t = 0; t < m->n_tasks; t++) {
        double seen = metric_of(all, n, t, "n");
        tasks[t] = (struct sn_report_task){.name = m->tasks[t],
                                           .n = isfinite(seen) ? (int64_t)seen : 0,
                                           .positives = -1,
                                           .auroc = metric_of(all, n, t, "auroc"),
                                           .auprc = metric_of(all, n, t, "auprc"),
                                           .accuracy = metric_of(all, n, t, "accuracy"),
                                           .pearson = metric_of(all, n, t, "pearson"),
                                           .spearman = metric_of(all, n, t, "spearman")};
        if (m->kind != SN_TASK_NUMBER) SN_TRY(add_points(g, scores, targets, t, m->n_tasks, &tasks[t]));
    }
    g->evaluations[g->n_evaluations++] =
        (struct sn_report_evaluation){.title = "Explained sequences",
                                      .note = "Scores of the sequences explained here against their labels.",
                                      .tasks = tasks,
                                      .n = m->n_tasks};
    return 0;
}

static int evaluate(struct sn_gather *g) {
    const struct sn_dataset *d = g->in->d;
    const struct sn_model *m = g->in->models[0];
    seqnet_predictor_options o;
    seqnet_predictor *p = NULL;
    float *scores = NULL, *targets = NULL;
    int rc = 0;
    if (!d->targets || d->n_tasks == 0) return 0;
    SN_TRY(sn_fit_targets(d, m->kind, m->n_tasks, m->tasks, &targets));
    seqnet_predictor_defaults(&o);
    SN_GO(seqnet_predictor_create(g->in->ctx, (seqnet_model *const *)g->in->models, g->in->n_models, &o, &p));
    scores = sn_calloc((size_t)d->n * (size_t)m->n_tasks, sizeof *scores);
    SN_GO(scores ? 0 : SEQNET_ENOMEM);
    SN_GO(sn_predictor_run(p, d, false, scores));
    SN_GO(add_evaluation(g, m, scores, targets));
done:
    seqnet_predictor_free(&p);
    free(scores);
    free(targets);
    return rc < 0 ? rc : 0;
}

/* ---- sequences ---- */

int64_t sn_next_strongest(const float *output, int64_t n, const bool *taken) {
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++)
        if (!taken[i] && (best < 0 || output[i] > output[best] || (isnan(output[best]) && !isnan(output[i])))) best = i;
    return best;
}

static const char *note_of(struct sn_gather *g, int64_t i) {
    char a[32], b[32];
    float expected = g->in->x->expected[i];
    sn_format_digits((double)g->in->x->output[i], 3, a);
    if (isnan(expected)) return sn_gather_text(g, "%s %s", g->in->target, a);
    return sn_gather_text(g, "%s %s, mean of references %s", g->in->target, a, sn_format_digits((double)expected, 3, b));
}

static void mark(struct sn_report_mark *v, int *n, int most, const struct sn_pattern *t, int64_t sequence) {
    for (int k = 0; k < t->n && *n < most; k++)
        if (t->seqlets[k].sequence == sequence) v[(*n)++] = (struct sn_report_mark){t->seqlets[k].start, t->seqlets[k].end, t->name};
}

static int by_start(const void *a, const void *b) {
    const struct sn_report_mark *x = a, *y = b;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    return strcmp(x->label, y->label);
}

static int add_marks(struct sn_gather *g, int64_t i, struct sn_report_example *x) {
    enum { MOST = 64 };
    struct sn_report_mark *v = sn_gather_block(g, MOST, sizeof *v);
    if (!v) return SEQNET_ENOMEM;
    for (int k = 0; g->in->patterns && k < g->in->patterns->n; k++) mark(v, &x->n_marks, MOST, &g->in->patterns->v[k], i);
    qsort(v, (size_t)x->n_marks, sizeof *v, by_start);
    x->marks = v;
    return 0;
}

static int add_example(struct sn_gather *g, struct sn_npz_rows *rows, float *row, int64_t i, struct sn_report_example *x) {
    const struct sn_dataset *d = g->in->d;
    int channels = d->alphabet->channels;
    int64_t n = sn_dataset_len(d, i);
    char *bases = sn_gather_block(g, (size_t)n + 1, 1);
    float *c = sn_gather_block(g, (size_t)n, sizeof *c);
    *x = (struct sn_report_example){.name = d->names[i], .note = note_of(g, i), .bases = bases, .contribution = c, .length = n};
    if (!bases || !c || !x->note) return SEQNET_ENOMEM;
    SN_TRY(sn_npz_row(rows, i, row));
    for (int64_t p = 0; p < n; p++) {
        double sum = 0;
        for (int k = 0; k < channels; k++) sum += (double)row[p * channels + k];
        c[p] = (float)sum;
        uint8_t code = d->codes[d->offset[i] + p];
        bases[p] = code == SN_CODE_OUTSIDE ? '-' : (char)d->alphabet->decode[code];
    }
    return add_marks(g, i, x);
}

static int add_examples(struct sn_gather *g, struct sn_npz_rows *rows, struct sn_report_example *v, int n) {
    int64_t n_rows, channels, length;
    sn_npz_rows_shape(rows, &n_rows, &channels, &length);
    if (n_rows != g->in->d->n || channels != g->in->d->alphabet->channels || length < sn_dataset_longest(g->in->d))
        return sn_error(SEQNET_EDATA, "%s/contributions.npz: not of these sequences", g->in->x->folder);
    bool *taken = sn_gather_block(g, (size_t)g->in->d->n, sizeof *taken);
    float *row = sn_gather_block(g, (size_t)(channels * length), sizeof *row);
    if (!taken || !row) return SEQNET_ENOMEM;
    for (int k = 0; k < n; k++) {
        int64_t i = sn_next_strongest(g->in->x->output, g->in->d->n, taken);
        taken[i] = true;
        SN_TRY(add_example(g, rows, row, i, &v[k]));
    }
    return 0;
}

int sn_gather_examples(struct sn_gather *g) {
    int n = g->in->n_examples < g->in->d->n ? g->in->n_examples : (int)g->in->d->n, rc = 0;
    struct sn_npz_rows *rows = NULL;
    struct sn_str path = {0};
    struct sn_report_example *v = sn_gather_block(g, (size_t)(n > 0 ? n : 0), sizeof *v);
    if (!v) return SEQNET_ENOMEM;
    if (n < 1) return 0;
    SN_GO(sn_str_printf(&path, "%s/contributions.npz", g->in->x->folder));
    SN_GO(sn_npz_rows_open(path.s, &rows));
    SN_GO(add_examples(g, rows, v, n));
    g->r.examples = v;
    g->r.n_examples = n;
done:
    if (rows) sn_npz_rows_close(rows);
    sn_str_free(&path);
    return rc;
}

/* ---- all of it ---- */

static int gather_notes(struct sn_gather *g) {
    const char **notes = sn_gather_block(g, 1, sizeof *notes);
    if (!notes) return SEQNET_ENOMEM;
    g->r.notes = notes;
    for (int i = 0; i < g->in->n_models && g->r.n_notes == 0; i++)
        if (g->in->models[i]->shuffled_negatives)
            notes[g->r.n_notes++] = "The model was trained against shuffled sequences: its scores of real genomes come out too high.";
    return 0;
}

/* Methods without a sum to keep have no residuals. */
static int gather_residuals(struct sn_gather *g) {
    int64_t n = 0;
    float *v = sn_gather_block(g, (size_t)g->in->d->n, sizeof *v);
    if (!v) return SEQNET_ENOMEM;
    for (int64_t i = 0; i < g->in->d->n; i++)
        if (!isnan(g->in->x->residual[i])) v[n++] = g->in->x->residual[i];
    g->r.residual = v;
    g->r.n_residuals = n;
    return 0;
}

static int gather(struct sn_gather *g) {
    const struct sn_report_input *in = g->in;
    g->r.version = SEQNET_VERSION;
    g->r.command = in->command;
    g->r.letters = in->d->alphabet->letters;
    g->r.target = in->target;
    g->r.n_sequences = in->d->n;
    g->r.longest = sn_dataset_longest(in->d);
    if (!(g->r.title = sn_gather_text(g, "What %s learned: %s", in->models[0]->arch->name, in->target))) return SEQNET_ENOMEM;
    SN_TRY(gather_notes(g));
    SN_TRY(sn_gather_models(g));
    SN_TRY(data_card(g));
    SN_TRY(run_card(g));
    SN_TRY(evaluate(g));
    SN_TRY(sn_gather_patterns(g));
    SN_TRY(sn_gather_examples(g));
    SN_TRY(gather_residuals(g));
    g->r.cards = g->cards;
    g->r.n_cards = g->n_cards;
    g->r.evaluations = g->evaluations;
    g->r.n_evaluations = g->n_evaluations;
    return 0;
}

int sn_report_make(const struct sn_report_input *in) {
    struct sn_gather g = {.in = in};
    int rc = gather(&g);
    if (rc >= 0) rc = sn_report_write(&g.r, in->x->folder);
    free_gathered(&g);
    return rc < 0 ? rc : 0;
}
