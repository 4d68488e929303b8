#include "scan/scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"
#include "model/scorer.h"
#include "scan/writer.h"
#include "seqnet/version.h"

#define MAX_STRIDE ((int64_t)1 << 24)
#define BATCH_CODES ((int64_t)1 << 22) /* windows of a batch: about this many codes' worth */
#define MAX_BATCH 16384
#define BATCH_BYTES ((size_t)4 << 20)

/* What one number of a window is made of. */
enum strands {
    STRANDS_MODEL,  /* the scorer combines them, or reads one strand only */
    STRANDS_BETTER, /* each by itself, the better one counts */
    STRANDS_FORWARD,
    STRANDS_REVERSE,
};

struct worker {
    uint8_t *rows;        /* (rows, window) */
    float *all;           /* (rows, tasks) */
    float *score, *logit; /* (2 rows) of the task: what predict prints, and the value before its last activation */
};

struct sn_scanner {
    struct sn_runtime rt;
    struct sn_model **models;
    int n_models;
    const struct sn_alphabet *alphabet;
    char *region, *regions_bed, *output;
    struct sn_windows windows;
    enum sn_scan_kind kind;
    enum strands strands;
    int task;
    bool classes; /* the task is one of several classes */
    /* a site: a score of at least `threshold`, or a logit above `logit` (calibration knows logits, which do not saturate); the other is NaN
     */
    float threshold, logit;
    double false_per_mb;               /* expected, NaN = unknown */
    struct sn_scorer *scorer, *single; /* single: forward only, finds a site's strand when the scorer combines both; else NULL */
    int rows, batch, n_workers;
    struct worker *workers;
    struct sn_str header, describe;
    seqnet_scan_result result;
};

static const char *label(const struct sn_model *m) {
    return m->path ? m->path : m->arch->name;
}

/* ---- options ---- */

static int choose_window(struct sn_scanner *s, const seqnet_scan_options *o) {
    const struct sn_model *m = s->models[0];
    int64_t fixed = m->arch->length > 0 ? m->arch->length : 0, min_len = 1;
    s->windows.size = o->window > 0 ? o->window : fixed > 0 ? fixed : m->data_length;
    if (s->windows.size < 1)
        return sn_error(SEQNET_EINVAL, "%s: takes any length and does not tell its training length: give the window", label(m));
    if (fixed > 0 && s->windows.size != fixed)
        return sn_error(SEQNET_EINVAL, "window %lld: %s takes sequences of exactly %lld", (long long)s->windows.size, label(m),
                        (long long)fixed);
    for (int i = 0; i < s->n_models; i++)
        if (s->models[i]->arch->graph->min_len > min_len) min_len = s->models[i]->arch->graph->min_len;
    if (s->windows.size < min_len || s->windows.size > INT32_MAX)
        return sn_error(SEQNET_EINVAL, "window %lld: expected %lld to %d", (long long)s->windows.size, (long long)min_len, INT32_MAX);
    /* auto: a site is never farther than an eighth of a window from the middle of the nearest one */
    s->windows.stride = o->stride > 0 ? o->stride : s->windows.size / 4 > 0 ? s->windows.size / 4 : 1;
    if (s->windows.stride > MAX_STRIDE)
        return sn_error(SEQNET_EINVAL, "stride %lld: expected 1 to %lld", (long long)s->windows.stride, (long long)MAX_STRIDE);
    return 0;
}

static bool combines(const struct sn_model *m) {
    return m->arch->strand != SN_STRAND_FORWARD;
}

static int choose_strands(struct sn_scanner *s, int strand) {
    bool complement = s->alphabet->has_complement;
    if (!complement && (strand == SEQNET_SCAN_BOTH || strand == SEQNET_SCAN_REVERSE))
        return sn_error(SEQNET_EINVAL, "strand: %s has no reverse strand", s->alphabet->name);
    switch (strand) {
    case SEQNET_SCAN_MODEL:
        s->strands = STRANDS_MODEL;
        for (int i = 0; i < s->n_models; i++)
            if (combines(s->models[i]) != combines(s->models[0]))
                return sn_error(SEQNET_EINVAL, "strand: %s and %s treat strands differently: say which to scan", label(s->models[0]),
                                label(s->models[i]));
        if (!combines(s->models[0])) s->strands = complement ? STRANDS_BETTER : STRANDS_FORWARD;
        return 0;
    case SEQNET_SCAN_BOTH:
        s->strands = STRANDS_BETTER;
        return 0;
    case SEQNET_SCAN_FORWARD:
        s->strands = STRANDS_FORWARD;
        return 0;
    case SEQNET_SCAN_REVERSE:
        s->strands = STRANDS_REVERSE;
        return 0;
    default:
        return sn_error(SEQNET_EINVAL, "strand %d: expected 0 to 3", strand);
    }
}

