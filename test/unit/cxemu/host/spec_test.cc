/* SPDX-License-Identifier: BSD-2-Clause */
#include "cxemu/host/spec.h"
#include "cxemu/uverbs/caps.h"

#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <string>

static int parse(const char *text, cxemu_spec *spec, std::string *err = nullptr)
{
    char buf[256] = "";
    int rc = cxemu_spec_parse(text, spec, buf, sizeof(buf));
    if (err)
        *err = buf;
    return rc;
}

TEST(Spec, Defaults)
{
    cxemu_spec s;

    ASSERT_EQ(parse("", &s), 0);
    EXPECT_EQ(s.wire, CXEMU_WIRE_NONE);
    EXPECT_EQ(s.mtu_bytes, 1500);
    EXPECT_EQ(s.impair.seed, 1u);
    EXPECT_STREQ(s.name, "");
    EXPECT_STREQ(s.netdev, "");
    EXPECT_FALSE(s.has_mac);
    EXPECT_STREQ(s.model->name, "cx5");
    EXPECT_EQ(s.caps_off, 0u);
}

TEST(Spec, TakesFunctions)
{
    cxemu_spec s;

    ASSERT_EQ(parse("card=c0,vfs=3", &s), 0);
    EXPECT_STREQ(s.card, "c0");
    EXPECT_EQ(s.vfs, 3u);
    ASSERT_EQ(parse("pf=mlx5_0,vlan=5,spoofchk=on,max_rate=100,vf_link=enable", &s), 0);
    EXPECT_STREQ(s.pf, "mlx5_0");
    EXPECT_EQ(s.vport.vlan, 5);
    EXPECT_TRUE(s.vport.spoof_check);
    EXPECT_EQ(s.vport.max_rate_bps, 100000000u);
    EXPECT_EQ(s.vport.link, CXEMU_VPORT_UP);
}

/* What is not named stays; what is no attribute of a function is refused, and nothing changes. */
TEST(Spec, ChangesAVirtualFunction)
{
    char err[256];
    cxemu_spec room;
    cxemu_vport_attr attr = {{{2, 0, 0, 0, 0, 1}}, 7, true, 0, CXEMU_VPORT_AUTO};

    ASSERT_EQ(cxemu_spec_parse_vport("max_rate=10", &room, &attr, err, sizeof(err)), 0) << err;
    EXPECT_EQ(attr.max_rate_bps, 10000000u);
    EXPECT_EQ(attr.vlan, 7);
    EXPECT_TRUE(attr.spoof_check);
    EXPECT_EQ(attr.mac.bytes[5], 1);
    for (const char *text :
         {"mtu=9000", "vlan=1,loss=1%", "", "vlan", "vlan=1,mac=01:00:00:00:00:00"})
        EXPECT_EQ(cxemu_spec_parse_vport(text, &room, &attr, err, sizeof(err)), -EINVAL) << text;
    EXPECT_EQ(attr.vlan, 7);
}

TEST(Spec, TakesAModelAndSwitchesOff)
{
    cxemu_spec s;

    ASSERT_EQ(parse("model=cx6dx,off=tso+rss", &s), 0);
    EXPECT_EQ(s.model->part_id, 4125);
    EXPECT_EQ(s.caps_off, 1u << CXEMU_CAP_TSO | 1u << CXEMU_CAP_RSS);
    for (unsigned i = 0; i < CXEMU_CAPS; i++) {
        const std::string name = cxemu_caps_name(static_cast<cxemu_cap>(i));
        ASSERT_EQ(parse(("off=" + name).c_str(), &s), 0) << name;
        EXPECT_EQ(s.caps_off, 1u << i);
    }
}

TEST(Spec, TakesEveryKey)
{
    cxemu_spec s;
    const uint8_t mac[6] = {2, 0, 0, 0, 0xab, 1};

    ASSERT_EQ(parse("name=nic-1,wire=packet:veth0,netdev=tap0,mac=02:00:00:00:AB:01,mtu=9000,"
                    "loss_tx=0.5%,loss_rx=0.25,seed=18446744073709551615,max_qp=3,mode=0640",
                    &s),
              0);
    EXPECT_STREQ(s.name, "nic-1");
    EXPECT_EQ(s.wire, CXEMU_WIRE_PACKET);
    EXPECT_STREQ(s.wire_name, "veth0");
    EXPECT_STREQ(s.netdev, "tap0");
    EXPECT_EQ(memcmp(s.mac.bytes, mac, 6), 0);
    EXPECT_EQ(s.mtu_bytes, 9000);
    EXPECT_EQ(s.impair.way[CXEMU_WAY_TX].loss_ppb, 5000000u);
    EXPECT_EQ(s.impair.way[CXEMU_WAY_RX].loss_ppb, 250000000u);
    EXPECT_EQ(s.impair.seed, UINT64_MAX);
    EXPECT_EQ(s.max_qp, 3u);
    EXPECT_EQ(s.mode, 0640);
    ASSERT_EQ(parse("wire=mem:w,loss=1%", &s), 0);
    EXPECT_EQ(s.impair.way[CXEMU_WAY_TX].loss_ppb, 10000000u);
    EXPECT_EQ(s.impair.way[CXEMU_WAY_RX].loss_ppb, 10000000u);
}

