/* Negatives for positives alone. From a genome: windows of the same chromosomes and lengths, alike in GC content and repeats, that touch no
 * positive, no excluded region, no N and no other negative. From FASTA alone: dinucleotide shuffles. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/rng.h"
#include "seq/rows.h"

#define LEVELS 7
#define TRIES 200 /* draws at each level */
/* Differences in GC content and in the soft-masked share that are accepted; the last level takes any window. */
static const struct {
    double gc, repeats;
} tolerance[LEVELS] = {{0.01, 0.05}, {0.02, 0.10}, {0.03, 0.20}, {0.05, 0.30}, {0.10, 0.50}, {0.20, 1.0}, {1.0, 1.0}};

/* ---- a contig as bits ---------------------------------------------------------------------------------------------------------------- */

struct contig_bits {
    int64_t length;
    int64_t no_room;                 /* windows of this length or more found no room; 0 = none yet */
    uint64_t *gc, *repeat, *blocked; /* blocked: positives, excluded, N, negatives drawn */
};

static void set_range(uint64_t *bits, int64_t from, int64_t to) {
    for (int64_t i = from; i < to;) {
        if (i % 64 == 0 && to - i >= 64) {
            bits[i / 64] = ~(uint64_t)0;
            i += 64;
        } else {
            bits[i / 64] |= (uint64_t)1 << (i % 64);
            i++;
        }
    }
}

static int64_t count_range(const uint64_t *bits, int64_t from, int64_t to) {
    if (from >= to) return 0;
    int64_t first = from / 64, last = (to - 1) / 64, count = 0;
    uint64_t head = ~(uint64_t)0 << (from % 64), tail = ~(uint64_t)0 >> (63 - (to - 1) % 64);
    if (first == last) return __builtin_popcountll(bits[first] & head & tail);
    for (int64_t w = first + 1; w < last; w++) count += __builtin_popcountll(bits[w]);
    return count + __builtin_popcountll(bits[first] & head) + __builtin_popcountll(bits[last] & tail);
}

static void bits_free(struct contig_bits *b) {
    free(b->gc);
    free(b->repeat);
    free(b->blocked);
    *b = (struct contig_bits){0};
}

static int bits_load(struct contig_bits *b, struct sn_reference *r, int contig) {
    uint8_t codes[16384];
    b->length = sn_reference_length(r, contig);
    size_t words = (size_t)(b->length / 64 + 1);
    b->gc = sn_calloc(words, sizeof *b->gc);
    b->repeat = sn_calloc(words, sizeof *b->repeat);
    b->blocked = sn_calloc(words, sizeof *b->blocked);
    if (b->gc == NULL || b->repeat == NULL || b->blocked == NULL) return SEQNET_ENOMEM;
    for (int64_t start = 0; start < b->length; start += (int64_t)sizeof codes) {
        int64_t n = b->length - start < (int64_t)sizeof codes ? b->length - start : (int64_t)sizeof codes;
        SN_TRY(sn_reference_fetch(r, contig, start, start + n, codes));
        for (int64_t i = 0; i < n; i++) {
            unsigned letter = codes[i] & 15u, at = (unsigned)((start + i) % 64);
            int64_t word = (start + i) / 64;
            b->gc[word] |= (uint64_t)(letter == 2 || letter == 4) << at;
            b->repeat[word] |= (uint64_t)((codes[i] & SN_CODE_MASKED) != 0) << at;
            b->blocked[word] |= (uint64_t)(letter == 0 || (letter & (letter - 1)) != 0) << at;
        }
    }
    return 0;
}

static void block(struct contig_bits *b, int64_t start, int64_t end) {
    set_range(b->blocked, start < 0 ? 0 : start, end > b->length ? b->length : end);
}

/* Start of the first free window at or behind `from`; -1 = none. */
static int64_t free_window(const struct contig_bits *b, int64_t from, int64_t length) {
    int64_t run = 0;
    for (int64_t i = from; i < b->length;) {
        uint64_t word = b->blocked[i / 64];
        if (i % 64 == 0 && word == ~(uint64_t)0) {
            run = 0;
            i += 64;
            continue;
        }
        run = word >> (i % 64) & 1 ? 0 : run + 1;
        if (run == length) return i + 1 - length;
        i++;
    }
    return -1;
}

/* ---- drawing ------------------------------------------------------------------------------------------------------------------------- */

