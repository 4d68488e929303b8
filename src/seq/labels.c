#include "seq/labels.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/error.h"
#include "core/parse.h"
#include "seq/rows.h"

#define MOST_CLASSES 1000 /* more distinct texts are names, not classes */

int sn_labels_add(struct sn_labels *l, const char *name) {
    SN_TRY(sn_grow((void **)&l->v, &l->cap, (size_t)l->n + 1, sizeof *l->v));
    l->v[l->n++] = (struct sn_label){.name = name, .binary = true, .constant = true};
    return 0;
}

void sn_labels_free(struct sn_labels *l) {
    free(l->v);
    free(l->values);
    sn_names_free(&l->classes);
    *l = (struct sn_labels){0};
}

static int refuse_text(const struct sn_labels *l, const struct sn_text *t, const struct sn_label *x, struct sn_cell c) {
    if (x->type == SN_LABEL_NUMBERS)
        return sn_text_error(t, SEQNET_EFORMAT, "column '%s': expected a number as in the rows before, found '%.60s'", x->name, c.s);
    struct sn_str all = {0};
    int rc = 0;
    for (int i = 0; i < l->n && i < 10 && rc == 0; i++) rc = sn_str_printf(&all, "%s%.60s", i ? ", " : "", l->v[i].name);
    if (rc == 0)
        rc = sn_text_error(t, SEQNET_EFORMAT,
                           "column '%s': '%.60s' is text, but all of %s%s are taken as labels, and class names need a single label column: "
                           "choose the label "
                           "columns (--label); a column that groups the rows is named apart (--group)",
                           x->name, c.s, all.s, l->n > 10 ? ", ..." : "");
    sn_str_free(&all);
    return rc;
}

/* Text that was meant as a number: "nan", "1,5", "+1". Taken for a class name it would hide a mistake. */
static bool meant_as_number(const char *s) {
    static const char *const words[] = {"nan", "inf", "infinity", "n/a", "null"};
    const char *bare = s + (*s == '-' || *s == '+');
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(bare, words[i]) == 0) return true;
    return strpbrk(bare, "0123456789") != NULL && bare[strspn(bare, "0123456789.,eE ")] == '\0';
}

static int text_value(struct sn_labels *l, const struct sn_text *t, struct sn_label *x, struct sn_cell c, float *out) {
    if (l->n > 1 || x->type == SN_LABEL_NUMBERS) return refuse_text(l, t, x, c);
    if (meant_as_number(c.s))
        return sn_text_error(t, SEQNET_EFORMAT,
                             "column '%s': '%.60s' is no number as it is written here: a finite decimal number, or NA for a missing value",
                             x->name, c.s);
    x->type = SN_LABEL_TEXT;
    int32_t k = sn_names_add(&l->classes, c.s, c.n, NULL);
    if (k < 0) return k;
    if (k >= MOST_CLASSES)
        return sn_text_error(t, SEQNET_EFORMAT,
                             "column '%s' holds more than %d different texts: names, not classes; choose the label column (--label)",
                             x->name, MOST_CLASSES);
    *out = (float)k;
    return 0;
}

static int number_value(const struct sn_text *t, struct sn_label *x, struct sn_cell c, double v, float *out) {
    if (x->type == SN_LABEL_TEXT)
        return sn_text_error(t, SEQNET_EFORMAT, "column '%s': found the number '%.60s' among class names", x->name, c.s);
    if (fabs(v) > FLT_MAX) return sn_text_error(t, SEQNET_EFORMAT, "column '%s': %.60s is too large", x->name, c.s);
    x->type = SN_LABEL_NUMBERS;
    x->binary = x->binary && (v == 0.0 || v == 1.0);
    *out = (float)v;
    return 0;
}

