/* Random numbers that depend on what they are for, never on call order. */
#ifndef SN_CORE_RNG_H
#define SN_CORE_RNG_H

#include <stdint.h>

/* Philox4x32-10 (Salmon et al., SC 2011). */
void sn_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* What a draw is for; part of the counter, so that no two purposes share numbers. */
enum sn_rng_use {
    SN_RNG_DROPOUT = 1,
    SN_RNG_INIT,
    SN_RNG_ORDER,
    SN_RNG_AUGMENT,
    SN_RNG_SPLIT,
    SN_RNG_NEGATIVES,
    SN_RNG_SHUFFLE,
    SN_RNG_LEIDEN
};

/* A stream of u64 keyed by (seed, use, a, b): splitmix64 over mix64 (the generator of sequence shuffles). */
struct sn_stream {
    uint64_t state;
};
uint64_t sn_mix64(uint64_t k);
/* state = mix64(mix64(mix64(seed) + a) + b): exactly the shuffle generator of (seed, sequence, reference). */
void sn_stream_init(struct sn_stream *s, uint64_t seed, uint64_t a, uint64_t b);
/* the same with the seed first mixed with `use`, for everything that is not a sequence shuffle */
void sn_stream_init_use(struct sn_stream *s, uint64_t seed, enum sn_rng_use use, uint64_t a, uint64_t b);
uint64_t sn_stream_u64(struct sn_stream *s);
uint64_t sn_stream_below(struct sn_stream *s, uint64_t n); /* high 64 bits of u64*n; n >= 1 */
double sn_stream_unit(struct sn_stream *s);                /* [0,1), 53 bits */
double sn_stream_normal(struct sn_stream *s);              /* standard normal, own log/cos-free method (no libm) */
/* Fisher-Yates, i = n-1..1, j = below(i+1). */
void sn_stream_permute(struct sn_stream *s, int64_t *v, int64_t n);

#endif
