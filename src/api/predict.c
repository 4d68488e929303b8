#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/predictor.h"
#include "core/cpu.h"

#define MAX_VARIABLE_LENGTH 1000000 /* bases of one sequence, unless max_length says more */
#define TILES_PER_WORKER 4          /* micro-batches between two looks at progress and cancellation */

/* ---- options ---- */

void seqnet_predictor_defaults_size(seqnet_predictor_options *o, size_t size) {
    const seqnet_predictor_options full = {.size = sizeof full};
    sn_give(o, size, &full, sizeof full);
}

int seqnet_predictor_check(const seqnet_predictor_options *caller) {
    seqnet_predictor_options o;
    seqnet_predictor_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_predictor_options"));
    SN_TRY(sn_check_int("max_length", o.max_length, 0, INT32_MAX));
    SN_TRY(sn_check_int("batch", o.batch, 0, 65536));
    return sn_check_int("logits", o.logits, 0, 1);
}

/* ---- making ---- */

/* Makes the scorer for rows of `longest`; a longer one than before replaces it. */
static int plan_for(struct seqnet_predictor *p, int64_t longest) {
    int workers = p->ctx->rt.threads;
    if (p->scorer && longest <= p->planned) return 0;
    sn_scorer_free(p->scorer);
    p->scorer = NULL;
    free(p->codes);
    free(p->len);
    p->codes = NULL;
    p->len = NULL;
    struct sn_scorer_options o = {
        .max_len = longest, .max_rows = p->o.batch, .workers = workers, .strand = -1, .backend = p->ctx->rt.backend};
    SN_TRY(sn_scorer_create(p->models, p->n_models, &o, &p->scorer));
    p->planned = longest;
    p->rows = p->o.batch > 0 ? p->o.batch : sn_scorer_rows(p->scorer);
    size_t rows = (size_t)workers * (size_t)p->rows, bytes;
    if (!sn_mul_size(rows, (size_t)longest, &bytes)) return sn_error(SEQNET_ENOMEM, "predict: %zu rows of %lld", rows, (long long)longest);
    p->codes = sn_calloc(bytes, 1);
    p->len = sn_calloc(rows, sizeof *p->len);
    return p->codes && p->len ? 0 : SEQNET_ENOMEM;
}

static int64_t fixed_length(const struct seqnet_predictor *p) {
    return p->models[0]->arch->length > 0 ? p->models[0]->arch->length : 0;
}

int seqnet_predictor_create(seqnet_ctx *ctx, seqnet_model *const *models, int n_models, const seqnet_predictor_options *o,
                            seqnet_predictor **out) {
    *out = NULL;
    SN_TRY(seqnet_predictor_check(o));
    SN_TRY(sn_check_int("n_models", n_models, 1, 1024));
    seqnet_predictor *p = sn_calloc(1, sizeof *p);
    if (!p) return SEQNET_ENOMEM;
    int rc = 0;
    p->ctx = ctx;
    seqnet_predictor_defaults(&p->o);
    SN_GO(sn_take_options(&p->o, sizeof p->o, o, "seqnet_predictor_options"));
    p->n_models = n_models;
    SN_GO(sn_inner_models(models, n_models, &p->models));
    int64_t length = fixed_length(p), shortest = p->models[0]->arch->graph->min_len;
    if (length == 0) length = p->o.max_length > shortest ? p->o.max_length : shortest;
    SN_GO(plan_for(p, length > 0 ? length : 1));
    *out = p;
    p = NULL;
done:
    seqnet_predictor_free(&p);
    return rc < 0 ? rc : 0;
}

void seqnet_predictor_free(seqnet_predictor **pp) {
    if (!pp || !*pp) return;
    seqnet_predictor *p = *pp;
    sn_scorer_free(p->scorer);
    sn_release_models(p->models);
    free(p->codes);
    free(p->len);
    free(p);
    *pp = NULL;
}

int64_t seqnet_predict_bound(const seqnet_predictor *p, int64_t n) {
    int64_t floats;
    return n < 0 || __builtin_mul_overflow(n, (int64_t)p->models[0]->n_tasks, &floats) ? -1 : floats;
}

double seqnet_predictor_rate(const seqnet_predictor *p) {
    return p->rate;
}

/* ---- running ---- */

struct job {
    struct seqnet_predictor *p;
    const struct sn_dataset *d;
    int64_t first; /* row of tile 0 */
    int rows;      /* of a tile */
    int64_t fixed;
    bool logits;
    float *out;
};

static int score_tile(void *arg, int tile, int worker) {
    const struct job *j = arg;
    struct seqnet_predictor *p = j->p;
    int tasks = p->models[0]->n_tasks;
    int64_t r0 = j->first + (int64_t)tile * j->rows, left = j->d->n - r0;
    int n = left < j->rows ? (int)left : j->rows;
    uint8_t *codes = p->codes + (size_t)worker * (size_t)p->rows * (size_t)p->planned;
    int32_t *len = p->len + (size_t)worker * (size_t)p->rows;
    for (int i = 0; i < n; i++) {
        int64_t width = j->fixed > 0 ? j->fixed : sn_dataset_len(j->d, r0 + i);
        sn_dataset_row(j->d, r0 + i, NULL, 0, width, codes + (size_t)i * (size_t)p->planned);
        len[i] = (int32_t)width;
    }
    float *out = j->out + r0 * tasks;
    SN_TRY(sn_scorer_run(p->scorer, worker, n, codes, p->planned, j->fixed > 0 ? NULL : len, out));
    return j->logits ? 0 : sn_scorer_finish(p->scorer, n, out);
}

