/* SPDX-License-Identifier: BSD-2-Clause */
/* See error_text.h. */
#include "cxemu/host/error_text.h"

#include <stdarg.h>
#include <stdio.h>

int cxemu_error_say(const struct cxemu_error_text *e, int err, const char *fmt, ...)
{
    va_list args;

    if (e->text && e->len) {
        va_start(args, fmt);
        vsnprintf(e->text, e->len, fmt, args);
        va_end(args);
    }
    return err;
}
