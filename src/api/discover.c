/* Patterns in attributions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "core/cpu.h"
#include "core/file.h"
#include "motif/attributions.h"
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
    inner_options(&o, &d);
    return sn_discover_check(&d);
}

/* ---- input ---- */

struct input {
    struct sn_loaded loaded;
    struct sn_places places;
};

static int path_in(const char *folder, const char *name, char **out) {
    struct sn_str s = {0};
    int rc = sn_str_printf(&s, "%s/%s", folder, name);
    *out = s.s;
    return rc;
}

static int load_folder(const seqnet_discover_options *o, struct input *in) {
    char *one_hot = NULL, *hypothetical = NULL, *sequences = NULL;
    int rc = 0;
    SN_GO(path_in(o->folder, "one_hot.npz", &one_hot));
    SN_GO(path_in(o->folder, "hypothetical.npz", &hypothetical));
    SN_GO(path_in(o->folder, "sequences.tsv", &sequences));
    SN_GO(sn_attributions_load(one_hot, hypothetical, o->max_memory, &in->loaded));
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
    struct input in;
    struct sn_patterns p = {.n = 0};
    double start = sn_time_wall();
    int rc = 0;
    memset(&in, 0, sizeof in);
    SN_TRY(seqnet_discover_check(caller));
    seqnet_discover_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_discover_options"));
    inner_options(&o, &d);
    SN_GO(sn_make_dir(folder));
    SN_GO(o.folder ? load_folder(&o, &in) : sn_attributions_load(o.one_hot, o.hypothetical, o.max_memory, &in.loaded));
    SN_GO(sn_patterns_discover(&in.loaded.a, &d, ctx->pool, &ctx->sink, &p));
    SN_GO(sn_patterns_write(&p, o.folder ? &in.places : NULL, d.rna, folder));
    if (out) {
        seqnet_discover_result full;
        fill_result(&in.loaded.a, &p, sn_time_wall() - start, &full);
        SN_GO(sn_give_result(out, &full, sizeof full, "seqnet_discover_result"));
    }
done:
    sn_patterns_free(&p);
    sn_attributions_free(&in.loaded);
    sn_places_free(&in.places);
    return rc;
}
