#include "scan/regions.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"
#include "seq/bed.h"

void sn_regions_free(struct sn_regions *g) {
    free(g->v);
    *g = (struct sn_regions){0};
}

static int add(struct sn_regions *g, int contig, int64_t start, int64_t end) {
    void *v = g->v;
    int rc = sn_grow(&v, &g->cap, g->n + 1, sizeof *g->v);
    g->v = v;
    SN_TRY(rc);
    g->v[g->n++] = (struct sn_region){contig, start, end};
    return 0;
}

/* ---- a region string ---- */

/* A position with optional thousands commas. */
static bool parse_position(const char *s, size_t n, int64_t *out) {
    char digits[32];
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == ',') continue;
        if (k == sizeof digits) return false;
        digits[k++] = s[i];
    }
    return sn_parse_i64(digits, k, out);
}

/* "from", "from-" or "from-to" behind the colon. */
static int parse_range(const char *region, const char *s, int64_t length, int64_t *start, int64_t *end) {
    const char *dash = strchr(s, '-');
    size_t n = dash ? (size_t)(dash - s) : strlen(s);
    int64_t from, to = length;
    bool ok = parse_position(s, n, &from) && (!dash || !dash[1] || parse_position(dash + 1, strlen(dash + 1), &to));
    if (!ok) return sn_error(SEQNET_EINVAL, "region '%s': expected contig, contig:from or contig:from-to", region);
    if (from < 1 || from > to || to > length)
        return sn_error(SEQNET_EDATA, "region '%s': expected 1 <= from <= to <= %lld, the length of the contig, got %lld to %lld", region,
                        (long long)length, (long long)from, (long long)to);
    *start = from - 1;
    *end = to;
    return 0;
}

/* A contig's name may hold colons itself: the whole string is tried first. */
static int add_region(const struct sn_reference *ref, const char *region, struct sn_regions *out) {
    const char *colon = strrchr(region, ':');
    int contig = sn_reference_lookup(ref, region);
    if (contig >= 0 && sn_reference_length(ref, contig) < 1) return sn_error(SEQNET_EDATA, "region '%s': the contig has no bases", region);
    if (contig >= 0) return add(out, contig, 0, sn_reference_length(ref, contig));
    char *name = sn_strndup(region, colon ? (size_t)(colon - region) : strlen(region));
    if (!name) return SEQNET_ENOMEM;
    contig = sn_reference_find(ref, name);
    free(name);
    if (contig < 0) return sn_error_prefix(contig, "region '%s'", region);
    int64_t start = 0, end = 0;
    SN_TRY(parse_range(region, colon + 1, sn_reference_length(ref, contig), &start, &end));
    return add(out, contig, start, end);
}

/* ---- a BED file ---- */

static int add_bed(const struct sn_reference *ref, const char *path, struct sn_regions *out) {
    struct sn_loci loci = {0};
    int rc = 0;
    SN_GO(sn_bed_open(path, &loci));
    for (size_t i = 0; i < loci.n; i++) {
        const struct sn_locus *l = &loci.v[i];
        int contig = sn_reference_find(ref, loci.chroms.v[l->chrom]);
        if (contig < 0) SN_GO(sn_error_prefix(contig, "%s:%lld", path, (long long)l->line));
        int64_t length = sn_reference_length(ref, contig);
        if (l->end > length)
            SN_GO(sn_error(SEQNET_EDATA, "%s:%lld: the region ends at %lld, beyond the end of %s (%lld)", path, (long long)l->line,
                           (long long)l->end, loci.chroms.v[l->chrom], (long long)length));
        SN_GO(add(out, contig, l->start, l->end));
    }
done:
    sn_loci_free(&loci);
    return rc;
}

static int compare_regions(const void *a, const void *b) {
    const struct sn_region *x = a, *y = b;
    if (x->contig != y->contig) return x->contig < y->contig ? -1 : 1;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    return 0;
}

static void join(struct sn_regions *g) {
    size_t n = 0;
    qsort(g->v, g->n, sizeof *g->v, compare_regions);
    for (size_t i = 0; i < g->n; i++) {
        struct sn_region *last = n ? &g->v[n - 1] : NULL;
        if (last && last->contig == g->v[i].contig && g->v[i].start <= last->end) {
            if (g->v[i].end > last->end) last->end = g->v[i].end;
        } else {
            g->v[n++] = g->v[i];
        }
    }
    g->n = n;
}

int sn_regions_read(const struct sn_reference *ref, const char *region, const char *bed, struct sn_regions *out) {
    *out = (struct sn_regions){0};
    int rc = region ? add_region(ref, region, out) : add_bed(ref, bed, out);
    if (rc == 0) join(out);
    if (rc < 0) sn_regions_free(out);
    return rc;
}
