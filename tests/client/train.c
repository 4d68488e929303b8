/* Trains ARCH.yaml on sequences made up here, with and without the word TGACTCA, and saves MODEL. */
#include <seqnet/seqnet.h>
#include <stdio.h>
#include <string.h>

struct maker {
    int made;
    unsigned state;
    char bases[20];
    float label;
};

static int next(void *self, seqnet_record *r) {
    struct maker *m = self;
    if (m->made == 400) return 0;
    m->label = (float)(m->made++ % 2);
    for (int i = 0; i < 20; i++) m->bases[i] = "ACGT"[(m->state = m->state * 1664525u + 1013904223u) >> 30];
    if (m->label > 0) memcpy(m->bases + m->made % 13, "TGACTCA", 7);
    r->bases = m->bases;
    r->length = 20;
    r->targets = &m->label;
    return 1;
}

int main(int argc, char **argv) {
    struct maker maker = {.state = 7};
    const seqnet_source_vtable table = {.size = sizeof table, .n_tasks = 1, .next = next};
    seqnet_ctx *ctx = NULL;
    seqnet_source *data = NULL;
    seqnet_trainer *trainer = NULL;
    seqnet_model *model = NULL;
    seqnet_train_result result = {.size = sizeof result};
    if (argc != 3) return 2;
    int rc = seqnet_ctx_create(NULL, &ctx);
    if (rc == 0) rc = seqnet_source_from(ctx, &table, &maker, "dna", &data);
    if (rc == 0) rc = seqnet_trainer_create(ctx, argv[1], data, NULL, NULL, &trainer);
    if (rc == 0) rc = seqnet_trainer_run(trainer, &model);
    if (rc == 0) rc = seqnet_model_save(model, argv[2]);
    if (rc < 0) fprintf(stderr, "train: %s\n", seqnet_errmsg());
    if (rc == 0) seqnet_trainer_result(trainer, &result);
    if (rc == 0) printf("validation loss %.4f after %lld steps\n", result.best_valid_loss, (long long)result.steps);
    seqnet_model_free(&model);
    seqnet_trainer_free(&trainer);
    seqnet_source_free(&data);
    seqnet_ctx_free(&ctx);
    return rc < 0 || !(result.best_valid_loss < 0.3);
}
