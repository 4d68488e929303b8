/* A data set into a folder of arrays and tables. First all sequences are explained, into explain.work; then each task's files are written
 * from there, so that a run that went on after an interruption writes the same bytes. Every file appears complete or not at all. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"
#include "explain/work.h"
#include "seqnet/version.h"

#define BLOCK_BYTES ((int64_t)16 << 20) /* contributions computed before they are kept */
#define MAX_BLOCK 1024
#define BLOCK_SECONDS 1.0 /* about so long a block takes: what an interruption may cost */
#define WORK "explain.work"
#define TRACK "contributions.bedgraph"

struct folder {
    struct sn_explainer *e;
    const struct sn_dataset *d;
    const char *name;
    bool made; /* by us: removed again when we fail */
    int64_t longest;
    struct sn_work *work;
    struct sn_explained *x;
};

/* The files of a task. */
struct files {
    struct folder *f;
    int task;
    const char *folder;
    struct sn_npz *one_hot, *hypothetical, *contributions;
    struct sn_outfile *table, *sequences, *track, *run;
    float *hyp, *act, *one, *contribution; /* of a sequence */
    double worst;                          /* residual */
    int64_t missed;
};

/* ---- names ---- */

static bool taken(const struct sn_explained *x, int n, const char *path, const char *top) {
    static const char *const ours[] = {"logos", "filters.meme", "filters.tsv", WORK, NULL};
    for (int i = 0; ours[i]; i++)
        if (strcmp(path + strlen(top) + 1, ours[i]) == 0) return true;
    for (int t = 0; t < n; t++)
        if (strcmp(x->tasks[t].folder, path) == 0) return true;
    return false;
}

/* One task: the folder itself. Several: one within each, named after the task. */
static int name_folders(struct folder *f) {
    struct sn_explained *x = f->x;
    x->n_tasks = f->e->n_tasks;
    if (!(x->tasks = sn_calloc((size_t)x->n_tasks, sizeof *x->tasks))) return SEQNET_ENOMEM;
    for (int t = 0; t < x->n_tasks; t++) {
        struct sn_str path = {0};
        int rc = sn_str_puts(&path, f->name);
        if (rc == 0 && x->n_tasks > 1) rc = sn_str_puts(&path, "/");
        if (rc == 0 && x->n_tasks > 1) rc = sn_file_word(&path, f->e->tasks[t].name, SN_TASK_WORD);
        if (rc == 0 && x->n_tasks > 1 && taken(x, t, path.s, f->name)) rc = sn_str_printf(&path, "_%d", t + 1);
        x->tasks[t].folder = path.s;
        SN_TRY(rc);
        x->tasks[t].output = sn_calloc((size_t)f->d->n, sizeof(float));
        x->tasks[t].expected = sn_calloc((size_t)f->d->n, sizeof(float));
        x->tasks[t].residual = sn_calloc((size_t)f->d->n, sizeof(float));
        if (!x->tasks[t].output || !x->tasks[t].expected || !x->tasks[t].residual) return SEQNET_ENOMEM;
    }
    return 0;
}

void sn_explained_free(struct sn_explained *x) {
    for (int t = 0; x->tasks && t < x->n_tasks; t++) {
        free(x->tasks[t].folder);
        free(x->tasks[t].output);
        free(x->tasks[t].expected);
        free(x->tasks[t].residual);
    }
    free(x->tasks);
    *x = (struct sn_explained){0};
}

void sn_explained_remove(const char *folder) {
    static const char *const files[] = {
        "one_hot.npz", "hypothetical.npz", "contributions.npz", "contributions.tsv", "sequences.tsv", TRACK, "run.tsv", NULL};
    for (int i = 0; files[i]; i++) sn_remove_files(folder, files[i], files[i]);
}

/* ---- files ---- */

static int join(const char *folder, const char *file, struct sn_str *path) {
    path->n = 0;
    return sn_str_printf(path, "%s/%s", folder, file);
}

static int open_array(const struct files *f, const char *file, struct sn_npz **out) {
    struct sn_str path = {0};
    int rc = join(f->folder, file, &path);
    if (rc == 0) rc = sn_npz_open(path.s, f->f->d->n, f->f->e->channels, f->f->longest, out);
    sn_str_free(&path);
    return rc;
}

