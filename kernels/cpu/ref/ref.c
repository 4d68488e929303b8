/* The reference table: portable C without FMA, for float and, with SN_DOUBLE, for double. */
#define SN_T(name) ref_##name
#define SN_FMA(a, b, c) ((a) * (b) + (c))
#include "cpu/ref/gemm.h"

#include "cpu/tmpl/all.h"

void SN_SYM(sn_kernels_ref)(struct sn_kernels *k) {
    *k = (struct sn_kernels){.isa = "ref"};
    SN_T(fill_all)(k);
}
