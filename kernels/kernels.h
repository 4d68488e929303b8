/* The kernel slots: every loop that touches tensor memory, behind one table of function pointers.
 *
 * A slot takes one argument struct of plain values and pointers and returns nothing; it cannot fail, shapes were checked when the plan
 * was made. The uniform signature lets a backend wrap or replace the whole table (GPU, PROT_NONE guard) from the list SN_KERNELS.
 *
 * Tensors are channels-last. `struct sn_t3` is a batch of rows: row i begins at p + i*row, has len[i] positions of `ch` channels, position
 * to position `ld` elements (ld > ch when the rows are part of wider ones). A kernel neither reads nor writes beyond len[i]. A vector per
 * row is a row of one position. `len` arrays live where the tensors live.
 *
 * Element-stable: the bits of an output element depend only on the operands that enter it and the length of its sum, never on the
 * number of rows, the row's place, or, with FMA, the ISA. Sums over k: from zero, ascending, blocks of SN_KBLOCK, one FMA chain a block,
 * blocks added in order to the start value (0, bias, or the old content). Sums across one vector (softmax, norms, losses): 16 virtual
 * lanes (element i goes to lane i mod 16, ascending), then lanes combined as a fixed tree: l[i]+l[i+8], +4, +2, +1.
 * exp, log, tanh and sigmoid are our own (kernels/cpu/tmpl/mathfn.h), the same operations in the same order on every ISA; FMA is written
 * out.
 *
 * The ref table is plain C, compiled for float and, with SN_DOUBLE, for double (test oracle). */
#ifndef SN_KERNELS_H
#define SN_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef SN_DOUBLE
typedef double sn_real;
#else
typedef float sn_real;
#endif

#define SN_KBLOCK 256
#define SN_LANES 16
#define SN_CODES_K 2                  /* taps per table of the convolution on codes */
#define SN_CODES_ANY(cin) ((cin) + 1) /* table symbol of a code with 1/cin on every channel */

struct sn_t3 {
    sn_real *p;
    int64_t row;        /* elements from row to row */
    int32_t ld, ch;     /* elements from position to position; channels */
    const int32_t *len; /* (rows) positions of each row */
};

/* DeepLIFT pairs: pair p compares row row_x[p] with row row_ref[p] of the kept tensors. */
struct sn_pairs {
    int n;
    const int32_t *row_x, *row_ref;
};

/* ---- matrix product ---------------------------------------------------------------------------------------------------------- */

/* C(m,n) = start + A(m,k) B(k,n); start = C when accumulate, else bias (n) when not NULL, else 0. Any strides for A and B, overlapping
 * rows allowed (a_rs < k: convolution without im2col). a_run > 0: the columns of A come in runs of a_run, the first ones of two runs a_jump
 * elements apart (taps of a dilated convolution). packed_b, from gemm_pack, stands for B when not NULL; packed_k > 0: it is a part of
 * a packed B of packed_k rows, row r of which begins gemm_nr * r elements behind row 0. k = 0 leaves start.
 * c_cs is 1. ws: gemm_ws bytes, one per worker. */
struct sn_gemm {
    int64_t m, n, k;
    const sn_real *a;
    int64_t a_rs, a_cs, a_run, a_jump;
    const sn_real *b;
    int64_t b_rs, b_cs;
    const void *packed_b;
    int64_t packed_k;
    sn_real *c;
    int64_t c_rs;
    const sn_real *bias;
    int accumulate;
    void *ws;
};
/* Packs B(k,n) into dst (gemm_pack_bytes(k,n)), in the provider's own layout; columns are in order, so that a block of columns from a
 * multiple of gemm_nr on can be addressed: packed_b of column j is dst + gemm_pack_bytes(k, j). */
