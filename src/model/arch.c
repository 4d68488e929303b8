/* Architectures: text to graph, and what the data decide. */
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "model/arch_parts.h"

#define PROBE_LENGTH ((int64_t)1 << 16) /* stands for any length where shapes of variable rows are checked */
#define MAX_LENGTH (1 << 30)

void sn_arch_free(struct sn_arch *a) {
    if (!a) return;
    sn_graph_free(a->graph);
    free(a->origin);
    free(a->lut);
    free(a);
}

/* ---- input ---- */

static int parse_length(const struct sn_doc *d, int64_t *out) {
    char buf[64];
    *out = SN_LENGTH_VARIABLE;
    if (d->kind == SN_DOC_SCALAR && strcmp(d->text, "variable") == 0) return 0;
    if (d->kind == SN_DOC_SCALAR && strcmp(d->text, "data") == 0) {
        *out = SN_LENGTH_DATA;
        return 0;
    }
    if (sn_doc_i64(d, "length", 0, MAX_LENGTH, out) == 0) return 0;
    return sn_doc_error(d, "length must be a number of positions up to %d, 0 (variable) or data, got %s", MAX_LENGTH, sn_doc_show(d, buf));
}

static int parse_alphabet(const struct sn_doc *d, const struct sn_alphabet **out) {
    const char *word = "dna";
    int n = 0;
    if (d) SN_TRY(sn_doc_text(d, "alphabet", &word));
    *out = sn_alphabet_find(word);
    while (sn_alphabet_names[n]) n++;
    return *out ? 0 : sn_doc_unknown(d, "alphabet", word, sn_alphabet_names, n);
}

static int parse_input(const struct sn_doc *d, struct sn_arch *a) {
    static const char *const names[] = {"length", "alphabet", "n_policy", "strand"};
    static const char *const policies[] = {"zero", "mean", NULL};
    static const char *const strands[] = {"forward", "average", "max", NULL};
    int policy = SN_N_ZERO, strand = SN_STRAND_FORWARD;
    SN_TRY(sn_doc_expect_map(d, "input", names, 4));
    const struct sn_doc *length = sn_doc_get(d, "length"), *np = sn_doc_get(d, "n_policy"), *st = sn_doc_get(d, "strand");
    if (length) SN_TRY(parse_length(length, &a->length));
    SN_TRY(parse_alphabet(sn_doc_get(d, "alphabet"), &a->alphabet));
    if (np) SN_TRY(sn_doc_choice(np, "n_policy", policies, &policy));
    if (st) SN_TRY(sn_doc_choice(st, "strand", strands, &strand));
    if (strand != SN_STRAND_FORWARD && !a->alphabet->has_complement)
        return sn_doc_error(st, "strand %s: %s has no complement", strands[strand], a->alphabet->name);
    a->n_policy = (enum sn_n_policy)policy;
    a->strand = (enum sn_strand)strand;
    return 0;
}

/* `input: {...}`, or `inputs: {NAME: {...}}`. */
static int parse_inputs(const struct sn_doc *d, struct sn_arch *a) {
    const struct sn_doc *one = sn_doc_get(d, "input"), *many = sn_doc_get(d, "inputs");
    const char *name = "sequence";
    if (one && many) return sn_doc_error(many, "`input` and `inputs` are both given; expected one");
    if (!one && !many) return sn_doc_error(d, "`input` is missing");
    if (many) {
        char buf[64];
        if (many->kind != SN_DOC_MAP || many->n == 0)
            return sn_doc_error(many, "inputs must be a map {NAME: {...}}, got %s", sn_doc_show(many, buf));
        if (many->n > 1) return sn_doc_error(many->child->next, "%d inputs: not supported yet, expected one", many->n);
        one = many->child;
        struct sn_doc key = {.kind = SN_DOC_SCALAR, .source = one->source, .line = one->line, .text = one->key};
        SN_TRY(sn_doc_name(&key, "name of an input", SN_NAME_MAX - 1, &name));
    }
    snprintf(a->input_name, sizeof a->input_name, "%s", name);
    return parse_input(one, a);
}

