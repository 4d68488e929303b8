/* Calibration: quantiles of the scores of held-out background, so that a false positive rate becomes a threshold.
 *
 * Background are the validation rows that are negative in every task. Where they are too few for SN_CALIBRATION_FPR, or where labels know
 * no negatives (classes), dinucleotide shuffles of the validation rows are scored beside them. Each source gives the score that at most a
 * fraction f of its windows reach: the floor(f*n)-th largest, at least its largest one; of two sources the higher score is taken, so the
 * table is on the safe side of both. Levels 1 - f run from f = 1 down to one window of the larger source, ten a decade. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "train/parts.h"

#define LEAST_NEGATIVES 100 /* fewer say nothing about a tail */
#define LEAST_SHUFFLES 1000
#define MOST_SHUFFLES 20000
#define PER_DECADE 10
#define MOST_LEVELS (6 * PER_DECADE + 1)

struct background {
    struct sn_rows rows; /* negatives, or all rows for shuffles */
    int64_t n;           /* windows */
    int64_t longest;
    uint64_t seed;
    float *logits; /* (n, T), sorted per task into `sorted` */
    float *sorted; /* (T, n) falling */
};

static void background_free(struct background *b) {
    sn_rows_free(&b->rows);
    free(b->logits);
    free(b->sorted);
}

/* ---- windows ---------------------------------------------------------------------------------------------------------------------------
 */

static bool is_negative(const struct sn_dataset *d, int64_t id) {
    bool seen = false;
    for (int t = 0; t < d->n_tasks; t++) {
        float v = d->targets[id * d->n_tasks + t];
        if (v > 0.5f) return false;
        seen = seen || !isnan(v);
    }
    return seen;
}

static int select_negatives(const struct sn_rows *valid, struct background *b) {
    b->rows = (struct sn_rows){.d = valid->d, .ids = sn_calloc((size_t)valid->n, sizeof *b->rows.ids)};
    if (!b->rows.ids) return SEQNET_ENOMEM;
    for (int64_t i = 0; i < valid->n && valid->d->kind == SN_TASK_BINARY; i++)
        if (is_negative(valid->d, valid->ids[i])) b->rows.ids[b->rows.n++] = valid->ids[i];
    if (b->rows.n < LEAST_NEGATIVES) b->rows.n = 0;
    b->n = b->rows.n;
    return 0;
}

static int select_shuffles(const struct sn_rows *valid, int64_t n, uint64_t seed, struct background *b) {
    b->rows = (struct sn_rows){.d = valid->d, .ids = sn_calloc((size_t)valid->n, sizeof *b->rows.ids), .n = valid->n};
    if (!b->rows.ids) return SEQNET_ENOMEM;
    memcpy(b->rows.ids, valid->ids, (size_t)valid->n * sizeof *b->rows.ids);
    b->n = n;
    b->seed = seed;
    return 0;
}

/* Window i is shuffle number i / rows of row i % rows. Fixed lengths: centred like sn_dataset_row does. */
static int fill_shuffle(const void *arg, int64_t i, int64_t width, uint8_t *out) {
    const struct background *b = arg;
    int64_t id = b->rows.ids[i % b->rows.n], len = sn_dataset_len(b->rows.d, id), pad = 0;
    if (width) {
        pad = (width - len) / 2;
        memset(out, SN_CODE_OUTSIDE, (size_t)width);
    }
    int rc =
        sn_dinucleotide_shuffle(b->rows.d->codes + b->rows.d->offset[id], len, b->seed, (uint64_t)id, (uint64_t)(i / b->rows.n), out + pad);
    return rc < 0 ? rc : (int)(width ? width : len);
}

/* ---- scores ----------------------------------------------------------------------------------------------------------------------------
 */

