#include "model/scorer.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "model/arch_parts.h"

#define SN_FMA(a, b, c) ((a) * (b) + (c))
#include "cpu/tmpl/mathfn.h"

#define MAX_ROWS 64
#define MAX_ROWS_BIG_HEAD 256
#define BIG_HEAD ((size_t)8 << 20)     /* bytes of weights that are worth being read once for many rows */
#define ACTIVATIONS ((size_t)32 << 20) /* bytes of activations a worker may keep */

struct worker {
    uint8_t *codes;               /* (2 rows, length): the rows, then their reverse complements */
    int32_t *len;                 /* (2 rows) */
    sn_real *head;                /* (2 rows, widest head) */
    sn_real *logits;              /* (2 rows, tasks) of one model */
    struct sn_session **sessions; /* one per model */
};

struct sn_scorer {
    struct sn_model **models;
    struct sn_plan **plans;
    enum sn_strand *strands; /* per model */
    int n_models, tasks, rows, n_workers;
    int64_t length, max_len, min_len;
    struct worker *workers;
};

/* ---- making ---- */

static const char *label(const struct sn_model *m) {
    return m->path ? m->path : m->arch->origin;
}

static int same_heads(const struct sn_model *a, const struct sn_model *b) {
    const struct sn_graph *g = a->arch->graph, *h = b->arch->graph;
    bool same = g->n_heads == h->n_heads;
    for (int i = 0; same && i < g->n_heads; i++)
        same = g->heads[i].loss == h->heads[i].loss && g->nodes[g->heads[i].logits].out.ch == h->nodes[h->heads[i].logits].out.ch;
    return same ? 0 : sn_error(SEQNET_EDATA, "models %s and %s have different heads and cannot be averaged", label(a), label(b));
}

/* Models of an ensemble must read the same input and predict the same tasks. */
static int check_ensemble(struct sn_model *const *models, int n) {
    const struct sn_model *a = models[0];
    for (int i = 1; i < n; i++) {
        const struct sn_model *b = models[i];
        if (a->arch->alphabet != b->arch->alphabet)
            return sn_error(SEQNET_EDATA, "models %s and %s read different alphabets (%s, %s)", label(a), label(b), a->arch->alphabet->name,
                            b->arch->alphabet->name);
        if (a->arch->length != b->arch->length)
            return sn_error(SEQNET_EDATA, "models %s and %s read different lengths (%lld, %lld; 0 = variable)", label(a), label(b),
                            (long long)a->arch->length, (long long)b->arch->length);
        if (a->n_tasks != b->n_tasks)
            return sn_error(SEQNET_EDATA, "models %s and %s predict %d and %d tasks", label(a), label(b), a->n_tasks, b->n_tasks);
        for (int t = 0; t < a->n_tasks; t++)
            if (strcmp(a->tasks[t], b->tasks[t]) != 0)
                return sn_error(SEQNET_EDATA, "models %s and %s predict different tasks: task %d is \"%s\" and \"%s\"", label(a), label(b),
                                t + 1, a->tasks[t], b->tasks[t]);
        SN_TRY(same_heads(a, b));
    }
    return 0;
}

static int choose_strands(struct sn_scorer *s, int strand) {
    for (int i = 0; i < s->n_models; i++) {
        const struct sn_alphabet *a = s->models[i]->arch->alphabet;
        s->strands[i] = strand < 0 ? s->models[i]->arch->strand : (enum sn_strand)strand;
        if (strand > SN_STRAND_MAX) return sn_error(SEQNET_EINVAL, "strand %d: expected forward, average or max", strand);
        if (s->strands[i] != SN_STRAND_FORWARD && !a->has_complement)
            return sn_error(SEQNET_EINVAL, "%s: %s has no complement, so both strands cannot be scored", label(s->models[i]), a->name);
    }
    return 0;
}

/* Bytes of a row where it waits for a layer with large weights, which all rows of a batch are gathered for; 0 = no such layer. */
static size_t gathered_bytes(const struct sn_graph *g) {
    size_t most = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sn_node *nd = &g->nodes[i];
        size_t row = (size_t)(nd->in[0].len * nd->in[0].ch) * sizeof(sn_real);
        for (int w = 0; w < nd->n_weights && !nd->out.seq; w++)
            if ((size_t)sn_weight_count(&nd->weights[w]) > BIG_HEAD / sizeof(sn_real) && row > most) most = row;
    }
    return most;
}

