/* Architectures: YAML and JSON in, messages with file:line and the nearest name, binding to data, canonical text, shipped models. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/error.h"
#include "model/arch_parts.h"
#include "unit.h"

static int parse(const char *text, struct sn_arch **a) {
    return sn_arch_parse(text, strlen(text), "net.yaml", a);
}

/* The text must be refused with a message that holds every one of up to three pieces. */
static void refuse(const char *text, int code, const char *p1, const char *p2, const char *p3) {
    struct sn_arch *a = NULL;
    int rc = parse(text, &a);
    const char *m = seqnet_errmsg();
    ck_assert_msg(rc == code, "code %d, expected %d: %s\n%s", rc, code, rc < 0 ? m : "(accepted)", text);
    ck_assert_ptr_null(a);
    ck_assert_msg(strstr(m, p1) != NULL, "\"%s\" lacks \"%s\"", m, p1);
    ck_assert_msg(!p2 || strstr(m, p2), "\"%s\" lacks \"%s\"", m, p2 ? p2 : "");
    ck_assert_msg(!p3 || strstr(m, p3), "\"%s\" lacks \"%s\"", m, p3 ? p3 : "");
}

static struct sn_arch *accept(const char *text) {
    struct sn_arch *a = NULL;
    int rc = parse(text, &a);
    ck_assert_msg(rc == 0, "%s", seqnet_errmsg());
    return a;
}

#define HEAD "name: t\ninput: {length: 100, alphabet: dna}\n"
#define NET                                                                                                                                \
    HEAD "layers:\n  - conv1d: {filters: 3, kernel_size: 5}\n  - global_max_pooling1d\n  - dense: {units: tasks, activation: sigmoid}\n"

/* ---- YAML ---- */

START_TEST(yaml_structure) {
    refuse("", SEQNET_EARCH, "net.yaml: empty", NULL, NULL);
    refuse("# nothing\n", SEQNET_EARCH, "net.yaml: empty", NULL, NULL);
    refuse("name: t\nlayers: [\n", SEQNET_EARCH, "net.yaml:3: not YAML", NULL, NULL);
    refuse("name: t\nname: u\n", SEQNET_EARCH, "net.yaml:2: key \"name\" is given twice, first on line 1", NULL, NULL);
    refuse("name: &x t\n", SEQNET_EARCH, "net.yaml:1: anchors", NULL, NULL);
    refuse("name: t\nlayers: &l [flatten]\n", SEQNET_EARCH, "net.yaml:2: anchors", NULL, NULL);
    refuse("name: t\nlayers: *l\n", SEQNET_EARCH, "net.yaml:2: aliases", NULL, NULL);
    refuse("name: !!str t\n", SEQNET_EARCH, "net.yaml:1: tags", NULL, NULL);
    refuse("name: t\nlayers: !x [flatten]\n", SEQNET_EARCH, "net.yaml:2: tags", NULL, NULL);
    refuse("{[a]: b}\n", SEQNET_EARCH, "net.yaml:1: a key must be a word", NULL, NULL);
    refuse("name: t\n---\nname: u\n", SEQNET_EARCH, "net.yaml:2: a second document", NULL, NULL);
    refuse("name:\tt\n\tx: y\n", SEQNET_EARCH, "not YAML", NULL, NULL);
    refuse("- a\n- b\n", SEQNET_EARCH, "net.yaml:1: the architecture must be a map", "a list", NULL);
    refuse("name: \"a\\0b\"\n", SEQNET_EARCH, "zero byte", NULL, NULL);
    refuse("name: \xff\xfe\n", SEQNET_EARCH, "not YAML", NULL, NULL);
}
END_TEST

static void fill_text(char *text, const char *unit, int times) {
    size_t n = strlen(unit);
    for (int i = 0; i < times; i++) memcpy(text + (size_t)i * n, unit, n);
    text[(size_t)times * n] = '\0';
}

START_TEST(yaml_bombs) {
    static char text[2000001];
    struct sn_arch *a = NULL;
    static const char *const units[] = {"[", "{a: ", "- ", "{", "[[[{"};
    for (int i = 0; i < 5; i++) {
        struct timespec t0, t1;
        fill_text(text, units[i], 200000);
        clock_gettime(CLOCK_MONOTONIC, &t0);
        ck_assert_int_eq(parse(text, &a), SEQNET_EARCH);
        clock_gettime(CLOCK_MONOTONIC, &t1);
        double ms = (double)(t1.tv_sec - t0.tv_sec) * 1e3 + (double)(t1.tv_nsec - t0.tv_nsec) * 1e-6;
        ck_assert_msg(ms < 100, "%s: %g ms", units[i], ms);
    }
    fill_text(text, "# a long comment\n", 100000);
    ck_assert_int_eq(parse(text, &a), SEQNET_EARCH);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "at most 1048576"));
    refuse(HEAD "layers:\n - repeat: {times: 4000, layers: [repeat: {times: 4000, layers: [relu]}]}\n", SEQNET_EARCH,
           "more than 4096 layers", NULL, NULL);
}
END_TEST

