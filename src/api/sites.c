/* Sites of motifs in sequences. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/motifs.h"
#include "core/cpu.h"
#include "core/file.h"
#include "motif/fimo.h"
#include "seq/reference.h"

#define PIECE ((int64_t)1 << 18) /* bases read at a time */

static const char *const strands[] = {"both", "forward", NULL};
static const char *const backgrounds[] = {"motifs", "uniform", NULL};

void seqnet_sites_defaults_size(seqnet_sites_options *o, size_t size) {
    const seqnet_sites_options full = {
        .size = sizeof full, .strand = "both", .background = "motifs", .threshold = 1e-4, .max_qvalue = NAN, .pseudo = 1e-4};
    sn_give(o, size, &full, sizeof full);
}

int seqnet_sites_check(const seqnet_sites_options *caller) {
    seqnet_sites_options o;
    seqnet_sites_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_sites_options"));
    SN_TRY(sn_check_word("strand", o.strand, strands));
    SN_TRY(sn_check_word("background", o.background, backgrounds));
    SN_TRY(sn_check_double("threshold", o.threshold, 1e-300, 1));
    if (!isnan(o.max_qvalue)) SN_TRY(sn_check_double("max_qvalue", o.max_qvalue, 0, 1));
    SN_TRY(sn_check_double("pseudo", o.pseudo, 1e-9, 1));
    return sn_check_int("bed", o.bed, 0, 1);
}

struct scan {
    const seqnet_motifs *m;
    seqnet_sites_options o;
    struct sn_fimo *fimo;
    struct sn_fasta_stream *fasta;
    uint8_t letter_of[256]; /* code of the reader -> code of the scan */
    char **names;           /* of the sequences */
    size_t n_names, cap_names;
    uint8_t *codes; /* (PIECE) */
    int64_t bases;
};

static int add_name(struct scan *s, const char *name) {
    SN_TRY(sn_grow((void **)&s->names, &s->cap_names, s->n_names + 1, sizeof *s->names));
    s->names[s->n_names] = sn_strdup(name);
    return s->names[s->n_names++] ? 0 : SEQNET_ENOMEM;
}

static int scan_record(struct scan *s, const struct sn_sink *sink) {
    SN_TRY(sn_fimo_next(s->fimo));
    for (;;) {
        int64_t n = sn_fasta_read(s->fasta, s->codes, PIECE);
        if (n <= 0) return (int)n;
        for (int64_t i = 0; i < n; i++) s->codes[i] = s->letter_of[s->codes[i]];
        SN_TRY(sn_fimo_feed(s->fimo, s->codes, n));
        s->bases += n;
        sn_progress(sink, "scanning", s->bases / 1000, 0, "kb", "");
    }
}

static int scan_file(struct scan *s, const char *path, const struct sn_sink *sink) {
    const struct sn_alphabet *a = sn_alphabet_find(s->m->set.letter[3] == 'U' ? "rna" : "dna");
    const char *name;
    int rc;
    for (int i = 0; i < 256; i++) s->letter_of[i] = SN_FIMO_NO_BASE;
    for (int b = 0; b < 4; b++) s->letter_of[1 << b] = s->letter_of[(1 << b) | SN_CODE_MASKED] = (uint8_t)b;
    s->codes = sn_calloc((size_t)PIECE, 1);
    if (!s->codes) return SEQNET_ENOMEM;
    SN_TRY(sn_fasta_open(path, a, &s->fasta));
    while ((rc = sn_fasta_next(s->fasta, &name)) > 0) {
        SN_TRY(add_name(s, name));
        SN_TRY(scan_record(s, sink));
    }
    return rc;
}

/* ---- tables ---- */

static int put_site(struct sn_outfile *f, const struct scan *s, const struct sn_fimo_hits *hits, const struct sn_fimo_hit *h) {
    const struct sn_motif *m = &s->m->set.m[h->motif];
    const struct sn_fimo_matrix *x = &sn_fimo_matrices(s->fimo)[h->motif];
    int at = h->score - x->lowest;
    const char *name = s->names[h->sequence];
    if (!s->o.bed)
        return sn_outfile_printf(f, "%s\t%s\t%s\t%lld\t%lld\t%c\t%.1f\t%.9g\t%.9g\t%.*s\n", m->id, m->alt ? m->alt : "", name,
                                 (long long)h->start + 1, (long long)h->start + m->width, h->reverse ? '-' : '+', h->score * SN_FIMO_BIN,
                                 x->p[at], x->q[at], m->width, hits->text + h->text);
    return sn_outfile_printf(f, "%s\t%lld\t%lld\t%s\t%d\t%c\n", name, (long long)h->start, (long long)h->start + m->width, m->id,
                             sn_fimo_bed_score(x->p[at]), h->reverse ? '-' : '+');
}

