/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of rx_wait.h: at most the copies of one frame from the wire, and of one sent. */
#include "cxemu/core/rx_wait.h"

#include "cxemu/core/device.h"

#include <stdlib.h>
#include <string.h>

struct cxemu_rx_waiting {
    struct cxemu_rx_waiting *next;
    struct cxemu_rq *rq;
    struct cxemu_rx_note note;
    uint64_t until_ns;
    uint32_t len;
    uint8_t data[];
};

bool cxemu_rx_wait(struct cxemu_rq *rq, const struct cxemu_rx_frame *frame,
                   const struct cxemu_rx_note *note)
{
    struct cxemu_nic *nic = rq->nic;
    struct cxemu_rx_waiting *waiting, **link;

    if (!nic->attr.rx_wait_ns || rq->wait_is_over)
        return false;
    waiting = malloc(sizeof(*waiting) + frame->len);
    if (!waiting)
        return false;
    *waiting = (struct cxemu_rx_waiting){.rq = rq,
                                         .note = *note,
                                         .until_ns = cxemu_nic_now(nic) + nic->attr.rx_wait_ns,
                                         .len = frame->len};
    memcpy(waiting->data, frame->data, frame->len);
    for (link = &nic->rx_waiting; *link; link = &(*link)->next)
        ;
    *link = waiting;
    nic->counters.rx_waited_packets++;
    return true;
}

static bool is_to_wait(const struct cxemu_rx_waiting *waiting)
{
    struct cxemu_rq *rq = waiting->rq;

    return rq->state == CXEMU_RQS_RDY && !rq->failed && !rq->attr.cq->failed &&
           !cxemu_rq_has_entry(rq) && cxemu_nic_now(rq->nic) < waiting->until_ns;
}

/* Without an entry this counts the frame as one for which there was none. */
static void deliver(const struct cxemu_rx_waiting *waiting)
{
    struct cxemu_rq *rq = waiting->rq;
    struct cxemu_rx_frame frame;

    rq->wait_is_over = !cxemu_rq_has_entry(rq);
    if (cxemu_frame_parse(&frame, waiting->data, waiting->len) == 0)
        cxemu_rq_receive(rq, &frame, &waiting->note);
}

int cxemu_rx_wait_retry(struct cxemu_nic *nic)
{
    struct cxemu_rx_waiting **link = &nic->rx_waiting;
    int done = 0;

    while (*link) {
        struct cxemu_rx_waiting *waiting = *link;
        if (is_to_wait(waiting)) {
            if (waiting->until_ns < nic->due_ns)
                nic->due_ns = waiting->until_ns;
            link = &waiting->next;
            continue;
        }
        deliver(waiting);
        *link = waiting->next;
        free(waiting);
        done++;
    }
    return done;
}

void cxemu_rx_wait_forget(const struct cxemu_rq *rq)
{
    struct cxemu_rx_waiting **link = &rq->nic->rx_waiting;

    while (*link) {
        struct cxemu_rx_waiting *waiting = *link;
        if (waiting->rq != rq) {
            link = &waiting->next;
            continue;
        }
        *link = waiting->next;
        free(waiting);
    }
}
