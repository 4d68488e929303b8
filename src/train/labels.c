/* What the labels say before any training: frequencies, class weights, output biases, the loss to expect. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "train/parts.h"

#define SN_FMA(a, b, c) ((a) * (b) + (c))
#include "cpu/tmpl/mathfn.h"

#define NAMES_SHOWN 5

void sn_rows_free(struct sn_rows *r) {
    free(r->ids);
    *r = (struct sn_rows){0};
}

int sn_head_width(const struct sn_graph *g, int head) {
    return (int)g->nodes[g->heads[head].logits].out.ch;
}

static const float *targets_of(const struct sn_rows *r, int64_t i) {
    return r->d->targets + r->ids[i] * r->d->n_tasks;
}

/* ---- checks ------------------------------------------------------------------------------------------------------------------------ */

/* Whether task t has two different values among its observed targets. */
static bool varies(const struct sn_rows *r, int t) {
    float first = NAN;
    for (int64_t i = 0; i < r->n; i++) {
        float v = targets_of(r, i)[t];
        if (isnan(v) || v == first) continue;
        if (!isnan(first)) return true;
        first = v;
    }
    return false;
}

static int check_classes(const struct sn_rows *r, const char *what) {
    int present = 0, last = 0;
    for (int t = 0; t < r->d->n_tasks; t++) {
        bool seen = false;
        for (int64_t i = 0; i < r->n && !seen; i++) seen = targets_of(r, i)[t] > 0.5f;
        present += seen;
        if (seen) last = t;
    }
    if (present >= 2) return 0;
    return sn_error(SEQNET_EDATA, "%s: expected at least two classes among the %lld sequences, got %s%s", what, (long long)r->n,
                    present ? "only " : "none", present ? r->d->tasks[last] : "");
}

int sn_labels_check(const struct sn_rows *r, const char *what, const struct sn_sink *sink) {
    const struct sn_dataset *d = r->d;
    bool number = d->kind == SN_TASK_NUMBER;
    struct sn_str list = {0};
    int flat = 0, rc = 0;
    if (d->kind == SN_TASK_CLASSES) return check_classes(r, what);
    for (int t = 0; t < d->n_tasks; t++) {
        if (varies(r, t)) continue;
        if (flat++ < NAMES_SHOWN) SN_GO(sn_str_printf(&list, "%s%s", flat > 1 ? ", " : "", d->tasks[t]));
    }
    if (flat == d->n_tasks)
        SN_GO(sn_error(SEQNET_EDATA, "%s: expected %s of label %s among the %lld sequences, got only one", what,
                       number ? "different values" : "both classes, 0 and 1,", list.s, (long long)r->n));
    if (flat)
        sn_log(sink, SN_LOG_WARN, "%s: %d of %d labels have a single value (%s%s)", what, flat, d->n_tasks, list.s,
               flat > NAMES_SHOWN ? ", ..." : "");
done:
    sn_str_free(&list);
    return rc;
}

/* ---- frequencies ------------------------------------------------------------------------------------------------------------------- */

static void measure(const struct sn_rows *r, struct sn_label_stats *s) {
    for (int64_t i = 0; i < r->n; i++)
        for (int t = 0; t < s->n_tasks; t++) {
            float v = targets_of(r, i)[t];
            if (isnan(v)) continue;
            s->count[t]++;
            s->mean[t] += v;
        }
    for (int t = 0; t < s->n_tasks; t++)
        if (s->count[t] > 0) s->mean[t] /= s->count[t];
    for (int64_t i = 0; i < r->n; i++)
        for (int t = 0; t < s->n_tasks; t++) {
            double e = targets_of(r, i)[t] - s->mean[t];
            if (!isnan(e)) s->sd[t] += e * e;
        }
    for (int t = 0; t < s->n_tasks; t++)
        if (s->count[t] > 0) s->sd[t] = sqrt(s->sd[t] / s->count[t]);
}