static int open_files(struct files *f) {
    const struct sn_dataset *d = f->f->d;
    const struct sn_alphabet *a = f->f->e->alphabet;
    size_t bases = (size_t)f->f->longest, channels = (size_t)f->f->e->channels;
    f->hyp = sn_calloc(bases, channels * sizeof *f->hyp);
    f->act = sn_calloc(bases, channels * sizeof *f->act);
    f->one = sn_calloc(bases, channels * sizeof *f->one);
    f->contribution = sn_calloc(bases, sizeof *f->contribution);
    if (!f->hyp || !f->act || !f->one || !f->contribution) return SEQNET_ENOMEM;
    SN_TRY(sn_make_dir(f->folder));
    SN_TRY(open_array(f, "one_hot.npz", &f->one_hot));
    SN_TRY(open_array(f, "hypothetical.npz", &f->hypothetical));
    SN_TRY(open_array(f, "contributions.npz", &f->contributions));
    SN_TRY(sn_outfile_open_in(f->folder, "contributions.tsv", &f->table));
    SN_TRY(sn_outfile_open_in(f->folder, "sequences.tsv", &f->sequences));
    SN_TRY(sn_outfile_open_in(f->folder, "run.tsv", &f->run));
    if (d->at) SN_TRY(sn_outfile_open_in(f->folder, TRACK, &f->track));
    SN_TRY(sn_outfile_printf(f->table, "sequence\tposition\tbase\tcontribution"));
    for (const char *c = a->letters; *c; c++) SN_TRY(sn_outfile_printf(f->table, "\thypothetical_%c", *c));
    SN_TRY(sn_outfile_printf(f->table, "\n"));
    return sn_outfile_printf(f->sequences, "sequence\t%slength\toutput\texpected\tdifference\tresidual\tonly_arrangement\n",
                             d->at ? "chrom\tstart\tend\tstrand\t" : "");
}

static int commit_text(struct sn_outfile **f) {
    struct sn_outfile *it = *f;
    *f = NULL;
    return it ? sn_outfile_commit(it) : 0;
}

static int commit_array(struct sn_npz **z) {
    struct sn_npz *it = *z;
    *z = NULL;
    return sn_npz_commit(it);
}

static int commit_tables(struct files *f) {
    SN_TRY(commit_array(&f->one_hot));
    SN_TRY(commit_array(&f->hypothetical));
    SN_TRY(commit_array(&f->contributions));
    SN_TRY(commit_text(&f->table));
    return commit_text(&f->sequences);
}

static void close_files(struct files *f) {
    sn_npz_abort(f->one_hot);
    sn_npz_abort(f->hypothetical);
    sn_npz_abort(f->contributions);
    sn_outfile_abort(f->table);
    sn_outfile_abort(f->sequences);
    sn_outfile_abort(f->track);
    sn_outfile_abort(f->run);
    free(f->hyp);
    free(f->act);
    free(f->one);
    free(f->contribution);
}

/* ---- tables ---- */

/* A name as one cell of a table. */
static int write_name(struct sn_outfile *f, const char *s) {
    for (; *s; s++) {
        char c = (unsigned char)*s < 32 ? '_' : *s;
        SN_TRY(sn_outfile_write(f, &c, 1));
    }
    return 0;
}

/* NA where a method has no such number. */
static int write_number(struct sn_outfile *f, double v) {
    char text[40] = "\t";
    if (isnan(v)) return sn_outfile_write(f, "\tNA", 3);
    sn_format_f32((float)v, text + 1);
    return sn_outfile_write(f, text, strlen(text));
}

static int write_bases(struct files *f, int64_t i) {
    const struct sn_dataset *d = f->f->d;
    const struct sn_alphabet *a = f->f->e->alphabet;
    int channels = f->f->e->channels;
    for (int64_t p = 0; p < sn_dataset_len(d, i); p++) {
        uint8_t code = d->codes[d->offset[i] + p];
        SN_TRY(write_name(f->table, d->names[i]));
        SN_TRY(sn_outfile_printf(f->table, "\t%" PRId64 "\t%c", p, code == SN_CODE_OUTSIDE ? '-' : a->decode[code]));
        SN_TRY(write_number(f->table, (double)f->contribution[p]));
        for (int k = 0; k < channels; k++) SN_TRY(write_number(f->table, (double)f->hyp[p * channels + k]));
        SN_TRY(sn_outfile_write(f->table, "\n", 1));
    }
    return 0;
}

