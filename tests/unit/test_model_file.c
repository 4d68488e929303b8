/* Model files: fresh weights, what is written comes back, and every kind of damaged or lying file is refused. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "model/identity.h"
#include "model/safetensors.h"
#include "unit.h"

static char dir[64], path[96], other[96];

static void make_dir(void) {
    snprintf(dir, sizeof dir, "/tmp/seqnet_model_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/m.seqnet", dir);
    snprintf(other, sizeof other, "%s/x.seqnet", dir);
}

static void remove_dir(void) {
    unlink(path);
    unlink(other);
    ck_assert_int_eq(rmdir(dir), 0); /* nothing else was left behind */
}

#define SMALL                                                                                                                              \
    "name: small\ninput: {length: variable, strand: average}\nlayers:\n"                                                                   \
    "  - conv1d: {filters: 3, kernel_size: 4, activation: relu}\n  - lstm: {units: 2, bidirectional: true}\n"                              \
    "  - dense: {units: tasks, activation: auto}\n"

static struct sn_model *make(const char *text, enum sn_task_kind kind, int tasks, uint64_t seed) {
    struct sn_arch *a;
    struct sn_model *m;
    ck_assert_msg(sn_arch_parse(text, strlen(text), "small.yaml", &a) == 0, "%s", seqnet_errmsg());
    ck_assert_msg(sn_arch_bind(a, kind, tasks, 50, 50) == 0, "%s", seqnet_errmsg());
    ck_assert_msg(sn_model_create(a, &m) == 0, "%s", seqnet_errmsg());
    ck_assert_msg(sn_model_init(m, seed) == 0, "%s", seqnet_errmsg());
    return m;
}

static struct sn_model *make_shipped(const char *name, uint64_t seed) {
    struct sn_arch *a;
    struct sn_model *m;
    ck_assert_msg(sn_arch_load(name, &a) == 0, "%s", seqnet_errmsg());
    ck_assert_int_eq(sn_arch_bind(a, SN_TASK_BINARY, 1, 101, 101), 0);
    ck_assert_int_eq(sn_model_create(a, &m), 0);
    ck_assert_int_eq(sn_model_init(m, seed), 0);
    return m;
}

/* ---- weights ---- */

static const struct sn_tensor *tensor(const struct sn_tensor *t, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (strcmp(t[i].name, name) == 0) return &t[i];
    ck_abort_msg("no tensor %s", name);
    return NULL;
}

START_TEST(fresh_weights) {
    struct sn_model *m = make_shipped("cnn-bilstm", 1);
    struct sn_tensor *t;
    int n;
    ck_assert_int_eq(sn_model_tensors(m->arch->graph, &t, &n), 0);
    const struct sn_tensor *conv = tensor(t, n, "conv1d/kernel"), *u = tensor(t, n, "lstm/recurrent_kernel"),
                           *b = tensor(t, n, "lstm/bias");
    double limit = sqrt(6.0 / (11 * 4 + 11 * 64)), largest = 0, sum = 0;
    for (int64_t i = 0; i < conv->count; i++) {
        double v = m->params[conv->offset + i];
        if (fabs(v) > largest) largest = fabs(v);
        sum += v;
    }
    ck_assert(largest <= limit * 1.000001 && largest > 0.99 * limit && fabs(sum / (double)conv->count) < 0.1 * limit);
    ck_assert(tensor(t, n, "conv1d/bias")->count == 64 && m->params[tensor(t, n, "conv1d/bias")->offset] == 0);
    for (int r = 0; r < 32; r++) { /* 32 orthonormal rows of 128 */
        for (int s = 0; s <= r; s++) {
            double dot = 0;
            for (int k = 0; k < 128; k++) dot += (double)m->params[u->offset + r * 128 + k] * m->params[u->offset + s * 128 + k];
            ck_assert_msg(fabs(dot - (r == s)) < 1e-6, "rows %d, %d: %g", r, s, dot);
        }
    }
    for (int k = 0; k < 128; k++) ck_assert(m->params[b->offset + k] == (k >= 32 && k < 64));
    free(t);
    sn_model_unref(m);
}
END_TEST

