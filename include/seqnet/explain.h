/* Explaining: base-level contributions and what the first layer looks for. */
#ifndef SEQNET_EXPLAIN_H
#define SEQNET_EXPLAIN_H

#include "seqnet/model.h"
#include "seqnet/source.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct seqnet_explainer seqnet_explainer;

typedef struct seqnet_explain_options {
    size_t size;
    const char *method;     /**< "deeplift" | "integrated-gradients" | "input-x-gradient" | "saliency" | "ism" */
    const char *rule;       /**< of deeplift at activations: "rescale" | "reveal-cancel" | "genomics" (reveal-cancel after dense layers,
                               rescale elsewhere); the last sigmoid or softmax of a probability is always passed by rescale */
    const char *references; /**< "dinucleotide" | "zero" | "uniform" | a FASTA file of references; of deeplift and integrated-gradients */
    int n_references;       /**< shuffles per sequence, 1.. ; default 20 */
    const char *task;       /**< task or class, several with commas between them, or "all"; NULL = the first */
    const char *target;     /**< "logit" (default; of a softmax: minus the mean logit) | "probability" */
    uint64_t seed;
    int64_t max_memory;   /**< bytes that all of it may take: program, sequences, activations, patterns. References are taken in parts and
                             fewer workers run to keep it; SEQNET_ENOMEM says what does not fit. 0 (default): as much as it takes, within
                             256 MB of activations a worker */
    int n_logos;          /**< sequences drawn, the strongest first; default 10 */
    const char *motif_db; /**< known motifs that patterns and filters are compared with: a file or an installed name, as seqnet_motifs_read
                             takes it; "none"; NULL = "jaspar" for DNA */
    const char *command;
    int resume;   /**< seqnet_explain_source goes on with what an interrupted run left in the folder */
    int patterns; /**< 1 (default): seqnet_explain_source looks for patterns in the contributions; DNA and RNA only */
} seqnet_explain_options;
SEQNET_API void seqnet_explain_defaults_size(seqnet_explain_options *o, size_t size);
static inline void seqnet_explain_defaults(seqnet_explain_options *o) {
    seqnet_explain_defaults_size(o, sizeof *o);
}
SEQNET_API SEQNET_NODISCARD int seqnet_explain_check(const seqnet_explain_options *o);

SEQNET_API SEQNET_NODISCARD int seqnet_explainer_create(seqnet_ctx *ctx, seqnet_model *const *models, int n_models,
                                                        const seqnet_explain_options *o, seqnet_explainer **out);
SEQNET_API void seqnet_explainer_free(seqnet_explainer **e);

/** Number of tasks that are explained: what `task` named. */
SEQNET_API int seqnet_explainer_tasks(const seqnet_explainer *e);

/** What one sequence came to, for one task. */
typedef struct seqnet_explanation {
    size_t size;
    double output;        /**< F(x): the explained value */
    double expected;      /**< mean over references of F; NaN where a method has none (gradients, ism) */
    double residual;      /**< |sum of contributions - (output - expected)| over the sum of absolute contributions; NaN likewise */
    int only_arrangement; /**< shuffles equal the sequence: all contributions are 0 */
    int missed;           /**< the sum misses by more than the method promises: deeplift a residual of 1e-4, integrated gradients 1e-3 of
                             the difference (or of 1) although they took 1024 steps */
} seqnet_explanation;
/** Contributions of one sequence. hypothetical and actual: out, (tasks, length, channels) row-major, capacity floats each; either may be
 *  NULL. Hypothetical contributions are those that each letter would have at the position; actual ones stand on the letter that is there.
 *  out: an array with a result per task, `size` set in each; NULL = not wanted.
 *  index: number of the sequence, decides its shuffles. Thread rule: one call at a time. @return 0; SEQNET_EDATA; SEQNET_ENOTSUP naming the
 *  layer without a rule */
SEQNET_API SEQNET_NODISCARD int seqnet_explain(seqnet_explainer *e, const char *bases, int64_t length, int64_t index, float *hypothetical,
                                               float *actual, int64_t capacity, seqnet_explanation *out);

/** Explains every record of a source into a folder: arrays, tables, tracks, motifs of the first layer, logos. With several tasks each gets
 *  a folder of its name within. What is finished is kept in explain.work until all is: after an interruption the option `resume` goes on
 *  from there; without it such a folder is refused. Model, options and records must be the same. */
SEQNET_API SEQNET_NODISCARD int seqnet_explain_source(seqnet_explainer *e, seqnet_source *s, const char *folder);

typedef struct seqnet_explain_result {
    size_t size;
    int64_t sequences;
    double worst_residual; /**< largest residual over sequences and tasks; 0 where there is none */
    int64_t above_warning; /**< explanations that missed */
    int motifs;            /**< filters written as motifs */
    double seconds;
    int tasks;       /**< explained */
    int sums;        /**< contributions sum to the difference from the references: deeplift, integrated-gradients */
    int64_t resumed; /**< sequences taken over from an interrupted run */
    int patterns;    /**< found, of all tasks */
} seqnet_explain_result;
SEQNET_API void seqnet_explainer_result(const seqnet_explainer *e, seqnet_explain_result *out);

#ifdef __cplusplus
}
#endif
#endif
