/* How a model was made, as JSON: command, machine, data, and what each epoch came to. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/error.h"
#include "model/doc.h"
#include "seqnet/version.h"
#include "train/parts.h"

static int put_number(struct sn_str *b, const char *key, double v) {
    SN_TRY(sn_json_key(b, key));
    return isfinite(v) ? sn_json_f64(b, v) : sn_str_puts(b, "null");
}

static int put_int(struct sn_str *b, const char *key, int64_t v) {
    SN_TRY(sn_json_key(b, key));
    return sn_str_printf(b, "%lld", (long long)v);
}

/* What is not UTF-8 (a file name on the command line) is shown with '?'. */
static int put_text(struct sn_str *b, const char *key, const char *s) {
    SN_TRY(sn_json_key(b, key));
    if (sn_utf8_valid(s)) return sn_json_string(b, s);
    char *copy = sn_strdup(s);
    if (!copy) return SEQNET_ENOMEM;
    for (char *p = copy; *p; p++)
        if (*p & 0x80) *p = '?';
    int rc = sn_json_string(b, copy);
    free(copy);
    return rc;
}

static int put_digest(struct sn_str *b, const char *key, uint32_t crc) {
    SN_TRY(sn_json_key(b, key));
    return sn_str_printf(b, "\"%08x\"", crc);
}

static int put_time(struct sn_str *b, int64_t seconds) {
    time_t at = (time_t)seconds;
    struct tm tm;
    char text[32];
    if (!gmtime_r(&at, &tm) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) return 0;
    return put_text(b, "started", text);
}

static int put_data(struct sn_str *b, const struct sn_history *h) {
    SN_TRY(sn_json_key(b, "data"));
    SN_TRY(sn_str_puts(b, "{"));
    SN_TRY(put_digest(b, "crc32c", h->data_digest));
    if (h->valid_given) SN_TRY(put_digest(b, "validation_crc32c", h->valid_digest));
    SN_TRY(put_int(b, "training_sequences", h->n_train));
    SN_TRY(put_int(b, "validation_sequences", h->n_valid));
    SN_TRY(put_int(b, "longest_sequence", h->longest));
    SN_TRY(put_text(b, "validation", h->split));
    return sn_str_puts(b, "}");
}

static int put_metrics(struct sn_str *b, const struct sn_validation *v) {
    for (int i = 0; i < v->n_metrics; i++) {
        char key[40] = "val_";
        strncat(key, v->mean[i].name, sizeof key - 5);
        SN_TRY(put_number(b, key, v->mean[i].value));
    }
    return 0;
}

static int put_epoch(struct sn_str *b, const struct sn_epoch *e) {
    SN_TRY(sn_str_puts(b, "{"));
    SN_TRY(put_int(b, "epoch", e->epoch));
    SN_TRY(put_int(b, "step", e->step));
    SN_TRY(put_number(b, "learning_rate", e->learning_rate));
    SN_TRY(put_number(b, "train_loss", e->train_loss));
    SN_TRY(put_number(b, "val_loss", e->valid.loss));
    SN_TRY(put_metrics(b, &e->valid));
    return sn_str_puts(b, "}");
}

static int put_calibration(struct sn_str *b, const struct sn_calibration *c) {
    SN_TRY(sn_json_key(b, "calibration"));
    SN_TRY(sn_str_puts(b, "{"));
    SN_TRY(put_text(b, "background", c->how.s ? c->how.s : ""));
    SN_TRY(put_int(b, "negatives", c->n_negatives));
    SN_TRY(put_int(b, "shuffles", c->n_shuffles));
    SN_TRY(put_number(b, "false_calls_per_mb", c->false_calls_per_mb));
    return sn_str_puts(b, "}");
}

/* The curve as pairs of true and false positives. */
static int put_figures(struct sn_str *b, const char *task, const struct sn_task_figures *f) {
    SN_TRY(sn_json_sep(b));
    SN_TRY(sn_str_puts(b, "{"));
    SN_TRY(put_text(b, "task", task));
    SN_TRY(put_int(b, "n", f->n));
    if (f->positives >= 0) SN_TRY(put_int(b, "positives", f->positives));
    for (int i = 0; i < f->n_metrics; i++) SN_TRY(put_number(b, f->metrics[i].name, f->metrics[i].value));
    if (f->n_points > 0) {
        SN_TRY(sn_json_key(b, "curve"));
        SN_TRY(sn_str_puts(b, "["));
        for (int i = 0; i < f->n_points; i++)
            SN_TRY(sn_str_printf(b, "%s[%lld,%lld]", i ? "," : "", (long long)f->points[i].tp, (long long)f->points[i].fp));
        SN_TRY(sn_str_puts(b, "]"));
    }
    return sn_str_puts(b, "}");
}

static int put_all_figures(struct sn_str *b, const struct sn_history *h) {
    SN_TRY(sn_json_key(b, "validation_tasks"));
    SN_TRY(sn_str_puts(b, "["));
    for (int t = 0; t < h->n_tasks; t++) SN_TRY(put_figures(b, h->tasks[t], &h->figures[t]));
    return sn_str_puts(b, "]");
}

static int put_run(struct sn_str *b, const struct sn_history *h) {
    if (h->command) SN_TRY(put_text(b, "command", h->command));
    SN_TRY(put_text(b, "version", SEQNET_VERSION));
    SN_TRY(put_text(b, "machine", h->describe ? h->describe : ""));
    SN_TRY(put_int(b, "threads", h->threads));
    SN_TRY(sn_json_key(b, "seed"));
    SN_TRY(sn_str_printf(b, "%llu", (unsigned long long)h->seed));
    SN_TRY(put_time(b, h->started));
    return put_number(b, "seconds", h->seconds);
}

static int put_epochs(struct sn_str *b, const struct sn_history *h) {
    SN_TRY(put_number(b, "initial_loss", h->initial_loss));
    SN_TRY(put_number(b, "expected_loss", h->expected_loss));
    if (h->best >= 0) {
        SN_TRY(sn_json_key(b, "best"));
        SN_TRY(put_epoch(b, &h->epochs[h->best]));
    }
    if (h->figures) SN_TRY(put_all_figures(b, h));
    if (h->calibration) SN_TRY(put_calibration(b, h->calibration));
    SN_TRY(sn_json_key(b, "history"));
    SN_TRY(sn_str_puts(b, "["));
    for (int i = 0; i < h->n_epochs; i++) {
        SN_TRY(sn_json_sep(b));
        SN_TRY(put_epoch(b, &h->epochs[i]));
    }
    return sn_str_puts(b, "]");
}

int sn_provenance(const struct sn_history *h, char **out) {
    struct sn_str b = {0};
    int rc = 0;
    *out = NULL;
    SN_GO(sn_str_puts(&b, "{"));
    SN_GO(put_run(&b, h));
    SN_GO(put_data(&b, h));
    SN_GO(put_epochs(&b, h));
    SN_GO(sn_str_puts(&b, "}"));
    *out = b.s;
    b = (struct sn_str){0};
done:
    sn_str_free(&b);
    return rc;
}
