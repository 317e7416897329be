/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of NICs: adding, finding, removing (cxemu_nic_add and others of rawstack/cxemu.h). */
#define _GNU_SOURCE
#include "cxemu/host/nics.h"

#include "cxemu/host/error_text.h"
#include "cxemu/host/nics_drive.h"
#include "cxemu/host/nics_list.h"
#include "cxemu/host/nics_make.h"
#include "cxemu/host/sysfs.h"
#include "cxemu/host/wires.h"
#include <errno.h>
#include <limits.h>
#include <rawstack/cxemu.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cxemu_nics_entry entries[CXEMU_NICS_MAX];
static atomic_uint live;
static bool has_tree;
static const struct cxemu_nics_sharer *sharer;
static atomic_bool detached;

/* --- finding ------------------------------------------------------------------------------ */

unsigned cxemu_nics_all(struct cxemu_dev *devs[CXEMU_NICS_MAX])
{
    unsigned count = 0;

    cxemu_nics_lock();
    for (unsigned i = 0; i < CXEMU_NICS_MAX; i++)
        if (entries[i].dev)
            devs[count++] = cxemu_dev_get(entries[i].dev);
    cxemu_nics_unlock();
    return count;
}

unsigned cxemu_nics_count(void)
{
    return atomic_load(&live);
}

struct cxemu_dev *cxemu_nics_get(unsigned index)
{
    struct cxemu_dev *dev = NULL;

    cxemu_nics_reap();
    cxemu_nics_lock();
    for (unsigned i = 0; i < CXEMU_NICS_MAX && !dev; i++)
        if (entries[i].dev && entries[i].dev->index == index)
            dev = cxemu_dev_get(entries[i].dev);
    cxemu_nics_unlock();
    return dev;
}

struct cxemu_nics_entry *cxemu_nics_entry(const char *name)
{
    for (unsigned i = 0; i < CXEMU_NICS_MAX; i++)
        if (entries[i].dev && strcmp(entries[i].dev->name, name) == 0)
            return &entries[i];
    return NULL;
}

/* --- adding and removing ------------------------------------------------------------------ */

static void describe(const struct cxemu_nics_entry *entry, struct cxemu_sysfs_dev *out)
{
    *out = (struct cxemu_sysfs_dev){
        .seat = &entry->seat,
        .pf = entry->seat.is_vf && cxemu_nics_entry(entry->seat.pf)
                  ? &cxemu_nics_entry(entry->seat.pf)->seat
                  : NULL,
        .name = entry->dev->name,
        .index = entry->dev->index,
        .guid = cxemu_dev_guid(entry->dev),
        .sys_image_guid = entry->dev->sys_image_guid,
        .model = entry->dev->model,
        .part_id = cxemu_dev_part_id(entry->dev),
        .netdev = entry->netdev,
        .mode = entry->mode,
        .up = cxemu_nic_link_is_up(entry->dev->nic),
    };
}

/* Fills in what the description left open. */
static int complete(struct cxemu_spec *spec, const struct cxemu_error_text *e)
{
    for (unsigned n = 0; !spec->name[0]; n++) {
        snprintf(spec->name, sizeof(spec->name), "mlx5_%u", n);
        if (cxemu_nics_entry(spec->name))
            spec->name[0] = 0;
    }
    if (cxemu_nics_entry(spec->name))
        return cxemu_error_say(e, -EEXIST, "name=%s: there is a NIC of that name", spec->name);
    if (!spec->has_mac)
        spec->mac = cxemu_spec_default_mac(spec->name);
    return 0;
}

