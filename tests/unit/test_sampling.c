/* What is drawn from a data set or for it: splits, shuffles, negatives, augmentation. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/rng.h"
#include "datasets.h"
#include "unit.h"

/* ---- splits ---------------------------------------------------------------------------------------------------------------------------
 */

/* n random rows, 30 % of class 1, on five chromosomes of falling size; in the given order. Names tell the rows apart. */
static struct sn_dataset *make_rows(int n, bool reversed, bool groups) {
    struct sn_dataset *d;
    ck_assert_int_eq(sn_dataset_create(sn_alphabet_find("dna"), &d), 0);
    d->kind = SN_TASK_BINARY;
    d->n_tasks = 1;
    for (int k = 0; k < n; k++) {
        int i = reversed ? n - 1 - k : k;
        struct sn_stream s;
        uint8_t codes[20];
        char name[16], chrom[16];
        sn_stream_init(&s, 1, (uint64_t)i, 0);
        for (int j = 0; j < 20; j++) codes[j] = (uint8_t)(1u << sn_stream_below(&s, 4));
        float y = i % 10 < 3;
        sprintf(name, "%d", i);
        int c = i * 100 / n;
        sprintf(chrom, "chr%d", c < 40 ? 1 : c < 65 ? 2 : c < 80 ? 3 : c < 91 ? 4 : 5);
        struct sn_interval at = {sn_dataset_chrom(d, chrom), 0, i, i + 20};
        ck_assert_int_eq(sn_dataset_add(d, name, codes, 20, &at, &y), 0);
    }
    if (groups) {
        d->group = calloc(d->cap_rows, sizeof *d->group);
        for (int k = 0; k < n; k++) d->group[k] = atoi(d->names[k]) / 7;
    }
    return d;
}

static char held_out[2000]; /* by the number in the row's name */

static int64_t split(const struct sn_dataset *d, const char *chroms, double fraction, uint64_t seed, char *how, size_t cap) {
    uint8_t valid[2000];
    struct sn_str s = {0};
    struct sn_split_options o = {.fraction = fraction, .chroms = chroms, .seed = seed, .sink = &sink};
    int rc = sn_dataset_split(d, &o, valid, &s);
    if (rc < 0) return rc;
    int64_t n = 0;
    for (int64_t i = 0; i < d->n; i++) {
        held_out[atoi(d->names[i])] = (char)valid[i];
        n += valid[i];
    }
    if (how) snprintf(how, cap, "%s", s.s);
    sn_str_free(&s);
    return n;
}

START_TEST(split_fraction) {
    struct sn_dataset *d = make_rows(1000, false, false), *r = make_rows(1000, true, false);
    char first[1000], how[200];
    ck_assert_int_eq((int)split(d, NULL, 0.1, 1, how, sizeof how), 100);
    ck_assert_str_eq(how, "a random fraction of 0.1, stratified by label (100 of 1000)");
    int ones = 0;
    for (int i = 0; i < 1000; i++) ones += held_out[i] && i % 10 < 3;
    ck_assert_int_eq(ones, 30); /* stratified exactly */
    memcpy(first, held_out, 1000);
    split(r, NULL, 0.1, 1, NULL, 0);
    ck_assert_mem_eq(first, held_out, 1000); /* whatever the order of rows */
    split(d, NULL, 0.1, 2, NULL, 0);
    int same = 0;
    for (int i = 0; i < 1000; i++) same += first[i] && held_out[i];
    ck_assert_int_lt(same, 30); /* another seed, other rows (10 expected) */
    ck_error(split(d, NULL, 1, 1, NULL, 0), SEQNET_EINVAL, "validation fraction 1");
    ck_error(split(d, NULL, NAN, 1, NULL, 0), SEQNET_EINVAL, "validation fraction");
    sn_dataset_free(d);
    sn_dataset_free(r);
    d = make_rows(2, false, false);
    ck_assert_int_eq((int)split(d, NULL, 0.1, 1, NULL, 0), 1);
    sn_dataset_free(d);
    d = make_rows(10, false, false);
    ck_assert_int_eq((int)split(d, NULL, 0.99, 1, NULL, 0), 8); /* one of each class stays */
    sn_dataset_free(d);
    d = make_rows(1, false, false);
    ck_error(split(d, NULL, 0.1, 1, NULL, 0), SEQNET_EDATA, "too few");
    sn_dataset_free(d);
}
END_TEST

