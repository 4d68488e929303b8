/* How a job runs. The caller publishes it by storing `word` (its number and how many workers may take part), works itself, and closes it
 * by storing a word without participants. A worker counts itself in (`inside`), and looks at the word again: if it changed meanwhile the
 * worker leaves without touching the job. So the caller waits only for workers that really work, never for one that is still asleep. */
#include "core/pool.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "core/cpu.h"
#include "core/error.h"
#include "core/mem.h"

#define MAX_WORKERS 4096
#define STACK_BYTES ((size_t)1 << 20)
#define SPIN_SECONDS 20e-6
#define FTZ_DAZ 0x8040u
#define FPCR_FZ (1u << 24)

/* Something a thread sleeps on. */
struct bed {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    atomic_bool asleep;
};

struct worker {
    struct sn_pool *pool;
    pthread_t thread;
    int index;
    struct bed bed;
};

struct sn_pool {
    int n_workers, n_threads; /* threads: those that run, one less than workers */
    pid_t pid;
    void *host;
    void (*host_run)(void *self, int n, void (*fn)(void *arg, int i, int worker), void *arg);
    atomic_bool busy;
    atomic_uint_fast64_t word; /* job number << 16 | participants */
    atomic_int inside;         /* workers that may touch the job below */
    struct bed caller;
    /* the job */
    sn_tile_fn fn;
    void *arg;
    int n;
    atomic_int next;
    /* its lowest failing tile */
    pthread_mutex_t error_mutex;
    atomic_int bad_tile;
    int code;
    char message[2048];
    struct worker workers[]; /* n_workers - 1 */
};

/* Participants that tell a worker to end. */
#define STOP 0xffffu

/* ---- floating-point mode ---- */

unsigned sn_fpmode_enter(void) {
#if defined(__x86_64__)
    unsigned old = _mm_getcsr();
    _mm_setcsr(old | FTZ_DAZ);
    return old;
#elif defined(__aarch64__)
    uint64_t old;
    __asm__ volatile("mrs %0, fpcr" : "=r"(old));
    __asm__ volatile("msr fpcr, %0" : : "r"(old | FPCR_FZ));
    return (unsigned)old;
#else
    return 0;
#endif
}

void sn_fpmode_restore(unsigned old) {
#if defined(__x86_64__)
    _mm_setcsr(old);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)old));
#else
    (void)old;
#endif
}

/* ---- waiting ---- */

