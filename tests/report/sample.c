/* Writes a report from made-up data, so that its look can be judged and checked without a training: sample KIND FOLDER.
 *   full   what a good run gives
 *   empty  nothing found, nothing known
 *   many   200 patterns, 15 tasks
 *   odd    names with markup, very long ones, values that are no numbers, single positions */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/rng.h"
#include "report/report.h"

#define EPOCHS 14
#define POINTS 200
#define WIDTH 30
#define SPAN 201
#define MOST_PATTERNS 200
#define MOST_TASKS 15
#define RESIDUALS 600

static struct sn_stream rng;

static double normal(void) {
    return sn_stream_normal(&rng);
}

static double unit(void) {
    return sn_stream_unit(&rng);
}

/* ---- training and curves ---- */

static double epoch[EPOCHS], train_loss[EPOCHS], valid_loss[EPOCHS], auroc[EPOCHS], auprc[EPOCHS];
static const struct sn_report_series losses[] = {{"training", train_loss}, {"validation", valid_loss}};
static const struct sn_report_series metrics[] = {{"auROC", auroc}, {"auPR", auprc}};
static struct sn_report_training training = {
    .epoch = epoch, .n_epochs = EPOCHS, .losses = losses, .metrics = metrics, .n_losses = 2, .n_metrics = 2, .best = 10};

static void make_training(void) {
    for (int i = 0; i < EPOCHS; i++) {
        epoch[i] = i + 1;
        train_loss[i] = 0.16 + 0.5 / (1 + 0.7 * i) + 0.006 * normal();
        valid_loss[i] = 0.2 + 0.45 / (1 + 0.8 * i) + (i > 9 ? 0.006 * (i - 9) : 0) + 0.008 * normal();
        auroc[i] = 0.972 - 0.15 / (1 + 1.1 * i) + 0.002 * normal();
        auprc[i] = 0.968 - 0.2 / (1 + 1.1 * i) + 0.003 * normal();
    }
}

static int64_t tp[MOST_TASKS][POINTS], fp[MOST_TASKS][POINTS];
static struct sn_report_task tasks[MOST_TASKS];
static char task_name[MOST_TASKS][16];

static void make_task(int k, double apart) {
    int64_t p = 0, n = 0, pos = 270, neg = 540;
    double area = 0, precision = 0;
    for (int i = 0; i < POINTS; i++) {
        double at = 1 - (double)i / (POINTS - 1), old_n = (double)n, old_p = (double)p;
        p = (int64_t)((double)pos * (1 - pow(at, apart)));
        n = (int64_t)((double)neg * pow(1 - at, apart));
        if (i == POINTS - 1) p = pos, n = neg;
        tp[k][i] = p;
        fp[k][i] = n;
        area += ((double)n - old_n) * (old_p + (double)p) / 2;
        if (p > 0) precision += ((double)p - old_p) * (double)p / (double)(p + n);
    }
    snprintf(task_name[k], sizeof task_name[k], k ? "cell_type_%02d" : "label", k);
    tasks[k] = (struct sn_report_task){.name = task_name[k],
                                       .n = pos + neg,
                                       .positives = pos,
                                       .auroc = area / (double)(pos * neg),
                                       .auprc = precision / (double)pos,
                                       .accuracy = 0.93,
                                       .pearson = NAN,
                                       .spearman = NAN,
                                       .n_points = POINTS - 1,
                                       .tp = tp[k] + 1,
                                       .fp = fp[k] + 1};
}

/* ---- patterns ---- */

static double pfm[MOST_PATTERNS][WIDTH * 4], cwm[MOST_PATTERNS][WIDTH * 4], position[MOST_PATTERNS][300];
static double match_pfm[5][3][WIDTH * 4];
static struct sn_report_match matches[MOST_PATTERNS][3];
static struct sn_report_pattern patterns[MOST_PATTERNS];
static char pattern_name[MOST_PATTERNS][16];

static void sharpen(double *row, int letter, double share) {
    for (int k = 0; k < 4; k++) row[k] = k == letter ? share : (1 - share) / 3;
}

