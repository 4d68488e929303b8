/* A data set into a folder of arrays and tables. Every file appears complete or not at all. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"
#include "explain/parts.h"
#include "seqnet/version.h"

#define BLOCK_BYTES ((int64_t)16 << 20) /* contributions computed before they are written */
#define MAX_BLOCK 1024

struct folder {
    struct sn_explainer *e;
    const struct sn_dataset *d;
    const char *name;
    bool made; /* by us: removed again when we fail */
    int64_t longest;
    struct sn_npz *one_hot, *hypothetical, *contributions;
    struct sn_outfile *table, *sequences, *track, *run;
    struct sn_explained *x;
};

/* ---- files ---- */

static int join(const struct folder *f, const char *file, struct sn_str *path) {
    path->n = 0;
    return sn_str_printf(path, "%s/%s", f->name, file);
}

static int open_text(const struct folder *f, const char *file, struct sn_outfile **out) {
    struct sn_str path = {0};
    int rc = join(f, file, &path);
    if (rc == 0) rc = sn_outfile_open(path.s, out);
    sn_str_free(&path);
    return rc;
}

static int open_array(const struct folder *f, const char *file, struct sn_npz **out) {
    struct sn_str path = {0};
    int rc = join(f, file, &path);
    if (rc == 0) rc = sn_npz_open(path.s, f->d->n, f->e->channels, f->longest, out);
    sn_str_free(&path);
    return rc;
}

static int make_folder(struct folder *f) {
    struct stat st;
    f->made = stat(f->name, &st) != 0;
    return sn_make_dir(f->name);
}

