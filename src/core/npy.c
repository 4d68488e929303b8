#include "core/npy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/parse.h"

#define CHUNK 65536         /* bytes unpacked at a time */
#define MOST_HEADER 1000000 /* bytes of a .npy header */
#define STORED 0
#define DEFLATED 8

struct sn_npy {
    char *path;
    const uint8_t *file; /* mapped */
    size_t size;
    const uint8_t *data; /* the member in the file */
    size_t packed, unpacked;
    int method;
    bool archive;
    uint32_t crc, want_crc;
    size_t taken;   /* unpacked bytes handed out */
    size_t dropped; /* bytes of the member whose pages were given back */
    z_stream z;
    bool inflating;
    /* the array */
    int n_dims;
    int64_t shape[SN_NPY_DIMS], count;
    char kind;      /* f, i, u, b */
    int item;       /* bytes */
    size_t numbers; /* where they begin in the member */
    uint8_t raw[CHUNK];
};

/* ---- little-endian fields ---- */

static uint64_t get(const uint8_t *p, int bytes) {
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static int broken(const struct sn_npy *a, const char *what) {
    return sn_error(SEQNET_EFORMAT, "%s: %s", a->path, what);
}

/* ---- the archive ---- */

struct member {
    char name[256];
    int method;
    uint32_t crc;
    uint64_t packed, unpacked, offset;
};

/* 64-bit sizes of an entry, where its 32-bit fields are full. */
static void wide_fields(const uint8_t *extra, size_t n, struct member *m) {
    for (size_t at = 0; at + 4 <= n;) {
        size_t id = get(extra + at, 2), size = get(extra + at + 2, 2);
        if (at + 4 + size > n) return;
        if (id == 1) {
            const uint8_t *p = extra + at + 4, *end = p + size;
            uint64_t *field[3] = {&m->unpacked, &m->packed, &m->offset};
            for (int i = 0; i < 3; i++) {
                if (*field[i] != UINT32_MAX || p + 8 > end) continue;
                *field[i] = get(p, 8);
                p += 8;
            }
        }
        at += 4 + size;
    }
}

/* Reads the directory entry at *at and moves on. */
static int read_entry(const struct sn_npy *a, uint64_t *at, struct member *m) {
    const uint8_t *p = a->file + *at;
    if (*at + 46 > a->size || get(p, 4) != 0x02014b50) return broken(a, "damaged archive: its directory is cut off");
    size_t name = get(p + 28, 2), extra = get(p + 30, 2), comment = get(p + 32, 2);
    if (*at + 46 + name + extra + comment > a->size) return broken(a, "damaged archive: its directory is cut off");
    *m = (struct member){.method = (int)get(p + 10, 2),
                         .crc = (uint32_t)get(p + 16, 4),
                         .packed = get(p + 20, 4),
                         .unpacked = get(p + 24, 4),
                         .offset = get(p + 42, 4)};
    size_t n = name < sizeof m->name - 1 ? name : sizeof m->name - 1;
    memcpy(m->name, p + 46, n);
    wide_fields(p + 46 + name, extra, m);
    *at += 46 + name + extra + comment;
    return get(p + 8, 2) & 1 ? sn_error(SEQNET_ENOTSUP, "%s: %s is encrypted", a->path, m->name) : 0;
}

/* Where the directory begins and how many entries it has. */
static int find_directory(const struct sn_npy *a, uint64_t *at, uint64_t *n) {
    size_t lowest = a->size > 65557 ? a->size - 65557 : 0, end = a->size;
    if (a->size < 22) return broken(a, "damaged archive: it is cut off");
    for (end = a->size - 22;; end--) {
        if (get(a->file + end, 4) == 0x06054b50) break;
        if (end <= lowest) return broken(a, "damaged archive: its directory is missing (cut off?)");
    }
    *n = get(a->file + end + 10, 2);
    *at = get(a->file + end + 16, 4);
    if (end >= 20 && get(a->file + end - 20, 4) == 0x07064b50) {
        uint64_t wide = get(a->file + end - 12, 8);
        if (a->size < 56 || wide > a->size - 56 || get(a->file + wide, 4) != 0x06064b50)
            return broken(a, "damaged archive: its zip64 directory is missing");
        *n = get(a->file + wide + 32, 8);
        *at = get(a->file + wide + 48, 8);
    }
    return *at < a->size ? 0 : broken(a, "damaged archive: its directory is cut off");
}

static int open_member(struct sn_npy *a, const struct member *m) {
    if (m->offset > a->size - 30 || get(a->file + m->offset, 4) != 0x04034b50) return broken(a, "damaged archive: a member is missing");
    uint64_t data = m->offset + 30 + get(a->file + m->offset + 26, 2) + get(a->file + m->offset + 28, 2);
    if (data > a->size || m->packed > a->size - data) return broken(a, "damaged archive: a member is cut off");
    if (m->method != STORED && m->method != DEFLATED)
        return sn_error(SEQNET_ENOTSUP, "%s: %s is packed by method %d: expected stored or deflated", a->path, m->name, m->method);
    if (m->method == STORED && m->packed != m->unpacked) return broken(a, "damaged archive: the sizes of a member differ");
    a->data = a->file + data;
    a->packed = m->packed;
    a->unpacked = m->unpacked;
    a->method = m->method;
    a->want_crc = m->crc;
    return 0;
}

/* The member arr_0, or the only one. */
static int choose_member(struct sn_npy *a) {
    struct member m, chosen;
    uint64_t at = 0, n = 0;
    bool found = false;
    SN_TRY(find_directory(a, &at, &n));
    if (n == 0) return broken(a, "an archive without arrays");
    for (uint64_t i = 0; i < n; i++) {
        SN_TRY(read_entry(a, &at, &m));
        if (strcmp(m.name, "arr_0.npy") == 0 || n == 1) {
            chosen = m;
            found = true;
        }
    }
    if (!found)
        return sn_error(SEQNET_EFORMAT, "%s: expected one array, or one named arr_0; the last of %" PRIu64 " members is '%s'", a->path, n,
                        m.name);
    return open_member(a, &chosen);
}

/* ---- pages: those that were read are given back, or reading a large file would count as memory in use ---- */

#define DROP_STEP ((size_t)4 << 20)
#define DROP_ALIGN ((size_t)64 << 10) /* the system maps pages about the one that is read, and no page is larger */

void sn_npy_drop(const struct sn_npy *a, const uint8_t *from, size_t n) {
    size_t at = (size_t)(from - a->file), begin = at / DROP_ALIGN * DROP_ALIGN, end = (at + n + DROP_ALIGN - 1) / DROP_ALIGN * DROP_ALIGN;
    if (end > a->size) end = a->size;
    if (begin < end) madvise((void *)(uintptr_t)(a->file + begin), end - begin, MADV_DONTNEED);
}

static void drop_read(struct sn_npy *a, size_t read) {
    if (read < a->dropped + DROP_STEP) return;
    sn_npy_drop(a, a->data + a->dropped, read - a->dropped);
    a->dropped = read;
}

/* ---- unpacking ---- */

static int inflate_some(struct sn_npy *a, uint8_t *out, size_t n) {
    a->z.next_out = out;
    while (n > 0) {
        uInt step = n > (1u << 30) ? 1u << 30 : (uInt)n;
        size_t left = a->packed - (size_t)(a->z.next_in - a->data);
        a->z.avail_in = left > (1u << 30) ? 1u << 30 : (uInt)left;
        a->z.avail_out = step;
        int rc = inflate(&a->z, Z_NO_FLUSH);
        size_t got = step - a->z.avail_out;
        n -= got;
        if (rc == Z_STREAM_END && n == 0) return 0;
        if (rc != Z_OK || (got == 0 && left == 0)) return broken(a, "damaged archive: a packed member is broken or cut off");
    }
    return 0;
}

/* The next n bytes of the member. */
static int take(struct sn_npy *a, uint8_t *out, size_t n) {
    if (n > a->unpacked - a->taken) return broken(a, "the array is cut off");
    if (a->method == DEFLATED)
        SN_TRY(inflate_some(a, out, n));
    else
        memcpy(out, a->data + a->taken, n);
    if (a->archive) a->crc = sn_crc32(a->crc, out, n);
    a->taken += n;
    drop_read(a, a->method == DEFLATED ? (size_t)(a->z.next_in - a->data) : a->taken);
    return 0;
}

/* ---- the header of an array ---- */

/* The text behind 'key': in the header, or NULL. */
static const char *value_of(const char *header, const char *key) {
    const char *p = strstr(header, key);
    if (!p) return NULL;
    p += strlen(key);
    while (*p == '\'' || *p == '"' || *p == ' ' || *p == ':') p++;
    return p;
}

static int parse_kind(struct sn_npy *a, const char *header) {
    const char *p = strstr(header, "descr");
    p = p ? strchr(p + 5, ':') : NULL;
    if (!p) return broken(a, "not an array: its header has no type");
    do p++;
    while (*p == ' ');
    if (*p == '[') return sn_error(SEQNET_ENOTSUP, "%s: an array of records: expected numbers", a->path);
    size_t n = *p == '\'' || *p == '"' ? strcspn(p + 1, "'\"") : 0; /* letters of the type */
    if (n == 0 || !p[n + 1]) return broken(a, "not an array: its header has no type");
    char order = p[1];
    a->kind = n > 1 ? p[2] : 0;
    if (order == '|' && a->kind == 'O') return sn_error(SEQNET_ENOTSUP, "%s: an array of Python objects: expected numbers", a->path);
    a->item = n == 3 && p[3] >= '1' && p[3] <= '8' ? p[3] - '0' : 0;
    bool known = (a->kind == 'f' && (a->item == 2 || a->item == 4 || a->item == 8)) || (a->kind == 'b' && a->item == 1) ||
                 ((a->kind == 'i' || a->kind == 'u') && (a->item == 1 || a->item == 2 || a->item == 4 || a->item == 8));
    if (!known)
        return sn_error(SEQNET_ENOTSUP, "%s: an array of type '%.*s': expected floats of 16, 32, 64 bits, integers or booleans", a->path,
                        n < 20 ? (int)n : 20, p + 1);
    if (order == '>' && a->item > 1) return sn_error(SEQNET_ENOTSUP, "%s: big-endian numbers: expected little-endian ones", a->path);
    return 0;
}

static int parse_shape(struct sn_npy *a, const char *header) {
    const char *p = value_of(header, "shape");
    if (!p || *p++ != '(') return broken(a, "not an array: its header has no shape");
    a->count = 1;
    for (;;) {
        while (*p == ' ' || *p == ',') p++;
        if (*p == ')') break;
        const char *end = p;
        while (*end >= '0' && *end <= '9') end++;
        size_t all;
        int64_t v;
        if (a->n_dims == SN_NPY_DIMS || !sn_parse_i64(p, (size_t)(end - p), &v)) return broken(a, "not an array: its shape cannot be read");
        if (!sn_mul_size((size_t)a->count, (size_t)v, &all) || all > INT64_MAX / 16) return broken(a, "its shape is too large");
        a->shape[a->n_dims++] = v;
        a->count = (int64_t)all;
        p = end;
    }
    return 0;
}

static int parse_header(struct sn_npy *a) {
    uint8_t start[12];
    if (a->unpacked < 10) return broken(a, "not a NumPy array: it is too short");
    SN_TRY(take(a, start, 10));
    if (memcmp(start, "\x93NUMPY", 6) != 0) return broken(a, "not a NumPy array (.npy, or .npz with arrays)");
    size_t length = get(start + 8, 2);
    if (start[6] < 1 || start[6] > 3) return sn_error(SEQNET_ENOTSUP, "%s: version %d of the .npy format", a->path, start[6]);
    if (start[6] > 1) {
        SN_TRY(take(a, start + 10, 2));
        length = get(start + 8, 4);
    }
    if (length > MOST_HEADER) return broken(a, "not an array: its header is too long");
    char *header = sn_calloc(length + 1, 1);
    if (!header) return SEQNET_ENOMEM;
    int rc = take(a, (uint8_t *)header, length);
    if (rc == 0) rc = parse_kind(a, header);
    if (rc == 0) rc = parse_shape(a, header);
    const char *fortran = rc == 0 ? value_of(header, "fortran_order") : NULL;
    bool columns = fortran && strncmp(fortran, "True", 4) == 0;
    free(header);
    if (rc < 0) return rc;
    if (columns && a->n_dims > 1)
        return sn_error(SEQNET_ENOTSUP, "%s: an array in Fortran order: save numpy.ascontiguousarray(it)", a->path);
    a->numbers = a->taken;
    size_t bytes = (size_t)a->count * (size_t)a->item;
    if (a->unpacked - a->numbers != bytes)
        return sn_error(SEQNET_EFORMAT, "%s: the array is cut off or too long: expected %zu bytes of numbers, got %zu", a->path, bytes,
                        a->unpacked - a->numbers);
    return 0;
}

/* ---- opening ---- */

static int map_file(struct sn_npy *a) {
    int fd = open(a->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return sn_error_errno(a->path, "cannot open");
    struct stat st;
    int rc = 0;
    if (fstat(fd, &st) != 0) {
        rc = sn_error_errno(a->path, "cannot read");
    } else if (!S_ISREG(st.st_mode)) {
        rc = sn_error(SEQNET_EIO, "%s: expected a file", a->path);
    } else if (st.st_size < 10) {
        rc = broken(a, "not a NumPy array: it is too short");
    } else {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            rc = sn_error_errno(a->path, "cannot read");
        } else {
            a->file = p;
            a->size = (size_t)st.st_size;
        }
    }
    close(fd);
    return rc;
}

int sn_npy_open(const char *path, struct sn_npy **out) {
    *out = NULL;
    struct sn_npy *a = sn_calloc(1, sizeof *a);
    if (!a) return SEQNET_ENOMEM;
    int rc = 0;
    a->path = sn_strdup(path);
    if (!a->path) SN_GO(SEQNET_ENOMEM);
    SN_GO(map_file(a));
    a->archive = memcmp(a->file, "PK", 2) == 0;
    if (a->archive) {
        SN_GO(choose_member(a));
    } else {
        a->data = a->file;
        a->packed = a->unpacked = a->size;
    }
    if (a->method == DEFLATED) {
        a->z.next_in = (Bytef *)(uintptr_t)a->data;
        if (inflateInit2(&a->z, -15) != Z_OK) SN_GO(sn_error(SEQNET_ENOMEM, "%s: cannot unpack: out of memory", path));
        a->inflating = true;
    }
    SN_GO(parse_header(a));
    *out = a;
    return 0;
done:
    sn_npy_close(a);
    return rc;
}

void sn_npy_close(struct sn_npy *a) {
    if (!a) return;
    if (a->inflating) inflateEnd(&a->z);
    if (a->file) munmap((void *)(uintptr_t)a->file, a->size);
    free(a->path);
    free(a);
}

const char *sn_npy_path(const struct sn_npy *a) {
    return a->path;
}

int sn_npy_dims(const struct sn_npy *a, int64_t shape[SN_NPY_DIMS]) {
    memcpy(shape, a->shape, sizeof a->shape);
    return a->n_dims;
}

const uint8_t *sn_npy_mapped(const struct sn_npy *a) {
    return a->method == STORED && a->kind == 'f' && a->item == 4 ? a->data + a->numbers : NULL;
}

/* ---- numbers ---- */

static float half(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023, bits;
    float v;
    if (exponent == 0) {
        v = (float)fraction * 0x1p-24f;
        return sign ? -v : v;
    }
    bits = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | fraction << 13;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static float number(const struct sn_npy *a, const uint8_t *p) {
    uint64_t v = get(p, a->item);
    if (a->kind == 'f' && a->item == 8) {
        double d;
        memcpy(&d, &v, sizeof d);
        return (float)d;
    }
    if (a->kind == 'f') return half((uint16_t)v);
    if (a->kind == 'b') return v ? 1 : 0;
    if (a->kind == 'u') return (float)v;
    int unused = 64 - 8 * a->item;
    return (float)((int64_t)(v << unused) >> unused);
}

int sn_npy_read(struct sn_npy *a, float *out, int64_t n) {
    if (a->kind == 'f' && a->item == 4) return take(a, (uint8_t *)out, (size_t)n * 4);
    for (int64_t done = 0; done < n;) {
        int64_t some = CHUNK / a->item < n - done ? CHUNK / a->item : n - done;
        SN_TRY(take(a, a->raw, (size_t)some * (size_t)a->item));
        for (int64_t i = 0; i < some; i++) out[done + i] = number(a, a->raw + i * a->item);
        done += some;
    }
    return 0;
}

int sn_npy_finish(struct sn_npy *a) {
    while (a->archive && a->method == STORED && a->taken < a->unpacked) {
        size_t left = a->unpacked - a->taken, n = left < DROP_STEP ? left : DROP_STEP;
        a->crc = sn_crc32(a->crc, a->data + a->taken, n);
        a->taken += n;
        drop_read(a, a->taken);
    }
    if (a->archive && a->taken == a->unpacked && a->crc != a->want_crc) return broken(a, "damaged archive: the checksum differs");
    return 0;
}
