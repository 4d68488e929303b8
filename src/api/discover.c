/* Patterns in attributions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/discover.h"
#include "api/report_data.h"
#include "core/cpu.h"
#include "core/file.h"
#include "motif/patterns_write.h"
#include "seqnet/motifs.h"

static const char *const densities[] = {"compat", "consistent", NULL}; /* order of enum sn_density */

void seqnet_discover_defaults_size(seqnet_discover_options *o, size_t size) {
    struct sn_discover_options d;
    sn_discover_defaults(&d);
    const seqnet_discover_options full = {.size = sizeof full,
                                          .window = d.window,
                                          .flank = d.flank,
                                          .fdr = d.fdr,
                                          .max_seqlets = d.max_seqlets,
                                          .leiden_seeds = d.leiden_seeds,
                                          .density = densities[d.density],
                                          .min_seqlets = d.min_seqlets,
                                          .seed = d.seed};
    sn_give(o, size, &full, sizeof full);
}

static void inner_options(const seqnet_discover_options *o, struct sn_discover_options *d) {
    sn_discover_defaults(d);
    d->window = o->window;
    d->flank = o->flank;
    d->fdr = o->fdr;
    d->min_passing = o->min_passing;
    d->trim_window = o->trim_window;
    d->trim_flank = o->trim_flank;
    d->max_seqlets = o->max_seqlets;
    d->leiden_seeds = o->leiden_seeds;
    if (o->density) d->density = strcmp(o->density, "consistent") == 0 ? SN_DENSITY_CONSISTENT : SN_DENSITY_COMPAT;
    d->min_seqlets = o->min_seqlets;
    d->subpatterns = o->subpatterns;
    d->rna = o->rna;
    d->seed = o->seed;
}

int seqnet_discover_check(const seqnet_discover_options *caller) {
    seqnet_discover_options o;
    struct sn_discover_options d;
    seqnet_discover_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_discover_options"));
    if (o.folder ? o.one_hot || o.hypothetical : !o.one_hot || !o.hypothetical)
        return sn_error(SEQNET_EINVAL, "discover: expected a folder, or the two arrays one_hot and hypothetical");
    SN_TRY(sn_check_word("density", o.density, densities));
    SN_TRY(sn_check_int("subpatterns", o.subpatterns, 0, 1));
    SN_TRY(sn_check_int("rna", o.rna, 0, 1));
    SN_TRY(sn_check_int("max_memory", o.max_memory, 0, INT64_MAX));
    if (o.trim_flank > 0 && o.trim_window == 0) return sn_error(SEQNET_EINVAL, "discover: trim_flank needs trim_window");
    inner_options(&o, &d);
    return sn_discover_check(&d);
}

/* ---- input ---- */

static int path_in(const char *folder, const char *name, char **out) {
    struct sn_str s = {0};
    int rc = sn_str_printf(&s, "%s/%s", folder, name);
    *out = s.s;
    return rc;
}

int sn_discovery_load(const char *folder, int64_t max_memory, struct sn_discovery *in) {
    char *one_hot = NULL, *hypothetical = NULL, *sequences = NULL;
    int rc = 0;
    SN_GO(path_in(folder, "one_hot.npz", &one_hot));
    SN_GO(path_in(folder, "hypothetical.npz", &hypothetical));
    SN_GO(path_in(folder, "sequences.tsv", &sequences));
    SN_GO(sn_attributions_load(one_hot, hypothetical, max_memory, &in->loaded));
    SN_GO(sn_places_read(sequences, &in->places));
    if (in->places.n != in->loaded.a.n)
        SN_GO(sn_error(SEQNET_EDATA, "%s has %lld sequences, %s %lld", sequences, (long long)in->places.n, one_hot,
                       (long long)in->loaded.a.n));
    for (int64_t i = 0; i < in->places.n && in->places.len; i++)
        if (in->places.len[i] > in->loaded.a.length)
            SN_GO(sn_error(SEQNET_EDATA, "%s:%lld: %d letters, the array has %d", sequences, (long long)i + 2, in->places.len[i],
                           in->loaded.a.length));
    in->loaded.a.len = in->places.len;
done:
    free(one_hot);
    free(hypothetical);
    free(sequences);
    return rc;
}

/* What the arrays leave for the patterns. */
static int64_t memory_left(int64_t max_memory, const struct sn_discovery *d) {
    const struct sn_attributions *a = &d->loaded.a;
    int64_t taken = a->n * a->length + d->places.n * (int64_t)(sizeof *d->places.v + sizeof *d->places.len) + d->places.bytes;
    if (d->loaded.hypothetical) taken += a->n * a->length * 4 * (int64_t)sizeof(float);
    return max_memory <= 0 ? 0 : max_memory > taken ? max_memory - taken : 1;
}

void sn_discovery_free(struct sn_discovery *d) {
    sn_patterns_free(&d->patterns);
    sn_attributions_free(&d->loaded);
    sn_places_free(&d->places);
}

/* ---- of an explained data set ---- */

#define MOST_MATCHES 5 /* of a pattern, in motifs.tsv */
#define MATCH_E 10.0   /* matches that chance gives more often are left out */
#define MATCHES "motifs.tsv"
#define MATCH_OVERLAP 5 /* columns that must overlap */

static int match_line(struct sn_outfile *f, const struct sn_motif_set *known, const struct sn_tomtom_hit *h, int rank) {
    const struct sn_motif *k = &known->m[h->target];
    SN_TRY(sn_outfile_printf(f, "\t%d\t%s\t%s\t%d\t%d\t%c", rank, k->id, k->alt ? k->alt : k->id, h->offset, h->overlap,
                             h->reverse ? '-' : '+'));
    return sn_outfile_printf(f, "\t%.3g\t%.3g\t%.3g\n", h->p, h->e, h->q);
}

