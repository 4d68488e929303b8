/* Reading a data set: what was asked for, from what the files turn out to hold. */
#include <string.h>

#include "core/error.h"
#include "seq/rows.h"

struct loader {
    const struct sn_dataset_options *o;
    struct sn_dataset *d;
    struct sn_reference *reference;
    struct sn_loci positives; /* n > 0 when they were intervals */
};

static int check_options(const struct sn_dataset_options *o) {
    if ((o->positives != NULL) == (o->data != NULL))
        return sn_error(SEQNET_EINVAL, "give either positives (--pos) or data (--data), not both and not none");
    if (o->negatives != NULL && o->positives == NULL) return sn_error(SEQNET_EINVAL, "negatives (--neg) need positives (--pos)");
    if (o->window < 0) return sn_error(SEQNET_EINVAL, "window length %lld: expected 0 or more", (long long)o->window);
    if (o->positives != NULL && (o->labels != NULL || o->group != NULL))
        return sn_error(SEQNET_EINVAL, "label and group columns (--label, --group) belong to tables (--data)");
    if (o->make_negatives && !(o->negatives_per_positive > 0 && o->negatives_per_positive <= 1000))
        return sn_error(SEQNET_EINVAL, "negatives per positive: %g, expected more than 0 and at most 1000", o->negatives_per_positive);
    if (o->make_negatives && o->alphabet != NULL && !o->alphabet->has_complement)
        return sn_error(SEQNET_ENOTSUP, "negatives are drawn for DNA and RNA only, not for the %s alphabet; give negatives (--neg)",
                        o->alphabet->name);
    if (o->exclude != NULL && (o->negatives != NULL || o->data != NULL))
        sn_log(o->sink, SN_LOG_WARN, "%s: regions to exclude are used only where negatives are drawn; ignored", o->exclude);
    return 0;
}

int sn_need_reference(const struct sn_dataset *d, const struct sn_dataset_options *o, const char *asked_by, struct sn_reference **r) {
    if (*r != NULL) return 0;
    if (!d->alphabet->has_complement)
        return sn_error(SEQNET_ENOTSUP, "%s: holds intervals, which the %s alphabet cannot use", asked_by, d->alphabet->name);
    if (o->reference == NULL)
        return sn_error(SEQNET_EINVAL, "%s: holds intervals; a reference FASTA (-f) is needed to get their bases", asked_by);
    return sn_reference_open(o->reference, d->alphabet, r);
}

static int read_intervals(struct loader *l, struct sn_text *t, const float *target) {
    struct sn_loci loci = {0};
    int rc;
    SN_GO(sn_bed_read(t, &loci));
    SN_GO(sn_need_reference(l->d, l->o, t->path, &l->reference));
    SN_GO(sn_rows_from_loci(l->d, &loci, l->reference, l->o, target));
    if (target != NULL && *target == 1.0f) {
        l->positives = loci;
        loci = (struct sn_loci){0};
    }
done:
    sn_loci_free(&loci);
    return rc;
}

static int read_kind(struct loader *l, struct sn_text *t, enum sn_kind kind, const float *target) {
    if (kind == SN_KIND_TABLE) {
        if (target != NULL)
            return sn_error(SEQNET_EINVAL,
                            "%s: is a table; positives and negatives are FASTA or BED, a table with labels is given as data (--data)",
                            t->path);
        return sn_rows_from_table(l->d, t, l->o, &l->reference);
    }
    if (target == NULL && l->o->need_labels)
        return sn_error(SEQNET_EDATA,
                        "%s: %s has no labels; give a table (a header line without '#', tab-separated: sequence or chrom, start, end, then "
                        "the labels), "
                        "or positives and negatives (--pos, --neg)",
                        t->path, sn_kind_name(kind));
    if (target == NULL && (l->o->labels != NULL || l->o->group != NULL))
        return sn_error(SEQNET_EINVAL, "%s: %s has no columns for labels or groups", t->path, sn_kind_name(kind));
    return kind == SN_KIND_FASTA ? sn_rows_from_fasta(l->d, t, target, l->o->sink) : read_intervals(l, t, target);
}

static int read_input(struct loader *l, const char *path, const float *target) {
    struct sn_text *t;
    enum sn_kind kind;
    int rc;
    int64_t before = l->d->n;
    SN_GO(sn_text_open(path, &t));
    SN_GO(sn_sniff(t, &kind));
    SN_GO(read_kind(l, t, kind, target));
    if (l->d->n == before) SN_GO(sn_error(SEQNET_EDATA, "%s: has no sequences", t->path));
    sn_log(l->o->sink, SN_LOG_INFO, "%s: %lld sequences (%s)", t->path, (long long)(l->d->n - before), sn_kind_name(kind));
done:
    sn_text_close(t);
    return rc;
}

static int read_pairs(struct loader *l) {
    static const float one = 1.0f, zero = 0.0f;
    struct sn_dataset *d = l->d;
    d->tasks = sn_calloc(1, sizeof *d->tasks);
    if (d->tasks == NULL || (d->tasks[0] = sn_strdup("label")) == NULL) return SEQNET_ENOMEM;
    d->n_tasks = 1;
    d->kind = SN_TASK_BINARY;
    SN_TRY(read_input(l, l->o->positives, &one));
    if (l->o->negatives != NULL) return read_input(l, l->o->negatives, &zero);
    if (!l->o->make_negatives)
        return l->o->need_labels ? sn_error(SEQNET_EDATA, "%s: one class only; negatives (--neg) are needed as well", l->o->positives) : 0;
    if (l->positives.n > 0) return sn_negatives_from_genome(d, &l->positives, l->reference, l->o);
    return sn_negatives_by_shuffling(d, l->o);
}

int sn_dataset_read(const struct sn_dataset_options *o, struct sn_dataset **out) {
    struct loader l = {.o = o};
    int rc;
    *out = NULL;
    SN_GO(check_options(o));
    SN_GO(sn_dataset_create(o->alphabet ? o->alphabet : sn_alphabet_find("dna"), &l.d));
    if (o->data != NULL)
        SN_GO(read_input(&l, o->data, NULL));
    else
        SN_GO(read_pairs(&l));
    l.d->digest = sn_dataset_digest(l.d);
    if (l.d->padded) sn_log(o->sink, SN_LOG_INFO, "%lld windows reach over the end of a contig and are padded", (long long)l.d->padded);
    if (l.d->ambiguous)
        sn_log(o->sink, SN_LOG_INFO, "%lld symbols of %lld are not one of %s", (long long)l.d->ambiguous, (long long)l.d->offset[l.d->n],
               l.d->alphabet->letters);
    *out = l.d;
    l.d = NULL;
done:
    sn_dataset_free(l.d);
    sn_loci_free(&l.positives);
    sn_reference_close(l.reference);
    return rc;
}
