#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"
#include "explain/parts.h"
#include "seqnet/version.h"

const char *sn_explain_label(const struct sn_model *m) {
    return m->path ? m->path : m->arch->name;
}

/* ---- options ---- */

static const char *const method_words[] = {"deeplift", "input-x-gradient", "saliency", "integrated-gradients", "ism"};
#define N_METHODS ((int)(sizeof method_words / sizeof *method_words))

const char *sn_explain_method(const struct sn_explainer *e) {
    return method_words[e->method];
}

const char *const sn_rule_words[] = {"rescale", "reveal-cancel", "genomics", NULL};

static int choose_method(struct sn_explainer *e, const char *method) {
    int i = 0;
    while (method && i < N_METHODS && strcmp(method, method_words[i]) != 0) i++;
    if (i == N_METHODS)
        return sn_error(SEQNET_ENOTSUP, "method '%s': expected deeplift, integrated-gradients, input-x-gradient, saliency or ism", method);
    e->method = (enum sn_method)i;
    return 0;
}

static int choose_rule(struct sn_explainer *e, const char *rule) {
    int i = 0;
    while (rule && sn_rule_words[i] && strcmp(rule, sn_rule_words[i]) != 0) i++;
    if (!sn_rule_words[i]) return sn_error(SEQNET_EINVAL, "rule '%s': expected rescale, reveal-cancel or genomics", rule);
    if (i > 0 && e->method != SN_METHOD_DEEPLIFT)
        return sn_error(SEQNET_EINVAL, "rule '%s' belongs to deeplift; %s has none", rule, sn_explain_method(e));
    e->rule = (enum sn_rule)i;
    return 0;
}

/* Gradients and mutants compare a sequence with nothing. */
static int choose_references(struct sn_explainer *e, const char *references, int n) {
    if (sn_explain_sums(e)) return sn_references_choose(e, references, n);
    if (references && strcmp(references, "dinucleotide") != 0)
        return sn_error(SEQNET_EINVAL, "references '%s' belong to deeplift and integrated-gradients; %s has none", references,
                        sn_explain_method(e));
    e->kind = SN_REF_NONE;
    e->n_refs = 1;
    return 0;
}

static int choose_target(struct sn_explainer *e, const char *target) {
    e->probability = target && strcmp(target, "probability") == 0;
    if (!target || e->probability || strcmp(target, "logit") == 0) return 0;
    return sn_error(SEQNET_EINVAL, "target '%s': expected logit or probability", target);
}

/* ---- tasks ---- */

static int find_heads(struct sn_explainer *e) {
    const struct sn_model *m = e->models[0];
    const struct sn_graph *g = m->arch->graph;
    e->width = m->n_tasks;
    e->loss = sn_calloc((size_t)e->width, sizeof *e->loss);
    e->tasks = sn_calloc((size_t)e->width, sizeof *e->tasks);
    if (!e->loss || !e->tasks) return SEQNET_ENOMEM;
    int at = 0;
    for (int h = 0; h < g->n_heads; h++)
        for (int k = (int)g->nodes[g->heads[h].logits].out.ch; k > 0; k--) {
            if (at == e->width) return sn_error(SEQNET_EINTERNAL, "%s: fewer tasks than outputs", sn_explain_label(m));
            e->loss[at++] = g->heads[h].loss;
        }
    return at == e->width ? 0 : sn_error(SEQNET_EINTERNAL, "%s: more tasks than outputs", sn_explain_label(m));
}

static void add_task(struct sn_explainer *e, int index) {
    const struct sn_model *m = e->models[0];
    const struct sn_graph *g = m->arch->graph;
    for (int h = 0, at = 0; h < g->n_heads; h++) {
        int width = (int)g->nodes[g->heads[h].logits].out.ch;
        if (index < at + width) {
            e->tasks[e->n_tasks++] =
                (struct sn_explain_task){.name = m->tasks[index], .head = h, .first = at, .width = width, .task = index - at};
            return;
        }
        at += width;
    }
}

