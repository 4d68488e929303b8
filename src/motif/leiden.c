#include "motif/leiden_work.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/exp.h"
#include "core/mem.h"
#include "core/pool.h"
#include "core/rng.h"

/* How far refinement strays from the best merge, in units of weight. */
#define RANDOMNESS 0.01

/* ---- memory ---- */

static void level_free(struct level *l) {
    free((void *)l->g.first);
    free((void *)l->g.to);
    free((void *)l->g.weight);
    free((void *)l->g.self);
    free(l->strength);
    memset(l, 0, sizeof *l);
}

static void work_free(struct work *w) {
    void *all[] = {w->order,     w->queue,   w->queued, w->member, w->part,  w->above,    w->touched, w->link, w->mass, w->size,
                   w->part_mass, w->outside, w->empty,  w->chance, w->known, w->is_known, w->slot_of, w->slot, w->tied};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    memset(w, 0, sizeof *w);
}

static int work_init(struct work *w, int n) {
    size_t m = (size_t)n + 1;
    memset(w, 0, sizeof *w);
    w->order = sn_calloc(m, sizeof *w->order);
    w->queue = sn_calloc(m, sizeof *w->queue);
    w->queued = sn_calloc(m, sizeof *w->queued);
    w->member = sn_calloc(m, sizeof *w->member);
    w->part = sn_calloc(m, sizeof *w->part);
    w->above = sn_calloc(m, sizeof *w->above);
    w->touched = sn_calloc(m, sizeof *w->touched);
    w->link = sn_calloc(m, sizeof *w->link);
    w->known = sn_calloc(m, sizeof *w->known);
    w->is_known = sn_calloc(m, sizeof *w->is_known);
    w->slot_of = sn_calloc(m, sizeof *w->slot_of);
    w->slot = sn_calloc(m, sizeof *w->slot);
    w->tied = sn_calloc(m, sizeof *w->tied);
    w->mass = sn_calloc(m, sizeof *w->mass);
    w->part_mass = sn_calloc(m, sizeof *w->part_mass);
    w->outside = sn_calloc(m, sizeof *w->outside);
    w->size = sn_calloc(m, sizeof *w->size);
    w->empty = sn_calloc(m, sizeof *w->empty);
    w->chance = sn_calloc(m, sizeof *w->chance);
    if (w->order && w->queue && w->queued && w->member && w->part && w->above && w->touched && w->link && w->mass && w->part_mass &&
        w->outside && w->size && w->empty && w->chance && w->known && w->is_known && w->slot_of && w->slot && w->tied) {
        for (int i = 0; i <= n; i++) w->link[i] = w->slot[i] = -1;
        return 0;
    }
    work_free(w);
    return SEQNET_ENOMEM;
}

/* ---- the graph ---- */

static int check_row(const struct sn_links *g, int v) {
    for (int64_t e = g->first[v]; e < g->first[v + 1]; e++) {
        if (g->to[e] < 0 || g->to[e] >= g->n || g->to[e] == v)
            return sn_error(SEQNET_EINVAL, "links: node %d has a link to %d, expected another node below %d", v, (int)g->to[e], g->n);
        if (!(g->weight[e] >= 0 && g->weight[e] < INFINITY))
            return sn_error(SEQNET_EINVAL, "links: weight %g between nodes %d and %d, expected 0 or more", (double)g->weight[e], v,
                            (int)g->to[e]);
    }
    return 0;
}

static double row_sum(const struct sn_links *g, int v) {
    double sum = g->self ? (double)g->self[v] : 0;
    for (int64_t e = g->first[v]; e < g->first[v + 1]; e++) sum += (double)g->weight[e];
    return sum;
}