/* Rows of one strand to begin with: a guess that seldom has to be corrected, since a plan of large weights takes long to make. */
static int guess_rows(const struct sn_scorer *s, int model, size_t budget) {
    size_t row = gathered_bytes(s->models[model]->arch->graph) * (s->strands[model] == SN_STRAND_FORWARD ? 1 : 2);
    if (row == 0) return MAX_ROWS;
    return budget / row > MAX_ROWS_BIG_HEAD ? MAX_ROWS_BIG_HEAD : budget / row < 1 ? 1 : (int)(budget / row);
}

static bool both_strands(const struct sn_scorer *s) {
    for (int i = 0; i < s->n_models; i++)
        if (s->strands[i] != SN_STRAND_FORWARD) return true;
    return false;
}

static int make_plan(struct sn_scorer *s, int i, int rows, struct sn_backend *backend) {
    struct sn_plan_options o;
    const struct sn_model *m = s->models[i];
    sn_arch_plan_options(m->arch, SN_INFER, s->max_len, s->strands[i] == SN_STRAND_FORWARD ? rows : 2 * rows, &o);
    int rc = sn_plan_create(m->arch->graph, backend, &o, &s->plans[i]);
    return rc < 0 ? sn_error_prefix(rc, "%s", label(m)) : 0;
}

/* Rows as asked for, or as many as keep a worker's activations small. */
static int make_plans(struct sn_scorer *s, const struct sn_scorer_options *o) {
    size_t budget = ACTIVATIONS / (size_t)s->n_models;
    s->rows = o->max_rows > 0 ? o->max_rows : MAX_ROWS_BIG_HEAD;
    for (int i = 0; i < s->n_models; i++) {
        struct sn_plan_memory memory;
        int rows = o->max_rows > 0 ? o->max_rows : guess_rows(s, i, budget);
        if (rows > s->rows) rows = s->rows;
        SN_TRY(make_plan(s, i, rows, o->backend));
        sn_plan_memory(s->plans[i], &memory);
        if (o->max_rows <= 0 && rows > 1 && memory.activations > budget + budget / 2) {
            rows = (int)((double)rows * (double)budget / (double)memory.activations);
            if (rows < 1) rows = 1;
            sn_plan_free(s->plans[i]);
            s->plans[i] = NULL;
            SN_TRY(make_plan(s, i, rows, o->backend));
        }
        s->rows = rows;
        SN_TRY(sn_plan_set_params(s->plans[i], s->models[i]->params));
    }
    return 0;
}

static int make_worker(struct sn_scorer *s, struct worker *w) {
    size_t rows = (size_t)s->rows * (both_strands(s) ? 2 : 1), bytes;
    if (!sn_mul_size(rows, (size_t)s->max_len, &bytes))
        return sn_error(SEQNET_ENOMEM, "out of memory: rows of %lld", (long long)s->max_len);
    w->codes = sn_calloc(bytes, 1);
    w->len = sn_calloc(rows, sizeof *w->len);
    w->head = sn_calloc(rows * (size_t)s->tasks, sizeof *w->head);
    w->logits = sn_calloc(rows * (size_t)s->tasks, sizeof *w->logits);
    w->sessions = sn_calloc((size_t)s->n_models, sizeof *w->sessions);
    if (!w->codes || !w->len || !w->head || !w->logits || !w->sessions) return SEQNET_ENOMEM;
    for (int i = 0; i < s->n_models; i++) SN_TRY(sn_session_create(s->plans[i], NULL, &w->sessions[i]));
    return 0;
}

static int make_parts(struct sn_scorer *s, struct sn_model *const *models, const struct sn_scorer_options *o) {
    const struct sn_arch *a = models[0]->arch;
    s->models = sn_calloc((size_t)s->n_models, sizeof *s->models);
    s->plans = sn_calloc((size_t)s->n_models, sizeof *s->plans);
    s->strands = sn_calloc((size_t)s->n_models, sizeof *s->strands);
    s->workers = sn_calloc((size_t)s->n_workers, sizeof *s->workers);
    if (!s->models || !s->plans || !s->strands || !s->workers) return SEQNET_ENOMEM;
    for (int i = 0; i < s->n_models; i++) s->models[i] = sn_model_ref(models[i]);
    s->tasks = models[0]->n_tasks;
    s->length = a->length;
    s->max_len = a->length > 0 ? a->length : o->max_len;
    if (s->max_len < 1 || o->max_len > s->max_len)
        return sn_error(SEQNET_EDATA, "%s: sequences of %lld positions, the model reads %lld", label(models[0]), (long long)o->max_len,
                        (long long)s->length);
    SN_TRY(choose_strands(s, o->strand));
    for (int i = 0; i < s->n_models; i++)
        if (models[i]->arch->graph->min_len > s->min_len) s->min_len = models[i]->arch->graph->min_len;
    SN_TRY(make_plans(s, o));
    for (int i = 0; i < s->n_workers; i++) SN_TRY(make_worker(s, &s->workers[i]));
    return 0;
}

