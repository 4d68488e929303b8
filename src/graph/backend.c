/* The CPU backend: plain memory and the kernels of this machine. */
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/mem.h"
#include "graph/plan.h"
#ifndef SN_DOUBLE
#include "module.h"
#endif

static int cpu_alloc(struct sn_backend *b, size_t bytes, void **out) {
    (void)b;
    *out = sn_aligned_alloc(bytes ? bytes : SN_ALIGN);
    if (!*out) return SEQNET_ENOMEM;
    memset(*out, 0, bytes);
    return 0;
}

static void cpu_release(struct sn_backend *b, void *p, size_t bytes) {
    (void)b, (void)bytes;
    sn_aligned_free(p);
}

static void cpu_copy(struct sn_backend *b, void *dst, const void *src, size_t n) {
    (void)b;
    if (n) memcpy(dst, src, n);
}

static void cpu_backend(struct sn_backend *out) {
    *out = (struct sn_backend){
        .name = "cpu", .alloc = cpu_alloc, .release = cpu_release, .upload = cpu_copy, .download = cpu_copy, .host_memory = true};
}

#ifdef SN_DOUBLE
int sn_backend_cpu(int isa, const char *provider, struct sn_backend *out) {
    (void)isa, (void)provider;
    cpu_backend(out);
    SN_SYM(sn_kernels_ref)(&out->kernels);
    return 0;
}
#else
int sn_backend_cpu(int isa, const char *provider, struct sn_backend *out) {
    cpu_backend(out);
    sn_kernels_init(&out->kernels, isa);
    if (strcmp(provider, "own") == 0) return 0;
    if (strcmp(provider, "openblas") == 0) return sn_kernels_openblas(&out->kernels);
    if (strcmp(provider, "auto") != 0)
        return sn_error(SEQNET_EINVAL, "unknown GEMM provider \"%s\"; expected auto, own or openblas", provider);
    /* Without vector kernels of our own OpenBLAS is faster; where its module is missing the portable product still works. */
    if (isa == SN_ISA_REF) (void)sn_kernels_openblas(&out->kernels);
    return 0;
}
#endif

void sn_backend_close(struct sn_backend *b) {
    *b = (struct sn_backend){0};
}
