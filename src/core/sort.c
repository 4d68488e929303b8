#include "core/sort.h"

#include <string.h>

#define SHORT 24 /* numbers: below it insertion is faster */

static void insertion(uint64_t *v, size_t n) {
    for (size_t i = 1; i < n; i++) {
        uint64_t x = v[i];
        size_t j = i;
        for (; j > 0 && v[j - 1] > x; j--) v[j] = v[j - 1];
        v[j] = x;
    }
}

void sn_sort_u64(uint64_t *v, size_t n, uint64_t *scratch) {
    if (n <= SHORT) {
        insertion(v, n);
        return;
    }
    uint64_t differ = 0, *from = v, *to = scratch;
    for (size_t i = 1; i < n; i++) differ |= v[i] ^ v[0];
    for (int shift = 0; shift < 64; shift += 8) {
        if (!(differ >> shift & 255)) continue;
        size_t place[256] = {0};
        for (size_t i = 0; i < n; i++) place[from[i] >> shift & 255]++;
        for (size_t b = 0, sum = 0; b < 256; b++) {
            size_t count = place[b];
            place[b] = sum;
            sum += count;
        }
        for (size_t i = 0; i < n; i++) to[place[from[i] >> shift & 255]++] = from[i];
        uint64_t *t = from;
        from = to;
        to = t;
    }
    if (from != v) memcpy(v, from, n * sizeof *v);
}

static void sort_falling(uint64_t *v, size_t n) {
    for (size_t i = 1; i < n; i++) {
        uint64_t w = v[i];
        size_t m = i;
        for (; m > 0 && v[m - 1] < w; m--) v[m] = v[m - 1];
        v[m] = w;
    }
}

/* Where one stands in v (n) that about `rank` of them are larger than. */
static size_t choose_pivot(const uint64_t *v, size_t n, size_t rank) {
    enum { SAMPLE = 15 };
    uint64_t s[SAMPLE];
    size_t step = n / SAMPLE, i = 0;
    for (size_t k = 0; k < SAMPLE; k++) s[k] = v[k * step];
    sort_falling(s, SAMPLE);
    uint64_t want = s[rank * SAMPLE / n];
    while (v[i] != want) i += step;
    return i;
}

void sn_select_largest_u64(uint64_t *v, size_t n, size_t k) {
    size_t low = 0, high = n;
    if (k == 0) return;
    while (high - low > SHORT) {
        size_t m = low, p = low + choose_pivot(v + low, high - low, k - 1 - low);
        uint64_t pivot = v[p];
        v[p] = v[high - 1];
        for (size_t i = low; i < high - 1; i++) { /* no branch to guess */
            uint64_t w = v[i];
            v[i] = v[m];
            v[m] = w;
            m += w > pivot;
        }
        v[high - 1] = v[m];
        v[m] = pivot;
        if (m == k - 1) return;
        if (m > k - 1)
            high = m;
        else
            low = m + 1;
    }
    sort_falling(v + low, high - low);
}
