/* From codes to contributions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/mem.h"
#include "explain/parts.h"

#define WARN_RESIDUAL 1e-4

struct run {
    struct sn_explainer *e;
    const uint8_t *codes;
    int64_t code_row;
    const int32_t *len;
    const int64_t *index;
    float *hypothetical, *actual;
    seqnet_explanation *out;
    int *first; /* (n_jobs + 1) job j: sequences [first[j], first[j+1]) */
    int n_jobs;
};

/* Sequences [x0, x0 + nx) with references [r0, r0 + nr), in the session of a model. */
struct chunk {
    const struct run *run;
    struct sn_explain_worker *w;
    const struct sn_model *model;
    struct sn_session *session;
    int x0, nx, r0, nr;
    int strands;
};

static int64_t row_len(const struct run *run, int i) {
    int64_t fixed = run->e->models[0]->arch->length;
    return fixed > 0 ? fixed : run->len[i];
}

/* Rows of a strand: the sequences, then their references, each sequence's own or the shared ones. */
static int rows_of_strand(const struct chunk *c) {
    return c->nx + (sn_explain_shared(c->run->e) ? c->nr : c->nx * c->nr);
}
static int x_row(const struct chunk *c, int strand, int i) {
    return strand * rows_of_strand(c) + i;
}
static int ref_row(const struct chunk *c, int strand, int i, int r) {
    return strand * rows_of_strand(c) + c->nx + (sn_explain_shared(c->run->e) ? r : i * c->nr + r);
}

static uint8_t *codes_of(const struct chunk *c, int row) {
    return c->w->codes + (int64_t)row * c->run->e->max_len;
}
static const double *logits_of(const struct chunk *c, int row) {
    return c->w->strand_logits + (size_t)row * (size_t)c->run->e->width;
}

/* ---- forward ---- */