START_TEST(unknown_words) {
    refuse("nme: t\n", SEQNET_EARCH, "net.yaml:1: unknown key of the architecture \"nme\"; nearest: name", NULL, NULL);
    refuse(HEAD "layers:\n  - conv1dd: {filters: 3}\n", SEQNET_EARCH, "net.yaml:4: unknown layer \"conv1dd\"; nearest: conv1d", NULL, NULL);
    refuse(HEAD "layers:\n  - flaten\n", SEQNET_EARCH, "net.yaml:4: unknown layer \"flaten\"; nearest: flatten", NULL, NULL);
    refuse(HEAD "layers:\n  - qqqqqqqqqqqqqqq\n", SEQNET_EARCH, "net.yaml:4: unknown layer", "expected one of: conv1d", NULL);
    refuse(HEAD "layers:\n  - encode\n", SEQNET_EARCH, "net.yaml:4: unknown layer \"encode\"", NULL, NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: 3,\n     kernelsize: 4, kernel_size: 4}\n", SEQNET_EARCH,
           "net.yaml:5: unknown key of conv1d \"kernelsize\"; nearest: kernel_size", NULL, NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: 3, kernel_size: 4, padding: sme}\n", SEQNET_EARCH,
           "net.yaml:4: unknown conv1d: padding \"sme\"; nearest: same", NULL, NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: 3, kernel_size: 4, activation: rellu}\n", SEQNET_EARCH,
           "net.yaml:4: unknown activation \"rellu\"; nearest: relu", NULL, NULL);
    refuse(HEAD "layers:\n  - dropout: {rate: 0.1, activation: relu}\n", SEQNET_EARCH, "net.yaml:4: unknown key of dropout \"activation\"",
           NULL, NULL);
    refuse("name: t\ninput: {lenght: 3}\nlayers: [flatten]\n", SEQNET_EARCH, "net.yaml:2: unknown key of input \"lenght\"; nearest: length",
           NULL, NULL);
    refuse("name: t\ninput: {alphabet: dnaa}\nlayers: [flatten]\n", SEQNET_EARCH, "net.yaml:2: unknown alphabet \"dnaa\"; nearest: dna",
           NULL, NULL);
    refuse("name: t\ninput: {strand: both}\nlayers: [flatten]\n", SEQNET_EARCH,
           "net.yaml:2: unknown strand \"both\"; expected one of: forward, average, max", NULL, NULL);
    refuse(NET "training: {epoch: 3}\n", SEQNET_EARCH, "net.yaml:7: unknown key of training \"epoch\"; nearest: epochs", NULL, NULL);
    refuse(NET "training: {optimizer: {adm: {}}}\n", SEQNET_EARCH, "net.yaml:7: unknown optimizer \"adm\"; nearest: adam", NULL, NULL);
    refuse(NET "training: {optimizer: rmsprop}\n", SEQNET_EARCH, "net.yaml:7: unknown optimizer \"rmsprop\"; expected one of: adam, sgd",
           NULL, NULL);
    refuse(NET "training: {optimizer: {adam: {momentum: 0.9}}}\n", SEQNET_EARCH, "net.yaml:7: unknown key of optimizer.adam \"momentum\"",
           NULL, NULL);
    refuse(NET "training: {loss: binary_crossentrpy}\n", SEQNET_EARCH, "net.yaml:7: unknown loss", "nearest: binary_crossentropy", NULL);
}
END_TEST

