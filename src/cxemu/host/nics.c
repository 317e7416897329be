/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of NICs and the C API over it (rawstack/cxemu.h). */
#define _GNU_SOURCE
#include "cxemu/host/nics.h"

#include "cxemu/core/driver.h"
#include "cxemu/core/fault.h"
#include "cxemu/host/cards.h"
#include "cxemu/host/raw.h"
#include "cxemu/host/spec.h"
#include "cxemu/host/sysfs.h"
#include "cxemu/host/tap.h"
#include "cxemu/host/wires.h"
#include "cxemu/uverbs/limits.h"
#include "cxemu/wires/wire_impair.h"
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <rawstack/cxemu.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NICS_MAX     32
#define TEND_PASSES  256
#define COUNTERS_MAX 64 /* of one list */

struct entry {
    struct cxemu_dev *dev; /* NULL: free */
    char netdev[IFNAMSIZ];
    uint16_t mode;
    struct cxemu_seat seat;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry entries[NICS_MAX];
static atomic_uint live;
static bool has_tree;
static atomic_bool has_removed; /* a fault has unplugged a device that is still listed */
static enum cxemu_drive drive = CXEMU_DRIVE_THREAD;
static bool drive_fixed;
static struct cxemu_driver *driver;
static void (*_Atomic tend_hook)(void), (*_Atomic tend_shared_hook)(void);
static const struct cxemu_nics_sharer *sharer;
static atomic_bool detached;

/* --- finding ------------------------------------------------------------------------------ */

unsigned cxemu_nics_count(void)
{
    return atomic_load(&live);
}

struct cxemu_dev *cxemu_nics_get(unsigned index)
{
    struct cxemu_dev *dev = NULL;

    cxemu_nics_reap();
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < NICS_MAX && !dev; i++)
        if (entries[i].dev && entries[i].dev->index == index)
            dev = cxemu_dev_get(entries[i].dev);
    pthread_mutex_unlock(&lock);
    return dev;
}

/* Lock held. */
static struct entry *find(const char *name)
{
    for (unsigned i = 0; i < NICS_MAX; i++)
        if (entries[i].dev && strcmp(entries[i].dev->name, name) == 0)
            return &entries[i];
    return NULL;
}

/* --- making ------------------------------------------------------------------------------- */

struct error {
    char *text;
    size_t len;
};

__attribute__((format(printf, 3, 4))) static int fail(const struct error *e, int err,
                                                      const char *fmt, ...)
{
    va_list args;

    if (e->text && e->len) {
        va_start(args, fmt);
        vsnprintf(e->text, e->len, fmt, args);
        va_end(args);
    }
    return err;
}

static int make_netdev(const struct cxemu_spec *spec, const struct error *e)
{
    if (!spec->netdev[0])
        return -1; /* as nic.h says: none */
    int fd = cxemu_tap_open(spec->netdev, &spec->mac, spec->mtu_bytes);
    if (fd == -EPERM)
        return fail(e, fd, "netdev=%s: making a tap needs CAP_NET_ADMIN; run as root",
                    spec->netdev);
    if (fd == -EBUSY)
        return fail(e, fd, "netdev=%s: an interface of that name exists and is in use",
                    spec->netdev);
    if (fd == -ENOENT || fd == -ENODEV)
        return fail(e, fd, "netdev=%s: there is no /dev/net/tun; load the tun module",
                    spec->netdev);
    if (fd < 0)
        return fail(e, fd, "netdev=%s: cannot make the tap: %s", spec->netdev, strerror(-fd));
    return fd;
}

/* What the NIC's port is plugged into: its own wire, a switch before it, or a switch's port. */
static int make_port(const struct cxemu_spec *spec, struct cxemu_seat *seat,
                     struct cxemu_nic_attr *attr, const struct error *e)
{
    struct cxemu_vport_attr vport = spec->vport;

    vport.mac = spec->mac;
    if (seat->is_vf) {
        int err = cxemu_eswitch_add(seat->esw, &vport, &attr->wire);
        seat->end = err ? NULL : attr->wire;
        return err;
    }
    int err = cxemu_wires_make(spec, &attr->clock, &attr->wire, e->text, e->len);
    if (err || !spec->vfs)
        return err;
    err = cxemu_eswitch_create(attr->wire, &spec->mac, &attr->clock, &seat->esw, &attr->wire);
    seat->end = err ? NULL : attr->wire;
    return err;
}