/* Where it sits, and, for a virtual function, what it has from its physical one. */
static int sit(struct cxemu_spec *spec, struct cxemu_seat *seat, const struct cxemu_error_text *e)
{
    const struct cxemu_seat *taken[CXEMU_NICS_MAX];

    for (unsigned i = 0; i < CXEMU_NICS_MAX; i++)
        taken[i] = entries[i].dev ? &entries[i].seat : NULL;
    if (!spec->pf[0]) {
        cxemu_seat_choose(spec, taken, CXEMU_NICS_MAX, seat);
        return 0;
    }
    struct cxemu_nics_entry *pf = cxemu_nics_entry(spec->pf);
    if (!pf || pf->seat.is_vf)
        return cxemu_error_say(e, -ENOENT, "pf=%s: there is no physical function of that name",
                               spec->pf);
    if (spec->wire != CXEMU_WIRE_NONE || spec->vfs || spec->has_model)
        return cxemu_error_say(e, -EINVAL,
                               "pf=%s: a virtual function has no wire=, model= or vfs= of its own",
                               spec->pf);
    int err = cxemu_seat_make_switch(&pf->seat, pf->dev);
    if (err)
        return cxemu_error_say(
            e, err,
            "pf=%s: that NIC has no wire, and so no switch; give it one, or vfs=", spec->pf);
    pf->seat.sys_image_guid = pf->dev->sys_image_guid;
    cxemu_seat_choose_vf(&pf->seat, spec->pf, taken, CXEMU_NICS_MAX, seat);
    spec->model = pf->dev->model;
    if (!spec->has_mac)
        spec->mac = cxemu_seat_vf_mac(&pf->dev->mac, seat->vf_number);
    return 0;
}

/* The lowest number that no device has. */
static unsigned free_index(void)
{
    unsigned index = 0;

    for (unsigned i = 0; i < CXEMU_NICS_MAX; i++) {
        if (entries[i].dev && entries[i].dev->index == index) {
            index++;
            i = UINT_MAX; /* from the start again */
        }
    }
    return index;
}

static int add_to_tree(const struct cxemu_nics_entry *entry, const struct cxemu_error_text *e)
{
    struct cxemu_sysfs_dev sysfs;
    int err = 0;

    if (!has_tree)
        err = cxemu_sysfs_create();
    has_tree = !err;
    describe(entry, &sysfs);
    if (!err)
        err = cxemu_sysfs_add(&sysfs);
    if (!err)
        cxemu_nics_show(entry);
    if (err)
        cxemu_error_say(e, err, "cannot make the private /sys tree in $TMPDIR or /tmp: %s",
                        strerror(-err));
    return err;
}

static void leave_tree(const struct cxemu_nics_entry *entry)
{
    struct cxemu_sysfs_dev sysfs;

    describe(entry, &sysfs);
    cxemu_sysfs_remove(&sysfs);
}

static int share(const struct cxemu_nics_entry *entry, const struct cxemu_error_text *e)
{
    int err = sharer ? sharer->added(entry->dev, entry->mode) : 0;

    if (err)
        cxemu_error_say(e, err, "cannot make the device's socket: %s", strerror(-err));
    return err;
}

