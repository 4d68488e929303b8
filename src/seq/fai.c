#include "seq/fai.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"
#include "seq/fasta.h"

int sn_contigs_add(struct sn_contigs *c, const struct sn_text *t, const char *name, size_t len, struct sn_contig contig) {
    bool added;
    int32_t i = sn_names_add(&c->names, name, len, &added);
    if (i < 0) return i;
    if (!added) return sn_text_error(t, SEQNET_EFORMAT, "the name '%.100s' appears twice; contigs need distinct names", c->names.v[i]);
    SN_TRY(sn_grow((void **)&c->v, &c->cap, (size_t)i + 1, sizeof *c->v));
    c->v[i] = contig;
    return 0;
}

void sn_contigs_free(struct sn_contigs *c) {
    for (int32_t i = 0; i < c->names.n && c->v != NULL; i++) free(c->v[i].codes);
    free(c->v);
    sn_names_free(&c->names);
    *c = (struct sn_contigs){0};
}

/* ---- reading a .fai ---------------------------------------------------------------------------------------------------------------- */

static int64_t byte_of(const struct sn_contig *c, int64_t base) {
    return c->offset + base / c->line_bases * c->line_bytes + base % c->line_bases;
}

static int parse_fai_line(const struct sn_text *t, char *line, size_t n, int64_t limit, struct sn_contigs *out) {
    static const char *const what[] = {"name", "length", "offset", "bases per line", "bytes per line"};
    struct sn_cell cell[5];
    int64_t v[5] = {0};
    size_t cells = sn_split_tabs(line, n, cell, 5);
    if (cells == 6) return sn_text_error(t, SEQNET_EFORMAT, "6 columns: the index of a FASTQ file, expected one of a FASTA file");
    if (cells != 5 || cell[0].n == 0)
        return sn_text_error(t, SEQNET_EFORMAT, "expected 5 tab-separated columns of a FASTA index, found %zu", cells);
    for (int i = 1; i < 5; i++)
        if (!sn_parse_i64(cell[i].s, cell[i].n, &v[i]) || v[i] < 0 || v[i] > limit)
            return sn_text_error(t, SEQNET_EFORMAT, "%s of '%.60s': '%.40s' is no number that fits the FASTA file (stale or damaged index)",
                                 what[i], cell[0].s, cell[i].s);
    struct sn_contig c = {v[1], v[2], v[3], v[4], NULL};
    bool one_line = c.length <= c.line_bases;
    if (c.length > 0 && (c.line_bases == 0 || c.line_bytes < c.line_bases + !one_line || c.line_bytes > c.line_bases + 2))
        return sn_text_error(t, SEQNET_EFORMAT, "'%.60s': lines of %lld bases in %lld bytes are impossible (stale or damaged index)",
                             cell[0].s, (long long)c.line_bases, (long long)c.line_bytes);
    return sn_contigs_add(out, t, cell[0].s, cell[0].n, c);
}

int sn_fai_read(const char *path, int64_t limit, struct sn_contigs *out) {
    struct sn_text *t;
    char *line;
    size_t n;
    int rc, got;
    SN_GO(sn_text_open(path, &t));
    while ((got = sn_text_line(t, &line, &n)) > 0) SN_GO(parse_fai_line(t, line, n, limit, out));
    SN_GO(got);
    if (out->names.n == 0) SN_GO(sn_error(SEQNET_EFORMAT, "%s: is empty: a stale or damaged index; remove it", path));
done:
    sn_text_close(t);
    return rc;
}

/* ---- comparing it with the file ---------------------------------------------------------------------------------------------------- */

struct checker {
    const struct sn_contigs *contigs;
    struct sn_seekable *file;
    const struct sn_alphabet *alphabet;
    const char *path;
};

static int stale(const struct checker *k, int32_t i, const char *what) {
    return sn_error(SEQNET_EFORMAT, "%s: stale index: for '%.100s' %s %s; rebuild it with 'samtools faidx' or remove it", k->path,
                    k->contigs->names.v[i], k->file->text->path, what);
}

/* Between the last base of one record and the first of the next there are line ends, then header lines; the last of these names `next`
 * (-1: the end of the file; records without sequence have no entry in an index). */
static bool gap_fits(const struct checker *k, const char *p, size_t n, int32_t next) {
    const char *name = NULL;
    size_t len = 0;
    while (n > 0) {
        const char *nl = memchr(p, '\n', n);
        size_t line = nl ? (size_t)(nl - p) : n;
        size_t bare = line > 0 && p[line - 1] == '\r' ? line - 1 : line;
        if (bare > 0 && (p[0] != '>' || !sn_fasta_word(p, bare, &name, &len))) return false;
        if (nl == NULL) return next < 0;
        p += line + 1;
        n -= line + 1;
    }
    if (next < 0) return true;
    const char *want = k->contigs->names.v[next];
    return name != NULL && strlen(want) == len && memcmp(want, name, len) == 0;
}

/* from: offset just behind the last base of the record before. */
static int check_gap(const struct checker *k, int64_t from, int32_t next) {
    const char *p;
    size_t have, want = SN_SEEK_MOST;
    if (next >= 0) {
        int64_t gap = k->contigs->v[next].offset - from;
        if (gap < 2 || gap > (int64_t)SN_SEEK_MOST) return stale(k, next, "has no header line where it should");
        want = (size_t)gap;
    }
    SN_TRY(sn_seekable_get(k->file, from, want, &p, &have));
    if (next < 0) {
        int32_t last = k->contigs->names.n - 1;
        return have < want && gap_fits(k, p, have, -1) ? 0 : stale(k, last, "has more text behind its last record");
    }
    return have == want && p[want - 1] == '\n' && gap_fits(k, p, want, next) ? 0 : stale(k, next, "has no header line where it should");
}

