/* The core room: random numbers, checksums, errors, memory, machine. Number texts, files and the pool have tests of their own. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/rng.h"
#include "unit.h"

/* ---- random numbers ---- */

/* known answers of Random123 1.14, kat_vectors, philox4x32 10 */
START_TEST(philox_known_answers) {
    static const uint32_t kat[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        sn_philox(kat[i], kat[i] + 4, out);
        ck_assert_mem_eq(out, kat[i] + 6, sizeof out);
    }
}
END_TEST

START_TEST(stream_golden) {
    struct sn_stream s;
    sn_stream_init(&s, 42, 0, 0);
    ck_assert(sn_stream_u64(&s) == UINT64_C(0xc16129ecd0dc5b93));
    ck_assert(sn_stream_u64(&s) == UINT64_C(0x723ad4cbd7c9b07b));
    ck_assert(sn_stream_u64(&s) == UINT64_C(0x3e53a9f2486d1d0a));
    /* every part of the key counts, and so does the use */
    uint64_t seen[6];
    sn_stream_init(&s, 42, 1, 0);
    seen[0] = sn_stream_u64(&s);
    sn_stream_init(&s, 42, 0, 1);
    seen[1] = sn_stream_u64(&s);
    sn_stream_init(&s, 43, 0, 0);
    seen[2] = sn_stream_u64(&s);
    sn_stream_init_use(&s, 42, SN_RNG_INIT, 0, 0);
    seen[3] = sn_stream_u64(&s);
    sn_stream_init_use(&s, 42, SN_RNG_ORDER, 0, 0);
    seen[4] = sn_stream_u64(&s);
    seen[5] = UINT64_C(0xc16129ecd0dc5b93);
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < i; j++) ck_assert(seen[i] != seen[j]);
}
END_TEST

START_TEST(stream_ranges) {
    struct sn_stream s;
    int count[7] = {0};
    double sum = 0;
    sn_stream_init(&s, 1, 2, 3);
    for (int i = 0; i < 70000; i++) {
        uint64_t v = sn_stream_below(&s, 7);
        ck_assert(v < 7);
        count[v]++;
        double u = sn_stream_unit(&s);
        ck_assert(u >= 0 && u < 1);
        sum += u;
    }
    for (int i = 0; i < 7; i++) ck_assert_int_lt(abs(count[i] - 10000), 500); /* 5 sigma = 463 */
    ck_assert_double_eq_tol(sum / 70000, 0.5, 0.006);
    ck_assert(sn_stream_below(&s, 1) == 0);
}
END_TEST

START_TEST(stream_normal_moments) {
    enum { N = 400000 };
    struct sn_stream s;
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
    int within_one = 0, beyond_two = 0;
    sn_stream_init(&s, 5, 0, 0);
    for (int i = 0; i < N; i++) {
        double x = sn_stream_normal(&s), q = x * x;
        m1 += x;
        m2 += q;
        m3 += q * x;
        m4 += q * q;
        within_one += fabs(x) < 1;
        beyond_two += fabs(x) > 2;
    }
    ck_assert_double_eq_tol(m1 / N, 0, 0.008);
    ck_assert_double_eq_tol(m2 / N, 1, 0.012);
    ck_assert_double_eq_tol(m3 / N, 0, 0.031);
    ck_assert_double_eq_tol(m4 / N, 3, 0.08);
    ck_assert_double_eq_tol((double)within_one / N, 0.682689, 0.004);
    ck_assert_double_eq_tol((double)beyond_two / N, 0.045500, 0.0017);
}
END_TEST

START_TEST(permutations) {
    int64_t v[100];
    bool seen[100] = {false};
    struct sn_stream s;
    for (int i = 0; i < 100; i++) v[i] = i;
    sn_stream_init(&s, 9, 0, 0);
    sn_stream_permute(&s, v, 100);
    int moved = 0;
    for (int i = 0; i < 100; i++) {
        ck_assert(v[i] >= 0 && v[i] < 100 && !seen[v[i]]);
        seen[v[i]] = true;
        moved += v[i] != i;
    }
    ck_assert_int_gt(moved, 80);
    /* by the definition: i = n-1..1, j = below(i+1) */
    for (uint64_t seed = 0; seed < 20; seed++) {
        int64_t w[4] = {0, 1, 2, 3}, x[4] = {0, 1, 2, 3};
        sn_stream_init(&s, seed, 1, 4);
        sn_stream_permute(&s, w, 4);
        sn_stream_init(&s, seed, 1, 4);
        for (int i = 3; i >= 1; i--) {
            int j = (int)sn_stream_below(&s, (uint64_t)i + 1);
            int64_t t = x[i];
            x[i] = x[j];
            x[j] = t;
        }
        ck_assert_mem_eq(w, x, sizeof w);
    }
    sn_stream_permute(&s, v, 0);
}
END_TEST

