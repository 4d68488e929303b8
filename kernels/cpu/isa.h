/* The tables of single instruction sets; each overwrites the slots it has. Only built where the compiler targets the architecture. */
#ifndef SN_KERNELS_ISA_H
#define SN_KERNELS_ISA_H

#include "kernels.h"

void sn_kernels_avx2(struct sn_kernels *k);
void sn_kernels_avx512(struct sn_kernels *k);
void sn_kernels_neon(struct sn_kernels *k);

#endif