START_TEST(values_out_of_range) {
    refuse(HEAD "layers:\n  - conv1d: {filters: 0, kernel_size: 4}\n", SEQNET_EARCH,
           "net.yaml:4: conv1d: filters must be an integer from 1 to", "got 0", NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: -3, kernel_size: 4}\n", SEQNET_EARCH, "got -3", NULL, NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: 3.5, kernel_size: 4}\n", SEQNET_EARCH, "got 3.5", NULL, NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: 0x10, kernel_size: 4}\n", SEQNET_EARCH, "got 0x10", NULL, NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: 1:30, kernel_size: 4}\n", SEQNET_EARCH, "got 1:30", NULL, NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: \"8\", kernel_size: 4}\n", SEQNET_EARCH, "got 8 (a string)", NULL, NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: [8], kernel_size: 4}\n", SEQNET_EARCH, "got a list", NULL, NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: , kernel_size: 4}\n", SEQNET_EARCH, "got nothing", NULL, NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: 99999999999999999999, kernel_size: 4}\n", SEQNET_EARCH, "filters must be an integer", NULL,
           NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: 3, kernel_size: 4, use_bias: yes}\n", SEQNET_EARCH,
           "use_bias must be true or false, got yes", NULL, NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: 3}\n", SEQNET_EARCH, "net.yaml:4: conv1d needs kernel_size", NULL, NULL);
    refuse(HEAD "layers:\n  - conv1d\n", SEQNET_EARCH, "net.yaml:4: conv1d needs filters", NULL, NULL);
    refuse(HEAD "layers:\n  - dropout: {rate: nan}\n", SEQNET_EARCH, "dropout: rate must be a number from 0 to", "got nan", NULL);
    refuse(HEAD "layers:\n  - dropout: {rate: 1.5}\n", SEQNET_EARCH, "got 1.5", NULL, NULL);
    refuse(HEAD "layers:\n  - dense: {units: 2, kernel_regularizer: {l3: 1}}\n", SEQNET_EARCH, "kernel_regularizer \"l3\"; nearest: l1",
           NULL, NULL);
    refuse(HEAD "layers:\n  - dense: {units: 2, kernel_regularizer: {l1: -1}}\n", SEQNET_EARCH, "l1 must be a number from 0", NULL, NULL);
    refuse(HEAD "layers:\n  - max_pooling1d: {pool_size: tasks}\n", SEQNET_EARCH, "pool_size must be an integer", NULL, NULL);
    refuse("name: t\ninput: {length: -5}\nlayers: [flatten]\n", SEQNET_EARCH, "net.yaml:2: length must be", "got -5", NULL);
    refuse("name: a/b\ninput: {}\nlayers: [flatten]\n", SEQNET_EARCH, "net.yaml:1: name \"a/b\" has characters", NULL, NULL);
    refuse(NET "training: {batch_size: 0}\n", SEQNET_EARCH, "batch_size must be an integer from 1", "got 0", NULL);
    refuse(NET "training: {optimizer: {adam: {learning_rate: nan}}}\n", SEQNET_EARCH, "optimizer.adam.learning_rate must be a number",
           "got nan", NULL);
    refuse(NET "training: {optimizer: {adam: {}, sgd: {}}}\n", SEQNET_EARCH, "optimizer must be a word or {word: {...}}", NULL, NULL);
    refuse(NET "training: {early_stopping: {monitor: val_loss}}\n", SEQNET_EARCH, "net.yaml:7: early_stopping needs patience", NULL, NULL);
}
END_TEST

START_TEST(wiring) {
    refuse("input: {}\nlayers: [flatten]\n", SEQNET_EARCH, "`name` is missing", NULL, NULL);
    refuse("name: t\nlayers: [flatten]\n", SEQNET_EARCH, "`input` is missing", NULL, NULL);
    refuse("name: t\ninput: {}\n", SEQNET_EARCH, "`layers` is missing", NULL, NULL);
    refuse("name: t\ninput: {}\nlayers: []\n", SEQNET_EARCH, "net.yaml:3: layers: the list is empty", NULL, NULL);
    refuse("name: t\ninput: {}\nlayers: flatten\n", SEQNET_EARCH, "net.yaml:3: layers must be a list, got flatten", NULL, NULL);
    refuse("name: t\ninputs: {a: {}, b: {}}\nlayers: [flatten]\n", SEQNET_EARCH, "net.yaml:2: 2 inputs: not supported yet", NULL, NULL);
    refuse(HEAD "layers:\n  - relu: {name: a, inputs: [a]}\n", SEQNET_EARCH, "net.yaml:4: layer \"a\" reads itself: a cycle", NULL, NULL);
    refuse(HEAD "layers:\n  - relu: {name: a, inputs: [b]}\n  - tanh: {name: b, inputs: [a]}\n", SEQNET_EARCH,
           "net.yaml:4: layer \"b\" is defined later (line 5): a cycle or a forward reference", NULL, NULL);
    refuse(HEAD "layers:\n  - relu: {name: first}\n  - tanh: {inputs: [frist]}\n", SEQNET_EARCH, "net.yaml:5: unknown layer to read from",
           "nearest: first", NULL);
    refuse(HEAD "layers:\n  - relu: {name: a}\n  - tanh: {name: a}\n", SEQNET_EARCH,
           "net.yaml:5: two layers are called \"a\", the first on line 4", NULL, NULL);
    refuse(HEAD "layers:\n  - relu\n  - tanh: {name: relu}\n", SEQNET_EARCH, "net.yaml:5: name \"relu\" is taken: the layer on line 4",
           NULL, NULL);
    refuse(HEAD "layers:\n  - relu: {name: encode}\n", SEQNET_EARCH, "\"encode\" is the name of the input", NULL, NULL);
    refuse(HEAD "layers:\n  - relu: {name: a/b}\n", SEQNET_EARCH, "has characters other than", NULL, NULL);
    refuse(HEAD "layers:\n  - relu\n  - add\n", SEQNET_EARCH, "net.yaml:5: add reads 2 to 8 layers, got 1; name them", NULL, NULL);
    refuse(HEAD "layers:\n  - relu: {inputs: [encode, encode]}\n", SEQNET_EARCH, "net.yaml:4: relu reads 1 layer, got 2", NULL, NULL);
    refuse(HEAD "layers:\n  - relu: {name: a}\n    inputs: [b]\n", SEQNET_EARCH, "net.yaml:4: a layer is written `type: {...}`",
           "relu, inputs", NULL);
    refuse(HEAD "layers:\n  - relu: {name: dead}\n  - global_max_pooling1d: {inputs: encode}\n  - dense: {units: 1}\n", SEQNET_EARCH,
           "net.yaml:4: layer \"dead\" leads to no head", NULL, NULL);
    refuse(HEAD "layers:\n  - repeat: {times: 2}\n", SEQNET_EARCH, "net.yaml:4: repeat needs layers", NULL, NULL);
    refuse(HEAD "layers:\n  - repeat: {times: 0, layers: [relu]}\n", SEQNET_EARCH, "repeat: times must be an integer from 1", NULL, NULL);
}
END_TEST

