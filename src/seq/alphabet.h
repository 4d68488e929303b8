/* Alphabets: symbols, their codes (one byte), their expansion to channels, their complement. A model names one of the built-in alphabets.
 */
#ifndef SN_SEQ_ALPHABET_H
#define SN_SEQ_ALPHABET_H

#include <stdbool.h>
#include <stdint.h>

/* DNA and RNA codes: bits 0-3 are htslib's mask (A=1 C=2 G=4 T/U=8, IUPAC the union, N=15), bit 4 = soft-masked (ignored by arithmetic),
 * 0 = outside the sequence. SN_CODE_MEAN marks a code that expands to 1/k per channel whatever the n_policy (uniform references). */
#define SN_CODE_OUTSIDE 0u
#define SN_CODE_N 15u
#define SN_CODE_MASKED 16u
#define SN_CODE_MEAN 32u

enum sn_n_policy { SN_N_ZERO, SN_N_MEAN };

/* What the targets of a data set are; a model remembers it. */
enum sn_task_kind { SN_TASK_NONE, SN_TASK_BINARY, SN_TASK_CLASSES, SN_TASK_NUMBER };

struct sn_alphabet {
    const char *name;        /* "dna", "rna", "protein" */
    int channels;            /* 4; 20 */
    const char *letters;     /* channel order: "ACGT"; "ACGU"; "ACDEFGHIKLMNPQRSTVWY" */
    uint8_t encode[256];     /* ASCII byte -> code; 255 = not a symbol */
    uint8_t decode[256];     /* code -> upper-case letter (lower case when soft-masked) */
    uint8_t complement[256]; /* code -> code; meaningless when !has_complement */
    uint8_t ambiguous[256];  /* code -> 1 when it is not exactly one letter (N, IUPAC, outside) */
    bool has_complement;
};

/* NULL when unknown. Static, built once, immutable. DNA reads U as T, RNA reads T as U. Protein: codes 1-20 in channel order, 21-25 are B,
 * Z, J, X and U (O is read as X); its case is not kept. */
const struct sn_alphabet *sn_alphabet_find(const char *name);
/* Names for error messages, NULL-terminated. */
extern const char *const sn_alphabet_names[];

/* lut (256, channels): expansion of each code. sym (256): 0 = all channels 0, 1+c = one-hot channel c, channels+1 = an equal part of every
 * channel, 255 = several channels. */
void sn_alphabet_lut(const struct sn_alphabet *a, enum sn_n_policy policy, float *lut, uint8_t *sym);

/* Encodes n bytes. Returns the number of symbols with several or no channels (IUPAC, N) or -1 with *bad = offset of the first byte that is
 * no symbol. */
int64_t sn_encode_seq(const struct sn_alphabet *a, const char *s, int64_t n, uint8_t *codes, int64_t *bad);
/* Reverse complement in place (reverse only is never wanted). */
void sn_revcomp(const struct sn_alphabet *a, uint8_t *codes, int64_t n);

#endif