static int falling(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

static int score(const struct sn_runtime *rt, struct sn_model *m, sn_fill_fn fill, struct background *b) {
    size_t n = (size_t)b->n, tasks = (size_t)m->n_tasks;
    if (n == 0) return 0;
    b->logits = sn_calloc(n * tasks, sizeof *b->logits);
    b->sorted = sn_calloc(n * tasks, sizeof *b->sorted);
    if (!b->logits || !b->sorted) return SEQNET_ENOMEM;
    const void *arg = fill == fill_shuffle ? (const void *)b : (const void *)&b->rows;
    SN_TRY(sn_score_rows(rt, m, fill, arg, b->n, sn_rows_longest(&b->rows), b->logits, NULL));
    for (size_t t = 0; t < tasks; t++) {
        float *v = b->sorted + t * n;
        for (size_t i = 0; i < n; i++) v[i] = b->logits[i * tasks + t];
        qsort(v, n, sizeof *v, falling);
    }
    return 0;
}

static float threshold(const struct background *b, int task, double f) {
    if (b->n == 0) return -INFINITY;
    int64_t k = (int64_t)floor(f * (double)b->n * (1 + 1e-12));
    return b->sorted[task * b->n + (k < b->n ? k : b->n - 1)];
}

/* ---- table -----------------------------------------------------------------------------------------------------------------------------
 */

/* 10^(-i/10), the same digits on every machine. */
static double fraction(int i) {
    static const double part[PER_DECADE] = {1,
                                            0.79432823472428150,
                                            0.63095734448019325,
                                            0.50118723362727229,
                                            0.39810717055349725,
                                            0.31622776601683793,
                                            0.25118864315095801,
                                            0.19952623149688796,
                                            0.15848931924611135,
                                            0.12589254117941673};
    double f = part[i % PER_DECADE];
    for (int k = 0; k < i / PER_DECADE; k++) f /= 10;
    return f;
}

static int store(struct sn_model *m, const struct background *neg, const struct background *shuf) {
    double most = (double)(neg->n > shuf->n ? neg->n : shuf->n);
    int n = 1;
    while (n < MOST_LEVELS && fraction(n) * most * (1 + 1e-12) >= 1) n++;
    free(m->quantile_level);
    free(m->quantile);
    m->quantile_level = sn_calloc((size_t)n, sizeof *m->quantile_level);
    m->quantile = sn_calloc((size_t)n * (size_t)m->n_tasks, sizeof *m->quantile);
    if (!m->quantile_level || !m->quantile) return SEQNET_ENOMEM;
    m->n_quantiles = n;
    for (int i = 0; i < n; i++) {
        m->quantile_level[i] = 1 - fraction(i);
        for (int t = 0; t < m->n_tasks; t++) {
            float a = threshold(neg, t, fraction(i)), b = threshold(shuf, t, fraction(i));
            m->quantile[t * n + i] = a > b ? a : b;
        }
    }
    return 0;
}

/* Windows per Mb at a scan's own stride, a quarter of the window; twice where it tries either strand by itself. */
static double windows_per_mb(const struct sn_model *m, int64_t length) {
    int64_t stride = length / 4 > 0 ? length / 4 : 1;
    bool twice = m->arch->strand == SN_STRAND_FORWARD && m->arch->alphabet->has_complement;
    return (twice ? 2 : 1) * 1e6 / (double)stride;
}

static int tell(struct sn_calibration *c, const struct sn_model *m) {
    double most = (double)(c->n_negatives > c->n_shuffles ? c->n_negatives : c->n_shuffles);
    if (c->n_negatives)
        SN_TRY(sn_str_printf(&c->how, "%lld negatives of the validation set%s", (long long)c->n_negatives,
                             m->shuffled_negatives ? " (shuffles)" : ""));
    if (c->n_shuffles)
        SN_TRY(sn_str_printf(&c->how, "%s%lld dinucleotide shuffles of validation sequences", c->n_negatives ? " and " : "",
                             (long long)c->n_shuffles));
    if (c->n_negatives && c->n_shuffles) SN_TRY(sn_str_puts(&c->how, ", the higher threshold of the two"));
    if (most * SN_CALIBRATION_FPR * (1 + 1e-12) < 1)
        return sn_str_printf(&c->how, "; too few for a false positive rate below %.1g", 1 / most);
    c->false_calls_per_mb = SN_CALIBRATION_FPR * windows_per_mb(m, m->arch->length > 0 ? m->arch->length : m->data_length);
    return 0;
}

int sn_calibrate(const struct sn_runtime *rt, struct sn_model *m, const struct sn_rows *valid, int64_t budget, uint64_t seed,
                 struct sn_calibration *c) {
    struct background neg = {0}, shuf = {0};
    int rc = 0;
    *c = (struct sn_calibration){.false_calls_per_mb = NAN};
    if (m->kind == SN_TASK_NUMBER) return sn_str_puts(&c->how, "none (regression)");
    SN_GO(select_negatives(valid, &neg));
    if ((double)neg.n * SN_CALIBRATION_FPR < 1) {
        int64_t n = budget < LEAST_SHUFFLES ? LEAST_SHUFFLES : budget > MOST_SHUFFLES ? MOST_SHUFFLES : budget;
        SN_GO(select_shuffles(valid, n, seed, &shuf));
    }
    SN_GO(score(rt, m, sn_fill_row, &neg));
    SN_GO(score(rt, m, fill_shuffle, &shuf));
    SN_GO(store(m, &neg, &shuf));
    c->n_negatives = neg.n;
    c->n_shuffles = shuf.n;
    SN_GO(tell(c, m));
done:
    background_free(&neg);
    background_free(&shuf);
    return rc;
}
