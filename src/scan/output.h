/* Lines of text to a plain file, to stdout, or to BGZF with a tabix index; complete or not there at all. */
#ifndef SN_SCAN_OUTPUT_H
#define SN_SCAN_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

enum sn_scan_kind { SN_SCAN_TRACK, SN_SCAN_SITES };

/* What a name asks for: *.bedgraph, *.bg and their .gz: a track; *.bed, *.bed.gz: sites; "-" and devices: what `sites` says. SEQNET_ENOTSUP
 * for bigWig, SEQNET_EINVAL for everything else. */
int sn_scan_output_kind(const char *name, int sites, enum sn_scan_kind *kind);

struct sn_scan_output;
int sn_scan_output_open(const char *name, struct sn_scan_output **out);
int sn_scan_output_write(struct sn_scan_output *o, const char *text, size_t n);
/* Finishes the file and, for .gz, writes its index (.tbi; .csi when `longest`, the largest coordinate written, asks for it). Frees o in
 * every case. */
int sn_scan_output_commit(struct sn_scan_output *o, int64_t longest);
/* Takes everything back. NULL is fine. */
void sn_scan_output_abort(struct sn_scan_output *o);

#endif
