/* Metrics over (n, T) scores and targets, NaN targets left out. All in double, ties averaged, independent of order. */
#ifndef SN_TRAIN_METRICS_H
#define SN_TRAIN_METRICS_H

#include <stdint.h>

#include "seq/dataset.h"
#include "seqnet/predict.h"

/* stride: elements from row to row. NaN when undefined (one class only, no variance). */
double sn_auroc(const float *score, const float *target, int64_t n, int64_t stride);
double sn_auprc(const float *score, const float *target, int64_t n, int64_t stride); /* average precision */
double sn_pearson(const float *score, const float *target, int64_t n, int64_t stride);
double sn_spearman(const float *score, const float *target, int64_t n, int64_t stride);

/* Counts of the targets above 0.5 and of the others among the scores at or above a threshold. */
struct sn_roc_point {
    int64_t tp, fp;
};
/* One task's thresholds, falling, a run of equal scores as one; the last holds everything. Where there are more than `most` (2..), those
 * stay that are the first to reach a multiple of 1/(most-1) of the way from (0,0) to the end, along both axes, each as long as the other.
 * *n and *positives: observed targets. Returns how many are in out (most), 0 when a score is NaN or one class is missing; or SEQNET_ENOMEM.
 */
int sn_roc_points(const float *score, const float *target, int64_t rows, int64_t stride, int most, struct sn_roc_point *out, int64_t *n,
                  int64_t *positives);

/* All metrics that fit `kind`: scores as predict prints them; per task, then the means over the tasks where they are defined (task -1).
 * Writes at most cap; returns how many there are, or SEQNET_ENOMEM. */
int sn_metrics(enum sn_task_kind kind, const float *scores, const float *targets, int64_t n, int n_tasks, seqnet_metric *out, int cap);

#endif
