/* The thread pool: every tile once, errors carried, sleep when idle, hosts, forks. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/pool.h"
#include "unit.h"

#define TILES 1000

struct job {
    struct sn_pool *pool;
    int workers;
    atomic_int ran[TILES];
    atomic_int total, odd_worker, odd_mode, at_once, most_at_once;
};

static double denormal(void) {
    volatile double tiny = 0x1p-1060; /* becomes 0 under DAZ */
    return tiny * 0x1p60;
}

static int count_tile(void *arg, int tile, int worker) {
    struct job *j = arg;
    int now = atomic_fetch_add(&j->at_once, 1) + 1, most = atomic_load(&j->most_at_once);
    while (now > most && !atomic_compare_exchange_weak(&j->most_at_once, &most, now)) {
    }
    atomic_fetch_add(&j->ran[tile], 1);
    atomic_fetch_add(&j->total, 1);
    if (worker < 0 || worker >= j->workers) atomic_fetch_add(&j->odd_worker, 1);
#if defined(__x86_64__) || defined(__aarch64__)
    if (denormal() != 0) atomic_fetch_add(&j->odd_mode, 1);
#endif
    atomic_fetch_sub(&j->at_once, 1);
    return 0;
}

static void expect_all_once(struct job *j, int n) {
    ck_assert_int_eq(j->total, n);
    for (int i = 0; i < n; i++) ck_assert_int_eq(j->ran[i], 1);
    ck_assert_int_eq(j->odd_worker, 0);
    ck_assert_int_eq(j->odd_mode, 0);
}

static void reset(struct job *j) {
    int workers = j->workers;
    memset(j, 0, sizeof *j);
    j->workers = workers;
}

START_TEST(all_tiles_once) {
    static const int sizes[] = {1, 2, 3, 8};
    static const int tiles[] = {0, 1, 2, 7, TILES};
    static struct job j;
    for (int s = 0; s < 4; s++) {
        struct sn_pool *p;
        ck_assert_int_eq(sn_pool_create(sizes[s], &p), 0);
        ck_assert_int_eq(sn_pool_size(p), sizes[s]);
        for (int t = 0; t < 5; t++)
            for (int most = 1; most <= 9; most += 4) {
                j.workers = sizes[s] < most ? sizes[s] : most;
                reset(&j);
                ck_assert_int_eq(sn_pool_run(p, tiles[t], most, count_tile, &j), 0);
                expect_all_once(&j, tiles[t]);
                ck_assert_int_le(j.most_at_once, j.workers);
            }
        sn_pool_free(p);
    }
    j.workers = 1;
    reset(&j);
    ck_assert_int_eq(sn_pool_run(NULL, 10, 4, count_tile, &j), 0);
    expect_all_once(&j, 10);
    ck_assert_int_eq(sn_pool_size(NULL), 1);
    sn_pool_free(NULL);
    ck_assert(denormal() != 0); /* the caller's mode is back */
}
END_TEST

START_TEST(refused_sizes) {
    struct sn_pool *p = (struct sn_pool *)&p;
    ck_assert_int_eq(sn_pool_create(0, &p), SEQNET_EINVAL);
    ck_assert_ptr_null(p);
    ck_assert_int_eq(sn_pool_create(-3, &p), SEQNET_EINVAL);
    ck_assert_int_eq(sn_pool_create(1 << 20, &p), SEQNET_EINVAL);
}
END_TEST

/* Jobs shorter than a wake-up: nothing is lost, run twice or late. */
START_TEST(many_small_jobs) {
    static struct job j;
    struct sn_pool *p;
    ck_assert_int_eq(sn_pool_create(4, &p), 0);
    j.workers = 4;
    for (int i = 0; i < 30000; i++) {
        int n = 2 + i % 5;
        reset(&j);
        ck_assert_int_eq(sn_pool_run(p, n, 1 + i % 4, count_tile, &j), 0);
        ck_assert_int_eq(j.total, n);
        if (i % 1000 == 0) usleep(200); /* let them fall asleep now and then */
    }
    ck_assert_int_eq(j.odd_worker, 0);
    sn_pool_free(p);
}
END_TEST

/* Two tiles that wait for each other: only real parallelism ends this. */
static int meet(void *arg, int tile, int worker) {
    (void)tile;
    (void)worker;
    atomic_int *here = arg;
    atomic_fetch_add(here, 1);
    double until = sn_time_wall() + 20;
    while (atomic_load(here) < 2 && sn_time_wall() < until) usleep(100);
    return atomic_load(here) >= 2 ? 0 : sn_error(SEQNET_EINTERNAL, "alone");
}

