/* Motifs: information, consensus, likeness; MEME files written and read back, what other tools write, and what is refused; logos whose
 * letters have the right heights. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/mem.h"
#include "core/rng.h"
#include "motif/database.h"
#include "motif/meme.h"
#include "report/glyphs.h"
#include "report/logo.h"
#include "tempfile.h"
#include "unit.h"

#define ck_ok(call) ck_assert_msg((call) >= 0, "%s", sn_error_text())

/* ---- matrices ---- */

START_TEST(information) {
    struct sn_motif_set s;
    static const double p[8] = {.7, .1, .1, .1, 1, 0, 0, 0}, other[4] = {.3, .2, .2, .3};
    double bits[2];
    ck_ok(sn_motif_set_init(&s, "ACGT"));
    ck_ok(sn_motif_add(&s, "m", NULL, 2, p, 10));
    double sum = sn_motif_information(&s, &s.m[0], bits);
    ck_assert_double_eq_tol(bits[0], 2 + .7 * log2(.7) + .3 * log2(.1), 1e-12);
    ck_assert_double_eq_tol(bits[1], 2, 1e-12);
    ck_assert_double_eq_tol(sum, bits[0] + bits[1], 1e-12);
    memcpy(s.background, other, sizeof other);
    sn_motif_information(&s, &s.m[0], bits);
    ck_assert_double_eq_tol(bits[0], .7 * log2(.7 / .3) + .2 * log2(.5) + .1 * log2(.1 / .3), 1e-12);
    sn_motif_set_free(&s);
    ck_error(sn_motif_set_init(&s, "ACGA"), SEQNET_EINVAL, "twice");
    ck_error(sn_motif_set_init(&s, ""), SEQNET_EINVAL, "letters");
}
END_TEST

START_TEST(counts_and_consensus) {
    struct sn_motif_set s;
    static const int64_t counts[12] = {9, 0, 0, 0, 1, 1, 4, 3, 2, 2, 2, 3};
    char consensus[4];
    ck_ok(sn_motif_set_init(&s, "ACGT"));
    ck_ok(sn_motif_add_counts(&s, "m", "alt", 3, counts, 1, 9));
    ck_assert_double_eq_tol(s.m[0].p[0], 9.25 / 10, 1e-12);
    ck_assert_double_eq_tol(s.m[0].p[1], .25 / 10, 1e-12);
    ck_assert_double_eq_tol(s.m[0].p[6], 4.25 / 10, 1e-12);
    sn_motif_consensus(&s, &s.m[0], consensus);
    ck_assert_str_eq(consensus, "Ag.");
    ck_error(sn_motif_add(&s, "x", NULL, 0, s.m[0].p, 1), SEQNET_EINVAL, "row");
    sn_motif_set_free(&s);
}
END_TEST

static void letters_to_rows(const char *s, double *p) {
    for (int i = 0; s[i]; i++)
        for (int c = 0; c < 4; c++) p[i * 4 + c] = s[i] == '.' ? .25 : s[i] == "ACGT"[c] ? .91 : .03;
}

static void match(const char *a, const char *b, struct sn_motif_match *m, int overlap) {
    double pa[80], pb[80];
    letters_to_rows(a, pa);
    letters_to_rows(b, pb);
    struct sn_motif x = {.width = (int)strlen(a), .p = pa}, y = {.width = (int)strlen(b), .p = pb};
    sn_motif_compare(&x, &y, 4, true, overlap, m);
}

