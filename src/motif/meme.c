#include "motif/meme.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"

#define MAX_WIDTH 10000
#define SUM_TOLERANCE 0.02

/* ---- reading: words of lines ---- */

struct reader {
    const char *path;
    char *next; /* the text behind the current line */
    int64_t line;
    char *at; /* what is left of the current line */
    struct sn_motif_set *set;
    bool has_letters;
    const char *id, *alt; /* of the last MOTIF line, in the text */
    int64_t motif_line;   /* of a MOTIF line whose matrix was not yet seen, 0 = none */
    bool has_log_odds;    /* of that motif */
    double *row;          /* rows of the matrix being read */
    size_t cap;
};

/* The next line without its end; false at the end of the file. */
static bool next_line(struct reader *r) {
    if (!*r->next) return false;
    r->at = r->next;
    size_t n = strcspn(r->next, "\n");
    r->next += n + (r->at[n] == '\n');
    r->at[n] = '\0';
    if (n > 0 && r->at[n - 1] == '\r') r->at[n - 1] = '\0';
    r->line++;
    return true;
}

/* The next word of the line, cut out in place, or NULL. */
static char *word(struct reader *r) {
    char *w = r->at + strspn(r->at, " \t");
    if (!*w) return NULL;
    size_t n = strcspn(w, " \t");
    r->at = w + n + (w[n] != '\0');
    w[n] = '\0';
    return w;
}

static bool starts(const char *s, const char *prefix) {
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static char *skip_blanks(char *s) {
    return s + strspn(s, " \t");
}

#define FAIL(r, ...) format_error(r, __VA_ARGS__)
static int format_error(const struct reader *r, const char *what, const char *got) {
    return sn_error(SEQNET_EFORMAT, "%s:%lld: %s, got '%.60s'", r->path, (long long)r->line, what, got);
}

/* ---- reading: the header ---- */

static int set_letters(struct reader *r, const char *letters) {
    if (r->set->n && strcmp(letters, r->set->letter) == 0) return 0; /* files joined with cat */
    if (r->set->n) return FAIL(r, "expected one alphabet for all motifs of a file", letters);
    int rc = sn_motif_set_init(r->set, letters);
    if (rc < 0) return sn_error_prefix(SEQNET_EFORMAT, "%s:%lld", r->path, (long long)r->line);
    r->has_letters = true;
    return 0;
}

static int compare_chars(const void *a, const void *b) {
    return *(const char *)a - *(const char *)b;
}

/* ALPHABET "name" ... END ALPHABET: a core symbol per line, `X ~ Y` for a complementary pair, `X = YZ` for what is no core symbol. */
static int read_alphabet_block(struct reader *r) {
    char letters[SN_MOTIF_LETTERS + 1];
    size_t n = 0;
    while (next_line(r)) {
        if (starts(skip_blanks(r->at), "END ALPHABET")) {
            qsort(letters, n, 1, compare_chars);
            letters[n] = '\0';
            return set_letters(r, letters);
        }
        if (strchr(r->at, '=') && !strchr(r->at, '~')) continue;
        char *first = word(r);
        if (!first) continue;
        char *tilde = strchr(r->at, '~');
        char *pair = tilde ? skip_blanks(tilde + 1) : NULL;
        if (n + 2 > SN_MOTIF_LETTERS) return FAIL(r, "expected an alphabet of at most 32 letters", first);
        letters[n++] = first[0];
        if (pair && *pair) letters[n++] = pair[0];
    }
    return FAIL(r, "expected END ALPHABET", "the end of the file");
}

static int read_alphabet(struct reader *r, char *rest) {
    rest = skip_blanks(rest);
    if (*rest != '=') return read_alphabet_block(r);
    r->at = rest + 1;
    char *letters = word(r);
    return letters ? set_letters(r, letters) : FAIL(r, "expected the letters of the alphabet", "nothing");
}

static int use_default_letters(struct reader *r) {
    return r->has_letters ? 0 : set_letters(r, "ACGT");
}

/* Pairs `A 0.29`, over as many lines as it takes. */
static int read_background(struct reader *r) {
    SN_TRY(use_default_letters(r));
    double sum = 0;
    for (int left = r->set->letters; left > 0;) {
        if (!next_line(r)) return FAIL(r, "expected background frequencies", "the end of the file");
        for (char *w = word(r); w && left > 0; w = word(r), left--) {
            const char *at = w[1] ? NULL : strchr(r->set->letter, w[0]);
            char *value = word(r);
            double f;
            if (!at || !value || !sn_parse_f64(value, strlen(value), &f) || f < 0 || f > 1)
                return FAIL(r, "expected letters of the alphabet with frequencies between 0 and 1", value && at ? value : w);
            r->set->background[at - r->set->letter] = f;
            sum += f;
        }
    }
    if (fabs(sum - 1) > SUM_TOLERANCE)
        return sn_error(SEQNET_EFORMAT, "%s:%lld: expected background frequencies that sum to 1", r->path, (long long)r->line);
    for (int k = 0; k < r->set->letters; k++) r->set->background[k] /= sum;
    return 0;
}

/* ---- reading: motifs ---- */

/* A motif may have a log-odds matrix alone; nothing at all is a mistake. */
static int check_matrix_seen(const struct reader *r) {
    if (r->motif_line == 0 || r->has_log_odds) return 0;
    return sn_error(SEQNET_EFORMAT, "%s:%lld: motif '%s': expected a letter-probability matrix, found none", r->path,
                    (long long)r->motif_line, r->id);
}

static int read_motif_line(struct reader *r) {
    SN_TRY(check_matrix_seen(r));
    (void)word(r);
    r->id = word(r);
    if (!r->id) return FAIL(r, "expected a name after MOTIF", "nothing");
    r->alt = word(r);
    r->motif_line = r->line;
    r->has_log_odds = false;
    return 0;
}

/* `key= value` or `key=value` pairs; what is missing stays 0. */
static int read_keys(struct reader *r, double *alength, double *width, double *nsites) {
    struct {
        const char *key;
        double *value;
    } const keys[] = {{"alength=", alength}, {"w=", width}, {"nsites=", nsites}};
    for (char *w = word(r); w; w = word(r)) {
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            if (!starts(w, keys[i].key)) continue;
            char *value = w[strlen(keys[i].key)] ? w + strlen(keys[i].key) : word(r);
            if (!value || !sn_parse_f64(value, strlen(value), keys[i].value) || *keys[i].value < 0)
                return FAIL(r, "expected a number behind the key of the matrix line", value ? value : w);
            break;
        }
    }
    return 0;
}