struct sn_gemm_pack {
    int64_t n, k;
    const sn_real *b;
    int64_t b_rs, b_cs;
    void *dst;
};
/* C(m,n) += A^T B over `rows` (<= SN_OUTER_ROWS) vectors of a (m) and b (n): the weight gradient of a product of vectors. The rows are cut
 * into leaves, leaf i = [floor(i*rows/leaves), floor((i+1)*rows/leaves)); each leaf is a sum over its rows as above; then leaf i += leaf
 * i+step wherever both exist, for step 1, 2, 4, ...; leaf 0 is added to C. Rows with len 0 count as zeros. ws: gemm_ws. */
#define SN_OUTER_ROWS 2048
#define SN_OUTER_LEAVES 64
struct sn_outer {
    int64_t m, n;
    int rows, leaves;
    const sn_real *a;
    int64_t a_row;
    const sn_real *b;
    int64_t b_row;
    const int32_t *len;
    sn_real *c;
    int64_t c_rs;
    void *ws;
};

/* ---- encode ------------------------------------------------------------------------------------------------------------------ */

/* codes -> (len, ch) floats; y channel c of code s = lut[s*ch + c] (lut has 256 rows). */
struct sn_encode {
    int n;
    const uint8_t *codes;
    int64_t code_row;
    const sn_real *lut;
    struct sn_t3 y;
};

/* ---- convolution ------------------------------------------------------------------------------------------------------------- */

/* y[q,f] = bias[f] + sum_{t,c} x[q*stride - pad + t*dilation, c] w[t,c,f]; positions outside the row are 0. w is (k, cin, cout).
 * dilation is 1 for adjacent taps; above 1 the stride is 1. */
/* Convolutions that sn_toom_choose (conv_rule.h) takes, by k, cin, cout, stride, dilation and direct alone, run by Toom-Cook filtering:
 *   an output = bias + gathered products of its tile of m outputs, tiles counted from the start of the row (of the phase p, p+dilation, ...
 *   when dilated); per point, products are summed over chunks of r taps ascending, of each over channels as the matrix product sums; the
 *   transforms of cpu/tmpl/toom_points.h. The data gradient is such a convolution of dy with flipped weights, (k-1)*dilation - pad to
 *   the left. The filter gradient is, per block of tiles (toom_next in cpu/tmpl/toom.h, by the lengths of the rows of the call), dw +=
 *   gathered products summed over the tiles as one block of the matrix product's sum; a call holds the rows of one leaf.
 * An output's bits depend on the inputs under the windows of its tile and on its place in the row, no more. */
struct sn_conv {
    int k, cin, cout, stride, pad, dilation;
    int direct; /* 1: never by Toom-Cook: every output is a plain sum */
};
/* Prepared weights; either destination may be NULL. fwd: conv_fwd_bytes, bwd: conv_bwd_bytes. */
struct sn_conv_prepare {
    struct sn_conv s;
    const sn_real *w;
    void *fwd, *bwd;
};
struct sn_conv_fwd {
    struct sn_conv s;
    int n;
    struct sn_t3 x;
    const void *w;       /* prepared fwd */
    const sn_real *bias; /* may be NULL */
    struct sn_t3 y;
    void *ws;            /* conv_ws(s, longest row) bytes */
    int relu;            /* y = relu of the convolution, */
    struct sn_t3 behind; /* plus this where its p is not NULL: bits equal the separate slots' */
};
/* dx = transposed convolution of dy; assigns every position of dx. Definition: for stride 1 and cin >= 16 the forward convolution of dy
 * with the weights w'[t,f,c] = w[k-1-t,c,f] and padding (k-1)*dilation - pad; else the window of each q, w times dy[q] summed over f, is
 * added to dx, q ascending. */
struct sn_conv_bwd_data {
    struct sn_conv s;
    int n;
    struct sn_t3 dy;
    const void *w; /* prepared bwd */
    struct sn_t3 dx;
    void *ws;
};
/* dw (k*cin, cout) += sum over rows, in row order: rows [o0,o1) of each of its sn_conv_filter_runs(s) equal runs (conv_rule.h), run after
 * run without gaps. Plain: for each block of SN_KBLOCK positions of dy from q = 0 on one chain, over the q whose tap lies inside the row.
 */
