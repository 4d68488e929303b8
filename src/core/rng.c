#include "core/rng.h"

#include <stdbool.h>
#include <stddef.h>

#include "core/philox.h"

#define GOLDEN_GAMMA UINT64_C(0x9E3779B97F4A7C15)

void sn_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    sn_philox4x32(counter, key, out);
}

/* The finaliser of splitmix64 (Steele et al., OOPSLA 2014). */
static uint64_t finalise(uint64_t z) {
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint64_t sn_mix64(uint64_t k) {
    return finalise(k + GOLDEN_GAMMA);
}

void sn_stream_init(struct sn_stream *s, uint64_t seed, uint64_t a, uint64_t b) {
    s->state = sn_mix64(sn_mix64(sn_mix64(seed) + a) + b);
}

void sn_stream_init_use(struct sn_stream *s, uint64_t seed, enum sn_rng_use use, uint64_t a, uint64_t b) {
    sn_stream_init(s, sn_mix64(seed) + (uint64_t)use, a, b);
}

uint64_t sn_stream_u64(struct sn_stream *s) {
    s->state += GOLDEN_GAMMA;
    return finalise(s->state);
}

uint64_t sn_stream_below(struct sn_stream *s, uint64_t n) {
    return (uint64_t)(((unsigned __int128)sn_stream_u64(s) * n) >> 64);
}

double sn_stream_unit(struct sn_stream *s) {
    return (double)(sn_stream_u64(s) >> 11) * 0x1p-53;
}

/* True with probability exp(-1/2): the length of a falling run of uniforms that starts below 1/2 is even (von Neumann 1951). */
static bool exp_half(struct sn_stream *s) {
    double last = 0.5;
    for (bool even = true;; even = !even) {
        double u = sn_stream_unit(s);
        if (u >= last) return even;
        last = u;
    }
}

/* True with probability exp(-x (2k+x) / (2k+2)). */
static bool exp_part(struct sn_stream *s, int k, double x) {
    double last = x, p = (2 * k + x) / (2 * k + 2);
    for (bool even = true;; even = !even) {
        double u = sn_stream_unit(s);
        if (u >= last || sn_stream_unit(s) >= p) return even;
        last = u;
    }
}

/* Karney, "Sampling exactly from the normal distribution", ACM TOMS 42 (2016), algorithm N: comparisons only. */
double sn_stream_normal(struct sn_stream *s) {
    for (;;) {
        int k = 0;
        while (exp_half(s)) k++;
        int trials = k * (k - 1);
        while (trials > 0 && exp_half(s)) trials--;
        if (trials > 0) continue;
        double x = sn_stream_unit(s);
        int parts = k + 1;
        while (parts > 0 && exp_part(s, k, x)) parts--;
        if (parts > 0) continue;
        double y = k + x;
        return sn_stream_u64(s) >> 63 ? -y : y;
    }
}

void sn_stream_permute(struct sn_stream *s, int64_t *v, int64_t n) {
    for (int64_t i = n - 1; i >= 1; i--) {
        int64_t j = (int64_t)sn_stream_below(s, (uint64_t)i + 1), t = v[i];
        v[i] = v[j];
        v[j] = t;
    }
}
