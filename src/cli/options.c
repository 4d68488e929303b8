/* The table of commands and options: parsing, --help and completion all come from it. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cli.h"

const struct command commands[] = {
    {TRAIN, "train", "-m NAME|ARCH.yaml (--pos FILE [--neg FILE] | --data FILE) [-f REF.fa] -o MODEL.seqnet",
     "train a model on labelled sequences", cmd_train, 0, false},
    {EVALUATE, "evaluate", "MODEL... (--pos FILE --neg FILE | --data FILE) [-f REF.fa]",
     "compare a model's scores with labels: auROC, auPR, ...", cmd_evaluate, 1, false},
    {PREDICT, "predict", "MODEL... INPUT [-f REF.fa]", "score sequences or intervals", cmd_predict, 2, false},
    {SCAN, "scan", "MODEL... GENOME.fa [-o out.bedgraph|out.bed[.gz]]", "score a genome window by window: tracks and called sites",
     cmd_scan, 2, false},
    {EXPLAIN, "explain", "MODEL... INPUT [-f REF.fa] -o OUTDIR", "base-level contributions, motifs, logos", cmd_explain, 2, false},
    {INFO, "info", "MODEL|ARCH.yaml|NAME", "what is in a model or an architecture", cmd_info, 1, true},
    {DISCOVER, "motifs discover", "FOLDER | --one-hot FILE --hypothetical FILE -o OUTDIR",
     "find motifs in contributions (the method of TF-MoDISco)", cmd_motifs_discover, -1, false},
    {MATCH, "motifs match", "QUERY.meme [--db NAME|DB.meme]", "compare motifs with known ones (Tomtom's statistics)", cmd_motifs_match, 1,
     false},
    {SITES, "motifs scan", "MOTIFS.meme SEQS.fa", "find sites of motifs in sequences (FIMO's statistics)", cmd_motifs_scan, 2, false},
};
const int n_commands = sizeof commands / sizeof *commands;

static const char *const word_device[] = {"cpu", "cuda", "auto", NULL};
static const char *const word_gemm[] = {"auto", "own", "openblas", NULL};
static const char *const word_center[] = {"mid", "summit", NULL};
static const char *const word_schedule[] = {"constant", "one_cycle", NULL};
static const char *const word_optimizer[] = {"adam", "sgd", NULL};
static const char *const word_yes[] = {"no", "yes", NULL};
static const char *const word_strands[] = {"forward", "average", "max", NULL};
static const char *const word_weight[] = {"balanced", "none", NULL};
static const char *const word_strand[] = {"model", "both", "fwd", "rev", NULL}; /* order of enum seqnet_scan_strand */
static const char *const word_method[] = {"deeplift", "integrated-gradients", "input-x-gradient", "saliency", "ism", NULL};
static const char *const word_rule[] = {"rescale", "reveal-cancel", "genomics", NULL};
static const char *const word_distance[] = {"euclidean", "pearson", NULL};
static const char *const word_both[] = {"both", "forward", NULL};
static const char *const word_background[] = {"motifs", "uniform", NULL};
static const char *const word_density[] = {"compat", "consistent", NULL};
static const char *const word_target[] = {"logit", "probability", NULL};

#define AT(field) offsetof(struct args, field)
#define BIG 9e18 /* no upper limit worth a word */
#define ARCH "from the architecture"

