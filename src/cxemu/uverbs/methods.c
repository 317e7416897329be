/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The methods of RDMA_VERBS_IOCTL: object and method number to name, attribute table and handler.
 * Numbers are those of <rdma/ib_user_ioctl_cmds.h> and <rdma/mlx5_user_ioctl_cmds.h>; attribute
 * tables follow drivers/infiniband/core/uverbs_std_types_*.c and hw/mlx5/{std_types,main}.c.
 *
 * Methods that a kernel has and cxemu has not are listed without handler: they fail, and are named
 * in the log. DevX methods answer EINVAL, as the kernel does to a context without DevX.
 */
#include "cxemu/uverbs/cmd.h"
#include "cxemu/uverbs/limits.h"

#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/mlx5-abi.h>
#include <rdma/mlx5_user_ioctl_cmds.h>
#include <rdma/mlx5_user_ioctl_verbs.h>

#define IN(i, must, lo, hi)                                                                   \
    {                                                                                         \
        .name = #i, .id = (i), .type = CXEMU_ATTR_IN, .mandatory = (must), .min_bytes = (lo), \
        .max_bytes = (hi)                                                                     \
    }
#define OUT(i, must, lo, hi)                                                                   \
    {                                                                                          \
        .name = #i, .id = (i), .type = CXEMU_ATTR_OUT, .mandatory = (must), .min_bytes = (lo), \
        .max_bytes = (hi)                                                                      \
    }
#define ID(i, must, t)                                          \
    {                                                           \
        .name = #i, .id = (i), .type = (t), .mandatory = (must) \
    }
#define UHW \
    IN(UVERBS_ATTR_UHW_IN, false, 0, UINT16_MAX), OUT(UVERBS_ATTR_UHW_OUT, false, 0, UINT16_MAX)
#define END                       \
    {                             \
        .type = CXEMU_ATTR_ABSENT \
    }

typedef const struct cxemu_attr_spec specs;