START_TEST(weights_follow_the_seed) {
    struct sn_model *a = make_shipped("cnn", 1), *b = make_shipped("cnn", 1), *c = make_shipped("cnn", 2);
    size_t bytes = (size_t)a->arch->graph->n_params * sizeof *a->params;
    ck_assert_int_eq(memcmp(a->params, b->params, bytes), 0);
    ck_assert_int_ne(memcmp(a->params, c->params, bytes), 0);
    /* the same on every compiler and machine */
    ck_assert_uint_eq(sn_st_crc(0, a->params, a->arch->graph->n_params), 0x5ca8a3d3u);
    struct sn_model *l = make(SMALL, SN_TASK_BINARY, 1, 7);
    ck_assert_uint_eq(sn_st_crc(0, l->params, l->arch->graph->n_params), 0x61254551u);
    sn_model_unref(l);
    sn_model_unref(a);
    sn_model_unref(b);
    sn_model_unref(c);
}
END_TEST

/* ---- writing and reading ---- */

static void fill_everything(struct sn_model *m) {
    static const char *const names[] = {"a \"quoted\"\\name", "\xc3\xa9t\xc3\xa9"};
    ck_assert_int_eq(sn_model_set_tasks(m, SN_TASK_NUMBER, names, 2), 0);
    m->target_mean = calloc(2, sizeof(float)), m->target_sd = calloc(2, sizeof(float));
    m->target_mean[0] = -1.5f, m->target_mean[1] = 0.1f, m->target_sd[0] = 3e-7f, m->target_sd[1] = 2;
    m->shuffled_negatives = true;
    m->n_quantiles = 3;
    m->quantile_level = calloc(3, sizeof(double)), m->quantile = calloc(6, sizeof(float));
    m->quantile_level[0] = 0.5, m->quantile_level[1] = 0.99, m->quantile_level[2] = 0.9999;
    for (int i = 0; i < 6; i++) m->quantile[i] = (float)i / 3 - 1;
    m->provenance = strdup("{\"command\": \"seqnet train \\\"x\\\"\", \"unknown key\": [1, {}]}");
}

START_TEST(round_trip) {
    struct sn_model *m = make(SMALL, SN_TASK_NUMBER, 2, 3), *r = NULL;
    char da[9], db[9];
    struct sn_str ia = {0}, ib = {0};
    fill_everything(m);
    ck_assert_msg(sn_model_write(m, path) == 0, "%s", seqnet_errmsg());
    ck_assert_msg(sn_model_read(path, &r) == 0, "%s", seqnet_errmsg());
    ck_assert_int_eq(sn_model_identity(m, &ia), 0);
    ck_assert_int_eq(sn_model_identity(r, &ib), 0);
    ck_assert_str_eq(ia.s, ib.s);
    ck_assert_int_eq(sn_model_digest(m, da), 0);
    ck_assert_int_eq(sn_model_digest(r, db), 0);
    ck_assert_str_eq(da, db);
    ck_assert_str_eq(r->provenance, m->provenance);
    ck_assert_str_eq(r->path, path);
    ck_assert_str_eq(r->tasks[0], "a \"quoted\"\\name");
    ck_assert(r->kind == SN_TASK_NUMBER && r->shuffled_negatives && r->n_quantiles == 3 && r->quantile_level[2] == 0.9999);
    ck_assert_int_eq(memcmp(r->quantile, m->quantile, 6 * sizeof(float)), 0);
    ck_assert(r->target_mean[0] == -1.5f && r->target_sd[0] == 3e-7f);
    for (int64_t i = 0; i < m->arch->graph->n_params; i++) ck_assert((float)m->params[i] == (float)r->params[i]);
    /* the digest is that of weights and identity, not of provenance */
    free(r->provenance);
    r->provenance = strdup("{}");
    ck_assert_int_eq(sn_model_digest(r, db), 0);
    ck_assert_str_eq(da, db);
    r->params[5] += (sn_real)1e-3;
    ck_assert_int_eq(sn_model_digest(r, db), 0);
    ck_assert_str_ne(da, db);
    r->params[5] = m->params[5];
    r->shuffled_negatives = false;
    ck_assert_int_eq(sn_model_digest(r, db), 0);
    ck_assert_str_ne(da, db);
    sn_str_free(&ia);
    sn_str_free(&ib);
    sn_model_unref(m);
    sn_model_unref(r);
}
END_TEST

