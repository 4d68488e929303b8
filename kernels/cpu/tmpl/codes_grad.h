/* Gradient of the filters on codes: sums of output gradients per table entry, folded into the filters at the end of the call.
 *
 * Instead of scattering each output's gradients over the sums, which would store once per addition, the positions of a tile are sorted by
 * their entry (a counting sort) and the sums of an entry, one per table, stay in registers while its positions are gone through: a position
 * m adds to table i the gradient of the output whose window has its tap i*taps at m. The gradients of a block of filters lie in a buffer by
 * position (slots), with zeros where there is no output. `taps` of a table: 2, or 1 when pairs have no entries (split). Sums are
 * [block][entry][table][width]. A tile holds pieces of lines, so that short rows share one. */
#ifndef SN_KERNELS_CODES_GRAD_H
#define SN_KERNELS_CODES_GRAD_H

#include "cpu/tmpl/codes.h"

#define SN_CODES_ACC 14           /* vectors of sums in registers */
#define SN_CODES_SLOTS 640        /* of a tile: a vector each fills half of a first level cache of 32 kB, longer vectors more */
#define SN_CODES_PIECES 16        /* of a tile */
#define SN_CODES_TILES 8          /* worked on while a block's sums are in the cache */
#define SN_CODES_FEW 8            /* outputs of a window that are gone through one by one */
#define SN_CODES_SUMS (512 << 10) /* bytes of sums worked on at a time, unless one block of filters has more */

/* n outputs of a line from its output j on, the first in slot `slot`. */
struct sn_codes_piece {
    int row, line, slot, n;
    int64_t j;
};
struct sn_codes_grad_tile {
    int n_pieces, n_special, slots;
    struct sn_codes_piece piece[SN_CODES_PIECES];
    uint16_t end[257];             /* of each entry's positions in `at` */
    uint16_t at[SN_CODES_SLOTS];   /* slot * width, by entry, ascending */
    uint16_t slot[SN_CODES_SLOTS]; /* positions to be expanded on the spot, ascending */
    uint8_t code[SN_CODES_SLOTS][2];
};

/* What the gradient is summed over: outputs, or, with `pool`, the winners among them. */
struct sn_codes_grad {
    const struct sn_t3 *dy;
    const struct sn_codes_pool_bwd *pool; /* NULL: none */
    sn_real *dw;
};

/* Where the sums of a group of tables are. */
struct sn_codes_sums {
    int taps, tables, entries; /* entries of a table: pairs of symbols, or symbols */
    int group, t0;             /* tables of a group at most; first tap of this one */
    int g;                     /* tables of this one */
    int width, blocks, held;   /* filters of a block; blocks; blocks whose sums are held at the same time */
    int zeros;                 /* slots before, after and between pieces */
    sn_real *sums, *buf;
};

static struct sn_codes_sums SN_T(codes_sums)(const struct sn_codes_work *k) {
    struct sn_codes_sums u = {.taps = k->split ? 1 : 2, .entries = k->split ? k->symbols : k->entries};
    u.tables = (k->s->k + u.taps - 1) / u.taps;
    const int groups = (u.tables + SN_CODES_ACC - 1) / SN_CODES_ACC;
    u.group = (u.tables + groups - 1) / groups;
    u.width = u.group <= SN_CODES_ACC / 2 ? 2 * SN_VEC : SN_VEC;
    u.blocks = (k->s->cout + u.width - 1) / u.width;
    const size_t block = (size_t)(u.entries * u.group * u.width) * sizeof(sn_real);
    u.held = block * (size_t)u.blocks > SN_CODES_SUMS ? (int)(SN_CODES_SUMS / block) : u.blocks;
    if (u.held < 1) u.held = 1;
    u.zeros = u.taps * (u.group - 1);
    return u;
}

static size_t SN_T(codes_block_sums)(const struct sn_codes_sums *u) {
    return (size_t)u->entries * (size_t)u->group * (size_t)u->width;
}

/* Tiles, sums, buffer, keys and symbols. */
static size_t SN_T(codes_grad_ws)(const struct sn_conv *s) {
    const struct sn_codes_work k = SN_T(codes_work)(s);
    const struct sn_codes_sums u = SN_T(codes_sums)(&k);
    const size_t reals = (size_t)u.held * SN_T(codes_block_sums)(&u) + (size_t)(SN_CODES_SLOTS * u.width);
    return SN_CODES_TILES * sizeof(struct sn_codes_grad_tile) + 64 + reals * sizeof(sn_real) + 4 * (SN_CODES_SLOTS + 2);
}