static specs invoke_write[] = {
    IN(UVERBS_ATTR_CORE_IN, false, 1, UINT16_MAX),
    OUT(UVERBS_ATTR_CORE_OUT, false, 1, UINT16_MAX),
    IN(UVERBS_ATTR_WRITE_CMD, true, 8, 8),
    UHW,
    END,
};
static specs query_port[] = {
    IN(UVERBS_ATTR_QUERY_PORT_PORT_NUM, true, 1, 8),
    OUT(UVERBS_ATTR_QUERY_PORT_RESP, true, sizeof(struct ib_uverbs_query_port_resp), UINT16_MAX),
    END,
};
static specs query_vport[] = {
    IN(MLX5_IB_ATTR_QUERY_PORT_PORT_NUM, true, 4, 4),
    OUT(MLX5_IB_ATTR_QUERY_PORT, true,
        offsetof(struct mlx5_ib_uapi_query_port, reg_c0) + sizeof(struct mlx5_ib_uapi_reg),
        UINT16_MAX),
    END,
};
static specs get_context[] = {
    OUT(UVERBS_ATTR_GET_CONTEXT_NUM_COMP_VECTORS, false, 4, 4),
    OUT(UVERBS_ATTR_GET_CONTEXT_CORE_SUPPORT, false, 8, 8),
    UHW,
    END,
};
static specs query_context[] = {
    OUT(UVERBS_ATTR_QUERY_CONTEXT_NUM_COMP_VECTORS, false, 4, 4),
    OUT(UVERBS_ATTR_QUERY_CONTEXT_CORE_SUPPORT, false, 8, 8),
    OUT(MLX5_IB_ATTR_QUERY_CONTEXT_RESP_UCTX, true,
        offsetof(struct mlx5_ib_alloc_ucontext_resp, dump_fill_mkey) + 4, UINT16_MAX),
    END,
};
static specs query_gid_table[] = {
    IN(UVERBS_ATTR_QUERY_GID_TABLE_ENTRY_SIZE, true, 8, 8),
    IN(UVERBS_ATTR_QUERY_GID_TABLE_FLAGS, false, 4, 8),
    OUT(UVERBS_ATTR_QUERY_GID_TABLE_RESP_ENTRIES, true, 0, UINT16_MAX),
    OUT(UVERBS_ATTR_QUERY_GID_TABLE_RESP_NUM_ENTRIES, true, 8, 8),
    END,
};
static specs query_gid_entry[] = {
    IN(UVERBS_ATTR_QUERY_GID_ENTRY_PORT, true, 4, 8),
    IN(UVERBS_ATTR_QUERY_GID_ENTRY_GID_INDEX, true, 4, 8),
    IN(UVERBS_ATTR_QUERY_GID_ENTRY_FLAGS, false, 4, 8),
    OUT(UVERBS_ATTR_QUERY_GID_ENTRY_RESP_ENTRY, true, 32, UINT16_MAX),
    END,
};
static specs async_alloc[] = {
    ID(UVERBS_ATTR_ASYNC_EVENT_ALLOC_FD_HANDLE, true, CXEMU_ATTR_FD_NEW),
    END,
};
static specs pd_destroy[] = {ID(UVERBS_ATTR_DESTROY_PD_HANDLE, true, CXEMU_ATTR_OBJ), END};
static specs pd_query[] = {
    ID(MLX5_IB_ATTR_QUERY_PD_HANDLE, true, CXEMU_ATTR_OBJ),
    OUT(MLX5_IB_ATTR_QUERY_PD_RESP_PDN, true, 4, 4),
    END,
};
static specs mr_destroy[] = {ID(UVERBS_ATTR_DESTROY_MR_HANDLE, true, CXEMU_ATTR_OBJ), END};
static specs mr_query[] = {
    ID(UVERBS_ATTR_QUERY_MR_HANDLE, true, CXEMU_ATTR_OBJ),
    OUT(UVERBS_ATTR_QUERY_MR_RESP_LKEY, true, 4, 4),
    OUT(UVERBS_ATTR_QUERY_MR_RESP_RKEY, true, 4, 4),
    OUT(UVERBS_ATTR_QUERY_MR_RESP_LENGTH, true, 8, 8),
    OUT(UVERBS_ATTR_QUERY_MR_RESP_IOVA, false, 8, 8),
    END,
};
static specs cq_create[] = {
    ID(UVERBS_ATTR_CREATE_CQ_HANDLE, true, CXEMU_ATTR_OBJ_NEW),
    IN(UVERBS_ATTR_CREATE_CQ_CQE, true, 4, 4),
    IN(UVERBS_ATTR_CREATE_CQ_USER_HANDLE, true, 8, 8),
    ID(UVERBS_ATTR_CREATE_CQ_COMP_CHANNEL, false, CXEMU_ATTR_FD),
    IN(UVERBS_ATTR_CREATE_CQ_COMP_VECTOR, true, 4, 4),
    IN(UVERBS_ATTR_CREATE_CQ_FLAGS, false, 4, 8),
    OUT(UVERBS_ATTR_CREATE_CQ_RESP_CQE, true, 4, 4),
    ID(UVERBS_ATTR_CREATE_CQ_EVENT_FD, false, CXEMU_ATTR_FD),
    UHW,
    END,
};
static specs cq_destroy[] = {
    ID(UVERBS_ATTR_DESTROY_CQ_HANDLE, true, CXEMU_ATTR_OBJ),
    OUT(UVERBS_ATTR_DESTROY_CQ_RESP, true, 8, 8),
    END,
};
static specs qp_create[] = {
    ID(UVERBS_ATTR_CREATE_QP_HANDLE, true, CXEMU_ATTR_OBJ_NEW),
    ID(UVERBS_ATTR_CREATE_QP_XRCD_HANDLE, false, CXEMU_ATTR_OBJ),
    ID(UVERBS_ATTR_CREATE_QP_PD_HANDLE, false, CXEMU_ATTR_OBJ),
    ID(UVERBS_ATTR_CREATE_QP_SRQ_HANDLE, false, CXEMU_ATTR_OBJ),
    ID(UVERBS_ATTR_CREATE_QP_SEND_CQ_HANDLE, false, CXEMU_ATTR_OBJ),
    ID(UVERBS_ATTR_CREATE_QP_RECV_CQ_HANDLE, false, CXEMU_ATTR_OBJ),
    ID(UVERBS_ATTR_CREATE_QP_IND_TABLE_HANDLE, false, CXEMU_ATTR_OBJ),
    IN(UVERBS_ATTR_CREATE_QP_USER_HANDLE, true, 8, 8),
    IN(UVERBS_ATTR_CREATE_QP_CAP, true, sizeof(struct ib_uverbs_qp_cap), UINT16_MAX),
    IN(UVERBS_ATTR_CREATE_QP_TYPE, true, 4, 8),
    IN(UVERBS_ATTR_CREATE_QP_FLAGS, false, 4, 8),
    IN(UVERBS_ATTR_CREATE_QP_SOURCE_QPN, false, 4, 4),
    ID(UVERBS_ATTR_CREATE_QP_EVENT_FD, false, CXEMU_ATTR_FD),
    OUT(UVERBS_ATTR_CREATE_QP_RESP_CAP, true, sizeof(struct ib_uverbs_qp_cap), UINT16_MAX),
    OUT(UVERBS_ATTR_CREATE_QP_RESP_QP_NUM, true, 4, 4),
    UHW,
    END,
};
static specs qp_destroy[] = {
    ID(UVERBS_ATTR_DESTROY_QP_HANDLE, true, CXEMU_ATTR_OBJ),
    OUT(UVERBS_ATTR_DESTROY_QP_RESP, true, 4, 4),
    END,
};
static specs flow_destroy[] = {ID(UVERBS_ATTR_DESTROY_FLOW_HANDLE, true, CXEMU_ATTR_OBJ), END};
static specs counters_create[] = {
    ID(UVERBS_ATTR_CREATE_COUNTERS_HANDLE, true, CXEMU_ATTR_OBJ_NEW),
    END,
};
static specs counters_destroy[] = {
    ID(UVERBS_ATTR_DESTROY_COUNTERS_HANDLE, true, CXEMU_ATTR_OBJ),
    END,
};
static specs counters_read[] = {
    ID(UVERBS_ATTR_READ_COUNTERS_HANDLE, true, CXEMU_ATTR_OBJ),
    OUT(UVERBS_ATTR_READ_COUNTERS_BUFF, true, 0, UINT16_MAX),
    IN(UVERBS_ATTR_READ_COUNTERS_FLAGS, false, 4, 8),
    END,
};
static specs matcher_create[] = {
    ID(MLX5_IB_ATTR_FLOW_MATCHER_CREATE_HANDLE, true, CXEMU_ATTR_OBJ_NEW),
    IN(MLX5_IB_ATTR_FLOW_MATCHER_MATCH_MASK, true, 1, sizeof(struct mlx5_ib_match_params)),
    {.id = MLX5_IB_ATTR_FLOW_MATCHER_FLOW_TYPE,
     .type = CXEMU_ATTR_ENUM,
     .mandatory = true,
     .max_bytes = 2},
    IN(MLX5_IB_ATTR_FLOW_MATCHER_MATCH_CRITERIA, true, 1, 1),
    IN(MLX5_IB_ATTR_FLOW_MATCHER_FLOW_FLAGS, false, 4, 8),
    IN(MLX5_IB_ATTR_FLOW_MATCHER_FT_TYPE, false, 8, 8),
    END,
};
static specs matcher_destroy[] = {
    ID(MLX5_IB_ATTR_FLOW_MATCHER_DESTROY_HANDLE, true, CXEMU_ATTR_OBJ),
    END,
};
static specs raw_flow_create[] = {
    ID(MLX5_IB_ATTR_CREATE_FLOW_HANDLE, true, CXEMU_ATTR_OBJ_NEW),
    IN(MLX5_IB_ATTR_CREATE_FLOW_MATCH_VALUE, true, 1, sizeof(struct mlx5_ib_match_params)),
    ID(MLX5_IB_ATTR_CREATE_FLOW_MATCHER, true, CXEMU_ATTR_OBJ),
    ID(MLX5_IB_ATTR_CREATE_FLOW_DEST_QP, false, CXEMU_ATTR_OBJ),
    ID(MLX5_IB_ATTR_CREATE_FLOW_DEST_DEVX, false, CXEMU_ATTR_OBJ),
    IN(MLX5_IB_ATTR_CREATE_FLOW_ARR_FLOW_ACTIONS, false, 4, 8), /* handles: one or two */
    IN(MLX5_IB_ATTR_CREATE_FLOW_TAG, false, 4, 4),
    IN(MLX5_IB_ATTR_CREATE_FLOW_ARR_COUNTERS_DEVX, false, 4, 4),
    IN(MLX5_IB_ATTR_CREATE_FLOW_ARR_COUNTERS_DEVX_OFFSET, false, 4, UINT16_MAX),
    IN(MLX5_IB_ATTR_CREATE_FLOW_FLAGS, false, 4, 8),
    END,
};
static specs raw_flow_destroy[] = {
    ID(MLX5_IB_ATTR_DESTROY_FLOW_HANDLE, true, CXEMU_ATTR_OBJ),
    END,
};
static specs uar_alloc[] = {
    ID(MLX5_IB_ATTR_UAR_OBJ_ALLOC_HANDLE, true, CXEMU_ATTR_OBJ_NEW),
    IN(MLX5_IB_ATTR_UAR_OBJ_ALLOC_TYPE, true, 4, 8),
    OUT(MLX5_IB_ATTR_UAR_OBJ_ALLOC_MMAP_OFFSET, true, 8, 8),
    OUT(MLX5_IB_ATTR_UAR_OBJ_ALLOC_MMAP_LENGTH, true, 4, 4),
    OUT(MLX5_IB_ATTR_UAR_OBJ_ALLOC_PAGE_ID, true, 4, 4),
    END,
};
static specs pp_alloc[] = {
    ID(MLX5_IB_ATTR_PP_OBJ_ALLOC_HANDLE, true, CXEMU_ATTR_OBJ_NEW),
    IN(MLX5_IB_ATTR_PP_OBJ_ALLOC_CTX, true, 1, CXEMU_PP_CONTEXT_BYTES),
    IN(MLX5_IB_ATTR_PP_OBJ_ALLOC_FLAGS, true, 4, 8),
    OUT(MLX5_IB_ATTR_PP_OBJ_ALLOC_INDEX, true, 2, 2),
    END,
};
static specs pp_destroy[] = {ID(MLX5_IB_ATTR_PP_OBJ_DESTROY_HANDLE, true, CXEMU_ATTR_OBJ), END};
static specs uar_destroy[] = {ID(MLX5_IB_ATTR_UAR_OBJ_DESTROY_HANDLE, true, CXEMU_ATTR_OBJ), END};

