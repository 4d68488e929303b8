/* The `training:` part. One table declares its keys; parsing, canonical output and help are made from it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/parse.h"
#include "model/arch_parts.h"

enum key_type {
    KEY_INT,
    KEY_REAL,
    KEY_BOOL,
    KEY_FLAG,    /* one of two words, stored as a bool */
    KEY_WORD,    /* one word of a list, not stored */
    KEY_VARIANT, /* a word of a list, or {word: {keys of that word}}; stored as an enum */
    KEY_GROUP,   /* a map of keys */
    KEY_LOSS     /* belongs to the head */
};
struct key {
    const char *path; /* of nested maps, with dots */
    enum key_type type;
    size_t at; /* offset in struct sn_training */
    double def, min, max;
    const char *const *words;
    const char *help;
};

static const char *const loss_words[] = {"auto", "binary_crossentropy", "categorical_crossentropy", "mean_squared_error", NULL};
static const char *const optimizers[] = {"adam", "sgd", NULL};
static const char *const schedules[] = {"constant", "one_cycle", NULL};
static const char *const monitors[] = {"val_loss", NULL};
static const char *const biases[] = {"zeros", "labels", NULL};
static const char *const class_weights[] = {"none", "balanced", NULL};

#define AT(field) offsetof(struct sn_training, field)
static const struct key keys[] = {
    {"loss", KEY_LOSS, 0, 0, 0, 0, loss_words, "auto: fits the last activation, or the data"},
    {"optimizer", KEY_VARIANT, AT(optimizer), SN_ADAM, 0, 0, optimizers, "Keras' update rules"},
    {"optimizer.adam.learning_rate", KEY_REAL, AT(learning_rate), 0.001, 0, 1e3, NULL, "peak learning rate"},
    {"optimizer.adam.beta_1", KEY_REAL, AT(beta_1), 0.9, 0, 0.999999999, NULL, "decay of the first moment"},
    {"optimizer.adam.beta_2", KEY_REAL, AT(beta_2), 0.999, 0, 0.999999999, NULL, "decay of the second moment"},
    {"optimizer.adam.epsilon", KEY_REAL, AT(epsilon), 1e-7, 1e-30, 1, NULL, "added to the root of the second moment"},
    {"optimizer.sgd.learning_rate", KEY_REAL, AT(learning_rate), 0.01, 0, 1e3, NULL, "peak learning rate"},
    {"optimizer.sgd.momentum", KEY_REAL, AT(momentum), 0, 0, 0.999999999, NULL, "share of the last step"},
    {"optimizer.sgd.nesterov", KEY_BOOL, AT(nesterov), 0, 0, 1, NULL, "look ahead by the momentum"},
    {"learning_rate_schedule", KEY_VARIANT, AT(schedule), SN_LR_CONSTANT, 0, 0, schedules, "one_cycle: linear warm-up, then cosine to 0"},
    {"learning_rate_schedule.one_cycle.warmup_fraction", KEY_REAL, AT(warmup_fraction), 0.25, 0, 1, NULL,
     "share of the steps that warm up"},
    {"learning_rate_schedule.one_cycle.start_fraction", KEY_REAL, AT(start_fraction), 0.1, 0, 1, NULL, "first learning rate / peak"},
    {"clipnorm", KEY_REAL, AT(clipnorm), 0, 0, 1e30, NULL, "largest global norm of the gradient, 0 = off"},
    {"batch_size", KEY_INT, AT(batch_size), 64, 1, 1e6, NULL, "sequences a step"},
    {"epochs", KEY_INT, AT(epochs), 12, 1, 1e6, NULL, "passes over the training set"},
    {"min_steps", KEY_INT, AT(min_steps), 0, 0, 1e9, NULL, "small sets: more epochs until there are so many steps"},
    {"leaves", KEY_INT, AT(leaves), 8, 1, 64, NULL, "slices of a batch whose sums are joined in a tree"},
    {"early_stopping", KEY_GROUP, 0, 0, 0, 0, NULL, "stop when the monitored value no longer falls"},
    {"early_stopping.monitor", KEY_WORD, 0, 0, 0, 0, monitors, "what is watched"},
    {"early_stopping.patience", KEY_INT, AT(patience), 0, 0, 1e6, NULL, "epochs without improvement, 0 = off"},
    {"early_stopping.min_delta", KEY_REAL, AT(min_delta), 0, 0, 1e30, NULL, "smallest change that counts"},
    {"validation_fraction", KEY_REAL, AT(validation_fraction), 0.1, 0, 0.9, NULL, "share held out when no validation data are given"},
    {"augmentation", KEY_GROUP, 0, 0, 0, 0, NULL, "random changes of the training sequences"},
    {"augmentation.reverse_complement", KEY_BOOL, AT(reverse_complement), 0, 0, 1, NULL, "each sequence with probability 1/2"},
    {"augmentation.shift", KEY_INT, AT(shift), 0, 0, 10000, NULL, "one shift of at most so many positions per batch"},
    {"standardize", KEY_BOOL, AT(standardize), 1, 0, 1, NULL, "regression: targets to mean 0, deviation 1, undone in predictions"},
    {"output_bias", KEY_FLAG, AT(bias_from_labels), 1, 0, 1, biases, "first value of the last bias: log odds or mean of the labels"},
    {"class_weight", KEY_FLAG, AT(balanced_class_weight), 0, 0, 1, class_weights, "balanced: classes weigh the same"},
};
#define N_KEYS ((int)(sizeof keys / sizeof *keys))