struct wanted { /* one positive, and how many partners it gets */
    int64_t row, copies;
    int contig;
    int64_t start, length;
    double gc, repeats;
};

struct drawer {
    struct sn_dataset *d;
    struct sn_reference *r;
    const struct sn_dataset_options *o;
    const struct sn_loci *positives;
    struct sn_loci exclude;
    struct wanted *want; /* by contig and start; leftovers behind them */
    int64_t n_want, n_left;
    struct contig_bits bits;
    int64_t drawn, moved, at_level[LEVELS];
    double gc_error, gc_sum[2], repeat_sum[2]; /* positives, negatives */
};

static int by_place(const void *a, const void *b) {
    const struct wanted *x = a, *y = b;
    if (x->contig != y->contig) return x->contig < y->contig ? -1 : 1;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    if (x->length != y->length) return x->length < y->length ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static void describe_row(const struct sn_dataset *d, int64_t row, double *gc, double *repeats) {
    int64_t strong = 0, masked = 0, n = sn_dataset_len(d, row);
    const uint8_t *codes = d->codes + d->offset[row];
    for (int64_t i = 0; i < n; i++) {
        unsigned letter = codes[i] & 15u;
        strong += letter == 2 || letter == 4;
        masked += (codes[i] & SN_CODE_MASKED) != 0;
    }
    *gc = (double)strong / (double)n;
    *repeats = (double)masked / (double)n;
}

static int list_wanted(struct drawer *w) {
    const struct sn_dataset *d = w->d;
    double per = w->o->negatives_per_positive;
    w->n_want = d->n;
    w->want = sn_calloc((size_t)d->n, sizeof *w->want);
    if (w->want == NULL) return SEQNET_ENOMEM;
    for (int64_t i = 0; i < d->n; i++) {
        struct wanted *x = &w->want[i];
        x->row = i;
        x->contig = sn_reference_find(w->r, d->chroms[d->at[i].chrom]);
        SN_TRY(x->contig);
        x->start = d->at[i].start;
        x->length = sn_dataset_len(d, i);
        describe_row(d, i, &x->gc, &x->repeats);
    }
    qsort(w->want, (size_t)d->n, sizeof *w->want, by_place);
    for (int64_t i = 0; i < d->n; i++) w->want[i].copies = (int64_t)floor((double)(i + 1) * per) - (int64_t)floor((double)i * per);
    return 0;
}

static void block_loci(struct drawer *w, const struct sn_loci *l, int contig) {
    if (l->n == 0) return;
    const char *name = sn_reference_name(w->r, contig);
    int32_t chrom = sn_names_find(&l->chroms, name, strlen(name));
    for (size_t i = 0; chrom >= 0 && i < l->n; i++)
        if (l->v[i].chrom == chrom) block(&w->bits, l->v[i].start, l->v[i].end);
}

static int load_contig(struct drawer *w, int contig) {
    bits_free(&w->bits);
    SN_TRY(bits_load(&w->bits, w->r, contig));
    for (int64_t i = 0; i < w->n_want; i++)
        if (w->want[i].contig == contig) block(&w->bits, w->want[i].start, w->want[i].start + w->want[i].length);
    block_loci(w, w->positives, contig);
    block_loci(w, &w->exclude, contig);
    return 0;
}

/* A free window near what is wanted: random places, the tolerance widening. Returns its start, or -1. */
static int64_t draw_window(const struct drawer *w, const struct wanted *x, struct sn_stream *s, int *level) {
    const struct contig_bits *b = &w->bits;
    if (x->length > b->length || (b->no_room > 0 && x->length >= b->no_room)) return -1;
    uint64_t places = (uint64_t)(b->length - x->length + 1);
    double n = (double)x->length;
    for (*level = 0; *level < LEVELS; (*level)++) {
        for (int k = 0; k < TRIES; k++) {
            int64_t start = (int64_t)sn_stream_below(s, places), end = start + x->length;
            if (fabs((double)count_range(b->gc, start, end) / n - x->gc) > tolerance[*level].gc) continue;
            if (fabs((double)count_range(b->repeat, start, end) / n - x->repeats) > tolerance[*level].repeats) continue;
            if (count_range(b->blocked, start, end) == 0) return start;
        }
    }
    /* hardly any room: the first free place behind a random one */
    *level = LEVELS - 1;
    int64_t start = free_window(b, (int64_t)sn_stream_below(s, places), x->length);
    return start >= 0 ? start : free_window(b, 0, x->length);
}

static int add_negative(struct drawer *w, const struct wanted *x, int contig, int64_t start, int level) {
    static const float zero = 0.0f;
    struct sn_dataset *d = w->d;
    char *name;
    int chrom = sn_dataset_chrom(d, sn_reference_name(w->r, contig));
    SN_TRY(chrom);
    struct sn_interval at = {chrom, d->at[x->row].strand, start, start + x->length};
    SN_TRY(sn_region_name(d, &at, &name));
    SN_TRY(sn_dataset_push(d, name, x->length, &at, &zero));
    uint8_t *codes = d->codes + d->offset[d->n - 1];
    SN_TRY(sn_reference_fetch(w->r, contig, at.start, at.end, codes));
    if (at.strand < 0) sn_revcomp(d->alphabet, codes, x->length);
    block(&w->bits, at.start, at.end);
    double gc, repeats;
    describe_row(d, d->n - 1, &gc, &repeats);
    w->gc_error += fabs(gc - x->gc);
    w->gc_sum[0] += x->gc;
    w->gc_sum[1] += gc;
    w->repeat_sum[0] += x->repeats;
    w->repeat_sum[1] += repeats;
    w->at_level[level]++;
    w->drawn++;
    return 0;
}

static int no_room(const struct drawer *w, const struct wanted *x, int contig) {
    return sn_error(
        SEQNET_EDATA,
        "no room for a negative of %lld bases on '%s' of %s: %lld of its %lld bases are positives, excluded, N or negatives already "
        "drawn; give negatives (--neg), shorter windows or more chromosomes",
        (long long)x->length, sn_reference_name(w->r, contig), sn_reference_path(w->r),
        (long long)count_range(w->bits.blocked, 0, w->bits.length), (long long)w->bits.length);
}

/* Draws the partners of x on the loaded contig; what finds no room is left in x->copies. */
static int serve(struct drawer *w, struct wanted *x, int contig) {
    struct sn_stream s;
    sn_stream_init_use(&s, w->o->seed, SN_RNG_NEGATIVES, (uint64_t)x->contig, (uint64_t)x->start);
    for (; x->copies > 0; x->copies--) {
        int level;
        int64_t start = draw_window(w, x, &s, &level);
        if (start < 0) {
            if (w->bits.no_room == 0 || x->length < w->bits.no_room) w->bits.no_room = x->length;
            return 0;
        }
        SN_TRY(add_negative(w, x, contig, start, level));
    }
    return 0;
}

/* The longest contig that holds positives: served last, it also takes what found no room on its own contig. */
static int roomiest(const struct drawer *w) {
    int best = w->want[0].contig;
    for (int64_t i = 1; i < w->n_want; i++)
        if (sn_reference_length(w->r, w->want[i].contig) > sn_reference_length(w->r, best)) best = w->want[i].contig;
    return best;
}

static int draw_all(struct drawer *w) {
    int last = roomiest(w);
    for (int64_t i = 0, j; i < w->n_want; i = j) {
        int contig = w->want[i].contig;
        for (j = i; j < w->n_want && w->want[j].contig == contig; j++) continue;
        if (contig == last) continue;
        SN_TRY(sn_check_cancel(w->o->sink));
        SN_TRY(load_contig(w, contig));
        for (int64_t k = i; k < j; k++) SN_TRY(serve(w, &w->want[k], contig));
        sn_progress(w->o->sink, "drawing negatives", w->drawn, w->n_want, "windows", "");
    }
    SN_TRY(load_contig(w, last));
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < w->n_want; i++) {
            struct wanted *x = &w->want[i];
            if ((x->contig == last) != (pass == 0) || x->copies == 0) continue;
            w->moved += pass ? x->copies : 0;
            SN_TRY(serve(w, x, last));
            if (x->copies > 0) return no_room(w, x, last);
        }
    }
    return 0;
}

