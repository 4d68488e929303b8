/* Scanning genomes: fixed tiles of windows, read -> score -> write in genome order, flat memory. */
#ifndef SN_SCAN_SCAN_H
#define SN_SCAN_SCAN_H

#include "graph/runtime.h"
#include "model/model.h"
#include "seqnet/scan.h"

struct sn_scanner;
int sn_scanner_create(const struct sn_runtime *rt, struct sn_model *const *models, int n_models, const seqnet_scan_options *o,
                      struct sn_scanner **out);
void sn_scanner_free(struct sn_scanner *s);
int sn_scanner_run(struct sn_scanner *s, const char *genome);
void sn_scanner_result(const struct sn_scanner *s, seqnet_scan_result *out);
const char *sn_scanner_describe(const struct sn_scanner *s);

#endif