static int add_one(struct cxemu_spec *spec, const struct cxemu_error_text *e)
{
    struct cxemu_nics_entry *entry = NULL;
    struct cxemu_seat seat = {0};
    struct cxemu_dev_attr attr;

    int err = complete(spec, e);
    if (!err)
        err = sit(spec, &seat, e);
    if (err)
        return err;
    for (unsigned i = 0; i < CXEMU_NICS_MAX && !entry; i++)
        if (!entries[i].dev)
            entry = &entries[i];
    if (!entry)
        return cxemu_error_say(e, -ENOSPC, "a process has at most %d NICs", CXEMU_NICS_MAX);
    attr = (struct cxemu_dev_attr){.name = spec->name,
                                   .index = free_index(),
                                   .mac = spec->mac,
                                   .mtu_bytes = spec->mtu_bytes,
                                   .max_qp = spec->max_qp,
                                   .model = spec->model,
                                   .is_vf = seat.is_vf,
                                   .sys_image_guid = seat.sys_image_guid,
                                   .caps_off = spec->caps_off};
    err = cxemu_nics_make(spec, &seat, &attr.nic, e);
    if (err)
        return err;
    err = cxemu_dev_create(&attr, &entry->dev);
    if (err) {
        cxemu_nic_destroy(attr.nic);
        return err;
    }
    cxemu_nics_arm(entry->dev->nic, spec->fault);
    snprintf(entry->netdev, sizeof(entry->netdev), "%s", spec->netdev);
    entry->mode = spec->mode;
    entry->seat = seat;
    entry->seat.sys_image_guid = entry->dev->sys_image_guid;
    err = add_to_tree(entry, e);
    if (err)
        goto put_dev;
    err = share(entry, e);
    if (err)
        goto leave_tree;
    err = cxemu_nics_drive_start(entry->dev);
    if (err)
        goto unshare;
    cxemu_nics_drive_fix();
    atomic_fetch_add(&live, 1);
    return 0;

unshare:
    cxemu_nics_drive_stop(entry->dev);
    if (sharer)
        sharer->removed(entry->dev);
leave_tree:
    leave_tree(entry);
put_dev:
    cxemu_dev_put(entry->dev);
    entry->dev = NULL;
    return err;
}

static unsigned unplug_all(struct cxemu_nics_entry *entry, struct cxemu_dev *gone[CXEMU_NICS_MAX]);

/* vfs=N: functions that are all alike, by the names PFv0, PFv1 .. */
static int add(const char *text, const struct cxemu_error_text *e)
{
    struct cxemu_spec spec;

    int err = cxemu_spec_parse(text, &spec, e->text, e->len);
    if (!err)
        err = add_one(&spec, e);
    for (unsigned i = 0; !err && i < spec.vfs; i++) {
        struct cxemu_spec vf = spec;
        vf.vfs = 0;
        vf.wire = CXEMU_WIRE_NONE;
        vf.has_mac = vf.has_model = false;
        vf.netdev[0] = vf.fault[0] = 0;
        memcpy(vf.pf, spec.name, sizeof(vf.pf));
        if (snprintf(vf.name, sizeof(vf.name), "%.*sv%u", (int)sizeof(vf.name) - 8, spec.name, i) <
            0)
            err = -EINVAL;
        if (!err)
            err = add_one(&vf, e);
        if (err) {
            struct cxemu_dev *gone[CXEMU_NICS_MAX];
            unsigned count = unplug_all(cxemu_nics_entry(spec.name), gone);
            while (count)
                cxemu_dev_put(gone[--count]);
        }
    }
    return err;
}

int cxemu_nic_add(const char *text, char *err, size_t err_len)
{
    const struct cxemu_error_text e = {err, err_len};

    if (err && err_len)
        err[0] = 0;
    cxemu_nics_lock();
    int rc = add(text, &e);
    cxemu_nics_unlock();
    if (rc && err && err_len && !err[0])
        cxemu_error_say(&e, rc, "%s", strerror(-rc));
    return rc;
}

int cxemu_nic_check(const char *text, char *err, size_t err_len)
{
    struct cxemu_spec spec;

    int rc = cxemu_spec_parse(text, &spec, err, err_len);
    return rc ? rc : cxemu_wires_check(&spec, err, err_len);
}

/* Out of the list, the tree and the driver's hands; contexts keep it. Lock held. */
static struct cxemu_dev *unplug(struct cxemu_nics_entry *entry)
{
    struct cxemu_dev *dev = entry->dev;

    leave_tree(entry);
    if (sharer)
        sharer->removed(dev);
    entry->dev = NULL;
    cxemu_nics_drive_stop(dev);
    cxemu_dev_remove(dev);
    atomic_fetch_sub(&live, 1);
    return dev;
}

