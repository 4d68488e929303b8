/* Before the first step: options over the architecture's text, the architecture fitted to the data, rows held out. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "train/parts.h"

/* ---- options ---------------------------------------------------------------------------------------------------------------------------
 */

/* Another optimizer than the text's: its learning rate is unknown there, so Keras' default stands. */
static void override_optimizer(const seqnet_train_options *o, struct sn_training *t, const struct sn_sink *sink) {
    if (!o->optimizer) return;
    int asked = strcmp(o->optimizer, "sgd") == 0 ? SN_SGD : SN_ADAM;
    if (asked == (int)t->optimizer) return;
    if (asked == SN_SGD)
        t->optimizer = SN_SGD;
    else
        t->optimizer = SN_ADAM;
    t->learning_rate = asked == SN_SGD ? 0.01 : 0.001;
    t->momentum = 0;
    t->nesterov = false;
    if (isnan(o->learning_rate)) sn_log(sink, SN_LOG_INFO, "optimizer %s: learning rate %g", o->optimizer, t->learning_rate);
}

static void override_regularizers(const seqnet_train_options *o, struct sn_graph *g) {
    for (int i = 0; i < g->n_nodes; i++) {
        struct sn_node *nd = &g->nodes[i];
        for (int k = 0; nd->op->params && nd->op->params[k].name; k++) {
            if (nd->op->params[k].type != SN_P_REG) continue;
            if (!isnan(o->l1)) nd->p[k].l1 = o->l1;
            if (!isnan(o->l2)) nd->p[k].l2 = o->l2;
            nd->p[k].set = nd->p[k].set || !isnan(o->l1) || !isnan(o->l2);
        }
    }
}

/* Single-stranded data are not shown reverse-complemented either, unless asked for. */
static int override_strand(const char *strand, struct sn_arch *a) {
    static const char *const words[] = {[SN_STRAND_FORWARD] = "forward", [SN_STRAND_AVERAGE] = "average", [SN_STRAND_MAX] = "max"};
    for (int i = 0; strand && i < 3; i++)
        if (strcmp(strand, words[i]) == 0) a->strand = (enum sn_strand)i;
    if (a->strand != SN_STRAND_FORWARD && !a->alphabet->has_complement)
        return sn_error(SEQNET_EINVAL, "strand %s: the alphabet %s has no complement", strand, a->alphabet->name);
    if (strand && a->strand == SN_STRAND_FORWARD) a->training.reverse_complement = false;
    return 0;
}

int sn_train_override(const seqnet_train_options *o, struct sn_arch *a, const struct sn_sink *sink) {
    struct sn_training *t = &a->training;
    override_optimizer(o, t, sink);
    override_regularizers(o, a->graph);
    if (o->epochs > 0) t->epochs = o->epochs;
    if (o->min_steps >= 0) t->min_steps = o->min_steps;
    if (o->batch_size > 0) t->batch_size = o->batch_size;
    if (!isnan(o->learning_rate)) t->learning_rate = o->learning_rate;
    if (o->schedule && strcmp(o->schedule, "constant") == 0) t->schedule = SN_LR_CONSTANT;
    if (o->schedule && strcmp(o->schedule, "one_cycle") == 0 && t->schedule != SN_LR_ONE_CYCLE) {
        t->schedule = SN_LR_ONE_CYCLE;
        t->warmup_fraction = 0.25;
        t->start_fraction = 0.1;
    }
    if (!isnan(o->momentum)) t->momentum = o->momentum;
    if (o->nesterov >= 0) t->nesterov = o->nesterov;
    if (!isnan(o->clipnorm)) t->clipnorm = o->clipnorm;
    if (o->patience >= 0) t->patience = o->patience;
    SN_TRY(override_strand(o->strand, a));
    if (o->reverse_complement >= 0) t->reverse_complement = o->reverse_complement;
    if (o->shift >= 0) t->shift = o->shift;
    if (o->class_weight) t->balanced_class_weight = strcmp(o->class_weight, "balanced") == 0;
    if (!isnan(o->valid_fraction)) t->validation_fraction = o->valid_fraction;
    return 0;
}

/* ---- fitting --------------------------------------------------------------------------------------------------------------------------
 */

static int check_row(const struct sn_arch *a, const struct sn_dataset *d, int64_t i, int32_t *lengths) {
    long long len = sn_dataset_len(d, i), row = i + 1;
    if (a->length > 0 && len > a->length)
        return sn_error(SEQNET_EDATA, "sequence %lld (%s): %lld positions, the architecture %s reads %lld", row, d->names[i], len, a->name,
                        (long long)a->length);
    if (a->length > 0 || len >= a->graph->min_len) return 0;
    int rc = sn_graph_lengths(a->graph, len, lengths);
    if (rc == 0) rc = sn_error(SEQNET_EDATA, "the architecture %s reads at least %lld", a->name, (long long)a->graph->min_len);
    return sn_error_prefix(rc, "sequence %lld (%s): %lld positions", row, d->names[i], len);
}

