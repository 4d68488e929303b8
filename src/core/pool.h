/* Thread pool: tiles of a job are claimed by workers from one atomic counter, the caller works too. Which worker runs which tile is
 * not defined; results must not depend on it. Workers spin at most 20 us between jobs, then sleep: an idle pool uses no CPU.
 * Threads that run tiles have FTZ+DAZ set; the caller's floating-point mode is given back. */
#ifndef SN_CORE_POOL_H
#define SN_CORE_POOL_H

struct sn_pool;

/* Runs one tile; `worker` is in [0, workers of the pool). Returns 0 or a negative code (its thread-local message is carried over). */
typedef int (*sn_tile_fn)(void *arg, int tile, int worker);

/* n_workers >= 1 counts the caller: n_workers - 1 threads are created, with all signals blocked and 1 MB stacks. */
int sn_pool_create(int n_workers, struct sn_pool **out);

/* A host's own pool: `run` must call fn(arg, i, worker) for every i in [0, n) and return when all have ended. */
int sn_pool_create_host(int n_workers, void *self, void (*run)(void *self, int n, void (*fn)(void *arg, int i, int worker), void *arg),
                        struct sn_pool **out);
void sn_pool_free(struct sn_pool *p);      /* joins the threads; NULL is fine */
int sn_pool_size(const struct sn_pool *p); /* 1 for NULL */

/* Runs tiles 0..n-1 on at most `max_workers` workers and waits. First error wins (lowest tile), the remaining tiles are skipped.
 * p == NULL or max_workers == 1: in the calling thread, worker 0. One job at a time per pool; not reentrant. A pool carried through
 * fork() is detected: SEQNET_EINVAL. */
int sn_pool_run(struct sn_pool *p, int n, int max_workers, sn_tile_fn fn, void *arg);

/* Floating-point mode: sets FTZ+DAZ (no-op where there is none) and returns the old mode; sn_fpmode_restore gives it back. */
unsigned sn_fpmode_enter(void);
void sn_fpmode_restore(unsigned old);

#endif