static int write_sequence(struct files *f, int64_t i, const seqnet_explanation *x) {
    const struct sn_dataset *d = f->f->d;
    SN_TRY(write_name(f->sequences, d->names[i]));
    if (d->at && d->at[i].chrom >= 0) {
        const struct sn_interval *at = &d->at[i];
        SN_TRY(sn_outfile_printf(f->sequences, "\t%s\t%" PRId64 "\t%" PRId64 "\t%c", d->chroms[at->chrom], at->start, at->end,
                                 at->strand > 0   ? '+'
                                 : at->strand < 0 ? '-'
                                                  : '.'));
    } else if (d->at) {
        SN_TRY(sn_outfile_printf(f->sequences, "\t.\t.\t.\t."));
    }
    SN_TRY(sn_outfile_printf(f->sequences, "\t%" PRId64, sn_dataset_len(d, i)));
    SN_TRY(write_number(f->sequences, x->output));
    SN_TRY(write_number(f->sequences, x->expected));
    SN_TRY(write_number(f->sequences, x->output - x->expected));
    SN_TRY(write_number(f->sequences, x->residual));
    return sn_outfile_printf(f->sequences, "\t%d\n", x->only_arrangement);
}

static const char *reference_words(const struct sn_explainer *e, char buf[64]) {
    if (e->kind == SN_REF_NONE) return "none";
    if (e->kind == SN_REF_DINUCLEOTIDE) {
        snprintf(buf, 64, "%d dinucleotide shuffles", e->n_refs);
        return buf;
    }
    return e->references;
}

/* What was done, as key and value. */
static int write_run(struct files *f) {
    const struct sn_explainer *e = f->f->e;
    char digest[9], words[64], residual[32];
    SN_TRY(sn_outfile_printf(f->run, "key\tvalue\nversion\t%s\n", SEQNET_VERSION));
    for (int i = 0; i < e->n_models; i++) {
        SN_TRY(sn_model_digest(e->models[i], digest));
        SN_TRY(sn_outfile_printf(f->run, "model\t%s %s\n", e->models[i]->arch->name, digest));
    }
    if (e->command) {
        SN_TRY(sn_outfile_printf(f->run, "command\t"));
        SN_TRY(write_name(f->run, e->command));
        SN_TRY(sn_outfile_printf(f->run, "\n"));
    }
    SN_TRY(sn_outfile_printf(f->run, "method\t%s%s%s\nreferences\t%s\nseed\t%" PRIu64 "\n", sn_explain_method(e),
                             e->method == SN_METHOD_DEEPLIFT ? " " : "", e->method == SN_METHOD_DEEPLIFT ? sn_rule_words[e->rule] : "",
                             reference_words(e, words), e->seed));
    SN_TRY(sn_outfile_printf(f->run, "task\t%s\ntarget\t%s\nsequences\t%" PRId64 "\n", e->tasks[f->task].name,
                             e->probability ? "probability" : "logit", f->f->d->n));
    if (!sn_explain_sums(e)) return 0;
    return sn_outfile_printf(f->run, "worst_residual\t%s\nabove_warning\t%" PRId64 "\n", sn_format_f32((float)f->worst, residual),
                             f->missed);
}

/* ---- a task ---- */

/* Letters as 1, all else 0. */
static void one_hot(const struct sn_explainer *e, const uint8_t *codes, int64_t len, float *out) {
    const sn_real *lut = e->models[0]->arch->lut;
    for (int64_t p = 0; p < len; p++)
        for (int k = 0; k < e->channels; k++)
            out[p * e->channels + k] = !e->alphabet->ambiguous[codes[p]] && lut[codes[p] * e->channels + k] > 0 ? 1 : 0;
}

static void sum_channels(const float *act, int64_t len, int channels, float *out) {
    for (int64_t p = 0; p < len; p++) {
        double sum = 0;
        for (int k = 0; k < channels; k++) sum += (double)act[p * channels + k];
        out[p] = (float)sum;
    }
}

