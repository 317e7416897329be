/* SPDX-License-Identifier: BSD-2-Clause */
/* A match as verbs wants it. Hold beside it: ibv_create_flow(3). */
#ifndef CONTROL_FLOW_H
#define CONTROL_FLOW_H

#include "control/match.h"

#include <infiniband/verbs.h>
#include <stdalign.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TAPM_FLOW_TAG_NONE 0u
#define TAPM_FLOW_TAG_MAX  0xfffffeu /* mlx5 has 24 bits, and takes the last for "none" */

/* Room for the attribute and every specification that can follow it, packed as the ABI wants. */
struct tapm_flow_attr {
    alignas(8) uint8_t bytes[512];
};

/* Builds the flow of a canonical match. The attribute is at out->bytes. */
void tapm_flow_build(const struct rs_match *match, uint8_t port, uint32_t tag,
                     struct tapm_flow_attr *out);

#ifdef __cplusplus
}
#endif
#endif
