/* FASTA records -> rows. */
#include <string.h>

#include "core/error.h"
#include "seq/fasta.h"
#include "seq/rows.h"

#define STEP 16384

/* Appends the current record to the row that was just pushed empty. */
static int read_record(struct sn_dataset *d, struct sn_fasta_stream *s) {
    int64_t got;
    do {
        SN_TRY(sn_dataset_reserve(d, 0, STEP));
        got = sn_fasta_read(s, d->codes + d->offset[d->n], STEP);
        if (got < 0) return (int)got;
        d->offset[d->n] += got;
    } while (got > 0);
    return 0;
}

static int check_record(struct sn_dataset *d, const struct sn_text *t, const struct sn_fasta_stream *s) {
    int64_t ambiguous, i = d->n - 1;
    if (sn_dataset_letters(d, i, &ambiguous) == 0)
        return sn_error(SEQNET_EDATA, "%s:%lld: record '%.120s' %s", t->path, (long long)sn_fasta_line(s), d->names[i],
                        sn_dataset_len(d, i) ? "holds nothing but N" : "has no sequence");
    d->ambiguous += ambiguous;
    return 0;
}

int sn_rows_from_fasta(struct sn_dataset *d, struct sn_text *t, const float *target, const struct sn_sink *sink) {
    struct sn_fasta_stream *s = NULL;
    const char *name;
    int rc, got;
    SN_GO(sn_fasta_from_text(t, d->alphabet, &s));
    while ((got = sn_fasta_next(s, &name)) > 0) {
        if (d->n % 65536 == 0) SN_GO(sn_check_cancel(sink));
        char *copy = sn_strdup(name);
        if (copy == NULL) SN_GO(SEQNET_ENOMEM);
        SN_GO(sn_dataset_push(d, copy, 0, NULL, target));
        SN_GO(read_record(d, s));
        SN_GO(check_record(d, t, s));
    }
    SN_GO(got);
    rc = 0;
done:
    sn_fasta_close(s);
    return rc;
}
