/* Reading data sets: tables, FASTA, intervals. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "datasets.h"
#include "unit.h"

static struct sn_dataset_options table(const char *text, const char *labels, const char *group) {
    struct sn_dataset_options o = options();
    o.data = temp_text("t.tsv", text);
    o.labels = labels;
    o.group = group;
    o.need_labels = true;
    return o;
}

/* ---- tables ---------------------------------------------------------------------------------------------------------------------------
 */

START_TEST(table_binary) {
    struct sn_dataset *d = must_read(table("#note\nlabel\tid\tsequence\r\n1\ta\tACGT\r\n0\t\tacgn\n\nNA\tc\tRU\n", NULL, NULL));
    ck_assert_int_eq((int)d->n, 3);
    ck_assert_int_eq(d->kind, SN_TASK_BINARY);
    ck_assert_int_eq(d->n_tasks, 1);
    ck_assert_str_eq(d->tasks[0], "label");
    ck_assert_float_eq(d->targets[0], 1);
    ck_assert_float_eq(d->targets[1], 0);
    ck_assert(isnan(d->targets[2]));
    ck_assert_str_eq(d->names[0], "a");
    ck_assert_str_eq(d->names[1], "seq2");
    ck_row(d, 0, "ACGT");
    ck_row(d, 1, "acgn");
    ck_row(d, 2, "RT");
    ck_assert_int_eq((int)d->ambiguous, 2);
    ck_assert(sn_dataset_longest(d) == 4 && sn_dataset_shortest(d) == 2);
    ck_assert_ptr_null(d->at);
    sn_dataset_free(d);
}
END_TEST

START_TEST(table_tasks) {
    static const char text[] = "sequence\ta\tgene\tb\nAC\t1\tg2\t0\nAG\t0\tg1\tNA\nAT\t1\tg2\t1\n";
    struct sn_dataset *d = must_read(table(text, "b,a", "gene"));
    ck_assert_int_eq(d->kind, SN_TASK_BINARY);
    ck_assert_int_eq(d->n_tasks, 2);
    ck_assert_str_eq(d->tasks[0], "b"); /* in the order asked for */
    ck_assert(d->targets[0] == 0 && d->targets[1] == 1 && isnan(d->targets[2]) && d->targets[3] == 0);
    ck_assert(d->group[0] == 1 && d->group[1] == 0 && d->group[2] == 1); /* groups are numbered by name */
    sn_dataset_free(d);
    d = must_read(table(text, NULL, "gene"));
    ck_assert_str_eq(d->tasks[0], "a");
    sn_dataset_free(d);
    d = must_read(table("sequence\ta\tb\nAC\t1\t-0.5\nAG\t0\t1e-3\n", NULL, NULL));
    ck_assert_int_eq(d->kind, SN_TASK_NUMBER);
    ck_assert_float_eq(d->targets[3], 1e-3f);
    sn_dataset_free(d);
}
END_TEST

START_TEST(table_classes) {
    struct sn_dataset *d = must_read(table("label\tsequence\nnone\tAC\nacceptor\tAG\nNA\tAT\nnone\tAA\ndonor\tCC\n", NULL, NULL));
    ck_assert_int_eq(d->kind, SN_TASK_CLASSES);
    ck_assert_int_eq(d->n_tasks, 3);
    static const char *const names[] = {"acceptor", "donor", "none"};
    static const int want[] = {2, 0, -1, 2, 1};
    for (int k = 0; k < 3; k++) ck_assert_str_eq(d->tasks[k], names[k]);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++) {
            float y = d->targets[i * 3 + k];
            if (want[i] < 0)
                ck_assert(isnan(y));
            else
                ck_assert_float_eq(y, k == want[i] ? 1.0f : 0.0f);
        }
    sn_dataset_free(d);
}
END_TEST

START_TEST(table_without_labels) {
    struct sn_dataset_options o = table("sequence\tlabel\tnote\nAC\t1\tx\nAG\tz\ty\n", NULL, NULL);
    o.need_labels = false;
    struct sn_dataset *d = must_read(o);
    ck_assert(d->n == 2 && d->kind == SN_TASK_NONE && d->n_tasks == 0 && d->targets == NULL);
    sn_dataset_free(d);
}
END_TEST

