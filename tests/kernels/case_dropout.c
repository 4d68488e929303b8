#include "core/philox.h"
#include "core/rng.h"
#include "harness.h"

/* Published vectors of Random123 for Philox4x32-10. */
static void philox(struct kt *t) {
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } golden[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    kt_begin(t, "philox");
    for (size_t g = 0; g < sizeof golden / sizeof *golden; g++) {
        uint32_t out[4];
        sn_philox4x32(golden[g].counter, golden[g].key, out);
        for (int i = 0; i < 4; i++) kt_check(t, (sn_real)(out[i] == golden[g].out[i]), 1);
    }
}

static uint32_t word(uint64_t seed, int64_t step, int node, int64_t id, uint64_t e) {
    struct sn_stream s;
    sn_stream_init_use(&s, seed, SN_RNG_DROPOUT, (uint64_t)step, (uint64_t)node);
    const uint32_t counter[4] = {(uint32_t)(e / 4), (uint32_t)(e / 4 >> 32), (uint32_t)id, (uint32_t)((uint64_t)id >> 32)};
    const uint32_t key[2] = {(uint32_t)s.state, (uint32_t)(s.state >> 32)};
    uint32_t out[4];
    sn_philox(counter, key, out);
    return out[e % 4];
}

static void mask(struct kt *t) {
    static const double rates[] = {0, 0.2, 0.5, 0.9};
    static const int64_t ids[KT_ROWS] = {0, 1, 77, INT64_C(1) << 40, 5};
    int ch, longest;
    bool wide;
    for (int s = 0; kt_shape(s, &ch, &longest, &wide); s++) {
        double rate = rates[s % 4];
        kt_begin(t, "rate %g ch %d len %d wide %d", rate, ch, longest, wide);
        const int32_t *len = kt_lens(t, KT_ROWS, longest);
        struct sn_t3 x = kt_t3_values(t, KT_ROWS, ch, len, wide), y = kt_t3(t, KT_ROWS, ch, len, s % 3 == 0);
        kt_keep(t, x.p);
        t->k->dropout(&(struct sn_dropout){KT_ROWS, rate, 42, s, 3, ids, x, y});
        kt_t3_written(t, &y, KT_ROWS);
        for (int i = 0; i < KT_ROWS; i++)
            for (int64_t e = 0; e < (int64_t)len[i] * ch; e++) {
                bool keep = word(42, s, 3, ids[i], (uint64_t)e) >= rate * 4294967296.0;
                kt_check(t, *kt_at(&y, i, e / ch, (int)(e % ch)), keep ? *kt_at(&x, i, e / ch, (int)(e % ch)) / (1 - rate) : 0);
            }
    }
}

/* As many as the rate says are dropped, and another seed, step, node or sample drops others. */
static void rate(struct kt *t) {
    enum { N = 4000 };
    static const struct {
        uint64_t seed;
        int64_t step;
        int node;
        int64_t id;
    } draws[] = {{1, 0, 0, 0}, {2, 0, 0, 0}, {1, 1, 0, 0}, {1, 0, 1, 0}, {1, 0, 0, 1}};
    enum { DRAWS = sizeof draws / sizeof *draws };
    kt_begin(t, "rate");
    int32_t *len = kt_ones(t, 1);
    struct sn_t3 x = kt_t3(t, 1, N, len, false), y[DRAWS];
    kt_t3_fill(&x, 1, 1);
    for (int d = 0; d < DRAWS; d++) {
        y[d] = kt_t3(t, 1, N, len, false);
        t->k->dropout(&(struct sn_dropout){1, 0.3, draws[d].seed, draws[d].step, draws[d].node, &draws[d].id, x, y[d]});
        int dropped = 0, same = 0;
        for (int c = 0; c < N; c++) {
            dropped += y[d].p[c] == 0;
            same += y[d].p[c] == y[0].p[c];
        }
        kt_check(t, (sn_real)(dropped > 0.27 * N && dropped < 0.33 * N), 1);
        kt_check(t, (sn_real)(d == 0 || (same > 0.53 * N && same < 0.63 * N)), 1); /* 0.7^2 + 0.3^2 = 0.58 */
    }
}

const struct kt_case SN_SYM(kt_cases_dropout)[] = {
    {"philox", 0, philox},
    {"dropout", 2e-7, mask},
    {"dropout, rate", 0, rate},
    {NULL, 0, NULL},
};