START_TEST(likeness) {
    struct sn_motif_match m;
    match("GATTACA", "GATTACA", &m, 6);
    ck_assert(fabs(m.correlation - 1) < 1e-12 && m.offset == 0 && m.overlap == 7 && !m.reverse);
    match("GATTACA", "TGTAATC", &m, 6);
    ck_assert(fabs(m.correlation - 1) < 1e-12 && m.offset == 0 && m.reverse);
    match("GATTACA", "CCCGATTACAGG", &m, 6); /* inside the longer one */
    ck_assert(fabs(m.correlation - 1) < 1e-12 && m.offset == 3 && m.overlap == 7 && !m.reverse);
    match("GATTACACC", "TTACACCTG", &m, 6); /* hanging over */
    ck_assert(fabs(m.correlation - 1) < 1e-12 && m.offset == -2 && m.overlap == 7);
    match("CCGATTACA", "TGTAATC", &m, 6); /* the reverse complement, hanging over */
    ck_assert(fabs(m.correlation - 1) < 1e-12 && m.offset == -2 && m.reverse);
    match("AAAAAA", "CCCCCC", &m, 6);
    ck_assert_double_lt(m.correlation, 0);
    match("......", "CCCCCC", &m, 6); /* no direction */
    ck_assert_double_eq(m.correlation, 0);
    match("ACG", "TTACGTTT", &m, 6); /* shorter than the least overlap */
    ck_assert(fabs(m.correlation - 1) < 1e-12 && m.overlap == 3);
}
END_TEST

START_TEST(best_of_many) {
    struct sn_motif_set s, db;
    struct sn_motif_match m;
    double p[80];
    ck_ok(sn_motif_set_init(&s, "ACGT"));
    ck_ok(sn_motif_set_init(&db, "ACGT"));
    letters_to_rows("GATTACA", p);
    ck_ok(sn_motif_add(&s, "q", NULL, 7, p, 1));
    ck_assert_int_eq(sn_motif_best(&s, &s.m[0], &db, 6, &m), -1);
    static const char *const names[] = {"CCCCCCC", "GATTCCA", "TGTAATC", "GATTACA"};
    for (int i = 0; i < 4; i++) {
        letters_to_rows(names[i], p);
        ck_ok(sn_motif_add(&db, names[i], NULL, 7, p, 1));
    }
    ck_assert_int_eq(sn_motif_best(&s, &s.m[0], &db, 6, &m), 2); /* the first of equals */
    strcpy(db.letter, "ACGU");
    ck_assert_int_eq(sn_motif_best(&s, &s.m[0], &db, 6, &m), -1);
    sn_motif_set_free(&s);
    sn_motif_set_free(&db);
}
END_TEST

/* ---- MEME ---- */

static const char *save_set(const struct sn_motif_set *s, const char *name) {
    const char *path = temp_path(name);
    struct sn_outfile *f;
    ck_ok(sn_outfile_open(path, &f));
    ck_ok(sn_meme_write(s, f));
    ck_ok(sn_outfile_commit(f));
    return path;
}

START_TEST(round_trip) {
    static const char *const alphabets[] = {"ACGT", "ACGU", "ACDEFGHIKLMNPQRSTVWY"};
    for (int k = 0; k < 3; k++) {
        struct sn_motif_set s, back;
        struct sn_stream r;
        sn_stream_init(&r, 1, (uint64_t)k, 0);
        ck_ok(sn_motif_set_init(&s, alphabets[k]));
        for (int i = 0; i < 20; i++) {
            double p[30 * 20];
            int width = 1 + (int)sn_stream_below(&r, 30);
            for (int j = 0; j < width; j++) {
                double sum = 0;
                for (int c = 0; c < s.letters; c++) sum += p[j * s.letters + c] = sn_stream_unit(&r) * sn_stream_unit(&r);
                for (int c = 0; c < s.letters; c++) p[j * s.letters + c] /= sum;
            }
            char id[16];
            snprintf(id, sizeof id, "m %d", i);
            ck_ok(sn_motif_add(&s, id, i % 2 ? "an alt" : NULL, width, p, i * 10));
        }
        ck_ok(sn_motifs_read(save_set(&s, "a.meme"), &back));
        ck_assert_str_eq(back.letter, alphabets[k]);
        ck_assert_int_eq(back.n, 20);
        for (int i = 0; i < 20; i++) {
            const struct sn_motif *a = &s.m[i], *b = &back.m[i];
            ck_assert(a->width == b->width && a->nsites == b->nsites && b->id[1] == '_');
            ck_assert(i % 2 ? strcmp(b->alt, "an_alt") == 0 : b->alt == NULL);
            for (int j = 0; j < a->width * s.letters; j++) ck_assert_double_eq_tol(a->p[j], b->p[j], 2e-5);
        }
        sn_motif_set_free(&s);
        sn_motif_set_free(&back);
    }
}
END_TEST

