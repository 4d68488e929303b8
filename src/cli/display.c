/* Lines and progress on stderr: on a terminal one line that is rewritten, else a line every 30 seconds. */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define TERMINAL_EVERY 0.1
#define FILE_EVERY 30.0

static struct {
    const char *command;
    int quiet, verbose, terminal;
    bool open; /* a progress line stands on the terminal */
    char stage[32];
    double began, shown; /* of the stage */
} display = {.command = ""};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void display_setup(const char *command, int quiet, int verbose) {
    display.command = command;
    display.quiet = quiet;
    display.verbose = verbose;
    display.terminal = isatty(STDERR_FILENO);
}

void display_line(const char *line) {
    if (display.open) fputs("\r\033[K", stderr);
    display.open = false;
    fprintf(stderr, "seqnet%s%s: %s\n", display.command[0] ? " " : "", display.command, line);
}

void display_log(void *self, int level, const char *line) {
    char text[1024];
    (void)self;
    if ((level == SEQNET_LOG_INFO && display.quiet) || (level == SEQNET_LOG_DEBUG && !display.verbose)) return;
    if (level == SEQNET_LOG_WARN && strncmp(line, "warning", 7) != 0) {
        snprintf(text, sizeof text, "warning: %s", line);
        line = text;
    }
    display_line(line);
}

static void show(const char *stage, int64_t done, int64_t total, const char *unit, const char *extra, double seconds) {
    char line[256], left[48] = "";
    double rate = seconds > 0 ? (double)done / seconds : 0;
    size_t n = (size_t)snprintf(line, sizeof line, "%s: %lld", stage, (long long)done);
    if (total > 0) n += (size_t)snprintf(line + n, sizeof line - n, " of %lld", (long long)total);
    if (total > done && rate > 0) snprintf(left, sizeof left, ", %.0f s left", (double)(total - done) / rate);
    snprintf(line + n, sizeof line - n, " %s, %.*f/s%s%s%s", unit, rate < 10 ? 2 : 0, rate, left, extra && extra[0] ? ", " : "",
             extra ? extra : "");
    if (!display.terminal) {
        display_line(line);
        return;
    }
    fprintf(stderr, "\rseqnet %s: %s\033[K", display.command, line);
    fflush(stderr);
    display.open = true;
}

void display_progress(void *self, const char *stage, int64_t done, int64_t total, const char *unit, const char *extra) {
    double t = now();
    (void)self;
    if (display.quiet) return;
    if (strcmp(stage, display.stage) != 0 || done == 0) {
        snprintf(display.stage, sizeof display.stage, "%s", stage);
        display.began = t;
        display.shown = t;
    }
    if (t - display.shown < (display.terminal ? TERMINAL_EVERY : FILE_EVERY)) return;
    display.shown = t;
    show(stage, done, total, unit, extra, t - display.began);
}