START_TEST(split_groups) {
    struct sn_dataset *d = make_rows(1000, false, true), *r = make_rows(1000, true, true);
    char first[1000];
    int64_t n = split(d, "auto", 0.1, 1, NULL, 0); /* groups go before chromosomes */
    ck_assert_int_ge((int)n, 95);
    ck_assert_int_le((int)n, 105);
    for (int i = 1; i < 1000; i++)
        if (i % 7) ck_assert_int_eq(held_out[i], held_out[i - 1]);
    memcpy(first, held_out, 1000);
    split(r, NULL, 0.1, 1, NULL, 0);
    ck_assert_mem_eq(first, held_out, 1000);
    memset(d->group, 0, 1000 * sizeof *d->group);
    ck_error(split(d, NULL, 0.1, 1, NULL, 0), SEQNET_EDATA, "of one group");
    for (int i = 0; i < 1000; i++) d->group[i] = i < 900;
    ck_assert_int_eq((int)split(d, NULL, 0.01, 1, NULL, 0), 100); /* at least one group */
    ck_assert_int_eq((int)split(d, NULL, 0.99, 1, NULL, 0), 900); /* never all */
    sn_dataset_free(d);
    sn_dataset_free(r);
}
END_TEST

START_TEST(split_chromosomes) {
    struct sn_dataset *d = make_rows(1000, false, false), *r = make_rows(1000, true, false);
    char how[200];
    ck_assert_int_eq((int)split(d, "chr2,chr5", 0, 1, how, sizeof how), 340);
    ck_assert_str_eq(how, "chromosomes chr2,chr5 (340 of 1000)");
    ck_assert_int_eq((int)split(d, "auto", 0.1, 1, how, sizeof how), 110); /* of 400, 250, 150, 110, 90 */
    char first[1000];
    memcpy(first, held_out, 1000);
    ck_assert_int_eq((int)split(r, "auto", 0.1, 77, NULL, 0), 110); /* neither order nor seed matter */
    ck_assert_mem_eq(first, held_out, 1000);
    ck_assert_int_eq((int)split(d, "auto", 0.2, 1, how, sizeof how), 200);
    ck_assert_str_eq(how, "chromosomes chr4,chr5 (200 of 1000)");
    ck_assert_int_eq((int)split(d, "auto", 0.001, 1, NULL, 0), 90);  /* at least one */
    ck_assert_int_eq((int)split(d, "auto", 0.999, 1, NULL, 0), 910); /* never all */
    ck_error(split(d, "chr9", 0, 1, NULL, 0), SEQNET_EDATA, "validation chromosome 'chr9' has no sequence in the data, which have: chr1");
    ck_error(split(d, "chr1,chr2,chr3,chr4,chr5", 0, 1, NULL, 0), SEQNET_EDATA, "hold all of");
    d->at[5].chrom = -1;
    ck_error(split(d, "chr1", 0, 1, NULL, 0), SEQNET_EDATA, "not all sequences have coordinates");
    ck_assert_int_eq((int)split(d, "auto", 0.1, 1, NULL, 0), 100);
    for (int i = 0; i < 1000; i++) d->at[i].chrom = 0;
    logged[0] = '\0';
    ck_assert_int_eq((int)split(d, "auto", 0.1, 1, NULL, 0), 100);
    ck_assert_ptr_nonnull(strstr(logged, "lie on one chromosome, chr1"));
    sn_dataset_free(d);
    sn_dataset_free(r);
}
END_TEST

/* ---- shuffles -------------------------------------------------------------------------------------------------------------------------
 */

static int shuffle_text(const char *text, uint64_t seed, uint64_t seq, uint64_t ref, char *out) {
    const struct sn_alphabet *a = sn_alphabet_find("dna");
    uint8_t codes[256], got[256];
    int64_t n = (int64_t)strlen(text), bad;
    ck_assert_int_ge((int)sn_encode_seq(a, text, n, codes, &bad), 0);
    int rc = sn_dinucleotide_shuffle(codes, n, seed, seq, ref, got);
    for (int64_t i = 0; i < n; i++) out[i] = (char)a->decode[got[i]];
    out[n] = '\0';
    return rc;
}