START_TEST(workers_work_together) {
    struct sn_pool *p;
    ck_assert_int_eq(sn_pool_create(2, &p), 0);
    for (int i = 0; i < 50; i++) {
        atomic_int here = 0;
        ck_assert_int_eq(sn_pool_run(p, 2, 2, meet, &here), 0);
        usleep(i % 2 ? 500 : 0);
    }
    sn_pool_free(p);
}
END_TEST

struct failing {
    atomic_int ran;
    bool lowest_is_slow;
};

static int fail_from_40(void *arg, int tile, int worker) {
    (void)worker;
    struct failing *f = arg;
    atomic_fetch_add(&f->ran, 1);
    if (tile < 40) {
        if (tile > 35) usleep(300); /* so that the next ones start together */
        return 0;
    }
    usleep((tile == 40) == f->lowest_is_slow ? 3000 : 600); /* long enough for the others to have begun */
    return sn_error(SEQNET_EDATA - tile, "tile %d", tile);
}

START_TEST(lowest_error_wins) {
    struct sn_pool *p;
    ck_assert_int_eq(sn_pool_create(4, &p), 0);
    for (int i = 0; i < 40; i++) {
        struct failing f = {.lowest_is_slow = i % 2};
        sn_error(-1, "older");
        ck_assert_int_eq(sn_pool_run(p, 100000, 4, fail_from_40, &f), SEQNET_EDATA - 40);
        ck_assert_str_eq(seqnet_errmsg(), "tile 40");
        ck_assert_int_lt(f.ran, 100); /* the rest was skipped */
    }
    struct failing f = {0};
    ck_assert_int_eq(sn_pool_run(p, 40, 4, fail_from_40, &f), 0); /* and the next job is a fresh one */
    ck_assert_int_eq(sn_pool_run(NULL, 50, 4, fail_from_40, &f), SEQNET_EDATA - 40);
    sn_pool_free(p);
}
END_TEST

static int slow_tile(void *arg, int tile, int worker) {
    struct job *j = arg;
    int now = atomic_fetch_add(&j->at_once, 1) + 1;
    if (now > 2) atomic_fetch_add(&j->most_at_once, 1);
    usleep(1000);
    atomic_fetch_sub(&j->at_once, 1);
    if (worker > 1) atomic_fetch_add(&j->odd_worker, 1);
    atomic_fetch_add(&j->ran[tile], 1);
    atomic_fetch_add(&j->total, 1);
    return 0;
}

START_TEST(no_more_workers_than_asked_for) {
    static struct job j;
    struct sn_pool *p;
    ck_assert_int_eq(sn_pool_create(4, &p), 0);
    ck_assert_int_eq(sn_pool_run(p, 40, 2, slow_tile, &j), 0);
    expect_all_once(&j, 40);
    ck_assert_int_eq(j.most_at_once, 0);
    sn_pool_free(p);
}
END_TEST

static int nested(void *arg, int tile, int worker) {
    (void)tile;
    (void)worker;
    struct job *j = arg;
    return sn_pool_run(j->pool, 2, 2, count_tile, j);
}

START_TEST(one_job_at_a_time) {
    static struct job j = {.workers = 2};
    ck_assert_int_eq(sn_pool_create(2, &j.pool), 0);
    ck_assert_int_eq(sn_pool_run(j.pool, 4, 2, nested, &j), SEQNET_EINVAL);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "already runs"));
    ck_assert_int_eq(j.total, 0);
    sn_pool_free(j.pool);
}
END_TEST

START_TEST(idle_uses_no_cpu) {
    static struct job j = {.workers = 8};
    struct sn_pool *p;
    ck_assert_int_eq(sn_pool_create(8, &p), 0);
    ck_assert_int_eq(sn_pool_run(p, TILES, 8, count_tile, &j), 0);
    usleep(20000);
    double before = sn_time_cpu();
    usleep(500000);
    ck_assert_double_lt(sn_time_cpu() - before, 0.005);
    sn_pool_free(p);
}
END_TEST

static int see_signals(void *arg, int tile, int worker) {
    (void)tile;
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    if (worker > 0 && sigismember(&set, SIGINT) != 1) atomic_fetch_add((atomic_int *)arg, 1);
    usleep(100);
    return 0;
}

