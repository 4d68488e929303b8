/* The report's pieces: escaping, numbers, ticks, plots and logos in a file and in a page, histograms, and what a page says when there is
 * little or nothing, much, or nonsense. The page as a whole: tests/report. */
#include <math.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/mem.h"
#include "nets.h"
#include "report/logo.h"
#include "report/parts.h"
#include "report/plot.h"
#include "report/report.h"
#include "tempfile.h"
#include "unit.h"

/* ---- writing into a file and reading it back ---- */

static struct sn_html h;

static void begin(void) {
    h = (struct sn_html){0};
    ck_ok(sn_outfile_open(temp_path("out"), &h.f));
}

static char *end(void) {
    char *text;
    size_t n;
    ck_ok(h.rc);
    ck_ok(sn_outfile_commit(h.f));
    ck_ok(sn_read_file(temp_path("out"), 1 << 26, &text, &n));
    return text;
}

static char *escaped(const char *s) {
    begin();
    sn_html_text(&h, s);
    return end();
}

static int count(const char *text, const char *part) {
    int n = 0;
    for (const char *s = text; (s = strstr(s, part)) != NULL; s += strlen(part)) n++;
    return n;
}

START_TEST(text) {
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"a<b>&\"c\"'d'", "a&lt;b&gt;&amp;&quot;c&quot;&#39;d&#39;"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\xa7\xac", "\xc3\xa9\xe2\x82\xac\xf0\x9f\xa7\xac"},
        {"a\tb\r\nc", "a b  c"},
        {"\x01\x1f\x7f\xc2\x85", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xff"
         "a\xc3",
         "\xef\xbf\xbd"
         "a\xef\xbf\xbd"},                                                        /* no UTF-8; cut short at the end */
        {"\xc0\xbc", "\xef\xbf\xbd\xef\xbf\xbd"},                                 /* an overlong '<' */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* half of a surrogate pair */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* beyond Unicode */
        {"\xef\xbf\xbf", "\xef\xbf\xbd"},                                         /* no character */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *t = escaped(cases[i].in);
        ck_assert_msg(strcmp(t, cases[i].out) == 0, "case %zu: '%s' for '%s'", i, t, cases[i].out);
        free(t);
    }
    begin();
    sn_html_clipped(&h, "\xc3\xa9<\xc3\xa9", 3);
    sn_html_put(&h, "|");
    sn_html_clipped(&h,
                    "\xc3\xa9<\xc3\xa9"
                    "x",
                    3);
    char *t = end();
    ck_assert_str_eq(t, "\xc3\xa9&lt;\xc3\xa9|\xc3\xa9&lt;\xe2\x80\xa6");
    free(t);
    ck_assert_int_eq(sn_text_length("a\xc3\xa9\xff\xe2\x82\xac"), 4);
}
END_TEST

START_TEST(long_text) {
    char *word = sn_calloc(100001, 1);
    memset(word, '<', 100000);
    char *t = escaped(word);
    ck_assert_uint_eq(strlen(t), 400000);
    free(t);
    begin();
    sn_html_put(&h, "%s", word);
    t = end();
    ck_assert_uint_eq(strlen(t), 100000);
    free(t);
    free(word);
}
END_TEST

static void number_is(double v, int digits, const char *expected) {
    begin();
    sn_html_number(&h, v, digits);
    char *t = end();
    ck_assert_str_eq(t, expected);
    free(t);
}

