/* The inside of a plan and of a session, shared by the files of this room. */
#ifndef SN_GRAPH_PLAN_PARTS_H
#define SN_GRAPH_PLAN_PARTS_H

#include "graph/fusion.h"
#include "graph/plan.h"

/* Tensor memory of one value, gradient or cache: row_bytes a row. Times are stage numbers; inside one SAMPLE stage, item numbers. A local
 * buffer lives in the worker's own memory and holds only the rows of the tile. */
struct sn_buffer {
    size_t row_bytes;
    bool pairs;  /* rows are pairs */
    bool parts;  /* twice the channels of its node: the positive part's and the negative part's */
    bool pinned; /* read from outside: never local, alive from its first touch to the end */
    bool local;
    bool shared;                                        /* gradient of several nodes' outputs: not overwritten in place */
    int first_stage, last_stage, first_item, last_item; /* -1 first_stage: never touched */
    size_t offset;
};

struct sn_chain {
    const struct sn_fusion *fusion;
    int n, node[SN_CHAIN_MAX];
};

struct sn_place { /* per node; buffers are indices or -1 */
    bool visible; /* runs forward */
    bool needs;   /* its output's gradient is wanted */
    bool active;  /* takes part in the reverse sweep */
    bool alias;   /* shares its input's memory */
    int chain;    /* index or -1 */
    int linear;   /* attribute mode: SN_AFTER_*, what linear layers lie before its output, through everything that only scales and moves */
    int value, cache, scratch, grad_out, grad_in[SN_MAX_INPUTS];
    int split, diff; /* parts of the output's difference; of a SIGNED op's input's */
    int collapse;    /* multipliers in parts that become grad_out */
    struct sn_keep keep;
    struct sn_sizes sizes;
    size_t prepared, partial; /* offsets */
};

enum { SN_AFTER_DENSE = 1, SN_AFTER_CONV = 2 };

enum sn_item_kind {
    SN_ITEM_FORWARD,
    SN_ITEM_BACKWARD,
    SN_ITEM_ATTRIBUTE,
    SN_ITEM_WEIGHT,
    SN_ITEM_SUM,
    SN_ITEM_DIFF,    /* parts of the difference of a SIGNED op's input */
    SN_ITEM_SPLIT,   /* parts of the output's difference; run NULL: where they begin, from the value */
    SN_ITEM_COLLAPSE /* multipliers of two parts become one */
};
struct sn_item {
    enum sn_item_kind kind;
    int node, chain; /* chain -1 = the op's own pass */
    enum sn_split split;
    sn_pass_fn run;                  /* NULL for chains and what the graph does itself */
    int weight;                      /* WEIGHT */
    int64_t outputs;                 /* channels that a pass writes */
    int64_t block;                   /* by OUTPUT: so many of them per tile; WEIGHT: weight rows */
    bool at_once;                    /* WEIGHT by OUTPUT: the op sums the leaves */
    size_t partial;                  /* WEIGHT by REDUCE: offset of its partials */
    int n_edges, edge[SN_MAX_EDGES]; /* SUM: buffers added */
    int stage;
};

/* Consecutive items that run without a barrier: SAMPLE items tile by tile, WEIGHT items all tiles at once, or one other item. */
struct sn_stage {
    int first, n;
    enum sn_split split; /* SAMPLE, OUTPUT, REDUCE, ONCE; WEIGHT stages are NONE */
    int tile_rows;
    bool reverse;
    double work; /* multiply-adds a row */
};

struct sn_plan {
    struct sn_graph *graph;
    struct sn_backend *backend;
    struct sn_plan_options o;
    struct sn_place *place; /* (n_nodes) */
    struct sn_chain *chains;
    int n_chains;
    struct sn_item *items;
    size_t n_items, cap_items;
    struct sn_stage *stages;
    size_t n_stages, cap_stages;
    int n_forward; /* stages; stage number n_forward is the loss */
    struct sn_buffer *buffers;
    size_t n_buffers, cap_buffers;
    int head_grad[SN_MAX_HEADS]; /* buffers */
    /* arenas */
    size_t params_bytes, prepared_bytes, act_bytes, local_bytes, ws_bytes, weight_ws_bytes, partial_bytes, weight_partial_bytes;
    sn_real *params, *grads;
    bool grads_clear; /* all zero */
    bool borrowed;    /* params belong to the caller */
    char *prepared;
    sn_real *lut;
    uint8_t *sym;
};

struct sn_session {
    struct sn_plan *plan;
    struct sn_pool *pool;
    int workers;
    char *act, *partial, *weight_partial, *worker_mem; /* device */
    size_t worker_stride;
    /* batch in device memory, host copies of the lengths */
    uint8_t *codes;
    size_t codes_row;
    uint8_t *row_codes;                                        /* host, one row */
    void (*fill)(const void *filler, int row, uint8_t *codes); /* the next forward pass's first stage calls it; NULL: codes are there */
    const void *filler;
    int32_t *len, *pair_len;           /* (n_nodes, max_rows), (n_nodes, max_pairs) */
    int32_t *host_len, *host_pair_len; /* the same on the host */
    int32_t *row_len;                  /* scratch (n_nodes) */
    int64_t *ids, *host_ids;
    int32_t *row_x, *row_ref;
    sn_real *targets, *sample_w, *class_w, *loss;
    double *host_loss;
    int *bad;
    int n, n_pairs;
    int64_t step;
    bool ran;
};

struct sn_exec {
    struct sn_plan *plan;
    struct sn_session *s; /* NULL while preparing */
    int worker;
    int base_row; /* of the tile: row 0 of local buffers */
};

int sn_plan_rules(struct sn_plan *p); /* rules.c: attribute mode, sets rule and parts of every node; after visible nodes are known */
bool sn_rule_wants_parts(const struct sn_node *nd);  /* its inputs' differences in parts; it writes their multipliers so */
bool sn_rule_begins_parts(const struct sn_node *nd); /* it has parts, and they are max(d, 0) and min(d, 0) of its value */
/* Its parts and multipliers lie in its input's memory, which means the same. */
bool sn_rule_shares_parts(const struct sn_plan *p, const struct sn_node *nd);
int sn_plan_schedule(struct sn_plan *p); /* schedule.c: visible nodes, chains, items, stages */
int sn_plan_layout(struct sn_plan *p);   /* layout.c: buffers, lifetimes, offsets, sizes */
void sn_leaf_rows(int n, int leaves, int leaf, int *r0, int *r1);
void sn_tile_rows(int n, int tiles, int i, int *r0, int *r1);
int sn_tiles(int n, int tile_rows);
bool sn_place_has_value(const struct sn_plan *p, int node);
/* The chain that the node belongs to in the reverse pass; -1: none. */
int sn_reverse_chain(const struct sn_plan *p, int node);
/* The chain's nodes as its functions take them. */
void sn_chain_nodes(const struct sn_plan *p, int chain, const struct sn_node *nodes[SN_CHAIN_MAX]);

#endif
