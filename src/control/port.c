/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the port is: MAC, MTU and address from its kernel netdev; without one that can be seen, MAC
 * and a lower bound of the MTU from verbs. Hold beside it: ibv_query_port(3), netdevice(7),
 * RFC 4291 appendix A (EUI-64).
 */
#include "control/sysfile.h"
#include "control/tapm.h"

#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void tapm_device_netdev(const struct ibv_device *device, uint8_t port, char *out, size_t len)
{
    char path[PATH_MAX];

    /* The kernel's own answer, per port, where the RoCE GID table names it. */
    if (tapm_sysfile_line(out, len, "%s/ports/%u/gid_attrs/ndevs/0", device->ibdev_path, port) ==
            0 &&
        out[0] != '\0')
        return;
    out[0] = '\0';
    snprintf(path, sizeof(path), "%s/device/net", device->ibdev_path);
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        if (tapm_sysfile_number(0, "%s/%s/dev_port", path, entry->d_name) == port - 1) {
            snprintf(out, len, "%s", entry->d_name);
            break;
        }
    }
    closedir(dir);
}

static uint8_t prefix_of(const struct sockaddr *mask)
{
    uint32_t bits = 0;

    if (mask)
        bits = ntohl(((const struct sockaddr_in *)(const void *)mask)->sin_addr.s_addr);
    return (uint8_t)__builtin_popcount(bits);
}

static void read_address(const char *netdev, struct tapm_port_info *out)
{
    struct ifaddrs *all;

    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
        if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET || strcmp(a->ifa_name, netdev) != 0)
            continue;
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)a->ifa_addr;
        memcpy(out->ip.bytes, &in->sin_addr, 4);
        out->ip.family = RS_FAMILY_IPV4;
        out->prefix_len = prefix_of(a->ifa_netmask);
        break;
    }
    freeifaddrs(all);
}

/* -ENODEV when the netdev is not of this network namespace. */
static int read_netdev(const char *netdev, struct tapm_port_info *out)
{
    struct ifreq request = {0};
    size_t name_len = strlen(netdev);
    int rc = 0, fd;

    if (name_len >= sizeof(request.ifr_name))
        return -ENODEV; /* the kernel has no longer names */
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    memcpy(request.ifr_name, netdev, name_len + 1);
    if (ioctl(fd, SIOCGIFHWADDR, &request) != 0)
        rc = -errno;
    else if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        rc = -ENODEV;
    else
        memcpy(out->mac.bytes, request.ifr_hwaddr.sa_data, sizeof(out->mac.bytes));
    if (rc == 0 && ioctl(fd, SIOCGIFMTU, &request) != 0)
        rc = -errno;
    if (rc == 0)
        out->mtu_bytes = (uint16_t)(request.ifr_mtu < UINT16_MAX ? request.ifr_mtu : UINT16_MAX);
    close(fd);
    if (rc == 0)
        read_address(netdev, out);
    return rc;
}

/* A port's first GID is its link-local address, made of the MAC; where RoCE is off there is none.
 */
static int read_gid(struct tapm *tapm, struct tapm_port_info *out)
{
    union ibv_gid gid;

    if (ibv_query_gid(tapm->context, tapm->port, 0, &gid) != 0)
        return -ENODEV;
    const uint8_t *id = gid.raw + 8;
    if (id[3] != 0xff || id[4] != 0xfe)
        return -ENODEV;
    const uint8_t mac[6] = {(uint8_t)(id[0] ^ 2), id[1], id[2], id[5], id[6], id[7]};
    memcpy(out->mac.bytes, mac, sizeof(mac));
    return 0;
}

/* The node GUID of these devices has 03:00 between the two halves of the first port's MAC. */
static int read_guid(struct tapm *tapm, struct tapm_port_info *out)
{
    __be64 guid = ibv_get_device_guid(tapm->context->device);
    const uint8_t *id = (const uint8_t *)&guid;

    if (tapm->port != 1 || id[3] != 0x03 || id[4] != 0x00)
        return -ENODEV;
    const uint8_t mac[6] = {id[0], id[1], id[2], id[5], id[6], id[7]};
    memcpy(out->mac.bytes, mac, sizeof(mac));
    return 0;
}

/* The kernel rounds the netdev's MTU down to one of these. */
static uint16_t mtu_at_least(enum ibv_mtu mtu)
{
    switch (mtu) {
    case IBV_MTU_256:
        return 256;
    case IBV_MTU_512:
        return 512;
    case IBV_MTU_2048:
        return 2048;
    case IBV_MTU_4096:
        return 4096;
    case IBV_MTU_1024:
    default:
        return 1500; /* what 1024 stands for on all but the oddest networks */
    }
}

/* ibv_query_port(3): lanes times rate per lane, both coded. */
static uint32_t speed_mbps(const struct ibv_port_attr *port)
{
    const struct {
        uint8_t code;
        uint32_t mbps;
    } rates[] = {{1, 2500},   {2, 5000},   {4, 10000},  {8, 10000},
                 {16, 14000}, {32, 25000}, {64, 50000}, {128, 100000}};
    uint32_t lanes = 0, rate = 0;

    switch (port->active_width) {
    case 1:
        lanes = 1;
        break;
    case 2:
        lanes = 4;
        break;
    case 4:
        lanes = 8;
        break;
    case 8:
        lanes = 12;
        break;
    case 16:
        lanes = 2;
        break;
    default:
        break;
    }
    for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        if (rates[i].code == port->active_speed)
            rate = rates[i].mbps;
    }
    return lanes * rate;
}

static int port_query(struct tapm *tapm, struct tapm_port_info *out)
{
    struct ibv_port_attr port;
    int err = ibv_query_port(tapm->context, tapm->port, &port);

    if (err != 0)
        return tapm_fail(tapm, -err, "port %u of %s cannot be queried: %s", tapm->port,
                         tapm->device, strerror(err));
    out->link_up = port.state == IBV_PORT_ACTIVE;
    out->speed_mbps = speed_mbps(&port);
    if (tapm->netdev[0] != '\0' && read_netdev(tapm->netdev, out) == 0)
        return 0;
    if (read_gid(tapm, out) != 0 && read_guid(tapm, out) != 0)
        return tapm_fail(tapm, -ENODEV,
                         "port %u of %s has no netdev here (\"%s\"), and neither GID nor GUID tell "
                         "its MAC: is the netdev in another network namespace?",
                         tapm->port, tapm->device, tapm->netdev);
    out->mtu_bytes = mtu_at_least(port.active_mtu);
    return 0;
}

int tapm_port_query(struct tapm *tapm, struct tapm_port_info *out)
{
    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&tapm->calls);
    int rc = port_query(tapm, out);
    pthread_mutex_unlock(&tapm->calls);
    return rc;
}