static void relax(void) {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void bed_init(struct bed *b) {
    pthread_mutex_init(&b->mutex, NULL);
    pthread_cond_init(&b->cond, NULL);
    atomic_init(&b->asleep, false);
}

static void bed_destroy(struct bed *b) {
    pthread_cond_destroy(&b->cond);
    pthread_mutex_destroy(&b->mutex);
}

/* Wakes the thread that waits for a condition which the calling thread has just made true. */
static void bed_wake(struct bed *b) {
    if (!atomic_load(&b->asleep)) return;
    pthread_mutex_lock(&b->mutex);
    pthread_cond_signal(&b->cond);
    pthread_mutex_unlock(&b->mutex);
}

/* Spins a moment, then sleeps until ready(arg). */
static void bed_wait(struct bed *b, bool (*ready)(void *arg), void *arg) {
    double until = 0;
    for (int i = 0;; i++) {
        if (ready(arg)) return;
        relax();
        if (i % 64 != 63) continue;
        double now = sn_time_wall();
        if (until == 0) until = now + SPIN_SECONDS;
        if (now >= until) break;
    }
    pthread_mutex_lock(&b->mutex);
    atomic_store(&b->asleep, true);
    while (!ready(arg)) pthread_cond_wait(&b->cond, &b->mutex);
    atomic_store(&b->asleep, false);
    pthread_mutex_unlock(&b->mutex);
}

/* ---- running tiles ---- */

static void keep_error(struct sn_pool *p, int tile, int code) {
    pthread_mutex_lock(&p->error_mutex);
    if (tile < atomic_load(&p->bad_tile)) {
        p->code = code;
        snprintf(p->message, sizeof p->message, "%s", sn_error_text());
        atomic_store(&p->bad_tile, tile);
    }
    pthread_mutex_unlock(&p->error_mutex);
}

/* Tiles are claimed in ascending order and none is claimed after a failure, so that the lowest failing tile is always among those run. */
static void run_tiles(struct sn_pool *p, int worker) {
    while (atomic_load_explicit(&p->bad_tile, memory_order_relaxed) == INT_MAX) {
        int tile = atomic_fetch_add(&p->next, 1);
        if (tile >= p->n) return;
        int rc = p->fn(p->arg, tile, worker);
        if (rc < 0) keep_error(p, tile, rc);
    }
}

struct attention {
    struct worker *w;
    uint64_t seen;
};

static bool has_news(void *arg) {
    struct attention *a = arg;
    uint64_t word = atomic_load(&a->w->pool->word);
    return word != a->seen && (unsigned)a->w->index < (word & 0xffff);
}

static void *worker_main(void *arg) {
    struct worker *w = arg;
    struct sn_pool *p = w->pool;
    struct attention a = {w, 0};
    sn_fpmode_enter();
    for (;;) {
        bed_wait(&w->bed, has_news, &a);
        a.seen = atomic_load(&p->word);
        if ((a.seen & 0xffff) == STOP) return NULL;
        atomic_fetch_add(&p->inside, 1);
        if (atomic_load(&p->word) == a.seen && (unsigned)w->index < (a.seen & 0xffff)) run_tiles(p, w->index);
        if (atomic_fetch_sub(&p->inside, 1) == 1) bed_wake(&p->caller);
    }
}

static bool nobody_inside(void *arg) {
    struct sn_pool *p = arg;
    return atomic_load(&p->inside) == 0;
}

static void run_threads(struct sn_pool *p, int participants) {
    uint64_t number = (atomic_load(&p->word) >> 16) + 1;
    atomic_store(&p->word, number << 16 | (unsigned)participants);
    for (int i = 1; i < participants && atomic_load(&p->next) < p->n; i++) bed_wake(&p->workers[i - 1].bed);
    run_tiles(p, 0);
    atomic_store(&p->word, number << 16);
    bed_wait(&p->caller, nobody_inside, p);
}

/* One participant of a host's pool. */
static void host_tiles(void *arg, int i, int worker) {
    struct sn_pool *p = arg;
    if (worker < 0 || worker >= p->n_workers) {
        sn_error(SEQNET_EINVAL, "host pool: expected a worker in 0..%d, got %d", p->n_workers - 1, worker);
        keep_error(p, i, SEQNET_EINVAL);
        return;
    }
    unsigned mode = sn_fpmode_enter();
    run_tiles(p, worker);
    sn_fpmode_restore(mode);
}

static int run_inline(int n, sn_tile_fn fn, void *arg) {
    int rc = 0;
    unsigned mode = sn_fpmode_enter();
    for (int i = 0; i < n && rc >= 0; i++) rc = fn(arg, i, 0);
    sn_fpmode_restore(mode);
    return rc < 0 ? rc : 0;
}

static int run_parallel(struct sn_pool *p, int n, int participants, sn_tile_fn fn, void *arg) {
    p->fn = fn;
    p->arg = arg;
    p->n = n;
    atomic_store(&p->next, 0);
    atomic_store(&p->bad_tile, INT_MAX);
    if (p->host_run) {
        p->host_run(p->host, participants, host_tiles, p);
    } else {
        unsigned mode = sn_fpmode_enter();
        run_threads(p, participants);
        sn_fpmode_restore(mode);
    }
    if (atomic_load(&p->bad_tile) != INT_MAX) return sn_error(p->code, "%s", p->message);
    if (atomic_load(&p->next) < n) return sn_error(SEQNET_EINVAL, "host pool: it returned before its work was done");
    return 0;
}

int sn_pool_run(struct sn_pool *p, int n, int max_workers, sn_tile_fn fn, void *arg) {
    if (n <= 0) return 0;
    if (!p) return run_inline(n, fn, arg);
    if (p->pid != getpid())
        return sn_error(SEQNET_EINVAL, "this process was forked after its threads were made: make a new context in the child");
    if (atomic_exchange(&p->busy, true))
        return sn_error(SEQNET_EINVAL, "the thread pool already runs a job: one call at a time per context");
    int participants = p->n_workers;
    if (participants > max_workers) participants = max_workers;
    if (participants > n) participants = n;
    int rc = participants <= 1 ? run_inline(n, fn, arg) : run_parallel(p, n, participants, fn, arg);
    atomic_store(&p->busy, false);
    return rc;
}

/* ---- making and freeing ---- */

static int pool_alloc(int n_workers, struct sn_pool **out) {
    *out = NULL;
    if (n_workers < 1 || n_workers > MAX_WORKERS)
        return sn_error(SEQNET_EINVAL, "threads: expected 1 to %d, got %d", MAX_WORKERS, n_workers);
    struct sn_pool *p = sn_calloc(1, sizeof *p + (size_t)(n_workers - 1) * sizeof p->workers[0]);
    if (!p) return SEQNET_ENOMEM;
    p->n_workers = n_workers;
    p->pid = getpid();
    pthread_mutex_init(&p->error_mutex, NULL);
    bed_init(&p->caller);
    for (int i = 0; i < n_workers - 1; i++) {
        p->workers[i].pool = p;
        p->workers[i].index = i + 1;
        bed_init(&p->workers[i].bed);
    }
    *out = p;
    return 0;
}

static int start_threads(struct sn_pool *p) {
    pthread_attr_t attr;
    sigset_t all, old;
    int err = pthread_attr_init(&attr);
    if (err == 0) {
        pthread_attr_setstacksize(&attr, STACK_BYTES);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old); /* new threads inherit it: signals belong to the host's threads */
        while (err == 0 && p->n_threads < p->n_workers - 1) {
            struct worker *w = &p->workers[p->n_threads];
            err = pthread_create(&w->thread, &attr, worker_main, w);
            if (err == 0) p->n_threads++;
        }
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        pthread_attr_destroy(&attr);
    }
    return err == 0 ? 0
                    : sn_error(SEQNET_ENOMEM, "cannot start thread %d of %d: the system refuses (error %d)", p->n_threads + 2, p->n_workers,
                               err);
}

