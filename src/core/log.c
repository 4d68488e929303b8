#include "core/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/error.h"

/* One sink call at a time; a callback that comes back into the library does not wait for itself. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int depth;

static void enter(void) {
    if (depth++ == 0) pthread_mutex_lock(&lock);
}

static void leave(void) {
    if (--depth == 0) pthread_mutex_unlock(&lock);
}

void sn_log(const struct sn_sink *sink, int level, const char *fmt, ...) {
    if (!sink || !sink->log) return;
    char line[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    enter();
    sink->log(sink->self, level, line);
    leave();
}

void sn_progress(const struct sn_sink *sink, const char *stage, int64_t done, int64_t total, const char *unit, const char *extra) {
    if (!sink || !sink->progress) return;
    enter();
    sink->progress(sink->self, stage, done, total, unit, extra);
    leave();
}

int sn_check_cancel(const struct sn_sink *sink) {
    if (!sink || !sink->cancel || !sink->cancel(sink->self)) return 0;
    return sn_error(SEQNET_ECANCELED, "stopped on request");
}
