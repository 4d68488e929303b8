/* Tab-separated tables with a header -> rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/parse.h"
#include "seq/labels.h"
#include "seq/rows.h"

enum role { IGNORED, SEQUENCE, CHROM, START, END, STRAND, NAME, ID, GROUP, LABEL };
static const char *const known[] = {
    [SEQUENCE] = "sequence", [CHROM] = "chrom", [START] = "start", [END] = "end", [STRAND] = "strand", [NAME] = "name", [ID] = "id"};

struct table {
    struct sn_text *text;
    const struct sn_dataset_options *o;
    struct sn_dataset *d;
    struct sn_names columns;
    enum role *role;       /* (columns) */
    int *label_column;     /* (labels) */
    int column_of[ID + 1]; /* -1 = not there */
    int group_column;
    struct sn_cell *cell; /* of the current row */
    struct sn_labels labels;
    struct sn_names groups;
    int32_t *group; /* (rows) */
    size_t n_rows, cap_groups;
    struct sn_loci loci; /* all rows, or the current one when there are sequences */
};

/* ---- header ------------------------------------------------------------------------------------------------------------------------- */

static int split_row(struct table *tb, char *line, size_t n) {
    size_t want = (size_t)tb->columns.n, cells = sn_split_tabs(line, n, tb->cell, want);
    if (cells == want) return 0;
    return sn_text_error(tb->text, SEQNET_EFORMAT, "%zu column%s, the header has %zu", cells, cells == 1 ? "" : "s", want);
}

static int read_columns(struct table *tb, char *line, size_t n) {
    size_t cells = sn_split_tabs(line, n, NULL, 0);
    tb->cell = sn_calloc(cells, sizeof *tb->cell);
    tb->role = sn_calloc(cells, sizeof *tb->role);
    tb->label_column = sn_calloc(cells, sizeof *tb->label_column);
    if (tb->cell == NULL || tb->role == NULL || tb->label_column == NULL) return SEQNET_ENOMEM;
    sn_split_tabs(line, n, tb->cell, cells);
    for (size_t i = 0; i < cells; i++) {
        bool added;
        if (tb->cell[i].n == 0) return sn_text_error(tb->text, SEQNET_EFORMAT, "column %zu of the header has no name", i + 1);
        SN_TRY(sn_names_add(&tb->columns, tb->cell[i].s, tb->cell[i].n, &added));
        if (!added) return sn_text_error(tb->text, SEQNET_EFORMAT, "the header names column '%s' twice", tb->cell[i].s);
    }
    for (enum role r = SEQUENCE; r <= ID; r++) {
        tb->column_of[r] = sn_names_find(&tb->columns, known[r], strlen(known[r]));
        if (tb->column_of[r] >= 0) tb->role[tb->column_of[r]] = r;
    }
    return 0;
}

static int find_column(const struct table *tb, const char *word, size_t len, const char *what) {
    int c = sn_names_find(&tb->columns, word, len);
    if (c >= 0) return c;
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)(len < 100 ? len : 100), word);
    struct sn_str all = {0};
    int rc = sn_names_show(tb->columns.v, tb->columns.n, &all);
    const char *near = sn_nearest(name, (const char *const *)tb->columns.v, tb->columns.n);
    if (rc == 0)
        rc = sn_text_error(tb->text, SEQNET_EDATA, "no %s column '%s'%s%s%s (columns: %s)", what, name, near ? "; did you mean '" : "",
                           near ? near : "", near ? "'?" : "", all.s);
    sn_str_free(&all);
    return rc;
}

static int choose_label(struct table *tb, int c) {
    if (tb->role[c] == LABEL) return sn_text_error(tb->text, SEQNET_EDATA, "label column '%s' is asked for twice", tb->columns.v[c]);
    if (tb->role[c] == GROUP) return sn_text_error(tb->text, SEQNET_EDATA, "column '%s' cannot be a label and the group", tb->columns.v[c]);
    if (tb->role[c] >= SEQUENCE && tb->role[c] <= STRAND)
        return sn_text_error(tb->text, SEQNET_EDATA, "column '%s' has a meaning of its own and cannot be a label", tb->columns.v[c]);
    tb->role[c] = LABEL;
    tb->label_column[tb->labels.n] = c;
    return sn_labels_add(&tb->labels, tb->columns.v[c]);
}

