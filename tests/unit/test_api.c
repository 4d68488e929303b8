/* The public API: structs across versions, callbacks, sources of a host, prediction, evaluation. */
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "seqnet/seqnet.h"
#include "unit.h"

static const char tiny[] = "name: tiny\n"
                           "input: {length: 20, alphabet: dna}\n"
                           "layers:\n"
                           "  - conv1d: {filters: 6, kernel_size: 5, activation: relu}\n"
                           "  - global_max_pooling1d: {}\n"
                           "  - dense: {units: tasks, activation: sigmoid}\n"
                           "training: {loss: binary_crossentropy, optimizer: {adam: {learning_rate: 0.01}}, batch_size: 8, epochs: 2}\n";

static char arch_path[64], variable_path[64];

static void write_file(char *path, const char *text) {
    strcpy(path, "/tmp/seqnet-test-api-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void setup(void) {
    char variable[sizeof tiny];
    strcpy(variable, tiny);
    memcpy(strstr(variable, "length: 20"), "length: 0 ", 10);
    write_file(arch_path, tiny);
    write_file(variable_path, variable);
}

static void teardown(void) {
    unlink(arch_path);
    unlink(variable_path);
}

static seqnet_ctx *context(int threads) {
    seqnet_ctx_options o;
    seqnet_ctx *ctx;
    seqnet_ctx_defaults(&o);
    o.threads = threads;
    ck_assert_msg(seqnet_ctx_create(&o, &ctx) == 0, "%s", seqnet_errmsg());
    return ctx;
}

static seqnet_model *fresh(seqnet_ctx *ctx, const char *arch, int n_tasks) {
    seqnet_model *m;
    ck_assert_msg(seqnet_model_from_architecture(ctx, arch, n_tasks, 0, 1, &m) == 0, "%s", seqnet_errmsg());
    return m;
}

/* ---- structs of older and newer callers ---- */

START_TEST(short_options) {
    /* a caller built when `device` was the last field */
    struct {
        size_t size;
        int threads;
        const char *device;
        char canary[8];
    } old = {.canary = "canary"};
    size_t size = offsetof(seqnet_ctx_options, gemm);
    seqnet_ctx *ctx;
    seqnet_ctx_defaults_size((seqnet_ctx_options *)(void *)&old, size);
    ck_assert_uint_eq(old.size, size);
    ck_assert_str_eq(old.device, "cpu");
    ck_assert_str_eq(old.canary, "canary");
    old.threads = 2;
    ck_assert_int_eq(seqnet_ctx_create((seqnet_ctx_options *)(void *)&old, &ctx), 0);
    ck_assert_int_eq(seqnet_ctx_threads(ctx), 2);
    seqnet_ctx_free(&ctx);
    ck_assert_ptr_null(ctx);
}
END_TEST

START_TEST(long_options) {
    struct {
        seqnet_predictor_options o;
        int64_t newer;
    } future;
    seqnet_predictor_defaults_size(&future.o, sizeof future);
    ck_assert_int_eq(future.newer, 0);
    ck_assert_int_eq(seqnet_predictor_check(&future.o), 0);
    future.newer = 1; /* an option that this library would silently ignore */
    ck_assert_int_eq(seqnet_predictor_check(&future.o), SEQNET_EINVAL);
    future.o.size = 0;
    ck_assert_int_eq(seqnet_predictor_check(&future.o), SEQNET_EINVAL);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "size"));
}
END_TEST

START_TEST(short_result) {
    seqnet_ctx *ctx = context(1);
    seqnet_model *m = fresh(ctx, arch_path, 3);
    seqnet_model_info info;
    memset(&info, 0x55, sizeof info);
    info.size = offsetof(seqnet_model_info, n_tasks);
    seqnet_model_describe(m, &info);
    ck_assert_int_eq(info.length, 20);
    ck_assert_int_eq(info.n_parameters, 5 * 4 * 6 + 6 + 6 * 3 + 3);
    ck_assert_int_eq(info.n_tasks, 0x55555555);
    ck_assert_uint_eq(info.size, offsetof(seqnet_model_info, n_tasks));
    seqnet_model_free(&m);
    seqnet_ctx_free(&ctx);
}
END_TEST

