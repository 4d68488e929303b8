/* What explaining draws: filters as motifs that MEME readers and we read back, their likeness to known ones, logos of filters and
 * sequences. */
#include <sys/stat.h>

#include "api/pictures.h"
#include "core/file.h"
#include "motif/database.h"
#include "nets.h"
#include "tempfile.h"
#include "unit.h"

#define NET                                                                                                                                \
    "name: c\ninput: {length: variable}\nlayers:\n  - conv1d: {filters: 3, kernel_size: 6, activation: relu}\n"                            \
    "  - global_max_pooling1d\n  - dense: {units: tasks, activation: auto}\n"
#define LSTM "name: l\ninput: {length: variable}\nlayers:\n  - lstm: {units: 3}\n  - dense: {units: tasks, activation: auto}\n"

static struct sn_runtime rt;
static char dir[600];

static void open_all(void) {
    tempdir_make();
    snprintf(dir, sizeof dir, "%s/out", tempdir);
    rt = runtime_open(2);
}

static void remove_files(const char *path) {
    char name[1200];
    DIR *d = opendir(path);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        snprintf(name, sizeof name, "%.800s/%.300s", path, e->d_name);
        if (e->d_name[0] != '.') unlink(name);
    }
    closedir(d);
    rmdir(path);
}

static void close_all(void) {
    char logos[700];
    snprintf(logos, sizeof logos, "%s/logos", dir);
    remove_files(logos);
    remove_files(dir);
    runtime_close(&rt);
    tempdir_remove();
}

static int count_files(const char *part) {
    char logos[700];
    snprintf(logos, sizeof logos, "%s/logos", dir);
    int n = 0;
    DIR *d = opendir(logos);
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) n += e->d_name[0] != '.' && strstr(e->d_name, part) != NULL;
    closedir(d);
    return n;
}

/* Filter f finds GATTAC, its reverse complement, nothing. */
static struct sn_model *make_model(void) {
    static const char *const words[] = {"GATTAC", "GTAATC", "AAAAAA"};
    struct sn_model *m = net_make(NET, SN_TASK_BINARY, 1, 5, 2);
    for (int k = 0; k < 6; k++)
        for (int c = 0; c < 4; c++)
            for (int f = 0; f < 3; f++) m->params[(k * 4 + c) * 3 + f] = words[f][k] == "ACGT"[c] && f < 2 ? 1 : -1;
    m->params[72] = m->params[73] = -4;
    m->params[74] = 0;
    return m;
}

static struct sn_dataset *make_dataset(int n) {
    struct sn_dataset *d;
    struct sn_stream r;
    char s[61], name[40];
    uint8_t codes[60];
    int64_t bad;
    sn_stream_init(&r, 1, 2, 3);
    ck_ok(sn_dataset_create(sn_alphabet_find("dna"), &d));
    for (int i = 0; i < n; i++) {
        random_bases(s, 60, 0, &r);
        memcpy(s + 10 + i, i % 3 ? "GATTAC" : "GTAATC", 6);
        ck_assert_int_ge(sn_encode_seq(d->alphabet, s, 60, codes, &bad), 0);
        snprintf(name, sizeof name, "a/b c:%d", i);
        ck_ok(sn_dataset_add(d, name, codes, 60, NULL, NULL));
    }
    return d;
}

static int draw(struct sn_model *m, const struct sn_dataset *d, const struct sn_motif_set *known, int n_logos, int *motifs) {
    struct sn_explainer *e;
    struct sn_explained x;
    seqnet_explain_options o = {.size = sizeof o, .references = "zero", .seed = 1};
    ck_ok(sn_explainer_create(&rt, &m, 1, &o, &e));
    ck_ok(sn_explainer_folder(e, d, dir, &x));
    struct sn_pictures p = {.e = e, .d = d, .x = &x, .known = known, .sink = rt.sink, .folder = dir, .n_logos = n_logos};
    int rc = sn_pictures_write(&p, motifs);
    sn_explained_free(&x);
    sn_explainer_free(e);
    return rc;
}

static char *read_out(const char *name) {
    char path[700], *text;
    size_t n;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_ok(sn_read_file(path, 1 << 24, &text, &n));
    return text;
}

