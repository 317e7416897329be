/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counter names. Fields come from CXEMU_COUNTERS; views are what mlx5 shows of them, each a sum of
 * fields, some subtracted (unicast is what is neither multicast nor broadcast). A view without
 * fields counts what cannot happen here (RDMA), and is there because programs look for its name.
 */
#include "cxemu/core/counters.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define OWN_PREFIX "cxemu_"

enum {
    TERMS_MAX = 3,
    WORD_BYTES = 4, /* sysfs port_*_data count these */
    FCS_BYTES = 4,
};

enum field {
#define FIELD_NUMBER(name) F_##name,
    CXEMU_COUNTERS(FIELD_NUMBER)
#undef FIELD_NUMBER
        FIELDS
};

static const char *const field_names[FIELDS] = {
#define FIELD_NAME(name) [F_##name] = #name,
    CXEMU_COUNTERS(FIELD_NAME)
#undef FIELD_NAME
};

static_assert(sizeof(struct cxemu_counters) == FIELDS * sizeof(uint64_t), "an array of counters");

struct term {
    uint16_t field; /* number + 1; 0: none */
    int8_t times;
};

struct view {
    const char *name;
    struct term terms[TERMS_MAX];
    uint8_t divide_by; /* 0: 1 */
};

#define PLUS(f)      \
    {                \
        F_##f + 1, 1 \
    }
#define MINUS(f)      \
    {                 \
        F_##f + 1, -1 \
    }
#define TIMES(f, n)    \
    {                  \
        F_##f + 1, (n) \
    }
#define UNICAST(dir, unit)                                                               \
    {                                                                                    \
        PLUS(dir##_##unit), MINUS(dir##_multicast_##unit), MINUS(dir##_broadcast_##unit) \
    }
#define SAME(view, field)                        \
    {                                            \
        .name = (view), .terms = { PLUS(field) } \
    }
#define NEVER(view)    \
    {                  \
        .name = (view) \
    }

static const struct view ethtool_views[] = {
    {.name = "rx_vport_unicast_packets", .terms = UNICAST(rx, packets)},
    {.name = "rx_vport_unicast_bytes", .terms = UNICAST(rx, bytes)},
    {.name = "tx_vport_unicast_packets", .terms = UNICAST(tx, packets)},
    {.name = "tx_vport_unicast_bytes", .terms = UNICAST(tx, bytes)},
    SAME("rx_vport_multicast_packets", rx_multicast_packets),
    SAME("rx_vport_multicast_bytes", rx_multicast_bytes),
    SAME("tx_vport_multicast_packets", tx_multicast_packets),
    SAME("tx_vport_multicast_bytes", tx_multicast_bytes),
    SAME("rx_vport_broadcast_packets", rx_broadcast_packets),
    SAME("rx_vport_broadcast_bytes", rx_broadcast_bytes),
    SAME("tx_vport_broadcast_packets", tx_broadcast_packets),
    SAME("tx_vport_broadcast_bytes", tx_broadcast_bytes),
    NEVER("rx_vport_rdma_unicast_packets"),
    NEVER("rx_vport_rdma_unicast_bytes"),
    NEVER("tx_vport_rdma_unicast_packets"),
    NEVER("tx_vport_rdma_unicast_bytes"),
    SAME("rx_out_of_buffer", rx_out_of_buffer),
    SAME("rx_steer_missed_packets", rx_dropped_no_match),
    SAME("tx_packets_phy", tx_packets),
    SAME("rx_packets_phy", rx_packets),
    SAME("rx_crc_errors_phy", rx_errors_crc),
    /* counters.rst: "including Ethernet header and FCS" */
    {.name = "tx_bytes_phy", .terms = {PLUS(tx_bytes), TIMES(tx_packets, FCS_BYTES)}},
    {.name = "rx_bytes_phy", .terms = {PLUS(rx_bytes), TIMES(rx_packets, FCS_BYTES)}},
    SAME("tx_multicast_phy", tx_multicast_packets),
    SAME("tx_broadcast_phy", tx_broadcast_packets),
    SAME("rx_multicast_phy", rx_multicast_packets),
    SAME("rx_broadcast_phy", rx_broadcast_packets),
    SAME("rx_undersize_pkts_phy", rx_errors_short),
    SAME("rx_oversize_pkts_phy", rx_errors_oversize),
    SAME("rx_discards_phy", rx_discards),
    SAME("tx_discards_phy", tx_dropped_link_down),
    SAME("link_down_events_phy", link_down_events),
};

static const struct view port_views[] = {
    {.name = "port_rcv_data", .terms = {PLUS(rx_bytes)}, .divide_by = WORD_BYTES},
    {.name = "port_xmit_data", .terms = {PLUS(tx_bytes)}, .divide_by = WORD_BYTES},
    SAME("port_rcv_packets", rx_packets),
    SAME("port_xmit_packets", tx_packets),
    {.name = "unicast_rcv_packets", .terms = UNICAST(rx, packets)},
    {.name = "unicast_xmit_packets", .terms = UNICAST(tx, packets)},
    {.name = "multicast_rcv_packets",
     .terms = {PLUS(rx_multicast_packets), PLUS(rx_broadcast_packets)}},
    {.name = "multicast_xmit_packets",
     .terms = {PLUS(tx_multicast_packets), PLUS(tx_broadcast_packets)}},
    {.name = "port_rcv_errors",
     .terms = {PLUS(rx_errors_crc), PLUS(rx_errors_oversize), PLUS(rx_errors_short)}},
    SAME("port_xmit_discards", tx_dropped_link_down),
    SAME("port_xmit_wait", tx_backpressure),
    SAME("link_downed", link_down_events),
    NEVER("VL15_dropped"),
    NEVER("excessive_buffer_overrun_errors"),
    NEVER("link_error_recovery"),
    NEVER("local_link_integrity_errors"),
    NEVER("port_rcv_constraint_errors"),
    NEVER("port_rcv_remote_physical_errors"),
    NEVER("port_rcv_switch_relay_errors"),
    NEVER("port_xmit_constraint_errors"),
    NEVER("symbol_error"),
};

static const struct view hw_views[] = {
    SAME("out_of_buffer", rx_out_of_buffer),
    SAME("resp_local_length_error", rx_errors_length),
    SAME("resp_cqe_error", resp_cqe_errors),
    SAME("resp_cqe_flush_error", resp_cqe_flush_errors),
    SAME("req_cqe_error", req_cqe_errors),
    SAME("req_cqe_flush_error", req_cqe_flush_errors),
    NEVER("rx_write_requests"),
    NEVER("rx_read_requests"),
    NEVER("rx_atomic_requests"),
    NEVER("rx_dct_connect"),
    NEVER("out_of_sequence"),
    NEVER("duplicate_request"),
    NEVER("rnr_nak_retry_err"),
    NEVER("packet_seq_err"),
    NEVER("implied_nak_seq_err"),
    NEVER("local_ack_timeout_err"),
    NEVER("req_remote_invalid_request"),
    NEVER("req_remote_access_errors"),
    NEVER("resp_remote_access_errors"),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const struct view *views;
    size_t count;
} lists[CXEMU_LIST_OWN] = {
    [CXEMU_LIST_ETHTOOL] = {ethtool_views, COUNT(ethtool_views)},
    [CXEMU_LIST_PORT] = {port_views, COUNT(port_views)},
    [CXEMU_LIST_HW] = {hw_views, COUNT(hw_views)},
};

static uint64_t field_value(const struct cxemu_counters *counters, size_t field)
{
    uint64_t value;

    memcpy(&value, (const char *)counters + field * sizeof(value), sizeof(value));
    return value;
}

static uint64_t view_value(const struct cxemu_counters *counters, const struct view *view)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < TERMS_MAX && view->terms[i].field; i++)
        sum += field_value(counters, view->terms[i].field - 1u) *
               (uint64_t)(int64_t)view->terms[i].times;
    return view->divide_by ? sum / view->divide_by : sum;
}