/* ---- checksums ---- */

START_TEST(crc_vectors) {
    ck_assert_uint_eq(sn_crc32c(0, "123456789", 9), 0xe3069283u);
    ck_assert_uint_eq(sn_crc32c_portable(0, "123456789", 9), 0xe3069283u);
    ck_assert_uint_eq(sn_crc32(0, "123456789", 9), 0xcbf43926u);
    unsigned char block[1000]; /* RFC 3720 B.4: 32 zeros */
    memset(block, 0, 32);
    ck_assert_uint_eq(sn_crc32c(0, block, 32), 0x8a9136aau);
    for (int i = 0; i < 1000; i++) block[i] = (unsigned char)(i * 7 + i / 256);
    for (size_t n = 0; n < 100; n++) ck_assert_uint_eq(sn_crc32c(0, block + 1, n), sn_crc32c_portable(0, block + 1, n));
    ck_assert_uint_eq(sn_crc32c(sn_crc32c(0, block, 333), block + 333, 667), sn_crc32c(0, block, 1000));
    ck_assert_uint_eq(sn_crc32c_portable(sn_crc32c_portable(0, block, 333), block + 333, 667), sn_crc32c(0, block, 1000));
}
END_TEST

/* ---- errors, log ---- */

START_TEST(error_messages) {
    ck_assert_str_eq(seqnet_errmsg(), "");
    ck_assert_int_eq(sn_error(SEQNET_EIO, "%s:%d: broken", "a.fa", 7), SEQNET_EIO);
    ck_assert_str_eq(seqnet_errmsg(), "a.fa:7: broken");
    ck_assert_int_eq(sn_error_prefix(SEQNET_EMODEL, "layer %d", 3), SEQNET_EMODEL);
    ck_assert_str_eq(seqnet_errmsg(), "layer 3: a.fa:7: broken");
    sn_error(SEQNET_EIO, "%s!", sn_error_text()); /* its own text as argument */
    ck_assert_str_eq(seqnet_errmsg(), "layer 3: a.fa:7: broken!");
    char longer[5000];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    sn_error(SEQNET_EIO, "%s", longer);
    size_t n = strlen(seqnet_errmsg());
    ck_assert_uint_gt(n, 1000);
    sn_error_prefix(SEQNET_EIO, "%s", longer);
    ck_assert_uint_eq(strlen(seqnet_errmsg()), n);
}
END_TEST

START_TEST(error_names) {
    ck_assert_str_eq(seqnet_errname(SEQNET_EIO), "SEQNET_EIO");
    ck_assert_str_eq(seqnet_errtext(SEQNET_ECANCELED), "canceled");
    ck_assert_str_eq(seqnet_errname(0), "unknown error");
    ck_assert_str_eq(seqnet_errtext(-999), "unknown error");
}
END_TEST

struct heard {
    int logs, progress;
    char line[64];
    const struct sn_sink *again;
};

static void hear_log(void *self, int level, const char *line) {
    struct heard *h = self;
    h->logs++;
    snprintf(h->line, sizeof h->line, "%d %s", level, line);
    if (h->logs == 1) sn_log(h->again, SN_LOG_WARN, "from inside"); /* a callback may come back */
}

static void hear_progress(void *self, const char *stage, int64_t done, int64_t total, const char *unit, const char *extra) {
    struct heard *h = self;
    h->progress += strcmp(stage, "scan") == 0 && done == 3 && total == 10 && strcmp(unit, "bp") == 0 && extra[0] == '\0';
}

static bool yes(void *self) {
    (void)self;
    return true;
}