START_TEST(ranges) {
    seqnet_train_options t;
    seqnet_explain_options e;
    seqnet_scan_options s;
    seqnet_source_options d;
    seqnet_train_defaults(&t);
    ck_assert_int_eq(seqnet_train_check(&t), 0);
    t.epochs = 0;
    ck_assert_int_eq(seqnet_train_check(&t), SEQNET_EINVAL);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "epochs"));
    seqnet_train_defaults(&t);
    t.optimizer = "adams";
    ck_assert_int_eq(seqnet_train_check(&t), SEQNET_EINVAL);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "'adam'"));
    seqnet_explain_defaults(&e);
    e.n_references = 0;
    ck_assert_int_eq(seqnet_explain_check(&e), SEQNET_EINVAL);
    seqnet_explain_defaults(&e);
    e.method = "saliencey";
    ck_assert_int_eq(seqnet_explain_check(&e), SEQNET_EINVAL);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "'saliency'"));
    seqnet_explain_defaults(&e);
    e.resume = 2;
    ck_assert_int_eq(seqnet_explain_check(&e), SEQNET_EINVAL);
    seqnet_scan_defaults(&s);
    s.fpr = 0.1;
    s.threshold = 0.5;
    ck_assert_int_eq(seqnet_scan_check(&s), SEQNET_EINVAL);
    seqnet_source_defaults(&d);
    ck_assert_int_eq(seqnet_source_check(&d), SEQNET_EINVAL);
    d.data = "x";
    ck_assert_int_eq(seqnet_source_check(&d), 0);
    d.alphabet = "dnaa";
    ck_assert_int_eq(seqnet_source_check(&d), SEQNET_EINVAL);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "'dna'"));
}
END_TEST

/* ---- context ---- */

START_TEST(devices) {
    seqnet_ctx_options o;
    seqnet_ctx *ctx;
    seqnet_ctx_defaults(&o);
    o.device = "cuda";
    ck_assert_int_eq(seqnet_ctx_create(&o, &ctx), SEQNET_EDEVICE);
    ck_assert_ptr_null(ctx);
    o.device = "gpu";
    ck_assert_int_eq(seqnet_ctx_create(&o, &ctx), SEQNET_EINVAL);
    o.device = "cpu";
    o.threads = 129;
    ck_assert_int_eq(seqnet_ctx_create(&o, &ctx), SEQNET_EINVAL);
    ctx = context(3);
    ck_assert_ptr_nonnull(strstr(seqnet_ctx_describe(ctx), "3 threads"));
    ck_assert_ptr_nonnull(strstr(seqnet_ctx_describe(ctx), "device cpu"));
    seqnet_ctx_free(&ctx);
    seqnet_ctx_free(&ctx);
}
END_TEST

START_TEST(outputs) {
    const char *const inputs[] = {NULL, arch_path};
    char link_path[80];
    snprintf(link_path, sizeof link_path, "%s.link", arch_path);
    ck_assert_int_eq(symlink(arch_path, link_path), 0);
    ck_assert_int_eq(seqnet_output_check(link_path, inputs, 2), SEQNET_EINVAL);
    ck_assert_int_eq(seqnet_output_check(link_path, inputs, 1), 0);
    ck_assert_int_eq(seqnet_output_check("/no/such/folder/x", inputs, 2), SEQNET_EIO);
    ck_assert_int_eq(seqnet_output_check("/tmp", inputs, 2), SEQNET_EIO);
    unlink(link_path);
}
END_TEST

/* ---- a host's source ---- */

struct maker {
    int n, made, closed, fail_at, n_tasks;
    const char *bad; /* bases of record fail_at */
    char bases[41];
    float targets[3];
    int length;
    int classes;
    const char *const *names; /* of tasks or classes; NULL = first, second, third */
    const int *order;         /* target k shows label order[k]; NULL = k */
};

static int make_record(void *self, seqnet_record *r) {
    struct maker *m = self;
    unsigned state = 17u + 2654435761u * (unsigned)m->made;
    if (m->made == m->n) return 0;
    int length = m->length ? m->length : 10 + m->made % 31;
    for (int i = 0; i < length; i++) m->bases[i] = "ACGTNacgtR"[((state = state * 1664525u + 1013904223u) >> 8) % 10];
    for (int k = 0; k < m->n_tasks; k++) {
        int label = m->order ? m->order[k] : k;
        m->targets[k] = (float)(m->classes ? 2 * (m->made / 3 % 2) == label : (m->made >> label) & 1); /* classes: 0 and 2 */
    }
    r->bases = m->made == m->fail_at && m->bad ? m->bad : m->bases;
    r->length = m->made == m->fail_at && m->bad ? (int64_t)strlen(m->bad) : length;
    r->targets = m->targets;
    m->made++;
    return 1;
}

static void close_maker(void *self) {
    ((struct maker *)self)->closed++;
}

static int source(seqnet_ctx *ctx, struct maker *m, seqnet_source **out) {
    static const char *const names[] = {"first", "second", "third"};
    const seqnet_source_vtable v = {.size = sizeof v,
                                    .n_tasks = m->n_tasks,
                                    .task_names = m->names ? m->names : names,
                                    .classes = m->classes,
                                    .next = make_record,
                                    .close = close_maker};
    return seqnet_source_from(ctx, &v, m, NULL, out);
}