/* n / (k * count); a class without samples keeps 1. */
static sn_real balance(double n, int classes, double count) {
    return (sn_real)(count > 0 ? n / (classes * count) : 1);
}

static void weigh(const struct sn_arch *a, struct sn_label_stats *s) {
    const struct sn_graph *g = a->graph;
    for (int h = 0, at = 0; h < g->n_heads; at += sn_head_width(g, h++)) {
        int width = sn_head_width(g, h), present = 0;
        sn_real *cw = s->cw + 2 * at;
        for (int t = at; t < at + width; t++) present += s->mean[t] > 0;
        for (int t = at; t < at + width; t++) {
            double n = s->count[t], ones = n * s->mean[t];
            if (g->heads[h].loss == SN_LOSS_CCE) {
                cw[t - at] = balance(n, present, ones);
            } else {
                cw[2 * (t - at)] = balance(n, 2, n - ones);
                cw[2 * (t - at) + 1] = balance(n, 2, ones);
            }
        }
    }
}

/* Weighted counts of 0 and 1 of a binary task, kept off nothing so that their logarithms exist. */
static void weighted_counts(const struct sn_label_stats *s, int t, double count[2]) {
    double ones = s->count[t] * s->mean[t];
    count[0] = s->count[t] - ones;
    count[1] = ones;
    for (int c = 0; c < 2; c++) {
        if (s->cw) count[c] *= s->cw[2 * t + c];
        if (!(count[c] > 0)) count[c] = 0.5;
    }
}

static double weighted_class(const struct sn_label_stats *s, int at, int t) {
    double n = s->count[t] * s->mean[t];
    if (s->cw) n *= s->cw[2 * at + t - at];
    return n > 0 ? n : 0.5;
}

static double ln(double x) {
    return sn_m_log((sn_real)x);
}

static double expected_of_head(const struct sn_label_stats *s, enum sn_loss_kind loss, bool standardize, int at, int width) {
    double sum = 0, n = 0, all = 0;
    for (int t = at; t < at + width && loss == SN_LOSS_CCE; t++) all += weighted_class(s, at, t);
    for (int t = at; t < at + width; t++) {
        double c[2];
        weighted_counts(s, t, c);
        if (loss == SN_LOSS_MSE) sum += s->count[t] * (standardize ? (s->sd[t] > 0) : s->sd[t] * s->sd[t]);
        if (loss == SN_LOSS_BCE && s->count[t] > 0) sum -= c[0] * ln(c[0] / (c[0] + c[1])) + c[1] * ln(c[1] / (c[0] + c[1]));
        if (loss == SN_LOSS_CCE && s->mean[t] > 0) sum -= weighted_class(s, at, t) * ln(weighted_class(s, at, t) / all);
        n = loss == SN_LOSS_CCE ? s->count[t] : n + s->count[t];
    }
    return n > 0 ? sum / n : 0;
}

int sn_label_stats_make(const struct sn_rows *train, const struct sn_arch *a, const struct sn_sink *sink, struct sn_label_stats *out) {
    const struct sn_graph *g = a->graph;
    size_t n = (size_t)train->d->n_tasks;
    *out = (struct sn_label_stats){.n_tasks = (int)n};
    SN_TRY(sn_labels_check(train, "training set", sink));
    out->count = sn_calloc(n, sizeof *out->count);
    out->mean = sn_calloc(n, sizeof *out->mean);
    out->sd = sn_calloc(n, sizeof *out->sd);
    if (!out->count || !out->mean || !out->sd) return SEQNET_ENOMEM;
    measure(train, out);
    if (a->training.balanced_class_weight && train->d->kind != SN_TASK_NUMBER) {
        out->cw = sn_calloc(2 * n, sizeof *out->cw);
        if (!out->cw) return SEQNET_ENOMEM;
        weigh(a, out);
    }
    for (int h = 0, at = 0; h < g->n_heads; at += sn_head_width(g, h++))
        out->expected += g->heads[h].weight * expected_of_head(out, g->heads[h].loss, a->training.standardize, at, sn_head_width(g, h));
    return 0;
}

