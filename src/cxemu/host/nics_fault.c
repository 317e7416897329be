/* SPDX-License-Identifier: BSD-2-Clause */
/* The C API of faults (rawstack/cxemu.h). */
#include "cxemu/core/fault.h"
#include "cxemu/host/nics.h"

#include <errno.h>
#include <rawstack/cxemu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int say(char *text, size_t len, int err, const char *nic, const char *what)
{
    if (text && len)
        snprintf(text, len, "%s: %s", nic, what);
    return err;
}

int cxemu_fault(const char *nic, const char *text, char *err, size_t err_len)
{
    struct cxemu_fault_spec spec;

    int rc = cxemu_fault_parse(text, &spec, err, err_len);
    if (rc)
        return rc;
    struct cxemu_dev *dev = cxemu_nics_find(nic);
    if (!dev)
        return say(err, err_len, -ENOENT, nic, "no NIC of that name");
    rc = cxemu_nic_fault_arm(dev->nic, &spec);
    cxemu_dev_put(dev);
    if (rc < 0)
        say(err, err_len, rc, nic,
            rc == -ENOSPC ? "as many faults as a NIC can have; clear some" : strerror(-rc));
    return rc;
}

int cxemu_fault_clear(const char *nic, int id)
{
    struct cxemu_dev *dev = cxemu_nics_find(nic);

    if (!dev || id < 0) {
        if (dev)
            cxemu_dev_put(dev);
        return -ENOENT;
    }
    int rc = cxemu_nic_fault_clear(dev->nic, (uint32_t)id);
    cxemu_dev_put(dev);
    return rc;
}

uint64_t cxemu_fault_fired(const char *nic, int id)
{
    struct cxemu_dev *dev = cxemu_nics_find(nic);
    struct cxemu_fault *all = dev ? calloc(CXEMU_FAULTS_MAX, sizeof(*all)) : NULL;
    uint64_t fired = 0;

    if (all) {
        size_t n = cxemu_nic_fault_list(dev->nic, all, CXEMU_FAULTS_MAX);
        for (size_t i = 0; i < n; i++) {
            if ((int)all[i].id == id)
                fired = all[i].fired;
        }
    }
    free(all);
    if (dev)
        cxemu_dev_put(dev);
    return fired;
}
