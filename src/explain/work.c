/* explain.work: what is finished of a run, in the order of the sequences, so that an interrupted one can go on. A header with digests of
 * models, options and sequences; then per sequence its tasks' results and contributions and a checksum. A record that a kill cut short is
 * dropped. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/mem.h"
#include "explain/work.h"

#define MAGIC "seqnet explain 1\n"

struct header {
    char magic[24];
    struct sn_work_key key;
    int64_t sequences, tasks, channels;
};

struct result {
    double output, expected, residual;
    int32_t only_arrangement, missed;
};

struct sn_work {
    char *path;
    int fd;
    const struct sn_dataset *d;
    int tasks, channels;
    int64_t done;
    uint8_t *record; /* of the longest sequence */
};

/* ---- places ---- */

static int64_t floats(const struct sn_work *w, int64_t bases) {
    return 2 * bases * w->channels;
}

static int64_t task_bytes(const struct sn_work *w, int64_t bases) {
    return (int64_t)sizeof(struct result) + floats(w, bases) * (int64_t)sizeof(float);
}

static int64_t record_bytes(const struct sn_work *w, int64_t i) {
    return w->tasks * task_bytes(w, sn_dataset_len(w->d, i)) + (int64_t)sizeof(uint32_t);
}

static int64_t record_at(const struct sn_work *w, int64_t i) {
    int64_t each = w->tasks * (int64_t)sizeof(struct result) + (int64_t)sizeof(uint32_t);
    return (int64_t)sizeof(struct header) + i * each + w->tasks * floats(w, w->d->offset[i]) * (int64_t)sizeof(float);
}

/* ---- bytes ---- */

