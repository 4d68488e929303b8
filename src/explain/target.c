/* What is explained: one task's logit, a class' logit minus the mean of all, or the output itself; over strands and models as predict does.
 */
#include "explain/parts.h"

#define SN_FMA(a, b, c) ((a) * (b) + (c))
#include "cpu/tmpl/mathfn.h"

static enum sn_loss_kind loss_of(const struct sn_explainer *e, const struct sn_explain_task *t) {
    return e->loss[t->first];
}

static bool standardised(const struct sn_explainer *e, const struct sn_model *m, int output) {
    return e->loss[output] == SN_LOSS_MSE && m->target_mean && m->target_sd;
}

double sn_target_units(const struct sn_explainer *e, const struct sn_model *m, int output, sn_real logit) {
    if (!standardised(e, m, output)) return (double)logit;
    return (double)m->target_mean[output] + (double)m->target_sd[output] * (double)logit;
}

void sn_target_add(const struct sn_explainer *e, const struct sn_model *m, const double *fwd, const double *rev, double *z) {
    for (int t = 0; t < e->width; t++) {
        double v = fwd[t];
        if (m->arch->strand == SN_STRAND_AVERAGE) v = (fwd[t] + rev[t]) / 2;
        if (m->arch->strand == SN_STRAND_MAX && rev[t] > v) v = rev[t];
        z[t] += v / e->n_models;
    }
}

/* ---- the value ---- */

static double largest(const double *z, int n, double so_far) {
    for (int t = 0; t < n; t++)
        if (z[t] > so_far) so_far = z[t];
    return so_far;
}

static double class_probability(const double *z, int n, int task) {
    double top = largest(z, n, z[0]), sum = 0;
    for (int t = 0; t < n; t++) sum += (double)sn_m_exp((sn_real)(z[t] - top));
    return (double)sn_m_exp((sn_real)(z[task] - top)) / sum;
}

double sn_target_value(const struct sn_explainer *e, const struct sn_explain_task *t, const double *z) {
    enum sn_loss_kind loss = loss_of(e, t);
    z += t->first;
    if (loss == SN_LOSS_CCE && e->probability) return class_probability(z, t->width, t->task);
    if (loss == SN_LOSS_BCE && e->probability) return (double)sn_m_sigmoid((sn_real)z[t->task]);
    if (loss != SN_LOSS_CCE) return z[t->task];
    double sum = 0;
    for (int k = 0; k < t->width; k++) sum += z[k];
    return z[t->task] - sum / t->width;
}

/* ---- weights ---- */

/* Rescale through the softmax: exponentials, their sum, its reciprocal and the product, each with averaged operands. */
static void class_weights(const double *z, const double *z0, int n, int task, double *u) {
    double top = largest(z0, n, largest(z, n, z[0])), r = 0, r0 = 0;
    for (int t = 0; t < n; t++) {
        r += (double)sn_m_exp((sn_real)(z[t] - top));
        r0 += (double)sn_m_exp((sn_real)(z0[t] - top));
    }
    double q = (1 / r + 1 / r0) / 2;
    double mean = ((double)sn_m_exp((sn_real)(z[task] - top)) + (double)sn_m_exp((sn_real)(z0[task] - top))) / 2;
    double of_sum = -mean / (r * r0);
    for (int t = 0; t < n; t++) u[t] = ((t == task ? q : 0) + of_sum) * (double)sn_m_rho_exp((sn_real)(z[t] - top), (sn_real)(z0[t] - top));
}

void sn_target_weights(const struct sn_explainer *e, const struct sn_explain_task *t, const double *z, const double *z0, double *u) {
    enum sn_loss_kind loss = loss_of(e, t);
    z += t->first;
    z0 += t->first;
    if (loss == SN_LOSS_CCE && e->probability) {
        class_weights(z, z0, t->width, t->task, u);
        return;
    }
    for (int k = 0; k < t->width; k++) u[k] = (k == t->task) - (loss == SN_LOSS_CCE ? 1.0 / t->width : 0);
    if (loss == SN_LOSS_BCE && e->probability) u[t->task] = (double)sn_m_rho_sigmoid((sn_real)z[t->task], (sn_real)z0[t->task]);
}

/* The larger of two strands is a maximum over two: all goes to the winner, by the ratio of the maximum's difference to its own. */
static void max_seeds(double u, double x0, double x1, double r0, double r1, double seed[2]) {
    double y = x1 > x0 ? x1 : x0, y0 = r1 > r0 ? r1 : r0;
    int winner = y >= y0 ? x1 > x0 : r1 > r0;
    double own = winner ? x1 - r1 : x0 - r0;
    seed[winner] = own == 0 ? u : u * ((y - y0) / own);
    seed[!winner] = 0;
}

void sn_target_seeds(const struct sn_explainer *e, const struct sn_explain_task *t, const struct sn_model *m, const double *u,
                     const double *const x[2], const double *const r[2], sn_real *fwd, sn_real *rev) {
    for (int k = 0; k < t->width; k++) {
        int at = t->first + k;
        double w = u[k] * (standardised(e, m, at) ? (double)m->target_sd[at] : 1), seed[2] = {w, 0};
        if (m->arch->strand == SN_STRAND_AVERAGE) seed[0] = seed[1] = w / 2;
        if (m->arch->strand == SN_STRAND_MAX) max_seeds(w, x[0][at], x[1][at], r[0][at], r[1][at], seed);
        fwd[k] = (sn_real)seed[0];
        if (rev) rev[k] = (sn_real)seed[1];
    }
}
