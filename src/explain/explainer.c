#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"
#include "explain/parts.h"

#define DEFAULT_MEMORY ((size_t)256 << 20)

const char *sn_explain_label(const struct sn_model *m) {
    return m->path ? m->path : m->arch->name;
}

/* ---- options ---- */

static int check_word(const char *field, const char *got, const char *only) {
    if (!got || strcmp(got, only) == 0) return 0;
    return sn_error(SEQNET_ENOTSUP, "%s '%s': expected %s", field, got, only);
}

const char *const sn_rule_words[] = {"rescale", "reveal-cancel", "genomics", NULL};

static int choose_rule(struct sn_explainer *e, const char *rule) {
    int i = 0;
    while (rule && sn_rule_words[i] && strcmp(rule, sn_rule_words[i]) != 0) i++;
    if (!sn_rule_words[i]) return sn_error(SEQNET_EINVAL, "rule '%s': expected rescale, reveal-cancel or genomics", rule);
    e->rule = (enum sn_rule)i;
    return 0;
}

/* The head that holds the task, and its place in it. */
static int choose_task(struct sn_explainer *e, const char *task) {
    const struct sn_model *m = e->models[0];
    const struct sn_graph *g = m->arch->graph;
    int index = 0;
    while (task && index < m->n_tasks && strcmp(m->tasks[index], task) != 0) index++;
    if (index == m->n_tasks) {
        const char *near = sn_nearest(task, (const char *const *)m->tasks, m->n_tasks);
        return sn_error(SEQNET_EINVAL, "task '%s': %s has no such task%s%s%s", task, sn_explain_label(m), near ? "; did you mean '" : "",
                        near ? near : "", near ? "'?" : "");
    }
    for (int h = 0, at = 0; h < g->n_heads; h++) {
        int width = (int)g->nodes[g->heads[h].logits].out.ch;
        if (index < at + width) {
            e->head = h;
            e->first_task = at;
            e->width = width;
            e->task = index - at;
            return 0;
        }
        at += width;
    }
    return sn_error(SEQNET_EINTERNAL, "%s: more tasks than outputs", sn_explain_label(m));
}

static int choose_target(struct sn_explainer *e, const char *target) {
    e->probability = target && strcmp(target, "probability") == 0;
    if (!target || e->probability || strcmp(target, "logit") == 0) return 0;
    return sn_error(SEQNET_EINVAL, "target '%s': expected logit or probability", target);
}

static bool same_width(const struct sn_explainer *e, const struct sn_model *m) {
    const struct sn_graph *g = m->arch->graph;
    if (e->head >= g->n_heads) return false;
    return g->nodes[g->heads[e->head].logits].out.ch == e->width && g->heads[e->head].loss == sn_explain_head(e)->loss;
}

/* Models that are averaged must read and predict the same. */
static int check_ensemble(const struct sn_explainer *e) {
    const struct sn_model *a = e->models[0];
    for (int i = 1; i < e->n_models; i++) {
        const struct sn_model *b = e->models[i];
        if (a->arch->alphabet != b->arch->alphabet || a->arch->length != b->arch->length || a->n_tasks != b->n_tasks || !same_width(e, b))
            return sn_error(SEQNET_ESHAPE, "models %s and %s differ in alphabet, length or tasks and cannot be averaged",
                            sn_explain_label(a), sn_explain_label(b));
    }
    return 0;
}

static int find_complement(struct sn_explainer *e) {
    const struct sn_alphabet *a = e->alphabet;
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

static int make_parts(struct sn_explainer *e, struct sn_model *const *models, const seqnet_explain_options *o) {
    e->models = sn_calloc((size_t)e->n_models, sizeof *e->models);
    e->plans = sn_calloc((size_t)e->n_models, sizeof *e->plans);
    e->n_workers = sn_pool_size(e->rt.pool);
    e->workers = sn_calloc((size_t)e->n_workers, sizeof *e->workers);
    if (!e->models || !e->plans || !e->workers) return SEQNET_ENOMEM;
    for (int i = 0; i < e->n_models; i++) e->models[i] = sn_model_ref(models[i]);
    e->alphabet = models[0]->arch->alphabet;
    e->channels = e->alphabet->channels;
    if (e->channels > (int)(sizeof e->complement / sizeof *e->complement))
        return sn_error(SEQNET_EINTERNAL, "%s: too many letters", e->alphabet->name);
    e->seed = o->seed;
    e->max_memory = o->max_memory > 0 ? (size_t)o->max_memory : DEFAULT_MEMORY;
    SN_TRY(copy_text(o->command, &e->command));
    SN_TRY(check_word("method", o->method, "deeplift"));
    SN_TRY(choose_rule(e, o->rule));
    SN_TRY(find_complement(e));
    SN_TRY(choose_task(e, o->task));
    SN_TRY(choose_target(e, o->target));
    SN_TRY(check_ensemble(e));
    SN_TRY(sn_references_choose(e, o->references, o->n_references));
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
    free(e->workers);
    free(e->ref_codes);
    free(e->references);
    free(e->command);
    free(e);
}

int sn_explainer_target(const struct sn_explainer *e, struct sn_str *out) {
    return sn_str_printf(out, "%s %s", e->models[0]->tasks[e->first_task + e->task], e->probability ? "probability" : "logit");
}

void sn_explainer_result(const struct sn_explainer *e, seqnet_explain_result *out) {
    *out = e->result;
}