static int by_place(const void *a, const void *b) {
    const struct sn_fimo_hit *x = *(const struct sn_fimo_hit *const *)a, *y = *(const struct sn_fimo_hit *const *)b;
    if (x->sequence != y->sequence) return x->sequence < y->sequence ? -1 : 1;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->motif != y->motif) return x->motif < y->motif ? -1 : 1;
    return (int)x->reverse - (int)y->reverse;
}

static int put_sites(struct sn_outfile *f, const struct scan *s, const struct sn_fimo_hits *hits, int64_t *n) {
    const struct sn_fimo_hit **order = sn_calloc((size_t)hits->n, sizeof(const struct sn_fimo_hit *));
    int64_t kept = 0;
    int rc = 0;
    if (!order) return SEQNET_ENOMEM;
    for (int64_t i = 0; i < hits->n; i++) {
        const struct sn_fimo_matrix *x = &sn_fimo_matrices(s->fimo)[hits->v[i].motif];
        if (!isnan(s->o.max_qvalue) && x->q[hits->v[i].score - x->lowest] > s->o.max_qvalue) continue;
        order[kept++] = &hits->v[i];
    }
    if (s->o.bed && kept > 0) qsort(order, (size_t)kept, sizeof *order, by_place);
    if (!s->o.bed)
        SN_GO(sn_outfile_printf(f,
                                "motif_id\tmotif_alt_id\tsequence_name\tstart\tstop\tstrand\tscore\tp-value\tq-value\tmatched_sequence\n"));
    for (int64_t i = 0; i < kept; i++) SN_GO(put_site(f, s, hits, order[i]));
    *n = kept;
done:
    free(order);
    return rc;
}

static void free_scan(struct scan *s) {
    sn_fimo_free(s->fimo);
    sn_fasta_close(s->fasta);
    for (size_t i = 0; i < s->n_names; i++) free(s->names[i]);
    free(s->names);
    free(s->codes);
}

/* A motif that found no room anywhere is not the same as one that found no site. */
static void warn_of_wide(const struct scan *s, const struct sn_sink *sink) {
    const struct sn_fimo_matrix *x = sn_fimo_matrices(s->fimo);
    int n = 0, first = 0;
    for (int i = s->m->set.n - 1; i >= 0; i--)
        if (x[i].windows == 0) {
            first = i;
            n++;
        }
    if (n > 0)
        sn_log(sink, SN_LOG_WARN,
               "%d of %d motifs, the first of them %s of %d positions, are wider than every stretch of bases: not scanned", n, s->m->set.n,
               s->m->set.m[first].id, x[first].width);
}

int seqnet_motifs_scan_write(seqnet_ctx *ctx, const seqnet_motifs *m, const char *fasta, const seqnet_sites_options *caller,
                             const char *path, seqnet_sites_result *out) {
    struct scan s = {.m = m};
    struct sn_outfile *f = NULL;
    struct sn_fimo_options o;
    const struct sn_fimo_hits *hits;
    seqnet_sites_result r = {.size = sizeof r};
    double begun = sn_time_wall();
    int rc;
    SN_TRY(seqnet_sites_check(caller));
    seqnet_sites_defaults(&s.o);
    SN_TRY(sn_take_options(&s.o, sizeof s.o, caller, "seqnet_sites_options"));
    sn_fimo_defaults(&o);
    o.threshold = s.o.threshold;
    o.pseudo = s.o.pseudo;
    o.both_strands = !s.o.strand || strcmp(s.o.strand, "both") == 0;
    o.uniform = s.o.background && strcmp(s.o.background, "uniform") == 0;
    o.sink = &ctx->sink;
    SN_GO(sn_outfile_open(path, &f));
    SN_GO(sn_fimo_create(&m->set, &o, ctx->pool, &s.fimo));
    SN_GO(scan_file(&s, fasta, &ctx->sink));
    SN_GO(sn_fimo_end(s.fimo, &hits));
    warn_of_wide(&s, &ctx->sink);
    SN_GO(put_sites(f, &s, hits, &r.sites));
    rc = sn_outfile_commit(f);
    f = NULL;
    r.sequences = (int64_t)s.n_names;
    r.bases = s.bases;
    r.seconds = sn_time_wall() - begun;
    if (out && rc == 0) rc = sn_give_result(out, &r, sizeof r, "seqnet_sites_result");
done:
    sn_outfile_abort(f);
    free_scan(&s);
    return rc < 0 ? rc : 0;
}
