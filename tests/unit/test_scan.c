/* Scanning: window arithmetic against a naive walk, tracks against the scorer on every window bit for bit, sites against a naive merge,
 * regions against the whole, indices, messages, and the same file from any number of threads. */
#include <htslib/tbx.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/parse.h"
#include "model/scorer.h"
#include "nets.h"
#include "scan/reader.h"
#include "scan/regions.h"
#include "scan/scan.h"
#include "scan/writer.h"
#include "tempfile.h"
#include "unit.h"

#define BODY                                                                                                                               \
    "layers:\n  - conv1d: {filters: 6, kernel_size: 5, activation: relu}\n  - global_max_pooling1d\n"                                      \
    "  - dense: {units: tasks, activation: auto}\n"
#define AVERAGE "name: avg\ninput: {length: 20, strand: average}\n" BODY
#define MAXIMUM "name: max\ninput: {length: 20, strand: max}\n" BODY
#define FORWARD "name: fwd\ninput: {length: 20}\n" BODY
#define VARIABLE "name: var\ninput: {length: variable, strand: average}\n" BODY

static struct sn_runtime rt;

static void open_all(void) {
    tempdir_make();
    rt = runtime_open(2);
    last_warning[0] = '\0';
}

static void close_all(void) {
    runtime_close(&rt);
    tempdir_remove();
}

/* ---- geometry ---- */

START_TEST(windows) {
    for (int64_t size = 1; size < 14; size++)
        for (int64_t stride = 1; stride < 17; stride++)
            for (int64_t contig = 0; contig < 45; contig++) {
                struct sn_windows w = {size, stride};
                int64_t n = 0, end = 0, a, b;
                while (contig > 0 && (n == 0 || n * stride + size <= contig)) n++;
                ck_assert_int_eq(sn_windows_count(&w, contig), n);
                for (int64_t i = 0; i < n; i++) {
                    sn_windows_interval(&w, i, n, contig, &a, &b);
                    ck_assert_int_eq(a, end); /* no gap, no overlap */
                    ck_assert_int_gt(b, a);
                    if (i > 0) ck_assert_int_eq(a, i * stride + (int64_t)floor((double)(size - stride) / 2));
                    if (i > 0 && i < n - 1) ck_assert_int_eq(b - a, stride);
                    end = b;
                }
                ck_assert_int_eq(end, contig);
            }
}
END_TEST

START_TEST(windows_of_regions) {
    for (int64_t size = 1; size < 12; size += 2)
        for (int64_t stride = 1; stride < 15; stride += 3)
            for (int64_t contig = 1; contig < 40; contig += 5)
                for (int64_t from = 0; from < contig; from++)
                    for (int64_t to = from + 1; to <= contig; to++) {
                        struct sn_windows w = {size, stride};
                        int64_t n = sn_windows_count(&w, contig), first = -1, last = -1, got_first, got_last;
                        for (int64_t i = 0; i < n; i++) {
                            int64_t a, b;
                            sn_windows_interval(&w, i, n, contig, &a, &b);
                            if (a >= to || b <= from) continue;
                            if (first < 0) first = i;
                            last = i;
                        }
                        sn_windows_over(&w, n, from, to, &got_first, &got_last);
                        ck_assert_int_eq(got_first, first);
                        ck_assert_int_eq(got_last, last);
                    }
}
END_TEST

/* ---- a genome ---- */

#define CONTIGS 7
static const int64_t contig_length[CONTIGS] = {333, 20, 7, 19, 21, 1, 120};
static char genome[CONTIGS][512];

static const char *make_genome(const char *name) {
    struct sn_stream r;
    struct sn_str s = {0};
    sn_stream_init(&r, 5, 6, 7);
    for (int c = 0; c < CONTIGS; c++) random_bases(genome[c], contig_length[c], 30, &r);
    memset(genome[6] + 40, 'N', 60); /* windows without any base */
    for (int c = 0; c < CONTIGS; c++) {
        ck_ok(sn_str_printf(&s, ">c%d some text\n", c));
        for (int64_t i = 0; i < contig_length[c]; i += 50) ck_ok(sn_str_printf(&s, "%.50s\n", genome[c] + i));
    }
    const char *path = temp_write(name, s.s, s.n);
    sn_str_free(&s);
    return path;
}

/* Codes of window i of a contig; short contigs centred. */
static void window_codes(int c, int64_t start, int64_t size, uint8_t *out) {
    const struct sn_alphabet *a = sn_alphabet_find("dna");
    int64_t left = contig_length[c] < size ? (size - contig_length[c]) / 2 : 0, bad;
    for (int64_t k = 0; k < size; k++) {
        int64_t p = start + k - left;
        out[k] = SN_CODE_OUTSIDE;
        if (p >= 0 && p < contig_length[c]) ck_assert_int_ge(sn_encode_seq(a, &genome[c][p], 1, &out[k], &bad), 0);
    }
}

