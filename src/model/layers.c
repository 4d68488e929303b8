/* `layers:` of an architecture -> nodes of its graph. Knows the op table, never a single op. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "model/arch_parts.h"

#define MAX_LAYER_NAME 40 /* leaves room for "_relu", "_12" */
#define AUTO_OP "linear"  /* stands for `activation: auto` until the data are known */

static int parse_list(struct sn_arch_layers *l, const struct sn_doc *list);

void sn_layers_free(struct sn_arch_layers *l) {
    free(l->names);
    free(l->counts);
    free(l->is_auto);
}

/* The one layer of an item: `- flatten`, or `- conv1d: {...}`; *body is NULL without parameters. */
static int item_word(const struct sn_doc *item, const char **word, const struct sn_doc **body) {
    char buf[64];
    *body = NULL;
    if (item->kind == SN_DOC_SCALAR) return sn_doc_text(item, "a layer", word);
    if (item->kind == SN_DOC_MAP && item->n > 1)
        return sn_doc_error(
            item,
            "a layer is written `type: {...}`, with `name`, `inputs` and all else inside the braces; got %d keys side by side (%s, %s)",
            item->n, item->child->key, item->child->next->key);
    if (item->kind != SN_DOC_MAP || item->n == 0)
        return sn_doc_error(item, "a layer is written `type: {...}`, got %s", sn_doc_show(item, buf));
    *word = item->child->key;
    *body = item->child;
    return 0;
}

/* ---- names ---- */

static int remember(struct sn_arch_layers *l, const char *name, int node) {
    void *p = l->names;
    SN_TRY(sn_grow(&p, &l->cap, l->n + 1, sizeof *l->names));
    l->names = p;
    snprintf(l->names[l->n].name, SN_NAME_MAX, "%s", name);
    l->names[l->n++].node = node;
    return 0;
}

/* The place where the text gives a layer this `name:`, other than `self`; repeats are looked into. */
static const struct sn_doc *named_in_text(const struct sn_doc *list, const char *name, const struct sn_doc *self) {
    for (const struct sn_doc *item = list->child; item; item = item->next) {
        const struct sn_doc *body = item->kind == SN_DOC_MAP ? item->child : NULL;
        if (!body || body->kind != SN_DOC_MAP) continue;
        const struct sn_doc *given = sn_doc_get(body, "name"), *inner = sn_doc_get(body, "layers");
        if (given && given != self && given->kind == SN_DOC_SCALAR && strcmp(given->text, name) == 0) return given;
        if (inner && inner->kind == SN_DOC_LIST && (given = named_in_text(inner, name, self))) return given;
    }
    return NULL;
}

static int unknown_layer(const struct sn_arch_layers *l, const struct sn_doc *ref, const char *word) {
    const char **names = sn_calloc(l->n + 1, sizeof *names);
    if (!names) return SEQNET_ENOMEM;
    names[0] = l->arch->input_name;
    for (size_t i = 0; i < l->n; i++) names[i + 1] = l->names[i].name;
    int rc = sn_doc_unknown(ref, "layer to read from (layers read from layers before them)", word, names, (int)l->n + 1);
    free(names);
    return rc;
}

int sn_layers_find(const struct sn_arch_layers *l, const struct sn_doc *ref, const char *self, int *node) {
    const char *word;
    SN_TRY(sn_doc_text(ref, "the name of a layer", &word));
    for (size_t i = l->n; i-- > 0;) {
        if (strcmp(l->names[i].name, word) != 0) continue;
        *node = l->names[i].node;
        return 0;
    }
    *node = 0;
    if (strcmp(word, l->arch->input_name) == 0 || strcmp(word, l->arch->graph->nodes[0].name) == 0) return 0;
    if (self && strcmp(word, self) == 0) return sn_doc_error(ref, "layer \"%s\" reads itself: a cycle", word);
    const struct sn_doc *later = named_in_text(l->list, word, NULL);
    if (later && later->line > 0)
        return sn_doc_error(ref,
                            "layer \"%s\" is defined later (line %d): a cycle or a forward reference; layers read from layers before them",
                            word, later->line);
    if (later) return sn_doc_error(ref, "layer \"%s\" is defined later: a cycle or a forward reference", word);
    return unknown_layer(l, ref, word);
}

