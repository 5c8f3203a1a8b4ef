/* Faults on demand, put between a process and the C library by LD_PRELOAD.

Every call that changes something in a watched folder is a boundary; or, when asked for, every call that reads there.
Boundaries are counted and written to a log, one line each: whether the fault struck, what was called, how many
bytes it was about, and the path. At the n-th boundary, or the first one after it that the fault fits, one of these
happens: the process is killed just before or just after the call, or in the midst of a write; a write writes only half
and says so; the call fails, alone or with all later ones, as on a disk that is full or broken.

Nothing happens until faults_arm is called. */

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
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum fault { NONE, KILL_BEFORE, KILL_AFTER, TEAR, SHORTEN, FAIL_ONCE, FAIL_ON };
enum verdict { GO, FAIL, HALF, DIE_AFTER };
enum trait { READS = 1, TEARABLE = 2, FREES_SPACE = 4 };

static char folder[PATH_MAX];
static size_t folder_length;
static int log_descriptor = -1, fault, error, counts_reads;
static long first;
static atomic_long count;
static atomic_int struck;

void faults_arm(const char *watched, const char *log, long number, int what, int code, int reads)
{
    log_descriptor = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    strncpy(folder, watched, sizeof folder - 1);
    first = number, fault = what, error = code, counts_reads = reads;
    folder_length = strlen(folder);
}

