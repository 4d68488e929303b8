/* seqnet's side of `bootstrap.sh bench`: trains or predicts random sequences held in memory, a round at a time, when told to on standard
 * input, so that the driver can let seqnet and its peers take turns. Through the public API, as any program would.
 *
 *   model export ARCH LENGTH TASKS PREFIX    trains a few steps; writes PREFIX.seqnet, PREFIX.bases (rows x LENGTH bytes 0..3) and
 *                                            PREFIX.scores (rows x TASKS floats): what the peers must agree with
 *   model train ARCH LENGTH TASKS BATCH THREADS
 *   model infer MODEL LENGTH TASKS BATCHES THREADS    BATCHES: comma list of sequences per call; the fastest is kept
 *
 * Commands: "round SECONDS" measures for at least so long; "idle SECONDS" sleeps and tells the CPU time taken; the end of the input ends.
 * Every answer is one line of JSON. */
#include <seqnet/seqnet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define CHECKED 8     /* rows that outputs are compared on */
#define LEAST_CALLS 2 /* that a round measures */
#define SWEEP 0.3     /* seconds for each batch size that is tried */
#define EPOCH_BASES 2000000

static double seconds_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int64_t peak_bytes(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (int64_t)r.ru_maxrss * 1024;
}

/* ---- random labelled sequences --------------------------------------------------------------------------------------------------- */

struct maker {
    int64_t left, length;
    int tasks;
    uint64_t state;
    char *bases;
    float *labels;
};

static unsigned draw(struct maker *m, unsigned n) {
    m->state = m->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((m->state >> 33) % n);
}

static int next(void *self, seqnet_record *r) {
    struct maker *m = self;
    if (m->left-- <= 0) return 0;
    for (int64_t i = 0; i < m->length; i++) m->bases[i] = "ACGT"[draw(m, 4)];
    for (int t = 0; t < m->tasks; t++) m->labels[t] = (float)draw(m, 2);
    r->bases = m->bases;
    r->length = m->length;
    r->targets = m->tasks > 0 ? m->labels : NULL;
    return 1;
}

/* tasks 0: without labels. */
static int make_source(seqnet_ctx *ctx, int64_t rows, int64_t length, int tasks, uint64_t seed, seqnet_source **out) {
    struct maker m = {.left = rows, .length = length, .tasks = tasks, .state = seed};
    const seqnet_source_vtable table = {.size = sizeof table, .n_tasks = tasks, .next = next};
    m.bases = malloc((size_t)length);
    m.labels = malloc(sizeof *m.labels * ((size_t)tasks + 1));
    int rc = m.bases && m.labels ? seqnet_source_from(ctx, &table, &m, "dna", out) : SEQNET_ENOMEM;
    free(m.bases);
    free(m.labels);
    return rc;
}

/* ---- commands -------------------------------------------------------------------------------------------------------------------- */

static void tell_ready(const seqnet_ctx *ctx, int64_t batch) {
    printf("{\"ready\": true, \"version\": \"%s\", \"batch\": %lld, \"detail\": \"%s\"}\n", seqnet_version(), (long long)batch,
           seqnet_ctx_describe(ctx));
    fflush(stdout);
}

static void tell_round(int64_t sequences, double seconds) {
    printf("{\"sequences\": %lld, \"seconds\": %.9f, \"peak\": %lld}\n", (long long)sequences, seconds, (long long)peak_bytes());
    fflush(stdout);
}

static void idle(double seconds) {
    const struct timespec t = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
    double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID), wall = seconds_of(CLOCK_MONOTONIC);
    nanosleep(&t, NULL);
    cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("{\"cpu\": %.9f, \"seconds\": %.9f}\n", cpu, seconds_of(CLOCK_MONOTONIC) - wall);
    fflush(stdout);
}

/* Seconds of the round to measure; 0 at the end of the input. */
static double wait_for_round(void) {
    char line[128];
    while (fgets(line, sizeof line, stdin)) {
        double s;
        if (sscanf(line, "round %lf", &s) == 1 && s > 0) return s;
        if (sscanf(line, "idle %lf", &s) == 1 && s > 0) idle(s);
    }
    return 0;
}

