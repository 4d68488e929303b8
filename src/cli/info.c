#include "cli.h"

int cmd_info(struct args *a) {
    seqnet_ctx *ctx = NULL;
    seqnet_model *m = NULL;
    const char *output = a->output ? a->output : "-", *what = a->digest ? "digest" : a->memory ? "memory" : "card";
    int rc;
    if (a->n_inputs > 1) return usage_error("unexpected argument '%s'", a->inputs[1]);
    if (a->digest && a->memory) return usage_error("--digest and --memory exclude each other");
    if ((rc = begin(a, &ctx)) < 0) goto done;
    if ((rc = seqnet_output_check(output, a->inputs, 1)) < 0) goto done;
    if ((rc = seqnet_model_open(ctx, a->inputs[0], a->n_tasks, a->length, (uint64_t)a->seed, &m)) < 0) goto done;
    rc = seqnet_model_text_write(ctx, m, what, a->length, output);
done:
    seqnet_model_free(&m);
    return rc < 0 ? failed(rc) : EXIT_DONE;
}
