#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* The last of what was printed may still not have arrived. */
static int close_stdout(int code) {
    bool bad = ferror(stdout) != 0;
    if ((fclose(stdout) == 0 && !bad) || code != EXIT_DONE) return code;
    say("cannot write to stdout");
    return EXIT_FAILED;
}

static int print_version(void) {
    printf("seqnet %s\n", seqnet_version());
    return EXIT_DONE;
}

/* A group of commands: its usage, or the name of the command in it, "GROUP COMMAND". */
static bool name_in_group(int argc, char **argv, char *name, size_t size, int *code) {
    bool asked = argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0);
    if (argc > 2 && argv[2][0] != '-') {
        snprintf(name, size, "%s %s", argv[1], argv[2]);
        return true;
    }
    print_group_usage(argv[1], asked ? stdout : stderr);
    *code = asked ? EXIT_DONE : EXIT_USAGE;
    return false;
}

static const struct command *find_command(const char *name) {
    const char *names[16];
    for (int i = 0; i < n_commands; i++) {
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
        names[i] = commands[i].name;
    }
    const char *near = seqnet_nearest(name, names, n_commands);
    usage_error("unknown command '%s'%s%s%s", name, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    return NULL;
}

static int run_named(int argc, char **argv) {
    struct args a;
    char name[64];
    int words = is_group(argv[1]) ? 2 : 1, code;
    if (words == 2 && !name_in_group(argc, argv, name, sizeof name, &code)) return code;
    const struct command *c = find_command(words == 2 ? name : argv[1]);
    if (!c) return EXIT_USAGE;
    if (argc == 1 + words) {
        print_command_help(c, stderr);
        return EXIT_USAGE;
    }
    args_defaults(&a);
    select_command(c, &a);
    a.inputs = calloc((size_t)argc, sizeof *a.inputs);
    a.said = calloc((size_t)argc, sizeof *a.said);
    code = a.inputs && a.said ? EXIT_USAGE : EXIT_FAILED;
    if (code == EXIT_USAGE && parse_args(c, argc - 1 - words, argv + 1 + words, &a)) {
        if (a.version)
            code = print_version();
        else if (a.help)
            print_command_help(c, stdout), code = EXIT_DONE;
        else
            code = run_command(c, &a);
    }
    free(a.inputs);
    free(a.said);
    return code;
}

int main(int argc, char **argv) {
    stop_setup();
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) return close_stdout(print_version());
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return close_stdout(EXIT_DONE);
    }
    if (strcmp(argv[1], "--list-options") == 0) {
        print_options(stdout);
        return close_stdout(EXIT_DONE);
    }
    return close_stdout(run_named(argc, argv));
}
