/* What the report is made from: provenance of the model, labels and scores, patterns with their parts and matches, the strongest sequences.
 */
#include <math.h>

#include "api/report_data.h"
#include "core/file.h"
#include "core/parse.h"
#include "motif/patterns_write.h"
#include "nets.h"
#include "tempfile.h"
#include "unit.h"

#define NET                                                                                                                                \
    "name: tiny\ninput: {length: variable}\nlayers:\n  - conv1d: {filters: 3, kernel_size: 6, activation: relu}\n"                         \
    "  - global_max_pooling1d\n  - dense: {units: tasks, activation: auto}\n"
#define N 12
#define LENGTH 40

static seqnet_ctx *ctx;
static char dir[600];

static void open_all(void) {
    seqnet_ctx_options o;
    tempdir_make();
    snprintf(dir, sizeof dir, "%s/out", tempdir);
    seqnet_ctx_defaults(&o);
    o.threads = 2;
    ck_ok(seqnet_ctx_create(&o, &ctx));
}

static void close_all(void) {
    char command[700];
    seqnet_ctx_free(&ctx);
    snprintf(command, sizeof command, "rm -rf '%s'", tempdir);
    ck_assert_int_eq(system(command), 0);
}

static struct sn_dataset *make_dataset(bool labels) {
    struct sn_dataset *d;
    struct sn_stream r;
    char s[LENGTH + 1], name[40];
    uint8_t codes[LENGTH];
    int64_t bad;
    sn_stream_init(&r, 1, 2, 3);
    ck_ok(sn_dataset_create(sn_alphabet_find("dna"), &d));
    if (labels) {
        d->kind = SN_TASK_BINARY;
        d->n_tasks = 1;
        d->tasks = sn_calloc(1, sizeof *d->tasks);
        d->tasks[0] = sn_strdup("bound");
    }
    for (int i = 0; i < N; i++) {
        float y = (float)(i % 2);
        random_bases(s, LENGTH, 0, &r);
        ck_assert_int_ge(sn_encode_seq(d->alphabet, s, LENGTH - (i == 3), codes, &bad), 0);
        snprintf(name, sizeof name, "s<%d>", i);
        ck_ok(sn_dataset_add(d, name, codes, LENGTH - (i == 3), NULL, labels ? &y : NULL));
    }
    return d;
}

struct rig {
    struct sn_model *models[2];
    struct sn_dataset *d;
    struct sn_explainer *e;
    struct sn_explained x;
    struct sn_report_input in;
};

static void make(struct rig *r, const char *provenance, bool labels) {
    seqnet_explain_options o;
    *r = (struct rig){0};
    r->models[0] = net_make(NET, SN_TASK_BINARY, 1, 5, 2);
    free(r->models[0]->provenance);
    r->models[0]->provenance = provenance ? sn_strdup(provenance) : NULL;
    r->d = make_dataset(labels);
    seqnet_explain_defaults(&o);
    o.references = "zero";
    ck_ok(sn_explainer_create(&ctx->rt, r->models, 1, &o, &r->e));
    ck_ok(sn_explainer_folder(r->e, r->d, dir, &r->x));
    r->in = (struct sn_report_input){.ctx = ctx,
                                     .models = r->models,
                                     .n_models = 1,
                                     .d = r->d,
                                     .x = &r->x.tasks[0],
                                     .target = "bound logit",
                                     .command = "seqnet <explain>",
                                     .n_examples = 3};
}

static void unmake(struct rig *r) {
    sn_explainer_free(r->e);
    sn_explained_free(&r->x);
    sn_dataset_free(r->d);
    sn_model_unref(r->models[0]);
}

static char *read_out(const char *name) {
    char path[700], *text;
    size_t n;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_ok(sn_read_file(path, 1 << 24, &text, &n));
    return text;
}

