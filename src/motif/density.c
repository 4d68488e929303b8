#include "motif/density.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/ln.h"
#include "core/mem.h"

#define PER_TILE 64 /* rows */
#define LEAST 1e-7
#define STEPS 100
#define TOLERANCE 1e-5

#define LANES 8
typedef float float8 __attribute__((vector_size(32)));
typedef int32_t int8 __attribute__((vector_size(32)));
#define INLINE static inline __attribute__((always_inline))

/* ---- exponentials ---- */

/* Replaces x <= 0 by e^x, to 2e-7 relative; 0 below -87. */
INLINE void exp8(float8 *v) {
    const float log2_e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f, magic = 12582912.0f; /* 1.5 * 2^23: rounds */
    int8 small = *v < -87.0f;
    float8 x = (float8)((int8)*v & ~small);
    float8 k = (x * log2_e + magic) - magic, r = (x - k * ln2_high) - k * ln2_low;
    float8 p = r * (1.0f / 5040) + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    int8 power = (__builtin_convertvector(k, int8) + 127) << 23;
    *v = (float8)((int8)(p * (float8)power) & ~small);
}

INLINE double total(const float8 *v) {
    float lane[LANES];
    memcpy(lane, v, sizeof lane);
    return (((double)lane[0] + lane[4]) + ((double)lane[1] + lane[5])) + (((double)lane[2] + lane[6]) + ((double)lane[3] + lane[7]));
}

/* S = sum exp(-by d) and T = sum d exp(-by d); d holds n distances and then infinity up to whole vectors (their terms are 0). Eight lanes
 * and one fixed tree: the same bits on every CPU. */
INLINE void sums_body(const float *d, int n, float by, double *s, double *t) {
    float8 sum = {0}, moment = {0};
    for (int i = 0; i < n; i += LANES) {
        float8 v, e;
        memcpy(&v, d + i, sizeof v);
        e = v * -by;
        exp8(&e);
        sum += e;
        moment += e * v;
    }
    *s = total(&sum);
    *t = total(&moment);
}

static void sums_ref(const float *d, int n, float by, double *s, double *t) {
    sums_body(d, n, by, s, t);
}
#if defined(__x86_64__)
__attribute__((target("avx2"))) static void sums_avx2(const float *d, int n, float by, double *s, double *t) {
    sums_body(d, n, by, s, t);
}
#endif

typedef void (*sums_fn)(const float *d, int n, float by, double *s, double *t);

static sums_fn best_sums(void) {
#if defined(__x86_64__)
    enum sn_isa isa;
    if (sn_isa_detect(&isa) < 0) isa = SN_ISA_REF;
    if (isa == SN_ISA_AVX512 || isa == SN_ISA_AVX2) return sums_avx2;
#endif
    return sums_ref;
}

static float exp1(float x) {
    float8 v = {x};
    exp8(&v);
    return v[0];
}

/* beta of a row of n distances: the entropy of exp(-beta d), with `mass` (1 or 0) more for the row itself, is ln perplexity; by bisection
 * from 1. work: n + LANES - 1. */
static double perplexity_beta(sums_fn sums, const float *d, int n, double mass, double perplexity, float *work) {
    double low = 0, high = 0, beta = 1, target = sn_ln(perplexity);
    bool has_low = false, has_high = false;
    memcpy(work, d, (size_t)n * sizeof *d);
    for (int i = n; i < n + LANES - 1; i++) work[i] = 1e30f;
    for (int step = 0; step < STEPS; step++) {
        double s, t;
        sums(work, n, (float)beta, &s, &t);
        double excess = sn_ln(mass + s) + beta * t / (mass + s) - target;
        if (fabs(excess) <= TOLERANCE) break;
        if (excess > 0) {
            low = beta;
            has_low = true;
            beta = has_high ? (beta + high) / 2 : beta * 2;
        } else {
            high = beta;
            has_high = true;
            beta = has_low ? (beta + low) / 2 : beta / 2;
        }
    }
    return beta;
}

/* ---- densities ---- */

struct job {
    struct sn_neighbours *nb; /* scores become distances */
    double perplexity;
    enum sn_density kernel;
    sums_fn sums;
    double *beta, *z;
    struct sn_link_graph *g;
};

static void to_distances(struct sn_neighbours *nb, int row) {
    int32_t *id = nb->id + (int64_t)row * nb->k;
    float *score = nb->score + (int64_t)row * nb->k;
    int n = 0;
    for (int m = 0; m < nb->count[row]; m++) {
        double s = score[m] > LEAST ? score[m] : LEAST;
        float d = s < 1 ? (float)sn_ln(2 / s - 1) : 0;
        if (d <= 0 || id[m] == row) continue;
        id[n] = id[m];
        score[n++] = d;
    }
    nb->count[row] = n;
}

static int distance_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct job *j = arg;
    int end = (tile + 1) * PER_TILE < j->nb->n ? (tile + 1) * PER_TILE : j->nb->n;
    for (int row = tile * PER_TILE; row < end; row++) to_distances(j->nb, row);
    return 0;
}

