/* The context: threads, log, progress, cancellation. Everything else is made from one. */
#ifndef SEQNET_CTX_H
#define SEQNET_CTX_H

#include <stddef.h>
#include <stdint.h>

#include "seqnet/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct seqnet_ctx seqnet_ctx;

enum seqnet_log_level { SEQNET_LOG_WARN = 0, SEQNET_LOG_INFO = 1, SEQNET_LOG_DEBUG = 2 };

/** Options of a context. Set with seqnet_ctx_defaults(), then change fields. */
typedef struct seqnet_ctx_options {
    size_t size;        /**< sizeof(seqnet_ctx_options) of the caller */
    int threads;        /**< all workers, the calling thread included; 0 = the cores this process may use. 1..128 */
    const char *device; /**< "cpu" | "cuda" | "auto" (falls back to cpu and says so in the log) */
    const char *gemm;   /**< matrix product: "auto" | "own" | "openblas" */
    void *self;         /**< passed to the callbacks below; each may be NULL; called from one thread at a time */
    void (*log)(void *self, int level, const char *line);
    /** done of total `unit`s of a stage ("training", "scan"); total 0 = unknown; extra: e.g. "loss 0.31" */
    void (*progress)(void *self, const char *stage, int64_t done, int64_t total, const char *unit, const char *extra);
    int (*cancel)(void *self); /**< non-zero: stop at the next safe point with SEQNET_ECANCELED */
    /** A host's own thread pool: call fn(arg, i, worker) for i in [0,n), worker in [0,threads), return when all are done. NULL = our own.
     */
    void (*parallel)(void *self, int n, void (*fn)(void *arg, int i, int worker), void *arg);
} seqnet_ctx_options;

/** Fills *o with the defaults. `size` is the caller's sizeof *o, kept in o->size (this is how programs and libraries of different age
 *  understand each other); bindings call the _size form, C programs the short one. The same for every other _defaults(). */
SEQNET_API void seqnet_ctx_defaults_size(seqnet_ctx_options *o, size_t size);
static inline void seqnet_ctx_defaults(seqnet_ctx_options *o) {
    seqnet_ctx_defaults_size(o, sizeof *o);
}
/** @return 0, or SEQNET_EINVAL naming the field that is out of range. */
SEQNET_API SEQNET_NODISCARD int seqnet_ctx_check(const seqnet_ctx_options *o);

/** Makes a context; starts its threads (they sleep when idle).
 *  @param o NULL = defaults  @param out the context, NULL on failure; free with seqnet_ctx_free()
 *  @return 0; SEQNET_EINVAL; SEQNET_ENOMEM; SEQNET_EDEVICE (no such device); thread rule: a context is used by one thread at a time */
SEQNET_API SEQNET_NODISCARD int seqnet_ctx_create(const seqnet_ctx_options *o, seqnet_ctx **out);
/** Frees *ctx (objects made from it first), joins its threads, sets *ctx to NULL. NULL is fine. */
SEQNET_API void seqnet_ctx_free(seqnet_ctx **ctx);
/** One line: version, device, CPU kernels, GEMM provider, threads. Valid as long as the context. */
SEQNET_API const char *seqnet_ctx_describe(const seqnet_ctx *ctx);
/** Workers of the context. */
SEQNET_API int seqnet_ctx_threads(const seqnet_ctx *ctx);
/** "0.1.0". Static. */
SEQNET_API const char *seqnet_version(void);
/** Checks before long work that `path` can be written ('-' is stdout) and that it is none of the inputs (NULL entries are skipped).
 *  @return 0; SEQNET_EIO (no such folder, not writable, a folder); SEQNET_EINVAL naming the input it would overwrite */
SEQNET_API SEQNET_NODISCARD int seqnet_output_check(const char *path, const char *const *inputs, int n_inputs);
/** Wall and CPU seconds since the context was made and peak resident bytes of the process. */
SEQNET_API void seqnet_ctx_usage(const seqnet_ctx *ctx, double *wall, double *cpu, int64_t *peak_bytes);

#ifdef __cplusplus
}
#endif
#endif
