/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading of one-line files; see sysfile.h. */
#include "control/sysfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_line(char *out, size_t len, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    out[0] = '\0';
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, out, len - 1);
    int rc = n < 0 ? -errno : 0;
    close(fd);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return rc;
}

int tapm_sysfile_line(char *out, size_t len, const char *format, ...)
{
    char path[PATH_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    return read_line(out, len, path);
}

long tapm_sysfile_number(long otherwise, const char *format, ...)
{
    char path[PATH_MAX], line[64], *end;
    va_list args;

    va_start(args, format);
    vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    if (read_line(line, sizeof(line), path) != 0 || line[0] == '\0')
        return otherwise;
    errno = 0;
    long value = strtol(line, &end, 0);
    return errno == 0 && *end == '\0' ? value : otherwise;
}