struct sn_conv_bwd_filter {
    struct sn_conv s;
    int n, o0, o1;
    struct sn_t3 x, dy;
    sn_real *dw; /* row o0 of the first run first */
    void *ws;
};

/* Convolution on codes. Definition: taps are taken in pairs (0,1),(2,3),... (an odd last one alone); table entry of a pair
 * T_g[a][b][f] = e(2g,a,f) + e(2g+1,b,f), e(t,s,f) = sum over channels c ascending of lut[s][c]*w[t][c][f] (terms with lut 0 skipped; lut
 * 1 adds w itself); y[q,f] = bias[f] + T_0 + T_1 + ... added one after the other. Positions outside the row have code 0, all channels 0.
 * Codes with no channel, with one, and with 1/cin on every channel (N, X) come from tables; every other code is expanded on the spot to the
 * same value. Any dilation. */
struct sn_codes {
    int n;
    const uint8_t *codes;
    int64_t code_row;
    const int32_t *len;
    const sn_real *lut; /* (256, cin) */
    const uint8_t
        *sym; /* (256) code -> table symbol: 0 outside/none, 1+c for one-hot channel c, SN_CODES_ANY, 255 for expand on the spot */
};
struct sn_codes_prepare {
    struct sn_conv s;
    const sn_real *w;
    void *tables; /* codes_bytes(s) */
};
struct sn_codes_fwd {
    struct sn_conv s;
    struct sn_codes in;
    const void *tables;
    const sn_real *w; /* raw weights, for codes expanded on the spot */
    const sn_real *bias;
    struct sn_t3 y;
    int relu; /* y = relu of the convolution */
};
/* dw (k*cin, cout) +=; ws: codes_grad_ws(s) bytes. Definition, per call (a leaf): dT_g[a][b][f] sums dy[q,f] from zero over rows in order
 * and in a row over q, ordered by ((q*stride) mod dilation, q); then dw[t,c,f] += S_c + (1/cin) S_any (one FMA), S_s the sum of the entries
 * of its table with symbol s at tap t, in ascending order. Codes expanded on the spot add lut*dy directly, before that. Where cin + 2 > 8
 * there is one sum per tap and symbol instead of one per pair. */
struct sn_codes_bwd_filter {
    struct sn_conv s;
    struct sn_codes in;
    struct sn_t3 dy;
    sn_real *dw;
    void *ws;
};
/* Fused conv on codes + relu + max pooling (valid). Forward writes pooled values; win (n, pooled, cout) gets the winner's offset in its
 * window (first on ties), when not NULL. Bits equal the three separate slots'. Pool size <= 255, stride >= size,
 * dilation 1. */
struct sn_codes_pool_fwd {
    struct sn_conv s;
    struct sn_codes in;
    const void *tables;
    const sn_real *w;
    const sn_real *bias;
    int pool, pool_stride;
    struct sn_t3 y; /* pooled */
    uint8_t *win;
    int64_t win_row;         /* bytes from row to row */
    const int32_t *conv_len; /* (n) positions before pooling */
    void *ws;                /* codes_pool_ws(s, pool) bytes */
};
/* Filter and bias gradient of the fused chain: dy where the pooled value is positive goes to the winner. */
struct sn_codes_pool_bwd {
    struct sn_conv s;
    struct sn_codes in;
    int pool, pool_stride;
    struct sn_t3 y, dy; /* pooled */
    const uint8_t *win;
    int64_t win_row;
    sn_real *dw; /* (k*cin, cout), += ; NULL: not asked for */
    sn_real *db; /* (cout), += ; NULL: not asked for */
    void *ws;    /* codes_grad_ws(s) */
};
/* Fused conv on codes + relu + global max pooling. Forward writes a position per row; win (n, cout) gets the winning output's number (first
 * on ties), when not NULL. Bits equal the three separate slots'. */
