/* SPDX-License-Identifier: BSD-2-Clause */
/* Completions and events; see decode.h. */
#include "cxemu/trace/decode.h"

#include <endian.h>
#include <infiniband/mlx5dv.h>
#include <string.h>

enum {
    COUNTER24_MASK = 0xffffff,
    HASH_AT = 12, /* kernel include/linux/mlx5/device.h rss_hash_result; not in mlx5dv.h */
    HASH_TYPE_AT = 16,
    CQE_CV = 1 << 0, /* l4_hdr_type_etc: a tag was stripped */
    L3_TYPE_SHIFT = 2,
    L4_TYPE_SHIFT = 4,
};

static const char *opcode_name(uint8_t opcode)
{
    switch (opcode) {
    case MLX5_CQE_REQ:
        return "REQ";
    case MLX5_CQE_RESP_WR_IMM:
        return "RESP_WR_IMM";
    case MLX5_CQE_RESP_SEND:
        return "RESP_SEND";
    case MLX5_CQE_RESP_SEND_IMM:
        return "RESP_SEND_IMM";
    case MLX5_CQE_RESP_SEND_INV:
        return "RESP_SEND_INV";
    case MLX5_CQE_RESIZE_CQ:
        return "RESIZE_CQ";
    case MLX5_CQE_REQ_ERR:
        return "REQ_ERR";
    case MLX5_CQE_RESP_ERR:
        return "RESP_ERR";
    case MLX5_CQE_INVALID:
        return "INVALID";
    default:
        return NULL;
    }
}

static const char *syndrome_name(uint8_t syndrome)
{
    switch (syndrome) {
    case MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR:
        return "LOCAL_LENGTH_ERR";
    case MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR:
        return "LOCAL_QP_OP_ERR";
    case MLX5_CQE_SYNDROME_LOCAL_PROT_ERR:
        return "LOCAL_PROT_ERR";
    case MLX5_CQE_SYNDROME_WR_FLUSH_ERR:
        return "WR_FLUSH_ERR";
    case MLX5_CQE_SYNDROME_MW_BIND_ERR:
        return "MW_BIND_ERR";
    case MLX5_CQE_SYNDROME_BAD_RESP_ERR:
        return "BAD_RESP_ERR";
    case MLX5_CQE_SYNDROME_LOCAL_ACCESS_ERR:
        return "LOCAL_ACCESS_ERR";
    case MLX5_CQE_SYNDROME_REMOTE_INVAL_REQ_ERR:
        return "REMOTE_INVAL_REQ_ERR";
    case MLX5_CQE_SYNDROME_REMOTE_ACCESS_ERR:
        return "REMOTE_ACCESS_ERR";
    case MLX5_CQE_SYNDROME_REMOTE_OP_ERR:
        return "REMOTE_OP_ERR";
    case MLX5_CQE_SYNDROME_TRANSPORT_RETRY_EXC_ERR:
        return "TRANSPORT_RETRY_EXC_ERR";
    case MLX5_CQE_SYNDROME_RNR_RETRY_EXC_ERR:
        return "RNR_RETRY_EXC_ERR";
    case MLX5_CQE_SYNDROME_REMOTE_ABORTED_ERR:
        return "REMOTE_ABORTED_ERR";
    default:
        return NULL;
    }
}

static void put_named(struct cxemu_record *r, const char *key, const char *name, uint32_t value)
{
    if (name)
        cxemu_record_word(r, key, name);
    else
        cxemu_record_hex(r, key, value);
}

static void put_error(struct cxemu_record *r, const struct mlx5_cqe64 *cqe)
{
    struct mlx5_err_cqe err;

    memcpy(&err, cqe, sizeof(err));
    put_named(r, "syndrome", syndrome_name(err.syndrome), err.syndrome);
    if (err.vendor_err_synd)
        cxemu_record_hex(r, "vendor", err.vendor_err_synd);
    cxemu_record_number(r, "queue", be32toh(err.s_wqe_opcode_qpn) & COUNTER24_MASK);
}