/* golden M1: computed by an independent implementation in Python */
START_TEST(shuffle_golden) {
    static const char text[] = "ACGTTGCAACGGTCATGCATTAGC";
    static const struct {
        int seq, ref;
        const char *want;
    } golden[] = {{0, 0, "ATTTAATGTGGCGTCGCAGCACAC"},
                  {0, 1, "ACGTCAGCGCATGTTTAATGGCAC"},
                  {0, 2, "AGCAATGTTACACGCGCATGGTTC"},
                  {1, 0, "ATGGTACATCGTTTGCAGCAACGC"}};
    char out[64];
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(shuffle_text(text, 42, (uint64_t)golden[i].seq, (uint64_t)golden[i].ref, out), 0);
        ck_assert_str_eq(out, golden[i].want);
    }
}
END_TEST

/* All arrangements equally often: chi-square over its degrees of freedom. Keeping the original last edges gives over 1000. */
static void check_uniform(const char *text, int arrangements, int each, double limit) {
    char(*seen)[32] = calloc((size_t)arrangements, sizeof *seen), out[64];
    int *count = calloc((size_t)arrangements, sizeof *count), known = 0;
    for (int k = 0; k < arrangements * each; k++) {
        int i = 0;
        shuffle_text(text, 7, 3, (uint64_t)k, out);
        while (i < known && strcmp(seen[i], out) != 0) i++;
        if (i == known) {
            ck_assert_int_lt(known, arrangements);
            strcpy(seen[known++], out);
        }
        count[i]++;
    }
    ck_assert_int_eq(known, arrangements);
    double chi = 0;
    for (int i = 0; i < arrangements; i++) chi += (count[i] - each) * (double)(count[i] - each) / each;
    ck_assert_msg(chi / (arrangements - 1) < limit, "%s: chi-square / df = %g", text, chi / (arrangements - 1));
    free(seen);
    free(count);
}

START_TEST(shuffle_uniform) {
    check_uniform("ACAGCATCACG", 21, 1000, 1.9);
    check_uniform("AACGTACGATTCA", 240, 200, 1.3);
    check_uniform("GATTACAGATCTAGA", 450, 100, 1.25);
}
END_TEST

/* Arrangements by brute force: walks that use every dinucleotide of the counts. */
static int64_t count_walks(int left[5][5], int at, int edges) {
    if (edges == 0) return 1;
    int64_t n = 0;
    for (int to = 0; to < 5; to++)
        if (left[at][to] > 0) {
            left[at][to]--;
            n += count_walks(left, to, edges - 1);
            left[at][to]++;
        }
    return n;
}

START_TEST(shuffle_keeps_and_tells) {
    struct sn_stream s;
    sn_stream_init(&s, 4, 4, 4);
    int single = 0, several = 0;
    for (int k = 0; k < 4000; k++) {
        int n = 1 + (int)sn_stream_below(&s, 9), letters = 2 + (int)sn_stream_below(&s, 4);
        char text[16], out[64];
        for (int i = 0; i < n; i++) text[i] = "ACGTN"[sn_stream_below(&s, (uint64_t)letters)];
        text[n] = '\0';
        int left[5][5] = {{0}};
        for (int i = 0; i + 1 < n; i++) left[strchr("ACGTN", text[i]) - "ACGTN"][strchr("ACGTN", text[i + 1]) - "ACGTN"]++;
        int64_t walks = count_walks(left, (int)(strchr("ACGTN", text[0]) - "ACGTN"), n - 1);
        int rc = shuffle_text(text, 1, (uint64_t)k, 0, out);
        ck_assert_msg(rc == (walks == 1), "%s: %d with %d arrangements", text, rc, (int)walks);
        rc ? single++ : several++;
        ck_assert_int_eq(out[0], text[0]);
        for (int i = 0; i + 1 < n; i++) left[strchr("ACGTN", out[i]) - "ACGTN"][strchr("ACGTN", out[i + 1]) - "ACGTN"]--;
        for (int i = 0; i < 25; i++) ck_assert_int_eq(left[i / 5][i % 5], 0);
    }
    ck_assert(single > 300 && several > 300);
}
END_TEST

