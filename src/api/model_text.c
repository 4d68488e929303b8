/* What `seqnet info` shows of a model. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "core/file.h"
#include "core/parse.h"

#define LOOK_LENGTH 1000 /* bases: a variable-length architecture is shown for rows of this length, or its shortest */
#define LOOK_ROWS 64     /* rows of a batch of inference, and of references in attribution, in the memory plan */

static int64_t look_length(const struct sn_model *m, int64_t length) {
    if (m->arch->length > 0) return m->arch->length;
    if (length > 0) return length;
    if (m->data_length > 0) return m->data_length;
    return m->arch->graph->min_len > LOOK_LENGTH ? m->arch->graph->min_len : LOOK_LENGTH;
}

/* ---- layers ---- */

/* Does the parameter say more than its default? */
static bool is_default(const struct sn_param_desc *d, const struct sn_param_value *v) {
    if (d->required) return false;
    if (d->type == SN_P_REG) return v->l1 == 0 && v->l2 == 0;
    if (d->type == SN_P_FLOAT) return v->f == d->def;
    return !v->set || (double)v->i == d->def;
}

static int add_value(const struct sn_param_desc *d, const struct sn_param_value *v, struct sn_str *s) {
    char a[32], b[32];
    switch (d->type) {
    case SN_P_INT:
        return sn_str_printf(s, "%s %lld", d->name, (long long)v->i);
    case SN_P_BOOL:
        return sn_str_printf(s, "%s%s", v->i ? "" : "no ", d->name);
    case SN_P_FLOAT:
        return sn_str_printf(s, "%s %s", d->name, sn_format_f64(v->f, a));
    case SN_P_ENUM:
        return sn_str_printf(s, "%s %s", d->name, d->choices[v->i]);
    default:
        if (v->l2 == 0) return sn_str_printf(s, "%s l1 %s", d->name, sn_format_f64(v->l1, a));
        if (v->l1 == 0) return sn_str_printf(s, "%s l2 %s", d->name, sn_format_f64(v->l2, b));
        return sn_str_printf(s, "%s l1 %s l2 %s", d->name, sn_format_f64(v->l1, a), sn_format_f64(v->l2, b));
    }
}

/* The parameters that differ from their defaults: "filters 64, kernel_size 11". */
static int add_params(const struct sn_node *nd, struct sn_str *s) {
    bool first = true;
    for (int i = 0; nd->op->params && nd->op->params[i].name; i++) {
        if (is_default(&nd->op->params[i], &nd->p[i])) continue;
        SN_TRY(sn_str_puts(s, first ? "  " : ", "));
        SN_TRY(add_value(&nd->op->params[i], &nd->p[i], s));
        first = false;
    }
    return 0;
}

/* Inputs are named where they are not simply the layer above. */
static int add_inputs(const struct sn_graph *g, const struct sn_node *nd, struct sn_str *s) {
    if (nd->n_inputs == 0 || (nd->n_inputs == 1 && nd->inputs[0] == nd->id - 1)) return 0;
    SN_TRY(sn_str_puts(s, "  reads "));
    for (int i = 0; i < nd->n_inputs; i++) SN_TRY(sn_str_printf(s, "%s%s", i ? ", " : "", g->nodes[nd->inputs[i]].name));
    return 0;
}

static int add_layer(const struct sn_graph *g, const struct sn_node *nd, int32_t len, struct sn_str *s) {
    char shape[48];
    int64_t n = 0;
    for (int w = 0; w < nd->n_weights; w++) n += sn_weight_count(&nd->weights[w]);
    if (nd->out.seq)
        snprintf(shape, sizeof shape, "%d x %lld", len, (long long)nd->out.ch);
    else
        snprintf(shape, sizeof shape, "%lld", (long long)nd->out.ch);
    SN_TRY(sn_str_printf(s, "  %-26s %14s %12lld", nd->name, shape, (long long)n));
    SN_TRY(add_params(nd, s));
    SN_TRY(add_inputs(g, nd, s));
    return sn_str_puts(s, "\n");
}

static int add_architecture(const struct sn_model *m, int64_t length, struct sn_str *s) {
    const struct sn_graph *g = m->arch->graph;
    int rc = 0;
    int32_t *len = sn_calloc((size_t)g->n_nodes, sizeof *len);
    if (!len) return SEQNET_ENOMEM;
    SN_GO(sn_graph_lengths(g, look_length(m, length), len));
    SN_GO(sn_str_printf(s, "  %-26s %14s %12s\n", "layer", "output", "parameters"));
    for (int i = 0; i < g->n_nodes; i++) SN_GO(add_layer(g, &g->nodes[i], len[i], s));
    SN_GO(sn_str_printf(s, "  %-26s %14s %12lld\n", "total", "", (long long)g->n_params));
done:
    free(len);
    return rc < 0 ? rc : 0;
}

