/* SPDX-License-Identifier: BSD-2-Clause */
/* The switch inside a card: who gets which frame, VLANs, spoof check, rates, and that it loses
 * nothing. */
#include "cxemu/wires/eswitch.h"
#include "cxemu/wires/wire_mem.h"

#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace
{

const rs_mac pf_mac = {{2, 0, 0, 0, 0, 1}}, a_mac = {{2, 0, 0, 0, 0, 0xa}},
             b_mac = {{2, 0, 0, 0, 0, 0xb}}, far_mac = {{2, 0, 0, 0, 0, 0x99}},
             all_mac = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

uint64_t now_ns(void *cookie)
{
    return *static_cast<uint64_t *>(cookie);
}

struct Eswitch : testing::Test {
    Eswitch()
    {
        const cxemu_clock clock = {now_ns, &time};
        cxemu_wire *uplink;
        EXPECT_EQ(cxemu_wire_mem_create(&uplink, &far), 0);
        EXPECT_EQ(cxemu_eswitch_create(uplink, &pf_mac, &clock, &esw, &pf), 0);
        const cxemu_vport_attr at = {a_mac, 0, false, 0, CXEMU_VPORT_AUTO},
                               bt = {b_mac, 0, false, 0, CXEMU_VPORT_AUTO};
        EXPECT_EQ(cxemu_eswitch_add(esw, &at, &a), 0);
        EXPECT_EQ(cxemu_eswitch_add(esw, &bt, &b), 0);
        for (cxemu_wire *w : {pf, a, b, far})
            w->ops->end_set(w, true);
    }
    ~Eswitch() override
    {
        for (cxemu_wire *w : {pf, a, b, far})
            w->ops->destroy(w);
    }
    static std::vector<uint8_t> frame(const rs_mac &dst, const rs_mac &src, int vlan = 0,
                                      size_t len = 60)
    {
        std::vector<uint8_t> f(len, 0x5a);
        memcpy(f.data(), dst.bytes, 6);
        memcpy(f.data() + 6, src.bytes, 6);
        if (vlan) {
            f[12] = 0x81;
            f[13] = 0;
            f[14] = static_cast<uint8_t>(vlan >> 8);
            f[15] = static_cast<uint8_t>(vlan);
        }
        return f;
    }
    static bool send(cxemu_wire *w, const std::vector<uint8_t> &f)
    {
        uint8_t *slot = w->ops->tx_slot(w, static_cast<uint32_t>(f.size()));
        if (!slot)
            return false;
        memcpy(slot, f.data(), f.size());
        w->ops->tx_commit(w, static_cast<uint32_t>(f.size()));
        w->ops->tx_flush(w);
        return true;
    }
    static std::vector<std::vector<uint8_t>> take(cxemu_wire *w)
    {
        std::vector<std::vector<uint8_t>> all;
        cxemu_frame frames[8];
        int n = w->ops->rx(w, frames, 8);
        for (int i = 0; i < n; i++)
            all.emplace_back(frames[i].data, frames[i].data + frames[i].len);
        w->ops->rx_release(w);
        return all;
    }
    /* Which of pf, a, b and the far end got something: "pabf". */
    std::string who()
    {
        std::string s;
        s += take(pf).empty() ? "" : "p";
        s += take(a).empty() ? "" : "a";
        s += take(b).empty() ? "" : "b";
        s += take(far).empty() ? "" : "f";
        return s;
    }
    void change(cxemu_wire *w, const cxemu_vport_attr &attr)
    {
        cxemu_vport_set(w, &attr);
    }
    uint64_t time = 1000;
    cxemu_eswitch *esw;
    cxemu_wire *pf, *a, *b, *far;
};

TEST_F(Eswitch, SendsToWhoHasTheAddress)
{
    const struct {
        cxemu_wire *from;
        rs_mac dst, src;
        const char *who;
    } cases[] = {
        {a, b_mac, a_mac, "b"},         {a, pf_mac, a_mac, "p"},      {pf, a_mac, pf_mac, "a"},
        {a, far_mac, a_mac, "f"},       {pf, far_mac, pf_mac, "f"},   {far, a_mac, far_mac, "a"},
        {far, pf_mac, far_mac, "p"},    {far, far_mac, far_mac, "p"}, {a, all_mac, a_mac, "pbf"},
        {far, all_mac, far_mac, "pab"}, {pf, all_mac, pf_mac, "abf"},
    };
    int n = 0;
    for (const auto &c : cases) {
        ASSERT_TRUE(send(c.from, frame(c.dst, c.src)));
        EXPECT_EQ(who(), c.who) << "case " << n;
        EXPECT_EQ(who(), "") << "case " << n;
        n++;
    }
}

TEST_F(Eswitch, ChecksTheSourceOnlyWhereAsked)
{
    send(a, frame(b_mac, far_mac));
    EXPECT_EQ(who(), "b");
    change(a, {a_mac, 0, true, 0, CXEMU_VPORT_AUTO});
    send(a, frame(b_mac, far_mac));
    EXPECT_EQ(who(), "");
    EXPECT_EQ(a->ops->stat(a, CXEMU_WIRE_SPOOFED), 1u);
    send(a, frame(b_mac, a_mac));
    EXPECT_EQ(who(), "b");
}

TEST_F(Eswitch, KeepsAFunctionInItsVlan)
{
    change(a, {a_mac, 5, false, 0, CXEMU_VPORT_AUTO});
    const auto plain = frame(far_mac, a_mac);
    send(a, plain);
    auto got = take(far);
    ASSERT_EQ(got.size(), 1u);
    ASSERT_EQ(got[0].size(), 64u);
    EXPECT_EQ(got[0][12], 0x81);
    EXPECT_EQ(got[0][15], 5);
    EXPECT_EQ(memcmp(got[0].data() + 16, plain.data() + 12, 48), 0);
    /* What it tags itself does not leave. */
    send(a, frame(far_mac, a_mac, 7));
    EXPECT_EQ(who(), "");
    EXPECT_EQ(a->ops->stat(a, CXEMU_WIRE_VLAN_REFUSED), 1u);
    /* It sees its VLAN, untagged, and no other. */
    send(far, frame(a_mac, far_mac, 5));
    got = take(a);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].size(), 56u);
    EXPECT_EQ(got[0][12], 0x5a);
    send(far, frame(a_mac, far_mac, 6));
    send(far, frame(a_mac, far_mac));
    send(b, frame(a_mac, b_mac));
    EXPECT_EQ(who(), "");
    send(far, frame(all_mac, far_mac, 5));
    EXPECT_EQ(who(), "pab");
    /* Another function of the same VLAN is reached. */
    change(b, {b_mac, 5, false, 0, CXEMU_VPORT_AUTO});
    send(a, plain);
    (void)who();
    send(a, frame(b_mac, a_mac));
    got = take(b);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0], frame(b_mac, a_mac));
}