START_TEST(shuffle_keeps_codes) {
    /* soft-masking and IUPAC letters are moved, not changed; in place works too */
    char out[64];
    static const char text[] = "ACgtRYNacGTnACGTTGkCAT";
    shuffle_text(text, 9, 9, 9, out);
    int have[256] = {0};
    for (size_t i = 0; text[i]; i++) have[(unsigned char)text[i]]++, have[(unsigned char)out[i]]--;
    for (int c = 0; c < 256; c++) ck_assert_int_eq(have[c], 0);
    ck_assert_str_ne(out, text);
    uint8_t a[] = {1, 2, 4, 1, 2, 8, 1, 4, 2, 1}, b[10];
    sn_dinucleotide_shuffle(a, 10, 1, 2, 3, b);
    sn_dinucleotide_shuffle(a, 10, 1, 2, 3, a);
    ck_assert_mem_eq(a, b, 10);
    ck_assert_int_eq(sn_dinucleotide_shuffle(a, 0, 1, 1, 1, b), 1);
}
END_TEST

START_TEST(shuffled_negatives) {
    struct sn_dataset_options o = options();
    o.positives = temp_text("p.fa", ">a\nACGTTGCAACGGTCATGCATTAGC\n>b\nAAAA\n");
    o.make_negatives = o.need_labels = true;
    o.seed = 42;
    struct sn_dataset *d = must_read(o);
    ck_assert(d->n == 4 && d->shuffled_negatives);
    ck_row(d, 2, "ATTTAATGTGGCGTCGCAGCACAC"); /* golden M1: seed 42, sequence 0, reference 0 */
    ck_assert(d->targets[1] == 1 && d->targets[2] == 0 && d->targets[3] == 0);
    ck_assert_ptr_nonnull(strstr(logged, "0 negatives are dinucleotide shuffles"));
    ck_assert_ptr_nonnull(strstr(logged, "1 shuffles equal their positive"));
    sn_dataset_free(d);
    o.negatives_per_positive = 1.5;
    d = must_read(o);
    ck_assert_int_eq((int)d->n, 5);
    sn_dataset_free(d);
    o.negatives_per_positive = 0;
    ck_error(try_read(o), SEQNET_EINVAL, "negatives per positive: 0");
    o.negatives_per_positive = 1;
    o.alphabet = sn_alphabet_find("protein");
    ck_error(try_read(o), SEQNET_ENOTSUP, "protein");
}
END_TEST

/* ---- negatives from a genome --------------------------------------------------------------------------------------------------------- */

#define GENOME 60000

/* Two contigs; GC content rises along each, every fourth kilobase is soft-masked, a few N. */
static void write_genome(char *seq) {
    char *text = malloc(2 * GENOME + 100);
    int n = 0;
    struct sn_stream s;
    sn_stream_init(&s, 8, 0, 0);
    for (int c = 0; c < 2; c++) {
        n += sprintf(text + n, ">k%d\n", c);
        for (int i = 0; i < GENOME; i++) {
            bool strong = sn_stream_unit(&s) < 0.25 + 0.5 * i / GENOME;
            char base = strong ? "CG"[sn_stream_below(&s, 2)] : "AT"[sn_stream_below(&s, 2)];
            if (i % 5000 == 17) base = 'N';
            if (i / 1000 % 4 == 3) base = (char)(base + 32);
            seq[c * GENOME + i] = text[n++] = base;
        }
        text[n++] = '\n';
    }
    temp_write("big.fa", text, (size_t)n);
    free(text);
}

static void describe(const char *seq, const struct sn_interval *at, double *gc, double *repeats) {
    *gc = *repeats = 0;
    for (int64_t i = at->start; i < at->end; i++) {
        char c = seq[at->chrom * GENOME + i];
        *gc += strchr("CGcg", c) != NULL;
        *repeats += c >= 'a';
    }
    *gc /= (double)(at->end - at->start);
    *repeats /= (double)(at->end - at->start);
}

static struct sn_dataset_options positives_bed(bool reversed) {
    char bed[4096];
    int n = 0;
    for (int k = 0; k < 80; k++) {
        int i = reversed ? 79 - k : k, start = 30000 + i * 350;
        n += sprintf(bed + n, "k%d\t%d\t%d\tp%d\t0\t%c\n", i % 2, start, start + 200, i, "+-"[i / 2 % 2]);
    }
    struct sn_dataset_options o = options();
    o.positives = temp_text("p.bed", bed);
    o.reference = temp_path("big.fa");
    o.exclude = temp_text("x.bed", "k0\t20000\t40000\nelsewhere\t1\t5\n");
    o.window = 150;
    o.make_negatives = o.need_labels = true;
    return o;
}

