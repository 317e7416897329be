/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in the tree of sysfs.h; the tree itself: sysfs_tree.h. Which files matter: libibverbs
 * init.c and cmd_device.c, ibdev_nl.c of rdma-core, and the fixed paths that other clients read;
 * contents as Documentation/ABI/stable/ sysfs-class-infiniband of the kernel describes them.
 */
#define _GNU_SOURCE
#include "cxemu/host/sysfs.h"

#include "cxemu/host/cards.h"
#include "cxemu/host/raw.h"
#include "cxemu/host/sysfs_tree.h"
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCI_DEVICES "/sys/bus/pci/devices/"

static bool is_below(const char *path, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(path, prefix, n) == 0 && (path[n] == 0 || path[n] == '/');
}

/* --- devices ------------------------------------------------------------------------------ */

static void put_state(const char *name, bool up)
{
    char path[PATH_MAX / 2];

    snprintf(path, sizeof(path), "class/infiniband/%s/ports/1/state", name);
    (void)cxemu_sysfs_put_file(path, "%s\n", up ? "4: ACTIVE" : "1: DOWN");
    snprintf(path, sizeof(path), "class/infiniband/%s/ports/1/phys_state", name);
    (void)cxemu_sysfs_put_file(path, "%s\n", up ? "5: LinkUp" : "3: Disabled");
}

/* Puts one file of a directory; remembers the first failure. */
struct filler {
    char dir[PATH_MAX / 4];
    int err;
};

__attribute__((format(printf, 3, 4))) static void fill(struct filler *f, const char *name,
                                                       const char *fmt, ...)
{
    char path[PATH_MAX / 2], text[200];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    if (!f->err)
        f->err = cxemu_sysfs_put_file(path, "%s\n", text);
}

static const char *guid_text(uint64_t g, char text[32])
{
    snprintf(text, 32, "%04x:%04x:%04x:%04x", (unsigned)(g >> 48) & 0xffff,
             (unsigned)(g >> 32) & 0xffff, (unsigned)(g >> 16) & 0xffff, (unsigned)g & 0xffff);
    return text;
}

static int fill_ibdev(const struct cxemu_sysfs_dev *dev)
{
    struct filler f = {.err = cxemu_sysfs_make_dir("class/infiniband/%s", dev->name)};
    char guid[32];

    snprintf(f.dir, sizeof(f.dir), "class/infiniband/%s", dev->name);
    fill(&f, "node_type", "1: CA");
    fill(&f, "node_guid", "%s", guid_text(dev->guid, guid));
    fill(&f, "sys_image_guid", "%s", guid_text(dev->sys_image_guid, guid));
    fill(&f, "node_desc", "cxemu %s", dev->name);
    fill(&f, "fw_ver", "%u.%u.%04u", dev->model->fw_major, dev->model->fw_minor,
         dev->model->fw_sub);
    fill(&f, "board_id", "%s", dev->model->board_id);
    fill(&f, "hca_type", "MT%u", dev->part_id);
    fill(&f, "hw_rev", "0");
    if (!f.err)
        f.err = cxemu_sysfs_make_dir("%s/ports", f.dir);
    if (!f.err)
        f.err = cxemu_sysfs_make_dir("%s/ports/1", f.dir);
    /* RoCE is off: no GIDs. */
    static const char *const dirs[] = {"gids",  "gid_attrs", "gid_attrs/ndevs", "gid_attrs/types",
                                       "pkeys", "counters",  "hw_counters"};
    for (size_t i = 0; !f.err && i < sizeof(dirs) / sizeof(dirs[0]); i++)
        f.err = cxemu_sysfs_make_dir("%s/ports/1/%s", f.dir, dirs[i]);
    fill(&f, "ports/1/pkeys/0", "0xffff");
    fill(&f, "ports/1/link_layer", "Ethernet");
    fill(&f, "ports/1/rate", "%s", dev->model->rate);
    fill(&f, "ports/1/lid", "0x0");
    fill(&f, "ports/1/lid_mask_count", "0");
    fill(&f, "ports/1/sm_lid", "0x0");
    fill(&f, "ports/1/sm_sl", "0");
    fill(&f, "ports/1/cap_mask", "0x00000000");
    put_state(dev->name, dev->up);
    return f.err;
}

