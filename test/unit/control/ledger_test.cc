/* SPDX-License-Identifier: BSD-2-Clause */
/* Matches and the ledger, against a model that enumerates frames. */
#include "control/ledger.h"

#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace
{

struct rs_match rule(const std::string &text)
{
    struct rs_match m = {};
    char err[128] = "";
    EXPECT_EQ(0, tapm_rule_parse(text.c_str(), &m, err, sizeof(err))) << text << ": " << err;
    return m;
}

/* --- the model: a small world of frames ---------------------------------------------------------
 */

struct Frame {
    uint16_t ethertype, vlan;
    uint8_t proto, mac, local, remote;
    uint16_t local_port, remote_port;
};

std::vector<Frame> all_frames()
{
    std::vector<Frame> frames;
    for (uint16_t vlan : {0, 1, 2})
        for (uint8_t mac : {1, 2}) {
            frames.push_back({0x0806, vlan, 0, mac, 0, 0, 0, 0});
            for (uint8_t proto : {1, 6, 17})
                for (uint8_t local : {1, 2})
                    for (uint8_t remote : {1, 2})
                        for (uint16_t lp : {1, 2})
                            for (uint16_t rp : {1, 2}) {
                                bool ports = proto != 1;
                                frames.push_back({0x0800, vlan, proto, mac, local, remote,
                                                  static_cast<uint16_t>(ports ? lp : 0),
                                                  static_cast<uint16_t>(ports ? rp : 0)});
                            }
        }
    return frames;
}

bool model_matches(const struct rs_match &m, const Frame &f)
{
    auto ip_is = [](const struct rs_ip &ip, uint8_t last) {
        return ip.family == RS_FAMILY_NONE || (last != 0 && ip.bytes[3] == last);
    };
    return (m.ethertype == 0 || m.ethertype == f.ethertype) &&
           (m.vlan_id == 0 || m.vlan_id == f.vlan) && (m.ip_proto == 0 || m.ip_proto == f.proto) &&
           (!m.has_local_mac || m.local_mac.bytes[5] == f.mac) && ip_is(m.local_ip, f.local) &&
           ip_is(m.remote_ip, f.remote) && (m.local_port == 0 || m.local_port == f.local_port) &&
           (m.remote_port == 0 || m.remote_port == f.remote_port);
}

struct rs_match random_match(std::mt19937 &rng)
{
    auto maybe = [&](int one_in) { return rng() % static_cast<unsigned>(one_in) == 0; };
    for (;;) {
        struct rs_match m = {}, canonical;
        const char *why;
        const uint8_t protos[] = {0, 1, 6, 6, 6, 17};
        m.ip_proto = protos[rng() % 6];
        if (m.ip_proto == 0 && maybe(3))
            m.ethertype = maybe(2) ? 0x0806 : 0x0800;
        if (maybe(3))
            m.vlan_id = static_cast<uint16_t>(1 + rng() % 2);
        if (maybe(3)) {
            m.has_local_mac = true;
            m.local_mac.bytes[5] = static_cast<uint8_t>(1 + rng() % 2);
        }
        for (struct rs_ip *ip : {&m.local_ip, &m.remote_ip}) {
            if (m.ethertype != 0x0806 && maybe(2)) {
                *ip = {{10, 0, 0, static_cast<uint8_t>(1 + rng() % 2)}, RS_FAMILY_IPV4};
            }
        }
        if (m.ip_proto >= 6) {
            m.local_port = static_cast<uint16_t>(rng() % 3);
            m.remote_port = static_cast<uint16_t>(rng() % 3);
        }
        m.copy = maybe(6);
        if (tapm_match_canonicalise(&m, &canonical, &why) == 0)
            return canonical;
    }
}

TEST(Match, IntersectionAndNestingAsFramesShow)
{
    std::mt19937 rng(7);
    auto frames = all_frames();
    unsigned nested = 0, overlapping = 0;
    for (int i = 0; i < 4000; i++) {
        struct rs_match a = random_match(rng), b = random_match(rng);
        bool shared = false, only_a = false, only_b = false;
        for (const auto &f : frames) {
            bool in_a = model_matches(a, f), in_b = model_matches(b, f);
            shared |= in_a && in_b;
            only_a |= in_a && !in_b;
            only_b |= !in_a && in_b;
        }
        EXPECT_EQ(shared, tapm_match_intersects(&a, &b));
        EXPECT_EQ(tapm_match_overlaps(&a, &b), tapm_match_overlaps(&b, &a));
        if (!shared || a.copy || b.copy) {
            EXPECT_FALSE(tapm_match_overlaps(&a, &b));
        } else if (only_a != only_b) { /* one is strictly within the other: it must win */
            nested++;
            EXPECT_FALSE(tapm_match_overlaps(&a, &b));
            const struct rs_match &inner = only_a ? b : a, &outer = only_a ? a : b;
            EXPECT_LT(tapm_match_priority(&inner), tapm_match_priority(&outer));
        } else if (tapm_match_priority(&a) == tapm_match_priority(&b)) {
            overlapping++;
            EXPECT_TRUE(tapm_match_overlaps(&a, &b));
        }
    }
    EXPECT_GT(nested, 100u);
    EXPECT_GT(overlapping, 100u);
}

TEST(Match, PrioritiesInOrder)
{
    const char *const order[] = {
        "tcp dst 10.0.0.2:80 src 10.0.0.1:1234 mac 02:00:00:00:00:01 vlan 3",
        "tcp dst 10.0.0.2:80 src 10.0.0.1:1234",
        "tcp dst 10.0.0.2:80",
        "tcp dst any:80",
        "tcp",
        "ip",
        "any"};
    unsigned before = 0;
    for (const char *text : order) {
        struct rs_match m = rule(text);
        EXPECT_GT(tapm_match_priority(&m), before) << text;
        before = tapm_match_priority(&m);
        EXPECT_LT(before, 16u);
        m.copy = true;
        EXPECT_EQ(0u, tapm_match_priority(&m)) << "copies come before what takes";
    }
    EXPECT_EQ(15u, before);
}

TEST(Match, PaddingAndUnusedBytesDoNotDistinguish)
{
    struct rs_match dirty, clean = {}, a, b;
    const char *why;
    memset(&dirty, 0xee, sizeof(dirty));
    dirty.ethertype = 0;
    dirty.vlan_id = 0;
    dirty.ip_proto = 6;
    dirty.has_local_mac = false;
    memset(&dirty.local_ip, 0, sizeof(dirty.local_ip));
    memset(&dirty.remote_ip, 0, sizeof(dirty.remote_ip));
    dirty.local_port = 80;
    dirty.remote_port = 0;
    dirty.copy = false;
    clean.ip_proto = 6;
    clean.local_port = 80;
    ASSERT_EQ(0, tapm_match_canonicalise(&dirty, &a, &why));
    ASSERT_EQ(0, tapm_match_canonicalise(&clean, &b, &why));
    EXPECT_TRUE(tapm_match_equal(&a, &b));
}

/* --- the ledger ---------------------------------------------------------------------------------
 */

struct Holder {
    struct tapm_entry *rules = nullptr;
};

class Ledger : public testing::Test
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(0, tapm_ledger_create(&ledger));
    }
    void TearDown() override
    {
        tapm_ledger_destroy(ledger);
    }
    int add(Holder &holder, const struct rs_match &match)
    {
        return tapm_ledger_add(ledger, &match, &holder, &holder.rules, &entry, &blocker);
    }
    int add(Holder &holder, const std::string &text)
    {
        return add(holder, rule(text));
    }
    struct tapm_ledger *ledger = nullptr;
    struct tapm_entry *entry = nullptr;
    const struct tapm_entry *blocker = nullptr;
};

