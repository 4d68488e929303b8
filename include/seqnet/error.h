/* Error codes of libseqnet. Every call that can fail returns 0 (or a count >= 0) or one of the negative codes below, and leaves a
 * message naming file, line, layer, what was expected and what was found in a thread-local buffer: seqnet_errmsg(). */
#ifndef SEQNET_ERROR_H
#define SEQNET_ERROR_H

#include "seqnet/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, value, text): the one list of codes. */
#define SEQNET_ERRORS(X)                                                                                                                   \
    X(EINVAL, -1, "invalid argument or option")                                                                                            \
    X(EIO, -2, "input/output error")                                                                                                       \
    X(EFORMAT, -3, "malformed input")                                                                                                      \
    X(EDATA, -4, "data do not fit")                                                                                                        \
    X(EARCH, -5, "invalid architecture")                                                                                                   \
    X(EMODEL, -6, "invalid model file")                                                                                                    \
    X(ESHAPE, -7, "shapes do not fit")                                                                                                     \
    X(ENOMEM, -8, "out of memory")                                                                                                         \
    X(ENUM, -9, "numerical failure")                                                                                                       \
    X(EDEVICE, -10, "device failure")                                                                                                      \
    X(ENOTSUP, -11, "not supported")                                                                                                       \
    X(ECANCELED, -12, "canceled")                                                                                                          \
    X(EINTERNAL, -13, "internal error")

enum seqnet_error {
#define SEQNET_ERROR_ENUM(name, value, text) SEQNET_##name = value,
    SEQNET_ERRORS(SEQNET_ERROR_ENUM)
#undef SEQNET_ERROR_ENUM
};

/** The message of the last failing call in this thread; "" if none failed yet. Valid until the next failing call in this thread. */
SEQNET_API const char *seqnet_errmsg(void);

/** Name of a code ("SEQNET_EIO"), or "unknown error". Static string. */
SEQNET_API const char *seqnet_errname(int code);

/** Short text of a code ("input/output error"), or "unknown error". Static string. */
SEQNET_API const char *seqnet_errtext(int code);

#ifdef __cplusplus
}
#endif
#endif
