#include "seq/names.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"

static uint64_t hash_bytes(const char *s, size_t n) {
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

static size_t find_slot(const struct sn_names *s, const char *name, size_t len) {
    size_t mask = s->n_slots - 1;
    size_t i = (size_t)hash_bytes(name, len) & mask;
    while (s->slot[i] != 0) {
        const char *have = s->v[s->slot[i] - 1];
        if (strncmp(have, name, len) == 0 && have[len] == '\0') break;
        i = (i + 1) & mask;
    }
    return i;
}

static int grow_slots(struct sn_names *s) {
    struct sn_names bigger = *s;
    bigger.n_slots = s->n_slots ? s->n_slots * 2 : 64;
    bigger.slot = sn_calloc(bigger.n_slots, sizeof *bigger.slot);
    if (bigger.slot == NULL) return SEQNET_ENOMEM;
    for (int32_t i = 0; i < s->n; i++) bigger.slot[find_slot(&bigger, s->v[i], strlen(s->v[i]))] = i + 1;
    free(s->slot);
    *s = bigger;
    return 0;
}

int32_t sn_names_add(struct sn_names *s, const char *name, size_t len, bool *added) {
    if (added) *added = false;
    if (s->n_slots) {
        int32_t have = sn_names_find(s, name, len);
        if (have >= 0) return have;
    }
    if (s->n == INT32_MAX - 1) return sn_error(SEQNET_EDATA, "more than %d distinct names", INT32_MAX - 1);
    if ((size_t)s->n * 2 >= s->n_slots) SN_TRY(grow_slots(s));
    SN_TRY(sn_grow((void **)&s->v, &s->cap, (size_t)s->n + 1, sizeof *s->v));
    char *copy = sn_strndup(name, len);
    if (copy == NULL) return SEQNET_ENOMEM;
    s->slot[find_slot(s, name, len)] = s->n + 1;
    s->v[s->n] = copy;
    if (added) *added = true;
    return s->n++;
}

int32_t sn_names_find(const struct sn_names *s, const char *name, size_t len) {
    return s->n_slots ? s->slot[find_slot(s, name, len)] - 1 : -1;
}

struct ranked {
    const char *name;
    int32_t index;
};

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct ranked *)a)->name, ((const struct ranked *)b)->name);
}

int sn_names_rank(const struct sn_names *s, int32_t *rank) {
    struct ranked *order = sn_calloc((size_t)s->n, sizeof *order);
    if (order == NULL) return SEQNET_ENOMEM;
    for (int32_t i = 0; i < s->n; i++) order[i] = (struct ranked){s->v[i], i};
    qsort(order, (size_t)s->n, sizeof *order, by_name);
    for (int32_t i = 0; i < s->n; i++) rank[order[i].index] = i;
    free(order);
    return 0;
}

void sn_names_free(struct sn_names *s) {
    for (int32_t i = 0; i < s->n; i++) free(s->v[i]);
    free(s->v);
    free(s->slot);
    *s = (struct sn_names){0};
}

int sn_names_show(char *const *v, int64_t n, struct sn_str *out) {
    const int64_t few = 5;
    for (int64_t i = 0; i < n && i < few; i++) SN_TRY(sn_str_printf(out, "%s%.60s", i ? ", " : "", v[i]));
    if (n > few) SN_TRY(sn_str_printf(out, ", ... (%lld in all)", (long long)n));
    return n == 0 ? sn_str_puts(out, "none") : 0;
}
