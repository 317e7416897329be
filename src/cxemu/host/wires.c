/* SPDX-License-Identifier: BSD-2-Clause */
/* See wires.h. */
#include "cxemu/host/wires.h"

#include "cxemu/host/error_text.h"
#include "cxemu/host/tap.h"
#include "cxemu/wires/wire_impair.h"
#include "cxemu/wires/wire_mem.h"
#include "cxemu/wires/wire_packet.h"
#include "cxemu/wires/wire_pcap.h"
#include "cxemu/wires/wire_record.h"
#include "cxemu/wires/wire_shm.h"
#include "cxemu/wires/wire_tap.h"
#include "cxemu/wires/wire_xdp.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The second end of a memory wire, until its NIC comes. */
struct loose_end {
    struct loose_end *next;
    char name[CXEMU_SPEC_NAME_MAX];
    struct cxemu_wire *wire; /* NULL: both ends are taken */
};

static struct loose_end *loose_ends;

static int take_mem_end(const char *name, struct cxemu_wire **out, const struct cxemu_error_text *e)
{
    for (struct loose_end *end = loose_ends; end; end = end->next) {
        if (strcmp(end->name, name) != 0)
            continue;
        if (!end->wire)
            return cxemu_error_say(e, -EBUSY,
                                   "wire=mem:%s: both ends of this wire have a NIC already", name);
        *out = end->wire;
        end->wire = NULL;
        return 0;
    }
    struct loose_end *end = calloc(1, sizeof(*end));
    if (!end)
        return -ENOMEM;
    int err = cxemu_wire_mem_create(out, &end->wire);
    if (err) {
        free(end);
        return err;
    }
    snprintf(end->name, sizeof(end->name), "%s", name);
    end->next = loose_ends;
    loose_ends = end;
    return 0;
}

static int open_packet(const char *ifname, struct cxemu_wire **out,
                       const struct cxemu_error_text *e)
{
    int err = cxemu_wire_packet_create(ifname, out);

    if (err == -ENODEV)
        return cxemu_error_say(
            e, err, "wire=packet:%s: no such interface in this network namespace", ifname);
    if (err == -EPERM)
        return cxemu_error_say(e, err, "wire=packet:%s: needs CAP_NET_RAW; run as root", ifname);
    return err;
}

static int open_shm(const struct cxemu_spec *spec, const struct cxemu_clock *clock,
                    struct cxemu_wire **out, const struct cxemu_error_text *e)
{
    const struct cxemu_wire_shm_attr attr = {
        .name = spec->wire_name, .ports = spec->shm_ports, .mode = spec->shm_mode, .clock = *clock};
    const char *name = spec->wire_name;
    int err = cxemu_wire_shm_create(&attr, out);

    switch (err) {
    case -ENOSPC:
        return cxemu_error_say(
            e, err,
            "wire=shm:%s: all ports of this switch are taken; make it with more: "
            "shm_ports=",
            name);
    case -EACCES:
        return cxemu_error_say(
            e, err,
            "wire=shm:%s: /dev/shm/cxemu.%s is another user's; have it made with "
            "shm_mode=",
            name, name);
    case -EINVAL:
        return cxemu_error_say(
            e, err, "wire=shm:%s: /dev/shm/cxemu.%s is not a switch of this version", name, name);
    case -ETIMEDOUT:
        return cxemu_error_say(
            e, err, "wire=shm:%s: a process that is joining this switch does not go on", name);
    case -ENOMEM:
        return cxemu_error_say(e, err, "wire=shm:%s: there is no room in /dev/shm", name);
    default:
        return err;
    }
}

static int open_tap(const struct cxemu_spec *spec, struct cxemu_wire **out,
                    const struct cxemu_error_text *e)
{
    const char *name = spec->wire_name;
    int fd = cxemu_tap_open(name, NULL, spec->mtu_bytes);

    if (fd == -EPERM)
        return cxemu_error_say(e, fd, "wire=tap:%s: making a tap needs CAP_NET_ADMIN; run as root",
                               name);
    if (fd == -EBUSY || fd == -EINVAL)
        return cxemu_error_say(
            e, fd,
            "wire=tap:%s: an interface of that name exists and is in use, or is no "
            "tap",
            name);
    if (fd == -ENOENT || fd == -ENODEV)
        return cxemu_error_say(e, fd, "wire=tap:%s: there is no /dev/net/tun; load the tun module",
                               name);
    return fd < 0 ? fd : cxemu_wire_tap_create(fd, out);
}

