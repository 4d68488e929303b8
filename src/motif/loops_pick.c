#include "core/cpu.h"
#include "motif/loops.h"

const struct sn_motif_loops *sn_motif_loops(void) {
    enum sn_isa isa;
    if (sn_isa_detect(&isa) < 0) isa = SN_ISA_REF;
#if defined(__x86_64__)
    if (isa == SN_ISA_AVX512) return &sn_motif_loops_avx512;
    if (isa == SN_ISA_AVX2) return &sn_motif_loops_avx2;
#endif
    return &sn_motif_loops_ref;
}
