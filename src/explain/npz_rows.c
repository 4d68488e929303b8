/* Rows of an array file of a finished folder, in any order. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/npy.h"
#include "explain/explain.h"

struct sn_npz_rows {
    struct sn_npy *file;
    const uint8_t *data; /* in the file */
    int64_t shape[SN_NPY_DIMS];
};

int sn_npz_rows_open(const char *path, struct sn_npz_rows **out) {
    int rc = 0;
    *out = NULL;
    struct sn_npz_rows *z = sn_calloc(1, sizeof *z);
    if (!z) return SEQNET_ENOMEM;
    SN_GO(sn_npy_open(path, &z->file));
    z->data = sn_npy_mapped(z->file);
    if (!z->data || sn_npy_dims(z->file, z->shape) != 3)
        SN_GO(sn_error(SEQNET_EFORMAT, "%s: expected an array as explain writes it: one stored member of float32 (n, channels, length)",
                       path));
    *out = z;
    z = NULL;
done:
    sn_npz_rows_close(z);
    return rc;
}

void sn_npz_rows_shape(const struct sn_npz_rows *z, int64_t *n, int64_t *channels, int64_t *length) {
    *n = z->shape[0];
    *channels = z->shape[1];
    *length = z->shape[2];
}

int sn_npz_row(struct sn_npz_rows *z, int64_t i, float *out) {
    int64_t channels = z->shape[1], length = z->shape[2];
    if (i < 0 || i >= z->shape[0]) return sn_error(SEQNET_EINVAL, "%s: row %" PRId64 " of %" PRId64, sn_npy_path(z->file), i, z->shape[0]);
    const uint8_t *row = z->data + i * channels * length * (int64_t)sizeof *out;
    for (int64_t p = 0; p < length; p++)
        for (int64_t c = 0; c < channels; c++) memcpy(&out[p * channels + c], row + (c * length + p) * (int64_t)sizeof *out, sizeof *out);
    return 0;
}

void sn_npz_rows_close(struct sn_npz_rows *z) {
    if (!z) return;
    sn_npy_close(z->file);
    free(z);
}
