#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "api/api.h"
#include "core/cpu.h"
#include "core/file.h"
#include "seqnet/version.h"
#include "sn_config.h"

static const char *const devices[] = {"cpu", "cuda", "auto", NULL};
static const char *const providers[] = {"auto", "own", "openblas", NULL};

void seqnet_ctx_defaults_size(seqnet_ctx_options *o, size_t size) {
    const seqnet_ctx_options full = {.size = sizeof full, .device = "cpu", .gemm = "auto"};
    sn_give(o, size, &full, sizeof full);
}

int seqnet_ctx_check(const seqnet_ctx_options *caller) {
    seqnet_ctx_options o;
    seqnet_ctx_defaults(&o);
    SN_TRY(sn_take_options(&o, sizeof o, caller, "seqnet_ctx_options"));
    SN_TRY(sn_check_int("threads", o.threads, 0, 128));
    SN_TRY(sn_check_word("device", o.device, devices));
    return sn_check_word("gemm", o.gemm, providers);
}

const char *seqnet_version(void) {
    return SEQNET_VERSION;
}

/* ---- what the rooms below see of the host's callbacks ---- */

static void sink_log(void *self, int level, const char *line) {
    const seqnet_ctx *ctx = self;
    ctx->o.log(ctx->o.self, level, line);
}

static void sink_progress(void *self, const char *stage, int64_t done, int64_t total, const char *unit, const char *extra) {
    const seqnet_ctx *ctx = self;
    ctx->o.progress(ctx->o.self, stage, done, total, unit, extra);
}

static bool sink_cancel(void *self) {
    const seqnet_ctx *ctx = self;
    return ctx->o.cancel(ctx->o.self) != 0;
}

static void make_sink(seqnet_ctx *ctx) {
    ctx->sink.self = ctx;
    if (ctx->o.log) ctx->sink.log = sink_log;
    if (ctx->o.progress) ctx->sink.progress = sink_progress;
    if (ctx->o.cancel) ctx->sink.cancel = sink_cancel;
}

/* ---- device ---- */

static int make_backend(seqnet_ctx *ctx) {
    enum sn_isa isa;
    if (strcmp(ctx->o.device, "cuda") == 0)
        return sn_error(SEQNET_EDEVICE, "device cuda: not available in this build (no module seqnet-cuda.so in %s); use cpu or auto",
                        SN_MODULE_DIR);
    if (strcmp(ctx->o.device, "auto") == 0) sn_log(&ctx->sink, SN_LOG_INFO, "device auto: no CUDA module in this build, using cpu");
    SN_TRY(sn_isa_detect(&isa));
    SN_TRY(sn_backend_cpu(isa, ctx->o.gemm, &ctx->backend));
    const struct sn_kernels *k = &ctx->backend.kernels;
    if (strncmp(k->provider, "own", 3) != 0)
        sn_log(&ctx->sink, SN_LOG_INFO, "GEMM %s: the same bits on any number of threads, but not for other batches, CPUs or versions",
               k->provider);
    return sn_str_printf(&ctx->describe, "seqnet %s, device cpu (%s), kernels %s, GEMM %s, %d thread%s", SEQNET_VERSION, sn_cpu_name(),
                         k->isa, k->provider, ctx->o.threads, ctx->o.threads == 1 ? "" : "s");
}

int seqnet_ctx_create(const seqnet_ctx_options *o, seqnet_ctx **out) {
    *out = NULL;
    SN_TRY(seqnet_ctx_check(o));
    seqnet_ctx *ctx = sn_calloc(1, sizeof *ctx);
    if (!ctx) return SEQNET_ENOMEM;
    int rc = 0;
    ctx->wall = sn_time_wall();
    ctx->cpu = sn_time_cpu();
    seqnet_ctx_defaults(&ctx->o);
    SN_GO(sn_take_options(&ctx->o, sizeof ctx->o, o, "seqnet_ctx_options"));
    if (!ctx->o.device) ctx->o.device = "cpu";
    if (!ctx->o.gemm) ctx->o.gemm = "auto";
    if (ctx->o.threads == 0) ctx->o.threads = sn_cpu_count() < 128 ? sn_cpu_count() : 128;
    make_sink(ctx);
    SN_GO(make_backend(ctx));
    if (ctx->o.parallel)
        SN_GO(sn_pool_create_host(ctx->o.threads, ctx->o.self, ctx->o.parallel, &ctx->pool));
    else
        SN_GO(sn_pool_create(ctx->o.threads, &ctx->pool));
    ctx->rt = (struct sn_runtime){ctx->pool, ctx->o.threads, &ctx->backend, &ctx->sink, ctx->describe.s};
done:
    if (rc < 0)
        seqnet_ctx_free(&ctx);
    else
        *out = ctx;
    return rc;
}

void seqnet_ctx_free(seqnet_ctx **ctx) {
    if (!ctx || !*ctx) return;
    sn_pool_free((*ctx)->pool);
    if ((*ctx)->backend.name) sn_backend_close(&(*ctx)->backend);
    sn_str_free(&(*ctx)->describe);
    free(*ctx);
    *ctx = NULL;
}

const char *seqnet_ctx_describe(const seqnet_ctx *ctx) {
    return ctx->describe.s;
}

int seqnet_ctx_threads(const seqnet_ctx *ctx) {
    return ctx->o.threads;
}

void seqnet_ctx_usage(const seqnet_ctx *ctx, double *wall, double *cpu, int64_t *peak_bytes) {
    if (wall) *wall = sn_time_wall() - ctx->wall;
    if (cpu) *cpu = sn_time_cpu() - ctx->cpu;
    if (peak_bytes) *peak_bytes = sn_peak_rss();
}

/* ---- outputs ---- */

int seqnet_output_check(const char *path, const char *const *inputs, int n_inputs) {
    struct sn_outfile *f = NULL;
    struct stat out, in;
    if (stat(path, &out) == 0 && S_ISREG(out.st_mode))
        for (int i = 0; i < n_inputs; i++)
            if (inputs[i] && stat(inputs[i], &in) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
                return sn_error(SEQNET_EINVAL, "%s: the output would overwrite the input %s", path, inputs[i]);
    SN_TRY(sn_outfile_open(path, &f));
    sn_outfile_abort(f);
    return 0;
}