struct sn_codes_global_fwd {
    struct sn_conv s;
    struct sn_codes in;
    const void *tables;
    const sn_real *w;
    const sn_real *bias;
    struct sn_t3 y; /* pooled */
    int32_t *win;
    int64_t win_row;         /* elements from row to row */
    const int32_t *conv_len; /* (n) positions before pooling */
    void *ws;                /* codes_global_ws(s, longest row) bytes */
};
/* Filter and bias gradient of the fused chain: dy where the pooled value is positive goes to the winner. No dilation. */
struct sn_codes_global_bwd {
    struct sn_conv s;
    struct sn_codes in;
    struct sn_t3 y, dy; /* pooled */
    const int32_t *win;
    int64_t win_row;
    sn_real *dw; /* (k*cin, cout), += ; NULL: not asked for */
    sn_real *db; /* (cout), += ; NULL: not asked for */
    void *ws;    /* codes_global_ws(s, longest row) bytes, for dw */
};

/* DeepLIFT (Rescale) of the fused chains, cin < 16: bits equal max_pool_attr, unary_attr and conv_bwd_data. y, win or far_win: what the
 * forward slots gave, rows are those of the kept tensors; far_win for the global maximum, whose pool_stride is 0. */
struct sn_codes_attr {
    struct sn_conv s;
    struct sn_codes in; /* the kept rows */
    const void *tables;
    const sn_real *w, *bias;
    struct sn_pairs pairs;
    int pool, pool_stride;
    struct sn_t3 y;
    const uint8_t *win;
    const int32_t *far_win;
    int64_t win_row;                   /* elements from row to row */
    struct sn_t3 my, mx;               /* rows are pairs; mx at the output of encode */
    int64_t longest, outputs, winners; /* most positions of a row, outputs of the convolution, pooled values */
    void *ws;                          /* codes_attr_ws(s, longest, outputs, winners) bytes */
};

/* ---- pooling ----------------------------------------------------------------------------------------------------------------- */

/* Windows of `size` every `stride` from -pad on; size 0 = the whole row (global). Cells outside the row do not count. */
struct sn_pool_shape {
    int size, stride, pad;
};
struct sn_pool_fwd {
    struct sn_pool_shape s;
    int n;
    struct sn_t3 x, y;
};
/* max: the first largest x of each window gets dy; average: dy / count. Overlaps add in window order. Assigns all of dx. x NULL for avg. */
struct sn_pool_bwd {
    struct sn_pool_shape s;
    int n;
    struct sn_t3 x, dy, dx;
};

/* Winner rule (spec 2.1): k = argmax x if max x >= max ref else argmax ref; m_x[k] += m_y * (dmax / dx[k]), ratio 1 where dx[k] == 0. */
struct sn_max_pool_attr {
    struct sn_pool_shape s;
    struct sn_pairs pairs;
    struct sn_t3 x;      /* kept rows, addressed by row number */
    struct sn_t3 my, mx; /* rows are pairs */
};

/* ---- element by element ------------------------------------------------------------------------------------------------------ */

enum sn_unary { SN_RELU, SN_SIGMOID, SN_TANH };
struct sn_unary_fwd {
    enum sn_unary kind;
    int n;
    struct sn_t3 x, y; /* y may be x */
};
/* dx = dy * f'(x), from the output y; relu: y > 0. dx may be dy or y. */
struct sn_unary_bwd {
    enum sn_unary kind;
    int n;
    struct sn_t3 y, dy, dx;
};
/* mx = my * rho_f(x, ref) (spec 2.2, no thresholds) from the kept pre-activations. mx may be my. */
struct sn_unary_attr {
    enum sn_unary kind;
    struct sn_pairs pairs;
    struct sn_t3 x, my, mx;
};
/* Over the channels of each position. */
struct sn_softmax_fwd {
    int n;
    struct sn_t3 x, y;
};
struct sn_softmax_bwd {
    int n;
    struct sn_t3 y, dy, dx;
};
/* spec 2.3, from the kept inputs. */
struct sn_softmax_attr {
    struct sn_pairs pairs;
    struct sn_t3 x, my, mx;
};
/* y = x * keep / (1 - rate); keep of element e of a row = (Philox4x32-10(counter (e/4 low, e/4 high, id low, id high), key (mix of seed,
 * step, node))[e mod 4] >= rate * 2^32). e counts positions x channels. Forward and backward are the same call. y may be x. */
