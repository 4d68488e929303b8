/* The first convolution as motifs: every window of the input that activates a filter above half of its maximum over all windows is a site
 * of that filter; the sites' base frequencies are its motif. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "explain/parts.h"

#define THRESHOLD 0.5 /* of the maximum */
#define BATCH_BYTES (8 << 20)
#define MAX_BATCH 64
#define MAX_WORK 1e11 /* products per strand; more sequences are thinned out evenly */

struct layer {
    struct sn_explainer *e;
    const struct sn_dataset *d;
    const struct sn_model *model;
    const struct sn_node *node; /* the convolution in the model */
    int filters, size, stride, pad, dilation;
    int64_t length, out_length; /* rows are padded to the longest sequence */
    int64_t every;              /* each every-th sequence is used */
    int rows;
    bool both;
    struct sn_plan *plan;
    sn_real *weights; /* of the truncated graph, borrowed by the plan */
    struct worker *workers;
    bool counting; /* second pass */
    float *max;    /* (filters) after the first pass */
};

struct worker {
    struct sn_session *session;
    uint8_t *codes;  /* (rows, length) */
    sn_real *values; /* (rows, out_length, filters) */
    float *max;      /* (filters) */
    int64_t *sites;  /* (filters) */
    int64_t *counts; /* (filters, size, channels) */
};

/* ---- the convolution by itself ---- */

static int64_t param(const struct sn_node *nd, const char *name) {
    int i = sn_op_param_index(nd->op, name);
    return i < 0 ? 0 : nd->p[i].i;
}

/* Positions that a window covers. */
static int64_t span(const struct sn_node *conv) {
    return (param(conv, "kernel_size") - 1) * param(conv, "dilation_rate") + 1;
}

/* encode -> convolution -> flatten, whose output is all activations of a row. */
static int truncated_graph(const struct layer *l, struct sn_graph **out) {
    struct sn_graph *g = NULL;
    int rc = 0, zero = 0;
    SN_GO(sn_graph_create(l->e->channels, &g));
    int conv = sn_graph_add(g, l->node->op, l->node->name, &zero, 1);
    SN_GO(conv);
    memcpy(g->nodes[conv].p, l->node->p, sizeof l->node->p);
    int flat = sn_graph_add(g, sn_op_find("flatten"), NULL, &conv, 1);
    SN_GO(flat);
    SN_GO(sn_graph_add_head(g, "activations", flat, SN_LOSS_MSE, 1));
    SN_GO(sn_graph_check(g, l->length, false));
    *out = g;
    return 0;
done:
    sn_graph_free(g);
    return rc;
}

static int copy_weights(const struct layer *l, const struct sn_graph *g, sn_real **out) {
    const struct sn_node *from = l->node, *to = &g->nodes[1];
    sn_real *w = sn_calloc((size_t)g->n_params, sizeof *w);
    if (!w) return SEQNET_ENOMEM;
    for (int i = 0; i < to->n_weights; i++)
        memcpy(w + to->weight_offset[i], l->model->params + from->weight_offset[i], (size_t)sn_weight_count(&to->weights[i]) * sizeof *w);
    *out = w;
    return 0;
}

static int make_plan(struct layer *l) {
    struct sn_graph *g = NULL;
    int rc = 0;
    SN_GO(truncated_graph(l, &g));
    SN_GO(copy_weights(l, g, &l->weights));
    const struct sn_node *conv = &g->nodes[1];
    l->filters = (int)conv->out.ch;
    l->out_length = conv->out.len;
    l->size = (int)param(conv, "kernel_size");
    l->stride = (int)param(conv, "strides");
    l->dilation = (int)param(conv, "dilation_rate");
    /* zeros before the first base: what the windows reach beyond the row, half of it in front */
    int64_t reach = (l->out_length - 1) * l->stride + span(conv) - l->length;
    l->pad = reach > 0 ? (int)(reach / 2) : 0;
    int64_t row_bytes = l->out_length * l->filters * (int64_t)sizeof(sn_real), rows = BATCH_BYTES / row_bytes;
    l->rows = rows < 1 ? 1 : rows > MAX_BATCH ? MAX_BATCH : (int)rows;
    struct sn_plan_options o;
    sn_arch_plan_options(l->model->arch, SN_INFER, l->length, l->rows, &o);
    o.max_len = l->length;
    o.var = false;
    SN_GO(sn_plan_create(g, l->e->rt.backend, &o, &l->plan));
    SN_GO(sn_plan_set_params(l->plan, l->weights));
done:
    sn_graph_free(g);
    return rc;
}