static bool among_classes(const struct sn_model *m, int task) {
    const struct sn_graph *g = m->arch->graph;
    int h = 0, at = 0;
    while (h + 1 < g->n_heads && task >= at + g->nodes[g->heads[h].logits].out.ch) at += (int)g->nodes[g->heads[h++].logits].out.ch;
    return g->heads[h].loss == SN_LOSS_CCE;
}

static int choose_task(struct sn_scanner *s, const char *task) {
    const struct sn_model *m = s->models[0];
    while (task && s->task < m->n_tasks && strcmp(m->tasks[s->task], task) != 0) s->task++;
    if (s->task < m->n_tasks) {
        s->classes = among_classes(m, s->task);
        return 0;
    }
    const char *near = sn_nearest(task, (const char *const *)m->tasks, m->n_tasks);
    return sn_error(SEQNET_EINVAL, "task '%s': %s has no such task%s%s%s", task, label(m), near ? "; did you mean '" : "", near ? near : "",
                    near ? "'?" : "");
}

/* ---- calling ---- */

/* What predict prints for a logit; of classes the logit itself, which has no probability without the others. */
static float finished(const struct sn_scanner *s, float logit) {
    if (s->classes) return logit;
    float *all = s->workers[0].all, mine;
    for (int t = 0; t < sn_scorer_tasks(s->scorer); t++) all[t] = logit;
    mine = sn_scorer_finish(s->scorer, 1, all) < 0 ? NAN : all[s->task];
    return mine;
}

/* Calls in background per Mb at this rate per window; two tries where either strand may call. */
static double false_calls(const struct sn_scanner *s, double rate) {
    bool tries_both = s->strands == STRANDS_BETTER && !combines(s->models[0]);
    return rate * (tries_both ? 2 : 1) * 1e6 / (double)s->windows.stride;
}

static const float *quantiles(const struct sn_scanner *s) {
    const struct sn_model *m = s->models[0];
    return m->quantile + (size_t)s->task * (size_t)m->n_quantiles;
}

/* The logit that at most this part of the calibration background exceeds: the nearest level of the table that is no less strict. */
static int calls_by_rate(struct sn_scanner *s, double fpr) {
    const struct sn_model *m = s->models[0];
    if (s->n_models > 1)
        return sn_error(SEQNET_EINVAL,
                        "a false positive rate needs one model: each is calibrated by itself; give a threshold on the mean score");
    if (m->n_quantiles < 1)
        return sn_error(SEQNET_EDATA, "%s: has no calibration table, which a false positive rate needs; give a threshold", label(m));
    if (!(fpr > 0 && fpr < 1)) return sn_error(SEQNET_EINVAL, "false positive rate: expected a number between 0 and 1");
    int j = 0;
    while (j < m->n_quantiles && m->quantile_level[j] < (1 - fpr) - 1e-12) j++;
    if (j == m->n_quantiles) {
        char asked[32], least[32];
        return sn_error(SEQNET_EDATA,
                        "%s: the calibration background is too small for a false positive rate of %s; the least it can tell is %s",
                        label(m), sn_format_f64(fpr, asked), sn_format_f32((float)(1 - m->quantile_level[j - 1]), least));
    }
    s->logit = quantiles(s)[j];
    s->threshold = NAN;
    s->false_per_mb = false_calls(s, 1 - m->quantile_level[j]);
    if (combines(m) != (s->strands == STRANDS_MODEL))
        sn_log(s->rt.sink, SN_LOG_WARN, "%s was calibrated on scores of %s: the false positive rate of other strands may differ", label(m),
               combines(m) ? "both strands together" : "one strand");
    return 0;
}

