/* Holding rows out for validation. Rows are ordered by keys made of what they are, so their order in the file does not matter. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/rng.h"
#include "seq/dataset.h"
#include "seq/names.h"

struct keyed {
    int32_t class;
    uint64_t key;
    int64_t index;
    int64_t size; /* rows */
};

static int by_key(const void *a, const void *b) {
    const struct keyed *x = a, *y = b;
    if (x->class != y->class) return x->class < y->class ? -1 : 1;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static uint64_t draw_key(uint64_t seed, uint64_t a, uint64_t b) {
    struct sn_stream s;
    sn_stream_init_use(&s, seed, SN_RNG_SPLIT, a, b);
    return sn_stream_u64(&s);
}

static uint64_t hash_row(const struct sn_dataset *d, int64_t i) {
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (int64_t k = d->offset[i]; k < d->offset[i + 1]; k++) h = (h ^ d->codes[k]) * 0x100000001b3u;
    return h;
}

/* Stratum of a row; missing labels are one of their own. */
static int32_t class_of(const struct sn_dataset *d, int64_t i) {
    if (d->targets == NULL || d->kind == SN_TASK_NUMBER || d->kind == SN_TASK_NONE) return 0;
    const float *y = d->targets + i * d->n_tasks;
    if (d->kind == SN_TASK_BINARY) return d->n_tasks > 1 ? 0 : isnan(y[0]) ? 2 : y[0] > 0.5f;
    for (int32_t t = 0; t < d->n_tasks; t++)
        if (y[t] > 0.5f) return t;
    return d->n_tasks;
}

static int64_t count_held(const struct sn_dataset *d, const uint8_t *valid) {
    int64_t held = 0;
    for (int64_t i = 0; i < d->n; i++) held += valid[i];
    return held;
}

/* ---- by row -------------------------------------------------------------------------------------------------------------------------- */

static int64_t share_of(int64_t n, double fraction) {
    int64_t held = (int64_t)floor(fraction * (double)n + 0.5);
    if (held == 0 && n > 1) held = 1;
    return held >= n ? n - 1 : held;
}

static int split_rows(const struct sn_dataset *d, const struct sn_split_options *o, uint8_t *valid, struct sn_str *how) {
    struct keyed *row = sn_calloc((size_t)d->n, sizeof *row);
    if (row == NULL) return SEQNET_ENOMEM;
    for (int64_t i = 0; i < d->n; i++) row[i] = (struct keyed){class_of(d, i), draw_key(o->seed, hash_row(d, i), 0), i, 1};
    qsort(row, (size_t)d->n, sizeof *row, by_key);
    int classes = 0;
    for (int64_t from = 0, to; from < d->n; from = to) {
        for (to = from; to < d->n && row[to].class == row[from].class; to++) continue;
        int64_t held = share_of(to - from, o->fraction);
        for (int64_t j = from; j < from + held; j++) valid[row[j].index] = 1;
        classes++;
    }
    free(row);
    int64_t held = count_held(d, valid);
    if (held == 0) return sn_error(SEQNET_EDATA, "%lld sequences are too few to hold some out for validation", (long long)d->n);
    return sn_str_printf(how, "a random fraction of %g%s (%lld of %lld)", o->fraction, classes > 1 ? ", stratified by label" : "",
                         (long long)held, (long long)d->n);
}

/* ---- by group ------------------------------------------------------------------------------------------------------------------------ */

static int split_groups(const struct sn_dataset *d, const struct sn_split_options *o, uint8_t *valid, struct sn_str *how) {
    int32_t n = 0, held_groups = 0;
    for (int64_t i = 0; i < d->n; i++)
        if (d->group[i] >= n) n = d->group[i] + 1;
    if (n < 2) return sn_error(SEQNET_EDATA, "all sequences are of one group: whole groups cannot be held out");
    struct keyed *group = sn_calloc((size_t)n, sizeof *group);
    if (group == NULL) return SEQNET_ENOMEM;
    for (int32_t g = 0; g < n; g++) group[g] = (struct keyed){0, draw_key(o->seed, (uint64_t)g, 1), g, 0};
    for (int64_t i = 0; i < d->n; i++) group[d->group[i]].size++;
    qsort(group, (size_t)n, sizeof *group, by_key);
    uint8_t *held = sn_calloc((size_t)n, 1);
    double target = o->fraction * (double)d->n, have = 0;
    for (int32_t j = 0; held != NULL && j < n && held_groups < n - 1; j++) {
        double with = have + (double)group[j].size;
        if (fabs(with - target) >= fabs(have - target) && !(held_groups == 0 && j == n - 1)) continue;
        held[group[j].index] = 1;
        held_groups++;
        have = with;
    }
    for (int64_t i = 0; held != NULL && i < d->n; i++) valid[i] = held[d->group[i]];
    free(group);
    if (held == NULL) return SEQNET_ENOMEM;
    free(held);
    return sn_str_printf(how, "%d of %d groups (%lld of %lld sequences)", held_groups, n, (long long)count_held(d, valid), (long long)d->n);
}

/* ---- by chromosome ------------------------------------------------------------------------------------------------------------------- */

struct chrom {
    const char *name;
    int32_t index;
    int64_t rows;
};

static int by_rows(const void *a, const void *b) {
    const struct chrom *x = a, *y = b;
    if (x->rows != y->rows) return x->rows > y->rows ? -1 : 1;
    return strcmp(x->name, y->name);
}

#define MOST_PAIRED 256 /* chromosomes among which pairs are tried */

/* The single chromosome, or pair, whose rows come nearest to the target. */
static double best_pair(const struct chrom *c, int n, double target, int *first, int *second) {
    double best = INFINITY;
    int most = n < MOST_PAIRED ? n : MOST_PAIRED;
    *first = *second = n - 1;
    for (int i = 0; i < n; i++) {
        double error = fabs((double)c[i].rows - target);
        if (error < best) best = error, *first = *second = i;
    }
    for (int i = 0; i < most && n > 2; i++) {
        for (int j = i + 1; j < most; j++) {
            double error = fabs((double)(c[i].rows + c[j].rows) - target);
            if (error < 0.5 * best && best > 0.1 * target) best = error, *first = i, *second = j; /* two only when clearly nearer */
        }
    }
    return best;
}

/* Largest first, what still fits; never all, as the target is less than all rows. */
static double fill_up(const struct chrom *c, int n, double target, uint8_t *held) {
    double have = 0;
    for (int i = 0; i < n; i++) {
        if ((double)c[i].rows + have > target) continue;
        held[i] = 1;
        have += (double)c[i].rows;
    }
    return have > 0 ? target - have : INFINITY;
}

static int choose_chroms(const struct chrom *c, int n, double target, uint8_t *chosen /* by index */) {
    int first, second;
    uint8_t *held = sn_calloc((size_t)n, 1);
    if (held == NULL) return SEQNET_ENOMEM;
    double pair = best_pair(c, n, target, &first, &second);
    bool use_pair = pair <= 0.1 * target;
    if (!use_pair) use_pair = pair <= fill_up(c, n, target, held);
    for (int i = 0; i < n; i++) chosen[c[i].index] = use_pair ? i == first || i == second : held[i];
    free(held);
    return 0;
}

static int listed_chroms(const struct sn_dataset *d, const char *list, uint8_t *chosen) {
    for (const char *s = list; s != NULL;) {
        const char *comma = strchr(s, ',');
        size_t len = comma ? (size_t)(comma - s) : strlen(s);
        int32_t c = sn_names_find(d->chrom_names, s, len);
        if (c < 0) {
            struct sn_str names = {0};
            int rc = sn_names_show(d->chroms, d->n_chroms, &names);
            if (rc == 0)
                rc = sn_error(SEQNET_EDATA, "validation chromosome '%.*s' has no sequence in the data, which have: %s",
                              (int)(len < 100 ? len : 100), s, names.s);
            sn_str_free(&names);
            return rc;
        }
        chosen[c] = 1;
        s = comma ? comma + 1 : NULL;
    }
    return 0;
}

static int tell_chroms(const struct sn_dataset *d, const struct chrom *c, int n, const uint8_t *chosen, const uint8_t *valid,
                       struct sn_str *how) {
    int count = 0, shown = 0;
    for (int i = 0; i < n; i++) count += chosen[c[i].index];
    SN_TRY(sn_str_puts(how, count == 1 ? "chromosome " : "chromosomes "));
    for (int i = 0; i < n && shown < 20; i++)
        if (chosen[c[i].index]) SN_TRY(sn_str_printf(how, "%s%s", shown++ ? "," : "", c[i].name));
    if (count > shown) SN_TRY(sn_str_printf(how, ", ... %d in all", count));
    return sn_str_printf(how, " (%lld of %lld)", (long long)count_held(d, valid), (long long)d->n);
}

static void warn_one_sided(const struct sn_dataset *d, const uint8_t *valid, const struct sn_sink *sink) {
    bool seen[2][3] = {{false}};
    if (d->kind != SN_TASK_BINARY || d->n_tasks != 1) return;
    for (int64_t i = 0; i < d->n; i++) seen[valid[i]][class_of(d, i)] = true;
    for (int c = 0; c < 2; c++)
        if (seen[0][c] != seen[1][c]) sn_log(sink, SN_LOG_WARN, "the validation split leaves label %d on one side only", c);
}

static int split_chroms(const struct sn_dataset *d, const struct sn_split_options *o, bool automatic, uint8_t *valid, struct sn_str *how) {
    int rc = 0, n = 0;
    uint8_t *chosen = sn_calloc((size_t)d->n_chroms, 1);
    struct chrom *c = sn_calloc((size_t)d->n_chroms, sizeof *c);
    if (chosen == NULL || c == NULL) SN_GO(SEQNET_ENOMEM);
    for (int i = 0; i < d->n_chroms; i++) c[i] = (struct chrom){d->chroms[i], i, 0};
    for (int64_t i = 0; i < d->n; i++) c[d->at[i].chrom].rows++;
    qsort(c, (size_t)d->n_chroms, sizeof *c, by_rows);
    while (n < d->n_chroms && c[n].rows > 0) n++;
    SN_GO(automatic ? choose_chroms(c, n, o->fraction * (double)d->n, chosen) : listed_chroms(d, o->chroms, chosen));
    for (int64_t i = 0; i < d->n; i++) valid[i] = chosen[d->at[i].chrom];
    int64_t held = count_held(d, valid);
    if (held == 0 || held == d->n)
        SN_GO(sn_error(SEQNET_EDATA, "validation chromosomes '%s' hold %s of the %lld sequences", o->chroms, held ? "all" : "none",
                       (long long)d->n));
    warn_one_sided(d, valid, o->sink);
    SN_GO(tell_chroms(d, c, n, chosen, valid, how));
done:
    free(chosen);
    free(c);
    return rc;
}

static bool all_placed(const struct sn_dataset *d) {
    for (int64_t i = 0; d->at != NULL && i < d->n; i++)
        if (d->at[i].chrom < 0) return false;
    return d->at != NULL;
}

static int used_chroms(const struct sn_dataset *d) {
    for (int64_t i = 1; i < d->n; i++)
        if (d->at[i].chrom != d->at[0].chrom) return 2;
    return 1;
}

int sn_dataset_split(const struct sn_dataset *d, const struct sn_split_options *o, uint8_t *valid, struct sn_str *how) {
    bool automatic = o->chroms != NULL && strcmp(o->chroms, "auto") == 0, listed = o->chroms != NULL && !automatic;
    memset(valid, 0, (size_t)d->n);
    if (!listed && !(o->fraction > 0 && o->fraction < 1))
        return sn_error(SEQNET_EINVAL, "validation fraction %g: expected more than 0 and less than 1", o->fraction);
    if (listed && !all_placed(d))
        return sn_error(SEQNET_EDATA, "validation chromosomes were asked for, but not all sequences have coordinates");
    if (listed) return split_chroms(d, o, false, valid, how);
    if (d->group != NULL) return split_groups(d, o, valid, how);
    if (automatic && all_placed(d) && d->n > 0) {
        if (used_chroms(d) > 1) return split_chroms(d, o, true, valid, how);
        sn_log(o->sink, SN_LOG_INFO,
               "all sequences lie on one chromosome, %s: validation takes a random fraction instead of whole chromosomes",
               d->chroms[d->at[0].chrom]);
    }
    return split_rows(d, o, valid, how);
}
