/* SPDX-License-Identifier: BSD-2-Clause */
/* See ecn.h. */
#include "cxemu/wires/ecn.h"

#include "base/order.h"
#include "wire/checksum.h"
#include "wire/packet.h"

enum {
    ECN_MASK = 3,
    ECN_CE = 3,
    IPV4_CSUM_AT = 10,
    IPV6_ECN_SHIFT = 4, /* in the second byte: the traffic class lies across two */
};

enum cxemu_ecn cxemu_ecn_mark(uint8_t *frame, uint32_t len)
{
    struct rs_packet pkt;
    uint8_t *ip;

    if (rs_packet_parse(frame, len, &pkt) < 0 || !pkt.ip_version)
        return CXEMU_ECN_NOT_IP;
    if (!(pkt.tos & ECN_MASK))
        return CXEMU_ECN_NOT_CAPABLE;
    ip = frame + pkt.l3_off;
    if (pkt.ip_version == 4) {
        uint16_t before = rs_get_be16(ip);
        uint16_t after = before | ECN_CE;
        rs_put_be16(ip, after);
        rs_put_be16(ip + IPV4_CSUM_AT,
                    rs_csum_update16(rs_get_be16(ip + IPV4_CSUM_AT), before, after));
    } else {
        ip[1] |= ECN_CE << IPV6_ECN_SHIFT;
    }
    return CXEMU_ECN_MARKED;
}