/* WORD, WORD_1, WORD_2, ...: the first that is free, without trying all again for every layer. */
static int free_name(struct sn_arch_layers *l, const char *word, char out[SN_NAME_MAX]) {
    size_t k = 0;
    while (k < l->n_counts && strcmp(l->counts[k].word, word) != 0) k++;
    if (k == l->n_counts) {
        void *p = l->counts;
        SN_TRY(sn_grow(&p, &l->cap_counts, k + 1, sizeof *l->counts));
        l->counts = p;
        l->counts[l->n_counts++] = (struct sn_arch_count){.word = word};
    }
    do {
        int i = l->counts[k].next++;
        if (i == 0) snprintf(out, SN_NAME_MAX, "%.50s", word);
        if (i > 0) snprintf(out, SN_NAME_MAX, "%.50s_%d", word, i);
    } while (sn_graph_find(l->arch->graph, out) >= 0);
    return 0;
}

/* Name of a layer: `name:`, or by its type; checked against all others of the text and against names given by default. */
static int layer_name(struct sn_arch_layers *l, const struct sn_doc *body, const struct sn_op *op, char out[SN_NAME_MAX]) {
    const struct sn_doc *d = body ? sn_doc_get(body, "name") : NULL;
    const struct sn_graph *g = l->arch->graph;
    const char *word;
    if (!d) return free_name(l, op->name, out);
    /* canonical text carries the names of expanded nodes too */
    SN_TRY(sn_doc_name(d, "name of a layer", d->line > 0 ? MAX_LAYER_NAME : SN_NAME_MAX - 1, &word));
    const struct sn_doc *other = named_in_text(l->list, word, d);
    /* of two, the first one in the text gets here */
    if (other) return sn_doc_error(other, "two layers are called \"%s\", the first on line %d", word, d->line);
    if (strcmp(word, l->arch->input_name) == 0 || strcmp(word, g->nodes[0].name) == 0)
        return sn_doc_error(d, "\"%s\" is the name of the input", word);
    if (l->repeating) return free_name(l, word, out);
    int taken = sn_graph_find(g, word);
    if (taken >= 0) return sn_doc_error(d, "name \"%s\" is taken: the layer on line %d has it by default", word, g->nodes[taken].line);
    snprintf(out, SN_NAME_MAX, "%s", word);
    return 0;
}

/* ---- parameters ---- */

static int parse_regularizer(const struct sn_doc *d, const char *what, struct sn_param_value *v) {
    static const char *const names[] = {"l1", "l2"};
    SN_TRY(sn_doc_expect_map(d, what, names, 2));
    const struct sn_doc *l1 = sn_doc_get(d, "l1"), *l2 = sn_doc_get(d, "l2");
    v->l1 = v->l2 = 0;
    if (l1) SN_TRY(sn_doc_f64(l1, "l1", 0, 1e6, &v->l1));
    if (l2) SN_TRY(sn_doc_f64(l2, "l2", 0, 1e6, &v->l2));
    return 0;
}

static int parse_param(const struct sn_doc *d, const char *op, const struct sn_param_desc *desc, struct sn_param_value *v) {
    char what[128];
    int which = 0;
    bool yes = false;
    snprintf(what, sizeof what, "%.60s: %.60s", op, desc->name);
    v->set = true;
    switch (desc->type) {
    case SN_P_INT:
        if (desc->tasks && d->kind == SN_DOC_SCALAR && strcmp(d->text, "tasks") == 0) {
            v->i = SN_TASKS;
            return 0;
        }
        return sn_doc_i64(d, what, desc->min, desc->max, &v->i);
    case SN_P_FLOAT:
        return sn_doc_f64(d, what, desc->min, desc->max, &v->f);
    case SN_P_BOOL:
        SN_TRY(sn_doc_bool(d, what, &yes));
        break;
    case SN_P_ENUM:
        SN_TRY(sn_doc_choice(d, what, desc->choices, &which));
        break;
    case SN_P_REG:
        return parse_regularizer(d, what, v);
    }
    v->i = desc->type == SN_P_BOOL ? yes : which;
    return 0;
}

