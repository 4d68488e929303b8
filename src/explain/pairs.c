/* By pairs: DeepLIFT compares a sequence with its references; a gradient is the same with the sequence as its own reference. */
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "explain/parts.h"

/* Sequences [x0, x0 + nx) with references [r0, r0 + nr), in the session of a model. */
struct chunk {
    const struct sn_explain_run *run;
    struct sn_explain_worker *w;
    const struct sn_model *model;
    int number; /* of the model */
    struct sn_session *session;
    int x0, nx, r0, nr;
    int strands;
};

/* Rows of a strand: the sequences, then their references, each sequence's own or the shared ones; none of its own for a gradient. */
static int rows_of_strand(const struct chunk *c) {
    const struct sn_explainer *e = c->run->e;
    return c->nx + (sn_explain_self(e) ? 0 : sn_explain_shared(e) ? c->nr : c->nx * c->nr);
}
static int x_row(const struct chunk *c, int strand, int i) {
    return strand * rows_of_strand(c) + i;
}
static int ref_row(const struct chunk *c, int strand, int i, int r) {
    if (sn_explain_self(c->run->e)) return x_row(c, strand, i);
    return strand * rows_of_strand(c) + c->nx + (sn_explain_shared(c->run->e) ? r : i * c->nr + r);
}

static uint8_t *codes_of(const struct chunk *c, int row) {
    return c->w->codes + (int64_t)row * c->run->e->max_len;
}
static const double *logits_of(const struct chunk *c, int row) {
    return c->w->strand_logits + (size_t)row * (size_t)c->run->e->width;
}
static double *hyp_of(const struct chunk *c, int task, int i) {
    const struct sn_explainer *e = c->run->e;
    return c->w->hyp + ((int64_t)task * e->max_x + i) * e->max_len * e->channels;
}
static double *act_of(const struct chunk *c, int task, int i) {
    const struct sn_explainer *e = c->run->e;
    return c->w->act + ((int64_t)task * e->max_x + i) * e->max_len;
}

/* ---- forward ---- */

/* Puts sequence i of the chunk and the references that belong to it into rows of the forward strand. */
static int load_sequence(struct chunk *c, int i) {
    const struct sn_explain_run *run = c->run;
    const struct sn_explainer *e = run->e;
    int at = c->x0 + i;
    uint8_t *row = codes_of(c, x_row(c, 0, i));
    struct sn_explain_row x = {.codes = row, .row_len = sn_explain_row_len(run, at), .len = run->len[at]};
    x.left = sn_explain_load(run, at, row);
    c->w->len[x_row(c, 0, i)] = (int32_t)x.row_len;
    for (int r = 0; r < c->nr && !sn_explain_self(e) && !(i > 0 && sn_explain_shared(e)); r++) {
        int single = sn_references_row(e, &x, run->index[at], c->r0 + r, codes_of(c, ref_row(c, 0, i, r)));
        SN_TRY(single);
        for (int t = 0; t < e->n_tasks && single > 0; t++) run->out[(int64_t)at * e->n_tasks + t].only_arrangement = 1;
        c->w->len[ref_row(c, 0, i, r)] = (int32_t)x.row_len;
    }
    return 0;
}

static int load_rows(struct chunk *c) {
    for (int i = 0; i < c->nx; i++) SN_TRY(load_sequence(c, i));
    int n = rows_of_strand(c);
    for (int i = 0; i < n && c->strands == 2; i++) {
        memcpy(codes_of(c, n + i), codes_of(c, i), (size_t)c->w->len[i]);
        sn_revcomp(c->run->e->alphabet, codes_of(c, n + i), c->w->len[i]);
        c->w->len[n + i] = c->w->len[i];
    }
    return 0;
}

static int forward(struct chunk *c) {
    const struct sn_explainer *e = c->run->e;
    int rows = c->strands * rows_of_strand(c);
    SN_TRY(load_rows(c));
    struct sn_batch b = {.n = rows, .codes = c->w->codes, .code_row = e->max_len, .len = c->model->arch->length > 0 ? NULL : c->w->len};
    SN_TRY(sn_session_forward(c->session, &b, 0));
    return sn_explain_logits(e, c->w, c->number, c->session, rows, c->w->strand_logits);
}

