/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device can do: one bit for each capability that a user may switch off ("off=tso+rss" in a
 * NIC's description), to see what a program does without it. A bit that is clear means that the
 * device does not report the capability and refuses its use with the errno that mlx5_ib gives on a
 * device without it. Models (model.h) differ in these bits and in identity.
 *
 * Of what only the form of a send entry asks for (tso, empw, blueflame) a program learns by the
 * report, and libmlx5 then refuses or does without; the NIC itself carries out an entry of that
 * form that a program writes nevertheless. vlan_insert is reported by DevX only, of which there is
 * none.
 */
#ifndef CXEMU_UVERBS_CAPS_H
#define CXEMU_UVERBS_CAPS_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(enumerator, name in descriptions, what it stands for) */
#define CXEMU_CAP_LIST(X)                                                                          \
    X(CSUM, "csum", "checksums of IP, TCP and UDP, made and verified")                             \
    X(TSO, "tso", "TCP segmentation of one send")                                                  \
    X(VLAN_INSERT, "vlan_insert", "a VLAN tag put in on the way out")                              \
    X(VLAN_STRIP, "vlan_strip", "a VLAN tag taken off into the completion")                        \
    X(SCATTER_FCS, "scatter_fcs", "the frame check sequence handed over with the frame")           \
    X(RSS, "rss", "indirection tables and Toeplitz-hashed queue pairs")                            \
    X(STRIDING_RQ, "striding_rq", "multi-packet receive entries")                                  \
    X(EMPW, "empw", "enhanced multi-packet send entries")                                          \
    X(BLUEFLAME, "blueflame", "entries pushed through the UAR")                                    \
    X(PACING, "pacing", "rate limits of queue pairs, and pacing-table entries of a program's own") \
    X(PACING_BURST, "pacing_burst", "burst and packet size of a rate limit")                       \
    X(TIMESTAMP, "timestamp", "hardware timestamps and the clock that a program may read")         \
    X(CQ_MODERATION, "cq_moderation", "fewer events than completions")                             \
    X(CQ_RESIZE, "cq_resize", "completion queues that change their size")                          \
    X(CQE_COMP, "cqe_comp", "compressed completions, agreed upon and never made")                  \
    X(FLOW_COUNTERS, "flow_counters", "packets and bytes of a flow")                               \
    X(FLOW_TUNNEL, "flow_tunnel", "flows by VXLAN, GRE and inner headers")                         \
    X(FLOW_EGRESS, "flow_egress", "flows on the way out")                                          \
    X(SNIFFER, "sniffer", "a copy of all that the port carries")                                   \
    X(MATCHER, "matcher", "flow matchers in the PRM's own layout")

enum cxemu_cap {
#define X(name, text, what) CXEMU_CAP_##name,
    CXEMU_CAP_LIST(X)
#undef X
        CXEMU_CAPS
};

#define CXEMU_CAPS_ALL ((1u << CXEMU_CAPS) - 1)

/* What this emulator does so far; a device has no bit beyond it. A feature adds its own when it
 * works, and then device_caps.c reports it. */
#define CXEMU_CAPS_BUILT                                                                     \
    (1u << CXEMU_CAP_CSUM | 1u << CXEMU_CAP_BLUEFLAME | 1u << CXEMU_CAP_TIMESTAMP |          \
     1u << CXEMU_CAP_TSO | 1u << CXEMU_CAP_VLAN_INSERT | 1u << CXEMU_CAP_EMPW |              \
     1u << CXEMU_CAP_PACING | 1u << CXEMU_CAP_PACING_BURST | 1u << CXEMU_CAP_CQ_MODERATION | \
     1u << CXEMU_CAP_CQ_RESIZE | 1u << CXEMU_CAP_CQE_COMP | 1u << CXEMU_CAP_FLOW_COUNTERS |  \
     1u << CXEMU_CAP_FLOW_TUNNEL | 1u << CXEMU_CAP_FLOW_EGRESS | 1u << CXEMU_CAP_SNIFFER |   \
     1u << CXEMU_CAP_MATCHER | 1u << CXEMU_CAP_VLAN_STRIP | 1u << CXEMU_CAP_SCATTER_FCS |    \
     1u << CXEMU_CAP_RSS | 1u << CXEMU_CAP_STRIDING_RQ)

static inline bool cxemu_caps_have(uint32_t caps, enum cxemu_cap cap)
{
    return caps >> cap & 1;
}

const char *cxemu_caps_name(enum cxemu_cap cap);
/* "tso+rss" as bits; -1: a name that is none, *bad_len letters at *bad. */
RS_MUST_USE int cxemu_caps_parse(const char *list, uint32_t *caps, const char **bad,
                                 size_t *bad_len);

#ifdef __cplusplus
}
#endif
#endif
