#include "scan/reader.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/mem.h"
#include "scan/regions.h"

struct sn_scan_reader {
    struct sn_windows w;
    /* one of the two */
    struct sn_fasta_stream *stream;
    struct sn_reference *ref;
    struct sn_regions regions;
    size_t next_region;
    /* the contig, or the part of one, that is being read */
    bool open;
    char *name;
    int64_t next;      /* window to come */
    int64_t n_contig;  /* ref: windows of the contig */
    int64_t length;    /* ref: of the contig */
    int contig;        /* ref */
    int64_t pos, stop; /* ref: bases still to be fetched */
    int64_t from, to;  /* output is clipped to these */
    uint8_t *carry;    /* the codes of window `next` when has_carry */
    bool has_carry;
};

/* ---- batches ---- */

int sn_scan_batch_create(const struct sn_windows *w, int windows, size_t bytes, struct sn_scan_batch *b) {
    *b = (struct sn_scan_batch){.cap_n = windows};
    size_t most = (size_t)windows * (size_t)w->stride;
    b->cap = (most < bytes ? most : bytes) + (size_t)w->size + (size_t)w->stride;
    size_t n = (size_t)windows;
    b->codes = sn_calloc(b->cap, 1);
    b->offset = sn_calloc(n, sizeof *b->offset);
    b->score = sn_calloc(n, sizeof *b->score);
    b->rank = sn_calloc(n, sizeof *b->rank);
    b->strand = sn_calloc(n, sizeof *b->strand);
    b->passed = sn_calloc(n, sizeof *b->passed);
    if (!b->codes || !b->offset || !b->score || !b->rank || !b->strand || !b->passed) return SEQNET_ENOMEM;
    memset(b->codes, SN_CODE_OUTSIDE, b->cap); /* touched now, so that a short genome takes as much memory as a long one */
    return 0;
}

static void clear(struct sn_scan_batch *b) {
    for (int i = 0; i < b->n_pieces; i++) free(b->pieces[i].name);
    b->n_pieces = b->n = 0;
    b->used = 0;
    b->bases = b->contigs = b->short_contigs = 0;
}

void sn_scan_batch_free(struct sn_scan_batch *b) {
    clear(b);
    free(b->codes);
    free(b->offset);
    free(b->pieces);
    free(b->score);
    free(b->rank);
    free(b->strand);
    free(b->passed);
    *b = (struct sn_scan_batch){0};
}

/* ---- opening ---- */

int sn_scan_reader_open(const char *genome, const struct sn_alphabet *a, const struct sn_windows *w, const char *region,
                        const char *regions_bed, struct sn_scan_reader **out) {
    *out = NULL;
    struct sn_scan_reader *r = sn_calloc(1, sizeof *r);
    if (!r) return SEQNET_ENOMEM;
    r->w = *w;
    int rc = 0;
    r->carry = sn_calloc((size_t)w->size, 1);
    if (!r->carry) SN_GO(SEQNET_ENOMEM);
    if (region || regions_bed) {
        if (strcmp(genome, "-") == 0) SN_GO(sn_error(SEQNET_EINVAL, "regions need a genome file that can be searched, not standard input"));
        SN_GO(sn_reference_open(genome, a, &r->ref));
        SN_GO(sn_regions_read(r->ref, region, regions_bed, &r->regions));
    } else {
        SN_GO(sn_fasta_open(genome, a, &r->stream));
    }
    *out = r;
    return 0;
done:
    sn_scan_reader_close(r);
    return rc;
}

void sn_scan_reader_close(struct sn_scan_reader *r) {
    if (!r) return;
    if (r->stream) sn_fasta_close(r->stream);
    if (r->ref) sn_reference_close(r->ref);
    sn_regions_free(&r->regions);
    free(r->name);
    free(r->carry);
    free(r);
}

int64_t sn_scan_reader_total(const struct sn_scan_reader *r) {
    int64_t sum = 0;
    for (size_t i = 0; i < r->regions.n; i++) sum += r->regions.v[i].end - r->regions.v[i].start;
    return sum;
}

/* ---- the next contig or region ---- */

static int rename_to(struct sn_scan_reader *r, const char *name) {
    free(r->name);
    r->name = sn_strdup(name);
    return r->name ? 0 : SEQNET_ENOMEM;
}

/* 1, 0 at the end, or an error. */
static int next_contig(struct sn_scan_reader *r) {
    const char *name;
    int rc = sn_fasta_next(r->stream, &name);
    if (rc <= 0) return rc;
    r->next = 0;
    r->from = 0;
    r->to = INT64_MAX;
    SN_TRY(rename_to(r, name));
    return 1;
}