/* What a threshold means on the calibration background, where there is one. */
static void rate_of_threshold(struct sn_scanner *s) {
    const struct sn_model *m = s->models[0];
    if (s->n_models > 1 || s->classes) return;
    for (int j = m->n_quantiles - 1; j >= 0; j--) {
        if (finished(s, quantiles(s)[j]) >= s->threshold) continue;
        s->false_per_mb = false_calls(s, 1 - m->quantile_level[j]);
        return;
    }
}

static int choose_output(struct sn_scanner *s, const seqnet_scan_options *o) {
    bool fpr = !isnan(o->fpr), threshold = !isnan(o->threshold);
    if (fpr && threshold) return sn_error(SEQNET_EINVAL, "give a false positive rate or a threshold, not both");
    if (!o->output) return sn_error(SEQNET_EINVAL, "output: expected a file name or -");
    return sn_scan_output_kind(o->output, fpr || threshold, &s->kind);
}

static int choose_calls(struct sn_scanner *s, const seqnet_scan_options *o) {
    s->false_per_mb = NAN;
    s->logit = NAN;
    s->threshold = (float)o->threshold;
    if (!isnan(o->fpr)) return calls_by_rate(s, o->fpr);
    if (!isnan(o->threshold)) rate_of_threshold(s);
    return 0;
}

/* ---- making ---- */

static int make_scorer(struct sn_scanner *s, int strand, int rows, struct sn_scorer **out) {
    struct sn_scorer_options o = {
        .max_len = s->windows.size, .max_rows = rows, .workers = s->n_workers, .strand = strand, .backend = s->rt.backend};
    return sn_scorer_create(s->models, s->n_models, &o, out);
}

static int make_workers(struct sn_scanner *s) {
    s->n_workers = sn_pool_size(s->rt.pool);
    SN_TRY(make_scorer(s, s->strands == STRANDS_MODEL ? -1 : SN_STRAND_FORWARD, 0, &s->scorer));
    if (s->strands == STRANDS_MODEL && combines(s->models[0]) && s->kind == SN_SCAN_SITES)
        SN_TRY(make_scorer(s, SN_STRAND_FORWARD, 2, &s->single));
    s->rows = sn_scorer_rows(s->scorer);
    int64_t batch = BATCH_CODES / s->windows.size;
    if (batch > MAX_BATCH) batch = MAX_BATCH;
    if (batch < 4 * s->rows) batch = 4 * s->rows;
    s->batch = (int)((batch + s->rows - 1) / s->rows * s->rows);
    s->workers = sn_calloc((size_t)s->n_workers, sizeof *s->workers);
    if (!s->workers) return SEQNET_ENOMEM;
    size_t rows = (size_t)(s->rows < 2 ? 2 : s->rows);
    for (int i = 0; i < s->n_workers; i++) {
        struct worker *w = &s->workers[i];
        w->rows = sn_calloc(rows, (size_t)s->windows.size);
        w->all = sn_calloc(rows, (size_t)sn_scorer_tasks(s->scorer) * sizeof *w->all);
        w->score = sn_calloc(2 * rows, sizeof *w->score);
        w->logit = sn_calloc(2 * rows, sizeof *w->logit);
        if (!w->rows || !w->all || !w->score || !w->logit) return SEQNET_ENOMEM;
    }
    return 0;
}

static const char *strand_words(const struct sn_scanner *s) {
    if (s->strands == STRANDS_BETTER) return "the better strand";
    if (s->strands == STRANDS_FORWARD) return "forward strand";
    if (s->strands == STRANDS_REVERSE) return "reverse strand";
    return s->models[0]->arch->strand == SN_STRAND_MAX ? "maximum of both strands" : "mean of both strands";
}

