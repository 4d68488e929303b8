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

static void grad_finish(struct kt *t) {
    static const double penalties[][2] = {{0, 0}, {0.5, 0}, {0, 0.25}, {0.125, 0.5}};
    for (size_t s = 0; s < 4 * N_SIZES; s++) {
        size_t n = (size_t)sizes[s / 4];
        double l1 = penalties[s % 4][0], l2 = penalties[s % 4][1], square = 0, penalty = 0, sums[2] = {-1, -1};
        kt_begin(t, "n %zu l1 %g l2 %g", n, l1, l2);
        sn_real *w = kt_values(t, n), *g = kt_values(t, n);
        if (n > 3) w[3] = 0;
        sn_real *old = copy_of(t, g, n);
        kt_keep(t, w);
        t->k->grad_finish(&(struct sn_grad_finish){(int64_t)n, w, g, l1, l2, sums});
        for (size_t i = 0; i < n; i++) {
            kt_check(t, g[i], old[i] + l1 * (w[i] > 0 ? 1 : w[i] < 0 ? -1 : 0) + 2 * l2 * w[i]);
            square += (double)g[i] * g[i];
            penalty += l1 * fabs((double)w[i]) + l2 * w[i] * w[i];
        }
        kt_check(t, (sn_real)sums[0], square);
        kt_check(t, (sn_real)sums[1], penalty);
    }
}

static void adam(struct kt *t) {
    for (size_t s = 0; s < N_SIZES; s++) {
        size_t n = (size_t)sizes[s];
        kt_begin(t, "n %zu", n);
        sn_real *w = kt_values(t, n), *m = kt_values(t, n), *v = positive(t, n), *g = kt_values(t, n);
        sn_real *w0 = copy_of(t, w, n), *m0 = copy_of(t, m, n), *v0 = copy_of(t, v, n);
        kt_keep(t, g);
        t->k->adam(&(struct sn_adam){(int64_t)n, w, m, v, g, 0.5, 0.01, 0.9, 0.999, 1e-7});
        for (size_t i = 0; i < n; i++) {
            double gi = 0.5 * g[i], mi = 0.9 * m0[i] + (1 - 0.9) * gi, vi = 0.999 * v0[i] + (1 - 0.999) * gi * gi;
            kt_check(t, m[i], mi);
            kt_check(t, v[i], vi);
            double root = sqrt((double)v[i]) + 1e-7; /* of the value as stored: tiny v are ill-conditioned */
            double want = w0[i] - 0.01 * m[i] / root;
            kt_check(t, w[i], want);
        }
    }
}

static void sgd(struct kt *t) {
    for (size_t s = 0; s < 3 * N_SIZES; s++) {
        size_t n = (size_t)sizes[s / 3];
        double momentum = s % 3 ? 0.9 : 0;
        int nesterov = s % 3 == 2;
        kt_begin(t, "n %zu momentum %g nesterov %d", n, momentum, nesterov);
        sn_real *w = kt_values(t, n), *v = s % 3 ? kt_values(t, n) : NULL, *g = kt_values(t, n);
        sn_real *w0 = copy_of(t, w, n), *v0 = v ? copy_of(t, v, n) : NULL;
        kt_keep(t, g);
        t->k->sgd(&(struct sn_sgd){(int64_t)n, w, v, g, 0.5, 0.01, momentum, nesterov});
        for (size_t i = 0; i < n; i++) {
            double step = 0.01 * 0.5 * g[i], u = momentum * (v ? v0[i] : 0) - step;
            if (v) kt_check(t, v[i], u);
            kt_check(t, w[i], w0[i] + (nesterov ? momentum * u - step : u));
        }
    }
}

const struct kt_case SN_SYM(kt_cases_optim)[] = {
    {"grad_finish", 1e-6, grad_finish},
    {"adam", 1e-6, adam},
    {"sgd", 1e-6, sgd},
    {NULL, 0, NULL},
};