/* A view of the caller's graph with its strengths; l->strength is the caller's to free. */
static int level_of_links(const struct sn_links *g, struct level *l) {
    memset(l, 0, sizeof *l);
    if (g->n < 0) return sn_error(SEQNET_EINVAL, "links: %d nodes", g->n);
    l->g = *g;
    for (int v = 0; v < g->n; v++)
        if (g->first[v + 1] < g->first[v]) return sn_error(SEQNET_EINVAL, "links: the row of node %d ends before it begins", v);
    for (int v = 0; v < g->n; v++) {
        SN_TRY(check_row(g, v));
        if (g->self && !(g->self[v] >= 0 && g->self[v] < INFINITY))
            return sn_error(SEQNET_EINVAL, "links: weight %g of node %d to itself, expected 0 or more", (double)g->self[v], v);
    }
    l->strength = sn_calloc((size_t)g->n + 1, sizeof *l->strength);
    if (!l->strength) return SEQNET_ENOMEM;
    for (int v = 0; v < g->n; v++) l->total += l->strength[v] = row_sum(g, v);
    return 0;
}

static double modularity_of(const struct level *l, const int32_t *member, double *mass) {
    const struct sn_links *g = &l->g;
    if (l->total <= 0) return 0;
    double inside = 0, square = 0;
    memset(mass, 0, (size_t)g->n * sizeof *mass);
    for (int v = 0; v < g->n; v++) {
        double sum = g->self ? (double)g->self[v] : 0;
        for (int64_t e = g->first[v]; e < g->first[v + 1]; e++) sum += member[g->to[e]] == member[v] ? (double)g->weight[e] : 0;
        inside += sum;
        mass[member[v]] += l->strength[v];
    }
    for (int c = 0; c < g->n; c++) square += mass[c] * mass[c];
    return (inside - square / l->total) / l->total;
}

/* ---- moving nodes ---- */

static void random_order(struct work *w, int n) {
    for (int i = 0; i < n; i++) w->order[i] = i;
    sn_stream_permute(&w->random, w->order, n);
}

/* Adds weight w to what is linked with group c; no branch, for whether c is new is hard to foresee. */
static inline int add_link(double *link, int32_t *touched, int n, int c, float w) {
    double old = link[c];
    touched[n] = c;
    link[c] = (old < 0 ? 0 : old) + (double)w;
    return n + (old < 0);
}

/* Adds the weight of v's links to each group of `of` (parts or communities) to w->link; the groups found go to w->touched behind the n
 * that are there. Returns their number; forget() sets w->link back. */
static int gather(const struct sn_links *g, struct work *w, int v, const int32_t *of, int n) {
    const int32_t *to = g->to;
    const float *weight = g->weight;
    double *link = w->link;
    int32_t *touched = w->touched;
    for (int64_t e = g->first[v], end = g->first[v + 1]; e < end; e++) n = add_link(link, touched, n, of[to[e]], weight[e]);
    return n;
}

/* The same for the parts of v's own community. */
static int gather_inside(const struct sn_links *g, struct work *w, int v) {
    const int32_t *to = g->to, *member = w->member, *part = w->part;
    const float *weight = g->weight;
    double *link = w->link;
    int32_t *touched = w->touched;
    int n = 0, own = member[v];
    for (int64_t e = g->first[v], end = g->first[v + 1]; e < end; e++)
        if (member[to[e]] == own) n = add_link(link, touched, n, part[to[e]], weight[e]);
    return n;
}

static void forget(struct work *w, int n) {
    for (int i = 0; i < n; i++) w->link[w->touched[i]] = -1;
}

/* The community that v gains most by joining; its own unless another is better by more than the tolerance. */
static int best_community(const struct level *l, struct work *w, int v, int n_touched) {
    int own = w->member[v];
    double k = l->strength[v], share = k / l->total;
    double here = (w->link[own] < 0 ? 0 : w->link[own]) - share * (w->mass[own] - k);
    double best = here + LEAST_GAIN * k;
    int to = own;
    for (int i = 0; i < n_touched; i++) {
        int c = w->touched[i];
        if (c == own) continue;
        double gain = w->link[c] - share * w->mass[c];
        if (gain > best) {
            best = gain;
            to = c;
        }
    }
    if (0 > best && w->size[own] > 1) to = w->empty[w->n_empty - 1]; /* alone is better than anywhere */
    return to;
}

