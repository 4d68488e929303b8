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

/* Whether a sum was asked for with targets of a width. */
static uint8_t *asked_with(const struct sn_null *n, int width, int sum) {
    return n->wanted + (int64_t)width * (2 * reach(n) + 1) + reach(n) + sum;
}

int sn_null_make(struct sn_null *n, const struct sn_motif_loops *loops, int width, int widest, int bins) {
    memset(n, 0, sizeof *n);
    n->loops = loops;
    n->width = width;
    n->widest = widest;
    n->bins = bins;
    n->density = sn_calloc((size_t)width, (size_t)(2 * bins + 3) * sizeof *n->density);
    n->column = sn_calloc((size_t)width + 1, sizeof *n->column);
    n->rank = sn_calloc(2 * (size_t)reach(n) + 1, sizeof *n->rank);
    n->asked = sn_calloc(2 * (size_t)reach(n) + 1, sizeof *n->asked);
    n->any = sn_calloc((size_t)widest + 1, sizeof *n->any);
    n->wanted = sn_calloc((size_t)widest + 1, 2 * (size_t)reach(n) + 1);
    return n->density && n->column && n->rank && n->asked && n->any && n->wanted ? 0 : SEQNET_ENOMEM;
}

void sn_null_free(struct sn_null *n) {
    free(n->density);
    free(n->column);
    free(n->rank);
    free(n->asked);
    free(n->any);
    free(n->wanted);
    free(n->log_less);
    free(n->p);
    memset(n, 0, sizeof *n);
}

void sn_null_count(struct sn_null *n, int column, const int32_t *count, int64_t total) {
    double *density = n->density + (int64_t)column * (2 * n->bins + 3);
    int low = -n->bins - 1, high = n->bins + 1;
    while (low < high && count[(uint8_t)low] == 0) low++;
    while (high > low && count[(uint8_t)high] == 0) high--;
    for (int v = low; v <= high; v++) density[v - low] = (double)count[(uint8_t)v] / (double)total;
    n->column[column] = (struct sn_null_column){.low = low, .high = high};
    if (column == 0 || low < n->lowest) n->lowest = low;
}

void sn_null_ask(struct sn_null *n, int width, int sum) {
    n->rank[sum + reach(n)] = n->any[width] = *asked_with(n, width, sum) = 1;
}

/* Cells of a distribution: those of the sums base, base + 1, ...; around them are zeros. */
struct cells {
    double *v;
    int n, base;
};

/* Takes one span's distribution, of `len` columns: the log of P(sum < asked), for all that was asked. */
static void add_span(struct sn_null *n, int kind, int len, const struct cells *c) {
    double tail = 0, *out = n->log_less + ((int64_t)kind * (n->width + 1) + len) * n->n_asked;
    int top = c->n - 1;
    if (kind == INNER && (len > n->widest || !n->any[len])) return;
    for (int r = 0; r < n->n_asked; r++) {
        if (kind == INNER && !*asked_with(n, len, n->asked[r])) continue;
        int from = n->asked[r] - c->base;
        for (; top >= from && top >= 0; top--) tail += c->v[top];
        if (n->asked[r] <= len * n->lowest || tail >= 1)
            out[r] = -INFINITY;
        else if (tail > 0)
            out[r] += log1p(-tail);
    }
}

/* The distribution one column further; what lies so low that the columns to come, at most `rest`, cannot lift it to a sum asked for is
 * left out. */
static void add_column(const struct sn_null *n, const struct cells *a, int column, int rest, struct cells *out) {
    const struct sn_null_column *c = &n->column[column];
    int need = n->asked[n->n_asked - 1] - rest, cut = need - (a->base + c->low), size = a->n + c->high - c->low;
    if (cut < 0) cut = 0;
    if (cut > size - 1) cut = size - 1;
    out->base = a->base + c->low + cut;
    out->n = size - cut;
    n->loops->convolve(a->v + cut, out->n, n->density + (int64_t)column * (2 * n->bins + 3), c->high - c->low + 1, out->v);
    memset(out->v + out->n, 0, (size_t)n->pad * sizeof *out->v);
    memset(out->v - n->pad, 0, (size_t)n->pad * sizeof *out->v);
}

/* All spans that begin with query column `from`, growing by one column at a time; a and b: room for the longest. */
static void add_spans_from(struct sn_null *n, int from, double *a, double *b) {
    const struct sn_null_column *c = &n->column[from];
    int most = n->width - from < n->widest ? n->width - from : n->widest;
    struct cells now = {a, c->high - c->low + 1, c->low}, next = {.v = b};
    memset(a - n->pad, 0, (size_t)(2 * n->pad + now.n) * sizeof *a);
    memcpy(a, n->density + (int64_t)from * (2 * n->bins + 3), (size_t)now.n * sizeof *a);
    for (int len = 1;; len++) {
        if (from == 0) add_span(n, PREFIX, len, &now);
        if (from + len == n->width && from > 0) add_span(n, SUFFIX, len, &now);
        if (from > 0 && from + len < n->width) add_span(n, INNER, len, &now);
        if (len == most) break;
        add_column(n, &now, from + len, n->column[from + len + 1].rest, &next);
        struct cells t = now;
        now = next;
        next = t;
    }
}

int sn_null_compute(struct sn_null *n, int min_overlap) {
    n->pad = 2 * n->bins + 3 + SN_CONVOLVE_STEP;
    size_t room = (size_t)n->width * (size_t)(2 * n->bins + 3) + 2 * (size_t)n->pad + SN_CONVOLVE_STEP;
    double *a = sn_calloc(2 * room, sizeof *a);
    n->min_overlap = min_overlap;
    for (int i = 2 * reach(n); i >= 0; i--) {
        if (n->rank[i] == 0) continue;
        n->rank[i] = n->n_asked;
        n->asked[n->n_asked++] = i - reach(n);
    }
    for (int i = n->width - 1; i >= 0; i--) {
        int rest = n->column[i].high + n->column[i + 1].rest;
        n->column[i].rest = rest > 0 ? rest : 0;
    }
    n->log_less = sn_calloc(3 * (size_t)(n->width + 1), (size_t)n->n_asked * sizeof *n->log_less);
    n->p = sn_calloc((size_t)(n->widest + 1), (size_t)n->n_asked * sizeof *n->p);
    if (!a || !n->log_less || !n->p) {
        free(a);
        return SEQNET_ENOMEM;
    }
    for (int64_t i = 0; i < (int64_t)(n->widest + 1) * n->n_asked; i++) n->p[i] = -1;
    for (int from = 0; from < n->width; from++) add_spans_from(n, from, a + n->pad, a + n->pad + room);
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
