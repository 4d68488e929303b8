#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"

#define GZIP 31 /* windowBits of zlib for 32 kB of history and a gzip wrapper */

struct inflater {
    const char *path;
    z_stream z;
    size_t max;
    void *out;
    size_t n, cap;
};

static int malformed(const char *path) {
    return sn_error(SEQNET_EFORMAT, "%s: damaged or truncated gzip data", path);
}

/* One gzip member to its end. */
static int inflate_member(struct inflater *f) {
    int state = Z_OK;
    while (state != Z_STREAM_END) {
        if (f->n > f->max) return sn_error(SEQNET_EFORMAT, "%s: expected at most %zu bytes, unpacks to more", f->path, f->max);
        SN_TRY(sn_grow(&f->out, &f->cap, f->n + 65536, 1));
        uInt room = (uInt)(f->cap - f->n - 1 < UINT_MAX ? f->cap - f->n - 1 : UINT_MAX);
        f->z.next_out = (Bytef *)f->out + f->n;
        f->z.avail_out = room;
        state = inflate(&f->z, Z_NO_FLUSH);
        f->n += room - f->z.avail_out;
        if (state != Z_STREAM_END && (state != Z_OK || (f->z.avail_in == 0 && f->z.avail_out > 0))) return malformed(f->path);
    }
    return 0;
}

int sn_gunzip(const char *path, size_t max, char **text, size_t *n) {
    struct inflater f = {.path = path, .max = max};
    if (*n < 2 || memcmp(*text, "\x1f\x8b", 2) != 0) return 0;
    if (*n > UINT_MAX || inflateInit2(&f.z, GZIP) != Z_OK) return malformed(path);
    f.z.next_in = (Bytef *)*text;
    f.z.avail_in = (uInt)*n;
    int rc = inflate_member(&f);
    while (rc == 0 && f.z.avail_in > 0) { /* bgzip writes many */
        inflateReset(&f.z);
        rc = inflate_member(&f);
    }
    inflateEnd(&f.z);
    if (rc == 0 && f.n > max) rc = sn_error(SEQNET_EFORMAT, "%s: expected at most %zu bytes, unpacks to more", path, max);
    if (rc < 0) {
        free(f.out);
        return rc;
    }
    ((char *)f.out)[f.n] = '\0';
    free(*text);
    *text = f.out;
    *n = f.n;
    return 0;
}
