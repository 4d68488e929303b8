/* Reading data sets in unit tests, with what was logged. */
#ifndef SN_TESTS_DATASETS_H
#define SN_TESTS_DATASETS_H

#include "seq/dataset.h"
#include "tempfile.h"

static char logged[8192]; /* warnings and information of the last reading */

static inline void keep_log(void *self, int level, const char *line) {
    (void)self;
    size_t n = strlen(logged);
    snprintf(logged + n, sizeof logged - n, "%d %s\n", level, line);
}

static const struct sn_sink sink = {.log = keep_log};

static inline struct sn_dataset_options options(void) {
    logged[0] = '\0';
    return (struct sn_dataset_options){.negatives_per_positive = 1, .seed = 5, .sink = &sink};
}

static inline struct sn_dataset *must_read(struct sn_dataset_options o) {
    struct sn_dataset *d;
    ck_assert_msg(sn_dataset_read(&o, &d) == 0, "%s", sn_error_text());
    ck_assert_uint_eq(d->digest, sn_dataset_digest(d));
    return d;
}

static inline int try_read(struct sn_dataset_options o) {
    struct sn_dataset *d;
    int rc = sn_dataset_read(&o, &d);
    ck_assert(rc < 0 ? d == NULL : d != NULL);
    sn_dataset_free(d);
    return rc;
}

static inline void ck_row(const struct sn_dataset *d, int64_t i, const char *want) {
    ck_assert_int_eq((int)sn_dataset_len(d, i), (int)strlen(want));
    for (size_t k = 0; want[k]; k++)
        ck_assert_int_eq(d->codes[d->offset[i] + (int64_t)k], want[k] == '-' ? 0 : d->alphabet->encode[(unsigned char)want[k]]);
}

#endif