static int find_task(const struct sn_model *m, const char *name, size_t n) {
    for (int i = 0; i < m->n_tasks; i++)
        if (strlen(m->tasks[i]) == n && strncmp(m->tasks[i], name, n) == 0) return i;
    return -1;
}

static int unknown_task(const struct sn_model *m, const char *name, size_t n) {
    char word[256];
    snprintf(word, sizeof word, "%.*s", n < sizeof word ? (int)n : (int)sizeof word - 1, name);
    const char *near = sn_nearest(word, (const char *const *)m->tasks, m->n_tasks);
    return sn_error(SEQNET_EINVAL, "task '%s': %s has no such task%s%s%s", word, sn_explain_label(m), near ? "; did you mean '" : "",
                    near ? near : "", near ? "'?" : "");
}

/* A name, several with commas between them, or all. A task may be called "all", or have a comma in its name: that comes first. */
static int choose_tasks(struct sn_explainer *e, const char *list) {
    const struct sn_model *m = e->models[0];
    SN_TRY(find_heads(e));
    int only = list ? find_task(m, list, strlen(list)) : 0;
    if (only >= 0) {
        add_task(e, only);
        return 0;
    }
    if (strcmp(list, "all") == 0) {
        for (int i = 0; i < m->n_tasks; i++) add_task(e, i);
        return 0;
    }
    for (const char *s = list, *end; s; s = *end ? end + 1 : NULL) {
        end = s + strcspn(s, ",");
        int i = find_task(m, s, (size_t)(end - s));
        if (i < 0) return unknown_task(m, s, (size_t)(end - s));
        for (int k = 0; k < e->n_tasks; k++)
            if (e->tasks[k].name == m->tasks[i]) return sn_error(SEQNET_EINVAL, "task '%s' is named twice", m->tasks[i]);
        add_task(e, i);
    }
    return 0;
}

/* The same heads of the same kind. */
static bool same_heads(const struct sn_explainer *e, const struct sn_model *m) {
    const struct sn_graph *g = e->models[0]->arch->graph, *o = m->arch->graph;
    bool same = g->n_heads == o->n_heads;
    for (int h = 0; same && h < g->n_heads; h++)
        same = g->heads[h].loss == o->heads[h].loss && g->nodes[g->heads[h].logits].out.ch == o->nodes[o->heads[h].logits].out.ch;
    return same;
}

/* Models that are averaged must read and predict the same. */
static int check_ensemble(const struct sn_explainer *e) {
    const struct sn_model *a = e->models[0];
    for (int i = 1; i < e->n_models; i++) {
        const struct sn_model *b = e->models[i];
        if (a->arch->alphabet != b->arch->alphabet || a->arch->length != b->arch->length || a->n_tasks != b->n_tasks || !same_heads(e, b))
            return sn_error(SEQNET_ESHAPE, "models %s and %s differ in alphabet, length or tasks and cannot be averaged",
                            sn_explain_label(a), sn_explain_label(b));
    }
    return 0;
}

static int find_letters(struct sn_explainer *e) {
    const struct sn_alphabet *a = e->alphabet;
    for (int c = 0; c < e->channels; c++) e->letter[c] = a->encode[(unsigned char)a->letters[c]];
    for (int c = 0; c < e->channels && a->has_complement; c++) {
        const char *at = strchr(a->letters, a->decode[a->complement[a->encode[(unsigned char)a->letters[c]]]]);
        if (!at) return sn_error(SEQNET_EINTERNAL, "%s: a letter's complement is no letter", a->name);
        e->complement[c] = (int)(at - a->letters);
    }
    return 0;
}

static int copy_text(const char *from, char **to) {
    if (!from) return 0;
    *to = sn_strdup(from);
    return *to ? 0 : SEQNET_ENOMEM;
}

