#include "model/doc.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/parse.h"

/* ---- building ---- */

int sn_doc_new(enum sn_doc_kind kind, const struct sn_doc_source *source, int line, struct sn_doc **out) {
    struct sn_doc *d = sn_calloc(1, sizeof *d);
    if (!d) return SEQNET_ENOMEM;
    d->kind = kind;
    d->source = source;
    d->line = line;
    *out = d;
    return 0;
}

/* Depth is bounded by SN_DOC_DEPTH. */
void sn_doc_free(struct sn_doc *d) {
    while (d) {
        struct sn_doc *next = d->next;
        sn_doc_free(d->child);
        free(d->key);
        free(d->text);
        free(d);
        d = next;
    }
}

static int check_key(const struct sn_doc *parent, const struct sn_doc *child) {
    const struct sn_doc *other = sn_doc_get(parent, child->key);
    char buf[64];
    struct sn_doc word = {.kind = SN_DOC_SCALAR, .text = child->key};
    if (other) return sn_doc_error(child, "key \"%s\" is given twice, first on line %d", sn_doc_show(&word, buf), other->line);
    if (parent->n >= SN_DOC_KEYS) return sn_doc_error(child, "more than %d keys in one map", SN_DOC_KEYS);
    return 0;
}

int sn_doc_attach(struct sn_doc *parent, char *key, struct sn_doc *child) {
    child->key = key;
    int rc = key && child->line > 0 ? check_key(parent, child) : 0;
    if (rc < 0) {
        sn_doc_free(child);
        return rc;
    }
    if (parent->last) {
        parent->last->next = child;
    } else {
        parent->child = child;
    }
    parent->last = child;
    parent->n++;
    return 0;
}

/* ---- messages ---- */

int sn_doc_error(const struct sn_doc *d, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (d->line > 0) return sn_error(d->source->code, "%s:%d: %s", d->source->origin, d->line, text);
    return sn_error(d->source->code, "%s: %s", d->source->origin, text);
}

const char *sn_doc_show(const struct sn_doc *d, char *buf) {
    if (d->kind == SN_DOC_LIST) return "a list";
    if (d->kind == SN_DOC_MAP) return "a map";
    if (sn_doc_empty(d)) return "nothing";
    size_t n = strlen(d->text), keep = n > 60 ? 57 : n;
    for (size_t i = 0; i < keep; i++) {
        unsigned char c = (unsigned char)d->text[i];
        buf[i] = (char)(c < 32 || c == 127 ? '?' : c);
    }
    snprintf(buf + keep, 64 - keep, "%s", keep < n ? "..." : "");
    return buf;
}

int sn_doc_unknown(const struct sn_doc *d, const char *what, const char *word, const char *const *names, int n_names) {
    char buf[64], list[320] = "";
    struct sn_doc shown = {.kind = SN_DOC_SCALAR, .text = (char *)word};
    const char *near = sn_nearest(word, names, n_names);
    sn_doc_show(&shown, buf);
    if (near) return sn_doc_error(d, "unknown %s \"%s\"; nearest: %s", what, buf, near);
    for (int i = 0; i < n_names; i++) {
        size_t at = strlen(list);
        snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", names[i]);
    }
    if (n_names == 0) return sn_doc_error(d, "unknown %s \"%s\"; there are none", what, buf);
    return sn_doc_error(d, "unknown %s \"%s\"; expected one of: %s", what, buf, list);
}

/* ---- looking in ---- */

bool sn_doc_empty(const struct sn_doc *d) {
    return d->kind == SN_DOC_SCALAR && d->plain && d->text[0] == '\0';
}

const struct sn_doc *sn_doc_get(const struct sn_doc *map, const char *key) {
    for (const struct sn_doc *c = map->child; c; c = c->next)
        if (c->key && strcmp(c->key, key) == 0) return c;
    return NULL;
}

int sn_doc_expect_map(const struct sn_doc *d, const char *what, const char *const *names, int n_names) {
    char buf[64];
    if (sn_doc_empty(d)) return 0;
    if (d->kind != SN_DOC_MAP) return sn_doc_error(d, "%s must be a map {key: value, ...}, got %s", what, sn_doc_show(d, buf));
    for (const struct sn_doc *c = d->child; c; c = c->next) {
        int i = 0;
        while (i < n_names && strcmp(names[i], c->key) != 0) i++;
        if (i < n_names) continue;
        char kind[96];
        snprintf(kind, sizeof kind, "key of %.80s", what);
        return sn_doc_unknown(c, kind, c->key, names, n_names);
    }
    return 0;
}

