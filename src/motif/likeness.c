#include "motif/likeness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "motif/attributions.h"

#define SLACK 16     /* positions behind a padded track that vector loads may touch, 128 bytes */
#define PER_TILE 256 /* seqlets */

typedef float float4 __attribute__((vector_size(16)));
typedef int32_t int4 __attribute__((vector_size(16)));

static inline float4 load4(const float *p) {
    float4 v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline float4 size4(float4 v) {
    return (float4)((int4)v & 0x7fffffff);
}

/* Four lanes and one fixed tree: the same bits from every compiler. */
float sn_jaccard(const float *x, const float *y, int n) {
    float4 plus = {0}, minus = {0};
    int i = 0;
    for (; i + 4 <= n; i += 4) {
        float4 a = load4(x + i), b = load4(y + i);
        plus += size4(a + b);
        minus += size4(a - b);
    }
    float p = (plus[0] + plus[1]) + (plus[2] + plus[3]), m = (minus[0] + minus[1]) + (minus[2] + minus[3]);
    for (; i < n; i++) {
        p += fabsf(x[i] + y[i]);
        m += fabsf(x[i] - y[i]);
    }
    return p + m > 0 ? (p - m) / (p + m) : 0;
}

/* ---- tracks ---- */

void sn_seqlet_cut(const struct sn_attributions *a, const struct sn_seqlet *s, uint8_t *bases, float *hypothetical) {
    int n = s->end - s->start;
    const uint8_t *b = a->bases + (int64_t)s->sequence * a->length + s->start;
    for (int p = 0; p < n; p++) {
        int to = s->reverse ? n - 1 - p : p;
        bases[to] = b[p] < 4 && s->reverse ? 3 - b[p] : b[p];
        for (int c = 0; c < 4; c++) hypothetical[to * 4 + (s->reverse ? 3 - c : c)] = sn_hypothetical(a, s->sequence, s->start + p, c);
    }
}

void sn_track_from(const float *hypothetical, const float *actual, int length, float *track) {
    double of_h = 0, of_a = 0;
    for (int i = 0; i < 4 * length; i++) {
        of_h += fabsf(hypothetical[i]);
        of_a += fabsf(actual[i]);
    }
    float by_h = of_h > 0 ? (float)(1 / of_h) : 1, by_a = of_a > 0 ? (float)(1 / of_a) : 1;
    for (int p = 0; p < length; p++)
        for (int c = 0; c < 4; c++) {
            track[p * SN_TRACK + c] = hypothetical[p * 4 + c] * by_h;
            track[p * SN_TRACK + 4 + c] = actual[p * 4 + c] * by_a;
        }
}

void sn_track_reverse(const float *track, int length, float *out) {
    for (int p = 0; p < length; p++)
        for (int c = 0; c < 4; c++) {
            out[p * SN_TRACK + c] = track[(length - 1 - p) * SN_TRACK + 3 - c];
            out[p * SN_TRACK + 4 + c] = track[(length - 1 - p) * SN_TRACK + 7 - c];
        }
}

static uint8_t to_byte(float v) {
    float scaled = v * SN_TRACK_SCALE + 128.5f;
    return (uint8_t)(scaled > 255 ? 255 : scaled < 1 ? 1 : (int)scaled);
}

struct make_job {
    const struct sn_attributions *a;
    const struct sn_seqlet *s;
    struct sn_tracks *t;
};

static int make_tile(void *arg, int tile, int worker) {
    (void)worker;
    struct make_job *j = arg;
    struct sn_tracks *t = j->t;
    int length = t->length, end = (tile + 1) * PER_TILE < t->n ? (tile + 1) * PER_TILE : t->n;
    float *work = sn_calloc((size_t)length * 8, sizeof *work);
    uint8_t *bases = sn_calloc((size_t)length, 1);
    if (!work || !bases) {
        free(work);
        free(bases);
        return SEQNET_ENOMEM;
    }
    float *h = work, *actual = work + 4 * length;
    for (int i = tile * PER_TILE; i < end; i++) {
        sn_seqlet_cut(j->a, &j->s[i], bases, h);
        memset(actual, 0, (size_t)length * 4 * sizeof *actual);
        double strength = 0;
        for (int p = 0; p < length; p++) {
            if (bases[p] > 3) continue;
            actual[p * 4 + bases[p]] = h[p * 4 + bases[p]];
            strength += fabsf(h[p * 4 + bases[p]]);
        }
        t->strength[i] = (float)strength;
        float *value = t->value + (int64_t)i * length * SN_TRACK;
        uint8_t *byte = t->byte + (int64_t)i * t->stride;
        sn_track_from(h, actual, length, value);
        memset(byte, 128, (size_t)t->stride);
        for (int k = 0; k < length * SN_TRACK; k++) byte[k] = to_byte(value[k]);
    }
    free(work);
    free(bases);
    return 0;
}

int sn_tracks_make(const struct sn_attributions *a, const struct sn_seqlet *s, int n, struct sn_pool *pool, struct sn_tracks *out) {
    int length = n > 0 ? s[0].end - s[0].start : 0, stride = (length * SN_TRACK + 63) / 64 * 64;
    *out = (struct sn_tracks){.n = n, .length = length, .stride = stride};
    out->value = sn_calloc((size_t)n, (size_t)length * SN_TRACK * sizeof *out->value);
    out->byte = sn_calloc((size_t)n, (size_t)stride);
    out->strength = sn_calloc((size_t)n, sizeof *out->strength);
    int rc = out->value && out->byte && out->strength ? 0 : SEQNET_ENOMEM;
    struct make_job j = {a, s, out};
    if (rc == 0) rc = sn_pool_run(pool, (n + PER_TILE - 1) / PER_TILE, sn_pool_size(pool), make_tile, &j);
    if (rc < 0) sn_tracks_free(out);
    return rc;
}

void sn_tracks_free(struct sn_tracks *t) {
    free(t->value);
    free(t->byte);
    free(t->strength);
    memset(t, 0, sizeof *t);
}

/* ---- padded tracks ---- */

int sn_padded_create(int cap, struct sn_padded *p) {
    *p = (struct sn_padded){.cap = cap, .sums = sn_shift_sums()};
    size_t positions = (size_t)cap + SLACK;
    p->sum = sn_calloc(4 * positions, sizeof *p->sum);
    bool ok = p->sum;
    for (int strand = 0; strand < 2; strand++) {
        p->value[strand] = sn_calloc(positions, SN_TRACK * sizeof(float));
        p->byte[strand] = sn_calloc(positions, SN_TRACK);
        p->minus[strand] = sn_calloc(positions, SN_TRACK);
        p->size[strand] = sn_calloc(positions + 1, sizeof(uint32_t));
        ok = ok && p->value[strand] && p->byte[strand] && p->minus[strand] && p->size[strand];
    }
    if (!ok) sn_padded_free(p);
    return ok ? 0 : SEQNET_ENOMEM;
}

void sn_padded_free(struct sn_padded *p) {
    for (int strand = 0; strand < 2; strand++) {
        free(p->value[strand]);
        free(p->byte[strand]);
        free(p->minus[strand]);
        free(p->size[strand]);
    }
    free(p->sum);
    memset(p, 0, sizeof *p);
}

static void set_strand(struct sn_padded *p, int strand) {
    int all = p->length + 2 * p->pad + SLACK;
    const float *v = p->value[strand];
    uint8_t *b = p->byte[strand], *m = p->minus[strand];
    uint32_t sum = 0;
    for (int q = 0; q < all; q++) {
        p->size[strand][q] = sum;
        for (int k = q * SN_TRACK; k < (q + 1) * SN_TRACK; k++) {
            b[k] = to_byte(v[k]);
            m[k] = (uint8_t)(256 - b[k]);
            sum += (uint32_t)abs(b[k] - 128);
        }
    }
    p->size[strand][all] = sum;
}

void sn_padded_set(struct sn_padded *p, const float *track, int length, int pad, bool both_strands) {
    p->length = length;
    p->pad = pad;
    for (int strand = 0; strand <= (both_strands ? 1 : 0); strand++) {
        float *v = p->value[strand];
        memset(v, 0, (size_t)(length + 2 * pad + SLACK) * SN_TRACK * sizeof *v);
        if (strand == 0)
            memcpy(v + pad * SN_TRACK, track, (size_t)length * SN_TRACK * sizeof *v);
        else
            sn_track_reverse(track, length, v + pad * SN_TRACK);
        set_strand(p, strand);
    }
}

void sn_best_shift(const struct sn_padded *p, const struct sn_tracks *t, int i, bool both_strands, struct sn_shift *out) {
    int n_shifts = p->length + 2 * p->pad - t->length + 1, wide = t->stride / SN_TRACK, best = 0, best_strand = 0;
    const uint8_t *y = t->byte + (int64_t)i * t->stride;
    uint32_t *plus = p->sum, *minus = p->sum + n_shifts;
    float most = -2;
    for (int strand = 0; strand <= (both_strands ? 1 : 0); strand++) {
        p->sums(p->byte[strand], p->minus[strand], y, t->stride, n_shifts, plus, minus);
        const uint32_t *size = p->size[strand];
        for (int s = 0; s < n_shifts; s++) {
            /* behind the window y is 0 and x counts in both sums alike */
            uint32_t behind = size[s + wide] - size[s + t->length];
            uint32_t a = plus[s] - behind, b = minus[s] - behind;
            float score = a + b > 0 ? ((float)a - (float)b) / (float)(a + b) : 0;
            if (score <= most) continue;
            most = score;
            best = s;
            best_strand = strand;
        }
    }
    out->score = sn_jaccard(p->value[best_strand] + best * SN_TRACK, t->value + (int64_t)i * t->length * SN_TRACK, t->length * SN_TRACK);
    out->shift = best - p->pad;
    out->reverse = best_strand == 1;
}
