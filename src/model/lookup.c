/* Where architectures are installed, and how a name finds its file. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/parse.h"
#include "model/model.h"
#include "model/model_paths.h" /* SN_SOURCE_MODELS */
#include "sn_config.h"         /* SN_MODELS_DIR */

#define MAX_TEXT ((size_t)1 << 20)
#define SUFFIX ".yaml"
#define LEVELS 3 /* from the library's folder up to the prefix: lib, lib/x86_64-linux-gnu, ... */

struct names {
    char **v;
    size_t n, cap;
};

static int add_name(struct names *l, const char *s, size_t n) {
    void *v = l->v;
    for (size_t i = 0; i < l->n; i++)
        if (strlen(l->v[i]) == n && memcmp(l->v[i], s, n) == 0) return 0;
    SN_TRY(sn_grow(&v, &l->cap, l->n + 1, sizeof *l->v));
    l->v = v;
    l->v[l->n] = sn_strndup(s, n);
    return l->v[l->n++] ? 0 : SEQNET_ENOMEM;
}

static void free_names(struct names *l) {
    for (size_t i = 0; i < l->n; i++) free(l->v[i]);
    free(l->v);
}

/* Folders in the order of search: $SEQNET_MODELS, beside the library (so that a moved prefix works), source tree, configured prefix. */
static int folders(struct names *out) {
    const char *env = getenv("SEQNET_MODELS");
    Dl_info info;
    if (env && *env) SN_TRY(add_name(out, env, strlen(env)));
    if (dladdr((const void *)&sn_arch_load, &info) && info.dli_fname) {
        char path[PATH_MAX], real[PATH_MAX];
        if (realpath(info.dli_fname, real)) {
            for (int i = 0; i < LEVELS; i++) {
                char *slash = strrchr(real, '/');
                if (!slash || slash == real) break;
                *slash = '\0';
                int n = snprintf(path, sizeof path, "%s/../share/seqnet/models", real);
                if (n > 0 && n < (int)sizeof path && access(path, R_OK) == 0) SN_TRY(add_name(out, path, (size_t)n));
            }
        }
    }
    SN_TRY(add_name(out, SN_SOURCE_MODELS, strlen(SN_SOURCE_MODELS)));
    return add_name(out, SN_MODELS_DIR, strlen(SN_MODELS_DIR));
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int installed(const struct names *dirs, struct names *out) {
    int rc = 0;
    for (size_t i = 0; i < dirs->n && rc == 0; i++) {
        DIR *d = opendir(dirs->v[i]);
        for (struct dirent *e = d ? readdir(d) : NULL; e && rc == 0; e = readdir(d)) {
            size_t n = strlen(e->d_name), s = strlen(SUFFIX);
            if (e->d_name[0] != '.' && n > s && strcmp(e->d_name + n - s, SUFFIX) == 0) rc = add_name(out, e->d_name, n - s);
        }
        if (d) closedir(d);
    }
    if (out->n) qsort(out->v, out->n, sizeof *out->v, by_name);
    return rc;
}

int sn_arch_list(struct sn_str *out) {
    struct names dirs = {0}, list = {0};
    int rc;
    SN_GO(folders(&dirs));
    SN_GO(installed(&dirs, &list));
    SN_GO(sn_str_puts(out, ""));
    for (size_t i = 0; i < list.n; i++) SN_GO(sn_str_printf(out, "%s\n", list.v[i]));
done:
    free_names(&dirs);
    free_names(&list);
    return rc;
}

static int load_file(const char *path, struct sn_arch **out) {
    char *text;
    size_t n;
    SN_TRY(sn_read_file(path, MAX_TEXT, &text, &n));
    int rc = sn_arch_parse(text, n, path, out);
    free(text);
    return rc;
}

static int unknown_name(const struct names *dirs, const char *name) {
    struct names list = {0};
    struct sn_str all = {0};
    int rc;
    SN_GO(installed(dirs, &list));
    SN_GO(sn_str_puts(&all, ""));
    for (size_t i = 0; i < list.n; i++) SN_GO(sn_str_printf(&all, "%s%s", i ? ", " : "", list.v[i]));
    const char *near = sn_nearest(name, (const char *const *)list.v, (int)list.n);
    rc = sn_error(SEQNET_EARCH, "no architecture \"%s\"%s%s; installed: %s (or give the path of a .yaml file)", name,
                  near ? "; nearest: " : "", near ? near : "", all.n ? all.s : "none");
done:
    sn_str_free(&all);
    free_names(&list);
    return rc;
}

int sn_arch_load(const char *name, struct sn_arch **out) {
    struct names dirs = {0};
    size_t n = strlen(name), s = strlen(SUFFIX);
    int rc;
    *out = NULL;
    if (n == 0) return sn_error(SEQNET_EINVAL, "the name of an architecture is empty");
    if (strchr(name, '/') || (n > s && strcmp(name + n - s, SUFFIX) == 0) || (n > 4 && strcmp(name + n - 4, ".yml") == 0))
        return load_file(name, out);
    SN_GO(folders(&dirs));
    for (size_t i = 0; i < dirs.n; i++) {
        char path[PATH_MAX];
        int len = snprintf(path, sizeof path, "%s/%s" SUFFIX, dirs.v[i], name);
        if (len < 0 || len >= (int)sizeof path || access(path, F_OK) != 0) continue;
        rc = load_file(path, out);
        goto done;
    }
    rc = access(name, F_OK) == 0 ? load_file(name, out) : unknown_name(&dirs, name);
done:
    free_names(&dirs);
    return rc;
}