static int fill_net(const struct cxemu_sysfs_dev *dev, const char *pci_dir)
{
    struct filler f = {.err = 0};

    if (!dev->netdev[0])
        return 0;
    snprintf(f.dir, sizeof(f.dir), "%s/net/%s", pci_dir, dev->netdev);
    f.err = cxemu_sysfs_make_dir("%s/net", pci_dir);
    if (!f.err)
        f.err = cxemu_sysfs_make_dir("%s", f.dir);
    fill(&f, "ifindex", "%u", if_nametoindex(dev->netdev));
    fill(&f, "dev_port", "0");
    fill(&f, "dev_id", "0x0");
    fill(&f, "type", "1");
    return f.err;
}

/* A file of the machine's own, for what a NIC shares with its node; otherwise: when it is absent.
 */
static const char *of_machine(const char *path, const char *otherwise, char *buf, size_t len)
{
    int fd = raw_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    ssize_t n = fd >= 0 ? raw_read(fd, buf, len - 1) : 0;

    if (fd >= 0)
        raw_close(fd);
    buf[n > 0 ? n : 0] = 0;
    buf[strcspn(buf, "\n")] = 0;
    return buf[0] ? buf : otherwise;
}

/* What lspci, ethtool -i, hwloc and drivers in user space read of a PCI device
 * (Documentation/ABI/testing/sysfs-bus-pci). BAR 0 is where a ConnectX has its registers. */
static void fill_pci_files(struct filler *f, const struct cxemu_sysfs_dev *dev, const char *slot)
{
    const unsigned long long bar = 0x380000000000ull + 0x2000000ull * dev->index;
    char text[128];

    fill(f, "modalias", "pci:v000015B3d0000%04Xsv000015B3sd00000008bc02sc00i00", dev->part_id);
    fill(f, "uevent",
         "DRIVER=mlx5_core\nPCI_CLASS=20000\nPCI_ID=15B3:%04X\nPCI_SUBSYS_ID=15B3:0008\n"
         "PCI_SLOT_NAME=%s",
         dev->part_id, slot);
    fill(f, "vendor", "0x15b3");
    fill(f, "device", "0x%04x", dev->part_id);
    fill(f, "subsystem_vendor", "0x15b3");
    fill(f, "subsystem_device", "0x0008");
    fill(f, "class", "0x020000");
    fill(f, "revision", "0x00");
    fill(f, "numa_node", "-1");
    fill(f, "local_cpus", "%s",
         of_machine("/sys/devices/system/node/node0/cpumap", "1", text, sizeof(text)));
    fill(f, "local_cpulist", "%s",
         of_machine("/sys/devices/system/cpu/online", "0", text, sizeof(text)));
    fill(f, "resource", "0x%016llx 0x%016llx 0x000000000014220c", bar, bar + 0x1ffffff);
    if (!dev->seat->is_vf) {
        fill(f, "max_link_speed", "16.0 GT/s PCIe");
        fill(f, "current_link_speed", "16.0 GT/s PCIe");
        fill(f, "max_link_width", "16");
        fill(f, "current_link_width", "16");
        fill(f, "sriov_totalvfs", "16");
        fill(f, "sriov_numvfs", "0");
    }
}

/* A directory in a PCI function's, named as the class and the device in it. */
static int put_child(const char *dir, const char *class_name, const char *name)
{
    int err = cxemu_sysfs_make_dir("%s/%s", dir, class_name);
    return err ? err : cxemu_sysfs_make_dir("%s/%s/%s", dir, class_name, name);
}

static int fill_pci(const struct cxemu_sysfs_dev *dev)
{
    char slot[CXEMU_SLOT_MAX], link[PATH_MAX / 4], target[64], node[32];
    struct filler f;

    cxemu_seat_slot(dev->seat, slot);
    snprintf(node, sizeof(node), "uverbs%u", dev->index);
    snprintf(f.dir, sizeof(f.dir), "devices/%s", slot);
    f.err = cxemu_sysfs_make_dir("%s", f.dir);
    fill_pci_files(&f, dev, slot);
    if (!f.err)
        f.err = fill_net(dev, f.dir);
    if (!f.err)
        f.err = put_child(f.dir, "infiniband", dev->name);
    if (!f.err)
        f.err = put_child(f.dir, "infiniband_verbs", node);
    snprintf(target, sizeof(target), "../../../devices/%s", slot);
    snprintf(link, sizeof(link), "class/infiniband/%s/device", dev->name);
    if (!f.err)
        f.err = cxemu_sysfs_put_link(link, target);
    snprintf(link, sizeof(link), "class/infiniband_verbs/%s/device", node);
    if (!f.err)
        f.err = cxemu_sysfs_put_link(link, target);
    snprintf(link, sizeof(link), "%s/driver", f.dir);
    return f.err ? f.err : cxemu_sysfs_put_link(link, "../../bus/pci/drivers/mlx5_core");
}

