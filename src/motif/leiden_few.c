/* Nodes that move between few communities: the weight of each node's links to each community is kept and moves keep it true, so that a new
 * visit need not add it up. */
#include <string.h>

#include "motif/leiden_work.h"

#define LANES 4 /* sums under way at once */

void sn_few_begin(struct work *w, int n) {
    w->n_slots = 0;
    for (int v = 0; v < n; v++) {
        int c = w->member[v];
        if (w->slot[c] < 0) {
            w->community[w->n_slots] = c;
            w->slot[c] = w->n_slots++;
        }
        w->slot_of[v] = (uint8_t)w->slot[c];
    }
    w->few = true;
}

void sn_few_end(struct work *w, int n) {
    if (!w->few) return;
    for (int s = 0; s < w->n_slots; s++) w->slot[w->community[s]] = -1;
    memset(w->is_known, 0, (size_t)n * sizeof *w->is_known);
    w->few = false;
}

/* Fills v's row; in several sums, for one would wait for its last addition again and again. */
static void learn(const struct sn_links *g, struct work *w, int v) {
    const int32_t *to = g->to + g->first[v];
    const float *weight = g->weight + g->first[v];
    const uint8_t *slot_of = w->slot_of;
    double lane[SLOTS][LANES];
    int64_t n = g->first[v + 1] - g->first[v], e = 0;
    memset(lane, 0, (size_t)w->n_slots * sizeof *lane);
    for (; e + LANES <= n; e += LANES)
        for (int i = 0; i < LANES; i++) lane[slot_of[to[e + i]]][i] += (double)weight[e + i];
    for (; e < n; e++) lane[slot_of[to[e]]][0] += (double)weight[e];
    for (int s = 0; s < SLOTS; s++) w->known[v][s] = s < w->n_slots ? (lane[s][0] + lane[s][1]) + (lane[s][2] + lane[s][3]) : 0;
    w->is_known[v] = true;
}

/* Which of two slots v's links come to first. */
static int first_linked(const struct sn_links *g, const struct work *w, int v, int s, int t) {
    for (int64_t e = g->first[v]; e < g->first[v + 1]; e++) {
        int slot = w->slot_of[g->to[e]];
        if (slot == s || slot == t) return slot;
    }
    return s;
}

int sn_few_best(const struct level *l, struct work *w, int v, double *outside) {
    const double *row = w->known[v];
    int own = w->slot_of[v], to = own;
    if (!w->is_known[v]) learn(&l->g, w, v);
    double k = l->strength[v], share = k / l->total;
    double here = row[own] - share * (w->mass[w->community[own]] - k), best = here + LEAST_GAIN * k;
    for (int s = 0; s < w->n_slots; s++) {
        double gain = row[s] - share * w->mass[w->community[s]];
        if (s == own || row[s] <= 0 || gain < best || (gain == best && to == own)) continue;
        to = gain > best ? s : first_linked(&l->g, w, v, to, s);
        best = gain;
    }
    *outside = 0;
    if (0 > best && w->size[w->community[own]] > 1) return w->empty[w->n_empty - 1];
    if (row[to] > 0) *outside = row[to];
    return w->community[to];
}

bool sn_few_find_slot(struct work *w, int c) {
    if (w->slot[c] >= 0) return true;
    if (w->n_slots == SLOTS) return false;
    w->community[w->n_slots] = c;
    w->slot[c] = w->n_slots++;
    return true;
}

void sn_few_tell(const struct sn_links *g, struct work *w, int v, int from) {
    int s = w->slot[from], t = w->slot[w->member[v]];
    w->slot_of[v] = (uint8_t)t;
    for (int64_t e = g->first[v]; e < g->first[v + 1]; e++) {
        int u = g->to[e];
        if (!w->is_known[u]) continue;
        w->known[u][s] -= (double)g->weight[e];
        w->known[u][t] += (double)g->weight[e];
    }
}
