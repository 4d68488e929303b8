#include "motif/fimo.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "motif/loops.h"

#define LETTERS 4
#define ROOM ((int64_t)1 << 22) /* bases scanned at a time, where nothing else is asked for */
#define TILE ((int64_t)1 << 15) /* of them by one worker: their pairs stay in its cache */
#define MOST_LIMIT 254          /* of sums of bytes that stop at 255 */

/* A motif on one strand. What a window lacks to the best score is summed by pairs of bases in bytes, rounded down: no hit is missed, and
 * the few windows that pass are scored exactly. */
struct reading {
    int motif;
    bool reverse;
    int32_t *score; /* (width, 4) on the forward strand */
    uint8_t *table; /* (n_pairs, 16) */
    int n_pairs, limit;
};

/* Bases without a gap, in the room. */
struct stretch {
    int32_t sequence;
    int64_t start; /* in the sequence */
    int64_t at, n; /* in the room */
    int64_t old;   /* of its bases, those whose windows were already scanned */
};

/* Hits of one tile. */
struct found {
    struct sn_fimo_hit *v;
    size_t n, cap;
    struct sn_str text;
};

struct sn_fimo {
    struct sn_fimo_options o;
    struct sn_pool *pool;
    const struct sn_motif_loops *loops;
    char letter[LETTERS + 1];
    int n_motifs, widest;
    struct sn_fimo_matrix *matrix; /* (n_motifs) */
    struct reading *reading;
    int n_readings;
    uint8_t *base; /* (room) bases of the stretches, one behind the other */
    uint8_t *pair; /* (room) 4 * base + next base */
    int64_t n;     /* bases in the room */
    struct stretch *stretch;
    size_t n_stretches, cap_stretches;
    bool open; /* the last stretch goes on */
    int32_t sequence;
    int64_t position;     /* in the sequence */
    struct found *tile;   /* (tiles of the room) */
    int32_t **candidates; /* (workers, TILE) */
    struct found all;
    struct sn_fimo_hits hits;
};

void sn_fimo_defaults(struct sn_fimo_options *o) {
    *o = (struct sn_fimo_options){.threshold = 1e-4, .pseudo = 1e-4, .both_strands = true, .room = ROOM};
}

static int64_t tiles_of(const struct sn_fimo *f) {
    return (f->o.room + TILE - 1) / TILE;
}

/* ---- making ---- */

static int make_table(const struct sn_fimo_matrix *m, struct reading *r) {
    int best = 0, shift = 0;
    r->n_pairs = (m->width + 1) / 2;
    r->table = sn_calloc((size_t)r->n_pairs, 16);
    int32_t *lack = sn_calloc((size_t)(2 * r->n_pairs), LETTERS * sizeof *lack); /* 0 in the column that an odd width lacks */
    if (!r->table || !lack) {
        free(lack);
        return SEQNET_ENOMEM;
    }
    for (int j = 0; j < m->width; j++) {
        const int32_t *s = r->score + j * LETTERS;
        int32_t high = s[0];
        for (int b = 1; b < LETTERS; b++)
            if (s[b] > high) high = s[b];
        for (int b = 0; b < LETTERS; b++) lack[j * LETTERS + b] = high - s[b];
        best += high;
    }
    r->limit = best - m->least;
    while (r->limit >> shift > MOST_LIMIT) shift++;
    for (int k = 0; k < r->n_pairs; k++)
        for (int pair = 0; pair < 16; pair++) {
            int32_t sum = (lack[2 * k * LETTERS + pair / 4] + lack[(2 * k + 1) * LETTERS + pair % 4]) >> shift;
            r->table[16 * k + pair] = (uint8_t)(sum > 255 ? 255 : sum);
        }
    if (r->limit > 0) r->limit >>= shift;
    free(lack);
    return 0;
}

