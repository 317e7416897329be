/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: parsing and emitting TCP headers and options (RFC 9293 3.1, 3.2). */
#include "wire/tcp.h"

#include <string.h>

_Static_assert(sizeof(struct rs_tcp_wire) == RS_TCP_BYTES_MIN, "wire layout");

/* Option kinds, https://www.iana.org/assignments/tcp-parameters */
enum {
    OPT_END = 0,
    OPT_NOP = 1,
    OPT_MSS = 2,
    OPT_WSCALE = 3,
    OPT_SACK_PERMITTED = 4,
    OPT_TIMESTAMPS = 8,
};

enum { LEN_MSS = 4, LEN_WSCALE = 3, LEN_SACK_PERMITTED = 2, LEN_TIMESTAMPS = 10 };

static void parse_option(const uint8_t *opt, uint8_t len, struct rs_tcp_options *out)
{
    if (opt[0] == OPT_MSS && len == LEN_MSS) {
        out->has_mss = true;
        out->mss = rs_get_be16(opt + 2);
    } else if (opt[0] == OPT_WSCALE && len == LEN_WSCALE) {
        out->has_wscale = true;
        out->wscale = opt[2];
    } else if (opt[0] == OPT_SACK_PERMITTED && len == LEN_SACK_PERMITTED) {
        out->sack_permitted = true;
    } else if (opt[0] == OPT_TIMESTAMPS && len == LEN_TIMESTAMPS) {
        out->has_ts = true;
        out->ts_val = rs_get_be32(opt + 2);
        out->ts_ecr = rs_get_be32(opt + 6);
    }
}

static void parse_options(const uint8_t *at, const uint8_t *end, struct rs_tcp_options *out)
{
    while (at < end && *at != OPT_END) {
        uint8_t len;

        if (*at == OPT_NOP) {
            at++;
            continue;
        }
        if (end - at < 2)
            return;
        len = at[1];
        /* A length that does not advance or leaves the header ends the list. */
        if (len < 2 || len > end - at)
            return;
        parse_option(at, len, out); /* RFC 9293 3.2: unknown kinds are skipped by length, MUST-6 */
        at += len;
    }
}

bool rs_tcp_header_parse(const uint8_t *bytes, uint32_t len, struct rs_tcp_header *out)
{
    struct rs_tcp_wire wire;
    unsigned header_bytes;

    if (len < sizeof(wire))
        return false;
    memcpy(&wire, bytes, sizeof(wire));
    header_bytes = (wire.data_off >> 4) * 4u;
    if (header_bytes < sizeof(wire) || header_bytes > len)
        return false;
    *out = (struct rs_tcp_header){
        .src_port = rs_be16_get(wire.src_port),
        .dst_port = rs_be16_get(wire.dst_port),
        .seq = rs_be32_get(wire.seq),
        .ack = rs_be32_get(wire.ack),
        .wnd = rs_be16_get(wire.wnd),
        .urgent = rs_be16_get(wire.urgent),
        .flags = wire.flags,
        .header_bytes = (uint8_t)header_bytes,
    };
    parse_options(bytes + sizeof(wire), bytes + header_bytes, &out->options);
    return true;
}

unsigned rs_tcp_header_bytes(const struct rs_tcp_options *options)
{
    unsigned bytes = RS_TCP_BYTES_MIN;

    bytes += options->has_mss ? LEN_MSS : 0;
    bytes += options->has_wscale ? LEN_WSCALE + 1u : 0;
    if (options->has_ts)
        bytes += LEN_TIMESTAMPS + 2u; /* with SACK-permitted in the place of its padding, or NOPs */
    else if (options->sack_permitted)
        bytes += LEN_SACK_PERMITTED + 2u;
    return bytes;
}

static uint8_t *emit_sack_permitted(uint8_t *at, bool present)
{
    at[0] = present ? OPT_SACK_PERMITTED : OPT_NOP;
    at[1] = present ? LEN_SACK_PERMITTED : OPT_NOP;
    return at + 2;
}

/* Each option takes whole words, so that the timestamps lie aligned as RFC 7323 appendix A has
 * them. */
static uint8_t *emit_options(uint8_t *at, const struct rs_tcp_options *options)
{
    if (options->has_mss) {
        *at++ = OPT_MSS;
        *at++ = LEN_MSS;
        rs_put_be16(at, options->mss);
        at += 2;
    }
    if (options->has_ts) {
        at = emit_sack_permitted(at, options->sack_permitted);
        *at++ = OPT_TIMESTAMPS;
        *at++ = LEN_TIMESTAMPS;
        rs_put_be32(at, options->ts_val);
        rs_put_be32(at + 4, options->ts_ecr);
        at += 8;
    } else if (options->sack_permitted) {
        at = emit_sack_permitted(at, false);
        at = emit_sack_permitted(at, true);
    }
    if (options->has_wscale) {
        *at++ = OPT_NOP;
        *at++ = OPT_WSCALE;
        *at++ = LEN_WSCALE;
        *at++ = options->wscale;
    }
    return at;
}

unsigned rs_tcp_header_emit(uint8_t *bytes, const struct rs_tcp_header *header)
{
    unsigned header_bytes =
        (unsigned)(emit_options(bytes + RS_TCP_BYTES_MIN, &header->options) - bytes);
    struct rs_tcp_wire wire = {
        .src_port = rs_be16_make(header->src_port),
        .dst_port = rs_be16_make(header->dst_port),
        .seq = rs_be32_make(header->seq),
        .ack = rs_be32_make(header->ack),
        .data_off = (uint8_t)((header_bytes / 4u) << 4),
        .flags = header->flags,
        .wnd = rs_be16_make(header->wnd),
        .urgent = rs_be16_make(header->urgent),
    };

    memcpy(bytes, &wire, sizeof(wire));
    return header_bytes;
}