static int make_nic(const struct cxemu_spec *spec, struct cxemu_seat *seat, struct cxemu_nic **out,
                    const struct error *e)
{
    const uint32_t caps = spec->model->caps & ~spec->caps_off;
    struct cxemu_nic_attr attr = {.mac = spec->mac,
                                  .mtu_bytes = spec->mtu_bytes,
                                  .no_stamps = !cxemu_caps_have(caps, CXEMU_CAP_TIMESTAMP),
                                  .no_csum = !cxemu_caps_have(caps, CXEMU_CAP_CSUM),
                                  .clock_khz = spec->model->clock_khz};

    attr.netdev_fd = make_netdev(spec, e);
    if (attr.netdev_fd < -1 || (attr.netdev_fd == -1 && spec->netdev[0]))
        return attr.netdev_fd;
    int err = make_port(spec, seat, &attr, e);
    if (err) {
        if (attr.netdev_fd >= 0)
            raw_close(attr.netdev_fd);
        return err;
    }
    return cxemu_nic_create(&attr, out); /* owns both, also on failure */
}

/* --- driving ------------------------------------------------------------------------------ */

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
}

static int start(struct cxemu_dev *dev)
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

static void stop(struct cxemu_dev *dev)
{
    if (driver)
        cxemu_driver_remove(driver, dev->nic);
    cxemu_nic_on_pass(dev->nic, NULL, NULL);
    cxemu_nic_on_removed(dev->nic, NULL, NULL);
}

/* --- adding and removing ------------------------------------------------------------------ */

