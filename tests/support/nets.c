#include "nets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"

const struct net nets[] = {
    {"dense", "[flatten: {}, dense: {units: 3}]", "mean_squared_error", 3, 5, 5, true},
    {"dense_positions", "[dense: {units: 5, activation: tanh}, global_average_pooling1d: {}, dense: {units: 2}]", "mean_squared_error", 2,
     0, 9, true},
    {"dense_large", /* weights that are used by blocks of channels */
     "[flatten: {}, dense: {units: 520, activation: tanh}, dense: {units: 530, activation: tanh}, dense: {units: 2}]", "mean_squared_error",
     2, 6, 6, true},
    {"conv_valid",
     "[conv1d: {filters: 3, kernel_size: 4, activation: tanh}, conv1d: {filters: 2, kernel_size: 3, activation: sigmoid}, "
     "global_average_pooling1d: {}, dense: {units: 1, activation: sigmoid}]",
     "binary_crossentropy", 1, 0, 13, true},
    {"conv_same_stride",
     "[conv1d: {filters: 5, kernel_size: 5, padding: same, strides: 2, activation: tanh}, conv1d: {filters: 3, kernel_size: 4, "
     "padding: same, strides: 3, use_bias: false}, flatten: {}, dense: {units: 3, activation: softmax}]",
     "categorical_crossentropy", 3, 17, 17, true},
    {"conv_same_var",
     "[conv1d: {filters: 4, kernel_size: 6, padding: same, activation: tanh}, conv1d: {filters: 3, kernel_size: 3, padding: same, "
     "activation: tanh}, global_average_pooling1d: {}, dense: {units: 2, activation: sigmoid}]",
     "binary_crossentropy", 2, 0, 12, true},
    {"conv_dilated",
     "[conv1d: {filters: 4, kernel_size: 3, padding: same, activation: tanh, name: c}, conv1d: {filters: 4, kernel_size: 3, padding: same, "
     "dilation_rate: 2, activation: tanh, name: d}, add: {inputs: [c, d]}, conv1d: {filters: 3, kernel_size: 4, dilation_rate: 3}, "
     "global_average_pooling1d: {}, dense: {units: 2, activation: sigmoid}]",
     "binary_crossentropy", 2, 0, 17, true},
    {"conv_wide", /* by Toom-Cook */
     "[conv1d: {filters: 40, kernel_size: 3, padding: same, activation: tanh}, conv1d: {filters: 17, kernel_size: 3, padding: same, "
     "dilation_rate: 2, activation: tanh}, conv1d: {filters: 20, kernel_size: 5, activation: tanh}, conv1d: {filters: 16, kernel_size: 9, "
     "padding: same, activation: tanh}, global_average_pooling1d: {}, dense: {units: 2, activation: sigmoid}]",
     "binary_crossentropy", 2, 0, 23, true},
    {"residual", /* sums whose inputs stand in either order */
     "[conv1d: {filters: 3, kernel_size: 3, padding: same, activation: relu, name: a}, conv1d: {filters: 3, kernel_size: 2, padding: same, "
     "activation: relu, name: b}, add: {inputs: [a, b], name: c}, conv1d: {filters: 3, kernel_size: 3, padding: same, dilation_rate: 2, "
     "activation: relu, name: d}, add: {inputs: [d, c]}, global_average_pooling1d: {}, dense: {units: 2, activation: sigmoid}]",
     "binary_crossentropy", 2, 0, 9, false},
    {"relu_max_pool",
     "[conv1d: {filters: 4, kernel_size: 5, padding: same, activation: relu}, max_pooling1d: {pool_size: 3}, conv1d: {filters: 3, "
     "kernel_size: 2, activation: relu}, global_max_pooling1d: {}, dense: {units: 1, activation: sigmoid}]",
     "binary_crossentropy", 1, 0, 16, false},
    {"relu_global_max",
     "[conv1d: {filters: 5, kernel_size: 4, padding: same, activation: relu}, global_max_pooling1d: {}, dropout: {rate: 0.2}, dense: "
     "{units: 2, activation: sigmoid}]",
     "binary_crossentropy", 2, 0, 14, false},
    {"max_pool_overlap",
     "[conv1d: {filters: 3, kernel_size: 3, activation: tanh}, max_pooling1d: {pool_size: 3, strides: 2}, max_pooling1d: {pool_size: 2, "
     "strides: 1, padding: same}, flatten: {}, dense: {units: 2}]",
     "mean_squared_error", 2, 15, 15, false},
    {"average_pool",
     "[conv1d: {filters: 3, kernel_size: 3, activation: tanh}, average_pooling1d: {pool_size: 3, strides: 2, padding: same}, "
     "average_pooling1d: {pool_size: 2}, flatten: {}, dense: {units: 2}]",
     "mean_squared_error", 2, 15, 15, true},
    {"both_pools",
     "[conv1d: {filters: 4, kernel_size: 3, padding: same, activation: tanh, name: c}, global_max_pooling1d: {inputs: [c], name: m}, "
     "global_average_pooling1d: {inputs: [c], name: a}, concatenate: {inputs: [m, a]}, dropout: {rate: 0.3}, dense: {units: 4, activation: "
     "tanh}, dropout: {rate: 0.2}, dense: {units: 2, activation: sigmoid}]",
     "binary_crossentropy", 2, 0, 11, false},
    {"lstm_last", "[lstm: {units: 3}, dense: {units: 1, activation: sigmoid}]", "binary_crossentropy", 1, 0, 9, true},
    {"lstm_backwards", "[lstm: {units: 2, go_backwards: true, return_sequences: true}, lstm: {units: 3}, dense: {units: 2}]",
     "mean_squared_error", 2, 0, 7, true},
    {"bilstm",
     "[conv1d: {filters: 3, kernel_size: 3, padding: same, activation: tanh}, lstm: {units: 3, bidirectional: true, return_sequences: "
     "true}, "
     "dropout: {rate: 0.25}, lstm: {units: 2, bidirectional: true}, dense: {units: 3, activation: softmax}]",
     "categorical_crossentropy", 3, 0, 8, true},
    {"bilstm_max",
     "[lstm: {units: 4, bidirectional: true, return_sequences: true}, global_max_pooling1d: {}, dense: {units: 1, activation: sigmoid}]",
     "binary_crossentropy", 1, 0, 10, false},
    {"batch_norm",
     "[conv1d: {filters: 4, kernel_size: 3}, batch_normalization: {}, tanh: {}, global_average_pooling1d: {}, dense: {units: 3}, "
     "batch_normalization: {epsilon: 0.01, momentum: 0.9}, tanh: {}, dense: {units: 1, activation: sigmoid}]",
     "binary_crossentropy", 1, 0, 11, true},
    {"residual",
     "[conv1d: {filters: 4, kernel_size: 3, padding: same, name: x}, tanh: {name: t}, conv1d: {filters: 4, kernel_size: 3, padding: same, "
     "name: "
     "y}, sigmoid: {inputs: [x], name: s}, add: {inputs: [t, y, s], name: sum}, concatenate: {inputs: [sum, x]}, linear: {}, "
     "global_average_pooling1d: {}, dense: {units: 2}]",
     "mean_squared_error", 2, 0, 9, true},
    {"softmax_inside",
     "[conv1d: {filters: 4, kernel_size: 3, padding: same}, softmax: {}, flatten: {}, dense: {units: 3, activation: softmax}, dense: "
     "{units: "
     "2, activation: sigmoid}]",
     "binary_crossentropy", 2, 6, 6, true},
    {"parts", /* differences in two parts go all this way */
     "[batch_normalization: {name: b}, tanh: {name: t}, conv1d: {filters: 4, kernel_size: 3, padding: same, name: c}, add: {inputs: [c, "
     "b], "
     "name: s}, sigmoid: {}, average_pooling1d: {pool_size: 2, strides: 1, name: p}, batch_normalization: {name: q}, tanh: {name: u}, "
     "concatenate: {inputs: [p, u, q]}, flatten: {}, dropout: {rate: 0.1}, batch_normalization: {}, tanh: {}, dense: {units: 3, "
     "activation: sigmoid}, dense: {units: 2}]",
     "mean_squared_error", 2, 9, 9, true},
    {"parts_begin",
     "[conv1d: {filters: 4, kernel_size: 3, activation: tanh}, max_pooling1d: {pool_size: 2}, batch_normalization: {}, sigmoid: {}, lstm: "
     "{units: 3, return_sequences: true, name: l}, tanh: {name: t}, concatenate: {inputs: [t, l]}, softmax: {name: s}, "
     "batch_normalization: {}, tanh: {}, global_average_pooling1d: {name: v}, global_average_pooling1d: {inputs: [s]}, tanh: {name: w}, "
     "concatenate: {inputs: [v, w]}, dense: {units: 2, activation: sigmoid}]",
     "binary_crossentropy", 2, 0, 14, false},
    {"parts_fused", /* by genomics, parts begin where a fused chain ends */
     "[conv1d: {filters: 4, kernel_size: 3, activation: relu}, global_max_pooling1d: {name: g}, dense: {units: 4, name: d}, add: {inputs: "
     "[g, d]}, tanh: {}, dense: {units: 2}]",
     "mean_squared_error", 2, 0, 12, false},
    {"parts_rescale", /* by genomics, parts pass a function that follows Rescale */
     "[conv1d: {filters: 3, kernel_size: 3, activation: tanh}, flatten: {name: f}, dense: {units: 12, name: d}, add: {inputs: [f, d]}, "
     "tanh: {}, dense: {units: 2}]",
     "mean_squared_error", 2, 6, 6, true},
    {0},
};

