/* Trained models: immutable, reference-counted, shared by any number of threads. */
#ifndef SEQNET_MODEL_H
#define SEQNET_MODEL_H

#include "seqnet/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct seqnet_model seqnet_model;

/** Reads a model file; every size is checked against the file first. @return 0; SEQNET_EIO; SEQNET_EMODEL; SEQNET_ENOMEM */
SEQNET_API SEQNET_NODISCARD int seqnet_model_load(seqnet_ctx *ctx, const char *path, seqnet_model **out);
/** A fresh model (weights drawn from seed) of an architecture: a file, or the name of an installed one. length: for architectures that take
 *  it from the data (0 = 100 to look at them), and the longest row for variable ones. @return 0; SEQNET_EIO; SEQNET_EARCH; SEQNET_ESHAPE */
SEQNET_API SEQNET_NODISCARD int seqnet_model_from_architecture(seqnet_ctx *ctx, const char *architecture, int n_tasks, int64_t length,
                                                               uint64_t seed, seqnet_model **out);
/** Whichever of the two `name` is, recognised by content. */
SEQNET_API SEQNET_NODISCARD int seqnet_model_open(seqnet_ctx *ctx, const char *name, int n_tasks, int64_t length, uint64_t seed,
                                                  seqnet_model **out);
/** Writes a model file (complete or not at all). @return 0; SEQNET_EIO */
SEQNET_API SEQNET_NODISCARD int seqnet_model_save(const seqnet_model *m, const char *path);
/** One more reference; returns m. */
SEQNET_API seqnet_model *seqnet_model_ref(seqnet_model *m);
/** Drops a reference and sets *m to NULL. */
SEQNET_API void seqnet_model_free(seqnet_model **m);

/** What a model takes and gives. */
typedef struct seqnet_model_info {
    size_t size;
    const char *name;     /**< of the architecture; valid as long as the model */
    const char *alphabet; /**< "dna", ... */
    int64_t length;       /**< input length, 0 = variable */
    int64_t min_length;   /**< shortest input */
    int64_t receptive_field;
    int64_t n_parameters;
    int n_tasks;
    int classes;          /**< outputs are classes of one softmax */
    int strands_combined; /**< scores are of both strands */
    int n_nodes, n_weights;
    int64_t data_length; /**< longest training sequence, 0 = unknown */
} seqnet_model_info;
SEQNET_API void seqnet_model_describe(const seqnet_model *m, seqnet_model_info *out);
SEQNET_API const char *seqnet_model_task_name(const seqnet_model *m, int task);

/** One output: its shape and meaning. */
typedef struct seqnet_output {
    size_t size;
    const char *name;
    int n_tasks;
    int64_t length; /**< positions, 1 = one value per sequence */
} seqnet_output;
/** @return 0; SEQNET_EINVAL when there is no such head */
SEQNET_API SEQNET_NODISCARD int seqnet_output_info(const seqnet_model *m, int head, seqnet_output *out);

/** CRC-32C over tensors and identity as 8 hex digits into buf (>= 9 bytes). */
SEQNET_API SEQNET_NODISCARD int seqnet_model_digest(const seqnet_model *m, char *buf, size_t capacity);
/** Bytes that seqnet_model_text() needs, terminator included. what: "card" (all a reader wants to know), "architecture" (layers with output
 *  shapes), "digest", "identity" or "provenance" (JSON), "memory" (the plan for one worker). length: of the input where it is variable,
 *  0 = chosen. Negative on failure. */
SEQNET_API int64_t seqnet_model_text_bound(seqnet_ctx *ctx, const seqnet_model *m, const char *what, int64_t length);
SEQNET_API SEQNET_NODISCARD int seqnet_model_text(seqnet_ctx *ctx, const seqnet_model *m, const char *what, int64_t length, char *buf,
                                                  size_t capacity);
/** The same text into a file ("-" = stdout; complete or not at all). */
SEQNET_API SEQNET_NODISCARD int seqnet_model_text_write(seqnet_ctx *ctx, const seqnet_model *m, const char *what, int64_t length,
                                                        const char *path);

#ifdef __cplusplus
}
#endif
#endif
