#include "explain/explain.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "api/discover.h"
#include "api/pictures.h"
#include "api/report_data.h"
#include "core/file.h"
#include "motif/database.h"
#include "report/report.h"

struct seqnet_explainer {
    seqnet_ctx *ctx;
    struct sn_explainer *inner;
    char *command; /* NULL = unknown */
    struct sn_model **models;
    struct sn_motif_set known; /* motifs that filters and patterns are compared with */
    char *known_name;          /* NULL = none */
    uint64_t seed;
    bool patterns; /* are looked for */
    int n_logos, n_motifs, n_patterns;
};

/* ---- options ---- */

void seqnet_explain_defaults_size(seqnet_explain_options *o, size_t size) {
    const seqnet_explain_options full = {.size = sizeof full,
                                         .method = "deeplift",
                                         .rule = "rescale",
                                         .references = "dinucleotide",
                                         .n_references = 20,
                                         .target = "logit",
                                         .seed = 1,
                                         .n_logos = 10,
                                         .patterns = 1};
    sn_give(o, size, &full, sizeof full);
}

int seqnet_explain_check(const seqnet_explain_options *caller) {
    static const char *const methods[] = {"deeplift", "integrated-gradients", "input-x-gradient", "saliency", "ism", NULL};
    static const char *const rules[] = {"rescale", "reveal-cancel", "genomics", NULL};
    static const char *const targets[] = {"logit", "probability", NULL};
    seqnet_explain_options o;
    seqnet_explain_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_explain_options"));
    SN_TRY(sn_check_word("method", o.method, methods));
    SN_TRY(sn_check_word("rule", o.rule, rules));
    SN_TRY(sn_check_word("target", o.target, targets));
    SN_TRY(sn_check_int("n_references", o.n_references, 1, 100000));
    SN_TRY(sn_check_int("max_memory", o.max_memory, 0, INT64_MAX));
    SN_TRY(sn_check_int("resume", o.resume, 0, 1));
    SN_TRY(sn_check_int("patterns", o.patterns, 0, 1));
    return sn_check_int("n_logos", o.n_logos, 0, 100000);
}

/* A word that was set to NULL means its default. */
static void fill_words(seqnet_explain_options *o) {
    seqnet_explain_options d;
    seqnet_explain_defaults(&d);
    if (!o->method) o->method = d.method;
    if (!o->rule) o->rule = d.rule;
    if (!o->references) o->references = d.references;
    if (!o->target) o->target = d.target;
}

/* ---- making ---- */

#define USUAL_DB "jaspar"

static bool nucleotides(const struct sn_alphabet *a) {
    return strcmp(a->letters, "ACGT") == 0 || strcmp(a->letters, "ACGU") == 0;
}

/* db NULL: the installed ones for DNA. */
static int read_known(seqnet_explainer *e, const char *db) {
    const struct sn_alphabet *a = e->models[0]->arch->alphabet;
    if (db && strcmp(db, "none") == 0) return 0;
    if (!db && strcmp(a->letters, "ACGT") != 0) return 0;
    if (!(e->known_name = sn_strdup(db ? db : USUAL_DB))) return SEQNET_ENOMEM;
    SN_TRY(sn_motifs_read(e->known_name, &e->known));
    if (strcmp(e->known.letter, a->letters) == 0) return 0;
    return sn_error(SEQNET_EDATA, "%s: its motifs are over the letters %s, the model reads %s", db, e->known.letter, a->letters);
}

int seqnet_explainer_create(seqnet_ctx *ctx, seqnet_model *const *models, int n_models, const seqnet_explain_options *caller,
                            seqnet_explainer **out) {
    seqnet_explain_options o;
    int rc = 0;
    *out = NULL;
    SN_TRY(seqnet_explain_check(caller));
    seqnet_explain_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_explain_options"));
    fill_words(&o);
    SN_TRY(sn_check_int("n_models", n_models, 1, 1024));
    seqnet_explainer *e = sn_calloc(1, sizeof *e);
    if (!e) return SEQNET_ENOMEM;
    SN_GO(sn_inner_models(models, n_models, &e->models));
    e->ctx = ctx;
    e->n_logos = o.n_logos;
    if (o.command) SN_GO((e->command = sn_strdup(o.command)) ? 0 : SEQNET_ENOMEM);
    e->seed = o.seed;
    e->patterns = o.patterns && nucleotides(e->models[0]->arch->alphabet);
    SN_GO(read_known(e, o.motif_db));
    SN_GO(sn_explainer_create(&ctx->rt, e->models, n_models, &o, &e->inner));
    *out = e;
    e = NULL;
done:
    seqnet_explainer_free(&e);
    return rc < 0 ? rc : 0;
}