/* What the reader gives, in small and large batches, is the naive walk over the genome. */
static void check_reader(const char *path, struct sn_windows w, int n_windows, size_t bytes) {
    struct sn_scan_reader *r;
    struct sn_scan_batch b;
    int c = 0;
    int64_t i = 0;
    uint8_t want[64];
    ck_ok(sn_scan_reader_open(path, sn_alphabet_find("dna"), &w, NULL, NULL, &r));
    ck_ok(sn_scan_batch_create(&w, n_windows, bytes, &b));
    for (;;) {
        ck_ok(sn_scan_reader_fill(r, &b));
        if (b.n == 0) break;
        int at = 0;
        for (int k = 0; k < b.n_pieces; k++) {
            const struct sn_scan_piece *p = &b.pieces[k];
            char name[16];
            snprintf(name, sizeof name, "c%d", c);
            ck_assert_str_eq(p->name, name);
            ck_assert_int_eq(p->first, i);
            for (int j = 0; j < p->n; j++, at++, i++) {
                window_codes(c, i * w.stride, w.size, want);
                ck_assert_int_eq(memcmp(want, b.codes + b.offset[at], (size_t)w.size), 0);
            }
            if (i < sn_windows_count(&w, contig_length[c])) {
                ck_assert_int_gt(p->n_contig, i);
                continue;
            }
            ck_assert_int_eq(p->n_contig, i);
            ck_assert_int_eq(p->contig, contig_length[c]);
            c++;
            i = 0;
        }
        ck_assert_int_eq(at, b.n);
    }
    ck_assert_int_eq(c, CONTIGS);
    sn_scan_batch_free(&b);
    sn_scan_reader_close(r);
}

START_TEST(reader) {
    const char *path = make_genome("g.fa");
    static const struct sn_windows w[] = {{20, 5}, {20, 1}, {7, 7}, {3, 11}, {1, 1}, {50, 13}, {20, 60}};
    for (size_t k = 0; k < sizeof w / sizeof *w; k++)
        for (int n = 1; n < 400; n = n * 2 + 1) {
            check_reader(path, w[k], n, 1 << 20);
            check_reader(path, w[k], n, 1);
        }
}
END_TEST

/* ---- scans ---- */

struct line {
    char chrom[16];
    int64_t start, end;
    char name[32], strand, value[40];
    int score;
    int64_t summit;
};

/* Lines that are no comment. */
static int read_lines(const char *path, struct line *v, int cap) {
    char *text, *save = NULL;
    size_t n;
    int count = 0;
    ck_ok(sn_read_file(path, 1 << 24, &text, &n));
    for (char *s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
        if (s[0] == '#') continue;
        ck_assert_int_lt(count, cap);
        struct line *l = &v[count++];
        long long a, b, top;
        if (sscanf(s, "%15[^\t]\t%lld\t%lld\t%31[^\t]\t%d\t%c\t%39[^\t]\t%lld", l->chrom, &a, &b, l->name, &l->score, &l->strand, l->value,
                   &top) == 8)
            l->summit = top;
        else
            ck_assert_int_eq(sscanf(s, "%15[^\t]\t%lld\t%lld\t%39s", l->chrom, &a, &b, l->value), 4);
        l->start = a;
        l->end = b;
    }
    free(text);
    return count;
}

static seqnet_scan_options options(const char *output) {
    return (seqnet_scan_options){.size = sizeof(seqnet_scan_options), .output = output, .fpr = NAN, .threshold = NAN};
}

static seqnet_scan_result scan(const struct sn_runtime *r, struct sn_model *const *m, int n, const seqnet_scan_options *o,
                               const char *path) {
    struct sn_scanner *s;
    seqnet_scan_result result;
    ck_ok(sn_scanner_create(r, m, n, o, &s));
    ck_ok(sn_scanner_run(s, path));
    sn_scanner_result(s, &result);
    ck_assert_ptr_nonnull(sn_scanner_describe(s));
    sn_scanner_free(s);
    return result;
}