static const struct sn_alphabet *dna(void) {
    return sn_alphabet_find("dna");
}

enum sn_task_kind net_kind(const char *loss) {
    if (strstr(loss, "mean_squared_error")) return SN_TASK_NUMBER;
    return strstr(loss, "binary_crossentropy") ? SN_TASK_BINARY : SN_TASK_CLASSES;
}

int net_arch(const struct net *n, struct sn_arch **out) {
    struct sn_str s = {0};
    int rc = sn_str_printf(&s, "name: %s\ninput: {length: %lld, alphabet: dna, n_policy: mean}\nlayers: %s\ntraining: {loss: %s}\n",
                           n->name, (long long)n->length, n->layers, n->loss);
    if (rc == 0) rc = sn_arch_parse(s.s, s.n, n->name, out);
    sn_str_free(&s);
    if (rc < 0) return rc;
    return sn_arch_bind(*out, net_kind(n->loss), n->tasks, n->longest, n->longest);
}

sn_real *net_params(const struct sn_graph *g, uint64_t seed) {
    sn_real *p = calloc((size_t)g->n_params + 1, sizeof *p);
    struct sn_stream s;
    sn_stream_init(&s, seed, 1, 0);
    for (int64_t i = 0; i < g->n_params; i++) p[i] = (sn_real)(float)(0.6 * sn_stream_normal(&s));
    for (int i = 0; i < g->n_nodes; i++)
        for (int w = 0; w < g->nodes[i].n_weights; w++) {
            if (strstr(g->nodes[i].weights[w].name, "variance") == NULL) continue;
            sn_real *v = p + g->nodes[i].weight_offset[w];
            for (int64_t k = 0; k < sn_weight_count(&g->nodes[i].weights[w]); k++) v[k] = (sn_real)(float)(0.3 + fabs((double)v[k]));
        }
    return p;
}