/* A line a match; a pattern without one has a line with dots. */
static int motif_lines(struct sn_outfile *f, const struct sn_motif_set *queries, const struct sn_motif_set *known,
                       const struct sn_tomtom_hits *hits) {
    SN_TRY(
        sn_outfile_printf(f, "pattern\tseqlets\tconsensus\trank\tmatch\tmatch_name\toffset\toverlap\tstrand\tp-value\tE-value\tq-value\n"));
    int64_t at = 0;
    for (int i = 0; i < queries->n; i++) {
        const struct sn_motif *m = &queries->m[i];
        char consensus[1024];
        if (m->width >= (int)sizeof consensus) return sn_error(SEQNET_EINTERNAL, "pattern %s: %d positions", m->id, m->width);
        sn_motif_consensus(queries, m, consensus);
        for (int rank = 1; rank == 1 || (at < hits->n && hits->v[at].query == i); rank++) {
            SN_TRY(sn_outfile_printf(f, "%s\t%.0f\t%s", m->id, m->nsites, consensus));
            if (at < hits->n && hits->v[at].query == i)
                SN_TRY(match_line(f, known, &hits->v[at++], rank));
            else
                SN_TRY(sn_outfile_printf(f, "\t0\t.\t.\t.\t.\t.\t.\t.\t.\n"));
        }
    }
    return 0;
}

static int write_matches(const char *folder, const struct sn_motif_set *queries, const struct sn_motif_set *known,
                         const struct sn_tomtom_hits *hits) {
    struct sn_outfile *f = NULL;
    SN_TRY(sn_outfile_open_in(folder, MATCHES, &f));
    int rc = motif_lines(f, queries, known, hits);
    if (rc == 0) return sn_outfile_commit(f);
    sn_outfile_abort(f);
    return rc;
}

void sn_discovery_remove(const char *folder) {
    sn_patterns_remove(folder);
    sn_remove_files(folder, MATCHES, MATCHES);
}

int sn_discovery_run(seqnet_ctx *ctx, const char *folder, const char *letters, uint64_t seed, int64_t max_memory,
                     const struct sn_motif_set *known, struct sn_discovery *d, struct sn_tomtom_hits *hits) {
    const bool rna = strcmp(letters, "ACGU") == 0;
    struct sn_motif_set queries = {0};
    struct sn_discover_options o;
    struct sn_tomtom_options t;
    int rc = 0;
    sn_discover_defaults(&o);
    sn_tomtom_defaults(&t);
    o.seed = seed, o.rna = rna;
    t.max_e = MATCH_E, t.top = MOST_MATCHES, t.min_overlap = MATCH_OVERLAP, t.sink = &ctx->sink;
    SN_GO(sn_discovery_load(folder, max_memory, d));
    o.max_memory = memory_left(max_memory, d);
    SN_GO(sn_patterns_discover(&d->loaded.a, &o, ctx->pool, &ctx->sink, &d->patterns));
    SN_GO(sn_patterns_write(&d->patterns, &d->places, rna, folder));
    SN_GO(sn_patterns_motifs(&d->patterns, rna, &queries));
    if (queries.n > 0 && known->n > 0) SN_GO(sn_tomtom(&queries, known, &t, ctx->pool, hits));
    SN_GO(write_matches(folder, &queries, known, hits));
done:
    sn_motif_set_free(&queries);
    return rc;
}

/* ---- output ---- */

static void fill_result(const struct sn_attributions *a, const struct sn_patterns *p, double seconds, seqnet_discover_result *r) {
    *r = (seqnet_discover_result){.size = sizeof *r,
                                  .sequences = a->n,
                                  .seqlets_positive = p->seqlets_positive,
                                  .seqlets_negative = p->seqlets_negative,
                                  .threshold_positive = p->threshold_positive,
                                  .threshold_negative = p->threshold_negative,
                                  .seconds = seconds};
    for (int i = 0; i < p->n; i++) (strncmp(p->v[i].name, "pos", 3) == 0 ? &r->patterns_positive : &r->patterns_negative)[0]++;
    snprintf(r->message, sizeof r->message, "%s", p->message);
}

int seqnet_motifs_discover_write(seqnet_ctx *ctx, const seqnet_discover_options *caller, const char *folder, seqnet_discover_result *out) {
    seqnet_discover_options o;
    struct sn_discover_options d;
    struct sn_discovery in = {0};
    double start = sn_time_wall();
    int64_t most = 0;
    struct stat st;
    bool made = false;
    int rc = 0;
    SN_TRY(seqnet_discover_check(caller));
    seqnet_discover_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_discover_options"));
    inner_options(&o, &d);
    if (o.max_memory > 0) most = o.max_memory > (int64_t)SN_PROGRAM_BYTES ? o.max_memory - (int64_t)SN_PROGRAM_BYTES : 1;
    made = stat(folder, &st) != 0;
    SN_GO(sn_make_dir(folder));
    SN_GO(o.folder ? sn_discovery_load(o.folder, most, &in) : sn_attributions_load(o.one_hot, o.hypothetical, most, &in.loaded));
    d.max_memory = memory_left(most, &in);
    SN_GO(sn_patterns_discover(&in.loaded.a, &d, ctx->pool, &ctx->sink, &in.patterns));
    SN_GO(sn_patterns_write(&in.patterns, o.folder ? &in.places : NULL, d.rna, folder));
    if (out) {
        seqnet_discover_result full;
        fill_result(&in.loaded.a, &in.patterns, sn_time_wall() - start, &full);
        SN_GO(sn_give_result(out, &full, sizeof full, "seqnet_discover_result"));
    }
done:
    sn_discovery_free(&in);
    if (rc < 0 && made) rmdir(folder); /* when it is empty */
    return rc;
}
