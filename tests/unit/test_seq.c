/* The seq room below data sets: alphabets, recognition of input, FASTA streams, references, BED. */
#include <fcntl.h>
#include <string.h>
#include <zlib.h>

#include <htslib/bgzf.h>

#include "core/error.h"
#include "core/mem.h"
#include "core/rng.h"
#include "seq/bed.h"
#include "seq/lines.h"
#include "seq/reference.h"
#include "tempfile.h"
#include "unit.h"

static const struct sn_alphabet *dna(void) {
    return sn_alphabet_find("dna");
}

/* ---- alphabets ----------------------------------------------------------------------------------------------------------------------- */

START_TEST(dna_codes) {
    const struct sn_alphabet *a = dna();
    uint8_t codes[16];
    int64_t bad;
    ck_assert_int_eq(a->channels, 4);
    ck_assert_int_eq((int)sn_encode_seq(a, "ACGTUacgtuNnRM", 14, codes, &bad), 4);
    static const uint8_t want[] = {1, 2, 4, 8, 8, 17, 18, 20, 24, 24, 15, 31, 5, 3};
    ck_assert_mem_eq(codes, want, sizeof want);
    ck_assert_int_eq((int)sn_encode_seq(a, "ACG*T", 5, codes, &bad), -1);
    ck_assert_int_eq((int)bad, 3);
    static const char symbols[] = "ACMGRSVTWYHKDBN"; /* htslib's order: code is index + 1 */
    for (int i = 0; i < 15; i++) {
        ck_assert_int_eq(a->encode[(unsigned char)symbols[i]], i + 1);
        ck_assert_int_eq(a->decode[i + 1], symbols[i]);
        ck_assert_int_eq(a->decode[(i + 1) | SN_CODE_MASKED], symbols[i] + 32);
        ck_assert_int_eq(a->complement[a->complement[i + 1]], i + 1);
    }
    for (int c = 0; c < 256; c++)
        if (strchr("ACMGRSVTWYHKDBNUacmgrsvtwyhkdbnu", c) == NULL || c == 0) ck_assert_int_eq(a->encode[c], 255);
    ck_assert_int_eq(a->complement[SN_CODE_OUTSIDE], SN_CODE_OUTSIDE);
    ck_assert_int_eq(a->complement[17], 24);
    ck_assert_int_eq(a->complement[5], 10); /* R: A or G -> Y: C or T */
    ck_assert_int_eq(sn_alphabet_find("rna")->decode[8], 'U');
    ck_assert_ptr_null(sn_alphabet_find("DNA"));
    for (int i = 0; sn_alphabet_names[i]; i++) ck_assert_str_eq(sn_alphabet_find(sn_alphabet_names[i])->name, sn_alphabet_names[i]);
}
END_TEST

START_TEST(reverse_complement) {
    const struct sn_alphabet *a = dna();
    uint8_t codes[8];
    int64_t bad;
    for (int n = 0; n <= 7; n++) {
        sn_encode_seq(a, "AcGRNTa", n, codes, &bad);
        sn_revcomp(a, codes, n);
        for (int i = 0; i < n; i++) ck_assert_int_eq(a->decode[codes[i]], "tANYCgT"[7 - n + i]);
    }
}
END_TEST

START_TEST(expansion) {
    float lut[256 * 20];
    uint8_t sym[256];
    const struct sn_alphabet *a = dna();
    for (int policy = SN_N_ZERO; policy <= SN_N_MEAN; policy++) {
        sn_alphabet_lut(a, (enum sn_n_policy)policy, lut, sym);
        for (int code = 0; code < 32; code++) {
            int k = __builtin_popcount((unsigned)code & 15u);
            bool shown = k == 1 || (k > 1 && policy == SN_N_MEAN);
            for (int c = 0; c < 4; c++) ck_assert_float_eq(lut[code * 4 + c], shown && (code >> c & 1) ? 1.0f / (float)k : 0.0f);
            ck_assert_int_eq(sym[code], !shown ? 0 : k == 4 ? 5 : k > 1 ? 255 : 1 + __builtin_ctz((unsigned)code));
        }
        for (int c = 0; c < 4; c++) ck_assert_float_eq(lut[(SN_CODE_MEAN | SN_CODE_N) * 4 + c], 0.25f); /* whatever the policy */
        ck_assert_int_eq(sym[SN_CODE_MEAN | SN_CODE_N], 5);
    }
    const struct sn_alphabet *p = sn_alphabet_find("protein");
    sn_alphabet_lut(p, SN_N_MEAN, lut, sym);
    for (int i = 0; i < 20; i++) {
        int code = p->encode[(unsigned char)p->letters[i]];
        ck_assert_int_eq(code, i + 1);
        ck_assert_int_eq(sym[code], i + 1);
        ck_assert_int_eq(p->encode[(unsigned char)p->letters[i] + 32], code);
        ck_assert_float_eq(lut[code * 20 + i], 1.0f);
        ck_assert_float_eq(lut[p->encode['X'] * 20 + i], 0.05f);
    }
    ck_assert_float_eq(lut[p->encode['B'] * 20 + 2], 0.5f);
    ck_assert_int_eq(p->encode['*'], 255);
}
END_TEST

