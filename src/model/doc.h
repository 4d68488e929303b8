/* A document: the tree that YAML and JSON texts are read into, with the place of every value for messages. */
#ifndef SN_MODEL_DOC_H
#define SN_MODEL_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/mem.h"

#define SN_DOC_DEPTH 64
#define SN_DOC_KEYS 4096 /* keys of one YAML map: duplicates are looked for by comparing all */

enum sn_doc_kind { SN_DOC_SCALAR, SN_DOC_LIST, SN_DOC_MAP };

struct sn_doc_source {
    const char *origin; /* borrowed */
    int code;           /* of errors in this document: SEQNET_EARCH, SEQNET_EMODEL */
};

struct sn_doc {
    enum sn_doc_kind kind;
    const struct sn_doc_source *source; /* borrowed */
    int line;                           /* 0 = unknown (JSON) */
    bool plain;                         /* a scalar without quotes: may be a number or a boolean */
    char *key;                          /* its name in the parent map, or NULL */
    char *text;                         /* scalars */
    struct sn_doc *child, *last, *next;
    int n; /* children */
};

/* Parses a whole text. Anchors, aliases, tags, duplicate keys, several documents, nesting beyond SN_DOC_DEPTH are errors. */
int sn_doc_from_yaml(const char *text, size_t n, const struct sn_doc_source *source, struct sn_doc **out);
int sn_doc_from_json(const char *text, size_t n, const struct sn_doc_source *source, struct sn_doc **out);
void sn_doc_free(struct sn_doc *d);
/* Parses a JSON text by jansson; "origin: WHAT is not JSON: ..." otherwise. */
struct json_t;
int sn_json_load(const char *text, size_t n, const struct sn_doc_source *source, const char *what, struct json_t **out);

/* Building; `key` and `child` are taken over, also on failure; key NULL outside maps. A duplicate key is an error (JSON: jansson's). */
int sn_doc_new(enum sn_doc_kind kind, const struct sn_doc_source *source, int line, struct sn_doc **out);
int sn_doc_attach(struct sn_doc *parent, char *key, struct sn_doc *child);

/* Sets "origin:line: message" and returns the document's code. */
int sn_doc_error(const struct sn_doc *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What stands there, for messages: a scalar's text (shortened, printable), "a list", "a map", "nothing". buf holds >= 64 bytes. */
const char *sn_doc_show(const struct sn_doc *d, char *buf);

bool sn_doc_empty(const struct sn_doc *d); /* a plain scalar without text: `training:` with nothing behind it */
const struct sn_doc *sn_doc_get(const struct sn_doc *map, const char *key); /* NULL when missing */
/* The value must be a map (nothing counts as an empty one) with no keys but `names`; `what` names it in messages. */
int sn_doc_expect_map(const struct sn_doc *d, const char *what, const char *const *names, int n_names);
int sn_doc_expect_list(const struct sn_doc *d, const char *what);
/* "unknown WHAT "word"; nearest: NAME", or the list of names when none is near. */
int sn_doc_unknown(const struct sn_doc *d, const char *what, const char *word, const char *const *names, int n_names);

/* Scalars, strictly. */
int sn_doc_i64(const struct sn_doc *d, const char *what, double min, double max, int64_t *out);
int sn_doc_f64(const struct sn_doc *d, const char *what, double min, double max, double *out);
int sn_doc_bool(const struct sn_doc *d, const char *what, bool *out);
int sn_doc_text(const struct sn_doc *d, const char *what, const char **out); /* not empty */
int sn_doc_choice(const struct sn_doc *d, const char *what, const char *const *words /* NULL-terminated */, int *out);
/* A name of layers, heads, inputs, architectures: letters, digits, '_', '-', '.', at most `max` characters. */
int sn_doc_name(const struct sn_doc *d, const char *what, size_t max, const char **out);

/* ---- writing JSON ---------------------------------------------------------------------------------------------------------------- */

/* A quoted string; SEQNET_EINVAL when it is not UTF-8. */
int sn_json_string(struct sn_str *b, const char *s);
/* Shortest decimal that reads back; SEQNET_ENUM when not finite. */
int sn_json_f64(struct sn_str *b, double v);
int sn_json_f32(struct sn_str *b, float v);
/* "key": with a comma before it unless it is the first of its object. */
int sn_json_key(struct sn_str *b, const char *key);
/* A comma unless the text ends with an opening bracket or colon. */
int sn_json_sep(struct sn_str *b);
bool sn_utf8_valid(const char *s);

#endif