START_TEST(references) {
    struct sn_model *m = make(SMALL, SN_TASK_BINARY, 1, 3);
    ck_assert_ptr_eq(sn_model_ref(m), m);
    sn_model_unref(m);
    ck_assert_int_eq(m->n_tasks, 1);
    ck_assert_str_eq(m->tasks[0], "task1");
    sn_model_unref(m);
    sn_model_unref(NULL);
}
END_TEST

START_TEST(task_names) {
    struct sn_model *m = make(SMALL, SN_TASK_BINARY, 2, 3);
    static const struct {
        const char *names[2];
        const char *piece;
    } cases[] = {{{"a", "a"}, "two tasks are called \"a\""}, {{"a", ""}, "is empty"},
                 {{"a\tb", "c"}, "control character"},       {{"a", "\xff"}, "not UTF-8"},
                 {{"a", "\xc0\x80"}, "not UTF-8"},           {{"a", "\xed\xa0\x80"}, "not UTF-8"}};
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(sn_model_set_tasks(m, SN_TASK_BINARY, cases[i].names, 2), SEQNET_EDATA);
        ck_assert_msg(strstr(seqnet_errmsg(), cases[i].piece) != NULL, "%s", seqnet_errmsg());
    }
    ck_assert_int_eq(sn_model_set_tasks(m, SN_TASK_BINARY, cases[0].names, 1), SEQNET_EDATA);
    ck_assert_str_eq(m->tasks[1], "task2");
    sn_model_unref(m);
}
END_TEST

START_TEST(cannot_write) {
    struct sn_model *m = make(SMALL, SN_TASK_BINARY, 1, 3);
    ck_assert_int_eq(sn_model_write(m, "/nowhere/m.seqnet"), SEQNET_EIO);
    ck_assert_int_eq(sn_model_write(m, dir), SEQNET_EIO);
    ck_assert_int_eq(sn_model_write(m, "/dev/full"), SEQNET_EIO);
    m->provenance = strdup("[1]");
    ck_assert_int_eq(sn_model_write(m, path), SEQNET_EMODEL);
    ck_assert_int_ne(access(path, F_OK), 0);
    sn_model_unref(m);
}
END_TEST

/* ---- damaged files ---- */

struct bytes {
    char *p;
    size_t n;
};

static struct bytes written(void) {
    struct sn_model *m = make(SMALL, SN_TASK_NUMBER, 2, 3);
    struct bytes b;
    fill_everything(m);
    ck_assert_int_eq(sn_model_write(m, path), 0);
    sn_model_unref(m);
    ck_assert_int_eq(sn_read_file(path, 1 << 24, &b.p, &b.n), 0);
    return b;
}

static int read_bytes(const char *p, size_t n) {
    struct sn_model *m = NULL;
    int fd = open(other, O_RDWR | O_CREAT, 0600); /* O_TRUNC would make some file systems flush at every close */
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, p, n, 0), (ssize_t)n);
    ck_assert_int_eq(ftruncate(fd, (off_t)n), 0);
    close(fd);
    int rc = sn_model_read(other, &m);
    ck_assert((rc == 0) == (m != NULL));
    sn_model_unref(m);
    return rc;
}