/* ---- recognition ----------------------------------------------------------------------------------------------------------------------
 */

static int sniff(const char *path, enum sn_kind *kind) {
    struct sn_text *t;
    SN_TRY(sn_text_open(path, &t));
    int rc = sn_sniff(t, kind);
    sn_text_close(t);
    return rc;
}

START_TEST(kinds_by_content) {
    static const struct {
        const char *text;
        int kind;
    } good[] = {
        {">a\nAC\n", SN_KIND_FASTA},
        {"\n\n>a", SN_KIND_FASTA},
        {"\xEF\xBB\xBF>a\nAC\n", SN_KIND_FASTA},
        {"chr1\t1\t5\n", SN_KIND_BED},
        {"track name=x\nbrowser position\n#c\n\nchr1\t1\t5", SN_KIND_BED},
        {"chr1\t1e3\t5\n", SN_KIND_BED},
        {"chr1\tx\t5\n", SN_KIND_BED},
        {"chr1\t5\n", SN_KIND_BED},
        {"sequence\tlabel\nA\t1\n", SN_KIND_TABLE},
        {"label\tsequence\r\nA\t1\n", SN_KIND_TABLE},
        {"sequence\nA\n", SN_KIND_TABLE},
        {"chrom\tstart\tend\ty\n", SN_KIND_TABLE},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        enum sn_kind kind;
        ck_assert_int_eq(sniff(temp_text("x.bin", good[i].text), &kind), 0);
        ck_assert_int_eq((int)kind, good[i].kind);
    }
}
END_TEST

START_TEST(kinds_refused) {
    static const struct {
        const char *text;
        int code;
        const char *message;
    } bad[] = {
        {"@r\nAC\n+\nII\n", SEQNET_ENOTSUP, "is a FASTQ file"},
        {"@SQ\tSN:1\tLN:5\n", SEQNET_ENOTSUP, "is a SAM file"},
        {"BAM\1xxxx", SEQNET_ENOTSUP, "is a BAM file"},
        {"CRAM\3", SEQNET_ENOTSUP, "is a CRAM file"},
        {"##fileformat=VCFv4.2\n", SEQNET_ENOTSUP, "is a VCF file"},
        {"\xFF\xFE>", SEQNET_ENOTSUP, "UTF-16"},
        {"", SEQNET_EFORMAT, "is empty"},
        {"#only\n\ntrack\n", SEQNET_EFORMAT, "no line of data"},
        {"seq\tlabel\nA\t1\n", SEQNET_EFORMAT, "first line is 'seq\tlabel'"},
        {"sequence,label\nA,1\n", SEQNET_EFORMAT, "not commas"},
        {"chr1 5 10\n", SEQNET_EFORMAT, "not spaces"},
        {"\x01\x02\x03\x04", SEQNET_EFORMAT, "binary data (byte 0x01)"},
    };
    enum sn_kind kind;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_error(sniff(temp_text("x", bad[i].text), &kind), bad[i].code, bad[i].message);
    ck_error(sniff(temp_path("none"), &kind), SEQNET_EIO, "none: cannot be opened: No such file");
    ck_error(sniff(tempdir, &kind), SEQNET_EIO, "is a directory");
    ck_error(sniff("http://localhost/x.fa", &kind), SEQNET_EIO, "No such file"); /* a name, never a URL */
}
END_TEST

/* ---- texts: plain, gzip, bgzip ------------------------------------------------------------------------------------------------------- */