/* Every length is checked before anything is computed; the message names the first record that does not fit. */
static int check_lengths(const struct seqnet_predictor *p, const struct sn_dataset *d) {
    const struct sn_graph *g = p->models[0]->arch->graph;
    int64_t fixed = fixed_length(p), max = p->o.max_length > 0 ? p->o.max_length : MAX_VARIABLE_LENGTH;
    if (d->alphabet != p->models[0]->arch->alphabet)
        return sn_error(SEQNET_EDATA, "the sequences are %s, the model takes %s", d->alphabet->name, p->models[0]->arch->alphabet->name);
    for (int64_t i = 0; i < d->n; i++) {
        long long len = sn_dataset_len(d, i);
        if (fixed > 0 && len > fixed)
            return sn_error(SEQNET_EDATA, "record %s: has %lld symbols, the model takes %lld; scan reads longer ones by windows",
                            d->names[i], len, (long long)fixed);
        if (fixed == 0 && len < g->min_len)
            return sn_error(SEQNET_EDATA, "record %s: has %lld symbols, the model needs at least %lld", d->names[i], len,
                            (long long)g->min_len);
        if (fixed == 0 && len > max)
            return sn_error(SEQNET_EDATA,
                            "record %s: has %lld symbols, at most %lld are taken at once; scan reads long sequences by windows",
                            d->names[i], len, (long long)max);
    }
    return 0;
}

int sn_predictor_run(struct seqnet_predictor *p, const struct sn_dataset *d, bool logits, float *out) {
    int workers = p->ctx->rt.threads;
    double start = sn_time_wall();
    SN_TRY(check_lengths(p, d));
    if (fixed_length(p) == 0 && d->n > 0) SN_TRY(plan_for(p, sn_dataset_longest(d)));
    int64_t share = (d->n + workers - 1) / workers;
    struct job j = {.p = p, .d = d, .rows = share < p->rows ? (int)share : p->rows, .fixed = fixed_length(p), .logits = logits, .out = out};
    while (j.first < d->n) {
        int64_t tiles = (d->n - j.first + j.rows - 1) / j.rows;
        if (tiles > (int64_t)workers * TILES_PER_WORKER) tiles = (int64_t)workers * TILES_PER_WORKER;
        SN_TRY(sn_check_cancel(&p->ctx->sink));
        SN_TRY(sn_pool_run(p->ctx->pool, (int)tiles, workers, score_tile, &j));
        j.first += tiles * j.rows;
        sn_progress(&p->ctx->sink, "predict", j.first < d->n ? j.first : d->n, d->n, "sequences", "");
    }
    double seconds = sn_time_wall() - start;
    p->rate = seconds > 0 ? (double)d->n / seconds : 0;
    return 0;
}

/* ---- entry points ---- */

static int check_capacity(const struct seqnet_predictor *p, int64_t n, int64_t capacity) {
    int64_t need = seqnet_predict_bound(p, n);
    if (need >= 0 && capacity >= need) return 0;
    return sn_error(SEQNET_EINVAL, "predict: %lld sequences give %lld floats, the buffer has %lld", (long long)n, (long long)need,
                    (long long)capacity);
}

static int add_bases(struct sn_dataset *d, const char *bases, int64_t length, int64_t i, uint8_t *codes) {
    int64_t bad;
    char name[32];
    snprintf(name, sizeof name, "%lld", (long long)i + 1);
    if (sn_encode_seq(d->alphabet, bases, length, codes, &bad) < 0)
        return sn_error(SEQNET_EDATA, "record %s: byte 0x%02x at position %lld is no %s symbol", name, (unsigned char)bases[bad],
                        (long long)bad + 1, d->alphabet->name);
    return sn_dataset_add(d, name, codes, length, NULL, NULL);
}

int seqnet_predict(seqnet_predictor *p, const char *const *bases, const int64_t *lengths, int64_t n, float *scores, int64_t capacity) {
    struct sn_dataset *d = NULL;
    uint8_t *codes = NULL;
    int64_t longest = 0;
    int rc = 0;
    SN_TRY(check_capacity(p, n, capacity));
    for (int64_t i = 0; i < n; i++) {
        if (lengths[i] < 0 || lengths[i] > INT32_MAX)
            return sn_error(SEQNET_EINVAL, "record %lld: length %lld", (long long)i + 1, (long long)lengths[i]);
        if (lengths[i] > longest) longest = lengths[i];
    }
    codes = sn_calloc((size_t)longest + 1, 1);
    SN_GO(codes ? 0 : SEQNET_ENOMEM);
    SN_GO(sn_dataset_create(p->models[0]->arch->alphabet, &d));
    for (int64_t i = 0; i < n; i++) SN_GO(add_bases(d, bases[i], lengths[i], i, codes));
    SN_GO(sn_predictor_run(p, d, p->o.logits, scores));
done:
    sn_dataset_free(d);
    free(codes);
    return rc < 0 ? rc : 0;
}

int seqnet_predict_source(seqnet_predictor *p, seqnet_source *s, float *scores, int64_t capacity) {
    SN_TRY(check_capacity(p, s->d->n, capacity));
    return sn_predictor_run(p, s->d, p->o.logits, scores);
}