static int make_worker(const struct layer *l, struct worker *w) {
    size_t filters = (size_t)l->filters, rows = (size_t)l->rows;
    w->codes = sn_calloc(rows, (size_t)l->length);
    w->values = sn_calloc(rows * (size_t)l->out_length, filters * sizeof *w->values);
    w->max = sn_calloc(filters, sizeof *w->max);
    w->sites = sn_calloc(filters, sizeof *w->sites);
    w->counts = sn_calloc(filters * (size_t)l->size, (size_t)l->e->channels * sizeof *w->counts);
    if (!w->codes || !w->values || !w->max || !w->sites || !w->counts) return SEQNET_ENOMEM;
    return sn_session_create(l->plan, NULL, &w->session);
}

static void free_layer(struct layer *l) {
    for (int i = 0; l->workers && i < l->e->n_workers; i++) {
        struct worker *w = &l->workers[i];
        sn_session_free(w->session);
        free(w->codes);
        free(w->values);
        free(w->max);
        free(w->sites);
        free(w->counts);
    }
    free(l->workers);
    free(l->max);
    sn_plan_free(l->plan);
    free(l->weights);
}

/* ---- the two passes ---- */

/* One window: the first pass keeps each filter's largest activation, the second counts the bases of those above the threshold. */
static void take_window(const struct layer *l, struct worker *w, const uint8_t *codes, const sn_real *v) {
    const sn_real *lut = l->model->arch->lut;
    int channels = l->e->channels;
    for (int f = 0; f < l->filters; f++) {
        float a = (float)v[f];
        if (!l->counting) {
            if (a > w->max[f]) w->max[f] = a;
            continue;
        }
        if (l->max[f] <= 0 || a <= l->max[f] * (float)THRESHOLD) continue;
        int64_t *counts = w->counts + (int64_t)f * l->size * channels;
        w->sites[f]++;
        for (int k = 0; k < l->size; k++)
            for (int c = 0; c < channels; c++) counts[k * channels + c] += lut[codes[k * l->dilation] * channels + c] > 0;
    }
}

/* Windows that lie inside the sequence and hold nothing but single letters. */
static void take_row(const struct layer *l, struct worker *w, const uint8_t *codes, int64_t len, const sn_real *values) {
    const uint8_t *ambiguous = l->e->alphabet->ambiguous;
    for (int64_t q = 0; q < l->out_length; q++) {
        int64_t start = q * l->stride - l->pad;
        if (start < 0 || start + (int64_t)(l->size - 1) * l->dilation >= len) continue;
        int clean = 1;
        for (int k = 0; k < l->size; k++) clean &= !ambiguous[codes[start + k * l->dilation]];
        if (clean) take_window(l, w, codes + start, values + q * l->filters);
    }
}

static int run_tile(void *arg, int tile, int worker) {
    const struct layer *l = arg;
    const struct sn_dataset *d = l->d;
    struct worker *w = &l->workers[worker];
    int64_t used = (d->n + l->every - 1) / l->every, first = (int64_t)tile * l->rows;
    int n = used - first < l->rows ? (int)(used - first) : l->rows;
    for (int strand = 0; strand <= (l->both ? 1 : 0); strand++) {
        for (int i = 0; i < n; i++) {
            int64_t s = (first + i) * l->every, len = sn_dataset_len(d, s);
            uint8_t *row = w->codes + i * l->length;
            memset(row, SN_CODE_OUTSIDE, (size_t)l->length);
            memcpy(row, d->codes + d->offset[s], (size_t)len);
            if (strand) sn_revcomp(d->alphabet, row, len);
        }
        struct sn_batch b = {.n = n, .codes = w->codes, .code_row = l->length};
        SN_TRY(sn_session_forward(w->session, &b, 0));
        SN_TRY(sn_session_output(w->session, 0, true, w->values));
        for (int i = 0; i < n; i++)
            take_row(l, w, w->codes + i * l->length, sn_dataset_len(d, (first + i) * l->every),
                     w->values + (int64_t)i * l->out_length * l->filters);
    }
    return 0;
}