static int write_texts(struct sn_scanner *s, const char *command) {
    const struct sn_windows *w = &s->windows;
    SN_TRY(sn_str_printf(&s->describe, "window %lld, stride %lld, %s, %d windows per call, %d per batch", (long long)w->size,
                         (long long)w->stride, strand_words(s), s->rows, s->batch));
    SN_TRY(sn_str_printf(&s->header, "# seqnet %s scan; model", SEQNET_VERSION));
    for (int i = 0; i < s->n_models; i++) {
        char digest[9];
        SN_TRY(sn_model_digest(s->models[i], digest));
        SN_TRY(sn_str_printf(&s->header, " %s %s%s", s->models[i]->arch->name, digest, i + 1 < s->n_models ? "," : ";"));
    }
    SN_TRY(sn_str_printf(&s->header, " task %s; window %lld; stride %lld; %s", s->models[0]->tasks[s->task], (long long)w->size,
                         (long long)w->stride, strand_words(s)));
    if (s->kind == SN_SCAN_SITES) {
        char value[32];
        if (isnan(s->logit))
            SN_TRY(sn_str_printf(&s->header, "; score >= %s", sn_format_f32(s->threshold, value)));
        else
            SN_TRY(sn_str_printf(&s->header, "; logit > %s", sn_format_f32(s->logit, value)));
    }
    SN_TRY(sn_str_puts(&s->header, "\n"));
    if (!command) return 0;
    SN_TRY(sn_str_puts(&s->header, "# command: "));
    for (const char *c = command; *c; c++) SN_TRY(sn_str_add(&s->header, (unsigned char)*c < 32 ? " " : c, 1));
    return sn_str_puts(&s->header, "\n");
}

static int copy_text(const char *from, char **to) {
    if (!from) return 0;
    *to = sn_strdup(from);
    return *to ? 0 : SEQNET_ENOMEM;
}

static int make_parts(struct sn_scanner *s, struct sn_model *const *models, const seqnet_scan_options *o) {
    s->models = sn_calloc((size_t)s->n_models, sizeof *s->models);
    if (!s->models) return SEQNET_ENOMEM;
    for (int i = 0; i < s->n_models; i++) s->models[i] = sn_model_ref(models[i]);
    s->alphabet = models[0]->arch->alphabet;
    if (o->region && o->regions_bed) return sn_error(SEQNET_EINVAL, "give a region or a file of regions, not both");
    SN_TRY(copy_text(o->region, &s->region));
    SN_TRY(copy_text(o->regions_bed, &s->regions_bed));
    SN_TRY(copy_text(o->output, &s->output));
    SN_TRY(choose_window(s, o));
    SN_TRY(choose_strands(s, o->strand));
    SN_TRY(choose_task(s, o->task));
    SN_TRY(choose_output(s, o));
    SN_TRY(make_workers(s));
    SN_TRY(choose_calls(s, o));
    return write_texts(s, o->command);
}