struct sn_dropout {
    int n;
    double rate;
    uint64_t seed;
    int64_t step;
    int node;
    const int64_t *ids; /* (n) global sample ids */
    struct sn_t3 x, y;
};
/* y = sum of `count` (1..8) inputs in order. */
struct sn_add {
    int n, count;
    struct sn_t3 x[8];
    struct sn_t3 y;
};
struct sn_copy {
    int n;
    struct sn_t3 x, y;
};
struct sn_fill {
    sn_real *p;
    int64_t n;
    sn_real v;
};
/* dst[i] += src[i]: one step of the tree over leaves. */
struct sn_accumulate {
    sn_real *dst;
    const sn_real *src;
    int64_t n;
};
/* dst[i] += the tree over `leaves` partials, part[l*stride + i]; the partials are overwritten. */
struct sn_leaves {
    sn_real *dst, *part;
    int64_t n, stride;
    int leaves;
};
/* db[c] += sum over rows in order, positions ascending (one chain per row from zero, rows added in order). */
struct sn_bias_grad {
    int n;
    struct sn_t3 dy;
    sn_real *db;
};

/* ---- DeepLIFT Reveal-Cancel: differences, and their multipliers, in a positive and a negative part (spec 3) ----------------------- */

struct sn_parts {
    struct sn_t3 plus, minus;
};
/* The value whose differences d = row row_x - row row_ref a pair is about: kept rows x, or where x.p is NULL, codes to expand. */
struct sn_pair_value {
    struct sn_pairs pairs;
    struct sn_t3 x;
    struct sn_codes in;
};
/* plus = max(d, 0), minus = min(d, 0). */
struct sn_pair_parts {
    struct sn_pair_value v;
    struct sn_parts y;
};
/* y = m.plus where d > 0, m.minus where d < 0, else half their sum. */
struct sn_pair_select {
    struct sn_pair_value v;
    struct sn_parts m;
    struct sn_t3 y;
};
/* With a, a0 of the pair and d (plus, minus) the parts of a - a0:
 * y.plus = m.plus (rho(a0 + plus, a0) + rho(a, a0 + minus)) / 2, y.minus = m.minus (rho(a0 + minus, a0) + rho(a, a0 + plus)) / 2.
 * With m = d these are the parts of f(a) - f(a0). y may be m; y may not be d. */
struct sn_unary_cancel {
    enum sn_unary kind;
    struct sn_pairs pairs;
    struct sn_t3 x;
    struct sn_parts d, m, y;
};
/* y = gamma/sqrt(var+eps) x; where the factor is negative the parts change places. Differences forward, multipliers back. */
struct sn_bn_parts {
    int n;
    struct sn_parts x, y;
    const sn_real *var, *gamma;
    double eps;
};
/* plus = max(w, 0), minus = min(w, 0) of `blocks` matrices (rows, cols), one behind the other in w; in the results a matrix begins `block`
 * elements behind the one before, a row ld behind its predecessor. */
struct sn_weight_parts {
    int64_t blocks, rows, cols;
    const sn_real *w;
    sn_real *plus, *minus;
    int64_t block, ld;
};

/* ---- LSTM, one direction ----------------------------------------------------------------------------------------------------- */

/* Gates i,f,c,o. xp (n, len, 4H) holds x W + b on entry; with keep_pre it leaves with the full pre-activations a = xp + h U. reverse: the
 * row is walked from len-1 to 0. y (ch = H): h at every position, or with last_only one position holding the last state.
 * gates (i f g o after activation), c, tc = tanh(c), h: caches, row strides in elements, positions by sequence index; NULL when nothing
 * is kept (then ws holds the running state). gates may be xp.p (same row stride): they then overwrite x W + b in place. */
