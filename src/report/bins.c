/* Counts of values in round bins. */
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/mem.h"
#include "report/parts.h"

#define MOST_BINS 50
#define PER_DECADE 4

static int make(struct sn_bins *b, double lo, double width, int n) {
    *b = (struct sn_bins){.lo = lo, .width = width, .n = n, .count = sn_calloc((size_t)n, sizeof *b->count)};
    return b->count ? 0 : SEQNET_ENOMEM;
}

static void count(struct sn_bins *b, double v) {
    double i = floor((v - b->lo) / b->width);
    if (v == b->lo + b->n * b->width) i = b->n - 1; /* the upper end belongs to the last bin */
    if (i >= 0 && i < b->n) b->count[(int)i]++;
}

int sn_pattern_bins(const struct sn_report *r, int i, struct sn_bins *out) {
    const struct sn_report_pattern *p = &r->patterns[i];
    double half = (double)r->longest / 2;
    if (half < 1) half = 1;
    double width = sn_nice_step(2 * half, MOST_BINS);
    if (width < 1) width = 1;
    int n = (int)ceil(half / width);
    SN_TRY(make(out, -n * width, width, 2 * n));
    for (int64_t k = 0; k < p->n_positions; k++)
        if (isfinite(p->position[k])) count(out, p->position[k]);
    return 0;
}

int sn_bins_decades(const float *v, int64_t n, struct sn_bins *out, int64_t *zeros, int64_t *odd) {
    double lo = INFINITY, hi = -INFINITY;
    *zeros = *odd = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = fabs((double)v[i]);
        *odd += !isfinite(x);
        *zeros += x == 0;
        if (!isfinite(x) || x == 0) continue;
        if (x < lo) lo = x;
        if (x > hi) hi = x;
    }
    if (!(lo <= hi)) return make(out, 0, 1, 0);
    double from = floor(log10(lo)), to = floor(log10(hi)) + 1;
    SN_TRY(make(out, from, 1.0 / PER_DECADE, (int)(to - from) * PER_DECADE));
    for (int64_t i = 0; i < n; i++) {
        double x = fabs((double)v[i]);
        if (isfinite(x) && x > 0) count(out, log10(x));
    }
    return 0;
}
