#include "api/pictures.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/report_data.h"
#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/parse.h"
#include "motif/meme.h"
#include "report/logo.h"

#define PSEUDO_COUNT 1.0    /* of each column of a motif */
#define MIN_OVERLAP 6       /* columns that a known motif must share */
#define NAME_LENGTH 60      /* of a sequence's name in a file name */
#define LOGO_POSITIONS 2400 /* of longer sequences the part about the strongest base is drawn */

static int draw(const char *folder, const char *file, const struct sn_logo *logo) {
    struct sn_outfile *f = NULL;
    SN_TRY(sn_outfile_open_in(folder, file, &f));
    int rc = sn_logo_write(logo, f);
    if (rc == 0) return sn_outfile_commit(f);
    sn_outfile_abort(f);
    return rc;
}

/* ---- filters ---- */

static int draw_motif(const struct sn_pictures *p, const struct sn_motif_set *set, const struct sn_motif *m, const char *subtitle) {
    struct sn_str file = {0};
    int letters = set->letters, rc = 0;
    double *bits = sn_calloc((size_t)m->width, sizeof *bits);
    float *height = sn_calloc((size_t)m->width * (size_t)letters, sizeof *height);
    if (!bits || !height) SN_GO(SEQNET_ENOMEM);
    sn_motif_information(set, m, bits);
    for (int i = 0; i < m->width * letters; i++) height[i] = (float)(m->p[i] * bits[i / letters]);
    SN_GO(sn_str_puts(&file, "logos/filter_"));
    SN_GO(sn_str_puts(&file, m->id));
    SN_GO(sn_str_puts(&file, ".svg"));
    SN_GO(draw(p->folder, file.s,
               &(struct sn_logo){.title = m->id,
                                 .subtitle = subtitle,
                                 .y_label = "bits",
                                 .letters = set->letter,
                                 .n_letters = letters,
                                 .length = m->width,
                                 .height = height,
                                 .y_max = letters == 4 ? 2 : 0,
                                 .first = 1,
                                 .cell = 28}));
done:
    sn_str_free(&file);
    free(bits);
    free(height);
    return rc;
}

/* The columns about the known motif that is most like this one; the same in words behind the number of sites. */
static int write_likeness(const struct sn_pictures *p, const struct sn_motif_set *set, const struct sn_motif *m, struct sn_outfile *table,
                          struct sn_str *subtitle) {
    struct sn_motif_match match;
    char text[32];
    int best = sn_motif_best(set, m, p->known, MIN_OVERLAP, &match);
    if (best < 0) return 0;
    const struct sn_motif *k = &p->known->m[best];
    const char *name = k->alt ? k->alt : k->id;
    SN_TRY(sn_str_printf(subtitle, ", most like %s (r = %s)", name, sn_format_f32(roundf((float)match.correlation * 1000) / 1000, text)));
    return sn_outfile_printf(table, "\t%s\t%s\t%s\t%c\t%d", k->id, name, sn_format_f32((float)match.correlation, text),
                             match.reverse ? '-' : '+', match.offset);
}

static int write_filter(const struct sn_pictures *p, const struct sn_filter *f, struct sn_motif_set *set, struct sn_outfile *table) {
    struct sn_str subtitle = {0};
    char activation[32], information[32], *consensus = sn_calloc((size_t)f->size + 1, 1);
    int rc = 0;
    if (!consensus) SN_GO(SEQNET_ENOMEM);
    SN_GO(sn_motif_add_counts(set, f->name, NULL, f->size, f->counts, PSEUDO_COUNT, (double)f->sites));
    const struct sn_motif *m = &set->m[set->n - 1];
    sn_motif_consensus(set, m, consensus);
    sn_format_f32((float)sn_motif_information(set, m, NULL), information);
    SN_GO(sn_outfile_printf(table, "%s\t%lld\t%s\t%s\t%s", f->name, (long long)f->sites, sn_format_f32(f->max, activation), information,
                            consensus));
    SN_GO(sn_str_printf(&subtitle, "%lld sites", (long long)f->sites));
    SN_GO(write_likeness(p, set, m, table, &subtitle));
    SN_GO(sn_outfile_printf(table, "\n"));
    SN_GO(draw_motif(p, set, m, subtitle.s));
done:
    sn_str_free(&subtitle);
    free(consensus);
    return rc;
}

