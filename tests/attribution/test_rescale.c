/* DeepLIFT Rescale against hand-derived golden vectors (names G0..G10 as in the specification they were computed for): small graphs fed
 * with values, in float (1e-6 of max(1, value)) and in double (1e-9). */
#include "attribution/toy.h"

START_TEST(g0_relu_and_pool) {
    struct toy t;
    struct answer a;
    toy_open(&t, 4, 1);
    int d = dense(&t, after(&t, "flatten", 0), 1), r = after(&t, "relu", d), y = dense(&t, r, 1);
    finish(&t, y);
    WEIGHTS(&t, d, 0, 1, 2, 3, 4);
    WEIGHTS(&t, d, 1, -1);
    WEIGHTS(&t, y, 0, 1);
    explain(&t, (double[]){1, 1, 1, 1}, (double[]){0, 0, 0, 0}, &a);
    NEAR("G0 multipliers", a.m, 4, .9, 1.8, 2.7, 3.6);
    sn_graph_free(t.g);

    toy_open(&t, 1, 2);
    d = dense(&t, after(&t, "flatten", 0), 2), r = after(&t, "relu", d), y = dense(&t, r, 1);
    finish(&t, y);
    WEIGHTS(&t, d, 0, 1, 0, 0, 1);
    WEIGHTS(&t, d, 1, 0, -1.5);
    WEIGHTS(&t, y, 0, 2, 2);
    explain(&t, (double[]){1, 2}, (double[]){0, 0}, &a);
    NEAR("G0 two units", a.contribution, 2, 2, 1);
    sn_graph_free(t.g);

    toy_open(&t, 4, 1);
    int p = after(&t, "max_pooling1d", 0);
    set(&t, p, "pool_size", 4);
    y = dense(&t, after(&t, "flatten", p), 1);
    finish(&t, y);
    WEIGHTS(&t, y, 0, 1);
    explain(&t, (double[]){1, 1, 1, 1}, (double[]){1, 2, 3, 9}, &a);
    NEAR("G0 pool down", a.contribution, 4, 0, 0, 0, -8);
    explain(&t, (double[]){1, 1, 1, 1}, (double[]){4, 8, 6, 7}, &a);
    NEAR("G0 pool second", a.contribution, 4, 0, -7, 0, 0);
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g1_linear) {
    struct toy t;
    struct answer a;
    double x[12], x0[12], uniform[12];
    sn_real pos[3], h[12];
    toy_open(&t, 3, 4);
    int y = dense(&t, after(&t, "flatten", 0), 1);
    finish(&t, y);
    WEIGHTS(&t, y, 0, .5, -.25, .1, -.35, -.2, .8, -.4, .2, .3, .1, -.6, .7);
    WEIGHTS(&t, y, 1, .05);
    one_hot("ACG", x);
    one_hot("TTA", x0);
    explain(&t, x, x0, &a);
    near_to("G1 F", (double)a.f, .75);
    positions(&t, &a, pos);
    NEAR("G1 positions", pos, 3, .85, .6, -.9);
    for (int l = 0; l < 3; l++)
        for (int c = 0; c < 4; c++) {
            h[4 * l + c] = a.m[4 * l + c];
            for (int k = 0; k < 4; k++) h[4 * l + c] -= a.m[4 * l + k] * (sn_real)x0[4 * l + k];
        }
    NEAR("G1 hypothetical", h, 12, .85, .1, .45, 0, -.4, .6, -.6, 0, 0, -.2, -.9, .4);
    for (int i = 0; i < 12; i++) uniform[i] = .25;
    explain(&t, x, uniform, &a);
    positions(&t, &a, pos);
    NEAR("G1 uniform", pos, 3, .5, .7, -.725);
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g2_minimum_and_mlp) {
    struct toy t;
    struct answer a;
    g2a_net(&t);
    explain(&t, (double[]){6, 10}, (double[]){0, 0}, &a);
    NEAR("G2a", a.contribution, 2, 6, 0);
    explain(&t, (double[]){10, 6}, (double[]){0, 0}, &a);
    NEAR("G2a other", a.contribution, 2, 0, 6);
    sn_graph_free(t.g);

    static const struct {
        const char *act;
        double f, f0, c[3];
    } rows[] = {{"relu", 5.55, .525, {1.67406932, 5.47082798, -2.1198973}},
                {"sigmoid", 1.48833079, .548926322, {.398419232, 1.12007069, -.57908545}},
                {"tanh", .912304433, -1.21040029, {1.03923898, 2.76667717, -1.68321143}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        g2b_net(&t, rows[i].act);
        explain(&t, (double[]){1, -1, 2}, (double[]){.2, .4, -.3}, &a);
        near_to(rows[i].act, (double)a.f, rows[i].f);
        near_to(rows[i].act, (double)a.f0, rows[i].f0);
        for (int k = 0; k < 3; k++)
            ck_assert_msg(fabs((double)a.contribution[k] - rows[i].c[k]) <= TOLERANCE * fmax(1, fabs(rows[i].c[k])),
                          "G2b %s: %.10g, expected %.10g", rows[i].act, (double)a.contribution[k], rows[i].c[k]);
        sn_graph_free(t.g);
    }
}
END_TEST

START_TEST(g3_convolution) {
    struct toy t;
    struct answer a;
    double x[24], x0[24];
    sn_real pos[6];
    g3_net(&t);
    one_hot("ACGTAC", x);
    one_hot("CATCAG", x0);
    explain(&t, x, x0, &a);
    near_to("G3 F", (double)a.f, 5.18);
    near_to("G3 F0", (double)a.f0, 2.01);
    positions(&t, &a, pos);
    NEAR("G3 CATCAG", pos, 6, .599073359, .703320463, 1.26316173, .604444444, 0, 0);
    sn_real h0[4];
    for (int c = 0; c < 4; c++) h0[c] = a.m[c] - a.m[1]; /* reference base of position 0 is C */
    NEAR("G3 H", h0, 4, .599073359, 0, .232123552, -.204324324);
    one_hot("GTACCA", x0);
    explain(&t, x, x0, &a);
    near_to("G3 F0", (double)a.f0, 1.14);
    positions(&t, &a, pos);
    NEAR("G3 GTACCA", pos, 6, .574117647, .366117647, 2.09309804, .803333333, .203333333, 0);
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g3_probability) {
    struct toy t;
    struct answer a;
    double x[24], x0[24];
    sn_real pos[6];
    int d = dense(&t, g3_stack(&t), 1), y = after(&t, "sigmoid", d);
    finish(&t, y);
    g3_weights(&t);
    WEIGHTS(&t, d, 0, 1.2, .9, -.7, 1.1);
    WEIGHTS(&t, d, 1, -.15);
    t.through_output = true;
    one_hot("ACGTAC", x);
    one_hot("CATCAG", x0);
    explain(&t, x, x0, &a);
    positions(&t, &a, pos);
    NEAR("G3 probability", pos, 6, .0212719174, .0249735271, .0448523901, .021462634, 0, 0);
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g4_convolution_and_norm) {
    struct toy t;
    struct answer a;
    double x[28], x0[28];
    sn_real pos[7], h0[4];
    g4_net(&t);
    one_hot("GATTACA", x);
    one_hot("CTAGGAT", x0);
    explain(&t, x, x0, &a);
    near_to("G4 F", (double)a.f, 1.01837284);
    near_to("G4 F0", (double)a.f0, .611495208);
    positions(&t, &a, pos);
    NEAR("G4", pos, 7, .125900378, 0, .314944847, 0, -.0125429706, 0, -.0214246274);
    for (int c = 0; c < 4; c++) h0[c] = a.m[c] - a.m[1];
    NEAR("G4 H", h0, 4, -.201485518, 0, .125900378, -.121878547);
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g5_residual_and_overlapping_pools) {
    struct toy t;
    struct answer a;
    toy_open(&t, 5, 1);
    int c = conv(&t, 0, 1, 2, true), r = after(&t, "relu", c), res = put(&t, "add", 2, (int[]){0, r});
    int mp = after(&t, "max_pooling1d", res);
    set(&t, mp, "pool_size", 3);
    set(&t, mp, "strides", 1);
    int gm = after(&t, "global_max_pooling1d", res), fl = after(&t, "flatten", mp), all = put(&t, "concatenate", 2, (int[]){fl, gm}),
        y = dense(&t, all, 1);
    finish(&t, y);
    WEIGHTS(&t, c, 0, 1, -.5);
    WEIGHTS(&t, c, 1, .1);
    WEIGHTS(&t, y, 0, .7, -1.1, .4, .9);
    WEIGHTS(&t, y, 1, -.2);
    explain(&t, (double[]){1, 2, 2, -1, .5}, (double[]){3, 0, 1, 2.5, -2}, &a);
    near_to("G5 F", (double)a.f, 3.94);
    near_to("G5 F0", (double)a.f0, 5.29);
    NEAR("G5 m", a.m, 5, .96, -.24, 0, -.259970348, .0560415122);
    NEAR("G5", a.contribution, 5, -1.92, -.48, 0, .909896219, .140103781);
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g6_quotients) {
    static const struct {
        const char *act;
        double a, b, rho;
    } rows[] = {{"relu", 1.3, -.4, .764705882},  {"relu", -2, .7, .259259259},   {"sigmoid", 1.3, -.4, .22618979},
                {"sigmoid", -2, .7, .203327722}, {"tanh", 1.3, -.4, .730395366}, {"tanh", -2, .7, .580887169},
                {"sigmoid", .5, .5, .235003712}, {"tanh", .5, .5, .786447733}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct toy t;
        struct answer a;
        toy_open(&t, 1, 1);
        int f = after(&t, rows[i].act, after(&t, "flatten", 0)), y = dense(&t, f, 1);
        finish(&t, y);
        WEIGHTS(&t, y, 0, 1);
        explain(&t, &rows[i].a, &rows[i].b, &a);
        near_to(rows[i].act, (double)a.m[0], rows[i].rho);
        sn_graph_free(t.g);
    }
}
END_TEST

START_TEST(g9_lstm) {
    struct toy t;
    struct answer a;
    toy_open(&t, 2, 2);
    int l = after(&t, "lstm", 0);
    set(&t, l, "units", 1);
    set(&t, l, "return_sequences", 1);
    int y = dense(&t, after(&t, "flatten", l), 1);
    finish(&t, y);
    WEIGHTS(&t, l, 0, .5, .2, .7, -.1, -.3, .4, -.6, .8); /* (in, 4H) */
    WEIGHTS(&t, l, 1, .1, -.2, .3, .25);
    WEIGHTS(&t, l, 2, .05, 1, -.1, .2);
    WEIGHTS(&t, y, 0, .5, 1.5);
    WEIGHTS(&t, y, 1, -.2);
    explain(&t, (double[]){1, 0, .5, -1}, (double[]){0, 1, -.5, .5}, &a);
    near_to("G9 F", (double)a.f, .202761753);
    near_to("G9 F0", (double)a.f0, -.721962184);
    NEAR("G9 m", a.m, 4, .271141211, -.229931057, .201080075, -.148381063);
    NEAR("G9", a.contribution, 4, .271141211, .229931057, .201080075, .222571594);
    sn_graph_free(t.g);
}
END_TEST

static double u(uint64_t k) {
    return (double)(sn_mix64(k) >> 40) / 16777216.0 - 0.5;
}

START_TEST(g10_bilstm) {
    struct toy t;
    struct answer a;
    toy_open(&t, 7, 4);
    int l = after(&t, "lstm", 0);
    set(&t, l, "units", 2);
    set(&t, l, "bidirectional", 1);
    set(&t, l, "return_sequences", 1);
    int y = dense(&t, after(&t, "global_max_pooling1d", l), 1);
    finish(&t, y);
    near_to("u(0)", u(0), .383310795);
    for (int d = 0; d < 2; d++) {
        double w[32], uu[16], b[8];
        for (int r = 0; r < 8; r++) {
            for (int c = 0; c < 4; c++) w[c * 8 + r] = 4 * u((uint64_t)(300 * d + 4 * r + c));
            for (int c = 0; c < 2; c++) uu[c * 8 + r] = 4 * u((uint64_t)(300 * d + 100 + 2 * r + c));
            b[r] = 2 * u((uint64_t)(300 * d + 200 + r));
        }
        weights(&t, l, 3 * d, w);
        weights(&t, l, 3 * d + 1, uu);
        weights(&t, l, 3 * d + 2, b);
    }
    WEIGHTS(&t, y, 0, 8 * u(600), 8 * u(601), 8 * u(602), 8 * u(603));
    WEIGHTS(&t, y, 1, .1);
    double x[28], x0[28];
    sn_real pos[7], h0[4];
    one_hot("GATTACA", x);
    one_hot("TCAGATA", x0);
    explain(&t, x, x0, &a);
    near_to("G10 F", (double)a.f, -1.18848411);
    near_to("G10 F0", (double)a.f0, .109570855);
    positions(&t, &a, pos);
    NEAR("G10", pos, 7, -.654786346, -.00546041854, -.0587678344, -.00227656381, 0, -.576763805, 0);
    for (int c = 0; c < 4; c++) h0[c] = a.m[c] - a.m[3];
    NEAR("G10 H", h0, 4, -.531531027, -.313265917, -.654786346, 0);
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g8b_normalised_logits) {
    struct toy t;
    struct answer a;
    static const double want[3][2] = {{.5, 1.5}, {-.5, -1.5}, {0, 0}};
    for (int k = 0; k < 3; k++) {
        toy_open(&t, 1, 2);
        int d = dense(&t, after(&t, "flatten", 0), 3), y = after(&t, "softmax", d);
        finish(&t, y);
        WEIGHTS(&t, d, 0, 1, 0, .5, 2, -1, .5);
        for (int j = 0; j < 3; j++) t.seeds[j] = (sn_real)((j == k) - 1. / 3);
        explain(&t, (double[]){1, 1}, (double[]){0, 0}, &a);
        all_near("G8b", a.contribution, want[k], 2);
        sn_graph_free(t.g);
    }
}
END_TEST

START_TEST(g11_negative_scale) {
    struct toy t;
    struct answer a;
    g11_net(&t);
    explain(&t, (double[]){1, .5, -2}, (double[]){0, 0, 1}, &a);
    near_to("G11 F", (double)a.f, 2.74);
    near_to("G11 F0", (double)a.f0, 0);
    NEAR("G11", a.contribution, 3, -.993333333, 1.49333333, 2.24);
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g12_two_dense) {
    struct toy t;
    struct answer a;
    double x[24], x0[24];
    sn_real pos[6];
    g12_net(&t);
    one_hot("ACGTAC", x);
    one_hot("GTACCA", x0);
    explain(&t, x, x0, &a);
    near_to("G12 F", (double)a.f, 4.663);
    near_to("G12 F0", (double)a.f0, -1.448);
    positions(&t, &a, pos);
    NEAR("G12", pos, 6, 1.07827019, .824766775, 2.93639049, 1.23821597, .0333565804, 0);
    sn_graph_free(t.g);
}
END_TEST

int main(void) {
    Suite *s = suite_create("rescale");
    TCase *t = tcase_create("goldens");
    tcase_add_test(t, g0_relu_and_pool);
    tcase_add_test(t, g1_linear);
    tcase_add_test(t, g2_minimum_and_mlp);
    tcase_add_test(t, g3_convolution);
    tcase_add_test(t, g3_probability);
    tcase_add_test(t, g4_convolution_and_norm);
    tcase_add_test(t, g5_residual_and_overlapping_pools);
    tcase_add_test(t, g6_quotients);
    tcase_add_test(t, g9_lstm);
    tcase_add_test(t, g10_bilstm);
    tcase_add_test(t, g8b_normalised_logits);
    tcase_add_test(t, g11_negative_scale);
    tcase_add_test(t, g12_two_dense);
    suite_add_tcase(s, t);
    return unit_run(s);
}
