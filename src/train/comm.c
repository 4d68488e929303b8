/* The communicator of a run in one process. */
#include <string.h>

#include "train/parts.h"

static int keep_sum(void *self, double *v, int64_t n) {
    (void)self, (void)v, (void)n;
    return 0;
}

static int keep_value(void *self, void *v, int64_t bytes) {
    (void)self, (void)v, (void)bytes;
    return 0;
}

static int copy_value(void *self, const void *v, int64_t bytes, void *all) {
    (void)self;
    memcpy(all, v, (size_t)bytes);
    return 0;
}

static int pass(void *self) {
    (void)self;
    return 0;
}

const struct sn_comm sn_comm_single = {
    .rank = 0, .size = 1, .tree_sum = keep_sum, .broadcast = keep_value, .gather = copy_value, .barrier = pass};
