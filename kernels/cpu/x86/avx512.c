/* The AVX-512 (F, BW, DQ, VL) table. */
#define SN_T(name) avx512_##name
#define SN_FMA(a, b, c) __builtin_fmaf(a, b, c)
#include "cpu/tmpl/gemm.h"

#include "cpu/isa.h"
#include "cpu/tmpl/all.h"

void sn_kernels_avx512(struct sn_kernels *k) {
    k->isa = "avx512";
    SN_T(fill_all)(k);
}
