/* Sets of motifs, and their comparison. */
#include "api/motifs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "core/file.h"
#include "core/parse.h"
#include "motif/database.h"
#include "motif/tomtom.h"

/* ---- sets ---- */

int seqnet_motifs_read(seqnet_ctx *ctx, const char *name, seqnet_motifs **out) {
    (void)ctx;
    *out = NULL;
    seqnet_motifs *m = sn_calloc(1, sizeof *m);
    if (!m) return SEQNET_ENOMEM;
    int rc = sn_motifs_read(name, &m->set);
    if (rc == 0 && !(m->name = sn_strdup(name))) rc = SEQNET_ENOMEM;
    if (rc < 0)
        seqnet_motifs_free(&m);
    else
        *out = m;
    return rc;
}

void seqnet_motifs_free(seqnet_motifs **m) {
    if (!m || !*m) return;
    sn_motif_set_free(&(*m)->set);
    free((*m)->name);
    free(*m);
    *m = NULL;
}

int seqnet_motifs_count(const seqnet_motifs *m) {
    return m->set.n;
}

const char *seqnet_motifs_letters(const seqnet_motifs *m) {
    return m->set.letter;
}

int seqnet_motifs_get(const seqnet_motifs *m, int i, seqnet_motif *out) {
    if (i < 0 || i >= m->set.n) return sn_error(SEQNET_EINVAL, "motif %d: the set has %d", i, m->set.n);
    const struct sn_motif *from = &m->set.m[i];
    seqnet_motif full = {sizeof full, from->id, from->alt, from->width, from->p, from->nsites};
    return sn_give_result(out, &full, sizeof full, "seqnet_motif");
}

/* ---- comparing ---- */

static const char *const distances[] = {"euclidean", "pearson", NULL};
static const char *const strands[] = {"both", "forward", NULL};

void seqnet_match_defaults_size(seqnet_match_options *o, size_t size) {
    const seqnet_match_options full = {.size = sizeof full,
                                       .distance = "euclidean",
                                       .strand = "both",
                                       .min_overlap = 1,
                                       .max_pvalue = NAN,
                                       .max_evalue = NAN,
                                       .max_qvalue = NAN};
    sn_give(o, size, &full, sizeof full);
}

static int check_limit(const char *field, double v) {
    return isnan(v) ? 0 : sn_check_double(field, v, 0, 1e18);
}

int seqnet_match_check(const seqnet_match_options *caller) {
    seqnet_match_options o;
    seqnet_match_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_match_options"));
    SN_TRY(sn_check_word("distance", o.distance, distances));
    SN_TRY(sn_check_word("strand", o.strand, strands));
    SN_TRY(sn_check_int("min_overlap", o.min_overlap, 1, SN_TOMTOM_WIDEST));
    SN_TRY(check_limit("max_pvalue", o.max_pvalue));
    SN_TRY(check_limit("max_evalue", o.max_evalue));
    SN_TRY(check_limit("max_qvalue", o.max_qvalue));
    return sn_check_int("top", o.top, 0, INT32_MAX);
}

static double limit(double v) {
    return isnan(v) ? INFINITY : v;
}

static int compare(seqnet_ctx *ctx, const seqnet_motifs *queries, const seqnet_motifs *targets, const seqnet_match_options *caller,
                   struct sn_tomtom_hits *hits) {
    seqnet_match_options o;
    struct sn_tomtom_options t;
    memset(hits, 0, sizeof *hits);
    SN_TRY(seqnet_match_check(caller));
    seqnet_match_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_match_options"));
    sn_tomtom_defaults(&t);
    t.distance = o.distance && strcmp(o.distance, "pearson") == 0 ? SN_TOMTOM_PEARSON : SN_TOMTOM_EUCLIDEAN;
    t.both_strands = !o.strand || strcmp(o.strand, "both") == 0;
    t.min_overlap = o.min_overlap;
    t.max_p = limit(o.max_pvalue);
    t.max_e = limit(o.max_evalue);
    t.max_q = limit(o.max_qvalue);
    t.top = o.top;
    t.sink = &ctx->sink;
    return sn_tomtom(&queries->set, &targets->set, &t, ctx->pool, hits);
}

int seqnet_motifs_match(seqnet_ctx *ctx, const seqnet_motifs *queries, const seqnet_motifs *targets, const seqnet_match_options *o,
                        int (*take)(void *self, const seqnet_match *m), void *self) {
    struct sn_tomtom_hits hits;
    int rc = compare(ctx, queries, targets, o, &hits);
    for (int64_t i = 0; i < hits.n && rc == 0; i++) {
        const struct sn_tomtom_hit *h = &hits.v[i];
        const seqnet_match m = {sizeof m, h->query, h->target, -h->offset, h->overlap, h->reverse, h->p, h->e, h->q, h->score};
        rc = take(self, &m);
    }
    sn_tomtom_hits_free(&hits);
    return rc;
}

/* The most frequent letter of each column, of either strand; out holds the width + 1. */
static void consensus(const struct sn_motif_set *s, const struct sn_motif *m, bool reverse, char *out) {
    for (int j = 0; j < m->width; j++) {
        const double *row = m->p + (int64_t)(reverse ? m->width - 1 - j : j) * s->letters;
        int best = 0;
        for (int k = 1; k < s->letters; k++)
            if (row[k] > row[best]) best = k;
        out[j] = s->letter[reverse ? s->letters - 1 - best : best];
    }
    out[m->width] = '\0';
}

static int put_match(struct sn_outfile *f, const struct sn_motif_set *queries, const struct sn_motif_set *targets,
                     const struct sn_tomtom_hit *h) {
    const struct sn_motif *q = &queries->m[h->query], *t = &targets->m[h->target];
    char a[SN_TOMTOM_WIDEST + 1], b[SN_TOMTOM_WIDEST + 1];
    consensus(queries, q, false, a);
    consensus(targets, t, h->reverse, b);
    return sn_outfile_printf(f, "%s\t%s\t%d\t%.9g\t%.9g\t%.9g\t%d\t%s\t%s\t%c\t%s\n", q->id, t->id, -h->offset, h->p, h->e, h->q,
                             h->overlap, a, b, h->reverse ? '-' : '+', t->alt ? t->alt : ".");
}

int seqnet_motifs_match_write(seqnet_ctx *ctx, const seqnet_motifs *queries, const seqnet_motifs *targets, const seqnet_match_options *o,
                              const char *path, int64_t *n) {
    struct sn_outfile *f = NULL;
    struct sn_tomtom_hits hits = {0};
    int rc;
    SN_GO(sn_outfile_open(path, &f));
    SN_GO(compare(ctx, queries, targets, o, &hits));
    SN_GO(sn_outfile_printf(f, "Query_ID\tTarget_ID\tOptimal_offset\tp-value\tE-value\tq-value\tOverlap\tQuery_consensus\t"
                               "Target_consensus\tOrientation\tTarget_name\n"));
    for (int64_t i = 0; i < hits.n; i++) SN_GO(put_match(f, &queries->set, &targets->set, &hits.v[i]));
    if (n) *n = hits.n;
    rc = sn_outfile_commit(f);
    f = NULL;
done:
    sn_outfile_abort(f);
    sn_tomtom_hits_free(&hits);
    return rc;
}
