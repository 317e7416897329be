/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The key of a frame: its fields where fte_match_param has them (kernel include/linux/mlx5/
 * mlx5_ifc.h). Outer headers are made for every frame that rules are asked about, in registers; the
 * other parts only when a rule looks at them, byte by byte.
 */
#include "cxemu/core/steer.h"

#include "base/attr.h"
#include "base/order.h"
#include "wire/ether.h"
#include "wire/ipv4.h"

#include <endian.h>
#include <string.h>

/*
 * fte_match_set_lyr_2_4 as eight words of eight wire bytes:
 *   0  smac, ethertype                 3  ... ttl_hoplimit, udp_sport, udp_dport
 *   1  dmac, first_prio first_cfi      4, 5  source address; an IPv4 one is in the last 4 bytes
 *      first_vid                       6, 7  destination address
 *   2  ip_protocol, dscp ecn, flags, tcp_flags, tcp_sport, tcp_dport
 * They are put together in registers: stores of single fields, loaded again as words right after,
 * would each stall the lookup.
 */
enum {
    WORD_SMAC = 0,
    WORD_DMAC = 1,
    WORD_TCP = 2,
    WORD_UDP = 3,
    WORD_SRC = 4,
    WORD_DST = 6,
    /* of word 2, byte 2: cvlan_tag, svlan_tag, frag, ip_version:4, top bit of tcp_flags */
    FLAG_CVLAN = 1 << 7,
    FLAG_SVLAN = 1 << 6,
    FLAG_FRAG = 1 << 5,
    IP_VERSION_SHIFT = 1,
    IPV4_SRC_AT = 12,
    IPV6_SRC_AT = 8,
    TCP_TOP_FLAG_AT = 12,
};

/* Byte offsets in fte_match_set_misc, _misc2 and _misc3. */
enum {
    MISC_GRE_FLAGS = 0, /* gre_c_present, -, gre_k_present, gre_s_present: as the wire has them */
    MISC_SOURCE_SQN = 1,
    MISC_OUTER_SECOND_TCI = 8,
    MISC_INNER_SECOND_TCI = 10,
    MISC_SECOND_TAGS = 12,
    MISC_GRE_PROTOCOL = 14,
    MISC_GRE_KEY = 16,
    MISC_VXLAN_VNI = 20,
    MISC_GENEVE_VNI = 24,
    MISC_GENEVE_OAM = 27,
    MISC_OUTER_FLOW_LABEL = 28,
    MISC_INNER_FLOW_LABEL = 32,
    MISC_GENEVE_OPT_LEN = 37,
    MISC_GENEVE_PROTOCOL = 38,
    MISC_INNER_ESP_SPI = 44,
    MISC_OUTER_ESP_SPI = 48,
    OUTER_SECOND_CVLAN = 0x80,
    INNER_SECOND_CVLAN = 0x40,
    OUTER_SECOND_SVLAN = 0x20,
    INNER_SECOND_SVLAN = 0x10,

    MISC2_OUTER_MPLS = 0,
    MISC2_INNER_MPLS = 4,
    MISC2_MPLS_OVER_GRE = 8,
    MISC2_MPLS_OVER_UDP = 12,

    MISC3_INNER_TCP_SEQ = 0,
    MISC3_OUTER_TCP_SEQ = 4,
    MISC3_INNER_TCP_ACK = 8,
    MISC3_OUTER_TCP_ACK = 12,
    MISC3_GPE_VNI = 17,
    MISC3_GPE_NEXT_PROTOCOL = 20,
    MISC3_GPE_FLAGS = 21,
    MISC3_ICMP_DATA = 24,
    MISC3_ICMPV6_DATA = 28,
    MISC3_ICMP_TYPE = 32,
    MISC3_ICMPV6_TYPE = 34,
};

enum {
    GRE_CHECKSUM = 0x80,
    GRE_KEY = 0x20,
    GRE_FLAGS = 0xb0,
    GENEVE_OAM = 0x80,
    GENEVE_OPTIONS_MASK = 0x3f,
    IPPROTO_ESP_HERE = 50,
    IPPROTO_ICMPV6_HERE = 58,
    ICMP_HEADER_BYTES = 8,
};

