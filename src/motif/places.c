#include "motif/places.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/parse.h"

#define MOST_BYTES ((size_t)1 << 32)

enum { NAME, CHROM, START, END, STRAND, LENGTH, COLUMNS };
static const char *const column_names[COLUMNS] = {"sequence", "chrom", "start", "end", "strand", "length"};

#define MOST_FIELDS 64

/* Cuts a line (ended by NUL) at its tabs; returns the number of fields. */
static int cut(char *line, char *field[MOST_FIELDS]) {
    int n = 0;
    for (char *p = line; p && n < MOST_FIELDS; n++) {
        field[n] = p;
        p = strchr(p, '\t');
        if (p) *p++ = '\0';
    }
    return n;
}

/* Ends the line at p and returns the next one, or NULL. */
static char *end_line(char *p) {
    char *end = strchr(p, '\n');
    if (!end) return NULL;
    *end = '\0';
    if (end > p && end[-1] == '\r') end[-1] = '\0';
    return end[1] ? end + 1 : NULL;
}

static int read_header(const char *path, char *line, int column[COLUMNS]) {
    char *field[MOST_FIELDS];
    int n = cut(line, field);
    for (int c = 0; c < COLUMNS; c++) {
        column[c] = -1;
        for (int i = 0; i < n; i++)
            if (strcmp(field[i], column_names[c]) == 0) column[c] = i;
    }
    return column[NAME] >= 0 ? 0 : sn_error(SEQNET_EFORMAT, "%s:1: expected a column named sequence", path);
}

static int read_number(const char *path, int64_t line, const char *name, const char *s, int64_t *out) {
    if (sn_parse_i64(s, strlen(s), out)) return 0;
    return sn_error(SEQNET_EFORMAT, "%s:%" PRId64 ": %s: expected a whole number, got '%.40s'", path, line, name, s);
}

static int read_row(const char *path, int64_t number, char *line, const int column[COLUMNS], struct sn_place *p, int32_t *len) {
    char *field[MOST_FIELDS];
    int n = cut(line, field);
    int64_t length;
    for (int c = 0; c < COLUMNS; c++)
        if (column[c] >= n) return sn_error(SEQNET_EFORMAT, "%s:%" PRId64 ": the column %s is missing", path, number, column_names[c]);
    *p = (struct sn_place){.name = field[column[NAME]]};
    if (column[LENGTH] >= 0) {
        SN_TRY(read_number(path, number, "length", field[column[LENGTH]], &length));
        *len = (int32_t)(length > INT32_MAX ? INT32_MAX : length < 0 ? 0 : length);
    }
    if (column[CHROM] < 0 || column[START] < 0 || column[END] < 0 || strcmp(field[column[CHROM]], ".") == 0) return 0;
    p->chrom = field[column[CHROM]];
    SN_TRY(read_number(path, number, "start", field[column[START]], &p->start));
    SN_TRY(read_number(path, number, "end", field[column[END]], &p->end));
    p->reverse = column[STRAND] >= 0 && strcmp(field[column[STRAND]], "-") == 0;
    return 0;
}

int sn_places_read(const char *path, struct sn_places *out) {
    memset(out, 0, sizeof *out);
    size_t bytes, cap = 0, cap_len = 0;
    int column[COLUMNS], rc = 0;
    SN_TRY(sn_read_file(path, MOST_BYTES, &out->text, &bytes));
    out->bytes = (int64_t)bytes;
    char *line = out->text, *next = end_line(line);
    SN_GO(read_header(path, line, column));
    for (line = next; line; line = next) {
        void *v = out->v, *len = out->len;
        next = end_line(line);
        rc = sn_grow(&v, &cap, (size_t)out->n + 1, sizeof *out->v);
        out->v = v;
        if (rc == 0) rc = sn_grow(&len, &cap_len, (size_t)out->n + 1, sizeof *out->len);
        out->len = len;
        if (rc < 0) goto done;
        SN_GO(read_row(path, out->n + 2, line, column, &out->v[out->n], &out->len[out->n]));
        out->n++;
    }
    if (column[LENGTH] < 0) {
        free(out->len);
        out->len = NULL;
    }
done:
    if (rc < 0) sn_places_free(out);
    return rc;
}

void sn_places_free(struct sn_places *p) {
    free(p->v);
    free(p->len);
    free(p->text);
    memset(p, 0, sizeof *p);
}
