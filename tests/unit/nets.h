/* Small models and runtimes for unit tests. */
#ifndef SN_TESTS_NETS_H
#define SN_TESTS_NETS_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/cpu.h"
#include "core/error.h"
#include "core/rng.h"
#include "graph/runtime.h"
#include "model/model.h"

#define ck_ok(call) ck_assert_msg((call) >= 0, "%s", sn_error_text())

static char last_warning[1024];

static inline void keep_warning(void *self, int level, const char *line) {
    (void)self;
    if (level == SN_LOG_WARN) snprintf(last_warning, sizeof last_warning, "%s", line);
}

static struct sn_backend net_backend;
static struct sn_sink net_sink = {.log = keep_warning};

/* A runtime with its own pool; the best kernels of this machine. */
static inline struct sn_runtime runtime_open(int threads) {
    enum sn_isa isa;
    struct sn_runtime rt = {.threads = threads, .backend = &net_backend, .sink = &net_sink, .describe = "test"};
    if (!net_backend.name) {
        ck_ok(sn_isa_detect(&isa));
        ck_ok(sn_backend_cpu((int)isa, "own", &net_backend));
    }
    ck_ok(sn_pool_create(threads, &rt.pool));
    return rt;
}

static inline void runtime_close(struct sn_runtime *rt) {
    sn_pool_free(rt->pool);
}

/* A bound model with random weights, biases too. `gain` stretches them. */
static inline struct sn_model *net_make(const char *text, enum sn_task_kind kind, int tasks, uint64_t seed, double gain) {
    struct sn_arch *a;
    struct sn_model *m;
    struct sn_stream s;
    ck_ok(sn_arch_parse(text, strlen(text), "net.yaml", &a));
    ck_ok(sn_arch_bind(a, kind, tasks, 50, 50));
    ck_ok(sn_model_create(a, &m));
    ck_ok(sn_model_init(m, seed));
    m->kind = kind;
    sn_stream_init(&s, seed, 77, 0);
    for (int64_t i = 0; i < a->graph->n_params; i++)
        m->params[i] = (sn_real)(gain * (double)m->params[i] + 0.1 * (sn_stream_unit(&s) - 0.5));
    return m;
}

/* Random bases; one in `every` (0 = none) is N, one in ten lower case. */
static inline void random_bases(char *s, int64_t n, int every, struct sn_stream *r) {
    for (int64_t i = 0; i < n; i++) {
        s[i] = "ACGT"[sn_stream_below(r, 4)];
        if (every && sn_stream_below(r, (uint64_t)every) == 0) s[i] = 'N';
        if (sn_stream_below(r, 10) == 0) s[i] = (char)(s[i] + 'a' - 'A');
    }
    s[n] = '\0';
}

#endif
