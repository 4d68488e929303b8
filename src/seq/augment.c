#include <string.h>

#include "core/rng.h"
#include "seq/dataset.h"

#define FOR_THE_BATCH UINT64_MAX /* no row has this number */

int sn_augment_shift(const struct sn_augment *a, int64_t step) {
    if (a == NULL || a->max_shift <= 0) return 0;
    struct sn_stream s;
    sn_stream_init_use(&s, a->seed, SN_RNG_AUGMENT, (uint64_t)step, FOR_THE_BATCH);
    return (int)((int64_t)sn_stream_below(&s, 2 * (uint64_t)a->max_shift + 1) - a->max_shift);
}

static bool turns(const struct sn_dataset *d, const struct sn_augment *a, int64_t step, int64_t i) {
    if (a == NULL || !a->reverse_complement || !d->alphabet->has_complement) return false;
    struct sn_stream s;
    sn_stream_init_use(&s, a->seed, SN_RNG_AUGMENT, (uint64_t)step, (uint64_t)i);
    return sn_stream_u64(&s) >> 63;
}

void sn_dataset_row(const struct sn_dataset *d, int64_t i, const struct sn_augment *a, int64_t step, int64_t width, uint8_t *out) {
    const uint8_t *row = d->codes + d->offset[i];
    int64_t len = sn_dataset_len(d, i), shift = sn_augment_shift(a, step), free_positions = width - len;
    int64_t pad = free_positions >= 0 ? free_positions / 2 : -((-free_positions + 1) / 2);
    bool turned = turns(d, a, step, i);
    /* out[j] shows base j - pad + shift, where both that and j - pad lie in the row */
    int64_t from = pad > 0 ? pad : 0, to = pad + len < width ? pad + len : width;
    if (pad - shift > from) from = pad - shift;
    if (pad - shift + len < to) to = pad - shift + len;
    if (from > to) from = to = 0;
    memset(out, SN_CODE_OUTSIDE, (size_t)from);
    const uint8_t *complement = d->alphabet->complement;
    int64_t base = from - pad + shift;
    if (turned)
        for (int64_t j = from; j < to; j++) out[j] = complement[row[len - 1 - (base + j - from)]];
    else
        memcpy(out + from, row + base, (size_t)(to - from));
    memset(out + to, SN_CODE_OUTSIDE, (size_t)(width - to));
}