START_TEST(sinks) {
    struct heard h = {0};
    struct sn_sink sink = {&h, hear_log, hear_progress, NULL};
    h.again = &sink;
    sn_log(&sink, SN_LOG_INFO, "read %d", 5);
    ck_assert_int_eq(h.logs, 2);
    sn_progress(&sink, "scan", 3, 10, "bp", "");
    ck_assert_int_eq(h.progress, 1);
    ck_assert_int_eq(sn_check_cancel(&sink), 0);
    sink.cancel = yes;
    ck_assert_int_eq(sn_check_cancel(&sink), SEQNET_ECANCELED);
    struct sn_sink silent = {0};
    sn_log(NULL, SN_LOG_INFO, "x");
    sn_log(&silent, SN_LOG_INFO, "x");
    sn_progress(NULL, "scan", 0, 0, "", "");
    ck_assert_int_eq(sn_check_cancel(NULL), 0);
}
END_TEST

/* ---- memory ---- */

START_TEST(memory_overflow) {
    size_t v = 1;
    ck_assert(sn_mul_size(1u << 20, 1u << 20, &v) && v == (size_t)1 << 40);
    ck_assert(!sn_mul_size(SIZE_MAX, 2, &v) && !sn_add_size(SIZE_MAX, 1, &v));
    ck_assert(sn_add_size(SIZE_MAX - 1, 1, &v) && v == SIZE_MAX);
    ck_assert_ptr_null(sn_calloc(SIZE_MAX / 2, 4));
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "out of memory"));
    ck_assert_ptr_null(sn_aligned_alloc(SIZE_MAX - 5));
    ck_assert_ptr_null(sn_aligned_alloc(SIZE_MAX / 2));
    void *p = NULL;
    size_t cap = 0;
    ck_assert_int_eq(sn_grow(&p, &cap, SIZE_MAX / 4, 16), SEQNET_ENOMEM);
    ck_assert(p == NULL && cap == 0);
}
END_TEST

START_TEST(memory_grow) {
    void *p = NULL;
    size_t cap = 0;
    for (size_t i = 0; i < 5000; i++) {
        size_t before = cap;
        ck_assert_int_eq(sn_grow(&p, &cap, i + 1, sizeof(int)), 0);
        ck_assert(cap > i && (cap == before || cap >= 2 * before));
        ((int *)p)[i] = (int)i;
    }
    for (int i = 0; i < 5000; i++) ck_assert_int_eq(((int *)p)[i], i);
    /* a failed growth leaves what there was */
    void *q = p;
    size_t had = cap;
    ck_assert_int_eq(sn_grow(&p, &cap, ((size_t)1 << 62) + 1, sizeof(int)), SEQNET_ENOMEM);
    ck_assert(p == q && cap == had);
    free(p);
}
END_TEST

START_TEST(memory_blocks) {
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4096, 5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *p = sn_aligned_alloc(sizes[i]);
        ck_assert(p && (uintptr_t)p % SN_ALIGN == 0);
        memset(p, 1, sizes[i]);
        sn_aligned_free(p);
    }
    unsigned char *z = sn_calloc(0, 8);
    ck_assert_ptr_nonnull(z);
    free(z);
    char *s = sn_strndup("abcdef", 3);
    ck_assert_str_eq(s, "abc");
    free(s);
    s = sn_strdup("");
    ck_assert_str_eq(s, "");
    free(s);
}
END_TEST

START_TEST(strings) {
    struct sn_str b = {0};
    ck_assert_int_eq(sn_str_puts(&b, ""), 0);
    ck_assert_str_eq(b.s, "");
    for (int i = 0; i < 1000; i++) ck_assert_int_eq(sn_str_printf(&b, "%d,", i), 0);
    ck_assert_int_eq(sn_str_add(&b, "x\0y", 3), 0);
    ck_assert_uint_eq(b.n, 3893);
    ck_assert(memcmp(b.s, "0,1,2,", 6) == 0 && memcmp(b.s + b.n - 8, "999,x\0y", 8) != 0 && memcmp(b.s + b.n - 7, "999,x\0y", 7) == 0);
    ck_assert(b.s[b.n] == '\0');
    sn_str_free(&b);
    ck_assert(b.s == NULL && b.n == 0 && b.cap == 0);
}
END_TEST

/* ---- the machine ---- */

