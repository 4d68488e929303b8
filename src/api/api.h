/* What the files of the api share: the context, and the rule by which structs cross the border of the library. */
#ifndef SN_API_API_H
#define SN_API_API_H

#include "core/error.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pool.h"
#include "graph/runtime.h"
#include "model/model.h"
#include "seq/dataset.h"
#include "seqnet/seqnet.h"

struct seqnet_ctx {
    seqnet_ctx_options o;
    struct sn_sink sink;
    struct sn_pool *pool;
    struct sn_backend backend;
    struct sn_runtime rt; /* of the three above */
    struct sn_str describe;
    double wall, cpu; /* at creation */
};

struct seqnet_source {
    const struct seqnet_ctx *ctx;
    struct sn_dataset *d;
    char *bases; /* of the record asked for last */
    size_t cap;
};

/* A public model is the inner one under another name. */
static inline struct sn_model *sn_inner(const seqnet_model *m) {
    return (struct sn_model *)m;
}

/* References n models: a NULL-terminated array for the rooms below. release: drops them and the array; NULL is fine. */
int sn_inner_models(seqnet_model *const *models, int n, struct sn_model ***out);
void sn_release_models(struct sn_model **models);

/* Structs of callers may be older (shorter) or newer (longer) than ours; all begin with their size.
 * take: `full` holds the defaults and gets the caller's fields (NULL = none); a longer struct must have zeros in what we do not know. */
int sn_take_options(void *full, size_t n, const void *caller, const char *name);
/* give: copies what fits, zeroes the rest, and sets the size field to `size`. */
void sn_give(void *caller, size_t size, const void *full, size_t n);
/* For structs whose size field the caller has set; SEQNET_EINVAL when it has not. */
int sn_give_result(void *caller, const void *full, size_t n, const char *name);

/* Range checks of options; messages name the field, the range and the value. */
int sn_check_int(const char *field, int64_t v, int64_t min, int64_t max);
int sn_check_double(const char *field, double v, double min, double max);
/* NULL passes. words: NULL-terminated. */
int sn_check_word(const char *field, const char *v, const char *const *words);

/* Targets of a labelled set in the order of a model's tasks, by name: out (n, n_tasks), to be freed. Classes that the set does not have
 * stay empty; one task alone goes by any name. SEQNET_EDATA names what does not fit. */
int sn_fit_targets(const struct sn_dataset *d, int kind, int n_tasks, char *const *tasks, float **out);

#endif