struct sn_lstm_fwd {
    int n, units, reverse, last_only, keep_pre;
    struct sn_t3 xp;
    const void *u; /* packed (H,4H) */
    struct sn_t3 y;
    sn_real *gates, *c, *tc, *h;
    int64_t gates_row, c_row; /* c_row for c, tc and h */
    void *ws;                 /* lstm_ws(n, units) */
};
/* da (n, len, 4H) = gradients of the pre-activations; the op forms dx, dW, dU, db from them. da may be gates. */
struct sn_lstm_bwd {
    int n, units, reverse, last_only;
    struct sn_t3 dy;
    const void *ut; /* packed (4H,H) */
    const sn_real *gates, *c;
    int64_t gates_row, c_row;
    struct sn_t3 da;
    void *ws;
};
/* The same with averaged operands and rho quotients (spec 4.2); rows of my and ma are pairs. pre: kept pre-activations. */
struct sn_lstm_attr {
    int units, reverse, last_only;
    struct sn_pairs pairs;
    struct sn_t3 my;
    const void *ut;
    const sn_real *pre, *gates, *c, *tc;
    int64_t gates_row, c_row; /* pre has gates_row */
    struct sn_t3 ma;
    void *ws;
};
/* du (H,4H) += sum over rows in order of h_prev^T da, h_prev from the kept h (0 before the first step). */
struct sn_lstm_du {
    int n, units, reverse;
    const sn_real *h;
    int64_t h_row;
    struct sn_t3 da;
    sn_real *du;
    void *ws;
};

/* ---- batch normalisation ----------------------------------------------------------------------------------------------------- */

/* part (2*ch + 1): per channel mean, then sum of squared differences, then the count, over all positions of the rows. Definition: positions
 * row after row, in blocks of 64 that know no border of rows; of a block the mean (chain of sums / count), then one FMA chain of squared
 * differences from it, then joined to what the blocks before gave, as bn_join does. */
struct sn_bn_stats {
    int n;
    struct sn_t3 x;
    sn_real *part;
};
/* a = a joined with b (Chan et al. 1979). */
struct sn_bn_join {
    int ch;
    sn_real *a;
    const sn_real *b;
};
/* Training: stats (joined part) -> xhat = (x-mean)/sqrt(var+eps) with the biased variance, y = gamma xhat + beta.
 * Inference: stats NULL, mean and var given. y = fma(x - mean, gamma * (1/sqrt(var+eps)), beta). */
struct sn_bn_fwd {
    int n;
    struct sn_t3 x, y;
    const sn_real *stats, *mean, *var, *gamma, *beta;
    double eps;
};
/* part (2*ch): sum of dy, sum of dy*xhat. */
struct sn_bn_bwd_stats {
    int n;
    struct sn_t3 x, dy;
    const sn_real *stats;
    double eps;
    sn_real *part;
};
/* dx = gamma/sqrt(var+eps) (dy - sum_dy/N - xhat sum_dyxhat/N). */
struct sn_bn_bwd {
    int n;
    struct sn_t3 x, dy, dx;
    const sn_real *stats, *sums, *gamma;
    double eps;
};
/* Inference gradient and Rescale multiplier: dx = dy * gamma / sqrt(var+eps). */
struct sn_bn_scale {
    int n;
    struct sn_t3 dy, dx;
    const sn_real *var, *gamma;
    double eps;
};
/* mean, var = momentum * old + (1-momentum) * batch (var unbiased as Keras does not: biased, Keras' rule). */
struct sn_bn_update {
    int ch;
    const sn_real *stats;
    sn_real *mean, *var;
    double momentum;
};

/* ---- losses ------------------------------------------------------------------------------------------------------------------ */

enum sn_loss_kind { SN_LOSS_BCE, SN_LOSS_CCE, SN_LOSS_MSE };
/* z (n,T) logits, t (n,T) targets (cce: one-hot or probabilities), NaN = missing; w (n) sample weights or NULL; cw (T,2) weights of the
 * negative and positive class (bce) or (T) of each class (cce) or NULL. loss[i] = weighted sum over the row's tasks; dz = scale * weight *
 * d loss / d z (NULL: loss only). bce = max(z,0) - z t + log1p(exp(-|z|)); cce = logsumexp(z) - z.t; mse = (z-t)^2. */