START_TEST(isa_names) {
    enum sn_isa isa = SN_ISA_REF, best = SN_ISA_REF;
    unsetenv("SEQNET_CPU");
    ck_assert_int_eq(sn_isa_detect(&best), 0);
    setenv("SEQNET_CPU", "ref", 1);
    isa = SN_ISA_AVX512;
    ck_assert_int_eq(sn_isa_detect(&isa), 0);
    ck_assert_int_eq(isa, SN_ISA_REF);
    setenv("SEQNET_CPU", sn_isa_name(best), 1);
    ck_assert_int_eq(sn_isa_detect(&isa), 0);
    ck_assert_int_eq(isa, best);
    setenv("SEQNET_CPU", "mmx", 1);
    ck_assert_int_eq(sn_isa_detect(&isa), SEQNET_EINVAL);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "mmx"));
#if defined(__x86_64__)
    setenv("SEQNET_CPU", "neon", 1);
#else
    setenv("SEQNET_CPU", "avx2", 1);
#endif
    ck_assert_int_eq(sn_isa_detect(&isa), SEQNET_EINVAL);
    unsetenv("SEQNET_CPU");
    ck_assert_str_eq(sn_isa_name((enum sn_isa)77), "unknown");
    ck_assert_int_gt((int)strlen(sn_cpu_name()), 2);
}
END_TEST

static void put(const char *root, const char *path, const char *text) {
    char name[512];
    snprintf(name, sizeof name, "%s/%s", root, path);
    char *slash = strrchr(name, '/');
    *slash = '\0';
    ck_assert_int_eq(sn_make_dir(name), 0);
    *slash = '/';
    FILE *f = fopen(name, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(cgroup_quotas) {
    char root[] = "/tmp/seqnet-cgroup-XXXXXX", command[64];
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_int_eq(sn_cgroup_cpus(root), 0);
    /* version 2: the parent's 1.5 cores bind, rounded up */
    put(root, "proc/self/cgroup", "0::/a/b\n");
    put(root, "sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    ck_assert_int_eq(sn_cgroup_cpus(root), 0);
    put(root, "sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    ck_assert_int_eq(sn_cgroup_cpus(root), 2);
    put(root, "sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
    ck_assert_int_eq(sn_cgroup_cpus(root), 1);
    /* version 1: own folder is not visible, the root of the mount is */
    put(root, "proc/self/cgroup", "3:cpuset:/x\n4:cpu,cpuacct:/docker/1234\n");
    ck_assert_int_eq(sn_cgroup_cpus(root), 0);
    put(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    ck_assert_int_eq(sn_cgroup_cpus(root), 0);
    put(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "300000\n");
    ck_assert_int_eq(sn_cgroup_cpus(root), 3);
    put(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "rubbish\n");
    ck_assert_int_eq(sn_cgroup_cpus(root), 0);
    snprintf(command, sizeof command, "rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(machine_figures) {
    int n = sn_cpu_count();
    ck_assert(n >= 1 && n <= sysconf(_SC_NPROCESSORS_CONF));
    double w = sn_time_wall(), c = sn_time_cpu();
    while (sn_time_cpu() < c + 0.01 && sn_time_wall() < w + 10) {
    }
    ck_assert(sn_time_wall() >= w + 0.009 && sn_time_cpu() >= c + 0.01);
    ck_assert(sn_peak_rss() > 1 << 20);
}
END_TEST

int main(void) {
    Suite *s = suite_create("core");
    TCase *t = tcase_create("core");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, philox_known_answers);
    tcase_add_test(t, stream_golden);
    tcase_add_test(t, stream_ranges);
    tcase_add_test(t, stream_normal_moments);
    tcase_add_test(t, permutations);
    tcase_add_test(t, crc_vectors);
    tcase_add_test(t, error_messages);
    tcase_add_test(t, error_names);
    tcase_add_test(t, sinks);
    tcase_add_test(t, memory_overflow);
    tcase_add_test(t, memory_grow);
    tcase_add_test(t, memory_blocks);
    tcase_add_test(t, strings);
    tcase_add_test(t, isa_names);
    tcase_add_test(t, cgroup_quotas);
    tcase_add_test(t, machine_figures);
    suite_add_tcase(s, t);
    return unit_run(s);
}
