/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TAPM, the control plane: finds out what a NIC has, hands out taps (raw-packet queue pairs with
 * their buffers) and steering rules, keeps a ledger of who holds what, and answers `tapm-verbs`.
 *
 * Protocol of use:  open -> (tap create -> rules -> tap destroy)* -> close.
 *
 * Thread: any one at a time may call; calls on one tapm from several threads are serialised inside.
 * None of this is for the packet path. One background thread per tapm answers the control socket
 * and reads the device's asynchronous events; it sleeps in poll(2) and never touches a queue.
 *
 * Errors: -errno; and the text of the last failure on this tapm, with the object and the remedy
 * named, from tapm_error(). Nothing falls back silently: what is not there is refused, or reported
 * in the capabilities.
 */
#ifndef RAWSTACK_TAPM_H
#define RAWSTACK_TAPM_H

#include <rawstack/hwtap.h>
#include <rawstack/steering.h>
#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tapm;
struct tapm_tap;

#define TAPM_NAME_MAX 64 /* bytes of a device, owner or tap name, NUL included */

struct tapm_device_info {
    char name[TAPM_NAME_MAX]; /* as ibv_devinfo prints it: "mlx5_0" */
    char fw_version[64];
    char netdev[TAPM_NAME_MAX]; /* kernel netdev of port 1, "" when unknown */
    uint32_t vendor_id, part_id;
    uint8_t n_ports;
};

/* The RDMA devices of this machine. Fills at most n and returns how many there are in all, or
 * -errno. */
RS_API RS_MUST_USE int tapm_device_list(struct tapm_device_info *out, size_t n);

struct tapm_config {
    const char *device; /* "mlx5_0"; NULL: the only one (more than one is -ENOTUNIQ) */
    uint8_t port;       /* 1-based; 0: 1 */
    const char
        *owner; /* who holds what this process takes, for the ledger; NULL: program name and pid */
    const char *control_dir; /* where the control socket is made; NULL: $RAWSTACK_RUN_DIR, else
                                /run/rawstack, else $XDG_RUNTIME_DIR/rawstack. "": no socket. */
    rs_log_fn log;           /* called from any thread; may be NULL */
    void *log_ctx;
};

/* Opens the device. On failure *out is NULL and `err` (may be NULL), of err_len bytes, says what
 * and why: -ENODEV no such device (those there are named), -EACCES device node not permitted,
 * -ENOTUNIQ, -ENETDOWN port absent or not Ethernet, -ENOMEM. */
RS_API RS_MUST_USE int tapm_open(const struct tapm_config *config, struct tapm **out, char *err,
                                 size_t err_len);

/* Destroys every tap, rule and registration left and closes the device: nothing stays behind. NULL
 * is allowed. Stacks on the taps must be gone. */
RS_API void tapm_close(struct tapm *tapm);

/* Text of the last failed call on this tapm; "" when none failed. Valid until the next call on it.
 */
RS_API const char *tapm_error(const struct tapm *tapm);

/* Name of the device that was opened. Valid until tapm_close. */
RS_API const char *tapm_device_name(const struct tapm *tapm);

/* MAC and MTU of the port's netdev, and its first IPv4 address (family NONE when it has none). */
struct tapm_port_info {
    struct rs_mac mac;
    uint16_t mtu_bytes;
    struct rs_ip ip;
    uint8_t prefix_len;
    bool link_up;
    uint32_t speed_mbps; /* 0 unknown */
};
RS_API RS_MUST_USE int tapm_port_query(struct tapm *tapm, struct tapm_port_info *out);

/* --- capabilities -------------------------------------------------------------------------------
 */

enum tapm_presence { TAPM_ABSENT, TAPM_PRESENT, TAPM_UNKNOWN };

struct tapm_cap {
    const char *name; /* static: "rx_checksum", "packet_pacing" */
    enum tapm_presence presence;
    char value[64];        /* limit or detail; "" where there is none */
    const char *otherwise; /* what is done instead when absent or unknown; static */
};

