#include "seq/reference.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <htslib/bgzf.h>

#include "core/error.h"
#include "core/mem.h"
#include "seq/fai.h"
#include "seq/fasta.h"

#define MOST_DEFLATE 1100 /* no deflate stream expands more */

struct sn_reference {
    const struct sn_alphabet *alphabet;
    struct sn_text *text; /* NULL when the contigs are in memory */
    struct sn_seekable file;
    struct sn_contigs contigs;
    char *path;
};

/* ---- opening ----------------------------------------------------------------------------------------------------------------------- */

static int read_record(struct sn_fasta_stream *s, struct sn_contig *c) {
    size_t cap = 0;
    int64_t got;
    do {
        SN_TRY(sn_grow((void **)&c->codes, &cap, (size_t)c->length + 65536, 1));
        got = sn_fasta_read(s, c->codes + c->length, (int64_t)cap - c->length);
        if (got < 0) return (int)got;
        c->length += got;
    } while (got > 0);
    uint8_t *fit = realloc(c->codes, c->length ? (size_t)c->length : 1);
    if (fit != NULL) c->codes = fit;
    return 0;
}

static int read_into_memory(struct sn_reference *r) {
    struct sn_fasta_stream *s = NULL;
    const char *name;
    int rc, got;
    SN_GO(sn_fasta_from_text(r->text, r->alphabet, &s));
    while ((got = sn_fasta_next(s, &name)) > 0) {
        SN_GO(sn_contigs_add(&r->contigs, r->text, name, strlen(name), (struct sn_contig){0}));
        SN_GO(read_record(s, &r->contigs.v[r->contigs.names.n - 1]));
    }
    SN_GO(got);
    sn_text_close(r->text);
    r->text = NULL;
done:
    sn_fasta_close(s);
    return rc;
}

/* 1 when "<path><suffix>" can be read, 0 when there is none. */
static int beside(const char *path, const char *suffix, char **out) {
    struct sn_str s = {0};
    SN_TRY(sn_str_printf(&s, "%s%s", path, suffix));
    *out = s.s;
    if (access(s.s, R_OK) == 0) return 1;
    return errno == ENOENT ? 0 : sn_error(SEQNET_EIO, "%s: cannot be read: %s", s.s, strerror(errno));
}

static int index_file(struct sn_reference *r) {
    char *fai = NULL, *gzi = NULL;
    bool packed = bgzf_compression(r->text->fp) != 0;
    int64_t limit = packed ? r->text->file_size * MOST_DEFLATE : r->text->file_size;
    int rc = beside(r->path, ".fai", &fai), indexed = rc;
    SN_GO(rc);
    if (packed) {
        if (bgzf_check_EOF(r->text->fp) == 0)
            SN_GO(sn_error(SEQNET_EFORMAT, "%s: bgzip data without end-of-file marker: the file is truncated", r->path));
        SN_GO(beside(r->path, ".gzi", &gzi));
        if (rc == 0) indexed = 0;
    }
    SN_GO(sn_seekable_init(&r->file, r->text));
    if (!indexed) {
        r->text->keep_checkpoints = packed;
        SN_GO(sn_fai_build(r->text, r->alphabet, &r->contigs));
    } else {
        if (packed) SN_GO(sn_seekable_read_gzi(r->text, gzi));
        SN_GO(sn_fai_read(fai, limit, &r->contigs));
        SN_GO(sn_fai_check(&r->contigs, &r->file, r->alphabet, fai));
    }
    rc = 0;
done:
    free(fai);
    free(gzi);
    return rc;
}

int sn_reference_open(const char *path, const struct sn_alphabet *a, struct sn_reference **out) {
    int rc = 0;
    enum sn_kind kind;
    struct sn_reference *r = sn_calloc(1, sizeof *r);
    *out = NULL;
    if (r == NULL) return SEQNET_ENOMEM;
    r->alphabet = a;
    r->path = sn_strdup(path);
    if (r->path == NULL) SN_GO(SEQNET_ENOMEM);
    if (strcmp(path, "-") == 0) SN_GO(sn_error(SEQNET_EINVAL, "a reference cannot be read from standard input: random access is needed"));
    SN_GO(sn_text_open(path, &r->text));
    SN_GO(sn_sniff(r->text, &kind));
    if (kind != SN_KIND_FASTA) SN_GO(sn_error(SEQNET_EFORMAT, "%s: expected a reference FASTA, found a %s", path, sn_kind_name(kind)));
    if (bgzf_compression(r->text->fp) == 1)
        SN_GO(read_into_memory(r));
    else if (r->text->regular)
        SN_GO(index_file(r));
    else
        SN_GO(sn_error(SEQNET_EINVAL, "%s: is no regular file: random access is needed", path));
    *out = r;
    r = NULL;
done:
    sn_reference_close(r);
    return rc;
}

void sn_reference_close(struct sn_reference *r) {
    if (r == NULL) return;
    sn_seekable_free(&r->file);
    sn_text_close(r->text);
    sn_contigs_free(&r->contigs);
    free(r->path);
    free(r);
}

/* ---- contigs ----------------------------------------------------------------------------------------------------------------------- */

const char *sn_reference_path(const struct sn_reference *r) {
    return r->path;
}

int sn_reference_contigs(const struct sn_reference *r) {
    return r->contigs.names.n;
}