/* A word between flanks of chance; letters in lower case are weaker. */
static int make_matrix(const char *word, int flank, double *p, double *c, double sign) {
    int n = (int)strlen(word), width = n + 2 * flank;
    for (int i = 0; i < width; i++) {
        bool inside = i >= flank && i < flank + n, strong = inside && word[i - flank] < 'a';
        int letter = inside ? (int)(strchr("ACGTacgt", word[i - flank]) - "ACGTacgt") % 4 : (int)sn_stream_below(&rng, 4);
        sharpen(p + i * 4, letter, inside ? (strong ? 0.9 : 0.55) + 0.08 * unit() : 0.27 + 0.06 * unit());
        for (int k = 0; c && k < 4; k++)
            c[i * 4 + k] = sign * (p[i * 4 + k] * (inside ? 0.3 : 0.01) * (0.8 + 0.4 * unit()) - (k == letter ? 0 : 0.012 * unit()));
    }
    return width;
}

static void reverse(double *p, int width) {
    for (int i = 0; i < width * 2; i++) {
        double v = p[i];
        p[i] = p[width * 4 - 1 - i];
        p[width * 4 - 1 - i] = v;
    }
}

static const char *const words[] = {"TTCAGCACCatGGACAGcgcC", "GgGGCGGGGc", "tGCCacCAGGGGGCGCta", "CACGTGac", "AGGTCAccg"};
static const char *const known[][2] = {
    {"MA0138.3", "REST"}, {"MA0079.5", "SP1"}, {"MA0139.2", "CTCF"}, {"MA0093.4", "USF1"}, {"MA0512.2", "Rxra"}};

static void make_pattern(int i, int n, bool negative) {
    const char *word = words[i % 5];
    int flank = strlen(word) > 16 ? 4 : 6, core = (int)strlen(word);
    struct sn_report_pattern *t = &patterns[i];
    snprintf(pattern_name[i], sizeof pattern_name[i], "%s_%d", negative ? "neg" : "pos", i + 1);
    *t = (struct sn_report_pattern){.name = pattern_name[i],
                                    .consensus = word,
                                    .n_seqlets = n,
                                    .n_sequences = n - n / 9,
                                    .width = make_matrix(word, flank, pfm[i], cwm[i], negative ? -0.6 : 1),
                                    .core_start = flank,
                                    .core_end = flank + core,
                                    .pfm = pfm[i],
                                    .contribution = cwm[i],
                                    .position = position[i],
                                    .n_positions = n < 300 ? n : 300,
                                    .matches = matches[i],
                                    .n_matches = 3};
    for (int k = 0; k < t->n_positions; k++) position[i][k] = fmod(normal() * (i % 2 ? 45 : 14), 90);
}

/* The motif itself, the same turned and shifted, and another one. */
static void make_matches(int i) {
    for (int k = 0; k < 3; k++) {
        int which = k < 2 ? i % 5 : (i + 1) % 5, core = (int)strlen(words[which]);
        matches[i][k] = (struct sn_report_match){.id = known[which][0],
                                                 .name = known[which][1],
                                                 .width = core + (k == 1 ? 4 : 0),
                                                 .pfm = match_pfm[which][k],
                                                 .offset = k == 0   ? 0
                                                           : k == 1 ? -2
                                                                    : 5,
                                                 .overlap = core,
                                                 .reverse = k == 1,
                                                 .p = k == 0   ? 3.2e-19
                                                      : k == 1 ? 4.1e-7
                                                               : 0.0213,
                                                 .e = k == 0   ? 6.1e-16
                                                      : k == 1 ? 7.8e-4
                                                               : 40.5,
                                                 .q = k == 0   ? 1.2e-15
                                                      : k == 1 ? 7.7e-4
                                                               : 0.81};
    }
}

static void make_known(void) {
    for (int w = 0; w < 5; w++) {
        for (int k = 0; k < 3; k++) make_matrix(words[w], k == 1 ? 2 : 0, match_pfm[w][k], NULL, 1);
        reverse(match_pfm[w][1], (int)strlen(words[w]) + 4);
    }
}

/* ---- sequences ---- */

#define EXAMPLES 5
static char bases[EXAMPLES][SPAN + 1], example_name[EXAMPLES][48], note[EXAMPLES][64];
static float contribution[EXAMPLES][SPAN], residual[RESIDUALS];
static struct sn_report_mark marks[EXAMPLES][4];
static struct sn_report_example examples[EXAMPLES];