/* What readers stumble over: a space after '=', rows that sum to 1 as written, a line that is no matrix after every matrix. */
START_TEST(written_as_others_read) {
    struct sn_motif_set s;
    static const double p[8] = {1. / 3, 1. / 3, 1. / 3, 0, 1. / 7, 2. / 7, 2. / 7, 2. / 7};
    char *text;
    size_t n;
    ck_ok(sn_motif_set_init(&s, "ACGT"));
    ck_ok(sn_motif_add(&s, "one", NULL, 2, p, 12));
    ck_ok(sn_motif_add(&s, "two", "T2", 1, p, 3));
    ck_ok(sn_read_file(save_set(&s, "a.meme"), 1 << 20, &text, &n));
    ck_assert_str_eq(
        text,
        "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\nBackground letter frequencies\nA 0.250000 C 0.250000 G 0.250000 T 0.250000\n"
        "\nMOTIF one\nletter-probability matrix: alength= 4 w= 2 nsites= 12 E= 0\n 0.333334 0.333333 0.333333 0.000000\n"
        " 0.142857 0.285715 0.285714 0.285714\n\n\nMOTIF two T2\nletter-probability matrix: alength= 4 w= 1 nsites= 3 E= 0\n"
        " 0.333334 0.333333 0.333333 0.000000\n\n");
    free(text);
    sn_motif_set_free(&s);
}
END_TEST

START_TEST(foreign_files) {
    struct sn_motif_set s;
    /* CRLF, no alphabet, strands or background, keys partly missing or without space, log-odds, URL lines, no newline at the end */
    ck_ok(sn_motifs_read(
        temp_text("a.meme",
                  "MEME version 5.4.1 (Release)\r\n\r\nMOTIF a\r\nlog-odds matrix: alength= 4 w= 2\r\n 1 2 -3 4\r\n 1 2 3 -400\r\n"
                  "letter-probability matrix: alength=4 w=2 nsites=7 E= 1.2e-005\r\n0.1 0.2 0.3 0.4\r\n.25\t.25 .25 .25\r\nURL http://x\r\n"
                  "MOTIF b b2 more\r\nletter-probability matrix:\r\n 1 0 0 0\r\n 0 1.0 0 0\r\n 1e-3 0.999 0 0"),
        &s));
    ck_assert(s.n == 2 && s.m[0].width == 2 && s.m[1].width == 3);
    ck_assert(s.m[0].nsites == 7 && s.m[1].nsites == 0);
    ck_assert_str_eq(s.m[1].alt, "b2");
    ck_assert_double_eq_tol(s.m[0].p[3], .4, 1e-12);
    ck_assert_double_eq_tol(s.m[1].p[9], .999, 1e-12);
    sn_motif_set_free(&s);
    ck_ok(sn_motifs_read(
        temp_text("b.meme",
                  "MEME version 4\nALPHABET \"DNA\" DNA-LIKE\nT \"Thymine\" 008000 ~ A \"Adenine\" CC0000\nC ~ G\nN = ACGT\nEND ALPHABET\n"
                  "Background letter frequencies (from x):\nA 0.3 C 0.2\nG 0.2 T 0.3\nMOTIF a\nletter-probability matrix: w= 1\n1 0 0 0\n"
                  "MEME version 4\nALPHABET= ACGT\nMOTIF b\nletter-probability matrix: w= 1\n0 0 0 1\n"),
        &s));
    ck_assert_str_eq(s.letter, "ACGT");
    ck_assert_double_eq_tol(s.background[3], .3, 1e-12);
    ck_assert_int_eq(s.n, 2);
    sn_motif_set_free(&s);
}
END_TEST