/* --- virtual functions -------------------------------------------------------------------- */

static void count_vfs(const char *pf_slot, int delta)
{
    char full[PATH_MAX], path[PATH_MAX / 4], text[16];

    snprintf(path, sizeof(path), "devices/%s/sriov_numvfs", pf_slot);
    snprintf(full, sizeof(full), "%s/%s", cxemu_sysfs_root(), path);
    const int n = (int)strtol(of_machine(full, "0", text, sizeof(text)), NULL, 10);
    (void)cxemu_sysfs_put_file(path, "%d\n", n + delta);
}

/* physfn of the one and virtfnN of the other show at each other. */
static int join_pf(const struct cxemu_sysfs_dev *dev)
{
    char slot[CXEMU_SLOT_MAX], pf_slot[CXEMU_SLOT_MAX], link[PATH_MAX / 4], target[64];

    if (!dev->seat->is_vf)
        return 0;
    cxemu_seat_slot(dev->seat, slot);
    cxemu_seat_slot(dev->pf, pf_slot);
    snprintf(link, sizeof(link), "devices/%s/physfn", slot);
    snprintf(target, sizeof(target), "../%s", pf_slot);
    int err = cxemu_sysfs_put_link(link, target);
    snprintf(link, sizeof(link), "devices/%s/virtfn%u", pf_slot, dev->seat->vf_number);
    snprintf(target, sizeof(target), "../%s", slot);
    if (!err)
        err = cxemu_sysfs_put_link(link, target);
    count_vfs(pf_slot, 1);
    return err;
}

static void part_from_pf(const struct cxemu_sysfs_dev *dev)
{
    char pf_slot[CXEMU_SLOT_MAX], full[PATH_MAX];

    if (!dev->seat->is_vf || !dev->pf)
        return;
    cxemu_seat_slot(dev->pf, pf_slot);
    snprintf(full, sizeof(full), "%s/devices/%s/virtfn%u", cxemu_sysfs_root(), pf_slot,
             dev->seat->vf_number);
    syscall(SYS_unlinkat, AT_FDCWD, full, 0);
    count_vfs(pf_slot, -1);
}

/* --- counters ----------------------------------------------------------------------------- */

/* Whole at once: who has the file open reads the old value to its end. */
void cxemu_sysfs_counter_put(const char *name, const char *dir, const char *counter, uint64_t value)
{
    char path[PATH_MAX / 2], from[PATH_MAX], to[PATH_MAX];

    if (!cxemu_sysfs_root()[0])
        return;
    snprintf(path, sizeof(path), "class/infiniband/%s/ports/1/.new", name);
    if (cxemu_sysfs_put_file(path, "%llu\n", (unsigned long long)value))
        return;
    snprintf(from, sizeof(from), "%s/%s", cxemu_sysfs_root(), path);
    snprintf(to, sizeof(to), "%s/class/infiniband/%s/ports/1/%s/%s", cxemu_sysfs_root(), name, dir,
             counter);
    syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

bool cxemu_sysfs_is_counter(const char *path, char name[CXEMU_NAME_MAX])
{
    static const char prefix[] = "/sys/class/infiniband/";
    const char *rest, *end;

    if (!path || strncmp(path, prefix, sizeof(prefix) - 1) != 0)
        return false;
    rest = path + sizeof(prefix) - 1;
    end = strchr(rest, '/');
    if (!end || end - rest >= CXEMU_NAME_MAX || strncmp(end, "/ports/1/", 9) != 0)
        return false;
    if (!is_below(end + 9, "counters") && !is_below(end + 9, "hw_counters"))
        return false;
    memcpy(name, rest, (size_t)(end - rest));
    name[end - rest] = 0;
    return true;
}

/* --- adding ------------------------------------------------------------------------------- */

/* The node's permissions are those of the file that stands for it. */
static int set_mode(const struct cxemu_sysfs_dev *dev)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/dev/infiniband/uverbs%u", cxemu_sysfs_root(), dev->index);
    return syscall(SYS_fchmodat, AT_FDCWD, path, dev->mode) ? -errno : 0;
}

