/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receiving from AF_PACKET: packet(7). The kernel takes a VLAN tag off and puts it beside the frame
 * (struct tpacket_auxdata), leaves checksums unfinished and segments together (offload.h). All of
 * that is undone here. A frame that needs none of it is handed on where it lies.
 */
#define _GNU_SOURCE /* recvmmsg */
#include "cxemu/wires/packet_rx.h"

#include "base/order.h"
#include "cxemu/core/offload.h"
#include "wire/ether.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    RX_BATCH = 32,
    SEGMENT_SLOTS = 64,
    SLOT_BYTES = 9216,
    ETH_HDR_BYTES = 14,
    HEADROOM = 16, /* a tag is put back before the frame's start */
    SUPER_FRAME_MAX = 65536 + CXEMU_L2_MAX,
};

static_assert((int)SLOT_BYTES >= (int)CXEMU_FRAME_MAX, "a slot holds any frame");

struct message {
    struct cxemu_vnet_hdr hdr;
    struct iovec iov[2];
    char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    uint8_t bytes[HEADROOM + SUPER_FRAME_MAX];
};

struct cxemu_packet_rx {
    int fd;
    uint64_t invalid;
    struct mmsghdr msgs[RX_BATCH];
    uint32_t have, next;        /* messages received, and the next to look at */
    bool in_segments;           /* the super-frame in `offload` has more */
    uint16_t tag_tpid, tag_tci; /* of the message; tpid 0: none */
    struct cxemu_offload offload;
    uint32_t slots_used;
    struct message messages[RX_BATCH];
    uint8_t slots[SEGMENT_SLOTS][SLOT_BYTES];
};

int cxemu_packet_rx_create(int fd, struct cxemu_packet_rx **out)
{
    struct cxemu_packet_rx *rx = calloc(1, sizeof(*rx));

    if (!rx)
        return -ENOMEM;
    rx->fd = fd;
    for (unsigned i = 0; i < RX_BATCH; i++) {
        struct message *m = &rx->messages[i];
        struct msghdr *h = &rx->msgs[i].msg_hdr;
        m->iov[0] = (struct iovec){&m->hdr, sizeof(m->hdr)};
        m->iov[1] = (struct iovec){m->bytes + HEADROOM, SUPER_FRAME_MAX};
        h->msg_iov = m->iov;
        h->msg_iovlen = 2;
        h->msg_control = m->control;
        h->msg_controllen = sizeof(m->control);
    }
    *out = rx;
    return 0;
}

void cxemu_packet_rx_destroy(struct cxemu_packet_rx *rx)
{
    free(rx);
}

uint64_t cxemu_packet_rx_invalid(const struct cxemu_packet_rx *rx)
{
    return rx->invalid;
}

static void fetch(struct cxemu_packet_rx *rx)
{
    int n;

    for (unsigned i = 0; i < rx->have; i++) /* the kernel shortened those that it used */
        rx->msgs[i].msg_hdr.msg_controllen = sizeof(rx->messages[i].control);
    n = recvmmsg(rx->fd, rx->msgs, RX_BATCH, MSG_DONTWAIT, NULL);
    rx->have = n > 0 ? (uint32_t)n : 0;
    rx->next = 0;
}

static void read_tag(struct cxemu_packet_rx *rx, struct msghdr *h)
{
    struct tpacket_auxdata aux;

    rx->tag_tpid = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
            continue;
        memcpy(&aux, CMSG_DATA(c), sizeof(aux));
        if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
            return;
        rx->tag_tpid =
            (aux.tp_status & TP_STATUS_VLAN_TPID_VALID) ? aux.tp_vlan_tpid : RS_ETHERTYPE_VLAN;
        rx->tag_tci = aux.tp_vlan_tci;
    }
}

/* Moves the addresses four bytes to the front and writes the tag behind them. */
static uint8_t *put_tag(const struct cxemu_packet_rx *rx, uint8_t *frame)
{
    memmove(frame - RS_ETHER_VLAN_BYTES, frame, RS_ETHER_ADDRS_BYTES);
    rs_put_be16(frame + RS_ETHER_ADDRS_BYTES - RS_ETHER_VLAN_BYTES, rx->tag_tpid);
    rs_put_be16(frame + RS_ETHER_ADDRS_BYTES - RS_ETHER_VLAN_BYTES + 2, rx->tag_tci);
    return frame - RS_ETHER_VLAN_BYTES;
}

/* Tag and padding; at has room for both. */
static struct cxemu_frame finish(const struct cxemu_packet_rx *rx, uint8_t *at, uint32_t len)
{
    if (rx->tag_tpid) {
        at = put_tag(rx, at);
        len += RS_ETHER_VLAN_BYTES;
    }
    if (len < CXEMU_FRAME_MIN) {
        memset(at + len, 0, CXEMU_FRAME_MIN - len);
        len = CXEMU_FRAME_MIN;
    }
    return (struct cxemu_frame){at, len};
}

static void next_segment(struct cxemu_packet_rx *rx, struct cxemu_frame *out)
{
    uint8_t *at = rx->slots[rx->slots_used++] + RS_ETHER_VLAN_BYTES;
    uint32_t len = cxemu_offload_next_len(&rx->offload);

    rx->in_segments = cxemu_offload_next(&rx->offload, at);
    *out = finish(rx, at, len);
}

static bool is_too_long(const struct cxemu_packet_rx *rx, uint32_t len)
{
    return len + (rx->tag_tpid ? RS_ETHER_VLAN_BYTES : 0) > CXEMU_FRAME_MAX;
}

/* One message. True: out holds a frame; false: none came of it directly. */
static bool take_message(struct cxemu_packet_rx *rx, struct cxemu_frame *out)
{
    struct mmsghdr *msg = &rx->msgs[rx->next];
    struct message *m = &rx->messages[rx->next];
    uint32_t len = msg->msg_len - (uint32_t)sizeof(m->hdr);

    rx->next++;
    if (msg->msg_len < sizeof(m->hdr) + ETH_HDR_BYTES || (msg->msg_hdr.msg_flags & MSG_TRUNC)) {
        rx->invalid++;
        return false;
    }
    read_tag(rx, &msg->msg_hdr);
    if (cxemu_offload_begin(&rx->offload, &m->hdr, m->bytes + HEADROOM, len) < 0 ||
        is_too_long(rx, cxemu_offload_next_len(&rx->offload))) {
        rx->invalid++;
        return false;
    }
    if (rx->offload.hdr_len) {
        rx->in_segments = true;
        return false;
    }
    *out = finish(rx, m->bytes + HEADROOM, len);
    return true;
}

int cxemu_packet_rx_take(struct cxemu_packet_rx *rx, struct cxemu_frame *frames, int max)
{
    int n = 0;

    if (!rx->in_segments && rx->next == rx->have)
        fetch(rx);
    while (n < max) {
        if (rx->in_segments) {
            if (rx->slots_used == SEGMENT_SLOTS)
                break;
            next_segment(rx, &frames[n++]);
        } else if (rx->next < rx->have) {
            n += take_message(rx, &frames[n]);
        } else {
            break;
        }
    }
    return n;
}

void cxemu_packet_rx_release(struct cxemu_packet_rx *rx)
{
    rx->slots_used = 0;
}