static void die(void)
{
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

static int is_watched(const char *path)
{
    size_t length = folder_length;
    return length && !strncmp(path, folder, length) && (!path[length] || path[length] == '/');
}

static int fits(int traits, size_t size)
{
    if (fault == NONE)
        return 0;
    if (fault == TEAR || fault == SHORTEN)
        return traits & TEARABLE && size > 1;
    return !(error == ENOSPC && traits & (FREES_SPACE | READS));
}

static enum verdict judge(const char *operation, const char *path, size_t size, int traits)
{
    if (!!(traits & READS) != counts_reads)
        return GO;
    char line[PATH_MAX + 64];
    int saved = errno, hits = 0;
    long number = atomic_fetch_add(&count, 1) + 1;
    if (number >= first && fits(traits, size))
        hits = fault == FAIL_ON ? 1 : !atomic_exchange(&struck, 1);
    int partial = fault == TEAR || fault == SHORTEN;
    if (hits && fault == FAIL_ON && error == ENOSPC && traits & TEARABLE && size > 1)
        partial = !atomic_exchange(&struck, 1); /* A disk that fills up takes a part of the last write. */
    int length = snprintf(line, sizeof line, "%d %s %zu %s\n", hits, operation, size, path);
    syscall(SYS_write, log_descriptor, line, length);
    errno = saved;
    if (!hits)
        return GO;
    if (fault == KILL_BEFORE)
        die();
    if (fault == KILL_AFTER)
        return DIE_AFTER;
    if (partial)
        return HALF;
    errno = error;
    return FAIL;
}

static enum verdict judge_path(const char *operation, int at, const char *path, int traits)
{
    char whole[2 * PATH_MAX] = "", link[32];
    if (!folder_length)
        return GO;
    if (path[0] != '/') {
        ssize_t length = -1;
        snprintf(link, sizeof link, at == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", at);
        length = syscall(SYS_readlink, link, whole, PATH_MAX);
        strcpy(whole + (length > 0 ? length : 0), "/");
    }
    strncat(whole, path, PATH_MAX - 1);
    return is_watched(whole) ? judge(operation, whole, 0, traits) : GO;
}

static enum verdict judge_descriptor(const char *operation, int descriptor, size_t size, int traits)
{
    char path[PATH_MAX] = "", link[32];
    if (!folder_length)
        return GO;
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    syscall(SYS_readlink, link, path, sizeof path - 1);
    errno = saved;
    return is_watched(path) ? judge(operation, path, size, traits) : GO;
}

/* The last page of a transaction in a write-ahead log is told by its header. */
static const char *name_write(const void *data, size_t size, off_t offset)
{
    static const char zeros[4];
    return size == 24 && offset >= 32 && memcmp((const char *)data + 4, zeros, 4) ? "commit" : "write";
}

#define AROUND(type, name, parameters, arguments, decision, halve)           \
    type name parameters                                                    \
    {                                                                       \
        static type(*real) parameters;                                      \
        if (!real)                                                          \
            real = (type(*) parameters)dlsym(RTLD_NEXT, #name);             \
        enum verdict verdict = decision;                                    \
        if (verdict == FAIL)                                                \
            return -1;                                                      \
        if (verdict == HALF) {                                              \
            halve;                                                          \
        }                                                                   \
        type result = real arguments;                                       \
        if (verdict == DIE_AFTER || (verdict == HALF && fault == TEAR))     \
            die();                                                          \
        return result;                                                      \
    }
#define WHOLE(type, name, parameters, arguments, decision) AROUND(type, name, parameters, arguments, decision, )
#define PARTIAL(type, name, parameters, arguments, decision) \
    AROUND(type, name, parameters, arguments, decision, size /= 2)
#define OPEN(name, parameters, arguments, at)                               \
    int name parameters                                                     \
    {                                                                       \
        static int(*real)();                                                \
        if (!real)                                                          \
            real = (int(*)())dlsym(RTLD_NEXT, #name);                       \
        va_list rest;                                                       \
        va_start(rest, flags);                                              \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                                       \
        int changes = flags & (O_CREAT | O_TRUNC);                          \
        enum verdict verdict =                                              \
            judge_path(changes ? "create" : "open", at, path, changes ? 0 : READS); \
        if (verdict == FAIL)                                                \
            return -1;                                                      \
        int result = real arguments;                                        \
        if (verdict == DIE_AFTER)                                           \
            die();                                                          \
        return result;                                                      \
    }

PARTIAL(ssize_t, write, (int d, const void *data, size_t size), (d, data, size),
        judge_descriptor("write", d, size, TEARABLE))
PARTIAL(ssize_t, pwrite, (int d, const void *data, size_t size, off_t offset), (d, data, size, offset),
        judge_descriptor(name_write(data, size, offset), d, size, TEARABLE))
PARTIAL(ssize_t, pwrite64, (int d, const void *data, size_t size, off64_t offset), (d, data, size, offset),
        judge_descriptor(name_write(data, size, offset), d, size, TEARABLE))
PARTIAL(ssize_t, sendfile64, (int d, int from, off64_t *offset, size_t size), (d, from, offset, size),
        judge_descriptor("write", d, size, TEARABLE))
PARTIAL(ssize_t, copy_file_range, (int from, off64_t *start, int d, off64_t *offset, size_t size, unsigned flags),
        (from, start, d, offset, size, flags), judge_descriptor("write", d, size, TEARABLE))
WHOLE(ssize_t, writev, (int d, const struct iovec *parts, int number), (d, parts, number),
      judge_descriptor("write", d, 0, 0))
WHOLE(int, fsync, (int d), (d), judge_descriptor("sync", d, 0, 0))
WHOLE(int, fdatasync, (int d), (d), judge_descriptor("sync", d, 0, 0))
WHOLE(int, ftruncate, (int d, off_t length), (d, length), judge_descriptor("truncate", d, 0, 0))
WHOLE(int, ftruncate64, (int d, off64_t length), (d, length), judge_descriptor("truncate", d, 0, 0))
WHOLE(int, truncate64, (const char *path, off64_t length), (path, length), judge_path("truncate", AT_FDCWD, path, 0))
WHOLE(int, rename, (const char *path, const char *to), (path, to), judge_path("rename", AT_FDCWD, to, 0))
WHOLE(int, renameat, (int at, const char *path, int to_at, const char *to), (at, path, to_at, to),
      judge_path("rename", to_at, to, 0))
WHOLE(int, link, (const char *path, const char *to), (path, to), judge_path("link", AT_FDCWD, to, 0))
WHOLE(int, linkat, (int at, const char *path, int to_at, const char *to, int flags), (at, path, to_at, to, flags),
      judge_path("link", to_at, to, 0))
WHOLE(int, symlink, (const char *path, const char *to), (path, to), judge_path("link", AT_FDCWD, to, 0))
WHOLE(int, unlink, (const char *path), (path), judge_path("unlink", AT_FDCWD, path, FREES_SPACE))
WHOLE(int, unlinkat, (int at, const char *path, int flags), (at, path, flags), judge_path("unlink", at, path, FREES_SPACE))
WHOLE(int, rmdir, (const char *path), (path), judge_path("unlink", AT_FDCWD, path, FREES_SPACE))
WHOLE(int, mkdir, (const char *path, mode_t mode), (path, mode), judge_path("mkdir", AT_FDCWD, path, 0))
WHOLE(int, mkdirat, (int at, const char *path, mode_t mode), (at, path, mode), judge_path("mkdir", at, path, 0))
WHOLE(ssize_t, read, (int d, void *data, size_t size), (d, data, size), judge_descriptor("read", d, size, READS))
WHOLE(ssize_t, pread, (int d, void *data, size_t size, off_t offset), (d, data, size, offset),
      judge_descriptor("read", d, size, READS))
WHOLE(ssize_t, pread64, (int d, void *data, size_t size, off64_t offset), (d, data, size, offset),
      judge_descriptor("read", d, size, READS))
OPEN(open, (const char *path, int flags, ...), (path, flags, mode), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode), AT_FDCWD)
OPEN(openat, (int at, const char *path, int flags, ...), (at, path, flags, mode), at)
OPEN(openat64, (int at, const char *path, int flags, ...), (at, path, flags, mode), at)