/* Score and logit of one window, by a scorer of its own. */
struct value {
    float score, logit;
};
static struct value score_window(struct sn_model *const *m, int n, int strand, int task, const uint8_t *codes, int64_t size, bool rc) {
    struct sn_scorer_options o = {.max_len = size, .workers = 1, .strand = strand, .backend = &net_backend};
    struct sn_scorer *s;
    uint8_t row[64];
    float v[8];
    memcpy(row, codes, (size_t)size);
    if (rc) sn_revcomp(m[0]->arch->alphabet, row, size);
    ck_ok(sn_scorer_create(m, n, &o, &s));
    ck_ok(sn_scorer_run(s, 0, 1, row, size, NULL, v));
    struct value out = {.logit = v[task]};
    ck_ok(sn_scorer_finish(s, 1, v));
    out.score = v[task];
    sn_scorer_free(s);
    return out;
}

enum mode { COMBINED, BETTER, FWD, REV };

static struct value expected_value(struct sn_model *const *m, int n, enum mode mode, int task, const uint8_t *codes, int64_t size) {
    if (mode == COMBINED) return score_window(m, n, -1, task, codes, size, false);
    struct value f = score_window(m, n, 0, task, codes, size, false), r = score_window(m, n, 0, task, codes, size, true);
    return mode == FWD ? f : mode == REV ? r : f.score > r.score ? f : r;
}

/* Every line of a track is one window with the score that the scorer gives it. */
static void check_track(const char *path, struct sn_model *const *m, int n, enum mode mode, int task, struct sn_windows w) {
    static struct line v[2000];
    int count = read_lines(path, v, 2000), at = 0;
    for (int c = 0; c < CONTIGS; c++) {
        int64_t n_windows = sn_windows_count(&w, contig_length[c]);
        for (int64_t i = 0; i < n_windows; i++, at++) {
            char name[16], value[40];
            int64_t a, b;
            uint8_t codes[64];
            snprintf(name, sizeof name, "c%d", c);
            sn_windows_interval(&w, i, n_windows, contig_length[c], &a, &b);
            window_codes(c, i * w.stride, w.size, codes);
            ck_assert_int_lt(at, count);
            ck_assert_str_eq(v[at].chrom, name);
            ck_assert_int_eq(v[at].start, a);
            ck_assert_int_eq(v[at].end, b);
            ck_assert_str_eq(v[at].value, sn_format_f32(expected_value(m, n, mode, task, codes, w.size).score, value));
        }
    }
    ck_assert_int_eq(at, count);
}

START_TEST(track) {
    static const char *const texts[] = {AVERAGE, MAXIMUM, FORWARD};
    const char *fa = make_genome("g.fa"), *out = temp_path("o.bedgraph");
    for (int k = 0; k < 3; k++) {
        struct sn_model *m = net_make(texts[k], SN_TASK_BINARY, 2, 3, 2);
        for (int strand = SEQNET_SCAN_MODEL; strand <= SEQNET_SCAN_REVERSE; strand++) {
            static const enum mode modes[] = {COMBINED, BETTER, FWD, REV};
            enum mode mode = strand == SEQNET_SCAN_MODEL && k == 2 ? BETTER : modes[strand];
            seqnet_scan_options o = options(out);
            o.strand = strand;
            o.task = k == 1 ? "task2" : NULL;
            o.stride = k == 0 ? 0 : 3;
            seqnet_scan_result r = scan(&rt, &m, 1, &o, fa);
            check_track(out, &m, 1, mode, k == 1, (struct sn_windows){20, k == 0 ? 5 : 3});
            ck_assert_int_eq(r.contigs, CONTIGS);
            ck_assert_int_eq(r.short_contigs, 3);
            ck_assert_int_eq(r.bases, 333 + 20 + 7 + 19 + 21 + 1 + 120);
        }
        sn_model_unref(m);
    }
}
END_TEST

START_TEST(track_of_classes_and_ensembles) {
    const char *fa = make_genome("g.fa"), *out = temp_path("o.bedgraph");
    struct sn_model *m[2] = {net_make(AVERAGE, SN_TASK_CLASSES, 3, 3, 2), net_make(AVERAGE, SN_TASK_CLASSES, 3, 4, 2)};
    seqnet_scan_options o = options(out);
    o.task = "task3";
    scan(&rt, m, 2, &o, fa);
    check_track(out, m, 2, COMBINED, 2, (struct sn_windows){20, 5});
    o.strand = SEQNET_SCAN_BOTH;
    scan(&rt, m, 2, &o, fa);
    check_track(out, m, 2, BETTER, 2, (struct sn_windows){20, 5});
    sn_model_unref(m[0]);
    sn_model_unref(m[1]);
    m[0] = net_make(VARIABLE, SN_TASK_NUMBER, 1, 9, 2);
    m[0]->data_length = 24;
    o = options(out);
    scan(&rt, m, 1, &o, fa);
    check_track(out, m, 1, COMBINED, 0, (struct sn_windows){24, 6});
    o.window = 31;
    o.stride = 40;
    scan(&rt, m, 1, &o, fa);
    check_track(out, m, 1, COMBINED, 0, (struct sn_windows){31, 40});
    sn_model_unref(m[0]);
}
END_TEST

