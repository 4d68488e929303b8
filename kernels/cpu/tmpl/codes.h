/* Convolution on codes: taps in pairs, one table row a pair of symbols, so that an output costs one addition per two taps.
 *
 * Symbols: 0 = no channel, 1+c = channel c, SN_CODES_ANY = 1/cin on every channel. Filters go in blocks of SN_FB; a block's tables are
 * [pair][entry][SN_FB]: 16 filters, as the entries in use of 13 pairs then leave half of a first level cache of 32 kB to the rest. Entries
 * of a pair: symbols^2 rows T[a][b], or, where these would be too many, 2*symbols rows e(2g,a) and e(2g+1,b) that are
 * added on the spot (`split`; the same value).
 *
 * A line is a set of outputs of a row that lie `step` apart such that their taps fall on positions `dilation` apart: counted in such
 * positions the convolution has no dilation. There are `step` lines in a row; one when dilation is 1. */
#ifndef SN_KERNELS_CODES_H
#define SN_KERNELS_CODES_H

#include "cpu/tmpl/common.h"

#define SN_FB SN_LANES
#define SN_FB_VEC (SN_FB / SN_VEC)
#define SN_CODES_SYMBOLS 8   /* with more, a pair of symbols has no entry of its own */
#define SN_CODES_NONE 255    /* symbol: expand on the spot */
#define SN_CODES_FLAG 0xffff /* place of such a symbol */

struct sn_codes_work {
    const struct sn_conv *s;
    const struct sn_codes *in;
    int symbols, pairs, entries, blocks;
    bool split;
    int step;   /* lines of a row, outputs from one to the next of a line */
    int stride; /* positions of a line from output to output */
    /* the line: row and position of its first output's first tap */
    int row;
    int64_t base;
    /* the span: positions [first, first + n) of the line; at[] has one more in reserve */
    int64_t first, n;
    int scale;    /* places are entries times this */
    bool special; /* some symbol of it is SN_CODES_NONE */
    uint16_t *at; /* place of the symbols at a position and, unless split, the next */
    uint8_t *sym;
};

static int sn_codes_gcd(int a, int b) {
    return b == 0 ? a : sn_codes_gcd(b, a % b);
}

static struct sn_codes_work SN_T(codes_work)(const struct sn_conv *s) {
    struct sn_codes_work k = {.s = s, .symbols = s->cin + 2, .pairs = (s->k + 1) / SN_CODES_K, .scale = 1};
    const int both = sn_codes_gcd(s->stride, s->dilation);
    k.step = s->dilation / both;
    k.stride = s->stride / both;
    k.split = k.symbols > SN_CODES_SYMBOLS;
    k.entries = k.split ? 2 * k.symbols : k.symbols * k.symbols;
    k.blocks = (s->cout + SN_FB - 1) / SN_FB;
    return k;
}

/* Goes to line `line` of a row. */
static void SN_T(codes_line)(struct sn_codes_work *k, int row, int line) {
    k->row = row;
    k->base = (int64_t)line * k->s->stride - k->s->pad;
    k->n = 0;
}

/* Outputs of a line in a row of len outputs. */
static int64_t SN_T(codes_line_len)(const struct sn_codes_work *k, int line, int64_t len) {
    return len > line ? (len - line - 1) / k->step + 1 : 0;
}

static int SN_T(codes_filters)(const struct sn_codes_work *k, int block) {
    return sn_imin(k->s->cout - block * SN_FB, SN_FB);
}

static size_t SN_T(codes_bytes)(const struct sn_conv *s) {
    const struct sn_codes_work k = SN_T(codes_work)(s);
    return (size_t)k.blocks * (size_t)k.pairs * (size_t)k.entries * SN_FB * sizeof(sn_real);
}

/* The values of m filters of a block; a whole block is a few vector moves. */
static inline void sn_codes_copy(sn_real *dst, const sn_real *src, int m) {
    if (m == SN_FB)
        memcpy(dst, src, SN_FB * sizeof *dst);
    else
        for (int f = 0; f < m; f++) dst[f] = src[f];
}

/* Code at a position of the line. */
static int SN_T(codes_code)(const struct sn_codes_work *k, int64_t pos) {
    pos = k->base + pos * k->s->dilation;
    return pos >= 0 && pos < k->in->len[k->row] ? k->in->codes[k->row * k->in->code_row + pos] : 0;
}

