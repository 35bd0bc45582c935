/* Ends the process after, or fails, the Nth call that writes below a folder.
 *
 * Built as a library that is loaded before all others, so that calls of every part of a process
 * count: Python, HDF5, and the threads of TensorStore. arm() says what is to happen; before that
 * nothing counts. Failing is as on a full disk: from the Nth call on, all that needs room.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char below[PATH_MAX];
static int armed, full;
static long nth;
static atomic_long seen;

void arm(const char *folder, long n, int fill) {
    strncpy(below, folder, sizeof below - 1);
    nth = n;
    full = fill;
    atomic_store(&seen, 0);
    armed = 1;
}
long count(void) { return atomic_load(&seen); }

static int inside(const char *path) {
    return armed && path && strncmp(path, below, strlen(below)) == 0;
}
static int inside_fd(int fd) {
    if (!armed) return 0;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return inside(path);
}
/* Whether the call is to fail; counts it. */
static int before(int counts) {
    if (!counts) return 0;
    long n = atomic_fetch_add(&seen, 1) + 1;
    if (full && nth && n >= nth) { errno = ENOSPC; return 1; }
    return 0;
}
static void after(int counts) {
    if (counts && !full && nth && atomic_load(&seen) >= nth) _exit(137);
}
#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name);
/* A call that needs room, and one that does not: it is never refused. */
#define NEEDS(type, name, parameters, arguments, counts, ...) \
    type name parameters { \
        REAL(type, name, __VA_ARGS__) \
        int c = counts; \
        if (before(c)) return -1; \
        type r = real arguments; \
        int e = errno; after(c); errno = e; \
        return r; \
    }
#define FREES(type, name, parameters, arguments, counts, ...) \
    type name parameters { \
        REAL(type, name, __VA_ARGS__) \
        int c = counts; \
        if (c) atomic_fetch_add(&seen, 1); \
        type r = real arguments; \
        int e = errno; after(c); errno = e; \
        return r; \
    }

NEEDS(ssize_t, write, (int f, const void *b, size_t n), (f, b, n), inside_fd(f), int, const void *, size_t)
NEEDS(ssize_t, pwrite, (int f, const void *b, size_t n, off_t o), (f, b, n, o), inside_fd(f), int, const void *, size_t, off_t)
NEEDS(ssize_t, pwrite64, (int f, const void *b, size_t n, off64_t o), (f, b, n, o), inside_fd(f), int, const void *, size_t, off64_t)
NEEDS(ssize_t, writev, (int f, const struct iovec *v, int n), (f, v, n), inside_fd(f), int, const struct iovec *, int)
NEEDS(int, fsync, (int f), (f), inside_fd(f), int)
NEEDS(int, fdatasync, (int f), (f), inside_fd(f), int)
NEEDS(int, ftruncate, (int f, off_t n), (f, n), inside_fd(f), int, off_t)
NEEDS(int, ftruncate64, (int f, off64_t n), (f, n), inside_fd(f), int, off64_t)
NEEDS(int, mkdir, (const char *p, mode_t m), (p, m), inside(p), const char *, mode_t)
NEEDS(int, rename, (const char *a, const char *b), (a, b), inside(b), const char *, const char *)
NEEDS(int, link, (const char *a, const char *b), (a, b), inside(b), const char *, const char *)
FREES(int, unlink, (const char *p), (p), inside(p), const char *)
FREES(int, rmdir, (const char *p), (p), inside(p), const char *)

static int at_is_inside(int d, const char *p) { return p[0] == '/' ? inside(p) : inside_fd(d); }
NEEDS(int, mkdirat, (int d, const char *p, mode_t m), (d, p, m), at_is_inside(d, p), int, const char *, mode_t)
NEEDS(int, renameat, (int d, const char *a, int e_, const char *b), (d, a, e_, b), at_is_inside(e_, b), int, const char *, int, const char *)
FREES(int, unlinkat, (int d, const char *p, int f), (d, p, f), at_is_inside(d, p), int, const char *, int)

/* Opening counts where it may make a file. */
#define OPENS(name, parameters, last, counts, ...) \
    int name parameters { \
        static int (*real)(__VA_ARGS__, ...); \
        if (!real) real = (int (*)(__VA_ARGS__, ...))dlsym(RTLD_NEXT, #name); \
        mode_t m = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list v; va_start(v, flags); m = va_arg(v, mode_t); va_end(v); } \
        int c = (flags & (O_CREAT | O_TRUNC)) && counts; \
        if (before(c)) return -1; \
        int r = real last; \
        int e = errno; after(c); errno = e; \
        return r; \
    }
OPENS(open, (const char *p, int flags, ...), (p, flags, m), inside(p), const char *, int)
OPENS(open64, (const char *p, int flags, ...), (p, flags, m), inside(p), const char *, int)
OPENS(openat, (int d, const char *p, int flags, ...), (d, p, flags, m), at_is_inside(d, p), int, const char *, int)
OPENS(openat64, (int d, const char *p, int flags, ...), (d, p, flags, m), at_is_inside(d, p), int, const char *, int)

FILE *fopen(const char *p, const char *mode) {
    static FILE *(*real)(const char *, const char *);
    if (!real) real = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen");
    int c = inside(p) && strchr("wa", mode[0]);
    if (before(c)) return NULL;
    FILE *r = real(p, mode);
    int e = errno; after(c); errno = e;
    return r;
}
