/* Scores of sequences. */
#ifndef SEQNET_PREDICT_H
#define SEQNET_PREDICT_H

#include "seqnet/model.h"
#include "seqnet/source.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct seqnet_predictor seqnet_predictor;

typedef struct seqnet_predictor_options {
    size_t size;
    int64_t max_length; /**< longest sequence to come; 0 = the models' length; for variable ones memory follows what comes, up to 1 Mb */
    int batch;          /**< sequences per micro-batch, 0 = chosen; does not change a bit of the result */
    int logits;         /**< give values before the last activation */
} seqnet_predictor_options;
SEQNET_API void seqnet_predictor_defaults_size(seqnet_predictor_options *o, size_t size);
static inline void seqnet_predictor_defaults(seqnet_predictor_options *o) {
    seqnet_predictor_defaults_size(o, sizeof *o);
}
SEQNET_API SEQNET_NODISCARD int seqnet_predictor_check(const seqnet_predictor_options *o);

/** Several models are an ensemble: the mean of their logits. The models are referenced. @return 0; SEQNET_ESHAPE when they differ */
SEQNET_API SEQNET_NODISCARD int seqnet_predictor_create(seqnet_ctx *ctx, seqnet_model *const *models, int n_models,
                                                        const seqnet_predictor_options *o, seqnet_predictor **out);
SEQNET_API void seqnet_predictor_free(seqnet_predictor **p);
/** Floats that n sequences give. */
SEQNET_API int64_t seqnet_predict_bound(const seqnet_predictor *p, int64_t n);
/** Scores n sequences. bases[i]: lengths[i] ASCII symbols. scores: out, (n, n_tasks) row-major, capacity floats. Shorter sequences than a
 *  fixed length are centred and padded. Thread rule: one call at a time per predictor.
 *  @return 0; SEQNET_EDATA (a byte that is no symbol, too long, shorter than the model's minimum), SEQNET_ECANCELED */
SEQNET_API SEQNET_NODISCARD int seqnet_predict(seqnet_predictor *p, const char *const *bases, const int64_t *lengths, int64_t n,
                                               float *scores, int64_t capacity);
/** Scores every record of a source, in order; errors name the record. */
SEQNET_API SEQNET_NODISCARD int seqnet_predict_source(seqnet_predictor *p, seqnet_source *s, float *scores, int64_t capacity);

/** One figure of an evaluation. */
typedef struct seqnet_metric {
    size_t size;
    int task;         /**< -1 = mean over tasks */
    const char *name; /**< "auroc", "auprc", "base_rate", "accuracy", "pearson", "spearman", "loss", "n"; static */
    double value;
} seqnet_metric;
/** Scores every record of a source and writes a table to `path` ("-" = stdout; complete or not at all): a header line, then per record
 *  `name`, or `chrom start end [strand]` where there are coordinates, and one column per task, shortest digits that read back to the float.
 *  @return 0; what seqnet_predict_source() returns; SEQNET_EIO */
SEQNET_API SEQNET_NODISCARD int seqnet_predict_write(seqnet_predictor *p, seqnet_source *s, const char *path);

/** Metrics that fit the labels, per task, then their mean. Label columns are matched with the models' tasks by name (one task alone: any
 *  name). *n_metrics: in capacity, out number (also when capacity is too small: SEQNET_EINVAL). metrics[0].size is set by the caller.
 *  @return 0; SEQNET_EDATA when labels and tasks do not fit, naming the column */
SEQNET_API SEQNET_NODISCARD int seqnet_evaluate(seqnet_predictor *p, seqnet_source *s, seqnet_metric *metrics, int *n_metrics);
SEQNET_API int seqnet_evaluate_bound(const seqnet_predictor *p);
/** The same as a table `task metric value` written to `path` ("-" = stdout). */
SEQNET_API SEQNET_NODISCARD int seqnet_evaluate_write(seqnet_predictor *p, seqnet_source *s, const char *path);
/** Sequences a second of the last call; 0 before one. */
SEQNET_API double seqnet_predictor_rate(const seqnet_predictor *p);

#ifdef __cplusplus
}
#endif
#endif
