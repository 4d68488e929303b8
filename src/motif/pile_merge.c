/* Seqlets and piles laid onto piles. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "motif/pile.h"

/* ---- cosine of contributions ---- */

/* v (n,4) less its mean, over its norm. */
static void magnitude(double *v, int n) {
    double mean = 0, squares = 0;
    for (int i = 0; i < 4 * n; i++) mean += v[i];
    mean /= 4 * n;
    for (int i = 0; i < 4 * n; i++) {
        v[i] -= mean;
        squares += v[i] * v[i];
    }
    double by = 1 / (sqrt(squares) + 1e-7);
    for (int i = 0; i < 4 * n; i++) v[i] *= by;
}

struct cosine {
    int parent, child, pad;
    double *y;      /* (parent + 2 pad, 4) the parent with zeros around it */
    double *before; /* (parent + 2 pad + 1) sum of squares before each position */
    double *x;      /* (child, 4) */
};

static void cosine_free(struct cosine *k) {
    free(k->y);
    free(k->before);
    free(k->x);
}

static int cosine_create(int parent, int child, struct cosine *k) {
    *k = (struct cosine){.parent = parent, .child = child, .pad = (3 * child + 9) / 10};
    size_t all = (size_t)(parent + 2 * k->pad);
    k->y = sn_calloc(all, 4 * sizeof *k->y);
    k->before = sn_calloc(all + 1, sizeof *k->before);
    k->x = sn_calloc((size_t)child, 4 * sizeof *k->x);
    if (k->y && k->before && k->x) return 0;
    cosine_free(k);
    return SEQNET_ENOMEM;
}

static void set_parent(struct cosine *k, const double *actual) {
    double *y = k->y + 4 * k->pad;
    memcpy(y, actual, (size_t)k->parent * 4 * sizeof *y);
    magnitude(y, k->parent);
    for (int q = 0; q < k->parent + 2 * k->pad; q++) {
        double sum = 0;
        for (int c = 0; c < 4; c++) sum += k->y[4 * q + c] * k->y[4 * q + c];
        k->before[q + 1] = k->before[q] + sum;
    }
}

static void reverse_child(struct cosine *k) {
    for (int i = 0, j = 4 * k->child - 1; i < j; i++, j--) {
        double t = k->x[i];
        k->x[i] = k->x[j];
        k->x[j] = t;
    }
}

/* Best place of x, which has been through magnitude(). */
static void best_place(struct cosine *k, bool both_strands, struct sn_shift *out) {
    int last = k->parent + 2 * k->pad - k->child, strands = both_strands ? 2 : 1;
    double most = -2;
    for (int strand = 0; strand < strands; strand++) {
        if (strand == 1) reverse_child(k);
        for (int s = 0; s <= last; s++) {
            const double *y = k->y + 4 * s;
            double squares = k->before[s + k->child] - k->before[s], lane[4] = {0};
            for (int q = 0; q < k->child; q++)
                for (int c = 0; c < 4; c++) lane[c] += k->x[4 * q + c] * y[4 * q + c];
            double score = squares > 1e-12 ? ((lane[0] + lane[1]) + (lane[2] + lane[3])) / sqrt(squares) : 0;
            if (score <= most) continue;
            most = score;
            *out = (struct sn_shift){(float)score, s - k->pad, strand == 1};
        }
    }
}

int sn_pile_align(const struct sn_pile *parent, const struct sn_pile *child, bool both_strands, struct sn_shift *out) {
    struct cosine k;
    *out = (struct sn_shift){0, 0, false};
    SN_TRY(cosine_create(parent->length, child->length, &k));
    set_parent(&k, parent->actual);
    memcpy(k.x, child->actual, (size_t)child->length * 4 * sizeof *k.x);
    magnitude(k.x, child->length);
    best_place(&k, both_strands, out);
    cosine_free(&k);
    return 0;
}

/* ---- seqlets onto a pile ---- */

struct merging {
    struct sn_pile *p;
    enum sn_alignment by;
    const struct sn_tracks *tracks;
    bool both_strands, stale; /* stale: the pile has changed since it was last looked at */
    int length;               /* of the seqlets */
    struct sn_padded padded;
    struct cosine cosine;
    float *mean, *track;
    uint8_t *bases;
    float *cut;
};

static void merging_free(struct merging *m) {
    sn_padded_free(&m->padded);
    cosine_free(&m->cosine);
    free(m->mean);
    free(m->track);
    free(m->bases);
    free(m->cut);
}

