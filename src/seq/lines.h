/* Text input: plain, gzip or bgzip, by name or "-" for standard input, read once from start to end with line numbers. A file that ends
 * inside its compressed data, or a bgzip file without its end marker, is an error. Only local files are opened, never URLs. One handle per
 * thread. htslib's own messages are switched off, process-wide, when the first file is opened: it would print to stderr. */
#ifndef SN_SEQ_LINES_H
#define SN_SEQ_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "seq/alphabet.h"

struct BGZF;
/* A place where decompression can start again: htslib's virtual offset and the offset in the uncompressed text. */
struct sn_checkpoint {
    int64_t virtual_offset, offset;
};
struct sn_text {
    char *path; /* "standard input" for "-" */
    struct BGZF *fp;
    char *buf;
    size_t cap, pos, end;  /* unread bytes are buf[pos, end) */
    int64_t base;          /* uncompressed offset of buf[0] */
    int64_t line;          /* number of the line being read, from 1 */
    bool bol;              /* the next byte begins a line */
    bool eof;              /* nothing follows the buffer */
    bool regular;          /* a regular file: may be opened again */
    int64_t file_size;     /* bytes on disk when regular */
    bool keep_checkpoints; /* bgzip: note one about every 64 kB from now on */
    struct sn_checkpoint *checkpoint;
    size_t n_checkpoints, cap_checkpoints;
};

int sn_text_open(const char *path, struct sn_text **out);
void sn_text_close(struct sn_text *t);
/* Reads more without giving up what is unread; 0 also at the end of the file (then eof is set). */
int sn_text_fill(struct sn_text *t);
/* Next byte without taking it, -1 at the end, or an error below -1. */
int sn_text_peek(struct sn_text *t);
/* 1 and the next line without its end ("\n" or "\r\n"), NUL-terminated, valid until the next call and free to be written to; 0 at the end;
 * or an error. NUL bytes in the line are an error. */
int sn_text_line(struct sn_text *t, char **line, size_t *n);
/* 1 and up to max bytes of the current line; *eol when its end was taken too. 0 at the end of the file; or an error. */
int sn_text_chunk(struct sn_text *t, size_t max, const char **p, size_t *n, bool *eol);

/* "path:line: ..." */
int sn_text_error(const struct sn_text *t, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The error for a byte that is no symbol; `where` names its record or column. */
int sn_text_bad_symbol(const struct sn_text *t, const struct sn_alphabet *a, unsigned char byte, const char *where);

/* A cell of a line cut at tabs; s is NUL-terminated. */
struct sn_cell {
    char *s;
    size_t n;
};
/* Cuts the line in place; returns the number of cells, of which at most max are stored. */
size_t sn_split_tabs(char *line, size_t n, struct sn_cell *cell, size_t max);
/* true for blank, "#", "track" and "browser" lines. */
bool sn_is_comment(const char *line, size_t n);

/* What a text holds, by its content. */
enum sn_kind { SN_KIND_FASTA, SN_KIND_BED, SN_KIND_TABLE };
/* Looks at what is unread, takes nothing. Empty, binary, unknown and not yet supported content are errors that name it. */
int sn_sniff(struct sn_text *t, enum sn_kind *kind);
const char *sn_kind_name(enum sn_kind kind);

#endif
