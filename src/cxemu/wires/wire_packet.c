/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AF_PACKET wire: life, transmit and carrier. Receive is in wire_packet_rx.c. Two sockets:
 * one receives, with virtio-net headers because a veth hands over unfinished checksums and
 * super-frames; one sends finished frames and, bound to no protocol, receives nothing.
 */
#define _GNU_SOURCE /* sendmmsg */
#include "cxemu/wires/wire_packet.h"

#include "base/attr.h"
#include "cxemu/wires/packet_rx.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    TX_BATCH = 64,
    SLOT_BYTES = 9216, /* CXEMU_FRAME_MAX, rounded up to pages in common */
    SOCKET_BUFFER_BYTES = 8 << 20,
    CARRIER_EVERY_NS = 20 * 1000 * 1000,
};

static_assert((int)SLOT_BYTES >= (int)CXEMU_FRAME_MAX, "a slot holds any frame");

struct packet_wire {
    struct cxemu_wire wire;
    char ifname[IFNAMSIZ];
    int tx_fd, rx_fd;
    bool carrier;
    uint64_t carrier_at_ns; /* when it was last looked up */
    uint64_t tx_failed;
    uint32_t tx_count;
    struct mmsghdr tx_msgs[TX_BATCH];
    struct iovec tx_iov[TX_BATCH];
    struct cxemu_packet_rx *rx;
    uint8_t tx_slots[TX_BATCH][SLOT_BYTES];
};

static struct packet_wire *packet_of(struct cxemu_wire *wire)
{
    return rs_container_of(wire, struct packet_wire, wire);
}

/* --- transmit ------------------------------------------------------------------------------------
 */

static bool is_full_queue(int error)
{
    return error == EAGAIN || error == ENOBUFS || error == EINTR;
}

/* The frames behind the first `done` move to the front. Buffers change places with them. */
static void keep_rest(struct packet_wire *p, uint32_t done)
{
    uint32_t rest = p->tx_count - done;

    for (uint32_t i = 0; done && i < rest; i++) {
        uint32_t len = (uint32_t)p->tx_iov[done + i].iov_len;
        memcpy(p->tx_slots[i], p->tx_slots[done + i], len);
        p->tx_iov[i].iov_len = len;
    }
    p->tx_count = rest;
}

static void packet_tx_flush(struct cxemu_wire *wire)
{
    struct packet_wire *p = packet_of(wire);
    uint32_t done = 0;

    while (done < p->tx_count) {
        int n = sendmmsg(p->tx_fd, p->tx_msgs + done, p->tx_count - done, MSG_DONTWAIT);
        if (n > 0) {
            done += (uint32_t)n;
        } else if (is_full_queue(errno)) {
            break;
        } else {
            p->tx_failed++; /* this frame will never go: netdev down, or too long for it */
            done++;
        }
    }
    keep_rest(p, done);
}

static uint8_t *packet_tx_slot(struct cxemu_wire *wire, uint32_t len)
{
    struct packet_wire *p = packet_of(wire);

    (void)len;
    if (p->tx_count == TX_BATCH)
        packet_tx_flush(wire);
    return p->tx_count < TX_BATCH ? p->tx_slots[p->tx_count] : NULL;
}

static void packet_tx_commit(struct cxemu_wire *wire, uint32_t len)
{
    struct packet_wire *p = packet_of(wire);

    p->tx_iov[p->tx_count++].iov_len = len;
}

/* --- the rest ------------------------------------------------------------------------------------
 */

static int packet_rx(struct cxemu_wire *wire, struct cxemu_frame *frames, int max)
{
    return cxemu_packet_rx_take(packet_of(wire)->rx, frames, max);
}

static void packet_rx_release(struct cxemu_wire *wire)
{
    cxemu_packet_rx_release(packet_of(wire)->rx);
}

static bool look_up_carrier(const struct packet_wire *p)
{
    struct ifreq ifr = {0};

    memcpy(ifr.ifr_name, p->ifname, sizeof(ifr.ifr_name));
    if (ioctl(p->tx_fd, SIOCGIFFLAGS, &ifr) < 0)
        return false;
    return (ifr.ifr_flags & IFF_UP) && (ifr.ifr_flags & IFF_RUNNING);
}