START_TEST(numbers) {
    number_is(0, 3, "0");
    number_is(-1.25, 9,
              "\xe2\x88\x92"
              "1.25");
    number_is(0.123456, 3, "0.123");
    number_is(3.2e-19, 2,
              "3.2\xc2\xa0\xc3\x97\xc2\xa0"
              "10<sup>\xe2\x88\x92"
              "19</sup>");
    number_is(1e-6, 2,
              "1\xc2\xa0\xc3\x97\xc2\xa0"
              "10<sup>\xe2\x88\x92"
              "6</sup>");
    number_is(1e300, 2,
              "1\xc2\xa0\xc3\x97\xc2\xa0"
              "10<sup>300</sup>");
    number_is(NAN, 2, "\xe2\x80\x93");
    number_is(INFINITY, 2, "\xe2\x80\x93");
    begin();
    static const int64_t counts[] = {0, 12, 9999, 12345, 1234567, -12345};
    for (int i = 0; i < 6; i++) {
        sn_html_count(&h, counts[i]);
        sn_html_put(&h, ";");
    }
    char *t = end();
    ck_assert_str_eq(t, "0;12;9999;12\xe2\x80\xaf"
                        "345;1\xe2\x80\xaf"
                        "234\xe2\x80\xaf"
                        "567;-12\xe2\x80\xaf"
                        "345;");
    free(t);
    char b[32];
    ck_assert_str_eq(sn_coordinate(1.005, 2, b), "1");
    ck_assert_str_eq(sn_coordinate(1.25, 2, b), "1.25");
    ck_assert_str_eq(sn_coordinate(-0.001, 2, b), "0");
    ck_assert_str_eq(sn_coordinate(-0.5, 2, b), "-0.5");
    ck_assert_str_eq(sn_coordinate(12.0625, 4, b), "12.0625");
    ck_assert_str_eq(sn_coordinate(3, 0, b), "3");
    ck_assert_str_eq(sn_coordinate(NAN, 2, b), "0");
    ck_assert_str_eq(sn_coordinate(-1e30, 2, b), "0");
}
END_TEST

START_TEST(ticks) {
    static const double ranges[] = {1, 7, 0.03, 12345, 1e-12, 1e12, 0.99, 3.5};
    for (int i = 0; i < 8; i++) {
        double step = sn_nice_step(ranges[i], 6), in = step;
        long first, last;
        while (in < 0.99) in *= 10;
        while (in > 9.9) in /= 10;
        ck_assert_msg(fabs(in - 1) < 1e-6 || fabs(in - 2) < 1e-6 || fabs(in - 5) < 1e-6, "step %g of %g", step, ranges[i]);
        sn_ticks(0, ranges[i], step, &first, &last);
        ck_assert(first == 0 && last >= 2 && last <= 6);
    }
    long first, last;
    sn_ticks(-0.31, 0.9, 0.3, &first, &last);
    ck_assert(first == -1 && last == 3); /* the ends themselves count */
    sn_ticks(1e18, 1e18 + 1e3, 1, &first, &last);
    ck_assert(first > last);
    ck_assert_double_eq(sn_nice_step(0, 5), 1);
    ck_assert_double_eq(sn_nice_step(NAN, 5), 1);
    ck_assert_double_eq(sn_nice_step(INFINITY, 5), 1);
    ck_assert_double_gt(sn_nice_step(5e-324, 5), 0);
}
END_TEST

/* ---- plots ---- */

static char *plot_in_page(const struct sn_plot *p) {
    begin();
    sn_plot_put(p, &h);
    return end();
}

START_TEST(plots) {
    static const double x[5] = {1, 2, 3, 4, 5}, y[5] = {1, 2, NAN, INFINITY, 3};
    struct sn_plot p = {
        .title = "a & b", .desc = "d", .x_label = "x", .y_label = "y", .series = {{.name = "s", .x = x, .y = y, .n = 5}}, .n_series = 1};
    char *t = plot_in_page(&p);
    /* the line is broken where a value is none, a lone point is a dot */
    ck_assert_int_eq(count(t, "<circle "), 1);
    ck_assert_int_eq(count(t, "class=\"l-s1\""), 2); /* the line and the legend's */
    ck_assert_ptr_nonnull(strstr(t, "<title id=\"t1\">a &amp; b</title>"));
    ck_assert_ptr_nonnull(strstr(t, "<desc id=\"d1\">d</desc>"));
    ck_assert_ptr_nonnull(strstr(t, "role=\"img\" aria-labelledby=\"t1 d1\""));
    ck_assert_ptr_null(strstr(t, "#"));
    free(t);
    begin();
    ck_ok(sn_plot_write(&p, h.f));
    t = end();
    ck_assert_int_eq(strncmp(t, "<svg xmlns=", 11), 0);
    ck_assert_ptr_null(strstr(t, "class="));
    ck_assert_ptr_null(strstr(t, "<text"));
    ck_assert_int_eq(count(t, "<circle "), 1);
    free(t);
}
END_TEST