/* ---- training: measured between the progress calls of a running trainer ---------------------------------------------------------- */

struct training {
    seqnet_ctx *ctx;
    int64_t rows, batch;
    double want, last, seconds; /* of the round; time of the step before */
    int64_t sequences, done;
    bool told, running, stop;
};

static int cancel(void *self) {
    return ((const struct training *)self)->stop;
}

/* Once a step. The first one of a round and of an epoch starts the clock: it is not counted, nor is what lies between epochs. */
static void progress(void *self, const char *stage, int64_t done, int64_t total, const char *unit, const char *extra) {
    struct training *t = self;
    (void)total, (void)unit, (void)extra;
    if (strcmp(stage, "training") != 0 || t->stop) return;
    double now = seconds_of(CLOCK_MONOTONIC);
    if (t->running) {
        t->seconds += now - t->last;
        t->sequences += done - t->done;
    }
    t->done = done;
    t->running = done % t->rows != 0;
    if (t->seconds >= t->want && t->sequences >= LEAST_CALLS * t->batch) {
        if (!t->told) tell_ready(t->ctx, t->batch);
        if (t->told) tell_round(t->sequences, t->seconds);
        t->told = true;
        t->want = wait_for_round();
        t->stop = t->want <= 0;
        t->seconds = 0;
        t->sequences = 0;
        t->running = false;
    }
    t->last = seconds_of(CLOCK_MONOTONIC);
    if (!t->running && done % t->rows != 0) t->running = true;
}

/* What the peers do, too: Adam, no regularisers, no augmentation, every batch full. */
static void train_options(seqnet_train_options *o, int batch, int epochs) {
    seqnet_train_defaults(o);
    o->epochs = epochs;
    o->min_steps = 0;
    o->batch_size = batch;
    o->optimizer = "adam";
    o->learning_rate = 1e-3;
    o->schedule = "constant";
    o->clipnorm = 0;
    o->l1 = o->l2 = 0;
    o->patience = 0;
    o->strand = "forward";
    o->reverse_complement = 0;
    o->shift = 0;
    o->class_weight = "none";
}

static int train(const char *arch, int64_t length, int tasks, int batch, int threads) {
    struct training t = {.batch = batch, .want = 1e-9};
    seqnet_source *data = NULL, *valid = NULL;
    seqnet_trainer *trainer = NULL;
    seqnet_model *model = NULL;
    seqnet_ctx_options c;
    seqnet_train_options o;
    int64_t steps = EPOCH_BASES / (length * batch);
    t.rows = batch * (steps < 8 ? 8 : steps > 400 ? 400 : steps);
    seqnet_ctx_defaults(&c);
    c.threads = threads;
    c.self = &t;
    c.progress = progress;
    c.cancel = cancel;
    train_options(&o, batch, 1000000);
    int rc = seqnet_ctx_create(&c, &t.ctx);
    if (rc == 0) rc = make_source(t.ctx, t.rows, length, tasks, 1, &data);
    if (rc == 0) rc = make_source(t.ctx, 4, length, tasks, 2, &valid);
    if (rc == 0) rc = seqnet_trainer_create(t.ctx, arch, data, valid, &o, &trainer);
    if (rc == 0) rc = seqnet_trainer_run(trainer, &model);
    seqnet_model_free(&model);
    seqnet_trainer_free(&trainer);
    seqnet_source_free(&valid);
    seqnet_source_free(&data);
    seqnet_ctx_free(&t.ctx);
    return rc == SEQNET_ECANCELED ? 0 : rc;
}

/* ---- prediction ------------------------------------------------------------------------------------------------------------------ */

#define MAX_BATCHES 16
struct prediction {
    seqnet_predictor *predictor;
    seqnet_source *data;
    float *scores;
    int64_t rows, floats;
};

