/* SPDX-License-Identifier: BSD-2-Clause */
/* See shm_segment.h. */
#define _GNU_SOURCE /* F_OFD_SETLK, fallocate */
#include "cxemu/wires/shm_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC     0x63786d7573770001ull
#define PATH_MAX_ 96
#define JOIN_BYTE CXEMU_SHM_PORTS_MAX /* of the file: locked while someone joins or leaves */

enum {
    TRIES = 2000, /* of a millisecond each */
    PAGE = 4096,
};

static void path_of(const char *name, char path[PATH_MAX_])
{
    snprintf(path, PATH_MAX_, "/dev/shm/cxemu.%s", name);
}

static void socket_of(const char *name, unsigned port, struct sockaddr_un *sun)
{
    *sun = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(sun->sun_path, sizeof(sun->sun_path), "/dev/shm/cxemu.%s.%u", name, port);
}

/* --- layout --------------------------------------------------------------------------------------
 */

static size_t up_to_page(size_t n)
{
    return (n + PAGE - 1) & ~(size_t)(PAGE - 1);
}

static size_t rings_at(void)
{
    return up_to_page(sizeof(struct cxemu_shm_header));
}

static size_t data_at(unsigned ports)
{
    return rings_at() + up_to_page((size_t)ports * ports * sizeof(struct cxemu_shm_ring));
}

static size_t file_bytes(unsigned ports)
{
    return data_at(ports) + (size_t)ports * ports * CXEMU_SHM_RING_BYTES;
}

/* --- locks ---------------------------------------------------------------------------------------
 */

