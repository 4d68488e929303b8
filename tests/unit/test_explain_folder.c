/* Folders of explanations: several tasks at once, and runs that go on after they were stopped, byte for byte. */
#include <stdlib.h>
#include <sys/stat.h>

#include "core/file.h"
#include "explain/explain.h"
#include "nets.h"
#include "seq/dataset.h"
#include "tempfile.h"
#include "unit.h"

#define N 13
#define FILES 7
static const char *const files[FILES] = {"one_hot.npz",   "hypothetical.npz", "contributions.npz",     "contributions.tsv",
                                         "sequences.tsv", "run.tsv",          "contributions.bedgraph"};
static struct sn_runtime rt;

static void open_all(void) {
    tempdir_make();
    rt = runtime_open(2);
    last_warning[0] = '\0';
}

static void close_all(void) {
    char command[700];
    runtime_close(&rt);
    snprintf(command, sizeof command, "rm -rf '%s'", tempdir);
    ck_assert_int_eq(system(command), 0);
}

#define NET                                                                                                                                \
    "name: c\ninput: {length: variable, strand: average}\nlayers:\n  - conv1d: {filters: 6, kernel_size: 5, activation: relu}\n"           \
    "  - global_max_pooling1d\n  - dense: {units: 5, activation: tanh}\n  - dense: {units: tasks, activation: auto}\n"

static struct sn_model *model(uint64_t seed, int tasks) {
    return net_make(NET, SN_TASK_BINARY, tasks, seed, 2);
}

static struct sn_dataset *dataset(uint64_t seed) {
    struct sn_dataset *d;
    struct sn_stream r;
    char s[41];
    uint8_t codes[41];
    int64_t bad;
    sn_stream_init(&r, seed, 1, 2);
    ck_ok(sn_dataset_create(sn_alphabet_find("dna"), &d));
    for (int i = 0; i < N; i++) {
        int64_t len = 20 + i;
        struct sn_interval at = {sn_dataset_chrom(d, "chrA"), (int8_t)(i % 2 ? -1 : 1), 10 * i, 10 * i + len};
        random_bases(s, len, 15, &r);
        ck_assert_int_ge(sn_encode_seq(d->alphabet, s, len, codes, &bad), 0);
        ck_ok(sn_dataset_add(d, NULL, codes, len, &at, NULL));
    }
    return d;
}

static seqnet_explain_options options(const char *method) {
    return (seqnet_explain_options){.size = sizeof(seqnet_explain_options), .method = method, .n_references = 3, .seed = 42};
}

/* Explains into a folder; the code of the call. */
static int run(struct sn_model *m, const seqnet_explain_options *o, const struct sn_dataset *d, const char *folder, int64_t *resumed) {
    struct sn_explainer *e;
    struct sn_explained x;
    seqnet_explain_result r;
    ck_ok(sn_explainer_create(&rt, &m, 1, o, &e));
    int rc = sn_explainer_folder(e, d, folder, &x);
    sn_explainer_result(e, &r);
    if (resumed) *resumed = r.resumed;
    sn_explained_free(&x);
    sn_explainer_free(e);
    return rc;
}

static const char *in(const char *folder, const char *file) {
    static char path[4][1100];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, file);
    return p;
}

static bool exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

static void same_files(const char *a, const char *folder) {
    char b[1000];
    snprintf(b, sizeof b, "%s", folder);
    for (int i = 0; i < FILES; i++) {
        char *x, *y;
        size_t n, k;
        ck_ok(sn_read_file(in(a, files[i]), 1 << 24, &x, &n));
        ck_ok(sn_read_file(in(b, files[i]), 1 << 24, &y, &k));
        ck_assert_msg(n == k && memcmp(x, y, n) == 0, "%s differs between %s and %s", files[i], a, b);
        free(x);
        free(y);
    }
}

/* A task's folder holds what a run for this task alone gives. */
START_TEST(folder_per_task) {
    static const char *const methods[] = {"deeplift", "integrated-gradients", "input-x-gradient", "saliency", "ism"};
    static const char *const names[] = {"CTCF (K562)", "CTCF [K562]", "logos"}, *const folders[] = {"CTCF__K562_", "CTCF__K562__2",
                                                                                                    "logos_3"};
    struct sn_model *m = model(1, 3);
    struct sn_dataset *d = dataset(1);
    seqnet_explain_options o = options(methods[_i]);
    char all[700], one[700];
    ck_ok(sn_model_set_tasks(m, SN_TASK_BINARY, names, 3));
    o.task = "all";
    snprintf(all, sizeof all, "%s", temp_path("all"));
    snprintf(one, sizeof one, "%s", temp_path("one"));
    ck_ok(run(m, &o, d, all, NULL));
    for (int t = 0; t < 3; t++) {
        o.task = names[t];
        ck_ok(run(m, &o, d, one, NULL));
        same_files(one, in(all, folders[t]));
    }
    ck_assert(!exists(in(all, "run.tsv")) && !exists(in(all, "explain.work")) && !exists(in(one, "explain.work")));
    sn_dataset_free(d);
    sn_model_unref(m);
}
END_TEST

