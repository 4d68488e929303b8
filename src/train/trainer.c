/* The training run: epochs of steps, validation, the best epoch kept. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/file.h"
#include "core/rng.h"
#include "train/parts.h"

#define PROBE_ROWS 2048 /* that the initial loss is taken from */

struct sn_trainer {
    struct sn_runtime rt;
    const struct sn_comm *comm;
    char *command, *checkpoint;
    uint64_t seed;
    bool valid_given, done;
    struct sn_model *model; /* its weights are those of the epoch looked at, of the best one in the end */
    struct sn_rows train, valid;
    int64_t *order; /* (train.n) of the epoch */
    struct sn_label_stats labels;
    struct sn_str split;
    struct sn_step *step;
    struct sn_train_log *log;
    struct sn_epoch *epochs;
    size_t n_epochs, cap_epochs;
    int64_t all_epochs, batch, steps_per_epoch, steps;
    int best;             /* index into epochs or -1 */
    struct sn_best *kept; /* its weights */
    double stop_loss;     /* early stopping: what has to be undercut */
    int waited;
    double initial_loss, train_seconds, began;
    int64_t started;
    struct sn_task_figures *figures; /* of the best epoch, at the end */
    struct sn_calibration calibration;
};

/* ---- making ----------------------------------------------------------------------------------------------------------------------------
 */

static int copy_text(const char *s, char **out) {
    if (!s) return 0;
    *out = sn_strdup(s);
    return *out ? 0 : SEQNET_ENOMEM;
}

/* Takes the bound architecture over. */
static int make_model(struct sn_trainer *t, struct sn_arch **arch) {
    const struct sn_dataset *d = t->train.d;
    SN_TRY(sn_model_create(*arch, &t->model));
    *arch = NULL;
    SN_TRY(sn_model_set_tasks(t->model, d->kind, (const char *const *)d->tasks, d->n_tasks));
    SN_TRY(sn_model_init(t->model, t->seed));
    t->model->shuffled_negatives = d->shuffled_negatives;
    t->model->data_length = sn_rows_longest(&t->train);
    SN_TRY(sn_label_stats_apply(&t->labels, t->model));
    return sn_best_create(t->model->arch->graph->n_params, &t->kept);
}

static int make_step(struct sn_trainer *t) {
    const struct sn_training *tr = &t->model->arch->training;
    t->batch = tr->batch_size < t->train.n ? tr->batch_size : t->train.n;
    t->steps_per_epoch = (t->train.n + t->batch - 1) / t->batch;
    t->all_epochs = sn_epochs_for(tr, t->steps_per_epoch);
    t->order = sn_calloc((size_t)t->train.n, sizeof *t->order);
    if (!t->order) return SEQNET_ENOMEM;
    int64_t longest = sn_rows_longest(&t->train), held = sn_rows_longest(&t->valid);
    return sn_step_create(&t->rt, t->comm, t->model, &t->labels, held > longest ? held : longest, (int)t->batch, t->seed, &t->step);
}

/* Outputs must be writable before hours are spent. */
static int check_outputs(struct sn_trainer *t, const char *log) {
    if (t->checkpoint) {
        struct sn_outfile *f;
        SN_TRY(sn_outfile_open(t->checkpoint, &f));
        sn_outfile_abort(f);
    }
    return sn_train_log_open(log, &t->log);
}

int sn_trainer_create(const struct sn_runtime *rt, struct sn_arch *arch, const struct sn_dataset *data, const struct sn_dataset *valid,
                      const seqnet_train_options *o, struct sn_trainer **out) {
    struct sn_trainer *t = sn_calloc(1, sizeof *t);
    int rc = 0;
    *out = NULL;
    SN_GO(t ? 0 : SEQNET_ENOMEM);
    t->rt = *rt;
    t->comm = &sn_comm_single;
    t->seed = o->seed;
    t->valid_given = valid != NULL;
    t->best = -1;
    t->stop_loss = INFINITY;
    t->calibration.false_calls_per_mb = NAN;
    SN_GO(copy_text(o->command, &t->command));
    SN_GO(copy_text(o->checkpoint, &t->checkpoint));
    SN_GO(sn_train_override(o, arch, rt->sink));
    SN_GO(sn_train_bind(arch, data, valid));
    SN_GO(sn_train_split(o, &arch->training, data, valid, rt->sink, &t->train, &t->valid, &t->split));
    SN_GO(sn_label_stats_make(&t->train, arch, rt->sink, &t->labels));
    SN_GO(make_model(t, &arch));
    SN_GO(make_step(t));
    SN_GO(check_outputs(t, o->log));
    *out = t;
    t = NULL;
done:
    sn_arch_free(arch);
    sn_trainer_free(t);
    return rc;
}