TEST(Spec, TakesWires)
{
    cxemu_spec s;

    ASSERT_EQ(parse("wire=shm:lab,shm_ports=12,shm_mode=0600", &s), 0);
    EXPECT_EQ(s.wire, CXEMU_WIRE_SHM);
    EXPECT_STREQ(s.wire_name, "lab");
    EXPECT_EQ(s.shm_ports, 12u);
    EXPECT_EQ(s.shm_mode, 0600);
    ASSERT_EQ(parse("wire=pcap:/tmp/in.pcap,replay_speed=250%,replay_loops=3,replay_wait=20ms,"
                    "record=out.pcap",
                    &s),
              0);
    EXPECT_EQ(s.wire, CXEMU_WIRE_PCAP);
    EXPECT_STREQ(s.wire_name, "/tmp/in.pcap");
    EXPECT_EQ(s.replay_percent, 250u);
    EXPECT_EQ(s.replay_loops, 3u);
    EXPECT_EQ(s.replay_wait_ns, 20000000u);
    EXPECT_STREQ(s.record, "out.pcap");
    ASSERT_EQ(parse("replay_speed=max,replay_loops=forever", &s), 0);
    EXPECT_EQ(s.replay_percent, 0u);
    EXPECT_EQ(s.replay_loops, 0u);
    ASSERT_EQ(parse("", &s), 0);
    EXPECT_EQ(s.replay_percent, 100u);
    EXPECT_EQ(s.replay_loops, 1u);
    ASSERT_EQ(parse("wire=tap:t0", &s), 0);
    EXPECT_EQ(s.wire, CXEMU_WIRE_TAP);
    ASSERT_EQ(parse("wire=xdp:veth1", &s), 0);
    EXPECT_EQ(s.wire, CXEMU_WIRE_XDP);
    EXPECT_STREQ(s.wire_name, "veth1");
}

/* A key for both directions and one for a single direction stand side by side: the later counts. */
TEST(Spec, TakesImpairments)
{
    cxemu_spec s;

    ASSERT_EQ(
        parse("rate=10Mbit,delay=5ms,tx_delay=1ms,dup=1%,path_mtu=1400,loss_every=9,seed=4", &s),
        0);
    for (int way : {CXEMU_WAY_TX, CXEMU_WAY_RX}) {
        EXPECT_EQ(s.impair.way[way].rate_bps, 10000000u);
        EXPECT_EQ(s.impair.way[way].dup_ppb, 10000000u);
        EXPECT_EQ(s.impair.way[way].path_mtu_bytes, 1400u);
        EXPECT_EQ(s.impair.way[way].loss_every, 9u);
    }
    EXPECT_EQ(s.impair.way[CXEMU_WAY_TX].delay_ns, 1000000u);
    EXPECT_EQ(s.impair.way[CXEMU_WAY_RX].delay_ns, 5000000u);
    EXPECT_EQ(s.impair.seed, 4u);
}

TEST(Spec, TakesFaults)
{
    cxemu_spec s;

    ASSERT_EQ(parse("fault=create:errno=ENOMEM+port-down", &s), 0);
    EXPECT_STREQ(s.fault, "create:errno=ENOMEM+port-down");
}

