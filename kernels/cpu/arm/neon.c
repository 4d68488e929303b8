/* The table for arm64: Advanced SIMD, which every arm64 CPU has. */
#define SN_T(name) neon_##name
#define SN_FMA(a, b, c) __builtin_fmaf(a, b, c)
#include "cpu/tmpl/gemm.h"

#include "cpu/isa.h"
#include "cpu/tmpl/all.h"

void sn_kernels_neon(struct sn_kernels *k) {
    k->isa = "neon";
    SN_T(fill_all)(k);
}
