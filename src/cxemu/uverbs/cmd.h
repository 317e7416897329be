/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A legacy command (struct ib_uverbs_cmd_hdr of <rdma/ib_user_verbs.h>), by whichever way it came:
 * write(2) on the descriptor, or the INVOKE_WRITE method, which libibverbs 44 uses. And the
 * handlers that the method table (methods.c) and the command table (write.c) name.
 */
#ifndef CXEMU_UVERBS_CMD_H
#define CXEMU_UVERBS_CMD_H

#include "cxemu/uverbs/bundle.h"
#include "cxemu/uverbs/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Core part and driver part (UHW) of request and response. Requests are copies of ours; responses
 * are the program's pointers. */
struct cxemu_cmd {
    struct cxemu_ctx *ctx;
    const uint8_t *in, *uhw_in;
    size_t in_len, uhw_in_len;
    uint64_t out, uhw_out;
    size_t out_len, uhw_out_len;
};

typedef int (*cxemu_cmd_fn)(struct cxemu_cmd *cmd);

/* Copies min(len, what came) and clears the rest. */
void cxemu_cmd_in(const struct cxemu_cmd *cmd, void *dst, size_t len);
void cxemu_cmd_uhw_in(const struct cxemu_cmd *cmd, void *dst, size_t len);
/* Writes min(len, room) and clears the room behind it. */
RS_MUST_USE int cxemu_cmd_out(const struct cxemu_cmd *cmd, const void *src, size_t len);
RS_MUST_USE int cxemu_cmd_uhw_out(const struct cxemu_cmd *cmd, const void *src, size_t len);

/* A legacy command by number, extended flag included. Context lock held. */
RS_MUST_USE int cxemu_cmd_run(struct cxemu_cmd *cmd, uint32_t number);

/* Before a command runs: the errno of a fault that is armed for it, or 0. constant: its name in the
 * ABI. */
RS_MUST_USE int cxemu_command_fault(struct cxemu_ctx *ctx, const char *constant);

const struct cxemu_method *cxemu_method_find(uint16_t object, uint16_t method);

/* The driver part of a method's input, up to len bytes, the rest cleared; *given: its length. */
RS_MUST_USE int cxemu_uhw_in(const struct cxemu_bundle *b, void *dst, size_t len, size_t *given);

bool cxemu_has_cap(unsigned cap); /* of the caller, effective: caller.h */
bool cxemu_may_use_raw(void);     /* CAP_NET_RAW */

/* One more, one fewer live object. */
void cxemu_count(struct cxemu_ctx *ctx, enum cxemu_kind kind, int delta);

/* cmd_device.c */
int cxemu_method_invoke_write(struct cxemu_bundle *b);
int cxemu_method_query_port(struct cxemu_bundle *b);
int cxemu_method_query_vport(struct cxemu_bundle *b);
int cxemu_method_get_context(struct cxemu_bundle *b);
int cxemu_method_query_context(struct cxemu_bundle *b);
int cxemu_method_query_gid_table(struct cxemu_bundle *b);
int cxemu_method_query_gid_entry(struct cxemu_bundle *b);
int cxemu_method_async_alloc(struct cxemu_bundle *b);
int cxemu_cmd_get_context(struct cxemu_cmd *cmd);
int cxemu_cmd_query_device(struct cxemu_cmd *cmd);
int cxemu_cmd_query_device_ex(struct cxemu_cmd *cmd);
int cxemu_cmd_query_port(struct cxemu_cmd *cmd);

/* cmd_memory.c */
int cxemu_cmd_alloc_pd(struct cxemu_cmd *cmd);
int cxemu_cmd_dealloc_pd(struct cxemu_cmd *cmd);
int cxemu_method_pd_destroy(struct cxemu_bundle *b);
int cxemu_method_pd_query(struct cxemu_bundle *b);
int cxemu_cmd_reg_mr(struct cxemu_cmd *cmd);
int cxemu_cmd_rereg_mr(struct cxemu_cmd *cmd);
int cxemu_cmd_dereg_mr(struct cxemu_cmd *cmd);
int cxemu_method_mr_destroy(struct cxemu_bundle *b);
int cxemu_method_mr_query(struct cxemu_bundle *b);

/* cmd_uar.c */
int cxemu_method_uar_alloc(struct cxemu_bundle *b);
int cxemu_method_uar_destroy(struct cxemu_bundle *b);
int cxemu_method_devx_other(struct cxemu_bundle *b);

/* cmd_cq.c */
int cxemu_cmd_create_comp_channel(struct cxemu_cmd *cmd);
int cxemu_method_cq_create(struct cxemu_bundle *b);
int cxemu_method_cq_destroy(struct cxemu_bundle *b);
int cxemu_cmd_create_cq(struct cxemu_cmd *cmd);
int cxemu_cmd_create_cq_ex(struct cxemu_cmd *cmd);
int cxemu_cmd_destroy_cq(struct cxemu_cmd *cmd);

/* cmd_cq_modify.c */
int cxemu_cmd_resize_cq(struct cxemu_cmd *cmd);
int cxemu_cmd_modify_cq(struct cxemu_cmd *cmd);

/* cmd_pp.c */
int cxemu_method_pp_alloc(struct cxemu_bundle *b);
int cxemu_method_pp_destroy(struct cxemu_bundle *b);

/* cmd_qp.c */
int cxemu_method_qp_create(struct cxemu_bundle *b);
int cxemu_method_qp_destroy(struct cxemu_bundle *b);
int cxemu_cmd_create_qp(struct cxemu_cmd *cmd);
int cxemu_cmd_create_qp_ex(struct cxemu_cmd *cmd);
int cxemu_cmd_destroy_qp(struct cxemu_cmd *cmd);
int cxemu_cmd_query_qp(struct cxemu_cmd *cmd);
int cxemu_cmd_modify_qp(struct cxemu_cmd *cmd);
int cxemu_cmd_modify_qp_ex(struct cxemu_cmd *cmd);

/* cmd_wq.c, cmd_rwq.c */
int cxemu_method_wq_create(struct cxemu_bundle *b);
int cxemu_method_wq_destroy(struct cxemu_bundle *b);
int cxemu_method_rwq_ind_tbl_destroy(struct cxemu_bundle *b);
int cxemu_cmd_create_wq(struct cxemu_cmd *cmd);
int cxemu_cmd_modify_wq(struct cxemu_cmd *cmd);
int cxemu_cmd_destroy_wq(struct cxemu_cmd *cmd);
int cxemu_cmd_create_rwq_ind_tbl(struct cxemu_cmd *cmd);
int cxemu_cmd_destroy_rwq_ind_tbl(struct cxemu_cmd *cmd);

/* cmd_flow.c */
int cxemu_cmd_create_flow(struct cxemu_cmd *cmd);
int cxemu_cmd_destroy_flow(struct cxemu_cmd *cmd);
int cxemu_method_flow_destroy(struct cxemu_bundle *b);
int cxemu_cmd_attach_mcast(struct cxemu_cmd *cmd); /* and detach */

/* cmd_counters.c */
int cxemu_method_counters_create(struct cxemu_bundle *b);
int cxemu_method_counters_destroy(struct cxemu_bundle *b);
int cxemu_method_counters_read(struct cxemu_bundle *b);

/* cmd_matcher.c */
int cxemu_method_matcher_create(struct cxemu_bundle *b);
int cxemu_method_matcher_destroy(struct cxemu_bundle *b);
int cxemu_method_raw_flow_create(struct cxemu_bundle *b);
int cxemu_method_raw_flow_destroy(struct cxemu_bundle *b);

#ifdef __cplusplus
}
#endif
#endif
