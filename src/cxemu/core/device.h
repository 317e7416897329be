/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of a NIC: the structs that the parts of core/ share. Everything here is guarded by the
 * NIC's lock. Fields are written by the part named beside them.
 */
#ifndef CXEMU_CORE_DEVICE_H
#define CXEMU_CORE_DEVICE_H

#include "cxemu/core/bell.h"
#include "cxemu/core/counters.h"
#include "cxemu/core/fault.h"
#include "cxemu/core/frame.h"
#include "cxemu/core/nic.h"
#include "cxemu/core/pace.h"
#include "cxemu/core/rate.h"
#include "cxemu/core/rq.h"
#include "cxemu/core/rss.h"
#include "cxemu/core/space.h"
#include "cxemu/core/steer.h"
#include "cxemu/core/trace.h"
#include "cxemu/core/wire.h"

#include <pthread.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_mr {
    struct cxemu_nic *nic;
    struct cxemu_mr_attr attr; /* mr.c; changed by REREG_MR */
    uint32_t lkey;
};

/* Index is lkey >> 8. A slot remembers the generation of its last key, so that a stale key misses.
 */
struct cxemu_mr_slot {
    struct cxemu_mr *mr;
    uint8_t generation;
};

#define CXEMU_NULL_BYTES (1u << 18) /* the most that one segment names */

struct cxemu_mr_table {
    struct cxemu_mr_slot *slots;
    uint32_t count, next_free;
    uint8_t *null_memory; /* behind CXEMU_NULL_KEY: zeros that are read, room that is written */
};

struct cxemu_cq {
    struct cxemu_nic *nic;
    struct cxemu_cq_attr attr;
    uint32_t number, users;
    uint32_t producer; /* free running; cq.c */
    uint32_t consumer; /* as last read from the doorbell record */
    uint32_t arm_seen; /* db[1] as last seen: anything else is a new arming */
    uint32_t armed_at; /* the index in the last arming, and what else db[1] held */
    bool armed, solicited_only, has_news, failed;
    bool arm_rung, arm_sure; /* the bell was: db[1] is worth a look; is new for certain */
    bool had_solicited;      /* ever; then solicited is the producer index after the last one */
    uint32_t solicited;
    uint16_t moderate_count, moderate_us; /* cxemu_cq_moderate */
    uint32_t told;                        /* the producer index at the last event */
    uint64_t told_ns;                     /* and when it was: events are moderated from there */
    uint8_t foreign_cqe[64]; /* the entry being built, when buf is in another process */
};

/* The send queue's own state is here, the receive queue's in rq: kernel mlx5 keeps them apart for
 * raw-packet QPs. */
struct cxemu_qp {
    struct cxemu_nic *nic;
    struct cxemu_qp_attr attr;
    uint32_t sq_number;
    uint32_t flows; /* steering rules that deliver here */
    enum cxemu_qp_state state;
    bool sq_error; /* an entry failed: flush what follows */
    bool drained_told;
    bool sq_rung;           /* the bell was: the send queue's doorbell record is worth a look */
    uint16_t sq_ci;         /* consumer index, free running */
    uint16_t sq_pi;         /* as last read from the doorbell record */
    uint32_t sq_frame;      /* of the entry at sq_ci: the next of its frames; sq_frames.c */
    uint16_t rate_index;    /* of the rate table; 0: not limited; rate.c */
    struct cxemu_pace pace; /* rate.c; sq_frames.c */
    /* The ring as the engine reads it: the program's own, or, when it is in another process, a
     * copy that is brought up to date when the doorbell record moves. */
    uint8_t *sq_ring;
    struct cxemu_rq rq;
    struct cxemu_rss *rss; /* in place of rq and of a send queue: spreads by hash; else NULL */
};

/* Loopback inside of the port: tir.c. */
struct cxemu_loopback {
    uint32_t next_td, tds,
        self_users;     /* domains opened, open now; queue pairs that want their own */
    uint32_t sender;    /* the domain whose queue is being sent from; the netdev's is 0 */
    bool is_on;         /* ask cxemu_loop_decide of each frame sent */
    bool is_delivering; /* what the sender sent is on its way in, and not a frame of the wire */
};

