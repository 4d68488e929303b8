/* Files. Outputs appear under their name only when complete: written to "<name>.tmp.<pid>" in the same folder, flushed, fsynced, renamed.
 * "-" is stdout; a name that exists and is not a regular file (/dev/null, a pipe) is written directly. Every write, flush and close is
 * checked; the first failure is the one reported ("no space left on device", with the name). */
#ifndef SN_CORE_FILE_H
#define SN_CORE_FILE_H

#include <stddef.h>
#include <stdint.h>

struct sn_outfile;
struct sn_str;

/* Opens for writing; fails before any computing when the folder is missing or not writable, or the name is a directory. */
int sn_outfile_open(const char *name, struct sn_outfile **out);
int sn_outfile_open_in(const char *folder, const char *name, struct sn_outfile **out);
int sn_outfile_write(struct sn_outfile *f, const void *data, size_t n);
int sn_outfile_printf(struct sn_outfile *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A text as one cell of a tab-separated table: what would end the cell or the line becomes a space. */
int sn_outfile_cell(struct sn_outfile *f, const char *s);
/* Path being written (the temporary name), for a library that writes by name (BGZF); the handle must then only be committed. */
const char *sn_outfile_path(const struct sn_outfile *f);
/* Flush, fsync, close, rename. Frees f in every case; on failure the temporary file is removed. */
int sn_outfile_commit(struct sn_outfile *f);
/* Closes and removes the temporary file. NULL is fine. */
void sn_outfile_abort(struct sn_outfile *f);

/* Adds a name as part of a file name: letters, digits, '-' and '.' (but in front) of its first `most` bytes, '_' for all else. */
int sn_file_word(struct sn_str *s, const char *name, int most);
/* Creates a folder (and its parents) when missing; error if the name exists and is not a folder or is not writable. */
int sn_make_dir(const char *path);

/* Removes the files of a folder whose names begin and end so; what is not there or cannot be removed is no error. */
void sn_remove_files(const char *folder, const char *begin, const char *end);

/* Reads a whole regular file of at most `max` bytes into *out (NUL added behind the end; free()). */
int sn_read_file(const char *path, size_t max, char **out, size_t *n);
/* Replaces a text that is gzip data (any number of members: bgzip too) by what it unpacks to, at most `max` bytes; others stay. On failure
 * *text is left as it was. `path` is for messages. */
int sn_gunzip(const char *path, size_t max, char **text, size_t *n);

/* CRC-32C (Castagnoli), start with crc = 0. "123456789" -> 0xe3069283. */
uint32_t sn_crc32c(uint32_t crc, const void *data, size_t n);
/* The same without special instructions. */
uint32_t sn_crc32c_portable(uint32_t crc, const void *data, size_t n);
/* CRC-32 of zip, through zlib's. */
uint32_t sn_crc32(uint32_t crc, const void *data, size_t n);

#endif
