/* Plans, sessions and scratch memory for sequences of a given length within the memory that a worker may use. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "explain/parts.h"

#define CHUNK_PAIRS 32                   /* pairs of a chunk, memory permitting: enough to fill the kernels' tiles */
#define WORKER_BYTES ((size_t)256 << 20) /* most of a worker */

static void free_worker(struct sn_explainer *e, struct sn_explain_worker *w) {
    int n_models = e->n_models;
    sn_mutants_free(e, w->mutants);
    for (int i = 0; w->sessions && i < n_models; i++) sn_session_free(w->sessions[i]);
    free(w->sessions);
    free(w->codes);
    free(w->len);
    free(w->logits);
    free(w->strand_logits);
    free(w->row_x);
    free(w->row_ref);
    free(w->seeds);
    free(w->mult);
    free(w->zx);
    free(w->zr);
    free(w->hyp);
    free(w->act);
    free(w->part);
    free(w->values);
    free(w->weights);
    *w = (struct sn_explain_worker){0};
}

void sn_explain_unplan(struct sn_explainer *e) {
    for (int i = 0; e->workers && i < e->n_workers; i++) free_worker(e, &e->workers[i]);
    if (e->cones) sn_mutants_unplan(e);
    for (int i = 0; e->plans && i < e->n_models; i++) {
        sn_plan_free(e->plans[i]);
        e->plans[i] = NULL;
    }
    e->max_len = 0;
}

/* ---- size of a chunk ---- */

int sn_explain_most_strands(const struct sn_explainer *e) {
    for (int i = 0; i < e->n_models; i++)
        if (sn_explain_strands(e->models[i])) return 2;
    return 1;
}

/* A path is followed for one sequence at a time; its points are rows and, each with itself, pairs. */
static void set_chunk(struct sn_explainer *e, int x, int refs) {
    int strands = sn_explain_most_strands(e);
    e->max_x = x;
    e->max_refs = refs;
    e->max_pairs = strands * x * refs;
    if (e->method == SN_METHOD_PATH || sn_explain_self(e))
        e->max_rows = e->max_pairs;
    else
        e->max_rows = strands * (x + (sn_explain_shared(e) ? refs : x * refs));
}

static int make_plan(struct sn_explainer *e, int model, int64_t max_len) {
    struct sn_plan_options o;
    const struct sn_arch *a = e->models[model]->arch;
    sn_arch_plan_options(a, SN_ATTRIBUTE, max_len, e->max_rows, &o);
    o.max_pairs = e->max_pairs;
    o.rule = e->rule;
    o.values = e->method == SN_METHOD_PATH;
    int rc = sn_plan_create(a->graph, e->rt.backend, &o, &e->plans[model]);
    return rc < 0 ? sn_error_prefix(rc, "%s", sn_explain_label(e->models[model])) : 0;
}

/* What all workers share: the program, sequences and their like, weights as they are and as kernels take them. */
static size_t shared_bytes(const struct sn_explainer *e) {
    size_t bytes = SN_PROGRAM_BYTES + e->held;
    for (int i = 0; i < e->n_models; i++) {
        struct sn_plan_memory m = {0};
        if (e->plans[i]) sn_plan_memory(e->plans[i], &m);
        bytes += (size_t)e->models[i]->arch->graph->n_params * sizeof(sn_real) + m.prepared;
    }
    return bytes;
}

size_t sn_explainer_left(const struct sn_explainer *e) {
    size_t taken = SN_PROGRAM_BYTES + e->held;
    return e->budget == 0 ? 0 : e->budget > taken ? e->budget - taken : 1;
}

size_t sn_explain_share(const struct sn_explainer *e) {
    size_t shared = shared_bytes(e), left = e->budget > shared ? e->budget - shared : 0, share = left / (size_t)e->n_workers;
    return e->budget == 0 || share > WORKER_BYTES ? WORKER_BYTES : share;
}

/* Bytes of a worker: its sessions and its multipliers and sums. */
static size_t worker_bytes(const struct sn_explainer *e, int64_t max_len) {
    size_t bytes = 0, row = (size_t)max_len * (size_t)e->channels;
    if (e->method == SN_METHOD_ISM) return sn_mutants_bytes(e, max_len);
    for (int i = 0; i < e->n_models; i++) {
        struct sn_plan_memory m;
        sn_plan_memory(e->plans[i], &m);
        bytes += m.activations + m.workspace_per_worker + m.batch_io;
    }
    if (e->method == SN_METHOD_PATH) bytes += (size_t)e->max_rows * row * sizeof(sn_real) + (size_t)e->n_tasks * row * sizeof(double);
    return bytes + (size_t)(e->kept_models * e->max_pairs) * row * sizeof(sn_real) +
           (size_t)e->n_tasks * (size_t)e->max_x * (row + (size_t)max_len) * sizeof(double);
}

/* As many workers as the memory is enough for. */
static int choose_workers(struct sn_explainer *e, int64_t max_len) {
    size_t shared = shared_bytes(e), each = worker_bytes(e, max_len), left = e->budget > shared ? e->budget - shared : 0;
    e->busy = e->n_workers;
    if (e->budget == 0 || left / each >= (size_t)e->n_workers) return 0;
    e->busy = (int)(left / each);
    if (e->busy > 0) return 0;
    return sn_error(SEQNET_ENOMEM,
                    "explain: %s of a sequence of %lld positions takes about %zu MB, program and sequences %zu MB: together more than "
                    "the %zu MB allowed",
                    sn_explain_method(e), (long long)max_len, (each >> 20) + 1, (shared >> 20) + 1, e->budget >> 20);
}

