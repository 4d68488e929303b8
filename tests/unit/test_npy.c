/* NumPy arrays: kinds of numbers, stored and deflated archives, what is refused; attributions made of them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/file.h"
#include "core/npy.h"
#include "motif/attributions.h"
#include "motif/places.h"
#include "tempfile.h"
#include "unit.h"

#define ck_ok(call) ck_assert_msg((call) >= 0, "%s", sn_error_text())

struct bytes {
    uint8_t b[1 << 16];
    size_t n;
};

static void put(struct bytes *o, const void *p, size_t n) {
    memcpy(o->b + o->n, p, n);
    o->n += n;
}
static void put_number(struct bytes *o, uint64_t v, int bytes) {
    for (int i = 0; i < bytes; i++) o->b[o->n++] = (uint8_t)(v >> (8 * i));
}

/* A .npy with this header text. */
static void make_npy(struct bytes *o, const char *header, const void *data, size_t n) {
    size_t length = strlen(header);
    o->n = 0;
    put(o, "\x93NUMPY\x01\x00", 8);
    put_number(o, length, 2);
    put(o, header, length);
    put(o, data, n);
}

/* A zip archive with one member. `wide`: zip64 fields. */
static void make_zip(struct bytes *o, const char *name, const struct bytes *member, bool deflated, bool wide) {
    static uint8_t packed[1 << 17];
    size_t n = member->n, name_n = strlen(name);
    memcpy(packed, member->b, n);
    if (deflated) {
        z_stream z = {
            .next_in = (Bytef *)(uintptr_t)member->b, .avail_in = (uInt)member->n, .next_out = packed, .avail_out = sizeof packed};
        ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
        ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
        n = z.total_out;
        deflateEnd(&z);
    }
    uint32_t crc = sn_crc32(0, member->b, member->n);
    o->n = 0;
    for (int directory = 0; directory < 2; directory++) {
        put_number(o, directory ? 0x02014b50 : 0x04034b50, 4);
        if (directory) put_number(o, 45, 2);
        put_number(o, 45, 2);
        put_number(o, 0, 2);
        put_number(o, deflated ? 8 : 0, 2);
        put_number(o, 0, 4);
        put_number(o, crc, 4);
        put_number(o, wide ? UINT32_MAX : n, 4);
        put_number(o, wide ? UINT32_MAX : member->n, 4);
        put_number(o, name_n, 2);
        put_number(o, wide ? 20 : 0, 2);
        if (directory) put_number(o, 0, 2 + 2 + 2);
        if (directory) put_number(o, 0, 4 + 4);
        put(o, name, name_n);
        if (wide) {
            put_number(o, 1, 2);
            put_number(o, 16, 2);
            put_number(o, member->n, 8);
            put_number(o, n, 8);
        }
        if (!directory) put(o, packed, n);
    }
    size_t at = 30 + name_n + (wide ? 20 : 0) + n;
    put_number(o, 0x06054b50, 4);
    put_number(o, 0, 4);
    put_number(o, 1, 2);
    put_number(o, 1, 2);
    put_number(o, o->n - 12 - at, 4);
    put_number(o, at, 4);
    put_number(o, 0, 2);
}

#define HEADER(descr, shape) "{'descr': '" descr "', 'fortran_order': False, 'shape': " shape ", }\n"

static void ck_reads(const char *path, const float *want, int n) {
    struct sn_npy *a;
    float got[16];
    ck_ok(sn_npy_open(path, &a));
    ck_ok(sn_npy_read(a, got, n));
    for (int i = 0; i < n; i++) ck_assert_float_eq(got[i], want[i]);
    ck_ok(sn_npy_finish(a));
    ck_error(sn_npy_read(a, got, 1), SEQNET_EFORMAT, "cut off");
    sn_npy_close(a);
}

