/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checksum offload of hwtap_mem. One bounded parser finds the headers, fill and check work on what
 * it found. Hold beside it: RFC 1071, RFC 9293 3.1 (pseudo-header), RFC 768 (checksum 0 is none).
 */
#include "dataplane/mem_csum.h"

#include <rawstack/hwtap.h>

#define IP_PROTO_TCP 6
#define IP_PROTO_UDP 17

struct layout {
    uint32_t l3, l4;     /* offsets in the frame */
    uint32_t l3_len;     /* IPv4 header */
    uint32_t l4_len;     /* header and payload, without Ethernet padding */
    uint32_t l4_csum_at; /* 0: no TCP or UDP checksum in this packet */
    bool is_udp;
};

static uint16_t read16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void write16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t sum_add(uint32_t sum, const uint8_t *data, uint32_t len)
{
    for (; len > 1; data += 2, len -= 2)
        sum += read16(data);
    if (len == 1)
        sum += (uint32_t)data[0] << 8;
    return sum;
}

static uint16_t sum_fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* False when there is no complete IPv4 header. */
static bool locate(const uint8_t *frame, uint32_t len, struct layout *out)
{
    uint32_t at = 12;

    *out = (struct layout){0};
    if (len < 18)
        return false;
    if (read16(frame + at) == 0x8100)
        at += 4;
    if (read16(frame + at) != 0x0800)
        return false;
    out->l3 = at + 2;
    if (len < out->l3 + 20 || frame[out->l3] >> 4 != 4)
        return false;

    const uint8_t *ip = frame + out->l3;
    uint32_t total = read16(ip + 2);
    out->l3_len = (ip[0] & 0xfu) * 4;
    if (out->l3_len < 20 || total < out->l3_len || total > len - out->l3)
        return false;
    out->l4 = out->l3 + out->l3_len;
    out->l4_len = total - out->l3_len;
    if (read16(ip + 6) & 0x3fff)
        return true; /* a fragment has no transport checksum of its own */
    if (ip[9] == IP_PROTO_TCP && out->l4_len >= 20)
        out->l4_csum_at = out->l4 + 16;
    if (ip[9] == IP_PROTO_UDP && out->l4_len >= 8)
        out->l4_csum_at = out->l4 + 6;
    out->is_udp = ip[9] == IP_PROTO_UDP;
    return true;
}

static uint16_t l4_sum(const uint8_t *frame, const struct layout *at)
{
    const uint8_t *ip = frame + at->l3;
    uint32_t sum = sum_add(ip[9] + at->l4_len, ip + 12, 8);

    return sum_fold(sum_add(sum, frame + at->l4, at->l4_len));
}

void hwtap_mem_csum_fill(uint8_t *frame, uint32_t len)
{
    struct layout at;

    if (!locate(frame, len, &at))
        return;
    uint8_t *ip = frame + at.l3;
    write16(ip + 10, 0);
    write16(ip + 10, (uint16_t)~sum_fold(sum_add(0, ip, at.l3_len)));
    if (at.l4_csum_at == 0)
        return;
    write16(frame + at.l4_csum_at, 0);
    uint16_t sum = (uint16_t)~l4_sum(frame, &at);
    /* RFC 768: a sum of zero is sent as all ones. */
    write16(frame + at.l4_csum_at, sum == 0 && at.is_udp ? 0xffff : sum);
}

uint16_t hwtap_mem_csum_check(const uint8_t *frame, uint32_t len)
{
    struct layout at;
    uint16_t flags = 0;

    if (!locate(frame, len, &at))
        return 0;
    if (sum_fold(sum_add(0, frame + at.l3, at.l3_len)) == 0xffff)
        flags |= HWTAP_RX_L3_CSUM_OK;
    if (at.l4_csum_at == 0)
        return flags;
    bool none_sent = at.is_udp && read16(frame + at.l4_csum_at) == 0;
    if (!none_sent && l4_sum(frame, &at) == 0xffff)
        flags |= HWTAP_RX_L4_CSUM_OK;
    return flags;
}
