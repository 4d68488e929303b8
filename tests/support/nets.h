/* Small nets that together use every op: the material of gradient, attribution and bit tests. */
#ifndef SN_TESTS_NETS_H
#define SN_TESTS_NETS_H

#include "core/rng.h"
#include "graph/plan.h"
#include "model/model.h"

struct net {
    const char *name;
    const char *layers; /* YAML list */
    const char *loss;
    int tasks;
    int64_t length; /* 0 = variable */
    int64_t longest;
    bool smooth; /* no kinks: relu and max pooling absent */
};
extern const struct net nets[]; /* ends with name NULL */

/* The kind of labels that a loss's word is for. */
enum sn_task_kind net_kind(const char *loss);
/* The net's architecture, bound. */
int net_arch(const struct net *n, struct sn_arch **out);
/* Random parameters (normal, sd 0.6; variances positive) for a graph. Free with free(). */
sn_real *net_params(const struct sn_graph *g, uint64_t seed);
/* Random parameters as a fresh model has them (Glorot uniform kernels, times `gain`), biases normal with sd 0.1. */
sn_real *net_fresh_params(const struct sn_graph *g, uint64_t seed, double gain);
/* Rows of random codes (n, longest): mostly A C G T, some N and IUPAC; len gets the rows' lengths (varying when length is 0). */
void net_rows(const struct net *n, const struct sn_graph *g, uint64_t seed, int rows, uint8_t *codes, int32_t *len);
/* Targets that fit the net's loss, some missing. Returns how many are there. */
double net_targets(const struct sn_graph *g, int head, uint64_t seed, int rows, sn_real *t);
/* Plan options of the net in a mode (codes path, own tables). lut and sym are static. */
struct sn_plan_options net_plan(const struct net *n, enum sn_mode mode, int rows);

#endif