static void move_node(const struct level *l, struct work *w, int v, int to) {
    int from = w->member[v];
    if (w->size[to] == 0) w->n_empty--;
    w->mass[from] -= l->strength[v];
    w->mass[to] += l->strength[v];
    w->size[to]++;
    if (--w->size[from] == 0) {
        w->mass[from] = 0;
        w->empty[w->n_empty++] = from;
    }
    w->member[v] = to;
    w->moved = true;
}

static void count_communities(const struct level *l, struct work *w) {
    int n = l->g.n;
    memset(w->mass, 0, (size_t)n * sizeof *w->mass);
    memset(w->size, 0, (size_t)n * sizeof *w->size);
    for (int v = 0; v < n; v++) {
        w->mass[w->member[v]] += l->strength[v];
        w->size[w->member[v]]++;
    }
    w->n_empty = 0;
    for (int c = n - 1; c >= 0; c--)
        if (w->size[c] == 0) w->empty[w->n_empty++] = c;
}

/* ---- moving all nodes ---- */

/* Where v should go; sets w->outside[v]. */
static int visit(const struct level *l, struct work *w, int v) {
    int n = l->g.n;
    if (!w->few && n - w->n_empty <= SLOTS) sn_few_begin(w, n);
    if (w->few) return sn_few_best(l, w, v, &w->outside[v]);
    int n_touched = gather(&l->g, w, v, w->member, 0), to = best_community(l, w, v, n_touched);
    if (w->link[to] > 0) w->outside[v] = w->link[to];
    forget(w, n_touched);
    return to;
}

/* Visits nodes from a queue, first all in random order, then the neighbours of those that moved, until nobody gains. On return
 * w->outside holds the weight between each node and the rest of its community: set at its last visit, since when others may have come,
 * but nobody gone without a new visit. */
static void move_nodes(const struct level *l, struct work *w) {
    const struct sn_links *g = &l->g;
    int n = g->n, head = 0, waiting = n;
    count_communities(l, w);
    random_order(w, n);
    for (int i = 0; i < n; i++) {
        w->queue[i] = (int32_t)w->order[i];
        w->queued[i] = true;
    }
    while (waiting > 0) {
        int v = w->queue[head], from = w->member[v];
        head = head + 1 == n ? 0 : head + 1;
        waiting--;
        w->queued[v] = false;
        w->outside[v] = 0;
        int to = l->strength[v] > 0 ? visit(l, w, v) : from;
        if (to == from) continue;
        move_node(l, w, v, to);
        if (w->few && !sn_few_find_slot(w, to)) sn_few_end(w, n);
        if (w->few) sn_few_tell(g, w, v, from);
        for (int64_t e = g->first[v]; e < g->first[v + 1]; e++) {
            int u = g->to[e];
            if (w->member[u] == to) w->outside[u] += (double)g->weight[e];
            if (w->queued[u] || w->member[u] == to) continue;
            w->queued[u] = true;
            w->queue[head + waiting < n ? head + waiting : head + waiting - n] = u;
            waiting++;
        }
    }
    sn_few_end(w, n);
}

/* ---- refinement ---- */

/* Is a part tied well enough to the rest of its community? */
static bool well_tied(const struct level *l, const struct work *w, int part, double community) {
    double k = w->part_mass[part];
    return w->outside[part] >= k * (community - k) / l->total;
}

/* Draws the part that v joins: its own, which gains 0, or one of the well tied parts it has links to and does not lose by joining, with
 * probability in proportion to exp(gain / RANDOMNESS). */