static specs devx_other[] = {
    IN(MLX5_IB_ATTR_DEVX_OTHER_CMD_IN, true, 16, UINT16_MAX), /* general_obj_in_cmd_hdr */
    OUT(MLX5_IB_ATTR_DEVX_OTHER_CMD_OUT, true, 16, UINT16_MAX),
    END,
};

static specs wq_create[] = {
    ID(UVERBS_ATTR_CREATE_WQ_HANDLE, true, CXEMU_ATTR_OBJ_NEW),
    ID(UVERBS_ATTR_CREATE_WQ_PD_HANDLE, true, CXEMU_ATTR_OBJ),
    IN(UVERBS_ATTR_CREATE_WQ_TYPE, true, 4, 8),
    IN(UVERBS_ATTR_CREATE_WQ_USER_HANDLE, true, 8, 8),
    IN(UVERBS_ATTR_CREATE_WQ_MAX_WR, true, 4, 4),
    IN(UVERBS_ATTR_CREATE_WQ_MAX_SGE, true, 4, 4),
    IN(UVERBS_ATTR_CREATE_WQ_FLAGS, true, 4, 8),
    ID(UVERBS_ATTR_CREATE_WQ_CQ_HANDLE, false, CXEMU_ATTR_OBJ),
    ID(UVERBS_ATTR_CREATE_WQ_EVENT_FD, false, CXEMU_ATTR_FD),
    OUT(UVERBS_ATTR_CREATE_WQ_RESP_MAX_WR, true, 4, 4),
    OUT(UVERBS_ATTR_CREATE_WQ_RESP_MAX_SGE, true, 4, 4),
    OUT(UVERBS_ATTR_CREATE_WQ_RESP_WQ_NUM, false, 4, 4),
    UHW,
    END,
};
static specs wq_destroy[] = {
    ID(UVERBS_ATTR_DESTROY_WQ_HANDLE, true, CXEMU_ATTR_OBJ),
    OUT(UVERBS_ATTR_DESTROY_WQ_RESP, true, 4, 4),
    END,
};
static specs rwq_ind_tbl_destroy[] = {
    ID(UVERBS_ATTR_DESTROY_RWQ_IND_TBL_HANDLE, true, CXEMU_ATTR_OBJ),
    END,
};