/* Whole records of one task in the file. */
static int64_t records(const char *path, const struct sn_dataset *d) {
    struct stat st;
    int64_t at = 64, n = 0;
    if (stat(path, &st) != 0) return 0;
    while (n < d->n && (at += 36 + 32 * sn_dataset_len(d, n)) <= st.st_size) n++;
    return n;
}

static struct {
    char work[1000];
    const struct sn_dataset *d;
    int64_t n;
} stop;

static bool stop_later(void *self) {
    (void)self;
    return records(stop.work, stop.d) >= stop.n;
}

/* Stops when n sequences or more are done. */
static int run_until(int64_t n, struct sn_model *m, const seqnet_explain_options *o, const struct sn_dataset *d, const char *folder) {
    snprintf(stop.work, sizeof stop.work, "%s/explain.work", folder);
    stop.d = d, stop.n = n;
    net_sink.cancel = stop_later;
    int rc = run(m, o, d, folder, NULL);
    net_sink.cancel = NULL;
    return rc;
}

/* Stopped again and again and gone on with: the same bytes. */
START_TEST(goes_on) {
    static const char *const methods[] = {"deeplift", "integrated-gradients", "ism"};
    struct sn_model *m = model(1, 2);
    struct sn_dataset *d = dataset(1);
    seqnet_explain_options o = options(methods[_i]);
    char whole[700], parts[700];
    int stops = 0, rc;
    int64_t resumed = 0;
    snprintf(whole, sizeof whole, "%s", temp_path("whole"));
    snprintf(parts, sizeof parts, "%s", temp_path("parts"));
    o.n_references = 20;
    ck_ok(run(m, &o, d, whole, NULL));
    o.resume = 1;
    for (int64_t n = 1; (rc = run_until(n, m, &o, d, parts)) == SEQNET_ECANCELED; n = records(stop.work, d) + 1) {
        for (int i = 0; i < FILES; i++) ck_assert(!exists(in(parts, files[i])));
        ck_assert_int_lt(++stops, N);
    }
    ck_ok(rc);
    ck_assert_int_ge(stops, 2);
    same_files(whole, parts);
    ck_assert(!exists(in(parts, "explain.work")));
    ck_ok(run(m, &o, d, parts, &resumed)); /* a finished folder is made anew */
    ck_assert_int_eq(resumed, 0);
    same_files(whole, parts);
    sn_dataset_free(d);
    sn_model_unref(m);
}
END_TEST

static void cut(const char *path, int64_t bytes) {
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(truncate(path, st.st_size - bytes), 0);
}

static void flip(const char *path, long at) {
    FILE *f = fopen(path, "r+b");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, at, SEEK_SET), 0);
    int c = fgetc(f);
    ck_assert_int_eq(fseek(f, at, SEEK_SET), 0);
    fputc(c ^ 1, f);
    fclose(f);
}

static int64_t done_after(struct sn_model *m, const seqnet_explain_options *o, const struct sn_dataset *d, const char *folder) {
    int64_t resumed;
    ck_ok(run(m, o, d, folder, &resumed));
    return resumed;
}

START_TEST(refuses_to_go_on) {
    struct sn_model *m = model(1, 2), *other = model(2, 2);
    struct sn_dataset *d = dataset(1), *e = dataset(2);
    seqnet_explain_options o = options("ism"), changed;
    char folder[700], work[900];
    snprintf(folder, sizeof folder, "%s", temp_path("f"));
    snprintf(work, sizeof work, "%s/explain.work", folder);
    ck_assert_int_eq(run_until(1, m, &o, d, folder), SEQNET_ECANCELED);
    ck_assert(exists(work));
    ck_error(run(m, &o, d, folder, NULL), SEQNET_EINVAL, "go on with --resume");
    o.resume = 1;
    ck_error(run(other, &o, d, folder, NULL), SEQNET_EINVAL, "other models");
    ck_error(run(m, &o, e, folder, NULL), SEQNET_EINVAL, "other sequences");
    d->at[3].start++; /* the same bases elsewhere */
    ck_error(run(m, &o, d, folder, NULL), SEQNET_EINVAL, "other sequences");
    d->at[3].start--;
    changed = o, changed.method = "saliency";
    ck_error(run(m, &changed, d, folder, NULL), SEQNET_EINVAL, "other options");
    changed = o, changed.task = "task2";
    ck_error(run(m, &changed, d, folder, NULL), SEQNET_EINVAL, "other options");
    changed = o, changed.target = "probability";
    ck_error(run(m, &changed, d, folder, NULL), SEQNET_EINVAL, "other options");
    changed = o, changed.seed = 43;
    ck_error(run(m, &changed, d, folder, NULL), SEQNET_EINVAL, "other options");
    ck_assert(exists(work)); /* refusing loses nothing */
    ck_assert_int_gt(done_after(m, &o, d, folder), 0);
    ck_assert(!exists(work));
    temp_text("f/explain.work", "something else");
    ck_error(run(m, &o, d, folder, NULL), SEQNET_EFORMAT, "expected what an interrupted run left");
    sn_dataset_free(d);
    sn_dataset_free(e);
    sn_model_unref(m);
    sn_model_unref(other);
}
END_TEST

