/* Modules: shared objects in <libdir>/seqnet that libseqnet loads on demand, so that nobody who links it inherits what they link.
 *
 * seqnet-openblas.so exports one symbol, `const struct sn_kernel_module sn_kernel_module`. The host refuses a module whose abi, size or
 * version is not its own. */
#ifndef SN_KERNELS_MODULE_H
#define SN_KERNELS_MODULE_H

#include "kernels.h"

#define SN_MODULE_ABI 1
#define SN_MODULE_SYMBOL "sn_kernel_module"

struct sn_kernel_module {
    uint32_t abi;        /* SN_MODULE_ABI; grows when the meaning of a slot changes */
    uint32_t table_size; /* sizeof(struct sn_kernels) */
    const char *version; /* SEQNET_VERSION of the build */
    /* Puts the module's slots and provider into a complete table. Sets the module's process-wide state (one BLAS thread). */
    void (*fill)(struct sn_kernels *k);
};

/* Replaces gemm, gemm_pack, conv_* and lstm_* of a complete table by versions on OpenBLAS, and the provider by "openblas (CORE)". The
 * module is sought in $SEQNET_MODULE_PATH (one directory; then nowhere else), in seqnet/ and kernels/ (build tree) beside libseqnet, and in
 * the installed <libdir>/seqnet; it stays loaded. SEQNET_ENOTSUP when it is missing, cannot be loaded or does not fit. Any thread. */
int sn_kernels_openblas(struct sn_kernels *k);

#endif
