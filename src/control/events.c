/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device's asynchronous events: to the log, to the port's state, to the taps they concern. On
 * the background thread. Hold beside it: ibv_get_async_event(3).
 */
#include "control/control_socket.h"
#include "dataplane/hwtap_verbs.h"

#include <errno.h>

static void on_device_gone(struct tapm *tapm)
{
    pthread_mutex_lock(&tapm->state);
    tapm->is_gone = true;
    tapm->link_up = false;
    for (struct tapm_tap *tap = tapm->taps; tap; tap = tap->next)
        hwtap_verbs_fail(tap->hwtap, -ENODEV);
    pthread_mutex_unlock(&tapm->state);
    tapm_log(tapm, RS_LOG_ERROR, "%s: the device is gone; its taps fail with ENODEV", tapm->device);
}

static void on_port(struct tapm *tapm, const struct ibv_async_event *event, bool up)
{
    if (event->element.port_num != tapm->port)
        return;
    pthread_mutex_lock(&tapm->state);
    tapm->link_up = up;
    pthread_mutex_unlock(&tapm->state);
    tapm_log(tapm, up ? RS_LOG_INFO : RS_LOG_WARN, "%s port %u: link is %s", tapm->device,
             tapm->port, up ? "up" : "down");
}

/* The tap is looked for and not believed: it may be on its way out, its events still queued. */
static void on_queue_error(struct tapm *tapm, const struct ibv_async_event *event)
{
    const struct ibv_qp *qp = event->element.qp;
    const struct ibv_cq *cq = event->element.cq;
    bool is_cq = event->event_type == IBV_EVENT_CQ_ERR;
    char name[TAPM_NAME_MAX] = "";

    pthread_mutex_lock(&tapm->state);
    for (struct tapm_tap *tap = tapm->taps; tap; tap = tap->next) {
        if (is_cq ? tap->rx_cq == cq || tap->tx_cq == cq : tap->qp == qp) {
            hwtap_verbs_fail(tap->hwtap, -EIO);
            __builtin_memcpy(name, tap->name, sizeof(name));
        }
    }
    pthread_mutex_unlock(&tapm->state);
    if (name[0] != '\0')
        tapm_log(tapm, RS_LOG_ERROR, "%s tap %s: %s; it fails with EIO until made anew",
                 tapm->device, name, ibv_event_type_str(event->event_type));
}

void tapm_events_read(struct tapm *tapm)
{
    struct ibv_async_event event;

    if (ibv_get_async_event(tapm->context, &event) != 0)
        return;
    switch (event.event_type) {
    case IBV_EVENT_DEVICE_FATAL:
        on_device_gone(tapm);
        break;
    case IBV_EVENT_PORT_ACTIVE:
    case IBV_EVENT_PORT_ERR:
        on_port(tapm, &event, event.event_type == IBV_EVENT_PORT_ACTIVE);
        break;
    case IBV_EVENT_CQ_ERR:
    case IBV_EVENT_QP_FATAL:
    case IBV_EVENT_QP_REQ_ERR:
    case IBV_EVENT_QP_ACCESS_ERR:
    case IBV_EVENT_WQ_FATAL:
        on_queue_error(tapm, &event);
        break;
    default:
        tapm_log(tapm, RS_LOG_DEBUG, "%s: %s", tapm->device, ibv_event_type_str(event.event_type));
        break;
    }
    /* Destroying the object waits for this, so no lock may be held that destroying holds. */
    ibv_ack_async_event(&event);
}