/* No header line at all, comments, RNA, a byte order mark, and what MEME itself prints around its matrices. */
START_TEST(more_foreign_files) {
    static const char *const bodies[] = {
        "MOTIF a\nletter-probability matrix: alength= 4 w= 2 nsites= 7\n 0.1 0.2 0.3 0.4\n 1 0 0 0\n",
        "# made by hand\n\nMOTIF a\nletter-probability matrix:\n0.1 0.2 0.3 0.4\n1 0 0 0\n\nURL x\n",
        "\xef\xbb\xbfMEME version 4\nMOTIF a\nletter-probability matrix: w= 2\n0.1 0.2 0.3 0.4\n1 0 0 0\n",
        "********\nMEME - Motif discovery tool\n********\nMEME version 5.5.5 (Release date)\n\n********\nTRAINING SET\n********\n"
        "ALPHABET= ACGT\nSequence name  Weight Length\n\nLetter frequencies in dataset:\nA 0.2 C 0.3 G 0.3 T 0.2\n"
        "Background letter frequencies (from file dataset with add-one prior applied):\nA 0.2 C 0.3 G 0.3 T 0.2\n"
        "MOTIF a MEME-1 width = 2 sites = 7 llr = 1 E-value = 1e-5\n\tMotif a MEME-1 Description\nbits 2.1\n"
        "\tMotif a MEME-1 position-specific scoring matrix\nlog-odds matrix: alength= 4 w= 2 n= 9 bayes= 1 E= 1e-5\n -10 20 3 4\n"
        " 1 2 3 4\n\tMotif a MEME-1 position-specific probability matrix\n"
        "letter-probability matrix: alength= 4 w= 2 nsites= 7 E= 1.0e-005\n 0.1 0.2 0.3 0.4 \n 1.0 0.0 0.0 0.0 \n\nTime 1 secs.\n",
        "MOTIF a\nlog-odds matrix: alength= 4 w= 1\n1 2 3 4\nMOTIF b\nletter-probability matrix:\n0.1 0.2 0.3 0.4\n1 0 0 0\n",
        "MOTIF a\nletter-probability matrix: w= 2\n0.101 0.2 0.301 0.398\n0.99 0 0 0\n", /* rounded by others: made to sum to 1 */
    };
    struct sn_motif_set s;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        ck_assert_msg(sn_motifs_read(temp_text("a.meme", bodies[i]), &s) == 0, "%zu: %s", i, sn_error_text());
        ck_assert_str_eq(s.letter, "ACGT");
        ck_assert(s.n == 1 && s.m[0].width == 2 && s.m[0].p[4] == 1 && s.m[0].p[5] == 0);
        ck_assert_double_eq_tol(s.m[0].p[0] + s.m[0].p[1] + s.m[0].p[2] + s.m[0].p[3], 1, 1e-15);
        ck_assert_double_eq_tol(s.m[0].p[1], .2, 1e-12);
        sn_motif_set_free(&s);
    }
    ck_ok(sn_motifs_read(
        temp_text("a.meme",
                  "MEME version 4\nALPHABET \"RNA\" RNA-LIKE\nA \"Adenine\" CC0000\nC\nG\nU \"Uracil\" 008000\nN \"Any\" = ACGU\n. = "
                  "ACGU\nT = U\nEND ALPHABET\nstrands: +\nMOTIF a\nletter-probability matrix:\n0 0 0 1\n"),
        &s));
    ck_assert_str_eq(s.letter, "ACGU");
    sn_motif_set_free(&s);
    /* names of any length */
    char text[2000] = "MOTIF ";
    memset(text + 6, 'x', 900);
    strcpy(text + 906, "\nletter-probability matrix:\n0 0 0 1\n");
    ck_ok(sn_motifs_read(temp_text("a.meme", text), &s));
    ck_assert_uint_eq(strlen(s.m[0].id), 900);
    sn_motif_set_free(&s);
}
END_TEST

