/* NumPy's .npy and .npz files: header, shape, and the numbers of an array in order. Stored and deflated members of an archive; checksums
 * are checked. Numbers are little-endian floats of 16, 32, 64 bits, integers of 8 to 64, or booleans. */
#ifndef SN_CORE_NPY_H
#define SN_CORE_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SN_NPY_DIMS 8

struct sn_npy; /* one array of an open file */

/* Opens an array: of an .npz archive the member "arr_0", or the only one. SEQNET_EIO, SEQNET_EFORMAT (says what is wrong with the file),
 * SEQNET_ENOTSUP (objects, records, Fortran order, other byte order). */
int sn_npy_open(const char *path, struct sn_npy **out);
void sn_npy_close(struct sn_npy *a);

const char *sn_npy_path(const struct sn_npy *a);
int sn_npy_dims(const struct sn_npy *a, int64_t shape[SN_NPY_DIMS]);
/* The next n numbers as floats. Those that have no float are rounded or become infinite. */
int sn_npy_read(struct sn_npy *a, float *out, int64_t n);
/* After the last number, or instead of reading those that are mapped: SEQNET_EFORMAT when the checksum of the archive differs. */
int sn_npy_finish(struct sn_npy *a);
/* The numbers in the file itself when they are 32-bit floats that lie there unpacked, else NULL; valid until closed. Not aligned: read them
 * with memcpy. */
const uint8_t *sn_npy_mapped(const struct sn_npy *a);
/* Says that n mapped bytes are not needed for now: their memory is given back, and filled from the file when they are read again. */
void sn_npy_drop(const struct sn_npy *a, const uint8_t *from, size_t n);

#endif
