/* Integrated gradients: gradients at the middle points of S equal steps from each reference to the sequence. S starts at 64 and doubles
 * until the contributions sum to the difference in output within 1e-3 of it (of 1 where it is less), or is 1024; each reference and task by
 * itself, so that results depend on nothing else. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "explain/parts.h"

#define CLOSE 1e-3

struct path {
    const struct sn_explain_run *run;
    struct sn_explainer *e;
    struct sn_explain_worker *w;
    struct sn_session **sessions; /* (n_models) */
    int at;                       /* the sequence */
    int worker;
    int64_t row, left;
    const uint8_t *x, *x0; /* rows of codes */
    /* points of the last forward pass */
    int points;
    double step;                 /* between them */
    double *value_x, *value_ref; /* (n_tasks) */
    bool *done;                  /* (n_tasks) */
};

static int64_t row_floats(const struct path *p) {
    return p->e->max_len * p->e->channels;
}

static int strands_of(const struct path *p, int model) {
    return sn_explain_strands(p->e->models[model]) ? 2 : 1;
}

static double *logits_of(const struct path *p, int model, int row) {
    return p->w->strand_logits + ((int64_t)model * p->e->max_rows + row) * p->e->width;
}

/* ---- points ---- */

/* x0 + at (x - x0) on the forward strand, and turned round behind the points. */
static void load_point(const struct path *p, int model, int point, double at) {
    const struct sn_explainer *e = p->e;
    const sn_real *lut = e->models[model]->arch->lut;
    int channels = e->channels;
    sn_real *fwd = p->w->values + point * row_floats(p), *rev = p->w->values + (p->points + point) * row_floats(p);
    bool both = strands_of(p, model) == 2;
    for (int64_t i = 0; i < p->row; i++)
        for (int k = 0; k < channels; k++) {
            double x = (double)lut[p->x[i] * channels + k], x0 = (double)lut[p->x0[i] * channels + k];
            sn_real v = (sn_real)(x0 + at * (x - x0));
            fwd[i * channels + k] = v;
            if (both) rev[(p->row - 1 - i) * channels + e->complement[k]] = v;
        }
}

/* Logits of points from, from + step, ... by every model; their combined means to w->zr. */
static int forward(struct path *p, double from) {
    struct sn_explainer *e = p->e;
    memset(p->w->zr, 0, (size_t)p->points * (size_t)e->width * sizeof *p->w->zr);
    for (int m = 0; m < e->n_models; m++) {
        int strands = strands_of(p, m), rows = strands * p->points;
        for (int k = 0; k < p->points; k++) load_point(p, m, k, from + k * p->step);
        for (int k = 0; k < rows; k++) p->w->len[k] = (int32_t)p->row;
        struct sn_batch b = {.n = rows, .values = p->w->values, .len = e->models[m]->arch->length > 0 ? NULL : p->w->len};
        SN_TRY(sn_session_forward(p->sessions[m], &b, 0));
        SN_TRY(sn_explain_logits(e, p->w, m, p->sessions[m], rows, logits_of(p, m, 0)));
        for (int k = 0; k < p->points; k++)
            sn_target_add(e, e->models[m], logits_of(p, m, k), logits_of(p, m, (strands - 1) * p->points + k), p->w->zr + k * e->width);
    }
    return 0;
}

/* ---- gradients at the points ---- */

static int gradients(struct path *p, const struct sn_explain_task *t, int model) {
    struct sn_explainer *e = p->e;
    int strands = strands_of(p, model), n = p->points;
    for (int k = 0; k < n; k++) {
        const double *z = p->w->zr + k * e->width, *own[2] = {logits_of(p, model, k), logits_of(p, model, (strands - 1) * n + k)};
        sn_target_weights(e, t, z, z, p->w->weights);
        sn_target_seeds(e, t, e->models[model], p->w->weights, own, own, p->w->seeds + (int64_t)k * t->width,
                        strands == 2 ? p->w->seeds + (int64_t)(n + k) * t->width : NULL);
    }
    for (int k = 0; k < strands * n; k++) p->w->row_x[k] = p->w->row_ref[k] = k;
    struct sn_attr a = {.n_pairs = strands * n, .row_x = p->w->row_x, .row_ref = p->w->row_ref, .head = t->head, .seeds = p->w->seeds};
    return sn_session_attribute(p->sessions[model], &a, p->w->mult + (int64_t)model * e->max_pairs * row_floats(p));
}

static void add_gradient(const struct path *p, int model, int point, double *sum) {
    const struct sn_explainer *e = p->e;
    int channels = e->channels;
    const sn_real *fwd = p->w->mult + ((int64_t)model * e->max_pairs + point) * row_floats(p), *rev = fwd + p->points * row_floats(p);
    bool both = strands_of(p, model) == 2;
    for (int64_t i = 0; i < p->row; i++)
        for (int k = 0; k < channels; k++) {
            double m = (double)fwd[i * channels + k];
            if (both) m += (double)rev[(p->row - 1 - i) * channels + e->complement[k]];
            sum[i * channels + k] += m;
        }
}

/* Points in order, models in order, whatever the size of the parts. */
static int add_points(struct path *p, int task) {
    struct sn_explainer *e = p->e;
    for (int m = 0; m < e->n_models; m++) SN_TRY(gradients(p, &e->tasks[task], m));
    for (int k = 0; k < p->points; k++)
        for (int m = 0; m < e->n_models; m++) add_gradient(p, m, k, p->w->part + task * row_floats(p));
    return 0;
}

/* ---- one reference ---- */

