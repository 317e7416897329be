// SPDX-License-Identifier: BSD-2-Clause
// Quantities with units, and the keys that take them.
#include <gtest/gtest.h>

extern "C" {
#include "cxemu/wires/impair_config.h"
#include "cxemu/wires/units.h"
}

#include <cerrno>
#include <string>

namespace
{

TEST(Units, Rates)
{
    uint64_t v = 7;
    EXPECT_TRUE(cxemu_units_rate("10Mbit", &v));
    EXPECT_EQ(v, 10000000u);
    EXPECT_TRUE(cxemu_units_rate("2.5gbit", &v));
    EXPECT_EQ(v, 2500000000u);
    EXPECT_TRUE(cxemu_units_rate("none", &v));
    EXPECT_EQ(v, 0u);
    for (const char *bad : {"", "10", "-1Mbit", "10Mbps", "1e6bit", "0x10Mbit", "nan", "1bit",
                            "2000Gbit", "10 Mbit", "..1Mbit", ".Mbit", "1.2.3Mbit"})
        EXPECT_FALSE(cxemu_units_rate(bad, &v)) << bad;
}

TEST(Units, Durations)
{
    uint64_t v;
    EXPECT_TRUE(cxemu_units_duration("20us", &v));
    EXPECT_EQ(v, 20000u);
    EXPECT_TRUE(cxemu_units_duration("1.5ms", &v));
    EXPECT_EQ(v, 1500000u);
    EXPECT_TRUE(cxemu_units_duration("0", &v));
    EXPECT_EQ(v, 0u);
    for (const char *bad : {"5", "5m", "1001s", "-1s", "s"})
        EXPECT_FALSE(cxemu_units_duration(bad, &v)) << bad;
}

TEST(Units, SharesAndSizes)
{
    uint32_t ppb;
    uint64_t packets, bytes;
    EXPECT_TRUE(cxemu_units_share("1%", &ppb));
    EXPECT_EQ(ppb, 10000000u);
    EXPECT_TRUE(cxemu_units_share("0.5", &ppb));
    EXPECT_EQ(ppb, 500000000u);
    for (const char *bad : {"", "%", "101%", "1.5", "-1%", "1%%", "inf"})
        EXPECT_FALSE(cxemu_units_share(bad, &ppb)) << bad;
    EXPECT_TRUE(cxemu_units_size("100", &packets, &bytes));
    EXPECT_EQ(packets, 100u);
    EXPECT_EQ(bytes, 0u);
    EXPECT_TRUE(cxemu_units_size("64KiB", &packets, &bytes));
    EXPECT_EQ(packets, 0u);
    EXPECT_EQ(bytes, 65536u);
    for (const char *bad : {"", "-1", "64K", "99999999999", "0.1B"})
        EXPECT_FALSE(cxemu_units_size(bad, &packets, &bytes)) << bad;
}

/* A bad value of each key names key, value and remedy, and leaves the configuration alone. */
TEST(ImpairConfig, SaysWhatIsWrong)
{
    const char *const keys[] = {
        "rate",          "delay",    "jitter",     "jitter_dist", "jitter_order", "loss",
        "loss_burst",    "loss_ge",  "loss_every", "dup",         "reorder",      "corrupt",
        "corrupt_where", "path_mtu", "queue",      "ecn",         "ecn_others",   "seed",
        "tx_rate",       "rx_loss",  "loss_tx",    "loss_rx"};
    for (const char *key : keys) {
        for (const char *value : {"", "bogus", "-1", "1:2:3:4:5", ":", "99999999999999999999999"}) {
            cxemu_impair_config c;
            char err[256] = "";
            cxemu_impair_config_init(&c);
            EXPECT_EQ(cxemu_impair_config_set(&c, key, value, err, sizeof(err)), -EINVAL)
                << key << "=" << value;
            EXPECT_NE(std::string(err).find(std::string(key) + "=" + value), std::string::npos)
                << err;
            EXPECT_TRUE(cxemu_impair_config_is_empty(&c));
        }
    }
    cxemu_impair_config c;
    cxemu_impair_config_init(&c);
    EXPECT_EQ(cxemu_impair_config_set(&c, "mtu", "1500", nullptr, 0), -ENOENT);
    EXPECT_EQ(cxemu_impair_config_set(&c, "tx_", "1500", nullptr, 0), -ENOENT);
    EXPECT_EQ(cxemu_impair_config_set(&c, "loss_burst", "90%:1", nullptr, 0), -EINVAL);
}

TEST(ImpairConfig, KeysAreForBothDirectionsOrOne)
{
    cxemu_impair_config c;
    cxemu_impair_config_init(&c);
    EXPECT_TRUE(cxemu_impair_config_is_empty(&c));
    EXPECT_EQ(cxemu_impair_config_set(&c, "rate", "1Gbit", nullptr, 0), 0);
    EXPECT_EQ(cxemu_impair_config_set(&c, "rx_rate", "2Gbit", nullptr, 0), 0);
    EXPECT_EQ(cxemu_impair_config_set(&c, "loss_tx", "1%", nullptr, 0), 0);
    EXPECT_EQ(c.way[CXEMU_WAY_TX].rate_bps, 1000000000u);
    EXPECT_EQ(c.way[CXEMU_WAY_RX].rate_bps, 2000000000u);
    EXPECT_EQ(c.way[CXEMU_WAY_TX].loss_ppb, 10000000u);
    EXPECT_EQ(c.way[CXEMU_WAY_RX].loss_ppb, 0u);
}

} // namespace