static bool is_there(const char *name) {
    char path[700];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void holds(const char *file, const char *part) {
    char *t = read_out(file);
    ck_assert_msg(strstr(t, part) != NULL, "%s lacks '%s'", file, part);
    free(t);
}

START_TEST(provenance) {
    struct rig r;
    make(&r,
         "{\"command\":\"seqnet train -m <x>\",\"version\":\"0.1\",\"threads\":2,\"seed\":7,\"seconds\":12.345,"
         "\"data\":{\"crc32c\":\"0a\",\"training_sequences\":12345,\"validation_sequences\":4,\"validation\":\"10%\"},"
         "\"best\":{\"epoch\":2},\"history\":[{\"epoch\":1,\"train_loss\":0.7,\"val_loss\":0.6,\"val_auroc\":0.5},"
         "{\"epoch\":2,\"train_loss\":0.5,\"val_loss\":null,\"val_auroc\":0.75}],"
         "\"validation_tasks\":[{\"task\":\"bound\",\"n\":4,\"positives\":2,\"auroc\":0.75,\"auprc\":0.8,\"curve\":[[1,0],[1,1],[2,1],[2,2]"
         "]}]}",
         false);
    ck_ok(sn_report_make(&r.in));
    char *t = read_out("report/training.tsv");
    ck_assert_str_eq(t, "model\twhat\tseries\tepoch\tvalue\n.\tloss\ttraining\t1\t0.7\n.\tloss\ttraining\t2\t0.5\n"
                        ".\tloss\tvalidation\t1\t0.6\n.\tloss\tvalidation\t2\tNA\n.\tmetric\tauROC\t1\t0.5\n.\tmetric\tauROC\t2\t0.75\n");
    free(t);
    t = read_out("report/curves.tsv");
    ck_assert_str_eq(t, "evaluation\ttask\ttrue_positives\tfalse_positives\trecall\tfalse_positive_rate\tprecision\n"
                        "Held-out sequences\tbound\t1\t0\t0.5\t0\t1\nHeld-out sequences\tbound\t1\t1\t0.5\t0.5\t0.5\n"
                        "Held-out sequences\tbound\t2\t1\t1\t0.5\t0.6666666666666666\nHeld-out sequences\tbound\t2\t2\t1\t1\t0.5\n");
    free(t);
    holds("report/cards.tsv", "Model\tArchitecture\ttiny\n");
    holds("report/cards.tsv", "Model\tTrained by\tseqnet train -m <x>\n");
    holds("report/cards.tsv", "Training data\tSequences\t12 345\n");
    holds("report/cards.tsv", "Training data\tTook\t12.3 s\n");
    holds("report/cards.tsv", "Explanation\tReferences\tzero\n");
    holds("report/cards.tsv", "Command\tcommand\tseqnet <explain>\n");
    holds("report/cards.tsv", "Explained data\tLength\t39 to 40\n");
    holds("report.html", "seqnet &lt;explain&gt;");
    holds("report.html", "Patterns were not looked for.");
    ck_assert(is_there("report/roc_1_1.svg") && is_there("report/training_1_loss.svg") &&
              is_there("report/residuals.svg") == is_there("report/residuals.tsv"));
    unmake(&r);
}
END_TEST

/* A model file may hold anything. */
START_TEST(strange_provenance) {
    static const char *const texts[] = {
        NULL,
        "",
        "[]",
        "{\"history\":7,\"best\":[],\"data\":\"x\",\"validation_tasks\":{}}",
        "{\"history\":[1,\"a\",null,{}],\"validation_tasks\":[1,{},{\"n\":-5,\"positives\":9,\"curve\":3}]}",
        "{\"validation_tasks\":[{\"task\":\"t\",\"n\":4,\"positives\":2,\"curve\":[[0,0],[3,0]]}]}",
        "{\"validation_tasks\":[{\"task\":\"t\",\"n\":4,\"positives\":2,\"curve\":[[2,0],[1,1]]}]}",
        "{\"validation_tasks\":[{\"task\":\"t\",\"n\":4,\"positives\":2,\"curve\":[[1],\"x\",[1,1,1]]}]}",
        "{\"validation_tasks\":[{\"task\":\"t\",\"n\":9000000000000000000,\"positives\":9000000000000000000,\"curve\":[[1,1]]}]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct rig r;
        make(&r, texts[i], false);
        ck_ok(sn_report_make(&r.in));
        ck_assert_msg(!is_there("report/roc_1_1.svg"), "a curve from %s", texts[i] ? texts[i] : "nothing");
        unmake(&r);
    }
}
END_TEST

START_TEST(labels) {
    struct rig r;
    make(&r, NULL, true);
    ck_ok(sn_report_make(&r.in));
    holds("report/metrics.tsv", "Explained sequences\ttask1\t12\t6\t0.5\t");
    ck_assert(is_there("report/roc_1_1.svg"));
    /* the areas are those of the outputs that were explained: logits rank like scores */
    char *t = read_out("report/metrics.tsv"), *line = strchr(t, '\n') + 1, number[32];
    double auroc = 0;
    ck_assert_int_eq(sscanf(line, "Explained sequences\ttask1\t12\t6\t0.5\t%lf", &auroc), 1);
    double above = 0;
    for (int i = 1; i < N; i += 2)
        for (int k = 0; k < N; k += 2)
            above += r.x.tasks[0].output[i] > r.x.tasks[0].output[k] ? 1 : r.x.tasks[0].output[i] == r.x.tasks[0].output[k] ? 0.5 : 0;
    ck_assert_msg(fabs(auroc - above / 36) < 1e-9, "%s, expected %s", line, sn_format_f64(above / 36, number));
    free(t);
    unmake(&r);
}
END_TEST

/* Drawn are the sequences with the highest output, each letter with its contribution. */
START_TEST(examples) {
    struct rig r;
    make(&r, NULL, false);
    ck_ok(sn_report_make(&r.in));
    int best = 0;
    for (int i = 1; i < N; i++)
        if (r.x.tasks[0].output[i] > r.x.tasks[0].output[best]) best = i;
    char *t = read_out("report/examples.tsv"), *line = strchr(t, '\n') + 1, want[40], base;
    double c, sum = 0;
    int at, lines = 0;
    snprintf(want, sizeof want, "s<%d>", best);
    for (; *line && strncmp(line, want, strlen(want)) == 0; line = strchr(line, '\n') + 1, lines++) {
        ck_assert_int_eq(sscanf(strchr(line, '\t'), "\t%d\t%c\t%lf", &at, &base, &c), 3);
        ck_assert_int_eq(at, lines);
        ck_assert_int_eq(base, r.d->alphabet->decode[r.d->codes[r.d->offset[best] + at]]);
        sum += c;
    }
    ck_assert_int_eq(lines, (int)sn_dataset_len(r.d, best));
    ck_assert_double_eq_tol(sum, (double)r.x.tasks[0].output[best] - (double)r.x.tasks[0].expected[best], 1e-4);
    free(t);
    snprintf(want, sizeof want, "report/sequence_001_s_%d_.svg", best);
    ck_assert(is_there(want));
    r.in.n_examples = 1000;
    ck_ok(sn_report_make(&r.in)); /* no more than there are */
    unmake(&r);
}
END_TEST

/* ---- patterns ---- */

static double even[24], sharp[24];
static struct sn_seqlet places[4] = {{0, 10, 16, false, 1}, {0, 20, 26, true, 1}, {3, 0, 6, false, 1}, {5, 34, 40, false, 1}};

static struct sn_pattern pattern(const char *name, int n) {
    return (struct sn_pattern){.name = (char *)(uintptr_t)name,
                               .width = 6,
                               .pfm = sharp,
                               .contribution = even,
                               .hypothetical = even,
                               .trim_start = 1,
                               .trim_end = 5,
                               .n = n,
                               .seqlets = places};
}

START_TEST(patterns) {
    struct rig r;
    struct sn_motif_set db, queries;
    for (int i = 0; i < 24; i++) even[i] = 0.25, sharp[i] = i % 4 == i / 4 % 4;
    struct sn_pattern part = pattern("pos_1.1", 1), v[2] = {pattern("pos_1", 4), pattern("neg_1", 2)};
    struct sn_patterns p = {.v = v, .n = 2};
    v[0].sub = &part;
    v[0].n_sub = 1;
    make(&r, NULL, false);
    ck_ok(sn_motif_set_init(&db, "ACGT"));
    ck_ok(sn_motif_add(&db, "M1", "first", 2, even, 5));
    ck_ok(sn_motif_add(&db, "M2", NULL, 3, even, 5));
    ck_ok(sn_patterns_motifs(&p, false, &queries));
    ck_assert_int_eq(queries.n, 3);
    ck_assert_str_eq(queries.m[0].id, "pos_1");
    ck_assert_str_eq(queries.m[1].id, "pos_1.1");
    ck_assert_str_eq(queries.m[2].id, "neg_1");
    ck_assert(queries.m[0].width == 4 && memcmp(queries.m[0].p, sharp + 4, 16 * sizeof(double)) == 0 && queries.m[0].nsites == 4);
    struct sn_tomtom_hit hits[] = {{.query = 0, .target = 1, .offset = -1, .overlap = 2, .p = 1e-5, .e = 2e-5, .q = 1e-4},
                                   {.query = 0, .target = 0, .offset = 1, .overlap = 2, .reverse = true, .p = 0.5, .e = 1, .q = 1},
                                   {.query = 2, .target = 0, .p = 0.25, .e = 0.5, .q = 1}};
    struct sn_tomtom_hits h = {.v = hits, .n = 3};
    r.in.patterns = &p;
    r.in.db = &db;
    r.in.db_name = "some.meme";
    r.in.hits = &h;
    r.in.most_hits = 1;
    ck_ok(sn_report_make(&r.in));
    char *t = read_out("report/matches.tsv");
    ck_assert_str_eq(t, "pattern\tmatch\tname\toffset\toverlap\tstrand\tp\tE\tq\npos_1\tM2\t.\t-1\t2\t+\t0.00001\t0.00002\t0.0001\n"
                        "neg_1\tM1\tfirst\t0\t0\t+\t0.25\t0.5\t1\n");
    free(t);
    t = read_out("report/patterns.tsv");
    ck_assert_str_eq(t, "pattern\tpart_of\tseqlets\tsequences\twidth\tcore_start\tcore_end\tconsensus\npos_1\t.\t4\t3\t6\t1\t5\tCGTA\n"
                        "pos_1.1\tpos_1\t1\t1\t6\t1\t5\tCGTA\nneg_1\t.\t2\t1\t6\t1\t5\tCGTA\n");
    free(t);
    /* middles 13 and 23 of 40, 3 of 39, 37 of 40 */
    holds("report/pattern_positions.tsv", "pos_1\t-17\t-16\t1\n");
    holds("report/pattern_positions.tsv", "pos_1\t-7\t-6\t1\n");
    holds("report/pattern_positions.tsv", "pos_1\t3\t4\t1\n");
    holds("report/pattern_positions.tsv", "pos_1\t17\t18\t1\n");
    holds("report.html", "Compared with 2 motifs of some.meme.");
    /* none at all, with the reason */
    snprintf(p.message, sizeof p.message, "3 seqlets, 100 are needed");
    p.n = 0;
    ck_ok(sn_report_make(&r.in));
    holds("report.html", "No pattern was found: 3 seqlets, 100 are needed");
    sn_motif_set_free(&db);
    sn_motif_set_free(&queries);
    unmake(&r);
}
END_TEST

START_TEST(failures) {
    struct rig r;
    char path[700];
    make(&r, NULL, false);
    snprintf(path, sizeof path, "%s/contributions.npz", dir);
    ck_assert_int_eq(unlink(path), 0);
    ck_error(sn_report_make(&r.in), SEQNET_EIO, "contributions.npz");
    ck_assert(!is_there("report.html"));
    unmake(&r);
}
END_TEST

int main(void) {
    Suite *s = suite_create("report_data");
    TCase *t = tcase_create("report_data");
    tcase_add_checked_fixture(t, open_all, close_all);
    tcase_add_test(t, provenance);
    tcase_add_test(t, strange_provenance);
    tcase_add_test(t, labels);
    tcase_add_test(t, examples);
    tcase_add_test(t, patterns);
    tcase_add_test(t, failures);
    suite_add_tcase(s, t);
    return unit_run(s);
}
