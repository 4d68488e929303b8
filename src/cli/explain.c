#include "cli.h"

static void report(const seqnet_explainer *e, const char *folder) {
    seqnet_explain_result r = {.size = sizeof r};
    seqnet_explainer_result(e, &r);
    char tasks[32] = "";
    if (r.tasks > 1) snprintf(tasks, sizeof tasks, "%d tasks, ", r.tasks);
    note("%lld sequences, %s%d patterns, %d filters; open %s/%sreport.html", (long long)r.sequences, tasks, r.patterns, r.motifs, folder,
         r.tasks > 1 ? "TASK/" : "");
    if (r.sums) note("contributions sum to the change of the output within %.2g of their absolute sum", r.worst_residual);
    set_rate(r.seconds > 0 ? (double)(r.sequences - r.resumed) / r.seconds : 0, "sequences");
}

int cmd_explain(struct args *a) {
    seqnet_ctx *ctx = NULL;
    seqnet_model **models = NULL;
    seqnet_source *source = NULL;
    seqnet_explainer *e = NULL;
    int n = a->n_inputs - 1, rc;
    a->data.data = a->inputs[n];
    a->data.labels_if_there = 1; /* for the report */
    if (!a->output) return usage_error("give a folder for the results: -o OUTDIR");
    if (seqnet_explain_check(&a->explain) < 0) return usage_error("%s", seqnet_errmsg());
    if ((rc = begin(a, &ctx)) < 0) goto done;
    if ((rc = load_models(ctx, a, n, &models)) < 0) goto done;
    if ((rc = open_for_model(ctx, a, models[0], &source)) < 0) goto done;
    if ((rc = seqnet_explainer_create(ctx, models, n, &a->explain, &e)) < 0) goto done;
    if ((rc = seqnet_explain_source(e, source, a->output)) < 0) goto done;
    report(e, a->output);
done:
    seqnet_explainer_free(&e);
    seqnet_source_free(&source);
    free_models(models, n);
    return rc < 0 ? failed(rc) : EXIT_DONE;
}
