#include <math.h>
#include <string.h>

#include "cli.h"

static void report(const seqnet_scanner *s) {
    seqnet_scan_result r = {.size = sizeof r};
    char level[32];
    seqnet_scanner_result(s, &r);
    note("%lld contigs, %lld bases, %lld windows", (long long)r.contigs, (long long)r.bases, (long long)r.windows);
    if (r.short_contigs > 0) note("%lld contigs are shorter than the window and were padded", (long long)r.short_contigs);
    if (!isnan(r.threshold)) note("%lld sites at a score of %s or more", (long long)r.sites, seqnet_format_double(r.threshold, level));
    if (!isnan(r.threshold) && !isnan(r.expected_false_per_mb)) note("expected false calls: %.3g windows per Mb", r.expected_false_per_mb);
    set_rate(r.seconds > 0 ? (double)r.bases / r.seconds / 1e6 : 0, "Mb");
}

int cmd_scan(struct args *a) {
    seqnet_ctx *ctx = NULL;
    seqnet_model **models = NULL;
    seqnet_scanner *s = NULL;
    int n = a->n_inputs - 1, rc;
    if (a->output) a->scan.output = a->output;
    if (seqnet_scan_check(&a->scan) < 0) return usage_error("%s", seqnet_errmsg());
    if ((rc = begin(a, &ctx)) < 0) goto done;
    if ((rc = seqnet_output_check(a->scan.output, a->inputs, a->n_inputs)) < 0) goto done;
    if (a->scan.regions_bed && (rc = seqnet_output_check(a->scan.output, &a->scan.regions_bed, 1)) < 0) goto done;
    if ((rc = load_models(ctx, a, n, &models)) < 0) goto done;
    if ((rc = seqnet_scanner_create(ctx, models, n, &a->scan, &s)) < 0) goto done;
    if (a->verbose) note("%s", seqnet_scanner_describe(s));
    if ((rc = seqnet_scan(s, a->inputs[n])) < 0) goto done;
    report(s);
done:
    seqnet_scanner_free(&s);
    free_models(models, n);
    return rc < 0 ? failed(rc) : EXIT_DONE;
}