/* ---- the tree of keys ---- */

/* The last word of a key that stands directly in `prefix` ("" = top), else NULL. */
static const char *word_in(const struct key *k, const char *prefix) {
    size_t n = strlen(prefix);
    if (strncmp(k->path, prefix, n) != 0) return NULL;
    const char *rest = k->path + n;
    if (n > 0) {
        if (*rest != '.') return NULL;
        rest++;
    }
    return strchr(rest, '.') ? NULL : rest;
}

#define MAX_PATH 96
static void join(char *out, const char *prefix, const char *word) {
    snprintf(out, MAX_PATH, "%s%s%s", prefix, *prefix ? "." : "", word);
}

static int words_of(const char *prefix, const char **names) {
    int n = 0;
    for (int i = 0; i < N_KEYS; i++) {
        const char *w = word_in(&keys[i], prefix);
        if (w) names[n++] = w;
    }
    return n;
}

static void store(struct sn_training *t, const struct key *k, double v) {
    char *at = (char *)t + k->at;
    int i = (int)v;
    bool b = v != 0;
    switch (k->type) {
    case KEY_INT:
    case KEY_VARIANT:
        memcpy(at, &i, sizeof i);
        break;
    case KEY_REAL:
        memcpy(at, &v, sizeof v);
        break;
    case KEY_BOOL:
    case KEY_FLAG:
        memcpy(at, &b, sizeof b);
        break;
    default:
        break;
    }
}

static double load(const struct sn_training *t, const struct key *k) {
    const char *at = (const char *)t + k->at;
    int i;
    double v;
    bool b;
    switch (k->type) {
    case KEY_INT:
    case KEY_VARIANT:
        memcpy(&i, at, sizeof i);
        return i;
    case KEY_REAL:
        memcpy(&v, at, sizeof v);
        return v;
    case KEY_BOOL:
    case KEY_FLAG:
        memcpy(&b, at, sizeof b);
        return b;
    default:
        return 0;
    }
}

/* Defaults of every key below `prefix`; of variants, only those of the default word. */
static void defaults(struct sn_training *t, const char *prefix) {
    for (int i = 0; i < N_KEYS; i++) {
        const struct key *k = &keys[i];
        if (!word_in(k, prefix)) continue;
        store(t, k, k->def);
        char path[MAX_PATH];
        if (k->type == KEY_GROUP) defaults(t, k->path);
        if (k->type == KEY_VARIANT) {
            join(path, k->path, k->words[(int)k->def]);
            defaults(t, path);
        }
    }
}

/* ---- reading ---- */

static int parse_keys(const struct sn_doc *d, const char *prefix, struct sn_training *t);

/* `adam`, or `{adam: {...}}`. */
static int parse_variant(const struct sn_doc *d, const struct key *k, struct sn_training *t) {
    char path[MAX_PATH], buf[64];
    const struct sn_doc *body = NULL;
    const char *word;
    int which = 0;
    if (d->kind == SN_DOC_MAP && d->n == 1) {
        body = d->child;
        word = body->key;
    } else if (d->kind == SN_DOC_SCALAR) {
        SN_TRY(sn_doc_text(d, k->path, &word));
    } else {
        return sn_doc_error(d, "%s must be a word or {word: {...}} with one word, got %s", k->path, sn_doc_show(d, buf));
    }
    while (k->words[which] && strcmp(k->words[which], word) != 0) which++;
    if (!k->words[which]) return sn_doc_unknown(body ? body : d, k->path, word, k->words, which);
    store(t, k, which);
    join(path, k->path, k->words[which]);
    defaults(t, path);
    return body ? parse_keys(body, path, t) : 0;
}

