#include "seq/seekable.h"

#include <stdio.h>
#include <stdlib.h>

#include <htslib/bgzf.h>

#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"

int sn_seekable_init(struct sn_seekable *s, struct sn_text *t) {
    *s = (struct sn_seekable){.text = t, .at = -1};
    s->buf = sn_calloc(SN_SEEK_MOST, 1);
    return s->buf ? 0 : SEQNET_ENOMEM;
}

void sn_seekable_free(struct sn_seekable *s) {
    free(s->buf);
    s->buf = NULL;
}

static uint64_t le64(const char *p) {
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) v = v << 8 | (unsigned char)p[i];
    return v;
}

static int parse_gzi(struct sn_text *t, const char *path, const char *data, size_t n) {
    uint64_t count = n >= 8 ? le64(data) : UINT64_MAX;
    if (count > n / 16 || 8 + count * 16 != n)
        return sn_error(SEQNET_EFORMAT, "%s: %zu bytes do not hold the number of blocks it states; remove it", path, n);
    SN_TRY(sn_grow((void **)&t->checkpoint, &t->cap_checkpoints, (size_t)count + 1, sizeof *t->checkpoint));
    uint64_t packed = 0, plain = 0;
    t->n_checkpoints = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t next_packed = le64(data + 8 + 16 * i), next_plain = le64(data + 16 + 16 * i);
        if (next_packed < packed || next_plain < plain || next_plain - plain > 65536 || next_packed >= (uint64_t)t->file_size)
            return sn_error(SEQNET_EFORMAT, "%s: block %llu does not belong to %s; the index is stale, remove it", path,
                            (unsigned long long)i, t->path);
        packed = next_packed;
        plain = next_plain;
        t->checkpoint[t->n_checkpoints++] = (struct sn_checkpoint){(int64_t)(packed << 16), (int64_t)plain};
    }
    return 0;
}

int sn_seekable_read_gzi(struct sn_text *t, const char *gzi_path) {
    char *data = NULL;
    size_t n = 0;
    /* 16 bytes a block, and a block takes at least 28 bytes of the file */
    SN_TRY(sn_read_file(gzi_path, (size_t)t->file_size + 4096, &data, &n));
    int rc = parse_gzi(t, gzi_path, data, n);
    free(data);
    return rc;
}

/* The last checkpoint at or before the offset; the start of the file counts as one. */
static struct sn_checkpoint checkpoint_before(const struct sn_text *t, int64_t offset) {
    size_t lo = 0, hi = t->n_checkpoints;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t->checkpoint[mid].offset <= offset)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo ? t->checkpoint[lo - 1] : (struct sn_checkpoint){0, 0};
}

static int read_error(struct sn_seekable *s, int64_t offset) {
    s->at = -1;
    return sn_error(SEQNET_EFORMAT, "%s: cannot be read at byte %lld of its text: data or index are damaged, or do not belong together",
                    s->text->path, (long long)offset);
}

static int go_to(struct sn_seekable *s, int64_t offset) {
    BGZF *fp = s->text->fp;
    if (bgzf_compression(fp) == 0) {
        if (offset != s->at && bgzf_seek(fp, offset << 16, SEEK_SET) < 0) return read_error(s, offset);
        s->at = offset;
        return 0;
    }
    struct sn_checkpoint c = checkpoint_before(s->text, offset);
    if (s->at < c.offset || s->at > offset) {
        if (bgzf_seek(fp, c.virtual_offset, SEEK_SET) < 0) return read_error(s, offset);
        s->at = c.offset;
    }
    while (s->at < offset) {
        size_t step = (size_t)(offset - s->at) < SN_SEEK_MOST ? (size_t)(offset - s->at) : SN_SEEK_MOST;
        ssize_t got = bgzf_read(fp, s->buf, step);
        if (got < 0) return read_error(s, offset);
        if (got == 0) return 0; /* beyond the end: the read that follows finds nothing either */
        s->at += got;
    }
    return 0;
}

int sn_seekable_get(struct sn_seekable *s, int64_t offset, size_t n, const char **p, size_t *have) {
    if (offset < s->start || offset + (int64_t)n > s->start + (int64_t)s->n) {
        s->n = 0; /* the buffer serves go_to */
        SN_TRY(go_to(s, offset));
        ssize_t got = bgzf_read(s->text->fp, s->buf, SN_SEEK_MOST);
        if (got < 0) return read_error(s, offset);
        s->at += got;
        s->start = offset;
        s->n = (size_t)got;
    }
    size_t left = s->n - (size_t)(offset - s->start);
    *p = s->buf + (offset - s->start);
    *have = left < n ? left : n;
    return 0;
}
