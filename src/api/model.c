#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"

#define LOOK_LENGTH 100 /* bases: for looking at an architecture that takes its length from the data */

int seqnet_model_load(seqnet_ctx *ctx, const char *path, seqnet_model **out) {
    struct sn_model *m = NULL;
    (void)ctx;
    *out = NULL;
    SN_TRY(sn_model_read(path, &m));
    *out = (seqnet_model *)m;
    return 0;
}

int seqnet_model_save(const seqnet_model *m, const char *path) {
    return sn_model_write(sn_inner(m), path);
}

seqnet_model *seqnet_model_ref(seqnet_model *m) {
    return (seqnet_model *)sn_model_ref(sn_inner(m));
}

void seqnet_model_free(seqnet_model **m) {
    if (!m || !*m) return;
    sn_model_unref(sn_inner(*m));
    *m = NULL;
}

int sn_inner_models(seqnet_model *const *models, int n, struct sn_model ***out) {
    *out = sn_calloc((size_t)n + 1, sizeof **out);
    if (!*out) return SEQNET_ENOMEM;
    for (int i = 0; i < n; i++) (*out)[i] = sn_model_ref(sn_inner(models[i]));
    return 0;
}

void sn_release_models(struct sn_model **models) {
    for (int i = 0; models && models[i]; i++) sn_model_unref(models[i]);
    free(models);
}

/* ---- architectures ---- */

static int bind_arch(struct sn_arch *a, const char *name, int n_tasks, int64_t length) {
    if (a->length > 0 && length > 0 && length != a->length)
        return sn_error(SEQNET_EINVAL, "%s: has a fixed input length of %lld, got %lld", name, (long long)a->length, (long long)length);
    return sn_arch_bind(a, SN_TASK_NONE, n_tasks, length > 0 ? length : LOOK_LENGTH, length);
}

/* What a model without data is for, by its loss. */
static enum sn_task_kind kind_of(enum sn_loss_kind loss) {
    return loss == SN_LOSS_CCE ? SN_TASK_CLASSES : loss == SN_LOSS_MSE ? SN_TASK_NUMBER : SN_TASK_BINARY;
}

int seqnet_model_from_architecture(seqnet_ctx *ctx, const char *architecture, int n_tasks, int64_t length, uint64_t seed,
                                   seqnet_model **out) {
    struct sn_arch *a = NULL;
    struct sn_model *m = NULL;
    int rc = 0;
    (void)ctx;
    *out = NULL;
    SN_TRY(sn_check_int("n_tasks", n_tasks, 1, 1000000));
    SN_TRY(sn_check_int("length", length, 0, INT32_MAX));
    SN_TRY(sn_arch_load(architecture, &a));
    SN_GO(bind_arch(a, architecture, n_tasks, length));
    SN_GO(sn_model_create(a, &m));
    a = NULL;
    m->kind = kind_of(m->arch->graph->heads[0].loss);
    SN_GO(sn_model_init(m, seed));
    *out = (seqnet_model *)m;
    m = NULL;
done:
    sn_arch_free(a);
    if (m) sn_model_unref(m);
    return rc < 0 ? rc : 0;
}

/* A safetensors file begins with the length of its header and the header's opening bracket. */
static bool is_model_file(const char *path) {
    unsigned char head[9] = {0};
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    size_t n = fread(head, 1, sizeof head, f);
    fclose(f);
    return n == sizeof head && head[7] == 0 && head[8] == '{';
}

int seqnet_model_open(seqnet_ctx *ctx, const char *name, int n_tasks, int64_t length, uint64_t seed, seqnet_model **out) {
    const char *dot = strrchr(name, '.');
    bool named = dot && strcmp(dot, ".seqnet") == 0; /* an empty or damaged model is still one */
    if (named || is_model_file(name)) return seqnet_model_load(ctx, name, out);
    return seqnet_model_from_architecture(ctx, name, n_tasks, length, seed, out);
}

/* ---- facts ---- */

void seqnet_model_describe(const seqnet_model *model, seqnet_model_info *out) {
    const struct sn_model *m = sn_inner(model);
    const struct sn_graph *g = m->arch->graph;
    seqnet_model_info info = {.size = sizeof info,
                              .name = m->arch->name,
                              .alphabet = m->arch->alphabet->name,
                              .length = m->arch->length > 0 ? m->arch->length : 0,
                              .min_length = g->min_len,
                              .receptive_field = g->receptive,
                              .n_parameters = g->n_params,
                              .n_tasks = m->n_tasks,
                              .classes = m->kind == SN_TASK_CLASSES,
                              .strands_combined = m->arch->strand != SN_STRAND_FORWARD,
                              .n_nodes = g->n_nodes,
                              .data_length = m->data_length};
    for (int i = 0; i < g->n_nodes; i++) info.n_weights += g->nodes[i].n_weights;
    sn_give(out, out->size, &info, sizeof info);
}

const char *seqnet_model_task_name(const seqnet_model *m, int task) {
    return task >= 0 && task < sn_inner(m)->n_tasks ? sn_inner(m)->tasks[task] : NULL;
}

int seqnet_output_info(const seqnet_model *m, int head, seqnet_output *out) {
    const struct sn_graph *g = sn_inner(m)->arch->graph;
    if (head < 0 || head >= g->n_heads) return sn_error(SEQNET_EINVAL, "head %d: the model has %d", head, g->n_heads);
    const struct sn_shape *shape = &g->nodes[g->heads[head].node].out;
    seqnet_output o = {.size = sizeof o, .name = g->heads[head].name, .n_tasks = (int)shape->ch, .length = shape->seq ? shape->len : 1};
    return sn_give_result(out, &o, sizeof o, "seqnet_output");
}

int seqnet_model_digest(const seqnet_model *m, char *buf, size_t capacity) {
    char digest[9];
    if (capacity < sizeof digest) return sn_error(SEQNET_EINVAL, "digest: expected a buffer of 9 bytes, got %zu", capacity);
    SN_TRY(sn_model_digest(sn_inner(m), digest));
    memcpy(buf, digest, sizeof digest);
    return 0;
}