static void read_all(const char *path, char **text, size_t *n) {
    ck_ok(sn_read_file(path, 1 << 24, text, n));
}

START_TEST(threads_and_batches) {
    const char *fa = make_genome("g.fa"), *one = temp_path("1.bed"), *many = temp_path("2.bed");
    struct sn_model *m = net_make(AVERAGE, SN_TASK_BINARY, 1, 3, 2);
    struct sn_runtime alone = runtime_open(1), three = runtime_open(3);
    char *a, *b;
    size_t na, nb;
    seqnet_scan_options o = options(one);
    o.threshold = 0.5;
    o.stride = 1;
    scan(&alone, &m, 1, &o, fa);
    o.output = many;
    scan(&three, &m, 1, &o, fa);
    read_all(one, &a, &na);
    read_all(many, &b, &nb);
    ck_assert(na == nb && memcmp(a, b, na) == 0);
    free(a);
    free(b);
    runtime_close(&alone);
    runtime_close(&three);
    sn_model_unref(m);
}
END_TEST

/* More windows than three batches hold, from three workers: each in its place. */
START_TEST(many_batches) {
    enum { LENGTH = 70000, SIZE = 20 };
    static char bases[LENGTH + 1];
    static uint8_t codes[LENGTH], rows[LENGTH * SIZE];
    static float want[LENGTH];
    struct sn_model *m = net_make(AVERAGE, SN_TASK_BINARY, 1, 3, 2);
    struct sn_runtime three = runtime_open(3);
    struct sn_scorer_options so = {.max_len = SIZE, .workers = 1, .strand = -1, .backend = &net_backend};
    struct sn_scorer *s;
    struct sn_stream r;
    struct sn_str fa = {0};
    int64_t bad, n = LENGTH - SIZE + 1;
    char *text, *save = NULL;
    size_t size;
    sn_stream_init(&r, 8, 8, 8);
    random_bases(bases, LENGTH, 0, &r);
    ck_ok(sn_encode_seq(m->arch->alphabet, bases, LENGTH, codes, &bad));
    for (int64_t i = 0; i < n; i++) memcpy(rows + i * SIZE, codes + i, SIZE);
    ck_ok(sn_scorer_create(&m, 1, &so, &s));
    ck_ok(sn_scorer_run(s, 0, (int)n, rows, SIZE, NULL, want));
    ck_ok(sn_scorer_finish(s, (int)n, want));
    sn_scorer_free(s);
    ck_ok(sn_str_printf(&fa, ">long\n%s\n", bases));
    seqnet_scan_options o = options(temp_path("o.bedgraph"));
    o.stride = 1;
    ck_assert_int_eq(scan(&three, &m, 1, &o, temp_text("long.fa", fa.s)).windows, n);
    ck_ok(sn_read_file(o.output, 1 << 24, &text, &size));
    int64_t i = 0;
    for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        char line[128], value[32];
        if (l[0] == '#') continue;
        int64_t from = i == 0 ? 0 : i + 9, to = i == n - 1 ? LENGTH : i + 10;
        snprintf(line, sizeof line, "long\t%lld\t%lld\t%s", (long long)from, (long long)to, sn_format_f32(want[i++], value));
        ck_assert_str_eq(l, line);
    }
    ck_assert_int_eq(i, n);
    free(text);
    sn_str_free(&fa);
    runtime_close(&three);
    sn_model_unref(m);
}
END_TEST

/* ---- sites ---- */

/* Naive: walk all windows of a contig, join those that pass (a score of at least `threshold`, or a logit above `logit`) and overlap or
 * touch. */
static int naive_sites(struct sn_model *const *m, enum mode mode, struct sn_windows w, float threshold, float logit, struct line *v) {
    int n = 0;
    for (int c = 0; c < CONTIGS; c++) {
        bool open = false;
        float best = 0;
        for (int64_t i = 0; i < sn_windows_count(&w, contig_length[c]); i++) {
            uint8_t codes[64];
            int64_t start = i * w.stride, end = start + w.size < contig_length[c] ? start + w.size : contig_length[c];
            bool known = false;
            window_codes(c, start, w.size, codes);
            for (int64_t k = 0; k < w.size; k++) known |= codes[k] && (codes[k] & 15) != 15;
            struct value p = expected_value(m, 1, mode, 0, codes, w.size);
            if (!(p.score >= threshold || p.logit > logit) || !known) continue;
            if (!open || start > v[n - 1].end) {
                snprintf(v[n].chrom, sizeof v[n].chrom, "c%d", c);
                v[n++].start = start;
                best = -INFINITY;
            }
            open = true;
            struct line *l = &v[n - 1];
            l->end = end;
            if (p.logit <= best) continue;
            best = p.logit;
            sn_format_f32(p.score, l->value);
            l->score = (int)((double)p.score * 1000 + 0.5);
            l->summit = start + (end - start) / 2 - l->start;
            struct value f = score_window(m, 1, 0, 0, codes, w.size, false), r = score_window(m, 1, 0, 0, codes, w.size, true);
            l->strand = mode == FWD ? '+' : mode == REV ? '-' : r.logit > f.logit ? '-' : '+';
        }
    }
    return n;
}

