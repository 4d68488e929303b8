#include "motif/patterns.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/rng.h"
#include "motif/attributions.h"
#include "motif/rounds.h"
#include "motif/seqlets.h"

#define INFORMATIVE 6   /* positions in a row that must hold ... */
#define INFORMATION 0.6 /* ... this many bits */
#define CORE_SHARE 0.3

/* ---- options ---- */

void sn_discover_defaults(struct sn_discover_options *o) {
    *o = (struct sn_discover_options){
        .window = 21,
        .flank = 10,
        .fdr = 0.2,
        .max_passing = 0.2,
        .max_seqlets = 20000,
        .min_metacluster = 100,
        .neighbours = 500,
        .min_correlation = 0.15,
        .perplexity = 10,
        .density = SN_DENSITY_COMPAT,
        .leiden_seeds = 2,
        .split_min = 50,
        .split_perplexity = 50,
        .merge_sample = 300,
        .min_seqlets = 20,
        .seed = 1,
    };
}

static int check_int(const char *name, int64_t v, int64_t least, int64_t most) {
    return v >= least && v <= most ? 0
                                   : sn_error(SEQNET_EINVAL, "%s: expected %" PRId64 " to %" PRId64 ", got %" PRId64, name, least, most, v);
}
static int check_real(const char *name, double v, double least, double most) {
    return v >= least && v <= most ? 0 : sn_error(SEQNET_EINVAL, "%s: expected %g to %g, got %g", name, least, most, v);
}

int sn_discover_check(const struct sn_discover_options *o) {
    SN_TRY(check_int("window", o->window, 1, 200));
    SN_TRY(check_int("flank", o->flank, 0, 100));
    SN_TRY(check_real("fdr", o->fdr, 0, 1));
    SN_TRY(check_real("min_passing", o->min_passing, 0, 1));
    SN_TRY(check_real("max_passing", o->max_passing, o->min_passing, 1));
    SN_TRY(check_int("max_seqlets", o->max_seqlets, 0, 1000000));
    SN_TRY(check_int("min_metacluster", o->min_metacluster, 1, INT32_MAX));
    SN_TRY(check_int("neighbours", o->neighbours, 1, 100000));
    SN_TRY(check_real("min_correlation", o->min_correlation, -1, 1));
    SN_TRY(check_real("perplexity", o->perplexity, 1, 1000));
    SN_TRY(check_int("leiden_seeds", o->leiden_seeds, 1, 10000));
    SN_TRY(check_int("trim_window", o->trim_window, 0, 200));
    SN_TRY(check_int("trim_flank", o->trim_flank, 0, 100));
    SN_TRY(check_int("split_min", o->split_min, 2, INT32_MAX));
    SN_TRY(check_real("split_perplexity", o->split_perplexity, 1, 1000));
    SN_TRY(check_int("merge_sample", o->merge_sample, 2, 100000));
    return check_int("min_seqlets", o->min_seqlets, 1, INT32_MAX);
}

/* ---- piles to patterns ---- */

static double column_size(const struct sn_pattern *p, int q) {
    double sum = 0;
    for (int c = 0; c < 4; c++) sum += fabs(p->contribution[4 * q + c]);
    return sum;
}

static void trim(struct sn_pattern *p) {
    double most = 0;
    for (int q = 0; q < p->width; q++)
        if (column_size(p, q) > most) most = column_size(p, q);
    p->trim_start = 0;
    p->trim_end = p->width;
    while (p->trim_start < p->trim_end - 1 && column_size(p, p->trim_start) < CORE_SHARE * most) p->trim_start++;
    while (p->trim_end > p->trim_start + 1 && column_size(p, p->trim_end - 1) < CORE_SHARE * most) p->trim_end--;
}