START_TEST(every_truncation) {
    struct bytes b = written();
    for (size_t n = 0; n < b.n; n++) {
        ck_assert_msg(read_bytes(b.p, n) == SEQNET_EMODEL, "%zu of %zu bytes were accepted", n, b.n);
        ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), other));
    }
    ck_assert_int_eq(read_bytes(b.p, b.n), 0);
    free(b.p);
}
END_TEST

START_TEST(every_byte_changed) {
    struct bytes b = written();
    size_t header = 0, accepted = 0;
    for (int i = 7; i >= 0; i--) header = header << 8 | (unsigned char)b.p[i];
    for (size_t i = 0; i < b.n; i++) {
        for (int bit = 0; bit < 8; bit += 3) {
            b.p[i] ^= (char)(1 << bit);
            int rc = read_bytes(b.p, b.n);
            if (i >= 8 + header) ck_assert_msg(rc == SEQNET_EMODEL && strstr(seqnet_errmsg(), "CRC-32C"), "byte %zu", i);
            accepted += rc == 0;
            b.p[i] ^= (char)(1 << bit);
        }
    }
    /* what may change unseen: names of tasks, provenance, numbers of calibration and training; never the weights */
    ck_assert_msg(accepted < header, "%zu changes of %zu header bytes", accepted, header);
    free(b.p);
}
END_TEST

/* The file with `from` replaced by `to` in its header, or with other header text altogether (from NULL). */
static int with_header(const struct bytes *b, const char *from, const char *to, size_t drop, const char *extra) {
    size_t header = 0, n;
    for (int i = 7; i >= 0; i--) header = header << 8 | (unsigned char)b->p[i];
    char *text = calloc(1, b->n + strlen(to) + 64), *at;
    char *h = strndup(b->p + 8, header);
    if (from) {
        at = strstr(h, from);
        ck_assert_msg(at != NULL, "the header lacks %s", from);
        n = (size_t)sprintf(text + 8, "%.*s%s%s", (int)(at - h), h, to, at + strlen(from));
    } else {
        n = (size_t)sprintf(text + 8, "%s", to);
    }
    for (int i = 0; i < 8; i++) text[i] = (char)(n >> (8 * i));
    size_t data = b->n - 8 - header - drop;
    memcpy(text + 8 + n, b->p + 8 + header, data);
    memcpy(text + 8 + n + data, extra, strlen(extra));
    int rc = read_bytes(text, 8 + n + data + strlen(extra));
    free(text);
    free(h);
    return rc;
}

static void refuse(const struct bytes *b, const char *from, const char *to, int code, const char *piece) {
    int rc = with_header(b, from, to, 0, "");
    ck_assert_msg(rc == code, "%s -> %s: code %d, expected %d: %s", from ? from : "", to, rc, code,
                  rc < 0 ? seqnet_errmsg() : "(accepted)");
    ck_assert_msg(strstr(seqnet_errmsg(), piece) != NULL, "\"%s\" lacks \"%s\"", seqnet_errmsg(), piece);
}

