/* The file of finished sequences, explain.work. */
#ifndef SN_EXPLAIN_WORK_H
#define SN_EXPLAIN_WORK_H

#include "explain/parts.h"

/* What decides the numbers, as checksums. */
struct sn_work_key {
    uint32_t models, options, input, reserved;
};
struct sn_work;
/* Without `resume` the file must not exist. With it what is there is taken over when the key is the same. The data set is borrowed. */
int sn_work_open(const char *path, const struct sn_dataset *d, int tasks, int channels, const struct sn_work_key *key, bool resume,
                 struct sn_work **out);
/* Sequences [0, done) are there. */
int64_t sn_work_done(const struct sn_work *w);
/* Adds the next sequence: a result per task, contributions `row` floats from task to task. */
int sn_work_add(struct sn_work *w, const seqnet_explanation *x, const float *hypothetical, const float *actual, int64_t row);
/* A sequence's result and contributions (len, channels) for a task. */
int sn_work_get(const struct sn_work *w, int64_t i, int task, seqnet_explanation *x, float *hypothetical, float *actual);
void sn_work_close(struct sn_work *w, bool discard);

#endif
