/* DeepLIFT Reveal-Cancel and the rule `genomics` against hand-derived golden vectors (names as in the specification they were computed
 * for), in float (1e-6 of max(1, value)) and in double (nine digits); and against a net worked out unit by unit
 * (tests/goldens/reveal_cancel.py). */
#include "attribution/toy.h"
#include "goldens/reveal_cancel.h"

START_TEST(g0_relu_and_pool) {
    struct toy t;
    struct answer a;
    toy_open(&t, 4, 1);
    t.rule = SN_RULE_REVEAL_CANCEL;
    int d = dense(&t, after(&t, "flatten", 0), 1), r = after(&t, "relu", d), y = dense(&t, r, 1);
    finish(&t, y);
    WEIGHTS(&t, d, 0, 1, 2, 3, 4);
    WEIGHTS(&t, d, 1, -1);
    WEIGHTS(&t, y, 0, 1);
    explain(&t, (double[]){1, 1, 1, 1}, (double[]){0, 0, 0, 0}, &a);
    NEAR("G0 multipliers", a.m, 4, .9, 1.8, 2.7, 3.6); /* nothing cancels */
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g2_minimum_and_mlp) {
    struct toy t;
    struct answer a;
    g2a_net(&t);
    t.rule = SN_RULE_REVEAL_CANCEL;
    explain(&t, (double[]){6, 10}, (double[]){0, 0}, &a);
    NEAR("G2a", a.contribution, 2, 3, 3);
    explain(&t, (double[]){10, 6}, (double[]){0, 0}, &a);
    NEAR("G2a other", a.contribution, 2, 3, 3);
    sn_graph_free(t.g);

    static const struct {
        const char *act;
        double c[3];
    } rows[] = {{"relu", {1.54005848, 4.80246883, -1.31752731}},
                {"sigmoid", {.356194769, 1.03575023, -.452540533}},
                {"tanh", {.832127579, 2.49361845, -1.20304131}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int rule = SN_RULE_REVEAL_CANCEL; rule <= SN_RULE_GENOMICS; rule++) {
            g2b_net(&t, rows[i].act);
            t.rule = (enum sn_rule)rule;
            explain(&t, (double[]){1, -1, 2}, (double[]){.2, .4, -.3}, &a);
            all_near(rows[i].act, a.contribution, rows[i].c, 3);
            sn_graph_free(t.g);
        }
}
END_TEST

/* Contributions of sequences under a rule. */
static void sequences(struct toy *t, enum sn_rule rule, const char *x, const char *x0, const char *what, const double *want) {
    struct answer a;
    double in[VALUES], in0[VALUES];
    sn_real pos[VALUES];
    t->rule = rule;
    one_hot(x, in);
    one_hot(x0, in0);
    explain(t, in, in0, &a);
    positions(t, &a, pos);
    all_near(what, pos, want, (int)t->len);
}
#define SEQUENCES(t, rule, x, x0, what, ...) sequences(t, rule, x, x0, what, (const double[]){__VA_ARGS__})

START_TEST(g3_convolution) {
    struct toy t;
    g3_net(&t);
    SEQUENCES(&t, SN_RULE_REVEAL_CANCEL, "ACGTAC", "CATCAG", "G3 CATCAG", .606985447, .712814969, 1.24822989, .601969697, 0, 0);
    SEQUENCES(&t, SN_RULE_REVEAL_CANCEL, "ACGTAC", "GTACCA", "G3 GTACCA", .572056452, .409475806, 2.00680108, .777833333, .273833333, 0);
    SEQUENCES(&t, SN_RULE_GENOMICS, "ACGTAC", "GTACCA", "G3 genomics", .574117647, .366117647, 2.09309804, .803333333, .203333333, 0);
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g4_convolution_and_norm) {
    struct toy t;
    g4_net(&t);
    SEQUENCES(&t, SN_RULE_REVEAL_CANCEL, "GATTACA", "CTAGGAT", "G4", .125900378, 0, .269999231, 0, .0306365625, 0, -.0196585445);
    SEQUENCES(&t, SN_RULE_GENOMICS, "GATTACA", "CTAGGAT", "G4 genomics", .125900378, 0, .314944847, 0, -.0125429706, 0, -.0214246274);
    sn_graph_free(t.g);
}
END_TEST

/* Recurrent layers follow Rescale under any rule (G9). */
START_TEST(g9_lstm) {
    struct toy t;
    struct answer a;
    toy_open(&t, 2, 2);
    t.rule = SN_RULE_REVEAL_CANCEL;
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
    NEAR("G9", a.contribution, 4, .271141211, .229931057, .201080075, .222571594);
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g11_negative_scale) {
    struct toy t;
    struct answer a;
    g11_net(&t);
    for (int rule = SN_RULE_REVEAL_CANCEL; rule <= SN_RULE_GENOMICS; rule++) { /* the layer before the batch norm is dense */
        t.rule = (enum sn_rule)rule;
        explain(&t, (double[]){1, .5, -2}, (double[]){0, 0, 1}, &a);
        NEAR("G11", a.contribution, 3, -.4, 1.256, 1.884);
    }
    sn_graph_free(t.g);
}
END_TEST

START_TEST(g12_genomics) {
    struct toy t;
    g12_net(&t);
    SEQUENCES(&t, SN_RULE_GENOMICS, "ACGTAC", "GTACCA", "G12 genomics", 1.17019185, .931951166, 2.79615494, 1.17859071, .0341113306, 0);
    SEQUENCES(&t, SN_RULE_REVEAL_CANCEL, "ACGTAC", "GTACCA", "G12", 1.15448191, .968264004, 2.68971609, 1.12995034, .168587658, 0);
    sn_graph_free(t.g);
}
END_TEST

static int scaled(struct toy *t, int input, int *bn) {
    return *bn = after(t, "batch_normalization", input);
}

/* The net of reveal_cancel.py. */
static void unit_net(struct toy *t) {
    int bn, bn2, c, d, e, y;
    toy_open(t, 12, 4);
    c = conv(t, 0, 5, 4, true);
    int m = after(t, "max_pooling1d", after(t, "relu", scaled(t, c, &bn)));
    d = conv(t, m, 5, 3, true);
    set(t, d, "dilation_rate", 2);
    int s = put(t, "add", 2, (int[]){m, after(t, "tanh", d)}), u = after(t, "sigmoid", s),
        v = after(t, "relu", put(t, "concatenate", 2, (int[]){u, d})), p = after(t, "average_pooling1d", v);
    set(t, p, "pool_size", 3);
    e = dense(t, after(t, "flatten", p), 6);
    y = dense(t, after(t, "relu", scaled(t, e, &bn2)), 1);
    finish(t, y);
    weights(t, c, 0, rc_conv), weights(t, c, 1, rc_conv_bias);
    weights(t, bn, 0, rc_gamma), weights(t, bn, 1, rc_beta), weights(t, bn, 2, rc_mean), weights(t, bn, 3, rc_var);
    weights(t, d, 0, rc_dilated), weights(t, d, 1, rc_dilated_bias);
    weights(t, e, 0, rc_dense), weights(t, e, 1, rc_dense_bias);
    weights(t, bn2, 0, rc_gamma2), weights(t, bn2, 1, rc_beta2), weights(t, bn2, 2, rc_mean2), weights(t, bn2, 3, rc_var2);
    weights(t, y, 0, rc_last), weights(t, y, 1, rc_last_bias);
}

START_TEST(unit_by_unit) {
    static const struct {
        const char *what;
        enum sn_rule rule;
        bool uniform;
        const double *f, *m;
    } rows[] = {{"Reveal-Cancel", SN_RULE_REVEAL_CANCEL, false, rc_base_all_f, rc_base_all},
                {"genomics", SN_RULE_GENOMICS, false, rc_base_genomics_f, rc_base_genomics},
                {"Rescale", SN_RULE_RESCALE, false, rc_base_rescale_f, rc_base_rescale},
                {"uniform, Reveal-Cancel", SN_RULE_REVEAL_CANCEL, true, rc_uniform_all_f, rc_uniform_all},
                {"uniform, genomics", SN_RULE_GENOMICS, true, rc_uniform_genomics_f, rc_uniform_genomics},
                {"uniform, Rescale", SN_RULE_RESCALE, true, rc_uniform_rescale_f, rc_uniform_rescale}};
    struct toy t;
    struct answer a;
    double x[48], x0[48];
    unit_net(&t);
    one_hot(rc_sequence, x);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        one_hot(rc_reference, x0);
        for (int k = 0; k < 48 && rows[i].uniform; k++) x0[k] = .25;
        t.rule = rows[i].rule;
        explain(&t, x, x0, &a);
        near_to(rows[i].what, (double)a.f, rows[i].f[0]);
        near_to(rows[i].what, (double)a.f0, rows[i].f[1]);
        all_near(rows[i].what, a.m, rows[i].m, 48);
    }
    sn_graph_free(t.g);
}
END_TEST

