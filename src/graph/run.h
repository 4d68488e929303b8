/* Running stages of a session. */
#ifndef SN_GRAPH_RUN_H
#define SN_GRAPH_RUN_H

#include "graph/plan_parts.h"

int sn_session_set_batch(struct sn_session *s, const struct sn_batch *b, int64_t step);
int sn_run_stages(struct sn_session *s, bool reverse);
int sn_run_loss(struct sn_session *s, int head, const struct sn_targets *t, bool grad);
/* A gradient buffer seen with the shape of nd's output. */
struct sn_t3 sn_x_buffer(const struct sn_exec *x, int buffer, const struct sn_node *nd, int r0);
int sn_run_clear_gradients(struct sn_session *s);

#endif