/* ---- tiles ------------------------------------------------------------------------------------------------------------------------- */

/* Place of the next piece: row, line, output. */
struct sn_codes_walk {
    int row, line;
    int64_t j;
};

/* Outputs of the convolution in a row. */
static int64_t SN_T(codes_grad_len)(const struct sn_codes_grad *a, int row) {
    const int64_t n = a->dy->len[row];
    return a->pool && n > 0 ? (n - 1) * a->pool->pool_stride + a->pool->pool : n;
}

/* Adds pieces to an empty tile while they fit; a line that needs several tiles is cut into equal pieces. */
static void SN_T(codes_pieces)(const struct sn_codes_work *k, const struct sn_codes_sums *u, const struct sn_codes_grad *a,
                               struct sn_codes_walk *at, struct sn_codes_grad_tile *t) {
    const int64_t room = (SN_CODES_SLOTS - 2 * u->zeros - 1) / k->stride + 1; /* outputs of a tile of one piece */
    t->n_pieces = 0;
    t->slots = u->zeros;
    while (at->row < k->in->n && t->n_pieces < SN_CODES_PIECES) {
        const int64_t all = SN_T(codes_line_len)(k, at->line, SN_T(codes_grad_len)(a, at->row)), left = all - at->j;
        if (left > 0) {
            const int64_t cuts = (all + room - 1) / room, even = (all + cuts - 1) / cuts, n = left < even ? left : even;
            const int64_t slots = (n - 1) * k->stride + 1 + u->zeros;
            if (t->slots + slots > SN_CODES_SLOTS) return;
            t->piece[t->n_pieces++] = (struct sn_codes_piece){at->row, at->line, t->slots, (int)n, at->j};
            t->slots += (int)slots;
            at->j += n;
            if (at->j < all) continue;
        }
        at->j = 0;
        if (++at->line < k->step) continue;
        at->line = 0;
        at->row++;
    }
}

/* The tile's positions by entry. */
static void SN_T(codes_sort)(struct sn_codes_work *k, const struct sn_codes_sums *u, struct sn_codes_grad_tile *t) {
    uint16_t *keys = k->at, count[257] = {0};
    t->n_special = 0;
    for (int i = 0; i < t->n_pieces; i++) {
        const struct sn_codes_piece *p = &t->piece[i];
        const int n = (p->n - 1) * k->stride + 1 + u->zeros;
        SN_T(codes_line)(k, p->row, p->line);
        k->at = keys + p->slot;
        SN_T(codes_span)(k, p->j * k->stride + u->t0, n);
        for (int m = 0; m < n && k->special; m++) {
            if (k->at[m] != SN_CODES_FLAG) continue;
            t->slot[t->n_special] = (uint16_t)(p->slot + m);
            for (int c = 0; c < 2; c++) t->code[t->n_special][c] = (uint8_t)SN_T(codes_code)(k, k->first + m + c);
            t->n_special++;
            k->at[m] = 0;
        }
        for (int m = 0; m < n; m++) count[k->at[m]]++;
    }
    k->at = keys;
    count[0] = 0; /* no channel: no gradient */
    for (int e = 0, sum = 0; e < u->entries; e++) {
        t->end[e] = (uint16_t)sum; /* for now its start */
        sum += count[e];
    }
    for (int i = u->zeros; i < t->slots; i++) {
        const uint16_t key = keys[i];
        if (key != 0) t->at[t->end[key]++] = (uint16_t)(i * u->width);
    }
}

/* ---- the buffer -------------------------------------------------------------------------------------------------------------------- */

