#include "module.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "seqnet/version.h"
#include "sn_config.h"

#define OPENBLAS_FILE "seqnet-openblas.so"

/* Directories where modules may lie, in order; at most MAX_DIRS. */
enum { MAX_DIRS = 3 };
struct search {
    char dir[MAX_DIRS][PATH_MAX];
    int n;
};

static void add_dir(struct search *s, const char *fmt, const char *part, int part_len) {
    int n = snprintf(s->dir[s->n], PATH_MAX, fmt, part_len, part);
    if (n > 0 && n < PATH_MAX) s->n++;
}

static void search_dirs(struct search *s) {
    s->n = 0;
    const char *env = getenv("SEQNET_MODULE_PATH");
    if (env && *env) {
        add_dir(s, "%.*s", env, (int)strlen(env));
        return;
    }
    Dl_info self;
    if (dladdr((void *)(uintptr_t)sn_kernels_openblas, &self) && self.dli_fname) {
        const char *slash = strrchr(self.dli_fname, '/');
        const char *name = slash ? self.dli_fname : ".";
        int len = slash ? (int)(slash - self.dli_fname) : 1;
        add_dir(s, "%.*s/seqnet", name, len);
        add_dir(s, "%.*s/kernels", name, len);
    }
    add_dir(s, "%.*s", SN_MODULE_DIR, (int)strlen(SN_MODULE_DIR));
}

/* Path of the first directory that has the file. */
static int find_module(char path[PATH_MAX]) {
    struct search s;
    char tried[3 * PATH_MAX] = "";
    search_dirs(&s);
    for (int i = 0; i < s.n; i++) {
        int n = snprintf(path, PATH_MAX, "%s/%s", s.dir[i], OPENBLAS_FILE);
        if (n > 0 && n < PATH_MAX && access(path, R_OK) == 0) return 0;
        size_t used = strlen(tried);
        snprintf(tried + used, sizeof tried - used, "%s%s", i ? ", " : "", s.dir[i]);
    }
    return sn_error(SEQNET_ENOTSUP,
                    "%s: not found in %s; this installation has no OpenBLAS module (SEQNET_MODULE_PATH names its directory)", OPENBLAS_FILE,
                    tried);
}

static int check_module(const char *path, const struct sn_kernel_module *m) {
    if (!m) return sn_error(SEQNET_ENOTSUP, "%s: expected the symbol %s, found none: not a module of seqnet", path, SN_MODULE_SYMBOL);
    if (m->abi != SN_MODULE_ABI || m->table_size != sizeof(struct sn_kernels))
        return sn_error(SEQNET_ENOTSUP,
                        "%s: expected module interface %d with a table of %zu bytes, got %u with %u: from another build of seqnet", path,
                        SN_MODULE_ABI, sizeof(struct sn_kernels), m->abi, m->table_size);
    if (strcmp(m->version, SEQNET_VERSION) != 0)
        return sn_error(SEQNET_ENOTSUP, "%s: expected a module of seqnet %s, got one of %s", path, SEQNET_VERSION, m->version);
    return 0;
}

static int load_module(const struct sn_kernel_module **out) {
    char path[PATH_MAX];
    SN_TRY(find_module(path));
    void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!so) return sn_error(SEQNET_ENOTSUP, "cannot load the OpenBLAS module: %s", dlerror());
    const struct sn_kernel_module *m = dlsym(so, SN_MODULE_SYMBOL);
    int rc = check_module(path, m);
    if (rc < 0) {
        dlclose(so);
        return rc;
    }
    *out = m;
    return 0;
}

int sn_kernels_openblas(struct sn_kernels *k) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static const struct sn_kernel_module *loaded;
    pthread_mutex_lock(&lock);
    int rc = loaded ? 0 : load_module(&loaded);
    if (rc == 0) loaded->fill(k);
    pthread_mutex_unlock(&lock);
    return rc;
}
