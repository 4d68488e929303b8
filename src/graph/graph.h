/* A graph: ops wired to a checked DAG, with named inputs and heads. Immutable once checked. */
#ifndef SN_GRAPH_GRAPH_H
#define SN_GRAPH_GRAPH_H

#include "ops/op.h"

#define SN_MAX_HEADS 16

enum sn_target_kind { SN_TARGET_VALUE, SN_TARGET_PROFILE /* reserved */ };

struct sn_head {
    char name[SN_NAME_MAX];
    int node;   /* what predict prints (after the last activation) */
    int logits; /* node before the last sigmoid/softmax; equals node otherwise. Set by sn_graph_check */
    enum sn_target_kind kind;
    enum sn_loss_kind loss;
    double weight;
};

struct sn_graph {
    struct sn_node *nodes; /* topological order; node 0 is encode */
    int n_nodes;
    size_t cap;
    struct sn_head heads[SN_MAX_HEADS];
    int n_heads;
    int64_t n_params;  /* elements of all weights, in node order */
    int channels;      /* of the alphabet, output of encode */
    bool dense_input;  /* encode's output is fed with floats: nothing runs on the codes */
    int64_t min_len;   /* shortest input with every layer >= 1 position, derived */
    int64_t receptive; /* receptive field of the deepest position before a reduce/head/sequence node, derived */
};

int sn_graph_create(int channels, struct sn_graph **out); /* with its encode node, named "encode" */
void sn_graph_free(struct sn_graph *g);
int sn_graph_copy(const struct sn_graph *g, struct sn_graph **out);
/* Appends a node with default parameters; inputs are node ids. name NULL: OP, OP_1, ... Returns its id or an error. */
int sn_graph_add(struct sn_graph *g, const struct sn_op *op, const char *name, const int *inputs, int n_inputs);
int sn_graph_find(const struct sn_graph *g, const char *name); /* id or -1 */
int sn_graph_add_head(struct sn_graph *g, const char *name, int node, enum sn_loss_kind loss, double weight);
/* Sets every SN_TASKS parameter of the layers that feed `head` to n. */
void sn_graph_bind_tasks(struct sn_graph *g, int n);
/* Infers all shapes for inputs of `len` positions (var: rows may be shorter), lays out the weights, finds logits, min_len and receptive
 * field. Errors name the layer and its line. May be called again with another length; weights must come out the same. */
int sn_graph_check(struct sn_graph *g, int64_t len, bool var);
/* Output length of every node (n_nodes) for an input row of `len`; error naming the layer that the row is too short for. */
int sn_graph_lengths(const struct sn_graph *g, int64_t len, int32_t *out);
int64_t sn_weight_count(const struct sn_weight *w);

#endif