static int measure(struct prediction *p, double want, int64_t *sequences, double *seconds) {
    double start = seconds_of(CLOCK_MONOTONIC), s = 0;
    int64_t calls = 0;
    for (; calls < LEAST_CALLS || s < want; calls++) {
        int rc = seqnet_predict_source(p->predictor, p->data, p->scores, p->floats);
        if (rc < 0) return rc;
        s = seconds_of(CLOCK_MONOTONIC) - start;
    }
    *sequences = calls * p->rows;
    *seconds = s;
    return 0;
}

static int make_prediction(seqnet_ctx *ctx, seqnet_model *m, int64_t rows, int64_t length, int tasks, struct prediction *p) {
    seqnet_predictor_options o;
    seqnet_predictor_defaults(&o);
    o.max_length = length;
    p->rows = rows;
    p->floats = rows * tasks;
    p->scores = calloc((size_t)p->floats, sizeof *p->scores);
    if (!p->scores) return SEQNET_ENOMEM;
    int rc = make_source(ctx, rows, length, 0, (uint64_t)rows, &p->data);
    return rc < 0 ? rc : seqnet_predictor_create(ctx, &m, 1, &o, &p->predictor);
}

static void free_prediction(struct prediction *p) {
    seqnet_predictor_free(&p->predictor);
    seqnet_source_free(&p->data);
    free(p->scores);
    *p = (struct prediction){0};
}

/* Tries every number of sequences per call, keeps the fastest. */
static int sweep(seqnet_ctx *ctx, seqnet_model *m, int64_t length, int tasks, const char *batches, struct prediction *best) {
    double rate = 0;
    char *end;
    for (const char *s = batches; *s; s = *end == ',' ? end + 1 : end) {
        struct prediction p = {0};
        int64_t n = strtoll(s, &end, 10), sequences = 0;
        double seconds = 1;
        if (end == s || n < 1) return SEQNET_EINVAL;
        int rc = make_prediction(ctx, m, n, length, tasks, &p);
        if (rc == 0) rc = measure(&p, 1e-9, &sequences, &seconds);
        if (rc == 0) rc = measure(&p, SWEEP, &sequences, &seconds);
        bool better = rc == 0 && (double)sequences / seconds > rate;
        if (better) {
            rate = (double)sequences / seconds;
            free_prediction(best);
            *best = p;
        } else {
            free_prediction(&p);
        }
        if (rc < 0) return rc;
    }
    return 0;
}

static int infer(const char *path, int64_t length, int tasks, const char *batches, int threads) {
    seqnet_ctx *ctx = NULL;
    seqnet_model *m = NULL;
    struct prediction p = {0};
    seqnet_ctx_options c;
    double want, seconds;
    int64_t sequences;
    seqnet_ctx_defaults(&c);
    c.threads = threads;
    int rc = seqnet_ctx_create(&c, &ctx);
    if (rc == 0) rc = seqnet_model_load(ctx, path, &m);
    if (rc == 0) rc = sweep(ctx, m, length, tasks, batches, &p);
    if (rc == 0) tell_ready(ctx, p.rows);
    while (rc == 0 && (want = wait_for_round()) > 0) {
        rc = measure(&p, 1e-9, &sequences, &seconds);
        if (rc == 0) rc = measure(&p, want, &sequences, &seconds);
        if (rc == 0) tell_round(sequences, seconds);
    }
    free_prediction(&p);
    seqnet_model_free(&m);
    seqnet_ctx_free(&ctx);
    return rc;
}

/* ---- export ---------------------------------------------------------------------------------------------------------------------- */

static int write_file(const char *prefix, const char *suffix, const void *bytes, size_t n) {
    char path[4096];
    snprintf(path, sizeof path, "%s.%s", prefix, suffix);
    FILE *f = fopen(path, "wb");
    if (!f) return SEQNET_EIO;
    bool ok = fwrite(bytes, 1, n, f) == n;
    return fclose(f) == 0 && ok ? 0 : SEQNET_EIO;
}

