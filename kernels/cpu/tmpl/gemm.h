/* Matrix product for CPUs with vector FMA: each element of C is start plus, per SN_KBLOCK of k, one chain of FMAs, blocks added in order.
 *
 * A tile of up to SN_MR rows by SN_NR columns stays in registers for a whole block of k: per k two vectors of B, one broadcast of A per
 * row. B comes from panels of SN_NR columns (k-major, the last one padded with zeros) or, for few rows, straight from the caller; A is
 * broadcast from where it lies unless its strides would thrash the cache. Loops: columns (only when B is packed here), blocks of k, blocks
 * of rows, panels of B, tiles. None of these choices touches the operations of an element. */
#if defined __aarch64__
#include <arm_neon.h>
#else
#include <immintrin.h>
#endif

#include "cpu/tmpl/common.h"

#if defined __AVX512F__
#define SN_MR 14
#define SN_SET1(x) _mm512_set1_ps(x)
#define SN_VFMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#elif defined __aarch64__
#define SN_MR 12
#define SN_SET1(x) vdupq_n_f32(x)
#define SN_VFMA(a, b, c) vfmaq_f32(c, a, b)
#else
#define SN_MR 6
#define SN_SET1(x) _mm256_set1_ps(x)
#define SN_VFMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#endif
#define SN_NV 2                /* vectors in a panel's row */
#define SN_NR (SN_NV * SN_VEC) /* columns of a panel */
#define SN_MAX_PANELS 4        /* panels side by side when there are few rows */
#define SN_ZEROS (SN_MAX_PANELS * SN_NR)
#define SN_ROW_PANELS 8                              /* tiles in a block of rows: its part of A stays in the second level cache */
#define SN_PACK_COLS 256                             /* columns of B packed at a time: half the second level cache */
#define SN_PACK_ROWS (2 * SN_MR)                     /* up to so many rows a B with b_cs = 1 is read where it lies, */
#define SN_PACK_ROWS_ALIGNED (SN_ROW_PANELS * SN_MR) /* or so many if its rows keep their alignment */
#define SN_A_STRIDE (SN_KBLOCK + 16)                 /* from row to row of a packed A: rows fall into different cache sets */
#define SN_COPY_PANELS 8                             /* up to so many panels a transposed A is read where it lies */
#define SN_LINE 16                                   /* floats in a cache line */
#define SN_ALIAS_BYTES 4096                          /* addresses so far apart share a set of the first level cache, */
#define SN_WAYS 8                                    /* which has so many lines */