/* Makes what is compared with fit the pile's present length and sums. */
static int refresh(struct merging *m) {
    struct sn_pile *p = m->p;
    int n = p->length, pad = (3 * m->length + 9) / 10;
    m->stale = false;
    if (m->by == SN_ALIGN_COSINE) {
        cosine_free(&m->cosine);
        SN_TRY(cosine_create(n, m->length, &m->cosine));
        set_parent(&m->cosine, p->actual);
        return 0;
    }
    if (n + 2 * pad > m->padded.cap) {
        sn_padded_free(&m->padded);
        free(m->mean);
        free(m->track);
        int cap = 2 * (n + 2 * pad);
        m->track = NULL;
        m->mean = sn_calloc((size_t)cap, 8 * sizeof *m->mean);
        m->track = sn_calloc((size_t)cap, SN_TRACK * sizeof *m->track);
        if (!m->mean || !m->track) return SEQNET_ENOMEM;
        SN_TRY(sn_padded_create(cap, &m->padded));
    }
    double by = p->n > 0 ? 1.0 / p->n : 0;
    for (int i = 0; i < 4 * n; i++) {
        m->mean[i] = (float)(p->hypothetical[i] * by);
        m->mean[4 * n + i] = (float)(p->actual[i] * by);
    }
    sn_track_from(m->mean, m->mean + 4 * n, n, m->track);
    sn_padded_set(&m->padded, m->track, n, pad, m->length, m->both_strands);
    return 0;
}

/* Where seqlet i belongs: shift of its first position, in the orientation that *reverse says, in the pile. */
static void place(struct merging *m, const struct sn_seqlet *s, int i, struct sn_shift *out) {
    if (m->by == SN_ALIGN_JACCARD) {
        sn_best_shift(&m->padded, m->tracks, i, m->both_strands, out);
        /* the reversed pile against the seqlet is the pile against the reversed seqlet, seen from the other end */
        if (out->reverse) out->shift = m->p->length - out->shift - m->length;
        return;
    }
    sn_seqlet_cut(m->p->a, s, m->bases, m->cut);
    memset(m->cosine.x, 0, (size_t)m->length * 4 * sizeof *m->cosine.x);
    for (int q = 0; q < m->length; q++)
        if (m->bases[q] < 4) m->cosine.x[4 * q + m->bases[q]] = m->cut[4 * q + m->bases[q]];
    magnitude(m->cosine.x, m->length);
    best_place(&m->cosine, m->both_strands, out);
}

static int add_at(struct merging *m, struct sn_seqlet s, const struct sn_shift *at) {
    struct sn_pile *p = m->p;
    int before = at->shift, behind = p->length - (at->shift + m->length);
    if (at->reverse) s.reverse = !s.reverse;
    int left = before > 0 ? before : 0, right = behind > 0 ? behind : 0;
    s.start -= s.reverse ? right : left;
    s.end += s.reverse ? left : right;
    if (!sn_seqlet_inside(p->a, &s)) return 0;
    if (before < 0 || behind < 0) {
        int rc = sn_pile_resize(p, before < 0 ? -before : 0, behind < 0 ? -behind : 0);
        if (rc <= 0) return rc;
        m->stale = true;
    }
    int n = p->n;
    SN_TRY(sn_pile_add(p, &s));
    if (p->n != n) m->stale = true;
    return 0;
}

int sn_pile_merge(struct sn_pile *p, const struct sn_seqlet *s, int n, enum sn_alignment by, const struct sn_tracks *tracks,
                  bool both_strands) {
    if (n == 0) return 0;
    struct merging m = {.p = p, .by = by, .tracks = tracks, .both_strands = both_strands, .stale = true, .length = s[0].end - s[0].start};
    int rc = 0;
    m.bases = sn_calloc((size_t)m.length, 1);
    m.cut = sn_calloc((size_t)m.length, 4 * sizeof *m.cut);
    if (!m.bases || !m.cut) SN_GO(SEQNET_ENOMEM);
    for (int i = 0; i < n; i++) {
        struct sn_shift at = {0, 0, false};
        if (m.stale) SN_GO(refresh(&m));
        place(&m, &s[i], i, &at);
        SN_GO(add_at(&m, s[i], &at));
    }
done:
    merging_free(&m);
    return rc;
}