static bool packet_carrier(struct cxemu_wire *wire)
{
    struct packet_wire *p = packet_of(wire);
    struct timespec ts;
    uint64_t now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    now = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
    if (now - p->carrier_at_ns >= CARRIER_EVERY_NS) {
        p->carrier = look_up_carrier(p);
        p->carrier_at_ns = now;
    }
    return p->carrier;
}

static int packet_poll_fd(struct cxemu_wire *wire)
{
    return packet_of(wire)->rx_fd;
}

static uint64_t packet_stat(struct cxemu_wire *wire, enum cxemu_wire_stat which)
{
    const struct packet_wire *p = packet_of(wire);

    switch (which) {
    case CXEMU_WIRE_TX_FAILED:
        return p->tx_failed;
    case CXEMU_WIRE_RX_INVALID:
        return cxemu_packet_rx_invalid(p->rx);
    default:
        return 0;
    }
}

static void packet_destroy(struct cxemu_wire *wire)
{
    struct packet_wire *p = packet_of(wire);

    if (p->rx)
        cxemu_packet_rx_destroy(p->rx);
    if (p->tx_fd >= 0)
        close(p->tx_fd);
    if (p->rx_fd >= 0)
        close(p->rx_fd);
    free(p);
}

static const struct cxemu_wire_ops packet_ops = {
    .tx_slot = packet_tx_slot,
    .tx_commit = packet_tx_commit,
    .tx_flush = packet_tx_flush,
    .rx = packet_rx,
    .rx_release = packet_rx_release,
    .carrier = packet_carrier,
    .poll_fd = packet_poll_fd,
    .stat = packet_stat,
    .destroy = packet_destroy,
};

static int bind_to(int fd, unsigned ifindex, uint16_t protocol)
{
    struct sockaddr_ll sll = {
        .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = (int)ifindex};

    return bind(fd, (const struct sockaddr *)&sll, sizeof(sll)) < 0 ? -errno : 0;
}

static int set_option(int fd, int option)
{
    int one = 1;

    return setsockopt(fd, SOL_PACKET, option, &one, sizeof(one)) < 0 ? -errno : 0;
}

static int open_socket(int *fd)
{
    int bytes = SOCKET_BUFFER_BYTES;

    *fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return -errno;
    /* best effort: without CAP_NET_ADMIN the default sizes do */
    (void)setsockopt(*fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
    (void)setsockopt(*fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
    return 0;
}

static int open_rx(int *fd, unsigned ifindex)
{
    struct packet_mreq mreq = {.mr_ifindex = (int)ifindex, .mr_type = PACKET_MR_PROMISC};
    int rc = open_socket(fd);

    if (!rc)
        rc = set_option(*fd, PACKET_VNET_HDR);
    if (!rc)
        rc = set_option(*fd, PACKET_AUXDATA);
    if (!rc)
        rc = set_option(*fd, PACKET_IGNORE_OUTGOING);
    if (!rc && setsockopt(*fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq, sizeof(mreq)) < 0)
        rc = -errno;
    return rc ? rc : bind_to(*fd, ifindex, ETH_P_ALL);
}

static int open_tx(int *fd, unsigned ifindex)
{
    int rc = open_socket(fd);

    if (!rc)
        rc = set_option(*fd, PACKET_QDISC_BYPASS);
    return rc ? rc : bind_to(*fd, ifindex, 0);
}

static void tx_init(struct packet_wire *p)
{
    for (unsigned i = 0; i < TX_BATCH; i++) {
        p->tx_iov[i].iov_base = p->tx_slots[i];
        p->tx_msgs[i].msg_hdr.msg_iov = &p->tx_iov[i];
        p->tx_msgs[i].msg_hdr.msg_iovlen = 1;
    }
}

int cxemu_wire_packet_create(const char *ifname, struct cxemu_wire **out)
{
    unsigned ifindex = if_nametoindex(ifname);
    struct packet_wire *p;
    int rc;

    if (!ifindex)
        return -ENODEV;
    p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->wire.ops = &packet_ops;
    p->tx_fd = -1;
    p->rx_fd = -1;
    memcpy(p->ifname, ifname, strnlen(ifname, IFNAMSIZ - 1));
    tx_init(p);
    rc = open_tx(&p->tx_fd, ifindex);
    if (!rc)
        rc = open_rx(&p->rx_fd, ifindex);
    if (!rc)
        rc = cxemu_packet_rx_create(p->rx_fd, &p->rx);
    if (rc) {
        packet_destroy(&p->wire);
        return rc;
    }
    *out = &p->wire;
    return 0;
}
