/* Random access to the uncompressed text of a plain or bgzip file, by checkpoints where decompression can start. */
#ifndef SN_SEQ_SEEKABLE_H
#define SN_SEQ_SEEKABLE_H

#include "seq/lines.h"

#define SN_SEEK_MOST ((size_t)1 << 16) /* bytes of one sn_seekable_get */

struct sn_seekable {
    struct sn_text *text; /* borrowed; its checkpoints are used, its buffer is not */
    char *buf;            /* SN_SEEK_MOST bytes */
    int64_t start;        /* offset of buf[0] */
    size_t n;             /* bytes in buf */
    int64_t at;           /* where the file stands; -1 = unknown */
};

int sn_seekable_init(struct sn_seekable *s, struct sn_text *t);
void sn_seekable_free(struct sn_seekable *s);
/* Checkpoints from a .gzi file; SEQNET_EFORMAT when it cannot belong to a bgzip file of this size. */
int sn_seekable_read_gzi(struct sn_text *t, const char *gzi_path);
/* n <= SN_SEEK_MOST bytes at offset: *p, and *have <= n of them (fewer only at the end of the file). Valid until the next call. */
int sn_seekable_get(struct sn_seekable *s, int64_t offset, size_t n, const char **p, size_t *have);

#endif
