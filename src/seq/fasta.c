/* FASTA read in sequence: a record as tiles, flat memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "seq/fasta.h"

struct sn_fasta_stream {
    struct sn_text *text;
    const struct sn_alphabet *alphabet;
    bool own_text;
    bool in_record;
    int64_t header_line;
    char *name;
    size_t name_cap;
};

int sn_fasta_from_text(struct sn_text *t, const struct sn_alphabet *a, struct sn_fasta_stream **out) {
    struct sn_fasta_stream *s = sn_calloc(1, sizeof *s);
    *out = s;
    if (s == NULL) return SEQNET_ENOMEM;
    s->text = t;
    s->alphabet = a;
    return 0;
}

int sn_fasta_open(const char *path, const struct sn_alphabet *a, struct sn_fasta_stream **out) {
    int rc = 0;
    enum sn_kind kind;
    struct sn_text *t = NULL;
    *out = NULL;
    SN_GO(sn_text_open(path, &t));
    SN_GO(sn_sniff(t, &kind));
    if (kind != SN_KIND_FASTA) SN_GO(sn_error(SEQNET_EFORMAT, "%s: expected FASTA, found a %s", t->path, sn_kind_name(kind)));
    SN_GO(sn_fasta_from_text(t, a, out));
    (*out)->own_text = true;
    t = NULL;
done:
    sn_text_close(t);
    return rc;
}

void sn_fasta_close(struct sn_fasta_stream *s) {
    if (s == NULL) return;
    if (s->own_text) sn_text_close(s->text);
    free(s->name);
    free(s);
}

int64_t sn_fasta_line(const struct sn_fasta_stream *s) {
    return s->header_line;
}

bool sn_fasta_word(const char *line, size_t n, const char **name, size_t *len) {
    size_t from = 1;
    while (from < n && (line[from] == ' ' || line[from] == '\t')) from++;
    size_t to = from;
    while (to < n && line[to] != ' ' && line[to] != '\t') to++;
    *name = line + from;
    *len = to - from;
    return to > from;
}

static int take_header(struct sn_fasta_stream *s) {
    char *line;
    size_t n, len;
    const char *name;
    int got = sn_text_line(s->text, &line, &n);
    if (got < 0) return got;
    if (!sn_fasta_word(line, n, &name, &len)) return sn_text_error(s->text, SEQNET_EFORMAT, "a '>' without a name");
    SN_TRY(sn_grow((void **)&s->name, &s->name_cap, len + 1, 1));
    memcpy(s->name, name, len);
    s->name[len] = '\0';
    s->header_line = s->text->line;
    s->in_record = true;
    return 1;
}

int sn_fasta_next(struct sn_fasta_stream *s, const char **name) {
    for (;;) {
        int c = sn_text_peek(s->text);
        if (c < -1) return c;
        if (c < 0) return 0;
        if (s->text->bol && c == '>') break;
        const char *p;
        size_t n;
        bool eol;
        int got = sn_text_chunk(s->text, SIZE_MAX / 4, &p, &n, &eol);
        if (got < 0) return got;
        if (s->header_line == 0 && n > 0) return sn_text_error(s->text, SEQNET_EFORMAT, "text before the first '>'");
    }
    SN_TRY(take_header(s));
    *name = s->name;
    return 1;
}

int64_t sn_fasta_read(struct sn_fasta_stream *s, uint8_t *codes, int64_t n) {
    int64_t got = 0;
    while (s->in_record && got < n) {
        int c = sn_text_peek(s->text);
        if (c < -1) return c;
        if (c < 0 || (s->text->bol && c == '>')) {
            s->in_record = false;
            break;
        }
        const char *p;
        size_t k = 0;
        bool eol;
        int64_t bad;
        int more = sn_text_chunk(s->text, (size_t)(n - got), &p, &k, &eol);
        if (more < 0) return more;
        if (sn_encode_seq(s->alphabet, p, (int64_t)k, codes + got, &bad) < 0) {
            char where[160];
            snprintf(where, sizeof where, "record '%.120s'", s->name);
            return sn_text_bad_symbol(s->text, s->alphabet, (unsigned char)p[bad], where);
        }
        got += (int64_t)k;
    }
    return got;
}