START_TEST(jaspar_files) {
    static const char *const good[] = {
        ">MA0001.1\tname\nA [ 3 0 1 ]\nC [1 0 0 ]\nG  [ 0 5 2 ]\nT  [0 0 1]\n>x\n1\n0\n0\n0\n",
        ">MA0001.1 name more\r\n3 0 1\r\n1\t0 0\r\n0 5 2\r\n0 0 1\r\n\r\n>x\r\n1.5\r\n0\r\n0\r\n0",
        "\n>MA0001.1 name\nA| 3 0 1\nC| 1 0 0\nG| 0 5 2\nU| 0 0 1\n>x\nA 2\nC 0\nG 0\nT 0\n",
    };
    static const struct {
        const char *text, *message;
    } bad[] = {
        {">\n1\n0\n0\n0\n", "r.pfm:1: expected an identifier"},
        {">a\n1 2\n0 0\n0\n0 0\n", "r.pfm:4: expected four rows of equally many"},
        {">a\n1 2\n0 0\n", "r.pfm:3: expected four rows of counts"},
        {">a\n1 2\n0 x\n", "r.pfm:3: expected counts, got 'x'"},
        {">a\n1 2\n0 -1\n", "r.pfm:3: expected counts"},
        {">a\n1 0\n1 0\n1 0\n1 0\n", "r.pfm:5: motif 'a': column 2 has no counts"},
        {">a\nA 1\nG 1\nC 1\nT 1\n", "r.pfm:3: expected the rows in the order"},
        {">a\n1\n1\n1\n1\nb\n", "r.pfm:6: expected a line '>ID NAME'"},
        {">a\nACGT\n", "r.pfm:2: expected counts"},
    };
    struct sn_motif_set s;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(sn_motifs_read(temp_text("a.pfm", good[i]), &s) == 0, "%zu: %s", i, sn_error_text());
        ck_assert(s.n == 2 && s.m[0].width == 3 && s.m[1].width == 1 && s.m[0].nsites == 5 && s.m[1].p[0] == 1);
        ck_assert_str_eq(s.m[0].id, "MA0001.1");
        ck_assert_str_eq(s.m[0].alt, "name");
        ck_assert(s.m[1].alt == NULL && s.m[0].p[0] == .75 && s.m[0].p[6] == 1 && s.m[0].p[10] == .5);
        sn_motif_set_free(&s);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_error(sn_motifs_read(temp_text("r.pfm", bad[i].text), &s), SEQNET_EFORMAT, bad[i].message);
}
END_TEST

START_TEST(installed_databases) {
    struct sn_motif_set s, all;
    ck_ok(sn_motifs_read("jaspar", &s));
    ck_ok(sn_motifs_read("jaspar-all", &all));
    ck_assert(s.n == 879 && all.n == 2346);
    int at = 0;
    for (int i = 0; i < s.n; i++) { /* a part of it, in its order */
        while (at < all.n && strcmp(all.m[at].id, s.m[i].id) != 0) at++;
        ck_assert_msg(at < all.n, "%s", s.m[i].id);
        ck_assert_str_eq(all.m[at].alt, s.m[i].alt);
        ck_assert_int_eq(memcmp(all.m[at].p, s.m[i].p, (size_t)s.m[i].width * 4 * sizeof(double)), 0);
    }
    sn_motif_set_free(&s);
    sn_motif_set_free(&all);
    ck_error(sn_motifs_read("jasper", &s), SEQNET_EIO, "nearest: jaspar; installed: ");
    ck_error(sn_motifs_read("", &s), SEQNET_EINVAL, "empty");
    ck_error(sn_motifs_read("/", &s), SEQNET_EIO, "folder");
    /* gzip that breaks off */
    char *text;
    size_t n;
    char path[1024];
    snprintf(path, sizeof path, "%s/jaspar.meme.gz", getenv("SEQNET_MOTIFS"));
    ck_ok(sn_read_file(path, 1 << 24, &text, &n));
    ck_error(sn_motifs_read(temp_write("a.gz", text, n / 2), &s), SEQNET_EFORMAT, "truncated gzip");
    free(text);
}
END_TEST

