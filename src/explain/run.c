/* From codes to contributions: jobs for the workers, and how their results are given out. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/mem.h"
#include "explain/parts.h"

#define WARN_RESIDUAL 1e-4
#define WARN_PATH 1e-3 /* of the difference in output, or of 1 */

int64_t sn_explain_row_len(const struct sn_explain_run *run, int i) {
    int64_t fixed = run->e->models[0]->arch->length;
    return fixed > 0 ? fixed : run->len[i];
}

int64_t sn_explain_load(const struct sn_explain_run *run, int i, uint8_t *row) {
    int64_t row_len = sn_explain_row_len(run, i), left = (row_len - run->len[i]) / 2;
    memset(row, SN_CODE_OUTSIDE, (size_t)row_len);
    memcpy(row + left, run->codes + i * run->code_row, (size_t)run->len[i]);
    return left;
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

static int64_t place(const struct sn_explain_run *run, int i, int task) {
    return (int64_t)i * run->e->n_tasks + task;
}

void sn_explain_give(const struct sn_explain_run *run, int i, int task, const double *hyp, const double *act, double scale) {
    const struct sn_explainer *e = run->e;
    int64_t len = run->len[i], left = (sn_explain_row_len(run, i) - len) / 2, channels = e->channels;
    int64_t to = place(run, i, task) * run->code_row * channels;
    for (int64_t k = 0; run->hypothetical && k < len * channels; k++) run->hypothetical[to + k] = (float)(hyp[left * channels + k] * scale);
    for (int64_t p = 0; run->actual && p < len; p++)
        project(e, run->codes[i * run->code_row + p], act[left + p] * scale, run->actual + to + p * channels);
}

/* Scores of a position: hypothetical contributions are those less their mean, the contribution is that of the letter that is there; of
 * saliency the largest absolute score. */
static double centre(const struct sn_explainer *e, const double *score, const sn_real *x, double scale, double *hyp) {
    double mean = 0, actual = 0, largest = 0;
    for (int k = 0; k < e->channels; k++) mean += score[k] * scale / e->channels;
    for (int k = 0; k < e->channels; k++) {
        hyp[k] = score[k] * scale - mean;
        actual += hyp[k] * (double)x[k];
        largest = fmax(largest, fabs(score[k] * scale));
    }
    return e->method == SN_METHOD_SALIENCY ? largest : actual;
}

void sn_explain_give_centred(const struct sn_explain_run *run, int i, int task, const double *score, double scale) {
    const struct sn_explainer *e = run->e;
    int64_t len = run->len[i], left = (sn_explain_row_len(run, i) - len) / 2, channels = e->channels;
    int64_t to = place(run, i, task) * run->code_row * channels;
    for (int64_t p = 0; p < len; p++) {
        uint8_t code = run->codes[i * run->code_row + p];
        double hyp[32], act = centre(e, score + (left + p) * channels, e->models[0]->arch->lut + code * channels, scale, hyp);
        for (int64_t k = 0; run->hypothetical && k < channels; k++) run->hypothetical[to + p * channels + k] = (float)hyp[k];
        if (run->actual) project(e, code, act, run->actual + to + p * channels);
    }
}

void sn_explain_sum(const struct sn_explain_run *run, int i, int task, double output, double expected, const double *act, double scale) {
    seqnet_explanation *out = &run->out[place(run, i, task)];
    double sum = 0, size = 0;
    for (int64_t p = 0; p < sn_explain_row_len(run, i); p++) {
        sum += act[p] * scale;
        size += fabs(act[p] * scale);
    }
    double difference = output - expected, miss = fabs(sum - difference);
    out->output = output;
    out->expected = expected;
    out->residual = size > 0 ? miss / size : miss;
    out->missed = run->e->method == SN_METHOD_PATH ? miss > WARN_PATH * fmax(1, fabs(difference)) : out->residual > WARN_RESIDUAL;
}

/* ---- jobs ---- */

static int run_job(void *arg, int job, int worker) {
    const struct sn_explain_run *run = arg;
    int x0 = run->first[job], nx = run->first[job + 1] - x0;
    if (worker == 0) SN_TRY(sn_check_cancel(run->e->rt.sink));
    if (run->e->method == SN_METHOD_PATH) return sn_path_run(run, x0, worker);
    if (run->e->method == SN_METHOD_ISM) return sn_mutants_run(run, x0, worker);
    return sn_pairs_run(run, x0, nx, worker);
}

/* Consecutive sequences; those that share references have one length. */
static int make_jobs(struct sn_explain_run *run, int n) {
    struct sn_explainer *e = run->e;
    run->first = sn_calloc((size_t)n + 1, sizeof *run->first);
    if (!run->first) return SEQNET_ENOMEM;
    int fair = (n + e->busy - 1) / e->busy, most = fair < e->max_x ? fair : e->max_x;
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

void sn_explain_count(struct sn_explainer *e, const seqnet_explanation *out, int n) {
    for (int i = 0; i < n; i++) {
        if (i % e->n_tasks == 0) e->result.sequences++;
        if (out[i].residual > e->result.worst_residual) e->result.worst_residual = out[i].residual;
        e->result.above_warning += out[i].missed;
    }
}

int sn_explainer_run(struct sn_explainer *e, int n, const uint8_t *codes, int64_t code_row, const int32_t *len, const int64_t *index,
                     float *hypothetical, float *actual, seqnet_explanation *out) {
    struct sn_explain_run run = {e, codes, code_row, len, index, hypothetical, actual, out, NULL, 0};
    int64_t fixed = e->models[0]->arch->length, longest = 0;
    double begin = sn_time_wall();
    SN_TRY(sn_check_cancel(e->rt.sink));
    for (int i = 0; i < n; i++) {
        SN_TRY(check_sequence(e, codes + i * code_row, len[i], index[i]));
        for (int t = 0; t < e->n_tasks; t++)
            out[(int64_t)i * e->n_tasks + t] = (seqnet_explanation){.size = sizeof *out, .expected = NAN, .residual = NAN};
        if (len[i] > longest) longest = len[i];
    }
    SN_TRY(sn_explain_plan(e, fixed > 0 ? fixed : longest));
    int rc = make_jobs(&run, n);
    if (rc == 0) rc = sn_pool_run(e->rt.pool, run.n_jobs, e->busy, run_job, &run);
    free(run.first);
    if (rc == 0) sn_explain_count(e, out, n * e->n_tasks);
    e->result.seconds += sn_time_wall() - begin;
    return rc;
}