static bool is_row(const char *s) {
    s += strspn(s, " \t");
    return isdigit((unsigned char)*s) || *s == '.' || *s == '-';
}

/* One row of the matrix at r->row; probabilities are made to sum to 1 exactly. */
static int read_row(struct reader *r, int rows) {
    int letters = r->set->letters;
    void *p = r->row;
    int rc = sn_grow(&p, &r->cap, (size_t)(rows + 1) * (size_t)letters, sizeof(double));
    r->row = p;
    SN_TRY(rc);
    double *out = r->row + (size_t)rows * (size_t)letters, sum = 0;
    for (int k = 0; k < letters; k++) {
        char *w = word(r);
        if (!w || !sn_parse_f64(w, strlen(w), &out[k]) || out[k] < 0 || out[k] > 1)
            return FAIL(r, "expected as many probabilities as the alphabet has letters", w ? w : "the end of the line");
        sum += out[k];
    }
    char *more = word(r);
    if (more) return FAIL(r, "expected as many probabilities as the alphabet has letters", more);
    if (fabs(sum - 1) > SUM_TOLERANCE)
        return sn_error(SEQNET_EFORMAT, "%s:%lld: expected probabilities that sum to 1, got %.4f", r->path, (long long)r->line, sum);
    for (int k = 0; k < letters; k++) out[k] /= sum;
    return 0;
}

static int read_matrix(struct reader *r) {
    if (r->motif_line == 0) return FAIL(r, "expected a MOTIF line before the matrix", "letter-probability matrix");
    SN_TRY(use_default_letters(r));
    double alength = 0, width = 0, nsites = 0;
    r->at = strchr(r->at, ':') + 1;
    SN_TRY(read_keys(r, &alength, &width, &nsites));
    if (alength != 0 && alength != r->set->letters)
        return sn_error(SEQNET_EFORMAT, "%s:%lld: motif '%s': expected alength= %d as in the alphabet, got %g", r->path, (long long)r->line,
                        r->id, r->set->letters, alength);
    if (width > MAX_WIDTH)
        return sn_error(SEQNET_EFORMAT, "%s:%lld: motif '%s': expected w= up to %d, got %g", r->path, (long long)r->line, r->id, MAX_WIDTH,
                        width);
    int rows = 0;
    while (width > 0 ? rows < (int)width : is_row(r->next)) {
        if (!is_row(r->next) || !next_line(r))
            return sn_error(SEQNET_EFORMAT, "%s:%lld: motif '%s': expected %d rows, got %d", r->path, (long long)r->line + 1, r->id,
                            (int)width, rows);
        if (rows == MAX_WIDTH)
            return sn_error(SEQNET_EFORMAT, "%s:%lld: motif '%s': expected at most %d rows", r->path, (long long)r->line, r->id, MAX_WIDTH);
        SN_TRY(read_row(r, rows));
        rows++;
    }
    if (rows == 0)
        return sn_error(SEQNET_EFORMAT, "%s:%lld: motif '%s': expected rows of probabilities, got none", r->path, (long long)r->line,
                        r->id);
    if (is_row(r->next))
        return sn_error(SEQNET_EFORMAT, "%s:%lld: motif '%s': expected %d rows, got more", r->path, (long long)r->line + 1, r->id, rows);
    r->motif_line = 0;
    return sn_motif_add(r->set, r->id, r->alt, rows, r->row, nsites);
}