static int check_keys(const struct sn_doc *item, const struct sn_doc *body, const struct sn_op *op) {
    const char *names[SN_MAX_PARAMS + 3];
    int n = 0;
    for (const struct sn_param_desc *p = op->params; p && p->name; p++) names[n++] = p->name;
    names[n++] = "name";
    names[n++] = "inputs";
    if (op->flags & SN_OP_ACTIVATION) names[n++] = "activation";
    /* a misspelt key before the one that is missing because of it */
    if (body) SN_TRY(sn_doc_expect_map(body, op->name, names, n));
    for (const struct sn_param_desc *p = op->params; p && p->name; p++)
        if (p->required && !(body && sn_doc_get(body, p->name))) return sn_doc_error(item, "%s needs %s: %s", op->name, p->name, p->help);
    return 0;
}

static int parse_params(const struct sn_doc *body, struct sn_node *nd) {
    int i = 0;
    for (const struct sn_param_desc *p = nd->op->params; p && p->name; p++, i++) {
        const struct sn_doc *d = body ? sn_doc_get(body, p->name) : NULL;
        if (d) SN_TRY(parse_param(d, nd->op->name, p, &nd->p[i]));
    }
    return 0;
}

static int parse_inputs(const struct sn_arch_layers *l, const struct sn_doc *item, const struct sn_doc *body, const struct sn_op *op,
                        int *inputs, int *n) {
    const struct sn_doc *d = body ? sn_doc_get(body, "inputs") : NULL, *self = body ? sn_doc_get(body, "name") : NULL;
    const char *own = self && self->kind == SN_DOC_SCALAR ? self->text : NULL;
    inputs[0] = l->last;
    *n = 1;
    if (d && d->kind == SN_DOC_SCALAR) {
        SN_TRY(sn_layers_find(l, d, own, &inputs[0]));
    } else if (d) {
        SN_TRY(sn_doc_expect_list(d, "inputs"));
        *n = 0;
        for (const struct sn_doc *c = d->child; c; c = c->next) {
            if (*n == SN_MAX_INPUTS) return sn_doc_error(c, "%s reads at most %d layers", op->name, SN_MAX_INPUTS);
            SN_TRY(sn_layers_find(l, c, own, &inputs[(*n)++]));
        }
    }
    if (*n >= op->min_inputs && *n <= op->max_inputs) return 0;
    if (op->min_inputs == op->max_inputs)
        return sn_doc_error(d ? d : item, "%s reads %d layer%s, got %d%s", op->name, op->min_inputs, op->min_inputs == 1 ? "" : "s", *n,
                            d ? "" : "; name them with `inputs: [...]`");
    return sn_doc_error(d ? d : item, "%s reads %d to %d layers, got %d%s", op->name, op->min_inputs, op->max_inputs, *n,
                        d ? "" : "; name them with `inputs: [...]`");
}

/* ---- layers ---- */

static int add_node(struct sn_arch_layers *l, const struct sn_doc *at, const struct sn_op *op, const char *name, const int *inputs, int n) {
    struct sn_graph *g = l->arch->graph;
    if (g->n_nodes >= SN_MAX_NODES) return sn_doc_error(at, "more than %d layers", SN_MAX_NODES);
    int id = sn_graph_add(g, op, name, inputs, n);
    if (id < 0) return id;
    g->nodes[id].line = at->line;
    l->last = id;
    return id;
}

/* `activation:` becomes a node of its own, called LAYER_ACTIVATION. */
static int add_activation(struct sn_arch_layers *l, const struct sn_doc *d, int layer) {
    const char *words[128], *word;
    char name[SN_NAME_MAX];
    int n = 0;
    SN_TRY(sn_doc_text(d, "activation", &word));
    const struct sn_op *op = sn_op_find(strcmp(word, "auto") == 0 ? AUTO_OP : word);
    if (!op || !(op->flags & SN_OP_IS_ACT)) {
        words[n++] = "auto";
        for (int i = 0; sn_op_table[i] && n < 128; i++)
            if (sn_op_table[i]->flags & SN_OP_IS_ACT) words[n++] = sn_op_table[i]->name;
        return sn_doc_unknown(d, "activation", word, words, n);
    }
    snprintf(name, sizeof name, "%.50s_%.12s", l->arch->graph->nodes[layer].name, word);
    if (sn_graph_find(l->arch->graph, name) >= 0)
        return sn_doc_error(d, "name \"%s\" of the activation is taken by a layer before it", name);
    int id = add_node(l, d, op, name, &layer, 1);
    if (id < 0) return id;
    l->is_auto[id] = strcmp(word, "auto") == 0;
    return remember(l, name, id);
}

