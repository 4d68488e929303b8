#include "train/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"

/* Pairs of score and target, sorted by both, so that no sum depends on the order of the rows. */
struct pair {
    double x, y;
};

static int by_score(const void *a, const void *b) {
    const struct pair *p = a, *q = b;
    if (p->x != q->x) return p->x < q->x ? -1 : 1;
    return (p->y > q->y) - (p->y < q->y);
}

static int by_target(const void *a, const void *b) {
    const struct pair *p = a, *q = b;
    if (p->y != q->y) return p->y < q->y ? -1 : 1;
    return (p->x > q->x) - (p->x < q->x);
}

/* Observed pairs into v; how many, or -1 when a score is NaN. */
static int64_t gather(const float *score, const float *target, int64_t n, int64_t stride, struct pair *v) {
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(target[i * stride])) continue;
        if (isnan(score[i * stride])) return -1;
        v[m++] = (struct pair){score[i * stride], target[i * stride]};
    }
    if (m > 1) qsort(v, (size_t)m, sizeof *v, by_score);
    return m;
}

/* End of the run of equal scores that begins at i. */
static int64_t run_end(const struct pair *v, int64_t n, int64_t i) {
    int64_t j = i + 1;
    while (j < n && v[j].x == v[i].x) j++;
    return j;
}

static int64_t positives(const struct pair *v, int64_t from, int64_t to) {
    int64_t n = 0;
    for (int64_t i = from; i < to; i++) n += v[i].y > 0.5;
    return n;
}

/* Mann-Whitney: rank sum of the positives by midranks. */
static double auroc(const struct pair *v, int64_t n) {
    double ranks = 0, pos = (double)positives(v, 0, n), neg = (double)n - pos;
    if (!(pos > 0 && neg > 0)) return NAN;
    for (int64_t i = 0, j; i < n; i = j) {
        j = run_end(v, n, i);
        ranks += (double)positives(v, i, j) * ((double)(i + j + 1) / 2);
    }
    return (ranks - pos * (pos + 1) / 2) / (pos * neg);
}

/* Average precision: sum over thresholds, falling, of the gain in recall times the precision (no interpolation). */
static double auprc(const struct pair *v, int64_t n) {
    int64_t pos = positives(v, 0, n), found = 0;
    double sum = 0;
    if (pos == 0 || pos == n) return NAN;
    for (int64_t j = n, i; j > 0; j = i) {
        i = j - 1;
        while (i > 0 && v[i - 1].x == v[j - 1].x) i--;
        int64_t gain = positives(v, i, j);
        found += gain;
        sum += (double)gain * ((double)found / (double)(n - i));
    }
    return sum / (double)pos;
}

/* How far along the way from (0,0) to the end a point is, in steps of 1/(most-1) of it; exact. */
static int64_t step_of(struct sn_roc_point at, int64_t pos, int64_t neg, int most) {
    unsigned __int128 way = (unsigned __int128)at.tp * (uint64_t)neg + (unsigned __int128)at.fp * (uint64_t)pos;
    return (int64_t)(way * (unsigned)(most - 1) / ((unsigned __int128)2 * (uint64_t)pos * (uint64_t)neg));
}

/* Thresholds of sorted pairs; all of them when they fit, else one a step. out NULL: how many there are. */
static int64_t roc_points(const struct pair *v, int64_t n, int most, bool all, struct sn_roc_point *out) {
    int64_t pos = positives(v, 0, n), kept = 0, last = -1;
    struct sn_roc_point at = {0, 0};
    for (int64_t j = n, i; j > 0; j = i) {
        i = j - 1;
        while (i > 0 && v[i - 1].x == v[j - 1].x) i--;
        int64_t gain = positives(v, i, j), step = 0;
        at.tp += gain;
        at.fp += j - i - gain;
        if (!all && (step = step_of(at, pos, n - pos, most)) == last) continue;
        last = step;
        if (out) out[kept] = at;
        kept++;
    }
    return kept;
}

int sn_roc_points(const float *score, const float *target, int64_t rows, int64_t stride, int most, struct sn_roc_point *out, int64_t *n,
                  int64_t *pos) {
    struct pair *v = sn_calloc((size_t)rows, sizeof *v);
    int64_t kept = 0;
    *n = *pos = 0;
    if (!v) return SEQNET_ENOMEM;
    int64_t m = gather(score, target, rows, stride, v);
    if (m > 0) {
        *n = m;
        *pos = positives(v, 0, m);
    }
    if (*pos > 0 && *pos < *n) kept = roc_points(v, m, most, roc_points(v, m, most, true, NULL) <= most, out);
    free(v);
    return (int)kept;
}

static double pearson(const struct pair *v, int64_t n) {
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (int64_t i = 0; i < n; i++) mx += v[i].x, my += v[i].y;
    mx /= (double)n, my /= (double)n;
    for (int64_t i = 0; i < n; i++) {
        double dx = v[i].x - mx, dy = v[i].y - my;
        xx += dx * dx, yy += dy * dy, xy += dx * dy;
    }
    if (n < 2 || !(xx > 0 && yy > 0)) return NAN;
    double r = xy / (sqrt(xx) * sqrt(yy));
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

/* Scores, then targets, become midranks. */
static double spearman(struct pair *v, int64_t n) {
    for (int64_t i = 0, j; i < n; i = j) {
        j = run_end(v, n, i);
        for (int64_t k = i; k < j; k++) v[k].x = (double)(i + j + 1) / 2;
    }
    if (n > 1) qsort(v, (size_t)n, sizeof *v, by_target);
    for (int64_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && v[j].y == v[i].y;) j++;
        double rank = (double)(i + j + 1) / 2;
        for (int64_t k = i; k < j; k++) v[k] = (struct pair){v[k].x, rank};
    }
    return pearson(v, n);
}

