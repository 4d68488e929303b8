/* The op table: one row per operation, one file per row. An op knows its shapes, what its passes keep, how they split, and calls kernel
 * slots; it never touches tensor memory itself. To add one: write src/ops/<name>.c and add a line to op_table.c. */
#ifndef SN_OPS_OP_H
#define SN_OPS_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels.h"

#define SN_MAX_INPUTS 8
#define SN_MAX_WEIGHTS 8
#define SN_MAX_PARAMS 12
#define SN_NAME_MAX 64

enum sn_mode { SN_INFER, SN_TRAIN, SN_ATTRIBUTE };

/* A tensor per row: (len, ch). seq false: a vector of ch values (len is 1). `var`: len follows the row's own length. */
struct sn_shape {
    int64_t len;
    int64_t ch;
    bool seq, var;
};

/* ---- parameters of an op in the architecture text ------------------------------------------------------------------------------ */

enum sn_param_type { SN_P_INT, SN_P_FLOAT, SN_P_BOOL, SN_P_ENUM, SN_P_REG };
struct sn_param_desc {
    const char *name;
    enum sn_param_type type;
    bool required;
    double def, min, max;       /* numbers; ENUM: def is the index; BOOL: 0 or 1. def NAN on an INT: see the op */
    const char *const *choices; /* ENUM, NULL-terminated */
    bool tasks;                 /* INT: the word `tasks` is allowed, as many as the data has labels (stored as SN_TASKS) */
    const char *help;
};
#define SN_TASKS (-1)
struct sn_param_value {
    int64_t i;     /* INT, BOOL, ENUM; SN_TASKS before it is bound */
    double f;      /* FLOAT */
    double l1, l2; /* REG */
    bool set;      /* given in the text */
};

/* ---- weights ----------------------------------------------------------------------------------------------------------------------- */

enum sn_init { SN_INIT_ZEROS, SN_INIT_ONES, SN_INIT_GLOROT_UNIFORM, SN_INIT_ORTHOGONAL, SN_INIT_LSTM_BIAS /* forget gate 1 */ };
struct sn_weight {
    const char *name; /* "kernel": the tensor is called NODE/kernel */
    int rank;
    int64_t shape[3];
    enum sn_init init;
    int64_t fan_in, fan_out; /* Keras' rule */
    bool trainable;
    bool regularize; /* kernel_regularizer applies */
    int64_t block;   /* OUTPUT split: rows (of shape[0..rank-2] flattened) per block, 0 = never splits */
    int runs;        /* equal runs of rows; a block has rows [o0,o1) of each run, run after run */
    bool at_once;    /* weight_grad sums the leaves itself: called once per block with all rows of the batch and leaf -1 */
};

/* How DeepLIFT passes a node. NONE: an error that names the layer. Of an op, RESCALE: a scalar function, which the plan may pass by
 * REVEAL_CANCEL instead. COLLAPSE: multipliers of two parts become one, then Rescale. */
enum sn_attr_rule { SN_ATTR_NONE, SN_ATTR_LINEAR, SN_ATTR_RESCALE, SN_ATTR_REVEAL_CANCEL, SN_ATTR_COLLAPSE };

struct sn_op;
struct sn_node {
    char name[SN_NAME_MAX];
    const struct sn_op *op;
    int id; /* index in the graph */
    int n_inputs;
    int inputs[SN_MAX_INPUTS]; /* node ids, all smaller than id */
    struct sn_param_value p[SN_MAX_PARAMS];
    int line; /* in the architecture text, 0 = none */
    /* derived by sn_graph_check */
    struct sn_shape in[SN_MAX_INPUTS], out;
    int n_weights;
    struct sn_weight weights[SN_MAX_WEIGHTS];
    int64_t weight_offset[SN_MAX_WEIGHTS]; /* elements, in the model's flat parameter array */
    bool on_codes;                         /* reads encode directly: a convolution that runs on the codes */
    enum sn_attr_rule rule;                /* attribute mode: what the plan chose */
    bool parts;                            /* attribute mode: differences of its output, and their multipliers, come in two parts */
};

/* ---- passes ------------------------------------------------------------------------------------------------------------------------ */

enum sn_split { SN_SPLIT_NONE, SN_SPLIT_SAMPLE, SN_SPLIT_OUTPUT, SN_SPLIT_REDUCE, SN_SPLIT_ONCE };
/* SAMPLE: rows [r0,r1). OUTPUT: all rows, outputs [o0,o1). REDUCE: rows of leaf `leaf` (-1: all leaves). ONCE: one call after a REDUCE.
 * [o0,o1): all outputs where a pass is not split by them; of a reverse pass, channels of the input's gradient. */
