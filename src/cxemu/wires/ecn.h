/* SPDX-License-Identifier: BSD-2-Clause */
/* Marking of congestion in a frame: RFC 3168 section 5, bits as in its section 23.1. Pure. */
#ifndef CXEMU_WIRES_ECN_H
#define CXEMU_WIRES_ECN_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cxemu_ecn {
    CXEMU_ECN_NOT_IP,      /* nothing to mark */
    CXEMU_ECN_NOT_CAPABLE, /* IP, but its ends do not take part */
    CXEMU_ECN_MARKED,      /* congestion experienced is set, perhaps it was already */
};

/* IPv4's header checksum is updated, not made anew: a wrong one stays wrong. */
enum cxemu_ecn cxemu_ecn_mark(uint8_t *frame, uint32_t len);

#ifdef __cplusplus
}
#endif
#endif