static int write_checked(seqnet_ctx *ctx, seqnet_model *m, int64_t length, int tasks, const char *prefix) {
    struct prediction p = {0};
    char *bases = malloc((size_t)(CHECKED * length));
    int rc = bases ? make_prediction(ctx, m, CHECKED, length, tasks, &p) : SEQNET_ENOMEM;
    for (int64_t i = 0; rc == 0 && i < CHECKED; i++) {
        seqnet_record r = {.size = sizeof r};
        rc = seqnet_source_get(p.data, i, &r);
        for (int64_t k = 0; rc == 0 && k < length; k++) bases[i * length + k] = (char)(strchr("ACGT", r.bases[k]) - "ACGT");
    }
    if (rc == 0) rc = seqnet_predict_source(p.predictor, p.data, p.scores, p.floats);
    if (rc == 0) rc = write_file(prefix, "bases", bases, (size_t)(CHECKED * length));
    if (rc == 0) rc = write_file(prefix, "scores", p.scores, (size_t)p.floats * sizeof *p.scores);
    free_prediction(&p);
    free(bases);
    return rc;
}

/* Ends training after the first epoch, before the calibration, which takes a thousand sequences. */
struct export {
    int64_t rows;
    bool stop;
};
static int export_cancel(void *self) {
    return ((const struct export *)self)->stop;
}
static void export_progress(void *self, const char *stage, int64_t done, int64_t total, const char *unit, const char *extra) {
    struct export *e = self;
    (void)total, (void)unit, (void)extra;
    if (strcmp(stage, "training") == 0 && done > e->rows) e->stop = true;
}

static int export_model(const char *arch, int64_t length, int tasks, const char *prefix) {
    seqnet_ctx *ctx = NULL;
    seqnet_source *data = NULL, *valid = NULL;
    seqnet_trainer *trainer = NULL;
    seqnet_model *m = NULL;
    struct export e = {.rows = 64};
    seqnet_ctx_options c;
    seqnet_train_options o;
    char path[4096];
    seqnet_ctx_defaults(&c);
    c.self = &e;
    c.progress = export_progress;
    c.cancel = export_cancel;
    train_options(&o, 16, 2);
    snprintf(path, sizeof path, "%s.seqnet", prefix);
    int rc = seqnet_ctx_create(&c, &ctx);
    if (rc == 0) rc = make_source(ctx, e.rows, length, tasks, 1, &data);
    if (rc == 0) rc = make_source(ctx, 4, length, tasks, 2, &valid);
    if (rc == 0) rc = seqnet_trainer_create(ctx, arch, data, valid, &o, &trainer);
    if (rc == 0) rc = seqnet_trainer_run(trainer, &m);
    if (rc == SEQNET_ECANCELED && m) rc = 0;
    e.stop = false;
    if (rc == 0) rc = seqnet_model_save(m, path);
    if (rc == 0) rc = write_checked(ctx, m, length, tasks, prefix);
    seqnet_model_free(&m);
    seqnet_trainer_free(&trainer);
    seqnet_source_free(&valid);
    seqnet_source_free(&data);
    seqnet_ctx_free(&ctx);
    return rc;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    int64_t length = argc > 3 ? atoll(argv[3]) : 0;
    int tasks = argc > 4 ? atoi(argv[4]) : 0, rc;
    if (argc == 6 && strcmp(what, "export") == 0) {
        rc = export_model(argv[2], length, tasks, argv[5]);
    } else if (argc == 7 && strcmp(what, "train") == 0) {
        rc = train(argv[2], length, tasks, atoi(argv[5]), atoi(argv[6]));
    } else if (argc == 7 && strcmp(what, "infer") == 0) {
        rc = infer(argv[2], length, tasks, argv[5], atoi(argv[6]));
    } else {
        fprintf(stderr, "usage: %s export|train|infer ..., see the head of tests/bench/model.c\n", argv[0]);
        return 2;
    }
    if (rc < 0) fprintf(stderr, "%s: %s\n", argv[0], rc == SEQNET_ENOMEM || rc == SEQNET_EIO ? seqnet_errtext(rc) : seqnet_errmsg());
    return rc < 0;
}
