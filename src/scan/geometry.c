#include "scan/geometry.h"

int64_t sn_windows_count(const struct sn_windows *w, int64_t contig) {
    if (contig < 1) return 0;
    return contig < w->size ? 1 : (contig - w->size) / w->stride + 1;
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

/* From a window's start to that of its interval; negative when the stride is longer than the window. */
static int64_t inset(const struct sn_windows *w) {
    return floor_div(w->size - w->stride, 2);
}

void sn_windows_interval(const struct sn_windows *w, int64_t i, int64_t n, int64_t contig, int64_t *start, int64_t *end) {
    *start = i == 0 ? 0 : i * w->stride + inset(w);
    *end = i == n - 1 ? contig : (i + 1) * w->stride + inset(w);
}

static int64_t window_at(const struct sn_windows *w, int64_t n, int64_t base) {
    int64_t i = floor_div(base - inset(w), w->stride);
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

void sn_windows_over(const struct sn_windows *w, int64_t n, int64_t start, int64_t end, int64_t *first, int64_t *last) {
    *first = window_at(w, n, start);
    *last = window_at(w, n, end - 1);
}
