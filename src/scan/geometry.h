/* Windows on a contig. Window i begins at i * stride from base 0, whatever region, tile or part is asked for; its score belongs to the
 * `stride` bases in its middle, the first and last one stretched to the contig's ends, so that the intervals cover the contig once. */
#ifndef SN_SCAN_GEOMETRY_H
#define SN_SCAN_GEOMETRY_H

#include <stdint.h>

struct sn_windows {
    int64_t size, stride; /* bases, >= 1 */
};

/* Windows of a contig: those that fit, and a single padded one on a contig shorter than the window; 0 on an empty contig. */
int64_t sn_windows_count(const struct sn_windows *w, int64_t contig);
/* The bases that window i of n speaks for, on a contig of that length. contig is read for the last window only. */
void sn_windows_interval(const struct sn_windows *w, int64_t i, int64_t n, int64_t contig, int64_t *start, int64_t *end);
/* First and last window whose interval meets [start, end), a non-empty part of the contig with n >= 1 windows. */
void sn_windows_over(const struct sn_windows *w, int64_t n, int64_t start, int64_t end, int64_t *first, int64_t *last);

#endif
