#include "seq/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <htslib/bgzf.h>
#include <htslib/hfile.h>
#include <htslib/hts_log.h>

#include "core/error.h"
#include "core/mem.h"

#define BUFFER ((size_t)1 << 18)
#define CHECKPOINT_STEP ((size_t)1 << 16)
#define LONGEST_LINE ((size_t)1 << 30)

int sn_text_error(const struct sn_text *t, int code, const char *fmt, ...) {
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return sn_error(code, "%s:%lld: %s", t->path, (long long)t->line, text);
}

int sn_text_bad_symbol(const struct sn_text *t, const struct sn_alphabet *a, unsigned char byte, const char *where) {
    if (byte > ' ' && byte < 127)
        return sn_text_error(t, SEQNET_EFORMAT, "'%c' is no symbol of the %s alphabet (%s)", byte, a->name, where);
    return sn_text_error(t, SEQNET_EFORMAT, "byte 0x%02x is no symbol of the %s alphabet (%s)%s", byte, a->name, where,
                         byte == ' ' ? "; spaces are not allowed in a sequence" : "");
}

static void silence_htslib(void) {
    hts_set_log_level(HTS_LOG_OFF);
}

static int open_fd(struct sn_text *t, const char *path) {
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return sn_error(SEQNET_EIO, "%s: cannot be opened: %s", t->path, strerror(errno));
    struct stat st;
    if (fstat(fd, &st) == 0) {
        if (S_ISDIR(st.st_mode)) {
            close(fd);
            return sn_error(SEQNET_EIO, "%s: is a directory, expected a file", t->path);
        }
        t->regular = !is_stdin && S_ISREG(st.st_mode);
        t->file_size = (int64_t)st.st_size;
    }
    return fd;
}

int sn_text_open(const char *path, struct sn_text **out) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, silence_htslib);
    int rc = 0;
    hFILE *h = NULL;
    struct sn_text *t = sn_calloc(1, sizeof *t);
    *out = NULL;
    if (t == NULL) return SEQNET_ENOMEM;
    t->bol = true;
    t->path = sn_strdup(strcmp(path, "-") == 0 ? "standard input" : path);
    if (t->path == NULL) SN_GO(SEQNET_ENOMEM);
    SN_GO(sn_grow((void **)&t->buf, &t->cap, BUFFER + 1, 1));
    int fd = open_fd(t, path);
    SN_GO(fd);
    rc = 0;
    h = hdopen(fd, "r");
    if (h == NULL) {
        close(fd);
        SN_GO(sn_error(SEQNET_EIO, "%s: cannot be opened: %s", t->path, strerror(errno)));
    }
    t->fp = bgzf_hopen(h, "r");
    if (t->fp == NULL) SN_GO(sn_error(SEQNET_EIO, "%s: cannot be read: %s", t->path, strerror(errno)));
    h = NULL;
done:
    if (h != NULL) hclose_abruptly(h);
    if (rc < 0) {
        sn_text_close(t);
        t = NULL;
    }
    *out = t;
    return rc;
}

void sn_text_close(struct sn_text *t) {
    if (t == NULL) return;
    if (t->fp != NULL && bgzf_close(t->fp) < 0) errno = 0; /* read-only: nothing can be lost */
    free(t->checkpoint);
    free(t->buf);
    free(t->path);
    free(t);
}

static int read_failed(const struct sn_text *t) {
    if (bgzf_compression(t->fp) == 0) return sn_text_error(t, SEQNET_EIO, "read error: %s", strerror(errno));
    return sn_error(SEQNET_EFORMAT, "%s: the compressed data are cut short or damaged, %lld bytes into the uncompressed text", t->path,
                    (long long)(t->base + (int64_t)t->end));
}

static int note_checkpoint(struct sn_text *t) {
    SN_TRY(sn_grow((void **)&t->checkpoint, &t->cap_checkpoints, t->n_checkpoints + 1, sizeof *t->checkpoint));
    t->checkpoint[t->n_checkpoints++] = (struct sn_checkpoint){bgzf_tell(t->fp), t->base + (int64_t)t->end};
    return 0;
}