void sn_label_stats_free(struct sn_label_stats *s) {
    free(s->count);
    free(s->mean);
    free(s->sd);
    free(s->cw);
    *s = (struct sn_label_stats){0};
}

/* ---- into the model ------------------------------------------------------------------------------------------------------------------ */

static bool standardized(const struct sn_arch *a) {
    for (int h = 0; h < a->graph->n_heads; h++)
        if (a->graph->heads[h].loss != SN_LOSS_MSE) return false;
    return a->training.standardize;
}

/* The layer that makes a head's logits, seen through activations that change nothing. */
static sn_real *output_bias(struct sn_model *m, int head) {
    const struct sn_graph *g = m->arch->graph;
    const struct sn_node *nd = &g->nodes[g->heads[head].logits];
    while (strcmp(nd->op->name, "linear") == 0) nd = &g->nodes[nd->inputs[0]];
    for (int w = 0; w < nd->n_weights; w++)
        if (strcmp(nd->weights[w].name, "bias") == 0 && sn_weight_count(&nd->weights[w]) == sn_head_width(g, head))
            return m->params + nd->weight_offset[w];
    return NULL;
}

static void set_bias(const struct sn_label_stats *s, struct sn_model *m, int head, int at, sn_real *bias) {
    const struct sn_graph *g = m->arch->graph;
    for (int t = at; t < at + sn_head_width(g, head); t++) {
        double c[2];
        weighted_counts(s, t, c);
        switch (g->heads[head].loss) {
        case SN_LOSS_BCE:
            bias[t - at] = (sn_real)(s->count[t] > 0 ? ln(c[1] / c[0]) : 0);
            break;
        case SN_LOSS_CCE:
            bias[t - at] = (sn_real)ln(weighted_class(s, at, t) / s->count[t]);
            break;
        case SN_LOSS_MSE:
            bias[t - at] = (sn_real)(m->target_mean ? 0 : s->mean[t]);
            break;
        }
    }
}

int sn_label_stats_apply(const struct sn_label_stats *s, struct sn_model *m) {
    const struct sn_graph *g = m->arch->graph;
    if (standardized(m->arch)) {
        m->target_mean = sn_calloc((size_t)s->n_tasks, sizeof *m->target_mean);
        m->target_sd = sn_calloc((size_t)s->n_tasks, sizeof *m->target_sd);
        if (!m->target_mean || !m->target_sd) return SEQNET_ENOMEM;
        for (int t = 0; t < s->n_tasks; t++) {
            m->target_mean[t] = (float)s->mean[t];
            m->target_sd[t] = (float)s->sd[t] > 0 ? (float)s->sd[t] : 1;
        }
    }
    for (int h = 0, at = 0; h < g->n_heads && m->arch->training.bias_from_labels; at += sn_head_width(g, h++)) {
        sn_real *bias = output_bias(m, h);
        if (bias) set_bias(s, m, h, at, bias);
    }
    return 0;
}

/* ---- targets of a batch -------------------------------------------------------------------------------------------------------------- */

int64_t sn_targets_fill(const struct sn_model *m, const float *targets, const int64_t *ids, int n, int head, int at, sn_real *out) {
    int width = sn_head_width(m->arch->graph, head);
    int64_t observed = 0;
    for (int i = 0; i < n; i++) {
        const float *row = targets + (ids ? ids[i] : i) * m->n_tasks + at;
        int seen = 0;
        for (int t = 0; t < width; t++) {
            sn_real v = row[t];
            if (m->target_mean) v = (v - (sn_real)m->target_mean[at + t]) / (sn_real)m->target_sd[at + t];
            out[(int64_t)i * width + t] = v;
            seen += !isnan(v);
        }
        observed += m->arch->graph->heads[head].loss == SN_LOSS_CCE ? seen == width : seen;
    }
    return observed;
}
