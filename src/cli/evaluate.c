#include "cli.h"

int cmd_evaluate(struct args *a) {
    seqnet_ctx *ctx = NULL;
    seqnet_model **models = NULL;
    seqnet_source *source = NULL;
    seqnet_predictor *p = NULL;
    int n = a->n_inputs, rc;
    const char *output = a->output ? a->output : "-";
    const char *const data[] = {a->data.data, a->data.positives, a->data.negatives, a->data.reference};
    if (!a->data.data && !(a->data.positives && a->data.negatives)) return usage_error("give --data, or --pos and --neg");
    if (seqnet_source_check(&a->data) < 0) return usage_error("%s", seqnet_errmsg());
    a->data.need_labels = 1;
    if ((rc = begin(a, &ctx)) < 0) goto done;
    if ((rc = seqnet_output_check(output, a->inputs, n)) < 0 || (rc = seqnet_output_check(output, data, 4)) < 0) goto done;
    if ((rc = load_models(ctx, a, n, &models)) < 0) goto done;
    if ((rc = open_for_model(ctx, a, models[0], &source)) < 0) goto done;
    if ((rc = seqnet_predictor_create(ctx, models, n, &a->predict, &p)) < 0) goto done;
    if ((rc = seqnet_evaluate_write(p, source, output)) < 0) goto done;
    set_rate(seqnet_predictor_rate(p), "sequences");
done:
    seqnet_predictor_free(&p);
    seqnet_source_free(&source);
    free_models(models, n);
    return rc < 0 ? failed(rc) : EXIT_DONE;
}