static void tell(const struct drawer *w) {
    double n = w->drawn ? (double)w->drawn : 1;
    int64_t near = w->at_level[0] + w->at_level[1];
    sn_log(w->o->sink, SN_LOG_INFO,
           "%lld negatives drawn from %s: GC %.3f (positives %.3f), repeats %.3f (%.3f); mean difference in GC %.4f, %.1f %% within 0.02 "
           "GC and 0.1 repeats",
           (long long)w->drawn, sn_reference_path(w->r), w->gc_sum[1] / n, w->gc_sum[0] / n, w->repeat_sum[1] / n, w->repeat_sum[0] / n,
           w->gc_error / n, 100.0 * (double)near / n);
    if ((double)(w->at_level[LEVELS - 2] + w->at_level[LEVELS - 1]) > 0.05 * n)
        sn_log(w->o->sink, SN_LOG_WARN,
               "%lld of %lld negatives differ from their positives by more than 0.1 in GC: there is too little free sequence like them",
               (long long)(w->at_level[LEVELS - 2] + w->at_level[LEVELS - 1]), (long long)w->drawn);
    if (w->moved)
        sn_log(w->o->sink, SN_LOG_WARN, "%lld negatives found no room on their own contig and were drawn on another one",
               (long long)w->moved);
}

static int read_exclude(struct drawer *w) {
    int64_t unknown = 0;
    if (w->o->exclude == NULL) return 0;
    SN_TRY(sn_bed_open(w->o->exclude, &w->exclude));
    for (size_t i = 0; i < w->exclude.n; i++) {
        const struct sn_locus *x = &w->exclude.v[i];
        const char *name = w->exclude.chroms.v[x->chrom];
        int contig = sn_reference_lookup(w->r, name);
        unknown += contig < 0;
        if (contig >= 0 && x->end > sn_reference_length(w->r, contig))
            return sn_error(SEQNET_EDATA, "%s:%lld: %s:%lld-%lld reaches beyond the contig, which has %lld bases in %s", w->exclude.path,
                            (long long)x->line, name, (long long)x->start, (long long)x->end, (long long)sn_reference_length(w->r, contig),
                            sn_reference_path(w->r));
        if (unknown == (int64_t)w->exclude.n)
            return sn_error_prefix(sn_reference_find(w->r, name), "%s (none of its contigs fits)", w->exclude.path);
    }
    if (unknown)
        sn_log(w->o->sink, SN_LOG_WARN, "%s: %lld regions lie on contigs that %s does not have; ignored", w->exclude.path,
               (long long)unknown, sn_reference_path(w->r));
    return 0;
}

