/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The groups of device_caps.h, in the order in which the structs have them. Values: mlx5_ib_query_
 * device in drivers/infiniband/hw/mlx5/main.c, with what such cards report for the PRM's
 * capabilities behind them.
 */
#include "cxemu/uverbs/device_caps.h"

#include "cxemu/uverbs/limits.h"
#include <endian.h>
#include <rdma/ib_user_ioctl_verbs.h>

#define RAW_PACKET (1u << IB_UVERBS_QPT_RAW_PACKET)

static bool have(const struct cxemu_dev *dev, enum cxemu_cap cap)
{
    return cxemu_caps_have(dev->caps, cap);
}

/* --- common part -------------------------------------------------------------------------- */

static uint64_t device_flags(const struct cxemu_dev *dev)
{
    uint64_t flags = IB_UVERBS_DEVICE_PORT_ACTIVE_EVENT | IB_UVERBS_DEVICE_SYS_IMAGE_GUID |
                     IB_UVERBS_DEVICE_MANAGED_FLOW_STEERING;

    if (have(dev, CXEMU_CAP_CSUM))
        flags |= IB_UVERBS_DEVICE_RAW_IP_CSUM;
    if (have(dev, CXEMU_CAP_SCATTER_FCS))
        flags |= IB_UVERBS_DEVICE_RAW_SCATTER_FCS;
    return flags;
}

void cxemu_caps_fill_device(const struct cxemu_dev *dev, struct ib_uverbs_query_device_resp *r)
{
    *r = (struct ib_uverbs_query_device_resp){
        .fw_ver = cxemu_model_fw_ver(dev->model),
        .node_guid = htobe64(cxemu_dev_guid(dev)),
        .sys_image_guid = htobe64(dev->sys_image_guid),
        .max_mr_size = UINT64_MAX,
        .page_size_cap = 0xfffffffffffff000ull,
        .vendor_id = CXEMU_VENDOR_ID,
        .vendor_part_id = cxemu_dev_part_id(dev),
        .max_qp = dev->max_qp,
        .max_qp_wr = CXEMU_MAX_WR,
        .device_cap_flags = (uint32_t)device_flags(dev),
        .max_sge = CXEMU_MAX_SGE,
        .max_cq = CXEMU_MAX_CQ,
        .max_cqe = CXEMU_MAX_CQE - 1,
        .max_mr = CXEMU_MAX_MR,
        .max_pd = CXEMU_MAX_PD,
        .max_pkeys = 1,
        .phys_port_cnt = 1,
    };
}

static uint32_t raw_packet_caps(const struct cxemu_dev *dev)
{
    return (have(dev, CXEMU_CAP_VLAN_STRIP) ? IB_UVERBS_RAW_PACKET_CAP_CVLAN_STRIPPING : 0u) |
           (have(dev, CXEMU_CAP_SCATTER_FCS) ? IB_UVERBS_RAW_PACKET_CAP_SCATTER_FCS : 0u) |
           (have(dev, CXEMU_CAP_CSUM) ? IB_UVERBS_RAW_PACKET_CAP_IP_CSUM : 0u);
}

static void fill_rss(const struct cxemu_dev *dev, struct ib_uverbs_ex_query_device_resp *r)
{
    if (!have(dev, CXEMU_CAP_RSS))
        return;
    r->rss_caps = (struct ib_uverbs_rss_caps){
        .supported_qpts = RAW_PACKET,
        .max_rwq_indirection_tables = CXEMU_MAX_RWQ_IND_TBL,
        .max_rwq_indirection_table_size = CXEMU_MAX_RWQ_IND_TBL_SIZE,
    };
    r->max_wq_type_rq = CXEMU_MAX_WQ;
}

static void fill_timestamp(const struct cxemu_dev *dev, struct ib_uverbs_ex_query_device_resp *r)
{
    if (!have(dev, CXEMU_CAP_TIMESTAMP))
        return;
    r->timestamp_mask = 0x7fffffffffffffffull;
    r->hca_core_clock = dev->model->clock_khz;
}

static void fill_cq_moderation(const struct cxemu_dev *dev,
                               struct ib_uverbs_ex_query_device_resp *r)
{
    if (!have(dev, CXEMU_CAP_CQ_MODERATION))
        return;
    r->cq_moderation_caps.max_cq_moderation_count = CXEMU_MAX_CQ_MODERATION_COUNT;
    r->cq_moderation_caps.max_cq_moderation_period = CXEMU_MAX_CQ_MODERATION_PERIOD_US;
}

