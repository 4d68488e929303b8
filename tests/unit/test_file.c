/* Output files that appear only when complete, folders, reading. */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/mem.h"
#include "unit.h"

static char dir[64], name[128];

/* every test works in an empty folder of its own */
static void enter(void) {
    strcpy(dir, "/tmp/seqnet-file-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(name, sizeof name, "%s/out.txt", dir);
}

static void leave(void) {
    char command[256];
    snprintf(command, sizeof command, "chmod -R u+w %s; rm -rf %s", dir, dir);
    ck_assert_int_eq(system(command), 0);
}

static int entries(void) {
    char command[128];
    int n = -1;
    snprintf(command, sizeof command, "ls -A %s | wc -l", dir);
    FILE *p = popen(command, "r");
    ck_assert(p && fscanf(p, "%d", &n) == 1);
    pclose(p);
    return n;
}

static void expect_content(const char *path, const char *want) {
    char *text;
    size_t n;
    ck_assert_int_eq(sn_read_file(path, 1 << 20, &text, &n), 0);
    ck_assert_str_eq(text, want);
    ck_assert_uint_eq(n, strlen(want));
    free(text);
}

static void write_file(const char *path, const char *text) {
    struct sn_outfile *f;
    ck_assert_int_eq(sn_outfile_open(path, &f), 0);
    ck_assert_int_eq(sn_outfile_write(f, text, strlen(text)), 0);
    ck_assert_int_eq(sn_outfile_commit(f), 0);
}

static void expect_error(int rc, int code, const char *part) {
    ck_assert_int_eq(rc, code);
    ck_assert_msg(strstr(seqnet_errmsg(), part) != NULL, "'%s' lacks '%s'", seqnet_errmsg(), part);
}

START_TEST(commit_makes_the_file) {
    struct sn_outfile *f;
    ck_assert_int_eq(sn_outfile_open(name, &f), 0);
    ck_assert_int_eq(access(name, F_OK), -1);
    ck_assert_ptr_nonnull(strstr(sn_outfile_path(f), "/out.txt.tmp."));
    ck_assert_int_eq(access(sn_outfile_path(f), F_OK), 0);
    ck_assert_int_eq(sn_outfile_printf(f, "%d\t%s\n", 5, "five"), 0);
    ck_assert_int_eq(sn_outfile_write(f, "", 0), 0);
    ck_assert_int_eq(sn_outfile_commit(f), 0);
    expect_content(name, "5\tfive\n");
    ck_assert_int_eq(entries(), 1);
}
END_TEST

START_TEST(abort_leaves_nothing) {
    struct sn_outfile *f;
    write_file(name, "old");
    ck_assert_int_eq(sn_outfile_open(name, &f), 0);
    ck_assert_int_eq(sn_outfile_printf(f, "new"), 0);
    sn_outfile_abort(f);
    sn_outfile_abort(NULL);
    expect_content(name, "old");
    ck_assert_int_eq(entries(), 1);
}
END_TEST

START_TEST(large_writes) {
    struct sn_outfile *f;
    size_t total = 0, n;
    char *block = malloc(300000), *back;
    for (int i = 0; i < 300000; i++) block[i] = (char)(i * 31 + i / 1000);
    ck_assert_int_eq(sn_outfile_open(name, &f), 0);
    for (size_t size = 1; size <= 300000; size = size * 3 + 1) {
        ck_assert_int_eq(sn_outfile_write(f, block, size), 0);
        total += size;
    }
    block[2999] = '\0';
    memset(block, 'a', 2999);
    ck_assert_int_eq(sn_outfile_printf(f, "%s", block), 0);
    ck_assert_int_eq(sn_outfile_commit(f), 0);
    ck_assert_int_eq(sn_read_file(name, 1 << 22, &back, &n), 0);
    ck_assert_uint_eq(n, total + 2999);
    ck_assert(memcmp(back + total, block, 2999) == 0 && back[0] == 0 && back[1] == 0 && back[2] == 31);
    free(back);
    free(block);
}
END_TEST

START_TEST(replaced_file_keeps_its_mode) {
    write_file(name, "old");
    ck_assert_int_eq(chmod(name, 0640), 0);
    write_file(name, "new");
    struct stat st;
    ck_assert_int_eq(stat(name, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
    expect_content(name, "new");
}
END_TEST

START_TEST(links_stay_links) {
    char link[128];
    struct stat st;
    snprintf(link, sizeof link, "%s/link", dir);
    write_file(name, "old");
    ck_assert_int_eq(symlink("out.txt", link), 0);
    write_file(link, "new");
    ck_assert_int_eq(lstat(link, &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    expect_content(name, "new");
}
END_TEST

START_TEST(crashed_neighbour) {
    char temp[160];
    snprintf(temp, sizeof temp, "%s.tmp.%ld", name, (long)getpid());
    write_file(temp, "left by a crash");
    write_file(name, "fine");
    expect_content(name, "fine");
    expect_content(temp, "left by a crash");
}
END_TEST

START_TEST(refused_names) {
    struct sn_outfile *f = (struct sn_outfile *)&f;
    char path[160];
    expect_error(sn_outfile_open(dir, &f), SEQNET_EIO, "folder");
    ck_assert_ptr_null(f);
    snprintf(path, sizeof path, "%s/none/out.txt", dir);
    expect_error(sn_outfile_open(path, &f), SEQNET_EIO, "No such file or directory");
    write_file(name, "x");
    snprintf(path, sizeof path, "%s/out.txt/deeper", dir);
    expect_error(sn_outfile_open(path, &f), SEQNET_EIO, "out.txt/deeper");
    expect_error(sn_outfile_open("", &f), SEQNET_EINVAL, "empty");
    ck_assert_int_eq(entries(), 1);
    if (geteuid() == 0) return; /* root may write everywhere */
    ck_assert_int_eq(chmod(dir, 0555), 0);
    snprintf(path, sizeof path, "%s/new.txt", dir);
    expect_error(sn_outfile_open(path, &f), SEQNET_EIO, "Permission denied");
}
END_TEST

START_TEST(full_disk) {
    struct sn_outfile *f;
    ck_assert_int_eq(sn_outfile_open("/dev/full", &f), 0);
    ck_assert_int_eq(sn_outfile_printf(f, "x"), 0);
    expect_error(sn_outfile_commit(f), SEQNET_EIO, "/dev/full: cannot write: No space left");
    /* the first failure is the one reported, again at the end */
    char block[100000] = "";
    ck_assert_int_eq(sn_outfile_open("/dev/full", &f), 0);
    expect_error(sn_outfile_write(f, block, sizeof block), SEQNET_EIO, "No space left");
    sn_error(SEQNET_EDATA, "something else in between");
    expect_error(sn_outfile_write(f, "y", 1), SEQNET_EIO, "No space left");
    expect_error(sn_outfile_commit(f), SEQNET_EIO, "No space left");
    struct stat st;
    ck_assert(stat("/dev/full", &st) == 0 && S_ISCHR(st.st_mode));
}
END_TEST

/* a limit of the file size is met like a full disk: nothing is left behind */
START_TEST(disk_full_in_the_middle) {
    struct sn_outfile *f;
    char block[100000] = "";
    struct rlimit limit = {5000, 5000};
    signal(SIGXFSZ, SIG_IGN);
    write_file(name, "old");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int late = 0; late < 2; late++) {
        ck_assert_int_eq(sn_outfile_open(name, &f), 0);
        int rc = sn_outfile_write(f, block, late ? 6000 : sizeof block);
        ck_assert_int_eq(rc, late ? 0 : SEQNET_EIO);
        expect_error(sn_outfile_commit(f), SEQNET_EIO, "File too large");
        ck_assert_int_eq(entries(), 1);
    }
    expect_content(name, "old");
}
END_TEST

static void *slow_reader(void *arg) {
    int *fd = arg;
    char part[3000];
    size_t total = 0;
    ssize_t n;
    bool right = true;
    while ((n = read(*fd, part, sizeof part)) > 0) {
        for (ssize_t i = 0; i < n; i++) right &= part[i] == (char)((total + (size_t)i) * 31 >> 3);
        total += (size_t)n;
        usleep(200);
    }
    return (void *)(right && total == 400000 ? (intptr_t)1 : 0);
}

static void on_alarm(int signal_number) {
    (void)signal_number;
}

/* write() may take a part only, or nothing, when a signal comes */
START_TEST(interrupted_writes) {
    int ends[2], keep = dup(STDOUT_FILENO);
    pthread_t reader;
    void *right = NULL;
    sigset_t set, old;
    char *block = malloc(400000);
    for (size_t i = 0; i < 400000; i++) block[i] = (char)(i * 31 >> 3);
    fflush(stdout);
    ck_assert_int_eq(pipe(ends), 0);
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &set, &old); /* the writer is the one to be interrupted */
    ck_assert_int_eq(pthread_create(&reader, NULL, slow_reader, &ends[0]), 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval often = {{0, 700}, {0, 700}}, never = {{0, 0}, {0, 0}};
    sigaction(SIGALRM, &action, NULL);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
    struct sn_outfile *f;
    int rc = sn_outfile_open("-", &f);
    setitimer(ITIMER_REAL, &often, NULL);
    if (rc == 0) rc = sn_outfile_write(f, block, 300000);
    if (rc == 0) rc = sn_outfile_write(f, block + 300000, 100000);
    if (rc == 0) rc = sn_outfile_commit(f);
    setitimer(ITIMER_REAL, &never, NULL);
    dup2(keep, STDOUT_FILENO);
    close(keep);
    pthread_join(reader, &right);
    ck_assert_int_eq(rc, 0);
    ck_assert_ptr_nonnull(right);
    free(block);
}
END_TEST

START_TEST(special_targets) {
    struct stat st;
    write_file("/dev/null", "gone");
    ck_assert(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
    /* stdout stays open and in order; a reader that left is an error, not a signal's business */
    int ends[2], keep = dup(STDOUT_FILENO);
    char buf[16] = "";
    ck_assert_int_eq(pipe(ends), 0);
    fflush(stdout);
    dup2(ends[1], STDOUT_FILENO);
    write_file("-", "one\n");
    write_file("/dev/stdout", "two\n");
    ck_assert_int_eq((int)read(ends[0], buf, sizeof buf), 8);
    ck_assert_str_eq(buf, "one\ntwo\n");
    signal(SIGPIPE, SIG_IGN);
    close(ends[0]);
    struct sn_outfile *f;
    ck_assert_int_eq(sn_outfile_open("-", &f), 0);
    ck_assert_str_eq(sn_outfile_path(f), "-");
    ck_assert_int_eq(sn_outfile_printf(f, "x"), 0);
    expect_error(sn_outfile_commit(f), SEQNET_EIO, "stdout: cannot write: Broken pipe");
    dup2(keep, STDOUT_FILENO);
    close(keep);
    close(ends[1]);
}
END_TEST

/* A library that writes by name (BGZF) uses the temporary path. */
START_TEST(written_by_name) {
    struct sn_outfile *f;
    ck_assert_int_eq(sn_outfile_open(name, &f), 0);
    FILE *other = fopen(sn_outfile_path(f), "w");
    ck_assert_ptr_nonnull(other);
    fputs("by another library", other);
    ck_assert_int_eq(fclose(other), 0);
    ck_assert_int_eq(sn_outfile_commit(f), 0);
    expect_content(name, "by another library");
}
END_TEST

START_TEST(cells_and_names) {
    static const char *const cells[] = {"", "plain", "\ta\r\nb\t", "\n"};
    struct sn_str s = {0};
    struct sn_outfile *f;
    ck_assert_int_eq(sn_file_word(&s, "..a/b c\xc3\xa9-1.tsv", 14), 0);
    ck_assert_str_eq(s.s, "_.a_b_c__-1.ts");
    sn_str_free(&s);
    ck_assert_int_eq(sn_outfile_open(name, &f), 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(sn_outfile_cell(f, cells[i]), 0);
        ck_assert_int_eq(sn_outfile_write(f, "|", 1), 0);
    }
    ck_assert_int_eq(sn_outfile_commit(f), 0);
    expect_content(name, "|plain| a  b | |");
}
END_TEST

START_TEST(folders) {
    char path[160];
    snprintf(path, sizeof path, "%s/a/b//c/", dir);
    ck_assert_int_eq(sn_make_dir(path), 0);
    ck_assert_int_eq(sn_make_dir(path), 0);
    ck_assert_int_eq(access(path, W_OK), 0);
    write_file(name, "x");
    expect_error(sn_make_dir(name), SEQNET_EIO, "a file has this name");
    snprintf(path, sizeof path, "%s/deeper", name);
    ck_assert_int_lt(sn_make_dir(path), 0);
    expect_error(sn_make_dir(""), SEQNET_EINVAL, "empty");
    expect_error(sn_make_dir("/proc/seqnet"), SEQNET_EIO, "/proc/seqnet");
}
END_TEST

START_TEST(reading) {
    char *text = name;
    size_t n = 1;
    expect_error(sn_read_file(name, 10, &text, &n), SEQNET_EIO, "No such file");
    ck_assert(text == NULL && n == 0);
    write_file(name, "0123456789");
    ck_assert_int_eq(sn_read_file(name, 10, &text, &n), 0);
    ck_assert(n == 10 && strcmp(text, "0123456789") == 0);
    free(text);
    expect_error(sn_read_file(name, 9, &text, &n), SEQNET_EFORMAT, "at most 9 bytes");
    write_file(name, "");
    ck_assert_int_eq(sn_read_file(name, 10, &text, &n), 0);
    ck_assert(n == 0 && text[0] == '\0');
    free(text);
    expect_error(sn_read_file(dir, 10, &text, &n), SEQNET_EIO, "folder");
    expect_error(sn_read_file("/dev/zero", 10, &text, &n), SEQNET_EIO, "regular");
    ck_assert_int_eq(sn_read_file("/proc/self/status", 1 << 16, &text, &n), 0); /* says size 0, has more */
    ck_assert_uint_gt(n, 100);
    free(text);
    expect_error(sn_read_file("/proc/self/status", 100, &text, &n), SEQNET_EFORMAT, "at most 100 bytes");
    char fifo[128];
    snprintf(fifo, sizeof fifo, "%s/fifo", dir);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    expect_error(sn_read_file(fifo, 10, &text, &n), SEQNET_EIO, "regular");
}
END_TEST

int main(void) {
    Suite *s = suite_create("file");
    TCase *t = tcase_create("file");
    tcase_add_checked_fixture(t, enter, leave);
    tcase_add_test(t, commit_makes_the_file);
    tcase_add_test(t, abort_leaves_nothing);
    tcase_add_test(t, large_writes);
    tcase_add_test(t, replaced_file_keeps_its_mode);
    tcase_add_test(t, links_stay_links);
    tcase_add_test(t, crashed_neighbour);
    tcase_add_test(t, refused_names);
    tcase_add_test(t, full_disk);
    tcase_add_test(t, disk_full_in_the_middle);
    tcase_add_test(t, interrupted_writes);
    tcase_add_test(t, special_targets);
    tcase_add_test(t, written_by_name);
    tcase_add_test(t, cells_and_names);
    tcase_add_test(t, folders);
    tcase_add_test(t, reading);
    suite_add_tcase(s, t);
    return unit_run(s);
}
