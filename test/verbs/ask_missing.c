/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks the first device for things that the emulated one does not have, and prints the errno of
 * each; programs.sh compares them, and what `cxemu run -v` says meanwhile. A thing that is given
 * makes it fail.
 */
#define _GNU_SOURCE /* strerrorname_np */
#include <endian.h>
#include <errno.h>
#include <infiniband/mlx5dv.h>
#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int given;

static void refused(const char *what, bool is_given, int err)
{
    printf("%s %s\n", what, is_given ? "GIVEN" : strerrorname_np(err));
    given += is_given;
}

/* Of calls that leave their errno in errno. */
#define ASK(what, expression)             \
    do {                                  \
        errno = 0;                        \
        bool is_given = (expression);     \
        refused((what), is_given, errno); \
    } while (0)

static void ask_for_objects(struct ibv_context *ctx, struct ibv_pd *pd, struct ibv_cq *cq)
{
    struct ibv_srq_init_attr srq = {.attr = {16, 1, 0}};
    struct ibv_wq_init_attr wq = {.wq_type = IBV_WQT_RQ,
                                  .max_wr = 16,
                                  .max_sge = 1,
                                  .pd = pd,
                                  .comp_mask = IBV_WQ_INIT_ATTR_FLAGS,
                                  .create_flags = IBV_WQ_FLAGS_DELAY_DROP};
    struct ibv_alloc_dm_attr dm = {.length = 64};
    struct ibv_qp_init_attr rc = {
        .send_cq = cq, .recv_cq = cq, .cap = {16, 16, 1, 1, 0}, .qp_type = IBV_QPT_RC};

    wq.cq = cq;
    ASK("ibv_create_srq", ibv_create_srq(pd, &srq) != NULL);
    ASK("DELAY_DROP", ibv_create_wq(ctx, &wq) != NULL);
    ASK("ibv_alloc_dm", ibv_alloc_dm(ctx, &dm) != NULL);
    ASK("ibv_alloc_mw", ibv_alloc_mw(pd, IBV_MW_TYPE_1) != NULL);
    ASK("RC", ibv_create_qp(pd, &rc) != NULL);
    rc.qp_type = IBV_QPT_UD;
    ASK("UD", ibv_create_qp(pd, &rc) != NULL);
}

static void ask_of_mlx5(struct ibv_context *ctx)
{
    uint64_t header_action = 0;
    uint32_t in[4] = {0}, out[4];

    ASK("mlx5dv_create_flow_action_modify_header",
        mlx5dv_create_flow_action_modify_header(ctx, sizeof(header_action), &header_action,
                                                MLX5DV_FLOW_TABLE_TYPE_NIC_RX) != NULL);
    ASK("mlx5dv_devx_general_cmd",
        mlx5dv_devx_general_cmd(ctx, in, sizeof(in), out, sizeof(out)) == 0);
    in[0] = htobe32(0x100u << 16); /* a query that needs no context with DevX, only a device */
    ASK("QUERY_HCA_CAP", mlx5dv_devx_general_cmd(ctx, in, sizeof(in), out, sizeof(out)) == 0);
}

static void ask_of_queues(struct ibv_pd *pd, struct ibv_cq *cq)
{
    struct ibv_qp_init_attr raw = {
        .send_cq = cq, .recv_cq = cq, .cap = {16, 16, 1, 1, 0}, .qp_type = IBV_QPT_RAW_PACKET};
    union ibv_gid group = {.raw = {0xff, 0x12}};
    struct ibv_qp *qp = ibv_create_qp(pd, &raw);
    int err;

    if (!qp) {
        given++;
        puts("no raw queue pair");
        return;
    }
    err = ibv_attach_mcast(qp, &group, 0);
    refused("ibv_attach_mcast", err == 0, err);
    ibv_destroy_qp(qp);
}

int main(void)
{
    struct ibv_device **devices = ibv_get_device_list(NULL);
    struct ibv_context *ctx = devices && devices[0] ? ibv_open_device(devices[0]) : NULL;
    struct ibv_pd *pd = ctx ? ibv_alloc_pd(ctx) : NULL;
    struct ibv_cq *cq = ctx ? ibv_create_cq(ctx, 15, NULL, NULL, 0) : NULL;

    if (!pd || !cq) {
        perror("no device, protection domain or completion queue");
        return 2;
    }
    ask_for_objects(ctx, pd, cq);
    ask_of_mlx5(ctx);
    ask_of_queues(pd, cq);
    ibv_destroy_cq(cq);
    ibv_dealloc_pd(pd);
    ibv_close_device(ctx);
    ibv_free_device_list(devices);
    return given ? 1 : 0;
}
