/* What slots should give, as plain formulas in double with libm. */
#ifndef SN_TESTS_KERNELS_ORACLE_H
#define SN_TESTS_KERNELS_ORACLE_H

#include "harness.h"

static inline double or_sigmoid(double x) {
    return x > 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static inline double or_unary(enum sn_unary kind, double x) {
    if (isnan(x)) return x;
    return kind == SN_RELU ? fmax(x, 0) : kind == SN_SIGMOID ? (x < -700 ? 0 : or_sigmoid(x)) : tanh(x);
}

static inline double or_derivative(enum sn_unary kind, double x) {
    if (kind == SN_RELU) return x > 0;
    if (kind == SN_SIGMOID) return or_sigmoid(x) * or_sigmoid(-x);
    return 4 * or_sigmoid(2 * x) * or_sigmoid(-2 * x);
}

/* rho_f(a, b) = (f(a) - f(b)) / (a - b): where it cancels, the sum over Gauss points of f' between b and a. */
static inline double or_rho(enum sn_unary kind, double a, double b) {
    static const double node[] = {0.1834346424956498, 0.5255324099163290, 0.7966664774136267, 0.9602898564975363};
    static const double weight[] = {0.3626837833783620, 0.3137066458778873, 0.2223810344533745, 0.1012285362903763};
    if (a == b) return or_derivative(kind, a);
    if (kind == SN_TANH) return 4 * or_rho(SN_SIGMOID, 2 * a, 2 * b);
    if (kind == SN_SIGMOID && a + b > 0) return or_rho(kind, -a, -b); /* the side where 1 - s does not cancel */
    if (kind == SN_RELU || fabs(a - b) > 1) return (or_unary(kind, a) - or_unary(kind, b)) / (a - b);

    double sum = 0, half = (a - b) / 2, middle = (a + b) / 2;
    for (int i = 0; i < 4; i++)
        sum += weight[i] * (or_derivative(kind, middle + half * node[i]) + or_derivative(kind, middle - half * node[i]));
    return sum / 2;
}

#endif