#define HAVE(obj, method, table, fn)                                                        \
    {                                                                                       \
        .object = (obj), .id = (method), .name = #method, .handler = (fn), .specs = (table) \
    }
#define FIRST(obj, method, table, fn)                                                        \
    {                                                                                        \
        .object = (obj), .id = (method), .name = #method, .handler = (fn), .specs = (table), \
        .before_open = true                                                                  \
    }
#define LACK(obj, method, errno_value)                                         \
    {                                                                          \
        .object = (obj), .id = (method), .name = #method, .err = (errno_value) \
    }

static const struct cxemu_method methods[] = {
    FIRST(UVERBS_OBJECT_DEVICE, UVERBS_METHOD_INVOKE_WRITE, invoke_write,
          cxemu_method_invoke_write),
    FIRST(UVERBS_OBJECT_DEVICE, UVERBS_METHOD_GET_CONTEXT, get_context, cxemu_method_get_context),
    HAVE(UVERBS_OBJECT_DEVICE, UVERBS_METHOD_QUERY_CONTEXT, query_context,
         cxemu_method_query_context),
    HAVE(UVERBS_OBJECT_DEVICE, UVERBS_METHOD_QUERY_PORT, query_port, cxemu_method_query_port),
    HAVE(UVERBS_OBJECT_DEVICE, UVERBS_METHOD_QUERY_GID_TABLE, query_gid_table,
         cxemu_method_query_gid_table),
    HAVE(UVERBS_OBJECT_DEVICE, UVERBS_METHOD_QUERY_GID_ENTRY, query_gid_entry,
         cxemu_method_query_gid_entry),
    LACK(UVERBS_OBJECT_DEVICE, UVERBS_METHOD_INFO_HANDLES, EOPNOTSUPP),
    HAVE(UVERBS_OBJECT_DEVICE, MLX5_IB_METHOD_QUERY_PORT, query_vport, cxemu_method_query_vport),
    HAVE(UVERBS_OBJECT_ASYNC_EVENT, UVERBS_METHOD_ASYNC_EVENT_ALLOC, async_alloc,
         cxemu_method_async_alloc),
    HAVE(UVERBS_OBJECT_PD, UVERBS_METHOD_PD_DESTROY, pd_destroy, cxemu_method_pd_destroy),
    HAVE(UVERBS_OBJECT_PD, MLX5_IB_METHOD_PD_QUERY, pd_query, cxemu_method_pd_query),
    HAVE(UVERBS_OBJECT_MR, UVERBS_METHOD_MR_DESTROY, mr_destroy, cxemu_method_mr_destroy),
    HAVE(UVERBS_OBJECT_MR, UVERBS_METHOD_QUERY_MR, mr_query, cxemu_method_mr_query),
    LACK(UVERBS_OBJECT_MR, UVERBS_METHOD_DM_MR_REG, EOPNOTSUPP),
    LACK(UVERBS_OBJECT_MR, UVERBS_METHOD_ADVISE_MR, EOPNOTSUPP),
    LACK(UVERBS_OBJECT_MR, UVERBS_METHOD_REG_DMABUF_MR, EOPNOTSUPP),
    HAVE(UVERBS_OBJECT_CQ, UVERBS_METHOD_CQ_CREATE, cq_create, cxemu_method_cq_create),
    HAVE(UVERBS_OBJECT_CQ, UVERBS_METHOD_CQ_DESTROY, cq_destroy, cxemu_method_cq_destroy),
    HAVE(UVERBS_OBJECT_QP, UVERBS_METHOD_QP_CREATE, qp_create, cxemu_method_qp_create),
    HAVE(UVERBS_OBJECT_QP, UVERBS_METHOD_QP_DESTROY, qp_destroy, cxemu_method_qp_destroy),
    HAVE(UVERBS_OBJECT_FLOW, UVERBS_METHOD_FLOW_DESTROY, flow_destroy, cxemu_method_flow_destroy),
    HAVE(UVERBS_OBJECT_FLOW, MLX5_IB_METHOD_CREATE_FLOW, raw_flow_create,
         cxemu_method_raw_flow_create),
    HAVE(UVERBS_OBJECT_FLOW, MLX5_IB_METHOD_DESTROY_FLOW, raw_flow_destroy,
         cxemu_method_raw_flow_destroy),
    HAVE(MLX5_IB_OBJECT_UAR, MLX5_IB_METHOD_UAR_OBJ_ALLOC, uar_alloc, cxemu_method_uar_alloc),
    HAVE(MLX5_IB_OBJECT_UAR, MLX5_IB_METHOD_UAR_OBJ_DESTROY, uar_destroy, cxemu_method_uar_destroy),
    LACK(UVERBS_OBJECT_SRQ, UVERBS_METHOD_SRQ_CREATE, EOPNOTSUPP),
    LACK(UVERBS_OBJECT_SRQ, UVERBS_METHOD_SRQ_DESTROY, ENOENT),
    HAVE(UVERBS_OBJECT_WQ, UVERBS_METHOD_WQ_CREATE, wq_create, cxemu_method_wq_create),
    HAVE(UVERBS_OBJECT_WQ, UVERBS_METHOD_WQ_DESTROY, wq_destroy, cxemu_method_wq_destroy),
    HAVE(UVERBS_OBJECT_RWQ_IND_TBL, UVERBS_METHOD_RWQ_IND_TBL_DESTROY, rwq_ind_tbl_destroy,
         cxemu_method_rwq_ind_tbl_destroy),
    LACK(UVERBS_OBJECT_AH, UVERBS_METHOD_AH_DESTROY, ENOENT),
    LACK(UVERBS_OBJECT_MW, UVERBS_METHOD_MW_DESTROY, ENOENT),
    LACK(UVERBS_OBJECT_XRCD, UVERBS_METHOD_XRCD_DESTROY, ENOENT),
    LACK(UVERBS_OBJECT_FLOW_ACTION, UVERBS_METHOD_FLOW_ACTION_ESP_CREATE, EOPNOTSUPP),
    LACK(UVERBS_OBJECT_FLOW_ACTION, UVERBS_METHOD_FLOW_ACTION_DESTROY, ENOENT),
    LACK(UVERBS_OBJECT_FLOW_ACTION, UVERBS_METHOD_FLOW_ACTION_ESP_MODIFY, ENOENT),
    LACK(UVERBS_OBJECT_FLOW_ACTION, MLX5_IB_METHOD_FLOW_ACTION_CREATE_MODIFY_HEADER, EOPNOTSUPP),
    LACK(UVERBS_OBJECT_FLOW_ACTION, MLX5_IB_METHOD_FLOW_ACTION_CREATE_PACKET_REFORMAT, EOPNOTSUPP),
    LACK(UVERBS_OBJECT_DM, UVERBS_METHOD_DM_ALLOC, EOPNOTSUPP),
    LACK(UVERBS_OBJECT_DM, UVERBS_METHOD_DM_FREE, ENOENT),
    HAVE(UVERBS_OBJECT_COUNTERS, UVERBS_METHOD_COUNTERS_CREATE, counters_create,
         cxemu_method_counters_create),
    HAVE(UVERBS_OBJECT_COUNTERS, UVERBS_METHOD_COUNTERS_DESTROY, counters_destroy,
         cxemu_method_counters_destroy),
    HAVE(UVERBS_OBJECT_COUNTERS, UVERBS_METHOD_COUNTERS_READ, counters_read,
         cxemu_method_counters_read),
    HAVE(MLX5_IB_OBJECT_FLOW_MATCHER, MLX5_IB_METHOD_FLOW_MATCHER_CREATE, matcher_create,
         cxemu_method_matcher_create),
    HAVE(MLX5_IB_OBJECT_FLOW_MATCHER, MLX5_IB_METHOD_FLOW_MATCHER_DESTROY, matcher_destroy,
         cxemu_method_matcher_destroy),
    LACK(MLX5_IB_OBJECT_STEERING_ANCHOR, MLX5_IB_METHOD_STEERING_ANCHOR_CREATE, EOPNOTSUPP),
    LACK(MLX5_IB_OBJECT_VAR, MLX5_IB_METHOD_VAR_OBJ_ALLOC, EOPNOTSUPP),
    HAVE(MLX5_IB_OBJECT_PP, MLX5_IB_METHOD_PP_OBJ_ALLOC, pp_alloc, cxemu_method_pp_alloc),
    HAVE(MLX5_IB_OBJECT_PP, MLX5_IB_METHOD_PP_OBJ_DESTROY, pp_destroy, cxemu_method_pp_destroy),
    HAVE(MLX5_IB_OBJECT_DEVX, MLX5_IB_METHOD_DEVX_OTHER, devx_other, cxemu_method_devx_other),
    LACK(MLX5_IB_OBJECT_DEVX, MLX5_IB_METHOD_DEVX_QUERY_UAR, EINVAL),
    LACK(MLX5_IB_OBJECT_DEVX, MLX5_IB_METHOD_DEVX_QUERY_EQN, EINVAL),
    LACK(MLX5_IB_OBJECT_DEVX, MLX5_IB_METHOD_DEVX_SUBSCRIBE_EVENT, EINVAL),
    LACK(MLX5_IB_OBJECT_DEVX_OBJ, MLX5_IB_METHOD_DEVX_OBJ_CREATE, EINVAL),
    LACK(MLX5_IB_OBJECT_DEVX_OBJ, MLX5_IB_METHOD_DEVX_OBJ_QUERY, EINVAL),
    LACK(MLX5_IB_OBJECT_DEVX_OBJ, MLX5_IB_METHOD_DEVX_OBJ_MODIFY, EINVAL),
    LACK(MLX5_IB_OBJECT_DEVX_UMEM, MLX5_IB_METHOD_DEVX_UMEM_REG, EINVAL),
    LACK(MLX5_IB_OBJECT_DEVX_ASYNC_CMD_FD, MLX5_IB_METHOD_DEVX_ASYNC_CMD_FD_ALLOC, EINVAL),
    LACK(MLX5_IB_OBJECT_DEVX_ASYNC_EVENT_FD, MLX5_IB_METHOD_DEVX_ASYNC_EVENT_FD_ALLOC, EINVAL),
};

const struct cxemu_method *cxemu_method_find(uint16_t object, uint16_t method)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (methods[i].object == object && methods[i].id == method)
            return &methods[i];
    return NULL;
}
