/* NumPy's .npz: a zip archive with one stored member arr_0.npy. Sizes are known beforehand, the checksum only at the end: it follows the
 * data (zip's data descriptor). Zip64 where 32 bits do not hold the sizes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "explain/parts.h"

#define MEMBER "arr_0.npy"
#define HEADER 128                 /* bytes of the .npy header */
#define LIMIT UINT64_C(0xffffffff) /* sizes and offsets from here on need zip64 */
#define DATE 0x0021                /* 1980-01-01: the same file from the same numbers */
#define STREAMED 0x0008            /* flag: checksum and sizes behind the data */

struct sn_npz {
    struct sn_outfile *f;
    int64_t n, channels, length, added;
    uint64_t bytes; /* of the member */
    bool zip64;
    uint32_t crc;
    float *row; /* (channels, length) */
};

/* ---- little-endian fields ---- */

struct fields {
    uint8_t b[128];
    size_t n;
};

static void put(struct fields *f, uint64_t v, int bytes) {
    for (int i = 0; i < bytes; i++) f->b[f->n++] = (uint8_t)(v >> (8 * i));
}

static void put_name(struct fields *f) {
    memcpy(f->b + f->n, MEMBER, sizeof MEMBER - 1);
    f->n += sizeof MEMBER - 1;
}

static int flush(struct sn_npz *z, const struct fields *f) {
    return sn_outfile_write(z->f, f->b, f->n);
}

/* ---- the member ---- */

static int write_data(struct sn_npz *z, const void *data, size_t n) {
    z->crc = sn_crc32(z->crc, data, n);
    return sn_outfile_write(z->f, data, n);
}

static int write_local_header(struct sn_npz *z) {
    struct fields f = {.n = 0};
    put(&f, 0x04034b50, 4);
    put(&f, z->zip64 ? 45 : 20, 2);
    put(&f, STREAMED, 2);
    put(&f, 0, 2); /* stored */
    put(&f, 0, 2);
    put(&f, DATE, 2);
    put(&f, 0, 4); /* checksum */
    put(&f, z->zip64 ? LIMIT : 0, 4);
    put(&f, z->zip64 ? LIMIT : 0, 4);
    put(&f, sizeof MEMBER - 1, 2);
    put(&f, z->zip64 ? 20 : 0, 2);
    put_name(&f);
    if (z->zip64) {
        put(&f, 1, 2);
        put(&f, 16, 2);
        put(&f, 0, 8);
        put(&f, 0, 8);
    }
    return flush(z, &f);
}

static int write_array_header(struct sn_npz *z) {
    char h[HEADER + 1];
    memset(h, ' ', sizeof h);
    memcpy(h, "\x93NUMPY\x01\x00", 8);
    h[8] = (char)(HEADER - 10);
    h[9] = 0;
    int n = snprintf(h + 10, sizeof h - 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRId64 ", %" PRId64 ", %" PRId64 "), }",
                     z->n, z->channels, z->length);
    h[10 + n] = ' ';
    h[HEADER - 1] = '\n';
    return write_data(z, h, HEADER);
}

int sn_npz_open(const char *path, int64_t n, int64_t channels, int64_t length, struct sn_npz **out) {
    *out = NULL;
    size_t row, all;
    if (!sn_mul_size((size_t)channels * sizeof(float), (size_t)length, &row) || !sn_mul_size(row, (size_t)n, &all) || all > SIZE_MAX / 2)
        return sn_error(SEQNET_EINVAL, "%s: the array would be too large", path);
    struct sn_npz *z = sn_calloc(1, sizeof *z);
    if (!z) return SEQNET_ENOMEM;
    *z = (struct sn_npz){.n = n, .channels = channels, .length = length, .bytes = all + HEADER};
    z->zip64 = z->bytes >= LIMIT;
    int rc = 0;
    z->row = sn_calloc((size_t)channels * (size_t)length, sizeof *z->row);
    if (!z->row) SN_GO(SEQNET_ENOMEM);
    SN_GO(sn_outfile_open(path, &z->f));
    SN_GO(write_local_header(z));
    SN_GO(write_array_header(z));
    *out = z;
    return 0;
done:
    sn_npz_abort(z);
    return rc;
}

