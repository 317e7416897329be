/* SPDX-License-Identifier: BSD-2-Clause */
/* A wire on which a recorded file comes in, each frame at its time; what is sent is heard by
 * nobody, and counted so. wire_record.h writes it down. */
#ifndef CXEMU_WIRES_WIRE_PCAP_H
#define CXEMU_WIRES_WIRE_PCAP_H

#include "cxemu/core/clock.h"
#include "cxemu/core/wire.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_wire_pcap_attr {
    const char *path;
    uint32_t speed_percent; /* of the recorded; 0: as fast as frames are taken */
    uint32_t loops;         /* 0: for ever */
    uint64_t wait_ns;       /* from the moment the link is up to the first frame */
    struct cxemu_clock clock;
};

/* Errors as cxemu_pcap_in_create. */
RS_MUST_USE int cxemu_wire_pcap_create(const struct cxemu_wire_pcap_attr *attr,
                                       struct cxemu_wire **out, char *err, size_t err_len);

#ifdef __cplusplus
}
#endif
#endif
