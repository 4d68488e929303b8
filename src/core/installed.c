#include "core/installed.h"

#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/parse.h"

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

static int folders_beside_library(const char *folder, struct names *out) {
    Dl_info info;
    char path[PATH_MAX], real[PATH_MAX];
    if (!dladdr((const void *)&sn_installed_find, &info) || !info.dli_fname || !realpath(info.dli_fname, real)) return 0;
    for (int i = 0; i < LEVELS; i++) {
        char *slash = strrchr(real, '/');
        if (!slash || slash == real) break;
        *slash = '\0';
        int n = snprintf(path, sizeof path, "%s/../share/seqnet/%s", real, folder);
        if (n > 0 && n < (int)sizeof path && access(path, R_OK) == 0) SN_TRY(add_name(out, path, (size_t)n));
    }
    return 0;
}

static int folders(const struct sn_installed *k, struct names *out) {
    const char *env = getenv(k->variable);
    if (env && *env) SN_TRY(add_name(out, env, strlen(env)));
    SN_TRY(folders_beside_library(k->folder, out));
    SN_TRY(add_name(out, k->source, strlen(k->source)));
    return add_name(out, k->configured, strlen(k->configured));
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The name of a file without its suffix, or 0. */
static size_t name_length(const struct sn_installed *k, const char *file) {
    size_t n = strlen(file);
    for (int i = 0; file[0] != '.' && k->suffixes[i]; i++) {
        size_t s = strlen(k->suffixes[i]);
        if (n > s && strcmp(file + n - s, k->suffixes[i]) == 0) return n - s;
    }
    return 0;
}

static int list_names(const struct sn_installed *k, struct names *out) {
    struct names dirs = {0};
    int rc = folders(k, &dirs);
    for (size_t i = 0; i < dirs.n && rc == 0; i++) {
        DIR *d = opendir(dirs.v[i]);
        for (struct dirent *e = d ? readdir(d) : NULL; e && rc == 0; e = readdir(d)) {
            size_t n = name_length(k, e->d_name);
            if (n > 0) rc = add_name(out, e->d_name, n);
        }
        if (d) closedir(d);
    }
    free_names(&dirs);
    if (out->n) qsort(out->v, out->n, sizeof *out->v, by_name);
    return rc;
}

int sn_installed_find(const struct sn_installed *k, const char *name, char **path) {
    struct names dirs = {0};
    char at[PATH_MAX];
    int rc;
    *path = NULL;
    SN_GO(folders(k, &dirs));
    for (size_t i = 0; i < dirs.n && !*path; i++) {
        for (int s = 0; k->suffixes[s] && !*path; s++) {
            int n = snprintf(at, sizeof at, "%s/%s%s", dirs.v[i], name, k->suffixes[s]);
            if (n < 0 || n >= (int)sizeof at || access(at, F_OK) != 0) continue;
            *path = sn_strdup(at);
            SN_GO(*path ? 0 : SEQNET_ENOMEM);
        }
    }
done:
    free_names(&dirs);
    return rc;
}

int sn_installed_list(const struct sn_installed *k, struct sn_str *out) {
    struct names list = {0};
    int rc;
    SN_GO(list_names(k, &list));
    SN_GO(sn_str_puts(out, ""));
    for (size_t i = 0; i < list.n; i++) SN_GO(sn_str_printf(out, "%s\n", list.v[i]));
done:
    free_names(&list);
    return rc;
}

int sn_installed_unknown(const struct sn_installed *k, const char *name, int code, const char *hint) {
    struct names list = {0};
    struct sn_str all = {0};
    int rc;
    SN_GO(list_names(k, &list));
    SN_GO(sn_str_puts(&all, ""));
    for (size_t i = 0; i < list.n; i++) SN_GO(sn_str_printf(&all, "%s%s", i ? ", " : "", list.v[i]));
    const char *near = sn_nearest(name, (const char *const *)list.v, (int)list.n);
    rc = sn_error(code, "no %s \"%s\"%s%s; installed: %s (%s)", k->what, name, near ? "; nearest: " : "", near ? near : "",
                  all.n ? all.s : "none", hint);
done:
    sn_str_free(&all);
    free_names(&list);
    return rc;
}