START_TEST(host_source) {
    seqnet_ctx *ctx = context(1);
    struct maker m = {.n = 50, .n_tasks = 2, .fail_at = -1};
    seqnet_source *s;
    seqnet_record r = {.size = sizeof r};
    ck_assert_msg(source(ctx, &m, &s) == 0, "%s", seqnet_errmsg());
    ck_assert_int_eq(m.closed, 1);
    ck_assert_int_eq(seqnet_source_count(s), 50);
    ck_assert_int_eq(seqnet_source_tasks(s), 2);
    ck_assert_str_eq(seqnet_source_task_name(s, 1), "second");
    ck_assert_ptr_null(seqnet_source_task_name(s, 2));
    ck_assert_int_eq(seqnet_source_get(s, 49, &r), 0);
    ck_assert_int_eq(r.length, 10 + 49 % 31);
    ck_assert_mem_eq(r.bases, m.bases, (size_t)r.length); /* case and ambiguity survive */
    ck_assert_int_eq(r.targets[0] == 1 && r.targets[1] == 0, 1);
    ck_assert_ptr_null(r.chrom);
    ck_assert_int_eq(seqnet_source_get(s, 50, &r), SEQNET_EINVAL);
    seqnet_source_free(&s);
    ck_assert_ptr_null(s);
    seqnet_ctx_free(&ctx);
}
END_TEST

START_TEST(host_source_failures) {
    seqnet_ctx *ctx = context(1);
    seqnet_source *s;
    struct maker bad = {.n = 5, .n_tasks = 1, .fail_at = 2, .bad = "ACGTAC*GT"}, none = {.n = 0},
                 inf = {.n = 1, .n_tasks = 1, .fail_at = -1};
    ck_assert_int_eq(source(ctx, &bad, &s), SEQNET_EDATA);
    ck_assert_ptr_null(s);
    ck_assert_int_eq(bad.closed, 1);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "record 3"));
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "position 7"));
    ck_assert_int_eq(source(ctx, &none, &s), SEQNET_EDATA);
    ck_assert_int_eq(none.closed, 1);
    const seqnet_source_vtable classes = {.size = sizeof classes, .n_tasks = 1, .classes = 1, .next = make_record};
    ck_assert_int_eq(seqnet_source_from(ctx, &classes, &inf, NULL, &s), SEQNET_EDATA); /* target 0: not one-hot */
    ck_assert_int_eq(seqnet_source_from(ctx, &classes, &inf, "dnaa", &s), SEQNET_EINVAL);
    seqnet_ctx_free(&ctx);
}
END_TEST

/* ---- prediction ---- */

static seqnet_predictor *predictor(seqnet_ctx *ctx, seqnet_model *m, int batch) {
    seqnet_predictor_options o;
    seqnet_predictor *p;
    seqnet_predictor_defaults(&o);
    o.batch = batch;
    ck_assert_msg(seqnet_predictor_create(ctx, &m, 1, &o, &p) == 0, "%s", seqnet_errmsg());
    return p;
}

START_TEST(prediction_bits) {
    static const int threads[] = {1, 2, 3}, batches[] = {0, 1, 7, 64};
    float first[200 * 2], again[200 * 2];
    for (int t = 0; t < 3; t++)
        for (int b = 0; b < 4; b++) {
            seqnet_ctx *ctx = context(threads[t]);
            seqnet_model *m = fresh(ctx, variable_path, 2);
            seqnet_predictor *p = predictor(ctx, m, batches[b]);
            struct maker maker = {.n = 200, .fail_at = -1};
            seqnet_source *s;
            float *out = t + b == 0 ? first : again;
            ck_assert_int_eq(source(ctx, &maker, &s), 0);
            ck_assert_int_eq(seqnet_predict_bound(p, 200), 400);
            ck_assert_msg(seqnet_predict_source(p, s, out, 400) == 0, "%s", seqnet_errmsg());
            if (t + b > 0) ck_assert_mem_eq(first, again, sizeof first);
            seqnet_source_free(&s);
            seqnet_predictor_free(&p);
            seqnet_model_free(&m);
            seqnet_ctx_free(&ctx);
        }
    ck_assert(first[0] != first[2] && first[0] > 0 && first[0] < 1);
}
END_TEST

