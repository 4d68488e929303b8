/* The container of model files: safetensors with float32 tensors. Knows tensors and metadata, not models. */
#ifndef SN_MODEL_SAFETENSORS_H
#define SN_MODEL_SAFETENSORS_H

#include "core/file.h"
#include "core/mem.h"
#include "kernels.h"

#define SN_ST_MAX_RANK 8
#define SN_ST_MAX_HEADER ((size_t)8 << 20)

struct sn_st_tensor {
    char *name;
    int rank;
    int64_t shape[SN_ST_MAX_RANK];
    size_t begin, end; /* bytes in the data part */
    bool used;         /* for the caller */
};

struct sn_st_file {
    const char *path; /* borrowed */
    int fd;
    size_t data_start, data_bytes;
    struct sn_st_tensor *tensors; /* by their place; they tile the data part exactly */
    size_t n, cap;
    char *identity, *provenance; /* metadata, NULL when absent */
};

/* Opens and checks everything but the values: sizes against the file before memory is taken. Errors: SEQNET_EIO, SEQNET_EMODEL. On failure
 * nothing is left to close. */
int sn_st_open(const char *path, struct sn_st_file *f);
void sn_st_close(struct sn_st_file *f);
struct sn_st_tensor *sn_st_find(const struct sn_st_file *f, const char *name);
/* Values of a tensor; *crc its CRC-32C. SEQNET_ENUM when a value is NaN or infinite (after the CRC is known). */
int sn_st_read(const struct sn_st_file *f, const struct sn_st_tensor *t, sn_real *dst, uint32_t *crc, bool *finite);
/* CRC-32C of values as they are stored. */
uint32_t sn_st_crc(uint32_t crc, const sn_real *p, int64_t n);

/* Writing: a header text is made of tensors in the order of their data, then the whole file is written at once. */
struct sn_st_header {
    struct sn_str text;
    size_t bytes; /* of data so far */
};
int sn_st_begin(struct sn_st_header *h, const char *identity, const char *provenance);
int sn_st_add(struct sn_st_header *h, const char *name, const int64_t *shape, int rank);
int sn_st_write(struct sn_st_header *h, const char *path, const sn_real *values);
void sn_st_header_free(struct sn_st_header *h);

#endif
