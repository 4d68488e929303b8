/* Numbers as text, both ways, and the nearest name. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/parse.h"
#include "core/rng.h"
#include "unit.h"

/* ---- parsing ---- */

START_TEST(parse_integers) {
    static const struct {
        const char *s;
        bool ok;
        int64_t v;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"42", true, 42},
        {"-17", true, -17},
        {"007", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"0x10", false, 0},
        {"1.0", false, 0},
        {"1e3", false, 0},
        {"1k", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t v = -99;
        ck_assert_msg(sn_parse_i64(cases[i].s, strlen(cases[i].s), &v) == cases[i].ok, "'%s'", cases[i].s);
        ck_assert_msg(v == (cases[i].ok ? cases[i].v : -99), "'%s'", cases[i].s);
    }
    int64_t v;
    ck_assert(sn_parse_i64("123456", 3, &v) && v == 123);
}
END_TEST

START_TEST(parse_sizes) {
    int64_t v = 0;
    ck_assert(sn_parse_size("12", 2, &v) && v == 12);
    ck_assert(sn_parse_size("12k", 3, &v) && v == 12000);
    ck_assert(sn_parse_size("3M", 2, &v) && v == 3000000);
    ck_assert(sn_parse_size("-2G", 3, &v) && v == -2000000000);
    v = 5;
    ck_assert(!sn_parse_size("k", 1, &v) && !sn_parse_size("1K", 2, &v) && !sn_parse_size("1kk", 3, &v) && !sn_parse_size("", 0, &v));
    ck_assert(!sn_parse_size("9223372036854775807k", 20, &v) && v == 5);
}
END_TEST

START_TEST(parse_floats) {
    static const struct {
        const char *s;
        double v;
    } good[] = {{"0", 0},
                {"1", 1},
                {"-1.5", -1.5},
                {".5", .5},
                {"5.", 5},
                {"1e3", 1000},
                {"1E+3", 1000},
                {"1e-3", 1e-3},
                {"0.1", 0.1},
                {"-0.30000000000000004", -0.30000000000000004},
                {"123456789012345678", 123456789012345678.0},
                {"9007199254740993", 9007199254740992.0},
                {"1e22", 1e22},
                {"1e23", 1e23},
                {"8.5e-23", 8.5e-23},
                {"1.7976931348623157e308", 1.7976931348623157e308},
                {"5e-324", 5e-324},
                {"2.2250738585072011e-308", 2.2250738585072011e-308},
                {"1e-400", 0},
                {"0e999", 0},
                {"00012.500", 12.5}};
    static const char *const bad[] = {"",     "-",     "+1",    " 1",     "1 ",       ".",   "-.",  "e5",   "1e",
                                      "1e+",  "1e+-5", "1e--5", "1e1.5",  "0x1p3",    "nan", "inf", "-inf", "1,5",
                                      "1..2", "1.2.3", "1e400", "-1e400", "infinity", "1f",  "1_0"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        double v = 7;
        ck_assert_msg(sn_parse_f64(good[i].s, strlen(good[i].s), &v) && v == good[i].v, "'%s' gave %.17g", good[i].s, v);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double v = 7;
        ck_assert_msg(!sn_parse_f64(bad[i], strlen(bad[i]), &v) && v == 7, "'%s' gave %g", bad[i], v);
    }
    double v;
    ck_assert(sn_parse_f64("1.25xyz", 4, &v) && v == 1.25);
    ck_assert(sn_parse_f64("-0", 2, &v) && v == 0 && signbit(v));
    ck_assert(!sn_parse_f64("1e99999999999999999999", 22, &v));
    char digits[400];
    memset(digits, '1', sizeof digits);
    ck_assert(!sn_parse_f64(digits, sizeof digits, &v));
}
END_TEST

/* Correctly rounded: the same as strtod of the C locale on many spellings. */
START_TEST(parse_floats_like_strtod) {
    struct sn_stream s;
    sn_stream_init(&s, 11, 0, 0);
    for (int i = 0; i < 60000; i++) {
        char text[64];
        int digits = 1 + (int)sn_stream_below(&s, 19), e = (int)sn_stream_below(&s, 61) - 40;
        uint64_t m = sn_stream_u64(&s) >> sn_stream_below(&s, 60);
        snprintf(text, sizeof text, "%.*llue%d", digits, (unsigned long long)m, e);
        double v = -1;
        ck_assert_msg(sn_parse_f64(text, strlen(text), &v) && v == strtod(text, NULL), "%s", text);
    }
}
END_TEST