START_TEST(prediction_padding) {
    seqnet_ctx *ctx = context(1);
    seqnet_model *m = fresh(ctx, arch_path, 1);
    seqnet_predictor *p = predictor(ctx, m, 0);
    const char *bases[] = {"ACGTACGTAC", "NNNNNACGTACGTACNNNNN", "acgtacgtac"};
    const int64_t lengths[] = {10, 20, 10}, negative[] = {-1}, too_long[] = {21};
    const char *bad[] = {"ACGT CGT"}, *longer[] = {"ACGTACGTACACGTACGTACA"};
    const int64_t eight[] = {8};
    float scores[3];
    ck_assert_int_eq(seqnet_predict(p, bases, lengths, 3, scores, 3), 0);
    ck_assert_mem_eq(&scores[0], &scores[1], sizeof *scores);
    ck_assert_mem_eq(&scores[0], &scores[2], sizeof *scores);
    ck_assert_int_eq(seqnet_predict(p, bases, lengths, 3, scores, 2), SEQNET_EINVAL);
    ck_assert_int_eq(seqnet_predict(p, bases, negative, 1, scores, 3), SEQNET_EINVAL);
    ck_assert_int_eq(seqnet_predict(p, longer, too_long, 1, scores, 3), SEQNET_EDATA);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "takes 20"));
    ck_assert_int_eq(seqnet_predict(p, bad, eight, 1, scores, 3), SEQNET_EDATA);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "record 1: byte 0x20 at position 5"));
    ck_assert_int_eq(seqnet_predict(p, bases, lengths, 0, scores, 0), 0);
    seqnet_predictor_free(&p);
    seqnet_model_free(&m);
    seqnet_ctx_free(&ctx);
}
END_TEST

/* Lengths that grow: the predictor makes room, and gives the same bits as one that knew. */
START_TEST(prediction_growing) {
    seqnet_ctx *ctx = context(2);
    seqnet_model *m = fresh(ctx, variable_path, 1);
    seqnet_predictor *p = predictor(ctx, m, 0), *fresh_one;
    char bases[3000];
    float seen[20];
    int n_seen = 0;
    for (int i = 0; i < 3000; i++) bases[i] = "ACGT"[(i * i / 7 + i) % 4];
    const char *one[] = {bases};
    for (int64_t n = 5; n <= 3000; n = n * 3 / 2) {
        float a, b;
        ck_assert_msg(seqnet_predict(p, one, &n, 1, &a, 1) == 0, "%s", seqnet_errmsg());
        fresh_one = predictor(ctx, m, 0);
        ck_assert_int_eq(seqnet_predict(fresh_one, one, &n, 1, &b, 1), 0);
        ck_assert_mem_eq(&a, &b, sizeof a);
        seqnet_predictor_free(&fresh_one);
        seen[n_seen++] = a;
    }
    n_seen = 0;
    for (int64_t n = 5; n <= 3000; n = n * 3 / 2) { /* short ones with room for long ones */
        float a;
        ck_assert_int_eq(seqnet_predict(p, one, &n, 1, &a, 1), 0);
        ck_assert_mem_eq(&a, &seen[n_seen++], sizeof a);
    }
    int64_t short_one = 4;
    float score;
    ck_assert_int_eq(seqnet_predict(p, one, &short_one, 1, &score, 1), SEQNET_EDATA);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "at least 5"));
    seqnet_predictor_free(&p);
    seqnet_model_free(&m);
    seqnet_ctx_free(&ctx);
}
END_TEST

/* ---- callbacks ---- */

struct host {
    pthread_t thread;
    int strange, progress, asked, stop_at, parallel;
};

static void see_thread(struct host *h) {
    h->strange += !pthread_equal(h->thread, pthread_self());
}

static void on_log(void *self, int level, const char *line) {
    (void)level;
    (void)line;
    see_thread(self);
}

static void on_progress(void *self, const char *stage, int64_t done, int64_t total, const char *unit, const char *extra) {
    struct host *h = self;
    see_thread(h);
    h->progress++;
    ck_assert(stage && unit && extra && (total == 0 || done <= total));
}

static int on_cancel(void *self) {
    struct host *h = self;
    see_thread(h);
    return h->stop_at > 0 && ++h->asked >= h->stop_at;
}

static void on_parallel(void *self, int n, void (*fn)(void *arg, int i, int worker), void *arg) {
    ((struct host *)self)->parallel++;
    for (int i = n - 1; i >= 0; i--) fn(arg, i, 0); /* any order will do */
}

static seqnet_ctx *hosted(struct host *h, bool own_pool) {
    seqnet_ctx_options o;
    seqnet_ctx *ctx;
    seqnet_ctx_defaults(&o);
    h->thread = pthread_self();
    o.threads = 3;
    o.self = h;
    o.log = on_log;
    o.progress = on_progress;
    o.cancel = on_cancel;
    if (own_pool) o.parallel = on_parallel;
    ck_assert_int_eq(seqnet_ctx_create(&o, &ctx), 0);
    return ctx;
}