void sn_trainer_free(struct sn_trainer *t) {
    if (!t) return;
    sn_step_free(t->step);
    (void)sn_train_log_close(t->log);
    sn_label_stats_free(&t->labels);
    sn_rows_free(&t->train);
    sn_rows_free(&t->valid);
    sn_str_free(&t->split);
    sn_str_free(&t->calibration.how);
    sn_task_figures_free(t->figures, t->model ? t->model->n_tasks : 0);
    sn_model_unref(t->model);
    free(t->order);
    free(t->epochs);
    sn_best_free(t->kept);
    free(t->command);
    free(t->checkpoint);
    free(t);
}

/* ---- what is stored and shown
 * ------------------------------------------------------------------------------------------------------------ */

static int64_t n_params(const struct sn_trainer *t) {
    return t->model->arch->graph->n_params;
}

static int set_provenance(struct sn_trainer *t, const struct sn_calibration *c) {
    const struct sn_dataset *d = t->train.d, *v = t->valid.d;
    struct sn_history h = {.command = t->command,
                           .describe = t->rt.describe,
                           .split = t->split.s,
                           .seed = t->seed,
                           .threads = sn_pool_size(t->rt.pool),
                           .started = t->started,
                           .seconds = sn_time_wall() - t->began,
                           .data_digest = d->digest ? d->digest : sn_dataset_digest(d),
                           .valid_given = t->valid_given,
                           .n_train = t->train.n,
                           .n_valid = t->valid.n,
                           .longest = sn_rows_longest(&t->train),
                           .initial_loss = t->initial_loss,
                           .expected_loss = t->labels.expected,
                           .epochs = t->epochs,
                           .n_epochs = (int)t->n_epochs,
                           .best = t->best,
                           .calibration = c,
                           .figures = t->figures,
                           .tasks = t->model->tasks,
                           .n_tasks = t->model->n_tasks};
    if (t->valid_given) h.valid_digest = v->digest ? v->digest : sn_dataset_digest(v);
    free(t->model->provenance);
    t->model->provenance = NULL;
    return sn_provenance(&h, &t->model->provenance);
}

static void tell_plan(const struct sn_trainer *t) {
    const struct sn_training *tr = &t->model->arch->training;
    sn_log(t->rt.sink, SN_LOG_INFO, "training on %lld sequences, validation by %s", (long long)t->train.n, t->split.s);
    sn_log(t->rt.sink, SN_LOG_INFO, "%s: %lld weights; %lld epochs of %lld steps, batch %lld, %s, learning rate %g (%s)",
           t->model->arch->name, (long long)n_params(t), (long long)t->all_epochs, (long long)t->steps_per_epoch, (long long)t->batch,
           tr->optimizer == SN_ADAM ? "adam" : "sgd", tr->learning_rate, tr->schedule == SN_LR_ONE_CYCLE ? "one cycle" : "constant");
    sn_log(t->rt.sink, SN_LOG_INFO, "initial loss %.4f, expected from the label frequencies %.4f", t->initial_loss, t->labels.expected);
}

static void tell_epoch(const struct sn_trainer *t, const struct sn_epoch *e) {
    const char *name;
    double headline = sn_headline(t->model->kind, &e->valid, &name);
    bool best = t->best == (int)t->n_epochs - 1;
    sn_log(t->rt.sink, SN_LOG_INFO, "epoch %d/%lld: loss %.4f, validation loss %.4f, %s %.4f%s; %.0f sequences/s", e->epoch,
           (long long)t->all_epochs, e->train_loss, e->valid.loss, name, headline, best ? " (best)" : "", e->rate);
}

