/* Training. */
#ifndef SEQNET_TRAIN_H
#define SEQNET_TRAIN_H

#include "seqnet/predict.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct seqnet_trainer seqnet_trainer;

/** Options; a field at its default (NaN, -1 or NULL) leaves what the architecture text says. */
typedef struct seqnet_train_options {
    size_t size;
    uint64_t seed;         /**< weights, order, dropout, augmentation, split; default 1 */
    int epochs;            /**< 1.. */
    int min_steps;         /**< raises epochs until this many steps */
    int batch_size;        /**< 1.. */
    double learning_rate;  /**< > 0; the peak of one-cycle */
    const char *schedule;  /**< "constant" | "one_cycle" */
    const char *optimizer; /**< "adam" | "sgd" */
    double momentum;       /**< sgd, 0..1 */
    int nesterov;          /**< sgd, 0 or 1 */
    double clipnorm;       /**< global norm, 0 = off */
    double l1, l2;         /**< on every kernel instead of the layers' kernel_regularizer */
    int patience;          /**< early stopping on the validation loss, epochs; 0 = off */
    const char *strand; /**< "average" | "max" of both strands, or "forward": single-stranded data, which are then not reverse-complemented
                             in training either unless reverse_complement says so; NULL = as the architecture says */
    int reverse_complement;   /**< augmentation, 0 or 1 */
    int shift;                /**< augmentation, bases */
    const char *class_weight; /**< "balanced" | "none" */
    double valid_fraction;    /**< 0..0.9 held out, when no validation source and no chromosomes are given */
    const char *valid_chroms; /**< comma list, or "auto": whole chromosomes; NULL: auto where there are coordinates, else the fraction */
    const char *log;          /**< TSV file, a line an epoch; NULL = none */
    const char *checkpoint;   /**< model file that receives the best epoch so far (kept when training stops); NULL = none */
    const char *command;      /**< goes into the provenance; NULL = none */
} seqnet_train_options;
SEQNET_API void seqnet_train_defaults_size(seqnet_train_options *o, size_t size);
static inline void seqnet_train_defaults(seqnet_train_options *o) {
    seqnet_train_defaults_size(o, sizeof *o);
}
SEQNET_API SEQNET_NODISCARD int seqnet_train_check(const seqnet_train_options *o);

/** architecture: a file or the name of an installed one. train: labelled source, borrowed until the trainer is freed. valid: NULL = held
 * out from train. @return 0; SEQNET_EARCH; SEQNET_EDATA; SEQNET_ESHAPE; SEQNET_ENOMEM */
SEQNET_API SEQNET_NODISCARD int seqnet_trainer_create(seqnet_ctx *ctx, const char *architecture, seqnet_source *train, seqnet_source *valid,
                                                      const seqnet_train_options *o, seqnet_trainer **out);
SEQNET_API void seqnet_trainer_free(seqnet_trainer **t);
/** Trains to the end, calibrates, and gives the best epoch's model. Canceled: SEQNET_ECANCELED, and *out is the best so far or NULL.
 *  @return 0; SEQNET_ENUM when loss or weights are not finite (names the layer; *out is the last good model or NULL); SEQNET_EIO */
SEQNET_API SEQNET_NODISCARD int seqnet_trainer_run(seqnet_trainer *t, seqnet_model **out);

/** What a training run came to. */
typedef struct seqnet_train_result {
    size_t size;
    int epochs_run, best_epoch; /**< best_epoch from 1 */
    int64_t steps, n_train, n_valid;
    double initial_loss, expected_loss; /**< of the fresh model, and from the label frequencies alone */
    double best_valid_loss;
    double false_calls_per_mb; /**< at --fpr 1e-4 on held-out background, NaN when not calibrated */
    double sequences_per_second;
} seqnet_train_result;
SEQNET_API void seqnet_trainer_result(const seqnet_trainer *t, seqnet_train_result *out);

#ifdef __cplusplus
}
#endif
#endif