START_TEST(empty_plots) {
    static const double none[2] = {NAN, NAN}, one[1] = {5}, same[3] = {2, 2, 2}, x[3] = {1, 2, 3}, huge[2] = {-1e308, 1e308};
    const struct sn_plot poor[] = {
        {.title = "nothing"},
        {.title = "no numbers", .series = {{.x = none, .y = none, .n = 2}}, .n_series = 1},
        {.title = "one point", .series = {{.x = one, .y = one, .n = 1}}, .n_series = 1},
        {.title = "level", .series = {{.x = x, .y = same, .n = 3}}, .n_series = 1},
        {.title = "huge", .series = {{.x = huge, .y = huge, .n = 2}}, .n_series = 1},
        {.title = "bars", .series = {{.kind = SN_PLOT_BARS, .x = x, .y = none, .n = 2, .width = 1}}, .n_series = 1, .y_whole = true},
    };
    for (size_t i = 0; i < sizeof poor / sizeof *poor; i++) {
        char *t = plot_in_page(&poor[i]);
        ck_assert_int_eq(count(t, "no values"), i < 2 || i == 5);
        ck_assert_msg(!strstr(t, "nan") && !strstr(t, "inf"), "%s: %s", poor[i].title, t);
        free(t);
    }
}
END_TEST

/* Bars stand where they belong: twice as high for twice as much. */
START_TEST(bars) {
    static const double x[2] = {1, 2}, y[2] = {2, 4};
    struct sn_plot p = {.title = "b", .series = {{.kind = SN_PLOT_BARS, .x = x, .y = y, .n = 2, .width = 1}}, .n_series = 1};
    char *t = plot_in_page(&p);
    double x1[2], foot[2], top[2], x2[2];
    const char *s = strstr(t, "<path d=\"M");
    while (s && sscanf(s, "<path d=\"M%lf %lfV%lfH%lfV%*fZM%lf %lfV%lfH%lf", &x1[0], &foot[0], &top[0], &x2[0], &x1[1], &foot[1], &top[1],
                       &x2[1]) != 8)
        s = strstr(s + 1, "<path d=\"M");
    ck_assert_ptr_nonnull(s);
    ck_assert_double_eq_tol(foot[1] - top[1], 2 * (foot[0] - top[0]), 0.05);
    ck_assert_double_eq_tol(x2[0] - x1[0], x2[1] - x1[1], 0.05);
    ck_assert_double_gt(x1[1], x2[0]);
    free(t);
}
END_TEST

/* ---- logos: the same letters in a page as in a file ---- */