START_TEST(kinds) {
    static struct bytes o;
    static const float f4[4] = {1, -2.5f, 0, 3e-30f}, small[4] = {1, 0, 1, 0}, halves[4] = {1, -2.5f, 5.9604645e-8f, 0.25f},
                       ints[4] = {-1, 2, 127, -128};
    static const double f8[4] = {1, -2.5, 0, 3e-30f};
    static const uint16_t f2[4] = {0x3c00, 0xc100, 0x0001, 0x3400};
    static const int8_t i1[4] = {-1, 2, 127, -128};
    static const int64_t i8[4] = {-1, 2, 127, -128};
    static const uint8_t u1[4] = {1, 0, 1, 0};
    make_npy(&o, HEADER("<f4", "(2, 2)"), f4, sizeof f4);
    ck_reads(temp_write("f4.npy", o.b, o.n), f4, 4);
    make_npy(&o, HEADER("<f8", "(4,)"), f8, sizeof f8);
    ck_reads(temp_write("f8.npy", o.b, o.n), f4, 4);
    make_npy(&o, HEADER("<f2", "(4,)"), f2, sizeof f2);
    ck_reads(temp_write("f2.npy", o.b, o.n), halves, 4);
    make_npy(&o, HEADER("|i1", "(4,)"), i1, sizeof i1);
    ck_reads(temp_write("i1.npy", o.b, o.n), ints, 4);
    make_npy(&o, HEADER("<i8", "(4,)"), i8, sizeof i8);
    ck_reads(temp_write("i8.npy", o.b, o.n), ints, 4);
    make_npy(&o, HEADER("|b1", "(4,)"), u1, sizeof u1);
    ck_reads(temp_write("b1.npy", o.b, o.n), small, 4);
    make_npy(&o, HEADER("|u1", "(1, 4)"), u1, sizeof u1);
    ck_reads(temp_write("u1.npy", o.b, o.n), small, 4);
}
END_TEST

START_TEST(archives) {
    static struct bytes member, o;
    static const float f4[4] = {1, -2.5f, 0, 3};
    make_npy(&member, HEADER("<f4", "(2, 2)"), f4, sizeof f4);
    for (int deflated = 0; deflated < 2; deflated++)
        for (int wide = 0; wide < 2; wide++) {
            make_zip(&o, wide ? "arr_0.npy" : "hyp.npy", &member, deflated, wide);
            ck_reads(temp_write("a.npz", o.b, o.n), f4, 4);
            o.b[30 + (wide ? 29 : 7) + 70] ^= 1; /* within the data */
            struct sn_npy *a;
            float got[4];
            int rc = sn_npy_open(temp_write("b.npz", o.b, o.n), &a);
            if (rc == 0) rc = sn_npy_read(a, got, 4);
            if (rc == 0) rc = sn_npy_finish(a);
            ck_assert_int_lt(rc, 0);
            if (a) sn_npy_close(a);
        }
}
END_TEST

START_TEST(refused) {
    static struct bytes o, z;
    static const float f4[4] = {1, 2, 3, 4};
    struct sn_npy *a;
#define REFUSED(header, code, fragment)                                                                                                    \
    make_npy(&o, header, f4, sizeof f4);                                                                                                   \
    ck_error(sn_npy_open(temp_write("x.npy", o.b, o.n), &a), code, fragment)
    REFUSED(HEADER("|O", "(4,)"), SEQNET_ENOTSUP, "Python objects");
    REFUSED(HEADER(">f4", "(4,)"), SEQNET_ENOTSUP, "big-endian");
    REFUSED(HEADER("<c8", "(2,)"), SEQNET_ENOTSUP, "type '<c8': expected floats");
    REFUSED(HEADER("<U1", "(4,)"), SEQNET_ENOTSUP, "expected floats");
    REFUSED("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }\n", SEQNET_ENOTSUP, "records");
    REFUSED("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }\n", SEQNET_ENOTSUP, "Fortran");
    REFUSED("{'descr':'", SEQNET_EFORMAT, "no type"); /* the header ends within the type */
    REFUSED("{'descr':'<f", SEQNET_EFORMAT, "no type");
    REFUSED(HEADER("<", "(4,)"), SEQNET_ENOTSUP, "type '<'");
    REFUSED("{'fortran_order': False, 'shape': (4,), }\n", SEQNET_EFORMAT, "no type");
    REFUSED("{'descr': '<f4', 'fortran_order': False, }\n", SEQNET_EFORMAT, "no shape");
    REFUSED(HEADER("<f4", "(5,)"), SEQNET_EFORMAT, "expected 20 bytes");
    REFUSED(HEADER("<f4", "(4294967296, 4294967296)"), SEQNET_EFORMAT, "too large");
    REFUSED(HEADER("<f4", "(-4,)"), SEQNET_EFORMAT, "shape");
    make_npy(&o, HEADER("<f4", "(4,)"), f4, sizeof f4);
    make_zip(&z, "arr_0.npy", &o, false, false);
    for (size_t n = 0; n < z.n; n++) { /* cut off anywhere */
        int rc = sn_npy_open(temp_write("cut.npz", z.b, n), &a);
        ck_assert_msg(rc < 0, "%zu of %zu bytes", n, z.n);
    }
    uint8_t tiny[42] = "PK\006\007"; /* points to a directory that such a small file cannot hold */
    memset(tiny + 8, 0xf0, 8);
    memcpy(tiny + 20, "PK\005\006", 4);
    ck_error(sn_npy_open(temp_write("tiny.npz", tiny, sizeof tiny), &a), SEQNET_EFORMAT, "zip64 directory");
    ck_error(sn_npy_open(temp_text("text.npy", "sequence\tlabel\nACGT\t1\n"), &a), SEQNET_EFORMAT, "not a NumPy array");
    ck_error(sn_npy_open(temp_path("missing.npy"), &a), SEQNET_EIO, "missing.npy");
    ck_error(sn_npy_open(tempdir, &a), SEQNET_EIO, "expected a file");
}
END_TEST