/* Gradients of the piece's outputs, m filters from f0 on. */
static void SN_T(codes_fill)(const struct sn_codes_work *k, const struct sn_codes_sums *u, const struct sn_codes_grad *a,
                             const struct sn_codes_piece *p, int f0, int m) {
    const int64_t ld = (int64_t)k->step * a->dy->ld, to_ld = (int64_t)k->stride * u->width;
    const sn_real *from = sn_row(a->dy, p->row) + (p->line + p->j * k->step) * a->dy->ld + f0;
    sn_real *to = u->buf + (int64_t)p->slot * u->width;
    for (int j = 0; j < p->n; j++, from += ld, to += to_ld) {
        /* the rows' pieces lie too far apart for the processor to see them coming */
        __builtin_prefetch(from + 8 * ld);
        if (m == SN_VEC)
            *(sn_vec *)to = *(const sn_vec *)from;
        else if (m == 2 * SN_VEC) {
            *(sn_vec *)to = *(const sn_vec *)from;
            *(sn_vec *)(to + SN_VEC) = *(const sn_vec *)(from + SN_VEC);
        } else
            for (int f = 0; f < m; f++) to[f] = from[f];
    }
}

/* A window of few outputs: each gets the gradients of the filters that it won, the others 0. nv vectors of filters. */
static void SN_T(codes_fill_window)(const sn_real *y, const sn_real *dy, const uint8_t *win, int size, int nv, sn_real *to, int64_t to_ld) {
    for (int h = 0; h < nv * SN_VEC; h += SN_VEC) {
        sn_int at[SN_VEC];
        for (int f = 0; f < SN_VEC; f++) at[f] = win[h + f];
        const sn_ivec winner = *(const sn_ivec *)at, on = *(const sn_vec *)(y + h) > (sn_vec){0};
        const sn_ivec value = *(const sn_ivec *)(dy + h) & on;
        for (sn_int n = 0; n < size; n++) *(sn_ivec *)(to + n * to_ld + h) = value & (winner == n);
    }
}

/* The same for winners: the gradient of a window goes to its winner when the pooled value is positive. */
static void SN_T(codes_fill_pool)(const struct sn_codes_work *k, const struct sn_codes_sums *u, const struct sn_codes_grad *a,
                                  const struct sn_codes_piece *p, int f0, int m) {
    const struct sn_codes_pool_bwd *pool = a->pool;
    const int64_t to_ld = (int64_t)k->stride * u->width, end = p->j + p->n;
    for (int64_t w = p->j / pool->pool_stride; w < a->dy->len[p->row] && w * pool->pool_stride < end; w++) {
        const sn_real *y = sn_row(&pool->y, p->row) + w * pool->y.ld + f0, *dy = sn_row(a->dy, p->row) + w * a->dy->ld + f0;
        const uint8_t *win = pool->win + p->row * pool->win_row + w * k->s->cout + f0;
        sn_real *to = u->buf + (int64_t)p->slot * u->width + (w * pool->pool_stride - p->j) * to_ld;
        const int64_t lo = p->j - w * pool->pool_stride, hi = end - w * pool->pool_stride;
        if (lo <= 0 && hi >= pool->pool && pool->pool <= SN_CODES_FEW && m == u->width)
            SN_T(codes_fill_window)(y, dy, win, pool->pool, m / SN_VEC, to, to_ld);
        else if (lo <= 0 && hi >= pool->pool)
            for (int f = 0; f < m; f++) to[win[f] * to_ld + f] = y[f] > 0 ? dy[f] : 0;
        else
            for (int f = 0; f < m; f++)
                if (win[f] >= lo && win[f] < hi) to[win[f] * to_ld + f] = y[f] > 0 ? dy[f] : 0;
    }
}

/* The tile's gradients of a block. */
static void SN_T(codes_buffer)(const struct sn_codes_work *k, const struct sn_codes_sums *u, const struct sn_codes_grad *a,
                               const struct sn_codes_grad_tile *t, int block) {
    const int f0 = block * u->width, m = sn_imin(k->s->cout - f0, u->width);
    const size_t width = (size_t)u->width * sizeof(sn_real);
    const bool all = a->pool || k->stride > 1 || m < u->width;
    memset(u->buf, 0, (size_t)(all ? t->slots : u->zeros) * width);
    for (int i = 0; i < t->n_pieces; i++) {
        const struct sn_codes_piece *p = &t->piece[i];
        if (!all) memset(u->buf + (size_t)(p->slot + p->n) * (size_t)u->width, 0, (size_t)u->zeros * width);
        if (a->pool)
            SN_T(codes_fill_pool)(k, u, a, p, f0, m);
        else
            SN_T(codes_fill)(k, u, a, p, f0, m);
    }
}

/* ---- sums -------------------------------------------------------------------------------------------------------------------------- */