/* Halves the chunk until it fits. One pair at a time is always allowed. */
static int make_plans(struct sn_explainer *e, int64_t max_len) {
    bool path = e->method == SN_METHOD_PATH;
    int refs = path || e->n_refs > CHUNK_PAIRS ? CHUNK_PAIRS : e->n_refs, x = CHUNK_PAIRS / refs;
    e->kept_models = path ? e->n_models : 1;
    for (;;) {
        set_chunk(e, x, refs);
        for (int i = 0; i < e->n_models; i++) SN_TRY(make_plan(e, i, max_len));
        if (worker_bytes(e, max_len) <= sn_explain_share(e) || (x == 1 && refs == 1)) return 0;
        for (int i = 0; i < e->n_models; i++) {
            sn_plan_free(e->plans[i]);
            e->plans[i] = NULL;
        }
        if (x > 1)
            x /= 2;
        else
            refs = (refs + 1) / 2;
    }
}

/* ---- workers ---- */

static bool give(void *field, size_t n, size_t size) {
    void *v = sn_calloc(n, size);
    memcpy(field, &v, sizeof v);
    return v != NULL;
}

static int make_scratch(struct sn_explainer *e, struct sn_explain_worker *w) {
    size_t rows = (size_t)e->max_rows, pairs = (size_t)e->max_pairs, x = (size_t)e->max_x, len = (size_t)e->max_len,
           width = (size_t)e->width, kept = (size_t)e->kept_models, tasks = (size_t)e->n_tasks, row = len * (size_t)e->channels;
    bool path = e->method == SN_METHOD_PATH;
    size_t ends = path ? (size_t)e->max_refs : x * (size_t)e->n_refs;
    bool ok = give(&w->sessions, (size_t)e->n_models, sizeof *w->sessions) && give(&w->codes, rows + 1, len) &&
              give(&w->len, rows, sizeof *w->len) && give(&w->logits, rows, width * sizeof *w->logits) &&
              give(&w->strand_logits, kept * rows, width * sizeof *w->strand_logits) && give(&w->row_x, pairs, sizeof *w->row_x) &&
              give(&w->row_ref, pairs, sizeof *w->row_ref) && give(&w->seeds, pairs, width * sizeof *w->seeds) &&
              give(&w->mult, kept * pairs, row * sizeof *w->mult) && give(&w->zx, x, width * sizeof *w->zx) &&
              give(&w->zr, ends, width * sizeof *w->zr) && give(&w->hyp, tasks * x, row * sizeof *w->hyp) &&
              give(&w->act, tasks * x, len * sizeof *w->act) && give(&w->weights, width, sizeof *w->weights) &&
              give(&w->values, path ? rows : 0, row * sizeof *w->values) && give(&w->part, path ? tasks : 0, row * sizeof *w->part);
    if (!ok) free_worker(e, w);
    return ok ? 0 : SEQNET_ENOMEM;
}

int sn_explain_scratch(struct sn_explainer *e, struct sn_explain_worker *w) {
    return w->sessions ? 0 : make_scratch(e, w);
}

int sn_explain_session(struct sn_explainer *e, int worker, int model, struct sn_session **out) {
    struct sn_explain_worker *w = &e->workers[worker];
    SN_TRY(sn_explain_scratch(e, w));
    if (!w->sessions[model]) SN_TRY(sn_session_create(e->plans[model], NULL, &w->sessions[model]));
    *out = w->sessions[model];
    return 0;
}

int sn_explain_logits(const struct sn_explainer *e, struct sn_explain_worker *w, int model, struct sn_session *s, int rows, double *out) {
    const struct sn_model *m = e->models[model];
    const struct sn_graph *g = m->arch->graph;
    for (int h = 0, at = 0; h < g->n_heads; h++) {
        int width = (int)g->nodes[g->heads[h].logits].out.ch;
        SN_TRY(sn_session_output(s, h, true, w->logits));
        for (int i = 0; i < rows; i++)
            for (int k = 0; k < width; k++) {
                sn_real z = w->logits[(int64_t)i * width + k];
                out[(int64_t)i * e->width + at + k] = sn_target_units(e, m, at + k, z);
                if (isfinite((double)z)) continue;
                const char *layer = sn_session_nonfinite(s);
                return sn_error(SEQNET_ENUM, "%s: an output is not a finite number%s%s", sn_explain_label(m),
                                layer ? "; first in layer " : "", layer ? layer : "");
            }
        at += width;
    }
    return 0;
}

int sn_explain_plan(struct sn_explainer *e, int64_t max_len) {
    if (max_len <= e->max_len) return 0;
    sn_explain_unplan(e);
    int rc = e->method == SN_METHOD_ISM ? sn_mutants_plan(e, max_len) : make_plans(e, max_len);
    if (rc == 0) rc = choose_workers(e, max_len);
    for (int i = 0; rc == 0 && i < e->n_models; i++) rc = sn_plan_set_params(e->plans[i], e->models[i]->params);
    if (rc < 0) {
        sn_explain_unplan(e);
        return rc;
    }
    e->max_len = max_len;
    return 0;
}
