/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: ARP messages in and out: answering for our address, announcing and defending it, and what
 * other hosts' messages tell the neighbour table. Hold beside it: RFC 826, RFC 5227, RFC
 * 1122 2.3.2.
 */
#include "wire/arp.h"

#include "stack/neighbour.h"
#include "stack/net_state.h"
#include "stack/txq.h"
#include "wire/ether.h"
#include "wire/ipv4.h"

#include <string.h>

#define DEFEND_INTERVAL_NS 10000000000ull /* RFC 5227 1.1 */

static const struct rs_mac broadcast_mac = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

/* --- out ---------------------------------------------------------------------------------------
 */

static bool send(struct rs_stack *stack, const struct rs_arp *arp, const struct rs_mac *dst)
{
    struct hwtap_buf *buf = hwtap_buf_alloc(stack->config.tap);
    struct hwtap_tx_pkt pkt = {.n_segs = 1};

    if (!buf) {
        rs_count(stack, RS_COUNTER_drop_tx_no_buffer);
        return false;
    }
    rs_arp_emit(buf->data, arp);
    buf->len = RS_ARP_BYTES;
    /* Padded here: not every tap is a port that pads (IEEE 802.3 3.2.7). */
    memset(buf->data + buf->len, 0, RS_ETHER_MIN_FRAME - RS_ETHER_BYTES - RS_ARP_BYTES);
    buf->len = RS_ETHER_MIN_FRAME - RS_ETHER_BYTES;
    pkt.segs[0] = (struct hwtap_tx_seg){buf, buf->data, buf->len};
    rs_eth_prepend(stack, &pkt, dst, RS_ETHERTYPE_ARP);
    return rs_txq_push(stack, &pkt) == 0;
}

void rs_arp_request(struct rs_stack *stack, struct rs_be32 ip, const struct rs_mac *ask)
{
    struct rs_arp arp = {
        .op = RS_ARP_REQUEST,
        .sender_mac = stack->config.mac,
        .sender_ip = stack->net->ip,
        .target_ip = ip,
    };

    if (send(stack, &arp, ask ? ask : &broadcast_mac))
        rs_count(stack, RS_COUNTER_arp_tx_requests);
}

/* RFC 5227 2.3: an announcement is a request whose sender and target address are both ours. */
void rs_arp_announce(struct rs_stack *stack)
{
    rs_arp_request(stack, stack->net->ip, NULL);
}

static void reply(struct rs_stack *stack, const struct rs_arp *request)
{
    struct rs_arp arp = {
        .op = RS_ARP_REPLY,
        .sender_mac = stack->config.mac,
        .sender_ip = stack->net->ip,
        .target_mac = request->sender_mac,
        .target_ip = request->sender_ip,
    };

    if (send(stack, &arp, &request->sender_mac))
        rs_count(stack, RS_COUNTER_arp_tx_replies);
}

/* --- in ----------------------------------------------------------------------------------------
 */

static void on_conflict(struct rs_stack *stack, const struct rs_arp *arp)
{
    struct rs_net *net = stack->net;
    const uint8_t *m = arp->sender_mac.bytes;

    rs_count(stack, RS_COUNTER_arp_conflicts);
    rs_log(stack, RS_LOG_WARN, "address conflict: %02x:%02x:%02x:%02x:%02x:%02x has our address",
           m[0], m[1], m[2], m[3], m[4], m[5]);
    /* RFC 5227 2.4 (c): a host that cannot give its address up announces it, but not more often
     * than this, so that two such hosts do not shout at each other for ever. */
    if (net->answers &&
        (!net->defended_ns || stack->now_ns - net->defended_ns >= DEFEND_INTERVAL_NS)) {
        net->defended_ns = stack->now_ns;
        rs_arp_announce(stack);
    }
}

/* RFC 826, "Packet reception": merge what the sender says of itself, then answer. An entry is made
 * only for a host that asks for us, so that nobody can fill the table with replies. */
static void merge(struct rs_stack *stack, const struct rs_arp *arp, const struct rs_l3 *l3)
{
    bool is_answer = arp->op == RS_ARP_REPLY && l3->is_to_us;
    bool is_known = rs_neighbour_update(stack, arp->sender_ip, &arp->sender_mac,
                                        is_answer ? RS_NEIGHBOUR_ANSWER : RS_NEIGHBOUR_SEEN);

    if (is_known)
        return;
    if (arp->op == RS_ARP_REPLY)
        rs_count(stack, RS_COUNTER_drop_arp_unsolicited);
    else if (rs_ipv4_addr_is_equal(arp->target_ip, stack->net->ip) &&
             rs_net_is_on_link(stack->net, arp->sender_ip))
        rs_neighbour_learn(stack, arp->sender_ip, &arp->sender_mac);
}

static bool sender_is_sane(const struct rs_arp *arp)
{
    return !rs_mac_is_multicast(&arp->sender_mac) && !rs_mac_is_zero(&arp->sender_mac) &&
           (rs_ipv4_addr_is_unicast(arp->sender_ip) || rs_be32_get(arp->sender_ip) == 0);
}

/* Our own, come back; or, with a shared address, the kernel's. The MAC alone does not tell: other
 * stacks and the kernel have it too, being on the same port, and are neighbours by loopback. */
static bool is_from_ourselves(const struct rs_stack *stack, const struct rs_arp *arp)
{
    return rs_mac_is_equal(&arp->sender_mac, &stack->config.mac) &&
           (rs_ipv4_addr_is_equal(arp->sender_ip, stack->net->ip) ||
            rs_be32_get(arp->sender_ip) == 0);
}

void rs_arp_input(struct rs_stack *stack, const struct rs_l3 *l3)
{
    struct rs_arp arp;
    bool is_probe;

    if (!rs_arp_parse(l3->bytes, l3->len, &arp) ||
        (arp.op != RS_ARP_REQUEST && arp.op != RS_ARP_REPLY)) {
        rs_count(stack, RS_COUNTER_drop_arp_malformed);
        return;
    }
    if (!sender_is_sane(&arp)) {
        rs_count(stack, RS_COUNTER_drop_arp_bad_sender);
        return;
    }
    rs_count(stack,
             arp.op == RS_ARP_REQUEST ? RS_COUNTER_arp_rx_requests : RS_COUNTER_arp_rx_replies);
    if (is_from_ourselves(stack, &arp))
        return;
    if (rs_ipv4_addr_is_equal(arp.sender_ip, stack->net->ip)) {
        on_conflict(stack, &arp);
        return;
    }
    is_probe = rs_be32_get(arp.sender_ip) == 0; /* RFC 5227 2.1.1: says nothing of the sender */
    if (!is_probe)
        merge(stack, &arp, l3);
    if (arp.op == RS_ARP_REQUEST && stack->net->answers &&
        rs_ipv4_addr_is_equal(arp.target_ip, stack->net->ip))
        reply(stack, &arp);
}