/* What the checksum unit and the parser say. */
static void put_verdict(struct cxemu_record *r, const struct mlx5_cqe64 *cqe)
{
    static const struct cxemu_bit_name ok[] = {
        {MLX5_CQE_L2_OK, "l2"}, {MLX5_CQE_L3_OK, "l3"}, {MLX5_CQE_L4_OK, "l4"}, {0, NULL}};
    static const char *const l3[] = {"none", "ipv6", "ipv4", "other"};
    static const char *const l4[] = {"none",         "tcp", "udp", "tcp_ack",
                                     "tcp_ack_data", "5",   "6",   "7"};

    cxemu_record_flags(r, "ok",
                       cqe->hds_ip_ext & (MLX5_CQE_L2_OK | MLX5_CQE_L3_OK | MLX5_CQE_L4_OK), ok);
    cxemu_record_word(r, "l3", l3[(cqe->l4_hdr_type_etc >> L3_TYPE_SHIFT) & 3]);
    cxemu_record_word(r, "l4", l4[(cqe->l4_hdr_type_etc >> L4_TYPE_SHIFT) & 7]);
    if (cqe->l4_hdr_type_etc & CQE_CV)
        cxemu_record_hex(r, "vlan", be16toh(cqe->vlan_info));
}

static void put_receive(struct cxemu_record *r, const struct mlx5_cqe64 *cqe)
{
    uint32_t tag = be32toh(cqe->sop_drop_qpn) & COUNTER24_MASK;
    const uint8_t *bytes = (const uint8_t *)cqe;
    uint32_t hash;

    cxemu_record_number(r, "len", be32toh(cqe->byte_cnt));
    if (tag)
        cxemu_record_number(r, "flow_tag", tag);
    memcpy(&hash, bytes + HASH_AT, sizeof(hash));
    if (hash) {
        cxemu_record_hex(r, "hash", be32toh(hash));
        cxemu_record_hex(r, "hash_type", bytes[HASH_TYPE_AT]);
    }
    put_verdict(r, cqe);
}

void cxemu_decode_cqe(struct cxemu_record *r, const struct mlx5_cqe64 *cqe, uint8_t op_own)
{
    uint8_t opcode = op_own >> 4;

    put_named(r, "opcode", opcode_name(opcode), opcode);
    cxemu_record_number(r, "owner", op_own & MLX5_CQE_OWNER_MASK);
    cxemu_record_number(r, "wqe_counter", be16toh(cqe->wqe_counter));
    cxemu_record_hex(r, "uidx", be32toh(cqe->srqn_uidx));
    if (opcode == MLX5_CQE_REQ_ERR || opcode == MLX5_CQE_RESP_ERR) {
        put_error(r, cqe);
        return;
    }
    if (opcode == MLX5_CQE_REQ)
        cxemu_record_number(r, "queue", be32toh(cqe->sop_drop_qpn) & COUNTER24_MASK);
    else
        put_receive(r, cqe);
    cxemu_record_number(r, "timestamp", be64toh(cqe->timestamp));
}

const char *cxemu_decode_event(int event)
{
    switch (event) {
    case IBV_EVENT_CQ_ERR:
        return "CQ_ERR";
    case IBV_EVENT_QP_FATAL:
        return "QP_FATAL";
    case IBV_EVENT_SQ_DRAINED:
        return "SQ_DRAINED";
    case IBV_EVENT_DEVICE_FATAL:
        return "DEVICE_FATAL";
    case IBV_EVENT_PORT_ACTIVE:
        return "PORT_ACTIVE";
    case IBV_EVENT_PORT_ERR:
        return "PORT_ERR";
    case IBV_EVENT_WQ_FATAL:
        return "WQ_FATAL";
    default:
        return "?";
    }
}
