/* A set of distinct strings with dense indices in order of first appearance: contigs, classes, groups. */
#ifndef SN_SEQ_NAMES_H
#define SN_SEQ_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sn_names { /* {0} is a valid empty set */
    char **v;
    int32_t n;
    size_t cap;
    int32_t *slot; /* open addressing: index + 1, 0 = free */
    size_t n_slots;
};

/* Index of the string (copied when new), or an error. *added may be NULL. */
int32_t sn_names_add(struct sn_names *s, const char *name, size_t len, bool *added);
/* Index or -1. */
int32_t sn_names_find(const struct sn_names *s, const char *name, size_t len);
/* rank (n): position of each string when sorted by bytes. */
int sn_names_rank(const struct sn_names *s, int32_t *rank);
void sn_names_free(struct sn_names *s);

struct sn_str;
/* Writes the first few strings for a message: "chr1, chr2, chr3, ... (25 in all)". */
int sn_names_show(char *const *v, int64_t n, struct sn_str *out);

#endif