enum packing { PLAIN, GZIP, BGZIP };

static const char *pack(const char *name, enum packing how, const char *text, size_t n) {
    const char *path = temp_path(name);
    if (how == PLAIN) return temp_write(name, text, n);
    if (how == GZIP) {
        gzFile z = gzopen(path, "wb");
        ck_assert_ptr_nonnull(z);
        ck_assert_int_eq(gzwrite(z, text, (unsigned)n), (int)n);
        ck_assert_int_eq(gzclose(z), Z_OK);
    } else {
        BGZF *b = bgzf_open(path, "w");
        ck_assert_ptr_nonnull(b);
        for (size_t i = 0; i < n; i += 777) { /* many blocks */
            size_t k = n - i < 777 ? n - i : 777;
            ck_assert_int_eq((int)bgzf_write(b, text + i, k), (int)k);
            ck_assert_int_eq(bgzf_flush(b), 0);
        }
        ck_assert_int_eq(bgzf_close(b), 0);
    }
    return path;
}

static char *slurp(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    char *data = malloc(1 << 22);
    *n = fread(data, 1, 1 << 22, f);
    fclose(f);
    return data;
}

START_TEST(lines_of_any_length) {
    /* lines of 0, 1, ... and one longer than the buffer; the last one without its end */
    size_t n = 0, lengths[] = {0, 1, 5, 700000, 0, 262143, 262144, 3};
    char *text = malloc(2000000), *line;
    for (size_t i = 0; i < 8; i++) {
        memset(text + n, 'a' + (int)i, lengths[i]);
        n += lengths[i];
        if (i < 7) n += (size_t)sprintf(text + n, i % 2 ? "\n" : "\r\n");
    }
    for (int how = PLAIN; how <= BGZIP; how++) {
        struct sn_text *t;
        size_t len;
        ck_assert_int_eq(sn_text_open(pack("lines", (enum packing)how, text, n), &t), 0);
        for (size_t i = 0; i < 8; i++) {
            ck_assert_int_eq(sn_text_line(t, &line, &len), 1);
            ck_assert_uint_eq(len, lengths[i]);
            ck_assert_uint_eq(strlen(line), len);
            if (len) ck_assert_int_eq(line[len - 1], 'a' + (int)i);
            ck_assert_int_eq((int)t->line, (int)i + 1);
        }
        ck_assert_int_eq(sn_text_line(t, &line, &len), 0);
        sn_text_close(t);
    }
    free(text);
}
END_TEST

static int read_all(const char *path) {
    struct sn_text *t;
    char *line;
    size_t n;
    SN_TRY(sn_text_open(path, &t));
    int rc;
    while ((rc = sn_text_line(t, &line, &n)) > 0) continue;
    sn_text_close(t);
    return rc;
}

START_TEST(truncated_data) {
    char text[6000];
    struct sn_stream s;
    sn_stream_init(&s, 1, 2, 3);
    for (size_t i = 0; i < sizeof text; i++) text[i] = i % 61 == 60 ? '\n' : "ACGT"[sn_stream_below(&s, 4)];
    for (int how = GZIP; how <= BGZIP; how++) {
        size_t n;
        char *whole = slurp(pack("whole.gz", (enum packing)how, text, sizeof text), &n);
        ck_assert_int_eq(read_all(temp_path("whole.gz")), 0);
        for (size_t cut = 18; cut < n; cut += cut + 40 < n ? 7 : 1) { /* every place near the end */
            temp_write("cut.gz", whole, cut);
            ck_assert_msg(read_all(temp_path("cut.gz")) < 0, "cut at %zu of %zu went unnoticed", cut, n);
        }
        whole[n / 2] ^= 0x10;
        temp_write("flip.gz", whole, n);
        ck_error(read_all(temp_path("flip.gz")), SEQNET_EFORMAT, "damaged");
        free(whole);
    }
    ck_error(read_all(temp_write("nul", "ab\ncd\0ef\n", 9)), SEQNET_EFORMAT, "nul:2: a NUL byte");
}
END_TEST

