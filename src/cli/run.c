/* What all commands do: first and last line, errors, models, sources. */
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static struct {
    const struct command *command;
    seqnet_ctx *ctx; /* of the run, for its last line */
    char *line;      /* the command line */
    int quiet;
    double rate;
    const char *unit;
} run;

/* ---- lines ---- */

static void say_va(const char *fmt, va_list ap) {
    char text[2304];
    vsnprintf(text, sizeof text, fmt, ap);
    display_line(text);
}

void say(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    say_va(fmt, ap);
    va_end(ap);
}

void note(const char *fmt, ...) {
    va_list ap;
    if (run.quiet) return;
    va_start(ap, fmt);
    say_va(fmt, ap);
    va_end(ap);
}

int usage_error(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    say_va(fmt, ap);
    va_end(ap);
    if (run.command)
        say("see seqnet %s --help", run.command->name);
    else
        say("see seqnet --help");
    return EXIT_USAGE;
}

/* Whoever read our stdout has gone: nothing to complain about. */
static bool reader_gone(int rc) {
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return rc == SEQNET_EIO && strncmp(seqnet_errmsg(), "stdout:", 7) == 0 && poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

int failed(int rc) {
    int n = stop_signal();
    if (rc == SEQNET_ECANCELED && n) {
        say("stopped by %s", n == SIGINT ? "SIGINT" : n == SIGTERM ? "SIGTERM" : "SIGHUP");
        return 128 + n;
    }
    if (!reader_gone(rc)) say("%s", seqnet_errmsg());
    return EXIT_FAILED;
}

/* ---- a run ---- */

/* One argument as a shell would take it, at s; returns how many bytes. s has room for 4 a byte and 2 more. */
static size_t quote(const char *arg, char *s) {
    bool plain = arg[0] && strspn(arg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:=+@%") == strlen(arg);
    size_t n = 0;
    if (!plain) s[n++] = '\'';
    for (const char *p = arg; *p; p++) {
        if (*p == '\'') {
            memcpy(s + n, "'\\'", 3);
            n += 3;
        }
        s[n++] = *p;
    }
    if (!plain) s[n++] = '\'';
    return n;
}

/* The command as outputs tell it. */
static char *join_command_line(const struct command *c, const struct args *a) {
    size_t need = strlen(c->name) + 16, n = 0;
    for (int i = 0; i < a->n_said; i++) need += 4 * strlen(a->said[i]) + 4;
    char *s = malloc(need);
    if (!s) return NULL;
    n = (size_t)sprintf(s, "seqnet %s", c->name);
    for (int i = 0; i < a->n_said; i++) {
        s[n++] = ' ';
        n += quote(a->said[i], s + n);
    }
    s[n] = '\0';
    return s;
}

const char *command_line(void) {
    return run.line;
}

void set_rate(double per_second, const char *unit) {
    run.rate = per_second;
    run.unit = unit;
}

int begin(const struct args *a, seqnet_ctx **ctx) {
    seqnet_ctx_options o = a->ctx;
    o.log = display_log;
    o.progress = display_progress;
    o.cancel = stop_asked;
    int rc = seqnet_ctx_create(&o, ctx);
    if (rc < 0) return rc;
    run.ctx = *ctx;
    if (!run.command->quiet_lines) note("%s, seed %lld", seqnet_ctx_describe(*ctx), (long long)a->seed);
    return 0;
}

static void last_line(void) {
    double wall, cpu;
    int64_t peak;
    char rate[64] = "";
    if (!run.ctx || run.command->quiet_lines) return;
    seqnet_ctx_usage(run.ctx, &wall, &cpu, &peak);
    if (run.unit) snprintf(rate, sizeof rate, ", %.*f %s/s", run.rate < 10 ? 2 : 0, run.rate, run.unit);
    note("wall %.2f s, CPU %.2f s, peak memory %.1f MB%s", wall, cpu, (double)peak / 1e6, rate);
}

static void share_seed(struct args *a) {
    a->data.seed = a->valid.seed = a->train.seed = a->explain.seed = (uint64_t)a->seed;
    a->train.command = a->scan.command = a->explain.command = run.line;
}

void select_command(const struct command *c, const struct args *a) {
    run.command = c;
    run.quiet = a->quiet;
    display_setup(c->name, a->quiet, a->verbose);
}

int run_command(const struct command *c, struct args *a) {
    select_command(c, a);
    if (a->n_inputs < c->min_inputs)
        return usage_error("expected %s%d input%s, got %d: seqnet %s %s", c->min_inputs > 1 ? "at least " : "", c->min_inputs,
                           c->min_inputs == 1 ? "" : "s", a->n_inputs, c->name, c->usage);
    if (c->min_inputs == 0 && a->n_inputs > 0) return usage_error("unexpected argument '%s'", a->inputs[0]);
    run.line = join_command_line(c, a);
    if (!run.line) {
        say("out of memory");
        return EXIT_FAILED;
    }
    share_seed(a);
    int code = c->run(a);
    if (code == EXIT_DONE) last_line();
    seqnet_ctx_free(&run.ctx);
    free(run.line);
    return code;
}

/* ---- models and sources ---- */

int load_models(seqnet_ctx *ctx, const struct args *a, int n, seqnet_model ***out) {
    *out = calloc((size_t)n, sizeof **out);
    if (!*out) return SEQNET_ENOMEM;
    for (int i = 0; i < n; i++) {
        int rc = seqnet_model_load(ctx, a->inputs[i], &(*out)[i]);
        if (rc < 0) return rc;
    }
    return 0;
}

void free_models(seqnet_model **models, int n) {
    for (int i = 0; models && i < n; i++) seqnet_model_free(&models[i]);
    free(models);
}

int open_for_model(seqnet_ctx *ctx, struct args *a, const seqnet_model *m, seqnet_source **out) {
    seqnet_model_info info = {.size = sizeof info};
    seqnet_model_describe(m, &info);
    a->data.alphabet = info.alphabet;
    if (a->data.window == 0) a->data.window = info.length;
    const char **tasks = calloc((size_t)info.n_tasks, sizeof *tasks);
    for (int i = 0; tasks && i < info.n_tasks; i++) tasks[i] = seqnet_model_task_name(m, i);
    a->data.prefer = tasks, a->data.n_prefer = tasks && !info.classes ? info.n_tasks : 0;
    int rc = seqnet_source_open(ctx, &a->data, out);
    a->data.prefer = NULL, a->data.n_prefer = 0;
    free(tasks);
    return rc;
}
