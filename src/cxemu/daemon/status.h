/* SPDX-License-Identifier: BSD-2-Clause */
/* What `cxemu status` is told by an instance. */
#ifndef CXEMU_DAEMON_STATUS_H
#define CXEMU_DAEMON_STATUS_H

#include "cxemu/daemon/conn.h"
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CXEMU_STATUS_NICS_MAX 256

/* The NICs as they are; before the list of opens is locked, as that comes after theirs. */
struct cxemu_status_nics {
    unsigned count;
    struct cxemu_dev *devs[CXEMU_STATUS_NICS_MAX];
};
void cxemu_status_nics_get(struct cxemu_status_nics *nics);
void cxemu_status_nics_put(struct cxemu_status_nics *nics);

/* Writes one line of JSON on the NICs and on the opens in the list, which the caller has locked. */
void cxemu_status_write(FILE *to, const struct cxemu_status_nics *nics,
                        const struct cxemu_conn *conns);

#ifdef __cplusplus
}
#endif
#endif