static int predict_hosted(seqnet_ctx *ctx, float *scores) {
    seqnet_model *m = fresh(ctx, variable_path, 1);
    seqnet_predictor *p = predictor(ctx, m, 4);
    struct maker maker = {.n = 300, .fail_at = -1};
    seqnet_source *s;
    ck_assert_int_eq(source(ctx, &maker, &s), 0);
    int rc = seqnet_predict_source(p, s, scores, 300);
    seqnet_source_free(&s);
    seqnet_predictor_free(&p);
    seqnet_model_free(&m);
    return rc;
}

START_TEST(callbacks) {
    struct host plain = {0}, pool = {0}, stop = {.stop_at = 2};
    float a[300], b[300];
    seqnet_ctx *ctx = hosted(&plain, false);
    ck_assert_int_eq(predict_hosted(ctx, a), 0);
    seqnet_ctx_free(&ctx);
    ck_assert_int_gt(plain.progress, 1);
    ctx = hosted(&pool, true);
    ck_assert_int_eq(predict_hosted(ctx, b), 0);
    seqnet_ctx_free(&ctx);
    ck_assert_int_gt(pool.parallel, 0);
    ck_assert_mem_eq(a, b, sizeof a);
    ctx = hosted(&stop, false);
    ck_assert_int_eq(predict_hosted(ctx, b), SEQNET_ECANCELED);
    seqnet_ctx_free(&ctx);
    ck_assert_int_eq(plain.strange + pool.strange + stop.strange, 0);
}
END_TEST

START_TEST(training_callbacks) {
    struct host h = {0}, stop = {.stop_at = 3};
    struct maker maker = {.n = 64, .n_tasks = 1, .fail_at = -1, .length = 20}, more = maker;
    seqnet_train_result r = {.size = sizeof r};
    seqnet_source *s;
    seqnet_trainer *t;
    seqnet_model *m;
    seqnet_ctx *ctx = hosted(&h, false);
    ck_assert_int_eq(source(ctx, &maker, &s), 0);
    ck_assert_msg(seqnet_trainer_create(ctx, arch_path, s, NULL, NULL, &t) == 0, "%s", seqnet_errmsg());
    ck_assert_msg(seqnet_trainer_run(t, &m) == 0, "%s", seqnet_errmsg());
    seqnet_trainer_result(t, &r);
    ck_assert_int_eq(r.epochs_run, 2);
    ck_assert_str_eq(seqnet_model_task_name(m, 0), "first");
    seqnet_model_free(&m);
    seqnet_trainer_free(&t);
    seqnet_source_free(&s);
    seqnet_ctx_free(&ctx);
    ck_assert_int_gt(h.progress, 0);
    ctx = hosted(&stop, false);
    ck_assert_int_eq(source(ctx, &more, &s), 0);
    ck_assert_int_eq(seqnet_trainer_create(ctx, arch_path, s, NULL, NULL, &t), 0);
    ck_assert_int_eq(seqnet_trainer_run(t, &m), SEQNET_ECANCELED);
    seqnet_model_free(&m);
    seqnet_trainer_free(&t);
    seqnet_source_free(&s);
    seqnet_ctx_free(&ctx);
    ck_assert_int_eq(h.strange + stop.strange, 0);
}
END_TEST

/* Scans 200 kb; stop_at > 0 stops it on the way. */
static int scan_hosted(seqnet_ctx *ctx, const char *output, seqnet_scan_result *r) {
    char genome[64], *text = malloc(200100);
    seqnet_model *m = fresh(ctx, arch_path, 1);
    seqnet_scan_options o;
    seqnet_scanner *s;
    unsigned state = 5;
    int n = sprintf(text, ">chr1\n");
    for (int i = 0; i < 200000; i++) text[n++] = "ACGT"[(state = state * 1664525u + 1013904223u) >> 30];
    strcpy(text + n, "\n");
    write_file(genome, text);
    free(text);
    seqnet_scan_defaults(&o);
    o.stride = 1;
    o.output = output;
    ck_assert_msg(seqnet_scanner_create(ctx, &m, 1, &o, &s) == 0, "%s", seqnet_errmsg());
    int rc = seqnet_scan(s, genome);
    seqnet_scanner_result(s, r);
    seqnet_scanner_free(&s);
    seqnet_model_free(&m);
    unlink(genome);
    return rc;
}