START_TEST(lying_headers) {
    struct bytes b = written();
    const int E = SEQNET_EMODEL;
    refuse(&b, "\"conv1d/kernel\":{\"dtype\":\"F32\"", "\"conv1d/kernel\":{\"dtype\":\"F16\"", E,
           "tensor \"conv1d/kernel\": dtype must be F32, got F16");
    refuse(&b, "\"conv1d/kernel\":{\"dtype\":\"F32\"", "\"conv1d/kernel\":{\"dtype\":32", E, "dtype must be F32");
    refuse(&b, "[4,4,3]", "[4,4,4]", E, "data_offsets do not agree with the shape");
    refuse(&b, "[4,4,3]", "[4,12]", E, "conv1d/kernel has shape (4,12), expected (4,4,3)");
    refuse(&b, "[4,4,3]", "[3,4,4]", E, "conv1d/kernel has shape (3,4,4), expected (4,4,3)");
    refuse(&b, "[4,4,3]", "[4,4,-3]", E, "integers of at least 0");
    refuse(&b, "[4,4,3]", "[4,4,3.0]", E, "integers of at least 0");
    refuse(&b, "[4,4,3]", "[4611686018427387904,4611686018427387904,3]", E, "shape is too large");
    refuse(&b, "[4,4,3]", "[1,1,1,1,1,1,4,4,3]", E, "at most 8 numbers");
    refuse(&b, "[0,192]", "[0,196]", E, "do not agree");
    refuse(&b, "[0,192]", "[192,0]", E, "lie outside the file");
    refuse(&b, "[0,192]", "[0,9007199254740992]", E, "lie outside the file");
    refuse(&b, "[0,192]", "[-1,191]", E, "two integers");
    refuse(&b, "[0,192]", "[0,192,3]", E, "two integers");
    refuse(&b, "[192,204]", "[180,192]", E, "overlaps another one");
    refuse(&b, "\"conv1d/bias\"", "\"conv1d/kernel\"", E, "the header is not JSON"); /* duplicate */
    refuse(&b, "\"conv1d/bias\":{", "\"conv1d/bias\":{\"x\":1,", E, "expected exactly dtype, shape and data_offsets");
    refuse(&b, "\"conv1d/bias\":{", "\"conv1d/extra\":{", E, "conv1d/bias (3) is missing; conv1d/extra is not of this architecture");
    refuse(&b, "\"conv1d/bias\":{", "\"empty\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[192,192]},\"conv1d/bias\":{", E,
           "empty is not of this architecture");
    refuse(&b, ",\"conv1d/bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[192,204]}", "", E, "a hole lies before it");
    refuse(&b, "\"seqnet_identity\"", "\"seqnet_identitx\"", E, "not a seqnet model");
    refuse(&b, "\"format\":\"seqnet 1\"", "\"format\":1", E, "must be a text");
    refuse(&b, NULL, "[]", E, "does not begin with '{'");
    refuse(&b, NULL, "{}", E, "bytes behind the last tensor");
    refuse(&b, NULL, "{\"__metadata__\":[]}", E, "must be a map of texts");
    refuse(&b, NULL, "{\"a\":\"\xff\"}", E, "the header is not JSON");
    ck_assert_int_eq(with_header(&b, "}", "}", 0, "xxxx"), E); /* polyglots */
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "4 bytes behind the last tensor"));
    ck_assert_int_eq(with_header(&b, "}", "}", 4, ""), E);
    ck_assert_int_eq(with_header(&b, "}", "}", 0, ""), 0);
    free(b.p);
}
END_TEST

START_TEST(lying_identity) {
    struct bytes b = written();
    const int E = SEQNET_EMODEL;
    refuse(&b, "{\\\"format\\\":1", "{\\\"format\\\":2", E, "made by a newer seqnet");
    refuse(&b, "\\\"shuffled_negatives\\\"", "\\\"shufled_negatives\\\"", E,
           "unknown key of the identity \"shufled_negatives\"; nearest: shuffled_negatives");
    refuse(&b, "\\\"kind\\\":", "\\\"format\\\":", E, "is not JSON"); /* duplicate */
    refuse(&b, "\\\"number\\\"", "\\\"numbr\\\"", E, "unknown kind \"numbr\"; nearest: number");
    refuse(&b, "\\\"target_sd\\\":[3", "\\\"target_sd\\\":[-3", E, "target_sd must be positive");
    refuse(&b, "\\\"target_sd\\\":[", "\\\"target_sd\\\":[1,", E, "target_sd must have 2 numbers, got 3");
    refuse(&b, "\\\"levels\\\":[0.5", "\\\"levels\\\":[0.999", E, "levels must rise");
    refuse(&b, "\\\"levels\\\":[0.5", "\\\"levels\\\":[0.4,0.5", E, "must have 4 numbers, got 3");
    refuse(&b, "\\\"filters\\\":3", "\\\"filters\\\":4", E,
           "tensors do not fit the architecture; conv1d/kernel has shape (4,4,3), expected (4,4,4)");
    refuse(&b, "\\\"filters\\\":3", "\\\"filters\\\":30000", E, "tensors do not fit the architecture");
    refuse(&b, "\\\"filters\\\":3", "\\\"filters\\\":\\\"tasks\\\"", E, "leaves tasks, length or activation open");
    refuse(&b, "\\\"filters\\\":3", "\\\"filter\\\":3", E, "nearest: filters");
    refuse(&b, "\\\"conv1d/kernel\\\":", "\\\"conv1d/kernal\\\":", E, "crc32c of tensor \"conv1d/kernel\" is missing");
    refuse(&b, "\\\"conv1d/kernel\\\":\\\"", "\\\"conv1d/kernel\\\":\\\"z", E, "8 hexadecimal digits");
    refuse(&b, "\\\"tasks\\\":[", "\\\"tasks\\\":[\\\"more\\\",", SEQNET_EDATA, "2 outputs, but there are 3 names");
    refuse(&b, "\"seqnet_provenance\":\"{", "\"seqnet_provenance\":\"[{", E, "provenance is not JSON");
    ck_assert_int_eq(with_header(&b, "unknown key", "any other key", 0, ""), 0); /* provenance is free */
    free(b.p);
}
END_TEST

