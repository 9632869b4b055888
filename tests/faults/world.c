/* The world as a test wants it: another time of day, and a disk on which some writes find no room.
 *
 * Preloaded into every process of a hub. WORLD_FILE is shared memory of three numbers: seconds to
 * add to the wall clock, n (one in n writes to files below WORLD_FOLDER fails with ENOSPC; 0 is
 * none), and how many writes there were. The monotonic clock stays true.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static struct world { long ahead, every, writes; } nothing, *world = &nothing;
static char folder[PATH_MAX];

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("WORLD_FILE"), *below = getenv("WORLD_FOLDER");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *at = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at != MAP_FAILED) world = at;
    if (below) snprintf(folder, sizeof folder, "%s/", below);
}

static int is_full(int fd) {
    char link[64], path[PATH_MAX];
    struct stat status;
    int saved = errno;
    if (!world->every || !*folder) return 0;
    if (fstat(fd, &status) || !S_ISREG(status.st_mode)) { errno = saved; return 0; }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = saved;
    if (length < 0) return 0;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder))) return 0;
    /* Scattered (splitmix64): what makes as many writes each time would fail at the same for ever. */
    unsigned long n = __atomic_add_fetch(&world->writes, 1, __ATOMIC_SEQ_CST) * 0x9e3779b97f4a7c15ul;
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9ul;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebul;
    if ((n ^ (n >> 31)) % world->every) return 0;
    errno = ENOSPC;
    return 1;
}

ssize_t write(int fd, const void *data, size_t size) {
    return is_full(fd) ? -1 : REAL(write)(fd, data, size);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return is_full(fd) ? -1 : REAL(pwrite)(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return is_full(fd) ? -1 : REAL(pwrite64)(fd, data, size, at);
}
ssize_t writev(int fd, const struct iovec *pieces, int count) {
    return is_full(fd) ? -1 : REAL(writev)(fd, pieces, count);
}
int fsync(int fd) { return is_full(fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return is_full(fd) ? -1 : REAL(fdatasync)(fd); }

int clock_gettime(clockid_t which, struct timespec *now) {
    int code = REAL(clock_gettime)(which, now);
    if (!code && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) now->tv_sec += world->ahead;
    return code;
}
int gettimeofday(struct timeval *now, void *zone) {
    int code = REAL(gettimeofday)(now, zone);
    if (!code && now) now->tv_sec += world->ahead;
    return code;
}
time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}
