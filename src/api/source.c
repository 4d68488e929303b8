#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "core/parse.h"

/* ---- options ---- */

void seqnet_source_defaults_size(seqnet_source_options *o, size_t size) {
    const seqnet_source_options full = {.size = sizeof full, .seed = 1};
    sn_give(o, size, &full, sizeof full);
}

static int check_files(const seqnet_source_options *o) {
    if (!o->data == !o->positives) return sn_error(SEQNET_EINVAL, "give either data or positives");
    if (o->data && o->negatives) return sn_error(SEQNET_EINVAL, "negatives go with positives, not with data");
    if (o->data && o->make_negatives) return sn_error(SEQNET_EINVAL, "make_negatives goes with positives, not with data");
    if (o->negatives && o->make_negatives) return sn_error(SEQNET_EINVAL, "make_negatives and a file of negatives exclude each other");
    if (o->positives && (o->labels || o->group)) return sn_error(SEQNET_EINVAL, "label and group columns go with data, not with positives");
    return 0;
}

int seqnet_source_check(const seqnet_source_options *caller) {
    seqnet_source_options o;
    seqnet_source_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_source_options"));
    SN_TRY(check_files(&o));
    SN_TRY(sn_check_word("alphabet", o.alphabet, sn_alphabet_names));
    return sn_check_int("window", o.window, 0, INT32_MAX);
}

/* ---- files ---- */

/* What the architecture says about its input, where the options leave it open. */
static int ask_architecture(const seqnet_source_options *o, const struct sn_alphabet **alphabet, int64_t *window) {
    struct sn_arch *a = NULL;
    *alphabet = sn_alphabet_find(o->alphabet ? o->alphabet : "dna");
    *window = o->window;
    if (!o->architecture) return 0;
    SN_TRY(sn_arch_load(o->architecture, &a));
    if (!o->alphabet) *alphabet = a->alphabet;
    if (o->window == 0 && a->length > 0) *window = a->length;
    sn_arch_free(a);
    return 0;
}

int seqnet_source_open(seqnet_ctx *ctx, const seqnet_source_options *caller, seqnet_source **out) {
    seqnet_source_options o;
    *out = NULL;
    SN_TRY(seqnet_source_check(caller));
    seqnet_source_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_source_options"));
    struct sn_dataset_options d = {.positives = o.positives,
                                   .negatives = o.negatives,
                                   .data = o.data,
                                   .reference = o.reference,
                                   .exclude = o.exclude,
                                   .labels = o.labels,
                                   .prefer = o.prefer,
                                   .n_prefer = o.n_prefer,
                                   .group = o.group,
                                   .center = o.center_summit ? SN_CENTER_SUMMIT : SN_CENTER_MID,
                                   .need_labels = o.need_labels,
                                   .labels_if_there = o.labels_if_there,
                                   .make_negatives = o.make_negatives,
                                   .negatives_per_positive = 1,
                                   .seed = o.seed,
                                   .sink = &ctx->sink};
    SN_TRY(ask_architecture(&o, &d.alphabet, &d.window));
    seqnet_source *s = sn_calloc(1, sizeof *s);
    if (!s) return SEQNET_ENOMEM;
    s->ctx = ctx;
    int rc = sn_dataset_read(&d, &s->d);
    if (rc < 0)
        seqnet_source_free(&s);
    else
        *out = s;
    return rc < 0 ? rc : 0;
}

/* ---- a host's records ---- */

/* What the host's records are, found out while they come. */
struct intake {
    const seqnet_source_vtable *v;
    void *self;
    struct sn_dataset *d;
    uint8_t *codes;
    size_t cap;
    bool numbers; /* a target other than 0, 1 and missing was seen */
};

static int check_targets(struct intake *in, const char *name, const float *t) {
    int ones = 0, others = 0;
    if (!t) return sn_error(SEQNET_EDATA, "record %s: no targets, expected %d", name, in->v->n_tasks);
    for (int k = 0; k < in->v->n_tasks; k++) {
        if (isinf(t[k])) return sn_error(SEQNET_EDATA, "record %s: target %d is infinite", name, k + 1);
        ones += t[k] == 1.0f;
        others += t[k] != 1.0f && t[k] != 0.0f && !isnan(t[k]);
    }
    if (in->v->classes && (ones != 1 || others))
        return sn_error(SEQNET_EDATA, "record %s: targets of classes must be one 1 among 0s", name);
    in->numbers |= others > 0;
    return 0;
}

static int take_record(struct intake *in, const seqnet_record *r) {
    char number[32];
    struct sn_interval at = {.chrom = -1};
    int64_t bad;
    snprintf(number, sizeof number, "%lld", (long long)in->d->n + 1);
    const char *name = r->name ? r->name : number;
    if (r->length < 0 || (r->length > 0 && !r->bases)) return sn_error(SEQNET_EDATA, "record %s: no bases", name);
    SN_TRY(sn_grow((void **)&in->codes, &in->cap, (size_t)r->length + 1, 1));
    if (sn_encode_seq(in->d->alphabet, r->bases, r->length, in->codes, &bad) < 0)
        return sn_error(SEQNET_EDATA, "record %s: byte 0x%02x at position %lld is no %s symbol", name, (unsigned char)r->bases[bad],
                        (long long)bad + 1, in->d->alphabet->name);
    if (in->v->n_tasks > 0) SN_TRY(check_targets(in, name, r->targets));
    if (r->chrom) {
        if (r->start < 0 || r->end <= r->start) return sn_error(SEQNET_EDATA, "record %s: start must be below end", name);
        SN_TRY(at.chrom = sn_dataset_chrom(in->d, r->chrom));
        at.strand = (int8_t)(r->strand > 0 ? 1 : r->strand < 0 ? -1 : 0);
        at.start = r->start;
        at.end = r->end;
    }
    return sn_dataset_add(in->d, r->name, in->codes, r->length, r->chrom ? &at : NULL, in->v->n_tasks > 0 ? r->targets : NULL);
}

