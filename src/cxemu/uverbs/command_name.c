/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of command_name.h. Constants are those of <rdma/ib_user_*.h> and <rdma/mlx5_*.h>. */
#include "cxemu/uverbs/command_name.h"

#include <ctype.h>
#include <string.h>

/* Longest first where one begins as another. */
static const char *const prefixes[] = {"EX(IB_USER_VERBS_EX_CMD_", "IB_USER_VERBS_CMD_",
                                       "UVERBS_METHOD_", "MLX5_IB_METHOD_"};

void cxemu_command_name(const char *constant, char *out, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t skip = strlen(prefixes[i]);
        if (strncmp(constant, prefixes[i], skip) == 0) {
            constant += skip;
            break;
        }
    }
    for (; n + 1 < len && constant[n] && constant[n] != ')'; n++)
        out[n] = (char)tolower((unsigned char)constant[n]);
    if (len)
        out[n] = 0;
}

static const struct {
    const char *name, *object;
} makers[] = {
    {"get_context", "context"},
    {"alloc_pd", "pd"},
    {"reg_mr", "mr"},
    {"reg_dmabuf_mr", "mr"},
    {"dm_mr_reg", "mr"},
    {"create_comp_channel", "channel"},
    {"async_event_alloc", "async"},
    {"create_cq", "cq"},
    {"cq_create", "cq"},
    {"create_qp", "qp"},
    {"qp_create", "qp"},
    {"open_qp", "qp"},
    {"create_wq", "wq"},
    {"wq_create", "wq"},
    {"create_rwq_ind_tbl", "ind_tbl"},
    {"create_flow", "flow"},
    {"flow_matcher_create", "matcher"},
    {"counters_create", "counters"},
    {"flow_action_esp_create", "flow_action"},
    {"flow_action_create_modify_header", "flow_action"},
    {"flow_action_create_packet_reformat", "flow_action"},
    {"uar_obj_alloc", "uar"},
    {"pp_obj_alloc", "pp"},
    {"var_obj_alloc", "var"},
    {"create_ah", "ah"},
    {"alloc_mw", "mw"},
    {"create_srq", "srq"},
    {"create_xsrq", "srq"},
    {"srq_create", "srq"},
    {"open_xrcd", "xrcd"},
    {"dm_alloc", "dm"},
    {"steering_anchor_create", "steering_anchor"},
    {"devx_obj_create", "devx_obj"},
    {"devx_umem_reg", "devx_umem"},
    {"attach_mcast", "mcast"},
};

const char *cxemu_command_makes(const char *name)
{
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
        if (strcmp(makers[i].name, name) == 0)
            return makers[i].object;
    }
    return NULL;
}
