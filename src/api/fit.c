/* Do the labels of a data set and the tasks of a model fit? Columns are matched by name. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "core/parse.h"

#define NAMES_SHOWN 8

static int find(char *const *names, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

/* "what 'name' ...; the model has: a, b, c" */
static int misfit(const char *what, const char *name, const char *whose, char *const *names, int n) {
    struct sn_str list = {0};
    const char *near = sn_nearest(name, (const char *const *)names, n);
    int rc = 0;
    for (int i = 0; i < n && i < NAMES_SHOWN && rc >= 0; i++) rc = sn_str_printf(&list, "%s%s", i ? ", " : "", names[i]);
    if (rc >= 0 && n > NAMES_SHOWN) rc = sn_str_printf(&list, ", ... (%d)", n);
    if (rc >= 0)
        rc = sn_error(SEQNET_EDATA, "%s '%s'%s%s%s; %s: %s", what, name, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "",
                      whose, list.s);
    sn_str_free(&list);
    return rc;
}

static int match_columns(const struct sn_dataset *d, bool classes, int n_tasks, char *const *tasks, int *column) {
    if (n_tasks == 1 && d->n_tasks == 1 && !classes) {
        column[0] = 0;
        return 0;
    }
    for (int i = 0; i < d->n_tasks; i++)
        if (find(tasks, n_tasks, d->tasks[i]) < 0)
            return misfit(classes ? "the data have a class" : "the data have a label column", d->tasks[i],
                          classes ? "classes of the model" : "tasks of the model", tasks, n_tasks);
    for (int t = 0; t < n_tasks; t++) {
        column[t] = find(d->tasks, d->n_tasks, tasks[t]);
        if (column[t] < 0 && !classes)
            return misfit("the data have no label column", tasks[t], "columns of the data", d->tasks, d->n_tasks);
    }
    return 0;
}

static int check_kind(const struct sn_dataset *d, int kind) {
    static const char *const words[] = {"nothing", "yes or no (0, 1)", "classes (one text column)", "numbers"};
    if (d->n_tasks == 0 || !d->targets) return sn_error(SEQNET_EDATA, "the data have no labels");
    /* numbers may happen to be all 0 and 1; a yes-or-no model takes no other numbers */
    if (kind == (int)d->kind || (kind == SN_TASK_NUMBER && d->kind == SN_TASK_BINARY)) return 0;
    return sn_error(SEQNET_EDATA, "the labels of the data are %s, the model gives %s", words[d->kind], words[kind]);
}

int sn_fit_targets(const struct sn_dataset *d, int kind, int n_tasks, char *const *tasks, float **out) {
    *out = NULL;
    SN_TRY(check_kind(d, kind));
    int rc = 0;
    int *column = sn_calloc((size_t)n_tasks, sizeof *column);
    float *t = NULL;
    SN_GO(column ? 0 : SEQNET_ENOMEM);
    SN_GO(match_columns(d, kind == SN_TASK_CLASSES, n_tasks, tasks, column));
    size_t size;
    SN_GO(sn_mul_size((size_t)d->n, (size_t)n_tasks, &size) ? 0 : sn_error(SEQNET_ENOMEM, "targets: too many"));
    t = sn_calloc(size, sizeof *t);
    SN_GO(t ? 0 : SEQNET_ENOMEM);
    for (int64_t i = 0; i < d->n; i++)
        for (int k = 0; k < n_tasks; k++) t[i * n_tasks + k] = column[k] < 0 ? 0.0f : d->targets[i * d->n_tasks + column[k]];
    *out = t;
done:
    free(column);
    return rc < 0 ? rc : 0;
}