/* ---- attributions ---- */

/* ACG and T-A: one-hot (2,4,3). */
static const uint8_t one_hot[24] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0};

static const char *save(const char *name, const char *header, const void *data, size_t n) {
    static struct bytes o;
    make_npy(&o, header, data, n);
    return temp_write(name, o.b, o.n);
}

START_TEST(loading) {
    struct sn_loaded l;
    float h[24], turned[24];
    static const uint8_t bases[6] = {0, 1, 2, 3, 4, 0};
    for (int i = 0; i < 24; i++) h[i] = (float)i;
    for (int row = 0; row < 2; row++)
        for (int c = 0; c < 4; c++)
            for (int p = 0; p < 3; p++) turned[row * 12 + p * 4 + c] = h[row * 12 + c * 3 + p];
    const char *x = save("x.npy", HEADER("|u1", "(2, 4, 3)"), one_hot, 24);
    const char *files[2] = {save("h.npy", HEADER("<f4", "(2, 4, 3)"), h, sizeof h),
                            save("t.npy", HEADER("<f4", "(2, 3, 4)"), turned, sizeof turned)};
    for (int i = 0; i < 2; i++) {
        ck_ok(sn_attributions_load(x, files[i], 0, &l));
        ck_assert_int_eq(l.a.n, 2);
        ck_assert_int_eq(l.a.length, 3);
        ck_assert_mem_eq(l.a.bases, bases, 6);
        for (int row = 0; row < 2; row++)
            for (int c = 0; c < 4; c++)
                for (int p = 0; p < 3; p++) ck_assert_float_eq(sn_hypothetical(&l.a, row, p, c), h[row * 12 + c * 3 + p]);
        ck_assert_float_eq(sn_contribution(&l.a, 1, 0), 21);
        ck_assert_float_eq(sn_contribution(&l.a, 1, 1), 0);
        sn_attributions_free(&l);
    }
}
END_TEST

/* Numbers that stay in the file are checked, too. */
START_TEST(damaged_archive) {
    static struct bytes member, o;
    struct sn_loaded l;
    static const float h[24] = {1};
    const char *x = save("x.npy", HEADER("|u1", "(2, 4, 3)"), one_hot, 24);
    make_npy(&member, HEADER("<f4", "(2, 4, 3)"), h, sizeof h);
    make_zip(&o, "arr_0.npy", &member, false, true);
    ck_ok(sn_attributions_load(x, temp_write("h.npz", o.b, o.n), 0, &l));
    ck_assert_ptr_null(l.hypothetical);
    sn_attributions_free(&l);
    o.b[30 + 29 + member.n - 1] ^= 1;
    ck_error(sn_attributions_load(x, temp_write("h.npz", o.b, o.n), 0, &l), SEQNET_EFORMAT, "checksum");
}
END_TEST

