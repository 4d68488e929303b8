/* In-silico mutagenesis: every letter in the place of every other, the change of the explained value is its score. */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "explain/cones.h"

#define BATCH 64      /* mutants that run through the rest, or the whole network, at a time, */
#define BATCH_BIG 256 /* more where so many bytes of weights are to be read, */
#define BIG_WEIGHTS ((size_t)8 << 20)
#define BATCH_BYTES ((size_t)32 << 20) /* as long as their activations are not larger */

/* One worker's memory. */
struct sn_mutants {
    struct sn_session **sessions; /* (n_models) that keep all activations; without cones those of whole mutants */
    struct sn_session **rest;     /* (n_models) behind the frontier, NULL without cones */
    sn_real **activation;         /* (n_models, 2) of the sequence and its reverse complement */
    sn_real *values, *delta, *product, *frontier;
    int32_t *from, *to, *size, *where;
    uint8_t *codes, *row; /* (rows, max_len) mutants in full; (2, max_len) the strands */
    int32_t *len;         /* (rows) */
    int32_t *layer_len;   /* (n_models, most nodes) of the row */
    void *ws;
    /* of a block */
    int32_t *position, *channel, *other_position, *other_channel; /* (block) on the strands */
    double *logits;                                               /* (2, block, width) */
    double *z, *zx;                                               /* (block, width), (width) means over models */
};

static int block_rows(const struct sn_explainer *e) {
    int most = 1;
    for (int m = 0; m < e->n_models; m++)
        if (e->cones[m]->batch > most) most = e->cones[m]->batch;
    return most;
}

/* ---- planning ---- */

/* Of a batch: more where more weights are to be read for it. */
static size_t batch_bytes(const struct sn_explainer *e, size_t weights) {
    size_t share = sn_explain_share(e), most = weights > BATCH_BYTES ? weights : BATCH_BYTES;
    return share < most ? share : most;
}

static int first_batch(size_t weights) {
    return weights > BIG_WEIGHTS ? BATCH_BIG : BATCH;
}

/* Whole mutants: as many as keep the activations small. */
static int plan_full(struct sn_explainer *e, int model, int64_t max_len) {
    const struct sn_arch *a = e->models[model]->arch;
    size_t weights = (size_t)a->graph->n_params * sizeof(sn_real);
    for (int batch = first_batch(weights);; batch /= 2) {
        struct sn_plan_options o;
        struct sn_plan_memory memory;
        sn_plan_free(e->plans[model]);
        e->plans[model] = NULL;
        sn_arch_plan_options(a, SN_INFER, max_len, batch, &o);
        SN_TRY(sn_plan_create(a->graph, e->rt.backend, &o, &e->plans[model]));
        sn_plan_memory(e->plans[model], &memory);
        e->cones[model]->batch = batch;
        e->cones[model]->g = sn_plan_graph(e->plans[model]);
        if (memory.activations <= batch_bytes(e, weights) || batch == 1) return 0;
    }
}

/* The rest for as many mutants as keep its activations small. */
static int plan_rest(const struct sn_explainer *e, struct sn_cones *c) {
    SN_TRY(sn_cones_plan(e, c, 1));
    size_t weights = (size_t)sn_plan_graph(c->rest)->n_params * sizeof(sn_real);
    for (int batch = first_batch(weights);; batch /= 2) {
        struct sn_plan_memory memory;
        SN_TRY(sn_cones_plan(e, c, batch));
        sn_plan_memory(c->rest, &memory);
        if (memory.activations <= batch_bytes(e, weights) || batch == 1) return 0;
    }
}

static int plan_model(struct sn_explainer *e, int model, int64_t max_len) {
    const struct sn_model *m = e->models[model];
    struct sn_plan_options o;
    sn_arch_plan_options(m->arch, SN_INFER, max_len, 1, &o);
    o.keep_all = true;
    SN_TRY(sn_plan_create(m->arch->graph, e->rt.backend, &o, &e->plans[model]));
    SN_TRY(sn_cones_create(e, m, sn_plan_graph(e->plans[model]), &e->cones[model]));
    return e->cones[model]->frontier > 0 ? plan_rest(e, e->cones[model]) : plan_full(e, model, max_len);
}

