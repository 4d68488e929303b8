/* Dropout: the mask is a function of (seed, step, node, sample id, element), drawn again in the reverse pass. */
#ifndef SN_KERNELS_DROPOUT_H
#define SN_KERNELS_DROPOUT_H

#include "core/philox.h"
#include "core/rng.h"
#include "cpu/tmpl/common.h"

#define SN_DROPOUT_BLOCK 64 /* elements whose random words are drawn at once */

/* Words of elements [e, e + SN_DROPOUT_BLOCK) of a sample, e a multiple of 4. */
static void SN_T(dropout_words)(uint64_t e, uint64_t id, const uint32_t key[2], uint32_t *restrict word) {
    for (int g = 0; g < SN_DROPOUT_BLOCK / 4; g++) {
        uint64_t at = e / 4 + (uint64_t)g;
        const uint32_t counter[4] = {(uint32_t)at, (uint32_t)(at >> 32), (uint32_t)id, (uint32_t)(id >> 32)};
        sn_philox4x32(counter, key, word + 4 * g);
    }
}

/* Elements [e0, e0 + n) of a row lie at x and y. */
static void SN_T(dropout_run)(const sn_real *x, sn_real *y, int64_t e0, int64_t n, uint64_t id, const uint32_t key[2], uint32_t drop,
                              sn_real scale) {
    for (int64_t b = e0 & ~(int64_t)3; b < e0 + n; b += SN_DROPOUT_BLOCK) {
        uint32_t word[SN_DROPOUT_BLOCK];
        SN_T(dropout_words)((uint64_t)b, id, key, word);
        int64_t lo = b > e0 ? b : e0, hi = b + SN_DROPOUT_BLOCK < e0 + n ? b + SN_DROPOUT_BLOCK : e0 + n;
        SN_INDEPENDENT
        for (int64_t e = lo; e < hi; e++) y[e - e0] = word[e - b] >= drop ? x[e - e0] * scale : 0;
    }
}

static void SN_T(dropout)(const struct sn_dropout *a) {
    struct sn_stream s;
    sn_stream_init_use(&s, a->seed, SN_RNG_DROPOUT, (uint64_t)a->step, (uint64_t)a->node);
    const uint32_t key[2] = {(uint32_t)s.state, (uint32_t)(s.state >> 32)};
    double limit = a->rate * 4294967296.0; /* word >= limit is the same as word >= its ceiling */
    uint32_t drop = limit >= 4294967295.0 ? UINT32_MAX : (uint32_t)limit;
    if ((double)drop < limit && drop < UINT32_MAX) drop++;
    sn_real scale = (sn_real)(1 / (1 - a->rate));
    for (int i = 0; i < a->n; i++) {
        struct sn_runs r = sn_row_runs(a->y.len[i], a->y.ch, sn_dense(&a->x) && sn_dense(&a->y));
        const sn_real *x = sn_row(&a->x, i);
        sn_real *y = sn_row(&a->y, i);
        for (int64_t q = 0; q < r.runs; q++)
            SN_T(dropout_run)(x + q * a->x.ld, y + q * a->y.ld, q * r.n, r.n, (uint64_t)a->ids[i], key, drop, scale);
    }
}

static void SN_T(fill_dropout)(struct sn_kernels *k) {
    k->dropout = SN_T(dropout);
}

#endif
