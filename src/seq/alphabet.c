/* The built-in alphabets, built once from their letters. */
#include "seq/alphabet.h"

#include <pthread.h>
#include <string.h>

#define NO_SYMBOL 255u
#define PROTEIN_ANY 24u

const char *const sn_alphabet_names[] = {"dna", "rna", "protein", NULL};

static struct sn_alphabet dna, rna, protein;

/* Bit c set: the code stands for channel c, perhaps among others. */
static uint32_t code_channels(const struct sn_alphabet *a, unsigned code) {
    uint32_t all = (1u << a->channels) - 1;
    if (a != &protein) {
        unsigned mask = code & 15u;
        return mask == 0 && code == SN_CODE_MEAN ? all : code < 64 ? mask : 0;
    }
    static const char *const several[] = {"DN", "EQ", "IL"}; /* B, Z, J */
    if (code >= 1 && code <= 20) return 1u << (code - 1);
    if (code >= 21 && code <= 23) {
        const char *pair = several[code - 21];
        return 1u << (strchr(a->letters, pair[0]) - a->letters) | 1u << (strchr(a->letters, pair[1]) - a->letters);
    }
    return code == PROTEIN_ANY || code == 25 || code == SN_CODE_MEAN ? all : 0;
}

static void add_letter(struct sn_alphabet *a, char upper, unsigned code, unsigned lower_code) {
    a->encode[(unsigned char)upper] = (uint8_t)code;
    a->encode[(unsigned char)(upper - 'A' + 'a')] = (uint8_t)lower_code;
}

static void finish_table(struct sn_alphabet *a) {
    for (unsigned code = 0; code < 256; code++) {
        uint32_t set = code_channels(a, code);
        a->ambiguous[code] = set == 0 || (set & (set - 1)) != 0 || code >= SN_CODE_MEAN;
    }
}

static void build_nucleotides(struct sn_alphabet *a, const char *name, char t) {
    static const char iupac[] = "NACMGRSVTWYHKDBN"; /* by mask; 0 is shown as N */
    a->name = name;
    a->channels = 4;
    a->letters = t == 'T' ? "ACGT" : "ACGU";
    a->has_complement = true;
    memset(a->encode, NO_SYMBOL, sizeof a->encode);
    for (unsigned mask = 1; mask < 16; mask++) add_letter(a, iupac[mask], mask, mask | SN_CODE_MASKED);
    add_letter(a, 'U', 8, 8 | SN_CODE_MASKED);
    for (unsigned code = 0; code < 256; code++) {
        unsigned mask = code & 15u;
        char letter = mask == 8 ? t : iupac[mask];
        a->decode[code] = (uint8_t)(mask && (code & SN_CODE_MASKED) ? letter - 'A' + 'a' : letter);
        unsigned turned = (mask & 1) << 3 | (mask & 2) << 1 | (mask & 4) >> 1 | (mask & 8) >> 3;
        a->complement[code] = (uint8_t)((code & ~15u) | turned);
    }
    finish_table(a);
}

static void build_protein(struct sn_alphabet *a) {
    static const char letters[] = "ACDEFGHIKLMNPQRSTVWYBZJXU"; /* codes 1..25 */
    a->name = "protein";
    a->channels = 20;
    a->letters = "ACDEFGHIKLMNPQRSTVWY";
    a->has_complement = false;
    memset(a->encode, NO_SYMBOL, sizeof a->encode);
    memset(a->decode, 'X', sizeof a->decode);
    for (unsigned i = 0; letters[i]; i++) {
        add_letter(a, letters[i], i + 1, i + 1);
        a->decode[i + 1] = (uint8_t)letters[i];
    }
    add_letter(a, 'O', PROTEIN_ANY, PROTEIN_ANY);
    for (unsigned code = 0; code < 256; code++) a->complement[code] = (uint8_t)code;
    finish_table(a);
}

static void build_all(void) {
    build_nucleotides(&dna, "dna", 'T');
    build_nucleotides(&rna, "rna", 'U');
    build_protein(&protein);
}

const struct sn_alphabet *sn_alphabet_find(const char *name) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, build_all);
    if (strcmp(name, "dna") == 0) return &dna;
    if (strcmp(name, "rna") == 0) return &rna;
    return strcmp(name, "protein") == 0 ? &protein : NULL;
}

void sn_alphabet_lut(const struct sn_alphabet *a, enum sn_n_policy policy, float *lut, uint8_t *sym) {
    for (unsigned code = 0; code < 256; code++) {
        uint32_t set = code_channels(a, code);
        int k = __builtin_popcount(set);
        if (k > 1 && policy == SN_N_ZERO && !(code & SN_CODE_MEAN)) k = 0;
        for (int c = 0; c < a->channels; c++)
            lut[code * (unsigned)a->channels + (unsigned)c] = k && (set >> c & 1) ? 1.0f / (float)k : 0.0f;
        sym[code] = (uint8_t)(k == 0 ? 0 : k == 1 ? 1 + __builtin_ctz(set) : k == a->channels ? a->channels + 1 : 255);
    }
}

int64_t sn_encode_seq(const struct sn_alphabet *a, const char *s, int64_t n, uint8_t *codes, int64_t *bad) {
    int64_t ambiguous = 0;
    unsigned seen = 0;
    for (int64_t i = 0; i < n; i++) {
        uint8_t code = a->encode[(unsigned char)s[i]];
        codes[i] = code;
        seen |= code;
        ambiguous += a->ambiguous[code];
    }
    if (!(seen & 128u)) return ambiguous;
    int64_t i = 0;
    while (codes[i] != NO_SYMBOL) i++;
    *bad = i;
    return -1;
}

void sn_revcomp(const struct sn_alphabet *a, uint8_t *codes, int64_t n) {
    for (int64_t i = 0, j = n - 1; i <= j; i++, j--) {
        uint8_t left = a->complement[codes[i]];
        codes[i] = a->complement[codes[j]];
        codes[j] = left;
    }
}