static bool overlap(const struct sn_interval *a, const struct sn_interval *b) {
    return a->chrom == b->chrom && a->start < b->end && b->start < a->end;
}

START_TEST(genomic_negatives) {
    char *seq = malloc(2 * GENOME);
    write_genome(seq);
    struct sn_dataset *d = must_read(positives_bed(false)), *r = must_read(positives_bed(true));
    ck_assert(d->n == 160 && !d->shuffled_negatives);
    struct sn_interval excluded = {sn_dataset_chrom(d, "k0"), 0, 20000, 40000};
    double sum[2][2] = {{0}}, far = 0;
    for (int i = 0; i < 160; i++) {
        double gc, repeats;
        const struct sn_interval *at = &d->at[i];
        ck_assert_int_eq((int)(at->end - at->start), 150);
        ck_assert_float_eq(d->targets[i], i < 80 ? 1.0f : 0.0f);
        describe(seq, at, &gc, &repeats);
        sum[i < 80][0] += gc / 80;
        sum[i < 80][1] += repeats / 80;
        if (i < 80) continue;
        ck_assert_int_eq((int)d->padded, 0);
        ck_assert(at->start >= 0 && at->end <= GENOME && !overlap(at, &excluded));
        for (int64_t k = at->start; k < at->end; k++) ck_assert((seq[at->chrom * GENOME + k] | 32) != 'n');
        for (int j = 0; j < 160; j++) ck_assert(j == i || !overlap(at, &d->at[j]));
        for (int64_t k = 0; k < 150; k++) { /* the bases are those of its place and strand */
            int64_t place = at->strand < 0 ? at->end - 1 - k : at->start + k;
            uint8_t code = d->alphabet->encode[(unsigned char)seq[at->chrom * GENOME + place]];
            ck_assert_int_eq(d->codes[d->offset[i] + k], at->strand < 0 ? d->alphabet->complement[code] : code);
        }
        far += gc > 0.6;
    }
    ck_assert_double_lt(fabs(sum[0][0] - sum[1][0]), 0.01); /* matched in GC and repeats */
    ck_assert_double_lt(fabs(sum[0][1] - sum[1][1]), 0.05);
    ck_assert_double_gt(sum[1][0], 0.57); /* which lie in the half of high GC */
    ck_assert_double_gt(far, 20);
    int on[2][2] = {{0}};
    for (int i = 0; i < 160; i++) on[i < 80][d->at[i].chrom]++;
    ck_assert(on[0][0] == on[1][0] && on[0][1] == on[1][1]);
    for (int i = 80; i < 160; i++) { /* the order of positives does not matter */
        bool found = false;
        for (int j = 80; j < 160 && !found; j++) found = d->at[i].start == r->at[j].start && strcmp(d->names[i], r->names[j]) == 0;
        ck_assert(found);
    }
    ck_assert_ptr_nonnull(strstr(logged, "80 negatives drawn"));
    ck_assert_ptr_nonnull(strstr(logged, "1 regions lie on contigs"));
    sn_dataset_free(d);
    sn_dataset_free(r);
    free(seq);
}
END_TEST

/* A single free place in 60 kb, which random draws miss. */
START_TEST(genomic_negatives_last_place) {
    char *seq = malloc(2 * GENOME);
    write_genome(seq);
    for (int seed = 0; seed < 8; seed++) {
        struct sn_dataset_options o = options();
        o.positives = temp_text("p.bed", "k0\t2000\t2150\n");
        o.reference = temp_path("big.fa");
        o.exclude = temp_text("x.bed", "k0\t0\t41000\nk0\t41150\t60000\n");
        o.make_negatives = true;
        o.seed = (uint64_t)seed;
        struct sn_dataset *d = must_read(o);
        ck_assert(d->at[1].start == 41000 && d->at[1].end == 41150);
        sn_dataset_free(d);
        o.exclude = temp_text("x.bed", "k0\t0\t41000\nk0\t41149\t60000\n");
        ck_error(try_read(o), SEQNET_EDATA, "no room for a negative of 150 bases on 'k0'");
    }
    free(seq);
}
END_TEST