static void tell_progress(const struct sn_trainer *t, int64_t done_in_epoch, double loss) {
    char extra[96];
    size_t last = t->n_epochs;
    if (!t->rt.sink || !t->rt.sink->progress) return;
    if (last > 0)
        snprintf(extra, sizeof extra, "loss %.4f val %.4f", loss, t->epochs[last - 1].valid.loss);
    else
        snprintf(extra, sizeof extra, "loss %.4f", loss);
    sn_progress(t->rt.sink, "training", (int64_t)last * t->train.n + done_in_epoch, t->all_epochs * t->train.n, "sequences", extra);
}

/* ---- running
 * ----------------------------------------------------------------------------------------------------------------------------- */

/* Loss of the fresh model on evenly spaced training rows. */
static int probe(struct sn_trainer *t) {
    struct sn_rows some = {.d = t->train.d, .n = t->train.n < PROBE_ROWS ? t->train.n : PROBE_ROWS};
    struct sn_validation v;
    some.ids = sn_calloc((size_t)some.n, sizeof *some.ids);
    if (!some.ids) return SEQNET_ENOMEM;
    for (int64_t i = 0; i < some.n; i++) some.ids[i] = t->train.ids[i * t->train.n / some.n];
    int rc = sn_validate(&t->rt, t->model, &t->labels, &some, &v);
    t->initial_loss = v.loss;
    sn_rows_free(&some);
    return rc;
}

static int run_steps(struct sn_trainer *t, struct sn_epoch *e) {
    const struct sn_training *tr = &t->model->arch->training;
    struct sn_rows rows = {.d = t->train.d, .ids = t->order, .n = t->train.n};
    double loss = 0, observed = 0;
    for (int64_t from = 0; from < rows.n; from += t->batch) {
        int n = (int)(rows.n - from < t->batch ? rows.n - from : t->batch);
        struct sn_step_result r;
        SN_TRY(sn_check_cancel(t->rt.sink));
        e->learning_rate = sn_learning_rate(tr, t->steps, t->all_epochs * t->steps_per_epoch);
        int rc = sn_step_run(t->step, &rows, from, n, t->steps, e->learning_rate, &r);
        if (rc < 0)
            return sn_error_prefix(rc, "epoch %d, step %lld, learning rate %g", e->epoch, (long long)t->steps + 1, e->learning_rate);
        t->steps++;
        loss += r.loss * r.observed;
        observed += r.observed;
        tell_progress(t, from + n, r.loss);
    }
    e->train_loss = observed > 0 ? loss / observed : NAN;
    return 0;
}

static int keep_if_best(struct sn_trainer *t) {
    const struct sn_epoch *e = &t->epochs[t->n_epochs - 1];
    if (t->best < 0 || e->valid.loss < t->epochs[t->best].valid.loss) {
        SN_TRY(sn_best_keep(t->kept, t->model->params));
        t->best = (int)t->n_epochs - 1;
    }
    t->waited++;
    if (e->valid.loss < t->stop_loss - t->model->arch->training.min_delta) {
        t->stop_loss = e->valid.loss;
        t->waited = 0;
    }
    return 0;
}

static int write_checkpoint(struct sn_trainer *t) {
    if (!t->checkpoint || t->best != (int)t->n_epochs - 1) return 0;
    SN_TRY(set_provenance(t, NULL));
    return sn_model_write(t->model, t->checkpoint);
}

