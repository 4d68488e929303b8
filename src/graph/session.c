/* A session: memory for one batch, and its input and output. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "graph/run.h"
#include "ops/common.h"

struct region {
    void *field; /* where the pointer goes */
    size_t bytes;
};

static int widest_head(const struct sn_plan *p) {
    int64_t t = 1;
    for (int h = 0; h < p->graph->n_heads; h++) {
        int64_t ch = p->graph->nodes[p->graph->heads[h].logits].out.ch;
        if (ch > t) t = ch;
    }
    return (int)t;
}

/* Device regions of a session; the list serves to take and to give back. */
static int regions(struct sn_session *s, struct region r[16]) {
    const struct sn_plan *p = s->plan;
    size_t rows = (size_t)p->o.max_rows, pairs = (size_t)(p->o.mode == SN_ATTRIBUTE ? p->o.max_pairs : 0),
           nodes = (size_t)p->graph->n_nodes;
    size_t tasks = (size_t)widest_head(p), train = p->o.mode == SN_TRAIN;
    int n = 0;
    r[n++] = (struct region){&s->act, p->act_bytes};
    r[n++] = (struct region){&s->partial, p->partial_bytes};
    r[n++] = (struct region){&s->weight_partial, p->weight_partial_bytes};
    r[n++] = (struct region){&s->worker_mem, s->worker_stride * (size_t)s->workers};
    r[n++] = (struct region){&s->codes, rows * s->codes_row};
    r[n++] = (struct region){&s->len, nodes * rows * sizeof *s->len};
    r[n++] = (struct region){&s->pair_len, nodes * pairs * sizeof *s->pair_len};
    r[n++] = (struct region){&s->ids, rows * sizeof *s->ids};
    r[n++] = (struct region){&s->row_x, pairs * sizeof *s->row_x};
    r[n++] = (struct region){&s->row_ref, pairs * sizeof *s->row_ref};
    r[n++] = (struct region){&s->targets, train * rows * tasks * sizeof(sn_real)};
    r[n++] = (struct region){&s->sample_w, train * rows * sizeof(sn_real)};
    r[n++] = (struct region){&s->class_w, train * 2 * tasks * sizeof(sn_real)};
    r[n++] = (struct region){&s->loss, train * rows * sizeof(sn_real)};
    r[n++] = (struct region){&s->bad, sizeof *s->bad};
    return n;
}

static int alloc_host(struct sn_session *s) {
    const struct sn_plan *p = s->plan;
    size_t rows = (size_t)p->o.max_rows, pairs = (size_t)(p->o.mode == SN_ATTRIBUTE ? p->o.max_pairs : 0),
           nodes = (size_t)p->graph->n_nodes;
    s->host_len = sn_calloc(nodes * rows, sizeof *s->host_len);
    s->host_pair_len = sn_calloc(nodes * pairs, sizeof *s->host_pair_len);
    s->row_len = sn_calloc(nodes, sizeof *s->row_len);
    s->host_ids = sn_calloc(rows, sizeof *s->host_ids);
    s->host_loss = sn_calloc(rows, sizeof *s->host_loss);
    s->row_codes = sn_calloc((size_t)p->o.max_len, 1);
    return s->row_codes && s->host_len && s->host_pair_len && s->row_len && s->host_ids && s->host_loss ? 0 : SEQNET_ENOMEM;
}

int sn_session_create(struct sn_plan *p, struct sn_pool *pool, struct sn_session **out) {
    *out = NULL;
    struct sn_session *s = sn_calloc(1, sizeof *s);
    if (!s) return SEQNET_ENOMEM;
    s->plan = p, s->pool = pool;
    s->workers = sn_pool_size(pool);
    s->worker_stride = p->local_bytes + p->ws_bytes + p->weight_ws_bytes + SN_ALIGN;
    s->codes_row = sn_align_up((size_t)p->o.max_len);
    struct region r[16];
    int rc = 0;
    SN_GO(alloc_host(s));
    for (int i = 0, n = regions(s, r); i < n; i++) {
        void *v;
        SN_GO(p->backend->alloc(p->backend, r[i].bytes, &v));
        memcpy(r[i].field, &v, sizeof v);
    }
    *out = s;
    return 0;
done:
    sn_session_free(s);
    return rc;
}

void sn_session_free(struct sn_session *s) {
    if (!s) return;
    struct region r[16];
    for (int i = 0, n = regions(s, r); i < n; i++) {
        void *v;
        memcpy(&v, r[i].field, sizeof v);
        if (v) s->plan->backend->release(s->plan->backend, v, r[i].bytes);
    }
    free(s->host_len);
    free(s->host_pair_len);
    free(s->row_len);
    free(s->host_ids);
    free(s->host_loss);
    free(s->row_codes);
    free(s);
}