static int write_one(struct files *f, int64_t i) {
    const struct sn_dataset *d = f->f->d;
    const struct sn_explainer *e = f->f->e;
    int64_t len = sn_dataset_len(d, i);
    seqnet_explanation x;
    SN_TRY(sn_work_get(f->f->work, i, f->task, &x, f->hyp, f->act));
    one_hot(e, d->codes + d->offset[i], len, f->one);
    sum_channels(f->act, len, e->channels, f->contribution);
    f->f->x->tasks[f->task].output[i] = (float)x.output;
    f->f->x->tasks[f->task].expected[i] = (float)x.expected;
    f->f->x->tasks[f->task].residual[i] = (float)x.residual;
    if (x.residual > f->worst) f->worst = x.residual;
    f->missed += x.missed;
    SN_TRY(sn_npz_add(f->one_hot, f->one, len));
    SN_TRY(sn_npz_add(f->hypothetical, f->hyp, len));
    SN_TRY(sn_npz_add(f->contributions, f->act, len));
    SN_TRY(write_bases(f, i));
    return write_sequence(f, i, &x);
}

static int fetch(void *self, int64_t i, float *c) {
    struct files *f = self;
    seqnet_explanation x;
    SN_TRY(sn_work_get(f->f->work, i, f->task, &x, f->hyp, f->act));
    sum_channels(f->act, sn_dataset_len(f->f->d, i), f->f->e->channels, c);
    return 0;
}

static int write_all(struct files *f) {
    const struct folder *o = f->f;
    SN_TRY(open_files(f));
    for (int64_t i = 0; i < o->d->n; i++) {
        if (i % 256 == 0) SN_TRY(sn_check_cancel(o->e->rt.sink));
        SN_TRY(write_one(f, i));
        sn_progress(o->e->rt.sink, "write", f->task * o->d->n + i + 1, o->e->n_tasks * o->d->n, "sequences", "");
    }
    if (f->track) SN_TRY(sn_track_write(o->d, fetch, f, f->track));
    SN_TRY(write_run(f));
    SN_TRY(commit_tables(f));
    if (!f->track) sn_remove_files(f->folder, TRACK, TRACK); /* of an earlier run */
    SN_TRY(commit_text(&f->track));
    return commit_text(&f->run);
}

static int write_task(struct folder *f, int task) {
    struct files t = {.f = f, .task = task, .folder = f->x->tasks[task].folder};
    struct stat st;
    bool made = stat(t.folder, &st) != 0;
    int rc = write_all(&t);
    close_files(&t);
    if (rc < 0 && made) rmdir(t.folder); /* when it is empty */
    seqnet_explain_result *r = &f->e->result;
    if (t.worst > r->worst_residual) r->worst_residual = t.worst;
    r->above_warning += t.missed;
    return rc;
}

/* ---- explaining, block by block ---- */

#define BLOCK_SHARE 16 /* of the memory that is allowed a block takes so much at most */

static int64_t block_bytes(const struct sn_explainer *e) {
    int64_t most = e->budget ? (int64_t)(e->budget / BLOCK_SHARE) : BLOCK_BYTES;
    return most < BLOCK_BYTES ? most : BLOCK_BYTES;
}

struct block {
    int n, cap;
    int64_t row; /* positions */
    uint8_t *codes;
    int32_t *len;
    int64_t *index;
    float *hyp, *act;
    seqnet_explanation *out;
};

static int make_block(const struct folder *f, struct block *b) {
    int64_t tasks = f->e->n_tasks, row_bytes = tasks * f->longest * f->e->channels * (int64_t)sizeof(float),
            cap = block_bytes(f->e) / (2 * row_bytes);
    if (cap > MAX_BLOCK) cap = MAX_BLOCK;
    if (cap > f->d->n) cap = f->d->n;
    if (cap < f->e->busy) cap = f->e->busy;
    b->cap = (int)cap;
    b->row = f->longest;
    size_t n = (size_t)cap, floats = (size_t)(tasks * f->longest * f->e->channels);
    b->codes = sn_calloc(n, (size_t)b->row);
    b->len = sn_calloc(n, sizeof *b->len);
    b->index = sn_calloc(n, sizeof *b->index);
    b->hyp = sn_calloc(n, floats * sizeof *b->hyp);
    b->act = sn_calloc(n, floats * sizeof *b->act);
    b->out = sn_calloc(n * (size_t)tasks, sizeof *b->out);
    return b->codes && b->len && b->index && b->hyp && b->act && b->out ? 0 : SEQNET_ENOMEM;
}

