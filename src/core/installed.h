/* Files that come with seqnet and are found by name: architectures, databases of motifs. */
#ifndef SN_CORE_INSTALLED_H
#define SN_CORE_INSTALLED_H

#include "core/mem.h"

/* A kind of installed file: NAME is <folder>/NAME<suffix>, where the folders are, in the order of search: $variable, share/seqnet/<folder>
 * beside the library (so that a moved prefix works), `source` (the source tree), `configured` (the prefix of the build). */
struct sn_installed {
    const char *what;     /* for messages: "architecture" */
    const char *variable; /* of the environment */
    const char *folder;
    const char *source, *configured;
    const char *const *suffixes; /* NULL-terminated, the first that exists counts */
};

/* Path of an installed name, to be freed; *path = NULL when there is none of that name. */
int sn_installed_find(const struct sn_installed *k, const char *name, char **path);
/* Names, sorted, one a line. */
int sn_installed_list(const struct sn_installed *k, struct sn_str *out);
/* Fails with `code`: no such name, the nearest one, and what is installed; `hint` ends the message. */
int sn_installed_unknown(const struct sn_installed *k, const char *name, int code, const char *hint);

#endif
