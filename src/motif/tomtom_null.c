#include "motif/tomtom_null.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"

enum { PREFIX, SUFFIX, INNER };

static int reach(const struct sn_null *n) {
    return n->width * (n->bins + 1);
}

int sn_null_make(struct sn_null *n, const struct sn_motif_loops *loops, int width, int widest, int bins) {
    memset(n, 0, sizeof *n);
    n->loops = loops;
    n->width = width;
    n->widest = widest;
    n->bins = bins;
    n->held = sn_calloc((size_t)width, (size_t)(2 * bins + 3) * sizeof *n->held);
    n->density = sn_calloc((size_t)width, (size_t)(2 * bins + 3) * sizeof *n->density);
    n->rank = sn_calloc(2 * (size_t)reach(n) + 1, sizeof *n->rank);
    n->asked = sn_calloc(2 * (size_t)reach(n) + 1, sizeof *n->asked);
    return n->held && n->density && n->rank && n->asked ? 0 : SEQNET_ENOMEM;
}

void sn_null_free(struct sn_null *n) {
    free(n->held);
    free(n->density);
    free(n->rank);
    free(n->asked);
    free(n->log_less);
    free(n->p);
    memset(n, 0, sizeof *n);
}

void sn_null_count(struct sn_null *n, int column, const int32_t *count) {
    int64_t *held = n->held + (int64_t)column * (2 * n->bins + 3) + n->bins + 1;
    for (int v = -n->bins - 1; v <= n->bins + 1; v++) held[v] = count[(uint8_t)v];
}

void sn_null_counted(struct sn_null *n, int64_t total) {
    int span = 2 * n->bins + 3, low = span, high = 0;
    for (int i = 0; i < n->width; i++) {
        for (int v = 0; v < span; v++) {
            if (n->held[(int64_t)i * span + v] == 0) continue;
            if (v < low) low = v;
            if (v > high) high = v;
        }
    }
    n->lowest = low - n->bins - 1;
    n->levels = high - low + 1;
    for (int i = 0; i < n->width; i++)
        for (int v = 0; v < n->levels; v++)
            n->density[(int64_t)i * n->levels + v] = (double)n->held[(int64_t)i * span + low + v] / (double)total;
}

void sn_null_ask(struct sn_null *n, int sum) {
    n->rank[sum + reach(n)] = 1;
}

/* Takes one span's distribution, `sum` of `len` columns: the log of P(sum < asked), for all that was asked. */
static void add_span(struct sn_null *n, int kind, int len, const double *sum) {
    double tail = 0, *out = n->log_less + ((int64_t)kind * (n->width + 1) + len) * n->n_asked;
    int top = len * (n->levels - 1);
    for (int r = 0; r < n->n_asked; r++) {
        int from = n->asked[r] - len * n->lowest;
        for (; top >= from && top >= 0; top--) tail += sum[top];
        if (from <= 0 || tail >= 1)
            out[r] = -INFINITY;
        else if (tail > 0)
            out[r] += log1p(-tail);
    }
}

/* All spans that begin with query column `from`, growing by one column at a time; a and b: room for the longest. */
static void add_spans_from(struct sn_null *n, int from, double *a, double *b) {
    int most = n->width - from < n->widest ? n->width - from : n->widest;
    memcpy(a, n->density + (int64_t)from * n->levels, (size_t)n->levels * sizeof *a);
    for (int len = 1;; len++) {
        if (from == 0) add_span(n, PREFIX, len, a);
        if (from + len == n->width && from > 0) add_span(n, SUFFIX, len, a);
        if (from > 0 && from + len < n->width) add_span(n, INNER, len, a);
        if (len == most) break;
        n->loops->convolve(a, len * (n->levels - 1) + 1, n->density + (int64_t)(from + len) * n->levels, n->levels, b);
        double *t = a;
        a = b;
        b = t;
    }
}

int sn_null_compute(struct sn_null *n, int min_overlap) {
    size_t room = (size_t)n->width * (size_t)n->levels;
    double *a = sn_calloc(2 * room, sizeof *a);
    n->min_overlap = min_overlap;
    for (int i = 2 * reach(n); i >= 0; i--) {
        if (n->rank[i] == 0) continue;
        n->rank[i] = n->n_asked;
        n->asked[n->n_asked++] = i - reach(n);
    }
    n->log_less = sn_calloc(3 * (size_t)(n->width + 1), (size_t)n->n_asked * sizeof *n->log_less);
    n->p = sn_calloc((size_t)(n->widest + 1), (size_t)n->n_asked * sizeof *n->p);
    if (!a || !n->log_less || !n->p) {
        free(a);
        return SEQNET_ENOMEM;
    }
    for (int64_t i = 0; i < (int64_t)(n->widest + 1) * n->n_asked; i++) n->p[i] = -1;
    for (int from = 0; from < n->width; from++) add_spans_from(n, from, a, a + room);
    free(a);
    return 0;
}

/* Offsets are taken as independent: the product over offsets of P(sum of the columns that overlap < asked). */
static double compute_p(const struct sn_null *n, int width, int r) {
    const double *log_less = n->log_less + r;
    int shorter = width < n->width ? width : n->width, least = n->min_overlap < shorter ? n->min_overlap : shorter;
    double sum = 0;
    for (int len = least; len <= shorter; len++) {
        double prefix = log_less[((int64_t)PREFIX * (n->width + 1) + len) * n->n_asked];
        double suffix = log_less[((int64_t)SUFFIX * (n->width + 1) + len) * n->n_asked];
        sum += len < n->width ? prefix + suffix : (width - n->width + 1) * prefix;
    }
    if (width < n->width) sum += log_less[((int64_t)INNER * (n->width + 1) + width) * n->n_asked];
    return -expm1(sum);
}

double sn_null_p(struct sn_null *n, int width, int sum) {
    int r = n->rank[sum + reach(n)];
    double *p = &n->p[(int64_t)width * n->n_asked + r];
    if (*p < 0) *p = compute_p(n, width, r);
    return *p;
}