static int write_at(const struct sn_work *w, const void *data, int64_t n, int64_t at) {
    const char *p = data;
    while (n > 0) {
        ssize_t got = pwrite(w->fd, p, (size_t)n, at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return sn_error_errno(w->path, "cannot write");
        p += got, n -= got, at += got;
    }
    return 0;
}

/* 1: all n bytes; 0: the file ends before. */
static int read_at(const struct sn_work *w, void *data, int64_t n, int64_t at) {
    char *p = data;
    while (n > 0) {
        ssize_t got = pread(w->fd, p, (size_t)n, at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return sn_error_errno(w->path, "cannot read");
        if (got == 0) return 0;
        p += got, n -= got, at += got;
    }
    return 1;
}

/* ---- opening ---- */

static struct header header_of(const struct sn_work *w, const struct sn_work_key *key) {
    return (struct header){.magic = MAGIC, .key = *key, .sequences = w->d->n, .tasks = w->tasks, .channels = w->channels};
}

static int refuse(const struct sn_work *w, const char *what) {
    return sn_error(SEQNET_EINVAL, "%s: the run that is to go on had other %s; repeat its command, or remove the file", w->path, what);
}

static int check_header(const struct sn_work *w, const struct sn_work_key *key) {
    struct header h, want = header_of(w, key);
    int whole = read_at(w, &h, sizeof h, 0);
    SN_TRY(whole);
    if (!whole || memcmp(h.magic, want.magic, sizeof h.magic) != 0)
        return sn_error(SEQNET_EFORMAT, "%s: expected what an interrupted run left, got something else; remove the file", w->path);
    if (h.key.models != key->models) return refuse(w, "models");
    if (h.key.options != key->options || h.tasks != w->tasks || h.channels != w->channels) return refuse(w, "options");
    if (h.key.input != key->input || h.sequences != w->d->n) return refuse(w, "sequences");
    return 0;
}

/* Whole records with true checksums, from the first on. */
static int count_records(struct sn_work *w) {
    for (w->done = 0; w->done < w->d->n; w->done++) {
        int64_t n = record_bytes(w, w->done) - (int64_t)sizeof(uint32_t);
        uint32_t crc;
        int whole = read_at(w, w->record, n + (int64_t)sizeof crc, record_at(w, w->done));
        SN_TRY(whole);
        memcpy(&crc, w->record + n, sizeof crc);
        if (!whole || crc != sn_crc32c(0, w->record, (size_t)n)) return 0;
    }
    return 0;
}

static int open_file(struct sn_work *w, const struct sn_work_key *key, bool resume) {
    bool there = access(w->path, F_OK) == 0;
    w->fd = open(w->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (w->fd < 0) return sn_error_errno(w->path, "cannot create");
    if (there && !resume)
        return sn_error(SEQNET_EINVAL, "%s: an interrupted run left this; go on with --resume (option resume), or remove the file",
                        w->path);
    if (there) {
        SN_TRY(check_header(w, key));
        return count_records(w);
    }
    struct header h = header_of(w, key);
    return write_at(w, &h, sizeof h, 0);
}

int sn_work_open(const char *path, const struct sn_dataset *d, int tasks, int channels, const struct sn_work_key *key, bool resume,
                 struct sn_work **out) {
    struct sn_work *w = sn_calloc(1, sizeof *w);
    *out = NULL;
    if (!w) return SEQNET_ENOMEM;
    *w = (struct sn_work){.fd = -1, .d = d, .tasks = tasks, .channels = channels, .path = sn_strdup(path)};
    int64_t most = tasks * task_bytes(w, sn_dataset_longest(d)) + (int64_t)sizeof(uint32_t);
    w->record = sn_calloc((size_t)most, 1);
    int rc = w->path && w->record ? open_file(w, key, resume) : SEQNET_ENOMEM;
    if (rc < 0)
        sn_work_close(w, false);
    else
        *out = w;
    return rc;
}

void sn_work_close(struct sn_work *w, bool discard) {
    if (!w) return;
    if (w->fd >= 0) close(w->fd);
    if (discard) unlink(w->path);
    free(w->path);
    free(w->record);
    free(w);
}

int64_t sn_work_done(const struct sn_work *w) {
    return w->done;
}

/* ---- records ---- */

int sn_work_add(struct sn_work *w, const seqnet_explanation *x, const float *hypothetical, const float *actual, int64_t row) {
    int64_t len = sn_dataset_len(w->d, w->done), n = record_bytes(w, w->done) - (int64_t)sizeof(uint32_t);
    size_t part = (size_t)(len * w->channels) * sizeof(float);
    uint8_t *to = w->record;
    for (int t = 0; t < w->tasks; t++) {
        struct result r = {x[t].output, x[t].expected, x[t].residual, x[t].only_arrangement, x[t].missed};
        memcpy(to, &r, sizeof r);
        memcpy(to + sizeof r, hypothetical + t * row, part);
        memcpy(to + sizeof r + part, actual + t * row, part);
        to += sizeof r + 2 * part;
    }
    uint32_t crc = sn_crc32c(0, w->record, (size_t)n);
    memcpy(to, &crc, sizeof crc);
    SN_TRY(write_at(w, w->record, n + (int64_t)sizeof crc, record_at(w, w->done)));
    w->done++;
    return 0;
}

int sn_work_get(const struct sn_work *w, int64_t i, int task, seqnet_explanation *x, float *hypothetical, float *actual) {
    int64_t len = sn_dataset_len(w->d, i), at = record_at(w, i) + task * task_bytes(w, len);
    int64_t part = len * w->channels * (int64_t)sizeof(float);
    struct result r;
    int whole = read_at(w, &r, sizeof r, at);
    if (whole > 0) whole = read_at(w, hypothetical, part, at + (int64_t)sizeof r);
    if (whole > 0) whole = read_at(w, actual, part, at + (int64_t)sizeof r + part);
    SN_TRY(whole);
    if (!whole) return sn_error(SEQNET_EIO, "%s: ends before sequence %" PRId64, w->path, i + 1);
    *x = (seqnet_explanation){.size = sizeof *x,
                              .output = r.output,
                              .expected = r.expected,
                              .residual = r.residual,
                              .only_arrangement = r.only_arrangement,
                              .missed = r.missed};
    return 0;
}