/* Only what begins like a motif file is read as one: everything else would be a file without motifs. The page heads of MEME's own output
 * and comments may come first. */
static bool begins_motif_file(const char *s) {
    static const char *const begin[] = {"MEME", "ALPHABET", "strands:", "Background letter", "MOTIF", "letter-probability matrix:"};
    for (size_t i = 0; i < sizeof begin / sizeof *begin; i++)
        if (starts(s, begin[i])) return true;
    return false;
}

static int read_lines(struct reader *r) {
    bool begun = false;
    while (next_line(r)) {
        char *s = skip_blanks(r->at);
        begun = begun || begins_motif_file(s);
        if (!begun && *s && *s != '*' && *s != '#')
            return FAIL(r, "expected a motif file: MEME ('MEME version 4', MOTIF lines), or JASPAR ('>' lines)", s);
        if (starts(s, "ALPHABET"))
            SN_TRY(read_alphabet(r, s + 8));
        else if (starts(s, "Background letter frequencies"))
            SN_TRY(read_background(r));
        else if (starts(s, "MOTIF") && (s[5] == ' ' || s[5] == '\t' || !s[5]))
            SN_TRY(read_motif_line(r));
        else if (starts(s, "letter-probability matrix:"))
            SN_TRY(read_matrix(r));
        else if (starts(s, "log-odds matrix:"))
            r->has_log_odds = true;
    }
    SN_TRY(check_matrix_seen(r));
    return r->set->n ? 0 : sn_error(SEQNET_EFORMAT, "%s: expected motifs (MOTIF and letter-probability matrix lines), found none", r->path);
}

int sn_meme_parse(const char *path, char *text, struct sn_motif_set *out) {
    struct reader r = {.path = path, .next = text, .set = out};
    memset(out, 0, sizeof *out);
    int rc = read_lines(&r);
    free(r.row);
    if (rc < 0) sn_motif_set_free(out);
    return rc;
}

/* ---- writing ---- */

/* A name as one word. */
static int write_word(struct sn_outfile *f, const char *s) {
    for (; *s; s++) {
        char c = isspace((unsigned char)*s) || iscntrl((unsigned char)*s) ? '_' : *s;
        SN_TRY(sn_outfile_write(f, &c, 1));
    }
    return 0;
}

/* Millionths that sum to a million; the largest entry takes what rounding left over. */
static int write_row(struct sn_outfile *f, const double *p, int letters, const char *letter) {
    int part[SN_MOTIF_LETTERS] = {0}, sum = 0, largest = 0;
    for (int k = 0; k < letters; k++) {
        part[k] = (int)(p[k] * 1e6 + 0.5);
        sum += part[k];
        if (part[k] > part[largest]) largest = k;
    }
    part[largest] += 1000000 - sum;
    for (int k = 0; k < letters; k++) {
        if (letter) SN_TRY(sn_outfile_printf(f, "%s%c", k ? " " : "", letter[k]));
        SN_TRY(sn_outfile_printf(f, " %d.%06d", part[k] / 1000000, part[k] % 1000000));
    }
    return sn_outfile_write(f, "\n", 1);
}

int sn_meme_write(const struct sn_motif_set *s, struct sn_outfile *f) {
    SN_TRY(sn_outfile_printf(f, "MEME version 4\n\nALPHABET= %s\n\n", s->letter));
    if (strcmp(s->letter, "ACGT") == 0) SN_TRY(sn_outfile_printf(f, "strands: + -\n\n"));
    SN_TRY(sn_outfile_printf(f, "Background letter frequencies\n"));
    SN_TRY(write_row(f, s->background, s->letters, s->letter));
    for (int i = 0; i < s->n; i++) {
        const struct sn_motif *m = &s->m[i];
        SN_TRY(sn_outfile_printf(f, "\nMOTIF "));
        SN_TRY(write_word(f, m->id));
        if (m->alt) {
            SN_TRY(sn_outfile_write(f, " ", 1));
            SN_TRY(write_word(f, m->alt));
        }
        SN_TRY(sn_outfile_printf(f, "\nletter-probability matrix: alength= %d w= %d nsites= %lld E= 0\n", s->letters, m->width,
                                 (long long)(m->nsites + 0.5)));
        for (int j = 0; j < m->width; j++) SN_TRY(write_row(f, m->p + j * s->letters, s->letters, NULL));
        SN_TRY(sn_outfile_write(f, "\n", 1));
    }
    return 0;
}