START_TEST(scan_callbacks) {
    struct host h = {0}, stop = {.stop_at = 2};
    seqnet_scan_result r = {.size = sizeof r};
    char output[80];
    snprintf(output, sizeof output, "%s.bedgraph", arch_path);
    seqnet_ctx *ctx = hosted(&h, false);
    ck_assert_msg(scan_hosted(ctx, output, &r) == 0, "%s", seqnet_errmsg());
    ck_assert_int_eq(r.bases, 200000);
    ck_assert_int_eq(r.windows, 200000 - 20 + 1);
    ck_assert_int_eq(unlink(output), 0);
    ck_assert_int_gt(h.progress, 0);
    seqnet_ctx_free(&ctx);
    ctx = hosted(&stop, false);
    ck_assert_int_eq(scan_hosted(ctx, output, &r), SEQNET_ECANCELED);
    ck_assert_int_ne(unlink(output), 0); /* nothing half-written */
    seqnet_ctx_free(&ctx);
    ck_assert_int_eq(h.strange + stop.strange, 0);
}
END_TEST

/* Contributions of a sequence shorter than the model's length: they are those of its own bases, and sum to the change of the output. */
START_TEST(explanation) {
    struct host h = {0}, stop = {.stop_at = 1};
    seqnet_ctx *ctx = hosted(&h, false);
    seqnet_model *m = fresh(ctx, arch_path, 2);
    seqnet_explain_options o;
    seqnet_explanation x = {.size = sizeof x};
    seqnet_explainer *e;
    const char *bases = "GATTACAGATNAC";
    float hypothetical[13 * 4], actual[13 * 4];
    double sum = 0;
    seqnet_explain_defaults(&o);
    o.task = "task2";
    ck_assert_msg(seqnet_explainer_create(ctx, &m, 1, &o, &e) == 0, "%s", seqnet_errmsg());
    ck_assert_msg(seqnet_explain(e, bases, 13, 3, hypothetical, actual, 13 * 4, &x) == 0, "%s", seqnet_errmsg());
    for (int i = 0; i < 13 * 4; i++) {
        sum += actual[i];
        if (bases[i / 4] == "ACGT"[i % 4]) ck_assert_float_eq_tol(actual[i], hypothetical[i], 1e-6f);
        if (bases[i / 4] != "ACGT"[i % 4] && bases[i / 4] != 'N') ck_assert(actual[i] == 0); /* an N's share is spread over the letters */
    }
    ck_assert_double_eq_tol(sum, x.output - x.expected, 1e-5);
    ck_assert(x.output != x.expected && x.residual < 1e-5 && !x.only_arrangement);
    ck_assert_int_eq(seqnet_explain(e, bases, 13, 3, NULL, actual, 13 * 4 - 1, &x), SEQNET_EINVAL);
    ck_assert_int_eq(seqnet_explain(e, "GATTACAGATTACAGATTACA", 21, 3, NULL, NULL, 0, &x), SEQNET_EDATA);
    ck_assert_int_eq(seqnet_explain(e, "GATT*CA", 7, 3, NULL, NULL, 0, &x), SEQNET_EDATA);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "position 5"));
    seqnet_explainer_free(&e);
    seqnet_ctx_free(&ctx);
    ctx = hosted(&stop, false);
    struct maker maker = {.n = 100, .fail_at = -1, .length = 20};
    char folder[80];
    seqnet_source *s;
    snprintf(folder, sizeof folder, "%s.d", arch_path);
    ck_assert_int_eq(source(ctx, &maker, &s), 0);
    ck_assert_int_eq(seqnet_explainer_create(ctx, &m, 1, NULL, &e), 0);
    ck_assert_int_eq(seqnet_explain_source(e, s, folder), SEQNET_ECANCELED);
    rmdir(folder);
    seqnet_explainer_free(&e);
    seqnet_source_free(&s);
    seqnet_model_free(&m);
    seqnet_ctx_free(&ctx);
    ck_assert_int_eq(h.strange + stop.strange, 0);
}
END_TEST

/* Several tasks at once: results and arrays of one after the other, each as asked for alone, by every method. */
START_TEST(explanation_of_tasks) {
    static const char *const methods[] = {"deeplift", "integrated-gradients", "input-x-gradient", "saliency", "ism"};
    seqnet_ctx *ctx = context(1);
    seqnet_model *m = fresh(ctx, arch_path, 3);
    const char *bases = "GATTACAGATTACAGATTAC";
    for (int k = 0; k < 5; k++) {
        seqnet_explain_options o;
        seqnet_explainer *e;
        seqnet_explanation x[2] = {{.size = sizeof *x}, {.size = sizeof *x}}, one = {.size = sizeof one};
        float actual[2 * 20 * 4], single[20 * 4];
        seqnet_explain_defaults(&o);
        o.method = methods[k];
        o.n_references = 2;
        o.task = "task3,task1";
        ck_assert_msg(seqnet_explainer_create(ctx, &m, 1, &o, &e) == 0, "%s", seqnet_errmsg());
        ck_assert_int_eq(seqnet_explainer_tasks(e), 2);
        ck_assert_int_eq(seqnet_explain(e, bases, 20, 0, NULL, actual, 2 * 20 * 4 - 1, x), SEQNET_EINVAL);
        ck_assert_int_eq(seqnet_explain(e, bases, 20, 0, NULL, actual, 2 * 20 * 4, x), 0);
        seqnet_explainer_free(&e);
        o.task = "task1";
        ck_assert_int_eq(seqnet_explainer_create(ctx, &m, 1, &o, &e), 0);
        ck_assert_int_eq(seqnet_explain(e, bases, 20, 0, NULL, single, 20 * 4, &one), 0);
        ck_assert_int_eq(memcmp(actual + 20 * 4, single, sizeof single), 0);
        ck_assert(x[1].output == one.output && x[0].output != one.output && isnan(one.expected) == (k > 1));
        seqnet_explainer_free(&e);
    }
    seqnet_model_free(&m);
    seqnet_ctx_free(&ctx);
}
END_TEST

