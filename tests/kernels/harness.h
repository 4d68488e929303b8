/* Tests of kernel slots. A case file is compiled for float and, with SN_DOUBLE, for double; a case calls slots of the table it is given,
 * compares every output with a plain formula in double, and records it. The driver runs each case on every table of this machine and
 * compares the records: float tables with the double table to the case's tolerance, vector tables with each other bit for bit.
 *
 * Inputs are seeded and exact in float. Every buffer lies between guard zones; cells of a tensor that a kernel must not touch (beyond the
 * row's length, between the rows, between the positions) hold a marker, a NaN, and are looked at after the call. */
#ifndef SN_TESTS_KERNELS_HARNESS_H
#define SN_TESTS_KERNELS_HARNESS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels.h"

#define KT_MAX_BUFS 64
struct kt_buf {
    unsigned char *base; /* guard, data, guard */
    size_t bytes;
    unsigned char *copy; /* of data that must stay as it is; NULL: may be written */
};
struct kt {
    const struct sn_kernels *k;
    double tol;  /* of check() */
    bool stable; /* the table's matrix products are element-stable: parts of a product have the bits of the whole */
    uint64_t state;
    struct kt_buf bufs[KT_MAX_BUFS];
    int n_bufs;
    double *rec;
    size_t n_rec, cap_rec;
    int failures;
    char where[160];   /* what is being tried, for messages */
    char message[320]; /* of the first failure */
};
struct kt_case {
    const char *name;
    double tol; /* float: |got - want| <= tol * (1 + |want|); the double table: 1e-12 */
    void (*run)(struct kt *t);
};

/* Names the shape under test and releases what the last one used, after looking at its guards. */
void SN_SYM(kt_begin)(struct kt *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void SN_SYM(kt_finish)(struct kt *t);
void SN_SYM(kt_fail)(struct kt *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

uint64_t SN_SYM(kt_bits)(struct kt *t);
int SN_SYM(kt_below)(struct kt *t, int n);
/* A multiple of 1/1024 in [-2, 2). */
sn_real SN_SYM(kt_value)(struct kt *t);

/* n bytes, 64-byte aligned, filled with the marker. */
void *SN_SYM(kt_bytes)(struct kt *t, size_t n);
sn_real *SN_SYM(kt_reals)(struct kt *t, size_t n);
/* n random values. */
sn_real *SN_SYM(kt_values)(struct kt *t, size_t n);
int32_t *SN_SYM(kt_lens)(struct kt *t, int n, int longest); /* 0, 1, longest and others between */
int32_t *SN_SYM(kt_ones)(struct kt *t, int n);
/* From now on the buffer that p begins must not change. */
void SN_SYM(kt_keep)(struct kt *t, const void *p);

/* A tensor of n rows; ld > ch and a gap between the rows when `wide`. Markers everywhere. */
struct sn_t3 SN_SYM(kt_t3)(struct kt *t, int n, int ch, const int32_t *len, bool wide);
/* The same with random cells. */
struct sn_t3 SN_SYM(kt_t3_values)(struct kt *t, int n, int ch, const int32_t *len, bool wide);
/* Sets the cells to v (for outputs that accumulate). */
void SN_SYM(kt_t3_fill)(const struct sn_t3 *x, int n, sn_real v);
static inline sn_real *kt_at(const struct sn_t3 *x, int i, int64_t q, int c) {
    return x->p + i * x->row + q * x->ld + c;
}
/* Whether only cells were written; the cells go to the record. */
void SN_SYM(kt_t3_written)(struct kt *t, const struct sn_t3 *x, int n);

/* Compares with the tolerance; also records. */
void SN_SYM(kt_check)(struct kt *t, sn_real got, double want);
void SN_SYM(kt_same)(struct kt *t, const void *a, const void *b, size_t bytes, const char *what);

#define kt_begin SN_SYM(kt_begin)
#define kt_finish SN_SYM(kt_finish)
#define kt_fail SN_SYM(kt_fail)
#define kt_bits SN_SYM(kt_bits)
#define kt_below SN_SYM(kt_below)
#define kt_value SN_SYM(kt_value)
#define kt_bytes SN_SYM(kt_bytes)
#define kt_reals SN_SYM(kt_reals)
#define kt_values SN_SYM(kt_values)
#define kt_lens SN_SYM(kt_lens)
#define kt_ones SN_SYM(kt_ones)
#define kt_keep SN_SYM(kt_keep)
#define kt_t3 SN_SYM(kt_t3)
#define kt_t3_values SN_SYM(kt_t3_values)
#define kt_t3_fill SN_SYM(kt_t3_fill)
#define kt_t3_written SN_SYM(kt_t3_written)
#define kt_check SN_SYM(kt_check)
#define kt_same SN_SYM(kt_same)

/* Shape number i of a list of awkward ones: channels around the SIMD widths and the stack chunk, rows from none to a few vectors. */
static inline bool kt_shape(int i, int *ch, int *longest, bool *wide) {
    static const int chs[] = {1, 3, 4, 5, 15, 16, 17, 31, 33, 64, 65, 130}, lens[] = {0, 1, 2, 7, 15, 16, 17, 33};
    enum { N_CH = sizeof chs / sizeof *chs, N_LEN = sizeof lens / sizeof *lens };
    if (i >= N_CH * N_LEN) return false;
    *ch = chs[i % N_CH];
    *longest = lens[i / N_CH];
    *wide = (i + i / N_CH) % 2 != 0;
    return true;
}
#define KT_ROWS 5

/* The case tables, ended by a NULL name. */
#define KT_FAMILIES(X)                                                                                                                     \
    X(math) X(element) X(softmax) X(pool) X(dropout) X(norm) X(loss) X(optim) X(cancel) X(codes) X(codes_pool) X(gemm) X(conv) X(lstm)
#define KT_DECLARE(family)                                                                                                                 \
    extern const struct kt_case kt_cases_##family[];                                                                                       \
    extern const struct kt_case kt_cases_##family##_f64[];
KT_FAMILIES(KT_DECLARE)
#undef KT_DECLARE

#endif