static int add_reading(struct sn_fimo *f, int motif, bool reverse) {
    const struct sn_fimo_matrix *m = &f->matrix[motif];
    struct reading *r = &f->reading[f->n_readings++];
    r->motif = motif;
    r->reverse = reverse;
    r->score = sn_calloc((size_t)m->width, LETTERS * sizeof *r->score);
    if (!r->score) return SEQNET_ENOMEM;
    for (int j = 0; j < m->width; j++)
        for (int b = 0; b < LETTERS; b++)
            r->score[j * LETTERS + b] = m->score[reverse ? (m->width - 1 - j) * LETTERS + LETTERS - 1 - b : j * LETTERS + b];
    return make_table(m, r);
}

static int check_set(const struct sn_motif_set *s, int64_t room) {
    if (s->n == 0) return sn_error(SEQNET_EDATA, "no motifs to scan with");
    if (strcmp(s->letter, "ACGT") != 0 && strcmp(s->letter, "ACGU") != 0)
        return sn_error(SEQNET_ENOTSUP, "scanning with motifs over the letters %s is not supported; ACGT and ACGU are", s->letter);
    for (int i = 0; i < s->n; i++) {
        if (s->m[i].width > SN_FIMO_WIDEST)
            return sn_error(SEQNET_EDATA, "motif '%s' has %d columns, at most %d can be scanned with", s->m[i].id, s->m[i].width,
                            SN_FIMO_WIDEST);
        if (s->m[i].width > room / 2)
            return sn_error(SEQNET_EINVAL, "room for %lld bases: expected twice the %d of motif '%s'", (long long)room, s->m[i].width,
                            s->m[i].id);
    }
    return 0;
}

static int allocate(struct sn_fimo *f) {
    int workers = sn_pool_size(f->pool);
    f->matrix = sn_calloc((size_t)f->n_motifs, sizeof *f->matrix);
    f->reading = sn_calloc(2 * (size_t)f->n_motifs, sizeof *f->reading);
    f->base = sn_calloc((size_t)f->o.room + 1, 1);
    f->pair = sn_calloc((size_t)f->o.room + SN_FIMO_WIDEST + SN_LOOP_PAD, 1);
    f->tile = sn_calloc((size_t)tiles_of(f), sizeof *f->tile);
    f->candidates = sn_calloc((size_t)workers, sizeof *f->candidates);
    if (!f->matrix || !f->reading || !f->base || !f->pair || !f->tile || !f->candidates) return SEQNET_ENOMEM;
    for (int i = 0; i < workers; i++)
        if (!(f->candidates[i] = sn_calloc((size_t)TILE, sizeof **f->candidates))) return SEQNET_ENOMEM;
    return 0;
}

int sn_fimo_create(const struct sn_motif_set *motifs, const struct sn_fimo_options *o, struct sn_pool *pool, struct sn_fimo **out) {
    int rc;
    *out = NULL;
    SN_TRY(check_set(motifs, o->room));
    struct sn_fimo *f = sn_calloc(1, sizeof *f);
    if (!f) return SEQNET_ENOMEM;
    f->o = *o;
    if (strcmp(motifs->letter, "ACGT") != 0) f->o.both_strands = false;
    f->pool = pool;
    f->loops = sn_motif_loops();
    f->n_motifs = motifs->n;
    f->sequence = -1;
    memcpy(f->letter, motifs->letter, sizeof f->letter);
    SN_GO(allocate(f));
    for (int i = 0; i < motifs->n; i++) {
        SN_GO(sn_fimo_matrix_make(&motifs->m[i], motifs->background, &f->o, &f->matrix[i]));
        if (f->matrix[i].width > f->widest) f->widest = f->matrix[i].width;
        SN_GO(add_reading(f, i, false));
        if (f->o.both_strands) SN_GO(add_reading(f, i, true));
    }
    *out = f;
    f = NULL;
done:
    sn_fimo_free(f);
    return rc;
}

