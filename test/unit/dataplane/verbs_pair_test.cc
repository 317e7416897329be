/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hwtap_verbs as a pair for the contract suite: two emulated NICs joined in memory and pumped by
 * the test, with a tap on each made by TAPM.
 */
#include "tap_pair.h"

#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <rawstack/cxemu.h>
#include <rawstack/tapm.h>

namespace
{

/* Once a process: NICs cannot be driven otherwise once there are any. */
std::string add_nics()
{
    static std::string why = [] {
        char err[256] = "";
        if (cxemu_drive_set(CXEMU_DRIVE_PUMP) != 0)
            return std::string("cxemu_drive_set");
        if (cxemu_nic_add("name=mlx5_0,wire=mem:pair,mtu=1500", err, sizeof(err)) != 0 ||
            cxemu_nic_add("name=mlx5_1,wire=mem:pair,mtu=1500", err, sizeof(err)) != 0)
            return std::string("cxemu_nic_add: ") + err;
        return std::string();
    }();
    return why;
}

class VerbsPair : public TapPair
{
  public:
    ~VerbsPair() override
    {
        settle();
        tapm_close(tapms[0]);
        tapm_close(tapms[1]);
        for (const char *nic : {"mlx5_0", "mlx5_1"}) {
            for (const char *kind : {"pd", "mr", "cq", "qp", "flow", "context"})
                EXPECT_EQ(0u, cxemu_object_count(nic, kind)) << nic << " " << kind;
        }
    }
    std::string open(const TapPairConfig &config) override
    {
        std::string why = add_nics();
        if (why.empty())
            why = open_end(config, "mlx5_0", &tapms[0], &a);
        if (why.empty())
            why = open_end(config, "mlx5_1", &tapms[1], &b);
        return why;
    }
    void settle() override
    {
        while (cxemu_pump(64) > 0)
            ;
    }
    bool has_tx_ring() const override
    {
        return true;
    }

  private:
    static std::string open_end(const TapPairConfig &config, const char *device, struct tapm **tapm,
                                struct hwtap **out)
    {
        struct tapm_config tapm_config = {};
        struct tapm_tap_config tap_config = {};
        struct tapm_tap *tap;
        struct rs_match match = {};
        uint64_t rule;
        char err[512] = "";
        tapm_config.device = device;
        tapm_config.control_dir = "";
        int rc = tapm_open(&tapm_config, tapm, err, sizeof(err));
        if (rc != 0)
            return std::string("tapm_open: ") + err;
        tap_config.rx_ring_pkts = tap_config.tx_ring_pkts = config.ring_pkts;
        tap_config.pool_bufs = config.pool_bufs;
        tap_config.buf_bytes = config.buf_bytes;
        tap_config.numa_node = -1;
        rc = tapm_tap_create(*tapm, &tap_config, &tap);
        match.ethertype = 0x88b5;
        if (rc == 0)
            rc = tapm_rule_add(tap, &match, &rule);
        if (rc != 0)
            return tapm_error(*tapm);
        *out = tapm_tap_hwtap(tap);
        return "";
    }
    struct tapm *tapms[2] = {};
};

} // namespace

std::unique_ptr<TapPair> make_verbs_pair()
{
    return std::make_unique<VerbsPair>();
}
