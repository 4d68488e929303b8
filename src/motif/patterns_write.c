#include "motif/patterns_write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"
#include "motif/meme.h"

/* ---- motifs ---- */

static int add_motif(struct sn_motif_set *s, const struct sn_pattern *p) {
    int width = p->trim_end - p->trim_start;
    SN_TRY(sn_motif_add(s, p->name, NULL, width, p->pfm + 4 * p->trim_start, p->n));
    double *row = s->m[s->n - 1].p;
    for (int q = 0; q < width; q++, row += 4) {
        double sum = row[0] + row[1] + row[2] + row[3];
        for (int c = 0; c < 4; c++) row[c] = sum > 0 ? row[c] / sum : 0.25;
    }
    for (int i = 0; i < p->n_sub; i++) SN_TRY(add_motif(s, &p->sub[i]));
    return 0;
}

int sn_patterns_motifs(const struct sn_patterns *p, bool rna, struct sn_motif_set *out) {
    int rc = sn_motif_set_init(out, rna ? "ACGU" : "ACGT");
    for (int i = 0; i < p->n && rc == 0; i++) rc = add_motif(out, &p->v[i]);
    if (rc < 0) sn_motif_set_free(out);
    return rc;
}

static int write_meme(const struct sn_patterns *p, const struct sn_places *places, bool rna, struct sn_outfile *f) {
    (void)places;
    struct sn_motif_set set;
    SN_TRY(sn_patterns_motifs(p, rna, &set));
    int rc = sn_meme_write(&set, f);
    sn_motif_set_free(&set);
    return rc;
}

/* Contributions of the cores in the layout of a MEME file, as `modisco meme -t CWM` and its readers have them: no probabilities. */
static int put_values(struct sn_outfile *f, const struct sn_pattern *p, bool hypothetical) {
    const double *v = (hypothetical ? p->hypothetical : p->contribution) + 4 * p->trim_start;
    const int width = p->trim_end - p->trim_start;
    SN_TRY(sn_outfile_printf(f, "MOTIF %s\nletter-probability matrix: alength= 4 w= %d nsites= %d E= 0\n", p->name, width, p->n));
    for (int q = 0; q < width; q++, v += 4) SN_TRY(sn_outfile_printf(f, "%.6f %.6f %.6f %.6f\n", v[0], v[1], v[2], v[3]));
    SN_TRY(sn_outfile_printf(f, "\n"));
    for (int i = 0; i < p->n_sub; i++) SN_TRY(put_values(f, &p->sub[i], hypothetical));
    return 0;
}

static int write_values(const struct sn_patterns *p, bool rna, bool hypothetical, struct sn_outfile *f) {
    SN_TRY(sn_outfile_printf(f, "MEME version 4\n\nALPHABET= %s\n\n%s", rna ? "ACGU" : "ACGT", rna ? "" : "strands: + -\n\n"));
    for (int i = 0; i < p->n; i++) SN_TRY(put_values(f, &p->v[i], hypothetical));
    return 0;
}

static int write_contributions(const struct sn_patterns *p, const struct sn_places *places, bool rna, struct sn_outfile *f) {
    (void)places;
    return write_values(p, rna, false, f);
}

static int write_hypothetical(const struct sn_patterns *p, const struct sn_places *places, bool rna, struct sn_outfile *f) {
    (void)places;
    return write_values(p, rna, true, f);
}

/* ---- tables ---- */

static int put_pattern(const struct sn_motif_set *set, int *motif, const struct sn_pattern *p, struct sn_outfile *f) {
    const struct sn_motif *m = &set->m[(*motif)++];
    char consensus[1024];
    double mean = 0;
    if (m->width >= (int)sizeof consensus) return sn_error(SEQNET_EINTERNAL, "pattern %s: %d positions", p->name, m->width);
    sn_motif_consensus(set, m, consensus);
    for (int i = 0; i < p->n; i++) mean += p->seqlets[i].contribution;
    SN_TRY(sn_outfile_printf(f, "%s\t%d\t%d\t%d\t%d\t%s\t%.4f\t%.6g\n", p->name, p->n, p->width, p->trim_start, p->trim_end, consensus,
                             sn_motif_information(set, m, NULL), mean / p->n));
    for (int i = 0; i < p->n_sub; i++) SN_TRY(put_pattern(set, motif, &p->sub[i], f));
    return 0;
}

static int write_patterns(const struct sn_patterns *p, const struct sn_places *places, bool rna, struct sn_outfile *f) {
    (void)places;
    struct sn_motif_set set;
    int motif = 0;
    SN_TRY(sn_patterns_motifs(p, rna, &set));
    int rc = sn_outfile_printf(f, "pattern\tseqlets\twidth\tcore_start\tcore_end\tconsensus\tinformation\tmean_contribution\n");
    for (int i = 0; i < p->n && rc == 0; i++) rc = put_pattern(&set, &motif, &p->v[i], f);
    sn_motif_set_free(&set);
    return rc;
}