/* Does a name of mlx5 show just this field? */
static bool has_mlx5_name(size_t field)
{
    for (size_t l = 0; l < COUNT(lists); l++) {
        for (size_t i = 0; i < lists[l].count; i++) {
            const struct term *terms = lists[l].views[i].terms;
            if (terms[0].field == field + 1 && !terms[1].field)
                return true;
        }
    }
    return false;
}

static size_t list_own(const struct cxemu_counters *counters, struct cxemu_counter_value *out,
                       size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < FIELDS; i++) {
        if (has_mlx5_name(i))
            continue;
        if (n < max) {
            snprintf(out[n].name, sizeof(out[n].name), OWN_PREFIX "%s", field_names[i]);
            out[n].value = field_value(counters, i);
        }
        n++;
    }
    return n;
}

size_t cxemu_counters_list(const struct cxemu_counters *counters, enum cxemu_counter_list list,
                           struct cxemu_counter_value *out, size_t max)
{
    if (list == CXEMU_LIST_OWN)
        return list_own(counters, out, max);
    for (size_t i = 0; i < lists[list].count && i < max; i++) {
        snprintf(out[i].name, sizeof(out[i].name), "%s", lists[list].views[i].name);
        out[i].value = view_value(counters, &lists[list].views[i]);
    }
    return lists[list].count;
}

bool cxemu_counters_get(const struct cxemu_counters *counters, const char *name, uint64_t *value)
{
    if (strncmp(name, OWN_PREFIX, strlen(OWN_PREFIX)) == 0)
        name += strlen(OWN_PREFIX);
    for (size_t i = 0; i < FIELDS; i++) {
        if (strcmp(field_names[i], name) == 0) {
            *value = field_value(counters, i);
            return true;
        }
    }
    for (size_t l = 0; l < COUNT(lists); l++) {
        for (size_t i = 0; i < lists[l].count; i++) {
            if (strcmp(lists[l].views[i].name, name) == 0) {
                *value = view_value(counters, &lists[l].views[i]);
                return true;
            }
        }
    }
    return false;
}
