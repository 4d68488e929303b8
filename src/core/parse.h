/* Strict parsing of numbers: the whole string, C locale, no leading space or '+', no hex, no "nan"/"inf". */
#ifndef SN_CORE_PARSE_H
#define SN_CORE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* true and *out set, or false and *out untouched. `n` is the length of s (need not be terminated). */
bool sn_parse_i64(const char *s, size_t n, int64_t *out);
bool sn_parse_f64(const char *s, size_t n, double *out);
/* As i64, with an optional suffix k, M or G (times 1000, 10^6, 10^9). */
bool sn_parse_size(const char *s, size_t n, int64_t *out);

/* The entry of `names` (n strings) nearest to `word` by edit distance, or NULL when none is within a third of its length (at least 2). */
const char *sn_nearest(const char *word, const char *const *names, int n);

/* Shortest decimal that reads back to the same float / double, C locale. buf holds >= 32 bytes; returns buf. */
char *sn_format_f32(float v, char *buf);
char *sn_format_f64(double v, char *buf);
/* The nearest decimal of at most `digits` (1..17) significant digits, without trailing zeros; the rest as above. */
char *sn_format_digits(double v, int digits, char *buf);

#endif