/* ---- one metric of one task ------------------------------------------------------------------------------------------------------------
 */

enum which { AUROC, AUPRC, PEARSON, SPEARMAN };

static double of_sorted(enum which which, struct pair *v, int64_t n) {
    if (n <= 0) return NAN;
    switch (which) {
    case AUROC:
        return auroc(v, n);
    case AUPRC:
        return auprc(v, n);
    case PEARSON:
        return pearson(v, n);
    default:
        return spearman(v, n);
    }
}

static double single(enum which which, const float *score, const float *target, int64_t n, int64_t stride) {
    struct pair *v = sn_calloc((size_t)n, sizeof *v);
    if (!v) return NAN;
    double value = of_sorted(which, v, gather(score, target, n, stride, v));
    free(v);
    return value;
}

double sn_auroc(const float *score, const float *target, int64_t n, int64_t stride) {
    return single(AUROC, score, target, n, stride);
}

double sn_auprc(const float *score, const float *target, int64_t n, int64_t stride) {
    return single(AUPRC, score, target, n, stride);
}

double sn_pearson(const float *score, const float *target, int64_t n, int64_t stride) {
    return single(PEARSON, score, target, n, stride);
}

double sn_spearman(const float *score, const float *target, int64_t n, int64_t stride) {
    return single(SPEARMAN, score, target, n, stride);
}

/* ---- all of them
 * ------------------------------------------------------------------------------------------------------------------------- */

#define MOST 5 /* figures of a task */

struct table {
    seqnet_metric *out;
    int n, cap;
    const char *name[MOST]; /* of a task's figures that are averaged */
    double sum[MOST];
    int64_t seen[MOST];
};

static void put(struct table *t, int task, const char *name, double value) {
    if (t->n < t->cap) t->out[t->n] = (seqnet_metric){sizeof *t->out, task, name, value};
    t->n++;
}

/* Figure k of a task; those that are defined enter the mean. */
static void put_task(struct table *t, int k, int task, const char *name, double value) {
    put(t, task, name, value);
    t->name[k] = name;
    if (isnan(value)) return;
    t->sum[k] += value;
    t->seen[k]++;
}

static void put_means(struct table *t) {
    for (int k = 0; k < MOST; k++)
        if (t->name[k]) put(t, -1, t->name[k], t->seen[k] ? t->sum[k] / (double)t->seen[k] : NAN);
}

/* Share of right calls at 0.5. */
static double accuracy(const struct pair *v, int64_t n) {
    int64_t right = 0;
    for (int64_t i = 0; i < n; i++) right += (v[i].x > 0.5) == (v[i].y > 0.5);
    return n > 0 ? (double)right / (double)n : NAN;
}

static void put_binary(struct table *t, int task, struct pair *v, int64_t n, bool classes) {
    put_task(t, 0, task, "auroc", of_sorted(AUROC, v, n));
    put_task(t, 1, task, "auprc", of_sorted(AUPRC, v, n));
    put_task(t, 2, task, "base_rate", n > 0 ? (double)positives(v, 0, n) / (double)n : NAN);
    if (!classes) put_task(t, 3, task, "accuracy", accuracy(v, n));
}

static void put_number(struct table *t, int task, struct pair *v, int64_t n) {
    put_task(t, 0, task, "pearson", of_sorted(PEARSON, v, n));
    put_task(t, 1, task, "spearman", of_sorted(SPEARMAN, v, n));
}

static int argmax(const float *v, int n) {
    int best = 0;
    for (int i = 1; i < n; i++)
        if (v[i] > v[best]) best = i;
    return best;
}

static void put_classes(struct table *t, const float *scores, const float *targets, int64_t n, int classes) {
    int64_t right = 0, seen = 0;
    for (int64_t i = 0; i < n; i++) {
        const float *s = scores + i * classes, *y = targets + i * classes;
        bool missing = false;
        for (int k = 0; k < classes; k++) missing = missing || isnan(y[k]);
        if (missing) continue;
        seen++;
        right += argmax(s, classes) == argmax(y, classes);
    }
    put(t, -1, "accuracy", seen > 0 ? (double)right / (double)seen : NAN);
    put(t, -1, "n", (double)seen);
}

int sn_metrics(enum sn_task_kind kind, const float *scores, const float *targets, int64_t n, int n_tasks, seqnet_metric *out, int cap) {
    struct table t = {.out = out, .cap = cap};
    struct pair *v = sn_calloc((size_t)n, sizeof *v);
    double total = 0;
    if (!v) return SEQNET_ENOMEM;
    for (int task = 0; task < n_tasks; task++) {
        int64_t m = gather(scores + task, targets + task, n, n_tasks, v);
        if (kind == SN_TASK_NUMBER)
            put_number(&t, task, v, m);
        else
            put_binary(&t, task, v, m, kind == SN_TASK_CLASSES);
        if (kind != SN_TASK_CLASSES) put(&t, task, "n", (double)(m > 0 ? m : 0));
        total += (double)(m > 0 ? m : 0);
    }
    free(v);
    put_means(&t);
    if (kind == SN_TASK_CLASSES)
        put_classes(&t, scores, targets, n, n_tasks);
    else
        put(&t, -1, "n", total);
    return t.n;
}
