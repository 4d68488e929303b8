/* Where architectures are installed, and how a name finds its file. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/installed.h"
#include "model/model.h"
#include "model/model_paths.h" /* SN_SOURCE_MODELS */
#include "sn_config.h"         /* SN_MODELS_DIR */

#define MAX_TEXT ((size_t)1 << 20)

static const char *const suffixes[] = {".yaml", NULL};
static const struct sn_installed architectures = {.what = "architecture",
                                                  .variable = "SEQNET_MODELS",
                                                  .folder = "models",
                                                  .source = SN_SOURCE_MODELS,
                                                  .configured = SN_MODELS_DIR,
                                                  .suffixes = suffixes};

int sn_arch_list(struct sn_str *out) {
    return sn_installed_list(&architectures, out);
}

static int load_file(const char *path, struct sn_arch **out) {
    char *text;
    size_t n;
    SN_TRY(sn_read_file(path, MAX_TEXT, &text, &n));
    int rc = sn_arch_parse(text, n, path, out);
    free(text);
    return rc;
}

static bool is_path(const char *name) {
    size_t n = strlen(name);
    return strchr(name, '/') || (n > 5 && strcmp(name + n - 5, ".yaml") == 0) || (n > 4 && strcmp(name + n - 4, ".yml") == 0);
}

int sn_arch_load(const char *name, struct sn_arch **out) {
    char *path;
    *out = NULL;
    if (!name[0]) return sn_error(SEQNET_EINVAL, "the name of an architecture is empty");
    if (is_path(name)) return load_file(name, out);
    SN_TRY(sn_installed_find(&architectures, name, &path));
    if (!path && access(name, F_OK) != 0)
        return sn_installed_unknown(&architectures, name, SEQNET_EARCH, "or give the path of a .yaml file");
    int rc = load_file(path ? path : name, out);
    free(path);
    return rc;
}
