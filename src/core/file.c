#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/mem.h"

#define BUFFER ((size_t)1 << 16)
#define TEMP_TRIES 100

struct sn_outfile {
    char *name;   /* as the user wrote it, for messages */
    char *path;   /* written to */
    char *target; /* renamed to at the end; NULL = written directly */
    int fd;
    size_t n;   /* bytes waiting in buf */
    int failed; /* code of the first failure */
    char failure[512];
    char buf[BUFFER];
};

static int remember(struct sn_outfile *f, const char *what) {
    f->failed = sn_error_errno(f->name, what);
    snprintf(f->failure, sizeof f->failure, "%s", sn_error_text());
    return f->failed;
}

static int repeat_failure(const struct sn_outfile *f) {
    return sn_error(f->failed, "%s", f->failure);
}

/* ---- opening ---- */

static void outfile_free(struct sn_outfile *f) {
    if (!f) return;
    free(f->name);
    free(f->path);
    free(f->target);
    free(f);
}

static int open_stdout(struct sn_outfile *f) {
    f->path = sn_strdup("-");
    if (!f->path) return SEQNET_ENOMEM;
    /* a copy, so that its close reports what the last write could not */
    f->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    return f->fd < 0 ? sn_error_errno(f->name, "cannot write to stdout") : 0;
}

static int open_direct(struct sn_outfile *f) {
    f->path = sn_strdup(f->name);
    if (!f->path) return SEQNET_ENOMEM;
    f->fd = open(f->name, O_WRONLY | O_CLOEXEC);
    return f->fd < 0 ? sn_error_errno(f->name, "cannot open for writing") : 0;
}