static int write_motifs(const struct sn_pictures *p, const struct sn_filters *filters, struct sn_motif_set *set) {
    struct sn_outfile *meme = NULL, *table = NULL;
    int rc = 0;
    SN_GO(sn_outfile_open_in(p->folder, "filters.meme", &meme));
    SN_GO(sn_outfile_open_in(p->folder, "filters.tsv", &table));
    SN_GO(sn_outfile_printf(table, "filter\tsites\tmax_activation\tinformation\tconsensus%s\n",
                            p->known->n ? "\tbest_match\tbest_match_name\tcorrelation\tstrand\toffset" : ""));
    for (int i = 0; i < filters->n; i++) SN_GO(write_filter(p, &filters->v[i], set, table));
    SN_GO(sn_meme_write(set, meme));
    rc = sn_outfile_commit(meme);
    meme = NULL;
    if (rc == 0) {
        rc = sn_outfile_commit(table);
        table = NULL;
    }
done:
    sn_outfile_abort(meme);
    sn_outfile_abort(table);
    return rc;
}

static int write_filters(const struct sn_pictures *p, int *motifs) {
    struct sn_filters filters = {0};
    struct sn_motif_set set = {0};
    int rc = 0;
    SN_GO(sn_explainer_filters(p->e, p->d, &filters));
    *motifs = filters.n;
    if (filters.layers == 0) {
        sn_log(p->sink, SN_LOG_INFO, "no convolution reads the sequence: there are no filter motifs");
        goto done;
    }
    SN_GO(sn_motif_set_init(&set, p->d->alphabet->letters));
    SN_GO(write_motifs(p, &filters, &set));
    if (filters.silent)
        sn_log(p->sink, SN_LOG_INFO, "%d of %d filters never activate and are left out", filters.silent, filters.silent + filters.n);
    if (filters.every > 1) sn_log(p->sink, SN_LOG_INFO, "filter motifs are made from one sequence in %lld", (long long)filters.every);
done:
    sn_filters_free(&filters);
    sn_motif_set_free(&set);
    return rc;
}

/* ---- sequences ---- */

/* The strongest sequences of a task. */
struct drawing {
    const struct sn_pictures *p;
    int task;
    const struct sn_explained_task *x;
    struct sn_npz_rows *rows; /* contributions */
    float *row;               /* (longest, channels) */
    bool *drawn;
};

/* A base's contribution, on whatever letters it stands. */
static float contribution(const float *row, int channels) {
    double sum = 0;
    for (int k = 0; k < channels; k++) sum += (double)row[k];
    return (float)sum;
}

/* First of up to LOGO_POSITIONS positions about the strongest base. */
static int64_t logo_start(const float *c, int channels, int64_t len) {
    int64_t top = 0;
    for (int64_t i = 1; i < len; i++)
        if (contribution(c + i * channels, channels) > contribution(c + top * channels, channels)) top = i;
    int64_t start = top - LOGO_POSITIONS / 2;
    if (start > len - LOGO_POSITIONS) start = len - LOGO_POSITIONS;
    return start < 0 ? 0 : start;
}

/* The contribution on the letter that is there; where there is none, nothing is drawn. */
static void letter_heights(const struct sn_alphabet *a, const uint8_t *codes, const float *c, int64_t n, float *height) {
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < a->channels; k++)
            height[i * a->channels + k] =
                toupper(a->decode[codes[i]]) == a->letters[k] ? contribution(c + i * a->channels, a->channels) : 0;
}

