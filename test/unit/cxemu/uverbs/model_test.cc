/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of models and what a device reports of each capability. */
#include "cxemu/uverbs/device_caps.h"
#include "cxemu/uverbs/model.h"

#include <cstring>
#include <gtest/gtest.h>
#include <set>
#include <string>

struct Device : cxemu_dev {
    Device(const cxemu_model *m, uint32_t bits) : cxemu_dev()
    {
        model = m;
        caps = bits;
        max_qp = 4096;
    }
};

TEST(Model, EachIsFoundAndDiffers)
{
    std::set<unsigned> parts;
    std::string names;

    for (unsigned i = 0; cxemu_model_at(i); i++) {
        const cxemu_model *m = cxemu_model_at(i);
        EXPECT_EQ(cxemu_model_find(m->name), m);
        parts.insert(m->part_id);
        names += (i ? ", " : "") + std::string(m->name);
        EXPECT_EQ(m->vf_part_id, m->part_id == 4129 ? 4126 : m->part_id + 1);
        /* The counter's rate is a whole number of 64ths of a GHz: nic.c multiplies by it. */
        EXPECT_EQ(m->clock_khz % 15625, 0u);
        EXPECT_EQ(std::to_string(m->rate_mbit / 1000) + " Gb/sec",
                  std::string(m->rate).substr(0, std::string(m->rate).find(" (")));
    }
    EXPECT_EQ(parts, (std::set<unsigned>{4117, 4119, 4125, 4129}));
    EXPECT_EQ(names, cxemu_model_names());
    EXPECT_EQ(cxemu_model_find("cx3"), nullptr);
}

/* A capability that is on shows in its group, and off nowhere: all groups of a device without any
 * are zero but for what is no capability. */
TEST(DeviceCaps, NothingIsReportedThatIsOff)
{
    Device dev(cxemu_model_find("cx7"), 0);
    mlx5_ib_query_device_resp driver = {}, want = {};
    ib_uverbs_ex_query_device_resp ex = {};

    cxemu_caps_fill_driver(&dev, &driver);
    want.flags = MLX5_IB_QUERY_DEV_RESP_FLAGS_CQE_128B_PAD;
    want.mlx5_ib_support_multi_pkt_send_wqes = MLX5_IB_ALLOW_MPW; /* the model's, always on */
    EXPECT_EQ(memcmp(&driver, &want, sizeof(want)), 0);
    cxemu_caps_fill_device_ex(&dev, &ex);
    EXPECT_EQ(ex.raw_packet_caps, 0u);
    EXPECT_EQ(ex.rss_caps.supported_qpts, 0u);
    EXPECT_EQ(ex.hca_core_clock, 0u);
    EXPECT_EQ(ex.timestamp_mask, 0u);
    EXPECT_EQ(ex.cq_moderation_caps.max_cq_moderation_count, 0u);
}

TEST(DeviceCaps, EachBitChangesItsGroupOnly)
{
    struct Seen {
        ib_uverbs_ex_query_device_resp ex;
        mlx5_ib_query_device_resp driver;
    };
    auto ask = [](uint32_t caps) {
        Device dev(cxemu_model_find("cx7"), caps);
        Seen seen = {};
        cxemu_caps_fill_device_ex(&dev, &seen.ex);
        cxemu_caps_fill_driver(&dev, &seen.driver);
        return seen;
    };
    const Seen all = ask(CXEMU_CAPS_ALL);

    const Seen no_tso = ask(CXEMU_CAPS_ALL & ~(1u << CXEMU_CAP_TSO));
    Seen want = all;
    want.driver.tso_caps = {};
    EXPECT_NE(all.driver.tso_caps.max_tso, 0u);
    EXPECT_EQ(memcmp(&no_tso, &want, sizeof(want)), 0);

    const Seen no_striding = ask(CXEMU_CAPS_ALL & ~(1u << CXEMU_CAP_STRIDING_RQ));
    want = all;
    want.driver.striding_rq_caps = {};
    EXPECT_EQ(all.driver.striding_rq_caps.min_single_wqe_log_num_of_strides, 3u);
    EXPECT_EQ(memcmp(&no_striding, &want, sizeof(want)), 0);

    const Seen no_pacing = ask(CXEMU_CAPS_ALL & ~(1u << CXEMU_CAP_PACING));
    want = all;
    want.driver.packet_pacing_caps = {};
    EXPECT_EQ(all.driver.packet_pacing_caps.qp_rate_limit_max, 400000000u);
    EXPECT_EQ(memcmp(&no_pacing, &want, sizeof(want)), 0);

    const Seen no_clock = ask(CXEMU_CAPS_ALL & ~(1u << CXEMU_CAP_TIMESTAMP));
    want = all;
    want.ex.hca_core_clock = want.ex.timestamp_mask = 0;
    EXPECT_EQ(all.ex.hca_core_clock, 1000000u);
    EXPECT_EQ(memcmp(&no_clock, &want, sizeof(want)), 0);
}
