#include "scan/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"

static int write_text(struct sn_scan_writer *w, const char *s) {
    return sn_scan_output_write(w->out, s, strlen(s));
}

int sn_scan_writer_open(struct sn_scan_writer *w, const struct sn_scan_writer_options *o, const char *name) {
    *w = (struct sn_scan_writer){.o = *o};
    SN_TRY(sn_scan_output_open(name, &w->out));
    int rc = write_text(w, o->header);
    if (rc == 0 && o->kind == SN_SCAN_SITES) rc = write_text(w, "#chrom\tstart\tend\tname\tscore\tstrand\tvalue\tsummit\n");
    if (rc < 0) sn_scan_writer_abort(w);
    return rc;
}

/* ---- the track ---- */

static int write_interval(struct sn_scan_writer *w, const struct sn_scan_piece *p, int64_t start, int64_t end, float score) {
    char line[128], value[32];
    if (start < p->from) start = p->from;
    if (end > p->to) end = p->to;
    if (start >= end) return 0;
    int n = snprintf(line, sizeof line, "\t%" PRId64 "\t%" PRId64 "\t%s\n", start, end, sn_format_f32(score, value));
    w->bases += end - start;
    if (end > w->longest) w->longest = end;
    SN_TRY(write_text(w, p->name));
    return sn_scan_output_write(w->out, line, (size_t)n);
}

/* ---- sites ---- */

/* 1000 p rounded, within 0..1000 also for values that are no probabilities. */
static int thousandths(float p) {
    float v = p * 1000.0f;
    return v <= 0 ? 0 : v >= 1000.0f ? 1000 : (int)(v + 0.5f);
}

static int end_site(struct sn_scan_writer *w) {
    const struct sn_scan_site *s = &w->site;
    if (!s->open) return 0;
    char line[256], value[32];
    w->sites++;
    int n = snprintf(line, sizeof line, "\t%" PRId64 "\t%" PRId64 "\tsite%" PRId64 "\t%d\t%c\t%s\t%" PRId64 "\n", s->start, s->end,
                     w->sites, thousandths(s->score),
                     s->strand > 0   ? '+'
                     : s->strand < 0 ? '-'
                                     : '.',
                     sn_format_f32(s->score, value), s->summit - s->start);
    if (s->end > w->longest) w->longest = s->end;
    w->site.open = false;
    SN_TRY(write_text(w, w->contig));
    return sn_scan_output_write(w->out, line, (size_t)n);
}

static int extend_site(struct sn_scan_writer *w, const struct sn_scan_piece *p, int64_t start, const struct sn_scan_batch *b, int at) {
    struct sn_scan_site *s = &w->site;
    int64_t end = p->padded ? p->contig : start + w->o.windows.size, summit = start + (end - start) / 2;
    if (s->open && (strcmp(w->contig, p->name) != 0 || start > s->end || start < s->start)) SN_TRY(end_site(w));
    if (!s->open) {
        free(w->contig);
        w->contig = sn_strdup(p->name);
        if (!w->contig) return SEQNET_ENOMEM;
        *s = (struct sn_scan_site){true, start, end, summit, b->score[at], b->rank[at], b->strand[at]};
        return 0;
    }
    s->end = end;
    if (b->rank[at] > s->rank) {
        s->score = b->score[at];
        s->rank = b->rank[at];
        s->summit = summit;
        s->strand = b->strand[at];
    }
    return 0;
}

/* ---- batches ---- */

int sn_scan_writer_batch(struct sn_scan_writer *w, const struct sn_scan_batch *b) {
    int at = 0;
    for (int k = 0; k < b->n_pieces; k++) {
        const struct sn_scan_piece *p = &b->pieces[k];
        for (int i = 0; i < p->n; i++, at++) {
            int64_t start, end;
            sn_windows_interval(&w->o.windows, p->first + i, p->n_contig, p->contig, &start, &end);
            if (w->o.kind == SN_SCAN_TRACK) SN_TRY(write_interval(w, p, start, end, b->score[at]));
            if (w->o.kind == SN_SCAN_SITES) w->bases += (end < p->to ? end : p->to) - (start > p->from ? start : p->from);
            if (w->o.kind == SN_SCAN_SITES && b->passed[at]) SN_TRY(extend_site(w, p, (p->first + i) * w->o.windows.stride, b, at));
        }
        if (p->first + p->n == p->n_contig) SN_TRY(end_site(w)); /* the contig's last window */
    }
    w->windows += b->n;
    return 0;
}

int sn_scan_writer_commit(struct sn_scan_writer *w) {
    int rc = end_site(w);
    free(w->contig);
    w->contig = NULL;
    if (rc < 0) {
        sn_scan_output_abort(w->out);
        return rc;
    }
    return sn_scan_output_commit(w->out, w->longest);
}

void sn_scan_writer_abort(struct sn_scan_writer *w) {
    free(w->contig);
    w->contig = NULL;
    sn_scan_output_abort(w->out);
    w->out = NULL;
}