struct cxemu_listener {
    cxemu_event_fn fn;
    void *cookie;
};

struct cxemu_nic {
    pthread_mutex_t lock;
    uint32_t waiting; /* control calls that want the lock; atomic */
    struct cxemu_nic_attr attr;
    struct cxemu_wire *wire;
    struct cxemu_netdev *netdev;
    uint8_t *tx_slot; /* the frame that is being made, on the wire's memory */
    uint32_t tx_sqn;  /* the send queue that makes it; 0: the netdev */
    uint64_t now_ns;  /* the clock at the start of this pass */
    uint64_t due_ns;  /* when the NIC next has something to do by itself; each pass anew */
    uint32_t cycles_per_64ns;
    uint64_t utc_ahead_ns, utc_asked_ns; /* of the host's time; when that was found out */
    cxemu_pass_fn on_pass;               /* NULL: none */
    void *pass_cookie;
    uint32_t frame_max; /* longest frame that the port carries */
    bool link_admin, link_up, failed;
    struct cxemu_tracer *tracer; /* NULL: nobody traces */
    struct cxemu_faults faults;  /* fault.c */
    cxemu_removed_fn on_removed; /* NULL: none */
    void *removed_cookie;
    uint32_t next_number; /* nic.c */
    bool numbers_reused;
    uint32_t next_qp; /* which queue pair begins the pass: fairness */

    struct cxemu_qp **qps;
    uint32_t qp_count, qp_room;
    struct cxemu_rq **rqs; /* all receive queues */
    uint32_t rq_count, rq_room;
    uint32_t rqs_failed;                 /* of them: have entries to flush, or will */
    struct cxemu_rx_waiting *rx_waiting; /* rx_wait.c; NULL: none */
    struct cxemu_loopback loopback;
    struct cxemu_cq **cqs;
    uint32_t cq_count, cq_room;
    struct cxemu_bell **bells;
    uint32_t bell_count, bell_room;
    struct cxemu_listener **listeners;
    uint32_t listener_count, listener_room;
    struct cxemu_mr_table mrs;
    struct cxemu_steering steering;
    struct cxemu_rate_table rates;
    struct cxemu_counters counters;
    uint8_t void_frame[CXEMU_FRAME_MAX]; /* where frames go while the link is down */
};

/* nic.c. A control call's way in; a busy device thread lets it pass. */
void cxemu_nic_lock(struct cxemu_nic *nic);
void cxemu_nic_unlock(struct cxemu_nic *nic);
void cxemu_nic_link_update(struct cxemu_nic *nic); /* the wire's carrier may have changed */
void cxemu_nic_end_update(struct cxemu_nic *nic);  /* our end may have gone up or down */
void cxemu_nic_fail_locked(struct cxemu_nic *nic);
/* The host's time: one look at the clock a pass, none in an idle one. */
static inline uint64_t cxemu_nic_now(struct cxemu_nic *nic)
{
    if (!nic->now_ns)
        nic->now_ns = cxemu_clock_now(&nic->attr.clock);
    return nic->now_ns;
}
uint64_t cxemu_nic_utc(struct cxemu_nic *nic); /* of the same moment */
/* For a queue pair, CQ or receive queue: of 24 bits, and no other one's. */
uint32_t cxemu_nic_number(struct cxemu_nic *nic);
/* Appends to a pointer array that doubles (array: the address of the pointer to it); -ENOMEM. */
RS_MUST_USE int cxemu_array_add(void *array, uint32_t *count, uint32_t *room, void *item);
void cxemu_array_remove(void *array, uint32_t *count, const void *item);

/* mr.c: the bytes behind [iova, iova + len) of a key, and in which space they are; NULL when key,
 * bounds, pd or access forbid. */
uint8_t *cxemu_mr_resolve(const struct cxemu_mr_table *table, uint32_t key, uint64_t iova,
                          uint32_t len, uint32_t access, uint32_t pd,
                          const struct cxemu_space **space);

