#include "model/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "model/doc.h"

#define FORMAT "seqnet 1"
#define CHUNK 16384 /* values converted at a time */

/* ---- reading ---- */

static int pread_all(const struct sn_st_file *f, void *dst, size_t n, size_t at) {
    char *p = dst;
    while (n > 0) {
        ssize_t got = pread(f->fd, p, n, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return sn_error_errno(f->path, "cannot read");
        if (got == 0) return sn_error(SEQNET_EIO, "%s: became shorter while it was read", f->path);
        p += got, at += (size_t)got, n -= (size_t)got;
    }
    return 0;
}

static int bad(const struct sn_st_file *f, const char *tensor, const char *what) {
    struct sn_doc name = {.kind = SN_DOC_SCALAR, .text = (char *)tensor};
    char buf[64];
    return sn_error(SEQNET_EMODEL, "%s: tensor \"%s\": %s", f->path, sn_doc_show(&name, buf), what);
}

static bool get_size(const json_t *j, size_t *out) {
    if (!json_is_integer(j) || json_integer_value(j) < 0) return false;
    *out = (size_t)json_integer_value(j);
    return true;
}

static int parse_shape(const struct sn_st_file *f, const json_t *j, struct sn_st_tensor *t, size_t *bytes) {
    if (!json_is_array(j) || json_array_size(j) > SN_ST_MAX_RANK) return bad(f, t->name, "shape must be a list of at most 8 numbers");
    t->rank = (int)json_array_size(j);
    *bytes = sizeof(float);
    for (int i = 0; i < t->rank; i++) {
        size_t dim;
        if (!get_size(json_array_get(j, (size_t)i), &dim)) return bad(f, t->name, "shape must hold integers of at least 0");
        if (!sn_mul_size(*bytes, dim, bytes)) return bad(f, t->name, "shape is too large");
        t->shape[i] = (int64_t)dim;
    }
    return 0;
}

static int parse_tensor(struct sn_st_file *f, const char *name, const json_t *j) {
    void *v = f->tensors;
    SN_TRY(sn_grow(&v, &f->cap, f->n + 1, sizeof *f->tensors));
    f->tensors = v;
    struct sn_st_tensor *t = &f->tensors[f->n];
    *t = (struct sn_st_tensor){.name = sn_strdup(name)};
    if (!t->name) return SEQNET_ENOMEM;
    f->n++;
    const json_t *dtype = json_object_get(j, "dtype"), *shape = json_object_get(j, "shape"), *at = json_object_get(j, "data_offsets");
    if (json_object_size(j) != 3 || !dtype || !shape || !at) return bad(f, name, "expected exactly dtype, shape and data_offsets");
    if (!json_is_string(dtype) || strcmp(json_string_value(dtype), "F32") != 0) {
        const char *got = json_is_string(dtype) && strlen(json_string_value(dtype)) < 16 ? json_string_value(dtype) : "something else";
        return sn_error(SEQNET_EMODEL, "%s: tensor \"%.60s\": dtype must be F32, got %s", f->path, name, got);
    }
    size_t bytes;
    SN_TRY(parse_shape(f, shape, t, &bytes));
    if (!json_is_array(at) || json_array_size(at) != 2 || !get_size(json_array_get(at, 0), &t->begin) ||
        !get_size(json_array_get(at, 1), &t->end))
        return bad(f, name, "data_offsets must be two integers of at least 0");
    if (t->begin > t->end || t->end > f->data_bytes) return bad(f, name, "data_offsets lie outside the file");
    if (t->end - t->begin != bytes) return bad(f, name, "data_offsets do not agree with the shape");
    return 0;
}

static int parse_metadata(struct sn_st_file *f, const json_t *j) {
    const char *key;
    json_t *value;
    if (!json_is_object(j)) return sn_error(SEQNET_EMODEL, "%s: __metadata__ must be a map of texts", f->path);
    json_object_foreach((json_t *)j, key, value) {
        if (!json_is_string(value)) return sn_error(SEQNET_EMODEL, "%s: __metadata__: \"%.60s\" must be a text", f->path, key);
        char **to = strcmp(key, "seqnet_identity") == 0 ? &f->identity : strcmp(key, "seqnet_provenance") == 0 ? &f->provenance : NULL;
        if (to && !(*to = sn_strdup(json_string_value(value)))) return SEQNET_ENOMEM;
    }
    return 0;
}

static int by_place(const void *a, const void *b) {
    const struct sn_st_tensor *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* Sorted, the tensors must follow each other from the first byte to the last. */
static int check_tiles(struct sn_st_file *f) {
    size_t at = 0;
    if (f->n) qsort(f->tensors, f->n, sizeof *f->tensors, by_place);
    for (size_t i = 0; i < f->n; i++) {
        if (f->tensors[i].begin != at)
            return bad(f, f->tensors[i].name, at > f->tensors[i].begin ? "overlaps another one" : "a hole lies before it");
        at = f->tensors[i].end;
    }
    if (at != f->data_bytes) return sn_error(SEQNET_EMODEL, "%s: %zu bytes behind the last tensor", f->path, f->data_bytes - at);
    return 0;
}

static int parse_header(struct sn_st_file *f, const char *text, size_t n) {
    struct sn_doc_source source = {.origin = f->path, .code = SEQNET_EMODEL};
    const char *key;
    json_t *value, *root;
    int rc = 0;
    if (text[0] != '{') return sn_error(SEQNET_EMODEL, "%s: not a model file (safetensors): the header does not begin with '{'", f->path);
    SN_TRY(sn_json_load(text, n, &source, "the header", &root));
    json_object_foreach(root, key, value) {
        rc = strcmp(key, "__metadata__") == 0 ? parse_metadata(f, value) : parse_tensor(f, key, value);
        if (rc < 0) break;
    }
    json_decref(root);
    return rc < 0 ? rc : check_tiles(f);
}

static int read_header(struct sn_st_file *f) {
    struct stat st;
    unsigned char head[8];
    uint64_t n = 0;
    if (fstat(f->fd, &st) != 0) return sn_error_errno(f->path, "cannot read");
    if (!S_ISREG(st.st_mode))
        return sn_error(SEQNET_EIO, "%s: expected a model file, got %s", f->path, S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
    uint64_t size = (uint64_t)st.st_size;
    if (size < sizeof head + 2)
        return sn_error(SEQNET_EMODEL, "%s: %llu bytes: too short for a model file", f->path, (unsigned long long)size);
    SN_TRY(pread_all(f, head, sizeof head, 0));
    for (int i = 7; i >= 0; i--) n = n << 8 | head[i];
    if (n > SN_ST_MAX_HEADER || n < 2)
        return sn_error(SEQNET_EMODEL, "%s: not a model file (safetensors): a header of %llu bytes, at most %zu are allowed", f->path,
                        (unsigned long long)n, SN_ST_MAX_HEADER);
    if (n > size - sizeof head)
        return sn_error(SEQNET_EMODEL, "%s: truncated: the header has %llu bytes, the file %llu", f->path, (unsigned long long)n,
                        (unsigned long long)size);
    f->data_start = sizeof head + (size_t)n;
    f->data_bytes = (size_t)size - f->data_start;
    char *text = malloc((size_t)n);
    if (!text) return sn_error(SEQNET_ENOMEM, "out of memory: %llu bytes", (unsigned long long)n);
    int rc = pread_all(f, text, (size_t)n, sizeof head);
    if (rc == 0) rc = parse_header(f, text, (size_t)n);
    free(text);
    return rc;
}

int sn_st_open(const char *path, struct sn_st_file *f) {
    *f = (struct sn_st_file){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (f->fd < 0) return sn_error_errno(path, "cannot open");
    int rc = read_header(f);
    if (rc < 0) sn_st_close(f);
    return rc;
}

void sn_st_close(struct sn_st_file *f) {
    for (size_t i = 0; i < f->n; i++) free(f->tensors[i].name);
    free(f->tensors);
    free(f->identity);
    free(f->provenance);
    if (f->fd >= 0) close(f->fd);
    *f = (struct sn_st_file){.fd = -1};
}

struct sn_st_tensor *sn_st_find(const struct sn_st_file *f, const char *name) {
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->tensors[i].name, name) == 0) return &f->tensors[i];
    return NULL;
}

int sn_st_read(const struct sn_st_file *f, const struct sn_st_tensor *t, sn_real *dst, uint32_t *crc, bool *finite) {
    float *chunk = malloc(CHUNK * sizeof *chunk);
    if (!chunk) return sn_error(SEQNET_ENOMEM, "out of memory");
    *crc = 0;
    *finite = true;
    int rc = 0;
    for (size_t at = t->begin; at < t->end && rc == 0;) {
        size_t n = (t->end - at) / sizeof *chunk;
        if (n > CHUNK) n = CHUNK;
        rc = pread_all(f, chunk, n * sizeof *chunk, f->data_start + at);
        if (rc < 0) break;
        *crc = sn_crc32c(*crc, chunk, n * sizeof *chunk);
        for (size_t i = 0; i < n; i++) {
            *finite = *finite && isfinite(chunk[i]);
            *dst++ = chunk[i];
        }
        at += n * sizeof *chunk;
    }
    free(chunk);
    return rc;
}

/* ---- writing ---- */

static const float *as_float(const sn_real *p, int64_t n, float *chunk) {
    for (int64_t i = 0; i < n; i++) chunk[i] = (float)p[i];
    return chunk;
}

uint32_t sn_st_crc(uint32_t crc, const sn_real *p, int64_t n) {
    float chunk[1024];
    for (int64_t i = 0; i < n; i += 1024) {
        int64_t m = n - i < 1024 ? n - i : 1024;
        crc = sn_crc32c(crc, as_float(p + i, m, chunk), (size_t)m * sizeof *chunk);
    }
    return crc;
}

int sn_st_begin(struct sn_st_header *h, const char *identity, const char *provenance) {
    *h = (struct sn_st_header){0};
    SN_TRY(sn_str_puts(&h->text, "{\"__metadata__\":{\"format\":\"" FORMAT "\",\"seqnet_identity\":"));
    SN_TRY(sn_json_string(&h->text, identity));
    SN_TRY(sn_json_key(&h->text, "seqnet_provenance"));
    SN_TRY(sn_json_string(&h->text, provenance));
    return sn_str_puts(&h->text, "}");
}

int sn_st_add(struct sn_st_header *h, const char *name, const int64_t *shape, int rank) {
    size_t bytes = sizeof(float);
    SN_TRY(sn_json_key(&h->text, name));
    SN_TRY(sn_str_puts(&h->text, "{\"dtype\":\"F32\",\"shape\":["));
    for (int i = 0; i < rank; i++) {
        SN_TRY(sn_str_printf(&h->text, "%s%lld", i ? "," : "", (long long)shape[i]));
        if (!sn_mul_size(bytes, (size_t)shape[i], &bytes)) return sn_error(SEQNET_EINTERNAL, "tensor %s is too large", name);
    }
    size_t end = h->bytes + bytes;
    SN_TRY(sn_str_printf(&h->text, "],\"data_offsets\":[%zu,%zu]}", h->bytes, end));
    h->bytes = end;
    return 0;
}

static int write_values(struct sn_outfile *out, const sn_real *values, size_t n) {
    float *chunk = malloc(CHUNK * sizeof *chunk);
    if (!chunk) return sn_error(SEQNET_ENOMEM, "out of memory");
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i += CHUNK) {
        size_t m = n - i < CHUNK ? n - i : CHUNK;
        rc = sn_outfile_write(out, as_float(values + i, (int64_t)m, chunk), m * sizeof *chunk);
    }
    free(chunk);
    return rc;
}

int sn_st_write(struct sn_st_header *h, const char *path, const sn_real *values) {
    struct sn_outfile *out = NULL;
    unsigned char head[8];
    int rc;
    SN_TRY(sn_str_puts(&h->text, "}"));
    while (h->text.n % 8 != 0) SN_TRY(sn_str_puts(&h->text, " "));
    if (h->text.n > SN_ST_MAX_HEADER)
        return sn_error(SEQNET_EMODEL, "%s: the model's header would have %zu bytes, at most %zu are allowed", path, h->text.n,
                        SN_ST_MAX_HEADER);
    for (int i = 0; i < 8; i++) head[i] = (unsigned char)((uint64_t)h->text.n >> (8 * i));
    SN_TRY(sn_outfile_open(path, &out));
    SN_GO(sn_outfile_write(out, head, sizeof head));
    SN_GO(sn_outfile_write(out, h->text.s, h->text.n));
    SN_GO(write_values(out, values, h->bytes / sizeof(float)));
done:
    if (rc == 0) return sn_outfile_commit(out);
    sn_outfile_abort(out);
    return rc;
}

void sn_st_header_free(struct sn_st_header *h) {
    sn_str_free(&h->text);
}