static double *ref_value(const struct chunk *c, int i, int r) {
    const struct sn_explainer *e = c->run->e;
    return c->w->zr + ((size_t)i * (size_t)e->n_refs + (size_t)(c->r0 + r)) * (size_t)e->width;
}

/* Adds this model's combined logits to the means over models. */
static void collect(struct chunk *c) {
    const struct sn_explainer *e = c->run->e;
    int other = c->strands - 1;
    for (int i = 0; i < c->nx; i++) {
        double *zx = c->w->zx + (size_t)i * (size_t)e->width;
        if (c->r0 == 0) sn_target_add(e, c->model, logits_of(c, x_row(c, 0, i)), logits_of(c, x_row(c, other, i)), zx);
        for (int r = 0; r < c->nr; r++)
            sn_target_add(e, c->model, logits_of(c, ref_row(c, 0, i, r)), logits_of(c, ref_row(c, other, i, r)), ref_value(c, i, r));
    }
}

/* ---- reverse ---- */

static int pair_of(const struct chunk *c, int strand, int i, int r) {
    return (strand * c->nx + i) * c->nr + r;
}

static void seed_pairs(struct chunk *c, const struct sn_explain_task *t) {
    const struct sn_explainer *e = c->run->e;
    size_t width = (size_t)t->width;
    int other = c->strands - 1;
    for (int i = 0; i < c->nx; i++) {
        const double *x[2] = {logits_of(c, x_row(c, 0, i)), logits_of(c, x_row(c, other, i))};
        for (int r = 0; r < c->nr; r++) {
            const double *ref[2] = {logits_of(c, ref_row(c, 0, i, r)), logits_of(c, ref_row(c, other, i, r))};
            int fwd = pair_of(c, 0, i, r), rev = pair_of(c, other, i, r);
            sn_target_weights(e, t, c->w->zx + (size_t)i * (size_t)e->width, ref_value(c, i, r), c->w->weights);
            sn_target_seeds(e, t, c->model, c->w->weights, x, ref, c->w->seeds + (size_t)fwd * width,
                            other ? c->w->seeds + (size_t)rev * width : NULL);
            for (int s = 0; s < c->strands; s++) {
                c->w->row_x[pair_of(c, s, i, r)] = x_row(c, s, i);
                c->w->row_ref[pair_of(c, s, i, r)] = ref_row(c, s, i, r);
            }
        }
    }
}

/* Contributions of one pair: m (x - x0), and for every letter m - sum of m x0; the reverse strand's multipliers are turned round. Of a
 * gradient m itself. */
static void add_pair(struct chunk *c, int task, int i, int r) {
    const struct sn_explainer *e = c->run->e;
    int channels = e->channels;
    bool self = sn_explain_self(e);
    int64_t len = c->w->len[x_row(c, 0, i)], stride = e->max_len * channels;
    const uint8_t *cx = codes_of(c, x_row(c, 0, i)), *cr = codes_of(c, ref_row(c, 0, i, r));
    const sn_real *lut = c->model->arch->lut, *fwd = c->w->mult + pair_of(c, 0, i, r) * stride;
    const sn_real *rev = c->strands == 2 ? c->w->mult + pair_of(c, 1, i, r) * stride : NULL;
    double *hyp = hyp_of(c, task, i), *act = act_of(c, task, i);
    for (int64_t p = 0; p < len; p++) {
        const sn_real *x = lut + cx[p] * channels, *x0 = lut + cr[p] * channels;
        double m[32], at_reference = 0, sum = 0;
        for (int k = 0; k < channels; k++) {
            m[k] = (double)fwd[p * channels + k];
            if (rev) m[k] += (double)rev[(len - 1 - p) * channels + e->complement[k]];
            at_reference += m[k] * (double)x0[k];
            sum += m[k] * ((double)x[k] - (double)x0[k]);
        }
        for (int k = 0; k < channels; k++) hyp[p * channels + k] += self ? m[k] : m[k] - at_reference;
        act[p] += sum;
    }
}