/* A layer that cannot say how it passes differences is refused by name when planning; where nothing asks for parts it is fine. */
START_TEST(layer_without_rule) {
    struct sn_op odd = *sn_op_find("average_pooling1d"), none = odd;
    struct sn_backend backend;
    struct sn_plan *plan;
    struct toy t;
    odd.split = NULL, none.rule = SN_ATTR_NONE;
    ck_assert_int_eq(sn_backend_cpu(0, "own", &backend), 0);
    for (int i = 0; i < 6; i++) {
        const enum sn_rule rule = (enum sn_rule)(i % 3);
        toy_open(&t, 6, 2);
        int c = dense(&t, 0, 3), p = sn_graph_add(t.g, i < 3 ? &odd : &none, "odd", &c, 1);
        finish(&t, dense(&t, after(&t, "flatten", after(&t, "relu", p)), 1));
        struct sn_plan_options o = {.mode = SN_ATTRIBUTE, .max_len = 6, .max_rows = 2, .max_pairs = 1, .values = true, .rule = rule};
        const int rc = sn_plan_create(t.g, &backend, &o, &plan);
        if (i == 0) {
            ck_assert_int_eq(rc, 0);
            sn_plan_free(plan);
        } else {
            ck_assert_int_eq(rc, SEQNET_ENOTSUP);
            ck_assert_msg(strstr(seqnet_errmsg(), "layer odd (average_pooling1d)") != NULL, "%s", seqnet_errmsg());
        }
        sn_graph_free(t.g);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("reveal-cancel");
    TCase *t = tcase_create("goldens");
    tcase_add_test(t, g0_relu_and_pool);
    tcase_add_test(t, g2_minimum_and_mlp);
    tcase_add_test(t, g3_convolution);
    tcase_add_test(t, g4_convolution_and_norm);
    tcase_add_test(t, g9_lstm);
    tcase_add_test(t, g11_negative_scale);
    tcase_add_test(t, g12_genomics);
    tcase_add_test(t, unit_by_unit);
    tcase_add_test(t, layer_without_rule);
    suite_add_tcase(s, t);
    return unit_run(s);
}