sn_real *net_fresh_params(const struct sn_graph *g, uint64_t seed, double gain) {
    sn_real *p = net_params(g, seed);
    struct sn_stream s;
    sn_stream_init(&s, seed, 4, 0);
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i].n_weights; k++) {
            const struct sn_weight *w = &g->nodes[i].weights[k];
            double limit = gain * sqrt(6.0 / (double)(w->fan_in + w->fan_out));
            sn_real *v = p + g->nodes[i].weight_offset[k];
            for (int64_t e = 0; e < sn_weight_count(w) && w->trainable; e++)
                v[e] =
                    (sn_real)(float)(w->rank > 1 ? limit * (2 * sn_stream_unit(&s) - 1) : 0.1 * (double)v[e] + (w->init == SN_INIT_ONES));
        }
    return p;
}

void net_rows(const struct net *n, const struct sn_graph *g, uint64_t seed, int rows, uint8_t *codes, int32_t *len) {
    static const char others[] = "NNRYKMSWBDHVnacgt";
    struct sn_stream s;
    sn_stream_init(&s, seed, 2, 0);
    for (int i = 0; i < rows; i++) {
        uint64_t span = (uint64_t)(n->longest - g->min_len + 1);
        len[i] = (int32_t)(n->length > 0 ? n->length : n->longest - (int64_t)(i == 0 ? 0 : sn_stream_below(&s, span)));
        for (int k = 0; k < n->longest; k++) {
            char c = sn_stream_below(&s, 8) ? "ACGT"[sn_stream_below(&s, 4)] : others[sn_stream_below(&s, sizeof others - 1)];
            codes[(int64_t)i * n->longest + k] = k < len[i] ? dna()->encode[(unsigned char)c] : 255;
        }
    }
}

double net_targets(const struct sn_graph *g, int head, uint64_t seed, int rows, sn_real *t) {
    struct sn_stream s;
    sn_stream_init(&s, seed, 3, 0);
    int tasks = (int)g->nodes[g->heads[head].logits].out.ch;
    double seen = 0;
    for (int i = 0; i < rows; i++) {
        int klass = (int)sn_stream_below(&s, (uint64_t)tasks);
        for (int k = 0; k < tasks; k++) {
            sn_real *v = &t[(int64_t)i * tasks + k];
            if (g->heads[head].loss == SN_LOSS_CCE)
                *v = k == klass;
            else
                *v = g->heads[head].loss == SN_LOSS_BCE ? (sn_real)sn_stream_below(&s, 2) : (sn_real)(float)sn_stream_normal(&s);
            if (g->heads[head].loss != SN_LOSS_CCE && i > 0 && sn_stream_below(&s, 5) == 0) *v = (sn_real)NAN;
            seen += !isnan((double)*v) && (g->heads[head].loss != SN_LOSS_CCE || k == 0);
        }
    }
    return seen;
}

struct sn_plan_options net_plan(const struct net *n, enum sn_mode mode, int rows) {
    static float lut32[256 * 4];
    static sn_real lut[256 * 4];
    static uint8_t sym[256];
    sn_alphabet_lut(dna(), SN_N_MEAN, lut32, sym);
    for (int i = 0; i < 256 * 4; i++) lut[i] = lut32[i];
    return (struct sn_plan_options){.mode = mode,
                                    .max_len = n->longest,
                                    .max_rows = rows,
                                    .max_pairs = rows,
                                    .leaves = 8,
                                    .var = n->length == 0,
                                    .fuse = true,
                                    .sym = sym,
                                    .lut = lut,
                                    .seed = 7};
}
