/* In-silico mutagenesis by cones: a substitution changes a few positions of each layer; only those are computed, as differences from the
 * activations of the sequence itself, up to a layer that all paths to the output run through (the frontier). What lies behind it runs in
 * full on the frontier's values. Where no layer can be done by cones the frontier is the input: mutants then run through the whole network.
 */
#ifndef SN_EXPLAIN_CONES_H
#define SN_EXPLAIN_CONES_H

#include "explain/parts.h"

enum sn_cone_kind {
    SN_CONE_NONE, /* not by cones */
    SN_CONE_INPUT,
    SN_CONE_ALIAS,   /* the input's values */
    SN_CONE_CODES,   /* convolution of the sequence */
    SN_CONE_PRODUCT, /* convolution, or dense per position */
    SN_CONE_FLAT,    /* dense over a flattened sequence */
    SN_CONE_MAX,
    SN_CONE_MEAN,
    SN_CONE_GLOBAL_MAX,
    SN_CONE_GLOBAL_MEAN,
    SN_CONE_UNARY,
    SN_CONE_NORM,
    SN_CONE_ADD,
    SN_CONE_CONCATENATE
};

/* A layer before the frontier. Values are (len, ch); of a flattened sequence still those of the sequence. */
struct sn_cone {
    enum sn_cone_kind kind;
    bool used;   /* the frontier depends on it */
    bool vector; /* one position that every substitution changes */
    bool flat;
    int root; /* whose values it shows: itself unless an alias */
    const struct sn_node *nd;
    struct sn_geometry geo;
    int64_t len, ch;    /* planned */
    int64_t width;      /* positions that one substitution changes, at most */
    int64_t at, cached; /* offsets of its values in a mutant's memory (times the mutants of a block), and in a strand's activations */
    int64_t ends;       /* GLOBAL_MAX: offset of the maxima before and from each position on, 2 (len + 1, ch) */
    void *packed;       /* PRODUCT: (cin, taps x cout) */
};

struct sn_cones {
    const struct sn_model *model;
    const struct sn_graph *g; /* of the plan that keeps the activations */
    struct sn_cone *v;        /* (n_nodes) */
    int frontier;             /* 0: everything in full */
    struct sn_plan *rest;     /* behind the frontier; NULL when that is 0 */
    sn_real *rest_params;
    int rows;  /* mutants whose cones are computed together */
    int batch; /* mutants that run through the rest, or in full, together */
    int64_t mutant_floats, strand_floats;
    int64_t product_rows, product_in,
        product_out; /* of a mutant: changed positions of a product's input, floats of these, of the products */
};

/* Of the model's graph as planned with all activations kept. */
int sn_cones_create(const struct sn_explainer *e, const struct sn_model *m, const struct sn_graph *g, struct sn_cones **out);
/* Makes the plan of the rest for so many mutants at a time. */
int sn_cones_plan(const struct sn_explainer *e, struct sn_cones *c, int batch);
void sn_cones_free(struct sn_cones *c);
/* Positions [*from, *to) of a layer that reads [s, t) of its input and has len positions; none: *from == *to. */
void sn_cone_reach(const struct sn_cone *c, int64_t s, int64_t t, int64_t len, int64_t *from, int64_t *to);

/* A block of mutants of one strand's row. */
struct sn_cone_block {
    const struct sn_cones *c;
    const struct sn_kernels *k;
    int n;
    const int32_t *position;   /* (n) in the row */
    const int32_t *channel;    /* (n) the new letter's */
    const uint8_t *letter;     /* codes of the channels' letters */
    const uint8_t *codes;      /* the row */
    const int32_t *len;        /* (n_nodes) positions of each layer for this row */
    const sn_real *activation; /* of the row */
    sn_real *values;           /* (mutant_floats x rows) */
    int32_t *from, *to;        /* (n_nodes, rows) */
    int32_t *size;             /* (rows) scratch */
    sn_real *delta, *product;  /* (product_in x rows), (product_out x rows) */
    int32_t *where;            /* (product_rows x rows, 2) */
    void *ws;
};
/* Maxima from both ends for global pooling, once the activations are there. */
void sn_cone_prepare(const struct sn_cones *c, const int32_t *len, sn_real *activation);
/* Frontier values of the mutants: out (n, len of the frontier, ch), rows out_row floats apart. */
void sn_cone_run(struct sn_cone_block *b, sn_real *out, int64_t out_row);

#endif