struct sn_tile {
    int r0, r1;
    int64_t o0, o1;
    int leaf;
    int worker;
};

struct sn_exec;
typedef int (*sn_pass_fn)(struct sn_exec *x, const struct sn_node *nd, const struct sn_tile *t);
struct sn_phase {
    enum sn_split split;
    sn_pass_fn run;
};
#define SN_MAX_PHASES 3

/* What the reverse pass of a mode reads of the forward pass; per row, sizes in bytes for rows of the planned length. */
struct sn_keep {
    bool inputs;    /* all input values */
    bool output;    /* the output value */
    size_t cache;   /* private, written forward, alive until the node's reverse pass has ended */
    bool reverse;   /* the node's reverse pass makes what its weight gradients read: it runs even where no input needs a gradient */
    size_t scratch; /* private, alive during the node's reverse pass only (between its phases) */
};
/* Bytes that do not depend on rows: prepared weights (shared by sessions), workspace per worker (max over passes), and `partial`: bytes per
 * leaf of a REDUCE phase that is not a weight gradient (batch statistics); kept until the node's reverse pass has ended. */
struct sn_sizes {
    size_t prepared, workspace, partial;
};

/* How a scan can share work between windows (DESIGN 16). */
enum sn_geometry_kind { SN_GEO_POINTWISE, SN_GEO_WINDOW, SN_GEO_MERGE, SN_GEO_REDUCE, SN_GEO_HEAD, SN_GEO_SEQUENCE };
struct sn_geometry {
    enum sn_geometry_kind kind;
    int size, stride, dilation, pad_left, pad_right;
};

#define SN_OP_ACTIVATION 1u /* takes `activation:` (expanded to a node of its own) */
#define SN_OP_INPLACE 2u    /* forward may write over its input 0, reverse over its output gradient */
#define SN_OP_STOCHASTIC 4u /* identity outside training */
#define SN_OP_NO_ROW 8u     /* its phases need the whole batch (batch statistics) */
#define SN_OP_IS_ACT 16u    /* is an activation: a word that `activation:` takes */
#define SN_OP_LOGIT 32u     /* an activation whose input is the head's logits when it ends a head (sigmoid, softmax) */
#define SN_OP_ALIAS 64u     /* the output is the input's memory, seen with another shape or not at all */
#define SN_OP_CODES 128u    /* runs on the codes when it reads encode */
#define SN_OP_FIXED 256u    /* needs rows of one length */
#define SN_OP_SPREADS 512u  /* every input's gradient is the output's, which may stand for them: reverse finds them equal, does nothing */
#define SN_OP_SIGNED 1024u  /* the signs of its weights part the output's difference: split reads the parts of the input's own */

struct sn_op {
    const char *name;
    const char *help; /* one line: formula and shapes */
    unsigned flags;
    int min_inputs, max_inputs;
    const struct sn_param_desc *params; /* ends with name NULL; NULL = none */

    /* Shape rule: from nd->in to nd->out; also fills nd->weights. Error: sn_error(SEQNET_ESHAPE, ...) without the layer's name, which the
     * caller adds. `len` of variable rows is the longest planned one. */
    int (*shape)(struct sn_node *nd);
    /* Length of an output row from the length of an input row (<= 0: too short). NULL: equal; vectors: 1. */
    int64_t (*out_len)(const struct sn_node *nd, int64_t in_len);
    void (*keep)(const struct sn_node *nd, enum sn_mode mode, struct sn_keep *k); /* NULL: nothing */
    void (*sizes)(const struct sn_node *nd, enum sn_mode mode, const struct sn_kernels *k, int tile_rows, struct sn_sizes *s); /* NULL: 0 */
    int (*prepare)(struct sn_exec *x, const struct sn_node *nd, void *dst); /* NULL: nothing */
    double (*work)(const struct sn_node *nd); /* multiply-adds per row, forward; NULL: elements of the output */