struct sn_loss {
    enum sn_loss_kind kind;
    int n, tasks;
    int64_t z_row, dz_row; /* elements from row to row of z and dz; t is dense */
    const sn_real *z, *t, *w, *cw;
    sn_real scale;
    sn_real *loss, *dz;
};

/* ---- optimizer --------------------------------------------------------------------------------------------------------------- */

/* The gradient with its regularisers, r = g + fma(2*l2, w, l1*sign(w)), is formed where it is needed and never stored. sums[0] = sum r^2
 * (double, blocks of 4096 added in order), sums[1] = penalty l1*sum|w| + l2*sum w^2. */
struct sn_grad_norm {
    int64_t n;
    const sn_real *w, *g;
    double l1, l2;
    double *sums;
};
/* What every optimizer takes: r *= gscale before the update; g is left at zero. sums as above, NULL: not asked for. */
struct sn_update {
    int64_t n;
    sn_real *w, *g;
    double l1, l2, gscale;
    double *sums;
};
/* Keras Adam: m = b1 m + (1-b1) r; v = b2 v + (1-b2) r^2; w -= lr_t * m / (sqrt(v) + eps), lr_t carries the corrections. */
struct sn_adam {
    struct sn_update u;
    sn_real *m, *v;
    double lr_t, b1, b2, eps;
};
/* Keras SGD: v = momentum v - lr r; w += nesterov ? momentum v - lr r : v. momentum 0: v may be NULL. */
struct sn_sgd {
    struct sn_update u;
    sn_real *v;
    double lr, momentum;
    int nesterov;
};
/* *bad = 1 if any element is NaN or Inf, else unchanged. */
struct sn_finite {
    int n;
    struct sn_t3 x;
    int *bad;
};

/* The list of slots: X(slot, argument struct). */
#define SN_KERNELS(X)                                                                                                                      \
    X(gemm, sn_gemm)                                                                                                                       \
    X(gemm_pack, sn_gemm_pack)                                                                                                             \
    X(outer, sn_outer)                                                                                                                     \
    X(encode, sn_encode)                                                                                                                   \
    X(conv_prepare, sn_conv_prepare)                                                                                                       \
    X(conv_fwd, sn_conv_fwd)                                                                                                               \
    X(conv_bwd_data, sn_conv_bwd_data)                                                                                                     \
    X(conv_bwd_filter, sn_conv_bwd_filter)                                                                                                 \
    X(codes_prepare, sn_codes_prepare)                                                                                                     \
    X(codes_fwd, sn_codes_fwd)                                                                                                             \
    X(codes_bwd_filter, sn_codes_bwd_filter)                                                                                               \
    X(codes_pool_fwd, sn_codes_pool_fwd)                                                                                                   \
    X(codes_pool_bwd, sn_codes_pool_bwd)                                                                                                   \
    X(codes_global_fwd, sn_codes_global_fwd)                                                                                               \
    X(codes_global_bwd, sn_codes_global_bwd)                                                                                               \
    X(codes_attr, sn_codes_attr)                                                                                                           \
    X(max_pool_fwd, sn_pool_fwd)                                                                                                           \
    X(max_pool_bwd, sn_pool_bwd)                                                                                                           \
    X(max_pool_attr, sn_max_pool_attr)                                                                                                     \
    X(avg_pool_fwd, sn_pool_fwd)                                                                                                           \
    X(avg_pool_bwd, sn_pool_bwd)                                                                                                           \
    X(unary_fwd, sn_unary_fwd)                                                                                                             \
    X(unary_bwd, sn_unary_bwd)                                                                                                             \
    X(unary_attr, sn_unary_attr)                                                                                                           \
    X(softmax_fwd, sn_softmax_fwd)                                                                                                         \
    X(softmax_bwd, sn_softmax_bwd)                                                                                                         \
    X(softmax_attr, sn_softmax_attr)                                                                                                       \
    X(dropout, sn_dropout)                                                                                                                 \
    X(add, sn_add)                                                                                                                         \
    X(copy, sn_copy)                                                                                                                       \
    X(fill, sn_fill)                                                                                                                       \
    X(accumulate, sn_accumulate)                                                                                                           \
    X(leaves, sn_leaves)                                                                                                                   \
    X(bias_grad, sn_bias_grad)                                                                                                             \
    X(lstm_fwd, sn_lstm_fwd)                                                                                                               \
    X(lstm_bwd, sn_lstm_bwd)                                                                                                               \
    X(lstm_attr, sn_lstm_attr)                                                                                                             \
    X(lstm_du, sn_lstm_du)                                                                                                                 \
    X(bn_stats, sn_bn_stats)                                                                                                               \
    X(bn_join, sn_bn_join)                                                                                                                 \
    X(bn_fwd, sn_bn_fwd)                                                                                                                   \
    X(bn_bwd_stats, sn_bn_bwd_stats)                                                                                                       \
    X(bn_bwd, sn_bn_bwd)                                                                                                                   \
    X(bn_scale, sn_bn_scale)                                                                                                               \
    X(bn_update, sn_bn_update)                                                                                                             \
    X(pair_parts, sn_pair_parts)                                                                                                           \
    X(pair_select, sn_pair_select)                                                                                                         \
    X(unary_cancel, sn_unary_cancel)                                                                                                       \
    X(bn_parts, sn_bn_parts)                                                                                                               \
    X(weight_parts, sn_weight_parts)                                                                                                       \
    X(loss, sn_loss)                                                                                                                       \
    X(grad_norm, sn_grad_norm)                                                                                                             \
    X(adam, sn_adam)                                                                                                                       \
    X(sgd, sn_sgd)                                                                                                                         \
    X(finite, sn_finite)