static void describe(const struct entry *entry, struct cxemu_sysfs_dev *out)
{
    *out = (struct cxemu_sysfs_dev){
        .seat = &entry->seat,
        .pf = entry->seat.is_vf && find(entry->seat.pf) ? &find(entry->seat.pf)->seat : NULL,
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
static int complete(struct cxemu_spec *spec, const struct error *e)
{
    for (unsigned n = 0; !spec->name[0]; n++) {
        snprintf(spec->name, sizeof(spec->name), "mlx5_%u", n);
        if (find(spec->name))
            spec->name[0] = 0;
    }
    if (find(spec->name))
        return fail(e, -EEXIST, "name=%s: there is a NIC of that name", spec->name);
    if (!spec->has_mac)
        spec->mac = cxemu_spec_default_mac(spec->name);
    return 0;
}

/* Where it sits, and, for a virtual function, what it has from its physical one. */
static int sit(struct cxemu_spec *spec, struct cxemu_seat *seat, const struct error *e)
{
    const struct cxemu_seat *taken[NICS_MAX];

    for (unsigned i = 0; i < NICS_MAX; i++)
        taken[i] = entries[i].dev ? &entries[i].seat : NULL;
    if (!spec->pf[0]) {
        cxemu_seat_choose(spec, taken, NICS_MAX, seat);
        return 0;
    }
    struct entry *pf = find(spec->pf);
    if (!pf || pf->seat.is_vf)
        return fail(e, -ENOENT, "pf=%s: there is no physical function of that name", spec->pf);
    if (spec->wire != CXEMU_WIRE_NONE || spec->vfs || spec->has_model)
        return fail(e, -EINVAL, "pf=%s: a virtual function has no wire=, model= or vfs= of its own",
                    spec->pf);
    int err = cxemu_seat_make_switch(&pf->seat, pf->dev);
    if (err)
        return fail(e, err, "pf=%s: that NIC has no wire, and so no switch; give it one, or vfs=",
                    spec->pf);
    pf->seat.sys_image_guid = pf->dev->sys_image_guid;
    cxemu_seat_choose_vf(&pf->seat, spec->pf, taken, NICS_MAX, seat);
    spec->model = pf->dev->model;
    if (!spec->has_mac)
        spec->mac = cxemu_seat_vf_mac(&pf->dev->mac, seat->vf_number);
    return 0;
}

/* The lowest number that no device has. */
static unsigned free_index(void)
{
    unsigned index = 0;

    for (unsigned i = 0; i < NICS_MAX; i++) {
        if (entries[i].dev && entries[i].dev->index == index) {
            index++;
            i = UINT_MAX; /* from the start again */
        }
    }
    return index;
}

static void show_counters(const struct entry *entry)
{
    static const struct {
        enum cxemu_counter_list list;
        const char *dir;
    } dirs[] = {{CXEMU_LIST_PORT, "counters"}, {CXEMU_LIST_HW, "hw_counters"}};
    struct cxemu_counter_value values[COUNTERS_MAX];

    for (size_t d = 0; d < sizeof(dirs) / sizeof(dirs[0]); d++) {
        size_t n = cxemu_nic_counters(entry->dev->nic, dirs[d].list, values, COUNTERS_MAX);
        for (size_t i = 0; i < n && i < COUNTERS_MAX; i++)
            cxemu_sysfs_counter_put(entry->dev->name, dirs[d].dir, values[i].name, values[i].value);
    }
}

void cxemu_nics_show_counters(const char *name)
{
    if (cxemu_is_detached())
        return;
    pthread_mutex_lock(&lock);
    const struct entry *entry = find(name);
    if (entry)
        show_counters(entry);
    pthread_mutex_unlock(&lock);
}

static int add_to_tree(const struct entry *entry, const struct error *e)
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
        show_counters(entry);
    if (err)
        fail(e, err, "cannot make the private /sys tree in $TMPDIR or /tmp: %s", strerror(-err));
    return err;
}

/* They parsed when the description did. */
static void arm_faults(struct cxemu_nic *nic, const char *text)
{
    char copy[CXEMU_SPEC_FAULT_MAX];
    struct cxemu_fault_spec fault;
    char *rest = copy, *one;

    strcpy(copy, text);
    while (*text && (one = strsep(&rest, "+"))) {
        if (cxemu_fault_parse(one, &fault, NULL, 0) == 0)
            (void)!cxemu_nic_fault_arm(nic, &fault);
    }
}

static int share(const struct entry *entry, const struct error *e)
{
    int err = sharer ? sharer->added(entry->dev, entry->mode) : 0;

    if (err)
        fail(e, err, "cannot make the device's socket: %s", strerror(-err));
    return err;
}

static int add_one(struct cxemu_spec *spec, const struct error *e)
{
    struct entry *entry = NULL;
    struct cxemu_seat seat = {0};
    struct cxemu_dev_attr attr;

    int err = complete(spec, e);
    if (!err)
        err = sit(spec, &seat, e);
    if (err)
        return err;
    for (unsigned i = 0; i < NICS_MAX && !entry; i++)
        if (!entries[i].dev)
            entry = &entries[i];
    if (!entry)
        return fail(e, -ENOSPC, "a process has at most %d NICs", NICS_MAX);
    attr = (struct cxemu_dev_attr){.name = spec->name,
                                   .index = free_index(),
                                   .mac = spec->mac,
                                   .mtu_bytes = spec->mtu_bytes,
                                   .max_qp = spec->max_qp,
                                   .model = spec->model,
                                   .is_vf = seat.is_vf,
                                   .sys_image_guid = seat.sys_image_guid,
                                   .caps_off = spec->caps_off};
    err = make_nic(spec, &seat, &attr.nic, e);
    if (err)
        return err;
    err = cxemu_dev_create(&attr, &entry->dev);
    if (err) {
        cxemu_nic_destroy(attr.nic);
        return err;
    }
    arm_faults(entry->dev->nic, spec->fault);
    snprintf(entry->netdev, sizeof(entry->netdev), "%s", spec->netdev);
    entry->mode = spec->mode;
    entry->seat = seat;
    entry->seat.sys_image_guid = entry->dev->sys_image_guid;
    err = add_to_tree(entry, e);
    if (!err)
        err = share(entry, e);
    if (!err)
        err = start(entry->dev);
    if (err) {
        cxemu_dev_put(entry->dev);
        entry->dev = NULL;
        return err;
    }
    drive_fixed = true;
    atomic_fetch_add(&live, 1);
    return 0;
}

static unsigned unplug_all(struct entry *entry, struct cxemu_dev *gone[NICS_MAX]);

/* vfs=N: functions that are all alike, by the names PFv0, PFv1 .. */
static int add(const char *text, const struct error *e)
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
            struct cxemu_dev *gone[NICS_MAX];
            unsigned count = unplug_all(find(spec.name), gone);
            while (count)
                cxemu_dev_put(gone[--count]);
        }
    }
    return err;
}

int cxemu_nic_add(const char *text, char *err, size_t err_len)
{
    const struct error e = {err, err_len};

    if (err && err_len)
        err[0] = 0;
    pthread_mutex_lock(&lock);
    int rc = add(text, &e);
    pthread_mutex_unlock(&lock);
    if (rc && err && err_len && !err[0])
        fail(&e, rc, "%s", strerror(-rc));
    return rc;
}

int cxemu_nic_check(const char *text, char *err, size_t err_len)
{
    struct cxemu_spec spec;

    int rc = cxemu_spec_parse(text, &spec, err, err_len);
    return rc ? rc : cxemu_wires_check(&spec, err, err_len);
}

/* Out of the list, the tree and the driver's hands; contexts keep it. Lock held. */
static struct cxemu_dev *unplug(struct entry *entry)
{
    struct cxemu_dev *dev = entry->dev;
    struct cxemu_sysfs_dev sysfs;