#define HEAD "MEME version 4\nALPHABET= ACGT\n"
START_TEST(refused_files) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "found none"},
        {"hello\nworld\n", "r.meme:1: expected a motif file"},
        {HEAD, "found none"},
        {HEAD "MOTIF\n", "r.meme:3: expected a name"},
        {HEAD "letter-probability matrix: w= 1\n1 0 0 0\n", "r.meme:3: expected a MOTIF line"},
        {HEAD "MOTIF a\nletter-probability matrix: alength= 5 w= 1\n", "r.meme:4: motif 'a': expected alength= 4"},
        {HEAD "MOTIF a\nletter-probability matrix: w= x\n", "r.meme:4: expected a number behind the key"},
        {HEAD "MOTIF a\nletter-probability matrix: w= 2\n1 0 0 0\n\n", "r.meme:6: motif 'a': expected 2 rows, got 1"},
        {HEAD "MOTIF a\nletter-probability matrix: w= 1\n1 0 0 0\n1 0 0 0\n", "r.meme:6: motif 'a': expected 1 rows, got more"},
        {HEAD "MOTIF a\nMOTIF b\nletter-probability matrix: w= 1\n1 0 0 0\n", "r.meme:3: motif 'a': expected a letter-probability matrix"},
        {HEAD "MOTIF a\nletter-probability matrix: w= 1\n1 0 0 0\nMOTIF b\n", "r.meme:6: motif 'b': expected a letter-probability matrix"},
        {HEAD "MOTIF a\nletter-probability matrix: w= 1\n12 0 3 5\n", "r.meme:5: expected as many probabilities"},
        {HEAD "MOTIF a\nletter-probability matrix: w= 1\n1 0 0\n", "r.meme:5: expected as many probabilities"},
        {HEAD "MOTIF a\nletter-probability matrix: w= 1\n1 0 0 0 0\n", "r.meme:5: expected as many probabilities"},
        {HEAD "MOTIF a\nletter-probability matrix: w= 1\n1 0 0 nan\n", "r.meme:5: expected as many probabilities"},
        {HEAD "MOTIF a\nletter-probability matrix: w= 1\n.5 .3 0 0\n", "r.meme:5: expected probabilities that sum to 1"},
        {HEAD "MOTIF a\nletter-probability matrix: w= 99999999\n", "expected w= up to"},
        {HEAD "MOTIF a\nletter-probability matrix:\nURL x\n", "expected rows of probabilities"},
        {HEAD "Background letter frequencies\nA 0.5 C 0.5 G x\n", "r.meme:4: expected letters"},
        {HEAD "Background letter frequencies\nA 0.5\n", "r.meme:4: expected background frequencies"},
        {"MEME version 4\nALPHABET= ACCT\n", "r.meme:2"},
        {"MEME version 4\nALPHABET \"x\"\nA\n", "END ALPHABET"},
        {HEAD "MOTIF a\nletter-probability matrix: w= 1\n1 0 0 0\nALPHABET= ACGU\n", "r.meme:6: expected one alphabet"},
    };
    struct sn_motif_set s;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_error(sn_motifs_read(temp_text("r.meme", cases[i].text), &s), SEQNET_EFORMAT, cases[i].message);
        ck_assert(s.n == 0 && s.m == NULL);
    }
    ck_error(sn_motifs_read(temp_write("r.meme", "\x1f\x8b\0\0", 4), &s), SEQNET_EFORMAT, "damaged or truncated gzip data");
    ck_error(sn_motifs_read(temp_write("r.meme", "BZh9\0\0", 6), &s), SEQNET_EFORMAT, "compressed");
    ck_error(sn_motifs_read(temp_path("none"), &s), SEQNET_EIO, "none");
    /* cut at every byte: an error or fewer motifs, never more */
    static const char full[] =
        HEAD "strands: + -\n\nBackground letter frequencies\nA .25 C .25 G .25 T .25\nMOTIF a\nletter-probability matrix: w= 2\n"
             " .25 .25 .25 .25\n 1 0 0 0\n";
    for (size_t n = 0; n < sizeof full; n++) {
        int rc = sn_motifs_read(temp_write("r.meme", full, n), &s);
        ck_assert(rc == SEQNET_EFORMAT || (rc == 0 && s.n == 1));
        sn_motif_set_free(&s);
    }
}
END_TEST