static int run_passes(struct layer *l) {
    struct sn_explainer *e = l->e;
    int64_t used = (l->d->n + l->every - 1) / l->every;
    int tiles = (int)((used + l->rows - 1) / l->rows);
    SN_TRY(sn_pool_run(e->rt.pool, tiles, e->n_workers, run_tile, l));
    for (int i = 0; i < e->n_workers; i++)
        for (int f = 0; f < l->filters; f++)
            if (l->workers[i].max[f] > l->max[f]) l->max[f] = l->workers[i].max[f];
    l->counting = true;
    SN_TRY(sn_pool_run(e->rt.pool, tiles, e->n_workers, run_tile, l));
    struct worker *sum = &l->workers[0];
    for (int i = 1; i < e->n_workers; i++) {
        for (int f = 0; f < l->filters; f++) sum->sites[f] += l->workers[i].sites[f];
        for (int64_t k = 0; k < (int64_t)l->filters * l->size * e->channels; k++) sum->counts[k] += l->workers[i].counts[k];
    }
    return 0;
}

static int scan_layer(struct layer *l) {
    struct sn_explainer *e = l->e;
    l->length = sn_dataset_longest(l->d);
    if (l->length < span(l->node)) l->length = span(l->node);
    SN_TRY(make_plan(l));
    double work = (double)l->d->n * (double)l->out_length * l->filters * l->size;
    l->every = work > MAX_WORK ? (int64_t)ceil(work / MAX_WORK) : 1;
    l->both = sn_explain_strands(l->model);
    l->max = sn_calloc((size_t)l->filters, sizeof *l->max);
    l->workers = sn_calloc((size_t)e->n_workers, sizeof *l->workers);
    if (!l->max || !l->workers) return SEQNET_ENOMEM;
    for (int i = 0; i < e->n_workers; i++) SN_TRY(make_worker(l, &l->workers[i]));
    return run_passes(l);
}

/* ---- results ---- */

static int add_filter(const struct layer *l, int model, int f, struct sn_filters *out) {
    const struct worker *w = &l->workers[0];
    size_t counts = (size_t)l->size * (size_t)l->e->channels;
    struct sn_str name = {0};
    void *v = out->v;
    int rc = sn_grow(&v, &out->cap, (size_t)out->n + 1, sizeof *out->v);
    out->v = v;
    if (rc == 0 && l->e->n_models > 1) rc = sn_str_printf(&name, "model%d_", model + 1);
    if (rc == 0) rc = sn_str_printf(&name, "%s_%d", l->node->name, f);
    int64_t *copy = rc == 0 ? sn_calloc(counts, sizeof *copy) : NULL;
    if (!copy) {
        sn_str_free(&name);
        return rc < 0 ? rc : SEQNET_ENOMEM;
    }
    memcpy(copy, w->counts + (size_t)f * counts, counts * sizeof *copy);
    out->v[out->n++] = (struct sn_filter){name.s, l->size, w->sites[f], l->max[f], copy};
    return 0;
}

static int add_layer(struct sn_explainer *e, const struct sn_dataset *d, int model, const struct sn_node *node, struct sn_filters *out) {
    struct layer l = {.e = e, .d = d, .model = e->models[model], .node = node};
    int rc = scan_layer(&l);
    out->layers++;
    if (l.every > out->every) out->every = l.every;
    for (int f = 0; rc == 0 && f < l.filters; f++) {
        if (l.workers[0].sites[f])
            rc = add_filter(&l, model, f, out);
        else
            out->silent++;
    }
    free_layer(&l);
    return rc;
}

int sn_explainer_filters(struct sn_explainer *e, const struct sn_dataset *d, struct sn_filters *out) {
    *out = (struct sn_filters){.every = 1};
    for (int m = 0; m < e->n_models; m++) {
        const struct sn_graph *g = e->models[m]->arch->graph;
        for (int i = 0; i < g->n_nodes; i++)
            if (strcmp(g->nodes[i].op->name, "conv1d") == 0 && g->nodes[i].inputs[0] == 0) SN_TRY(add_layer(e, d, m, &g->nodes[i], out));
    }
    return 0;
}

void sn_filters_free(struct sn_filters *f) {
    for (int i = 0; i < f->n; i++) {
        free(f->v[i].name);
        free(f->v[i].counts);
    }
    free(f->v);
    *f = (struct sn_filters){0};
}
