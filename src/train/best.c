/* The best epoch's weights: in memory, or, where they are large, in a file without a name, so that a run holds weights, gradients and the
 * optimizer's state only. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "train/parts.h"

#define IN_MEMORY ((size_t)64 << 20)

struct sn_best {
    size_t bytes;
    sn_real *copy; /* or */
    FILE *file;
};

int sn_best_create(int64_t n_params, struct sn_best **out) {
    struct sn_best *b = sn_calloc(1, sizeof *b);
    *out = NULL;
    if (!b) return SEQNET_ENOMEM;
    b->bytes = (size_t)n_params * sizeof *b->copy;
    if (b->bytes > IN_MEMORY) b->file = tmpfile();
    if (b->file) {
        setbuf(b->file, NULL);
    } else if (!(b->copy = sn_calloc((size_t)n_params, sizeof *b->copy))) { /* no folder for temporary files is no reason to fail */
        free(b);
        return SEQNET_ENOMEM;
    }
    *out = b;
    return 0;
}

void sn_best_free(struct sn_best *b) {
    if (!b) return;
    if (b->file) fclose(b->file);
    free(b->copy);
    free(b);
}

/* A full disk costs memory, not the run. */
static int leave_file(struct sn_best *b) {
    fclose(b->file);
    b->file = NULL;
    b->copy = sn_calloc(b->bytes, 1);
    return b->copy ? 0 : SEQNET_ENOMEM;
}

int sn_best_keep(struct sn_best *b, const sn_real *params) {
    if (b->file) {
        rewind(b->file);
        if (fwrite(params, 1, b->bytes, b->file) == b->bytes) return 0;
        SN_TRY(leave_file(b));
    }
    memcpy(b->copy, params, b->bytes);
    return 0;
}

int sn_best_restore(struct sn_best *b, sn_real *params) {
    if (!b->file) {
        memcpy(params, b->copy, b->bytes);
        return 0;
    }
    rewind(b->file);
    if (fread(params, 1, b->bytes, b->file) == b->bytes) return 0;
    return sn_error(SEQNET_EIO, "reading the best epoch's weights back from their temporary file: %s", strerror(errno));
}