int sn_text_fill(struct sn_text *t) {
    if (t->eof) return 0;
    if (t->pos > 0) {
        memmove(t->buf, t->buf + t->pos, t->end - t->pos);
        t->base += (int64_t)t->pos;
        t->end -= t->pos;
        t->pos = 0;
    }
    if (t->end + 1 >= t->cap / 2) {
        if (t->end > LONGEST_LINE) return sn_text_error(t, SEQNET_EFORMAT, "a line of more than %zu bytes", LONGEST_LINE);
        SN_TRY(sn_grow((void **)&t->buf, &t->cap, t->cap + 1, 1));
    }
    size_t room = t->cap - 1 - t->end;
    if (t->keep_checkpoints) {
        SN_TRY(note_checkpoint(t));
        if (room > CHECKPOINT_STEP) room = CHECKPOINT_STEP;
    }
    errno = 0;
    ssize_t got = bgzf_read(t->fp, t->buf + t->end, room);
    if (got < 0) return read_failed(t);
    t->end += (size_t)got;
    if (got == 0) {
        t->eof = true;
        /* htslib notes a missing end marker while reading; without one the file was cut between two blocks */
        if (t->fp->no_eof_block)
            return sn_error(SEQNET_EFORMAT, "%s: bgzip data without end-of-file marker: the file is truncated", t->path);
    }
    return 0;
}

int sn_text_peek(struct sn_text *t) {
    while (t->pos == t->end && !t->eof) SN_TRY(sn_text_fill(t));
    return t->pos < t->end ? (unsigned char)t->buf[t->pos] : -1;
}

int sn_text_line(struct sn_text *t, char **line, size_t *n) {
    size_t seen = 0;
    char *nl = NULL;
    for (;;) {
        nl = t->end > t->pos + seen ? memchr(t->buf + t->pos + seen, '\n', t->end - t->pos - seen) : NULL;
        if (nl != NULL || t->eof) break;
        seen = t->end - t->pos;
        SN_TRY(sn_text_fill(t));
    }
    if (t->pos == t->end) return 0;
    char *start = t->buf + t->pos;
    size_t len = nl ? (size_t)(nl - start) : t->end - t->pos;
    t->pos += len + (nl != NULL);
    if (len > 0 && start[len - 1] == '\r') len--;
    start[len] = '\0';
    if (t->bol) t->line++;
    t->bol = true;
    if (memchr(start, '\0', len) != NULL)
        return sn_text_error(t, SEQNET_EFORMAT, "a NUL byte: this is binary data or UTF-16 text, not plain text");
    *line = start;
    *n = len;
    return 1;
}

/* Bytes of the current line that can be handed out now. */
static size_t chunk_now(const struct sn_text *t, size_t max, size_t *take, bool *eol) {
    const char *start = t->buf + t->pos;
    size_t have = t->end - t->pos;
    size_t look = have > max && have - max > 2 ? max + 2 : have;
    const char *nl = memchr(start, '\n', look);
    size_t len = nl ? (size_t)(nl - start) : look;
    bool ends = nl != NULL || (t->eof && look == have);
    if (len > 0 && start[len - 1] == '\r' && (ends || look == have)) len--; /* half of a "\r\n", perhaps */
    *eol = ends && len <= max;
    if (len > max) len = max;
    *take = *eol ? (nl ? (size_t)(nl - start) + 1 : look) : len;
    return len;
}

int sn_text_chunk(struct sn_text *t, size_t max, const char **p, size_t *n, bool *eol) {
    size_t take;
    for (;;) {
        if (t->pos < t->end) {
            *n = chunk_now(t, max, &take, eol);
            if (*eol || *n > 0) break;
        } else if (t->eof) {
            return 0;
        }
        SN_TRY(sn_text_fill(t));
    }
    if (t->bol) t->line++;
    t->bol = *eol;
    *p = t->buf + t->pos;
    t->pos += take;
    return 1;
}

size_t sn_split_tabs(char *line, size_t n, struct sn_cell *cell, size_t max) {
    size_t count = 0;
    char *end = line + n;
    for (char *s = line;; count++) {
        char *tab = memchr(s, '\t', (size_t)(end - s));
        char *stop = tab ? tab : end;
        if (count < max) {
            cell[count] = (struct sn_cell){s, (size_t)(stop - s)};
            *stop = '\0';
        }
        if (tab == NULL) return count + 1;
        s = tab + 1;
    }
}

static bool is_word(const char *line, size_t n, const char *word) {
    size_t k = strlen(word);
    return n >= k && memcmp(line, word, k) == 0 && (n == k || line[k] == ' ');
}

bool sn_is_comment(const char *line, size_t n) {
    return n == 0 || line[0] == '#' || is_word(line, n, "track") || is_word(line, n, "browser");
}