/* --- outer and inner headers ---------------------------------------------------------------------
 */

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;

    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a frame that parsed has bytes */
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint32_t load32(const uint8_t *p)
{
    uint32_t v;

    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): as above */
    memcpy(&v, p, sizeof(v));
    return v;
}

/* Byte `at` of a word in memory order. */
static uint64_t byte_at(unsigned at, uint8_t value)
{
    return htole64((uint64_t)value << (8 * at));
}

/* The last four bytes of a word. */
static uint64_t last_half(uint32_t half)
{
    return htole64((uint64_t)le32toh(half) << 32);
}

static uint64_t last_two(uint16_t value)
{
    return htobe64(value);
}

static void put_addresses(uint64_t *words, const uint8_t *ip, uint8_t version)
{
    if (version == 4) {
        words[WORD_SRC + 1] = last_half(load32(ip + IPV4_SRC_AT));
        words[WORD_DST + 1] = last_half(load32(ip + IPV4_SRC_AT + 4));
        return;
    }
    words[WORD_SRC] = load64(ip + IPV6_SRC_AT);
    words[WORD_SRC + 1] = load64(ip + IPV6_SRC_AT + 8);
    words[WORD_DST] = load64(ip + IPV6_SRC_AT + 16);
    words[WORD_DST + 1] = load64(ip + IPV6_SRC_AT + 24);
}

/* No ports of a fragment, not even of the first: the NIC parses no L4 there. */
static void put_ports(uint64_t *words, const uint8_t *frame, const struct rs_packet *pkt)
{
    if (!pkt->has_ports || pkt->is_fragment)
        return;
    if (pkt->ip_proto == RS_IPPROTO_TCP)
        words[WORD_TCP] |= byte_at(2, frame[pkt->l4_off + TCP_TOP_FLAG_AT] & 1) |
                           byte_at(3, pkt->tcp_flags) | last_half(load32(frame + pkt->l4_off));
    else if (pkt->ip_proto == RS_IPPROTO_UDP)
        words[WORD_UDP] |= last_half(load32(frame + pkt->l4_off));
}

/* l2: the Ethernet header, NULL: none. */
static inline void put_headers(uint64_t *words, const uint8_t *frame, const uint8_t *l2,
                               const struct rs_packet *pkt)
{
    const uint64_t six_bytes = htobe64(~(uint64_t)0xffff);
    uint8_t flags = (uint8_t)(pkt->ip_version << IP_VERSION_SHIFT);

    memset(words, 0, CXEMU_MATCH_PART_BYTES);
    words[WORD_SMAC] = last_two(pkt->eth_type);
    if (l2) {
        words[WORD_SMAC] |= load64(l2 + 6) & six_bytes;
        words[WORD_DMAC] = load64(l2) & six_bytes;
    }
    if (l2 && pkt->has_vlan) {
        words[WORD_DMAC] |= last_two(pkt->vlan_tci);
        flags |=
            rs_get_be16(l2 + RS_ETHER_ADDRS_BYTES) == RS_ETHERTYPE_VLAN ? FLAG_CVLAN : FLAG_SVLAN;
    }
    if (pkt->is_fragment)
        flags |= FLAG_FRAG;
    words[WORD_TCP] = byte_at(2, flags);
    if (!pkt->ip_version)
        return;
    words[WORD_TCP] |= byte_at(0, pkt->ip_proto) | byte_at(1, pkt->tos);
    words[WORD_UDP] = byte_at(3, pkt->ttl);
    put_addresses(words, frame + pkt->l3_off, pkt->ip_version);
    put_ports(words, frame, pkt);
}

void cxemu_match_begin(struct cxemu_match *match, struct cxemu_rx_frame *frame, uint32_t sqn)
{
    match->frame = frame;
    match->sqn = sqn;
    match->probes = 0;
    match->parts = 1u << CXEMU_PART_OUTER;
    put_headers(match->words, frame->data, frame->data, &frame->pkt);
}

