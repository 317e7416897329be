/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * C API of cxemu, the emulated ConnectX, for test programs that link libcxemu and for programs that
 * pump it. Nothing of librawstack uses it. Most users never see it: `cxemu run` (cxemu(1)) preloads
 * the library and configures it from the command line.
 *
 * libcxemu interposes a few libc calls (open, ioctl, mmap, ...) so that the process finds the
 * emulated devices where the kernel would show real ones. One set of NICs per process.
 *
 * Thread: any. Pumping is for one thread at a time.
 */
#ifndef RAWSTACK_CXEMU_H
#define RAWSTACK_CXEMU_H

#include <rawstack/types.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cxemu_drive {
    CXEMU_DRIVE_THREAD, /* a device thread that polls and backs off to sleep */
    CXEMU_DRIVE_PUMP,   /* nothing moves but inside cxemu_pump: deterministic */
};

/*
 * Adds a NIC, described as `cxemu run --nic` takes it: comma-separated key=value:
 *
 * - name=mlx5_0: device name (default: the next mlx5_N)
 * - wire=mem:NAME: the two NICs of one NAME are joined in memory, losslessly (back-pressure)
 * - wire=packet:IFNAME: AF_PACKET on a netdev, usually one end of a veth
 * - wire=none: nothing attached; link down
 * - netdev=IFNAME: kernel-side netdev, a tap of this name with the port's MAC, which gets what no
 *   rule claims; absent: such frames are counted and dropped
 * - mac=02:00:00:00:00:01: default: derived from the name
 * - mtu=1500: port MTU, 68..9000
 * - rate=1Gbit, delay=5ms, loss=1% and more: what the wire does to frames, in both directions, or
 *   with tx_ or rx_ before the key in one: cxemu(1) has them all
 * - seed=1: of the generators behind these
 * - fault=TEXT: armed from the start, see cxemu_fault(); several are joined by '+'
 * - max_qp=4096: queue pairs that the NIC has
 * - rx_wait=100ms: how long a frame may wait for a receive entry, at most 10s; none by default: it
 *   is dropped, as real cards do
 * - mode=0666: permissions of the device node
 * - model=cx4lx|cx5|cx6dx|cx7: which card; cx5 when absent
 * - off=tso+rss: capabilities of the model that this card has not; a wrong name lists those known
 *
 * - card=NAME: ports of one NAME are on one card, .0 and .1
 * - vfs=N: virtual functions to make along with it, NAMEv0, NAMEv1 ..
 * - pf=NAME: this is a virtual function of that NIC, with the attributes vlan=0..4094,
 *   spoofchk=on|off, max_rate=MBIT and vf_link=auto|enable|disable
 *
 * 0; -EINVAL a bad key or value, -EEXIST the name, -ENODEV no such interface, -EPERM; `err` says
 * which.
 */
RS_API RS_MUST_USE int cxemu_nic_add(const char *spec, char *err, size_t err_len);
/* Judges a description without making anything: 0, or -EINVAL or -ENODEV with the reason in `err`.
 */
RS_API RS_MUST_USE int cxemu_nic_check(const char *spec, char *err, size_t err_len);
/* Unplugs it: contexts still open get IBV_EVENT_DEVICE_FATAL and their commands fail with EIO.
 * -ENOENT. */
RS_API RS_MUST_USE int cxemu_nic_remove(const char *name);

/* Changes attributes of a virtual function, as `ip link set PF vf N` does: "vlan=5,spoofchk=on",
 * keys mac, vlan, spoofchk, max_rate, vf_link. 0; -EINVAL or -ENOENT with the reason in `err`. */
RS_API RS_MUST_USE int cxemu_vf_set(const char *nic, const char *settings, char *err,
                                    size_t err_len);

/* How NICs are driven; before the first cxemu_nic_add. Default: thread. -EBUSY afterwards. */
RS_API RS_MUST_USE int cxemu_drive_set(enum cxemu_drive drive);

/* One pass over all NICs: doorbells, transmit, wires, steering, receive; at most `budget` frames
 * per queue and direction. Returns frames moved, 0 when there is nothing to do. With
 * CXEMU_DRIVE_THREAD: -EBUSY. */
RS_API int cxemu_pump(unsigned budget);

/* A device counter by name: those of mlx5 in ethtool -S and sysfs (rx_packets_phy, out_of_buffer,
 * port_xmit_packets, rx_steer_missed_packets ...), and ours, with or without "cxemu_" before them
 * (rx_packets, rx_steered_packets, rx_netdev_packets, wire_lost_packets, tx_errors ...);
 * `cxemu counters` lists them. 0 when there is none of that name. */
