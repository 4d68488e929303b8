/* The report: one page without network, scripts or fonts of its own, and beside it, in the folder `report`, everything it shows as plain
 * files: pictures (SVG) and tables (TSV). All pointers are borrowed and only read; a count of 0 or a NULL where "may be NULL" stands leaves
 * a part out or says in words why it is empty. The bytes depend on the struct alone. */
#ifndef SN_REPORT_REPORT_H
#define SN_REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

struct sn_report_fact {
    const char *name, *value;
};
struct sn_report_card {
    const char *title;
    const struct sn_report_fact *facts;
    int n;
};

/* ---- training ---- */

struct sn_report_series {
    const char *name; /* "training", "validation"; "auroc" */
    const double *y;  /* (n_epochs) NaN = missing */
};
struct sn_report_training {
    const char *name;    /* of the model, where there are several; may be NULL */
    const double *epoch; /* (n_epochs) */
    int n_epochs;
    const struct sn_report_series *losses, *metrics;
    int n_losses, n_metrics;
    double best; /* the epoch kept; NaN = unknown */
};

/* ---- how good ---- */

struct sn_report_task {
    const char *name;
    int64_t n, positives;                             /* observed; positives -1: the task is a number, not yes or no */
    double auroc, auprc, accuracy, pearson, spearman; /* NaN = not defined */
    int n_points;                                     /* of the curve, by falling threshold; 0: none is drawn */
    const int64_t *tp, *fp;                           /* (n_points) true and false positives among the scores at or above it */
};
struct sn_report_evaluation {
    const char *title; /* "Validation sequences" */
    const char *note;  /* a sentence on where they come from; may be NULL */
    const struct sn_report_task *tasks;
    int n;
};

/* ---- patterns ---- */

struct sn_report_match {
    const char *id, *name; /* name: may be NULL */
    int width;
    const double *pfm; /* (width, letters) as in the database */
    int offset;        /* of its first column from that of the pattern's core */
    int overlap;       /* columns */
    bool reverse;      /* it is turned to its reverse complement to fit */
    double p, e, q;
};
struct sn_report_pattern {
    const char *name;
    const char *consensus; /* of the core; may be NULL */
    int64_t n_seqlets, n_sequences;
    int width, core_start, core_end; /* half-open; the core is what is compared */
    const double *pfm;               /* (width, letters) letters of the seqlets; rows sum to 1, or less where letters are unknown */
    const double *contribution;      /* (width, letters) mean contributions */
    const double *position;          /* (n_positions) middle of each seqlet from the middle of its sequence */
    int64_t n_positions;
    const struct sn_report_match *matches; /* the best first */
    int n_matches;
    bool part; /* of the last pattern before it that is no part */
};

/* ---- sequences ---- */

struct sn_report_mark { /* a seqlet */
    int64_t start, end; /* positions of the sequence, half-open */
    const char *label;  /* its pattern */
};
struct sn_report_example {
    const char *name;
    const char *note;          /* output, expected; may be NULL */
    const char *bases;         /* (length) */
    const float *contribution; /* (length) */
    int64_t length;
    const struct sn_report_mark *marks;
    int n_marks;
};

struct sn_report {
    const char *title;        /* "REST: what the model learned" */
    const char *date;         /* may be NULL: the page has no time of its own */
    const char *version;      /* of the program */
    const char *command;      /* may be NULL */
    const char *letters;      /* of the alphabet, in the order of all columns */
    const char *target;       /* what is explained: "label logit"; may be NULL */
    const char *unit;         /* of contributions, for axes; NULL = "contribution" */
    int64_t n_sequences;      /* explained */
    int64_t longest;          /* of them */
    const char *const *notes; /* (n_notes) warnings to be read first */
    int n_notes;
    const struct sn_report_card *cards;
    int n_cards;
    const struct sn_report_training *trainings;
    int n_trainings;
    const struct sn_report_evaluation *evaluations;
    int n_evaluations;
    const char *why_no_curves; /* a sentence for when there is no evaluation; may be NULL */
    const struct sn_report_pattern *patterns;
    int n_patterns;
    const char *why_no_patterns; /* the same for patterns: "No pattern was found: only 12 seqlets."; may be NULL */
    const char *database;        /* that the patterns were compared with; NULL = none */
    int64_t n_database;          /* motifs in it */
    const struct sn_report_example *examples;
    int n_examples;
    const float *residual; /* (n_residuals) of each sequence */
    int64_t n_residuals;
};

/* Writes FOLDER/report.html and FOLDER/report/: each file complete or not at all, the page last. The folder is made when missing.
 * SEQNET_EIO, SEQNET_ENOMEM; SEQNET_EINVAL names what in the struct cannot be drawn. */
int sn_report_write(const struct sn_report *r, const char *folder);
/* Removes such a report. */
void sn_report_remove(const char *folder);

#endif
