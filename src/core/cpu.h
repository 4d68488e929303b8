/* The machine: what this process may use of it. */
#ifndef SN_CORE_CPU_H
#define SN_CORE_CPU_H

#include <stdint.h>

enum sn_isa { SN_ISA_REF = 0, SN_ISA_AVX2 = 1, SN_ISA_AVX512 = 2, SN_ISA_NEON = 3 };

/* Best ISA with own kernels that this CPU and operating system have (AVX2 means AVX2+FMA; AVX512 means F+BW+DQ+VL), restricted by the
 * environment variable SEQNET_CPU=ref|avx2|avx512|neon (an unknown or unavailable value: SEQNET_EINVAL). Never raises what CPUID says. */
int sn_isa_detect(enum sn_isa *out);
const char *sn_isa_name(enum sn_isa isa);
/* Model name of the CPU ("AMD EPYC ..."), "unknown" where the system does not say. Static storage. */
const char *sn_cpu_name(void);

/* Cores this process may use: the smaller of its affinity mask and its cgroup quota (rounded up), at least 1. */
int sn_cpu_count(void);
/* The cgroup quota alone (versions 1 and 2, parents included), rounded up; 0 = none. `root` stands before every path read ("" = this
 * system). */
int sn_cgroup_cpus(const char *root);

/* Seconds of wall clock (monotonic), seconds of CPU time of the process, peak resident memory in bytes. */
double sn_time_wall(void);
double sn_time_cpu(void);
int64_t sn_peak_rss(void);

#endif
