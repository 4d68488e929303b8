/* Comparison and scanning against the tables of motif_tools.py, through the public interface. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "seqnet/seqnet.h"

#define ck_ok(call) ck_assert_msg((call) >= 0, "%s", seqnet_errmsg())

static const char *in_folder(const char *variable, const char *name) {
    static char path[2][1024];
    static int next;
    const char *folder = getenv(variable);
    ck_assert_ptr_nonnull(folder);
    next = !next;
    snprintf(path[next], sizeof path[0], "%s/%s", folder, name);
    return path[next];
}

static FILE *open_table(const char *path) {
    char line[1024];
    FILE *f = fopen(path, "r");
    ck_assert_msg(f && fgets(line, sizeof line, f), "%s", path);
    return f;
}

static seqnet_motifs *read_subset(seqnet_ctx *ctx) {
    seqnet_motifs *m;
    ck_ok(seqnet_motifs_read(ctx, in_folder("SEQNET_DATA", "motifs/JASPAR2024_subset.meme"), &m));
    ck_assert_int_eq(seqnet_motifs_count(m), 41);
    return m;
}

/* Matches of the first 8 queries by query and target. */
static int put_match(void *self, const seqnet_match *m) {
    seqnet_match *all = self;
    if (m->query < 8) all[m->query * 41 + m->target] = *m;
    return 0;
}

START_TEST(comparison) {
    static const char *const distance[] = {"euclidean", "pearson"};
    static const int overlap[] = {1, 5};
    static seqnet_match match[2][8 * 41];
    seqnet_ctx *ctx;
    ck_ok(seqnet_ctx_create(NULL, &ctx));
    seqnet_motifs *m = read_subset(ctx);
    for (int k = 0; k < 2; k++) {
        seqnet_match_options o;
        seqnet_match_defaults(&o);
        o.distance = distance[k];
        o.min_overlap = overlap[k];
        ck_ok(seqnet_motifs_match(ctx, m, m, &o, put_match, match[k]));
    }
    FILE *f = open_table(in_folder("SEQNET_GOLDENS", "tomtom.tsv"));
    char word[16];
    int least, q, t, offset, over, reverse, score, rows = 0;
    double p;
    while (fscanf(f, "%15s %d %d %d %d %d %d %d %lf", word, &least, &q, &t, &offset, &over, &reverse, &score, &p) == 9) {
        const seqnet_match *x = &match[word[0] == 'p'][q * 41 + t];
        ck_assert_msg(fabs(x->p - p) <= 1e-9 * p, "%s, query %d, target %d: p %.12g, expected %.12g", word, q, t, x->p, p);
        /* of equal strands either may be told */
        if (p < 1) ck_assert_msg(x->score == score && x->overlap == over, "%s, query %d, target %d: another alignment", word, q, t);
        if (p < 0.01) ck_assert_int_eq(x->offset, -offset);
        if (p < 0.01 && x->p != 0) ck_assert(x->reverse == reverse || q == t);
        ck_assert_double_eq_tol(x->e, 41 * x->p, 1e-9);
        rows++;
    }
    fclose(f);
    ck_assert_int_eq(rows, 12 * 41);
    seqnet_motifs_free(&m);
    seqnet_ctx_free(&ctx);
}
END_TEST

static int by_text(const void *a, const void *b) {
    return strcmp(a, b);
}

START_TEST(scan) {
    char out[] = "/tmp/seqnet-golden-XXXXXX", line[1024], word[64], id[64], alt[64], name[64], strand[2];
    static char want[2000][256], got[2000][256];
    double score, p, q;
    int n = 0, k = 0, units;
    long long start, stop;
    seqnet_ctx *ctx;
    seqnet_sites_options o;
    seqnet_sites_result r = {.size = sizeof r};
    ck_assert_int_ge(mkstemp(out), 0);
    ck_ok(seqnet_ctx_create(NULL, &ctx));
    seqnet_motifs *m = read_subset(ctx);
    seqnet_sites_defaults(&o);
    o.threshold = 1e-5;
    ck_ok(seqnet_motifs_scan_write(ctx, m, in_folder("SEQNET_DATA", "minigenome_chr22/mini.fa.gz"), &o, out, &r));
    FILE *f = open_table(in_folder("SEQNET_GOLDENS", "fimo.tsv"));
    while (n < 2000 && fscanf(f, "%63s %63s %lld %1s %d %lf %lf", id, name, &start, strand, &units, &p, &q) == 7)
        snprintf(want[n++], sizeof want[0], "%s %s %lld %s %.1f %.8e %.8e", id, name, start, strand, units * .1, p, q);
    fclose(f);
    f = open_table(out);
    while (k < 2000 && fgets(line, sizeof line, f)) {
        ck_assert_int_eq(
            sscanf(line, "%63s %63s %63s %lld %lld %1s %lf %lf %lf %63s", id, alt, name, &start, &stop, strand, &score, &p, &q, word), 10);
        ck_assert_int_eq((int)strlen(word), stop - start + 1);
        snprintf(got[k++], sizeof got[0], "%s %s %lld %s %.1f %.8e %.8e", id, name, start - 1, strand, score, p, q);
    }
    fclose(f);
    unlink(out);
    ck_assert_int_eq(n, k);
    ck_assert_int_eq(r.sites, n);
    ck_assert_int_gt(n, 300);
    ck_assert(r.sequences == 2 && r.bases == 505000);
    qsort(want, (size_t)n, sizeof want[0], by_text);
    qsort(got, (size_t)n, sizeof got[0], by_text);
    for (int i = 0; i < n; i++) ck_assert_str_eq(got[i], want[i]);
    seqnet_motifs_free(&m);
    seqnet_ctx_free(&ctx);
}
END_TEST

int main(void) {
    Suite *s = suite_create("motif_goldens");
    TCase *t = tcase_create("motif_goldens");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, comparison);
    tcase_add_test(t, scan);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