static int name_tasks(struct sn_dataset *d, const seqnet_source_vtable *v) {
    char name[32];
    if (v->n_tasks <= 0) return 0;
    d->tasks = sn_calloc((size_t)v->n_tasks, sizeof *d->tasks);
    if (!d->tasks) return SEQNET_ENOMEM;
    d->n_tasks = v->n_tasks;
    for (int i = 0; i < v->n_tasks; i++) {
        snprintf(name, sizeof name, v->classes ? "class%d" : "task%d", i + 1);
        d->tasks[i] = sn_strdup(v->task_names && v->task_names[i] ? v->task_names[i] : name);
        if (!d->tasks[i]) return SEQNET_ENOMEM;
    }
    return 0;
}

static int take_all(struct intake *in) {
    int rc;
    for (;;) {
        seqnet_record r = {.size = sizeof r};
        if ((rc = in->v->next(in->self, &r)) <= 0) break;
        SN_TRY(take_record(in, &r));
    }
    if (rc < 0) return sn_error(rc, "source: the host's next() failed after %lld records: %s", (long long)in->d->n, seqnet_errtext(rc));
    if (in->d->n == 0) return sn_error(SEQNET_EDATA, "source: the host gave no records");
    in->d->kind = in->v->n_tasks <= 0 ? SN_TASK_NONE : in->v->classes ? SN_TASK_CLASSES : in->numbers ? SN_TASK_NUMBER : SN_TASK_BINARY;
    return 0;
}

int seqnet_source_from(seqnet_ctx *ctx, const seqnet_source_vtable *caller, void *self, const char *alphabet, seqnet_source **out) {
    seqnet_source_vtable v = {.size = sizeof v};
    seqnet_source *s = NULL;
    struct intake in = {.v = &v, .self = self};
    *out = NULL;
    int rc = sn_take_options(&v, sizeof v, caller, "seqnet_source_vtable");
    if (rc < 0) goto done;
    SN_GO(sn_check_word("alphabet", alphabet, sn_alphabet_names));
    SN_GO(v.next ? 0 : sn_error(SEQNET_EINVAL, "seqnet_source_vtable: next is NULL"));
    s = sn_calloc(1, sizeof *s);
    SN_GO(s ? 0 : SEQNET_ENOMEM);
    s->ctx = ctx;
    SN_GO(sn_dataset_create(sn_alphabet_find(alphabet ? alphabet : "dna"), &s->d));
    in.d = s->d;
    SN_GO(name_tasks(s->d, &v));
    SN_GO(take_all(&in));
    *out = s;
    s = NULL;
done:
    if (v.close) v.close(self);
    free(in.codes);
    seqnet_source_free(&s);
    return rc < 0 ? rc : 0;
}

/* ---- access ---- */

void seqnet_source_free(seqnet_source **s) {
    if (!s || !*s) return;
    sn_dataset_free((*s)->d);
    free((*s)->bases);
    free(*s);
    *s = NULL;
}

int64_t seqnet_source_count(const seqnet_source *s) {
    return s->d->n;
}

int seqnet_source_tasks(const seqnet_source *s) {
    return s->d->n_tasks;
}

const char *seqnet_source_task_name(const seqnet_source *s, int task) {
    return task >= 0 && task < s->d->n_tasks ? s->d->tasks[task] : NULL;
}

int64_t seqnet_source_padded(const seqnet_source *s) {
    return s->d->padded;
}

int seqnet_source_get(seqnet_source *s, int64_t i, seqnet_record *out) {
    const struct sn_dataset *d = s->d;
    if (i < 0 || i >= d->n) return sn_error(SEQNET_EINVAL, "record %lld: the source has %lld", (long long)i, (long long)d->n);
    int64_t length = sn_dataset_len(d, i);
    SN_TRY(sn_grow((void **)&s->bases, &s->cap, (size_t)length + 1, 1));
    const uint8_t *codes = d->codes + d->offset[i];
    for (int64_t j = 0; j < length; j++) s->bases[j] = (char)d->alphabet->decode[codes[j]];
    s->bases[length] = '\0';
    seqnet_record r = {.size = sizeof r, .name = d->names[i], .bases = s->bases, .length = length};
    if (d->at && d->at[i].chrom >= 0) {
        r.chrom = d->chroms[d->at[i].chrom];
        r.start = d->at[i].start;
        r.end = d->at[i].end;
        r.strand = d->at[i].strand;
    }
    if (d->targets) r.targets = d->targets + i * d->n_tasks;
    return sn_give_result(out, &r, sizeof r, "seqnet_record");
}
