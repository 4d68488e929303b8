/* What the benchmarks of kernels share: CPU time of the thread, the best of several rounds, and operands. */
#ifndef SN_TESTS_BENCH_TIMING_H
#define SN_TESTS_BENCH_TIMING_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "core/mem.h"
#include "kernels.h"

static inline double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef void (*work_fn)(const struct sn_kernels *k, const void *args);

#define ROUNDS 30
#define ROUND_SECONDS 2e-3 /* short: what disturbs a round on a shared machine spares others */

/* Seconds of one call: the best round. */
static inline double best_seconds(work_fn fn, const struct sn_kernels *k, const void *args) {
    double best = 1e30;
    int calls = 1;
    for (int round = 0; round < ROUNDS;) {
        double t = now();
        for (int i = 0; i < calls; i++) fn(k, args);
        t = now() - t;
        if (t < ROUND_SECONDS) {
            calls *= 2;
            continue;
        }
        if (t / calls < best) best = t / calls;
        round++;
    }
    return best;
}

static inline float *floats(int64_t n) {
    float *p = sn_aligned_alloc((size_t)n * sizeof *p);
    if (!p) exit(1);
    for (int64_t i = 0; i < n; i++) p[i] = (float)(i * 7 % 31 - 15) / 64.0f;
    return p;
}

#endif
