#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* ---- finding options ---- */

static const struct option *find_option(const struct command *c, const char *name, size_t n) {
    for (int i = 0; i < n_options; i++)
        if ((options[i].commands & c->bit) && strlen(options[i].name) == n && memcmp(options[i].name, name, n) == 0) return &options[i];
    return NULL;
}

static const struct option *find_letter(const struct command *c, char letter) {
    for (int i = 0; i < n_options; i++)
        if ((options[i].commands & c->bit) && options[i].letter && options[i].letter == letter) return &options[i];
    return NULL;
}

static bool unknown_option(const struct command *c, const char *name, size_t n) {
    const char *words[128];
    char word[64];
    int n_words = 0;
    snprintf(word, sizeof word, "%.*s", n < 60 ? (int)n : 60, name);
    for (int i = 0; i < n_options && n_words < 128; i++)
        if (options[i].commands & c->bit) words[n_words++] = options[i].name;
    const char *near = seqnet_nearest(word, words, n_words);
    if (near)
        usage_error("unknown option --%s, did you mean --%s?", word, near);
    else
        usage_error("unknown option --%s", word);
    return false;
}

/* ---- values ---- */

static bool bad_value(const struct option *o, const char *value, const char *expected) {
    usage_error("--%s: expected %s, got '%s'", o->name, expected, value);
    return false;
}

static bool out_of_range(const struct option *o, const char *value) {
    char range[96];
    describe_range(o, range, sizeof range);
    usage_error("--%s: out of range: expected %s, got %s", o->name, range, value);
    return false;
}

static bool set_number(const struct option *o, const char *value, void *field) {
    int64_t v = 0;
    if (o->zero && strcmp(value, o->zero) == 0) {
        memset(field, 0, o->type == OPT_INT ? sizeof(int) : sizeof v);
        return true;
    }
    if (!seqnet_parse_size(value, &v)) return bad_value(o, value, o->zero ? "a whole number or auto" : "a whole number");
    if ((double)v < o->min || (double)v > o->max) return out_of_range(o, value);
    if (o->type == OPT_INT)
        *(int *)field = (int)v;
    else
        *(int64_t *)field = v;
    return true;
}

static bool set_float(const struct option *o, const char *value, double *field) {
    double v;
    if (!seqnet_parse_double(value, &v)) return bad_value(o, value, "a number");
    if (!(v >= o->min && v <= o->max)) return out_of_range(o, value);
    *field = v;
    return true;
}

static int word_index(const char *const *words, const char *value) {
    for (int i = 0; words && words[i]; i++)
        if (strcmp(words[i], value) == 0) return i;
    return -1;
}

static bool set_word(const struct option *o, const char *value, void *field) {
    char known[96];
    int i = word_index(o->words, value), n = 0;
    describe_range(o, known, sizeof known);
    if (i < 0 && word_index(o->later, value) >= 0) {
        usage_error("--%s %s: not supported by seqnet %s; supported: %s", o->name, value, seqnet_version(), known);
        return false;
    }
    if (i < 0) {
        while (o->words[n]) n++;
        const char *near = seqnet_nearest(value, o->words, n);
        usage_error("--%s: expected %s, got '%s'%s%s%s", o->name, known, value, near ? "; did you mean " : "", near ? near : "",
                    near ? "?" : "");
        return false;
    }
    if (o->type == OPT_INDEX)
        *(int *)field = i;
    else
        *(const char **)field = o->words[i];
    return true;
}

static bool set_option(const struct option *o, const char *value, struct args *a) {
    void *field = (char *)a + o->offset;
    switch (o->type) {
    case OPT_FLAG:
        *(int *)field = 1;
        return true;
    case OPT_INT:
    case OPT_SIZE:
        return set_number(o, value, field);
    case OPT_FLOAT:
        return set_float(o, value, field);
    case OPT_TEXT:
        if (!value[0]) return bad_value(o, value, "a value");
        *(const char **)field = value;
        return true;
    default:
        return set_word(o, value, field);
    }
}

/* ---- the command line ---- */

bool is_group(const char *name) {
    size_t n = strlen(name);
    for (int i = 0; n > 0 && i < n_commands; i++)
        if (strncmp(commands[i].name, name, n) == 0 && commands[i].name[n] == ' ') return true;
    return false;
}

struct parser {
    const struct command *c;
    int argc, at;
    char **argv;
    struct args *a;
    bool *seen; /* (n_options) */
    const struct option *last;
};

/* An argument that looks like an option is not taken for a value; --name=value takes anything. */
static bool looks_like_option(const char *s) {
    double number;
    return s[0] == '-' && s[1] != '\0' && !seqnet_parse_double(s, &number);
}

/* Applies `o`; value NULL: the next argument, unless it is a flag. */
static bool apply(struct parser *p, const struct option *o, const char *value) {
    if (p->seen[o - options]) {
        usage_error("--%s: given twice", o->name);
        return false;
    }
    p->seen[o - options] = true;
    p->last = o;
    if (o->type == OPT_FLAG && value) {
        usage_error("--%s: takes no value, got '%s'", o->name, value);
        return false;
    }
    if (o->type != OPT_FLAG && !value) {
        if (p->at >= p->argc || looks_like_option(p->argv[p->at])) {
            usage_error("--%s: expected a value%s%s", o->name, p->at < p->argc ? ", got " : "", p->at < p->argc ? p->argv[p->at] : "");
            return false;
        }
        value = p->argv[p->at++];
    }
    return set_option(o, value, p->a);
}

static bool parse_long(struct parser *p, const char *arg) {
    const char *name = arg + 2, *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    const struct option *o = find_option(p->c, name, n);
    return o ? apply(p, o, equals ? equals + 1 : NULL) : unknown_option(p->c, name, n);
}

static bool parse_short(struct parser *p, const char *arg) {
    const struct option *o = find_letter(p->c, arg[1]);
    if (!o || (o->type == OPT_FLAG && arg[2])) {
        usage_error("unknown option %s", arg);
        return false;
    }
    return apply(p, o, arg[2] ? arg + 2 : NULL);
}

bool parse_args(const struct command *c, int argc, char **argv, struct args *a) {
    bool seen[128] = {false}, plain = false;
    struct parser p = {.c = c, .argc = argc, .argv = argv, .a = a, .seen = seen};
    while (p.at < argc && !a->help && !a->version) {
        int from = p.at;
        const char *arg = argv[p.at++];
        p.last = NULL;
        if (plain || arg[0] != '-' || !arg[1])
            a->inputs[a->n_inputs++] = arg;
        else if (strcmp(arg, "--") == 0)
            plain = true;
        else if (!(arg[1] == '-' ? parse_long(&p, arg) : parse_short(&p, arg)))
            return false;
        while (from < p.at && !(p.last && p.last->outside)) a->said[a->n_said++] = argv[from++];
    }
    return true;
}