int sn_labels_value(struct sn_labels *l, const struct sn_text *t, int i, struct sn_cell c) {
    struct sn_label *x = &l->v[i];
    float value = NAN;
    double v;
    if (c.n == 0) return sn_text_error(t, SEQNET_EFORMAT, "column '%s' is empty; write NA for a missing value", x->name);
    if (strcmp(c.s, "NA") != 0) {
        bool unseen = x->type == SN_LABEL_UNSEEN;
        if (sn_parse_f64(c.s, c.n, &v))
            SN_TRY(number_value(t, x, c, v, &value));
        else
            SN_TRY(text_value(l, t, x, c, &value));
        if (unseen) x->first = value;
        x->constant = x->constant && value == x->first;
    }
    SN_TRY(sn_grow((void **)&l->values, &l->cap_values, l->n_values + 1, sizeof *l->values));
    l->values[l->n_values++] = value;
    return 0;
}

/* A label that never changes teaches nothing: an error when all are so, else a warning. */
static int check_variety(const struct sn_labels *l, const struct sn_text *t, const struct sn_sink *sink) {
    int constant = 0;
    for (int i = 0; i < l->n; i++) {
        const struct sn_label *x = &l->v[i];
        if (x->type == SN_LABEL_UNSEEN) return sn_error(SEQNET_EDATA, "%s: column '%s' has no values, only NA", t->path, x->name);
        constant += x->constant;
    }
    if (constant == l->n) {
        const struct sn_label *x = &l->v[0];
        if (x->type == SN_LABEL_TEXT)
            return sn_error(SEQNET_EDATA, "%s: column '%s' has one class only, '%s'", t->path, x->name, l->classes.v[0]);
        return sn_error(SEQNET_EDATA, "%s: column '%s' has one %s only, %g", t->path, x->name, x->binary ? "class" : "value",
                        (double)x->first);
    }
    for (int i = 0; i < l->n && constant > 0; i++)
        if (l->v[i].constant)
            sn_log(sink, SN_LOG_WARN, "%s: task '%s' has one value only, %g", t->path, l->v[i].name, (double)l->v[i].first);
    return 0;
}

static int set_tasks(struct sn_dataset *d, int n) {
    d->tasks = sn_calloc((size_t)n, sizeof *d->tasks);
    if (d->tasks == NULL) return SEQNET_ENOMEM;
    d->n_tasks = n;
    return sn_dataset_need_targets(d);
}

static int finish_classes(const struct sn_labels *l, struct sn_dataset *d) {
    int rc = 0;
    int32_t n = l->classes.n;
    d->kind = SN_TASK_CLASSES;
    int32_t *rank = sn_calloc((size_t)n, sizeof *rank);
    if (rank == NULL) return SEQNET_ENOMEM;
    SN_GO(sn_names_rank(&l->classes, rank));
    SN_GO(set_tasks(d, n));
    for (int32_t k = 0; k < n; k++)
        if ((d->tasks[rank[k]] = sn_strdup(l->classes.v[k])) == NULL) SN_GO(SEQNET_ENOMEM);
    for (int64_t i = 0; i < d->n; i++) {
        if (isnan(l->values[i])) continue;
        for (int32_t k = 0; k < n; k++) d->targets[i * n + k] = 0.0f;
        d->targets[i * n + rank[(int32_t)l->values[i]]] = 1.0f;
    }
done:
    free(rank);
    return rc;
}

int sn_labels_finish(struct sn_labels *l, const struct sn_text *t, struct sn_dataset *d, const struct sn_dataset_options *o) {
    if (l->n == 0) return 0;
    if (o->need_labels) SN_TRY(check_variety(l, t, o->sink));
    if (l->v[0].type == SN_LABEL_TEXT) return finish_classes(l, d);
    d->kind = SN_TASK_BINARY;
    for (int i = 0; i < l->n; i++)
        if (!l->v[i].binary) d->kind = SN_TASK_NUMBER;
    SN_TRY(set_tasks(d, l->n));
    for (int i = 0; i < l->n; i++)
        if ((d->tasks[i] = sn_strdup(l->v[i].name)) == NULL) return SEQNET_ENOMEM;
    memcpy(d->targets, l->values, (size_t)d->n * (size_t)l->n * sizeof *l->values);
    return 0;
}
