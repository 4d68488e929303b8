/* Attribution by five methods, averaged over strands and models: what is explained is what is predicted. */
#ifndef SN_EXPLAIN_EXPLAIN_H
#define SN_EXPLAIN_EXPLAIN_H

#include "graph/runtime.h"
#include "model/model.h"
#include "seq/dataset.h"
#include "seqnet/explain.h"

struct sn_explainer;
int sn_explainer_create(const struct sn_runtime *rt, struct sn_model *const *models, int n_models, const seqnet_explain_options *o,
                        struct sn_explainer **out);
void sn_explainer_free(struct sn_explainer *e);
/* n sequences of codes (rows of code_row bytes, lengths len), indices index[i] decide the shuffles. hypothetical, actual: (n, tasks,
 * code_row, channels), NULL allowed; out: (n, tasks). Work is spread over the runtime's workers; results do not depend on n or their
 * number. */
int sn_explainer_run(struct sn_explainer *e, int n, const uint8_t *codes, int64_t code_row, const int32_t *len, const int64_t *index,
                     float *hypothetical, float *actual, seqnet_explanation *out);
int sn_explainer_tasks(const struct sn_explainer *e); /* how many are explained */
/* "TASK logit" or "TASK probability": what is explained. */
int sn_explainer_target(const struct sn_explainer *e, int task, struct sn_str *out);

/* Of the memory that is allowed, what a data set that was explained leaves for the rest; 0: any. */
size_t sn_explainer_left(const struct sn_explainer *e);

/* What a data set came to, for pictures; contributions are in the folder's arrays. */
struct sn_explained_task {
    char *folder;             /* of the task's files */
    float *output, *expected; /* (n); expected is NaN where a method has no references */
    float *residual;          /* (n) likewise */
};
#define SN_TASK_WORD 60 /* most of a task's name in that of its folder */
struct sn_explained {
    struct sn_explained_task *tasks;
    int n_tasks;
};
void sn_explained_free(struct sn_explained *x);
/* Explains a data set into a folder (made when missing): arrays one_hot.npz, hypothetical.npz, contributions.npz, tables contributions.tsv,
 * sequences.tsv, run.tsv, and contributions.bedgraph when there are coordinates; each complete or not at all. Of several tasks each has a
 * folder of its own within. Finished sequences are kept in explain.work while it runs; it stays when the run ends early. *out is to be
 * freed; it is empty when the run failed. */
/* Removes a task's files of an earlier run from a folder. */
void sn_explained_remove(const char *folder);
int sn_explainer_folder(struct sn_explainer *e, const struct sn_dataset *d, const char *folder, struct sn_explained *out);

/* An array of such a folder, row by row; the file is mapped. */
struct sn_npz_rows;
int sn_npz_rows_open(const char *path, struct sn_npz_rows **out);
void sn_npz_rows_shape(const struct sn_npz_rows *z, int64_t *n, int64_t *channels, int64_t *length);
/* Row i as (length, channels). */
int sn_npz_row(struct sn_npz_rows *z, int64_t i, float *out);
void sn_npz_rows_close(struct sn_npz_rows *z);

/* The first convolution as counts: every window of the input (both strands when the model combines them) that activates a filter above half
 * of its maximum over all windows is a site of that filter. */
struct sn_filter {
    char *name; /* LAYER_NUMBER; of an ensemble modelN_LAYER_NUMBER */
    int size;
    int64_t sites;
    float max;       /* largest activation, before the activation function */
    int64_t *counts; /* (size, channels) letters of the sites */
};
struct sn_filters { /* {0} is a valid empty one */
    struct sn_filter *v;
    int n;
    size_t cap;
    int silent;    /* filters that never activate, left out */
    int layers;    /* convolutions that read the sequence; 0: none */
    int64_t every; /* of large sets each every-th sequence was used */
};
int sn_explainer_filters(struct sn_explainer *e, const struct sn_dataset *d, struct sn_filters *out);
void sn_filters_free(struct sn_filters *f);
void sn_explainer_result(const struct sn_explainer *e, seqnet_explain_result *out);

#endif