/* The temporary file beside the target. Its name is taken only by a crashed process with our id, then a number is added. */
static int open_temporary(struct sn_outfile *f, const struct stat *old) {
    struct sn_str path = {0};
    int rc = 0;
    for (int i = 0; f->fd < 0; i++) {
        path.n = 0;
        SN_GO(sn_str_printf(&path, "%s.tmp.%ld", f->target, (long)getpid()));
        if (i > 0) SN_GO(sn_str_printf(&path, ".%d", i));
        f->fd = open(path.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (f->fd < 0 && (errno != EEXIST || i == TEMP_TRIES)) {
            rc = sn_error_errno(f->name, "cannot create");
            goto done;
        }
    }
    f->path = sn_strdup(path.s);
    if (!f->path) {
        unlink(path.s);
        rc = SEQNET_ENOMEM;
        goto done;
    }
    /* a file that is replaced keeps its permissions; where the system refuses, the usual ones remain */
    if (old) (void)fchmod(f->fd, old->st_mode & 0777);
done:
    sn_str_free(&path);
    return rc;
}

static int open_named(struct sn_outfile *f) {
    struct stat st;
    if (!f->name[0]) return sn_error(SEQNET_EINVAL, "output: the file name is empty");
    bool exists = stat(f->name, &st) == 0;
    if (exists && S_ISDIR(st.st_mode)) return sn_error(SEQNET_EIO, "%s: cannot write: it is a folder", f->name);
    if (exists && !S_ISREG(st.st_mode)) return open_direct(f);
    if (exists && access(f->name, W_OK) != 0) return sn_error_errno(f->name, "cannot open for writing");
    /* a link stays a link: what it points to is replaced */
    f->target = exists ? realpath(f->name, NULL) : sn_strdup(f->name);
    if (!f->target) return exists ? sn_error_errno(f->name, "cannot open for writing") : SEQNET_ENOMEM;
    return open_temporary(f, exists ? &st : NULL);
}

int sn_outfile_open(const char *name, struct sn_outfile **out) {
    *out = NULL;
    struct sn_outfile *f = sn_calloc(1, sizeof *f);
    if (!f) return SEQNET_ENOMEM;
    f->fd = -1;
    bool to_stdout = strcmp(name, "-") == 0 || strcmp(name, "/dev/stdout") == 0;
    f->name = sn_strdup(to_stdout ? "stdout" : name);
    int rc = !f->name ? SEQNET_ENOMEM : to_stdout ? open_stdout(f) : open_named(f);
    if (rc < 0) {
        if (f->fd >= 0) close(f->fd);
        outfile_free(f);
        return rc;
    }
    *out = f;
    return 0;
}

/* ---- writing ---- */

static int write_all(struct sn_outfile *f, const char *p, size_t n) {
    while (n > 0) {
        ssize_t w = write(f->fd, p, n);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return remember(f, "cannot write");
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

static int flush(struct sn_outfile *f) {
    size_t n = f->n;
    f->n = 0;
    return write_all(f, f->buf, n);
}

int sn_outfile_open_in(const char *folder, const char *name, struct sn_outfile **out) {
    struct sn_str path = {0};
    *out = NULL;
    int rc = sn_str_printf(&path, "%s/%s", folder, name);
    if (rc == 0) rc = sn_outfile_open(path.s, out);
    sn_str_free(&path);
    return rc;
}

int sn_outfile_write(struct sn_outfile *f, const void *data, size_t n) {
    if (f->failed) return repeat_failure(f);
    if (n > BUFFER - f->n) SN_TRY(flush(f));
    if (n >= BUFFER) return write_all(f, data, n);
    if (n) memcpy(f->buf + f->n, data, n);
    f->n += n;
    return 0;
}

int sn_outfile_printf(struct sn_outfile *f, const char *fmt, ...) {
    char small[512];
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    int rc;
    if (n < 0) {
        rc = sn_error(SEQNET_EINTERNAL, "cannot format '%s'", fmt);
    } else if ((size_t)n < sizeof small) {
        rc = sn_outfile_write(f, small, (size_t)n);
    } else {
        char *large = sn_calloc((size_t)n + 1, 1);
        if (large) vsnprintf(large, (size_t)n + 1, fmt, again);
        rc = large ? sn_outfile_write(f, large, (size_t)n) : SEQNET_ENOMEM;
        free(large);
    }
    va_end(again);
    return rc;
}

int sn_outfile_cell(struct sn_outfile *f, const char *s) {
    while (*s) {
        size_t n = strcspn(s, "\t\r\n");
        SN_TRY(sn_outfile_write(f, s, n));
        s += n;
        if (!*s) break;
        SN_TRY(sn_outfile_write(f, " ", 1));
        s++;
    }
    return 0;
}

const char *sn_outfile_path(const struct sn_outfile *f) {
    return f->path;
}

/* ---- ending ---- */

int sn_outfile_commit(struct sn_outfile *f) {
    int rc = f->failed ? repeat_failure(f) : flush(f);
    if (rc == 0 && f->target && fsync(f->fd) != 0) rc = remember(f, "cannot write");
    if (close(f->fd) != 0 && rc == 0) rc = remember(f, "cannot write");
    if (rc == 0 && f->target && rename(f->path, f->target) != 0) rc = remember(f, "cannot rename the temporary file");
    if (rc < 0 && f->target) unlink(f->path);
    outfile_free(f);
    return rc;
}

void sn_outfile_abort(struct sn_outfile *f) {
    if (!f) return;
    close(f->fd);
    if (f->target) unlink(f->path);
    outfile_free(f);
}

/* ---- folders, whole files ---- */

int sn_file_word(struct sn_str *s, const char *name, int most) {
    for (int i = 0; name[i] && i < most; i++) {
        char c = name[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || (c == '.' && i > 0);
        SN_TRY(sn_str_add(s, plain ? &c : "_", 1));
    }
    return 0;
}

static int make_one_dir(const char *path) {
    struct stat st;
    if (mkdir(path, 0777) == 0) return 0;
    int why = errno;
    if (stat(path, &st) != 0) {
        errno = why;
        return sn_error_errno(path, "cannot create the folder");
    }
    return S_ISDIR(st.st_mode) ? 0 : sn_error(SEQNET_EIO, "%s: expected a folder, but a file has this name", path);
}

int sn_make_dir(const char *path) {
    if (!path[0]) return sn_error(SEQNET_EINVAL, "output: the folder name is empty");
    char *walk = sn_strdup(path);
    if (!walk) return SEQNET_ENOMEM;
    int rc = 0;
    for (char *p = walk + 1; rc == 0 && *p; p++) {
        if (*p != '/') continue;
        *p = '\0';
        rc = make_one_dir(walk);
        *p = '/';
    }
    free(walk);
    SN_TRY(rc);
    SN_TRY(make_one_dir(path));
    return access(path, W_OK | X_OK) == 0 ? 0 : sn_error_errno(path, "cannot write into the folder");
}

void sn_remove_files(const char *folder, const char *begin, const char *end) {
    DIR *d = opendir(folder);
    size_t most = strlen(end);
    for (struct dirent *e; d && (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        bool named = strncmp(e->d_name, begin, strlen(begin)) == 0 && n >= most && strcmp(e->d_name + n - most, end) == 0;
        if (named) unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d) closedir(d);
}

static int read_fd(int fd, const char *path, size_t max, char **out, size_t *n) {
    void *buf = NULL;
    size_t cap = 0, have = 0;
    for (;;) {
        int rc = sn_grow(&buf, &cap, have + 4096, 1);
        ssize_t got = rc < 0 ? 0 : read(fd, (char *)buf + have, cap - have - 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) rc = sn_error_errno(path, "cannot read");
        have += got > 0 ? (size_t)got : 0;
        if (rc == 0 && have > max) rc = sn_error(SEQNET_EFORMAT, "%s: expected a file of at most %zu bytes, this one is longer", path, max);
        if (rc < 0) {
            free(buf);
            return rc;
        }
        if (got == 0) break;
    }
    ((char *)buf)[have] = '\0';
    *out = buf;
    *n = have;
    return 0;
}

int sn_read_file(const char *path, size_t max, char **out, size_t *n) {
    *out = NULL;
    *n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without writer must not hold us */
    if (fd < 0) return sn_error_errno(path, "cannot open");
    struct stat st;
    int rc = 0;
    if (fstat(fd, &st) != 0)
        rc = sn_error_errno(path, "cannot read");
    else if (!S_ISREG(st.st_mode))
        rc = sn_error(SEQNET_EIO, "%s: expected a regular file, got %s", path, S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
    else if (st.st_size > 0 && (uint64_t)st.st_size > max)
        rc = sn_error(SEQNET_EFORMAT, "%s: expected a file of at most %zu bytes, this one has %lld", path, max, (long long)st.st_size);
    else
        rc = read_fd(fd, path, max, out, n);
    close(fd);
    return rc;
}