START_TEST(logos) {
    static const float height[8] = {1, 0, 0, .5f, 0, -.3f, 0, 0};
    static const struct sn_logo_mark marks[] = {{0, 1, "<m>"}, {0, 2, "overlaps"}};
    struct sn_logo l = {
        .title = "t", .subtitle = "s", .letters = "ACGT", .n_letters = 4, .length = 2, .height = height, .marks = marks, .n_marks = 2};
    begin();
    sn_logo_put(&l, &h);
    char *page = end();
    begin();
    ck_ok(sn_logo_write(&l, h.f));
    char *file = end();
    ck_assert_int_eq(count(page, "<use href=\"#L"), 3);
    ck_assert_int_eq(count(file, "<use xlink:href=\"#"), 3);
    ck_assert_int_eq(count(page, "&lt;m&gt;"), 1);
    ck_assert_int_eq(count(page, "<defs>"), 0);
    ck_assert_int_eq(count(file, "<defs>"), 1);
    double py[2], fy[2];
    ck_assert_int_eq(sscanf(strstr(page, "<use href=\"#LA\""), "<use href=\"#LA\" transform=\"matrix(%*f 0 0 %lf %*f %lf)", &py[0], &py[1]),
                     2);
    ck_assert_int_eq(
        sscanf(strstr(file, "<use xlink:href=\"#A\""), "<use xlink:href=\"#A\" transform=\"matrix(%*f 0 0 %lf %*f %lf)", &fy[0], &fy[1]),
        2);
    ck_assert_double_eq(py[0], fy[0]);
    ck_assert_double_eq(py[1] + 36, fy[1]); /* below title and subtitle */
    free(page);
    free(file);
    /* places left free before the letters */
    l.n_marks = 0;
    l.bare = true;
    double x0, x3, w0, w3;
    begin();
    sn_logo_put(&l, &h);
    page = end();
    l.lead = 3;
    l.columns = 9;
    begin();
    sn_logo_put(&l, &h);
    file = end();
    ck_assert_int_eq(sscanf(page, "<svg width=\"%lf", &w0), 1);
    ck_assert_int_eq(sscanf(file, "<svg width=\"%lf", &w3), 1);
    ck_assert_int_eq(sscanf(strstr(page, "<use href=\"#LA\""), "<use href=\"#LA\" transform=\"matrix(%*f 0 0 %*f %lf", &x0), 1);
    ck_assert_int_eq(sscanf(strstr(file, "<use href=\"#LA\""), "<use href=\"#LA\" transform=\"matrix(%*f 0 0 %*f %lf", &x3), 1);
    ck_assert_double_eq_tol(x3 - x0, 36, 1e-9);
    ck_assert_double_eq_tol(w3 - w0, 7 * 12, 1e-9);
    free(page);
    free(file);
    begin();
    l.length = 0;
    sn_logo_put(&l, &h);
    ck_error(h.rc, SEQNET_EINVAL, "positions");
    sn_html_put(&h, "nothing is written after a failure");
    ck_assert_int_eq(h.rc, SEQNET_EINVAL);
    sn_outfile_abort(h.f);
}
END_TEST

/* ---- histograms ---- */

START_TEST(histograms) {
    static const float v[8] = {0, 1e-7f, 1.5e-7f, 9e-3f, -2e-5f, NAN, INFINITY, 0};
    struct sn_bins b;
    int64_t zeros, odd, sum = 0;
    ck_ok(sn_bins_decades(v, 8, &b, &zeros, &odd));
    ck_assert(zeros == 2 && odd == 2);
    for (int i = 0; i < b.n; i++) sum += b.count[i];
    ck_assert_int_eq(sum, 4);
    ck_assert(b.lo <= -7 && b.lo + b.n * b.width >= -2);
    free(b.count);
    ck_ok(sn_bins_decades(v, 1, &b, &zeros, &odd));
    ck_assert(b.n == 0 && zeros == 1 && odd == 0);
    free(b.count);
    static const double at[6] = {-50, 50, 0, 0.4, NAN, 51};
    struct sn_report_pattern p = {.position = at, .n_positions = 6};
    struct sn_report r = {.longest = 100, .patterns = &p, .n_patterns = 1};
    ck_ok(sn_pattern_bins(&r, 0, &b));
    ck_assert(b.n == 50 && b.width == 2 && b.lo == -50);
    ck_assert(b.count[0] == 1 && b.count[49] == 1 && b.count[25] == 2); /* what lies outside is not counted */
    free(b.count);
    r.longest = 1;
    ck_ok(sn_pattern_bins(&r, 0, &b));
    ck_assert(b.n == 2 && b.width == 1 && b.count[1] == 2);
    free(b.count);
}
END_TEST

/* ---- the page ---- */