    /* NULL: no. When true, forward, backward and attribute passes marked SAMPLE run by blocks of what they write (outputs; channels of the
     * input's gradient) instead of rows: large weights, each read once. */
    bool (*split_outputs)(const struct sn_node *nd);
    struct sn_phase forward[SN_MAX_PHASES];  /* infer and attribute use the phases that are SAMPLE or OUTPUT only */
    struct sn_phase backward[SN_MAX_PHASES]; /* data gradients (assign) */
    /* Weight gradient of weight w, rows [t->r0,t->r1) of the batch, weight rows [t->o0,t->o1), added to dst (weight row o0 first). */
    int (*weight_grad)(struct sn_exec *x, const struct sn_node *nd, int w, const struct sn_tile *t, sn_real *dst);

    enum sn_attr_rule rule;
    sn_pass_fn attribute; /* rows of the tile are pairs; LINEAR ops may share their backward function */
    /* Parts of the output's differences from those of the inputs'; rows are pairs. Only where nd->parts. NULL: of an alias, the same. */
    sn_pass_fn split;
    struct sn_geometry (*geometry)(const struct sn_node *nd);
};

extern const struct sn_op *const sn_op_table[]; /* NULL-terminated */
const struct sn_op *sn_op_find(const char *name);
int sn_op_param_index(const struct sn_op *op, const char *name); /* -1 = none */

/* ---- what a pass may ask of the executor (implemented by the graph room); pointers are for kernel slots only --------------------------
 */

const struct sn_kernels *sn_x_kernels(const struct sn_exec *x);
enum sn_mode sn_x_mode(const struct sn_exec *x);
/* Values, from row r0 on. In attribute mode always addressed by kept rows. */
struct sn_t3 sn_x_in(const struct sn_exec *x, const struct sn_node *nd, int i, int r0);
struct sn_t3 sn_x_out(const struct sn_exec *x, const struct sn_node *nd, int r0);
/* Gradients or multipliers, from row (or pair) r0 on. grad_in has p == NULL when that input needs none. Multipliers of two parts have twice
 * the channels, at each position those of the positive part first. */
struct sn_t3 sn_x_grad_in(const struct sn_exec *x, const struct sn_node *nd, int i, int r0);
struct sn_t3 sn_x_grad_out(const struct sn_exec *x, const struct sn_node *nd, int r0);
/* Host copies of the lengths of those rows: of input i's values, of the output's values, and of gradient rows (pairs when attributing). */
const int32_t *sn_x_in_len(const struct sn_exec *x, const struct sn_node *nd, int i, int r0);
const int32_t *sn_x_out_len(const struct sn_exec *x, const struct sn_node *nd, int r0);
const int32_t *sn_x_grad_in_len(const struct sn_exec *x, const struct sn_node *nd, int i, int r0);
const int32_t *sn_x_grad_out_len(const struct sn_exec *x, const struct sn_node *nd, int r0);
struct sn_pairs sn_x_pairs(const struct sn_exec *x, int p0, int p1);
/* Differences in two parts, twice the channels, from pair p0 on: of input i, of the output, and, of a SIGNED op, max(d, 0) and min(d, 0) of
 * its input's. */
struct sn_t3 sn_x_split_in(const struct sn_exec *x, const struct sn_node *nd, int i, int p0);
struct sn_t3 sn_x_split_out(const struct sn_exec *x, const struct sn_node *nd, int p0);
struct sn_t3 sn_x_diff(const struct sn_exec *x, const struct sn_node *nd, int p0);
const sn_real *sn_x_weight(const struct sn_exec *x, const struct sn_node *nd, int w);
sn_real *sn_x_weight_rw(struct sn_exec *x, const struct sn_node *nd, int w); /* moving statistics only */
void *sn_x_prepared(const struct sn_exec *x, const struct sn_node *nd);
/* Private cache and scratch of the node; row stride in bytes is keep.cache / keep.scratch rounded up to SN_ALIGN, returned in *row. */
void *sn_x_cache(const struct sn_exec *x, const struct sn_node *nd, int r0, int64_t *row);
void *sn_x_scratch(const struct sn_exec *x, const struct sn_node *nd, int r0, int64_t *row);
void *sn_x_partial(const struct sn_exec *x, const struct sn_node *nd, int leaf);
void *sn_x_ws(const struct sn_exec *x, int worker);
struct sn_codes sn_x_codes(const struct sn_exec *x, int r0, int n);
const int64_t *sn_x_ids(const struct sn_exec *x, int r0);
uint64_t sn_x_seed(const struct sn_exec *x);
int64_t sn_x_step(const struct sn_exec *x);
int sn_x_leaves(const struct sn_exec *x);

#endif