START_TEST(filters) {
    struct sn_model *m = make_model();
    struct sn_dataset *d = make_dataset(20);
    struct sn_motif_set known, back;
    int motifs;
    ck_ok(sn_motifs_read(
        temp_text("db.meme",
                  "MEME version 4\nMOTIF m1 POLYA\nletter-probability matrix:\n1 0 0 0\n1 0 0 0\n1 0 0 0\n1 0 0 0\n1 0 0 0\n1 0 0 0\n"
                  "MOTIF m2\nletter-probability matrix:\n.1 .7 .1 .1\n0 0 1 0\n1 0 0 0\n0 0 0 1\n0 0 0 1\n1 0 0 0\n0 1 0 0\n"),
        &known));
    ck_ok(draw(m, d, &known, 4, &motifs));
    ck_assert_int_eq(motifs, 2);
    char *t = read_out("filters.tsv"), id[2][32], consensus[2][32], best[2][32], name[2][32], strand[2];
    int sites[2], offset[2];
    double max, information, r[2];
    char *line = strchr(t, '\n') + 1;
    for (int f = 0; f < 2; f++, line = strchr(line, '\n') + 1)
        ck_assert_int_eq(sscanf(line, "%31s %d %lf %lf %31s %31s %31s %lf %c %d", id[f], &sites[f], &max, &information, consensus[f],
                                best[f], name[f], &r[f], &strand[f], &offset[f]),
                         10);
    ck_assert_ptr_eq(line, t + strlen(t));
    ck_assert_str_eq(id[0], "conv1d_0");
    ck_assert_str_eq(id[1], "conv1d_1");
    ck_assert_str_eq(consensus[0], "GATTAC");
    ck_assert_str_eq(consensus[1], "GTAATC");
    ck_assert(strcmp(best[0], "m2") == 0 && strcmp(name[0], "m2") == 0 && strand[0] == '+' && offset[0] == 1 && r[0] > 0.99);
    ck_assert(strcmp(best[1], "m2") == 0 && strand[1] == '-' && offset[1] == 0 && r[1] > 0.99);
    ck_assert_int_ge(sites[0], 13);
    free(t);
    char path[700];
    snprintf(path, sizeof path, "%s/filters.meme", dir);
    ck_ok(sn_motifs_read(path, &back));
    ck_assert(back.n == 2 && back.m[0].width == 6 && back.m[0].nsites == sites[0]);
    /* a base that each site has: all counts and its share of the pseudo-count */
    ck_assert_double_eq_tol(back.m[0].p[2], (sites[0] + 0.25) / (sites[0] + 1), 2e-6);
    ck_assert_int_eq(count_files("filter_conv1d_"), 2);
    ck_assert_int_eq(count_files("sequence_"), 4);
    ck_assert_int_eq(count_files("sequence_001_a_b_c_"), 1);
    ck_assert_int_eq(count_files(".tmp."), 0);
    t = read_out("logos/filter_conv1d_0.svg");
    ck_assert_int_eq(strncmp(t, "<svg ", 5), 0);
    free(t);
    sn_motif_set_free(&known);
    sn_motif_set_free(&back);
    sn_dataset_free(d);
    sn_model_unref(m);
}
END_TEST

START_TEST(without_known_motifs_and_filters) {
    struct sn_model *m = make_model(), *l = net_make(LSTM, SN_TASK_BINARY, 1, 5, 2);
    struct sn_dataset *d = make_dataset(3);
    struct sn_motif_set known = {0};
    struct stat st;
    char path[700];
    int motifs;
    ck_ok(draw(l, d, &known, 10, &motifs));
    snprintf(path, sizeof path, "%s/filters.meme", dir);
    ck_assert(motifs == 0 && stat(path, &st) != 0);
    ck_assert_int_eq(count_files("sequence_"), 3); /* no more than there are */
    ck_ok(draw(m, d, &known, 0, &motifs));
    ck_assert(motifs == 2 && stat(path, &st) == 0);
    char *t = read_out("filters.tsv");
    ck_assert_ptr_null(strstr(t, "best_match"));
    free(t);
    sn_dataset_free(d);
    sn_model_unref(m);
    sn_model_unref(l);
}
END_TEST

/* The strongest sequence comes first; its letters are its bases, as high as they contribute. */
START_TEST(strongest_sequence) {
    struct sn_model *m = make_model();
    struct sn_dataset *d;
    struct sn_motif_set known = {0};
    static const char *const bases[] = {"CCCCCCCCCCCCCCCC", "CCCCCGATTACCCCCC", "CCCNNNNNCCCCCCCC"};
    int motifs, n = 0;
    ck_ok(sn_dataset_create(sn_alphabet_find("dna"), &d));
    for (int i = 0; i < 3; i++) {
        uint8_t codes[16];
        int64_t bad;
        ck_assert_int_ge(sn_encode_seq(d->alphabet, bases[i], 16, codes, &bad), 0);
        ck_ok(sn_dataset_add(d, i == 1 ? "hit" : "other", codes, 16, NULL, NULL));
    }
    for (int f = 0; f < 3; f++) m->params[75 + f] = 1; /* the output is the sum of the filters */
    ck_ok(draw(m, d, &known, 1, &motifs));
    char *t = read_out("logos/sequence_001_hit.svg");
    char letters[17] = {0};
    for (const char *s = t; (s = strstr(s, "<use xlink:href=\"#")) != NULL; s++) letters[n++] = s[18];
    ck_assert_int_eq(n, 6);
    ck_assert_str_eq(letters, "GATTAC");
    free(t);
    sn_dataset_free(d);
    sn_model_unref(m);
}
END_TEST

/* A folder that cannot be written to: an error, no half-written file. */
START_TEST(unwritable) {
    struct sn_model *m = make_model();
    struct sn_dataset *d = make_dataset(3);
    struct sn_motif_set known = {0};
    char path[700];
    int motifs;
    ck_assert_int_eq(mkdir(dir, 0777), 0);
    snprintf(path, sizeof path, "%s/logos", dir);
    struct sn_outfile *f;
    ck_ok(sn_outfile_open(path, &f)); /* a file where the logos should go */
    ck_ok(sn_outfile_commit(f));
    ck_error(draw(m, d, &known, 1, &motifs), SEQNET_EIO, "logos");
    sn_dataset_free(d);
    sn_model_unref(m);
}
END_TEST

int main(void) {
    Suite *s = suite_create("pictures");
    TCase *t = tcase_create("pictures");
    tcase_add_checked_fixture(t, open_all, close_all);
    tcase_add_test(t, filters);
    tcase_add_test(t, without_known_motifs_and_filters);
    tcase_add_test(t, strongest_sequence);
    tcase_add_test(t, unwritable);
    suite_add_tcase(s, t);
    return unit_run(s);
}
