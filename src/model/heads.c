/* Heads: which layer predicts, with which loss; and what `auto` means for the data at hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "model/arch_parts.h"

const struct sn_loss_word sn_loss_words[] = {
    {"binary_crossentropy", SN_LOSS_BCE, "sigmoid", SN_TASK_BINARY, "labels 0 and 1"},
    {"categorical_crossentropy", SN_LOSS_CCE, "softmax", SN_TASK_CLASSES, "classes"},
    {"mean_squared_error", SN_LOSS_MSE, "linear", SN_TASK_NUMBER, "numbers"},
    {NULL, SN_LOSS_BCE, NULL, SN_TASK_NONE, NULL},
};

const struct sn_loss_word *sn_loss_word(enum sn_loss_kind kind) {
    const struct sn_loss_word *w = sn_loss_words;
    while (w->kind != kind) w++;
    return w;
}

const struct sn_loss_word *sn_loss_for_data(enum sn_task_kind kind) {
    const struct sn_loss_word *w = sn_loss_words;
    while (w->word && w->data != kind) w++;
    return w->word ? w : sn_loss_words;
}

static bool is_logit(const struct sn_op *op) {
    return op && (op->flags & SN_OP_LOGIT);
}

/* sigmoid and softmax are demanded by name; any other end fits a loss that wants neither. */
static bool fits(const struct sn_loss_word *w, const struct sn_op *op) {
    return is_logit(sn_op_find(w->activation)) ? strcmp(op->name, w->activation) == 0 : !is_logit(op);
}

/* ---- reading ---- */

struct head_text {
    const struct sn_doc *at; /* for messages */
    const char *name;
    int node;
    const struct sn_loss_word *loss; /* NULL = auto */
    double weight;
};

static int parse_loss(const struct sn_doc *d, const struct sn_loss_word **out) {
    const char *names[8] = {"auto"};
    int n = 1, which;
    for (; sn_loss_words[n - 1].word; n++) names[n] = sn_loss_words[n - 1].word;
    names[n] = NULL;
    SN_TRY(sn_doc_choice(d, "loss", names, &which));
    *out = which == 0 ? NULL : &sn_loss_words[which - 1];
    return 0;
}

/* Puts the activation that stands for `auto` in its place: "dense_auto" becomes "dense_sigmoid". */
static int set_activation(struct sn_graph *g, int node, const char *word) {
    struct sn_node *nd = &g->nodes[node];
    char name[SN_NAME_MAX];
    snprintf(name, sizeof name, "%.*s%.12s", (int)(strlen(nd->name) - strlen("auto")), nd->name, word);
    if (sn_graph_find(g, name) >= 0) return sn_error(SEQNET_EARCH, "the name \"%s\" of the last activation is taken by a layer", name);
    memcpy(nd->name, name, sizeof name);
    nd->op = sn_op_find(word);
    return 0;
}

/* Settles what the text alone decides of the last head. */
static int settle(struct sn_arch *a, const struct head_text *t) {
    struct sn_graph *g = a->graph;
    int h = g->n_heads - 1;
    const struct sn_op *op = g->nodes[t->node].op;
    if (t->loss && a->auto_activation[h]) {
        a->auto_activation[h] = false;
        SN_TRY(set_activation(g, t->node, t->loss->activation));
    } else if (t->loss) {
        if (!fits(t->loss, op))
            return sn_doc_error(t->at, "loss %s needs %s as the last activation, but head \"%s\" ends with %s (layer \"%s\")",
                                t->loss->word, t->loss->activation, t->name, op->name, g->nodes[t->node].name);
    } else if (!a->auto_activation[h] && is_logit(op)) {
        const struct sn_loss_word *w = sn_loss_words;
        while (w->word && strcmp(w->activation, op->name) != 0) w++;
        g->heads[h].loss = w->kind;
        a->auto_loss[h] = false;
    }
    return 0;
}

static int add_head(struct sn_arch_layers *l, const struct head_text *t) {
    struct sn_arch *a = l->arch;
    struct sn_graph *g = a->graph;
    int h = g->n_heads;
    if (h == SN_MAX_HEADS) return sn_doc_error(t->at, "more than %d heads", SN_MAX_HEADS);
    if (t->node == 0) return sn_doc_error(t->at, "head \"%s\" reads the input; expected a layer", t->name);
    for (int i = 0; i < h; i++) {
        if (strcmp(g->heads[i].name, t->name) == 0) return sn_doc_error(t->at, "two heads are called \"%s\"", t->name);
        if (g->heads[i].node == t->node)
            return sn_doc_error(t->at, "heads \"%s\" and \"%s\" read the same layer", g->heads[i].name, t->name);
    }
    SN_TRY(sn_graph_add_head(g, t->name, t->node, t->loss ? t->loss->kind : SN_LOSS_BCE, t->weight));
    a->auto_loss[h] = t->loss == NULL;
    a->auto_activation[h] = l->is_auto[t->node];
    l->is_auto[t->node] = false;
    return settle(a, t);
}

