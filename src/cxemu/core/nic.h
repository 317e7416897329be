/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The NIC as its driver sees it: what uverbs/ asks of core/. Objects are made from already
 * validated, decoded attributes; pointers into the program's memory (rings, doorbell records) are
 * as libmlx5 allocated them.
 *
 * Lock: one mutex per NIC inside core. Every function here takes it, and so does cxemu_nic_pump; a
 * destroy therefore never returns while the engine still uses the object. Callbacks run under it
 * and only note what happened (write an eventfd, append to a list): they call nothing of core.
 *
 * Formats: `struct mlx5_wqe_*`, `struct mlx5_cqe64` of <infiniband/mlx5dv.h>; steering keys are
 * in the layout of the PRM's fte_match_param, so that verbs specs and raw matchers meet in one
 * table.
 */
#ifndef CXEMU_CORE_NIC_H
#define CXEMU_CORE_NIC_H

#include "cxemu/core/clock.h"
#include "cxemu/core/counters.h"
#include <rawstack/types.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_nic;
struct cxemu_mr;
struct cxemu_space; /* space.h */
struct cxemu_cq;
struct cxemu_qp;
struct cxemu_rq;
struct cxemu_flow;
struct cxemu_wire;
struct cxemu_bell; /* bell.h */

/* --- the device ----------------------------------------------------------------------------------
 */

struct cxemu_nic_attr {
    struct rs_mac mac;
    uint16_t mtu_bytes;
    struct cxemu_wire *wire; /* owned by the NIC afterwards; NULL: link down. Made by wire_*.h */
    int netdev_fd; /* tap descriptor (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR), owned; -1 none */
    struct cxemu_clock clock;
    bool no_stamps;     /* a NIC without timestamps leaves them 0 */
    bool no_csum;       /* nor verifies checksums */
    uint32_t clock_khz; /* of the free-running counter: 156250, 78125 or 1000000; 0: 1000000 */
    /* How long a frame may wait for a receive entry, and hold up those behind it; 0: not at all. */
    uint64_t rx_wait_ns;
};

enum cxemu_event { /* values are enum ibv_event_type's */
                   CXEMU_EVENT_CQ_ERR = 0,
                   CXEMU_EVENT_QP_FATAL = 1,
                   CXEMU_EVENT_SQ_DRAINED = 5,
                   CXEMU_EVENT_DEVICE_FATAL = 8,
                   CXEMU_EVENT_PORT_ACTIVE = 9,
                   CXEMU_EVENT_PORT_ERR = 10,
                   CXEMU_EVENT_WQ_FATAL = 19,
};

/* Port and device events, for every open context. `cookie` is the listener's. */
typedef void (*cxemu_event_fn)(void *cookie, enum cxemu_event event);

RS_MUST_USE int cxemu_nic_create(const struct cxemu_nic_attr *attr, struct cxemu_nic **out);
void cxemu_nic_destroy(struct cxemu_nic *nic); /* all objects must be gone */
RS_MUST_USE int cxemu_nic_listen(struct cxemu_nic *nic, cxemu_event_fn fn, void *cookie);
void cxemu_nic_unlisten(struct cxemu_nic *nic, cxemu_event_fn fn, void *cookie);
void cxemu_nic_link_set(struct cxemu_nic *nic,
                        bool up); /* administrative; link = this && the wire's carrier */
bool cxemu_nic_link_is_up(struct cxemu_nic *nic);
/* Calls fn under the NIC's lock, between passes, with the wire that the port is plugged into; fn
 * may wrap, unwrap or change it. Returns what fn returns; -ENODEV: the port has no wire. */
typedef int (*cxemu_wire_change_fn)(void *cookie, struct cxemu_wire **wire,
                                    const struct cxemu_clock *clock);
RS_MUST_USE int cxemu_nic_wire_change(struct cxemu_nic *nic, cxemu_wire_change_fn fn, void *cookie);
void cxemu_nic_fail(struct cxemu_nic *nic); /* device fatal: queues stop, events go out */
/* By any name it has; 0: none of that name. */
uint64_t cxemu_nic_counter(struct cxemu_nic *nic, const char *name);
/* As cxemu_counters_list: what sysfs and ethtool show, by their names. */
size_t cxemu_nic_counters(struct cxemu_nic *nic, enum cxemu_counter_list list,
                          struct cxemu_counter_value *out, size_t max);
