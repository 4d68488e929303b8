/* Inside the room: the parts of a training run, from label counts to the model's calibration. */
#ifndef SN_TRAIN_PARTS_H
#define SN_TRAIN_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/mem.h"
#include "model/scorer.h"
#include "train/metrics.h"
#include "train/train.h"

/* Some rows of a data set, in an order. */
struct sn_rows {
    const struct sn_dataset *d;
    int64_t *ids; /* owned */
    int64_t n;
};
void sn_rows_free(struct sn_rows *r);

/* ---- comm.c: ranks ---------------------------------------------------------------------------------------------------------------- */

extern const struct sn_comm sn_comm_single; /* one rank: every call leaves its values as they are */

/* ---- schedule.c ------------------------------------------------------------------------------------------------------------------- */

/* cos(x) for 0 <= x <= pi, absolute error below 1e-15, IEEE additions and products only: learning rates are the same on every machine. */
double sn_cos(double x);
/* Learning rate of step `step` (from 0) of `total`. */
double sn_learning_rate(const struct sn_training *t, int64_t step, int64_t total);
/* Epochs of `steps` steps each: as many as asked for, or as min_steps takes. */
int64_t sn_epochs_for(const struct sn_training *t, int64_t steps);

/* ---- labels.c: what the labels of the training rows say ---------------------------------------------------------------------------- */

struct sn_label_stats {
    int n_tasks;
    double *count, *mean, *sd; /* (n_tasks) observed targets, their mean (frequency of 1) and standard deviation (over n) */
    sn_real *cw;     /* (2*n_tasks) class weights or NULL; head whose tasks begin at `at`: cw + 2*at, laid out as struct sn_loss wants */
    double expected; /* loss of a model that knows the frequencies alone */
};
/* Counts, checks that there is something to learn (SEQNET_EDATA), weighs the classes: n / (k * count of the class), so that the mean weight
 * is 1. Call sn_label_stats_free also after a failure. */
int sn_label_stats_make(const struct sn_rows *train, const struct sn_arch *a, const struct sn_sink *sink, struct sn_label_stats *out);
void sn_label_stats_free(struct sn_label_stats *s);
/* Standardisation and the output layers' biases, as `training:` asks for them. */
int sn_label_stats_apply(const struct sn_label_stats *s, struct sn_model *m);
/* SEQNET_EDATA unless the rows hold what a metric of this kind of data needs: both classes, two classes, two different numbers. */
int sn_labels_check(const struct sn_rows *r, const char *what, const struct sn_sink *sink);
/* Targets of n rows (row i is targets + ids[i]*T; ids NULL: i) for the head whose `width` tasks begin at `at`, as its loss wants them
 * (standardised), into out (n, width). Returns how many are observed: cells, or whole rows for classes. */
int64_t sn_targets_fill(const struct sn_model *m, const float *targets, const int64_t *ids, int n, int head, int at, sn_real *out);
int sn_head_width(const struct sn_graph *g, int head);

/* ---- optimizer.c ------------------------------------------------------------------------------------------------------------------- */

struct sn_optimizer;
/* State for the trainable weights of a training plan; regularisers are those of the nodes' parameters. Plan and pool are borrowed. */
int sn_optimizer_create(struct sn_plan *plan, struct sn_pool *pool, const struct sn_training *t, const struct sn_comm *comm,
                        struct sn_optimizer **out);
void sn_optimizer_free(struct sn_optimizer *o);
/* One step from the plan's gradients: regularisers, clipping by the global norm, update, prepared weights. *norm: of the gradient with its
 * regularisers, before clipping; *penalty: their value. SEQNET_ENUM names the layer and weight whose gradient is not finite; the weights
 * are spoilt then. The gradients are left at zero. */
int sn_optimizer_step(struct sn_optimizer *o, double learning_rate, double *norm, double *penalty);

/* ---- step.c: one step on a batch --------------------------------------------------------------------------------------------------- */

struct sn_step;
struct sn_step_result {
    double loss, norm, penalty;
    double observed; /* targets */
};
/* model, labels, comm, rt: borrowed. longest: longest row. */
int sn_step_create(const struct sn_runtime *rt, const struct sn_comm *comm, struct sn_model *model, const struct sn_label_stats *labels,
                   int64_t longest, int max_rows, uint64_t seed, struct sn_step **out);
void sn_step_free(struct sn_step *s);
/* Rows from..from+n-1 of `rows` at step `step` (augmentation, dropout). SEQNET_ENUM when loss or gradient is not finite. */
int sn_step_run(struct sn_step *s, const struct sn_rows *rows, int64_t from, int n, int64_t step, double learning_rate,
                struct sn_step_result *out);
/* Brings the model's weights up to date. */
int sn_step_params(struct sn_step *s);
/* SEQNET_ENUM: `what` is not finite, with the first layer whose weights or values are not, in the last batch or on `rows` (may be NULL; not
 * longer than those announced). */
int sn_step_not_finite(struct sn_step *s, const struct sn_rows *rows, const char *what, double value);

/* ---- prepare.c: options, data and architecture brought together --------------------------------------------------------------------- */