static int fill_expansion(struct sn_arch *a) {
    size_t n = 256 * (size_t)a->alphabet->channels;
    float *lut = sn_calloc(n, sizeof *lut);
    a->lut = sn_calloc(n, sizeof *a->lut);
    if (lut && a->lut) {
        sn_alphabet_lut(a->alphabet, a->n_policy, lut, a->sym);
        for (size_t i = 0; i < n; i++) a->lut[i] = lut[i];
    }
    free(lut);
    return lut && a->lut ? 0 : SEQNET_ENOMEM;
}

/* ---- shapes ---- */

static bool has_tasks(const struct sn_graph *g) {
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sn_param_desc *p = g->nodes[i].op->params;
        for (int k = 0; p && p[k].name; k++)
            if (p[k].tasks && g->nodes[i].p[k].i == SN_TASKS) return true;
    }
    return false;
}

/* Graph messages begin with "line N: " when the text is known. */
static int at_origin(const struct sn_arch *a, int code) {
    char *text = sn_strdup(sn_error_text());
    int line, n = 0;
    if (!text) return SEQNET_ENOMEM;
    if (sscanf(text, "line %d: %n", &line, &n) == 1 && n > 0) {
        code = sn_error(code, "%s:%d: %s", a->origin, line, text + n);
    } else {
        code = sn_error_prefix(code, "%s", a->origin);
    }
    free(text);
    return code;
}

static int check_graph(struct sn_arch *a, int64_t length) {
    int rc = sn_graph_check(a->graph, length, a->length == SN_LENGTH_VARIABLE);
    return rc < 0 ? at_origin(a, rc) : 0;
}

/* Checks the shapes of a text whose number of tasks is still open, with one task in their place. */
static int check_text(struct sn_arch *a) {
    struct sn_graph *g = a->graph;
    if (a->length == SN_LENGTH_DATA) return 0;
    bool *open = sn_calloc((size_t)g->n_nodes * SN_MAX_PARAMS, sizeof *open);
    if (!open) return SEQNET_ENOMEM;
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < SN_MAX_PARAMS; k++) open[i * SN_MAX_PARAMS + k] = g->nodes[i].p[k].i == SN_TASKS;
    if (!a->tasks_bound) sn_graph_bind_tasks(g, 1);
    int rc = check_graph(a, a->length > 0 ? a->length : PROBE_LENGTH);
    for (int i = 0; i < g->n_nodes && !a->tasks_bound; i++)
        for (int k = 0; k < SN_MAX_PARAMS; k++)
            if (open[i * SN_MAX_PARAMS + k]) g->nodes[i].p[k].i = SN_TASKS;
    free(open);
    return rc;
}

/* ---- text ---- */

static int parse_parts(const struct sn_doc *d, struct sn_arch *a, struct sn_arch_layers *l) {
    static const char *const names[] = {"name", "input", "inputs", "layers", "heads", "training"};
    const char *name;
    const struct sn_doc *loss;
    SN_TRY(sn_doc_expect_map(d, "the architecture", names, 6));
    const struct sn_doc *nm = sn_doc_get(d, "name"), *layers = sn_doc_get(d, "layers"), *training = sn_doc_get(d, "training");
    if (!nm) return sn_doc_error(d, "`name` is missing");
    if (!layers) return sn_doc_error(d, "`layers` is missing");
    SN_TRY(sn_doc_name(nm, "name", SN_NAME_MAX - 1, &name));
    snprintf(a->name, sizeof a->name, "%s", name);
    SN_TRY(parse_inputs(d, a));
    SN_TRY(fill_expansion(a));
    SN_TRY(sn_training_parse(training, &a->training, &loss));
    if (a->training.reverse_complement && !a->alphabet->has_complement)
        return sn_doc_error(training, "augmentation by reverse complement: %s has no complement", a->alphabet->name);
    SN_TRY(sn_graph_create(a->alphabet->channels, &a->graph));
    SN_TRY(sn_layers_parse(l, layers));
    SN_TRY(sn_heads_parse(l, sn_doc_get(d, "heads"), loss));
    a->training.loss = a->graph->heads[0].loss;
    a->tasks_bound = !has_tasks(a->graph);
    return check_text(a);
}