static void plant(int i, int at, const char *word, int k, const char *label) {
    int n = (int)strlen(word);
    for (int j = 0; j < n; j++) {
        bases[i][at + j] = word[j] < 'a' ? word[j] : (char)(word[j] - 32);
        contribution[i][at + j] = (float)((word[j] < 'a' ? 0.24 : 0.09) * (0.7 + 0.5 * unit()));
    }
    marks[i][k] = (struct sn_report_mark){at - 2, at + n + 2, label};
}

static void make_example(int i) {
    for (int j = 0; j < SPAN; j++) {
        bases[i][j] = "ACGT"[sn_stream_below(&rng, 4)];
        contribution[i][j] = (float)(0.012 * normal());
    }
    plant(i, 70 + 3 * i, words[0], 0, "pos_1");
    plant(i, 96 + 3 * i, words[1], 1, "pos_2");
    plant(i, 150 - 4 * i, words[3], 2, i == 1 ? "pos_4" : "neg_4");
    if (i == 1) bases[i][20] = 'N';
    snprintf(example_name[i], sizeof example_name[i], "chr22:%d-%d", 20100100 + 1777 * i, 20100301 + 1777 * i);
    snprintf(note[i], sizeof note[i], "label logit %.2f, mean of references %.2f", 7.4 - 0.3 * i, -1.9 - 0.1 * i);
    examples[i] = (struct sn_report_example){.name = example_name[i],
                                             .note = note[i],
                                             .bases = bases[i],
                                             .contribution = contribution[i],
                                             .length = SPAN,
                                             .marks = marks[i],
                                             .n_marks = 3};
}

static const struct sn_report_fact model_facts[] = {
    {"Architecture", "cnn"},
    {"File", "out/rest.seqnet"},
    {"Digest", "5f3a09c2"},
    {"Input", "dna, 101 bases or more; both strands, averaged"},
    {"Receptive field", "29"},
    {"Weights", "60 993"},
    {"Tasks", "label"},
    {"Trained by",
     "seqnet train -m cnn --data data/tf_rest_gm12878/train.tsv.gz --valid-data data/tf_rest_gm12878/valid.tsv.gz -o out/rest.seqnet"},
};
static const struct sn_report_fact data_facts[] = {
    {"Training", "4 320 sequences of up to 101 bases, CRC-32C 9f3b2d11"},
    {"Validation", "540 sequences of a set of its own"},
    {"Explained", "600 sequences of 201 bases (out/rest.bed)"},
};
static const struct sn_report_fact run_facts[] = {
    {"Method", "DeepLIFT, rule rescale"},
    {"References", "20 dinucleotide shuffles each"},
    {"Target", "label logit"},
    {"Seed", "1"},
    {"Threads", "2"},
};
static const struct sn_report_card cards[] = {{"Model", model_facts, 8}, {"Data", data_facts, 3}, {"Explanation", run_facts, 5}};

static struct sn_report_evaluation evaluation = {
    .title = "Validation sequences", .note = "Held out of the training; scores of the epoch that was kept.", .tasks = tasks, .n = 1};

static const char *const notes[] = {"This model was trained against shuffled sequences: its scores of real genomes come out too high."};

static struct sn_report full(void) {
    make_training();
    make_task(0, 6);
    make_known();
    const int seqlets[] = {583, 214, 88, 41};
    for (int i = 0; i < 4; i++) make_pattern(i, seqlets[i], i == 3);
    for (int i = 0; i < 3; i++) make_matches(i);
    patterns[3].n_matches = 0;
    for (int i = 0; i < EXAMPLES; i++) make_example(i);
    marks[0][3] = marks[0][2]; /* two seqlets overlap: their names stand above each other */
    marks[0][2] = marks[0][1];
    marks[0][1] = (struct sn_report_mark){70, 90, "pos_3"};
    examples[0].n_marks = 4;
    for (int i = 0; i < RESIDUALS; i++) residual[i] = i < 4 ? 0 : (float)exp(-15.5 + 1.1 * normal());
    return (struct sn_report){.title = "REST in GM12878: what the model learned",
                              .version = "0.1.0",
                              .command =
                                  "seqnet explain out/rest.seqnet out/rest.bed -f data/minigenome_chr22/mini.fa.gz --window 201 --db "
                                  "data/motifs/JASPAR2024_subset.meme -o out/rest",
                              .letters = "ACGT",
                              .target = "label logit",
                              .n_sequences = RESIDUALS,
                              .longest = SPAN,
                              .notes = notes,
                              .n_notes = 1,
                              .cards = cards,
                              .n_cards = 3,
                              .trainings = &training,
                              .n_trainings = 1,
                              .evaluations = &evaluation,
                              .n_evaluations = 1,
                              .patterns = patterns,
                              .n_patterns = 4,
                              .database = "data/motifs/JASPAR2024_subset.meme",
                              .n_database = 1943,
                              .examples = examples,
                              .n_examples = EXAMPLES,
                              .residual = residual,
                              .n_residuals = RESIDUALS};
}

