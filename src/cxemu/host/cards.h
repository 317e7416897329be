/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where in the machine a NIC sits: cards, their PCI functions, and the switch between a physical
 * function and its virtual ones. As mlx5 has it: each port of a card is a physical function of its
 * own (.0 and .1) and a device with one port; virtual functions follow behind them.
 */
#ifndef CXEMU_HOST_CARDS_H
#define CXEMU_HOST_CARDS_H

#include "cxemu/host/spec.h"
#include "cxemu/uverbs/device.h"

#define CXEMU_PCI_BUS_FIRST 0xce
#define CXEMU_SLOT_MAX      32

struct cxemu_seat {
    char card[CXEMU_SPEC_NAME_MAX]; /* "": a card of its own */
    unsigned bus, function;         /* function: all of a bus are counted through */
    bool is_vf;
    unsigned vf_number;
    char pf[CXEMU_NAME_MAX]; /* of a VF: the device it belongs to */
    uint64_t sys_image_guid; /* 0: that of the device */
    struct cxemu_eswitch *esw;
    struct cxemu_wire *end; /* at the switch; NULL: there is none */
};

/* "0000:ce:00.0" */
const char *cxemu_seat_slot(const struct cxemu_seat *seat, char slot[CXEMU_SLOT_MAX]);
/* The place for a physical function among those that are taken (count seats; NULL: free entry). */
void cxemu_seat_choose(const struct cxemu_spec *spec, const struct cxemu_seat *const taken[],
                       unsigned count, struct cxemu_seat *out);
/* And for a virtual function of pf, whose device has this name. */
void cxemu_seat_choose_vf(const struct cxemu_seat *pf, const char *pf_name,
                          const struct cxemu_seat *const taken[], unsigned count,
                          struct cxemu_seat *out);
/* Puts a switch between a NIC and its wire, if there is none yet. -ENODEV: it has no wire. */
RS_MUST_USE int cxemu_seat_make_switch(struct cxemu_seat *seat, struct cxemu_dev *dev);
/* The address of a VF that was given none: the physical function's, counted on. */
struct rs_mac cxemu_seat_vf_mac(const struct rs_mac *pf, unsigned vf_number);

#endif