static void put_inner(uint64_t *words, const struct cxemu_rx_frame *frame,
                      const struct cxemu_tunnel *tunnel)
{
    memset(words, 0, CXEMU_MATCH_PART_BYTES);
    if (tunnel->has_inner)
        put_headers(words, frame->data,
                    tunnel->has_inner_eth ? frame->data + tunnel->inner_l2_off : NULL,
                    &tunnel->inner);
}

/* --- the miscellaneous parts ---------------------------------------------------------------------
 */

static void put_gre(uint8_t *p, const uint8_t *gre)
{
    p[MISC_GRE_FLAGS] |= gre[0] & GRE_FLAGS;
    memcpy(p + MISC_GRE_PROTOCOL, gre + 2, 2);
    if (gre[0] & GRE_KEY)
        memcpy(p + MISC_GRE_KEY, gre + ((gre[0] & GRE_CHECKSUM) ? 8 : 4), 4);
}

static void put_geneve(uint8_t *p, const uint8_t *geneve)
{
    memcpy(p + MISC_GENEVE_VNI, geneve + 4, 3);
    p[MISC_GENEVE_OAM] = (geneve[1] & GENEVE_OAM) != 0;
    p[MISC_GENEVE_OPT_LEN] = geneve[0] & GENEVE_OPTIONS_MASK;
    memcpy(p + MISC_GENEVE_PROTOCOL, geneve + 2, 2);
}

/* A TPID and the TCI behind it. */
static void put_second_tag(uint8_t *p, const uint8_t *tag, unsigned tci_at, uint8_t c, uint8_t s)
{
    memcpy(p + tci_at, tag + 2, 2);
    p[MISC_SECOND_TAGS] |= rs_get_be16(tag) == RS_ETHERTYPE_VLAN ? c : s;
}

/* The low 20 bits of the header's first word. */
static void put_flow_label(uint8_t *p, const uint8_t *ip)
{
    p[1] = ip[1] & 0x0f;
    p[2] = ip[2];
    p[3] = ip[3];
}

static void put_misc_of_packet(uint8_t *p, const uint8_t *frame, const struct rs_packet *pkt,
                               unsigned flow_label_at, unsigned spi_at)
{
    if (pkt->ip_version == 6)
        put_flow_label(p + flow_label_at, frame + pkt->l3_off);
    if (pkt->ip_version && pkt->ip_proto == IPPROTO_ESP_HERE && !pkt->is_fragment && pkt->l4_off &&
        pkt->l4_len >= 4)
        memcpy(p + spi_at, frame + pkt->l4_off, 4);
}

static void put_misc(uint8_t *p, struct cxemu_match *match, const struct cxemu_tunnel *t)
{
    const struct cxemu_rx_frame *frame = match->frame;
    const uint8_t *tunnel_header = frame->data + t->header_off;

    memset(p, 0, CXEMU_MATCH_PART_BYTES);
    p[MISC_SOURCE_SQN] = (uint8_t)(match->sqn >> 16);
    p[MISC_SOURCE_SQN + 1] = (uint8_t)(match->sqn >> 8);
    p[MISC_SOURCE_SQN + 2] = (uint8_t)match->sqn;
    if (frame->second_tag_off)
        put_second_tag(p, frame->data + frame->second_tag_off, MISC_OUTER_SECOND_TCI,
                       OUTER_SECOND_CVLAN, OUTER_SECOND_SVLAN);
    put_misc_of_packet(p, frame->data, &frame->pkt, MISC_OUTER_FLOW_LABEL, MISC_OUTER_ESP_SPI);
    if (t->type == CXEMU_TUNNEL_GRE)
        put_gre(p, tunnel_header);
    else if (t->type == CXEMU_TUNNEL_VXLAN)
        memcpy(p + MISC_VXLAN_VNI, tunnel_header + 4, 3);
    else if (t->type == CXEMU_TUNNEL_GENEVE)
        put_geneve(p, tunnel_header);
    if (!t->has_inner)
        return;
    if (t->inner_second_tag_off)
        put_second_tag(p, frame->data + t->inner_second_tag_off, MISC_INNER_SECOND_TCI,
                       INNER_SECOND_CVLAN, INNER_SECOND_SVLAN);
    put_misc_of_packet(p, frame->data, &t->inner, MISC_INNER_FLOW_LABEL, MISC_INNER_ESP_SPI);
}

