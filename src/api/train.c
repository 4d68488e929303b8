#include "train/train.h"

#include <math.h>
#include <stdlib.h>

#include "api/api.h"

#define UNSET_INT (-1) /* as the architecture text says */

struct seqnet_trainer {
    struct sn_trainer *inner;
    struct sn_dataset valid; /* a view of the host's set with its targets in the order of the training set */
    float *valid_targets;
};

/* ---- options ---- */

void seqnet_train_defaults_size(seqnet_train_options *o, size_t size) {
    const seqnet_train_options full = {.size = sizeof full,
                                       .seed = 1,
                                       .epochs = UNSET_INT,
                                       .min_steps = UNSET_INT,
                                       .batch_size = UNSET_INT,
                                       .learning_rate = NAN,
                                       .momentum = NAN,
                                       .nesterov = UNSET_INT,
                                       .clipnorm = NAN,
                                       .l1 = NAN,
                                       .l2 = NAN,
                                       .patience = UNSET_INT,
                                       .reverse_complement = UNSET_INT,
                                       .shift = UNSET_INT,
                                       .valid_fraction = NAN};
    sn_give(o, size, &full, sizeof full);
}

static int check_set_int(const char *field, int64_t v, int64_t min, int64_t max) {
    return v == UNSET_INT ? 0 : sn_check_int(field, v, min, max);
}

static int check_set_double(const char *field, double v, double min, double max) {
    return isnan(v) ? 0 : sn_check_double(field, v, min, max);
}

int seqnet_train_check(const seqnet_train_options *caller) {
    static const char *const schedules[] = {"constant", "one_cycle", NULL};
    static const char *const optimizers[] = {"adam", "sgd", NULL};
    static const char *const weights[] = {"balanced", "none", NULL};
    static const char *const strands[] = {"forward", "average", "max", NULL};
    seqnet_train_options o;
    seqnet_train_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_train_options"));
    SN_TRY(check_set_int("epochs", o.epochs, 1, INT32_MAX));
    SN_TRY(check_set_int("min_steps", o.min_steps, 0, INT32_MAX));
    SN_TRY(check_set_int("batch_size", o.batch_size, 1, 65536));
    SN_TRY(check_set_int("nesterov", o.nesterov, 0, 1));
    SN_TRY(check_set_int("patience", o.patience, 0, INT32_MAX));
    SN_TRY(check_set_int("reverse_complement", o.reverse_complement, 0, 1));
    SN_TRY(check_set_int("shift", o.shift, 0, 1000000));
    SN_TRY(check_set_double("learning_rate", o.learning_rate, 1e-12, 1e3));
    SN_TRY(check_set_double("momentum", o.momentum, 0, 1));
    SN_TRY(check_set_double("clipnorm", o.clipnorm, 0, 1e12));
    SN_TRY(check_set_double("l1", o.l1, 0, 1e3));
    SN_TRY(check_set_double("l2", o.l2, 0, 1e3));
    SN_TRY(check_set_double("valid_fraction", o.valid_fraction, 0, 0.9));
    SN_TRY(sn_check_word("schedule", o.schedule, schedules));
    SN_TRY(sn_check_word("optimizer", o.optimizer, optimizers));
    SN_TRY(sn_check_word("strand", o.strand, strands));
    return sn_check_word("class_weight", o.class_weight, weights);
}

/* ---- making ---- */

static int check_alphabet(const char *what, const struct sn_dataset *d, const struct sn_arch *a) {
    if (d->alphabet == a->alphabet) return 0;
    return sn_error(SEQNET_EDATA, "%s data are %s, the architecture takes %s", what, d->alphabet->name, a->alphabet->name);
}

static int take_valid(struct seqnet_trainer *t, const struct sn_dataset *train, const struct sn_dataset *valid) {
    int rc = sn_fit_targets(valid, train->kind, train->n_tasks, train->tasks, &t->valid_targets);
    if (rc < 0) return sn_error_prefix(rc, "validation data");
    t->valid = *valid;
    t->valid.kind = train->kind;
    t->valid.n_tasks = train->n_tasks;
    t->valid.tasks = train->tasks;
    t->valid.targets = t->valid_targets;
    return 0;
}

int seqnet_trainer_create(seqnet_ctx *ctx, const char *architecture, seqnet_source *train, seqnet_source *valid,
                          const seqnet_train_options *caller, seqnet_trainer **out) {
    seqnet_train_options o;
    struct sn_arch *arch = NULL, *taken;
    seqnet_trainer *t = NULL;
    int rc = 0;
    *out = NULL;
    SN_TRY(seqnet_train_check(caller));
    seqnet_train_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_train_options"));
    SN_GO(sn_arch_load(architecture, &arch));
    SN_GO(train->d->targets ? 0 : sn_error(SEQNET_EDATA, "training data: no labels"));
    SN_GO(check_alphabet("training", train->d, arch));
    if (valid) SN_GO(check_alphabet("validation", valid->d, arch));
    t = sn_calloc(1, sizeof *t);
    SN_GO(t ? 0 : SEQNET_ENOMEM);
    if (valid) SN_GO(take_valid(t, train->d, valid->d));
    taken = arch;
    arch = NULL;
    SN_GO(sn_trainer_create(&ctx->rt, taken, train->d, valid ? &t->valid : NULL, &o, &t->inner));
    *out = t;
    t = NULL;
done:
    sn_arch_free(arch);
    seqnet_trainer_free(&t);
    return rc < 0 ? rc : 0;
}

void seqnet_trainer_free(seqnet_trainer **t) {
    if (!t || !*t) return;
    sn_trainer_free((*t)->inner);
    free((*t)->valid_targets);
    free(*t);
    *t = NULL;
}

int seqnet_trainer_run(seqnet_trainer *t, seqnet_model **out) {
    struct sn_model *m = NULL;
    int rc = sn_trainer_run(t->inner, &m);
    *out = (seqnet_model *)m;
    return rc < 0 ? rc : 0;
}

void seqnet_trainer_result(const seqnet_trainer *t, seqnet_train_result *out) {
    seqnet_train_result r = {.size = sizeof r};
    sn_trainer_result(t->inner, &r);
    sn_give(out, out->size, &r, sizeof r);
}
