/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's side of control sockets: asks one, or all in a run directory. A process that does
 * not answer in time, or whose socket is dead, is passed over.
 */
#include "control/control_socket.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX (64u << 20)

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = TAPM_CLIENT_MS / 1000,
                                     .tv_usec = TAPM_CLIENT_MS % 1000 * 1000};

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

/* Everything until the other end closes, as a string. */
static char *read_all(int fd, int *rc)
{
    size_t room = 4096, len = 0;
    char *text = malloc(room);

    while (text) {
        ssize_t n = read(fd, text + len, room - len - 1);
        if (n == 0)
            break;
        if (n < 0 && errno == EINTR)
            continue;
        *rc = n < 0 ? -errno : 0;
        len += n > 0 ? (size_t)n : 0;
        if (n < 0 || len > ANSWER_BYTES_MAX) {
            free(text);
            return NULL;
        }
        if (len + 1 == room) {
            char *more = realloc(text, room * 2);
            if (!more)
                free(text);
            text = more;
            room *= 2;
        }
    }
    if (!text) {
        *rc = -ENOMEM;
        return NULL;
    }
    text[len] = '\0';
    *rc = len > 0 ? 0 : -ECONNRESET;
    if (len > 0)
        return text;
    free(text);
    return NULL;
}

char *tapm_control_ask(const char *path, const char *request, int *rc)
{
    char line[TAPM_REQUEST_BYTES];
    int len = snprintf(line, sizeof(line), "%s\n", request);
    char *answer = NULL;

    if (len < 0 || (size_t)len >= sizeof(line)) {
        *rc = -EMSGSIZE;
        return NULL;
    }
    int fd = connect_to(path);
    if (fd < 0) {
        *rc = fd;
        return NULL;
    }
    if (send(fd, line, (size_t)len, MSG_NOSIGNAL) == len)
        answer = read_all(fd, rc);
    else
        *rc = -EPIPE;
    close(fd);
    return answer;
}

int tapm_control_ask_all(const char *dir, const char *except, const char *request,
                         bool (*fn)(void *ctx, const char *json), void *ctx)
{
    DIR *entries = opendir(dir);
    char path[PATH_MAX];
    int answered = 0;
    bool forbidden = false, go_on = true;

    if (!entries)
        return errno == ENOENT ? 0 : -errno;
    for (struct dirent *entry; go_on && (entry = readdir(entries));) {
        int rc;
        if (strncmp(entry->d_name, "tapm-", 5) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        if (except && strcmp(path, except) == 0)
            continue;
        char *answer = tapm_control_ask(path, request, &rc);
        if (answer) {
            answered++;
            go_on = fn(ctx, answer);
            free(answer);
        }
        forbidden |= !answer && rc == -EACCES;
    }
    closedir(entries);
    return answered == 0 && forbidden ? -EACCES : answered;
}

struct collector {
    void (*fn)(void *ctx, const char *json);
    void *ctx;
};

static bool hand_on(void *ctx, const char *json)
{
    const struct collector *to = (const struct collector *)ctx;

    to->fn(to->ctx, json);
    return true;
}

int tapm_control_query(const char *dir, const char *what, void (*fn)(void *ctx, const char *json),
                       void *ctx)
{
    static const char *const known[] = {"list", "caps", "show", "stats"};
    struct collector to = {.fn = fn, .ctx = ctx};
    char path[PATH_MAX];
    int answered = 0, error = 0;
    bool is_known = false;

    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        is_known |= strcmp(what, known[i]) == 0;
    if (!is_known)
        return -EINVAL;
    if (dir)
        return tapm_control_ask_all(dir, NULL, what, hand_on, &to);
    for (unsigned n = 0; tapm_run_dir(n, path, sizeof(path)); n++) {
        int rc = tapm_control_ask_all(path, NULL, what, hand_on, &to);
        answered += rc > 0 ? rc : 0;
        error = rc < 0 ? rc : error;
    }
    return answered > 0 ? answered : error;
}
