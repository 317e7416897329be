/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of models: a MCX4121A-ACAT, a MCX515A-CCAT, a MCX623106AN-CDAT and a MCX75310AAS-NEAT.
 *
 * Seen in outputs of ethtool -i and ibv_devinfo that owners published: board and firmware branch of
 * the ConnectX-4 Lx (isc-projects/ethq issue 8) and of the ConnectX-7 (deepseek-ai/DeepEP issue
 * 38); that a ConnectX-7's virtual functions have the part id of a ConnectX-6 Dx's (DeepEP issue
 * 55); 4118 and 4120 as those of the two before (Azure/azhpc-images pull 44). Not confirmed by a
 * public source: the ConnectX-6 Dx's board id, the exact firmware versions, and the rates of the
 * clocks.
 */
#include "cxemu/uverbs/model.h"

#include "cxemu/uverbs/caps.h"
#include <string.h>

#define BIT(cap) (1u << CXEMU_CAP_##cap)

enum { /* ib_port_speed, ib_port_width */
       SPEED_EDR = 32,
       SPEED_HDR = 64,
       SPEED_NDR = 128,
       WIDTH_1X = 1,
       WIDTH_4X = 2,
};

static const struct cxemu_model models[] = {
    {
        .name = "cx4lx",
        .product = "ConnectX-4 Lx",
        .part_id = 4117,
        .vf_part_id = 4118,
        .board_id = "MT_2420110034",
        .fw_major = 14,
        .fw_minor = 32,
        .fw_sub = 1010,
        .active_speed = SPEED_EDR,
        .active_width = WIDTH_1X,
        .rate = "25 Gb/sec (1X EDR)",
        .rate_mbit = 25000,
        .clock_khz = 156250,
        .caps = CXEMU_CAPS_ALL & ~(BIT(EMPW) | BIT(PACING_BURST)),
        .has_mpw = true,
        .log_min_strides = 9,
    },
    {
        .name = "cx5",
        .product = "ConnectX-5",
        .part_id = 4119,
        .vf_part_id = 4120,
        .board_id = "MT_0000000012",
        .fw_major = 16,
        .fw_minor = 35,
        .fw_sub = 4030,
        .active_speed = SPEED_EDR,
        .active_width = WIDTH_4X,
        .rate = "100 Gb/sec (4X EDR)",
        .rate_mbit = 100000,
        .clock_khz = 78125,
        .caps = CXEMU_CAPS_ALL,
        .has_mpw = true,
        .log_min_strides = 9,
    },
    {
        .name = "cx6dx",
        .product = "ConnectX-6 Dx",
        .part_id = 4125,
        .vf_part_id = 4126,
        .board_id = "MT_0000000359",
        .fw_major = 22,
        .fw_minor = 35,
        .fw_sub = 4030,
        .active_speed = SPEED_HDR,
        .active_width = WIDTH_4X,
        .rate = "200 Gb/sec (4X HDR)",
        .rate_mbit = 200000,
        .clock_khz = 1000000,
        .caps = CXEMU_CAPS_ALL,
        .has_mpw = true,
        .has_real_time = true,
        .log_min_strides = 3,
    },
    {
        .name = "cx7",
        .product = "ConnectX-7",
        .part_id = 4129,
        .vf_part_id = 4126,
        .board_id = "MT_0000000838",
        .fw_major = 28,
        .fw_minor = 39,
        .fw_sub = 3004,
        .active_speed = SPEED_NDR,
        .active_width = WIDTH_4X,
        .rate = "400 Gb/sec (4X NDR)",
        .rate_mbit = 400000,
        .clock_khz = 1000000,
        .caps = CXEMU_CAPS_ALL,
        .has_mpw = true,
        .has_real_time = true,
        .log_min_strides = 3,
    },
};

#define MODELS (sizeof(models) / sizeof(models[0]))

const struct cxemu_model *cxemu_model_find(const char *name)
{
    for (size_t i = 0; i < MODELS; i++)
        if (strcmp(models[i].name, name) == 0)
            return &models[i];
    return NULL;
}

const char *cxemu_model_names(void)
{
    return "cx4lx, cx5, cx6dx, cx7";
}

const struct cxemu_model *cxemu_model_default(void)
{
    return cxemu_model_find("cx5");
}

const struct cxemu_model *cxemu_model_at(unsigned n)
{
    return n < MODELS ? &models[n] : NULL;
}