int sn_mutants_plan(struct sn_explainer *e, int64_t max_len) {
    e->max_x = 1;
    for (int i = 0; i < e->n_models; i++) {
        int rc = plan_model(e, i, max_len);
        if (rc < 0) return sn_error_prefix(rc, "%s", sn_explain_label(e->models[i]));
    }
    /* shared scratch of workers: logits and sums as for other methods */
    e->max_refs = e->max_pairs = e->kept_models = 1;
    e->max_rows = block_rows(e);
    return 0;
}

void sn_mutants_unplan(struct sn_explainer *e) {
    for (int i = 0; i < e->n_models; i++) {
        sn_cones_free(e->cones[i]);
        e->cones[i] = NULL;
    }
}

/* ---- a worker ---- */

static int most_nodes(const struct sn_explainer *e) {
    int most = 1;
    for (int m = 0; m < e->n_models; m++)
        if (e->cones[m]->g->n_nodes > most) most = e->cones[m]->g->n_nodes;
    return most;
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t frontier_floats(const struct sn_cones *c) {
    const struct sn_cone *f = &c->v[c->frontier];
    return f->vector ? f->ch : f->len * f->ch;
}

static size_t session_bytes(const struct sn_plan *p) {
    struct sn_plan_memory m;
    sn_plan_memory(p, &m);
    return m.activations + m.workspace_per_worker + m.batch_io;
}

size_t sn_mutants_bytes(const struct sn_explainer *e, int64_t max_len) {
    size_t bytes = (size_t)(e->n_tasks * max_len * (e->channels + 1)) * sizeof(double);
    int64_t block = 0, frontier = 0;
    for (int m = 0; m < e->n_models; m++) {
        const struct sn_cones *c = e->cones[m];
        bytes += session_bytes(e->plans[m]);
        if (c->frontier == 0) continue;
        bytes += session_bytes(c->rest) + 2 * (size_t)c->strand_floats * sizeof(sn_real);
        block = larger(block, (c->mutant_floats + c->product_in + c->product_out) * c->rows);
        frontier = larger(frontier, frontier_floats(c) * c->batch);
    }
    return bytes + (size_t)(block + frontier) * sizeof(sn_real) + (size_t)(block_rows(e) + 2) * (size_t)max_len;
}

static int make_model(const struct sn_explainer *e, struct sn_mutants *w, int m) {
    const struct sn_cones *c = e->cones[m];
    SN_TRY(sn_session_create(e->plans[m], NULL, &w->sessions[m]));
    if (c->frontier == 0) return 0;
    SN_TRY(sn_session_create(c->rest, NULL, &w->rest[m]));
    for (int s = 0; s < (sn_explain_strands(c->model) ? 2 : 1); s++)
        if (!(w->activation[2 * m + s] = sn_calloc((size_t)c->strand_floats, sizeof(sn_real)))) return SEQNET_ENOMEM;
    return 0;
}

static int make_mutants(struct sn_explainer *e, struct sn_mutants **out) {
    size_t rows = 1, n = (size_t)block_rows(e), len = (size_t)e->max_len, models = (size_t)e->n_models, nodes = (size_t)most_nodes(e),
           width = (size_t)e->width;
    int64_t values = 0, delta = 0, product = 0, where = 0, frontier = 0;
    for (int m = 0; m < e->n_models; m++) {
        const struct sn_cones *c = e->cones[m];
        if ((size_t)c->rows > rows) rows = (size_t)c->rows;
        values = larger(values, c->mutant_floats * c->rows);
        delta = larger(delta, c->product_in * c->rows);
        product = larger(product, c->product_out * c->rows);
        where = larger(where, c->product_rows * c->rows);
        frontier = larger(frontier, c->frontier ? frontier_floats(c) * c->batch : 0);
    }
    struct sn_mutants *w = sn_calloc(1, sizeof *w);
    *out = w;
    if (!w) return SEQNET_ENOMEM;
    w->sessions = sn_calloc(models, sizeof *w->sessions);
    w->rest = sn_calloc(models, sizeof *w->rest);
    w->activation = sn_calloc(2 * models, sizeof *w->activation);
    w->values = sn_calloc((size_t)values, sizeof *w->values);
    w->delta = sn_calloc((size_t)delta, sizeof *w->delta);
    w->product = sn_calloc((size_t)product, sizeof *w->product);
    w->frontier = sn_calloc((size_t)frontier, sizeof *w->frontier);
    w->from = sn_calloc(nodes * rows * 2 + rows, sizeof *w->from);
    w->where = sn_calloc((size_t)where * 2, sizeof *w->where);
    w->codes = sn_calloc(n + 2, len);
    w->len = sn_calloc(n, sizeof *w->len);
    w->layer_len = sn_calloc(models * nodes, sizeof *w->layer_len);
    w->position = sn_calloc(4 * n, sizeof *w->position);
    w->logits = sn_calloc(3 * n + 1, width * sizeof *w->logits);
    w->ws = sn_aligned_alloc(e->rt.backend->kernels.gemm_ws());
    if (!w->sessions || !w->rest || !w->activation || !w->values || !w->delta || !w->product || !w->frontier || !w->from || !w->where ||
        !w->codes || !w->len || !w->layer_len || !w->position || !w->logits || !w->ws)
        return SEQNET_ENOMEM;
    w->to = w->from + nodes * rows;
    w->size = w->to + nodes * rows;
    w->row = w->codes + n * len;
    w->channel = w->position + n;
    w->other_position = w->channel + n;
    w->other_channel = w->other_position + n;
    w->z = w->logits + 2 * n * width;
    w->zx = w->z + n * width;
    for (int m = 0; m < e->n_models; m++) SN_TRY(make_model(e, w, m));
    return 0;
}

void sn_mutants_free(struct sn_explainer *e, struct sn_mutants *w) {
    if (!w) return;
    for (int m = 0; m < e->n_models; m++) {
        if (w->sessions) sn_session_free(w->sessions[m]);
        if (w->rest) sn_session_free(w->rest[m]);
        for (int s = 0; s < 2 && w->activation; s++) free(w->activation[2 * m + s]);
    }
    free(w->sessions);
    free(w->rest);
    free(w->activation);
    free(w->values);
    free(w->delta);
    free(w->product);
    free(w->frontier);
    free(w->from);
    free(w->where);
    free(w->codes);
    free(w->len);
    free(w->layer_len);
    free(w->position);
    free(w->logits);
    sn_aligned_free(w->ws);
    free(w);
}

/* ---- a sequence ---- */

struct job {
    const struct sn_explain_run *run;
    struct sn_explainer *e;
    struct sn_explain_worker *scratch;
    struct sn_mutants *w;
    int at; /* the sequence */
    int worker;
    int64_t row, left;
    int n; /* mutants of the block */
};

static const uint8_t *strand_of(const struct job *j, int strand) {
    return j->w->row + strand * j->e->max_len;
}

static int32_t *layer_len(const struct job *j, int model) {
    return j->w->layer_len + model * most_nodes(j->e);
}

/* Logits of n rows of the frontier's values. */
static int run_rest(const struct job *j, int m, int n, double *out) {
    const struct sn_cones *c = j->e->cones[m];
    const struct sn_cone *f = &c->v[c->frontier];
    int32_t len = layer_len(j, m)[c->frontier];
    for (int i = 0; i < n; i++) j->w->len[i] = len;
    bool var = !f->vector && f->nd->out.var;
    struct sn_batch b = {.n = n, .values = j->w->frontier, .len = var ? j->w->len : NULL};
    SN_TRY(sn_session_forward(j->w->rest[m], &b, 0));
    return sn_explain_logits(j->e, j->scratch, m, j->w->rest[m], n, out);
}

static int run_full(const struct job *j, int m, int n, double *out) {
    const struct sn_explainer *e = j->e;
    for (int i = 0; i < n; i++) j->w->len[i] = (int32_t)j->row;
    struct sn_batch b = {.n = n, .codes = j->w->codes, .code_row = e->max_len, .len = e->models[m]->arch->length > 0 ? NULL : j->w->len};
    SN_TRY(sn_session_forward(j->w->sessions[m], &b, 0));
    return sn_explain_logits(e, j->scratch, m, j->w->sessions[m], n, out);
}

/* Activations of a strand before the frontier. */
static int keep_activations(const struct job *j, int m, int strand) {
    const struct sn_explainer *e = j->e;
    const struct sn_cones *c = e->cones[m];
    sn_real *to = j->w->activation[2 * m + strand];
    int32_t len = (int32_t)j->row;
    struct sn_batch b = {
        .n = 1, .codes = strand_of(j, strand), .code_row = e->max_len, .len = e->models[m]->arch->length > 0 ? NULL : &len};
    SN_TRY(sn_session_forward(j->w->sessions[m], &b, 0));
    const sn_real *lut = e->models[m]->arch->lut;
    for (int64_t p = 0; p < j->row; p++)
        memcpy(to + c->v[0].cached + p * e->channels, lut + strand_of(j, strand)[p] * e->channels, (size_t)e->channels * sizeof *to);
    for (int i = 1; i <= c->frontier; i++)
        if (c->v[i].used && c->v[i].root == i) SN_TRY(sn_session_value(j->w->sessions[m], i, to + c->v[i].cached));
    sn_cone_prepare(c, layer_len(j, m), to);
    return 0;
}

/* The sequence itself, as its mutants run. */
static int run_original(const struct job *j, int m, int strand, double *out) {
    const struct sn_cones *c = j->e->cones[m];
    if (c->frontier == 0) {
        memcpy(j->w->codes, strand_of(j, strand), (size_t)j->row);
        return run_full(j, m, 1, out);
    }
    SN_TRY(keep_activations(j, m, strand));
    const struct sn_cone *f = &c->v[c->frontier];
    memcpy(j->w->frontier, j->w->activation[2 * m + strand] + c->v[f->root].cached, (size_t)frontier_floats(c) * sizeof(sn_real));
    return run_rest(j, m, 1, out);
}

/* Mutants [i0, i0 + n) of the block on a strand. */
static int run_mutants(const struct job *j, int m, int strand, int i0, int n, double *out) {
    const struct sn_explainer *e = j->e;
    const struct sn_cones *c = e->cones[m];
    struct sn_mutants *w = j->w;
    const int32_t *position = (strand ? w->other_position : w->position) + i0, *channel = (strand ? w->other_channel : w->channel) + i0;
    if (c->frontier == 0) {
        for (int i = 0; i < n; i++) {
            memcpy(w->codes + i * e->max_len, strand_of(j, strand), (size_t)j->row);
            w->codes[i * e->max_len + position[i]] = e->letter[channel[i]];
        }
        return run_full(j, m, n, out);
    }
    struct sn_cone_block b = {.c = c,
                              .k = &e->rt.backend->kernels,
                              .letter = e->letter,
                              .codes = strand_of(j, strand),
                              .len = layer_len(j, m),
                              .activation = w->activation[2 * m + strand],
                              .values = w->values,
                              .from = w->from,
                              .to = w->to,
                              .size = w->size,
                              .delta = w->delta,
                              .product = w->product,
                              .where = w->where,
                              .ws = w->ws};
    for (int i = 0; i < n; i += b.n) {
        b.n = n - i < c->rows ? n - i : c->rows;
        b.position = position + i;
        b.channel = channel + i;
        sn_cone_run(&b, w->frontier + i * frontier_floats(c), frontier_floats(c));
    }
    return run_rest(j, m, n, out);
}

/* ---- all mutants ---- */

static int run_block(const struct job *j) {
    struct sn_explainer *e = j->e;
    struct sn_mutants *w = j->w;
    int64_t width = e->width, block = block_rows(e);
    if (j->worker == 0) SN_TRY(sn_check_cancel(e->rt.sink));
    memset(w->z, 0, (size_t)(j->n * width) * sizeof *w->z);
    for (int m = 0; m < e->n_models; m++) {
        int strands = sn_explain_strands(e->models[m]) ? 2 : 1, most = e->cones[m]->batch;
        for (int s = 0; s < strands; s++)
            for (int i = 0; i < j->n; i += most)
                SN_TRY(run_mutants(j, m, s, i, j->n - i < most ? j->n - i : most, w->logits + (s * block + i) * width));
        for (int i = 0; i < j->n; i++)
            sn_target_add(e, e->models[m], w->logits + i * width, w->logits + ((strands - 1) * block + i) * width, w->z + i * width);
    }
    for (int t = 0; t < e->n_tasks; t++) {
        double *score = j->scratch->hyp + t * e->max_len * e->channels, old = sn_target_value(e, &e->tasks[t], w->zx);
        for (int i = 0; i < j->n; i++)
            score[w->position[i] * e->channels + w->channel[i]] = sn_target_value(e, &e->tasks[t], w->z + i * width) - old;
    }
    return 0;
}

/* The substitution of a letter by itself changes nothing. */
static bool same_letter(const struct sn_explainer *e, uint8_t code, int channel) {
    const sn_real *lut = e->models[0]->arch->lut;
    return memcmp(lut + code * e->channels, lut + e->letter[channel] * e->channels, (size_t)e->channels * sizeof *lut) == 0;
}

static int run_positions(struct job *j) {
    const struct sn_explainer *e = j->e;
    struct sn_mutants *w = j->w;
    const uint8_t *row = strand_of(j, 0);
    int block = block_rows(e);
    for (int64_t p = 0; p < j->run->len[j->at]; p++) {
        int64_t at = j->left + p;
        for (int k = 0; k < e->channels && row[at] != SN_CODE_OUTSIDE; k++) {
            if (same_letter(e, row[at], k)) continue;
            w->position[j->n] = (int32_t)at;
            w->channel[j->n] = k;
            w->other_position[j->n] = (int32_t)(j->row - 1 - at);
            w->other_channel[j->n] = e->complement[k];
            if (++j->n < block) continue;
            SN_TRY(run_block(j));
            j->n = 0;
        }
    }
    return j->n ? run_block(j) : 0;
}

static int run_sequence(struct job *j) {
    struct sn_explainer *e = j->e;
    struct sn_mutants *w = j->w;
    int64_t width = e->width;
    j->row = sn_explain_row_len(j->run, j->at);
    j->left = sn_explain_load(j->run, j->at, w->row);
    memcpy(w->row + e->max_len, w->row, (size_t)j->row);
    if (sn_explain_most_strands(e) == 2) sn_revcomp(e->alphabet, w->row + e->max_len, j->row);
    memset(j->scratch->hyp, 0, (size_t)(e->n_tasks * e->max_len * e->channels) * sizeof(double));
    memset(w->zx, 0, (size_t)width * sizeof *w->zx);
    for (int m = 0; m < e->n_models; m++) {
        int strands = sn_explain_strands(e->models[m]) ? 2 : 1;
        SN_TRY(sn_graph_lengths(e->cones[m]->g, j->row, layer_len(j, m)));
        for (int s = 0; s < strands; s++) SN_TRY(run_original(j, m, s, w->logits + s * width));
        sn_target_add(e, e->models[m], w->logits, w->logits + (strands - 1) * width, w->zx);
    }
    SN_TRY(run_positions(j));
    for (int t = 0; t < e->n_tasks; t++) {
        sn_explain_give_centred(j->run, j->at, t, j->scratch->hyp + t * e->max_len * e->channels, 1);
        j->run->out[(int64_t)j->at * e->n_tasks + t].output = sn_target_value(e, &e->tasks[t], w->zx);
    }
    return 0;
}

int sn_mutants_run(const struct sn_explain_run *run, int x, int worker) {
    struct sn_explainer *e = run->e;
    struct sn_explain_worker *w = &e->workers[worker];
    struct job j = {.run = run, .e = e, .scratch = w, .at = x, .worker = worker};
    SN_TRY(sn_explain_scratch(e, w));
    if (!w->mutants) {
        int rc = make_mutants(e, &w->mutants);
        if (rc < 0) {
            sn_mutants_free(e, w->mutants);
            w->mutants = NULL;
            return rc;
        }
    }
    j.w = w->mutants;
    return run_sequence(&j);
}
