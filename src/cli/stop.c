#include <string.h>

#include "cli.h"

static volatile sig_atomic_t got;

static void on_signal(int n) {
    got = n;
}

void stop_setup(void) {
    const int stops[] = {SIGINT, SIGTERM, SIGHUP}, ignored[] = {SIGPIPE, SIGXFSZ};
    struct sigaction sa, old;
    memset(&sa, 0, sizeof sa);
    sigemptyset(&sa.sa_mask);
    sa.sa_handler = on_signal;
    sa.sa_flags = (int)SA_RESETHAND; /* the second one ends the program at once */
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        if (sigaction(stops[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) sigaction(stops[i], &sa, NULL); /* nohup stays nohup */
    sa.sa_handler = SIG_IGN; /* a write then fails with a message */
    sa.sa_flags = 0;
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) sigaction(ignored[i], &sa, NULL);
}

int stop_asked(void *self) {
    (void)self;
    return got != 0;
}

int stop_signal(void) {
    return got;
}