static int open_xdp(const struct cxemu_spec *spec, struct cxemu_wire **out,
                    const struct cxemu_error_text *e)
{
    const char *name = spec->wire_name;
    int err;

    if (spec->mtu_bytes > CXEMU_XDP_FRAME_MAX - CXEMU_L2_MAX)
        return cxemu_error_say(e, -EINVAL,
                               "wire=xdp:%s: carries an mtu= of at most %d; use wire=packet:", name,
                               CXEMU_XDP_FRAME_MAX - CXEMU_L2_MAX);
    err = cxemu_wire_xdp_create(name, out);
    switch (err) {
    case 0:
        return 0;
    case -ENODEV:
        return cxemu_error_say(e, err, "wire=xdp:%s: no such interface in this network namespace",
                               name);
    case -EPERM:
    case -EACCES:
        return cxemu_error_say(
            e, err, "wire=xdp:%s: needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF; run as root", name);
    case -EBUSY:
        return cxemu_error_say(
            e, err, "wire=xdp:%s: there is an XDP program or socket on it already", name);
    case -EAFNOSUPPORT:
    case -EOPNOTSUPP:
    case -ENOSYS:
        return cxemu_error_say(
            e, err, "wire=xdp:%s: this kernel or interface has no AF_XDP; use wire=packet:", name);
    default:
        return cxemu_error_say(e, err, "wire=xdp:%s: %s", name, strerror(-err));
    }
}

static int open_pcap(const struct cxemu_spec *spec, const struct cxemu_clock *clock,
                     struct cxemu_wire **out, const struct cxemu_error_text *e)
{
    const struct cxemu_wire_pcap_attr attr = {.path = spec->wire_name,
                                              .speed_percent = spec->replay_percent,
                                              .loops = spec->replay_loops,
                                              .wait_ns = spec->replay_wait_ns,
                                              .clock = *clock};
    char why[256] = "";
    int err = cxemu_wire_pcap_create(&attr, out, why, sizeof(why));

    return err ? cxemu_error_say(e, err, "wire=pcap:%s: %s", spec->wire_name, why) : 0;
}

static int record(const struct cxemu_spec *spec, const struct cxemu_clock *clock,
                  struct cxemu_wire **wire, const struct cxemu_error_text *e)
{
    int err = cxemu_wire_record_create(*wire, clock, spec->record, wire);

    return err ? cxemu_error_say(e, err, "record=%s: %s", spec->record, strerror(-err)) : 0;
}

static int open_wire(const struct cxemu_spec *spec, const struct cxemu_clock *clock,
                     struct cxemu_wire **out, const struct cxemu_error_text *e)
{
    switch (spec->wire) {
    case CXEMU_WIRE_MEM:
        return take_mem_end(spec->wire_name, out, e);
    case CXEMU_WIRE_PACKET:
        return open_packet(spec->wire_name, out, e);
    case CXEMU_WIRE_SHM:
        return open_shm(spec, clock, out, e);
    case CXEMU_WIRE_TAP:
        return open_tap(spec, out, e);
    case CXEMU_WIRE_XDP:
        return open_xdp(spec, out, e);
    case CXEMU_WIRE_PCAP:
        return open_pcap(spec, clock, out, e);
    case CXEMU_WIRE_NONE:
        break;
    }
    return 0;
}

int cxemu_wires_make(const struct cxemu_spec *spec, const struct cxemu_clock *clock,
                     struct cxemu_wire **out, char *err, size_t err_len)
{
    const struct cxemu_error_text e = {err, err_len};
    struct cxemu_wire *wire = NULL;
    int rc = open_wire(spec, clock, &wire, &e);

    if (!rc && wire && spec->record[0])
        rc = record(spec, clock, &wire, &e);
    if (!rc && wire && !cxemu_impair_config_is_empty(&spec->impair))
        rc = cxemu_wire_impair_create(wire, clock, &spec->impair, &wire);
    if (rc && wire)
        wire->ops->destroy(wire);
    else
        *out = wire;
    return rc;
}

int cxemu_wires_check(const struct cxemu_spec *spec, char *err, size_t err_len)
{
    const struct cxemu_error_text e = {err, err_len};

    if (spec->wire == CXEMU_WIRE_PACKET && !if_nametoindex(spec->wire_name))
        return cxemu_error_say(&e, -ENODEV,
                               "wire=packet:%s: no such interface in this network namespace",
                               spec->wire_name);
    if (spec->wire == CXEMU_WIRE_PCAP && access(spec->wire_name, R_OK) < 0)
        return cxemu_error_say(&e, -errno, "wire=pcap:%s: %s", spec->wire_name, strerror(errno));
    return 0;
}

void cxemu_wires_clear(void)
{
    while (loose_ends) {
        struct loose_end *end = loose_ends;
        loose_ends = end->next;
        if (end->wire)
            end->wire->ops->destroy(end->wire);
        free(end);
    }
}