int sn_scanner_create(const struct sn_runtime *rt, struct sn_model *const *models, int n_models, const seqnet_scan_options *o,
                      struct sn_scanner **out) {
    *out = NULL;
    if (n_models < 1) return sn_error(SEQNET_EINVAL, "no model to scan with");
    struct sn_scanner *s = sn_calloc(1, sizeof *s);
    if (!s) return SEQNET_ENOMEM;
    s->rt = *rt;
    s->n_models = n_models;
    int rc = make_parts(s, models, o);
    if (rc < 0) {
        sn_scanner_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void sn_scanner_free(struct sn_scanner *s) {
    if (!s) return;
    for (int i = 0; s->workers && i < s->n_workers; i++) {
        free(s->workers[i].rows);
        free(s->workers[i].all);
        free(s->workers[i].score);
        free(s->workers[i].logit);
    }
    free(s->workers);
    sn_scorer_free(s->scorer);
    sn_scorer_free(s->single);
    for (int i = 0; s->models && i < s->n_models; i++) sn_model_unref(s->models[i]);
    free(s->models);
    free(s->region);
    free(s->regions_bed);
    free(s->output);
    sn_str_free(&s->header);
    sn_str_free(&s->describe);
    free(s);
}

/* ---- scoring a batch ---- */

struct job {
    struct sn_scanner *s;
    struct sn_scan_reader *reader;
    struct sn_scan_writer *writer;
    struct sn_scan_batch *to_write, *to_score, *to_read; /* to_write, to_read: NULL = nothing to do */
};

/* Logits and scores of the task for n rows of w->rows, from place `to` on. */
static int score_rows(struct sn_scanner *s, struct sn_scorer *scorer, int worker, int n, int to) {
    struct worker *w = &s->workers[worker];
    size_t tasks = (size_t)sn_scorer_tasks(scorer), task = (size_t)s->task;
    SN_TRY(sn_scorer_run(scorer, worker, n, w->rows, s->windows.size, NULL, w->all));
    for (size_t i = 0; i < (size_t)n; i++) w->logit[(size_t)to + i] = w->all[i * tasks + task];
    SN_TRY(sn_scorer_finish(scorer, n, w->all));
    for (size_t i = 0; i < (size_t)n; i++) w->score[(size_t)to + i] = w->all[i * tasks + task];
    return 0;
}

/* By what windows and strands are compared: logits, which tell apart what saturates; probabilities where classes compete. */
static float rank_of(const struct sn_scanner *s, const struct worker *w, int i) {
    return s->classes ? w->score[i] : w->logit[i];
}

static void reverse_rows(struct sn_scanner *s, struct worker *w, int n) {
    for (int i = 0; i < n; i++) sn_revcomp(s->alphabet, w->rows + i * s->windows.size, s->windows.size);
}

static bool all_unknown(const struct sn_alphabet *a, const uint8_t *codes, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!a->ambiguous[codes[i]]) return false;
    return true;
}

/* A window without any known base is never a site: its score tells of the model, not of the genome. */
static bool passes(const struct sn_scanner *s, const uint8_t *codes, float score, float logit) {
    bool high = isnan(s->logit) ? score >= s->threshold : logit > s->logit;
    return high && !all_unknown(s->alphabet, codes, s->windows.size);
}

/* The scores of windows [at, at + n) of the batch, whose codes are in w->rows. */
static int score_windows(struct sn_scanner *s, struct sn_scan_batch *b, int at, int n, int worker) {
    struct worker *w = &s->workers[worker];
    if (s->strands == STRANDS_REVERSE) reverse_rows(s, w, n);
    SN_TRY(score_rows(s, s->scorer, worker, n, 0));
    if (s->strands == STRANDS_BETTER) {
        reverse_rows(s, w, n);
        SN_TRY(score_rows(s, s->scorer, worker, n, n));
    }
    for (int i = 0; i < n; i++) {
        bool second = s->strands == STRANDS_BETTER && rank_of(s, w, n + i) > rank_of(s, w, i);
        int k = second ? n + i : i;
        if (!isfinite(w->score[k])) return sn_error(SEQNET_ENUM, "%s: the score of a window is not a finite number", label(s->models[0]));
        b->score[at + i] = w->score[k];
        b->rank[at + i] = rank_of(s, w, k);
        b->strand[at + i] = second || s->strands == STRANDS_REVERSE ? -1 : 1;
        b->passed[at + i] = s->kind == SN_SCAN_SITES && passes(s, b->codes + b->offset[at + i], w->score[k], w->logit[k]);
    }
    return 0;
}

/* The strand that a combined score mostly comes from. */
static int find_strand(struct sn_scanner *s, int worker, const uint8_t *codes, int8_t *strand) {
    struct worker *w = &s->workers[worker];
    for (int i = 0; i < 2; i++) memcpy(w->rows + i * s->windows.size, codes, (size_t)s->windows.size);
    sn_revcomp(s->alphabet, w->rows + s->windows.size, s->windows.size);
    SN_TRY(score_rows(s, s->single, worker, 2, 0));
    *strand = rank_of(s, w, 1) > rank_of(s, w, 0) ? -1 : 1;
    return 0;
}

static int score_tile(struct sn_scanner *s, struct sn_scan_batch *b, int at, int worker) {
    struct worker *w = &s->workers[worker];
    int n = b->n - at < s->rows ? b->n - at : s->rows;
    for (int i = 0; i < n; i++) memcpy(w->rows + i * s->windows.size, b->codes + b->offset[at + i], (size_t)s->windows.size);
    SN_TRY(score_windows(s, b, at, n, worker));
    for (int i = at; i < at + n && s->single; i++)
        if (b->passed[i]) SN_TRY(find_strand(s, worker, b->codes + b->offset[i], &b->strand[i]));
    return 0;
}

/* ---- the pipeline: while a batch is scored, the one before is written and the one after is read ---- */

static int run_tile(void *arg, int tile, int worker) {
    struct job *j = arg;
    if (tile == 0) return j->to_read ? sn_scan_reader_fill(j->reader, j->to_read) : 0;
    if (tile == 1) return j->to_write ? sn_scan_writer_batch(j->writer, j->to_write) : 0;
    if (worker == 0) SN_TRY(sn_check_cancel(j->s->rt.sink));
    return score_tile(j->s, j->to_score, (tile - 2) * j->s->rows, worker);
}

static void count_batch(struct sn_scanner *s, const struct sn_scan_batch *b, int64_t total) {
    s->result.contigs += b->contigs;
    s->result.short_contigs += b->short_contigs;
    s->result.windows += b->n;
    s->result.bases += b->bases;
    if (b->n) sn_progress(s->rt.sink, "scan", s->result.bases, total, "bases", b->pieces[b->n_pieces - 1].name);
}

static int run_batches(struct sn_scanner *s, struct sn_scan_reader *reader, struct sn_scan_writer *writer, struct sn_scan_batch *batches) {
    struct job j = {.s = s, .reader = reader, .writer = writer, .to_read = &batches[0]};
    int64_t total = sn_scan_reader_total(reader);
    int rc = sn_scan_reader_fill(reader, j.to_read);
    if (rc == 0 && j.to_read->n == 0) return sn_error(SEQNET_EDATA, "the genome has no bases");
    for (int turn = 0; rc == 0 && (j.to_read || j.to_write); turn++) {
        /* what was read is scored now, what was scored is written */
        struct sn_scan_batch *read = j.to_read;
        j.to_score = read && read->n ? read : NULL;
        j.to_read = j.to_score ? &batches[(turn + 1) % 3] : NULL;
        SN_TRY(sn_check_cancel(s->rt.sink));
        int tiles = 2 + (j.to_score ? (j.to_score->n + s->rows - 1) / s->rows : 0);
        rc = sn_pool_run(s->rt.pool, tiles, s->n_workers, run_tile, &j);
        if (rc == 0 && read) count_batch(s, read, total);
        j.to_write = j.to_score;
    }
    return rc;
}

static void warn(const struct sn_scanner *s) {
    for (int i = 0; i < s->n_models; i++)
        if (s->models[i]->shuffled_negatives)
            sn_log(s->rt.sink, SN_LOG_WARN,
                   "%s was trained against shuffled sequences: its scores on a genome come out too high; train it with genomic negatives",
                   label(s->models[i]));
}

int sn_scanner_run(struct sn_scanner *s, const char *genome) {
    struct sn_scan_reader *reader = NULL;
    struct sn_scan_writer writer = {0};
    struct sn_scan_batch batches[3] = {{0}};
    struct sn_scan_writer_options wo = {.windows = s->windows, .kind = s->kind, .header = s->header.s};
    double begin = sn_time_wall();
    bool open = false;
    int rc = 0;
    s->result = (seqnet_scan_result){.size = sizeof s->result,
                                     .threshold = isnan(s->logit) ? s->threshold : finished(s, s->logit),
                                     .expected_false_per_mb = s->false_per_mb};
    SN_GO(sn_scan_reader_open(genome, s->alphabet, &s->windows, s->region, s->regions_bed, &reader));
    SN_GO(sn_scan_writer_open(&writer, &wo, s->output));
    open = true;
    for (int i = 0; i < 3; i++) SN_GO(sn_scan_batch_create(&s->windows, s->batch, BATCH_BYTES, &batches[i]));
    warn(s);
    SN_GO(run_batches(s, reader, &writer, batches));
    open = false;
    SN_GO(sn_scan_writer_commit(&writer));
    s->result.bases = writer.bases;
    s->result.sites = writer.sites;
    s->result.seconds = sn_time_wall() - begin;
done:
    if (open) sn_scan_writer_abort(&writer);
    for (int i = 0; i < 3; i++) sn_scan_batch_free(&batches[i]);
    sn_scan_reader_close(reader);
    return rc < 0 ? rc : 0;
}

void sn_scanner_result(const struct sn_scanner *s, seqnet_scan_result *out) {
    *out = s->result;
}

const char *sn_scanner_describe(const struct sn_scanner *s) {
    return s->describe.s;
}