/* The free-running hardware clock, cycles of clock_khz. */
uint64_t cxemu_nic_clock(struct cxemu_nic *nic);
/* The same clock, and UTC in nanoseconds, when the host's showed ns. A clock that was given shows
 * UTC itself. */
uint64_t cxemu_nic_cycles_at(const struct cxemu_nic *nic, uint64_t ns);
uint64_t cxemu_nic_utc_at(const struct cxemu_nic *nic, uint64_t ns);
/* The host's time that these take. */
uint64_t cxemu_nic_host_ns(const struct cxemu_nic *nic);

/* One pass: at most budget frames per queue and direction. Returns frames moved. The driver thread
 * (driver.h) and the caller's pump are the only callers. */
int cxemu_nic_pump(struct cxemu_nic *nic, unsigned budget);
/* Called at the end of every pass, under the NIC's lock, with the host's time of the pass in ns:
 * to bring a clock page up to date and to move on what waits. NULL: nobody. Afterwards the former
 * is not called any more. */
typedef void (*cxemu_pass_fn)(void *cookie, uint64_t now_ns);
void cxemu_nic_on_pass(struct cxemu_nic *nic, cxemu_pass_fn fn, void *cookie);
/* When the NIC next has something to do although nobody rings: paced frames, moderated events,
 * frames that the wire holds back. By the NIC's clock, as of the last pass; UINT64_MAX: nothing. */
uint64_t cxemu_nic_due_ns(struct cxemu_nic *nic);
/* Descriptors that become readable when a frame arrives (wire, netdev), for a driver thread that
 * sleeps; up to n. */
int cxemu_nic_poll_fds(struct cxemu_nic *nic, int *fds, int n);

/* --- loopback inside of the port
 * ---------------------------------------------------------------------
 *
 * What a queue sends to the port's own address, or to a group, comes back to the port when somebody
 * else may want it: when more than one transport domain (a user's context) is open, or a queue pair
 * asked for its own. A domain's queues do not get what the domain itself sent, unless they asked.
 * Unicast that comes back does not go to the wire as well. (mlx5_ib_enable_lb, mlx5_nic_vport_
 * update_local_lb; PRM tirc.self_lb_block, nic_vport_context.disable_{uc,mc}_local_lb.) */

enum cxemu_self_lb { CXEMU_SELF_LB_UC = 1 << 0, CXEMU_SELF_LB_MC = 1 << 1 };

/* A transport domain; never 0. */
uint32_t cxemu_nic_td_open(struct cxemu_nic *nic);
void cxemu_nic_td_close(struct cxemu_nic *nic, uint32_t td);

/* --- memory --------------------------------------------------------------------------------------
 */

struct cxemu_mr_attr {
    uint64_t iova, addr, len;  /* addr: the program's memory behind iova */
    uint32_t access;           /* IB_UVERBS_ACCESS_* */
    uint32_t pd;               /* protection domain number; queue and key must agree */
    struct cxemu_space *space; /* whose memory; the region takes a reference of its own */
};
RS_MUST_USE int cxemu_mr_create(struct cxemu_nic *nic, const struct cxemu_mr_attr *attr,
                                struct cxemu_mr **out);
/* A key of every NIC and protection domain: reads give zeros, writes are lost (dump_fill_mkey). */
#define CXEMU_NULL_KEY 0x700
uint32_t cxemu_mr_lkey(const struct cxemu_mr *mr);
RS_MUST_USE int cxemu_mr_change(struct cxemu_mr *mr,
                                const struct cxemu_mr_attr *attr); /* REREG_MR */
void cxemu_mr_destroy(struct cxemu_mr *mr);

/* --- completion queues
 * ------------------------------------------------------------------------------ */