static int set_lengths(struct sn_session *s, const struct sn_batch *b) {
    const struct sn_plan *p = s->plan;
    int64_t last = -1;
    for (int i = 0; i < b->n; i++) {
        int64_t len = b->len ? b->len[i] : p->o.max_len;
        if (len > p->o.max_len || (!p->o.var && len != p->o.max_len))
            return sn_error(SEQNET_ESHAPE, "row %d has %lld positions, the plan takes %s%lld", i, (long long)len,
                            p->o.var ? "at most " : "", (long long)p->o.max_len);
        if (len != last) SN_TRY(sn_graph_lengths(p->graph, len, s->row_len));
        last = len;
        for (int k = 0; k < p->graph->n_nodes; k++) s->host_len[(size_t)k * (size_t)p->o.max_rows + (size_t)i] = s->row_len[k];
    }
    p->backend->upload(p->backend, s->len, s->host_len, (size_t)p->graph->n_nodes * (size_t)p->o.max_rows * sizeof *s->len);
    return 0;
}

static void upload_values(struct sn_session *s, const struct sn_batch *b) {
    const struct sn_plan *p = s->plan;
    const struct sn_buffer *bf = &p->buffers[p->place[0].value];
    size_t bytes = (size_t)p->o.max_len * (size_t)p->graph->channels * sizeof(sn_real);
    for (int i = 0; i < b->n; i++)
        p->backend->upload(p->backend, s->act + bf->offset + (size_t)i * bf->row_bytes, (const char *)b->values + (size_t)i * bytes, bytes);
}

/* Codes of a batch that is filled row by row: in the first stage, when its tiles are rows and the memory is ours to write. */
static void take_filler(struct sn_session *s, const struct sn_batch *b) {
    struct sn_backend *backend = s->plan->backend;
    if (backend->host_memory && s->plan->stages[0].split == SN_SPLIT_SAMPLE) {
        s->fill = b->fill, s->filler = b->filler;
        return;
    }
    for (int i = 0; i < b->n; i++) {
        b->fill(b->filler, i, s->row_codes);
        backend->upload(backend, s->codes + (size_t)i * s->codes_row, s->row_codes, (size_t)s->host_len[i]);
    }
}

int sn_session_set_batch(struct sn_session *s, const struct sn_batch *b, int64_t step) {
    const struct sn_plan *p = s->plan;
    s->ran = false;
    if (b->n < 1 || b->n > p->o.max_rows) return sn_error(SEQNET_EINVAL, "batch of %d rows, the plan takes 1..%d", b->n, p->o.max_rows);
    if (p->o.values != (b->values != NULL))
        return sn_error(SEQNET_EINVAL, "the plan expects %s as input", p->o.values ? "values" : "codes");
    SN_TRY(set_lengths(s, b));
    s->n = b->n, s->step = step;
    for (int i = 0; i < b->n; i++) s->host_ids[i] = b->ids ? b->ids[i] : i;
    p->backend->upload(p->backend, s->ids, s->host_ids, (size_t)b->n * sizeof *s->ids);
    if (p->o.values) upload_values(s, b);
    s->fill = NULL;
    if (b->fill) take_filler(s, b);
    for (int i = 0; i < b->n && b->codes; i++)
        p->backend->upload(p->backend, s->codes + (size_t)i * s->codes_row, b->codes + i * b->code_row, (size_t)s->host_len[i]);
    return 0;
}

int sn_session_forward(struct sn_session *s, const struct sn_batch *b, int64_t step) {
    SN_TRY(sn_session_set_batch(s, b, step));
    SN_TRY(sn_run_stages(s, false));
    s->fill = NULL;
    s->ran = true;
    return 0;
}

static int need_run(const struct sn_session *s) {
    return s->ran ? 0 : sn_error(SEQNET_EINVAL, "no forward pass has run on this session");
}

/* Downloads rows of a buffer without their padding. */
static void download_rows(struct sn_session *s, int buffer, int rows, size_t bytes, sn_real *out) {
    const struct sn_buffer *b = &s->plan->buffers[buffer];
    for (int i = 0; i < rows; i++)
        s->plan->backend->download(s->plan->backend, (char *)out + (size_t)i * bytes, s->act + b->offset + (size_t)i * b->row_bytes, bytes);
}

static int check_head(const struct sn_session *s, int head) {
    if (head >= 0 && head < s->plan->graph->n_heads) return 0;
    return sn_error(SEQNET_EINVAL, "head %d, the model has %d", head, s->plan->graph->n_heads);
}

int sn_session_output(struct sn_session *s, int head, bool logits, sn_real *out) {
    SN_TRY(need_run(s));
    SN_TRY(check_head(s, head));
    const struct sn_head *h = &s->plan->graph->heads[head];
    int node = logits ? h->logits : h->node;
    if (!s->plan->place[node].visible) return sn_error(SEQNET_EINVAL, "the plan does not compute the head's output, only its logits");
    download_rows(s, s->plan->place[node].value, s->n, (size_t)s->plan->graph->nodes[node].out.ch * sizeof(sn_real), out);
    return 0;
}

