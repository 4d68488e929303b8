/* The program: one file per command, one table of options. It parses, calls the library, and prints; nothing else. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "seqnet/seqnet.h"

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 /* 128 + n: stopped by signal n */ };

/* Where the options of the table end up. */
struct args {
    seqnet_ctx_options ctx;
    seqnet_source_options data, valid;
    seqnet_train_options train;
    seqnet_predictor_options predict;
    seqnet_scan_options scan;
    seqnet_explain_options explain;
    seqnet_match_options match;
    seqnet_sites_options sites;
    seqnet_discover_options discover;
    const char *motif_db;
    const char *architecture;
    const char *output; /* NULL = stdout where a command allows it */
    int64_t seed, length;
    int n_tasks, memory, digest;
    int quiet, verbose, help, version;
    const char **inputs; /* what is no option */
    int n_inputs;
    const char **said; /* the arguments that decide what comes out: all but options marked `outside` */
    int n_said;
};

/* ---- options.c: the table -------------------------------------------------------------------------------------------------------------
 */

enum option_type { OPT_FLAG, OPT_INT /* int */, OPT_SIZE /* int64_t */, OPT_FLOAT, OPT_TEXT, OPT_WORD /* char * */, OPT_INDEX /* int */ };
enum {
    TRAIN = 1,
    EVALUATE = 2,
    PREDICT = 4,
    SCAN = 8,
    EXPLAIN = 16,
    INFO = 32,
    MODELS = 63,
    MATCH = 64,
    SITES = 128,
    DISCOVER = 256,
    ALL = 511
};

struct option {
    const char *group, *name;
    char letter; /* 0 = none */
    enum option_type type;
    unsigned commands;
    size_t offset; /* in struct args */
    double min, max;
    const char *const *words; /* WORD, INDEX: what is allowed; NULL-terminated */
    const char *const *later; /* known words that this version does not support, or NULL */
    const char *zero;         /* a word that stands for 0 ("auto"), or NULL */
    const char *unit;         /* what stands for the value in the help; NULL = by type */
    const char *unset;        /* what an option that is not given means, where its default is no plain value */
    const char *help;
    bool outside; /* decides where, how fast or how loud, not what comes out: not told in outputs, which must not differ by it */
};
extern const struct option options[];
extern const int n_options;
void args_defaults(struct args *a);

/* ---- parse.c --------------------------------------------------------------------------------------------------------------------------
 */

struct command {
    unsigned bit;
    const char *name; /* one word, or two: a group of commands and the command in it */
    const char *usage, *summary;
    int (*run)(struct args *a); /* returns an exit code */
    int min_inputs;             /* 0: takes none; -1: any number */
    bool quiet_lines;           /* no first and last line about the run */
};
extern const struct command commands[];
extern const int n_commands;

/* Is `name` the first word of commands of two words? */
bool is_group(const char *name);

/* Fills *a; stops after --help. false: the message was printed. */
bool parse_args(const struct command *c, int argc, char **argv, struct args *a);

/* ---- help.c ---------------------------------------------------------------------------------------------------------------------------
 */

void print_usage(FILE *f);
/* The commands of a group. */
void print_group_usage(const char *group, FILE *f);
void print_command_help(const struct command *c, FILE *f);
/* The table for programs, tab-separated: command, option, letter or '.', type, words or range. */
void print_options(FILE *f);
/* "1 to 128", "0.5 or more" */
void describe_range(const struct option *o, char *buf, size_t n);

/* ---- run.c: what all commands do ------------------------------------------------------------------------------------------------------
 */

/* Lines to stderr begin with "seqnet COMMAND: ". */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same, not under --quiet. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Wrong usage: message and hint; returns EXIT_USAGE. */
int usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Names the command in all lines that follow. */
void select_command(const struct command *c, const struct args *a);
/* Runs a command between its first and last line. */
int run_command(const struct command *c, struct args *a);
/* Makes the context and prints the first line. Every command begins with it. */
int begin(const struct args *a, seqnet_ctx **ctx);
/* Says why the library failed. Returns the exit code: 128 + n after a signal. */
int failed(int rc);
/* For the last line. */
void set_rate(double per_second, const char *unit);
/* The command line as one string, for provenance. */
const char *command_line(void);
/* Loads every model named in inputs[0..n). Free with free_models(). */
int load_models(seqnet_ctx *ctx, const struct args *a, int n, seqnet_model ***out);
void free_models(seqnet_model **models, int n);
/* Opens a->data for a model: its alphabet, its window. */
int open_for_model(seqnet_ctx *ctx, struct args *a, const seqnet_model *m, seqnet_source **out);

/* ---- display.c: log lines and progress on stderr ----------------------------------------------------------------------------------------
 */

void display_setup(const char *command, int quiet, int verbose);
void display_line(const char *line);
void display_log(void *self, int level, const char *line);
void display_progress(void *self, const char *stage, int64_t done, int64_t total, const char *unit, const char *extra);

/* ---- stop.c: signals ------------------------------------------------------------------------------------------------------------------
 */

void stop_setup(void);
int stop_asked(void *self); /* the cancel callback */
int stop_signal(void);      /* 0 = none yet */

/* ---- one file per command ---------------------------------------------------------------------------------------------------------------
 */

int cmd_train(struct args *a);
int cmd_evaluate(struct args *a);
int cmd_predict(struct args *a);
int cmd_scan(struct args *a);
int cmd_explain(struct args *a);
int cmd_info(struct args *a);
int cmd_motifs_discover(struct args *a);
int cmd_motifs_match(struct args *a);
int cmd_motifs_scan(struct args *a);

#endif
