/* SPDX-License-Identifier: BSD-2-Clause */
/* See client.h; the language is in src/cxemu/control/command.h. */
#define _GNU_SOURCE
#include "client.h"

#include "cxemu.h"

#include <errno.h>
#include <limits.h>
#include <rawstack/cxemu.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, EXIT_REFUSED = 1 };

static int path_of(const char *name, char *path, size_t len)
{
    char dir[PATH_MAX];

    if (strchr(name, '/'))
        return snprintf(path, len, "%s", name) < (int)len ? 0 : -ENAMETOOLONG;
    int err = cxemu_instance_dir(name, dir, sizeof(dir));
    if (!err && snprintf(path, len, "%s/control.sock", dir) >= (int)len)
        err = -ENAMETOOLONG;
    return err;
}

int client_open(struct client *c)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    int err = path_of(c->name, addr.sun_path, sizeof(addr.sun_path));
    if (err) {
        fprintf(stderr, "cxemu: '%s' is no name of an instance and no path of a socket\n", c->name);
        return EXIT_USAGE;
    }
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd >= 0 && connect(c->fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0) {
        c->from = fdopen(c->fd, "r");
        if (c->from)
            return 0;
    }
    if (errno == ENOENT || errno == ECONNREFUSED)
        fprintf(stderr, "cxemu: %s does not run; `cxemu status` lists what does\n", c->name);
    else if (errno == EACCES || errno == EPERM)
        fprintf(stderr, "cxemu: %s belongs to another user; ask as that user or as root\n",
                c->name);
    else
        fprintf(stderr, "cxemu: %s: %s\n", addr.sun_path, strerror(errno));
    if (c->fd >= 0)
        close(c->fd);
    return EXIT_REFUSED;
}

void client_close(struct client *c)
{
    fclose(c->from);
}

int client_say(struct client *c, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(line, sizeof(line) - 1, fmt, args);
    va_end(args);
    if (n < 0 || n >= (int)sizeof(line) - 1 || strchr(line, '\n')) {
        fputs("cxemu: that is too much for one line\n", stderr);
        return EXIT_USAGE;
    }
    line[n++] = '\n';
    if (send(c->fd, line, (size_t)n, MSG_NOSIGNAL) == n)
        return 0;
    fprintf(stderr, "cxemu: %s: %s\n", c->name, strerror(errno));
    return EXIT_REFUSED;
}

int client_hear(struct client *c, void (*take)(void *cookie, const char *line), void *cookie)
{
    char line[LINE_MAX_BYTES];

    while (fgets(line, sizeof(line), c->from)) {
        line[strcspn(line, "\n")] = 0;
        if (strcmp(line, "ok") == 0)
            return 0;
        if (strncmp(line, "error: ", 7) == 0) {
            fprintf(stderr, "cxemu: %s\n", line + 7);
            return EXIT_REFUSED;
        }
        if (take)
            take(cookie, line);
    }
    fprintf(stderr, "cxemu: %s ended before it had answered\n", c->name);
    return EXIT_REFUSED;
}

bool client_join(char *out, size_t len, int argc, char **argv)
{
    size_t n = 0;

    out[0] = 0;
    for (int i = 0; i < argc && n < len; i++)
        n += (size_t)snprintf(out + n, len - n, "%s%s", n ? " " : "", argv[i]);
    return n < len;
}
