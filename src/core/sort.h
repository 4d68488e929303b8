/* Sorting numbers by radix: linear time, no comparisons. */
#ifndef SN_CORE_SORT_H
#define SN_CORE_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Ascending; scratch holds n. Bytes in which all numbers agree cost nothing but one look. */
void sn_sort_u64(uint64_t *v, size_t n, uint64_t *scratch);
/* Moves the k <= n largest of n numbers to the front, the least of them last. Linear time where the numbers differ. */
void sn_select_largest_u64(uint64_t *v, size_t n, size_t k);

/* A float as 32 bits that sort like it (no NaN; -0 before 0), and back. */
static inline uint32_t sn_sortable_f32(float v) {
    union {
        float f;
        uint32_t u;
    } x = {.f = v};
    return x.u & 0x80000000u ? ~x.u : x.u | 0x80000000u;
}
static inline float sn_unsortable_f32(uint32_t u) {
    union {
        uint32_t u;
        float f;
    } x = {.u = u & 0x80000000u ? u & 0x7fffffffu : ~u};
    return x.f;
}

#endif
