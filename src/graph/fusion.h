/* Fusions: chains of ops that one kernel runs. They belong to the plan and the backend; the op table does not know them. A fusion may not
 * change a bit of the result. */
#ifndef SN_GRAPH_FUSION_H
#define SN_GRAPH_FUSION_H

#include "ops/op.h"

#define SN_CHAIN_MAX 4
#define SN_MAX_EDGES 64 /* readers of one node */

struct sn_fusion {
    const char *name;
    const char *ops[SN_CHAIN_MAX]; /* names in order, the rest NULL */
    bool modes[3];                 /* by enum sn_mode */
    bool forward_only;             /* the reverse pass goes node by node; keep is the nodes' own */
    bool (*match)(const struct sn_node *const *nodes);
    /* As in the op row, for the chain; cache and scratch hang on the last node. */
    void (*keep)(const struct sn_node *const *nodes, enum sn_mode mode, struct sn_keep *k);
    void (*sizes)(const struct sn_node *const *nodes, enum sn_mode mode, const struct sn_kernels *k, struct sn_sizes *s);
    int (*forward)(struct sn_exec *x, const struct sn_node *const *nodes, const struct sn_tile *t);
    /* Multipliers of the chain's input from those of its output. */
    int (*attribute)(struct sn_exec *x, const struct sn_node *const *nodes, const struct sn_tile *t);
    /* Weight w of the chain's first node, from the last node's output gradient. */
    int (*weight_grad)(struct sn_exec *x, const struct sn_node *const *nodes, int w, const struct sn_tile *t, sn_real *dst);
};

/* Longest first, NULL-terminated. */
extern const struct sn_fusion *const sn_fusions_cpu[];

#endif
