#include "harness.h"
#include "oracle.h"

#define ROWS 4

struct batch {
    struct sn_t3 z, dz; /* one position a row */
    sn_real *t, *w, *cw, *loss;
};

/* Targets: bce 0, 1 or soft; cce one-hot, every fifth row soft; mse any; some missing. */
static void targets(struct kt *t, enum sn_loss_kind kind, int tasks, sn_real *out) {
    for (int i = 0; i < ROWS; i++) {
        sn_real *row = out + i * tasks;
        int class = kt_below(t, tasks);
        for (int j = 0; j < tasks; j++) {
            sn_real soft = (sn_real)kt_below(t, 1025) / 1024;
            if (kind == SN_LOSS_BCE)
                row[j] = kt_below(t, 4) == 0 ? soft : (sn_real)kt_below(t, 2);
            else if (kind == SN_LOSS_CCE)
                row[j] = j == class;
            else
                row[j] = kt_value(t);
            if (kind != SN_LOSS_CCE && kt_below(t, 5) == 0) row[j] = (sn_real)NAN;
        }
        if (kind == SN_LOSS_CCE && i == 1 && tasks > 1) row[class] = row[(class + 1) % tasks] = (sn_real)0.5;
        if (kind == SN_LOSS_CCE && i == 2) row[class] = (sn_real)NAN;
    }
}

static struct batch make(struct kt *t, enum sn_loss_kind kind, int tasks, bool weights, bool classes) {
    struct batch b = {0};
    size_t n = ROWS * (size_t)tasks;
    const int32_t *len = kt_ones(t, ROWS);
    b.z = kt_t3_values(t, ROWS, tasks, len, weights);
    b.dz = kt_t3(t, ROWS, tasks, len, classes);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < tasks; j++) *kt_at(&b.z, i, 0, j) *= (sn_real)(j % 7 == 6 ? 40 : j % 3 == 1 ? 5 : 1);
    b.t = kt_reals(t, n);
    targets(t, kind, tasks, b.t);
    kt_keep(t, b.z.p);
    kt_keep(t, b.t);
    if (weights) b.w = kt_values(t, ROWS);
    if (classes) b.cw = kt_values(t, 2 * (size_t)tasks);
    b.loss = kt_reals(t, ROWS);
    return b;
}

/* Loss and derivative of one task (bce, mse). */
static double plain_task(enum sn_loss_kind kind, double z, double y, double *d) {
    *d = kind == SN_LOSS_BCE ? or_sigmoid(z) - y : 2 * (z - y);
    return kind == SN_LOSS_BCE ? fmax(z, 0) - z * y + log1p(exp(-fabs(z))) : (z - y) * (z - y);
}

static double plain_row(enum sn_loss_kind kind, const sn_real *z, const sn_real *y, int n, double w, const sn_real *cw, double *dz) {
    double loss = 0, top = -INFINITY, sum = 0, zt = 0, class = 0;
    if (kind != SN_LOSS_CCE) {
        for (int j = 0; j < n; j++) {
            double d, v = w * (cw && kind == SN_LOSS_BCE ? (double)y[j] * cw[2 * j + 1] + (1 - (double)y[j]) * cw[2 * j] : 1);
            double l = plain_task(kind, z[j], y[j], &d);
            dz[j] = isnan(y[j]) ? 0 : v * d;
            loss += isnan(y[j]) ? 0 : v * l;
        }
        return loss;
    }
    bool seen = true;
    for (int j = 0; j < n; j++) top = fmax(top, z[j]);
    for (int j = 0; j < n; j++) {
        seen = seen && !isnan(y[j]);
        sum += exp(z[j] - top);
        zt += (z[j] - top) * y[j];
        class += y[j] * (cw ? cw[j] : 1);
    }
    double v = seen ? cw ? w * class : w : 0;
    for (int j = 0; j < n; j++) dz[j] = seen ? v * (exp(z[j] - top) / sum - y[j]) : 0;
    return seen ? v * (log(sum) - zt) : 0;
}

static void losses(struct kt *t) {
    static const int tasks[] = {1, 2, 3, 15, 16, 17, 33, 100};
    static const enum sn_loss_kind kinds[] = {SN_LOSS_BCE, SN_LOSS_CCE, SN_LOSS_MSE};
    for (size_t s = 0; s < sizeof tasks / sizeof *tasks * 3 * 4; s++) {
        int n = tasks[s / 12];
        enum sn_loss_kind kind = kinds[s % 3];
        bool weights = s / 3 % 2, classes = s / 6 % 2;
        kt_begin(t, "kind %d tasks %d weights %d class weights %d", (int)kind, n, weights, classes);
        struct batch b = make(t, kind, n, weights, classes);
        const sn_real scale = (sn_real)0.25;
        t->k->loss(&(struct sn_loss){kind, ROWS, n, b.z.row, b.dz.row, b.z.p, b.t, b.w, b.cw, scale, b.loss, b.dz.p});
        kt_t3_written(t, &b.dz, ROWS);
        for (int i = 0; i < ROWS; i++) {
            double dz[100], loss = plain_row(kind, kt_at(&b.z, i, 0, 0), b.t + i * n, n, b.w ? b.w[i] : 1, b.cw, dz);
            kt_check(t, b.loss[i], loss);
            for (int j = 0; j < n; j++) kt_check(t, *kt_at(&b.dz, i, 0, j), scale * dz[j]);
        }
        sn_real *again = kt_reals(t, ROWS); /* loss only */
        t->k->loss(&(struct sn_loss){kind, ROWS, n, b.z.row, 0, b.z.p, b.t, b.w, b.cw, scale, again, NULL});
        kt_same(t, again, b.loss, ROWS * sizeof *again, "loss without gradient");
    }
}

/* A confident right answer keeps its small loss; a NaN logit is no missing target, and a missing target silences any logit. */
static void ends(struct kt *t) {
    kt_begin(t, "ends");
    const sn_real z[] = {30, -30, 90, -90}, y[] = {1, 0, 1, 0};
    sn_real loss[4];
    t->k->loss(&(struct sn_loss){SN_LOSS_BCE, 4, 1, 1, 0, z, y, NULL, NULL, 1, loss, NULL});
    double small = log1p(exp(-30.0));
    for (int i = 0; i < 2; i++)
        if (fabs((double)loss[i] - small) > 1e-5 * small) kt_fail(t, "loss %.9g, expected %.9g", (double)loss[i], small);
    for (int i = 0; i < 4; i++) kt_check(t, (sn_real)(loss[i] >= 0 && loss[i] < 1e-12), 1);
    for (int kind = 0; kind < 3; kind++) {
        const sn_real zn[] = {(sn_real)NAN, 1}, yn[] = {1, 0};
        t->k->loss(&(struct sn_loss){(enum sn_loss_kind)kind, 1, 2, 2, 0, zn, yn, NULL, NULL, 1, loss, NULL});
        kt_check(t, loss[0], NAN);
        const sn_real missing[] = {(sn_real)NAN, (sn_real)NAN};
        sn_real dz[] = {9, 9};
        t->k->loss(&(struct sn_loss){(enum sn_loss_kind)kind, 1, 2, 2, 2, zn, missing, NULL, NULL, 1, loss, dz});
        kt_check(t, loss[0], 0);
        kt_check(t, dz[0], 0);
        kt_check(t, dz[1], 0);
    }
}

const struct kt_case SN_SYM(kt_cases_loss)[] = {
    {"loss", 1e-5, losses},
    {"loss, ends", 0, ends},
    {NULL, 0, NULL},
};
