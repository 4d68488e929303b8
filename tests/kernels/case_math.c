/* Our own functions against libm in double, over dense sweeps. Relative error: sums of losses and saturated units rest on small values. */
#define SN_FMA(a, b, c) fma(a, b, c)
#ifndef SN_DOUBLE
#undef SN_FMA
#define SN_FMA(a, b, c) fmaf(a, b, c)
#endif
#include "harness.h"
#include "oracle.h"

#include "cpu/tmpl/mathfn.h"

#define POINTS 20000

static void sweep(struct kt *t, const char *name, sn_real (*f)(sn_real), double (*want)(double), double lo, double hi, double tol) {
    double worst = 0, at = lo;
    for (int i = 0; i <= POINTS; i++) {
        float x = (float)(lo + (hi - lo) * i / POINTS); /* the same in both builds */
        double w = want((double)x), error = fabs((double)f((sn_real)x) - w) / (fabs(w) + 1e-37);
        if (error <= worst) continue;
        worst = error;
        at = (double)x;
    }
    if (sizeof(sn_real) == sizeof(double)) tol = 4e-16;
    kt_check(t, (sn_real)(worst <= tol), 1);
    if (worst > tol) kt_fail(t, "%s(%.9g): relative error %.3g", name, at, worst);
}

static double softplus(double x) {
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static void accuracy(struct kt *t) {
    kt_begin(t, "accuracy");
    sweep(t, "exp", sn_m_exp, exp, -86, 88.7, 1e-7);
    sweep(t, "exp", sn_m_exp, exp, -1, 1, 1e-7);
    sweep(t, "expm1", sn_m_expm1, expm1, -30, 87, 1.5e-7);
    sweep(t, "expm1", sn_m_expm1, expm1, -0.01, 0.01, 1.5e-7);
    sweep(t, "log", sn_m_log, log, 1e-6, 4, 1e-7);
    sweep(t, "log", sn_m_log, log, 0.9, 1.1, 1e-7);
    sweep(t, "log", sn_m_log, log, 1, 1e30, 1e-7);
    sweep(t, "log1p", sn_m_log1p, log1p, -0.99, 10, 1.5e-7);
    sweep(t, "log1p", sn_m_log1p, log1p, -1e-3, 1e-3, 1.5e-7);
    sweep(t, "tanh", sn_m_tanh, tanh, -12, 12, 2e-7);
    sweep(t, "tanh", sn_m_tanh, tanh, -0.01, 0.01, 2e-7);
    sweep(t, "sigmoid", sn_m_sigmoid, or_sigmoid, -80, 80, 2e-7);
    sweep(t, "softplus", sn_m_softplus, softplus, -80, 80, 2e-7);
    sweep(t, "softplus", sn_m_softplus, softplus, -2, 2, 2e-7);
}

/* Published quotients at (1.3, -0.4) and (-2, 0.7), and in the limit. */
static void quotients(struct kt *t) {
    kt_begin(t, "quotients");
    const struct {
        sn_real got;
        double want;
    } pairs[] = {{sn_m_rho_exp((sn_real)1.3, (sn_real)-.4), 1.7641039},    {sn_m_rho_exp((sn_real)-2, (sn_real).7), .695710157},
                 {sn_m_rho_exp((sn_real).5, (sn_real).5), exp(.5)},        {sn_m_rho_relu((sn_real)1.3, (sn_real)-.4), .764705882},
                 {sn_m_rho_sigmoid((sn_real)-2, (sn_real).7), .203327722}, {sn_m_rho_tanh((sn_real)-2, (sn_real).7), .580887169}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        bool near = fabs((double)pairs[i].got - pairs[i].want) < 1e-6;
        kt_check(t, (sn_real)near, 1);
        if (!near) kt_fail(t, "quotient %zu is %.9g", i, (double)pairs[i].got);
    }
}

static void ends(struct kt *t) {
    kt_begin(t, "ends");
    const sn_real inf = (sn_real)INFINITY, nan = (sn_real)NAN;
    kt_check(t, sn_m_exp(inf), INFINITY);
    kt_check(t, sn_m_exp(-inf), 0);
    kt_check(t, sn_m_exp(nan), NAN);
    kt_check(t, sn_m_log(0), -INFINITY);
    kt_check(t, sn_m_log(inf), INFINITY);
    kt_check(t, sn_m_log(-1), NAN);
    kt_check(t, sn_m_log(nan), NAN);
    kt_check(t, sn_m_log1p(inf), INFINITY);
    kt_check(t, sn_m_tanh(inf), 1);
    kt_check(t, sn_m_tanh(-inf), -1);
    kt_check(t, sn_m_tanh(nan), NAN);
    kt_check(t, sn_m_sigmoid(-inf), 0);
    kt_check(t, sn_m_relu(nan), NAN);
    kt_check(t, sn_m_softplus(200), 200);
}

const struct kt_case SN_SYM(kt_cases_math)[] = {
    {"math, accuracy", 0, accuracy},
    {"math, quotients", 0, quotients},
    {"math, ends", 0, ends},
    {NULL, 0, NULL},
};