START_TEST(standard_input) {
    int keep = dup(STDIN_FILENO);
    int fd = open(temp_text("in", ">a\nACGT\n"), O_RDONLY);
    dup2(fd, STDIN_FILENO);
    close(fd);
    struct sn_fasta_stream *s;
    const char *name;
    uint8_t codes[8];
    ck_assert_int_eq(sn_fasta_open("-", dna(), &s), 0);
    ck_assert_int_eq(sn_fasta_next(s, &name), 1);
    ck_assert_int_eq((int)sn_fasta_read(s, codes, 8), 4);
    sn_fasta_close(s);
    ck_assert_int_ge(fcntl(STDIN_FILENO, F_GETFD), 0); /* the host's descriptor stays open */
    dup2(keep, STDIN_FILENO);
    close(keep);
}
END_TEST

/* ---- FASTA streams ----------------------------------------------------------------------------------------------------------------------
 */

START_TEST(stream_tiles) {
    static const char text[] = ">one first record\r\nACGTAC\r\nGT\r\n\r\n>two\nac\ng\n\nt\n>empty\n> three x\nNNRYA";
    static const char *const names[] = {"one", "two", "empty", "three"}, *const want[] = {"ACGTACGT", "acgt", "", "NNRYA"};
    static const int lines[] = {1, 5, 10, 11};
    for (int how = PLAIN; how <= BGZIP; how++) {
        const char *path = pack("s.fa", (enum packing)how, text, sizeof text - 1);
        for (int tile = 1; tile <= 9; tile++) {
            struct sn_fasta_stream *s;
            const char *name;
            ck_assert_int_eq(sn_fasta_open(path, dna(), &s), 0);
            for (int r = 0; r < 4; r++) {
                uint8_t codes[16];
                int64_t n = 0, got;
                ck_assert_int_eq(sn_fasta_next(s, &name), 1);
                ck_assert_str_eq(name, names[r]);
                ck_assert_int_eq((int)sn_fasta_line(s), lines[r]);
                while ((got = sn_fasta_read(s, codes + n, tile)) > 0) {
                    n += got;
                    ck_assert(got == tile || n == (int64_t)strlen(want[r])); /* short only at the end */
                }
                ck_assert_int_eq((int)got, 0);
                ck_assert_int_eq((int)n, (int)strlen(want[r]));
                for (int i = 0; i < n; i++) ck_assert_int_eq(dna()->decode[codes[i]], want[r][i]);
            }
            ck_assert_int_eq(sn_fasta_next(s, &name), 0);
            sn_fasta_close(s);
        }
    }
}
END_TEST

/* Line ends cut in two by the reader's buffer. */
START_TEST(stream_short_lines) {
    const int lines = 500000;
    char *text = malloc(3 * (size_t)lines + 8);
    uint8_t *codes = malloc((size_t)lines + 8);
    size_t n = (size_t)sprintf(text, ">a\n");
    for (int i = 0; i < lines; i++) {
        memcpy(text + n, "C\r\n", 3);
        n += 3;
    }
    struct sn_fasta_stream *s;
    const char *name;
    ck_assert_int_eq(sn_fasta_open(temp_write("s.fa", text, n), dna(), &s), 0);
    ck_assert_int_eq(sn_fasta_next(s, &name), 1);
    ck_assert_int_eq((int)sn_fasta_read(s, codes, lines + 8), lines);
    sn_fasta_close(s);
    free(text);
    free(codes);
}
END_TEST

START_TEST(stream_skips_rest) {
    struct sn_fasta_stream *s;
    const char *name;
    uint8_t code;
    ck_assert_int_eq(sn_fasta_open(temp_text("s.fa", ">a\nACGT\nAC\n>b\nTT\n"), dna(), &s), 0);
    ck_assert_int_eq(sn_fasta_next(s, &name), 1);
    ck_assert_int_eq((int)sn_fasta_read(s, &code, 1), 1);
    ck_assert_int_eq(sn_fasta_next(s, &name), 1);
    ck_assert_str_eq(name, "b");
    ck_assert_int_eq((int)sn_fasta_read(s, &code, 1), 1);
    ck_assert_int_eq(code, 8);
    sn_fasta_close(s);
}
END_TEST

static int read_fasta(const char *path) {
    struct sn_fasta_stream *s;
    const char *name;
    uint8_t codes[64];
    SN_TRY(sn_fasta_open(path, dna(), &s));
    int rc;
    int64_t got = 0;
    while ((rc = sn_fasta_next(s, &name)) > 0) {
        while ((got = sn_fasta_read(s, codes, 64)) > 0) continue;
        if (got < 0) break;
    }
    sn_fasta_close(s);
    return got < 0 ? (int)got : rc;
}

