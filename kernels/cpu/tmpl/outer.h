/* Weight gradient of a product of vectors, on the tiles of gemm.h: a tile of C goes through all leaves and their tree in registers and in
 * one row of sums per level of the tree, so that C is read and written once and no leaf's partial goes to memory. */

#define SN_OUTER_LEVELS 7 /* of the tree: up to SN_OUTER_LEAVES leaves */

/* MR rows of A, k-major (zeros where C has no row); `cols` columns of one panel of B. */
struct sn_outer_tile {
    const int *first; /* row of each leaf, and the end */
    int leaves;
    const float *a, *b;
    float *c;
    int64_t c_rs;
    int rows, cols;
};

#define SN_OUTER_SUMS (SN_MR * SN_NV) /* vectors of a tile */

static inline void SN_T(outer_add)(sn_vec *a, const sn_vec *b) {
    SN_UNROLL
    for (int i = 0; i < SN_OUTER_SUMS; i++) a[i] += b[i];
}

/* sum = start + the sum of rows [r0, r1). */
static inline void SN_T(outer_leaf)(const struct sn_outer_tile *t, int r0, int r1, const sn_vec *start, sn_vec *sum) {
    struct sn_gemm_tile g = {.k = sn_imin(r1 - r0, SN_KBLOCK), .a_rs = 1, .a_ks = SN_MR, .b_ks = SN_NR, .start_rs = SN_NR, .c_rs = SN_NR};
    g.cols = SN_NR, g.start = (const float *)start, g.c = (float *)sum;
    for (int r = r0; r < r1 || r == r0; r += SN_KBLOCK, g.k = sn_imin(r1 - r, SN_KBLOCK), g.start = g.c) {
        g.a = t->a + r * SN_MR, g.b = t->b + r * SN_NR, g.a_first = g.k;
        SN_T(tiles)[SN_MR - 1][SN_NV - 1](&g);
    }
}

/* level[d] holds 2^d leaves that wait for the next 2^d: a binary counter of sums. The first addition of the tree is the start of the leaf
 * that is added to, where that leaf is one chain. */
static void SN_T(outer_tile)(const struct sn_outer_tile *t) {
    static const sn_vec zeros[SN_OUTER_SUMS];
    sn_vec level[SN_OUTER_LEVELS][SN_OUTER_SUMS];
    for (int l = 0; l < t->leaves; l++) {
        const int r0 = t->first[l], r1 = t->first[l + 1], depth = __builtin_ctz(~(unsigned)l);
        const bool fused = depth > 0 && r1 - r0 <= SN_KBLOCK;
        SN_T(outer_leaf)(t, r0, r1, fused ? level[0] : zeros, level[depth]);
        for (int d = fused; d < depth; d++) SN_T(outer_add)(level[depth], level[d]);
    }
    int d = __builtin_ctz((unsigned)t->leaves);
    for (int up = d + 1; t->leaves >> up; up++)
        if (t->leaves >> up & 1) {
            SN_T(outer_add)(level[up], level[d]);
            d = up;
        }
    if (t->rows == SN_MR && t->cols == SN_NR) {
        float *c = t->c;
        SN_UNROLL
        for (int i = 0; i < SN_OUTER_SUMS; i++) *(sn_vec *)(c + i / SN_NV * t->c_rs + i % SN_NV * SN_VEC) += level[d][i];
        return;
    }
    const float *sum = (const float *)level[d];
    for (int r = 0; r < t->rows; r++)
        for (int j = 0; j < t->cols; j++) t->c[r * t->c_rs + j] += sum[r * SN_NR + j];
}

/* The first `cols` of `width` columns of every row from src on, then zeros; rows without a value are zeros. */
static void SN_T(outer_pack)(const struct sn_outer *o, const float *src, int64_t src_row, int cols, int width, float *dst) {
    for (int r = 0; r < o->rows; r++, dst += width, src += src_row) {
        const int n = o->len[r] > 0 ? cols : 0;
        if (n == width)
            memcpy(dst, src, (size_t)width * sizeof *dst);
        else
            for (int j = 0; j < width; j++) dst[j] = j < n ? src[j] : 0;
    }
}

/* Columns [j, j+n) of C. Rows of C outermost: their lines lie one after the other. */
static void SN_T(outer_cols)(const struct sn_outer *o, const int *first, int64_t j, int64_t n) {
    struct sn_gemm_ws *ws = o->ws;
    const int64_t at_once = sn_imin(SN_ROW_PANELS, (int64_t)(sizeof ws->a / sizeof *ws->a) / SN_MR / o->rows);
    for (int64_t c = 0; c < n; c += SN_NR) SN_T(outer_pack)(o, o->b + j + c, o->b_row, sn_imin(n - c, SN_NR), SN_NR, ws->b + c * o->rows);
    for (int64_t i = 0; i < o->m; i += at_once * SN_MR) {
        const int64_t end = i + at_once * SN_MR < o->m ? i + at_once * SN_MR : o->m;
        for (int64_t r = i; r < end; r += SN_MR)
            SN_T(outer_pack)(o, o->a + r, o->a_row, sn_imin(end - r, SN_MR), SN_MR, ws->a + (r - i) * o->rows);
        for (int64_t r = i; r < end; r += SN_MR)
            for (int64_t c = 0; c < n; c += SN_NR) {
                struct sn_outer_tile t = {.first = first, .leaves = o->leaves, .a = ws->a + (r - i) * o->rows, .b = ws->b + c * o->rows};
                t.c = o->c + r * o->c_rs + j + c, t.c_rs = o->c_rs;
                t.rows = sn_imin(end - r, SN_MR), t.cols = sn_imin(n - c, SN_NR);
                SN_T(outer_tile)(&t);
            }
    }
}

static void SN_T(outer)(const struct sn_outer *o) {
    if (o->rows < 1) return;
    const int64_t step = (int64_t)(sizeof((struct sn_gemm_ws *)0)->b / sizeof(float)) / o->rows / SN_NR * SN_NR;
    int first[SN_OUTER_LEAVES + 1];
    for (int l = 0; l <= o->leaves; l++) first[l] = SN_T(outer_row)(o, l);
    for (int64_t j = 0; j < o->n; j += step) SN_T(outer_cols)(o, first, j, sn_imin(o->n - j, step));
}
