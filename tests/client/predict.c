/* Scores sequences with MODEL; the first must score above a half, the second below. */
#include <seqnet/seqnet.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    seqnet_ctx *ctx = NULL;
    seqnet_model *model = NULL;
    seqnet_predictor *predictor = NULL;
    float scores[2] = {0};
    if (argc != 4) return 2;
    const char *bases[] = {argv[2], argv[3]};
    const int64_t lengths[] = {(int64_t)strlen(argv[2]), (int64_t)strlen(argv[3])};
    int rc = seqnet_ctx_create(NULL, &ctx);
    if (rc == 0) rc = seqnet_model_load(ctx, argv[1], &model);
    if (rc == 0) rc = seqnet_predictor_create(ctx, &model, 1, NULL, &predictor);
    if (rc == 0 && seqnet_predict_bound(predictor, 2) != 2) rc = SEQNET_ESHAPE;
    if (rc == 0) rc = seqnet_predict(predictor, bases, lengths, 2, scores, 2);
    if (rc < 0) fprintf(stderr, "predict: %s\n", seqnet_errmsg());
    if (rc == 0) printf("%s %.4f\n%s %.4f\n", bases[0], scores[0], bases[1], scores[1]);
    seqnet_predictor_free(&predictor);
    seqnet_model_free(&model);
    seqnet_ctx_free(&ctx);
    return rc < 0 || !(scores[0] > 0.5f && scores[1] < 0.5f);
}
