/* Which known motif is each motif of a file most like? usage: motifs FILE.meme [DATABASE] */
#include <seqnet/seqnet.h>
#include <stdio.h>

struct state {
    const seqnet_motifs *queries, *known;
    int last; /* query told */
};

static int tell(void *self, const seqnet_match *m) {
    struct state *s = self;
    seqnet_motif q = {.size = sizeof q}, t = {.size = sizeof t};
    if (m->query == s->last) return 0;
    s->last = m->query;
    int rc = seqnet_motifs_get(s->queries, m->query, &q);
    if (rc == 0) rc = seqnet_motifs_get(s->known, m->target, &t);
    if (rc == 0) printf("%s %s %s %c %.3g\n", q.id, t.id, t.alt ? t.alt : "-", m->reverse ? '-' : '+', m->p);
    return rc;
}

int main(int argc, char **argv) {
    seqnet_ctx *ctx = NULL;
    seqnet_motifs *queries = NULL, *known = NULL;
    int rc = argc < 2;
    if (rc) fprintf(stderr, "usage: motifs FILE.meme [DATABASE]\n");
    if (rc == 0) rc = seqnet_ctx_create(NULL, &ctx);
    if (rc == 0) rc = seqnet_motifs_read(ctx, argv[1], &queries);
    if (rc == 0) rc = seqnet_motifs_read(ctx, argc > 2 ? argv[2] : "jaspar", &known);
    struct state s = {queries, known, -1};
    if (rc == 0) rc = seqnet_motifs_match(ctx, queries, known, NULL, tell, &s);
    if (rc < 0) fprintf(stderr, "%s\n", seqnet_errmsg());
    seqnet_motifs_free(&known);
    seqnet_motifs_free(&queries);
    seqnet_ctx_free(&ctx);
    return rc != 0;
}
