/* Errors inside the library: a negative code plus a thread-local message. Set by the call that fails, passed up unchanged. */
#ifndef SN_CORE_ERROR_H
#define SN_CORE_ERROR_H

#include "seqnet/error.h"

/* Sets this thread's message (printf style, truncated to its buffer) and returns `code`. */
int sn_error(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the current message (to add a file or layer name on the way up); returns `code`. */
int sn_error_prefix(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* SEQNET_EIO with "path: what: text of errno" ("g.fa: cannot open: No such file or directory"). */
int sn_error_errno(const char *path, const char *what);

/* Returns the message's text to move it between threads: copy it, then sn_error(code, "%s", text) in the other thread. */
const char *sn_error_text(void);

/* Returns from the function when `expr` fails. */
#define SN_TRY(expr)                                                                                                                       \
    do {                                                                                                                                   \
        int sn_rc_ = (expr);                                                                                                               \
        if (sn_rc_ < 0) return sn_rc_;                                                                                                     \
    } while (0)

/* Leaves for the label `done` with `rc` set when `expr` fails; one `done:` per function frees what it owns. */
#define SN_GO(expr)                                                                                                                        \
    do {                                                                                                                                   \
        if ((rc = (expr)) < 0) goto done;                                                                                                  \
    } while (0)

#endif