/* ---- logos ---- */

static char *draw(const struct sn_logo *l) {
    const char *path = temp_path("l.svg");
    struct sn_outfile *f;
    char *text;
    size_t n;
    ck_ok(sn_outfile_open(path, &f));
    ck_ok(sn_logo_write(l, f));
    ck_ok(sn_outfile_commit(f));
    ck_ok(sn_read_file(path, 1 << 24, &text, &n));
    return text;
}

/* Letters as drawn: which, scale in y, lower end. */
struct drawn {
    char letter;
    double x, scale, y;
};
static int parse(const char *svg, struct drawn *v) {
    int n = 0;
    for (const char *s = svg; (s = strstr(s, "<use ")) != NULL; s++) {
        double sx;
        ck_assert_int_eq(sscanf(s, "<use xlink:href=\"#%c\" transform=\"matrix(%lf 0 0 %lf %lf %lf)\"", &v[n].letter, &sx, &v[n].scale,
                                &v[n].x, &v[n].y),
                         5);
        n++;
    }
    return n;
}

START_TEST(letter_heights) {
    static const float h[12] = {.5f, 0, 1.0f, 0, -.25f, 0, 0, -1.0f, 0, NAN, 0, 2.0f};
    struct sn_logo l = {.title = "a <b> & c", .y_label = "bits", .letters = "ACGT", .n_letters = 4, .length = 3, .height = h};
    char *svg = draw(&l);
    struct drawn v[16];
    ck_assert_int_eq(parse(svg, v), 5);
    /* the small one below the tall one, hanging ones flipped with their foot at the axis; heights in proportion */
    double unit = v[0].scale / .5;
    ck_assert(v[0].letter == 'A' && v[1].letter == 'G' && v[2].letter == 'A' && v[3].letter == 'T' && v[4].letter == 'T');
    ck_assert_double_eq_tol(v[1].scale, unit, 1e-3 * unit);
    ck_assert_double_eq_tol(v[2].scale, -.25 * unit, 1e-3 * unit);
    ck_assert_double_eq_tol(v[3].scale, -unit, 1e-3 * unit);
    ck_assert_double_eq_tol(v[4].scale, 2 * unit, 1e-3 * unit);
    double axis = v[0].y + 100 * v[0].scale;
    ck_assert_double_eq_tol(v[1].y + 100 * v[1].scale, v[0].y, 0.2);
    ck_assert_double_eq_tol(v[2].y + 100 * v[2].scale, axis, 0.2);
    ck_assert_double_eq_tol(v[4].y + 100 * v[4].scale, axis, 0.2);
    ck_assert_double_eq_tol(v[3].y + 100 * v[3].scale, v[2].y, 0.2); /* the taller one hangs below */
    ck_assert(v[0].x == v[1].x && v[2].x > v[1].x && v[4].x > v[3].x);
    ck_assert_ptr_nonnull(strstr(svg, "<title>a &lt;b&gt; &amp; c</title>"));
    ck_assert_ptr_null(strstr(svg, "<text"));
    ck_assert_ptr_null(strstr(svg, "nan"));
    ck_assert_str_eq(svg + strlen(svg) - 7, "</svg>\n");
    free(svg);
}
END_TEST