static int lock_byte(int fd, unsigned byte, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

static bool is_locked(int fd, unsigned byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* Not F_OFD_SETLKW: a process that was stopped here must not stop us. */
static int lock_joining(int fd)
{
    const struct timespec ms = {0, 1000000};

    for (int i = 0; i < TRIES; i++) {
        int rc = lock_byte(fd, JOIN_BYTE, F_WRLCK);
        if (rc != -EAGAIN && rc != -EACCES)
            return rc;
        nanosleep(&ms, NULL);
    }
    return -ETIMEDOUT;
}

static bool anyone_there(int fd, unsigned except)
{
    for (unsigned i = 0; i < CXEMU_SHM_PORTS_MAX; i++)
        if (i != except && is_locked(fd, i))
            return true;
    return false;
}

bool cxemu_shm_segment_is_owned(const struct cxemu_shm_segment *s, unsigned port)
{
    return port == s->port || is_locked(s->fd, port);
}

/* --- joining -------------------------------------------------------------------------------------
 */

/* The file, open and locked for joining, and still the one of that name. An old one on which nobody
 * is any more is removed. */
static int open_file(const char *path, mode_t mode, bool *fresh)
{
    for (int i = 0; i < TRIES; i++) {
        struct stat st;
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
        int rc;
        if (fd < 0)
            return -errno;
        rc = lock_joining(fd);
        if (rc || fstat(fd, &st) < 0) {
            close(fd);
            return rc ? rc : -EIO;
        }
        *fresh = st.st_size == 0;
        if (st.st_nlink && (*fresh || anyone_there(fd, CXEMU_SHM_PORTS_MAX)))
            return fd;
        if (st.st_nlink)
            unlink(path);
        close(fd);
    }
    return -ETIMEDOUT;
}

static int make(int fd, unsigned ports, mode_t mode)
{
    struct cxemu_shm_header *header;

    if (fchmod(fd, mode) < 0 || ftruncate(fd, (off_t)file_bytes(ports)) < 0 ||
        fallocate(fd, 0, 0, (off_t)data_at(ports)) < 0)
        return errno == ENOSPC ? -ENOMEM : -errno;
    header = mmap(NULL, rings_at(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (header == MAP_FAILED)
        return -errno;
    header->ports = ports;
    header->magic = MAGIC;
    munmap(header, rings_at());
    return 0;
}

static int map(struct cxemu_shm_segment *s)
{
    struct stat st;
    uint8_t *base;

    if (fstat(s->fd, &st) < 0)
        return -errno;
    if ((size_t)st.st_size < rings_at())
        return -EINVAL;
    s->bytes = (size_t)st.st_size;
    base = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    s->header = (struct cxemu_shm_header *)(void *)base;
    if (s->header->magic != MAGIC || s->header->ports < 2 ||
        s->header->ports > CXEMU_SHM_PORTS_MAX || file_bytes(s->header->ports) != s->bytes) {
        munmap(base, s->bytes);
        s->header = NULL;
        return -EINVAL;
    }
    s->rings = (struct cxemu_shm_ring *)(void *)(base + rings_at());
    s->data = base + data_at(s->header->ports);
    return 0;
}

static int open_socket(struct cxemu_shm_segment *s, mode_t mode)
{
    struct sockaddr_un sun;

    s->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->socket < 0)
        return -errno;
    socket_of(s->name, s->port, &sun);
    unlink(sun.sun_path); /* of who had the port before */
    if (bind(s->socket, (struct sockaddr *)&sun, sizeof(sun)) < 0 || chmod(sun.sun_path, mode) < 0)
        return -errno;
    return 0;
}

static int take_port(struct cxemu_shm_segment *s)
{
    struct cxemu_shm_port *port;
    unsigned ports = s->header->ports;

    for (s->port = 0; s->port < ports; s->port++)
        if (lock_byte(s->fd, s->port, F_WRLCK) == 0)
            break;
    if (s->port == ports)
        return -ENOSPC;
    port = &s->header->port[s->port];
    __atomic_store_n(&port->up, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&port->sleeping, 0, __ATOMIC_RELEASE);
    __atomic_add_fetch(&port->generation, 1, __ATOMIC_SEQ_CST);
    for (unsigned from = 0; from < ports; from++) { /* what was meant for who died */
        struct cxemu_shm_ring *ring = &s->rings[from * ports + s->port];
        uint32_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
        __atomic_store_n(&ring->head, tail, __ATOMIC_RELEASE);
    }
    return 0;
}

static void undo(struct cxemu_shm_segment *s)
{
    if (s->socket >= 0)
        close(s->socket);
    if (s->header)
        munmap(s->header, s->bytes);
    close(s->fd); /* and its locks go */
}

int cxemu_shm_segment_join(struct cxemu_shm_segment *s, const char *name, unsigned ports,
                           mode_t mode)
{
    char path[PATH_MAX_];
    bool fresh = false;
    int rc;

    *s = (struct cxemu_shm_segment){.socket = -1, .pid = getpid()};
    if (strlen(name) >= sizeof(s->name) || ports < 2 || ports > CXEMU_SHM_PORTS_MAX)
        return -EINVAL;
    strcpy(s->name, name);
    path_of(name, path);
    s->fd = open_file(path, mode, &fresh);
    if (s->fd < 0)
        return s->fd;
    rc = fresh ? make(s->fd, ports, mode) : 0;
    if (!rc)
        rc = map(s);
    if (!rc)
        rc = take_port(s);
    if (!rc)
        rc = open_socket(s, mode);
    if (rc) {
        if (fresh)
            unlink(path);
        undo(s);
        return rc;
    }
    (void)!lock_byte(s->fd, JOIN_BYTE, F_UNLCK);
    return 0;
}

void cxemu_shm_segment_leave(struct cxemu_shm_segment *s)
{
    struct sockaddr_un sun;
    char path[PATH_MAX_];

    if (s->pid == getpid()) {
        path_of(s->name, path);
        socket_of(s->name, s->port, &sun);
        __atomic_store_n(&s->header->port[s->port].up, 0, __ATOMIC_RELEASE);
        if (lock_joining(s->fd) == 0) {
            unlink(sun.sun_path);
            if (!anyone_there(s->fd, s->port))
                unlink(path);
        }
        (void)!lock_byte(s->fd, s->port, F_UNLCK);
        (void)!lock_byte(s->fd, JOIN_BYTE, F_UNLCK);
    }
    undo(s);
}

bool cxemu_shm_segment_reserve(const struct cxemu_shm_segment *s, unsigned to)
{
    size_t ring = s->port * (size_t)s->header->ports + to;
    size_t at = data_at(s->header->ports) + ring * CXEMU_SHM_RING_BYTES;

    return fallocate(s->fd, 0, (off_t)at, CXEMU_SHM_RING_BYTES) == 0;
}

void cxemu_shm_segment_wake(const struct cxemu_shm_segment *s, unsigned port)
{
    struct sockaddr_un sun;
    ssize_t ignored;

    socket_of(s->name, port, &sun);
    ignored =
        sendto(s->socket, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&sun, sizeof(sun));
    (void)ignored; /* full: it will be awake; gone: nobody to wake */
}