int sn_arch_from_doc(const struct sn_doc *d, struct sn_arch **out) {
    struct sn_arch *a = sn_calloc(1, sizeof *a);
    struct sn_arch_layers l = {.arch = a};
    if (!a) return SEQNET_ENOMEM;
    a->origin = sn_strdup(d->source->origin);
    int rc = a->origin ? parse_parts(d, a, &l) : SEQNET_ENOMEM;
    sn_layers_free(&l);
    if (rc < 0) {
        sn_arch_free(a);
        return rc;
    }
    *out = a;
    return 0;
}

int sn_arch_parse(const char *text, size_t n, const char *origin, struct sn_arch **out) {
    struct sn_doc_source source = {.origin = origin, .code = SEQNET_EARCH};
    struct sn_doc *d;
    SN_TRY(sn_doc_from_yaml(text, n, &source, &d));
    int rc = sn_arch_from_doc(d, out);
    sn_doc_free(d);
    return rc;
}

int sn_arch_from_json(const char *json, size_t n, const char *origin, struct sn_arch **out) {
    struct sn_doc_source source = {.origin = origin, .code = SEQNET_EARCH};
    struct sn_doc *d;
    SN_TRY(sn_doc_from_json(json, n, &source, &d));
    int rc = sn_arch_from_doc(d, out);
    sn_doc_free(d);
    return rc;
}

/* ---- data ---- */

bool sn_arch_bound(const struct sn_arch *a) {
    for (int h = 0; h < a->graph->n_heads; h++)
        if (a->auto_activation[h] || a->auto_loss[h]) return false;
    return a->tasks_bound && a->length != SN_LENGTH_DATA;
}

int sn_arch_bind(struct sn_arch *a, enum sn_task_kind kind, int n_tasks, int64_t data_length, int64_t longest) {
    if (n_tasks < 1) return sn_error(SEQNET_EDATA, "%s: the data have no labels; expected at least one task", a->origin);
    if (a->length == SN_LENGTH_DATA) {
        if (data_length < 1 || data_length > MAX_LENGTH)
            return sn_error(SEQNET_EDATA, "%s: the input length is that of the data, but they have none (%lld)", a->origin,
                            (long long)data_length);
        a->length = data_length;
    }
    int rc = sn_heads_bind(a, kind);
    if (rc < 0) return sn_error_prefix(rc, "%s", a->origin);
    if (!a->tasks_bound) sn_graph_bind_tasks(a->graph, n_tasks);
    a->tasks_bound = true;
    SN_TRY(check_graph(a, a->length > 0 ? a->length : longest > 0 ? longest : PROBE_LENGTH));
    if (sn_arch_width(a) != n_tasks)
        return sn_error(
            SEQNET_EDATA,
            "%s: the architecture has %d outputs, the data have %d tasks; write `units: tasks` in the last layer to fit any data",
            a->origin, sn_arch_width(a), n_tasks);
    return 0;
}

int sn_arch_width(const struct sn_arch *a) {
    int64_t n = 0;
    for (int h = 0; h < a->graph->n_heads; h++) n += a->graph->nodes[a->graph->heads[h].logits].out.ch;
    return (int)n;
}

void sn_arch_plan_options(const struct sn_arch *a, enum sn_mode mode, int64_t longest, int max_rows, struct sn_plan_options *o) {
    *o = (struct sn_plan_options){
        .mode = mode,
        .max_len = a->length > 0 ? a->length : longest,
        .max_rows = max_rows,
        .leaves = a->training.leaves,
        .var = a->length == SN_LENGTH_VARIABLE,
        .fuse = true,
        .sym = a->sym,
        .lut = a->lut,
    };
}
