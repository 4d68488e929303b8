/* Log, progress and cancellation go through a sink that the context carries; the library itself never prints. */
#ifndef SN_CORE_LOG_H
#define SN_CORE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum sn_log_level { SN_LOG_WARN = 0, SN_LOG_INFO = 1, SN_LOG_DEBUG = 2 };

struct sn_sink {
    void *self;
    /* One line without newline. May be NULL. Called from one thread at a time. */
    void (*log)(void *self, int level, const char *line);
    /* `stage` (static string), done of total units (total 0 = unknown), `extra` e.g. "loss 0.31" or "". May be NULL. */
    void (*progress)(void *self, const char *stage, int64_t done, int64_t total, const char *unit, const char *extra);
    /* true asks the library to stop at the next safe point with SEQNET_ECANCELED. May be NULL. */
    bool (*cancel)(void *self);
};

/* `sink` may be NULL: silent. */
void sn_log(const struct sn_sink *sink, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void sn_progress(const struct sn_sink *sink, const char *stage, int64_t done, int64_t total, const char *unit, const char *extra);
/* 0, or SEQNET_ECANCELED with the message set. */
int sn_check_cancel(const struct sn_sink *sink);

#endif
