#include "motif/pile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/ln.h"
#include "core/mem.h"
#include "core/rng.h"
#include "motif/attributions.h"

#define FREE_SLOT UINT64_MAX
#define PSEUDO 0.001
#define LN_2 0.69314718055994530942

/* ---- memory ---- */

static int make_sums(struct sn_pile *p, int length) {
    double *all = sn_calloc((size_t)length, 12 * sizeof *all);
    if (!all) return SEQNET_ENOMEM;
    free(p->bases);
    p->bases = all;
    p->actual = all + 4 * length;
    p->hypothetical = all + 8 * length;
    p->length = length;
    return 0;
}

int sn_pile_create(const struct sn_attributions *a, int length, struct sn_pile **out) {
    *out = NULL;
    struct sn_pile *p = sn_calloc(1, sizeof *p);
    if (!p) return SEQNET_ENOMEM;
    p->a = a;
    p->slots = 16;
    p->seen = sn_calloc(p->slots, sizeof *p->seen);
    if (!p->seen || make_sums(p, length) < 0) {
        sn_pile_free(p);
        return SEQNET_ENOMEM;
    }
    memset(p->seen, 0xff, p->slots * sizeof *p->seen);
    *out = p;
    return 0;
}

void sn_pile_free(struct sn_pile *p) {
    if (!p) return;
    free(p->s);
    free(p->bases);
    free(p->seen);
    free(p);
}

int sn_pile_copy(const struct sn_pile *p, struct sn_pile **out) {
    SN_TRY(sn_pile_create(p->a, p->length, out));
    for (int i = 0; i < p->n; i++) {
        int rc = sn_pile_add(*out, &p->s[i]);
        if (rc < 0) {
            sn_pile_free(*out);
            *out = NULL;
            return rc;
        }
    }
    return 0;
}

/* ---- which places are taken ---- */

static uint64_t place_of(const struct sn_seqlet *s) {
    return (uint64_t)(uint32_t)s->sequence << 32 | (uint32_t)s->start;
}

/* true when the place was free. */
static bool take(uint64_t *seen, size_t slots, uint64_t place) {
    size_t i = sn_mix64(place) & (slots - 1);
    while (seen[i] != FREE_SLOT) {
        if (seen[i] == place) return false;
        i = (i + 1) & (slots - 1);
    }
    seen[i] = place;
    return true;
}

static int more_slots(struct sn_pile *p) {
    size_t slots = p->slots * 2;
    uint64_t *seen = sn_calloc(slots, sizeof *seen);
    if (!seen) return SEQNET_ENOMEM;
    memset(seen, 0xff, slots * sizeof *seen);
    for (int i = 0; i < p->n; i++) take(seen, slots, place_of(&p->s[i]));
    free(p->seen);
    p->seen = seen;
    p->slots = slots;
    return 0;
}

/* ---- seqlets ---- */

bool sn_seqlet_inside(const struct sn_attributions *a, const struct sn_seqlet *s) {
    return s->start >= 0 && s->end <= (a->len ? a->len[s->sequence] : a->length);
}

static void add_sums(struct sn_pile *p, const struct sn_seqlet *s) {
    const struct sn_attributions *a = p->a;
    const uint8_t *b = a->bases + (int64_t)s->sequence * a->length + s->start;
    for (int q = 0; q < p->length; q++) {
        int to = 4 * (s->reverse ? p->length - 1 - q : q);
        for (int c = 0; c < 4; c++) p->hypothetical[to + (s->reverse ? 3 - c : c)] += sn_hypothetical(a, s->sequence, s->start + q, c);
        if (b[q] > 3) continue;
        to += s->reverse ? 3 - b[q] : b[q];
        p->bases[to] += 1;
        p->actual[to] += sn_hypothetical(a, s->sequence, s->start + q, b[q]);
    }
    sn_seqlet_drop(a, s);
}

int sn_pile_add(struct sn_pile *p, const struct sn_seqlet *s) {
    if ((size_t)(p->n + 1) * 2 > p->slots) SN_TRY(more_slots(p));
    if (!take(p->seen, p->slots, place_of(s))) return 0;
    void *all = p->s;
    int rc = sn_grow(&all, &p->cap, (size_t)p->n + 1, sizeof *p->s);
    p->s = all;
    if (rc < 0) return rc;
    p->s[p->n++] = *s;
    add_sums(p, s);
    return 0;
}

int sn_pile_resize(struct sn_pile *p, int left, int right) {
    int length = p->length + left + right, kept = 0;
    struct sn_seqlet *old = p->s;
    int n = p->n;
    for (int i = 0; i < n; i++) {
        struct sn_seqlet s = old[i];
        s.start -= s.reverse ? right : left;
        s.end += s.reverse ? left : right;
        kept += sn_seqlet_inside(p->a, &s);
    }
    if (kept == 0 || length <= 0) return 0;
    SN_TRY(make_sums(p, length));
    memset(p->seen, 0xff, p->slots * sizeof *p->seen);
    p->n = 0;
    for (int i = 0; i < n; i++) { /* what is added never overtakes what is read */
        struct sn_seqlet s = old[i];
        s.start -= s.reverse ? right : left;
        s.end += s.reverse ? left : right;
        if (sn_seqlet_inside(p->a, &s)) SN_TRY(sn_pile_add(p, &s));
    }
    return 1;
}

int sn_pile_reverse(struct sn_pile *p) {
    for (int i = 0; i < p->n; i++) p->s[i].reverse = !p->s[i].reverse;
    return sn_pile_resize(p, 0, 0) < 0 ? SEQNET_ENOMEM : 0;
}

/* ---- information ---- */

double sn_position_information(const double p[4], const double background[4]) {
    double sum = 0;
    for (int c = 0; c < 4; c++) {
        sum += p[c] * sn_ln((p[c] + PSEUDO) / (1 + 4 * PSEUDO)) / LN_2;
        if (background[c] > 0) sum -= background[c] * sn_ln(background[c]) / LN_2;
    }
    return sum;
}

/* Start of the most informative window and its information. */
static int best_window(const struct sn_pile *p, int window, const double background[4], double *most) {
    int best = 0;
    *most = -INFINITY;
    for (int k = 0; k + window <= p->length; k++) {
        double sum = 0;
        for (int q = k; q < k + window; q++) {
            double column[4], all = 0;
            for (int c = 0; c < 4; c++) all += p->bases[4 * q + c];
            for (int c = 0; c < 4; c++) column[c] = all > 0 ? p->bases[4 * q + c] / all : background[c];
            sum += sn_position_information(column, background);
        }
        if (sum <= *most) continue;
        *most = sum;
        best = k;
    }
    return best;
}

int sn_pile_polish(struct sn_pile *p, int window, int flank, const double background[4]) {
    int rc = sn_pile_resize(p, flank, flank);
    if (rc <= 0) return rc;
    if (window > p->length) window = p->length;
    double most;
    int start = best_window(p, window, background, &most);
    return sn_pile_resize(p, flank - start, flank - (p->length - start - window));
}

double sn_pile_best_information(const struct sn_pile *p, int window, const double background[4]) {
    double most;
    best_window(p, window < p->length ? window : p->length, background, &most);
    return most;
}

double sn_pile_contribution(const struct sn_pile *p) {
    double sum = 0;
    for (int i = 0; i < 4 * p->length; i++) sum += p->actual[i];
    return sum;
}
