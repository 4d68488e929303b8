#include "core/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/error.h"

#define HUGE_PAGE ((size_t)2 << 20)

bool sn_mul_size(size_t a, size_t b, size_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}

bool sn_add_size(size_t a, size_t b, size_t *out) {
    return !__builtin_add_overflow(a, b, out);
}

void *sn_calloc(size_t n, size_t size) {
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p) sn_error(SEQNET_ENOMEM, "out of memory: %zu x %zu bytes", n, size);
    return p;
}

void *sn_aligned_alloc(size_t bytes) {
    void *p = NULL;
    size_t rounded;
    bool huge = bytes >= 2 * HUGE_PAGE;
    if (!sn_add_size(bytes, SN_ALIGN - 1, &rounded) || posix_memalign(&p, huge ? HUGE_PAGE : SN_ALIGN, rounded ? rounded : SN_ALIGN)) {
        sn_error(SEQNET_ENOMEM, "out of memory: %zu bytes", bytes);
        return NULL;
    }
#ifdef MADV_HUGEPAGE
    if (huge) madvise(p, rounded & ~(HUGE_PAGE - 1), MADV_HUGEPAGE);
#endif
    return p;
}

void sn_aligned_free(void *p) {
    free(p);
}

char *sn_strndup(const char *s, size_t n) {
    size_t bytes;
    char *p = sn_add_size(n, 1, &bytes) ? malloc(bytes) : NULL;
    if (!p) {
        sn_error(SEQNET_ENOMEM, "out of memory: a string of %zu bytes", n);
        return NULL;
    }
    memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

char *sn_strdup(const char *s) {
    return sn_strndup(s, strlen(s));
}

int sn_grow(void **p, size_t *cap, size_t need, size_t size) {
    if (need <= *cap && *p) return 0;
    size_t n = *cap < 8 ? 8 : *cap, bytes;
    if (!sn_mul_size(n, 2, &n) || n < need) n = need;
    void *q = sn_mul_size(n, size, &bytes) && bytes > 0 ? realloc(*p, bytes) : NULL;
    if (!q) return sn_error(SEQNET_ENOMEM, "out of memory: %zu x %zu bytes", need, size);
    *p = q;
    *cap = n;
    return 0;
}

static int str_reserve(struct sn_str *b, size_t more) {
    size_t need;
    if (!sn_add_size(b->n, more, &need) || !sn_add_size(need, 1, &need)) return sn_error(SEQNET_ENOMEM, "out of memory: string too long");
    void *p = b->s;
    SN_TRY(sn_grow(&p, &b->cap, need, 1));
    b->s = p;
    return 0;
}

int sn_str_add(struct sn_str *b, const char *s, size_t n) {
    SN_TRY(str_reserve(b, n));
    if (n) memcpy(b->s + b->n, s, n);
    b->n += n;
    b->s[b->n] = '\0';
    return 0;
}

int sn_str_puts(struct sn_str *b, const char *s) {
    return sn_str_add(b, s, strlen(s));
}

int sn_str_printf(struct sn_str *b, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    int rc = n < 0 ? sn_error(SEQNET_EINTERNAL, "cannot format '%s'", fmt) : str_reserve(b, (size_t)n);
    if (rc == 0) {
        vsnprintf(b->s + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
    return rc;
}

void sn_str_free(struct sn_str *b) {
    free(b->s);
    *b = (struct sn_str){0};
}
