#include "harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define GUARD 128
#define GUARD_BYTE 0xa5

/* The marker is a NaN, so that a kernel that reads it gives itself away. */
static sn_real marker(void) {
    sn_real v;
    memset(&v, 0xff, sizeof v);
    return v;
}

static void *must(void *p) {
    if (!p) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return p;
}

void kt_fail(struct kt *t, const char *fmt, ...) {
    if (t->failures++) return;
    char what[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    snprintf(t->message, sizeof t->message, "%.110s: %.200s", t->where, what);
}

void kt_finish(struct kt *t) {
    for (int i = 0; i < t->n_bufs; i++) {
        struct kt_buf *b = &t->bufs[i];
        for (size_t j = 0; j < GUARD; j++)
            if (b->base[j] != GUARD_BYTE || b->base[GUARD + b->bytes + j] != GUARD_BYTE) {
                kt_fail(t, "wrote outside buffer %d of %zu bytes", i, b->bytes);
                break;
            }
        if (b->copy && memcmp(b->copy, b->base + GUARD, b->bytes) != 0) kt_fail(t, "input buffer %d was changed", i);
        free(b->copy);
        free(b->base);
    }
    t->n_bufs = 0;
}

void kt_begin(struct kt *t, const char *fmt, ...) {
    kt_finish(t);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(t->where, sizeof t->where, fmt, ap);
    va_end(ap);
}

uint64_t kt_bits(struct kt *t) {
    uint64_t z = t->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

int kt_below(struct kt *t, int n) {
    return (int)(kt_bits(t) >> 33) % n;
}

sn_real kt_value(struct kt *t) {
    return (sn_real)(kt_below(t, 4096) - 2048) / 1024;
}

void *kt_bytes(struct kt *t, size_t n) {
    if (t->n_bufs == KT_MAX_BUFS) {
        fputs("too many buffers in one case\n", stderr);
        exit(1);
    }
    struct kt_buf *b = &t->bufs[t->n_bufs++];
    size_t all = (GUARD + n + GUARD + 63) / 64 * 64;
    b->base = must(aligned_alloc(64, all));
    b->bytes = n;
    b->copy = NULL;
    memset(b->base, GUARD_BYTE, all);
    memset(b->base + GUARD, 0xff, n);
    return b->base + GUARD;
}

sn_real *kt_reals(struct kt *t, size_t n) {
    return kt_bytes(t, n * sizeof(sn_real));
}

sn_real *kt_values(struct kt *t, size_t n) {
    sn_real *p = kt_reals(t, n);
    for (size_t i = 0; i < n; i++) p[i] = kt_value(t);
    return p;
}

int32_t *kt_lens(struct kt *t, int n, int longest) {
    int32_t *len = kt_bytes(t, (size_t)n * sizeof *len);
    for (int i = 0; i < n; i++) len[i] = i == 0 ? longest : i == 1 ? 0 : i == 2 ? (longest > 0) : kt_below(t, longest + 1);
    kt_keep(t, len);
    return len;
}

int32_t *kt_ones(struct kt *t, int n) {
    int32_t *len = kt_bytes(t, (size_t)n * sizeof *len);
    for (int i = 0; i < n; i++) len[i] = 1;
    kt_keep(t, len);
    return len;
}

void kt_keep(struct kt *t, const void *p) {
    for (int i = 0; i < t->n_bufs; i++) {
        struct kt_buf *b = &t->bufs[i];
        if ((const unsigned char *)p != b->base + GUARD) continue;
        if (!b->copy) b->copy = must(malloc(b->bytes + 1));
        memcpy(b->copy, b->base + GUARD, b->bytes);
    }
}

struct sn_t3 kt_t3(struct kt *t, int n, int ch, const int32_t *len, bool wide) {
    int32_t longest = 0;
    for (int i = 0; i < n; i++) longest = len[i] > longest ? len[i] : longest;
    struct sn_t3 x = {.ld = wide ? ch + 3 : ch, .ch = ch, .len = len};
    x.row = (int64_t)(longest + 1) * x.ld + (wide ? 5 : 0);
    x.p = kt_reals(t, (size_t)n * (size_t)x.row);
    return x;
}

struct sn_t3 kt_t3_values(struct kt *t, int n, int ch, const int32_t *len, bool wide) {
    struct sn_t3 x = kt_t3(t, n, ch, len, wide);
    for (int i = 0; i < n; i++)
        for (int64_t q = 0; q < len[i]; q++)
            for (int c = 0; c < ch; c++) *kt_at(&x, i, q, c) = kt_value(t);
    return x;
}

void kt_t3_fill(const struct sn_t3 *x, int n, sn_real v) {
    for (int i = 0; i < n; i++)
        for (int64_t q = 0; q < x->len[i]; q++)
            for (int c = 0; c < x->ch; c++) *kt_at(x, i, q, c) = v;
}

static void record(struct kt *t, sn_real v) {
    if (t->n_rec == t->cap_rec) {
        t->cap_rec = t->cap_rec ? 2 * t->cap_rec : 1024;
        t->rec = must(realloc(t->rec, t->cap_rec * sizeof *t->rec));
    }
    t->rec[t->n_rec++] = isnan(v) ? (double)NAN : (double)v; /* a NaN's bits say nothing */
}

void kt_t3_written(struct kt *t, const struct sn_t3 *x, int n) {
    const sn_real mark = marker();
    for (int i = 0; i < n; i++)
        for (int64_t e = 0; e < x->row; e++) {
            const sn_real *p = x->p + i * x->row + e;
            bool cell = e / x->ld < x->len[i] && e % x->ld < x->ch;
            if (cell)
                record(t, *p);
            else if (memcmp(p, &mark, sizeof mark) != 0)
                kt_fail(t, "row %d: wrote to element %lld, which is no cell", i, (long long)e);
        }
}

void kt_check(struct kt *t, sn_real got, double want) {
    double tol = sizeof got == sizeof(double) ? 1e-12 : t->tol;
    record(t, got);
    if (isnan(want) ? isnan(got) : (double)got == want || fabs((double)got - want) <= tol * (1 + fabs(want))) return;
    kt_fail(t, "value %zu is %.9g, expected %.9g", t->n_rec - 1, (double)got, want);
}

void kt_same(struct kt *t, const void *a, const void *b, size_t bytes, const char *what) {
    if (memcmp(a, b, bytes) != 0) kt_fail(t, "%s: bits differ", what);
}
