#include "motif/attributions.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/npy.h"

struct shape {
    int64_t n, length;
    bool base_first; /* (n,4,length) */
};

static int read_shape(const struct sn_npy *f, struct shape *s) {
    int64_t d[SN_NPY_DIMS];
    int n = sn_npy_dims(f, d);
    const char *path = sn_npy_path(f), *want = "expected (sequences, 4, length), bases in the order A, C, G, T";
    if (n != 3) return sn_error(SEQNET_ESHAPE, "%s: an array of %d axes: %s", path, n, want);
    if ((d[1] == 4) == (d[2] == 4))
        return sn_error(SEQNET_ESHAPE, "%s: shape (%" PRId64 ", %" PRId64 ", %" PRId64 "): %s", path, d[0], d[1], d[2], want);
    s->n = d[0];
    s->base_first = d[1] == 4;
    s->length = s->base_first ? d[2] : d[1];
    if (s->n > INT32_MAX || s->length > INT32_MAX / 64) return sn_error(SEQNET_ESHAPE, "%s: too many sequences or positions", path);
    return 0;
}

/* A row of one-hot numbers to bases. */
static int row_to_bases(const struct sn_npy *f, const struct shape *s, int64_t row, const float *v, uint8_t *bases) {
    for (int64_t p = 0; p < s->length; p++) {
        int base = 4, ones = 0;
        for (int c = 0; c < 4; c++) {
            float x = s->base_first ? v[c * s->length + p] : v[p * 4 + c];
            if (x != 0 && x != 1)
                return sn_error(SEQNET_EDATA, "%s: sequence %" PRId64 ", position %" PRId64 ": expected 0 or 1, got %g", sn_npy_path(f),
                                row, p, (double)x);
            if (x == 0) continue;
            base = c;
            ones++;
        }
        if (ones > 1)
            return sn_error(SEQNET_EDATA, "%s: sequence %" PRId64 ", position %" PRId64 ": %d bases at once", sn_npy_path(f), row, p, ones);
        bases[row * s->length + p] = (uint8_t)base;
    }
    return 0;
}

static int read_bases(struct sn_npy *f, const struct shape *s, uint8_t **out) {
    float *row = sn_calloc((size_t)s->length, 4 * sizeof *row);
    uint8_t *bases = sn_calloc((size_t)s->n, (size_t)s->length);
    int rc = row && bases ? 0 : SEQNET_ENOMEM;
    for (int64_t i = 0; i < s->n && rc == 0; i++) {
        rc = sn_npy_read(f, row, 4 * s->length);
        if (rc == 0) rc = row_to_bases(f, s, i, row, bases);
    }
    if (rc == 0) rc = sn_npy_finish(f);
    free(row);
    if (rc < 0) {
        free(bases);
        return rc;
    }
    *out = bases;
    return 0;
}

/* Numbers that lie in the file as they are needed stay there; others are read. */
static int read_hypothetical(struct sn_npy **f, const struct shape *s, struct sn_loaded *out) {
    const uint8_t *mapped = sn_npy_mapped(*f);
    if (mapped) {
        SN_TRY(sn_npy_finish(*f));
        out->a.hypothetical = mapped;
        out->a.file = out->file = *f;
        *f = NULL;
    } else {
        int64_t row = 4 * s->length;
        out->hypothetical = sn_calloc((size_t)s->n, (size_t)row * sizeof(float));
        if (!out->hypothetical) return SEQNET_ENOMEM;
        for (int64_t i = 0; i < s->n; i++) SN_TRY(sn_npy_read(*f, out->hypothetical + i * row, row));
        SN_TRY(sn_npy_finish(*f));
        out->a.hypothetical = (const uint8_t *)out->hypothetical;
    }
    out->a.row_step = 16 * s->length;
    out->a.position_step = s->base_first ? 4 : 16;
    out->a.base_step = s->base_first ? 4 * s->length : 4;
    return 0;
}

static int check_memory(const char *path, const struct shape *s, bool mapped, int64_t max_memory) {
    int64_t letters = s->n * s->length, need = letters + (mapped ? 0 : 16 * letters);
    if (max_memory <= 0 || need <= max_memory) return 0;
    return sn_error(SEQNET_ENOMEM,
                    "%s: %" PRId64 " sequences of %" PRId64 " letters take %" PRId64 " MB, of the memory allowed %" PRId64 " MB are left%s",
                    path, s->n, s->length, (need >> 20) + 1, max_memory >> 20,
                    mapped ? "" : "; 32-bit floats that are not compressed (numpy.savez) are read in place");
}

int sn_attributions_load(const char *one_hot, const char *hypothetical, int64_t max_memory, struct sn_loaded *out) {
    memset(out, 0, sizeof *out);
    struct sn_npy *x = NULL, *h = NULL;
    struct shape sx, sh;
    int rc = 0;
    SN_GO(sn_npy_open(one_hot, &x));
    SN_GO(sn_npy_open(hypothetical, &h));
    SN_GO(read_shape(x, &sx));
    SN_GO(read_shape(h, &sh));
    if (sx.n != sh.n || sx.length != sh.length)
        SN_GO(sn_error(SEQNET_ESHAPE,
                       "%s has %" PRId64 " sequences of %" PRId64 " letters, %s has %" PRId64 " of %" PRId64 ": they must be the same",
                       one_hot, sx.n, sx.length, hypothetical, sh.n, sh.length));
    SN_GO(check_memory(hypothetical, &sh, sn_npy_mapped(h) != NULL, max_memory));
    SN_GO(read_bases(x, &sx, &out->bases));
    SN_GO(read_hypothetical(&h, &sh, out));
    SN_GO((out->path = sn_strdup(hypothetical)) ? 0 : SEQNET_ENOMEM);
    out->a.name = out->path;
    out->a.n = sx.n;
    out->a.length = (int32_t)sx.length;
    out->a.bases = out->bases;
done:
    sn_npy_close(x);
    sn_npy_close(h);
    if (rc < 0) sn_attributions_free(out);
    return rc;
}

void sn_attributions_drop(const struct sn_attributions *a, int64_t first, int64_t end) {
    if (a->file && first < end) sn_npy_drop(a->file, a->hypothetical + first * a->row_step, (size_t)((end - first) * a->row_step));
}

void sn_attributions_free(struct sn_loaded *l) {
    free(l->path);
    free(l->bases);
    free(l->hypothetical);
    sn_npy_close(l->file);
    memset(l, 0, sizeof *l);
}
