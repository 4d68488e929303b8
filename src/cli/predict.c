#include "cli.h"

int cmd_predict(struct args *a) {
    seqnet_ctx *ctx = NULL;
    seqnet_model **models = NULL;
    seqnet_source *source = NULL;
    seqnet_predictor *p = NULL;
    int n = a->n_inputs - 1, rc;
    const char *output = a->output ? a->output : "-";
    a->data.data = a->inputs[n];
    if ((rc = begin(a, &ctx)) < 0) goto done;
    if ((rc = seqnet_output_check(output, a->inputs, a->n_inputs)) < 0) goto done;
    if ((rc = load_models(ctx, a, n, &models)) < 0) goto done;
    if ((rc = open_for_model(ctx, a, models[0], &source)) < 0) goto done;
    if ((rc = seqnet_predictor_create(ctx, models, n, &a->predict, &p)) < 0) goto done;
    if ((rc = seqnet_predict_write(p, source, output)) < 0) goto done;
    set_rate(seqnet_predictor_rate(p), "sequences");
done:
    seqnet_predictor_free(&p);
    seqnet_source_free(&source);
    free_models(models, n);
    return rc < 0 ? failed(rc) : EXIT_DONE;
}
