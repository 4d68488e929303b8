/* Weight gradient of a product of vectors, on the tiles of gemm.h: a tile of C goes through all leaves and their tree in registers and in
 * one row of sums per level of the tree, so that C is read and written once and no leaf's partial goes to memory. */

#define SN_OUTER_LEVELS 7 /* of the tree: up to SN_OUTER_LEAVES leaves */

/* MR rows of A, k-major (zeros where C has no row); `cols` columns of one panel of B. */
struct sn_outer_tile {
    const struct sn_outer *o;
    const float *a, *b;
    float *c;
    int rows, cols;
};

/* acc = the sum of one leaf. */
SN_INLINE void SN_T(outer_leaf)(const struct sn_outer_tile *t, int r0, int r1, sn_vec acc[SN_MR][SN_MAX_PANELS * SN_NV], const int nv) {
    int r = sn_imin(r1, r0 + SN_KBLOCK);
    SN_T(tile_chain)(acc, t->a + r0 * SN_MR, 1, SN_MR, t->b + r0 * SN_NR, 0, SN_NR, r - r0, SN_MR, 1, nv);
    if (r == r1) return;
    sn_vec sum[SN_MR * SN_NV];
    for (int i = 0; i < SN_MR * nv; i++) sum[i] = acc[i / nv][i % nv];
    for (; r < r1; r += SN_KBLOCK) {
        SN_T(tile_chain)
        (acc, t->a + r * SN_MR, 1, SN_MR, t->b + r * SN_NR, 0, SN_NR, sn_imin(r1 - r, SN_KBLOCK), SN_MR, 1, nv);
        for (int i = 0; i < SN_MR * nv; i++) sum[i] += acc[i / nv][i % nv];
    }
    for (int i = 0; i < SN_MR * nv; i++) acc[i / nv][i % nv] = sum[i];
}

/* level[d] holds 2^d leaves that wait for the next 2^d: a binary counter of sums. */
SN_INLINE void SN_T(outer_body)(const struct sn_outer_tile *t, const int nv) {
    sn_vec level[SN_OUTER_LEVELS][SN_MR * SN_NV], acc[SN_MR][SN_MAX_PANELS * SN_NV];
    const int leaves = t->o->leaves;
    for (int l = 0; l < leaves; l++) {
        int d = 0;
        SN_T(outer_leaf)(t, SN_T(outer_row)(t->o, l), SN_T(outer_row)(t->o, l + 1), acc, nv);
        for (int carry = l; carry & 1; carry >>= 1, d++) {
            SN_UNROLL
            for (int i = 0; i < SN_MR * nv; i++) acc[i / nv][i % nv] += level[d][i];
        }
        SN_UNROLL
        for (int i = 0; i < SN_MR * nv; i++) level[d][i] = acc[i / nv][i % nv];
    }
    int d = __builtin_ctz((unsigned)leaves);
    for (int up = d + 1; leaves >> up; up++)
        if (leaves >> up & 1) {
            for (int i = 0; i < SN_MR * nv; i++) level[up][i] += level[d][i];
            d = up;
        }
    if (t->rows == SN_MR && t->cols == nv * SN_VEC) {
        float *c = t->c;
        SN_UNROLL
        for (int i = 0; i < SN_MR * nv; i++) *(sn_vec *)(c + i / nv * t->o->c_rs + i % nv * SN_VEC) += level[d][i];
        return;
    }
    const float *sum = (const float *)level[d];
    for (int r = 0; r < t->rows; r++)
        for (int j = 0; j < t->cols; j++) t->c[r * t->o->c_rs + j] += sum[r * nv * SN_VEC + j];
}
static void SN_T(outer_1)(const struct sn_outer_tile *t) {
    SN_T(outer_body)(t, 1);
}
static void SN_T(outer_2)(const struct sn_outer_tile *t) {
    SN_T(outer_body)(t, 2);
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
static void SN_T(outer_cols)(const struct sn_outer *o, int64_t j, int64_t n) {
    struct sn_gemm_ws *ws = o->ws;
    const int64_t at_once = sn_imin(SN_ROW_PANELS, (int64_t)(sizeof ws->a / sizeof *ws->a) / SN_MR / o->rows);
    for (int64_t c = 0; c < n; c += SN_NR) SN_T(outer_pack)(o, o->b + j + c, o->b_row, sn_imin(n - c, SN_NR), SN_NR, ws->b + c * o->rows);
    for (int64_t i = 0; i < o->m; i += at_once * SN_MR) {
        const int64_t end = i + at_once * SN_MR < o->m ? i + at_once * SN_MR : o->m;
        for (int64_t r = i; r < end; r += SN_MR)
            SN_T(outer_pack)(o, o->a + r, o->a_row, sn_imin(end - r, SN_MR), SN_MR, ws->a + (r - i) * o->rows);
        for (int64_t r = i; r < end; r += SN_MR)
            for (int64_t c = 0; c < n; c += SN_NR) {
                struct sn_outer_tile t = {
                    .o = o, .a = ws->a + (r - i) * o->rows, .b = ws->b + c * o->rows, .c = o->c + r * o->c_rs + j + c};
                t.rows = sn_imin(end - r, SN_MR), t.cols = sn_imin(n - c, SN_NR);
                (t.cols > SN_VEC ? SN_T(outer_2) : SN_T(outer_1))(&t);
            }
    }
}

static void SN_T(outer)(const struct sn_outer *o) {
    if (o->rows < 1) return;
    const int64_t step = (int64_t)(sizeof((struct sn_gemm_ws *)0)->b / sizeof(float)) / o->rows / SN_NR * SN_NR;
    for (int64_t j = 0; j < o->n; j += step) SN_T(outer_cols)(o, j, sn_imin(o->n - j, step));
}
