#include <math.h>
#include <stdint.h>
#include <string.h>

#include "cli.h"

#define HELP_COLUMN 30

void print_usage(FILE *f) {
    fprintf(f, "seqnet %s: sequence models for genomics\n\nusage: seqnet COMMAND [options] inputs\n\n", seqnet_version());
    for (int i = 0; i < n_commands; i++) fprintf(f, "  %-13s %s\n", commands[i].name, commands[i].summary);
    fprintf(f, "\n`seqnet COMMAND --help` lists the options of a command, `seqnet --version` prints the version,\n"
               "`seqnet --list-options` the whole table of options for programs.\n");
}

void print_group_usage(const char *group, FILE *f) {
    size_t n = strlen(group);
    fprintf(f, "usage: seqnet %s COMMAND [options] inputs\n\n", group);
    for (int i = 0; i < n_commands; i++)
        if (strncmp(commands[i].name, group, n) == 0 && commands[i].name[n] == ' ')
            fprintf(f, "  %-10s %s\n", commands[i].name + n + 1, commands[i].summary);
    fprintf(f, "\n`seqnet %s COMMAND --help` lists the options of a command.\n", group);
}

void describe_range(const struct option *o, char *buf, size_t n) {
    char a[32], b[32];
    buf[0] = '\0';
    if (o->words) {
        for (int i = 0; o->words[i]; i++) {
            size_t used = strlen(buf);
            snprintf(buf + used, n - used, "%s%s", i ? "|" : "", o->words[i]);
        }
    } else if (o->type == OPT_INT || o->type == OPT_SIZE || o->type == OPT_FLOAT) {
        seqnet_format_double(o->min, a);
        seqnet_format_double(o->max, b);
        if (o->max >= INT32_MAX)
            snprintf(buf, n, "%s or more", a);
        else
            snprintf(buf, n, "%s to %s", a, b);
    }
}

static const char *unit_of(const struct option *o, const char *range) {
    if (o->type == OPT_FLAG) return "";
    if (o->unit) return o->unit;
    if (o->words) return range;
    return o->type == OPT_FLOAT ? "X" : "N";
}

/* The value that stands when the option is not given; "" = nothing to say. */
static void describe_default(const struct option *o, const struct args *defaults, char *buf, size_t n) {
    const void *field = (const char *)defaults + o->offset;
    char number[32];
    buf[0] = '\0';
    if (o->unset) {
        snprintf(buf, n, "%s", o->unset);
    } else if (o->type == OPT_INT || o->type == OPT_SIZE) {
        snprintf(buf, n, "%lld", o->type == OPT_INT ? (long long)*(const int *)field : (long long)*(const int64_t *)field);
    } else if (o->type == OPT_FLOAT && !isnan(*(const double *)field)) {
        snprintf(buf, n, "%s", seqnet_format_double(*(const double *)field, number));
    } else if (o->type == OPT_INDEX) {
        snprintf(buf, n, "%s", o->words[*(const int *)field]);
    } else if ((o->type == OPT_TEXT || o->type == OPT_WORD) && *(const char *const *)field) {
        snprintf(buf, n, "%s", *(const char *const *)field);
    }
}

static void print_option(const struct option *o, const struct args *defaults, FILE *f) {
    char range[96], standing[160], letter[8] = "    ", left[128];
    describe_range(o, range, sizeof range);
    describe_default(o, defaults, standing, sizeof standing);
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, sizeof left, "  %s--%s %s", letter, o->name, unit_of(o, range));
    if (strlen(left) >= HELP_COLUMN)
        fprintf(f, "%s\n%*s%s", left, HELP_COLUMN, "", o->help);
    else
        fprintf(f, "%-*s%s", HELP_COLUMN, left, o->help);
    bool numbers = !o->words && range[0];
    if (numbers || standing[0])
        fprintf(f, " [%s%s%s%s]", numbers ? range : "", numbers && standing[0] ? "; " : "", standing[0] ? "default: " : "", standing);
    fputc('\n', f);
}

void print_command_help(const struct command *c, FILE *f) {
    struct args defaults;
    const char *group = "";
    args_defaults(&defaults);
    fprintf(f, "usage: seqnet %s %s [options]\n\n%s\n", c->name, c->usage, c->summary);
    for (int i = 0; i < n_options; i++) {
        if (!(options[i].commands & c->bit)) continue;
        if (strcmp(options[i].group, group) != 0) fprintf(f, "\n%s:\n", options[i].group);
        group = options[i].group;
        print_option(&options[i], &defaults, f);
    }
    fprintf(f, "\nNumbers take the suffixes k, M and G where they are whole. Results go to stdout or -o, everything else to stderr.\n"
               "Exit code: 0 done, 1 failed, 2 wrong usage, 128+n stopped by signal n.\n");
}

void print_options(FILE *f) {
    static const char *const types[] = {"flag", "int", "size", "float", "text", "word", "word"};
    char values[96];
    for (int c = 0; c < n_commands; c++)
        for (int i = 0; i < n_options; i++) {
            const struct option *o = &options[i];
            if (!(o->commands & commands[c].bit)) continue;
            describe_range(o, values, sizeof values);
            fprintf(f, "%s\t--%s\t%c\t%s\t%s\n", commands[c].name, o->name, o->letter ? o->letter : '.', types[o->type], values);
        }
}