void sn_fimo_free(struct sn_fimo *f) {
    if (!f) return;
    for (int i = 0; f->matrix && i < f->n_motifs; i++) sn_fimo_matrix_free(&f->matrix[i]);
    for (int i = 0; f->reading && i < f->n_readings; i++) {
        free(f->reading[i].score);
        free(f->reading[i].table);
    }
    for (int64_t i = 0; f->tile && i < tiles_of(f); i++) {
        free(f->tile[i].v);
        sn_str_free(&f->tile[i].text);
    }
    for (int i = 0; f->candidates && i < sn_pool_size(f->pool); i++) free(f->candidates[i]);
    free(f->matrix);
    free(f->reading);
    free(f->base);
    free(f->pair);
    free(f->tile);
    free(f->candidates);
    free(f->stretch);
    free(f->all.v);
    sn_str_free(&f->all.text);
    free(f);
}

/* ---- scanning what is in the room ---- */

static const struct stretch *stretch_at(const struct sn_fimo *f, int64_t at) {
    size_t low = 0, high = f->n_stretches;
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (f->stretch[mid].at <= at)
            low = mid;
        else
            high = mid;
    }
    return &f->stretch[low];
}

/* Adds a window of the room when it lies in one stretch, was not there before, and scores high enough. */
static int try_window(const struct sn_fimo *f, const struct reading *r, int64_t at, struct found *out) {
    const struct sn_fimo_matrix *m = &f->matrix[r->motif];
    const struct stretch *s = stretch_at(f, at);
    int64_t end = at + m->width;
    int32_t score = 0;
    if (end > s->at + s->n || end <= s->at + s->old) return 0;
    for (int j = 0; j < m->width; j++) score += r->score[j * LETTERS + f->base[at + j]];
    if (score < m->least) return 0;
    SN_TRY(sn_grow((void **)&out->v, &out->cap, out->n + 1, sizeof *out->v));
    out->v[out->n++] = (struct sn_fimo_hit){r->motif, s->sequence, s->start + at - s->at, score, r->reverse, (int64_t)out->text.n};
    for (int j = 0; j < m->width; j++) {
        int base = r->reverse ? LETTERS - 1 - f->base[end - 1 - j] : f->base[at + j];
        SN_TRY(sn_str_add(&out->text, &f->letter[base], 1));
    }
    return 0;
}

static int scan_tile(void *arg, int tile, int worker) {
    struct sn_fimo *f = arg;
    struct found *out = &f->tile[tile];
    int64_t from = tile * TILE, n = f->n - from < TILE ? f->n - from : TILE;
    int32_t *candidate = f->candidates[worker];
    out->n = 0;
    out->text.n = 0;
    for (int i = 0; i < f->n_readings; i++) {
        const struct reading *r = &f->reading[i];
        if (r->limit < 0) continue;
        int64_t k = f->loops->windows(f->pair + from, n, r->table, r->n_pairs, r->limit, candidate);
        for (int64_t c = 0; c < k; c++) SN_TRY(try_window(f, r, from + candidate[c], out));
    }
    return 0;
}

static int append(struct found *all, const struct found *part) {
    SN_TRY(sn_grow((void **)&all->v, &all->cap, all->n + part->n, sizeof *all->v));
    for (size_t i = 0; i < part->n; i++) {
        all->v[all->n] = part->v[i];
        all->v[all->n++].text += (int64_t)all->text.n;
    }
    return part->text.n ? sn_str_add(&all->text, part->text.s, part->text.n) : 0;
}

static void count_windows(struct sn_fimo *f) {
    for (int i = 0; i < f->n_motifs; i++) {
        int64_t w = f->matrix[i].width, windows = 0;
        for (size_t k = 0; k < f->n_stretches; k++) {
            const struct stretch *s = &f->stretch[k];
            if (s->n >= w) windows += s->n - w + 1 - (s->old >= w ? s->old - w + 1 : 0);
        }
        f->matrix[i].windows += f->o.both_strands ? 2 * windows : windows;
    }
}

