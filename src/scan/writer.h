/* From scores in genome order to lines: a bedGraph track, or called sites. */
#ifndef SN_SCAN_WRITER_H
#define SN_SCAN_WRITER_H

#include "scan/output.h"
#include "scan/reader.h"

struct sn_scan_writer_options {
    struct sn_windows windows;
    enum sn_scan_kind kind;
    const char *header; /* comment lines, each with its '#' and newline */
};
/* A called site that may still grow: windows that passed, each overlapping or touching the one before. */
struct sn_scan_site {
    bool open;
    int64_t start, end; /* of its windows */
    int64_t summit;     /* middle of the highest window, the first of equals */
    float score, rank;  /* of that window */
    int8_t strand;
};
struct sn_scan_writer {
    struct sn_scan_writer_options o;
    struct sn_scan_output *out;
    struct sn_scan_site site;
    char *contig;                           /* of the site */
    int64_t windows, bases, sites, longest; /* so far; longest: largest coordinate */
};
/* Opens the output and writes the header. On failure nothing is left to be freed. */
int sn_scan_writer_open(struct sn_scan_writer *w, const struct sn_scan_writer_options *o, const char *name);
/* Takes a scored batch: a line for every window, or the sites among them. */
int sn_scan_writer_batch(struct sn_scan_writer *w, const struct sn_scan_batch *b);
/* Ends the last site and the files. Frees what w owns in every case. */
int sn_scan_writer_commit(struct sn_scan_writer *w);
void sn_scan_writer_abort(struct sn_scan_writer *w);

#endif