/* cq.c */
struct mlx5_cqe64;
/* The entry to fill next, or NULL: the CQ overran and is now in error. */
struct mlx5_cqe64 *cxemu_cq_next(struct cxemu_cq *cq);
/* What to stamp an entry with, in the queue's format. */
uint64_t cxemu_cq_stamp(const struct cxemu_cq *cq);
/* Hands the entry to the program. opcode: MLX5_CQE_*. */
void cxemu_cq_publish(struct cxemu_cq *cq, struct mlx5_cqe64 *cqe, uint8_t opcode);
/* The same, and it wakes whoever waits for solicited completions only. */
void cxemu_cq_publish_solicited(struct cxemu_cq *cq, struct mlx5_cqe64 *cqe, uint8_t opcode);
/* An error completion of a send (MLX5_CQE_REQ_ERR) or receive (MLX5_CQE_RESP_ERR) entry. */
void cxemu_cq_error(struct cxemu_cq *cq, uint8_t opcode, uint8_t syndrome, uint32_t number,
                    uint32_t uidx, uint8_t wqe_opcode, uint16_t wqe_counter);
/* To error, with its event. False: it was already. */
bool cxemu_cq_fail(struct cxemu_cq *cq);
/* Once a pass: takes new armings, tells armed CQs with news. */
void cxemu_cq_notify(struct cxemu_cq *cq);

/* qp.c: to error, with its event. False: it was already, or is in RESET. */
bool cxemu_qp_fail(struct cxemu_qp *qp);
/* The same of a program's event, unless a fault makes it get lost. */
void cxemu_qp_tell(struct cxemu_qp *qp, enum cxemu_event event);

/* tir.c: a frame that the port is about to send, or has sent. Is it for the port itself? */
enum cxemu_loop { CXEMU_LOOP_NONE, CXEMU_LOOP_COPY, CXEMU_LOOP_ONLY };
enum cxemu_loop cxemu_loop_decide(const struct cxemu_nic *nic, const uint8_t *frame);
/* May a queue of transport domain td take the frame that is being delivered? */
bool cxemu_loop_allows(const struct cxemu_nic *nic, const struct cxemu_tir_attr *tir,
                       const uint8_t *frame);
/* A queue pair begins or ceases to ask for its own frames. */
void cxemu_loop_user(struct cxemu_nic *nic, const struct cxemu_tir_attr *tir, int change);

/* qp.c: brings [from, from + bytes) of a ring's copy up to date, round its end. False: unreadable.
 */
bool cxemu_ring_fetch(const struct cxemu_space *space, uint8_t *ring, const uint8_t *theirs,
                      size_t ring_bytes, size_t from, size_t bytes);

/* sq.c: sends up to budget frames; how many, entries without frames among them. */
int cxemu_sq_run(struct cxemu_qp *qp, unsigned budget);
bool cxemu_sq_is_idle(const struct cxemu_qp *qp); /* nothing rung that could be sent */

/* tir.c: what steering hands to a queue pair, for its receive queue. */
void cxemu_rq_deliver(struct cxemu_qp *qp, struct cxemu_rx_frame *frame, uint32_t tag);

/* steer_order.c. A parsed frame from the wire, to where rules and netdev want it. */
void cxemu_steer_rx(struct cxemu_nic *nic, struct cxemu_rx_frame *frame);
/* A frame to be sent, when somebody wants to see those. False: a rule drops it. */
bool cxemu_steer_tx(struct cxemu_nic *nic, const uint8_t *data, uint32_t len);

/* port.c: the port's two sides. */
int cxemu_port_rx(struct cxemu_nic *nic, unsigned budget);
/* Room for a frame, NULL: wait. With the link down, a place to lose it. */
uint8_t *cxemu_port_tx_slot(struct cxemu_nic *nic, uint32_t len);
void cxemu_port_tx_commit(struct cxemu_nic *nic, uint32_t len);

#ifdef __cplusplus
}
#endif
#endif