int sn_pool_create(int n_workers, struct sn_pool **out) {
    SN_TRY(pool_alloc(n_workers, out));
    int rc = start_threads(*out);
    if (rc < 0) {
        sn_pool_free(*out);
        *out = NULL;
    }
    return rc;
}

int sn_pool_create_host(int n_workers, void *self, void (*run)(void *self, int n, void (*fn)(void *arg, int i, int worker), void *arg),
                        struct sn_pool **out) {
    SN_TRY(pool_alloc(n_workers, out));
    (*out)->host = self;
    (*out)->host_run = run;
    return 0;
}

void sn_pool_free(struct sn_pool *p) {
    if (!p) return;
    if (p->pid == getpid()) { /* after a fork the threads, and whoever held their locks, are not here */
        atomic_store(&p->word, atomic_load(&p->word) >> 16 << 16 | STOP);
        for (int i = 0; i < p->n_threads; i++) bed_wake(&p->workers[i].bed);
        for (int i = 0; i < p->n_threads; i++) pthread_join(p->workers[i].thread, NULL);
        for (int i = 0; i < p->n_workers - 1; i++) bed_destroy(&p->workers[i].bed);
        bed_destroy(&p->caller);
        pthread_mutex_destroy(&p->error_mutex);
    }
    free(p);
}

int sn_pool_size(const struct sn_pool *p) {
    return p ? p->n_workers : 1;
}
