/* Rows of an array file of a finished folder, one at a time: memory stays flat however many there are. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"
#include "explain/explain.h"

#define LOCAL 30 /* bytes of a zip member's header before its name */
#define NPY 128  /* bytes of the array header that we write */

struct sn_npz_rows {
    char *path;
    int fd;
    int64_t data, n, channels, length;
    float *row; /* (channels, length) */
};

static int read_at(const struct sn_npz_rows *z, void *data, size_t n, int64_t at) {
    char *p = data;
    while (n > 0) {
        ssize_t got = pread(z->fd, p, n, at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return sn_error_errno(z->path, "cannot read");
        if (got == 0) return sn_error(SEQNET_EFORMAT, "%s: the array ends early", z->path);
        p += got, n -= (size_t)got, at += got;
    }
    return 0;
}

static int wrong(const struct sn_npz_rows *z) {
    return sn_error(SEQNET_EFORMAT, "%s: expected an array as explain writes it: one stored member of float32 (n, channels, length)",
                    z->path);
}

static bool take_number(const char **s, int64_t *out) {
    size_t n = strspn(*s, "0123456789");
    if (n == 0 || !sn_parse_i64(*s, n, out) || *out < 1) return false;
    *s += n + strspn(*s + n, ", ");
    return true;
}

static int read_header(struct sn_npz_rows *z) {
    static const char start[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
    unsigned char local[LOCAL];
    char text[NPY + 1];
    SN_TRY(read_at(z, local, sizeof local, 0));
    if (memcmp(local, "PK\003\004", 4) != 0 || local[8] || local[9]) return wrong(z);
    int64_t at = LOCAL + local[26] + 256 * local[27] + local[28] + 256 * local[29];
    SN_TRY(read_at(z, text, NPY, at));
    text[NPY] = '\0';
    if (memcmp(text, "\x93NUMPY\x01\x00\x76\x00", 10) != 0 || strncmp(text + 10, start, sizeof start - 1) != 0) return wrong(z);
    const char *s = text + 10 + sizeof start - 1;
    if (!take_number(&s, &z->n) || !take_number(&s, &z->channels) || !take_number(&s, &z->length) || *s != ')') return wrong(z);
    z->data = at + NPY;
    size_t row;
    if (!sn_mul_size((size_t)z->channels * sizeof(float), (size_t)z->length, &row)) return wrong(z);
    z->row = sn_calloc(row, 1);
    return z->row ? 0 : SEQNET_ENOMEM;
}

int sn_npz_rows_open(const char *path, struct sn_npz_rows **out) {
    *out = NULL;
    struct sn_npz_rows *z = sn_calloc(1, sizeof *z);
    if (!z) return SEQNET_ENOMEM;
    z->fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = z->fd < 0 ? sn_error_errno(path, "cannot open") : 0;
    z->path = sn_strdup(path);
    if (rc == 0) rc = z->path ? read_header(z) : SEQNET_ENOMEM;
    if (rc < 0)
        sn_npz_rows_close(z);
    else
        *out = z;
    return rc;
}

void sn_npz_rows_shape(const struct sn_npz_rows *z, int64_t *n, int64_t *channels, int64_t *length) {
    *n = z->n;
    *channels = z->channels;
    *length = z->length;
}

int sn_npz_row(struct sn_npz_rows *z, int64_t i, float *out) {
    size_t bytes = (size_t)(z->channels * z->length) * sizeof(float);
    if (i < 0 || i >= z->n) return sn_error(SEQNET_EINVAL, "%s: row %" PRId64 " of %" PRId64, z->path, i, z->n);
    SN_TRY(read_at(z, z->row, bytes, z->data + i * (int64_t)bytes));
    for (int64_t p = 0; p < z->length; p++)
        for (int64_t c = 0; c < z->channels; c++) out[p * z->channels + c] = z->row[c * z->length + p];
    return 0;
}

void sn_npz_rows_close(struct sn_npz_rows *z) {
    if (!z) return;
    if (z->fd >= 0) close(z->fd);
    free(z->path);
    free(z->row);
    free(z);
}
