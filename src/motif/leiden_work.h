/* What the files of Leiden's method share: one graph of the hierarchy, what a seed works with, and nodes that move between few
 * communities. */
#ifndef SN_MOTIF_LEIDEN_WORK_H
#define SN_MOTIF_LEIDEN_WORK_H

#include <stdbool.h>
#include <stddef.h>

#include "core/rng.h"
#include "motif/leiden.h"

/* Once there are no more communities than SLOTS, each has a slot in which every node's weight of links to it is kept, and moves keep it
 * true; until there are more. */
#define SLOTS 16

/* A gain must be more than this share of a node's strength: sums of float weights are not surer, and a false gain could go in circles. */
#define LEAST_GAIN 2e-7

/* One graph of the hierarchy: the caller's at the bottom, parts merged to nodes above. */
struct level {
    struct sn_links g;
    double *strength; /* (n) */
    double total;     /* 2m */
};

/* What one seed works with; arrays of n, the number of nodes at the bottom, serve all levels. */
struct work {
    struct sn_stream random;
    int64_t *order;
    int32_t *queue;
    bool *queued;      /* in refinement: this part has got a second node */
    int32_t *member;   /* community of each node of the level at hand */
    int32_t *part;     /* refined part of each node */
    int32_t *above;    /* node of the level at hand that each bottom node has become */
    int32_t *touched;  /* communities a node has links to */
    double *link;      /* weight of the links to each; -1: not touched */
    double *mass;      /* sum of strengths of each community */
    double *part_mass; /* the same of parts */
    bool *tied;        /* part: to the rest of its community, well enough */
    double *outside;   /* weight between a part and the rest of its community */
    int32_t *size;
    int32_t *empty;         /* communities without nodes */
    double *chance;         /* running sum of the chances of each candidate */
    double (*known)[SLOTS]; /* weight of the links of each node to the community in each slot */
    bool *is_known;         /* that row is filled; all false unless `few` */
    uint8_t *slot_of;       /* of each node's community */
    int32_t *slot;          /* of each community, or -1 */
    int32_t community[SLOTS];
    int n_slots, n_empty;
    bool few;
    bool moved; /* some node of the level at hand */
};

/* Every community gets a slot; there are at most SLOTS, n nodes. */
void sn_few_begin(struct work *w, int n);
void sn_few_end(struct work *w, int n);
/* The community that v gains most by joining; *outside: the weight of its links to it. */
int sn_few_best(const struct level *l, struct work *w, int v, double *outside);
/* Gives a community a slot; false: there is none left. */
bool sn_few_find_slot(struct work *w, int c);
/* After v has moved from a community. */
void sn_few_tell(const struct sn_links *g, struct work *w, int v, int from);

#endif
