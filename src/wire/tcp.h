/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: the TCP header and its options (RFC 9293 3.1 and 3.2, RFC 7323 2 and 3, RFC 2018 2). What
 * the numbers mean to a connection is src/stack/tcp_*.c's.
 */
#ifndef WIRE_TCP_H
#define WIRE_TCP_H

#include "base/order.h"

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RS_TCP_BYTES_MIN 20u
#define RS_TCP_BYTES_MAX 60u

#define RS_TCP_FIN 0x01u
#define RS_TCP_SYN 0x02u
#define RS_TCP_RST 0x04u
#define RS_TCP_PSH 0x08u
#define RS_TCP_ACK 0x10u
#define RS_TCP_URG 0x20u
#define RS_TCP_ECE 0x40u
#define RS_TCP_CWR 0x80u

struct rs_tcp_wire {
    struct rs_be16 src_port, dst_port;
    struct rs_be32 seq, ack;
    uint8_t data_off; /* upper four bits: header length in 32-bit words */
    uint8_t flags;
    struct rs_be16 wnd, csum, urgent;
};

/* Options, each with a mark of presence. */
struct rs_tcp_options {
    bool has_mss, has_wscale, has_ts, sack_permitted;
    uint8_t wscale; /* as sent: may exceed 14 */
    uint16_t mss;
    uint32_t ts_val, ts_ecr;
};

struct rs_tcp_header {
    uint16_t src_port, dst_port;
    uint32_t seq, ack;
    uint16_t wnd; /* as in the header, not scaled */
    uint16_t urgent;
    uint8_t flags;        /* RS_TCP_* */
    uint8_t header_bytes; /* parse: with options, within the segment; emit: not read */
    struct rs_tcp_options options;
};

/* The header and every option it has. False: truncated, or a data offset under 5 or past the end.
 * Options of a wrong length, and what follows one whose length is 0, 1 or past the header, are left
 * out: a bad option never costs the segment (RFC 9293 3.2, MUST-7). */
RS_MUST_USE bool rs_tcp_header_parse(const uint8_t *bytes, uint32_t len, struct rs_tcp_header *out);

/* Bytes that emit will write. */
unsigned rs_tcp_header_bytes(const struct rs_tcp_options *options);
/* Writes header and options, padded to 32 bits, checksum 0; returns how many bytes. */
unsigned rs_tcp_header_emit(uint8_t *bytes, const struct rs_tcp_header *header);

#ifdef __cplusplus
}
#endif
#endif
