/* How DeepLIFT passes each node of a plan, and which nodes speak of differences in two parts. */
#include "core/error.h"
#include "graph/plan_parts.h"

static void find_linear(struct sn_plan *p) {
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const struct sn_node *nd = &p->graph->nodes[i];
        int *found = &p->place[i].linear;
        bool own = nd->op->flags & SN_OP_SIGNED;
        *found = !own ? 0 : nd->op->flags & SN_OP_CODES ? SN_AFTER_CONV : SN_AFTER_DENSE;
        for (int k = 0; nd->op->rule == SN_ATTR_LINEAR && !own && k < nd->n_inputs; k++) *found |= p->place[nd->inputs[k]].linear;
    }
}

static enum sn_attr_rule choose(const struct sn_plan *p, const struct sn_node *nd) {
    if (nd->op->rule != SN_ATTR_RESCALE || p->o.rule == SN_RULE_RESCALE) return nd->op->rule;
    bool cancel = p->o.rule == SN_RULE_REVEAL_CANCEL || p->place[nd->inputs[0]].linear == SN_AFTER_DENSE;
    return cancel ? SN_ATTR_REVEAL_CANCEL : SN_ATTR_RESCALE;
}

bool sn_rule_wants_parts(const struct sn_node *nd) {
    if (nd->rule == SN_ATTR_REVEAL_CANCEL) return true;
    return nd->parts && nd->rule != SN_ATTR_COLLAPSE && !(nd->op->flags & SN_OP_SIGNED);
}

bool sn_rule_begins_parts(const struct sn_node *nd) {
    return nd->parts && (nd->id == 0 || nd->rule == SN_ATTR_COLLAPSE);
}

bool sn_rule_shares_parts(const struct sn_plan *p, const struct sn_node *nd) {
    return p->place[nd->id].alias && !(nd->parts && nd->op->split);
}

static int check(const struct sn_plan *p, const struct sn_node *nd) {
    bool alias = p->place[nd->id].alias;
    if (nd->id > 0 && !alias && (nd->rule == SN_ATTR_NONE || !nd->op->attribute))
        return sn_error(SEQNET_ENOTSUP, "layer %s (%s) has no DeepLIFT rule", nd->name, nd->op->name);
    if (nd->parts && !sn_rule_begins_parts(nd) && !alias && !nd->op->split)
        return sn_error(SEQNET_ENOTSUP, "layer %s (%s) has no rule for Reveal-Cancel", nd->name, nd->op->name);
    return 0;
}

int sn_plan_rules(struct sn_plan *p) {
    struct sn_graph *g = p->graph;
    find_linear(p);
    for (int i = g->n_nodes - 1; i >= 0 && p->o.mode == SN_ATTRIBUTE; i--) {
        struct sn_node *nd = &g->nodes[i];
        if (!p->place[i].active) continue;
        nd->rule = choose(p, nd); /* its readers have told whether it speaks in parts */
        SN_TRY(check(p, nd));
        for (int k = 0; k < nd->n_inputs && sn_rule_wants_parts(nd); k++) g->nodes[nd->inputs[k]].parts = true;
    }
    return 0;
}
