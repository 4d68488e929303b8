/* JSON: read by jansson into a document, written by hand in one canonical form. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/parse.h"
#include "model/doc.h"

static int convert(const json_t *j, const struct sn_doc_source *source, int depth, struct sn_doc **out);

static int scalar(const json_t *j, struct sn_doc *d) {
    char buf[40];
    const char *s = buf;
    size_t n = 0;
    d->plain = !json_is_string(j);
    if (json_is_string(j)) {
        s = json_string_value(j);
        n = json_string_length(j);
    } else if (json_is_integer(j)) {
        snprintf(buf, sizeof buf, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
    } else if (json_is_real(j)) {
        sn_format_f64(json_real_value(j), buf);
    } else if (json_is_boolean(j)) {
        s = json_is_true(j) ? "true" : "false";
    } else {
        buf[0] = '\0'; /* null */
    }
    d->text = n ? sn_strndup(s, n) : sn_strdup(s);
    return d->text ? 0 : SEQNET_ENOMEM;
}

static int convert_map(const json_t *j, int depth, struct sn_doc *d) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)j, key, value) {
        struct sn_doc *child;
        SN_TRY(convert(value, d->source, depth + 1, &child));
        char *name = sn_strdup(key);
        if (!name) {
            sn_doc_free(child);
            return SEQNET_ENOMEM;
        }
        SN_TRY(sn_doc_attach(d, name, child));
    }
    return 0;
}

static int convert_list(const json_t *j, int depth, struct sn_doc *d) {
    for (size_t i = 0; i < json_array_size(j); i++) {
        struct sn_doc *child;
        SN_TRY(convert(json_array_get(j, i), d->source, depth + 1, &child));
        SN_TRY(sn_doc_attach(d, NULL, child));
    }
    return 0;
}

static int convert(const json_t *j, const struct sn_doc_source *source, int depth, struct sn_doc **out) {
    enum sn_doc_kind kind = json_is_object(j) ? SN_DOC_MAP : json_is_array(j) ? SN_DOC_LIST : SN_DOC_SCALAR;
    if (depth >= SN_DOC_DEPTH) return sn_error(source->code, "%s: nested too deeply", source->origin);
    SN_TRY(sn_doc_new(kind, source, 0, out));
    int rc = kind == SN_DOC_MAP ? convert_map(j, depth, *out) : kind == SN_DOC_LIST ? convert_list(j, depth, *out) : scalar(j, *out);
    if (rc < 0) {
        sn_doc_free(*out);
        *out = NULL;
    }
    return rc;
}

int sn_json_load(const char *text, size_t n, const struct sn_doc_source *source, const char *what, json_t **out) {
    json_error_t err = {.text = ""};
    *out = json_loadb(text, n, JSON_REJECT_DUPLICATES, &err);
    if (*out) return 0;
    /* jansson leaves the text empty where memory ran out inside its lexer */
    if (json_error_code(&err) == json_error_out_of_memory || err.text[0] == '\0')
        return sn_error(SEQNET_ENOMEM, "%s: out of memory", source->origin);
    return sn_error(source->code, "%s: %s is not JSON: %s (byte %d)", source->origin, what, err.text, err.position);
}

int sn_doc_from_json(const char *text, size_t n, const struct sn_doc_source *source, struct sn_doc **out) {
    json_t *j;
    *out = NULL;
    SN_TRY(sn_json_load(text, n, source, "the text", &j));
    int rc = convert(j, source, 0, out);
    json_decref(j);
    return rc;
}

/* ---- writing ---- */

/* Length of the UTF-8 character at s, 0 when malformed (overlong, surrogate, beyond U+10FFFF). */
static int utf8_char(const unsigned char *s) {
    if (s[0] < 0x80) return 1;
    int n = s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool beyond = (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf4 && s[1] >= 0x90);
    return overlong || beyond ? 0 : n;
}

bool sn_utf8_valid(const char *s) {
    const unsigned char *u = (const unsigned char *)s;
    while (*u) {
        int n = utf8_char(u);
        if (n == 0) return false;
        u += n;
    }
    return true;
}

int sn_json_string(struct sn_str *b, const char *s) {
    if (!sn_utf8_valid(s)) return sn_error(SEQNET_EINVAL, "a text is not UTF-8");
    SN_TRY(sn_str_puts(b, "\""));
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') {
            SN_TRY(sn_str_printf(b, "\\%c", c));
        } else if (c < 32 || c == 127) {
            SN_TRY(sn_str_printf(b, "\\u%04x", c));
        } else {
            SN_TRY(sn_str_add(b, s, 1));
        }
    }
    return sn_str_puts(b, "\"");
}

int sn_json_f64(struct sn_str *b, double v) {
    char buf[40];
    if (!isfinite(v)) return sn_error(SEQNET_ENUM, "a number to be stored is not finite");
    return sn_str_puts(b, sn_format_f64(v, buf));
}

int sn_json_f32(struct sn_str *b, float v) {
    char buf[40];
    if (!isfinite(v)) return sn_error(SEQNET_ENUM, "a number to be stored is not finite");
    return sn_str_puts(b, sn_format_f32(v, buf));
}

int sn_json_sep(struct sn_str *b) {
    if (b->n == 0 || strchr("[{:", b->s[b->n - 1])) return 0;
    return sn_str_puts(b, ",");
}

int sn_json_key(struct sn_str *b, const char *key) {
    SN_TRY(sn_json_sep(b));
    SN_TRY(sn_json_string(b, key));
    return sn_str_puts(b, ":");
}
