/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the library does when the NIC goes wrong: each command of opening, making and ruling fails
 * once at each of its places, and the device fails under a tap. The fixture sees what is left.
 */
#include "nic_fixture.h"

#include <cerrno>
#include <cstring>

namespace
{

class NicFault : public NicTest
{
  protected:
    static int arm(const std::string &text)
    {
        char err[256] = "";
        int id = cxemu_fault("mlx5_0", text.c_str(), err, sizeof(err));
        EXPECT_GT(id, 0) << err;
        return id;
    }
    static uint64_t objects()
    {
        uint64_t sum = 0;
        for (const char *kind : {"pd", "mr", "cq", "qp", "flow", "uar", "context"})
            sum += cxemu_object_count("mlx5_0", kind);
        return sum;
    }
    /* Opens, makes a tap, adds a rule. *at: the first step that failed. */
    int go_through(std::string *at)
    {
        struct tapm_config config = {};
        struct tapm *tapm = nullptr;
        struct tapm_tap *tap = nullptr;
        char err[256] = "";

        config.device = "mlx5_0";
        config.owner = "tester";
        config.control_dir = dir.c_str();
        *at = "open";
        int rc = tapm_open(&config, &tapm, err, sizeof(err));
        if (rc) {
            EXPECT_EQ(tapm, nullptr);
            EXPECT_STRNE(err, "");
            return rc;
        }
        *at = "create";
        struct tapm_tap_config small = small_tap();
        rc = tapm_tap_create(tapm, &small, &tap);
        if (rc == 0) {
            *at = "rule";
            rc = add_rule(tap, "udp dst 10.0.0.2:7");
        }
        if (rc) {
            EXPECT_STRNE(tapm_error(tapm), "");
        }
        if (tap) {
            EXPECT_EQ(tapm_tap_destroy(tap), 0);
        }
        tapm_close(tapm);
        return rc;
    }
};

TEST_F(NicFault, EachCreateMayFailAndNothingIsLeft)
{
    const uint64_t before = objects();
    std::string at;
    int failed = 0;

    for (unsigned n = 0; n < 100; n++) {
        int id = arm("create:errno=ENOMEM:after=" + std::to_string(n));
        int rc = go_through(&at);
        bool fired = cxemu_fault_fired("mlx5_0", id) != 0;
        cxemu_fault_clear("mlx5_0", 0);
        EXPECT_EQ(objects(), before) << "after failure " << n << " in " << at;
        EXPECT_LE(rc, 0);
        failed += rc != 0;
        if (!fired) {
            EXPECT_EQ(rc, 0);
            EXPECT_GT(failed, 3) << "of " << n;
            return;
        }
    }
    FAIL() << "it still fails after a hundred creates";
}

TEST_F(NicFault, EachCommandMayFailAndNothingIsLeft)
{
    const uint64_t before = objects();
    std::string at;

    for (const char *name : {"get_context", "query_device", "query_port", "alloc_pd", "reg_mr",
                             "cq_create", "qp_create", "create_cq", "modify_qp", "create_flow",
                             "create_comp_channel", "uar_obj_alloc", "async_event_alloc"}) {
        for (unsigned n = 0; n < 6; n++) {
            arm(std::string("command:errno=EAGAIN:name=") + name + ":after=" + std::to_string(n));
            (void)go_through(&at);
            cxemu_fault_clear("mlx5_0", 0);
            ASSERT_EQ(objects(), before) << name << " " << n << " in " << at;
        }
    }
    EXPECT_EQ(go_through(&at), 0) << at;
}

/* Frames may be lost, and the tap may be of no more use; it must neither hang nor leave anything.
 */
TEST_F(NicFault, ATapOutlivesItsQueues)
{
    for (const char *fault : {"cq", "qp", "overrun", "send:syndrome=local-prot", "port-down",
                              "send:after=2", "no-event:count=forever"}) {
        struct tapm *tapm = open();
        struct tapm_tap *tap = make_tap(tapm);
        ASSERT_NE(tap, nullptr);
        struct hwtap *hwtap = tapm_tap_hwtap(tap);
        int id = arm(fault);
        for (int i = 0; i < 8; i++) {
            struct hwtap_buf *bufs[8];
            struct hwtap_buf *buf = hwtap_buf_alloc(hwtap);
            ASSERT_NE(buf, nullptr) << fault;
            memset(buf->data, 0x5a, 60);
            struct hwtap_tx_pkt pkt = {};
            pkt.segs[0] = {buf, buf->data, 60};
            pkt.n_segs = 1;
            (void)!hwtap_tx_burst(hwtap, &pkt, 1);
            hwtap_buf_put(buf);
            pump();
            int n = hwtap_rx_burst(hwtap, bufs, 8);
            for (int k = 0; k < n; k++)
                hwtap_buf_put(bufs[k]);
        }
        cxemu_fault_clear("mlx5_0", id);
        pump();
        close(tapm);
        EXPECT_EQ(objects(), 0u) << fault;
    }
}

} // namespace