    describe(entry, &sysfs);
    cxemu_sysfs_remove(&sysfs);
    if (sharer)
        sharer->removed(dev);
    entry->dev = NULL;
    stop(dev);
    cxemu_dev_remove(dev);
    atomic_fetch_sub(&live, 1);
    return dev;
}

/* Virtual functions go before their physical one. Returns how many are in gone. Lock held. */
static unsigned unplug_all(struct entry *entry, struct cxemu_dev *gone[NICS_MAX])
{
    unsigned count = 0;

    for (unsigned i = 0; i < NICS_MAX; i++)
        if (entries[i].dev && entries[i].seat.is_vf &&
            strcmp(entries[i].seat.pf, entry->dev->name) == 0)
            gone[count++] = unplug(&entries[i]);
    gone[count++] = unplug(entry);
    return count;
}

int cxemu_nic_remove(const char *name)
{
    struct cxemu_dev *gone[NICS_MAX];
    unsigned count = 0;

    pthread_mutex_lock(&lock);
    struct entry *entry = find(name);
    if (entry)
        count = unplug_all(entry, gone);
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < count; i++)
        cxemu_dev_put(gone[i]);
    return count ? 0 : -ENOENT;
}

int cxemu_vf_set(const char *name, const char *text, char *err, size_t err_len)
{
    const struct error e = {err, err_len};
    struct cxemu_vport_attr attr;
    struct cxemu_spec spec;
    int rc = 0;

    if (err && err_len)
        err[0] = 0;
    pthread_mutex_lock(&lock);
    const struct entry *entry = find(name);
    if (!entry)
        rc = fail(&e, -ENOENT, "there is no NIC '%s'", name);
    else if (!entry->seat.is_vf)
        rc = fail(&e, -EINVAL, "'%s' is no virtual function", name);
    if (!rc) {
        cxemu_vport_get(entry->seat.end, &attr);
        rc = cxemu_spec_parse_vport(text, &spec, &attr, err, err_len);
    }
    if (!rc)
        cxemu_vport_set(entry->seat.end, &attr);
    pthread_mutex_unlock(&lock);
    return rc;
}

void cxemu_nics_reap(void)
{
    struct cxemu_dev *gone[NICS_MAX];
    unsigned count = 0;

    if (!atomic_load_explicit(&has_removed, memory_order_relaxed))
        return;
    pthread_mutex_lock(&lock);
    atomic_store(&has_removed, false);
    for (unsigned i = 0; i < NICS_MAX; i++) {
        if (entries[i].dev && atomic_load(&entries[i].dev->removed))
            gone[count++] = unplug(&entries[i]);
    }
    pthread_mutex_unlock(&lock);
    while (count)
        cxemu_dev_put(gone[--count]);
}

int cxemu_drive_set(enum cxemu_drive wanted)
{
    int err = 0;

    pthread_mutex_lock(&lock);
    if (drive_fixed && wanted != drive)
        err = -EBUSY;
    else if (wanted != CXEMU_DRIVE_THREAD && wanted != CXEMU_DRIVE_PUMP)
        err = -EINVAL;
    else
        drive = wanted;
    pthread_mutex_unlock(&lock);
    return err;
}

int cxemu_pump(unsigned budget)
{
    struct cxemu_dev *devs[NICS_MAX];
    unsigned count = 0;
    int moved = 0;

    if (drive != CXEMU_DRIVE_PUMP)
        return -EBUSY;
    if (cxemu_is_detached())
        return 0;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < NICS_MAX; i++)
        if (entries[i].dev)
            devs[count++] = cxemu_dev_get(entries[i].dev);
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < count; i++) {
        moved += cxemu_nic_pump(devs[i]->nic, budget);
        cxemu_dev_put(devs[i]);
    }
    cxemu_nics_reap();
    return moved;
}

uint64_t cxemu_counter(const char *nic, const char *name)
{
    uint64_t value = 0;

    pthread_mutex_lock(&lock);
    const struct entry *entry = find(nic);
    if (entry)
        value = cxemu_nic_counter(entry->dev->nic, name);
    pthread_mutex_unlock(&lock);
    return value;
}

int cxemu_link_set(const char *nic, bool up)
{
    pthread_mutex_lock(&lock);
    const struct entry *entry = find(nic);
    if (entry) {
        cxemu_nic_link_set(entry->dev->nic, up);
        cxemu_sysfs_link_set(nic, cxemu_nic_link_is_up(entry->dev->nic));
    }
    pthread_mutex_unlock(&lock);
    return entry ? 0 : -ENOENT;
}

struct change {
    const char *text;
    char *err;
    size_t err_len;
};