#define SN_TRANSPOSE 8
/* dst (8 rows, dst_rs apart) = transposed src (8 rows, src_rs apart). */
static inline void SN_T(transpose)(const float *src, int64_t src_rs, float *dst, int64_t dst_rs) {
    __m256 r[8], u[8];
    for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(src + i * src_rs);
    for (int i = 0; i < 8; i += 2) u[i] = _mm256_unpacklo_ps(r[i], r[i + 1]), u[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(u[i], u[i + 2], 0x44), r[i + 1] = _mm256_shuffle_ps(u[i], u[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(u[i + 1], u[i + 3], 0x44), r[i + 3] = _mm256_shuffle_ps(u[i + 1], u[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(dst + i * dst_rs, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_storeu_ps(dst + (i + 4) * dst_rs, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

#include "cpu/tmpl/panel.h"

/* What a tile reads and writes: A(r,k) = a[r*a_rs + k*a_ks] for the first a_first of k, then runs of a_run, a_skip elements further each
 * time than without; columns of panel p of B at b[p*b_panel + k*b_ks]; C = start + sum. */
struct sn_gemm_tile {
    int64_t k;
    const float *a;
    int64_t a_rs, a_ks, a_first, a_run, a_skip;
    const float *b;
    int64_t b_panel, b_ks;
    const float *start;
    int64_t start_rs;
    float *c;
    int64_t c_rs;
    int cols; /* wanted of the tile's columns */
};

/* The last columns of C, fewer than a tile's. */
static void SN_T(tile_edge)(const struct sn_gemm_tile *t, int mr, const float *part, int ld) {
    for (int r = 0; r < mr; r++) {
        const float *s = t->start + r * t->start_rs;
        float *c = t->c + r * t->c_rs;
        for (int j = 0; j < t->cols; j++) c[j] = s[j] + part[r * ld + j];
    }
}

/* acc += sum over k of A(r,k) B(k,v) for mr rows by the first nv vectors of each of np panels: the chains go on. */
SN_INLINE void SN_T(tile_run)(sn_vec acc[SN_MR][SN_MAX_PANELS * SN_NV], const float *a0, int64_t rs, int64_t ks, const float *b,
                              int64_t panel, int64_t bs, int64_t k, const int mr, const int np, const int nv) {
    const float *a1 = a0 + 4 * rs, *a2 = a0 + 8 * rs, *a3 = a0 + 12 * rs;
    for (; k > 0; k--) {
        sn_vec bv[SN_MAX_PANELS * SN_NV];
        SN_UNROLL
        for (int v = 0; v < np * nv; v++) bv[v] = *(const sn_vec *)(b + v / nv * panel + v % nv * SN_VEC);
        SN_UNROLL
        for (int r = 0; r < mr; r++) {
            const float *ar = r < 4 ? a0 : r < 8 ? a1 : r < 12 ? a2 : a3;
            sn_vec av = SN_SET1(ar[r % 4 * rs]);
            SN_UNROLL
            for (int v = 0; v < np * nv; v++) acc[r][v] = SN_VFMA(av, bv[v], acc[r][v]);
        }
        a0 += ks, a1 += ks, a2 += ks, a3 += ks, b += bs;
    }
}

SN_INLINE void SN_T(tile_zero)(sn_vec acc[SN_MR][SN_MAX_PANELS * SN_NV], const int mr, const int n) {
    SN_UNROLL
    for (int r = 0; r < mr; r++) {
        SN_UNROLL
        for (int v = 0; v < n; v++) acc[r][v] = SN_SET1(0.0f);
    }
}

/* Only whole tiles have np > 1. */
SN_INLINE void SN_T(tile_body)(const struct sn_gemm_tile *t, const int mr, const int np, const int nv) {
    sn_vec acc[SN_MR][SN_MAX_PANELS * SN_NV];
    if (t->start == t->c) {
        SN_UNROLL
        for (int r = 0; r < mr; r++) {
            SN_UNROLL
            for (int v = 0; v < np * nv; v += SN_LINE / SN_VEC) __builtin_prefetch(t->c + r * t->c_rs + v * SN_VEC, 0, 2);
        }
    }
    const float *a = t->a, *b = t->b;
    SN_T(tile_zero)(acc, mr, np * nv);
    for (int64_t left = t->k, run = t->a_first; left > 0; left -= run, run = left < t->a_run ? left : t->a_run) {
        SN_T(tile_run)(acc, a, t->a_rs, t->a_ks, b, t->b_panel, t->b_ks, run, mr, np, nv);
        a += run * t->a_ks + t->a_skip, b += run * t->b_ks;
    }
    if (t->cols == np * nv * SN_VEC) {
        const float *s = t->start;
        float *c = t->c;
        const int64_t s_rs = t->start_rs, c_rs = t->c_rs;
        SN_UNROLL
        for (int r = 0; r < mr; r++, s += s_rs, c += c_rs) {
            SN_UNROLL
            for (int v = 0; v < np * nv; v++) *(sn_vec *)(c + v * SN_VEC) = *(const sn_vec *)(s + v * SN_VEC) + acc[r][v];
        }
        return;
    }
    sn_vec part[SN_MR * SN_NV];
    SN_UNROLL
    for (int r = 0; r < mr; r++) {
        SN_UNROLL
        for (int v = 0; v < nv; v++) part[r * nv + v] = acc[r][v];
    }
    SN_T(tile_edge)(t, mr, (const float *)part, nv * SN_VEC);
}

#define SN_TILE(mr, np, nv)                                                                                                                \
    static void SN_T(tile_##mr##_##np##_##nv)(const struct sn_gemm_tile *t) {                                                              \
        SN_T(tile_body)(t, mr, np, nv);                                                                                                    \
    }
#define SN_TILE_BOTH(mr) SN_TILE(mr, 1, 1) SN_TILE(mr, 1, 2)
#define SN_TILE_ENTRY(mr) {SN_T(tile_##mr##_1_1), SN_T(tile_##mr##_1_2)},
#if SN_MR == 14
#define SN_TILES(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#elif SN_MR == 12
#define SN_TILES(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#else
#define SN_TILES(X) X(1) X(2) X(3) X(4) X(5) X(6)
#endif

SN_TILES(SN_TILE_BOTH)
SN_TILE(1, 4, 2)
SN_TILE(2, 2, 2)
SN_TILE(3, 2, 2)

typedef void (*sn_gemm_tile_fn)(const struct sn_gemm_tile *t);
static const sn_gemm_tile_fn SN_T(tiles)[SN_MR][SN_NV] = {SN_TILES(SN_TILE_ENTRY)};
/* With fewer than four rows one panel gives too few chains to hide the latency of an FMA: several panels side by side. */
static const struct {
    sn_gemm_tile_fn fn;
    int panels;
} SN_T(wide_tiles)[3] = {{SN_T(tile_1_4_2), 4}, {SN_T(tile_2_2_2), 2}, {SN_T(tile_3_2_2), 2}};

struct sn_gemm_ws {
    float a[SN_ROW_PANELS * SN_MR * SN_A_STRIDE];
    float b[SN_PACK_COLS * SN_KBLOCK];
};

static size_t SN_T(gemm_ws)(void) {
    return sizeof(struct sn_gemm_ws);
}

/* One block of k of some columns: C(:, j:j+n) += A(:, k0:k0+k) B(k0:k0+k, j:j+n), B as panels. */
struct sn_gemm_part {
    const struct sn_gemm *g;
    int64_t j, n, k0, k;
    const float *b;
    int64_t b_panel, b_ks;
};

/* Row where tile i of all begins: tiles differ by one row at most. */
static int64_t SN_T(tile_row)(int64_t m, int64_t i) {
    return i * m / ((m + SN_MR - 1) / SN_MR);
}

/* Where a block of tiles finds A: in place, or copied to ws where the strides would make the tile's loads evict each other. `tile`
 * elements from tile to tile when they are of one size, else 0. `runs`: as the caller's. */
struct sn_gemm_a {
    const float *p;
    int64_t rs, ks, tile;
    bool runs;
};

/* A tile of A, whose rows are adjacent, row of k after row of k. `more`: SN_MR rows may be read, a copy of one size is fast. */
static void SN_T(copy_a_tile)(const float *restrict a, int64_t ks, int64_t rows, bool more, int64_t k, float *restrict dst) {
    if (more || rows == SN_MR)
        for (int64_t t = 0; t < k; t++) memcpy(dst + t * SN_MR, a + t * ks, SN_MR * sizeof *dst);
    else
        for (int64_t t = 0; t < k; t++) memcpy(dst + t * SN_MR, a + t * ks, (size_t)rows * sizeof *dst);
}

static struct sn_gemm_a SN_T(place_a)(const struct sn_gemm_part *q, int64_t i0, int64_t i1) {
    const struct sn_gemm *g = q->g;
    const int64_t r0 = SN_T(tile_row)(g->m, i0), rows = SN_T(tile_row)(g->m, i1) - r0;
    const struct sn_gemm_a v = {g->a + r0 * g->a_rs + SN_T(gemm_column)(g, q->k0), g->a_rs, g->a_cs, 0, g->a_run > 0};
    float *dst = ((struct sn_gemm_ws *)g->ws)->a;
    const bool rows_alias = SN_MR > SN_WAYS && v.rs * (int64_t)sizeof *dst % SN_ALIAS_BYTES == 0;
    if (q->n <= SN_NR || rows == 1 || (v.ks == 1 && !rows_alias) || (v.rs == 1 && q->n <= SN_COPY_PANELS * SN_NR)) return v;
    if (v.rs == 1 && !v.runs) {
        for (int64_t i = i0; i < i1; i++) {
            const int64_t lo = SN_T(tile_row)(g->m, i), hi = SN_T(tile_row)(g->m, i + 1);
            SN_T(copy_a_tile)(v.p + lo - r0, v.ks, hi - lo, lo + SN_MR <= g->m, q->k, dst + (i - i0) * SN_MR * q->k);
        }
        return (struct sn_gemm_a){dst, 1, SN_MR, SN_MR * q->k, false};
    }
    for (int64_t r = 0; r < rows; r++) {
        const float *row = g->a + (r0 + r) * g->a_rs;
        if (v.ks == 1 && !v.runs)
            memcpy(dst + r * SN_A_STRIDE, v.p + r * v.rs, (size_t)q->k * sizeof *dst);
        else
            for (int64_t t = 0; t < q->k; t++) dst[r * SN_A_STRIDE + t] = row[SN_T(gemm_column)(g, q->k0 + t)];
    }
    return (struct sn_gemm_a){dst, SN_A_STRIDE, 1, 0, false};
}

/* Tiles [i0, i1) of rows times every panel of the part. */
static void SN_T(gemm_rows)(const struct sn_gemm_part *q, int64_t i0, int64_t i1) {
    const struct sn_gemm *g = q->g;
    const int64_t m = g->m, up = SN_T(tile_row)(m, i0);
    const struct sn_gemm_a a = SN_T(place_a)(q, i0, i1);
    const struct sn_gemm_start s = SN_T(gemm_start)(g, q->k0);
    struct sn_gemm_tile t = {.k = q->k, .a_rs = a.rs, .a_ks = a.ks, .b_panel = q->b_panel, .b_ks = q->b_ks, .start_rs = s.rs};
    t.c_rs = g->c_rs, t.a_first = q->k;
    if (a.runs) {
        t.a_run = g->a_run, t.a_skip = g->a_jump - g->a_run * g->a_cs;
        t.a_first = sn_imin(q->k, g->a_run - q->k0 % g->a_run);
    }
    for (int64_t j = 0, step; j < q->n; j += step) {
        const int panels = m <= 3 ? SN_T(wide_tiles)[m - 1].panels : 1;
        const bool wide = panels > 1 && q->n - j >= panels * SN_NR;
        step = wide ? panels * SN_NR : SN_NR;
        t.b = q->b + j / SN_NR * q->b_panel;
        t.cols = sn_imin(q->n - j, step);
        for (int64_t i = i0; i < i1; i++) {
            const int64_t lo = SN_T(tile_row)(m, i), rows = SN_T(tile_row)(m, i + 1) - lo;
            t.a = a.p + (a.tile ? (i - i0) * a.tile : (lo - up) * a.rs);
            t.start = s.p + lo * s.rs + (q->j + j) * s.cs;
            t.c = g->c + lo * g->c_rs + q->j + j;
            (wide ? SN_T(wide_tiles)[m - 1].fn : SN_T(tiles)[rows - 1][t.cols > SN_VEC])(&t);
        }
    }
}

/* Columns [j, j+n): all blocks of k. B is prepacked, in place (whole panels only), or packed here (n <= SN_PACK_COLS). */
static void SN_T(gemm_cols)(const struct sn_gemm *g, int64_t j, int64_t n, bool in_place) {
    const int64_t tiles = (g->m + SN_MR - 1) / SN_MR;
    float *ws = ((struct sn_gemm_ws *)g->ws)->b;
    for (int64_t k0 = 0; k0 < g->k; k0 += SN_KBLOCK) {
        struct sn_gemm_part q = {.g = g, .j = j, .n = n, .k0 = k0, .k = sn_imin(g->k - k0, SN_KBLOCK), .b_ks = SN_NR};
        if (g->packed_b) {
            q.b = SN_T(gemm_packed)(g, j, k0, &q.b_panel);
        } else if (in_place) {
            q.b = g->b + k0 * g->b_rs + j, q.b_panel = SN_NR, q.b_ks = g->b_rs;
        } else {
            const float *b = g->b + k0 * g->b_rs + j * g->b_cs;
            q.b = ws, q.b_panel = q.k * SN_NR;
            for (int64_t c = 0; c < n; c += SN_NR)
                SN_T(pack_panel)(b + c * g->b_cs, g->b_rs, g->b_cs, q.k, sn_imin(n - c, SN_NR), ws + c * q.k);
        }
        for (int64_t i = 0; i < tiles; i += SN_ROW_PANELS) SN_T(gemm_rows)(&q, i, sn_imin(i + SN_ROW_PANELS, tiles));
    }
}

static void SN_T(gemm)(const struct sn_gemm *g) {
    if (g->k == 0) {
        SN_T(gemm_empty)(g);
        return;
    }
    if (g->m < 1) return;
    const bool in_place = !g->packed_b && g->b_cs == 1 && g->m <= (g->b_rs % SN_LINE ? SN_PACK_ROWS : SN_PACK_ROWS_ALIGNED);
    int64_t j = 0;
    if (in_place || g->packed_b) {
        j = g->packed_b ? g->n : g->n / SN_NR * SN_NR;
        if (j > 0) SN_T(gemm_cols)(g, 0, j, in_place);
    }
    for (; j < g->n; j += SN_PACK_COLS) SN_T(gemm_cols)(g, j, sn_imin(g->n - j, SN_PACK_COLS), false);
}

#include "cpu/tmpl/outer.h"

static void SN_T(fill_gemm)(struct sn_kernels *k) {
    k->provider = "own";
    k->gemm_nr = SN_NR;
    k->gemm_ws = SN_T(gemm_ws);
    k->gemm_pack_bytes = SN_T(gemm_pack_bytes);
    k->gemm = SN_T(gemm);
    k->gemm_pack = SN_T(gemm_pack);
    k->outer = SN_T(outer);
}