START_TEST(signals_go_to_the_host) {
    struct sn_pool *p;
    atomic_int open = 0;
    ck_assert_int_eq(sn_pool_create(3, &p), 0);
    ck_assert_int_eq(sn_pool_run(p, 100, 3, see_signals, &open), 0);
    ck_assert_int_eq(open, 0);
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    ck_assert_int_eq(sigismember(&set, SIGINT), 0);
    sn_pool_free(p);
}
END_TEST

/* ---- a host's own pool ---- */

struct host {
    int shift; /* added to the worker numbers: a broken host */
    int skip;  /* calls nothing: a broken host */
};

struct host_call {
    void (*fn)(void *arg, int i, int worker);
    void *arg;
    int i, worker;
};

static void *host_thread(void *arg) {
    struct host_call *c = arg;
    c->fn(c->arg, c->i, c->worker);
    return NULL;
}

static void host_run(void *self, int n, void (*fn)(void *arg, int i, int worker), void *arg) {
    struct host *h = self;
    pthread_t threads[8];
    struct host_call calls[8];
    if (h->skip) return;
    for (int i = 0; i < n; i++) {
        calls[i] = (struct host_call){fn, arg, i, i + h->shift};
        pthread_create(&threads[i], NULL, host_thread, &calls[i]);
    }
    for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
}

static void host_run_alone(void *self, int n, void (*fn)(void *arg, int i, int worker), void *arg) {
    (void)self;
    for (int i = n - 1; i >= 0; i--) fn(arg, i, 0);
}

START_TEST(host_pools) {
    static struct job j = {.workers = 3};
    struct host h = {0, 0};
    struct sn_pool *p;
    ck_assert_int_eq(sn_pool_create_host(3, &h, host_run, &p), 0);
    ck_assert_int_eq(sn_pool_size(p), 3);
    ck_assert_int_eq(sn_pool_run(p, TILES, 8, count_tile, &j), 0);
    expect_all_once(&j, TILES);
    struct failing f = {0};
    ck_assert_int_eq(sn_pool_run(p, 1000, 3, fail_from_40, &f), SEQNET_EDATA - 40);
    ck_assert_str_eq(seqnet_errmsg(), "tile 40");
    h.shift = 5;
    ck_assert_int_eq(sn_pool_run(p, TILES, 3, count_tile, &j), SEQNET_EINVAL);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "expected a worker in 0..2"));
    h.skip = 1;
    ck_assert_int_eq(sn_pool_run(p, TILES, 3, count_tile, &j), SEQNET_EINVAL);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "before its work was done"));
    sn_pool_free(p);
    ck_assert_int_eq(sn_pool_create_host(3, NULL, host_run_alone, &p), 0);
    reset(&j);
    ck_assert_int_eq(sn_pool_run(p, TILES, 3, count_tile, &j), 0);
    expect_all_once(&j, TILES);
    sn_pool_free(p);
    ck_assert(denormal() != 0);
}
END_TEST

START_TEST(forks_are_seen) {
    static struct job j = {.workers = 3};
    struct sn_pool *p;
    ck_assert_int_eq(sn_pool_create(3, &p), 0);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        int rc = sn_pool_run(p, 10, 3, count_tile, &j);
        int said = strstr(seqnet_errmsg(), "forked") != NULL;
        sn_pool_free(p); /* must not wait for threads that are not here */
        _exit(rc == SEQNET_EINVAL && said && j.total == 0 ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_int_eq(sn_pool_run(p, 10, 3, count_tile, &j), 0);
    ck_assert_int_eq(j.total, 10);
    sn_pool_free(p);
}
END_TEST

int main(void) {
    Suite *s = suite_create("pool");
    TCase *t = tcase_create("pool");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, all_tiles_once);
    tcase_add_test(t, refused_sizes);
    tcase_add_test(t, many_small_jobs);
    tcase_add_test(t, workers_work_together);
    tcase_add_test(t, lowest_error_wins);
    tcase_add_test(t, no_more_workers_than_asked_for);
    tcase_add_test(t, one_job_at_a_time);
    tcase_add_test(t, idle_uses_no_cpu);
    tcase_add_test(t, signals_go_to_the_host);
    tcase_add_test(t, host_pools);
    tcase_add_test(t, forks_are_seen);
    suite_add_tcase(s, t);
    return unit_run(s);
}
