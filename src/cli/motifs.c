#include "cli.h"

int cmd_motifs_match(struct args *a) {
    seqnet_ctx *ctx = NULL;
    seqnet_motifs *queries = NULL, *known = NULL;
    const char *output = a->output ? a->output : "-", *const inputs[] = {a->inputs[0], a->motif_db};
    int64_t n = 0;
    int rc;
    if (a->n_inputs > 1) return usage_error("unexpected argument '%s'; known motifs are given with --db", a->inputs[1]);
    if (seqnet_match_check(&a->match) < 0) return usage_error("%s", seqnet_errmsg());
    if ((rc = begin(a, &ctx)) < 0) goto done;
    if ((rc = seqnet_output_check(output, inputs, 2)) < 0) goto done;
    if ((rc = seqnet_motifs_read(ctx, a->inputs[0], &queries)) < 0) goto done;
    if ((rc = seqnet_motifs_read(ctx, a->motif_db, &known)) < 0) goto done;
    if (seqnet_motifs_count(known) < 50)
        say("warning: %s has %d motifs; p-values compare with its columns and are unreliable below 50", a->motif_db,
            seqnet_motifs_count(known));
    if ((rc = seqnet_motifs_match_write(ctx, queries, known, &a->match, output, &n)) < 0) goto done;
    note("%d motifs, %d known ones, %lld matches", seqnet_motifs_count(queries), seqnet_motifs_count(known), (long long)n);
done:
    seqnet_motifs_free(&known);
    seqnet_motifs_free(&queries);
    return rc < 0 ? failed(rc) : EXIT_DONE;
}

int cmd_motifs_scan(struct args *a) {
    seqnet_ctx *ctx = NULL;
    seqnet_motifs *motifs = NULL;
    seqnet_sites_result r = {.size = sizeof r};
    const char *output = a->output ? a->output : "-";
    int rc;
    if (a->n_inputs > 2) return usage_error("unexpected argument '%s'", a->inputs[2]);
    if (seqnet_sites_check(&a->sites) < 0) return usage_error("%s", seqnet_errmsg());
    if ((rc = begin(a, &ctx)) < 0) goto done;
    if ((rc = seqnet_output_check(output, a->inputs, a->n_inputs)) < 0) goto done;
    if ((rc = seqnet_motifs_read(ctx, a->inputs[0], &motifs)) < 0) goto done;
    if ((rc = seqnet_motifs_scan_write(ctx, motifs, a->inputs[1], &a->sites, output, &r)) < 0) goto done;
    note("%lld sequences, %lld bases, %lld sites", (long long)r.sequences, (long long)r.bases, (long long)r.sites);
    set_rate(r.seconds > 0 ? (double)r.bases / r.seconds / 1e6 : 0, "Mb");
done:
    seqnet_motifs_free(&motifs);
    return rc < 0 ? failed(rc) : EXIT_DONE;
}

int cmd_motifs_discover(struct args *a) {
    seqnet_ctx *ctx = NULL;
    seqnet_discover_result r = {.size = sizeof r};
    int rc;
    if (a->n_inputs > 1) return usage_error("unexpected argument '%s'", a->inputs[1]);
    if (!a->output) return usage_error("give a folder for the results: -o OUTDIR");
    if (a->n_inputs == 1) a->discover.folder = a->inputs[0];
    a->discover.seed = (uint64_t)a->seed;
    if (a->n_inputs == 1 && (a->discover.one_hot || a->discover.hypothetical))
        return usage_error("give a folder of seqnet explain, or --one-hot and --hypothetical");
    if (a->n_inputs == 0 && (!a->discover.one_hot || !a->discover.hypothetical))
        return usage_error("give a folder of seqnet explain, or --one-hot and --hypothetical");
    if (seqnet_discover_check(&a->discover) < 0) return usage_error("%s", seqnet_errmsg());
    if ((rc = begin(a, &ctx)) < 0) goto done;
    if ((rc = seqnet_motifs_discover_write(ctx, &a->discover, a->output, &r)) < 0) goto done;
    if (r.message[0]) say("warning: %s", r.message);
    note("%lld sequences, %lld seqlets, %d patterns of positive and %d of negative contribution, in %s", (long long)r.sequences,
         (long long)(r.seqlets_positive + r.seqlets_negative), r.patterns_positive, r.patterns_negative, a->output);
done:
    return rc < 0 ? failed(rc) : EXIT_DONE;
}
