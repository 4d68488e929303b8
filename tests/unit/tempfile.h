/* Small input files for unit tests, in a folder of their own that is removed after each test (a checked fixture: tempdir_make,
 * tempdir_remove). */
#ifndef SN_TESTS_TEMPFILE_H
#define SN_TESTS_TEMPFILE_H

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"

/* The call fails with this code, and its message holds the fragment. */
#define ck_error(call, code, fragment)                                                                                                     \
    do {                                                                                                                                   \
        ck_assert_int_eq((int)(call), (code));                                                                                             \
        ck_assert_msg(strstr(sn_error_text(), (fragment)) != NULL, "'%s' is not in: %s", (fragment), sn_error_text());                     \
    } while (0)

static char tempdir[512];

static inline void tempdir_make(void) {
    const char *base = getenv("TMPDIR");
    snprintf(tempdir, sizeof tempdir, "%s/seqnet-test-XXXXXX", base && *base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(tempdir));
}

/* "<folder>/<name>", in one of a few static buffers. */
static inline const char *temp_path(const char *name) {
    static char path[8][768];
    static int next;
    char *p = path[next++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", tempdir, name);
    return p;
}

static inline const char *temp_write(const char *name, const void *data, size_t n) {
    const char *path = temp_path(name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
    return path;
}

static inline const char *temp_text(const char *name, const char *text) {
    return temp_write(name, text, strlen(text));
}

/* Number of files in the folder. */
static inline int tempdir_count(void) {
    DIR *d = opendir(tempdir);
    ck_assert_ptr_nonnull(d);
    int n = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static inline void tempdir_remove(void) {
    DIR *d = opendir(tempdir);
    if (d == NULL) return;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.') unlink(temp_path(e->d_name));
    closedir(d);
    rmdir(tempdir);
}

#endif
