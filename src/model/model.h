/* A model: architecture (graph + training text) and parameters, immutable and reference-counted; reading and writing of the model file. */
#ifndef SN_MODEL_MODEL_H
#define SN_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/mem.h"
#include "graph/graph.h"
#include "graph/plan.h"
#include "seq/alphabet.h"

enum sn_strand { SN_STRAND_FORWARD, SN_STRAND_AVERAGE, SN_STRAND_MAX };
enum sn_length { SN_LENGTH_VARIABLE = 0, SN_LENGTH_DATA = -1 }; /* else a number: `length: data` = as the training sequences */

/* The `training:` part of the text, with Keras' words; every field can be overridden by options. */
struct sn_training {
    enum sn_loss_kind loss;
    enum { SN_ADAM, SN_SGD } optimizer;
    double learning_rate, beta_1, beta_2, epsilon, momentum;
    bool nesterov;
    enum { SN_LR_CONSTANT, SN_LR_ONE_CYCLE } schedule;
    double warmup_fraction,
        start_fraction; /* one-cycle: linear from start_fraction x peak over warmup_fraction of the steps, cosine to 0 */
    double clipnorm;    /* global norm, 0 = off */
    int batch_size, epochs, min_steps, leaves;
    int patience; /* early stopping on val_loss, 0 = off */
    double min_delta;
    double validation_fraction;
    bool reverse_complement;
    int shift;
    bool standardize; /* regression targets to mean 0, sd 1 (stored in the identity, undone in predict) */
    bool bias_from_labels;
    bool balanced_class_weight; /* class_weight: balanced | none */
};

/* Immutable once bound and given to a model. */
struct sn_arch {
    char name[SN_NAME_MAX];
    char *origin; /* file or name it was read from, for messages */
    char input_name[SN_NAME_MAX];
    const struct sn_alphabet *alphabet;
    enum sn_n_policy n_policy;
    enum sn_strand strand;
    int64_t length;
    struct sn_graph *graph;                                      /* checked when length and tasks are known */
    struct sn_training training;                                 /* loss: that of the first head */
    bool auto_activation[SN_MAX_HEADS], auto_loss[SN_MAX_HEADS]; /* `auto`: by the kind of the data, fixed by sn_arch_bind */
    bool tasks_bound;
    uint8_t sym[256]; /* expansion of codes by alphabet and n_policy, as plans want it */
    sn_real *lut;     /* (256, channels) */
};
/* text: YAML, `origin` its name for messages. Checked for words, types, ranges, cycles; shapes unless the length is `data`. Errors
 * (SEQNET_EARCH, SEQNET_ESHAPE) read "origin:line: ...". */
int sn_arch_parse(const char *text, size_t n, const char *origin, struct sn_arch **out);
/* A file, or the name of an installed architecture (models/NAME.yaml in SEQNET_MODELS, the build or the data directory). */
int sn_arch_load(const char *name_or_path, struct sn_arch **out);
void sn_arch_free(struct sn_arch *a);
/* Names of the installed architectures, one a line, sorted. */
int sn_arch_list(struct sn_str *out);
/* Fixes what the data decide: activation and loss where the text says `auto` (binary: sigmoid and binary_crossentropy, classes: softmax and
 * categorical_crossentropy, numbers: linear and mean_squared_error; SN_TASK_NONE counts as binary), the number of tasks, and the length
 * when it is `data`. Re-checks all shapes. longest: longest row for variable length, 0 = unknown. SEQNET_EDATA when data and architecture
 * do not fit. */
int sn_arch_bind(struct sn_arch *a, enum sn_task_kind kind, int n_tasks, int64_t data_length, int64_t longest);
/* Outputs of all heads together. Bound architectures only. */
int sn_arch_width(const struct sn_arch *a);
/* Fills *o for a plan of this architecture: mode, max_len (the fixed length when there is one, else `longest`), max_rows, leaves, var,
 * fuse, sym and lut (borrowed from `a`); zero in the rest (max_pairs, values, seed), for the caller to set. */
void sn_arch_plan_options(const struct sn_arch *a, enum sn_mode mode, int64_t longest, int max_rows, struct sn_plan_options *o);
/* The keys of `training:`, one a line: path, type, range, default, help (tab-separated). */
int sn_training_help(struct sn_str *out);
/* Canonical text (JSON, stable order of keys) of a bound architecture: goes into the model's identity and reads back to the same graph. */
int sn_arch_to_json(const struct sn_arch *a, struct sn_str *out);
int sn_arch_from_json(const char *json, size_t n, const char *origin, struct sn_arch **out);

struct sn_model {
    int refs; /* atomic */
    struct sn_arch *arch;
    sn_real *params; /* graph.n_params */
    int n_tasks;
    char **tasks; /* names of tasks or classes */
    enum sn_task_kind kind;
    float *target_mean, *target_sd; /* (n_tasks) or NULL: standardised regression */
    int64_t data_length; /* length of the training sequences (the longest), 0 = unknown: the window of a scan when the length is variable */
    bool shuffled_negatives;
    int n_quantiles; /* calibration: logits of held-out background (strands as the model combines them) at the levels below, (n_tasks,
                        n_quantiles) */
    double *quantile_level;
    float *quantile;
    char *provenance; /* JSON object as text, free-form */
    char *path;       /* where it was read from, or NULL */
};
/* arch: bound; taken over on success. Parameters are zero. Tasks are named task1, task2, ... until sn_model_set_tasks. */
int sn_model_create(struct sn_arch *arch, struct sn_model **out);
/* Names (copied) and kind of the tasks: as many as the heads have outputs, UTF-8 without control characters, all different. */
int sn_model_set_tasks(struct sn_model *m, enum sn_task_kind kind, const char *const *names, int n);
struct sn_model *sn_model_ref(struct sn_model *m);
void sn_model_unref(struct sn_model *m);
/* Fresh weights: Philox by (seed, node, weight), Glorot uniform / orthogonal / zeros / ones / LSTM bias. */
int sn_model_init(struct sn_model *m, uint64_t seed);
/* safetensors; trusts nothing. Errors: SEQNET_EIO, SEQNET_EMODEL, SEQNET_ENUM (weights that are not finite). */
int sn_model_read(const char *path, struct sn_model **out);
int sn_model_write(const struct sn_model *m, const char *path);
/* CRC-32C over tensors and identity, as 8 hex digits; out holds 9 bytes. */
int sn_model_digest(const struct sn_model *m, char out[9]);
/* Identity as JSON text, for `info`. */
int sn_model_identity(const struct sn_model *m, struct sn_str *out);

#endif