START_TEST(refused_attributions) {
    struct sn_loaded l;
    float h[24] = {0};
    double wide[24] = {0};
    uint8_t bad[24];
    const char *x = save("x.npy", HEADER("|u1", "(2, 4, 3)"), one_hot, 24), *y = save("h.npy", HEADER("<f4", "(2, 4, 3)"), h, sizeof h);
    ck_error(sn_attributions_load(x, save("a.npy", HEADER("<f4", "(2, 12)"), h, sizeof h), 0, &l), SEQNET_ESHAPE, "2 axes");
    ck_error(sn_attributions_load(x, save("a.npy", HEADER("<f4", "(2, 6, 2)"), h, sizeof h), 0, &l), SEQNET_ESHAPE,
             "expected (sequences, 4, length)");
    ck_error(sn_attributions_load(x, save("a.npy", HEADER("<f4", "(1, 4, 4)"), h, 64), 0, &l), SEQNET_ESHAPE,
             "expected (sequences, 4, length)");
    ck_error(sn_attributions_load(x, save("a.npy", HEADER("<f4", "(1, 4, 6)"), h, sizeof h), 0, &l), SEQNET_ESHAPE, "must be the same");
    ck_error(sn_attributions_load(x, save("a.npy", HEADER("<f8", "(2, 4, 3)"), wide, sizeof wide), 50, &l), SEQNET_ENOMEM,
             "memory allowed");
    memcpy(bad, one_hot, 24);
    bad[3] = 1; /* C besides A */
    ck_error(sn_attributions_load(save("b.npy", HEADER("|u1", "(2, 4, 3)"), bad, 24), y, 0, &l), SEQNET_EDATA, "2 bases at once");
    h[5] = 0.5f;
    ck_error(sn_attributions_load(save("b.npy", HEADER("<f4", "(2, 4, 3)"), h, sizeof h), y, 0, &l), SEQNET_EDATA,
             "position 2: expected 0 or 1");
}
END_TEST

START_TEST(places) {
    struct sn_places p;
    ck_ok(
        sn_places_read(temp_text("s.tsv", "sequence\tchrom\tstart\tend\tstrand\tlength\na\tchr1\t5\t15\t-\t10\r\nb\t.\t.\t.\t.\t7\n"), &p));
    ck_assert_int_eq(p.n, 2);
    ck_assert_str_eq(p.v[0].name, "a");
    ck_assert_str_eq(p.v[0].chrom, "chr1");
    ck_assert(p.v[0].start == 5 && p.v[0].end == 15 && p.v[0].reverse);
    ck_assert_ptr_null(p.v[1].chrom);
    ck_assert_int_eq(p.len[1], 7);
    sn_places_free(&p);
    ck_ok(sn_places_read(temp_text("s.tsv", "sequence\nx\ny"), &p));
    ck_assert(p.n == 2 && !p.len);
    sn_places_free(&p);
    ck_error(sn_places_read(temp_text("s.tsv", "name\nx\n"), &p), SEQNET_EFORMAT, "s.tsv:1");
    ck_error(sn_places_read(temp_text("s.tsv", "sequence\tlength\nx\n"), &p), SEQNET_EFORMAT, "s.tsv:2: the column length");
    ck_error(sn_places_read(temp_text("s.tsv", "sequence\tlength\nx\t3\ny\tz\n"), &p), SEQNET_EFORMAT, "s.tsv:3: length");
}
END_TEST

int main(void) {
    Suite *s = suite_create("npy");
    TCase *t = tcase_create("npy");
    tcase_add_checked_fixture(t, tempdir_make, tempdir_remove);
    tcase_add_test(t, kinds);
    tcase_add_test(t, archives);
    tcase_add_test(t, refused);
    tcase_add_test(t, loading);
    tcase_add_test(t, damaged_archive);
    tcase_add_test(t, refused_attributions);
    tcase_add_test(t, places);
    suite_add_tcase(s, t);
    return unit_run(s);
}