/* ---- memory ---- */

static int add_plan(const seqnet_ctx *ctx, const struct sn_model *m, enum sn_mode mode, int64_t length, struct sn_str *s) {
    static const char *const names[] = {"predict, scan", "train", "explain"};
    struct sn_backend backend = ctx->backend;
    struct sn_plan *plan = NULL;
    struct sn_plan_memory mem;
    struct sn_plan_options o;
    int rc = 0, rows = mode == SN_TRAIN ? m->arch->training.batch_size : LOOK_ROWS;
    sn_arch_plan_options(m->arch, mode, length, rows, &o);
    if (mode == SN_ATTRIBUTE) o.max_pairs = rows;
    SN_GO(sn_plan_create(m->arch->graph, &backend, &o, &plan));
    sn_plan_memory(plan, &mem);
    SN_GO(sn_str_printf(s, "%s: rows of %lld, %d at a time\n", names[mode], (long long)length, rows));
    SN_GO(sn_str_printf(
        s, "  bytes: parameters %zu, gradients %zu, prepared weights %zu, activations %zu, workspace per worker %zu, batch %zu\n",
        mem.parameters, mem.gradients, mem.prepared, mem.activations, mem.workspace_per_worker, mem.batch_io));
    SN_GO(sn_plan_describe(plan, s));
done:
    sn_plan_free(plan);
    return rc < 0 ? rc : 0;
}

static int add_memory(const seqnet_ctx *ctx, const struct sn_model *m, int64_t length, struct sn_str *s) {
    for (int mode = SN_INFER; mode <= SN_ATTRIBUTE; mode++) SN_TRY(add_plan(ctx, m, (enum sn_mode)mode, look_length(m, length), s));
    return 0;
}

/* ---- card ---- */

static int add_tasks(const struct sn_model *m, struct sn_str *s) {
    SN_TRY(sn_str_printf(s, "%s:", m->kind == SN_TASK_CLASSES ? "classes" : "tasks"));
    for (int i = 0; i < m->n_tasks; i++) SN_TRY(sn_str_printf(s, "%s%s", i ? ", " : " ", m->tasks[i]));
    return sn_str_puts(s, "\n");
}

static int add_calibration(const struct sn_model *m, struct sn_str *s) {
    char a[32], b[32];
    if (m->n_quantiles == 0) return 0;
    const char *task = m->n_tasks > 0 ? m->tasks[0] : "";
    int top = m->n_quantiles - 1;
    SN_TRY(sn_str_printf(s, "calibration: %d quantiles of the score on held-out background; %s: %s at level %s\n", m->n_quantiles, task,
                         sn_format_f32(m->quantile[top], a), sn_format_f64(m->quantile_level[top], b)));
    return 0;
}

