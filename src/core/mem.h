/* Memory: checked sizes, aligned blocks, growing arrays, string buffers. All return SEQNET_ENOMEM, none aborts. */
#ifndef SN_CORE_MEM_H
#define SN_CORE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SN_ALIGN 64                         /* bytes: a cache line, one AVX-512 vector */
#define SN_PROGRAM_BYTES ((size_t)16 << 20) /* what the program and its libraries take, where all memory is counted */

/* a*b and a+b into *out; false on overflow. */
bool sn_mul_size(size_t a, size_t b, size_t *out);
bool sn_add_size(size_t a, size_t b, size_t *out);

/* Zeroed block of n*size bytes, or NULL with the error set. Free with free(). n = 0 gives a valid pointer. */
void *sn_calloc(size_t n, size_t size);
/* 64-byte aligned, not zeroed, large blocks advised to huge pages. NULL with the error set. Free with sn_aligned_free(). */
void *sn_aligned_alloc(size_t bytes);
void sn_aligned_free(void *p);
char *sn_strdup(const char *s);
char *sn_strndup(const char *s, size_t n);

/* Grows *p (elements of `size` bytes, capacity *cap) so that at least `need` elements fit; doubles. 0 or SEQNET_ENOMEM. */
int sn_grow(void **p, size_t *cap, size_t need, size_t size);

/* A growing string; always NUL-terminated once anything was written. {0} is a valid empty one. */
struct sn_str {
    char *s;
    size_t n, cap;
};
int sn_str_add(struct sn_str *b, const char *s, size_t n);
int sn_str_puts(struct sn_str *b, const char *s);
int sn_str_printf(struct sn_str *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sn_str_free(struct sn_str *b);

#endif