static int fill_pattern(const struct sn_pile *pile, const char *name, struct sn_pattern *p) {
    size_t cells = 4 * (size_t)pile->length;
    *p = (struct sn_pattern){.width = pile->length, .n = pile->n, .name = sn_strdup(name)};
    p->pfm = sn_calloc(cells, sizeof *p->pfm);
    p->contribution = sn_calloc(cells, sizeof *p->contribution);
    p->hypothetical = sn_calloc(cells, sizeof *p->hypothetical);
    p->seqlets = sn_calloc((size_t)p->n, sizeof *p->seqlets);
    if (!p->name || !p->pfm || !p->contribution || !p->hypothetical || !p->seqlets) return SEQNET_ENOMEM;
    for (size_t i = 0; i < cells; i++) {
        p->pfm[i] = pile->bases[i] / pile->n;
        p->contribution[i] = pile->actual[i] / pile->n;
        p->hypothetical[i] = pile->hypothetical[i] / pile->n;
    }
    for (int i = 0; i < p->n; i++) {
        struct sn_seqlet s = pile->s[i];
        double sum = 0;
        for (int q = s.start; q < s.end; q++) sum += sn_contribution(pile->a, s.sequence, q);
        s.contribution = (float)sum;
        sn_seqlet_drop(pile->a, &s);
        p->seqlets[i] = s;
    }
    trim(p);
    return 0;
}

static int best_letter(const double *row) {
    int best = 0;
    for (int c = 1; c < 4; c++)
        if (row[c] > row[best]) best = c;
    return best;
}

/* Whether the core reads smaller on the other strand: that one is shown. */
static bool reads_backwards(const struct sn_pattern *p) {
    for (int q = p->trim_start, r = p->trim_end - 1; q < p->trim_end; q++, r--) {
        int here = best_letter(p->pfm + 4 * q), there = 3 - best_letter(p->pfm + 4 * r);
        if (here != there) return there < here;
    }
    return false;
}

static void pattern_free(struct sn_pattern *p) {
    for (int i = 0; i < p->n_sub; i++) pattern_free(&p->sub[i]);
    free(p->sub);
    free(p->name);
    free(p->pfm);
    free(p->contribution);
    free(p->hypothetical);
    free(p->seqlets);
}

void sn_patterns_free(struct sn_patterns *p) {
    for (int i = 0; i < p->n; i++) pattern_free(&p->v[i]);
    free(p->v);
    memset(p, 0, sizeof *p);
}

static int fill_sub(const struct sn_discovery *d, const struct sn_pile *pile, struct sn_pattern *p) {
    struct sn_piles parts = {.n = 0};
    int rc = 0;
    if (pile->n <= 2) return 0;
    SN_GO(sn_pile_split(d, pile, &parts));
    p->sub = sn_calloc((size_t)parts.n, sizeof *p->sub);
    if (!p->sub) SN_GO(SEQNET_ENOMEM);
    for (int i = 0; i < parts.n; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s.%d", p->name, i + 1);
        p->n_sub = i + 1;
        SN_GO(fill_pattern(parts.v[i], name, &p->sub[i]));
    }
done:
    sn_piles_free(&parts);
    return rc;
}

/* Takes the piles that are good enough over as patterns. */
static int take_patterns(const struct sn_discovery *d, struct sn_piles *l, struct sn_patterns *out) {
    int number = 0;
    if (l->n == 0) return 0;
    struct sn_pattern *all = realloc(out->v, (size_t)(out->n + l->n) * sizeof *all);
    if (!all) return sn_error(SEQNET_ENOMEM, "out of memory: %d patterns", out->n + l->n);
    out->v = all;
    for (int i = 0; i < l->n; i++) {
        struct sn_pile *pile = l->v[i];
        char name[48];
        if (pile->n < d->o->min_seqlets || sn_pile_best_information(pile, INFORMATIVE, d->background) < INFORMATION) continue;
        snprintf(name, sizeof name, "%s_%d", d->sign > 0 ? "pos" : "neg", ++number);
        struct sn_pattern *p = &out->v[out->n++];
        SN_TRY(fill_pattern(pile, name, p));
        if (!d->o->rna && reads_backwards(p)) {
            SN_TRY(sn_pile_reverse(pile));
            pattern_free(p);
            SN_TRY(fill_pattern(pile, name, p));
        }
        if (d->o->subpatterns) SN_TRY(fill_sub(d, pile, p));
    }
    return 0;
}

