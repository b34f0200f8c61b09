/* Counts the calls of a process that change files below one folder, and at the n-th of them kills the process, fails
 * the call, or interrupts it. Loaded with LD_PRELOAD and armed by `benchmarks/folder_faults.py`; unarmed it passes all
 * on. Threads share the count. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OFF, COUNT, KILL, TEAR, FULL, FAIL, INTERRUPT, INTERRUPT_TWICE };

static char below[PATH_MAX];
static int mode = OFF;
static long wanted;
static atomic_long seen;
static char kinds[1 << 16]; /* of each counted call: o create or truncate, w write, r rename, u unlink, d folder, t, s */

void faults_arm(const char *folder, long n, int how) {
    snprintf(below, sizeof below, "%s", folder);
    wanted = n;
    atomic_store(&seen, 0);
    mode = how;
}

const char *faults_seen(void) {
    mode = OFF;
    return kinds;
}

static int is_below(const char *path) {
    char whole[PATH_MAX * 2];
    if (path == NULL) return 0;
    if (path[0] != '/') {
        char here[PATH_MAX];
        if (getcwd(here, sizeof here) == NULL) return 0;
        snprintf(whole, sizeof whole, "%s/%s", here, path);
        path = whole;
    }
    size_t length = strlen(below);
    return strncmp(path, below, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int is_file_below(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

/* What is to happen to this call: 0 go on, 1 fail with errno set, 2 write half and then die, 3 write half. */
static int next_call(char kind) {
    long n = atomic_fetch_add(&seen, 1) + 1;
    if (n < (long)sizeof kinds) kinds[n - 1] = kind;
    if (mode == FULL && n >= wanted && (kind == 'o' || kind == 'w' || kind == 'd')) {
        errno = ENOSPC;
        return n == wanted && kind == 'w' ? 3 : 1;
    }
    if (mode == INTERRUPT_TWICE && n == wanted + 1) kill(getpid(), SIGINT);
    if (n != wanted) return 0;
    if (mode == KILL) kill(getpid(), SIGKILL);
    if (mode == TEAR && kind == 'w') return 2;
    if (mode == TEAR) kill(getpid(), SIGKILL);
    if (mode == INTERRUPT || mode == INTERRUPT_TWICE) kill(getpid(), SIGINT);
    if (mode == FAIL) {
        errno = EIO;
        return 1;
    }
    return 0;
}

#define REAL(result, name, ...)                                                                                        \
    static result (*real)(__VA_ARGS__);                                                                                \
    if (real == NULL) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...) {                                                                       \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode_t rights = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;                                    \
        va_end(more);                                                                                                  \
        REAL(int, #name, const char *, int, ...);                                                                      \
        if (mode != OFF && (flags & (O_CREAT | O_TRUNC)) && is_below(path) && next_call('o')) return -1;               \
        return real(path, flags, rights);                                                                              \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                                   \
    int name(int folder, const char *path, int flags, ...) {                                                           \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode_t rights = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;                                    \
        va_end(more);                                                                                                  \
        REAL(int, #name, int, const char *, int, ...);                                                                 \
        if (mode != OFF && (flags & (O_CREAT | O_TRUNC)) && is_below(path) && next_call('o')) return -1;               \
        return real(folder, path, flags, rights);                                                                      \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (mode != OFF && is_file_below(fd)) {
        int what = next_call('w');
        if (what == 1) return -1;
        if (what && count > 1) {
            ssize_t done = real(fd, bytes, count / 2);
            if (what == 2) kill(getpid(), SIGKILL);
            return done;
        }
        if (what == 2) kill(getpid(), SIGKILL);
    }
    return real(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    if (mode != OFF && is_file_below(fd)) {
        int what = next_call('w');
        if (what == 2) kill(getpid(), SIGKILL);
        if (what) return -1;
    }
    return real(fd, parts, count);
}

#define PWRITE(name, offset_type)                                                                                      \
    ssize_t name(int fd, const void *bytes, size_t count, offset_type at) {                                            \
        REAL(ssize_t, #name, int, const void *, size_t, offset_type);                                                  \
        if (mode != OFF && is_file_below(fd)) {                                                                        \
            int what = next_call('w');                                                                                 \
            if (what == 2) kill(getpid(), SIGKILL);                                                                    \
            if (what) return -1;                                                                                       \
        }                                                                                                              \
        return real(fd, bytes, count, at);                                                                             \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define OF_PATH(name, kind, rest, ...)                                                                                 \
    int name(const char *path __VA_ARGS__) {                                                                           \
        REAL(int, #name, const char *__VA_ARGS__);                                                                     \
        if (mode != OFF && is_below(path) && next_call(kind)) return -1;                                               \
        return real rest;                                                                                              \
    }
OF_PATH(unlink, 'u', (path))
OF_PATH(rmdir, 'u', (path))
OF_PATH(mkdir, 'd', (path, rights), , mode_t rights)
OF_PATH(truncate, 't', (path, length), , off_t length)

int unlinkat(int folder, const char *path, int flags) {
    REAL(int, "unlinkat", int, const char *, int);
    if (mode != OFF && is_below(path) && next_call('u')) return -1;
    return real(folder, path, flags);
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    if (mode != OFF && (is_below(from) || is_below(to)) && next_call('r')) return -1;
    return real(from, to);
}

int renameat(int a, const char *from, int b, const char *to) {
    REAL(int, "renameat", int, const char *, int, const char *);
    if (mode != OFF && (is_below(from) || is_below(to)) && next_call('r')) return -1;
    return real(a, from, b, to);
}

#define OF_FILE(name, kind, rest, ...)                                                                                 \
    int name(int fd __VA_ARGS__) {                                                                                     \
        REAL(int, #name, int __VA_ARGS__);                                                                             \
        if (mode != OFF && is_file_below(fd) && next_call(kind)) return -1;                                            \
        return real rest;                                                                                              \
    }
OF_FILE(ftruncate, 't', (fd, length), , off_t length)
OF_FILE(ftruncate64, 't', (fd, length), , off64_t length)
OF_FILE(fsync, 's', (fd))
OF_FILE(fdatasync, 's', (fd))
