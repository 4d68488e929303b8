/* Attribution: DeepLIFT Rescale by pairs, averaged over references, strands and models; what is explained is what is predicted. */
#ifndef SN_EXPLAIN_EXPLAIN_H
#define SN_EXPLAIN_EXPLAIN_H

#include "graph/runtime.h"
#include "model/model.h"
#include "seq/dataset.h"
#include "seqnet/explain.h"

struct sn_explainer;
int sn_explainer_create(const struct sn_runtime *rt, struct sn_model *const *models, int n_models, const seqnet_explain_options *o,
                        struct sn_explainer **out);
void sn_explainer_free(struct sn_explainer *e);
/* n sequences of codes (rows of code_row bytes, lengths len), indices index[i] decide the shuffles. hypothetical, actual: (n, code_row,
 * channels), NULL allowed. Work is spread over the runtime's workers; results do not depend on n or their number. */
int sn_explainer_run(struct sn_explainer *e, int n, const uint8_t *codes, int64_t code_row, const int32_t *len, const int64_t *index,
                     float *hypothetical, float *actual, seqnet_explanation *out);
int sn_explainer_folder(struct sn_explainer *e, const struct sn_dataset *d, const char *folder);
void sn_explainer_result(const struct sn_explainer *e, seqnet_explain_result *out);

#endif
