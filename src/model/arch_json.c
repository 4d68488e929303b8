/* The canonical text of an architecture: every layer with its name, inputs and all parameters, in the order of the graph. */
#include <math.h>

#include "core/error.h"
#include "model/arch_parts.h"

static int write_input(struct sn_str *b, const struct sn_arch *a) {
    static const char *const policies[] = {"zero", "mean"}, *const strands[] = {"forward", "average", "max"};
    SN_TRY(sn_json_key(b, "inputs"));
    SN_TRY(sn_str_puts(b, "{"));
    SN_TRY(sn_json_key(b, a->input_name));
    SN_TRY(sn_str_printf(b, "{\"length\":%lld,\"alphabet\":", (long long)a->length));
    SN_TRY(sn_json_string(b, a->alphabet->name));
    return sn_str_printf(b, ",\"n_policy\":\"%s\",\"strand\":\"%s\"}}", policies[a->n_policy], strands[a->strand]);
}

static int write_param(struct sn_str *b, const struct sn_param_desc *p, const struct sn_param_value *v) {
    switch (p->type) {
    case SN_P_INT:
        return sn_str_printf(b, "%lld", (long long)v->i);
    case SN_P_FLOAT:
        return sn_json_f64(b, v->f);
    case SN_P_BOOL:
        return sn_str_puts(b, v->i ? "true" : "false");
    case SN_P_ENUM:
        return sn_json_string(b, p->choices[v->i]);
    case SN_P_REG:
        break;
    }
    SN_TRY(sn_str_puts(b, "{\"l1\":"));
    SN_TRY(sn_json_f64(b, v->l1));
    SN_TRY(sn_str_puts(b, ",\"l2\":"));
    SN_TRY(sn_json_f64(b, v->l2));
    return sn_str_puts(b, "}");
}

static int write_layer(struct sn_str *b, const struct sn_graph *g, const struct sn_node *nd) {
    SN_TRY(sn_json_sep(b));
    SN_TRY(sn_str_puts(b, "{"));
    SN_TRY(sn_json_key(b, nd->op->name));
    SN_TRY(sn_str_puts(b, "{\"name\":"));
    SN_TRY(sn_json_string(b, nd->name));
    SN_TRY(sn_str_puts(b, ",\"inputs\":["));
    for (int i = 0; i < nd->n_inputs; i++) {
        SN_TRY(sn_json_sep(b));
        SN_TRY(sn_json_string(b, g->nodes[nd->inputs[i]].name));
    }
    SN_TRY(sn_str_puts(b, "]"));
    for (int i = 0; nd->op->params && nd->op->params[i].name; i++) {
        const struct sn_param_desc *p = &nd->op->params[i];
        bool none = p->type == SN_P_REG ? nd->p[i].l1 == 0 && nd->p[i].l2 == 0 : isnan(p->def) && !nd->p[i].set;
        if (none) continue;
        SN_TRY(sn_json_key(b, p->name));
        SN_TRY(write_param(b, p, &nd->p[i]));
    }
    return sn_str_puts(b, "}}");
}

static int write_head(struct sn_str *b, const struct sn_graph *g, const struct sn_head *h) {
    SN_TRY(sn_json_sep(b));
    SN_TRY(sn_str_puts(b, "{\"name\":"));
    SN_TRY(sn_json_string(b, h->name));
    SN_TRY(sn_str_puts(b, ",\"layer\":"));
    SN_TRY(sn_json_string(b, g->nodes[h->node].name));
    SN_TRY(sn_str_printf(b, ",\"loss\":\"%s\",\"weight\":", sn_loss_word(h->loss)->word));
    SN_TRY(sn_json_f64(b, h->weight));
    return sn_str_puts(b, "}");
}

int sn_arch_to_json(const struct sn_arch *a, struct sn_str *out) {
    const struct sn_graph *g = a->graph;
    if (!sn_arch_bound(a)) return sn_error(SEQNET_EINVAL, "%s: tasks and length are not fixed yet", a->origin);
    SN_TRY(sn_str_puts(out, "{\"name\":"));
    SN_TRY(sn_json_string(out, a->name));
    SN_TRY(write_input(out, a));
    SN_TRY(sn_json_key(out, "layers"));
    SN_TRY(sn_str_puts(out, "["));
    for (int i = 1; i < g->n_nodes; i++) SN_TRY(write_layer(out, g, &g->nodes[i]));
    SN_TRY(sn_str_puts(out, "]"));
    SN_TRY(sn_json_key(out, "heads"));
    SN_TRY(sn_str_puts(out, "["));
    for (int h = 0; h < g->n_heads; h++) SN_TRY(write_head(out, g, &g->heads[h]));
    SN_TRY(sn_str_puts(out, "]"));
    SN_TRY(sn_json_key(out, "training"));
    SN_TRY(sn_training_json(out, &a->training));
    return sn_str_puts(out, "}");
}
