/* Scores and figures as tables: tab-separated, one header line, shortest digits that read back, C locale. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/predictor.h"
#include "core/file.h"
#include "core/parse.h"

static bool has_positions(const struct sn_dataset *d) {
    for (int64_t i = 0; i < d->n; i++)
        if (!d->at || d->at[i].chrom < 0) return false;
    return d->n > 0;
}

static bool has_strands(const struct sn_dataset *d) {
    for (int64_t i = 0; i < d->n; i++)
        if (d->at[i].strand != 0) return true;
    return false;
}

static int put_position(struct sn_outfile *f, const struct sn_dataset *d, const struct sn_interval *at, bool strand) {
    SN_TRY(sn_outfile_cell(f, d->chroms[at->chrom]));
    SN_TRY(sn_outfile_printf(f, "\t%lld\t%lld", (long long)at->start, (long long)at->end));
    return strand ? sn_outfile_printf(f, "\t%s", at->strand > 0 ? "+" : at->strand < 0 ? "-" : ".") : 0;
}

static int put_scores(struct sn_outfile *f, const struct sn_model *m, const struct sn_dataset *d, const float *scores) {
    char number[32];
    bool places = has_positions(d), strand = places && has_strands(d);
    SN_TRY(sn_outfile_printf(f, "%s", !places ? "name" : strand ? "chrom\tstart\tend\tstrand" : "chrom\tstart\tend"));
    for (int k = 0; k < m->n_tasks; k++) {
        SN_TRY(sn_outfile_write(f, "\t", 1));
        SN_TRY(sn_outfile_cell(f, m->tasks[k]));
    }
    SN_TRY(sn_outfile_write(f, "\n", 1));
    for (int64_t i = 0; i < d->n; i++) {
        SN_TRY(places ? put_position(f, d, &d->at[i], strand) : sn_outfile_cell(f, d->names[i]));
        for (int k = 0; k < m->n_tasks; k++) SN_TRY(sn_outfile_printf(f, "\t%s", sn_format_f32(scores[i * m->n_tasks + k], number)));
        SN_TRY(sn_outfile_write(f, "\n", 1));
    }
    return 0;
}

int seqnet_predict_write(seqnet_predictor *p, seqnet_source *s, const char *path) {
    struct sn_outfile *f = NULL;
    float *scores = NULL;
    int rc = 0;
    int64_t floats = seqnet_predict_bound(p, s->d->n);
    SN_GO(sn_outfile_open(path, &f));
    scores = sn_calloc(floats > 0 ? (size_t)floats : 0, sizeof *scores);
    SN_GO(scores ? 0 : SEQNET_ENOMEM);
    SN_GO(sn_predictor_run(p, s->d, p->o.logits, scores));
    SN_GO(put_scores(f, p->models[0], s->d, scores));
    rc = sn_outfile_commit(f);
    f = NULL;
done:
    sn_outfile_abort(f);
    free(scores);
    return rc < 0 ? rc : 0;
}

static int put_metrics(struct sn_outfile *f, const struct sn_model *m, const seqnet_metric *metrics, int n) {
    char number[32];
    SN_TRY(sn_outfile_printf(f, "task\tmetric\tvalue\n"));
    for (int i = 0; i < n; i++) {
        SN_TRY(sn_outfile_cell(f, metrics[i].task < 0 ? "mean" : m->tasks[metrics[i].task]));
        SN_TRY(
            sn_outfile_printf(f, "\t%s\t%s\n", metrics[i].name, isnan(metrics[i].value) ? "NA" : sn_format_f64(metrics[i].value, number)));
    }
    return 0;
}

int seqnet_evaluate_write(seqnet_predictor *p, seqnet_source *s, const char *path) {
    struct sn_outfile *f = NULL;
    int n = seqnet_evaluate_bound(p), rc = 0;
    seqnet_metric *metrics = sn_calloc((size_t)n, sizeof *metrics);
    SN_GO(metrics ? 0 : SEQNET_ENOMEM);
    metrics[0].size = sizeof *metrics;
    SN_GO(sn_outfile_open(path, &f));
    SN_GO(seqnet_evaluate(p, s, metrics, &n));
    SN_GO(put_metrics(f, p->models[0], metrics, n));
    rc = sn_outfile_commit(f);
    f = NULL;
done:
    sn_outfile_abort(f);
    free(metrics);
    return rc < 0 ? rc : 0;
}