struct sn_kernels {
    const char *isa;      /* "ref", "avx2", "avx512" */
    const char *provider; /* GEMM provider: "own", "openblas" */
    int gemm_nr;          /* columns of a packed panel; blocks of columns start at multiples of it */
    /* Sizes; pure functions of the shape. conv_ws etc. include what their inner gemm needs. */
    size_t (*gemm_ws)(void);
    size_t (*gemm_pack_bytes)(int64_t k, int64_t n);
    size_t (*conv_fwd_bytes)(const struct sn_conv *s);
    size_t (*conv_bwd_bytes)(const struct sn_conv *s);
    size_t (*conv_ws)(const struct sn_conv *s, int64_t longest_in); /* enough for fwd, bwd_data and bwd_filter */
    size_t (*codes_bytes)(const struct sn_conv *s);
    size_t (*codes_grad_ws)(const struct sn_conv *s);
    size_t (*codes_pool_ws)(const struct sn_conv *s, int pool);
    size_t (*codes_global_ws)(const struct sn_conv *s, int64_t longest_in); /* fwd and bwd */
    size_t (*codes_attr_ws)(const struct sn_conv *s, int64_t longest_in, int64_t outputs, int64_t winners);
    size_t (*lstm_ws)(int64_t rows, int64_t units); /* fwd, bwd, attr and du */
#define SN_KERNEL_FIELD(slot, args) void (*slot)(const struct args *a);
    SN_KERNELS(SN_KERNEL_FIELD)
#undef SN_KERNEL_FIELD
};

/* Names that exist once per precision: the double build of the ref kernels links beside the float one. */
#ifdef SN_DOUBLE
#define SN_SYM(name) name##_f64
#else
#define SN_SYM(name) name
#endif

/* Fills the table with portable C; complete. */
void SN_SYM(sn_kernels_ref)(struct sn_kernels *k);

#ifndef SN_DOUBLE
/* The table for an ISA (enum sn_isa): ref first, then what the ISA has. Also sets the own GEMM where there are vector kernels. */
void sn_kernels_init(struct sn_kernels *k, int isa);
#endif

#endif