static int draw_sequence(const struct drawing *w, int64_t i, int rank) {
    const struct sn_pictures *p = w->p;
    const struct sn_dataset *d = p->d;
    int channels = d->alphabet->channels, rc = 0;
    int64_t len = sn_dataset_len(d, i), n = len < LOGO_POSITIONS ? len : LOGO_POSITIONS, start;
    struct sn_str file = {0}, subtitle = {0};
    float *height = sn_calloc((size_t)n * (size_t)channels, sizeof *height);
    if (!height) SN_GO(SEQNET_ENOMEM);
    SN_GO(sn_npz_row(w->rows, i, w->row));
    start = logo_start(w->row, channels, len);
    letter_heights(d->alphabet, d->codes + d->offset[i] + start, w->row + start * channels, n, height);
    SN_GO(sn_explainer_target(p->e, w->task, &subtitle));
    SN_GO(sn_str_printf(&subtitle, " %.3g", (double)w->x->output[i]));
    if (!isnan(w->x->expected[i])) SN_GO(sn_str_printf(&subtitle, ", mean of references %.3g", (double)w->x->expected[i]));
    SN_GO(sn_str_printf(&file, "logos/sequence_%03d_", rank));
    SN_GO(sn_file_word(&file, d->names[i], NAME_LENGTH));
    SN_GO(sn_str_puts(&file, ".svg"));
    SN_GO(draw(w->x->folder, file.s,
               &(struct sn_logo){.title = d->names[i],
                                 .subtitle = subtitle.s,
                                 .y_label = "contribution",
                                 .letters = d->alphabet->letters,
                                 .n_letters = channels,
                                 .length = n,
                                 .height = height,
                                 .first = start}));
done:
    sn_str_free(&file);
    sn_str_free(&subtitle);
    free(height);
    return rc;
}

static int draw_ranks(struct drawing *w) {
    const struct sn_pictures *p = w->p;
    int64_t n = p->n_logos < p->d->n ? p->n_logos : p->d->n;
    for (int rank = 1; rank <= n; rank++) {
        int64_t i = sn_next_strongest(w->x->output, p->d->n, w->drawn);
        w->drawn[i] = true;
        SN_TRY(draw_sequence(w, i, rank));
        sn_progress(p->sink, "logos", w->task * n + rank, p->x->n_tasks * n, "sequences", "");
    }
    return 0;
}

/* The folder of the logos, without those of an earlier run whose names begin so. */
static int make_logos(const char *folder, const char *begin) {
    struct sn_str logos = {0};
    int rc = sn_str_printf(&logos, "%s/logos", folder);
    if (rc == 0) rc = sn_make_dir(logos.s);
    if (rc == 0) sn_remove_files(logos.s, begin, ".svg");
    sn_str_free(&logos);
    return rc;
}

static int draw_strongest(const struct sn_pictures *p, int task) {
    struct drawing w = {.p = p, .task = task, .x = &p->x->tasks[task]};
    struct sn_str path = {0};
    int rc = 0;
    SN_GO(make_logos(w.x->folder, "sequence_"));
    SN_GO(sn_str_printf(&path, "%s/contributions.npz", w.x->folder));
    SN_GO(sn_npz_rows_open(path.s, &w.rows));
    w.row = sn_calloc((size_t)sn_dataset_longest(p->d) * (size_t)p->d->alphabet->channels, sizeof *w.row);
    w.drawn = sn_calloc((size_t)p->d->n, sizeof *w.drawn);
    if (!w.row || !w.drawn) SN_GO(SEQNET_ENOMEM);
    SN_GO(draw_ranks(&w));
done:
    sn_str_free(&path);
    sn_npz_rows_close(w.rows);
    free(w.row);
    free(w.drawn);
    return rc;
}

void sn_pictures_remove(const char *folder) {
    struct sn_str logos = {0};
    if (sn_str_printf(&logos, "%s/logos", folder) == 0) {
        sn_remove_files(logos.s, "sequence_", ".svg");
        rmdir(logos.s); /* when it is empty */
    }
    sn_str_free(&logos);
}

int sn_pictures_write(const struct sn_pictures *p, int *motifs) {
    *motifs = 0;
    SN_TRY(make_logos(p->folder, "filter_"));
    SN_TRY(write_filters(p, motifs));
    for (int t = 0; t < p->x->n_tasks; t++) SN_TRY(draw_strongest(p, t));
    return 0;
}