static int parse_value(const struct sn_doc *d, const struct key *k, struct sn_training *t) {
    int64_t i = 0;
    double v = 0;
    bool b = false;
    int which = 0;
    switch (k->type) {
    case KEY_INT:
        SN_TRY(sn_doc_i64(d, k->path, k->min, k->max, &i));
        break;
    case KEY_REAL:
        SN_TRY(sn_doc_f64(d, k->path, k->min, k->max, &v));
        break;
    case KEY_BOOL:
        SN_TRY(sn_doc_bool(d, k->path, &b));
        break;
    case KEY_FLAG:
    case KEY_WORD:
    case KEY_LOSS:
        SN_TRY(sn_doc_choice(d, k->path, k->words, &which));
        break;
    case KEY_GROUP:
        return parse_keys(d, k->path, t);
    case KEY_VARIANT:
        return parse_variant(d, k, t);
    }
    store(t, k, k->type == KEY_REAL ? v : k->type == KEY_INT ? (double)i : k->type == KEY_BOOL ? (double)b : which);
    return 0;
}

static int parse_keys(const struct sn_doc *d, const char *prefix, struct sn_training *t) {
    const char *names[N_KEYS];
    int n = words_of(prefix, names);
    SN_TRY(sn_doc_expect_map(d, *prefix ? prefix : "training", names, n));
    for (const struct sn_doc *c = d->child; c; c = c->next) {
        for (int i = 0; i < N_KEYS; i++) {
            const char *w = word_in(&keys[i], prefix);
            if (w && strcmp(w, c->key) == 0) SN_TRY(parse_value(c, &keys[i], t));
        }
    }
    return 0;
}

int sn_training_parse(const struct sn_doc *d, struct sn_training *t, const struct sn_doc **loss) {
    memset(t, 0, sizeof *t);
    defaults(t, "");
    *loss = NULL;
    if (!d) return 0;
    SN_TRY(parse_keys(d, "", t));
    *loss = sn_doc_get(d, "loss");
    const struct sn_doc *stop = sn_doc_get(d, "early_stopping");
    if (stop && !sn_doc_get(stop, "patience")) return sn_doc_error(stop, "early_stopping needs patience");
    return 0;
}

/* ---- writing ---- */

static int write_keys(struct sn_str *b, const struct sn_training *t, const char *prefix);

static int write_value(struct sn_str *b, const struct sn_training *t, const struct key *k) {
    const char *names[N_KEYS];
    char path[MAX_PATH];
    double v = load(t, k);
    switch (k->type) {
    case KEY_BOOL:
        return sn_str_puts(b, v != 0 ? "true" : "false");
    case KEY_FLAG:
    case KEY_WORD:
        return sn_json_string(b, k->words[(int)v]);
    case KEY_GROUP:
        return write_keys(b, t, k->path);
    case KEY_VARIANT:
        join(path, k->path, k->words[(int)v]);
        if (words_of(path, names) == 0) return sn_json_string(b, k->words[(int)v]);
        SN_TRY(sn_str_puts(b, "{"));
        SN_TRY(sn_json_key(b, k->words[(int)v]));
        SN_TRY(write_keys(b, t, path));
        return sn_str_puts(b, "}");
    case KEY_INT:
        return sn_str_printf(b, "%d", (int)v);
    default:
        return sn_json_f64(b, v);
    }
}

static int write_keys(struct sn_str *b, const struct sn_training *t, const char *prefix) {
    SN_TRY(sn_str_puts(b, "{"));
    for (int i = 0; i < N_KEYS; i++) {
        const char *w = word_in(&keys[i], prefix);
        if (!w || keys[i].type == KEY_LOSS) continue;
        SN_TRY(sn_json_key(b, w));
        SN_TRY(write_value(b, t, &keys[i]));
    }
    return sn_str_puts(b, "}");
}

int sn_training_json(struct sn_str *b, const struct sn_training *t) {
    return write_keys(b, t, "");
}

int sn_training_help(struct sn_str *out) {
    for (int i = 0; i < N_KEYS; i++) {
        const struct key *k = &keys[i];
        char def[40], min[40], max[40];
        if (k->type == KEY_GROUP) continue;
        SN_TRY(sn_str_printf(out, "%s\t", k->path));
        if (k->words) {
            for (int w = 0; k->words[w]; w++) SN_TRY(sn_str_printf(out, "%s%s", w ? "|" : "", k->words[w]));
            SN_TRY(sn_str_printf(out, "\t%s", k->words[(int)k->def]));
        } else if (k->type == KEY_BOOL) {
            SN_TRY(sn_str_printf(out, "true|false\t%s", k->def != 0 ? "true" : "false"));
        } else {
            sn_format_f64(k->def, def), sn_format_f64(k->min, min), sn_format_f64(k->max, max);
            SN_TRY(sn_str_printf(out, "%s %s..%s\t%s", k->type == KEY_INT ? "integer" : "number", min, max, def));
        }
        SN_TRY(sn_str_printf(out, "\t%s\n", k->help));
    }
    return 0;
}