struct cxemu_cq_attr {
    uint8_t *buf;       /* cqe_count entries of cqe_bytes */
    uint32_t cqe_count; /* power of two */
    uint32_t cqe_bytes; /* 64 or 128 (the CQE64 is then in the upper half) */
    uint32_t *doorbell; /* db[0] consumer index, db[1] arm; big endian, the program's memory */
    struct cxemu_space *space; /* of buf and doorbell; the queue takes a reference of its own */
    struct cxemu_bell *bell;   /* rung with each arming; NULL: the record is watched */
    bool real_time;            /* stamps are UTC, seconds << 32 | nanoseconds, not cycles */
    /* An armed CQ got a completion: once per arming. NULL: no channel. */
    void (*on_completion)(void *cookie);
    void (*on_error)(void *cookie); /* overrun: CQ is in error */
    void *cookie;
    bool ignore_overrun; /* the program sees to it: unread entries are written over */
};
RS_MUST_USE int cxemu_cq_create(struct cxemu_nic *nic, const struct cxemu_cq_attr *attr,
                                struct cxemu_cq **out);
uint32_t cxemu_cq_number(const struct cxemu_cq *cq);
/* Events come once `count` completions are there or `period_us` have gone by since the last event,
 * whichever is first; 0 leaves the one or the other out, both: an event for each arming. */
void cxemu_cq_moderate(struct cxemu_cq *cq, uint16_t count, uint16_t period_us);
/* The queue goes on in `buf`. The last entry in the old memory is MLX5_CQE_RESIZE_CQ; the program
 * copies what it has not read, each one further on than it was (libmlx5
 * mlx5_cq_resize_copy_cqes). -EINVAL: what is unread does not fit. */
RS_MUST_USE int cxemu_cq_resize(struct cxemu_cq *cq, uint8_t *buf, uint32_t cqe_count);
void cxemu_cq_destroy(struct cxemu_cq *cq); /* no queue uses it */

/* --- receive queues of their own (work queues)
 * ------------------------------------------------------------------ */

enum cxemu_rq_state { /* values are enum ib_wq_state's */
                      CXEMU_RQS_RST = 0,
                      CXEMU_RQS_RDY = 1,
                      CXEMU_RQS_ERR = 2,
};

struct cxemu_rq_attr {
    uint32_t pd;
    struct cxemu_cq *cq;
    uint8_t *buf;       /* wqe_count entries of 1 << wqe_shift bytes */
    uint32_t wqe_count; /* power of two; 0: none, as of a queue pair that only sends */
    uint8_t wqe_shift;
    uint32_t *doorbell;        /* the producer's record */
    struct cxemu_space *space; /* of ring and doorbell; the queue takes a reference of its own */
    uint32_t uidx;             /* reported in CQEs (cqe_version 1) */
    bool vlan_strip, scatter_fcs;
    /* Striding: an entry is 1 << strides_log strides of 1 << stride_bytes_log bytes, and takes
     * several frames. 0 bytes: an entry takes one frame. */
    uint8_t strides_log, stride_bytes_log;
    bool two_byte_shift;    /* two zeros before each frame, which align its IP header */
    enum cxemu_event fatal; /* what on_error tells */
    void (*on_error)(void *cookie, enum cxemu_event event);
    void *cookie;
};
RS_MUST_USE int cxemu_rq_create(struct cxemu_nic *nic, const struct cxemu_rq_attr *attr,
                                struct cxemu_rq **out); /* in state RST */
uint32_t cxemu_rq_number(const struct cxemu_rq *rq);
/* The transition is already judged legal by uverbs/. */
void cxemu_rq_state_set(struct cxemu_rq *rq, enum cxemu_rq_state state);
enum cxemu_rq_state cxemu_rq_state_get(struct cxemu_rq *rq);
void cxemu_rq_vlan_strip_set(struct cxemu_rq *rq, bool strip);
/* Frames that found no entry posted. */
uint64_t cxemu_rq_out_of_buffer(struct cxemu_rq *rq);
void cxemu_rq_destroy(struct cxemu_rq *rq); /* no indirection table names it */

/* --- rates
 * --------------------------------------------------------------------------------------------- */

enum {
    CXEMU_RATES = 127, /* PRM packet_pacing_rate_table_size less the unlimited one */
    CXEMU_RATE_MIN_KBPS = 1,
    CXEMU_RATE_MAX_KBPS = 400000000,
};