/* A value of the provenance in words; an inner object as "key value, key value", a list by its length. */
static int add_json(const json_t *value, struct sn_str *s) {
    const char *key;
    json_t *inner;
    bool first = true;
    switch (json_typeof(value)) {
    case JSON_STRING:
        return sn_str_puts(s, json_string_value(value));
    case JSON_INTEGER:
        return sn_str_printf(s, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    case JSON_REAL:
        return sn_str_printf(s, "%.6g", json_real_value(value));
    case JSON_ARRAY:
        return sn_str_printf(s, "%zu entries", json_array_size(value));
    case JSON_OBJECT:
        json_object_foreach((json_t *)value, key, inner) {
            SN_TRY(sn_str_printf(s, "%s%s ", first ? "" : ", ", key));
            SN_TRY(add_json(inner, s));
            first = false;
        }
        return 0;
    default:
        return sn_str_puts(s, json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "none");
    }
}

/* How it was made: the keys of the provenance in their order. */
static int add_provenance(const struct sn_model *m, struct sn_str *s) {
    json_t *root = m->provenance ? json_loads(m->provenance, 0, NULL) : NULL, *value;
    const char *key;
    int rc = 0;
    json_object_foreach(root, key, value) {
        SN_GO(sn_str_printf(s, "  %s: ", key));
        SN_GO(add_json(value, s));
        SN_GO(sn_str_puts(s, "\n"));
    }
done:
    json_decref(root);
    return rc < 0 ? rc : 0;
}

static int add_card(const struct sn_model *m, int64_t length, struct sn_str *s) {
    static const char *const strands[] = {"forward strand only", "both strands, averaged", "both strands, the larger"};
    const struct sn_arch *a = m->arch;
    char digest[9];
    SN_TRY(sn_model_digest(m, digest));
    SN_TRY(sn_str_printf(s, "%s: %s\n", m->path ? "model" : "architecture", a->name));
    if (m->path) SN_TRY(sn_str_printf(s, "file: %s\ndigest: %s\n", m->path, digest));
    SN_TRY(sn_str_printf(s, "input: %s, ", a->alphabet->name));
    if (a->length > 0)
        SN_TRY(sn_str_printf(s, "%lld bases", (long long)a->length));
    else
        SN_TRY(sn_str_printf(s, "%lld bases or more", (long long)a->graph->min_len));
    if (m->data_length > 0) SN_TRY(sn_str_printf(s, "; trained on up to %lld", (long long)m->data_length));
    SN_TRY(sn_str_printf(s, "; receptive field %lld; %s\n", (long long)a->graph->receptive, strands[a->strand]));
    SN_TRY(add_tasks(m, s));
    SN_TRY(add_calibration(m, s));
    if (m->shuffled_negatives) SN_TRY(sn_str_puts(s, "warning: trained against shuffled sequences; scores on genomes come out too high\n"));
    SN_TRY(sn_str_printf(s, "layers, for an input of %lld:\n", (long long)look_length(m, length)));
    SN_TRY(add_architecture(m, length, s));
    if (!m->provenance || !m->path) return 0;
    SN_TRY(sn_str_puts(s, "provenance:\n"));
    return add_provenance(m, s);
}

static int add_digest(const struct sn_model *m, struct sn_str *s) {
    char digest[9];
    SN_TRY(sn_model_digest(m, digest));
    return sn_str_printf(s, "%s\n", digest);
}

/* ---- entry points ---- */

static int make_text(seqnet_ctx *ctx, const seqnet_model *model, const char *what, int64_t length, struct sn_str *s) {
    static const char *const known[] = {"card", "architecture", "digest", "identity", "provenance", "memory", NULL};
    const struct sn_model *m = sn_inner(model);
    SN_TRY(sn_check_word("text", what, known));
    SN_TRY(sn_check_int("length", length, 0, INT32_MAX));
    if (strcmp(what, "card") == 0) return add_card(m, length, s);
    if (strcmp(what, "architecture") == 0) return add_architecture(m, length, s);
    if (strcmp(what, "digest") == 0) return add_digest(m, s);
    if (strcmp(what, "identity") == 0) return sn_model_identity(m, s);
    if (strcmp(what, "provenance") == 0) return sn_str_puts(s, m->provenance ? m->provenance : "{}");
    return add_memory(ctx, m, length, s);
}

int64_t seqnet_model_text_bound(seqnet_ctx *ctx, const seqnet_model *m, const char *what, int64_t length) {
    struct sn_str s = {0};
    int rc = make_text(ctx, m, what, length, &s);
    int64_t n = (int64_t)s.n + 1;
    sn_str_free(&s);
    return rc < 0 ? rc : n;
}

int seqnet_model_text(seqnet_ctx *ctx, const seqnet_model *m, const char *what, int64_t length, char *buf, size_t capacity) {
    struct sn_str s = {0};
    int rc = make_text(ctx, m, what, length, &s);
    if (rc >= 0 && s.n + 1 > capacity)
        rc = sn_error(SEQNET_EINVAL, "text %s: needs %zu bytes, the buffer has %zu", what, s.n + 1, capacity);
    if (rc >= 0) memcpy(buf, s.s ? s.s : "", s.n + 1);
    sn_str_free(&s);
    return rc < 0 ? rc : 0;
}

int seqnet_model_text_write(seqnet_ctx *ctx, const seqnet_model *m, const char *what, int64_t length, const char *path) {
    struct sn_str s = {0};
    struct sn_outfile *f = NULL;
    int rc = 0;
    SN_GO(make_text(ctx, m, what, length, &s));
    SN_GO(sn_outfile_open(path, &f));
    SN_GO(sn_outfile_write(f, s.s, s.n));
    rc = sn_outfile_commit(f);
    f = NULL;
done:
    sn_outfile_abort(f);
    sn_str_free(&s);
    return rc < 0 ? rc : 0;
}
