#include "seq/bed.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"

#define MOST_COLUMNS 12
#define NARROWPEAK_COLUMNS 10

int sn_loci_begin(struct sn_loci *l, const struct sn_text *t) {
    *l = (struct sn_loci){0};
    l->path = sn_strdup(t->path);
    return l->path ? 0 : SEQNET_ENOMEM;
}

void sn_loci_free(struct sn_loci *l) {
    for (size_t i = 0; i < l->n; i++) free(l->v[i].name);
    free(l->v);
    free(l->path);
    sn_names_free(&l->chroms);
    *l = (struct sn_loci){0};
}

static int parse_coordinate(const struct sn_text *t, const char *what, struct sn_cell c, int64_t *out) {
    if (!sn_parse_i64(c.s, c.n, out)) return sn_text_error(t, SEQNET_EFORMAT, "%s: expected a whole number, found '%.60s'", what, c.s);
    if (*out < 0) return sn_text_error(t, SEQNET_EFORMAT, "%s: %lld is negative", what, (long long)*out);
    if (*out > INT64_MAX / 4) return sn_text_error(t, SEQNET_EFORMAT, "%s: %.60s is too large", what, c.s);
    return 0;
}

int sn_loci_add(struct sn_loci *l, const struct sn_text *t, struct sn_cell chrom, struct sn_cell start, struct sn_cell end,
                const struct sn_cell *strand, struct sn_locus **added) {
    struct sn_locus x = {.summit = -1, .line = t->line};
    if (chrom.n == 0 || memchr(chrom.s, ' ', chrom.n) != NULL)
        return sn_text_error(t, SEQNET_EFORMAT, "chrom: '%.60s' is no contig name (empty, or with spaces)", chrom.s);
    SN_TRY(parse_coordinate(t, "start", start, &x.start));
    SN_TRY(parse_coordinate(t, "end", end, &x.end));
    if (x.start >= x.end)
        return sn_text_error(t, SEQNET_EFORMAT, "start %lld is not smaller than end %lld", (long long)x.start, (long long)x.end);
    if (strand != NULL) {
        if (strand->n != 1 || strchr("+-.", strand->s[0]) == NULL)
            return sn_text_error(t, SEQNET_EFORMAT, "strand: expected '+', '-' or '.', found '%.60s'", strand->s);
        x.strand = strand->s[0] == '+' ? 1 : strand->s[0] == '-' ? -1 : 0;
    }
    x.chrom = sn_names_add(&l->chroms, chrom.s, chrom.n, NULL);
    if (x.chrom < 0) return x.chrom;
    SN_TRY(sn_grow((void **)&l->v, &l->cap, l->n + 1, sizeof *l->v));
    l->v[l->n] = x;
    *added = &l->v[l->n++];
    return 0;
}

static int check_number(const struct sn_text *t, const char *what, struct sn_cell c) {
    double v;
    if (c.n == 1 && c.s[0] == '.') return 0;
    if (!sn_parse_f64(c.s, c.n, &v)) return sn_text_error(t, SEQNET_EFORMAT, "%s: expected a number or '.', found '%.60s'", what, c.s);
    return 0;
}

static int parse_summit(const struct sn_text *t, struct sn_cell cell[MOST_COLUMNS], struct sn_locus *x) {
    static const char *const what[] = {"signalValue", "pValue", "qValue"};
    for (int i = 0; i < 3; i++) SN_TRY(check_number(t, what[i], cell[6 + i]));
    int64_t summit;
    if (!sn_parse_i64(cell[9].s, cell[9].n, &summit) || summit < -1)
        return sn_text_error(t, SEQNET_EFORMAT, "peak (column 10 of narrowPeak): expected a whole number or -1, found '%.60s'", cell[9].s);
    if (summit > x->end - x->start) /* the end itself occurs in ENCODE's files */
        return sn_text_error(t, SEQNET_EFORMAT, "peak: offset %lld lies outside its interval of %lld bases", (long long)summit,
                             (long long)(x->end - x->start));
    x->summit = summit;
    return 0;
}

static int parse_line(struct sn_text *t, char *line, size_t n, size_t *columns, struct sn_loci *out) {
    struct sn_cell cell[MOST_COLUMNS];
    struct sn_locus *x;
    size_t cells = sn_split_tabs(line, n, cell, MOST_COLUMNS);
    if (cells < 3)
        return sn_text_error(t, SEQNET_EFORMAT,
                             "%zu column%s, a BED line has at least 3, separated by tabs (a table of sequences needs a header line)", cells,
                             cells == 1 ? "" : "s");
    if (cells > MOST_COLUMNS)
        return sn_text_error(t, SEQNET_EFORMAT, "%zu columns, expected 3 to 12 (BED, narrowPeak); 'cut -f1-6' takes the first", cells);
    if (*columns != 0 && cells != *columns)
        return sn_text_error(t, SEQNET_EFORMAT, "%zu columns, but the lines before have %zu", cells, *columns);
    *columns = cells;
    SN_TRY(sn_loci_add(out, t, cell[0], cell[1], cell[2], cells >= 6 ? &cell[5] : NULL, &x));
    if (cells >= 5) SN_TRY(check_number(t, "score", cell[4]));
    if (cells >= 4 && cell[3].n > 0 && strcmp(cell[3].s, ".") != 0) {
        x->name = sn_strndup(cell[3].s, cell[3].n);
        if (x->name == NULL) return SEQNET_ENOMEM;
    }
    return cells == NARROWPEAK_COLUMNS ? parse_summit(t, cell, x) : 0;
}

int sn_bed_read(struct sn_text *t, struct sn_loci *out) {
    char *line;
    size_t n, columns = 0;
    int got;
    SN_TRY(sn_loci_begin(out, t));
    while ((got = sn_text_line(t, &line, &n)) > 0)
        if (!sn_is_comment(line, n)) SN_TRY(parse_line(t, line, n, &columns, out));
    if (got < 0) return got;
    out->has_summits = columns == NARROWPEAK_COLUMNS;
    return out->n ? 0 : sn_error(SEQNET_EFORMAT, "%s: has no intervals", t->path);
}

int sn_bed_open(const char *path, struct sn_loci *out) {
    struct sn_text *t;
    enum sn_kind kind;
    int rc;
    SN_GO(sn_text_open(path, &t));
    SN_GO(sn_sniff(t, &kind));
    if (kind != SN_KIND_BED) SN_GO(sn_error(SEQNET_EFORMAT, "%s: expected BED, found %s", path, sn_kind_name(kind)));
    SN_GO(sn_bed_read(t, out));
done:
    sn_text_close(t);
    return rc;
}
