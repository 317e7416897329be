/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The run directory: where control sockets are, under which names, and what happens to those whose
 * process is gone. Hold beside it: unix(7).
 */
#include "control/control_socket.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NAMES_MAX 64u /* sockets of one process on one device */

bool tapm_run_dir(unsigned n, char *out, size_t len)
{
    const char *env = getenv("RAWSTACK_RUN_DIR");
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (env && env[0] != '\0') {
        snprintf(out, len, "%s", env);
        return n == 0;
    }
    if (n == 0)
        snprintf(out, len, "/run/rawstack");
    else if (n == 1 && runtime && runtime[0] != '\0')
        snprintf(out, len, "%s/rawstack", runtime);
    else
        return false;
    return true;
}

static int address_of(const char *path, struct sockaddr_un *out)
{
    memset(out, 0, sizeof(*out));
    out->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(out->sun_path))
        return -ENAMETOOLONG;
    memcpy(out->sun_path, path, strlen(path) + 1);
    return 0;
}

/* Nobody listens on it any more. */
static bool is_dead(const char *path)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || address_of(path, &address) != 0) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool dead =
        connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno == ECONNREFUSED;
    close(fd);
    return dead;
}

static void remove_dead(const char *dir)
{
    DIR *entries = opendir(dir);
    char path[PATH_MAX];

    if (!entries)
        return;
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (strncmp(entry->d_name, "tapm-", 5) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        if (is_dead(path))
            unlink(path);
    }
    closedir(entries);
}

/* Made by bind(2) under its final mode: nobody connects before it is set. */
static int bind_at(int fd, const char *path)
{
    struct sockaddr_un address;
    int rc = address_of(path, &address);

    if (rc != 0)
        return rc;
    if (fchmod(fd, 0600) != 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        return -errno;
    return chmod(path, 0600) == 0 ? 0 : -errno;
}

/* Gives the socket, which listens at draft, the first free name. */
static int publish(const char *draft, const char *dir, const char *device, char *path, size_t len)
{
    for (unsigned n = 0; n < NAMES_MAX; n++) {
        struct sockaddr_un address;
        int written = snprintf(path, len, "%s/tapm-%d-%s-%u.sock", dir, (int)getpid(), device, n);

        if (written < 0 || (size_t)written >= len || address_of(path, &address) != 0)
            return -ENAMETOOLONG;
        if (link(draft, path) == 0)
            return 0;
        if (errno != EEXIST)
            return -errno;
    }
    return -EADDRINUSE;
}

/* A socket that is bound and does not listen yet looks as dead as one whose process is gone, and
 * another process that starts at this moment would remove it: so it is made under a name that none
 * looks at, and published when it listens. */
static int listen_at(int fd, const char *dir, const char *device, char *path, size_t len)
{
    char draft[PATH_MAX];

    snprintf(draft, sizeof(draft), "%s/new-%d-%d", dir, (int)getpid(), fd);
    unlink(draft); /* of a process that had this number and did not get further */
    int rc = bind_at(fd, draft);
    if (rc == 0 && listen(fd, (int)TAPM_CLIENTS_MAX) != 0)
        rc = -errno;
    if (rc == 0)
        rc = publish(draft, dir, device, path, len);
    unlink(draft);
    return rc;
}

int tapm_run_dir_listen(const char *dir, const char *device, char *path, size_t len)
{
    if (mkdir(dir, 0755) != 0 && errno != EEXIST)
        return -errno;
    remove_dead(dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;

    int rc = listen_at(fd, dir, device, path, len);
    if (rc != 0) {
        path[0] = '\0';
        close(fd);
        return rc;
    }
    return fd;
}
