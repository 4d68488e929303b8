/* Words and numbers as the command line reads them: strict (the whole string, no leading space or '+', no hex), C locale always. */
#ifndef SEQNET_TEXT_H
#define SEQNET_TEXT_H

#include <stdint.h>

#include "seqnet/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Whole number with an optional suffix k, M or G (10^3, 10^6, 10^9). @return 1 and *out set, 0 and *out untouched when it is not one */
SEQNET_API int seqnet_parse_size(const char *s, int64_t *out);
/** Finite number. @return 1 and *out set, 0 and *out untouched when it is not one */
SEQNET_API int seqnet_parse_double(const char *s, double *out);
/** Shortest digits that read back to v. buf holds >= 32 bytes; returns buf. */
SEQNET_API char *seqnet_format_double(double v, char *buf);
/** The one of n words nearest to `word`, or NULL when none is near. */
SEQNET_API const char *seqnet_nearest(const char *word, const char *const *words, int n);

#ifdef __cplusplus
}
#endif
#endif
