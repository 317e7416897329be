/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tap side of a port. Descriptors are non-blocking; what the kernel's queue does not take is
 * dropped, as a full receive ring of a netdev would.
 */
#include "cxemu/core/netdev.h"

#include "cxemu/core/device.h"
#include "cxemu/core/offload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    SUPER_FRAME_MAX = 65536 + CXEMU_L2_MAX,
};

struct cxemu_netdev {
    int fd;
    struct cxemu_offload offload; /* the frame that is being sent, perhaps in segments */
    bool has_frame;
    uint8_t buf[sizeof(struct cxemu_vnet_hdr) + SUPER_FRAME_MAX];
};

int cxemu_netdev_create(int fd, struct cxemu_netdev **out)
{
    struct cxemu_netdev *netdev;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    netdev = calloc(1, sizeof(*netdev));
    if (!netdev) {
        close(fd);
        return -ENOMEM;
    }
    netdev->fd = fd;
    *out = netdev;
    return 0;
}

void cxemu_netdev_destroy(struct cxemu_netdev *netdev)
{
    close(netdev->fd);
    free(netdev);
}

int cxemu_netdev_fd(const struct cxemu_netdev *netdev)
{
    return netdev->fd;
}

int cxemu_netdev_write(struct cxemu_netdev *netdev, const uint8_t *frame, uint32_t len)
{
    struct cxemu_vnet_hdr hdr = {0};
    struct iovec iov[2] = {{&hdr, sizeof(hdr)}, {(void *)(uintptr_t)frame, len}};

    return writev(netdev->fd, iov, 2) < 0 ? -errno : 0;
}

/* The next frame from the kernel into buf. */
static bool fetch(struct cxemu_netdev *netdev, struct cxemu_nic *nic)
{
    const uint32_t hdr_len = sizeof(struct cxemu_vnet_hdr);
    struct cxemu_vnet_hdr hdr;
    ssize_t n = read(netdev->fd, netdev->buf, sizeof(netdev->buf));

    if (n < (ssize_t)hdr_len)
        return false;
    memcpy(&hdr, netdev->buf, hdr_len);
    nic->counters.tx_netdev_packets++;
    if (cxemu_offload_begin(&netdev->offload, &hdr, netdev->buf + hdr_len, (uint32_t)n - hdr_len) <
        0) {
        nic->counters.netdev_errors_offload++;
        return true;
    }
    netdev->has_frame = true;
    return true;
}

/* One segment of the frame. False: the wire is full. */
static bool send_segment(struct cxemu_netdev *netdev, struct cxemu_nic *nic)
{
    uint32_t len = cxemu_offload_next_len(&netdev->offload);
    uint32_t padded = len < CXEMU_FRAME_MIN ? CXEMU_FRAME_MIN : len;
    uint8_t *slot;

    if (len > nic->frame_max) {
        nic->counters.tx_dropped_oversize++;
        netdev->has_frame = false;
        return true;
    }
    slot = cxemu_port_tx_slot(nic, padded);
    if (!slot)
        return false;
    netdev->has_frame = cxemu_offload_next(&netdev->offload, slot);
    memset(slot + len, 0, padded - len);
    cxemu_port_tx_commit(nic, padded);
    return true;
}

int cxemu_netdev_pump(struct cxemu_netdev *netdev, struct cxemu_nic *nic, unsigned budget)
{
    unsigned done = 0;

    nic->tx_sqn = 0;
    nic->loopback.sender = 0;
    while (done < budget) {
        if (!netdev->has_frame && !fetch(netdev, nic))
            break;
        if (netdev->has_frame && !send_segment(netdev, nic))
            break;
        done++;
    }
    return (int)done;
}