START_TEST(shapes_and_heads) {
    refuse(HEAD "layers:\n  - conv1d: {filters: 3, kernel_size: 101}\n  - flatten\n  - dense: {units: 1}\n", SEQNET_ESHAPE,
           "net.yaml:4: layer conv1d", NULL, NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: 3, kernel_size: 5}\n", SEQNET_ESHAPE, "net.yaml:4: layer conv1d", "96 positions", NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: 3, kernel_size: 26, dilation_rate: 4}\n  - flatten\n  - dense: {units: 1}\n", SEQNET_ESHAPE,
           "net.yaml:4: layer conv1d", "input has 100 positions, a window of 101", NULL);
    refuse(HEAD "layers:\n  - conv1d: {filters: 3, kernel_size: 5, strides: 3, dilation_rate: 2}\n", SEQNET_ESHAPE,
           "net.yaml:4: layer conv1d", "strides 3 and dilation_rate 2: one of them must be 1", NULL);
    refuse("name: t\ninput: {length: variable}\nlayers:\n  - flatten\n  - dense: {units: tasks}\n", SEQNET_ESHAPE,
           "net.yaml:4: layer flatten", "one length", NULL);
    refuse(HEAD
           "layers:\n  - conv1d: {name: a, filters: 3, kernel_size: 5}\n  - conv1d: {name: b, inputs: encode, filters: 4, kernel_size: 5}\n"
           "  - add: {inputs: [a, b]}\n  - flatten\n",
           SEQNET_ESHAPE, "net.yaml:6: layer add", "(96, 3)", "(96, 4)");
    refuse(NET "training: {loss: categorical_crossentropy}\n", SEQNET_EARCH, "net.yaml:7: loss categorical_crossentropy needs softmax",
           "ends with sigmoid", NULL);
    refuse(NET "training: {loss: mean_squared_error}\n", SEQNET_EARCH, "loss mean_squared_error needs linear", NULL, NULL);
    refuse(HEAD "layers:\n  - flatten\n  - dense: {units: 1}\ntraining: {loss: binary_crossentropy}\n", SEQNET_EARCH, "needs sigmoid",
           "ends with dense", NULL);
    refuse(HEAD "layers:\n  - dense: {units: 3, activation: auto}\n  - flatten\n  - dense: {units: 1}\n", SEQNET_EARCH,
           "net.yaml:4: activation auto is for", NULL, NULL);
    refuse(NET "heads: [{layer: dens}]\n", SEQNET_EARCH, "net.yaml:7: unknown layer to read from", "nearest: dense", NULL);
    refuse(NET "heads: [{loss: auto}]\ntraining: {loss: auto}\n", SEQNET_EARCH, "net.yaml:8: loss stands in `heads` or in `training`", NULL,
           NULL);
    refuse(NET "heads: [{name: a}, {name: b}]\n", SEQNET_EARCH, "read the same layer", NULL, NULL);
    refuse(NET "heads: [{layer: encode}]\n", SEQNET_EARCH, "reads the input", NULL, NULL);
    refuse(NET "heads: [{task: 3}]\n", SEQNET_EARCH, "unknown key of a head \"task\"", NULL, NULL);
    refuse("name: t\ninput: {alphabet: protein, strand: average}\nlayers: [flatten]\n", SEQNET_EARCH,
           "net.yaml:2: strand average: protein has no complement", NULL, NULL);
    refuse("name: t\ninput: {alphabet: protein, length: 9}\nlayers: [flatten, dense: {units: 1}]\ntraining: {augmentation: "
           "{reverse_complement: true}}\n",
           SEQNET_EARCH, "net.yaml:4: augmentation by reverse complement: protein has no complement", NULL, NULL);
}
END_TEST

/* ---- what is built ---- */

