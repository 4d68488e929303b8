/* What the files of this room share. A worker takes jobs of a few sequences, runs them with a chunk of their references through its session
 * of each model, asks for the multipliers of all pairs, and adds up contributions in double, references in order, models in order. */
#ifndef SN_EXPLAIN_PARTS_H
#define SN_EXPLAIN_PARTS_H

#include "core/file.h"
#include "explain/explain.h"

enum sn_reference_kind { SN_REF_DINUCLEOTIDE, SN_REF_ZERO, SN_REF_UNIFORM, SN_REF_FILE };

/* One worker's memory; sessions are made when the worker first has work. */
struct sn_explain_worker {
    struct sn_session **sessions; /* (n_models) */
    uint8_t *codes;               /* (max_rows, max_len) */
    int32_t *len;                 /* (max_rows) */
    sn_real *logits;              /* (max_rows, width) of one model */
    double *strand_logits;        /* (max_rows, width) the same in the units that predict prints before its last activation */
    int32_t *row_x, *row_ref;     /* (max_pairs) */
    sn_real *seeds;               /* (max_pairs, width) */
    sn_real *mult;                /* (max_pairs, max_len, channels) */
    double *zx;                   /* (max_x, width) mean over models of the combined logits */
    double *zr;                   /* (max_x, n_refs, width) */
    double *hyp;                  /* (max_x, max_len, channels) sums over references and models */
    double *act;                  /* (max_x, max_len) */
};

struct sn_explainer {
    struct sn_runtime rt;
    struct sn_model **models;
    int n_models;
    const struct sn_alphabet *alphabet;
    int channels;
    int complement[32]; /* channel of the complementary letter */
    enum sn_reference_kind kind;
    int n_refs;
    uint8_t *ref_codes; /* SN_REF_FILE: (n_refs, ref_len) */
    int64_t ref_len;
    uint8_t mean_code; /* expands to the same number on each channel */
    char *references, *command;
    uint64_t seed;
    int head, first_task, width; /* the explained head: its tasks are [first_task, first_task + width) */
    int task;                    /* within the head */
    bool probability;            /* explain the output, not the logit */
    enum sn_rule rule;
    size_t max_memory;
    /* the plans, made for a longest sequence */
    int64_t max_len;     /* 0 = none yet */
    int max_x, max_refs; /* sequences and references of a chunk */
    int max_rows, max_pairs;
    struct sn_plan **plans; /* (n_models) */
    int n_workers;
    struct sn_explain_worker *workers;
    seqnet_explain_result result;
};

static inline const struct sn_head *sn_explain_head(const struct sn_explainer *e) {
    return &e->models[0]->arch->graph->heads[e->head];
}
static inline bool sn_explain_strands(const struct sn_model *m) {
    return m->arch->strand != SN_STRAND_FORWARD;
}
/* References that do not depend on the sequence are run once for all sequences of a chunk. */
static inline bool sn_explain_shared(const struct sn_explainer *e) {
    return e->kind != SN_REF_DINUCLEOTIDE;
}
const char *sn_explain_label(const struct sn_model *m);

/* ---- planning: plans and workers for sequences of up to max_len; keeps what is there when it is long enough ---- */
int sn_explain_plan(struct sn_explainer *e, int64_t max_len);
void sn_explain_unplan(struct sn_explainer *e);
/* The worker's session of a model, made now if need be. */
int sn_explain_session(struct sn_explainer *e, int worker, int model, struct sn_session **out);

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

/* ---- targets: all functions work on the `width` logits of the head, in double ---- */
/* Logits of one model, both strands combined and in the units of predict: added to z. */
void sn_target_add(const struct sn_explainer *e, const struct sn_model *m, const double *fwd, const double *rev, double *z);
/* The explained value of mean logits. */
double sn_target_value(const struct sn_explainer *e, const double *z);
/* Multipliers of the mean logits between z and z0: sum over u (z - z0) is the difference in value. u (width). */
void sn_target_weights(const struct sn_explainer *e, const double *z, const double *z0, double *u);
/* Weights on the mean logits -> seeds on one model's logits of each strand. x, r: its logits [strand][width] (rev NULL: one strand). */
void sn_target_seeds(const struct sn_explainer *e, const struct sn_model *m, const double *u, const double *const x[2],
                     const double *const r[2], sn_real *fwd, sn_real *rev);
/* Logits as the model gives them -> units of predict (regression targets that were standardised), in place. */
void sn_target_units(const struct sn_explainer *e, const struct sn_model *m, const sn_real *logits, double *out);

/* ---- the folder ---- */
struct sn_npz;
/* An array file with one member arr_0: (n, channels, length) float32, filled sequence by sequence. */
int sn_npz_open(const char *path, int64_t n, int64_t channels, int64_t length, struct sn_npz **out);
/* v: (len, channels) row-major, len <= length; the rest becomes 0. */
int sn_npz_add(struct sn_npz *z, const float *v, int64_t len);
/* SEQNET_EINTERNAL unless n sequences were added. Frees z in every case. */
int sn_npz_commit(struct sn_npz *z);
void sn_npz_abort(struct sn_npz *z); /* NULL is fine */

/* contributions.bedgraph: per base, means where intervals overlap. c: contributions of all bases of the set. */
int sn_track_write(const struct sn_dataset *d, const float *c, struct sn_outfile *f);

#endif