const struct option options[] = {
    /* ---- data ---- */
    {"Data", "data", 0, OPT_TEXT, TRAIN | EVALUATE, AT(data.data), .unit = "FILE",
     .help = "table with a header: sequence (or chrom start end [strand]), then label columns; NA = missing"},
    {"Data", "pos", 0, OPT_TEXT, TRAIN | EVALUATE, AT(data.positives), .unit = "FILE",
     .help = "positives: FASTA, or BED/narrowPeak with -f"},
    {"Data", "neg", 0, OPT_TEXT, TRAIN, AT(data.negatives), .unit = "FILE", .help = "negatives, the same kinds",
     .unset = "drawn: matched genomic windows, or dinucleotide shuffles of FASTA"},
    {"Data", "neg", 0, OPT_TEXT, EVALUATE, AT(data.negatives), .unit = "FILE", .help = "negatives, the same kinds"},
    {"Data", "reference", 'f', OPT_TEXT, TRAIN | EVALUATE | PREDICT | EXPLAIN, AT(data.reference), .unit = "REF.fa",
     .help = "reference genome, for intervals"},
    {"Data", "label", 0, OPT_TEXT, TRAIN | EVALUATE, AT(data.labels), .unit = "COL,...", .help = "label columns of a table",
     .unset = "all but sequence, coordinates, name and group"},
    {"Data", "label", 0, OPT_TEXT, EXPLAIN, AT(data.labels), .unit = "COL,...", .help = "label columns of a table, for the report",
     .unset = "columns named like the tasks, where there are all"},
    {"Data", "group", 0, OPT_TEXT, TRAIN, AT(data.group), .unit = "COL", .help = "column whose equal values stay on one side of the split"},
    {"Data", "exclude", 0, OPT_TEXT, TRAIN, AT(data.exclude), .unit = "BED", .help = "regions where no negative is drawn"},
    {"Data", "window", 0, OPT_SIZE, TRAIN | EVALUATE | PREDICT | EXPLAIN, AT(data.window), 1, INT32_MAX, .unit = "BASES",
     .help = "window about the centre of each interval", .unset = "the model's length, or the interval itself"},
    {"Data", "center", 0, OPT_INDEX, TRAIN | EVALUATE | PREDICT | EXPLAIN, AT(data.center_summit), .words = word_center,
     .help = "centre of an interval: its middle, or the narrowPeak summit"},
    /* ---- validation ---- */
    {"Validation", "valid-fraction", 0, OPT_FLOAT, TRAIN, AT(train.valid_fraction), 0, 0.9, .help = "share of the data held out",
     .unset = ARCH},
    {"Validation", "valid-chroms", 0, OPT_TEXT, TRAIN, AT(train.valid_chroms), .unit = "CHROM,...", .help = "chromosomes held out, or auto",
     .unset = "auto where there are coordinates, else the fraction"},
    {"Validation", "valid-data", 0, OPT_TEXT, TRAIN, AT(valid.data), .unit = "FILE", .help = "validation table"},
    {"Validation", "valid-pos", 0, OPT_TEXT, TRAIN, AT(valid.positives), .unit = "FILE", .help = "validation positives"},
    {"Validation", "valid-neg", 0, OPT_TEXT, TRAIN, AT(valid.negatives), .unit = "FILE", .help = "validation negatives"},
    /* ---- training ---- */
    {"Training", "model", 'm', OPT_TEXT, TRAIN, AT(architecture), .unit = "NAME|FILE",
     .help = "architecture: a file, or an installed name (cnn, ...)"},
    {"Training", "epochs", 0, OPT_INT, TRAIN, AT(train.epochs), 1, INT32_MAX, .help = "passes over the data", .unset = ARCH},
    {"Training", "min-steps", 0, OPT_INT, TRAIN, AT(train.min_steps), 0, INT32_MAX, .help = "more epochs until this many steps",
     .unset = ARCH},
    {"Training", "batch-size", 0, OPT_INT, TRAIN, AT(train.batch_size), 1, 65536, .help = "sequences a step", .unset = ARCH},
    {"Training", "learning-rate", 0, OPT_FLOAT, TRAIN, AT(train.learning_rate), 1e-12, 1e3, .help = "the peak of one_cycle", .unset = ARCH},
    {"Training", "schedule", 0, OPT_WORD, TRAIN, AT(train.schedule), .words = word_schedule, .help = "of the learning rate", .unset = ARCH},
    {"Training", "optimizer", 0, OPT_WORD, TRAIN, AT(train.optimizer), .words = word_optimizer, .help = "how weights are changed",
     .unset = ARCH},
    {"Training", "momentum", 0, OPT_FLOAT, TRAIN, AT(train.momentum), 0, 1, .help = "of sgd", .unset = ARCH},
    {"Training", "nesterov", 0, OPT_INDEX, TRAIN, AT(train.nesterov), .words = word_yes, .help = "Nesterov momentum of sgd", .unset = ARCH},
    {"Training", "clipnorm", 0, OPT_FLOAT, TRAIN, AT(train.clipnorm), 0, 1e12, .help = "largest global norm of the gradient, 0 = any",
     .unset = ARCH},
    {"Training", "l1", 0, OPT_FLOAT, TRAIN, AT(train.l1), 0, 1e3, .help = "penalty on every kernel", .unset = ARCH},
    {"Training", "l2", 0, OPT_FLOAT, TRAIN, AT(train.l2), 0, 1e3, .help = "penalty on every kernel", .unset = ARCH},
    {"Training", "patience", 0, OPT_INT, TRAIN, AT(train.patience), 0, INT32_MAX,
     .help = "epochs without a better validation loss before stopping, 0 = never", .unset = ARCH},
    {"Training", "strand", 0, OPT_WORD, TRAIN, AT(train.strand), .words = word_strands,
     .help = "logits of both strands combined, or forward for single-stranded data (then nothing is reverse-complemented)", .unset = ARCH},
    {"Training", "reverse-complement", 0, OPT_INDEX, TRAIN, AT(train.reverse_complement), .words = word_yes,
     .help = "show half of the sequences reverse-complemented", .unset = ARCH},
    {"Training", "shift", 0, OPT_INT, TRAIN, AT(train.shift), 0, 1e6, .unit = "BASES", .help = "shift sequences by up to this",
     .unset = ARCH},
    {"Training", "class-weight", 0, OPT_WORD, TRAIN, AT(train.class_weight), .words = word_weight,
     .help = "weights of rare and frequent labels", .unset = ARCH},
    {"Training", "log", 0, OPT_TEXT, TRAIN, AT(train.log), .unit = "FILE.tsv", .help = "table of losses and metrics, a line an epoch"},
    /* ---- prediction ---- */
    {"Prediction", "logits", 0, OPT_FLAG, PREDICT, AT(predict.logits), .help = "values before the last sigmoid or softmax"},
    {"Prediction", "batch-size", 0, OPT_INT, PREDICT | EVALUATE, AT(predict.batch), 1, 65536,
     .help = "sequences computed at a time; does not change a bit of the result", .unset = "chosen"},
    /* ---- scan ---- */
    {"Scan", "region", 'r', OPT_TEXT, SCAN, AT(scan.region), .unit = "CHR:FROM-TO", .help = "part of the genome, 1-based inclusive",
     .unset = "all"},
    {"Scan", "regions", 'R', OPT_TEXT, SCAN, AT(scan.regions_bed), .unit = "BED", .help = "regions to scan", .unset = "all"},
    {"Scan", "window", 0, OPT_SIZE, SCAN, AT(scan.window), 1, INT32_MAX, .unit = "BASES", .help = "length of a window",
     .unset = "the model's length, or that of its training"},
    {"Scan", "stride", 0, OPT_SIZE, SCAN, AT(scan.stride), 1, INT32_MAX, .zero = "auto", .unit = "BASES|auto",
     .help = "from window to window", .unset = "auto"},
    {"Scan", "fpr", 0, OPT_FLOAT, SCAN, AT(scan.fpr), 1e-12, 1, .help = "call sites at this false positive rate on the model's background"},
    {"Scan", "threshold", 0, OPT_FLOAT, SCAN, AT(scan.threshold), -1e30, 1e30, .help = "call sites with at least this score"},
    {"Scan", "strand", 0, OPT_INDEX, SCAN, AT(scan.strand), .words = word_strand,
     .help = "strands to score; model: as it combines them, else both"},
    {"Scan", "task", 0, OPT_TEXT, SCAN, AT(scan.task), .unit = "NAME", .help = "task or class to write", .unset = "the first"},
    /* ---- explanation ---- */
    {"Explanation", "method", 0, OPT_WORD, EXPLAIN, AT(explain.method), .words = word_method,
     .help = "of attribution; ism: every letter in every place (in-silico mutagenesis)"},
    {"Explanation", "rule", 0, OPT_WORD, EXPLAIN, AT(explain.rule), .words = word_rule,
     .help = "of deeplift at activations; genomics: reveal-cancel after dense layers, rescale elsewhere"},
    {"Explanation", "references", 0, OPT_TEXT, EXPLAIN, AT(explain.references), .unit = "dinucleotide|zero|uniform|FILE.fa",
     .help = "what sequences are compared with by deeplift and integrated-gradients"},
    {"Explanation", "n-references", 0, OPT_INT, EXPLAIN, AT(explain.n_references), 1, 100000, .help = "shuffles a sequence"},
    {"Explanation", "task", 0, OPT_TEXT, EXPLAIN, AT(explain.task), .unit = "NAME,...|all",
     .help = "tasks or classes to explain; of several each gets a folder in OUTDIR", .unset = "the first"},
    {"Explanation", "target", 0, OPT_WORD, EXPLAIN, AT(explain.target), .words = word_target,
     .help = "value to explain; the logit of a class is taken less the mean of all classes"},
    {"Explanation", "resume", 0, OPT_FLAG, EXPLAIN, AT(explain.resume), .outside = true,
     .help = "go on with what an interrupted run of the same command left in OUTDIR"},
    {"Explanation", "patterns", 0, OPT_INDEX, EXPLAIN, AT(explain.patterns), .words = word_yes,
     .help = "look for motifs in the contributions; `seqnet motifs discover OUTDIR` does it again with other settings"},
    {"Explanation", "db", 0, OPT_TEXT, EXPLAIN, AT(explain.motif_db), .unit = "NAME|FILE|none",
     .help = "known motifs that patterns and filters are compared with: an installed name, MEME or JASPAR matrices",
     .unset = "jaspar, for DNA"},
    {"Explanation", "n-logos", 0, OPT_INT, EXPLAIN, AT(explain.n_logos), 0, 100000, .help = "sequences drawn, the strongest first"},
    {"Explanation", "max-mem", 0, OPT_SIZE, EXPLAIN, AT(explain.max_memory), 0, BIG, .unit = "BYTES",
     .help = "that all of it may take; references are taken in parts and fewer workers run to keep it; 0 = any"},
    /* ---- motifs ---- */
    {"Input", "one-hot", 0, OPT_TEXT, DISCOVER, AT(discover.one_hot), .unit = "FILE",
     .help = "sequences: .npy or .npz, (n,4,length), bases in the order A C G T", .unset = "FOLDER/one_hot.npz"},
    {"Input", "hypothetical", 0, OPT_TEXT, DISCOVER, AT(discover.hypothetical), .unit = "FILE",
     .help = "hypothetical contributions of the four bases, the same shape", .unset = "FOLDER/hypothetical.npz"},
    {"Discovery", "window", 0, OPT_INT, DISCOVER, AT(discover.window), 1, 200, .unit = "BASES",
     .help = "whose summed contribution makes a seqlet"},
    {"Discovery", "flank", 0, OPT_INT, DISCOVER, AT(discover.flank), 0, 100, .unit = "BASES", .help = "on each side of the window"},
    {"Discovery", "fdr", 0, OPT_FLOAT, DISCOVER, AT(discover.fdr), 0, 1, .help = "false discovery rate of seqlets"},
    {"Discovery", "min-passing", 0, OPT_FLOAT, DISCOVER, AT(discover.min_passing), 1e-9, 1, .help = "least share of windows that pass",
     .unset = "ten a sequence, within 0.03 and 0.1"},
    {"Discovery", "trim-window", 0, OPT_INT, DISCOVER, AT(discover.trim_window), 1, 200, .unit = "BASES",
     .help = "most informative part of a pattern", .unset = "30 and a flank of 10; of sequences below 200 letters 20 and 5"},
    {"Discovery", "trim-flank", 0, OPT_INT, DISCOVER, AT(discover.trim_flank), 0, 100, .unit = "BASES",
     .help = "on each side of it, with --trim-window"},
    {"Discovery", "max-seqlets", 0, OPT_SIZE, DISCOVER, AT(discover.max_seqlets), 0, 1000000,
     .help = "of each sign; of more a subset is drawn; 0 = all"},
    {"Discovery", "leiden-seeds", 0, OPT_INT, DISCOVER, AT(discover.leiden_seeds), 1, 10000,
     .help = "partitions tried in each clustering, the best is taken"},
    {"Discovery", "density", 0, OPT_WORD, DISCOVER, AT(discover.density), .words = word_density,
     .help = "kernel of the density adaptation: as TF-MoDISco has it, or as its search for the bandwidth has it"},
    {"Discovery", "min-seqlets", 0, OPT_INT, DISCOVER, AT(discover.min_seqlets), 1, INT32_MAX, .help = "of a pattern"},
    {"Discovery", "subpatterns", 0, OPT_FLAG, DISCOVER, AT(discover.subpatterns), .help = "look for patterns within patterns"},
    {"Discovery", "rna", 0, OPT_FLAG, DISCOVER, AT(discover.rna), .help = "one strand only"},
    {"Discovery", "max-mem", 0, OPT_SIZE, DISCOVER, AT(discover.max_memory), 0, BIG, .unit = "BYTES",
     .help = "that all of it may take; 0 = any"},
    {"Comparison", "db", 0, OPT_TEXT, MATCH, AT(motif_db), .unit = "NAME|FILE",
     .help = "known motifs: MEME or JASPAR file, or installed: jaspar (vertebrates), jaspar-all"},
    {"Comparison", "distance", 0, OPT_WORD, MATCH, AT(match.distance), .words = word_distance, .help = "of columns"},
    {"Comparison", "min-overlap", 0, OPT_INT, MATCH, AT(match.min_overlap), 1, 300, .unit = "COLUMNS",
     .help = "that must overlap, or all of the narrower motif"},
    {"Comparison", "strand", 0, OPT_WORD, MATCH, AT(match.strand), .words = word_both,
     .help = "strands of the known motifs; RNA (ACGU) has one"},
    {"Comparison", "max-pvalue", 0, OPT_FLOAT, MATCH, AT(match.max_pvalue), 0, 1, .help = "leave out matches above", .unset = "any"},
    {"Comparison", "max-evalue", 0, OPT_FLOAT, MATCH, AT(match.max_evalue), 0, 1e12,
     .help = "leave out matches above; E is p times the known motifs"},
    {"Comparison", "max-qvalue", 0, OPT_FLOAT, MATCH, AT(match.max_qvalue), 0, 1, .help = "leave out matches above", .unset = "any"},
    {"Comparison", "top", 0, OPT_INT, MATCH, AT(match.top), 0, INT32_MAX, .help = "matches of each motif, the best; 0 = all"},
    {"Sites", "threshold", 0, OPT_FLOAT, SITES, AT(sites.threshold), 1e-300, 1, .help = "largest p-value of a site"},
    {"Sites", "max-qvalue", 0, OPT_FLOAT, SITES, AT(sites.max_qvalue), 0, 1, .help = "leave out sites above", .unset = "any"},
    {"Sites", "strand", 0, OPT_WORD, SITES, AT(sites.strand), .words = word_both, .help = "strands to scan; RNA (ACGU) has one"},
    {"Sites", "background", 0, OPT_WORD, SITES, AT(sites.background), .words = word_background,
     .help = "letter frequencies of random sequence: as the motif file says, or all alike"},
    {"Sites", "pseudo", 0, OPT_FLOAT, SITES, AT(sites.pseudo), 1e-9, 1, .help = "added to every probability of a motif"},
    {"Sites", "bed", 0, OPT_FLAG, SITES, AT(sites.bed), .help = "BED, in the order of the sequences, instead of FIMO's table"},
    /* ---- info ---- */
    {"Information", "memory", 0, OPT_FLAG, INFO, AT(memory), .help = "print the memory plan: stages, buffers, bytes"},
    {"Information", "digest", 0, OPT_FLAG, INFO, AT(digest), .help = "print the digest of weights and architecture alone"},
    {"Information", "length", 0, OPT_SIZE, INFO, AT(length), 1, INT32_MAX, .unit = "BASES",
     .help = "input length to show, where it is variable", .unset = "chosen"},
    {"Information", "tasks", 0, OPT_INT, INFO, AT(n_tasks), 1, 1e6, .help = "outputs of an architecture"},
    /* ---- common ---- */
    {"Common", "output", 'o', OPT_TEXT, TRAIN, AT(output), .unit = "MODEL.seqnet", .help = "the model", .outside = true},
    {"Common", "output", 'o', OPT_TEXT, EXPLAIN | DISCOVER, AT(output), .unit = "OUTDIR", .help = "folder for the results",
     .outside = true},
    {"Common", "output", 'o', OPT_TEXT, SCAN, AT(output), .unit = "FILE", .unset = "track to stdout",
     .help = "*.bedgraph: the track; *.bed: called sites; with .gz: BGZF and index", .outside = true},
    {"Common", "output", 'o', OPT_TEXT, EVALUATE | PREDICT | INFO | MATCH | SITES, AT(output), .unit = "FILE", .help = "output",
     .unset = "stdout", .outside = true},
    {"Common", "threads", '@', OPT_INT, ALL, AT(ctx.threads), 1, 128, .help = "workers in all", .unset = "the cores the process may use",
     .outside = true},
    {"Common", "device", 0, OPT_WORD, MODELS, AT(ctx.device), .words = word_device,
     .help = "where to compute; auto falls back to cpu and says so"},
    {"Common", "gemm", 0, OPT_WORD, MODELS, AT(ctx.gemm), .words = word_gemm,
     .help = "matrix products: own kernels, or the OpenBLAS module"},
    {"Common", "seed", 0, OPT_SIZE, MODELS | DISCOVER, AT(seed), 0, BIG, .help = "of everything that is drawn"},
    {"Common", "quiet", 0, OPT_FLAG, ALL, AT(quiet), .help = "warnings and errors only", .outside = true},
    {"Common", "verbose", 'v', OPT_FLAG, ALL, AT(verbose), .help = "more about what is done", .outside = true},
    {"Common", "help", 'h', OPT_FLAG, ALL, AT(help), .help = "this text"},
    {"Common", "version", 0, OPT_FLAG, ALL, AT(version), .help = "version of the program"},
};
const int n_options = sizeof options / sizeof *options;

void args_defaults(struct args *a) {
    memset(a, 0, sizeof *a);
    seqnet_ctx_defaults(&a->ctx);
    seqnet_source_defaults(&a->data);
    seqnet_source_defaults(&a->valid);
    seqnet_train_defaults(&a->train);
    seqnet_predictor_defaults(&a->predict);
    seqnet_scan_defaults(&a->scan);
    seqnet_explain_defaults(&a->explain);
    seqnet_match_defaults(&a->match);
    seqnet_sites_defaults(&a->sites);
    seqnet_discover_defaults(&a->discover);
    a->motif_db = "jaspar";
    a->match.max_evalue = 10; /* of a program's output; the library leaves out nothing */
    a->seed = (int64_t)a->train.seed;
    a->n_tasks = 1;
}