static bool value_lives(const struct sn_plan *p, int node) {
    if (!sn_place_has_value(p, node) || p->place[node].value < 0) return false;
    const struct sn_buffer *b = &p->buffers[p->place[node].value];
    return !b->local && b->first_stage >= 0 && (b->pinned || b->last_stage > p->n_forward);
}

int sn_session_value(struct sn_session *s, int node, sn_real *out) {
    SN_TRY(need_run(s));
    const struct sn_plan *p = s->plan;
    if (node < 0 || node >= p->graph->n_nodes || !value_lives(p, node))
        return sn_error(SEQNET_EINVAL, "node %d is not kept by this plan", node);
    download_rows(s, p->place[node].value, s->n, (size_t)sn_elements(&p->graph->nodes[node].out) * sizeof(sn_real), out);
    return 0;
}

/* Sum of a row vector: rows in order inside a leaf, leaves in a balanced tree. */
static double sum_by_leaves(const struct sn_session *s, const double *v) {
    double leaf[1024];
    int leaves = s->plan->o.leaves;
    for (int l = 0; l < leaves; l++) {
        int r0, r1;
        sn_leaf_rows(s->n, leaves, l, &r0, &r1);
        leaf[l] = 0;
        for (int i = r0; i < r1; i++) leaf[l] += v[i];
    }
    for (int step = 1; step < leaves; step *= 2)
        for (int i = 0; i + step < leaves; i += 2 * step) leaf[i] += leaf[i + step];
    return leaf[0];
}

int sn_session_loss(struct sn_session *s, int head, const struct sn_targets *t, bool grad, double *loss) {
    SN_TRY(need_run(s));
    SN_TRY(check_head(s, head));
    struct sn_plan *p = s->plan;
    if (p->o.mode != SN_TRAIN) return sn_error(SEQNET_EINVAL, "a loss needs a training plan");
    if (!(t->denominator > 0)) return sn_error(SEQNET_EDATA, "the batch has no target for head \"%s\"", p->graph->heads[head].name);
    const struct sn_head *h = &p->graph->heads[head];
    size_t n = (size_t)s->n, tasks = (size_t)p->graph->nodes[h->logits].out.ch, weights = h->loss == SN_LOSS_BCE ? 2 * tasks : tasks;
    struct sn_backend *b = p->backend;
    b->upload(b, s->targets, t->t, n * tasks * sizeof(sn_real));
    if (t->w) b->upload(b, s->sample_w, t->w, n * sizeof(sn_real));
    if (t->cw) b->upload(b, s->class_w, t->cw, weights * sizeof(sn_real));
    SN_TRY(sn_run_loss(s, head, t, grad));
    sn_real *rows = (sn_real *)s->host_loss; /* double is no smaller */
    b->download(b, rows, s->loss, n * sizeof(sn_real));
    for (size_t i = n; i-- > 0;) s->host_loss[i] = (double)rows[i];
    *loss += h->weight * sum_by_leaves(s, s->host_loss) / t->denominator;
    return 0;
}

int sn_session_backward(struct sn_session *s) {
    SN_TRY(need_run(s));
    if (s->plan->o.mode != SN_TRAIN) return sn_error(SEQNET_EINVAL, "a backward pass needs a training plan");
    SN_TRY(sn_run_clear_gradients(s));
    return sn_run_stages(s, true);
}

int sn_session_input_grad(struct sn_session *s, sn_real *out) {
    SN_TRY(need_run(s));
    const struct sn_plan *p = s->plan;
    if (p->place[0].grad_out < 0 || !p->o.values) return sn_error(SEQNET_EINVAL, "the plan has no gradient of the input");
    download_rows(s, p->place[0].grad_out, s->n, (size_t)sn_elements(&p->graph->nodes[0].out) * sizeof(sn_real), out);
    return 0;
}