static void remove_report(void) {
    char folder[800], name[1200];
    snprintf(folder, sizeof folder, "%s", temp_path("report"));
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        snprintf(name, sizeof name, "%s/%.300s", folder, e->d_name);
        if (e->d_name[0] != '.') unlink(name);
    }
    if (d) closedir(d);
    rmdir(folder);
    tempdir_remove();
}

static char *read_page(const char *name) {
    char *t;
    size_t n;
    ck_ok(sn_read_file(temp_path(name), 1 << 26, &t, &n));
    return t;
}

START_TEST(nothing_found) {
    struct sn_report r = {.title = "t", .version = "1", .letters = "ACGT", .n_sequences = 1, .longest = 1};
    ck_ok(sn_report_write(&r, tempdir));
    char *t = read_page("report.html");
    ck_assert_int_eq(count(t, "class=\"empty\""), 7); /* every part says why it is empty */
    ck_assert_int_eq(count(t, "<article"), 0);
    ck_assert_int_eq(count(t, "<svg "), 1); /* the letters */
    ck_assert_ptr_nonnull(strstr(t, "1 sequence was explained"));
    free(t);
}
END_TEST

static const double even[80] = {.25, .25, .25, .25, .25, .25, .25, .25, .25, .25, .25, .25},
                    sharp[12] = {1, 0, 0, 0, 0, 0, 1, 0, 0, .5, .5, 0};

START_TEST(one_position) {
    static const float c[1] = {1}, zero[1] = {0};
    static const double at[1] = {0};
    struct sn_report_match m = {
        .id = "M1", .width = 3, .pfm = sharp, .offset = -1, .overlap = 1, .reverse = true, .p = 1e-3, .e = 1, .q = 1};
    struct sn_report_pattern p = {.name = "pos_1",
                                  .n_seqlets = 1,
                                  .n_sequences = 1,
                                  .width = 1,
                                  .core_end = 1,
                                  .pfm = sharp,
                                  .contribution = sharp,
                                  .position = at,
                                  .n_positions = 1,
                                  .matches = &m,
                                  .n_matches = 1};
    struct sn_report_example x = {.name = "s", .bases = "a", .contribution = c, .length = 1}; /* soft-masked */
    struct sn_report r = {.title = "t",
                          .version = "1",
                          .letters = "ACGT",
                          .n_sequences = 1,
                          .longest = 1,
                          .patterns = &p,
                          .n_patterns = 1,
                          .database = "db.meme",
                          .n_database = 1,
                          .examples = &x,
                          .n_examples = 1,
                          .residual = zero,
                          .n_residuals = 1};
    ck_ok(sn_report_write(&r, tempdir));
    char *t = read_page("report.html");
    ck_assert_ptr_nonnull(strstr(t, "1 seqlet in 1 of 1 sequence \xc2\xb7 1 position, core 1\xe2\x80\x93"
                                    "1"));
    ck_assert_ptr_nonnull(strstr(t, "the residual is 0"));
    free(t);
    /* the match turned round: A G [CG] becomes [CG] C T; two letters of one bit each on the first place, the core on the second */
    t = read_page("report/pattern_001_pos_1_match_1.svg");
    char letters[8] = {0};
    double x_of[4];
    int n = 0;
    for (const char *s = t; (s = strstr(s, "<use xlink:href=\"#")) != NULL; s++, n++) {
        ck_assert_int_lt(n, 4);
        ck_assert_int_eq(sscanf(s, "<use xlink:href=\"#%c\" transform=\"matrix(%*f 0 0 %*f %lf", &letters[n], &x_of[n]), 2);
    }
    ck_assert_str_eq(letters, "CGCT");
    ck_assert(x_of[0] == x_of[1] && x_of[2] > x_of[1] && x_of[3] > x_of[2]);
    ck_assert(x_of[0] < 12); /* its first column stands before that of the core */
    free(t);
    t = read_page("report/sequence_001_s.svg");
    ck_assert_int_eq(count(t, "<use xlink:href=\"#A\""), 1);
    free(t);
    t = read_page("report/matches.tsv");
    ck_assert_str_eq(t, "pattern\tmatch\tname\toffset\toverlap\tstrand\tp\tE\tq\npos_1\tM1\t.\t-1\t1\t-\t0.001\t1\t1\n");
    free(t);
}
END_TEST

