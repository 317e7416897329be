/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices: the list, opening one, closing it with all that was made on it; and the error text and
 * log of a tapm. Hold beside it: ibv_get_device_list(3), ibv_open_device(3).
 */
#define _GNU_SOURCE
#include "control/control_socket.h"
#include "control/sysfile.h"
#include "control/tapm.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int tapm_fail(struct tapm *tapm, int rc, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(tapm->error, sizeof(tapm->error), format, args);
    va_end(args);
    return rc;
}

void tapm_log(const struct tapm *tapm, enum rs_log_level level, const char *format, ...)
{
    char text[TAPM_ERROR_BYTES];
    va_list args;

    if (!tapm->log)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    tapm->log(tapm->log_ctx, level, text);
}

const char *tapm_error(const struct tapm *tapm)
{
    return tapm->error;
}

int tapm_device_numa_node(const struct ibv_device *device)
{
    return (int)tapm_sysfile_number(-1, "%s/device/numa_node", device->ibdev_path);
}

void tapm_device_describe(struct ibv_context *context, struct tapm_device_info *out)
{
    struct ibv_device_attr attr;

    if (ibv_query_device(context, &attr) != 0)
        return;
    snprintf(out->fw_version, sizeof(out->fw_version), "%s", attr.fw_ver);
    out->vendor_id = attr.vendor_id;
    out->part_id = attr.vendor_part_id;
    out->n_ports = attr.phys_port_cnt;
}

static int by_name(const void *a, const void *b)
{
    struct ibv_device *const *x = (struct ibv_device *const *)a;
    struct ibv_device *const *y = (struct ibv_device *const *)b;

    return strverscmp(ibv_get_device_name(*x), ibv_get_device_name(*y));
}

/* Verbs gives them in the order of a directory, which is none. */
static struct ibv_device **get_devices(int *count)
{
    struct ibv_device **devices = ibv_get_device_list(count);

    if (devices && *count > 0)
        qsort(devices, (size_t)*count, sizeof(struct ibv_device *), by_name);
    return devices;
}

/* A device that this user may not open is listed too, with what sysfs tells of it. */
static void describe(struct ibv_device *device, struct tapm_device_info *out)
{
    memset(out, 0, sizeof(*out));
    snprintf(out->name, sizeof(out->name), "%s", ibv_get_device_name(device));
    tapm_device_netdev(device, 1, out->netdev, sizeof(out->netdev));
    struct ibv_context *context = ibv_open_device(device);
    if (!context) {
        tapm_sysfile_line(out->fw_version, sizeof(out->fw_version), "%s/fw_ver",
                          device->ibdev_path);
        return;
    }
    tapm_device_describe(context, out);
    ibv_close_device(context);
}

int tapm_device_list(struct tapm_device_info *out, size_t n)
{
    int count = 0;
    struct ibv_device **devices = get_devices(&count);

    if (!devices)
        return errno == ENOSYS ? 0 : -errno; /* ENOSYS: no RDMA in this kernel, so no device */
    for (int i = 0; i < count && (size_t)i < n; i++)
        describe(devices[i], &out[i]);
    ibv_free_device_list(devices);
    return count;
}

/* --- opening ------------------------------------------------------------------------------------
 */

/* The names there are, for errors: "mlx5_0, mlx5_1". */
static void join_names(struct ibv_device **devices, int count, char *out, size_t len)
{
    size_t at = 0;

    snprintf(out, len, "none");
    for (int i = 0; devices && i < count && at < len; i++)
        at += (size_t)snprintf(out + at, len - at, "%s%s", i > 0 ? ", " : "",
                               ibv_get_device_name(devices[i]));
}

static int choose(struct tapm *tapm, const char *name, struct ibv_device **devices, int count,
                  struct ibv_device **out)
{
    char names[256];