START_TEST(not_model_files) {
    static const char *const texts[] = {
        "", "x", "{}{}{}{}{}{}", "PK\x03\x04 a zip archive", ">seq\nACGT\n", "name: cnn\ninput: {length: 3}\n"};
    struct sn_model *m = NULL;
    for (int i = 0; i < 6; i++) ck_assert_int_eq(read_bytes(texts[i], strlen(texts[i])), SEQNET_EMODEL);
    ck_assert_int_eq(sn_model_read("/nowhere/m", &m), SEQNET_EIO);
    ck_assert_int_eq(sn_model_read(dir, &m), SEQNET_EIO);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "a folder"));
    ck_assert_int_eq(sn_model_read("/dev/zero", &m), SEQNET_EIO);
    /* a header of 100 MB is refused before memory is taken, whatever the file's size */
    char head[16] = {0, 0, 0, 6};
    FILE *f = fopen(other, "wb");
    fwrite(head, 1, sizeof head, f);
    fclose(f);
    ck_assert_int_eq(truncate(other, 200 << 20), 0);
    ck_assert_int_eq(sn_model_read(other, &m), SEQNET_EMODEL);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "a header of 100663296 bytes"));
    ck_assert_ptr_null(m);
}
END_TEST

START_TEST(weights_not_finite) {
    static const float values[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        struct sn_model *m = make(SMALL, SN_TASK_BINARY, 1, 3), *r = NULL;
        m->params[50] = values[i];
        ck_assert_int_eq(sn_model_write(m, path), 0);
        ck_assert_int_eq(sn_model_read(path, &r), SEQNET_ENUM);
        ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "tensor conv1d/bias holds NaN or infinite values"));
        ck_assert_ptr_null(r);
        sn_model_unref(m);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("model_file");
    TCase *good = tcase_create("good"), *bad = tcase_create("bad");
    tcase_add_checked_fixture(good, make_dir, remove_dir);
    tcase_add_checked_fixture(bad, make_dir, remove_dir);
    tcase_set_timeout(bad, 60);
    tcase_add_test(good, fresh_weights);
    tcase_add_test(good, weights_follow_the_seed);
    tcase_add_test(good, round_trip);
    tcase_add_test(good, references);
    tcase_add_test(good, task_names);
    tcase_add_test(good, cannot_write);
    tcase_add_test(bad, every_truncation);
    tcase_add_test(bad, every_byte_changed);
    tcase_add_test(bad, lying_headers);
    tcase_add_test(bad, lying_identity);
    tcase_add_test(bad, not_model_files);
    tcase_add_test(bad, weights_not_finite);
    suite_add_tcase(s, good);
    suite_add_tcase(s, bad);
    return unit_run(s);
}