/* What decides the numbers beside models and sequences. */
static int describe_options(struct sn_explainer *e) {
    SN_TRY(sn_str_printf(&e->options, "%s %s %s %s %d %llu", SEQNET_VERSION, sn_explain_method(e), sn_rule_words[e->rule],
                         e->probability ? "probability" : "logit", e->n_refs, (unsigned long long)e->seed));
    if (e->references) SN_TRY(sn_str_printf(&e->options, " %s", e->references));
    if (e->ref_codes) SN_TRY(sn_str_printf(&e->options, " %08x", sn_crc32c(0, e->ref_codes, (size_t)(e->n_refs * e->ref_len))));
    for (int t = 0; t < e->n_tasks; t++) SN_TRY(sn_str_printf(&e->options, "\n%s", e->tasks[t].name));
    return 0;
}

static int make_parts(struct sn_explainer *e, struct sn_model *const *models, const seqnet_explain_options *o) {
    e->models = sn_calloc((size_t)e->n_models, sizeof *e->models);
    e->plans = sn_calloc((size_t)e->n_models, sizeof *e->plans);
    e->cones = sn_calloc((size_t)e->n_models, sizeof *e->cones);
    e->n_workers = sn_pool_size(e->rt.pool);
    e->workers = sn_calloc((size_t)e->n_workers, sizeof *e->workers);
    if (!e->models || !e->plans || !e->cones || !e->workers) return SEQNET_ENOMEM;
    for (int i = 0; i < e->n_models; i++) e->models[i] = sn_model_ref(models[i]);
    e->alphabet = models[0]->arch->alphabet;
    e->channels = e->alphabet->channels;
    if (e->channels > (int)(sizeof e->complement / sizeof *e->complement))
        return sn_error(SEQNET_EINTERNAL, "%s: too many letters", e->alphabet->name);
    e->seed = o->seed;
    e->resume = o->resume != 0;
    e->first_steps = 64;
    e->most_steps = 1024;
    e->budget = o->max_memory > 0 ? (size_t)o->max_memory : 0;
    SN_TRY(copy_text(o->command, &e->command));
    SN_TRY(find_letters(e));
    SN_TRY(choose_method(e, o->method));
    SN_TRY(choose_rule(e, o->rule));
    SN_TRY(choose_tasks(e, o->task));
    SN_TRY(choose_target(e, o->target));
    SN_TRY(check_ensemble(e));
    SN_TRY(choose_references(e, o->references, o->n_references));
    SN_TRY(describe_options(e));
    /* a layer without a rule is refused now, not after the first sequence */
    const struct sn_arch *a = e->models[0]->arch;
    return sn_explain_plan(e, a->length > 0 ? a->length : a->graph->min_len > 0 ? a->graph->min_len : 1);
}

int sn_explainer_create(const struct sn_runtime *rt, struct sn_model *const *models, int n_models, const seqnet_explain_options *o,
                        struct sn_explainer **out) {
    *out = NULL;
    if (n_models < 1) return sn_error(SEQNET_EINVAL, "no model to explain");
    struct sn_explainer *e = sn_calloc(1, sizeof *e);
    if (!e) return SEQNET_ENOMEM;
    e->rt = *rt;
    e->n_models = n_models;
    e->result.size = sizeof e->result;
    int rc = make_parts(e, models, o);
    if (rc < 0) {
        sn_explainer_free(e);
        return rc;
    }
    *out = e;
    return 0;
}

void sn_explainer_free(struct sn_explainer *e) {
    if (!e) return;
    sn_explain_unplan(e);
    for (int i = 0; e->models && i < e->n_models; i++) sn_model_unref(e->models[i]);
    free(e->models);
    free(e->plans);
    free(e->cones);
    free(e->tasks);
    free(e->loss);
    free(e->workers);
    free(e->ref_codes);
    free(e->references);
    free(e->command);
    sn_str_free(&e->options);
    free(e);
}

int sn_explainer_tasks(const struct sn_explainer *e) {
    return e->n_tasks;
}

int sn_explainer_target(const struct sn_explainer *e, int task, struct sn_str *out) {
    return sn_str_printf(out, "%s %s", e->tasks[task].name, e->probability ? "probability" : "logit");
}

void sn_explainer_result(const struct sn_explainer *e, seqnet_explain_result *out) {
    *out = e->result;
}
