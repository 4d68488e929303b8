/* Intervals -> windows of the reference -> rows. */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "seq/rows.h"

int sn_region_name(const struct sn_dataset *d, const struct sn_interval *at, char **out) {
    struct sn_str s = {0};
    int64_t length = d->chrom_length[at->chrom];
    int64_t from = at->start < 0 ? 0 : at->start, to = length && at->end > length ? length : at->end;
    SN_TRY(sn_str_printf(&s, "%s:%lld-%lld", d->chroms[at->chrom], (long long)from + 1, (long long)to));
    *out = s.s;
    return 0;
}

struct mapping {
    int contig; /* of the reference */
    int chrom;  /* of the data set */
};

static int unknown_contig(const struct sn_loci *l, int32_t chrom, const struct sn_reference *r) {
    struct sn_str names = {0};
    size_t i = 0;
    while (l->v[i].chrom != chrom) i++;
    int rc = sn_names_show(l->chroms.v, l->chroms.n, &names);
    if (rc == 0) {
        rc = sn_reference_find(r, l->chroms.v[chrom]);
        rc = sn_error_prefix(rc, "%s:%lld (its contigs: %s)", l->path, (long long)l->v[i].line, names.s);
    }
    sn_str_free(&names);
    return rc;
}

static int map_contigs(struct sn_dataset *d, const struct sn_loci *l, const struct sn_reference *r, struct mapping *map) {
    for (int32_t c = 0; c < l->chroms.n; c++) {
        map[c].contig = sn_reference_lookup(r, l->chroms.v[c]);
        if (map[c].contig < 0) return unknown_contig(l, c, r);
        map[c].chrom = sn_dataset_chrom(d, l->chroms.v[c]);
        SN_TRY(map[c].chrom);
        d->chrom_length[map[c].chrom] = sn_reference_length(r, map[c].contig);
    }
    return 0;
}

static struct sn_interval window_of(const struct sn_locus *x, int chrom, const struct sn_dataset_options *o) {
    struct sn_interval w = {chrom, x->strand, x->start, x->end};
    if (o->window > 0) {
        bool summit = o->center == SN_CENTER_SUMMIT && x->summit >= 0;
        int64_t center = summit ? x->start + x->summit : x->start + (x->end - x->start) / 2;
        w.start = center - o->window / 2;
        w.end = w.start + o->window;
    }
    return w;
}

static int check_bounds(const struct sn_loci *l, const struct sn_locus *x, const struct sn_reference *r, int contig) {
    int64_t length = sn_reference_length(r, contig);
    if (x->end <= length) return 0;
    return sn_error(SEQNET_EDATA, "%s:%lld: %s:%lld-%lld reaches beyond the contig, which has %lld bases in %s", l->path,
                    (long long)x->line, l->chroms.v[x->chrom], (long long)x->start, (long long)x->end, (long long)length,
                    sn_reference_path(r));
}

static int push_windows(struct sn_dataset *d, const struct sn_loci *l, const struct sn_reference *r, const struct mapping *map,
                        const struct sn_dataset_options *o, const float *target) {
    for (size_t i = 0; i < l->n; i++) {
        const struct sn_locus *x = &l->v[i];
        SN_TRY(check_bounds(l, x, r, map[x->chrom].contig));
        struct sn_interval w = window_of(x, map[x->chrom].chrom, o);
        char *name;
        if (x->name == NULL)
            SN_TRY(sn_region_name(d, &w, &name));
        else if ((name = sn_strdup(x->name)) == NULL)
            return SEQNET_ENOMEM;
        SN_TRY(sn_dataset_push(d, name, w.end - w.start, &w, target));
    }
    return 0;
}

struct placed {
    int contig;
    int64_t start, row;
};

static int by_place(const void *a, const void *b) {
    const struct placed *x = a, *y = b;
    if (x->contig != y->contig) return x->contig < y->contig ? -1 : 1;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Codes of one row, as its strand reads. */
static int fetch_row(struct sn_dataset *d, struct sn_reference *r, int contig, int64_t row) {
    const struct sn_interval *at = &d->at[row];
    int64_t outside;
    uint8_t *codes = d->codes + d->offset[row];
    SN_TRY(sn_reference_fetch_padded(r, contig, at->start, at->end, codes, &outside));
    d->padded += outside > 0;
    if (at->strand < 0) sn_revcomp(d->alphabet, codes, at->end - at->start);
    return 0;
}

int sn_rows_from_loci(struct sn_dataset *d, const struct sn_loci *l, struct sn_reference *r, const struct sn_dataset_options *o,
                      const float *target) {
    int rc = 0;
    int64_t first = d->n, ambiguous;
    struct mapping *map = sn_calloc((size_t)l->chroms.n, sizeof *map);
    struct placed *order = sn_calloc(l->n, sizeof *order);
    if (map == NULL || order == NULL) SN_GO(SEQNET_ENOMEM);
    if (o->center == SN_CENTER_SUMMIT && o->window > 0 && !l->has_summits)
        sn_log(o->sink, SN_LOG_WARN, "%s: has no summits (narrowPeak); windows are taken about the middle", l->path);
    SN_GO(map_contigs(d, l, r, map));
    SN_GO(push_windows(d, l, r, map, o, target));
    for (size_t i = 0; i < l->n; i++) {
        int64_t row = first + (int64_t)i;
        order[i] = (struct placed){map[l->v[i].chrom].contig, d->at[row].start, row};
    }
    qsort(order, l->n, sizeof *order, by_place); /* one way through the file */
    for (size_t i = 0; i < l->n; i++) {
        if (i % 65536 == 0) SN_GO(sn_check_cancel(o->sink));
        SN_GO(fetch_row(d, r, order[i].contig, order[i].row));
    }
    for (size_t i = 0; i < l->n; i++) {
        if (sn_dataset_letters(d, first + (int64_t)i, &ambiguous) == 0)
            SN_GO(sn_error(SEQNET_EDATA, "%s:%lld: the window of '%s' holds nothing but N", l->path, (long long)l->v[i].line,
                           d->names[first + (int64_t)i]));
        d->ambiguous += ambiguous;
    }
done:
    free(map);
    free(order);
    return rc;
}