static void same_sites(const struct line *want, int n, const struct line *got, int count) {
    ck_assert_int_eq(n, count);
    for (int i = 0; i < n; i++) {
        ck_assert_str_eq(want[i].chrom, got[i].chrom);
        ck_assert_str_eq(want[i].value, got[i].value);
        ck_assert_int_eq(want[i].start, got[i].start);
        ck_assert_int_eq(want[i].end, got[i].end);
        ck_assert_int_eq(want[i].strand, got[i].strand);
        ck_assert_int_eq(want[i].score, got[i].score);
        ck_assert_int_eq(want[i].summit, got[i].summit);
    }
}

START_TEST(sites) {
    static const char *const texts[] = {AVERAGE, MAXIMUM, FORWARD};
    static struct line want[400], got[400];
    const char *fa = make_genome("g.fa"), *out = temp_path("o.bed");
    int minus = 0, total = 0;
    for (int k = 0; k < 3; k++) {
        struct sn_model *m = net_make(texts[k], SN_TASK_BINARY, 1, 11, 2);
        for (int strand = SEQNET_SCAN_MODEL; strand <= SEQNET_SCAN_REVERSE; strand++)
            for (int t = 40; t < 80; t += 5) {
                static const enum mode modes[] = {COMBINED, BETTER, FWD, REV};
                enum mode mode = strand == SEQNET_SCAN_MODEL && k == 2 ? BETTER : modes[strand];
                seqnet_scan_options o = options(out);
                o.strand = strand;
                o.threshold = t / 100.0;
                o.stride = 3 + k * 9;
                struct sn_windows w = {20, o.stride};
                seqnet_scan_result r = scan(&rt, &m, 1, &o, fa);
                int n = naive_sites(&m, mode, w, (float)o.threshold, INFINITY, want), count = read_lines(out, got, 400);
                same_sites(want, n, got, count);
                ck_assert_int_eq(r.sites, n);
                total += n;
                for (int i = 0; i < n; i++) minus += want[i].strand == '-';
            }
        sn_model_unref(m);
    }
    ck_assert(total > 100 && minus > 20 && minus < total - 20); /* the cases are not trivial */
}
END_TEST

static void calibrate(struct sn_model *m) {
    static const double level[] = {0.5, 0.9, 0.99};
    static const float quantile[] = {-0.405465f, 0.2006707f, 0.4054651f}; /* logits of 0.4, 0.55, 0.6 */
    m->n_quantiles = 3;
    m->quantile_level = sn_calloc(3, sizeof *m->quantile_level);
    m->quantile = sn_calloc(3, sizeof *m->quantile);
    memcpy(m->quantile_level, level, sizeof level);
    memcpy(m->quantile, quantile, sizeof quantile);
}