static void free_block(struct block *b) {
    free(b->codes);
    free(b->len);
    free(b->index);
    free(b->hyp);
    free(b->act);
    free(b->out);
}

static int run_block(struct folder *f, struct block *b, int64_t first) {
    const struct sn_dataset *d = f->d;
    int64_t row = b->row * f->e->channels;
    int tasks = f->e->n_tasks;
    for (int i = 0; i < b->n; i++) {
        b->len[i] = (int32_t)sn_dataset_len(d, first + i);
        b->index[i] = first + i;
        memcpy(b->codes + i * b->row, d->codes + d->offset[first + i], (size_t)b->len[i]);
    }
    SN_TRY(sn_explainer_run(f->e, b->n, b->codes, b->row, b->len, b->index, b->hyp, b->act, b->out));
    for (int i = 0; i < b->n; i++)
        SN_TRY(sn_work_add(f->work, b->out + i * tasks, b->hyp + i * tasks * row, b->act + i * tasks * row, row));
    return 0;
}

/* So many sequences next that they take about BLOCK_SECONDS; how they are grouped does not change a bit. */
static int next_size(const struct folder *f, const struct block *b, double seconds) {
    int least = f->e->busy * (f->e->max_x > 0 ? f->e->max_x : 1);
    double n = seconds > 0 ? b->n * BLOCK_SECONDS / seconds : b->cap;
    if (n > 4.0 * b->n) n = 4.0 * b->n;
    if (n < least) n = least;
    return n > b->cap ? b->cap : (int)n;
}

static int run_blocks(struct folder *f) {
    const struct sn_dataset *d = f->d;
    struct block b = {0};
    int rc = make_block(f, &b);
    int64_t resumed = sn_work_done(f->work);
    int next = 0;
    if (rc == 0) next = next_size(f, &b, 1e9);
    for (int64_t first = resumed; rc == 0 && first < d->n; first += b.n) {
        double begin = sn_time_wall();
        b.n = d->n - first < next ? (int)(d->n - first) : next;
        rc = run_block(f, &b, first);
        next = next_size(f, &b, sn_time_wall() - begin);
        if (rc == 0) sn_progress(f->e->rt.sink, "explain", first + b.n - resumed, d->n - resumed, "sequences", "");
    }
    free_block(&b);
    return rc;
}

/* ---- all of it ---- */

static void warn(const struct folder *f) {
    const struct sn_explainer *e = f->e;
    char worst[32];
    if (e->result.above_warning > 0)
        sn_log(e->rt.sink, SN_LOG_WARN,
               "the contributions of %lld of %lld sequences miss the difference in output by more than %s; the worst by %s of their "
               "absolute sum",
               (long long)e->result.above_warning, (long long)e->result.sequences * e->n_tasks,
               e->method == SN_METHOD_PATH ? "1e-3 of it after 1024 steps" : "1e-4 of their absolute sum",
               sn_format_f32((float)e->result.worst_residual, worst));
}

static bool has_letter(const struct sn_explainer *e, const struct sn_dataset *d, int64_t i) {
    for (int64_t p = d->offset[i]; p < d->offset[i + 1]; p++)
        if (!e->alphabet->ambiguous[d->codes[p]]) return true;
    return false;
}

/* Memory that workers cannot have: sequences, a block of contributions, a task's results. */
static void hold(struct sn_explainer *e, const struct sn_dataset *d) {
    size_t held = sn_dataset_bytes(d) + (size_t)d->n * (size_t)e->n_tasks * 3 * sizeof(float);
    if (e->budget) held += (size_t)block_bytes(e);
    if (held != e->held) sn_explain_unplan(e); /* it was made for another share */
    e->held = held;
}