/* Adds the tile's gradients to g tables of nv vectors; inlined for constants, so that the sums are registers. */
SN_INLINE void SN_T(codes_gather)(const struct sn_codes_grad_tile *t, const sn_real *restrict buf, sn_real *restrict sums, int entries,
                                  const int g, const int nv, const int taps) {
    const int width = nv * SN_VEC;
    for (int e = 1; e < entries; e++) {
        const uint16_t *at = t->at + t->end[e - 1], *end = t->at + t->end[e];
        if (at == end) continue;
        sn_vec acc[SN_CODES_ACC];
        sn_real *to = sums + (int64_t)e * g * width;
        SN_UNROLL
        for (int i = 0; i < g * nv; i++) acc[i] = *(sn_vec *)(to + i * SN_VEC);
        do {
            const sn_real *from = buf + *at++;
            SN_UNROLL
            for (int i = 0; i < g * nv; i++) acc[i] += *(const sn_vec *)(from - i / nv * taps * width + i % nv * SN_VEC);
        } while (at < end);
        SN_UNROLL
        for (int i = 0; i < g * nv; i++) *(sn_vec *)(to + i * SN_VEC) = acc[i];
    }
}

static void SN_T(codes_gather_any)(const struct sn_codes_sums *u, const struct sn_codes_grad_tile *t, sn_real *sums) {
#define SN_GATHER(g, nv)                                                                                                                   \
    case g:                                                                                                                                \
        if (u->taps == 2)                                                                                                                  \
            SN_T(codes_gather)(t, u->buf, sums, u->entries, g, nv, 2);                                                                     \
        else                                                                                                                               \
            SN_T(codes_gather)(t, u->buf, sums, u->entries, g, nv, 1);                                                                     \
        break;
    if (u->width > SN_VEC) {
        switch (u->g) { SN_GATHER(1, 2) SN_GATHER(2, 2) SN_GATHER(3, 2) SN_GATHER(4, 2) SN_GATHER(5, 2) SN_GATHER(6, 2) SN_GATHER(7, 2) }
        return;
    }
    /* clang-format off: it never comes to rest here */
    switch (u->g) {
        SN_GATHER(1, 1)
        SN_GATHER(2, 1)
        SN_GATHER(3, 1)
        SN_GATHER(4, 1)
        SN_GATHER(5, 1)
        SN_GATHER(6, 1)
        SN_GATHER(7, 1)
        SN_GATHER(8, 1)
        SN_GATHER(9, 1)
        SN_GATHER(10, 1)
        SN_GATHER(11, 1)
        SN_GATHER(12, 1)
        SN_GATHER(13, 1)
        SN_GATHER(14, 1)
    }
    /* clang-format on */
#undef SN_GATHER
}

/* dw += lut*dy for the positions to be expanded on the spot. */
static void SN_T(codes_grad_slow)(const struct sn_codes_work *k, const struct sn_codes_sums *u, const struct sn_codes_grad_tile *t,
                                  int block, sn_real *dw) {
    const struct sn_conv *s = k->s;
    const int f0 = block * u->width, m = sn_imin(s->cout - f0, u->width);
    for (int i = 0; i < t->n_special; i++)
        for (int tap = 0; tap < u->taps * u->g && u->t0 + tap < s->k; tap++) {
            const sn_real *lut = k->in->lut + t->code[i][tap % u->taps] * s->cin;
            const sn_real *dy = u->buf + (t->slot[i] - tap / u->taps * u->taps) * u->width;
            for (int c = 0; c < s->cin; c++) {
                sn_real v = lut[c], *to = dw + ((int64_t)(u->t0 + tap) * s->cin + c) * s->cout + f0;
                if (v == 0) continue;
                for (int f = 0; f < m; f++) to[f] = v == 1 ? to[f] + dy[f] : SN_FMA(v, dy[f], to[f]);
            }
        }
}

/* Sum over the entries with symbol `sym` at tap `second` of a table, ascending. */
static void SN_T(codes_fold_sum)(const struct sn_codes_work *k, const struct sn_codes_sums *u, const sn_real *table, int second, int sym,
                                 sn_real *sum) {
    const int count = u->taps == 1 ? 1 : k->symbols, step = second ? k->symbols : 1;
    const int first = u->taps == 1 || second ? sym : sym * k->symbols;
    for (int h = 0; h < u->width; h += SN_VEC) {
        sn_vec v = {0};
        const sn_real *from = table + (int64_t)first * u->g * u->width + h;
        for (int e = 0; e < count; e++, from += (int64_t)step * u->g * u->width) v += *(const sn_vec *)from;
        *(sn_vec *)(sum + h) = v;
    }
}