START_TEST(false_positive_rate) {
    static struct line want[400], got[400];
    const char *fa = make_genome("g.fa"), *out = temp_path("o.bed");
    struct sn_model *m = net_make(AVERAGE, SN_TASK_BINARY, 1, 11, 2);
    struct sn_scanner *s;
    seqnet_scan_options o = options(out);
    o.fpr = 0.1;
    ck_error(sn_scanner_create(&rt, &m, 1, &o, &s), SEQNET_EDATA, "no calibration table");
    calibrate(m);
    seqnet_scan_result r = scan(&rt, &m, 1, &o, fa);
    ck_assert_double_eq_tol(r.threshold, 0.55, 1e-6);
    same_sites(want, naive_sites(&m, COMBINED, (struct sn_windows){20, 5}, INFINITY, 0.2006707f, want), got, read_lines(out, got, 400));
    ck_assert_int_gt(r.sites, 0);
    ck_assert_double_eq_tol(r.expected_false_per_mb, 0.1 * 1e6 / 5, 1e-6);
    o.fpr = 0.05; /* the next stricter level */
    ck_assert_double_eq_tol(scan(&rt, &m, 1, &o, fa).threshold, 0.6, 1e-6);
    o.fpr = 0.001;
    ck_error(sn_scanner_create(&rt, &m, 1, &o, &s), SEQNET_EDATA, "the least it can tell is 0.01");
    o.fpr = NAN;
    o.threshold = 0.57; /* between the levels: at most the rate of the lower one */
    ck_assert_double_eq_tol(scan(&rt, &m, 1, &o, fa).expected_false_per_mb, 0.1 * 1e6 / 5, 1e-6);
    m->shuffled_negatives = true;
    last_warning[0] = '\0';
    scan(&rt, &m, 1, &o, fa);
    ck_assert_ptr_nonnull(strstr(last_warning, "come out too high"));
    struct sn_model *two[2] = {m, m};
    o.fpr = 0.1;
    ck_error(sn_scanner_create(&rt, &m, 1, &o, &s), SEQNET_EINVAL, "not both");
    o.threshold = NAN;
    ck_error(sn_scanner_create(&rt, two, 2, &o, &s), SEQNET_EINVAL, "needs one model");
    sn_model_unref(m);
}
END_TEST

/* ---- regions ---- */

/* The lines of the whole genome, clipped to a region, are the lines of the region. */
static int clip(const struct line *v, int n, const char *chrom, int64_t from, int64_t to, struct line *out) {
    int k = 0;
    for (int i = 0; i < n; i++) {
        if (strcmp(v[i].chrom, chrom) != 0 || v[i].start >= to || v[i].end <= from) continue;
        out[k] = v[i];
        if (out[k].start < from) out[k].start = from;
        if (out[k].end > to) out[k].end = to;
        k++;
    }
    return k;
}

static void same_lines(const struct line *a, int n, const struct line *b, int m) {
    ck_assert_int_eq(n, m);
    for (int i = 0; i < n; i++) {
        ck_assert_str_eq(a[i].chrom, b[i].chrom);
        ck_assert_str_eq(a[i].value, b[i].value);
        ck_assert_int_eq(a[i].start, b[i].start);
        ck_assert_int_eq(a[i].end, b[i].end);
    }
}

START_TEST(regions) {
    static struct line all[600], want[600], got[600];
    const char *fa = make_genome("g.fa"), *out = temp_path("o.bedgraph");
    struct sn_model *m = net_make(AVERAGE, SN_TASK_BINARY, 1, 11, 2);
    seqnet_scan_options o = options(out);
    scan(&rt, &m, 1, &o, fa);
    int n = read_lines(out, all, 600);
    struct {
        const char *text;
        const char *chrom;
        int64_t from, to;
    } const cases[] = {{"c0", "c0", 0, 333},          {"c0:1-333", "c0", 0, 333},    {"c0:5", "c0", 4, 333},
                       {"c0:30-", "c0", 29, 333},     {"c0:100-101", "c0", 99, 101}, {"c2", "c2", 0, 7},
                       {"c2:3-4", "c2", 2, 4},        {"c1:20-20", "c1", 19, 20},    {"c6:1-1", "c6", 0, 1},
                       {"c6:118-120", "c6", 117, 120}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        o.region = cases[k].text;
        seqnet_scan_result r = scan(&rt, &m, 1, &o, fa);
        ck_assert_int_eq(r.bases, cases[k].to - cases[k].from);
        same_lines(want, clip(all, n, cases[k].chrom, cases[k].from, cases[k].to, want), got, read_lines(out, got, 600));
    }
    o.region = NULL;
    o.regions_bed = temp_text("r.bed", "c6\t100\t110\nc0\t10\t30\nc0\t25\t60\nc0\t60\t61\nc0\t70\t80\n");
    scan(&rt, &m, 1, &o, fa);
    int k = clip(all, n, "c0", 10, 61, want);
    k += clip(all, n, "c0", 70, 80, want + k);
    k += clip(all, n, "c6", 100, 110, want + k);
    same_lines(want, k, got, read_lines(out, got, 600));
    sn_model_unref(m);
}
END_TEST