int sn_scorer_create(struct sn_model *const *models, int n_models, const struct sn_scorer_options *o, struct sn_scorer **out) {
    *out = NULL;
    if (n_models < 1) return sn_error(SEQNET_EINVAL, "no model to score with");
    SN_TRY(check_ensemble(models, n_models));
    struct sn_scorer *s = sn_calloc(1, sizeof *s);
    if (!s) return SEQNET_ENOMEM;
    s->n_models = n_models;
    s->n_workers = o->workers > 0 ? o->workers : 1;
    int rc = make_parts(s, models, o);
    if (rc < 0) {
        sn_scorer_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

static void free_worker(struct worker *w, int n_models) {
    for (int i = 0; w->sessions && i < n_models; i++) sn_session_free(w->sessions[i]);
    free(w->sessions);
    free(w->codes);
    free(w->len);
    free(w->head);
    free(w->logits);
}

void sn_scorer_free(struct sn_scorer *s) {
    if (!s) return;
    for (int i = 0; s->workers && i < s->n_workers; i++) free_worker(&s->workers[i], s->n_models);
    for (int i = 0; i < s->n_models; i++) {
        if (s->plans) sn_plan_free(s->plans[i]);
        if (s->models) sn_model_unref(s->models[i]);
    }
    free(s->workers);
    free(s->strands);
    free(s->plans);
    free(s->models);
    free(s);
}

int sn_scorer_tasks(const struct sn_scorer *s) {
    return s->tasks;
}

int64_t sn_scorer_length(const struct sn_scorer *s) {
    return s->length > 0 ? s->length : 0;
}

int sn_scorer_rows(const struct sn_scorer *s) {
    return s->rows;
}

/* ---- scoring ---- */

static int check_row(const struct sn_scorer *s, int64_t len) {
    if (len == s->max_len || (s->length == SN_LENGTH_VARIABLE && len >= s->min_len && len < s->max_len)) return 0;
    if (s->length > 0)
        return sn_error(SEQNET_EDATA, "%s: a sequence of %lld positions; the model reads %lld", label(s->models[0]), (long long)len,
                        (long long)s->length);
    if (len > s->max_len)
        return sn_error(SEQNET_EINVAL, "a sequence of %lld positions; at most %lld were announced", (long long)len, (long long)s->max_len);
    return sn_error(SEQNET_EDATA, "%s: a sequence of %lld positions is too short; the model needs at least %lld", label(s->models[0]),
                    (long long)len, (long long)s->min_len);
}

/* The rows side by side, then the reverse complement of each within its own length. */
static int load_rows(const struct sn_scorer *s, struct worker *w, int n, const uint8_t *codes, int64_t code_row, const int32_t *len) {
    bool both = both_strands(s);
    const struct sn_alphabet *a = s->models[0]->arch->alphabet;
    for (int i = 0; i < n; i++) {
        int64_t size = len ? len[i] : s->max_len;
        SN_TRY(check_row(s, size));
        if (size > code_row) return sn_error(SEQNET_EINVAL, "rows of %lld codes are closer than their length", (long long)code_row);
        uint8_t *row = w->codes + (int64_t)i * s->max_len, *other = w->codes + (int64_t)(n + i) * s->max_len;
        memcpy(row, codes + i * code_row, (size_t)size);
        w->len[i] = (int32_t)size;
        if (!both) continue;
        memcpy(other, row, (size_t)size);
        sn_revcomp(a, other, size);
        w->len[n + i] = (int32_t)size;
    }
    return 0;
}

/* One model's logits of `n` rows: all heads side by side. */
static int run_model(struct sn_scorer *s, struct worker *w, int model, int n) {
    const struct sn_graph *g = s->models[model]->arch->graph;
    struct sn_batch b = {.n = n, .codes = w->codes, .code_row = s->max_len, .len = s->length > 0 ? NULL : w->len};
    SN_TRY(sn_session_forward(w->sessions[model], &b, 0));
    int at = 0;
    for (int h = 0; h < g->n_heads; h++) {
        int width = (int)g->nodes[g->heads[h].logits].out.ch;
        SN_TRY(sn_session_output(w->sessions[model], h, true, w->head));
        for (int i = 0; i < n; i++)
            memcpy(w->logits + (size_t)i * (size_t)s->tasks + at, w->head + (size_t)i * (size_t)width, (size_t)width * sizeof *w->head);
        at += width;
    }
    return 0;
}

static sn_real combine(enum sn_strand strand, sn_real left, sn_real right) {
    if (strand == SN_STRAND_AVERAGE) return (left + right) * SN_R(0.5);
    return left > right ? left : right;
}

/* A standardised regression's output on the scale of the first model of the ensemble. */
static sn_real rescale(const struct sn_scorer *s, int model, int task, sn_real v) {
    const struct sn_model *a = s->models[0], *b = s->models[model];
    if (model == 0 || (!a->target_mean && !b->target_mean)) return v;
    sn_real value = b->target_mean ? (sn_real)b->target_mean[task] + (sn_real)b->target_sd[task] * v : v;
    return a->target_mean ? (value - (sn_real)a->target_mean[task]) / (sn_real)a->target_sd[task] : value;
}

static int run_rows(struct sn_scorer *s, struct worker *w, int n, float *logits) {
    size_t T = (size_t)s->tasks;
    for (int m = 0; m < s->n_models; m++) {
        bool both = s->strands[m] != SN_STRAND_FORWARD;
        SN_TRY(run_model(s, w, m, both ? 2 * n : n));
        for (size_t i = 0; i < (size_t)n; i++) {
            for (size_t t = 0; t < T; t++) {
                sn_real v = w->logits[i * T + t];
                if (both) v = combine(s->strands[m], v, w->logits[((size_t)n + i) * T + t]);
                v = rescale(s, m, (int)t, v);
                logits[i * T + t] = (float)(m == 0 ? v : (sn_real)logits[i * T + t] + v);
            }
        }
    }
    for (size_t i = 0; s->n_models > 1 && i < (size_t)n * T; i++) logits[i] /= (float)s->n_models;
    return 0;
}

int sn_scorer_run(struct sn_scorer *s, int worker, int n, const uint8_t *codes, int64_t code_row, const int32_t *len, float *logits) {
    if (worker < 0 || worker >= s->n_workers) return sn_error(SEQNET_EINVAL, "worker %d of %d", worker, s->n_workers);
    struct worker *w = &s->workers[worker];
    for (int i = 0; i < n; i += s->rows) {
        int m = n - i < s->rows ? n - i : s->rows;
        SN_TRY(load_rows(s, w, m, codes + i * code_row, code_row, len ? len + i : NULL));
        SN_TRY(run_rows(s, w, m, logits + (size_t)i * (size_t)s->tasks));
    }
    return 0;
}

/* ---- logits to scores ---- */

static void softmax(float *v, int n) {
    sn_real largest = v[0], sum = 0;
    for (int i = 1; i < n; i++) largest = v[i] > largest ? v[i] : largest;
    for (int i = 0; i < n; i++) sum += sn_m_exp(v[i] - largest);
    for (int i = 0; i < n; i++) v[i] = (float)(sn_m_exp(v[i] - largest) / sum);
}

static void finish_head(const struct sn_model *m, enum sn_loss_kind loss, int at, int width, float *v) {
    if (loss == SN_LOSS_CCE) {
        softmax(v + at, width);
        return;
    }
    for (int t = at; t < at + width; t++) {
        if (loss == SN_LOSS_BCE) v[t] = (float)sn_m_sigmoid(v[t]);
        if (loss == SN_LOSS_MSE && m->target_mean) v[t] = m->target_mean[t] + m->target_sd[t] * v[t];
    }
}

int sn_scorer_finish(const struct sn_scorer *s, int n, float *scores) {
    const struct sn_model *m = s->models[0];
    const struct sn_graph *g = m->arch->graph;
    unsigned mode = sn_fpmode_enter();
    for (int i = 0; i < n; i++) {
        int at = 0;
        for (int h = 0; h < g->n_heads; h++) {
            int width = (int)g->nodes[g->heads[h].logits].out.ch;
            finish_head(m, g->heads[h].loss, at, width, scores + (size_t)i * (size_t)s->tasks);
            at += width;
        }
    }
    sn_fpmode_restore(mode);
    return 0;
}
