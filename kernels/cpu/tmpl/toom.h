/* Convolution of stride 1 by Toom-Cook filtering: per point of the transforms one matrix product over tiles and channels.
 *
 * A dilated row is `dilation` ordinary ones, its phases; a line is a phase of a row. A block is a window of tiles of one line, or all tiles
 * of several lines that follow each other: lines are interleaved, so that entry (tile, line) lies at tile * lines + line and the inputs
 * of chunk c are those of chunk 0, some entries further. The inputs of a block are transformed once for all chunks. Where a chunk is
 * shorter than a tile (step 2) chunks begin in the middle of a tile, too, and there are two sets of transformed inputs. Blocks do not
 * touch the operations of an output; they are blocks of the sum of a filter gradient, and depend on the shape and the lines only. */
#ifndef SN_KERNELS_TOOM_H
#define SN_KERNELS_TOOM_H

#include "cpu/tmpl/toom_points.h"

#define SN_TOOM_TILES 96            /* entries of a block of outputs */
#define SN_TOOM_SUM SN_KBLOCK       /* of a block of the filter gradient's sum */
#define SN_TOOM_PRODUCT (384 << 10) /* bytes of transformed filter gradients worked out at a time */

static int64_t SN_T(toom_pad16)(int64_t n) {
    return (n + 15) / 16 * 16;
}

/* Inputs behind the last tile's that its chunks read, in tiles. */
static int64_t SN_T(toom_more)(const struct sn_toom *t) {
    return (t->chunks - 1) / t->step;
}

/* Entries of transformed inputs that a block of `tiles` may have; odd, so that points do not share cache sets. */
static int64_t SN_T(toom_entries)(const struct sn_toom *t, int64_t tiles) {
    const int64_t more = SN_T(toom_more)(t);
    return (tiles + (more < tiles ? tiles : more)) | 1;
}

struct sn_toom_pass {
    struct sn_conv s;
    struct sn_toom t;
    const int32_t *len;   /* outputs of each row */
    int64_t lines, tiles; /* of the call; of a block */
};
struct sn_toom_block {
    int64_t line, lines, tile, tiles;
};

/* Outputs of a line. */
static int64_t SN_T(toom_outputs)(const struct sn_toom_pass *p, int64_t line) {
    const int64_t d = p->s.dilation, n = p->len[line / d] - line % d;
    return n > 0 ? (n + d - 1) / d : 0;
}
static int64_t SN_T(toom_line_tiles)(const struct sn_toom_pass *p, int64_t line) {
    return (SN_T(toom_outputs)(p, line) + p->t.m - 1) / p->t.m;
}

/* How many lines from b->line on go together, and their tiles: as many as fit with little waste where they differ in length; blocks of
 * about equal size as if the rest were alike. */
static void SN_T(toom_lines)(const struct sn_toom_pass *p, struct sn_toom_block *b) {
    const int64_t limit = SN_T(toom_entries)(&p->t, p->tiles), more = SN_T(toom_more)(&p->t), rest = p->lines - b->line;
    int64_t lines = 0, most = 0;
    for (int64_t sum = 0; lines < rest; lines++) {
        const int64_t next = SN_T(toom_line_tiles)(p, b->line + lines), n = next > most ? next : most;
        sum += next;
        if (lines > 0 && (n * (lines + 1) > p->tiles || (n + more) * (lines + 1) > limit || 4 * sum < 3 * n * (lines + 1))) break;
        most = n;
    }
    const int64_t blocks = (rest + lines - 1) / lines;
    b->lines = (rest + blocks - 1) / blocks, b->tiles = 0;
    for (int64_t l = 0; l < b->lines; l++) {
        const int64_t n = SN_T(toom_line_tiles)(p, b->line + l);
        if (n > b->tiles) b->tiles = n;
    }
}

/* The block behind b; false: there is none. The first one is behind an empty block. */
static bool SN_T(toom_next)(const struct sn_toom_pass *p, struct sn_toom_block *b) {
    int64_t all = 0;
    b->tile += b->tiles;
    if (b->lines == 1 && b->tile < SN_T(toom_line_tiles)(p, b->line)) {
        all = SN_T(toom_line_tiles)(p, b->line);
    } else {
        b->line += b->lines, b->tile = 0;
        while (b->line < p->lines && (all = SN_T(toom_line_tiles)(p, b->line)) == 0) b->line++;
        if (b->line >= p->lines) return false;
    }
    b->lines = 1;
    if (b->tile > 0 || all > p->tiles) {
        const int64_t windows = (all + p->tiles - 1) / p->tiles, i = (b->tile * windows + all - 1) / all;
        b->tiles = (i + 1) * all / windows - b->tile;
        return true;
    }
    SN_T(toom_lines)(p, b);
    return true;
}

