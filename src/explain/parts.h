/* What the files of this room share. Methods: by pairs (DeepLIFT, and gradients as pairs of a sequence with itself), along a path
 * (integrated gradients), by mutants (in-silico mutagenesis). A worker takes jobs of a few sequences; sums are in double, references in
 * order, models in order, so that results do not depend on how the work was cut. */
#ifndef SN_EXPLAIN_PARTS_H
#define SN_EXPLAIN_PARTS_H

#include "core/file.h"
#include "explain/explain.h"

enum sn_method { SN_METHOD_DEEPLIFT, SN_METHOD_INPUT_X_GRADIENT, SN_METHOD_SALIENCY, SN_METHOD_PATH, SN_METHOD_ISM };
enum sn_reference_kind { SN_REF_DINUCLEOTIDE, SN_REF_ZERO, SN_REF_UNIFORM, SN_REF_FILE, SN_REF_NONE };

/* An explained task. Logits of all heads stand side by side, `width` of the explainer; those of the task's head from `first` on. */
struct sn_explain_task {
    const char *name; /* of the model */
    int head, first, width;
    int task; /* within the head */
};

struct sn_mutants;
struct sn_cones;
/* One worker's memory; sessions are made when the worker first has work. */
struct sn_explain_worker {
    struct sn_session **sessions; /* (n_models) */
    uint8_t *codes;               /* (max_rows + 1, max_len) */
    int32_t *len;                 /* (max_rows) */
    sn_real *values;              /* path: (max_rows, max_len, channels) */
    sn_real *logits;              /* (max_rows, width) of one head */
    double *strand_logits;        /* (kept_models, max_rows, width) in the units that predict prints before its last activation */
    int32_t *row_x, *row_ref;     /* (max_pairs) */
    sn_real *seeds;               /* (max_pairs, width) */
    sn_real *mult;                /* (kept_models, max_pairs, max_len, channels) */
    double *zx;                   /* (max_x, width) mean over models of the combined logits */
    double *zr;                   /* (max_x, n_refs, width); path: (max_refs, width) */
    double *hyp;                  /* (n_tasks, max_x, max_len, channels) sums over references and models */
    double *act;                  /* (n_tasks, max_x, max_len) */
    double *part;                 /* path: (n_tasks, max_len, channels) of one reference */
    double *weights;              /* (width) */
    struct sn_mutants *mutants;   /* ism */
};

struct sn_explainer {
    struct sn_runtime rt;
    struct sn_model **models;
    int n_models;
    const struct sn_alphabet *alphabet;
    int channels;
    int complement[32]; /* channel of the complementary letter */
    uint8_t letter[32]; /* code of each channel's letter */
    enum sn_method method;
    enum sn_reference_kind kind;
    int n_refs;         /* 1 where there are none */
    uint8_t *ref_codes; /* SN_REF_FILE: (n_refs, ref_len) */
    int64_t ref_len;
    uint8_t mean_code; /* expands to the same number on each channel */
    char *references, *command;
    struct sn_str options; /* those that decide the numbers, as text */
    uint64_t seed;
    struct sn_explain_task *tasks; /* (n_tasks) explained */
    int n_tasks;
    int width;               /* logits of all heads */
    enum sn_loss_kind *loss; /* (width) */
    bool probability;        /* explain the output, not the logit */
    bool resume;
    int first_steps, most_steps; /* of a path: 64 and 1024 */
    enum sn_rule rule;
    size_t budget, held; /* bytes: of all, 0 = any; of what does not belong to the workers */
    /* the plans, made for a longest sequence */
    int64_t max_len;     /* 0 = none yet */
    int max_x, max_refs; /* sequences and references (path: points) of a chunk */
    int max_rows, max_pairs;
    int kept_models;         /* models whose multipliers are held at a time */
    struct sn_plan **plans;  /* (n_models); ism: those that keep all activations */
    struct sn_cones **cones; /* ism: (n_models) */
    int n_workers, busy;     /* as many as have memory */
    struct sn_explain_worker *workers;
    seqnet_explain_result result;
};

static inline bool sn_explain_strands(const struct sn_model *m) {
    return m->arch->strand != SN_STRAND_FORWARD;
}
/* 2 when any model combines both strands. */
int sn_explain_most_strands(const struct sn_explainer *e);
/* References that do not depend on the sequence are run once for all sequences of a chunk. */
static inline bool sn_explain_shared(const struct sn_explainer *e) {
    return e->kind != SN_REF_DINUCLEOTIDE && e->kind != SN_REF_NONE;
}
/* A gradient: a sequence is its own reference. */
static inline bool sn_explain_self(const struct sn_explainer *e) {
    return e->method == SN_METHOD_INPUT_X_GRADIENT || e->method == SN_METHOD_SALIENCY;
}
/* Contributions sum to the difference from the references. */
static inline bool sn_explain_sums(const struct sn_explainer *e) {
    return e->method == SN_METHOD_DEEPLIFT || e->method == SN_METHOD_PATH;
}
const char *sn_explain_label(const struct sn_model *m);
const char *sn_explain_method(const struct sn_explainer *e); /* the option's word */

