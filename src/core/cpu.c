#include "core/cpu.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "core/error.h"
#include "core/mem.h"
#include "core/parse.h"

/* ---- instruction sets ---- */

static const char *const isa_names[] = {[SN_ISA_REF] = "ref", [SN_ISA_AVX2] = "avx2", [SN_ISA_AVX512] = "avx512", [SN_ISA_NEON] = "neon"};
#define N_ISA ((int)(sizeof isa_names / sizeof isa_names[0]))

static bool isa_available(enum sn_isa isa) {
    if (isa == SN_ISA_REF) return true;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == SN_ISA_AVX2) return avx2;
    if (isa == SN_ISA_AVX512)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
#elif defined(__aarch64__)
    if (isa == SN_ISA_NEON) return true;
#endif
    return false;
}

int sn_isa_detect(enum sn_isa *out) {
    const char *word = getenv("SEQNET_CPU");
    int best = SN_ISA_REF;
    for (int i = 0; i < N_ISA; i++)
        if (isa_available((enum sn_isa)i)) best = i;
    if (word && word[0]) {
        int i = 0;
        while (i < N_ISA && strcmp(word, isa_names[i]) != 0) i++;
        if (i == N_ISA) return sn_error(SEQNET_EINVAL, "SEQNET_CPU: expected ref, avx2, avx512 or neon, got '%s'", word);
        if (!isa_available((enum sn_isa)i))
            return sn_error(SEQNET_EINVAL, "SEQNET_CPU: this CPU has no %s (the best here is %s)", word, isa_names[best]);
        best = i;
    }
    *out = (enum sn_isa)best;
    return 0;
}

const char *sn_isa_name(enum sn_isa isa) {
    return (int)isa >= 0 && (int)isa < N_ISA ? isa_names[isa] : "unknown";
}

/* ---- the name of the CPU ---- */

static char cpu_name[64];

static void read_cpu_name(void) {
#if defined(__x86_64__)
    unsigned brand[12] = {0};
    if ((unsigned)__get_cpuid_max(0x80000000u, NULL) >= 0x80000004u)
        for (unsigned i = 0; i < 3; i++)
            __get_cpuid(0x80000002u + i, &brand[4 * i], &brand[4 * i + 1], &brand[4 * i + 2], &brand[4 * i + 3]);
    char raw[sizeof brand + 1] = "";
    memcpy(raw, brand, sizeof brand);
    const char *p = raw + strspn(raw, " ");
    size_t n = strlen(p);
    while (n > 0 && p[n - 1] == ' ') n--;
    memcpy(cpu_name, p, n);
#endif
    if (!cpu_name[0]) strcpy(cpu_name, "unknown");
}

const char *sn_cpu_name(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_cpu_name);
    return cpu_name;
}

/* ---- how many cores ---- */

static int affinity_cpus(void) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    int count = online > 0 ? (int)online : 1;
#if defined(__linux__)
    /* The kernel refuses a set smaller than its own; grow until it fits. */
    for (int bits = 1024; bits <= 1 << 20; bits *= 2) {
        cpu_set_t *set = CPU_ALLOC(bits);
        if (!set) break;
        size_t size = CPU_ALLOC_SIZE(bits);
        bool ok = sched_getaffinity(0, size, set) == 0;
        if (ok) count = CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (ok) break;
    }
#endif
    return count < 1 ? 1 : count;
}

/* The first line of root+path+file in buf, without newline; false when there is none. */
static bool first_line(const char *root, const char *path, const char *file, char *buf, int size) {
    struct sn_str name = {0};
    bool ok = false;
    FILE *f = sn_str_printf(&name, "%s%s%s", root, path, file) == 0 ? fopen(name.s, "re") : NULL;
    if (f) {
        ok = fgets(buf, size, f) != NULL;
        fclose(f);
    }
    sn_str_free(&name);
    if (ok) buf[strcspn(buf, "\n")] = '\0';
    return ok;
}

static int cores_of(const char *quota, size_t n, const char *period) {
    int64_t q, p;
    if (!sn_parse_i64(quota, n, &q) || !sn_parse_i64(period, strlen(period), &p) || q <= 0 || p <= 0) return 0;
    int64_t cores = q / p + (q % p != 0);
    return cores > 1 << 20 ? 1 << 20 : (int)cores;
}

/* Quota of one folder of the hierarchy: version 2 keeps "quota period" in cpu.max, version 1 two files. 0 = no limit. */
static int folder_cpus(const char *base, const char *path) {
    char quota[128], period[128];
    if (first_line(base, path, "/cpu.max", quota, sizeof quota)) {
        char *space = strchr(quota, ' ');
        return space ? cores_of(quota, (size_t)(space - quota), space + 1) : 0;
    }
    if (first_line(base, path, "/cpu.cfs_quota_us", quota, sizeof quota) &&
        first_line(base, path, "/cpu.cfs_period_us", period, sizeof period))
        return cores_of(quota, strlen(quota), period);
    return 0;
}

static int smaller_limit(int a, int b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The smallest quota from `path` up to the root of the hierarchy: a parent's limit binds its children. */
static int path_cpus(const char *base, char *path) {
    int cores = 0;
    for (;;) {
        cores = smaller_limit(cores, folder_cpus(base, path));
        char *slash = strrchr(path, '/');
        if (!slash) return cores;
        *slash = '\0';
    }
}

/* True when `list` ("cpu,cpuacct") names the controller cpu. */
static bool has_cpu_controller(const char *list) {
    for (const char *p = list;; p++) {
        size_t n = strcspn(p, ",");
        if (n == 3 && memcmp(p, "cpu", 3) == 0) return true;
        p += n;
        if (!*p) return false;
    }
}

int sn_cgroup_cpus(const char *root) {
    static const char *const v1[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"};
    static const char *const v2[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    char line[4096];
    struct sn_str base = {0};
    int cores = 0;
    FILE *f = sn_str_printf(&base, "%s/proc/self/cgroup", root) == 0 ? fopen(base.s, "re") : NULL;
    while (f && fgets(line, sizeof line, f)) { /* id:controllers:path */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path) continue;
        *path++ = '\0';
        controllers++;
        bool unified = controllers[0] == '\0';
        if (!unified && !has_cpu_controller(controllers)) continue;
        for (int i = 0; i < 2; i++) {
            char walk[sizeof line];
            strcpy(walk, path);
            base.n = 0;
            if (sn_str_printf(&base, "%s%s", root, unified ? v2[i] : v1[i]) == 0) cores = smaller_limit(cores, path_cpus(base.s, walk));
        }
    }
    if (f) fclose(f);
    sn_str_free(&base);
    return cores;
}

int sn_cpu_count(void) {
    return smaller_limit(affinity_cpus(), sn_cgroup_cpus(""));
}

/* ---- time and memory ---- */

static double seconds(clockid_t clock) {
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? (double)t.tv_sec + 1e-9 * (double)t.tv_nsec : 0;
}

double sn_time_wall(void) {
    return seconds(CLOCK_MONOTONIC);
}

double sn_time_cpu(void) {
    return seconds(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t sn_peak_rss(void) {
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) != 0) return 0;
#if defined(__APPLE__)
    return u.ru_maxrss;
#else
    return (int64_t)u.ru_maxrss * 1024;
#endif
}
