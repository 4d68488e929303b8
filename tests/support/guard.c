#include "guard.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/error.h"

#define REGIONS_MAX 256

static struct {
    struct sn_kernels inner;
    void *region[REGIONS_MAX];
    size_t bytes[REGIONS_MAX];
    int n;
    long calls;
} guard;

static size_t pages(size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page) / page * page;
}

static void protect(int mode) {
    for (int i = 0; i < guard.n; i++) mprotect(guard.region[i], guard.bytes[i], mode);
}

static void open_memory(void) {
    protect(PROT_READ | PROT_WRITE);
    guard.calls++;
}

static void close_memory(void) {
    protect(PROT_NONE);
}

#define WRAP(slot, args)                                                                                                                   \
    static void slot_##slot(const struct args *a) {                                                                                        \
        open_memory();                                                                                                                     \
        guard.inner.slot(a);                                                                                                               \
        close_memory();                                                                                                                    \
    }
SN_KERNELS(WRAP)

static int guarded_alloc(struct sn_backend *b, size_t bytes, void **out) {
    (void)b;
    *out = mmap(NULL, pages(bytes), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (*out == MAP_FAILED || guard.n == REGIONS_MAX) return sn_error(SEQNET_ENOMEM, "no guarded memory");
    guard.region[guard.n] = *out;
    guard.bytes[guard.n++] = pages(bytes);
    return 0;
}

static void guarded_release(struct sn_backend *b, void *p, size_t bytes) {
    (void)b;
    for (int i = 0; i < guard.n; i++) {
        if (guard.region[i] != p) continue;
        guard.n--;
        guard.region[i] = guard.region[guard.n];
        guard.bytes[i] = guard.bytes[guard.n];
        break;
    }
    munmap(p, pages(bytes));
}

static void guarded_copy(struct sn_backend *b, void *dst, const void *src, size_t n) {
    (void)b;
    open_memory();
    if (n) memcpy(dst, src, n);
    close_memory();
}

void guard_backend(const struct sn_backend *inner, struct sn_backend *out) {
    guard.inner = inner->kernels;
    *out = (struct sn_backend){.name = "guard",
                               .kernels = inner->kernels,
                               .alloc = guarded_alloc,
                               .release = guarded_release,
                               .upload = guarded_copy,
                               .download = guarded_copy};
#define REPLACE(slot, args) out->kernels.slot = slot_##slot;
    SN_KERNELS(REPLACE)
}

long guard_calls(void) {
    return guard.calls;
}