static int draw_part(const struct level *l, struct work *w, int v, int n_touched) {
    int n = 1;
    double k = l->strength[v], most = 0, sum = 0;
    int32_t *candidate = w->queue; /* nobody waits in it now */
    candidate[0] = v;
    w->chance[0] = 0;
    for (int i = 0; i < n_touched; i++) {
        int c = w->touched[i];
        if (c == v || !w->tied[c]) continue;
        double gain = w->link[c] - k * w->part_mass[c] / l->total;
        if (gain < 0) continue;
        if (gain > most) most = gain;
        candidate[n] = c;
        w->chance[n++] = gain;
    }
    if (n == 1) return v;
    for (int i = 0; i < n; i++) w->chance[i] = (w->chance[i] - most) / RANDOMNESS;
    sn_exps(w->chance, n);
    for (int i = 0; i < n; i++) w->chance[i] = sum += w->chance[i];
    double at = sn_stream_unit(&w->random) * sum;
    int i = 0;
    while (i < n - 1 && w->chance[i] <= at) i++;
    return candidate[i];
}

static void join(const struct level *l, struct work *w, int v, int to) {
    w->part[v] = to;
    w->part_mass[to] += l->strength[v];
    w->outside[to] += w->outside[v] - 2 * w->link[to];
    w->queued[to] = true;
    w->tied[to] = well_tied(l, w, to, w->mass[w->member[v]]);
}

/* Splits each community into parts that hang together: from single nodes, each still single one may join another part once. Reads
 * w->outside as move_nodes() leaves it. */
static void refine(const struct level *l, struct work *w) {
    const struct sn_links *g = &l->g;
    int n = g->n;
    memcpy(w->part_mass, l->strength, (size_t)n * sizeof *w->part_mass);
    for (int v = 0; v < n; v++) {
        w->part[v] = v;
        w->tied[v] = well_tied(l, w, v, w->mass[w->member[v]]);
    }
    random_order(w, n);
    for (int i = 0; i < n; i++) {
        int v = (int)w->order[i], community = w->member[v];
        if (w->queued[v] || w->size[community] == 1 || l->strength[v] <= 0 || !w->tied[v]) continue;
        int n_touched = gather_inside(g, w, v), to = draw_part(l, w, v, n_touched);
        if (to != v) join(l, w, v, to);
        forget(w, n_touched);
    }
    memset(w->queued, 0, (size_t)n * sizeof *w->queued);
}

/* ---- the level above ---- */

/* Numbers what is in id (n) by first appearance, in place; `seen` (n) is scratch. Returns how many there are. */
static int renumber(int32_t *id, int n, int32_t *seen) {
    int count = 0;
    for (int i = 0; i < n; i++) seen[i] = -1;
    for (int i = 0; i < n; i++) {
        if (seen[id[i]] < 0) seen[id[i]] = count++;
        id[i] = seen[id[i]];
    }
    return count;
}

/* A graph under construction. */
struct builder {
    int64_t *first;
    int32_t *to;
    float *weight, *self;
    size_t n, cap_to, cap_weight;
};

/* One row: the links of `members` nodes of part p. */
static int build_row(const struct level *l, struct work *w, struct builder *b, int p, const int64_t *nodes, int members) {
    const struct sn_links *g = &l->g;
    double self = 0;
    int n = 0;
    for (int i = 0; i < members; i++) {
        int v = (int)nodes[i];
        if (g->self) self += (double)g->self[v];
        n = gather(g, w, v, w->part, n);
    }
    SN_TRY(sn_grow((void **)&b->to, &b->cap_to, b->n + (size_t)n + 1, sizeof *b->to));
    SN_TRY(sn_grow((void **)&b->weight, &b->cap_weight, b->n + (size_t)n + 1, sizeof *b->weight));
    for (int i = 0; i < n; i++) {
        int q = w->touched[i];
        if (q == p) {
            self += w->link[q];
            continue;
        }
        b->to[b->n] = q;
        b->weight[b->n++] = (float)w->link[q];
    }
    forget(w, n);
    b->self[p] = (float)self;
    return 0;
}