int sn_npz_add(struct sn_npz *z, const float *v, int64_t len) {
    for (int64_t c = 0; c < z->channels; c++)
        for (int64_t p = 0; p < z->length; p++) z->row[c * z->length + p] = p < len ? v[p * z->channels + c] : 0;
    z->added++;
    return write_data(z, z->row, (size_t)(z->channels * z->length) * sizeof *z->row);
}

/* ---- the directory ---- */

static void put_directory(const struct sn_npz *z, struct fields *f) {
    put(f, 0x02014b50, 4);
    put(f, z->zip64 ? 45 : 20, 2);
    put(f, z->zip64 ? 45 : 20, 2);
    put(f, STREAMED, 2);
    put(f, 0, 2);
    put(f, 0, 2);
    put(f, DATE, 2);
    put(f, z->crc, 4);
    put(f, z->zip64 ? LIMIT : z->bytes, 4);
    put(f, z->zip64 ? LIMIT : z->bytes, 4);
    put(f, sizeof MEMBER - 1, 2);
    put(f, z->zip64 ? 20 : 0, 2);
    put(f, 0, 2 + 2 + 2); /* comment, disk, internal attributes */
    put(f, 0, 4 + 4);     /* external attributes, offset of the local header */
    put_name(f);
    if (!z->zip64) return;
    put(f, 1, 2);
    put(f, 16, 2);
    put(f, z->bytes, 8);
    put(f, z->bytes, 8);
}

static void put_zip64_end(struct fields *f, uint64_t offset, uint64_t size) {
    put(f, 0x06064b50, 4);
    put(f, 44, 8);
    put(f, 45, 2);
    put(f, 45, 2);
    put(f, 0, 4 + 4);
    put(f, 1, 8);
    put(f, 1, 8);
    put(f, size, 8);
    put(f, offset, 8);
    put(f, 0x07064b50, 4);
    put(f, 0, 4);
    put(f, offset + size, 8);
    put(f, 1, 4);
}

static int write_end(struct sn_npz *z) {
    struct fields descriptor = {.n = 0}, directory = {.n = 0}, end = {.n = 0};
    int wide = z->zip64 ? 8 : 4;
    put(&descriptor, 0x08074b50, 4);
    put(&descriptor, z->crc, 4);
    put(&descriptor, z->bytes, wide);
    put(&descriptor, z->bytes, wide);
    uint64_t offset = 30 + (sizeof MEMBER - 1) + (z->zip64 ? 20 : 0) + z->bytes + descriptor.n;
    put_directory(z, &directory);
    bool far = offset >= LIMIT;
    if (far) put_zip64_end(&end, offset, directory.n);
    put(&end, 0x06054b50, 4);
    put(&end, 0, 2 + 2);
    put(&end, 1, 2);
    put(&end, 1, 2);
    put(&end, directory.n, 4);
    put(&end, far ? LIMIT : offset, 4);
    put(&end, 0, 2);
    SN_TRY(flush(z, &descriptor));
    SN_TRY(flush(z, &directory));
    return flush(z, &end);
}

int sn_npz_commit(struct sn_npz *z) {
    int rc = z->added == z->n ? 0 : sn_error(SEQNET_EINTERNAL, "array file: %" PRId64 " of %" PRId64 " rows were written", z->added, z->n);
    if (rc == 0) rc = write_end(z);
    if (rc == 0) {
        rc = sn_outfile_commit(z->f);
        z->f = NULL;
    }
    sn_npz_abort(z);
    return rc;
}

void sn_npz_abort(struct sn_npz *z) {
    if (!z) return;
    sn_outfile_abort(z->f);
    free(z->row);
    free(z);
}
