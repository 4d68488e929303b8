#include "seq/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "seq/names.h"
#include "seq/rows.h"

int sn_dataset_create(const struct sn_alphabet *a, struct sn_dataset **out) {
    struct sn_dataset *d = sn_calloc(1, sizeof *d);
    *out = NULL;
    if (d == NULL) return SEQNET_ENOMEM;
    d->alphabet = a;
    d->chrom_names = sn_calloc(1, sizeof *d->chrom_names);
    if (d->chrom_names == NULL || sn_dataset_reserve(d, 0, 0) < 0) {
        sn_dataset_free(d);
        return SEQNET_ENOMEM;
    }
    *out = d;
    return 0;
}

void sn_dataset_free(struct sn_dataset *d) {
    if (d == NULL) return;
    for (int64_t i = 0; i < d->n; i++) free(d->names[i]);
    for (int i = 0; i < d->n_tasks && d->tasks != NULL; i++) free(d->tasks[i]);
    if (d->chrom_names != NULL) sn_names_free(d->chrom_names);
    free(d->chrom_names);
    free(d->chrom_length);
    free(d->codes);
    free(d->offset);
    free(d->names);
    free(d->at);
    free(d->tasks);
    free(d->targets);
    free(d->group);
    free(d);
}

/* One array of the rows, grown like all others. */
static int grow_rows(void *array, size_t cap, size_t need, size_t size, size_t *got) {
    size_t c = cap;
    SN_TRY(sn_grow(array, &c, need, size));
    if (*got == 0 || c < *got) *got = c;
    return 0;
}

int sn_dataset_reserve(struct sn_dataset *d, int64_t rows, int64_t codes) {
    size_t need, got = 0, bytes;
    if (!sn_add_size((size_t)d->n, (size_t)rows, &need) || !sn_add_size(need, 2, &need))
        return sn_error(SEQNET_ENOMEM, "too many sequences");
    if (d->n_tasks > 0 && !sn_mul_size(need, sizeof(float) * (size_t)d->n_tasks, &bytes))
        return sn_error(SEQNET_ENOMEM, "too many targets");
    if (need > d->cap_rows) {
        size_t cap = d->cap_rows;
        SN_TRY(grow_rows(&d->offset, cap, need, sizeof *d->offset, &got));
        SN_TRY(grow_rows(&d->names, cap, need, sizeof *d->names, &got));
        if (d->at != NULL) SN_TRY(grow_rows(&d->at, cap, need, sizeof *d->at, &got));
        if (d->group != NULL) SN_TRY(grow_rows(&d->group, cap, need, sizeof *d->group, &got));
        if (d->targets != NULL) SN_TRY(grow_rows(&d->targets, cap, need, sizeof(float) * (size_t)d->n_tasks, &got));
        if (cap == 0) d->offset[0] = 0;
        d->cap_rows = got;
    }
    size_t total;
    if (!sn_add_size((size_t)d->offset[d->n], (size_t)codes, &total)) return sn_error(SEQNET_ENOMEM, "too many bases");
    return sn_grow((void **)&d->codes, &d->cap_codes, total + 1, 1);
}

int sn_dataset_need_targets(struct sn_dataset *d) {
    if (d->targets != NULL || d->n_tasks == 0) return 0;
    size_t cells;
    if (!sn_mul_size(d->cap_rows, (size_t)d->n_tasks, &cells)) return sn_error(SEQNET_ENOMEM, "too many targets");
    d->targets = sn_calloc(cells, sizeof *d->targets);
    if (d->targets == NULL) return SEQNET_ENOMEM;
    for (int64_t i = 0; i < d->n * d->n_tasks; i++) d->targets[i] = NAN;
    return 0;
}

int sn_dataset_need_places(struct sn_dataset *d) {
    if (d->at != NULL) return 0;
    d->at = sn_calloc(d->cap_rows, sizeof *d->at);
    if (d->at == NULL) return SEQNET_ENOMEM;
    for (int64_t i = 0; i < d->n; i++) d->at[i].chrom = -1;
    return 0;
}