TEST_F(Ledger, SameMatchOfTwoHoldersIsBusyAndNamesTheFirst)
{
    Holder one, two;
    ASSERT_EQ(0, add(one, "tcp dst 10.0.0.2:80"));
    EXPECT_EQ(-EBUSY, add(two, "tcp dst 10.0.0.2:80"));
    ASSERT_NE(nullptr, blocker);
    EXPECT_EQ(&one, blocker->holder);
    EXPECT_EQ(nullptr, entry);
    EXPECT_EQ(1u, tapm_ledger_count(ledger));
}

TEST_F(Ledger, SameMatchTwiceOfOneHolderExists)
{
    Holder one;
    ASSERT_EQ(0, add(one, "tcp dst 10.0.0.2:80"));
    EXPECT_EQ(-EEXIST, add(one, "tcp dst 10.0.0.2:80"));
    EXPECT_EQ(0, add(one, "tcp dst 10.0.0.2:80 copy")) << "a copy is another rule";
}

TEST_F(Ledger, NestedAndCopiesAreFree)
{
    Holder one, two;
    ASSERT_EQ(0, add(one, "tcp dst 10.0.0.2:80"));
    EXPECT_EQ(0, add(two, "tcp dst 10.0.0.2:80 src 10.0.0.1:99"));
    EXPECT_EQ(0, add(two, "tcp dst any:80"));
    EXPECT_EQ(0, add(two, "any"));
    EXPECT_EQ(0, add(two, "tcp dst 10.0.0.2:80 copy"));
    EXPECT_EQ(0, add(one, "arp copy"));
    EXPECT_EQ(0, add(two, "arp copy"));
}