static bool has_preferred(const struct table *tb) {
    for (int i = 0; i < tb->o->n_prefer; i++)
        if (sn_names_find(&tb->columns, tb->o->prefer[i], strlen(tb->o->prefer[i])) < 0) return false;
    return tb->o->n_prefer > 0;
}

static int choose_labels(struct table *tb) {
    const char *list = tb->o->labels;
    bool preferred = list == NULL && (tb->o->need_labels || tb->o->labels_if_there) && has_preferred(tb);
    if (list == NULL && !tb->o->need_labels && !preferred) return 0;
    if (preferred) {
        for (int i = 0; i < tb->o->n_prefer; i++)
            SN_TRY(choose_label(tb, sn_names_find(&tb->columns, tb->o->prefer[i], strlen(tb->o->prefer[i]))));
        return 0;
    }
    for (const char *s = list; s != NULL;) {
        const char *comma = strchr(s, ',');
        int c = find_column(tb, s, comma ? (size_t)(comma - s) : strlen(s), "label");
        SN_TRY(c);
        SN_TRY(choose_label(tb, c));
        s = comma ? comma + 1 : NULL;
    }
    for (int c = 0; list == NULL && c < tb->columns.n; c++)
        if (tb->role[c] == IGNORED) SN_TRY(choose_label(tb, c));
    return tb->labels.n
               ? 0
               : sn_text_error(tb->text, SEQNET_EDATA, "the header has no label column beside sequence, coordinates, names and group");
}