TEST_F(Eswitch, LimitsAFunctionsRate)
{
    change(a, {a_mac, 0, false, 8000000, CXEMU_VPORT_AUTO}); /* one byte a microsecond */
    unsigned got = 0;
    for (int i = 0; i < 10; i++)
        ASSERT_TRUE(send(a, frame(b_mac, a_mac, 0, 1000)));
    for (uint64_t end = time + 5500000; time < end; time += 1000) {
        a->ops->tx_flush(a);
        got += static_cast<unsigned>(take(b).size());
    }
    EXPECT_EQ(got, 6u); /* at 0, 1, 2, 3, 4, 5 ms */
    EXPECT_EQ(a->ops->due_ns(a), 1000u + 6000000);
    ASSERT_TRUE(send(pf, frame(b_mac, pf_mac))); /* others are not held up */
    EXPECT_EQ(who(), "b");
}

TEST_F(Eswitch, LosesNothingWhenAReceiverWaits)
{
    unsigned sent = 0, got = 0;

    while (sent < 1000 && send(a, frame(b_mac, a_mac, 0, 60 + sent % 500)))
        sent++;
    EXPECT_LT(sent, 100u); /* back-pressure */
    for (int i = 0; i < 2000 && got < sent + 100; i++) {
        for (const auto &f : take(b)) {
            EXPECT_EQ(f.size(), 60 + got % 500);
            got++;
        }
        if (sent < 1000 && send(a, frame(b_mac, a_mac, 0, 60 + sent % 500)))
            sent++;
        a->ops->tx_flush(a);
    }
    while (got < sent) {
        auto more = take(b);
        a->ops->tx_flush(a);
        ASSERT_FALSE(more.empty() && take(b).empty());
        got += static_cast<unsigned>(more.size());
    }
    EXPECT_EQ(got, sent);
}

TEST_F(Eswitch, LinkFollowsTheUplinkUnlessSet)
{
    EXPECT_TRUE(a->ops->carrier(a));
    far->ops->end_set(far, false);
    EXPECT_FALSE(a->ops->carrier(a));
    change(a, {a_mac, 0, false, 0, CXEMU_VPORT_UP});
    EXPECT_TRUE(a->ops->carrier(a));
    far->ops->end_set(far, true);
    change(a, {a_mac, 0, false, 0, CXEMU_VPORT_DOWN});
    EXPECT_FALSE(a->ops->carrier(a));
    send(b, frame(a_mac, b_mac));
    EXPECT_EQ(who(), "");
    send(a, frame(b_mac, a_mac));
    EXPECT_EQ(who(), "");
}

TEST_F(Eswitch, AFunctionThatLeftIsNobody)
{
    const cxemu_vport_attr bt = {b_mac, 0, false, 0, CXEMU_VPORT_AUTO};
    b->ops->destroy(b);
    send(a, frame(b_mac, a_mac));
    EXPECT_EQ(take(far).size(), 1u);
    ASSERT_EQ(cxemu_eswitch_add(esw, &bt, &b), 0);
    b->ops->end_set(b, true);
    send(a, frame(b_mac, a_mac));
    EXPECT_EQ(who(), "b");
}

TEST(EswitchAlone, CarriesBetweenFunctionsWithoutAnUplink)
{
    const cxemu_clock clock = {};
    cxemu_eswitch *esw;
    cxemu_wire *pf, *vf;
    const cxemu_vport_attr attr = {a_mac, 0, false, 0, CXEMU_VPORT_UP};

    ASSERT_EQ(cxemu_eswitch_create(nullptr, &pf_mac, &clock, &esw, &pf), 0);
    ASSERT_EQ(cxemu_eswitch_add(esw, &attr, &vf), 0);
    pf->ops->end_set(pf, true);
    vf->ops->end_set(vf, true);
    EXPECT_FALSE(pf->ops->carrier(pf));
    EXPECT_TRUE(vf->ops->carrier(vf));
    ASSERT_TRUE(Eswitch::send(vf, Eswitch::frame(pf_mac, a_mac)));
    ASSERT_TRUE(Eswitch::send(vf, Eswitch::frame(far_mac, a_mac)));
    EXPECT_EQ(Eswitch::take(pf).size(), 1u);
    EXPECT_EQ(vf->ops->stat(vf, CXEMU_WIRE_UNHEARD), 1u);
    pf->ops->destroy(pf);
    vf->ops->destroy(vf);
}

} // namespace