RS_API uint64_t cxemu_counter(const char *nic, const char *name);

/* Makes the wire of a NIC worse or better while it runs: "delay=5ms,loss=1%", keys as in its
 * description (rate, delay, jitter, loss, dup, reorder, corrupt, path_mtu, queue, ecn, seed and
 * what goes with them: cxemu(1)); all of them or, when one is wrong, none. -ENOENT the NIC, -ENODEV
 * it has no wire, -EINVAL a key or value; `err` says which. */
RS_API RS_MUST_USE int cxemu_set(const char *nic, const char *text, char *err, size_t err_len);

/* Port state; contexts get IBV_EVENT_PORT_ERR / PORT_ACTIVE. -ENOENT. */
RS_API RS_MUST_USE int cxemu_link_set(const char *nic, bool up);

/*
 * Arms a fault: something that the NIC does wrong because it is told to. The text is
 * "KIND[:key=value]...", as `cxemu fault` and the key fault= take it; cxemu(1) has all kinds:
 *
 * - send, recv: a work entry completes in error: syndrome=, vendor=, qp=
 * - qp, cq, overrun: a queue goes to error, with its event: qp=, cq=
 * - port-down, port-up, stuck (time=), fatal, remove
 * - create: a command that makes an object fails: object=qp, errno=ENOMEM; command: name=modify_qp
 * - starve, slow (time=), doorbell (time=), no-interrupt, no-event (event=)
 *
 * after=N lets N opportunities pass, count=N or count=forever says how often it strikes, p=1% and
 * seed= with what chance. A number above 0 that names the fault; -EINVAL, -ENOENT the NIC, -ENOSPC:
 * `err` says which.
 */
RS_API RS_MUST_USE int cxemu_fault(const char *nic, const char *text, char *err, size_t err_len);
/* id 0: all. What they hold (a port down, a stuck device) is let go. How many; -ENOENT. */
RS_API int cxemu_fault_clear(const char *nic, int id);
/* How often it has struck; 0 also when there is no such fault. */
RS_API uint64_t cxemu_fault_fired(const char *nic, int id);

/*
 * Writes what the NIC is asked and does to fd from now on, a line each: commands, work entries,
 * doorbells, completions and events, decoded by name; as JSON when json. Never waits for a reader:
 * what fd does not take at once is lost, counted and said. filter: words joined by commas, of
 * commands, sends, recvs, completions, doorbells, events, qp=N, cq=N; NULL: everything. fd stays
 * the caller's, open until cxemu_trace_stop. -EINVAL the filter, -ENOENT the NIC, -ENOSPC: eight
 * do.
 */
RS_API RS_MUST_USE int cxemu_trace(const char *nic, int fd, bool json, const char *filter,
                                   char *err, size_t err_len);
/* -ENOENT. */
RS_API int cxemu_trace_stop(const char *nic, int fd);

/* Live objects of a NIC of one kind ("pd", "mr", "cq", "qp", "flow", "counters", "matcher",
 * "context"): for leak checks.
 */
RS_API uint64_t cxemu_object_count(const char *nic, const char *kind);

/* --- one NIC, many processes ------------------------------------------------------------------
 */

/*
 * Holds this process's NICs out to other processes, which reach them with `cxemu run --nic NAME`:
 * what `cxemu start` does. Before the first cxemu_nic_add; each NIC added or removed later is seen
 * by the others. Rules, counters, wires and the table of rates are the NIC's, as with hardware; an
 * object dies with the last copy of the descriptor that it was made through; what a program may do
 * is judged by its own capabilities.
 *
 * name: letters, digits, '.', '_' and '-', at most 32 of them, not first '.' or '-'.
 * 0; -EINVAL the name, -EADDRINUSE an instance of that name runs, -EBUSY there are NICs already,
 * -EACCES and the like from the folder; `err` says which.
 */
RS_API RS_MUST_USE int cxemu_share(const char *name, char *err, size_t err_len);
/* Unplugs all NICs, closes what others have open and removes the instance's folder. */
RS_API void cxemu_unshare(void);

/* The folder of an instance, running or not; with NULL the one that all are in: $CXEMU_RUN_DIR, or
 * /run/cxemu for root, or cxemu in $XDG_RUNTIME_DIR or /tmp/cxemu-UID. -EINVAL the name,
 * -ENAMETOOLONG. */
RS_API RS_MUST_USE int cxemu_instance_dir(const char *name, char *dir, size_t len);
/* The process that holds a running instance; -ENOENT: none does, and what one left behind is swept.
 */
RS_API RS_MUST_USE pid_t cxemu_instance_pid(const char *name);

#ifdef __cplusplus
}
#endif
#endif
