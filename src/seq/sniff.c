/* Recognises input by its content; names are never looked at. */
#include <string.h>

#include "core/error.h"
#include "seq/lines.h"

#define MOST_COMMENTS ((size_t)1 << 24) /* bytes of leading comment lines */

struct magic {
    const char *bytes;
    unsigned char n;
    const char *what;
};

/* Files we know by name but do not read, or not as sequences. */
static const struct magic known[] = {
    {"BAM\1", 4, "a BAM file"},
    {"CRAM", 4, "a CRAM file"},
    {"BCF\2", 4, "a BCF file"},
    {"##fileformat=VCF", 16, "a VCF file"},
    {"@HD\t", 4, "a SAM file"},
    {"@SQ\t", 4, "a SAM file"},
    {"@RG\t", 4, "a SAM file"},
    {"@PG\t", 4, "a SAM file"},
    {"@CO\t", 4, "a SAM file"},
    {"@", 1, "a FASTQ file"},
    {"##gff-version", 13, "a GFF file"},
    {"BZh", 3, "a bzip2 file (decompress it first)"},
    {"\xFD"
     "7zXZ",
     5, "an xz file (decompress it first)"},
    {"\x28\xB5\x2F\xFD", 4, "a zstd file (decompress it first)"},
    {"PK\3\4", 4, "a zip archive (unpack it first)"},
    {"\x43\x27\x41\x1A", 4, "a 2bit file"},
    {"\x26\xFC\x8F\x88", 4, "a bigWig file"},
    {"\xEB\xF2\x89\x87", 4, "a bigBed file"},
    {"\x89HDF", 4, "an HDF5 file"},
    {"\xFF\xFE", 2, "UTF-16 text (save it as plain text)"},
    {"\xFE\xFF", 2, "UTF-16 text (save it as plain text)"},
};

const char *sn_kind_name(enum sn_kind kind) {
    static const char *const names[] = {"FASTA", "BED", "table"};
    return names[kind];
}

static int refuse_known(const struct sn_text *t) {
    const char *p = t->buf + t->pos;
    size_t n = t->end - t->pos;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct magic *m = &known[i];
        if (n >= m->n && memcmp(p, m->bytes, m->n) == 0)
            return sn_error(
                SEQNET_ENOTSUP,
                "%s: is %s, which is not supported here; expected FASTA, BED, narrowPeak or a tab-separated table with a header", t->path,
                m->what);
    }
    return 0;
}

/* The first line that is no comment, within what can be buffered. 1, 0 when there is none, or an error. */
static int first_line(struct sn_text *t, const char **line, size_t *n) {
    size_t at = 0;
    for (;;) {
        const char *start = t->buf + t->pos + at;
        size_t have = t->end - t->pos - at;
        const char *nl = memchr(start, '\n', have);
        if (nl == NULL && !t->eof) {
            if (have > MOST_COMMENTS || at > MOST_COMMENTS)
                return sn_error(SEQNET_EFORMAT, "%s: no line of data in its first %zu bytes", t->path, at + have);
            SN_TRY(sn_text_fill(t));
            continue;
        }
        size_t len = nl ? (size_t)(nl - start) : have;
        size_t bare = len > 0 && start[len - 1] == '\r' ? len - 1 : len;
        if (!sn_is_comment(start, bare)) {
            *line = start;
            *n = bare;
            return 1;
        }
        if (nl == NULL) return 0;
        at += len + 1;
    }
}

/* Cell i of a line that must not be changed; false when it has fewer. */
static bool cell_at(const char *line, size_t n, int i, const char **s, size_t *len) {
    const char *end = line + n;
    for (;; i--) {
        const char *tab = memchr(line, '\t', (size_t)(end - line));
        *s = line;
        *len = (size_t)((tab ? tab : end) - line);
        if (i == 0) return true;
        if (tab == NULL) return false;
        line = tab + 1;
    }
}

static bool has_cell(const char *line, size_t n, const char *word) {
    const char *s;
    size_t len;
    for (int i = 0; cell_at(line, n, i, &s, &len); i++)
        if (len == strlen(word) && memcmp(s, word, len) == 0) return true;
    return false;
}

static bool looks_numeric(const char *s, size_t n) {
    return n > 0 && (memchr("+-.", s[0], 3) != NULL || (s[0] >= '0' && s[0] <= '9') || (s[0] == ' ' && looks_numeric(s + 1, n - 1)));
}

static bool looks_like_bed(const char *line, size_t n) {
    const char *s;
    size_t len;
    for (int i = 1; i <= 2; i++)
        if (cell_at(line, n, i, &s, &len) && looks_numeric(s, len)) return true;
    return false;
}

static int refuse_line(const struct sn_text *t, const char *line, size_t n) {
    size_t shown = n < 60 ? n : 60;
    for (size_t i = 0; i < n && i < 512; i++)
        if ((unsigned char)line[i] < ' ' && line[i] != '\t')
            return sn_error(SEQNET_EFORMAT, "%s: binary data (byte 0x%02x); expected FASTA, BED or a table", t->path,
                            (unsigned char)line[i]);
    const char *hint = "";
    if (memchr(line, '\t', n) == NULL && memchr(line, ',', n) != NULL)
        hint = "; columns must be separated by tabs, not commas";
    else if (memchr(line, '\t', n) == NULL && memchr(line, ' ', n) != NULL)
        hint = "; columns must be separated by tabs, not spaces";
    return sn_error(
        SEQNET_EFORMAT,
        "%s: neither FASTA ('>name'), BED (tab-separated chrom, start, end) nor a table whose header names 'sequence' or 'chrom', "
        "'start', 'end'; its first line is '%.*s%s'%s",
        t->path, (int)shown, line, shown < n ? "..." : "", hint);
}

int sn_sniff(struct sn_text *t, enum sn_kind *kind) {
    int first = sn_text_peek(t);
    if (first < -1) return first;
    if (first < 0) return sn_error(SEQNET_EFORMAT, "%s: is empty, expected sequences or intervals", t->path);
    while (t->end - t->pos < 32 && !t->eof) SN_TRY(sn_text_fill(t));
    if (t->end - t->pos >= 3 && memcmp(t->buf + t->pos, "\xEF\xBB\xBF", 3) == 0) t->pos += 3; /* UTF-8 byte order mark */
    SN_TRY(refuse_known(t));
    const char *line = NULL;
    size_t n = 0;
    int found = first_line(t, &line, &n);
    if (found < 0) return found;
    if (found == 0) return sn_error(SEQNET_EFORMAT, "%s: has no line of data, only comments or blank lines", t->path);
    if (line[0] == '>')
        *kind = SN_KIND_FASTA;
    else if (has_cell(line, n, "sequence") || (has_cell(line, n, "chrom") && has_cell(line, n, "start") && has_cell(line, n, "end")))
        *kind = SN_KIND_TABLE;
    else if (looks_like_bed(line, n))
        *kind = SN_KIND_BED;
    else
        return refuse_line(t, line, n);
    return 0;
}