/* Sequences are checked before anything is computed. */
static int check_sequences(struct folder *f) {
    const struct sn_dataset *d = f->d;
    const struct sn_explainer *e = f->e;
    const struct sn_arch *a = e->models[0]->arch;
    if (d->alphabet != e->alphabet)
        return sn_error(SEQNET_EDATA, "the sequences are %s, %s reads %s", d->alphabet->name, sn_explain_label(e->models[0]),
                        e->alphabet->name);
    if (d->n < 1) return sn_error(SEQNET_EDATA, "there are no sequences to explain");
    f->longest = sn_dataset_longest(d);
    for (int64_t i = 0; i < d->n; i++) {
        int64_t len = sn_dataset_len(d, i);
        if (a->length > 0 && len > a->length)
            return sn_error(SEQNET_EDATA, "%s: %lld positions, %s takes at most %lld", d->names[i], (long long)len,
                            sn_explain_label(e->models[0]), (long long)a->length);
        if (!has_letter(e, d, i)) return sn_error(SEQNET_EDATA, "%s: has no known letter: nothing can be explained", d->names[i]);
        if (e->kind == SN_REF_FILE && len != e->ref_len)
            return sn_error(SEQNET_EDATA, "%s: %lld positions, the references in %s have %lld", d->names[i], (long long)len, e->references,
                            (long long)e->ref_len);
    }
    hold(f->e, d);
    return sn_explain_plan(f->e, a->length > 0 ? a->length : f->longest);
}

static int find_key(const struct folder *f, struct sn_work_key *key) {
    const struct sn_dataset *d = f->d;
    char digest[9];
    *key = (struct sn_work_key){0};
    for (int m = 0; m < f->e->n_models; m++) {
        SN_TRY(sn_model_digest(f->e->models[m], digest));
        key->models = sn_crc32c(key->models, digest, 8);
    }
    key->options = sn_crc32c(0, f->e->options.s, f->e->options.n);
    key->input = sn_dataset_digest(d);
    for (int64_t i = 0; i < d->n; i++) {
        key->input = sn_crc32c(key->input, d->names[i], strlen(d->names[i]) + 1);
        if (!d->at) continue;
        const struct sn_interval *at = &d->at[i];
        const char *chrom = at->chrom >= 0 ? d->chroms[at->chrom] : "";
        int64_t place[3] = {at->start, at->end, at->strand};
        key->input = sn_crc32c(key->input, chrom, strlen(chrom) + 1);
        key->input = sn_crc32c(key->input, place, sizeof place);
    }
    return 0;
}

static int open_work(struct folder *f) {
    struct sn_str path = {0};
    struct sn_work_key key;
    struct stat st;
    SN_TRY(find_key(f, &key));
    f->made = stat(f->name, &st) != 0;
    SN_TRY(sn_make_dir(f->name));
    int rc = join(f->name, WORK, &path);
    if (rc == 0) rc = sn_work_open(path.s, f->d, f->e->n_tasks, f->e->channels, &key, f->e->resume, &f->work);
    sn_str_free(&path);
    return rc;
}

static int explain_folder(struct folder *f) {
    struct sn_explainer *e = f->e;
    SN_TRY(check_sequences(f));
    SN_TRY(name_folders(f));
    SN_TRY(open_work(f));
    int64_t resumed = sn_work_done(f->work);
    if (resumed > 0) sn_log(e->rt.sink, SN_LOG_INFO, "%lld of %lld sequences are there already", (long long)resumed, (long long)f->d->n);
    SN_TRY(run_blocks(f));
    e->result = (seqnet_explain_result){.size = sizeof e->result,
                                        .sequences = f->d->n,
                                        .seconds = e->result.seconds,
                                        .tasks = e->n_tasks,
                                        .sums = sn_explain_sums(e),
                                        .resumed = resumed};
    for (int t = 0; t < e->n_tasks; t++) SN_TRY(write_task(f, t));
    return 0;
}

/* What is finished stays for --resume when there is any. */
static void end(struct folder *f, int rc) {
    int64_t done = f->work ? sn_work_done(f->work) : 0;
    bool keep = rc < 0 && done > 0;
    if (keep)
        sn_log(f->e->rt.sink, SN_LOG_INFO, "%lld of %lld sequences are kept in %s/%s: --resume goes on from there", (long long)done,
               (long long)f->d->n, f->name, WORK);
    sn_work_close(f->work, !keep);
    if (rc < 0 && f->made) rmdir(f->name); /* when it is empty */
}

int sn_explainer_folder(struct sn_explainer *e, const struct sn_dataset *d, const char *folder, struct sn_explained *out) {
    struct folder f = {.e = e, .d = d, .name = folder, .x = out};
    *out = (struct sn_explained){0};
    e->result = (seqnet_explain_result){.size = sizeof e->result};
    int rc = explain_folder(&f);
    end(&f, rc);
    sn_explain_unplan(e); /* patterns may need the memory */
    if (rc == 0)
        warn(&f);
    else
        sn_explained_free(out);
    return rc;
}
