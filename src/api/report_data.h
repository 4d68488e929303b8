/* The report of an explanation: everything it shows, gathered from the models, the data and the results. */
#ifndef SN_API_REPORT_DATA_H
#define SN_API_REPORT_DATA_H

#include "api/api.h"
#include "explain/explain.h"
#include "motif/patterns.h"
#include "motif/tomtom.h"

struct sn_report_input {      /* all borrowed */
    seqnet_ctx *ctx;          /* scores a data set that has labels */
    struct sn_model **models; /* (n_models) */
    int n_models;
    const struct sn_dataset *d;         /* explained; with labels: ROC and precision-recall curves of its scores */
    const struct sn_explained_task *x;  /* the task; its folder holds run.tsv and contributions.npz, and gets the report */
    const char *target;                 /* "label logit" */
    const char *command;                /* NULL = unknown */
    int n_examples;                     /* sequences drawn, those with the highest output */
    const struct sn_patterns *patterns; /* NULL = not looked for */
    const char *why_no_patterns;        /* a sentence; NULL: from the patterns' own message */
    const struct sn_motif_set *db;      /* that the patterns were compared with; NULL = none */
    const char *db_name;
    const struct sn_tomtom_hits *hits; /* of the queries that sn_patterns_motifs makes; NULL = none */
    int most_hits;                     /* shown of a pattern */
};
/* Writes report.html and the folder `report`. */
int sn_report_make(const struct sn_report_input *in);

/* The sequence with the highest of n outputs that is not yet taken; the first of equals, NaN last. -1: none is left. */
int64_t sn_next_strongest(const float *output, int64_t n, const bool *taken);

#endif