/* Behind the GEMM's workspace: a line of zeros, one that is not read, transformed inputs, transformed outputs, and, for filter gradients,
 * the outputs packed and a part of the gradient. */
struct sn_toom_ws {
    sn_real *zeros, *dump, *x, *y, *packed, *product;
    int64_t x_ch, y_ch, x_point, y_point; /* elements from entry to entry and from point to point */
    int64_t product_ch;                   /* input channels of a product */
    sn_real *base;
    int64_t used;
};

static size_t SN_T(toom_ws_at)(void) {
    return (SN_T(gemm_ws)() + 63) / 64 * 64;
}

static sn_real *SN_T(toom_take)(struct sn_toom_ws *w, int64_t n) {
    sn_real *p = w->base ? w->base + w->used : NULL;
    w->used += n;
    return p;
}

/* Elements of a point's packed gradients of a block. */
static int64_t SN_T(toom_packed)(int64_t entries, int64_t ch) {
    return SN_T(toom_pad16)((int64_t)(SN_T(gemm_pack_bytes)(entries, ch) / sizeof(sn_real)));
}

static struct sn_toom_ws SN_T(toom_ws)(const struct sn_conv *s, const struct sn_toom *t, int64_t tiles, bool filter, void *ws) {
    struct sn_toom_ws w = {.x_ch = SN_T(toom_pad16)(s->cin), .y_ch = SN_T(toom_pad16)(s->cout)};
    const int64_t wide = w.x_ch > w.y_ch ? w.x_ch : w.y_ch, row = t->points * w.y_ch,
                  most = SN_TOOM_PRODUCT / (int64_t)sizeof(sn_real) / row;
    w.x_point = SN_T(toom_entries)(t, tiles) * w.x_ch, w.y_point = (tiles | 1) * w.y_ch;
    const int64_t parts = (s->cin + (most < 16 ? 16 : most) - 1) / (most < 16 ? 16 : most);
    w.product_ch = (s->cin + parts - 1) / parts;
    w.base = ws ? (sn_real *)((char *)ws + SN_T(toom_ws_at)()) : NULL;
    w.zeros = SN_T(toom_take)(&w, wide);
    w.dump = SN_T(toom_take)(&w, wide);
    w.x = SN_T(toom_take)(&w, t->step * t->points * w.x_point);
    w.y = SN_T(toom_take)(&w, t->points * w.y_point);
    w.packed = SN_T(toom_take)(&w, filter ? t->points * SN_T(toom_packed)(tiles, s->cout) : 0);
    w.product = SN_T(toom_take)(&w, filter ? w.product_ch * row : 0);
    return w;
}
static size_t SN_T(toom_ws_size)(const struct sn_conv *s, const struct sn_toom *t, int64_t tiles, bool filter) {
    return SN_T(toom_ws_at)() + (size_t)SN_T(toom_ws)(s, t, tiles, filter, NULL).used * sizeof(sn_real);
}

/* Where position `at` of a phase lies in a row of n positions, or zeros. */
static inline sn_real *SN_T(toom_place)(sn_real *row, int64_t ld, int64_t n, int64_t at, sn_real *none) {
    return at >= 0 && at < n ? row + at * ld : none;
}

/* Channels [c0, c0+n) of the inputs of a block, to w->x. */
static void SN_T(toom_inputs)(const struct sn_toom_pass *p, const struct sn_toom_block *b, const struct sn_t3 *x, int64_t c0, int64_t n,
                              const struct sn_toom_ws *w) {
    const struct sn_toom *t = &p->t;
    const int64_t d = p->s.dilation;
    for (int set = 0; set < t->step; set++) {
        sn_real *z = w->x + set * t->points * w->x_point;
        const int64_t tiles = b->tiles + (t->chunks - 1 - set) / t->step;
        for (int64_t i = b->tile; i < b->tile + tiles; i++)
            for (int64_t l = b->line; l < b->line + b->lines; l++, z += w->x_ch) {
                const int64_t row = l / d, at = l % d + (i * t->m + set * t->r) * d - p->s.pad;
                const sn_real *from[SN_TOOM_POINTS];
                for (int u = 0; u < t->points; u++)
                    from[u] = SN_T(toom_place)(sn_row(x, row) + c0, x->ld, x->len[row], at + u * d, w->zeros);
                SN_T(toom_input)(t, from, n, z, w->x_point);
            }
    }
}

/* Addresses of the outputs of tile i of a line; `none` for those outside. */
static void SN_T(toom_addresses)(const struct sn_toom_pass *p, const struct sn_t3 *y, int64_t l, int64_t i, sn_real *none, sn_real **to) {
    const int64_t d = p->s.dilation, row = l / d;
    for (int j = 0; j < p->t.m; j++) to[j] = SN_T(toom_place)(sn_row(y, row), y->ld, y->len[row], l % d + (i * p->t.m + j) * d, none);
}

