/* The AVX2 and FMA table. */
#define SN_T(name) avx2_##name
#define SN_FMA(a, b, c) __builtin_fmaf(a, b, c)
#include "cpu/tmpl/gemm.h"

#include "cpu/isa.h"
#include "cpu/tmpl/all.h"

void sn_kernels_avx2(struct sn_kernels *k) {
    k->isa = "avx2";
    SN_T(fill_all)(k);
}
