/* SPDX-License-Identifier: BSD-2-Clause */
/* Checksum offload of hwtap_mem: what a NIC does to a frame, on a frame in memory. */
#ifndef DATAPLANE_MEM_CSUM_H
#define DATAPLANE_MEM_CSUM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes the IPv4 header checksum and, in an unfragmented packet, the TCP or UDP one, whatever the
 * fields held. A frame that is not IPv4, or malformed, is left as it is. */
void hwtap_mem_csum_fill(uint8_t *frame, uint32_t len);

/* HWTAP_RX_L3_CSUM_OK and HWTAP_RX_L4_CSUM_OK as far as verified. */
uint16_t hwtap_mem_csum_check(const uint8_t *frame, uint32_t len);

#ifdef __cplusplus
}
#endif
#endif