const char *sn_reference_name(const struct sn_reference *r, int i) {
    return r->contigs.names.v[i];
}

int64_t sn_reference_length(const struct sn_reference *r, int i) {
    return r->contigs.v[i].length;
}

int sn_reference_lookup(const struct sn_reference *r, const char *name) {
    return sn_names_find(&r->contigs.names, name, strlen(name));
}

/* Whether the name with "chr" put before or taken away is one of ours. */
static bool differs_by_chr(const struct sn_reference *r, const char *name) {
    char with[256];
    if (strncmp(name, "chr", 3) == 0 && sn_reference_lookup(r, name + 3) >= 0) return true;
    return snprintf(with, sizeof with, "chr%s", name) < (int)sizeof with && sn_reference_lookup(r, with) >= 0;
}

int sn_reference_find(const struct sn_reference *r, const char *name) {
    int i = sn_reference_lookup(r, name);
    if (i >= 0) return i;
    struct sn_str names = {0};
    int rc = sn_names_show(r->contigs.names.v, r->contigs.names.n, &names);
    if (rc == 0) {
        const char *hint = differs_by_chr(r, name)
                               ? "; the two differ by the prefix 'chr': use files with the same names (nothing is renamed silently)"
                               : "";
        rc = sn_error(SEQNET_EDATA, "contig '%.100s' is not in %s, which has: %s%s", name, r->path, names.s, hint);
    }
    sn_str_free(&names);
    return rc;
}

/* ---- fetching ---------------------------------------------------------------------------------------------------------------------- */

static int no_match(const struct sn_reference *r, int contig, int64_t base) {
    return sn_error(SEQNET_EFORMAT,
                    "%s: the text of '%.100s' near base %lld does not fit its index: stale index, or lines of different lengths", r->path,
                    sn_reference_name(r, contig), (long long)base + 1);
}

/* Codes of at most one line; returns their number. */
static int64_t fetch_line(struct sn_reference *r, int contig, int64_t start, int64_t end, uint8_t *codes) {
    const struct sn_contig *c = &r->contigs.v[contig];
    const char *p;
    size_t have;
    int64_t bad, column = start % c->line_bases, n = c->line_bases - column, most = (int64_t)SN_SEEK_MOST / 2;
    if (n > end - start) n = end - start;
    if (n > most) n = most;
    bool whole = column + n == c->line_bases && start + n < c->length; /* its line end follows */
    int64_t more = whole ? c->line_bytes - c->line_bases : 0;
    SN_TRY(sn_seekable_get(&r->file, c->offset + start / c->line_bases * c->line_bytes + column, (size_t)(n + more), &p, &have));
    if ((int64_t)have < n + more || (whole && (p[n + more - 1] != '\n' || (more == 2 && p[n] != '\r')))) return no_match(r, contig, start);
    if (sn_encode_seq(r->alphabet, p, n, codes, &bad) < 0) {
        unsigned char byte = (unsigned char)p[bad];
        if (byte == '\n' || byte == '\r' || byte == '>') return no_match(r, contig, start + bad);
        return sn_error(SEQNET_EFORMAT, "%s: byte 0x%02x at base %lld of '%.100s' is no symbol of the %s alphabet", r->path, byte,
                        (long long)(start + bad) + 1, sn_reference_name(r, contig), r->alphabet->name);
    }
    return n;
}

int sn_reference_fetch(struct sn_reference *r, int contig, int64_t start, int64_t end, uint8_t *codes) {
    if (contig < 0 || contig >= r->contigs.names.n) return sn_error(SEQNET_EINVAL, "%s: no contig number %d", r->path, contig);
    const struct sn_contig *c = &r->contigs.v[contig];
    if (start < 0 || start > end || end > c->length)
        return sn_error(SEQNET_EDATA, "%s: bases %lld to %lld reach beyond '%.100s' of %lld bases", r->path, (long long)start,
                        (long long)end, sn_reference_name(r, contig), (long long)c->length);
    if (start == end) return 0;
    if (c->codes != NULL) {
        memcpy(codes, c->codes + start, (size_t)(end - start));
        return 0;
    }
    while (start < end) {
        int64_t n = fetch_line(r, contig, start, end, codes);
        if (n < 0) return (int)n;
        start += n;
        codes += n;
    }
    return 0;
}

int sn_reference_fetch_padded(struct sn_reference *r, int contig, int64_t start, int64_t end, uint8_t *codes, int64_t *outside) {
    if (contig < 0 || contig >= r->contigs.names.n) return sn_error(SEQNET_EINVAL, "%s: no contig number %d", r->path, contig);
    int64_t length = r->contigs.v[contig].length;
    int64_t from = start < 0 ? 0 : start > length ? length : start;
    int64_t to = end > length ? length : end < from ? from : end;
    if (start > end) return sn_error(SEQNET_EINVAL, "%s: bases %lld to %lld are no range", r->path, (long long)start, (long long)end);
    SN_TRY(sn_reference_fetch(r, contig, from, to, codes + (from < start ? 0 : from - start)));
    int64_t before = to > from ? from - start : end - start, after = to > from ? end - to : 0;
    memset(codes, SN_CODE_OUTSIDE, (size_t)before);
    memset(codes + (end - start) - after, SN_CODE_OUTSIDE, (size_t)after);
    *outside = before + after;
    return 0;
}