static int beta_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct job *j = arg;
    const struct sn_link_graph *g = j->g;
    int n = j->nb->n, end = (tile + 1) * PER_TILE < n ? (tile + 1) * PER_TILE : n;
    int64_t most = 0;
    for (int row = tile * PER_TILE; row < end; row++)
        if (g->first[row + 1] - g->first[row] > most) most = g->first[row + 1] - g->first[row];
    float *work = sn_calloc((size_t)most + LANES, sizeof *work);
    if (!work) return SEQNET_ENOMEM;
    for (int row = tile * PER_TILE; row < end; row++) {
        int degree = (int)(g->first[row + 1] - g->first[row]);
        double t;
        j->beta[row] = perplexity_beta(j->sums, g->weight + g->first[row], degree, 1, j->perplexity, work);
        double by = j->kernel == SN_DENSITY_COMPAT ? 1 / j->beta[row] : j->beta[row];
        j->sums(work, degree, (float)by, &j->z[row], &t);
        j->z[row] += 1;
    }
    free(work);
    return 0;
}

static int weight_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct job *j = arg;
    struct sn_link_graph *g = j->g;
    int n = j->nb->n, end = (tile + 1) * PER_TILE < n ? (tile + 1) * PER_TILE : n;
    for (int row = tile * PER_TILE; row < end; row++) {
        double by = j->kernel == SN_DENSITY_COMPAT ? 1 / j->beta[row] : j->beta[row];
        g->self[row] = (float)(1 / j->z[row]);
        for (int64_t e = g->first[row]; e < g->first[row + 1]; e += LANES) {
            int n_lanes = g->first[row + 1] - e < LANES ? (int)(g->first[row + 1] - e) : LANES;
            float8 v = {0};
            for (int i = 0; i < n_lanes; i++) {
                double other = j->beta[g->to[e + i]], sum = by + (j->kernel == SN_DENSITY_COMPAT ? 1 / other : other);
                v[i] = (float)(-0.5 * g->weight[e + i] * sum);
            }
            exp8(&v);
            for (int i = 0; i < n_lanes; i++) g->weight[e + i] = v[i] * (float)(1 / sqrt(j->z[row] * j->z[g->to[e + i]]));
        }
    }
    return 0;
}

int sn_density_links(struct sn_neighbours *nb, double perplexity, enum sn_density kernel, struct sn_pool *pool, double *beta,
                     struct sn_link_graph *out) {
    struct job j = {.nb = nb, .perplexity = perplexity, .kernel = kernel, .sums = best_sums(), .g = out};
    int tiles = (nb->n + PER_TILE - 1) / PER_TILE, workers = sn_pool_size(pool), rc = 0;
    memset(out, 0, sizeof *out);
    j.beta = sn_calloc((size_t)nb->n, sizeof *j.beta);
    j.z = sn_calloc((size_t)nb->n, sizeof *j.z);
    if (!j.beta || !j.z) SN_GO(SEQNET_ENOMEM);
    SN_GO(sn_pool_run(pool, tiles, workers, distance_tile, &j));
    SN_GO(sn_link_graph_make(nb, 0.5f, out));
    out->self = sn_calloc((size_t)nb->n, sizeof *out->self);
    if (!out->self) SN_GO(SEQNET_ENOMEM);
    out->links.self = out->self;
    SN_GO(sn_pool_run(pool, tiles, workers, beta_tile, &j));
    SN_GO(sn_pool_run(pool, tiles, workers, weight_tile, &j));
    if (beta) memcpy(beta, j.beta, (size_t)nb->n * sizeof *beta);
done:
    free(j.beta);
    free(j.z);
    if (rc < 0) sn_link_graph_free(out);
    return rc;
}

/* ---- conditional probabilities of t-SNE ---- */

static int tsne_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct job *j = arg;
    struct sn_neighbours *nb = j->nb;
    int end = (tile + 1) * PER_TILE < nb->n ? (tile + 1) * PER_TILE : nb->n;
    float *work = sn_calloc((size_t)nb->k + LANES, sizeof *work);
    if (!work) return SEQNET_ENOMEM;
    for (int row = tile * PER_TILE; row < end; row++) {
        float *score = nb->score + (int64_t)row * nb->k;
        int n = nb->count[row];
        for (int m = 0; m < n; m++) {
            double s = score[m] > LEAST ? score[m] : LEAST;
            score[m] = s < 1 ? (float)sn_ln(2 / s - 1) : 0;
        }
        double beta = perplexity_beta(j->sums, score, n, 0, j->perplexity, work), s, t;
        j->sums(work, n, (float)beta, &s, &t);
        for (int m = 0; m < n; m++) score[m] = s > 0 ? exp1((float)(-beta * score[m])) / (float)s : 0;
    }
    free(work);
    return 0;
}

int sn_tsne_links(struct sn_neighbours *nb, double perplexity, struct sn_pool *pool, struct sn_link_graph *out) {
    struct job j = {.nb = nb, .perplexity = perplexity, .sums = best_sums(), .g = out};
    memset(out, 0, sizeof *out);
    SN_TRY(sn_pool_run(pool, (nb->n + PER_TILE - 1) / PER_TILE, sn_pool_size(pool), tsne_tile, &j));
    SN_TRY(sn_link_graph_make(nb, 1, out));
    double all = 0;
    for (int64_t e = 0; e < out->first[nb->n]; e++) all += out->weight[e];
    for (int64_t e = 0; e < out->first[nb->n] && all > 0; e++) out->weight[e] = (float)(out->weight[e] / all);
    return 0;
}
