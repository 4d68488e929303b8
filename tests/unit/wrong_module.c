/* A module of another interface: the loader must refuse it. */
#include "module.h"
#include "seqnet/export.h"

SEQNET_API extern const struct sn_kernel_module sn_kernel_module;
const struct sn_kernel_module sn_kernel_module = {SN_MODULE_ABI + 1, sizeof(struct sn_kernels), "0", NULL};