void seqnet_explainer_free(seqnet_explainer **e) {
    if (!e || !*e) return;
    sn_explainer_free((*e)->inner);
    sn_motif_set_free(&(*e)->known);
    sn_release_models((*e)->models);
    free((*e)->command);
    free((*e)->known_name);
    free(*e);
    *e = NULL;
}

/* ---- running ---- */

static int encode(const struct sn_arch *a, const char *bases, int64_t length, uint8_t **codes) {
    int64_t bad;
    if (a->length > 0 && (length < 1 || length > a->length))
        return sn_error(SEQNET_EDATA, "explain: the sequence has %lld symbols, the model takes %lld", (long long)length,
                        (long long)a->length);
    if (a->length <= 0 && (length < a->graph->min_len || length < 1 || length > INT32_MAX))
        return sn_error(SEQNET_EDATA, "explain: the sequence has %lld symbols, the model needs at least %lld", (long long)length,
                        (long long)a->graph->min_len);
    if (!(*codes = sn_calloc((size_t)length, 1))) return SEQNET_ENOMEM;
    if (sn_encode_seq(a->alphabet, bases, length, *codes, &bad) >= 0) return 0;
    return sn_error(SEQNET_EDATA, "explain: byte 0x%02x at position %lld is no %s symbol", (unsigned char)bases[bad], (long long)bad + 1,
                    a->alphabet->name);
}

int seqnet_explainer_tasks(const seqnet_explainer *e) {
    return sn_explainer_tasks(e->inner);
}

static int give_results(const seqnet_explanation *from, int n, seqnet_explanation *out) {
    char *to = (char *)out;
    size_t step = out->size; /* of an array of the caller's struct */
    for (int t = 0; t < n; t++) SN_TRY(sn_give_result(to + (size_t)t * step, &from[t], sizeof *from, "seqnet_explanation"));
    return 0;
}

int seqnet_explain(seqnet_explainer *e, const char *bases, int64_t length, int64_t index, float *hypothetical, float *actual,
                   int64_t capacity, seqnet_explanation *out) {
    const struct sn_arch *a = e->models[0]->arch;
    uint8_t *codes = NULL;
    int tasks = sn_explainer_tasks(e->inner), rc = 0;
    int32_t len = (int32_t)length;
    seqnet_explanation *results = sn_calloc((size_t)tasks, sizeof *results);
    if (!results) return SEQNET_ENOMEM;
    if ((hypothetical || actual) && capacity / a->alphabet->channels / tasks < length)
        SN_GO(sn_error(SEQNET_EINVAL, "explain: gives %d x %lld x %d floats, the buffer has %lld", tasks, (long long)length,
                       a->alphabet->channels, (long long)capacity));
    SN_GO(encode(a, bases, length, &codes));
    SN_GO(sn_explainer_run(e->inner, 1, codes, length, &len, &index, hypothetical, actual, results));
    if (out) SN_GO(give_results(results, tasks, out));
done:
    free(codes);
    free(results);
    return rc < 0 ? rc : 0;
}

#define SHOWN_MATCHES 3 /* of a pattern in the report */