/* A record that was cut short or spoiled is computed again, with all behind it. */
START_TEST(drops_what_is_broken) {
    struct sn_model *m = model(1, 1);
    struct sn_dataset *d = dataset(1);
    seqnet_explain_options o = options("ism");
    char folder[700], whole[700], work[900];
    runtime_close(&rt);
    rt = runtime_open(1);
    snprintf(folder, sizeof folder, "%s", temp_path("f"));
    snprintf(whole, sizeof whole, "%s", temp_path("whole"));
    snprintf(work, sizeof work, "%s/explain.work", folder);
    ck_ok(run(m, &o, d, whole, NULL));
    o.resume = 1;
    for (int k = 0; k < 4; k++) {
        ck_assert_int_eq(run_until(2, m, &o, d, folder), SEQNET_ECANCELED);
        int64_t all = records(work, d);
        ck_assert(all >= 2 && all < N);
        if (k == 1) cut(work, 5);
        if (k == 2) cut(work, 500);
        if (k == 3) flip(work, 200); /* the first record */
        int64_t done = done_after(m, &o, d, folder);
        ck_assert_msg(done == (k == 0 ? all : k == 3 ? 0 : all - 1), "%d: %lld of %lld", k, (long long)done, (long long)all);
        same_files(whole, folder);
    }
    sn_dataset_free(d);
    sn_model_unref(m);
}
END_TEST

/* Rows of an array come back as they were; other files are refused. */
START_TEST(rows_come_back) {
    struct sn_model *m = model(1, 1);
    struct sn_dataset *d = dataset(1);
    seqnet_explain_options o = options("ism");
    struct sn_npz_rows *z;
    struct sn_explainer *e;
    int64_t n, channels, length, index = 7;
    int32_t len = (int32_t)sn_dataset_len(d, 7);
    float row[40 * 4], hyp[40 * 4];
    seqnet_explanation x;
    ck_ok(run(m, &o, d, temp_path("f"), NULL));
    ck_ok(sn_explainer_create(&rt, &m, 1, &o, &e));
    ck_ok(sn_explainer_run(e, 1, d->codes + d->offset[7], len, &len, &index, hyp, NULL, &x));
    ck_ok(sn_npz_rows_open(temp_path("f/hypothetical.npz"), &z));
    sn_npz_rows_shape(z, &n, &channels, &length);
    ck_assert(n == N && channels == 4 && length == sn_dataset_longest(d));
    ck_ok(sn_npz_row(z, 7, row));
    for (int k = 0; k < length * 4; k++) ck_assert_float_eq(row[k], k < len * 4 ? hyp[k] : 0);
    ck_error(sn_npz_row(z, N, row), SEQNET_EINVAL, "row 13 of 13");
    sn_npz_rows_close(z);
    cut(temp_path("f/hypothetical.npz"), 4000);
    ck_error(sn_npz_rows_open(temp_path("f/hypothetical.npz"), &z), SEQNET_EFORMAT, "cut off");
    ck_error(sn_npz_rows_open(temp_path("f/run.tsv"), &z), SEQNET_EFORMAT, "not a NumPy array");
    ck_error(sn_npz_rows_open(temp_path("f/none.npz"), &z), SEQNET_EIO, "none.npz");
    sn_explainer_free(e);
    sn_dataset_free(d);
    sn_model_unref(m);
}
END_TEST

int main(void) {
    Suite *s = suite_create("explain_folder");
    TCase *t = tcase_create("explain_folder");
    tcase_add_checked_fixture(t, open_all, close_all);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, folder_per_task, 0, 5);
    tcase_add_loop_test(t, goes_on, 0, 3);
    tcase_add_test(t, refuses_to_go_on);
    tcase_add_test(t, drops_what_is_broken);
    tcase_add_test(t, rows_come_back);
    suite_add_tcase(s, t);
    return unit_run(s);
}
