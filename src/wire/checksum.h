/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: the Internet checksum (RFC 1071) over scattered pieces, the pseudo headers of IPv4
 * (RFC 9293 3.1, RFC 768) and IPv6 (RFC 8200 8.1), and its incremental update (RFC 1624).
 *
 * Protocol of use: struct rs_csum c = {0}; (rs_csum_add | rs_csum_add_pseudo_*)*; rs_csum_finish.
 * A pseudo header may come at any place that is at an even offset of the sum: first, by habit.
 * Checksums are host-order numbers here; rs_put_be16 writes them.
 */
#ifndef WIRE_CHECKSUM_H
#define WIRE_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_csum {
    uint64_t sum; /* one's complement sum so far, in the host's byte order, not folded */
    bool odd;     /* an odd number of bytes was added: the next byte is a low one */
};

void rs_csum_add(struct rs_csum *c, const void *bytes, size_t len);

/* src, dst: 4 and 16 bytes of address; len: of the transport header and payload. */
void rs_csum_add_pseudo_v4(struct rs_csum *c, const uint8_t *src, const uint8_t *dst, uint8_t proto,
                           uint16_t len);
void rs_csum_add_pseudo_v6(struct rs_csum *c, const uint8_t *src, const uint8_t *dst, uint8_t proto,
                           uint32_t len);

/* The checksum of what was added. Over data that already holds its checksum: 0 when it is right. */
uint16_t rs_csum_finish(const struct rs_csum *c);
/* The same for UDP, where a computed 0 is sent as 0xffff (RFC 768). */
uint16_t rs_csum_finish_udp(const struct rs_csum *c);

/* All of one piece. */
uint16_t rs_csum_of(const void *bytes, size_t len);

/* The checksum after one 16-bit (32-bit) word of the data changed, RFC 1624 3, equation 3. */
uint16_t rs_csum_update16(uint16_t csum, uint16_t from, uint16_t to);
uint16_t rs_csum_update32(uint16_t csum, uint32_t from, uint32_t to);

#ifdef __cplusplus
}
#endif
#endif