/* Options that are set take the place of what `training:` says. */
int sn_train_override(const seqnet_train_options *o, struct sn_arch *a, const struct sn_sink *sink);
/* Fixes the architecture by the data; every row must fit it. valid may be NULL. */
int sn_train_bind(struct sn_arch *a, const struct sn_dataset *data, const struct sn_dataset *valid);
/* Rows to train on and rows held out; `how` gets a sentence. */
int sn_train_split(const seqnet_train_options *o, const struct sn_training *t, const struct sn_dataset *data,
                   const struct sn_dataset *valid, const struct sn_sink *sink, struct sn_rows *train, struct sn_rows *held,
                   struct sn_str *how);

/* ---- validate.c: scores, loss and metrics of rows, by the scorer that predict uses ------------------------------------------------- */

/* Row i of something to be scored: writes its codes, `width` of them with padding (0: as many as it has), and returns how many, or an
 * error. Called from any thread. */
typedef int (*sn_fill_fn)(const void *arg, int64_t i, int64_t width, uint8_t *out);
/* Logits (n, T) of n rows with the model's weights as they are now. longest: longest row, for variable length. Progress is not reported;
 * cancellation is checked. scores (n, T): what predict prints, or NULL. */
int sn_score_rows(const struct sn_runtime *rt, struct sn_model *m, sn_fill_fn fill, const void *arg, int64_t n, int64_t longest,
                  float *logits, float *scores);
int sn_fill_row(const void *arg, int64_t i, int64_t width, uint8_t *out); /* arg: struct sn_rows */
int64_t sn_rows_longest(const struct sn_rows *r);

#define SN_METRICS_KEPT 8
struct sn_validation {
    double loss;                         /* weighted like the training loss, without regularisers */
    seqnet_metric mean[SN_METRICS_KEPT]; /* over tasks */
    int n_metrics;
};
int sn_validate(const struct sn_runtime *rt, struct sn_model *m, const struct sn_label_stats *labels, const struct sn_rows *rows,
                struct sn_validation *out);
/* What each task comes to on held-out rows, with the points of its ROC and precision-recall curves, for the report. */
struct sn_task_figures {
    int64_t n, positives; /* positives -1: the task is a number */
    seqnet_metric metrics[SN_METRICS_KEPT];
    int n_metrics, n_points;
    struct sn_roc_point *points; /* (n_points) owned */
};
int sn_task_figures_make(const struct sn_runtime *rt, struct sn_model *m, const struct sn_rows *rows, struct sn_task_figures **out);
void sn_task_figures_free(struct sn_task_figures *f, int n_tasks);
/* The one figure that is shown while training: "auroc", "accuracy" or "pearson"; NaN when undefined. */
double sn_headline(enum sn_task_kind kind, const struct sn_validation *v, const char **name);

/* ---- best.c: the best epoch's weights, out of the way ------------------------------------------------------------------------------- */

struct sn_best;
int sn_best_create(int64_t n_params, struct sn_best **out);
void sn_best_free(struct sn_best *b);
int sn_best_keep(struct sn_best *b, const sn_real *params); /* SEQNET_ENOMEM */
int sn_best_restore(struct sn_best *b, sn_real *params);    /* after a keep; SEQNET_EIO */

/* ---- calibrate.c ------------------------------------------------------------------------------------------------------------------- */

#define SN_CALIBRATION_FPR 1e-4 /* what the background should support */
struct sn_calibration {
    int64_t n_negatives, n_shuffles; /* background windows */
    double false_calls_per_mb;       /* at SN_CALIBRATION_FPR; NaN when not supported or not calibrated */
    struct sn_str how;               /* a sentence, for log and provenance */
};
/* Stores the quantiles of the scores of held-out background in the model; nothing for regression. budget: most windows to be shuffled.
 * Free c->how. */
int sn_calibrate(const struct sn_runtime *rt, struct sn_model *m, const struct sn_rows *valid, int64_t budget, uint64_t seed,
                 struct sn_calibration *c);

/* ---- epochs: history, log file, provenance ---------------------------------------------------------------------------------------- */

struct sn_epoch {
    int epoch; /* from 1 */
    int64_t step;
    double learning_rate, train_loss;
    struct sn_validation valid;
    double seconds, rate; /* rate: training sequences a second */
};

/* log.c: a TSV file that can be followed while it grows. */
struct sn_train_log;
int sn_train_log_open(const char *path, struct sn_train_log **out);       /* path NULL: *out NULL, and all calls do nothing */
int sn_train_log_epoch(struct sn_train_log *l, const struct sn_epoch *e); /* the header before the first */
int sn_train_log_close(struct sn_train_log *l);                           /* frees l in every case */

/* provenance.c */
struct sn_history {
    const char *command, *describe, *split;
    uint64_t seed;
    int threads;
    int64_t started; /* seconds since 1970 */
    double seconds;
    uint32_t data_digest, valid_digest;
    bool valid_given;
    int64_t n_train, n_valid, longest; /* longest: training sequence */
    double initial_loss, expected_loss;
    const struct sn_epoch *epochs;
    int n_epochs, best;                       /* index or -1 */
    const struct sn_calibration *calibration; /* NULL before */
    const struct sn_task_figures *figures;    /* (n_tasks) of the best epoch on the held-out rows; NULL before */
    char *const *tasks;                       /* (n_tasks) */
    int n_tasks;
};
int sn_provenance(const struct sn_history *h, char **out);

#endif