static int check_rows(const struct sn_arch *a, const struct sn_dataset *d, const char *what) {
    int32_t *lengths = sn_calloc((size_t)a->graph->n_nodes, sizeof *lengths);
    int rc = lengths ? 0 : SEQNET_ENOMEM;
    for (int64_t i = 0; i < d->n && rc == 0; i++) rc = check_row(a, d, i, lengths);
    free(lengths);
    return rc < 0 ? sn_error_prefix(rc, "%s", what) : 0;
}

static int check_set(const struct sn_arch *a, const struct sn_dataset *d, const char *what) {
    if (d->alphabet != a->alphabet)
        return sn_error(SEQNET_EDATA, "%s: %s sequences, the architecture %s reads %s", what, d->alphabet->name, a->name,
                        a->alphabet->name);
    if (d->n == 0) return sn_error(SEQNET_EDATA, "%s: no sequences", what);
    if (!d->targets || d->n_tasks == 0 || d->kind == SN_TASK_NONE) return sn_error(SEQNET_EDATA, "%s: no labels", what);
    return 0;
}

/* What options set must be what a model file may say, or the trained model could not be read. */
static int check_storable(const struct sn_arch *a) {
    struct sn_str text = {0};
    struct sn_arch *copy = NULL;
    int rc = 0;
    SN_GO(sn_arch_to_json(a, &text));
    SN_GO(sn_arch_from_json(text.s, text.n, "training options", &copy));
done:
    sn_arch_free(copy);
    sn_str_free(&text);
    return rc;
}

int sn_train_bind(struct sn_arch *a, const struct sn_dataset *data, const struct sn_dataset *valid) {
    SN_TRY(check_set(a, data, "training data"));
    int64_t longest = sn_dataset_longest(data);
    if (valid) {
        SN_TRY(check_set(a, valid, "validation data"));
        if (valid->kind != data->kind || valid->n_tasks != data->n_tasks)
            return sn_error(SEQNET_EDATA, "validation data: %d labels, the training data have %d, of the same kind", valid->n_tasks,
                            data->n_tasks);
        if (sn_dataset_longest(valid) > longest) longest = sn_dataset_longest(valid);
    }
    if (a->training.reverse_complement && !a->alphabet->has_complement)
        return sn_error(SEQNET_EINVAL, "augmentation by reverse complement: %s has no complement", a->alphabet->name);
    SN_TRY(sn_arch_bind(a, data->kind, data->n_tasks, longest, longest));
    SN_TRY(check_storable(a));
    SN_TRY(check_rows(a, data, "training data"));
    return valid ? check_rows(a, valid, "validation data") : 0;
}

/* ---- splitting ------------------------------------------------------------------------------------------------------------------------
 */

/* Rows i with mark[i] == value; mark NULL: all. */
static int take_rows(const struct sn_dataset *d, const uint8_t *mark, uint8_t value, struct sn_rows *out) {
    *out = (struct sn_rows){.d = d, .ids = sn_calloc((size_t)d->n, sizeof *out->ids)};
    if (!out->ids) return SEQNET_ENOMEM;
    for (int64_t i = 0; i < d->n; i++)
        if (!mark || mark[i] == value) out->ids[out->n++] = i;
    return 0;
}

static int hold_out(const seqnet_train_options *o, const struct sn_training *t, const struct sn_dataset *data, const struct sn_sink *sink,
                    struct sn_rows *train, struct sn_rows *held, struct sn_str *how) {
    struct sn_split_options split = {.fraction = t->validation_fraction, .chroms = o->valid_chroms, .seed = o->seed, .sink = sink};
    int rc = 0;
    if (!split.chroms && data->at) split.chroms = "auto";
    if (!o->valid_chroms && !(split.fraction > 0))
        return sn_error(SEQNET_EINVAL,
                        "no validation data: the best epoch is chosen on sequences held out; give validation data, chromosomes, or a "
                        "fraction above 0");
    uint8_t *mark = sn_calloc((size_t)data->n, 1);
    SN_GO(mark ? 0 : SEQNET_ENOMEM);
    SN_GO(sn_dataset_split(data, &split, mark, how));
    SN_GO(take_rows(data, mark, 0, train));
    SN_GO(take_rows(data, mark, 1, held));
done:
    free(mark);
    return rc;
}

int sn_train_split(const seqnet_train_options *o, const struct sn_training *t, const struct sn_dataset *data,
                   const struct sn_dataset *valid, const struct sn_sink *sink, struct sn_rows *train, struct sn_rows *held,
                   struct sn_str *how) {
    if (valid) {
        SN_TRY(take_rows(data, NULL, 0, train));
        SN_TRY(take_rows(valid, NULL, 0, held));
        SN_TRY(sn_str_printf(how, "the given set (%lld sequences)", (long long)valid->n));
    } else {
        SN_TRY(hold_out(o, t, data, sink, train, held, how));
    }
    if (train->n == 0 || held->n == 0)
        return sn_error(SEQNET_EDATA, "validation by %s leaves %lld sequences for training and %lld for validation", how->s,
                        (long long)train->n, (long long)held->n);
    return sn_labels_check(held, "validation set", sink);
}
