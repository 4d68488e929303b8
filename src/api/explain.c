#include "explain/explain.h"

#include <stdlib.h>
#include <string.h>

#include "api/api.h"

struct seqnet_explainer {
    struct sn_explainer *inner;
    struct sn_model **models;
};

/* ---- options ---- */

void seqnet_explain_defaults_size(seqnet_explain_options *o, size_t size) {
    const seqnet_explain_options full = {.size = sizeof full,
                                         .method = "deeplift",
                                         .rule = "rescale",
                                         .references = "dinucleotide",
                                         .n_references = 20,
                                         .target = "logit",
                                         .seed = 1,
                                         .max_memory = (int64_t)256 << 20,
                                         .n_logos = 10};
    sn_give(o, size, &full, sizeof full);
}

int seqnet_explain_check(const seqnet_explain_options *caller) {
    static const char *const methods[] = {"deeplift", NULL};
    static const char *const rules[] = {"rescale", NULL};
    static const char *const targets[] = {"logit", "probability", NULL};
    seqnet_explain_options o;
    seqnet_explain_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_explain_options"));
    SN_TRY(sn_check_word("method", o.method, methods));
    SN_TRY(sn_check_word("rule", o.rule, rules));
    SN_TRY(sn_check_word("target", o.target, targets));
    SN_TRY(sn_check_int("n_references", o.n_references, 1, 100000));
    SN_TRY(sn_check_int("max_memory", o.max_memory, 1 << 20, INT64_MAX));
    return sn_check_int("n_logos", o.n_logos, 0, 100000);
}

/* A word that was set to NULL means its default. */
static void fill_words(seqnet_explain_options *o) {
    seqnet_explain_options d;
    seqnet_explain_defaults(&d);
    if (!o->method) o->method = d.method;
    if (!o->rule) o->rule = d.rule;
    if (!o->references) o->references = d.references;
    if (!o->target) o->target = d.target;
}

/* ---- making ---- */

int seqnet_explainer_create(seqnet_ctx *ctx, seqnet_model *const *models, int n_models, const seqnet_explain_options *caller,
                            seqnet_explainer **out) {
    seqnet_explain_options o;
    int rc = 0;
    *out = NULL;
    SN_TRY(seqnet_explain_check(caller));
    seqnet_explain_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_explain_options"));
    fill_words(&o);
    SN_TRY(sn_check_int("n_models", n_models, 1, 1024));
    seqnet_explainer *e = sn_calloc(1, sizeof *e);
    if (!e) return SEQNET_ENOMEM;
    SN_GO(sn_inner_models(models, n_models, &e->models));
    SN_GO(sn_explainer_create(&ctx->rt, e->models, n_models, &o, &e->inner));
    *out = e;
    e = NULL;
done:
    seqnet_explainer_free(&e);
    return rc < 0 ? rc : 0;
}

void seqnet_explainer_free(seqnet_explainer **e) {
    if (!e || !*e) return;
    sn_explainer_free((*e)->inner);
    sn_release_models((*e)->models);
    free(*e);
    *e = NULL;
}

/* ---- running ---- */

/* One sequence as a row of the models' length (or its own), centred. */
static int make_row(const struct sn_arch *a, const char *bases, int64_t length, struct sn_dataset **d, int64_t *width, uint8_t **row) {
    int64_t bad;
    *width = a->length > 0 ? a->length : length;
    if (length < 1 || length > *width)
        return sn_error(SEQNET_EDATA, "explain: the sequence has %lld symbols, the model takes %lld", (long long)length, (long long)*width);
    if (*width < a->graph->min_len)
        return sn_error(SEQNET_EDATA, "explain: the sequence has %lld symbols, the model needs at least %lld", (long long)length,
                        (long long)a->graph->min_len);
    if (!(*row = sn_calloc((size_t)*width, 1))) return SEQNET_ENOMEM;
    if (sn_encode_seq(a->alphabet, bases, length, *row, &bad) < 0)
        return sn_error(SEQNET_EDATA, "explain: byte 0x%02x at position %lld is no %s symbol", (unsigned char)bases[bad],
                        (long long)bad + 1, a->alphabet->name);
    SN_TRY(sn_dataset_create(a->alphabet, d));
    SN_TRY(sn_dataset_add(*d, "1", *row, length, NULL, NULL));
    sn_dataset_row(*d, 0, NULL, 0, *width, *row);
    return 0;
}

int seqnet_explain(seqnet_explainer *e, const char *bases, int64_t length, int64_t index, float *hypothetical, float *actual,
                   int64_t capacity, seqnet_explanation *out) {
    const struct sn_arch *a = e->models[0]->arch;
    struct sn_dataset *d = NULL;
    uint8_t *row = NULL;
    float *both = NULL;
    seqnet_explanation result = {.size = sizeof result};
    int64_t width, need = length * a->alphabet->channels;
    int rc = 0;
    if ((hypothetical || actual) && capacity < need)
        return sn_error(SEQNET_EINVAL, "explain: gives %lld floats, the buffer has %lld", (long long)need, (long long)capacity);
    SN_GO(make_row(a, bases, length, &d, &width, &row));
    size_t floats = (size_t)width * (size_t)a->alphabet->channels, skip = (size_t)((width - length) / 2) * (size_t)a->alphabet->channels;
    both = sn_calloc(2 * floats, sizeof *both);
    SN_GO(both ? 0 : SEQNET_ENOMEM);
    int32_t len = (int32_t)width;
    SN_GO(sn_explainer_run(e->inner, 1, row, width, &len, &index, both, both + floats, &result));
    if (hypothetical) memcpy(hypothetical, both + skip, (size_t)need * sizeof *both);
    if (actual) memcpy(actual, both + floats + skip, (size_t)need * sizeof *both);
    if (out) SN_GO(sn_give_result(out, &result, sizeof result, "seqnet_explanation"));
done:
    sn_dataset_free(d);
    free(row);
    free(both);
    return rc < 0 ? rc : 0;
}

int seqnet_explain_source(seqnet_explainer *e, seqnet_source *s, const char *folder) {
    int rc = sn_explainer_folder(e->inner, s->d, folder);
    return rc < 0 ? rc : 0;
}

void seqnet_explainer_result(const seqnet_explainer *e, seqnet_explain_result *out) {
    seqnet_explain_result r = {.size = sizeof r};
    sn_explainer_result(e->inner, &r);
    sn_give(out, out->size, &r, sizeof r);
}
