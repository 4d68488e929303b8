#include "core/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_MAX 2048

static _Thread_local char message[MESSAGE_MAX];

int sn_error(int code, const char *fmt, ...) {
    char text[MESSAGE_MAX]; /* the arguments may point into the current message */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    memcpy(message, text, strlen(text) + 1);
    return code;
}

int sn_error_prefix(int code, const char *fmt, ...) {
    char text[MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t room = sizeof text - strlen(text) - 1;
    strncat(text, ": ", room);
    room = sizeof text - strlen(text) - 1;
    strncat(text, message, room);
    memcpy(message, text, strlen(text) + 1);
    return code;
}

int sn_error_errno(const char *path, const char *what) {
    char buf[256] = "unknown error";
#if defined(__GLIBC__) /* its strerror_r returns the text, that of POSIX fills the buffer */
    const char *text = strerror_r(errno, buf, sizeof buf);
#else
    const char *text = strerror_r(errno, buf, sizeof buf) == 0 ? buf : "unknown error";
#endif
    return sn_error(SEQNET_EIO, "%s: %s: %s", path, what, text);
}

const char *sn_error_text(void) {
    return message;
}

const char *seqnet_errmsg(void) {
    return message;
}

const char *seqnet_errname(int code) {
    switch (code) {
#define NAME_CASE(name, value, text)                                                                                                       \
    case value:                                                                                                                            \
        return "SEQNET_" #name;
        SEQNET_ERRORS(NAME_CASE)
#undef NAME_CASE
    default:
        return "unknown error";
    }
}

const char *seqnet_errtext(int code) {
    switch (code) {
#define TEXT_CASE(name, value, text)                                                                                                       \
    case value:                                                                                                                            \
        return text;
        SEQNET_ERRORS(TEXT_CASE)
#undef TEXT_CASE
    default:
        return "unknown error";
    }
}
