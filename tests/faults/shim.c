/* Preloaded into a tool (not what the tool starts), it lets the machine fail the tool, as FAULT says:
 *
 *   CALL:N:ERROR    the N-th call fails with this error, an errno by name
 *   CALL:N+:ERROR   so do all after it
 *   CALL:N:short    the N-th call moves one byte
 *   CALL:N+:short   all from there on move seven at most
 *   CALL:N:kill     the program is killed there
 *   map:N:cut       the file of the N-th map is emptied as soon as it is mapped
 *
 * CALL is malloc (and its kin), open, read, write, sync, rename, link or map, of files that belong to the
 * program: what lies in /proc, /sys, /dev or among libraries is passed on. With FAULT_COUNT=FILE the number
 * of calls is written there at the end. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);

static struct {
    char call[16];
    long first;
    bool all, is_short, kills, cuts;
    int error;
} fault;

static atomic_long calls;
static atomic_bool started;

static int error_by_name(const char *name) {
    static const struct {
        const char *name;
        int number;
    } errors[] = {{"ENOMEM", ENOMEM},        {"EIO", EIO},       {"ENOSPC", ENOSPC},
                  {"EDQUOT", EDQUOT},        {"EINTR", EINTR},   {"EMFILE", EMFILE},
                  {"ENFILE", ENFILE},        {"EACCES", EACCES}, {"EROFS", EROFS},
                  {"EOPNOTSUPP", EOPNOTSUPP}};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (!strcmp(name, errors[i].name)) return errors[i].number;
    return 0;
}

static void start(void) {
    const char *text = getenv("FAULT");
    char plus[2] = "", what[16] = "";
    if (!text || strncmp(program_invocation_short_name, "pm-", 3)) return; /* or a tool's gnuplot */
    if (sscanf(text, "%15[^:]:%ld%1[+]:%15s", fault.call, &fault.first, plus, what) < 4 &&
        sscanf(text, "%15[^:]:%ld:%15s", fault.call, &fault.first, what) < 3)
        abort();
    fault.all = *plus;
    fault.is_short = !strcmp(what, "short");
    fault.kills = !strcmp(what, "kill");
    fault.cuts = !strcmp(what, "cut");
    fault.error = error_by_name(what);
    if (!fault.is_short && !fault.kills && !fault.cuts && !fault.error) abort();
    started = true;
}

__attribute__((destructor)) static void count_calls(void) {
    const char *path = started ? getenv("FAULT_COUNT") : NULL;
    const long count = calls;
    started = false;
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld\n", count);
    fclose(file);
}

/* What libraries do before main is theirs. */
static int (*program)(int, char **, char **);

static int start_and_run(int argc, char **argv, char **environment) {
    start();
    return program(argc, argv, environment);
}

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end) {
    program = main;
    return ((__typeof__(&__libc_start_main))dlsym(RTLD_NEXT, "__libc_start_main"))(
        start_and_run, argc, argv, init, fini, rtld_fini, stack_end);
}

/* Whether this call is the one. */
static bool is_struck(const char *call) {
    if (!started || strcmp(call, fault.call)) return false;
    const long number = atomic_fetch_add(&calls, 1) + 1;
    if (number != fault.first && !(fault.all && number > fault.first)) return false;
    if (fault.kills) raise(SIGKILL);
    return true;
}

/* With errno, where the call has to fail. */
static bool fails(const char *call) {
    if (!is_struck(call)) return false;
    errno = fault.error;
    return true;
}

void *malloc(size_t size) {
    return fails("malloc") ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return fails("malloc") ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    return fails("malloc") ? NULL : __libc_realloc(block, size);
}

void *reallocarray(void *block, size_t count, size_t size) {
    size_t bytes;
    if (!__builtin_mul_overflow(count, size, &bytes))
        return fails("malloc") ? NULL : __libc_realloc(block, bytes);
    errno = ENOMEM;
    return NULL;
}

