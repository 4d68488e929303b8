#include <math.h>
#include <string.h>

#include "cli.h"

static int check_usage(struct args *a) {
    bool valid = a->valid.data || a->valid.positives || a->valid.negatives;
    if (!a->architecture) return usage_error("give an architecture: -m NAME|ARCH.yaml");
    if (!a->output) return usage_error("give a file for the model: -o MODEL.seqnet");
    if (!a->data.data && !a->data.positives) return usage_error("give --data, or --pos with or without --neg");
    if (a->data.exclude && a->data.negatives) return usage_error("--exclude is for negatives that are drawn; --neg gives them");
    if (valid && (a->train.valid_chroms || !isnan(a->train.valid_fraction)))
        return usage_error("validation data are given: --valid-chroms and --valid-fraction do not apply");
    if (a->train.valid_chroms && !isnan(a->train.valid_fraction))
        return usage_error("--valid-chroms and --valid-fraction exclude each other");
    if (a->valid.negatives && !a->valid.positives) return usage_error("--valid-neg needs --valid-pos");
    if (a->valid.positives && !a->valid.negatives) return usage_error("--valid-pos needs --valid-neg");
    if (a->train.log && strcmp(a->train.log, a->output) == 0) return usage_error("--log and --output name the same file");
    a->data.architecture = a->valid.architecture = a->architecture;
    a->data.need_labels = a->valid.need_labels = 1;
    a->data.make_negatives = a->data.positives && !a->data.negatives;
    a->valid.reference = a->data.reference;
    a->valid.labels = a->data.labels;
    a->valid.window = a->data.window;
    a->valid.center_summit = a->data.center_summit;
    if (seqnet_source_check(&a->data) < 0 || (valid && seqnet_source_check(&a->valid) < 0) || seqnet_train_check(&a->train) < 0)
        return usage_error("%s", seqnet_errmsg());
    return EXIT_DONE;
}

/* Before hours of work: can the results be written, and would they replace what they are made from? */
static int check_outputs(const struct args *a) {
    const char *const inputs[] = {a->data.data,  a->data.positives,  a->data.negatives,  a->data.reference, a->data.exclude,
                                  a->valid.data, a->valid.positives, a->valid.negatives, a->architecture};
    int n = sizeof inputs / sizeof *inputs, rc = seqnet_output_check(a->output, inputs, n);
    return rc < 0 || !a->train.log ? rc : seqnet_output_check(a->train.log, inputs, n);
}

static void report(const seqnet_trainer *t, const struct args *a) {
    seqnet_train_result r = {.size = sizeof r};
    seqnet_trainer_result(t, &r);
    note("best epoch %d of %d, validation loss %.5g; model in %s", r.best_epoch, r.epochs_run, r.best_valid_loss, a->output);
    set_rate(r.sequences_per_second, "sequences");
}

int cmd_train(struct args *a) {
    seqnet_ctx *ctx = NULL;
    seqnet_source *data = NULL, *valid = NULL;
    seqnet_trainer *t = NULL;
    seqnet_model *m = NULL;
    int rc, code = check_usage(a);
    if (code != EXIT_DONE) return code;
    if ((rc = begin(a, &ctx)) < 0 || (rc = check_outputs(a)) < 0) goto done;
    if ((rc = seqnet_source_open(ctx, &a->data, &data)) < 0) goto done;
    if ((a->valid.data || a->valid.positives) && (rc = seqnet_source_open(ctx, &a->valid, &valid)) < 0) goto done;
    if ((rc = seqnet_trainer_create(ctx, a->architecture, data, valid, &a->train, &t)) < 0) goto done;
    rc = seqnet_trainer_run(t, &m);
    code = rc < 0 ? failed(rc) : EXIT_DONE;
    if (m && (rc = seqnet_model_save(m, a->output)) >= 0) {
        if (code != EXIT_DONE) say("the best model so far is in %s", a->output);
        report(t, a);
    }
done:
    if (rc < 0 && code == EXIT_DONE) code = failed(rc);
    seqnet_model_free(&m);
    seqnet_trainer_free(&t);
    seqnet_source_free(&valid);
    seqnet_source_free(&data);
    return code;
}
