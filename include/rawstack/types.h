/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Plain data that every public header shares: addresses, endpoints, export and
 * must-use marks. Addresses are bytes in wire order; ports are host-order numbers.
 */
#ifndef RAWSTACK_TYPES_H
#define RAWSTACK_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RS_API      __attribute__((visibility("default")))
#define RS_MUST_USE __attribute__((warn_unused_result))

/* A MAC address, as on the wire. */
struct rs_mac {
    uint8_t bytes[6];
};

enum rs_family {
    RS_FAMILY_NONE = 0, /* an absent or wildcard address */
    RS_FAMILY_IPV4 = 4,
    RS_FAMILY_IPV6 = 6,
};

/* An IP address. bytes[0..3] hold an IPv4 address, all 16 an IPv6 one; the unused rest is zero, so
 * that two addresses are equal exactly when memcmp says so. */
struct rs_ip {
    uint8_t bytes[16];
    uint8_t family; /* enum rs_family */
};

struct rs_endpoint {
    struct rs_ip ip;
    uint16_t port; /* host order; 0 is "any" where a wildcard is allowed */
};

/* Levels of the log callbacks of stack and TAPM. Nothing on the packet path logs. */
enum rs_log_level { RS_LOG_ERROR, RS_LOG_WARN, RS_LOG_INFO, RS_LOG_DEBUG };

/* Called on the thread that met the event; `text` is one line without newline, valid only during
 * the call. NULL as a callback: nothing is logged, and nothing is ever printed by the library. */
typedef void (*rs_log_fn)(void *ctx, enum rs_log_level level, const char *text);

#ifdef __cplusplus
}
#endif
#endif