int sn_dataset_push(struct sn_dataset *d, char *name, int64_t len, const struct sn_interval *at, const float *targets) {
    int rc = 0;
    SN_GO(sn_dataset_reserve(d, 1, len));
    if (at != NULL) SN_GO(sn_dataset_need_places(d));
    SN_GO(sn_dataset_need_targets(d));
    if (name == NULL) {
        struct sn_str s = {0};
        SN_GO(sn_str_printf(&s, "seq%lld", (long long)d->n + 1));
        name = s.s;
    }
    d->names[d->n] = name;
    if (d->at != NULL) d->at[d->n] = at ? *at : (struct sn_interval){.chrom = -1};
    if (d->group != NULL) d->group[d->n] = 0;
    for (int t = 0; t < d->n_tasks; t++) d->targets[d->n * d->n_tasks + t] = targets ? targets[t] : NAN;
    d->offset[d->n + 1] = d->offset[d->n] + len;
    d->n++;
    return 0;
done:
    free(name);
    return rc;
}

int sn_dataset_add(struct sn_dataset *d, const char *name, const uint8_t *codes, int64_t len, const struct sn_interval *at,
                   const float *targets) {
    char *copy = NULL;
    if (name != NULL && (copy = sn_strdup(name)) == NULL) return SEQNET_ENOMEM;
    SN_TRY(sn_dataset_push(d, copy, len, at, targets));
    uint8_t *to = d->codes + d->offset[d->n - 1];
    memcpy(to, codes, (size_t)len);
    for (int64_t i = 0; i < len; i++) d->ambiguous += to[i] != SN_CODE_OUTSIDE && d->alphabet->ambiguous[to[i]];
    return 0;
}

int sn_dataset_chrom(struct sn_dataset *d, const char *name) {
    bool added;
    int32_t i = sn_names_add(d->chrom_names, name, strlen(name), &added);
    if (i < 0) return i;
    d->chroms = d->chrom_names->v;
    if (added) {
        SN_TRY(sn_grow((void **)&d->chrom_length, &d->cap_chroms, (size_t)i + 1, sizeof *d->chrom_length));
        d->chrom_length[i] = 0;
        d->n_chroms = i + 1;
    }
    return i;
}

int64_t sn_dataset_letters(const struct sn_dataset *d, int64_t i, int64_t *ambiguous) {
    int64_t letters = 0, other = 0;
    for (int64_t k = d->offset[i]; k < d->offset[i + 1]; k++) {
        uint8_t code = d->codes[k];
        if (!d->alphabet->ambiguous[code])
            letters++;
        else if (code != SN_CODE_OUTSIDE)
            other++;
    }
    *ambiguous = other;
    return letters;
}

#define NAME_BYTES 32 /* of malloc, for a short name */

size_t sn_dataset_bytes(const struct sn_dataset *d) {
    size_t n = (size_t)d->n, row = sizeof *d->offset + sizeof *d->names + NAME_BYTES;
    if (d->at) row += sizeof *d->at;
    if (d->targets) row += (size_t)d->n_tasks * sizeof *d->targets;
    return n * row + (n ? (size_t)d->offset[n] : 0);
}

int64_t sn_dataset_longest(const struct sn_dataset *d) {
    int64_t most = 0;
    for (int64_t i = 0; i < d->n; i++)
        if (sn_dataset_len(d, i) > most) most = sn_dataset_len(d, i);
    return most;
}

int64_t sn_dataset_shortest(const struct sn_dataset *d) {
    int64_t least = d->n ? sn_dataset_len(d, 0) : 0;
    for (int64_t i = 1; i < d->n; i++)
        if (sn_dataset_len(d, i) < least) least = sn_dataset_len(d, i);
    return least;
}

uint32_t sn_dataset_digest(const struct sn_dataset *d) {
    uint32_t crc = sn_crc32c(0, d->codes, (size_t)d->offset[d->n]);
    crc = sn_crc32c(crc, d->offset, (size_t)(d->n + 1) * sizeof *d->offset);
    return d->targets ? sn_crc32c(crc, d->targets, (size_t)d->n * (size_t)d->n_tasks * sizeof *d->targets) : crc;
}
