/* SPDX-License-Identifier: BSD-2-Clause */
/* Loss, path MTU and corruption; see impair_frame.h. */
#include "cxemu/wires/impair_frame.h"

#include "base/order.h"
#include "cxemu/wires/draw.h"
#include "cxemu/wires/filter.h"
#include "wire/ether.h"
#include "wire/packet.h"

#include <string.h>

void cxemu_impair_frame_seed(struct cxemu_impair_frame *f, uint64_t *state)
{
    f->loss_state = cxemu_draw(state);
    f->ge_state = cxemu_draw(state);
    f->ge_loss_state = cxemu_draw(state);
    f->corrupt_state = cxemu_draw(state);
    f->bits_state = cxemu_draw(state);
    f->ge_bad = false;
    f->matched = 0;
}

int cxemu_impair_frame_configure(struct cxemu_impair_frame *f, const struct cxemu_impair_way *way)
{
    struct cxemu_filter *filter = NULL;
    char why[8];

    if (strcmp(way->loss_filter, f->way.loss_filter) != 0) {
        if (way->loss_filter[0]) {
            int rc = cxemu_filter_create(way->loss_filter, &filter, why, sizeof(why));
            if (rc)
                return rc;
        }
        cxemu_filter_destroy(f->filter);
        f->filter = filter;
    }
    if (way->loss_every != f->way.loss_every)
        f->matched = 0;
    f->way = *way;
    return 0;
}

void cxemu_impair_frame_fini(struct cxemu_impair_frame *f)
{
    cxemu_filter_destroy(f->filter);
}

/* One step of the model a frame: first the state, then the loss in it. */
static bool gilbert_elliott_loses(struct cxemu_impair_frame *f)
{
    const struct cxemu_impair_way *w = &f->way;

    if (cxemu_draw_share(&f->ge_state, f->ge_bad ? w->ge_to_good_ppb : w->ge_to_bad_ppb))
        f->ge_bad = !f->ge_bad;
    return cxemu_draw_share(&f->ge_loss_state,
                            f->ge_bad ? w->ge_bad_loss_ppb : w->ge_good_loss_ppb);
}

static bool is_lost(struct cxemu_impair_frame *f, const uint8_t *frame, uint32_t len)
{
    const struct cxemu_impair_way *w = &f->way;
    bool lost = false;

    if (!w->loss_ppb && !w->loss_every && !w->ge_to_bad_ppb && !w->ge_good_loss_ppb)
        return false;
    if (f->filter && !cxemu_filter_matches(f->filter, frame, len))
        return false;
    if (w->loss_every && ++f->matched >= w->loss_every) {
        f->matched = 0;
        lost = true;
    }
    if (w->loss_ppb)
        lost |= cxemu_draw_share(&f->loss_state, w->loss_ppb);
    if (w->ge_to_bad_ppb || w->ge_good_loss_ppb)
        lost |= gilbert_elliott_loses(f);
    return lost;
}

/* An MTU is the network layer's: Ethernet's header and one or two tags do not count. */
static bool is_too_long(const struct cxemu_impair_frame *f, const uint8_t *frame, uint32_t len)
{
    uint32_t l2 = RS_ETHER_BYTES;

    if (!f->way.path_mtu_bytes || len <= f->way.path_mtu_bytes + l2)
        return false;
    for (int tags = 0; tags < 2 && len >= l2; tags++) {
        uint16_t type = rs_get_be16(frame + l2 - 2);
        if (type != RS_ETHERTYPE_VLAN && type != RS_ETHERTYPE_QINQ)
            break;
        l2 += RS_ETHER_VLAN_BYTES;
    }
    return len > f->way.path_mtu_bytes + l2;
}

bool cxemu_impair_frame_passes(struct cxemu_impair_frame *f, const uint8_t *frame, uint32_t len,
                               uint64_t stats[CXEMU_WIRE_STATS])
{
    if (is_too_long(f, frame, len)) {
        stats[CXEMU_WIRE_OVERSIZE]++;
        return false;
    }
    if (is_lost(f, frame, len)) {
        stats[CXEMU_WIRE_LOST]++;
        return false;
    }
    return true;
}

/* The part of the frame whose bits may flip: all headers up to the transport's, or what follows. */
static void find_part(enum cxemu_corrupt_where where, const uint8_t *frame, uint32_t len,
                      uint32_t *from, uint32_t *to)
{
    struct rs_packet pkt;
    uint32_t header = RS_ETHER_BYTES;

    *from = 0;
    *to = len;
    if (where == CXEMU_CORRUPT_ANY || rs_packet_parse(frame, len, &pkt) < 0)
        return;
    if (pkt.payload_off)
        header = pkt.payload_off;
    else if (pkt.l4_off)
        header = pkt.l4_off;
    else if (pkt.l3_off)
        header = pkt.l3_off;
    if (header > len)
        header = len;
    if (where == CXEMU_CORRUPT_HEADER)
        *to = header;
    else
        *from = header;
    if (where == CXEMU_CORRUPT_PAYLOAD && pkt.ip_version && pkt.l3_off + pkt.l3_len < len)
        *to = pkt.l3_off + pkt.l3_len; /* Ethernet's padding is nobody's payload */
}

void cxemu_impair_frame_corrupt(struct cxemu_impair_frame *f, uint8_t *frame, uint32_t len,
                                uint64_t stats[CXEMU_WIRE_STATS])
{
    uint32_t from, to;

    if (!f->way.corrupt_ppb || !cxemu_draw_share(&f->corrupt_state, f->way.corrupt_ppb))
        return;
    find_part(f->way.corrupt_where, frame, len, &from, &to);
    if (from >= to)
        return;
    for (uint32_t i = 0; i < f->way.corrupt_bits; i++) {
        uint32_t bit = cxemu_draw_below(&f->bits_state, (to - from) * 8);
        frame[from + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    stats[CXEMU_WIRE_CORRUPTED]++;
}