void *memalign(size_t alignment, size_t size) {
    return fails("malloc") ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    *block = memalign(alignment, size);
    return *block ? 0 : ENOMEM;
}

#define REAL(function) ((__typeof__(&function))dlsym(RTLD_NEXT, #function))

static bool is_own_path(const char *path) {
    static const char *const others[] = {"/proc", "/sys", "/dev", "/lib", "/usr", "/etc"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strncmp(path, others[i], strlen(others[i]))) return false;
    return true;
}

static bool is_own_file(int descriptor) {
    char link[32], path[4096];
    struct stat status;
    if (!started || fstat(descriptor, &status) || descriptor == STDERR_FILENO) return false;
    if (S_ISFIFO(status.st_mode)) return true;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    const ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return false;
    path[length] = 0;
    return is_own_path(path) && S_ISREG(status.st_mode);
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (is_own_path(path) && fails("open")) return -1;
    return REAL(open)(path, flags, mode);
}

FILE *fopen(const char *path, const char *mode) {
    if (is_own_path(path) && fails("open")) return NULL;
    return REAL(fopen)(path, mode);
}

static size_t shortened(size_t size) {
    const size_t most = fault.all ? 7 : 1;
    return size < most ? size : most;
}

ssize_t read(int descriptor, void *bytes, size_t size) {
    if (is_own_file(descriptor) && is_struck("read")) {
        errno = fault.error;
        if (!fault.is_short) return -1;
        size = shortened(size);
    }
    return REAL(read)(descriptor, bytes, size);
}

ssize_t write(int descriptor, const void *bytes, size_t size) {
    if (is_own_file(descriptor) && is_struck("write")) {
        errno = fault.error;
        if (!fault.is_short) return -1;
        size = shortened(size);
    }
    return REAL(write)(descriptor, bytes, size);
}

/* The C library's own calls of read and write cannot be caught; of a stream, an error is set in it. */
static bool stream_fails(FILE *stream, const char *call) {
    enum { ERROR_SEEN = 0x20 };
    if (!is_own_file(fileno(stream)) || fault.is_short || !fails(call)) return false;
    stream->_flags |= ERROR_SEEN;
    return true;
}

size_t fread(void *bytes, size_t size, size_t count, FILE *stream) {
    return stream_fails(stream, "read") ? 0 : REAL(fread)(bytes, size, count, stream);
}

size_t fwrite(const void *bytes, size_t size, size_t count, FILE *stream) {
    return stream_fails(stream, "write") ? 0 : REAL(fwrite)(bytes, size, count, stream);
}

int fflush(FILE *stream) {
    return stream && stream_fails(stream, "write") ? EOF : REAL(fflush)(stream);
}

int fsync(int descriptor) {
    return fails("sync") ? -1 : REAL(fsync)(descriptor);
}

int msync(void *address, size_t size, int flags) {
    return fails("sync") ? -1 : REAL(msync)(address, size, flags);
}

int rename(const char *from, const char *to) {
    return fails("rename") ? -1 : REAL(rename)(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    return fails("link") ? -1 : REAL(linkat)(from_folder, from, to_folder, to, flags);
}

/* By way of /proc, for it may be open for reading only. */
static void empty(int descriptor) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    if (truncate(link, 0)) abort();
}

void *mmap(void *address, size_t size, int protection, int flags, int descriptor, off_t offset) {
    if (descriptor < 0 || !is_own_file(descriptor) || !is_struck("map"))
        return REAL(mmap)(address, size, protection, flags, descriptor, offset);
    errno = fault.error;
    if (!fault.cuts) return MAP_FAILED;
    void *map = REAL(mmap)(address, size, protection, flags, descriptor, offset);
    empty(descriptor);
    return map;
}

/* By this name the tools' own mmap calls it. */
void *mmap64(void *address, size_t size, int protection, int flags, int descriptor, off_t offset)
    __attribute__((alias("mmap")));