static const struct {
    const char *text, *names;
} refused[] = {
    {"wire", "wire"},
    {"max_qp=0", "max_qp=0"},
    {"max_qp=4097", "4097"},
    {"mode=999", "999"},
    {"mode=0777", "0777"},
    {"mode=", "mode="},
    {"mode=0123", "0123"},
    {"shm_mode=0611", "0611"},
    {"speed=100", "'speed'; known: name, netdev"},
    {"wire=tcp:x", "tcp:x"},
    {"wire=mem:", "mem:"},
    {"wire=mem:a/b", "a/b"},
    {"wire=packet:", "packet:"},
    {"wire=packet:interface-too-long", "interface-too-long"},
    {"name=", "name="},
    {"name=..", ".."},
    {"name=a/b", "a/b"},
    {"netdev=", "netdev="},
    {"mac=02:00:00:00:00", "02:00:00:00:00"},
    {"mac=02:00:00:00:00:01x", "01x"},
    {"mac=01:00:00:00:00:01", "unicast"},
    {"mac=00:00:00:00:00:00", "unicast"},
    {"mtu=67", "67"},
    {"mtu=9001", "9001"},
    {"mtu=-1", "-1"},
    {"mtu=1500x", "1500x"},
    {"loss=101%", "101%"},
    {"loss=-1%", "-1%"},
    {"loss=nan", "nan"},
    {"loss=", "loss="},
    {"model=cx3", "cx4lx, cx5, cx6dx, cx7"},
    {"vfs=17", "17"},
    {"pf=", "pf="},
    {"card=a/b", "a/b"},
    {"vlan=4095", "4095"},
    {"spoofchk=yes", "yes"},
    {"max_rate=1.5", "1.5"},
    {"vf_link=up", "vf_link=up"},
    {"off=tso+warp", "'warp'; known: csum, tso"},
    {"off=", "''"},
    {"off=tso+", "''"},
    {"off=ts", "'ts'"},
    {"seed=x", "seed=x"},
    {"seed=18446744073709551616", "18446744073709551616"},
    {"mtu=1500,mtu=1500", "twice"},
    {"loss=1%,loss=1%", "loss= is given twice"},
    {"tx_delay=1ms,delay=2ms,tx_delay=3ms", "tx_delay= is given twice"},
    {"seed=1,seed=2", "seed= is given twice"},
    {"fault=cqe:count=1,fault=", "fault="},
    {"=1", "unknown key ''"},
    {"mac= 2:00:00:00:00:01", "not a MAC"},
    {"mac=02:00:00:00:00:-1", "not a MAC"},
    {"mac=02:00:00:00:00:0x1", "not a MAC"},
    {"mac=02:00:00:00:00:", "not a MAC"},
    {"mac=002:00:00:00:00:01", "not a MAC"},
    {"wire=shm:", "shm:"},
    {"wire=shm:a/b", "a/b"},
    {"wire=tap:", "tap:"},
    {"wire=tap:interface-too-long", "interface-too-long"},
    {"wire=xdp:", "xdp:"},
    {"wire=xdp:a/b", "a/b"},
    {"wire=pcap:", "pcap:"},
    {"wire=", "unknown wire"},
    {"shm_ports=1", "shm_ports=1"},
    {"shm_ports=100000", "100000"},
    {"shm_ports=", "shm_ports="},
    {"shm_mode=66", "66"},
    {"shm_mode=0777", "0777"},
    {"shm_mode=0999", "0999"},
    {"record=", "record="},
    {"replay_speed=0%", "0%"},
    {"replay_speed=100", "100"},
    {"replay_speed=%", "%"},
    {"replay_speed=1000001%", "1000001%"},
    {"replay_loops=0", "replay_loops=0"},
    {"replay_loops=4294967296", "4294967296"},
    {"replay_loops=always", "always"},
    {"replay_wait=5", "unit"},
    {"replay_wait=-1s", "-1s"},
    {"replay_wait=", "replay_wait="},
    {"model=", "model="},
    {"vfs=-1", "-1"},
    {"vfs=", "vfs="},
    {"vlan=", "vlan="},
    {"vlan=0x5", "0x5"},
    {"spoofchk=", "spoofchk="},
    {"max_rate=1000001", "1000001"},
    {"vf_link=", "vf_link="},
    {"fault=", "fault="},
    {"fault=melt", "melt"},
    {"rate=fast", "rate=fast"},
    {"delay=5", "delay=5"},
    {"jitter=1parsec", "jitter=1parsec"},
    {"wire=none,", "key=value"},
    {",", "key=value"},
};

/* Each error names what was wrong. */
TEST(Spec, RefusesByName)
{
    for (const auto &c : refused) {
        cxemu_spec s;
        std::string err;
        EXPECT_EQ(parse(c.text, &s, &err), -EINVAL) << c.text;
        EXPECT_NE(err.find(c.names), std::string::npos) << c.text << ": " << err;
    }
    cxemu_spec s;
    EXPECT_EQ(parse(std::string(1000, 'x').c_str(), &s), -EINVAL);
    EXPECT_EQ(cxemu_spec_parse("wire", &s, nullptr, 0), -EINVAL);
}

TEST(Spec, DefaultMacIsUnicastLocalAndDiffers)
{
    rs_mac a = cxemu_spec_default_mac("mlx5_0"), b = cxemu_spec_default_mac("mlx5_1");

    EXPECT_EQ(a.bytes[0], 0x02);
    EXPECT_NE(memcmp(a.bytes, b.bytes, 6), 0);
}
