/* Label columns of a table: values gathered row by row, then turned into targets. */
#ifndef SN_SEQ_LABELS_H
#define SN_SEQ_LABELS_H

#include "seq/dataset.h"
#include "seq/lines.h"
#include "seq/names.h"

struct sn_label {
    const char *name; /* borrowed */
    enum { SN_LABEL_UNSEEN, SN_LABEL_NUMBERS, SN_LABEL_TEXT } type;
    bool binary;   /* 0 and 1 only */
    bool constant; /* one value only */
    float first;   /* the first value */
};
struct sn_labels { /* {0} is a valid empty one */
    struct sn_label *v;
    int n;
    size_t cap;
    float *values; /* (rows, n): numbers, or indices of classes; NaN = missing */
    size_t n_values, cap_values;
    struct sn_names classes;
};

int sn_labels_add(struct sn_labels *l, const char *name);
/* The next value: label `i` of the row being read. */
int sn_labels_value(struct sn_labels *l, const struct sn_text *t, int i, struct sn_cell c);
/* Sets kind, tasks and targets of d, whose rows are those gathered. */
int sn_labels_finish(struct sn_labels *l, const struct sn_text *t, struct sn_dataset *d, const struct sn_dataset_options *o);
void sn_labels_free(struct sn_labels *l);

#endif