static int change_wire(void *cookie, struct cxemu_wire **wire, const struct cxemu_clock *clock)
{
    const struct change *change = cookie;

    return cxemu_wire_impair_text(wire, clock, change->text, change->err, change->err_len);
}

int cxemu_set(const char *nic, const char *text, char *err, size_t err_len)
{
    const struct error e = {err, err_len};
    struct change change = {text, err, err_len};
    int rc = -ENOENT;

    if (err && err_len)
        err[0] = 0;
    pthread_mutex_lock(&lock);
    const struct entry *entry = find(nic);
    if (entry)
        rc = cxemu_nic_wire_change(entry->dev->nic, change_wire, &change);
    pthread_mutex_unlock(&lock);
    if (rc == -ENOENT)
        fail(&e, rc, "there is no NIC %s", nic);
    else if (rc == -ENODEV)
        fail(&e, rc, "%s has no wire", nic);
    else if (rc && err && err_len && !err[0])
        fail(&e, rc, "%s", strerror(-rc));
    return rc;
}

struct cxemu_dev *cxemu_nics_find(const char *name)
{
    cxemu_nics_reap();
    pthread_mutex_lock(&lock);
    const struct entry *entry = find(name);
    struct cxemu_dev *dev = entry ? cxemu_dev_get(entry->dev) : NULL;
    pthread_mutex_unlock(&lock);
    return dev;
}

uint64_t cxemu_object_count(const char *nic, const char *kind)
{
    static const char *const kinds[CXEMU_KINDS] = {
        [CXEMU_KIND_PD] = "pd",
        [CXEMU_KIND_MR] = "mr",
        [CXEMU_KIND_CQ] = "cq",
        [CXEMU_KIND_QP] = "qp",
        [CXEMU_KIND_FLOW] = "flow",
        [CXEMU_KIND_UAR] = "uar",
        [CXEMU_KIND_PP] = "pp",
        [CXEMU_KIND_COUNTERS] = "counters",
        [CXEMU_KIND_MATCHER] = "matcher",
        [CXEMU_KIND_WQ] = "wq",
        [CXEMU_KIND_RWQ_TABLE] = "rwq_table",
        [CXEMU_KIND_CONTEXT] = "context",
    };
    uint64_t count = 0;

    pthread_mutex_lock(&lock);
    const struct entry *entry = find(nic);
    for (unsigned i = 0; entry && i < CXEMU_KINDS; i++)
        if (strcmp(kinds[i], kind) == 0)
            count = atomic_load(&entry->dev->live[i]);
    pthread_mutex_unlock(&lock);
    return count;
}

/* --- fork --------------------------------------------------------------------------------- */

void cxemu_nics_on_tend(void (*hook)(void))
{
    atomic_store(&tend_hook, hook);
}

void cxemu_nics_on_tend_shared(void (*hook)(void))
{
    atomic_store(&tend_shared_hook, hook);
}

void cxemu_nics_share(const struct cxemu_nics_sharer *with)
{
    pthread_mutex_lock(&lock);
    sharer = with;
    pthread_mutex_unlock(&lock);
}

bool cxemu_nics_are_driven(void)
{
    return drive == CXEMU_DRIVE_THREAD;
}

int cxemu_nics_tree_at(const char *dir)
{
    pthread_mutex_lock(&lock);
    int err = has_tree ? -EBUSY : cxemu_sysfs_create_at(dir);
    has_tree |= !err;
    pthread_mutex_unlock(&lock);
    return err;
}

void cxemu_nics_remove_all(void)
{
    char name[CXEMU_NAME_MAX];

    for (unsigned i = 0; i < NICS_MAX; i++) {
        pthread_mutex_lock(&lock);
        bool there = entries[i].dev;
        if (there)
            snprintf(name, sizeof(name), "%s", entries[i].dev->name);
        pthread_mutex_unlock(&lock);
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

void cxemu_nics_fork_lock(void)
{
    pthread_mutex_lock(&lock);
}

void cxemu_nics_fork_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void cxemu_nics_tree_remove(void)
{
    pthread_mutex_lock(&lock);
    if (has_tree)
        cxemu_sysfs_destroy();
    has_tree = false;
    pthread_mutex_unlock(&lock);
}

/* --- exit --------------------------------------------------------------------------------- */

void cxemu_nics_stop(void)
{
    pthread_mutex_lock(&lock);
    if (driver)
        cxemu_driver_destroy(driver);
    driver = NULL;
    drive_fixed = true;
    pthread_mutex_unlock(&lock);
}

void cxemu_nics_clear(void)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < NICS_MAX; i++) {
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
    pthread_mutex_unlock(&lock);
}
