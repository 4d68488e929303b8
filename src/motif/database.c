#include "motif/database.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/installed.h"
#include "motif/meme.h"
#include "motif/motif_paths.h" /* SN_SOURCE_MOTIFS */
#include "sn_config.h"         /* SN_MOTIFS_DIR */

#define MAX_FILE ((size_t)1 << 30)

static const char *const suffixes[] = {".meme", ".meme.gz", NULL};
static const struct sn_installed databases = {.what = "motif database",
                                              .variable = "SEQNET_MOTIFS",
                                              .folder = "motifs",
                                              .source = SN_SOURCE_MOTIFS,
                                              .configured = SN_MOTIFS_DIR,
                                              .suffixes = suffixes};

static int parse(const char *path, char *text, size_t n, struct sn_motif_set *out) {
    if (memchr(text, '\0', n)) return sn_error(SEQNET_EFORMAT, "%s: expected a motif file (text), got binary or compressed data", path);
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) text += 3; /* a byte order mark */
    return text[strspn(text, " \t\r\n")] == '>' ? sn_jaspar_parse(path, text, out) : sn_meme_parse(path, text, out);
}

static int read_path(const char *path, struct sn_motif_set *out) {
    char *text = NULL;
    size_t n;
    SN_TRY(sn_read_file(path, MAX_FILE, &text, &n));
    int rc = sn_gunzip(path, MAX_FILE, &text, &n);
    if (rc == 0) rc = parse(path, text, n, out);
    free(text);
    return rc;
}

int sn_motifs_read(const char *name, struct sn_motif_set *out) {
    char *path = NULL;
    memset(out, 0, sizeof *out);
    if (!name[0]) return sn_error(SEQNET_EINVAL, "the name of a motif file is empty");
    if (strpbrk(name, "/.")) return read_path(name, out);
    SN_TRY(sn_installed_find(&databases, name, &path));
    if (!path && access(name, F_OK) != 0) return sn_installed_unknown(&databases, name, SEQNET_EIO, "or give the path of a motif file");
    int rc = read_path(path ? path : name, out);
    free(path);
    return rc;
}