START_TEST(nodes_of_a_chain) {
    struct sn_arch *a =
        accept(HEAD "layers:\n  - conv1d: {filters: 3, kernel_size: 5, activation: relu, kernel_regularizer: {l2: 1.0e-5}}\n"
                    "  - max_pooling1d: {pool_size: 4}\n  - flatten:\n  - dense: {name: out, units: tasks, activation: sigmoid}\n");
    const struct sn_graph *g = a->graph;
    static const char *const names[] = {"encode", "conv1d", "conv1d_relu", "max_pooling1d", "flatten", "out", "out_sigmoid"};
    ck_assert_int_eq(g->n_nodes, 7);
    for (int i = 0; i < 7; i++) {
        ck_assert_str_eq(g->nodes[i].name, names[i]);
        if (i > 0) ck_assert_int_eq(g->nodes[i].inputs[0], i - 1);
    }
    int reg = sn_op_param_index(g->nodes[1].op, "kernel_regularizer"), units = sn_op_param_index(g->nodes[5].op, "units");
    ck_assert(g->nodes[1].p[reg].l2 == 1e-5 && g->nodes[1].p[reg].l1 == 0);
    ck_assert_int_eq(g->nodes[5].p[units].i, SN_TASKS); /* the check of the text leaves it open */
    ck_assert(!a->tasks_bound && g->n_heads == 1 && g->heads[0].node == 6 && g->heads[0].loss == SN_LOSS_BCE);
    ck_assert_str_eq(g->heads[0].name, "output");
    ck_assert_int_eq(g->nodes[4].line, 6);
    sn_arch_free(a);
}
END_TEST

START_TEST(dag_and_repeat) {
    struct sn_arch *a =
        accept("name: t\ninputs: {bases: {length: 64}}\nlayers:\n"
               "  - conv1d: {name: stem, filters: 8, kernel_size: 3, padding: same, activation: relu}\n"
               "  - repeat:\n      times: 3\n      layers:\n"
               "        - linear: {name: skip}\n"
               "        - conv1d: {name: c, filters: 8, kernel_size: 3, padding: same, activation: relu}\n"
               "        - add: {inputs: [skip, c]}\n"
               "  - global_max_pooling1d: {name: gmax}\n"
               "  - global_average_pooling1d: {inputs: add_2}\n"
               "  - concatenate: {inputs: [gmax, global_average_pooling1d]}\n"
               "  - dense: {name: a, units: 2, activation: softmax}\n"
               "  - dense: {name: b, units: 1, inputs: [concatenate]}\n"
               "heads:\n  - {name: cls, layer: a, loss: auto, weight: 0.5}\n  - {name: num, layer: b, loss: mean_squared_error}\n");
    const struct sn_graph *g = a->graph;
    int add2 = sn_graph_find(g, "add_2"), skip2 = sn_graph_find(g, "skip_2"), c2 = sn_graph_find(g, "c_2_relu"),
        add1 = sn_graph_find(g, "add_1");
    ck_assert(add2 > 0 && skip2 > 0 && c2 > 0);
    ck_assert(g->nodes[add2].inputs[0] == skip2 && g->nodes[add2].inputs[1] == c2 && g->nodes[skip2].inputs[0] == add1);
    ck_assert_str_eq(a->input_name, "bases");
    ck_assert_int_eq(g->n_heads, 2);
    ck_assert(g->heads[0].loss == SN_LOSS_CCE && g->heads[0].weight == 0.5 && g->heads[1].loss == SN_LOSS_MSE);
    ck_assert(a->tasks_bound && sn_arch_width(a) == 3);
    sn_arch_free(a);
}
END_TEST

START_TEST(training_keys) {
    struct sn_arch *a = accept(NET);
    ck_assert(a->training.optimizer == SN_ADAM && a->training.learning_rate == 0.001 && a->training.epsilon == 1e-7 &&
              a->training.leaves == 8);
    ck_assert(a->training.schedule == SN_LR_CONSTANT && a->training.bias_from_labels && !a->training.balanced_class_weight &&
              a->training.patience == 0);
    sn_arch_free(a);
    a = accept(
        NET "training:\n  optimizer: {sgd: {momentum: 0.9, nesterov: true}}\n  learning_rate_schedule: one_cycle\n  clipnorm: 2\n"
            "  batch_size: 100\n  epochs: 60\n  min_steps: 7\n  leaves: 4\n  early_stopping: {monitor: val_loss, patience: 5, min_delta: "
            "1.0e-4}\n"
            "  validation_fraction: 0.2\n  augmentation: {reverse_complement: true, shift: 3}\n  standardize: false\n  output_bias: zeros\n"
            "  class_weight: balanced\n");
    const struct sn_training *t = &a->training;
    ck_assert(t->optimizer == SN_SGD && t->learning_rate == 0.01 && t->momentum == 0.9 && t->nesterov);
    ck_assert(t->schedule == SN_LR_ONE_CYCLE && t->warmup_fraction == 0.25 && t->start_fraction == 0.1 && t->clipnorm == 2);
    ck_assert(t->batch_size == 100 && t->epochs == 60 && t->min_steps == 7 && t->leaves == 4 && t->patience == 5 && t->min_delta == 1e-4);
    ck_assert(t->validation_fraction == 0.2 && t->reverse_complement && t->shift == 3 && !t->standardize);
    ck_assert(!t->bias_from_labels && t->balanced_class_weight);
    struct sn_str text = {0}, help = {0};
    const struct sn_doc *loss;
    struct sn_doc *d;
    struct sn_training again;
    struct sn_doc_source source = {"json", SEQNET_EARCH};
    ck_assert_int_eq(sn_training_json(&text, t), 0);
    ck_assert_int_eq(sn_doc_from_json(text.s, text.n, &source, &d), 0);
    ck_assert_int_eq(sn_training_parse(d, &again, &loss), 0);
    again.loss = t->loss;
    ck_assert_int_eq(memcmp(&again, t, sizeof again), 0);
    sn_doc_free(d);
    ck_assert_int_eq(sn_training_help(&help), 0);
    ck_assert_ptr_nonnull(strstr(help.s, "optimizer.adam.beta_1\tnumber 0..0.999999999\t0.9\t"));
    ck_assert_ptr_nonnull(strstr(help.s, "output_bias\tzeros|labels\tlabels\t"));
    sn_str_free(&text);
    sn_str_free(&help);
    sn_arch_free(a);
}
END_TEST