/* Puts sequence i of the chunk and the references that belong to it into rows of the forward strand. */
static int load_sequence(struct chunk *c, int i) {
    const struct run *run = c->run;
    const struct sn_explainer *e = run->e;
    int at = c->x0 + i;
    uint8_t *row = codes_of(c, x_row(c, 0, i));
    struct sn_explain_row x = {.codes = row, .row_len = row_len(run, at), .len = run->len[at]};
    x.left = (x.row_len - x.len) / 2;
    memset(row, SN_CODE_OUTSIDE, (size_t)x.row_len);
    memcpy(row + x.left, run->codes + at * run->code_row, (size_t)x.len);
    c->w->len[x_row(c, 0, i)] = (int32_t)x.row_len;
    for (int r = 0; r < c->nr && !(i > 0 && sn_explain_shared(e)); r++) {
        int single = sn_references_row(e, &x, run->index[at], c->r0 + r, codes_of(c, ref_row(c, 0, i, r)));
        SN_TRY(single);
        if (single > 0) run->out[at].only_arrangement = 1;
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
    size_t width = (size_t)e->width;
    SN_TRY(load_rows(c));
    struct sn_batch b = {.n = rows, .codes = c->w->codes, .code_row = e->max_len, .len = c->model->arch->length > 0 ? NULL : c->w->len};
    SN_TRY(sn_session_forward(c->session, &b, 0));
    SN_TRY(sn_session_output(c->session, e->head, true, c->w->logits));
    for (int i = 0; i < rows; i++) {
        const sn_real *z = c->w->logits + (size_t)i * width;
        for (size_t t = 0; t < width; t++) {
            if (isfinite((double)z[t])) continue;
            const char *layer = sn_session_nonfinite(c->session);
            return sn_error(SEQNET_ENUM, "%s: an output is not a finite number%s%s", sn_explain_label(c->model),
                            layer ? "; first in layer " : "", layer ? layer : "");
        }
        sn_target_units(e, c->model, z, c->w->strand_logits + (size_t)i * width);
    }
    return 0;
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

static int seed_pairs(struct chunk *c) {
    const struct sn_explainer *e = c->run->e;
    size_t width = (size_t)e->width;
    double *u = sn_calloc(width, sizeof *u);
    if (!u) return SEQNET_ENOMEM;
    int other = c->strands - 1;
    for (int i = 0; i < c->nx; i++) {
        const double *x[2] = {logits_of(c, x_row(c, 0, i)), logits_of(c, x_row(c, other, i))};
        for (int r = 0; r < c->nr; r++) {
            const double *ref[2] = {logits_of(c, ref_row(c, 0, i, r)), logits_of(c, ref_row(c, other, i, r))};
            int fwd = pair_of(c, 0, i, r), rev = pair_of(c, other, i, r);
            sn_target_weights(e, c->w->zx + (size_t)i * width, ref_value(c, i, r), u);
            sn_target_seeds(e, c->model, u, x, ref, c->w->seeds + (size_t)fwd * width, other ? c->w->seeds + (size_t)rev * width : NULL);
            for (int s = 0; s < c->strands; s++) {
                c->w->row_x[pair_of(c, s, i, r)] = x_row(c, s, i);
                c->w->row_ref[pair_of(c, s, i, r)] = ref_row(c, s, i, r);
            }
        }
    }
    free(u);
    return 0;
}

/* Contributions of one pair: m (x - x0), and for every letter m - sum of m x0; the reverse strand's multipliers are turned round. */
static void add_pair(struct chunk *c, int i, int r) {
    const struct sn_explainer *e = c->run->e;
    int channels = e->channels;
    int64_t len = c->w->len[x_row(c, 0, i)], stride = e->max_len * channels;
    const uint8_t *cx = codes_of(c, x_row(c, 0, i)), *cr = codes_of(c, ref_row(c, 0, i, r));
    const sn_real *lut = c->model->arch->lut, *fwd = c->w->mult + pair_of(c, 0, i, r) * stride;
    const sn_real *rev = c->strands == 2 ? c->w->mult + pair_of(c, 1, i, r) * stride : NULL;
    double *hyp = c->w->hyp + i * stride, *act = c->w->act + i * e->max_len;
    for (int64_t p = 0; p < len; p++) {
        const sn_real *x = lut + cx[p] * channels, *x0 = lut + cr[p] * channels;
        double m[32], at_reference = 0, sum = 0;
        for (int k = 0; k < channels; k++) {
            m[k] = (double)fwd[p * channels + k];
            if (rev) m[k] += (double)rev[(len - 1 - p) * channels + e->complement[k]];
            at_reference += m[k] * (double)x0[k];
            sum += m[k] * ((double)x[k] - (double)x0[k]);
        }
        for (int k = 0; k < channels; k++) hyp[p * channels + k] += m[k] - at_reference;
        act[p] += sum;
    }
}

static int reverse(struct chunk *c) {
    const struct sn_explainer *e = c->run->e;
    SN_TRY(seed_pairs(c));
    struct sn_attr a = {
        .n_pairs = c->strands * c->nx * c->nr, .row_x = c->w->row_x, .row_ref = c->w->row_ref, .head = e->head, .seeds = c->w->seeds};
    SN_TRY(sn_session_attribute(c->session, &a, c->w->mult));
    for (int i = 0; i < c->nx; i++)
        for (int r = 0; r < c->nr; r++) add_pair(c, i, r);
    return 0;
}

/* ---- results ---- */

/* The actual contributions of a position go to the letters that are there; where there is none they are spread over all, so that nothing is
 * lost from the sum. */
static void project(const struct sn_explainer *e, uint8_t code, double v, float *out) {
    const sn_real *x = e->models[0]->arch->lut + code * e->channels;
    double sum = 0;
    for (int k = 0; k < e->channels; k++) sum += (double)x[k];
    for (int k = 0; k < e->channels; k++) out[k] = (float)(sum > 0 ? v * ((double)x[k] / sum) : v / e->channels);
}

static void finish(const struct run *run, const struct sn_explain_worker *w, int at, int i) {
    const struct sn_explainer *e = run->e;
    int64_t row = row_len(run, at), len = run->len[at], left = (row - len) / 2, channels = e->channels;
    double scale = 1.0 / ((double)e->n_refs * e->n_models), sum = 0, size = 0, expected = 0;
    const double *hyp = w->hyp + (i * e->max_len + left) * channels, *act = w->act + i * e->max_len;
    for (int64_t p = 0; p < row; p++) {
        sum += act[p] * scale;
        size += fabs(act[p] * scale);
    }
    for (int64_t k = 0; run->hypothetical && k < len * channels; k++)
        run->hypothetical[at * run->code_row * channels + k] = (float)(hyp[k] * scale);
    for (int64_t p = 0; run->actual && p < len; p++)
        project(e, run->codes[at * run->code_row + p], act[left + p] * scale, run->actual + (at * run->code_row + p) * channels);
    for (int r = 0; r < e->n_refs; r++)
        expected += sn_target_value(e, w->zr + ((size_t)i * (size_t)e->n_refs + (size_t)r) * (size_t)e->width) / e->n_refs;
    seqnet_explanation *out = &run->out[at];
    out->output = sn_target_value(e, w->zx + (size_t)i * (size_t)e->width);
    out->expected = expected;
    double miss = fabs(sum - (out->output - expected));
    out->residual = size > 0 ? miss / size : miss;
}

/* ---- jobs ---- */

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

static int run_job(void *arg, int job, int worker) {
    const struct run *run = arg;
    struct sn_explainer *e = run->e;
    struct chunk c = {.run = run, .w = &e->workers[worker], .x0 = run->first[job], .nx = run->first[job + 1] - run->first[job]};
    size_t nx = (size_t)c.nx, width = (size_t)e->width, len = (size_t)e->max_len;
    if (worker == 0) SN_TRY(sn_check_cancel(e->rt.sink));
    /* a probability of the mean logit is not the mean of probabilities: all models' logits come first */
    bool before = e->probability && e->n_models > 1;
    for (int pass = before ? 0 : 1; pass < 2; pass++) {
        for (int m = 0; m < e->n_models; m++) {
            c.model = e->models[m];
            c.strands = sn_explain_strands(c.model) ? 2 : 1;
            SN_TRY(sn_explain_session(e, worker, m, &c.session));
            if (m == 0 && pass == (before ? 0 : 1)) {
                memset(c.w->zx, 0, nx * width * sizeof *c.w->zx);
                memset(c.w->zr, 0, nx * (size_t)e->n_refs * width * sizeof *c.w->zr);
                memset(c.w->hyp, 0, nx * len * (size_t)e->channels * sizeof *c.w->hyp);
                memset(c.w->act, 0, nx * len * sizeof *c.w->act);
            }
            SN_TRY(run_chunks(&c, pass == 1, pass == 0 || !before));
        }
    }
    for (int i = 0; i < c.nx; i++) finish(run, c.w, c.x0 + i, i);
    return 0;
}

/* Consecutive sequences; those that share references have one length. */
static int make_jobs(struct run *run, int n) {
    struct sn_explainer *e = run->e;
    run->first = sn_calloc((size_t)n + 1, sizeof *run->first);
    if (!run->first) return SEQNET_ENOMEM;
    int fair = (n + e->n_workers - 1) / e->n_workers, most = fair < e->max_x ? fair : e->max_x;
    bool alone = false;
    for (int i = 0; i < n; i++) {
        int begin = run->n_jobs ? run->first[run->n_jobs - 1] : 0;
        bool special = sn_references_special(e, run->codes + i * run->code_row, run->len[i]);
        bool fits = i > 0 && i - begin < most && !(sn_explain_shared(e) && (run->len[i] != run->len[begin] || special || alone));
        if (!fits) run->first[run->n_jobs++] = i;
        alone = special;
    }
    run->first[run->n_jobs] = n;
    return 0;
}

static int check_sequence(const struct sn_explainer *e, const uint8_t *codes, int64_t len, int64_t index) {
    const struct sn_arch *a = e->models[0]->arch;
    int64_t least = 1;
    for (int i = 0; i < e->n_models; i++)
        if (e->models[i]->arch->graph->min_len > least) least = e->models[i]->arch->graph->min_len;
    if (a->length > 0 ? len < 1 || len > a->length : len < least)
        return sn_error(SEQNET_EDATA, "sequence %lld has %lld positions, %s takes %s %lld", (long long)index + 1, (long long)len,
                        sn_explain_label(e->models[0]), a->length > 0 ? "at most" : "at least",
                        (long long)(a->length > 0 ? a->length : least));
    for (int64_t i = 0; i < len; i++)
        if (!e->alphabet->ambiguous[codes[i]]) return 0;
    return sn_error(SEQNET_EDATA, "sequence %lld has no known letter: nothing can be explained", (long long)index + 1);
}

static void count(struct sn_explainer *e, const seqnet_explanation *out, int n) {
    for (int i = 0; i < n; i++) {
        e->result.sequences++;
        if (out[i].residual > e->result.worst_residual) e->result.worst_residual = out[i].residual;
        if (out[i].residual > WARN_RESIDUAL) e->result.above_warning++;
    }
}

int sn_explainer_run(struct sn_explainer *e, int n, const uint8_t *codes, int64_t code_row, const int32_t *len, const int64_t *index,
                     float *hypothetical, float *actual, seqnet_explanation *out) {
    struct run run = {e, codes, code_row, len, index, hypothetical, actual, out, NULL, 0};
    int64_t fixed = e->models[0]->arch->length, longest = 0;
    double begin = sn_time_wall();
    SN_TRY(sn_check_cancel(e->rt.sink));
    for (int i = 0; i < n; i++) {
        SN_TRY(check_sequence(e, codes + i * code_row, len[i], index[i]));
        out[i] = (seqnet_explanation){.size = sizeof *out};
        if (len[i] > longest) longest = len[i];
    }
    SN_TRY(sn_explain_plan(e, fixed > 0 ? fixed : longest));
    int rc = make_jobs(&run, n);
    if (rc == 0) rc = sn_pool_run(e->rt.pool, run.n_jobs, e->n_workers, run_job, &run);
    free(run.first);
    if (rc == 0) count(e, out, n);
    e->result.seconds += sn_time_wall() - begin;
    return rc;
}
