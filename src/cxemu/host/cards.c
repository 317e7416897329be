/* SPDX-License-Identifier: BSD-2-Clause */
/* Seats of NICs: cards.h. */
#include "cxemu/host/cards.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FUNCTIONS_PER_DEVICE 8
#define FUNCTIONS_MAX        256 /* of a bus */

const char *cxemu_seat_slot(const struct cxemu_seat *seat, char slot[CXEMU_SLOT_MAX])
{
    snprintf(slot, CXEMU_SLOT_MAX, "0000:%02x:%02x.%u", seat->bus & 0xff,
             seat->function / FUNCTIONS_PER_DEVICE & 0x1f, seat->function % FUNCTIONS_PER_DEVICE);
    return slot;
}

static bool is_taken(const struct cxemu_seat *const taken[], unsigned count, unsigned bus,
                     unsigned function)
{
    for (unsigned i = 0; i < count; i++)
        if (taken[i] && taken[i]->bus == bus && taken[i]->function == function)
            return true;
    return false;
}

static bool is_bus_taken(const struct cxemu_seat *const taken[], unsigned count, unsigned bus)
{
    for (unsigned i = 0; i < count; i++)
        if (taken[i] && taken[i]->bus == bus)
            return true;
    return false;
}

void cxemu_seat_choose(const struct cxemu_spec *spec, const struct cxemu_seat *const taken[],
                       unsigned count, struct cxemu_seat *out)
{
    *out = (struct cxemu_seat){.bus = CXEMU_PCI_BUS_FIRST};
    snprintf(out->card, sizeof(out->card), "%s", spec->card);
    for (unsigned i = 0; spec->card[0] && i < count; i++) {
        if (!taken[i] || taken[i]->is_vf || strcmp(taken[i]->card, spec->card) != 0)
            continue;
        out->bus = taken[i]->bus;
        out->sys_image_guid = taken[i]->sys_image_guid;
        while (is_taken(taken, count, out->bus, out->function))
            out->function++;
        return;
    }
    while (is_bus_taken(taken, count, out->bus))
        out->bus++;
}

void cxemu_seat_choose_vf(const struct cxemu_seat *pf, const char *pf_name,
                          const struct cxemu_seat *const taken[], unsigned count,
                          struct cxemu_seat *out)
{
    *out = (struct cxemu_seat){.bus = pf->bus, .is_vf = true, .esw = pf->esw};
    snprintf(out->pf, sizeof(out->pf), "%s", pf_name);
    out->sys_image_guid = pf->sys_image_guid;
    for (unsigned i = 0; i < count; i++) { /* the lowest number that no VF of it has */
        if (taken[i] && taken[i]->is_vf && strcmp(taken[i]->pf, pf_name) == 0 &&
            taken[i]->vf_number == out->vf_number) {
            out->vf_number++;
            i = UINT32_MAX; /* from the start again */
        }
    }
    /* The first two are the ports' own. */
    out->function = 2;
    while (out->function < FUNCTIONS_MAX && is_taken(taken, count, out->bus, out->function))
        out->function++;
}

struct swap {
    struct cxemu_seat *seat;
    const struct rs_mac *mac;
};

static int put_between(void *cookie, struct cxemu_wire **wire, const struct cxemu_clock *clock)
{
    struct swap *swap = cookie;
    struct cxemu_wire *end;

    int err = cxemu_eswitch_create(*wire, swap->mac, clock, &swap->seat->esw, &end);
    if (err) {
        *wire = NULL; /* it is gone with the failed switch */
        return err;
    }
    if (end->ops->end_set)
        end->ops->end_set(end, true);
    *wire = end;
    swap->seat->end = end;
    return 0;
}

int cxemu_seat_make_switch(struct cxemu_seat *seat, struct cxemu_dev *dev)
{
    struct swap swap = {.seat = seat, .mac = &dev->mac};

    return seat->esw ? 0 : cxemu_nic_wire_change(dev->nic, put_between, &swap);
}

struct rs_mac cxemu_seat_vf_mac(const struct rs_mac *pf, unsigned vf_number)
{
    struct rs_mac mac = *pf;
    unsigned carry = vf_number + 1;

    for (int i = 5; i > 2; i--) {
        carry += mac.bytes[i];
        mac.bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
    mac.bytes[0] |= 0x02; /* locally administered */
    return mac;
}