/* ---- binding ---- */

static struct sn_arch *bound(const char *name, enum sn_task_kind kind, int tasks, int64_t length) {
    struct sn_arch *a = NULL;
    ck_assert_msg(sn_arch_load(name, &a) == 0, "%s", seqnet_errmsg());
    ck_assert_msg(sn_arch_bind(a, kind, tasks, length, length) == 0, "%s: %s", name, seqnet_errmsg());
    return a;
}

START_TEST(data_decide) {
    static const struct {
        enum sn_task_kind kind;
        const char *op;
        enum sn_loss_kind loss;
    } cases[] = {{SN_TASK_BINARY, "sigmoid", SN_LOSS_BCE},
                 {SN_TASK_CLASSES, "softmax", SN_LOSS_CCE},
                 {SN_TASK_NUMBER, "linear", SN_LOSS_MSE},
                 {SN_TASK_NONE, "sigmoid", SN_LOSS_BCE}};
    for (int i = 0; i < 4; i++) {
        struct sn_arch *a = bound("cnn", cases[i].kind, 3, 101);
        const struct sn_graph *g = a->graph;
        char name[64];
        snprintf(name, sizeof name, "dense_1_%s", cases[i].op);
        ck_assert_str_eq(g->nodes[g->heads[0].node].op->name, cases[i].op);
        ck_assert_str_eq(g->nodes[g->heads[0].node].name, name);
        ck_assert(g->heads[0].loss == cases[i].loss && a->training.loss == cases[i].loss);
        ck_assert_int_eq(g->heads[0].logits, cases[i].loss == SN_LOSS_MSE ? g->heads[0].node : g->heads[0].node - 1);
        ck_assert_int_eq(sn_arch_width(a), 3);
        sn_arch_free(a);
    }
}
END_TEST

static void refuse_bind(const char *text, enum sn_task_kind kind, int tasks, int64_t length, int code, const char *piece) {
    struct sn_arch *a = accept(text);
    ck_assert_int_eq(sn_arch_bind(a, kind, tasks, length, length), code);
    ck_assert_msg(strstr(seqnet_errmsg(), piece) != NULL, "\"%s\" lacks \"%s\"", seqnet_errmsg(), piece);
    ck_assert_msg(strstr(seqnet_errmsg(), "net.yaml") == seqnet_errmsg(), "%s", seqnet_errmsg());
    sn_arch_free(a);
}

START_TEST(data_that_do_not_fit) {
    refuse_bind(NET, SN_TASK_CLASSES, 3, 100, SEQNET_EDATA, "the data have classes, but head \"output\" has the loss binary_crossentropy");
    refuse_bind(NET, SN_TASK_NUMBER, 3, 100, SEQNET_EDATA, "which is for labels 0 and 1");
    refuse_bind(NET, SN_TASK_BINARY, 0, 100, SEQNET_EDATA, "no labels");
    refuse_bind(HEAD "layers: [flatten, dense: {units: 2}]\n", SN_TASK_BINARY, 2, 100, SEQNET_EDATA, "need the last activation sigmoid");
    refuse_bind(HEAD "layers: [flatten, dense: {units: 2, activation: auto}]\n", SN_TASK_BINARY, 3, 100, SEQNET_EDATA,
                "2 outputs, the data have 3 tasks");
    refuse_bind("name: t\ninput: {length: data}\nlayers: [flatten, dense: {units: tasks}]\n", SN_TASK_NUMBER, 1, 0, SEQNET_EDATA,
                "length is that of the data");
    refuse_bind(
        "name: t\ninput: {length: data}\nlayers:\n  - conv1d: {filters: 2, kernel_size: 9}\n  - flatten\n  - dense: {units: tasks}\n",
        SN_TASK_NUMBER, 1, 5, SEQNET_ESHAPE, "net.yaml:4: layer conv1d");
    refuse_bind(
        "name: t\ninput: {}\nlayers:\n  - conv1d: {filters: 2, kernel_size: 9}\n  - global_max_pooling1d\n  - dense: {units: tasks}\n",
        SN_TASK_NUMBER, 1, 5, SEQNET_ESHAPE, "net.yaml:4: layer conv1d");
    struct sn_arch *a = accept(HEAD "layers: [flatten, dense: {units: 2}]\ntraining: {loss: mean_squared_error}\n"); /* asked for */
    ck_assert_int_eq(sn_arch_bind(a, SN_TASK_BINARY, 2, 100, 100), 0);
    sn_arch_free(a);
}
END_TEST

