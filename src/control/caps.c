/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The capability report: what the device, the machine and this process's privileges allow, and what
 * is done instead where something is missing. Hold beside it: ibv_query_device_ex(3),
 * mlx5dv_query_device(3), capabilities(7), getrlimit(2).
 */
#include "control/sysfile.h"
#include "control/tapm.h"

#include <errno.h>
#include <infiniband/mlx5dv.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The report as it is written: counts on past what the caller has room for. */
struct report {
    struct tapm_cap *out;
    size_t room, count;
};

static void add(struct report *r, const char *name, enum tapm_presence presence,
                const char *otherwise, const char *value, ...)
    __attribute__((format(printf, 5, 6)));
static void add(struct report *r, const char *name, enum tapm_presence presence,
                const char *otherwise, const char *value, ...)
{
    va_list args;

    if (r->count < r->room) {
        struct tapm_cap *cap = &r->out[r->count];
        cap->name = name;
        cap->presence = presence;
        cap->otherwise = otherwise;
        va_start(args, value);
        vsnprintf(cap->value, sizeof(cap->value), value, args);
        va_end(args);
    }
    r->count++;
}

static enum tapm_presence when(bool present)
{
    return present ? TAPM_PRESENT : TAPM_ABSENT;
}

bool tapm_has_cap(unsigned cap)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};

    if (syscall(SYS_capget, &header, data) != 0)
        return false;
    return data[cap / 32].effective & 1u << cap % 32;
}

static void add_offloads(struct report *r, const struct ibv_device_attr_ex *a)
{
    bool csum = a->raw_packet_caps & IBV_RAW_PACKET_CAP_IP_CSUM ||
                a->orig_attr.device_cap_flags & IBV_DEVICE_RAW_IP_CSUM;
    bool tso = a->tso_caps.max_tso > 0 &&
               ibv_is_qpt_supported(a->tso_caps.supported_qpts, IBV_QPT_RAW_PACKET);

    add(r, "tx_checksum", when(csum), "checksums are computed in software", "%s", "");
    add(r, "rx_checksum", when(csum), "checksums are verified in software", "%s", "");
    add(r, "vlan_strip", when(a->raw_packet_caps & IBV_RAW_PACKET_CAP_CVLAN_STRIPPING),
        "the stack takes the tag off", "%s", "");
    add(r, "scatter_fcs", when(a->raw_packet_caps & IBV_RAW_PACKET_CAP_SCATTER_FCS),
        "frames come without their check sequence", "%s", "");
    add(r, "delay_drop", when(a->raw_packet_caps & IBV_RAW_PACKET_CAP_DELAY_DROP),
        "frames are dropped as soon as no receive buffer is posted", "%s", "");
    if (tso)
        add(r, "tso", TAPM_PRESENT, "", "up to %u bytes", a->tso_caps.max_tso);
    else
        add(r, "tso", TAPM_ABSENT, "the stack sends segments one by one", "%s", "");
}

static void add_queues(struct report *r, const struct ibv_device_attr_ex *a)
{
    bool rss = ibv_is_qpt_supported(a->rss_caps.supported_qpts, IBV_QPT_RAW_PACKET) &&
               a->rss_caps.max_rwq_indirection_tables > 0;

    add(r, "queue_pairs", TAPM_PRESENT, "", "%d of up to %d entries", a->orig_attr.max_qp,
        a->orig_attr.max_qp_wr);
    if (rss)
        add(r, "rss", TAPM_PRESENT, "", "tables of up to %u queues",
            a->rss_caps.max_rwq_indirection_table_size);
    else
        add(r, "rss", TAPM_ABSENT, "flows are spread over cores by exact rules", "%s", "");
}

/* Some driver versions set the queue pair type and leave both limits 0: that is "not told". */
static void add_pacing(struct report *r, const struct ibv_device_attr_ex *a)
{
    const struct ibv_packet_pacing_caps *p = &a->packet_pacing_caps;
    bool has_type = ibv_is_qpt_supported(p->supported_qpts, IBV_QPT_RAW_PACKET);

    if (!has_type)
        add(r, "packet_pacing", TAPM_ABSENT, "rates are kept in software", "%s", "");
    else if (p->qp_rate_limit_min == 0 && p->qp_rate_limit_max == 0)
        add(r, "packet_pacing", TAPM_UNKNOWN, "rates are kept in software", "%s",
            "limits not reported");
    else
        add(r, "packet_pacing", TAPM_PRESENT, "", "%u to %u kbps", p->qp_rate_limit_min,
            p->qp_rate_limit_max);
}

static void add_clock(struct report *r, const struct ibv_device_attr_ex *a)
{
    bool stamps = a->completion_timestamp_mask != 0 && a->hca_core_clock != 0;

    if (stamps)
        add(r, "hw_timestamps", TAPM_PRESENT, "", "clock of %llu kHz",
            (unsigned long long)a->hca_core_clock);
    else
        add(r, "hw_timestamps", TAPM_ABSENT, "arrival times are the poll's", "%s", "");
}