/* What a path's mean gradient comes to: added to the sums unless `probe`; returns the sum of contributions. */
static double take_path(const struct path *p, int task, int steps, bool probe) {
    const struct sn_explainer *e = p->e;
    int channels = e->channels;
    const sn_real *lut = e->models[0]->arch->lut;
    const double *part = p->w->part + task * row_floats(p);
    double *hyp = p->w->hyp + task * row_floats(p), *act = p->w->act + task * e->max_len, scale = 1.0 / steps, total = 0;
    for (int64_t i = 0; i < p->row; i++) {
        const sn_real *x = lut + p->x[i] * channels, *x0 = lut + p->x0[i] * channels;
        double at_reference = 0, sum = 0;
        for (int k = 0; k < channels; k++) {
            double m = part[i * channels + k] * scale;
            at_reference += m * (double)x0[k];
            sum += m * ((double)x[k] - (double)x0[k]);
        }
        total += sum;
        for (int k = 0; k < channels && !probe; k++) hyp[i * channels + k] += part[i * channels + k] * scale - at_reference;
        if (!probe) act[i] += sum;
    }
    return total / e->n_models;
}

static int follow(struct path *p, int steps, bool *open) {
    struct sn_explainer *e = p->e;
    p->step = 1.0 / steps;
    for (int t = 0; t < e->n_tasks; t++)
        if (!p->done[t]) memset(p->w->part + t * row_floats(p), 0, (size_t)row_floats(p) * sizeof *p->w->part);
    for (int s = 0; s < steps; s += p->points) {
        if (p->worker == 0) SN_TRY(sn_check_cancel(e->rt.sink));
        p->points = steps - s < e->max_refs ? steps - s : e->max_refs;
        SN_TRY(forward(p, (s + 0.5) * p->step));
        for (int t = 0; t < e->n_tasks; t++)
            if (!p->done[t]) SN_TRY(add_points(p, t));
    }
    *open = false;
    for (int t = 0; t < e->n_tasks; t++) {
        if (p->done[t]) continue;
        double difference = p->value_x[t] - p->value_ref[t];
        p->done[t] = steps >= e->most_steps || fabs(take_path(p, t, steps, true) - difference) <= CLOSE * fmax(1, fabs(difference));
        if (p->done[t])
            take_path(p, t, steps, false);
        else
            *open = true;
    }
    return 0;
}

static int values_at(struct path *p, double at, double *value) {
    p->points = 1;
    p->step = 0;
    SN_TRY(forward(p, at));
    for (int t = 0; t < p->e->n_tasks; t++) value[t] = sn_target_value(p->e, &p->e->tasks[t], p->w->zr);
    return 0;
}

static int take_reference(struct path *p, int r, double *expected) {
    struct sn_explainer *e = p->e;
    struct sn_explain_row x = {.codes = p->x, .row_len = p->row, .left = p->left, .len = p->run->len[p->at]};
    uint8_t *x0 = p->w->codes + e->max_len;
    int single = sn_references_row(e, &x, p->run->index[p->at], r, x0);
    SN_TRY(single);
    for (int t = 0; t < e->n_tasks && single > 0; t++) p->run->out[(int64_t)p->at * e->n_tasks + t].only_arrangement = 1;
    p->x0 = x0;
    SN_TRY(values_at(p, 0, p->value_ref));
    for (int t = 0; t < e->n_tasks; t++) {
        expected[t] += p->value_ref[t] / e->n_refs;
        p->done[t] = false;
    }
    bool open = true;
    for (int steps = e->first_steps; open; steps *= 2) SN_TRY(follow(p, steps, &open));
    return 0;
}

static int run_sequence(struct path *p, double *expected) {
    struct sn_explainer *e = p->e;
    uint8_t *x = p->w->codes;
    p->row = sn_explain_row_len(p->run, p->at);
    p->left = sn_explain_load(p->run, p->at, x);
    p->x = p->x0 = x;
    memset(p->w->hyp, 0, (size_t)(e->n_tasks * row_floats(p)) * sizeof *p->w->hyp);
    memset(p->w->act, 0, (size_t)(e->n_tasks * e->max_len) * sizeof *p->w->act);
    SN_TRY(values_at(p, 1, p->value_x));
    for (int r = 0; r < e->n_refs; r++) SN_TRY(take_reference(p, r, expected));
    double scale = 1.0 / ((double)e->n_refs * e->n_models);
    for (int t = 0; t < e->n_tasks; t++) {
        const double *hyp = p->w->hyp + t * row_floats(p), *act = p->w->act + t * e->max_len;
        sn_explain_give(p->run, p->at, t, hyp, act, scale);
        sn_explain_sum(p->run, p->at, t, p->value_x[t], expected[t], act, scale);
    }
    return 0;
}

int sn_path_run(const struct sn_explain_run *run, int x, int worker) {
    struct sn_explainer *e = run->e;
    size_t tasks = (size_t)e->n_tasks;
    struct path p = {.run = run, .e = e, .at = x, .worker = worker};
    double *v = sn_calloc(3 * tasks, sizeof *v);
    int rc = 0;
    p.done = sn_calloc(tasks, sizeof *p.done);
    if (!v || !p.done) SN_GO(SEQNET_ENOMEM);
    p.value_x = v;
    p.value_ref = v + tasks;
    struct sn_session *s;
    for (int m = 0; m < e->n_models; m++) SN_GO(sn_explain_session(e, worker, m, &s));
    p.w = &e->workers[worker];
    p.sessions = p.w->sessions;
    SN_GO(run_sequence(&p, v + 2 * tasks));
done:
    free(v);
    free(p.done);
    return rc < 0 ? rc : 0;
}
