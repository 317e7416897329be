/* SPDX-License-Identifier: BSD-2-Clause */
/* Every parser of wire/ on the same bytes, and what must hold of what they say. */
#include "fuzz.h"

#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ether.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/packet.h"
#include "wire/udp.h"

#include <string.h>

static void check_ether(const uint8_t *bytes, uint32_t len)
{
    struct rs_ether ether;
    uint8_t again[RS_ETHER_BYTES + RS_ETHER_VLAN_BYTES];

    if (!rs_ether_parse(bytes, len, &ether))
        return;
    FUZZ_CHECK(ether.header_bytes <= len);
    FUZZ_CHECK(rs_ether_emit(again, &ether) == ether.header_bytes);
    FUZZ_CHECK(memcmp(again, bytes, ether.header_bytes) == 0);
}

static void check_arp(const uint8_t *bytes, uint32_t len)
{
    struct rs_arp arp;
    uint8_t again[RS_ARP_BYTES];

    if (!rs_arp_parse(bytes, len, &arp))
        return;
    rs_arp_emit(again, &arp);
    FUZZ_CHECK(memcmp(again, bytes, sizeof(again)) == 0);
}

static void check_ipv4(const uint8_t *bytes, uint32_t len)
{
    struct rs_ipv4 ip, quoted;

    if (rs_ipv4_parse(bytes, len, &ip) == RS_IPV4_OK) {
        FUZZ_CHECK(ip.header_bytes >= 20 && ip.header_bytes <= ip.total_bytes);
        FUZZ_CHECK(ip.total_bytes <= len);
        FUZZ_CALL(rs_ipv4_csum_is_ok(bytes, &ip));
        FUZZ_CHECK(rs_ipv4_parse_quoted(bytes, len, &quoted));
    }
    if (rs_ipv4_parse_quoted(bytes, len, &quoted))
        FUZZ_CHECK(quoted.header_bytes >= 20 && quoted.header_bytes <= len);
}

static void check_ipv6(const uint8_t *bytes, uint32_t len)
{
    struct rs_ipv6 ip;

    if (!rs_ipv6_parse(bytes, len, &ip))
        return;
    FUZZ_CHECK(ip.total_bytes <= len);
    FUZZ_CHECK(ip.header_bytes >= 40 && ip.header_bytes <= ip.total_bytes);
    FUZZ_CHECK(!ip.has_transport || ip.frag_off_bytes == 0);
}

static void check_l4(const uint8_t *bytes, uint32_t len)
{
    struct rs_udp_header udp;
    struct rs_icmp icmp;

    if (rs_udp_parse(bytes, len, &udp))
        FUZZ_CHECK(udp.len >= 8 && udp.len <= len);
    FUZZ_CALL(rs_icmp_parse(bytes, len, &icmp));
    FUZZ_CALL(rs_csum_of(bytes, len));
}

static void check_offsets(const struct rs_packet *p, uint32_t len)
{
    if (p->ip_version) {
        FUZZ_CHECK(p->l3_off >= 14 && p->l3_off + p->l3_len <= len);
        FUZZ_CHECK(!p->l4_off || p->l4_off + p->l4_len == p->l3_off + p->l3_len);
    }
    if (p->has_ports) {
        FUZZ_CHECK(p->l4_off);
        FUZZ_CHECK(p->payload_off >= p->l4_off + 8 && p->payload_off <= p->l4_off + p->l4_len);
    }
    FUZZ_CHECK(!p->tcp_flags_off || p->tcp_flags_off < p->payload_off);
}

/* What is filled in must verify, also on a second look. */
static void check_csums(const uint8_t *bytes, uint32_t len, const struct rs_packet *packet)
{
    uint8_t *copy = malloc(len);
    struct rs_packet again;

    FUZZ_CHECK(copy);
    memcpy(copy, bytes, len);
    rs_packet_l4_csum_fill(copy, packet);
    rs_packet_l3_csum_fill(copy, packet);
    FUZZ_CHECK(rs_packet_parse(copy, len, &again) == 0);
    FUZZ_CHECK(again.l4_off == packet->l4_off && again.ip_version == packet->ip_version);
    if (packet->ip_version)
        FUZZ_CHECK(rs_packet_l3_csum_is_ok(copy, &again));
    if (packet->has_ports && !packet->is_fragment && packet->ip_proto == RS_IPPROTO_TCP)
        FUZZ_CHECK(rs_packet_l4_csum_is_ok(copy, &again));
    FUZZ_CALL(rs_packet_l4_csum_is_ok(bytes, packet));
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    uint32_t len = (uint32_t)size;
    struct rs_packet packet;

    check_ether(bytes, len);
    check_arp(bytes, len);
    check_ipv4(bytes, len);
    check_ipv6(bytes, len);
    check_l4(bytes, len);
    if (rs_packet_parse(bytes, len, &packet)) {
        FUZZ_CHECK(len < 14 || (bytes[12] == 0x81 && bytes[13] == 0x00 && len < 18));
        return 0;
    }
    check_offsets(&packet, len);
    check_csums(bytes, len, &packet);
    return 0;
}
