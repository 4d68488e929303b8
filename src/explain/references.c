/* References: dinucleotide shuffles of the sequence, nothing, a quarter of each base, or the records of a file. */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "explain/parts.h"
#include "seq/reference.h"

#define MAX_REFERENCES 100000
#define READ_STEP 65536

/* ---- a file ---- */

struct codes {
    uint8_t *v;
    size_t n, cap;
};

static int read_record(struct sn_fasta_stream *s, struct codes *c) {
    for (;;) {
        void *v = c->v;
        int rc = sn_grow(&v, &c->cap, c->n + READ_STEP, 1);
        c->v = v;
        SN_TRY(rc);
        int64_t got = sn_fasta_read(s, c->v + c->n, READ_STEP);
        if (got <= 0) return (int)got;
        c->n += (size_t)got;
    }
}

static int read_records(struct sn_explainer *e, struct sn_fasta_stream *s, struct codes *c) {
    const char *name;
    int more;
    while ((more = sn_fasta_next(s, &name)) > 0) {
        size_t begin = c->n;
        int64_t line = sn_fasta_line(s);
        if (e->n_refs == MAX_REFERENCES) return sn_error(SEQNET_EDATA, "%s: more than %d references", e->references, MAX_REFERENCES);
        SN_TRY(read_record(s, c));
        int64_t len = (int64_t)(c->n - begin);
        if (e->n_refs == 0) e->ref_len = len;
        if (len != e->ref_len || len < 1)
            return sn_error(SEQNET_EDATA, "%s:%lld: expected references of one length (%lld as the first), got %lld", e->references,
                            (long long)line, (long long)e->ref_len, (long long)len);
        e->n_refs++;
    }
    return more;
}

static int read_file(struct sn_explainer *e) {
    struct sn_fasta_stream *s = NULL;
    struct codes c = {0};
    e->n_refs = 0;
    SN_TRY(sn_fasta_open(e->references, e->alphabet, &s));
    int rc = read_records(e, s, &c);
    sn_fasta_close(s);
    e->ref_codes = c.v;
    if (rc < 0) return rc;
    return e->n_refs ? 0 : sn_error(SEQNET_EDATA, "%s: expected references, found none", e->references);
}

/* ---- choosing ---- */

/* The code of any letter: SN_CODE_MEAN on the one that stands for all letters. */
static int find_mean_code(struct sn_explainer *e) {
    const sn_real *lut = e->models[0]->arch->lut;
    for (int c = 0; c < 256; c++) {
        int k = 0;
        while (k < e->channels && lut[c * e->channels + k] > 0 && lut[c * e->channels + k] == lut[c * e->channels]) k++;
        if (k < e->channels || !(c & SN_CODE_MEAN)) continue;
        e->mean_code = (uint8_t)c;
        return 0;
    }
    return sn_error(SEQNET_ENOTSUP, "references: %s has no uniform reference; use zero or a FASTA file", e->alphabet->name);
}

int sn_references_choose(struct sn_explainer *e, const char *references, int n) {
    e->references = sn_strdup(references ? references : "dinucleotide");
    if (!e->references) return SEQNET_ENOMEM;
    e->n_refs = 1;
    if (strcmp(e->references, "zero") == 0) {
        e->kind = SN_REF_ZERO;
        return 0;
    }
    if (strcmp(e->references, "uniform") == 0) {
        e->kind = SN_REF_UNIFORM;
        return find_mean_code(e);
    }
    if (strcmp(e->references, "dinucleotide") != 0) {
        e->kind = SN_REF_FILE;
        return read_file(e);
    }
    e->kind = SN_REF_DINUCLEOTIDE;
    e->n_refs = n;
    if (e->channels != 4)
        return sn_error(SEQNET_ENOTSUP,
                        "references: dinucleotide shuffles need dna or rna, the model reads %s: give zero, uniform or a FASTA file",
                        e->alphabet->name);
    if (n < 1 || n > MAX_REFERENCES) return sn_error(SEQNET_EINVAL, "n_references: expected 1 to %d, got %d", MAX_REFERENCES, n);
    return 0;
}

/* ---- rows ---- */

bool sn_references_special(const struct sn_explainer *e, const uint8_t *codes, int64_t len) {
    return e->kind == SN_REF_UNIFORM && memchr(codes, SN_CODE_OUTSIDE, (size_t)len);
}

int sn_references_row(const struct sn_explainer *e, const struct sn_explain_row *row, int64_t index, int r, uint8_t *out) {
    const uint8_t *codes = row->codes + row->left;
    uint8_t *to = out + row->left;
    memset(out, SN_CODE_OUTSIDE, (size_t)row->row_len);
    switch (e->kind) {
    case SN_REF_DINUCLEOTIDE:
        return sn_dinucleotide_shuffle(codes, row->len, e->seed, (uint64_t)index, (uint64_t)r, to);
    case SN_REF_ZERO:
    case SN_REF_NONE:
        return 0;
    case SN_REF_UNIFORM:
        for (int64_t i = 0; i < row->len; i++) to[i] = codes[i] == SN_CODE_OUTSIDE ? SN_CODE_OUTSIDE : e->mean_code;
        return 0;
    case SN_REF_FILE:
        if (row->len != e->ref_len)
            return sn_error(SEQNET_EDATA, "%s: references of %lld positions do not fit a sequence of %lld", e->references,
                            (long long)e->ref_len, (long long)row->len);
        memcpy(to, e->ref_codes + (int64_t)r * e->ref_len, (size_t)row->len);
        return 0;
    }
    return 0;
}