START_TEST(nearest_names) {
    static const char *const names[] = {"conv1d", "max_pooling1d", "average_pooling1d", "dense", "lstm", "relu"};
    static const struct {
        const char *word, *want;
    } cases[] = {
        {"conv1", "conv1d"}, {"Conv1D", "conv1d"}, {"maxpooling1d", "max_pooling1d"},        {"dnese", "dense"},    {"ltsm", "lstm"},
        {"edsne", "dense"},  {"relu6", "relu"},    {"averag_poolin1d", "average_pooling1d"}, {"transformer", NULL}, {"", NULL},
        {"xy", NULL},        {"denise", "dense"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *got = sn_nearest(cases[i].word, names, 6);
        if (cases[i].want)
            ck_assert_str_eq(got ? got : "(none)", cases[i].want);
        else
            ck_assert_msg(got == NULL, "'%s' gave %s", cases[i].word, got);
    }
    static const char *const brief[] = {"l1", "l2"};
    ck_assert_ptr_null(sn_nearest("zz", brief, 2)); /* nothing in common is not near */
    ck_assert_str_eq(sn_nearest("L2", brief, 2), "l2");
    char huge[100000];
    memset(huge, 'a', sizeof huge);
    huge[sizeof huge - 1] = '\0';
    ck_assert_ptr_null(sn_nearest(huge, names, 6));
    ck_assert_ptr_null(sn_nearest("dense", names, 0));
}
END_TEST

/* ---- formatting ---- */

START_TEST(format_examples) {
    static const struct {
        float v;
        const char *want;
    } f32[] = {{0, "0"},
               {-0.0f, "-0"},
               {1, "1"},
               {-1.5f, "-1.5"},
               {0.1f, "0.1"},
               {16777216.0f, "16777216"},
               {1e10f, "10000000000"},
               {3.4028235e38f, "3.4028235e+38"},
               {1e-45f, "1e-45"},
               {1.17549435e-38f, "1.1754944e-38"},
               {0.0001f, "0.0001"},
               {0.00001f, "0.00001"},
               {0.000001f, "1e-06"},
               {1e15f, "1e+15"},
               {1.1f, "1.1"},
               {8388608.5f, "8388608"},
               {123456.789f, "123456.79"},
               {9.5367431640625e-07f, "9.536743e-07"},
               {33554432.0f, "33554432"}};
    static const struct {
        double v;
        const char *want;
    } f64[] = {{0, "0"},
               {0.1, "0.1"},
               {0.30000000000000004, "0.30000000000000004"},
               {1e21, "1e+21"},
               {5e-324, "5e-324"},
               {1.0 / 3, "0.3333333333333333"},
               {100, "100"},
               {-2.5e-7, "-2.5e-07"},
               {123456789012345, "123456789012345"},
               {1234567890123456, "1.234567890123456e+15"},
               {1.7976931348623157e308, "1.7976931348623157e+308"}};
    char buf[32];
    for (size_t i = 0; i < sizeof f32 / sizeof f32[0]; i++) ck_assert_str_eq(sn_format_f32(f32[i].v, buf), f32[i].want);
    for (size_t i = 0; i < sizeof f64 / sizeof f64[0]; i++) ck_assert_str_eq(sn_format_f64(f64[i].v, buf), f64[i].want);
    ck_assert_str_eq(sn_format_f32(NAN, buf), "nan");
    ck_assert_str_eq(sn_format_f64(-INFINITY, buf), "-inf");
    ck_assert_str_eq(sn_format_f32(INFINITY, buf), "inf");
}
END_TEST

/* Digits of a decimal text, without sign, point, exponent and zeros at the ends. */
static int significant_digits(const char *s) {
    int n = 0, zeros = 0;
    for (; *s && *s != 'e'; s++) {
        if (*s < '0' || *s > '9' || (*s == '0' && n == 0)) continue;
        zeros = *s == '0' ? zeros + 1 : 0;
        n++;
    }
    return n - zeros;
}

static void check_f32(uint32_t bits) {
    float v, back;
    char buf[32], text[32];
    memcpy(&v, &bits, 4);
    if (!isfinite(v)) return;
    sn_format_f32(v, buf);
    ck_assert_msg(strlen(buf) < sizeof buf, "%s", buf);
    double d;
    ck_assert_msg(sn_parse_f64(buf, strlen(buf), &d), "%s", buf);
    back = strtof(buf, NULL);
    ck_assert_msg(memcmp(&back, &v, 4) == 0, "%08x: %s", bits, buf);
    if (v == 0) return;
    /* no decimal with one digit less, rounded to nearest, reads back */
    int n = significant_digits(buf);
    if (n == 1) return;
    snprintf(text, sizeof text, "%.*e", n - 2, (double)v);
    back = strtof(text, NULL);
    ck_assert_msg(memcmp(&back, &v, 4) != 0, "%08x: %s is longer than %s", bits, buf, text);
}

START_TEST(format_digits) {
    static const struct {
        double v;
        int digits;
        const char *want;
    } cases[] = {
        {0.123456, 3, "0.123"},
        {0.30000000000000004, 6, "0.3"},
        {-1234.5, 2, "-1200"},
        {9.996, 3, "10"},
        {3.24e-19, 2, "3.2e-19"},
        {1e15, 3, "1e+15"},
        {0, 3, "0"},
        {5e-324, 1, "5e-324"},
        {0.1, 17, "0.10000000000000001"},
    };
    char buf[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(sn_format_digits(cases[i].v, cases[i].digits, buf), cases[i].want);
    ck_assert_str_eq(sn_format_digits(NAN, 3, buf), "nan");
}
END_TEST

START_TEST(format_f32_round_trip) {
    struct sn_stream s;
    for (uint32_t e = 0; e < 256; e++)
        for (int d = -3; d <= 3; d++) check_f32((e << 23) + (uint32_t)d);
    sn_stream_init(&s, 21, 0, 0);
    for (int i = 0; i < 60000; i++) check_f32((uint32_t)sn_stream_u64(&s));
    for (int i = 0; i < 20000; i++) {
        float v = (float)(int)sn_stream_below(&s, 100000) / 1000;
        uint32_t bits;
        memcpy(&bits, &v, 4);
        check_f32(bits);
    }
}
END_TEST

START_TEST(format_f64_round_trip) {
    struct sn_stream s;
    sn_stream_init(&s, 22, 0, 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = sn_stream_u64(&s);
        double v, back;
        char buf[32];
        memcpy(&v, &bits, 8);
        if (!isfinite(v)) continue;
        sn_format_f64(v, buf);
        ck_assert_msg(sn_parse_f64(buf, strlen(buf), &back) && memcmp(&back, &v, 8) == 0, "%s", buf);
        ck_assert_int_lt((int)strlen(buf), 32);
    }
}
END_TEST

/* A host may run with a decimal comma, where one is installed. */
START_TEST(numbers_ignore_the_locale) {
    static const char *const comma[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", "C"};
    char buf[32];
    double v = 0;
    for (int i = 0; i < 5; i++) {
        if (!setlocale(LC_ALL, comma[i])) continue;
        ck_assert_str_eq(sn_format_f64(1234.5678901, buf), "1234.5678901");
        ck_assert_str_eq(sn_format_f32(0.25f, buf), "0.25");
        ck_assert(sn_parse_f64("3.14159265358979323846264338327950288", 37, &v) && v == 0x1.921fb54442d18p+1);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("parse");
    TCase *t = tcase_create("parse");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, parse_integers);
    tcase_add_test(t, parse_sizes);
    tcase_add_test(t, parse_floats);
    tcase_add_test(t, parse_floats_like_strtod);
    tcase_add_test(t, nearest_names);
    tcase_add_test(t, format_examples);
    tcase_add_test(t, format_digits);
    tcase_add_test(t, format_f32_round_trip);
    tcase_add_test(t, format_f64_round_trip);
    tcase_add_test(t, numbers_ignore_the_locale);
    suite_add_tcase(s, t);
    return unit_run(s);
}
