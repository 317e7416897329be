/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes taps. No offloads are asked for, so the kernel finishes checksums and segments before a
 * frame comes here.
 */
#define _GNU_SOURCE
#include "cxemu/host/tap.h"

#include "cxemu/host/raw.h"
#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int raw_ioctl(int fd, unsigned long request, void *arg)
{
    return syscall(SYS_ioctl, fd, request, arg) < 0 ? -errno : 0;
}

static int set_up(const char *name, const struct rs_mac *mac, uint16_t mtu_bytes)
{
    struct ifreq ifr = {0};

    int fd = (int)syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
    ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    int err = 0;
    if (mac) {
        memcpy(ifr.ifr_hwaddr.sa_data, mac->bytes, sizeof(mac->bytes));
        err = raw_ioctl(fd, SIOCSIFHWADDR, &ifr);
    }
    if (!err) {
        ifr.ifr_mtu = mtu_bytes;
        err = raw_ioctl(fd, SIOCSIFMTU, &ifr);
    }
    if (!err)
        err = raw_ioctl(fd, SIOCGIFFLAGS, &ifr);
    if (!err) {
        ifr.ifr_flags |= IFF_UP;
        err = raw_ioctl(fd, SIOCSIFFLAGS, &ifr);
    }
    raw_close(fd);
    return err;
}

int cxemu_tap_open(const char *name, const struct rs_mac *mac, uint16_t mtu_bytes)
{
    struct ifreq ifr = {0};

    int fd = raw_openat(AT_FDCWD, "/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
    ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    int err = raw_ioctl(fd, TUNSETIFF, &ifr);
    if (!err)
        err = set_up(name, mac, mtu_bytes);
    if (err) {
        raw_close(fd);
        return err;
    }
    return fd;
}