START_TEST(table_refused) {
    static const struct {
        const char *text, *labels, *group, *message;
    } bad[] = {
        {"sequence\tlabel\nAC\t1\nAG\tx\n", NULL, NULL, "t.tsv:3: column 'label': expected a number as in the rows before, found 'x'"},
        {"sequence\tlabel\nAC\tx\nAG\t1\n", NULL, NULL, "t.tsv:3: column 'label': found the number '1' among class names"},
        {"sequence\tlabel\nAC\tnan\nAG\t1\n", NULL, NULL, "t.tsv:2: column 'label': 'nan' is no number"},
        {"sequence\tlabel\nAC\t1,5\nAG\t2,5\n", NULL, NULL, "'1,5' is no number"},
        {"sequence\tlabel\nAC\t1e39\nAG\t1\n", NULL, NULL, "too large"},
        {"sequence\tlabel\nAC\t\nAG\t1\n", NULL, NULL, "t.tsv:2: column 'label' is empty; write NA"},
        {"sequence\tlabel\nAC\t1\nAG\t1\n", NULL, NULL, "column 'label' has one class only, 1"},
        {"sequence\tlabel\nAC\tx\nAG\tx\n", NULL, NULL, "column 'label' has one class only, 'x'"},
        {"sequence\tlabel\nAC\t2.5\nAG\t2.5\n", NULL, NULL, "has one value only, 2.5"},
        {"sequence\tlabel\nAC\tNA\n", NULL, NULL, "has no values, only NA"},
        {"sequence\tlabel\tlabel\nAC\t1\t1\n", NULL, NULL, "names column 'label' twice"},
        {"sequence\tlabel\nAC\t1\n", "labell", NULL, "no label column 'labell'; did you mean 'label'?"},
        {"sequence\tlabel\nAC\t1\n", "label,label", NULL, "'label' is asked for twice"},
        {"sequence\tlabel\nAC\t1\n", "sequence", NULL, "cannot be a label"},
        {"sequence\tlabel\nAC\t1\n", NULL, "gen", "no group column 'gen'"},
        {"sequence\tlabel\nAC\t1\n", "label", "label", "cannot be a label and the group"},
        {"sequence\tlabel\tgene\nAC\t1\tg\n", NULL, NULL,
         "t.tsv:2: column 'gene': 'g' is text, but all of label, gene are taken as labels"},
        {"sequence\tname\nAC\tx\n", NULL, NULL, "has no label column"},
        {"sequence\tlabel\nAC\n", NULL, NULL, "t.tsv:2: 1 column, the header has 2"},
        {"sequence\tlabel\nAC\t1\t2\n", NULL, NULL, "t.tsv:2: 3 columns, the header has 2"},
        {"sequence\t\nAC\t1\n", NULL, NULL, "column 2 of the header has no name"},
        {"sequence\tlabel\n", NULL, NULL, "a header but no rows"},
        {"sequence\tlabel\nAC\t1\nNNn\t0\n", NULL, NULL, "t.tsv:3: column 'sequence' of row 'seq2' holds nothing but N"},
        {"sequence\tlabel\nAX\t1\n", NULL, NULL, "t.tsv:2: 'X' is no symbol of the dna alphabet (column 'sequence')"},
        {"sequence\tlabel\n\t1\n", NULL, NULL, "column 'sequence' is empty"},
        {"chrom\tstart\tend\tlabel\nc\t1\t2\t1\n", NULL, NULL, "a reference FASTA (-f) is needed"},
        {"sequence\tchrom\tstart\tend\tlabel\nACG\tc\t1\t3\t1\n", NULL, NULL, "the sequence has 3 letters, its interval 2 bases"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int rc = try_read(table(bad[i].text, bad[i].labels, bad[i].group));
        ck_assert_msg(rc < 0 && strstr(sn_error_text(), bad[i].message), "'%s' is not in: %s", bad[i].message, sn_error_text());
    }
    struct sn_dataset *d = must_read(table("sequence\ta\tb\nAC\t1\t0\nAG\t1\t1\n", NULL, NULL));
    ck_assert_ptr_nonnull(strstr(logged, "0 ")); /* one task that never changes beside others: a warning */
    ck_assert_ptr_nonnull(strstr(logged, "task 'a' has one value only"));
    sn_dataset_free(d);
}
END_TEST

START_TEST(too_many_classes) {
    char *text = malloc(40000);
    int n = sprintf(text, "sequence\tlocus\n");
    for (int i = 0; i < 1001; i++) n += sprintf(text + n, "ACGT\tchr1:%dx\n", i);
    ck_error(try_read(table(text, NULL, NULL)), SEQNET_EFORMAT, "names, not classes");
    free(text);
}
END_TEST

/* ---- FASTA and intervals ------------------------------------------------------------------------------------------------------------- */

static const char genome[] = ">c1\nACGTACGTAC\nGGGGGTTTTT\nCATN\n>c2\nttttAAAACC\n";

START_TEST(positives_and_negatives) {
    struct sn_dataset_options o = options();
    o.positives = temp_text("p.fa", ">a\nAC\n>b\nAGG\n");
    o.negatives = temp_text("n.fa", ">c\nT\n");
    o.need_labels = true;
    struct sn_dataset *d = must_read(o);
    ck_assert(d->n == 3 && d->kind == SN_TASK_BINARY && !d->shuffled_negatives);
    ck_assert(d->targets[0] == 1 && d->targets[1] == 1 && d->targets[2] == 0);
    ck_row(d, 1, "AGG");
    ck_assert_str_eq(d->names[2], "c");
    sn_dataset_free(d);
    o.negatives = NULL;
    ck_error(try_read(o), SEQNET_EDATA, "one class only; negatives");
    o.negatives = temp_text("n.fa", ">c\nNN\n");
    ck_error(try_read(o), SEQNET_EDATA, "n.fa:1: record 'c' holds nothing but N");
    o.negatives = temp_text("n.fa", ">c\nA\n>d\n>e\nA\n");
    ck_error(try_read(o), SEQNET_EDATA, "n.fa:3: record 'd' has no sequence");
    o.negatives = temp_text("n.tsv", "sequence\tlabel\nAC\t1\n");
    ck_error(try_read(o), SEQNET_EINVAL, "is a table");
    struct sn_dataset_options u = options();
    u.data = temp_text("u.fa", ">a\nAC\n");
    u.need_labels = true;
    ck_error(try_read(u), SEQNET_EDATA, "FASTA has no labels");
    u.positives = u.data;
    ck_error(try_read(u), SEQNET_EINVAL, "either positives");
}
END_TEST

static struct sn_dataset_options intervals(const char *bed, int64_t window, enum sn_center center) {
    struct sn_dataset_options o = options();
    o.data = temp_text("i.bed", bed);
    o.reference = temp_text("g.fa", genome);
    o.window = window;
    o.center = center;
    return o;
}

START_TEST(windows) {
    /* the interval itself, in the order of the file, both strands */
    struct sn_dataset *d = must_read(intervals("c2\t2\t6\t.\t0\t-\nc1\t8\t12\tx\t0\t+\nc1\t20\t24\t.\t0\t.\n", 0, SN_CENTER_MID));
    ck_row(d, 0, "TTaa");
    ck_row(d, 1, "ACGG");
    ck_row(d, 2, "CATN");
    ck_assert_str_eq(d->names[2], "c1:21-24");
    ck_assert(d->at[0].strand == -1 && d->at[0].start == 2 && d->at[0].end == 6);
    ck_assert_str_eq(d->chroms[d->at[0].chrom], "c2");
    ck_assert_int_eq((int)d->chrom_length[d->at[1].chrom], 24);
    sn_dataset_free(d);
    /* about the centre: floor((start+end)/2), [c - W/2, c - W/2 + W); over both ends, padded and counted */
    d = must_read(intervals("c1\t1\t4\t.\t0\t+\nc1\t22\t24\t.\t0\t.\nc2\t5\t6\tx\t0\t-\n", 7, SN_CENTER_MID));
    ck_row(d, 0, "-ACGTAC"); /* centre 2: [-1,6) */
    ck_row(d, 1, "CATN---"); /* centre 23: [20,27) */
    ck_row(d, 2, "GTTTTaa"); /* centre 5: [2,9) */
    ck_assert_int_eq((int)d->padded, 2);
    ck_assert(d->at[0].start == -1 && d->at[0].end == 6 && d->at[1].end == 27);
    ck_assert_str_eq(d->names[0], "c1:1-6");
    sn_dataset_free(d);
    /* summits: start + column 10; -1 = middle */
    static const char peaks[] = "c1\t4\t14\t.\t0\t.\t0\t-1\t-1\t8\nc1\t4\t14\t.\t0\t.\t0\t-1\t-1\t-1\n";
    d = must_read(intervals(peaks, 2, SN_CENTER_SUMMIT));
    ck_row(d, 0, "GG"); /* centre 12 */
    ck_row(d, 1, "AC"); /* centre 9: [8,10) */
    sn_dataset_free(d);
    d = must_read(intervals(peaks, 2, SN_CENTER_MID));
    ck_row(d, 0, "AC");
    sn_dataset_free(d);
    d = must_read(intervals("c1\t4\t8\n", 2, SN_CENTER_SUMMIT));
    ck_assert_ptr_nonnull(strstr(logged, "has no summits"));
    sn_dataset_free(d);
    /* longer than the contig */
    d = must_read(intervals("c2\t0\t10\n", 20, SN_CENTER_MID));
    ck_row(d, 0, "-----ttttAAAACC-----");
    sn_dataset_free(d);
}
END_TEST

START_TEST(windows_refused) {
    ck_error(try_read(intervals("c1\t1\t4\nc1\t20\t25\n", 0, SN_CENTER_MID)), SEQNET_EDATA,
             "i.bed:2: c1:20-25 reaches beyond the contig, which has 24 bases");
    ck_error(try_read(intervals("c2\t1\t4\nchrc1\t2\t5\n", 0, SN_CENTER_MID)), SEQNET_EDATA,
             "i.bed:2 (its contigs: c2, chrc1): contig 'chrc1' is not in");
    ck_assert_ptr_nonnull(strstr(sn_error_text(), "which has: c1, c2; the two differ by the prefix 'chr'"));
    ck_error(try_read(intervals("c1\t23\t24\n", 0, SN_CENTER_MID)), SEQNET_EDATA, "i.bed:1: the window of 'c1:24-24' holds nothing but N");
    struct sn_dataset_options o = intervals("c1\t1\t4\n", 0, SN_CENTER_MID);
    o.need_labels = true;
    ck_error(try_read(o), SEQNET_EDATA, "BED has no labels");
    o.need_labels = false;
    o.reference = NULL;
    ck_error(try_read(o), SEQNET_EINVAL, "a reference FASTA (-f) is needed");
    o.reference = temp_path("g.fa");
    o.alphabet = sn_alphabet_find("protein");
    ck_error(try_read(o), SEQNET_ENOTSUP, "protein");
}
END_TEST

START_TEST(table_of_intervals) {
    struct sn_dataset_options o = table("strand\tchrom\tstart\tend\tname\ty\n-\tc1\t0\t4\tfirst\t2.5\n.\tc2\t4\t8\t\t3\n", NULL, NULL);
    o.reference = temp_text("g.fa", genome);
    o.window = 6;
    struct sn_dataset *d = must_read(o);
    ck_row(d, 0, "TACGT-");
    ck_row(d, 1, "tAAAAC");
    ck_assert_str_eq(d->names[0], "first");
    ck_assert_str_eq(d->names[1], "c2:4-9");
    ck_assert(d->kind == SN_TASK_NUMBER && d->targets[0] == 2.5f && d->targets[1] == 3);
    sn_dataset_free(d);
    o = table("sequence\tchrom\tstart\tend\ty\nACG\tz\t5\t8\t0\nAC\tw\t1\t3\t1\n", NULL, NULL); /* no reference needed */
    d = must_read(o);
    ck_assert(d->at[0].start == 5 && d->at[1].end == 3 && strcmp(d->chroms[d->at[1].chrom], "w") == 0);
    sn_dataset_free(d);
}
END_TEST

START_TEST(filled_by_hand) {
    struct sn_dataset *d;
    ck_assert_int_eq(sn_dataset_create(sn_alphabet_find("dna"), &d), 0);
    d->kind = SN_TASK_NUMBER;
    d->n_tasks = 2;
    const uint8_t codes[] = {1, 2, 15, 8};
    const float y[] = {1.5f, -2};
    struct sn_interval at = {sn_dataset_chrom(d, "x"), 1, 5, 9};
    for (int i = 0; i < 3000; i++)
        ck_assert_int_eq(sn_dataset_add(d, i % 2 ? "odd" : NULL, codes, i % 5, i > 1 ? &at : NULL, i % 3 ? y : NULL), 0);
    ck_assert_int_eq((int)d->n, 3000);
    ck_assert(d->at[0].chrom == -1 && d->at[2].chrom == 0 && d->at[2].end == 9);
    ck_assert(isnan(d->targets[0]) && d->targets[2] == 1.5f && d->targets[3] == -2);
    ck_assert_str_eq(d->names[2], "seq3");
    ck_assert_int_eq((int)d->ambiguous, 1200);
    ck_assert_int_eq(sn_dataset_chrom(d, "y"), 1);
    ck_assert_int_eq(sn_dataset_chrom(d, "x"), 0);
    uint32_t before = sn_dataset_digest(d);
    d->targets[2] += 1;
    ck_assert_uint_ne(before, sn_dataset_digest(d));
    d->targets[2] -= 1;
    ck_assert_uint_eq(before, sn_dataset_digest(d));
    d->codes[9] ^= 1;
    ck_assert_uint_ne(before, sn_dataset_digest(d));
    sn_dataset_free(d);
}
END_TEST

int main(void) {
    Suite *s = suite_create("dataset");
    TCase *c = tcase_create("dataset");
    tcase_add_checked_fixture(c, tempdir_make, tempdir_remove);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, table_binary);
    tcase_add_test(c, table_tasks);
    tcase_add_test(c, table_classes);
    tcase_add_test(c, table_without_labels);
    tcase_add_test(c, table_refused);
    tcase_add_test(c, too_many_classes);
    tcase_add_test(c, positives_and_negatives);
    tcase_add_test(c, windows);
    tcase_add_test(c, windows_refused);
    tcase_add_test(c, table_of_intervals);
    tcase_add_test(c, filled_by_hand);
    suite_add_tcase(s, c);
    return unit_run(s);
}