/* ---- evaluation ---- */

static double find_metric(const seqnet_metric *v, int n, int task, const char *name) {
    for (int i = 0; i < n; i++)
        if (v[i].task == task && strcmp(v[i].name, name) == 0) return v[i].value;
    return NAN;
}

START_TEST(evaluation) {
    seqnet_ctx *ctx = context(2);
    seqnet_model *m = fresh(ctx, arch_path, 1);
    seqnet_predictor *p = predictor(ctx, m, 0);
    struct maker maker = {.n = 60, .n_tasks = 1, .fail_at = -1, .length = 20}, two = {.n = 6, .n_tasks = 2, .fail_at = -1, .length = 20};
    seqnet_source *s;
    float scores[60];
    int n = seqnet_evaluate_bound(p), small = 1;
    seqnet_metric *v = calloc((size_t)n, sizeof *v);
    double loss = 0;
    v[0].size = sizeof *v;
    ck_assert_int_eq(source(ctx, &maker, &s), 0); /* task "first", the model's is "task1": one alone goes by any name */
    ck_assert_msg(seqnet_evaluate(p, s, v, &n) == 0, "%s", seqnet_errmsg());
    ck_assert_int_eq(seqnet_predict_source(p, s, scores, 60), 0);
    for (int i = 0; i < 60; i++) loss -= log(i & 1 ? scores[i] : 1 - scores[i]) / 60;
    ck_assert_double_eq_tol(find_metric(v, n, -1, "loss"), loss, 1e-5);
    double auroc = find_metric(v, n, 0, "auroc");
    ck_assert(auroc > 0.2 && auroc < 0.8);
    ck_assert_int_eq(seqnet_evaluate(p, s, v, &small), SEQNET_EINVAL);
    ck_assert_int_eq(small, n);
    seqnet_source_free(&s);
    ck_assert_int_eq(source(ctx, &two, &s), 0);
    n = seqnet_evaluate_bound(p);
    ck_assert_int_eq(seqnet_evaluate(p, s, v, &n), SEQNET_EDATA);
    free(v);
    seqnet_source_free(&s);
    seqnet_predictor_free(&p);
    seqnet_model_free(&m);
    seqnet_ctx_free(&ctx);
}
END_TEST

/* The figures of a source: n of them into v. */
static int figures(seqnet_ctx *ctx, seqnet_predictor *p, struct maker m, seqnet_metric *v) {
    int n = seqnet_evaluate_bound(p);
    seqnet_source *s;
    ck_assert_msg(source(ctx, &m, &s) == 0, "%s", seqnet_errmsg());
    v[0].size = sizeof *v;
    ck_assert_msg(seqnet_evaluate(p, s, v, &n) == 0, "%s", seqnet_errmsg());
    seqnet_source_free(&s);
    return n;
}

static void same_figures(const char *arch, struct maker a, struct maker b) {
    seqnet_ctx *ctx = context(1);
    seqnet_model *m = fresh(ctx, arch, 3);
    seqnet_predictor *p = predictor(ctx, m, 0);
    seqnet_metric *va = calloc(64, sizeof *va), *vb = calloc(64, sizeof *vb);
    ck_assert_int_le(seqnet_evaluate_bound(p), 64);
    int n = figures(ctx, p, a, va);
    ck_assert_int_eq(figures(ctx, p, b, vb), n);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(va[i].task, vb[i].task);
        ck_assert(va[i].value == vb[i].value || (isnan(va[i].value) && isnan(vb[i].value)));
    }
    ck_assert(find_metric(va, n, 0, "auroc") != find_metric(va, n, 2, "auroc"));
    free(va);
    free(vb);
    seqnet_predictor_free(&p);
    seqnet_model_free(&m);
    seqnet_ctx_free(&ctx);
}