static int next_region(struct sn_scan_reader *r) {
    if (r->next_region == r->regions.n) return 0;
    const struct sn_region *g = &r->regions.v[r->next_region++];
    int64_t last;
    r->contig = g->contig;
    r->length = sn_reference_length(r->ref, g->contig);
    r->from = g->start;
    r->to = g->end;
    r->n_contig = sn_windows_count(&r->w, r->length);
    sn_windows_over(&r->w, r->n_contig, g->start, g->end, &r->next, &last);
    r->pos = r->next * r->w.stride;
    r->stop = last * r->w.stride + r->w.size;
    if (r->stop > r->length) r->stop = r->length;
    SN_TRY(rename_to(r, sn_reference_name(r->ref, g->contig)));
    return 1;
}

static int open_next(struct sn_scan_reader *r) {
    int rc = r->stream ? next_contig(r) : next_region(r);
    r->open = rc > 0;
    r->has_carry = false;
    return rc;
}

/* Up to n codes of what is being read; fewer only at its end. */
static int64_t read_codes(struct sn_scan_reader *r, uint8_t *codes, int64_t n) {
    if (r->stream) return sn_fasta_read(r->stream, codes, n);
    if (n > r->stop - r->pos) n = r->stop - r->pos;
    if (n < 1) return 0;
    SN_TRY(sn_reference_fetch(r->ref, r->contig, r->pos, r->pos + n, codes));
    r->pos += n;
    return n;
}

/* ---- filling ---- */

static int add_piece(struct sn_scan_reader *r, struct sn_scan_batch *b, const struct sn_scan_piece *p) {
    void *all = b->pieces;
    int rc = sn_grow(&all, &b->cap_pieces, (size_t)b->n_pieces + 1, sizeof *b->pieces);
    b->pieces = all;
    SN_TRY(rc);
    char *name = sn_strdup(r->name);
    if (!name) return SEQNET_ENOMEM;
    b->pieces[b->n_pieces] = *p;
    b->pieces[b->n_pieces++].name = name;
    for (int i = 0; i < p->n; i++) b->offset[b->n++] = (int64_t)b->used + i * r->w.stride;
    b->used += (size_t)((p->n - 1) * r->w.stride + r->w.size);
    return 0;
}

/* A contig of `have` bases, shorter than the window, is centred in it. */
static void centre(const struct sn_windows *w, uint8_t *codes, int64_t have) {
    int64_t left = (w->size - have) / 2;
    memmove(codes + left, codes, (size_t)have);
    memset(codes, SN_CODE_OUTSIDE, (size_t)left);
    memset(codes + left + have, SN_CODE_OUTSIDE, (size_t)(w->size - have - left));
}

/* The end of what is being read: `have` codes lie at the end of the batch, the first of them is that of window r->next. */
static int take_last(struct sn_scan_reader *r, struct sn_scan_batch *b, int64_t have) {
    const struct sn_windows *w = &r->w;
    r->open = false;
    if (have < 1) return 0;
    struct sn_scan_piece p = {.first = r->next, .from = r->from, .to = r->to, .padded = have < w->size};
    if (p.padded) centre(w, b->codes + b->used, have);
    b->short_contigs += p.padded;
    p.n = p.padded ? 1 : (int)((have - w->size) / w->stride + 1);
    p.contig = r->stream ? r->next * w->stride + have : r->length;
    p.n_contig = r->stream ? r->next + p.n : r->n_contig;
    return add_piece(r, b, &p);
}

/* Takes as many windows as fit; a window's length beyond them is read ahead, so that it is known whether another one follows. 1: the batch
 * is full. */
static int take_piece(struct sn_scan_reader *r, struct sn_scan_batch *b) {
    const struct sn_windows *w = &r->w;
    int64_t room = ((int64_t)(b->cap - b->used) - w->size) / w->stride;
    if (room > b->cap_n - b->n) room = b->cap_n - b->n;
    if (room < 1) return 1;
    uint8_t *codes = b->codes + b->used;
    int64_t have = r->has_carry ? w->size : 0, want = room * w->stride + w->size;
    memcpy(codes, r->carry, (size_t)have);
    int64_t got = read_codes(r, codes + have, want - have);
    if (got < 0) return (int)got;
    b->bases += got;
    have += got;
    if (have < want) return take_last(r, b, have);
    memcpy(r->carry, codes + room * w->stride, (size_t)w->size);
    r->has_carry = true;
    struct sn_scan_piece p = {.first = r->next, .n = (int)room, .n_contig = INT64_MAX, .from = r->from, .to = r->to};
    r->next += room;
    return add_piece(r, b, &p);
}

int sn_scan_reader_fill(struct sn_scan_reader *r, struct sn_scan_batch *b) {
    clear(b);
    for (;;) {
        if (!r->open) {
            int rc = open_next(r);
            if (rc <= 0) return rc;
            b->contigs++;
        }
        int full = take_piece(r, b);
        if (full) return full < 0 ? full : 0;
    }
}