START_TEST(long_logos_break) {
    static float h[1000 * 4];
    static struct drawn v[1000];
    for (int i = 0; i < 1000; i++) h[i * 4 + i % 4] = 1;
    struct sn_logo l = {.letters = "ACGU", .n_letters = 4, .length = 1000, .height = h};
    char *svg = draw(&l);
    ck_assert_int_eq(parse(svg, v), 1000);
    int rows = 1;
    for (int i = 1; i < 1000; i++) {
        ck_assert(v[i].letter == "ACGU"[i % 4]);
        rows += v[i].x < v[i - 1].x;
    }
    ck_assert_int_eq(rows, 9);
    free(svg);
    l.length = 0;
    struct sn_outfile *f;
    ck_ok(sn_outfile_open(temp_path("x"), &f));
    ck_error(sn_logo_write(&l, f), SEQNET_EINVAL, "positions");
    sn_outfile_abort(f);
}
END_TEST

START_TEST(glyphs) {
    double w, box;
    const char *missing = sn_glyph_stroke('\x01', &box);
    for (const char *s = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,:;-+_()[]/=<>|*#%!?'\"~"; *s; s++) {
        ck_assert_ptr_ne(sn_glyph_stroke(*s, &w), missing);
        ck_assert(w > 0 && w < 10);
    }
    for (const char *s = "ACGTUN"; *s; s++) ck_assert_ptr_nonnull(sn_glyph_logo(*s));
    ck_assert_double_eq(sn_glyph_text_width(""), 0);
    ck_assert_double_eq_tol(sn_glyph_text_width("AA"), 2 * sn_glyph_text_width("A") + SN_GLYPH_GAP, 1e-9);
    /* a path is commands and numbers, each command with as many numbers as it takes: a missing blank would change the picture silently */
    for (int c = 32; c < 127; c++) {
        static const char commands[] = "MLHVCSAZ";
        static const int arguments[] = {2, 2, 1, 1, 6, 4, 7, 0};
        for (const char *s = sn_glyph_stroke((char)c, &w); *s;) {
            const char *at = strchr(commands, *s++);
            int n = 0;
            ck_assert_msg(at != NULL, "%c: unknown command", c);
            while (*s && !isupper((unsigned char)*s)) {
                /* SVG's number: a sign or a second point begins the next one */
                s += strspn(s, " ,");
                if (*s == '-') s++;
                s += strspn(s, "0123456789");
                if (*s == '.') s++;
                s += strspn(s, "0123456789");
                s += strspn(s, " ,");
                n++;
            }
            int want = arguments[at - commands];
            ck_assert_msg(want ? n > 0 && n % want == 0 : n == 0, "'%c': %c takes %d numbers, got %d", c, *at, want, n);
        }
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("motif");
    TCase *t = tcase_create("motif");
    tcase_add_checked_fixture(t, tempdir_make, tempdir_remove);
    tcase_add_test(t, information);
    tcase_add_test(t, counts_and_consensus);
    tcase_add_test(t, likeness);
    tcase_add_test(t, best_of_many);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, written_as_others_read);
    tcase_add_test(t, foreign_files);
    tcase_add_test(t, more_foreign_files);
    tcase_add_test(t, jaspar_files);
    tcase_add_test(t, installed_databases);
    tcase_add_test(t, refused_files);
    tcase_add_test(t, letter_heights);
    tcase_add_test(t, long_logos_break);
    tcase_add_test(t, glyphs);
    suite_add_tcase(s, t);
    return unit_run(s);
}
