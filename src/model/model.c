#include "model/model.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "model/identity.h"
#include "model/safetensors.h"

/* ---- life ---- */

static void free_tasks(char **tasks, int n) {
    for (int i = 0; tasks && i < n; i++) free(tasks[i]);
    free(tasks);
}

static void model_free(struct sn_model *m) {
    sn_arch_free(m->arch);
    sn_aligned_free(m->params);
    free_tasks(m->tasks, m->n_tasks);
    free(m->target_mean);
    free(m->target_sd);
    free(m->quantile_level);
    free(m->quantile);
    free(m->provenance);
    free(m->path);
    free(m);
}

static int default_tasks(struct sn_model *m) {
    m->tasks = sn_calloc((size_t)m->n_tasks, sizeof *m->tasks);
    if (!m->tasks) return SEQNET_ENOMEM;
    for (int i = 0; i < m->n_tasks; i++) {
        char name[24];
        snprintf(name, sizeof name, "task%d", i + 1);
        if (!(m->tasks[i] = sn_strdup(name))) return SEQNET_ENOMEM;
    }
    return 0;
}

int sn_model_create(struct sn_arch *arch, struct sn_model **out) {
    size_t bytes;
    *out = NULL;
    if (!sn_arch_bound(arch)) return sn_error(SEQNET_EINVAL, "%s: tasks and length are not fixed yet", arch->origin);
    struct sn_model *m = sn_calloc(1, sizeof *m);
    if (!m) return SEQNET_ENOMEM;
    m->refs = 1;
    m->n_tasks = sn_arch_width(arch);
    bool fits = sn_mul_size((size_t)arch->graph->n_params, sizeof *m->params, &bytes);
    m->params = fits ? sn_aligned_alloc(bytes) : NULL;
    int rc = fits ? (m->params ? 0 : SEQNET_ENOMEM) : sn_error(SEQNET_ENOMEM, "%s: too many parameters", arch->origin);
    if (rc == 0) rc = default_tasks(m);
    if (rc < 0) {
        model_free(m);
        return rc;
    }
    memset(m->params, 0, bytes);
    m->arch = arch;
    *out = m;
    return 0;
}

struct sn_model *sn_model_ref(struct sn_model *m) {
    __atomic_fetch_add(&m->refs, 1, __ATOMIC_RELAXED);
    return m;
}

void sn_model_unref(struct sn_model *m) {
    if (m && __atomic_sub_fetch(&m->refs, 1, __ATOMIC_ACQ_REL) == 0) model_free(m);
}

/* ---- tasks ---- */

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_task(const char *name) {
    if (name[0] == '\0') return sn_error(SEQNET_EDATA, "the name of a task is empty");
    if (!sn_utf8_valid(name)) return sn_error(SEQNET_EDATA, "the name of a task is not UTF-8");
    for (const char *s = name; *s; s++)
        if ((unsigned char)*s < 32 || *s == 127) return sn_error(SEQNET_EDATA, "the name of a task has a control character");
    return 0;
}

int sn_model_set_tasks(struct sn_model *m, enum sn_task_kind kind, const char *const *names, int n) {
    char **copy = NULL;
    const char **sorted = NULL;
    int rc = 0;
    if (n != m->n_tasks) return sn_error(SEQNET_EDATA, "the model has %d outputs, but there are %d names of tasks", m->n_tasks, n);
    copy = sn_calloc((size_t)n, sizeof *copy);
    sorted = sn_calloc((size_t)n, sizeof *sorted);
    if (!copy || !sorted) rc = SEQNET_ENOMEM;
    for (int i = 0; i < n && rc == 0; i++) {
        SN_GO(check_task(names[i]));
        sorted[i] = copy[i] = sn_strdup(names[i]);
        if (!copy[i]) rc = SEQNET_ENOMEM;
    }
    if (rc < 0) goto done;
    qsort(sorted, (size_t)n, sizeof *sorted, by_text);
    for (int i = 1; i < n; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0) SN_GO(sn_error(SEQNET_EDATA, "two tasks are called \"%s\"", sorted[i]));
    free_tasks(m->tasks, m->n_tasks);
    m->tasks = copy;
    m->kind = kind;
    copy = NULL;
done:
    free_tasks(copy, n);
    free(sorted);
    return rc;
}

/* ---- reading ---- */

static void show_shape(const int64_t *shape, int rank, char *buf, size_t size) {
    size_t n = 0;
    buf[0] = '\0';
    for (int i = 0; i < rank && n < size; i++) n += (size_t)snprintf(buf + n, size - n, "%s%lld", i ? "," : "", (long long)shape[i]);
}

#define MAX_LISTED 8

