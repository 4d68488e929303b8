#include "core/cpu.h"
#include "cpu/isa.h"

void sn_kernels_init(struct sn_kernels *k, int isa) {
    sn_kernels_ref(k);
#if defined __x86_64__
    if (isa == SN_ISA_AVX2) sn_kernels_avx2(k);
    if (isa == SN_ISA_AVX512) sn_kernels_avx512(k);
#elif defined __aarch64__
    if (isa == SN_ISA_NEON) sn_kernels_neon(k);
#else
    (void)isa;
#endif
}