static int check_last_base(const struct checker *k, int32_t i) {
    const char *p;
    size_t have;
    const struct sn_contig *c = &k->contigs->v[i];
    SN_TRY(sn_seekable_get(k->file, byte_of(c, c->length - 1), 1, &p, &have));
    if (have == 0) return stale(k, i, "is too short");
    return k->alphabet->encode[(unsigned char)*p] == 255 ? stale(k, i, "has no sequence where it should end") : 0;
}

struct placed {
    int64_t offset;
    int32_t index;
};

static int by_offset(const void *a, const void *b) {
    int64_t x = ((const struct placed *)a)->offset, y = ((const struct placed *)b)->offset;
    return (x > y) - (x < y);
}

int sn_fai_check(const struct sn_contigs *c, struct sn_seekable *file, const struct sn_alphabet *a, const char *fai_path) {
    struct checker k = {c, file, a, fai_path};
    int rc = 0;
    int32_t n = 0;
    int64_t from = 0;
    struct placed *order = sn_calloc((size_t)c->names.n, sizeof *order);
    if (order == NULL) return SEQNET_ENOMEM;
    for (int32_t i = 0; i < c->names.n; i++)
        if (c->v[i].length > 0) order[n++] = (struct placed){c->v[i].offset, i};
    qsort(order, (size_t)n, sizeof *order, by_offset);
    for (int32_t j = 0; j < n; j++) {
        int32_t i = order[j].index;
        SN_GO(check_gap(&k, from, i));
        SN_GO(check_last_base(&k, i));
        from = byte_of(&c->v[i], c->v[i].length - 1) + 1;
    }
    SN_GO(check_gap(&k, from, -1));
done:
    free(order);
    return rc;
}

/* ---- finding the records ------------------------------------------------------------------------------------------------------------ */

struct builder {
    struct sn_text *text;
    const struct sn_alphabet *alphabet;
    struct sn_contigs *out;
    bool short_line;    /* of the current record: only its last line may differ */
    int64_t line_start; /* offset of the current line */
    int64_t bases;      /* of the current line so far */
    uint8_t codes[1 << 14];
};

static int take_header(struct builder *b) {
    char *line;
    size_t n, len;
    const char *name;
    int got = sn_text_line(b->text, &line, &n);
    if (got < 0) return got;
    if (!sn_fasta_word(line, n, &name, &len)) return sn_text_error(b->text, SEQNET_EFORMAT, "a '>' without a name");
    b->short_line = false;
    return sn_contigs_add(b->out, b->text, name, len, (struct sn_contig){0});
}

static int end_line(struct builder *b) {
    int32_t i = b->out->names.n - 1;
    struct sn_contig *c = &b->out->v[i];
    int64_t bytes = b->text->base + (int64_t)b->text->pos - b->line_start;
    if (b->bases == 0) {
        b->short_line = c->length > 0;
        return 0;
    }
    if (c->length == 0) {
        c->offset = b->line_start;
        c->line_bases = b->bases;
        c->line_bytes = bytes;
    } else if (b->short_line || b->bases > c->line_bases) {
        return sn_text_error(
            b->text, SEQNET_EFORMAT,
            "the lines of '%.100s' differ in length (%lld bases first, here %lld); random access needs equal lines within a record: "
            "wrap it anew, or pack it with gzip to have it read into memory",
            b->out->names.v[i], (long long)c->line_bases, (long long)b->bases);
    }
    if (b->bases < c->line_bases || bytes != c->line_bytes) b->short_line = true;
    c->length += b->bases;
    return 0;
}

static int take_chunk(struct builder *b) {
    const char *p;
    size_t n;
    bool eol;
    int64_t bad;
    if (b->text->bol) {
        b->line_start = b->text->base + (int64_t)b->text->pos;
        b->bases = 0;
    }
    int got = sn_text_chunk(b->text, sizeof b->codes, &p, &n, &eol);
    if (got <= 0) return got;
    if (n > 0 && b->out->names.n == 0) return sn_text_error(b->text, SEQNET_EFORMAT, "text before the first '>'");
    if (sn_encode_seq(b->alphabet, p, (int64_t)n, b->codes, &bad) < 0) {
        char where[160];
        snprintf(where, sizeof where, "record '%.120s'", b->out->names.v[b->out->names.n - 1]);
        return sn_text_bad_symbol(b->text, b->alphabet, (unsigned char)p[bad], where);
    }
    b->bases += (int64_t)n;
    return eol && b->out->names.n > 0 ? end_line(b) : 0;
}

int sn_fai_build(struct sn_text *t, const struct sn_alphabet *a, struct sn_contigs *out) {
    int rc = 0, c;
    struct builder *b = sn_calloc(1, sizeof *b);
    if (b == NULL) return SEQNET_ENOMEM;
    b->text = t;
    b->alphabet = a;
    b->out = out;
    while ((c = sn_text_peek(t)) >= 0) SN_GO(t->bol && c == '>' ? take_header(b) : take_chunk(b));
    if (c < -1) SN_GO(c);
done:
    free(b);
    return rc;
}