/* ---- planning: plans and workers for sequences of up to max_len; keeps what is there when it is long enough ---- */
int sn_explain_plan(struct sn_explainer *e, int64_t max_len);
void sn_explain_unplan(struct sn_explainer *e);
/* Bytes that a worker may take. */
size_t sn_explain_share(const struct sn_explainer *e);
/* The worker's session of a model, made now if need be. */
int sn_explain_session(struct sn_explainer *e, int worker, int model, struct sn_session **out);
/* The worker's scratch memory, made now if need be. */
int sn_explain_scratch(struct sn_explainer *e, struct sn_explain_worker *w);
/* Logits of all heads of the last forward pass: out (rows, width) in units of predict. An error names what is not finite. */
int sn_explain_logits(const struct sn_explainer *e, struct sn_explain_worker *w, int model, struct sn_session *s, int rows, double *out);

/* ---- running ---- */
struct sn_explain_run {
    struct sn_explainer *e;
    const uint8_t *codes;
    int64_t code_row;
    const int32_t *len;
    const int64_t *index;
    float *hypothetical, *actual; /* (n, n_tasks, code_row, channels) */
    seqnet_explanation *out;      /* (n, n_tasks) */
    int *first;                   /* (n_jobs + 1) job j: sequences [first[j], first[j+1]) */
    int n_jobs;
};
/* Positions of the row that sequence i is shown in; the sequence stands in its middle. */
int64_t sn_explain_row_len(const struct sn_explain_run *run, int i);
/* Writes sequence i as a row and returns where it begins. */
int64_t sn_explain_load(const struct sn_explain_run *run, int i, uint8_t *row);
/* Contributions of a task: hyp (row, channels), act (row), times scale. */
void sn_explain_give(const struct sn_explain_run *run, int i, int task, const double *hyp, const double *act, double scale);
/* The same from scores of every letter, of which the mean is taken off: gradients and mutants. */
void sn_explain_give_centred(const struct sn_explain_run *run, int i, int task, const double *score, double scale);
/* Output, expected value and residual of a method that sums to their difference. */
void sn_explain_sum(const struct sn_explain_run *run, int i, int task, double output, double expected, const double *act, double scale);
/* Adds n explanations (all tasks of a sequence one after the other) to the result. */
void sn_explain_count(struct sn_explainer *e, const seqnet_explanation *out, int n);
/* Sequences [x0, x0 + nx). */
int sn_pairs_run(const struct sn_explain_run *run, int x0, int nx, int worker);
int sn_path_run(const struct sn_explain_run *run, int x, int worker);

/* ---- in-silico mutagenesis ---- */
int sn_mutants_plan(struct sn_explainer *e, int64_t max_len);
size_t sn_mutants_bytes(const struct sn_explainer *e, int64_t max_len); /* of a worker, sessions included */
void sn_mutants_unplan(struct sn_explainer *e);
int sn_mutants_run(const struct sn_explain_run *run, int x, int worker);
void sn_mutants_free(struct sn_explainer *e, struct sn_mutants *m);

/* ---- rules: words of enum sn_rule, NULL-terminated ---- */
extern const char *const sn_rule_words[];

/* ---- references ---- */
int sn_references_choose(struct sn_explainer *e, const char *references, int n);
/* A sequence in a row: codes [left, left + len) of a row of row_len, the rest outside. */
struct sn_explain_row {
    const uint8_t *codes; /* the row */
    int64_t row_len, left, len;
};
/* Writes reference r of the sequence with this index as a row. Returns 1 when shuffling cannot change the sequence. */
int sn_references_row(const struct sn_explainer *e, const struct sn_explain_row *row, int64_t index, int r, uint8_t *out);
/* The reference depends on the sequence although it is of a shared kind: positions outside stay outside. */
bool sn_references_special(const struct sn_explainer *e, const uint8_t *codes, int64_t len);

/* ---- targets: logits are those of all heads, in double ---- */
/* Logits of one model, both strands combined and in the units of predict: added to z. */
void sn_target_add(const struct sn_explainer *e, const struct sn_model *m, const double *fwd, const double *rev, double *z);
/* The explained value of mean logits. */
double sn_target_value(const struct sn_explainer *e, const struct sn_explain_task *t, const double *z);
/* Multipliers of the mean logits between z and z0: sum over u (z - z0) is the difference in value. u (width of the head). */
void sn_target_weights(const struct sn_explainer *e, const struct sn_explain_task *t, const double *z, const double *z0, double *u);
/* Weights on the mean logits -> seeds on one model's logits of each strand (width of the head). x, r: its logits by strand (rev NULL: one
 * strand). */
void sn_target_seeds(const struct sn_explainer *e, const struct sn_explain_task *t, const struct sn_model *m, const double *u,
                     const double *const x[2], const double *const r[2], sn_real *fwd, sn_real *rev);
/* Logits as the model gives them -> units of predict (regression targets that were standardised). */
double sn_target_units(const struct sn_explainer *e, const struct sn_model *m, int output, sn_real logit);

/* ---- the folder ---- */
struct sn_npz;
/* An array file with one member arr_0: (n, channels, length) float32, filled sequence by sequence. */
int sn_npz_open(const char *path, int64_t n, int64_t channels, int64_t length, struct sn_npz **out);
/* v: (len, channels) row-major, len <= length; the rest becomes 0. */
int sn_npz_add(struct sn_npz *z, const float *v, int64_t len);
/* SEQNET_EINTERNAL unless n sequences were added. Frees z in every case. */
int sn_npz_commit(struct sn_npz *z);
void sn_npz_abort(struct sn_npz *z); /* NULL is fine */

/* contributions.bedgraph: per base, means where intervals overlap. fetch: writes the contributions of a sequence's bases. */
typedef int (*sn_track_fetch)(void *self, int64_t i, float *c);
int sn_track_write(const struct sn_dataset *d, sn_track_fetch fetch, void *self, struct sn_outfile *f);

#endif