/* ---- the whole ---- */

struct drawn {
    uint64_t key;
    struct sn_seqlet s;
};

static int by_key(const void *a, const void *b) {
    const struct drawn *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    if (x->s.sequence != y->s.sequence) return x->s.sequence < y->s.sequence ? -1 : 1;
    return x->s.start < y->s.start ? -1 : x->s.start > y->s.start;
}

/* Keeps `most` seqlets, drawn by what they show, so that the order of the sequences does not matter. */
static int draw_seqlets(const struct sn_discovery *d, struct sn_seqlet *s, int64_t n, int64_t most) {
    struct drawn *all = sn_calloc((size_t)n, sizeof *all);
    if (!all) return SEQNET_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *b = d->a->bases + (int64_t)s[i].sequence * d->a->length;
        uint64_t key = sn_mix64(d->o->seed);
        uint32_t bits;
        memcpy(&bits, &s[i].contribution, sizeof bits);
        key = sn_mix64(key ^ bits);
        for (int p = s[i].start; p < s[i].end; p++) key = sn_mix64(key ^ b[p]);
        all[i] = (struct drawn){key, s[i]};
    }
    qsort(all, (size_t)n, sizeof *all, by_key);
    for (int64_t i = 0; i < most; i++) s[i] = all[i].s;
    free(all);
    return 0;
}

/* ---- memory ---- */

#define MOST_SUMS 1000000  /* window sums that thresholds are fitted to, */
#define SUM_BYTES 48       /* sorted, as distances and with their fit */
#define TABLE_BYTES 80e6   /* where the list of each gapped k-mer begins, and what workers need */
#define SEQLET_BYTES 11500 /* its gapped k-mers and its track */
#define LINK_BYTES 8       /* of a neighbour */

static int check_memory(const struct sn_discover_options *o, double need, const char *what, int64_t n, const char *remedy) {
    if (o->max_memory <= 0 || need <= (double)o->max_memory) return 0;
    return sn_error(SEQNET_ENOMEM, "%s %" PRId64 " %s takes about %.0f MB, of the memory allowed %.0f MB are left: allow more%s", what, n,
                    remedy[0] ? "seqlets" : "sequences", need / 0x1p20, (double)o->max_memory / 0x1p20, remedy);
}

static int check_sums(const struct sn_attributions *a, const struct sn_discover_options *o) {
    double sums = (double)a->n * a->length;
    return check_memory(o, SUM_BYTES * (sums < MOST_SUMS ? sums : MOST_SUMS), "finding seqlets in", a->n, "");
}

static int check_seqlets(const struct sn_discover_options *o, int64_t n) {
    double k = n < o->neighbours ? (double)n : o->neighbours;
    return check_memory(o, TABLE_BYTES + (double)n * (SEQLET_BYTES + LINK_BYTES * k), "comparing", n,
                        ", or draw fewer: `seqnet motifs discover --max-seqlets N`");
}

static int discover_sign(struct sn_discovery *d, struct sn_seqlet *s, int64_t n, struct sn_patterns *out) {
    struct sn_piles piles = {.n = 0};
    int64_t most = d->o->max_seqlets > 0 ? d->o->max_seqlets : INT32_MAX / 4;
    if (n <= d->o->min_metacluster) return 0;
    if (n > most) {
        SN_TRY(draw_seqlets(d, s, n, most));
        n = most;
    }
    SN_TRY(check_seqlets(d->o, n));
    int rc = sn_metacluster(d, s, (int)n, &piles);
    if (rc == 0) rc = take_patterns(d, &piles, out);
    sn_piles_free(&piles);
    return rc;
}