/* y = bias + gathered products of a block, and what follows. */
static void SN_T(toom_outputs_of)(const struct sn_toom_pass *p, const struct sn_toom_block *b, const struct sn_conv_fwd *a,
                                  const struct sn_toom_ws *w) {
    struct sn_toom_to to = {.relu = a->relu};
    for (int j = 0; j < p->t.m; j++) to.start[j] = a->bias ? a->bias : w->zeros;
    const sn_real *z = w->y;
    for (int64_t i = b->tile; i < b->tile + b->tiles; i++)
        for (int64_t l = b->line; l < b->line + b->lines; l++, z += w->y_ch) {
            sn_real *behind[SN_TOOM_POINTS] = {0};
            SN_T(toom_addresses)(p, &a->y, l, i, w->dump, to.v);
            if (a->behind.p) SN_T(toom_addresses)(p, &a->behind, l, i, w->zeros, behind);
            for (int j = 0; j < p->t.m; j++) to.behind[j] = behind[j];
            if (to.v[0] != w->dump) SN_T(toom_gather_tile)(&p->t, z, w->y_point, p->s.cout, &to);
        }
}

/* Transformed gradients of a block, packed for the products. */
static void SN_T(toom_gradients)(const struct sn_toom_pass *p, const struct sn_toom_block *b, const struct sn_t3 *dy,
                                 const struct sn_toom_ws *w, int64_t packed) {
    sn_real *z = w->y;
    for (int64_t i = b->tile; i < b->tile + b->tiles; i++)
        for (int64_t l = b->line; l < b->line + b->lines; l++, z += w->y_ch) {
            sn_real *from[SN_TOOM_POINTS] = {0};
            SN_T(toom_addresses)(p, dy, l, i, w->zeros, from);
            SN_T(toom_spread_tile)(&p->t, (const sn_real *const *)from, p->s.cout, z, w->y_point);
        }
    struct sn_gemm_pack g = {.n = p->s.cout, .k = b->tiles * b->lines, .b_rs = w->y_ch, .b_cs = 1};
    for (int64_t q = 0; q < p->t.points; q++) {
        g.b = w->y + q * w->y_point, g.dst = w->packed + q * packed;
        SN_T(gemm_pack)(&g);
    }
}

/* Transformed inputs of a chunk at a point. */
static const sn_real *SN_T(toom_chunk)(const struct sn_toom *t, const struct sn_toom_ws *w, int64_t chunk, int64_t point, int64_t lines) {
    return w->x + (chunk % t->step * t->points + point) * w->x_point + chunk / t->step * lines * w->x_ch;
}

static void SN_T(toom_fwd)(const struct sn_conv_fwd *a, const struct sn_toom *t) {
    const struct sn_toom_ws w = SN_T(toom_ws)(&a->s, t, SN_TOOM_TILES, false, a->ws);
    struct sn_toom_pass p = {.s = a->s, .t = *t, .len = a->y.len, .lines = (int64_t)a->n * a->s.dilation, .tiles = SN_TOOM_TILES};
    struct sn_gemm g = {.n = a->s.cout, .k = a->s.cin, .a_rs = w.x_ch, .a_cs = 1, .c_rs = w.y_ch, .ws = a->ws};
    const size_t packed = SN_T(gemm_pack_bytes)(a->s.cin, a->s.cout);
    memset(w.zeros, 0, (size_t)(w.x_ch > w.y_ch ? w.x_ch : w.y_ch) * sizeof *w.zeros);
    for (struct sn_toom_block b = {0}; SN_T(toom_next)(&p, &b);) {
        SN_T(toom_inputs)(&p, &b, &a->x, 0, a->s.cin, &w);
        g.m = b.tiles * b.lines;
        for (int point = 0; point < t->points; point++)
            for (int c = 0; c < t->chunks; c++) {
                g.a = SN_T(toom_chunk)(t, &w, c, point, b.lines), g.c = w.y + point * w.y_point, g.accumulate = c > 0;
                g.packed_b = (const char *)a->w + (size_t)(point * t->chunks + c) * packed;
                SN_T(gemm)(&g);
            }
        SN_T(toom_outputs_of)(&p, &b, a, &w);
    }
}

