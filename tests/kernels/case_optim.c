#include "harness.h"

static const int64_t sizes[] = {0, 1, 7, 15, 16, 17, 31, 33, 100, 4095, 4096, 4097, 9000};
#define N_SIZES (sizeof sizes / sizeof *sizes)

static sn_real *positive(struct kt *t, size_t n) {
    sn_real *p = kt_values(t, n);
    for (size_t i = 0; i < n; i++) p[i] = p[i] * p[i];
    return p;
}

static sn_real *copy_of(struct kt *t, const sn_real *p, size_t n) {
    sn_real *c = kt_reals(t, n);
    memcpy(c, p, n * sizeof *p);
    kt_keep(t, c);
    return c;
}

static const double penalties[][2] = {{0, 0}, {0.5, 0}, {0, 0.25}, {0.125, 0.5}};

/* Gradient with regularisers of element i, and its share of the sums. */
static double regularized(const sn_real *w, const sn_real *g, size_t i, const double l[2], double want[2]) {
    double r = (double)(sn_real)(g[i] + l[0] * (w[i] > 0 ? 1 : w[i] < 0 ? -1 : 0) + 2 * l[1] * w[i]);
    want[0] += r * r;
    want[1] += l[0] * fabs((double)w[i]) + l[1] * w[i] * w[i];
    return r;
}

static void grad_norm(struct kt *t) {
    for (size_t s = 0; s < 4 * N_SIZES; s++) {
        size_t n = (size_t)sizes[s / 4];
        const double *l = penalties[s % 4];
        double want[2] = {0, 0}, sums[2] = {-1, -1};
        kt_begin(t, "n %zu l1 %g l2 %g", n, l[0], l[1]);
        sn_real *w = kt_values(t, n), *g = kt_values(t, n);
        if (n > 3) w[3] = 0;
        kt_keep(t, g);
        kt_keep(t, w);
        t->k->grad_norm(&(struct sn_grad_norm){(int64_t)n, w, g, l[0], l[1], sums});
        for (size_t i = 0; i < n; i++) regularized(w, g, i, l, want);
        kt_check(t, (sn_real)sums[0], want[0]);
        kt_check(t, (sn_real)sums[1], want[1]);
    }
}

/* Operands of an update, as they were, and what its sums must be. */
struct update {
    struct sn_update u;
    size_t n;
    const double *l;
    sn_real *w0, *g0;
    double sums[2], want[2];
};

static void update_begin(struct kt *t, size_t s, struct update *p) {
    p->n = (size_t)sizes[s / 4];
    p->l = penalties[s % 4];
    p->want[0] = p->want[1] = 0;
    p->sums[0] = p->sums[1] = -1;
    sn_real *w = kt_values(t, p->n), *g = kt_values(t, p->n);
    if (p->n > 3) w[3] = 0;
    p->w0 = copy_of(t, w, p->n);
    p->g0 = copy_of(t, g, p->n);
    p->u = (struct sn_update){(int64_t)p->n, w, g, p->l[0], p->l[1], 0.5, s % 3 ? p->sums : NULL};
}

static void update_end(struct kt *t, const struct update *p) {
    for (size_t i = 0; i < p->n; i++) kt_check(t, p->u.g[i], 0);
    kt_check(t, (sn_real)p->sums[0], p->u.sums ? p->want[0] : -1);
    kt_check(t, (sn_real)p->sums[1], p->u.sums ? p->want[1] : -1);
}

static void adam(struct kt *t) {
    for (size_t s = 0; s < 4 * N_SIZES; s++) {
        struct update p;
        kt_begin(t, "n %d penalty %zu", (int)sizes[s / 4], s % 4);
        update_begin(t, s, &p);
        sn_real *m = kt_values(t, p.n), *v = positive(t, p.n), *m0 = copy_of(t, m, p.n), *v0 = copy_of(t, v, p.n);
        t->k->adam(&(struct sn_adam){p.u, m, v, 0.01, 0.9, 0.999, 1e-7});
        for (size_t i = 0; i < p.n; i++) {
            double gi = 0.5 * regularized(p.w0, p.g0, i, p.l, p.want), mi = 0.9 * m0[i] + (1 - 0.9) * gi;
            kt_check(t, m[i], mi);
            kt_check(t, v[i], 0.999 * v0[i] + (1 - 0.999) * gi * gi);
            double root = sqrt((double)v[i]) + 1e-7; /* of the value as stored: tiny v are ill-conditioned */
            kt_check(t, p.u.w[i], p.w0[i] - 0.01 * m[i] / root);
        }
        update_end(t, &p);
    }
}

static void sgd(struct kt *t) {
    for (size_t s = 0; s < 12 * N_SIZES; s++) {
        struct update p;
        size_t kind = s / (4 * N_SIZES);
        double momentum = kind ? 0.9 : 0;
        int nesterov = kind == 2;
        kt_begin(t, "n %d momentum %g nesterov %d", (int)sizes[s % (4 * N_SIZES) / 4], momentum, nesterov);
        update_begin(t, s % (4 * N_SIZES), &p);
        sn_real *v = kind ? kt_values(t, p.n) : NULL, *v0 = v ? copy_of(t, v, p.n) : NULL;
        t->k->sgd(&(struct sn_sgd){p.u, v, 0.01, momentum, nesterov});
        for (size_t i = 0; i < p.n; i++) {
            double step = 0.01 * 0.5 * regularized(p.w0, p.g0, i, p.l, p.want), u = momentum * (v ? v0[i] : 0) - step;
            if (v) kt_check(t, v[i], u);
            kt_check(t, p.u.w[i], p.w0[i] + (nesterov ? momentum * u - step : u));
        }
        update_end(t, &p);
    }
}

const struct kt_case SN_SYM(kt_cases_optim)[] = {
    {"grad_norm", 1e-6, grad_norm},
    {"adam", 1e-6, adam},
    {"sgd", 1e-6, sgd},
    {NULL, 0, NULL},
};