int cxemu_sysfs_add(const struct cxemu_sysfs_dev *dev)
{
    struct filler f = {.err = fill_ibdev(dev)};

    snprintf(f.dir, sizeof(f.dir), "class/infiniband_verbs/uverbs%u", dev->index);
    if (!f.err)
        f.err = cxemu_sysfs_make_dir("%s", f.dir);
    if (!f.err)
        f.err = fill_pci(dev);
    if (!f.err)
        f.err = join_pf(dev);
    fill(&f, "ibdev", "%s", dev->name);
    fill(&f, "abi_version", "1");
    fill(&f, "dev", "%d:%u", CXEMU_UVERBS_MAJOR, CXEMU_UVERBS_BASE_MINOR + dev->index);
    snprintf(f.dir, sizeof(f.dir), "dev/infiniband");
    char node[32];
    snprintf(node, sizeof(node), "uverbs%u", dev->index);
    fill(&f, node, "stands for a character device");
    if (!f.err)
        f.err = set_mode(dev);
    if (f.err)
        cxemu_sysfs_remove(dev);
    return f.err;
}

void cxemu_sysfs_remove(const struct cxemu_sysfs_dev *dev)
{
    char path[PATH_MAX], slot[CXEMU_SLOT_MAX];

    if (!cxemu_sysfs_root()[0])
        return;
    snprintf(path, sizeof(path), "%s/class/infiniband_verbs/uverbs%u", cxemu_sysfs_root(),
             dev->index);
    cxemu_sysfs_remove_tree(path);
    snprintf(path, sizeof(path), "%s/class/infiniband/%s", cxemu_sysfs_root(), dev->name);
    cxemu_sysfs_remove_tree(path);
    part_from_pf(dev);
    snprintf(path, sizeof(path), "%s/devices/%s", cxemu_sysfs_root(),
             cxemu_seat_slot(dev->seat, slot));
    cxemu_sysfs_remove_tree(path);
    snprintf(path, sizeof(path), "%s/dev/infiniband/uverbs%u", cxemu_sysfs_root(), dev->index);
    cxemu_sysfs_remove_tree(path);
}

void cxemu_sysfs_link_set(const char *name, bool up)
{
    if (cxemu_sysfs_root()[0])
        put_state(name, up);
}

/* --- paths -------------------------------------------------------------------------------- */

/* A PCI function that is ours. The listing of all functions stays the machine's. */
static bool is_slot(const char *path)
{
    char full[PATH_MAX], slot[CXEMU_SLOT_MAX];
    struct stat st;

    if (!cxemu_sysfs_root()[0] || strncmp(path, PCI_DEVICES, sizeof(PCI_DEVICES) - 1) != 0)
        return false;
    path += sizeof(PCI_DEVICES) - 1;
    const size_t n = strcspn(path, "/");
    if (n == 0 || n >= sizeof(slot) || path[0] == '.')
        return false;
    memcpy(slot, path, n);
    slot[n] = 0;
    snprintf(full, sizeof(full), "%s/devices/%s", cxemu_sysfs_root(), slot);
    return raw_fstatat(AT_FDCWD, full, &st, 0) == 0;
}

bool cxemu_sysfs_covers(const char *path)
{
    return path && path[0] == '/' &&
           (is_below(path, "/sys/class/infiniband") || is_slot(path) ||
            is_below(path, "/sys/class/infiniband_verbs") || is_below(path, "/dev/infiniband"));
}

const char *cxemu_sysfs_map(const char *path, char buf[PATH_MAX])
{
    if (!cxemu_sysfs_root()[0] || !cxemu_sysfs_covers(path))
        return NULL;
    if (is_slot(path))
        path += sizeof(PCI_DEVICES) - sizeof("/devices/"); /* from "/devices/" on */
    else if (strncmp(path, "/sys", 4) == 0)
        path += 4;
    return snprintf(buf, PATH_MAX, "%s%s", cxemu_sysfs_root(), path) < PATH_MAX ? buf : NULL;
}

int cxemu_sysfs_device_of(const char *path)
{
    static const char prefix[] = "/dev/infiniband/uverbs";
    char *end;

    if (!path || strncmp(path, prefix, sizeof(prefix) - 1) != 0)
        return -1;
    const char *digits = path + sizeof(prefix) - 1;
    if (*digits < '0' || *digits > '9')
        return -1;
    unsigned long n = strtoul(digits, &end, 10);
    return *end || n > 255 ? -1 : (int)n;
}
