/* JASPAR's matrices of counts. */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"
#include "motif/database.h"

#define LETTERS 4
#define MAX_WIDTH 10000

struct reader {
    const char *path;
    char *next;
    int64_t line;
    struct sn_motif_set *set;
    double *count; /* (LETTERS, MAX_WIDTH) of the matrix being read, as the file has them */
    double *p;     /* (width, LETTERS) */
};

static int fail(const struct reader *r, const char *what, const char *got) {
    return sn_error(SEQNET_EFORMAT, "%s:%lld: %s, got '%.60s'", r->path, (long long)r->line, what, got);
}

/* The next line that is not empty, or NULL. */
static char *next_line(struct reader *r) {
    while (*r->next) {
        char *s = r->next;
        size_t n = strcspn(s, "\n");
        r->next += n + (s[n] == '\n');
        s[n] = '\0';
        r->line++;
        s[strcspn(s, "\r")] = '\0';
        s += strspn(s, " \t");
        if (*s) return s;
    }
    return NULL;
}

/* One row of counts: `A [ 1 2 3 ]`, `A 1 2 3` or bare numbers. */
static int read_row(struct reader *r, int letter, int *width) {
    static const char order[] = "ACGT";
    char *s = next_line(r);
    if (!s) return fail(r, "expected four rows of counts below each '>' line", "the end of the file");
    if (strchr("ACGTU", *s) && (s[1] == ' ' || s[1] == '\t' || s[1] == '[' || s[1] == '|')) {
        if (*s != order[letter] && !(*s == 'U' && letter == 3)) return fail(r, "expected the rows in the order A, C, G, T", s);
        s++;
    }
    int n = 0;
    for (s += strspn(s, " \t[|"); *s && *s != ']'; s += strspn(s, " \t")) {
        size_t k = strcspn(s, " \t]");
        if (n == MAX_WIDTH) return fail(r, "expected at most 10000 columns", s);
        double *v = &r->count[letter * MAX_WIDTH + n++];
        if (!sn_parse_f64(s, k, v) || *v < 0) return fail(r, "expected counts", s);
        s += k;
    }
    if (n == 0 || (letter > 0 && n != *width)) return fail(r, "expected four rows of equally many counts", n ? "another number" : "none");
    *width = n;
    return 0;
}

static int read_matrix(struct reader *r, const char *id, const char *alt) {
    int width = 0;
    double most = 0;
    for (int k = 0; k < LETTERS; k++) SN_TRY(read_row(r, k, &width));
    for (int j = 0; j < width; j++) {
        double sum = 0;
        for (int k = 0; k < LETTERS; k++) sum += r->count[k * MAX_WIDTH + j];
        if (!(sum > 0))
            return sn_error(SEQNET_EFORMAT, "%s:%lld: motif '%s': column %d has no counts", r->path, (long long)r->line, id, j + 1);
        for (int k = 0; k < LETTERS; k++) r->p[j * LETTERS + k] = r->count[k * MAX_WIDTH + j] / sum;
        if (sum > most) most = sum;
    }
    return sn_motif_add(r->set, id, alt, width, r->p, most);
}

static int read_all(struct reader *r) {
    for (char *s; (s = next_line(r)) != NULL;) {
        if (*s != '>') return fail(r, "expected a line '>ID NAME' before each matrix", s);
        char *save, *id = strtok_r(s + 1, " \t", &save);
        if (!id) return fail(r, "expected an identifier after '>'", "nothing");
        SN_TRY(read_matrix(r, id, strtok_r(NULL, " \t", &save)));
    }
    return r->set->n ? 0 : sn_error(SEQNET_EFORMAT, "%s: expected motifs, found none", r->path);
}

int sn_jaspar_parse(const char *path, char *text, struct sn_motif_set *out) {
    struct reader r = {.path = path, .next = text, .set = out};
    int rc = sn_motif_set_init(out, "ACGT");
    r.count = sn_calloc((size_t)LETTERS * MAX_WIDTH, sizeof *r.count);
    r.p = sn_calloc((size_t)LETTERS * MAX_WIDTH, sizeof *r.p);
    if (rc == 0) rc = r.count && r.p ? read_all(&r) : SEQNET_ENOMEM;
    free(r.count);
    free(r.p);
    if (rc < 0) sn_motif_set_free(out);
    return rc;
}