/* Label columns in another order, and a class that the data do not have, change no figure. */
START_TEST(labels_by_name) {
    static const char *const names[] = {"task1", "task2", "task3"}, *const turned[] = {"task3", "task1", "task2"},
                             *const two[] = {"task3", "task1"};
    static const int order[] = {2, 0, 1};
    char classes[sizeof tiny + 64], path[64], *at;
    const struct maker plain = {.n = 80, .n_tasks = 3, .fail_at = -1, .length = 20, .names = names};
    struct maker other = plain;
    other.names = turned;
    other.order = order;
    same_figures(arch_path, plain, other);
    strcpy(classes, tiny);
    at = strstr(classes, "sigmoid");
    memcpy(at, "softmax", 7);
    at = strstr(classes, "binary_crossentropy");
    memmove(at + 24, at + 19, strlen(at + 19) + 1);
    memcpy(at, "categorical_crossentropy", 24);
    write_file(path, classes);
    struct maker three = plain, fewer = other;
    three.classes = fewer.classes = 1;
    fewer.n_tasks = 2;
    fewer.names = two;
    same_figures(path, three, fewer);
    unlink(path);
}
END_TEST

/* ---- models ---- */

START_TEST(models) {
    seqnet_ctx *ctx = context(1);
    seqnet_model *m = fresh(ctx, arch_path, 2), *other = seqnet_model_ref(m), *back, *opened;
    seqnet_output out = {.size = sizeof out};
    char digest[9], again[9], path[80], *text;
    seqnet_model_free(&other);
    ck_assert_ptr_null(other);
    ck_assert_int_eq(seqnet_output_info(m, 0, &out), 0);
    ck_assert_int_eq(out.n_tasks, 2);
    ck_assert_int_eq(out.length, 1);
    ck_assert_int_eq(seqnet_output_info(m, 1, &out), SEQNET_EINVAL);
    ck_assert_int_eq(seqnet_model_digest(m, digest, 8), SEQNET_EINVAL);
    ck_assert_int_eq(seqnet_model_digest(m, digest, 9), 0);
    snprintf(path, sizeof path, "%s.model", arch_path);
    ck_assert_int_eq(seqnet_model_save(m, path), 0);
    ck_assert_msg(seqnet_model_load(ctx, path, &back) == 0, "%s", seqnet_errmsg());
    ck_assert_int_eq(seqnet_model_digest(back, again, 9), 0);
    ck_assert_str_eq(digest, again);
    ck_assert_int_eq(seqnet_model_open(ctx, path, 1, 0, 1, &opened), 0); /* recognised by content */
    seqnet_model_free(&opened);
    ck_assert_int_eq(seqnet_model_open(ctx, arch_path, 2, 0, 1, &opened), 0);
    seqnet_model_free(&opened);
    ck_assert_int_eq(seqnet_model_open(ctx, arch_path, 2, 30, 1, &opened), SEQNET_EINVAL); /* its length is 20 */
    int64_t need = seqnet_model_text_bound(ctx, back, "card", 0);
    ck_assert_int_gt(need, 100);
    text = malloc((size_t)need);
    ck_assert_int_eq(seqnet_model_text(ctx, back, "card", 0, text, (size_t)need - 1), SEQNET_EINVAL);
    ck_assert_int_eq(seqnet_model_text(ctx, back, "card", 0, text, (size_t)need), 0);
    ck_assert_uint_eq(strlen(text) + 1, (size_t)need);
    ck_assert_ptr_nonnull(strstr(text, digest));
    ck_assert_int_eq(seqnet_model_text_bound(ctx, back, "cards", 0), SEQNET_EINVAL);
    free(text);
    unlink(path);
    seqnet_model_free(&back);
    seqnet_model_free(&m);
    seqnet_ctx_free(&ctx);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("api");
    TCase *cases = tcase_create("api");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, short_options);
    tcase_add_test(cases, long_options);
    tcase_add_test(cases, short_result);
    tcase_add_test(cases, ranges);
    tcase_add_test(cases, devices);
    tcase_add_test(cases, outputs);
    tcase_add_test(cases, host_source);
    tcase_add_test(cases, host_source_failures);
    tcase_add_test(cases, prediction_bits);
    tcase_add_test(cases, prediction_padding);
    tcase_add_test(cases, prediction_growing);
    tcase_add_test(cases, callbacks);
    tcase_add_test(cases, training_callbacks);
    tcase_add_test(cases, scan_callbacks);
    tcase_add_test(cases, explanation);
    tcase_add_test(cases, explanation_of_tasks);
    tcase_add_test(cases, evaluation);
    tcase_add_test(cases, labels_by_name);
    tcase_add_test(cases, models);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
