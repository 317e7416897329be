/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a caller wants the sentence about what went wrong, and how it gets there. */
#ifndef CXEMU_HOST_ERROR_TEXT_H
#define CXEMU_HOST_ERROR_TEXT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* text may be NULL, len 0: nobody wants it. */
struct cxemu_error_text {
    char *text;
    size_t len;
};

/* Writes the sentence, cut to the room; returns err. */
__attribute__((format(printf, 3, 4))) int cxemu_error_say(const struct cxemu_error_text *e, int err,
                                                          const char *fmt, ...);

#ifdef __cplusplus
}
#endif
#endif
