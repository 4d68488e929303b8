#include <math.h>
#include <string.h>

#include "api/api.h"
#include "core/parse.h"

static size_t size_of(const void *caller) {
    size_t size;
    memcpy(&size, caller, sizeof size);
    return size;
}

int sn_take_options(void *full, size_t n, const void *caller, const char *name) {
    if (!caller) return 0;
    size_t size = size_of(caller);
    if (size < sizeof size) return sn_error(SEQNET_EINVAL, "%s: `size` is not set; fill the struct with its _defaults() function", name);
    for (size_t i = n; i < size; i++)
        if (((const char *)caller)[i])
            return sn_error(SEQNET_EINVAL, "%s: has options that seqnet %s does not know", name, seqnet_version());
    memcpy(full, caller, size < n ? size : n);
    memcpy(full, &n, sizeof n);
    return 0;
}

void sn_give(void *caller, size_t size, const void *full, size_t n) {
    if (size < sizeof size) return;
    memcpy(caller, full, size < n ? size : n);
    if (size > n) memset((char *)caller + n, 0, size - n);
    memcpy(caller, &size, sizeof size);
}

int sn_give_result(void *caller, const void *full, size_t n, const char *name) {
    size_t size = size_of(caller);
    if (size < sizeof size) return sn_error(SEQNET_EINVAL, "%s: `size` is not set; set it to sizeof of the struct", name);
    sn_give(caller, size, full, n);
    return 0;
}

int sn_check_int(const char *field, int64_t v, int64_t min, int64_t max) {
    if (v >= min && v <= max) return 0;
    return sn_error(SEQNET_EINVAL, "%s: expected %lld to %lld, got %lld", field, (long long)min, (long long)max, (long long)v);
}

int sn_check_double(const char *field, double v, double min, double max) {
    char a[32], b[32], c[32];
    if (v >= min && v <= max) return 0;
    return sn_error(SEQNET_EINVAL, "%s: expected %s to %s, got %s", field, sn_format_f64(min, a), sn_format_f64(max, b),
                    isfinite(v) ? sn_format_f64(v, c) : "a value that is not finite");
}

int sn_check_word(const char *field, const char *v, const char *const *words) {
    struct sn_str list = {0};
    int n = 0, rc = 0;
    if (!v) return 0;
    for (; words[n]; n++) {
        if (strcmp(v, words[n]) == 0) goto done;
        if ((rc = sn_str_printf(&list, "%s%s", n ? ", " : "", words[n])) < 0) goto done;
    }
    const char *near = sn_nearest(v, words, n);
    rc = sn_error(SEQNET_EINVAL, "%s: unknown value '%s'%s%s%s; known: %s", field, v, near ? ", did you mean '" : "", near ? near : "",
                  near ? "'?" : "", list.s);
done:
    sn_str_free(&list);
    return rc;
}