struct cxemu_rate {
    uint32_t kbps;            /* 0: no limit */
    uint32_t max_burst_bytes; /* back to back after a pause; 0: one frame */
    uint16_t typical_bytes;   /* part of the entry's identity; nothing here needs tuning by it */
};
/* Takes an entry of the NIC's table; equal rates share one, but for one that is dedicated. -EINVAL:
 * out of range; -ENOSPC: all are in use. */
RS_MUST_USE int cxemu_rate_get(struct cxemu_nic *nic, const struct cxemu_rate *rate, bool dedicated,
                               uint16_t *index);
void cxemu_rate_put(struct cxemu_nic *nic, uint16_t index);
uint32_t cxemu_rates_used(struct cxemu_nic *nic);

/* --- raw-packet queue pairs
 * --------------------------------------------------------------------------- */

enum cxemu_qp_state { /* values are enum ib_qp_state's */
                      CXEMU_QPS_RESET = 0,
                      CXEMU_QPS_INIT = 1,
                      CXEMU_QPS_RTR = 2,
                      CXEMU_QPS_RTS = 3,
                      CXEMU_QPS_SQD = 4,
                      CXEMU_QPS_SQE = 5,
                      CXEMU_QPS_ERR = 6,
};

/* How a queue pair takes what steering sends it. */
struct cxemu_tir_attr {
    uint32_t td;          /* transport domain: cxemu_nic_td_open; 0: none */
    uint8_t self_lb;      /* of enum cxemu_self_lb */
    bool tunnel_offloads; /* completions describe what a tunnel carries */
};

struct cxemu_qp_attr {
    uint32_t pd;
    struct cxemu_cq *send_cq, *recv_cq;
    uint8_t *sq_buf;         /* sq_wqebb_count basic blocks of 64 bytes */
    uint32_t sq_wqebb_count; /* power of two; 0: no send queue */
    uint8_t *rq_buf;         /* rq_wqe_count entries of 1 << rq_wqe_shift bytes */
    uint32_t rq_wqe_count;   /* power of two; 0: no receive queue */
    uint8_t rq_wqe_shift;
    uint32_t *doorbell;        /* db[0] RQ producer, db[1] SQ producer */
    struct cxemu_space *space; /* of rings and doorbell; the pair takes a reference of its own */
    struct cxemu_bell *bell;   /* rung with each post_send; NULL: the record is watched */
    uint32_t uidx;             /* reported in CQEs (cqe_version 1) */
    bool sq_sig_all, vlan_strip, scatter_fcs;
    struct cxemu_tir_attr tir;
    void (*on_error)(void *cookie, enum cxemu_event event);
    void *cookie;
};
RS_MUST_USE int cxemu_qp_create(struct cxemu_nic *nic, const struct cxemu_qp_attr *attr,
                                struct cxemu_qp **out);
uint32_t cxemu_qp_number(const struct cxemu_qp *qp);
uint32_t cxemu_sq_number(const struct cxemu_qp *qp);
/* The transition is already judged legal by uverbs/. To RESET: indices back to 0, doorbell records
 * cleared by libmlx5. To ERR: outstanding entries complete with flush errors. */
void cxemu_qp_state_set(struct cxemu_qp *qp, enum cxemu_qp_state state);
enum cxemu_qp_state cxemu_qp_state_get(struct cxemu_qp *qp);
/* Paces the send queue; kbps 0: not any more. Errors as cxemu_rate_get, the rate is then as before.
 * RESET and ERR end pacing. */
RS_MUST_USE int cxemu_qp_rate_set(struct cxemu_qp *qp, const struct cxemu_rate *rate);
/* Drains doorbells already rung, then removes it (a real NIC has sent those frames). No flow refers
 * to it. */
void cxemu_qp_destroy(struct cxemu_qp *qp);

/* A queue pair that receives only, and spreads what steering sends it over receive queues: mlx5's
 * TIR with a hash and an indirection table. It has no state. */

#define CXEMU_HASH_KEY_BYTES 40
#define CXEMU_RQT_MAX        (1u << 11) /* entries of an indirection table */

