#include "model/identity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "model/safetensors.h"

#define FORMAT 1

static const char *const kinds[] = {"none", "binary", "classes", "number", NULL}; /* enum sn_task_kind */

int sn_model_tensors(const struct sn_graph *g, struct sn_tensor **out, int *n) {
    int total = 0;
    for (int i = 0; i < g->n_nodes; i++) total += g->nodes[i].n_weights;
    struct sn_tensor *t = sn_calloc((size_t)total, sizeof *t);
    if (!t) return SEQNET_ENOMEM;
    *out = t;
    *n = total;
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sn_node *nd = &g->nodes[i];
        for (int w = 0; w < nd->n_weights; w++, t++) {
            snprintf(t->name, sizeof t->name, "%.63s/%.62s", nd->name, nd->weights[w].name);
            t->weight = &nd->weights[w];
            t->offset = nd->weight_offset[w];
            t->count = sn_weight_count(t->weight);
        }
    }
    return 0;
}

/* ---- writing ---- */

static int write_floats(struct sn_str *b, const float *v, int n) {
    SN_TRY(sn_str_puts(b, "["));
    for (int i = 0; i < n; i++) {
        SN_TRY(sn_json_sep(b));
        SN_TRY(sn_json_f32(b, v[i]));
    }
    return sn_str_puts(b, "]");
}

static int write_calibration(struct sn_str *b, const struct sn_model *m) {
    SN_TRY(sn_json_key(b, "calibration"));
    SN_TRY(sn_str_puts(b, "{\"levels\":["));
    for (int i = 0; i < m->n_quantiles; i++) {
        SN_TRY(sn_json_sep(b));
        SN_TRY(sn_json_f64(b, m->quantile_level[i]));
    }
    SN_TRY(sn_str_puts(b, "],\"quantiles\":["));
    for (int t = 0; t < m->n_tasks; t++) {
        SN_TRY(sn_json_sep(b));
        SN_TRY(write_floats(b, m->quantile + (size_t)t * (size_t)m->n_quantiles, m->n_quantiles));
    }
    return sn_str_puts(b, "]}");
}

static int write_tasks(struct sn_str *b, const struct sn_model *m) {
    SN_TRY(sn_json_key(b, "kind"));
    SN_TRY(sn_json_string(b, kinds[m->kind]));
    SN_TRY(sn_json_key(b, "tasks"));
    SN_TRY(sn_str_puts(b, "["));
    for (int i = 0; i < m->n_tasks; i++) {
        SN_TRY(sn_json_sep(b));
        SN_TRY(sn_json_string(b, m->tasks[i]));
    }
    SN_TRY(sn_str_puts(b, "]"));
    if (!m->target_mean || !m->target_sd) return 0;
    SN_TRY(sn_json_key(b, "target_mean"));
    SN_TRY(write_floats(b, m->target_mean, m->n_tasks));
    SN_TRY(sn_json_key(b, "target_sd"));
    return write_floats(b, m->target_sd, m->n_tasks);
}

static int write_crcs(struct sn_str *b, const struct sn_model *m) {
    struct sn_tensor *t;
    int n, rc;
    SN_TRY(sn_model_tensors(m->arch->graph, &t, &n));
    SN_GO(sn_json_key(b, "crc32c"));
    SN_GO(sn_str_puts(b, "{"));
    for (int i = 0; i < n; i++) {
        SN_GO(sn_json_key(b, t[i].name));
        SN_GO(sn_str_printf(b, "\"%08x\"", sn_st_crc(0, m->params + t[i].offset, t[i].count)));
    }
    rc = sn_str_puts(b, "}");
done:
    free(t);
    return rc;
}

int sn_model_identity(const struct sn_model *m, struct sn_str *out) {
    SN_TRY(sn_str_printf(out, "{\"format\":%d,\"architecture\":", FORMAT));
    SN_TRY(sn_arch_to_json(m->arch, out));
    SN_TRY(write_tasks(out, m));
    SN_TRY(sn_json_key(out, "shuffled_negatives"));
    SN_TRY(sn_str_puts(out, m->shuffled_negatives ? "true" : "false"));
    if (m->data_length > 0) SN_TRY(sn_str_printf(out, ",\"data_length\":%lld", (long long)m->data_length));
    if (m->n_quantiles > 0) SN_TRY(write_calibration(out, m));
    SN_TRY(write_crcs(out, m));
    return sn_str_puts(out, "}");
}

/* ---- reading ---- */

static int need(const struct sn_doc *d, const char *key, const struct sn_doc **out) {
    *out = sn_doc_get(d, key);
    return *out ? 0 : sn_doc_error(d, "the identity lacks \"%s\"", key);
}

int sn_identity_arch(const struct sn_doc *d, struct sn_arch **out) {
    static const char *const names[] = {"format",    "architecture",       "kind",        "tasks",       "target_mean",
                                        "target_sd", "shuffled_negatives", "data_length", "calibration", "crc32c"};
    const struct sn_doc *format, *arch;
    int64_t version;
    *out = NULL;
    /* the version first: a newer file has keys of its own */
    if (d->kind == SN_DOC_MAP) {
        SN_TRY(need(d, "format", &format));
        SN_TRY(sn_doc_i64(format, "format", 1, 1e9, &version));
        if (version != FORMAT)
            return sn_doc_error(d, "model format %lld was made by a newer seqnet; this one reads format %d", (long long)version, FORMAT);
    }
    SN_TRY(sn_doc_expect_map(d, "the identity", names, sizeof names / sizeof *names));
    SN_TRY(need(d, "architecture", &arch));
    SN_TRY(sn_arch_from_doc(arch, out));
    if (sn_arch_bound(*out)) return 0;
    sn_arch_free(*out);
    *out = NULL;
    return sn_doc_error(arch, "the architecture leaves tasks, length or activation open");
}

