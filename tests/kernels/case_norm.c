#include "harness.h"

static const double eps = 1e-3;

/* Mean, sum of squared differences and count of channel c. */
static void plain_stats(const struct sn_t3 *x, int n, int c, double *mean, double *square, double *count) {
    *mean = *square = *count = 0;
    for (int i = 0; i < n; i++)
        for (int64_t q = 0; q < x->len[i]; q++, *count += 1) *mean += *kt_at(x, i, q, c);
    *mean = *count > 0 ? *mean / *count : 0;
    for (int i = 0; i < n; i++)
        for (int64_t q = 0; q < x->len[i]; q++) *square += (*kt_at(x, i, q, c) - *mean) * (*kt_at(x, i, q, c) - *mean);
}

/* Joined statistics as a kernel would leave them, from plain sums. */
static sn_real *stats_of(struct kt *t, const struct sn_t3 *x, int n) {
    sn_real *part = kt_reals(t, 2 * (size_t)x->ch + 1);
    double mean, square, count;
    for (int c = 0; c < x->ch; c++) {
        plain_stats(x, n, c, &mean, &square, &count);
        part[c] = (sn_real)(float)mean;
        part[x->ch + c] = (sn_real)(float)square;
        part[2 * x->ch] = (sn_real)count;
    }
    kt_keep(t, part);
    return part;
}

static void stats(struct kt *t) {
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++) {
        if (s % 7 == 0) longest *= 20; /* several blocks */
        kt_begin(t, "ch %d len %d wide %d", ch, longest, wide);
        const int32_t *len = kt_lens(t, KT_ROWS, longest);
        struct sn_t3 x = kt_t3_values(t, KT_ROWS, ch, len, wide);
        sn_real *part = kt_reals(t, 2 * (size_t)ch + 1);
        kt_keep(t, x.p);
        t->k->bn_stats(&(struct sn_bn_stats){KT_ROWS, x, part});
        double mean, square, count = 0;
        for (int c = 0; c < ch; c++) {
            plain_stats(&x, KT_ROWS, c, &mean, &square, &count);
            kt_check(t, part[c], mean);
            kt_check(t, part[ch + c], square);
        }
        kt_check(t, part[2 * ch], count);
    }
}

/* Statistics of two halves, joined, are those of the whole; an empty half changes nothing. */
static void join(struct kt *t) {
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++) {
        kt_begin(t, "ch %d len %d wide %d", ch, longest, wide);
        const int32_t *len = kt_lens(t, KT_ROWS, longest);
        struct sn_t3 x = kt_t3_values(t, KT_ROWS, ch, len, wide);
        for (int split = 0; split <= KT_ROWS; split++) {
            struct sn_t3 rest = x;
            rest.p += split * x.row;
            rest.len += split;
            sn_real *a = kt_reals(t, 2 * (size_t)ch + 1), *b = kt_reals(t, 2 * (size_t)ch + 1);
            t->k->bn_stats(&(struct sn_bn_stats){split, x, a});
            t->k->bn_stats(&(struct sn_bn_stats){KT_ROWS - split, rest, b});
            kt_keep(t, b);
            t->k->bn_join(&(struct sn_bn_join){ch, a, b});
            double mean, square, count = 0;
            for (int c = 0; c < ch; c++) {
                plain_stats(&x, KT_ROWS, c, &mean, &square, &count);
                kt_check(t, a[c], mean);
                kt_check(t, a[ch + c], square);
            }
            kt_check(t, a[2 * ch], count);
        }
    }
}

static void forward(struct kt *t) {
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++)
        for (int train = 0; train < 2; train++) {
            if (longest == 0 && train) continue; /* no statistics */
            kt_begin(t, "train %d ch %d len %d wide %d", train, ch, longest, wide);
            const int32_t *len = kt_lens(t, KT_ROWS, longest);
            struct sn_t3 x = kt_t3_values(t, KT_ROWS, ch, len, wide), y = kt_t3(t, KT_ROWS, ch, len, s % 3 == 0);
            sn_real *gamma = kt_values(t, (size_t)ch), *beta = kt_values(t, (size_t)ch), *mean = kt_values(t, (size_t)ch);
            sn_real *var = kt_values(t, (size_t)ch), *st = stats_of(t, &x, KT_ROWS);
            for (int c = 0; c < ch; c++) var[c] = var[c] * var[c];
            kt_keep(t, x.p);
            struct sn_bn_fwd a = {KT_ROWS, x, y, NULL, mean, var, gamma, beta, eps};
            if (train) a = (struct sn_bn_fwd){KT_ROWS, x, y, st, NULL, NULL, gamma, beta, eps};
            t->k->bn_fwd(&a);
            kt_t3_written(t, &y, KT_ROWS);
            for (int i = 0; i < KT_ROWS; i++)
                for (int64_t q = 0; q < len[i]; q++)
                    for (int c = 0; c < ch; c++) {
                        double m = train ? st[c] : mean[c], v = train ? (double)st[ch + c] / st[2 * ch] : var[c];
                        kt_check(t, *kt_at(&y, i, q, c), (*kt_at(&x, i, q, c) - m) / sqrt(v + eps) * gamma[c] + beta[c]);
                    }
        }
}