static int run_epoch(struct sn_trainer *t) {
    struct sn_epoch e = {.epoch = (int)t->n_epochs + 1};
    struct sn_stream s;
    double before = sn_time_wall();
    memcpy(t->order, t->train.ids, (size_t)t->train.n * sizeof *t->order);
    sn_stream_init_use(&s, t->seed, SN_RNG_ORDER, (uint64_t)e.epoch, 0);
    sn_stream_permute(&s, t->order, t->train.n);
    SN_TRY(run_steps(t, &e));
    double trained = sn_time_wall() - before;
    SN_TRY(sn_step_params(t->step));
    SN_TRY(sn_validate(&t->rt, t->model, &t->labels, &t->valid, &e.valid));
    if (!isfinite(e.valid.loss))
        return sn_error_prefix(sn_step_not_finite(t->step, &t->valid, "validation loss", e.valid.loss), "epoch %d, step %lld", e.epoch,
                               (long long)t->steps);
    e.step = t->steps;
    e.seconds = sn_time_wall() - before;
    e.rate = trained > 0 ? (double)t->train.n / trained : 0;
    t->train_seconds += trained;
    void *v = t->epochs;
    SN_TRY(sn_grow(&v, &t->cap_epochs, t->n_epochs + 1, sizeof *t->epochs));
    t->epochs = v;
    t->epochs[t->n_epochs++] = e;
    SN_TRY(keep_if_best(t));
    tell_epoch(t, &e);
    SN_TRY(sn_train_log_epoch(t->log, &e));
    return write_checkpoint(t);
}

static int run_epochs(struct sn_trainer *t) {
    int patience = t->model->arch->training.patience;
    SN_TRY(probe(t));
    tell_plan(t);
    while ((int64_t)t->n_epochs < t->all_epochs) {
        SN_TRY(run_epoch(t));
        if (patience == 0 || t->waited < patience) continue;
        sn_log(t->rt.sink, SN_LOG_INFO, "stopped early: no lower validation loss for %d epochs", patience);
        break;
    }
    int rc = sn_train_log_close(t->log);
    t->log = NULL;
    return rc;
}

static int calibrate(struct sn_trainer *t) {
    SN_TRY(sn_calibrate(&t->rt, t->model, &t->valid, (int64_t)t->n_epochs * t->train.n, t->seed, &t->calibration));
    sn_log(t->rt.sink, SN_LOG_INFO, "calibration background: %s", t->calibration.how.s);
    if (!isnan(t->calibration.false_calls_per_mb))
        sn_log(t->rt.sink, SN_LOG_INFO, "expected false calls at a false positive rate of %g: %.3g windows per Mb", SN_CALIBRATION_FPR,
               t->calibration.false_calls_per_mb);
    return 0;
}

/* The best epoch's model; nothing when there is none. */
static int give_best(struct sn_trainer *t, const struct sn_calibration *c, struct sn_model **out) {
    if (t->best < 0) return 0;
    SN_TRY(set_provenance(t, c));
    *out = sn_model_ref(t->model);
    return 0;
}

int sn_trainer_run(struct sn_trainer *t, struct sn_model **out) {
    *out = NULL;
    if (t->done) return sn_error(SEQNET_EINVAL, "this trainer has run; make another one to train again");
    t->done = true;
    t->started = (int64_t)time(NULL);
    t->began = sn_time_wall();
    int rc = run_epochs(t);
    int back = t->best >= 0 ? sn_best_restore(t->kept, t->model->params) : 0;
    if (back < 0) return back;
    if (rc == 0) rc = sn_task_figures_make(&t->rt, t->model, &t->valid, &t->figures);
    if (rc == 0) rc = calibrate(t);
    if (rc == 0) return give_best(t, &t->calibration, out);
    char *why = sn_strdup(sn_error_text()); /* the message of what went wrong first */
    (void)give_best(t, NULL, out);
    rc = sn_error(rc, "%s", why ? why : seqnet_errtext(rc));
    free(why);
    return rc;
}

void sn_trainer_result(const struct sn_trainer *t, seqnet_train_result *out) {
    *out = (seqnet_train_result){.size = sizeof *out,
                                 .epochs_run = (int)t->n_epochs,
                                 .best_epoch = t->best + 1,
                                 .steps = t->steps,
                                 .n_train = t->train.n,
                                 .n_valid = t->valid.n,
                                 .initial_loss = t->initial_loss,
                                 .expected_loss = t->labels.expected,
                                 .best_valid_loss = t->best >= 0 ? t->epochs[t->best].valid.loss : NAN,
                                 .false_calls_per_mb = t->calibration.false_calls_per_mb};
    if (t->train_seconds > 0) out->sequences_per_second = (double)((int64_t)t->n_epochs * t->train.n) / t->train_seconds;
}