/* ---- canonical text ---- */

static void same_nodes(const struct sn_graph *g, const struct sn_graph *h) {
    ck_assert_int_eq(g->n_nodes, h->n_nodes);
    ck_assert_int_eq((int)g->n_params, (int)h->n_params);
    for (int i = 0; i < g->n_nodes; i++) {
        const struct sn_node *a = &g->nodes[i], *b = &h->nodes[i];
        ck_assert_str_eq(a->name, b->name);
        ck_assert_ptr_eq(a->op, b->op);
        ck_assert_int_eq(memcmp(a->inputs, b->inputs, sizeof a->inputs), 0);
        for (int k = 0; a->op->params && a->op->params[k].name; k++) {
            ck_assert(a->p[k].i == b->p[k].i && a->p[k].l1 == b->p[k].l1 && a->p[k].l2 == b->p[k].l2);
            ck_assert(a->op->params[k].type != SN_P_FLOAT || a->p[k].f == b->p[k].f);
        }
    }
}

static const char *const shipped[] = {"cnn", "cnn-bilstm", "cnn-position", "deepbind", "deepsea", "basset", "danq", "bpnet-like"};

START_TEST(canonical_text) {
    for (int i = 0; i < 8; i++) {
        struct sn_arch *a = bound(shipped[i], SN_TASK_BINARY, 2, i == 2 ? 80 : 600), *b;
        struct sn_str one = {0}, two = {0};
        ck_assert_int_eq(sn_arch_to_json(a, &one), 0);
        ck_assert_msg(sn_arch_from_json(one.s, one.n, "model", &b) == 0, "%s", seqnet_errmsg());
        ck_assert_int_eq(sn_arch_to_json(b, &two), 0);
        ck_assert_str_eq(one.s, two.s);
        same_nodes(a->graph, b->graph);
        ck_assert(a->strand == b->strand && a->length == b->length && a->n_policy == b->n_policy && a->alphabet == b->alphabet);
        ck_assert_int_eq(memcmp(&a->training, &b->training, sizeof a->training), 0);
        ck_assert(a->graph->heads[0].loss == b->graph->heads[0].loss && a->graph->heads[0].logits == b->graph->heads[0].logits);
        sn_str_free(&one);
        sn_str_free(&two);
        sn_arch_free(a);
        sn_arch_free(b);
    }
}
END_TEST

START_TEST(canonical_text_is_strict) {
    struct sn_arch *a = bound("cnn", SN_TASK_BINARY, 1, 101), *b = NULL;
    struct sn_str s = {0};
    ck_assert_int_eq(sn_arch_to_json(a, &s), 0);
    ck_assert_ptr_nonnull(strstr(s.s, "\"kernel_regularizer\":{\"l1\":0,\"l2\":0.00001}"));
    char *at = strstr(s.s, "\"strand\"");
    at[1] = 'S';
    ck_assert_int_eq(sn_arch_from_json(s.s, s.n, "m.seqnet", &b), SEQNET_EARCH);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "m.seqnet: unknown key of input \"Strand\"; nearest: strand"));
    at[1] = 's';
    ck_assert_int_eq(sn_arch_from_json(s.s, s.n - 1, "m.seqnet", &b), SEQNET_EARCH);
    ck_assert_int_eq(sn_arch_from_json("[[[[", 4, "m.seqnet", &b), SEQNET_EARCH);
    ck_assert_ptr_null(b);
    sn_str_free(&s);
    sn_arch_free(a);
    a = accept(NET);
    ck_assert_int_eq(sn_arch_to_json(a, &s), SEQNET_EINVAL); /* tasks are open */
    sn_str_free(&s);
    sn_arch_free(a);
}
END_TEST

/* ---- shipped architectures ---- */

