/* Patterns and their matches as the report takes them: each pattern followed by its parts. */
#include <stdlib.h>
#include <string.h>

#include "api/report_parts.h"
#include "motif/patterns_write.h"

static int count_flat(const struct sn_patterns *p) {
    int n = 0;
    for (int i = 0; i < p->n; i++) n += 1 + p->v[i].n_sub;
    return n;
}

/* Pattern number k of the list, *part: it is part of another. */
static const struct sn_pattern *flat(const struct sn_patterns *p, int k, bool *part) {
    for (int i = 0; i < p->n; i++) {
        *part = k > 0;
        if (k == 0) return &p->v[i];
        if (k <= p->v[i].n_sub) return &p->v[i].sub[k - 1];
        k -= 1 + p->v[i].n_sub;
    }
    return NULL;
}

/* ---- matches ---- */

static int add_matches(struct sn_gather *g, int query, struct sn_report_pattern *t) {
    const struct sn_tomtom_hits *h = g->in->hits;
    struct sn_report_match *m = sn_gather_block(g, (size_t)(g->in->most_hits > 0 ? g->in->most_hits : 0), sizeof *m);
    if (!m) return SEQNET_ENOMEM;
    t->matches = m;
    for (int64_t i = 0; i < h->n && t->n_matches < g->in->most_hits; i++) {
        const struct sn_tomtom_hit *x = &h->v[i];
        if (x->query != query || x->target < 0 || x->target >= g->in->db->n) continue;
        const struct sn_motif *k = &g->in->db->m[x->target];
        m[t->n_matches++] = (struct sn_report_match){.id = k->id,
                                                     .name = k->alt,
                                                     .width = k->width,
                                                     .pfm = k->p,
                                                     .offset = x->offset,
                                                     .overlap = x->overlap,
                                                     .reverse = x->reverse,
                                                     .p = x->p,
                                                     .e = x->e,
                                                     .q = x->q};
    }
    return 0;
}

/* ---- patterns ---- */

static int by_sequence(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Middles of the seqlets from the middle of their sequences, and how many sequences there are. */
static int add_positions(struct sn_gather *g, const struct sn_pattern *t, struct sn_report_pattern *out) {
    double *at = sn_gather_block(g, (size_t)t->n, sizeof *at);
    int32_t *sequence = sn_calloc((size_t)t->n, sizeof *sequence);
    if (!at || !sequence) {
        free(sequence);
        return SEQNET_ENOMEM;
    }
    for (int i = 0; i < t->n; i++) {
        const struct sn_seqlet *s = &t->seqlets[i];
        int64_t len = s->sequence >= 0 && s->sequence < g->in->d->n ? sn_dataset_len(g->in->d, s->sequence) : 0;
        at[i] = ((double)s->start + (double)s->end - (double)len) / 2;
        sequence[i] = s->sequence;
    }
    if (t->n > 1) qsort(sequence, (size_t)t->n, sizeof *sequence, by_sequence);
    for (int i = 0; i < t->n; i++) out->n_sequences += i == 0 || sequence[i] != sequence[i - 1];
    out->position = at;
    out->n_positions = t->n;
    free(sequence);
    return 0;
}

static int add_pattern(struct sn_gather *g, const struct sn_motif_set *cores, int k, struct sn_report_pattern *out) {
    bool part;
    const struct sn_pattern *t = flat(g->in->patterns, k, &part);
    char *consensus = sn_gather_block(g, (size_t)(t->trim_end - t->trim_start) + 1, 1);
    if (!consensus) return SEQNET_ENOMEM;
    sn_motif_consensus(cores, &cores->m[k], consensus);
    *out = (struct sn_report_pattern){.name = t->name,
                                      .consensus = consensus,
                                      .n_seqlets = t->n,
                                      .width = t->width,
                                      .core_start = t->trim_start,
                                      .core_end = t->trim_end,
                                      .pfm = t->pfm,
                                      .contribution = t->contribution,
                                      .part = part};
    if (g->in->db && g->in->hits) SN_TRY(add_matches(g, k, out));
    return add_positions(g, t, out);
}

int sn_gather_patterns(struct sn_gather *g) {
    const struct sn_report_input *in = g->in;
    struct sn_motif_set cores = {0};
    int rc = 0, n = in->patterns ? count_flat(in->patterns) : 0;
    g->r.why_no_patterns = in->why_no_patterns;
    if (!in->patterns && !g->r.why_no_patterns) g->r.why_no_patterns = "Patterns were not looked for.";
    if (in->patterns && in->patterns->message[0] && !g->r.why_no_patterns)
        if (!(g->r.why_no_patterns = sn_gather_text(g, "No pattern was found: %s", in->patterns->message))) return SEQNET_ENOMEM;
    if (in->db && in->hits) {
        g->r.database = in->db_name ? in->db_name : "a database";
        g->r.n_database = in->db->n;
    }
    struct sn_report_pattern *v = sn_gather_block(g, (size_t)n, sizeof *v);
    if (!v) return SEQNET_ENOMEM;
    if (n > 0) SN_GO(sn_patterns_motifs(in->patterns, strcmp(in->d->alphabet->letters, "ACGU") == 0, &cores));
    for (int k = 0; k < n; k++) SN_GO(add_pattern(g, &cores, k, &v[k]));
    g->r.patterns = v;
    g->r.n_patterns = n;
done:
    sn_motif_set_free(&cores);
    return rc;
}