START_TEST(bad_regions) {
    const char *fa = make_genome("g.fa");
    struct sn_windows w = {20, 5};
    const struct sn_alphabet *a = sn_alphabet_find("dna");
    struct sn_scan_reader *r;
    static const struct {
        const char *region, *message;
        int code;
    } cases[] = {{"c0:0-5", "1 <= from", SEQNET_EDATA},
                 {"c0:9-5", "1 <= from", SEQNET_EDATA},
                 {"c0:300-334", "333", SEQNET_EDATA},
                 {"c0:x-5", "expected contig", SEQNET_EINVAL},
                 {"c0:", "expected contig", SEQNET_EINVAL},
                 {"c9", "c9", SEQNET_EDATA},
                 {"c9:1-5", "c9", SEQNET_EDATA}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        ck_error(sn_scan_reader_open(fa, a, &w, cases[k].region, NULL, &r), cases[k].code, cases[k].message);
    ck_error(sn_scan_reader_open(fa, a, &w, NULL, temp_text("r.bed", "c0\t1\t5\nc1\t5\t21\n"), &r), SEQNET_EDATA, "r.bed:2");
    ck_error(sn_scan_reader_open("-", a, &w, "c0", NULL, &r), SEQNET_EINVAL, "standard input");
}
END_TEST

/* ---- files ---- */

START_TEST(compressed_with_index) {
    const char *fa = make_genome("g.fa"), *out = temp_path("o.bedGraph.gz"), *plain = temp_path("o.bedgraph");
    static struct line all[600];
    struct sn_model *m = net_make(AVERAGE, SN_TASK_BINARY, 1, 11, 2);
    seqnet_scan_options o = options(plain);
    o.command = "seqnet scan\tx";
    scan(&rt, &m, 1, &o, fa);
    int n = read_lines(plain, all, 600), found = 0, wanted = 0;
    o.output = out;
    scan(&rt, &m, 1, &o, fa);
    htsFile *f = hts_open(out, "r");
    tbx_t *index = tbx_index_load(out);
    ck_assert(f && index);
    hts_itr_t *it = tbx_itr_querys(index, "c0:101-120");
    kstring_t s = {0};
    while (tbx_itr_next(f, index, it, &s) >= 0) found++;
    for (int i = 0; i < n; i++) wanted += strcmp(all[i].chrom, "c0") == 0 && all[i].start < 120 && all[i].end > 100;
    ck_assert_int_eq(found, wanted);
    ck_assert_int_gt(found, 2);
    free(s.s);
    tbx_itr_destroy(it);
    tbx_destroy(index);
    hts_close(f);
    ck_assert_int_eq(tempdir_count(), 4); /* genome, track, compressed track, index: nothing temporary */
    sn_model_unref(m);
}
END_TEST

/* Where probabilities saturate, logits still tell the best window and what is above the calibrated level. */
START_TEST(saturated_sites) {
    static struct line want[400], got[400];
    const char *fa = make_genome("g.fa"), *out = temp_path("o.bed");
    struct sn_model *m = net_make(AVERAGE, SN_TASK_BINARY, 1, 11, 9);
    m->params[m->arch->graph->n_params - 1] = 100; /* the bias of the output: every score is 1 */
    seqnet_scan_options o = options(out);
    struct sn_windows w = {20, 5};
    o.threshold = 1;
    scan(&rt, &m, 1, &o, fa);
    int n = naive_sites(&m, COMBINED, w, 1, INFINITY, want);
    same_sites(want, n, got, read_lines(out, got, 400));
    calibrate(m);
    uint8_t codes[64];
    window_codes(0, 50, 20, codes);
    m->quantile[2] = score_window(&m, 1, -1, 0, codes, 20, false).logit;
    o.threshold = NAN;
    o.fpr = 0.01;
    scan(&rt, &m, 1, &o, fa);
    int above = naive_sites(&m, COMBINED, w, INFINITY, m->quantile[2], want);
    same_sites(want, above, got, read_lines(out, got, 400));
    ck_assert(above > 0 && above != n);
    /* the level itself is not above it */
    for (int64_t i = 0; i < sn_windows_count(&w, contig_length[0]); i++) {
        window_codes(0, i * 5, 20, codes);
        float logit = score_window(&m, 1, -1, 0, codes, 20, false).logit;
        if (logit > m->quantile[2]) m->quantile[2] = logit;
    }
    o.region = "c0";
    ck_assert_int_eq(scan(&rt, &m, 1, &o, fa).sites, 0);
    sn_model_unref(m);
}
END_TEST

START_TEST(no_sites) {
    const char *fa = make_genome("g.fa"), *out = temp_path("o.bed.gz");
    struct sn_model *m = net_make(AVERAGE, SN_TASK_BINARY, 1, 11, 2);
    seqnet_scan_options o = options(out);
    o.threshold = 2;
    ck_assert_int_eq(scan(&rt, &m, 1, &o, fa).sites, 0);
    ck_assert_int_eq(tempdir_count(), 3);
    sn_model_unref(m);
}
END_TEST

static void create_fails(struct sn_model *m, const seqnet_scan_options *o, int code, const char *message) {
    struct sn_scanner *s;
    ck_error(sn_scanner_create(&rt, &m, 1, o, &s), code, message);
    ck_assert_ptr_null(s);
}

START_TEST(bad_options) {
    struct sn_model *m = net_make(AVERAGE, SN_TASK_BINARY, 2, 11, 2), *v = net_make(VARIABLE, SN_TASK_BINARY, 1, 11, 2);
    seqnet_scan_options o = options(temp_path("o.bedgraph"));
    o.task = "task9";
    create_fails(m, &o, SEQNET_EINVAL, "no such task");
    o = options(temp_path("o.bedgraph"));
    create_fails(v, &o, SEQNET_EINVAL, "give the window");
    o.window = 3;
    create_fails(v, &o, SEQNET_EINVAL, "expected 5 to");
    create_fails(m, &o, SEQNET_EINVAL, "exactly 20");
    o = options(temp_path("o.bw"));
    create_fails(m, &o, SEQNET_ENOTSUP, "bigWig");
    o = options(temp_path("o.txt"));
    create_fails(m, &o, SEQNET_EINVAL, "expected a name ending");
    o = options(temp_path("o.bed"));
    create_fails(m, &o, SEQNET_EINVAL, "false positive rate or a threshold");
    o = options(temp_path("o.bedgraph"));
    o.threshold = 0.5;
    create_fails(m, &o, SEQNET_EINVAL, "ending in .bed");
    o.threshold = NAN;
    o.region = "c0";
    o.regions_bed = "x.bed";
    create_fails(m, &o, SEQNET_EINVAL, "not both");
    sn_model_unref(m);
    sn_model_unref(v);
}
END_TEST

static void run_fails(struct sn_model *m, const char *output, const char *fa, int code, const char *message) {
    struct sn_scanner *s;
    seqnet_scan_options o = options(output);
    ck_ok(sn_scanner_create(&rt, &m, 1, &o, &s));
    ck_error(sn_scanner_run(s, fa), code, message);
    sn_scanner_free(s);
}

START_TEST(failing_runs) {
    struct sn_model *m = net_make(AVERAGE, SN_TASK_BINARY, 1, 11, 2);
    const char *fa = make_genome("g.fa"), *out = temp_path("o.bedgraph");
    run_fails(m, out, temp_path("missing.fa"), SEQNET_EIO, "missing.fa");
    run_fails(m, out, temp_text("bad.fa", ">a\nACGT!ACGT\n"), SEQNET_EFORMAT, "bad.fa:2");
    run_fails(m, temp_path("no/such/o.bedgraph"), fa, SEQNET_EIO, "o.bedgraph");
    run_fails(m, "/dev/full", fa, SEQNET_EIO, "/dev/full");
    ck_assert_int_eq(tempdir_count(), 2); /* the two genomes */
    sn_model_unref(m);
}
END_TEST

/* Batches are of one size whatever the genome: the reader's memory does not grow. */
START_TEST(flat_memory) {
    struct sn_windows w = {100, 25};
    struct sn_scan_batch b;
    ck_ok(sn_scan_batch_create(&w, 64, (size_t)1 << 30, &b));
    ck_assert_uint_eq(b.cap, 64 * 25 + 125);
    sn_scan_batch_free(&b);
    w.stride = 1 << 24;
    ck_ok(sn_scan_batch_create(&w, 1 << 14, (size_t)1 << 20, &b));
    ck_assert_uint_eq(b.cap, ((size_t)1 << 20) + 100 + (1 << 24));
    sn_scan_batch_free(&b);
}
END_TEST

int main(void) {
    Suite *s = suite_create("scan");
    TCase *pure = tcase_create("geometry"), *files = tcase_create("files");
    tcase_add_test(pure, windows);
    tcase_add_test(pure, windows_of_regions);
    tcase_add_test(pure, flat_memory);
    tcase_add_checked_fixture(files, open_all, close_all);
    tcase_set_timeout(files, 60);
    tcase_add_test(files, reader);
    tcase_add_test(files, track);
    tcase_add_test(files, track_of_classes_and_ensembles);
    tcase_add_test(files, threads_and_batches);
    tcase_add_test(files, many_batches);
    tcase_add_test(files, sites);
    tcase_add_test(files, false_positive_rate);
    tcase_add_test(files, regions);
    tcase_add_test(files, bad_regions);
    tcase_add_test(files, compressed_with_index);
    tcase_add_test(files, no_sites);
    tcase_add_test(files, saturated_sites);
    tcase_add_test(files, bad_options);
    tcase_add_test(files, failing_runs);
    suite_add_tcase(s, pure);
    suite_add_tcase(s, files);
    return unit_run(s);
}