    join_names(devices, count, names, sizeof(names));
    if (!name && devices && count == 1) {
        *out = devices[0];
        return 0;
    }
    if (!name && count > 1)
        return tapm_fail(tapm, -ENOTUNIQ, "several RDMA devices, name one of them: %s", names);
    for (int i = 0; name && devices && i < count; i++) {
        if (strcmp(ibv_get_device_name(devices[i]), name) == 0) {
            *out = devices[i];
            return 0;
        }
    }
    if (!name || count == 0)
        return tapm_fail(tapm, -ENODEV,
                         "no RDMA device %s%sfound: is the driver loaded (modprobe mlx5_ib), and "
                         "ib_uverbs?",
                         name ? name : "", name ? " " : "");
    return tapm_fail(tapm, -ENODEV, "no RDMA device %s; those there are: %s", name, names);
}

/* libibverbs forgets why it could not open the node, where /dev/char has no second way to it. */
static bool is_forbidden(const struct ibv_device *device, int err)
{
    char path[sizeof("/dev/infiniband/") + sizeof(device->dev_name)];

    if (err == EACCES || err == EPERM)
        return true;
    snprintf(path, sizeof(path), "/dev/infiniband/%s", device->dev_name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd < 0 && (errno == EACCES || errno == EPERM);
}

static int open_device(struct tapm *tapm, const char *name)
{
    int count = 0;
    struct ibv_device **devices = get_devices(&count), *device = NULL;

    if (!devices && errno != ENOSYS)
        return tapm_fail(tapm, -errno, "RDMA devices cannot be listed: %s", strerror(errno));
    if (!devices)
        count = 0;
    int rc = choose(tapm, name, devices, count, &device);
    if (rc == 0) {
        errno = 0;
        snprintf(tapm->device, sizeof(tapm->device), "%s", ibv_get_device_name(device));
        tapm->context = ibv_open_device(device);
        int err = errno;
        if (!tapm->context && is_forbidden(device, err))
            rc = tapm_fail(tapm, -EACCES,
                           "%s cannot be opened: /dev/infiniband/%s is not permitted to this user; "
                           "run as root, or join the group that owns it",
                           tapm->device, device->dev_name);
        else if (!tapm->context)
            rc = tapm_fail(tapm, err > 0 ? -err : -ENODEV, "%s cannot be opened: %s", tapm->device,
                           strerror(err > 0 ? err : ENODEV));
    }
    if (devices)
        ibv_free_device_list(devices);
    return rc;
}

static int check_port(struct tapm *tapm)
{
    struct ibv_port_attr port;
    int err = ibv_query_device_ex(tapm->context, NULL, &tapm->attr);

    if (err != 0)
        return tapm_fail(tapm, -err, "%s cannot be queried: %s", tapm->device, strerror(err));
    if (tapm->port > tapm->attr.orig_attr.phys_port_cnt)
        return tapm_fail(tapm, -ENETDOWN, "%s has no port %u: it has %u", tapm->device, tapm->port,
                         tapm->attr.orig_attr.phys_port_cnt);
    err = ibv_query_port(tapm->context, tapm->port, &port);
    if (err != 0)
        return tapm_fail(tapm, -ENETDOWN, "port %u of %s cannot be queried: %s", tapm->port,
                         tapm->device, strerror(err));
    if (port.link_layer != IBV_LINK_LAYER_ETHERNET)
        return tapm_fail(tapm, -ENETDOWN,
                         "port %u of %s is not Ethernet; change its link type (mlxconfig "
                         "LINK_TYPE_P%u=2)",
                         tapm->port, tapm->device, tapm->port);
    tapm->link_up = port.state == IBV_PORT_ACTIVE;
    return 0;
}

static void set_owner(struct tapm *tapm, const char *owner)
{
    if (owner && owner[0] != '\0')
        snprintf(tapm->owner, sizeof(tapm->owner), "%s", owner);
    else
        snprintf(tapm->owner, sizeof(tapm->owner), "%.40s[%d]", program_invocation_short_name,
                 (int)getpid());
}

static void tapm_free(struct tapm *tapm)
{
    tapm_ledger_destroy(tapm->ledger);
    if (tapm->pd)
        ibv_dealloc_pd(tapm->pd);
    if (tapm->context)
        ibv_close_device(tapm->context);
    pthread_mutex_destroy(&tapm->calls);
    pthread_mutex_destroy(&tapm->state);
    pthread_mutex_destroy(&tapm->provider_lock);
    pthread_mutex_destroy(&tapm->probe_lock);
    free(tapm);
}

static int open_all(struct tapm *tapm, const struct tapm_config *config)
{
    int rc = open_device(tapm, config->device);

    if (rc != 0)
        return rc;
    rc = check_port(tapm);
    if (rc != 0)
        return rc;
    tapm_device_netdev(tapm->context->device, tapm->port, tapm->netdev, sizeof(tapm->netdev));
    snprintf(tapm->guid, sizeof(tapm->guid), "%016" PRIx64,
             be64toh(ibv_get_device_guid(tapm->context->device)));
    if (tapm_ledger_create(&tapm->ledger) != 0)
        return tapm_fail(tapm, -ENOMEM, "out of memory");
    tapm->pd = ibv_alloc_pd(tapm->context);
    if (!tapm->pd)
        return tapm_fail(tapm, errno > 0 ? -errno : -ENOMEM, "%s: no protection domain: %s",
                         tapm->device, strerror(errno));
    return tapm_control_start(tapm, config->control_dir);
}

int tapm_open(const struct tapm_config *config, struct tapm **out, char *err, size_t err_len)
{
    static const struct tapm_config defaults;
    struct tapm *tapm = (struct tapm *)calloc(1, sizeof(*tapm));

    *out = NULL;
    if (!config)
        config = &defaults;
    if (!tapm) {
        if (err && err_len > 0)
            snprintf(err, err_len, "out of memory");
        return -ENOMEM;
    }
    pthread_mutex_init(&tapm->calls, NULL);
    pthread_mutex_init(&tapm->state, NULL);
    pthread_mutex_init(&tapm->provider_lock, NULL);
    pthread_mutex_init(&tapm->probe_lock, NULL);
    tapm->port = config->port != 0 ? config->port : 1;
    tapm->log = config->log;
    tapm->log_ctx = config->log_ctx;
    set_owner(tapm, config->owner);
    /* Apart in each process, so that the NIC refuses one rule made by two (rule.c). */
    tapm->next_flow_tag = ((uint32_t)getpid() * 2654435761u ^ (uint32_t)(uintptr_t)tapm) >> 4;
    int rc = open_all(tapm, config);
    if (rc != 0) {
        if (err && err_len > 0)
            snprintf(err, err_len, "%s", tapm->error);
        tapm_free(tapm);
        return rc;
    }
    *out = tapm;
    return 0;
}

void tapm_close(struct tapm *tapm)
{
    if (!tapm)
        return;
    /* The thread goes last of all but the device: destroying queues waits for it to acknowledge
     * their events. */
    pthread_mutex_lock(&tapm->calls);
    while (tapm->taps)
        tapm_tap_free(tapm->taps);
    pthread_mutex_unlock(&tapm->calls);
    tapm_control_stop(tapm);
    tapm_free(tapm);
}

const char *tapm_device_name(const struct tapm *tapm)
{
    return tapm->device;
}

const char *tapm_control_path(const struct tapm *tapm)
{
    return tapm_control_socket_path(tapm->control);
}

void tapm_stats_provider_set(struct tapm *tapm, const char *section,
                             size_t (*fill)(void *ctx, struct rs_counter *out, size_t n), void *ctx)
{
    pthread_mutex_lock(&tapm->provider_lock);
    tapm->provider = (struct tapm_provider){.fill = fill, .ctx = ctx};
    snprintf(tapm->provider.section, sizeof(tapm->provider.section), "%s", section ? section : "");
    pthread_mutex_unlock(&tapm->provider_lock);
}