START_TEST(shipped_sizes) {
    /* cnn: recipe; cnn-bilstm: the recipe's 30 081 less PyTorch's second bias (2 x 128); others: their papers' layers with 919, 919, 164
     * outputs */
    static const struct {
        const char *name;
        int tasks;
        int64_t params;
    } cases[] = {
        {"cnn", 1, 48129},
        {"cnn-bilstm", 1, 29825},
        {"deepbind", 1, 24 * 4 * 16 + 16 + 16 * 32 + 32 + 32 + 1},
        {"deepsea", 919, (8 * 4 * 320 + 320) + (8 * 320 * 480 + 480) + (8 * 480 * 960 + 960) + (53LL * 960 * 925 + 925) + 925 * 919 + 919},
        {"danq", 919, (26 * 4 * 320 + 320) + 2 * (320 * 1280 + 320 * 1280 + 1280) + (75LL * 640 * 925 + 925) + 925 * 919 + 919},
        {"basset", 164,
         (19 * 4 * 300 + 300) + (11 * 300 * 200 + 200) + (7 * 200 * 200 + 200) + (2600LL * 1000 + 1000) + (1000 * 1000 + 1000) +
             (1000 * 164 + 164) + 4 * (300 + 200 + 200 + 1000 + 1000)},
        {"bpnet-like", 1, (25 * 4 * 64 + 64) + 8 * (3 * 64 * 64 + 64) + 64 + 1}};
    for (int i = 0; i < 7; i++) {
        struct sn_arch *a = bound(cases[i].name, SN_TASK_BINARY, cases[i].tasks, 101);
        ck_assert_msg(a->graph->n_params == cases[i].params, "%s: %lld, expected %lld", cases[i].name, (long long)a->graph->n_params,
                      (long long)cases[i].params);
        sn_arch_free(a);
    }
    struct sn_arch *a = bound("cnn-position", SN_TASK_CLASSES, 3, 80);
    ck_assert_int_eq((int)a->graph->n_params, 2880 + 36928 + 640 * 64 + 64 + 64 * 3 + 3);
    ck_assert(a->length == 80 && a->strand == SN_STRAND_FORWARD && !a->training.reverse_complement && a->training.shift == 0);
    sn_arch_free(a);
    a = bound("bpnet-like", SN_TASK_NUMBER, 1, 2114);
    ck_assert(a->length == 2114 && a->graph->receptive == 25 + 2 * (2 + 4 + 8 + 16 + 32 + 64 + 128 + 256));
    sn_arch_free(a);
    a = bound("cnn", SN_TASK_BINARY, 1, 101);
    ck_assert(a->length == SN_LENGTH_VARIABLE && a->strand == SN_STRAND_AVERAGE && a->training.learning_rate == 0.004 &&
              a->training.min_steps == 1400);
    ck_assert(a->training.schedule == SN_LR_ONE_CYCLE && a->training.shift == 3 && a->training.reverse_complement &&
              a->training.epochs == 12);
    sn_arch_free(a);
}
END_TEST

START_TEST(lookup) {
    struct sn_arch *a = NULL;
    struct sn_str list = {0};
    ck_assert_int_eq(sn_arch_list(&list), 0);
    for (int i = 0; i < 8; i++) ck_assert_ptr_nonnull(strstr(list.s, shipped[i]));
    sn_str_free(&list);
    ck_assert_int_eq(sn_arch_load("cn", &a), SEQNET_EARCH);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "no architecture \"cn\"; nearest: cnn; installed: basset, bpnet-like, cnn, cnn-bilstm"));
    ck_assert_int_eq(sn_arch_load("", &a), SEQNET_EINVAL);
    ck_assert_int_eq(sn_arch_load("/nowhere/x.yaml", &a), SEQNET_EIO);
    ck_assert_ptr_nonnull(strstr(seqnet_errmsg(), "/nowhere/x.yaml"));
    ck_assert_int_eq(sn_arch_load("/tmp/", &a), SEQNET_EIO);
    ck_assert_ptr_null(a);
}
END_TEST

START_TEST(plan_options) {
    struct sn_arch *a = bound("cnn", SN_TASK_BINARY, 1, 101), *b = bound("deepsea", SN_TASK_BINARY, 1, 500);
    struct sn_plan_options o;
    sn_arch_plan_options(a, SN_TRAIN, 77, 5, &o);
    ck_assert(o.mode == SN_TRAIN && o.max_len == 77 && o.max_rows == 5 && o.var && o.fuse && o.leaves == 8 && !o.values && o.seed == 0);
    ck_assert(o.lut[1 * 4 + 0] == 1 && o.lut[8 * 4 + 3] == 1 && o.lut[15 * 4] == 0 && o.sym[1] == 1 && o.sym[8] == 4);
    sn_arch_plan_options(b, SN_INFER, 77, 5, &o);
    ck_assert(o.max_len == 1000 && !o.var);
    sn_arch_free(a);
    sn_arch_free(b);
    a = bound("deepbind", SN_TASK_BINARY, 1, 101);
    ck_assert(a->lut[15 * 4 + 2] == (sn_real)0.25 && a->lut[3 * 4 + 1] == (sn_real)0.5 && a->sym[15] == 5 && a->sym[3] == 255);
    sn_arch_free(a);
}
END_TEST

int main(void) {
    Suite *s = suite_create("model");
    TCase *text = tcase_create("text"), *net = tcase_create("net");
    tcase_add_test(text, yaml_structure);
    tcase_add_test(text, yaml_bombs);
    tcase_add_test(text, unknown_words);
    tcase_add_test(text, values_out_of_range);
    tcase_add_test(text, wiring);
    tcase_add_test(text, shapes_and_heads);
    tcase_add_test(net, nodes_of_a_chain);
    tcase_add_test(net, dag_and_repeat);
    tcase_add_test(net, training_keys);
    tcase_add_test(net, data_decide);
    tcase_add_test(net, data_that_do_not_fit);
    tcase_add_test(net, canonical_text);
    tcase_add_test(net, canonical_text_is_strict);
    tcase_add_test(net, shipped_sizes);
    tcase_add_test(net, lookup);
    tcase_add_test(net, plan_options);
    suite_add_tcase(s, text);
    suite_add_tcase(s, net);
    return unit_run(s);
}