/* Fills at most n capabilities and returns how many there are in all. */
RS_API RS_MUST_USE int tapm_caps(struct tapm *tapm, struct tapm_cap *out, size_t n);

/* --- taps ----------------------------------------------------------------------------------------
 */

struct tapm_tap_config {
    const char *name;      /* unique in this tapm; NULL: "tapN" */
    uint32_t rx_ring_pkts; /* power of two, 64..32768; 0: 1024 */
    uint32_t tx_ring_pkts; /* likewise */
    uint32_t pool_bufs;    /* at least both rings; 0: rings + 2048 */
    uint32_t buf_bytes; /* payload room of a buffer; 0: the port's MTU + headers, at least 2048 */
    int numa_node;      /* -1: the device's */
    bool rx_timestamps; /* ask for hardware timestamps; -EOPNOTSUPP where there are none */
};

/* Creates queue pair, completion queues and registered buffers, in RTS. -ENOMEM / -EAGAIN no free
 * queue or locked memory, -EPERM no CAP_NET_RAW, -EEXIST name taken, -EINVAL. */
RS_API RS_MUST_USE int tapm_tap_create(struct tapm *tapm, const struct tapm_tap_config *config,
                                       struct tapm_tap **out);
/* Rules of the tap go with it. -EBUSY while regions are registered on it. */
RS_API RS_MUST_USE int tapm_tap_destroy(struct tapm_tap *tap);
/* The queue; it dies with the tap. */
RS_API struct hwtap *tapm_tap_hwtap(struct tapm_tap *tap);
/* The steering seam for a stack on this tap; valid as long as the tap. */
RS_API struct rs_steering tapm_tap_steering(struct tapm_tap *tap);

/* --- rules ---------------------------------------------------------------------------------------
 */

/* Adds a rule. Two rules overlap when one frame could match both at the same priority; the more
 * specific of two nested matches wins instead and does not count as overlap, nor do copies
 * (rs_match.copy). An overlap with a rule of another tap is -EBUSY, and tapm_error names its owner;
 * the same match twice on one tap is -EEXIST. Other errors: see steering.h. */
RS_API RS_MUST_USE int tapm_rule_add(struct tapm_tap *tap, const struct rs_match *match,
                                     uint64_t *rule);
RS_API RS_MUST_USE int tapm_rule_del(struct tapm_tap *tap, uint64_t rule);

/* Parses "tcp dst 10.0.0.2:80 src 10.0.0.1:any", "udp dst 10.0.0.2:53", "arp copy": the text form
 * in which rules are printed. -EINVAL, with err saying which word. */
RS_API RS_MUST_USE int tapm_rule_parse(const char *text, struct rs_match *out, char *err,
                                       size_t err_len);
/* Writes the text form; returns its length as snprintf does. */
RS_API int tapm_rule_format(const struct rs_match *match, char *out, size_t len);

/* --- the control socket
 * --------------------------------------------------------------------------- */

/* Path of this tapm's control socket; "" when it has none. */
RS_API const char *tapm_control_path(const struct tapm *tapm);

/* Lets a program add a section of its own to the `stats` answer: `fill` is called on the control
 * thread and writes counters as rs_stack_counters does. NULL removes it. */
struct rs_counter;
RS_API void tapm_stats_provider_set(struct tapm *tapm, const char *section,
                                    size_t (*fill)(void *ctx, struct rs_counter *out, size_t n),
                                    void *ctx);

/* Asks every process that serves a control socket in `dir` (NULL: the default) for `what` ("list",
 * "caps", "show", "stats") and hands each answer, one JSON document, to fn. Dead sockets are
 * skipped. Returns how many answered, or -errno. For tools. */
RS_API RS_MUST_USE int tapm_control_query(const char *dir, const char *what,
                                          void (*fn)(void *ctx, const char *json), void *ctx);

#ifdef __cplusplus
}
#endif
#endif