static int parse_head(struct sn_arch_layers *l, const struct sn_doc *d) {
    static const char *const names[] = {"name", "layer", "loss", "weight"};
    struct head_text t = {.at = d, .name = "output", .node = l->last, .weight = 1};
    SN_TRY(sn_doc_expect_map(d, "a head", names, 4));
    const struct sn_doc *name = sn_doc_get(d, "name"), *layer = sn_doc_get(d, "layer"), *loss = sn_doc_get(d, "loss");
    const struct sn_doc *weight = sn_doc_get(d, "weight");
    if (name) SN_TRY(sn_doc_name(name, "name of a head", SN_NAME_MAX - 1, &t.name));
    if (layer) SN_TRY(sn_layers_find(l, layer, NULL, &t.node));
    if (loss) SN_TRY(parse_loss(loss, &t.loss));
    if (weight) SN_TRY(sn_doc_f64(weight, "weight of a head", 1e-9, 1e9, &t.weight));
    return add_head(l, &t);
}

/* Every layer must lead to a head, and `activation: auto` must stand at one. */
static int check_use(const struct sn_arch_layers *l) {
    const struct sn_graph *g = l->arch->graph;
    bool *used = sn_calloc((size_t)g->n_nodes, sizeof *used);
    int rc = 0;
    if (!used) return SEQNET_ENOMEM;
    for (int h = 0; h < g->n_heads; h++) used[g->heads[h].node] = true;
    for (int i = g->n_nodes - 1; i > 0 && rc == 0; i--) {
        const struct sn_node *nd = &g->nodes[i];
        struct sn_doc at = {.source = l->list->source, .line = nd->line};
        if (!used[i]) {
            rc = sn_doc_error(&at, "layer \"%s\" leads to no head", nd->name);
        } else if (l->is_auto[i]) {
            rc = sn_doc_error(&at, "activation auto is for the layer that a head reads; layer \"%s\" is inside",
                              g->nodes[nd->inputs[0]].name);
        }
        for (int k = 0; k < nd->n_inputs; k++) used[nd->inputs[k]] = true;
    }
    if (rc == 0 && !used[0]) rc = sn_doc_error(l->list, "no layer reads the input");
    free(used);
    return rc;
}

int sn_heads_parse(struct sn_arch_layers *l, const struct sn_doc *heads, const struct sn_doc *loss) {
    if (heads && loss) return sn_doc_error(loss, "loss stands in `heads` or in `training`, not in both");
    if (heads) {
        SN_TRY(sn_doc_expect_list(heads, "heads"));
        if (!heads->child) return sn_doc_error(heads, "heads: the list is empty");
        for (const struct sn_doc *d = heads->child; d; d = d->next) SN_TRY(parse_head(l, d));
    } else {
        struct head_text t = {.at = loss ? loss : l->list, .name = "output", .node = l->last, .weight = 1};
        if (loss) SN_TRY(parse_loss(loss, &t.loss));
        SN_TRY(add_head(l, &t));
    }
    return check_use(l);
}

/* ---- binding ---- */

static int bind_head(struct sn_arch *a, int h, enum sn_task_kind kind) {
    struct sn_graph *g = a->graph;
    struct sn_head *head = &g->heads[h];
    const struct sn_node *nd = &g->nodes[head->node];
    const struct sn_loss_word *want = sn_loss_for_data(kind), *have = sn_loss_word(head->loss);
    if (a->auto_activation[h]) {
        SN_TRY(set_activation(g, head->node, want->activation));
        head->loss = want->kind;
    } else if (a->auto_loss[h]) {
        if (!fits(want, nd->op))
            return sn_error(SEQNET_EDATA,
                            "the data have %s, which need the last activation %s; head \"%s\" ends with %s (layer \"%s\"). "
                            "Write `activation: auto` in the last layer to let the data decide",
                            want->data_word, want->activation, head->name, nd->op->name, nd->name);
        head->loss = want->kind;
    } else if (kind != SN_TASK_NONE && have != want && !(have->kind == SN_LOSS_MSE && kind == SN_TASK_BINARY)) {
        return sn_error(SEQNET_EDATA, "the data have %s, but head \"%s\" has the loss %s, which is for %s", want->data_word, head->name,
                        have->word, have->data_word);
    }
    a->auto_activation[h] = a->auto_loss[h] = false;
    return 0;
}

int sn_heads_bind(struct sn_arch *a, enum sn_task_kind kind) {
    for (int h = 0; h < a->graph->n_heads; h++) SN_TRY(bind_head(a, h, kind));
    a->training.loss = a->graph->heads[0].loss;
    return 0;
}
