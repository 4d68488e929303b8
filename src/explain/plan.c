/* Plans, sessions and scratch memory for sequences of a given length within the memory that a worker may use. */
#include <stdlib.h>

#include "core/error.h"
#include "core/mem.h"
#include "explain/parts.h"

#define CHUNK_PAIRS 32 /* pairs of a chunk, memory permitting: enough to fill the kernels' tiles */

static void free_worker(struct sn_explain_worker *w, int n_models) {
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
    *w = (struct sn_explain_worker){0};
}

void sn_explain_unplan(struct sn_explainer *e) {
    for (int i = 0; e->workers && i < e->n_workers; i++) free_worker(&e->workers[i], e->n_models);
    for (int i = 0; e->plans && i < e->n_models; i++) {
        sn_plan_free(e->plans[i]);
        e->plans[i] = NULL;
    }
    e->max_len = 0;
}

/* ---- size of a chunk ---- */

static int strands(const struct sn_explainer *e) {
    for (int i = 0; i < e->n_models; i++)
        if (sn_explain_strands(e->models[i])) return 2;
    return 1;
}

static void set_chunk(struct sn_explainer *e, int x, int refs) {
    e->max_x = x;
    e->max_refs = refs;
    e->max_pairs = strands(e) * x * refs;
    e->max_rows = strands(e) * (x + (sn_explain_shared(e) ? refs : x * refs));
}

static int make_plan(struct sn_explainer *e, int model, int64_t max_len) {
    struct sn_plan_options o;
    const struct sn_arch *a = e->models[model]->arch;
    sn_arch_plan_options(a, SN_ATTRIBUTE, max_len, e->max_rows, &o);
    o.max_pairs = e->max_pairs;
    o.rule = e->rule;
    int rc = sn_plan_create(a->graph, e->rt.backend, &o, &e->plans[model]);
    return rc < 0 ? sn_error_prefix(rc, "%s", sn_explain_label(e->models[model])) : 0;
}

/* Bytes of a worker: its sessions and its multipliers and sums. */
static size_t worker_bytes(const struct sn_explainer *e, int64_t max_len) {
    size_t bytes = 0, row = (size_t)max_len * (size_t)e->channels;
    for (int i = 0; i < e->n_models; i++) {
        struct sn_plan_memory m;
        sn_plan_memory(e->plans[i], &m);
        bytes += m.activations + m.workspace_per_worker + m.batch_io;
    }
    return bytes + (size_t)e->max_pairs * row * sizeof(sn_real) + (size_t)e->max_x * row * sizeof(double);
}

/* Halves the chunk until it fits. One pair at a time is always allowed. */
static int make_plans(struct sn_explainer *e, int64_t max_len) {
    int refs = e->n_refs < CHUNK_PAIRS ? e->n_refs : CHUNK_PAIRS, x = CHUNK_PAIRS / refs;
    for (;;) {
        set_chunk(e, x, refs);
        for (int i = 0; i < e->n_models; i++) SN_TRY(make_plan(e, i, max_len));
        if (worker_bytes(e, max_len) <= e->max_memory || (x == 1 && refs == 1)) return 0;
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

static int make_scratch(struct sn_explainer *e, struct sn_explain_worker *w) {
    size_t rows = (size_t)e->max_rows, pairs = (size_t)e->max_pairs, x = (size_t)e->max_x, len = (size_t)e->max_len,
           width = (size_t)e->width;
    size_t row = len * (size_t)e->channels;
    w->sessions = sn_calloc((size_t)e->n_models, sizeof *w->sessions);
    w->codes = sn_calloc(rows, len);
    w->len = sn_calloc(rows, sizeof *w->len);
    w->logits = sn_calloc(rows, width * sizeof *w->logits);
    w->strand_logits = sn_calloc(rows, width * sizeof *w->strand_logits);
    w->row_x = sn_calloc(pairs, sizeof *w->row_x);
    w->row_ref = sn_calloc(pairs, sizeof *w->row_ref);
    w->seeds = sn_calloc(pairs, width * sizeof *w->seeds);
    w->mult = sn_calloc(pairs, row * sizeof *w->mult);
    w->zx = sn_calloc(x, width * sizeof *w->zx);
    w->zr = sn_calloc(x * (size_t)e->n_refs, width * sizeof *w->zr);
    w->hyp = sn_calloc(x, row * sizeof *w->hyp);
    w->act = sn_calloc(x, len * sizeof *w->act);
    bool ok = w->sessions && w->codes && w->len && w->logits && w->strand_logits && w->row_x && w->row_ref && w->seeds && w->mult &&
              w->zx && w->zr && w->hyp && w->act;
    if (!ok) free_worker(w, e->n_models);
    return ok ? 0 : SEQNET_ENOMEM;
}

int sn_explain_session(struct sn_explainer *e, int worker, int model, struct sn_session **out) {
    struct sn_explain_worker *w = &e->workers[worker];
    if (!w->sessions) SN_TRY(make_scratch(e, w));
    if (!w->sessions[model]) SN_TRY(sn_session_create(e->plans[model], NULL, &w->sessions[model]));
    *out = w->sessions[model];
    return 0;
}

int sn_explain_plan(struct sn_explainer *e, int64_t max_len) {
    if (max_len <= e->max_len) return 0;
    sn_explain_unplan(e);
    int rc = make_plans(e, max_len);
    for (int i = 0; rc == 0 && i < e->n_models; i++) rc = sn_plan_set_params(e->plans[i], e->models[i]->params);
    if (rc < 0) {
        sn_explain_unplan(e);
        return rc;
    }
    e->max_len = max_len;
    return 0;
}