/* dw of the group's taps += the sums of a block. */
static void SN_T(codes_fold)(const struct sn_codes_work *k, const struct sn_codes_sums *u, const sn_real *sums, int block, sn_real *dw) {
    const struct sn_conv *s = k->s;
    const int f0 = block * u->width, m = sn_imin(s->cout - f0, u->width);
    const sn_real part = (sn_real)1 / (sn_real)s->cin;
    for (int tap = 0; tap < u->taps * u->g && u->t0 + tap < s->k; tap++) {
        const sn_real *table = sums + (int64_t)(tap / u->taps) * u->width;
        sn_real sum[2 * SN_VEC], any[2 * SN_VEC];
        SN_T(codes_fold_sum)(k, u, table, tap % u->taps, SN_CODES_ANY(s->cin), any);
        for (int c = 0; c < s->cin; c++) {
            sn_real *to = dw + ((int64_t)(u->t0 + tap) * s->cin + c) * s->cout + f0;
            SN_T(codes_fold_sum)(k, u, table, tap % u->taps, 1 + c, sum);
            for (int f = 0; f < m; f++) to[f] += SN_FMA(part, any[f], sum[f]);
        }
    }
}

/* ---- the call ---------------------------------------------------------------------------------------------------------------------- */

/* Blocks [b0, b1) of a group of tables. */
static void SN_T(codes_grad_group)(struct sn_codes_work *k, struct sn_codes_sums *u, const struct sn_codes_grad *a,
                                   struct sn_codes_grad_tile *tiles, int b0, int b1) {
    const size_t block = SN_T(codes_block_sums)(u);
    struct sn_codes_walk walk = {0};
    memset(u->sums, 0, (size_t)(b1 - b0) * block * sizeof *u->sums);
    while (walk.row < k->in->n) {
        int n = 0;
        while (n < SN_CODES_TILES && walk.row < k->in->n) {
            SN_T(codes_pieces)(k, u, a, &walk, &tiles[n]);
            if (tiles[n].n_pieces == 0) continue;
            SN_T(codes_sort)(k, u, &tiles[n++]);
        }
        for (int b = b0; b < b1; b++)
            for (int i = 0; i < n; i++) {
                SN_T(codes_buffer)(k, u, a, &tiles[i], b);
                SN_T(codes_gather_any)(u, &tiles[i], u->sums + (size_t)(b - b0) * block);
                if (tiles[i].n_special) SN_T(codes_grad_slow)(k, u, &tiles[i], b, a->dw);
            }
    }
    for (int b = b0; b < b1; b++) SN_T(codes_fold)(k, u, u->sums + (size_t)(b - b0) * block, b, a->dw);
}

static void SN_T(codes_grad)(const struct sn_conv *s, const struct sn_codes *in, const struct sn_codes_grad *a, void *ws) {
    struct sn_codes_work k = SN_T(codes_work)(s);
    struct sn_codes_sums u = SN_T(codes_sums)(&k);
    struct sn_codes_grad_tile *tiles = ws;
    k.in = in;
    u.sums = (sn_real *)(((uintptr_t)(tiles + SN_CODES_TILES) + 63) & ~(uintptr_t)63);
    u.buf = u.sums + (size_t)u.held * SN_T(codes_block_sums)(&u);
    k.at = (uint16_t *)(u.buf + SN_CODES_SLOTS * u.width);
    k.sym = (uint8_t *)(k.at + SN_CODES_SLOTS + 2);
    for (int g0 = 0; g0 < u.tables; g0 += u.group) {
        u.t0 = g0 * u.taps;
        u.g = sn_imin(u.tables - g0, u.group);
        for (int b = 0; b < u.blocks; b += u.held) SN_T(codes_grad_group)(&k, &u, a, tiles, b, sn_imin(b + u.held, u.blocks));
    }
}

static void SN_T(codes_bwd_filter)(const struct sn_codes_bwd_filter *a) {
    const struct sn_codes_grad g = {.dy = &a->dy, .dw = a->dw};
    SN_T(codes_grad)(&a->s, &a->in, &g, a->ws);
}

#endif
