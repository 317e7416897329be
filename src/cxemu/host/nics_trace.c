/* SPDX-License-Identifier: BSD-2-Clause */
/* The C API of traces (rawstack/cxemu.h). */
#include "cxemu/host/nics.h"
#include "cxemu/trace/tracer.h"

#include <errno.h>
#include <rawstack/cxemu.h>
#include <stdio.h>
#include <string.h>

int cxemu_trace(const char *nic, int fd, bool json, const char *filter, char *err, size_t err_len)
{
    struct cxemu_trace_filter parsed;

    int rc = cxemu_trace_filter_parse(filter, &parsed, err, err_len);
    if (rc)
        return rc;
    struct cxemu_dev *dev = cxemu_nics_find(nic);
    rc = dev ? cxemu_trace_attach(dev->nic, dev->name, fd, json, &parsed) : -ENOENT;
    if (rc && err && err_len)
        snprintf(err, err_len, "%s: %s", nic,
                 rc == -ENOENT   ? "no NIC of that name"
                 : rc == -ENOSPC ? "as many trace it as can"
                                 : strerror(-rc));
    if (dev)
        cxemu_dev_put(dev);
    return rc;
}

int cxemu_trace_stop(const char *nic, int fd)
{
    struct cxemu_dev *dev = cxemu_nics_find(nic);

    if (!dev)
        return -ENOENT;
    int rc = cxemu_trace_detach(dev->nic, fd);
    cxemu_dev_put(dev);
    return rc;
}