int sn_doc_expect_list(const struct sn_doc *d, const char *what) {
    char buf[64];
    if (d->kind == SN_DOC_LIST) return 0;
    return sn_doc_error(d, "%s must be a list, got %s", what, sn_doc_show(d, buf));
}

/* "1 to 100", "at least 1". */
static const char *range(double min, double max, char *buf, size_t size) {
    char a[40], b[40];
    bool low = min > -1e300, high = max < 1e300;
    sn_format_f64(low ? min : 0, a);
    sn_format_f64(high ? max : 0, b);
    if (low && high) {
        snprintf(buf, size, " from %s to %s", a, b);
    } else if (low) {
        snprintf(buf, size, " of at least %s", a);
    } else if (high) {
        snprintf(buf, size, " of at most %s", b);
    } else {
        buf[0] = '\0';
    }
    return buf;
}

static int bad_number(const struct sn_doc *d, const char *what, const char *kind, double min, double max) {
    char buf[64], limits[100];
    const char *shown = sn_doc_show(d, buf), *quoted = d->kind == SN_DOC_SCALAR && !d->plain ? " (a string)" : "";
    return sn_doc_error(d, "%s must be %s%s, got %s%s", what, kind, range(min, max, limits, sizeof limits), shown, quoted);
}

int sn_doc_i64(const struct sn_doc *d, const char *what, double min, double max, int64_t *out) {
    int64_t v;
    bool ok = d->kind == SN_DOC_SCALAR && d->plain && sn_parse_i64(d->text, strlen(d->text), &v);
    if (!ok || (double)v < min || (double)v > max) return bad_number(d, what, "an integer", min, max);
    *out = v;
    return 0;
}

int sn_doc_f64(const struct sn_doc *d, const char *what, double min, double max, double *out) {
    double v;
    bool ok = d->kind == SN_DOC_SCALAR && d->plain && sn_parse_f64(d->text, strlen(d->text), &v);
    if (!ok || !isfinite(v) || v < min || v > max) return bad_number(d, what, "a number", min, max);
    *out = v;
    return 0;
}

int sn_doc_bool(const struct sn_doc *d, const char *what, bool *out) {
    char buf[64];
    bool yes = d->kind == SN_DOC_SCALAR && d->plain && strcmp(d->text, "true") == 0;
    bool no = d->kind == SN_DOC_SCALAR && d->plain && strcmp(d->text, "false") == 0;
    if (!yes && !no) return sn_doc_error(d, "%s must be true or false, got %s", what, sn_doc_show(d, buf));
    *out = yes;
    return 0;
}

int sn_doc_text(const struct sn_doc *d, const char *what, const char **out) {
    char buf[64];
    if (d->kind != SN_DOC_SCALAR || d->text[0] == '\0') return sn_doc_error(d, "%s must be a word, got %s", what, sn_doc_show(d, buf));
    *out = d->text;
    return 0;
}

int sn_doc_choice(const struct sn_doc *d, const char *what, const char *const *words, int *out) {
    const char *word = "";
    int n = 0;
    SN_TRY(sn_doc_text(d, what, &word));
    for (; words[n]; n++) {
        if (strcmp(words[n], word) != 0) continue;
        *out = n;
        return 0;
    }
    return sn_doc_unknown(d, what, word, words, n);
}

int sn_doc_name(const struct sn_doc *d, const char *what, size_t max, const char **out) {
    char buf[64];
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
    SN_TRY(sn_doc_text(d, what, out));
    size_t n = strlen(*out);
    if (n > max) return sn_doc_error(d, "%s \"%s\" is longer than %zu characters", what, sn_doc_show(d, buf), max);
    if (strspn(*out, allowed) != n)
        return sn_doc_error(d, "%s \"%s\" has characters other than letters, digits, '_', '-' and '.'", what, sn_doc_show(d, buf));
    return 0;
}
