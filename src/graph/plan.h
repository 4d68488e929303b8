/* A plan: a graph made ready for one mode, device, longest row and batch. It owns memory offsets, stages, fusions, the device copy of the
 * parameters and the prepared weights; it is shared by sessions. A session owns activations and belongs to one thread at a time. */
#ifndef SN_GRAPH_PLAN_H
#define SN_GRAPH_PLAN_H

#include "core/pool.h"
#include "graph/graph.h"

/* Where tensors live. The CPU backend is plain memory; a test backend keeps it PROT_NONE outside kernel calls. */
struct sn_backend {
    const char *name;
    struct sn_kernels kernels;
    int (*alloc)(struct sn_backend *b, size_t bytes, void **out); /* 64-byte aligned, zeroed */
    void (*release)(struct sn_backend *b, void *p, size_t bytes);
    void (*upload)(struct sn_backend *b, void *dst, const void *src, size_t n);
    void (*download)(struct sn_backend *b, void *dst, const void *src, size_t n);
    bool single_tile; /* a pass is one launch */
    bool host_memory; /* tensors are ordinary memory: immutable parameters need no copy */
    void *self;
};
/* provider "own" | "openblas" | "auto" (own where there are vector kernels). isa: enum sn_isa. */
int sn_backend_cpu(int isa, const char *provider, struct sn_backend *out);
void sn_backend_close(struct sn_backend *b);

/* How DeepLIFT passes scalar functions: Rescale, Reveal-Cancel, or (genomics) Reveal-Cancel after a dense layer and Rescale elsewhere. */
enum sn_rule { SN_RULE_RESCALE, SN_RULE_REVEAL_CANCEL, SN_RULE_GENOMICS };

struct sn_plan_options {
    enum sn_mode mode;
    int64_t max_len;     /* longest input row */
    int max_rows;        /* rows of a batch */
    int max_pairs;       /* attribute */
    int leaves;          /* train; 8 */
    bool var;            /* rows may be shorter than max_len */
    bool values;         /* encode is fed with floats, convolutions run dense */
    bool through_output; /* attribute: seeds are on the heads' outputs, not their logits (target probability) */
    enum sn_rule rule;   /* attribute */
    bool borrow;         /* train: where tensors are ordinary memory, steps change the parameters where the caller has them */
    bool fuse;           /* SEQNET_FUSE=0 turns fusions off whatever this says */
    bool keep_all;       /* infer: every layer's value stays for sn_session_value; turns fusions off */
    const uint8_t *sym;  /* (256) of the alphabet, see struct sn_codes */
    const sn_real *lut;  /* (256, channels) expansion of codes */
    uint64_t seed;       /* dropout */
    bool small_blocks;   /* for tests: weight gradients by as many blocks as there can be */
};
struct sn_plan;
/* `g` is copied; `backend` is borrowed. */
int sn_plan_create(const struct sn_graph *g, struct sn_backend *backend, const struct sn_plan_options *o, struct sn_plan **out);
void sn_plan_free(struct sn_plan *p);
const struct sn_graph *sn_plan_graph(const struct sn_plan *p);
/* Bytes of each arena, for `info --memory`. */
struct sn_plan_memory {
    size_t parameters, gradients, prepared, activations, workspace_per_worker, batch_io;
    int n_stages, n_fusions;
};
void sn_plan_memory(const struct sn_plan *p, struct sn_plan_memory *m);
/* Text of the plan: stages, fusions, buffers. Appends to `s` (struct sn_str). */
struct sn_str;
int sn_plan_describe(const struct sn_plan *p, struct sn_str *s);

/* Parameters, flat in the order of the graph. set uploads and prepares; outside training, and with the option borrow, a backend of host
 * memory borrows `params`, which must then outlive the plan's use. */
int sn_plan_set_params(struct sn_plan *p, const sn_real *params);
int sn_plan_get_params(const struct sn_plan *p, sn_real *params);
/* Device pointers for the optimizer (train plans). After a step call sn_plan_prepare. */
sn_real *sn_plan_params(struct sn_plan *p);
sn_real *sn_plan_grads(struct sn_plan *p);
void sn_plan_grads_cleared(struct sn_plan *p); /* says that they are all zero: the next reverse sweep need not clear them */
int sn_plan_prepare(struct sn_plan *p, struct sn_pool *pool);
struct sn_backend *sn_plan_backend(const struct sn_plan *p);

/* One batch of input. codes row-major with code_row bytes from row to row, or fill, which writes the codes of one row, as many as it is
 * long, and is called once for each row, by the worker that computes it; len NULL = all max_len. values: with plan option values. */
struct sn_batch {
    int n;
    const uint8_t *codes;
    int64_t code_row;
    void (*fill)(const void *filler, int row, uint8_t *codes);
    const void *filler;
    const sn_real *values; /* (n, max_len, channels) */
    const int32_t *len;
    const int64_t *ids; /* global sample ids, for dropout; NULL = 0.. */
};

struct sn_session;
/* pool NULL: the calling thread only. */
int sn_session_create(struct sn_plan *p, struct sn_pool *pool, struct sn_session **out);
void sn_session_free(struct sn_session *s);

/* Forward pass. step: dropout's step in training. */
int sn_session_forward(struct sn_session *s, const struct sn_batch *b, int64_t step);
/* Copies a head's logits (logits true) or output to out (n, T), row-major. Per-position outputs are not offered: heads are vectors. */
int sn_session_output(struct sn_session *s, int head, bool logits, sn_real *out);
/* Any node's value, for tests and motifs: (n, len, ch) with planned length; only when kept (train/attribute, option keep_all) or requested
 * as head. */
int sn_session_value(struct sn_session *s, int node, sn_real *out);

/* Loss of a head against targets (n,T) (NaN missing), adds to *loss the sum over leaves' tree; writes the logits' gradient when grad.
 * `denominator`: divides the sum (number of observed targets, of the global batch). */
struct sn_targets {
    const sn_real *t;  /* (n, T) */
    const sn_real *w;  /* (n) or NULL */
    const sn_real *cw; /* class weights, see struct sn_loss, or NULL */
    double denominator;
};
int sn_session_loss(struct sn_session *s, int head, const struct sn_targets *t, bool grad, double *loss);
/* Reverse sweep: parameter gradients are zeroed, then accumulated. Call after sn_session_loss of every head. */
int sn_session_backward(struct sn_session *s);
/* Gradient with respect to encode's output (n, max_len, channels) after a backward pass of a plan with option values. */
int sn_session_input_grad(struct sn_session *s, sn_real *out);

/* DeepLIFT: multipliers at encode's output for each pair (n_pairs, max_len, channels). Rows are those of the last forward pass.
 * seeds (n_pairs, T) on the head's logits. */
struct sn_attr {
    int n_pairs;
    const int32_t *row_x, *row_ref;
    int head;
    const sn_real *seeds;
};
int sn_session_attribute(struct sn_session *s, const struct sn_attr *a, sn_real *multipliers);
/* Name of the first node whose value of the last forward pass is not finite, or NULL. */
const char *sn_session_nonfinite(struct sn_session *s);

#endif