START_TEST(genomic_negatives_no_room) {
    struct sn_dataset_options o = options();
    o.reference = temp_text("g.fa", ">c1\nACGTACGTAC\nGGGGGTTTTT\nCATN\n>c2\nttttAAAACC\n");
    o.positives = temp_text("p.bed", "c1\t4\t16\n");
    o.make_negatives = true;
    ck_error(try_read(o), SEQNET_EDATA, "no room for a negative of 12 bases on 'c1'");
    struct sn_dataset *d;
    o.positives = temp_text("p.bed", "c1\t4\t8\nc2\t0\t6\n");
    d = must_read(o);
    ck_assert_int_eq((int)d->n, 4);
    ck_assert_ptr_nonnull(strstr(logged, "1 negatives found no room on their own contig"));
    sn_dataset_free(d);
    o.exclude = temp_text("x.bed", "z\t1\t5\n");
    ck_error(try_read(o), SEQNET_EDATA, "none of its contigs fits");
    o.exclude = temp_text("x.bed", "c1\t1\t50\n");
    ck_error(try_read(o), SEQNET_EDATA, "x.bed:1: c1:1-50 reaches beyond");
}
END_TEST

/* ---- augmentation ---------------------------------------------------------------------------------------------------------------------
 */

START_TEST(augmented_rows) {
    struct sn_dataset *d = make_rows(60, false, false);
    struct sn_augment a = {.reverse_complement = true, .max_shift = 3, .seed = 11};
    int turned = 0, seen[7] = {0};
    for (int64_t step = 0; step < 40; step++) {
        int shift = sn_augment_shift(&a, step);
        ck_assert(shift >= -3 && shift <= 3);
        seen[shift + 3]++;
        for (int64_t i = 0; i < 60; i++) {
            int64_t width = 14 + (i + step) % 14, len = 20;
            uint8_t out[64], row[20], plain[64];
            memset(out, 77, sizeof out);
            sn_dataset_row(d, i, &a, step, width, out);
            ck_assert_int_eq(out[width], 77);
            int matches = 0;
            for (int rc = 0; rc < 2; rc++) {
                memcpy(row, d->codes + d->offset[i], 20);
                if (rc) sn_revcomp(d->alphabet, row, 20);
                int64_t pad = width >= len ? (width - len) / 2 : -((len - width + 1) / 2);
                for (int64_t j = 0; j < width; j++) { /* shifted: s[p] = row[p + shift], then centred */
                    int64_t p = j - pad;
                    plain[j] = p >= 0 && p < len && p + shift >= 0 && p + shift < len ? row[p + shift] : SN_CODE_OUTSIDE;
                }
                if (memcmp(plain, out, (size_t)width) == 0) matches++, turned += rc;
            }
            ck_assert_int_ge(matches, 1);
        }
    }
    ck_assert(turned > 1080 && turned < 1320); /* half of 2400, 5 sigma */
    for (int k = 0; k < 7; k++) ck_assert_int_gt(seen[k], 0);
    uint8_t out[20];
    sn_dataset_row(d, 3, NULL, 5, 20, out);
    ck_assert_mem_eq(out, d->codes + d->offset[3], 20);
    ck_assert_int_eq(sn_augment_shift(NULL, 5), 0);
    a.max_shift = 50; /* shifts beyond the row leave nothing */
    for (int64_t step = 0; step < 40; step++) sn_dataset_row(d, 3, &a, step, 20, out);
    sn_dataset_free(d);
}
END_TEST

int main(void) {
    Suite *s = suite_create("sampling");
    TCase *c = tcase_create("sampling");
    tcase_add_checked_fixture(c, tempdir_make, tempdir_remove);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, split_fraction);
    tcase_add_test(c, split_groups);
    tcase_add_test(c, split_chromosomes);
    tcase_add_test(c, shuffle_golden);
    tcase_add_test(c, shuffle_uniform);
    tcase_add_test(c, shuffle_keeps_and_tells);
    tcase_add_test(c, shuffle_keeps_codes);
    tcase_add_test(c, shuffled_negatives);
    tcase_add_test(c, genomic_negatives);
    tcase_add_test(c, genomic_negatives_last_place);
    tcase_add_test(c, genomic_negatives_no_room);
    tcase_add_test(c, augmented_rows);
    suite_add_tcase(s, c);
    return unit_run(s);
}