static void add_mlx5(struct report *r, struct tapm *tapm)
{
    static const char no_mlx5[] = "not an mlx5 device";
    struct mlx5dv_context dv = {.comp_mask = MLX5DV_CONTEXT_MASK_STRIDING_RQ |
                                             MLX5DV_CONTEXT_MASK_CQE_COMPRESION |
                                             MLX5DV_CONTEXT_MASK_DYN_BFREGS};
    bool is_mlx5 =
        mlx5dv_is_supported(tapm->context->device) && mlx5dv_query_device(tapm->context, &dv) == 0;
    const struct mlx5dv_striding_rq_caps *s = &dv.striding_rq_caps;
    bool striding = is_mlx5 && dv.comp_mask & MLX5DV_CONTEXT_MASK_STRIDING_RQ &&
                    ibv_is_qpt_supported(s->supported_qpts, IBV_QPT_RAW_PACKET);

    if (striding)
        add(r, "striding_rq", TAPM_PRESENT, "", "strides of 2^%u to 2^%u bytes",
            s->min_single_stride_log_num_of_bytes, s->max_single_stride_log_num_of_bytes);
    else
        add(r, "striding_rq", TAPM_ABSENT, "one receive buffer takes one frame", "%s",
            is_mlx5 ? "" : no_mlx5);
    add(r, "cqe_compression", when(is_mlx5 && dv.cqe_comp_caps.max_num > 0),
        "each completion is written out", "%s", is_mlx5 ? "" : no_mlx5);
    add(r, "enhanced_multi_packet_send",
        when(is_mlx5 && dv.flags & MLX5DV_CONTEXT_FLAGS_ENHANCED_MPW),
        "one work request takes one frame", "%s", is_mlx5 ? "" : no_mlx5);

    /* DevX is there when the simplest of its queries is answered. */
    uint32_t eqn;
    bool devx = is_mlx5 && mlx5dv_devx_query_eqn(tapm->context, 0, &eqn) == 0;
    add(r, "devx", when(devx), "everything is done through verbs objects", "%s",
        is_mlx5 ? "" : no_mlx5);
}

static void add_steering(struct report *r, struct tapm *tapm)
{
    bool steers = tapm->attr.orig_attr.device_cap_flags & IBV_DEVICE_MANAGED_FLOW_STEERING;
    struct tapm_probe p;

    tapm_probe_run(tapm, &p);
    const char *untold = p.may_try ? "" : p.raw_qp_value;
    add(r, "raw_packet_qp", p.raw_qp, "no tap can be made", "%s", p.raw_qp_value);
    add(r, "flow_steering", when(steers), "no rule can be made: taps receive nothing", "%s", "");
    add(r, "flow_tag", p.flow_tag, "frames do not tell which rule brought them", "%s", untold);
    add(r, "flow_drop", p.flow_drop, "unwanted frames are dropped by the stack", "%s", untold);
    add(r, "dont_trap", p.dont_trap, "no copies: ARP and ICMP are shared with the kernel by nobody",
        "%s", untold);
    add(r, "flow_counters", p.flow_counters, "rules are not counted by themselves", "%s", untold);
    add(r, "sniffer", p.sniffer, "tcpdump sees what no rule claims, and nothing else", "%s",
        untold);
}

static void add_machine(struct report *r)
{
    long pages = tapm_sysfile_number(0, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
    char thp[64] = "";
    struct rlimit memlock = {0};

    tapm_sysfile_line(thp, sizeof(thp), "/sys/kernel/mm/transparent_hugepage/enabled");
    bool has_thp = strstr(thp, "[always]") || strstr(thp, "[madvise]");
    if (pages > 0)
        add(r, "huge_pages", TAPM_PRESENT, "", "%ld of 2 MiB free", pages);
    else
        add(r, "huge_pages", TAPM_ABSENT,
            has_thp ? "buffers are in transparent huge pages, where the kernel finds them"
                    : "buffers are in ordinary pages",
            "%s", "none reserved");
    getrlimit(RLIMIT_MEMLOCK, &memlock);
    if (tapm_has_cap(CAP_IPC_LOCK) || memlock.rlim_cur == RLIM_INFINITY)
        add(r, "memlock", TAPM_PRESENT, "", "%s", "unlimited");
    else
        add(r, "memlock", TAPM_ABSENT,
            "buffers and queues must fit in the limit: raise it with `ulimit -l unlimited`",
            "limited to %llu KiB", (unsigned long long)memlock.rlim_cur / 1024);
    add(r, "cap_net_raw", when(tapm_has_cap(CAP_NET_RAW)),
        "no tap and no rule can be made: run as root, or `setcap cap_net_raw+ep PROGRAM`", "%s",
        "");
}

int tapm_caps(struct tapm *tapm, struct tapm_cap *out, size_t n)
{
    struct report r = {.out = out, .room = n};

    add_offloads(&r, &tapm->attr);
    add_queues(&r, &tapm->attr);
    add_pacing(&r, &tapm->attr);
    add_clock(&r, &tapm->attr);
    add_mlx5(&r, tapm);
    add_steering(&r, tapm);
    add_machine(&r);
    return (int)r.count;
}