/* Two patterns of one name do not share their files. */
START_TEST(same_names) {
    struct sn_report_pattern p[2];
    for (int i = 0; i < 2; i++)
        p[i] = (struct sn_report_pattern){
            .name = "../a b", .n_seqlets = 5, .n_sequences = 5, .width = 3, .core_end = 3, .pfm = i ? even : sharp, .contribution = even};
    struct sn_report r = {.title = "t", .version = "1", .letters = "ACGT", .n_sequences = 9, .longest = 20, .patterns = p, .n_patterns = 2};
    ck_ok(sn_report_write(&r, tempdir));
    char *a = read_page("report/pattern_001__._a_b_letters.svg"), *b = read_page("report/pattern_002__._a_b_letters.svg");
    ck_assert_int_ne(count(a, "<use "), count(b, "<use "));
    free(a);
    free(b);
}
END_TEST

START_TEST(refused) {
    struct sn_report_pattern p = {.name = "p", .width = 3, .core_end = 3, .pfm = even, .contribution = even};
    struct sn_report_match m = {.id = "m", .width = 0, .pfm = even};
    struct sn_report_example x = {.name = "s", .bases = ""};
    struct sn_report r = {.title = "t", .version = "1", .letters = "ACGT", .patterns = &p, .n_patterns = 1};
    p.core_end = 4;
    ck_error(sn_report_write(&r, tempdir), SEQNET_EINVAL, "expected a core within its 3 positions, got 0 to 4");
    p.core_end = 0;
    ck_error(sn_report_write(&r, tempdir), SEQNET_EINVAL, "core");
    p.core_end = 3;
    p.matches = &m;
    p.n_matches = 1;
    ck_error(sn_report_write(&r, tempdir), SEQNET_EINVAL, "match 1");
    p.n_matches = 0;
    p.pfm = NULL;
    ck_error(sn_report_write(&r, tempdir), SEQNET_EINVAL, "both matrices");
    r.n_patterns = 0;
    r.examples = &x;
    r.n_examples = 1;
    ck_error(sn_report_write(&r, tempdir), SEQNET_EINVAL, "example 1");
    r.n_examples = 0;
    r.letters = "";
    ck_error(sn_report_write(&r, tempdir), SEQNET_EINVAL, "letters");
    r.letters = "ACGT";
    ck_assert_int_eq(tempdir_count(), 0);
    temp_text("report", "a file where the folder should go");
    ck_error(sn_report_write(&r, temp_path("report/below")), SEQNET_EIO, "report");
    ck_error(sn_report_write(&r, tempdir), SEQNET_EIO, "report");
    ck_assert_int_eq(tempdir_count(), 1);
}
END_TEST

int main(void) {
    Suite *s = suite_create("report");
    TCase *t = tcase_create("pieces"), *p = tcase_create("page");
    tcase_add_checked_fixture(t, tempdir_make, tempdir_remove);
    tcase_add_test(t, text);
    tcase_add_test(t, long_text);
    tcase_add_test(t, numbers);
    tcase_add_test(t, ticks);
    tcase_add_test(t, plots);
    tcase_add_test(t, empty_plots);
    tcase_add_test(t, bars);
    tcase_add_test(t, logos);
    tcase_add_test(t, histograms);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(p, tempdir_make, remove_report);
    tcase_add_test(p, nothing_found);
    tcase_add_test(p, one_position);
    tcase_add_test(p, same_names);
    tcase_add_test(p, refused);
    suite_add_tcase(s, p);
    return unit_run(s);
}