static int reverse(struct chunk *c) {
    const struct sn_explainer *e = c->run->e;
    for (int t = 0; t < e->n_tasks; t++) {
        seed_pairs(c, &e->tasks[t]);
        struct sn_attr a = {.n_pairs = c->strands * c->nx * c->nr,
                            .row_x = c->w->row_x,
                            .row_ref = c->w->row_ref,
                            .head = e->tasks[t].head,
                            .seeds = c->w->seeds};
        SN_TRY(sn_session_attribute(c->session, &a, c->w->mult));
        for (int i = 0; i < c->nx; i++)
            for (int r = 0; r < c->nr; r++) add_pair(c, t, i, r);
    }
    return 0;
}

/* ---- results ---- */

static void finish(const struct chunk *c, int i, int task) {
    const struct sn_explainer *e = c->run->e;
    const struct sn_explain_task *t = &e->tasks[task];
    double scale = 1.0 / ((double)e->n_refs * e->n_models), expected = 0;
    double output = sn_target_value(e, t, c->w->zx + (size_t)i * (size_t)e->width);
    int at = c->x0 + i;
    if (sn_explain_self(e)) {
        sn_explain_give_centred(c->run, at, task, hyp_of(c, task, i), scale);
        c->run->out[(int64_t)at * e->n_tasks + task].output = output;
        return;
    }
    for (int r = 0; r < e->n_refs; r++)
        expected += sn_target_value(e, t, c->w->zr + ((size_t)i * (size_t)e->n_refs + (size_t)r) * (size_t)e->width) / e->n_refs;
    sn_explain_give(c->run, at, task, hyp_of(c, task, i), act_of(c, task, i), scale);
    sn_explain_sum(c->run, at, task, output, expected, act_of(c, task, i), scale);
}

static int run_chunks(struct chunk *c, bool backward, bool collecting) {
    const struct sn_explainer *e = c->run->e;
    for (c->r0 = 0; c->r0 < e->n_refs; c->r0 += e->max_refs) {
        c->nr = e->n_refs - c->r0 < e->max_refs ? e->n_refs - c->r0 : e->max_refs;
        SN_TRY(forward(c));
        if (collecting) collect(c);
        if (backward) SN_TRY(reverse(c));
    }
    return 0;
}

static void clear(const struct chunk *c) {
    const struct sn_explainer *e = c->run->e;
    size_t nx = (size_t)c->nx, width = (size_t)e->width, len = (size_t)e->max_len, tasks = (size_t)(e->n_tasks * e->max_x);
    memset(c->w->zx, 0, nx * width * sizeof *c->w->zx);
    memset(c->w->zr, 0, nx * (size_t)e->n_refs * width * sizeof *c->w->zr);
    memset(c->w->hyp, 0, tasks * len * (size_t)e->channels * sizeof *c->w->hyp);
    memset(c->w->act, 0, tasks * len * sizeof *c->w->act);
}

int sn_pairs_run(const struct sn_explain_run *run, int x0, int nx, int worker) {
    struct sn_explainer *e = run->e;
    struct chunk c = {.run = run, .w = &e->workers[worker], .x0 = x0, .nx = nx};
    /* a probability of the mean logit is not the mean of probabilities: all models' logits come first */
    bool before = e->probability && e->n_models > 1;
    for (int pass = before ? 0 : 1; pass < 2; pass++) {
        for (int m = 0; m < e->n_models; m++) {
            c.number = m;
            c.model = e->models[m];
            c.strands = sn_explain_strands(c.model) ? 2 : 1;
            SN_TRY(sn_explain_session(e, worker, m, &c.session));
            if (m == 0 && pass == (before ? 0 : 1)) clear(&c);
            SN_TRY(run_chunks(&c, pass == 1, pass == 0 || !before));
        }
    }
    for (int i = 0; i < nx; i++)
        for (int t = 0; t < e->n_tasks; t++) finish(&c, i, t);
    return 0;
}