static int set_pairs(struct sn_session *s, const struct sn_attr *a) {
    const struct sn_plan *p = s->plan;
    size_t rows = (size_t)p->o.max_rows, pairs = (size_t)p->o.max_pairs, nodes = (size_t)p->graph->n_nodes;
    if (a->n_pairs < 1 || a->n_pairs > p->o.max_pairs)
        return sn_error(SEQNET_EINVAL, "%d pairs, the plan takes 1..%d", a->n_pairs, p->o.max_pairs);
    for (int i = 0; i < a->n_pairs; i++) {
        if (a->row_x[i] < 0 || a->row_x[i] >= s->n || a->row_ref[i] < 0 || a->row_ref[i] >= s->n)
            return sn_error(SEQNET_EINVAL, "pair %d names row %d and %d of %d", i, a->row_x[i], a->row_ref[i], s->n);
        if (s->host_len[a->row_x[i]] != s->host_len[a->row_ref[i]])
            return sn_error(SEQNET_ESHAPE, "a reference of %d positions for a sequence of %d", s->host_len[a->row_ref[i]],
                            s->host_len[a->row_x[i]]);
        for (size_t k = 0; k < nodes; k++) s->host_pair_len[k * pairs + (size_t)i] = s->host_len[k * rows + (size_t)a->row_x[i]];
    }
    p->backend->upload(p->backend, s->pair_len, s->host_pair_len, nodes * pairs * sizeof *s->pair_len);
    p->backend->upload(p->backend, s->row_x, a->row_x, (size_t)a->n_pairs * sizeof *s->row_x);
    p->backend->upload(p->backend, s->row_ref, a->row_ref, (size_t)a->n_pairs * sizeof *s->row_ref);
    s->n_pairs = a->n_pairs;
    return 0;
}

static void set_seeds(struct sn_session *s, const struct sn_attr *a) {
    struct sn_plan *p = s->plan;
    for (int h = 0; h < p->graph->n_heads; h++) {
        const struct sn_buffer *b = &p->buffers[p->head_grad[h]];
        size_t ch = (size_t)p->graph->nodes[p->graph->heads[h].logits].out.ch;
        char *to = s->act + b->offset;
        p->backend->kernels.fill(
            &(struct sn_fill){.p = (sn_real *)to, .n = (int64_t)((size_t)a->n_pairs * b->row_bytes / sizeof(sn_real))});
        for (int i = 0; i < a->n_pairs && h == a->head; i++)
            p->backend->upload(p->backend, to + (size_t)i * b->row_bytes, a->seeds + (size_t)i * ch, ch * sizeof(sn_real));
    }
}

int sn_session_attribute(struct sn_session *s, const struct sn_attr *a, sn_real *multipliers) {
    SN_TRY(need_run(s));
    SN_TRY(check_head(s, a->head));
    const struct sn_plan *p = s->plan;
    if (p->o.mode != SN_ATTRIBUTE) return sn_error(SEQNET_EINVAL, "attribution needs an attribution plan");
    SN_TRY(set_pairs(s, a));
    set_seeds(s, a);
    SN_TRY(sn_run_stages(s, true));
    size_t row = (size_t)sn_elements(&p->graph->nodes[0].out) * sizeof(sn_real);
    for (int i = 0; i < a->n_pairs; i++) /* nothing is computed beyond a pair's length */
        if (s->host_pair_len[i] < p->o.max_len) memset((char *)multipliers + (size_t)i * row, 0, row);
    const struct sn_buffer *b = &p->buffers[p->place[0].grad_out];
    for (int i = 0; i < a->n_pairs; i++)
        p->backend->download(p->backend, (char *)multipliers + (size_t)i * row, s->act + b->offset + (size_t)i * b->row_bytes,
                             (size_t)s->host_pair_len[i] * (size_t)p->graph->channels * sizeof(sn_real));
    return 0;
}

static bool finite_value(struct sn_session *s, int node) {
    struct sn_plan *p = s->plan;
    struct sn_exec x = {.plan = p, .s = s};
    int bad = 0;
    p->backend->upload(p->backend, s->bad, &bad, sizeof bad);
    p->backend->kernels.finite(&(struct sn_finite){.n = s->n, .x = sn_x_out(&x, &p->graph->nodes[node], 0), .bad = s->bad});
    p->backend->download(p->backend, &bad, s->bad, sizeof bad);
    return !bad;
}

static bool finite_weights(struct sn_session *s, const struct sn_node *nd) {
    struct sn_plan *p = s->plan;
    for (int w = 0; w < nd->n_weights; w++) {
        sn_real *v = p->params + nd->weight_offset[w];
        sn_real probe[256];
        int64_t n = sn_weight_count(&nd->weights[w]);
        for (int64_t i = 0; i < n; i += 256) {
            int64_t m = n - i < 256 ? n - i : 256;
            p->backend->download(p->backend, probe, v + i, (size_t)m * sizeof *probe);
            for (int64_t k = 0; k < m; k++)
                if (!(probe[k] - probe[k] == 0)) return false;
        }
    }
    return true;
}

const char *sn_session_nonfinite(struct sn_session *s) {
    const struct sn_plan *p = s->plan;
    for (int i = 0; i < p->graph->n_nodes; i++)
        if (!finite_weights(s, &p->graph->nodes[i])) return p->graph->nodes[i].name;
    for (int i = 0; i < p->graph->n_nodes && s->ran; i++)
        if (value_lives(p, i) && !finite_value(s, i)) return p->graph->nodes[i].name;
    return NULL;
}