static int put_matrix(const struct sn_pattern *p, struct sn_outfile *f) {
    const double *matrix[3] = {p->pfm, p->contribution, p->hypothetical};
    for (int q = 0; q < p->width; q++) {
        SN_TRY(sn_outfile_printf(f, "%s\t%d\t%d", p->name, q, q >= p->trim_start && q < p->trim_end));
        for (int k = 0; k < 3; k++)
            for (int c = 0; c < 4; c++) SN_TRY(sn_outfile_printf(f, "\t%.6g", matrix[k][4 * q + c]));
        SN_TRY(sn_outfile_printf(f, "\n"));
    }
    for (int i = 0; i < p->n_sub; i++) SN_TRY(put_matrix(&p->sub[i], f));
    return 0;
}

static int write_matrices(const struct sn_patterns *p, const struct sn_places *places, bool rna, struct sn_outfile *f) {
    (void)places;
    static const char *const what[3] = {"frequency", "contribution", "hypothetical"};
    SN_TRY(sn_outfile_printf(f, "pattern\tposition\tcore"));
    for (int k = 0; k < 3; k++)
        for (int c = 0; c < 4; c++) SN_TRY(sn_outfile_printf(f, "\t%s_%c", what[k], (rna ? "ACGU" : "ACGT")[c]));
    SN_TRY(sn_outfile_printf(f, "\n"));
    for (int i = 0; i < p->n; i++) SN_TRY(put_matrix(&p->v[i], f));
    return 0;
}

/* ---- seqlets ---- */

static const char *sequence_name(const struct sn_places *places, int32_t i, char *buf, size_t n) {
    if (places) return places->v[i].name;
    snprintf(buf, n, "sequence_%" PRId32, i + 1);
    return buf;
}

static int write_seqlets(const struct sn_patterns *p, const struct sn_places *places, bool rna, struct sn_outfile *f) {
    (void)rna;
    char name[32];
    SN_TRY(sn_outfile_printf(f, "pattern\tsequence\trow\tstart\tend\tstrand\tcontribution\n"));
    for (int i = 0; i < p->n; i++)
        for (int k = 0; k < p->v[i].n; k++) {
            const struct sn_seqlet *s = &p->v[i].seqlets[k];
            SN_TRY(sn_outfile_printf(f, "%s\t%s\t%" PRId32 "\t%" PRId32 "\t%" PRId32 "\t%c\t%.6g\n", p->v[i].name,
                                     sequence_name(places, s->sequence, name, sizeof name), s->sequence, s->start, s->end,
                                     s->reverse ? '-' : '+', (double)s->contribution));
        }
    return 0;
}

static double strongest(const struct sn_patterns *p) {
    double most = 0;
    for (int i = 0; i < p->n; i++)
        for (int k = 0; k < p->v[i].n; k++)
            if (fabsf(p->v[i].seqlets[k].contribution) > most) most = fabsf(p->v[i].seqlets[k].contribution);
    return most;
}

/* Where sequences are parts of a genome, on the genome; else on the sequences. */
static int write_bed(const struct sn_patterns *p, const struct sn_places *places, bool rna, struct sn_outfile *f) {
    (void)rna;
    char name[32];
    double most = strongest(p);
    for (int i = 0; i < p->n; i++)
        for (int k = 0; k < p->v[i].n; k++) {
            const struct sn_seqlet *s = &p->v[i].seqlets[k];
            const char *chrom = sequence_name(places, s->sequence, name, sizeof name);
            int64_t start = s->start, end = s->end;
            bool reverse = s->reverse;
            const struct sn_place *at = places ? &places->v[s->sequence] : NULL;
            if (at && at->chrom) {
                chrom = at->chrom;
                start = at->reverse ? at->end - s->end : at->start + s->start;
                end = start + (s->end - s->start);
                reverse = reverse != at->reverse;
            }
            int score = most > 0 ? (int)(1000 * fabs((double)s->contribution) / most) : 0;
            SN_TRY(sn_outfile_printf(f, "%s\t%" PRId64 "\t%" PRId64 "\t%s\t%d\t%c\n", chrom, start, end, p->v[i].name, score,
                                     reverse ? '-' : '+'));
        }
    return 0;
}

/* ---- the folder ---- */

typedef int (*write_fn)(const struct sn_patterns *p, const struct sn_places *places, bool rna, struct sn_outfile *f);
static const struct {
    const char *name;
    write_fn write;
} files[] = {
    {"motifs.meme", write_meme},
    {"motifs_contribution.meme", write_contributions},
    {"motifs_hypothetical.meme", write_hypothetical},
    {"patterns.tsv", write_patterns},
    {"matrices.tsv", write_matrices},
    {"seqlets.tsv", write_seqlets},
    {"seqlets.bed", write_bed},
};
#define FILES (sizeof files / sizeof *files)

int sn_patterns_write(const struct sn_patterns *p, const struct sn_places *places, bool rna, const char *folder) {
    struct sn_outfile *out[FILES] = {NULL};
    int rc = 0;
    for (size_t i = 0; i < FILES; i++) {
        SN_GO(sn_outfile_open_in(folder, files[i].name, &out[i]));
        SN_GO(files[i].write(p, places, rna, out[i]));
    }
    for (size_t i = 0; i < FILES; i++) {
        struct sn_outfile *f = out[i];
        out[i] = NULL;
        SN_GO(sn_outfile_commit(f));
    }
done:
    for (size_t i = 0; i < FILES; i++) sn_outfile_abort(out[i]);
    return rc;
}

void sn_patterns_remove(const char *folder) {
    for (size_t i = 0; i < FILES; i++) sn_remove_files(folder, files[i].name, files[i].name);
}
