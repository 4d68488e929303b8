#include "scan/scan.h"

#include <math.h>
#include <stdlib.h>

#include "api/api.h"

struct seqnet_scanner {
    struct sn_scanner *inner;
    struct sn_model **models;
};

void seqnet_scan_defaults_size(seqnet_scan_options *o, size_t size) {
    const seqnet_scan_options full = {.size = sizeof full, .strand = SEQNET_SCAN_MODEL, .fpr = NAN, .threshold = NAN, .output = "-"};
    sn_give(o, size, &full, sizeof full);
}

int seqnet_scan_check(const seqnet_scan_options *caller) {
    seqnet_scan_options o;
    seqnet_scan_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_scan_options"));
    SN_TRY(sn_check_int("window", o.window, 0, INT32_MAX));
    SN_TRY(sn_check_int("stride", o.stride, 0, INT32_MAX));
    SN_TRY(sn_check_int("strand", o.strand, SEQNET_SCAN_MODEL, SEQNET_SCAN_REVERSE));
    if (o.region && o.regions_bed) return sn_error(SEQNET_EINVAL, "region and regions_bed exclude each other");
    if (!isnan(o.fpr) && !isnan(o.threshold)) return sn_error(SEQNET_EINVAL, "fpr and threshold exclude each other");
    if (!isnan(o.fpr)) SN_TRY(sn_check_double("fpr", o.fpr, 1e-12, 1));
    return isnan(o.threshold) ? 0 : sn_check_double("threshold", o.threshold, -1e30, 1e30);
}

int seqnet_scanner_create(seqnet_ctx *ctx, seqnet_model *const *models, int n_models, const seqnet_scan_options *caller,
                          seqnet_scanner **out) {
    seqnet_scan_options o;
    int rc = 0;
    *out = NULL;
    SN_TRY(seqnet_scan_check(caller));
    seqnet_scan_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_scan_options"));
    SN_TRY(sn_check_int("n_models", n_models, 1, 1024));
    seqnet_scanner *s = sn_calloc(1, sizeof *s);
    if (!s) return SEQNET_ENOMEM;
    SN_GO(sn_inner_models(models, n_models, &s->models));
    SN_GO(sn_scanner_create(&ctx->rt, s->models, n_models, &o, &s->inner));
    *out = s;
    s = NULL;
done:
    seqnet_scanner_free(&s);
    return rc < 0 ? rc : 0;
}

void seqnet_scanner_free(seqnet_scanner **s) {
    if (!s || !*s) return;
    sn_scanner_free((*s)->inner);
    sn_release_models((*s)->models);
    free(*s);
    *s = NULL;
}

int seqnet_scan(seqnet_scanner *s, const char *genome) {
    int rc = sn_scanner_run(s->inner, genome);
    return rc < 0 ? rc : 0;
}

void seqnet_scanner_result(const seqnet_scanner *s, seqnet_scan_result *out) {
    seqnet_scan_result r = {.size = sizeof r};
    sn_scanner_result(s->inner, &r);
    sn_give(out, out->size, &r, sizeof r);
}

const char *seqnet_scanner_describe(const seqnet_scanner *s) {
    return sn_scanner_describe(s->inner);
}