TEST_F(Ledger, OtherShapesOfTheSamePriorityOverlap)
{
    Holder one, two;
    ASSERT_EQ(0, add(one, "tcp dst 10.0.0.2:80"));
    EXPECT_EQ(-EBUSY, add(two, "tcp dst 10.0.0.2:any src 10.0.0.1:any"));
    EXPECT_EQ(-EBUSY, add(two, "tcp dst any:80 src 10.0.0.1:any"));
    EXPECT_EQ(0, add(two, "tcp dst 10.0.0.3:any src 10.0.0.1:any")) << "another address";
    EXPECT_EQ(0, add(one, "tcp dst any:80 src 10.0.0.9:any")) << "own rules do not block";
}

TEST_F(Ledger, RemovedRulesBlockNobody)
{
    Holder one, two;
    ASSERT_EQ(0, add(one, "udp dst 10.0.0.2:53"));
    uint64_t id = entry->id;
    tapm_ledger_remove(ledger, tapm_ledger_find(ledger, id));
    EXPECT_EQ(nullptr, tapm_ledger_find(ledger, id));
    EXPECT_EQ(nullptr, one.rules);
    ASSERT_EQ(0, add(two, "udp dst 10.0.0.2:53"));
    EXPECT_NE(id, entry->id) << "a name is not used twice";
}

TEST_F(Ledger, AgreesWithANaiveModel)
{
    std::mt19937 rng(11);
    std::vector<Holder> holders(4);
    std::map<uint64_t, std::pair<struct rs_match, Holder *>> model;
    unsigned refused = 0;
    for (int step = 0; step < 6000; step++) {
        if (!model.empty() && rng() % 3 == 0) {
            auto at = model.begin();
            std::advance(at, rng() % model.size());
            tapm_ledger_remove(ledger, tapm_ledger_find(ledger, at->first));
            model.erase(at);
        } else {
            struct rs_match m = random_match(rng);
            Holder &holder = holders[rng() % holders.size()];
            bool exists = false, busy = false;
            for (const auto &[id, held] : model) {
                bool own = held.second == &holder;
                exists |= own && tapm_match_equal(&held.first, &m);
                busy |= !own && tapm_match_overlaps(&held.first, &m);
            }
            int rc = add(holder, m);
            ASSERT_EQ(exists ? -EEXIST : busy ? -EBUSY : 0, rc) << "step " << step;
            refused += rc != 0;
            if (rc == 0)
                model[entry->id] = {m, &holder};
            if (rc == -EBUSY) {
                EXPECT_TRUE(blocker && tapm_match_overlaps(&blocker->match, &m));
            }
        }
        ASSERT_EQ(model.size(), tapm_ledger_count(ledger));
    }
    EXPECT_GT(refused, 500u);
    size_t listed = 0;
    for (auto &holder : holders) {
        for (auto *e = holder.rules; e; e = e->next_of_holder) {
            ASSERT_TRUE(model.count(e->id));
            EXPECT_EQ(&holder, model[e->id].second);
            listed++;
        }
    }
    EXPECT_EQ(model.size(), listed);
}

TEST_F(Ledger, ManyConnectionsAreNoWork)
{
    Holder one, two;
    ASSERT_EQ(0, add(two, "tcp dst 10.0.0.9:80"));
    for (unsigned i = 0; i < 60000; i++) {
        struct rs_match m = rule("tcp dst 10.0.0.2:80 src 10.0.0.1:1");
        m.remote_port = static_cast<uint16_t>(i + 1);
        ASSERT_EQ(0, add(one, m)) << i;
    }
    while (one.rules)
        tapm_ledger_remove(ledger, one.rules);
    EXPECT_EQ(1u, tapm_ledger_count(ledger));
}

} // namespace
