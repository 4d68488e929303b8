/* Toom-Cook (Winograd) filtering of convolutions of stride 1: which shapes take it, and with what tiles. */
#ifndef SN_KERNELS_CONV_RULE_H
#define SN_KERNELS_CONV_RULE_H

#include "kernels.h"

#define SN_TOOM_DILATION 128 /* phases of a row far apart are short: much of their last tiles would be wasted */

/* A filter is cut into `chunks` of r taps (the last one padded with zeros), a row of outputs into tiles of m. The points are 0, 1, -1, 2,
 * -2, 1/2, then -1/2 when there are 8, and infinity. Inputs are transformed every m/step positions. */
struct sn_toom {
    int m, r, points, chunks, step;
};

/* True: the convolution runs by Toom-Cook, as *t says (t may be NULL). A function of k, cin, cout, stride, dilation and direct alone. */
static inline bool sn_toom_choose(const struct sn_conv *s, struct sn_toom *t) {
    static const struct sn_toom kinds[] = {{4, 4, 7, 0, 0}, {6, 3, 8, 0, 0}, {4, 5, 8, 0, 0}};
    if (s->stride != 1 || s->dilation > SN_TOOM_DILATION || s->direct || s->k < 3 || s->cin < 16 || s->cout < 16) return false;
    double best = s->k;
    bool found = false;
    for (int i = 0; i < 3; i++) {
        struct sn_toom c = kinds[i];
        c.chunks = (s->k + c.r - 1) / c.r;
        c.step = c.chunks > 1 ? c.m / c.r : 1;
        if (c.step == 0) continue; /* chunks that begin inside a tile */
        /* Multiply-adds per output and pair of channels; a transformed value costs about as much as 8 of them. */
        const double cost = (c.points * c.chunks + 8.0 * c.points * c.step / s->cout + 8.0 * c.points / s->cin) / c.m;
        if (cost >= best) continue;
        best = cost, found = true;
        if (t) *t = c;
    }
    return found;
}

/* The filter gradient (k*cin, cout) is split into so many equal runs of rows, for blocks of rows [o0,o1) of each: where products are sums
 * of several taps, a block is of channels and has all taps. */
static inline int sn_conv_filter_runs(const struct sn_conv *s) {
    return sn_toom_choose(s, NULL) ? s->k : 1;
}

/* The same convolution's data gradient as a convolution of dy. */
static inline struct sn_conv sn_conv_transposed(const struct sn_conv *s) {
    struct sn_conv b = *s;
    b.cin = s->cout, b.cout = s->cin, b.pad = (s->k - 1) * s->dilation - s->pad;
    return b;
}

#endif