static unsigned inner_label_at(const struct cxemu_tunnel *t)
{
    if (t->type == CXEMU_TUNNEL_MPLS_UDP)
        return MISC2_MPLS_OVER_UDP;
    return t->type == CXEMU_TUNNEL_GRE && !t->has_inner_eth ? MISC2_MPLS_OVER_GRE
                                                            : MISC2_INNER_MPLS;
}

static void put_misc2(uint8_t *p, const struct cxemu_rx_frame *frame, const struct cxemu_tunnel *t)
{
    memset(p, 0, CXEMU_MATCH_PART_BYTES);
    if (frame->mpls_off)
        memcpy(p + MISC2_OUTER_MPLS, frame->data + frame->mpls_off, 4);
    if (t->mpls_off)
        memcpy(p + inner_label_at(t), frame->data + t->mpls_off, 4);
}

static void put_tcp(uint8_t *p, const uint8_t *frame, const struct rs_packet *pkt, unsigned seq_at,
                    unsigned ack_at)
{
    if (!pkt->has_ports || pkt->is_fragment || pkt->ip_proto != RS_IPPROTO_TCP)
        return;
    memcpy(p + seq_at, frame + pkt->l4_off + 4, 4);
    memcpy(p + ack_at, frame + pkt->l4_off + 8, 4);
}

static void put_icmp(uint8_t *p, const uint8_t *frame, const struct rs_packet *pkt)
{
    const uint8_t *icmp = frame + pkt->l4_off;
    bool v4 = pkt->ip_version == 4 && pkt->ip_proto == RS_IPPROTO_ICMP;
    bool v6 = pkt->ip_version == 6 && pkt->ip_proto == IPPROTO_ICMPV6_HERE;

    if (!(v4 || v6) || pkt->is_fragment || !pkt->l4_off || pkt->l4_len < ICMP_HEADER_BYTES)
        return;
    memcpy(p + (v4 ? MISC3_ICMP_DATA : MISC3_ICMPV6_DATA), icmp + 4, 4);
    memcpy(p + (v4 ? MISC3_ICMP_TYPE : MISC3_ICMPV6_TYPE), icmp, 2); /* type, code */
}

static void put_misc3(uint8_t *p, const struct cxemu_rx_frame *frame, const struct cxemu_tunnel *t)
{
    memset(p, 0, CXEMU_MATCH_PART_BYTES);
    put_tcp(p, frame->data, &frame->pkt, MISC3_OUTER_TCP_SEQ, MISC3_OUTER_TCP_ACK);
    put_icmp(p, frame->data, &frame->pkt);
    if (t->has_inner)
        put_tcp(p, frame->data, &t->inner, MISC3_INNER_TCP_SEQ, MISC3_INNER_TCP_ACK);
    if (t->type == CXEMU_TUNNEL_VXLAN_GPE) {
        const uint8_t *gpe = frame->data + t->header_off;
        memcpy(p + MISC3_GPE_VNI, gpe + 4, 3);
        p[MISC3_GPE_NEXT_PROTOCOL] = gpe[3];
        p[MISC3_GPE_FLAGS] = gpe[0];
    }
}

static uint64_t *part_words(struct cxemu_match *match, enum cxemu_match_part part)
{
    return match->words + part * CXEMU_MATCH_PART_WORDS;
}

