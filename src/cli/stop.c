#include <string.h>
#include <time.h>

#include "cli.h"

#define IMPATIENT_SECONDS 1.0

static volatile sig_atomic_t got;
static struct timespec first; /* when; touched by the handler only, which blocks the other stops */

static double since_first(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - first.tv_sec) + 1e-9 * (double)(now.tv_nsec - first.tv_nsec);
}

/* The first one asks to stop and lets results be saved. timeout and batch systems send it to the process and to its group as well: what
 * follows at once is the same request. One that comes later is impatience and ends the program. */
static void on_signal(int n) {
    if (!got) {
        clock_gettime(CLOCK_MONOTONIC, &first);
        got = n;
    } else if (since_first() >= IMPATIENT_SECONDS) {
        signal(n, SIG_DFL);
        raise(n);
    }
}

void stop_setup(void) {
    const int stops[] = {SIGINT, SIGTERM, SIGHUP}, ignored[] = {SIGPIPE, SIGXFSZ};
    struct sigaction sa, old;
    memset(&sa, 0, sizeof sa);
    sigemptyset(&sa.sa_mask);
    sa.sa_handler = on_signal;
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) sigaddset(&sa.sa_mask, stops[i]);
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