/* out = e(t, s) of m filters from f0 on, s a table symbol; 0 beyond the last tap and filter. */
static void SN_T(codes_entry)(const struct sn_conv *s, const sn_real *w, int t, int sym, int f0, int m, sn_real *out) {
    const sn_real v = (sn_real)1 / (sn_real)s->cin;
    memset(out, 0, SN_FB * sizeof *out);
    if (t >= s->k || sym == 0) return;
    const bool any = sym == SN_CODES_ANY(s->cin) && s->cin > 1;
    for (int c = any ? 0 : sym - 1; c < (any ? s->cin : sym) && c < s->cin; c++) {
        const sn_real *from = w + ((int64_t)t * s->cin + c) * s->cout + f0;
        for (int f = 0; f < m; f++) out[f] = any ? SN_FMA(v, from[f], out[f]) : out[f] + from[f];
    }
}

static void SN_T(codes_prepare)(const struct sn_codes_prepare *a) {
    const struct sn_codes_work k = SN_T(codes_work)(&a->s);
    sn_real *out = a->tables;
    for (int b = 0; b < k.blocks; b++)
        for (int g = 0; g < k.pairs; g++) {
            sn_real e[2][SN_CODES_SYMBOLS][SN_FB];
            const int m = SN_T(codes_filters)(&k, b), f0 = b * SN_FB;
            if (k.split) {
                for (int i = 0; i < k.entries; i++, out += SN_FB)
                    SN_T(codes_entry)(&a->s, a->w, 2 * g + i / k.symbols, i % k.symbols, f0, m, out);
                continue;
            }
            for (int i = 0; i < 2 * k.symbols; i++)
                SN_T(codes_entry)(&a->s, a->w, 2 * g + i / k.symbols, i % k.symbols, f0, m, e[i / k.symbols][i % k.symbols]);
            for (int i = 0; i < k.entries; i++, out += SN_FB)
                for (int f = 0; f < SN_FB; f++) out[f] = e[0][i / k.symbols][f] + e[1][i % k.symbols][f];
        }
}

/* Symbols of m positions of the line from `first` on. */
static void SN_T(codes_symbols)(const struct sn_codes_work *k, int64_t first, int64_t m, uint8_t *restrict out) {
    const int64_t d = k->s->dilation, from = k->base + first * d, len = k->in->len[k->row];
    const uint8_t *codes = k->in->codes + k->row * k->in->code_row, *sym = k->in->sym;
    int64_t lo = from < 0 ? (-from + d - 1) / d : 0, hi = from < len ? (len - from + d - 1) / d : 0;
    lo = lo < m ? lo : m;
    hi = hi < lo ? lo : hi < m ? hi : m;
    for (int64_t p = 0; p < lo; p++) out[p] = 0;
    if (d == 1)
        for (int64_t p = lo; p < hi; p++) out[p] = sym[codes[from + p]];
    else
        for (int64_t p = lo; p < hi; p++) out[p] = sym[codes[from + p * d]];
    for (int64_t p = hi; p < m; p++) out[p] = 0;
}

/* Makes the span [first, first + n) of the line, unless it is there. */
static void SN_T(codes_span)(struct sn_codes_work *k, int64_t first, int64_t n) {
    if (k->first == first && k->n == n) return;
    k->first = first;
    k->n = n;
    SN_T(codes_symbols)(k, first, n + 1, k->sym);
    const uint8_t *restrict s = k->sym;
    uint16_t *restrict at = k->at;
    const unsigned symbols = (unsigned)k->symbols, scale = (unsigned)k->scale;
    uint8_t most = 0;
    for (int64_t p = 0; p <= n; p++) most = s[p] > most ? s[p] : most;
    k->special = most == SN_CODES_NONE;
    if (k->split)
        for (int64_t p = 0; p <= n; p++) at[p] = (uint16_t)(s[p] * scale);
    else
        for (int64_t p = 0; p < n; p++) at[p] = (uint16_t)((s[p] * symbols + s[p + 1]) * scale);
    for (int64_t p = 0; k->special && p < n + k->split; p++)
        if (s[p] == SN_CODES_NONE || (!k->split && s[p + 1] == SN_CODES_NONE)) at[p] = SN_CODES_FLAG;
}

#endif
