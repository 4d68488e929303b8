/* Runs every case on every table (TAP). An argument: only cases whose name begins with it. */
#include <stdio.h>
#include <stdlib.h>

#include "core/cpu.h"
#include "core/error.h"
#include "harness.h"
#include "module.h"

/* The double table lives in objects compiled with SN_DOUBLE; here it is only passed on. */
void sn_kernels_ref_f64(struct sn_kernels *k);

#define MAX_TABLES 5
struct table {
    const char *name;
    struct sn_kernels k;
    bool fma;        /* vector table: the same bits on each */
    bool blas;       /* matrix products by OpenBLAS, the oracle of our own */
    uint64_t digest; /* of all records */
};
struct family {
    const struct kt_case *f32, *f64;
};
#define FAMILY(family) {kt_cases_##family, kt_cases_##family##_f64},
static const struct family families[] = {KT_FAMILIES(FAMILY)};

static int n_tests, n_bad;

static void report(bool ok, const char *name, const char *what, const char *message) {
    n_tests++;
    printf("%sok %d - %s %s\n", ok ? "" : "not ", n_tests, name, what);
    if (!ok) {
        n_bad++;
        printf("# %s\n", message);
    }
}

static void run(struct kt *t, const struct kt_case *c, const struct sn_kernels *k, bool stable) {
    *t = (struct kt){.k = k, .tol = c->tol, .state = 1, .stable = stable};
    c->run(t);
    kt_finish(t);
    if (t->n_rec == 0 && t->failures == 0) kt_fail(t, "the case recorded nothing");
}

/* FNV-1a: builds by different compilers print the same digest for a vector table. */
static uint64_t digest(uint64_t h, const struct kt *t) {
    const unsigned char *p = (const unsigned char *)t->rec;
    for (size_t i = 0; i < t->n_rec * sizeof *t->rec; i++) h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* Records of a float table against the double one. */
static bool near(const struct kt *a, const struct kt *d, double tol, char *message, size_t n) {
    if (a->n_rec != d->n_rec) {
        snprintf(message, n, "%zu values, the double table gives %zu", a->n_rec, d->n_rec);
        return false;
    }
    for (size_t i = 0; i < a->n_rec; i++) {
        if (isnan(a->rec[i]) && isnan(d->rec[i])) continue;
        if (a->rec[i] == d->rec[i] || fabs(a->rec[i] - d->rec[i]) <= tol * (1 + fabs(d->rec[i]))) continue;
        snprintf(message, n, "value %zu is %.9g, the double table gives %.15g", i, a->rec[i], d->rec[i]);
        return false;
    }
    return true;
}

static void run_case(const struct kt_case *c, const struct kt_case *c64, struct table *tables, int n, const struct sn_kernels *f64) {
    struct kt d, t[MAX_TABLES];
    char message[200];
    run(&d, c64, f64, true);
    report(d.failures == 0, c->name, "f64", d.message);
    int vector = -1;
    for (int i = 0; i < n; i++) {
        run(&t[i], c, &tables[i].k, !tables[i].blas);
        report(t[i].failures == 0, c->name, tables[i].name, t[i].message);
        bool ok = near(&t[i], &d, c->tol, message, sizeof message);
        report(ok, c->name, "near f64", message);
        tables[i].digest = digest(tables[i].digest, &t[i]);
        if (!tables[i].fma) continue;
        if (vector >= 0) {
            ok = t[i].n_rec == t[vector].n_rec && memcmp(t[i].rec, t[vector].rec, t[i].n_rec * sizeof *t[i].rec) == 0;
            report(ok, c->name, "same bits on every vector table", tables[i].name);
        }
        vector = i;
    }
    for (int i = 0; i < n; i++) free(t[i].rec);
    free(d.rec);
}

static void add_table(struct table *tables, int *n, const char *name, bool fma) {
    tables[*n].name = name;
    tables[*n].fma = fma;
    tables[*n].digest = UINT64_C(0xcbf29ce484222325);
    ++*n;
}

/* Every table this machine can run. */
static int list_tables(struct table *tables) {
    const enum sn_isa isas[] = {SN_ISA_REF, SN_ISA_AVX2, SN_ISA_AVX512, SN_ISA_NEON};
    enum sn_isa best;
    int n = 0;
    if (sn_isa_detect(&best) != 0) return -1;
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        bool has = isas[i] == SN_ISA_REF || isas[i] == best || (isas[i] == SN_ISA_AVX2 && best == SN_ISA_AVX512);
        if (!has) continue;
        sn_kernels_init(&tables[n].k, isas[i]);
        add_table(tables, &n, sn_isa_name(isas[i]), isas[i] != SN_ISA_REF);
    }
    sn_kernels_init(&tables[n].k, best);
    if (sn_kernels_openblas(&tables[n].k) != 0) {
        printf("# no OpenBLAS: %s\n", seqnet_errmsg());
        return n;
    }
    tables[n].blas = true;
    add_table(tables, &n, "openblas", false);
    return n;
}

int main(int argc, char **argv) {
    static struct table tables[MAX_TABLES];
    static struct sn_kernels f64;
    int n = list_tables(tables);
    if (n < 0) {
        printf("Bail out! %s\n", seqnet_errmsg());
        return 1;
    }
    sn_kernels_ref_f64(&f64);
    for (size_t f = 0; f < sizeof families / sizeof *families; f++)
        for (const struct kt_case *c = families[f].f32, *d = families[f].f64; c->name; c++, d++)
            if (argc < 2 || strncmp(c->name, argv[1], strlen(argv[1])) == 0) run_case(c, d, tables, n, &f64);
    for (int i = 0; i < n; i++) printf("# digest %s %016llx\n", tables[i].name, (unsigned long long)tables[i].digest);
    printf("1..%d\n", n_tests);
    return n_bad != 0;
}
