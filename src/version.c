/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the version string of the library. */
#include <rawstack/rawstack.h>

const char *rs_version(void)
{
    return "0.1.0";
}
