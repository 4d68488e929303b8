/* The table of epochs: appended line by line, so that it can be followed; every write is checked. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/parse.h"
#include "train/parts.h"

struct sn_train_log {
    char *path;
    int fd;
    bool begun; /* the header is written */
};

int sn_train_log_open(const char *path, struct sn_train_log **out) {
    *out = NULL;
    if (!path) return 0;
    struct sn_train_log *l = sn_calloc(1, sizeof *l);
    if (!l) return SEQNET_ENOMEM;
    bool to_stdout = strcmp(path, "-") == 0;
    l->path = sn_strdup(to_stdout ? "stdout" : path);
    l->fd = to_stdout ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (!l->path || l->fd < 0) {
        int rc = l->path ? sn_error_errno(l->path, "cannot open for writing") : SEQNET_ENOMEM;
        if (l->fd >= 0) close(l->fd);
        free(l->path);
        free(l);
        return rc;
    }
    *out = l;
    return 0;
}

static int write_all(struct sn_train_log *l, const char *p, size_t n) {
    while (n > 0) {
        ssize_t w = write(l->fd, p, n);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return sn_error_errno(l->path, "cannot write");
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

static int put_number(struct sn_str *b, double v) {
    char digits[32];
    return sn_str_printf(b, "\t%s", isfinite(v) ? sn_format_f64(v, digits) : "NA");
}

static int put_header(struct sn_str *b, const struct sn_epoch *e) {
    SN_TRY(sn_str_puts(b, "epoch\tstep\tlearning_rate\ttrain_loss\tval_loss"));
    for (int i = 0; i < e->valid.n_metrics; i++) SN_TRY(sn_str_printf(b, "\tval_%s", e->valid.mean[i].name));
    return sn_str_puts(b, "\tseconds\tsequences_per_second\n");
}

static int put_epoch(struct sn_str *b, const struct sn_epoch *e) {
    SN_TRY(sn_str_printf(b, "%d\t%lld", e->epoch, (long long)e->step));
    SN_TRY(put_number(b, e->learning_rate));
    SN_TRY(put_number(b, e->train_loss));
    SN_TRY(put_number(b, e->valid.loss));
    for (int i = 0; i < e->valid.n_metrics; i++) SN_TRY(put_number(b, e->valid.mean[i].value));
    return sn_str_printf(b, "\t%.3f\t%.1f\n", e->seconds, e->rate);
}

int sn_train_log_epoch(struct sn_train_log *l, const struct sn_epoch *e) {
    struct sn_str line = {0};
    int rc = 0;
    if (!l) return 0;
    if (!l->begun) SN_GO(put_header(&line, e));
    SN_GO(put_epoch(&line, e));
    SN_GO(write_all(l, line.s, line.n));
    l->begun = true;
done:
    sn_str_free(&line);
    return rc;
}

int sn_train_log_close(struct sn_train_log *l) {
    if (!l) return 0;
    int rc = close(l->fd) != 0 ? sn_error_errno(l->path, "cannot write") : 0;
    free(l->path);
    free(l);
    return rc;
}