void cxemu_match_extend(struct cxemu_match *match, uint32_t parts)
{
    const struct cxemu_tunnel *tunnel = cxemu_frame_tunnel(match->frame);

    if (parts & 1u << CXEMU_PART_MISC)
        put_misc((uint8_t *)part_words(match, CXEMU_PART_MISC), match, tunnel);
    if (parts & 1u << CXEMU_PART_INNER)
        put_inner(part_words(match, CXEMU_PART_INNER), match->frame, tunnel);
    if (parts & 1u << CXEMU_PART_MISC2)
        put_misc2((uint8_t *)part_words(match, CXEMU_PART_MISC2), match->frame, tunnel);
    if (parts & 1u << CXEMU_PART_MISC3)
        put_misc3((uint8_t *)part_words(match, CXEMU_PART_MISC3), match->frame, tunnel);
    match->parts |= parts;
}

/* --- what there is to look at --------------------------------------------------------------------
 */

static const uint8_t known_headers[CXEMU_MATCH_PART_BYTES] = {
    [0 ... 23] = 0xff, /* to tcp_dport */
    [27 ... 63] = 0xff,
};
static const uint8_t known_misc[CXEMU_MATCH_PART_BYTES] = {
    [MISC_GRE_FLAGS] = GRE_FLAGS,
    [MISC_SOURCE_SQN... MISC_SOURCE_SQN + 2] = 0xff,
    [MISC_OUTER_SECOND_TCI... MISC_INNER_SECOND_TCI + 1] = 0xff,
    [MISC_SECOND_TAGS] = 0xf0,
    [MISC_GRE_PROTOCOL... MISC_VXLAN_VNI + 2] = 0xff,
    [MISC_GENEVE_VNI... MISC_GENEVE_VNI + 2] = 0xff,
    [MISC_GENEVE_OAM] = 0x01,
    [MISC_OUTER_FLOW_LABEL + 1] = 0x0f,
    [MISC_OUTER_FLOW_LABEL + 2 ... MISC_OUTER_FLOW_LABEL + 3] = 0xff,
    [MISC_INNER_FLOW_LABEL + 1] = 0x0f,
    [MISC_INNER_FLOW_LABEL + 2 ... MISC_INNER_FLOW_LABEL + 3] = 0xff,
    [MISC_GENEVE_OPT_LEN] = GENEVE_OPTIONS_MASK,
    [MISC_GENEVE_PROTOCOL... MISC_GENEVE_PROTOCOL + 1] = 0xff,
    [MISC_INNER_ESP_SPI... MISC_OUTER_ESP_SPI + 3] = 0xff,
};
static const uint8_t known_misc2[CXEMU_MATCH_PART_BYTES] = {
    [MISC2_OUTER_MPLS... MISC2_MPLS_OVER_UDP + 3] = 0xff,
};
static const uint8_t known_misc3[CXEMU_MATCH_PART_BYTES] = {
    [MISC3_INNER_TCP_SEQ... MISC3_OUTER_TCP_ACK + 3] = 0xff,
    [MISC3_GPE_VNI... MISC3_GPE_FLAGS] = 0xff,
    [MISC3_ICMP_DATA... MISC3_ICMPV6_TYPE + 1] = 0xff,
};

bool cxemu_match_is_supported(const uint8_t mask[CXEMU_MATCH_BYTES], bool egress)
{
    static const uint8_t *const known[CXEMU_PARTS] = {known_headers, known_misc, known_headers,
                                                      known_misc2, known_misc3};
    const uint8_t *misc = mask + CXEMU_PART_MISC * CXEMU_MATCH_PART_BYTES;

    for (unsigned part = 0; part < CXEMU_PARTS; part++)
        for (unsigned i = 0; i < CXEMU_MATCH_PART_BYTES; i++)
            if (mask[part * CXEMU_MATCH_PART_BYTES + i] & ~known[part][i])
                return false;
    /* what comes from the wire has no send queue */
    return egress ||
           !(misc[MISC_SOURCE_SQN] | misc[MISC_SOURCE_SQN + 1] | misc[MISC_SOURCE_SQN + 2]);
}
