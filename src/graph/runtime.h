/* What a context lends to the rooms that compute: workers, backend, sink. Borrowed; outlives them. */
#ifndef SN_GRAPH_RUNTIME_H
#define SN_GRAPH_RUNTIME_H

#include "core/log.h"
#include "core/pool.h"
#include "graph/plan.h"

struct sn_runtime {
    struct sn_pool *pool; /* NULL = the calling thread only */
    int threads;          /* workers of the pool */
    struct sn_backend *backend;
    const struct sn_sink *sink;
    const char *describe; /* device, kernels, GEMM provider, threads: for provenance and output headers */
};

#endif
