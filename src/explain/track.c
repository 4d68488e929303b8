/* Contributions along the genome. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"
#include "explain/parts.h"

/* Intervals sorted by chromosome name, then start; a run is a set of them that overlap one another in a chain. */
struct item {
    const char *chrom;
    int64_t start, end; /* inside the chromosome */
    int64_t i;          /* of the data set */
};

static int compare_items(const void *a, const void *b) {
    const struct item *x = a, *y = b;
    int names = strcmp(x->chrom, y->chrom);
    if (names) return names;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    return x->i < y->i ? -1 : 1;
}

static size_t list_items(const struct sn_dataset *d, struct item *items) {
    size_t n = 0;
    for (int64_t i = 0; i < d->n; i++) {
        const struct sn_interval *at = &d->at[i];
        if (at->chrom < 0) continue;
        int64_t length = d->chrom_length ? d->chrom_length[at->chrom] : 0;
        struct item it = {d->chroms[at->chrom], at->start < 0 ? 0 : at->start, length > 0 && at->end > length ? length : at->end, i};
        if (it.start < it.end) items[n++] = it;
    }
    qsort(items, n, sizeof *items, compare_items);
    return n;
}

/* Adds one interval to the sums over [origin, ...). Bases of the reverse strand run from the interval's end. */
static void add_item(const struct sn_dataset *d, const float *v, const struct item *it, int64_t origin, double *sum, int32_t *depth) {
    const struct sn_interval *at = &d->at[it->i];
    for (int64_t g = it->start; g < it->end; g++) {
        int64_t p = at->strand < 0 ? at->end - 1 - g : g - at->start;
        sum[g - origin] += (double)v[p];
        depth[g - origin]++;
    }
}

static int write_run(const struct item *first, const double *sum, const int32_t *depth, int64_t n, struct sn_outfile *f) {
    for (int64_t g = 0; g < n; g++) {
        char value[32];
        sn_format_f32((float)(sum[g] / depth[g]), value);
        SN_TRY(sn_outfile_printf(f, "%s\t%" PRId64 "\t%" PRId64 "\t%s\n", first->chrom, first->start + g, first->start + g + 1, value));
    }
    return 0;
}

int sn_track_write(const struct sn_dataset *d, sn_track_fetch fetch, void *self, struct sn_outfile *f) {
    struct item *items = sn_calloc((size_t)d->n, sizeof *items);
    void *sum = NULL, *depth = NULL;
    size_t cap_sum = 0, cap_depth = 0;
    float *c = sn_calloc((size_t)sn_dataset_longest(d), sizeof *c);
    int rc = items && c ? 0 : SEQNET_ENOMEM;
    size_t n = rc == 0 ? list_items(d, items) : 0;
    for (size_t a = 0, b; rc == 0 && a < n; a = b) {
        int64_t end = items[a].end;
        for (b = a + 1; b < n && items[b].start < end && strcmp(items[b].chrom, items[a].chrom) == 0; b++)
            if (items[b].end > end) end = items[b].end;
        size_t bases = (size_t)(end - items[a].start);
        SN_GO(sn_grow(&sum, &cap_sum, bases, sizeof(double)));
        SN_GO(sn_grow(&depth, &cap_depth, bases, sizeof(int32_t)));
        memset(sum, 0, bases * sizeof(double));
        memset(depth, 0, bases * sizeof(int32_t));
        for (size_t k = a; k < b; k++) {
            SN_GO(fetch(self, items[k].i, c));
            add_item(d, c, &items[k], items[a].start, sum, depth);
        }
        SN_GO(write_run(&items[a], sum, depth, (int64_t)bases, f));
    }
done:
    free(items);
    free(c);
    free(sum);
    free(depth);
    return rc;
}
