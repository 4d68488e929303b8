/* What this machine can do on N threads at once: `machine THREADS` answers every line "round SECONDS" on standard input with a line of
 * JSON: GFLOP/s of independent FMAs with the widest vectors seqnet would use, and GB/s of a triad. For `bootstrap.sh bench`. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/cpu.h"
#include "roofline.h"

struct thread {
    pthread_t id;
    pthread_barrier_t *start;
    double seconds;
    enum sn_isa isa;
    float *a, *b, *c; /* triad; NULL: FMAs */
    double rate;      /* FLOP/s or B/s */
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double work(const struct thread *t) {
    volatile float sink = 0;
    (void)sink;
    if (t->a) return triad(t->a, t->b, t->c, 0.5f);
#if defined __x86_64__
    if (t->isa == SN_ISA_AVX512) return peak_avx512(&sink);
    if (t->isa == SN_ISA_AVX2) return peak_avx2(&sink);
#endif
    return 0;
}

static void *run(void *arg) {
    struct thread *t = arg;
    double done = 0, start, seconds = 0;
    pthread_barrier_wait(t->start);
    start = now();
    while (seconds < t->seconds) {
        double amount = work(t);
        if (amount == 0) break;
        done += amount;
        seconds = now() - start;
    }
    t->rate = seconds > 0 ? done / seconds : 0;
    return NULL;
}

/* Sum of the threads' rates. */
static double measure(struct thread *t, int n, double seconds, bool is_triad, float *memory) {
    pthread_barrier_t start;
    double sum = 0;
    pthread_barrier_init(&start, NULL, (unsigned)n);
    for (int i = 0; i < n; i++) {
        float *mine = memory + 3 * TRIAD_FLOATS * i;
        t[i].start = &start;
        t[i].seconds = seconds;
        t[i].a = is_triad ? mine : NULL;
        t[i].b = mine + TRIAD_FLOATS;
        t[i].c = mine + 2 * TRIAD_FLOATS;
        if (pthread_create(&t[i].id, NULL, run, &t[i]) != 0) exit(1);
    }
    for (int i = 0; i < n; i++) {
        pthread_join(t[i].id, NULL);
        sum += t[i].rate;
    }
    pthread_barrier_destroy(&start);
    return sum;
}

int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 1;
    enum sn_isa isa = SN_ISA_REF;
    char line[128];
    double seconds;
    if (n < 1 || sn_isa_detect(&isa) < 0) return 2;
    const size_t floats = (size_t)n * 3 * (size_t)TRIAD_FLOATS;
    struct thread *t = calloc((size_t)n, sizeof *t);
    float *memory = aligned_alloc(64, floats * sizeof *memory);
    if (!t || !memory) return 1;
    for (size_t i = 0; i < floats; i++) memory[i] = 1;
    for (int i = 0; i < n; i++) t[i].isa = isa;
    printf("{\"ready\": true, \"detail\": \"%s\"}\n", sn_cpu_name());
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) && sscanf(line, "round %lf", &seconds) == 1) {
        double fma = measure(t, n, seconds / 2, false, memory);
        printf("{\"fma\": %.3f, \"triad\": %.3f}\n", 1e-9 * fma, 1e-9 * measure(t, n, seconds / 2, true, memory));
        fflush(stdout);
    }
    free(memory);
    free(t);
    return 0;
}