/* All rows; w->order holds the nodes sorted by part. */
static int build_rows(const struct level *l, struct work *w, struct builder *b, int n_parts) {
    int n = l->g.n, at = 0;
    int32_t *start = w->queue;
    memset(start, 0, ((size_t)n_parts + 1) * sizeof *start);
    for (int v = 0; v < n; v++) start[w->part[v] + 1]++;
    for (int p = 0; p < n_parts; p++) start[p + 1] += start[p];
    for (int v = 0; v < n; v++) w->order[start[w->part[v]]++] = v; /* start[p] is now the end of p */
    for (int p = 0; p < n_parts; at = start[p++]) {
        SN_TRY(build_row(l, w, b, p, w->order + at, start[p] - at));
        b->first[p + 1] = (int64_t)b->n;
    }
    return 0;
}

/* The graph whose nodes are the parts; w->member becomes their communities, w->above points to them. */
static int aggregate(const struct level *l, struct work *w, int n_bottom, struct level *up) {
    int n = l->g.n, n_parts = renumber(w->part, n, w->queue), rc = 0;
    renumber(w->member, n, w->queue);
    if (n_parts == n) { /* nothing joined: the communities themselves */
        memcpy(w->part, w->member, (size_t)n * sizeof *w->part);
        n_parts = renumber(w->part, n, w->queue);
    }
    struct builder b = {.first = sn_calloc((size_t)n_parts + 1, sizeof *b.first), .self = sn_calloc((size_t)n_parts + 1, sizeof *b.self)};
    double *strength = sn_calloc((size_t)n_parts + 1, sizeof *strength);
    rc = b.first && b.self && strength ? build_rows(l, w, &b, n_parts) : SEQNET_ENOMEM;
    *up = (struct level){.g = {n_parts, b.first, b.to, b.weight, b.self}, .strength = strength, .total = l->total};
    if (rc < 0) {
        level_free(up);
        return rc;
    }
    for (int v = 0; v < n; v++) {
        strength[w->part[v]] += l->strength[v];
        w->queue[w->part[v]] = w->member[v];
    }
    memcpy(w->member, w->queue, (size_t)n_parts * sizeof *w->member);
    for (int v = 0; v < n_bottom; v++) w->above[v] = w->part[w->above[v]];
    return 0;
}

/* ---- the method ---- */

/* From the partition in w->member up the hierarchy as long as nodes merge; the new partition of the bottom nodes is in w->member.
 * `changed`: moves above the bottom have changed it, so that nodes at the bottom may gain again. */
static int climb(const struct level *bottom, struct work *w, bool *changed) {
    struct level l = *bottom, up;
    int n = bottom->g.n, rc = 0;
    *changed = false;
    for (int v = 0; v < n; v++) w->above[v] = v;
    for (bool owned = false;; owned = true) {
        w->moved = false;
        move_nodes(&l, w);
        *changed |= owned && w->moved;
        if (w->n_empty == 0) break;
        refine(&l, w);
        rc = aggregate(&l, w, n, &up);
        if (owned) level_free(&l);
        if (rc < 0) return rc;
        l = up;
    }
    for (int v = 0; v < n; v++) w->part[v] = w->member[w->above[v]];
    memcpy(w->member, w->part, (size_t)n * sizeof *w->member);
    if (n > 0 && l.strength != bottom->strength) level_free(&l);
    return 0;
}

static int run(const struct level *bottom, struct work *w, uint64_t seed) {
    sn_stream_init_use(&w->random, seed, SN_RNG_LEIDEN, 0, 0);
    for (int v = 0; v < bottom->g.n; v++) w->member[v] = v;
    if (bottom->total <= 0) return 0;
    for (bool again = true; again;) SN_TRY(climb(bottom, w, &again));
    return 0;
}

struct community {
    int size, first, id;
};

static int by_size(const void *x, const void *y) {
    const struct community *a = x, *b = y;
    return a->size != b->size ? (a->size < b->size) - (a->size > b->size) : (a->first > b->first) - (a->first < b->first);
}