/* The gradient of sum(g*y) with the statistics taken from x. */
static void backward(struct kt *t) {
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++) {
        if (longest == 0) continue;
        kt_begin(t, "ch %d len %d wide %d", ch, longest, wide);
        const int32_t *len = kt_lens(t, KT_ROWS, longest);
        struct sn_t3 x = kt_t3_values(t, KT_ROWS, ch, len, wide), dy = kt_t3_values(t, KT_ROWS, ch, len, s % 3 == 0);
        struct sn_t3 dx = kt_t3(t, KT_ROWS, ch, len, s % 5 == 0);
        sn_real *gamma = kt_values(t, (size_t)ch), *st = stats_of(t, &x, KT_ROWS), *part = kt_reals(t, 2 * (size_t)ch);
        kt_keep(t, x.p);
        kt_keep(t, dy.p);
        t->k->bn_bwd_stats(&(struct sn_bn_bwd_stats){KT_ROWS, x, dy, st, eps, part});
        t->k->bn_bwd(&(struct sn_bn_bwd){KT_ROWS, x, dy, dx, st, part, gamma, eps});
        kt_t3_written(t, &dx, KT_ROWS);
        for (int c = 0; c < ch; c++) {
            double sum = 0, product = 0, inv = 1 / sqrt((double)st[ch + c] / st[2 * ch] + eps);
            for (int i = 0; i < KT_ROWS; i++)
                for (int64_t q = 0; q < len[i]; q++) {
                    sum += *kt_at(&dy, i, q, c);
                    product += *kt_at(&dy, i, q, c) * ((double)*kt_at(&x, i, q, c) - st[c]) * inv;
                }
            kt_check(t, part[c], sum);
            kt_check(t, part[ch + c], product);
            for (int i = 0; i < KT_ROWS; i++)
                for (int64_t q = 0; q < len[i]; q++) {
                    double xhat = ((double)*kt_at(&x, i, q, c) - st[c]) * inv;
                    kt_check(t, *kt_at(&dx, i, q, c),
                             gamma[c] * inv * (*kt_at(&dy, i, q, c) - sum / st[2 * ch] - xhat * product / st[2 * ch]));
                }
        }
    }
}

static void scale_update(struct kt *t) {
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++) {
        kt_begin(t, "ch %d len %d wide %d", ch, longest, wide);
        const int32_t *len = kt_lens(t, KT_ROWS, longest);
        struct sn_t3 dy = kt_t3_values(t, KT_ROWS, ch, len, wide), dx = kt_t3(t, KT_ROWS, ch, len, s % 3 == 0);
        sn_real *gamma = kt_values(t, (size_t)ch), *var = kt_values(t, (size_t)ch);
        for (int c = 0; c < ch; c++) var[c] = var[c] * var[c];
        kt_keep(t, dy.p);
        t->k->bn_scale(&(struct sn_bn_scale){KT_ROWS, dy, dx, var, gamma, eps});
        kt_t3_written(t, &dx, KT_ROWS);
        for (int i = 0; i < KT_ROWS; i++)
            for (int64_t q = 0; q < len[i]; q++)
                for (int c = 0; c < ch; c++) kt_check(t, *kt_at(&dx, i, q, c), *kt_at(&dy, i, q, c) * gamma[c] / sqrt(var[c] + eps));
        if (longest == 0) continue;
        sn_real *st = stats_of(t, &dy, KT_ROWS), *mean = kt_values(t, (size_t)ch), *moving = kt_values(t, (size_t)ch);
        sn_real *mean0 = kt_reals(t, (size_t)ch), *moving0 = kt_reals(t, (size_t)ch);
        memcpy(mean0, mean, (size_t)ch * sizeof *mean);
        memcpy(moving0, moving, (size_t)ch * sizeof *mean);
        t->k->bn_update(&(struct sn_bn_update){ch, st, mean, moving, 0.99});
        for (int c = 0; c < ch; c++) {
            kt_check(t, mean[c], 0.99 * mean0[c] + (1 - 0.99) * st[c]);
            kt_check(t, moving[c], 0.99 * moving0[c] + (1 - 0.99) * st[ch + c] / st[2 * ch]);
        }
    }
}

const struct kt_case SN_SYM(kt_cases_norm)[] = {
    {"bn_stats", 3e-6, stats},
    {"bn_join", 5e-6, join},
    {"bn_fwd", 5e-6, forward},
    {"bn_bwd_stats, bn_bwd", 5e-5, backward},
    {"bn_scale, bn_update", 1e-6, scale_update},
    {NULL, 0, NULL},
};