static void explain_nothing(const struct sn_attributions *a, const struct sn_discover_options *o, const struct sn_seqlet_set *set,
                            struct sn_patterns *out) {
    int64_t more = set->n[0] > set->n[1] ? set->n[0] : set->n[1];
    if (a->length < o->window + 2 * o->flank)
        snprintf(out->message, sizeof out->message, "the sequences are shorter (%d) than a seqlet (%d)", a->length,
                 o->window + 2 * o->flank);
    else if (set->flat)
        snprintf(out->message, sizeof out->message, "all window sums of the contributions are equal: there is nothing to find");
    else if (more <= o->min_metacluster)
        snprintf(out->message, sizeof out->message,
                 "%" PRId64 " seqlets of positive and %" PRId64 " of negative contribution: patterns need more than %d of one sign",
                 set->n[0], set->n[1], o->min_metacluster);
    else if (out->n == 0)
        snprintf(out->message, sizeof out->message, "no pattern has %d seqlets and %g bits in %d positions", o->min_seqlets, INFORMATION,
                 INFORMATIVE);
}

#define LEAST_PASSING 0.03 /* TF-MoDISco's */
#define MOST_LEAST 0.1
#define SITE_WINDOWS 10.0 /* that see one site */
#define LONG_SEQUENCE 200 /* four times a pattern of 30 and twice 10 */

/* What is left to the length of the sequences. */
static struct sn_discover_options settle(const struct sn_discover_options *o, int32_t length) {
    struct sn_discover_options s = *o;
    const int windows = length - o->window + 1;
    if (s.min_passing == 0) {
        s.min_passing = windows > 0 ? SITE_WINDOWS / windows : MOST_LEAST;
        s.min_passing = s.min_passing < LEAST_PASSING ? LEAST_PASSING : s.min_passing > MOST_LEAST ? MOST_LEAST : s.min_passing;
        if (s.min_passing > s.max_passing) s.min_passing = s.max_passing;
    }
    if (s.trim_window == 0) {
        s.trim_window = length >= LONG_SEQUENCE ? 30 : 20;
        s.trim_flank = length >= LONG_SEQUENCE ? 10 : 5;
    }
    return s;
}

int sn_patterns_discover(const struct sn_attributions *a, const struct sn_discover_options *given, struct sn_pool *pool,
                         const struct sn_sink *sink, struct sn_patterns *out) {
    struct sn_seqlet_set set = {.flat = true};
    int rc = 0;
    memset(out, 0, sizeof *out);
    SN_TRY(sn_discover_check(given));
    const struct sn_discover_options settled = settle(given, a->length), *o = &settled;
    if (a->n > INT32_MAX) return sn_error(SEQNET_EINVAL, "attributions: expected at most %d sequences, got %" PRId64, INT32_MAX, a->n);
    SN_TRY(check_sums(a, o));
    sn_progress(sink, "finding seqlets", 0, 0, "", "");
    SN_GO(sn_seqlets_find(a, o, pool, &set));
    out->seqlets_positive = set.n[0];
    out->seqlets_negative = set.n[1];
    out->threshold_positive = set.threshold[0];
    out->threshold_negative = -set.threshold[1];
    if (set.n[0] > o->min_metacluster || set.n[1] > o->min_metacluster) /* else the message says it */
        sn_log(sink, SN_LOG_INFO, "%" PRId64 " seqlets of positive, %" PRId64 " of negative contribution", set.n[0], set.n[1]);
    for (int side = 0; side < 2; side++) {
        struct sn_discovery d = {.a = a, .o = o, .pool = pool, .sink = sink, .sign = side == 0 ? 1 : -1};
        SN_GO(discover_sign(&d, set.v[side], set.n[side], out));
    }
    explain_nothing(a, o, &set, out);
done:
    sn_seqlets_free(&set);
    if (rc < 0) sn_patterns_free(out);
    return rc;
}