int sn_negatives_from_genome(struct sn_dataset *d, const struct sn_loci *positives, struct sn_reference *r,
                             const struct sn_dataset_options *o) {
    struct drawer w = {.d = d, .r = r, .o = o, .positives = positives};
    int rc;
    SN_GO(read_exclude(&w));
    SN_GO(list_wanted(&w));
    SN_GO(draw_all(&w));
    tell(&w);
done:
    bits_free(&w.bits);
    sn_loci_free(&w.exclude);
    free(w.want);
    return rc;
}

int sn_negatives_by_shuffling(struct sn_dataset *d, const struct sn_dataset_options *o) {
    static const float zero = 0.0f;
    int64_t n = d->n, single = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t copies =
            (int64_t)floor((double)(i + 1) * o->negatives_per_positive) - (int64_t)floor((double)i * o->negatives_per_positive);
        if (i % 65536 == 0) SN_TRY(sn_check_cancel(o->sink));
        for (int64_t k = 0; k < copies; k++) {
            struct sn_str name = {0};
            int64_t len = sn_dataset_len(d, i), ambiguous;
            SN_TRY(sn_str_printf(&name, "%s_shuffled%lld", d->names[i], (long long)k + 1));
            SN_TRY(sn_dataset_push(d, name.s, len, NULL, &zero));
            int rc =
                sn_dinucleotide_shuffle(d->codes + d->offset[i], len, o->seed, (uint64_t)i, (uint64_t)k, d->codes + d->offset[d->n - 1]);
            SN_TRY(rc);
            single += rc;
            sn_dataset_letters(d, d->n - 1, &ambiguous);
            d->ambiguous += ambiguous;
        }
    }
    d->shuffled_negatives = true;
    sn_log(o->sink, SN_LOG_WARN,
           "negatives are dinucleotide shuffles of the positives: a model trained on them scores real genomic sequence too high; give "
           "negatives, or "
           "positives as intervals with a reference");
    if (single)
        sn_log(o->sink, SN_LOG_WARN, "%lld shuffles equal their positive: the sequence admits no other arrangement", (long long)single);
    return 0;
}