/* Virtual functions go before their physical one. Returns how many are in gone. Lock held. */
static unsigned unplug_all(struct cxemu_nics_entry *entry, struct cxemu_dev *gone[CXEMU_NICS_MAX])
{
    const struct cxemu_dev *pf = entry->dev;
    unsigned count = 0;

    for (unsigned i = 0; i < CXEMU_NICS_MAX; i++)
        if (entries[i].dev && entries[i].seat.is_vf && strcmp(entries[i].seat.pf, pf->name) == 0)
            gone[count++] = unplug(&entries[i]);
    gone[count++] = unplug(entry);
    return count;
}

int cxemu_nic_remove(const char *name)
{
    struct cxemu_dev *gone[CXEMU_NICS_MAX];
    unsigned count = 0;

    cxemu_nics_lock();
    struct cxemu_nics_entry *entry = cxemu_nics_entry(name);
    if (entry)
        count = unplug_all(entry, gone);
    cxemu_nics_unlock();
    for (unsigned i = 0; i < count; i++)
        cxemu_dev_put(gone[i]);
    return count ? 0 : -ENOENT;
}

void cxemu_nics_reap(void)
{
    struct cxemu_dev *gone[CXEMU_NICS_MAX];
    unsigned count = 0;

    if (!cxemu_nics_drive_removed())
        return;
    cxemu_nics_lock();
    for (unsigned i = 0; i < CXEMU_NICS_MAX; i++) {
        if (entries[i].dev && atomic_load(&entries[i].dev->removed))
            count += unplug_all(&entries[i], gone + count);
    }
    cxemu_nics_unlock();
    while (count)
        cxemu_dev_put(gone[--count]);
}

struct cxemu_dev *cxemu_nics_find(const char *name)
{
    cxemu_nics_reap();
    cxemu_nics_lock();
    const struct cxemu_nics_entry *entry = cxemu_nics_entry(name);
    struct cxemu_dev *dev = entry ? cxemu_dev_get(entry->dev) : NULL;
    cxemu_nics_unlock();
    return dev;
}

/* --- fork --------------------------------------------------------------------------------- */

void cxemu_nics_share_failed(void)
{
    if (sharer)
        sharer->failed();
}

void cxemu_nics_share(const struct cxemu_nics_sharer *with)
{
    cxemu_nics_lock();
    sharer = with;
    cxemu_nics_unlock();
}

int cxemu_nics_tree_at(const char *dir)
{
    cxemu_nics_lock();
    int err = has_tree ? -EBUSY : cxemu_sysfs_create_at(dir);
    has_tree |= !err;
    cxemu_nics_unlock();
    return err;
}

void cxemu_nics_remove_all(void)
{
    char name[CXEMU_NAME_MAX];

    for (unsigned i = 0; i < CXEMU_NICS_MAX; i++) {
        cxemu_nics_lock();
        bool there = entries[i].dev;
        if (there)
            snprintf(name, sizeof(name), "%s", entries[i].dev->name);
        cxemu_nics_unlock();
        if (there)
            (void)!cxemu_nic_remove(name);
    }
}

void cxemu_detach(void)
{
    atomic_store(&detached, true);
}

bool cxemu_is_detached(void)
{
    return atomic_load(&detached);
}

void cxemu_nics_lock(void)
{
    pthread_mutex_lock(&lock);
}

void cxemu_nics_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void cxemu_nics_tree_remove(void)
{
    cxemu_nics_lock();
    if (has_tree)
        cxemu_sysfs_destroy();
    has_tree = false;
    cxemu_nics_unlock();
}

/* --- exit --------------------------------------------------------------------------------- */

void cxemu_nics_clear(void)
{
    cxemu_nics_lock();
    for (unsigned i = 0; i < CXEMU_NICS_MAX; i++) {
        if (!entries[i].dev)
            continue;
        cxemu_nic_on_pass(entries[i].dev->nic, NULL, NULL);
        cxemu_dev_put(entries[i].dev);
        entries[i].dev = NULL;
    }
    cxemu_wires_clear();
    if (has_tree)
        cxemu_sysfs_destroy();
    has_tree = false;
    cxemu_nics_unlock();
}