static int parse_layer(struct sn_arch_layers *l, const struct sn_doc *item, const struct sn_doc *body, const struct sn_op *op) {
    int inputs[SN_MAX_INPUTS], n;
    char name[SN_NAME_MAX];
    SN_TRY(check_keys(body ? body : item, body, op));
    SN_TRY(layer_name(l, body, op, name));
    SN_TRY(parse_inputs(l, item, body, op, inputs, &n));
    int id = add_node(l, body ? body : item, op, name, inputs, n);
    if (id < 0) return id;
    SN_TRY(parse_params(body, &l->arch->graph->nodes[id]));
    const struct sn_doc *act = body ? sn_doc_get(body, "activation") : NULL, *given = body ? sn_doc_get(body, "name") : NULL;
    if (act) SN_TRY(add_activation(l, act, id));
    /* the layer's name means its end; in a repeat the text's name is that of the latest round */
    SN_TRY(remember(l, name, l->last));
    return given && strcmp(given->text, name) != 0 ? remember(l, given->text, l->last) : 0;
}

/* `repeat: {times: N, layers: [...]}`. */
static int parse_repeat(struct sn_arch_layers *l, const struct sn_doc *item, const struct sn_doc *body) {
    static const char *const names[] = {"times", "layers"};
    int64_t times;
    if (!body) return sn_doc_error(item, "repeat needs {times: N, layers: [...]}");
    SN_TRY(sn_doc_expect_map(body, "repeat", names, 2));
    const struct sn_doc *t = sn_doc_get(body, "times"), *list = sn_doc_get(body, "layers");
    if (!t || !list) return sn_doc_error(body, "repeat needs %s", t ? "layers" : "times");
    SN_TRY(sn_doc_i64(t, "repeat: times", 1, SN_MAX_NODES, &times));
    l->repeating++;
    for (int64_t i = 0; i < times; i++) SN_TRY(parse_list(l, list));
    l->repeating--;
    return 0;
}

static int unknown_op(const struct sn_doc *at, const char *word) {
    const char *names[130];
    int n = 0;
    for (int i = 0; sn_op_table[i] && n < 128; i++)
        if (sn_op_table[i]->max_inputs > 0) names[n++] = sn_op_table[i]->name;
    names[n++] = "repeat";
    return sn_doc_unknown(at, "layer", word, names, n);
}

static int parse_list(struct sn_arch_layers *l, const struct sn_doc *list) {
    SN_TRY(sn_doc_expect_list(list, "layers"));
    if (!list->child) return sn_doc_error(list, "layers: the list is empty");
    if (list->n > SN_MAX_NODES) return sn_doc_error(list, "more than %d layers", SN_MAX_NODES);
    for (const struct sn_doc *item = list->child; item; item = item->next) {
        const struct sn_doc *body;
        const char *word;
        SN_TRY(item_word(item, &word, &body));
        const struct sn_op *op = sn_op_find(word);
        if (strcmp(word, "repeat") == 0) {
            SN_TRY(parse_repeat(l, item, body));
        } else if (!op || op->max_inputs == 0) { /* without inputs: encode, which the input is */
            return unknown_op(body ? body : item, word);
        } else {
            SN_TRY(parse_layer(l, item, body, op));
        }
    }
    return 0;
}

int sn_layers_parse(struct sn_arch_layers *l, const struct sn_doc *list) {
    l->list = list;
    l->is_auto = sn_calloc(SN_MAX_NODES, sizeof *l->is_auto);
    if (!l->is_auto) return SEQNET_ENOMEM;
    SN_TRY(sn_doc_expect_list(list, "layers"));
    return parse_list(l, list);
}
