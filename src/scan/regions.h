/* Regions of a genome: from a region string or a BED file. */
#ifndef SN_SCAN_REGIONS_H
#define SN_SCAN_REGIONS_H

#include <stddef.h>

#include "seq/reference.h"

struct sn_region { /* 0-based half-open, inside the contig */
    int contig;
    int64_t start, end;
};
struct sn_regions { /* {0} is a valid empty list */
    struct sn_region *v;
    size_t n, cap;
};

/* Exactly one of region and bed is given. Sorted by contig (order of the reference) and start, joined where they overlap or touch. */
int sn_regions_read(const struct sn_reference *ref, const char *region, const char *bed, struct sn_regions *out);
void sn_regions_free(struct sn_regions *g);

#endif