/* Patterns of one task and its report, into its folder. */
static int write_report(seqnet_explainer *e, const struct sn_dataset *d, const struct sn_explained *x, int task) {
    struct sn_str target = {0};
    struct sn_discovery found = {0};
    struct sn_tomtom_hits hits = {0};
    struct sn_report_input in = {
        .ctx = e->ctx, .models = e->models, .d = d, .x = &x->tasks[task], .command = e->command, .n_examples = e->n_logos};
    int rc = 0;
    while (e->models[in.n_models]) in.n_models++;
    SN_GO(sn_explainer_target(e->inner, task, &target));
    in.target = target.s;
    if (!e->patterns) sn_discovery_remove(x->tasks[task].folder);
    if (x->n_tasks > 1) sn_log(e->ctx->rt.sink, SN_LOG_INFO, "%s:", target.s);
    if (e->patterns) {
        SN_GO(sn_discovery_run(e->ctx, x->tasks[task].folder, e->models[0]->arch->alphabet->letters, e->seed,
                               (int64_t)sn_explainer_left(e->inner), &e->known, &found, &hits));
        if (found.patterns.message[0]) sn_log(e->ctx->rt.sink, SN_LOG_INFO, "%s", found.patterns.message);
        e->n_patterns += found.patterns.n;
        in.patterns = &found.patterns;
        in.db = e->known.n ? &e->known : NULL, in.db_name = e->known_name, in.hits = &hits, in.most_hits = SHOWN_MATCHES;
    } else if (!nucleotides(e->models[0]->arch->alphabet)) {
        in.why_no_patterns = "Patterns are looked for in DNA and RNA only.";
    }
    rc = sn_report_make(&in);
done:
    sn_tomtom_hits_free(&hits);
    sn_discovery_free(&found);
    sn_str_free(&target);
    return rc;
}

/* ---- earlier runs ---- */

/* A task's files where this run has none: what it says is not of this run. A folder without run.tsv is not ours. */
static void remove_task(const struct sn_explained *x, const char *folder) {
    struct sn_str mark = {0};
    bool ours = sn_str_printf(&mark, "%s/run.tsv", folder) == 0 && access(mark.s, F_OK) == 0;
    for (int t = 0; t < x->n_tasks; t++) ours &= strcmp(x->tasks[t].folder, folder) != 0;
    sn_str_free(&mark);
    if (!ours) return;
    sn_report_remove(folder);
    sn_pictures_remove(folder);
    sn_discovery_remove(folder);
    sn_explained_remove(folder);
    rmdir(folder); /* when it is empty */
}

/* One task has its files in the folder itself, of several each has a folder: those of the other layout go. */
static int remove_earlier(const seqnet_explainer *e, const struct sn_explained *x, const char *folder) {
    const struct sn_model *m = e->models[0];
    struct sn_str path = {0};
    int rc = 0;
    remove_task(x, folder);
    for (int t = 0; t < m->n_tasks; t++) {
        path.n = 0;
        SN_GO(sn_str_printf(&path, "%s/", folder));
        SN_GO(sn_file_word(&path, m->tasks[t], SN_TASK_WORD));
        remove_task(x, path.s);
        SN_GO(sn_str_printf(&path, "_%d", t + 1)); /* where two tasks came to the same word */
        remove_task(x, path.s);
    }
done:
    sn_str_free(&path);
    return rc;
}

int seqnet_explain_source(seqnet_explainer *e, seqnet_source *s, const char *folder) {
    struct sn_explained x = {0};
    struct sn_pictures p = {
        .e = e->inner, .d = s->d, .x = &x, .known = &e->known, .sink = e->ctx->rt.sink, .folder = folder, .n_logos = e->n_logos};
    e->n_patterns = 0;
    int rc = sn_explainer_folder(e->inner, s->d, folder, &x);
    if (rc >= 0) rc = remove_earlier(e, &x, folder);
    if (rc >= 0) rc = sn_pictures_write(&p, &e->n_motifs);
    for (int t = 0; rc >= 0 && t < x.n_tasks; t++) rc = write_report(e, s->d, &x, t);
    sn_explained_free(&x);
    return rc < 0 ? rc : 0;
}

void seqnet_explainer_result(const seqnet_explainer *e, seqnet_explain_result *out) {
    seqnet_explain_result r = {.size = sizeof r};
    sn_explainer_result(e->inner, &r);
    r.motifs = e->n_motifs;
    r.patterns = e->n_patterns;
    sn_give(out, out->size, &r, sizeof r);
}