/* Scans all stretches; of one that goes on, the end stays for the windows that reach over it. */
static int scan_room(struct sn_fimo *f) {
    int tiles = (int)((f->n + TILE - 1) / TILE);
    SN_TRY(sn_check_cancel(f->o.sink));
    f->base[f->n] = 0;
    for (int64_t i = 0; i < f->n; i++) f->pair[i] = (uint8_t)(f->base[i] * LETTERS + f->base[i + 1]);
    memset(f->pair + f->n, 0, SN_FIMO_WIDEST + SN_LOOP_PAD);
    SN_TRY(sn_pool_run(f->pool, tiles, sn_pool_size(f->pool), scan_tile, f));
    for (int t = 0; t < tiles; t++) SN_TRY(append(&f->all, &f->tile[t]));
    count_windows(f);
    f->n = 0;
    if (!f->open || f->n_stretches == 0) {
        f->n_stretches = 0;
        return 0;
    }
    struct stretch s = f->stretch[f->n_stretches - 1];
    int64_t keep = s.n < f->widest - 1 ? s.n : f->widest - 1;
    memmove(f->base, f->base + s.at + s.n - keep, (size_t)keep);
    f->stretch[0] = (struct stretch){s.sequence, s.start + s.n - keep, 0, keep, keep};
    f->n_stretches = 1;
    f->n = keep;
    return 0;
}

/* ---- sequences ---- */

int sn_fimo_next(struct sn_fimo *f) {
    if (f->sequence == INT32_MAX) return sn_error(SEQNET_EDATA, "more than %d sequences", INT32_MAX);
    f->sequence++;
    f->position = 0;
    f->open = false;
    return 0;
}

static int begin_stretch(struct sn_fimo *f) {
    if (f->open) return 0;
    SN_TRY(sn_grow((void **)&f->stretch, &f->cap_stretches, f->n_stretches + 1, sizeof *f->stretch));
    f->stretch[f->n_stretches++] = (struct stretch){f->sequence, f->position, f->n, 0, 0};
    f->open = true;
    return 0;
}

int sn_fimo_feed(struct sn_fimo *f, const uint8_t *codes, int64_t n) {
    for (int64_t i = 0; i < n;) {
        if (f->n == f->o.room) SN_TRY(scan_room(f));
        if (codes[i] >= SN_FIMO_NO_BASE) {
            f->open = false;
            f->position++;
            i++;
            continue;
        }
        SN_TRY(begin_stretch(f));
        int64_t most = n - i < f->o.room - f->n ? n - i : f->o.room - f->n, k = 0;
        for (uint8_t *to = f->base + f->n; k < most && codes[i + k] < SN_FIMO_NO_BASE; k++) to[k] = codes[i + k];
        f->stretch[f->n_stretches - 1].n += k;
        f->n += k;
        f->position += k;
        i += k;
    }
    return 0;
}

static int by_rank(const void *a, const void *b) {
    const struct sn_fimo_hit *x = a, *y = b;
    if (x->motif != y->motif) return x->motif < y->motif ? -1 : 1;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->sequence != y->sequence) return x->sequence < y->sequence ? -1 : 1;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    return (int)x->reverse - (int)y->reverse;
}

/* Of hits in rising order of p, those with one score share the last of their ranks. */
static void make_q(struct sn_fimo_matrix *m, const struct sn_fimo_hit *v, int64_t n) {
    double q = 1;
    m->n_hits = n;
    for (int64_t i = n - 1; i >= 0; i--) {
        int at = v[i].score - m->lowest;
        double bound = m->p[at] * (double)m->windows / (double)(i + 1);
        if (bound < q) q = bound;
        if (i == n - 1 || v[i + 1].score != v[i].score) m->q[at] = q;
    }
}

int sn_fimo_end(struct sn_fimo *f, const struct sn_fimo_hits **hits) {
    f->open = false;
    SN_TRY(scan_room(f));
    struct sn_fimo_hit *v = f->all.v;
    int64_t n = (int64_t)f->all.n;
    if (n > 0) qsort(v, (size_t)n, sizeof *v, by_rank);
    for (int64_t i = 0, k; i < n; i = k) {
        for (k = i; k < n && v[k].motif == v[i].motif;) k++;
        make_q(&f->matrix[v[i].motif], v + i, k - i);
    }
    f->hits = (struct sn_fimo_hits){v, n, f->all.text.s};
    *hits = &f->hits;
    return 0;
}

const struct sn_fimo_matrix *sn_fimo_matrices(const struct sn_fimo *f) {
    return f->matrix;
}