static int read_header(struct table *tb) {
    char *line;
    size_t n;
    int got;
    do {
        got = sn_text_line(tb->text, &line, &n);
        if (got <= 0) return got < 0 ? got : sn_error(SEQNET_EFORMAT, "%s: has no header line", tb->text->path);
    } while (sn_is_comment(line, n));
    SN_TRY(read_columns(tb, line, n));
    tb->group_column = -1;
    if (tb->o->group != NULL) {
        tb->group_column = find_column(tb, tb->o->group, strlen(tb->o->group), "group");
        SN_TRY(tb->group_column);
        if (tb->role[tb->group_column] == SEQUENCE) return sn_text_error(tb->text, SEQNET_EDATA, "the sequence column cannot be the group");
        if (tb->role[tb->group_column] == IGNORED) tb->role[tb->group_column] = GROUP;
    }
    return choose_labels(tb);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------------------- */

static const struct sn_cell *cell_of(const struct table *tb, enum role r) {
    return tb->column_of[r] < 0 ? NULL : &tb->cell[tb->column_of[r]];
}

/* The row's name; *name stays NULL without one. */
static int row_name(const struct table *tb, char **name) {
    const struct sn_cell *c = cell_of(tb, NAME);
    if (c == NULL) c = cell_of(tb, ID);
    *name = NULL;
    if (c == NULL || c->n == 0) return 0;
    *name = sn_strndup(c->s, c->n);
    return *name ? 0 : SEQNET_ENOMEM;
}

static int check_letters(struct table *tb) {
    int64_t ambiguous, row = tb->d->n - 1;
    if (sn_dataset_letters(tb->d, row, &ambiguous) == 0)
        return sn_text_error(tb->text, SEQNET_EDATA, "column 'sequence' of row '%s' holds nothing but N", tb->d->names[row]);
    tb->d->ambiguous += ambiguous;
    return 0;
}

static int add_sequence(struct table *tb, char *name, const struct sn_interval *at) {
    const struct sn_cell *c = cell_of(tb, SEQUENCE);
    struct sn_dataset *d = tb->d;
    int64_t bad;
    SN_TRY(sn_dataset_push(d, name, (int64_t)c->n, at, NULL));
    if (c->n == 0) return sn_text_error(tb->text, SEQNET_EFORMAT, "column 'sequence' is empty");
    if (sn_encode_seq(d->alphabet, c->s, (int64_t)c->n, d->codes + d->offset[d->n - 1], &bad) < 0)
        return sn_text_bad_symbol(tb->text, d->alphabet, (unsigned char)c->s[bad], "column 'sequence'");
    return check_letters(tb);
}

static bool has_places(const struct table *tb) {
    return tb->column_of[CHROM] >= 0 && tb->column_of[START] >= 0 && tb->column_of[END] >= 0;
}

static int add_place(struct table *tb, struct sn_locus **x) {
    return sn_loci_add(&tb->loci, tb->text, *cell_of(tb, CHROM), *cell_of(tb, START), *cell_of(tb, END), cell_of(tb, STRAND), x);
}

static int add_placed_sequence(struct table *tb) {
    struct sn_locus *x;
    struct sn_interval at;
    char *name;
    tb->loci.n = 0;
    SN_TRY(add_place(tb, &x));
    if (x->end - x->start != (int64_t)cell_of(tb, SEQUENCE)->n)
        return sn_text_error(tb->text, SEQNET_EDATA, "the sequence has %zu letters, its interval %lld bases", cell_of(tb, SEQUENCE)->n,
                             (long long)(x->end - x->start));
    at = (struct sn_interval){sn_dataset_chrom(tb->d, tb->loci.chroms.v[x->chrom]), x->strand, x->start, x->end};
    SN_TRY(at.chrom);
    SN_TRY(row_name(tb, &name));
    if (name == NULL) SN_TRY(sn_region_name(tb->d, &at, &name));
    return add_sequence(tb, name, &at);
}

static int add_row(struct table *tb) {
    if (tb->column_of[SEQUENCE] < 0) {
        struct sn_locus *x;
        SN_TRY(add_place(tb, &x));
        SN_TRY(row_name(tb, &x->name));
    } else if (has_places(tb)) {
        SN_TRY(add_placed_sequence(tb));
    } else {
        char *name;
        SN_TRY(row_name(tb, &name));
        SN_TRY(add_sequence(tb, name, NULL));
    }
    for (int i = 0; i < tb->labels.n; i++) SN_TRY(sn_labels_value(&tb->labels, tb->text, i, tb->cell[tb->label_column[i]]));
    if (tb->group_column >= 0) {
        SN_TRY(sn_grow((void **)&tb->group, &tb->cap_groups, tb->n_rows + 1, sizeof *tb->group));
        int32_t g = sn_names_add(&tb->groups, tb->cell[tb->group_column].s, tb->cell[tb->group_column].n, NULL);
        if (g < 0) return g;
        tb->group[tb->n_rows] = g;
    }
    tb->n_rows++;
    return 0;
}

static int finish_groups(struct table *tb) {
    struct sn_dataset *d = tb->d;
    if (tb->group_column < 0) return 0;
    int32_t *rank = sn_calloc((size_t)tb->groups.n, sizeof *rank);
    if (rank == NULL) return SEQNET_ENOMEM;
    int rc = sn_names_rank(&tb->groups, rank);
    if (rc == 0 && (d->group = sn_calloc(d->cap_rows, sizeof *d->group)) == NULL) rc = SEQNET_ENOMEM;
    for (int64_t i = 0; i < d->n && rc == 0; i++) d->group[i] = rank[tb->group[i]];
    free(rank);
    return rc;
}

static int read_rows(struct table *tb, struct sn_reference **r) {
    char *line;
    size_t n;
    int got;
    while ((got = sn_text_line(tb->text, &line, &n)) > 0) {
        if (n == 0) continue;
        if (tb->n_rows % 65536 == 0) SN_TRY(sn_check_cancel(tb->o->sink));
        SN_TRY(split_row(tb, line, n));
        SN_TRY(add_row(tb));
    }
    if (got < 0) return got;
    if (tb->n_rows == 0) return sn_error(SEQNET_EFORMAT, "%s: the table has a header but no rows", tb->text->path);
    if (tb->column_of[SEQUENCE] < 0) {
        SN_TRY(sn_need_reference(tb->d, tb->o, tb->text->path, r));
        SN_TRY(sn_rows_from_loci(tb->d, &tb->loci, *r, tb->o, NULL));
    }
    SN_TRY(finish_groups(tb));
    return sn_labels_finish(&tb->labels, tb->text, tb->d, tb->o);
}

int sn_rows_from_table(struct sn_dataset *d, struct sn_text *t, const struct sn_dataset_options *o, struct sn_reference **r) {
    struct table tb = {.text = t, .o = o, .d = d};
    int rc;
    SN_GO(sn_loci_begin(&tb.loci, t));
    SN_GO(read_header(&tb));
    SN_GO(read_rows(&tb, r));
done:
    sn_names_free(&tb.columns);
    sn_names_free(&tb.groups);
    sn_labels_free(&tb.labels);
    sn_loci_free(&tb.loci);
    free(tb.role);
    free(tb.label_column);
    free(tb.cell);
    free(tb.group);
    return rc;
}
