/* SPDX-License-Identifier: BSD-2-Clause */
/* The parser of NIC descriptions, "key=value,key=value": rawstack/cxemu.h and cxemu(1) define them.
 */
#ifndef CXEMU_HOST_SPEC_H
#define CXEMU_HOST_SPEC_H

#include "cxemu/uverbs/model.h"
#include "cxemu/wires/eswitch.h"
#include "cxemu/wires/impair_config.h"
#include <net/if.h>
#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CXEMU_SPEC_NAME_MAX  64
#define CXEMU_SPEC_FAULT_MAX 384
#define CXEMU_SPEC_PATH_MAX  256

enum cxemu_wire_kind {
    CXEMU_WIRE_NONE,
    CXEMU_WIRE_MEM,
    CXEMU_WIRE_SHM,
    CXEMU_WIRE_PACKET,
    CXEMU_WIRE_TAP,
    CXEMU_WIRE_XDP,
    CXEMU_WIRE_PCAP,
};

struct cxemu_spec {
    char name[CXEMU_SPEC_NAME_MAX]; /* "": the next mlx5_N */
    enum cxemu_wire_kind wire;
    char wire_name[CXEMU_SPEC_PATH_MAX]; /* of a memory wire or switch, interface, or file */
    uint32_t shm_ports;                  /* of a switch; 0: the default */
    uint16_t shm_mode;
    char record[CXEMU_SPEC_PATH_MAX]; /* file; "": none */
    uint32_t replay_percent;          /* speed; 0: as fast as may be */
    uint32_t replay_loops;            /* 0: for ever */
    uint64_t replay_wait_ns;
    char netdev[IFNAMSIZ]; /* "": none */
    bool has_mac;
    struct rs_mac mac;
    uint16_t mtu_bytes;
    uint64_t rx_wait_ns; /* 0: frames do not wait for receive entries */
    uint32_t max_qp;     /* 0: as many as the device has */
    uint16_t mode;       /* of the device node */
    const struct cxemu_model *model;
    bool has_model;
    uint32_t caps_off; /* bits of enum cxemu_cap that are switched off */
    struct cxemu_impair_config impair;
    /* Functions: spec_card.c */
    char card[CXEMU_SPEC_NAME_MAX]; /* physical functions of one name share a card; "": its own */
    char pf[CXEMU_SPEC_NAME_MAX];   /* this is a virtual function of that NIC; "": a physical one */
    unsigned vfs;                   /* virtual functions to make along with it */
    struct cxemu_vport_attr vport;  /* of a virtual function; its mac is the one above */
    char fault[CXEMU_SPEC_FAULT_MAX]; /* faults to arm, joined by '+'; "": none */
};

/* 0 or -EINVAL, with a sentence about what is wrong in err (may be NULL). */
RS_MUST_USE int cxemu_spec_parse(const char *text, struct cxemu_spec *out, char *err,
                                 size_t err_len);
/* Changes what text names of mac, vlan, spoofchk, max_rate and vf_link; other keys are refused.
 * *spec is room to work in. */
RS_MUST_USE int cxemu_spec_parse_vport(const char *text, struct cxemu_spec *spec,
                                       struct cxemu_vport_attr *attr, char *err, size_t err_len);
/* The MAC of a NIC that was given none: locally administered, from its name. */
struct rs_mac cxemu_spec_default_mac(const char *name);

#ifdef __cplusplus
}
#endif
#endif