enum cxemu_hash_field { /* PRM rx_hash_field_select.selected_fields */
                        CXEMU_HASH_SRC_IP = 1 << 0,
                        CXEMU_HASH_DST_IP = 1 << 1,
                        CXEMU_HASH_L4_SPORT = 1 << 2,
                        CXEMU_HASH_L4_DPORT = 1 << 3,
                        CXEMU_HASH_IPSEC_SPI = 1 << 4,
};

struct cxemu_hash_attr {
    uint8_t key[CXEMU_HASH_KEY_BYTES];
    uint8_t fields;     /* of enum cxemu_hash_field; 0: everything goes to entry 0 */
    uint8_t ip_version; /* 4 or 6: only those are hashed; 0: both */
    uint8_t l4_proto;   /* whose ports: 6, 17 */
    bool inner;         /* of the headers inside of a tunnel */
    bool symmetric;     /* both directions of a connection hash alike */
};

struct cxemu_rss_attr {
    struct cxemu_rq *const *rqs; /* copied; each must outlive the queue pair */
    uint32_t count;              /* a power of two */
    struct cxemu_hash_attr hash;
    struct cxemu_tir_attr tir;
};
RS_MUST_USE int cxemu_qp_create_rss(struct cxemu_nic *nic, const struct cxemu_rss_attr *attr,
                                    struct cxemu_qp **out);

/* --- steering
 * ------------------------------------------------------------------------------------------ */

/* The PRM's fte_match_param as far as rules may look: outer headers, misc, inner headers, misc 2,
 * misc 3, of 64 bytes each. */
#define CXEMU_MATCH_PART_BYTES 64
#define CXEMU_MATCH_BYTES      (5 * CXEMU_MATCH_PART_BYTES)
#define CXEMU_FLOW_PRIOS       16 /* user priorities of verbs rules */

enum cxemu_flow_type {
    CXEMU_FLOW_NORMAL,
    CXEMU_FLOW_ALL_DEFAULT,
    CXEMU_FLOW_MC_DEFAULT,
    CXEMU_FLOW_SNIFFER, /* a copy of all that the port carries, both ways */
};

/* Packets and bytes (Ethernet header to payload, no FCS) of the rules that name it. */
struct cxemu_flow_counter;
RS_MUST_USE int cxemu_flow_counter_create(struct cxemu_nic *nic, struct cxemu_flow_counter **out);
void cxemu_flow_counter_read(struct cxemu_flow_counter *counter, uint64_t *packets,
                             uint64_t *bytes);
void cxemu_flow_counter_destroy(struct cxemu_flow_counter *counter); /* no rule names it */

struct cxemu_flow_attr {
    enum cxemu_flow_type type;
    uint16_t priority;   /* 0 first; below CXEMU_FLOW_PRIOS */
    bool multicast_only; /* goes to the table behind all priorities */
    bool dont_trap;      /* deliver and go on to the next match */
    bool egress;         /* on what the port sends: passes it on, or drops it */
    bool default_miss;   /* leave the user's tables: to the netdev, then leftovers */
    bool has_tag, drop;
    uint32_t tag; /* below 2^24 */
    /* With egress, drop or default_miss: NULL. */
    struct cxemu_qp *qp;
    struct cxemu_flow_counter *counter; /* NULL: not counted */
    uint8_t value[CXEMU_MATCH_BYTES], mask[CXEMU_MATCH_BYTES];
};
/* -EINVAL: value bits outside of the mask, a field that this NIC does not extract, or actions that
 * do not go together; -EOPNOTSUPP: going on, on the way out; -EEXIST: identical match with another
 * tag or an incompatible action; -ENOSPC / -ENOMEM: table full. Identical match with a compatible
 * action adds a destination: both get a copy (mlx5 fs_core.c). */
RS_MUST_USE int cxemu_flow_create(struct cxemu_nic *nic, const struct cxemu_flow_attr *attr,
                                  struct cxemu_flow **out);
void cxemu_flow_destroy(struct cxemu_flow *flow);

#ifdef __cplusplus
}
#endif
#endif