/* Channels [c0, c0+n) of chunk c of the gradient: dw += gathered products. */
static void SN_T(toom_filter_chunk)(const struct sn_conv_bwd_filter *a, const struct sn_toom *t, const struct sn_toom_ws *w,
                                    const struct sn_toom_block *b, int64_t packed, int c, int64_t c0, int64_t n) {
    struct sn_gemm g = {.m = n, .n = a->s.cout, .k = b->tiles * b->lines, .a_rs = 1, .a_cs = w->x_ch, .c_rs = w->y_ch, .ws = a->ws};
    const int64_t point = n * w->y_ch, tap = (int64_t)(a->o1 - a->o0) * a->s.cout;
    for (int q = 0; q < t->points; q++) {
        g.a = SN_T(toom_chunk)(t, w, c, q, b->lines) + c0, g.packed_b = w->packed + q * packed, g.c = w->product + q * point;
        SN_T(gemm)(&g);
    }
    for (int64_t ch = c0; ch < c0 + n; ch++) {
        struct sn_toom_to to = {0};
        for (int j = 0; j < t->r; j++)
            to.start[j] = to.v[j] = c * t->r + j < a->s.k ? a->dw + (c * t->r + j) * tap + ch * a->s.cout : w->dump;
        SN_T(toom_gather_taps)(t, w->product + (ch - c0) * w->y_ch, point, a->s.cout, &to);
    }
}

static void SN_T(toom_bwd_filter)(const struct sn_conv_bwd_filter *a, const struct sn_toom *t) {
    const struct sn_toom_ws w = SN_T(toom_ws)(&a->s, t, SN_TOOM_SUM, true, a->ws);
    struct sn_toom_pass p = {.s = a->s, .t = *t, .len = a->dy.len, .lines = (int64_t)a->n * a->s.dilation, .tiles = SN_TOOM_SUM};
    const int64_t all = a->o1 - a->o0, parts = (all + w.product_ch - 1) / w.product_ch;
    memset(w.zeros, 0, (size_t)(w.x_ch > w.y_ch ? w.x_ch : w.y_ch) * sizeof *w.zeros);
    memset(w.dump, 0, (size_t)w.y_ch * sizeof *w.dump);
    for (struct sn_toom_block b = {0}; SN_T(toom_next)(&p, &b);) {
        const int64_t packed = SN_T(toom_packed)(b.tiles * b.lines, a->s.cout);
        SN_T(toom_inputs)(&p, &b, &a->x, a->o0, all, &w);
        SN_T(toom_gradients)(&p, &b, &a->dy, &w, packed);
        for (int64_t i = 0; i < parts; i++)
            for (int c = 0; c < t->chunks; c++)
                SN_T(toom_filter_chunk)(a, t, &w, &b, packed, c, i * all / parts, (i + 1) * all / parts - i * all / parts);
    }
}

static size_t SN_T(toom_bytes)(const struct sn_conv *s, const struct sn_toom *t) {
    return SN_T(gemm_pack_bytes)(s->cin, s->cout) * (size_t)(t->points * t->chunks);
}

/* For all three passes; 0 where none runs here. */
static size_t SN_T(toom_ws_bytes)(const struct sn_conv *s) {
    const struct sn_conv back = sn_conv_transposed(s);
    struct sn_toom t;
    size_t bytes = 0;
    if (sn_toom_choose(&back, &t)) bytes = SN_T(toom_ws_size)(&back, &t, SN_TOOM_TILES, false);
    if (!sn_toom_choose(s, &t)) return bytes;
    const size_t fwd = SN_T(toom_ws_size)(s, &t, SN_TOOM_TILES, false), filter = SN_T(toom_ws_size)(s, &t, SN_TOOM_SUM, true);
    bytes = fwd > bytes ? fwd : bytes;
    return filter > bytes ? filter : bytes;
}

/* Weights of the convolution s at the points: point by point, chunk by chunk, packed. `flip`: of the data gradient of (k, cout, cin). */
static void SN_T(toom_prepare)(const struct sn_conv *s, const struct sn_toom *t, const sn_real *w, bool flip, sn_real *dst) {
    const size_t packed = SN_T(gemm_pack_bytes)(s->cin, s->cout);
    const int64_t n = (int64_t)(packed / sizeof *dst), point = n * t->chunks;
    struct sn_gemm_pack g = {.n = s->cout, .k = s->cin, .b_rs = flip ? 1 : s->cout, .b_cs = flip ? s->cin : 1};
    for (int c = 0; c < t->chunks; c++, dst += n) {
        for (int j = 0; j < t->r; j++) {
            const int64_t tap = c * t->r + j;
            g.b = w + (flip ? s->k - 1 - tap : tap) * s->cin * s->cout, g.dst = dst + j * point;
            if (tap < s->k)
                SN_T(gemm_pack)(&g);
            else
                memset(g.dst, 0, packed);
        }
        SN_T(toom_weights)(t, dst, point, n);
    }
}

#endif
