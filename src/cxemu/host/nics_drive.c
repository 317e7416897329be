/* SPDX-License-Identifier: BSD-2-Clause */
/* See nics_drive.h; and cxemu_drive_set, cxemu_pump of rawstack/cxemu.h. */
#include "cxemu/host/nics_drive.h"

#include "cxemu/core/driver.h"
#include "cxemu/core/fault.h"
#include "cxemu/host/nics_list.h"
#include <errno.h>
#include <rawstack/cxemu.h>

#define TEND_PASSES 256

static atomic_bool has_removed; /* a fault has unplugged a device that is still listed */
static enum cxemu_drive drive = CXEMU_DRIVE_THREAD;
static bool drive_fixed;
static struct cxemu_driver *driver;
static void (*_Atomic tend_hook)(void), (*_Atomic tend_shared_hook)(void);

static void tend(void)
{
    void (*hook)(void) = atomic_load_explicit(&tend_hook, memory_order_acquire);

    if (hook)
        hook();
    hook = atomic_load_explicit(&tend_shared_hook, memory_order_acquire);
    if (hook)
        hook();
}

static void on_pass(void *cookie, uint64_t now_ns)
{
    struct cxemu_dev *dev = cookie;

    cxemu_dev_tick(dev, now_ns);
    if (dev->passes++ % TEND_PASSES == 0)
        tend();
}

/* By a fault, in the middle of a pass: the device fails at once, its place in the list and in the
 * tree go with the next look at either. */
static void on_removed(void *cookie)
{
    struct cxemu_dev *dev = cookie;

    atomic_store(&dev->removed, true);
    atomic_store(&has_removed, true);
    cxemu_nics_share_failed();
}

int cxemu_nics_drive_start(struct cxemu_dev *dev)
{
    int err = 0;

    cxemu_nic_on_removed(dev->nic, on_removed, dev);
    cxemu_nic_on_pass(dev->nic, on_pass, dev);
    if (drive != CXEMU_DRIVE_THREAD)
        return 0;
    if (!driver)
        err = cxemu_driver_create(&driver);
    return err ? err : cxemu_driver_add(driver, dev->nic);
}

void cxemu_nics_drive_stop(struct cxemu_dev *dev)
{
    if (driver)
        cxemu_driver_remove(driver, dev->nic);
    cxemu_nic_on_pass(dev->nic, NULL, NULL);
    cxemu_nic_on_removed(dev->nic, NULL, NULL);
}

void cxemu_nics_drive_fix(void)
{
    drive_fixed = true;
}

bool cxemu_nics_drive_removed(void)
{
    return atomic_load_explicit(&has_removed, memory_order_relaxed) &&
           atomic_exchange(&has_removed, false);
}

int cxemu_drive_set(enum cxemu_drive wanted)
{
    int err = 0;

    cxemu_nics_lock();
    if (drive_fixed && wanted != drive)
        err = -EBUSY;
    else if (wanted != CXEMU_DRIVE_THREAD && wanted != CXEMU_DRIVE_PUMP)
        err = -EINVAL;
    else
        drive = wanted;
    cxemu_nics_unlock();
    return err;
}

int cxemu_pump(unsigned budget)
{
    struct cxemu_dev *devs[CXEMU_NICS_MAX];
    int moved = 0;

    if (drive != CXEMU_DRIVE_PUMP)
        return -EBUSY;
    if (cxemu_is_detached())
        return 0;
    const unsigned count = cxemu_nics_all(devs);
    for (unsigned i = 0; i < count; i++) {
        moved += cxemu_nic_pump(devs[i]->nic, budget);
        cxemu_dev_put(devs[i]);
    }
    cxemu_nics_reap();
    return moved;
}

void cxemu_nics_on_tend(void (*hook)(void))
{
    atomic_store(&tend_hook, hook);
}

void cxemu_nics_on_tend_shared(void (*hook)(void))
{
    atomic_store(&tend_shared_hook, hook);
}

bool cxemu_nics_are_driven(void)
{
    return drive == CXEMU_DRIVE_THREAD;
}

void cxemu_nics_stop(void)
{
    cxemu_nics_lock();
    if (driver)
        cxemu_driver_destroy(driver);
    driver = NULL;
    drive_fixed = true;
    cxemu_nics_unlock();
}
