/* SPDX-License-Identifier: BSD-2-Clause */
/* Small files of sysfs and procfs, read whole. */
#ifndef CONTROL_SYSFILE_H
#define CONTROL_SYSFILE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* First line of the file that the format names, without newline; -errno, and "" in out. */
int tapm_sysfile_line(char *out, size_t len, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Its number, or `otherwise`. */
long tapm_sysfile_number(long otherwise, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
#endif