START_TEST(fasta_refused) {
    static const struct {
        const char *text, *message;
    } bad[] = {
        {">a\nAC*T\n", "x:2: '*' is no symbol of the dna alphabet (record 'a')"},
        {">a\nACGT\n>b\nAC1\n", "x:4: '1' is no symbol"},
        {">a\nAC GT\n", "byte 0x20"},
        {">a\nAC\rGT\n", "byte 0x0d"},
        {">a\nAC\x80\n", "byte 0x80"},
        {">\nACGT\n", "x:1: a '>' without a name"},
        {">a\nAC\n>  \nA\n", "x:3: a '>' without a name"},
        {"chr1\t1\t2\n", "expected FASTA, found a BED"},
        {"#comment\n>a\nAC\n", "text before the first '>'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_error(read_fasta(temp_text("x", bad[i].text)), SEQNET_EFORMAT, bad[i].message);
}
END_TEST

/* ---- references -----------------------------------------------------------------------------------------------------------------------
 */

#define CONTIGS 4
static const int contig_len[CONTIGS] = {1, 61, 5000, 180}, contig_line[CONTIGS] = {60, 61, 50, 60};
static char bases[CONTIGS][5001];

/* Writes the same genome in some form, and (for_fai) what samtools faidx says of it. */
static size_t make_genome(char *text, const char *eol, char *for_fai) {
    struct sn_stream s;
    size_t n = 0;
    sn_stream_init(&s, 9, 9, 9);
    for (int c = 0; c < CONTIGS; c++) {
        n += (size_t)sprintf(text + n, ">ctg%d a description%s", c, eol);
        if (for_fai)
            for_fai += sprintf(for_fai, "ctg%d\t%d\t%zu\t%d\t%zu\n", c, contig_len[c], n,
                               contig_len[c] < contig_line[c] ? contig_len[c] : contig_line[c],
                               (size_t)(contig_len[c] < contig_line[c] ? contig_len[c] : contig_line[c]) + strlen(eol));
        for (int i = 0; i < contig_len[c]; i++) {
            bases[c][i] = "ACGTacgtNR"[sn_stream_below(&s, 10)];
            text[n++] = bases[c][i];
            if ((i + 1) % contig_line[c] == 0 || i + 1 == contig_len[c]) n += (size_t)sprintf(text + n, "%s", eol);
        }
    }
    return n;
}

static void check_genome(const char *path) {
    struct sn_reference *r;
    struct sn_stream s;
    uint8_t codes[6000];
    ck_assert_msg(sn_reference_open(path, dna(), &r) == 0, "%s", sn_error_text());
    ck_assert_int_eq(sn_reference_contigs(r), CONTIGS);
    sn_stream_init(&s, 3, 3, 3);
    for (int k = 0; k < 400; k++) {
        int c = (int)sn_stream_below(&s, CONTIGS), len = contig_len[c];
        int64_t start = (int64_t)sn_stream_below(&s, (uint64_t)len + 400) - 200, end = start + (int64_t)sn_stream_below(&s, 300), outside,
                want_outside = 0;
        ck_assert_int_eq(sn_reference_fetch_padded(r, c, start, end, codes, &outside), 0);
        for (int64_t i = start; i < end; i++) {
            bool in = i >= 0 && i < len;
            want_outside += !in;
            ck_assert_int_eq(codes[i - start], in ? dna()->encode[(unsigned char)bases[c][i]] : SN_CODE_OUTSIDE);
        }
        ck_assert_int_eq((int)outside, (int)want_outside);
    }
    for (int c = 0; c < CONTIGS; c++) {
        char name[16];
        sprintf(name, "ctg%d", c);
        ck_assert_str_eq(sn_reference_name(r, c), name);
        ck_assert_int_eq((int)sn_reference_length(r, c), contig_len[c]);
        ck_assert_int_eq(sn_reference_find(r, name), c);
        ck_assert_int_eq(sn_reference_fetch(r, c, 0, contig_len[c], codes), 0);
        ck_error(sn_reference_fetch(r, c, 0, contig_len[c] + 1, codes), SEQNET_EDATA, "reach beyond");
        ck_error(sn_reference_fetch(r, c, -1, 1, codes), SEQNET_EDATA, "reach beyond");
        ck_error(sn_reference_fetch(r, c, 1, 0, codes), SEQNET_EDATA, "reach beyond");
    }
    sn_reference_close(r);
}

START_TEST(reference_forms) {
    char text[8000], fai[400];
    for (int crlf = 0; crlf < 2; crlf++) {
        size_t n = make_genome(text, crlf ? "\r\n" : "\n", fai);
        for (int how = PLAIN; how <= BGZIP; how++) {
            const char *path = pack("g.fa", (enum packing)how, text, n);
            int files = tempdir_count();
            check_genome(path);
            ck_assert_int_eq(tempdir_count(), files); /* nothing is written beside the reference */
        }
        /* with an index, as samtools writes it */
        temp_text("g.fa.fai", fai);
        check_genome(pack("g.fa", PLAIN, text, n));
        check_genome(pack("g.fa", BGZIP, text, n)); /* a .fai without .gzi */
        BGZF *b = bgzf_open(temp_path("g.fa"), "w");
        ck_assert_int_eq(bgzf_index_build_init(b), 0);
        for (size_t i = 0; i < n; i += 300) {
            size_t k = n - i < 300 ? n - i : 300;
            ck_assert_int_eq((int)bgzf_write(b, text + i, k), (int)k);
            ck_assert_int_eq(bgzf_flush(b), 0);
        }
        ck_assert_int_eq(bgzf_index_dump(b, temp_path("g.fa"), ".gzi"), 0);
        ck_assert_int_eq(bgzf_close(b), 0);
        check_genome(temp_path("g.fa"));
        unlink(temp_path("g.fa.fai"));
        unlink(temp_path("g.fa.gzi"));
    }
}
END_TEST

static int open_reference(const char *path) {
    struct sn_reference *r;
    SN_TRY(sn_reference_open(path, dna(), &r));
    uint8_t codes[6000];
    int rc = 0;
    for (int c = 0; c < sn_reference_contigs(r) && rc == 0; c++) rc = sn_reference_fetch(r, c, 0, sn_reference_length(r, c), codes);
    sn_reference_close(r);
    return rc;
}

START_TEST(reference_bad_index) {
    static const struct {
        const char *fai, *message;
    } bad[] = {
        {"a\t10\t3\t0\t0\n", "are impossible"},
        {"a\t9223372036854775807\t3\t5\t6\n", "is no number that fits"},
        {"a\tten\t3\t5\t6\n", "'ten' is no number"},
        {"a\t10\t3\t5\n", "expected 5 tab-separated columns"},
        {"a\t10\t3\t5\t6\t20\n", "FASTQ"},
        {"a\t10\t4\t5\t6\nb\t3\t18\t3\t4\n", "stale index"},
        {"a\t9\t3\t5\t6\nb\t3\t18\t3\t4\n", "stale index"},
        {"a\t10\t3\t5\t6\n", "stale index"},
        {"a\t10\t3\t5\t6\nc\t3\t18\t3\t4\n", "stale index"},
        {"a\t10\t3\t5\t6\nb\t4\t18\t4\t5\n", "stale index"},
        {"a\t10\t3\t5\t6\nb\t2\t18\t3\t4\n", "stale index"},
        {"a\t10\t3\t10\t12\nb\t3\t18\t3\t4\n", "stale index"},
        {"a\t10\t3\t5\t6\na\t3\t18\t3\t4\n", "appears twice"},
        {"", "is empty"},
    };
    temp_text("r.fa", ">a\nACGTA\nCGTAC\n>b\nGGG\n");
    temp_text("r.fa.fai", "a\t10\t3\t5\t6\nb\t3\t18\t3\t4\n");
    ck_assert_msg(open_reference(temp_path("r.fa")) == 0, "%s", sn_error_text());
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sn_reference *r;
        temp_text("r.fa.fai", bad[i].fai);
        ck_error(sn_reference_open(temp_path("r.fa"), dna(), &r), SEQNET_EFORMAT, bad[i].message);
    }
    /* the same places, but other lines: noticed where it is read */
    temp_text("r.fa.fai", "a\t10\t3\t5\t6\nb\t3\t18\t3\t4\n");
    temp_text("r.fa", ">a\nACGTACCGTAC\n>b\nGGG\n");
    ck_error(open_reference(temp_path("r.fa")), SEQNET_EFORMAT, "does not fit its index");
    temp_text("r.fa", ">a\nACGTACC\nGTA\n>b\nGGG\n");
    ck_error(open_reference(temp_path("r.fa")), SEQNET_EFORMAT, "does not fit its index");
}
END_TEST

START_TEST(reference_bad_gzi) {
    char text[8000], fai[400], gzi[8 + 16 * 3] = {3};
    size_t n = make_genome(text, "\n", fai);
    pack("g.fa", BGZIP, text, n);
    temp_text("g.fa.fai", fai);
    temp_write("g.fa.gzi", gzi, sizeof gzi); /* all blocks at 0: legal, slow */
    ck_assert_int_eq(open_reference(temp_path("g.fa")), 0);
    memset(gzi, 0xff, 8);
    temp_write("g.fa.gzi", gzi, sizeof gzi);
    ck_error(open_reference(temp_path("g.fa")), SEQNET_EFORMAT, "do not hold the number of blocks");
    memset(gzi, 0, sizeof gzi);
    gzi[0] = 3;
    gzi[8] = 100;  /* packed offset where no block begins */
    gzi[16] = 120; /* text offset */
    gzi[24] = 101;
    gzi[32] = 121;
    gzi[40] = 102;
    gzi[48] = 122;
    temp_write("g.fa.gzi", gzi, sizeof gzi);
    ck_error(open_reference(temp_path("g.fa")), SEQNET_EFORMAT, "damaged");
    gzi[0] = 1;
    temp_write("g.fa.gzi", gzi, sizeof gzi);
    ck_error(open_reference(temp_path("g.fa")), SEQNET_EFORMAT, "do not hold the number of blocks");
    temp_write("g.fa.gzi", gzi, 20);
    ck_error(open_reference(temp_path("g.fa")), SEQNET_EFORMAT, "do not hold the number of blocks");
}
END_TEST

START_TEST(reference_refused) {
    ck_error(open_reference(temp_text("r.fa", ">a\nACGT\nACGTA\n")), SEQNET_EFORMAT, "r.fa:3: the lines of 'a' differ in length");
    ck_error(open_reference(temp_text("r.fa", ">a\nACGT\nAC\nACGT\n")), SEQNET_EFORMAT, "r.fa:4: the lines of 'a' differ in length");
    ck_error(open_reference(temp_text("r.fa", ">a\nACGT\n\nACGT\n")), SEQNET_EFORMAT, "differ in length");
    ck_error(open_reference(temp_text("r.fa", ">a\nACGT\n>a\nACGT\n")), SEQNET_EFORMAT, "r.fa:3: the name 'a' appears twice");
    ck_error(open_reference(temp_text("r.fa", ">a\nAC!T\n")), SEQNET_EFORMAT, "'!' is no symbol");
    ck_error(open_reference(temp_text("r.fa", "chr1\t1\t5\n")), SEQNET_EFORMAT, "expected a reference FASTA");
    ck_error(open_reference("-"), SEQNET_EINVAL, "standard input");
    ck_assert_int_eq(open_reference(temp_text("r.fa", ">a\n\n>b\nACGT\nAC\n\n\n>c\nA")), 0);
    struct sn_reference *r;
    ck_assert_int_eq(sn_reference_open(temp_text("r.fa", ">1\nACGT\n>chr2\nACGT\n"), dna(), &r), 0);
    ck_error(sn_reference_find(r, "chr1"), SEQNET_EDATA, "which has: 1, chr2; the two differ by the prefix 'chr'");
    ck_error(sn_reference_find(r, "2"), SEQNET_EDATA, "prefix 'chr'");
    ck_error(sn_reference_find(r, "3"), SEQNET_EDATA, "contig '3' is not in");
    ck_assert_ptr_null(strstr(sn_error_text(), "prefix"));
    sn_reference_close(r);
}
END_TEST

/* ---- BED ------------------------------------------------------------------------------------------------------------------------------
 */

START_TEST(bed_read) {
    struct sn_loci l = {0};
    ck_assert_int_eq(
        sn_bed_open(temp_text("b", "track x\n#c\nbrowser y\n\nchr1\t5\t9\tn1\t0\t-\r\nchr2\t0\t1\t.\t3.5\t+\nchr1\t7\t8\t\t.\t."), &l), 0);
    ck_assert_uint_eq(l.n, 3);
    ck_assert_int_eq(l.chroms.n, 2);
    ck_assert_str_eq(l.v[0].name, "n1");
    ck_assert_ptr_null(l.v[1].name);
    ck_assert_ptr_null(l.v[2].name);
    ck_assert_int_eq((int)l.v[0].line, 5);
    ck_assert(l.v[0].strand == -1 && l.v[1].strand == 1 && l.v[2].strand == 0);
    ck_assert(l.v[0].start == 5 && l.v[0].end == 9 && l.v[0].summit == -1 && l.v[2].chrom == 0 && !l.has_summits);
    sn_loci_free(&l);
    ck_assert_int_eq(sn_bed_open(temp_text("b", "1\t5\t9\t.\t0\t.\t1.5\t-1\t-1.00\t3\n1\t5\t9\t.\t0\t.\t1\t2\t3\t-1\n"), &l), 0);
    ck_assert(l.has_summits && l.v[0].summit == 3 && l.v[1].summit == -1);
    sn_loci_free(&l);
}
END_TEST

START_TEST(bed_refused) {
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"c\t1\n", "b:1: 2 columns"},
        {"c\t1\t2\nc\tx\t5\n", "b:2: start: expected a whole number, found 'x'"},
        {"c\t1e3\t5000\n", "found '1e3'"},
        {"c\t1\t5.0\n", "end: expected a whole number, found '5.0'"},
        {"c\t-1\t5\n", "-1 is negative"},
        {"c\t5\t5\n", "start 5 is not smaller than end 5"},
        {"c\t6\t5\n", "start 6 is not smaller than end 5"},
        {"c\t1\t99999999999999999999\n", "99999999999999999999"},
        {"c\t1\t9223372036854775807\n", "is too large"},
        {"c\t 1\t5\n", "found ' 1'"},
        {"c\t+1\t5\n", "found '+1'"},
        {"\t1\t5\n", "no contig name"},
        {"c\t1\t5\tn\tx\n", "score: expected a number"},
        {"c\t1\t5\tn\t0\t*\n", "strand: expected"},
        {"c\t1\t5\nc\t1\t5\tn\n", "b:2: 4 columns, but the lines before have 3"},
        {"c\t1\t5\tn\t0\t+\t1\t1\t1\t5\n", "peak: offset 5 lies outside its interval of 4"},
        {"c\t1\t5\tn\t0\t+\t1\t1\t1\t-2\n", "peak (column 10"},
        {"c\t1\t5\tn\t0\t+\tx\t1\t1\t0\n", "signalValue"},
        {"c\t1\t5\t4\t5\t+\t7\t8\t9\t0\t1\t2\t3\n", "expected 3 to 12"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sn_loci l = {0};
        ck_error(sn_bed_open(temp_text("b", bad[i].text), &l), SEQNET_EFORMAT, bad[i].message);
        sn_loci_free(&l);
    }
    struct sn_loci l = {0};
    ck_error(sn_bed_open(temp_write("b", "c\t1\t5\nc\t1\0\t5\n", 13), &l), SEQNET_EFORMAT, "b:2: a NUL byte");
    sn_loci_free(&l);
}
END_TEST

int main(void) {
    Suite *s = suite_create("seq");
    TCase *c = tcase_create("seq");
    tcase_add_checked_fixture(c, tempdir_make, tempdir_remove);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, dna_codes);
    tcase_add_test(c, reverse_complement);
    tcase_add_test(c, expansion);
    tcase_add_test(c, kinds_by_content);
    tcase_add_test(c, kinds_refused);
    tcase_add_test(c, lines_of_any_length);
    tcase_add_test(c, truncated_data);
    tcase_add_test(c, standard_input);
    tcase_add_test(c, stream_tiles);
    tcase_add_test(c, stream_short_lines);
    tcase_add_test(c, stream_skips_rest);
    tcase_add_test(c, fasta_refused);
    tcase_add_test(c, reference_forms);
    tcase_add_test(c, reference_bad_index);
    tcase_add_test(c, reference_bad_gzi);
    tcase_add_test(c, reference_refused);
    tcase_add_test(c, bed_read);
    tcase_add_test(c, bed_refused);
    suite_add_tcase(s, c);
    return unit_run(s);
}