static int open_files(struct folder *f) {
    const struct sn_alphabet *a = f->e->alphabet;
    SN_TRY(make_folder(f));
    SN_TRY(open_array(f, "one_hot.npz", &f->one_hot));
    SN_TRY(open_array(f, "hypothetical.npz", &f->hypothetical));
    SN_TRY(open_array(f, "contributions.npz", &f->contributions));
    SN_TRY(open_text(f, "contributions.tsv", &f->table));
    SN_TRY(open_text(f, "sequences.tsv", &f->sequences));
    SN_TRY(open_text(f, "run.tsv", &f->run));
    if (f->d->at) SN_TRY(open_text(f, "contributions.bedgraph", &f->track));
    SN_TRY(sn_outfile_printf(f->table, "sequence\tposition\tbase\tcontribution"));
    for (const char *c = a->letters; *c; c++) SN_TRY(sn_outfile_printf(f->table, "\thypothetical_%c", *c));
    SN_TRY(sn_outfile_printf(f->table, "\n"));
    return sn_outfile_printf(f->sequences, "sequence\t%slength\toutput\texpected\tdifference\tresidual\tonly_arrangement\n",
                             f->d->at ? "chrom\tstart\tend\tstrand\t" : "");
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

static int commit_files(struct folder *f) {
    SN_TRY(commit_array(&f->one_hot));
    SN_TRY(commit_array(&f->hypothetical));
    SN_TRY(commit_array(&f->contributions));
    SN_TRY(commit_text(&f->table));
    SN_TRY(commit_text(&f->sequences));
    SN_TRY(commit_text(&f->track));
    return commit_text(&f->run);
}

static void give_up(struct folder *f) {
    sn_npz_abort(f->one_hot);
    sn_npz_abort(f->hypothetical);
    sn_npz_abort(f->contributions);
    sn_outfile_abort(f->table);
    sn_outfile_abort(f->sequences);
    sn_outfile_abort(f->track);
    sn_outfile_abort(f->run);
    if (f->made) rmdir(f->name); /* when it is empty */
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

static int write_number(struct sn_outfile *f, double v) {
    char text[40] = "\t";
    sn_format_f32((float)v, text + 1);
    return sn_outfile_write(f, text, strlen(text));
}

static int write_bases(struct folder *f, int64_t i, const float *hyp) {
    const struct sn_dataset *d = f->d;
    const struct sn_alphabet *a = f->e->alphabet;
    int channels = f->e->channels;
    for (int64_t p = 0; p < sn_dataset_len(d, i); p++) {
        uint8_t code = d->codes[d->offset[i] + p];
        SN_TRY(write_name(f->table, d->names[i]));
        SN_TRY(sn_outfile_printf(f->table, "\t%" PRId64 "\t%c", p, code == SN_CODE_OUTSIDE ? '-' : a->decode[code]));
        SN_TRY(write_number(f->table, (double)f->x->contribution[d->offset[i] + p]));
        for (int k = 0; k < channels; k++) SN_TRY(write_number(f->table, (double)hyp[p * channels + k]));
        SN_TRY(sn_outfile_write(f->table, "\n", 1));
    }
    return 0;
}

static int write_sequence(struct folder *f, int64_t i, const seqnet_explanation *x) {
    const struct sn_dataset *d = f->d;
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
    if (e->kind == SN_REF_DINUCLEOTIDE) {
        snprintf(buf, 64, "%d dinucleotide shuffles", e->n_refs);
        return buf;
    }
    return e->references;
}

/* What was done, as key and value. */
static int write_run(struct folder *f) {
    const struct sn_explainer *e = f->e;
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
    SN_TRY(sn_outfile_printf(f->run, "method\tdeeplift %s\nreferences\t%s\nseed\t%" PRIu64 "\n", sn_rule_words[e->rule],
                             reference_words(e, words), e->seed));
    SN_TRY(sn_outfile_printf(f->run, "task\t%s\ntarget\t%s\n", e->models[0]->tasks[e->first_task + e->task],
                             e->probability ? "probability" : "logit"));
    return sn_outfile_printf(f->run, "sequences\t%" PRId64 "\nworst_residual\t%s\nabove_warning\t%" PRId64 "\n", e->result.sequences,
                             sn_format_f32((float)e->result.worst_residual, residual), e->result.above_warning);
}

/* ---- contributions, block by block ---- */

struct block {
    int n, cap;
    int64_t row; /* positions */
    uint8_t *codes;
    int32_t *len;
    int64_t *index;
    float *hyp, *act, *one;
    seqnet_explanation *out;
};

static int make_block(const struct folder *f, struct block *b) {
    int64_t row_bytes = f->longest * f->e->channels * (int64_t)sizeof(float), cap = BLOCK_BYTES / row_bytes;
    if (cap > MAX_BLOCK) cap = MAX_BLOCK;
    if (cap > f->d->n) cap = f->d->n;
    if (cap < f->e->n_workers) cap = f->e->n_workers;
    b->cap = (int)cap;
    b->row = f->longest;
    size_t n = (size_t)cap, floats = (size_t)(f->longest * f->e->channels);
    b->codes = sn_calloc(n, (size_t)b->row);
    b->len = sn_calloc(n, sizeof *b->len);
    b->index = sn_calloc(n, sizeof *b->index);
    b->hyp = sn_calloc(n, floats * sizeof *b->hyp);
    b->act = sn_calloc(n, floats * sizeof *b->act);
    b->one = sn_calloc(floats, sizeof *b->one);
    b->out = sn_calloc(n, sizeof *b->out);
    return b->codes && b->len && b->index && b->hyp && b->act && b->one && b->out ? 0 : SEQNET_ENOMEM;
}

static void free_block(struct block *b) {
    free(b->codes);
    free(b->len);
    free(b->index);
    free(b->hyp);
    free(b->act);
    free(b->one);
    free(b->out);
}

/* Letters as 1, all else 0. */
static void one_hot(const struct sn_explainer *e, const uint8_t *codes, int64_t len, float *out) {
    const sn_real *lut = e->models[0]->arch->lut;
    for (int64_t p = 0; p < len; p++)
        for (int k = 0; k < e->channels; k++)
            out[p * e->channels + k] = !e->alphabet->ambiguous[codes[p]] && lut[codes[p] * e->channels + k] > 0 ? 1 : 0;
}

static int write_block(struct folder *f, struct block *b, int64_t first) {
    const struct sn_dataset *d = f->d;
    int64_t channels = f->e->channels;
    for (int i = 0; i < b->n; i++) {
        const float *hyp = b->hyp + i * b->row * channels, *act = b->act + i * b->row * channels;
        int64_t s = first + i, len = b->len[i];
        one_hot(f->e, b->codes + i * b->row, len, b->one);
        for (int64_t p = 0; p < len; p++) {
            double sum = 0;
            for (int k = 0; k < channels; k++) sum += (double)act[p * channels + k];
            f->x->contribution[d->offset[s] + p] = (float)sum;
        }
        f->x->output[s] = (float)b->out[i].output;
        f->x->expected[s] = (float)b->out[i].expected;
        SN_TRY(sn_npz_add(f->one_hot, b->one, len));
        SN_TRY(sn_npz_add(f->hypothetical, hyp, len));
        SN_TRY(sn_npz_add(f->contributions, act, len));
        SN_TRY(write_bases(f, s, hyp));
        SN_TRY(write_sequence(f, s, &b->out[i]));
    }
    return 0;
}

static int run_blocks(struct folder *f) {
    const struct sn_dataset *d = f->d;
    struct block b = {0};
    int rc = make_block(f, &b);
    for (int64_t first = 0; rc == 0 && first < d->n; first += b.n) {
        b.n = d->n - first < b.cap ? (int)(d->n - first) : b.cap;
        for (int i = 0; i < b.n; i++) {
            b.len[i] = (int32_t)sn_dataset_len(d, first + i);
            b.index[i] = first + i;
            memcpy(b.codes + i * b.row, d->codes + d->offset[first + i], (size_t)b.len[i]);
        }
        rc = sn_explainer_run(f->e, b.n, b.codes, b.row, b.len, b.index, b.hyp, b.act, b.out);
        if (rc == 0) rc = write_block(f, &b, first);
        if (rc == 0) sn_progress(f->e->rt.sink, "explain", first + b.n, d->n, "sequences", "");
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
               "the contributions of %lld of %lld sequences miss the difference in output by more than 1e-4 of their absolute sum; the "
               "worst by %s",
               (long long)e->result.above_warning, (long long)e->result.sequences, sn_format_f32((float)e->result.worst_residual, worst));
}

static bool has_letter(const struct sn_explainer *e, const struct sn_dataset *d, int64_t i) {
    for (int64_t p = d->offset[i]; p < d->offset[i + 1]; p++)
        if (!e->alphabet->ambiguous[d->codes[p]]) return true;
    return false;
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
    return sn_explain_plan(f->e, a->length > 0 ? a->length : f->longest);
}

static int explain_folder(struct folder *f) {
    const struct sn_dataset *d = f->d;
    size_t bases = (size_t)d->offset[d->n];
    SN_TRY(check_sequences(f));
    SN_TRY(open_files(f));
    f->x->contribution = sn_calloc(bases, sizeof(float));
    f->x->output = sn_calloc((size_t)d->n, sizeof(float));
    f->x->expected = sn_calloc((size_t)d->n, sizeof(float));
    if (!f->x->contribution || !f->x->output || !f->x->expected) return SEQNET_ENOMEM;
    SN_TRY(run_blocks(f));
    if (f->track) SN_TRY(sn_track_write(d, f->x->contribution, f->track));
    SN_TRY(write_run(f));
    return commit_files(f);
}

int sn_explainer_folder(struct sn_explainer *e, const struct sn_dataset *d, const char *folder, struct sn_explained *out) {
    struct folder f = {.e = e, .d = d, .name = folder, .x = out};
    *out = (struct sn_explained){0};
    e->result = (seqnet_explain_result){.size = sizeof e->result};
    int rc = explain_folder(&f);
    if (rc < 0)
        give_up(&f);
    else
        warn(&f);
    return rc;
}

void sn_explained_free(struct sn_explained *x) {
    free(x->contribution);
    free(x->output);
    free(x->expected);
    *x = (struct sn_explained){0};
}
