#include "seqnet/text.h"

#include <string.h>

#include "core/parse.h"

int seqnet_parse_size(const char *s, int64_t *out) {
    return sn_parse_size(s, strlen(s), out);
}

int seqnet_parse_double(const char *s, double *out) {
    return sn_parse_f64(s, strlen(s), out);
}

char *seqnet_format_double(double v, char *buf) {
    return sn_format_f64(v, buf);
}

const char *seqnet_nearest(const char *word, const char *const *words, int n) {
    return sn_nearest(word, words, n);
}
