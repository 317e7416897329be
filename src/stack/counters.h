/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the stack's counters, each once: an enum value and the name that users see. A drop is
 * counted under its reason, drop_<layer>_<reason>. */
#ifndef STACK_COUNTERS_H
#define STACK_COUNTERS_H

#define RS_COUNTERS(X) \
    X(rx_frames)       \
    X(tx_frames)       \
    X(drop_tx_no_buffer)

#define RS_COUNTER_ENUM(name) RS_COUNTER_##name,
enum rs_counter_id { RS_COUNTERS(RS_COUNTER_ENUM) RS_COUNTER_COUNT };
#undef RS_COUNTER_ENUM

extern const char *const rs_counter_names[RS_COUNTER_COUNT]; /* counters.c */

#endif
