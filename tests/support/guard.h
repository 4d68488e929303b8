/* A backend whose memory is PROT_NONE outside kernel calls, uploads and downloads: an op or an executor that looks into a tensor itself
 * dies at once. That is what lets a GPU take over. Single-threaded; one at a time. */
#ifndef SN_TESTS_GUARD_H
#define SN_TESTS_GUARD_H

#include "graph/plan.h"

/* Wraps a copy of `inner`'s kernels. */
void guard_backend(const struct sn_backend *inner, struct sn_backend *out);
/* Kernel calls and copies so far. */
long guard_calls(void);

#endif
