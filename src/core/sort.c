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
