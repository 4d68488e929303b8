/* YAML by libyaml's events (its document loader is quadratic in the nesting), into a document. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "core/error.h"
#include "model/doc.h"

#define MAX_TEXT ((size_t)1 << 20)

struct builder {
    const struct sn_doc_source *source;
    struct sn_doc *root;
    struct sn_doc *stack[SN_DOC_DEPTH]; /* open lists and maps */
    char *key[SN_DOC_DEPTH];            /* of the map at that depth: waiting for its value */
    int depth;
    int documents;
};

static int fail_at(const struct builder *b, size_t line, const char *message) {
    struct sn_doc at = {.source = b->source, .line = (int)line + 1};
    return sn_doc_error(&at, "%s", message);
}

/* The next node, at its place in the tree; `node` is taken over. */
static int place(struct builder *b, struct sn_doc *node) {
    if (b->depth == 0) {
        b->root = node;
        return 0;
    }
    int d = b->depth - 1;
    char *key = b->key[d];
    b->key[d] = NULL;
    return sn_doc_attach(b->stack[d], key, node);
}

static bool wants_key(const struct builder *b) {
    return b->depth > 0 && b->stack[b->depth - 1]->kind == SN_DOC_MAP && !b->key[b->depth - 1];
}

static int on_scalar(struct builder *b, const yaml_event_t *e) {
    size_t line = e->start_mark.line, n = e->data.scalar.length;
    const char *s = (const char *)e->data.scalar.value;
    if (e->data.scalar.anchor) return fail_at(b, line, "anchors (&) are not supported");
    if (e->data.scalar.tag) return fail_at(b, line, "tags (!) are not supported");
    if (memchr(s, '\0', n)) return fail_at(b, line, "a zero byte in a text");
    char *text = sn_strndup(s, n);
    if (!text) return SEQNET_ENOMEM;
    if (wants_key(b)) {
        b->key[b->depth - 1] = text;
        return 0;
    }
    struct sn_doc *node;
    int rc = sn_doc_new(SN_DOC_SCALAR, b->source, (int)line + 1, &node);
    if (rc < 0) {
        free(text);
        return rc;
    }
    node->text = text;
    node->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return place(b, node);
}

static int on_start(struct builder *b, const yaml_event_t *e, enum sn_doc_kind kind, bool anchor, bool tag) {
    size_t line = e->start_mark.line;
    if (anchor) return fail_at(b, line, "anchors (&) are not supported");
    if (tag) return fail_at(b, line, "tags (!) are not supported");
    if (wants_key(b)) return fail_at(b, line, "a key must be a word");
    if (b->depth == SN_DOC_DEPTH) return fail_at(b, line, "nested too deeply");
    struct sn_doc *node;
    SN_TRY(sn_doc_new(kind, b->source, (int)line + 1, &node));
    SN_TRY(place(b, node));
    b->stack[b->depth] = node;
    b->key[b->depth++] = NULL;
    return 0;
}

static int on_event(struct builder *b, const yaml_event_t *e) {
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        return b->documents++ ? fail_at(b, e->start_mark.line, "a second document; expected one") : 0;
    case YAML_ALIAS_EVENT:
        return fail_at(b, e->start_mark.line, "aliases (*) are not supported");
    case YAML_SCALAR_EVENT:
        return on_scalar(b, e);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(b, e, SN_DOC_LIST, e->data.sequence_start.anchor != NULL, e->data.sequence_start.tag != NULL);
    case YAML_MAPPING_START_EVENT:
        return on_start(b, e, SN_DOC_MAP, e->data.mapping_start.anchor != NULL, e->data.mapping_start.tag != NULL);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return 0;
    default:
        return 0;
    }
}

static int syntax_error(const struct builder *b, const yaml_parser_t *p) {
    char text[256];
    const char *problem = p->problem ? p->problem : "malformed";
    if (p->error == YAML_MEMORY_ERROR) return sn_error(SEQNET_ENOMEM, "%s: out of memory", b->source->origin);
    if (p->context) {
        snprintf(text, sizeof text, "not YAML: %s %s", p->context, problem);
    } else {
        snprintf(text, sizeof text, "not YAML: %s", problem);
    }
    return fail_at(b, p->problem_mark.line, text);
}

int sn_doc_from_yaml(const char *text, size_t n, const struct sn_doc_source *source, struct sn_doc **out) {
    struct builder b = {.source = source};
    yaml_parser_t parser;
    int rc = 0;
    *out = NULL;
    if (n > MAX_TEXT) return sn_error(source->code, "%s: %zu bytes; an architecture has at most %zu", source->origin, n, MAX_TEXT);
    if (!yaml_parser_initialize(&parser)) return sn_error(SEQNET_ENOMEM, "out of memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    for (bool end = false; !end && rc == 0;) {
        yaml_event_t e;
        if (!yaml_parser_parse(&parser, &e)) {
            rc = syntax_error(&b, &parser);
            break;
        }
        end = e.type == YAML_STREAM_END_EVENT;
        rc = on_event(&b, &e);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&parser);
    for (int i = 0; i < b.depth; i++) free(b.key[i]);
    if (rc == 0 && !b.root) rc = sn_error(source->code, "%s: empty; expected an architecture", source->origin);
    if (rc < 0) {
        sn_doc_free(b.root);
        return rc;
    }
    *out = b.root;
    return 0;
}
