/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the Ethernet layer of the stack: which frames are ours, VLAN, dispatch by type; and the
 * header of what is sent. */
#include "base/attr.h"
#include "stack/net_state.h"
#include "wire/ether.h"

/* The tag that the frame came with, wherever it is now. False: two tags, which nobody sent us. */
static bool find_tag(const struct hwtap_buf *frame, const struct rs_ether *ether, bool *has_tag,
                     uint16_t *vlan_id)
{
    bool is_stripped = frame->flags & HWTAP_RX_HAS_VLAN;

    if (is_stripped && ether->has_vlan)
        return false;
    *has_tag = is_stripped || ether->has_vlan;
    *vlan_id = (is_stripped ? frame->vlan_tci : ether->vlan_tci) & RS_VLAN_ID_MASK;
    return true;
}

static bool vlan_is_ours(const struct rs_stack *stack, const struct hwtap_buf *frame,
                         const struct rs_ether *ether)
{
    uint16_t vlan_id = 0;
    bool has_tag = false;

    if (!find_tag(frame, ether, &has_tag, &vlan_id))
        return false;
    if (!stack->config.vlan_id)
        return !has_tag || vlan_id == 0; /* 802.1Q 9.6: identifier 0 carries a priority only */
    return has_tag && vlan_id == stack->config.vlan_id;
}

static void dispatch(struct rs_stack *stack, struct hwtap_buf *frame)
{
    struct rs_ether ether;
    struct rs_l3 l3;

    if (!rs_ether_parse(frame->data, frame->len, &ether)) {
        rs_count(stack, RS_COUNTER_drop_eth_truncated);
        return;
    }
    if (rs_mac_is_multicast(&ether.src)) {
        rs_count(stack, RS_COUNTER_drop_eth_bad_source);
        return;
    }
    l3 = (struct rs_l3){
        .buf = frame,
        .bytes = frame->data + ether.header_bytes,
        .len = frame->len - ether.header_bytes,
        .src_mac = ether.src,
        .is_link_broadcast = rs_mac_is_multicast(&ether.dst),
        .is_to_us = rs_mac_is_equal(&ether.dst, &stack->config.mac),
    };
    if (!l3.is_to_us && !l3.is_link_broadcast) {
        rs_count(stack, RS_COUNTER_drop_eth_not_for_us);
        return;
    }
    if (!vlan_is_ours(stack, frame, &ether)) {
        rs_count(stack, RS_COUNTER_drop_eth_vlan);
        return;
    }
    if (rs_likely(ether.type == RS_ETHERTYPE_IPV4))
        rs_ipv4_input(stack, &l3);
    else if (ether.type == RS_ETHERTYPE_ARP)
        rs_arp_input(stack, &l3);
    else
        rs_count(stack, RS_COUNTER_drop_eth_type);
}

void rs_net_input(struct rs_stack *stack, struct hwtap_buf *frame)
{
    dispatch(stack, frame);
    hwtap_buf_put(frame);
}

void rs_eth_prepend(struct rs_stack *stack, struct hwtap_tx_pkt *pkt, const struct rs_mac *dst,
                    uint16_t type)
{
    struct hwtap_tx_seg *first = &pkt->segs[0];
    struct rs_ether ether = {
        .dst = *dst,
        .src = stack->config.mac,
        .type = type,
        .has_vlan = stack->config.vlan_id != 0,
        .vlan_tci = stack->config.vlan_id,
    };
    uint32_t bytes = RS_ETHER_BYTES + (ether.has_vlan ? RS_ETHER_VLAN_BYTES : 0);

    first->data -= bytes;
    first->len += bytes;
    first->buf->data -= bytes;
    first->buf->len += bytes;
    rs_ether_emit(first->buf->data, &ether);
}
