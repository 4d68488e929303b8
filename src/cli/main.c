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
    const struct command *c = find_command(argv[1]);
    if (!c) return EXIT_USAGE;
    if (argc == 2) {
        print_command_help(c, stderr);
        return EXIT_USAGE;
    }
    args_defaults(&a);
    select_command(c, &a);
    a.inputs = calloc((size_t)argc, sizeof *a.inputs);
    a.said = calloc((size_t)argc, sizeof *a.said);
    int code = a.inputs && a.said ? EXIT_USAGE : EXIT_FAILED;
    if (code == EXIT_USAGE && parse_args(c, argc - 2, argv + 2, &a)) {
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