/* Every difference between the tensors of the file and those of the architecture, in one message. */
static int match_tensors(const struct sn_st_file *f, const struct sn_tensor *want, int n) {
    struct sn_str list = {0};
    int found = 0, rc = 0;
    for (int i = 0; i < n && rc == 0; i++) {
        const struct sn_weight *w = want[i].weight;
        struct sn_st_tensor *t = sn_st_find(f, want[i].name);
        bool same = t && t->rank == w->rank;
        for (int k = 0; same && k < w->rank; k++) same = t->shape[k] == w->shape[k];
        if (t) t->used = true;
        if (same || found++ >= MAX_LISTED) continue;
        char expected[64], got[192];
        show_shape(w->shape, w->rank, expected, sizeof expected);
        if (t) show_shape(t->shape, t->rank, got, sizeof got);
        rc = t ? sn_str_printf(&list, "; %s has shape (%s), expected (%s)", want[i].name, got, expected)
               : sn_str_printf(&list, "; %s (%s) is missing", want[i].name, expected);
    }
    for (size_t i = 0; i < f->n && rc == 0; i++) {
        if (f->tensors[i].used || found++ >= MAX_LISTED) continue;
        rc = sn_str_printf(&list, "; %.80s is not of this architecture", f->tensors[i].name);
    }
    if (rc == 0 && found > MAX_LISTED) rc = sn_str_printf(&list, "; and %d more", found - MAX_LISTED);
    if (rc == 0 && found > 0) rc = sn_error(SEQNET_EMODEL, "%s: tensors do not fit the architecture%s", f->path, list.s);
    sn_str_free(&list);
    return rc;
}

static int read_params(const struct sn_st_file *f, const struct sn_doc *identity, const struct sn_tensor *t, int n, struct sn_model *m) {
    for (int i = 0; i < n; i++) {
        uint32_t crc, stored;
        bool finite;
        SN_TRY(sn_identity_crc(identity, t[i].name, &stored));
        SN_TRY(sn_st_read(f, sn_st_find(f, t[i].name), m->params + t[i].offset, &crc, &finite));
        if (crc != stored)
            return sn_error(SEQNET_EMODEL, "%s: tensor %s is damaged: CRC-32C %08x, expected %08x", f->path, t[i].name, crc, stored);
        if (!finite) return sn_error(SEQNET_ENUM, "%s: tensor %s holds NaN or infinite values", f->path, t[i].name);
    }
    return 0;
}

/* Provenance is free-form, but a JSON object. */
static int check_provenance(const char *text, const char *path) {
    struct sn_doc_source source = {.origin = path, .code = SEQNET_EMODEL};
    json_t *j;
    SN_TRY(sn_json_load(text, strlen(text), &source, "the provenance", &j));
    bool object = json_is_object(j);
    json_decref(j);
    return object ? 0 : sn_error(SEQNET_EMODEL, "%s: the provenance is not a JSON object", path);
}

static int read_parts(const struct sn_st_file *f, const struct sn_doc *identity, struct sn_model **out) {
    struct sn_arch *arch = NULL;
    struct sn_tensor *tensors = NULL;
    struct sn_model *m = NULL;
    int n, rc;
    SN_GO(sn_identity_arch(identity, &arch));
    SN_GO(sn_model_tensors(arch->graph, &tensors, &n));
    SN_GO(match_tensors(f, tensors, n)); /* from here on the file is as large as the parameters */
    SN_GO(sn_model_create(arch, &m));
    arch = NULL;
    SN_GO(sn_identity_apply(identity, m));
    SN_GO(read_params(f, identity, tensors, n, m));
    SN_GO(check_provenance(f->provenance ? f->provenance : "{}", f->path));
    m->provenance = sn_strdup(f->provenance ? f->provenance : "{}");
    m->path = sn_strdup(f->path);
    if (!m->provenance || !m->path) SN_GO(SEQNET_ENOMEM);
    *out = m;
    m = NULL;
done:
    free(tensors);
    sn_arch_free(arch);
    sn_model_unref(m);
    return rc;
}

int sn_model_read(const char *path, struct sn_model **out) {
    struct sn_st_file f;
    struct sn_doc_source source = {.origin = path, .code = SEQNET_EMODEL};
    struct sn_doc *identity = NULL;
    int rc;
    *out = NULL;
    SN_TRY(sn_st_open(path, &f));
    if (!f.identity)
        SN_GO(sn_error(SEQNET_EMODEL, "%s: a safetensors file, but not a seqnet model (its metadata lack seqnet_identity)", path));
    SN_GO(sn_doc_from_json(f.identity, strlen(f.identity), &source, &identity));
    SN_GO(read_parts(&f, identity, out));
done:
    sn_doc_free(identity);
    sn_st_close(&f);
    return rc;
}

/* ---- writing ---- */

int sn_model_write(const struct sn_model *m, const char *path) {
    const char *provenance = m->provenance ? m->provenance : "{}";
    struct sn_st_header header = {0};
    struct sn_str identity = {0};
    struct sn_tensor *tensors = NULL;
    int n, rc;
    SN_GO(check_provenance(provenance, path));
    SN_GO(sn_model_identity(m, &identity));
    SN_GO(sn_model_tensors(m->arch->graph, &tensors, &n));
    SN_GO(sn_st_begin(&header, identity.s, provenance));
    for (int i = 0; i < n; i++) SN_GO(sn_st_add(&header, tensors[i].name, tensors[i].weight->shape, tensors[i].weight->rank));
    SN_GO(sn_st_write(&header, path, m->params));
done:
    sn_st_header_free(&header);
    sn_str_free(&identity);
    free(tensors);
    return rc;
}

int sn_model_digest(const struct sn_model *m, char out[9]) {
    struct sn_str identity = {0};
    int rc = sn_model_identity(m, &identity);
    if (rc == 0) {
        uint32_t crc = sn_crc32c(0, identity.s, identity.n);
        snprintf(out, 9, "%08x", sn_st_crc(crc, m->params, m->arch->graph->n_params));
    }
    sn_str_free(&identity);
    return rc;
}