/* Communities by size; returns their number or SEQNET_ENOMEM. */
static int number_by_size(int32_t *member, int n, int32_t *scratch) {
    int count = renumber(member, n, scratch);
    struct community *c = sn_calloc((size_t)count, sizeof *c);
    if (!c) return SEQNET_ENOMEM;
    for (int v = n - 1; v >= 0; v--) {
        c[member[v]].size++;
        c[member[v]].first = v;
        c[member[v]].id = member[v];
    }
    qsort(c, (size_t)count, sizeof *c, by_size);
    for (int i = 0; i < count; i++) scratch[c[i].id] = i;
    for (int v = 0; v < n; v++) member[v] = scratch[member[v]];
    free(c);
    return count;
}

/* ---- one seed, many seeds ---- */

/* The best partition that one worker has met. */
struct best {
    struct work w;
    int32_t *member;
    double modularity;
    int seed; /* index, -1: none yet */
};

struct job {
    const struct level *bottom;
    struct best *best;
    uint64_t first_seed, step;
};

static bool better(double modularity, int seed, const struct best *b) {
    return b->seed < 0 || modularity > b->modularity || (modularity == b->modularity && seed < b->seed);
}

static int one_seed(void *arg, int tile, int worker) {
    struct job *j = arg;
    struct best *b = &j->best[worker];
    int n = j->bottom->g.n;
    if (!b->member) {
        SN_TRY(work_init(&b->w, n));
        b->member = sn_calloc((size_t)n + 1, sizeof *b->member);
        if (!b->member) {
            work_free(&b->w);
            return SEQNET_ENOMEM;
        }
    }
    SN_TRY(run(j->bottom, &b->w, j->first_seed + j->step * (uint64_t)tile));
    double modularity = modularity_of(j->bottom, b->w.member, b->w.mass);
    if (!better(modularity, tile, b)) return 0;
    b->modularity = modularity;
    b->seed = tile;
    memcpy(b->member, b->w.member, (size_t)n * sizeof *b->member);
    return 0;
}

static int best_of(const struct sn_links *g, uint64_t seed, int n_seeds, struct sn_pool *pool, int32_t *member, int *n_communities,
                   double *modularity) {
    struct level bottom;
    int workers = sn_pool_size(pool), rc = 0;
    struct best *all = sn_calloc((size_t)workers, sizeof *all), *best = all;
    for (int i = 0; all && i < workers; i++) all[i].seed = -1;
    rc = all ? level_of_links(g, &bottom) : SEQNET_ENOMEM;
    if (rc < 0) {
        free(all);
        return rc;
    }
    struct job job = {&bottom, all, seed, 100};
    SN_GO(sn_pool_run(pool, n_seeds, workers, one_seed, &job));
    for (int i = 1; i < workers; i++)
        if (all[i].seed >= 0 && better(all[i].modularity, all[i].seed, best)) best = &all[i];
    memcpy(member, best->member, (size_t)g->n * sizeof *member);
    SN_GO(*n_communities = number_by_size(member, g->n, best->w.queue));
    *modularity = best->modularity;
done:
    for (int i = 0; i < workers; i++) {
        work_free(&all[i].w);
        free(all[i].member);
    }
    free(all);
    free(bottom.strength);
    return rc < 0 ? rc : 0;
}

int sn_leiden(const struct sn_links *g, uint64_t seed, int32_t *member, int *n_communities, double *modularity) {
    return best_of(g, seed, 1, NULL, member, n_communities, modularity);
}

int sn_leiden_best(const struct sn_links *g, int n_seeds, struct sn_pool *pool, int32_t *member, int *n_communities, double *modularity) {
    if (n_seeds < 1) return sn_error(SEQNET_EINVAL, "leiden: %d seeds, expected 1 or more", n_seeds);
    return best_of(g, 100, n_seeds, pool, member, n_communities, modularity);
}

int sn_leiden_modularity(const struct sn_links *g, const int32_t *member, double *modularity) {
    struct level l;
    double *mass = sn_calloc((size_t)(g->n > 0 ? g->n : 0) + 1, sizeof *mass);
    int rc = mass ? level_of_links(g, &l) : SEQNET_ENOMEM;
    if (rc < 0) {
        free(mass);
        return rc;
    }
    *modularity = modularity_of(&l, member, mass);
    free(l.strength);
    free(mass);
    return 0;
}
