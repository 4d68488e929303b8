#include "scan/output.h"

#include <errno.h>
#include <htslib/bgzf.h>
#include <htslib/hts_log.h>
#include <htslib/tbx.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"

#define TBI_LIMIT ((int64_t)1 << 29) /* largest coordinate of a .tbi index */
#define CSI_SHIFT 14

struct sn_scan_output {
    char *name;
    struct sn_outfile *file;
    BGZF *bgzf; /* writes to file's path; NULL = plain */
};

static bool ends_with(const char *s, size_t n, const char *suffix) {
    size_t k = strlen(suffix);
    return n >= k && strncasecmp(s + n - k, suffix, k) == 0;
}

static bool is_device(const char *name) {
    struct stat st;
    return strcmp(name, "-") == 0 || (stat(name, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode));
}

int sn_scan_output_kind(const char *name, int sites, enum sn_scan_kind *kind) {
    size_t n = strlen(name);
    if (ends_with(name, n, ".gz")) n -= 3;
    if (ends_with(name, n, ".bw") || ends_with(name, n, ".bigwig"))
        return sn_error(SEQNET_ENOTSUP, "%s: bigWig output is not supported; write .bedgraph.gz, which has an index too", name);
    bool bed = ends_with(name, n, ".bed"), track = ends_with(name, n, ".bedgraph") || ends_with(name, n, ".bg");
    if (!bed && !track && !is_device(name))
        return sn_error(SEQNET_EINVAL,
                        "%s: expected a name ending in .bedgraph or .bedgraph.gz (track), .bed or .bed.gz (called sites), or -", name);
    if (bed && !sites) return sn_error(SEQNET_EINVAL, "%s: a BED file holds called sites: give a false positive rate or a threshold", name);
    if (track && sites)
        return sn_error(SEQNET_EINVAL, "%s: a false positive rate or a threshold calls sites: give an output ending in .bed or .bed.gz",
                        name);
    *kind = sites ? SN_SCAN_SITES : SN_SCAN_TRACK;
    return 0;
}

/* htslib does not always say why. */
static int hts_failure(const char *name, const char *what) {
    if (errno) return sn_error_errno(name, what);
    return sn_error(SEQNET_EIO, "%s: %s; is the disk full?", name, what);
}

static int open_bgzf(struct sn_scan_output *o) {
    struct stat st;
    if (stat(sn_outfile_path(o->file), &st) != 0 || !S_ISREG(st.st_mode))
        return sn_error(SEQNET_EINVAL, "%s: compressed output with an index needs a regular file", o->name);
    hts_set_log_level(HTS_LOG_OFF); /* it would print */
    errno = 0;
    o->bgzf = bgzf_open(sn_outfile_path(o->file), "w");
    return o->bgzf ? 0 : hts_failure(o->name, "cannot open for writing");
}

int sn_scan_output_open(const char *name, struct sn_scan_output **out) {
    *out = NULL;
    struct sn_scan_output *o = sn_calloc(1, sizeof *o);
    if (!o) return SEQNET_ENOMEM;
    int rc = 0;
    o->name = sn_strdup(name);
    if (!o->name) SN_GO(SEQNET_ENOMEM);
    SN_GO(sn_outfile_open(name, &o->file));
    if (ends_with(name, strlen(name), ".gz")) SN_GO(open_bgzf(o));
    *out = o;
    return 0;
done:
    sn_scan_output_abort(o);
    return rc;
}

int sn_scan_output_write(struct sn_scan_output *o, const char *text, size_t n) {
    if (!o->bgzf) return sn_outfile_write(o->file, text, n);
    errno = 0;
    return bgzf_write(o->bgzf, text, n) == (ssize_t)n ? 0 : hts_failure(o->name, "cannot write");
}

/* Builds the index of the finished temporary file under a temporary name of its own. */
static int build_index(const struct sn_scan_output *o, int64_t longest, struct sn_outfile **index) {
    struct sn_str name = {0};
    bool csi = longest > TBI_LIMIT;
    int rc = 0;
    SN_GO(sn_str_printf(&name, "%s.%s", o->name, csi ? "csi" : "tbi"));
    SN_GO(sn_outfile_open(name.s, index));
    errno = 0;
    if (tbx_index_build3(sn_outfile_path(o->file), sn_outfile_path(*index), csi ? CSI_SHIFT : 0, 0, &tbx_conf_bed) < 0)
        rc = errno == ENOSPC ? hts_failure(name.s, "cannot write")
                             : sn_error(SEQNET_EIO, "%s: cannot be built; are all contig names different?", name.s);
done:
    sn_str_free(&name);
    return rc;
}

static void output_free(struct sn_scan_output *o) {
    free(o->name);
    free(o);
}

int sn_scan_output_commit(struct sn_scan_output *o, int64_t longest) {
    struct sn_outfile *index = NULL;
    int rc = 0;
    if (o->bgzf) {
        errno = 0;
        if (bgzf_close(o->bgzf) != 0) rc = hts_failure(o->name, "cannot write");
        o->bgzf = NULL;
        if (rc == 0) rc = build_index(o, longest, &index);
    }
    if (rc < 0) {
        sn_outfile_abort(o->file);
    } else {
        rc = sn_outfile_commit(o->file);
    }
    if (index && rc == 0)
        rc = sn_outfile_commit(index);
    else
        sn_outfile_abort(index);
    output_free(o);
    return rc;
}

void sn_scan_output_abort(struct sn_scan_output *o) {
    if (!o) return;
    if (o->bgzf) bgzf_close(o->bgzf);
    sn_outfile_abort(o->file);
    output_free(o);
}
