/* Contributions of every base of a sequence to MODEL's output: they must sum to its change against the references. */
#include <math.h>
#include <seqnet/seqnet.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    seqnet_ctx *ctx = NULL;
    seqnet_model *model = NULL;
    seqnet_explainer *explainer = NULL;
    seqnet_explanation result = {.size = sizeof result};
    float actual[4 * 20];
    double sum = 0;
    if (argc != 3 || strlen(argv[2]) != 20) return 2;
    int rc = seqnet_ctx_create(NULL, &ctx);
    if (rc == 0) rc = seqnet_model_load(ctx, argv[1], &model);
    if (rc == 0) rc = seqnet_explainer_create(ctx, &model, 1, NULL, &explainer);
    if (rc == 0) rc = seqnet_explain(explainer, argv[2], 20, 0, NULL, actual, 4 * 20, &result);
    if (rc < 0) fprintf(stderr, "explain: %s\n", seqnet_errmsg());
    for (int i = 0; rc == 0 && i < 4 * 20; i++) sum += actual[i];
    if (rc == 0) printf("output %.4f, references %.4f, contributions %.4f\n", result.output, result.expected, sum);
    seqnet_explainer_free(&explainer);
    seqnet_model_free(&model);
    seqnet_ctx_free(&ctx);
    return rc < 0 || !(fabs(sum - (result.output - result.expected)) < 1e-4);
}
