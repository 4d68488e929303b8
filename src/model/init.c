/* Fresh weights, by Keras' rules, from a stream of their own per tensor: independent of call order and threads. */
#include <math.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/rng.h"
#include "model/model.h"

static void fill(sn_real *p, int64_t n, sn_real v) {
    for (int64_t i = 0; i < n; i++) p[i] = v;
}

/* Uniform in +-sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010). */
static void glorot(sn_real *p, int64_t n, const struct sn_weight *w, struct sn_stream *s) {
    int64_t fans = w->fan_in + w->fan_out;
    double limit = sqrt(6.0 / (double)(fans > 0 ? fans : 1));
    for (int64_t i = 0; i < n; i++) p[i] = (sn_real)((2 * sn_stream_unit(s) - 1) * limit);
}

static double dot(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Normal vectors made orthonormal by modified Gram-Schmidt: the Q of a QR whose R has a positive diagonal, uniform over orthogonal
 * matrices (Mezzadri 2007). `count` vectors of `len` >= count. */
static void orthonormal(double *v, int64_t count, int64_t len, struct sn_stream *s) {
    for (int64_t i = 0; i < count * len; i++) v[i] = sn_stream_normal(s);
    for (int64_t i = 0; i < count; i++) {
        double *row = v + i * len;
        for (int64_t j = 0; j < i; j++) {
            const double *done = v + j * len;
            double d = dot(row, done, len);
            for (int64_t k = 0; k < len; k++) row[k] -= d * done[k];
        }
        double norm = sqrt(dot(row, row, len));
        for (int64_t k = 0; k < len; k++) row[k] /= norm;
    }
}

/* A matrix of all but the last dimension by the last; its shorter side is orthonormal. */
static int orthogonal(sn_real *p, int64_t n, const struct sn_weight *w, struct sn_stream *s) {
    int64_t cols = w->shape[w->rank - 1], rows = n / cols;
    bool wide = cols >= rows;
    int64_t count = wide ? rows : cols, len = wide ? cols : rows;
    double *v = sn_calloc((size_t)n, sizeof *v);
    if (!v) return SEQNET_ENOMEM;
    orthonormal(v, count, len, s);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) p[r * cols + c] = (sn_real)(wide ? v[r * len + c] : v[c * len + r]);
    free(v);
    return 0;
}

static int init_weight(sn_real *p, const struct sn_weight *w, struct sn_stream *s) {
    int64_t n = sn_weight_count(w);
    switch (w->init) {
    case SN_INIT_ZEROS:
        fill(p, n, 0);
        return 0;
    case SN_INIT_ONES:
        fill(p, n, 1);
        return 0;
    case SN_INIT_GLOROT_UNIFORM:
        glorot(p, n, w, s);
        return 0;
    case SN_INIT_ORTHOGONAL:
        return orthogonal(p, n, w, s);
    case SN_INIT_LSTM_BIAS: /* gates i, f, c, o */
        fill(p, n, 0);
        fill(p + n / 4, n / 4, 1);
        return 0;
    }
    return sn_error(SEQNET_EINTERNAL, "weight %s has no initialiser", w->name);
}

int sn_model_init(struct sn_model *m, uint64_t seed) {
    const struct sn_graph *g = m->arch->graph;
    for (int i = 0; i < g->n_nodes; i++) {
        for (int w = 0; w < g->nodes[i].n_weights; w++) {
            struct sn_stream s;
            sn_stream_init_use(&s, seed, SN_RNG_INIT, (uint64_t)i, (uint64_t)w);
            SN_TRY(init_weight(m->params + g->nodes[i].weight_offset[w], &g->nodes[i].weights[w], &s));
        }
    }
    return 0;
}