void cxemu_caps_fill_device_ex(const struct cxemu_dev *dev,
                               struct ib_uverbs_ex_query_device_resp *r)
{
    cxemu_caps_fill_device(dev, &r->base);
    fill_timestamp(dev, r);
    r->device_cap_flags_ex = device_flags(dev);
    fill_rss(dev, r);
    r->raw_packet_caps = raw_packet_caps(dev);
    fill_cq_moderation(dev, r);
    /* odp_caps, tm_caps, max_dm_size, xrc_odp_caps: no paging, tag matching, device memory. */
}

/* --- driver part -------------------------------------------------------------------------- */

static struct mlx5_ib_tso_caps tso(const struct cxemu_dev *dev)
{
    if (!have(dev, CXEMU_CAP_TSO))
        return (struct mlx5_ib_tso_caps){0};
    return (struct mlx5_ib_tso_caps){.max_tso = CXEMU_MAX_TSO_BYTES, .supported_qpts = RAW_PACKET};
}

static struct mlx5_ib_rss_caps rss(const struct cxemu_dev *dev)
{
    struct mlx5_ib_rss_caps caps = {0};

    if (!have(dev, CXEMU_CAP_RSS))
        return caps;
    caps.rx_hash_function = MLX5_RX_HASH_FUNC_TOEPLITZ;
    caps.rx_hash_fields_mask = MLX5_RX_HASH_SRC_IPV4 | MLX5_RX_HASH_DST_IPV4 |
                               MLX5_RX_HASH_SRC_IPV6 | MLX5_RX_HASH_DST_IPV6 |
                               MLX5_RX_HASH_SRC_PORT_TCP | MLX5_RX_HASH_DST_PORT_TCP |
                               MLX5_RX_HASH_SRC_PORT_UDP | MLX5_RX_HASH_DST_PORT_UDP;
    if (have(dev, CXEMU_CAP_FLOW_TUNNEL))
        caps.rx_hash_fields_mask |= MLX5_RX_HASH_INNER;
    return caps;
}

static struct mlx5_packet_pacing_caps pacing(const struct cxemu_dev *dev)
{
    if (!have(dev, CXEMU_CAP_PACING))
        return (struct mlx5_packet_pacing_caps){0};
    return (struct mlx5_packet_pacing_caps){
        .qp_rate_limit_min = 1,
        .qp_rate_limit_max = dev->model->rate_mbit * 1000,
        .supported_qpts = RAW_PACKET,
        .cap_flags = have(dev, CXEMU_CAP_PACING_BURST) ? MLX5_IB_PP_SUPPORT_BURST : 0,
    };
}

static struct mlx5_ib_striding_rq_caps striding(const struct cxemu_dev *dev)
{
    if (!have(dev, CXEMU_CAP_STRIDING_RQ))
        return (struct mlx5_ib_striding_rq_caps){0};
    return (struct mlx5_ib_striding_rq_caps){
        .min_single_stride_log_num_of_bytes = 6,
        .max_single_stride_log_num_of_bytes = 13,
        .min_single_wqe_log_num_of_strides = dev->model->log_min_strides,
        .max_single_wqe_log_num_of_strides = 16,
        .supported_qpts = RAW_PACKET,
    };
}

static uint32_t tunnels(const struct cxemu_dev *dev)
{
    return have(dev, CXEMU_CAP_FLOW_TUNNEL)
               ? MLX5_IB_TUNNELED_OFFLOADS_VXLAN | MLX5_IB_TUNNELED_OFFLOADS_GRE
               : 0;
}

void cxemu_caps_fill_driver(const struct cxemu_dev *dev, struct mlx5_ib_query_device_resp *r)
{
    r->tso_caps = tso(dev);
    r->rss_caps = rss(dev);
    if (have(dev, CXEMU_CAP_CQE_COMP))
        r->cqe_comp_caps = (struct mlx5_ib_cqe_comp_caps){
            CXEMU_CQE_COMP_MAX, MLX5_IB_CQE_RES_FORMAT_HASH | MLX5_IB_CQE_RES_FORMAT_CSUM};
    r->packet_pacing_caps = pacing(dev);
    r->mlx5_ib_support_multi_pkt_send_wqes =
        (dev->model->has_mpw ? MLX5_IB_ALLOW_MPW : 0u) |
        (have(dev, CXEMU_CAP_EMPW) ? MLX5_IB_SUPPORT_EMPW : 0u);
    r->flags = MLX5_IB_QUERY_DEV_RESP_FLAGS_CQE_128B_PAD;
    r->striding_rq_caps = striding(dev);
    r->tunnel_offloads_caps = tunnels(dev);
}