static int read_floats(const struct sn_doc *d, const char *what, int n, float *out) {
    SN_TRY(sn_doc_expect_list(d, what));
    if (d->n != n) return sn_doc_error(d, "%s must have %d numbers, got %d", what, n, d->n);
    for (const struct sn_doc *c = d->child; c; c = c->next) {
        double v;
        SN_TRY(sn_doc_f64(c, what, -3.4e38, 3.4e38, &v));
        *out++ = (float)v;
    }
    return 0;
}

static int read_targets(const struct sn_doc *d, struct sn_model *m) {
    const struct sn_doc *mean = sn_doc_get(d, "target_mean"), *sd = sn_doc_get(d, "target_sd");
    if (!mean != !sd) return sn_doc_error(d, "target_mean and target_sd go together");
    if (!mean) return 0;
    m->target_mean = sn_calloc((size_t)m->n_tasks, sizeof *m->target_mean);
    m->target_sd = sn_calloc((size_t)m->n_tasks, sizeof *m->target_sd);
    if (!m->target_mean || !m->target_sd) return SEQNET_ENOMEM;
    SN_TRY(read_floats(mean, "target_mean", m->n_tasks, m->target_mean));
    SN_TRY(read_floats(sd, "target_sd", m->n_tasks, m->target_sd));
    for (int i = 0; i < m->n_tasks; i++)
        if (!(m->target_sd[i] > 0)) return sn_doc_error(sd, "target_sd must be positive");
    return 0;
}

static int read_quantiles(const struct sn_doc *d, struct sn_model *m) {
    static const char *const names[] = {"levels", "quantiles"};
    const struct sn_doc *levels, *rows;
    double last = -1;
    SN_TRY(sn_doc_expect_map(d, "calibration", names, 2));
    SN_TRY(need(d, "levels", &levels));
    SN_TRY(need(d, "quantiles", &rows));
    SN_TRY(sn_doc_expect_list(levels, "calibration: levels"));
    SN_TRY(sn_doc_expect_list(rows, "calibration: quantiles"));
    if (rows->n != m->n_tasks) return sn_doc_error(rows, "calibration: quantiles must have %d lists, got %d", m->n_tasks, rows->n);
    if (levels->n == 0) return sn_doc_error(levels, "calibration: levels is empty");
    m->n_quantiles = levels->n;
    m->quantile_level = sn_calloc((size_t)levels->n, sizeof *m->quantile_level);
    double *level = m->quantile_level;
    if (!level) return SEQNET_ENOMEM;
    for (const struct sn_doc *c = levels->child; c; c = c->next, level++) {
        SN_TRY(sn_doc_f64(c, "calibration: levels", 0, 1, level));
        if (*level <= last) return sn_doc_error(c, "calibration: levels must rise");
        last = *level;
    }
    /* both factors are counts of values that stand in the text */
    m->quantile = sn_calloc((size_t)m->n_tasks * (size_t)m->n_quantiles, sizeof *m->quantile);
    float *row = m->quantile;
    if (!row) return SEQNET_ENOMEM;
    for (const struct sn_doc *c = rows->child; c; c = c->next, row += m->n_quantiles)
        SN_TRY(read_floats(c, "calibration: quantiles", m->n_quantiles, row));
    return 0;
}

static int read_tasks(const struct sn_doc *d, struct sn_model *m) {
    const struct sn_doc *kind, *tasks;
    int k, n = 0, rc = 0;
    SN_TRY(need(d, "kind", &kind));
    SN_TRY(need(d, "tasks", &tasks));
    SN_TRY(sn_doc_choice(kind, "kind", kinds, &k));
    SN_TRY(sn_doc_expect_list(tasks, "tasks"));
    const char **names = sn_calloc((size_t)tasks->n, sizeof *names);
    if (!names) return SEQNET_ENOMEM;
    for (const struct sn_doc *c = tasks->child; c && rc == 0; c = c->next) rc = sn_doc_text(c, "tasks", &names[n++]);
    if (rc == 0) {
        rc = sn_model_set_tasks(m, (enum sn_task_kind)k, names, n);
        if (rc < 0) rc = sn_error_prefix(rc, "%s", d->source->origin);
    }
    free(names);
    return rc;
}

int sn_identity_apply(const struct sn_doc *d, struct sn_model *m) {
    const struct sn_doc *shuffled = sn_doc_get(d, "shuffled_negatives"), *calibration = sn_doc_get(d, "calibration");
    const struct sn_doc *length = sn_doc_get(d, "data_length");
    SN_TRY(read_tasks(d, m));
    SN_TRY(read_targets(d, m));
    if (shuffled) SN_TRY(sn_doc_bool(shuffled, "shuffled_negatives", &m->shuffled_negatives));
    if (length) SN_TRY(sn_doc_i64(length, "data_length", 1, INT32_MAX, &m->data_length));
    return calibration ? read_quantiles(calibration, m) : 0;
}

int sn_identity_crc(const struct sn_doc *d, const char *tensor, uint32_t *crc) {
    const struct sn_doc *all, *one;
    unsigned v;
    int n = 0;
    SN_TRY(need(d, "crc32c", &all));
    if (all->kind != SN_DOC_MAP || !(one = sn_doc_get(all, tensor))) return sn_doc_error(all, "crc32c of tensor \"%s\" is missing", tensor);
    if (one->kind != SN_DOC_SCALAR || strspn(one->text, "0123456789abcdef") != 8 || strlen(one->text) != 8 ||
        sscanf(one->text, "%8x%n", &v, &n) != 1 || n != 8)
        return sn_doc_error(one, "crc32c of tensor \"%s\" must be 8 hexadecimal digits", tensor);
    *crc = v;
    return 0;
}