static struct sn_report many(void) {
    struct sn_report r = full();
    for (int k = 0; k < MOST_TASKS; k++) make_task(k, 2 + 0.4 * k);
    evaluation.n = MOST_TASKS;
    for (int i = 0; i < MOST_PATTERNS; i++) {
        make_pattern(i, 4000 / (i + 1) + 20, i >= 150);
        make_matches(i);
        patterns[i].part = i % 10 == 3;
    }
    r.n_patterns = MOST_PATTERNS;
    return r;
}

static struct sn_report empty(void) {
    return (struct sn_report){
        .title = "Nothing found",
        .version = "0.1.0",
        .letters = "ACGT",
        .n_sequences = 1,
        .longest = 1,
        .why_no_patterns =
            "No pattern was found: only 12 stretches of 1 sequence contribute more than chance explains, and 100 are needed."};
}

static struct sn_report odd(void) {
    static char word[4001];
    static struct sn_report_fact facts[] = {
        {"<b>name</b> & \"more\"", "</td></table><script>alert(1)</script>"}, {"File", word}, {"Bytes", "a\xff\xc0\x80\x01z"}};
    static const struct sn_report_card card = {"A <i>card</i>", facts, 3};
    static const float none[3] = {NAN, INFINITY, 0};
    struct sn_report r = full();
    memset(word, 'x', 4000);
    for (int i = 0; i < EPOCHS; i++) auroc[i] = NAN, valid_loss[i] = i % 3 ? INFINITY : 0.3;
    training.best = NAN;
    tasks[0].name = word;
    tasks[0].auroc = NAN;
    patterns[0].name = "<svg onload=alert(1)>";
    patterns[1].name = word;
    patterns[2].width = 1;
    patterns[2].core_start = 0;
    patterns[2].core_end = 1;
    for (int i = 0; i < 40; i++) cwm[3][i] = pfm[3][i] = i % 2 ? NAN : -1e30;
    matches[1][0].name = word;
    matches[1][1].id = "' onclick='alert(1)";
    matches[1][1].name = NULL;
    matches[0][0].p = matches[0][0].e = matches[0][0].q = NAN;
    marks[0][2].label = word;
    marks[0][3] = (struct sn_report_mark){
        -5, 10000, "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"};
    examples[1].name = word;
    examples[2].length = 1;
    contribution[3][7] = NAN;
    contribution[3][8] = INFINITY;
    r.title = "</title><script>alert(1)</script> & \xc3\xa9\xe4\xbd\xa0";
    r.cards = &card;
    r.n_cards = 1;
    r.command = word;
    r.residual = none;
    r.n_residuals = 3;
    r.date = "2026-01-31";
    return r;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        struct sn_report (*make)(void);
    } kinds[] = {{"full", full}, {"empty", empty}, {"many", many}, {"odd", odd}};
    setlocale(LC_ALL, ""); /* must not change a byte */
    sn_stream_init(&rng, 7, 0, 0);
    for (size_t i = 0; argc == 3 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(argv[1], kinds[i].name) != 0) continue;
        struct sn_report r = kinds[i].make();
        if (sn_report_write(&r, argv[2]) == 0) return EXIT_SUCCESS;
        fprintf(stderr, "sample: %s\n", sn_error_text());
        return EXIT_FAILURE;
    }
    fprintf(stderr, "usage: sample full|empty|many|odd FOLDER\n");
    return 2;
}
