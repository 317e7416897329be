/* SPDX-License-Identifier: BSD-2-Clause */
/* See nics_make.h. */
#define _GNU_SOURCE
#include "cxemu/host/nics_make.h"

#include "cxemu/core/fault.h"
#include "cxemu/host/raw.h"
#include "cxemu/host/tap.h"
#include "cxemu/host/wires.h"
#include <errno.h>
#include <string.h>

static int make_netdev(const struct cxemu_spec *spec, const struct cxemu_error_text *e)
{
    if (!spec->netdev[0])
        return -1; /* as nic.h says: none */
    int fd = cxemu_tap_open(spec->netdev, &spec->mac, spec->mtu_bytes);
    if (fd == -EPERM)
        return cxemu_error_say(e, fd, "netdev=%s: making a tap needs CAP_NET_ADMIN; run as root",
                               spec->netdev);
    if (fd == -EBUSY)
        return cxemu_error_say(e, fd, "netdev=%s: an interface of that name exists and is in use",
                               spec->netdev);
    if (fd == -ENOENT || fd == -ENODEV)
        return cxemu_error_say(e, fd, "netdev=%s: there is no /dev/net/tun; load the tun module",
                               spec->netdev);
    if (fd < 0)
        return cxemu_error_say(e, fd, "netdev=%s: cannot make the tap: %s", spec->netdev,
                               strerror(-fd));
    return fd;
}

/* What the NIC's port is plugged into: its own wire, a switch before it, or a switch's port. */
static int make_port(const struct cxemu_spec *spec, struct cxemu_seat *seat,
                     struct cxemu_nic_attr *attr, const struct cxemu_error_text *e)
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

int cxemu_nics_make(const struct cxemu_spec *spec, struct cxemu_seat *seat, struct cxemu_nic **out,
                    const struct cxemu_error_text *e)
{
    const uint32_t caps = spec->model->caps & ~spec->caps_off;
    struct cxemu_nic_attr attr = {.mac = spec->mac,
                                  .mtu_bytes = spec->mtu_bytes,
                                  .no_stamps = !cxemu_caps_have(caps, CXEMU_CAP_TIMESTAMP),
                                  .no_csum = !cxemu_caps_have(caps, CXEMU_CAP_CSUM),
                                  .clock_khz = spec->model->clock_khz,
                                  .rx_wait_ns = spec->rx_wait_ns};

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

void cxemu_nics_arm(struct cxemu_nic *nic, const char *text)
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
